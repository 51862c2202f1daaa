/* Changes of sets and sorted sets. A packed one is made anew; of a large one the nodes that change
 * are, and both trees of a sorted set change or none does. */
#include "db/change.h"
#include "types/set.h"

enum {
    SCRATCH_KEPT = 64 * 1024,
    MEMBER_ROOM = 64 /* of memory for a member of a large one, besides its bytes, about */
};

static enum object_type type_of(const struct mutation *m)
{
    bool sorted = m->kind == MUTATION_ZSET_ADD || m->kind == MUTATION_ZSET_REMOVE;
    return sorted ? OBJECT_ZSET : OBJECT_SET;
}

static bool adds(const struct mutation *m)
{
    return m->kind == MUTATION_SET_ADD || m->kind == MUTATION_ZSET_ADD;
}

static struct slice member_at(const struct mutation *m, size_t i)
{
    return m->kind == MUTATION_ZSET_ADD ? m->members[i].member : m->ids[i];
}

/* -- packed ------------------------------------------------------------------------------------ */

/* Changes one member of those in the scratch buffer; *count: of them. Returns whether anything is
 * different then. */
static bool change_packed(struct db *db, const struct mutation *m, size_t i, uint32_t *count)
{
    struct buf *pack = &db->scratch;
    bool changed;
    if (m->kind == MUTATION_ZSET_ADD) {
        *count += zset_pack_add(pack, &m->members[i]);
        return true;
    }
    if (m->kind == MUTATION_SET_ADD) {
        changed = set_pack_add(pack, m->ids[i]);
        *count += changed;
        return changed;
    }
    changed = m->kind == MUTATION_SET_REMOVE ? set_pack_remove(pack, m->ids[i])
                                             : zset_pack_remove(pack, m->ids[i]);
    *count -= changed;
    return changed;
}

/* -- large ------------------------------------------------------------------------------------- */

static void begin_large(struct db *db, const struct large *large, enum object_type type)
{
    bool sorted = type == OBJECT_ZSET;
    tree_change_begin(&db->tree, &large->tree, sorted ? &db->order_ops : &db->set_ops);
    if (sorted)
        tree_change_begin(&db->members, &large->members, &db->member_ops);
}

static bool has_failed(const struct db *db)
{
    return db->tree.failed || db->members.failed;
}

static bool change_large(struct db *db, const struct mutation *m, size_t i)
{
    const struct zset_change both = {&db->tree, &db->members};
    if (m->kind == MUTATION_SET_ADD)
        return set_tree_add(&db->tree, m->ids[i]);
    if (m->kind == MUTATION_SET_REMOVE)
        return set_tree_remove(&db->tree, m->ids[i]);
    if (m->kind == MUTATION_ZSET_ADD)
        return zset_tree_add(&both, &m->members[i]) || true;
    CHECK(m->kind == MUTATION_ZSET_REMOVE);
    return zset_tree_remove(&both, m->ids[i]);
}

/* Of a sorted set there is everything twice. */
static bool has_room(const struct db *db, const struct mutation *m)
{
    size_t bytes = 0;
    for (size_t i = 0; adds(m) && i < m->count; i++)
        bytes += member_at(m, i).len + MEMBER_ROOM;
    return db_has_room(db, m->kind == MUTATION_ZSET_ADD ? 2 * bytes : bytes);
}

static struct zset_trees trees_of(const struct db *db, const struct large *large)
{
    return (struct zset_trees){&large->tree, &large->members, &db->order_ops, &db->member_ops};
}

/* One member, whose leaves can change by themselves. */
static bool edits_large(struct db *db, const struct mutation *m, const struct object *o)
{
    const struct zset_trees both = trees_of(db, o->large);
    if (m->count != 1)
        return false;
    if (m->kind == MUTATION_ZSET_ADD)
        return zset_tree_edit_add(&db->zset_edit, &both, &m->members[0]);
    if (m->kind == MUTATION_ZSET_REMOVE)
        return zset_tree_edit_remove(&db->zset_edit, &both, m->ids[0]);
    return set_tree_edit(&db->edit, &o->large->tree, &db->set_ops, m->ids[0], adds(m));
}

enum err change_finish_large(struct db *db, struct object *o, bool differs)
{
    if (has_failed(db))
        return ERR_NOMEM;
    db->empties = db->tree.tree.count == 0;
    if (differs && !db->empties) {
        db->grown = o;
        return OK;
    }
    tree_change_discard(&db->tree);
    tree_change_discard(&db->members);
    return OK;
}

