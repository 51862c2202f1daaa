/* INFO: what there is to know about the server, in the sections and under the names of Redis. What
 * this server does not have is 0 where tools ask for it, and left out otherwise. */
#include <inttypes.h>
#include <stdio.h>

#include "base/process.h"
#include "base/version.h"
#include "cmd/info.h"
#include "cmd/keys.h"
#include "cmd/modules.h"

/* By the monotonic clock: setting the wall clock does not make the server older. */
static uint64_t uptime_s(const struct cmd_env *env)
{
    return (env->io->ops->mono_us(env->io) - env->started_us) / 1000000;
}

static void print_server(struct cmd_env *env, struct buf *out)
{
    struct process_info process;
    process_info(&process);
    buf_printf(out,
               "redis_version:%s\r\nredis_git_sha1:00000000\r\nredis_git_dirty:0\r\n"
               "redis_build_id:0\r\nvdb_version:%s\r\nserver_name:vdb\r\n"
               "redis_mode:standalone\r\nos:%s\r\narch_bits:%d\r\n"
               "monotonic_clock:POSIX clock_gettime\r\nmultiplexing_api:libuv\r\n"
               "gcc_version:%s\r\nprocess_id:%" PRId64 "\r\nprocess_supervised:no\r\n",
               VDB_REDIS_VERSION, VDB_VERSION, process.os, (int)sizeof(void *) * 8, __VERSION__,
               process.id);
    buf_printf(out, "run_id:%s\r\ntcp_port:%d\r\nserver_time_usec:%" PRIu64 "\r\n", env->run_id,
               env->port, env->io->ops->wall_us(env->io));
    buf_printf(out, "uptime_in_seconds:%" PRIu64 "\r\nuptime_in_days:%" PRIu64 "\r\n",
               uptime_s(env), uptime_s(env) / 86400);
    buf_printf(out, "hz:10\r\nconfigured_hz:10\r\nlru_clock:%u\r\nio_threads_active:0\r\n",
               (unsigned)(env->io->ops->wall_us(env->io) / 1000000 & 0xffffff));
    buf_printf(out, "config_file:%s\r\n", env->config->file);
    buf_printf(out, "worker_threads:%u\r\nkernels:%s\r\n", env->io->ops->lane_count(env->io),
               env->db->env.kernels->name);
}

static void print_clients(struct cmd_env *env, struct buf *out)
{
    CHECK(env->blocked_count <= env->client_count);
    size_t watching = 0, query = 0, output = 0;
    for (const struct client *c = env->clients; c != NULL; c = c->next) {
        watching += c->watch_count > 0;
        query = c->query.capacity > query ? c->query.capacity : query;
        output = c->out.capacity > output ? c->out.capacity : output;
    }
    buf_printf(out,
               "connected_clients:%zu\r\ncluster_connections:0\r\nmaxclients:%d\r\n"
               "client_recent_max_input_buffer:%zu\r\nclient_recent_max_output_buffer:%zu\r\n"
               "blocked_clients:%zu\r\ntracking_clients:0\r\nclients_in_timeout_table:0\r\n"
               "watching_clients:%zu\r\ntotal_watched_keys:%zu\r\n",
               env->client_count, env->config->maxclients, query, output, env->blocked_count,
               watching, map_count(&env->watches.map));
}

static uint64_t longest(const struct latency *l, enum latency_event a, enum latency_event b)
{
    return l->longest_us[a] > l->longest_us[b] ? l->longest_us[a] : l->longest_us[b];
}

