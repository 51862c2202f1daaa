/* Lists: where a value stands, values that move from one list to another. */
#include "cmd/list.h"

/* -- LPOS -------------------------------------------------------------------------------------- */

/* A search for a value, in either direction. */
struct position {
    struct slice value;
    bool backwards;
    int64_t skip;   /* matches to pass over */
    int64_t most;   /* matches wanted; 0: all */
    int64_t maxlen; /* values to look at; 0: all */
};

#define RANK_ZERO                                                                                  \
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use "   \
    "negative to start from the end of the list"

static bool read_rank(struct request *rq, struct slice text, struct position *p)
{
    int64_t rank;
    if (!list_read_integer(rq, text, &rank))
        return false;
    if (rank == 0) {
        reply_error(&rq->reply, RANK_ZERO);
        return false;
    }
    p->backwards = rank < 0;
    p->skip = rank < 0 ? -(rank + 1) : rank - 1;
    return true;
}

static bool read_positive(struct request *rq, struct slice text, const char *error, int64_t *out)
{
    if (slice_to_i64(text, out) && *out >= 0)
        return true;
    reply_error(&rq->reply, error);
    return false;
}

static bool read_position(struct request *rq, const struct lpos_args *a, struct position *p)
{
    *p = (struct position){.value = a->value, .most = 1};
    if (a->has_rank && !read_rank(rq, a->rank, p))
        return false;
    if (a->has_count && !read_positive(rq, a->count, "ERR COUNT can't be negative", &p->most))
        return false;
    return !a->has_maxlen ||
           read_positive(rq, a->maxlen, "ERR MAXLEN can't be negative", &p->maxlen);
}

/* Appends places to a buffer, first found first. */
static void find_places(const struct object *o, struct position *p, struct buf *places)
{
    struct list_walk walk;
    struct list_walk_back back;
    struct slice value;
    uint32_t length = lists_count(o);
    int64_t found = 0;
    if (p->backwards)
        lists_walk_back(o, &back);
    else
        lists_walk(o, 0, &walk);
    for (uint32_t i = 0; i < length && (p->maxlen == 0 || i < p->maxlen); i++) {
        bool there = p->backwards ? lists_previous(&back, &value) : lists_next(&walk, &value);
        CHECK(there);
        if (!slice_eq(value, p->value) || p->skip-- > 0)
            continue;
        uint32_t place = p->backwards ? length - 1 - i : i;
        buf_append(places, &place, sizeof(place));
        if (++found == p->most)
            return;
    }
}

void cmd_lpos(struct request *rq)
{
    const struct lpos_args *a = rq->args;
    struct position p;
    struct object *o;
    struct buf places = BUF_INIT(MEM_CLIENT);
    if (!read_position(rq, a, &p) || !list_read(rq, a->key, &o))
        return;
    find_places(o, &p, &places);
    size_t count = places.len / sizeof(uint32_t);
    const uint32_t *found = (const uint32_t *)(const void *)places.ptr;
    if (buf_failed(&places))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else if (a->has_count)
        reply_array(&rq->reply, count);
    else if (count == 0)
        reply_null(&rq->reply);
    for (size_t i = 0; i < count && !buf_failed(&places); i++)
        reply_int(&rq->reply, found[i]);
    buf_fini(&places);
}

/* -- from one list to another ------------------------------------------------------------------ */

bool list_read_end(struct request *rq, struct slice word, bool *at_head)
{
    *at_head = slice_eq_nocase(word, "LEFT");
    if (*at_head || slice_eq_nocase(word, "RIGHT"))
        return true;
    reply_error(&rq->reply, "ERR syntax error");
    return false;
}

bool list_move(struct request *rq, struct slice key, struct slice destination, bool from_head,
               bool to_head)
{
    struct object *o, *to;
    struct mutation m = {.kind = MUTATION_LIST_MOVE,
                         .key = key,
                         .new_key = destination,
                         .at_head = from_head,
                         .to_head = to_head};
    if (!list_read(rq, key, &o))
        return true;
    if (o == NULL)
        return false;
    if (!list_read(rq, destination, &to))
        return true;
    size_t before = rq->client->out.len;
    reply_bulk(&rq->reply, lists_at(o, from_head ? 0 : lists_count(o) - 1));
    list_write_replied(rq, &m, before);
    return true;
}

void cmd_lmove(struct request *rq)
{
    const struct lmove_args *a = rq->args;
    bool from_head, to_head;
    if (list_read_end(rq, a->from, &from_head) && list_read_end(rq, a->to, &to_head) &&
        !list_move(rq, a->key, a->destination, from_head, to_head))
        reply_null(&rq->reply);
}

void cmd_rpoplpush(struct request *rq)
{
    const struct rpoplpush_args *a = rq->args;
    if (!list_move(rq, a->key, a->destination, false, true))
        reply_null(&rq->reply);
}

/* -- from the first of several ----------------------------------------------------------------- */

bool list_read_mpop(struct request *rq, const struct slices *words, struct list_mpop *out)
{
    int64_t keys, count = 1;
    *out = (struct list_mpop){.count = 1};
    if (!slice_to_i64(words->items[0], &keys) || keys <= 0) {
        reply_error(&rq->reply, "ERR numkeys should be greater than 0");
        return false;
    }
    if ((uint64_t)keys > words->count - 2) {
        reply_error(&rq->reply, "ERR syntax error");
        return false;
    }
    size_t at = (size_t)keys + 1;
    out->keys = (struct slices){words->items + 1, (size_t)keys};
    if (!list_read_end(rq, words->items[at++], &out->at_head))
        return false;
    bool counts = words->count - at == 2 && slice_eq_nocase(words->items[at], "COUNT");
    if (!counts && at < words->count) {
        reply_error(&rq->reply, "ERR syntax error");
        return false;
    }
    if (counts && (!slice_to_i64(words->items[at + 1], &count) || count <= 0)) {
        reply_error(&rq->reply, "ERR count should be greater than 0");
        return false;
    }
    out->count = count < UINT32_MAX ? (uint32_t)count : UINT32_MAX;
    return true;
}

void list_pop_named(struct request *rq, struct slice key, const struct object *o,
                    const struct list_mpop *mpop)
{
    uint32_t length = lists_count(o);
    size_t before = rq->client->out.len;
    reply_array(&rq->reply, 2);
    reply_bulk(&rq->reply, key);
    list_pop(rq, key, mpop->at_head, mpop->count < length ? mpop->count : length,
             LIST_REPLY_ARRAY, before);
}

void cmd_lmpop(struct request *rq)
{
    struct list_mpop mpop;
    if (!list_read_mpop(rq, &((const struct lmpop_args *)rq->args)->words, &mpop))
        return;
    for (size_t i = 0; i < mpop.keys.count; i++) {
        struct object *o;
        if (!list_read(rq, mpop.keys.items[i], &o))
            return;
        if (o != NULL) {
            list_pop_named(rq, mpop.keys.items[i], o, &mpop);
            return;
        }
    }
    reply_null_array(&rq->reply);
}
