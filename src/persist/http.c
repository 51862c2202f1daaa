#include "persist/http.h"

const char *http_method_word(enum http_method method)
{
    static const char *const words[] = {
#define X(name, word) [name] = (word),
        HTTP_METHOD_LIST(X)
#undef X
    };
    CHECK(method < HTTP_METHOD_COUNT);
    return words[method];
}

void http_response_init(struct http_response *r, enum mem_tag tag)
{
    *r = (struct http_response){.headers = BUF_INIT(tag), .body = BUF_INIT(tag)};
}

void http_response_fini(struct http_response *r)
{
    buf_fini(&r->headers);
    buf_fini(&r->body);
}

void http_response_clear(struct http_response *r)
{
    r->status = 0;
    buf_clear(&r->headers, SIZE_MAX);
    buf_clear(&r->body, SIZE_MAX);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.ptr[0]))
        s = (struct slice){s.ptr + 1, s.len - 1};
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

bool http_response_header(const struct http_response *r, const char *name, struct slice *value)
{
    bool found = false;
    struct slice left = buf_slice(&r->headers);
    while (left.len > 0) {
        const uint8_t *end = memchr(left.ptr, '\n', left.len);
        size_t line_len = end == NULL ? left.len : (size_t)(end - left.ptr);
        const uint8_t *colon = memchr(left.ptr, ':', line_len);
        if (colon != NULL) {
            struct slice field = {left.ptr, (size_t)(colon - left.ptr)};
            if (slice_eq_nocase(trim(field), name)) {
                *value = trim((struct slice){colon + 1, line_len - field.len - 1});
                found = true;
            }
        }
        size_t taken = end == NULL ? line_len : line_len + 1;
        left = (struct slice){left.ptr + taken, left.len - taken};
    }
    return found;
}
