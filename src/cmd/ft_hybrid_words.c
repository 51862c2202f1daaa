#include "base/limits.h"
#include "cmd/ft_hybrid.h"

/* SEARCH query [SCORER name] */
static enum err read_search(struct ft_words *w, struct hybrid_words *out)
{
    struct slice word = {0};
    if (!ft_words_next_is(w, "SEARCH"))
        return why_set(w->why, ERR_SYNTAX, "SEARCH argument is required");
    if (w->at == w->end)
        return why_set(w->why, ERR_ARG, "No query string provided for SEARCH");
    out->query = w->items[w->at++];
    if (!ft_words_next_is(w, "SCORER"))
        return OK;
    enum err e = ft_words_take(w, "SCORER", &word);
    if (e == OK && !text_scorer_find(word, &out->scorer))
        return why_set(w->why, ERR_ARG, "No such scorer %.*s", (int)(word.len < 64 ? word.len : 64),
                       (const char *)word.ptr);
    return e;
}

static enum err unknown(const struct ft_words *w, const char *where)
{
    struct slice word = w->items[w->at];
    return why_set(w->why, ERR_ARG, "Unknown argument `%.*s` in %s",
                   (int)(word.len < 64 ? word.len : 64), (const char *)word.ptr, where);
}

/* A count of words, which are names and values in turn. */
static enum err read_pairs(struct ft_words *w, const char *clause, struct ft_words *out)
{
    struct slices words = {0};
    enum err e = ft_words_list(w, clause, &words);
    if (e == OK && words.count % 2 != 0)
        e = why_set(
            w->why, ERR_ARG,
            "%s expects pairs of key value arguments, argument count must be an even number",
            clause);
    *out = (struct ft_words){words.items, 0, words.count, w->why};
    return e;
}

static enum err read_knn(struct ft_words *w, struct hybrid_words *out)
{
    struct ft_words own = {0};
    enum err e = read_pairs(w, "KNN", &own);
    while (e == OK && own.at < own.end) {
        if (ft_words_next_is(&own, "K"))
            e = ft_words_count(&own, "K", LIMIT_HYBRID, &out->k);
        else if (ft_words_next_is(&own, "EF_RUNTIME"))
            e = ft_words_count(&own, "EF_RUNTIME", LIMIT_EF, &out->effort);
        else
            return unknown(&own, "KNN");
    }
    if (e == OK && out->k == 0)
        e = why_set(w->why, ERR_ARG, "Invalid K value");
    return e;
}

static enum err read_range(struct ft_words *w, struct hybrid_words *out)
{
    struct ft_words own = {0};
    bool given = false;
    enum err e = read_pairs(w, "RANGE", &own);
    while (e == OK && own.at < own.end) {
        if (ft_words_next_is(&own, "RADIUS")) {
            e = ft_words_number(&own, "RADIUS", &out->radius);
            given = true;
        } else if (ft_words_next_is(&own, "EPSILON")) {
            e = ft_words_number(&own, "EPSILON", &out->epsilon);
            if (e == OK && !(out->epsilon > 0))
                e = why_set(w->why, ERR_ARG, "Invalid EPSILON value");
        } else {
            return unknown(&own, "RANGE");
        }
    }
    out->by_radius = true;
    if (e == OK && (!given || !(out->radius >= 0)))
        e = why_set(w->why, ERR_ARG,
                    given ? "Invalid RADIUS value" : "Missing required argument RADIUS");
    return e;
}

/* FILTER expression, or with a count of 1 before it */
static enum err read_filter(struct ft_words *w, struct hybrid_words *out)
{
    enum err e = ft_words_take(w, "FILTER", &out->filter);
    if (e == OK && slice_eq(out->filter, slice_of("1")) && w->at < w->end)
        e = ft_words_take(w, "FILTER", &out->filter);
    return e;
}

