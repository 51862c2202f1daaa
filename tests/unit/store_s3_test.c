/* The S3 backend over a server in memory: what it does, with every request failing in every way. */
#include <stdio.h>

#include "lib/fake_s3.h"
#include "lib/test.h"
#include "sim/sim_io.h"

static const struct s3_credentials account = {.access_key = "AKIATEST",
                                              .secret_key = "hunter2/secret+key"};
static const struct s3_credentials session = {
    .access_key = "ASIATEST", .secret_key = "another", .session_token = "the/token+="};

enum { PART = 1000, LARGE = 4 * PART + 500, REQUESTS_MAX = 100 };

/* A store over a fake server, and files in a simulated world. */
struct world {
    struct sim *sim;
    struct fake_s3 *server;
    struct object_store *store;
    uint8_t bytes[LARGE];
};

static struct object_store_options options_for_test(void)
{
    struct object_store_options o = object_store_options_default();
    o.endpoint = "http://s3.test";
    o.access_key = account.access_key;
    o.secret_key = account.secret_key;
    o.part_size = PART;
    return o;
}

static enum err world_open(struct world *w, const struct s3_credentials *who, const char *url,
                           const struct object_store_options *options)
{
    struct object_url parsed;
    *w = (struct world){.sim = sim_new(1, NULL), .server = fake_s3_new(who)};
    for (size_t i = 0; i < LARGE; i++)
        w->bytes[i] = (uint8_t)(i * 31 + i / 256);
    sim_disk_put(w->sim, "large", (struct slice){w->bytes, LARGE});
    REQUIRE(object_url_parse(url, &parsed, NULL) == OK);
    return store_s3_open_over(sim_io(w->sim), &parsed, options, &w->server->base, &w->store, NULL);
}

static void world_make(struct world *w)
{
    struct object_store_options options = options_for_test();
    REQUIRE(world_open(w, &account, "s3://bucket/pre/fix", &options) == OK);
}

static void world_free(struct world *w)
{
    EXPECT(!w->server->saw_unsigned_header);
    object_store_free(w->store);
    sim_free(w->sim);
}

static bool object_is(const struct world *w, const char *key, const void *bytes, size_t len)
{
    const struct fake_object *o = fake_s3_find(w->server, key);
    return o != NULL && o->bytes.len == len && (len == 0 || memcmp(o->bytes.ptr, bytes, len) == 0);
}

static void add_name(void *user, const char *name, uint64_t size)
{
    buf_printf(user, "%s=%llu ", name, (unsigned long long)size);
}

/* -- without failures -------------------------------------------------------------------------- */

TEST(store_s3, puts_and_gets_bytes_and_ranges)
{
    struct world w;
    struct object_info info;
    struct buf out = BUF_INIT(MEM_TEST);
    world_make(&w);
    EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("hello"), NULL), OK);
    EXPECT(object_is(&w, "pre/fix/a", "hello", 5));
    EXPECT_STR(w.server->last_url, "http://s3.test/bucket/pre/fix/a");
    EXPECT_EQ(w.store->ops->head(w.store, "a", &info, NULL), OK);
    EXPECT(info.size == 5 && info.has_crc32c);
    EXPECT_EQ(w.store->ops->head(w.store, "b", &info, NULL), ERR_NOT_FOUND);
    EXPECT_EQ(w.store->ops->get(w.store, "a", 1, 3, &out, &info, NULL), OK);
    EXPECT(slice_eq(buf_slice(&out), slice_of("ell")) && info.size == 5);
    EXPECT_EQ(w.store->ops->get(w.store, "a", 3, 30, &out, &info, NULL), OK);
    EXPECT(slice_eq(buf_slice(&out), slice_of("elllo")));
    EXPECT_EQ(w.store->ops->get(w.store, "a", 5, 30, &out, &info, NULL), OK);
    EXPECT(out.len == 5 && info.size == 5);
    EXPECT_EQ(w.store->ops->put(w.store, "empty", slice_of(""), NULL), OK);
    EXPECT_EQ(object_get_whole(w.store, "empty", 10, &out, NULL), OK);
    EXPECT_EQ(out.len, 5);
    EXPECT_EQ(object_get_whole(w.store, "a", 4, &out, NULL), ERR_LIMIT);
    EXPECT_EQ(object_get_whole(w.store, "a", 5, &out, NULL), OK);
    EXPECT(slice_eq(buf_slice(&out), slice_of("elllohello")));
    EXPECT_EQ(w.store->ops->remove(w.store, "a", NULL), OK);
    EXPECT_EQ(w.store->ops->remove(w.store, "a", NULL), OK);
    EXPECT(fake_s3_find(w.server, "pre/fix/a") == NULL);
    buf_fini(&out);
    world_free(&w);
}

