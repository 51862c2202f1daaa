/* store_libs3.c: an object store in an S3 bucket over libs3, for builds with LIBS3=1.
 *
 * Where the bucket is, who we are and how to wait is what store_s3.c finds out; only the requests
 * are libs3's. Its version 2.0 signs with signature version 2, which Amazon's newer regions refuse
 * and Ceph takes; it knows neither parts of uploads, session tokens nor certificates of one's own.
 *
 * Requests are driven step by step, as libs3's own blocking calls have no timeout and cannot be
 * cancelled. An answer to a range does not say how large the object is, so a HEAD goes before it.
 */
#include <libs3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "base/digest.h"
#include "persist/store_s3.h"

enum {
    STEP_MS = 20,
    MESSAGE_MAX = 160,
    BLOCK_SIZE = 1 << 20,
    PAGE_MAX = 1000,
    NAME_SIZE = OBJECT_URL_MAX + OBJECT_NAME_MAX + 2
};
#define PUT_SIZE_MAX (UINT64_C(5) << 30) /* of S3, for a put in one piece */

/* owner: whoever opened it */
struct store_libs3 {
    struct object_store base; /* first */
    struct store_s3 *s3;      /* place, credentials, clock; its operations are not used */
    const atomic_bool *cancel;
    const char *host; /* in s3->scheme_host */
};

/* One entry of a page of a list. */
struct entry {
    uint64_t size;
    char name[OBJECT_NAME_MAX + 1];
};

/* A request, and what comes of it. */
struct call {
    struct store_libs3 *store;
    void (*send)(struct call *c, const S3BucketContext *bucket, S3RequestContext *context);
    enum err (*check)(struct call *c, struct why *why); /* of an answer that seems right; or NULL */
    char key[NAME_SIZE];

    struct io_file *file; /* put: NULL: bytes */
    struct slice bytes;
    uint64_t size, at;
    enum err read_error;
    const char *crc;

    struct buf *out; /* get */
    size_t before;   /* out->len when the call was made */
    size_t len;
    const char *if_etag;
    struct object_info info;
    bool seemed_cut; /* head */

    struct buf entries; /* list */
    char from[NAME_SIZE]; /* the page begins after this key */
    char marker[NAME_SIZE];
    bool more;

    bool done;
    uint64_t heard_us; /* monotonic: when there last was a sign of life */
    S3Status status;
    char message[MESSAGE_MAX + 1];
};

static uint64_t now_us(const struct call *c)
{
    struct io *io = c->store->base.io;
    return io->ops->mono_us(io);
}

/* -- callbacks --------------------------------------------------------------------------------- */

static void take_crc(struct object_info *info, const char *value)
{
    char *end;
    unsigned long crc = strtoul(value, &end, 16);
    info->has_crc32c = strlen(value) == 8 && *end == '\0';
    info->crc32c = (uint32_t)crc;
}

static S3Status on_properties(const S3ResponseProperties *p, void *user)
{
    struct call *c = user;
    c->heard_us = now_us(c);
    c->info = (struct object_info){.size = p->contentLength};
    const char *etag = p->eTag != NULL ? p->eTag : "";
    size_t len = strlen(etag), quoted = len >= 2 && etag[0] == '"' && etag[len - 1] == '"';
    if (len - 2 * quoted <= OBJECT_ETAG_MAX)
        memcpy(c->info.etag, etag + quoted, len - 2 * quoted);
    for (int i = 0; i < p->metaDataCount; i++)
        if (strcmp(p->metaData[i].name, "crc32c") == 0)
            take_crc(&c->info, p->metaData[i].value);
    return S3StatusOK;
}

static void on_complete(S3Status status, const S3ErrorDetails *details, void *user)
{
    struct call *c = user;
    c->done = true;
    c->status = status;
    const char *text = details != NULL && details->message != NULL ? details->message : "";
    (void)snprintf(c->message, sizeof(c->message), "%s", text);
    for (char *at = c->message; *at != '\0'; at++)
        if ((uint8_t)*at < ' ' || (uint8_t)*at > '~')
            *at = '?';
}

static int on_send(int size, char *to, void *user)
{
    struct call *c = user;
    uint64_t left = c->size - c->at;
    size_t len = left < (uint64_t)size ? (size_t)left : (size_t)size, got = len;
    c->heard_us = now_us(c);
    if (c->file == NULL)
        memcpy(to, c->bytes.ptr + c->at, len);
    else
        c->read_error = c->file->io->ops->file_read(c->file, c->at, to, len, &got);
    if (c->read_error == OK && got != len)
        c->read_error = ERR_IO; /* it became shorter */
    c->at += got;
    return c->read_error == OK ? (int)len : -1;
}

