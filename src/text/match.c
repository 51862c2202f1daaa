/* From leaves to root, with a stack of its own in place of recursion.
 *
 * A part of an AND is asked for the documents that match among those that are left (`within`); a
 * part of an OR, among those its parent was asked for. NOT and OPTIONAL are parts of an AND; where
 * they stand elsewhere they are the only part of one that begins with all documents. */
#include <stdlib.h>

#include "text/match_own.h"

/* Documents in ascending order: places among the chunks of the view. */
struct list {
    uint32_t *docs;
    float *scores;
    size_t count, capacity;
};

#define NO_FRAME UINT32_MAX

struct frame {
    uint32_t node;
    uint32_t at, end; /* of order: children that are still to be asked */
    uint32_t within;  /* the frame whose `found` limits it; NO_FRAME: all documents */
    uint8_t part;     /* enum part: what its parent does with it */
    bool started;     /* AND: found has what matched so far */
    struct list found;
    struct list *runs; /* OR: lists still to be merged, each longer than the next */
    uint32_t run_count;
};

enum part { PART_MUST, PART_OPTIONAL, PART_NOT };

struct machine {
    struct text_matching m;
    struct frame *frames;
    uint32_t depth, capacity;
    uint32_t *order;       /* children of each node, one after the other */
    uint32_t *order_first; /* by node; one more at the end */
    uint64_t *weight;      /* by node: how many documents, about */
    struct list result;    /* of the frame that ended last */
};

enum { RUNS_MAX = 64, LOOK_EVERY = 2048 };

bool text_gives_up(struct text_matching *m)
{
    if (++m->looked % LOOK_EVERY == 0 && m->ask->stops != NULL && m->ask->stops(m->ask->user))
        m->stopped = true;
    return m->stopped || m->failed;
}

void text_view(const struct text_index *x, uint64_t lsn, size_t collection, struct text_view *out)
{
    const struct text_documents *d = &x->documents;
    CHECK(collection < d->collection_count);
    *out = (struct text_view){.index = x,
                              .chunks = d->chunks,
                              .chunk_count = d->chunk_count,
                              .end = d->next,
                              .lsn = lsn,
                              .alive = d->alive,
                              .length = d->length,
                              .slots = d->slots,
                              .rows = d->rows[collection]};
}

/* -- lists ------------------------------------------------------------------------------------- */

static void list_free(struct list *l)
{
    mem_free(MEM_SCRATCH, l->docs);
    mem_free(MEM_SCRATCH, l->scores);
    *l = (struct list){0};
}

static bool list_reserve(struct text_matching *m, struct list *l, size_t capacity)
{
    if (capacity <= l->capacity)
        return true;
    if (capacity < 2 * l->capacity)
        capacity = 2 * l->capacity;
    uint32_t *docs = mem_try_realloc(MEM_SCRATCH, l->docs, capacity * sizeof(*docs));
    if (docs != NULL)
        l->docs = docs;
    float *scores =
        docs == NULL ? NULL : mem_try_realloc(MEM_SCRATCH, l->scores, capacity * sizeof(*scores));
    if (scores == NULL) {
        m->failed = true;
        return false;
    }
    l->scores = scores;
    l->capacity = capacity;
    return true;
}

static bool list_add(struct text_matching *m, struct list *l, uint32_t doc, float score)
{
    enum { FIRST = 16 };
    if (l->count == l->capacity && !list_reserve(m, l, l->count < FIRST ? FIRST : 2 * l->count))
        return false;
    l->docs[l->count] = doc;
    l->scores[l->count++] = score;
    return true;
}