TEST(store_s3, large_files_go_in_parts_and_come_back)
{
    struct world w;
    struct buf out = BUF_INIT(MEM_TEST);
    for (int kms = 0; kms < 2; kms++) {
        world_make(&w);
        w.server->kms = kms != 0;
        EXPECT_EQ(w.store->ops->put_file(w.store, "f", "large", NULL), OK);
        REQUIRE(object_is(&w, "pre/fix/f", w.bytes, LARGE));
        EXPECT_EQ(w.server->requests, 1 + 5 + 1); /* begin, parts, complete */
        EXPECT(kms != 0 || strstr(fake_s3_find(w.server, "pre/fix/f")->etag, "-5") != NULL);
        EXPECT_EQ(object_get_file(w.store, "f", "back", NULL), OK);
        EXPECT_EQ(w.server->requests, 7 + 5);
        buf_clear(&out, SIZE_MAX);
        EXPECT(sim_disk_get(w.sim, "back", &out) && out.len == LARGE);
        EXPECT(memcmp(out.ptr, w.bytes, LARGE) == 0);
        sim_disk_put(w.sim, "small", (struct slice){w.bytes, PART});
        EXPECT_EQ(w.store->ops->put_file(w.store, "s", "small", NULL), OK);
        EXPECT_EQ(w.server->requests, 12 + 1);
        EXPECT(object_is(&w, "pre/fix/s", w.bytes, PART));
        EXPECT_EQ(w.store->ops->put_file(w.store, "s", "nowhere", NULL), ERR_NOT_FOUND);
        world_free(&w);
    }
    buf_fini(&out);
}

TEST(store_s3, lists_all_pages_and_only_its_own)
{
    struct world w;
    char name[16];
    world_make(&w);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(name, sizeof(name), "pack-%d", i);
        REQUIRE(w.store->ops->put(w.store, name, (struct slice){w.bytes, (size_t)i}, NULL) == OK);
    }
    REQUIRE(w.store->ops->put(w.store, "other", slice_of("x"), NULL) == OK);
    /* What somebody else keeps there: below the prefix, and in the bucket. */
    for (size_t i = 0; i < 3; i++) {
        struct fake_object *o = &w.server->objects[w.server->object_count++];
        *o = w.server->objects[0];
        o->bytes = BUF_INIT(MEM_TEST);
        static const char *const keys[] = {"pre/fix/pack-dir/x", "pack-9", "pre/fix/pack .a"};
        (void)snprintf(o->key, sizeof(o->key), "%s", keys[i]);
    }
    struct buf names = BUF_INIT(MEM_TEST);
    EXPECT_EQ(w.store->ops->list(w.store, "pack-", add_name, &names, NULL), OK);
    EXPECT(slice_eq(buf_slice(&names),
                    slice_of("pack-0=0 pack-1=1 pack-2=2 pack-3=3 pack-4=4 pack-5=5 pack-6=6 "
                             "pack-7=7 pack-8=8 pack-9=9 ")));
    buf_clear(&names, 0);
    EXPECT_EQ(w.store->ops->list(w.store, "none", add_name, &names, NULL), OK);
    EXPECT_EQ(names.len, 0);
    buf_fini(&names);
    world_free(&w);
}

