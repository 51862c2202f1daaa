/* A query becomes a search of one of the index's collections; a lane finds the keys. */
#include "cmd/ft_plan.h"

#include <float.h>
#include <math.h>
#include <stdio.h>

#include "base/limits.h"

/* -- [lane] what was found: how many in all, then distances and key of some -------------------- */

static double score_of(const struct search *s, uint32_t row)
{
    const struct ft_ask *ask = s->extra;
    return ask->text == NULL ? 1 : key_text_score(ask->text, &s->view, row);
}

static void put_hit(struct search *s, float distance, const float *side, uint32_t row)
{
    const struct ft_ask *ask = s->extra;
    bytes_put_f32(&s->reply, distance);
    bytes_put_f32(&s->reply, (float)score_of(s, row));
    for (size_t i = 0; i < ask->sides.count; i++)
        bytes_put_f32(&s->reply, side[i]);
    bytes_put_slice(&s->reply, view_id(&s->view, row));
}

struct ft_hit ft_hit_read(struct bytes_reader *r, const struct ft_ask *ask)
{
    struct ft_hit hit;
    hit.distance = bytes_get_f32(r);
    hit.score = (double)bytes_get_f32(r);
    for (size_t i = 0; i < ask->sides.count; i++)
        hit.side[i] = bytes_get_f32(r);
    hit.key = bytes_get_slice(r);
    return hit;
}

size_t ft_ask_distances(const struct ft_ask *ask, struct slice names[1 + FT_SIDES_MAX])
{
    if (ask->distance_as.len == 0)
        return 0;
    names[0] = ask->distance_as;
    for (size_t i = 0; i < ask->sides.count; i++)
        names[1 + i] = ask->sides.items[i].distance_as;
    return 1 + ask->sides.count;
}

int ft_ask_distance(const struct ft_ask *ask, struct slice name)
{
    if (ask->distance_as.len > 0 && slice_eq(name, ask->distance_as))
        return 0;
    for (size_t i = 0; i < ask->sides.count; i++)
        if (slice_eq(name, ask->sides.items[i].distance_as))
            return (int)i + 1;
    return -1;
}

double ft_hit_distance(const struct ft_hit *hit, int number)
{
    CHECK(number >= 0 && number <= FT_SIDES_MAX);
    return (double)(number == 0 ? hit->distance : hit->side[number - 1]);
}

/* Under COSINE a float dot product of a vector with itself misses 1 by its last bit. */
static float shown_distance(const struct search *s, float distance)
{
    bool cosine = s->view.collection->spec.metric == METRIC_COSINE;
    return cosine && fabsf(distance) <= FLT_EPSILON ? 0 : distance;
}

static void encode_hits(struct search *s, const struct hit *hits, size_t count)
{
    bytes_put_u64(&s->reply, count);
    for (size_t i = 0; i < count; i++)
        put_hit(s, shown_distance(s, hits[i].dist), NULL, hits[i].row);
}

static bool count_row(void *user, uint32_t row)
{
    (void)row;
    ++*(uint64_t *)user;
    return true;
}

/* -- by score ---------------------------------------------------------------------------------- */

/* The first of all as a heap that keeps the least; the distance is the score turned around. */
struct ranking {
    struct search *s;
    struct topk top;
    uint64_t total;
};

static bool rank_row(void *user, uint32_t row)
{
    struct ranking *r = user;
    float distance = (float)-score_of(r->s, row);
    r->total++;
    if (topk_wants(&r->top, distance))
        topk_push(&r->top, (struct hit){distance, row});
    return true;
}

static enum err run_ranked(struct search *s, struct lane *lane)
{
    const struct ft_ask *ask = s->extra;
    struct ranking r = {.s = s};
    size_t most = ask->rows.offset + ask->rows.count;
    most = most < s->view.live ? most : s->view.live;
    struct hit *room = mem_try(MEM_SCRATCH, (most + 1) * sizeof(*room));
    if (room == NULL)
        return ERR_NOMEM;
    topk_init(&r.top, room, most);
    query_each(s, lane, rank_row, &r);
    topk_sort(&r.top);
    bytes_put_u64(&s->reply, r.total);
    for (size_t i = ask->rows.offset; i < r.top.count; i++)
        put_hit(s, 0, NULL, room[i].row);
    mem_free(MEM_SCRATCH, room);
    return OK;
}

/* Documents without a vector in the query. */
static enum err run_plain(struct search *s, struct lane *lane)
{
    struct ft_ask *ask = s->extra;
    if (ask->by_score)
        return run_ranked(s, lane);
    uint64_t total = 0;
    uint32_t *rows;
    size_t count;
    if (s->plan.exact)
        total = s->plan.bound;
    else
        query_each(s, lane, count_row, &total);
    enum err e = query_rows(s, lane, &ask->rows, &rows, &count);
    if (e != OK)
        return e;
    bytes_put_u64(&s->reply, total);
    for (size_t i = 0; i < count; i++)
        put_hit(s, 0, NULL, rows[i]);
    mem_free(MEM_SCRATCH, rows);
    return OK;
}

