/* access.h: when a key was last used, or how often: what eviction goes by.
 *
 * 32 bits of each object, read in one of two ways. LRU: the time of the last use, in tenths of a
 * second. LFU, as Redis has it: a logarithmic counter in the low 8 bits, which grows the less
 * likely the larger it is, and above it, in minutes, when it was last lowered. When the policy
 * changes, what is there is read the other way until the key is used again.
 *
 * Not logged and not saved: after a start all keys were used just now.
 *
 * owner: loop. */
#ifndef VDB_DB_ACCESS_H
#define VDB_DB_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

struct access {
    bool lfu;
    uint32_t log_factor;    /* of LFU: how much use it takes to be counted as often used */
    uint32_t decay_minutes; /* of LFU: after so many the counter is one lower; 0: never */
    uint32_t tenths;        /* the clock */
    uint64_t random;        /* state of rng.h */
};

void access_set_now(struct access *a, uint64_t now_ms);
/* The value of a key that is made now. */
uint32_t access_new(const struct access *a);
/* Its value once it is used now. */
uint32_t access_used(struct access *a, uint32_t value);

/* LRU: how long it has not been used. */
uint64_t access_idle_ms(const struct access *a, uint32_t value);
/* LFU: the counter as it is now, 0 .. 255. */
uint32_t access_frequency(const struct access *a, uint32_t value);
/* The higher, the sooner the key is to go. */
uint64_t access_score(const struct access *a, uint32_t value);

/* Values that RESTORE gives. */
uint32_t access_of_idle(const struct access *a, uint64_t idle_s);
uint32_t access_of_frequency(const struct access *a, uint32_t frequency);

#endif
