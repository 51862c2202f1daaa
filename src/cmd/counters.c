/* INFO's numbers that need a little more than an increment. */
#include "cmd/counters.h"

#include "cmd/command.h"
#include "cmd/env.h"

/* The first word, as far as it looks like a code. */
static size_t code_size(struct slice text)
{
    size_t n = 0;
    while (n < text.len && n < ERROR_CODE_MAX && text.ptr[n] >= 'A' && text.ptr[n] <= 'Z')
        n++;
    return n;
}

void counters_error(struct cmd_env *env, struct slice text)
{
    size_t size = code_size(text);
    CHECK(size < sizeof(env->errors[0].code));
    env->stats->total_error_replies++;
    for (size_t i = 0; i < ERROR_COUNTS_MAX && size > 0; i++) {
        struct error_count *e = &env->errors[i];
        if (e->count == 0) {
            memcpy(e->code, text.ptr, size);
            e->code[size] = '\0';
        }
        if (strncmp(e->code, (const char *)text.ptr, size) == 0 && e->code[size] == '\0') {
            e->count++;
            return;
        }
    }
}

/* CONFIG RESETSTAT may have set the counter back since the last tick: then 0. */
static uint64_t per_second(uint64_t before, uint64_t now, uint64_t passed_us)
{
    CHECK(passed_us > 0);
    return now > before ? (uint64_t)((double)(now - before) * 1e6 / (double)passed_us) : 0;
}

void counters_tick(struct cmd_env *env)
{
    struct rates *r = &env->rates;
    const struct stats *s = env->stats;
    uint64_t now = env->io->ops->mono_us(env->io);
    CHECK(now >= r->at_us);
    uint64_t passed = now - r->at_us;
    if (passed == 0)
        return;
    r->commands_per_s = per_second(r->commands, s->total_commands_processed, passed);
    r->bytes_in_per_s = per_second(r->bytes_in, s->total_net_input_bytes, passed);
    r->bytes_out_per_s = per_second(r->bytes_out, s->total_net_output_bytes, passed);
    r->at_us = now;
    r->commands = s->total_commands_processed;
    r->bytes_in = s->total_net_input_bytes;
    r->bytes_out = s->total_net_output_bytes;
}

void counters_collect(struct cmd_env *env)
{
    struct stats *s = env->stats;
    s->vectors_added = env->db->vectors_added;
    s->vectors_removed = env->db->vectors_removed;
    s->rows_linked = env->db->background.rows_linked;
    s->rows_freed = env->db->background.rows_freed;
    s->link_sweeps = env->db->background.link_sweeps;
    s->rows_moved = env->db->background.rows_moved;
    s->rows_relinked = env->db->background.rows_relinked;
    s->recall_checks = env->db->recall.checks;
    s->recall_checked_hits = env->db->recall.checked_hits;
    s->recall_missed_hits = env->db->recall.missed_hits;
    s->recall_calibrations = env->db->recall.calibrations;
    s->recall_cpu_milliseconds = env->db->recall.busy_us / 1000;
    s->expire_cycle_cpu_milliseconds = env->expire_us / 1000;
}

void counters_reset(struct cmd_env *env)
{
    struct db *db = env->db;
    db->vectors_added = db->vectors_removed = 0;
    db->background.rows_moved = db->background.rows_relinked = 0;
    db->background.rows_linked = db->background.rows_freed = db->background.link_sweeps = 0;
    db->recall.checks = db->recall.calibrations = db->recall.busy_us = 0;
    db->recall.checked_hits = db->recall.missed_hits = 0;
    *env->stats = (struct stats){0};
    env->expire_us = 0;
    memset(env->errors, 0, sizeof(env->errors));
    memset(env->command_stats, 0, command_count() * sizeof(*env->command_stats));
    latency_reset_stats(&env->latency);
    env->rates = (struct rates){.at_us = env->io->ops->mono_us(env->io)};
}
