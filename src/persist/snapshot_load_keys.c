/* The first phases of a load: the manifest, the keys, and what belongs to which collection. */
#include <inttypes.h>
#include <stdlib.h>

#include "persist/image.h"
#include "persist/log_scan.h"
#include "persist/snapshot_load.h"
#include "types/list.h"
#include "types/set.h"

enum {
    SLICE_KEYS = 500, /* published at once */
    SPARSE_SHARE = 64 /* keys are put close together when fewer places are in use */
};

/* Names the manifest. */
enum err load_blame_manifest(struct load_lane *lane, const char *what, uint64_t number)
{
    char name[SNAPSHOT_NAME_SIZE];
    snapshot_manifest_name(lane->load->manifest.lsn, name);
    return why_set(&lane->why, ERR_CORRUPT, "%s: %s (%" PRIu64 ")", name, what, number);
}

/* -- OPEN -------------------------------------------------------------------------------------- */

struct listing {
    uint64_t newest, below; /* the newest manifest below that */
    bool found;
    uint32_t next_pack;
};

static void on_name(void *user, const char *name)
{
    struct listing *listing = user;
    uint64_t lsn;
    uint32_t id;
    if (snapshot_manifest_name_parse(name, &lsn)) {
        if (lsn >= listing->below || (listing->found && lsn < listing->newest))
            return;
        listing->newest = lsn;
        listing->found = true;
    } else if (snapshot_pack_name_parse(name, &id) && id >= listing->next_pack) {
        listing->next_pack = id + 1;
    }
}

static enum err open_manifest(struct load_lane *lane, uint64_t lsn)
{
    struct snapshot_load *l = lane->load;
    enum err e = manifest_load(l->io, l->options.dir, lsn, &l->manifest, &lane->why);
    if (e != OK)
        return e;
    e = pack_reader_open(&l->packs, l->io, l->options.dir, &l->manifest, &lane->why);
    if (load_tolerates(lane, e, "what stands there"))
        e = pack_reader_open_some(&l->packs, l->io, l->options.dir, &l->manifest);
    if (e != OK)
        manifest_fini(&l->manifest);
    return e;
}

/* The newest manifest below an LSN. */
static enum err find_manifest(struct load_lane *lane, struct listing *listing)
{
    struct snapshot_load *l = lane->load;
    listing->found = false;
    enum err e = l->io->ops->list_dir(l->io, l->options.dir, on_name, listing);
    l->next_pack = listing->next_pack;
    return e == OK ? OK
                   : why_set(&lane->why, e, "the folder %.200s cannot be read", l->options.dir);
}

/* Is the snapshot of an LSN, or with 0 nothing, with the log behind it as much as the newest had?
 * Where no log was written it is taken as it is, and nothing is no snapshot. */
static enum err log_makes_up(struct load_lane *lane, uint64_t lsn)
{
    struct snapshot_load *l = lane->load;
    uint64_t last;
    enum err e = log_scan_reach(l->io, l->options.dir, lsn, &last, &lane->why);
    if (e == ERR_NOT_FOUND && lsn > 0)
        return OK;
    if (e == ERR_NOT_FOUND || (e == OK && lsn == 0 && last == 0))
        return why_set(&lane->why, ERR_NOT_FOUND, "no other snapshot is there");
    if (e == OK && last < l->newest_lsn)
        e = why_set(&lane->why, ERR_CORRUPT,
                    "behind LSN %" PRIu64 " the log can be read up to LSN %" PRIu64 " only", lsn,
                    last);
    return e;
}

/* Without another snapshot: has the log everything, from the first change on? A snapshot of nothing
 * is then what the data begins with. */
static enum err open_nothing(struct load_lane *lane)
{
    struct snapshot_load *l = lane->load;
    uint64_t last = 0;
    if (l->attempt == LOAD_OLDER)
        return log_makes_up(lane, 0);
    enum err e = log_scan_reach(l->io, l->options.dir, 0, &last, &lane->why);
    if (e == OK && last > 0)
        return OK; /* better than nothing, and said to be less than there was */
    return why_set(&lane->why, ERR_NOT_FOUND, "no other snapshot is there");
}

