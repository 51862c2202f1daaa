/* texts.h: a list of byte strings, ids for example, in one piece of memory. */
#ifndef VDB_TOOL_TEXTS_H
#define VDB_TOOL_TEXTS_H

#include "base/buf.h"
#include "base/slice.h"

/* owner: caller */
struct texts {
    struct buf bytes;
    struct buf ends; /* of size_t: where each text ends in bytes */
};

void texts_init(struct texts *t);
void texts_fini(struct texts *t);
void texts_clear(struct texts *t);
/* Memory that is missing shows in texts_failed, as in a struct buf. */
void texts_add(struct texts *t, struct slice text);
bool texts_failed(const struct texts *t);
size_t texts_count(const struct texts *t);
/* Valid until the next texts_add. */
struct slice texts_at(const struct texts *t, size_t index);

#endif
