/* store_s3.c: an object store in an S3 bucket, over any HTTP transport.
 *
 * What is put carries its CRC32C as metadata (x-amz-meta-crc32c), so that whoever reads it back
 * knows whether these are the bytes; besides, the body's SHA-256 is signed, which the server
 * checks, and where an ETag is an MD5 it is compared. */
#include "persist/store_s3.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/digest.h"

static const char crc_header[] = "x-amz-meta-crc32c";

enum { RETRIES_MAX = 100 };

static struct store_s3 *s3_of(struct object_store *s)
{
    return (struct store_s3 *)s;
}

/* -- ETags ------------------------------------------------------------------------------------- */

void s3_etag(const struct http_response *response, char out[OBJECT_ETAG_MAX + 1])
{
    struct slice value;
    out[0] = '\0';
    if (!http_response_header(response, "etag", &value))
        return;
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        value = (struct slice){value.ptr + 1, value.len - 2};
    if (value.len > OBJECT_ETAG_MAX)
        return;
    memcpy(out, value.ptr, value.len);
    out[value.len] = '\0';
}

bool s3_etag_is_md5(const struct http_response *response, const char *etag)
{
    struct slice value;
    if (strlen(etag) != 2 * MD5_SIZE || strspn(etag, "0123456789abcdefABCDEF") != 2 * MD5_SIZE)
        return false;
    if (http_response_header(response, "x-amz-server-side-encryption-customer-algorithm", &value))
        return false;
    return !http_response_header(response, "x-amz-server-side-encryption", &value) ||
           slice_eq_nocase(value, "AES256");
}

/* Every answer about an object has an ETag: what has none is not from an object store. ERR_CORRUPT
 * when it is an MD5, but not that of the bytes. */
static enum err check_etag(const struct http_response *response, struct slice bytes,
                           struct why *why)
{
    char etag[OBJECT_ETAG_MAX + 1], hex[DIGEST_HEX_MAX];
    uint8_t md5[MD5_SIZE];
    s3_etag(response, etag);
    if (etag[0] == '\0')
        return why_set(why, ERR_IO, "an answer without an ETag is not from an object store");
    if (!s3_etag_is_md5(response, etag) || !digest_md5(bytes, md5))
        return OK;
    digest_hex(md5, sizeof(md5), hex);
    if (slice_eq_nocase(slice_of(etag), hex))
        return OK;
    return why_set(why, ERR_CORRUPT,
                   "the object store has other bytes than were sent (MD5 %s, "
                   "not %s)",
                   etag, hex);
}

/* -- put --------------------------------------------------------------------------------------- */

static enum err check_put(void *user, const struct http_response *response, struct why *why)
{
    return check_etag(response, *(const struct slice *)user, why);
}

static enum err s3_put(struct object_store *s, const char *name, struct slice bytes,
                       struct why *why)
{
    char crc[9];
    struct http_response response;
    CHECK(object_name_valid(name));
    (void)snprintf(crc, sizeof(crc), "%08x", crc32c(bytes));
    struct store_s3_call call = {.method = HTTP_PUT,
                                 .name = name,
                                 .body = bytes,
                                 .response_max = S3_ANSWER_MAX,
                                 .check = check_put,
                                 .user = &bytes};
    s3_call_header(&call, "content-type", "application/octet-stream");
    s3_call_header(&call, crc_header, crc);
    http_response_init(&response, MEM_SCRATCH);
    enum err e = s3_call(s3_of(s), &call, &response, why);
    http_response_fini(&response);
    return e;
}

/* The whole of a file that is one part at most. */
static enum err put_small_file(struct object_store *s, const char *name, struct io_file *file,
                               uint64_t size, struct why *why)
{
    struct buf bytes = BUF_INIT(MEM_SCRATCH);
    size_t got = 0;
    uint8_t *to = buf_reserve(&bytes, size);
    enum err e = to == NULL ? ERR_NOMEM : file->io->ops->file_read(file, 0, to, size, &got);
    if (e == OK)
        buf_advance(&bytes, got);
    if (e == OK && got != size)
        e = why_set(why, ERR_IO, "a file became shorter while it was put");
    if (e == OK)
        e = s3_put(s, name, buf_slice(&bytes), why);
    buf_fini(&bytes);
    return e;
}

