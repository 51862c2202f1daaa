/* topk.h: keeps the k nearest of many candidates: a bounded binary heap with the farthest on top.
 * Ties go to the smaller row, so that equal data give equal answers. */
#ifndef VDB_BASE_TOPK_H
#define VDB_BASE_TOPK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hit {
    float dist;
    uint32_t row;
};

/* owner: caller, who provides room for capacity hits */
struct topk {
    struct hit *hits;
    size_t count;
    size_t capacity;
};

static inline bool hit_before(struct hit a, struct hit b)
{
    return a.dist < b.dist || (a.dist == b.dist && a.row < b.row);
}

void topk_init(struct topk *t, struct hit *room, size_t capacity);

/* Would a hit at this distance get in? */
static inline bool topk_wants(const struct topk *t, float dist)
{
    return t->count < t->capacity || (t->capacity > 0 && dist <= t->hits[0].dist);
}

void topk_push(struct topk *t, struct hit h);

/* Sorts the hits, nearest first. The heap is over: no push after. */
void topk_sort(struct topk *t);

/* Sorts any hits, nearest first. */
void hits_sort(struct hit *hits, size_t count);

#endif
