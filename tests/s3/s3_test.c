/* s3_test.c: the S3 backend over libcurl against a real server that checks signatures, directly and
 * through tests/s3/fault_proxy.py. tests/s3/run.sh starts both and sets
 *
 *     VDB_S3_ENDPOINT, VDB_S3_ACCESS_KEY, VDB_S3_SECRET_KEY    the server
 *     VDB_S3_PROXY                                             the same through the proxy
 *     VDB_S3_TLS, VDB_S3_CA                                    a proxy that speaks https, and its
 * CA
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/io_file.h"
#include "lib/test.h"
#include "persist/store_s3.h"

enum {
    PART = 64 << 10, /* the server is told to take such small ones */
    LARGE = 3 * PART + 1234,
    REQUESTS = 15, /* of one do_everything */
    TIMEOUT_MS = 1000
};

static uint64_t clock_us(clockid_t id)
{
    struct timespec ts;
    CHECK(clock_gettime(id, &ts) == 0);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static uint64_t wall_us(struct io *io)
{
    (void)io;
    return clock_us(CLOCK_REALTIME);
}

static void random_bytes(struct io *io, void *out, size_t len)
{
    (void)io;
    CHECK(getrandom(out, len, 0) == (ssize_t)len);
}

static uint64_t mono_us(struct io *io)
{
    (void)io;
    return clock_us(CLOCK_MONOTONIC);
}

static const struct io_ops ops = {
    .mono_us = mono_us,
    .wall_us = wall_us,
    .random = random_bytes,
    .file_open = io_file_open,
    .file_read = io_file_read,
    .file_write = io_file_write,
    .file_size = io_file_size,
    .file_truncate = io_file_truncate,
    .file_sync = io_file_sync,
    .file_close = io_file_close,
    .remove = io_path_remove,
};
static struct io io = {&ops};

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL)
        SKIP("no server: run tests/s3/run.sh");
    return value;
}

static struct object_store_options options_for(const char *endpoint_setting)
{
    struct object_store_options o = object_store_options_default();
    o.url = "s3://vdb-test/a/prefix";
    o.endpoint = setting(endpoint_setting);
    o.access_key = setting("VDB_S3_ACCESS_KEY");
    o.secret_key = setting("VDB_S3_SECRET_KEY");
    o.part_size = PART;
    o.timeout_ms = TIMEOUT_MS;
    o.connect_timeout_ms = TIMEOUT_MS;
    o.retries = 4;
    return o;
}

/* A bucket that is there is as good as one that was made now. */
static void make_bucket(const struct object_store_options *options)
{
    struct object_store *store;
    struct http_response response;
    struct object_store_options over_curl = *options;
    over_curl.backend = OBJECT_BACKEND_CURL;
    REQUIRE(object_store_open(&io, &over_curl, &store, NULL) == OK);
    http_response_init(&response, MEM_TEST);
    struct store_s3_call call = {.method = HTTP_PUT, .response_max = S3_ANSWER_MAX};
    EXPECT_EQ(s3_call((struct store_s3 *)store, &call, &response, NULL), OK);
    http_response_fini(&response);
    object_store_free(store);
}

/* A store, and a local file to put. */
struct world {
    struct object_store *store;
    char folder[32], large[64], back[64];
    uint8_t *bytes;
    size_t size;
};

static void world_make(struct world *w, const struct object_store_options *options, size_t size)
{
    struct io_file *file;
    make_bucket(options);
    memcpy(w->folder, "/tmp/vdb-s3-XXXXXX", sizeof("/tmp/vdb-s3-XXXXXX"));
    REQUIRE(mkdtemp(w->folder) != NULL);
    (void)snprintf(w->large, sizeof(w->large), "%s/large", w->folder);
    (void)snprintf(w->back, sizeof(w->back), "%s/back", w->folder);
    w->size = size;
    w->bytes = mem_alloc(MEM_TEST, size);
    for (size_t i = 0; i < size; i++)
        w->bytes[i] = (uint8_t)(i * 31 + i / 256 + i / 65536);
    REQUIRE(io_file_open(&io, w->large, IO_WRITE | IO_CREATE, &file, NULL) == OK);
    REQUIRE(io_file_write(file, 0, w->bytes, size) == OK);
    io_file_close(file);
    REQUIRE(object_store_open(&io, options, &w->store, NULL) == OK);
}

