/* resume.h: how far an import is, in a small file beside its input, so that one that was
 * interrupted goes on where it stopped.
 *
 * What is noted is what the server had acknowledged a few seconds before, since a server that syncs
 * its log every second may have lost what is younger when its machine went down. Rows that are sent
 * twice replace themselves. The note counts for this input only: its size, its time, its key. */
#ifndef VDB_TOOL_RESUME_H
#define VDB_TOOL_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* How far, and what came of it. */
struct load_mark {
    uint64_t rows; /* of the input, answered by the server */
    uint64_t added, replaced, refused;
    uint64_t bad; /* lines passed over */
};

/* owner: caller */
struct resume {
    const char *path; /* NULL: nothing is noted */
    const char *key;
    uint64_t size, time_ns; /* of the input */
    double delay_s;
    struct load_mark saved; /* where to go on */
    struct load_mark next;  /* will be saved when it is old enough */
    double next_s;
    bool unwritable;
};

/* Reads the note at path, if it is about this input; found: there is one. ERR_IO: the input cannot
 * be looked at. */
MUST_USE enum err resume_open(struct resume *r, const char *path, const char *input,
                              const char *key, double delay_s, bool *found, struct why *why);
/* It is that far now. false, once: the note cannot be written. */
MUST_USE bool resume_note(struct resume *r, const struct load_mark *mark, double now_s);
/* Nothing is left to do. */
void resume_done(struct resume *r);

#endif
