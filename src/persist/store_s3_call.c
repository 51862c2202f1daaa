/* store_s3_call.c: one call of the S3 API: built, signed, sent, judged and tried again. */
#include <stdio.h>
#include <stdlib.h>

#include "base/digest.h"
#include "base/rng.h"
#include "persist/store_s3.h"

enum {
    BYTES_PER_MS_MIN = 32, /* how slow a line may be before a transfer is given up */
    HEADERS_MAX = S3_PAIRS_MAX + 4
};

/* One attempt, built. */
struct attempt {
    struct buf path, query, url;
    struct buf headers; /* as they are sent: those signed, and the signature */
};

void s3_call_query(struct store_s3_call *call, const char *name, const char *value)
{
    CHECK(call->query_count < S3_PAIRS_MAX);
    call->query[call->query_count++] = (struct s3_pair){name, value};
}

void s3_call_header(struct store_s3_call *call, const char *name, const char *value)
{
    CHECK(call->header_count < S3_PAIRS_MAX);
    call->headers[call->header_count++] = (struct s3_pair){name, value};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct s3_pair *)a)->name, ((const struct s3_pair *)b)->name);
}

/* Sorted, as the signature wants it; our names need no encoding, so they sort as they are. */
static void build_query(const struct store_s3_call *call, struct buf *out)
{
    struct s3_pair sorted[S3_PAIRS_MAX];
    memcpy(sorted, call->query, sizeof(sorted));
    qsort(sorted, call->query_count, sizeof(sorted[0]), by_name);
    for (size_t i = 0; i < call->query_count; i++) {
        buf_printf(out, "%s%s=", i == 0 ? "" : "&", sorted[i].name);
        s3_encode(sorted[i].value, false, out);
    }
}

static void build_path(const struct store_s3 *s3, const struct store_s3_call *call, struct buf *out)
{
    buf_append_byte(out, '/');
    if (s3->path_style) {
        buf_append_text(out, s3->bucket);
        if (call->name != NULL)
            buf_append_byte(out, '/');
    }
    if (call->name != NULL) {
        s3_encode(s3->prefix, true, out);
        s3_encode(call->name, false, out);
    }
}

static void build_headers(const struct store_s3 *s3, const struct store_s3_call *call,
                          const struct s3_credentials *credentials, const char *hash,
                          const char *time, struct buf *out)
{
    struct s3_pair sorted[HEADERS_MAX];
    size_t count = call->header_count;
    memcpy(sorted, call->headers, sizeof(call->headers));
    sorted[count++] = (struct s3_pair){"host", strstr(s3->scheme_host, "//") + 2};
    sorted[count++] = (struct s3_pair){"x-amz-content-sha256", hash};
    sorted[count++] = (struct s3_pair){"x-amz-date", time};
    if (credentials->session_token[0] != '\0')
        sorted[count++] = (struct s3_pair){"x-amz-security-token", credentials->session_token};
    qsort(sorted, count, sizeof(sorted[0]), by_name);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s:%s\n", sorted[i].name, sorted[i].value);
}

static void build(const struct store_s3 *s3, const struct store_s3_call *call,
                  const struct s3_credentials *credentials, struct attempt *out)
{
    uint8_t hash[SHA256_SIZE];
    char hash_hex[DIGEST_HEX_MAX], time[DATE_COMPACT_SIZE];
    uint64_t now = s3->http->ops->wall_ms(s3->http);
    date_print_compact(now + (uint64_t)s3->clock_ahead_ms, time);
    digest_sha256(call->body, hash);
    digest_hex(hash, sizeof(hash), hash_hex);
    build_path(s3, call, &out->path);
    build_query(call, &out->query);
    buf_printf(&out->url, "%s%.*s%s%.*s", s3->scheme_host, (int)out->path.len,
               (const char *)out->path.ptr, call->query_count > 0 ? "?" : "", (int)out->query.len,
               (const char *)out->query.ptr);
    buf_append_byte(&out->path, '\0');
    buf_append_byte(&out->query, '\0');
    buf_append_byte(&out->url, '\0');
    build_headers(s3, call, credentials, hash_hex, time, &out->headers);
    CHECK(!buf_failed(&out->path) && !buf_failed(&out->query) && !buf_failed(&out->url));
    CHECK(!buf_failed(&out->headers) && out->url.len <= HTTP_URL_MAX);
    struct s3_to_sign to_sign = {.method = call->method,
                                 .path = (const char *)out->path.ptr,
                                 .query = (const char *)out->query.ptr,
                                 .headers = buf_slice(&out->headers),
                                 .payload_hash = hash_hex,
                                 .region = s3->region,
                                 .time = time};
    struct buf signature = BUF_INIT(MEM_SCRATCH);
    s3_sign(&to_sign, credentials, &signature);
    buf_append_text(&out->headers, "authorization:");
    buf_append_slice(&out->headers, buf_slice(&signature));
    buf_append_byte(&out->headers, '\n');
    CHECK(!buf_failed(&out->headers));
    buf_fini(&signature);
}

