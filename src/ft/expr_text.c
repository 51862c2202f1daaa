#include <ctype.h>

#include "ft/expr_program.h"

enum err expr_text(const struct expr_call *call, size_t at, struct slice *out)
{
    if (call->args[at].kind != VALUE_TEXT)
        return why_set(call->why, ERR_ARG,
                       "Invalid type for argument %zu in function '%s'. Expected string", at,
                       call->name);
    *out = value_slice(&call->args[at]);
    return OK;
}

static enum err number(const struct expr_call *call, size_t at, double *out)
{
    if (call->args[at].kind != VALUE_NUMBER)
        return why_set(call->why, ERR_ARG,
                       "Invalid type for argument %zu in function '%s'. Expected number", at,
                       call->name);
    *out = call->args[at].number;
    return OK;
}

/* -- one text from one ------------------------------------------------------------------------- */

/* Of what is no text: NULL. */
static enum err folded(const struct expr_call *call, struct value *out, int (*fn)(int))
{
    if (call->args[0].kind != VALUE_TEXT)
        return OK;
    struct slice s = value_slice(&call->args[0]);
    uint8_t *copy = arena_alloc(call->arena, s.len);
    for (size_t i = 0; i < s.len && copy != NULL; i++)
        copy[i] = s.ptr[i] < 0x80 ? (uint8_t)fn(s.ptr[i]) : s.ptr[i];
    if (copy != NULL)
        *out = value_of((struct slice){copy, s.len});
    return arena_error(call->arena, call->why);
}

enum err expr_lower(const struct expr_call *call, struct value *out)
{
    return folded(call, out, tolower);
}

enum err expr_upper(const struct expr_call *call, struct value *out)
{
    return folded(call, out, toupper);
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x; /* of no number: low */
}

/* substr(text, offset, count): counted from the end when negative. */
enum err expr_substr(const struct expr_call *call, struct value *out)
{
    struct slice s = {0};
    double offset = 0, count = 0;
    enum err e = number(call, 1, &offset);
    if (e == OK)
        e = number(call, 2, &count);
    if (e == OK)
        e = expr_text(call, 0, &s);
    if (e != OK)
        return e;
    double length = (double)s.len;
    size_t from = (size_t)clamp(offset < 0 ? length + offset : offset, 0, length);
    double left = (double)(s.len - from);
    size_t size = (size_t)clamp(count < 0 ? left + count : count, 0, left);
    *out = value_of((struct slice){s.ptr + from, size});
    return OK;
}

enum err expr_to_number(const struct expr_call *call, struct value *out)
{
    char room[VALUE_TEXT_MAX];
    double x;
    if (!value_to_number(&call->args[0], &x)) {
        struct slice s = value_to_text(&call->args[0], room);
        return why_set(call->why, ERR_ARG, "to_number: cannot convert string '%.*s'",
                       (int)(s.len < 64 ? s.len : 64), (const char *)s.ptr);
    }
    *out = value_number(x);
    return OK;
}

enum err expr_to_str(const struct expr_call *call, struct value *out)
{
    char room[VALUE_TEXT_MAX];
    *out = value_text(call->arena, value_to_text(&call->args[0], room));
    return arena_error(call->arena, call->why);
}

/* -- format ------------------------------------------------------------------------------------ */

static void put_arg(struct buf *text, const struct value *v)
{
    char room[VALUE_TEXT_MAX];
    if (v->kind == VALUE_NULL)
        buf_append_text(text, "(null)");
    else
        buf_append_slice(text, value_to_text(v, room));
}

static enum err put_formatted(const struct expr_call *call, struct slice shape, struct buf *text)
{
    size_t next = 1;
    for (size_t i = 0; i < shape.len; i++) {
        if (shape.ptr[i] != '%') {
            buf_append_byte(text, shape.ptr[i]);
            continue;
        }
        if (++i == shape.len)
            return why_set(call->why, ERR_ARG, "Bad format string!");
        if (shape.ptr[i] == '%') {
            buf_append_byte(text, '%');
            continue;
        }
        if (next == call->count)
            return why_set(call->why, ERR_ARG, "Not enough arguments for format");
        if (shape.ptr[i] != 's')
            return why_set(call->why, ERR_ARG, "Unknown format specifier passed");
        put_arg(text, &call->args[next++]);
    }
    return OK;
}

