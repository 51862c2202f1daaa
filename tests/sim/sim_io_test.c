/* The simulator keeps the promises of base/io.h, and breaks only those that nobody made. */
#include "sim/sim_io.h"

#include <stdlib.h>

#include "base/mem.h"
#include "lib/test.h"

enum { SECOND_US = 1000 * 1000, SESSIONS_MAX = 64 };

/* ---- an echo server, written as any process over io.h would be ---- */

struct session {
    struct echo *echo;
    struct io_stream *stream; /* NULL: closed */
    struct buf out;           /* untouched while writing */
    bool writing;
};

struct echo {
    struct io *io;
    struct io_listener listener;
    struct session sessions[SESSIONS_MAX];
    unsigned accepted, closed, errors, partial_writes;
};

static void session_close(struct session *s)
{
    if (s->stream != NULL)
        s->echo->io->ops->stream_close(s->stream);
    s->stream = NULL;
}

static void session_read(struct io_stream *stream, const uint8_t *bytes, size_t len)
{
    struct session *s = stream->user;
    EXPECT(s->stream == stream && !s->writing);
    buf_append(&s->out, bytes, len);
    s->writing = stream->io->ops->stream_write(stream, s->out.ptr, s->out.len) < s->out.len;
    if (s->writing) {
        s->echo->partial_writes++;
        stream->io->ops->stream_read_stop(stream);
    } else {
        buf_clear(&s->out, 0);
    }
}

static void session_end(struct io_stream *stream, enum err e)
{
    struct session *s = stream->user;
    EXPECT(s->stream == stream);
    s->echo->errors += e != OK;
    session_close(s);
}

static void session_written(struct io_stream *stream, enum err e)
{
    struct session *s = stream->user;
    EXPECT(s->stream == stream && s->writing);
    s->writing = false;
    buf_clear(&s->out, 0);
    if (e == OK)
        stream->io->ops->stream_read_resume(stream);
}

static void session_closed(struct io_stream *stream)
{
    struct session *s = stream->user;
    EXPECT(s->stream == NULL);
    s->echo->closed++;
    buf_fini(&s->out);
}

static const struct io_stream_callbacks session_callbacks = {session_read, session_end,
                                                             session_written, session_closed};

static void echo_accept(struct io_listener *listener, struct io_stream *stream)
{
    struct echo *echo = listener->user;
    REQUIRE(echo->accepted < SESSIONS_MAX);
    struct session *s = &echo->sessions[echo->accepted++];
    s->echo = echo;
    s->stream = stream;
    buf_init(&s->out, MEM_TEST);
    stream->io->ops->stream_start(stream, &session_callbacks, s);
}

static const struct io_addr echo_addr = {.host = "127.0.0.1", .port = 6379};

static void echo_start(struct echo *echo, struct sim *sim)
{
    *echo = (struct echo){.io = sim_io(sim), .listener = {.on_accept = echo_accept, .user = echo}};
    struct why why = {""};
    REQUIRE(echo->io->ops->listen(echo->io, &echo->listener, &echo_addr, 511, &why) == OK);
}

static void echo_stop(struct echo *echo)
{
    echo->io->ops->listener_close(&echo->listener);
    for (unsigned i = 0; i < echo->accepted; i++)
        session_close(&echo->sessions[i]);
}

static void send_pattern(struct sim_client *client, size_t size, uint8_t salt)
{
    uint8_t *bytes = mem_alloc(MEM_TEST, size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 253 + salt);
    sim_client_send(client, (struct slice){bytes, size});
    mem_free(MEM_TEST, bytes);
}

static bool is_pattern(const struct buf *b, uint8_t salt)
{
    for (size_t i = 0; i < b->len; i++)
        if (b->ptr[i] != (uint8_t)(i * 7 + i / 253 + salt))
            return false;
    return true;
}

/* ---- network ---- */

