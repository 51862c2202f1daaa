#include "db/bulk.h"

#include "db/db.h"

enum { SETTLE_SLOTS = 1024 /* of a map that is being resized, in one piece */ };

static void check_claim(const struct bulk *b)
{
    CHECK(b->db->bulk == b && b->collection->bulk == b && !b->collection->dropped);
}

void bulk_claim(struct bulk *b, struct db *db, struct collection *c)
{
    CHECK(db->bulk == NULL && c->bulk == NULL && !db->log.open);
    *b = (struct bulk){.db = db, .collection = c, .state = BULK_CLAIMED};
    db->bulk = b;
    c->bulk = b;
    db->background.rows_held++;
}

static void let_go(struct bulk *b, enum bulk_state state)
{
    check_claim(b);
    CHECK(b->db->background.rows_held > 0);
    b->db->background.rows_held--;
    b->collection->bulk = NULL;
    b->collection = NULL;
    b->db->bulk = NULL;
    b->state = state;
}

void bulk_release(struct bulk *b)
{
    if (b->state == BULK_CLAIMED)
        let_go(b, BULK_IDLE);
    CHECK(b->state != BULK_APPLYING);
}

enum err bulk_prepare(struct bulk *b, const struct bulk_size *size, bool *more)
{
    struct collection *c = b->collection;
    check_claim(b);
    CHECK(b->state == BULK_CLAIMED && size->count > 0);
    *more = !map_settle(&c->ids, SETTLE_SLOTS);
    if (*more)
        return OK;
    if (!db_has_room(b->db, collection_growth(c, size->count, size->heap_bytes)))
        return ERR_NOMEM;
    return collection_prepare_rows(c, size->count, size->heap_bytes, size->expires);
}

void bulk_spans(const struct bulk *b, const struct bulk_size *size, struct bulk_spans *out)
{
    const struct collection *c = b->collection;
    size_t fresh = size->count > c->free_rows.count ? size->count - c->free_rows.count : 0;
    uint32_t first = c->rows_end, end = first + (uint32_t)fresh;
    struct column_span *list = out->list;
    uint8_t *heap = NULL;
    size_t room = heap_room(&c->heap, &heap);
    check_claim(b);
    out->count = columns_spans(&c->columns, first, end, list);
    if (c->aging != NULL)
        out->count += columns_spans(&c->aging->columns, first, end, list + out->count);
    if (c->side->graph != NULL)
        out->count += c->side->graph->ops->spans(c->side->graph, first, end, list + out->count);
    if (room > size->heap_bytes)
        room = size->heap_bytes;
    if (room > 0)
        list[out->count++] = (struct column_span){heap, room};
    CHECK(out->count <= BULK_SPANS_MAX);
}

enum err bulk_write(struct bulk *b, const struct mutation *put, bool replaces,
                    struct mlog_ready *ready)
{
    struct db *db = b->db;
    check_claim(b);
    CHECK(b->state == BULK_CLAIMED && put->kind == MUTATION_PUT && !put->creates);
    enum err e = mlog_write_ready(&db->log, ready, &b->lsn);
    if (e != OK)
        return e;
    b->put = put;
    b->replaces = replaces || b->collection->partitions != NULL;
    b->live = collection_sums(b->collection).count;
    b->state = BULK_APPLYING;
    if (db->on_change != NULL)
        db->on_change(db->on_change_user, put);
    return OK;
}

void bulk_apply(struct bulk *b, size_t most)
{
    size_t left = b->put->count - b->done, count = most < left ? most : left;
    struct mutation some = *b->put;
    check_claim(b);
    CHECK(b->state == BULK_APPLYING);
    some.elements += b->done;
    some.count = count;
    collection_put(b->collection, &some, b->lsn);
    (void)map_settle(&b->collection->ids, 2 * count);
    b->done += count;
    b->db->vectors_added += count;
    b->db->changes += count;
    if (b->done == b->put->count)
        let_go(b, BULK_APPLIED);
}

void bulk_settle(struct db *db, struct slice key)
{
    struct bulk *b = db->bulk;
    if (b == NULL || (key.ptr != NULL && !slice_eq(key, object_key(b->collection->object))))
        return;
    if (b->state == BULK_APPLYING)
        bulk_apply(b, SIZE_MAX);
    else
        let_go(b, BULK_OUTDATED);
}

uint64_t bulk_view_lsn(const struct db *db, const struct collection *c)
{
    bool hides = c->bulk != NULL && c->bulk->state == BULK_APPLYING;
    return hides ? c->bulk->lsn - 1 : db->log.last_lsn;
}

bool bulk_hides(const struct db *db, const struct collection *c, uint32_t row)
{
    if (c->bulk == NULL || c->bulk->state != BULK_APPLYING)
        return false;
    const _Atomic uint64_t *birth = (const _Atomic uint64_t *)c->columns.base[COL_BIRTH];
    return atomic_load_explicit(&birth[row], memory_order_relaxed) > bulk_view_lsn(db, c);
}
