/* map.h: a hash index from 32-bit hashes to 32-bit values; the owner keeps the keys.
 *
 * Open addressing with linear probing, eight bytes a slot. A slot's home is the top bits of its
 * hash, so that slots stand roughly in the order of hashes: a scan cursor is a hash, and stays
 * meaningful whatever the size of the table is when the next call comes. Growing never stops the
 * owner: two tables live side by side and every change moves a few slots.
 *
 * owner: loop. */
#ifndef VDB_BASE_MAP_H
#define VDB_BASE_MAP_H

#include "base/mem.h"
#include "base/slice.h"

#define MAP_NONE UINT32_MAX /* not a value */

struct map_slot {
    uint32_t hash;
    uint32_t value_plus_1; /* 0: empty, so that a large table starts as untouched zero pages */
};

struct map_table {
    struct map_slot *slots;
    uint32_t bits; /* 1 << bits slots */
    uint32_t used;
};

struct map {
    struct map_table now;
    struct map_table old;  /* being emptied into now; slots NULL when not resizing */
    uint32_t move_from;    /* slots of old before this one are empty */
    size_t promised;       /* puts that map_reserve has made room for */
    enum mem_tag tag;
    /* Is the key behind value this one? Called for equal hashes only. */
    bool (*equal)(const void *owner, uint32_t value, struct slice key);
    const void *owner;
};

void map_init(struct map *m, enum mem_tag tag,
              bool (*equal)(const void *owner, uint32_t value, struct slice key),
              const void *owner);
void map_fini(struct map *m);

/* The value of key, or MAP_NONE. hash: any 32 bits of a good hash of the key. */
uint32_t map_get(const struct map *m, uint32_t hash, struct slice key);
/* Fetches the cache line map_get will want. */
void map_prefetch(const struct map *m, uint32_t hash);
/* What map_get will look at first: a value of this hash, or MAP_NONE. To fetch its key ahead. */
uint32_t map_guess(const struct map *m, uint32_t hash);

/* Makes sure that the next count calls of map_put succeed, whatever is removed in between: the part
 * of a change that can fail. The room is kept until those calls or the next map_reserve. */
MUST_USE bool map_reserve(struct map *m, size_t count);
/* Goes on with a resizing that is under way, by so many slots. True: none is. */
bool map_settle(struct map *m, size_t slots);
/* Adds a key that is not there. map_reserve came before. */
void map_put(struct map *m, uint32_t hash, uint32_t value);
/* The same, when it may be there: false, and nothing has changed. */
MUST_USE bool map_put_new(struct map *m, uint32_t hash, uint32_t value, struct slice key);
/* Changes the value of a key that is there, known by its old value. */
void map_replace(struct map *m, uint32_t hash, uint32_t old_value, uint32_t new_value);
/* Removes a key that is there, known by its value. */
void map_remove(struct map *m, uint32_t hash, uint32_t value);

size_t map_count(const struct map *m);
size_t map_bytes(const struct map *m);

/* Calls fn for entries with hashes from cursor on, whole hashes at a time, until at least count
 * slots were looked at; returns the cursor to go on with, 0 when all were seen. A key that is there
 * during the whole scan is seen at least once; fn must not change the map. */
uint64_t map_scan(const struct map *m, uint64_t cursor, size_t count,
                  void (*fn)(void *user, uint32_t value), void *user);

/* Some entry's value, chosen by the bits of random; MAP_NONE when empty. */
uint32_t map_random(const struct map *m, uint64_t random);

#endif
