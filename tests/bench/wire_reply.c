/* wire_reply.c: one pass over the bytes; a count of members still to come stands for the nesting.
 */
#include "bench/wire_reply.h"

#include <string.h>

#include "base/slice.h"
#include "bench/data.h"

static int64_t number_in(const uint8_t *from, const uint8_t *to)
{
    int64_t value;
    if (!slice_to_i64((struct slice){from, (size_t)(to - from)}, &value))
        die("the server sent a length that is no number");
    return value;
}

static void keep_id(struct wire_reply *out, const uint8_t *from, size_t len)
{
    int64_t id;
    if (out->id_count >= out->ids_capacity || len < out->prefix.len)
        return;
    if (out->prefix.len > 0 && memcmp(from, out->prefix.ptr, out->prefix.len) != 0)
        return;
    from += out->prefix.len;
    len -= out->prefix.len;
    if (slice_to_i64((struct slice){from, len}, &id) && id >= INT32_MIN && id <= INT32_MAX)
        out->ids[out->id_count++] = (int32_t)id;
}

bool wire_reply_scan(const uint8_t *bytes, size_t len, struct wire_reply *out)
{
    const uint8_t *at = bytes, *end = bytes + len;
    out->is_error = false;
    out->id_count = 0;
    for (int64_t members = 1; members > 0; members--) {
        const uint8_t *stop = at == end ? NULL : memchr(at, '\n', (size_t)(end - at));
        if (stop == NULL || stop - at < 2)
            return false;
        const uint8_t type = *at++;
        const uint8_t *text_end = stop - 1; /* before CR LF */
        if (type == '*') {
            int64_t count = number_in(at, text_end);
            members += count > 0 ? count : 0;
        } else if (type == '-') {
            out->is_error = true;
            out->error = at;
            out->error_len = (size_t)(text_end - at);
        } else if (type == '$') {
            int64_t size = number_in(at, text_end);
            if (size >= 0) {
                if (end - (stop + 1) < size + 2)
                    return false;
                keep_id(out, stop + 1, (size_t)size);
                stop += size + 2;
            }
        } else if (type != '+' && type != ':') {
            die("the server sent a reply of type '%c'", type);
        }
        at = stop + 1;
    }
    out->size = (size_t)(at - bytes);
    return true;
}
