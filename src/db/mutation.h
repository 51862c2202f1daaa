/* mutation.h: every kind of change there is to data, and its bytes in the log.
 *
 * A mutation says what is to be true afterwards, with nothing left to chance or to the clock:
 * applied to the same state it gives the same state. Encoded, numbers are little-endian and slices
 * carry their length in front. */
#ifndef VDB_DB_MUTATION_H
#define VDB_DB_MUTATION_H

#include "base/buf.h"
#include "base/err.h"
#include "db/spec.h"
#include "types/hash.h"
#include "types/zset.h"

/* kind, number in the log (never reused), what it does */
#define MUTATION_LIST(X)                                                                           \
    X(MUTATION_STRING_SET, 1, "the key holds this string")                                         \
    X(MUTATION_KEY_REMOVE, 2, "the key, whatever its type, is gone")                               \
    X(MUTATION_FLUSH, 3, "all keys are gone")                                                      \
    X(MUTATION_COLLECTION_NEW, 4, "the key holds an empty collection")                             \
    X(MUTATION_PUT, 5, "these elements are in the collection, with these vectors")                 \
    X(MUTATION_REMOVE, 6, "these elements are not in the collection")                              \
    X(MUTATION_SET_ATTRIBUTE, 7, "the element has this attribute, or none")                        \
    X(MUTATION_KEY_EXPIRE, 8, "the key expires then, or never")                                    \
    X(MUTATION_KEY_RENAME, 9, "what the key held, and when it expires, is another key's")          \
    X(MUTATION_STRING_RANGE, 10, "the key's string has these bytes there, zeros before them")      \
    X(MUTATION_TICK, 11, "nothing: the LSN at which elements have moved to other rows")            \
    X(MUTATION_COLLECTION_ALTER, 12, "the collection has this tuning")                             \
    X(MUTATION_HASH_SET, 13, "the hash has these fields, with these values, expiring then")        \
    X(MUTATION_HASH_REMOVE, 14, "the hash has none of these fields; without any, it is gone")      \
    X(MUTATION_HASH_EXPIRE, 15, "those of these fields that are there expire then, or never")      \
    X(MUTATION_PARTITION_NEW, 16, "the collection has this partition, without elements")           \
    X(MUTATION_PARTITION_DROP, 17, "the partition is gone, with its elements")                     \
    X(MUTATION_INDEX_NEW, 18, "there is an index of this name over keys, made by these words")     \
    X(MUTATION_INDEX_REMOVE, 19, "there is no index of this name")                                 \
    X(MUTATION_LIST_PUSH, 20, "the list has these values more at an end; or it replaces the key")  \
    X(MUTATION_LIST_TRIM, 21, "the list has so many values less at its ends, or is gone")          \
    X(MUTATION_LIST_SET, 22, "the value at this place of the list is another one")                 \
    X(MUTATION_LIST_INSERT, 23, "the list has a value more, beside the first that is another")     \
    X(MUTATION_LIST_REMOVE, 24, "the first or last so many of this value are gone from the list")  \
    X(MUTATION_LIST_MOVE, 25, "the value at an end of the list is at an end of another instead")   \
    X(MUTATION_SET_ADD, 26, "the set has these members; when it replaces, no others")              \
    X(MUTATION_SET_REMOVE, 27, "the set has none of these members; without any, it is gone")       \
    X(MUTATION_ZSET_ADD, 28, "the members have these scores; when it replaces, there are no more") \
    X(MUTATION_ZSET_REMOVE, 29, "none of these members is there; without any, the key is gone")    \
    X(MUTATION_JSON_SET, 30, "the document has this value at this path")                           \
    X(MUTATION_JSON_INSERT, 31, "the array at this path has these elements more, from there on")   \
    X(MUTATION_JSON_REMOVE, 32, "the document has nothing at this path")                           \
    X(MUTATION_INDEX_ALTER, 40, "the index has these fields more")                                 \
    X(MUTATION_ALIAS_SET, 41, "this name means that index, too")                                   \
    X(MUTATION_ALIAS_REMOVE, 42, "this name means no index")                                       \
    X(MUTATION_WORDS_ADD, 43, "the dictionary, or group of synonyms, has these words more")        \
    X(MUTATION_WORDS_REMOVE, 44, "it has none of these words; without any, it is gone")

enum mutation_kind {
#define X(kind, number, text) kind = number,
    MUTATION_LIST(X)
#undef X
};

/* For a switch that treats all changes of lists, of sets and sorted sets, or of documents alike: a
 * case with the last colon left out. */
