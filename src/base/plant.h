/* plant.h: bugs that tests plant, to see that they would be found (tests/sim/README.md).
 *
 * Only a build with VDB_PLANTS has them: everywhere else PLANTED() is false, and the compiler drops
 * what depends on it. */
#ifndef VDB_BASE_PLANT_H
#define VDB_BASE_PLANT_H

#include <stdbool.h>

/* bug, what is wrong */
#define PLANT_LIST(X)                                                                              \
    X(PLANT_ACK_EARLY, "a reply leaves before its record is synced")                               \
    X(PLANT_READS_EARLY, "replies of reads do not wait for what they saw")                         \
    X(PLANT_SYNC_RARELY, "everysec syncs every half a minute")                                     \
    X(PLANT_SYNC_AGAIN, "a sync that failed is tried again on the same file")                      \
    X(PLANT_WRITE_IGNORED, "a write that failed counts as written")                                \
    X(PLANT_REWRITE_TOO_LITTLE, "after a failure only what was not written is written again")      \
    X(PLANT_ROTATE_UNSYNCED, "a segment is followed by another before it is synced")               \
    X(PLANT_NO_DIR_SYNC, "the name of a new segment is not synced")                                \
    X(PLANT_DURABLE_LSN, "records claim that what was only written is durable")                    \
    X(PLANT_NOTE_EARLY, "the note claims what was not synced")                                     \
    X(PLANT_RECORD_CRC, "the checksum of a record is not looked at")                               \
    X(PLANT_ALWAYS_TORN, "a log that ends too early counts as torn, whatever is claimed")          \
    X(PLANT_LAST_RECORD, "recovery drops the last record in silence")                              \
    X(PLANT_STALE_SEGMENT, "later generations do not supersede what a segment holds")              \
    X(PLANT_RECOVERED_UNSYNCED, "what recovery has read is served before it is synced")            \
    X(PLANT_BATCH_SPLIT, "what a transaction changes is several records")                          \
    X(PLANT_NEW_WHILE_LOADING, "keys expire and rows move while the log is replayed")              \
    X(PLANT_MANIFEST_FIRST, "the manifest is written before its packs are synced")                 \
    X(PLANT_MANIFEST_UNSYNCED, "the manifest is renamed before it is synced")                      \
    X(PLANT_SEGMENTS_TOO_MANY, "a snapshot removes segments that are needed behind it")            \
    X(PLANT_SNAPSHOT_LSN, "the record after the snapshot is not replayed")                         \
    X(PLANT_CHUNK_CRC, "the checksum of a chunk is not looked at")                                 \
    X(PLANT_CHUNK_KEPT, "a chunk of equal size counts as unchanged")                               \
    X(PLANT_LINKS_UNCHECKED, "links of a snapshot are taken as they are")                          \
    X(PLANT_ATTRIBUTES_NOT_HELD, "an attribute that changes under a snapshot is not kept for it")

enum plant {
    PLANT_NONE,
#define X(plant, text) plant,
    PLANT_LIST(X)
#undef X
        PLANT_COUNT
};

#ifdef VDB_PLANTS
extern enum plant plant_chosen; /* the tests' */
#define PLANTED(plant) (plant_chosen == (plant))
#else
#define PLANTED(plant) ((void)(plant), false)
#endif

#endif
