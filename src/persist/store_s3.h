/* store_s3.h: the parts of the S3 backend. Private to store_s3*.c and their tests.
 *
 *     store_s3.c, store_s3_multipart.c    the operations of object_store.h, as calls
 *     store_s3_call.c                     one call: built, signed, sent, judged, tried again
 *     store_s3_sign.c, _xml.c, _retry.c   pure: signature version 4, answers, what a failure means
 *     store_s3_credentials.c, _imds.c     who we are
 *     http.h                              bytes
 */
#ifndef VDB_PERSIST_STORE_S3_H
#define VDB_PERSIST_STORE_S3_H

#include "base/date.h"
#include "persist/http.h"
#include "persist/object_store.h"

enum {
    S3_HOST_MAX = 300,
    S3_REGION_MAX = 63,
    S3_KEY_MAX = 128,
    S3_SECRET_MAX = 256,
    S3_TOKEN_MAX = 8191,
    S3_PAIRS_MAX = 8,
    S3_CODE_MAX = 63,
    S3_ANSWER_MAX = 8 << 20 /* bytes of an answer that is not an object: a page of a list */
};

/* -- signing (store_s3_sign.c) ----------------------------------------------------------------- */

/* Wiped when dropped; in no message, no log and no answer of CONFIG GET. */
struct s3_credentials {
    char access_key[S3_KEY_MAX + 1];
    char secret_key[S3_SECRET_MAX + 1];
    char session_token[S3_TOKEN_MAX + 1]; /* "": none */
    uint64_t expires_ms;                  /* Unix time; 0: never */
};

struct s3_to_sign {
    enum http_method method;
    const char *path;         /* encoded as it is sent */
    const char *query;        /* encoded, sorted by name, "a=&b=2"; "" when there is none */
    struct slice headers;     /* "name:value\n", lower-case names, sorted, with host */
    const char *payload_hash; /* hexadecimal SHA-256 of the body */
    const char *region;
    const char *time; /* date_print_compact */
};

/* Appends the value of the Authorization header. AWS Signature Version 4, as in "Authenticating
 * Requests: Using the Authorization Header" of the S3 API reference. */
void s3_sign(const struct s3_to_sign *request, const struct s3_credentials *credentials,
             struct buf *out);

/* Appends text with every byte but letters, digits and -._~ as %XX; slashes too unless kept. */
void s3_encode(const char *text, bool keep_slashes, struct buf *out);

/* -- answers (store_s3_xml.c) ------------------------------------------------------------------ */

enum xml_event { XML_ELEMENT, XML_END, XML_BAD };

/* Takes the next element from the front of *content: its name without a namespace, and what is
 * between its tags. Text beside elements, comments and declarations are passed over. */
enum xml_event xml_next(struct slice *content, struct slice *name, struct slice *inner);

/* What is inside the first child element of that name. */
bool xml_child(struct slice content, const char *name, struct slice *inner);

/* The text of an element with the five entities and character references decoded, NUL-terminated.
 * False when it does not fit, or is no plain text. */
bool xml_text(struct slice inner, char *out, size_t size);

/* -- failures (store_s3_retry.c) --------------------------------------------------------------- */

enum s3_verdict {
    S3_DONE,        /* the answer is what was asked for */
    S3_AGAIN,       /* may pass: pause, then the same again */
    S3_CREDENTIALS, /* they have expired or changed: get new ones, then again */
    S3_CLOCK,       /* ours is wrong: take the server's, then again */
    S3_FAILED       /* for good */
};

/* What an answer means. *e gets the error and why a sentence, but for S3_DONE. code, S3_CODE_MAX +
 * 1 bytes, gets what S3 calls the error, "" when it does not say. */
enum s3_verdict s3_judge(const struct http_response *response, enum err *e, char *code,
                         struct why *why);

/* How long to wait before attempt number attempt (1: the first repetition), in ms: doubling, half
 * of it by chance, so that many clients do not come back together (Brooker 2015, "Exponential
 * Backoff And Jitter"). A Retry-After of the server is kept to, within reason. */
uint32_t s3_retry_delay_ms(uint32_t attempt, const struct http_response *response, uint64_t *rng);

/* -- who we are (store_s3_credentials.c, store_s3_imds.c) -------------------------------------- */

/* Where credentials come from: the first of options, environment, file and the machine's role that
 * has any. Those that expire are got again five minutes before. */