/* -- where requests go ------------------------------------------------------------------------- */

static const char *env_of_test(const char *name)
{
    static const struct {
        const char *name, *value;
    } env[] = {{"AWS_ACCESS_KEY_ID", "AKIAENV"},
               {"AWS_SECRET_ACCESS_KEY", "env-secret"},
               {"AWS_SESSION_TOKEN", "env-token"},
               {"AWS_REGION", "eu-central-1"}};
    for (size_t i = 0; i < COUNT_OF(env); i++)
        if (strcmp(env[i].name, name) == 0)
            return env[i].value;
    return NULL;
}

static void expect_url(const char *store_url, const struct object_store_options *options,
                       const char *url)
{
    struct world w;
    struct object_info info;
    REQUIRE(world_open(&w, &account, store_url, options) == OK);
    enum err e = w.store->ops->head(w.store, "x", &info, NULL);
    EXPECT(e != OK); /* the server knows one address only */
    EXPECT_STR(w.server->last_url, url);
    world_free(&w);
}

TEST(store_s3, addresses_are_those_of_the_style)
{
    struct object_store_options o = options_for_test();
    o.retries = 0;
    o.endpoint = "";
    expect_url("s3://buck", &o, "https://buck.s3.us-east-1.amazonaws.com/x");
    expect_url("s3://my.buck", &o, "https://s3.us-east-1.amazonaws.com/my.buck/x");
    o.path_style = OBJECT_PATH_STYLE_YES;
    expect_url("s3://buck", &o, "https://s3.us-east-1.amazonaws.com/buck/x");
    o.endpoint = "https://minio.example:9000/";
    o.path_style = OBJECT_PATH_STYLE_AUTO;
    expect_url("s3://buck/p=1", &o, "https://minio.example:9000/buck/p%3D1/x");
    o.path_style = OBJECT_PATH_STYLE_NO;
    expect_url("s3://buck", &o, "https://buck.minio.example:9000/x");
    o.endpoint = "";
    o.env = env_of_test;
    expect_url("s3://buck", &o, "https://buck.s3.eu-central-1.amazonaws.com/x");
    o.region = "us-west-2";
    expect_url("s3://buck", &o, "https://buck.s3.us-west-2.amazonaws.com/x");
}

TEST(store_s3, endpoints_and_regions_that_are_wrong_are_refused)
{
    static const char *const endpoints[] = {"host",          "ftp://host",          "http://",
                                            "http://a/path", "http://user:pw@host", "https://a b"};
    for (size_t i = 0; i < COUNT_OF(endpoints) + 1; i++) {
        struct object_store_options o = options_for_test();
        struct object_url url;
        struct why why = {""};
        struct object_store *s;
        if (i < COUNT_OF(endpoints))
            o.endpoint = endpoints[i];
        else
            o.region = "eu/west";
        struct sim *sim = sim_new(1, NULL);
        REQUIRE(object_url_parse("s3://bucket", &url, NULL) == OK);
        EXPECT_EQ(store_s3_open_over(sim_io(sim), &url, &o, &fake_s3_new(&account)->base, &s, &why),
                  ERR_ARG);
        EXPECT(why.text[0] != '\0' && strstr(why.text, "pw") == NULL);
        sim_free(sim);
    }
}

/* -- who we are -------------------------------------------------------------------------------- */

