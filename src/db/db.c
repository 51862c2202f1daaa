#include "db/db.h"

#include "base/plant.h"
#include "db/alter.h"
#include "db/batch.h"
#include "db/bulk.h"
#include "db/change.h"
#include "db/collection_fields.h"
#include "db/flush.h"
#include "db/indexes.h"
#include "db/word_lists.h"
#include "types/list.h"
#include "types/set.h"

enum { PASSING_BYTES_MAX = 32 << 20 };

static bool never(struct lane *lane)
{
    (void)lane;
    return false;
}

/* The loop waits for a link lock at most as long as a worker holds it: a few microseconds. */
static void spin(struct lane *lane)
{
    (void)lane;
}

/* An LSN at which the background moves rows; not while the log refuses changes, nor inside one. */
static bool tick(void *user, uint64_t *lsn)
{
    struct db *db = user;
    CHECK(!db->log.open);
    return mlog_accepts(&db->log) && !db->follows &&
           db_write(db, &(struct mutation){.kind = MUTATION_TICK}, lsn, NULL) == OK;
}

static bool has_room(void *user, size_t bytes)
{
    return db_has_room(user, bytes);
}

static void on_epoch_timer(struct io_timer *timer)
{
    struct db *db = timer->user;
    epoch_go_on(&db->epoch);
}

static void free_later(void *user)
{
    struct db *db = user;
    db->io->ops->timer_start(db->io, &db->epoch_timer, 0);
}

void db_init(struct db *db, struct io *io, const struct db_options *options)
{
    CHECK(io != NULL && options->kernels != NULL);
    *db = (struct db){.io = io, .maxmemory = options->maxmemory, .next_uid = 1};
    buf_init(&db->scratch, MEM_SCRATCH);
    epoch_init(&db->epoch);
    db->epoch_timer = (struct io_timer){.fn = on_epoch_timer, .user = db};
    db->epoch.later = free_later;
    db->epoch.later_user = db;
    mlog_init(&db->log);
    background_init(&db->background, io, &db->epoch, &db->log.last_lsn);
    db->background.tick = tick;
    db->background.has_room = has_room;
    db->background.tick_user = db;
    recall_init(&db->recall, db);
    uint64_t seed[2];
    io->ops->random(io, seed, sizeof(seed));
    io->ops->random(io, &db->random, sizeof(db->random));
    keyspace_init(&db->keys, seed);
    db->hash_ops = hash_tree_ops(db->keys.hash_seed);
    db->list_ops = list_tree_ops();
    db->set_ops = set_tree_ops(db->keys.hash_seed);
    db->order_ops = zset_order_ops();
    db->member_ops = zset_member_ops(db->keys.hash_seed);
    db->packed_count_max = PACKED_COUNT_MAX;
    db->packed_bytes_max = PACKED_BYTES_MAX;
    db->env = (struct collection_env){
        .epoch = &db->epoch,
        .background = &db->background,
        .recall = &db->recall,
        .agings = &db->agings,
        .aging_next = &db->aging_next,
        .now_ms = &db->now_ms,
        .kernels = options->kernels,
        .machine_bytes = mem_machine_bytes(),
        .hash_seed = {seed[0], seed[1]},
        .flat_rows_max = options->flat_rows_max,
        .pending_scan_bytes = options->pending_scan_bytes,
    };
    db->lane = (struct lane){.index = LANE_COUNT_MAX, .search_waits = never, .pause = spin};
}

bool db_idle(const struct db *db)
{
    return epoch_idle(&db->epoch) && db->background.jobs == 0;
}

void db_fini(struct db *db)
{
    CHECK(keyspace_count(&db->keys) == 0 && db_idle(db));
    db->io->ops->timer_stop(db->io, &db->epoch_timer);
    flush_finish(db);
    db->io->ops->timer_stop(db->io, &db->recall.timer);
    background_fini(&db->background);
    keyspace_fini(&db->keys);
    mlog_fini(&db->log);
    buf_fini(&db->scratch);
    tree_change_fini(&db->tree);
    tree_change_fini(&db->half.tree);
    tree_change_fini(&db->members);
    if (db->lane.scratch != NULL)
        db->lane.scratch_free(db->lane.scratch);
}

