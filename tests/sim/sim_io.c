#include <stdio.h>
#include <stdlib.h>

#include "sim/sim_private.h"

struct sim_options sim_options_default(void)
{
    return (struct sim_options){
        .lane_count = 2,
        .latency_min_us = 20,
        .latency_max_us = 200,
        .window_size = 64 * 1024,
        .split_ppm = 200 * 1000,
        .short_write_ppm = 100 * 1000,
        .switch_ppm = 200 * 1000,
        .fault_calls = SIM_CALLS_ALL,
        .job_step_max_us = 20,
        .disk_max_us = 100,
        .wall_start_us = UINT64_C(1750000000) * 1000000,
    };
}

/* ---- trace ---- */

static void trace_word(struct sim *sim, uint64_t word)
{
    uint64_t state = sim->trace ^ word;
    sim->trace = rng_next(&state);
}

static const char *kind_name(enum sim_kind kind)
{
    static const char *const names[] = {
#define X(name) #name,
        SIM_KIND_LIST(X)
#undef X
    };
    CHECK(kind < COUNT_OF(names));
    return names[kind];
}

void sim_trace(struct sim *sim, enum sim_kind kind, uint64_t a, uint64_t b)
{
    trace_word(sim, sim->now_us);
    trace_word(sim, (uint64_t)kind);
    trace_word(sim, a);
    trace_word(sim, b);
    if (sim->options.verbose)
        fprintf(stderr, "%12llu us %-8s %llu %llu\n", (unsigned long long)sim->now_us,
                kind_name(kind), (unsigned long long)a, (unsigned long long)b);
}

void sim_trace_bytes(struct sim *sim, const uint8_t *bytes, size_t len)
{
    static const uint64_t key[2] = {1, 2};
    trace_word(sim, hash_bytes((struct slice){bytes, len}, key));
}

uint64_t sim_trace_hash(const struct sim *sim)
{
    return sim->trace;
}

/* ---- the queue of events ---- */

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->tie < b->tie;
}

static void heap_set(struct sim *sim, size_t index, struct sim_event *event)
{
    sim->heap[index] = event;
    event->heap_index = index;
}

static void heap_up(struct sim *sim, size_t index, struct sim_event *event)
{
    while (index > 1 && earlier(event, sim->heap[index / 2])) {
        heap_set(sim, index, sim->heap[index / 2]);
        index /= 2;
    }
    heap_set(sim, index, event);
}

static void heap_down(struct sim *sim, size_t index, struct sim_event *event)
{
    for (;;) {
        size_t child = 2 * index;
        if (child > sim->heap_count)
            break;
        if (child < sim->heap_count && earlier(sim->heap[child + 1], sim->heap[child]))
            child++;
        if (!earlier(sim->heap[child], event))
            break;
        heap_set(sim, index, sim->heap[child]);
        index = child;
    }
    heap_set(sim, index, event);
}

void sim_schedule(struct sim *sim, struct sim_event *event, enum sim_kind kind, uint64_t delay_us,
                  void (*fn)(struct sim *sim, struct sim_event *event))
{
    CHECK(!sim_scheduled(event) && fn != NULL);
    event->at_us = sim->now_us + (delay_us > 0 ? delay_us : 1);
    event->tie = rng_next(&sim->order_rng);
    event->kind = kind;
    event->fn = fn;
    if (sim->heap_count + 1 >= sim->heap_capacity) {
        sim->heap_capacity = sim->heap_capacity == 0 ? 64 : sim->heap_capacity * 2;
        sim->heap = mem_realloc(MEM_TEST, sim->heap, sim->heap_capacity * sizeof(sim->heap[0]));
    }
    heap_up(sim, ++sim->heap_count, event);
}

void sim_cancel(struct sim *sim, struct sim_event *event)
{
    size_t index = event->heap_index;
    if (index == 0)
        return;
    CHECK(sim->heap[index] == event);
    struct sim_event *last = sim->heap[sim->heap_count--];
    event->heap_index = 0;
    if (last == event)
        return;
    if (index > 1 && earlier(last, sim->heap[index / 2]))
        heap_up(sim, index, last);
    else
        heap_down(sim, index, last);
}

bool sim_step(struct sim *sim)
{
    if (sim->heap_count == 0)
        return false;
    struct sim_event *event = sim->heap[1];
    sim_cancel(sim, event);
    CHECK(event->at_us >= sim->now_us);
    sim->now_us = event->at_us;
    event->fn(sim, event); /* may free the event */
    return true;
}

