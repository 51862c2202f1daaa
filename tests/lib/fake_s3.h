/* fake_s3.h: an S3 server in memory, as an HTTP transport, with a clock of its own and with every
 * way to fail. It looks at requests as a server does: by the bytes that would travel. */
#ifndef VDB_TESTS_LIB_FAKE_S3_H
#define VDB_TESTS_LIB_FAKE_S3_H

#include "persist/store_s3.h"

/* What the n-th request meets. */
#define FAKE_FAULT_LIST(X)                                                                         \
    X(FAKE_NO_FAULT)                                                                               \
    X(FAKE_NO_CONNECTION) /* nothing reaches the server */                                         \
    X(FAKE_TIMEOUT)       /* nothing comes back until the time is over */                          \
    X(FAKE_ANSWER_LOST)   /* the server did it, and the connection is reset */                     \
    X(FAKE_500)           /* it did not */                                                         \
    X(FAKE_500_DONE)      /* it did, and says 500 all the same */                                  \
    X(FAKE_503_SLOW_DOWN)                                                                          \
    X(FAKE_RESET_IN_BODY) /* half the answer, then a reset */                                      \
    X(FAKE_TRUNCATED)     /* half the body, as if it were all */                                   \
    X(FAKE_WRONG_ETAG)                                                                             \
    X(FAKE_FLIPPED_DOWN) /* one bit of the answer's body */                                        \
    X(FAKE_FLIPPED_UP)   /* one bit of the request's body */                                       \
    X(FAKE_EXPIRED_TOKEN)                                                                          \
    X(FAKE_PORTAL)       /* 200 and a page of somebody else */                                     \
    X(FAKE_ERROR_IN_200) /* InternalError in the body of a 200 */

enum fake_fault {
#define X(name) name,
    FAKE_FAULT_LIST(X)
#undef X
        FAKE_FAULT_COUNT
};

const char *fake_fault_name(enum fake_fault fault);

struct fake_object {
    char key[256];
    struct buf bytes;
    char etag[80];
    char crc[16]; /* x-amz-meta-crc32c */
};

enum { FAKE_OBJECTS_MAX = 64, FAKE_UPLOADS_MAX = 64, FAKE_PARTS_MAX = 64, FAKE_PAGE = 3 };

struct fake_upload {
    unsigned id; /* 0: no upload */
    char key[256], crc[16];
    struct buf parts[FAKE_PARTS_MAX]; /* part n at n - 1 */
};

/* owner: the store it is given to, which frees it */
struct fake_s3 {
    struct http_transport base;           /* first */
    const struct s3_credentials *account; /* who may; a signature of another is refused */
    uint64_t wall_ms;
    uint64_t server_ahead_ms; /* how far its clock is ahead; past 15 minutes it refuses */
    uint64_t waited_ms;       /* by wait() */
    unsigned requests;
    unsigned uploads_begun;
    enum fake_fault fault; /* that happens at request number fault_at, and after it if for ever */
    unsigned fault_at;     /* from 1 */
    bool for_ever;
    bool fired;
    const char *retry_after; /* of FAKE_503_SLOW_DOWN; NULL: none */
    bool cancelled;
    bool kms;                 /* ETags are not MD5s and the answers say so */
    bool saw_unsigned_header; /* of a request, though it should be signed */
    char last_url[HTTP_URL_MAX];
    /* The metadata service of EC2: what it answers; NULL: there is none. */
    const char *metadata_role;
    char metadata_json[1024];
    unsigned metadata_requests;
    struct fake_object objects[FAKE_OBJECTS_MAX];
    size_t object_count;
    struct fake_upload uploads[FAKE_UPLOADS_MAX];
};

/* A server with one account, whose only bucket is "bucket" at http://s3.test. */
struct fake_s3 *fake_s3_new(const struct s3_credentials *account);

const struct fake_object *fake_s3_find(const struct fake_s3 *f, const char *key);
unsigned fake_s3_upload_count(const struct fake_s3 *f);

#endif
