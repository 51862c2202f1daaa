/* capture.h: the data as it is at one LSN, kept readable while everything goes on.
 *
 * A snapshot reads the data for seconds, on a lane of its own, and must see what was there at its
 * LSN s, no matter what is written meanwhile:
 *
 *   rows         are never rewritten; birth and death say which were alive at s; the guard that the
 *                capture holds keeps those that die since. So a view of a collection that is taken
 *                any time later serves as well as one taken at s.
 *   links        may be newer than s; who loads them mends them.
 *   attributes   are replaced in place: before the first change of one, the references of the
 *                rows around it are copied (capture_attribute), and readers look there.
 *   keys         are captured place by place, some at a time. A place that is about to change
 *                before its turn is captured then (struct keyspace_watch). Objects that go are not
 *                freed before the reader is done with them: their bytes never change, and what
 *                does, the expiry, is copied.
 *
 * owner: loop. A slice belongs to who writes it, from capture_next to capture_return. */
#ifndef VDB_DB_CAPTURE_H
#define VDB_DB_CAPTURE_H

#include "db/collection.h"
#include "db/keyspace.h"

struct db;

/* A key as it was. immutable */
struct captured {
    uint32_t place;
    enum object_type type;
    struct object *object; /* for its bytes */
    uint64_t expire_ms;
    const struct collection_view *view; /* OBJECT_COLLECTION */
    struct spec_tuning tuning;          /* likewise: it may change in place, */
    struct spec_shape wish;             /* so may that of the spec, */
    const struct partition_table *partitions; /* and so may these; NULL: there was _default alone */
    const struct schema *schema;        /* likewise; NULL: none */
    bool large;                         /* it has columns of its own, has left its slab */
    bool has_tree;                      /* the value is a tree: */
    struct tree tree;                   /* as it was */
};

enum { CAPTURE_SLICE_PLACES = 512, CAPTURE_PLACES_STEP = 128 };

/* Some places of the keyspace, in order; free ones are not among keys. immutable for the writer */
struct capture_slice {
    uint32_t first, end; /* places */
    size_t count;
    struct captured keys[CAPTURE_SLICE_PLACES];
    struct collection_view *views; /* of the collections among them; owned */
    bool has_part;                 /* there are no keys, but: */
    struct captured part;          /* a collection of an index, which has no object */
};

struct saved_attributes;

struct capture {
    struct db *db;
    struct keyspace_watch watch; /* of the keyspace, while db->keys is the one that was at s */
    uint64_t lsn;
    uint64_t guard;
    uint64_t uid_end; /* collections of later uids are not in it */
    size_t key_count; /* at s */
    uint32_t next;    /* places below have had their turn */
    uint32_t end;     /* places there were */
    uint32_t step;    /* places of a slice: a multiple of CAPTURE_PLACES_STEP */
    uint64_t *early;  /* one bit per place: captured before its turn, or was free */
    struct map held;  /* from such places to indexes of early_keys */
    struct captured *early_keys;
    uint32_t early_count, early_capacity;
    struct saved_attributes *saved; /* of all collections */
    struct collection **parts;      /* of indexes over keys, behind all keys */
    size_t part_count, part_next;
    bool failed;                    /* memory ran out: what is captured is not the state at lsn */
};

/* Takes the LSN and the guard; between records only. False when memory is short. */
MUST_USE bool capture_begin(struct capture *c, struct db *db);
/* Captures the next places; false when there are none left, or it has failed. */
MUST_USE bool capture_next(struct capture *c, struct capture_slice *slice);
/* Nobody reads the slice any more. */
void capture_return(struct capture *c, struct capture_slice *slice);
/* Gives everything back. All slices have been returned, no lane reads under the guard. */
void capture_end(struct capture *c);

/* Before an attribute of a row changes in place. */
void capture_attribute(struct capture *c, struct collection *collection, uint32_t row);

/* [lane] The references to attributes of rows first .. first + count - 1 as they were. */
void captured_attributes(const struct collection_view *view, uint32_t first, uint32_t count,
                         heap_ref *out);

#endif
