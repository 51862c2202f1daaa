/* Changes of hashes. */
#include "db/change.h"

enum { SCRATCH_KEPT = 64 * 1024 };

/* Changes one field of those in the scratch buffer; *count: of them. Returns whether anything is
 * different then. */
static bool change_field(struct db *db, const struct mutation *m, size_t i, uint32_t *count)
{
    struct buf *pack = &db->scratch;
    if (m->kind == MUTATION_HASH_SET) {
        *count += hash_pack_set(pack, &m->fields[i]);
        return true;
    }
    if (m->kind == MUTATION_HASH_EXPIRE)
        return hash_pack_expire(pack, m->ids[i], m->expire_ms);
    CHECK(m->kind == MUTATION_HASH_REMOVE);
    bool removed = hash_pack_remove(pack, m->ids[i]);
    *count -= removed;
    return removed;
}

enum err change_prepare_hash(struct db *db, const struct mutation *m)
{
    const struct object *old = keyspace_get(&db->keys, m->key);
    uint32_t count = old == NULL ? 0 : old->count;
    bool differs = false;
    if (old != NULL && old->type != OBJECT_HASH)
        return ERR_TYPE;
    buf_clear(&db->scratch, SCRATCH_KEPT);
    if (old != NULL)
        buf_append_slice(&db->scratch, object_value(old));
    for (size_t i = 0; i < m->count && !buf_failed(&db->scratch); i++)
        differs |= change_field(db, m, i, &count);
    if (buf_failed(&db->scratch))
        return ERR_NOMEM;
    db->empties = differs && count == 0;
    if (!differs || db->empties)
        return OK;
    enum err e = change_prepare_object(db, m->key, OBJECT_HASH, buf_slice(&db->scratch),
                                       old == NULL ? 0 : old->expire_ms);
    if (e != OK)
        return e;
    db->object->count = count;
    db->fields_expire_ms = hash_pack_expiry(buf_slice(&db->scratch));
    return db->fields_expire_ms > 0 && !keyspace_reserve_fields(&db->keys) ? ERR_NOMEM : OK;
}

void change_apply_hash(struct db *db, const struct mutation *m)
{
    CHECK(!db->empties || db->object == NULL);
    if (db->object != NULL)
        change_publish(db);
    else if (db->empties)
        change_free(db, keyspace_take(&db->keys, m->key));
    db->empties = false;
}