static S3Status on_bytes(int size, const char *bytes, void *user)
{
    struct call *c = user;
    c->heard_us = now_us(c);
    if (c->out->len - c->before + (size_t)size > c->len)
        return S3StatusAbortedByCallback;
    buf_append(c->out, bytes, (size_t)size);
    return buf_failed(c->out) ? S3StatusOutOfMemory : S3StatusOK;
}

static S3Status on_page(int truncated, const char *next, int count, const S3ListBucketContent *all,
                        int prefix_count, const char **prefixes, void *user)
{
    struct call *c = user;
    size_t skip = strlen(c->store->s3->prefix);
    (void)prefix_count;
    (void)prefixes;
    c->heard_us = now_us(c);
    c->more = truncated != 0;
    for (int i = 0; i < count; i++) {
        struct entry entry = {.size = all[i].size};
        const char *key = all[i].key;
        (void)snprintf(c->marker, sizeof(c->marker), "%s", key);
        if (strlen(key) < skip || !object_name_valid(key + skip))
            continue; /* what others keep in the bucket */
        memcpy(entry.name, key + skip, strlen(key + skip) + 1);
        buf_append(&c->entries, &entry, sizeof(entry));
    }
    if (next != NULL && next[0] != '\0')
        (void)snprintf(c->marker, sizeof(c->marker), "%s", next);
    return buf_failed(&c->entries) ? S3StatusOutOfMemory : S3StatusOK;
}

static const S3ResponseHandler handler = {on_properties, on_complete};

/* -- one call ---------------------------------------------------------------------------------- */

static bool is_cancelled(const struct store_libs3 *s)
{
    return s->cancel != NULL && atomic_load(s->cancel);
}

/* Waits until the connection has something, for a moment at most: select knows no descriptor from
 * 1024 on, of which a server may have many. */
static void wait_for_bytes(S3RequestContext *context)
{
    fd_set reads, writes, errors;
    int max = -1;
    struct timeval moment = {.tv_usec = STEP_MS * 1000};
    FD_ZERO(&reads);
    FD_ZERO(&writes);
    FD_ZERO(&errors);
    (void)S3_get_request_context_fdsets(context, &reads, &writes, &errors, &max);
    (void)select(max + 1, &reads, &writes, &errors, &moment);
}

/* Sends it once; c->status says what came of it. */
static enum err send_once(struct call *c, struct why *why)
{
    struct store_s3 *s3 = c->store->s3;
    const struct s3_credentials *who;
    S3RequestContext *context;
    int left = 1;
    enum err e = s3_identity_get(&s3->identity, &who, why);
    if (e != OK)
        return e;
    if (who->session_token[0] != '\0')
        return why_set(why, ERR_UNSUPPORTED,
                       "libs3 knows no session tokens: set object-store-backend curl");
    if (S3_create_request_context(&context) != S3StatusOK)
        return ERR_NOMEM;
    S3BucketContext bucket = {
        .hostName = c->store->host,
        .bucketName = s3->bucket,
        .protocol = strncmp(s3->scheme_host, "https", 5) == 0 ? S3ProtocolHTTPS : S3ProtocolHTTP,
        .uriStyle = s3->path_style ? S3UriStylePath : S3UriStyleVirtualHost,
        .accessKeyId = who->access_key,
        .secretAccessKey = who->secret_key};
    c->done = false;
    c->heard_us = now_us(c);
    c->send(c, &bucket, context);
    uint64_t patience_us = (uint64_t)s3->timeout_ms * 1000;
    while (!c->done && left > 0 && !is_cancelled(c->store) && now_us(c) - c->heard_us < patience_us)
        if (S3_runonce_request_context(context, &left) != S3StatusOK)
            break;
        else if (!c->done)
            wait_for_bytes(context);
    bool answered = c->done;
    S3_destroy_request_context(context);
    if (!answered)
        c->status = S3StatusInterrupted;
    return is_cancelled(c->store) ? ERR_CANCELLED : OK;
}

