/* keyspace.h: keys and what they hold. owner: loop. */
#ifndef VDB_DB_KEYSPACE_H
#define VDB_DB_KEYSPACE_H

#include "base/err.h"
#include "base/map.h"
#include "db/access.h"
#include "db/expiry.h"
#include "types/tree.h"

struct collection;

/* type, name as TYPE says it */
#define OBJECT_TYPE_LIST(X)                                                                        \
    X(OBJECT_STRING, "string")                                                                     \
    X(OBJECT_COLLECTION, "vectorset")                                                              \
    X(OBJECT_HASH, "hash")                                                                         \
    X(OBJECT_LIST, "list")                                                                         \
    X(OBJECT_SET, "set")                                                                           \
    X(OBJECT_ZSET, "zset")                                                                         \
    X(OBJECT_JSON, "ReJSON-RL")

enum object_type {
#define X(type, name) type,
    OBJECT_TYPE_LIST(X)
#undef X
};

const char *object_type_name(enum object_type type);

/* Does a capture (capture.h) still need the object's bytes? */
enum object_hold {
    OBJECT_LOOSE,
    OBJECT_HELD,
    OBJECT_LEFT /* and object_free was called meanwhile: the capture frees it */
};

/* A key with its value, in one piece of memory: a string, a document (json/value.h), or a pack of
 * entries (types/pack.h). Such
 * a value never changes in place: another object comes in its stead. The bytes follow the last
 * field without a gap. */
struct object {
    uint64_t expire_ms;            /* Unix time; 0: never. keyspace_set_expiry changes it */
    union {
        struct collection *collection; /* OBJECT_COLLECTION; owned by db.h */
        struct {                       /* packed */
            uint32_t count;            /* of entries */
            uint32_t fields_at;        /* OBJECT_HASH: its place in the keyspace's heap of fields */
        };
        struct large *large;           /* likewise, when it is_large; owned */
    };
    uint32_t hash;
    uint32_t key_len;
    uint32_t value_len;            /* but for OBJECT_COLLECTION */
    uint32_t expiry_at;            /* its place in the keyspace's heap, or EXPIRY_NONE */
    uint32_t access;               /* access.h: changes with every use, on the loop alone */
    uint8_t type;                  /* enum object_type */
    uint8_t hold;                  /* enum object_hold */
    bool is_large;                 /* the value is not in bytes: it has nodes of its own */
    uint8_t bytes[];               /* the key, then the value */
};

/* A large value. It changes in place, but nodes that others have too do not. owner: its object */
struct large {
    struct tree tree;    /* OBJECT_ZSET: in order, */
    struct tree members; /* and the same entries by member */
    uint32_t fields_at;  /* as above */
};

/* Fetches ahead what stands in the object, as far as that is short. */
void object_prefetch(const struct object *o);

/* Who wants to know of changes before they happen. */
struct keyspace_watch {
    /* The object at the place goes, or its expiry changes, or an object comes to a free place. */
    void (*before_change)(struct keyspace_watch *watch, uint32_t place);
};

struct keyspace {
    struct map map;            /* to indexes of objects */
    struct object **objects;   /* NULL: free */
    uint32_t *free_list;       /* indexes of free places */
    uint32_t free_count;
    uint32_t used;             /* places of objects in use or free */
    uint32_t capacity;
    uint32_t recent;           /* where keyspace_find was last, whatever is there by now */
    uint32_t collections;      /* how many of the objects are some */
    struct expiry expiry;      /* of the objects that expire */
    struct expiry fields;      /* of the hashes with fields that expire, by the first of them */
    struct access access;      /* the clock of their use */
    struct keyspace_watch *watch; /* NULL: nobody */
    uint64_t hash_seed[2];
};

void keyspace_init(struct keyspace *ks, const uint64_t hash_seed[2]);
/* Frees the strings; collections must be gone. */
void keyspace_fini(struct keyspace *ks);

/* NULL when there is no such key. The object stays where it is until its key changes. */
struct object *keyspace_get(const struct keyspace *ks, struct slice key);
/* The same, when the key will be looked for again: that is quick until another one is found. */
struct object *keyspace_find(struct keyspace *ks, struct slice key);
/* The same for a few keys, which does not wait for the memory of one after the other. */
enum { KEYSPACE_FEW = 16 };
void keyspace_get_few(const struct keyspace *ks, const struct slice *keys, size_t count,
                      struct object **out);

static inline struct slice object_key(const struct object *o)
{
    return (struct slice){o->bytes, o->key_len};
}

