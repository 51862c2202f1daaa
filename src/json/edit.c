#include "json/edit.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/limits.h"
#include "json/parse.h"

void jedits_init(struct jedits *e, struct slice document)
{
    *e = (struct jedits){
        .document = document, .items = BUF_INIT(MEM_SCRATCH), .bytes = BUF_INIT(MEM_SCRATCH)};
}

void jedits_fini(struct jedits *e)
{
    buf_fini(&e->items);
    buf_fini(&e->bytes);
}

static size_t place_of(const struct jedits *e, struct slice part)
{
    CHECK(part.ptr >= e->document.ptr);
    size_t at = (size_t)(part.ptr - e->document.ptr);
    CHECK(at + part.len <= e->document.len);
    return at;
}

/* -- gathering --------------------------------------------------------------------------------- */

void jedit_set(struct jedits *e, struct slice value, struct slice by)
{
    size_t at = place_of(e, value);
    struct jedit one = {.kind = JEDIT_SET,
                        .at = at,
                        .removed = value.len,
                        .bytes = e->bytes.len,
                        .size = by.len,
                        .target = at,
                        .value = e->bytes.len,
                        .value_size = by.len};
    buf_append_slice(&e->bytes, by);
    buf_append(&e->items, &one, sizeof(one));
}

void jedit_add(struct jedits *e, struct slice object, struct slice name, struct slice value)
{
    size_t at = place_of(e, object);
    CHECK(object.ptr[0] == '{');
    struct jedit one = {.kind = JEDIT_ADD,
                        .at = at + object.len - 1,
                        .bytes = e->bytes.len,
                        .target = at,
                        .value_size = value.len};
    buf_append_text(&e->bytes, object.len > 2 ? ",\"" : "\"");
    buf_append_slice(&e->bytes, name);
    buf_append_text(&e->bytes, "\":");
    one.value = e->bytes.len;
    buf_append_slice(&e->bytes, value);
    one.size = e->bytes.len - one.bytes;
    buf_append(&e->items, &one, sizeof(one));
}

/* It stands between the quote and the `":` before the value. */
struct slice jedit_name(const struct jedits *e, const struct jedit *one)
{
    const uint8_t *start = e->bytes.ptr + one->bytes;
    CHECK(one->kind == JEDIT_ADD);
    start += *start == ',' ? 2 : 1;
    return (struct slice){start, (size_t)(e->bytes.ptr + one->value - 2 - start)};
}

void jedit_insert(struct jedits *e, struct slice array, size_t index, struct slice elements)
{
    struct jval_entry entry;
    size_t at = place_of(e, array);
    CHECK(array.ptr[0] == '[' && elements.len > 0);
    bool last = !jval_element(array, index, &entry), empty = array.len == 2;
    struct jedit one = {.kind = JEDIT_INSERT,
                        .at = last ? at + array.len - 1 : place_of(e, entry.text),
                        .bytes = e->bytes.len,
                        .target = at,
                        .index = index,
                        .value_size = elements.len};
    if (last && !empty)
        buf_append_byte(&e->bytes, ',');
    one.value = e->bytes.len;
    buf_append_slice(&e->bytes, elements);
    if (!last)
        buf_append_byte(&e->bytes, ',');
    one.size = e->bytes.len - one.bytes;
    buf_append(&e->items, &one, sizeof(one));
}

void jedit_cut(struct jedits *e, struct slice first, struct slice last, size_t entries)
{
    size_t at = place_of(e, first), end = place_of(e, last) + last.len;
    struct jedit one = {
        .kind = JEDIT_REMOVE, .at = at, .removed = end - at, .target = at, .entries = entries};
    CHECK(end > at);
    buf_append(&e->items, &one, sizeof(one));
}

void jedit_remove(struct jedits *e, struct slice entry, struct slice value)
{
    size_t at = place_of(e, entry);
    struct jedit one = {.kind = JEDIT_REMOVE,
                        .at = at,
                        .removed = entry.len,
                        .target = place_of(e, value),
                        .entries = 1};
    buf_append(&e->items, &one, sizeof(one));
}

/* -- making ------------------------------------------------------------------------------------ */

static int by_place(const void *a, const void *b)
{
    const struct jedit *x = a, *y = b;
    return (x->at > y->at) - (x->at < y->at);
}

/* Where bytes go, or how many there are. */
struct sink {
    uint8_t *out; /* NULL: they are counted */
    size_t size;
    uint8_t last;
};

static void pour(struct sink *s, const uint8_t *bytes, size_t size)
{
    if (size == 0)
        return;
    if (s->out != NULL)
        memcpy(s->out + s->size, bytes, size);
    s->size += size;
    s->last = bytes[size - 1];
}

static void make(const struct jedits *e, struct sink *s)
{
    struct slice d = e->document;
    size_t at = 0;
    for (size_t i = 0; i < jedits_count(e); i++) {
        const struct jedit *one = jedits_at(e, i);
        pour(s, d.ptr + at, one->at - at);
        if (one->size > 0)
            pour(s, e->bytes.ptr + one->bytes, one->size);
        at = one->at + one->removed;
        if (one->kind != JEDIT_REMOVE)
            continue;
        /* One comma goes with it: the one before, or where it was the first the one behind. What
         * was before the comma ends a value or begins the container, and is no comma. */
        if (s->last == ',')
            s->size--;
        else if (d.ptr[at] == ',')
            at++;
        if (s->last == ',')
            s->last = '\0';
    }
    pour(s, d.ptr + at, d.len - at);
}