static void print_stats(struct cmd_env *env, struct buf *out)
{
    const struct rates *r = &env->rates;
    const struct latency *l = &env->latency;
    buf_printf(out,
               "instantaneous_ops_per_sec:%" PRIu64 "\r\ninstantaneous_input_kbps:%.2f\r\n"
               "instantaneous_output_kbps:%.2f\r\n",
               r->commands_per_s, (double)r->bytes_in_per_s / 1024,
               (double)r->bytes_out_per_s / 1024);
    stats_print_info(env->stats, STATS_SECTION_STATS, out);
    buf_append_text(out, "expired_stale_perc:0.00\r\n"); /* the heap knows of no stale keys */
    buf_append_text(out, "total_net_repl_input_bytes:0\r\ntotal_net_repl_output_bytes:0\r\n"
                         "instantaneous_input_repl_kbps:0.00\r\n"
                         "instantaneous_output_repl_kbps:0.00\r\nsync_full:0\r\n"
                         "sync_partial_ok:0\r\nsync_partial_err:0\r\nevicted_clients:0\r\n"
                         "latest_fork_usec:0\r\ntotal_forks:0\r\ntracking_total_keys:0\r\n"
                         "unexpected_error_replies:0\r\n");
    const size_t *subs = env->pubsub.count;
    buf_printf(out, "pubsub_channels:%zu\r\npubsub_patterns:%zu\r\npubsubshard_channels:%zu\r\n",
               subs[TOPIC_CHANNEL], subs[TOPIC_PATTERN], subs[TOPIC_SHARD]);
    buf_printf(out,
               "eventloop_cycles:%" PRIu64 "\r\neventloop_duration_sum:%" PRIu64 "\r\n"
               "eventloop_duration_cmd_sum:%" PRIu64 "\r\nlongest_loop_usec:%" PRIu64 "\r\n"
               "longest_command_usec:%" PRIu64 "\r\nlongest_slice_usec:%" PRIu64 "\r\n",
               l->loop_turns, l->loop_us, l->command_us, l->longest_us[LATENCY_LOOP],
               longest(l, LATENCY_COMMAND, LATENCY_FAST_COMMAND),
               longest(l, LATENCY_SLICE, LATENCY_EXPIRE));
}

/* The offset is the LSN: both count changes that a replica would have to have seen. */
static void print_replication(struct cmd_env *env, struct buf *out)
{
    buf_printf(out,
               "role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\n"
               "master_replid:%s\r\nmaster_replid2:0000000000000000000000000000000000000000\r\n"
               "master_repl_offset:%" PRIu64 "\r\nsecond_repl_offset:-1\r\n"
               "repl_backlog_active:0\r\nrepl_backlog_size:0\r\n"
               "repl_backlog_first_byte_offset:0\r\nrepl_backlog_histlen:0\r\n",
               env->run_id, env->db->log.last_lsn);
}

static void print_cpu(struct cmd_env *env, struct buf *out)
{
    struct process_info p;
    (void)env;
    process_info(&p);
    buf_printf(out,
               "used_cpu_sys:%.6f\r\nused_cpu_user:%.6f\r\nused_cpu_sys_children:0.000000\r\n"
               "used_cpu_user_children:0.000000\r\nused_cpu_sys_main_thread:%.6f\r\n"
               "used_cpu_user_main_thread:%.6f\r\n",
               (double)p.system_us / 1e6, (double)p.user_us / 1e6, (double)p.thread_system_us / 1e6,
               (double)p.thread_user_us / 1e6);
}

static void print_loaded(struct cmd_env *env, struct buf *out)
{
    (void)env;
    print_modules(out);
}

static void print_command_stats(struct cmd_env *env, struct buf *out)
{
    for (size_t i = 0; i < command_count(); i++) {
        const struct command_stats *s = &env->command_stats[i];
        CHECK(s->failed <= s->calls);
        if (s->calls == 0 && s->rejected == 0)
            continue;
        buf_printf(out,
                   "cmdstat_%s:calls=%" PRIu64 ",usec=%" PRIu64 ",usec_per_call=%.2f,"
                   "rejected_calls=%" PRIu64 ",failed_calls=%" PRIu64 "\r\n",
                   command_at(i)->name, s->calls, s->usec,
                   s->calls == 0 ? 0 : (double)s->usec / (double)s->calls, s->rejected, s->failed);
    }
}

static void print_latency_stats(struct cmd_env *env, struct buf *out)
{
    static const struct {
        const char *name;
        double percent;
    } shown[] = {{"p50", 50}, {"p99", 99}, {"p99.9", 99.9}};
    for (size_t i = 0; i < command_count(); i++) {
        const struct histogram *h = env->latency.commands[i];
        if (h == NULL)
            continue;
        buf_printf(out, "latency_percentiles_usec_%s:", command_at(i)->name);
        for (size_t p = 0; p < COUNT_OF(shown); p++)
            buf_printf(out, "%s%s=%" PRIu64 ".000", p == 0 ? "" : ",", shown[p].name,
                       histogram_percentile(h, shown[p].percent));
        buf_append_text(out, "\r\n");
    }
}

static void print_error_stats(struct cmd_env *env, struct buf *out)
{
    for (size_t i = 0; i < ERROR_COUNTS_MAX && env->errors[i].count > 0; i++)
        buf_printf(out, "errorstat_%s:count=%" PRIu64 "\r\n", env->errors[i].code,
                   env->errors[i].count);
}