struct s3_identity {
    struct io *io;
    struct http_transport *http;
    struct object_store_options options; /* texts owned: see s3_identity_init */
    struct buf texts;
    struct s3_credentials current;
    bool known;
};

/* Copies what it needs of the options. */
void s3_identity_init(struct s3_identity *id, struct io *io, struct http_transport *http,
                      const struct object_store_options *options);
void s3_identity_fini(struct s3_identity *id);
/* ERR_NOAUTH when there are none, or half of them. *out stays valid until the next call. */
MUST_USE enum err s3_identity_get(struct s3_identity *id, const struct s3_credentials **out,
                                  struct why *why);
/* They were refused: the next s3_identity_get looks again. */
void s3_identity_forget(struct s3_identity *id);

/* Credentials in the text of a file like ~/.aws/credentials. False when the profile is not there or
 * has no keys. */
bool s3_credentials_of_file(struct slice text, const char *profile, struct s3_credentials *out);

/* Those of the role of this machine, from the metadata service of EC2, version 2. */
MUST_USE enum err s3_credentials_of_machine(struct http_transport *http, const char *endpoint,
                                            struct s3_credentials *out, struct why *why);

/* The environment variable, or "". */
const char *s3_env(const struct object_store_options *options, const char *name);

/* -- the store --------------------------------------------------------------------------------- */

struct s3_pair {
    const char *name;
    const char *value;
};

/* owner: whoever opened it */
struct store_s3 {
    struct object_store base; /* first */
    struct http_transport *http;
    struct s3_identity identity;
    char bucket[64];
    char prefix[OBJECT_URL_MAX + 1];
    char scheme_host[S3_HOST_MAX +
                     80]; /* "https://host:port", with the bucket in front if virtual */
    char region[S3_REGION_MAX + 1];
    bool path_style;
    uint32_t connect_timeout_ms, timeout_ms, retries;
    uint64_t part_size;
    uint64_t rng;
    int64_t clock_ahead_ms; /* the server's clock less ours, once it has complained */
};

struct store_s3_call {
    enum http_method method;
    const char *name; /* of an object; NULL: the bucket */
    struct s3_pair query[S3_PAIRS_MAX];
    size_t query_count;
    struct s3_pair headers[S3_PAIRS_MAX]; /* lower-case names */
    size_t header_count;
    struct slice body;
    size_t response_max;
    uint32_t patience; /* idle timeouts that the answer may take; 0 is 1 */
    /* Looks at an answer that seems right; an error is tried again as if the server had failed. */
    enum err (*check)(void *user, const struct http_response *response, struct why *why);
    void *user;
    char code[S3_CODE_MAX + 1]; /* out: what S3 called the last error */
};

/* Sends it until it is answered for good. On OK the status is 2xx. */
MUST_USE enum err s3_call(struct store_s3 *s3, struct store_s3_call *call,
                          struct http_response *response, struct why *why);

void s3_call_query(struct store_s3_call *call, const char *name, const char *value);
void s3_call_header(struct store_s3_call *call, const char *name, const char *value);

/* The ETag of an answer, without its quotes. "" when there is none. */
void s3_etag(const struct http_response *response, char out[OBJECT_ETAG_MAX + 1]);
/* Is the ETag of this answer the MD5 of the object? Not for parts put together, nor under keys of
 * a key service. */
bool s3_etag_is_md5(const struct http_response *response, const char *etag);

/* Checks of answers: a whole list in an element that user names; that something was removed. */
MUST_USE enum err s3_check_list(void *user, const struct http_response *response, struct why *why);
MUST_USE enum err s3_check_removed(void *user, const struct http_response *response,
                                   struct why *why);

/* store_s3_multipart.c: size bytes of file from 0 on; crc32c is of all of them. */
MUST_USE enum err s3_put_parts(struct store_s3 *s3, const char *name, struct io_file *file,
                               uint64_t size, uint32_t crc32c, struct why *why);
/* Ends uploads that nobody will go on with. */
MUST_USE enum err s3_abort_uploads(struct store_s3 *s3, struct why *why);

/* Over any transport, which the store then owns, even when this fails. */
MUST_USE enum err store_s3_open_over(struct io *io, const struct object_url *url,
                                     const struct object_store_options *options,
                                     struct http_transport *http, struct object_store **out,
                                     struct why *why);

#endif
