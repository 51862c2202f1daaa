/* SORT and SORT_RO: values of a list, a set or a sorted set in another order, or what other keys
 * hold in their stead. All of it points into the keys until it is replied or stored. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "cmd/keys.h"
#include "db/hashes.h"
#include "db/lists.h"
#include "db/members.h"

/* What a key of another name holds: the first * of the pattern is the value. */
struct pattern {
    bool is_value;               /* #: the value itself */
    bool names_key;              /* there is a * */
    struct slice before, behind; /* of the key, around the * */
    struct slice field;          /* of a hash; ptr NULL: the key holds a string */
};

/* What a command asks for. */
struct asked {
    bool descending, as_text, has_by, keeps_order;
    struct pattern by;
    struct pattern *gets; /* MEM_SCRATCH; in the order in which they were said */
    size_t get_count;
    int64_t offset, limit; /* limit negative: none */
    bool stores;
    struct slice destination;
};

/* owner: the handler, with everything it points to */
struct item {
    struct slice value, text; /* text: what is compared; ptr NULL: nothing, which comes first */
    double score;
    int64_t place; /* what else is equal comes in the order in which it was, ASC or DESC */
};

struct items {
    struct item *items;
    size_t count;
};

static const char not_numbers[] = "ERR One or more scores can't be converted into double";

/* -- reading ----------------------------------------------------------------------------------- */

static struct pattern read_pattern(struct slice word)
{
    struct pattern p = {.is_value = slice_eq(word, slice_of("#"))};
    const uint8_t *star = word.len == 0 ? NULL : memchr(word.ptr, '*', word.len);
    if (star == NULL)
        return p;
    p.names_key = true;
    p.before = (struct slice){word.ptr, (size_t)(star - word.ptr)};
    p.behind = (struct slice){star + 1, word.len - p.before.len - 1};
    for (size_t i = 0; i + 2 < p.behind.len; i++)
        if (p.behind.ptr[i] == '-' && p.behind.ptr[i + 1] == '>') {
            p.field = (struct slice){p.behind.ptr + i + 2, p.behind.len - i - 2};
            p.behind.len = i;
        }
    return p;
}

static bool read_limit(const struct slice *words, struct asked *a)
{
    return slice_to_i64(words[0], &a->offset) && slice_to_i64(words[1], &a->limit);
}

/* One option of left words; *used of them. Redis's text of what is wrong, or NULL. */
static const char *read_option(const struct slice *w, size_t left, bool may_store, struct asked *a,
                               size_t *used)
{
    *used = 1;
    if (slice_eq_nocase(w[0], "ASC") || slice_eq_nocase(w[0], "DESC"))
        a->descending = slice_eq_nocase(w[0], "DESC");
    else if (slice_eq_nocase(w[0], "ALPHA"))
        a->as_text = true;
    else if (slice_eq_nocase(w[0], "LIMIT") && left > 2) {
        *used = 3;
        return read_limit(w + 1, a) ? NULL : "ERR value is not an integer or out of range";
    } else if (left > 1 && may_store && slice_eq_nocase(w[0], "STORE")) {
        *used = 2;
        a->stores = true;
        a->destination = w[1];
    } else if (left > 1 && slice_eq_nocase(w[0], "BY")) {
        *used = 2;
        a->has_by = true;
        a->by = read_pattern(w[1]);
        a->keeps_order |= !a->by.names_key;
    } else if (left > 1 && slice_eq_nocase(w[0], "GET")) {
        *used = 2;
        a->gets[a->get_count++] = read_pattern(w[1]);
    } else {
        return "ERR syntax error";
    }
    return NULL;
}

/* False: the error is replied. The caller frees the gets in any case. */
static bool read_options(struct request *rq, const struct slices *words, struct asked *a)
{
    bool may_store = (rq->command->flags & CMD_WRITE) != 0;
    const char *wrong = NULL;
    *a = (struct asked){.limit = -1};
    a->gets = mem_try(MEM_SCRATCH, (words->count / 2 + 1) * sizeof(*a->gets));
    if (a->gets == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return false;
    }
    for (size_t i = 0, used; i < words->count && wrong == NULL; i += used)
        wrong = read_option(words->items + i, words->count - i, may_store, a, &used);
    if (wrong != NULL)
        reply_error(&rq->reply, wrong);
    return wrong == NULL;
}

/* -- what keys hold ---------------------------------------------------------------------------- */

/* Finds what patterns name; owner: the handler. */
struct finder {
    struct db *db;
    struct buf key; /* the one in hand */
};

