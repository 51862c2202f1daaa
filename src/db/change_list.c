/* Changes of lists. A packed one is made anew; of a large one the nodes that change are, but at its
 * ends, where it changes in place. */
#include "db/change.h"
#include "db/flush.h"
#include "db/lists.h"

enum {
    SCRATCH_KEPT = 64 * 1024,
    VALUE_ROOM = 16 /* of memory for a value of a large list, besides its bytes, about */
};

static bool adds(const struct mutation *m)
{
    return m->kind == MUTATION_LIST_PUSH || m->kind == MUTATION_LIST_SET ||
           m->kind == MUTATION_LIST_INSERT;
}

static bool has_room(struct db *db, const struct mutation *m)
{
    size_t bytes = m->value.len;
    for (size_t i = 0; i < m->count; i++)
        bytes += m->ids[i].len + VALUE_ROOM;
    return !adds(m) || db_has_room(db, bytes);
}

/* The place of the value that a change sets or puts in; false: there is no such place, the log does
 * not fit the data. */
static bool find_place(const struct mutation *m, const struct object *o, uint32_t *place)
{
    struct list_walk walk;
    struct slice value;
    *place = (uint32_t)m->offset;
    if (m->kind != MUTATION_LIST_INSERT)
        return m->kind != MUTATION_LIST_SET || m->offset < lists_count(o);
    lists_walk(o, 0, &walk);
    for (*place = 0; lists_next(&walk, &value); (*place)++)
        if (slice_eq(value, m->ids[0])) {
            *place += !m->at_head;
            return true;
        }
    return false;
}

/* The value that it sets or puts in. */
static struct slice value_of(const struct mutation *m)
{
    return m->kind == MUTATION_LIST_INSERT ? m->ids[1] : m->value;
}

/* The last so many are those behind all others. */
static struct list_filter filter_of(const struct mutation *m, const struct object *o)
{
    struct list_filter f = {.value = m->value, .most = (uint32_t)m->limit};
    struct list_walk walk;
    struct slice value;
    uint32_t same = 0;
    if (m->at_head)
        return f;
    lists_walk(o, 0, &walk);
    while (lists_next(&walk, &value))
        same += slice_eq(value, m->value);
    f.skip = same > f.most ? same - f.most : 0;
    return f;
}

/* -- large ------------------------------------------------------------------------------------- */

/* Is one of the ends all that changes, and can it in place? */
static bool fits_in_place(const struct db *db, const struct mutation *m, const struct tree *t)
{
    if (m->kind == MUTATION_LIST_PUSH)
        return tree_can_grow(t, &db->list_ops, m->at_head, list_size(m->ids, m->count));
    if (m->kind != MUTATION_LIST_TRIM || (m->offset > 0 && m->limit > 0))
        return false;
    return tree_can_shrink(t, m->offset > 0, (uint32_t)(m->offset + m->limit));
}

static void change_in_place(const struct mutation *m, struct tree *t)
{
    if (m->kind == MUTATION_LIST_TRIM) {
        tree_shrink(t, m->offset > 0, (uint32_t)(m->offset + m->limit));
        return;
    }
    size_t size = list_size(m->ids, m->count);
    list_put(tree_grow(t, m->at_head, size, (uint32_t)m->count), m->ids, m->count, m->at_head);
}

static void trim(struct tree_change *c, const struct mutation *m)
{
    CHECK(m->offset + m->limit < c->tree.count);
    if (m->offset > 0)
        tree_change_shrink(c, true, (uint32_t)m->offset);
    if (m->limit > 0)
        tree_change_shrink(c, false, (uint32_t)m->limit);
}

