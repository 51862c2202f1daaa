#include "persist/aof.h"

#include "base/plant.h"
#include "base/thread.h"

enum {
    CHUNK_SIZE = 256 * 1024,
    SECOND_US = 1000 * 1000,
    LAZY_SYNC_US = 30 * SECOND_US, /* as long as the kernel would keep them to itself */
    RETRY_US = SECOND_US,
    GATHER_MAX_US = 1000
};

static uint64_t now_us(const struct aof *aof)
{
    return aof->io->ops->mono_us(aof->io);
}

/* -- chunks ------------------------------------------------------------------------------------ */

/* With room for size bytes. NULL: no memory. */
static struct aof_chunk *chunk_new(size_t size)
{
    struct aof_chunk *chunk = mem_try_calloc(MEM_LOG, sizeof(*chunk));
    if (chunk == NULL)
        return NULL;
    chunk->bytes = BUF_INIT(MEM_LOG);
    if (buf_reserve(&chunk->bytes, size < CHUNK_SIZE ? CHUNK_SIZE : size) != NULL)
        return chunk;
    mem_free(MEM_LOG, chunk);
    return NULL;
}

static void chunk_free(struct aof_chunk *chunk)
{
    if (chunk == NULL)
        return;
    buf_fini(&chunk->bytes);
    mem_free(MEM_LOG, chunk);
}

static size_t room_in(const struct aof_chunk *chunk)
{
    return chunk->bytes.capacity - chunk->bytes.len;
}

/* What was kept goes, but for one chunk of the usual size. */
static void chunk_release(struct aof *aof, struct aof_chunk *chunk)
{
    if (aof->spare == NULL && chunk->bytes.capacity <= 2 * (size_t)CHUNK_SIZE) {
        chunk->bytes.len = 0;
        chunk->next = NULL;
        aof->spare = chunk;
    } else {
        chunk_free(chunk);
    }
}

/* Everything before the durable position was written for good. */
static void release_durable(struct aof *aof, struct aof_chunk *from)
{
    while (from != aof->durable.chunk) {
        struct aof_chunk *next = from->next;
        CHECK(next != NULL);
        chunk_release(aof, from);
        from = next;
    }
}

/* Bytes of the chunks between two positions. */
static size_t bytes_between(const struct aof_position *from, const struct aof_position *to)
{
    size_t bytes = 0, offset = from->offset;
    for (const struct aof_chunk *c = from->chunk; c != to->chunk; c = c->next) {
        bytes += c->bytes.len - offset;
        offset = 0;
    }
    return bytes + to->offset - offset;
}

/* -- the job, on its lane ---------------------------------------------------------------------- */

static enum err begin_segment(struct aof *aof, bool new_generation, const struct aof_position *at)
{
    struct log_segment head = {.previous_crc = at->crc,
                               .first_lsn = at->lsn + 1,
                               .durable_lsn = aof->job_claim,
                               .created_ms = aof->job_wall_ms};
    return new_generation ? log_writer_begin_generation(&aof->writer, &head)
                          : log_writer_begin(&aof->writer, &head);
}

/* Writes from one position to another, a chunk at a time, so that segments end near their size; but
 * what is written again after a failure counts only as one. */
static enum err write_range(struct aof *aof)
{
    struct aof_position at = aof->from;
    enum err e = OK;
    bool rotates = aof->job_rotates;
    while (e == OK && (at.chunk != aof->to.chunk || at.offset != aof->to.offset)) {
        bool last = at.chunk == aof->to.chunk;
        size_t end = last ? aof->to.offset : at.chunk->bytes.len;
        if (!aof->writer.unnamed && (aof->writer.size >= aof->segment_size || rotates))
            e = begin_segment(aof, false, &at);
        rotates = false;
        if (e == OK && end > at.offset)
            e = log_writer_write(&aof->writer,
                                 (struct slice){at.chunk->bytes.ptr + at.offset, end - at.offset});
        at.offset = end;
        if (!last) {
            at.chunk = at.chunk->next;
            at = (struct aof_position){at.chunk, 0, at.chunk->lsn_before, at.chunk->crc_before};
        }
    }
    return e;
}

