#include "index/scratch.h"

#include <string.h>

/* owner: the lane */
struct scratch {
    void *ptr[SCRATCH_USE_COUNT];
    size_t size[SCRATCH_USE_COUNT];
};

static void scratch_free(void *opaque)
{
    struct scratch *s = opaque;
    for (unsigned i = 0; i < SCRATCH_USE_COUNT; i++)
        mem_free(MEM_SCRATCH, s->ptr[i]);
    mem_free(MEM_SCRATCH, s);
}

void *scratch_get(struct lane *lane, enum scratch_use use, size_t size)
{
    CHECK(use < SCRATCH_USE_COUNT);
    if (lane->scratch == NULL) {
        lane->scratch = mem_try_calloc(MEM_SCRATCH, sizeof(struct scratch));
        lane->scratch_free = scratch_free;
        if (lane->scratch == NULL)
            return NULL;
    }
    struct scratch *s = lane->scratch;
    CHECK((s->ptr[use] == NULL) == (s->size[use] == 0));
    if (s->size[use] >= size)
        return s->ptr[use];
    size_t grown = size + size / 2;
    void *ptr = mem_try_aligned(MEM_SCRATCH, 64, grown);
    if (ptr == NULL)
        return NULL;
    memset(ptr, 0, grown);
    mem_free(MEM_SCRATCH, s->ptr[use]);
    s->ptr[use] = ptr;
    s->size[use] = grown;
    return ptr;
}
