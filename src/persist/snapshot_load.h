/* snapshot_load.h: the data as a snapshot has it, read and verified by all lanes at once.
 *
 *     OPEN ─► KEYS ─► PUBLISH ─► PLAN ─► BEGIN ─► ALIVE ─► CONTENTS ─► (DROP) ─► CHECK ─► TREE
 *     (lane)  (lanes) (loop)     (lane)  (lanes) ...                         ─► MEND ─► FINISH
 *
 * Each phase is a list of items; as many jobs as there are lanes take one after another, and the
 * next phase begins when all have come back. Chunks are read into a buffer that stays in the cache
 * of the lane, checked there, and only then copied to where they belong. The loop publishes keys,
 * in slices.
 *
 * Asked to repair, it goes on where it would fail: first with the snapshot before, to which the log
 * adds what is newer; when that is not whole either, with what can be proven good of the newest
 * that has a manifest. Then a chunk that is damaged, or whose pack is gone, costs what is in it and
 * is reported, and what is loaded is the state at no LSN. The files stay as they are.
 *
 * owner: loop; items belong to the lane that takes them. */
#ifndef VDB_PERSIST_SNAPSHOT_LOAD_H
#define VDB_PERSIST_SNAPSHOT_LOAD_H

#include "db/collection_load.h"
#include "db/indexes_image.h"
#include "persist/snapshot_files.h"

#define LOAD_PHASE_LIST(X)                                                                         \
    X(LOAD_OPEN)    /* the newest manifest, its packs */                                           \
    X(LOAD_KEYS)    /* objects and collections are made */                                         \
    X(LOAD_PUBLISH) /* loop: and put into the keyspace */                                          \
    X(LOAD_PLAN)    /* to which collection belongs each chunk? */                                  \
    X(LOAD_BEGIN)   /* memory of collections; small sets are filled */                             \
    X(LOAD_ALIVE)                                                                                  \
    X(LOAD_CONTENTS) /* rows, attributes, links */                                                 \
    X(LOAD_DROP)     /* repair: rows that have lost their contents */                              \
    X(LOAD_CHECK)    /* ids are unique; links lead somewhere */                                    \
    X(LOAD_TREE)     /* parents */                                                                 \
    X(LOAD_MEND)     /* one tree */                                                                \
    X(LOAD_FINISH)                                                                                 \
    X(LOAD_OVER)

enum load_phase {
#define X(phase) phase,
    LOAD_PHASE_LIST(X)
#undef X
};

/* What an item of a phase is about: a chunk, rows of a collection, or a collection. */
struct load_item {
    struct load_collection *collection;
    uint32_t chunk; /* of the manifest */
    uint32_t first, end;
};

/* A collection on its way in. When one of an index over keys is damaged, that is no error: it is
 * made again from the keys. */
struct load_collection {
    uint64_t uid;
    struct collection *c;
    struct key_index *index; /* whose it is, and which of its parts; NULL: a key's */
    size_t part;
    atomic_bool lost;
    struct why lost_why; /* of the lane that made it so */
    const struct manifest_collection *entry; /* NULL: a small set */
    uint32_t first_chunk, chunk_end;         /* of the manifest */
    struct collection_load load;
};

/* The keys of one chunk. owner: the lane, then the loop */
struct load_keys {
    struct load_key {
        struct object *object; /* NULL: it was published, or it is */
        uint8_t *piece;        /* more of the value of the key before */
        size_t piece_size;
        enum object_type piece_type;
        uint32_t place;
    } * list;
    uint32_t count;
};

struct load_lane;

struct snapshot_load_options {
    const char *dir; /* outlives the load */
    bool repair;
    struct log *log; /* told what is lost, or NULL; of a repair it is not NULL */
};

enum load_attempt { LOAD_NEWEST, LOAD_OLDER, LOAD_WHAT_IS_GOOD };

struct snapshot_load {
    struct io *io;
    struct db *db;
    struct snapshot_load_options options;
    void (*on_done)(struct snapshot_load *l, enum err e);
    void *user;