/* Removals fill the log for a moment before they free memory: that alone must not remove more. */
static size_t passing_bytes(const struct db *db)
{
    return db->background.retired->bytes + mem_used(MEM_LOG);
}

size_t db_used_bytes(const struct db *db)
{
    size_t used = mem_used_total(), passing = passing_bytes(db);
    return used > passing ? used - passing : 0;
}

bool db_has_room(const struct db *db, size_t bytes)
{
    if (db->maxmemory == 0 || db->replaying)
        return true;
    size_t used = mem_used_total(), passing = db->evicts ? passing_bytes(db) : 0;
    passing = passing < PASSING_BYTES_MAX ? passing : PASSING_BYTES_MAX;
    return used + bytes <= db->maxmemory + passing;
}

static enum err collection_of(struct object *o, struct collection **out)
{
    *out = NULL;
    if (o == NULL)
        return OK;
    if (o->type != OBJECT_COLLECTION)
        return ERR_TYPE;
    *out = o->collection;
    return OK;
}

struct object *db_find(struct db *db, struct slice key)
{
    struct object *o = keyspace_find(&db->keys, key);
    if (o == NULL || object_expired(o, db->now_ms))
        return NULL;
    if (db->touches)
        o->access = access_used(&db->keys.access, o->access);
    return o;
}

enum err db_collection(struct db *db, struct slice key, struct collection **out)
{
    return collection_of(db_find(db, key), out);
}

void db_view(struct db *db, struct collection *c, struct collection_view *out)
{
    collection_view(c, bulk_view_lsn(db, c), out);
    out->codes.expire = out->exact.expire = out->expire;
    out->codes.now_ms = out->exact.now_ms = db->now_ms;
    out->has_due =
        (c->aging != NULL && aging_is_due(c->aging, db->now_ms)) || out->codes.hidden != NULL;
}

uint32_t db_element(const struct db *db, const struct collection *c, struct slice id)
{
    uint32_t row = collection_find(c, id);
    if (row == ROW_NONE || bulk_hides(db, c, row))
        return ROW_NONE;
    bool over = c->aging != NULL && aging_is_over(c->aging, row, db->now_ms);
    return over ? ROW_NONE : row;
}

/* -- preparing --------------------------------------------------------------------------------- */

enum err change_prepare_object(struct db *db, struct slice key, enum object_type type,
                               struct slice value, uint64_t expire_ms)
{
    CHECK(db->object == NULL);
    if (!db_has_room(db, object_size(key.len, value.len)))
        return ERR_NOMEM;
    db->object = keyspace_prepare(&db->keys, key, type, value, expire_ms);
    return db->object == NULL ? ERR_NOMEM : OK;
}

/* The whole string as it will be. It expires when the one before it did. A part of a string that
 * may have been lost is no string. */
static enum err prepare_range(struct db *db, const struct mutation *m)
{
    const struct object *old = keyspace_get(&db->keys, m->key);
    if (old != NULL && old->type != OBJECT_STRING)
        return ERR_TYPE;
    if (old == NULL && db->replaying && db->has_losses)
        return ERR_NOT_FOUND;
    struct slice before = old == NULL ? (struct slice){0} : object_string(old);
    size_t end = m->offset + m->value.len;
    struct slice whole = {NULL, end > before.len ? end : before.len};
    enum err e = change_prepare_object(db, m->key, OBJECT_STRING, whole,
                                       old == NULL ? 0 : old->expire_ms);
    if (e != OK)
        return e;
    uint8_t *bytes = db->object->bytes + m->key.len;
    if (before.len > 0)
        memcpy(bytes, before.ptr, before.len);
    if (m->offset > before.len)
        memset(bytes + before.len, 0, m->offset - before.len);
    if (m->value.len > 0)
        memcpy(bytes + m->offset, m->value.ptr, m->value.len);
    return OK;
}

static enum err prepare_rename(struct db *db, const struct mutation *m)
{
    const struct object *old = keyspace_get(&db->keys, m->key);
    if (old == NULL)
        return ERR_NOT_FOUND;
    bool apart = old->type == OBJECT_COLLECTION;
    struct slice value = apart ? (struct slice){0} : object_value(old);
    enum err e = change_prepare_object(db, m->new_key, old->type, value, old->expire_ms);
    if (e != OK || !object_is_packs(old))
        return e;
    if (!old->is_large)
        db->object->count = old->count;
    if (old->type == OBJECT_HASH)
        db->fields_expire_ms = keyspace_fields_expiry(&db->keys, old);
    return OK; /* its place in the heap is free once the old one has left */
}

