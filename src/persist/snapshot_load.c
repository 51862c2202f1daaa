#include "persist/snapshot_load.h"

#include <inttypes.h>

#include "base/log.h"
#include "base/plant.h"

enum {
    CHECK_ROWS = 8192, /* of an item */
    BUFFER_KEEP = 1 << 20
};

static void enter_phase(struct snapshot_load *l, enum load_phase phase);

/* -- errors and chunks ------------------------------------------------------------------------- */

enum err load_blame(struct load_lane *lane, const struct chunk *chunk, enum err e, const char *what)
{
    CHECK(e != OK);
    if (e == ERR_NOMEM)
        return e;
    if (what != NULL)
        e = why_set(&lane->why, e, "%s", what);
    return chunk == NULL ? e : pack_reader_blame(chunk, e, &lane->why);
}

enum err load_chunk(struct load_lane *lane, const struct chunk *chunk, struct buf *buffer,
                    struct slice *body)
{
    if (buffer->capacity > BUFFER_KEEP)
        buf_clear(buffer, 0); /* one long attribute need not be held for ever */
    enum err e = pack_reader_get(&lane->load->packs, chunk, buffer, body, &lane->why);
    if (e == OK)
        atomic_fetch_add_explicit(&lane->load->bytes_loaded, chunk_room(chunk->size),
                                  memory_order_relaxed);
    return e;
}

bool load_tolerates(struct load_lane *lane, enum err e, const char *lost)
{
    if (lane->load->attempt != LOAD_WHAT_IS_GOOD || (e != ERR_CORRUPT && e != ERR_IO))
        return false;
    buf_printf(&lane->notes, "%s: lost: %s\n",
               lane->why.text[0] != '\0' ? lane->why.text : err_text(e), lost);
    lane->why.text[0] = '\0';
    return true;
}

/* -- PUBLISH ----------------------------------------------------------------------------------- */

static void end_load(struct snapshot_load *l, enum err e);

/* Between two slices others have the loop; a timer would give it away for a millisecond. */
static void pause_a_moment(struct job *job, struct lane *lane)
{
    (void)job;
    (void)lane;
}

static void go_on(struct job *job);

static void publish_some(struct snapshot_load *l)
{
    enum err e = l->cancelled ? ERR_CANCELLED : load_publish_slice(l);
    if (e == OK && l->key_chunk < l->key_chunks) {
        l->lanes[0].job = (struct job){.run = pause_a_moment, .done = go_on, .class = JOB_SEARCH};
        l->lanes_out = 1;
        l->io->ops->submit(l->io, &l->lanes[0].job);
        return;
    }
    if (e == OK && !l->damaged && keyspace_count(&l->db->keys) != l->manifest.key_count)
        e = load_fail(l, ERR_CORRUPT, "fewer keys than it says");
    if (e != OK) {
        end_load(l, e);
        return;
    }
    keyspace_load_end(&l->db->keys);
    e = load_publish_indexes(l);
    if (e != OK)
        end_load(l, e);
    else
        enter_phase(l, LOAD_PLAN);
}

static void go_on(struct job *job)
{
    struct snapshot_load *l = ((struct load_lane *)job)->load;
    l->lanes_out = 0;
    publish_some(l);
}

/* -- CHECK, TREE, MEND, FINISH ----------------------------------------------------------------- */

static enum err blame_collection(struct load_lane *lane, const struct load_collection *lc,
                                 enum err e, const char *what)
{
    return e == ERR_CORRUPT ? load_blame_manifest(lane, what, lc->uid) : e;
}

/* Rows whose contents are lost. */
static enum err load_drop(struct load_lane *lane, const struct load_item *item)
{
    uint32_t dropped = collection_load_drop(&item->collection->load);
    if (dropped > 0)
        buf_printf(&lane->notes,
                   "of the collection with uid %" PRIu64 " %" PRIu32 " elements are lost\n",
                   item->collection->uid, dropped);
    return OK;
}