static void world_free(struct world *w)
{
    object_store_free(w->store);
    (void)unlink(w->large);
    (void)unlink(w->back);
    EXPECT_EQ(rmdir(w->folder), 0);
    mem_free(MEM_TEST, w->bytes);
}

static void add_name(void *user, const char *name, uint64_t size)
{
    buf_printf(user, "%s=%llu ", name, (unsigned long long)size);
}

static void expect_list(struct world *w, const char *prefix, const char *expected)
{
    struct buf names = BUF_INIT(MEM_TEST);
    struct why why = {""};
    if (w->store->ops->list(w->store, prefix, add_name, &names, &why) != OK)
        test_fail(__FILE__, __LINE__, "list: %s", why.text);
    buf_append_byte(&names, '\0');
    EXPECT_STR((const char *)names.ptr, expected);
    buf_fini(&names);
}

/* Puts, gets, lists and removes one of each; OK, or the first error with its reason. */
static enum err do_everything(struct world *w, const char **step, struct why *why)
{
    const struct object_store_ops *o = w->store->ops;
    struct object_info info;
    struct buf out = BUF_INIT(MEM_TEST);
    *step = "put";
    enum err e = o->put(w->store, "small", slice_of("hello"), why);
    if (e == OK && (*step = "put_file") != NULL)
        e = o->put_file(w->store, "large", w->large, why);
    if (e == OK && (*step = "head") != NULL)
        e = o->head(w->store, "large", &info, why);
    EXPECT(e != OK || (info.size == w->size && info.has_crc32c));
    if (e == OK && (*step = "get") != NULL)
        e = object_get_whole(w->store, "small", 100, &out, why);
    EXPECT(e != OK || slice_eq(buf_slice(&out), slice_of("hello")));
    if (e == OK && (*step = "get_file") != NULL)
        e = object_get_file(w->store, "large", w->back, why);
    buf_clear(&out, SIZE_MAX);
    if (io_read_file(&io, w->back, w->size, &out, NULL) == OK) {
        EXPECT(out.len == w->size && memcmp(out.ptr, w->bytes, w->size) == 0);
        (void)unlink(w->back);
    }
    buf_fini(&out);
    if (e == OK && (*step = "remove") != NULL)
        e = o->remove(w->store, "small", why);
    if (e == OK && (*step = "clean") != NULL)
        e = o->clean(w->store, why);
    return e;
}

static void expect_everything_works(const struct object_store_options *options, size_t size)
{
    struct world w;
    const char *step = "";
    struct why why = {""};
    world_make(&w, options, size);
    if (do_everything(&w, &step, &why) != OK)
        test_fail(__FILE__, __LINE__, "%s: %s", step, why.text);
    EXPECT_EQ(w.store->ops->remove(w.store, "large", NULL), OK);
    world_free(&w);
}

/* -- the server as it is ----------------------------------------------------------------------- */

TEST(s3_real, everything_works_in_path_style)
{
    struct object_store_options o = options_for("VDB_S3_ENDPOINT");
    expect_everything_works(&o, LARGE);
    o.part_size = 8 << 20;
    expect_everything_works(&o, (20 << 20) + 7);
}

TEST(s3_real, everything_works_in_virtual_host_style)
{
    char endpoint[64];
    struct object_store_options o = options_for("VDB_S3_ENDPOINT");
    const char *port = strrchr(o.endpoint, ':');
    REQUIRE(port != NULL);
    (void)snprintf(endpoint, sizeof(endpoint), "http://localhost%s", port);
    o.endpoint = endpoint; /* curl leads every name under localhost to loopback */
    o.path_style = OBJECT_PATH_STYLE_NO;
    expect_everything_works(&o, LARGE);
}