/* ptr NULL: there is no such key, or it holds something else. */
static struct slice find_value(struct finder *f, const struct pattern *p, struct slice value)
{
    struct slice none = {NULL, 0};
    struct hash_field field;
    if (p->is_value)
        return value;
    if (!p->names_key)
        return none;
    f->key.len = 0;
    buf_append_slice(&f->key, p->before);
    buf_append_slice(&f->key, value);
    buf_append_slice(&f->key, p->behind);
    const struct object *o = buf_failed(&f->key) ? NULL : db_find(f->db, buf_slice(&f->key));
    if (o == NULL)
        return none;
    if (p->field.ptr != NULL)
        return o->type == OBJECT_HASH && hashes_get(f->db, o, p->field, &field) ? field.value
                                                                                : none;
    return o->type == OBJECT_STRING ? object_string(o) : none;
}

/* As strtod of C has it, which Redis asks: blanks before a number, and hexadecimal ones. */
static bool read_score(struct finder *f, struct slice text, double *out)
{
    int64_t integer;
    char *end;
    if (slice_to_i64(text, &integer)) {
        *out = (double)integer;
        return true;
    }
    f->key.len = 0;
    buf_append_slice(&f->key, text);
    buf_append_byte(&f->key, 0);
    if (buf_failed(&f->key))
        return false;
    errno = 0;
    *out = strtod((const char *)f->key.ptr, &end);
    return *end == 0 && errno != ERANGE && !isnan(*out);
}

/* -- values ------------------------------------------------------------------------------------ */

static void take_list(const struct object *o, bool backwards, size_t from, struct items *out)
{
    size_t first = backwards ? lists_count(o) - from - out->count : from;
    struct list_walk walk;
    lists_walk(o, (uint32_t)first, &walk);
    for (size_t i = 0; i < out->count; i++) {
        bool found = lists_next(&walk, &out->items[backwards ? out->count - 1 - i : i].value);
        CHECK(found);
    }
}

static void take_set(const struct object *o, size_t from, struct items *out)
{
    struct set_walk walk;
    struct slice member;
    sets_walk(o, &walk);
    for (size_t i = 0; i < from + out->count; i++) {
        bool found = sets_next(&walk, &member);
        CHECK(found);
        if (i >= from)
            out->items[i - from].value = member;
    }
}

static void take_zset(const struct object *o, bool backwards, size_t from, struct items *out)
{
    size_t rank = backwards ? members_count(o) - 1 - from : from;
    struct zset_walk walk;
    struct scored scored;
    zsets_walk(o, (uint32_t)rank, backwards, &walk);
    for (size_t i = 0; i < out->count; i++) {
        bool found = zsets_next(&walk, &scored);
        CHECK(found);
        out->items[i].value = scored.member;
    }
}

/* The values of o from a place on, or backwards from the one so many before its end; a set has no
 * end that means anything. */
static void take_values(const struct object *o, bool backwards, size_t from, struct items *out)
{
    if (out->count == 0)
        return;
    if (o->type == OBJECT_LIST)
        take_list(o, backwards, from, out);
    else if (o->type == OBJECT_SET)
        take_set(o, from, out);
    else
        take_zset(o, backwards, from, out);
}

/* What items are compared by. Redis's text of what is wrong, or NULL. */
static const char *weigh(struct finder *f, const struct asked *a, struct items *all)
{
    for (size_t i = 0; i < all->count; i++) {
        struct item *item = &all->items[i];
        item->text = a->has_by ? find_value(f, &a->by, item->value) : item->value;
        item->score = 0;
        item->place = a->descending ? -(int64_t)i : (int64_t)i;
        if (!a->as_text && item->text.ptr != NULL && !read_score(f, item->text, &item->score))
            return buf_failed(&f->key) ? err_text(ERR_NOMEM) : not_numbers;
        if (buf_failed(&f->key))
            return err_text(ERR_NOMEM);
    }
    return NULL;
}

static int by_score(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? -1 : 1;
    return slice_cmp(x->value, y->value);
}

static int by_text(const void *a, const void *b)
{
    const struct item *x = a, *y = b;
    int order = (x->text.ptr != NULL) - (y->text.ptr != NULL);
    if (order == 0 && x->text.ptr != NULL)
        order = slice_cmp(x->text, y->text);
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

static void turn_around(struct items *all)
{
    for (size_t i = 0; i < all->count / 2; i++) {
        struct item held = all->items[i];
        all->items[i] = all->items[all->count - 1 - i];
        all->items[all->count - 1 - i] = held;
    }
}

/* The part of count that LIMIT asks for. */
static size_t part_of(const struct asked *a, size_t count, size_t *from)
{
    *from = a->offset <= 0 ? 0 : (uint64_t)a->offset < count ? (size_t)a->offset : count;
    size_t left = count - *from;
    return a->limit < 0 || (uint64_t)a->limit > left ? left : (size_t)a->limit;
}

static bool reserve(struct items *out, size_t count)
{
    out->count = count;
    out->items = mem_try(MEM_SCRATCH, (count + 1) * sizeof(*out->items));
    return out->items != NULL;
}

/* The items in their order, those that LIMIT asks for at *part. False: the error is replied. The
 * caller frees all->items in any case. */
static bool sort(struct request *rq, struct finder *f, const struct asked *a,
                 const struct object *o, struct items *all, struct items *part)
{
    size_t count = o->type == OBJECT_LIST ? lists_count(o) : members_count(o), from;
    size_t wanted = part_of(a, count, &from);
    if (!reserve(all, a->keeps_order ? wanted : count)) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return false;
    }
    take_values(o, a->keeps_order && a->descending, a->keeps_order ? from : 0, all);
    *part = *all;
    if (a->keeps_order)
        return true;
    const char *wrong = weigh(f, a, all);
    if (wrong == not_numbers)
        reply_error(&rq->reply, wrong);
    else if (wrong != NULL)
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    if (wrong != NULL)
        return false;
    qsort(all->items, all->count, sizeof(*all->items), a->as_text ? by_text : by_score);
    if (a->descending)
        turn_around(all);
    *part = (struct items){all->items + from, wanted};
    return true;
}

