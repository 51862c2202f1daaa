#include "db/capture.h"

#include <string.h>

#include "base/plant.h"
#include "db/bulk.h"
#include "db/db.h"
#include "db/flush.h"
#include "db/indexes_image.h"

enum { SAVED_ROWS = 1024 /* references copied at once: a page */ };

/* The references of a collection before they changed since the capture began. A lane reads refs of
 * rows from the column first and then looks here: who changes one has stored the copy (release)
 * before, so a reader that met the new reference (acquire) finds the copy.
 * owner: loop; refs[] are atomic, set once */
struct saved_attributes {
    struct saved_attributes *next;
    struct collection *collection;
    uint32_t count; /* of refs[]; rows behind were born later */
    _Atomic(heap_ref *) refs[];
};

/* -- keys -------------------------------------------------------------------------------------- */

static uint32_t place_hash(uint32_t place)
{
    return place * 0x9e3779b1u;
}

static struct slice place_key(const uint32_t *place)
{
    return (struct slice){(const uint8_t *)place, sizeof(*place)};
}

static bool place_equal(const void *owner, uint32_t value, struct slice key)
{
    const struct capture *c = owner;
    return slice_eq(place_key(&c->early_keys[value].place), key);
}

/* Its bytes stay until capture_return, whoever frees the object. */
static struct captured capture_object(struct object *o, uint32_t place)
{
    CHECK(o != NULL && (o->type != OBJECT_COLLECTION || o->collection != NULL));
    CHECK(o->hold == OBJECT_LOOSE);
    o->hold = OBJECT_HELD;
    struct captured captured = {
        .place = place, .type = o->type, .object = o, .expire_ms = o->expire_ms};
    if (o->type == OBJECT_COLLECTION) {
        const struct partitions *p = o->collection->partitions;
        captured.tuning = o->collection->spec.tuning;
        captured.wish = spec_shape(&o->collection->spec);
        captured.partitions = p == NULL ? NULL : p->table;
        captured.schema = collection_shown_schema(o->collection);
    }
    captured.has_tree = o->is_large;
    if (o->is_large)
        captured.tree = tree_share(&o->large->tree);
    return captured;
}

static void let_go(struct capture *c, struct captured *key)
{
    struct object *o = key->object;
    if (key->has_tree)
        flush_tree(c->db, &key->tree);
    CHECK(o->hold != OBJECT_LOOSE);
    bool left = o->hold == OBJECT_LEFT;
    o->hold = OBJECT_LOOSE;
    if (!left)
        return;
    size_t size = mem_size(o);
    CHECK(c->db->background.retired->bytes >= size);
    c->db->background.retired->bytes -= size;
    object_free(o);
}

static bool keep_early(struct capture *c, struct object *o, uint32_t place)
{
    if (c->early_count == c->early_capacity) {
        uint32_t capacity = c->early_capacity == 0 ? 64 : c->early_capacity * 2;
        struct captured *grown =
            mem_try_realloc(MEM_SNAPSHOT, c->early_keys, capacity * sizeof(*grown));
        if (grown == NULL)
            return false;
        c->early_keys = grown;
        c->early_capacity = capacity;
    }
    if (!map_reserve(&c->held, 1))
        return false;
    c->early_keys[c->early_count] = capture_object(o, place);
    map_put(&c->held, place_hash(place), c->early_count);
    c->early_count++;
    return true;
}

/* A place changes: unless it has had its turn, it is captured now. */
static void before_change(struct keyspace_watch *watch, uint32_t place)
{
    struct capture *c = (struct capture *)((char *)watch - offsetof(struct capture, watch));
    if (c->failed || place < c->next || place >= c->end ||
        (c->early[place / 64] >> (place % 64) & 1) != 0)
        return;
    struct object *o = c->db->keys.objects[place];
    if (o != NULL && !keep_early(c, o, place)) {
        c->failed = true;
        return;
    }
    c->early[place / 64] |= (uint64_t)1 << (place % 64);
}