static void run_job(struct job *job, struct lane *lane)
{
    struct aof *aof = (struct aof *)((char *)job - offsetof(struct aof, job));
    enum err e = OK;
    (void)lane;
    if (aof->job_rolls)
        e = begin_segment(aof, true, &aof->from);
    if (e == OK)
        e = write_range(aof);
    if (e == OK)
        e = log_writer_name(&aof->writer);
    if (e == OK && aof->job_seals && aof->writer.first_lsn <= aof->to.lsn)
        e = begin_segment(aof, false, &aof->to);
    if (e == OK && PLANTED(PLANT_NOTE_EARLY))
        e = log_writer_note(&aof->writer, aof->to.lsn, aof->job_wall_ms, false);
    if (e == OK && aof->job_syncs)
        e = log_writer_sync(&aof->writer);
    if (e != OK && PLANTED(PLANT_SYNC_AGAIN) && aof->writer.file != NULL)
        e = log_writer_sync(&aof->writer);
    uint64_t durable = aof->job_syncs && !aof->job_unbased ? aof->to.lsn : aof->job_claim;
    if (e == OK && aof->job_notes) {
        enum err ignored = log_writer_note(&aof->writer, durable, aof->job_wall_ms, aof->job_ends);
        (void)ignored; /* a note only helps to find damage later */
    }
    if (e != OK)
        log_writer_abandon(&aof->writer);
    aof->job_result = e;
}

/* -- the job, on the loop ---------------------------------------------------------------------- */

static void plan(struct aof *aof);

static uint64_t sync_period_us(const struct aof *aof)
{
    return aof->policy == AOF_NO || PLANTED(PLANT_SYNC_RARELY) ? LAZY_SYNC_US : SECOND_US;
}

static bool sync_is_due(const struct aof *aof, uint64_t now)
{
    return aof_has_undurable(aof) &&
           (aof->policy == AOF_ALWAYS || aof->sync_wanted || aof->failed || aof->stopping ||
            aof->held_bytes >= aof->memory_max / 4 || now >= aof->synced_us + sync_period_us(aof));
}

static bool note_is_due(const struct aof *aof, uint64_t now)
{
    return aof->stopping || (aof->noted_lsn < aof->durable.lsn && now >= aof->noted_us + SECOND_US);
}

/* Is there a segment with records to be ended? Asked while no job is out. */
static bool seal_is_due(const struct aof *aof)
{
    return aof->seal_wanted && !aof->failed && !aof->unopened && !aof->stopping &&
           aof->writer.first_lsn <= aof->end.lsn;
}

static void submit(struct aof *aof, uint64_t now)
{
    CHECK(!aof->busy && !aof->stopped);
    aof->busy = true;
    aof->job_rolls = aof->failed || aof->unopened;
    aof->from = aof->failed && !PLANTED(PLANT_REWRITE_TOO_LITTLE) ? aof->durable : aof->written;
    aof->to = aof->end;
    aof->job_rotates =
        aof->rotate_wanted && !aof->job_rolls && aof->writer.first_lsn <= aof->from.lsn;
    aof->job_seals = seal_is_due(aof);
    aof->job_syncs = aof->job_seals || sync_is_due(aof, now);
    aof->job_notes = note_is_due(aof, now);
    aof->job_ends = aof->stopping;
    aof->job_unbased = aof->unbased;
    aof->job_claim = aof_durable_lsn(aof);
    aof->job_started_us = now;
    aof->job_wall_ms = aof->io->ops->wall_us(aof->io) / 1000;
    if (aof->job_syncs) {
        aof->synced_us = now;
        aof->sync_wanted = false;
    }
    aof->io->ops->submit(aof->io, &aof->job);
}

static void note_failure(struct aof *aof)
{
    bool told = aof->failed && aof->error == aof->job_result;
    aof->failed = true;
    aof->failures++;
    aof->error = aof->job_result;
    if (!PLANTED(PLANT_REWRITE_TOO_LITTLE))
        aof->written = aof->durable;
    if (!told && !aof->stopping)
        aof->events->on_state(aof->user);
}

/* The durable position moves to where the job came: chunks behind it go. */
static void note_durable(struct aof *aof)
{
    struct aof_chunk *oldest = aof->durable.chunk;
    aof->held_bytes -= bytes_between(&aof->durable, &aof->to);
    aof->durable = aof->to;
    release_durable(aof, oldest);
    if (aof->full && aof->held_bytes < aof->memory_max) {
        aof->full = false;
        aof->events->on_room(aof->user);
    }
}

/* Half the time of a sync it waits for the first of them, and as long again for each, but no longer
 * than a whole sync. */
static void begin_to_gather(struct aof *aof, uint64_t now)
{
    uint64_t half = aof->sync_us / 2;
    aof->gather_us = half < GATHER_MAX_US ? half : GATHER_MAX_US;
    aof->gather_until_us = now + aof->gather_us;
    aof->gather_end_us = aof->gather_until_us + aof->gather_us;
    aof->gathered_lsn = aof->end.lsn;
}

