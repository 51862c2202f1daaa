/* word_lists.h: named lists of words: the dictionaries of FT.SPELLCHECK, which are the db's, and
 * the groups of synonyms of an index.
 *
 * They are no keys. They change by MUTATION_WORDS_ADD and _REMOVE, go with FLUSHALL, groups with
 * their index, and are saved where the definitions of indexes are. A list without words is gone.
 *
 * The bytes of all words of a list stand together: a lane that needs them gets two copies made.
 * owner: loop. */
#ifndef VDB_DB_WORD_LISTS_H
#define VDB_DB_WORD_LISTS_H

#include "base/buf.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/map.h"
#include "db/mutation.h"

struct db;

struct word_place {
    uint32_t at, size;
};

struct word_list {
    struct word_list *next; /* in the order they were made */
    const uint64_t *seed;   /* of the db */
    struct map ids;         /* by word, to places */
    struct word_place *places;
    uint32_t count, capacity;
    struct buf bytes; /* with those of words that are gone */
    size_t gone_bytes;
    struct slice name; /* behind it */
};

struct word_list *word_lists_find(struct word_list *lists, struct slice name); /* or NULL */
bool word_list_has(const struct word_list *l, struct slice word); /* l NULL: it has none */
static inline struct slice word_list_at(const struct word_list *l, uint32_t i)
{
    CHECK(i < l->count);
    return (struct slice){l->bytes.ptr + l->places[i].at, l->places[i].size};
}
void word_lists_free(struct word_list **lists);

/* MUTATION_WORDS_ADD, _REMOVE: the part that can fail; then it is applied or discarded. */
MUST_USE enum err word_lists_prepare(struct db *db, const struct mutation *m, struct why *why);
void word_lists_discard(struct db *db);
void word_lists_apply(struct db *db, const struct mutation *m);

void word_lists_encode(const struct word_list *lists, struct buf *out);
/* Calls fn, unless it is NULL, for each list that was encoded; nothing at all is no list.
 * ERR_CORRUPT, ERR_NOMEM, or fn's. */
MUST_USE enum err word_lists_each(struct slice bytes,
                                  enum err (*fn)(void *user, struct slice name,
                                                 const struct slice *words, size_t count),
                                  void *user, struct why *why);

#endif