static void expect_ranges_and_lists(const struct object_store_options *o)
{
    struct world w;
    struct object_info info;
    struct buf out = BUF_INIT(MEM_TEST);
    world_make(&w, o, LARGE);
    REQUIRE(w.store->ops->put_file(w.store, "large", w.large, NULL) == OK);
    EXPECT_EQ(w.store->ops->get(w.store, "large", PART - 10, 20, &out, &info, NULL), OK);
    EXPECT(out.len == 20 && memcmp(out.ptr, w.bytes + PART - 10, 20) == 0);
    EXPECT_EQ(info.size, LARGE);
    EXPECT_EQ(w.store->ops->get(w.store, "large", LARGE - 5, 20, &out, &info, NULL), OK);
    EXPECT(out.len == 25 && memcmp(out.ptr + 20, w.bytes + LARGE - 5, 5) == 0);
    EXPECT_EQ(w.store->ops->get(w.store, "large", LARGE, 20, &out, &info, NULL), OK);
    EXPECT(out.len == 25 && info.size == LARGE);
    EXPECT_EQ(w.store->ops->get(w.store, "none", 0, 20, &out, &info, NULL), ERR_NOT_FOUND);
    EXPECT_EQ(w.store->ops->head(w.store, "none", &info, NULL), ERR_NOT_FOUND);
    EXPECT_EQ(w.store->ops->put(w.store, "empty", slice_of(""), NULL), OK);
    EXPECT_EQ(w.store->ops->get(w.store, "empty", 0, 20, &out, &info, NULL), OK);
    EXPECT(out.len == 25 && info.size == 0);
    EXPECT_EQ(w.store->ops->put(w.store, "empty.2", slice_of("two"), NULL), OK);
    char expected[64];
    (void)snprintf(expected, sizeof(expected), "empty=0 empty.2=3 large=%d ", LARGE);
    expect_list(&w, "", expected);
    expect_list(&w, "empty.", "empty.2=3 ");
    expect_list(&w, "x", "");
    static const char *const names[] = {"large", "empty", "empty.2", "none"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        EXPECT_EQ(w.store->ops->remove(w.store, names[i], NULL), OK);
    expect_list(&w, "", "");
    buf_fini(&out);
    world_free(&w);
}

TEST(s3_real, ranges_and_lists_are_those_of_the_objects)
{
    struct object_store_options o = options_for("VDB_S3_ENDPOINT");
    expect_ranges_and_lists(&o);
}

static void expect_long_list(const struct object_store_options *o)
{
    enum { OBJECTS = 1003 }; /* a page has 1,000 */
    struct world w;
    char name[32];
    struct buf names = BUF_INIT(MEM_TEST);
    world_make(&w, o, 10);
    for (int i = 0; i < OBJECTS; i++) {
        (void)snprintf(name, sizeof(name), "n%04d", i);
        REQUIRE(w.store->ops->put(w.store, name, slice_of("x"), NULL) == OK);
    }
    EXPECT_EQ(w.store->ops->list(w.store, "n", add_name, &names, NULL), OK);
    EXPECT_EQ(names.len, OBJECTS * strlen("n0000=1 "));
    for (int i = 0; i < OBJECTS; i++) {
        (void)snprintf(name, sizeof(name), "n%04d", i);
        REQUIRE(w.store->ops->remove(w.store, name, NULL) == OK);
    }
    expect_list(&w, "", "");
    buf_fini(&names);
    world_free(&w);
}

TEST(s3_real, a_list_of_more_than_a_page_is_whole)
{
    struct object_store_options o = options_for("VDB_S3_ENDPOINT");
    o.url = "s3://vdb-test/many";
    expect_long_list(&o);
}

TEST(s3_real, uploads_that_nobody_goes_on_with_are_ended)
{
    struct object_store_options o = options_for("VDB_S3_ENDPOINT");
    struct world w;
    struct http_response response;
    world_make(&w, &o, LARGE);
    http_response_init(&response, MEM_TEST);
    struct store_s3 *s3 = (struct store_s3 *)w.store;
    for (int i = 0; i < 3; i++) {
        struct store_s3_call begin = {
            .method = HTTP_POST, .name = "begun", .response_max = S3_ANSWER_MAX};
        s3_call_query(&begin, "uploads", "");
        REQUIRE(s3_call(s3, &begin, &response, NULL) == OK);
    }
    for (int i = 0; i < 2; i++) {
        struct store_s3_call list = {.method = HTTP_GET, .response_max = S3_ANSWER_MAX};
        s3_call_query(&list, "uploads", "");
        s3_call_query(&list, "prefix", "a/prefix/");
        REQUIRE(s3_call(s3, &list, &response, NULL) == OK);
        bool any = memmem(response.body.ptr, response.body.len, "<UploadId>", 10) != NULL;
        EXPECT(any == (i == 0));
        EXPECT_EQ(w.store->ops->clean(w.store, NULL), OK);
    }
    http_response_fini(&response);
    world_free(&w);
}

/* -- who may ----------------------------------------------------------------------------------- */

static void expect_refused(const struct object_store_options *o, enum err expected,
                           const char *expected_text)
{
    struct object_store *store;
    struct why why = {""};
    REQUIRE(object_store_open(&io, o, &store, NULL) == OK);
    EXPECT_EQ(store->ops->put(store, "a", slice_of("hello"), &why), expected);
    if (strstr(why.text, expected_text) == NULL)
        test_fail(__FILE__, __LINE__, "the reason is \"%s\", without \"%s\"", why.text,
                  expected_text);
    EXPECT(strstr(why.text, o->secret_key) == NULL);
    object_store_free(store);
}

TEST(s3_real, wrong_signatures_are_refused)
{
    struct object_store_options o = options_for("VDB_S3_ENDPOINT");
    make_bucket(&o);
    struct object_store_options wrong = o;
    wrong.secret_key = "0000000000000000000000000000000000000000";
    expect_refused(&wrong, ERR_NOAUTH, "SignatureDoesNotMatch");
    wrong = o;
    wrong.access_key = "NOBODY";
    expect_refused(&wrong, ERR_NOAUTH, "InvalidAccessKeyId");
    wrong = o;
    wrong.url = "s3://no-such-bucket";
    expect_refused(&wrong, ERR_NOT_FOUND, "NoSuchBucket");
}

TEST(s3_real, what_does_not_listen_is_an_error_soon)
{
    struct object_store_options o = options_for("VDB_S3_ENDPOINT");
    uint64_t start = clock_us(CLOCK_MONOTONIC);
    o.endpoint = "http://127.0.0.1:1";
    o.retries = 2;
    expect_refused(&o, ERR_IO, "connect");
    o.endpoint = "http://no-such-host.invalid";
    o.retries = 0;
    expect_refused(&o, ERR_IO, "resolve");
    EXPECT(clock_us(CLOCK_MONOTONIC) - start < 10 * 1000000);
}

TEST(s3_real, https_needs_a_certificate_that_is_trusted)
{
    struct object_store_options o = options_for("VDB_S3_TLS");
    o.retries = 0;
    expect_refused(&o, ERR_IO, "certificate");
    o.ca_file = setting("VDB_S3_CA");
    expect_everything_works(&o, LARGE);
}

TEST(s3_real, cancelling_ends_a_wait)
{
    atomic_bool cancel = true;
    struct object_store_options o = options_for("VDB_S3_ENDPOINT");
    o.cancel = &cancel;
    expect_refused(&o, ERR_CANCELLED, "cancelled");
}

/* -- through the proxy ------------------------------------------------------------------------- */

/* Tells the proxy something; the number that it answers. */
static unsigned long tell(const char *path)
{
    char url[256];
    struct http_transport *http;
    struct http_response response;
    (void)snprintf(url, sizeof(url), "%s/%s", setting("VDB_S3_PROXY"), path);
    REQUIRE(http_curl_new(&io, "", NULL, &http, NULL) == OK);
    http_response_init(&response, MEM_TEST);
    struct http_request request = {.method = HTTP_GET,
                                   .url = url,
                                   .response_max = 100,
                                   .connect_timeout_ms = 5000,
                                   .idle_timeout_ms = 5000,
                                   .total_timeout_ms = 5000};
    REQUIRE(http->ops->perform(http, &request, &response, NULL) == OK && response.status == 200);
    buf_append_byte(&response.body, '\0');
    unsigned long number = strtoul((const char *)response.body.ptr, NULL, 10);
    http_response_fini(&response);
    http->ops->free(http);
    return number;
}

static void tell_fault(const char *kind, unsigned skip, unsigned times)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "__fault/%s/%u/%u", kind, skip, times);
    (void)tell(path);
}

