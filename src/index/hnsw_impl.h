/* hnsw_impl.h: the graph's memory, for the files hnsw*.c only. */
#ifndef VDB_INDEX_HNSW_IMPL_H
#define VDB_INDEX_HNSW_IMPL_H

#include "base/column.h"
#include "index/hnsw.h"
#include "index/scratch.h"

enum { HNSW_COL_NODE, HNSW_COL_LINKS, HNSW_COLS };

/* Where a row is between row_init and row_free. Stored with release. */
enum node_stage {
    NODE_OUT,   /* never in the graph, free, or taken apart: its lists are nobody's business */
    NODE_NEW,   /* since row_init: lists are empty or about to be written */
    NODE_LINKED /* link has finished */
};

/* One per row. lock: spin lock of the row's lists, held for one list at a time and never while
 * another is taken. level, upper: set by the loop before the row is linked, fixed until it is free.
 * in_degree: links to the row on level 0, atomic; a live linked row does not lose its last one but
 * to a sweep, which reports it. */
struct hnsw_node {
    _Atomic uint8_t lock;
    uint8_t level;
    _Atomic uint8_t stage; /* enum node_stage */
    _Atomic uint32_t in_degree;
    uint32_t upper; /* first of level consecutive rows of uppers, for levels 1 .. level */
};

/* owner: loop, but for what struct hnsw_node and the link lists say. Link lists are arrays of
 * atomic row numbers, ended by ROW_NONE or by their capacity: stored with release under the row's
 * lock, read with acquire without it. Any number a reader sees is a row that has that level. */
struct hnsw {
    struct index index;
    uint32_t m;
    uint32_t m0; /* 2 m */
    uint32_t ef_build;
    double level_scale;
    struct columns rows;   /* HNSW_COL_* */
    struct columns uppers; /* m links each */
    uint32_t uppers_used;
    uint32_t upper_free[HNSW_LEVELS_MAX]; /* lists by length, linked through their first entry */
    _Atomic uint64_t entry;               /* level << 32 | row; ENTRY_NONE: empty */
};

#define ENTRY_NONE UINT64_MAX

typedef _Atomic uint32_t hnsw_link;

static inline struct hnsw *hnsw_of(struct index *x)
{
    return (struct hnsw *)x;
}

static inline struct hnsw_node *hnsw_node(const struct hnsw *h, uint32_t row)
{
    return (struct hnsw_node *)h->rows.base[HNSW_COL_NODE] + row;
}

/* The list of a row on a level, and how many links it holds at most. */
static inline hnsw_link *hnsw_links(const struct hnsw *h, uint32_t row, int level)
{
    if (level == 0)
        return (hnsw_link *)(h->rows.base[HNSW_COL_LINKS] +
                             (size_t)row * h->rows.spec[HNSW_COL_LINKS].stride);
    uint32_t upper = hnsw_node(h, row)->upper + (uint32_t)level - 1;
    return (hnsw_link *)(h->uppers.base[0] + (size_t)upper * h->uppers.spec[0].stride);
}

static inline uint32_t hnsw_links_max(const struct hnsw *h, int level)
{
    return level == 0 ? h->m0 : h->m;
}

static inline uint32_t link_load(const hnsw_link *link)
{
    return atomic_load_explicit((hnsw_link *)link, memory_order_acquire);
}

static inline void link_store(hnsw_link *link, uint32_t row)
{
    atomic_store_explicit(link, row, memory_order_release);
}

static inline void node_lock(struct hnsw_node *node, struct lane *lane)
{
    while (atomic_exchange_explicit(&node->lock, 1, memory_order_acquire) != 0)
        lane->pause(lane);
}

static inline void node_unlock(struct hnsw_node *node)
{
    atomic_store_explicit(&node->lock, 0, memory_order_release);
}

static inline void node_gain_link(struct hnsw_node *node)
{
    (void)atomic_fetch_add_explicit(&node->in_degree, 1, memory_order_relaxed);
}

static inline enum node_stage node_stage(const struct hnsw_node *node)
{
    return (enum node_stage)atomic_load_explicit(&((struct hnsw_node *)node)->stage,
                                                 memory_order_acquire);
}

static inline void node_set_stage(struct hnsw_node *node, enum node_stage stage)
{
    atomic_store_explicit(&node->stage, (uint8_t)stage, memory_order_release);
}

/* Takes one from the row's in-degree unless that would leave it none. */
static inline bool node_lose_link(struct hnsw_node *node)
{
    if (atomic_fetch_sub_explicit(&node->in_degree, 1, memory_order_relaxed) > 1)
        return true;
    (void)atomic_fetch_add_explicit(&node->in_degree, 1, memory_order_relaxed);
    return false;
}

/* The same for a row that has to go whatever it is left. */
static inline void node_drop_link(struct hnsw_node *node)
{
    (void)atomic_fetch_sub_explicit(&node->in_degree, 1, memory_order_relaxed);
}

/* A row whose last in-link would go with its place in a new list of up to max rows, all of them
 * booked in their in-degrees: it takes a free place, or that of the farthest listed row that has
 * other links. False when there is none. */
bool links_keep(const struct hnsw *h, uint32_t row, uint32_t *ids, size_t *count, size_t max);

/* Copies a list; returns its length. */
size_t links_copy(const struct hnsw *h, uint32_t row, int level, uint32_t *out);
/* Writes a list over what was there, never with a gap a reader could fall into. Under the lock. */
void links_write(const struct hnsw *h, uint32_t row, int level, const uint32_t *ids, size_t count);

/* hnsw_walk.c. Best-first walk on one level from the hits in pool (count of them, scored): leaves
 * the nearest ef rows met in pool, sorted, and returns how many. pool has room for ef + 1. False in
 * *ok when memory ran out. */
size_t hnsw_walk(const struct hnsw *h, const struct index_rows *rows, struct lane *lane,
                 const uint8_t *prepared, int level, size_t ef, struct hit *pool, size_t count,
                 bool *ok, struct index_cost *cost);
/* The nearest row found by walking greedily from the entry down to level + 1; dist is set. */
struct hit hnsw_descend(const struct hnsw *h, const struct index_rows *rows,
                        const uint8_t *prepared, uint64_t entry, int level,
                        struct index_cost *cost);

/* hnsw_select.c. Chooses up to max of the candidates (sorted, nearest first, without the row
 * itself) that are not nearer to a chosen one than to the row; returns how many are in out. */
size_t hnsw_select(const struct index_rows *rows, struct lane *lane, const struct hit *candidates,
                   size_t count, size_t max, uint32_t *out);

/* hnsw_link.c */
bool hnsw_link_row(struct index *x, const struct index_rows *rows, struct lane *lane, uint32_t row);
/* hnsw_search.c */
size_t hnsw_search(const struct index *x, const struct index_rows *rows, struct lane *lane,
                   const struct index_query *query, struct hit *out, bool *complete,
                   struct index_cost *cost);

static inline int entry_level(uint64_t entry)
{
    return (int)(entry >> 32);
}

static inline uint32_t entry_row(uint64_t entry)
{
    return (uint32_t)entry;
}

#endif