static void change_large(struct db *db, const struct mutation *m, const struct object *o,
                         uint32_t place)
{
    struct tree_change *c = &db->tree;
    struct list_filter f;
    tree_change_begin(c, &o->large->tree, &db->list_ops);
    if (m->kind == MUTATION_LIST_PUSH)
        list_tree_push(c, m->ids, m->count, m->at_head);
    else if (m->kind == MUTATION_LIST_SET)
        list_tree_set(c, place, value_of(m));
    else if (m->kind == MUTATION_LIST_INSERT)
        list_tree_insert(c, place, value_of(m));
    else if (m->kind == MUTATION_LIST_TRIM)
        trim(c, m);
    else {
        f = filter_of(m, o);
        list_tree_filter(c, &f);
    }
}

static enum err prepare_large(struct db *db, const struct mutation *m, struct object *o,
                              uint32_t place)
{
    struct tree *t = &o->large->tree;
    uint64_t trimmed = m->kind == MUTATION_LIST_TRIM ? m->offset + m->limit : 1;
    if (!has_room(db, m) || m->count > UINT32_MAX - t->count)
        return ERR_NOMEM;
    db->empties = trimmed >= t->count && m->kind == MUTATION_LIST_TRIM;
    if (db->empties || trimmed == 0)
        return OK;
    /* Whoever wants the list as it is has it before it changes, or its nodes are taken over. */
    keyspace_touch(&db->keys, o);
    if (fits_in_place(db, m, t)) {
        db->in_place = o;
        return OK;
    }
    change_large(db, m, o, place);
    if (db->tree.failed)
        return ERR_NOMEM;
    db->empties = db->tree.tree.count == 0;
    if (db->empties)
        tree_change_discard(&db->tree);
    else
        db->grown = o;
    return OK;
}

/* A large one in place of a packed one, or of none. */
static enum err prepare_growth(struct db *db, const struct mutation *m, const struct object *old,
                               uint32_t place)
{
    struct slice value, pack = old == NULL ? (struct slice){0} : object_value(old);
    if (!has_room(db, m))
        return ERR_NOMEM;
    enum err e = change_prepare_object(db, m->key, OBJECT_LIST, (struct slice){0},
                                       old == NULL ? 0 : old->expire_ms);
    if (e != OK)
        return e;
    if (!object_make_large(db->object))
        return ERR_NOMEM;
    struct tree_change *c = &db->tree;
    tree_change_begin(c, &db->object->large->tree, &db->list_ops);
    while (!c->failed && list_next(&pack, &value))
        list_tree_push(c, &value, 1, false);
    if (m->kind == MUTATION_LIST_PUSH)
        list_tree_push(c, m->ids, m->count, m->at_head);
    else if (m->kind == MUTATION_LIST_SET)
        list_tree_set(c, place, value_of(m));
    else
        list_tree_insert(c, place, value_of(m));
    if (c->failed)
        return ERR_NOMEM;
    db->grown = db->object;
    return OK;
}

/* -- packed ------------------------------------------------------------------------------------ */

/* What a packed list is made of anew: a part of what it was, something in between, another part. */
struct pieces {
    struct slice before, behind;
    size_t middle; /* bytes, which the caller writes */
    uint32_t count;
};

/* Where a value is put in place of so many, 0 or 1. */
static struct pieces pieces_at(struct slice pack, uint32_t count, const struct mutation *m,
                               uint32_t place)
{
    uint32_t replaced = m->kind == MUTATION_LIST_SET;
    struct slice value = value_of(m);
    size_t at = list_offset(pack, place);
    struct slice rest = {pack.ptr + at, pack.len - at};
    size_t gone = list_offset(rest, replaced);
    return (struct pieces){.before = {pack.ptr, at},
                           .behind = {rest.ptr + gone, rest.len - gone},
                           .middle = list_size(&value, 1),
                           .count = count + 1 - replaced};
}

/* The object that takes the old one's place; *middle: where the caller writes. */
static enum err prepare_pieces(struct db *db, const struct mutation *m, const struct object *old,
                               const struct pieces *p, uint8_t **middle)
{
    struct slice room = {NULL, p->before.len + p->middle + p->behind.len};
    enum err e = change_prepare_object(db, m->key, OBJECT_LIST, room,
                                       old == NULL ? 0 : old->expire_ms);
    if (e != OK)
        return e;
    uint8_t *to = db->object->bytes + m->key.len;
    if (p->before.len > 0)
        memcpy(to, p->before.ptr, p->before.len);
    *middle = to + p->before.len;
    if (p->behind.len > 0)
        memcpy(*middle + p->middle, p->behind.ptr, p->behind.len);
    db->object->count = p->count;
    return OK;
}

