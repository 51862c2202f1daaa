#include "lib/fake_s3.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/digest.h"
#include "lib/test.h"

static const char host[] = "http://s3.test/bucket", metadata_host[] = "http://169.254.169.254";

/* A request as the server reads it. */
struct parsed {
    const struct http_request *http;
    struct slice body; /* maybe damaged on the way */
    char key[256];     /* "" for the bucket */
    char query[1024];  /* as it was sent */
};

const char *fake_fault_name(enum fake_fault fault)
{
    static const char *const names[] = {
#define X(name) #name,
        FAKE_FAULT_LIST(X)
#undef X
    };
    return names[fault];
}

static struct fake_s3 *fake_of(struct http_transport *t)
{
    return (struct fake_s3 *)t;
}

/* -- answers ----------------------------------------------------------------------------------- */

static void answer(struct http_response *r, int status, const char *body)
{
    r->status = status;
    buf_clear(&r->body, SIZE_MAX);
    buf_append_text(&r->body, body);
}

static void answer_error(struct http_response *r, int status, const char *code)
{
    answer(r, status, "");
    buf_printf(&r->body, "<Error><Code>%s</Code><Message>m</Message></Error>", code);
}

static void hex_md5(struct slice bytes, char out[DIGEST_HEX_MAX])
{
    uint8_t md5[MD5_SIZE];
    REQUIRE(digest_md5(bytes, md5));
    digest_hex(md5, sizeof(md5), out);
}

/* -- requests ---------------------------------------------------------------------------------- */

static bool header_of(const struct http_request *request, const char *name, char *out, size_t size)
{
    struct http_response as_response = {
        .headers = {.ptr = (uint8_t *)(uintptr_t)request->headers.ptr,
                    .len = request->headers.len}};
    struct slice value;
    if (!http_response_header(&as_response, name, &value) || value.len >= size)
        return false;
    memcpy(out, value.ptr, value.len);
    out[value.len] = '\0';
    return true;
}

/* The value in a query, percent-decoded. */
static bool query_of(const struct parsed *p, const char *name, char *out, size_t size)
{
    const char *at = p->query;
    size_t name_len = strlen(name), len = 0;
    while (at != NULL && (strncmp(at, name, name_len) != 0 || at[name_len] != '=')) {
        at = strchr(at, '&');
        at = at == NULL ? NULL : at + 1;
    }
    if (at == NULL)
        return false;
    for (at += name_len + 1; *at != '\0' && *at != '&' && len + 1 < size; at++, len++) {
        char digits[3] = {at[0] == '%' ? at[1] : '0', at[0] == '%' ? at[2] : '0', '\0'};
        out[len] = at[0] == '%' ? (char)strtol(digits, NULL, 16) : *at;
        at += at[0] == '%' ? 2 : 0;
    }
    out[len] = '\0';
    return true;
}

static bool parse(const struct http_request *request, struct slice body, struct parsed *out)
{
    *out = (struct parsed){.http = request, .body = body};
    if (strncmp(request->url, host, strlen(host)) != 0)
        return false;
    const char *path = request->url + strlen(host);
    size_t len = strcspn(path, "?");
    if (len > 0 && path[0] == '/' && len < sizeof(out->key))
        memcpy(out->key, path + 1, len - 1);
    if (path[len] == '?')
        (void)snprintf(out->query, sizeof(out->query), "%s", path + len + 1);
    return len == 0 || path[0] == '/';
}

/* A server signs the query sorted, so an unsorted one would not hold. */
static bool is_sorted(const char *query)
{
    for (const char *at = query, *next; (next = strchr(at, '&')) != NULL; at = next + 1)
        if (strncmp(at, next + 1, strcspn(at, "=")) > 0)
            return false;
    return true;
}

