#include "cmd/vector_refine.h"

#include <math.h>

#include "base/limits.h"
#include "cmd/vector.h"
#include "cmd/vector_row.h"

/* -- options ----------------------------------------------------------------------------------- */

static enum err check(const struct refine_options *o, struct why *why)
{
    if (o->has_group_by && o->has_lambda)
        return why_set(why, ERR_ARG, "GROUPBY and MMR do not go together");
    if (o->has_group_size && !o->has_group_by)
        return why_set(why, ERR_ARG, "GROUPSIZE goes with GROUPBY");
    if (o->has_fetch && !o->has_lambda)
        return why_set(why, ERR_ARG, "FETCH goes with MMR");
    if (o->has_lambda && (o->lambda < 0 || o->lambda > 1))
        return why_set(why, ERR_ARG,
                       "MMR takes a number from 0 (far from each other) to 1 (near the query)");
    if (o->has_lambda && o->wanted > LIMIT_MMR)
        return why_set(why, ERR_LIMIT, "with MMR, OFFSET and COUNT together are at most %d",
                       LIMIT_MMR);
    if (o->has_group_by && o->wanted > LIMIT_GROUPS)
        return why_set(why, ERR_LIMIT, "with GROUPBY, OFFSET and COUNT together are at most %d",
                       LIMIT_GROUPS);
    return OK;
}

enum err read_refine(const struct refine_options *o, struct refine **out, struct why *why)
{
    *out = NULL;
    enum err e = check(o, why);
    if (e != OK || (!o->has_group_by && !o->has_lambda && o->examples == NULL))
        return e;
    struct refine *r = refine_new();
    if (r == NULL)
        return ERR_NOMEM;
    *out = r;
    r->group_size = o->has_group_size ? (size_t)o->group_size : 1;
    r->varies = o->has_lambda;
    r->lambda = (float)o->lambda;
    r->fetch = o->has_fetch ? (size_t)o->fetch : 0;
    if (o->has_group_by)
        e = json_pick_new("GROUPBY", &o->group_by, 1, &r->group_by, why);
    if (e == OK && o->examples != NULL)
        e = refine_omit(r, o->examples->values, o->examples->count);
    if (e == OK && o->examples != NULL)
        e = refine_omit(r, o->examples->negative.items, o->examples->negative.count);
    return e;
}

/* -- examples ---------------------------------------------------------------------------------- */

/* Adds factor times the mean of some elements to sum. */
static enum err add_mean(const struct db *db, struct collection *c, const struct collection_view *v,
                         const struct slices *ids, double factor, float *room, double *sum,
                         struct why *why)
{
    enum { SHOWN = 64 };
    for (size_t i = 0; i < ids->count; i++) {
        struct slice id = ids->items[i];
        uint32_t row = db_element(db, c, id);
        if (row == ROW_NONE)
            return why_set(why, ERR_NOT_FOUND, "element '%.*s' not found in set",
                           (int)(id.len < SHOWN ? id.len : SHOWN), (const char *)id.ptr);
        view_query(v, row, room);
        for (uint32_t d = 0; d < c->spec.dim; d++)
            sum[d] += factor / (double)ids->count * (double)room[d];
    }
    return OK;
}

/* What the sum is as a query of the collection's type. */
static enum err query_of_sum(const struct collection_spec *spec, const double *sum, float *out,
                             struct why *why)
{
    double square = 0;
    for (uint32_t d = 0; d < spec->dim; d++)
        square += sum[d] * sum[d];
    bool units = type_normalises(spec->type, spec->metric);
    if (spec->metric == METRIC_COSINE && square < 1e-12)
        return why_set(why, ERR_ARG,
                       "the examples cancel each other out: there is no direction "
                       "to search in");
    for (uint32_t d = 0; d < spec->dim; d++) {
        double x = units ? sum[d] / sqrt(square) : sum[d];
        if (spec->type == TYPE_INT8)
            x = fmin(fmax(nearbyint(x), -128), 127);
        out[d] = (float)x;
        if (!isfinite(out[d]))
            return why_set(why, ERR_ARG, "the examples add up to more than a float holds");
    }
    return OK;
}

enum err query_of_examples(struct db *db, struct collection *c, const struct vector_arg *arg,
                           float *out, struct why *why)
{
    struct collection_view view;
    const struct slices positive = {arg->values, arg->count};
    const struct slices *negative = &arg->negative;
    if (c->spec.type == TYPE_BIT)
        return why_set(why, ERR_ARG, "POSITIVE: vectors of bits have no mean; search with ELE id");
    double *sum = mem_try_calloc(MEM_SCRATCH, c->spec.dim * sizeof(*sum));
    if (sum == NULL)
        return ERR_NOMEM;
    db_view(db, c, &view);
    enum err e = add_mean(db, c, &view, &positive, negative->count > 0 ? 2 : 1, out, sum, why);
    if (e == OK && negative->count > 0)
        e = add_mean(db, c, &view, negative, -1, out, sum, why);
    if (e == OK)
        e = query_of_sum(&c->spec, sum, out, why);
    mem_free(MEM_SCRATCH, sum);
    return e;
}

/* -- groups ------------------------------------------------------------------------------------ */

void encode_groups(struct search *s, const struct hit *hits, size_t count)
{
    (void)hits;
    (void)count;
    const struct refine *refine = s->refine;
    struct reply r = reply_of_search(s);
    struct row_shape shape;
    s->error = row_shape_init(&shape, &s->view, s->with, s->pick);
    if (s->error != OK)
        return;
    size_t first = s->offset < refine->group_count ? s->offset : refine->group_count;
    reply_status(&r, s);
    reply_array(&r, refine->group_count - first);
    for (size_t i = first; i < refine->group_count; i++) {
        const struct refine_group *g = &refine->groups[i];
        reply_array(&r, 2);
        reply_field(&r, &g->value);
        reply_array(&r, g->count);
        for (size_t hit = 0; hit < g->count; hit++)
            reply_row(&r, &shape, g->hits[hit].row, shown_distance(&s->view, g->hits[hit].dist));
    }
    row_shape_fini(&shape);
}
