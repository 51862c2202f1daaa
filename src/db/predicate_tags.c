/* predicate_tags.c: which numbers of a TAG field a comparison means.
 *
 * `==`, `!=` and `in [..]` mean strings by themselves: where the field holds an array they say what
 * filter_eval.c says, from the text. `has`, `haslike`, `like` and `"x" in` mean arrays, too: their
 * numbers are those of the strings that match and those of all sets with one of them; the rows are
 * the strings' alone, which know those of their sets. */
#include <stdlib.h>

#include "db/predicate_program.h"

enum {
    NUMBERS_MAX = 100 * 1000, /* of one filter: copying them takes the loop some 0.1 ms */
    PATTERN_TAGS_MAX = 2000   /* texts that are looked at, likewise */
};

static bool reserve(struct predicate *p, size_t count)
{
    size_t needed = p->tag_count + count;
    if (needed > NUMBERS_MAX)
        return false;
    if (needed <= p->tag_capacity)
        return true;
    size_t capacity = needed + needed / 2 + 8;
    uint32_t *grown = mem_try_realloc(MEM_SCRATCH, p->tags, capacity * sizeof(*grown));
    if (grown == NULL)
        return false;
    p->tags = grown;
    p->tag_capacity = (uint32_t)capacity;
    return true;
}

static bool add_number(struct predicate *p, uint32_t tag)
{
    if (tag == TAG_NONE)
        return true; /* no row holds it */
    if (!reserve(p, 1))
        return false;
    p->tags[p->tag_count++] = tag;
    return true;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* What was added since `first`, ascending and each once. */
static uint32_t settle(struct predicate *p, uint32_t first)
{
    uint32_t count = 0;
    uint32_t *tags = p->tags + first;
    if (p->tag_count - first > 1)
        qsort(tags, p->tag_count - first, sizeof(*tags), by_number);
    for (uint32_t i = first; i < p->tag_count; i++)
        if (count == 0 || tags[count - 1] != p->tags[i])
            tags[count++] = p->tags[i];
    p->tag_count = first + count;
    return count;
}

static bool add_string(struct predicate *p, const struct tags *t, const struct value *v)
{
    return v->kind == VALUE_STRING && add_number(p, tags_find(t, v->text));
}

/* One string, or those of a list. */
static bool add_strings(struct predicate *p, const struct tags *t, const struct value *v)
{
    if (v->kind != VALUE_LIST)
        return add_string(p, t, v);
    for (size_t i = 0; i < v->text.len; i++)
        if (!add_string(p, t, &p->filter->constants[v->first + i]))
            return false;
    return true;
}

/* All strings that match a pattern, or have a part. */
static bool add_matching(struct predicate *p, const struct tags *t, const struct value *v,
                         uint16_t code)
{
    if (v->kind != VALUE_STRING || t->count > PATTERN_TAGS_MAX)
        return false;
    for (uint32_t number = 0; number < t->count; number++) {
        struct value text = {.kind = VALUE_STRING};
        if (!tags_text(t, number, &text.text))
            continue;
        bool matches = code == FILTER_IN ? text_in(v, &text) : text_like(&text, v);
        if (matches && !add_number(p, number))
            return false;
    }
    return true;
}

static bool add_sets(struct predicate *p, const struct tags *t, uint32_t member)
{
    size_t count = member == TAG_NONE ? 0 : tags_sets_count(t, member);
    if (count == 0)
        return true;
    if (!reserve(p, count))
        return false;
    tags_sets(t, member, p->tags + p->tag_count);
    p->tag_count += (uint32_t)count;
    return true;
}

/* Numbers to compare with: those of strings, and of the sets that have what is looked for. */
static bool add_numbers(struct predicate *p, const struct tags *t, const struct predicate_op *op,
                        const struct value *v, uint16_t code)
{
    for (uint32_t i = 0; i < op->member_count; i++)
        if (!add_number(p, p->tags[op->member_first + i]))
            return false;
    if (code == FILTER_LIKE)
        return true; /* no array is like anything */
    if (code == FILTER_IN)
        return add_sets(p, t, tags_find(t, v->text));
    for (uint32_t i = 0; i < op->member_count; i++)
        if (!add_sets(p, t, p->tags[op->member_first + i]))
            return false;
    return true;
}

bool predicate_bind_tags(struct predicate *p, const struct tags *t, const struct value *v,
                         uint16_t code, bool part, struct predicate_op *op)
{
    bool patterns = part || code == FILTER_HAS_LIKE || code == FILTER_LIKE;
    op->code = PREDICATE_TAG;
    op->negated = code == FILTER_NE;
    op->sets = patterns || code == FILTER_HAS;
    op->exact = code == FILTER_HAS || code == FILTER_HAS_LIKE;
    op->member_first = p->tag_count;
    if (!patterns && (v->kind == VALUE_LIST) != (code == FILTER_IN) && code != FILTER_HAS)
        return false;
    if (!(patterns ? add_matching(p, t, v, code) : add_strings(p, t, v)))
        return false;
    op->member_count = settle(p, op->member_first);
    op->tag_first = op->member_first;
    op->tag_count = op->member_count;
    if (!op->sets)
        return true;
    op->tag_first = p->tag_count;
    if (!add_numbers(p, t, op, v, code))
        return false;
    op->tag_count = settle(p, op->tag_first);
    return true;
}