/* One failure at every request in turn; everything works all the same. */
static void overcome(const char *kind)
{
    struct object_store_options o = options_for("VDB_S3_PROXY");
    struct world w;
    unsigned long fired = 1;
    unsigned skip = 0;
    tell_fault("none", 0, 0);
    world_make(&w, &o, LARGE);
    for (; fired > 0 && skip < 2 * REQUESTS; skip++) {
        const char *step = "";
        struct why why = {""};
        tell_fault(kind, skip, 1);
        enum err e = do_everything(&w, &step, &why);
        fired = tell("__fired");
        if (e != OK)
            test_fail(__FILE__, __LINE__, "%s at request %u: %s: %s", kind, skip, step, why.text);
    }
    EXPECT(fired == 0 && skip > REQUESTS);
    EXPECT_EQ(w.store->ops->remove(w.store, "large", NULL), OK);
    expect_list(&w, "", "");
    world_free(&w);
}

#define OVERCOMES(name, kind)                                                                      \
    TEST(s3_fault, overcomes_##name)                                                               \
    {                                                                                              \
        overcome(kind);                                                                            \
    }

OVERCOMES(a_500, "500")
OVERCOMES(a_503_slow_down, "503")
OVERCOMES(an_answer_that_is_lost, "lost")
OVERCOMES(a_reset_within_a_part, "reset-request")
OVERCOMES(a_reset_within_an_answer, "reset-response")
OVERCOMES(a_truncated_body, "truncate")
OVERCOMES(a_shortened_body, "short")
OVERCOMES(a_wrong_etag, "etag")
OVERCOMES(a_bit_flipped_on_the_way_there, "flip-request")

/* Each costs a timeout, so not at every request: of a put, of a part, of a range. */
static void overcome_slowness(const char *kind)
{
    static const unsigned requests[] = {0, 3, 9};
    struct object_store_options o = options_for("VDB_S3_PROXY");
    struct world w;
    tell_fault("none", 0, 0);
    world_make(&w, &o, LARGE);
    for (size_t i = 0; i < COUNT_OF(requests); i++) {
        const char *step = "";
        struct why why = {""};
        uint64_t start = clock_us(CLOCK_MONOTONIC);
        tell_fault(kind, requests[i], 1);
        EXPECT_EQ(do_everything(&w, &step, &why), OK);
        EXPECT_EQ(tell("__fired"), 1);
        /* curl looks at the mean of the last five seconds, so that a part sent is seen as late. */
        EXPECT(clock_us(CLOCK_MONOTONIC) - start < (TIMEOUT_MS + 9000) * 1000);
    }
    EXPECT_EQ(w.store->ops->remove(w.store, "large", NULL), OK);
    world_free(&w);
}

TEST(s3_fault, overcomes_a_server_that_does_not_answer)
{
    overcome_slowness("timeout");
}

TEST(s3_fault, overcomes_an_answer_that_trickles)
{
    overcome_slowness("trickle");
}

TEST(s3_fault, a_bit_flipped_in_an_object_on_the_way_back_is_found)
{
    struct object_store_options o = options_for("VDB_S3_PROXY");
    struct world w;
    tell_fault("none", 0, 0);
    world_make(&w, &o, LARGE);
    REQUIRE(w.store->ops->put_file(w.store, "large", w.large, NULL) == OK);
    for (unsigned skip = 0; skip < 4; skip++) {
        tell_fault("flip-response", skip, 1);
        EXPECT_EQ(object_get_file(w.store, "large", w.back, NULL), OK);
        EXPECT_EQ(tell("__fired"), 1);
        struct buf out = BUF_INIT(MEM_TEST);
        EXPECT_EQ(io_read_file(&io, w.back, LARGE, &out, NULL), OK);
        EXPECT(out.len == LARGE && memcmp(out.ptr, w.bytes, LARGE) == 0);
        buf_fini(&out);
        (void)unlink(w.back);
    }
    tell_fault("flip-response", 0, 1000);
    EXPECT_EQ(object_get_file(w.store, "large", w.back, NULL), ERR_CORRUPT);
    tell_fault("none", 0, 0);
    EXPECT_EQ(w.store->ops->remove(w.store, "large", NULL), OK);
    world_free(&w);
}

TEST(s3_fault, a_server_that_only_fails_is_given_up_and_nothing_is_left)
{
    static const char *const kinds[] = {"500", "503", "lost", "reset-request", "etag"};
    struct object_store_options o = options_for("VDB_S3_PROXY");
    struct world w;
    o.retries = 2;
    tell_fault("none", 0, 0);
    world_make(&w, &o, LARGE);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        struct object_info info;
        tell_fault(kinds[i], 3, 1000); /* within the parts */
        EXPECT_EQ(w.store->ops->put_file(w.store, "large", w.large, NULL),
                  strcmp(kinds[i], "etag") == 0 ? ERR_CORRUPT : ERR_IO);
        EXPECT(tell("__fired") >= 3);
        tell_fault("none", 0, 0);
        EXPECT_EQ(w.store->ops->head(w.store, "large", &info, NULL), ERR_NOT_FOUND);
        EXPECT_EQ(w.store->ops->clean(w.store, NULL), OK);
    }
    tell_fault("redirect", 0, 1000);
    expect_refused(&o, ERR_ARG, "set object-store-region");
    tell_fault("none", 0, 0);
    world_free(&w);
}

