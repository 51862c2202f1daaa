/* model.h: what the data of a server must be, plainly kept, at every LSN it has had.
 *
 * Nothing is ever forgotten: an element is a version with a birth and a death, so a reply that was
 * made at some LSN can be judged long after. Keys are k0, k1, ...; an id is a number too, written
 * in one way only (model_id_text).
 *
 * A record may hold several changes, and in a transaction somebody has seen the state between two
 * of them. So time is finer than LSNs: MODEL_AT(lsn) is the state after a record, model->at the one
 * after the last change. */
#ifndef VDB_TESTS_SIM_MODEL_H
#define VDB_TESTS_SIM_MODEL_H

#include "base/buf.h"
#include "db/mutation.h"

enum {
    MODEL_VECTOR_KEYS = 4, /* of the keys, those that hold collections mostly, */
    MODEL_STRING_KEYS = 2, /* those behind them that hold strings, */
    MODEL_HASH_KEYS = 2,   /* those behind these that hold hashes, */
    MODEL_LIST_KEYS = 2,   /* lists, */
    MODEL_SET_KEYS = 2,    /* sets, */
    MODEL_ZSET_KEYS = 2,   /* sorted sets, */
    MODEL_JSON_KEYS = 2,   /* and documents */
    MODEL_KEYS = 16,
    MODEL_MAKING = MODEL_KEYS, /* the key under which a copy is made, whatever its name */
    MODEL_IDS = 400,
    MODEL_DIM_MAX = 512,
    MODEL_PARTITIONS = 4 /* _default is 0 */
};

#define MODEL_NEVER UINT64_MAX
/* Between two of them is room for all the changes of a record. None is 0. */
#define MODEL_AT(lsn) (((uint64_t)(lsn) + 1) << 20)

/* owner: its element */
struct model_attribute {
    uint64_t from;
    struct slice json; /* len 0: none */
    struct model_attribute *before;
};

/* One vector of an id, from birth on, until before death. owner: its collection */
struct model_element {
    uint64_t birth, death;
    uint64_t expire_ms; /* 0: never */
    unsigned partition;
    float *vector;                     /* as stored, in floats */
    struct model_attribute *attribute; /* the newest */
    struct model_element *before;      /* the id's version before this one */
};

/* owner: its collection */
struct model_tuning {
    uint64_t from;
    struct spec_tuning tuning;
    struct schema schema;
    struct spec_shape shape;
    struct model_tuning *before;
};

/* owner: its collection */
struct model_partitions {
    uint64_t from;
    unsigned bits; /* of those that are there */
    struct model_partitions *before;
};

/* owner: the model, whatever key it is held by */
struct model_collection {
    struct collection_spec spec;         /* its tuning and shape are those of its birth */
    struct model_tuning *tuning;         /* the newest; NULL: that of its birth */
    struct model_partitions *partitions; /* the newest; NULL: _default alone */
    float *projection;                   /* dim x projection_from, or NULL */
    struct model_element *newest[MODEL_IDS];
    struct model_collection *next; /* of all there were */
};

/* owner: what is held */
struct model_time {
    uint64_t from;
    uint64_t expire_ms; /* 0: never */
    struct model_time *before;
};

/* A hash, which never changes: another one comes in its stead. owner: what holds it */
struct model_hash {
    size_t count;
    struct hash_field fields[];
};

/* A list, likewise. */
struct model_list {
    size_t count;
    struct slice values[];
};

/* A set or a sorted set, likewise: members in order. */
struct model_members {
    bool sorted; /* else all scores are 0 */
    size_t count;
    struct scored items[];
};

/* A document in hand: model_json.c. */
enum { MODEL_MEMBERS = 6, MODEL_LIST_MAX = 100, MODEL_DOC_TEXT = 1024 };

struct model_member {
    char name; /* l: the list */
    int64_t number;
};

struct model_doc {
    size_t count;
    struct model_member members[MODEL_MEMBERS];
    size_t list_count;
    int64_t list[MODEL_LIST_MAX];
};

/* What a key holds from birth on, until before death. owner: the model */
struct model_held {
    uint64_t birth, death;
    struct model_collection *collection; /* NULL: a string, or one of these */
    struct model_hash *hash;
    struct model_list *list;
    struct model_members *members;
    struct slice string; /* or the text of a document */
    bool is_json;
    struct model_time *time;   /* the newest; NULL: never expires */
    struct model_held *before; /* what the key held before this one */
};

/* Of the index over keys: it, its other name, its added field. */
enum model_turn {
    MODEL_INDEX,
    MODEL_ALIAS,
    MODEL_ADDED,
    MODEL_SYNONYM,
    MODEL_DICTIONARY,
    MODEL_TURNS
};

struct model {
    uint64_t lsn;
    uint64_t at;
    struct model_held *newest[MODEL_KEYS + 1];
    struct model_collection *collections;
    struct buf
        touched[MODEL_KEYS + 1];   /* uint64_t: LSNs at which the key changed, as WATCH has it */
    struct buf turns[MODEL_TURNS]; /* uint64_t: when one of these came, went, came ... */
};

struct model *model_new(void);
void model_free(struct model *m);