static enum err error_of(S3Status status)
{
    switch ((int)status) { /* it has a hundred values */
    case S3StatusErrorNoSuchKey:
    case S3StatusErrorNoSuchBucket:
    case S3StatusHttpErrorNotFound:
        return ERR_NOT_FOUND;
    case S3StatusErrorAccessDenied:
    case S3StatusErrorInvalidAccessKeyId:
    case S3StatusErrorSignatureDoesNotMatch:
    case S3StatusErrorExpiredToken:
    case S3StatusHttpErrorForbidden:
        return ERR_NOAUTH;
    case S3StatusErrorBadDigest:
        return ERR_CORRUPT;
    case S3StatusOutOfMemory:
        return ERR_NOMEM;
    default:
        return ERR_IO;
    }
}

/* What libs3 does not call worth another try, and is: the object was replaced between HEAD and GET,
 * the server was silent, the connection broke. */
static bool may_pass(S3Status status)
{
    switch ((int)status) {
    case S3StatusInterrupted:
    case S3StatusInternalError: /* what curl could not do and libs3 has no name for */
    case S3StatusConnectionFailed:
    case S3StatusFailedToConnect:
    case S3StatusNameLookupError:
    case S3StatusErrorPreconditionFailed:
    case S3StatusErrorBadDigest:
    case S3StatusErrorSlowDown:
    case S3StatusErrorIncompleteBody:
    case S3StatusErrorRequestTimeout:
    case S3StatusXmlParseFailure:
    case S3StatusHttpErrorUnknown: /* 500 and its like without a body */
        return true;
    default:
        return S3_status_is_retryable(status) != 0;
    }
}

static enum err judge(struct call *c, bool *again, struct why *why)
{
    *again = may_pass(c->status);
    if (c->read_error != OK) {
        *again = false;
        return why_set(why, c->read_error, "cannot read what is to be put");
    }
    if (c->status != S3StatusOK)
        return why_set(why, error_of(c->status), "the object store, over libs3: %s%s%s",
                       c->status == S3StatusInterrupted ? "no answer"
                                                        : S3_get_status_name(c->status),
                       c->message[0] != '\0' ? ": " : "", c->message);
    *again = true;
    return c->check != NULL ? c->check(c, why) : OK;
}

/* Sends it until it is answered for good. */
static enum err perform(struct call *c, struct why *why)
{
    struct store_s3 *s3 = c->store->s3;
    struct http_response none;
    struct why ours;
    struct why *text = why != NULL ? why : &ours;
    enum err e = OK;
    bool again = true;
    http_response_init(&none, MEM_SCRATCH);
    for (uint32_t tried = 0; again; tried++) {
        text->text[0] = '\0';
        again = false;
        e = send_once(c, text);
        if (e == OK)
            e = judge(c, &again, text);
        again = again && e != OK && tried < s3->retries;
        enum err waited = OK;
        if (again)
            waited = s3->http->ops->wait(s3->http, s3_retry_delay_ms(tried + 1, &none, &s3->rng));
        if (waited != OK || e == ERR_CANCELLED) {
            e = why_set(text, ERR_CANCELLED, "cancelled");
            again = false;
        }
    }
    http_response_fini(&none);
    return e;
}

static struct call call_of(struct object_store *s, const char *name)
{
    struct call c = {.store = (struct store_libs3 *)s};
    int len = snprintf(c.key, sizeof(c.key), "%s%s", c.store->s3->prefix, name);
    CHECK(len >= 0 && (size_t)len < sizeof(c.key));
    return c;
}

/* -- put --------------------------------------------------------------------------------------- */

static void send_put(struct call *c, const S3BucketContext *bucket, S3RequestContext *context)
{
    const S3NameValue crc = {"crc32c", c->crc};
    const S3PutProperties properties = {.contentType = "application/octet-stream",
                                        .expires = -1,
                                        .cannedAcl = S3CannedAclPrivate,
                                        .metaDataCount = 1,
                                        .metaData = &crc};
    const S3PutObjectHandler put = {handler, on_send};
    c->at = 0;
    S3_put_object(bucket, c->key, c->size, &properties, context, &put, c);
}

/* In one piece and without a key service the ETag is the MD5 of the bytes. */
static enum err check_put(struct call *c, struct why *why)
{
    uint8_t md5[MD5_SIZE];
    char hex[DIGEST_HEX_MAX];
    if (c->file != NULL || strlen(c->info.etag) != 2 * MD5_SIZE || !digest_md5(c->bytes, md5))
        return OK;
    digest_hex(md5, sizeof(md5), hex);
    return strcasecmp(hex, c->info.etag) == 0
               ? OK
               : why_set(why, ERR_CORRUPT, "the object store has other bytes than were sent");
}