static enum err prepare_collection(struct db *db, struct slice key,
                                   const struct collection_spec *spec, struct collection **out)
{
    enum err e = change_prepare_object(db, key, OBJECT_COLLECTION, (struct slice){0}, 0);
    if (e != OK)
        return e;
    size_t projection = (size_t)spec->projection_from * spec->dim * sizeof(float);
    *out = db_has_room(db, projection) ? collection_new(&db->env, spec, db->next_uid) : NULL;
    if (*out == NULL)
        return ERR_NOMEM;
    db->next_uid++;
    db->object->collection = *out;
    return OK;
}

static enum err prepare_put(struct db *db, const struct mutation *m, struct why *why)
{
    struct collection *c;
    enum err e = collection_of(keyspace_get(&db->keys, m->key), &c);
    if (e != OK)
        return e;
    if (c == NULL && !m->creates)
        return why_set(why, ERR_NOT_FOUND, "no such collection");
    if (c == NULL)
        e = prepare_collection(db, m->key, &m->spec, &c);
    if (e != OK)
        return e;
    if (m->dim != c->spec.dim || m->type != c->spec.type)
        return why_set(why, ERR_CORRUPT, "vectors of %u %s for a collection of %u %s", m->dim,
                       type_name(m->type), c->spec.dim, type_name(c->spec.type));
    if (m->partition.len > 0 &&
        (c->partitions == NULL ||
         partition_table_find(c->partitions->table, m->partition) == PARTITION_NONE))
        return why_set(why, ERR_NOT_FOUND, "no such partition");
    if (!db_has_room(db, collection_put_cost(c, m)) && c->next != NULL)
        alter_give_up(c);
    if (!db_has_room(db, collection_put_cost(c, m)))
        return ERR_NOMEM;
    return collection_prepare_put(c, m);
}

static enum err prepare_partition(struct db *db, const struct mutation *m, struct why *why)
{
    struct collection *c;
    enum err e = collection_of(keyspace_get(&db->keys, m->key), &c);
    if (e != OK)
        return e;
    if (c == NULL || c->spec.implicit)
        return why_set(why, ERR_NOT_FOUND, "no such collection");
    if (m->kind == MUTATION_PARTITION_NEW) {
        e = db_has_room(db, m->partition.len) ? collection_make_partitions(c) : ERR_NOMEM;
        return e == OK ? partitions_prepare_new(c->partitions, m->partition) : e;
    }
    return c->partitions == NULL ? why_set(why, ERR_NOT_FOUND, "no such partition")
                                 : partitions_prepare_drop(c->partitions, m->partition);
}

static enum err prepare_attribute(struct db *db, const struct mutation *m)
{
    struct collection *c;
    enum err e = collection_of(keyspace_get(&db->keys, m->key), &c);
    if (e != OK || c == NULL)
        return e;
    size_t size = heap_record_size(m->value.len);
    return db_has_room(db, heap_cost(&c->heap, size)) ? collection_prepare_attribute(c, m->value)
                                                      : ERR_NOMEM;
}

static enum err prepare_alter(struct db *db, const struct mutation *m, struct why *why)
{
    struct collection *c;
    enum err e = collection_of(keyspace_get(&db->keys, m->key), &c);
    if (e != OK)
        return e;
    if (c == NULL)
        return why_set(why, ERR_NOT_FOUND, "no such collection");
    e = spec_may_become(&c->spec, &m->spec);
    if (e != OK)
        return why_set(why, e, "an alteration of what is fixed");
    const struct spec_shape shape = spec_shape(&m->spec);
    size_t cost = alter_cost(c, &shape);
    if (cost > 0 && !db_has_room(db, cost))
        return why_set(why, ERR_NOMEM,
                       "the second index takes about %zu bytes beside the one that serves, more "
                       "than maxmemory leaves",
                       cost);
    bool other = !schema_equal(&c->spec.schema, &m->spec.schema);
    if (other && !db_has_room(db, collection_schema_cost(c, &m->spec.schema)))
        return ERR_NOMEM;
    return collection_prepare_alter(c, &m->spec);
}