bool capture_begin(struct capture *c, struct db *db)
{
    CHECK(db->env.capture == NULL && db->keys.watch == NULL && !db->log.open);
    bulk_settle(db, (struct slice){0});
    uint32_t end = db->keys.used;
    size_t part_count = indexes_saved(db, NULL, 0);
    uint64_t *early = mem_try_calloc(MEM_SNAPSHOT, ((size_t)end + 63) / 64 * sizeof(*early));
    struct collection **parts = mem_try(MEM_SNAPSHOT, (part_count + 1) * sizeof(*parts));
    if (early == NULL || parts == NULL) {
        mem_free(MEM_SNAPSHOT, early);
        mem_free(MEM_SNAPSHOT, parts);
        return false;
    }
    (void)indexes_saved(db, parts, part_count);
    *c = (struct capture){.db = db,
                          .watch = {.before_change = before_change},
                          .lsn = db->log.last_lsn,
                          .guard = epoch_enter(&db->epoch),
                          .uid_end = db->next_uid,
                          .key_count = keyspace_count(&db->keys),
                          .end = end,
                          .step = CAPTURE_SLICE_PLACES,
                          .early = early,
                          .parts = parts,
                          .part_count = part_count};
    map_init(&c->held, MEM_SNAPSHOT, place_equal, c);
    db->keys.watch = &c->watch;
    db->env.capture = c;
    db->background.rows_held++;
    return true;
}

/* What the place held; false when nothing. */
static bool take_place(struct capture *c, uint32_t place, struct captured *out)
{
    if ((c->early[place / 64] >> (place % 64) & 1) == 0) {
        struct object *o = c->db->keys.objects[place];
        if (o == NULL)
            return false;
        *out = capture_object(o, place);
        return true;
    }
    uint32_t at = map_get(&c->held, place_hash(place), place_key(&place));
    if (at == MAP_NONE)
        return false;
    CHECK(c->early_keys[at].object != NULL && c->early_keys[at].place == place);
    *out = c->early_keys[at];
    c->early_keys[at].object = NULL; /* from here on the slice's */
    return true;
}

/* The views of a slice's collections: after s, but who reads them asks what was there at s. */
static bool take_views(struct capture *c, struct capture_slice *slice, size_t collections)
{
    if (collections == 0)
        return true;
    slice->views = mem_try(MEM_SNAPSHOT, collections * sizeof(*slice->views));
    if (slice->views == NULL)
        return false;
    struct collection_view *view = slice->views;
    for (size_t i = 0; i < slice->count; i++) {
        if (slice->keys[i].type != OBJECT_COLLECTION)
            continue;
        collection_view(slice->keys[i].object->collection, c->lsn, view);
        collection_view_partitions(view, slice->keys[i].partitions);
        slice->keys[i].large = view->collection->columns.large;
        slice->keys[i].view = view++;
    }
    return true;
}

/* The next collection of an index. The guard keeps one that has been dropped meanwhile. */
static bool take_part(struct capture *c, struct capture_slice *slice)
{
    if (c->part_next == c->part_count)
        return false;
    slice->views = mem_try(MEM_SNAPSHOT, sizeof(*slice->views));
    if (slice->views == NULL) {
        c->failed = true;
        return false;
    }
    slice->first = slice->end = c->end;
    slice->count = 0;
    slice->has_part = true;
    collection_view(c->parts[c->part_next++], c->lsn, slice->views);
    slice->part = (struct captured){.type = OBJECT_COLLECTION,
                                    .view = slice->views,
                                    .large = slice->views->collection->columns.large};
    return true;
}

bool capture_next(struct capture *c, struct capture_slice *slice)
{
    if (c->failed)
        return false;
    if (c->next == c->end)
        return take_part(c, slice);
    size_t collections = 0;
    slice->has_part = false;
    slice->first = c->next;
    CHECK(c->step <= CAPTURE_SLICE_PLACES && c->step % CAPTURE_PLACES_STEP == 0);
    slice->end = c->end - c->next < c->step ? c->end : c->next + c->step;
    slice->count = 0;
    slice->views = NULL;
    for (uint32_t place = slice->first; place < slice->end; place++) {
        struct captured *key = &slice->keys[slice->count];
        if (!take_place(c, place, key))
            continue;
        collections += key->type == OBJECT_COLLECTION;
        slice->count++;
    }
    c->next = slice->end;
    if (take_views(c, slice, collections))
        return true;
    c->failed = true;
    capture_return(c, slice);
    return false;
}

