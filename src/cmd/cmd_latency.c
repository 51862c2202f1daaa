/* LATENCY: what latency.h has gathered, as lists, as a picture, and in words. */
#include <inttypes.h>
#include <stdio.h>

#include "cmd/command.h"
#include "cmd/env.h"

enum { GRAPH_ROWS = 4, LABEL_ROWS = 4, ADVICE_MAX = 512 };

static const char *const names[] = {
#define X(event, name) name,
    LATENCY_EVENT_LIST(X)
#undef X
};

/* NULL when there is no such event, or none has been seen. */
static struct latency_series *find_series(struct cmd_env *env, struct slice name)
{
    for (size_t i = 0; i < LATENCY_EVENT_COUNT; i++)
        if (slice_eq_nocase(name, names[i]) && env->latency.series[i].count > 0)
            return &env->latency.series[i];
    return NULL;
}

/* index 0 is the oldest. */
static const struct latency_sample *sample_at(const struct latency_series *s, unsigned index)
{
    CHECK(index < s->count);
    return &s->samples[(s->next + LATENCY_SAMPLES - s->count + index) % LATENCY_SAMPLES];
}

void cmd_latency_latest(struct request *rq)
{
    const struct latency *l = &rq->env->latency;
    size_t count = 0;
    for (size_t i = 0; i < LATENCY_EVENT_COUNT; i++)
        count += l->series[i].count > 0;
    reply_array(&rq->reply, count);
    for (size_t i = 0; i < LATENCY_EVENT_COUNT; i++) {
        const struct latency_series *s = &l->series[i];
        if (s->count == 0)
            continue;
        const struct latency_sample *last = sample_at(s, s->count - 1);
        reply_array(&rq->reply, 4);
        reply_text(&rq->reply, names[i]);
        reply_int(&rq->reply, (int64_t)last->time_s);
        reply_int(&rq->reply, (int64_t)last->took_ms);
        reply_int(&rq->reply, (int64_t)s->max_ms);
    }
}

void cmd_latency_history(struct request *rq)
{
    const struct latency_history_args *a = rq->args;
    const struct latency_series *s = find_series(rq->env, a->event);
    reply_array(&rq->reply, s == NULL ? 0 : s->count);
    for (unsigned i = 0; s != NULL && i < s->count; i++) {
        reply_array(&rq->reply, 2);
        reply_int(&rq->reply, (int64_t)sample_at(s, i)->time_s);
        reply_int(&rq->reply, (int64_t)sample_at(s, i)->took_ms);
    }
}

void cmd_latency_reset(struct request *rq)
{
    const struct latency_reset_args *a = rq->args;
    struct latency *l = &rq->env->latency;
    int64_t count = 0;
    for (size_t i = 0; i < LATENCY_EVENT_COUNT && a->events.count == 0; i++) {
        count += l->series[i].count > 0;
        l->series[i] = (struct latency_series){.count = 0};
    }
    for (size_t i = 0; i < a->events.count; i++) {
        struct latency_series *s = find_series(rq->env, a->events.items[i]);
        count += s != NULL;
        if (s != NULL)
            *s = (struct latency_series){.count = 0};
    }
    reply_int(&rq->reply, count);
}

/* -- GRAPH ------------------------------------------------------------------------------------- */

struct range {
    uint64_t low, high;
};

static struct range range_of(const struct latency_series *s)
{
    struct range r = {UINT64_MAX, 0};
    for (unsigned i = 0; i < s->count; i++) {
        uint64_t ms = sample_at(s, i)->took_ms;
        r.low = ms < r.low ? ms : r.low;
        r.high = ms > r.high ? ms : r.high;
    }
    return r;
}

/* What stands in a row of a column that is so many halves of a row high; row 0 is the lowest. */
static char cell(unsigned halves, unsigned row, bool highest)
{
    if (halves / 2 > row)
        return highest && halves / 2 == row + 1 && halves % 2 == 0 ? '#' : '|';
    return halves / 2 == row && halves % 2 == 1 ? '_' : ' ';
}