/* -- VECTOR_RANGE ------------------------------------------------------------------------------ */

static void count_near(struct search *s, size_t count)
{
    bytes_put_u64(&s->reply, count);
}

static void put_near(struct search *s, const struct ft_near *near)
{
    put_hit(s, near->distance, near->side, near->row);
}

static enum err run_near(struct search *s, struct lane *lane)
{
    const struct ft_ask *ask = s->extra;
    return ft_near_run(s, lane, &ask->sides, count_near, put_near);
}

/* -- planning ---------------------------------------------------------------------------------- */

enum err ft_words_copy(struct ft_ask *ask, const struct slices *words)
{
    size_t size = 0;
    for (size_t i = 0; i < words->count; i++)
        size += words->items[i].len;
    ask->bytes = mem_try(MEM_SCRATCH, size);
    ask->words = mem_try_calloc(MEM_SCRATCH, (words->count + 1) * sizeof(*ask->words));
    if (ask->bytes == NULL || ask->words == NULL)
        return ERR_NOMEM;
    uint8_t *at = ask->bytes;
    for (size_t i = 0; i < words->count; i++) {
        ask->words[i] = (struct slice){at, words->items[i].len};
        if (words->items[i].len > 0)
            memcpy(at, words->items[i].ptr, words->items[i].len);
        at += words->items[i].len;
    }
    return OK;
}

/* The name that a distance goes by: said by the query, or made of the field's. */
static enum err name_distance(struct slice said, struct slice field, struct slice *out,
                              char **default_as)
{
    static const char shape[] = "__%.*s_score";
    *out = said;
    if (said.len > 0)
        return OK;
    size_t room = sizeof(shape) + field.len;
    *default_as = mem_try(MEM_SCRATCH, room);
    if (*default_as == NULL)
        return ERR_NOMEM;
    int size = snprintf(*default_as, room, shape, (int)field.len, (const char *)field.ptr);
    CHECK(size > 0 && (size_t)size < room);
    *out = slice_of(*default_as);
    return OK;
}

/* The VECTOR field of a name in a query. */
static enum err vector_field(const struct key_index *x, struct slice name,
                             const struct index_field **out, struct why *why)
{
    *out = index_spec_field(x->spec, name);
    if (*out == NULL || (*out)->kind != INDEX_VECTOR)
        return why_set(why, ERR_ARG, "Unknown vector field: `%.*s`",
                       (int)(name.len < 64 ? name.len : 64), (const char *)name.ptr);
    return OK;
}

static enum err plan_knn(struct key_index *x, struct ft_ask *ask, struct search **out,
                         struct why *why)
{
    const struct query_knn *knn = &ask->query.knn;
    const struct index_field *field;
    enum err e = vector_field(x, knn->field, &field, why);
    if (e == OK && knn->k > LIMIT_EF)
        e = why_set(why, ERR_LIMIT,
                    "Error parsing vector similarity parameters: KNN finds at most "
                    "%d",
                    LIMIT_EF);
    if (e == OK)
        e = name_distance(knn->distance_as, knn->field, &ask->distance_as, &ask->default_as);
    if (e != OK)
        return e;
    struct search *s = *out = search_new(x->db, index_collection(x, field), 1);
    if (s == NULL)
        return ERR_NOMEM;
    ask->profile.type = "VECTOR";
    s->count = (size_t)knn->k;
    s->effort = knn->ef_runtime > 0 ? (size_t)knn->ef_runtime : 0;
    s->exact = field->vector.flat;
    s->encode = encode_hits;
    return index_query_read(x, field, knn->vector, s->queries, why);
}

/* A VECTOR_RANGE: its field, and the name of its distance. */
static enum err read_near(const struct key_index *x, const struct ft_ask *ask,
                          const struct query_node *radius, const struct index_field **field,
                          struct slice *distance_as, char **default_as, struct why *why)
{
    struct slice name = ask->query.fields[radius->field];
    struct slice as = {0};
    if (radius->traits != QUERY_NO_NODE)
        as = ask->query.traits[radius->traits].distance_as;
    enum err e = vector_field(x, name, field, why);
    return e == OK ? name_distance(as, name, distance_as, default_as) : e;
}

/* $EPSILON, or that of the field. */
static double epsilon_of(const struct ft_ask *ask, const struct query_node *radius,
                         const struct index_field *field)
{
    double said = NAN;
    if (radius->traits != QUERY_NO_NODE)
        said = ask->query.traits[radius->traits].epsilon;
    return isnan(said) ? field->vector.epsilon : said;
}