static bool is_too_large(const struct db *db, const struct pieces *p)
{
    return p->count > db->packed_count_max ||
           p->before.len + p->middle + p->behind.len > db->packed_bytes_max;
}

static enum err prepare_more(struct db *db, const struct mutation *m, const struct object *old,
                             uint32_t place)
{
    struct slice value = value_of(m);
    struct slice pack = old == NULL ? (struct slice){0} : object_value(old);
    uint32_t count = old == NULL ? 0 : old->count;
    bool pushes = m->kind == MUTATION_LIST_PUSH;
    struct slice none = {pack.ptr, 0};
    struct pieces p = {.before = m->at_head ? none : pack, .behind = m->at_head ? pack : none};
    uint8_t *middle;
    if (pushes && m->count > db->packed_count_max)
        return prepare_growth(db, m, old, place);
    if (pushes) {
        p.middle = list_size(m->ids, m->count);
        p.count = count + (uint32_t)m->count;
    } else {
        p = pieces_at(pack, count, m, place);
    }
    if (is_too_large(db, &p))
        return prepare_growth(db, m, old, place);
    enum err e = prepare_pieces(db, m, old, &p, &middle);
    if (e != OK)
        return e;
    if (pushes)
        list_put(middle, m->ids, m->count, m->at_head);
    else
        list_put(middle, &value, 1, false);
    return OK;
}

static enum err prepare_trim(struct db *db, const struct mutation *m, const struct object *old)
{
    struct pieces p = {.count = old->count - (uint32_t)(m->offset + m->limit)};
    struct slice pack = object_value(old);
    uint8_t *middle;
    pack.ptr += list_offset(pack, (uint32_t)m->offset);
    pack.len = (size_t)(object_value(old).ptr + old->value_len - pack.ptr);
    p.before = (struct slice){pack.ptr, list_offset(pack, p.count)};
    p.behind = (struct slice){pack.ptr, 0};
    return prepare_pieces(db, m, old, &p, &middle);
}

static enum err prepare_remove(struct db *db, const struct mutation *m, const struct object *old)
{
    struct list_filter f = filter_of(m, old);
    struct pieces p = {.middle = 0};
    uint8_t *middle;
    buf_clear(&db->scratch, SCRATCH_KEPT);
    uint8_t *room = buf_reserve(&db->scratch, old->value_len);
    if (room == NULL)
        return ERR_NOMEM;
    p.before = (struct slice){room, list_filter(&f, object_value(old), room, &p.count)};
    p.behind = (struct slice){room, 0};
    db->empties = p.count == 0;
    return db->empties || f.removed == 0 ? OK : prepare_pieces(db, m, old, &p, &middle);
}

/* -- from one list to another ------------------------------------------------------------------ */

/* The value that moves, as the list has it. */
static struct slice moved_value(const struct object *o, const struct mutation *m)
{
    return lists_at(o, m->at_head ? 0 : lists_count(o) - 1);
}

static struct mutation move_out(const struct mutation *m)
{
    return (struct mutation){.kind = MUTATION_LIST_TRIM,
                             .key = m->key,
                             .offset = m->at_head,
                             .limit = !m->at_head};
}

/* value: of the one that moves; it stays where it is. */
static struct mutation move_in(const struct mutation *m, const struct slice *value)
{
    return (struct mutation){.kind = MUTATION_LIST_PUSH,
                             .key = m->new_key,
                             .ids = value,
                             .count = 1,
                             .at_head = m->to_head};
}

