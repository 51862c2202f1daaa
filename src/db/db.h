/* db.h: all data of one server, and the one way it changes.
 *
 *     plan (cmd/) ──► db_write: prepare (may fail) ──► mlog ──► apply (cannot fail)
 *     recovery, replica ──► db_replay_record: prepare ──► apply
 *
 * What is written between db_begin and db_commit is one record with one LSN: all of it is there
 * after a crash, or nothing. Searches that were started before do not see it; nothing else runs
 * on the loop in between.
 *
 * owner: loop. */
#ifndef VDB_DB_DB_H
#define VDB_DB_DB_H

#include "db/background.h"
#include "db/collection.h"
#include "db/keyspace.h"
#include "db/mlog.h"
#include "db/recall.h"

/* A value of more entries, or longer, is a large one. */
enum { PACKED_COUNT_MAX = 128, PACKED_BYTES_MAX = 8192 };

struct index_alias;
struct word_list;
struct key_index;

struct db_options {
    const struct vec_kernels *kernels;
    size_t maxmemory; /* bytes; 0: no limit */
    uint32_t flat_rows_max;
    size_t pending_scan_bytes;
};

/* What is prepared for one key. */
struct change_half {
    struct object *object, *grown, *in_place;
    struct tree_change tree;
    bool empties;
};

struct db {
    struct io *io;
    struct epoch epoch;
    struct background background;
    struct recall_watch recall;
    struct collection_env env;
    struct mlog log;
    struct keyspace keys;
    struct aging *agings;     /* of collections with elements that may expire */
    struct aging *aging_next; /* whose turn it is to be looked at; NULL: the first */
    size_t maxmemory;
    bool evicts;     /* keys go when memory is short, by cmd/evict.h */
    bool touches;    /* finding a key counts as using it */
    uint64_t now_ms; /* Unix time as the command being run has it; set by cmd/command.h */
    uint64_t next_uid;
    uint64_t random;           /* state of rng.h */
    struct bulk *bulk;         /* a long put under way, or NULL: bulk.h */
    struct key_index *indexes; /* over keys: indexes.h */
    struct key_index *index;   /* prepared and not yet applied, */
    struct index_alias *alias; /* likewise */
    struct word_list *dictionaries; /* word_lists.h */
    struct word_list *word_list;    /* prepared likewise */
    struct object *object;     /* likewise */
    struct collection *index_filled; /* NULL, or one of an index: a change has filled its pending
                                        set. Of the command under way, which waits then */
    bool keeps_gone;           /* while a change is applied that indexes ask for afterwards */
    unsigned gone_count;
    struct object *gone[2];    /* what it took out, freed at its end: its key may be theirs */
    bool empties;              /* prepared likewise: what the key holds goes with its last entry */
    uint64_t fields_expire_ms; /* likewise: when the first of its fields expires; 0: never */
    struct buf scratch;        /* where values that change are made */
    struct tree_change tree;   /* prepared likewise, for the object that it makes grow */
    struct tree_edit edit;     /* instead of it */
    struct zset_edit zset_edit; /* instead of it and of the tree by member */
    struct object *grown;      /* NULL: none */
    struct object *in_place;   /* likewise: a list that the change itself changes; NULL: none */
    struct change_half half;   /* the first half of a change of two keys, likewise */
    struct tree_change members; /* the tree of a sorted set by member, prepared likewise */
    struct tree_ops hash_ops, list_ops, set_ops;
    struct tree_ops order_ops, member_ops; /* of sorted sets */
    uint32_t packed_count_max; /* larger values have nodes of their own */
    size_t packed_bytes_max;
    struct tree_graves graves; /* of large values that are gone: flush.h */
    struct dead_keys *dead;    /* flushed, and being freed: flush.h */
    struct io_timer dead_timer;
    struct io_timer epoch_timer; /* more is free than the loop should free in one go */
    bool follows;                /* records come from elsewhere: it makes none by itself */
    bool replaying;              /* what was let in once is not held against maxmemory again */
    bool has_losses;             /* replay, after a repair: what is missing may have been lost */
    /* Called before a change is applied; NULL: nobody asks. */
    void (*on_change)(void *user, const struct mutation *m);
    void *on_change_user;
    struct lane lane;                        /* for work on the loop itself */
    uint64_t vectors_added, vectors_removed; /* counters */
    uint64_t changes; /* keys and elements that were changed, each time one was */
};

void db_init(struct db *db, struct io *io, const struct db_options *options);
/* Every job has come back; drops what is left. Run the loop until db_idle before db_fini. */
void db_clear(struct db *db);
bool db_idle(const struct db *db);
void db_fini(struct db *db);

void db_begin(struct db *db);
void db_commit(struct db *db);

/* Sets aside memory, logs, applies. On error nothing has changed. *lsn: of the change. Outside of
 * db_begin and db_commit it is a record of its own. */
MUST_USE enum err db_write(struct db *db, const struct mutation *m, uint64_t *lsn, struct why *why);
/* Sets aside the memory that a put will need: the db_write after it can fail by the log alone. */
MUST_USE enum err db_reserve(struct db *db, const struct mutation *m, struct why *why);
/* Within db_begin and db_commit: until the record has grown by so many bytes, no db_write fails by
 * the log. ERR_NOMEM, ERR_LIMIT. */
MUST_USE enum err db_reserve_log(struct db *db, size_t size, struct why *why);
/* Removes the keys that are there, all of them or, on error, none. */
MUST_USE enum err db_remove_keys(struct db *db, const struct slice *keys, size_t count,
                                 size_t *removed, uint64_t *lsn, struct why *why);
/* Sets strings, or documents: a key, its value, a key ...; count is even. All of them or, on error,
 * none. */
MUST_USE enum err db_set_values(struct db *db, enum object_type type, const struct slice *pairs,
                                size_t count, uint64_t *lsn, struct why *why);
/* A record that was logged elsewhere, with the LSN it has there (the last one plus 1). ERR_CORRUPT:
 * it is none, and nothing has changed, or it does not fit the data. After an error in the midst of
 * a batch the data is good for nothing. Counts no memory against maxmemory: what was acknowledged
 * comes back whatever the option says now. */
MUST_USE enum err db_replay_record(struct db *db, struct slice bytes, uint64_t lsn,
                                   struct why *why);
/* The same, of a record that is one mutation. */
MUST_USE enum err db_replay(struct db *db, const struct mutation *m, uint64_t lsn, struct why *why);

/* The last record was played back. Until then, or until db_write is called, the database changes
 * nothing by itself: no element moves to another row. */
void db_replay_end(struct db *db);

/* Bytes in use, but for what is retired and about to be freed, and changes on their way to disk. */
size_t db_used_bytes(const struct db *db);
/* Would so many more bytes stay under maxmemory? With eviction on, part of what db_used_bytes
 * leaves out is left out here, too. */
bool db_has_room(const struct db *db, size_t bytes);

/* What a key holds at now_ms; NULL when there is no such key, or its time has passed. Changes are
 * prepared and applied to what the log says is there, which a mutation has to remove. */
struct object *db_find(struct db *db, struct slice key);

/* The collection at a key, likewise: NULL when there is no such key; ERR_TYPE when it holds another
 * type. */
MUST_USE enum err db_collection(struct db *db, struct slice key, struct collection **out);

/* The row of an element that is there at now_ms; ROW_NONE when there is none. */
uint32_t db_element(const struct db *db, const struct collection *c, struct slice id);

/* What a search started now reads. Take a guard of db->epoch with it. */
void db_view(struct db *db, struct collection *c, struct collection_view *out);

#endif
