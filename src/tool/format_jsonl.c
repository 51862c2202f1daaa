/* format_jsonl.c: one JSON object a line. Numbers and nested values of attributes are handed on as
 * they are written, so that no digit is lost. */
#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "tool/base64.h"
#include "tool/format_own.h"
#include "tool/json_cursor.h"

enum { READ_SIZE = 256 * 1024, LINE_MAX_SIZE = 64 << 20 };

static enum err broken(const struct source *s, const struct json_cursor *j, const uint8_t *line,
                       struct why *why)
{
    return why_set(why, ERR_CORRUPT, "%.120s:%llu: column %zu: %s", s->path,
                   (unsigned long long)s->line_number, (size_t)(j->at - line) + 1, j->problem);
}

/* The next line that is not blank; len 0 at the end of the file. */
static enum err next_line(struct source *s, struct slice *line, struct why *why)
{
    CHECK(s->line_end <= s->lines.len);
    size_t searched = 0;
    buf_consume(&s->lines, s->line_end);
    s->line_end = 0;
    s->line_number++;
    for (;;) {
        const uint8_t *end = s->lines.len == searched
                                 ? NULL
                                 : memchr(s->lines.ptr + searched, '\n', s->lines.len - searched);
        if (end != NULL) {
            *line = (struct slice){s->lines.ptr, (size_t)(end - s->lines.ptr)};
            s->line_end = line->len + 1;
            return OK;
        }
        searched = s->lines.len;
        uint8_t *to = buf_reserve(&s->lines, READ_SIZE);
        if (to == NULL || searched > LINE_MAX_SIZE)
            return why_set(why, ERR_LIMIT, "%.150s:%llu: a line of more than %d bytes", s->path,
                           (unsigned long long)s->line_number, LINE_MAX_SIZE);
        size_t got = source_take_some(s, to, READ_SIZE);
        buf_advance(&s->lines, got);
        if (got > 0)
            continue;
        if (ferror(s->file) != 0)
            return why_set(why, ERR_IO, "%.150s: %s", s->path, strerror(errno));
        *line = buf_slice(&s->lines);
        s->line_end = line->len;
        return OK;
    }
}

/* Reads the array at j into s->vector. The first one of the file says how long all are. */
static bool read_vector(struct source *s, struct json_cursor *j)
{
    struct buf first = BUF_INIT(MEM_SERVER);
    size_t count = 0;
    bool ok = json_cursor_expect(j, '[', "\"vector\" must be a list of numbers");
    for (; ok; count++) {
        struct slice number;
        double value = 0;
        if (count > 0 && json_cursor_peek(j) == ']')
            break;
        ok = (count == 0 || json_cursor_expect(j, ',', "',' or ']' was expected")) &&
             json_cursor_number(j, &number);
        if (!ok)
            break;
        float narrow = slice_to_f64(number, &value) ? (float)value : 0;
        if (s->dim == 0)
            buf_append(&first, &narrow, sizeof(narrow));
        else if (count < s->dim)
            s->vector[count] = narrow;
    }
    ok = ok && json_cursor_expect(j, ']', "']' was expected");
    if (ok && s->dim == 0 && count <= LIMIT_DIM && source_set_dim(s, count, NULL) == OK)
        memcpy(s->vector, first.ptr, count * sizeof(float));
    buf_fini(&first);
    if (ok && s->dim != count) {
        j->problem = s->dim == 0 ? "more dimensions than a collection can hold"
                                 : "not as many numbers as in the first vector";
        return false;
    }
    return ok;
}

static bool read_id(struct source *s, struct json_cursor *j)
{
    struct slice raw;
    buf_clear(&s->id, READ_SIZE); /* the last of several counts, as in most readers */
    if (json_cursor_peek(j) == '"') {
        if (!json_cursor_string(j, &raw))
            return false;
        json_cursor_unescape(raw, &s->id);
        return true;
    }
    if (!json_cursor_number(j, &raw)) {
        j->problem = "\"id\" must be text or a number";
        return false;
    }
    buf_append_slice(&s->id, raw);
    return true;
}

/* Adds members, "a":1,"b":2, to the attributes. */
static void add_members(struct source *s, struct slice members)
{
    if (members.len == 0)
        return;
    buf_append_byte(&s->attributes, s->attributes.len == 0 ? '{' : ',');
    buf_append_slice(&s->attributes, members);
}

static bool read_attributes(struct source *s, struct json_cursor *j)
{
    struct slice raw;
    if (json_cursor_peek(j) != '{') {
        j->problem = "\"attributes\" must be an object";
        return false;
    }
    if (!json_cursor_value(j, &raw))
        return false;
    struct json_cursor inside;
    CHECK(raw.len >= 2);
    json_cursor_init(&inside, (struct slice){raw.ptr + 1, raw.len - 2});
    (void)json_cursor_peek(&inside); /* an object of blanks only has no members */
    add_members(s, (struct slice){inside.at, (size_t)(inside.end - inside.at)});
    return true;
}

/* A string that is base64, into out. */
static bool read_base64(struct json_cursor *j, struct buf *out, const char *problem)
{
    struct slice raw;
    buf_clear(out, READ_SIZE);
    if (!json_cursor_string(j, &raw))
        return false;
    CHECK(raw.len >= 2);
    if (base64_decode((struct slice){raw.ptr + 1, raw.len - 2}, out))
        return true;
    j->problem = problem;
    return false;
}

