/* terms.h: the words of an index, by hash and in order.
 *
 * The order is two levels: an array of leaves, each an array of up to 64 terms. A leaf never
 * changes; adding a term puts another in its place, splitting one makes another array. So a lane
 * may walk what it has found while the loop adds and removes, and what it has passed stays under
 * its guard. A term that came after a search began has only documents that the search passes over.
 *
 * owner: loop; lanes read through text_walk and text_terms_find. */
#ifndef VDB_TEXT_TERMS_H
#define VDB_TEXT_TERMS_H

#include <stdatomic.h>

#include "base/map.h"
#include "text/graves.h"

struct text_block;

struct text_term {
    _Atomic(struct text_block *) first;
    struct text_block *last; /* the loop's alone */
    _Atomic uint32_t docs;   /* versions of documents it is in, with those not collected yet */
    uint32_t number, hash, size;
    uint8_t text[];
};

struct text_leaf {
    uint32_t count;
    struct text_term *terms[];
};

struct text_leaves {
    uint32_t count;
    _Atomic(struct text_leaf *) leaf[];
};

struct text_terms {
    struct text_graves *graves;
    struct map ids;           /* by text, to numbers */
    struct text_term **terms; /* by number; NULL: free */
    uint32_t count, capacity, live;
    uint32_t *free; /* numbers */
    uint32_t free_count;
    uint64_t seed[2];
    _Atomic(struct text_leaves *) leaves; /* NULL: there is no term */
    size_t bytes;                         /* of terms and leaves */
};

void text_terms_init(struct text_terms *t, struct text_graves *graves, const uint64_t seed[2]);
/* No reader is left. Blocks are the caller's. */
void text_terms_fini(struct text_terms *t);

static inline struct slice text_term_text(const struct text_term *term)
{
    return (struct slice){term->text, term->size};
}

/* The term, made when it is not there; NULL: memory is short. */
MUST_USE struct text_term *text_terms_add(struct text_terms *t, struct slice text);
/* It has no documents. False: memory is short, it stays. */
bool text_terms_remove(struct text_terms *t, struct text_term *term);
size_t text_terms_bytes(const struct text_terms *t);

/* [lane] In order, from the first that is not below text on. */
struct text_walk {
    const struct text_leaves *leaves;
    const struct text_leaf *leaf;
    uint32_t leaf_at, at;
};

void text_walk_from(const struct text_terms *t, struct slice text, struct text_walk *w);
/* NULL at the end. */
const struct text_term *text_walk_next(struct text_walk *w);
/* [lane] NULL: there is none. */
const struct text_term *text_terms_find(const struct text_terms *t, struct slice text);

#endif