/* A fixed workload; returns the trace. */
static uint64_t echo_trace(uint64_t seed, uint32_t cut_ppm)
{
    enum { CLIENTS = 8, SIZE = 100 * 1000 };
    struct sim_options options = sim_options_default();
    options.cut_ppm = cut_ppm;
    struct sim *sim = sim_new(seed, &options);
    struct echo echo;
    echo_start(&echo, sim);
    struct sim_client *clients[CLIENTS];
    for (uint8_t i = 0; i < CLIENTS; i++) {
        clients[i] = sim_client_connect(sim, &echo_addr);
        send_pattern(clients[i], SIZE, i);
    }
    sim_run_for(sim, 60 * (uint64_t)SECOND_US);
    for (uint8_t i = 0; i < CLIENTS; i++) {
        EXPECT(is_pattern(&clients[i]->received, i));
        if (clients[i]->received.len != SIZE)
            EXPECT(cut_ppm > 0 && clients[i]->closed && clients[i]->end == ERR_IO);
        sim_client_close(clients[i]);
        sim_client_close(clients[i]); /* twice does no harm */
    }
    EXPECT(cut_ppm > 0 || echo.accepted == CLIENTS);
    EXPECT(cut_ppm > 0 || echo.partial_writes > 0);
    sim_run_for(sim, SECOND_US);
    EXPECT_EQ(echo.closed, echo.accepted); /* every session heard of its client's end */
    echo_stop(&echo);
    uint64_t trace = sim_trace_hash(sim);
    sim_free(sim);
    return trace;
}

TEST(sim_net, echo_comes_back_whole_and_a_seed_replays)
{
    uint64_t first = echo_trace(1, 0);
    EXPECT(first == echo_trace(1, 0));
    EXPECT(first != echo_trace(2, 0));
}

TEST(sim_net, a_cut_stream_has_delivered_a_prefix_and_replays_too)
{
    for (uint64_t seed = 0; seed < 20; seed++)
        EXPECT(echo_trace(seed, 20 * 1000) == echo_trace(seed, 20 * 1000));
}

TEST(sim_net, a_client_that_does_not_read_stops_the_server_not_its_neighbours)
{
    enum { SIZE = 1000 * 1000 };
    struct sim *sim = sim_new(7, NULL);
    struct echo echo;
    echo_start(&echo, sim);
    struct sim_client *lazy = sim_client_connect(sim, &echo_addr);
    struct sim_client *eager = sim_client_connect(sim, &echo_addr);
    sim_client_read_stop(lazy);
    send_pattern(lazy, SIZE, 0);
    send_pattern(eager, SIZE, 1);
    sim_run_for(sim, 60 * (uint64_t)SECOND_US);
    EXPECT_EQ(lazy->received.len, 0);
    EXPECT_EQ(eager->received.len, SIZE);
    sim_client_read_resume(lazy);
    sim_run_for(sim, 60 * (uint64_t)SECOND_US);
    EXPECT_EQ(lazy->received.len, SIZE);
    EXPECT(is_pattern(&lazy->received, 0));
    echo_stop(&echo);
    sim_run_for(sim, SECOND_US);
    EXPECT(lazy->closed && lazy->end == OK);
    sim_free(sim);
}

TEST(sim_net, connecting_where_nobody_listens_fails)
{
    struct sim *sim = sim_new(3, NULL);
    struct sim_client *client = sim_client_connect(sim, &echo_addr);
    sim_run_for(sim, SECOND_US);
    EXPECT(client->closed && !client->connected);
    EXPECT_EQ(client->end, ERR_IO);
    sim_free(sim);
}

TEST(sim_net, a_port_is_taken_once_and_chosen_when_it_is_0)
{
    struct sim *sim = sim_new(3, NULL);
    struct io *io = sim_io(sim);
    struct echo echo;
    echo_start(&echo, sim);
    struct io_listener second = {.on_accept = echo_accept, .user = &echo};
    struct io_addr any = {.host = "127.0.0.1"};
    EXPECT_EQ(io->ops->listen(io, &second, &echo_addr, 511, NULL), ERR_EXISTS);
    EXPECT_EQ(io->ops->listen(io, &second, &any, 511, NULL), OK);
    EXPECT(second.addr.port > 0);
    io->ops->listener_close(&second);
    echo_stop(&echo);
    sim_free(sim);
}

