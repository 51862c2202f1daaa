#include "cmd/build.h"

#include <inttypes.h>

#include "base/rng.h"

enum {
    NAME_SIZE = 64, /* of the name in a mutation, with what aligns the next */
    LAST_SIZE = 512 /* of the last mutations, besides the key */
};

/* A name that no key has. */
static void choose_name(struct db *db, struct buf *name)
{
    do {
        buf_clear(name, SIZE_MAX);
        buf_printf(name, "vdb:making:%016" PRIx64, rng_next(&db->random));
    } while (!buf_failed(name) && keyspace_get(&db->keys, buf_slice(name)) != NULL);
}

bool build_begin(struct build *b, struct request *rq, struct slice key, size_t count, size_t size)
{
    struct db *db = rq->env->db;
    struct why why = {{0}};
    *b = (struct build){.rq = rq, .key = key, .name = BUF_INIT(MEM_CLIENT)};
    choose_name(db, &b->name);
    enum err e = buf_failed(&b->name) ? ERR_NOMEM : OK;
    if (e == OK)
        e = db_reserve_log(db, size + count * NAME_SIZE + LAST_SIZE + key.len, &why);
    if (e == OK)
        return true;
    reply_err(&rq->reply, e, &why);
    buf_fini(&b->name);
    return false;
}

/* Cannot fail: removing takes no memory, and the log has room. */
static void undo(struct build *b)
{
    b->failed = true;
    if (keyspace_get(&b->rq->env->db->keys, buf_slice(&b->name)) == NULL)
        return;
    bool removed = key_remove(b->rq, buf_slice(&b->name));
    CHECK(removed);
}

void build_fail(struct build *b, enum err e)
{
    CHECK(e != OK && !b->failed);
    reply_err(&b->rq->reply, e, NULL);
    undo(b);
}

void build_add(struct build *b, const struct mutation *m)
{
    CHECK(m->key.len == 0);
    struct mutation named = *m;
    named.key = buf_slice(&b->name);
    if (!b->failed && !write_mutation(b->rq, &named))
        undo(b);
}

bool build_end(struct build *b, uint64_t until_ms)
{
    struct mutation last = {.kind = MUTATION_KEY_RENAME, .new_key = b->key};
    CHECK(b->failed || keyspace_get(&b->rq->env->db->keys, buf_slice(&b->name)) != NULL);
    if (until_ms > 0)
        build_add(b, &(struct mutation){.kind = MUTATION_KEY_EXPIRE, .expire_ms = until_ms});
    build_add(b, &last);
    buf_fini(&b->name);
    return !b->failed;
}
