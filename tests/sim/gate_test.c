/* The reply gate of a whole server, with a log whose stable LSN the test moves. */
#include "cmd/gate.h"
#include "lib/test.h"
#include "server.h"
#include "sim/sim_io.h"

/* A sink that is as far as the test says. */
struct slow_sink {
    struct mlog_sink sink;
    uint64_t stable, kept;
    uint64_t records;
};

static void on_record(struct mlog_sink *sink, uint64_t lsn, struct slice record)
{
    struct slow_sink *s = (struct slow_sink *)sink;
    s->records++;
    EXPECT_EQ(lsn, s->records);
    EXPECT(record.len > 0);
}

static uint64_t stable(const struct mlog_sink *sink)
{
    return ((const struct slow_sink *)sink)->stable;
}

static uint64_t kept(const struct mlog_sink *sink)
{
    return ((const struct slow_sink *)sink)->kept;
}

static void stopped(struct server *server)
{
    *(bool *)server->user = true;
}

static bool is_true(void *user)
{
    return *(bool *)user;
}

/* A server with the slow sink, and clients of it. */
struct fixture {
    struct sim *sim;
    struct server server;
    struct slow_sink sink;
    bool stopped;
};

static void open_fixture(struct fixture *f)
{
    static struct config config;
    struct why why = {{0}};
    memset(f, 0, sizeof(*f));
    config_init(&config);
    config.appendonly = false; /* the test's own sink is the log */
    REQUIRE(config_set(&config, slice_of("bind"), slice_of("127.0.0.1"), NULL) == OK);
    f->sim = sim_new(3, NULL);
    enum err e = server_start(&f->server, sim_io(f->sim), &config, NULL, &why);
    EXPECT_STR(why.text, "");
    REQUIRE(e == OK);
    f->server.on_stopped = stopped;
    f->server.user = &f->stopped;
    sim_run_for(f->sim, 1000 * 1000);
    REQUIRE(!server_is_loading(&f->server));
    f->sink = (struct slow_sink){.sink = {.on_record = on_record, .stable = stable}};
    mlog_add_sink(&f->server.db.log, &f->sink.sink);
}

static void close_fixture(struct fixture *f)
{
    mlog_remove_sink(&f->server.db.log, &f->sink.sink);
    server_stop(&f->server);
    EXPECT(sim_run_until(f->sim, is_true, &f->stopped, 60u * 1000 * 1000));
    server_fini(&f->server);
    sim_free(f->sim);
}

static struct sim_client *connect_to(struct fixture *f)
{
    struct io_addr addr = {.host = "127.0.0.1", .port = f->server.env.port};
    return sim_client_connect(f->sim, &addr);
}

static void say(struct fixture *f, struct sim_client *client, const char *text)
{
    sim_client_send(client, slice_of(text));
    sim_run_for(f->sim, 1000 * 1000);
}

static void expect_received(struct sim_client *client, const char *text)
{
    char got[256] = "";
    size_t len = client->received.len < sizeof(got) - 1 ? client->received.len : sizeof(got) - 1;
    if (len > 0)
        memcpy(got, client->received.ptr, len);
    EXPECT_STR(got, text);
}

TEST(gate, holds_replies_until_their_lsn_is_stable)
{
    static struct fixture f;
    open_fixture(&f);
    struct sim_client *writer = connect_to(&f), *reader = connect_to(&f);
    say(&f, writer, "PING\r\nSET a 1\r\nSET b 2\r\n");
    /* PING saw nothing of the log; the writes wait. */
    expect_received(writer, "+PONG\r\n");
    say(&f, reader, "GET a\r\n");
    expect_received(reader, "");
    f.sink.stable = 1;
    gate_on_stable(&f.server.env);
    sim_run_for(f.sim, 1000 * 1000);
    expect_received(writer, "+PONG\r\n+OK\r\n");
    expect_received(reader, ""); /* it saw the second write too */
    f.sink.stable = 2;
    gate_on_stable(&f.server.env);
    sim_run_for(f.sim, 1000 * 1000);
    expect_received(writer, "+PONG\r\n+OK\r\n+OK\r\n");
    expect_received(reader, "$1\r\n1\r\n");
    close_fixture(&f);
}

TEST(gate, keeps_the_order_of_replies_behind_a_held_one)
{
    static struct fixture f;
    open_fixture(&f);
    struct sim_client *client = connect_to(&f);
    say(&f, client, "SET a 1\r\n");
    say(&f, client, "ECHO x\r\nVADD v VALUES 2 1 0 e\r\nVSIM v ELE e\r\n");
    expect_received(client, "");
    f.sink.stable = UINT64_MAX;
    gate_on_stable(&f.server.env);
    sim_run_for(f.sim, 1000 * 1000);
    expect_received(client, "+OK\r\n$1\r\nx\r\n:1\r\n*1\r\n$1\r\ne\r\n");
    close_fixture(&f);
}

TEST(gate, lets_reads_go_before_the_kernel_has_the_write_they_saw)
{
    static struct fixture f;
    open_fixture(&f);
    f.sink.stable = UINT64_MAX;
    f.sink.sink.kept = kept;
    struct sim_client *writer = connect_to(&f), *reader = connect_to(&f);
    say(&f, writer, "SET a 1\r\nGET a\r\n");
    say(&f, reader, "GET a\r\nSETNX a 2\r\n");
    expect_received(writer, "");                  /* its GET stands behind its SET */
    expect_received(reader, "$1\r\n1\r\n:0\r\n"); /* this SETNX wrote nothing */
    f.sink.kept = 1;
    gate_on_stable(&f.server.env);
    sim_run_for(f.sim, 1000 * 1000);
    expect_received(writer, "+OK\r\n$1\r\n1\r\n");
    close_fixture(&f);
}

TEST(gate, holds_the_reply_of_exec_as_a_whole)
{
    static struct fixture f;
    open_fixture(&f);
    struct sim_client *client = connect_to(&f);
    /* A look, a search and a change: the first two alone would wait for nothing. */
    say(&f, client,
        "MULTI\r\nECHO x\r\nVSIM v VALUES 2 1 0\r\nVADD v VALUES 2 1 0 e\r\n"
        "VSIM v ELE e\r\nSET k 1\r\nEXEC\r\nPING\r\n");
    expect_received(client, "+OK\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n+QUEUED\r\n");
    EXPECT_EQ(f.sink.records, 1);
    buf_clear(&client->received, 0);
    f.sink.stable = 1;
    gate_on_stable(&f.server.env);
    sim_run_for(f.sim, 1000 * 1000);
    expect_received(client, "*5\r\n$1\r\nx\r\n*0\r\n:1\r\n*1\r\n$1\r\ne\r\n+OK\r\n+PONG\r\n");
    close_fixture(&f);
}