/* Ranges of links, or with no range the ids. */
static enum err load_check(struct load_lane *lane, const struct load_item *item)
{
    struct load_collection *lc = item->collection;
    if (item->first < item->end) {
        if (PLANTED(PLANT_LINKS_UNCHECKED))
            return OK;
        hnsw_image_check(&lc->load.graph, item->first, item->end);
        return OK;
    }
    return blame_collection(lane, lc, collection_load_ids(&lc->load),
                            "a collection has a row without contents, or an id twice");
}

static enum err load_tree(struct load_lane *lane, const struct load_item *item)
{
    (void)lane;
    hnsw_image_parents(&item->collection->load.graph, item->first, item->end);
    return OK;
}

static enum err load_mend(struct load_lane *lane, const struct load_item *item)
{
    return collection_load_graph(&item->collection->load, lane->lane);
}

static enum err load_finish(struct load_lane *lane, const struct load_item *item)
{
    struct load_collection *lc = item->collection;
    enum err e = collection_load_finish(&lc->load);
    if (e == OK && lc->entry != NULL && !lane->load->damaged &&
        (lc->c->live != lc->entry->live || lc->c->attributes != lc->entry->attributes))
        e = ERR_CORRUPT;
    return blame_collection(lane, lc, e, "a collection has other counts than the manifest says");
}

/* -- phases ------------------------------------------------------------------------------------ */

static const struct {
    enum err (*run)(struct load_lane *lane, const struct load_item *item);
} phases[LOAD_OVER + 1] = {
    [LOAD_OPEN] = {load_open},   [LOAD_KEYS] = {load_keys},     [LOAD_PLAN] = {load_plan},
    [LOAD_BEGIN] = {load_begin}, [LOAD_ALIVE] = {load_alive},   [LOAD_CONTENTS] = {load_contents},
    [LOAD_DROP] = {load_drop},   [LOAD_CHECK] = {load_check},   [LOAD_TREE] = {load_tree},
    [LOAD_MEND] = {load_mend},   [LOAD_FINISH] = {load_finish},
};

static void close_cursor(struct load_lane *lane)
{
    if (lane->at != NULL && lane->at->load.large)
        heap_fill_close(&lane->at->load.heap, &lane->cursor);
    lane->at = NULL;
}

static bool is_lost(const struct load_collection *lc)
{
    return lc != NULL && atomic_load_explicit(&lc->lost, memory_order_relaxed);
}

/* A collection of an index is not worth a failure: its keys are there. */
static bool can_lose(struct load_lane *me, struct load_collection *lc, enum err e)
{
    if (lc == NULL || lc->index == NULL || (e != ERR_CORRUPT && e != ERR_IO))
        return false;
    if (!atomic_exchange_explicit(&lc->lost, true, memory_order_relaxed))
        lc->lost_why = me->why;
    me->why.text[0] = '\0';
    return true;
}

static void run_phase(struct job *job, struct lane *lane)
{
    struct load_lane *me = (struct load_lane *)job;
    struct snapshot_load *l = me->load;
    me->lane = lane;
    while (!atomic_load_explicit(&l->failed, memory_order_relaxed)) {
        uint32_t at = atomic_fetch_add_explicit(&l->next_item, 1, memory_order_relaxed);
        if (at >= l->item_count)
            break;
        const struct load_item *item = &l->items[at];
        CHECK(item->first <= item->end && me->error == OK);
        if (is_lost(item->collection))
            continue;
        if (item->collection != me->at) {
            close_cursor(me);
            me->at = item->collection;
        }
        me->error = phases[l->phase].run(me, item);
        if (me->error != OK && can_lose(me, item->collection, me->error))
            me->error = OK;
        if (me->error != OK)
            atomic_store_explicit(&l->failed, true, memory_order_relaxed);
        lane_yield(lane);
    }
    close_cursor(me);
}