static bool read_partition(struct source *s, struct json_cursor *j)
{
    struct slice raw;
    buf_clear(&s->partition, READ_SIZE);
    if (json_cursor_peek(j) != '"') {
        j->problem = "\"partition\" must be text";
        return false;
    }
    if (!json_cursor_string(j, &raw))
        return false;
    json_cursor_unescape(raw, &s->partition);
    return true;
}

static bool read_expiry(struct source *s, struct json_cursor *j)
{
    struct slice raw;
    int64_t ms = 0;
    if (json_cursor_number(j, &raw) && slice_to_i64(raw, &ms) && ms > 0) {
        s->expire_ms = (uint64_t)ms;
        return true;
    }
    j->problem = "\"expires_at_ms\" must be a Unix time in milliseconds";
    return false;
}

/* One member of the line's object. */
static bool read_member(struct source *s, struct json_cursor *j, bool *has_vector)
{
    struct slice key, value;
    if (!json_cursor_string(j, &key) || !json_cursor_expect(j, ':', "':' was expected"))
        return false;
    if (slice_eq(key, slice_of("\"vector\""))) {
        *has_vector = true;
        return read_vector(s, j);
    }
    bool text_id = slice_eq(key, slice_of("\"id\"")),
         bytes_id = slice_eq(key, slice_of("\"id64\""));
    s->has_id |= text_id || bytes_id;
    if (text_id)
        return read_id(s, j);
    if (slice_eq(key, slice_of("\"attributes\"")))
        return read_attributes(s, j);
    if (bytes_id)
        return read_base64(j, &s->id, "\"id64\" is no base64");
    if (slice_eq(key, slice_of("\"attributes64\"")))
        return read_base64(j, &s->raw_attributes, "\"attributes64\" is no base64");
    if (slice_eq(key, slice_of("\"expires_at_ms\"")))
        return read_expiry(s, j);
    if (slice_eq(key, slice_of("\"partition\"")))
        return read_partition(s, j);
    if (!json_cursor_value(j, &value))
        return false;
    add_members(s, (struct slice){key.ptr, (size_t)(value.ptr + value.len - key.ptr)});
    return true;
}

static enum err read_line(struct source *s, struct slice line, struct row *row, struct why *why)
{
    struct json_cursor j;
    bool has_vector = false;
    json_cursor_init(&j, line);
    buf_clear(&s->id, READ_SIZE);
    buf_clear(&s->attributes, READ_SIZE);
    buf_clear(&s->raw_attributes, READ_SIZE);
    buf_clear(&s->partition, READ_SIZE);
    s->expire_ms = 0;
    s->has_id = false;
    bool ok = json_cursor_expect(&j, '{', "an object was expected");
    bool more = ok && json_cursor_peek(&j) != '}';
    while (ok && more) {
        ok = read_member(s, &j, &has_vector);
        more = ok && json_cursor_peek(&j) != '}';
        ok = ok && (!more || json_cursor_expect(&j, ',', "',' or '}' was expected"));
    }
    if (!ok || !json_cursor_expect(&j, '}', "'}' was expected") || !json_cursor_at_end(&j))
        return broken(s, &j, line.ptr, why);
    if (!has_vector)
        return why_set(why, ERR_CORRUPT, "%.150s:%llu: the object has no \"vector\"", s->path,
                       (unsigned long long)s->line_number);
    CHECK(s->vector != NULL && s->dim > 0);
    if (s->attributes.len > 0)
        buf_append_byte(&s->attributes, '}');
    struct buf *attributes = s->raw_attributes.len > 0 ? &s->raw_attributes : &s->attributes;
    *row = (struct row){.vector = s->vector,
                        .id = buf_slice(&s->id),
                        .has_id = s->has_id,
                        .attributes = buf_slice(attributes),
                        .expire_ms = s->expire_ms,
                        .partition = buf_slice(&s->partition)};
    return OK;
}

static bool is_blank(struct slice line)
{
    struct json_cursor j;
    json_cursor_init(&j, line);
    return json_cursor_at_end(&j);
}

/* Says what is wrong with a line; false: that was one too many. */
static bool pass_over(struct source *s, const struct why *why)
{
    struct bad_lines *bad = s->bad;
    if (bad == NULL || bad->count == bad->most)
        return false;
    if (bad->count++ >= bad->shown_from)
        (void)fprintf(bad->messages, "passed over: %s\n", why->text);
    return true;
}

static enum err read_row(struct source *s, struct row *row, struct why *why)
{
    for (;;) {
        struct slice line;
        enum err e = next_line(s, &line, why);
        if (e != OK || s->line_end == 0)
            return e;
        if (is_blank(line))
            continue;
        e = read_line(s, line, row, why);
        if (e == OK || !pass_over(s, why))
            return e;
    }
}

static enum err jsonl_open(struct source *s, struct why *why)
{
    enum err e = read_row(s, &s->first, why);
    if (e == OK && s->first.vector == NULL)
        return why_set(why, ERR_CORRUPT, "%.150s: holds no line", s->path);
    return e;
}

static enum err jsonl_next(struct source *s, struct row *row, struct why *why)
{
    if (s->first.vector == NULL)
        return read_row(s, row, why);
    *row = s->first;
    s->first.vector = NULL;
    return OK;
}

const struct source_ops jsonl_ops = {jsonl_open, jsonl_next};