static enum err open_newest(struct load_lane *lane)
{
    struct snapshot_load *l = lane->load;
    struct listing listing = {.next_pack = 1, .below = UINT64_MAX};
    if (l->attempt == LOAD_OLDER)
        listing.below = l->newest_lsn;
    for (;;) {
        bool first = listing.below == UINT64_MAX;
        enum err e = find_manifest(lane, &listing);
        if (e != OK)
            return e;
        if (!listing.found)
            return first ? OK : open_nothing(lane);
        if (l->attempt == LOAD_OLDER && (e = log_makes_up(lane, listing.newest)) != OK)
            return e;
        if (first)
            l->newest_lsn = listing.newest;
        listing.below = listing.newest;
        e = open_manifest(lane, listing.newest);
        if (!load_tolerates(lane, e, "this snapshot"))
            return e;
    }
}

enum err load_open(struct load_lane *lane, const struct load_item *item)
{
    struct snapshot_load *l = lane->load;
    uint64_t total = 0;
    (void)item;
    enum err e = open_newest(lane);
    l->found = e == OK && l->manifest.chunks != NULL;
    if (!l->found)
        return e;
    for (uint32_t i = 0; i < l->manifest.pack_count; i++)
        total += l->manifest.packs[i].live;
    atomic_store(&l->bytes_total, total);
    l->key_chunks = manifest_lower(&l->manifest, 0, CHUNK_SMALL, 0, 0);
    l->keys = mem_try_calloc(MEM_SNAPSHOT, l->key_chunks * sizeof(*l->keys));
    return l->keys == NULL ? ERR_NOMEM : OK;
}

/* -- KEYS -------------------------------------------------------------------------------------- */

static enum err make_partitions(struct collection *c, const struct image_key *key)
{
    struct bytes_reader reader = image_partitions(key);
    struct partition_name one;
    enum err e = key->partition_count == 0 ? OK : collection_make_partitions(c);
    while (e == OK && image_partition_next(&reader, &one))
        e = partitions_load(c->partitions, one.name, one.number);
    return e;
}

/* The next entry of a pack into the trees of a large value; is it new? */
static bool add_entry(enum object_type type, const struct zset_change *c, struct slice *pack)
{
    struct hash_field f;
    struct scored s;
    struct slice member;
    if (type == OBJECT_ZSET)
        return zset_next(pack, &s) && zset_tree_add(c, &s);
    if (type == OBJECT_SET)
        return set_next(pack, &member) && set_tree_add(c->order, member);
    if (type == OBJECT_LIST) {
        bool some = list_next(pack, &member);
        list_tree_push(c->order, &member, some, false);
        return some;
    }
    return hash_next(pack, &f) && hash_tree_set(c->order, &f);
}

static const struct tree_ops *ops_of(const struct db *db, enum object_type type)
{
    return type == OBJECT_ZSET  ? &db->order_ops
           : type == OBJECT_SET ? &db->set_ops
           : type == OBJECT_LIST ? &db->list_ops
                                : &db->hash_ops;
}

/* Entries for a large value. ERR_CORRUPT: one is there already. */
static enum err add_entries(struct snapshot_load *l, struct object *o, struct slice pack)
{
    struct tree_change tree = {.made = NULL}, members = {.made = NULL};
    const struct zset_change both = {&tree, &members};
    bool fresh = true, sorted = o->type == OBJECT_ZSET;
    CHECK(o->is_large);
    tree_change_begin(&tree, &o->large->tree, ops_of(l->db, o->type));
    if (sorted)
        tree_change_begin(&members, &o->large->members, &l->db->member_ops);
    while (fresh && pack.len > 0 && !tree.failed && !members.failed)
        fresh = add_entry(o->type, &both, &pack);
    enum err e = tree.failed || members.failed ? ERR_NOMEM : fresh ? OK : ERR_CORRUPT;
    if (e == OK)
        tree_change_apply(&tree, &o->large->tree);
    else
        tree_change_discard(&tree);
    if (e == OK && sorted)
        tree_change_apply(&members, &o->large->members);
    else
        tree_change_discard(&members);
    tree_change_fini(&tree);
    tree_change_fini(&members);
    return e;
}

static bool is_unique(const struct image_key *key)
{
    return key->type == OBJECT_LIST   ? true
           : key->type == OBJECT_ZSET ? zset_pack_is_unique(key->value)
           : key->type == OBJECT_SET  ? set_pack_is_unique(key->value)
                                      : hash_pack_is_unique(key->value);
}

static enum err make_large(struct snapshot_load *l, const struct image_key *key,
                           struct load_key *out)
{
    out->object = keyspace_make_object(&l->db->keys, key->key, key->type, (struct slice){0},
                                       key->expire_ms);
    if (out->object == NULL || !object_make_large(out->object))
        return ERR_NOMEM;
    return add_entries(l, out->object, key->value);
}