static enum err libs3_put(struct object_store *s, const char *name, struct slice bytes,
                          struct why *why)
{
    char crc[9];
    CHECK(object_name_valid(name));
    struct call c = call_of(s, name);
    (void)snprintf(crc, sizeof(crc), "%08x", crc32c(bytes));
    c.send = send_put;
    c.check = check_put;
    c.bytes = bytes;
    c.size = bytes.len;
    c.crc = crc;
    return perform(&c, why);
}

static enum err crc_of_file(struct io_file *file, uint64_t size, uint32_t *out)
{
    uint8_t *block = mem_alloc(MEM_SCRATCH, BLOCK_SIZE);
    enum err e = OK;
    *out = 0;
    for (uint64_t at = 0; at < size && e == OK; at += BLOCK_SIZE) {
        size_t wanted = size - at < BLOCK_SIZE ? (size_t)(size - at) : BLOCK_SIZE, got = 0;
        e = file->io->ops->file_read(file, at, block, wanted, &got);
        *out = crc32c_extend(*out, block, got);
    }
    mem_free(MEM_SCRATCH, block);
    return e;
}

static enum err libs3_put_file(struct object_store *s, const char *name, const char *path,
                               struct why *why)
{
    char crc[9];
    uint32_t value;
    CHECK(object_name_valid(name));
    struct call c = call_of(s, name);
    enum err e = s->io->ops->file_open(s->io, path, IO_READ, &c.file, why);
    if (e != OK)
        return e;
    e = s->io->ops->file_size(c.file, &c.size);
    if (e == OK && c.size > PUT_SIZE_MAX)
        e = why_set(why, ERR_LIMIT, "libs3 puts at most 5 GB: set object-store-backend curl");
    if (e == OK)
        e = crc_of_file(c.file, c.size, &value);
    if (e == OK) {
        (void)snprintf(crc, sizeof(crc), "%08x", value);
        c.send = send_put;
        c.crc = crc;
        e = perform(&c, why);
    }
    s->io->ops->file_close(c.file);
    return e;
}

/* -- get --------------------------------------------------------------------------------------- */

static void send_head(struct call *c, const S3BucketContext *bucket, S3RequestContext *context)
{
    S3_head_object(bucket, c->key, context, &handler, c);
}

/* libs3 takes an answer that ends within its headers for a whole one. What has no CRC may be such,
 * or put by others: it is asked for once more. */
static enum err check_head(struct call *c, struct why *why)
{
    if (c->info.etag[0] == '\0')
        return why_set(why, ERR_IO, "an answer without an ETag is not from an object store");
    if (!c->info.has_crc32c && !c->seemed_cut) {
        c->seemed_cut = true;
        return why_set(why, ERR_IO, "an answer was cut short");
    }
    return OK;
}

static enum err libs3_head(struct object_store *s, const char *name, struct object_info *info,
                           struct why *why)
{
    CHECK(object_name_valid(name));
    struct call c = call_of(s, name);
    c.send = send_head;
    c.check = check_head;
    enum err e = perform(&c, why);
    *info = c.info;
    return e;
}

static void send_get(struct call *c, const S3BucketContext *bucket, S3RequestContext *context)
{
    const S3GetConditions conditions = {
        .ifModifiedSince = -1, .ifNotModifiedSince = -1, .ifMatchETag = c->if_etag};
    const S3GetObjectHandler get = {handler, on_bytes};
    c->out->len = c->before; /* what an attempt before has brought */
    S3_get_object(bucket, c->key, &conditions, c->at, c->len, context, &get, c);
}

static enum err check_get(struct call *c, struct why *why)
{
    struct slice body = {c->out->ptr + c->before, c->out->len - c->before};
    if (body.len != c->len)
        return why_set(why, ERR_IO, "an answer holds other bytes than were asked for");
    if (c->at == 0 && c->size == body.len && c->info.has_crc32c && crc32c(body) != c->info.crc32c)
        return why_set(why, ERR_CORRUPT, "the bytes are not those that were put (CRC32C)");
    return OK;
}

static enum err libs3_get(struct object_store *s, const char *name, uint64_t at, size_t len,
                          struct buf *out, struct object_info *info, struct why *why)
{
    enum err e = libs3_head(s, name, info, why);
    if (e != OK || len == 0 || at >= info->size)
        return e; /* a range past the end has nothing in it */
    struct call c = call_of(s, name);
    c.send = send_get;
    c.check = check_get;
    c.out = out;
    c.before = out->len;
    c.at = at;
    c.size = info->size;
    c.len = info->size - at < len ? (size_t)(info->size - at) : len;
    c.if_etag = info->etag;
    e = perform(&c, why);
    if (e != OK)
        out->len = c.before;
    return e;
}

