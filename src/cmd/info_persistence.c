/* INFO persistence: Redis's fields, with what they mean here, then the log in this server's own
 * terms. A rewrite of the log is a snapshot (BGREWRITEAOF), and nothing is copied on write. */
#include <inttypes.h>

#include "cmd/env.h"
#include "cmd/info.h"
#include "persist/offload.h"

enum { SECOND_US = 1000 * 1000 };

static void print_loading(struct cmd_env *env, const struct persist_info *p, struct buf *out)
{
    uint64_t passed_s = (env->io->ops->wall_us(env->io) / 1000 - p->load_started_ms) / 1000;
    uint64_t done = p->load_done_bytes, total = p->load_total_bytes;
    uint64_t left_s = done > 0 && total > done ? passed_s * (total - done) / done : 1;
    buf_printf(out,
               "loading_start_time:%" PRIu64 "\r\nloading_total_bytes:%" PRIu64
               "\r\nloading_rdb_used_mem:0\r\nloading_loaded_bytes:%" PRIu64
               "\r\nloading_loaded_perc:%.2f\r\nloading_eta_seconds:%" PRIu64 "\r\n",
               p->load_started_ms / 1000, total, done,
               total == 0 ? 0 : 100 * (double)done / (double)total, left_s);
}

static void print_snapshots(struct cmd_env *env, struct buf *out)
{
    const struct saver *saver = env->saver;
    const struct snapshots *s = &saver->snapshots;
    bool tried = s->saves + s->failures > 0, runs = s->run != NULL;
    uint64_t now = env->io->ops->mono_us(env->io);
    buf_printf(out,
               "rdb_changes_since_last_save:%" PRIu64 "\r\nrdb_bgsave_in_progress:%d\r\n"
               "rdb_last_save_time:%" PRIu64 "\r\nrdb_last_bgsave_status:%s\r\n",
               saver_changes(saver), runs, saver->saved_ms / 1000,
               s->last_error == OK || s->last_error == ERR_CANCELLED ? "ok" : "err");
    buf_printf(out,
               "rdb_last_bgsave_time_sec:%" PRId64 "\r\nrdb_current_bgsave_time_sec:%" PRId64
               "\r\nrdb_saves:%" PRIu64 "\r\nrdb_last_cow_size:0\r\n",
               tried ? (int64_t)(s->last_duration_us / SECOND_US) : -1,
               runs ? (int64_t)((now - s->started_us) / SECOND_US) : -1, s->saves);
}

static void print_log(struct cmd_env *env, const struct persist_info *p, struct buf *out)
{
    bool rewrites = p->unbased && env->saver->snapshots.run != NULL;
    buf_printf(out,
               "aof_enabled:%d\r\naof_rewrite_in_progress:%d\r\naof_rewrite_scheduled:%d\r\n"
               "aof_last_rewrite_time_sec:-1\r\naof_current_rewrite_time_sec:-1\r\n"
               "aof_last_bgrewrite_status:ok\r\naof_rewrites:0\r\n"
               "aof_rewrites_consecutive_failures:0\r\naof_last_write_status:%s\r\n"
               "aof_last_cow_size:0\r\n",
               p->logging, rewrites, p->unbased && !rewrites, p->failed ? "err" : "ok");
    if (p->logging)
        buf_printf(out,
                   "aof_current_size:%" PRIu64 "\r\naof_base_size:%" PRIu64
                   "\r\naof_pending_rewrite:0\r\naof_buffer_length:%" PRIu64
                   "\r\naof_pending_bio_fsync:%d\r\naof_delayed_fsync:%" PRIu64 "\r\n",
                   p->log_bytes, p->old_bytes, p->waiting_bytes, p->sync_runs, p->delayed_syncs);
    buf_printf(out,
               "log_last_lsn:%" PRIu64 "\r\nlog_durable_lsn:%" PRIu64
               "\r\nlog_waiting_bytes:%" PRIu64 "\r\nlog_bytes:%" PRIu64
               "\r\nlog_segment_bytes:%" PRIu64 "\r\nlog_segments_made:%" PRIu64
               "\r\naof_fsyncs:%" PRIu64 "\r\nlog_last_fsync_usec:%" PRIu64
               "\r\nlog_failures:%" PRIu64 "\r\n",
               p->last_lsn, p->durable_lsn, p->waiting_bytes, p->log_bytes, p->segment_bytes,
               p->segments, p->syncs, p->sync_us, p->failures);
    buf_printf(out,
               "load_usec:%" PRIu64 "\r\nload_snapshot_lsn:%" PRIu64 "\r\nload_records:%" PRIu64
               "\r\nload_records_set_aside:%" PRIu64 "\r\n",
               p->load_us, p->snapshot_lsn, p->replayed, p->skipped);
}

static void print_object_store(struct cmd_env *env, struct buf *out)
{
    struct offload_info o;
    if (env->offload == NULL)
        return;
    offload_info(env->offload, &o);
    buf_printf(out, "object_store_enabled:%d\r\n", o.enabled);
    if (!o.enabled)
        return;
    buf_printf(out,
               "object_store_url:%s\r\nobject_store_status:%s\r\nobject_store_last_error:%s\r\n"
               "object_store_errors:%" PRIu64 "\r\nobject_store_in_progress:%d\r\n"
               "object_store_last_upload_time:%" PRIu64 "\r\n",
               o.url, o.ok ? (o.contacted ? "ok" : "connecting") : "err", o.reason, o.errors,
               o.runs, o.uploaded_ms / 1000);
    buf_printf(out,
               "object_store_backup_lsn:%" PRIu64 "\r\nobject_store_log_lsn:%" PRIu64
               "\r\nobject_store_lag_records:%" PRIu64 "\r\nobject_store_lag_ms:%" PRIu64
               "\r\nobject_store_uploaded_bytes:%" PRIu64
               "\r\nobject_store_uploaded_objects:%" PRIu64
               "\r\nobject_store_removed_objects:%" PRIu64 "\r\n",
               o.backup_lsn, o.log_lsn, o.lag_records, o.lag_ms, o.uploaded_bytes,
               o.uploaded_objects, o.removed_objects);
}

void info_persistence(struct cmd_env *env, struct buf *out)
{
    struct persist_info p = {0};
    if (env->persist != NULL)
        persist_info(env->persist, &p);
    buf_printf(out, "loading:%d\r\nasync_loading:0\r\n", p.loading);
    if (p.loading)
        print_loading(env, &p, out);
    if (env->persist == NULL || env->saver == NULL)
        return;
    print_snapshots(env, out);
    print_log(env, &p, out);
    print_object_store(env, out);
}
