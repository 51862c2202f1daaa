/* object_store.c: URLs, and what every store can do by the operations of any: whole objects into
 * memory and into files, verified. */
#include "persist/object_store.h"

#include "base/crc32c.h"

struct object_store_options object_store_options_default(void)
{
    return (struct object_store_options){
        .url = "",
        .endpoint = "",
        .region = "",
        .access_key = "",
        .secret_key = "",
        .session_token = "",
        .credentials_file = "",
        .profile = "",
        .ca_file = "",
        .connect_timeout_ms = 5000,
        .timeout_ms = 30000,
        .retries = 8,
        .part_size = 8 << 20,
    };
}

/* -- names and URLs ---------------------------------------------------------------------------- */

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool object_name_valid(const char *name)
{
    size_t len = strlen(name);
    if (len == 0 || len > OBJECT_NAME_MAX || name[0] == '.')
        return false;
    for (size_t i = 0; i < len; i++)
        if (!is_letter_or_digit(name[i]) && strchr("._-", name[i]) == NULL)
            return false;
    return true;
}

/* Amazon's rule for new buckets. */
static bool bucket_valid(const char *bucket)
{
    size_t len = strlen(bucket);
    for (size_t i = 0; i < len; i++)
        if (!(bucket[i] >= 'a' && bucket[i] <= 'z') && !(bucket[i] >= '0' && bucket[i] <= '9') &&
            (strchr(".-", bucket[i]) == NULL || i == 0 || i == len - 1))
            return false;
    return len >= 3 && len <= 63;
}

/* Segments of letters that no proxy and no server reads in two ways. */
static bool prefix_valid(const char *prefix)
{
    for (const char *c = prefix; *c != '\0'; c++)
        if (!is_letter_or_digit(*c) && strchr("._-=/", *c) == NULL)
            return false;
    return prefix[0] != '/' && prefix[0] != '.' && strstr(prefix, "//") == NULL &&
           strstr(prefix, "/.") == NULL;
}

/* Copies without the slashes at the end. */
static void copy_trimmed(char *to, const char *from)
{
    size_t len = strlen(from);
    while (len > 1 && from[len - 1] == '/')
        len--;
    memcpy(to, from, len);
    to[len] = '\0';
}

static enum err parse_s3(const char *rest, struct object_url *out, struct why *why)
{
    size_t bucket_len = strcspn(rest, "/");
    memcpy(out->place, rest, bucket_len);
    out->place[bucket_len] = '\0';
    out->prefix[0] = '\0';
    if (rest[bucket_len] == '/' && rest[bucket_len + 1] != '\0')
        copy_trimmed(out->prefix, rest + bucket_len + 1);
    size_t len = strlen(out->prefix);
    if (strchr(out->place, '@') != NULL || strchr(out->place, ':') != NULL)
        return why_set(why, ERR_ARG,
                       "an s3 URL holds no credentials and no port; see the options "
                       "object-store-secret-key and object-store-endpoint");
    if (!bucket_valid(out->place))
        return why_set(why, ERR_ARG,
                       "s3://bucket/prefix: a bucket has 3 to 63 lower-case letters, "
                       "digits, dots and dashes");
    if (!prefix_valid(out->prefix) || len >= OBJECT_URL_MAX)
        return why_set(why, ERR_ARG,
                       "s3://bucket/prefix: a prefix has letters, digits and ._-=/, "
                       "and no part that is empty or starts with a dot");
    if (len > 0)
        memcpy(out->prefix + len, "/", 2);
    return OK;
}

enum err object_url_parse(const char *url, struct object_url *out, struct why *why)
{
    static const char file[] = "file://", s3[] = "s3://";
    if (strlen(url) > OBJECT_URL_MAX)
        return why_set(why, ERR_LIMIT, "a URL of an object store has at most %d bytes",
                       OBJECT_URL_MAX);
    *out = (struct object_url){.scheme = OBJECT_SCHEME_FILE};
    if (strncmp(url, s3, sizeof(s3) - 1) == 0) {
        out->scheme = OBJECT_SCHEME_S3;
        return parse_s3(url + sizeof(s3) - 1, out, why);
    }
    if (strncmp(url, file, sizeof(file) - 1) != 0)
        return why_set(why, ERR_ARG,
                       "the URL of an object store is file:///folder or "
                       "s3://bucket/prefix");
    const char *path = url + sizeof(file) - 1;
    if (path[0] != '/')
        return why_set(why, ERR_ARG, "file:///folder: the folder is an absolute path");
    copy_trimmed(out->place, path);
    return OK;
}

/* -- opening ----------------------------------------------------------------------------------- */

