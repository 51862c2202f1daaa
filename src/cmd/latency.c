#include "cmd/latency.h"

#include "cmd/command.h"
#include "cmd/env.h"

void latency_init(struct latency *l)
{
    *l = (struct latency){0};
    l->commands = mem_calloc(MEM_SERVER, command_count() * sizeof(struct histogram *));
}

static void free_histograms(struct latency *l)
{
    for (size_t i = 0; i < command_count(); i++) {
        mem_free(MEM_SERVER, l->commands[i]);
        l->commands[i] = NULL;
    }
}

void latency_fini(struct latency *l)
{
    free_histograms(l);
    mem_free(MEM_SERVER, l->commands);
}

void latency_reset_stats(struct latency *l)
{
    free_histograms(l);
    memset(l->longest_us, 0, sizeof(l->longest_us));
    l->loop_turns = l->loop_us = l->command_us = 0;
}

/* -- histograms -------------------------------------------------------------------------------- */

static unsigned bucket_of(uint64_t us)
{
    if (us < HISTOGRAM_EXACT)
        return (unsigned)us;
    unsigned power = 63 - (unsigned)__builtin_clzll(us); /* 4 or more */
    unsigned part = (unsigned)(us >> (power - 3)) & (HISTOGRAM_PARTS - 1);
    unsigned bucket = HISTOGRAM_EXACT + (power - 4) * HISTOGRAM_PARTS + part;
    return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

uint64_t histogram_bound(unsigned bucket)
{
    CHECK(bucket <= HISTOGRAM_BUCKETS);
    if (bucket < HISTOGRAM_EXACT)
        return bucket;
    unsigned power = 4 + (bucket - HISTOGRAM_EXACT) / HISTOGRAM_PARTS;
    uint64_t part = (bucket - HISTOGRAM_EXACT) % HISTOGRAM_PARTS;
    return ((uint64_t)HISTOGRAM_PARTS + part) << (power - 3);
}

void histogram_add(struct histogram *h, uint64_t us)
{
    unsigned bucket = bucket_of(us);
    CHECK(bucket == HISTOGRAM_BUCKETS - 1 || us < histogram_bound(bucket + 1));
    h->buckets[bucket]++;
    h->count++;
    h->max_us = us > h->max_us ? us : h->max_us;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
    CHECK(percent >= 0 && percent <= 100);
    double wanted = (double)h->count * percent / 100;
    uint64_t seen = 0;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += h->buckets[i];
        if (h->buckets[i] == 0 || (double)seen < wanted)
            continue;
        uint64_t last = histogram_bound(i + 1) - 1;
        return last < h->max_us ? last : h->max_us;
    }
    return h->max_us;
}

/* -- events ------------------------------------------------------------------------------------ */

/* One sample a second: the longest. */
static void add_sample(struct latency_series *s, uint64_t time_s, uint64_t took_ms)
{
    struct latency_sample *last = &s->samples[(s->next + LATENCY_SAMPLES - 1) % LATENCY_SAMPLES];
    s->max_ms = took_ms > s->max_ms ? took_ms : s->max_ms;
    if (s->count > 0 && last->time_s == time_s) {
        last->took_ms = took_ms > last->took_ms ? took_ms : last->took_ms;
        return;
    }
    s->samples[s->next] = (struct latency_sample){time_s, took_ms};
    s->next = (s->next + 1) % LATENCY_SAMPLES;
    s->count += s->count < LATENCY_SAMPLES;
}

void latency_note(struct cmd_env *env, enum latency_event event, uint64_t took_us)
{
    struct latency *l = &env->latency;
    CHECK(event < LATENCY_EVENT_COUNT);
    if (took_us > l->longest_us[event])
        l->longest_us[event] = took_us;
    uint64_t threshold = (uint64_t)env->config->latency_monitor_threshold;
    if (threshold > 0 && took_us / 1000 >= threshold)
        add_sample(&l->series[event], env->io->ops->wall_us(env->io) / 1000000, took_us / 1000);
}

void latency_note_command(struct cmd_env *env, size_t command, uint64_t took_us)
{
    struct histogram **h = &env->latency.commands[command];
    bool fast = (command_at(command)->flags & CMD_FAST) != 0;
    latency_note(env, fast ? LATENCY_FAST_COMMAND : LATENCY_COMMAND, took_us);
    env->latency.command_us += took_us;
    if (!env->config->latency_tracking)
        return;
    if (*h == NULL)
        *h = mem_try_calloc(MEM_SERVER, sizeof(**h));
    if (*h != NULL)
        histogram_add(*h, took_us);
}

void latency_note_turn(struct cmd_env *env, uint64_t took_us)
{
    env->latency.loop_turns++;
    env->latency.loop_us += took_us;
    latency_note(env, LATENCY_LOOP, took_us);
}
