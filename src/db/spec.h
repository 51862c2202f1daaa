/* spec.h: what a collection is made to be: fixed when it is created, or changed by VALTER. */
#ifndef VDB_DB_SPEC_H
#define VDB_DB_SPEC_H

#include "base/bytes.h"
#include "db/schema.h"
#include "vec/codec.h"

#define INDEX_KIND_LIST(X)                                                                         \
    X(INDEX_AUTO, "AUTO") /* flat while small, then HNSW */                                        \
    X(INDEX_HNSW, "HNSW")                                                                          \
    X(INDEX_FLAT, "FLAT")                                                                          \
    X(INDEX_IVF, "IVF") /* flat until there are rows enough to be trained with */

enum index_kind {
#define X(kind, word) kind,
    INDEX_KIND_LIST(X)
#undef X
        INDEX_KIND_COUNT
};

const char *index_kind_name(enum index_kind kind);

/* What a put does about a collection that is full. */
#define EVICT_LIST(X)                                                                              \
    X(EVICT_REFUSE, "REFUSE") /* it is refused */                                                  \
    X(EVICT_LRU, "LRU")       /* what was not used for longest goes */                             \
    X(EVICT_LFU, "LFU")       /* what is used least often goes */                                  \
    X(EVICT_TTL, "TTL")       /* what expires soonest goes */

enum eviction {
#define X(evict, word) evict,
    EVICT_LIST(X)
#undef X
        EVICTION_COUNT
};

const char *eviction_name(enum eviction evict);

enum {
    SPEC_M_DEFAULT = 16,
    SPEC_EF_BUILD_DEFAULT = 200,
    SPEC_EF_DEFAULT = 100,
    PROJECTION_VERSION = 1 /* how the matrix follows from its seed; 0: no projection */
};

/* What VALTER changes, with the schema. Lanes have copies. */
struct spec_tuning {
    uint32_t ef;            /* of searches that do not say */
    uint32_t probes;        /* likewise, of IVF: lists; 0: as go with the index */
    uint32_t element_ttl_s; /* of elements that are put without a time; 0: for ever */
    uint64_t max_len;       /* elements, */
    uint64_t max_bytes;     /* and bytes of elements, a put may lead to; 0: no limit */
    enum eviction evict;
};

/* How rows are indexed and what is kept of them: a wish, which alter.h makes true. */
struct spec_shape {
    enum quant quant;
    enum index_kind index;
    uint32_t m;
    uint32_t ef_build;
    uint32_t lists;      /* IVF; 0: as many as go with the rows */
    uint32_t subs;       /* PQ: parts; 0: as go with the dimensions */
    bool keep_originals; /* once they are gone, neither they nor other codes can come back */
};

struct collection_spec {
    uint32_t dim; /* of stored vectors */
    enum vec_type type;
    enum metric metric;
    bool implicit; /* made by VADD, as Redis does: gone with its last element */
    /* REDUCE: vectors of projection_from floats are projected to dim. */
    uint32_t projection_from;
    uint32_t projection_version;
    uint64_t seed; /* of the projection and of the levels of the graph */
    /* The last members, which VALTER changes: spec_copy_fixed goes as far as here. Up to the
     * schema they are those of struct spec_shape. */
    enum quant quant;
    enum index_kind index;
    uint32_t m;
    uint32_t ef_build;
    uint32_t lists;
    uint32_t subs;
    bool keep_originals;
    struct schema schema;
    struct spec_tuning tuning;
};

/* FP32, COSINE, SQ8, AUTO, M 16, EFC 200, EF 100, originals kept. */
struct collection_spec spec_default(uint32_t dim);

/* Has the type that metric, that many dimensions and those codes? INT8 and BIT are walked as they
 * are. Only FP32 may keep codes alone: without the vectors another type would say nothing. */
bool spec_type_fits(const struct collection_spec *s);

/* Parts of PQ. */
uint32_t spec_subs(const struct collection_spec *s);
/* Bytes of a row in the lists of IVF. */
size_t spec_list_bytes(const struct collection_spec *s);

/* Is it known of elements when they were used? */
static inline bool spec_counts_use(const struct spec_tuning *s)
{
    return (s->max_len > 0 || s->max_bytes > 0) && (s->evict == EVICT_LRU || s->evict == EVICT_LFU);
}

/* Has every collection of it a struct aging, whatever is put? */
static inline bool spec_ages(const struct spec_tuning *s)
{
    return s->element_ttl_s > 0 || spec_counts_use(s);
}

struct spec_shape spec_shape(const struct collection_spec *s);
void spec_set_shape(struct collection_spec *s, const struct spec_shape *shape);
bool spec_shape_equal(const struct spec_shape *a, const struct spec_shape *b);
/* Are there codes of rows besides the exact vectors? And those? */
static inline bool spec_has_codes(const struct spec_shape *s)
{
    return s->quant != QUANT_NONE && s->quant < QUANT_ROWS_COUNT;
}

static inline bool spec_has_vectors(const struct spec_shape *s)
{
    return s->keep_originals || !spec_has_codes(s);
}

/* All but shape, schema and tuning, from a spec that may be altered meanwhile. */
void spec_copy_fixed(struct collection_spec *to, const struct collection_spec *from);
/* Can a collection of spec `from` become one of spec `to`? ERR_CORRUPT, ERR_NOMEM. */
MUST_USE enum err spec_may_become(const struct collection_spec *from,
                                  const struct collection_spec *to);

/* Its bytes, in the log and in snapshots; spec_decode is false when they are not one that a command
 * could have made. */
void spec_encode(const struct collection_spec *s, struct buf *out);
MUST_USE bool spec_decode(struct bytes_reader *r, struct collection_spec *s);
/* Likewise, of a shape that a collection of that spec may have. */
void spec_shape_encode(const struct spec_shape *s, struct buf *out);
MUST_USE bool spec_shape_decode(struct bytes_reader *r, const struct collection_spec *spec,
                                struct spec_shape *out);

#endif