/* -- answers ----------------------------------------------------------------------------------- */

static void reply_items(struct request *rq, struct finder *f, const struct asked *a,
                        const struct items *part)
{
    size_t each = a->get_count == 0 ? 1 : a->get_count, before = rq->client->out.len;
    reply_array(&rq->reply, part->count * each);
    for (size_t i = 0; i < part->count; i++) {
        if (a->get_count == 0)
            reply_bulk(&rq->reply, part->items[i].value);
        for (size_t j = 0; j < a->get_count; j++) {
            struct slice found = find_value(f, &a->gets[j], part->items[i].value);
            if (found.ptr == NULL)
                reply_null(&rq->reply);
            else
                reply_bulk(&rq->reply, found);
        }
    }
    if (!buf_failed(&f->key))
        return;
    rq->client->out.len = before;
    reply_err(&rq->reply, ERR_NOMEM, NULL);
}

static void store_values(struct request *rq, struct slice key, const struct slice *values,
                         size_t count)
{
    bool there = db_find(rq->env->db, key) != NULL;
    if (count == 0 && there && !key_remove(rq, key))
        return;
    if (count > 0 && !write_mutation(rq, &(struct mutation){.kind = MUTATION_LIST_PUSH,
                                                            .key = key,
                                                            .ids = values,
                                                            .count = count,
                                                            .replaces = true}))
        return;
    reply_int(&rq->reply, (int64_t)count);
}

/* What is not there is stored as a text without bytes. */
static void store_items(struct request *rq, struct finder *f, const struct asked *a,
                        const struct items *part)
{
    size_t each = a->get_count == 0 ? 1 : a->get_count;
    struct slice *values = mem_try(MEM_SCRATCH, (part->count * each + 1) * sizeof(*values));
    for (size_t i = 0; values != NULL && i < part->count; i++) {
        values[i * each] = part->items[i].value;
        for (size_t j = 0; j < a->get_count; j++)
            values[i * each + j] = find_value(f, &a->gets[j], part->items[i].value);
    }
    if (values == NULL || buf_failed(&f->key))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else
        store_values(rq, a->destination, values, part->count * each);
    mem_free(MEM_SCRATCH, values);
}

/* False: the error is replied. */
static bool find_source(struct request *rq, struct slice key, const struct object **out)
{
    bool reads = (rq->command->flags & CMD_READONLY) != 0;
    const struct object *o = reads ? key_read(rq, key) : db_find(rq->env->db, key);
    if (o == NULL && !reads)
        notify_miss(rq->env, key);
    *out = o;
    if (o == NULL || o->type == OBJECT_LIST || o->type == OBJECT_SET || o->type == OBJECT_ZSET)
        return true;
    reply_err(&rq->reply, ERR_TYPE, NULL);
    return false;
}

static void answer(struct request *rq, const struct object *o, struct asked *a)
{
    struct items all = {0}, part = {0};
    struct finder f = {.db = rq->env->db};
    buf_init(&f.key, MEM_SCRATCH);
    /* The order of a set is no order: what is stored has one. */
    if (o != NULL && o->type == OBJECT_SET && a->keeps_order && a->stores) {
        a->keeps_order = a->has_by = false;
        a->as_text = true;
    }
    if (o == NULL || sort(rq, &f, a, o, &all, &part))
        (a->stores ? store_items : reply_items)(rq, &f, a, &part);
    mem_free(MEM_SCRATCH, all.items);
    buf_fini(&f.key);
}

static void run(struct request *rq, struct slice key, const struct slices *words)
{
    struct asked a;
    const struct object *o;
    if (read_options(rq, words, &a) && find_source(rq, key, &o))
        answer(rq, o, &a);
    mem_free(MEM_SCRATCH, a.gets);
}

void cmd_sort(struct request *rq)
{
    const struct sort_args *a = rq->args;
    run(rq, a->key, &a->words);
}

void cmd_sort_ro(struct request *rq)
{
    const struct sort_ro_args *a = rq->args;
    run(rq, a->key, &a->words);
}