/* From one end of a list to its other end. */
static enum err prepare_turn(struct db *db, const struct mutation *m, struct object *o)
{
    struct slice value = moved_value(o, m);
    struct mutation out = move_out(m);
    if (o->is_large) {
        if (!db_has_room(db, value.len + VALUE_ROOM))
            return ERR_NOMEM;
        keyspace_touch(&db->keys, o);
        tree_change_begin(&db->tree, &o->large->tree, &db->list_ops);
        trim(&db->tree, &out);
        list_tree_push(&db->tree, &value, 1, m->to_head);
        db->grown = db->tree.failed ? NULL : o;
        return db->tree.failed ? ERR_NOMEM : OK;
    }
    struct slice pack = object_value(o);
    size_t at = list_offset(pack, m->at_head ? 1 : o->count - 1);
    struct pieces p = {.before = {pack.ptr + at, pack.len - at},
                       .behind = {pack.ptr, at},
                       .count = o->count};
    uint8_t *middle;
    return prepare_pieces(db, m, o, &p, &middle);
}

static enum err prepare_move(struct db *db, const struct mutation *m)
{
    struct object *o = keyspace_get(&db->keys, m->key);
    if (o == NULL || o->type != OBJECT_LIST)
        return o == NULL ? ERR_NOT_FOUND : ERR_TYPE;
    if (slice_eq(m->key, m->new_key))
        return lists_count(o) == 1 || m->at_head == m->to_head ? OK : prepare_turn(db, m, o);
    struct slice value = moved_value(o, m);
    struct mutation out = move_out(m), in = move_in(m, &value);
    enum err e = change_prepare_list(db, &out);
    if (e != OK)
        return e;
    change_swap_halves(db);
    return change_prepare_list(db, &in);
}

/* First it comes, then it goes: until then the list that it leaves has its bytes. */
static void apply_move(struct db *db, const struct mutation *m)
{
    const struct object *o = keyspace_get(&db->keys, m->key);
    CHECK(o != NULL);
    if (slice_eq(m->key, m->new_key)) {
        change_apply_list(db, &(struct mutation){.kind = MUTATION_LIST_SET, .key = m->key});
        return;
    }
    struct slice value = moved_value(o, m);
    struct mutation out = move_out(m), in = move_in(m, &value);
    change_apply_list(db, &in);
    change_swap_halves(db);
    change_apply_list(db, &out);
}

enum err change_prepare_list(struct db *db, const struct mutation *m)
{
    if (m->kind == MUTATION_LIST_MOVE)
        return prepare_move(db, m);
    struct object *old = m->replaces ? NULL : keyspace_get(&db->keys, m->key);
    if (old != NULL && old->type != OBJECT_LIST)
        return ERR_TYPE;
    uint32_t place;
    if (!find_place(m, old, &place))
        return ERR_NOT_FOUND;
    if (old != NULL && old->is_large)
        return prepare_large(db, m, old, place);
    if (adds(m))
        return prepare_more(db, m, old, place);
    if (old == NULL || (m->kind == MUTATION_LIST_TRIM && m->offset + m->limit == 0))
        return OK;
    if (m->kind == MUTATION_LIST_REMOVE)
        return prepare_remove(db, m, old);
    db->empties = m->offset + m->limit >= old->count;
    return db->empties ? OK : prepare_trim(db, m, old);
}

void change_apply_list(struct db *db, const struct mutation *m)
{
    if (m->kind == MUTATION_LIST_MOVE) {
        apply_move(db, m);
        return;
    }
    CHECK(!db->empties || (db->object == NULL && db->grown == NULL && db->in_place == NULL));
    struct object *grown = db->grown, *in_place = db->in_place;
    bool empties = db->empties;
    db->grown = db->in_place = NULL;
    db->empties = false;
    if (grown != NULL) {
        tree_change_apply(&db->tree, &grown->large->tree);
        flush_cut(db, &db->tree.cut);
    }
    if (db->object != NULL)
        change_publish(db);
    else if (in_place != NULL)
        change_in_place(m, &in_place->large->tree);
    else if (empties)
        change_free(db, keyspace_take(&db->keys, m->key));
}