void change_swap_halves(struct db *db)
{
    struct change_half now = {db->object, db->grown, db->in_place, db->tree, db->empties};
    db->object = db->half.object;
    db->grown = db->half.grown;
    db->in_place = db->half.in_place;
    db->tree = db->half.tree;
    db->empties = db->half.empties;
    db->half = now;
}

static void discard_half(struct db *db)
{
    db->empties = false;
    db->fields_expire_ms = 0;
    db->grown = db->in_place = NULL;
    tree_change_discard(&db->tree);
    tree_edit_discard(&db->edit);
    zset_tree_edit_discard(&db->zset_edit);
    tree_change_discard(&db->members);
    indexes_discard(db);
    if (db->object == NULL)
        return;
    object_drop_large(db->object);
    if (db->object->type == OBJECT_COLLECTION && db->object->collection != NULL)
        collection_drop(db->object->collection);
    object_free(db->object);
    db->object = NULL;
}

/* Takes back what was prepared for a change that does not come. */
static void discard(struct db *db)
{
    discard_half(db);
    if (db->half.object == NULL && db->half.grown == NULL && db->half.in_place == NULL &&
        !db->half.empties)
        return;
    change_swap_halves(db);
    discard_half(db);
}

/* What is being put in slices is there before it changes. */
static void settle(struct db *db, const struct mutation *m)
{
    if (db->bulk == NULL || m->kind == MUTATION_TICK)
        return;
    bulk_settle(db, m->kind == MUTATION_FLUSH ? (struct slice){0} : m->key);
    if (m->kind == MUTATION_KEY_RENAME || m->kind == MUTATION_LIST_MOVE)
        bulk_settle(db, m->new_key);
}

static enum err prepare_index(struct db *db, const struct mutation *m, struct why *why)
{
    if (m->kind == MUTATION_INDEX_NEW)
        return indexes_prepare(db, m, why);
    if (m->kind == MUTATION_INDEX_ALTER)
        return indexes_prepare_alter(db, m, why);
    if (m->kind == MUTATION_INDEX_REMOVE)
        return indexes_named(db, m->key) == NULL ? ERR_NOT_FOUND : OK;
    if (m->kind == MUTATION_WORDS_ADD || m->kind == MUTATION_WORDS_REMOVE)
        return word_lists_prepare(db, m, why);
    return indexes_prepare_alias(db, m, why);
}

static enum err prepare(struct db *db, const struct mutation *m, struct why *why)
{
    enum err e = OK;
    struct collection *c;
    settle(db, m);
    switch (m->kind) {
    case MUTATION_STRING_SET:
        e = change_prepare_object(db, m->key, OBJECT_STRING, m->value, m->expire_ms);
        break;
    case MUTATION_STRING_RANGE:
        e = prepare_range(db, m);
        break;
    case MUTATION_KEY_EXPIRE:
        e = keyspace_reserve_expiry(&db->keys) ? OK : ERR_NOMEM;
        break;
    case MUTATION_KEY_RENAME:
        e = prepare_rename(db, m);
        break;
    case MUTATION_COLLECTION_NEW:
        e = prepare_collection(db, m->key, &m->spec, &c);
        break;
    case MUTATION_PUT:
        e = prepare_put(db, m, why);
        break;
    case MUTATION_COLLECTION_ALTER:
        e = prepare_alter(db, m, why);
        break;
    case MUTATION_PARTITION_NEW:
    case MUTATION_PARTITION_DROP:
        e = prepare_partition(db, m, why);
        break;
    case MUTATION_SET_ATTRIBUTE:
        e = prepare_attribute(db, m);
        break;
    case MUTATION_HASH_SET:
    case MUTATION_HASH_REMOVE:
    case MUTATION_HASH_EXPIRE:
        e = change_prepare_hash(db, m);
        break;
    MUTATIONS_OF_LISTS:
        e = change_prepare_list(db, m);
        break;
    MUTATIONS_OF_SETS:
        e = change_prepare_members(db, m);
        break;
    MUTATIONS_OF_JSON:
        e = change_prepare_json(db, m, why);
        break;
    case MUTATION_INDEX_NEW:
    case MUTATION_INDEX_REMOVE:
    case MUTATION_INDEX_ALTER:
    case MUTATION_ALIAS_SET:
    case MUTATION_ALIAS_REMOVE:
    case MUTATION_WORDS_ADD:
    case MUTATION_WORDS_REMOVE:
        e = prepare_index(db, m, why);
        break;
    case MUTATION_KEY_REMOVE:
    case MUTATION_FLUSH:
    case MUTATION_REMOVE:
    case MUTATION_TICK:
        break;
    }
    if (e != OK)
        discard(db);
    return e;
}

