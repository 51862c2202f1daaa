/* latency.h: how long things took: what held the loop for longer than latency-monitor-threshold,
 * and how often each command took how long.
 *
 * owner: loop. */
#ifndef VDB_CMD_LATENCY_H
#define VDB_CMD_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

struct cmd_env;

/* event, name as LATENCY shows it: those of Redis, then ours */
#define LATENCY_EVENT_LIST(X)                                                                      \
    X(LATENCY_COMMAND, "command") /* a command that is not marked as fast */                       \
    X(LATENCY_FAST_COMMAND, "fast-command")                                                        \
    X(LATENCY_EXPIRE, "expire-cycle")     /* a slice of the keys that have expired */              \
    X(LATENCY_EVICTION, "eviction-cycle") /* keys removed to stay under maxmemory */               \
    X(LATENCY_SLICE, "slice")             /* a slice of a command that is done in slices */        \
    X(LATENCY_LOOP, "loop")               /* all between two looks at the sockets */

enum latency_event {
#define X(event, name) event,
    LATENCY_EVENT_LIST(X)
#undef X
        LATENCY_EVENT_COUNT
};

enum { LATENCY_SAMPLES = 160 };

struct latency_sample {
    uint64_t time_s; /* Unix time; at most one of a second: the longest */
    uint64_t took_ms;
};

struct latency_series {
    struct latency_sample samples[LATENCY_SAMPLES]; /* a ring */
    unsigned count, next;
    uint64_t max_ms; /* since the reset */
};

/* Durations in microseconds: 16 exact ones, then 8 for each power of two up to a minute. */
enum { HISTOGRAM_EXACT = 16, HISTOGRAM_PARTS = 8, HISTOGRAM_POWERS = 22 };
enum { HISTOGRAM_BUCKETS = HISTOGRAM_EXACT + HISTOGRAM_PARTS * HISTOGRAM_POWERS };

struct histogram {
    uint64_t count;
    uint64_t max_us;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

struct latency {
    struct latency_series series[LATENCY_EVENT_COUNT];
    struct histogram **commands; /* by command_index; NULL until it has run */
    uint64_t longest_us[LATENCY_EVENT_COUNT];
    uint64_t loop_turns, loop_us, command_us;
};

void latency_init(struct latency *l);
void latency_fini(struct latency *l);
/* What CONFIG RESETSTAT sets back: everything but the series. */
void latency_reset_stats(struct latency *l);

/* Something took so long on the loop. */
void latency_note(struct cmd_env *env, enum latency_event event, uint64_t took_us);
/* The same of a command, by its index; counts it in its histogram. */
void latency_note_command(struct cmd_env *env, size_t command, uint64_t took_us);
/* All between two looks at the sockets. */
void latency_note_turn(struct cmd_env *env, uint64_t took_us);

void histogram_add(struct histogram *h, uint64_t us);
/* The lowest duration of a bucket, and of the next one. */
uint64_t histogram_bound(unsigned bucket);
/* The duration that the share of all, in percent, did not go over; 0 when there is none. */
uint64_t histogram_percentile(const struct histogram *h, double percent);

#endif