/* Tells the operator, line by line. */
static void report_notes(struct load_lane *me)
{
    struct snapshot_load *l = me->load;
    struct slice left = buf_slice(&me->notes);
    while (left.len > 0) {
        const uint8_t *end = memchr(left.ptr, '\n', left.len);
        size_t size = end == NULL ? left.len : (size_t)(end - left.ptr);
        log_line(l->options.log, LOG_WARNING, "repair: %.*s", (int)size, (const char *)left.ptr);
        size_t taken = end == NULL ? size : size + 1;
        left = (struct slice){left.ptr + taken, left.len - taken};
        l->damaged = true;
    }
    buf_clear(&me->notes, 0);
}

static void done_phase(struct job *job)
{
    struct load_lane *me = (struct load_lane *)job;
    struct snapshot_load *l = me->load;
    CHECK(l->lanes_out > 0);
    l->lanes_out--;
    if (me->error != OK && l->error == OK) {
        l->error = me->error;
        l->why = me->why;
    }
    if (l->lanes_out > 0)
        return;
    for (unsigned i = 0; i < l->lane_count; i++)
        report_notes(&l->lanes[i]);
    if (l->error == OK && l->cancelled)
        l->error = ERR_CANCELLED;
    if (l->error != OK)
        end_load(l, l->error);
    else
        enter_phase(l, l->phase + 1);
}

static void run_items(struct snapshot_load *l)
{
    CHECK(l->lanes_out == 0 && l->item_count > 0 && phases[l->phase].run != NULL);
    unsigned lanes = l->item_count < l->lane_count ? l->item_count : l->lane_count;
    atomic_store(&l->next_item, 0);
    l->lanes_out = lanes;
    for (unsigned i = 0; i < lanes; i++) {
        l->lanes[i].job = (struct job){.run = run_phase, .done = done_phase, .class = JOB_SEARCH};
        l->io->ops->submit(l->io, &l->lanes[i].job);
    }
}

static bool add_item(struct snapshot_load *l, struct load_item item)
{
    if (l->item_count == l->item_capacity) {
        uint32_t capacity = l->item_capacity == 0 ? 64 : l->item_capacity * 2;
        struct load_item *grown =
            mem_try_realloc(MEM_SNAPSHOT, l->items, capacity * sizeof(*grown));
        if (grown == NULL)
            return false;
        l->items = grown;
        l->item_capacity = capacity;
    }
    l->items[l->item_count++] = item;
    return true;
}

static bool add_chunks(struct snapshot_load *l, struct load_collection *lc, bool alive)
{
    bool ok = true;
    for (uint32_t i = lc->first_chunk; i < lc->chunk_end && ok; i++)
        if ((l->manifest.chunks[i].kind == CHUNK_ALIVE) == alive)
            ok = add_item(l, (struct load_item){.collection = lc, .chunk = i});
    return ok;
}

static bool add_ranges(struct snapshot_load *l, struct load_collection *lc)
{
    bool ok = true;
    for (uint64_t row = 0; row < lc->load.end && ok; row += CHECK_ROWS) {
        uint64_t end = row + CHECK_ROWS < lc->load.end ? row + CHECK_ROWS : lc->load.end;
        ok = add_item(
            l, (struct load_item){.collection = lc, .first = (uint32_t)row, .end = (uint32_t)end});
    }
    return ok;
}

static bool add_items_of(struct snapshot_load *l, struct load_collection *lc)
{
    bool large = lc->entry != NULL, graph = large && lc->entry->has_graph;
    struct load_item whole = {.collection = lc};
    switch (l->phase) {
    case LOAD_BEGIN:
    case LOAD_FINISH:
        return add_item(l, whole);
    case LOAD_ALIVE:
    case LOAD_CONTENTS:
        return !large || add_chunks(l, lc, l->phase == LOAD_ALIVE);
    case LOAD_DROP:
        return !large || !l->damaged || add_item(l, whole);
    case LOAD_CHECK:
        return !large || (add_item(l, whole) && (!graph || add_ranges(l, lc)));
    case LOAD_TREE:
        return !graph || add_ranges(l, lc);
    case LOAD_MEND:
        return !graph || add_item(l, whole);
    case LOAD_OPEN:
    case LOAD_KEYS:
    case LOAD_PUBLISH:
    case LOAD_PLAN:
    case LOAD_OVER:
        break;
    }
    CHECK(false);
    return false;
}

