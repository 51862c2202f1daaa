/* Paths carried out on documents: a walk with a stack of its own. */
#include <stdlib.h>

#include "base/limits.h"
#include "json/numbers.h"
#include "json/path.h"
#include "json/regex.h"

enum {
    FRAMES = LIMIT_JSON_PATH_STEPS + LIMIT_JSON_DEPTH + 2,
    ENTRY_WORK = 16, /* as many bytes as could be passed over while an entry is looked at, */
    LEAF_WORK = 64   /* and a comparison made */
};

/* A value that a step is carried out on. */
struct frame {
    uint32_t step, level;
    size_t next;        /* of the names or indexes; of a range, the element */
    size_t end, stride; /* JSTEP_RANGE */
    bool begun;
    struct slice value, entry;
    struct jval_walk walk;
};

/* What all walks of one search share. */
struct search {
    const struct jpath *path;
    struct slice root;
    uint64_t work, work_max; /* bytes passed over */
    bool nomem;
};

/* One walk: of the path, or of a path in a filter. */
struct walk {
    struct search *search;
    uint32_t first, count; /* steps */
    size_t depth;
    struct frame frames[FRAMES];
};

static bool stopped(const struct search *s)
{
    return s->nomem || s->work > s->work_max;
}

static void push(struct walk *w, uint32_t step, uint32_t level, struct slice value,
                 struct slice entry)
{
    CHECK(w->depth < FRAMES);
    struct frame *f = &w->frames[w->depth++];
    f->step = step;
    f->level = level;
    f->next = 0;
    f->begun = false;
    f->value = value;
    f->entry = entry;
}

static void walk_begin(struct walk *w, struct search *s, uint32_t first, uint32_t count,
                       struct slice value)
{
    w->search = s;
    w->first = first;
    w->count = count;
    w->depth = 0;
    push(w, 0, 0, value, value);
}

/* -- filters ----------------------------------------------------------------------------------- */

static bool walk_next(struct walk *w, struct jhit *out);

/* The values of a term, one by one. */
struct values {
    const struct jpath_term *term;
    struct slice value; /* of one that is no path, until it is taken */
    struct walk walk;
};

static void values_begin(struct values *v, struct search *s, const struct jpath_term *term,
                         struct slice here)
{
    v->term = term;
    if (term->is_path)
        walk_begin(&v->walk, s, term->first, term->count, term->from_root ? s->root : here);
    else
        v->value = jpath_text(s->path, term->first);
}

static bool values_next(struct values *v, struct slice *out)
{
    struct jhit hit;
    if (v->term->is_path) {
        bool more = walk_next(&v->walk, &hit);
        *out = hit.value;
        return more;
    }
    *out = v->value;
    v->value.len = 0;
    return out->len > 0;
}

/* Below, at and above 0 as a is below, equal to and above b; false: they are not compared. */
static bool order(struct slice a, struct slice b, int *out)
{
    int64_t x, y;
    bool numbers = jval_is_number(a) && jval_is_number(b);
    if (numbers && jnum_integer(a, &x) && jnum_integer(b, &y)) {
        *out = (x > y) - (x < y);
        return true;
    }
    if (numbers) {
        double left = jnum_value(a), right = jnum_value(b);
        *out = (left > right) - (left < right);
        return true;
    }
    enum jval_kind kind = jval_kind(a);
    if (kind != jval_kind(b) || kind == JVAL_ARRAY || kind == JVAL_OBJECT)
        return false;
    if (kind == JVAL_STRING)
        *out = jval_compare_strings(jval_inside(a), jval_inside(b));
    else
        *out = (a.ptr[0] == 't') - (b.ptr[0] == 't');
    return true;
}

static bool matches(struct search *s, const struct jpath_op *op, struct slice a, struct slice b)
{
    struct buf text = BUF_INIT(MEM_SCRATCH), pattern = BUF_INIT(MEM_SCRATCH);
    struct regex *own = NULL;
    const struct regex *regex = NULL;
    if (jval_kind(a) != JVAL_STRING || jval_kind(b) != JVAL_STRING)
        return false;
    jval_unescape(jval_inside(a), &text);
    if (op->regex != UINT32_MAX) {
        regex = ((struct regex *const *)(const void *)s->path->regexes.ptr)[op->regex];
    } else {
        struct why why;
        jval_unescape(jval_inside(b), &pattern);
        if (!buf_failed(&pattern) && regex_new(buf_slice(&pattern), &own, &why) == OK)
            regex = own;
    }
    s->nomem |= buf_failed(&text) || buf_failed(&pattern);
    bool found = regex != NULL && !s->nomem && regex_search(regex, buf_slice(&text));
    regex_free(own);
    buf_fini(&pattern);
    buf_fini(&text);
    return found;
}