/* Signs again what arrived, as a server does: with the headers that travelled. */
static bool signature_holds(struct fake_s3 *f, const struct parsed *p)
{
    char given[2048], hash[DIGEST_HEX_MAX], time[DATE_COMPACT_SIZE];
    char path[512] = "/bucket";
    struct slice headers = p->http->headers;
    if (!header_of(p->http, "authorization", given, sizeof(given)) ||
        !header_of(p->http, "x-amz-date", time, sizeof(time)) ||
        !header_of(p->http, "x-amz-content-sha256", hash, sizeof(hash)))
        return false;
    const uint8_t *last = memmem(headers.ptr, headers.len, "authorization:", 14);
    f->saw_unsigned_header |= memchr(last, '\n', headers.len - (size_t)(last - headers.ptr)) !=
                              headers.ptr + headers.len - 1;
    headers.len = (size_t)(last - headers.ptr);
    if (p->key[0] != '\0')
        (void)snprintf(path, sizeof(path), "/bucket/%s", p->key);
    struct s3_to_sign again = {.method = p->http->method,
                               .path = path,
                               .query = p->query,
                               .headers = headers,
                               .payload_hash = hash,
                               .region = "us-east-1",
                               .time = time};
    struct buf expected = BUF_INIT(MEM_TEST);
    s3_sign(&again, f->account, &expected);
    bool same = is_sorted(p->query) && slice_eq(buf_slice(&expected), slice_of(given));
    buf_fini(&expected);
    return same;
}

/* Is the body that arrived the one that was signed? */
static bool body_holds(const struct parsed *p)
{
    char hash[DIGEST_HEX_MAX], sent[DIGEST_HEX_MAX] = "";
    uint8_t sha[SHA256_SIZE];
    digest_sha256(p->body, sha);
    digest_hex(sha, sizeof(sha), hash);
    return header_of(p->http, "x-amz-content-sha256", sent, sizeof(sent)) &&
           strcmp(hash, sent) == 0;
}

/* Is the request's time within a quarter of an hour of the server's? */
static bool time_holds(const struct fake_s3 *f, const struct parsed *p)
{
    enum { SKEW_MAX_S = 15 * 60 };
    char text[DATE_COMPACT_SIZE];
    struct tm parts = {0};
    if (!header_of(p->http, "x-amz-date", text, sizeof(text)) ||
        strptime(text, "%Y%m%dT%H%M%SZ", &parts) == NULL)
        return false;
    int64_t theirs = (int64_t)timegm(&parts);
    int64_t ours = (int64_t)((f->wall_ms + f->server_ahead_ms) / 1000);
    return theirs - ours <= SKEW_MAX_S && ours - theirs <= SKEW_MAX_S;
}

static void answer_skewed(const struct fake_s3 *f, struct http_response *r)
{
    char date[64];
    struct tm parts;
    time_t now = (time_t)((f->wall_ms + f->server_ahead_ms) / 1000);
    REQUIRE(gmtime_r(&now, &parts) != NULL);
    REQUIRE(strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &parts) > 0);
    answer_error(r, 403, "RequestTimeTooSkewed");
    buf_printf(&r->headers, "Date: %s\r\n", date);
}

/* -- objects ----------------------------------------------------------------------------------- */

const struct fake_object *fake_s3_find(const struct fake_s3 *f, const char *key)
{
    for (size_t i = 0; i < f->object_count; i++)
        if (strcmp(f->objects[i].key, key) == 0)
            return &f->objects[i];
    return NULL;
}

static struct fake_object *find(struct fake_s3 *f, const char *key)
{
    for (size_t i = 0; i < f->object_count; i++)
        if (strcmp(f->objects[i].key, key) == 0)
            return &f->objects[i];
    return NULL;
}

static struct fake_object *find_or_make(struct fake_s3 *f, const char *key)
{
    struct fake_object *o = find(f, key);
    if (o == NULL) {
        REQUIRE(f->object_count < FAKE_OBJECTS_MAX);
        o = &f->objects[f->object_count++];
        *o = (struct fake_object){.bytes = BUF_INIT(MEM_TEST)};
        (void)snprintf(o->key, sizeof(o->key), "%s", key);
    }
    buf_clear(&o->bytes, 0);
    return o;
}

static void say_etag(const struct fake_s3 *f, struct http_response *r, const char *etag)
{
    buf_printf(&r->headers, "ETag: \"%s\"\r\n", f->kms ? "0123456789abcdef0123456789abcdef" : etag);
    if (f->kms)
        buf_append_text(&r->headers, "x-amz-server-side-encryption: aws:kms\r\n");
}

