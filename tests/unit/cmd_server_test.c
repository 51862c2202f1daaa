/* cmd_server_test.c: INFO, CONFIG, COMMAND and the like, and what holds for all commands. */
#include "lib/cmd_harness.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/rng.h"
#include "cmd/monitor.h"

#define SYNTAX "-ERR syntax error\r\n"
#define OK_ "+OK\r\n"

static void arity(struct harness *h, const char *line, const char *name)
{
    char expected[128];
    (void)snprintf(expected, sizeof(expected),
                   "-ERR wrong number of arguments for '%s' command\r\n", name);
    EXPECT_REPLIES(h, line, expected);
}

/* -- INFO -------------------------------------------------------------------------------------- */

TEST(cmd_info, has_what_clients_and_tools_read)
{
    static const char *const fields[] = {
        "redis_version:8.0.0",
        "redis_mode:standalone",
        "os:Linux",
        "arch_bits:64",
        "process_id:",
        "run_id:",
        "tcp_port:",
        "uptime_in_seconds:",
        "uptime_in_days:0",
        "connected_clients:1",
        "blocked_clients:0",
        "maxclients:10000",
        "used_memory:",
        "used_memory_human:",
        "used_memory_rss:",
        "used_memory_peak:",
        "used_memory_lua:0",
        "used_memory_overhead:",
        "used_memory_startup:",
        "used_memory_dataset:",
        "maxmemory:",
        "maxmemory_policy:noevi",
        "mem_fragmentation_ratio:",
        "loading:0",
        "rdb_last_bgsave_status:ok",
        "aof_enabled:0",
        "total_connections_received:",
        "total_commands_proces",
        "instantaneous_ops_per_sec:",
        "total_net_input_bytes:",
        "total_net_output_bytes:",
        "expired_keys:0",
        "evicted_keys:0",
        "keyspace_hits:",
        "keyspace_misses:",
        "pubsub_channels:0",
        "latest_fork_usec:0",
        "role:master",
        "connected_slaves:0",
        "master_replid:",
        "master_repl_offset:",
        "used_cpu_sys:",
        "used_cpu_user:",
        "cluster_enabled:0",
        "vectors_added:",
        "mem_vectors:",
        "instantaneous_input_k",
        "errorstat_ERR:count=1",
    };
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "GET", "-ERR wrong number of arguments for 'get' command\r\n");
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        char part[64];
        (void)snprintf(part, sizeof(part), "\r\n%s", fields[i]);
        EXPECT_PART(h, 2, "INFO", part);
        EXPECT_PART(h, 3, "INFO everything", part);
    }
    EXPECT_NO_PART(h, 2, "INFO", "cmdstat_");
    EXPECT_PART(h, 2, "INFO all", "\r\ncmdstat_get:calls=0,");
    harness_free(h);
}

TEST(cmd_info, sections_come_in_their_own_order)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "INFO keyspace CLUSTER",
                 "$44\r\n# Cluster\r\ncluster_enabled:0\r\n\r\n# Keyspace\r\n\r\n");
    EXPECT_REPLY(h, 3, "INFO cluster", "=34\r\ntxt:# Cluster\r\ncluster_enabled:0\r\n\r\n");
    EXPECT_REPLY(h, 2, "INFO nosuch", "$0\r\n\r\n");
    EXPECT_PART(h, 2, "INFO default", "# Server\r\n");
    EXPECT_REPLY(h, 2, "SET k v", OK_);
    EXPECT_PART(h, 2, "INFO keyspace", "# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n");
    EXPECT_PART(h, 2, "INFO replication", "\r\nmaster_repl_offset:1\r\n");
    harness_free(h);
}

TEST(cmd_info, counts_commands_and_errors)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET k v", OK_);
    EXPECT_REPLY(h, 2, "SET k", "-ERR wrong number of arguments for 'set' command\r\n");
    EXPECT_REPLY(h, 2, "SET k v FOO", SYNTAX);
    EXPECT_PART(h, 2, "VCARD k", "-WRONGTYPE");
    EXPECT_PART(h, 2, "CLIENT SETNAME a", "+OK");
    EXPECT_PART(h, 2, "INFO commandstats", "\r\ncmdstat_set:calls=2,usec=");
    EXPECT_PART(h, 2, "INFO commandstats", ",rejected_calls=1,failed_calls=1\r\n");
    EXPECT_PART(h, 2, "INFO commandstats", "\r\ncmdstat_client|setname:calls=1,");
    EXPECT_PART(h, 2, "INFO errorstats",
                "# Errorstats\r\nerrorstat_ERR:count=2\r\nerrorstat_WRONGTYPE:count=1\r\n");
    EXPECT_PART(h, 2, "INFO stats", "\r\ntotal_error_replies:3\r\n");
    EXPECT_REPLY(h, 2, "CONFIG RESETSTAT", OK_);
    EXPECT_NO_PART(h, 2, "INFO commandstats", "cmdstat_set");
    EXPECT_PART(h, 2, "INFO stats", "\r\ntotal_error_replies:0\r\n");
    EXPECT_REPLY(h, 2, "INFO errorstats", "$14\r\n# Errorstats\r\n\r\n");
    harness_free(h);
}