/* Reads a file once for its checksum: it has to be named before the first part is sent. */
static enum err file_crc(struct io_file *file, uint64_t size, uint64_t block_size, uint32_t *out)
{
    uint8_t *block = mem_try(MEM_SCRATCH, block_size);
    if (block == NULL)
        return ERR_NOMEM;
    enum err e = OK;
    *out = 0;
    for (uint64_t at = 0; at < size && e == OK; at += block_size) {
        size_t wanted = size - at < block_size ? size - at : block_size, got = 0;
        e = file->io->ops->file_read(file, at, block, wanted, &got);
        *out = crc32c_extend(*out, block, got);
    }
    mem_free(MEM_SCRATCH, block);
    return e;
}

static enum err s3_put_file(struct object_store *s, const char *name, const char *path,
                            struct why *why)
{
    struct store_s3 *s3 = s3_of(s);
    struct io_file *file;
    uint64_t size;
    uint32_t crc;
    CHECK(object_name_valid(name));
    enum err e = s->io->ops->file_open(s->io, path, IO_READ, &file, why);
    if (e != OK)
        return e;
    e = s->io->ops->file_size(file, &size);
    if (e == OK && size <= s3->part_size) {
        e = put_small_file(s, name, file, size, why);
    } else if (e == OK) {
        e = file_crc(file, size, s3->part_size, &crc);
        if (e == OK)
            e = s3_put_parts(s3, name, file, size, crc, why);
    }
    s->io->ops->file_close(file);
    return e;
}

/* -- get --------------------------------------------------------------------------------------- */

/* A range that is being read. */
struct range {
    uint64_t at;
    size_t len;
    struct object_info *info;
};

/* "bytes 0-9/100", and "bytes *" with "/100" behind when the range is past the end. */
static bool parse_content_range(struct slice text, uint64_t *first, uint64_t *last, uint64_t *size)
{
    static const char unit[] = "bytes ";
    if (text.len < sizeof(unit) || memcmp(text.ptr, unit, sizeof(unit) - 1) != 0)
        return false;
    text = (struct slice){text.ptr + sizeof(unit) - 1, text.len - (sizeof(unit) - 1)};
    const uint8_t *slash = memchr(text.ptr, '/', text.len);
    const uint8_t *dash = memchr(text.ptr, '-', text.len);
    if (slash == NULL || dash == NULL || dash > slash)
        return false;
    const uint8_t *end = text.ptr + text.len;
    return slice_to_u64((struct slice){text.ptr, (size_t)(dash - text.ptr)}, first) &&
           slice_to_u64((struct slice){dash + 1, (size_t)(slash - dash - 1)}, last) &&
           slice_to_u64((struct slice){slash + 1, (size_t)(end - slash - 1)}, size);
}

static bool parse_hex32(struct slice text, uint32_t *out)
{
    *out = 0;
    for (size_t i = 0; i < text.len; i++) {
        const char *digits = "0123456789abcdef", *at = strchr(digits, text.ptr[i]);
        if (at == NULL || *at == '\0')
            return false;
        *out = *out << 4 | (uint32_t)(at - digits);
    }
    return text.len == 8;
}

/* What the headers of an answer say of the object, but for its size. */
static void read_info(const struct http_response *response, struct object_info *out)
{
    struct slice crc;
    s3_etag(response, out->etag);
    out->has_crc32c =
        http_response_header(response, crc_header, &crc) && parse_hex32(crc, &out->crc32c);
}

/* A body shorter than what was asked for, or from elsewhere, is as good as none. */
static enum err check_range(void *user, const struct http_response *response, struct why *why)
{
    const struct range *range = user;
    struct slice text, body = buf_slice(&response->body);
    struct object_info *info = range->info;
    uint64_t first = 0, last = 0;
    *info = (struct object_info){.size = body.len};
    read_info(response, info);
    if (info->etag[0] == '\0')
        return why_set(why, ERR_IO, "an answer without an ETag is not from an object store");
    if (response->status == 206) {
        if (!http_response_header(response, "content-range", &text) ||
            !parse_content_range(text, &first, &last, &info->size))
            return why_set(why, ERR_IO, "an answer does not say which bytes it holds");
        uint64_t end = range->at + range->len < info->size ? range->at + range->len : info->size;
        if (first != range->at || last + 1 != end || body.len != end - first)
            return why_set(why, ERR_IO, "an answer holds other bytes than were asked for");
    } else if (range->at != 0) {
        return why_set(why, ERR_IO, "the server does not give ranges");
    }
    bool whole = range->at == 0 && body.len == info->size;
    if (whole && info->has_crc32c && crc32c(body) != info->crc32c)
        return why_set(why, ERR_CORRUPT, "the bytes are not those that were put (CRC32C)");
    return whole ? check_etag(response, body, why) : OK;
}

