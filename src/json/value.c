#include "json/value.h"

#include "base/limits.h"
#include "json/numbers.h"

enum jval_kind jval_kind(struct slice value)
{
    CHECK(value.len > 0);
    switch (value.ptr[0]) {
    case 'n':
        return JVAL_NULL;
    case 't':
    case 'f':
        return JVAL_BOOL;
    case '"':
        return JVAL_STRING;
    case '[':
        return JVAL_ARRAY;
    case '{':
        return JVAL_OBJECT;
    default:
        return jnum_is_integer(value) ? JVAL_INTEGER : JVAL_NUMBER;
    }
}

const char *jval_kind_name(enum jval_kind kind)
{
    static const char *const names[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object"};
    CHECK(kind < COUNT_OF(names));
    return names[kind];
}

/* -- where values end -------------------------------------------------------------------------- */

/* Behind the quote that ends a string whose first byte, behind its quote, is at. */
static const uint8_t *string_end(const uint8_t *at, const uint8_t *end)
{
    for (;;) {
        const uint8_t *quote = memchr(at, '"', (size_t)(end - at));
        CHECK(quote != NULL);
        const uint8_t *back = quote;
        while (back > at && back[-1] == '\\')
            back--;
        if ((quote - back) % 2 == 0)
            return quote + 1;
        at = quote + 1;
    }
}

/* What a byte means to somebody who looks for the end of a container. */
static const int8_t turns[256] = {['['] = 1, ['{'] = 1, [']'] = -1, ['}'] = -1, ['"'] = 2};

static const uint8_t *container_end(const uint8_t *at, const uint8_t *end)
{
    int depth = 0;
    while (at < end) {
        int turn = turns[*at++];
        if (LIKELY(turn == 0))
            continue;
        if (turn == 2) {
            at = string_end(at, end);
            continue;
        }
        depth += turn;
        if (depth == 0)
            return at;
    }
    CHECK(false);
    return end;
}

static const uint8_t *scalar_end(const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at != ',' && *at != ']' && *at != '}')
        at++;
    return at;
}

static const uint8_t *value_end(const uint8_t *at, const uint8_t *end)
{
    CHECK(at < end);
    if (*at == '"')
        return string_end(at + 1, end);
    return *at == '[' || *at == '{' ? container_end(at, end) : scalar_end(at, end);
}

struct slice jval_at(const uint8_t *at, const uint8_t *end)
{
    return (struct slice){at, (size_t)(value_end(at, end) - at)};
}

/* -- entries ----------------------------------------------------------------------------------- */

void jval_walk(struct slice value, struct jval_walk *walk)
{
    bool holds = jval_is_container(value);
    *walk = (struct jval_walk){.at = value.ptr + 1,
                               .end = holds ? value.ptr + value.len - 1 : value.ptr + 1,
                               .named = value.ptr[0] == '{'};
}

bool jval_next(struct jval_walk *walk, struct jval_entry *out)
{
    if (walk->at >= walk->end)
        return false;
    const uint8_t *start = walk->at, *at = start;
    out->name = (struct slice){start, 0};
    if (walk->named) {
        at = string_end(start + 1, walk->end);
        out->name = (struct slice){start + 1, (size_t)(at - start) - 2};
        CHECK(*at == ':');
        at++;
    }
    out->value = jval_at(at, walk->end);
    at += out->value.len;
    out->text = (struct slice){start, (size_t)(at - start)};
    walk->at = at + 1;
    return true;
}

size_t jval_count(struct slice value)
{
    struct jval_walk walk;
    struct jval_entry entry;
    size_t count = 0;
    jval_walk(value, &walk);
    while (jval_next(&walk, &entry))
        count++;
    return count;
}

bool jval_member(struct slice value, struct slice name, struct jval_entry *out)
{
    struct jval_walk walk;
    jval_walk(value, &walk);
    if (!walk.named)
        return false;
    while (jval_next(&walk, out))
        if (slice_eq(out->name, name))
            return true;
    return false;
}

bool jval_element(struct slice value, size_t index, struct jval_entry *out)
{
    struct jval_walk walk;
    jval_walk(value, &walk);
    while (!walk.named && jval_next(&walk, out))
        if (index-- == 0)
            return true;
    return false;
}

size_t jval_depth(struct slice value)
{
    size_t depth = 0, most = 0;
    const uint8_t *at = value.ptr, *end = value.ptr + value.len;
    while (at < end) {
        int turn = turns[*at++];
        if (turn == 2)
            at = string_end(at, end);
        else if (turn > 0)
            most = ++depth > most ? depth : most;
        else if (turn < 0)
            depth--;
    }
    return most;
}

/* -- strings ----------------------------------------------------------------------------------- */