void capture_return(struct capture *c, struct capture_slice *slice)
{
    CHECK(slice->end <= c->next);
    for (size_t i = 0; i < slice->count; i++)
        let_go(c, &slice->keys[i]);
    mem_free(MEM_SNAPSHOT, slice->views);
    slice->count = 0;
    slice->views = NULL;
}

/* -- attributes -------------------------------------------------------------------------------- */

static struct saved_attributes *saved_of(const struct collection *collection)
{
    return atomic_load_explicit(&((struct collection *)collection)->saved_attributes,
                                memory_order_acquire);
}

static struct saved_attributes *saved_new(struct capture *c, struct collection *collection)
{
    uint32_t count = (collection->rows_end + SAVED_ROWS - 1) / SAVED_ROWS;
    struct saved_attributes *s =
        mem_try_calloc(MEM_SNAPSHOT, sizeof(*s) + count * sizeof(s->refs[0]));
    if (s == NULL)
        return NULL;
    s->next = c->saved;
    s->collection = collection;
    s->count = count;
    c->saved = s;
    atomic_store_explicit(&collection->saved_attributes, s, memory_order_release);
    return s;
}

static void load_refs(uint8_t *const base[], uint32_t first, uint32_t count, heap_ref *out)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = atomic_load_explicit(column_ref(base, COL_ATTR, first + i), memory_order_acquire);
}

void capture_attribute(struct capture *c, struct collection *collection, uint32_t row)
{
    if (collection->uid >= c->uid_end || c->failed || PLANTED(PLANT_ATTRIBUTES_NOT_HELD))
        return;
    struct saved_attributes *s = saved_of(collection);
    if (s == NULL)
        s = saved_new(c, collection);
    if (s != NULL && row / SAVED_ROWS >= s->count)
        return;
    if (s != NULL && atomic_load_explicit(&s->refs[row / SAVED_ROWS], memory_order_relaxed) != NULL)
        return;
    heap_ref *refs = s == NULL ? NULL : mem_try_calloc(MEM_SNAPSHOT, SAVED_ROWS * sizeof(*refs));
    if (refs == NULL) {
        c->failed = true;
        return;
    }
    CHECK(row < collection->rows_end);
    uint32_t first = row / SAVED_ROWS * SAVED_ROWS;
    uint32_t left = collection->rows_end - first;
    load_refs(collection->columns.base, first, left < SAVED_ROWS ? left : SAVED_ROWS, refs);
    atomic_store_explicit(&s->refs[row / SAVED_ROWS], refs, memory_order_release);
}

void captured_attributes(const struct collection_view *view, uint32_t first, uint32_t count,
                         heap_ref *out)
{
    load_refs(view->base, first, count, out);
    const struct saved_attributes *s = saved_of(view->collection);
    if (s == NULL)
        return;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (first + i) / SAVED_ROWS;
        const heap_ref *refs = at < s->count
                                   ? atomic_load_explicit(&((struct saved_attributes *)s)->refs[at],
                                                          memory_order_acquire)
                                   : NULL;
        if (refs != NULL)
            out[i] = refs[(first + i) % SAVED_ROWS];
    }
}

static void free_saved(struct capture *c)
{
    while (c->saved != NULL) {
        struct saved_attributes *s = c->saved;
        CHECK(saved_of(s->collection) == s);
        c->saved = s->next;
        atomic_store_explicit(&s->collection->saved_attributes, NULL, memory_order_relaxed);
        for (uint32_t i = 0; i < s->count; i++)
            mem_free(MEM_SNAPSHOT, atomic_load_explicit(&s->refs[i], memory_order_relaxed));
        mem_free(MEM_SNAPSHOT, s);
    }
}

void capture_end(struct capture *c)
{
    struct db *db = c->db;
    CHECK(db->env.capture == c && db->background.rows_held > 0);
    db->env.capture = NULL;
    db->background.rows_held--;
    db->keys.watch = NULL; /* or it is another keyspace by now, which has none */
    for (uint32_t i = 0; i < c->early_count; i++)
        if (c->early_keys[i].object != NULL)
            let_go(c, &c->early_keys[i]);
    map_fini(&c->held);
    mem_free(MEM_SNAPSHOT, c->early_keys);
    mem_free(MEM_SNAPSHOT, c->early);
    mem_free(MEM_SNAPSHOT, c->parts);
    free_saved(c); /* before the guard goes: a dropped collection may go with it */
    epoch_leave(&db->epoch, c->guard);
}
