/* victims.h: which elements go when a put finds its collection full, as its EVICT says.
 *
 * Those whose time is over go first. LRU and LFU draw elements by chance, a few for each that has
 * to go, and take the worst of them, as Redis does for keys; of a small collection they look at
 * all. Elements that the put replaces are not among them.
 *
 * owner: loop. */
#ifndef VDB_DB_VICTIMS_H
#define VDB_DB_VICTIMS_H

#include "db/collection.h"

struct victims {
    struct slice *ids; /* owned; they point into the heap of the collection */
    size_t count;
};

/* Has the collection a limit? */
static inline bool victims_may_go(const struct collection *c)
{
    return c->spec.tuning.max_len > 0 || c->spec.tuning.max_bytes > 0;
}

/* fresh: distinct ids of the put that the collection does not have. ERR_LIMIT: the put does not
 * fit, and why says what to do; ERR_NOMEM. victims_fini in any case. */
MUST_USE enum err victims_plan(struct collection *c, const struct mutation *put, size_t fresh,
                               struct victims *out, struct why *why);
void victims_fini(struct victims *v);

#endif