/* Appends what was got. A range past the end has nothing in it. */
static enum err s3_get(struct object_store *s, const char *name, uint64_t at, size_t len,
                       struct buf *out, struct object_info *info, struct why *why)
{
    CHECK(object_name_valid(name));
    if (len == 0)
        return s->ops->head(s, name, info, why);
    char bytes[64];
    struct http_response response;
    struct range range = {at, len, info};
    (void)snprintf(bytes, sizeof(bytes), "bytes=%" PRIu64 "-%" PRIu64, at, at + len - 1);
    struct store_s3_call call = {.method = HTTP_GET,
                                 .name = name,
                                 .response_max = len < S3_ANSWER_MAX ? S3_ANSWER_MAX : len,
                                 .check = check_range,
                                 .user = &range};
    s3_call_header(&call, "range", bytes);
    http_response_init(&response, MEM_SCRATCH);
    enum err e = s3_call(s3_of(s), &call, &response, why);
    if (e != OK && response.status == 416)
        e = s->ops->head(s, name, info, why);
    else if (e == OK && response.body.len > len)
        e = why_set(why, ERR_LIMIT, "object %s has more than %zu bytes", name, len);
    else if (e == OK)
        buf_append_slice(out, buf_slice(&response.body));
    http_response_fini(&response);
    return e == OK && buf_failed(out) ? ERR_NOMEM : e;
}

static enum err check_head(void *user, const struct http_response *response, struct why *why)
{
    struct object_info *info = user;
    struct slice size;
    *info = (struct object_info){.size = 0};
    if (!http_response_header(response, "content-length", &size) ||
        !slice_to_u64(size, &info->size))
        return why_set(why, ERR_IO, "an answer does not say how long the object is");
    read_info(response, info);
    return info->etag[0] != '\0'
               ? OK
               : why_set(why, ERR_IO, "an answer without an ETag is not from an object store");
}

static enum err s3_head(struct object_store *s, const char *name, struct object_info *info,
                        struct why *why)
{
    CHECK(object_name_valid(name));
    struct http_response response;
    struct store_s3_call call = {.method = HTTP_HEAD,
                                 .name = name,
                                 .response_max = S3_ANSWER_MAX,
                                 .check = check_head,
                                 .user = info};
    http_response_init(&response, MEM_SCRATCH);
    enum err e = s3_call(s3_of(s), &call, &response, why);
    http_response_fini(&response);
    return e;
}

/* -- list and remove --------------------------------------------------------------------------- */

/* One page of a list: names, and where the next page starts. */
struct page {
    char token[2048]; /* "" on the last */
    object_name_fn *on_name;
    void *user;
    size_t skip; /* bytes of the store's prefix, before every name */
};

static void take_object(const struct page *page, struct slice contents)
{
    char key[OBJECT_URL_MAX + OBJECT_NAME_MAX + 2], digits[32];
    struct slice inner;
    uint64_t size;
    if (!xml_child(contents, "Key", &inner) || !xml_text(inner, key, sizeof(key)) ||
        strlen(key) < page->skip || !object_name_valid(key + page->skip))
        return; /* what others keep in the bucket */
    if (xml_child(contents, "Size", &inner) && xml_text(inner, digits, sizeof(digits)) &&
        slice_to_u64(slice_of(digits), &size))
        page->on_name(page->user, key + page->skip, size);
}

static enum err read_page(struct page *page, struct slice xml, struct why *why)
{
    struct slice result, name, inner;
    char truncated[8] = "";
    page->token[0] = '\0';
    if (!xml_child(xml, "ListBucketResult", &result))
        return why_set(why, ERR_IO, "the object store gave no list that can be read");
    if (xml_child(result, "IsTruncated", &inner))
        (void)xml_text(inner, truncated, sizeof(truncated));
    if (strcmp(truncated, "true") == 0 &&
        (!xml_child(result, "NextContinuationToken", &inner) ||
         !xml_text(inner, page->token, sizeof(page->token)) || page->token[0] == '\0'))
        return why_set(why, ERR_IO, "the object store gave a list that cannot be continued");
    enum xml_event event;
    while ((event = xml_next(&result, &name, &inner)) == XML_ELEMENT)
        if (slice_eq(name, slice_of("Contents")))
            take_object(page, inner);
    CHECK(event == XML_END); /* xml_child has been over all of it */
    return OK;
}

