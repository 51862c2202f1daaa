/* Whole servers, one after another on one folder. */
#include "cmd/gate.h"
#include "lib/test.h"
#include "server.h"
#include "sim/sim_io.h"

enum { SECOND_US = 1000 * 1000, SEEDS = 20 };

static const struct io_addr address = {.host = "127.0.0.1", .port = 6379};

struct life {
    struct sim *sim;
    struct server *server;
    struct sim_client *client;
    bool stopped;
};

static void on_stopped(struct server *server)
{
    *(bool *)server->user = true;
}

static struct config config_of(bool appendonly, const char *save)
{
    struct config config;
    config_init(&config);
    memcpy(config.bind, address.host, strlen(address.host) + 1);
    config.appendonly = appendonly;
    REQUIRE(config_set(&config, slice_of("save"), slice_of(save), NULL) == OK);
    return config;
}

static enum err begin(struct life *l, struct sim *sim, const struct config *config)
{
    *l = (struct life){.sim = sim, .server = mem_calloc(MEM_TEST, sizeof(*l->server))};
    struct why why;
    enum err e = server_start(l->server, sim_io(sim), config, NULL, &why);
    l->server->user = &l->stopped;
    l->server->on_stopped = on_stopped;
    if (e == OK)
        l->client = sim_client_connect(sim, &address);
    return e;
}

static bool is_true(void *user)
{
    return *(bool *)user;
}

static bool is_loaded(void *user)
{
    const struct life *l = user;
    return !server_is_loading(l->server);
}

static void start(struct life *l, struct sim *sim, const struct config *config)
{
    REQUIRE(begin(l, sim, config) == OK);
    REQUIRE(sim_run_until(sim, is_loaded, l, 60u * SECOND_US));
    EXPECT(!l->server->failed);
}

static void bury(struct life *l)
{
    REQUIRE(sim_run_until(l->sim, is_true, &l->stopped, 60u * SECOND_US));
    if (l->client != NULL)
        sim_client_close(l->client);
    server_fini(l->server);
    mem_free(MEM_TEST, l->server);
}

static void stop(struct life *l)
{
    server_stop(l->server);
    bury(l);
}

/* The power goes and comes back. */
static void crash(struct life *l)
{
    sim_crash(l->sim);
    server_stop(l->server);
    bury(l);
    sim_restart(l->sim);
}

static void say(struct life *l, const char *line, const char *reply)
{
    char got[128] = "";
    buf_clear(&l->client->received, 0);
    sim_client_send(l->client, slice_of(line));
    sim_run_for(l->sim, SECOND_US);
    struct buf *r = &l->client->received;
    size_t len = r->len < sizeof(got) - 1 ? r->len : sizeof(got) - 1;
    if (len > 0)
        memcpy(got, r->ptr, len);
    EXPECT_STR(got, reply);
}

TEST(persist_sim, the_end_in_order_keeps_everything_whatever_the_log_does)
{
    for (unsigned kind = 0; kind < 3; kind++) {
        struct sim *sim = sim_new(kind, NULL);
        struct config config = config_of(kind == 0, kind == 1 ? "900 1" : "");
        struct life l;
        start(&l, sim, &config);
        say(&l, "SET a 1\r\nVADD v VALUES 2 1 0 x\r\n", "+OK\r\n:1\r\n");
        stop(&l);
        start(&l, sim, &config);
        /* Without a log and without save points, Redis keeps nothing either. */
        say(&l, "GET a\r\nVCARD v\r\n", kind < 2 ? "$1\r\n1\r\n:1\r\n" : "$-1\r\n:0\r\n");
        stop(&l);
        sim_free(sim);
    }
}

TEST(persist_sim, shutdown_saves_when_told_to)
{
    struct sim *sim = sim_new(1, NULL);
    struct config config = config_of(false, "");
    struct life l;
    start(&l, sim, &config);
    say(&l, "SET a 1\r\n", "+OK\r\n");
    say(&l, "SHUTDOWN SAVE\r\nSET a 2\r\n", "");
    bury(&l);
    start(&l, sim, &config);
    say(&l, "GET a\r\nSET a 3\r\n", "$1\r\n1\r\n+OK\r\n");
    say(&l, "SHUTDOWN NOSAVE\r\n", "");
    bury(&l);
    start(&l, sim, &config);
    say(&l, "GET a\r\n", "$1\r\n1\r\n");
    stop(&l);
    sim_free(sim);
}

/* Turned on while there is data that no file has, the log counts once a snapshot has that data; if
 * the power goes before, the folder is still whole. */
