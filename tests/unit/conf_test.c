/* conf_test.c: every option at its bounds, in files, on the command line and through CONFIG SET. */
#include "lib/test.h"

#include <inttypes.h>
#include <stdlib.h>

#include "conf/config.h"
#include "conf/stats.h"

/* Sets one option and returns what config_get then shows, or the reason why not. */
static const char *set_and_get(struct config *c, const char *name, const char *value,
                               char out[2048])
{
    struct why why = {""};
    struct buf text = BUF_INIT(MEM_TEST);
    enum err e = config_set(c, slice_of(name), slice_of(value), &why);
    if (e != OK) {
        (void)snprintf(out, 2048, "!%s", why.text);
        return out;
    }
    EXPECT(config_get(c, slice_of(name), &text));
    (void)snprintf(out, 2048, "%.*s", (int)text.len, (const char *)text.ptr);
    buf_fini(&text);
    return out;
}

static void expect_set(const char *file, int line, const char *name, const char *value,
                       const char *expected)
{
    struct config c, before;
    char got[2048];
    config_init(&c);
    before = c;
    (void)set_and_get(&c, name, value, got);
    if (strcmp(got, expected) != 0)
        test_fail(file, line, "%s %s is \"%s\", expected \"%s\"", name, value, got, expected);
    if (got[0] == '!' && memcmp(&c, &before, sizeof(c)) != 0)
        test_fail(file, line, "refusing %s %s changed something", name, value);
}

#define EXPECT_SET(name, value, expected) expect_set(__FILE__, __LINE__, name, value, expected)

TEST(config, starts_with_the_defaults_that_are_documented)
{
    struct config c;
    config_init(&c);
    EXPECT_EQ(c.port, 6379);
    EXPECT_STR(c.bind, "127.0.0.1 -::1");
    EXPECT_STR(c.requirepass, "");
    EXPECT(c.protected_mode && c.vset_keep_originals);
    EXPECT_EQ(c.maxclients, 10000);
    EXPECT_EQ(c.proto_max_bulk_len, 512 << 20);
    EXPECT_EQ(c.client_output_buffer_limit.hard_bytes, 1024 << 20);
    EXPECT_EQ(c.client_output_buffer_limit.soft_seconds, 60);
    EXPECT_EQ(c.maxmemory, mem_machine_bytes() / 100 * 75);
    EXPECT_EQ(c.maxmemory_policy, POLICY_NOEVICTION);
    EXPECT_EQ(c.loglevel, LOGLEVEL_NOTICE);
    EXPECT_EQ(c.pending_scan_bytes, 16 << 20);
}

TEST(config, every_option_is_documented_found_in_any_case_and_named_once)
{
    for (size_t i = 0; i < config_option_count(); i++) {
        const struct config_option *o = config_option_at(i);
        size_t size = strlen(o->doc);
        EXPECT(size > 15 && o->doc[size - 1] == '.');
        char upper[64];
        size_t n = strlen(o->name);
        REQUIRE(n < sizeof(upper));
        for (size_t k = 0; k <= n; k++)
            upper[k] =
                o->name[k] >= 'a' && o->name[k] <= 'z' ? (char)(o->name[k] - 32) : o->name[k];
        EXPECT(config_option_find(slice_of(upper)) == o);
        EXPECT(config_option_find(slice_of(o->name)) == o);
    }
    EXPECT(config_option_find(slice_of("por")) == NULL);
    EXPECT(config_option_find(slice_of("")) == NULL);
}

/* What one past a bound must answer. */
static void expect_refused(const struct config_option *o, int64_t value)
{
    char text[32], expected[160];
    (void)snprintf(text, sizeof(text), "%" PRId64, value);
    (void)snprintf(expected, sizeof(expected),
                   "!argument must be between %" PRId64 " and %" PRId64 " inclusive", o->min,
                   o->max);
    EXPECT_SET(o->name, text, expected);
}

static void expect_accepted(const struct config_option *o, int64_t value)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%" PRId64, value);
    EXPECT_SET(o->name, text, text);
}