/* Puts one object; the error, and that no secret is in its reason. */
static enum err put_as(const struct s3_credentials *account_there,
                       const struct object_store_options *options, unsigned *requests)
{
    struct world w;
    struct why why = {""};
    REQUIRE(world_open(&w, account_there, "s3://bucket", options) == OK);
    enum err e = w.store->ops->put(w.store, "a", slice_of("hello"), &why);
    EXPECT((e == OK) == object_is(&w, "a", "hello", 5));
    EXPECT(e == OK || why.text[0] != '\0');
    EXPECT(strstr(why.text, "secret") == NULL || strstr(why.text, "secret-key") != NULL);
    EXPECT(strstr(why.text, "hunter2") == NULL);
    *requests = w.server->requests;
    world_free(&w);
    return e;
}

TEST(store_s3, credentials_come_from_options_then_environment)
{
    static const struct s3_credentials env_account = {
        .access_key = "AKIAENV", .secret_key = "env-secret", .session_token = "env-token"};
    struct object_store_options o = options_for_test();
    unsigned requests;
    o.env = env_of_test;
    o.region = "us-east-1";
    EXPECT_EQ(put_as(&account, &o, &requests), OK);
    o.access_key = o.secret_key = "";
    EXPECT_EQ(put_as(&env_account, &o, &requests), OK);
    EXPECT_EQ(put_as(&account, &o, &requests), ERR_NOAUTH);
    EXPECT_EQ(requests, 1); /* a wrong signature is not tried again */
    o.access_key = session.access_key;
    o.secret_key = session.secret_key;
    o.session_token = session.session_token;
    EXPECT_EQ(put_as(&session, &o, &requests), OK);
    o.secret_key = "wrong";
    EXPECT_EQ(put_as(&session, &o, &requests), ERR_NOAUTH);
    o.secret_key = "";
    EXPECT_EQ(put_as(&session, &o, &requests), ERR_NOAUTH);
    o.secret_key = "with\nnew line: x";
    EXPECT_EQ(put_as(&session, &o, &requests), ERR_NOAUTH);
    EXPECT_EQ(requests, 0);
}

TEST(store_s3, credentials_are_read_from_a_file)
{
    static const char file[] = "# comment\n"
                               "[other]\naws_access_key_id = AKIAOTHER\n"
                               "aws_secret_access_key=other\r\n"
                               "[ default ]\n"
                               "  aws_access_key_id=AKIATEST  \n"
                               "aws_secret_access_key = hunter2/secret+key\n"
                               "region = nowhere\n"
                               "[half]\naws_access_key_id = AKIAHALF\n";
    struct s3_credentials c;
    EXPECT(s3_credentials_of_file(slice_of(file), "default", &c));
    EXPECT_STR(c.access_key, account.access_key);
    EXPECT_STR(c.secret_key, account.secret_key);
    EXPECT_STR(c.session_token, "");
    EXPECT(s3_credentials_of_file(slice_of(file), "other", &c));
    EXPECT_STR(c.secret_key, "other");
    EXPECT(!s3_credentials_of_file(slice_of(file), "half", &c));
    EXPECT(!s3_credentials_of_file(slice_of(file), "none", &c));
    struct object_store_options o = options_for_test();
    o.access_key = o.secret_key = "";
    o.credentials_file = "keys";
    struct world w;
    REQUIRE(world_open(&w, &account, "s3://bucket", &o) == OK);
    EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), NULL), ERR_NOAUTH); /* no such file */
    sim_disk_put(w.sim, "keys",
                 slice_of("[default]\naws_access_key_id=AKIATEST\n"
                          "aws_secret_access_key=old\n"));
    EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), NULL), ERR_NOAUTH);
    world_free(&w);
    REQUIRE(world_open(&w, &account, "s3://bucket", &o) == OK);
    sim_disk_put(w.sim, "keys", slice_of(file));
    EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), NULL), OK);
    world_free(&w);
}

static void set_metadata(struct fake_s3 *server, const struct s3_credentials *c,
                         const char *expiration)
{
    server->metadata_role = "my-role";
    (void)snprintf(server->metadata_json, sizeof(server->metadata_json),
                   "{\"Code\":\"Success\",\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"%s\","
                   "\"Token\":\"%s\",\"Expiration\":\"%s\"}",
                   c->access_key, c->secret_key, c->session_token, expiration);
}