TEST(cmd_info, error_codes_of_any_number_are_counted)
{
    struct harness *h = harness_new();
    for (int i = 0; i < 3 * ERROR_COUNTS_MAX; i++) {
        char text[] = "AA what";
        text[0] = (char)('A' + i / 26);
        text[1] = (char)('A' + i % 26);
        counters_error(&h->env, slice_of(text));
        counters_error(&h->env, slice_of(text));
    }
    counters_error(&h->env, slice_of("lower case has no code"));
    counters_error(&h->env, slice_of(""));
    EXPECT_EQ(h->stats.total_error_replies, 6 * ERROR_COUNTS_MAX + 2);
    for (int i = 0; i < ERROR_COUNTS_MAX; i++)
        EXPECT_EQ(h->env.errors[i].count, 2);
    harness_free(h);
}

TEST(cmd_info, counts_vectors_where_they_are_counted)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "VADD v VALUES 2 1 0 a", ":1\r\n");
    EXPECT_REPLY(h, 2, "VADD v VALUES 2 1 1 b", ":1\r\n");
    EXPECT_REPLY(h, 2, "VREM v a", ":1\r\n");
    EXPECT_PART(h, 2, "INFO vectors", "\r\nvectors_added:2\r\nvectors_removed:1\r\n");
    EXPECT_REPLY(h, 2, "CONFIG RESETSTAT", OK_);
    EXPECT_PART(h, 2, "INFO vectors", "\r\nvectors_added:0\r\nvectors_removed:0\r\n");
    harness_free(h);
}

TEST(cmd_info, rates_are_those_between_two_ticks)
{
    struct harness *h = harness_new();
    counters_tick(&h->env);
    h->stats.total_commands_processed += 500;
    h->stats.total_net_input_bytes += 10240;
    sim_run_for(h->sim, 500 * 1000);
    counters_tick(&h->env);
    EXPECT_PART(h, 2, "INFO stats", "\r\ninstantaneous_ops_per_sec:1000\r\n");
    EXPECT_PART(h, 2, "INFO stats", "\r\ninstantaneous_input_kbps:20.00\r\n");
    harness_free(h);
}

/* -- CONFIG ------------------------------------------------------------------------------------ */

TEST(cmd_config, get_takes_patterns)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "CONFIG GET port nothing", "*2\r\n$4\r\nport\r\n$4\r\n6379\r\n");
    EXPECT_REPLY(h, 3, "CONFIG GET PORT port", "%1\r\n$4\r\nPORT\r\n$4\r\n6379\r\n");
    EXPECT_REPLY(h, 2, "CONFIG GET nothing", "*0\r\n");
    EXPECT_REPLY(h, 3, "CONFIG GET nothing", "%0\r\n");
    EXPECT_REPLY(h, 3, "CONFIG GET save appendonly",
                 "%2\r\n$10\r\nappendonly\r\n$3\r\nyes\r\n$4\r\nsave\r\n"
                 "$23\r\n3600 1 300 100 60 10000\r\n");
    EXPECT_PART(h, 2, "CONFIG GET *", "$9\r\ndatabases\r\n$1\r\n1\r\n");
    EXPECT_PART(h, 3, "CONFIG GET max*", "%4\r\n$10\r\nmaxclients\r\n");
    arity(h, "CONFIG GET", "config|get");
    arity(h, "CONFIG", "config");
    harness_free(h);
}

