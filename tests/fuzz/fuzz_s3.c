/* fuzz_s3.c: no answer of an object store, and no credentials file, crash what reads them.
 *
 * An input is taken as the body of an answer of each status, as headers, as a credentials file, as
 * a URL and as a time. */
#include <stddef.h>
#include <stdint.h>

#include "persist/store_s3.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Elements lie inside what they were taken from, and reading one moves on. */
static void walk_elements(struct slice content, unsigned depth)
{
    struct slice name, inner, before = content;
    char text[64];
    while (xml_next(&content, &name, &inner) == XML_ELEMENT) {
        CHECK(content.len < before.len && name.len > 0);
        CHECK(inner.ptr >= before.ptr && inner.ptr + inner.len <= before.ptr + before.len);
        if (xml_text(inner, text, sizeof(text)))
            CHECK(strlen(text) < sizeof(text));
        if (depth > 0)
            walk_elements(inner, depth - 1);
        before = content;
    }
}

static void judge(struct slice body, int status)
{
    struct http_response response;
    char code[S3_CODE_MAX + 1], etag[OBJECT_ETAG_MAX + 1];
    enum err e = OK;
    struct why why = {""};
    uint64_t rng = 1;
    http_response_init(&response, MEM_TEST);
    response.status = status;
    buf_append_slice(&response.body, body);
    buf_append_slice(&response.headers, body);
    CHECK((s3_judge(&response, &e, code, &why) == S3_DONE) == (e == OK));
    CHECK(strlen(code) <= S3_CODE_MAX);
    s3_etag(&response, etag);
    CHECK(strlen(etag) <= OBJECT_ETAG_MAX);
    CHECK(s3_retry_delay_ms(1, &response, &rng) < 62000);
    http_response_fini(&response);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct slice input = {bytes, len};
    struct s3_credentials credentials;
    uint64_t ms;
    walk_elements(input, 4);
    judge(input, 200);
    judge(input, 301);
    judge(input, 503);
    if (s3_credentials_of_file(input, "default", &credentials))
        CHECK(credentials.access_key[0] != '\0' && credentials.secret_key[0] != '\0');
    if (date_parse(input, &ms))
        CHECK(ms < 10000ull * 366 * 86400 * 1000);
    struct buf url = BUF_INIT(MEM_TEST);
    struct object_url parsed;
    buf_append_slice(&url, input);
    buf_append_byte(&url, '\0');
    CHECK(!buf_failed(&url));
    if (object_url_parse((const char *)url.ptr, &parsed, NULL) == OK)
        CHECK(parsed.place[0] != '\0');
    buf_fini(&url);
    return 0;
}