/* A process that connects to a listener of its own. */
struct dialer {
    struct io_stream *stream;
    struct buf in;
    unsigned connected, closed;
    enum err err;
};

static void dialer_read(struct io_stream *stream, const uint8_t *bytes, size_t len)
{
    buf_append(&((struct dialer *)stream->user)->in, bytes, len);
}

static void dialer_end(struct io_stream *stream, enum err e)
{
    ((struct dialer *)stream->user)->err = e;
    stream->io->ops->stream_close(stream);
}

static void dialer_written(struct io_stream *stream, enum err e)
{
    EXPECT(stream->user != NULL && e == OK);
}

static void dialer_closed(struct io_stream *stream)
{
    ((struct dialer *)stream->user)->closed++;
}

static const struct io_stream_callbacks dialer_callbacks = {dialer_read, dialer_end, dialer_written,
                                                            dialer_closed};

static void dialer_connected(struct io_stream *stream, enum err e)
{
    static const uint8_t hello[] = {'h', 'i'};
    struct dialer *d = stream->user;
    d->connected++;
    d->err = e;
    if (e != OK) {
        stream->io->ops->stream_close(stream);
        return;
    }
    stream->io->ops->stream_start(stream, &dialer_callbacks, d);
    (void)stream->io->ops->stream_write(stream, hello, sizeof(hello)); /* hello outlives it */
}

TEST(sim_net, a_process_can_connect_to_a_listener)
{
    struct sim *sim = sim_new(11, NULL);
    struct io *io = sim_io(sim);
    struct echo echo;
    echo_start(&echo, sim);
    struct dialer d = {.in = BUF_INIT(MEM_TEST)};
    EXPECT_EQ(io->ops->connect(io, &echo_addr, dialer_connected, &d, &d.stream, NULL), OK);
    EXPECT_EQ(d.connected, 0); /* never inside the call */
    sim_run_for(sim, SECOND_US);
    EXPECT_EQ(d.connected, 1);
    EXPECT_EQ(d.in.len, 2);
    echo_stop(&echo);
    sim_run_for(sim, SECOND_US);
    EXPECT_EQ(d.closed, 1);
    EXPECT_EQ(d.err, OK);
    EXPECT_EQ(io->ops->connect(io, &echo_addr, dialer_connected, &d, &d.stream, NULL), OK);
    sim_run_for(sim, SECOND_US);
    EXPECT_EQ(d.connected, 2);
    EXPECT_EQ(d.err, ERR_IO);
    buf_fini(&d.in);
    sim_free(sim);
}

TEST(sim_net, a_crash_silences_the_process_and_resets_its_clients)
{
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct sim *sim = sim_new(seed, NULL);
        struct echo echo, next;
        echo_start(&echo, sim);
        struct sim_client *client = sim_client_connect(sim, &echo_addr);
        send_pattern(client, 2000 * 1000, 0);
        sim_run_for(sim, 100 * seed);
        sim_crash(sim);
        unsigned accepted = echo.accepted;
        sim_run_for(sim, SECOND_US);
        EXPECT_EQ(echo.accepted, accepted);
        EXPECT_EQ(echo.closed, 0);
        EXPECT(client->closed && client->end == ERR_IO);
        EXPECT(client->received.len < 2000 * 1000 && is_pattern(&client->received, 0));
        echo_stop(&echo);
        sim_restart(sim);
        EXPECT_EQ(echo.closed, echo.accepted);

        echo_start(&next, sim);
        client = sim_client_connect(sim, &echo_addr);
        send_pattern(client, 1000, 0);
        sim_run_for(sim, SECOND_US);
        EXPECT_EQ(client->received.len, 1000);
        echo_stop(&next);
        sim_free(sim);
    }
}