TEST(store_s3, credentials_of_the_machine_are_refreshed_before_they_expire)
{
    struct object_store_options o = options_for_test();
    struct world w;
    o.access_key = o.secret_key = "";
    REQUIRE(world_open(&w, &session, "s3://bucket", &o) == OK);
    uint64_t start = w.server->wall_ms; /* 2023-11-14T22:13:20Z */
    EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), NULL), ERR_NOAUTH);
    EXPECT_EQ(w.server->requests, 0);
    set_metadata(w.server, &session, "2023-11-14T23:13:20Z");
    w.server->metadata_requests = 0;
    EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), NULL), OK);
    EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), NULL), OK);
    EXPECT_EQ(w.server->metadata_requests, 3); /* token, role, credentials; once */
    w.server->wall_ms = start + 54 * 60 * 1000;
    EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), NULL), OK);
    EXPECT_EQ(w.server->metadata_requests, 3);
    w.server->wall_ms = start + 56 * 60 * 1000;
    w.server->metadata_role = NULL; /* it is away for a moment; the old ones hold */
    EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), NULL), OK);
    set_metadata(w.server, &session, "2023-11-15T23:13:20Z");
    w.server->metadata_requests = 0;
    EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), NULL), OK);
    EXPECT_EQ(w.server->metadata_requests, 3);
    w.server->metadata_json[5] = '\0'; /* no JSON any more */
    w.server->wall_ms = start + 48ull * 3600 * 1000;
    EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), NULL), ERR_NOAUTH);
    world_free(&w);
}

TEST(store_s3, a_wrong_clock_is_set_by_the_servers)
{
    struct world w;
    world_make(&w);
    w.server->server_ahead_ms = 3600 * 1000;
    EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), NULL), OK);
    EXPECT_EQ(w.server->requests, 2);
    EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), NULL), OK);
    EXPECT_EQ(w.server->requests, 3);
    world_free(&w);
}

/* -- with failures ----------------------------------------------------------------------------- */

/* Everything that a store does, once. Returns the first error; *step says where. */
static enum err do_everything(struct world *w, const char **step)
{
    const struct object_store_ops *ops = w->store->ops;
    struct object_info info;
    struct buf out = BUF_INIT(MEM_TEST), names = BUF_INIT(MEM_TEST);
    struct io *io = sim_io(w->sim);
    *step = "put";
    enum err e = ops->put(w->store, "a", slice_of("hello"), NULL);
    if (e == OK && (*step = "put_file") != NULL)
        e = ops->put_file(w->store, "f", "large", NULL);
    if (e == OK && (*step = "head") != NULL)
        e = ops->head(w->store, "f", &info, NULL);
    if (e == OK && (*step = "get") != NULL)
        e = object_get_whole(w->store, "a", 100, &out, NULL);
    EXPECT(e != OK || slice_eq(buf_slice(&out), slice_of("hello")));
    if (e == OK && (*step = "get_file") != NULL)
        e = object_get_file(w->store, "f", "back", NULL);
    buf_clear(&out, SIZE_MAX);
    bool there = sim_disk_get(w->sim, "back", &out);
    EXPECT(!there || (out.len == LARGE && memcmp(out.ptr, w->bytes, LARGE) == 0));
    if (there)
        EXPECT_EQ(io->ops->remove(io, "back"), OK);
    if (e == OK && (*step = "list") != NULL)
        e = ops->list(w->store, "", add_name, &names, NULL);
    EXPECT(e != OK || slice_eq(buf_slice(&names), slice_of("a=5 f=4500 ")) ||
           slice_eq(buf_slice(&names), slice_of("f=4500 a=5 ")));
    if (e == OK && (*step = "remove") != NULL)
        e = ops->remove(w->store, "a", NULL);
    if (e == OK && (*step = "clean") != NULL)
        e = ops->clean(w->store, NULL);
    buf_fini(&out);
    buf_fini(&names);
    return e;
}

