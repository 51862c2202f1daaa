/* cmd_connection_test.c: connections and clients answer as Redis 7 does, byte by byte. */
#include "lib/cmd_harness.h"

#define SYNTAX "-ERR syntax error\r\n"
#define OK_ "+OK\r\n"

static void arity(struct harness *h, const char *line, const char *name)
{
    char expected[128];
    (void)snprintf(expected, sizeof(expected),
                   "-ERR wrong number of arguments for '%s' command\r\n", name);
    EXPECT_REPLIES(h, line, expected);
}

TEST(cmd_connection, ping_and_echo)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "PING", "+PONG\r\n");
    EXPECT_REPLIES(h, "ping \"a b\"", "$3\r\na b\r\n");
    EXPECT_REPLIES(h, "ECHO \"\"", "$0\r\n\r\n");
    arity(h, "PING a b", "ping");
    arity(h, "ECHO", "echo");
    arity(h, "ECHO a b", "echo");
    harness_free(h);
}

TEST(cmd_connection, echo_returns_any_bytes)
{
    struct harness *h = harness_new();
    struct slice argv[2] = {slice_of("echo"), {(const uint8_t *)"\0\r\n\xff", 4}};
    struct slice r = harness_run_args(h, 2, argv, 2);
    EXPECT(slice_eq(r, (struct slice){(const uint8_t *)"$4\r\n\0\r\n\xff\r\n", 10}));
    harness_free(h);
}

TEST(cmd_connection, there_is_one_database)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "SELECT 0", OK_);
    EXPECT_REPLIES(h, "SELECT 1", "-ERR DB index is out of range\r\n");
    EXPECT_REPLIES(h, "SELECT -1", "-ERR DB index is out of range\r\n");
    EXPECT_REPLIES(h, "SELECT x", "-ERR value is not an integer or out of range\r\n");
    arity(h, "SELECT", "select");
    harness_free(h);
}

TEST(cmd_connection, unknown_commands_are_quoted_and_absent_ones_explained)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "FOO bar baz",
                   "-ERR unknown command 'FOO', with args beginning with: 'bar' 'baz' \r\n");
    EXPECT_REPLIES(h, "client|list",
                   "-ERR unknown command 'client|list', with args beginning "
                   "with: \r\n");
    EXPECT_REPLIES(h, "EVAL \"return 1\" 0", "-ERR scripting is not supported by vdb\r\n");
    EXPECT_REPLIES(h, "DEBUG SLEEP 0",
                   "-ERR DEBUG is in builds for tests only: make debug-server\r\n");
    EXPECT_REPLIES(h, "CLUSTER INFO", "-ERR This instance has cluster support disabled\r\n");
    EXPECT_REPLIES(h, "CLUSTER FOO", "-ERR unknown subcommand 'FOO'. Try CLUSTER HELP.\r\n");
    harness_free(h);
}

TEST(cmd_connection, an_error_never_breaks_the_line)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "\"FOO\\r\\n+OK\"",
                   "-ERR unknown command 'FOO  +OK', with args beginning with: \r\n");
    harness_free(h);
}

/* -- HELLO, AUTH ------------------------------------------------------------------------------- */

#define MODULE(map, name, ver)                                                                     \
    map "\r\n$4\r\nname\r\n$6\r\n" name "\r\n$3\r\nver\r\n:" ver                                   \
        "\r\n$4\r\npath\r\n$0\r\n\r\n$4\r\nargs"                                                   \
        "\r\n*0\r\n"
#define MODULES(map) "*2\r\n" MODULE(map, "search", "21005") MODULE(map, "ReJSON", "20809")
#define HELLO_2                                                                                    \
    "*14\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n8.0.0\r\n$5\r\nproto\r\n:2\r\n"  \
    "$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\n"    \
    "modules\r\n" MODULES("*8")
#define HELLO_3                                                                                    \
    "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n8.0.0\r\n$5\r\nproto\r\n:3\r\n"   \
    "$2\r\nid\r\n:1\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\n"    \
    "modules\r\n" MODULES("%4")

