/* hnsw_pool.h: what walks of the graph have in common: the pool of the nearest rows met, sorted,
 * and what is done to it in a step. For hnsw_walk.c and hnsw_match.c only. */
#ifndef VDB_INDEX_HNSW_POOL_H
#define VDB_INDEX_HNSW_POOL_H

#include <math.h>

#include "index/hnsw_impl.h"
#include "index/visited.h"

/* BEAM_MAX rows are followed in a step; a narrow pool takes fewer, since what is followed too early
 * is followed in vain. */
enum {
    BATCH = 64,
    BEAM_MAX = 4,
    BEAM_POOL = 16,
    BEAM_POOL_SCREENED = 8, /* most of what is followed in vain costs two lines */
    FOUND_MAX = BEAM_MAX * BATCH,
    YIELD_STEPS = 16
};

/* A pool row whose links were followed carries this bit; rows stay below it (LIMIT_ROWS). */
#define FOLLOWED 0x80000000u

/* owner: the walk */
struct walk {
    const struct hnsw *h;
    const struct index_rows *rows;
    const uint8_t *prepared;
    int level;
    size_t ef;     /* rows kept, */
    size_t follow; /* and of these the nearest, whose links are followed */
    size_t beam;
    bool screens;     /* codec_screens */
    struct hit *pool; /* the nearest rows met, sorted */
    size_t count;
    size_t next; /* the rows of all places before it were followed */
    struct visited visited;
    uint32_t found[FOUND_MAX]; /* rows met in this step, not scored yet */
    size_t found_count;
    struct index_cost *cost;
};

/* How a walk that follows so many looks at rows. */
static inline void walk_set_width(struct walk *w)
{
    w->screens = codec_screens(w->rows->codec);
    const size_t pool = w->screens ? BEAM_POOL_SCREENED : BEAM_POOL;
    w->beam = w->follow / pool < BEAM_MAX ? 1 + w->follow / pool : BEAM_MAX;
}

static inline void fetch_links(const struct hnsw *h, uint32_t row, int level)
{
    const char *links = (const char *)hnsw_links(h, row, level);
    __builtin_prefetch(links);
    __builtin_prefetch(links + 64);
}

/* The first lines of a code; the kernels fetch the rest of longer ones as they go. */
static inline void fetch_codes(const struct index_rows *rows, const uint32_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *code = row_code(rows, ids[i]);
        __builtin_prefetch(code);
        __builtin_prefetch(code + 64);
    }
}

/* Few and nearly random: insertion beats anything that has to be called. */
static inline void sort_few(struct hit *hits, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct hit h = hits[i];
        size_t at = i;
        for (; at > 0 && hits[at - 1].dist > h.dist; at--)
            hits[at] = hits[at - 1];
        hits[at] = h;
    }
}

/* Merges sorted hits into the pool from its far end; what has no room is dropped. */
static inline void pool_merge(struct walk *w, const struct hit *near, size_t near_count)
{
    struct hit *pool = w->pool;
    size_t old = w->count, fresh = near_count;
    const size_t sum = old + fresh, total = sum < w->ef ? sum : w->ef;
    for (size_t drop = sum - total; drop > 0; drop--) {
        if (old > 0 && (fresh == 0 || pool[old - 1].dist > near[fresh - 1].dist))
            old--;
        else
            fresh--;
    }
    size_t out = total;
    while (fresh > 0) {
        if (old > 0 && pool[old - 1].dist > near[fresh - 1].dist)
            pool[--out] = pool[--old];
        else
            pool[--out] = near[--fresh];
    }
    w->count = total;
    if (out < w->next)
        w->next = out;
}

/* Drops the rows found that a look at the first lines of their codes tells to be too far. The links
 * of the others are likely to be followed next. */
static inline void screen_found(struct walk *w, float limit)
{
    w->found_count =
        codec_screen(w->rows->codec, w->prepared, w->rows->codes, w->found, w->found_count, limit);
    for (size_t i = 0; i < w->found_count; i++)
        fetch_links(w->h, w->found[i], w->level);
}

static inline void score_found(struct walk *w)
{
    float scores[FOUND_MAX];
    struct hit near[FOUND_MAX];
    const float limit = w->count == w->ef ? w->pool[w->ef - 1].dist : INFINITY;
    w->cost->distances += w->found_count;
    if (w->screens && w->count == w->ef)
        screen_found(w, limit);
    const size_t count = w->found_count;
    codec_score_many(w->rows->codec, w->prepared, w->rows->codes, w->found, count, scores);
    w->found_count = 0;

    /* No branch on what chance decides: near[kept] is written either way. */
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        near[kept] = (struct hit){scores[i], w->found[i]};
        kept += scores[i] < limit;
    }
    sort_few(near, kept);
    pool_merge(w, near, kept);
}

/* The nearest rows whose links were not followed; returns how many, at most the beam. */
static inline size_t choose(struct walk *w, uint32_t beam[BEAM_MAX])
{
    size_t width = 0, end = w->count < w->follow ? w->count : w->follow;
    for (; w->next < end && width < w->beam; w->next++) {
        struct hit *hit = &w->pool[w->next];
        if ((hit->row & FOLLOWED) != 0)
            continue;
        fetch_links(w->h, hit->row, w->level);
        beam[width++] = hit->row;
        hit->row |= FOLLOWED;
    }
    return width;
}

static inline void pool_unmark(struct walk *w)
{
    for (size_t i = 0; i < w->count; i++)
        w->pool[i].row &= ~FOLLOWED;
}

#endif