/* VSIM @field $vector [KNN .. | RANGE ..] [FILTER ..] [YIELD_SCORE_AS name] */
static enum err read_vector(struct ft_words *w, struct hybrid_words *out)
{
    if (!ft_words_next_is(w, "VSIM"))
        return why_set(w->why, ERR_SYNTAX, "VSIM argument is required");
    if (w->end - w->at < 2)
        return why_set(w->why, ERR_SYNTAX,
                       w->at == w->end ? "Missing vector field name" : "Missing vector argument");
    out->field = w->items[w->at++];
    out->param = w->items[w->at++];
    if (out->field.len < 2 || out->field.ptr[0] != '@')
        return why_set(w->why, ERR_SYNTAX, "Missing @ prefix for vector field name");
    if (out->param.len < 2 || out->param.ptr[0] != '$')
        return why_set(w->why, ERR_SYNTAX,
                       "Invalid vector argument, expected a parameter name starting with $");
    out->field = (struct slice){out->field.ptr + 1, out->field.len - 1};
    out->param = (struct slice){out->param.ptr + 1, out->param.len - 1};
    enum err e = OK;
    if (ft_words_next_is(w, "KNN"))
        e = read_knn(w, out);
    else if (ft_words_next_is(w, "RANGE"))
        e = read_range(w, out);
    if (e == OK && ft_words_next_is(w, "FILTER"))
        e = read_filter(w, out);
    if (e == OK && ft_words_next_is(w, "YIELD_SCORE_AS"))
        e = ft_words_take(w, "YIELD_SCORE_AS", &out->vector_score_as);
    return e;
}

static enum err read_weights(struct ft_words *own, struct hybrid_words *out)
{
    bool alpha = false, beta = false;
    enum err e = OK;
    while (e == OK && own->at < own->end) {
        if (ft_words_next_is(own, "WINDOW")) {
            e = ft_words_count(own, "WINDOW", LIMIT_HYBRID, &out->window);
        } else if (!out->linear && ft_words_next_is(own, "CONSTANT")) {
            e = ft_words_number(own, "CONSTANT", &out->constant);
        } else if (out->linear && ft_words_next_is(own, "ALPHA")) {
            e = ft_words_number(own, "ALPHA", &out->alpha);
            alpha = true;
        } else if (out->linear && ft_words_next_is(own, "BETA")) {
            e = ft_words_number(own, "BETA", &out->beta);
            beta = true;
        } else {
            return unknown(own, out->linear ? "LINEAR" : "RRF");
        }
    }
    if (e == OK && alpha != beta)
        e = why_set(own->why, ERR_SYNTAX, "Missing value for %s", alpha ? "BETA" : "ALPHA");
    if (e == OK && (out->window == 0 || !(out->constant > 0)))
        e = why_set(own->why, ERR_ARG, "WINDOW and CONSTANT must be positive");
    return e;
}

/* COMBINE RRF n .. | LINEAR n .. */
static enum err read_combine(struct ft_words *w, struct hybrid_words *out)
{
    struct ft_words own = {0};
    out->linear = ft_words_next_is(w, "LINEAR");
    if (!out->linear && !ft_words_next_is(w, "RRF")) {
        if (w->at == w->end)
            return why_set(w->why, ERR_SYNTAX, "Missing COMBINE method");
        return why_set(w->why, ERR_SYNTAX, "Unknown COMBINE method `%.*s`",
                       (int)(w->items[w->at].len < 64 ? w->items[w->at].len : 64),
                       (const char *)w->items[w->at].ptr);
    }
    enum err e = read_pairs(w, out->linear ? "LINEAR" : "RRF", &own);
    return e == OK ? read_weights(&own, out) : e;
}

enum err ft_hybrid_words(struct ft_words *w, struct hybrid_words *out)
{
    *out = (struct hybrid_words){.k = HYBRID_K,
                                 .constant = HYBRID_CONSTANT,
                                 .alpha = 0.3,
                                 .beta = 0.7,
                                 .window = HYBRID_WINDOW};
    enum err e = read_search(w, out);
    if (e == OK)
        e = read_vector(w, out);
    if (e == OK && ft_words_next_is(w, "COMBINE"))
        e = read_combine(w, out);
    return e;
}