static bool make_items(struct snapshot_load *l)
{
    bool ok = true;
    l->item_count = 0;
    if (l->phase == LOAD_OPEN || l->phase == LOAD_PLAN)
        return add_item(l, (struct load_item){0});
    if (l->phase == LOAD_KEYS) {
        for (uint32_t i = 0; i < l->key_chunks && ok; i++)
            ok = add_item(l, (struct load_item){.chunk = i});
        return ok;
    }
    for (uint32_t i = 0; i < l->collection_count && ok; i++)
        ok = add_items_of(l, &l->collections[i]);
    return ok;
}

/* What was lost of indexes is to be made again. */
static enum err renew_lost(struct snapshot_load *l)
{
    enum err e = OK;
    for (uint32_t i = 0; i < l->collection_count && e == OK; i++) {
        struct load_collection *lc = &l->collections[i];
        if (!is_lost(lc))
            continue;
        struct slice name = lc->index->spec->name;
        if (l->options.log != NULL)
            log_line(l->options.log, LOG_WARNING, "%s; index %.*s is made again from its keys",
                     lc->lost_why.text, (int)(name.len < 64 ? name.len : 64),
                     (const char *)name.ptr);
        if (lc->load.c != NULL)
            collection_load_abandon(&lc->load);
        lc->load.c = NULL;
        lc->index->loads = false;
        l->renewed++;
        e = index_part_renew(lc->index, lc->part);
    }
    return e;
}

/* Goes on to the first phase that has something to do. */
static void enter_phase(struct snapshot_load *l, enum load_phase phase)
{
    for (l->phase = phase; l->phase < LOAD_OVER; l->phase++) {
        l->phase_us[l->phase] = l->io->ops->mono_us(l->io);
        if (!l->found && l->phase > LOAD_OPEN)
            continue;
        if (l->phase == LOAD_PUBLISH) {
            publish_some(l);
            return;
        }
        if (!make_items(l)) {
            end_load(l, ERR_NOMEM);
            return;
        }
        if (l->item_count == 0)
            continue;
        run_items(l);
        return;
    }
    l->phase_us[LOAD_OVER] = l->io->ops->mono_us(l->io);
    end_load(l, renew_lost(l));
}

const char *load_phase_name(enum load_phase phase)
{
    static const char *const names[] = {
#define X(phase) #phase,
        LOAD_PHASE_LIST(X)
#undef X
    };
    CHECK(phase <= LOAD_OVER);
    return names[phase];
}

/* -- start and end ----------------------------------------------------------------------------- */

static void free_keys(struct snapshot_load *l)
{
    CHECK(l->lanes_out == 0);
    for (uint32_t i = 0; l->keys != NULL && i < l->key_chunks; i++) {
        for (uint32_t k = 0; k < l->keys[i].count; k++) {
            struct object *o = l->keys[i].list[k].object;
            mem_free(MEM_SNAPSHOT, l->keys[i].list[k].piece);
            if (o == NULL)
                continue;
            object_drop_large(o);
            if (o->type == OBJECT_COLLECTION)
                collection_drop(o->collection);
            object_free(o);
        }
        mem_free(MEM_SNAPSHOT, l->keys[i].list);
    }
    mem_free(MEM_SNAPSHOT, l->keys);
    l->keys = NULL;
}

/* What was loaded so far is good for nothing, but there is something else to be tried. */
static bool tries_again(const struct snapshot_load *l, enum err e)
{
    bool broken = e == ERR_CORRUPT || e == ERR_IO || e == ERR_NOT_FOUND;
    return l->options.repair && broken && l->attempt != LOAD_WHAT_IS_GOOD && !l->cancelled;
}

