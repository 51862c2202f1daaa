/* Judging what searches find. */
#include <math.h>
#include <stdlib.h>

#include "sim/workload_private.h"

enum { EFFORT_SURE = 10 };

/* An element that was there when the search ran. */
struct candidate {
    double dist;
    unsigned id;
    bool always; /* the filter has let it through all the time since */
};

/* What a search may find. */
struct truth {
    const struct model_collection *collection;
    const struct search_want *want;
    float query[MODEL_DIM_MAX];
    uint64_t now_ms;                 /* the clock it ran by */
    uint64_t at, now;                /* when it ran, and when it is judged */
    struct candidate all[MODEL_IDS]; /* that the filter let through at some time, nearest first */
    size_t count, always;
    double dist[MODEL_IDS]; /* by id; NAN: not among them */
};

static bool near(double a, double b)
{
    return fabs(a - b) <= 2e-4 * (1 + fabs(b));
}

static int by_distance(const void *a, const void *b)
{
    double x = ((const struct candidate *)a)->dist, y = ((const struct candidate *)b)->dist;
    return (x > y) - (x < y);
}

/* What a filter has made of the element, at any time from the search to now. */
static void filter_element(const struct truth *t, const struct model_element *e, bool *ever,
                           bool *always)
{
    *ever = false;
    *always = true;
    if (t->want->filter == MODEL_FILTERS) {
        *ever = true;
        return;
    }
    uint64_t last = t->now < e->death ? t->now : e->death - 1;
    for (const struct model_attribute *a = e->attribute; a != NULL; a = a->before) {
        if (a->from > last)
            continue;
        bool matches = model_filter_matches(t->want->filter, a->json);
        *ever = *ever || matches;
        *always = *always && matches;
        if (a->from <= t->at)
            break;
    }
}

static void gather(struct truth *t)
{
    t->count = t->always = 0;
    for (unsigned id = 0; id < MODEL_IDS; id++) {
        const struct model_element *e =
            model_element_seen(t->collection, id, t->at, t->now_ms);
        bool ever, always;
        t->dist[id] = NAN;
        if (e == NULL ||
            (t->want->partitions != 0 && (t->want->partitions >> e->partition & 1) == 0))
            continue;
        filter_element(t, e, &ever, &always);
        if (!ever)
            continue;
        t->dist[id] = model_distance(&t->collection->spec, t->query, e->vector);
        t->all[t->count++] = (struct candidate){t->dist[id], id, always};
        t->always += always;
    }
    qsort(t->all, t->count, sizeof(t->all[0]), by_distance);
}

/* Is the attribute one the element has had since the search ran? */
static bool attribute_fits(const struct truth *t, unsigned id, const redisReply *r)
{
    const struct model_element *e = model_element_at(t->collection, id, t->at);
    for (const struct model_attribute *a = e->attribute; a != NULL; a = a->before) {
        if (a->from <= t->now &&
            (a->json.len == 0 ? reply_is_nil(r) : slice_eq(a->json, reply_slice(r))))
            return true;
        if (a->from <= t->at)
            break;
    }
    return false;
}

/* The members of one hit, in the command's shape. */
struct hit_reply {
    const redisReply *id, *dist, *attribute;
};

static size_t hit_width(const struct search_want *want)
{
    return 1u + want->with_dist + want->with_attributes;
}

/* VSIM's hits stand flat in one array, VSEARCH's are arrays when they have members. */
static size_t hit_count(const struct search_want *want, const redisReply *r)
{
    size_t width = want->vsim ? hit_width(want) : 1;
    return r->elements % width == 0 ? r->elements / width : SIZE_MAX;
}

static bool hit_at(const struct search_want *want, const redisReply *r, size_t i,
                   struct hit_reply *out)
{
    size_t width = hit_width(want);
    redisReply **of = &r->element[want->vsim ? width * i : i];
    if (!want->vsim && width > 1) {
        if (!reply_is_list(*of) || (*of)->elements != width)
            return false;
        of = (*of)->element;
    }
    *out = (struct hit_reply){of[0], of[want->with_dist], of[width - 1]};
    return true;
}

/* Each hit was there, matched, and says the right things; nearest first. */
static const char *check_hits(const struct truth *t, const redisReply *r, size_t count, bool exact,
                              double dist[MODEL_IDS])
{
    bool seen[MODEL_IDS] = {false};
    for (size_t i = 0; i < count; i++) {
        struct hit_reply hit;
        if (!hit_at(t->want, r, i, &hit))
            return "a hit has the wrong members";
        unsigned id = model_id_of(reply_slice(hit.id));
        if (id == MODEL_IDS || seen[id])
            return "a hit is no id, or stands there twice";
        seen[id] = true;
        dist[i] = t->dist[id];
        if (isnan(dist[i]))
            return "a hit was not there, or does not match";
        if (exact && i > 0 && dist[i] < dist[i - 1] && !near(dist[i], dist[i - 1]))
            return "hits are not in order";
        if (t->want->with_dist) {
            double said = reply_number(hit.dist);
            double is = t->want->vsim ? 1 - dist[i] / 2 : dist[i];
            if (isnan(said) || (exact && !near(said, is)))
                return "a hit has the wrong distance";
        }
        if (t->want->with_attributes && !attribute_fits(t, id, hit.attribute))
            return "a hit has an attribute it never had";
    }
    return NULL;
}