    enum load_phase phase;
    struct load_lane *lanes;
    unsigned lane_count, lanes_out;
    struct load_item *items; /* of the phase */
    uint32_t item_count, item_capacity;
    _Atomic uint32_t next_item;
    atomic_bool failed;
    bool damaged; /* a repair has lost something: the next snapshot is to begin from nothing */
    bool cancelled;

    enum load_attempt attempt; /* other than the first: a snapshot is to be taken soon */
    uint64_t newest_lsn;       /* of the manifest of the first */
    bool found;                /* there is a manifest */
    struct manifest manifest;
    struct pack_reader packs;
    uint32_t next_pack;     /* pack ids from here on are free */
    struct load_keys *keys; /* by chunk */
    uint32_t key_chunks;
    uint32_t key_chunk, key_at;          /* to be published next */
    struct object *last_key;             /* published last; NULL: none, or it was lost */
    uint32_t last_place;                 /* as the snapshot has it */
    struct load_collection *collections; /* by uid, once planned */
    uint32_t collection_count, collection_capacity;
    _Atomic uint64_t bytes_total, bytes_loaded; /* of chunks */
    uint64_t phase_us[LOAD_OVER + 1];           /* when each began; monotonic */
    uint32_t renewed;                           /* collections of indexes, since damaged */
    enum err error;
    struct why why;
};

const char *load_phase_name(enum load_phase phase);

/* Loads the newest snapshot of the folder, if there is one, into an empty db. on_done comes once,
 * not within the call. ERR_CORRUPT, ERR_IO: l->why names file and offset. */
void snapshot_load_start(struct snapshot_load *l, struct io *io, struct db *db,
                         const struct snapshot_load_options *options,
                         void (*on_done)(struct snapshot_load *l, enum err e), void *user);
/* Ends it soon: on_done comes with ERR_CANCELLED, unless it was about to come anyway. */
void snapshot_load_cancel(struct snapshot_load *l);
/* After on_done. After an error db_clear() frees what the db has got. */
void snapshot_load_free(struct snapshot_load *l);

/* For the files snapshot_load*.c. owner: the lane while a job is out */
struct load_lane {
    struct job job;
    struct snapshot_load *load;
    struct lane *lane;
    struct buf buffer, second;  /* a chunk each */
    struct buf links;           /* of a row */
    struct load_collection *at; /* whose heap the cursor fills */
    struct heap_cursor cursor;
    enum err error;
    struct why why;
    struct buf notes; /* what a repair has lost, a line each */
};

/* Is this a failure that a repair passes over? Then it is noted with what it costs. */
bool load_tolerates(struct load_lane *lane, enum err e, const char *lost);

/* The chunk of an item, read and opened. */
MUST_USE enum err load_chunk(struct load_lane *lane, const struct chunk *chunk, struct buf *buffer,
                             struct slice *body);
/* Blames the chunk for what was found wrong in it. */
enum err load_blame(struct load_lane *lane, const struct chunk *chunk, enum err e,
                    const char *what);

/* The same of the manifest. */
enum err load_blame_manifest(struct load_lane *lane, const char *what, uint64_t number);
/* [loop] The same, for l->why. */
enum err load_fail(struct snapshot_load *l, enum err e, const char *what);

/* snapshot_load_keys.c: the items of phases OPEN, KEYS, PLAN. */
MUST_USE enum err load_open(struct load_lane *lane, const struct load_item *item);
MUST_USE enum err load_keys(struct load_lane *lane, const struct load_item *item);
MUST_USE enum err load_plan(struct load_lane *lane, const struct load_item *item);
/* [loop] Behind the keys: the indexes over them, and which of their collections come. */
MUST_USE enum err load_publish_indexes(struct snapshot_load *l);
/* [loop] Some keys more; l->key_chunk says where it got to. */
MUST_USE enum err load_publish_slice(struct snapshot_load *l);

/* snapshot_load_rows.c: the items of phases BEGIN, ALIVE, CONTENTS. */
MUST_USE enum err load_begin(struct load_lane *lane, const struct load_item *item);
MUST_USE enum err load_alive(struct load_lane *lane, const struct load_item *item);
MUST_USE enum err load_contents(struct load_lane *lane, const struct load_item *item);

#endif