/* A value that goes on: it is put where it belongs once the key is there. */
static enum err make_piece(const struct image_key *key, struct load_key *out)
{
    out->piece = mem_try(MEM_SNAPSHOT, key->value.len);
    if (out->piece == NULL)
        return ERR_NOMEM;
    memcpy(out->piece, key->value.ptr, key->value.len);
    out->piece_size = key->value.len;
    out->piece_type = key->type;
    return OK;
}

static enum err make_key(struct snapshot_load *l, const struct image_key *key, struct load_key *out)
{
    const struct db *db = l->db;
    CHECK(out->object == NULL);
    out->place = key->place;
    if (key->more)
        return make_piece(key, out);
    bool packs = key->type != OBJECT_STRING && key->type != OBJECT_COLLECTION &&
                 key->type != OBJECT_JSON;
    if (packs && (key->count > db->packed_count_max || key->value.len > db->packed_bytes_max))
        return make_large(l, key, out);
    if (packs && !is_unique(key))
        return ERR_CORRUPT;
    out->object =
        keyspace_make_object(&l->db->keys, key->key, key->type, key->value, key->expire_ms);
    if (out->object == NULL)
        return ERR_NOMEM;
    if (packs)
        out->object->count = key->count;
    if (key->type != OBJECT_COLLECTION)
        return OK;
    struct collection_spec served = key->spec;
    spec_set_shape(&served, &key->shape);
    out->object->collection = collection_new(&l->db->env, &served, key->uid);
    if (out->object->collection != NULL) {
        out->object->collection->spec = key->spec; /* from here on a wish */
        out->object->collection->object = out->object;
        return make_partitions(out->object->collection, key);
    }
    object_free(out->object);
    out->object = NULL;
    return ERR_NOMEM;
}

enum err load_keys(struct load_lane *lane, const struct load_item *item)
{
    struct snapshot_load *l = lane->load;
    const struct chunk *chunk = &l->manifest.chunks[item->chunk];
    struct load_keys *keys = &l->keys[item->chunk];
    CHECK(item->chunk < l->key_chunks && chunk->kind == CHUNK_KEYS && keys->list == NULL);
    struct bytes_reader reader;
    struct slice body;
    uint32_t first;
    enum err e = load_chunk(lane, chunk, &lane->buffer, &body);
    if (load_tolerates(lane, e, "keys, and what their collections hold"))
        return OK;
    if (e != OK)
        return e;
    e = image_keys_open(body, &first, &reader, &lane->why);
    /* A large value is several records, so there may be more of them than places. */
    enum { RECORD_SIZE_MIN = 22 };
    if (e != OK || first != (uint64_t)chunk->index * IMAGE_KEYS_SPAN ||
        chunk->count > body.len / RECORD_SIZE_MIN)
        return load_blame(lane, chunk, ERR_CORRUPT, "keys of other places");
    keys->list = mem_try_calloc(MEM_SNAPSHOT, chunk->count * sizeof(*keys->list));
    if (keys->list == NULL)
        return ERR_NOMEM;
    while (reader.left.len > 0) {
        struct image_key key;
        e = image_key_get(&reader, &key, &lane->why);
        if (e != OK)
            return load_blame(lane, chunk, e, NULL);
        if (key.place / IMAGE_KEYS_SPAN != chunk->index || keys->count == chunk->count ||
            (key.type == OBJECT_COLLECTION && (key.uid == 0 || key.uid >= l->manifest.next_uid)))
            return load_blame(lane, chunk, ERR_CORRUPT, "a key that does not belong there");
        e = make_key(l, &key, &keys->list[keys->count]);
        keys->count++; /* what there is of it is freed with the others */
        if (e == ERR_CORRUPT)
            return load_blame(lane, chunk, e, "an entry that is there twice");
        if (e != OK)
            return e;
    }
    return keys->count == chunk->count ? OK : load_blame(lane, chunk, ERR_CORRUPT, "missing keys");
}

/* -- PUBLISH ----------------------------------------------------------------------------------- */

enum err load_fail(struct snapshot_load *l, enum err e, const char *what)
{
    char name[SNAPSHOT_NAME_SIZE];
    snapshot_manifest_name(l->manifest.lsn, name);
    return e == ERR_NOMEM ? e : why_set(&l->why, e, "%s: %s", name, what);
}

