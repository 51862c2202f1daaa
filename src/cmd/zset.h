/* zset.h: what handlers of sorted sets share. */
#ifndef VDB_CMD_ZSET_H
#define VDB_CMD_ZSET_H

#include "cmd/members.h"

/* The sorted set at a key, as members_read. */
MUST_USE bool zset_read(struct request *rq, struct slice key, struct object **out);

/* A number as Redis takes scores; false: it is none, or not a number. */
bool score_read(struct slice text, double *out);

/* -- ranges ------------------------------------------------------------------------------------ */

enum zset_range_kind { RANGE_RANK, RANGE_SCORE, RANGE_LEX };

/* What a command asks for, as it was written. */
struct zset_range {
    enum zset_range_kind kind;
    bool reverse;
    int64_t first, last;         /* RANGE_RANK; negative: from the end */
    struct zset_bound low, high; /* RANGE_SCORE; RANGE_LEX: their members, */
    bool from_all, from_none;    /* where the range begins before all, or behind all, */
    bool to_all, to_none;        /* and ends behind all, or before all */
    int64_t offset, limit;       /* limit negative: none */
};

/* Reads both ends in the order in which they count. Replies the error. */
MUST_USE bool zset_range_read(struct request *rq, struct slice min, struct slice max,
                              struct zset_range *range);

/* Ranks from first on, count of them, OFFSET and LIMIT heeded; when reverse, from first down. */
struct zset_part {
    uint32_t first, count;
};

/* o NULL: nothing. */
struct zset_part zset_range_part(const struct db *db, const struct object *o,
                                 const struct zset_range *range);

/* -- replies ----------------------------------------------------------------------------------- */

/* How many elements a reply of so many members has: pairs in RESP3, one after the other in RESP2.
 */
void zset_reply_begin(struct reply *r, size_t count, bool with_scores);
void zset_reply_member(struct reply *r, const struct scored *s, bool with_scores);

/* -- popping ----------------------------------------------------------------------------------- */

/* Takes the lowest or the highest member of a sorted set; replies the key, it, and its score. */
void zset_pop_one(struct request *rq, struct slice key, const struct object *o, bool highest);
/* Takes up to count; replies the key, and pairs in both protocols. */
void zset_pop_pairs(struct request *rq, struct slice key, const struct object *o, size_t count,
                    bool highest);
/* numkeys key .. MIN|MAX [COUNT n]. Redis's text of what is wrong, or NULL. */
const char *zset_read_mpop(const struct slices *words, struct slices *keys, bool *highest,
                           size_t *count);

/* In place of whatever the key held; nothing is no key. Replies the error. */
MUST_USE bool zset_store(struct request *rq, struct slice key, const struct scored *members,
                         size_t count);

#endif
