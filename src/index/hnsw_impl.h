/* hnsw_impl.h: the graph's memory, for the files hnsw*.c only. */
#ifndef VDB_INDEX_HNSW_IMPL_H
#define VDB_INDEX_HNSW_IMPL_H

#include "base/column.h"
#include "base/rowset.h"
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
 * parent: hnsw_tree.c; set by the job that first links the row, from then on by the sweep, under
 * the lock of the new parent; itself: the root; ROW_NONE: not in the tree yet. */
struct hnsw_node {
    _Atomic uint8_t lock;
    uint8_t level;
    _Atomic uint8_t stage; /* enum node_stage */
    _Atomic uint8_t lost;  /* links on level 0 that sweeps took since the row was linked, less those
                              it was given; changed under the lock */
    _Atomic uint32_t parent;
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
    struct rowset uppers_free; /* of the rows of uppers below uppers_used */
    _Atomic uint64_t entry;    /* level << 32 | row; ENTRY_NONE: empty */
    _Atomic uint32_t root;     /* of the tree; ROW_NONE: empty */
    _Atomic bool moving;       /* rows that seem dead live on in rows that links do not lead to yet;
                                  stored with release before the first of them dies */
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
    lane_yield(lane); /* the simulator interrupts who holds it, too */
}

static inline void node_unlock(struct hnsw_node *node)
{
    atomic_store_explicit(&node->lock, 0, memory_order_release);
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

static inline uint32_t node_parent(const struct hnsw *h, uint32_t row)
{
    return atomic_load_explicit(&hnsw_node(h, row)->parent, memory_order_acquire);
}

/* Links lost by a row of that wear, at least. */
static inline uint8_t hnsw_lost_min(const struct hnsw *h, enum hnsw_wear wear)
{
    uint32_t lost = (h->m0 + wear - 1) / wear;
    return lost < UINT8_MAX ? (uint8_t)lost : UINT8_MAX;
}

static inline uint8_t node_lost(const struct hnsw_node *node)
{
    return atomic_load_explicit(&((struct hnsw_node *)node)->lost, memory_order_relaxed);
}

static inline void node_set_lost(struct hnsw_node *node, size_t lost)
{
    atomic_store_explicit(&node->lost, (uint8_t)(lost < UINT8_MAX ? lost : UINT8_MAX),
                          memory_order_relaxed);
}

static inline bool dead_has(const struct index_dead *dead, uint32_t row)
{
    return row < dead->end && (dead->bits[row / 64] >> (row % 64) & 1) != 0;
}

/* hnsw_tree.c. Is a link from `of` to id on level 0 one of the tree? Its list keeps it. */
static inline bool tree_has(const struct hnsw *h, uint32_t of, uint32_t id)
{
    return node_parent(h, id) == of || node_parent(h, of) == id;
}

/* Makes the row the root. */
void tree_plant(struct hnsw *h, uint32_t row);
/* Puts a link of the tree into a copy of the list of `of`, in place of the last other link when
 * there is no room. */
void tree_keep(const struct hnsw *h, uint32_t of, uint32_t id, uint32_t *ids, size_t *count);
/* Makes the row, which is not above `under`, a child of `under` or of one below it. Rows that are
 * dead (in a sweep: in its set) take no children: false when that leaves none, or memory is short.
 * Uses SCRATCH_LIST_A. Then tree_keep_parent lets the row's own list lead to the parent. */
bool tree_join(const struct hnsw *h, const struct index_rows *rows, const struct index_dead *dead,
               struct lane *lane, uint32_t row, uint32_t under);
void tree_keep_parent(const struct hnsw *h, const struct index_rows *rows,
                      const struct index_dead *dead, struct lane *lane, uint32_t row);
/* Is the row top, or below it? True when that would take long to say. */
bool tree_is_below(const struct hnsw *h, uint32_t row, uint32_t top);

/* Copies a list; returns its length. */
size_t links_copy(const struct hnsw *h, uint32_t row, int level, uint32_t *out);
/* Writes a list over what was there, never with a gap a reader could fall into. Under the lock. */
void links_write(const struct hnsw *h, uint32_t row, int level, const uint32_t *ids, size_t count);

/* hnsw_walk.c. Best-first walk on one level from the hits in pool (count of them, scored), until
 * the links of the nearest follow rows were followed: leaves the nearest ef >= follow rows met in
 * pool, sorted, and returns how many. pool has room for ef + 1. A hit at INFINITY is one that the
 * walk passes by. False in *ok when memory ran out. */
size_t hnsw_walk(const struct hnsw *h, const struct index_rows *rows, struct lane *lane,
                 const uint8_t *prepared, int level, size_t follow, size_t ef, struct hit *pool,
                 size_t count, bool *ok, struct index_cost *cost);
/* hnsw_match.c. The same over rows that query->filter lets through, on level 0, from the starts of
 * the query and from entry, which need not match. SIZE_MAX when memory ran out. */
size_t hnsw_walk_matching(const struct hnsw *h, const struct index_rows *rows, struct lane *lane,
                          const struct index_query *query, uint32_t entry, struct hit *pool,
                          struct index_cost *cost);
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

/* hnsw.c */
uint32_t hnsw_take_uppers(struct hnsw *h, uint8_t count);

static inline int entry_level(uint64_t entry)
{
    return (int)(entry >> 32);
}

static inline uint32_t entry_row(uint64_t entry)
{
    return (uint32_t)entry;
}

#endif