static enum err note_collection(struct snapshot_load *l, const struct load_collection *lc)
{
    if (l->collection_count == l->collection_capacity) {
        uint32_t capacity = l->collection_capacity == 0 ? 64 : l->collection_capacity * 2;
        struct load_collection *grown =
            mem_try_realloc(MEM_SNAPSHOT, l->collections, capacity * sizeof(*grown));
        if (grown == NULL)
            return ERR_NOMEM;
        l->collections = grown;
        l->collection_capacity = capacity;
    }
    l->collections[l->collection_count++] = *lc;
    return OK;
}

/* Keys keep their places, so that chunks of keys stay as they are. Where nearly all places are free
 * that would cost memory for nothing. */
static bool is_sparse(const struct snapshot_load *l)
{
    return l->manifest.slots_end / SPARSE_SHARE > l->manifest.key_count + SPARSE_SHARE;
}

static enum err publish_fields(struct snapshot_load *l, struct object *o)
{
    uint64_t expire_ms =
        o->is_large ? o->large->tree.soonest : hash_pack_expiry(object_value(o));
    if (expire_ms > 0 && !keyspace_reserve_fields(&l->db->keys))
        return ERR_NOMEM;
    keyspace_set_fields_expiry(&l->db->keys, o, expire_ms);
    return OK;
}

/* More entries of the key before. When that was lost, so are they. */
static enum err publish_piece(struct snapshot_load *l, struct load_key *key)
{
    struct object *o = key->place == l->last_place ? l->last_key : NULL;
    if (o == NULL && l->damaged)
        return OK;
    if (o == NULL || !o->is_large || o->type != key->piece_type)
        return load_fail(l, ERR_CORRUPT, "a value goes on that has not begun");
    enum err e = add_entries(l, o, (struct slice){key->piece, key->piece_size});
    if (e == ERR_CORRUPT)
        return load_fail(l, e, "an entry is there twice");
    return e == OK && o->type == OBJECT_HASH ? publish_fields(l, o) : e;
}

/* From here on the db frees it. */
static enum err publish_key(struct snapshot_load *l, struct load_key *key)
{
    struct object *o = key->object;
    if (key->piece != NULL)
        return publish_piece(l, key);
    CHECK(o != NULL); /* each key comes once */
    uint32_t place = is_sparse(l) ? (uint32_t)keyspace_count(&l->db->keys) : key->place;
    enum err e = keyspace_load(&l->db->keys, place, o);
    if (e == ERR_CORRUPT)
        return load_fail(l, e, "a key or a place of the keyspace is there twice");
    key->object = NULL;
    l->last_key = o;
    l->last_place = key->place;
    if (e == OK && o->type == OBJECT_COLLECTION)
        e = note_collection(
            l, &(struct load_collection){.uid = o->collection->uid, .c = o->collection});
    if (e == OK && o->type == OBJECT_HASH)
        e = publish_fields(l, o);
    return e;
}

enum err load_publish_slice(struct snapshot_load *l)
{
    enum err e = OK;
    if (l->key_chunk == 0 && l->key_at == 0 && l->db->keys.used == 0 &&
        !keyspace_load_begin(&l->db->keys,
                             is_sparse(l) ? (uint32_t)l->manifest.key_count : l->manifest.slots_end,
                             l->manifest.key_count))
        return ERR_NOMEM;
    CHECK(l->phase == LOAD_PUBLISH && l->lanes_out == 0);
    for (size_t done = 0; l->key_chunk < l->key_chunks && done < SLICE_KEYS && e == OK;) {
        struct load_keys *keys = &l->keys[l->key_chunk];
        if (l->key_at == keys->count) {
            l->key_chunk++;
            l->key_at = 0;
            continue;
        }
        struct load_key *key = &keys->list[l->key_at++];
        if (key->piece == NULL && keyspace_count(&l->db->keys) == l->manifest.key_count)
            return load_fail(l, ERR_CORRUPT, "more keys than it says");
        e = publish_key(l, key);
        done += key->piece == NULL ? 1 : SLICE_KEYS / 2;
    }
    return e;
}

/* Where keys may be lost, indexes would have more than there is. */
static bool loads_indexes(const struct snapshot_load *l)
{
    return !l->damaged && l->attempt != LOAD_WHAT_IS_GOOD;
}