/* -- applying ---------------------------------------------------------------------------------- */

void change_free(struct db *db, struct object *o)
{
    if (o == NULL)
        return;
    if (o->type == OBJECT_COLLECTION)
        collection_drop(o->collection);
    flush_large(db, o);
    if (o->hold == OBJECT_HELD)
        db->background.retired->bytes += mem_size(o);
    if (!db->keeps_gone) {
        object_free(o);
        return;
    }
    CHECK(db->gone_count < COUNT_OF(db->gone));
    db->gone[db->gone_count++] = o;
}

static void free_gone(struct db *db)
{
    db->keeps_gone = false;
    while (db->gone_count > 0)
        object_free(db->gone[--db->gone_count]);
}

void change_publish(struct db *db)
{
    struct object *o = db->object;
    CHECK(o != NULL);
    db->object = NULL;
    if (o->type == OBJECT_COLLECTION)
        o->collection->object = o;
    change_free(db, keyspace_publish(&db->keys, o));
    if (o->type == OBJECT_HASH)
        keyspace_set_fields_expiry(&db->keys, o, db->fields_expire_ms);
    db->fields_expire_ms = 0;
}

static void apply_put(struct db *db, const struct mutation *m, uint64_t lsn)
{
    if (db->object != NULL)
        change_publish(db);
    struct object *o = keyspace_get(&db->keys, m->key);
    CHECK(o != NULL && o->type == OBJECT_COLLECTION);
    collection_put(o->collection, m, lsn);
    db->vectors_added += m->count;
    db->changes += m->count;
}

/* An implicit set goes with its last element, as in Redis. */
static void apply_remove(struct db *db, const struct mutation *m, uint64_t lsn)
{
    struct object *o = keyspace_get(&db->keys, m->key);
    if (o == NULL || o->type != OBJECT_COLLECTION)
        return;
    struct collection *c = o->collection;
    size_t removed = 0;
    for (size_t i = 0; i < m->count; i++)
        removed += collection_remove(c, m->ids[i], lsn);
    db->vectors_removed += removed;
    db->changes += removed;
    if (c->live == 0 && c->spec.implicit)
        change_free(db, keyspace_take(&db->keys, m->key));
}

static void apply_expire(struct db *db, const struct mutation *m)
{
    struct object *o = keyspace_get(&db->keys, m->key);
    if (o != NULL)
        keyspace_set_expiry(&db->keys, o, m->expire_ms);
}

/* A collection stays where it is: only the object that leads to it is another one. */
static void apply_rename(struct db *db, const struct mutation *m)
{
    struct object *old = keyspace_take(&db->keys, m->key);
    CHECK(old != NULL && db->object != NULL && old->type == db->object->type);
    struct object *o = db->object;
    if (o->type == OBJECT_COLLECTION)
        o->collection = old->collection;
    if (old->is_large) {
        o->large = old->large;
        o->is_large = true;
        old->is_large = false;
    }
    uint32_t access = old->access;
    if (old->hold == OBJECT_HELD)
        db->background.retired->bytes += mem_size(old);
    object_free(old);
    change_publish(db);
    o->access = access;
}

/* A snapshot under way has tuning and schema as they were first. */
static void apply_alter(struct db *db, const struct mutation *m)
{
    struct object *o = keyspace_get(&db->keys, m->key);
    CHECK(o != NULL && o->type == OBJECT_COLLECTION);
    keyspace_touch(&db->keys, o);
    collection_alter(o->collection, &m->spec);
}

/* Likewise: the partitions as they were first. */
static void apply_partition(struct db *db, const struct mutation *m, uint64_t lsn)
{
    struct object *o = keyspace_get(&db->keys, m->key);
    CHECK(o != NULL && o->type == OBJECT_COLLECTION && o->collection->partitions != NULL);
    struct partitions *p = o->collection->partitions;
    keyspace_touch(&db->keys, o);
    if (m->kind == MUTATION_PARTITION_NEW) {
        partitions_apply_new(p);
        return;
    }
    size_t before = p->dying.count;
    partitions_apply_drop(p, lsn);
    db->vectors_removed += p->dying.count - before;
    db->changes += p->dying.count - before;
}