/* The string, or the pack. */
static inline struct slice object_value(const struct object *o)
{
    return (struct slice){o->bytes + o->key_len, o->value_len};
}

static inline struct slice object_string(const struct object *o)
{
    CHECK(o->type == OBJECT_STRING);
    return object_value(o);
}

/* Is the value a pack, or a tree of packs? */
static inline bool object_is_packs(const struct object *o)
{
    return o->type != OBJECT_STRING && o->type != OBJECT_COLLECTION && o->type != OBJECT_JSON;
}

/* How many entries there are; of a hash, expired fields among them. */
static inline uint32_t object_count(const struct object *o)
{
    CHECK(object_is_packs(o));
    return o->is_large ? o->large->tree.count : o->count;
}

/* Bytes of memory besides the object. */
static inline size_t object_large_bytes(const struct object *o)
{
    return o->is_large ? sizeof(*o->large) + o->large->tree.bytes + o->large->members.bytes : 0;
}

static inline bool object_expired(const struct object *o, uint64_t now_ms)
{
    return o->expire_ms > 0 && o->expire_ms < now_ms;
}

/* Makes an object for a key, outside the keyspace yet: the part of a change that can fail. There is
 * room for one at a time: it is published or freed before the next is made. value.ptr NULL: the
 * caller fills the value's bytes before it publishes. expire_ms 0: never.
 * keyspace_publish puts it in place of what the key held before, which it returns (or NULL), for
 * the caller to free. */
MUST_USE struct object *keyspace_prepare(struct keyspace *ks, struct slice key,
                                         enum object_type type, struct slice value,
                                         uint64_t expire_ms);
struct object *keyspace_publish(struct keyspace *ks, struct object *o);
/* Room for count objects of keyspace_make_object that do not expire, to be published one by one. */
MUST_USE bool keyspace_reserve(struct keyspace *ks, size_t count);
/* Takes an object out; the caller frees it. NULL when there is none. */
struct object *keyspace_take(struct keyspace *ks, struct slice key);
/* Tells the watch that all places change. */
void keyspace_touch_all(struct keyspace *ks);
void object_free(struct object *o);
/* Makes an object of no value a large one; false: no memory. */
MUST_USE bool object_make_large(struct object *o);
/* Frees what is large of it, at once. */
void object_drop_large(struct object *o);

/* Filling an empty keyspace from a snapshot: places as they were, count objects among them. Objects
 * are made on any lane (keyspace_make_object only reads the seed of the hash). ERR_CORRUPT: the
 * place or the key is taken. */
MUST_USE struct object *keyspace_make_object(const struct keyspace *ks, struct slice key,
                                             enum object_type type, struct slice value,
                                             uint64_t expire_ms);
MUST_USE bool keyspace_load_begin(struct keyspace *ks, uint32_t places, size_t count);
MUST_USE enum err keyspace_load(struct keyspace *ks, uint32_t place, struct object *o);
void keyspace_load_end(struct keyspace *ks);

/* Changes when a published object expires; 0: never. The only way an object changes in place. When
 * it did not expire before, keyspace_reserve_expiry came first. */
MUST_USE bool keyspace_reserve_expiry(struct keyspace *ks);
/* What the object holds is about to change in place. */
void keyspace_touch(struct keyspace *ks, const struct object *o);
void keyspace_set_expiry(struct keyspace *ks, struct object *o, uint64_t expire_ms);

/* The same of the first of the fields of a published hash that expires. An object that is published
 * or loaded has none. */
MUST_USE bool keyspace_reserve_fields(struct keyspace *ks);
void keyspace_set_fields_expiry(struct keyspace *ks, struct object *o, uint64_t expire_ms);
/* When that is, or 0. */
uint64_t keyspace_fields_expiry(const struct keyspace *ks, const struct object *o);

size_t keyspace_count(const struct keyspace *ks);

/* As map_scan, over objects. */
uint64_t keyspace_scan(const struct keyspace *ks, uint64_t cursor, size_t count,
                       void (*fn)(void *user, const struct object *o), void *user);
/* The place of an object that is in the keyspace, and what is at a place: NULL when nothing is. */
uint32_t keyspace_place(const struct keyspace *ks, const struct object *o);
struct object *keyspace_at(const struct keyspace *ks, uint32_t place);
/* Some object; NULL when there is none. */
struct object *keyspace_random(const struct keyspace *ks, uint64_t random);
/* Bytes of memory that an object's key and string take. */
size_t object_size(size_t key_len, size_t value_len);

#endif
