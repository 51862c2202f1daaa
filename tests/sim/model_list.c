/* Lists as arrays: what changes make of them. */
#include "base/mem.h"
#include "sim/model.h"

void model_list_free(struct model_list *l)
{
    for (size_t i = 0; l != NULL && i < l->count; i++)
        mem_free(MEM_TEST, (void *)l->values[i].ptr);
    mem_free(MEM_TEST, l);
}

static void put_value(struct model_list *l, size_t at, struct slice value)
{
    uint8_t *copy = mem_alloc(MEM_TEST, value.len);
    CHECK(at <= l->count);
    if (value.len > 0)
        memcpy(copy, value.ptr, value.len);
    memmove(&l->values[at + 1], &l->values[at], (l->count - at) * sizeof(l->values[0]));
    l->values[at] = (struct slice){copy, value.len};
    l->count++;
}

static void drop_value(struct model_list *l, size_t at)
{
    CHECK(at < l->count);
    mem_free(MEM_TEST, (void *)l->values[at].ptr);
    l->count--;
    memmove(&l->values[at], &l->values[at + 1], (l->count - at) * sizeof(l->values[0]));
}

static struct model_list *copy(const struct model_list *from, size_t more)
{
    size_t count = from == NULL ? 0 : from->count;
    struct model_list *l = mem_calloc(MEM_TEST, sizeof(*l) + (count + more) * sizeof(l->values[0]));
    for (size_t i = 0; i < count; i++)
        put_value(l, i, from->values[i]);
    return l;
}

struct model_list *model_list_copy(const struct model_list *from)
{
    return copy(from, 0);
}

static void trim(struct model_list *l, const struct mutation *m)
{
    for (uint64_t i = 0; i < m->offset && l->count > 0; i++)
        drop_value(l, 0);
    for (uint64_t i = 0; i < m->limit && l->count > 0; i++)
        drop_value(l, l->count - 1);
}

static const char *set_value(struct model_list *l, const struct mutation *m)
{
    if (m->offset >= l->count)
        return "a value is set behind the last one";
    put_value(l, m->offset, m->value);
    drop_value(l, m->offset + 1);
    return NULL;
}

static const char *insert_value(struct model_list *l, const struct mutation *m)
{
    size_t at = 0;
    while (at < l->count && !slice_eq(l->values[at], m->ids[0]))
        at++;
    if (at == l->count)
        return "a value is put beside one that is not there";
    put_value(l, at + !m->at_head, m->ids[1]);
    return NULL;
}

static void remove_values(struct model_list *l, const struct mutation *m)
{
    size_t count = l->count, at = m->at_head ? 0 : count - 1;
    uint64_t left = m->limit;
    for (size_t i = 0; i < count && left > 0; i++) {
        bool same = slice_eq(l->values[at], m->value);
        if (same)
            drop_value(l, at);
        left -= same;
        at = m->at_head ? at + !same : at - 1;
    }
}

struct model_list *model_list_changed(const struct model_list *from, const struct mutation *m,
                                      const char **wrong)
{
    struct model_list *l = copy(from, m->count + 1);
    switch ((int)m->kind) {
    case MUTATION_LIST_PUSH:
        for (size_t i = 0; i < m->count; i++)
            put_value(l, m->at_head ? 0 : l->count, m->ids[i]);
        break;
    case MUTATION_LIST_TRIM:
        trim(l, m);
        break;
    case MUTATION_LIST_SET:
        *wrong = set_value(l, m);
        break;
    case MUTATION_LIST_INSERT:
        *wrong = insert_value(l, m);
        break;
    default:
        CHECK(m->kind == MUTATION_LIST_REMOVE);
        remove_values(l, m);
    }
    if (*wrong == NULL)
        return l;
    model_list_free(l);
    return NULL;
}
