#include "text/terms.h"

#include "base/rng.h"

enum { LEAF_MAX = 64, FIRST_CAPACITY = 16 };

static bool text_equal(const void *owner, uint32_t number, struct slice text)
{
    return slice_eq(text_term_text(((const struct text_terms *)owner)->terms[number]), text);
}

void text_terms_init(struct text_terms *t, struct text_graves *graves, const uint64_t seed[2])
{
    *t = (struct text_terms){.graves = graves, .seed = {seed[0], seed[1]}};
    map_init(&t->ids, MEM_TEXT, text_equal, t);
}

void text_terms_fini(struct text_terms *t)
{
    struct text_leaves *leaves = atomic_load_explicit(&t->leaves, memory_order_relaxed);
    for (uint32_t i = 0; leaves != NULL && i < leaves->count; i++)
        mem_free(MEM_TEXT, atomic_load_explicit(&leaves->leaf[i], memory_order_relaxed));
    mem_free(MEM_TEXT, leaves);
    for (uint32_t i = 0; i < t->count; i++)
        mem_free(MEM_TEXT, t->terms[i]);
    mem_free(MEM_TEXT, t->terms);
    mem_free(MEM_TEXT, t->free);
    map_fini(&t->ids);
}

static struct text_leaf *leaf_at(const struct text_leaves *leaves, uint32_t at)
{
    CHECK(at < leaves->count);
    return atomic_load_explicit(&((struct text_leaves *)(uintptr_t)leaves)->leaf[at],
                                memory_order_acquire);
}

