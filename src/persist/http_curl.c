/* http_curl.c: HTTP over libcurl. One easy handle, so that connections are kept between exchanges.
 *
 * Whoever is above signs and judges; here are only bytes. So redirects are not followed (a
 * signature is of one host), nothing is uncompressed, and what is written to why is curl's own
 * short text, never a header: those hold signatures. */
#include <curl/curl.h>

#include "base/thread.h"
#include "persist/http.h"

enum {
    TRICKLE_BYTES_PER_S = 1024, /* less than this for idle_timeout_ms is as good as nothing */
    WAIT_STEP_MS = 50,          /* how late a wait sees that it is cancelled */
    CA_FILE_SIZE_MAX = 1024
};

/* owner: whoever made it */
struct curl_transport {
    struct http_transport base; /* first */
    struct io *io;              /* the clock */
    CURL *curl;
    const atomic_bool *cancel;
    char ca_file[CA_FILE_SIZE_MAX];
    char error[CURL_ERROR_SIZE];
};

/* One exchange, for the callbacks. */
struct exchange {
    const struct http_request *request;
    struct http_response *response;
    size_t sent;        /* bytes of the body */
    bool headers_ended; /* the empty line behind them has come */
    bool over_limit;
};

static struct curl_transport *curl_of(struct http_transport *t)
{
    return (struct curl_transport *)t;
}

static bool cancelled(const struct curl_transport *c)
{
    return c->cancel != NULL && atomic_load_explicit(c->cancel, memory_order_relaxed);
}

/* -- callbacks of curl: less than what was offered ends the exchange ----------------------------
 */

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    struct exchange *x = user;
    struct buf *body = &x->response->body;
    size_t len = size * count;
    if (len > x->request->response_max - body->len) {
        x->over_limit = true;
        return 0;
    }
    buf_append(body, bytes, len);
    return buf_failed(body) ? 0 : len;
}

/* Each answer starts with a status line; a 100 Continue is one of its own. */
static size_t on_header(char *bytes, size_t size, size_t count, void *user)
{
    struct exchange *x = user;
    struct buf *headers = &x->response->headers;
    size_t len = size * count;
    if (len >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
        buf_clear(headers, SIZE_MAX);
        x->headers_ended = false;
        return len;
    }
    x->headers_ended = len <= 2;
    if (len > HTTP_HEADERS_SIZE_MAX - headers->len) {
        x->over_limit = true;
        return 0;
    }
    buf_append(headers, bytes, len);
    return buf_failed(headers) ? 0 : len;
}

static size_t on_send(char *to, size_t size, size_t count, void *user)
{
    struct exchange *x = user;
    struct slice body = x->request->body;
    size_t len = size * count < body.len - x->sent ? size * count : body.len - x->sent;
    memcpy(to, body.ptr + x->sent, len);
    x->sent += len;
    return len;
}

/* curl sends again from here when a kept connection turned out to be closed. */
static int on_seek(void *user, curl_off_t offset, int origin)
{
    struct exchange *x = user;
    if (origin != SEEK_SET || offset < 0 || (size_t)offset > x->request->body.len)
        return CURL_SEEKFUNC_FAIL;
    x->sent = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static int on_progress(void *user, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                       curl_off_t up)
{
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return cancelled(user) ? 1 : 0;
}

/* -- an exchange ------------------------------------------------------------------------------- */

#define SET(option, value)                                                                         \
    do {                                                                                           \
        CURLcode set_rc = curl_easy_setopt(c->curl, option, value);                                \
        CHECK(set_rc == CURLE_OK);                                                                 \
    } while (0)

/* What every exchange has. Fails only when libcurl was built without something. */
static void set_always(struct curl_transport *c)
{
    SET(CURLOPT_NOSIGNAL, 1L); /* there are threads */
    SET(CURLOPT_ERRORBUFFER, c->error);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_WRITEFUNCTION, on_body);
    SET(CURLOPT_HEADERFUNCTION, on_header);
    SET(CURLOPT_READFUNCTION, on_send);
    SET(CURLOPT_SEEKFUNCTION, on_seek);
    SET(CURLOPT_NOPROGRESS, 0L);
    SET(CURLOPT_XFERINFOFUNCTION, on_progress);
    SET(CURLOPT_XFERINFODATA, c);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    if (c->ca_file[0] != '\0')
        SET(CURLOPT_CAINFO, c->ca_file);
}

static void set_method(struct curl_transport *c, const struct http_request *r)
{
    bool sends = r->method == HTTP_PUT || r->method == HTTP_POST;
    CHECK(sends || r->body.len == 0);
    SET(CURLOPT_HTTPGET, 1L);
    if (r->method == HTTP_HEAD)
        SET(CURLOPT_NOBODY, 1L);
    if (sends) {
        SET(CURLOPT_UPLOAD, 1L);
        SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body.len);
    }
    if (r->method == HTTP_POST || r->method == HTTP_DELETE)
        SET(CURLOPT_CUSTOMREQUEST, http_method_word(r->method));
}