/* -- over libs3 -------------------------------------------------------------------------------- */

#ifdef VDB_LIBS3
static struct object_store_options options_for_libs3(const char *endpoint_setting)
{
    struct object_store_options o = options_for(endpoint_setting);
    o.backend = OBJECT_BACKEND_LIBS3;
    o.url = "s3://vdb-test/libs3";
    return o;
}

TEST(s3_libs3, everything_works)
{
    struct object_store_options o = options_for_libs3("VDB_S3_ENDPOINT");
    expect_everything_works(&o, LARGE);
    o.part_size = 8 << 20;
    expect_everything_works(&o, (20 << 20) + 7);
    expect_ranges_and_lists(&o);
    o.url = "s3://vdb-test/libs3-many";
    expect_long_list(&o);
}

TEST(s3_libs3, what_is_refused_is_told)
{
    struct object_store_options o = options_for_libs3("VDB_S3_ENDPOINT");
    make_bucket(&o);
    struct object_store_options wrong = o;
    wrong.secret_key = "0000000000000000000000000000000000000000";
    expect_refused(&wrong, ERR_NOAUTH, "SignatureDoesNotMatch");
    wrong = o;
    wrong.url = "s3://no-such-bucket";
    expect_refused(&wrong, ERR_NOT_FOUND, "NoSuchBucket");
    wrong = o;
    wrong.endpoint = "http://127.0.0.1:1";
    wrong.retries = 2;
    expect_refused(&wrong, ERR_IO, "Connect");
    wrong = o;
    wrong.session_token = "token";
    expect_refused(&wrong, ERR_UNSUPPORTED, "session tokens");
    atomic_bool cancel = true;
    o.cancel = &cancel;
    expect_refused(&o, ERR_CANCELLED, "cancelled");
}

