/* Keys that get another name, or a second one. */
#include "base/limits.h"
#include "cmd/keys.h"

/* Can what a key holds be at this key too? */
static bool name_fits(struct request *rq, const struct object *o, struct slice key)
{
    if (o->type != OBJECT_COLLECTION || key.len <= LIMIT_KEY_SIZE)
        return true;
    reply_errorf(&rq->reply, "ERR the key of a collection has at most %d bytes", LIMIT_KEY_SIZE);
    return false;
}

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
    if (changes && (!name_fits(rq, o, new_key) || !write_mutation(rq, &m)))
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
    if (copies && o->type != OBJECT_STRING)
        reply_error(&rq->reply, "ERR COPY of collections is not in this version");
    else if (!copies || key_set_until(rq, a->new_key, object_string(o), o->expire_ms))
        reply_int(&rq->reply, copies);
}
