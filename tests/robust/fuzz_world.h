/* fuzz_world.h: a server with some data of every kind, and one made-up command after the other for
 * it. What each leads to is judged by what holds for all: it is answered in its protocol; an error
 * changes nothing. */
#ifndef VDB_TESTS_ROBUST_FUZZ_WORLD_H
#define VDB_TESTS_ROBUST_FUZZ_WORLD_H

#include "robust/grammar.h"
#include "robust/rig.h"

struct fuzz_world {
    struct rig rig;
    struct grammar grammar;
    size_t used[MEM_TAG_COUNT];
};

enum fuzz_result { FUZZ_OK, FUZZ_ERROR, FUZZ_CLOSED, FUZZ_SILENT, FUZZ_QUEUED };

void fuzz_begin(struct fuzz_world *w, const struct targets *targets, int proto,
                struct chance chance);
/* Makes a command and runs it. NULL, or what is wrong; the words are in w->grammar. */
const char *fuzz_command(struct fuzz_world *w, const struct command *command,
                         const struct target *must, enum fuzz_result *result);
/* NULL, or what is wrong: books that do not agree, memory left behind. */
const char *fuzz_end(struct fuzz_world *w);

#endif