#define MUTATIONS_OF_LISTS                                                                         \
    case MUTATION_LIST_PUSH:                                                                       \
    case MUTATION_LIST_TRIM:                                                                       \
    case MUTATION_LIST_SET:                                                                        \
    case MUTATION_LIST_INSERT:                                                                     \
    case MUTATION_LIST_REMOVE:                                                                     \
    case MUTATION_LIST_MOVE
#define MUTATIONS_OF_SETS                                                                          \
    case MUTATION_SET_ADD:                                                                         \
    case MUTATION_SET_REMOVE:                                                                      \
    case MUTATION_ZSET_ADD:                                                                        \
    case MUTATION_ZSET_REMOVE
#define MUTATIONS_OF_JSON                                                                          \
    case MUTATION_JSON_SET:                                                                        \
    case MUTATION_JSON_INSERT:                                                                     \
    case MUTATION_JSON_REMOVE

const char *mutation_name(enum mutation_kind kind);

/* The vector field a mutation speaks of. There is one so far; the log has room for more. */
enum { FIELD_VECTOR = 0 };

/* One element of MUTATION_PUT. vector: dim numbers in the type of the put (vec/type.h), as they are
 * stored: FP32 normalised under COSINE, the others as they came. An element that is there keeps its
 * attribute unless set_attribute. */
struct mutation_element {
    struct slice id;
    const void *vector;
    float norm; /* length of the vector as it came, under COSINE and not of INT8; 1 otherwise */
    uint64_t expire_ms; /* Unix time; 0: never */
    bool set_attribute;
    struct slice attribute; /* len 0: none */
};

struct mutation {
    enum mutation_kind kind;
    struct slice key;                  /* INDEX_*, ALIAS_*: a name of an index, WORDS_*: of a
                                        * dictionary or group, which is no key */
    struct slice value;                /* STRING_SET, STRING_RANGE, SET_ATTRIBUTE (len 0: none),
                                        * LIST_SET, LIST_REMOVE; JSON_SET, JSON_INSERT (an
                                        * array): a document's text */
    struct slice path;                 /* JSON_SET, _INSERT, _REMOVE: as jplace_path writes it */
    uint64_t expire_ms;                /* STRING_SET, _EXPIRE: Unix time; 0: never */
    uint64_t offset;                   /* STRING_RANGE; LIST_SET: the place; LIST_TRIM: how many
                                        * go at the head; JSON_INSERT: of the first element */
    uint64_t limit;                    /* LIST_TRIM: how many go at the tail; LIST_REMOVE: how many
                                        * go at most */
    bool at_head;                      /* LIST_PUSH; LIST_INSERT: before the other; LIST_REMOVE:
                                        * the first ones; LIST_MOVE: from the head */
    bool to_head;                      /* LIST_MOVE */
    struct slice new_key;              /* KEY_RENAME, LIST_MOVE; ALIAS_SET: the index; WORDS_*: that
                                        * of the group (len 0: it is a dictionary) */
    struct collection_spec spec;       /* COLLECTION_NEW, _ALTER; PUT when creates */
    bool creates;                      /* PUT: makes the collection first */
    struct slice partition;            /* PARTITION_NEW, _DROP; PUT: len 0: _default */
    uint32_t dim;                      /* PUT */
    enum vec_type type;                /* PUT */
    struct mutation_element *elements; /* PUT */
    const struct slice *ids;           /* REMOVE, SET_ATTRIBUTE; HASH_REMOVE, _EXPIRE: fields;
                                        * INDEX_NEW: words of FT.CREATE behind the name;
                                        * INDEX_ALTER: words of the fields;
                                        * LIST_PUSH: values, one or more; LIST_INSERT: the other
                                        * value and the one that is to be beside it;
                                        * SET_ADD, _REMOVE, ZSET_REMOVE: members; WORDS_* */
    const struct hash_field *fields;   /* HASH_SET: one or more; of two of a name the last counts */
    const struct scored *members;      /* ZSET_ADD: one or more; likewise */
    bool replaces;                     /* LIST_PUSH, SET_ADD, ZSET_ADD: whatever the key held */
    size_t count;                      /* of elements, ids, fields or members */
};

/* Appends the mutation's bytes: at most mutation_size_max. */
void mutation_encode(const struct mutation *m, struct buf *out);
size_t mutation_size_max(const struct mutation *m);

/* Reads one back. bytes start at a multiple of 8. Slices and vectors point into them, or into
 * arrays that the caller frees with mutation_free. ERR_CORRUPT when the bytes are not a mutation:
 * nothing is read past them. */
MUST_USE enum err mutation_decode(struct slice bytes, struct mutation *out, struct why *why);
void mutation_free(struct mutation *m);

#endif