static void apply_attribute(struct db *db, const struct mutation *m)
{
    struct object *o = keyspace_get(&db->keys, m->key);
    CHECK(m->count == 1);
    if (o != NULL && o->type == OBJECT_COLLECTION)
        collection_set_attribute(o->collection, m->ids[0], m->value);
}

void db_clear(struct db *db)
{
    bulk_settle(db, (struct slice){0});
    indexes_remove_all(db);
    word_lists_free(&db->dictionaries);
    flush_finish(db);
    keyspace_touch_all(&db->keys);
    struct keyspace all = db->keys;
    keyspace_init(&db->keys, all.hash_seed);
    db->keys.access = all.access;
    for (uint32_t i = 0; i < all.used; i++) {
        change_free(db, all.objects[i]);
        all.objects[i] = NULL;
    }
    keyspace_fini(&all);
}

/* Elements are counted where they change. */
static size_t keys_changed_by(const struct db *db, const struct mutation *m)
{
    switch (m->kind) {
    case MUTATION_STRING_SET:
    case MUTATION_STRING_RANGE:
    case MUTATION_COLLECTION_NEW:
    case MUTATION_KEY_EXPIRE:
    case MUTATION_KEY_RENAME:
    case MUTATION_KEY_REMOVE:
    case MUTATION_SET_ATTRIBUTE:
    case MUTATION_COLLECTION_ALTER:
    case MUTATION_PARTITION_NEW:
    case MUTATION_PARTITION_DROP:
    case MUTATION_INDEX_NEW:
    MUTATIONS_OF_JSON:
    case MUTATION_INDEX_REMOVE:
    case MUTATION_LIST_SET:
    case MUTATION_LIST_INSERT:
    case MUTATION_LIST_MOVE:
    case MUTATION_INDEX_ALTER:
    case MUTATION_ALIAS_SET:
    case MUTATION_ALIAS_REMOVE:
    case MUTATION_WORDS_ADD:
    case MUTATION_WORDS_REMOVE:
        return 1;
    case MUTATION_FLUSH:
        return keyspace_count(&db->keys);
    case MUTATION_HASH_SET:
    case MUTATION_HASH_REMOVE:
    case MUTATION_HASH_EXPIRE:
    case MUTATION_LIST_PUSH:
    MUTATIONS_OF_SETS:
        return m->count;
    case MUTATION_LIST_TRIM:
        return m->offset + m->limit;
    case MUTATION_LIST_REMOVE:
        return m->limit;
    case MUTATION_PUT:
    case MUTATION_REMOVE:
    case MUTATION_TICK:
        break;
    }
    return 0;
}

/* The only way data changes. */
static void apply_index(struct db *db, const struct mutation *m)
{
    if (m->kind == MUTATION_INDEX_NEW)
        indexes_publish(db);
    else if (m->kind == MUTATION_INDEX_REMOVE)
        indexes_remove(db, m->key);
    else if (m->kind == MUTATION_INDEX_ALTER)
        indexes_publish_alter(db, m->key);
    else if (m->kind == MUTATION_ALIAS_SET)
        indexes_publish_alias(db, m->new_key);
    else if (m->kind == MUTATION_ALIAS_REMOVE)
        indexes_remove_alias(db, m->key);
    else
        word_lists_apply(db, m);
}