TEST(cmd_connection, hello_switches_the_protocol)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 0, "HELLO", HELLO_2);
    EXPECT_REPLY(h, 0, "HELLO 3", HELLO_3);
    EXPECT_REPLY(h, 0, "GET none", "_\r\n");
    EXPECT_REPLY(h, 0, "HELLO", HELLO_3);
    EXPECT_REPLY(h, 0, "HELLO 2 SETNAME me", HELLO_2);
    EXPECT_REPLY(h, 0, "CLIENT GETNAME", "$2\r\nme\r\n");
    EXPECT_REPLY(h, 0, "GET none", "$-1\r\n");
    harness_free(h);
}

TEST(cmd_connection, a_hello_that_fails_changes_nothing)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 0, "HELLO 4", "-NOPROTO unsupported protocol version\r\n");
    EXPECT_REPLY(h, 0, "HELLO 1", "-NOPROTO unsupported protocol version\r\n");
    EXPECT_REPLY(h, 0, "HELLO x", "-ERR Protocol version is not an integer or out of range\r\n");
    EXPECT_REPLY(h, 0, "HELLO 3 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'\r\n");
    EXPECT_REPLY(h, 0, "HELLO 3 SETNAME", "-ERR Syntax error in HELLO option 'SETNAME'\r\n");
    EXPECT_REPLY(h, 0, "HELLO 3 NOW", "-ERR Syntax error in HELLO option 'NOW'\r\n");
    EXPECT_REPLY(h, 0, "HELLO 3 AUTH a b SETNAME x",
                 "-WRONGPASS invalid username-password pair or user is disabled.\r\n");
    EXPECT_REPLY(h, 0, "HELLO 3 SETNAME \"a b\"",
                 "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    EXPECT_EQ(h->client->proto, 2);
    EXPECT(h->client->name == NULL);
    harness_free(h);
}

static void set_password(struct harness *h, const char *password)
{
    (void)snprintf(h->config.requirepass, sizeof(h->config.requirepass), "%s", password);
    h->client->flags &= ~(unsigned)CLIENT_AUTHENTICATED;
}

#define WRONGPASS "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
#define NOAUTH "-NOAUTH Authentication required.\r\n"

TEST(cmd_connection, nothing_runs_before_the_password)
{
    struct harness *h = harness_new();
    set_password(h, "secret");
    EXPECT_REPLIES(h, "PING", NOAUTH);
    EXPECT_REPLIES(h, "CLIENT SETNAME a", NOAUTH);
    EXPECT_REPLIES(h, "GET", NOAUTH);
    EXPECT_REPLIES(h, "AUTH wrong", WRONGPASS);
    EXPECT_REPLIES(h, "AUTH secret1", WRONGPASS);
    EXPECT_REPLIES(h, "AUTH secre", WRONGPASS);
    EXPECT_REPLIES(h, "AUTH \"\"", WRONGPASS);
    EXPECT_REPLIES(h, "AUTH secretsecret", WRONGPASS);
    EXPECT_REPLIES(h, "AUTH bob secret", WRONGPASS);
    EXPECT_REPLIES(h, "AUTH a b c", SYNTAX);
    EXPECT_PART(h, 2, "HELLO 3", "-NOAUTH HELLO must be called with the client already");
    EXPECT_REPLY(h, 2, "HELLO 3 AUTH default wrong", WRONGPASS);
    EXPECT_EQ(h->client->proto, 2);
    EXPECT_REPLIES(h, "PING", NOAUTH);
    EXPECT_EQ(h->stats.acl_access_denied_auth, 13);
    EXPECT_REPLIES(h, "AUTH secret", OK_);
    EXPECT_REPLIES(h, "PING", "+PONG\r\n");
    harness_free(h);
}

TEST(cmd_connection, hello_authenticates_too)
{
    struct harness *h = harness_new();
    set_password(h, "secret");
    EXPECT_REPLY(h, 2, "HELLO 3 AUTH default secret SETNAME me", HELLO_3);
    EXPECT_REPLY(h, 0, "CLIENT GETNAME", "$2\r\nme\r\n");
    harness_free(h);
}