static void print_cluster(struct cmd_env *env, struct buf *out)
{
    (void)env;
    buf_append_text(out, "cluster_enabled:0\r\n");
}

static void print_keyspace(struct cmd_env *env, struct buf *out)
{
    const struct keyspace *ks = &env->db->keys;
    size_t keys = keyspace_count(ks);
    if (keys > 0)
        buf_printf(out, "db0:keys=%zu,expires=%u,avg_ttl=%" PRIu64 "\r\n", keys, ks->expiry.count,
                   expiry_average_ms(&ks->expiry, env->db->now_ms));
}

static void print_vectors(struct cmd_env *env, struct buf *out)
{
    stats_print_info(env->stats, STATS_SECTION_VECTORS, out);
}

enum { RECALL_COLLECTIONS = 64 };

static void print_measured(struct buf *out, const struct recall_report *r)
{
    buf_printf(out, "checks=%u,recall=%.4f,low=%.4f,high=%.4f", r->checks, r->measured.estimate,
               r->measured.low, r->measured.high);
}

/* By its number, since any byte may be in a key; those of the key that would be read as something
 * else here are left out. */
static void print_collection_recall(void *user, const struct collection *c)
{
    struct buf *out = user;
    struct recall_report r = recall_report(c);
    buf_printf(out, "recall_%" PRIu64 ":", c->uid);
    print_measured(out, &r);
    buf_printf(out, ",calibrated_by=%u,key=", r.queries);
    struct slice key = c->object == NULL ? (struct slice){0} : object_key(c->object);
    for (size_t i = 0; i < key.len; i++)
        if (key.ptr[i] > ' ' && key.ptr[i] < 0x7f && key.ptr[i] != ',')
            buf_append(out, &key.ptr[i], 1);
    buf_append_text(out, "\r\n");
}

/* Of the last searches that were checked, of all collections and of each. */
static void print_recall(struct cmd_env *env, struct buf *out)
{
    struct recall_report all = recall_report_all(&env->db->recall);
    buf_append_text(out, "recall:");
    print_measured(out, &all);
    buf_append_text(out, "\r\n");
    recall_each(&env->db->recall, RECALL_COLLECTIONS, print_collection_recall, out);
}

/* In the order they are printed. */
static const struct {
    const char *name, *heading;
    void (*print)(struct cmd_env *env, struct buf *out);
    bool by_default;
} sections[] = {
    {"server", "Server", print_server, true},
    {"clients", "Clients", print_clients, true},
    {"memory", "Memory", info_memory, true},
    {"persistence", "Persistence", info_persistence, true},
    {"stats", "Stats", print_stats, true},
    {"replication", "Replication", print_replication, true},
    {"cpu", "CPU", print_cpu, true},
    {"modules", "Modules", print_loaded, true},
    {"commandstats", "Commandstats", print_command_stats, false},
    {"errorstats", "Errorstats", print_error_stats, true},
    {"latencystats", "Latencystats", print_latency_stats, false},
    {"cluster", "Cluster", print_cluster, true},
    {"keyspace", "Keyspace", print_keyspace, true},
    {"vectors", "Vectors", print_vectors, true},
    {"recall", "Recall", print_recall, true},
};

/* Names of sections add up; a name that is none selects nothing, as in Redis. */
static bool wanted(const struct slices *names, size_t section)
{
    CHECK(section < COUNT_OF(sections));
    if (names->count == 0)
        return sections[section].by_default;
    for (size_t i = 0; i < names->count; i++) {
        struct slice name = names->items[i];
        if (slice_eq_nocase(name, sections[section].name) || slice_eq_nocase(name, "all") ||
            slice_eq_nocase(name, "everything") ||
            (slice_eq_nocase(name, "default") && sections[section].by_default))
            return true;
    }
    return false;
}

void cmd_info(struct request *rq)
{
    const struct info_args *a = rq->args;
    struct buf text = BUF_INIT(MEM_CLIENT);
    counters_collect(rq->env);
    for (size_t i = 0; i < COUNT_OF(sections); i++) {
        if (!wanted(&a->sections, i))
            continue;
        buf_printf(&text, "%s# %s\r\n", text.len > 0 ? "\r\n" : "", sections[i].heading);
        sections[i].print(rq->env, &text);
    }
    if (buf_failed(&text))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else
        reply_verbatim(&rq->reply, "txt", buf_slice(&text));
    buf_fini(&text);
}
