/* list.h: what handlers of lists share. */
#ifndef VDB_CMD_LIST_H
#define VDB_CMD_LIST_H

#include "cmd/keys.h"
#include "db/lists.h"

/* The list at a key, NULL when there is no such key. Replies the error and returns false when the
 * key holds something else. */
MUST_USE bool list_read(struct request *rq, struct slice key, struct object **out);

/* Puts values at an end, as write_mutation. */
MUST_USE bool list_push(struct request *rq, struct slice key, const struct slice *values,
                        size_t count, bool at_head);

/* As write_mutation, of a command that has replied what is to change: what stands in the client's
 * output from an offset on. Only the error stays there when it does not. */
void list_write_replied(struct request *rq, const struct mutation *m, size_t before);

/* Takes so many values from an end, not more than there are: replies them, one alone or as an
 * array. before: where the reply begins. */
enum list_reply { LIST_REPLY_ONE, LIST_REPLY_ARRAY };
void list_pop(struct request *rq, struct slice key, bool at_head, uint32_t count,
              enum list_reply form, size_t before);

/* A value from an end of a list to an end of another. Replies it, or the error; false: there is no
 * such list, and no reply. */
MUST_USE bool list_move(struct request *rq, struct slice key, struct slice destination,
                        bool from_head, bool to_head);

/* LMPOP's words. */
struct list_mpop {
    struct slices keys;
    bool at_head;
    uint32_t count;
};
/* False: the error is replied. */
MUST_USE bool list_read_mpop(struct request *rq, const struct slices *words, struct list_mpop *out);
/* Replies the key and the values that it takes from its list. */
void list_pop_named(struct request *rq, struct slice key, const struct object *o,
                    const struct list_mpop *mpop);

/* LEFT is the head. Replies the error and returns false when it is neither. */
MUST_USE bool list_read_end(struct request *rq, struct slice word, bool *at_head);

/* Replies the error and returns false when a text is no integer. */
MUST_USE bool list_read_integer(struct request *rq, struct slice text, int64_t *out);

#endif
