#include "db/mlog.h"

#include "base/limits.h"

enum { RECORD_KEEP_BYTES = 1 << 20 };

void mlog_init(struct mlog *log)
{
    *log = (struct mlog){.record = BUF_INIT(MEM_LOG)};
}

void mlog_fini(struct mlog *log)
{
    CHECK(log->sinks == NULL);
    buf_fini(&log->record);
}

void mlog_add_sink(struct mlog *log, struct mlog_sink *sink)
{
    CHECK(sink->on_record != NULL && sink->stable != NULL);
    sink->next = log->sinks;
    log->sinks = sink;
}

void mlog_remove_sink(struct mlog *log, struct mlog_sink *sink)
{
    struct mlog_sink **at = &log->sinks;
    while (*at != sink) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = sink->next;
}

/* Encodes m for the sinks and has them make room for it. */
static enum err prepare_record(struct mlog *log, const struct mutation *m)
{
    buf_clear(&log->record, RECORD_KEEP_BYTES);
    mutation_encode(m, &log->record);
    if (buf_failed(&log->record))
        return ERR_NOMEM;
    if (log->record.len > LIMIT_RECORD_SIZE)
        return ERR_LIMIT;
    for (struct mlog_sink *sink = log->sinks; sink != NULL; sink = sink->next)
        if (sink->reserve != NULL && !sink->reserve(sink, log->record.len))
            return ERR_NOMEM;
    return OK;
}

enum err mlog_append(struct mlog *log, const struct mutation *m, uint64_t *lsn)
{
    enum err e = log->sinks != NULL ? prepare_record(log, m) : OK;
    if (e != OK)
        return e;
    *lsn = ++log->last_lsn;
    for (struct mlog_sink *sink = log->sinks; sink != NULL; sink = sink->next)
        sink->on_record(sink, *lsn, buf_slice(&log->record));
    return OK;
}

uint64_t mlog_stable(const struct mlog *log)
{
    uint64_t stable = UINT64_MAX;
    for (const struct mlog_sink *sink = log->sinks; sink != NULL; sink = sink->next) {
        uint64_t theirs = sink->stable(sink);
        if (theirs < stable)
            stable = theirs;
    }
    return stable;
}

bool mlog_accepts(const struct mlog *log)
{
    for (const struct mlog_sink *sink = log->sinks; sink != NULL; sink = sink->next)
        if (sink->accepts != NULL && !sink->accepts(sink))
            return false;
    return true;
}
