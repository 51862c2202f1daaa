/* members.h: what sets and sorted sets hold, whatever form they have.
 *
 * Each takes an object of its type, or NULL: no such key, without members. What is handed out is
 * good until the key changes. owner: loop. */
#ifndef VDB_DB_MEMBERS_H
#define VDB_DB_MEMBERS_H

#include "db/db.h"

size_t members_count(const struct object *o);

/* Some members from a cursor on, 0 first, until at least count were looked at or stop says so;
 * returns the cursor to go on with, 0 when all were seen. A member that is there during the whole
 * scan is seen at least once. Entries are of set.h or zset.h. */
uint64_t members_scan(const struct object *o, uint64_t cursor, size_t count,
                      bool (*stop)(void *user), void (*fn)(void *user, struct slice entry),
                      void *user);

/* -- sets -------------------------------------------------------------------------------------- */

bool sets_has(const struct db *db, const struct object *o, struct slice member);
/* One of them by its number, below members_count. */
struct slice sets_at(const struct object *o, uint32_t index);

/* All members, in some order. */
struct set_walk {
    struct slice rest;     /* of the leaf in hand, or of the pack */
    struct tree_path path; /* to the next leaf */
};

void sets_walk(const struct object *o, struct set_walk *walk);
bool sets_next(struct set_walk *walk, struct slice *member);

/* -- sorted sets ------------------------------------------------------------------------------- */

bool zsets_get(const struct db *db, const struct object *o, struct slice member,
               struct scored *out);
/* How many are before a bound. */
uint32_t zsets_rank(const struct db *db, const struct object *o, const struct zset_bound *bound);

/* Members in order, from a rank on, or backwards. */
struct zset_walk {
    struct slice rest; /* forwards: of the leaf in hand, or of the pack */
    struct tree_path path;
    bool backwards;
    struct slice leaf;                /* backwards: the one in hand, */
    uint32_t left;                    /* how many of its entries are to come, */
    uint32_t starts[TREE_LEAF_BYTES]; /* and where they start */
};

/* rank: of the first one, below members_count; what is handed out is the one of that rank, then
 * those after it, or before it. */
void zsets_walk(const struct object *o, uint32_t rank, bool backwards, struct zset_walk *walk);
bool zsets_next(struct zset_walk *walk, struct scored *out);

#endif