static void note_success(struct aof *aof)
{
    bool heals = aof->failed;
    aof->failed = aof->unopened = false;
    aof->written = aof->to;
    if (aof->to.lsn > aof->kept_lsn)
        aof->kept_lsn = aof->to.lsn;
    if (aof->from.lsn < aof->to.lsn)
        aof->rotate_wanted = false;
    if (aof->job_seals)
        aof->seal_wanted = false;
    if (aof->job_notes) {
        aof->noted_us = aof->job_started_us;
        aof->noted_lsn = aof->job_syncs ? aof->to.lsn : aof->durable.lsn;
    }
    if (aof->job_syncs) {
        aof->sync_us = now_us(aof) - aof->job_started_us;
        aof->delayed_syncs += aof->sync_us > 2 * (uint64_t)SECOND_US;
        aof->expected = aof->end.lsn - aof->from.lsn;
        begin_to_gather(aof, now_us(aof));
        note_durable(aof);
    }
    aof->events->on_stable(aof->user);
    if (heals && !aof->stopping)
        aof->events->on_state(aof->user);
}

static void done_job(struct job *job)
{
    struct aof *aof = (struct aof *)((char *)job - offsetof(struct aof, job));
    CHECK(aof->busy);
    aof->busy = false;
    aof->written_bytes = aof->writer.bytes;
    aof->segment_bytes = aof->writer.size;
    aof->syncs = aof->writer.syncs;
    aof->segments = aof->writer.segments;
    if (aof->job_result == OK)
        note_success(aof);
    else
        note_failure(aof);
    if (aof->job_ends) {
        aof->stopped = true;
        aof->on_stopped(aof);
        return;
    }
    plan(aof);
}

/* -- when -------------------------------------------------------------------------------------- */

/* When there is something to do next, by the monotonic clock; UINT64_MAX: never. */
static uint64_t next_us(const struct aof *aof, uint64_t now)
{
    uint64_t at = UINT64_MAX, due;
    if (aof->failed)
        return aof->job_started_us + RETRY_US;
    if (aof->unopened || seal_is_due(aof))
        return now;
    if (aof->written.lsn < aof->end.lsn)
        return now; /* replies wait for it */
    if (aof_has_undurable(aof)) {
        due = sync_is_due(aof, now) ? now : aof->synced_us + sync_period_us(aof);
        at = due < at ? due : at;
    }
    if (aof->noted_lsn < aof->durable.lsn) {
        due = aof->noted_us + SECOND_US;
        at = due < at ? due : at;
    }
    return at;
}

/* Sets the timer for what is to be done next. A timer of 0 fires before the loop sleeps: what all
 * clients whose commands have arrived are going to write is then there, and is one group. */
static void plan(struct aof *aof)
{
    if (aof->busy || aof->stopped)
        return; /* the end of the job plans again */
    uint64_t now = now_us(aof), at = next_us(aof, now);
    if (aof->stopping) {
        submit(aof, now);
        return;
    }
    if (at == UINT64_MAX)
        return; /* the next record plans again */
    if (aof->timer_at_us != 0 && aof->timer_at_us <= at)
        return;
    aof->timer_at_us = at > 0 ? at : 1;
    aof->io->ops->timer_start(aof->io, &aof->timer, at > now ? at - now : 0);
}

/* Writers that were answered by the last sync send their next records in a moment. To wait for them
 * makes one group of those and of what has come during the sync; otherwise writers part into two
 * groups that take turns, and each waits for two syncs. */
static bool gathers(const struct aof *aof, uint64_t now)
{
    return aof->policy == AOF_ALWAYS && !aof->failed && now < aof->gather_until_us &&
           aof->written.lsn < aof->end.lsn && aof->end.lsn - aof->written.lsn < aof->expected;
}

/* Another look at the sockets is due. When the last one found nothing, the writers may want the
 * core that this loop keeps. */
static void look_again(struct aof *aof, uint64_t now)
{
    if (aof->gathered_lsn == aof->end.lsn) {
        thread_yield();
    } else {
        uint64_t until = now + aof->gather_us;
        aof->gather_until_us = until < aof->gather_end_us ? until : aof->gather_end_us;
        aof->gathered_lsn = aof->end.lsn;
    }
    aof->timer_at_us = now;
    aof->io->ops->timer_start(aof->io, &aof->timer, 0);
}

