/* collection_load.h: a collection that comes back from a snapshot, filled by several lanes at once.
 *
 * Nobody else knows of the collection yet. The calls come in this order, each for everything
 * before the next begins:
 *
 *     collection_load_begin    [one lane or the loop]
 *     collection_load_alive    [lanes] which rows there are
 *     collection_load_row, _attribute, hnsw_image_put   [lanes] what they hold
 *     hnsw_image_check, then hnsw_image_parents         [lanes] with a graph
 *     collection_load_ids, collection_load_graph        [a lane each, at the same time]
 *     collection_load_finish   [one lane or the loop]
 *     collection_load_end      [loop] from here on it is like any other
 *
 * What comes in is not trusted: a row that is not alive, or alive and without contents, an id
 * twice, a partition that is not there are ERR_CORRUPT. After an error collection_load_abandon, and
 * the collection is good for collection_drop only. */
#ifndef VDB_DB_COLLECTION_LOAD_H
#define VDB_DB_COLLECTION_LOAD_H

#include "db/collection.h"
#include "index/hnsw_image.h"

struct collection_load {
    struct collection *c;
    uint32_t end;          /* rows */
    uint64_t *alive;       /* bits */
    uint32_t *hashes;      /* of ids, by row */
    struct heap_fill heap; /* of a large one */
    size_t room;           /* left in the heap of a small one */
    bool large, has_graph;
    bool dropped; /* some rows were */
    uint64_t *expires; /* by row; 0: never */
    atomic_bool aging; /* one of them is not 0 */
    struct hnsw_image graph;
    _Atomic uint32_t live, attributes, filled; /* counted as they come */
};

/* One row, pointing into what was read. */
struct collection_load_row {
    uint32_t row;
    uint64_t birth;
    float norm;
    uint64_t expire_ms; /* 0: never */
    uint16_t partition; /* its number */
    struct slice id;
    const uint8_t *code;   /* not looked at when the collection has none */
    const uint8_t *vector; /* likewise; in its type */
};

/* heap_size: bytes of ids and attributes, as records of the heap: at most; lanes: heap cursors
 * there will be. A collection that is not large stays in its slab, is filled by one lane, and gets
 * all of heap_size at once. */
MUST_USE enum err collection_load_begin(struct collection_load *l, struct collection *c,
                                        uint32_t end, bool large, bool has_graph,
                                        uint32_t upper_lists, size_t heap_size, unsigned lanes);
/* Bits of rows first .. first + span - 1; first is a multiple of 64. Bits behind the end must not
 * be set. */
MUST_USE enum err collection_load_alive(struct collection_load *l, uint32_t first, uint32_t span,
                                        const uint8_t *bits);
static inline bool collection_load_is_alive(const struct collection_load *l, uint32_t row)
{
    return row < l->end && (l->alive[row / 64] >> (row % 64) & 1) != 0;
}
/* The row is alive and comes once. */
MUST_USE enum err collection_load_row(struct collection_load *l, struct heap_cursor *cursor,
                                      const struct collection_load_row *row);
MUST_USE enum err collection_load_attribute(struct collection_load *l, struct heap_cursor *cursor,
                                            uint32_t row, struct slice attribute);
/* In place of an error: rows that are alive and without contents are dropped; how many. Before the
 * links are checked. */
uint32_t collection_load_drop(struct collection_load *l);
/* The map from ids to rows. */
MUST_USE enum err collection_load_ids(struct collection_load *l);
MUST_USE enum err collection_load_graph(struct collection_load *l, struct lane *lane);
MUST_USE enum err collection_load_finish(struct collection_load *l);
void collection_load_end(struct collection_load *l);
void collection_load_abandon(struct collection_load *l);

#endif