void jval_escape(struct slice bytes, struct buf *out)
{
    static const char names[256] = {['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
                                    ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't'};
    size_t plain = 0; /* of bytes that go as they are, those from here on */
    for (size_t i = 0; i < bytes.len; i++) {
        uint8_t c = bytes.ptr[i];
        if (c >= 0x20 && names[c] == 0)
            continue;
        buf_append(out, bytes.ptr + plain, i - plain);
        if (names[c] != 0)
            buf_printf(out, "\\%c", names[c]);
        else
            buf_printf(out, "\\u%04x", c);
        plain = i + 1;
    }
    if (bytes.len > plain)
        buf_append(out, bytes.ptr + plain, bytes.len - plain);
}

static uint8_t hex_digit(uint8_t c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

uint8_t jval_unescape_next(struct slice *inside)
{
    const uint8_t *at = inside->ptr;
    size_t taken = 1;
    uint8_t c = at[0];
    if (c == '\\') {
        static const char plain[] = "bfnrt", meant[] = "\b\f\n\r\t";
        CHECK(inside->len >= 2);
        const char *known = memchr(plain, at[1], sizeof(plain) - 1);
        taken = at[1] == 'u' ? 6 : 2;
        CHECK(inside->len >= taken);
        /* Only control characters are written so. */
        if (at[1] == 'u')
            c = (uint8_t)(hex_digit(at[4]) << 4 | hex_digit(at[5]));
        else
            c = known == NULL ? at[1] : (uint8_t)meant[known - plain];
    }
    inside->ptr += taken;
    inside->len -= taken;
    return c;
}

void jval_unescape(struct slice inside, struct buf *out)
{
    while (inside.len > 0) {
        const uint8_t *escape = memchr(inside.ptr, '\\', inside.len);
        size_t plain = escape == NULL ? inside.len : (size_t)(escape - inside.ptr);
        buf_append(out, inside.ptr, plain);
        inside.ptr += plain;
        inside.len -= plain;
        if (inside.len > 0)
            buf_append_byte(out, jval_unescape_next(&inside));
    }
}

size_t jval_unescaped_size(struct slice inside)
{
    size_t size = 0;
    if (inside.len == 0 || memchr(inside.ptr, '\\', inside.len) == NULL)
        return inside.len;
    for (; inside.len > 0; size++)
        (void)jval_unescape_next(&inside);
    return size;
}

int jval_compare_strings(struct slice a, struct slice b)
{
    while (a.len > 0 && b.len > 0) {
        int x = jval_unescape_next(&a), y = jval_unescape_next(&b);
        if (x != y)
            return x - y;
    }
    return (a.len > 0) - (b.len > 0);
}

/* -- equality ---------------------------------------------------------------------------------- */

/* What is left to compare of two containers. */
struct pair {
    struct jval_walk left, right;
    struct slice object; /* on the right */
};

static bool begin_pair(struct slice a, struct slice b, struct pair *out)
{
    jval_walk(a, &out->left);
    jval_walk(b, &out->right);
    out->object = b;
    return !out->left.named || jval_count(a) == jval_count(b);
}

/* The next entry on the left, and what it is to be equal to; *differs: there is no such thing. */
static bool next_pair(struct pair *p, struct jval_entry *a, struct jval_entry *b, bool *differs)
{
    bool more = jval_next(&p->left, a);
    if (!p->left.named)
        *differs = jval_next(&p->right, b) != more;
    else if (more)
        *differs = !jval_member(p->object, a->name, b);
    return more && !*differs;
}

static bool equal_scalars(struct slice a, struct slice b)
{
    if (slice_eq(a, b))
        return true;
    return jval_kind(a) == JVAL_NUMBER && jval_kind(b) == JVAL_NUMBER &&
           jnum_value(a) == jnum_value(b);
}

bool jval_equal(struct slice a, struct slice b)
{
    struct pair stack[LIMIT_JSON_DEPTH];
    struct jval_entry x = {.value = a}, y = {.value = b};
    size_t depth = 0;
    bool differs = false, more = true;
    if (slice_eq(a, b))
        return true;
    do {
        if (more && (!jval_is_container(x.value) || !jval_is_container(y.value))) {
            if (!equal_scalars(x.value, y.value))
                return false;
        } else if (more) {
            CHECK(depth < LIMIT_JSON_DEPTH);
            if (x.value.ptr[0] != y.value.ptr[0] || !begin_pair(x.value, y.value, &stack[depth++]))
                return false;
        }
        if (depth == 0)
            return true;
        more = next_pair(&stack[depth - 1], &x, &y, &differs);
        if (differs)
            return false;
        depth -= !more;
    } while (depth > 0 || more);
    return true;
}