/* The next record begins. */
void model_next(struct model *m);
/* One change of it. NULL, or what is wrong with it. */
MUST_USE const char *model_apply(struct model *m, const struct mutation *mutation);

/* After all there was so far. */
static inline uint64_t model_now(const struct model *m)
{
    return MODEL_AT(m->lsn);
}

/* What there was at a time, or NULL; expired or not. */
struct model_held *model_held_at(const struct model *m, unsigned key, uint64_t at);
struct model_collection *model_collection_at(const struct model *m, unsigned key, uint64_t at);
/* Is the index over keys there? */
bool model_has(const struct model *m, enum model_turn turn, uint64_t at);
/* What a client saw whose clock said now_ms. */
struct model_held *model_seen_at(const struct model *m, unsigned key, uint64_t at, uint64_t now_ms);
struct model_element *model_element_at(const struct model_collection *c, unsigned id, uint64_t at);
/* What a client saw whose clock said now_ms. */
struct model_element *model_element_seen(const struct model_collection *c, unsigned id, uint64_t at,
                                         uint64_t now_ms);
bool model_element_over(const struct model_element *e, uint64_t now_ms);
struct slice model_attribute_at(const struct model_element *e, uint64_t at);
/* What VALTER changes, as it was. */
const struct spec_tuning *model_tuning_at(const struct model_collection *c, uint64_t at);
struct spec_shape model_shape_at(const struct model_collection *c, uint64_t at);
/* Bits of the partitions that are there. */
unsigned model_partitions_at(const struct model_collection *c, uint64_t at);
/* How the log names a partition ("" for _default), and which it is; MODEL_PARTITIONS: none. */
const char *model_partition_name(unsigned partition);
unsigned model_partition_of(struct slice name);
const struct schema *model_schema_at(const struct model_collection *c, uint64_t at);
/* When it expires; 0: never. */
uint64_t model_expiry_at(const struct model_held *held, uint64_t at);
bool model_expired(const struct model_held *held, uint64_t at, uint64_t now_ms);
static inline bool model_is_string(const struct model_held *held)
{
    return held->collection == NULL && held->hash == NULL && held->list == NULL &&
           held->members == NULL && !held->is_json;
}
/* False: it is no document of the workload's. */
bool model_doc_read(struct slice text, struct model_doc *out);
struct slice model_doc_write(const struct model_doc *d, char out[MODEL_DOC_TEXT]);
/* NULL: it has none of that name. */
struct model_member *model_doc_member(const struct model_doc *d, char name);
/* NULL, or what is wrong with the change. */
MUST_USE const char *model_doc_change(struct model_doc *d, const struct mutation *m);

/* model_members.c: NULL when there is none. s NULL: no members. */
const struct scored *model_member(const struct model_members *s, struct slice member);
/* With room for more. from NULL: empty. */
struct model_members *model_members_copy(const struct model_members *from, bool sorted,
                                         size_t more);
/* As a change makes them of others, or of none. */
struct model_members *model_members_changed(const struct model_members *from,
                                            const struct mutation *m);
void model_members_free(struct model_members *s);
/* NULL when there is none, or its time is over. */
const struct hash_field *model_field(const struct model_hash *h, struct slice name,
                                     uint64_t now_ms);
/* model_list.c: another list, as the change makes it of one (NULL: empty); NULL: it does not fit,
 * as *wrong says. */
struct model_list *model_list_changed(const struct model_list *from, const struct mutation *m,
                                      const char **wrong);
struct model_list *model_list_copy(const struct model_list *from);
void model_list_free(struct model_list *l);
/* now_ms 0: expired or not. */
size_t model_count_at(const struct model_collection *c, uint64_t at, uint64_t now_ms);
size_t model_count_in(const struct model_collection *c, unsigned partition, uint64_t at,
                      uint64_t now_ms);

/* Did the key change after one LSN, and up to another? */
bool model_touched(const struct model *m, unsigned key, uint64_t after_lsn, uint64_t to_lsn);

/* Appends the id's bytes; some hold line ends and zeros, some are long. */
void model_id_text(unsigned id, struct buf *out);
/* The number of such bytes; MODEL_IDS when they are none. */
unsigned model_id_of(struct slice text);
/* MODEL_KEYS when there is no such key. */
unsigned model_key_of(struct slice text);
/* Is it the name of a copy that is being made? */
bool model_is_making(struct slice text);

/* The matrix of a REDUCE, freed with mem_free(MEM_VECTOR); NULL when there is none. */
float *model_projection(const struct collection_spec *spec);
/* A client's floats (projection_from or dim of them) as they are stored: projected, FP32 at length
 * 1 under COSINE, the others as their type has them. out has dim floats. False: zero has no
 * direction, or the type does not have such numbers. */
bool model_store(const struct model_collection *c, const float *raw, float *out);
/* The same of a query: halves are not rounded. */
bool model_query(const struct model_collection *c, const float *raw, float *out);
/* Distance of stored vectors, or of a query, in the collection's metric. */
double model_distance(const struct collection_spec *spec, const float *a, const float *b);

/* Filters that both the model and the server know. */
enum { MODEL_FILTERS = 5 };
const char *model_filter_text(unsigned filter);
bool model_filter_matches(unsigned filter, struct slice json);

#endif
