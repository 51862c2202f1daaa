/* Changes of hashes. A packed one is made anew; of a large one the nodes that change are. */
#include "db/change.h"
#include "db/hashes.h"

enum {
    SCRATCH_KEPT = 64 * 1024,
    FIELD_ROOM = 64 /* of memory for a field of a large hash, besides its bytes, about */
};

/* -- packed ------------------------------------------------------------------------------------ */

/* Changes one field of those in the scratch buffer; *count: of them. Returns whether anything is
 * different then. */
static bool change_packed(struct db *db, const struct mutation *m, size_t i, uint32_t *count)
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

/* -- large ------------------------------------------------------------------------------------- */

static bool change_large(struct tree_change *c, const struct mutation *m, size_t i)
{
    if (m->kind == MUTATION_HASH_SET)
        return hash_tree_set(c, &m->fields[i]) || true;
    if (m->kind == MUTATION_HASH_EXPIRE)
        return hash_tree_expire(c, m->ids[i], m->expire_ms);
    return hash_tree_remove(c, m->ids[i]);
}

static bool has_room(struct db *db, const struct mutation *m)
{
    size_t bytes = 0;
    for (size_t i = 0; m->kind == MUTATION_HASH_SET && i < m->count; i++)
        bytes += m->fields[i].name.len + m->fields[i].value.len + FIELD_ROOM;
    return db_has_room(db, bytes);
}

/* One field, whose leaf can change by itself. */
static bool edits_large(struct db *db, const struct mutation *m, const struct object *o)
{
    const struct tree *t = &o->large->tree;
    if (m->count != 1 || m->kind == MUTATION_HASH_EXPIRE)
        return false;
    if (m->kind == MUTATION_HASH_SET)
        return hash_tree_edit(&db->edit, t, &db->hash_ops, m->fields[0].name, &m->fields[0]);
    return hash_tree_edit(&db->edit, t, &db->hash_ops, m->ids[0], NULL);
}

static enum err prepare_large(struct db *db, const struct mutation *m, struct object *o)
{
    bool differs = false;
    if (!has_room(db, m))
        return ERR_NOMEM;
    /* Whoever wants the hash as it is has it before nodes are taken over from it. */
    keyspace_touch(&db->keys, o);
    if (edits_large(db, m, o)) {
        db->grown = o;
        db->fields_expire_ms = o->large->tree.soonest;
        return OK;
    }
    tree_change_begin(&db->tree, &o->large->tree, &db->hash_ops);
    for (size_t i = 0; i < m->count && !db->tree.failed; i++)
        differs |= change_large(&db->tree, m, i);
    enum err e = change_finish_large(db, o, differs);
    if (e != OK)
        return e;
    db->fields_expire_ms = db->empties ? 0 : db->tree.tree.soonest;
    return db->fields_expire_ms > 0 && !keyspace_reserve_fields(&db->keys) ? ERR_NOMEM : OK;
}

/* A large one in place of a packed one, or of none: the fields of a pack, then the changes from
 * first on. */
static enum err prepare_growth(struct db *db, const struct mutation *m, const struct object *old,
                               struct slice pack, size_t first)
{
    struct hash_field f;
    if (!has_room(db, m))
        return ERR_NOMEM;
    enum err e = change_prepare_object(db, m->key, OBJECT_HASH, (struct slice){0},
                                       old == NULL ? 0 : old->expire_ms);
    if (e != OK)
        return e;
    if (!object_make_large(db->object))
        return ERR_NOMEM;
    tree_change_begin(&db->tree, &db->object->large->tree, &db->hash_ops);
    while (!db->tree.failed && hash_next(&pack, &f))
        (void)hash_tree_set(&db->tree, &f);
    for (size_t i = first; i < m->count && !db->tree.failed; i++)
        (void)change_large(&db->tree, m, i);
    if (db->tree.failed)
        return ERR_NOMEM;
    CHECK(db->tree.tree.count > 0);
    db->grown = db->object;
    db->fields_expire_ms = db->tree.tree.soonest;
    return db->fields_expire_ms > 0 && !keyspace_reserve_fields(&db->keys) ? ERR_NOMEM : OK;
}

/* -- either ------------------------------------------------------------------------------------ */

static bool is_too_large(const struct db *db, size_t count, size_t bytes)
{
    return count > db->packed_count_max || bytes > db->packed_bytes_max;
}

enum err change_prepare_hash(struct db *db, const struct mutation *m)
{
    struct object *old = keyspace_get(&db->keys, m->key);
    bool sets = m->kind == MUTATION_HASH_SET, differs = false;
    if (old != NULL && old->type != OBJECT_HASH)
        return ERR_TYPE;
    if (old != NULL && old->is_large)
        return prepare_large(db, m, old);
    uint32_t count = old == NULL ? 0 : old->count;
    struct slice before = old == NULL ? (struct slice){0} : object_value(old);
    if (sets && is_too_large(db, count + m->count, 0))
        return prepare_growth(db, m, old, before, 0);
    buf_clear(&db->scratch, SCRATCH_KEPT);
    buf_append_slice(&db->scratch, before);
    for (size_t i = 0; i < m->count && !buf_failed(&db->scratch); i++) {
        if (sets && is_too_large(db, 0, db->scratch.len + m->fields[i].value.len))
            return prepare_growth(db, m, old, buf_slice(&db->scratch), i);
        differs |= change_packed(db, m, i, &count);
    }
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

static void apply_edit(struct db *db, const struct mutation *m, struct tree *t)
{
    uint8_t *to = tree_edit_apply(&db->edit, t);
    if (to != NULL)
        (void)hash_field_put(to, &m->fields[0]);
}

void change_apply_hash(struct db *db, const struct mutation *m)
{
    CHECK(!db->empties || (db->object == NULL && db->grown == NULL));
    struct object *grown = db->grown;
    db->grown = NULL;
    if (db->edit.is_open)
        apply_edit(db, m, &grown->large->tree);
    else if (grown != NULL)
        tree_change_apply(&db->tree, &grown->large->tree);
    if (db->object != NULL) {
        change_publish(db);
    } else if (grown != NULL) {
        keyspace_set_fields_expiry(&db->keys, grown, db->fields_expire_ms);
        db->fields_expire_ms = 0;
    } else if (db->empties) {
        change_free(db, keyspace_take(&db->keys, m->key));
    }
    db->empties = false;
    db->fields_expire_ms = 0;
}