/* How long ago, in letters that are written one below the other. */
static void print_age(char label[LABEL_ROWS + 1], uint64_t seconds)
{
    static const struct {
        uint64_t seconds;
        char letter;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    size_t unit = 0;
    while (unit + 1 < COUNT_OF(units) && seconds < units[unit].seconds)
        unit++;
    uint64_t value = seconds / units[unit].seconds;
    (void)snprintf(label, LABEL_ROWS + 1, "%" PRIu64 "%c", value > 999 ? 999 : value,
                   units[unit].letter);
}

static void print_rows(const struct latency_series *s, struct range r, struct buf *out)
{
    for (unsigned row = GRAPH_ROWS; row > 0; row--) {
        for (unsigned i = 0; i < s->count; i++) {
            uint64_t ms = sample_at(s, i)->took_ms, span = r.high - r.low;
            unsigned halves =
                span == 0 ? 1 : 1 + (unsigned)((ms - r.low) * (2 * GRAPH_ROWS - 1) / span);
            buf_append_byte(out, (uint8_t)cell(halves, row - 1, ms == r.high));
        }
        buf_append_byte(out, '\n');
    }
}

static void print_ages(const struct latency_series *s, uint64_t now_s, struct buf *out)
{
    char label[LABEL_ROWS + 1];
    buf_append_byte(out, '\n');
    for (unsigned row = 0; row < LABEL_ROWS; row++) {
        for (unsigned i = 0; i < s->count; i++) {
            uint64_t then = sample_at(s, i)->time_s;
            print_age(label, now_s > then ? now_s - then : 0);
            buf_append_byte(out, row < strlen(label) ? (uint8_t)label[row] : ' ');
        }
        buf_append_byte(out, '\n');
    }
}

static void reply_text_of(struct request *rq, struct buf *text)
{
    if (buf_failed(text))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else
        reply_verbatim(&rq->reply, "txt", buf_slice(text));
    buf_fini(text);
}

void cmd_latency_graph(struct request *rq)
{
    const struct latency_graph_args *a = rq->args;
    const struct latency_series *s = find_series(rq->env, a->event);
    if (s == NULL) {
        reply_errorf(&rq->reply, "ERR No samples available for event '%.*s'",
                     (int)(a->event.len < 64 ? a->event.len : 64), (const char *)a->event.ptr);
        return;
    }
    struct buf text = BUF_INIT(MEM_CLIENT);
    struct range r = range_of(s);
    buf_printf(&text,
               "%.*s - high %" PRIu64 " ms, low %" PRIu64 " ms (all time high %" PRIu64 " ms)\n",
               (int)a->event.len, (const char *)a->event.ptr, r.high, r.low, s->max_ms);
    for (int i = 0; i < 80; i++)
        buf_append_byte(&text, '-');
    buf_append_byte(&text, '\n');
    print_rows(s, r, &text);
    print_ages(s, rq->env->io->ops->wall_us(rq->env->io) / 1000000, &text);
    reply_text_of(rq, &text);
}

/* -- DOCTOR ------------------------------------------------------------------------------------ */

static const char *const advice[] = {
    [LATENCY_COMMAND] = "SLOWLOG GET names the commands; searches with a large EF or EXACT, and "
                        "transactions with searches in them, are what takes time.",
    [LATENCY_FAST_COMMAND] = "commands that touch one key took long: look whether other programs "
                             "or the system's swap take the processor or the memory.",
    [LATENCY_EXPIRE] = "many keys expire at the same moment: spread their times.",
    [LATENCY_EVICTION] = "memory is at maxmemory: raise it, or store less.",
    [LATENCY_SLICE] = "a slice of a long command was late: other programs take the processor.",
    [LATENCY_LOOP] = "a turn of the loop serves all clients that have sent something: long "
                     "pipelines of many clients add up.",
};

static void print_advice(const struct latency_series *s, size_t event, struct buf *out)
{
    uint64_t sum = 0, deviation = 0, span = 0;
    for (unsigned i = 0; i < s->count; i++)
        sum += sample_at(s, i)->took_ms;
    uint64_t average = sum / s->count;
    for (unsigned i = 0; i < s->count; i++) {
        uint64_t ms = sample_at(s, i)->took_ms;
        deviation += ms > average ? ms - average : average - ms;
    }
    if (s->count > 1)
        span = sample_at(s, s->count - 1)->time_s - sample_at(s, 0)->time_s;
    buf_printf(out,
               "%s: %u spikes, %" PRIu64 " ms on average (mean deviation %" PRIu64
               " ms, one in %.2f s), %" PRIu64 " ms at most: %s\n",
               names[event], s->count, average, deviation / s->count,
               s->count > 1 ? (double)span / (s->count - 1) : 0, s->max_ms, advice[event]);
}

void cmd_latency_doctor(struct request *rq)
{
    const struct cmd_env *env = rq->env;
    struct buf text = BUF_INIT(MEM_CLIENT);
    for (size_t i = 0; i < LATENCY_EVENT_COUNT; i++)
        if (env->latency.series[i].count > 0)
            print_advice(&env->latency.series[i], i, &text);
    if (text.len == 0 && env->config->latency_monitor_threshold == 0)
        buf_append_text(&text, "Nothing is being watched. CONFIG SET latency-monitor-threshold "
                               "<milliseconds> says from when on something is slow.\n");
    else if (text.len == 0)
        buf_append_text(&text, "Nothing was slow.\n");
    reply_text_of(rq, &text);
}

/* -- HISTOGRAM --------------------------------------------------------------------------------- */

/* The bounds that Redis shows: powers of two times 1.024 us, rounded as its histogram rounds. */
static uint64_t shown_bound(unsigned power)
{
    uint64_t ns = (uint64_t)1024 << power;
    return (ns + ns / 128 - 1) / 1000;
}

/* Pairs of a bound and how many took at most so long, where that number grows. With no reply only
 * counts them. */
static size_t reply_buckets(struct reply *r, const struct histogram *h)
{
    uint64_t seen = 0;
    size_t pairs = 0;
    unsigned bucket = 0;
    for (unsigned power = 0; seen < h->count; power++) {
        uint64_t before = seen, bound = shown_bound(power);
        CHECK(power < 64 - 11);
        while (bucket < HISTOGRAM_BUCKETS && histogram_bound(bucket) <= bound)
            seen += h->buckets[bucket++];
        if (seen == before)
            continue;
        pairs++;
        if (r != NULL) {
            reply_int(r, (int64_t)bound);
            reply_int(r, (int64_t)seen);
        }
    }
    return pairs;
}

/* Of the command, and of those in it. With no reply only counts them. */
static size_t reply_histograms(struct reply *r, const struct latency *l, const struct command *c)
{
    size_t count = 0;
    for (size_t i = 0; i <= command_sub_count(c); i++) {
        const struct histogram *h = l->commands[command_index(c + i)];
        if (h == NULL)
            continue;
        count++;
        if (r == NULL)
            continue;
        reply_text(r, c[i].name);
        reply_map(r, 2);
        reply_text(r, "calls");
        reply_int(r, (int64_t)h->count);
        reply_text(r, "histogram_usec");
        reply_map(r, reply_buckets(NULL, h));
        (void)reply_buckets(r, h);
    }
    return count;
}

/* All of them, or those that are named; names of nothing are passed over. */
static size_t reply_all(struct reply *r, const struct latency *l, const struct slices *wanted)
{
    size_t count = 0;
    for (size_t i = 0; i < command_count() && wanted->count == 0; i++)
        if (command_words(command_at(i)) == 1)
            count += reply_histograms(r, l, command_at(i));
    for (size_t i = 0; i < wanted->count; i++) {
        const struct command *c = command_find(wanted->items[i]);
        if (c != NULL)
            count += reply_histograms(r, l, c);
    }
    return count;
}

void cmd_latency_histogram(struct request *rq)
{
    const struct latency_histogram_args *a = rq->args;
    const struct latency *l = &rq->env->latency;
    reply_map(&rq->reply, reply_all(NULL, l, &a->commands));
    (void)reply_all(&rq->reply, l, &a->commands);
}