static enum err prepare_large(struct db *db, const struct mutation *m, struct object *o)
{
    bool differs = false;
    if (!has_room(db, m))
        return ERR_NOMEM;
    /* Whoever wants it as it is has it before nodes are taken over from it. */
    keyspace_touch(&db->keys, o);
    if (edits_large(db, m, o)) {
        db->grown = o;
        return OK;
    }
    begin_large(db, o->large, type_of(m));
    for (size_t i = 0; i < m->count && !has_failed(db); i++)
        differs |= change_large(db, m, i);
    return change_finish_large(db, o, differs);
}

/* What a pack has goes into the trees. */
static void take_over(struct db *db, enum object_type type, struct slice pack)
{
    const struct zset_change both = {&db->tree, &db->members};
    struct scored s;
    struct slice member;
    if (type == OBJECT_ZSET)
        while (!has_failed(db) && zset_next(&pack, &s))
            (void)zset_tree_add(&both, &s);
    else
        while (!has_failed(db) && set_next(&pack, &member))
            (void)set_tree_add(&db->tree, member);
}

/* A large one in place of a packed one, or of none: the members of a pack, then the changes from
 * first on. */
static enum err prepare_growth(struct db *db, const struct mutation *m, const struct object *old,
                               struct slice pack, size_t first)
{
    if (!has_room(db, m))
        return ERR_NOMEM;
    enum err e = change_prepare_object(db, m->key, type_of(m), (struct slice){0},
                                       old == NULL ? 0 : old->expire_ms);
    if (e != OK)
        return e;
    if (!object_make_large(db->object))
        return ERR_NOMEM;
    begin_large(db, db->object->large, type_of(m));
    take_over(db, type_of(m), pack);
    for (size_t i = first; i < m->count && !has_failed(db); i++)
        (void)change_large(db, m, i);
    if (has_failed(db))
        return ERR_NOMEM;
    CHECK(db->tree.tree.count > 0);
    db->grown = db->object;
    return OK;
}

/* -- either ------------------------------------------------------------------------------------ */

static bool is_too_large(const struct db *db, size_t count, size_t bytes)
{
    return count > db->packed_count_max || bytes > db->packed_bytes_max;
}

enum err change_prepare_members(struct db *db, const struct mutation *m)
{
    struct object *old = m->replaces ? NULL : keyspace_get(&db->keys, m->key);
    bool differs = false;
    if (old != NULL && old->type != type_of(m))
        return ERR_TYPE;
    if (old != NULL && old->is_large)
        return prepare_large(db, m, old);
    uint32_t count = old == NULL ? 0 : old->count;
    struct slice before = old == NULL ? (struct slice){0} : object_value(old);
    if (adds(m) && is_too_large(db, count + m->count, 0))
        return prepare_growth(db, m, old, before, 0);
    buf_clear(&db->scratch, SCRATCH_KEPT);
    buf_append_slice(&db->scratch, before);
    for (size_t i = 0; i < m->count && !buf_failed(&db->scratch); i++) {
        if (adds(m) && is_too_large(db, 0, db->scratch.len + member_at(m, i).len))
            return prepare_growth(db, m, old, buf_slice(&db->scratch), i);
        differs |= change_packed(db, m, i, &count);
    }
    if (buf_failed(&db->scratch))
        return ERR_NOMEM;
    db->empties = differs && count == 0;
    if (!differs || db->empties)
        return OK;
    enum err e = change_prepare_object(db, m->key, type_of(m), buf_slice(&db->scratch),
                                       old == NULL ? 0 : old->expire_ms);
    if (e == OK)
        db->object->count = count;
    return e;
}

/* Of a large one, by edits or by changes. */
static void apply_large(struct db *db, const struct mutation *m, struct large *large)
{
    const struct scored *added = m->kind == MUTATION_ZSET_ADD ? &m->members[0] : NULL;
    if (db->edit.is_open)
        set_tree_edit_apply(&db->edit, &large->tree, m->ids[0]);
    else if (db->zset_edit.order.is_open)
        zset_tree_edit_apply(&db->zset_edit, &large->tree, &large->members, added);
    else
        tree_change_apply(&db->tree, &large->tree);
    if (db->members.tree.root != NULL)
        tree_change_apply(&db->members, &large->members);
}

void change_apply_members(struct db *db, const struct mutation *m)
{
    CHECK(!db->empties || (db->object == NULL && db->grown == NULL));
    struct object *grown = db->grown;
    db->grown = NULL;
    if (grown != NULL)
        apply_large(db, m, grown->large);
    if (db->object != NULL)
        change_publish(db);
    else if (db->empties)
        change_free(db, keyspace_take(&db->keys, m->key));
    db->empties = false;
}
