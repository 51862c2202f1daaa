/* Sets and sorted sets of the model: members in order, plainly. */
#include "sim/model.h"

static struct slice copy_of(struct slice s)
{
    uint8_t *copy = mem_alloc(MEM_TEST, s.len);
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return (struct slice){copy, s.len};
}

void model_members_free(struct model_members *s)
{
    for (size_t i = 0; s != NULL && i < s->count; i++)
        mem_free(MEM_TEST, (void *)s->items[i].member.ptr);
    mem_free(MEM_TEST, s);
}

const struct scored *model_member(const struct model_members *s, struct slice member)
{
    for (size_t i = 0; s != NULL && i < s->count; i++)
        if (slice_eq(s->items[i].member, member))
            return &s->items[i];
    return NULL;
}

static void drop(struct model_members *s, struct slice member)
{
    const struct scored *found = model_member(s, member);
    if (found == NULL)
        return;
    size_t at = (size_t)(found - s->items);
    mem_free(MEM_TEST, (void *)found->member.ptr);
    s->count--;
    memmove(&s->items[at], &s->items[at + 1], (s->count - at) * sizeof(s->items[0]));
}

static void add(struct model_members *s, struct scored from)
{
    size_t at = 0;
    drop(s, from.member);
    while (at < s->count &&
           (s->items[at].score < from.score ||
            (s->items[at].score == from.score && slice_cmp(s->items[at].member, from.member) < 0)))
        at++;
    memmove(&s->items[at + 1], &s->items[at], (s->count - at) * sizeof(s->items[0]));
    s->items[at] = (struct scored){copy_of(from.member), from.score};
    s->count++;
}

struct model_members *model_members_copy(const struct model_members *from, bool sorted, size_t more)
{
    size_t count = from == NULL ? 0 : from->count;
    struct model_members *s =
        mem_calloc(MEM_TEST, sizeof(*s) + (count + more) * sizeof(s->items[0]));
    s->sorted = sorted;
    for (size_t i = 0; i < count; i++)
        add(s, from->items[i]);
    return s;
}

struct model_members *model_members_changed(const struct model_members *from,
                                            const struct mutation *m)
{
    bool sorted = m->kind == MUTATION_ZSET_ADD || m->kind == MUTATION_ZSET_REMOVE;
    struct model_members *s = model_members_copy(m->replaces ? NULL : from, sorted, m->count);
    for (size_t i = 0; i < m->count; i++) {
        if (m->kind == MUTATION_ZSET_ADD)
            add(s, m->members[i]);
        else if (m->kind == MUTATION_SET_ADD)
            add(s, (struct scored){.member = m->ids[i]});
        else
            drop(s, m->ids[i]);
    }
    return s;
}
