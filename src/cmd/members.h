/* members.h: what handlers of sets and sorted sets share. */
#ifndef VDB_CMD_MEMBERS_H
#define VDB_CMD_MEMBERS_H

#include "cmd/keys.h"
#include "db/members.h"

/* What a key holds when that is of the type, NULL when there is no such key. Replies the error and
 * returns false when the key holds something else. */
MUST_USE bool members_read(struct request *rq, struct slice key, enum object_type type,
                           struct object **out);

/* How many a key has by now, after a change. */
int64_t members_now(struct request *rq, struct slice key);

/* A list that grows. owner: the handler; zeros before the first */
struct member_list {
    struct scored *items; /* of sets without scores */
    size_t count, capacity;
    bool failed; /* no memory: there are fewer than there should be */
};

void member_list_add(struct member_list *l, struct slice member, double score);
void member_list_fini(struct member_list *l);
/* Replies the members as a set. What Redis keeps as an intset it shows in order: so is it here. */
void member_list_reply(struct request *rq, struct member_list *l);

/* Removes members that are there from a key that has size of them; when that is all, the key. */
MUST_USE bool members_remove(struct request *rq, struct slice key, enum object_type type,
                             const struct slice *members, size_t count, size_t size);

/* count different numbers below size, rising, each choice as likely as the others; count is at most
 * size. False: no memory, and the error is replied. The caller frees *out (MEM_SCRATCH). */
MUST_USE bool members_pick(struct request *rq, size_t size, size_t count, uint32_t **out);

/* A count as SRANDMEMBER and ZRANDMEMBER take it, negative: with repetitions, of which more than
 * LIMIT_MANY would hold the loop. Replies the error. */
MUST_USE bool members_read_count(struct request *rq, struct slice text, int64_t *count);

/* numkeys key .. [LIMIT n], as SINTERCARD and ZINTERCARD take them; *limit 0: none. Replies the
 * error. */
MUST_USE bool members_read_card(struct request *rq, const struct slices *words, struct slices *keys,
                                size_t *limit);

/* A count of what is to be popped: 0 or more. Replies the error. */
MUST_USE bool members_read_pops(struct request *rq, struct slice text, size_t *count);

#endif
