/* store_s3_sign.c: AWS Signature Version 4, by ourselves and not by libcurl: it is pure, so it is
 * tested against Amazon's published examples and runs over any transport; and libcurl 7.88 signs
 * wrongly when the query is not sorted, when Expect is suppressed, or without a hash of the body.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/digest.h"
#include "persist/store_s3.h"

static const char algorithm[] = "AWS4-HMAC-SHA256";

enum { DAY_SIZE = 8 }; /* of "20130524T000000Z" */

static void hash_hex(struct slice bytes, char out[DIGEST_HEX_MAX])
{
    uint8_t hash[SHA256_SIZE];
    digest_sha256(bytes, hash);
    digest_hex(hash, sizeof(hash), out);
}

/* The names of the headers, joined by semicolons. */
static void signed_names(struct slice headers, struct buf *out)
{
    bool first = true;
    while (headers.len > 0) {
        const uint8_t *end = memchr(headers.ptr, '\n', headers.len);
        const uint8_t *colon = memchr(headers.ptr, ':', headers.len);
        CHECK(end != NULL && colon != NULL && colon < end);
        if (!first)
            buf_append_byte(out, ';');
        buf_append(out, headers.ptr, (size_t)(colon - headers.ptr));
        first = false;
        headers = (struct slice){end + 1, headers.len - (size_t)(end + 1 - headers.ptr)};
    }
}

/* "20130524/us-east-1/s3/aws4_request" */
static void append_scope(const struct s3_to_sign *r, struct buf *out)
{
    buf_printf(out, "%.*s/%s/s3/aws4_request", DAY_SIZE, r->time, r->region);
}

/* The text whose signature is asked for: the time, the scope and a hash of the request. */
static void append_string_to_sign(const struct s3_to_sign *r, struct buf *out)
{
    char hash[DIGEST_HEX_MAX];
    struct buf canonical = BUF_INIT(MEM_SCRATCH);
    buf_printf(&canonical, "%s\n%s\n%s\n", http_method_word(r->method), r->path, r->query);
    buf_append_slice(&canonical, r->headers);
    buf_append_byte(&canonical, '\n');
    signed_names(r->headers, &canonical);
    buf_printf(&canonical, "\n%s", r->payload_hash);
    CHECK(!buf_failed(&canonical));
    hash_hex(buf_slice(&canonical), hash);
    buf_fini(&canonical);
    buf_printf(out, "%s\n%s\n", algorithm, r->time);
    append_scope(r, out);
    buf_printf(out, "\n%s", hash);
}

/* The key of this day, region and service: a chain of HMACs that starts with the secret. */
static void signing_key(const struct s3_to_sign *r, const struct s3_credentials *credentials,
                        uint8_t out[SHA256_SIZE])
{
    char start[4 + S3_SECRET_MAX + 1];
    char date[DAY_SIZE + 1] = "";
    memcpy(date, r->time, DAY_SIZE);
    const char *const chain[] = {date, r->region, "s3", "aws4_request"};
    int len = snprintf(start, sizeof(start), "AWS4%s", credentials->secret_key);
    CHECK(len > 0 && (size_t)len < sizeof(start));
    struct slice key = slice_of(start);
    for (size_t i = 0; i < COUNT_OF(chain); i++) {
        uint8_t next[SHA256_SIZE];
        digest_hmac_sha256(key, slice_of(chain[i]), next);
        memcpy(out, next, SHA256_SIZE);
        digest_wipe(next, sizeof(next));
        key = (struct slice){out, SHA256_SIZE};
    }
    digest_wipe(start, sizeof(start));
}

void s3_sign(const struct s3_to_sign *r, const struct s3_credentials *credentials, struct buf *out)
{
    uint8_t key[SHA256_SIZE], signature[SHA256_SIZE];
    char hex[DIGEST_HEX_MAX];
    CHECK(strlen(r->time) == DATE_COMPACT_SIZE - 1);
    struct buf text = BUF_INIT(MEM_SCRATCH);
    append_string_to_sign(r, &text);
    CHECK(!buf_failed(&text));
    signing_key(r, credentials, key);
    digest_hmac_sha256((struct slice){key, sizeof(key)}, buf_slice(&text), signature);
    digest_wipe(key, sizeof(key));
    digest_hex(signature, sizeof(signature), hex);
    buf_fini(&text);
    buf_printf(out, "%s Credential=%s/", algorithm, credentials->access_key);
    append_scope(r, out);
    buf_append_text(out, ",SignedHeaders=");
    signed_names(r->headers, out);
    buf_printf(out, ",Signature=%s", hex);
}

void s3_encode(const char *text, bool keep_slashes, struct buf *out)
{
    for (const char *c = text; *c != '\0'; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || strchr("-._~", *c) != NULL ||
                     (*c == '/' && keep_slashes);
        if (plain)
            buf_append_byte(out, (uint8_t)*c);
        else
            buf_printf(out, "%%%02X", (unsigned)(uint8_t)*c);
    }
}