TEST(persist_sim, a_log_that_is_turned_on_late_counts_from_a_snapshot_on)
{
    unsigned kept = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim *sim = sim_new(seed, NULL);
        struct config off = config_of(false, ""), on = config_of(true, "");
        struct life l;
        start(&l, sim, &on);
        say(&l, "SET a 1\r\nWAITAOF 1 0 0\r\n", "+OK\r\n*2\r\n:1\r\n:0\r\n");
        say(&l, "CONFIG SET appendonly no\r\nSET a 2\r\n", "+OK\r\n+OK\r\n");
        stop(&l);
        start(&l, sim, &off);
        say(&l, "GET a\r\nSET a 3\r\nSET b 3\r\n", "$1\r\n1\r\n+OK\r\n+OK\r\n");
        sim_client_send(l.client, slice_of("CONFIG SET appendonly yes\r\nSET b 4\r\n"));
        sim_run_for(sim, seed * 150);
        crash(&l);
        start(&l, sim, &on);
        bool has_b = keyspace_get(&l.server->db.keys, slice_of("b")) != NULL;
        say(&l, "GET a\r\n", has_b ? "$1\r\n3\r\n" : "$1\r\n1\r\n");
        kept += has_b;
        stop(&l);
        sim_free(sim);
    }
    EXPECT(kept > 0 && kept < SEEDS);
}

TEST(persist_sim, a_second_server_on_the_folder_does_not_start)
{
    struct sim *sim = sim_new(1, NULL);
    struct config config = config_of(true, "");
    struct life first, second;
    start(&first, sim, &config);
    EXPECT_EQ(begin(&second, sim, &config), ERR_BUSY);
    server_fini(second.server);
    mem_free(MEM_TEST, second.server);
    say(&first, "SET a 1\r\n", "+OK\r\n");
    stop(&first);
    sim_free(sim);
}

TEST(persist_sim, a_server_that_cannot_load_ends_and_changes_nothing)
{
    struct sim *sim = sim_new(1, NULL);
    struct config config = config_of(true, "");
    struct life l;
    start(&l, sim, &config);
    say(&l, "SET a 1\r\nSET b 2\r\n", "+OK\r\n+OK\r\n");
    stop(&l);
    static const char segment[] = "vdb-data/log-00000001-0000000000000001.vlog";
    sim_disk_flip_bit(sim, segment, (LOG_SEGMENT_HEADER_SIZE + 60) * 8);
    unsigned files = sim_disk_file_count(sim);
    for (unsigned i = 0; i < 2; i++) {
        REQUIRE(begin(&l, sim, &config) == OK);
        bury(&l);
        EXPECT_EQ(sim_disk_file_count(sim), files + 1); /* what marks that somebody is loading */
        EXPECT(sim_disk_exists(sim, segment));
    }
    config.repair = true;
    start(&l, sim, &config);
    say(&l, "GET a\r\nSET c 3\r\n", "$-1\r\n+OK\r\n");
    stop(&l);
    config.repair = false;
    start(&l, sim, &config);
    say(&l, "GET a\r\nGET c\r\n", "$-1\r\n$1\r\n3\r\n");
    stop(&l);
    sim_free(sim);
}

/* The power goes while the data is being loaded, or while the server ends. */
TEST(persist_sim, starts_and_ends_may_be_cut_short_anywhere)
{
    struct config config = config_of(true, "1 1");
    for (uint64_t seed = 1; seed <= SEEDS * 5; seed++) {
        struct sim *sim = sim_new(seed, NULL);
        struct life l;
        config.appendfsync = FSYNC_ALWAYS;
        start(&l, sim, &config);
        say(&l, "SET a 1\r\nVADD v VALUES 2 1 0 x\r\nSET b 1\r\n", "+OK\r\n:1\r\n+OK\r\n");
        if (seed % 3 == 0)
            server_stop(l.server);
        sim_run_for(sim, seed * 37);
        if (seed % 3 != 0 || !l.stopped)
            crash(&l);
        else
            bury(&l);
        if (begin(&l, sim, &config) == OK) {
            sim_run_for(sim, seed * 13);
            crash(&l);
        }
        start(&l, sim, &config);
        say(&l, "GET a\r\nVCARD v\r\nGET b\r\n", "$1\r\n1\r\n:1\r\n$1\r\n1\r\n");
        stop(&l);
        sim_free(sim);
    }
}

/* With appendfsync always a reply says that a crash cannot take it back; a read that has seen it
 * waits too. */
TEST(persist_sim, what_was_answered_survives_and_readers_are_told_no_more)
{
    struct config config = config_of(true, "");
    config.appendfsync = FSYNC_ALWAYS;
    unsigned answered = 0, told = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        struct sim *sim = sim_new(seed, NULL);
        struct life l;
        start(&l, sim, &config);
        sim_run_for(sim, SECOND_US);
        struct sim_client *reader = sim_client_connect(sim, &address);
        sim_run_for(sim, SECOND_US);
        sim_client_send(l.client, slice_of("SET a 1\r\n"));
        sim_run_for(sim, seed * 7 % 500);
        sim_client_send(reader, slice_of("GET a\r\n"));
        sim_run_for(sim, seed * 29 % 1500);
        bool ok = l.client->received.len > 0;
        bool seen = slice_eq(buf_slice(&reader->received), slice_of("$1\r\n1\r\n"));
        answered += ok;
        told += seen;
        crash(&l);
        start(&l, sim, &config);
        bool there = keyspace_get(&l.server->db.keys, slice_of("a")) != NULL;
        EXPECT(there || (!ok && !seen));
        stop(&l);
        sim_client_close(reader);
        sim_free(sim);
    }
    EXPECT(answered > 10 && answered < 190 && told > 10);
}
