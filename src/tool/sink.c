#include "tool/sink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "tool/base64.h"
#include "tool/json_cursor.h"

enum { PATH_MAX_SIZE = 4096, NUMBER_MAX = 32, LINE_KEEP_SIZE = 1 << 20 };

/* -- files ------------------------------------------------------------------------------------- */

static bool is_stdout(const char *path)
{
    return strcmp(path, "-") == 0;
}

static enum err part_path(const char *path, char out[PATH_MAX_SIZE], struct why *why)
{
    int size = snprintf(out, PATH_MAX_SIZE, "%s.part", path);
    if (size >= PATH_MAX_SIZE)
        return why_set(why, ERR_ARG, "%.100s..: the name is too long", path);
    return OK;
}

static enum err open_part(const char *path, FILE **out, struct why *why)
{
    char part[PATH_MAX_SIZE];
    *out = NULL;
    if (path == NULL || is_stdout(path)) {
        *out = path == NULL ? NULL : stdout;
        return OK;
    }
    enum err e = part_path(path, part, why);
    if (e != OK)
        return e;
    *out = fopen(part, "wb");
    return *out == NULL ? why_set(why, ERR_IO, "%.150s: %s", part, strerror(errno)) : OK;
}

static enum err say_unwritten(const char *path, struct why *why)
{
    return why_set(why, ERR_IO, "%.150s: %s", path, strerror(errno));
}

static enum err finish_part(const char *path, FILE **file, struct why *why)
{
    char part[PATH_MAX_SIZE];
    FILE *f = *file;
    if (f == NULL)
        return OK;
    *file = NULL;
    if (is_stdout(path))
        return fflush(f) == 0 ? OK : say_unwritten(path, why);
    bool bad = ferror(f) != 0;
    if (fclose(f) != 0 || bad)
        return say_unwritten(path, why);
    enum err e = part_path(path, part, why);
    if (e == OK && rename(part, path) != 0)
        e = say_unwritten(path, why);
    return e;
}

static void drop_part(const char *path, FILE **file)
{
    char part[PATH_MAX_SIZE];
    if (*file == NULL || is_stdout(path))
        return;
    (void)fclose(*file);
    *file = NULL;
    if (part_path(path, part, NULL) == OK)
        (void)remove(part);
}

/* count, dimensions: the count is known at the end only. */
static enum err write_fbin_header(struct sink *s, struct why *why)
{
    if (s->count > UINT32_MAX)
        return why_set(why, ERR_LIMIT, "%.150s: fbin holds at most %u vectors", s->path,
                       UINT32_MAX);
    uint32_t header[2] = {(uint32_t)s->count, s->dim};
    if (fseek(s->file, 0, SEEK_SET) != 0 || fwrite(header, sizeof(header), 1, s->file) != 1)
        return say_unwritten(s->path, why);
    return OK;
}

enum err sink_open(struct sink *s, const char *path, enum format format, uint32_t dim,
                   const char *ids_path, const char *attrs_path, struct why *why)
{
    *s = (struct sink){.path = path,
                       .ids_path = ids_path,
                       .attrs_path = attrs_path,
                       .format = format,
                       .dim = dim,
                       .line = BUF_INIT(MEM_SERVER)};
    CHECK(format == FORMAT_JSONL || format == FORMAT_FBIN);
    enum err e = open_part(path, &s->file, why);
    if (e == OK)
        e = open_part(ids_path, &s->ids, why);
    if (e == OK)
        e = open_part(attrs_path, &s->attrs, why);
    if (e == OK && format == FORMAT_FBIN)
        e = write_fbin_header(s, why);
    if (e != OK)
        sink_close(s);
    return e;
}

enum err sink_finish(struct sink *s, struct why *why)
{
    enum err e = s->format == FORMAT_FBIN ? write_fbin_header(s, why) : OK;
    if (e == OK)
        e = finish_part(s->ids_path, &s->ids, why);
    if (e == OK)
        e = finish_part(s->attrs_path, &s->attrs, why);
    /* The vectors last: where they are, everything is. */
    return e == OK ? finish_part(s->path, &s->file, why) : e;
}

void sink_close(struct sink *s)
{
    drop_part(s->path, &s->file);
    drop_part(s->ids_path, &s->ids);
    drop_part(s->attrs_path, &s->attrs);
    buf_fini(&s->line);
}

/* -- rows -------------------------------------------------------------------------------------- */