static void db_apply(struct db *db, const struct mutation *m, uint64_t lsn)
{
    if (db->on_change != NULL)
        db->on_change(db->on_change_user, m);
    db->changes += keys_changed_by(db, m);
    db->keeps_gone = db->indexes != NULL && m->kind != MUTATION_FLUSH;
    switch (m->kind) {
    case MUTATION_STRING_SET:
    case MUTATION_STRING_RANGE:
    case MUTATION_COLLECTION_NEW:
    MUTATIONS_OF_JSON:
        change_publish(db);
        break;
    case MUTATION_KEY_EXPIRE:
        apply_expire(db, m);
        break;
    case MUTATION_KEY_RENAME:
        apply_rename(db, m);
        break;
    case MUTATION_KEY_REMOVE:
        change_free(db, keyspace_take(&db->keys, m->key));
        break;
    case MUTATION_FLUSH:
        indexes_remove_all(db); /* as RediSearch has it */
        word_lists_free(&db->dictionaries);
        if (!flush_keys(db))
            db_clear(db);
        break;
    case MUTATION_PUT:
        apply_put(db, m, lsn);
        break;
    case MUTATION_REMOVE:
        apply_remove(db, m, lsn);
        break;
    case MUTATION_COLLECTION_ALTER:
        apply_alter(db, m);
        break;
    case MUTATION_PARTITION_NEW:
    case MUTATION_PARTITION_DROP:
        apply_partition(db, m, lsn);
        break;
    case MUTATION_SET_ATTRIBUTE:
        apply_attribute(db, m);
        break;
    case MUTATION_HASH_SET:
    case MUTATION_HASH_REMOVE:
    case MUTATION_HASH_EXPIRE:
        change_apply_hash(db, m);
        break;
    MUTATIONS_OF_LISTS:
        change_apply_list(db, m);
        break;
    MUTATIONS_OF_SETS:
        change_apply_members(db, m);
        break;
    case MUTATION_INDEX_NEW:
    case MUTATION_INDEX_REMOVE:
    case MUTATION_INDEX_ALTER:
    case MUTATION_ALIAS_SET:
    case MUTATION_ALIAS_REMOVE:
    case MUTATION_WORDS_ADD:
    case MUTATION_WORDS_REMOVE:
        apply_index(db, m);
        break;
    case MUTATION_TICK:
        break;
    }
    indexes_follow(db, m, lsn);
    free_gone(db);
    CHECK(db->object == NULL && db->grown == NULL && db->index == NULL && !db->empties);
    CHECK(db->in_place == NULL && db->alias == NULL && db->word_list == NULL);
}

void db_begin(struct db *db)
{
    if (PLANTED(PLANT_BATCH_SPLIT))
        return;
    mlog_begin(&db->log);
}

void db_commit(struct db *db)
{
    CHECK(db->object == NULL);
    if (PLANTED(PLANT_BATCH_SPLIT) && !db->log.open)
        return;
    mlog_commit(&db->log);
}

enum err db_reserve(struct db *db, const struct mutation *m, struct why *why)
{
    enum err e = prepare(db, m, why);
    discard(db);
    return e;
}

static enum err record_full(const struct db *db, struct why *why)
{
    return why_set(why, ERR_LIMIT, "a command, or a transaction, changes at most %zu bytes",
                   db->log.record_size_max);
}

enum err db_reserve_log(struct db *db, size_t size, struct why *why)
{
    enum err e = mlog_reserve(&db->log, size);
    return e == ERR_LIMIT ? record_full(db, why) : e;
}

enum err db_write(struct db *db, const struct mutation *m, uint64_t *lsn, struct why *why)
{
    db->follows = false;
    enum err e = prepare(db, m, why);
    if (e != OK)
        return e;
    bool alone = !db->log.open;
    if (alone)
        mlog_begin(&db->log);
    e = mlog_append(&db->log, m, lsn);
    if (e == OK)
        db_apply(db, m, *lsn);
    else
        discard(db);
    if (e == ERR_LIMIT)
        e = record_full(db, why);
    if (alone)
        db_commit(db);
    return e;
}

/* -- all or none ------------------------------------------------------------------------------- */

enum err db_remove_keys(struct db *db, const struct slice *keys, size_t count, size_t *removed,
                        uint64_t *lsn, struct why *why)
{
    size_t size = 0;
    struct mutation m = {.kind = MUTATION_KEY_REMOVE};
    for (size_t i = 0; i < count; i++) {
        m.key = keys[i];
        if (db_find(db, m.key) != NULL)
            size += batch_size_max(&m);
    }
    enum err e = db_reserve_log(db, size, why);
    *removed = 0;
    for (size_t i = 0; i < count && e == OK; i++) {
        m.key = keys[i];
        if (db_find(db, m.key) == NULL)
            continue;
        e = db_write(db, &m, lsn, why);
        CHECK(e == OK); /* the log has room */
        (*removed)++;
    }
    return e;
}