/* -- list and remove --------------------------------------------------------------------------- */

static void send_list(struct call *c, const S3BucketContext *bucket, S3RequestContext *context)
{
    const S3ListBucketHandler list = {handler, on_page};
    const char *from = c->from[0] != '\0' ? c->from : NULL;
    buf_clear(&c->entries, SIZE_MAX);
    S3_list_bucket(bucket, c->key, from, NULL, PAGE_MAX, context, &list, c);
}

static enum err list_page(struct call *c, struct why *why)
{
    memcpy(c->from, c->marker, sizeof(c->from));
    enum err e = perform(c, why);
    if (e == OK && c->more && strcmp(c->from, c->marker) == 0)
        return why_set(why, ERR_IO, "the object store gave a list that cannot be continued");
    return e;
}

static enum err libs3_list(struct object_store *s, const char *prefix, object_name_fn *on_name,
                           void *user, struct why *why)
{
    struct call c = call_of(s, prefix);
    c.send = send_list;
    buf_init(&c.entries, MEM_SCRATCH);
    enum err e;
    do {
        e = list_page(&c, why);
        const struct entry *entries = (const struct entry *)(const void *)c.entries.ptr;
        for (size_t i = 0; e == OK && i < c.entries.len / sizeof(*entries); i++)
            on_name(user, entries[i].name, entries[i].size);
    } while (e == OK && c.more);
    buf_fini(&c.entries);
    return e;
}

static void send_remove(struct call *c, const S3BucketContext *bucket, S3RequestContext *context)
{
    S3_delete_object(bucket, c->key, context, &handler, c);
}

static enum err libs3_remove(struct object_store *s, const char *name, struct why *why)
{
    CHECK(object_name_valid(name));
    struct call c = call_of(s, name);
    c.send = send_remove;
    enum err e = perform(&c, why);
    return e == ERR_NOT_FOUND && c.status != S3StatusErrorNoSuchBucket ? OK : e;
}

/* A put in one piece leaves nothing. */
static enum err libs3_clean(struct object_store *s, struct why *why)
{
    (void)s;
    (void)why;
    return OK;
}

/* -- opening ----------------------------------------------------------------------------------- */

static void libs3_free(struct object_store *s)
{
    struct store_libs3 *store = (struct store_libs3 *)s;
    S3_deinitialize();
    object_store_free(&store->s3->base);
    mem_free(MEM_SERVER, store);
}

static const struct object_store_ops libs3_ops = {
    .put = libs3_put,
    .put_file = libs3_put_file,
    .get = libs3_get,
    .head = libs3_head,
    .list = libs3_list,
    .remove = libs3_remove,
    .clean = libs3_clean,
    .free = libs3_free,
};

/* "https://bucket.host:port" without what libs3 puts in front by itself. */
static const char *host_of(const struct store_s3 *s3)
{
    const char *host = strstr(s3->scheme_host, "://") + 3;
    return s3->path_style ? host : host + strlen(s3->bucket) + 1;
}

enum err store_libs3_open(struct io *io, const struct object_url *url,
                          const struct object_store_options *options, struct object_store **out,
                          struct why *why)
{
    struct object_store *s3;
    if (options->ca_file[0] != '\0')
        return why_set(why, ERR_UNSUPPORTED, "libs3 trusts the certificates of the system only: "
                                             "set object-store-backend curl");
    enum err e = store_s3_open(io, url, options, &s3, why);
    if (e != OK)
        return e;
    struct store_libs3 *store = mem_calloc(MEM_SERVER, sizeof(*store));
    store->base = (struct object_store){.ops = &libs3_ops, .io = io, .block_size = s3->block_size};
    store->s3 = (struct store_s3 *)s3;
    store->cancel = options->cancel;
    store->host = host_of(store->s3);
    /* Counted; stores are opened and freed on one thread. */
    S3Status status = S3_initialize("vdb", S3_INIT_ALL, store->host);
    if (status != S3StatusOK) {
        object_store_free(s3);
        mem_free(MEM_SERVER, store);
        return why_set(why, ERR_IO, "libs3 does not start: %s", S3_get_status_name(status));
    }
    *out = &store->base;
    return OK;
}