TEST(cmd_config, set_changes_all_or_nothing_and_reaches_the_data)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "CONFIG SET maxmemory 100mb flat-rows-max 7", OK_);
    EXPECT_EQ(h->reconfigured, 1);
    EXPECT_EQ(h->db.maxmemory, 100 << 20);
    EXPECT_EQ(h->db.env.flat_rows_max, 7);
    EXPECT_REPLIES(h, "CONFIG SET foo bar",
                   "-ERR Unknown option or number of arguments for CONFIG SET - 'foo'\r\n");
    EXPECT_PART(h, 2, "CONFIG SET maxmemory 1mb flat-rows-max x", "-ERR CONFIG SET failed");
    EXPECT_PART(h, 2, "CONFIG SET port 1", "-ERR CONFIG SET failed");
    EXPECT_EQ(h->reconfigured, 1);
    EXPECT_EQ(h->db.maxmemory, 100 << 20);
    arity(h, "CONFIG SET maxmemory", "config|set");
    arity(h, "CONFIG SET maxmemory 1mb port", "config|set");
    harness_free(h);
}

TEST(cmd_config, a_pattern_has_a_limit)
{
    struct harness *h = harness_new();
    char pattern[LIMIT_PATTERN_SIZE + 1];
    memset(pattern, '*', sizeof(pattern));
    struct slice argv[3] = {
        slice_of("config"), slice_of("get"), {(const uint8_t *)pattern, LIMIT_PATTERN_SIZE}};
    EXPECT(harness_run_args(h, 3, argv, 3).ptr[0] == '%');
    argv[2].len++;
    EXPECT(harness_run_args(h, 3, argv, 3).ptr[0] == '-');
    harness_free(h);
}

/* -- COMMAND ----------------------------------------------------------------------------------- */

TEST(cmd_command, info_is_that_of_redis)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "COMMAND INFO get nosuch",
                 "*2\r\n*10\r\n$3\r\nget\r\n:2\r\n*2\r\n+readonly\r\n+fast\r\n:1\r\n:1\r\n:1\r\n"
                 "*3\r\n+@read\r\n+@string\r\n+@fast\r\n*0\r\n*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RO"
                 "\r\n+access\r\n$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n$4\r\n"
                 "spec\r\n*2\r\n$5\r\nindex\r\n:1\r\n$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\n"
                 "range\r\n$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5"
                 "\r\nlimit\r\n:0\r\n*0\r\n$-1\r\n");
    EXPECT_PART(h, 3, "COMMAND INFO mset",
                "$4\r\nmset\r\n:-3\r\n~2\r\n+write\r\n+denyoom\r\n:1\r\n:-1\r\n:2\r\n~3\r\n"
                "+@write\r\n+@string\r\n+@slow\r\n");
    EXPECT_PART(h, 3, "COMMAND INFO client|kill",
                "~4\r\n+@admin\r\n+@slow\r\n+@dangerous\r\n+@connection\r\n");
    EXPECT_PART(h, 2, "COMMAND INFO VADD",
                "$4\r\nVADD\r\n:-5\r\n*3\r\n+write\r\n+denyoom\r\n+module\r\n:1\r\n:1\r\n:1\r\n");
    EXPECT_PART(h, 2, "COMMAND INFO client", "*10\r\n$9\r\nclient|id\r\n");
    harness_free(h);
}

TEST(cmd_command, counts_lists_and_filters)
{
    struct harness *h = harness_new();
    size_t top = 0;
    char count[32];
    for (size_t i = 0; i < command_count(); i++)
        top += command_words(command_at(i)) == 1;
    (void)snprintf(count, sizeof(count), ":%zu\r\n", top);
    EXPECT_REPLIES(h, "COMMAND COUNT", count);
    (void)snprintf(count, sizeof(count), "*%zu\r\n", top);
    EXPECT_PART(h, 2, "COMMAND", count);
    EXPECT_PART(h, 2, "COMMAND INFO", count);
    (void)snprintf(count, sizeof(count), "*%zu\r\n", command_count());
    EXPECT_PART(h, 2, "COMMAND LIST", count);
    EXPECT_REPLIES(h, "COMMAND LIST FILTERBY PATTERN GETD*", "*1\r\n$6\r\ngetdel\r\n");
    EXPECT_PART(h, 2, "COMMAND LIST FILTERBY ACLCAT connection", "$11\r\nclient|list\r\n");
    EXPECT_REPLIES(h, "COMMAND LIST FILTERBY ACLCAT nosuch", "*0\r\n");
    EXPECT_REPLIES(h, "COMMAND LIST FILTERBY MODULE x", "*0\r\n");
    EXPECT_REPLIES(h, "COMMAND LIST FILTERBY FOO x", SYNTAX);
    EXPECT_REPLIES(h, "COMMAND LIST FOO", SYNTAX);
    EXPECT_REPLIES(h, "COMMAND FOO", "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n");
    arity(h, "COMMAND COUNT x", "command|count");
    harness_free(h);
}