enum err expr_format(const struct expr_call *call, struct value *out)
{
    struct slice shape = {0};
    enum err e = expr_text(call, 0, &shape);
    if (e != OK)
        return e;
    struct buf text = BUF_INIT(MEM_SCRATCH);
    e = put_formatted(call, shape, &text);
    if (e == OK && buf_failed(&text))
        e = ERR_NOMEM;
    if (e == OK)
        *out = value_text(call->arena, buf_slice(&text));
    buf_fini(&text);
    return e == OK ? arena_error(call->arena, call->why) : e;
}

/* -- split ------------------------------------------------------------------------------------- */

static bool among(struct slice set, uint8_t c)
{
    return set.len > 0 && memchr(set.ptr, c, set.len) != NULL;
}

static struct slice stripped(struct slice s, struct slice set)
{
    while (s.len > 0 && among(set, s.ptr[0]))
        s = (struct slice){s.ptr + 1, s.len - 1};
    while (s.len > 0 && among(set, s.ptr[s.len - 1]))
        s.len--;
    return s;
}

/* The parts that are not empty; into items, or only how many (NULL). */
static size_t parts(struct slice s, struct slice separators, struct slice strip,
                    struct value *items)
{
    enum { PARTS_MAX = 1024 };
    size_t count = 0;
    for (size_t at = 0; at < s.len && count < PARTS_MAX;) {
        size_t end = at;
        while (end < s.len && !among(separators, s.ptr[end]))
            end++;
        struct slice part = stripped((struct slice){s.ptr + at, end - at}, strip);
        at = end + 1;
        if (part.len == 0)
            continue;
        if (items != NULL)
            items[count] = value_of(part);
        count++;
    }
    return count;
}

/* split(text[, separators[, strip]]) */
enum err expr_split(const struct expr_call *call, struct value *out)
{
    struct slice s = {0}, separators = slice_of(","), strip = slice_of(" ");
    enum err e = expr_text(call, 0, &s);
    if (e == OK && call->count > 1)
        e = expr_text(call, 1, &separators);
    if (e == OK && call->count > 2)
        e = expr_text(call, 2, &strip);
    if (e != OK)
        return e;
    size_t count = parts(s, separators, strip, NULL);
    struct value *items = arena_alloc(call->arena, count * sizeof(*items));
    if (items != NULL) {
        (void)parts(s, separators, strip, items);
        *out = (struct value){.kind = VALUE_LIST, .size = (uint32_t)count, .items = items};
    }
    return arena_error(call->arena, call->why);
}

/* -- questions --------------------------------------------------------------------------------- */

enum err expr_exists(const struct expr_call *call, struct value *out)
{
    enum value_kind kind = call->args[0].kind;
    *out = value_number(kind != VALUE_NONE && kind != VALUE_NULL);
    return OK;
}

static enum err two_texts(const struct expr_call *call, struct slice *a, struct slice *b)
{
    enum err e = expr_text(call, 0, a);
    return e == OK ? expr_text(call, 1, b) : e;
}

enum err expr_startswith(const struct expr_call *call, struct value *out)
{
    struct slice s = {0}, prefix = {0};
    enum err e = two_texts(call, &s, &prefix);
    if (e == OK)
        *out = value_number(prefix.len <= s.len &&
                            (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0));
    return e;
}

/* How often, at any places; the empty text is before each byte and at the end. */
enum err expr_contains(const struct expr_call *call, struct value *out)
{
    struct slice s = {0}, part = {0};
    size_t count = 0;
    enum err e = two_texts(call, &s, &part);
    if (e != OK)
        return e;
    const uint8_t *at = s.ptr, *end = s.ptr + s.len;
    while (part.len > 0 && (at = memmem(at, (size_t)(end - at), part.ptr, part.len)) != NULL) {
        count++;
        at++;
    }
    *out = value_number((double)(part.len > 0 ? count : s.len + 1));
    return OK;
}

enum err expr_strlen(const struct expr_call *call, struct value *out)
{
    struct slice s = {0};
    enum err e = expr_text(call, 0, &s);
    if (e == OK)
        *out = value_number((double)s.len);
    return e;
}
