/* object_store.h: a place away from the server's folder where whole objects are kept under names.
 *
 * One struct of operations, three implementations: a local folder (store_local.c), S3 over libcurl
 * (store_s3.c) and S3 over libs3 (store_libs3.c, when built with LIBS3=1). Which one is decided by
 * the URL: file:///folder or s3://bucket/prefix.
 *
 * What holds for all of them:
 * - An object is there whole or not at all, whatever happens while it is put; a put that returned
 *   OK lasts. Putting a name again replaces the object.
 * - Names are flat: letters, digits, '.', '_' and '-', not starting with '.', at most
 *   OBJECT_NAME_MAX bytes.
 * - Failures that pass (a timeout, a busy server, bytes damaged on the way) are tried again inside,
 *   with growing random pauses; what is returned is final. ERR_NOT_FOUND: no such object or bucket.
 *   ERR_NOAUTH: credentials are missing or refused. ERR_CORRUPT: the bytes are not those that were
 *   put. ERR_CANCELLED: cancel was set. ERR_LIMIT: larger than allowed. ERR_IO: the rest.
 *
 * Threads: all calls block and are made on one thread at a time (a JOB_UPLOAD lane, or main before
 * the server runs); only *cancel is set from elsewhere. */
#ifndef VDB_PERSIST_OBJECT_STORE_H
#define VDB_PERSIST_OBJECT_STORE_H

#include <stdatomic.h>

#include "base/io.h"

enum {
    OBJECT_NAME_MAX = 200,
    OBJECT_URL_MAX = 1023,
    OBJECT_ETAG_MAX = 127,
    OBJECT_PART_SIZE_MIN = 5 << 20, /* of S3, for every part of an upload but the last */
    OBJECT_PART_SIZE_MAX = 1 << 30
};

struct object_store;

/* What a store knows of an object. */
struct object_info {
    uint64_t size;
    bool has_crc32c; /* the store keeps the CRC32C of what was put */
    uint32_t crc32c;
    char etag[OBJECT_ETAG_MAX + 1]; /* changes when the object does; "" where there is none */
};

typedef void object_name_fn(void *user, const char *name, uint64_t size);

struct object_store_ops {
    MUST_USE enum err (*put)(struct object_store *s, const char *name, struct slice bytes,
                             struct why *why);
    /* The bytes of a local file, in parts when there are many. */
    MUST_USE enum err (*put_file)(struct object_store *s, const char *name, const char *path,
                                  struct why *why);
    /* Appends at most len bytes from at on; fewer only at the end of the object. */
    MUST_USE enum err (*get)(struct object_store *s, const char *name, uint64_t at, size_t len,
                             struct buf *out, struct object_info *info, struct why *why);
    MUST_USE enum err (*head)(struct object_store *s, const char *name, struct object_info *info,
                              struct why *why);
    /* Calls on_name for every object whose name starts with prefix, in no promised order. */
    MUST_USE enum err (*list)(struct object_store *s, const char *prefix, object_name_fn *on_name,
                              void *user, struct why *why);
    /* OK also when there is none. */
    MUST_USE enum err (*remove)(struct object_store *s, const char *name, struct why *why);
    /* Removes what puts that a crash cut short have left behind and list does not show: temporary
     * files, parts of uploads. No put may be under way anywhere. */
    MUST_USE enum err (*clean)(struct object_store *s, struct why *why);
    void (*free)(struct object_store *s);
};

/* owner: whoever opened it; embedded by the implementation */
struct object_store {
    const struct object_store_ops *ops;
    struct io *io;     /* files */
    size_t block_size; /* bytes that a download asks for at a time */
};

enum object_path_style { OBJECT_PATH_STYLE_AUTO, OBJECT_PATH_STYLE_YES, OBJECT_PATH_STYLE_NO };
enum object_backend { OBJECT_BACKEND_CURL, OBJECT_BACKEND_LIBS3 };

/* How to reach a store. Texts must outlive the opening only. */
struct object_store_options {
    const char *url;
    const char *endpoint; /* "" for AWS; http://host:port or https://... */
    const char *region;   /* "": from the environment, else us-east-1 */
    enum object_path_style path_style;
    enum object_backend backend;
    const char *access_key; /* "": from the environment, the file, or the machine */
    const char *secret_key;
    const char *session_token;
    const char *credentials_file; /* "": AWS_SHARED_CREDENTIALS_FILE, else ~/.aws/credentials */
    const char *profile;          /* "": AWS_PROFILE, else default */
    const char *ca_file;          /* "": those of the system */
    uint32_t connect_timeout_ms;
    uint32_t timeout_ms; /* silence, or a trickle, after which an attempt has failed */
    uint32_t retries;    /* attempts after the first */
    uint64_t part_size;
    const char *(*env)(const char *name); /* the environment; NULL gives nothing */
    const atomic_bool *cancel;            /* may be NULL; calls end soon after it is set */
};

/* Texts are "", numbers those that config.def has. */
struct object_store_options object_store_options_default(void);

/* Opens what options->url names. Nothing is asked of the network yet. ERR_ARG: not a URL of a
 * store; ERR_UNSUPPORTED: a backend that is not in this build. */
MUST_USE enum err object_store_open(struct io *io, const struct object_store_options *options,
                                    struct object_store **out, struct why *why);
/* NULL is allowed. */
void object_store_free(struct object_store *s);

bool object_name_valid(const char *name);

/* The whole object, appended to out; ERR_LIMIT when it has more than max bytes. Verified where the
 * store keeps a checksum. */
MUST_USE enum err object_get_whole(struct object_store *s, const char *name, size_t max,
                                   struct buf *out, struct why *why);
/* The whole object into a new local file, synced (its folder is not); verified likewise. On failure
 * there is no file. */
MUST_USE enum err object_get_file(struct object_store *s, const char *name, const char *path,
                                  struct why *why);

enum object_scheme { OBJECT_SCHEME_FILE, OBJECT_SCHEME_S3 };

/* A URL taken apart. */
struct object_url {
    enum object_scheme scheme;
    char place[OBJECT_URL_MAX + 1];  /* the folder, or the bucket */
    char prefix[OBJECT_URL_MAX + 1]; /* s3: "" or ends with '/'; goes before every name */
};

/* ERR_ARG with a reason that never repeats what might be a password. */
MUST_USE enum err object_url_parse(const char *url, struct object_url *out, struct why *why);

/* The constructors, for object_store_open and tests. */
MUST_USE enum err store_local_open(struct io *io, const struct object_url *url,
                                   const struct object_store_options *options,
                                   struct object_store **out, struct why *why);
MUST_USE enum err store_s3_open(struct io *io, const struct object_url *url,
                                const struct object_store_options *options,
                                struct object_store **out, struct why *why);
#ifdef VDB_LIBS3
MUST_USE enum err store_libs3_open(struct io *io, const struct object_url *url,
                                   const struct object_store_options *options,
                                   struct object_store **out, struct why *why);
#endif

#endif
