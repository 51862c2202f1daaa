#include "text/query.h"

#include "base/mem.h"

void text_query_init(struct text_query *q)
{
    *q = (struct text_query){.root = TEXT_NO_NODE, .text = BUF_INIT(MEM_SCRATCH)};
}

void text_query_fini(struct text_query *q)
{
    mem_free(MEM_SCRATCH, q->nodes);
    buf_fini(&q->text);
    *q = (struct text_query){.root = TEXT_NO_NODE};
}

enum err text_query_add(struct text_query *q, enum text_kind kind, struct slice text, uint32_t *out)
{
    enum { FIRST = 8 };
    if (q->count == q->capacity) {
        uint32_t capacity = q->capacity == 0 ? FIRST : 2 * q->capacity;
        struct text_node *nodes = mem_try_realloc(MEM_SCRATCH, q->nodes, capacity * sizeof(*nodes));
        if (nodes == NULL)
            return ERR_NOMEM;
        q->nodes = nodes;
        q->capacity = capacity;
    }
    *out = q->count++;
    q->nodes[*out] = (struct text_node){.kind = kind,
                                        .child = TEXT_NO_NODE,
                                        .next = TEXT_NO_NODE,
                                        .text_at = q->text.len,
                                        .text_size = text.len,
                                        .fields = UINT64_MAX,
                                        .weight = 1,
                                        .slop = TEXT_NO_SLOP};
    buf_append_slice(&q->text, text);
    return buf_failed(&q->text) ? ERR_NOMEM : OK;
}
