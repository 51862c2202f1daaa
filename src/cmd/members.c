#include "cmd/members.h"

#include <stdlib.h>

#include "base/limits.h"
#include "base/rng.h"

bool members_read(struct request *rq, struct slice key, enum object_type type, struct object **out)
{
    bool reads = (rq->command->flags & CMD_READONLY) != 0;
    *out = reads ? key_read(rq, key) : db_find(rq->env->db, key);
    if (*out == NULL || (*out)->type == type)
        return true;
    reply_err(&rq->reply, ERR_TYPE, NULL);
    return false;
}

int64_t members_now(struct request *rq, struct slice key)
{
    return (int64_t)members_count(keyspace_get(&rq->env->db->keys, key));
}

void member_list_add(struct member_list *l, struct slice member, double score)
{
    if (l->count == l->capacity && !l->failed) {
        size_t capacity = l->capacity == 0 ? 32 : 2 * l->capacity;
        struct scored *items = mem_try_realloc(MEM_SCRATCH, l->items, capacity * sizeof(*items));
        l->failed = items == NULL;
        l->items = items == NULL ? l->items : items;
        l->capacity = items == NULL ? l->capacity : capacity;
    }
    if (!l->failed)
        l->items[l->count++] = (struct scored){member, score};
}

void member_list_fini(struct member_list *l)
{
    mem_free(MEM_SCRATCH, l->items);
    *l = (struct member_list){0};
}

static bool is_intset(const struct request *rq, const struct member_list *l)
{
    int64_t integer;
    if (l->count > (size_t)rq->env->config->set_max_intset_entries)
        return false;
    for (size_t i = 0; i < l->count; i++)
        if (!string_is_integer(l->items[i].member, &integer))
            return false;
    return true;
}

/* Of integers in their only text. */
static int by_value(const void *a, const void *b)
{
    int64_t x = 0, y = 0;
    bool both = slice_to_i64(((const struct scored *)a)->member, &x) &&
                slice_to_i64(((const struct scored *)b)->member, &y);
    CHECK(both);
    return (x > y) - (x < y);
}

void member_list_reply(struct request *rq, struct member_list *l)
{
    if (l->count > 1 && is_intset(rq, l))
        qsort(l->items, l->count, sizeof(*l->items), by_value);
    reply_set(&rq->reply, l->count);
    for (size_t i = 0; i < l->count; i++)
        reply_bulk(&rq->reply, l->items[i].member);
}

bool members_remove(struct request *rq, struct slice key, enum object_type type,
                    const struct slice *members, size_t count, size_t size)
{
    CHECK(count <= size && (type == OBJECT_SET || type == OBJECT_ZSET));
    if (count == 0)
        return true;
    if (count == size)
        return key_remove(rq, key);
    return write_mutation(rq, &(struct mutation){.kind = type == OBJECT_SET ? MUTATION_SET_REMOVE
                                                                            : MUTATION_ZSET_REMOVE,
                                                 .key = key,
                                                 .ids = members,
                                                 .count = count});
}

/* -- by chance --------------------------------------------------------------------------------- */

/* Of what is left to pick from, each with the chance that it needs (Knuth, TAOCP 2, algorithm 3.4.2
 * S). */
static void pick_many(uint64_t *random, size_t size, size_t count, uint32_t *out)
{
    for (size_t i = 0, have = 0; have < count; i++)
        if (rng_below(random, size - i) < count - have)
            out[have++] = (uint32_t)i;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Few of many: numbers are drawn until there are enough different ones. */
static void pick_few(uint64_t *random, size_t size, size_t count, uint32_t *out)
{
    for (size_t have = 0; have < count;) {
        for (size_t i = have; i < count; i++)
            out[i] = (uint32_t)rng_below(random, size);
        qsort(out, count, sizeof(*out), by_number);
        have = 1;
        for (size_t i = 1; i < count; i++)
            if (out[i] != out[have - 1])
                out[have++] = out[i];
    }
}

bool members_pick(struct request *rq, size_t size, size_t count, uint32_t **out)
{
    enum { FEW_SHARE = 8 };
    CHECK(count <= size);
    *out = mem_try(MEM_SCRATCH, (count + 1) * sizeof(**out));
    if (*out == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return false;
    }
    if (count < size / FEW_SHARE)
        pick_few(&rq->env->db->random, size, count, *out);
    else
        pick_many(&rq->env->db->random, size, count, *out);
    return true;
}

bool members_read_count(struct request *rq, struct slice text, int64_t *count)
{
    if (!slice_to_i64(text, count)) {
        reply_error(&rq->reply, "ERR value is not an integer or out of range");
        return false;
    }
    if (*count == INT64_MIN) {
        reply_errorf(&rq->reply, "ERR value is out of range, value must between %lld and %lld",
                     (long long)-INT64_MAX, (long long)INT64_MAX);
        return false;
    }
    if (*count < -LIMIT_MANY) {
        reply_error(&rq->reply, "ERR value is out of range");
        return false;
    }
    return true;
}

bool members_read_pops(struct request *rq, struct slice text, size_t *count)
{
    int64_t value;
    if (!slice_to_i64(text, &value) || value < 0) {
        reply_error(&rq->reply, "ERR value is out of range, must be positive");
        return false;
    }
    *count = (size_t)value;
    return true;
}

bool members_read_card(struct request *rq, const struct slices *words, struct slices *keys,
                       size_t *limit)
{
    int64_t count = 0, value;
    const char *wrong = NULL;
    *limit = 0;
    if (!slice_to_i64(words->items[0], &count) || count < 1)
        wrong = "ERR numkeys should be greater than 0";
    else if ((size_t)count > words->count - 1)
        wrong = "ERR Number of keys can't be greater than number of args";
    for (size_t i = (size_t)count + 1; wrong == NULL && i < words->count; i += 2) {
        if (!slice_eq_nocase(words->items[i], "LIMIT") || i + 1 == words->count)
            wrong = "ERR syntax error";
        else if (!slice_to_i64(words->items[i + 1], &value) || value < 0)
            wrong = "ERR LIMIT can't be negative";
        else
            *limit = (size_t)value;
    }
    if (wrong != NULL)
        reply_error(&rq->reply, wrong);
    else
        *keys = (struct slices){words->items + 1, (size_t)count};
    return wrong == NULL;
}
