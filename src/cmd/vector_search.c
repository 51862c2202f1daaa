/* Commands that search: VSIM, VSEARCH, VMSEARCH. */
#include <math.h>

#include "base/limits.h"
#include "cmd/vector.h"
#include "cmd/vector_job.h"
#include "cmd/vector_refine.h"
#include "cmd/vector_row.h"

/* -- encoding, on a lane ----------------------------------------------------------------------- */

/* VSIM's shapes: a flat array, or in RESP3 with WITHSCORES or WITHATTRIBS a map. */
static void encode_vsim(struct search *s, const struct hit *hits, size_t count)
{
    CHECK(count <= s->count);
    struct reply r = reply_of_search(s);
    bool score = (s->with & WITH_SCORE) != 0, attribute = (s->with & WITH_ATTRIBUTE) != 0;
    if (score || attribute) {
        if (s->proto == 3)
            reply_map(&r, count);
        else
            reply_array(&r, count * (1u + score + attribute));
    } else {
        reply_array(&r, count);
    }
    for (size_t i = 0; i < count; i++) {
        view_use(&s->view, hits[i].row);
        reply_bulk(&r, view_id(&s->view, hits[i].row));
        if (s->proto == 3 && score && attribute)
            reply_array(&r, 2);
        if (score)
            reply_double(&r, 1 - shown_distance(&s->view, hits[i].dist) / 2);
        if (attribute)
            reply_attribute(&r, &s->view, hits[i].row);
    }
}

/* VSEARCH's: ids, or with members an array per element. Never a map: maps lose the order. */
static void encode_vsearch(struct search *s, const struct hit *hits, size_t count)
{
    CHECK(count <= s->count);
    struct reply r = reply_of_search(s);
    struct row_shape shape;
    s->error = row_shape_init(&shape, &s->view, s->with, s->pick);
    if (s->error != OK)
        return;
    size_t first = s->offset < count ? s->offset : count;
    reply_status(&r, s);
    reply_array(&r, count - first);
    for (size_t i = first; i < count; i++)
        reply_row(&r, &shape, hits[i].row, shown_distance(&s->view, hits[i].dist));
    row_shape_fini(&shape);
}

/* -- planning, on the loop --------------------------------------------------------------------- */

/* The vector of an element as a query: dim floats. ERR_NOT_FOUND. */
static enum err query_of_element(const struct db *db, struct collection *c,
                                 const struct collection_view *v, struct slice id, float *out,
                                 struct why *why)
{
    uint32_t row = db_element(db, c, id);
    if (row == ROW_NONE)
        return why_set(why, ERR_NOT_FOUND, "element not found in set");
    CHECK(row < v->exact.end);
    view_query(v, row, out);
    return OK;
}

/* The wrong number of floats, in Redis's words for vector sets. */
static enum err wrong_count(const struct request *rq, const struct vector_arg *arg, size_t count,
                            const struct collection_spec *spec, struct why *why)
{
    bool redis = rq->command->unknown != NULL;
    if (redis && count == 0)
        return why_set(why, ERR_ARG, "invalid vector specification");
    if (redis && spec->projection_from > 0)
        return why_set(
            why, ERR_ARG,
            "Input dimension mismatch for projection - got %zu but projection expects %u", count,
            spec->projection_from);
    if (redis)
        return why_set(why, ERR_ARG, "Vector dimension mismatch - got %zu but set has %u", count,
                       spec->dim);
    return vector_wrong_count(arg, count, spec, why);
}

/* A client's vector as a query: dim floats in out, projected and normalised as elements are. */
static enum err query_of_vector(struct request *rq, struct collection *c,
                                const struct vector_arg *arg, float *out, struct why *why)
{
    size_t count = vector_count(arg);
    uint32_t from = input_dim(&c->spec);
    bool redis = rq->command->unknown != NULL;
    /* A query that was projected already is taken as it is, as in Redis. */
    bool as_stored = c->projection != NULL && count == c->spec.dim && !redis;
    if (redis && c->spec.implicit && arg->type != TYPE_FP32)
        return why_set(why, ERR_ARG, "invalid vector specification");
    if (count != from && !as_stored)
        return wrong_count(rq, arg, count, &c->spec, why);
    float *raw = mem_try(MEM_SCRATCH, count * sizeof(float));
    if (raw == NULL)
        return ERR_NOMEM;
    float norm;
    enum err e = vector_read(arg, raw, count, why);
    if (e != OK && redis)
        e = why_set(why, ERR_ARG, "invalid vector specification");
    if (e == OK)
        e = vector_prepare(&c->spec, as_stored ? NULL : c->projection, c->env->kernels, raw, out,
                           &norm, why);
    mem_free(MEM_SCRATCH, raw);
    return e;
}

/* What VSIM and VSEARCH search for: an element of the collection, some, or a vector. */
static enum err read_query(struct request *rq, struct collection *c, const struct vector_arg *arg,
                           float *out, struct why *why)
{
    if (arg->form == VECTOR_EXAMPLES)
        return query_of_examples(rq->env->db, c, arg, out, why);
    if (arg->form != VECTOR_ELEMENT)
        return query_of_vector(rq, c, arg, out, why);
    struct collection_view view;
    db_view(rq->env->db, c, &view);
    return query_of_element(rq->env->db, c, &view, arg->bytes, out, why);
}