static struct mutation value_of(enum object_type type, const struct slice *pair)
{
    bool string = type == OBJECT_STRING;
    CHECK(string || type == OBJECT_JSON);
    return (struct mutation){.kind = string ? MUTATION_STRING_SET : MUTATION_JSON_SET,
                             .key = pair[0],
                             .value = pair[1],
                             .path = string ? (struct slice){0} : slice_of("$")};
}

/* A document expires when the one before it did, a string never. */
static struct object *make_value(struct db *db, enum object_type type, const struct mutation *m)
{
    const struct object *old = type == OBJECT_JSON ? keyspace_get(&db->keys, m->key) : NULL;
    uint64_t expire_ms = old == NULL ? 0 : old->expire_ms;
    if (expire_ms > 0 && !keyspace_reserve_expiry(&db->keys))
        return NULL;
    return keyspace_make_object(&db->keys, m->key, type, m->value, expire_ms);
}

/* Objects of all pairs, and room for them. On error those that were made stay in the array. */
static enum err prepare_values(struct db *db, enum object_type type, const struct slice *pairs,
                               size_t count, struct object **objects, struct why *why)
{
    size_t size = 0;
    if (!keyspace_reserve(&db->keys, count / 2))
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i += 2) {
        struct mutation m = value_of(type, &pairs[i]);
        size += batch_size_max(&m);
        objects[i / 2] = make_value(db, type, &m);
        if (objects[i / 2] == NULL)
            return ERR_NOMEM;
    }
    return db_reserve_log(db, size, why);
}

enum err db_set_values(struct db *db, enum object_type type, const struct slice *pairs,
                       size_t count, uint64_t *lsn, struct why *why)
{
    size_t bytes = 0;
    CHECK(count % 2 == 0 && db->log.open && db->object == NULL);
    db->follows = false;
    for (size_t i = 0; i < count; i += 2)
        bytes += object_size(pairs[i].len, pairs[i + 1].len);
    if (!db_has_room(db, bytes))
        return ERR_NOMEM;
    struct object **objects = mem_try_calloc(MEM_SCRATCH, count / 2 * sizeof(*objects));
    if (objects == NULL)
        return ERR_NOMEM;
    enum err e = prepare_values(db, type, pairs, count, objects, why);
    for (size_t i = 0; i < count && e == OK; i += 2) {
        struct mutation m = value_of(type, &pairs[i]);
        e = mlog_append(&db->log, &m, lsn);
        CHECK(e == OK); /* the log has room */
        db->object = objects[i / 2];
        objects[i / 2] = NULL;
        db_apply(db, &m, *lsn);
    }
    for (size_t i = 0; i < count / 2 && e != OK; i++)
        if (objects[i] != NULL)
            object_free(objects[i]);
    mem_free(MEM_SCRATCH, objects);
    return e;
}

/* One mutation of the record that has this LSN. */
static enum err replay_one(struct db *db, const struct mutation *m, uint64_t lsn, struct why *why)
{
    CHECK(!db->log.open && lsn == db->log.last_lsn);
    db->follows = db->replaying = true;
    enum err e = prepare(db, m, why);
    db->replaying = false;
    if (e == OK)
        db_apply(db, m, lsn);
    else if (e != ERR_NOMEM)
        e = why_set(why, ERR_CORRUPT, "%s does not fit the data: %s", mutation_name(m->kind),
                    err_text(e));
    return e;
}

void db_replay_end(struct db *db)
{
    db->follows = db->has_losses = false;
}

enum err db_replay(struct db *db, const struct mutation *m, uint64_t lsn, struct why *why)
{
    CHECK(lsn == db->log.last_lsn + 1);
    db->log.last_lsn = lsn;
    enum err e = replay_one(db, m, lsn, why);
    if (e != OK)
        db->log.last_lsn--;
    return e;
}

enum err db_replay_record(struct db *db, struct slice bytes, uint64_t lsn, struct why *why)
{
    struct batch_reader r;
    CHECK(lsn == db->log.last_lsn + 1);
    enum err e = batch_check(bytes, why);
    if (e != OK)
        return e;
    e = batch_open(bytes, &r, why);
    db->log.last_lsn = lsn;
    while (e == OK && r.left > 0) {
        struct mutation m;
        e = batch_next(&r, &m, why);
        if (e != OK)
            break;
        e = replay_one(db, &m, lsn, why);
        mutation_free(&m);
    }
    return e;
}
