/* hnsw_image.h: a graph row by row, out to a snapshot and back in.
 *
 * What is read out while rows are linked and swept is each row as it was at some moment, not all of
 * them at one. So what comes in is mended: links to rows that are not there go, a parent counts
 * only where parent and child lead to each other, circles of parents are cut, and rows that lost
 * their place in the tree find another. Nothing that comes in is trusted; only numbers that no
 * version ever writes are errors. */
#ifndef VDB_INDEX_HNSW_IMAGE_H
#define VDB_INDEX_HNSW_IMAGE_H

#include "index/hnsw.h"

/* One row's part of the graph. */
struct hnsw_image_row {
    int level;
    uint32_t lost;                   /* links on level 0, since it was linked */
    uint32_t parent;                 /* ROW_NONE: none */
    uint16_t sizes[HNSW_LEVELS_MAX]; /* of the lists 0 .. level */
    uint32_t *links;                 /* list after list; room for hnsw_image_links_max() */
};

/* Links a row has at most, on all levels. */
size_t hnsw_image_links_max(const struct index *x);

/* What a row has lost as a number of HNSW_WEAR_BITS, and back: it does not grow from turn to turn,
 * and a row that is worn stays so. */
enum { HNSW_WEAR_BITS = 4 };
uint8_t hnsw_image_wear(const struct index *x, uint32_t lost);
uint32_t hnsw_image_lost(const struct index *x, uint8_t wear);

/* [lane] The row as it is now; false when it is not linked. */
bool hnsw_image_get(const struct index *x, uint32_t row, struct hnsw_image_row *out);

/* A graph on its way in. The calls come in this order, each for all rows before the next:
 *
 *     hnsw_image_begin [loop], put [lanes], check [lanes], parents [lanes], mend [one lane],
 *     hnsw_image_end [loop] */
struct hnsw_image {
    struct index *x;
    uint32_t end;         /* rows */
    uint32_t upper_lists; /* there may be */
    _Atomic uint32_t uppers_used;
    uint64_t *linked;           /* one bit per row that was put */
    _Atomic uint16_t *children; /* per row */
    _Atomic uint64_t entry;     /* the highest row so far, as in the graph */
    uint32_t *orphans;          /* to be linked again; owned by the image */
    size_t orphan_count;
};

/* x is empty and has no readers. upper_lists: how many lists above level 0 there are. */
MUST_USE enum err hnsw_image_begin(struct hnsw_image *g, struct index *x, uint32_t rows,
                                   uint32_t upper_lists);
/* Once for each row that was linked. ERR_CORRUPT: too many lists or links. Rows of the same group
 * of 64 are put by the same lane. */
MUST_USE enum err hnsw_image_put(struct hnsw_image *g, uint32_t row,
                                 const struct hnsw_image_row *image);
/* The row is not there after all; no lane is putting. */
void hnsw_image_drop(struct hnsw_image *g, uint32_t row);
/* Drops links that lead nowhere, of rows first .. end - 1. */
void hnsw_image_check(struct hnsw_image *g, uint32_t first, uint32_t end);
/* Drops parents that are none. */
void hnsw_image_parents(struct hnsw_image *g, uint32_t first, uint32_t end);
/* Makes one tree of what is left. rows: those of the collection, all alive that were put. */
MUST_USE enum err hnsw_image_mend(struct hnsw_image *g, const struct index_rows *rows,
                                  struct lane *lane);
/* Searches may begin. The orphans are to be linked again. */
void hnsw_image_end(struct hnsw_image *g);
/* At any time. */
void hnsw_image_fini(struct hnsw_image *g);

/* Was the row put? */
static inline bool hnsw_image_has(const struct hnsw_image *g, uint32_t row)
{
    return row < g->end && (g->linked[row / 64] >> (row % 64) & 1) != 0;
}

#endif