TEST(cmd_command, getkeys)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "COMMAND GETKEYS get a", "*1\r\n$1\r\na\r\n");
    EXPECT_REPLIES(h, "COMMAND GETKEYS mset a 1 b 2", "*2\r\n$1\r\na\r\n$1\r\nb\r\n");
    EXPECT_REPLIES(h, "COMMAND GETKEYS del a b c", "*3\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n");
    EXPECT_REPLIES(h, "COMMAND GETKEYS memory usage a", "*1\r\n$1\r\na\r\n");
    EXPECT_REPLIES(h, "COMMAND GETKEYS vsim a ele e", "*1\r\n$1\r\na\r\n");
    EXPECT_REPLIES(h, "COMMAND GETKEYS foo bar", "-ERR Invalid command specified\r\n");
    EXPECT_REPLIES(h, "COMMAND GETKEYS ping", "-ERR The command has no key arguments\r\n");
    EXPECT_REPLIES(h, "COMMAND GETKEYS get",
                   "-ERR Invalid number of arguments specified for command\r\n");
    EXPECT_REPLIES(h, "COMMAND GETKEYS get a b",
                   "-ERR Invalid number of arguments specified for command\r\n");
    arity(h, "COMMAND GETKEYS", "command|getkeys");
    harness_free(h);
}

TEST(cmd_command, docs_describe_arguments)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 3, "COMMAND DOCS nosuch", "%0\r\n");
    EXPECT_REPLY(h, 2, "COMMAND DOCS ttl",
                 "*2\r\n$3\r\nttl\r\n*10\r\n$7\r\nsummary\r\n$74\r\nReturns the seconds until a "
                 "key expires: -1 for never, -2 for no such key.\r\n$5\r\nsince\r\n$5\r\n1.0.0"
                 "\r\n$5\r\ngroup\r\n$7\r\ngeneric\r\n$10\r\ncomplexity\r\n$4\r\nO(1)\r\n$9\r\n"
                 "arguments\r\n*1\r\n*6\r\n$4\r\nname\r\n$3\r\nkey\r\n$4\r\ntype\r\n$3\r\nkey\r\n"
                 "$14\r\nkey_spec_index\r\n:0\r\n");
    EXPECT_PART(h, 3, "COMMAND DOCS set",
                "%4\r\n$4\r\nname\r\n$6\r\nchoice\r\n$4\r\ntype\r\n$5\r\noneof\r\n$5\r\nflags\r\n"
                "~1\r\n+optional\r\n$9\r\narguments\r\n*2\r\n%3\r\n$4\r\nname\r\n$2\r\nnx\r\n");
    EXPECT_PART(h, 3, "COMMAND DOCS client", "$11\r\nsubcommands\r\n%19\r\n$9\r\nclient|id\r\n");
    EXPECT_PART(h, 3, "COMMAND DOCS config|set",
                "$5\r\nblock\r\n$5\r\nflags\r\n~1\r\n+multiple\r\n$9\r\narguments\r\n*2\r\n"
                "%2\r\n$4\r\nname\r\n$9\r\nparameter\r\n");
    harness_free(h);
}

/* -- the rest ---------------------------------------------------------------------------------- */

TEST(cmd_server, clock_and_role)
{
    struct harness *h = harness_new();
    uint64_t now = h->env.io->ops->wall_us(h->env.io);
    char expected[96], seconds[24], micros[24];
    (void)snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)now / 1000000);
    (void)snprintf(micros, sizeof(micros), "%llu", (unsigned long long)now % 1000000);
    (void)snprintf(expected, sizeof(expected), "*2\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n",
                   strlen(seconds), seconds, strlen(micros), micros);
    EXPECT_REPLIES(h, "TIME", expected);
    EXPECT_REPLY(h, 2, "SET a 1", OK_);
    EXPECT_REPLIES(h, "ROLE", "*3\r\n$6\r\nmaster\r\n:1\r\n*0\r\n");
    harness_free(h);
}

TEST(cmd_server, shutdown)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "SHUTDOWN FOO", SYNTAX);
    EXPECT_REPLIES(h, "SHUTDOWN NOSAVE SAVE", SYNTAX);
    EXPECT_EQ(h->shutdowns, 0);
    EXPECT_REPLY(h, 2, "SHUTDOWN SAVE", "");
    EXPECT_EQ(h->last_shutdown, SHUTDOWN_SAVE);
    EXPECT_REPLY(h, 2, "SHUTDOWN", "");
    EXPECT_EQ(h->last_shutdown, SHUTDOWN_SAVE_IF_NEEDED);
    EXPECT_REPLY(h, 2, "SHUTDOWN NOSAVE NOW FORCE", "");
    EXPECT_EQ(h->last_shutdown, SHUTDOWN_NO_SAVE);
    EXPECT_EQ(h->shutdowns, 3);
    harness_free(h);
}

