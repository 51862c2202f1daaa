/* schema.h: which fields of the attributes a collection keeps in columns and indexes, and as what.
 * A part of struct collection_spec: plain bytes, copied with it. */
#ifndef VDB_DB_SCHEMA_H
#define VDB_DB_SCHEMA_H

#include "base/bytes.h"
#include "base/err.h"
#include "base/limits.h"

/* kind, word, number in the log (never reused) */
#define SCHEMA_KIND_LIST(X)                                                                        \
    X(SCHEMA_TAG, "TAG", 0)         /* strings, compared as a whole */                             \
    X(SCHEMA_NUMERIC, "NUMERIC", 1) /* numbers, by their order */                                  \
    X(SCHEMA_BOOL, "BOOL", 2)       /* true and false */                                           \
    X(SCHEMA_GEO, "GEO", 3)         /* points, by where they are */

enum schema_kind {
#define X(kind, word, number) kind = number,
    SCHEMA_KIND_LIST(X)
#undef X
        SCHEMA_KIND_COUNT
};

struct schema {
    uint8_t count;
    uint8_t kinds[LIMIT_SCHEMA_FIELDS];
    uint16_t name_end[LIMIT_SCHEMA_FIELDS]; /* in names; each begins where the one before ends */
    char names[LIMIT_SCHEMA_NAMES];
};

const char *schema_kind_name(enum schema_kind kind);

/* name: a path of filters, with or without the dot in front. ERR_ARG: it is none, or there already;
 * ERR_LIMIT. */
MUST_USE enum err schema_add(struct schema *s, struct slice name, enum schema_kind kind,
                             struct why *why);

/* ERR_NOT_FOUND: there is no such field. */
MUST_USE enum err schema_drop(struct schema *s, struct slice name, struct why *why);
bool schema_equal(const struct schema *a, const struct schema *b);

/* Without the dot. */
struct slice schema_name(const struct schema *s, size_t i);
static inline enum schema_kind schema_kind(const struct schema *s, size_t i)
{
    CHECK(i < s->count);
    return (enum schema_kind)s->kinds[i];
}

void schema_encode(const struct schema *s, struct buf *out);
/* False when they are not bytes that schema_encode could have made. */
MUST_USE bool schema_decode(struct bytes_reader *r, struct schema *s);

#endif