enum err compile_filter(struct slice text, const struct slices *params, struct filter **out,
                        struct why *why)
{
    struct filter_param pairs[LIMIT_PARAMS];
    size_t count = params == NULL ? 0 : params->count / 2;
    CHECK(count <= LIMIT_PARAMS && (params == NULL || params->count % 2 == 0));
    for (size_t i = 0; i < count; i++)
        pairs[i] = (struct filter_param){params->items[2 * i], params->items[2 * i + 1], NULL};
    return filter_compile(text, pairs, count, out, why);
}

void cmd_vsim(struct request *rq)
{
    const struct vsim_args *a = rq->args;
    struct why why = {{0}};
    bool missing;
    struct collection *c = find_collection(rq, a->key, &missing);
    if (missing)
        reply_array(&rq->reply, 0);
    if (c == NULL)
        return;
    struct search *s = search_new(rq->env->db, c, 1);
    enum err e = s == NULL ? ERR_NOMEM : read_query(rq, c, &a->vector, s->queries, &why);
    if (e == OK && a->has_filter)
        e = compile_filter(a->filter, NULL, &s->filter, &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        search_free(s);
        return;
    }
    s->count = a->has_count ? (size_t)a->count : 10;
    s->effort = a->has_ef ? (size_t)a->ef : 0;
    s->exact = a->truth;
    /* Redis's score is 1 - distance / 2, and EPSILON is how far it may be from 1. */
    s->radius = a->has_epsilon ? 2 * (float)a->epsilon : INFINITY;
    s->with = (a->with_scores ? WITH_SCORE : 0u) | (a->with_attributes ? WITH_ATTRIBUTE : 0u);
    s->encode = encode_vsim;
    search_for_client(rq, s);
}

/* What VSEARCH and VMSEARCH have in common. */
struct search_options {
    bool has_count, has_offset, has_ef, has_nprobe, has_radius, has_filter, has_params, has_after,
        has_fields, has_timeout, has_partitions, has_recall;
    int64_t count, offset, ef, nprobe, after, timeout;
    double radius, recall;
    bool exact;
    struct slice key, filter;
    struct slices params, fields, partitions;
    unsigned with;
    struct refine_options refine;
};

/* The fields have the same names in both structs of arguments. */
#define SEARCH_OPTIONS(a)                                                                          \
    {                                                                                              \
        .key = (a)->key, .has_partitions = (a)->has_partitions, .partitions = (a)->partitions,     \
        .has_recall = (a)->has_recall, .recall = (a)->recall, .has_count = (a)->has_count,         \
        .has_ef = (a)->has_ef, .has_filter = (a)->has_filter, .has_params = (a)->has_params,       \
        .has_after = (a)->has_after, .count = (a)->count, .ef = (a)->ef, .after = (a)->after,      \
        .has_nprobe = (a)->has_nprobe, .nprobe = (a)->nprobe, .exact = (a)->exact,                 \
        .filter = (a)->filter, .params = (a)->params, .has_offset = (a)->has_offset,               \
        .offset = (a)->offset, .has_radius = (a)->has_radius, .radius = (a)->radius,               \
        .has_fields = (a)->has_fields, .fields = (a)->fields, .has_timeout = (a)->has_timeout,     \
        .timeout = (a)->timeout,                                                                   \
        .refine = {.has_group_by = (a)->has_group_by,                                              \
                   .has_group_size = (a)->has_group_size,                                          \
                   .has_lambda = (a)->has_lambda,                                                  \
                   .has_fetch = (a)->has_fetch,                                                    \
                   .group_by = (a)->group_by,                                                      \
                   .group_size = (a)->group_size,                                                  \
                   .fetch = (a)->fetch,                                                            \
                   .lambda = (a)->lambda},                                                         \
        .with = ((a)->with_dist ? WITH_SCORE : 0u) |                                               \
                ((a)->with_attributes ? WITH_ATTRIBUTE : 0u) |                                     \
                ((a)->with_vectors ? WITH_VECTOR : 0u) | ((a)->raw ? WITH_RAW : 0u) |              \
                ((a)->has_timeout ? WITH_STATUS : 0u)                                              \
    }

/* Options that do not go together; AFTER, which everything written so far satisfies: searches see
 * all that was applied. */
