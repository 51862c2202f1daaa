#include "persist/snapshot.h"

#include <stdlib.h>

#include "base/plant.h"
#include "db/capture.h"
#include "db/indexes_image.h"
#include "persist/log_clean.h"
#include "persist/snapshot_clean.h"
#include "persist/snapshot_encode.h"

enum {
    GARBAGE_SHARE = 2,        /* of live bytes: so much garbage is let be */
    GARBAGE_BYTES = 16 << 20, /* and besides */
    REWRITE_SHARE = 8,        /* of live bytes: so many are written again at most */
    REWRITE_BYTES = 16 << 20, /* and besides */
    PACKS_MAX = 64
};

enum stage { ENCODING, FINISHING, DISCARDING };

/* owner: loop, or the lane while the job is out */
struct snapshot_run {
    struct job job;
    struct snapshots *snapshots;
    enum stage stage;
    struct capture capture;
    struct capture_slice slice;
    struct pack_writer packs;
    struct snapshot_encoder encoder;
    uint8_t *condemned; /* by pack of the last manifest */
    struct manifest next;
    uint64_t next_size;   /* of its file */
    uint64_t log_removed; /* bytes */
    atomic_bool cancelled;
    enum err error;
};

void snapshots_init(struct snapshots *s, struct io *io, struct db *db, const char *dir,
                    void (*on_done)(void *user, enum err e), void *user)
{
    CHECK(on_done != NULL && dir != NULL);
    *s = (struct snapshots){.io = io,
                            .db = db,
                            .dir = dir,
                            .on_done = on_done,
                            .user = user,
                            .next_pack = 1,
                            .chunk_bytes = SNAPSHOT_CHUNK_BYTES,
                            .slice_places = CAPTURE_SLICE_PLACES,
                            .garbage_bytes = GARBAGE_BYTES,
                            .pinned_lsn = UINT64_MAX,
                            .log_kept_lsn = UINT64_MAX};
}

void snapshots_fini(struct snapshots *s)
{
    CHECK(s->run == NULL);
    manifest_fini(&s->last);
}

static uint64_t live_bytes(const struct manifest *m)
{
    uint64_t live = 0;
    for (uint32_t i = 0; i < m->pack_count; i++)
        live += m->packs[i].live;
    return live;
}

void snapshots_loaded(struct snapshots *s, struct manifest *m, uint32_t next_pack)
{
    CHECK(!s->has_last && s->run == NULL);
    s->next_pack = next_pack;
    if (m == NULL)
        return;
    s->last = *m;
    s->has_last = true;
    s->last_live = live_bytes(&s->last);
    *m = (struct manifest){0};
}

/* -- on the lane ------------------------------------------------------------------------------- */

static int by_chunk(const void *a, const void *b)
{
    return chunk_cmp(a, b);
}

static int by_uid(const void *a, const void *b)
{
    uint64_t x = ((const struct manifest_collection *)a)->uid;
    uint64_t y = ((const struct manifest_collection *)b)->uid;
    return (x > y) - (x < y);
}

static int by_id(const void *a, const void *b)
{
    uint32_t x = ((const struct manifest_pack *)a)->id, y = ((const struct manifest_pack *)b)->id;
    return (x > y) - (x < y);
}

/* The packs that chunks stand in, with their live bytes: old ones that are still named, and new
 * ones. */
static enum err list_packs(struct snapshot_run *run)
{
    const struct manifest *last = run->packs.last;
    uint32_t old = last == NULL ? 0 : last->pack_count, count = 0;
    struct manifest *m = &run->next;
    m->packs =
        mem_try_calloc(MEM_SNAPSHOT, ((size_t)old + run->packs.pack_count) * sizeof(*m->packs));
    if (m->packs == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < old; i++)
        m->packs[count++] = (struct manifest_pack){last->packs[i].id, last->packs[i].size, 0};
    for (uint32_t i = 0; i < run->packs.pack_count; i++)
        m->packs[count++] = run->packs.packs[i];
    qsort(m->packs, count, sizeof(*m->packs), by_id);
    m->pack_count = count;
    for (uint32_t i = 0; i < m->chunk_count; i++) {
        struct manifest_pack *p = (struct manifest_pack *)manifest_pack(m, m->chunks[i].pack);
        CHECK(p != NULL);
        p->live += chunk_room(m->chunks[i].size);
    }
    m->pack_count = 0;
    for (uint32_t i = 0; i < count; i++)
        if (m->packs[i].live > 0)
            m->packs[m->pack_count++] = m->packs[i];
    return OK;
}

