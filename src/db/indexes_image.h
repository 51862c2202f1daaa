/* indexes_image.h: indexes over keys in a snapshot.
 *
 * A manifest has their definitions, and behind each, when the snapshot has its collections, what is
 * needed to find those: their uids. An index is saved when all of its documents are in it. One with
 * TEXT fields is saved without `docs`: what words say of it is made again from the keys, and with
 * it `docs`; the collections of its vectors, with their graphs, stay.
 *
 * owner: loop, but for indexes_each */
#ifndef VDB_DB_INDEXES_IMAGE_H
#define VDB_DB_INDEXES_IMAGE_H

#include "db/indexes.h"

/* An index as a manifest has it. */
struct index_image {
    struct slice name;
    const struct slice *words; /* behind the name */
    size_t word_count;
    const struct slice *aliases;
    size_t alias_count;
    struct slice synonyms; /* for word_lists_each */
    const uint64_t *uids; /* of its collections by number; 0: not there */
    size_t uid_count;     /* 0: none of them is */
    uint64_t failures;
    struct slice last_error, last_error_key;
};

/* Before a snapshot. What looking at all keys has put was born at the last LSN there was, at which
 * a snapshot may have been taken before: to the next one these collections are others. */
void indexes_number(struct db *db);
/* Appends dictionaries and all definitions; with_parts: and the uids of what is saved. */
void indexes_encode(const struct db *db, bool with_parts, struct buf *out);
/* One after the other from there; fn NULL: they are only looked at. ERR_CORRUPT, ERR_NOMEM. */
MUST_USE enum err indexes_each(struct slice bytes,
                               enum err (*fn)(void *user, const struct index_image *image),
                               void *user, struct why *why);

/* What that has of dictionaries, for word_lists_each. */
struct slice indexes_dictionaries(struct slice bytes);

/* The collections that a snapshot of now is to hold: how many, or the first of them into out. */
size_t indexes_saved(const struct db *db, struct collection **out, size_t room);

/* Back into an empty db whose next_uid is that of the snapshot. with_parts: collections that are
 * there have the uids of what is to be loaded (index.loads). ERR_CORRUPT, ERR_NOMEM. */
MUST_USE enum err indexes_decode(struct db *db, struct slice bytes, bool with_parts,
                                 struct why *why);
/* What could not be loaded is made again, as all of an index that was not saved. */
void indexes_load_end(struct db *db);

#endif