static void put_object(struct fake_s3 *f, const struct parsed *p, struct http_response *r)
{
    struct fake_object *o = find_or_make(f, p->key);
    buf_append_slice(&o->bytes, p->body);
    o->crc[0] = '\0';
    (void)header_of(p->http, "x-amz-meta-crc32c", o->crc, sizeof(o->crc));
    char etag[DIGEST_HEX_MAX];
    hex_md5(p->body, etag);
    (void)snprintf(o->etag, sizeof(o->etag), "%s", etag);
    answer(r, 200, "");
    say_etag(f, r, o->etag);
}

static void get_object(struct fake_s3 *f, const struct parsed *p, struct http_response *r)
{
    char range[64];
    unsigned long long first = 0, last = 0;
    const struct fake_object *o = find(f, p->key);
    if (o == NULL) {
        answer_error(r, 404, "NoSuchKey");
        return;
    }
    if (o->crc[0] != '\0')
        buf_printf(&r->headers, "x-amz-meta-crc32c: %s\r\n", o->crc);
    say_etag(f, r, o->etag);
    answer(r, 200, "");
    if (p->http->method == HTTP_HEAD) {
        buf_printf(&r->headers, "Content-Length: %zu\r\n", o->bytes.len);
        return;
    }
    REQUIRE(header_of(p->http, "range", range, sizeof(range)));
    REQUIRE(sscanf(range, "bytes=%llu-%llu", &first, &last) == 2 && first <= last);
    if (first >= o->bytes.len) {
        answer_error(r, 416, "InvalidRange");
        return;
    }
    size_t end = last + 1 < o->bytes.len ? last + 1 : o->bytes.len;
    answer(r, 206, "");
    buf_append(&r->body, o->bytes.ptr + first, end - first);
    buf_printf(&r->headers, "Content-Range: bytes %llu-%zu/%zu\r\n", first, end - 1, o->bytes.len);
}

static void delete_object(struct fake_s3 *f, const struct parsed *p, struct http_response *r)
{
    struct fake_object *o = find(f, p->key);
    if (o != NULL) {
        buf_fini(&o->bytes);
        *o = f->objects[--f->object_count];
    }
    answer(r, 204, "");
}

/* FAKE_PAGE names at a time; the token is the place in the list, with letters to be encoded. */
static void list_objects(struct fake_s3 *f, const struct parsed *p, struct http_response *r)
{
    char prefix[256] = "", token[64] = "";
    (void)query_of(p, "prefix", prefix, sizeof(prefix));
    (void)query_of(p, "continuation-token", token, sizeof(token));
    size_t i = token[0] == '\0' ? 0 : strtoul(token + 3, NULL, 10), given = 0;
    answer(r, 200, "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3\">");
    for (; i < f->object_count && given < FAKE_PAGE; i++) {
        if (strncmp(f->objects[i].key, prefix, strlen(prefix)) != 0)
            continue;
        buf_printf(&r->body, "<Contents><Key>%s</Key><Size>%zu</Size></Contents>",
                   f->objects[i].key, f->objects[i].bytes.len);
        given++;
    }
    bool more = i < f->object_count;
    buf_printf(&r->body, "<IsTruncated>%s</IsTruncated>", more ? "true" : "false");
    if (more)
        buf_printf(&r->body, "<NextContinuationToken>+/&amp;%zu</NextContinuationToken>", i);
    buf_append_text(&r->body, "</ListBucketResult>");
}

/* -- uploads ----------------------------------------------------------------------------------- */

static void begin_upload(struct fake_s3 *f, const struct parsed *p, struct http_response *r)
{
    size_t i = 0;
    while (i < FAKE_UPLOADS_MAX && f->uploads[i].id != 0)
        i++;
    REQUIRE(i < FAKE_UPLOADS_MAX);
    struct fake_upload *u = &f->uploads[i];
    *u = (struct fake_upload){.id = ++f->uploads_begun};
    (void)snprintf(u->key, sizeof(u->key), "%s", p->key);
    (void)header_of(p->http, "x-amz-meta-crc32c", u->crc, sizeof(u->crc));
    for (size_t part = 0; part < FAKE_PARTS_MAX; part++)
        u->parts[part] = BUF_INIT(MEM_TEST);
    answer(r, 200, "");
    buf_printf(&r->body,
               "<InitiateMultipartUploadResult><UploadId>2~%u+/=</UploadId>"
               "</InitiateMultipartUploadResult>",
               u->id);
}

