/* data_folder.h: a small data folder in memory, written with the server's own encoders, and flawed
 * on demand in ways that no server writes: every checksum is right, what it covers is not. */
#ifndef VDB_TESTS_LIB_DATA_FOLDER_H
#define VDB_TESTS_LIB_DATA_FOLDER_H

#include "base/io.h"
#include "persist/manifest.h"

/* flaw, a word of what vdb check says of it */
#define FLAW_LIST(X)                                                                               \
    X(FLAW_NONE, "")                                                                               \
    X(FLAW_KEY_TWICE, "same key")                                                                  \
    X(FLAW_KEY_PLACE, "place")                                                                     \
    X(FLAW_KEY_COUNT, "keys in place of")                                                          \
    X(FLAW_UID_TWICE, "same collection")                                                           \
    X(FLAW_UID_UNKNOWN, "uid")                                                                     \
    X(FLAW_KEY_MISSING, "no key holds")                                                            \
    X(FLAW_ID_TWICE, "same id")                                                                    \
    X(FLAW_SMALL_ID_TWICE, "same id")                                                              \
    X(FLAW_ROW_WITHOUT_CONTENTS, "contents")                                                       \
    X(FLAW_ROW_BEHIND_END, "their index")                                                          \
    X(FLAW_ATTRIBUTE_OF_NO_ROW, "attribute of a row")                                              \
    X(FLAW_LIVE_COUNT, "where the manifest says")                                                  \
    X(FLAW_ATTRIBUTE_COUNT, "attributes where")                                                    \
    X(FLAW_NOT_FINITE, "not finite")                                                               \
    X(FLAW_LINKS_TOO_MANY, "room for")                                                             \
    X(FLAW_LINKS_OF_NO_ROW, "has links")                                                           \
    X(FLAW_HEAP_BYTES, "bytes of ids")                                                             \
    X(FLAW_VECTOR_SIZE, "another size")                                                            \
    X(FLAW_OTHER_INDEX, "their index")                                                             \
    X(FLAW_HASH, "hash")                                                                           \
    X(FLAW_PACK_MISSING, "missing")                                                                \
    X(FLAW_PACK_LONG, "bytes, and")                                                                \
    X(FLAW_MANIFEST_NAME, "wrong name")                                                            \
    X(FLAW_RECORD_IS_NONE, "not a mutation")                                                       \
    X(FLAW_LSN_MISSING, "stand nowhere")                                                           \
    X(FLAW_OTHER_HISTORY, "another record")

enum flaw {
#define X(flaw, word) flaw,
    FLAW_LIST(X)
#undef X
        FLAW_COUNT
};

const char *flaw_name(enum flaw flaw);
const char *flaw_word(enum flaw flaw);

enum { DATA_FILES_MAX = 12, DATA_NAME_SIZE = 48, DATA_ELEMENTS = 69, DATA_SMALL_ELEMENTS = 3 };

struct data_file {
    char name[DATA_NAME_SIZE];
    struct buf bytes;
};

/* Three keys: a string, a small set, and a collection that has left its slab; a snapshot at LSN 2;
 * log records 1 to 4 in two segments. io serves reading. */
struct data_folder {
    struct io io;
    struct data_file files[DATA_FILES_MAX];
    size_t count;
};

void data_folder_make(struct data_folder *d, enum flaw flaw);
void data_folder_free(struct data_folder *d);
struct data_file *data_folder_file(struct data_folder *d, const char *suffix);

#endif
