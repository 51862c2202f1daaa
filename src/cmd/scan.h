/* scan.h: what HSCAN, SSCAN and ZSCAN share: a part of what a key holds, listed. */
#ifndef VDB_CMD_SCAN_H
#define VDB_CMD_SCAN_H

#include "cmd/keys.h"

/* The words of the command, as all three have them. */
struct scan_words {
    struct slice key, cursor, match;
    bool has_match, has_count;
    int64_t count;
};

/* What will be replied; its number comes first, so it waits here. owner: the handler */
struct scan {
    struct reply reply; /* into the text */
    struct buf text;
    size_t count;              /* of replies in it */
    const struct slice *match; /* NULL: all */
    size_t wanted;             /* to be looked at */
    uint64_t cursor;
    struct io *io;
    uint64_t start_us;
};

/* The words but for the key. Replies the error. */
MUST_USE bool scan_begin(struct request *rq, const struct scan_words *words, struct scan *s);
bool scan_matches(const struct scan *s, struct slice name);
/* For what goes through the entries: when COUNT asks for many it is later than that on the clock
 * that ends it, since COUNT is a hint. user: the scan */
bool scan_is_late(void *user);
/* cursor: where the next part begins. */
void scan_end(struct request *rq, struct scan *s, uint64_t cursor);

#endif