/* How long the character is that begins here; 0: it is no UTF-8 (RFC 3629). */
static size_t utf8_size(const uint8_t *at, size_t left)
{
    uint8_t c = at[0];
    size_t size = c < 0x80                ? 1
                  : c >= 0xc2 && c < 0xe0 ? 2
                  : c >= 0xe0 && c < 0xf0 ? 3
                  : c >= 0xf0 && c < 0xf5 ? 4
                                          : 0;
    if (size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (c == 0xe0 && at[1] < 0xa0) || (c == 0xf0 && at[1] < 0x90);
    bool surrogate = c == 0xed && at[1] >= 0xa0, beyond = c == 0xf4 && at[1] >= 0x90;
    return overlong || surrogate || beyond ? 0 : size;
}

static bool is_utf8(struct slice text)
{
    size_t at = 0, size = 1;
    for (; at < text.len && size > 0; at += size)
        size = utf8_size(text.ptr + at, text.len - at);
    return size > 0;
}

static void put_base64(struct buf *out, const char *name, struct slice bytes)
{
    buf_printf(out, "\"%s\":\"", name);
    base64_encode(bytes, out);
    buf_append_byte(out, '"');
}

/* A string of JSON; start goes as far as its first quotation mark. */
static void put_text(struct buf *out, const char *start, struct slice text)
{
    buf_append_text(out, start);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.ptr[i];
        if (c < 0x20 || c == 0x7f)
            buf_printf(out, "\\u%04x", c);
        else if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else
            buf_append_byte(out, c);
    }
    buf_append_byte(out, '"');
}

static void put_id(struct buf *out, struct slice id)
{
    if (is_utf8(id))
        put_text(out, "\"id\":\"", id);
    else
        put_base64(out, "id64", id);
}

/* Digits that read back as the same float: 9 always do, 8 mostly; %g leaves out zeros at the end.
 */
static void put_float(struct buf *out, float value)
{
    char text[NUMBER_MAX];
    for (int digits = 8; digits <= 9; digits++) {
        (void)snprintf(text, sizeof(text), "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    buf_append_text(out, text);
}

/* Would import make the same bytes of it? It joins the members again that stand between braces. */
static bool is_plain_object(struct slice text)
{
    struct json_cursor j;
    struct slice value;
    json_cursor_init(&j, text);
    if (text.len < 3 || text.ptr[0] != '{' || text.ptr[1] != '"' || !is_utf8(text))
        return false;
    return memchr(text.ptr, '\n', text.len) == NULL && memchr(text.ptr, '\r', text.len) == NULL &&
           json_cursor_value(&j, &value) && value.len == text.len;
}

static void put_line(struct sink *s, const struct row *row)
{
    struct buf *out = &s->line;
    buf_clear(out, LINE_KEEP_SIZE);
    buf_append_byte(out, '{');
    put_id(out, row->id);
    buf_append_text(out, ",\"vector\":[");
    for (uint32_t i = 0; i < s->dim; i++) {
        if (i > 0)
            buf_append_byte(out, ',');
        put_float(out, row->vector[i]);
    }
    buf_append_byte(out, ']');
    if (is_plain_object(row->attributes)) {
        buf_append_text(out, ",\"attributes\":");
        buf_append_slice(out, row->attributes);
    } else if (row->attributes.len > 0) {
        buf_append_byte(out, ',');
        put_base64(out, "attributes64", row->attributes);
    }
    if (row->partition.len > 0)
        put_text(out, ",\"partition\":\"", row->partition);
    if (row->expire_ms > 0)
        buf_printf(out, ",\"expires_at_ms\":%llu", (unsigned long long)row->expire_ms);
    buf_append_text(out, "}\n");
}

static enum err write_bytes(FILE *file, const char *path, struct slice bytes, struct why *why)
{
    if (bytes.len > 0 && fwrite(bytes.ptr, bytes.len, 1, file) != 1)
        return say_unwritten(path, why);
    return OK;
}

static enum err write_as_line(FILE *file, const char *path, struct slice text, struct why *why)
{
    if (file == NULL)
        return OK;
    bool ends = text.len > 0 && text.ptr[text.len - 1] == '\r';
    if (ends || (text.len > 0 && memchr(text.ptr, '\n', text.len) != NULL))
        return why_set(why, ERR_ARG, "%.150s: '%.*s' holds a line end; use jsonl", path,
                       (int)(text.len < 64 ? text.len : 64), (const char *)text.ptr);
    enum err e = write_bytes(file, path, text, why);
    return e == OK ? write_bytes(file, path, slice_of("\n"), why) : e;
}

enum err sink_add(struct sink *s, const struct row *row, struct why *why)
{
    CHECK(row->vector != NULL);
    struct slice bytes = {(const uint8_t *)row->vector, s->dim * sizeof(float)};
    s->count++;
    if (s->format == FORMAT_JSONL) {
        put_line(s, row);
        if (buf_failed(&s->line))
            return why_set(why, ERR_NOMEM, "no memory for a line");
        return write_bytes(s->file, s->path, buf_slice(&s->line), why);
    }
    enum err e = write_bytes(s->file, s->path, bytes, why);
    if (e == OK)
        e = write_as_line(s->ids, s->ids_path, row->id, why);
    return e == OK ? write_as_line(s->attrs, s->attrs_path, row->attributes, why) : e;
}