/* ---- clock ---- */

struct alarm {
    struct io_timer timer; /* first */
    struct sim *sim;
    uint64_t fired_us;
    unsigned fired;
};

static void on_alarm(struct io_timer *timer)
{
    struct alarm *a = (struct alarm *)timer;
    a->fired++;
    a->fired_us = sim_now_us(a->sim);
}

TEST(sim_io, time_jumps_to_the_next_event_and_timers_hit_it)
{
    struct sim *sim = sim_new(1, NULL);
    struct io *io = sim_io(sim);
    struct alarm a = {.timer.fn = on_alarm, .sim = sim}, b = a, stopped = a;
    uint64_t wall = io->ops->wall_us(io);
    io->ops->timer_start(io, &a.timer, 3600 * (uint64_t)SECOND_US);
    io->ops->timer_start(io, &b.timer, 500);
    io->ops->timer_start(io, &b.timer, 700);
    io->ops->timer_start(io, &stopped.timer, 1);
    io->ops->timer_stop(io, &stopped.timer);
    io->ops->timer_stop(io, &stopped.timer);
    EXPECT(sim_step(sim) && b.fired == 1 && b.fired_us == 700);
    EXPECT(sim_step(sim) && a.fired == 1 && a.fired_us == 3600 * (uint64_t)SECOND_US);
    EXPECT(!sim_step(sim));
    EXPECT_EQ(stopped.fired, 0);
    EXPECT_EQ(io->ops->wall_us(io) - wall, 3600 * (uint64_t)SECOND_US);
    EXPECT_EQ(io->ops->mono_us(io), sim_now_us(sim));
    sim_run_for(sim, 10);
    EXPECT_EQ(sim_now_us(sim), 3600 * (uint64_t)SECOND_US + 10);
    io->ops->timer_start(io, &a.timer, 5); /* sim_free takes what still runs */
    sim_free(sim);
}

TEST(sim_io, chance_follows_from_the_seed)
{
    struct sim *one = sim_new(5, NULL), *same = sim_new(5, NULL), *other = sim_new(6, NULL);
    uint8_t a[16], b[16], c[16];
    sim_io(one)->ops->random(sim_io(one), a, sizeof(a));
    sim_io(same)->ops->random(sim_io(same), b, sizeof(b));
    sim_io(other)->ops->random(sim_io(other), c, sizeof(c));
    EXPECT(memcmp(a, b, sizeof(a)) == 0);
    EXPECT(memcmp(a, c, sizeof(a)) != 0);
    sim_free(one);
    sim_free(same);
    sim_free(other);
}

/* ---- jobs ---- */

struct hop_job {
    struct job job; /* first */
    struct sim *sim;
    unsigned *next_step; /* shared: counts steps of all jobs */
    unsigned first_step, last_step;
    unsigned lane;
    bool ran, done, saw_search_wait;
};

static void hop_run(struct job *job, struct lane *lane)
{
    struct hop_job *h = (struct hop_job *)job;
    volatile uint8_t stack[32 * 1024]; /* the coroutine has room for real work */
    h->first_step = (*h->next_step)++;
    h->lane = lane->index;
    for (unsigned i = 0; i < 50; i++) {
        stack[i * 600] = (uint8_t)i;
        lane_yield(lane);
        EXPECT_EQ(stack[i * 600], i);
        h->saw_search_wait |= lane->search_waits(lane);
        if (i % 10 == 0)
            lane->pause(lane);
    }
    h->last_step = (*h->next_step)++;
    h->ran = true;
}

static void hop_done(struct job *job)
{
    struct hop_job *h = (struct hop_job *)job;
    EXPECT(h->ran && !h->done);
    h->done = true;
}

enum { HOPS = 12 };

