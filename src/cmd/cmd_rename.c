/* Keys that get another name, or a second one. */
#include "cmd/build.h"
#include "db/copy.h"

/* only_new: not to a key that holds something. */
static void rename_key(struct request *rq, struct slice key, struct slice new_key, bool only_new)
{
    const struct object *o = db_find(rq->env->db, key);
    if (o == NULL) {
        reply_error(&rq->reply, "ERR no such key");
        return;
    }
    bool same = slice_eq(key, new_key);
    bool changes = !same && !(only_new && db_find(rq->env->db, new_key) != NULL);
    struct mutation m = {.kind = MUTATION_KEY_RENAME, .key = key, .new_key = new_key};
    bool fits = !changes || o->type != OBJECT_COLLECTION || collection_key_fits(rq, new_key);
    if (changes && (!fits || !write_mutation(rq, &m)))
        return;
    if (only_new)
        reply_int(&rq->reply, changes);
    else
        reply_simple(&rq->reply, "OK");
}

void cmd_rename(struct request *rq)
{
    const struct rename_args *a = rq->args;
    rename_key(rq, a->key, a->new_key, false);
}

void cmd_renamenx(struct request *rq)
{
    const struct renamenx_args *a = rq->args;
    rename_key(rq, a->key, a->new_key, true);
}

static enum err add_mutation(void *user, const struct mutation *m)
{
    struct build *b = user;
    build_add(b, m);
    return b->failed ? ERR_CANCELLED : OK;
}

/* False: the error is replied. */
static bool copy_collection(struct request *rq, const struct object *o, struct slice new_key)
{
    struct build b;
    struct why why = {{0}};
    struct collection *c = o->collection;
    uint64_t until_ms = o->expire_ms;
    enum err e = copy_fits(collection_sums(c).count, copy_size(c), &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return false;
    }
    if (!collection_key_fits(rq, new_key) ||
        !build_begin(&b, rq, new_key, copy_count(c), copy_size(c)))
        return false;
    e = copy_each(rq->env->db, c, (struct slice){0}, add_mutation, &b);
    if (e != OK && e != ERR_CANCELLED)
        build_fail(&b, e);
    return build_end(&b, until_ms);
}

static bool copy_packs(struct request *rq, const struct object *o, struct slice new_key)
{
    struct build b;
    struct why why = {{0}};
    uint64_t until_ms = o->expire_ms;
    enum err e = copy_fits(object_count(o), copy_packs_size(o), &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return false;
    }
    if (!build_begin(&b, rq, new_key, copy_packs_count(o), copy_packs_size(o)))
        return false;
    e = copy_packs_each(rq->env->db, o, (struct slice){0}, add_mutation, &b);
    if (e != OK && e != ERR_CANCELLED)
        build_fail(&b, e);
    return build_end(&b, until_ms);
}

static bool copy_document(struct request *rq, const struct object *o, struct slice new_key)
{
    struct build b;
    struct mutation m = copy_json(o);
    uint64_t until_ms = o->expire_ms;
    if (!build_begin(&b, rq, new_key, 1, copy_json_size(o)))
        return false;
    build_add(&b, &m);
    return build_end(&b, until_ms);
}

void cmd_copy(struct request *rq)
{
    const struct copy_args *a = rq->args;
    if (a->has_db && a->db != 0) {
        reply_error(&rq->reply, "ERR DB index is out of range");
        return;
    }
    if (slice_eq(a->key, a->new_key)) {
        reply_error(&rq->reply, "ERR source and destination objects are the same");
        return;
    }
    const struct object *o = db_find(rq->env->db, a->key);
    bool copies = o != NULL && (a->replace || db_find(rq->env->db, a->new_key) == NULL);
    bool ok = true;
    if (copies && o->type == OBJECT_COLLECTION)
        ok = copy_collection(rq, o, a->new_key);
    else if (copies && object_is_packs(o))
        ok = copy_packs(rq, o, a->new_key);
    else if (copies && o->type == OBJECT_JSON)
        ok = copy_document(rq, o, a->new_key);
    else if (copies)
        ok = key_set_until(rq, a->new_key, object_string(o), o->expire_ms);
    if (ok)
        reply_int(&rq->reply, copies);
}
