/* Clients that wait for rows to be linked go on, whatever becomes of the rows. */
#include "base/rng.h"
#include "lib/test.h"
#include "server.h"
#include "sim/sim_io.h"

enum { DIM = 8, ROWS = 60, SEEDS = 40, SECOND_US = 1000 * 1000 };

static const struct io_addr address = {.host = "127.0.0.1", .port = 6379};

/* A server with one lane, which the collections share, and without flat collections. */
static struct server *start(struct sim **sim, uint64_t seed)
{
    static struct config config; /* large */
    struct sim_options options = sim_options_default();
    struct why why = {{0}};
    options.lane_count = 1;
    options.job_step_max_us = 5000; /* so that rows wait when the removes come */
    config_init(&config);
    config.flat_rows_max = 0;
    config.appendonly = false;
    memcpy(config.bind, address.host, strlen(address.host) + 1);
    *sim = sim_new(seed, &options);
    struct server *server = mem_calloc(MEM_TEST, sizeof(*server));
    REQUIRE(server_start(server, sim_io(*sim), &config, NULL, &why) == OK);
    while (server_is_loading(server))
        REQUIRE(sim_step(*sim));
    return server;
}

static void stop(struct server *server, struct sim *sim)
{
    server_stop(server);
    sim_run_for(sim, SECOND_US);
    server_fini(server);
    mem_free(MEM_TEST, server);
    sim_free(sim);
}

static void send_adds(struct sim_client *client, const char *key, unsigned from, unsigned to)
{
    struct buf out = BUF_INIT(MEM_TEST);
    uint64_t rng = from;
    for (unsigned i = from; i < to; i++) {
        buf_printf(&out, "VADD %s VALUES %d", key, DIM);
        for (unsigned j = 0; j < DIM; j++)
            buf_printf(&out, " %.3f", rng_unit(&rng));
        buf_printf(&out, " e%u\r\n", i);
    }
    sim_client_send(client, buf_slice(&out));
    buf_fini(&out);
}

static bool k_is_linked(void *user)
{
    struct server *server = user;
    struct collection *c = NULL;
    return db_collection(&server->db, slice_of("k"), &c) == OK && c != NULL &&
           c->side->link_jobs > 0;
}

/* All elements but the first. */
static void send_removes(struct sim_client *client)
{
    struct buf out = BUF_INIT(MEM_TEST);
    buf_append_text(&out, "VREM k");
    for (unsigned i = 1; i < ROWS; i++)
        buf_printf(&out, " e%u", i);
    buf_append_text(&out, "\r\n");
    sim_client_send(client, buf_slice(&out));
    buf_fini(&out);
}

static bool has_line(const struct sim_client *client, const char *line)
{
    const struct buf *got = &client->received;
    return memmem(got->ptr, got->len, line, strlen(line)) != NULL;
}

/* The rows die while the first of them is being linked and it is another collection's turn next: no
 * link job of theirs comes back to say that nothing waits any more. */
TEST(server_wait, vlinks_answers_when_all_rows_that_wait_have_died)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct sim *sim;
        struct server *server = start(&sim, seed);
        struct sim_client *writer = sim_client_connect(sim, &address);
        struct sim_client *reader = sim_client_connect(sim, &address);
        send_adds(writer, "other", 0, ROWS);
        send_adds(writer, "k", 0, 1);
        REQUIRE(sim_run_until(sim, k_is_linked, server, SECOND_US));
        send_adds(writer, "k", 1, ROWS);
        sim_run_for(sim, 700);
        sim_client_send(reader, slice_of("VLINKS k e0\r\n"));
        sim_run_for(sim, 300);
        send_removes(writer);
        sim_run_for(sim, 10 * (uint64_t)SECOND_US);
        EXPECT(has_line(writer, ":59\r\n"));
        EXPECT(has_line(reader, "*"));
        stop(server, sim);
    }
}