/* The last leaf that begins not behind text, or the first one. */
static uint32_t find_leaf(const struct text_leaves *leaves, struct slice text)
{
    uint32_t low = 0, high = leaves->count;
    while (low + 1 < high) {
        uint32_t middle = (low + high) / 2;
        if (slice_cmp(text_term_text(leaf_at(leaves, middle)->terms[0]), text) <= 0)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* How many terms of a leaf are below text. */
static uint32_t find_in_leaf(const struct text_leaf *leaf, struct slice text)
{
    uint32_t low = 0, high = leaf->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (slice_cmp(text_term_text(leaf->terms[middle]), text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* -- changes ----------------------------------------------------------------------------------- */

static void *take(struct text_terms *t, size_t size)
{
    void *ptr = mem_try(MEM_TEXT, size);
    if (ptr != NULL)
        t->bytes += mem_size(ptr);
    return ptr;
}

static void drop(struct text_terms *t, void *ptr)
{
    if (ptr != NULL)
        t->bytes -= mem_size(ptr);
    text_graves_add(t->graves, ptr);
}

static struct text_leaf *make_leaf(struct text_terms *t, uint32_t count)
{
    struct text_leaf *leaf = take(t, sizeof(*leaf) + count * sizeof(*leaf->terms));
    if (leaf != NULL)
        leaf->count = count;
    return leaf;
}

/* The leaf with the term at a place: terms from .. end - 1 of that. */
static struct text_leaf *leaf_with(struct text_terms *t, const struct text_leaf *old, uint32_t at,
                                   struct text_term *term, uint32_t from, uint32_t end)
{
    struct text_leaf *leaf = make_leaf(t, end - from);
    for (uint32_t i = from; leaf != NULL && i < end; i++)
        leaf->terms[i - from] = i < at ? old->terms[i] : i == at ? term : old->terms[i - 1];
    return leaf;
}

static void set_leaf(struct text_leaves *leaves, uint32_t at, struct text_leaf *leaf)
{
    atomic_store_explicit(&leaves->leaf[at], leaf, memory_order_release);
}

/* An array in which `count` leaves stand in place of the one at a place. */
static bool replace_leaves(struct text_terms *t, uint32_t at, struct text_leaf *const *by,
                           uint32_t count)
{
    struct text_leaves *old = atomic_load_explicit(&t->leaves, memory_order_relaxed);
    uint32_t had = old == NULL ? 0 : old->count, gone = had > 0;
    uint32_t now = had - gone + count;
    struct text_leaves *leaves = NULL;
    if (now > 0) {
        leaves = take(t, sizeof(*leaves) + now * sizeof(leaves->leaf[0]));
        if (leaves == NULL)
            return false;
        leaves->count = now;
    }
    for (uint32_t i = 0; i < now; i++)
        set_leaf(leaves, i,
                 i < at           ? leaf_at(old, i)
                 : i < at + count ? by[i - at]
                                  : leaf_at(old, i - count + gone));
    if (gone)
        drop(t, leaf_at(old, at));
    atomic_store_explicit(&t->leaves, leaves, memory_order_release);
    drop(t, old);
    return true;
}

/* Two leaves in place of a full one. A term at the end of all starts a leaf, so that words that
 * come in order fill theirs. */
static bool split(struct text_terms *t, uint32_t leaf_number, const struct text_leaf *leaf,
                  uint32_t at, struct text_term *term)
{
    uint32_t all = leaf->count + 1;
    uint32_t middle = at == leaf->count ? leaf->count : all / 2;
    struct text_leaf *by[2] = {leaf_with(t, leaf, at, term, 0, middle),
                               leaf_with(t, leaf, at, term, middle, all)};
    if (by[0] != NULL && by[1] != NULL && replace_leaves(t, leaf_number, by, 2))
        return true;
    drop(t, by[0]);
    drop(t, by[1]);
    return false;
}

static bool put_in_order(struct text_terms *t, struct text_term *term)
{
    struct text_leaves *leaves = atomic_load_explicit(&t->leaves, memory_order_relaxed);
    struct slice text = text_term_text(term);
    if (leaves == NULL) {
        struct text_leaf *first = make_leaf(t, 1);
        if (first == NULL)
            return false;
        first->terms[0] = term;
        if (replace_leaves(t, 0, &first, 1))
            return true;
        drop(t, first);
        return false;
    }
    uint32_t number = find_leaf(leaves, text);
    struct text_leaf *old = leaf_at(leaves, number);
    uint32_t at = find_in_leaf(old, text);
    if (old->count == LEAF_MAX)
        return split(t, number, old, at, term);
    struct text_leaf *leaf = leaf_with(t, old, at, term, 0, old->count + 1);
    if (leaf == NULL)
        return false;
    set_leaf(leaves, number, leaf);
    drop(t, old);
    return true;
}

static bool reserve_number(struct text_terms *t)
{
    if (t->free_count > 0 || t->count < t->capacity)
        return true;
    uint32_t capacity = t->capacity == 0 ? FIRST_CAPACITY : 2 * t->capacity;
    struct text_term **terms = mem_try_realloc(MEM_TEXT, t->terms, capacity * sizeof(*terms));
    if (terms == NULL)
        return false;
    t->terms = terms;
    uint32_t *numbers = mem_try_realloc(MEM_TEXT, t->free, capacity * sizeof(*numbers));
    if (numbers == NULL)
        return false;
    t->free = numbers;
    t->capacity = capacity;
    return true;
}

struct text_term *text_terms_add(struct text_terms *t, struct slice text)
{
    uint32_t hash = (uint32_t)hash_bytes(text, t->seed);
    uint32_t number = map_get(&t->ids, hash, text);
    if (number != MAP_NONE)
        return t->terms[number];
    if (!map_reserve(&t->ids, 1) || !reserve_number(t))
        return NULL;
    struct text_term *term = take(t, sizeof(*term) + text.len);
    if (term == NULL)
        return NULL;
    *term = (struct text_term){.hash = hash, .size = (uint32_t)text.len};
    if (text.len > 0)
        memcpy(term->text, text.ptr, text.len);
    if (!put_in_order(t, term)) {
        drop(t, term);
        return NULL;
    }
    term->number = t->free_count > 0 ? t->free[--t->free_count] : t->count++;
    t->terms[term->number] = term;
    map_put(&t->ids, hash, term->number);
    t->live++;
    return term;
}

bool text_terms_remove(struct text_terms *t, struct text_term *term)
{
    struct text_leaves *leaves = atomic_load_explicit(&t->leaves, memory_order_relaxed);
    CHECK(leaves != NULL && atomic_load_explicit(&term->first, memory_order_relaxed) == NULL);
    uint32_t number = find_leaf(leaves, text_term_text(term));
    struct text_leaf *old = leaf_at(leaves, number), *leaf = NULL;
    uint32_t at = find_in_leaf(old, text_term_text(term));
    CHECK(at < old->count && old->terms[at] == term);
    if (old->count == 1) {
        if (!replace_leaves(t, number, NULL, 0))
            return false;
    } else {
        leaf = make_leaf(t, old->count - 1);
        if (leaf == NULL)
            return false;
        memcpy(leaf->terms, old->terms, at * sizeof(*leaf->terms));
        memcpy(leaf->terms + at, old->terms + at + 1, (old->count - 1 - at) * sizeof(*leaf->terms));
        set_leaf(leaves, number, leaf);
        drop(t, old);
    }
    map_remove(&t->ids, term->hash, term->number);
    t->terms[term->number] = NULL;
    t->free[t->free_count++] = term->number;
    t->live--;
    drop(t, term);
    return true;
}

size_t text_terms_bytes(const struct text_terms *t)
{
    return t->bytes + map_bytes(&t->ids) + t->capacity * (sizeof(*t->terms) + sizeof(*t->free));
}

/* -- reading ----------------------------------------------------------------------------------- */

void text_walk_from(const struct text_terms *t, struct slice text, struct text_walk *w)
{
    *w =
        (struct text_walk){.leaves = atomic_load_explicit(
                               &((struct text_terms *)(uintptr_t)t)->leaves, memory_order_acquire)};
    if (w->leaves == NULL)
        return;
    w->leaf_at = find_leaf(w->leaves, text);
    w->leaf = leaf_at(w->leaves, w->leaf_at);
    w->at = find_in_leaf(w->leaf, text);
}

const struct text_term *text_walk_next(struct text_walk *w)
{
    if (w->leaf == NULL)
        return NULL;
    while (w->at == w->leaf->count) {
        if (++w->leaf_at == w->leaves->count) {
            w->leaf = NULL;
            return NULL;
        }
        w->leaf = leaf_at(w->leaves, w->leaf_at);
        w->at = 0;
    }
    return w->leaf->terms[w->at++];
}

const struct text_term *text_terms_find(const struct text_terms *t, struct slice text)
{
    struct text_walk w;
    text_walk_from(t, text, &w);
    const struct text_term *term = text_walk_next(&w);
    return term != NULL && slice_eq(text_term_text(term), text) ? term : NULL;
}