static void on_timer(struct io_timer *timer)
{
    struct aof *aof = timer->user;
    uint64_t now = now_us(aof);
    aof->timer_at_us = 0;
    if (aof->busy || aof->stopping)
        return;
    if (gathers(aof, now)) {
        look_again(aof, now);
        return;
    }
    bool due = aof->failed || aof->unopened || aof->written.lsn < aof->end.lsn ||
               sync_is_due(aof, now) || note_is_due(aof, now) || seal_is_due(aof);
    if (due)
        submit(aof, now);
    else
        plan(aof);
}

/* -- the sink ---------------------------------------------------------------------------------- */

static struct aof *aof_of(const struct mlog_sink *sink)
{
    return (struct aof *)sink;
}

/* A record never spans chunks, so what is left of one that is too small stays unused. */
static bool on_reserve(struct mlog_sink *sink, size_t payload_size)
{
    struct aof *aof = aof_of(sink);
    size_t size = log_record_size(payload_size);
    if (room_in(aof->end.chunk) >= size)
        return true;
    if (aof->spare != NULL && room_in(aof->spare) >= size)
        return true;
    struct aof_chunk *chunk = chunk_new(size);
    if (chunk == NULL)
        return false;
    chunk_free(aof->spare);
    aof->spare = chunk;
    return true;
}

static void add_chunk(struct aof *aof, struct aof_chunk *chunk)
{
    chunk->lsn_before = aof->end.lsn;
    chunk->crc_before = aof->end.crc;
    aof->end.chunk->next = chunk;
    aof->end.chunk = chunk;
    aof->end.offset = 0;
}

static void next_chunk(struct aof *aof)
{
    struct aof_chunk *chunk = aof->spare;
    CHECK(chunk != NULL && chunk->bytes.len == 0);
    aof->spare = NULL;
    add_chunk(aof, chunk);
}

static struct log_record new_record(struct aof *aof, uint64_t lsn, struct slice payload)
{
    CHECK(lsn == aof->end.lsn + 1 && !aof->stopping);
    return (struct log_record){.lsn = lsn,
                               .durable_lsn =
                                   PLANTED(PLANT_DURABLE_LSN) ? lsn - 1 : aof_durable_lsn(aof),
                               .wall_ms = aof->io->ops->wall_us(aof->io) / 1000,
                               .kind = LOG_CHANGE,
                               .previous_crc = aof->end.crc,
                               .salt = aof->writer.salt,
                               .payload = payload};
}

/* The record stands at the end of the last chunk. */
static void count_record(struct aof *aof, const struct log_record *r, size_t size)
{
    aof->end = (struct aof_position){aof->end.chunk, aof->end.chunk->bytes.len, r->lsn, r->crc};
    aof->records++;
    aof->held_bytes += size;
    aof->full = aof->full || aof->held_bytes >= aof->memory_max;
    plan(aof);
}

/* The bytes become a chunk of their own. */
static void on_take(struct mlog_sink *sink, uint64_t lsn, struct mlog_ready *ready)
{
    _Static_assert((int)MLOG_HEAD_SIZE == (int)LOG_RECORD_HEADER_SIZE, "room for the header");
    struct aof *aof = aof_of(sink);
    struct aof_chunk *chunk = mem_calloc(MEM_LOG, sizeof(*chunk));
    chunk->bytes = ready->bytes;
    ready->bytes = BUF_INIT(MEM_LOG);
    CHECK(chunk->bytes.len == log_record_size(ready->size));
    struct slice payload = {chunk->bytes.ptr + LOG_RECORD_HEADER_SIZE, ready->size};
    struct log_record r = new_record(aof, lsn, payload);
    log_record_head(&r, ready->crc, chunk->bytes.ptr);
    add_chunk(aof, chunk);
    count_record(aof, &r, chunk->bytes.len);
}

static void on_record(struct mlog_sink *sink, uint64_t lsn, struct slice payload)
{
    struct aof *aof = aof_of(sink);
    size_t size = log_record_size(payload.len);
    if (room_in(aof->end.chunk) < size)
        next_chunk(aof);
    struct buf *bytes = &aof->end.chunk->bytes;
    CHECK(aof->end.offset == bytes->len && bytes->capacity - bytes->len >= size);
    struct log_record r = new_record(aof, lsn, payload);
    log_record_encode(&r, bytes->ptr + bytes->len);
    bytes->len += size;
    count_record(aof, &r, size);
}

/* While the disk fails reads go on: they then show what a crash could take back. */
static uint64_t stable_lsn(const struct mlog_sink *sink)
{
    const struct aof *aof = aof_of(sink);
    if (PLANTED(PLANT_ACK_EARLY))
        return UINT64_MAX;
    bool waits = aof->policy == AOF_ALWAYS && !aof->failed && !aof->unbased;
    return waits ? aof->durable.lsn : UINT64_MAX;
}

