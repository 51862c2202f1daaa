/* chance.h: choices, made by a generator of random numbers or read from the input of a fuzzer. */
#ifndef VDB_TESTS_ROBUST_CHANCE_H
#define VDB_TESTS_ROBUST_CHANCE_H

#include "base/rng.h"
#include "base/slice.h"

struct chance {
    uint64_t rng;      /* when there are no bytes */
    struct slice left; /* bytes to choose by; ptr NULL: there never were any */
};

/* 0 .. bound - 1; 0 once the bytes are used up. */
static inline uint64_t chance_below(struct chance *c, uint64_t bound)
{
    if (c->left.ptr == NULL)
        return rng_below(&c->rng, bound);
    if (c->left.len == 0)
        return 0;
    uint64_t value = c->left.ptr[0];
    size_t used = bound > 256 && c->left.len > 1 ? 2 : 1;
    if (used == 2)
        value |= (uint64_t)c->left.ptr[1] << 8;
    c->left = (struct slice){c->left.ptr + used, c->left.len - used};
    return value % bound;
}

static inline bool chance_one_in(struct chance *c, uint64_t n)
{
    return chance_below(c, n) == n - 1;
}

#endif