TEST(cmd_connection, auth_without_a_password_says_so)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "AUTH foo",
                   "-ERR AUTH <password> called without any password configured for the default "
                   "user. Are you sure your configuration is correct?\r\n");
    EXPECT_REPLIES(h, "AUTH default foo", OK_);
    EXPECT_REPLIES(h, "AUTH bob foo", WRONGPASS);
    arity(h, "AUTH", "auth");
    harness_free(h);
}

TEST(cmd_connection, reset_makes_the_connection_new)
{
    struct harness *h = harness_new();
    set_password(h, "secret");
    EXPECT_REPLY(h, 2, "HELLO 3 AUTH default secret SETNAME me", HELLO_3);
    EXPECT_REPLY(h, 0, "CLIENT NO-EVICT ON", OK_);
    EXPECT_REPLY(h, 0, "RESET", "+RESET\r\n");
    EXPECT_EQ(h->client->proto, 2);
    EXPECT_EQ(h->client->flags, 0);
    EXPECT(h->client->name == NULL);
    EXPECT_REPLY(h, 0, "PING", NOAUTH);
    harness_free(h);
}

TEST(cmd_connection, quit_answers_and_closes)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "QUIT", OK_);
    EXPECT_EQ(h->killed, 2);
    EXPECT(h->last_killed == h->client);
    EXPECT_EQ(h->killed_with_bytes, 5);
    harness_free(h);
}

/* -- CLIENT ------------------------------------------------------------------------------------ */

TEST(cmd_client, names)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "CLIENT GETNAME", "$-1\r\n");
    EXPECT_REPLY(h, 3, "CLIENT GETNAME", "_\r\n");
    EXPECT_REPLIES(h, "CLIENT SETNAME worker-1", OK_);
    EXPECT_REPLIES(h, "CLIENT GETNAME", "$8\r\nworker-1\r\n");
    EXPECT_REPLIES(h, "CLIENT SETNAME \"a b\"",
                   "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    EXPECT_REPLIES(h, "CLIENT SETNAME \"a\\xffb\"",
                   "-ERR Client names cannot contain spaces, newlines or special characters.\r\n");
    EXPECT_REPLIES(h, "CLIENT GETNAME", "$8\r\nworker-1\r\n");
    EXPECT_REPLIES(h, "CLIENT SETNAME \"\"", OK_);
    EXPECT_REPLY(h, 2, "CLIENT GETNAME", "$-1\r\n");
    arity(h, "CLIENT SETNAME", "client|setname");
    arity(h, "CLIENT", "client");
    harness_free(h);
}

TEST(cmd_client, names_have_a_limit)
{
    struct harness *h = harness_new();
    char name[CLIENT_NAME_MAX + 1];
    memset(name, 'n', sizeof(name));
    struct slice argv[3] = {
        slice_of("client"), slice_of("setname"), {(const uint8_t *)name, CLIENT_NAME_MAX}};
    EXPECT(slice_eq(harness_run_args(h, 2, argv, 3), slice_of(OK_)));
    argv[2].len++;
    EXPECT(slice_eq(harness_run_args(h, 2, argv, 3),
                    slice_of("-ERR Client names cannot be longer than 512 bytes\r\n")));
    harness_free(h);
}

TEST(cmd_client, setinfo_takes_what_libraries_send)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "CLIENT SETINFO LIB-NAME redis-py(redisvl_v0.26;langchain-redis_v0.2)", OK_);
    EXPECT_REPLIES(h, "client setinfo lib-ver 8.0.1", OK_);
    EXPECT_PART(h, 2, "CLIENT INFO",
                " lib-name=redis-py(redisvl_v0.26;langchain-redis_v0.2) lib-ver=8.0.1 ");
    EXPECT_REPLIES(h, "CLIENT SETINFO LIB-VER \"8 0\"",
                   "-ERR lib-ver cannot contain spaces, newlines or special characters.\r\n");
    EXPECT_REPLIES(h, "CLIENT SETINFO LIB-NAME \"a\\nb\"",
                   "-ERR lib-name cannot contain spaces, newlines or special characters.\r\n");
    EXPECT_REPLIES(h, "CLIENT SETINFO foo bar", "-ERR Unrecognized option 'foo'\r\n");
    arity(h, "CLIENT SETINFO LIB-NAME", "client|setinfo");
    harness_free(h);
}

