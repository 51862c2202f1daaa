#include "db/mlog.h"

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

enum err mlog_append(struct mlog *log, const struct mutation *m, uint64_t *lsn)
{
    if (log->sinks != NULL) {
        buf_clear(&log->record, RECORD_KEEP_BYTES);
        mutation_encode(m, &log->record);
        if (buf_failed(&log->record))
            return ERR_NOMEM;
    }
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