static void attempt_fini(struct attempt *a)
{
    digest_wipe(a->headers.ptr, a->headers.len);
    buf_fini(&a->path);
    buf_fini(&a->query);
    buf_fini(&a->url);
    buf_fini(&a->headers);
}

/* How long an exchange may take in all: what its bytes take on a slow line, and patience. */
static uint32_t total_timeout_ms(const struct store_s3 *s3, const struct store_s3_call *call)
{
    uint64_t patience = (uint64_t)s3->timeout_ms * (call->patience + 2u);
    uint64_t bytes = call->body.len + call->response_max;
    uint64_t total = s3->connect_timeout_ms + patience + bytes / BYTES_PER_MS_MIN;
    return total < INT32_MAX ? (uint32_t)total : INT32_MAX;
}

static enum err send(struct store_s3 *s3, const struct store_s3_call *call,
                     const struct s3_credentials *credentials, struct http_response *response,
                     struct why *why)
{
    struct attempt a = {BUF_INIT(MEM_SCRATCH), BUF_INIT(MEM_SCRATCH), BUF_INIT(MEM_SCRATCH),
                        BUF_INIT(MEM_SCRATCH)};
    build(s3, call, credentials, &a);
    uint32_t patience = call->patience == 0 ? 1 : call->patience;
    struct http_request request = {.method = call->method,
                                   .url = (const char *)a.url.ptr,
                                   .headers = buf_slice(&a.headers),
                                   .body = call->body,
                                   .response_max = call->response_max,
                                   .connect_timeout_ms = s3->connect_timeout_ms,
                                   .idle_timeout_ms = s3->timeout_ms * patience,
                                   .total_timeout_ms = total_timeout_ms(s3, call)};
    enum err e = s3->http->ops->perform(s3->http, &request, response, why);
    attempt_fini(&a);
    return e;
}

/* Takes the server's clock from its Date header: "Fri, 24 May 2013 00:00:00 GMT". */
static bool take_clock(struct store_s3 *s3, const struct http_response *response)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct slice date;
    char iso[32], month[4] = "";
    uint64_t theirs;
    if (!http_response_header(response, "date", &date) || date.len != 29)
        return false;
    memcpy(month, date.ptr + 8, 3);
    const char *at = strstr(months, month);
    if (at == NULL || (at - months) % 3 != 0)
        return false;
    const char *d = (const char *)date.ptr;
    int len = snprintf(iso, sizeof(iso), "%.4s-%02d-%.2sT%.8sZ", d + 12, (int)(at - months) / 3 + 1,
                       d + 5, d + 17);
    if (len != 20 || !date_parse(slice_of(iso), &theirs))
        return false;
    s3->clock_ahead_ms = (int64_t)theirs - (int64_t)s3->http->ops->wall_ms(s3->http);
    return true;
}

/* What has come of one attempt. *e and why are set but for S3_DONE. */
static enum s3_verdict attempt(struct store_s3 *s3, struct store_s3_call *call,
                               struct http_response *response, enum err *e, struct why *why)
{
    const struct s3_credentials *credentials;
    call->code[0] = '\0';
    http_response_clear(response);
    *e = s3_identity_get(&s3->identity, &credentials, why);
    if (*e != OK)
        return S3_FAILED;
    *e = send(s3, call, credentials, response, why);
    if (*e != OK)
        return *e == ERR_IO ? S3_AGAIN : S3_FAILED;
    enum s3_verdict verdict = s3_judge(response, e, call->code, why);
    if (verdict == S3_DONE && call->check != NULL) {
        *e = call->check(call->user, response, why);
        return *e == OK ? S3_DONE : *e == ERR_NOMEM ? S3_FAILED : S3_AGAIN;
    }
    return verdict;
}

/* Prepares the next attempt; false when there is nothing to be gained from one. */
static bool mend(struct store_s3 *s3, enum s3_verdict verdict, const struct http_response *response)
{
    if (verdict == S3_CREDENTIALS)
        s3_identity_forget(&s3->identity);
    if (verdict == S3_CLOCK)
        return take_clock(s3, response);
    return verdict == S3_AGAIN || verdict == S3_CREDENTIALS;
}

enum err s3_call(struct store_s3 *s3, struct store_s3_call *call, struct http_response *response,
                 struct why *why)
{
    struct why ours;
    struct why *text = why != NULL ? why : &ours;
    for (uint32_t tried = 0;; tried++) {
        enum err e = OK;
        text->text[0] = '\0';
        enum s3_verdict verdict = attempt(s3, call, response, &e, text);
        if (verdict == S3_DONE)
            return OK;
        CHECK(e != OK);
        if (tried >= s3->retries || !mend(s3, verdict, response))
            return e;
        uint32_t delay = s3_retry_delay_ms(tried + 1, response, &s3->rng);
        e = s3->http->ops->wait(s3->http, delay);
        if (e != OK)
            return why_set(why, e, "cancelled");
    }
}