/* The manifest takes over what the writer and the encoder have gathered. */
static enum err make_manifest(struct snapshot_run *run)
{
    struct manifest *m = &run->next;
    CHECK(m->chunks == NULL && m->collections == NULL && run->packs.lsn == m->lsn);
    m->chunks = run->packs.chunks;
    m->chunk_count = run->packs.chunk_count;
    run->packs.chunks = NULL;
    m->collections = run->encoder.collections;
    m->collection_count = run->encoder.collection_count;
    run->encoder.collections = NULL;
    if (m->chunk_count > 0)
        qsort(m->chunks, m->chunk_count, sizeof(*m->chunks), by_chunk);
    if (m->collection_count > 0)
        qsort(m->collections, m->collection_count, sizeof(*m->collections), by_uid);
    m->key_count = run->encoder.key_count;
    m->slots_end = run->encoder.places_end;
    return list_packs(run);
}

static void finish(struct snapshot_run *run)
{
    struct snapshots *s = run->snapshots;
    enum err e = PLANTED(PLANT_MANIFEST_FIRST) ? OK : pack_writer_sync(&run->packs);
    if (e == OK)
        e = make_manifest(run);
    if (e != OK) {
        pack_writer_discard(&run->packs);
        run->error = e;
        return;
    }
    /* After a failure here the manifest may be there after all, and then it needs its packs. */
    run->error = manifest_save(s->io, s->dir, &run->next, &run->next_size);
    if (run->error != OK)
        return;
    snapshot_clean(s->io, s->dir, &run->next, atomic_load(&s->pinned_lsn));
    uint64_t kept = atomic_load(&s->log_kept_lsn), passed = run->next.previous_lsn;
    if (PLANTED(PLANT_SEGMENTS_TOO_MANY))
        passed = s->db->log.last_lsn;
    if (passed > 0)
        log_clean(s->io, s->dir, passed < kept ? passed : kept, &run->log_removed);
}

static void run_job(struct job *job, struct lane *lane)
{
    struct snapshot_run *run = (struct snapshot_run *)job;
    run->encoder.lane = lane;
    switch (run->stage) {
    case ENCODING:
        run->error = snapshot_encode_slice(&run->encoder, &run->slice);
        break;
    case FINISHING:
        finish(run);
        break;
    case DISCARDING:
        pack_writer_discard(&run->packs);
        break;
    }
}

/* -- on the loop ------------------------------------------------------------------------------- */

static void free_run(struct snapshot_run *run)
{
    snapshot_encoder_fini(&run->encoder);
    pack_writer_fini(&run->packs);
    manifest_fini(&run->next);
    mem_free(MEM_SNAPSHOT, run->condemned);
    mem_free(MEM_SNAPSHOT, run);
}

static void end_run(struct snapshot_run *run)
{
    struct snapshots *s = run->snapshots;
    enum err e = run->error;
    CHECK(s->run == run && run->stage != ENCODING);
    s->run = NULL;
    s->last_error = e;
    s->last_duration_us = s->io->ops->mono_us(s->io) - s->started_us;
    s->next_pack = run->packs.next_id;
    if (e == OK) {
        s->saves++;
        s->last_bytes = run->packs.bytes_written + run->next_size;
        s->last_size = run->next_size;
        s->log_removed += run->log_removed;
        manifest_fini(&s->last);
        s->last = run->next;
        s->has_last = true;
        s->last_live = live_bytes(&s->last);
        run->next = (struct manifest){0};
    } else {
        s->failures += e != ERR_CANCELLED;
    }
    free_run(run);
    s->on_done(s->user, e);
}

static void submit(struct snapshot_run *run, enum stage stage)
{
    CHECK(run->snapshots->run == run);
    run->stage = stage;
    run->snapshots->io->ops->submit(run->snapshots->io, &run->job);
}

/* The next slice, or the end: the guard goes before the disk is waited for. */
static void go_on(struct snapshot_run *run)
{
    if (run->error == OK && capture_next(&run->capture, &run->slice)) {
        submit(run, ENCODING);
        return;
    }
    if (run->error == OK && run->capture.failed)
        run->error = ERR_NOMEM;
    capture_end(&run->capture);
    submit(run, run->error == OK ? FINISHING : DISCARDING);
}

