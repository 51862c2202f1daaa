/* Hashes: their fields read, set and removed. */
#include "cmd/hash.h"

bool hash_read(struct request *rq, struct slice key, struct object **out)
{
    bool reads = (rq->command->flags & CMD_READONLY) != 0;
    *out = reads ? key_read(rq, key) : db_find(rq->env->db, key);
    if (*out == NULL || (*out)->type == OBJECT_HASH)
        return true;
    reply_err(&rq->reply, ERR_TYPE, NULL);
    return false;
}

bool hash_read_field(struct request *rq, struct slice key, struct slice name,
                     struct hash_field *out, bool *found)
{
    struct object *o;
    if (!hash_read(rq, key, &o))
        return false;
    *found = hashes_get(rq->env->db, o, name, out);
    return true;
}

bool hash_write(struct request *rq, struct slice key, const struct hash_field *fields, size_t count)
{
    return write_mutation(rq, &(struct mutation){.kind = MUTATION_HASH_SET,
                                                 .key = key,
                                                 .fields = fields,
                                                 .count = count});
}

/* -- setting ----------------------------------------------------------------------------------- */

/* Of a hash after a change; expired fields have left it before the command. */
static int64_t count_now(struct request *rq, struct slice key)
{
    const struct object *o = keyspace_get(&rq->env->db->keys, key);
    CHECK(o == NULL || o->type == OBJECT_HASH);
    return o == NULL ? 0 : object_count(o);
}

/* Sets names and values in turn; *added: how many names there were not before. */
static bool set_pairs(struct request *rq, struct slice key, const struct slices *pairs,
                      int64_t *added)
{
    struct object *o;
    size_t count = pairs->count / 2;
    if (pairs->count % 2 != 0) {
        reply_errorf(&rq->reply, "ERR wrong number of arguments for '%s' command",
                     rq->command->name);
        return false;
    }
    if (!hash_read(rq, key, &o))
        return false;
    int64_t before = count_now(rq, key);
    struct hash_field *fields = mem_try_calloc(MEM_SCRATCH, count * sizeof(*fields));
    if (fields == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        fields[i].name = pairs->items[2 * i];
        fields[i].value = pairs->items[2 * i + 1];
    }
    bool done = hash_write(rq, key, fields, count);
    mem_free(MEM_SCRATCH, fields);
    *added = count_now(rq, key) - before;
    return done;
}

void cmd_hset(struct request *rq)
{
    const struct hset_args *a = rq->args;
    int64_t added;
    if (set_pairs(rq, a->key, &a->pairs, &added))
        reply_int(&rq->reply, added);
}

void cmd_hmset(struct request *rq)
{
    const struct hmset_args *a = rq->args;
    int64_t added;
    if (set_pairs(rq, a->key, &a->pairs, &added))
        reply_simple(&rq->reply, "OK");
}

void cmd_hsetnx(struct request *rq)
{
    const struct hsetnx_args *a = rq->args;
    struct hash_field f;
    bool found;
    if (!hash_read_field(rq, a->key, a->field, &f, &found))
        return;
    f = (struct hash_field){.name = a->field, .value = a->value};
    if (found || hash_write(rq, a->key, &f, 1))
        reply_int(&rq->reply, !found);
}

/* Names that are not there are not logged; one that is there twice counts once. */
void cmd_hdel(struct request *rq)
{
    const struct hdel_args *a = rq->args;
    struct object *o;
    struct hash_field f;
    if (!hash_read(rq, a->key, &o))
        return;
    struct slice *names = mem_try(MEM_SCRATCH, a->fields.count * sizeof(*names));
    if (names == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    int64_t before = count_now(rq, a->key);
    struct mutation m = {.kind = MUTATION_HASH_REMOVE, .key = a->key, .ids = names};
    for (size_t i = 0; i < a->fields.count; i++)
        if (hashes_get(rq->env->db, o, a->fields.items[i], &f))
            names[m.count++] = a->fields.items[i];
    if (m.count == 0 || write_mutation(rq, &m))
        reply_int(&rq->reply, before - count_now(rq, a->key));
    mem_free(MEM_SCRATCH, names);
}

/* -- reading ----------------------------------------------------------------------------------- */

void cmd_hget(struct request *rq)
{
    const struct hget_args *a = rq->args;
    struct hash_field f;
    bool found;
    if (!hash_read_field(rq, a->key, a->field, &f, &found))
        return;
    if (found)
        reply_bulk(&rq->reply, f.value);
    else
        reply_null(&rq->reply);
}

void cmd_hmget(struct request *rq)
{
    const struct hmget_args *a = rq->args;
    struct object *o;
    struct hash_field f;
    if (!hash_read(rq, a->key, &o))
        return;
    reply_array(&rq->reply, a->fields.count);
    for (size_t i = 0; i < a->fields.count; i++) {
        if (hashes_get(rq->env->db, o, a->fields.items[i], &f))
            reply_bulk(&rq->reply, f.value);
        else
            reply_null(&rq->reply);
    }
}

enum { NAMES = 1, VALUES = 2 };

/* All fields, by what is wanted of each. */
static void reply_all(struct request *rq, struct slice key, int what)
{
    struct object *o;
    struct hash_walk walk;
    struct hash_field f;
    if (!hash_read(rq, key, &o))
        return;
    size_t count = hashes_count(rq->env->db, o);
    if (what == (NAMES | VALUES))
        reply_map(&rq->reply, count);
    else
        reply_array(&rq->reply, count);
    hashes_walk(rq->env->db, o, &walk);
    while (hashes_next(&walk, &f)) {
        if (what & NAMES)
            reply_bulk(&rq->reply, f.name);
        if (what & VALUES)
            reply_bulk(&rq->reply, f.value);
    }
}

void cmd_hgetall(struct request *rq)
{
    reply_all(rq, ((const struct hgetall_args *)rq->args)->key, NAMES | VALUES);
}

void cmd_hkeys(struct request *rq)
{
    reply_all(rq, ((const struct hkeys_args *)rq->args)->key, NAMES);
}

void cmd_hvals(struct request *rq)
{
    reply_all(rq, ((const struct hvals_args *)rq->args)->key, VALUES);
}

void cmd_hlen(struct request *rq)
{
    struct object *o;
    if (hash_read(rq, ((const struct hlen_args *)rq->args)->key, &o))
        reply_int(&rq->reply, (int64_t)hashes_count(rq->env->db, o));
}

void cmd_hstrlen(struct request *rq)
{
    const struct hstrlen_args *a = rq->args;
    struct hash_field f;
    bool found;
    if (hash_read_field(rq, a->key, a->field, &f, &found))
        reply_int(&rq->reply, found ? (int64_t)f.value.len : 0);
}

void cmd_hexists(struct request *rq)
{
    const struct hexists_args *a = rq->args;
    struct hash_field f;
    bool found;
    if (hash_read_field(rq, a->key, a->field, &f, &found))
        reply_int(&rq->reply, found);
}
