/* COPY of a collection: it is made under another name, and moved to where it is wanted. */
#include <math.h>

#include "sim/workload_private.h"

/* Codes stand for vectors that are close to those they were made of. */
static bool same_vector(const struct collection_spec *spec, const float *a, const void *stored)
{
    float b[MODEL_DIM_MAX];
    type_decode(spec->type, stored, spec->dim, b);
    bool exact = spec->keep_originals || spec->quant == QUANT_NONE;
    float largest = 0;
    for (uint32_t i = 0; i < spec->dim; i++)
        largest = fmaxf(largest, fabsf(a[i]));
    float most = exact ? 0 : spec->quant == QUANT_BIN ? INFINITY : largest / 100;
    for (uint32_t i = 0; i < spec->dim; i++)
        if (!(fabsf(a[i] - b[i]) <= most))
            return false;
    return true;
}

static const char *check_elements(const struct ask *cmd, const struct model_collection *c,
                                  const struct mutation *m)
{
    bool seen[MODEL_IDS + 1] = {false};
    unsigned partition = model_partition_of(m->partition);
    if (m->creates || m->dim != c->spec.dim || m->type != c->spec.type ||
        partition == MODEL_PARTITIONS ||
        m->count != model_count_in(c, partition, cmd->before, cmd->now_ms))
        return "a copy has more elements, or fewer";
    for (size_t i = 0; i < m->count; i++) {
        const struct mutation_element *to = &m->elements[i];
        unsigned id = model_id_of(to->id);
        const struct model_element *from =
            id == MODEL_IDS ? NULL : model_element_seen(c, id, cmd->before, cmd->now_ms);
        if (from == NULL || seen[id] || from->partition != partition)
            return "a copy has an element that is not there, or twice";
        seen[id] = true;
        if (!same_vector(&c->spec, from->vector, to->vector))
            return "a copy has another vector";
        if (!slice_eq(model_attribute_at(from, cmd->before), to->attribute))
            return "a copy has another attribute";
        if (from->expire_ms != to->expire_ms)
            return "an element of a copy expires at another time";
    }
    return NULL;
}

static bool same_spec(const struct ask *cmd, const struct model_collection *c,
                      const struct collection_spec *spec)
{
    struct collection_spec wanted = c->spec;
    struct buf a = BUF_INIT(MEM_TEST), b = BUF_INIT(MEM_TEST);
    const struct spec_shape shape = model_shape_at(c, cmd->before);
    spec_set_shape(&wanted, &shape);
    wanted.tuning = *model_tuning_at(c, cmd->before);
    wanted.schema = *model_schema_at(c, cmd->before);
    spec_encode(&wanted, &a);
    spec_encode(spec, &b);
    bool same = slice_eq(buf_slice(&a), buf_slice(&b));
    buf_fini(&a);
    buf_fini(&b);
    return same;
}

/* Their order is the server's. */
static const char *check_fields(const struct ask *cmd, const struct model_hash *h,
                                const struct mutation *m)
{
    size_t wanted = 0;
    for (size_t i = 0; i < h->count; i++)
        wanted += model_field(h, h->fields[i].name, cmd->now_ms) != NULL;
    if (m->count != wanted)
        return "a copy has more fields, or fewer";
    for (size_t i = 0; i < m->count; i++) {
        const struct hash_field *to = &m->fields[i];
        const struct hash_field *from = model_field(h, to->name, cmd->now_ms);
        if (from == NULL || !slice_eq(from->value, to->value) || from->expire_ms != to->expire_ms)
            return "a copy has another field";
        for (size_t j = 0; j < i; j++)
            if (slice_eq(m->fields[j].name, to->name))
                return "a copy has a field twice";
    }
    return NULL;
}

static const char *check_values(const struct model_list *l, const struct mutation *wanted,
                                const struct mutation *m)
{
    if (m->count != wanted->count || m->at_head)
        return "a copy has more values, or fewer, or in another order";
    for (size_t i = 0; i < m->count; i++)
        if (!slice_eq(m->ids[i], l->values[wanted->offset + i]))
            return "a copy has another value";
    return NULL;
}

static const char *check_members(const struct model_members *s, const struct mutation *m)
{
    if (m->count != s->count || m->replaces)
        return "a copy has more members, or fewer";
    for (size_t i = 0; i < m->count; i++) {
        struct slice member = s->sorted ? m->members[i].member : m->ids[i];
        const struct scored *from = model_member(s, member);
        if (from == NULL || (s->sorted && from->score != m->members[i].score))
            return "a copy has another member, or score";
        for (size_t j = 0; j < i; j++)
            if (slice_eq(member, s->sorted ? m->members[j].member : m->ids[j]))
                return "a copy has a member twice";
    }
    return NULL;
}

const char *copy_check_change(const struct ask *c, const struct expectation *e, size_t i,
                              const struct mutation *m)
{
    const struct mutation *wanted = &e->changes[i];
    CHECK(i < e->change_count);
    CHECK(e->copied != NULL || e->copied_hash != NULL || e->copied_list != NULL ||
          e->copied_members != NULL || e->copied_json != NULL);
    if (!model_is_making(m->key) || m->kind != wanted->kind)
        return "a copy is made by another change";
    if (m->kind == MUTATION_COLLECTION_NEW && !same_spec(c, e->copied, &m->spec))
        return "a copy is another collection";
    if (!slice_eq(m->partition, wanted->partition))
        return "a copy has other partitions";
    if (m->expire_ms != wanted->expire_ms || !slice_eq(m->new_key, wanted->new_key))
        return "a copy goes elsewhere, or at another time";
    if (m->kind == MUTATION_SET_ADD || m->kind == MUTATION_ZSET_ADD)
        return check_members(e->copied_members, m);
    if (m->kind == MUTATION_HASH_SET)
        return check_fields(c, e->copied_hash, m);
    if (m->kind == MUTATION_JSON_SET)
        return slice_eq(m->path, slice_of("$")) && slice_eq(m->value, e->copied_json->string)
                   ? NULL
                   : "a copy is another document";
    if (m->kind == MUTATION_LIST_PUSH)
        return check_values(e->copied_list, wanted, m);
    return m->kind == MUTATION_PUT ? check_elements(c, e->copied, m) : NULL;
}

bool copy_is_undone(const struct world *w, const struct ask *c, const struct mutation *m)
{
    return c->op == OP_COPY && w->short_memory && m->kind == MUTATION_KEY_REMOVE &&
           model_is_making(m->key);
}