/* Bytes that were damaged on the way come from two calls, whose ETags agree, so only a checksum
 * tells. */
TEST(s3_libs3, what_goes_wrong_on_the_way_is_overcome)
{
    static const char *const kinds[] = {"500",      "503",   "lost",          "reset-request",
                                        "truncate", "short", "reset-response"};
    struct object_store_options o = options_for_libs3("VDB_S3_PROXY");
    struct world w;
    tell_fault("none", 0, 0);
    world_make(&w, &o, LARGE);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        for (unsigned skip = 0; skip < 8; skip++) {
            const char *step = "";
            struct why why = {""};
            tell_fault(kinds[i], skip, 1);
            if (do_everything(&w, &step, &why) != OK)
                test_fail(__FILE__, __LINE__, "%s at request %u: %s: %s", kinds[i], skip, step,
                          why.text);
        }
    }
    tell_fault("timeout", 1, 1);
    const char *step = "";
    EXPECT_EQ(do_everything(&w, &step, NULL), OK);
    tell_fault("none", 0, 0);
    EXPECT_EQ(w.store->ops->remove(w.store, "large", NULL), OK);
    world_free(&w);
}
#else
TEST(s3_libs3, is_not_in_this_build)
{
    struct object_store_options o = options_for("VDB_S3_ENDPOINT");
    struct object_store *store;
    struct why why = {""};
    o.backend = OBJECT_BACKEND_LIBS3;
    EXPECT_EQ(object_store_open(&io, &o, &store, &why), ERR_UNSUPPORTED);
    EXPECT(strstr(why.text, "LIBS3=1") != NULL);
}
#endif
