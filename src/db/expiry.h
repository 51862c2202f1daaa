/* expiry.h: keys by the time they expire, or by the time the first of their fields does. A heap, so
 * that the next one is always known, and adding or removing one of a million takes a few cache
 * lines.
 *
 * owner: the keyspace it is part of. */
#ifndef VDB_DB_EXPIRY_H
#define VDB_DB_EXPIRY_H

#include "base/mem.h"

struct object;

/* The time stands here too, so that ordering does not visit the objects. */
struct expiry_entry {
    uint64_t expire_ms;
    struct object *object;
};

struct expiry {
    struct expiry_entry *entries; /* a heap of 4 children: the soonest first */
    uint32_t count;
    uint32_t capacity;
    bool of_fields; /* of the fields of hashes; false: of keys */
};

#define EXPIRY_NONE UINT32_MAX /* an object's place when it is in no heap */

void expiry_fini(struct expiry *x);
/* Makes room for one more: the part of a change that can fail. */
MUST_USE bool expiry_reserve(struct expiry *x);
/* o is not in the heap; expiry_reserve came before. expire_ms: above 0; of keys the object's. */
void expiry_add(struct expiry *x, struct object *o, uint64_t expire_ms);
/* Nothing when it is not there. */
void expiry_remove(struct expiry *x, struct object *o);

/* The object that expires first; NULL when none does. */
static inline struct object *expiry_first(const struct expiry *x)
{
    return x->count == 0 ? NULL : x->entries[0].object;
}

/* Is the time of some key over at now_ms? As in Redis, a key is there until its time has passed. */
static inline bool expiry_is_due(const struct expiry *x, uint64_t now_ms)
{
    return x->count > 0 && x->entries[0].expire_ms < now_ms;
}

/* How long keys have left on average, from a sample; 0 when none expires. */
uint64_t expiry_average_ms(const struct expiry *x, uint64_t now_ms);

/* For tests: do order and places hold? */
bool expiry_check(const struct expiry *x);

#endif