/* The exact answer, where the filter leaves no doubt. */
static const char *check_exact(const struct truth *t, size_t count, const double dist[MODEL_IDS])
{
    for (size_t i = 0; i < count && t->always == t->count; i++)
        if (!near(dist[i], t->all[i].dist))
            return "an exact search missed an element";
    return NULL;
}

/* An element much nearer than all others is found by nearly every walk, and by every search when it
 * is not linked yet. */
static const char *check_nearest(struct world *w, const struct ask *cmd, const struct truth *t,
                                 size_t count, const double dist[MODEL_IDS])
{
    size_t effort = t->want->ef > 0 ? t->want->ef : model_tuning_at(t->collection, t->at)->ef;
    if (count == 0 || !t->all[0].always || effort < EFFORT_SURE)
        return NULL;
    size_t wanted = count < 10 ? count : 10;
    for (size_t i = 0, at = 0; i < wanted && t->always == t->count; i++) {
        while (at < count && dist[at] < t->all[i].dist && !near(dist[at], t->all[i].dist))
            at++;
        w->found += at < count && near(dist[at], t->all[i].dist);
        w->wanted++;
    }
    bool by_far = t->count == 1 || t->all[1].dist > 10 * fabs(t->all[0].dist) + 0.1;
    bool found = dist[0] <= t->all[0].dist || near(dist[0], t->all[0].dist);
    if (!by_far)
        return NULL;
    w->sought++;
    w->lost += !found;
    bool pending = cmd->pending != NULL && cmd->pending[t->all[0].id];
    return pending && !found ? "the nearest by far was not linked yet, and was not found" : NULL;
}

/* The error or the empty answer of a search that cannot run. *over: this was all. */
static const char *check_refusal(const struct ask *cmd, const struct model_collection *c,
                                 uint64_t at, const redisReply *r, bool *over)
{
    bool right = true;
    *over = true;
    if (c == NULL)
        right = cmd->want.vsim ? reply_is_list(r) && r->elements == 0
                               : reply_is_error(r, "no such collection");
    else if (cmd->form == FORM_ELEMENT)
        *over = model_element_seen(c, cmd->ids[0], at, cmd->now_ms) == NULL;
    else
        *over = cmd->dim != (c->spec.projection_from > 0 ? c->spec.projection_from : c->spec.dim) ||
                (cmd->want.vsim && c->spec.implicit && cmd->type != TYPE_FP32);
    /* VSEARCH takes a query that was projected before. */
    bool as_stored = c != NULL && cmd->form != FORM_ELEMENT && !cmd->want.vsim &&
                     c->projection != NULL && cmd->dim == c->spec.dim;
    unsigned missing =
        c == NULL ? 0 : cmd->want.partitions & ~(c->spec.implicit ? 0 : model_partitions_at(c, at));
    *over = *over || missing != 0;
    as_stored = as_stored && missing == 0;
    if (c != NULL && *over)
        right = as_stored ? reply_is_list(r) : reply_is_error(r, "ERR");
    return right ? NULL : "a search that cannot run is not refused";
}

const char *check_search(struct world *w, const struct ask *cmd, size_t query, const redisReply *r,
                         uint64_t at)
{
    static struct truth t; /* large; one search is judged at a time */
    double dist[MODEL_IDS];
    bool over;
    struct model_held *held = model_seen_at(w->model, cmd->key, at, cmd->now_ms);
    t.collection = held == NULL ? NULL : held->collection;
    const char *wrong = check_refusal(cmd, t.collection, at, r, &over);
    if (wrong != NULL || over)
        return wrong;
    const struct collection_spec *spec = &t.collection->spec;
    CHECK(spec->dim <= MODEL_DIM_MAX);
    if (cmd->form == FORM_ELEMENT)
        memcpy(t.query, model_element_at(t.collection, cmd->ids[0], at)->vector,
               spec->dim * sizeof(float));
    else if (!model_query(t.collection, cmd->vectors + query * cmd->dim, t.query))
        return reply_is_error(r, "vector") ? NULL : "a query that does not fit is not refused";
    t.want = &cmd->want;
    t.at = at;
    t.now_ms = cmd->now_ms;
    t.now = model_now(w->model);
    gather(&t);
    size_t most = cmd->want.count > 0 ? cmd->want.count : 10;
    if (!reply_is_list(r))
        return "not a list of hits";
    size_t count = hit_count(t.want, r);
    if (count > most || count > t.count)
        return "more hits than wanted or there";
    if (count < most && count < t.always)
        return "fewer hits than wanted and there";
    bool exact = spec->keep_originals || spec->quant == QUANT_NONE;
    wrong = check_hits(&t, r, count, exact, dist);
    if (wrong == NULL && exact && cmd->want.exact)
        wrong = check_exact(&t, count, dist);
    if (wrong == NULL && exact && spec->quant != QUANT_BIN && spec->metric != METRIC_IP)
        wrong = check_nearest(w, cmd, &t, count, dist);
    return wrong;
}