/* The first of the list's documents from `from` on that is not below doc: by steps that double. */
static size_t list_find(const struct list *l, size_t from, uint32_t doc)
{
    size_t step = 1, low = from, high = from;
    while (high < l->count && l->docs[high] < doc) {
        low = high + 1;
        high += step;
        step *= 2;
    }
    if (high > l->count)
        high = l->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (l->docs[middle] < doc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Both, into a; b is freed. */
static void list_union(struct text_matching *m, struct list *a, struct list *b)
{
    struct list out = {0};
    bool best = m->ask->scorer == TEXT_DISMAX;
    size_t i = 0, j = 0;
    if (list_reserve(m, &out, a->count + b->count)) {
        while (i < a->count || j < b->count) {
            bool left = j == b->count || (i < a->count && a->docs[i] <= b->docs[j]);
            bool right = i == a->count || (j < b->count && b->docs[j] <= a->docs[i]);
            float x = left ? a->scores[i] : 0, y = right ? b->scores[j] : 0;
            out.docs[out.count] = left ? a->docs[i] : b->docs[j];
            out.scores[out.count++] = best ? (x > y ? x : y) : x + y;
            i += left;
            j += right;
        }
    }
    list_free(a);
    list_free(b);
    *a = out;
}

/* part is some of all: those that match as well (PART_MUST), may (PART_OPTIONAL), or do not. */
static void list_combine(struct list *all, struct list *part, enum part how)
{
    size_t at = 0, kept = 0;
    for (size_t i = 0; i < part->count; i++) {
        size_t found = list_find(all, at, part->docs[i]);
        CHECK(found < all->count && all->docs[found] == part->docs[i]);
        if (how == PART_MUST) {
            all->docs[kept] = part->docs[i];
            all->scores[kept++] = all->scores[found] + part->scores[i];
        } else if (how == PART_OPTIONAL) {
            all->scores[found] += part->scores[i];
        } else {
            memmove(all->docs + kept, all->docs + at, (found - at) * sizeof(*all->docs));
            memmove(all->scores + kept, all->scores + at, (found - at) * sizeof(*all->scores));
            kept += found - at;
        }
        at = found + 1;
    }
    if (how == PART_NOT) {
        memmove(all->docs + kept, all->docs + at, (all->count - at) * sizeof(*all->docs));
        memmove(all->scores + kept, all->scores + at, (all->count - at) * sizeof(*all->scores));
        kept += all->count - at;
    }
    if (how != PART_OPTIONAL)
        all->count = kept;
    list_free(part);
}

/* -- leaves ------------------------------------------------------------------------------------ */

bool text_find_version(const struct text_view *v, uint64_t version, uint32_t *chunk, uint32_t *out)
{
    uint64_t id = version / TEXT_CHUNK;
    uint32_t low = *chunk, high = v->chunk_count;
    if (low < high && v->chunks->of[low]->id < id) {
        low++;
        if (low < high && v->chunks->of[low]->id < id) {
            low++;
            while (low < high) {
                uint32_t middle = (low + high) / 2;
                if (v->chunks->of[middle]->id < id)
                    low = middle + 1;
                else
                    high = middle;
            }
        }
    }
    *chunk = low;
    if (low == v->chunk_count || v->chunks->of[low]->id != id)
        return false;
    *out = low * TEXT_CHUNK + (uint32_t)(version % TEXT_CHUNK);
    return true;
}

static void take_record(struct machine *x, const struct text_node *n, const struct text_cursor *c,
                        double idf, uint32_t doc, struct list *out)
{
    const struct text_view *v = x->m.view;
    const struct text_version *version = text_doc(v, doc);
    if (text_version_death(version) <= v->lsn)
        return;
    uint64_t fields = v->index->format.fields ? n->fields : UINT64_MAX;
    if ((c->fields & fields) == 0)
        return;
    double score =
        x->m.ask->scores ? text_term_score(&x->m, idf, c->frequency, version) * n->weight : 0;
    (void)list_add(&x->m, out, doc, (float)score);
}

static void read_all(struct machine *x, const struct text_node *n, struct text_cursor *c,
                     double idf, struct list *out)
{
    uint32_t chunk = 0, doc;
    while (text_cursor_next(c) && !text_gives_up(&x->m))
        if (text_find_version(x->m.view, c->version, &chunk, &doc))
            take_record(x, n, c, idf, doc, out);
}

static void read_within(struct machine *x, const struct text_node *n, struct text_cursor *c,
                        double idf, const struct list *within, struct list *out)
{
    const struct text_view *v = x->m.view;
    uint32_t chunk = 0, doc;
    for (size_t i = 0; i < within->count && !text_gives_up(&x->m);) {
        uint64_t wanted = text_version_number(v, within->docs[i]);
        if (!text_cursor_seek(c, wanted))
            return;
        if (c->version == wanted) {
            take_record(x, n, c, idf, within->docs[i], out);
            i++;
        } else {
            bool there = text_find_version(v, c->version, &chunk, &doc);
            i = list_find(within, i + 1, there ? doc : chunk * TEXT_CHUNK);
        }
    }
}

/* A list joins those of an OR: as in a merge sort, so that each is merged a logarithm of times. */
static void push_run(struct text_matching *m, struct list *runs, uint32_t *count, struct list *l)
{
    runs[(*count)++] = *l;
    *l = (struct list){0};
    while (*count >= 2 &&
           (runs[*count - 2].count <= 2 * runs[*count - 1].count || *count == RUNS_MAX)) {
        list_union(m, &runs[*count - 2], &runs[*count - 1]);
        --*count;
    }
}

static void merge_runs(struct text_matching *m, struct list *runs, uint32_t *count,
                       struct list *out)
{
    for (; *count >= 2; --*count)
        list_union(m, &runs[*count - 2], &runs[*count - 1]);
    *out = *count == 1 ? runs[0] : (struct list){0};
    *count = 0;
}

static void read_leaf(struct machine *x, uint32_t node, const struct list *within)
{
    const struct text_node *n = &x->m.query->nodes[node];
    const struct text_leaf_terms *l = &x->m.leaves[node];
    struct list runs[RUNS_MAX + 1];
    uint32_t count = 0;
    for (uint32_t i = 0; i < l->count; i++) {
        struct text_cursor c;
        struct list one = {0};
        text_cursor_open(&c, l->terms[i], &x->m.view->index->format, x->m.view->end);
        if (within == NULL)
            read_all(x, n, &c, l->idf[i], &one);
        else
            read_within(x, n, &c, l->idf[i], within, &one);
        push_run(&x->m, runs, &count, &one);
    }
    merge_runs(&x->m, runs, &count, &x->result);
}

/* Every document, or those of a list, with no score yet. */
static void all_within(struct machine *x, const struct list *within, struct list *out)
{
    const struct text_view *v = x->m.view;
    if (within != NULL) {
        if (!list_reserve(&x->m, out, within->count + 1))
            return;
        memcpy(out->docs, within->docs, within->count * sizeof(*out->docs));
        memset(out->scores, 0, within->count * sizeof(*out->scores));
        out->count = within->count;
        return;
    }
    if (!list_reserve(&x->m, out, (size_t)v->alive + 1))
        return;
    for (uint32_t i = 0; i < v->chunk_count && !text_gives_up(&x->m); i++) {
        const struct text_chunk *chunk = v->chunks->of[i];
        for (uint32_t j = 0; j < TEXT_CHUNK; j++) {
            if (chunk->id * TEXT_CHUNK + j >= v->end)
                break;
            if (text_version_death(&chunk->versions[j]) > v->lsn)
                (void)list_add(&x->m, out, i * TEXT_CHUNK + j, 0);
        }
    }
}

/* -- inner nodes ------------------------------------------------------------------------------- */

static const struct list *within_of(const struct machine *x, uint32_t frame)
{
    return frame == NO_FRAME ? NULL : &x->frames[frame].found;
}

static bool push(struct machine *x, uint32_t node, uint32_t within, enum part part)
{
    enum { FIRST = 16 };
    if (x->depth == x->capacity) {
        uint32_t capacity = x->capacity == 0 ? FIRST : 2 * x->capacity;
        struct frame *frames = mem_try_realloc(MEM_SCRATCH, x->frames, capacity * sizeof(*frames));
        if (frames == NULL) {
            x->m.failed = true;
            return false;
        }
        x->frames = frames;
        x->capacity = capacity;
    }
    struct frame *f = &x->frames[x->depth++];
    *f = (struct frame){.node = node, .within = within, .part = (uint8_t)part};
    f->at = x->order_first[node];
    f->end = x->order_first[node + 1];
    if (x->m.query->nodes[node].kind == TEXT_OR && f->end > f->at) {
        f->runs = mem_try(MEM_SCRATCH, (RUNS_MAX + 1) * sizeof(*f->runs));
        x->m.failed |= f->runs == NULL;
    }
    return !x->m.failed;
}

static bool is_leaf(enum text_kind kind)
{
    return kind >= TEXT_TERM && kind <= TEXT_FUZZY;
}

/* A child's list, in x->result, is taken by the frame on top. */
static void take_result(struct machine *x, enum part part)
{
    struct frame *f = &x->frames[x->depth - 1];
    if (x->m.query->nodes[f->node].kind == TEXT_OR) {
        push_run(&x->m, f->runs, &f->run_count, &x->result);
    } else if (f->started) {
        list_combine(&f->found, &x->result, part);
    } else {
        CHECK(part == PART_MUST);
        f->found = x->result;
        f->started = true;
    }
    x->result = (struct list){0};
}

static enum part part_of(enum text_kind kind)
{
    return kind == TEXT_NOT ? PART_NOT : kind == TEXT_OPTIONAL ? PART_OPTIONAL : PART_MUST;
}

static void end_frame(struct machine *x)
{
    struct frame *f = &x->frames[--x->depth];
    const struct text_node *n = &x->m.query->nodes[f->node];
    enum part part = (enum part)f->part;
    if (n->kind == TEXT_OR)
        merge_runs(&x->m, f->runs, &f->run_count, &f->found);
    mem_free(MEM_SCRATCH, f->runs);
    if (n->kind == TEXT_AND && n->slop != TEXT_NO_SLOP)
        f->found.count = text_keep_near(&x->m, n, f->found.docs, f->found.scores, f->found.count);
    for (size_t i = 0; n->weight != 1 && i < f->found.count; i++)
        f->found.scores[i] *= (float)n->weight;
    x->result = f->found;
    if (x->depth > 0)
        take_result(x, part);
}

/* One child more of the frame on top, or its end. */
static void step(struct machine *x)
{
    uint32_t top = x->depth - 1;
    struct frame *f = &x->frames[top];
    const struct text_node *nodes = x->m.query->nodes, *n = &nodes[f->node];
    const struct list *within = within_of(x, f->within);
    bool single = n->kind == TEXT_NOT || n->kind == TEXT_OPTIONAL; /* the only part of an AND */
    bool over = f->started && f->found.count == 0;
    if (n->kind == TEXT_ALL)
        all_within(x, within, &f->found);
    if (f->at == f->end || over || n->kind == TEXT_ALL) {
        end_frame(x);
        return;
    }
    uint32_t child = x->order[f->at++];
    enum part part = PART_MUST;
    if (single) {
        part = part_of(n->kind);
    } else if (n->kind == TEXT_AND) {
        part = part_of(nodes[child].kind);
        if (part != PART_MUST)
            child = nodes[child].child;
    }
    if (part != PART_MUST && !f->started) {
        all_within(x, within, &f->found);
        f->started = true;
    }
    uint32_t limit = n->kind != TEXT_OR && f->started ? top : f->within;
    if (!is_leaf(nodes[child].kind)) {
        (void)push(x, child, limit, part);
        return;
    }
    read_leaf(x, child, within_of(x, limit));
    take_result(x, part);
}

/* -- before ------------------------------------------------------------------------------------ */

struct ranked {
    uint32_t child;
    uint8_t part;
    uint64_t docs;
};

static int by_rank(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->part != y->part)
        return (int)x->part - (int)y->part;
    return (x->docs > y->docs) - (x->docs < y->docs);
}

/* How many documents a node has at most, or about. */
static uint64_t weigh(const struct machine *x, uint32_t node)
{
    const struct text_node *nodes = x->m.query->nodes, *n = &nodes[node];
    uint64_t all = x->m.view->alive, docs = n->kind == TEXT_AND ? all : 0;
    if (is_leaf(n->kind))
        return x->m.leaves[node].docs;
    if (n->kind == TEXT_ALL || n->kind == TEXT_NOT || n->kind == TEXT_OPTIONAL)
        return all;
    for (uint32_t c = n->child; c != TEXT_NO_NODE; c = nodes[c].next) {
        uint64_t of = x->weight[c];
        docs = n->kind == TEXT_OR ? docs + of : of < docs ? of : docs;
    }
    return docs < all ? docs : all;
}

/* The children of a node, those of an AND with the rarest first. */
static void order_children(struct machine *x, uint32_t node, struct ranked *room, uint32_t *used)
{
    const struct text_node *nodes = x->m.query->nodes, *n = &nodes[node];
    uint32_t count = 0;
    x->order_first[node] = *used;
    if (is_leaf(n->kind))
        return;
    for (uint32_t c = n->child; c != TEXT_NO_NODE; c = nodes[c].next)
        room[count++] = (struct ranked){c, (uint8_t)part_of(nodes[c].kind), x->weight[c]};
    if (n->kind == TEXT_AND && count > 1)
        qsort(room, count, sizeof(*room), by_rank);
    for (uint32_t i = 0; i < count; i++)
        x->order[(*used)++] = room[i].child;
}

static void tell_rarity(const struct machine *x, uint32_t leaf)
{
    const struct text_leaf_terms *l = &x->m.leaves[leaf];
    double least = l->count > 0 ? l->idf[0] : 0;
    for (uint32_t i = 1; i < l->count; i++)
        least = l->idf[i] < least ? l->idf[i] : least;
    x->m.ask->rarity[leaf] = least;
}

static enum err prepare(struct machine *x)
{
    uint32_t count = x->m.query->count, used = 0;
    struct ranked *room = mem_try(MEM_SCRATCH, (count + 1) * sizeof(*room));
    x->m.leaves = mem_try_calloc(MEM_SCRATCH, (count + 1) * sizeof(*x->m.leaves));
    x->order = mem_try(MEM_SCRATCH, (count + 1) * sizeof(*x->order));
    x->order_first = mem_try(MEM_SCRATCH, (count + 1) * sizeof(*x->order_first));
    x->weight = mem_try(MEM_SCRATCH, (count + 1) * sizeof(*x->weight));
    enum err e = room != NULL && x->m.leaves != NULL && x->order != NULL &&
                         x->order_first != NULL && x->weight != NULL
                     ? OK
                     : ERR_NOMEM;
    for (uint32_t i = 0; i < count && e == OK; i++) {
        if (is_leaf(x->m.query->nodes[i].kind))
            e = text_expand(&x->m, i);
        if (e != OK)
            break;
        if (x->m.ask->rarity != NULL && is_leaf(x->m.query->nodes[i].kind))
            tell_rarity(x, i);
        x->weight[i] = weigh(x, i);
        order_children(x, i, room, &used);
    }
    if (e == OK)
        x->order_first[count] = used;
    mem_free(MEM_SCRATCH, room);
    return e;
}

static void clean(struct machine *x)
{
    while (x->depth > 0) {
        struct frame *f = &x->frames[--x->depth];
        for (uint32_t i = 0; i < f->run_count; i++)
            list_free(&f->runs[i]);
        mem_free(MEM_SCRATCH, f->runs);
        list_free(&f->found);
    }
    for (uint32_t i = 0; x->m.leaves != NULL && i < x->m.query->count; i++) {
        mem_free(MEM_SCRATCH, x->m.leaves[i].terms);
        mem_free(MEM_SCRATCH, x->m.leaves[i].idf);
    }
    mem_free(MEM_SCRATCH, x->m.leaves);
    mem_free(MEM_SCRATCH, x->order);
    mem_free(MEM_SCRATCH, x->order_first);
    mem_free(MEM_SCRATCH, x->weight);
    mem_free(MEM_SCRATCH, x->frames);
    list_free(&x->result);
}

/* -- the answer -------------------------------------------------------------------------------- */

static enum err fill_set(struct machine *x, struct text_set *out)
{
    const struct text_view *v = x->m.view;
    out->end = v->slots;
    out->bits = mem_try_calloc(MEM_SCRATCH, ((size_t)v->slots / 64 + 1) * sizeof(*out->bits));
    if (out->bits == NULL)
        return ERR_NOMEM;
    if (x->m.ask->scores) {
        out->scores = mem_try_calloc(MEM_SCRATCH, ((size_t)v->slots + 1) * sizeof(*out->scores));
        if (out->scores == NULL)
            return ERR_NOMEM;
    }
    for (size_t i = 0; i < x->result.count; i++) {
        const struct text_version *version = text_doc(v, x->result.docs[i]);
        uint32_t slot = version->slot;
        CHECK(slot < out->end);
        out->bits[slot / 64] |= (uint64_t)1 << (slot % 64);
        if (x->m.ask->scores)
            out->scores[slot] =
                (float)text_document_score(&x->m, (double)x->result.scores[i], version);
    }
    out->count = x->result.count;
    return OK;
}

enum err text_match(const struct text_view *v, const struct text_query *q,
                    const struct text_ask *ask, struct text_set *out)
{
    struct machine x = {.m = {.view = v, .query = q, .ask = ask}};
    *out = (struct text_set){0};
    CHECK(q->root < q->count);
    enum err e = prepare(&x);
    if (e == OK && is_leaf(q->nodes[q->root].kind))
        read_leaf(&x, q->root, NULL);
    else if (e == OK)
        (void)push(&x, q->root, NO_FRAME, PART_MUST);
    while (e == OK && x.depth > 0 && !x.m.stopped && !x.m.failed)
        step(&x);
    if (x.m.failed)
        e = ERR_NOMEM;
    out->stopped = x.m.stopped;
    if (x.m.stopped) /* a part that is not whole says nothing of the whole */
        x.result.count = 0;
    if (e == OK)
        e = fill_set(&x, out);
    clean(&x);
    return e;
}

void text_set_fini(struct text_set *s)
{
    mem_free(MEM_SCRATCH, s->bits);
    mem_free(MEM_SCRATCH, s->scores);
    *s = (struct text_set){0};
}