static void end_upload(struct fake_upload *u)
{
    for (size_t part = 0; part < FAKE_PARTS_MAX; part++)
        buf_fini(&u->parts[part]);
    u->id = 0;
}

static struct fake_upload *find_upload(struct fake_s3 *f, const struct parsed *p)
{
    char id[64];
    unsigned number;
    if (!query_of(p, "uploadId", id, sizeof(id)) || sscanf(id, "2~%u+/=", &number) != 1)
        return NULL;
    for (size_t i = 0; i < FAKE_UPLOADS_MAX; i++)
        if (f->uploads[i].id == number && strcmp(f->uploads[i].key, p->key) == 0)
            return &f->uploads[i];
    return NULL;
}

static void put_part(struct fake_s3 *f, const struct parsed *p, struct fake_upload *u,
                     struct http_response *r)
{
    char number[16], etag[DIGEST_HEX_MAX];
    REQUIRE(query_of(p, "partNumber", number, sizeof(number)));
    size_t part = strtoul(number, NULL, 10);
    REQUIRE(part >= 1 && part <= FAKE_PARTS_MAX);
    buf_clear(&u->parts[part - 1], 0);
    buf_append_slice(&u->parts[part - 1], p->body);
    hex_md5(p->body, etag);
    answer(r, 200, "");
    say_etag(f, r, etag);
}

/* Every part that is named must be there with the ETag that is named. */
static void complete_upload(struct fake_s3 *f, const struct parsed *p, struct fake_upload *u,
                            struct http_response *r)
{
    struct slice list, name, part, inner;
    struct buf bytes = BUF_INIT(MEM_TEST), md5s = BUF_INIT(MEM_TEST);
    size_t count = 0;
    bool ok = xml_child(p->body, "CompleteMultipartUpload", &list);
    while (ok && xml_next(&list, &name, &part) == XML_ELEMENT) {
        char number[16] = "", etag[80] = "", expected[DIGEST_HEX_MAX];
        uint8_t md5[MD5_SIZE];
        ok = xml_child(part, "PartNumber", &inner) && xml_text(inner, number, sizeof(number)) &&
             strtoul(number, NULL, 10) == ++count && xml_child(part, "ETag", &inner) &&
             xml_text(inner, etag, sizeof(etag)) && count <= FAKE_PARTS_MAX;
        if (!ok)
            break;
        const struct buf *stored = &u->parts[count - 1];
        hex_md5(buf_slice(stored), expected);
        ok = f->kms || (strlen(etag) == 34 && strncmp(etag + 1, expected, 32) == 0);
        buf_append_slice(&bytes, buf_slice(stored));
        REQUIRE(digest_md5(buf_slice(stored), md5));
        buf_append(&md5s, md5, sizeof(md5));
    }
    if (!ok || count == 0) {
        answer_error(r, 400, "InvalidPart");
    } else {
        char md5[DIGEST_HEX_MAX];
        struct fake_object *o = find_or_make(f, p->key);
        buf_append_slice(&o->bytes, buf_slice(&bytes));
        hex_md5(buf_slice(&md5s), md5);
        (void)snprintf(o->etag, sizeof(o->etag), "%.32s-%zu", md5, count);
        (void)snprintf(o->crc, sizeof(o->crc), "%s", u->crc);
        answer(r, 200, "\n\n"); /* keeps the connection busy, as S3 does */
        buf_printf(&r->body,
                   "<CompleteMultipartUploadResult><ETag>&quot;%s&quot;</ETag>"
                   "</CompleteMultipartUploadResult>",
                   o->etag);
        end_upload(u);
    }
    buf_fini(&bytes);
    buf_fini(&md5s);
}

static void list_uploads(struct fake_s3 *f, const struct parsed *p, struct http_response *r)
{
    char prefix[256] = "";
    (void)query_of(p, "prefix", prefix, sizeof(prefix));
    answer(r, 200, "<ListMultipartUploadsResult>");
    unsigned given = 0;
    for (size_t i = 0; i < FAKE_UPLOADS_MAX && given < FAKE_PAGE; i++) {
        const struct fake_upload *u = &f->uploads[i];
        if (u->id == 0 || strncmp(u->key, prefix, strlen(prefix)) != 0)
            continue;
        buf_printf(&r->body, "<Upload><Key>%s</Key><UploadId>2~%u+/=</UploadId></Upload>", u->key,
                   u->id);
        given++;
    }
    buf_append_text(&r->body, "</ListMultipartUploadsResult>");
}