/* A page that was cut short is no list: it is looked at before any name of it is given. */
enum err s3_check_list(void *user, const struct http_response *response, struct why *why)
{
    struct slice result, name, inner;
    if (!xml_child(buf_slice(&response->body), user, &result))
        return why_set(why, ERR_IO, "the object store gave no list that can be read");
    enum xml_event event;
    while ((event = xml_next(&result, &name, &inner)) == XML_ELEMENT)
        continue;
    return event == XML_END ? OK : why_set(why, ERR_IO, "the object store gave half a list");
}

static enum err s3_list(struct object_store *s, const char *prefix, object_name_fn *on_name,
                        void *user, struct why *why)
{
    struct store_s3 *s3 = s3_of(s);
    struct page page = {.on_name = on_name, .user = user, .skip = strlen(s3->prefix)};
    struct http_response response;
    struct buf whole = BUF_INIT(MEM_SCRATCH);
    buf_printf(&whole, "%s%s", s3->prefix, prefix);
    buf_append_byte(&whole, '\0');
    CHECK(!buf_failed(&whole));
    http_response_init(&response, MEM_SCRATCH);
    enum err e;
    do {
        char root[] = "ListBucketResult";
        struct store_s3_call call = {.method = HTTP_GET,
                                     .response_max = S3_ANSWER_MAX,
                                     .check = s3_check_list,
                                     .user = root};
        s3_call_query(&call, "list-type", "2");
        s3_call_query(&call, "prefix", (const char *)whole.ptr);
        if (page.token[0] != '\0')
            s3_call_query(&call, "continuation-token", page.token);
        e = s3_call(s3, &call, &response, why);
        if (e == OK)
            e = read_page(&page, buf_slice(&response.body), why);
    } while (e == OK && page.token[0] != '\0');
    http_response_fini(&response);
    buf_fini(&whole);
    return e;
}

/* 204 No Content: any other success is of somebody else, who has removed nothing. */
enum err s3_check_removed(void *user, const struct http_response *response, struct why *why)
{
    (void)user;
    return response->status == 204
               ? OK
               : why_set(why, ERR_IO, "the object store answered %d to a removal",
                         response->status);
}

static enum err s3_remove(struct object_store *s, const char *name, struct why *why)
{
    CHECK(object_name_valid(name));
    struct http_response response;
    struct store_s3_call call = {.method = HTTP_DELETE,
                                 .name = name,
                                 .response_max = S3_ANSWER_MAX,
                                 .check = s3_check_removed};
    http_response_init(&response, MEM_SCRATCH);
    enum err e = s3_call(s3_of(s), &call, &response, why);
    http_response_fini(&response);
    return e == ERR_NOT_FOUND && strcmp(call.code, "NoSuchBucket") != 0 ? OK : e;
}

static enum err s3_clean(struct object_store *s, struct why *why)
{
    return s3_abort_uploads(s3_of(s), why);
}

/* -- opening ----------------------------------------------------------------------------------- */

static void s3_free(struct object_store *s)
{
    struct store_s3 *s3 = s3_of(s);
    s3_identity_fini(&s3->identity);
    s3->http->ops->free(s3->http);
    mem_free(MEM_SERVER, s3);
}

static const struct object_store_ops s3_ops = {
    .put = s3_put,
    .put_file = s3_put_file,
    .get = s3_get,
    .head = s3_head,
    .list = s3_list,
    .remove = s3_remove,
    .clean = s3_clean,
    .free = s3_free,
};

/* The option, or the first of two variables of the environment that is set, or the default. */
static const char *first_of(const struct object_store_options *o, const char *option,
                            const char *variable, const char *other, const char *otherwise)
{
    const char *const choices[] = {option, s3_env(o, variable), s3_env(o, other), otherwise};
    size_t i = 0;
    while (choices[i][0] == '\0' && i + 1 < COUNT_OF(choices))
        i++;
    return choices[i];
}

static bool only(const char *text, const char *letters)
{
    return text[0] != '\0' && strspn(text, letters) == strlen(text);
}

