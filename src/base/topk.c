#include "base/topk.h"

#include <stdlib.h>

#include "base/check.h"

enum { SOME = 512 }; /* more take a sort of fewer steps */

void topk_init(struct topk *t, struct hit *room, size_t capacity)
{
    CHECK(room != NULL || capacity == 0);
    *t = (struct topk){.hits = room, .capacity = capacity};
}

static void sift_up(struct hit *hits, size_t at)
{
    struct hit h = hits[at];
    while (at > 0) {
        size_t parent = (at - 1) / 2;
        if (!hit_before(hits[parent], h))
            break;
        hits[at] = hits[parent];
        at = parent;
    }
    hits[at] = h;
}

static void sift_down(struct hit *hits, size_t count, struct hit h)
{
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            break;
        if (child + 1 < count && hit_before(hits[child], hits[child + 1]))
            child++;
        if (!hit_before(h, hits[child]))
            break;
        hits[at] = hits[child];
        at = child;
    }
    hits[at] = h;
}

void topk_push(struct topk *t, struct hit h)
{
    if (t->count < t->capacity) {
        t->hits[t->count++] = h;
        sift_up(t->hits, t->count - 1);
    } else if (t->capacity > 0 && hit_before(h, t->hits[0])) {
        sift_down(t->hits, t->count, h);
    }
}

static int compare_hits(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    return hit_before(*x, *y) ? -1 : hit_before(*y, *x) ? 1 : 0;
}

/* Shell's, with gaps of Ciura 2001: nothing is called, and what is nearly sorted, as lists of
 * neighbours are, is hardly more than looked at. */
static void sort_some(struct hit *hits, size_t count)
{
    static const size_t gaps[] = {132, 57, 23, 10, 4, 1};
    for (size_t g = 0; g < COUNT_OF(gaps); g++) {
        const size_t gap = gaps[g];
        for (size_t i = gap; i < count; i++) {
            const struct hit h = hits[i];
            size_t at = i;
            for (; at >= gap && hit_before(h, hits[at - gap]); at -= gap)
                hits[at] = hits[at - gap];
            hits[at] = h;
        }
    }
}

void hits_sort(struct hit *hits, size_t count)
{
    if (count <= SOME)
        sort_some(hits, count);
    else
        qsort(hits, count, sizeof(*hits), compare_hits);
}

void topk_sort(struct topk *t)
{
    hits_sort(t->hits, t->count);
}
