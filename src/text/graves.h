/* graves.h: memory that lanes may still read: freed when the epoch allows, many pieces at a time.
 * owner: loop. */
#ifndef VDB_TEXT_GRAVES_H
#define VDB_TEXT_GRAVES_H

#include "base/epoch.h"
#include "base/mem.h"

struct text_grave;

struct text_graves {
    struct epoch *epoch;
    struct text_grave *open; /* not deferred yet */
};

/* ptr (MEM_TEXT) is out of sight of whoever comes later. */
void text_graves_add(struct text_graves *g, void *ptr);
/* Hands over what has gathered: after each change. */
void text_graves_close(struct text_graves *g);

#endif
