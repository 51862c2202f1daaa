/* Do the words of an AND stand near each other? Asked of the documents that have them all. */
#include <stdlib.h>

#include "text/match_own.h"

/* A word of the query and where it stands in the document at hand. */
struct part {
    uint32_t first, end; /* of cursors */
    uint64_t *places;
    size_t count, capacity, at;
};

struct nearness {
    struct text_matching *m;
    struct part *parts;
    size_t part_count;
    struct text_cursor *cursors;
    uint64_t *fields; /* by cursor */
    size_t cursor_count;
};

static int by_place(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* -- what takes part --------------------------------------------------------------------------- */

static bool has_terms(const struct text_matching *m, uint32_t node)
{
    return m->leaves[node].terms != NULL;
}

/* The leaves below each child: words that are to be there. */
static void each_leaf(struct nearness *near, const struct text_node *n,
                      void (*fn)(struct nearness *near, size_t part, uint32_t leaf))
{
    const struct text_node *nodes = near->m->query->nodes;
    uint32_t ways[TEXT_DEPTH_MAX]; /* where to go on, level by level */
    size_t part = 0;
    for (uint32_t c = n->child; c != TEXT_NO_NODE; c = nodes[c].next, part++) {
        size_t depth = 1;
        ways[0] = c;
        while (depth > 0) {
            uint32_t at = ways[depth - 1];
            ways[depth - 1] = depth == 1 ? TEXT_NO_NODE : nodes[at].next;
            depth -= ways[depth - 1] == TEXT_NO_NODE;
            if (nodes[at].kind == TEXT_NOT || nodes[at].kind == TEXT_OPTIONAL)
                continue;
            if (has_terms(near->m, at))
                fn(near, part, at);
            CHECK(depth < TEXT_DEPTH_MAX);
            if (nodes[at].child != TEXT_NO_NODE)
                ways[depth++] = nodes[at].child;
        }
    }
}

static void count_leaf(struct nearness *near, size_t part, uint32_t leaf)
{
    (void)part;
    near->cursor_count += near->m->leaves[leaf].count;
}

static void open_leaf(struct nearness *near, size_t part, uint32_t leaf)
{
    const struct text_view *v = near->m->view;
    const struct text_leaf_terms *l = &near->m->leaves[leaf];
    struct part *p = &near->parts[part];
    if (p->first == p->end)
        p->first = p->end = (uint32_t)near->cursor_count;
    for (uint32_t i = 0; i < l->count; i++) {
        struct text_cursor *c = &near->cursors[near->cursor_count];
        text_cursor_open(c, l->terms[i], &v->index->format, v->end);
        near->fields[near->cursor_count++] =
            v->index->format.fields ? near->m->query->nodes[leaf].fields : UINT64_MAX;
        p->end++;
    }
}

static bool open_parts(struct nearness *near, const struct text_node *n)
{
    const struct text_node *nodes = near->m->query->nodes;
    for (uint32_t c = n->child; c != TEXT_NO_NODE; c = nodes[c].next)
        near->part_count++;
    each_leaf(near, n, count_leaf);
    near->parts = mem_try_calloc(MEM_SCRATCH, (near->part_count + 1) * sizeof(*near->parts));
    near->cursors = mem_try(MEM_SCRATCH, (near->cursor_count + 1) * sizeof(*near->cursors));
    near->fields = mem_try(MEM_SCRATCH, (near->cursor_count + 1) * sizeof(*near->fields));
    if (near->parts == NULL || near->cursors == NULL || near->fields == NULL)
        return false;
    near->cursor_count = 0;
    each_leaf(near, n, open_leaf);
    /* Parts without a word (-a, ~a) say nothing of places. */
    size_t kept = 0;
    for (size_t i = 0; i < near->part_count; i++)
        if (near->parts[i].end > near->parts[i].first)
            near->parts[kept++] = near->parts[i];
    near->part_count = kept;
    return true;
}

static void close_parts(struct nearness *near)
{
    for (size_t i = 0; near->parts != NULL && i < near->part_count; i++)
        mem_free(MEM_SCRATCH, near->parts[i].places);
    mem_free(MEM_SCRATCH, near->parts);
    mem_free(MEM_SCRATCH, near->cursors);
    mem_free(MEM_SCRATCH, near->fields);
}

/* -- a document -------------------------------------------------------------------------------- */

static bool read_part(struct nearness *near, struct part *p, uint64_t version)
{
    unsigned from = 0;
    p->count = p->at = 0;
    for (uint32_t i = p->first; i < p->end; i++) {
        struct text_cursor *c = &near->cursors[i];
        if (!text_cursor_seek(c, version) || c->version != version)
            continue;
        if (p->count + c->place_size > p->capacity) {
            size_t capacity = 2 * (p->count + c->place_size);
            uint64_t *places = mem_try_realloc(MEM_SCRATCH, p->places, capacity * sizeof(*places));
            if (places == NULL) {
                near->m->failed = true;
                return false;
            }
            p->places = places;
            p->capacity = capacity;
        }
        size_t count = text_cursor_places(c, near->fields[i], p->places + p->count);
        from += count > 0;
        p->count += count;
    }
    if (from > 1)
        qsort(p->places, p->count, sizeof(*p->places), by_place);
    return p->count > 0;
}

/* For each place of the first word, the first of the next behind it, and so on: no other choice
 * ends sooner. */
static bool stands_in_order(struct nearness *near, uint64_t most)
{
    struct part *first = &near->parts[0];
    for (; first->at < first->count; first->at++) {
        uint64_t last = first->places[first->at];
        for (size_t i = 1; i < near->part_count; i++) {
            struct part *p = &near->parts[i];
            while (p->at < p->count && p->places[p->at] <= last)
                p->at++;
            if (p->at == p->count)
                return false;
            last = p->places[p->at];
        }
        if (last - first->places[first->at] - (near->part_count - 1) <= most)
            return true;
    }
    return false;
}

/* The narrowest window with a place of each: the least is left behind, one after the other. */
static bool stands_near(struct nearness *near, uint64_t most)
{
    for (;;) {
        struct part *least = &near->parts[0];
        uint64_t low = UINT64_MAX, high = 0;
        for (size_t i = 0; i < near->part_count; i++) {
            uint64_t place = near->parts[i].places[near->parts[i].at];
            if (place < low) {
                low = place;
                least = &near->parts[i];
            }
            high = place > high ? place : high;
        }
        uint64_t span = high - low, taken = near->part_count - 1;
        if (span <= most || span - most <= taken)
            return true;
        if (++least->at == least->count)
            return false;
    }
}

size_t text_keep_near(struct text_matching *m, const struct text_node *n, uint32_t *docs,
                      float *scores, size_t count)
{
    struct nearness near = {.m = m};
    size_t kept = 0;
    if (!m->view->index->format.positions || count == 0)
        return count;
    if (!open_parts(&near, n))
        m->failed = true;
    for (size_t i = 0; i < count && !text_gives_up(m); i++) {
        uint64_t version = text_version_number(m->view, docs[i]);
        bool all = true;
        for (size_t j = 0; all && j < near.part_count; j++)
            all = read_part(&near, &near.parts[j], version);
        uint64_t most = n->slop > 0 ? (uint64_t)n->slop : 0;
        if (near.part_count >= 2)
            all = all && (n->in_order ? stands_in_order(&near, most) : stands_near(&near, most));
        if (!all)
            continue;
        docs[kept] = docs[i];
        scores[kept++] = scores[i];
    }
    close_parts(&near);
    return kept;
}