static void try_again(struct snapshot_load *l)
{
    log_line(l->options.log, LOG_WARNING, "repair: %s; %s",
             l->why.text[0] != '\0' ? l->why.text : err_text(l->error),
             l->attempt == LOAD_NEWEST ? "trying the snapshot before"
                                       : "keeping what is good of the newest");
    db_clear(l->db);
    manifest_fini(&l->manifest);
    l->attempt++;
    l->found = false;
    l->key_chunks = l->key_chunk = l->key_at = 0;
    l->collection_count = 0;
    l->error = OK;
    l->why.text[0] = '\0';
    atomic_store(&l->failed, false);
    atomic_store(&l->bytes_loaded, 0);
    for (unsigned i = 0; i < l->lane_count; i++)
        l->lanes[i].error = OK;
    enter_phase(l, LOAD_OPEN);
}

static void end_load(struct snapshot_load *l, enum err e)
{
    struct db *db = l->db;
    for (uint32_t i = 0; i < l->collection_count; i++)
        if (l->collections[i].load.c == NULL)
            continue;
        else if (e == OK)
            collection_load_end(&l->collections[i].load);
        else
            collection_load_abandon(&l->collections[i].load);
    if (e == OK)
        indexes_load_end(db);
    if (e == OK && l->found) {
        db->log.last_lsn = l->manifest.lsn + (PLANTED(PLANT_SNAPSHOT_LSN) ? 1 : 0);
    }
    free_keys(l);
    pack_reader_close(&l->packs);
    l->error = e;
    if (tries_again(l, e)) {
        try_again(l);
        return;
    }
    CHECK(db->background.rows_held > 0);
    db->background.rows_held--;
    db->log.loading = false;
    l->on_done(l, e);
}

void snapshot_load_start(struct snapshot_load *l, struct io *io, struct db *db,
                         const struct snapshot_load_options *options,
                         void (*on_done)(struct snapshot_load *l, enum err e), void *user)
{
    CHECK(!options->repair || options->log != NULL);
    CHECK(keyspace_count(&db->keys) == 0 && db->log.last_lsn == 0);
    *l = (struct snapshot_load){
        .io = io, .db = db, .options = *options, .on_done = on_done, .user = user};
    l->lane_count = io->ops->lane_count(io);
    l->lanes = mem_calloc(MEM_SNAPSHOT, l->lane_count * sizeof(*l->lanes));
    for (unsigned i = 0; i < l->lane_count; i++) {
        l->lanes[i].load = l;
        buf_init(&l->lanes[i].buffer, MEM_SNAPSHOT);
        buf_init(&l->lanes[i].second, MEM_SNAPSHOT);
        buf_init(&l->lanes[i].links, MEM_SNAPSHOT);
        buf_init(&l->lanes[i].notes, MEM_SNAPSHOT);
    }
    db->background.rows_held++; /* nothing moves while rows come in */
    db->log.loading = true;
    enter_phase(l, LOAD_OPEN);
}

void snapshot_load_cancel(struct snapshot_load *l)
{
    CHECK(l->lanes != NULL); /* started and not freed */
    l->cancelled = true;
    atomic_store_explicit(&l->failed, true, memory_order_relaxed);
}

void snapshot_load_free(struct snapshot_load *l)
{
    CHECK(l->lanes_out == 0);
    for (unsigned i = 0; i < l->lane_count; i++) {
        buf_fini(&l->lanes[i].buffer);
        buf_fini(&l->lanes[i].second);
        buf_fini(&l->lanes[i].links);
        buf_fini(&l->lanes[i].notes);
    }
    mem_free(MEM_SNAPSHOT, l->lanes);
    mem_free(MEM_SNAPSHOT, l->items);
    mem_free(MEM_SNAPSHOT, l->collections);
    manifest_fini(&l->manifest);
    *l = (struct snapshot_load){0};
}
