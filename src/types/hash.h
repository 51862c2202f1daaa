/* hash.h: the fields of a hash as entries of a pack.
 *
 * An entry of a hash is: twice the length of the name, plus 1 when the field expires, written as
 * lengths are (pack.h); the name; if it expires, when, in 8 bytes; the value, up to the entry's
 * end. Order among entries means nothing.
 *
 * Pure, but for the buffers it is given. */
#ifndef VDB_TYPES_HASH_H
#define VDB_TYPES_HASH_H

#include "base/buf.h"
#include "base/err.h"
#include "types/tree.h"

struct hash_field {
    struct slice name, value;
    uint64_t expire_ms; /* Unix time; 0: never */
};

/* Bytes of the field as an entry, its length with it. */
size_t hash_field_size(const struct hash_field *f);
/* Writes so many; returns what is behind. */
uint8_t *hash_field_put(uint8_t *at, const struct hash_field *f);
/* From the contents of an entry that is known to be good. */
void hash_field_get(struct slice entry, struct hash_field *out);
/* The next field of a good pack; false when there is none. */
static inline bool hash_next(struct slice *pack, struct hash_field *out)
{
    if (pack->len == 0)
        return false;
    hash_field_get(pack_take(pack), out);
    return true;
}

/* Where a field stands in a pack. */
struct hash_place {
    size_t at, size; /* of its entry, with the length */
};

/* The field of that name; place may be NULL. */
bool hash_find(struct slice pack, struct slice name, struct hash_field *out,
               struct hash_place *place);

/* Changes a pack in a buffer: f instead of the field of its name, or behind all. Returns whether it
 * is new. */
bool hash_pack_set(struct buf *pack, const struct hash_field *f);
/* Changes when the field of that name expires; 0: never. Returns whether it is there and did not
 * expire then before. */
bool hash_pack_expire(struct buf *pack, struct slice name, uint64_t expire_ms);
/* Returns whether it was there. */
bool hash_pack_remove(struct buf *pack, struct slice name);

/* When the first of the fields expires; 0: none does. */
uint64_t hash_pack_expiry(struct slice pack);

/* The same of large hashes. */
struct tree_ops hash_tree_ops(const uint64_t seed[2]);
bool hash_tree_find(const struct tree *t, const struct tree_ops *ops, struct slice name,
                    struct hash_field *out);
bool hash_tree_set(struct tree_change *c, const struct hash_field *f);
bool hash_tree_expire(struct tree_change *c, struct slice name, uint64_t expire_ms);
bool hash_tree_remove(struct tree_change *c, struct slice name);

/* Puts a field, or takes away the one of that name (f NULL), by an edit. False: it takes a change,
 * or there is nothing to take away. */
MUST_USE bool hash_tree_edit(struct tree_edit *e, const struct tree *t, const struct tree_ops *ops,
                             struct slice name, const struct hash_field *f);

/* Are these bytes, which may be anything, the fields of a hash? No time is more than a
 * client's integer holds. *count: of fields. */
MUST_USE bool hash_pack_check(struct slice pack, size_t *count);
/* And does no name come twice? For small ones: it compares each with all before. */
MUST_USE bool hash_pack_is_unique(struct slice pack);

#endif