/* Whatever is there is whole. */
static void expect_whole(const struct world *w)
{
    EXPECT(fake_s3_find(w->server, "pre/fix/a") == NULL || object_is(w, "pre/fix/a", "hello", 5));
    EXPECT(fake_s3_find(w->server, "pre/fix/f") == NULL ||
           object_is(w, "pre/fix/f", w->bytes, LARGE));
}

/* Bits of a list that flip over a connection without TLS are past finding: names have no checksum.
 */
static bool harms_lists(enum fake_fault fault)
{
    return fault == FAKE_FLIPPED_DOWN;
}

TEST(store_s3, any_single_failure_of_any_request_is_overcome)
{
    for (enum fake_fault fault = FAKE_NO_FAULT + 1; fault < FAKE_FAULT_COUNT; fault++) {
        if (harms_lists(fault))
            continue;
        bool fired = true;
        unsigned at = 1;
        for (; fired && at < REQUESTS_MAX; at++) {
            struct world w;
            const char *step;
            world_make(&w);
            w.server->fault = fault;
            w.server->fault_at = at;
            enum err e = do_everything(&w, &step);
            fired = w.server->fired;
            if (e != OK)
                test_fail(__FILE__, __LINE__, "%s at request %u: %s: %s", fake_fault_name(fault),
                          at, step, err_name(e));
            EXPECT(object_is(&w, "pre/fix/f", w.bytes, LARGE));
            EXPECT(fake_s3_find(w.server, "pre/fix/a") == NULL);
            EXPECT_EQ(fake_s3_upload_count(w.server), 0);
            world_free(&w);
        }
        EXPECT(!fired && at > 17); /* every request has had it */
    }
}

TEST(store_s3, a_flipped_bit_of_an_object_is_found)
{
    for (unsigned at = 1; at <= 7; at++) {
        struct world w;
        struct buf out = BUF_INIT(MEM_TEST);
        world_make(&w);
        REQUIRE(w.store->ops->put(w.store, "a", slice_of("hello"), NULL) == OK);
        REQUIRE(w.store->ops->put_file(w.store, "f", "large", NULL) == OK);
        w.server->requests = 0;
        w.server->fault = FAKE_FLIPPED_DOWN;
        w.server->fault_at = at;
        EXPECT_EQ(object_get_whole(w.store, "a", 100, &out, NULL), OK);
        EXPECT(slice_eq(buf_slice(&out), slice_of("hello")));
        EXPECT_EQ(object_get_file(w.store, "f", "back", NULL), OK);
        buf_clear(&out, SIZE_MAX);
        EXPECT(sim_disk_get(w.sim, "back", &out) && out.len == LARGE);
        EXPECT(memcmp(out.ptr, w.bytes, LARGE) == 0);
        buf_fini(&out);
        world_free(&w);
    }
}

TEST(store_s3, a_bit_that_rotted_in_the_store_is_corruption)
{
    struct world w;
    struct buf out = BUF_INIT(MEM_TEST);
    struct why why = {""};
    world_make(&w);
    REQUIRE(w.store->ops->put(w.store, "a", slice_of("hello"), NULL) == OK);
    REQUIRE(w.store->ops->put_file(w.store, "f", "large", NULL) == OK);
    w.server->objects[0].bytes.ptr[0] ^= 1;
    w.server->objects[1].bytes.ptr[LARGE - 1] ^= 1;
    EXPECT_EQ(object_get_whole(w.store, "a", 100, &out, &why), ERR_CORRUPT);
    EXPECT_EQ(out.len, 0);
    EXPECT_EQ(object_get_file(w.store, "f", "back", &why), ERR_CORRUPT);
    EXPECT(strstr(why.text, "object f") != NULL);
    EXPECT(!sim_disk_exists(w.sim, "back"));
    buf_fini(&out);
    world_free(&w);
}