static bool compare(struct search *s, const struct jpath_op *op, bool paths, struct slice a,
                    struct slice b)
{
    int sign;
    if (op->kind == JOP_RE)
        return matches(s, op, a, b);
    bool equality = op->kind == JOP_EQ || op->kind == JOP_NE;
    if (equality && paths)
        return jval_equal(a, b);
    if (!order(a, b, &sign))
        return false;
    if (op->kind == JOP_LT || op->kind == JOP_LE)
        return sign < 0 || (sign == 0 && op->kind == JOP_LE);
    if (op->kind == JOP_GT || op->kind == JOP_GE)
        return sign > 0 || (sign == 0 && op->kind == JOP_GE);
    return sign == 0;
}

/* Of terms with several values, does one on the left fit one on the right? */
static bool leaf_holds(struct search *s, const struct jpath_op *op, struct slice here)
{
    struct values left, right;
    struct slice a, b;
    bool found = false, paths = op->left.is_path && op->right.is_path;
    s->work += LEAF_WORK;
    values_begin(&left, s, &op->left, here);
    if (op->kind == JOP_TEST)
        return values_next(&left, &a) && (op->left.is_path || a.ptr[0] != 'f');
    while (!found && values_next(&left, &a)) {
        values_begin(&right, s, &op->right, here);
        while (!found && values_next(&right, &b)) {
            found = compare(s, op, paths, a, b);
            s->work += a.len + b.len;
        }
    }
    return op->kind == JOP_NE ? !found : found;
}

static bool filter_holds(struct search *s, const struct jpath_step *step, struct slice here)
{
    const struct jpath_op *ops = (const struct jpath_op *)(const void *)s->path->ops.ptr;
    bool truths[LIMIT_JSON_PATH_OPS];
    size_t count = 0;
    for (uint32_t i = 0; i < step->count; i++) {
        const struct jpath_op *op = &ops[step->first + i];
        if (op->kind == JOP_NOT) {
            CHECK(count > 0);
            truths[count - 1] = !truths[count - 1];
        } else if (op->kind == JOP_AND || op->kind == JOP_OR) {
            CHECK(count > 1);
            count--;
            truths[count - 1] = op->kind == JOP_AND ? truths[count - 1] && truths[count]
                                                    : truths[count - 1] || truths[count];
        } else {
            truths[count++] = leaf_holds(s, op, here);
        }
    }
    CHECK(count == 1);
    return truths[0];
}

/* -- steps ------------------------------------------------------------------------------------- */

/* The next entry of the frame's value; the whole search pays for what is passed over. */
static bool next_entry(struct walk *w, struct frame *f, struct jval_entry *out)
{
    if (!f->begun) {
        jval_walk(f->value, &f->walk);
        f->begun = true;
    }
    if (stopped(w->search) || !jval_next(&f->walk, out))
        return false;
    w->search->work += out->text.len + ENTRY_WORK;
    return true;
}

static size_t length_of(struct walk *w, const struct frame *f)
{
    w->search->work += f->value.len;
    return jval_count(f->value);
}

/* -1 is the last one; what is before the first one is none. */
static bool index_of(int64_t index, size_t length, size_t *out)
{
    if (index < 0)
        index = index + (int64_t)length > 0 ? index + (int64_t)length : 0;
    *out = (size_t)index;
    return (size_t)index < length;
}

static bool next_listed(struct walk *w, struct frame *f, const struct jpath_step *step,
                        struct jval_entry *out)
{
    const struct jpath *p = w->search->path;
    while (f->next < step->count && !stopped(w->search)) {
        uint32_t at = step->first + (uint32_t)f->next++;
        w->search->work += f->value.len;
        if (step->kind == JSTEP_NAMES) {
            if (jval_member(f->value, jpath_text(p, at), out))
                return true;
            continue;
        }
        if (f->value.ptr[0] != '[')
            return false;
        int64_t index = ((const int64_t *)(const void *)p->numbers.ptr)[at];
        size_t element = (size_t)index;
        if (index < 0 && !index_of(index, length_of(w, f), &element))
            continue;
        if (jval_element(f->value, element, out))
            return true;
    }
    return false;
}

static void begin_range(struct walk *w, struct frame *f, const struct jpath_step *step)
{
    const int64_t *numbers =
        (const int64_t *)(const void *)w->search->path->numbers.ptr + step->first;
    size_t length = length_of(w, f), start, end;
    if (!index_of(numbers[0], length, &start))
        start = length;
    if (!index_of(numbers[1], length, &end))
        end = length;
    f->stride = (size_t)numbers[2];
    f->end = end;
    f->next = start;
}