size_t jedits_settle(struct jedits *e)
{
    struct jedit *items = (struct jedit *)(void *)e->items.ptr;
    size_t count = jedits_count(e), kept = 0, end = 0;
    CHECK(!jedits_failed(e));
    bool ordered = true;
    for (size_t i = 1; i < count; i++)
        ordered &= items[i - 1].at <= items[i].at;
    if (!ordered)
        qsort(items, count, sizeof(*items), by_place);
    for (size_t i = 0; i < count; i++) {
        bool again = kept > 0 && items[i].removed == 0 && items[kept - 1].at == items[i].at &&
                     items[kept - 1].target == items[i].target;
        if (i > 0 && (items[i].at < end || again))
            continue;
        end = items[i].at + items[i].removed;
        items[kept++] = items[i];
    }
    e->items.len = kept * sizeof(*items);
    struct sink counted = {0};
    make(e, &counted);
    return counted.size;
}

void jedits_write(const struct jedits *e, uint8_t *out)
{
    struct sink sink = {.out = out};
    make(e, &sink);
}

/* -- places ------------------------------------------------------------------------------------ */

/* A name as paths have it: only quotes and backslashes are escaped. */
void jplace_put_name(struct buf *path, struct slice name)
{
    buf_append_text(path, "[\"");
    while (name.len > 0) {
        uint8_t c = jval_unescape_next(&name);
        if (c == '"' || c == '\\')
            buf_append_byte(path, '\\');
        buf_append_byte(path, c);
    }
    buf_append_text(path, "\"]");
}

/* The entry of a container whose value holds all from at to end; *index: which one. */
static bool entry_around(struct slice container, const uint8_t *at, const uint8_t *end,
                         struct jval_entry *out, size_t *index)
{
    struct jval_walk walk;
    jval_walk(container, &walk);
    *index = 0;
    for (; jval_next(&walk, out) && out->text.ptr <= at; (*index)++)
        if (out->value.ptr <= at && end <= out->value.ptr + out->value.len)
            return true;
    return false;
}

static void put_step(struct buf *path, const struct jval_entry *entry, struct slice container,
                     size_t index)
{
    if (container.ptr[0] == '{')
        jplace_put_name(path, entry->name);
    else
        buf_printf(path, "[%zu]", index);
}

bool jplace_path(struct slice document, size_t place, struct buf *out)
{
    const uint8_t *at = document.ptr + place;
    struct slice value = document;
    struct jval_entry entry;
    size_t index;
    buf_append_byte(out, '$');
    while (value.ptr != at) {
        if (!jval_is_container(value) || !entry_around(value, at, at + 1, &entry, &index))
            return false;
        put_step(out, &entry, value, index);
        value = entry.value;
    }
    return true;
}

/* How long the step is that a path begins with: ["name"] or [3]; 0: with none. */
static size_t step_size(struct slice s)
{
    size_t at = 2;
    if (s.len < 3 || s.ptr[0] != '[')
        return 0;
    if (s.ptr[1] != '"') {
        for (at = 1; at < s.len && s.ptr[at] >= '0' && s.ptr[at] <= '9';)
            at++;
        bool good = at > 1 && at < 12 && (s.ptr[1] != '0' || at == 2);
        return good && at < s.len && s.ptr[at] == ']' ? at + 1 : 0;
    }
    for (; at < s.len && s.ptr[at] != '"'; at++)
        if (s.ptr[at] == '\\' && (++at >= s.len || (s.ptr[at] != '"' && s.ptr[at] != '\\')))
            return 0;
    return at + 1 < s.len && s.ptr[at + 1] == ']' ? at + 2 : 0;
}

bool jplace_check(struct slice path)
{
    if (path.len == 0 || path.ptr[0] != '$' || path.len > LIMIT_JSON_PATH_SIZE || !utf8_check(path))
        return false;
    struct slice rest = {path.ptr + 1, path.len - 1};
    size_t size = 1, steps = 0;
    for (; rest.len > 0 && size > 0 && steps < LIMIT_JSON_DEPTH; steps++) {
        size = step_size(rest);
        rest.ptr += size;
        rest.len -= size;
    }
    return rest.len == 0;
}

/* How far the two are the same, at their starts and then at their ends. */
static void common(struct slice a, struct slice b, size_t *head, size_t *tail)
{
    enum { STEP = 64 };
    size_t most = a.len < b.len ? a.len : b.len, at = 0, back = 0;
    while (most - at >= STEP && memcmp(a.ptr + at, b.ptr + at, STEP) == 0)
        at += STEP;
    while (at < most && a.ptr[at] == b.ptr[at])
        at++;
    while (most - at - back >= STEP &&
           memcmp(a.ptr + a.len - back - STEP, b.ptr + b.len - back - STEP, STEP) == 0)
        back += STEP;
    while (back < most - at && a.ptr[a.len - back - 1] == b.ptr[b.len - back - 1])
        back++;
    *head = at;
    *tail = back;
}

struct slice jplace_difference(struct slice old, struct slice new, struct buf *path)
{
    size_t head, tail, index;
    struct jval_entry entry;
    struct slice value = old, by = new;
    common(old, new, &head, &tail);
    const uint8_t *at = old.ptr + head, *end = old.ptr + old.len - tail;
    buf_append_byte(path, '$');
    while (jval_is_container(value) && entry_around(value, at, end, &entry, &index)) {
        /* What is before the value is the same, so a value begins there too; it is the one in its
         * stead when it ends where what follows does. */
        const uint8_t *start = new.ptr + (entry.value.ptr - old.ptr);
        size_t behind = old.len - (size_t)(entry.value.ptr + entry.value.len - old.ptr);
        const uint8_t *stop = new.ptr + new.len - behind;
        if (stop <= start || jval_at(start, new.ptr + new.len).len != (size_t)(stop - start))
            break;
        put_step(path, &entry, value, index);
        value = entry.value;
        by = (struct slice){start, (size_t)(stop - start)};
    }
    return by;
}
