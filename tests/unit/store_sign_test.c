/* The pure parts of the S3 backend: signatures against Amazon's published examples, times, answers,
 * what failures mean. */
#include "lib/test.h"
#include "persist/store_s3.h"

/* The account of the examples in the S3 API reference, "Examples: Signature Calculations". */
static const struct s3_credentials example = {
    .access_key = "AKIAIOSFODNN7EXAMPLE", .secret_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"};

#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define PUT_HASH "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"

static void expect_signature(const struct s3_to_sign *request, const char *signature)
{
    struct buf out = BUF_INIT(MEM_TEST);
    s3_sign(request, &example, &out);
    buf_append_byte(&out, '\0');
    const char *at = strstr((const char *)out.ptr, ",Signature=");
    REQUIRE(at != NULL);
    EXPECT_STR(at + strlen(",Signature="), signature);
    static const char start[] = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/"
                                "us-east-1/s3/aws4_request,SignedHeaders=";
    EXPECT(strncmp((const char *)out.ptr, start, strlen(start)) == 0);
    EXPECT(strstr((const char *)out.ptr, example.secret_key) == NULL);
    buf_fini(&out);
}

static struct s3_to_sign example_request(enum http_method method, const char *path,
                                         const char *query, const char *headers, const char *hash)
{
    return (struct s3_to_sign){.method = method,
                               .path = path,
                               .query = query,
                               .headers = slice_of(headers),
                               .payload_hash = hash,
                               .region = "us-east-1",
                               .time = "20130524T000000Z"};
}

TEST(store_sign, signs_as_amazons_examples_of_get_and_put)
{
    struct s3_to_sign get = example_request(HTTP_GET, "/test.txt", "",
                                            "host:examplebucket.s3.amazonaws.com\n"
                                            "range:bytes=0-9\n"
                                            "x-amz-content-sha256:" EMPTY_HASH "\n"
                                            "x-amz-date:20130524T000000Z\n",
                                            EMPTY_HASH);
    expect_signature(&get, "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    struct s3_to_sign put = example_request(HTTP_PUT, "/test%24file.text", "",
                                            "date:Fri, 24 May 2013 00:00:00 GMT\n"
                                            "host:examplebucket.s3.amazonaws.com\n"
                                            "x-amz-content-sha256:" PUT_HASH "\n"
                                            "x-amz-date:20130524T000000Z\n"
                                            "x-amz-storage-class:REDUCED_REDUNDANCY\n",
                                            PUT_HASH);
    expect_signature(&put, "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

TEST(store_sign, signs_as_amazons_examples_with_queries)
{
    static const char headers[] = "host:examplebucket.s3.amazonaws.com\n"
                                  "x-amz-content-sha256:" EMPTY_HASH "\n"
                                  "x-amz-date:20130524T000000Z\n";
    struct s3_to_sign lifecycle = example_request(HTTP_GET, "/", "lifecycle=", headers, EMPTY_HASH);
    expect_signature(&lifecycle,
                     "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    struct s3_to_sign list =
        example_request(HTTP_GET, "/", "max-keys=2&prefix=J", headers, EMPTY_HASH);
    expect_signature(&list, "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

static void expect_encoded(const char *text, bool keep_slashes, const char *expected)
{
    struct buf out = BUF_INIT(MEM_TEST);
    s3_encode(text, keep_slashes, &out);
    buf_append_byte(&out, '\0');
    EXPECT_STR((const char *)out.ptr, expected);
    buf_fini(&out);
}

TEST(store_sign, encodes_all_but_unreserved_letters)
{
    expect_encoded("AZaz09-._~", false, "AZaz09-._~");
    expect_encoded("a/b", true, "a/b");
    expect_encoded("a/b", false, "a%2Fb");
    expect_encoded(" +=&%\xc3\xa4", false, "%20%2B%3D%26%25%C3%A4");
}

TEST(store_sign, times_are_those_of_the_calendar)
{
    static const struct {
        const char *iso, *compact;
        uint64_t seconds;
    } times[] = {
        {"1970-01-01T00:00:00Z", "19700101T000000Z", 0},
        {"2000-02-29T23:59:59Z", "20000229T235959Z", 951868799},
        {"2013-05-24T00:00:00Z", "20130524T000000Z", 1369353600},
        {"2100-03-01T00:00:00Z", "21000301T000000Z", 4107542400},
    };
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        char text[DATE_COMPACT_SIZE];
        uint64_t ms = 7;
        date_print_compact(times[i].seconds * 1000 + 999, text);
        EXPECT_STR(text, times[i].compact);
        EXPECT(date_parse(slice_of(times[i].iso), &ms) && ms == times[i].seconds * 1000);
    }
    static const char *const wrong[] = {"",
                                        "2013-05-24",
                                        "2013-02-29T00:00:00Z",
                                        "2013-13-01T00:00:00Z",
                                        "2013-05-24T24:00:00Z",
                                        "2013-05-24T00:00:00+01",
                                        "2013-05-24T00:00:00.Z",
                                        "2013-05-24x00:00:00Z",
                                        "2013/05/24T00:00:00Z",
                                        "x013-05-24T00:00:00Z"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        uint64_t ms;
        EXPECT(!date_parse(slice_of(wrong[i]), &ms));
    }
    char text[DATE_SIZE];
    uint64_t ms;
    date_print(1369353600042, text);
    EXPECT_STR(text, "2013-05-24T00:00:00.042Z");
    EXPECT(date_parse(slice_of(text), &ms) && ms == 1369353600042);
    EXPECT(date_parse(slice_of("2013-05-24 00:00:00.0429"), &ms) && ms == 1369353600042);
}

/* -- XML --------------------------------------------------------------------------------------- */

static bool text_at(const char *xml, const char *outer, const char *name, char *out, size_t size)
{
    struct slice inner, text;
    return xml_child(slice_of(xml), outer, &inner) && xml_child(inner, name, &text) &&
           xml_text(text, out, size);
}

TEST(store_xml, finds_elements_past_all_that_surrounds_them)
{
    char text[64];
    static const char xml[] = "<?xml version=\"1.0\"?>\n<!-- <A><B>no</B></A> -->"
                              "<x:A xmlns:x='a>b'><C attr=\"</B>\"/><D><B>deep</B></D>"
                              "<B>&lt;a&amp;b&gt; &quot;&apos;&#65;&#x42;&#xe4;</B></x:A>";
    EXPECT(text_at(xml, "A", "B", text, sizeof(text)));
    EXPECT_STR(text, "<a&b> \"'AB\xc3\xa4");
    EXPECT(text_at(xml, "A", "C", text, sizeof(text)));
    EXPECT_STR(text, "");
    EXPECT(!text_at(xml, "A", "E", text, sizeof(text)));
    EXPECT(!text_at(xml, "A", "B", text, 12)); /* 12 bytes and the NUL */
    EXPECT(text_at(xml, "A", "B", text, 13));
}

TEST(store_xml, refuses_what_is_broken_at_every_length)
{
    static const char xml[] = "<A><B k='v'>&amp;</B><C/><!-- c --></A>";
    struct slice name, inner;
    for (size_t len = 0; len + 1 < sizeof(xml); len++) {
        struct slice cut = {(const uint8_t *)xml, len};
        enum xml_event event = xml_next(&cut, &name, &inner);
        EXPECT(event == (len == 0 ? XML_END : XML_BAD));
    }
    struct slice whole = slice_of(xml);
    EXPECT(xml_next(&whole, &name, &inner) == XML_ELEMENT && whole.len == 0);
    static const char *const wrong[] = {
        "</A>", "<A></B>", "<A>", "<>", "< A></ A>", "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct slice left = slice_of(wrong[i]);
        EXPECT_EQ(xml_next(&left, &name, &inner), XML_BAD);
    }
    char text[8];
    static const char *const texts[] = {"&b;",  "&#0;", "&#xd800;", "&#x110000;", "&amp",
                                        "<a/>", "&#;",  "&#x;",     "&;"};
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        EXPECT(!xml_text(slice_of(texts[i]), text, sizeof(text)));
}

/* -- failures ---------------------------------------------------------------------------------- */

static enum s3_verdict judge(int status, const char *headers, const char *body, enum err *e,
                             struct why *why)
{
    char code[S3_CODE_MAX + 1];
    struct http_response r;
    http_response_init(&r, MEM_TEST);
    r.status = status;
    buf_append_text(&r.headers, headers);
    buf_append_text(&r.body, body);
    *e = OK;
    why->text[0] = '\0';
    enum s3_verdict verdict = s3_judge(&r, e, code, why);
    EXPECT((verdict == S3_DONE) == (*e == OK) && (verdict == S3_DONE) == (why->text[0] == '\0'));
    http_response_fini(&r);
    return verdict;
}

#define ERROR_BODY(code) "<Error><Code>" code "</Code><Message>the reason</Message></Error>"

TEST(store_retry, what_passes_is_tried_again_and_nothing_else)
{
    static const struct {
        int status;
        const char *body;
        enum s3_verdict verdict;
        enum err e;
    } cases[] = {
        {200, "", S3_DONE, OK},
        {204, "", S3_DONE, OK},
        {206, "bytes that are no XML <", S3_DONE, OK},
        {200, ERROR_BODY("InternalError"), S3_AGAIN, ERR_IO},
        {200, ERROR_BODY("NeverHeardOf"), S3_AGAIN, ERR_IO},
        {500, "", S3_AGAIN, ERR_IO},
        {502, "<html>bad gateway</html>", S3_AGAIN, ERR_IO},
        {503, ERROR_BODY("SlowDown"), S3_AGAIN, ERR_IO},
        {400, ERROR_BODY("RequestTimeout"), S3_AGAIN, ERR_IO},
        {400, ERROR_BODY("BadDigest"), S3_AGAIN, ERR_CORRUPT},
        {400, ERROR_BODY("XAmzContentSHA256Mismatch"), S3_AGAIN, ERR_CORRUPT},
        {400, ERROR_BODY("ExpiredToken"), S3_CREDENTIALS, ERR_NOAUTH},
        {403, ERROR_BODY("RequestTimeTooSkewed"), S3_CLOCK, ERR_NOAUTH},
        {403, ERROR_BODY("SignatureDoesNotMatch"), S3_FAILED, ERR_NOAUTH},
        {403, "", S3_FAILED, ERR_NOAUTH},
        {404, ERROR_BODY("NoSuchKey"), S3_FAILED, ERR_NOT_FOUND},
        {404, "", S3_FAILED, ERR_NOT_FOUND},
        {400, ERROR_BODY("InvalidArgument"), S3_FAILED, ERR_IO},
        {501, "", S3_FAILED, ERR_IO},
        {301, "", S3_FAILED, ERR_IO},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        enum err e;
        struct why why;
        EXPECT_EQ(judge(cases[i].status, "", cases[i].body, &e, &why), cases[i].verdict);
        EXPECT_EQ(e, cases[i].e);
    }
}

TEST(store_retry, the_reason_names_the_code_and_the_region)
{
    enum err e;
    struct why why;
    (void)judge(403, "", ERROR_BODY("AccessDenied"), &e, &why);
    EXPECT_STR(why.text, "the object store answered 403 AccessDenied: the reason");
    (void)judge(301, "x-amz-bucket-region: eu-west-1\r\n", "", &e, &why);
    EXPECT_STR(why.text, "the bucket is in the region eu-west-1: set object-store-region");
    (void)judge(400, "", "<Error><Code>Bad\x1b[31m\n</Code></Error>", &e, &why);
    EXPECT_STR(why.text, "the object store answered 400 Bad?[31m?");
}

TEST(store_retry, pauses_double_up_to_a_bound_and_half_is_chance)
{
    struct http_response r;
    uint64_t rng = 1;
    http_response_init(&r, MEM_TEST);
    uint32_t ceiling = 100;
    for (uint32_t attempt = 1; attempt <= 20; attempt++) {
        uint32_t least = UINT32_MAX, most = 0;
        for (int i = 0; i < 200; i++) {
            uint32_t delay = s3_retry_delay_ms(attempt, &r, &rng);
            least = delay < least ? delay : least;
            most = delay > most ? delay : most;
        }
        EXPECT(least >= ceiling / 2 && most <= ceiling);
        EXPECT(most - least > ceiling / 4); /* else clients would come back together */
        ceiling = ceiling * 2 < 20000 ? ceiling * 2 : 20000;
    }
    buf_append_text(&r.headers, "Retry-After: 7\r\n");
    EXPECT(s3_retry_delay_ms(1, &r, &rng) >= 7000);
    buf_append_text(&r.headers, "Retry-After: 86400\r\n");
    EXPECT(s3_retry_delay_ms(1, &r, &rng) <= 61000);
    http_response_fini(&r);
}

/* -- URLs and names ---------------------------------------------------------------------------- */

TEST(object_url, is_taken_apart)
{
    static const struct {
        const char *url;
        enum object_scheme scheme;
        const char *place, *prefix;
    } good[] = {
        {"file:///srv/backup", OBJECT_SCHEME_FILE, "/srv/backup", ""},
        {"file:///srv/backup///", OBJECT_SCHEME_FILE, "/srv/backup", ""},
        {"file:///", OBJECT_SCHEME_FILE, "/", ""},
        {"s3://bucket", OBJECT_SCHEME_S3, "bucket", ""},
        {"s3://bucket/", OBJECT_SCHEME_S3, "bucket", ""},
        {"s3://my.bucket-1/a/b=c/", OBJECT_SCHEME_S3, "my.bucket-1", "a/b=c/"},
    };
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct object_url url;
        REQUIRE(object_url_parse(good[i].url, &url, NULL) == OK);
        EXPECT_EQ(url.scheme, good[i].scheme);
        EXPECT_STR(url.place, good[i].place);
        EXPECT_STR(url.prefix, good[i].prefix);
    }
}

TEST(object_url, that_is_wrong_is_refused_without_repeating_it)
{
    static const char *const bad[] = {"",
                                      "/srv",
                                      "http://host/x",
                                      "file://srv",
                                      "file:",
                                      "s3://",
                                      "s3://ab",
                                      "s3:///prefix",
                                      "s3://BUCKET",
                                      "s3://-bucket",
                                      "s3://bucket//a",
                                      "s3://bucket/../a",
                                      "s3://bucket/a/.b",
                                      "s3://bucket/a b",
                                      "s3://key:hunter2@bucket/a"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct object_url url;
        struct why why = {""};
        EXPECT_EQ(object_url_parse(bad[i], &url, &why), ERR_ARG);
        EXPECT(why.text[0] != '\0' && strstr(why.text, "hunter2") == NULL);
    }
    char longest[OBJECT_URL_MAX + 2];
    struct object_url url;
    memset(longest, 'a', sizeof(longest));
    memcpy(longest, "s3://abc/", 9);
    longest[OBJECT_URL_MAX] = '\0';
    EXPECT_EQ(object_url_parse(longest, &url, NULL), OK);
    longest[OBJECT_URL_MAX] = 'a';
    longest[OBJECT_URL_MAX + 1] = '\0';
    EXPECT_EQ(object_url_parse(longest, &url, NULL), ERR_LIMIT);
}

TEST(object_url, names_are_flat)
{
    char name[OBJECT_NAME_MAX + 2];
    memset(name, 'a', sizeof(name));
    name[OBJECT_NAME_MAX + 1] = '\0';
    EXPECT(!object_name_valid(name));
    name[OBJECT_NAME_MAX] = '\0';
    EXPECT(object_name_valid(name));
    EXPECT(object_name_valid("pack-0000002a.vpk") && object_name_valid("A_b-1.2"));
    EXPECT(!object_name_valid("") && !object_name_valid(".a") && !object_name_valid("a/b"));
    EXPECT(!object_name_valid("a b") && !object_name_valid("\xc3\xa4"));
}