/* Whoever kills the process does not take from the kernel what it has. A write that was applied is
 * answered when it is safe, however long the disk fails. */
static uint64_t kept_lsn(const struct mlog_sink *sink)
{
    const struct aof *aof = aof_of(sink);
    if (aof->unbased)
        return UINT64_MAX;
    bool waits = aof->policy == AOF_ALWAYS && !PLANTED(PLANT_ACK_EARLY);
    return waits ? aof->durable.lsn : aof->kept_lsn;
}

static bool accepts(const struct mlog_sink *sink)
{
    return !aof_of(sink)->failed;
}

/* -- start and end ----------------------------------------------------------------------------- */

void aof_open(struct aof *aof, struct io *io, struct mlog *log, const struct aof_options *options,
              const struct aof_start *start, const struct aof_events *events, void *user)
{
    CHECK(start->lsn == log->last_lsn && options->segment_size > 0);
    *aof = (struct aof){.io = io,
                        .log = log,
                        .policy = options->policy,
                        .segment_size = options->segment_size,
                        .memory_max = options->memory_max,
                        .events = events,
                        .user = user,
                        .unopened = true,
                        .unbased = start->base_lsn < start->lsn,
                        .base_lsn = start->base_lsn};
    aof->sink = (struct mlog_sink){.on_record = on_record,
                                     .take = on_take,
                                   .stable = stable_lsn,
                                   .kept = kept_lsn,
                                   .reserve = on_reserve,
                                   .accepts = accepts};
    aof->timer = (struct io_timer){.fn = on_timer, .user = aof};
    aof->job = (struct job){.run = run_job, .done = done_job, .class = JOB_AOF};
    aof->synced_us = now_us(aof);
    aof->noted_lsn = start->lsn;
    /* No larger than the first records will want; they bring their own. */
    struct aof_chunk *chunk = mem_calloc(MEM_LOG, sizeof(*chunk));
    *chunk = (struct aof_chunk){
        .bytes = BUF_INIT(MEM_LOG), .lsn_before = start->lsn, .crc_before = start->crc};
    aof->durable = (struct aof_position){chunk, 0, start->lsn, start->crc};
    aof->written = aof->end = aof->durable;
    aof->kept_lsn = start->lsn;
    uint32_t salt = start->salt;
    while (salt == 0)
        io->ops->random(io, &salt, sizeof(salt));
    log_writer_init(&aof->writer, io, options->dir, options->run_id, salt, start->generation);
    aof->writer.note_sequence = start->note_sequence;
    mlog_add_sink(log, &aof->sink);
    plan(aof);
}

void aof_stop(struct aof *aof, void (*on_stopped)(struct aof *aof))
{
    CHECK(!aof->stopping);
    aof->stopping = true;
    aof->on_stopped = on_stopped;
    mlog_remove_sink(aof->log, &aof->sink);
    plan(aof);
}

void aof_close(struct aof *aof)
{
    CHECK(aof->stopped && !aof->busy);
    aof->io->ops->timer_stop(aof->io, &aof->timer);
    log_writer_fini(&aof->writer);
    for (struct aof_chunk *chunk = aof->durable.chunk; chunk != NULL;) {
        struct aof_chunk *next = chunk->next;
        chunk_free(chunk);
        chunk = next;
    }
    chunk_free(aof->spare);
    aof->spare = NULL;
}

void aof_set_policy(struct aof *aof, enum aof_policy policy)
{
    if (policy == aof->policy)
        return;
    aof->policy = policy;
    aof->events->on_stable(aof->user); /* replies may have waited that need not any more */
    plan(aof);
}

void aof_sync_soon(struct aof *aof)
{
    aof->sync_wanted = aof->sync_wanted || aof_has_undurable(aof);
    plan(aof);
}

void aof_set_base(struct aof *aof)
{
    aof->unbased = false;
    aof->noted_lsn = 0; /* the note has not heard of it */
    aof->events->on_stable(aof->user);
    plan(aof);
}

void aof_rotate_soon(struct aof *aof)
{
    aof->rotate_wanted = true;
}

void aof_seal_soon(struct aof *aof)
{
    bool has_records =
        aof->busy || aof->unopened || aof->failed || aof->writer.first_lsn <= aof->end.lsn;
    aof->seal_wanted = has_records && !aof->stopping;
    if (aof->seal_wanted)
        plan(aof);
}