enum err object_store_open(struct io *io, const struct object_store_options *options,
                           struct object_store **out, struct why *why)
{
    struct object_url url;
    enum err e = object_url_parse(options->url, &url, why);
    if (e != OK)
        return e;
    if (url.scheme == OBJECT_SCHEME_FILE)
        return store_local_open(io, &url, options, out, why);
    if (options->backend == OBJECT_BACKEND_CURL)
        return store_s3_open(io, &url, options, out, why);
#ifdef VDB_LIBS3
    return store_libs3_open(io, &url, options, out, why);
#else
    return why_set(why, ERR_UNSUPPORTED, "this vdb-server was built without libs3 (make LIBS3=1)");
#endif
}

void object_store_free(struct object_store *s)
{
    if (s != NULL)
        s->ops->free(s);
}

/* -- whole objects ----------------------------------------------------------------------------- */

static enum err check_crc(const char *name, const struct object_info *info, uint32_t crc,
                          struct why *why)
{
    if (!info->has_crc32c || info->crc32c == crc)
        return OK;
    return why_set(why, ERR_CORRUPT,
                   "object %s: its bytes have CRC32C %08x, but %08x was put with it", name, crc,
                   info->crc32c);
}

enum err object_get_whole(struct object_store *s, const char *name, size_t max, struct buf *out,
                          struct why *why)
{
    CHECK(max < SIZE_MAX);
    struct object_info info;
    size_t before = out->len;
    enum err e = s->ops->get(s, name, 0, max + 1, out, &info, why);
    if (e != OK)
        return e;
    struct slice bytes = {out->ptr + before, out->len - before};
    if (info.size > max)
        e = why_set(why, ERR_LIMIT, "object %s has more than %zu bytes", name, max);
    else if (info.size != bytes.len)
        e = why_set(why, ERR_IO, "object %s changed while it was read", name);
    else
        e = check_crc(name, &info, crc32c(bytes), why);
    if (e != OK)
        out->len = before;
    return e;
}

/* One download into a file. */
struct download {
    struct object_store *store;
    const char *name;
    struct io_file *file;
    struct buf block;
    struct object_info info; /* of the first block */
    uint64_t at;
    uint32_t crc;
    bool damaged; /* what came does not fit together: worth another try */
};

/* Gets one block more and writes it. */
static enum err download_block(struct download *d, struct why *why)
{
    struct object_info info;
    buf_clear(&d->block, SIZE_MAX);
    size_t wanted = d->store->block_size;
    enum err e = d->store->ops->get(d->store, d->name, d->at, wanted, &d->block, &info, why);
    if (e != OK)
        return e;
    if (d->at == 0)
        d->info = info;
    bool same = info.size == d->info.size && strcmp(info.etag, d->info.etag) == 0;
    bool whole = d->block.len == wanted || d->at + d->block.len == info.size;
    d->damaged = !same || !whole;
    if (d->damaged)
        return why_set(why, ERR_IO, "object %s changed while it was read", d->name);
    d->crc = crc32c_extend(d->crc, d->block.ptr, d->block.len);
    e = d->file->io->ops->file_write(d->file, d->at, d->block.ptr, d->block.len);
    d->at += d->block.len;
    return e == OK ? OK : why_set(why, e, "cannot write what was read of object %s", d->name);
}

static enum err download(struct download *d, struct why *why)
{
    d->at = d->crc = 0;
    d->damaged = false;
    enum err e;
    do {
        e = download_block(d, why);
    } while (e == OK && d->at < d->info.size);
    if (e == OK) {
        e = check_crc(d->name, &d->info, d->crc, why);
        d->damaged = e != OK;
    }
    return e;
}

enum err object_get_file(struct object_store *s, const char *name, const char *path,
                         struct why *why)
{
    const struct io_ops *ops = s->io->ops;
    struct download d = {.store = s, .name = name, .block = BUF_INIT(MEM_SCRATCH)};
    enum err e = ops->file_open(s->io, path, IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &d.file, why);
    if (e != OK)
        return e;
    e = download(&d, why);
    if (d.damaged) {
        /* On the way, or because the object was replaced meanwhile; at rest it fails again. */
        e = ops->file_truncate(d.file, 0);
        e = e == OK ? download(&d, why) : why_set(why, e, "cannot truncate %s", path);
    }
    if (e == OK) {
        e = ops->file_sync(d.file);
        if (e != OK)
            (void)why_set(why, e, "cannot sync %s", path);
    }
    ops->file_close(d.file);
    buf_fini(&d.block);
    if (e != OK) {
        enum err removed = ops->remove(s->io, path);
        (void)removed; /* best effort: the caller hears of the first failure */
    }
    return e;
}
