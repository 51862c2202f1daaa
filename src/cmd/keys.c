/* Between handlers and data: reads that count hits, writes that go through the log. */
#include "cmd/keys.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/limits.h"

struct object *key_read(struct request *rq, struct slice key)
{
    CHECK(rq->command->flags & CMD_READONLY); /* writes count neither hits nor misses */
    struct object *o = db_find(rq->env->db, key);
    rq->env->stats->keyspace_hits += o != NULL;
    rq->env->stats->keyspace_misses += o == NULL;
    if (o == NULL)
        notify_miss(rq->env, key);
    return o;
}

bool key_string(struct request *rq, struct slice key, struct object **out)
{
    bool reads = (rq->command->flags & CMD_READONLY) != 0;
    *out = reads ? key_read(rq, key) : db_find(rq->env->db, key);
    if (*out == NULL || (*out)->type == OBJECT_STRING)
        return true;
    reply_err(&rq->reply, ERR_TYPE, NULL);
    return false;
}

bool written(struct request *rq, enum err e, uint64_t lsn, const struct why *why)
{
    CHECK(rq->command->flags & CMD_WRITE); /* what clients rely on to tell reads from writes */
    if (e != OK) {
        reply_err(&rq->reply, e, why);
        return false;
    }
    CHECK(lsn <= rq->env->db->log.last_lsn && lsn >= rq->client->last_lsn);
    rq->client->last_lsn = lsn;
    return true;
}

bool write_mutation(struct request *rq, const struct mutation *m)
{
    struct why why = {{0}};
    uint64_t lsn = 0;
    enum err e = db_write(rq->env->db, m, &lsn, &why);
    return written(rq, e, lsn, &why);
}

bool key_set_until(struct request *rq, struct slice key, struct slice value, uint64_t expire_ms)
{
    return write_mutation(rq, &(struct mutation){.kind = MUTATION_STRING_SET,
                                                 .key = key,
                                                 .value = value,
                                                 .expire_ms = expire_ms});
}

bool key_set(struct request *rq, struct slice key, struct slice value)
{
    return key_set_until(rq, key, value, 0);
}

bool key_expire(struct request *rq, struct slice key, uint64_t expire_ms)
{
    return write_mutation(rq, &(struct mutation){.kind = MUTATION_KEY_EXPIRE,
                                                 .key = key,
                                                 .expire_ms = expire_ms});
}

bool key_remove(struct request *rq, struct slice key)
{
    return write_mutation(rq, &(struct mutation){.kind = MUTATION_KEY_REMOVE, .key = key});
}

bool string_is_integer(struct slice s, int64_t *out)
{
    char text[24];
    if (!slice_to_i64(s, out))
        return false;
    int size = snprintf(text, sizeof(text), "%" PRId64, *out);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    return slice_eq(s, slice_of(text));
}

bool collection_key_fits(struct request *rq, struct slice key)
{
    if (key.len <= LIMIT_KEY_SIZE)
        return true;
    reply_errorf(&rq->reply, "ERR the key of a collection has at most %d bytes", LIMIT_KEY_SIZE);
    return false;
}

bool pattern_fits(struct request *rq, struct slice pattern)
{
    if (pattern.len <= LIMIT_PATTERN_SIZE)
        return true;
    reply_errorf(&rq->reply, "ERR a pattern has at most %d bytes", LIMIT_PATTERN_SIZE);
    return false;
}