TEST(config, numbers_are_taken_at_both_bounds_and_refused_one_past)
{
    static const char *const names[] = {
        "port",
        "tcp-backlog",
        "tcp-keepalive",
        "timeout",
        "maxclients",
        "workers",
        "flat-rows-max",
        "databases",
        "maxmemory",
        "proto-max-bulk-len",
        "client-query-buffer-limit",
        "pending-scan-bytes",
    };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct config_option *o = config_option_find(slice_of(names[i]));
        REQUIRE(o != NULL && o->min <= o->max);
        expect_accepted(o, o->min);
        expect_accepted(o, o->max);
        if (o->min > 0)
            expect_refused(o, o->min - 1);
        if (o->max < INT64_MAX)
            expect_refused(o, o->max + 1);
    }
    EXPECT_SET("port", "-1", "!argument must be between 0 and 65535 inclusive");
    EXPECT_SET("unixsocketperm", "777", "777");
    EXPECT_SET("unixsocketperm", "0", "0");
    EXPECT_SET("unixsocketperm", "0700", "700");
    EXPECT_SET("unixsocketperm", "1000", "!argument must be between 0 and 777 inclusive");
    EXPECT_SET("unixsocketperm", "8", "!argument couldn't be parsed as an octal number");
    EXPECT_SET("unixsocketperm", "", "!argument couldn't be parsed as an octal number");
}

TEST(config, texts_are_taken_at_both_bounds_and_refused_one_past)
{
    static const char *const names[] = {"bind", "unixsocket", "requirepass",
                                        "dir",  "logfile",    "kernels"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct config_option *o = config_option_find(slice_of(names[i]));
        REQUIRE(o != NULL && o->max <= CONFIG_TEXT_MAX);
        char text[CONFIG_TEXT_MAX + 2], expected[80];
        memset(text, 'x', sizeof(text));
        text[o->max] = '\0';
        EXPECT_SET(o->name, text, text);
        text[o->max] = 'x';
        text[o->max + 1] = '\0';
        (void)snprintf(expected, sizeof(expected), "!argument must have at most %" PRId64 " bytes",
                       o->max);
        EXPECT_SET(o->name, text, expected);
        EXPECT_SET(o->name, "", o->min == 0 ? "" : "!argument must not be empty");
    }
    struct config c;
    struct why why;
    config_init(&c);
    EXPECT_EQ(config_set(&c, slice_of("dir"), (struct slice){(const uint8_t *)"a\0b", 3}, &why),
              ERR_ARG);
    EXPECT_STR(why.text, "argument must not contain a zero byte");
    EXPECT_STR(c.dir, "vdb-data");
}