static void done_job(struct job *job)
{
    struct snapshot_run *run = (struct snapshot_run *)job;
    if (run->stage != ENCODING) {
        end_run(run);
        return;
    }
    capture_return(&run->capture, &run->slice);
    if (run->error == OK && run->capture.failed)
        run->error = ERR_NOMEM;
    if (run->error == OK && atomic_load_explicit(&run->cancelled, memory_order_relaxed))
        run->error = ERR_CANCELLED;
    go_on(run);
}

static int by_live_share(const void *a, const void *b)
{
    const struct manifest_pack *x = *(const struct manifest_pack *const *)a;
    const struct manifest_pack *y = *(const struct manifest_pack *const *)b;
    double one = (double)x->live / (double)x->size, other = (double)y->live / (double)y->size;
    return (one > other) - (one < other);
}

/* Packs that hold mostly what nobody needs are given up when there is much of that, or there are
 * many packs: what is live in them is written again, the poorest first, a part of it with each
 * snapshot. */
static enum err condemn(struct snapshot_run *run, const struct manifest *last)
{
    uint32_t count = last == NULL ? 0 : last->pack_count;
    uint64_t live = count == 0 ? 0 : live_bytes(last), garbage = 0, used = 0;
    if (count == 0)
        return OK;
    const struct manifest_pack **order = mem_try(MEM_SNAPSHOT, count * sizeof(*order));
    run->condemned = mem_try_calloc(MEM_SNAPSHOT, count);
    if (order == NULL || run->condemned == NULL) {
        mem_free(MEM_SNAPSHOT, (void *)order);
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        order[i] = &last->packs[i];
        garbage += last->packs[i].size - last->packs[i].live;
    }
    qsort((void *)order, count, sizeof(*order), by_live_share);
    uint64_t allowed = live / GARBAGE_SHARE + run->snapshots->garbage_bytes;
    uint64_t budget = live / REWRITE_SHARE + REWRITE_BYTES;
    for (uint32_t i = 0; i < count && (garbage > allowed || count - i > PACKS_MAX); i++) {
        used += order[i]->live;
        if (used > budget)
            break;
        garbage -= order[i]->size - order[i]->live;
        run->condemned[order[i] - last->packs] = 1;
    }
    mem_free(MEM_SNAPSHOT, (void *)order);
    return OK;
}

enum err snapshots_start(struct snapshots *s)
{
    if (s->run != NULL)
        return ERR_BUSY;
    struct snapshot_run *run = mem_try_calloc(MEM_SNAPSHOT, sizeof(*run));
    if (run == NULL)
        return ERR_NOMEM;
    const struct manifest *last = s->has_last ? &s->last : NULL;
    run->snapshots = s;
    run->job = (struct job){.run = run_job, .done = done_job, .class = JOB_SNAPSHOT};
    atomic_init(&run->cancelled, false);
    struct buf indexes = BUF_INIT(MEM_SNAPSHOT);
    indexes_number(s->db);
    indexes_encode(s->db, true, &indexes);
    if (buf_failed(&indexes) || condemn(run, last) != OK || !capture_begin(&run->capture, s->db)) {
        buf_fini(&indexes);
        mem_free(MEM_SNAPSHOT, run->condemned);
        mem_free(MEM_SNAPSHOT, run);
        return ERR_NOMEM;
    }
    run->capture.step = s->slice_places;
    uint64_t lsn = run->capture.lsn;
    CHECK(last == NULL || last->lsn <= lsn);
    pack_writer_init(&run->packs, s->io, s->dir, lsn, last, run->condemned, s->next_pack);
    snapshot_encoder_init(&run->encoder, &run->packs, s->chunk_bytes, &run->cancelled);
    run->next = (struct manifest){
        .lsn = lsn, .next_uid = run->capture.uid_end, .wall_ms = s->io->ops->wall_us(s->io) / 1000};
    run->next.indexes = buf_slice(&indexes); /* it is run->next's now */
    /* A second one at the same LSN takes the place of the first. */
    if (last != NULL)
        run->next.previous_lsn = last->lsn < lsn ? last->lsn : last->previous_lsn;
    s->run = run;
    s->started_us = s->io->ops->mono_us(s->io);
    go_on(run);
    return OK;
}

void snapshots_cancel(struct snapshots *s)
{
    if (s->run != NULL)
        atomic_store_explicit(&s->run->cancelled, true, memory_order_relaxed);
}
