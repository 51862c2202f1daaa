/* grammar.h: commands made up from the tables that the server parses them by: every option of every
 * command, with values that are valid, at the edge of it, or garbage. */
#ifndef VDB_TESTS_ROBUST_GRAMMAR_H
#define VDB_TESTS_ROBUST_GRAMMAR_H

#include "base/buf.h"
#include "cmd/command.h"
#include "robust/chance.h"

enum { GRAMMAR_WORDS_MAX = 400, GRAMMAR_USED_MAX = 64, GRAMMAR_DIM = 4, GRAMMAR_DUMPS = 2 };

/* Something a client may say: an option of a command, an argument that may be missing, or one of
 * the words that an argument's name lists ("on|off"). */
struct target {
    const struct command *command;
    const struct arg *arg;
    int word; /* which of the name; -1: the argument itself */
};

/* All of them; immutable. */
struct targets {
    struct target *list;
    size_t count;
};

struct targets targets_all(void);
void targets_free(struct targets *t);
/* "vadd SETATTR", "client|reply on|off|skip: skip" */
const char *target_text(const struct target *t, char *text, size_t size);

/* What the values come from. */
struct grammar {
    const struct targets *targets;
    struct chance chance;
    struct buf dumps[GRAMMAR_DUMPS]; /* what DUMP has replied, for RESTORE */
    /* The command made last. */
    struct buf bytes;
    size_t at[GRAMMAR_WORDS_MAX], len[GRAMMAR_WORDS_MAX], count;
    struct slice words[GRAMMAR_WORDS_MAX];
    size_t used[GRAMMAR_USED_MAX], used_count; /* targets in it */
    unsigned garbage;                          /* of a hundred values: none of their kind */
    unsigned edges;                            /* of a hundred values: at a limit, or past it */
    size_t last_count; /* what the last count was, as blobs and lists go with it */
    const char *type;  /* of vectors, which the blob that comes has: "FP32" */
    const char *aim;   /* the type that must be in the command, or NULL */
    unsigned depth;
};

/* Makes a command; must: what has to be in it, or NULL. The words are in g->words. */
void grammar_make(struct grammar *g, const struct command *command, const struct target *must);
void grammar_free(struct grammar *g);

#endif
