/* script.h: sequences of commands to run: the recorded cases of redis-compat/cases, and files of
 * the same form without replies (tests/robust/scripts). */
#ifndef VDB_TESTS_ROBUST_SCRIPT_H
#define VDB_TESTS_ROBUST_SCRIPT_H

#include "base/buf.h"
#include "robust/rig.h"

/* One command. */
struct step {
    struct slice *argv;
    size_t argc;
    unsigned client;  /* below RIG_CLIENTS */
    bool raw;         /* argv[0] is bytes as they are */
    uint64_t wait_ms; /* before it */
    unsigned line;    /* where it stands */
};

/* A section: it starts from an empty keyspace with new connections. */
struct script {
    char place[64]; /* file, and line of the title */
    struct step *steps;
    size_t count;
};

struct scripts {
    struct script *list;
    size_t count;
    struct buf *texts; /* what the words point into, one a file */
    size_t text_count;
};

/* Adds the sections of every *.txt of a folder, in the order of their names. */
void scripts_read(struct scripts *s, const char *folder);
void scripts_free(struct scripts *s);

/* Runs steps from .. to - 1; false when one is not answered as a server should: with bytes that are
 * no reply. Silence and closed connections are part of the cases. */
bool script_run(const struct script *s, size_t from, size_t to, struct rig *r);
/* Runs one. */
enum answer step_run(const struct step *step, struct rig *r, struct buf *reply);
/* The words of a step as a person writes them, cut at size. */
const char *step_text(const struct step *step, char *text, size_t size);

#endif