unsigned fake_s3_upload_count(const struct fake_s3 *f)
{
    unsigned count = 0;
    for (size_t i = 0; i < FAKE_UPLOADS_MAX; i++)
        count += f->uploads[i].id != 0;
    return count;
}

/* -- the server -------------------------------------------------------------------------------- */

static void serve_upload(struct fake_s3 *f, const struct parsed *p, struct http_response *r)
{
    struct fake_upload *u = find_upload(f, p);
    if (u == NULL) {
        answer_error(r, 404, "NoSuchUpload");
    } else if (p->http->method == HTTP_PUT) {
        put_part(f, p, u, r);
    } else if (p->http->method == HTTP_POST) {
        complete_upload(f, p, u, r);
    } else {
        end_upload(u);
        answer(r, 204, "");
    }
}

static void serve_bucket(struct fake_s3 *f, const struct parsed *p, struct http_response *r)
{
    REQUIRE(p->http->method == HTTP_GET);
    if (strncmp(p->query, "prefix=", 7) == 0 && strstr(p->query, "uploads=") != NULL)
        list_uploads(f, p, r);
    else
        list_objects(f, p, r);
}

static void serve(struct fake_s3 *f, const struct http_request *request, struct slice body,
                  struct http_response *r)
{
    struct parsed p;
    if (!parse(request, body, &p))
        answer_error(r, 404, "NoSuchBucket");
    else if (!signature_holds(f, &p))
        answer_error(r, 403, "SignatureDoesNotMatch");
    else if (!time_holds(f, &p))
        answer_skewed(f, r);
    else if (!body_holds(&p))
        answer_error(r, 400, "XAmzContentSHA256Mismatch");
    else if (p.key[0] == '\0')
        serve_bucket(f, &p, r);
    else if (strcmp(p.query, "uploads=") == 0)
        begin_upload(f, &p, r);
    else if (p.query[0] != '\0')
        serve_upload(f, &p, r);
    else if (request->method == HTTP_PUT)
        put_object(f, &p, r);
    else if (request->method == HTTP_DELETE)
        delete_object(f, &p, r);
    else
        get_object(f, &p, r);
}

/* -- the metadata service ---------------------------------------------------------------------- */

static enum err serve_metadata(struct fake_s3 *f, const struct http_request *request,
                               struct http_response *r)
{
    const char *path = request->url + strlen(metadata_host);
    char header[64] = "";
    static const char roles[] = "/latest/meta-data/iam/security-credentials/";
    EXPECT(request->direct); /* never through a proxy: it answers for this machine */
    f->metadata_requests++;
    if (f->metadata_role == NULL)
        return ERR_IO;
    if (strcmp(path, "/latest/api/token") == 0 && request->method == HTTP_PUT &&
        header_of(request, "x-aws-ec2-metadata-token-ttl-seconds", header, sizeof(header)))
        answer(r, 200, "the-token");
    else if (!header_of(request, "x-aws-ec2-metadata-token", header, sizeof(header)) ||
             strcmp(header, "the-token") != 0)
        answer(r, 401, "");
    else if (strcmp(path, roles) == 0)
        answer(r, 200, f->metadata_role);
    else if (strncmp(path, roles, strlen(roles)) == 0 &&
             strcmp(path + strlen(roles), f->metadata_role) == 0)
        answer(r, 200, f->metadata_json);
    else
        answer(r, 404, "");
    return OK;
}

/* -- faults ------------------------------------------------------------------------------------ */

static void flip_bit(struct buf *b)
{
    if (b->len > 0)
        b->ptr[b->len / 2] ^= 4;
}