TEST(cmd_client, switches)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "CLIENT NO-EVICT ON", OK_);
    EXPECT(h->client->flags & CLIENT_NO_EVICT);
    EXPECT_REPLIES(h, "CLIENT NO-EVICT off", OK_);
    EXPECT(!(h->client->flags & CLIENT_NO_EVICT));
    EXPECT_REPLIES(h, "CLIENT NO-EVICT maybe", SYNTAX);
    EXPECT_REPLIES(h, "CLIENT NO-TOUCH ON", OK_);
    EXPECT(h->client->flags & CLIENT_NO_TOUCH);
    EXPECT_REPLIES(h, "CLIENT REPLY ON", OK_);
    EXPECT_REPLIES(h, "CLIENT REPLY x", SYNTAX);
    EXPECT_REPLIES(h, "CLIENT MAINT_NOTIFICATIONS ON moving-endpoint-type internal-ip",
                   "-ERR unknown subcommand 'MAINT_NOTIFICATIONS'. Try CLIENT HELP.\r\n");
    EXPECT_REPLIES(h, "CLIENT TRACKING ON OPTIN",
                   "-ERR client-side caching is not supported by vdb\r\n");
    harness_free(h);
}

TEST(cmd_client, id_and_lsn)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "CLIENT ID", ":1\r\n");
    EXPECT_REPLIES(h, "CLIENT LSN", ":0\r\n");
    EXPECT_REPLIES(h, "SET a 1", OK_);
    EXPECT_REPLIES(h, "CLIENT LSN", ":2\r\n");
    EXPECT_REPLIES(h, "GET a", "$1\r\n1\r\n");
    EXPECT_REPLIES(h, "CLIENT LSN", ":2\r\n");
    harness_free(h);
}

TEST(cmd_client, list_has_a_line_for_each)
{
    struct harness *h = harness_new();
    (void)harness_add_client(h, "::1", 50002);
    EXPECT_PART(h, 3, "CLIENT LIST", "\r\ntxt:id=1 addr=127.0.0.1:50001 laddr=127.0.0.1:6379 ");
    EXPECT_PART(h, 2, "CLIENT LIST", "\nid=2 addr=[::1]:50002 laddr=127.0.0.1:6379 ");
    EXPECT_PART(h, 2, "CLIENT LIST TYPE normal", "id=2 ");
    EXPECT_PART(h, 2, "CLIENT LIST ID 2 9", "\r\nid=2 ");
    EXPECT_NO_PART(h, 2, "CLIENT LIST ID 2 9", "id=1 ");
    EXPECT_REPLY(h, 2, "CLIENT LIST ID 9", "$0\r\n\r\n");
    EXPECT_REPLY(h, 2, "CLIENT LIST TYPE pubsub", "$0\r\n\r\n");
    EXPECT_REPLY(h, 3, "CLIENT LIST ID 9", "=4\r\ntxt:\r\n");
    EXPECT_REPLIES(h, "CLIENT LIST TYPE foo", "-ERR Unknown client type 'foo'\r\n");
    EXPECT_REPLIES(h, "CLIENT LIST ID x", "-ERR Invalid client ID\r\n");
    EXPECT_REPLIES(h, "CLIENT LIST ID 1.0", "-ERR Invalid client ID\r\n");
    EXPECT_REPLIES(h, "CLIENT LIST FOO", SYNTAX);
    EXPECT_PART(h, 3, "CLIENT INFO", " cmd=client|info user=default redir=-1 resp=3 ");
    harness_free(h);
}