static enum err plan_side(struct key_index *x, struct ft_ask *ask, const struct query_node *radius,
                          struct why *why)
{
    const struct index_field *field;
    struct ft_side *side = &ask->sides.items[ask->sides.count++];
    *side = (struct ft_side){.radius = (float)radius->near.radius};
    enum err e = read_near(x, ask, radius, &field, &side->distance_as, &side->default_as, why);
    if (e != OK)
        return e;
    side->epsilon = epsilon_of(ask, radius, field);
    struct collection *c = index_collection(x, field);
    side->query = mem_try(MEM_SCRATCH, c->spec.dim * sizeof(*side->query));
    if (side->query == NULL)
        return ERR_NOMEM;
    db_view(x->db, c, &side->view);
    return index_query_read(x, field, radius->near.vector, side->query, why);
}

static enum err plan_near(struct key_index *x, struct ft_ask *ask, const struct key_filter *filter,
                          struct search **out, struct why *why)
{
    const struct index_field *field;
    const struct query_node *radius = filter->radii[0];
    enum err e = read_near(x, ask, radius, &field, &ask->distance_as, &ask->default_as, why);
    if (e != OK)
        return e;
    struct search *s = *out = search_new(x->db, index_collection(x, field), 1);
    ask->sides.items =
        mem_try_calloc(MEM_SCRATCH, filter->radius_count * sizeof(*ask->sides.items));
    if (s == NULL || ask->sides.items == NULL)
        return ERR_NOMEM;
    ask->profile.type = "METRIC - VECTOR DISTANCE";
    s->radius = (float)radius->near.radius;
    ask->sides.epsilon = epsilon_of(ask, radius, field);
    s->work = run_near;
    e = index_query_read(x, field, radius->near.vector, s->queries, why);
    for (size_t i = 1; i < filter->radius_count && e == OK; i++)
        e = plan_side(x, ask, filter->radii[i], why);
    return e;
}

static enum err plan_plain(struct key_index *x, struct ft_ask *ask, struct search **out)
{
    *out = search_new(x->db, x->docs, 1);
    if (*out == NULL)
        return ERR_NOMEM;
    (*out)->work = run_plain;
    ask->profile.type = ask->text != NULL ? "TEXT" : "WILDCARD";
    return OK;
}

static enum err match_words(struct search *s, struct lane *lane)
{
    const struct ft_ask *ask = s->extra;
    return key_text_run(ask->text, s, lane);
}

/* The words are matched in the index as it is now: the search starts in the same turn. */
static void plan_words(struct key_index *x, struct ft_ask *ask, struct search *s)
{
    size_t number = 0;
    while (number < x->spec->vector_count && x->vectors[number] != s->view.collection)
        number++;
    key_text_view(ask->text, s->view.collection == x->docs ? 0 : number + 1);
    s->prepare = match_words;
}

enum err ft_plan(struct key_index *x, struct ft_ask *ask, struct slice text,
                 const struct ft_options *o, struct search **out, struct why *why)
{
    struct key_filter filter = {0};
    ask->rows.offset = (size_t)o->offset;
    ask->rows.count = (size_t)o->count;
    struct key_text_options words = o->words;
    words.scores = ft_needs_scores(o);
    if (!o->has_language)
        words.language = x->spec->language;
    enum err e = query_parse(text, o->dialect, o->params, o->param_count, &ask->query, why);
    ask->profile.parsed_us = ft_profile_now(&ask->profile, x->db);
    if (e == OK)
        e = query_require(&ask->query, o->clauses, o->clause_count, why);
    if (e == OK)
        e = key_filter_make(x, &ask->query, &words, &filter, why);
    ask->text = filter.text;
    ask->by_score = ask->text != NULL && !o->has_sort && !o->any_order;
    if (e == OK && ask->query.knn.given)
        e = plan_knn(x, ask, out, why);
    else if (e == OK && filter.radius_count > 0)
        e = plan_near(x, ask, &filter, out, why);
    else if (e == OK)
        e = plan_plain(x, ask, out);
    if (*out == NULL)
        filter_free(filter.filter);
    else
        (*out)->filter = filter.filter;
    if (e == OK && o->has_keys)
        e = search_name_rows(*out, o->keys.items, o->keys.count);
    if (e == OK && ask->text != NULL)
        plan_words(x, ask, *out);
    else if (e == OK && filter.filter != NULL && (*out)->work == run_plain)
        ask->profile.type = "FILTER";
    return e;
}

void ft_ask_fini(struct ft_ask *ask)
{
    json_pick_free(ask->rows.sort_by);
    query_fini(&ask->query);
    key_text_free(ask->text);
    ft_sides_fini(&ask->sides);
    index_spec_unref(ask->spec);
    mem_free(MEM_SCRATCH, ask->default_as);
    mem_free(MEM_SCRATCH, ask->words);
    mem_free(MEM_SCRATCH, ask->bytes);
}