bool sim_run_until(struct sim *sim, bool (*until)(void *user), void *user, uint64_t max_us)
{
    uint64_t end_us = sim->now_us + max_us;
    while (!until(user)) {
        if (sim->heap_count == 0 || sim->heap[1]->at_us > end_us)
            return false;
        (void)sim_step(sim); /* there is one */
    }
    return true;
}

static bool never(void *user)
{
    (void)user;
    return false;
}

void sim_run_for(struct sim *sim, uint64_t max_us)
{
    uint64_t end_us = sim->now_us + max_us;
    bool held = sim_run_until(sim, never, NULL, max_us);
    CHECK(!held);
    sim->now_us = end_us;
}

/* ---- clocks, chance, timers ---- */

static uint64_t mono_us(struct io *io)
{
    return sim_of(io)->now_us;
}

static uint64_t wall_us(struct io *io)
{
    return sim_of(io)->options.wall_start_us + sim_of(io)->now_us;
}

uint64_t sim_now_us(const struct sim *sim)
{
    return sim->now_us;
}

static void random_bytes(struct io *io, void *out, size_t len)
{
    uint8_t *to = out;
    for (size_t i = 0; i < len; i++)
        to[i] = (uint8_t)(rng_next(&sim_of(io)->process_rng) >> 56);
}

/* owner: the simulator, from timer_start until it fires or stops */
struct sim_timer {
    struct sim_event event; /* first */
    struct io_timer *timer;
    uint32_t generation;
};

static void timer_stop(struct io *io, struct io_timer *timer)
{
    struct sim_timer *t = timer->impl;
    if (t == NULL)
        return;
    CHECK(t->timer == timer);
    sim_cancel(sim_of(io), &t->event);
    timer->impl = NULL;
    mem_free(MEM_TEST, t);
}

static void on_timer(struct sim *sim, struct sim_event *event)
{
    struct sim_timer *t = (struct sim_timer *)event;
    struct io_timer *timer = t->timer;
    if (sim->ending) { /* the io_timer may be gone */
        mem_free(MEM_TEST, t);
        return;
    }
    if ((!sim->power && !sim->apart) || t->generation != sim->generation)
        return; /* the process is dead; timer_stop will free it */
    sim_trace(sim, SIM_TIMER, 0, 0);
    timer_stop(&sim->io, timer);
    timer->fn(timer);
}

static void timer_start(struct io *io, struct io_timer *timer, uint64_t after_us)
{
    struct sim *sim = sim_of(io);
    CHECK(timer->fn != NULL);
    timer_stop(io, timer);
    struct sim_timer *t = mem_calloc(MEM_TEST, sizeof(*t));
    t->timer = timer;
    t->generation = sim->generation;
    timer->impl = t;
    sim_schedule(sim, &t->event, SIM_TIMER, after_us, on_timer);
}

/* ---- faults and crashes ---- */

static bool counts_down(uint64_t *countdown)
{
    return *countdown > 0 && --*countdown == 0;
}

bool sim_fails(struct sim *sim, enum sim_call call)
{
    if (!sim->power)
        return true;
    sim->calls[call]++;
    if ((sim->options.fault_calls >> call & 1) == 0)
        return false;
    if (counts_down(&sim->power_countdown)) {
        sim->fault_fired = true;
        sim->fault_call = call;
        sim->power = false;
        sim_trace(sim, SIM_POWER, 0, 0);
        return true;
    }
    if (counts_down(&sim->fail_countdown)) {
        sim->fault_fired = true;
        sim->fault_call = call;
        return true;
    }
    return sim_chance(&sim->disk_rng, sim->options.fault_ppm);
}

const char *sim_call_name(enum sim_call call)
{
    static const char *const names[] = {
#define X(name, text) text,
        SIM_CALL_LIST(X)
#undef X
    };
    CHECK(call < COUNT_OF(names));
    return names[call];
}

uint64_t sim_call_count(const struct sim *sim, uint32_t calls)
{
    uint64_t count = 0;
    for (unsigned call = 0; call < SIM_CALL_COUNT; call++)
        if ((calls >> call & 1) != 0)
            count += sim->calls[call];
    return count;
}

void sim_fail_nth(struct sim *sim, uint64_t n)
{
    sim->fail_countdown = n;
    sim->fault_fired = false;
}

void sim_cut_power_at_nth(struct sim *sim, uint64_t n)
{
    sim->power_countdown = n;
    sim->fault_fired = false;
}

