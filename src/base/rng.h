/* rng.h: hashes and repeatable random numbers. Not for secrets. */
#ifndef VDB_BASE_RNG_H
#define VDB_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* SplitMix64 (Steele, Lea, Flood 2014): one step; *state may start anywhere. */
static inline uint64_t rng_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0 .. bound - 1, for 0 < bound <= 2^32 (Lemire's multiplication; the bias is below 2^-32 for
 * the bounds in use). */
static inline uint64_t rng_below(uint64_t *state, uint64_t bound)
{
    return ((rng_next(state) >> 32) * bound) >> 32;
}

/* 0 <= x < 1, 53 bits. */
static inline double rng_unit(uint64_t *state)
{
    return (double)(rng_next(state) >> 11) * 0x1p-53;
}

/* SipHash-1-3 keyed by seed (Aumasson, Bernstein 2012): clients choose the bytes, so an unkeyed
 * hash would let them choose collisions. */
uint64_t hash_bytes(struct slice bytes, const uint64_t seed[2]);

#endif