/* Those that never reach the server. False: the fault is of another kind. */
static bool fail_before(struct fake_s3 *f, const struct http_request *request,
                        struct http_response *r, enum err *e)
{
    *e = OK;
    switch ((int)f->fault) {
    case FAKE_TIMEOUT:
        f->wall_ms += request->total_timeout_ms;
        *e = ERR_IO;
        return true;
    case FAKE_NO_CONNECTION:
        *e = ERR_IO;
        return true;
    case FAKE_500:
        answer_error(r, 500, "InternalError");
        return true;
    case FAKE_503_SLOW_DOWN:
        answer_error(r, 503, "SlowDown");
        if (f->retry_after != NULL)
            buf_printf(&r->headers, "Retry-After: %s\r\n", f->retry_after);
        return true;
    case FAKE_EXPIRED_TOKEN:
        answer_error(r, 400, "ExpiredToken");
        return true;
    case FAKE_PORTAL:
        answer(r, 200, "<html><body>Please log in</body></html>");
        return true;
    case FAKE_ERROR_IN_200:
        answer_error(r, 200, "InternalError");
        return true;
    default:
        return false;
    }
}

static enum err fail_after(struct fake_s3 *f, struct http_response *r)
{
    switch ((int)f->fault) {
    case FAKE_ANSWER_LOST:
        http_response_clear(r);
        return ERR_IO;
    case FAKE_500_DONE:
        http_response_clear(r);
        answer_error(r, 500, "InternalError");
        return OK;
    case FAKE_RESET_IN_BODY:
        r->body.len /= 2;
        return ERR_IO;
    case FAKE_TRUNCATED:
        r->body.len /= 2;
        return OK;
    case FAKE_WRONG_ETAG:
        buf_append_text(&r->headers, "ETag: \"00000000000000000000000000000000\"\r\n");
        return OK;
    case FAKE_FLIPPED_DOWN:
        flip_bit(&r->body);
        return OK;
    default:
        return OK;
    }
}

/* Waits for an answer that says no more than was asked for. */
static enum err limit(const struct http_request *request, const struct http_response *r)
{
    return r->body.len > request->response_max ? ERR_LIMIT : OK;
}

static enum err perform(struct http_transport *t, const struct http_request *request,
                        struct http_response *r, struct why *why)
{
    struct fake_s3 *f = fake_of(t);
    enum err e;
    (void)why;
    http_response_clear(r);
    if (f->cancelled)
        return ERR_CANCELLED;
    if (strncmp(request->url, metadata_host, strlen(metadata_host)) == 0)
        return serve_metadata(f, request, r);
    (void)snprintf(f->last_url, sizeof(f->last_url), "%s", request->url);
    f->requests++;
    bool faulty = f->fault != FAKE_NO_FAULT &&
                  (f->requests == f->fault_at || (f->for_ever && f->requests > f->fault_at));
    f->fired |= faulty;
    if (faulty && fail_before(f, request, r, &e))
        return e;
    struct buf body = BUF_INIT(MEM_TEST);
    buf_append_slice(&body, request->body);
    if (faulty && f->fault == FAKE_FLIPPED_UP)
        flip_bit(&body);
    serve(f, request, buf_slice(&body), r);
    buf_fini(&body);
    if (request->method == HTTP_HEAD)
        buf_clear(&r->body, 0); /* an answer to HEAD has no body, whatever it says */
    e = faulty ? fail_after(f, r) : OK;
    return e == OK ? limit(request, r) : e;
}

static enum err wait_ms(struct http_transport *t, uint32_t ms)
{
    struct fake_s3 *f = fake_of(t);
    f->wall_ms += ms;
    f->waited_ms += ms;
    return f->cancelled ? ERR_CANCELLED : OK;
}

static uint64_t wall_ms(struct http_transport *t)
{
    return fake_of(t)->wall_ms;
}

static void fake_free(struct http_transport *t)
{
    struct fake_s3 *f = fake_of(t);
    for (size_t i = 0; i < f->object_count; i++)
        buf_fini(&f->objects[i].bytes);
    for (size_t i = 0; i < FAKE_UPLOADS_MAX; i++)
        if (f->uploads[i].id != 0)
            end_upload(&f->uploads[i]);
    mem_free(MEM_TEST, f);
}

static const struct http_transport_ops fake_ops = {
    .perform = perform, .wait = wait_ms, .wall_ms = wall_ms, .free = fake_free};

struct fake_s3 *fake_s3_new(const struct s3_credentials *account)
{
    struct fake_s3 *f = mem_calloc(MEM_TEST, sizeof(*f));
    f->base.ops = &fake_ops;
    f->account = account;
    f->wall_ms = 1700000000000;
    return f;
}