TEST(cmd_client, kill_by_address_and_by_filters)
{
    struct harness *h = harness_new();
    struct client *other = harness_add_client(h, "10.0.0.7", 50002);
    EXPECT_REPLIES(h, "CLIENT KILL 10.0.0.7:1", "-ERR No such client\r\n");
    EXPECT_REPLIES(h, "CLIENT KILL ID 9", ":0\r\n");
    EXPECT_REPLIES(h, "CLIENT KILL ID 1", ":0\r\n"); /* oneself is skipped */
    EXPECT_REPLIES(h, "CLIENT KILL TYPE pubsub", ":0\r\n");
    EXPECT_REPLIES(h, "CLIENT KILL LADDR 127.0.0.1:1", ":0\r\n");
    EXPECT_REPLIES(h, "CLIENT KILL MAXAGE 60", ":0\r\n");
    EXPECT_EQ(h->killed, 0);
    EXPECT_REPLY(h, 2, "CLIENT KILL ADDR 10.0.0.7:50002 TYPE normal USER default", ":1\r\n");
    EXPECT(h->last_killed == other);
    EXPECT_REPLY(h, 2, "CLIENT KILL ID 2", ":0\r\n"); /* it is closing already */
    EXPECT_REPLY(h, 2, "CLIENT KILL 127.0.0.1:50001", OK_);
    EXPECT(h->last_killed == h->client);
    harness_free(h);
}

TEST(cmd_client, kill_skips_or_takes_oneself)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "CLIENT KILL ID 1 SKIPME yes", ":0\r\n");
    EXPECT_REPLY(h, 2, "CLIENT KILL ID 1 SKIPME no", ":1\r\n");
    EXPECT(h->last_killed == h->client);
    EXPECT_EQ(h->killed_with_bytes, 4); /* the reply was there before the end */
    harness_free(h);
}

TEST(cmd_client, kill_refuses_bad_filters)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "CLIENT KILL ID", "-ERR No such client\r\n");
    EXPECT_REPLIES(h, "CLIENT KILL ID x", "-ERR client-id should be greater than 0\r\n");
    EXPECT_REPLIES(h, "CLIENT KILL ID 0", "-ERR client-id should be greater than 0\r\n");
    EXPECT_REPLIES(h, "CLIENT KILL ID 99 FOO x", SYNTAX);
    EXPECT_REPLIES(h, "CLIENT KILL ID 99 TYPE", SYNTAX);
    EXPECT_REPLIES(h, "CLIENT KILL SKIPME x", SYNTAX);
    EXPECT_REPLIES(h, "CLIENT KILL TYPE nope", "-ERR Unknown client type 'nope'\r\n");
    EXPECT_REPLIES(h, "CLIENT KILL USER nobody", "-ERR No such user 'nobody'\r\n");
    EXPECT_REPLIES(h, "CLIENT KILL MAXAGE x", "-ERR maxage is not an integer or out of range\r\n");
    EXPECT_REPLIES(h, "CLIENT KILL MAXAGE 0", "-ERR maxage should be greater than 0\r\n");
    arity(h, "CLIENT KILL", "client|kill");
    EXPECT_EQ(h->killed, 0);
    harness_free(h);
}

TEST(cmd_client, help_lists_every_subcommand)
{
    struct harness *h = harness_new();
    EXPECT_PART(h, 2, "CLIENT HELP",
                "*39\r\n+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:\r\n");
    EXPECT_PART(h, 3, "client help",
                "+SETNAME <connection-name>\r\n+    Names this connection; an empty name");
    EXPECT_PART(h, 2, "CLIENT HELP", "+HELP\r\n+    Prints this help.\r\n");
    EXPECT_REPLIES(h, "CLIENT HELP me",
                   "-ERR wrong number of arguments for 'client|help' command\r\n");
    EXPECT_PART(h, 2, "MEMORY HELP", "+USAGE <key> [SAMPLES <count>]\r\n");
    harness_free(h);
}
