#include "robust/reply_shape.h"

enum { MEMBERS_MAX = 1 << 24 };

/* A line without its end, off the front. */
static enum shape take_line(struct slice *left, struct slice *line)
{
    const uint8_t *end = left->len < 2 ? NULL : memmem(left->ptr, left->len, "\r\n", 2);
    if (end == NULL)
        return SHAPE_MORE;
    *line = (struct slice){left->ptr, (size_t)(end - left->ptr)};
    *left = (struct slice){end + 2, left->len - line->len - 2};
    return line->len > 0 ? SHAPE_WHOLE : SHAPE_BAD;
}

static enum shape take_bytes(struct slice *left, int64_t size)
{
    if (left->len < (size_t)size + 2)
        return SHAPE_MORE;
    bool ended = memcmp(left->ptr + size, "\r\n", 2) == 0;
    *left = (struct slice){left->ptr + size + 2, left->len - (size_t)size - 2};
    return ended ? SHAPE_WHOLE : SHAPE_BAD;
}

static enum shape good_if(bool good)
{
    return good ? SHAPE_WHOLE : SHAPE_BAD;
}

/* A line that is all of its value. */
static enum shape scalar(uint8_t type, struct slice rest)
{
    int64_t integer;
    double number;
    switch (type) {
    case '+':
    case '-':
        return good_if(memchr(rest.ptr, '\n', rest.len) == NULL &&
                       memchr(rest.ptr, '\r', rest.len) == NULL);
    case ':':
        return good_if(slice_to_i64(rest, &integer));
    case '_':
        return good_if(rest.len == 0);
    case '#':
        return good_if(rest.len == 1 && (rest.ptr[0] == 't' || rest.ptr[0] == 'f'));
    case ',':
        return good_if(slice_to_f64(rest, &number));
    default:
        return SHAPE_BAD;
    }
}

/* One value without its members; *more gets how many of these follow. */
static enum shape take_value(struct slice *left, int proto, size_t *more)
{
    struct slice line;
    int64_t count;
    enum shape shape = take_line(left, &line);
    if (shape != SHAPE_WHOLE)
        return shape;
    uint8_t type = line.ptr[0];
    struct slice rest = {line.ptr + 1, line.len - 1};
    *more = 0;
    if (strchr(proto == 3 ? "+-:_#,$=*%~>" : "+-:$*", type) == NULL)
        return SHAPE_BAD;
    if (strchr("$=*%~>", type) == NULL)
        return scalar(type, rest);
    if (!slice_to_i64(rest, &count) || count > MEMBERS_MAX * INT64_C(64) || count < -1)
        return SHAPE_BAD;
    if (count == -1)
        return good_if(proto == 2 && (type == '$' || type == '*'));
    if (type == '$' || type == '=')
        return take_bytes(left, count);
    *more = (size_t)count << (type == '%');
    return good_if(*more <= MEMBERS_MAX);
}

enum shape reply_shape(struct slice bytes, int proto, size_t *size)
{
    struct slice left = bytes;
    size_t wanted = 1, more;
    for (; wanted > 0; wanted += more - 1) {
        enum shape shape = take_value(&left, proto, &more);
        if (shape != SHAPE_WHOLE)
            return shape;
    }
    *size = bytes.len - left.len;
    return SHAPE_WHOLE;
}
