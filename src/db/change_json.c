/* Changes of documents. One is a single piece of memory, made anew by each change. */
#include "base/limits.h"
#include "db/change.h"
#include "json/edit.h"
#include "json/parse.h"
#include "json/path.h"

static bool last_name(const struct jpath *p, struct slice *out)
{
    CHECK(p->count > 0);
    const struct jpath_step *step = jpath_step(p, p->first + p->count - 1);
    if (step->kind == JSTEP_NAMES)
        *out = jpath_text(p, step->first);
    return step->kind == JSTEP_NAMES;
}

/* A value at a path that leads to one, or a member more where all but its last name does. */
static enum err gather_set(const struct jpath *p, struct jhits *hits, struct slice value,
                           struct jedits *edits, size_t *level)
{
    struct slice name;
    enum err e = jpath_find(p, edits->document, 1, hits, NULL);
    if (e == OK && hits->count == 1) {
        *level = hits->items[0].level;
        jedit_set(edits, hits->items[0].value, value);
        return OK;
    }
    if (e == OK)
        e = jpath_find_steps(p, p->count - 1, edits->document, 1, hits, NULL);
    if (e != OK)
        return e;
    if (hits->count == 0 || hits->items[0].value.ptr[0] != '{' || !last_name(p, &name))
        return ERR_NOT_FOUND;
    *level = hits->items[0].level + 1;
    jedit_add(edits, hits->items[0].value, name, value);
    return OK;
}

static enum err gather(const struct mutation *m, const struct jpath *p, struct jhits *hits,
                       struct jedits *edits, size_t *level)
{
    if (m->kind == MUTATION_JSON_SET)
        return gather_set(p, hits, m->value, edits, level);
    enum err e = jpath_find(p, edits->document, 1, hits, NULL);
    if (e != OK || hits->count == 0)
        return e == OK ? ERR_NOT_FOUND : e;
    struct jhit *hit = &hits->items[0];
    if (m->kind == MUTATION_JSON_REMOVE) {
        jedit_remove(edits, hit->entry, hit->value);
        return hit->level > 0 ? OK : ERR_NOT_FOUND;
    }
    *level = hit->level; /* its elements are in brackets, as they will be */
    if (hit->value.ptr[0] != '[' || m->offset > jval_count(hit->value))
        return ERR_NOT_FOUND;
    jedit_insert(edits, hit->value, m->offset, jval_inside(m->value));
    return OK;
}

/* The document as it will be. */
static enum err make(struct db *db, const struct mutation *m, const struct object *old,
                     struct jedits *edits)
{
    size_t size = jedits_settle(edits);
    if (size > LIMIT_STRING_SIZE)
        return ERR_LIMIT;
    enum err e =
        change_prepare_object(db, m->key, OBJECT_JSON, (struct slice){NULL, size}, old->expire_ms);
    if (e == OK)
        jedits_write(edits, db->object->bytes + m->key.len);
    return e;
}

static enum err prepare_part(struct db *db, const struct mutation *m, const struct object *old,
                             struct why *why)
{
    struct jpath path;
    struct jhits hits = {0};
    struct jedits edits;
    size_t level = 0;
    enum err e = jpath_init(&path, m->path, why);
    if (e != OK)
        return e;
    if (jpath_is_root(&path) && m->kind == MUTATION_JSON_REMOVE)
        e = ERR_NOT_FOUND;
    jedits_init(&edits, object_value(old));
    if (e == OK)
        e = jpath_is_static(&path) ? gather(m, &path, &hits, &edits, &level) : ERR_NOT_FOUND;
    if (e == OK && jedits_failed(&edits))
        e = ERR_NOMEM;
    bool grows = m->kind != MUTATION_JSON_REMOVE;
    if (e == OK && grows && level + jval_depth(m->value) >= LIMIT_JSON_DEPTH)
        e = ERR_LIMIT;
    if (e == OK)
        e = make(db, m, old, &edits);
    jedits_fini(&edits);
    jhits_fini(&hits);
    jpath_fini(&path);
    return e;
}

enum err change_prepare_json(struct db *db, const struct mutation *m, struct why *why)
{
    const struct object *old = keyspace_get(&db->keys, m->key);
    if (old != NULL && old->type != OBJECT_JSON)
        return ERR_TYPE;
    if (m->kind == MUTATION_JSON_SET && slice_eq(m->path, slice_of("$")))
        return change_prepare_object(db, m->key, OBJECT_JSON, m->value,
                                     old == NULL ? 0 : old->expire_ms);
    return old == NULL ? ERR_NOT_FOUND : prepare_part(db, m, old, why);
}
