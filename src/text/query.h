/* query.h: what is looked for in an index of texts: a tree whose leaves are words.
 *
 * Words are as text_tokenize makes them. Pure data; the tree is made by text_query_add, children
 * before their parent. */
#ifndef VDB_TEXT_QUERY_H
#define VDB_TEXT_QUERY_H

#include "base/buf.h"
#include "base/err.h"

enum text_kind {
    TEXT_NOTHING,
    TEXT_ALL,
    TEXT_TERM,
    TEXT_PREFIX,
    TEXT_SUFFIX,
    TEXT_INFIX,
    TEXT_WILDCARD, /* ? one letter, * any, \ takes the next as itself */
    TEXT_FUZZY,    /* edits: letters that are added, missing or others */
    TEXT_AND,
    TEXT_OR,
    TEXT_NOT,
    TEXT_OPTIONAL
};

#define TEXT_NO_NODE UINT32_MAX
enum { TEXT_NO_SLOP = -1, TEXT_EDITS_MAX = 3, TEXT_DEPTH_MAX = 400 /* of a tree */ };

struct text_node {
    enum text_kind kind;
    uint32_t child, next; /* the first child; the next of the same parent; TEXT_NO_NODE */
    size_t text_at, text_size;
    uint64_t fields; /* bits */
    double weight;
    int64_t slop;  /* TEXT_AND: words between, at most; TEXT_NO_SLOP: anywhere */
    bool in_order; /* TEXT_AND */
    uint8_t edits;
};

struct text_query {
    struct text_node *nodes;
    uint32_t count, capacity;
    uint32_t root;
    struct buf text; /* of all words */
};

void text_query_init(struct text_query *q);
void text_query_fini(struct text_query *q);
/* ERR_NOMEM. */
MUST_USE enum err text_query_add(struct text_query *q, enum text_kind kind, struct slice text,
                                 uint32_t *out);

static inline struct slice text_node_text(const struct text_query *q, const struct text_node *n)
{
    return (struct slice){n->text_size > 0 ? q->text.ptr + n->text_at : NULL, n->text_size};
}

#endif
