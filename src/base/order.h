/* order.h: rows in the order of a number, counted: how many lie below a value, and which are they?
 *
 * A B+-tree (Bayer and McCreight 1972; Comer 1979) of pairs (value, row), each of which is there
 * once; equal values stand in the order of their rows. An inner node keeps beside each child how
 * many pairs are below it, so a rank is one walk from the root: that is what estimates cost.
 *
 * - A node is about 768 bytes: twelve cache lines that one search touches three or four of.
 * - Pairs that come in ascending order fill their leaves: when the last leaf is full, a new one
 *   takes only the pair that had no room.
 * - A node is merged with a sibling when both together fill less than three quarters of one.
 *   Nothing is ever moved from sibling to sibling: Johnson and Shasha 1993 show that merging late
 *   costs little space and saves most of the work of rebalancing.
 *
 * owner: loop. */
#ifndef VDB_BASE_ORDER_H
#define VDB_BASE_ORDER_H

#include "base/mem.h"

struct order_node;

struct order {
    struct order_node *root; /* NULL: empty */
    unsigned height;         /* levels of inner nodes above the leaves */
    size_t count;
    size_t bytes; /* of nodes */
    enum mem_tag tag;
};

void order_init(struct order *o, enum mem_tag tag);
void order_fini(struct order *o);

/* The pair is not there; value is not NaN. False: no memory, and nothing has changed. */
MUST_USE bool order_add(struct order *o, double value, uint32_t row);
/* The pair is there. */
void order_remove(struct order *o, double value, uint32_t row);

/* How many pairs have a smaller value; or_equal: or that value. */
size_t order_rank(const struct order *o, double value, bool or_equal);

/* Copies the rows of ranks first .. first + count - 1, which exist. */
void order_rows(const struct order *o, size_t first, size_t count, uint32_t *out);

/* The pair of a rank, which exists. */
void order_at(const struct order *o, size_t rank, double *value, uint32_t *row);

/* Is everything as it must be? For tests. */
void order_check(const struct order *o);

#endif
