/* Fields of hashes listed a part at a time, and by chance. */
#include <stdlib.h>

#include "base/limits.h"
#include "base/rng.h"
#include "cmd/hash.h"
#include "cmd/scan.h"

/* -- HSCAN ------------------------------------------------------------------------------------- */

struct field_scan {
    struct scan scan;
    bool names_alone;
};

static void on_field(void *user, const struct hash_field *f)
{
    struct field_scan *s = user;
    if (!scan_matches(&s->scan, f->name))
        return;
    reply_bulk(&s->scan.reply, f->name);
    s->scan.count++;
    if (s->names_alone)
        return;
    reply_bulk(&s->scan.reply, f->value);
    s->scan.count++;
}

static bool is_late(void *user)
{
    struct field_scan *s = user;
    return scan_is_late(&s->scan);
}

void cmd_hscan(struct request *rq)
{
    const struct hscan_args *a = rq->args;
    const struct scan_words words = {a->key,       a->cursor,    a->match,
                                     a->has_match, a->has_count, a->count};
    struct object *o;
    struct field_scan s = {.names_alone = a->novalues};
    if (!scan_begin(rq, &words, &s.scan) || !hash_read(rq, a->key, &o) ||
        (a->has_match && !pattern_fits(rq, a->match)))
        return;
    uint64_t cursor = o == NULL ? 0
                                : hashes_scan(rq->env->db, o, s.scan.cursor, s.scan.wanted,
                                              is_late, on_field, &s);
    scan_end(rq, &s.scan, cursor);
}

/* -- HRANDFIELD -------------------------------------------------------------------------------- */

static void reply_field(struct request *rq, const struct hash_field *f, bool with_values)
{
    if (with_values && rq->reply.proto == 3)
        reply_array(&rq->reply, 2);
    reply_bulk(&rq->reply, f->name);
    if (with_values)
        reply_bulk(&rq->reply, f->value);
}

static void begin_fields(struct request *rq, size_t count, bool with_values)
{
    reply_array(&rq->reply, with_values && rq->reply.proto == 2 ? 2 * count : count);
}

/* Any, as often as it comes. */
static void reply_any(struct request *rq, const struct object *o, size_t count, bool with_values)
{
    struct db *db = rq->env->db;
    size_t size = hashes_count(db, o);
    begin_fields(rq, size == 0 ? 0 : count, with_values);
    for (size_t i = 0; i < count && size > 0; i++) {
        struct hash_field f;
        hashes_at(db, o, (uint32_t)rng_below(&db->random, size), &f);
        reply_field(rq, &f, with_values);
    }
}

/* Of what is left to pick from, each with the chance that it needs (Knuth, TAOCP 2, algorithm 3.4.2
 * S). */
static void reply_many(struct request *rq, const struct object *o, size_t count, bool with_values)
{
    struct db *db = rq->env->db;
    struct hash_walk walk;
    struct hash_field f;
    size_t left = hashes_count(db, o);
    hashes_walk(db, o, &walk);
    for (; count > 0 && hashes_next(&walk, &f); left--) {
        if (rng_below(&db->random, left) >= count)
            continue;
        reply_field(rq, &f, with_values);
        count--;
    }
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Few of many: numbers are drawn until there are enough different ones. */
static bool reply_few(struct request *rq, const struct object *o, size_t size, size_t count,
                      bool with_values)
{
    struct db *db = rq->env->db;
    uint32_t *numbers = mem_try(MEM_SCRATCH, count * sizeof(*numbers));
    size_t have = 0;
    if (numbers == NULL)
        return false;
    while (have < count) {
        for (size_t i = have; i < count; i++)
            numbers[i] = (uint32_t)rng_below(&db->random, size);
        qsort(numbers, count, sizeof(*numbers), by_number);
        have = 1;
        for (size_t i = 1; i < count; i++)
            if (numbers[i] != numbers[have - 1])
                numbers[have++] = numbers[i];
    }
    begin_fields(rq, count, with_values);
    for (size_t i = 0; i < count; i++) {
        struct hash_field f;
        hashes_at(db, o, numbers[i], &f);
        reply_field(rq, &f, with_values);
    }
    mem_free(MEM_SCRATCH, numbers);
    return true;
}

static void reply_distinct(struct request *rq, const struct object *o, size_t count,
                           bool with_values)
{
    enum { FEW_SHARE = 8 };
    size_t size = hashes_count(rq->env->db, o);
    count = count < size ? count : size;
    if (count > 0 && count < size / FEW_SHARE) {
        if (!reply_few(rq, o, size, count, with_values))
            reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    begin_fields(rq, count, with_values);
    if (count > 0)
        reply_many(rq, o, count, with_values);
}

/* In the order of Redis. More than LIMIT_MANY with repetitions would hold the loop. */
static bool read_count(struct request *rq, const struct hrandfield_args *a, int64_t *count,
                       bool *with_values)
{
    *with_values = a->options.count > 0;
    if (!slice_to_i64(a->count, count)) {
        reply_error(&rq->reply, "ERR value is not an integer or out of range");
        return false;
    }
    if (*count == INT64_MIN) {
        reply_errorf(&rq->reply, "ERR value is out of range, value must between %lld and %lld",
                     (long long)-INT64_MAX, (long long)INT64_MAX);
        return false;
    }
    if (a->options.count > 1 ||
        (*with_values && !slice_eq_nocase(a->options.items[0], "WITHVALUES"))) {
        reply_error(&rq->reply, "ERR syntax error");
        return false;
    }
    if (*count < -LIMIT_MANY ||
        (*with_values && (*count < -INT64_MAX / 2 || *count > INT64_MAX / 2))) {
        reply_error(&rq->reply, "ERR value is out of range");
        return false;
    }
    return true;
}

void cmd_hrandfield(struct request *rq)
{
    const struct hrandfield_args *a = rq->args;
    struct db *db = rq->env->db;
    struct object *o;
    struct hash_field f;
    int64_t count = 0;
    bool with_values = false;
    if (a->has_count && !read_count(rq, a, &count, &with_values))
        return;
    if (!hash_read(rq, a->key, &o))
        return;
    size_t size = hashes_count(db, o);
    if (!a->has_count && size == 0) {
        reply_null(&rq->reply);
    } else if (!a->has_count) {
        hashes_at(db, o, (uint32_t)rng_below(&db->random, size), &f);
        reply_bulk(&rq->reply, f.name);
    } else if (count < 0) {
        reply_any(rq, o, (size_t)-count, with_values);
    } else {
        reply_distinct(rq, o, (size_t)count, with_values);
    }
}