TEST(store_s3, a_server_that_fails_from_some_request_on_leaves_no_half_object)
{
    unsigned failed = 0;
    for (enum fake_fault fault = FAKE_NO_FAULT + 1; fault < FAKE_FAULT_COUNT; fault++) {
        bool fired = !harms_lists(fault);
        for (unsigned at = 1; fired && at < REQUESTS_MAX; at++) {
            struct world w;
            const char *step;
            world_make(&w);
            w.server->fault = fault;
            w.server->fault_at = at;
            w.server->for_ever = true;
            enum err e = do_everything(&w, &step);
            fired = w.server->fired;
            failed += e != OK;
            expect_whole(&w);
            w.server->fault = FAKE_NO_FAULT; /* it is mended */
            EXPECT_EQ(do_everything(&w, &step), OK);
            EXPECT_EQ(fake_s3_upload_count(w.server), 0);
            world_free(&w);
        }
    }
    EXPECT(failed > 100);
}

TEST(store_s3, gives_up_after_its_retries_having_waited_longer_and_longer)
{
    for (uint32_t retries = 0; retries <= 8; retries++) {
        struct world w;
        struct why why = {""};
        struct object_store_options o = options_for_test();
        o.retries = retries;
        REQUIRE(world_open(&w, &account, "s3://bucket", &o) == OK);
        w.server->fault = FAKE_503_SLOW_DOWN;
        w.server->fault_at = 1;
        w.server->for_ever = true;
        EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), &why), ERR_IO);
        EXPECT_EQ(w.server->requests, retries + 1);
        EXPECT(w.server->waited_ms >= (100u << retries) / 2 - 50);
        EXPECT(w.server->waited_ms <= 100u << retries);
        EXPECT(strstr(why.text, "503 SlowDown") != NULL);
        w.server->retry_after = "7";
        w.server->waited_ms = 0;
        EXPECT_EQ(w.store->ops->put(w.store, "a", slice_of("x"), &why), ERR_IO);
        EXPECT(w.server->waited_ms >= retries * 7000u);
        world_free(&w);
    }
}

TEST(store_s3, cancelling_ends_calls_and_leaves_uploads_to_clean)
{
    struct world w;
    world_make(&w);
    w.server->cancelled = true;
    EXPECT_EQ(w.store->ops->put_file(w.store, "f", "large", NULL), ERR_CANCELLED);
    EXPECT_EQ(w.server->requests, 0);
    w.server->cancelled = false;
    w.server->fault = FAKE_ANSWER_LOST; /* of the beginning: an upload that nobody knows of */
    w.server->fault_at = 1;
    EXPECT_EQ(w.store->ops->put_file(w.store, "f", "large", NULL), OK);
    EXPECT_EQ(fake_s3_upload_count(w.server), 1);
    EXPECT_EQ(w.store->ops->clean(w.store, NULL), OK);
    EXPECT_EQ(fake_s3_upload_count(w.server), 0);
    EXPECT(object_is(&w, "pre/fix/f", w.bytes, LARGE));
    world_free(&w);
}

TEST(store_s3, a_file_that_shrinks_or_fails_while_it_is_put_leaves_no_object)
{
    bool fired = true;
    for (uint64_t nth = 1; fired && nth < REQUESTS_MAX; nth++) {
        struct world w;
        world_make(&w);
        sim_fail_nth(w.sim, nth);
        enum err e = w.store->ops->put_file(w.store, "f", "large", NULL);
        fired = sim_fault_fired(w.sim);
        EXPECT((e == OK) == !fired);
        EXPECT((fake_s3_find(w.server, "pre/fix/f") != NULL) == (e == OK));
        EXPECT_EQ(fake_s3_upload_count(w.server), 0);
        world_free(&w);
    }
    EXPECT(!fired);
}