enum err load_publish_indexes(struct snapshot_load *l)
{
    struct db *db = l->db;
    db->next_uid = l->manifest.next_uid;
    enum err e = indexes_decode(db, l->manifest.indexes, loads_indexes(l), &l->why);
    for (struct key_index *x = db->indexes; x != NULL && e == OK; x = x->next)
        for (size_t i = 0; i <= x->spec->vector_count && x->loads && e == OK; i++) {
            struct collection *c = *index_part(x, i);
            if (c->uid < l->manifest.next_uid)
                e = note_collection(l, &(struct load_collection){
                                           .uid = c->uid, .c = c, .index = x, .part = i});
        }
    return e;
}

/* -- PLAN -------------------------------------------------------------------------------------- */

static int by_uid(const void *a, const void *b)
{
    uint64_t x = ((const struct load_collection *)a)->uid;
    uint64_t y = ((const struct load_collection *)b)->uid;
    return (x > y) - (x < y);
}

/* Does a collection have chunks of this kind and index? */
static bool belongs(const struct load_collection *lc, const struct chunk *chunk)
{
    const struct manifest_collection *m = lc->entry;
    uint64_t span = 0;
    switch (chunk->kind) {
    case CHUNK_SMALL:
        return m == NULL && chunk->index == 0 && chunk->part == 0;
    case CHUNK_ATTRIBUTES:
        if (m == NULL)
            return chunk->index == 0;
        return (uint64_t)chunk->index * m->attributes_span < m->rows_end;
    case CHUNK_ALIVE:
        span = m == NULL ? 0 : m->alive_span;
        break;
    case CHUNK_ROWS:
    case CHUNK_NEWER:
        span = m == NULL ? 0 : m->rows_span;
        break;
    case CHUNK_LINKS:
        span = m == NULL || !m->has_graph ? 0 : m->links_span;
        break;
    case CHUNK_KEYS:
        break;
    }
    return span > 0 && chunk->part == 0 && (uint64_t)chunk->index * span < m->rows_end;
}

/* A small set has its one chunk first; of a large one it is known of every row whether it is alive,
 * and newer rows stand beside older ones. */
static bool is_complete(const struct snapshot_load *l, const struct load_collection *lc)
{
    const struct manifest *m = &l->manifest;
    if (lc->entry == NULL)
        return lc->first_chunk < lc->chunk_end && m->chunks[lc->first_chunk].kind == CHUNK_SMALL;
    uint64_t alive = 0, span = lc->entry->alive_span;
    for (uint32_t i = lc->first_chunk; i < lc->chunk_end; i++) {
        const struct chunk *chunk = &m->chunks[i];
        alive += chunk->kind == CHUNK_ALIVE;
        if (chunk->kind == CHUNK_NEWER &&
            manifest_find(m, lc->uid, CHUNK_ROWS, chunk->index, 0) == NULL)
            return false;
    }
    return alive == (lc->entry->rows_end + span - 1) / span;
}

/* Every chunk belongs to one collection, every collection has its chunks. */
enum err load_plan(struct load_lane *lane, const struct load_item *item)
{
    struct snapshot_load *l = lane->load;
    const struct manifest *m = &l->manifest;
    uint32_t at = l->key_chunks, entries = 0;
    bool all = loads_indexes(l); /* else some keys may be lost */
    (void)item;
    if (l->collection_count > 0)
        qsort(l->collections, l->collection_count, sizeof(*l->collections), by_uid);
    for (uint32_t i = 0; i < l->collection_count; i++) {
        struct load_collection *lc = &l->collections[i];
        if (i > 0 && lc[-1].uid == lc->uid)
            return load_blame_manifest(lane, "a collection is there twice", lc->uid);
        lc->entry = manifest_collection(m, lc->uid);
        entries += lc->entry != NULL;
        while (!all && at < m->chunk_count && m->chunks[at].uid < lc->uid)
            at++;
        lc->first_chunk = at;
        while (at < m->chunk_count && m->chunks[at].uid == lc->uid && belongs(lc, &m->chunks[at]))
            at++;
        lc->chunk_end = at;
        if (!is_complete(l, lc))
            return load_blame_manifest(lane, "a collection that lacks chunks", lc->uid);
    }
    if (all && at != m->chunk_count)
        return load_blame_manifest(lane, "a chunk that belongs to nothing", at);
    if (all && entries != m->collection_count)
        return load_blame_manifest(lane, "a collection without a key", m->collection_count);
    return OK;
}
