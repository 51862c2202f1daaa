#include <math.h>
#include <stdlib.h>

#include "cmd/ft_hybrid.h"

struct fused {
    struct slice key;
    double score;
    double vector; /* its score; NAN: the vector has not found it */
    bool by_vector;
    size_t rank; /* from 1 */
};

struct fusing {
    const struct ft_hybrid *h;
    struct fused *items;
    size_t count;
};

/* Between 0 and 1, the best 1. */
static double vector_score(enum metric metric, double distance)
{
    return metric == METRIC_L2 ? 1 / (1 + distance) : (2 - distance) / 2;
}

static void add_hits(struct fusing *f, const struct buf *found, const struct ft_ask *ask,
                     bool by_vector)
{
    const struct hybrid_words *w = &f->h->words;
    struct bytes_reader r = {.left = buf_slice(found)};
    (void)bytes_get_u64(&r);
    for (size_t rank = 1; r.left.len > 0 && rank <= w->window; rank++) {
        struct ft_hit hit = ft_hit_read(&r, ask);
        double score = by_vector ? vector_score(f->h->metric, (double)hit.distance) : hit.score;
        double part =
            w->linear ? (by_vector ? w->beta : w->alpha) * score : 1 / (w->constant + (double)rank);
        f->items[f->count++] = (struct fused){.key = hit.key,
                                              .score = part,
                                              .vector = by_vector ? score : (double)NAN,
                                              .by_vector = by_vector,
                                              .rank = rank};
    }
    CHECK(!r.broken);
}

static int by_key(const void *a, const void *b)
{
    return slice_cmp(((const struct fused *)a)->key, ((const struct fused *)b)->key);
}

/* Equal ones by their rank, those of words first. */
static int by_score(const void *a, const void *b)
{
    const struct fused *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->by_vector != y->by_vector)
        return x->by_vector ? 1 : -1;
    return slice_cmp(x->key, y->key);
}

/* What both have found is one. */
static void join(struct fusing *f)
{
    size_t kept = 0;
    qsort(f->items, f->count, sizeof(*f->items), by_key);
    for (size_t i = 0; i < f->count; i++) {
        struct fused *last = kept > 0 ? &f->items[kept - 1] : NULL;
        if (last == NULL || !slice_eq(last->key, f->items[i].key)) {
            f->items[kept++] = f->items[i];
            continue;
        }
        last->score += f->items[i].score;
        last->rank = last->rank < f->items[i].rank ? last->rank : f->items[i].rank;
        if (f->items[i].by_vector)
            last->vector = f->items[i].vector;
        last->by_vector = false;
    }
    f->count = kept;
    qsort(f->items, f->count, sizeof(*f->items), by_score);
}

static void put_f64(struct buf *out, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    bytes_put_u64(out, bits);
}

static double get_f64(struct bytes_reader *r)
{
    uint64_t bits = bytes_get_u64(r);
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

struct hybrid_hit ft_hybrid_hit(struct bytes_reader *r)
{
    struct hybrid_hit hit;
    hit.vector = get_f64(r);
    hit.score = get_f64(r);
    hit.key = bytes_get_slice(r);
    return hit;
}

enum err ft_hybrid_fuse(const struct ft_hybrid *h, struct search *s)
{
    const struct ft_ask *ask = s->extra;
    const struct ft_ask of_vector = {0};
    struct fusing f = {.h = h};
    size_t most = (s->reply.len + h->found.len) / FT_HIT_SIZE_MIN + 1;
    f.items = mem_try(MEM_SCRATCH, most * sizeof(*f.items));
    if (f.items == NULL)
        return ERR_NOMEM;
    add_hits(&f, &s->reply, ask, false);
    add_hits(&f, &h->found, &of_vector, true);
    CHECK(f.count <= most);
    join(&f);
    struct buf out = BUF_INIT(MEM_CLIENT);
    bytes_put_u64(&out, f.count);
    for (size_t i = 0; i < f.count; i++) {
        put_f64(&out, f.items[i].vector);
        put_f64(&out, f.items[i].score);
        bytes_put_slice(&out, f.items[i].key);
    }
    mem_free(MEM_SCRATCH, f.items);
    buf_fini(&s->reply); /* the keys were in there */
    s->reply = out;
    return buf_failed(&out) ? ERR_NOMEM : OK;
}