static void set_request(struct curl_transport *c, const struct http_request *r, struct exchange *x,
                        struct curl_slist *headers)
{
    curl_easy_reset(c->curl); /* connections stay */
    set_always(c);
    set_method(c, r);
    SET(CURLOPT_URL, r->url);
    SET(CURLOPT_HTTPHEADER, headers);
    SET(CURLOPT_WRITEDATA, x);
    SET(CURLOPT_HEADERDATA, x);
    SET(CURLOPT_READDATA, x);
    SET(CURLOPT_SEEKDATA, x);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)r->connect_timeout_ms);
    SET(CURLOPT_TIMEOUT_MS, (long)r->total_timeout_ms);
    SET(CURLOPT_LOW_SPEED_LIMIT, (long)TRICKLE_BYTES_PER_S);
    SET(CURLOPT_LOW_SPEED_TIME, (long)(r->idle_timeout_ms + 999) / 1000);
    if (r->direct)
        SET(CURLOPT_NOPROXY, "*");
}

/* The lines as curl wants them. Expect is taken out: a server that does not know it would cost each
 * upload a second, and it is not among the signed headers. */
static struct curl_slist *header_list(struct slice lines)
{
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    struct buf line = BUF_INIT(MEM_SCRATCH);
    CHECK(list != NULL);
    while (lines.len > 0) {
        const uint8_t *end = memchr(lines.ptr, '\n', lines.len);
        CHECK(end != NULL);
        size_t len = (size_t)(end - lines.ptr);
        buf_clear(&line, SIZE_MAX);
        buf_append(&line, lines.ptr, len);
        buf_append_byte(&line, '\0');
        CHECK(!buf_failed(&line));
        struct curl_slist *longer = curl_slist_append(list, (const char *)line.ptr);
        CHECK(longer != NULL);
        list = longer;
        lines = (struct slice){end + 1, lines.len - len - 1};
    }
    buf_fini(&line);
    return list;
}

static enum err err_of_result(struct curl_transport *c, CURLcode rc, const struct exchange *x,
                              struct why *why)
{
    /* curl takes headers that end anywhere for an answer when no body is expected. */
    if (rc == CURLE_OK && !x->headers_ended)
        return why_set(why, ERR_IO, "the answer ends within its headers");
    if (rc == CURLE_OK)
        return OK;
    if (cancelled(c))
        return why_set(why, ERR_CANCELLED, "cancelled");
    if (x->over_limit)
        return why_set(why, ERR_LIMIT, "the answer is longer than %zu bytes",
                       x->request->response_max);
    if (buf_failed(&x->response->body) || buf_failed(&x->response->headers))
        return ERR_NOMEM;
    return why_set(why, ERR_IO, "%s", c->error[0] != '\0' ? c->error : curl_easy_strerror(rc));
}

static enum err perform(struct http_transport *t, const struct http_request *request,
                        struct http_response *response, struct why *why)
{
    struct curl_transport *c = curl_of(t);
    struct exchange x = {.request = request, .response = response};
    CHECK(request->idle_timeout_ms > 0 && request->total_timeout_ms > 0);
    http_response_clear(response);
    if (cancelled(c))
        return why_set(why, ERR_CANCELLED, "cancelled");
    struct curl_slist *headers = header_list(request->headers);
    set_request(c, request, &x, headers);
    c->error[0] = '\0';
    enum err e = err_of_result(c, curl_easy_perform(c->curl), &x, why);
    curl_slist_free_all(headers);
    long status = 0;
    if (e == OK && curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status) == CURLE_OK)
        response->status = (int)status;
    return e;
}

static enum err wait_ms(struct http_transport *t, uint32_t ms)
{
    struct curl_transport *c = curl_of(t);
    for (uint32_t left = ms; left > 0 && !cancelled(c);) {
        uint32_t step = left < WAIT_STEP_MS ? left : WAIT_STEP_MS;
        thread_sleep_us(step * 1000);
        left -= step;
    }
    return cancelled(c) ? ERR_CANCELLED : OK;
}

static uint64_t wall_ms(struct http_transport *t)
{
    struct io *io = curl_of(t)->io;
    return io->ops->wall_us(io) / 1000;
}

/* -- start and end ----------------------------------------------------------------------------- */

static void transport_free(struct http_transport *t)
{
    struct curl_transport *c = curl_of(t);
    curl_easy_cleanup(c->curl);
    curl_global_cleanup();
    mem_free(MEM_SERVER, c);
}

static const struct http_transport_ops curl_ops = {
    .perform = perform, .wait = wait_ms, .wall_ms = wall_ms, .free = transport_free};

enum err http_curl_new(struct io *io, const char *ca_file, const atomic_bool *cancel,
                       struct http_transport **out, struct why *why)
{
    if (strlen(ca_file) >= CA_FILE_SIZE_MAX)
        return why_set(why, ERR_LIMIT, "the path of the certificates is too long");
    /* Counted: the first initialises, the last clean-up ends. */
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return why_set(why, ERR_IO, "libcurl cannot be initialised");
    struct curl_transport *c = mem_calloc(MEM_SERVER, sizeof(*c));
    c->curl = curl_easy_init();
    if (c->curl == NULL) {
        curl_global_cleanup();
        mem_free(MEM_SERVER, c);
        return why_set(why, ERR_NOMEM, "libcurl gives no handle");
    }
    c->base.ops = &curl_ops;
    c->io = io;
    c->cancel = cancel;
    memcpy(c->ca_file, ca_file, strlen(ca_file) + 1);
    *out = &c->base;
    return OK;
}