static enum err check_options(const struct request *rq, const struct search_options *o,
                              struct why *why)
{
    uint64_t last = rq->env->db->log.last_lsn;
    if (o->exact && o->has_ef)
        return why_set(why, ERR_ARG, "EXACT and EF contradict each other");
    if (o->has_recall && (o->exact || o->has_ef || o->has_nprobe))
        return why_set(why, ERR_ARG,
                       "RECALL takes the effort itself: it goes with neither EF, NPROBE nor EXACT");
    if (o->exact && o->has_nprobe)
        return why_set(why, ERR_ARG, "EXACT and NPROBE contradict each other");
    if (o->has_params && !o->has_filter)
        return why_set(why, ERR_ARG, "PARAMS without FILTER");
    if ((o->with & WITH_RAW) != 0 && (o->with & WITH_VECTOR) == 0)
        return why_set(why, ERR_ARG, "RAW goes after WITHVECTORS");
    if ((o->has_count ? o->count : 10) + (o->has_offset ? o->offset : 0) > LIMIT_EF)
        return why_set(why, ERR_LIMIT, "OFFSET and COUNT together are at most %d", LIMIT_EF);
    if (o->has_after && (uint64_t)o->after > last)
        return why_set(why, ERR_ARG, "AFTER: LSN %lld has not been reached, the last one is %llu",
                       (long long)o->after, (unsigned long long)last);
    return OK;
}

/* On an error the caller frees s, with whatever was set. */
static enum err apply_options(struct search *s, const struct search_options *o, struct why *why)
{
    struct refine_options refine = o->refine;
    CHECK(!o->has_count || (o->count >= 1 && o->count <= LIMIT_EF));
    CHECK(!o->has_ef || (o->ef >= 1 && o->ef <= LIMIT_EF));
    s->offset = o->has_offset ? (size_t)o->offset : 0;
    s->count = s->offset + (o->has_count ? (size_t)o->count : 10);
    s->effort = o->has_ef ? (size_t)o->ef : 0;
    s->probes = o->has_nprobe ? (size_t)o->nprobe : 0;
    if (o->has_nprobe && s->view.collection->spec.index != INDEX_IVF)
        return why_set(why, ERR_ARG, "NPROBE belongs to INDEX IVF, EF to HNSW");
    s->radius = o->has_radius ? (float)o->radius : INFINITY;
    s->target = o->has_recall ? o->recall : 0;
    s->exact = o->exact;
    s->with = o->with;
    s->encode = refine.has_group_by ? encode_groups : encode_vsearch;
    refine.wanted = (int64_t)s->count;
    if (o->has_timeout)
        s->deadline_us = s->db->io->ops->mono_us(s->db->io) + (uint64_t)o->timeout * 1000;
    enum err e = read_refine(&refine, &s->refine, why);
    if (e == OK)
        e = read_return(&o->fields, o->has_fields, &s->pick, why);
    if (e == OK)
        e = choose_partitions(s->view.collection, o->key, &o->partitions, o->has_partitions,
                              &s->choice, why);
    if (e != OK || !o->has_filter)
        return e;
    return compile_filter(o->filter, o->has_params ? &o->params : NULL, &s->filter, why);
}

void cmd_vsearch(struct request *rq)
{
    const struct vsearch_args *a = rq->args;
    struct search_options options = SEARCH_OPTIONS(a);
    options.refine.examples = a->vector.form == VECTOR_EXAMPLES ? &a->vector : NULL;
    struct why why = {{0}};
    struct collection *c = need_collection(rq, a->key);
    if (c == NULL)
        return;
    enum err e = check_options(rq, &options, &why);
    struct search *s = e == OK ? search_new(rq->env->db, c, 1) : NULL;
    if (e == OK && s == NULL)
        e = ERR_NOMEM;
    if (e == OK)
        e = read_query(rq, c, &a->vector, s->queries, &why);
    if (e == OK)
        e = apply_options(s, &options, &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        search_free(s);
        return;
    }
    search_for_client(rq, s);
}

/* All queries of a VMSEARCH into s->queries. */
static enum err read_queries(struct request *rq, struct collection *c,
                             const struct vmsearch_args *a, struct search *s, struct why *why)
{
    enum vec_type type = a->has_type ? (enum vec_type)a->type : TYPE_FP32;
    size_t size = type_size(type, input_dim(&c->spec));
    CHECK(a->blob.len == s->query_count * size);
    enum err e = OK;
    for (size_t i = 0; i < s->query_count && e == OK; i++) {
        struct vector_arg arg = {
            .form = VECTOR_BLOB, .type = type, .bytes = {a->blob.ptr + i * size, size}};
        e = query_of_vector(rq, c, &arg, s->queries + i * c->spec.dim, why);
    }
    return e;
}

void cmd_vmsearch(struct request *rq)
{
    const struct vmsearch_args *a = rq->args;
    const struct search_options options = SEARCH_OPTIONS(a);
    struct why why = {{0}};
    struct collection *c = need_collection(rq, a->key);
    if (c == NULL)
        return;
    size_t count = (size_t)a->queries;
    enum vec_type type = a->has_type ? (enum vec_type)a->type : TYPE_FP32;
    enum err e = check_options(rq, &options, &why);
    if (e == OK)
        e = vector_check_many(&c->spec, type, a->blob, count, "queries", &why);
    struct search *s = e == OK ? search_new(rq->env->db, c, count) : NULL;
    if (e == OK && s == NULL)
        e = ERR_NOMEM;
    if (e == OK)
        e = read_queries(rq, c, a, s, &why);
    if (e == OK)
        e = apply_options(s, &options, &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        search_free(s);
        return;
    }
    struct reply r = {&s->reply, rq->client->proto};
    reply_array(&r, count);
    search_for_client(rq, s);
}
