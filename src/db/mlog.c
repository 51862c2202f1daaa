#include "db/mlog.h"

#include "base/plant.h"

#include "base/crc32c.h"
#include "base/limits.h"
#include "db/batch.h"

enum { RECORD_KEEP_BYTES = 1 << 20 };

void mlog_init(struct mlog *log)
{
    *log = (struct mlog){.record_size_max = LIMIT_RECORD_SIZE, .record = BUF_INIT(MEM_LOG)};
}

void mlog_fini(struct mlog *log)
{
    CHECK(log->sinks == NULL && !log->open);
    buf_fini(&log->record);
}

void mlog_add_sink(struct mlog *log, struct mlog_sink *sink)
{
    CHECK(sink->on_record != NULL && sink->stable != NULL && !log->open);
    sink->next = log->sinks;
    log->sinks = sink;
}

void mlog_remove_sink(struct mlog *log, struct mlog_sink *sink)
{
    struct mlog_sink **at = &log->sinks;
    CHECK(!log->open);
    while (*at != sink) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = sink->next;
}

void mlog_begin(struct mlog *log)
{
    CHECK(!log->open && log->count == 0);
    log->open = true;
    buf_clear(&log->record, RECORD_KEEP_BYTES);
}

/* A record of so many bytes: can every sink take it? */
static enum err reserve_sinks(const struct mlog *log, size_t size)
{
    if (size > log->record_size_max)
        return ERR_LIMIT;
    for (struct mlog_sink *sink = log->sinks; sink != NULL; sink = sink->next)
        if (sink->reserve != NULL && !sink->reserve(sink, size))
            return ERR_NOMEM;
    return OK;
}

enum err mlog_reserve(struct mlog *log, size_t size)
{
    CHECK(log->open);
    if (log->sinks == NULL)
        return OK;
    size_t before = log->record.len;
    size_t head = log->count == 0 ? BATCH_HEAD_SIZE : 0;
    if (buf_reserve(&log->record, head + size) == NULL) {
        batch_cut(&log->record, before);
        return ERR_NOMEM;
    }
    return reserve_sinks(log, before + head + size);
}

/* Puts the bytes of m behind those of the record, and sees that every sink can take all of them. */
static enum err encode(struct mlog *log, const struct mutation *m)
{
    if (log->count == 0) {
        buf_clear(&log->record, SIZE_MAX);
        batch_begin(&log->record);
    }
    size_t before = log->record.len;
    batch_add(&log->record, m);
    enum err e = buf_failed(&log->record) ? ERR_NOMEM : reserve_sinks(log, log->record.len);
    if (e != OK)
        batch_cut(&log->record, before);
    return e;
}

enum err mlog_append(struct mlog *log, const struct mutation *m, uint64_t *lsn)
{
    CHECK(log->open);
    if (log->sinks != NULL) {
        enum err e = encode(log, m);
        if (e != OK)
            return e;
    }
    if (log->count++ == 0)
        log->last_lsn++;
    *lsn = log->last_lsn;
    return OK;
}

void mlog_commit(struct mlog *log)
{
    CHECK(log->open);
    log->open = false;
    size_t count = log->count;
    log->count = 0;
    if (count == 0 || log->sinks == NULL)
        return;
    struct slice record = batch_record(&log->record, count);
    for (struct mlog_sink *sink = log->sinks; sink != NULL; sink = sink->next)
        sink->on_record(sink, log->last_lsn, record);
}

enum err mlog_ready_make(struct mlog_ready *ready, const struct mutation *m, size_t record_size_max)
{
    static const uint8_t zeros[8];
    struct buf *out = &ready->bytes;
    *ready = (struct mlog_ready){.bytes = BUF_INIT(MEM_LOG)};
    size_t most = batch_size_max(m);
    if (most > record_size_max)
        return ERR_LIMIT;
    if (buf_reserve(out, MLOG_HEAD_SIZE + most) == NULL)
        return ERR_NOMEM;
    out->len = MLOG_HEAD_SIZE;
    mutation_encode(m, out);
    CHECK(!buf_failed(out)); /* it had room */
    ready->size = out->len - MLOG_HEAD_SIZE;
    ready->crc = crc32c((struct slice){out->ptr + MLOG_HEAD_SIZE, ready->size});
    buf_append(out, zeros, (sizeof(zeros) - out->len % sizeof(zeros)) % sizeof(zeros));
    return buf_failed(out) ? ERR_NOMEM : OK;
}

void mlog_ready_fini(struct mlog_ready *ready)
{
    buf_fini(&ready->bytes);
}

enum err mlog_write_ready(struct mlog *log, struct mlog_ready *ready, uint64_t *lsn)
{
    CHECK(!log->open && (ready->size > 0 || log->sinks == NULL));
    struct mlog_sink *only = log->sinks;
    bool takes = only != NULL && only->next == NULL && only->take != NULL;
    struct slice record = {ready->bytes.ptr + MLOG_HEAD_SIZE, ready->size};
    for (struct mlog_sink *sink = log->sinks; sink != NULL && !takes; sink = sink->next)
        if (sink->reserve != NULL && !sink->reserve(sink, record.len))
            return ERR_NOMEM;
    *lsn = ++log->last_lsn;
    if (takes)
        only->take(only, *lsn, ready);
    for (struct mlog_sink *sink = log->sinks; sink != NULL && !takes; sink = sink->next)
        sink->on_record(sink, *lsn, record);
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

uint64_t mlog_kept(const struct mlog *log)
{
    uint64_t kept = mlog_stable(log);
    for (const struct mlog_sink *sink = log->sinks; sink != NULL; sink = sink->next) {
        uint64_t theirs = sink->kept != NULL ? sink->kept(sink) : UINT64_MAX;
        if (theirs < kept)
            kept = theirs;
    }
    return kept;
}

bool mlog_accepts(const struct mlog *log)
{
    if (log->loading && !PLANTED(PLANT_NEW_WHILE_LOADING))
        return false;
    for (const struct mlog_sink *sink = log->sinks; sink != NULL; sink = sink->next)
        if (sink->accepts != NULL && !sink->accepts(sink))
            return false;
    return true;
}