TEST(cmd_server, lists_that_are_empty)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "LATENCY LATEST", "*0\r\n");
    EXPECT_REPLIES(h, "WAIT 1 0", ":0\r\n");
    EXPECT_REPLIES(h, "REPLICAOF NO ONE", "+OK\r\n");
    EXPECT_REPLIES(h, "REPLICAOF here 1", "-ERR replication is not in this version\r\n");
    EXPECT_REPLIES(h, "PUBSUB CHANNELS", "*0\r\n");
    EXPECT_REPLIES(h, "LATENCY FOO", "-ERR unknown subcommand 'FOO'. Try LATENCY HELP.\r\n");
    EXPECT_REPLIES(h, "CLUSTER KEYSLOT {user1}:likes", ":8106\r\n");
    harness_free(h);
}

TEST(cmd_server, memory_of_keys)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET k v", OK_);
    EXPECT_REPLY(h, 2, "VADD v VALUES 2 1 0 a", ":1\r\n");
    EXPECT_REPLY(h, 2, "MEMORY USAGE none", "$-1\r\n");
    EXPECT_REPLY(h, 3, "MEMORY USAGE none", "_\r\n");
    struct slice small = harness_run(h, 2, "MEMORY USAGE k SAMPLES 0");
    EXPECT(small.ptr[0] == ':' && strtol((const char *)small.ptr + 1, NULL, 10) > 40);
    struct slice large = harness_run(h, 2, "MEMORY USAGE v");
    EXPECT(strtol((const char *)large.ptr + 1, NULL, 10) > 500);
    EXPECT_REPLIES(h, "MEMORY USAGE k SAMPLES x",
                   "-ERR value is not an integer or out of range\r\n");
    EXPECT_REPLIES(h, "MEMORY USAGE k FOO 3", SYNTAX);
    EXPECT_REPLIES(h, "MEMORY PURGE", OK_);
    EXPECT_PART(h, 3, "MEMORY STATS", "$15\r\ntotal.allocated\r\n:");
    arity(h, "MEMORY USAGE", "memory|usage");
    harness_free(h);
}

/* -- all commands ------------------------------------------------------------------------------ */

TEST(cmd_table, rows_are_complete)
{
    for (size_t i = 0; i < command_count(); i++) {
        const struct command *c = command_at(i);
        size_t summary = strlen(c->summary);
        EXPECT(command_find(slice_of(c->name)) == c); /* named once */
        EXPECT(summary > 10 && c->summary[summary - 1] != ' ' && c->run != NULL);
        EXPECT(c->arity != 0 && (size_t)abs(c->arity) >= command_words(c));
        EXPECT((c->first_key == 0) == (c->key_step == 0));
        bool may_lack_keys = c->run == cmd_sunsubscribe; /* as in Redis: none are all channels */
        EXPECT((size_t)c->first_key < (size_t)abs(c->arity) + may_lack_keys);
        EXPECT(!((c->flags & CMD_WRITE) && (c->flags & CMD_READONLY)));
        EXPECT(!(c->flags & CMD_CONTAINER) || command_sub_count(c) > 0);
    }
}

/* What stands where in the table is what arity says: positional arguments, no more and no less. */
TEST(cmd_table, arity_agrees_with_the_arguments)
{
    for (size_t i = 0; i < command_count(); i++) {
        const struct command *c = command_at(i);
        size_t least = command_words(c);
        bool more = false;
        for (const struct arg *arg = c->args(); arg->kind != ARG_END; arg++) {
            least += arg->kind == ARG_KEY || arg->kind == ARG_BULK || arg->kind == ARG_INT;
            least += arg->kind == ARG_VECTOR || arg->kind == ARG_COUNTED ? 2u : 0u;
            least += arg->kind == ARG_REST ? (size_t)arg->min : 0u;
            more |= arg->word != NULL || arg->kind == ARG_REST || arg->kind == ARG_MAYBE ||
                    arg->kind == ARG_VECTOR || arg->kind == ARG_COUNTED;
        }
        if ((c->arity < 0) != more || (size_t)abs(c->arity) < least)
            test_fail(__FILE__, __LINE__, "%s: arity %d, arguments %zu%s", c->name, c->arity, least,
                      more ? " or more" : "");
    }
}