/* "https://host:port" split at the host. */
static enum err parse_endpoint(const char *endpoint, char scheme[9], char host[S3_HOST_MAX + 1],
                               struct why *why)
{
    const char *at = strstr(endpoint, "://");
    size_t scheme_len = at == NULL ? 0 : (size_t)(at - endpoint) + 3;
    size_t len = strlen(endpoint + scheme_len);
    if (len > 0 && endpoint[scheme_len + len - 1] == '/')
        len--;
    if ((scheme_len != 7 || memcmp(endpoint, "http://", 7) != 0) &&
        (scheme_len != 8 || memcmp(endpoint, "https://", 8) != 0))
        return why_set(why, ERR_ARG,
                       "object-store-endpoint: http://host:port or https://host:port");
    memcpy(scheme, endpoint, scheme_len);
    scheme[scheme_len] = '\0';
    if (len > S3_HOST_MAX)
        return why_set(why, ERR_LIMIT, "object-store-endpoint: the host is too long");
    memcpy(host, endpoint + scheme_len, len);
    host[len] = '\0';
    /* No @: credentials would be shown by CONFIG GET. No path: nobody would sign it. */
    if (!only(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]"))
        return why_set(why, ERR_ARG, "object-store-endpoint: after the host comes at most a port");
    return OK;
}

static enum err set_host(struct store_s3 *s3, const struct object_store_options *o, struct why *why)
{
    char aws[S3_REGION_MAX + 40], scheme[9], host[S3_HOST_MAX + 1];
    const char *region = first_of(o, o->region, "AWS_REGION", "AWS_DEFAULT_REGION", "us-east-1");
    if (strlen(region) > S3_REGION_MAX ||
        !only(region, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"))
        return why_set(why, ERR_ARG, "object-store-region: letters, digits, dashes");
    memcpy(s3->region, region, strlen(region) + 1);
    (void)snprintf(aws, sizeof(aws), "https://s3.%s.amazonaws.com", region);
    const char *endpoint = first_of(o, o->endpoint, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", aws);
    enum err e = parse_endpoint(endpoint, scheme, host, why);
    if (e != OK)
        return e;
    /* A certificate for *.s3.amazonaws.com does not hold for buckets with dots. */
    s3->path_style = o->path_style == OBJECT_PATH_STYLE_YES ||
                     (o->path_style == OBJECT_PATH_STYLE_AUTO &&
                      (endpoint != aws || strchr(s3->bucket, '.') != NULL));
    int len = snprintf(s3->scheme_host, sizeof(s3->scheme_host), "%s%s%s%s", scheme,
                       s3->path_style ? "" : s3->bucket, s3->path_style ? "" : ".", host);
    CHECK(len > 0 && (size_t)len < sizeof(s3->scheme_host));
    return OK;
}

enum err store_s3_open_over(struct io *io, const struct object_url *url,
                            const struct object_store_options *options, struct http_transport *http,
                            struct object_store **out, struct why *why)
{
    CHECK(url->scheme == OBJECT_SCHEME_S3 && strlen(url->place) < 64);
    CHECK(options->connect_timeout_ms > 0 && options->timeout_ms > 0);
    CHECK(options->part_size <= OBJECT_PART_SIZE_MAX && options->part_size > 0);
    struct store_s3 *s3 = mem_calloc(MEM_SERVER, sizeof(*s3));
    s3->base =
        (struct object_store){.ops = &s3_ops, .io = io, .block_size = (size_t)options->part_size};
    s3->http = http;
    memcpy(s3->bucket, url->place, strlen(url->place) + 1);
    memcpy(s3->prefix, url->prefix, strlen(url->prefix) + 1);
    s3->connect_timeout_ms = options->connect_timeout_ms;
    s3->timeout_ms = options->timeout_ms;
    s3->retries = options->retries < RETRIES_MAX ? options->retries : RETRIES_MAX;
    s3->part_size = options->part_size;
    io->ops->random(io, &s3->rng, sizeof(s3->rng));
    s3_identity_init(&s3->identity, io, http, options);
    enum err e = set_host(s3, options, why);
    if (e != OK) {
        s3_free(&s3->base);
        return e;
    }
    *out = &s3->base;
    return OK;
}

enum err store_s3_open(struct io *io, const struct object_url *url,
                       const struct object_store_options *options, struct object_store **out,
                       struct why *why)
{
    struct http_transport *http;
    enum err e = http_curl_new(io, options->ca_file, options->cancel, &http, why);
    if (e != OK)
        return e;
    return store_s3_open_over(io, url, options, http, out, why);
}