static bool next_in_range(struct walk *w, struct frame *f, const struct jpath_step *step,
                          struct jval_entry *out)
{
    if (f->value.ptr[0] != '[')
        return false;
    bool first = !f->begun;
    if (first)
        begin_range(w, f, step);
    size_t skip = first ? f->next : f->stride - 1;
    if (!first && f->stride >= f->end - f->next)
        return false;
    f->next += first ? 0 : f->stride;
    if (f->next >= f->end)
        return false;
    bool more = true;
    for (; skip > 0 && more; skip--)
        more = next_entry(w, f, out);
    return more && next_entry(w, f, out);
}

static bool next_filtered(struct walk *w, struct frame *f, const struct jpath_step *step,
                          struct jval_entry *out)
{
    while (next_entry(w, f, out))
        if (filter_holds(w->search, step, out->value))
            return true;
    return false;
}

/* The next value that the step leads to from the frame. */
static bool next_value(struct walk *w, struct frame *f, const struct jpath_step *step,
                       struct jval_entry *out)
{
    switch (step->kind) {
    case JSTEP_NAMES:
    case JSTEP_INDEXES:
        return next_listed(w, f, step, out);
    case JSTEP_RANGE:
        return next_in_range(w, f, step, out);
    case JSTEP_FILTER:
        return next_filtered(w, f, step, out);
    case JSTEP_ALL:
    case JSTEP_SCAN:
        break;
    }
    return next_entry(w, f, out);
}

/* Moves one step on; *hit: to a value that the path leads to. */
static void go_on(struct walk *w, struct jhit *out, bool *hit)
{
    struct frame *f = &w->frames[w->depth - 1];
    struct jval_entry entry;
    if (f->step == w->count) {
        *out = (struct jhit){.value = f->value, .entry = f->entry, .level = f->level};
        *hit = true;
        w->depth--;
        return;
    }
    const struct jpath_step *step = jpath_step(w->search->path, w->first + f->step);
    bool scans = step->kind == JSTEP_SCAN;
    if (!jval_is_container(f->value)) {
        w->depth--;
    } else if (scans && !f->begun) {
        jval_walk(f->value, &f->walk);
        f->begun = true;
        push(w, f->step + 1, f->level, f->value, f->entry);
    } else if (next_value(w, f, step, &entry)) {
        push(w, f->step + !scans, f->level + 1, entry.value, entry.text);
    } else {
        w->depth--;
    }
}

static bool walk_next(struct walk *w, struct jhit *out)
{
    bool hit = false;
    *out = (struct jhit){0};
    while (!hit && w->depth > 0 && !stopped(w->search))
        go_on(w, out, &hit);
    return hit;
}

/* -- hits -------------------------------------------------------------------------------------- */

static bool add_hit(struct jhits *hits, const struct jhit *hit)
{
    if (hits->count == hits->capacity) {
        size_t capacity = hits->capacity == 0 ? 4 : hits->capacity * 2;
        struct jhit *items =
            mem_try_realloc(MEM_SCRATCH, hits->items, capacity * sizeof(*hits->items));
        if (items == NULL)
            return false;
        hits->items = items;
        hits->capacity = capacity;
    }
    hits->items[hits->count++] = *hit;
    return true;
}

static int by_place(const void *a, const void *b)
{
    const struct jhit *x = a, *y = b;
    return (x->value.ptr > y->value.ptr) - (x->value.ptr < y->value.ptr);
}

void jhits_sort(struct jhits *hits)
{
    if (hits->count > 1)
        qsort(hits->items, hits->count, sizeof(*hits->items), by_place);
}

void jhits_fini(struct jhits *hits)
{
    mem_free(MEM_SCRATCH, hits->items);
    *hits = (struct jhits){0};
}

enum err jpath_find_steps(const struct jpath *p, uint32_t steps, struct slice document, size_t most,
                          struct jhits *out, struct why *why)
{
    struct walk walk;
    struct jhit hit;
    struct search search = {.path = p, .root = document, .work_max = LIMIT_JSON_WORK};
    CHECK(steps <= p->count);
    if (search.work_max < document.len * JPATH_WORK)
        search.work_max = document.len * JPATH_WORK;
    out->count = 0;
    walk_begin(&walk, &search, p->first, steps, document);
    while (out->count < most && walk_next(&walk, &hit))
        search.nomem |= !add_hit(out, &hit);
    if (search.nomem)
        return ERR_NOMEM;
    return search.work > search.work_max
               ? why_set(why, ERR_LIMIT, "ERR the path looks at too much of the document")
               : OK;
}
