/* http.h: one HTTP exchange at a time, as a struct of operations, and the time it happens in.
 *
 * http_curl.c is the real thing and the only file that includes curl headers; tests put a transport
 * of their own underneath, with every failure and with a clock that they wind themselves. What is
 * above - requests, signatures, judging answers, trying again - knows nothing of networks.
 *
 * Threads: one at a time. */
#ifndef VDB_PERSIST_HTTP_H
#define VDB_PERSIST_HTTP_H

#include <stdatomic.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/io.h"

#define HTTP_METHOD_LIST(X)                                                                        \
    X(HTTP_GET, "GET")                                                                             \
    X(HTTP_HEAD, "HEAD")                                                                           \
    X(HTTP_PUT, "PUT")                                                                             \
    X(HTTP_POST, "POST")                                                                           \
    X(HTTP_DELETE, "DELETE")

enum http_method {
#define X(method, word) method,
    HTTP_METHOD_LIST(X)
#undef X
        HTTP_METHOD_COUNT
};

const char *http_method_word(enum http_method method);

enum { HTTP_URL_MAX = 4096, HTTP_HEADERS_SIZE_MAX = 64 << 10 };

/* owner: the caller of perform */
struct http_request {
    enum http_method method;
    const char *url;
    struct slice headers; /* "name: value\n" lines, without Host and Content-Length */
    struct slice body;
    size_t response_max; /* bytes of a body that are taken; more is ERR_LIMIT */
    uint32_t connect_timeout_ms;
    uint32_t idle_timeout_ms;  /* so long below a trickle of bytes ends the exchange */
    uint32_t total_timeout_ms; /* and so long in all */
    bool direct;               /* past any proxy of the environment */
};

/* owner: the caller; http_response_init before the first exchange, it may be used again */
struct http_response {
    int status;         /* 100 .. 599 */
    struct buf headers; /* as "name: value\n" lines; of the last answer, without the status line */
    struct buf body;
};

struct http_transport;

struct http_transport_ops {
    /* OK: a whole answer came, whatever its status. ERR_IO: none, or not all of it; whether the
     * server did what was asked is then unknown. ERR_LIMIT, ERR_CANCELLED. why says what a person
     * can act on and never what a header holds. */
    MUST_USE enum err (*perform)(struct http_transport *t, const struct http_request *request,
                                 struct http_response *response, struct why *why);
    /* Lets time pass; ERR_CANCELLED when the owner wants to end. */
    MUST_USE enum err (*wait)(struct http_transport *t, uint32_t ms);
    uint64_t (*wall_ms)(struct http_transport *t); /* Unix time */
    void (*free)(struct http_transport *t);
};

struct http_transport {
    const struct http_transport_ops *ops;
};

void http_response_init(struct http_response *r, enum mem_tag tag);
void http_response_fini(struct http_response *r);
void http_response_clear(struct http_response *r);

/* The value of the header, without blanks around it; the last of several. False when there is none.
 */
bool http_response_header(const struct http_response *r, const char *name, struct slice *value);

/* Over libcurl, for http and https; io for its clock. ca_file "": the certificates of the system.
 * cancel may be NULL. */
MUST_USE enum err http_curl_new(struct io *io, const char *ca_file, const atomic_bool *cancel,
                                struct http_transport **out, struct why *why);

#endif
