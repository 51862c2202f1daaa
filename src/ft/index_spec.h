/* index_spec.h: what FT.CREATE says an index over keys is.
 *
 * The words of the command are the definition: the log, the manifest and a restart have them as
 * they came, and read them here again. README.md tells the grammar.
 *
 * Pure; owns copies of all it holds. */
#ifndef VDB_FT_INDEX_SPEC_H
#define VDB_FT_INDEX_SPEC_H

#include "base/buf.h"
#include "base/err.h"
#include "text/language.h"
#include "vec/type.h"

#define INDEX_FIELD_LIST(X)                                                                        \
    X(INDEX_TAG, "TAG")                                                                            \
    X(INDEX_NUMERIC, "NUMERIC")                                                                    \
    X(INDEX_GEO, "GEO")                                                                            \
    X(INDEX_TEXT, "TEXT")                                                                          \
    X(INDEX_VECTOR, "VECTOR")

enum index_field_kind {
#define X(kind, word) kind,
    INDEX_FIELD_LIST(X)
#undef X
        INDEX_FIELD_KIND_COUNT
};

const char *index_field_kind_name(enum index_field_kind kind);

/* word of FT.CREATE, the type that vectors are kept in, bytes of a number in documents */
#define INDEX_VECTOR_TYPE_LIST(X)                                                                  \
    X(INDEX_FLOAT32, "FLOAT32", TYPE_FP32, 4)                                                      \
    X(INDEX_FLOAT64, "FLOAT64", TYPE_FP32, 8)                                                      \
    X(INDEX_FLOAT16, "FLOAT16", TYPE_FP16, 2)                                                      \
    X(INDEX_BFLOAT16, "BFLOAT16", TYPE_BF16, 2)                                                    \
    X(INDEX_INT8, "INT8", TYPE_INT8, 1)                                                            \
    X(INDEX_UINT8, "UINT8", TYPE_FP16, 1) /* which has all of its numbers */

enum index_vector_type {
#define X(type, word, kept, size) type,
    INDEX_VECTOR_TYPE_LIST(X)
#undef X
        INDEX_VECTOR_TYPE_COUNT
};

struct index_vector {
    bool flat;
    enum index_vector_type type;
    enum metric metric;
    uint32_t dim;
    uint32_t m, ef_construction, ef_runtime; /* HNSW */
    uint64_t initial_cap, block_size;        /* taken and shown, nothing depends on them */
    double epsilon;
};

const char *index_vector_type_name(enum index_vector_type type);
enum vec_type index_vector_kept(enum index_vector_type type);
/* Bytes of a vector in a document or a parameter. */
size_t index_vector_size(const struct index_vector *v);

struct index_field {
    enum index_field_kind kind;
    struct slice path;   /* the hash's field, or the JSONPath */
    struct jpath *json;  /* ON JSON: the path, compiled; owned */
    struct slice name;   /* what queries call it */
    uint8_t separator;   /* TAG */
    bool case_sensitive; /* TAG */
    bool with_suffixes;  /* TAG, TEXT: taken and shown */
    bool no_stem;        /* TEXT */
    double weight;       /* TEXT */
    uint8_t text_number; /* TEXT: place among the TEXT fields */
    bool sortable, unf, no_index, index_missing, index_empty;
    struct index_vector vector;
};

struct index_filter;
struct jpath;

enum { INDEX_TEXTS_MAX = 64 /* TEXT fields of an index */ };

struct index_spec {
    struct slice name;
    struct slice *words; /* behind the name, as they came */
    size_t word_count;
    struct slice *prefixes; /* one empty prefix when none was given */
    size_t prefix_count;
    struct index_field *fields;
    size_t field_count;
    size_t vector_count;
    size_t text_count;
    bool on_json; /* documents are JSON, not hashes */
    bool skip_scan;
    uint64_t idle_ms; /* TEMPORARY: so long unused, it goes; 0: it stays */
    double score;
    struct slice score_field;    /* empty: none */
    struct slice payload_field;  /* empty: none */
    struct index_filter *filter; /* index_filter.h; NULL: none */
    enum text_language language;
    struct slice language_field; /* empty: none */
    const struct slice *stop_words;
    size_t stop_word_count;
    bool own_stop_words;                                                  /* they were given */
    bool no_offsets, no_highlight, no_fields, no_frequencies, many_texts; /* NOOFFSETS .. */
    uint8_t *bytes;                                                       /* of all slices */
    unsigned refs;                                                        /* owner: loop */
};

/* Reads the words behind the name. Errors in RediSearch's words where it has some. */
MUST_USE enum err index_spec_new(struct slice name, const struct slice *words, size_t count,
                                 struct index_spec **out, struct why *why);
struct index_spec *index_spec_ref(struct index_spec *s);
/* Frees it when nobody else holds it; NULL is allowed. */
void index_spec_unref(struct index_spec *s);

/* Does a key belong to the index, by its name? */
bool index_spec_covers(const struct index_spec *s, struct slice key);
/* The field that queries call so; NULL when there is none. */
const struct index_field *index_spec_field(const struct index_spec *s, struct slice name);

#endif
