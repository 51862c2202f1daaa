/* store_s3_retry.c: what a failed request means, and when to try it again. Pure. */
#include "base/rng.h"
#include "persist/store_s3.h"

enum {
    DELAY_FIRST_MS = 100,
    DELAY_MAX_MS = 20 * 1000,
    RETRY_AFTER_MAX_MS = 60 * 1000, /* a server that asks for more is asked again all the same */
    MESSAGE_MAX = 120
};

/* What S3 and those that speak like it call errors. Others are judged by their status. */
static const struct {
    const char *code;
    enum s3_verdict verdict;
    enum err e;
} codes[] = {
    {"SlowDown", S3_AGAIN, ERR_IO},
    {"InternalError", S3_AGAIN, ERR_IO},
    {"ServiceUnavailable", S3_AGAIN, ERR_IO},
    {"RequestTimeout", S3_AGAIN, ERR_IO},
    {"OperationAborted", S3_AGAIN, ERR_IO},
    {"IncompleteBody", S3_AGAIN, ERR_IO},
    {"BadDigest", S3_AGAIN, ERR_CORRUPT},
    {"XAmzContentSHA256Mismatch", S3_AGAIN, ERR_CORRUPT},
    {"ExpiredToken", S3_CREDENTIALS, ERR_NOAUTH},
    {"ExpiredTokenException", S3_CREDENTIALS, ERR_NOAUTH},
    {"TokenRefreshRequired", S3_CREDENTIALS, ERR_NOAUTH},
    {"RequestTimeTooSkewed", S3_CLOCK, ERR_NOAUTH},
    {"InvalidAccessKeyId", S3_FAILED, ERR_NOAUTH},
    {"SignatureDoesNotMatch", S3_FAILED, ERR_NOAUTH},
    {"AccessDenied", S3_FAILED, ERR_NOAUTH},
    {"NoSuchKey", S3_FAILED, ERR_NOT_FOUND},
    {"NoSuchBucket", S3_FAILED, ERR_NOT_FOUND},
    {"NoSuchUpload", S3_FAILED, ERR_NOT_FOUND},
};

static enum s3_verdict judge_status(int status, enum err *e)
{
    *e = status == 404 ? ERR_NOT_FOUND : status == 401 || status == 403 ? ERR_NOAUTH : ERR_IO;
    bool passes = status == 408 || status == 425 || status == 429 || status == 500 ||
                  status == 502 || status == 503 || status == 504;
    return passes ? S3_AGAIN : S3_FAILED;
}

/* Letters that a log line and a reply can hold. */
static void make_printable(char *text)
{
    for (; *text != '\0'; text++)
        if ((uint8_t)*text < ' ' || (uint8_t)*text > '~')
            *text = '?';
}

/* Where the bucket is, when the server says that it is elsewhere. */
static bool other_region(const struct http_response *response, char *out, size_t size)
{
    struct slice region;
    bool elsewhere = response->status == 301 || response->status == 307 ||
                     response->status == 308 || response->status == 400;
    if (!elsewhere || !http_response_header(response, "x-amz-bucket-region", &region) ||
        region.len == 0 || region.len >= size)
        return false;
    memcpy(out, region.ptr, region.len);
    out[region.len] = '\0';
    make_printable(out);
    return true;
}

/* The error that the body names: <Error><Code>..</Code><Message>..</Message></Error>. */
static bool read_error(struct slice body, char *code, char *message, size_t message_size)
{
    struct slice error, inner;
    code[0] = message[0] = '\0';
    if (!xml_child(body, "Error", &error))
        return false;
    if (xml_child(error, "Code", &inner) && !xml_text(inner, code, S3_CODE_MAX + 1))
        code[0] = '\0';
    if (xml_child(error, "Message", &inner) && !xml_text(inner, message, message_size))
        message[0] = '\0';
    make_printable(code);
    make_printable(message);
    return true;
}

enum s3_verdict s3_judge(const struct http_response *response, enum err *e, char *code,
                         struct why *why)
{
    char message[MESSAGE_MAX + 1], region[S3_REGION_MAX + 1];
    bool says_error = read_error(buf_slice(&response->body), code, message, sizeof(message));
    int status = response->status;
    /* Putting parts together can fail after the status has been sent, so 200 may hold an error. */
    bool fails = status == 200 && says_error && code[0] != '\0';
    if (status >= 200 && status < 300 && !fails)
        return S3_DONE;
    if (other_region(response, region, sizeof(region))) {
        *e = why_set(why, ERR_ARG, "the bucket is in the region %s: set object-store-region",
                     region);
        return S3_FAILED;
    }
    enum s3_verdict verdict = judge_status(status < 300 ? 500 : status, e);
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        if (strcmp(code, codes[i].code) == 0) {
            verdict = codes[i].verdict;
            *e = codes[i].e;
        }
    }
    (void)why_set(why, *e, "the object store answered %d %s%s%s", status,
                  code[0] != '\0' ? code : "without a reason", message[0] != '\0' ? ": " : "",
                  message);
    return verdict;
}

uint32_t s3_retry_delay_ms(uint32_t attempt, const struct http_response *response, uint64_t *rng)
{
    CHECK(attempt > 0);
    uint32_t ceiling = DELAY_FIRST_MS;
    for (uint32_t i = 1; i < attempt && ceiling < DELAY_MAX_MS; i++)
        ceiling *= 2;
    ceiling = ceiling < DELAY_MAX_MS ? ceiling : DELAY_MAX_MS;
    uint32_t delay = ceiling / 2 + (uint32_t)rng_below(rng, ceiling / 2 + 1);
    struct slice text;
    uint64_t seconds;
    if (!http_response_header(response, "retry-after", &text) || !slice_to_u64(text, &seconds))
        return delay;
    uint64_t asked = seconds < RETRY_AFTER_MAX_MS / 1000 ? seconds * 1000 : RETRY_AFTER_MAX_MS;
    return asked > delay ? (uint32_t)asked + delay / 2 : delay;
}
