/* heap.h: variable-size data of rows (ids, attributes): appended, never changed, moved by
 * compaction.
 *
 * A record belongs to a row and is named by a 32-bit reference: window (256 KiB of the heap's own
 * address range) and offset in units of 8 bytes, so a heap holds up to 32 GiB. Freeing a record
 * books its bytes as dead at once and leaves them readable: a block goes back to the allocator only
 * by the epoch, so a search may go on reading what it has found.
 *
 * owner: loop (all changes). Lanes read: the table of blocks and its entries are atomic, stored
 * with release before any reference into them is published. */
#ifndef VDB_BASE_HEAP_H
#define VDB_BASE_HEAP_H

#include <stdatomic.h>

#include "base/epoch.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/slice.h"

typedef uint32_t heap_ref;
enum { HEAP_NONE = 0 }; /* no record */

struct heap_table;

struct heap {
    struct epoch *epoch;
    enum mem_tag tag;
    _Atomic(struct heap_table *) table; /* release when grown, acquire by readers */
    uint32_t window_count;
    uint32_t current;    /* the window records are appended to; window_count: none */
    size_t live_bytes;   /* records in use, heads and padding included */
    size_t held_bytes;   /* blocks */
    size_t promised;     /* bytes of the current block that heap_reserve has set aside */
    bool wasteful;       /* there may be a block to compact */
    bool compacting;     /* compact_window: its records before compact_at have moved */
    uint32_t compact_window;
    size_t compact_at;
};

void heap_init(struct heap *h, struct epoch *epoch, enum mem_tag tag);
/* No reader is left and nothing of it waits in the epoch: defer the end of what embeds the heap. */
void heap_fini(struct heap *h);

/* The bytes a record of len bytes takes. */
size_t heap_record_size(size_t len);
/* Makes sure that records of size bytes in all can be put, whatever is dropped or compacted before
 * they are. The room is kept until then or until the next heap_reserve. ERR_LIMIT past 32 GiB. */
MUST_USE enum err heap_reserve(struct heap *h, size_t size);
/* Where the next records are going to stand, as far as there is room. */
size_t heap_room(const struct heap *h, uint8_t **at);
/* Bytes heap_reserve would newly take. */
size_t heap_cost(const struct heap *h, size_t size);
/* Appends a record of row; heap_reserve came before. */
heap_ref heap_put(struct heap *h, uint32_t row, struct slice bytes);
/* The bytes of a record; from any lane that holds a guard. ref is not HEAP_NONE. */
struct slice heap_get(const struct heap *h, heap_ref ref);
/* The record belongs to another row from now on. */
void heap_set_row(struct heap *h, heap_ref ref, uint32_t row);
/* The record is no longer wanted. */
void heap_drop(struct heap *h, heap_ref ref);

/* Says whether old is in use by row, and if so puts to in its place. */
typedef bool heap_on_move(void *user, uint32_t row, heap_ref old, heap_ref to);

/* When at least half of a closed block is dead: moves some of the live records of the deadest one
 * to the end, those that are left by further steps. Returns the bytes looked at; 0 when there is
 * nothing to do, or no memory. Not worth calling unless wasteful. */
size_t heap_compact_step(struct heap *h, heap_on_move *on_move, void *user);

/* Filling an empty heap that nobody reads yet from several lanes, each with a cursor of its own:
 * heap_fill_begin [loop], heap_fill_put [lanes], heap_fill_close [lanes], heap_fill_end [loop]. */
struct heap_fill {
    struct heap *heap;
    size_t block_size;
    uint32_t windows_max;
    _Atomic uint32_t windows; /* given out */
    _Atomic size_t live, held;
};

/* owner: the lane; all zero at first */
struct heap_cursor {
    uint8_t *block;
    uint32_t window;
    size_t used, size;
};

/* size: bytes of records (heap_record_size) there may be at most; lanes: how many cursors. */
MUST_USE enum err heap_fill_begin(struct heap_fill *f, struct heap *h, size_t size, unsigned lanes);
/* ERR_NOMEM, or ERR_LIMIT when more comes than was said. */
MUST_USE enum err heap_fill_put(struct heap_fill *f, struct heap_cursor *cursor, uint32_t row,
                                struct slice bytes, heap_ref *out);
void heap_fill_close(struct heap_fill *f, struct heap_cursor *cursor);
/* All cursors are closed. */
void heap_fill_end(struct heap_fill *f);

#endif