/* Runs HOPS jobs, links first; returns the trace. */
static uint64_t hop_trace(uint64_t seed, unsigned lanes, struct hop_job hops[HOPS])
{
    struct sim_options options = sim_options_default();
    options.lane_count = lanes;
    struct sim *sim = sim_new(seed, &options);
    struct io *io = sim_io(sim);
    EXPECT_EQ(io->ops->lane_count(io), lanes);
    unsigned next_step = 0;
    for (unsigned i = 0; i < HOPS; i++) {
        hops[i] =
            (struct hop_job){.job = {hop_run, hop_done, i < HOPS / 2 ? JOB_LINK : JOB_SEARCH, NULL},
                             .sim = sim,
                             .next_step = &next_step};
        io->ops->submit(io, &hops[i].job);
        EXPECT(!hops[i].ran);
    }
    sim_run_for(sim, SECOND_US);
    for (unsigned i = 0; i < HOPS; i++)
        EXPECT(hops[i].done && hops[i].lane < lanes);
    uint64_t trace = sim_trace_hash(sim);
    sim_free(sim);
    return trace;
}

TEST(sim_jobs, coroutines_interleave_as_the_seed_says)
{
    struct hop_job hops[HOPS];
    uint64_t first = hop_trace(1, 4, hops);
    unsigned overlaps = 0;
    for (unsigned i = 1; i < HOPS; i++)
        overlaps += hops[i].first_step < hops[0].last_step;
    EXPECT(overlaps >= 1);
    EXPECT(first == hop_trace(1, 4, hops));
    EXPECT(first != hop_trace(2, 4, hops));
}

TEST(sim_jobs, searches_go_first_and_links_are_told)
{
    struct hop_job hops[HOPS];
    (void)hop_trace(9, 1, hops); /* hops[0], a link, starts before the others are there */
    EXPECT(hops[0].saw_search_wait);
    for (unsigned i = 1; i < HOPS / 2; i++)
        for (unsigned k = HOPS / 2; k < HOPS; k++)
            EXPECT(hops[k].last_step < hops[i].first_step);
    EXPECT(!hops[1].saw_search_wait);
}

TEST(sim_jobs, io_has_a_lane_for_each_class_that_keeps_the_order)
{
    struct sim_options options = sim_options_default();
    options.lane_count = 1;
    struct sim *sim = sim_new(7, &options);
    struct hop_job hops[HOPS];
    unsigned next_step = 0;
    for (unsigned i = 0; i < HOPS; i++) {
        enum job_class class = i % 2 == 0 ? JOB_AOF : JOB_UPLOAD;
        hops[i] = (struct hop_job){
            .job = {hop_run, hop_done, class, NULL}, .sim = sim, .next_step = &next_step};
        sim_io(sim)->ops->submit(sim_io(sim), &hops[i].job);
    }
    sim_run_for(sim, SECOND_US);
    for (unsigned i = 2; i < HOPS; i++)
        EXPECT(hops[i].done && hops[i].first_step > hops[i - 2].last_step);
    EXPECT(hops[1].first_step < hops[0].last_step); /* the classes do not wait for each other */
    sim_free(sim);
}

static void scratch_free(void *scratch)
{
    mem_free(MEM_TEST, scratch);
}

static void scratch_run(struct job *job, struct lane *lane)
{
    ((struct hop_job *)job)->ran = true;
    if (lane->scratch == NULL)
        lane->scratch = mem_alloc(MEM_TEST, 100);
    lane->scratch_free = scratch_free;
}

TEST(sim_jobs, sim_free_runs_what_is_queued_and_frees_scratch)
{
    struct sim *sim = sim_new(4, NULL);
    size_t before = mem_used(MEM_TEST);
    struct hop_job hops[HOPS];
    for (unsigned i = 0; i < HOPS; i++) {
        hops[i] = (struct hop_job){.job = {scratch_run, hop_done, JOB_LINK, NULL}};
        sim_io(sim)->ops->submit(sim_io(sim), &hops[i].job);
    }
    sim_free(sim);
    for (unsigned i = 0; i < HOPS; i++)
        EXPECT(hops[i].done);
    EXPECT(mem_used(MEM_TEST) < before);
}