TEST(config, sizes_take_units)
{
    EXPECT_SET("maxmemory", "1gb", "1073741824");
    EXPECT_SET("maxmemory", "1G", "1000000000");
    EXPECT_SET("maxmemory", "512mb", "536870912");
    EXPECT_SET("maxmemory", "100k", "100000");
    EXPECT_SET("maxmemory", "100KB", "102400");
    EXPECT_SET("maxmemory", "7b", "7");
    EXPECT_SET("maxmemory", "0", "0");
    EXPECT_SET("client-query-buffer-limit", "2tb", "2199023255552");
    const char *refused = "!argument must be a memory value";
    static const char *const bad[] = {"",
                                      "mb",
                                      "1x",
                                      "1 mb",
                                      "-1",
                                      "1.5gb",
                                      "50%",
                                      "1mbb",
                                      "9223372036854775807k",
                                      "99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        EXPECT_SET("proto-max-bulk-len", bad[i], refused);
}

TEST(config, memory_is_a_share_of_the_machine)
{
    char expected[32];
    (void)snprintf(expected, sizeof(expected), "%zu", mem_machine_bytes() / 100);
    EXPECT_SET("maxmemory", "1%", expected);
    (void)snprintf(expected, sizeof(expected), "%zu", mem_machine_bytes() / 100 * 100);
    EXPECT_SET("maxmemory", "100%", expected);
    EXPECT_SET("maxmemory", "0%", "!percentage argument must be between 1 and 100 inclusive");
    EXPECT_SET("maxmemory", "101%", "!percentage argument must be between 1 and 100 inclusive");
    EXPECT_SET("maxmemory", "%", "!argument must be a memory or percent value");
    EXPECT_SET("maxmemory", "x", "!argument must be a memory or percent value");
}

TEST(config, words_are_those_of_the_list)
{
    EXPECT_SET("loglevel", "debug", "debug");
    EXPECT_SET("loglevel", "WARNING", "warning");
    EXPECT_SET("loglevel", "loud",
               "!argument(s) must be one of the following: debug, verbose, notice, warning");
    EXPECT_SET("protected-mode", "NO", "no");
    EXPECT_SET("protected-mode", "true", "!argument must be 'yes' or 'no'");
    EXPECT_SET("vset-keep-originals", "no", "no");
    EXPECT_SET("maxmemory-policy", "noeviction", "noeviction");
    EXPECT_SET("maxmemory-policy", "Allkeys-LRU", "allkeys-lru");
    EXPECT_SET("maxmemory-policy", "x",
               "!argument(s) must be one of the following: volatile-lru, volatile-lfu, "
               "volatile-random, volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, "
               "noeviction");
    EXPECT_SET("appendonly", "no", "no");
    EXPECT_SET("appendonly", "yes", "yes");
    EXPECT_SET("appendfsync", "Always", "always");
    EXPECT_SET("appendfsync", "no", "no");
    EXPECT_SET("appendfsync", "sometimes",
               "!argument(s) must be one of the following: always, everysec, no");
    EXPECT_SET("appendonly", "maybe", "!argument must be 'yes' or 'no'");
    EXPECT_SET("save", "", "");
    EXPECT_SET("save", "900 1 60 10000", "900 1 60 10000");
    EXPECT_SET("save", "900", "!Invalid save parameters");
    EXPECT_SET("save", "900 -1", "!Invalid save parameters");
    EXPECT_SET("save", "0 1", "!Invalid save parameters");
    EXPECT_SET("save", "900 x", "!Invalid save parameters");
    EXPECT_SET("save", "\"900 1\"", "!Invalid save parameters");
    EXPECT_SET("nosuch", "1", "!there is no option 'nosuch'");
}

TEST(config, output_limit_has_the_syntax_of_redis)
{
#define PUBSUB " pubsub 33554432 8388608 60"
    const char *name = "client-output-buffer-limit";
    EXPECT_SET(name, "normal 1mb 512kb 10", "normal 1048576 524288 10" PUBSUB);
    EXPECT_SET(name, "NORMAL 0 0 0", "normal 0 0 0" PUBSUB);
    EXPECT_SET(name, "normal 0 0 2147483647", "normal 0 0 2147483647" PUBSUB);
    const char *error = "!Error in hard, soft or soft_seconds setting in buffer limit "
                        "configuration.";
    EXPECT_SET(name, "normal 0 0 2147483648", error);
    EXPECT_SET(name, "normal 0 0 -1", error);
    EXPECT_SET(name, "normal x 0 1", error);
    const char *count = "!Wrong number of arguments in buffer limit configuration.";
    EXPECT_SET(name, "", count);
    EXPECT_SET(name, "normal 1 1", count);
    EXPECT_SET(name, "normal 1 1 1 1", count);
    EXPECT_SET(name, "'normal' 1 1 1", count);
    EXPECT_SET(name, "normal 1 1 1 replica 1", count);
    EXPECT_SET(name, "nobody 0 0 0",
               "!Invalid client class specified in buffer limit configuration.");
    EXPECT_SET(name, "normal 1 2 3 nobody 0 0 0",
               "!Invalid client class specified in buffer limit configuration.");
    EXPECT_SET(name, "replica x 0 0", error);
    /* There are none of these, but redis.conf has them. */
    EXPECT_SET(name, "slave 0 0 0", "normal 1073741824 67108864 60" PUBSUB);
    EXPECT_SET(name, "replica 1 1 1 normal 1 2 3 pubsub 32mb 8mb 60", "normal 1 2 3" PUBSUB);
    EXPECT_SET(name, "pubsub 3 2 1", "normal 1073741824 67108864 60 pubsub 3 2 1");
    EXPECT_SET(name, "pubsub 0 0 2147483648", error);
}

/* CONFIG SET with words; the error text, or "" when it passed. */
static const char *change(struct config *c, const char *const words[], size_t pair_count,
                          struct why *why)
{
    struct slice pairs[8];
    for (size_t i = 0; i < 2 * pair_count; i++)
        pairs[i] = slice_of(words[i]);
    why->text[0] = '\0';
    enum err e = config_change(c, pairs, pair_count, why);
    EXPECT((e == OK) == (why->text[0] == '\0'));
    return why->text;
}

#define EXPECT_CHANGE(expected, pair_count, ...)                                                   \
    EXPECT_STR(change(&c, (const char *const[]){__VA_ARGS__}, pair_count, &why), expected)

TEST(config, change_is_worded_as_in_redis)
{
    struct config c;
    struct why why;
    config_init(&c);
    EXPECT_CHANGE("", 1, "timeout", "7");
    EXPECT_EQ(c.timeout, 7);
    EXPECT_CHANGE("Unknown option or number of arguments for CONFIG SET - 'nosuch'", 1, "nosuch",
                  "1");
    EXPECT_CHANGE("CONFIG SET failed (possibly related to argument 'maxclients') - argument must "
                  "be between 1 and 1000000 inclusive",
                  1, "maxclients", "0");
    EXPECT_CHANGE("CONFIG SET failed (possibly related to argument 'port') - can't set immutable "
                  "config",
                  1, "port", "1");
    EXPECT_CHANGE("CONFIG SET failed (possibly related to argument 'timeout') - duplicate "
                  "parameter",
                  2, "timeout", "1", "TIMEOUT", "2");
    EXPECT_CHANGE("CONFIG SET failed (possibly related to argument 'timeout') - argument couldn't "
                  "be parsed into an integer",
                  1, "timeout", "soon");
}

TEST(config, change_sets_all_or_nothing)
{
    struct config c;
    struct why why;
    config_init(&c);
    EXPECT_CHANGE("CONFIG SET failed (possibly related to argument 'loglevel') - argument(s) must "
                  "be one of the following: debug, verbose, notice, warning",
                  3, "timeout", "5", "loglevel", "loud", "maxclients", "9");
    EXPECT_EQ(c.timeout, 0);
    EXPECT_EQ(c.maxclients, 10000);
    EXPECT_CHANGE("", 3, "timeout", "5", "loglevel", "debug", "maxclients", "9");
    EXPECT_EQ(c.timeout, 5);
    EXPECT_EQ(c.loglevel, LOGLEVEL_DEBUG);
    EXPECT_EQ(c.maxclients, 9);
}

TEST(config, files_have_the_syntax_of_redis_conf)
{
    struct config c;
    struct why why = {""};
    config_init(&c);
    const char *text = "# a comment\n"
                       "\n"
                       "  port   7000  \r\n"
                       "\t# another\n"
                       "requirepass \"a b\\x21\\\"\"\n"
                       "dir '/tmp/it\\'s'\n"
                       "BIND 10.0.0.1 -::1\n"
                       "client-output-buffer-limit normal 1mb 0 0\n"
                       "save \"\"\n"
                       "timeout 5\n"
                       "timeout 6";
    EXPECT_EQ(config_parse(&c, "x.conf", slice_of(text), &why), OK);
    EXPECT_STR(why.text, "");
    EXPECT_EQ(c.port, 7000);
    EXPECT_STR(c.requirepass, "a b!\"");
    EXPECT_STR(c.dir, "/tmp/it's");
    EXPECT_STR(c.bind, "10.0.0.1 -::1");
    EXPECT_EQ(c.client_output_buffer_limit.hard_bytes, 1 << 20);
    EXPECT_EQ(c.timeout, 6);
}

static void expect_save(const char *text, const char *expected)
{
    struct config c;
    struct why why = {""};
    struct buf out = BUF_INIT(MEM_TEST);
    config_init(&c);
    EXPECT_EQ(config_parse(&c, "x.conf", slice_of(text), &why), OK);
    EXPECT(config_get(&c, slice_of("save"), &out));
    EXPECT(slice_eq(buf_slice(&out), slice_of(expected)));
    buf_fini(&out);
}

TEST(config, lines_of_save_add_up_as_in_redis_conf)
{
    expect_save("", "3600 1 300 100 60 10000");
    expect_save("save 900 1", "900 1");
    expect_save("save 900 1\nsave 300 10\nsave 60 10000 30 5\n", "900 1 300 10 60 10000 30 5");
    expect_save("save 900 1\nsave \"\"\n", "");
    expect_save("save \"\"\nsave 900 1\n", "900 1");
    expect_save("save \"900 1 300 10\"\n", "900 1 300 10");
    struct config c;
    struct why why = {""};
    char line[800] = "save";
    config_init(&c);
    for (int i = 0; i < CONFIG_SAVE_POINTS_MAX; i++)
        (void)snprintf(line + strlen(line), sizeof(line) - strlen(line), " %d 1", i + 1);
    EXPECT_EQ(config_parse(&c, "x.conf", slice_of(line), &why), OK);
    EXPECT_EQ(c.save.count, CONFIG_SAVE_POINTS_MAX);
    EXPECT_EQ(config_parse(&c, "x.conf", slice_of("save 900 1"), &why), ERR_LIMIT);
    (void)snprintf(line + strlen(line), sizeof(line) - strlen(line), " 99 1");
    EXPECT_EQ(config_parse(&c, "x.conf", slice_of(line), &why), ERR_ARG);
}

TEST(config, files_name_the_bad_line)
{
    static const struct {
        const char *text;
        enum err e;
        const char *why;
    } cases[] = {
        {"\n\nport x\n", ERR_ARG,
         "x.conf, line 3: 'port x': argument couldn't be parsed into an integer"},
        {"port\n", ERR_SYNTAX, "x.conf, line 1: 'port': wrong number of arguments"},
        {"port 1 2\n", ERR_SYNTAX, "x.conf, line 1: 'port 1 2': wrong number of arguments"},
        {"dir \"a\n", ERR_SYNTAX,
         "x.conf, line 1: 'dir \"a': unbalanced quotes in configuration line"},
        {"\"dir\n", ERR_SYNTAX, "x.conf, line 1: '\"dir': unbalanced quotes in configuration line"},
        {"include a.conf\n", ERR_NOT_FOUND,
         "x.conf, line 1: 'include a.conf': there is no option 'include'"},
        {"timeout 1\nport 1 # no comment here\n", ERR_SYNTAX,
         "x.conf, line 2: 'port 1 # no comment here': wrong number of arguments"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct config c;
        struct why why = {""};
        config_init(&c);
        EXPECT_EQ(config_parse(&c, "x.conf", slice_of(cases[i].text), &why), cases[i].e);
        EXPECT_STR(why.text, cases[i].why);
        EXPECT_EQ(c.port, 6379);
    }
}

#define ARGS(...) ((char *[]){"vdb-server", __VA_ARGS__})
#define ARG_COUNT(...) ((int)COUNT_OF(ARGS(__VA_ARGS__)))
#define PARSE_ARGS(...) config_parse_args(&c, ARG_COUNT(__VA_ARGS__), ARGS(__VA_ARGS__), &why)

TEST(config, command_line_overrides)
{
    struct config c;
    struct why why = {""};
    config_init(&c);
    EXPECT_EQ(PARSE_ARGS("my.conf", "--port", "7", "--bind", "1.2.3.4", "::1", "--requirepass",
                         "--x", "--save", ""),
              OK);
    EXPECT_EQ(c.port, 7);
    EXPECT_STR(c.bind, "1.2.3.4 ::1");
    EXPECT_STR(c.requirepass, "--x");
    EXPECT_EQ(config_parse_args(&c, 1, ARGS("unused"), &why), OK);
    EXPECT_EQ(PARSE_ARGS("--port", "x"), ERR_ARG);
    EXPECT_STR(why.text, "--port: argument couldn't be parsed into an integer");
    EXPECT_EQ(PARSE_ARGS("--port", "1", "2"), ERR_SYNTAX);
    EXPECT_STR(why.text, "--port: wrong number of arguments");
    EXPECT_EQ(PARSE_ARGS("--port"), ERR_SYNTAX);
    EXPECT_STR(why.text, "--port: wrong number of arguments");
    EXPECT_EQ(PARSE_ARGS("--nosuch", "1"), ERR_NOT_FOUND);
    EXPECT_STR(why.text, "--nosuch: there is no option 'nosuch'");
    EXPECT_EQ(PARSE_ARGS("-p", "1"), ERR_SYNTAX);
    EXPECT_STR(why.text, "'-p' is not an option: options start with --");
    EXPECT_EQ(PARSE_ARGS("--", "1"), ERR_SYNTAX);
}

TEST(config, command_line_names_a_file_first)
{
    EXPECT_STR(config_file_argument(2, ARGS("a.conf")), "a.conf");
    EXPECT(config_file_argument(1, ARGS("a.conf")) == NULL);
    EXPECT(config_file_argument(3, ARGS("--port", "1")) == NULL);
    EXPECT(config_file_argument(2, ARGS("-x")) == NULL);
}

static void read_whole_file(const char *path, struct buf *out)
{
    FILE *file = fopen(path, "rb");
    REQUIRE(file != NULL);
    uint8_t *to = buf_reserve(out, 1 << 20);
    buf_advance(out, fread(to, 1, 1 << 20, file));
    (void)fclose(file);
}

TEST(config, committed_vdb_conf_is_what_config_print_writes)
{
    struct buf printed = BUF_INIT(MEM_TEST), committed = BUF_INIT(MEM_TEST);
    config_print(&printed);
    read_whole_file("vdb.conf", &committed);
    if (!slice_eq(buf_slice(&printed), buf_slice(&committed)))
        test_fail(__FILE__, __LINE__, "vdb.conf is old: run `make vdb.conf`");
    buf_fini(&printed);
    buf_fini(&committed);
}

TEST(config, printed_configuration_reads_back_as_the_defaults)
{
    struct buf printed = BUF_INIT(MEM_TEST);
    struct config defaults, c;
    struct why why = {""};
    config_print(&printed);
    config_init(&defaults);
    config_init(&c);
    c.port = 1;
    c.flat_rows_max = 1;
    EXPECT_EQ(config_parse(&c, "vdb.conf", buf_slice(&printed), &why), OK);
    EXPECT_STR(why.text, "");
    EXPECT(memcmp(&c, &defaults, sizeof(c)) == 0);
    buf_append_byte(&printed, '\0');
    EXPECT(strstr((const char *)printed.ptr, "\n# requirepass ") != NULL);
    EXPECT(strstr((const char *)printed.ptr, "\nrequirepass") == NULL);
    for (size_t i = 0; i < config_option_count(); i++) {
        char line[80];
        (void)snprintf(line, sizeof(line), "%s ", config_option_at(i)->name);
        EXPECT(strstr((const char *)printed.ptr, line) != NULL);
    }
    buf_fini(&printed);
}

TEST(stats, every_counter_is_documented_and_printed)
{
    struct stats s = {0};
    struct buf info = BUF_INIT(MEM_TEST), page = BUF_INIT(MEM_TEST);
    for (size_t i = 0; i < stats_count(); i++) {
        const struct stats_row *row = stats_row_at(i);
        *(uint64_t *)((char *)&s + row->offset) = 1000 + i;
        EXPECT_EQ(stats_value(&s, row), 1000 + i);
        EXPECT(row->doc[strlen(row->doc) - 1] == '.');
    }
    EXPECT_EQ(stats_count() * sizeof(uint64_t), sizeof(s));
    for (size_t i = 0; i < STATS_SECTION_COUNT; i++)
        stats_print_info(&s, (enum stats_section)i, &info);
    stats_print_prometheus(&s, &page);
    buf_append_byte(&info, '\0');
    buf_append_byte(&page, '\0');
    for (size_t i = 0; i < stats_count(); i++) {
        char line[200];
        (void)snprintf(line, sizeof(line), "%s:%zu\r\n", stats_row_at(i)->name, 1000 + i);
        EXPECT(strstr((const char *)info.ptr, line) != NULL);
        (void)snprintf(line, sizeof(line), " counter\nvdb_%s %zu\n", stats_row_at(i)->name,
                       1000 + i);
        EXPECT(strstr((const char *)page.ptr, line) != NULL);
    }
    EXPECT(strncmp((const char *)info.ptr, "total_connections_received:1000\r\n", 33) == 0);
    EXPECT_STR(stats_section_heading(STATS_SECTION_VECTORS), "Vectors");
    buf_fini(&info);
    buf_fini(&page);
}