bool sim_fault_fired(const struct sim *sim)
{
    return sim->fault_fired;
}

enum sim_call sim_fault_call(const struct sim *sim)
{
    CHECK(sim->fault_fired);
    return sim->fault_call;
}

void sim_crash(struct sim *sim)
{
    sim->power = false;
    sim_trace(sim, SIM_POWER, 0, 0);
    sim_disk_crash(sim);
    sim_net_crash(sim);
}

void sim_kill(struct sim *sim)
{
    sim->power = false;
    sim_trace(sim, SIM_POWER, 2, 0);
    sim_net_crash(sim);
}

void sim_take_apart(struct sim *sim)
{
    CHECK(!sim->power);
    sim->apart = true;
}

/* Steps until done() of every job and on_closed() of all the process has closed have come. */
static void settle(struct sim *sim)
{
    while (sim_jobs_pending(sim) > 0 || sim_net_open_count(sim) > 0) {
        bool stepped = sim_step(sim);
        CHECK(stepped); /* else the process left a stream or listener open */
    }
}

void sim_restart(struct sim *sim)
{
    CHECK(!sim->power);
    settle(sim); /* the dead process must not meet the new one */
    sim->power = true;
    sim->apart = false;
    sim->generation++;
    sim->power_countdown = 0;
    sim_trace(sim, SIM_POWER, 1, sim->generation);
}

bool sim_has_power(const struct sim *sim)
{
    return sim->power;
}

/* ---- start and end ---- */

static const struct io_ops ops = {
    .mono_us = mono_us,
    .wall_us = wall_us,
    .random = random_bytes,
    .timer_start = timer_start,
    .timer_stop = timer_stop,
    .listen = sim_listen,
    .listener_close = sim_listener_close,
    .connect = sim_connect,
    .stream_start = sim_stream_start,
    .stream_read_stop = sim_stream_read_stop,
    .stream_read_resume = sim_stream_read_resume,
    .stream_write = sim_stream_write,
    .stream_close = sim_stream_close,
    .submit = sim_submit,
    .lane_count = sim_lane_count,
    .file_open = sim_file_open,
    .file_read = sim_file_read,
    .file_write = sim_file_write,
    .file_size = sim_file_size,
    .file_truncate = sim_file_truncate,
    .file_sync = sim_file_sync,
    .file_lock = sim_file_lock,
    .file_copy_rights = sim_file_copy_rights,
    .file_close = sim_file_close,
    .on_crash = sim_on_crash,
    .rename = sim_rename,
    .remove = sim_remove,
    .sync_dir = sim_sync_dir,
    .make_dir = sim_make_dir,
    .list_dir = sim_list_dir,
};

struct sim *sim_new(uint64_t seed, const struct sim_options *options)
{
    struct sim *sim = mem_calloc(MEM_TEST, sizeof(*sim));
    sim->io.ops = &ops;
    sim->options = options != NULL ? *options : sim_options_default();
    CHECK(sim->options.lane_count >= 1 && sim->options.lane_count <= LANE_COUNT_MAX);
    CHECK(sim->options.latency_min_us <= sim->options.latency_max_us);
    CHECK(sim->options.window_size > 0);
    uint64_t *const rngs[] = {&sim->order_rng, &sim->net_rng, &sim->disk_rng, &sim->jobs_rng,
                              &sim->process_rng};
    for (size_t i = 0; i < COUNT_OF(rngs); i++)
        *rngs[i] = rng_next(&seed);
    sim->power = true;
    sim->net = sim_net_new();
    sim->disk = sim_disk_new();
    sim->jobs = sim_jobs_new(sim);
    return sim;
}

struct io *sim_io(struct sim *sim)
{
    return &sim->io;
}

struct sim_options *sim_options(struct sim *sim)
{
    return &sim->options;
}

void sim_free(struct sim *sim)
{
    if (sim == NULL)
        return;
    sim->ending = true;
    settle(sim);
    sim_jobs_free(sim);
    sim_clients_free(sim);
    sim_net_free(sim);
    sim_disk_free(sim->disk);
    /* Timers the process has started and never stopped. */
    for (size_t i = 1; i <= sim->heap_count; i++) {
        CHECK(sim->heap[i]->kind == SIM_TIMER);
        mem_free(MEM_TEST, sim->heap[i]);
    }
    mem_free(MEM_TEST, sim->heap);
    mem_free(MEM_TEST, sim);
}