/* Words that commands know, numbers at their bounds, and bytes. */
static struct slice some_word(uint64_t *state)
{
    static const char *const words[] = {
        "k",
        "v",
        "n",
        "none",
        "0",
        "1",
        "-1",
        "2",
        "10",
        "9223372036854775807",
        "x",
        "",
        "*",
        "[1,0]",
        "FP32",
        "VALUES",
        "ELE",
        "JSON",
        "a",
        "COUNT",
        "EF",
        "NX",
        "GET",
        "WITHSCORES",
        "WITHATTRIBS",
        "FILTER",
        ".a>1",
        "MATCH",
        "TYPE",
        "ID",
        "DIM",
        "METRIC",
        "L2",
        "INDEX",
        "FLAT",
        "PARAMS",
        "ATTRS",
        "SETATTR",
        "{\"a\":1}",
        "HELP",
        "LIST",
        "get",
        "set",
        "port",
        "all",
        "-",
        "+",
        "[a",
        "RAW",
        "WITHVECTORS",
        "EXACT",
        "EX",
        "-9223372036854775808",
        "18446744073709551615",
        "AFTER",
        "FILTERBY",
        "PATTERN",
        "3",
    };
    static const uint8_t blob[8] = {0, 0, 0x80, 0x3f, 0, 0, 0, 0};
    uint64_t at = rng_below(state, COUNT_OF(words) + 1);
    return at < COUNT_OF(words) ? slice_of(words[at]) : (struct slice){blob, sizeof(blob)};
}

static void refill(struct harness *h)
{
    (void)harness_run(h, 0, "SET k hello");
    (void)harness_run(h, 0, "SET n 10");
    (void)harness_run(h, 0, "DEL v a");
    (void)harness_run(h, 0, "VADD v VALUES 2 1 0 a SETATTR \"{\\\"a\\\":2}\"");
    (void)harness_run(h, 0, "VADD v VALUES 2 0 1 k");
    h->client->flags |= CLIENT_AUTHENTICATED;
}

/* Returns whether the command had something to say other than an error. */
static bool run_some_words(struct harness *h, const struct command *c, uint64_t *state)
{
    enum { EXTRA = 8, ARGS = 32 };
    struct slice argv[ARGS];
    char name[64];
    int proto = 2 + (int)rng_below(state, 2);
    size_t argc = (size_t)abs(c->arity) + rng_below(state, EXTRA);
    (void)snprintf(name, sizeof(name), "%s", c->name);
    for (size_t i = 0; i < argc; i++)
        argv[i] = some_word(state);
    char *bar = strchr(name, '|');
    if (bar != NULL) {
        *bar = '\0';
        argv[1] = slice_of(bar + 1);
    }
    argv[0] = slice_of(name);
    struct slice reply = harness_run_args(h, proto, argv, argc);
    monitor_end(&h->env, h->client); /* or each reply would have a line behind it */
    if (reply_is_well_formed(reply, h->client->proto) || reply_is_well_formed(reply, proto))
        return reply.ptr[0] != '-';
    struct buf shown = BUF_INIT(MEM_TEST);
    for (size_t i = 0; i < argc; i++)
        buf_printf(&shown, "%.*s ", (int)argv[i].len, (const char *)argv[i].ptr);
    test_fail(__FILE__, __LINE__, "RESP%d %.*s replies %.*s", proto, (int)shown.len,
              (char *)shown.ptr, (int)(reply.len < 200 ? reply.len : 200), (char *)reply.ptr);
    buf_fini(&shown);
    return false;
}

/* Their replies are one message for each channel: tests/integration/pubsub_test.py. */
static bool subscribes(const struct command *c)
{
    return c->group == GROUP_PUBSUB && strstr(c->name, "subscribe") != NULL;
}

TEST(cmd_table, any_words_get_one_whole_reply)
{
    struct harness *h = harness_new();
    uint64_t state = 11;
    size_t answers = 0, runs = 0;
    for (int round = 0; round < 1000; round++) {
        refill(h);
        for (size_t i = 0; i < command_count(); i++)
            if (strcmp(command_at(i)->name, "shutdown") != 0 && !subscribes(command_at(i))) {
                answers += run_some_words(h, command_at(i), &state);
                runs++;
            }
    }
    EXPECT(answers > runs / 10 && answers < runs);
    harness_free(h);
}
