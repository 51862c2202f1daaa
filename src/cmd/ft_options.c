/* The options of FT.SEARCH, in any order behind the query. */
#include <math.h>

#include "base/geo.h"
#include "base/limits.h"
#include "cmd/ft.h"
#include "cmd/ft_words.h"

enum { RESULTS_DEFAULT = 10, FILTER_WORDS = 3, GEO_FILTER_WORDS = 5 };

/* RETURN n what [AS name] ...: n counts all these words. */
static enum err read_return(struct ft_words *w, struct ft_options *o)
{
    struct slices words = {0};
    enum err e = ft_words_list(w, "RETURN", &words);
    if (e != OK)
        return e;
    mem_free(MEM_SCRATCH, o->returns);
    o->returns = mem_try_calloc(MEM_SCRATCH, words.count * sizeof(*o->returns));
    if (o->returns == NULL)
        return ERR_NOMEM;
    struct ft_words own = {words.items, 0, words.count, w->why};
    o->return_count = 0;
    o->has_return = true;
    while (e == OK && own.at < own.end) {
        struct ft_return *r = &o->returns[o->return_count++];
        r->what = r->as = own.items[own.at++];
        if (ft_words_next_is(&own, "AS"))
            e = ft_words_take(&own, "RETURN path AS name - must be accompanied with NAME", &r->as);
    }
    return e;
}

static enum err read_params(struct ft_words *w, struct ft_options *o)
{
    struct slices words = {0};
    if (o->params != NULL)
        return why_set(w->why, ERR_ARG,
                       "Multiple PARAMS are not allowed. Parameters can be "
                       "defined only once");
    enum err e = ft_words_list(w, "PARAMS", &words);
    if (e != OK)
        return e;
    if (words.count == 0 || words.count % 2 != 0)
        return why_set(w->why, ERR_ARG, "Parameters must be specified in PARAM VALUE pairs");
    o->params = mem_try_calloc(MEM_SCRATCH, words.count / 2 * sizeof(*o->params));
    if (o->params == NULL)
        return ERR_NOMEM;
    o->param_count = words.count / 2;
    for (size_t i = 0; i < o->param_count; i++)
        o->params[i] = (struct query_param){words.items[2 * i], words.items[2 * i + 1]};
    return OK;
}

static enum err read_sort(struct ft_words *w, struct ft_options *o)
{
    o->has_sort = true;
    enum err e = ft_words_take(w, "SORTBY", &o->sort_by);
    o->descending = e == OK && ft_words_next_is(w, "DESC");
    if (e == OK && !o->descending)
        (void)ft_words_next_is(w, "ASC");
    if (o->sort_by.len > 0 && o->sort_by.ptr[0] == '@') {
        o->sort_by.ptr++;
        o->sort_by.len--;
    }
    return e;
}

static enum err read_limit(struct ft_words *w, struct ft_options *o)
{
    enum err e = ft_words_count(w, "LIMIT", UINT32_MAX, &o->offset);
    if (e == OK)
        e = ft_words_count(w, "LIMIT", UINT32_MAX, &o->count);
    if (e != OK)
        return why_set(w->why, ERR_ARG, "LIMIT needs two numeric arguments");
    if (o->offset + o->count > LIMIT_EF)
        return why_set(w->why, ERR_LIMIT, "LIMIT exceeds maximum of %d", LIMIT_EF);
    return OK;
}

static enum err add_clause(struct ft_words *w, struct ft_options *o, struct slice field,
                           const struct query_node *node)
{
    if (field.len == 0)
        return why_set(w->why, ERR_ARG, "Unknown field at offset 0 near ");
    if (o->clause_count == LIMIT_QUERY_FILTERS)
        return why_set(w->why, ERR_LIMIT, "at most %d filters beside a query", LIMIT_QUERY_FILTERS);
    if (o->clauses == NULL)
        o->clauses = mem_try_calloc(MEM_SCRATCH, LIMIT_QUERY_FILTERS * sizeof(*o->clauses));
    if (o->clauses == NULL)
        return ERR_NOMEM;
    o->clauses[o->clause_count++] = (struct query_clause){field, *node};
    return OK;
}

static enum err read_dialect(struct ft_words *w, struct ft_options *o)
{
    uint64_t n = 0;
    enum err e = ft_words_count(w, "DIALECT", UINT32_MAX, &n);
    if (e == OK && (n < 1 || n > 4))
        return why_set(w->why, ERR_ARG, "DIALECT requires a non negative integer >=1 and <= 4");
    o->dialect = (unsigned)n;
    return e;
}

static enum err read_language(struct ft_words *w, struct ft_options *o)
{
    struct slice word = {0};
    enum err e = ft_words_take(w, "LANGUAGE", &word);
    o->has_language = true;
    if (e == OK && !text_language_find(word, &o->words.language))
        return why_set(w->why, ERR_ARG, "No such language %.*s",
                       (int)(word.len < 64 ? word.len : 64), (const char *)word.ptr);
    return e;
}

static enum err read_scorer(struct ft_words *w, struct ft_options *o)
{
    struct slice word = {0};
    enum err e = ft_words_take(w, "SCORER", &word);
    if (e == OK && !text_scorer_find(word, &o->words.scorer))
        return why_set(w->why, ERR_ARG, "No such scorer %.*s", (int)(word.len < 64 ? word.len : 64),
                       (const char *)word.ptr);
    return e;
}

/* What a word stands for besides itself: its stem, its synonyms, or both. */
static enum err read_expander(struct ft_words *w, struct ft_options *o)
{
    struct slice word = {0};
    enum err e = ft_words_take(w, "EXPANDER", &word);
    o->words.no_stems = slice_eq_nocase(word, "SYNONYM");
    o->words.no_synonyms = slice_eq_nocase(word, "SBSTEM");
    if (e == OK && !o->words.no_stems && !o->words.no_synonyms && !slice_eq_nocase(word, "DEFAULT"))
        e = why_set(w->why, ERR_ARG, "No such expander %.*s", (int)(word.len < 64 ? word.len : 64),
                    (const char *)word.ptr);
    return e;
}

static enum err read_slop(struct ft_words *w, struct ft_options *o)
{
    uint64_t slop = 0;
    enum err e = ft_words_count(w, "SLOP", UINT32_MAX, &slop);
    o->words.slop = (int64_t)slop;
    return e;
}

static enum err read_in_fields(struct ft_words *w, struct ft_options *o)
{
    struct slices fields = {0};
    enum err e = ft_words_list(w, "INFIELDS", &fields);
    o->words.fields = fields.items;
    o->words.field_count = fields.count;
    return e;
}

/* What is said of the words of a query. */
static enum err read_text_option(struct ft_words *w, struct ft_options *o, bool *found)
{
    if (ft_words_next_is(w, "VERBATIM"))
        o->words.verbatim = true;
    else if (ft_words_next_is(w, "NOSTOPWORDS"))
        o->words.no_stop_words = true;
    else if (ft_words_next_is(w, "INORDER"))
        o->words.in_order = true;
    else if (ft_words_next_is(w, "LANGUAGE"))
        return read_language(w, o);
    else if (ft_words_next_is(w, "SCORER"))
        return read_scorer(w, o);
    else if (ft_words_next_is(w, "EXPANDER"))
        return read_expander(w, o);
    else if (ft_words_next_is(w, "SLOP"))
        return read_slop(w, o);
    else if (ft_words_next_is(w, "INFIELDS"))
        return read_in_fields(w, o);
    else
        *found = false;
    return OK;
}

/* A bound of FILTER: a number, inf, +inf or -inf; behind ( it is not part of the range. */
static bool read_bound(struct slice word, double *bound, bool *open)
{
    *open = word.len > 0 && word.ptr[0] == '(';
    if (*open)
        word = (struct slice){word.ptr + 1, word.len - 1};
    *bound = slice_eq_nocase(word, "-inf") ? -INFINITY : INFINITY;
    return slice_eq_nocase(word, "-inf") || slice_eq_nocase(word, "+inf") ||
           slice_eq_nocase(word, "inf") || (slice_to_f64(word, bound) && !isnan(*bound));
}

/* FILTER field low high */
static enum err read_filter(struct ft_words *w, struct ft_options *o)
{
    struct slice field = {0}, low = {0}, high = {0};
    struct query_node node = {.kind = QUERY_NUMERIC};
    if (w->end - w->at < FILTER_WORDS)
        return why_set(w->why, ERR_ARG, "FILTER requires %d arguments", FILTER_WORDS);
    enum err e = ft_words_take(w, "FILTER", &field);
    if (e == OK)
        e = ft_words_take(w, "FILTER", &low);
    if (e == OK)
        e = ft_words_take(w, "FILTER", &high);
    if (e != OK)
        return e;
    if (!read_bound(low, &node.range.low, &node.range.low_open))
        return why_set(w->why, ERR_ARG, "Bad lower range: %.*s", (int)(low.len < 32 ? low.len : 32),
                       (const char *)low.ptr);
    if (!read_bound(high, &node.range.high, &node.range.high_open))
        return why_set(w->why, ERR_ARG, "Bad upper range: %.*s",
                       (int)(high.len < 32 ? high.len : 32), (const char *)high.ptr);
    return add_clause(w, o, field, &node);
}

/* GEOFILTER field longitude latitude radius unit */
static enum err read_geo_filter(struct ft_words *w, struct ft_options *o)
{
    static const char *const names[] = {"<lon>", "<lat>", "<radius>"};
    struct slice field = {0}, unit = {0};
    double numbers[COUNT_OF(names)] = {0};
    if (w->end - w->at < GEO_FILTER_WORDS)
        return why_set(w->why, ERR_ARG, "GEOFILTER requires %d arguments", GEO_FILTER_WORDS);
    enum err e = ft_words_take(w, "GEOFILTER", &field);
    for (size_t i = 0; i < COUNT_OF(names) && e == OK; i++)
        e = ft_words_number(w, names[i], &numbers[i]);
    if (e == OK)
        e = ft_words_take(w, "<unit>", &unit);
    if (e != OK)
        return e;
    double metres = query_unit_metres(unit);
    struct geo_point centre = {numbers[0], numbers[1]};
    if (metres == 0)
        return why_set(w->why, ERR_ARG, "Unknown distance unit %.*s",
                       (int)(unit.len < 32 ? unit.len : 32), (const char *)unit.ptr);
    if (!(numbers[2] > 0))
        return why_set(w->why, ERR_ARG, "Invalid GeoFilter radius");
    if (!geo_valid(centre))
        return why_set(w->why, ERR_ARG, "Invalid GeoFilter lat/lon");
    struct query_node node = {.kind = QUERY_GEO,
                              .circle = {centre.longitude, centre.latitude, numbers[2] * metres}};
    return add_clause(w, o, field, &node);
}

static enum err read_format(struct ft_words *w)
{
    struct slice word = {0};
    enum err e = ft_words_take(w, "FORMAT", &word);
    if (e == OK && !slice_eq_nocase(word, "STRING"))
        e = why_set(w->why, ERR_ARG, "FORMAT %.*s is not supported",
                    (int)(word.len < 64 ? word.len : 64), (const char *)word.ptr);
    return e;
}

enum err ft_options_shared(struct ft_words *w, struct ft_options *o, bool *found)
{
    *found = true;
    if (ft_words_next_is(w, "PARAMS"))
        return read_params(w, o);
    if (ft_words_next_is(w, "DIALECT"))
        return read_dialect(w, o);
    if (ft_words_next_is(w, "TIMEOUT"))
        return ft_words_count(w, "TIMEOUT", LIMIT_TIMEOUT_MS, &o->timeout_ms);
    if (ft_words_next_is(w, "FORMAT"))
        return read_format(w);
    if (ft_words_next_is(w, "INKEYS")) {
        o->has_keys = true;
        return ft_words_list(w, "INKEYS", &o->keys);
    }
    return read_text_option(w, o, found);
}

static enum err read_one(struct ft_words *w, struct ft_options *o)
{
    bool found;
    if (ft_words_next_is(w, "NOCONTENT"))
        o->no_content = true;
    else if (ft_words_next_is(w, "WITHSCORES"))
        o->with_scores = true;
    else if (ft_words_next_is(w, "WITHPAYLOADS"))
        o->with_payloads = true;
    else if (ft_words_next_is(w, "WITHSORTKEYS"))
        o->with_sort_keys = true;
    else if (ft_words_next_is(w, "RETURN"))
        return read_return(w, o);
    else if (ft_words_next_is(w, "SORTBY"))
        return read_sort(w, o);
    else if (ft_words_next_is(w, "LIMIT"))
        return read_limit(w, o);
    else if (ft_words_next_is(w, "FILTER"))
        return read_filter(w, o);
    else if (ft_words_next_is(w, "GEOFILTER"))
        return read_geo_filter(w, o);
    else if (ft_words_next_is(w, "SUMMARIZE"))
        return ft_marks_read_pieces(w, &o->marks);
    else if (ft_words_next_is(w, "HIGHLIGHT"))
        return ft_marks_read(w, &o->marks);
    else {
        enum err e = ft_options_shared(w, o, &found);
        return e == OK && !found ? ft_words_unknown(w) : e;
    }
    return OK;
}

const char ft_timeout_text[] = "Timeout limit was reached";

void ft_options_init(struct ft_options *o, const struct config *config)
{
    *o = (struct ft_options){.count = RESULTS_DEFAULT,
                             .dialect = (unsigned)config->search_default_dialect,
                             .timeout_ms = (uint64_t)config->search_timeout,
                             .fails_late = config->search_on_timeout == ON_TIMEOUT_FAIL,
                             .words = {.slop = TEXT_NO_SLOP}};
}

/* FIELDS of SUMMARIZE and HIGHLIGHT stand for RETURN where there is none, as in RediSearch. */
static enum err return_marked(struct ft_options *o)
{
    o->returns = mem_try_calloc(MEM_SCRATCH, o->marks.count * sizeof(*o->returns));
    if (o->returns == NULL)
        return ERR_NOMEM;
    o->has_return = true;
    for (; o->return_count < o->marks.count; o->return_count++) {
        struct slice name = o->marks.fields[o->return_count].name;
        o->returns[o->return_count] = (struct ft_return){name, name};
    }
    return OK;
}

enum err ft_options_read(const struct slices *words, const struct config *config,
                         struct ft_options *out, struct why *why)
{
    struct ft_words w = {.items = words->items, .end = words->count, .why = why};
    enum err e = OK;
    ft_options_init(out, config);
    while (e == OK && w.at < w.end)
        e = read_one(&w, out);
    if (e == OK && out->marks.count > 0 && !out->has_return)
        e = return_marked(out);
    ft_marks_settle(&out->marks);
    if (e != OK)
        ft_options_fini(out);
    return e;
}

void ft_options_fini(struct ft_options *o)
{
    mem_free(MEM_SCRATCH, o->returns);
    mem_free(MEM_SCRATCH, o->params);
    mem_free(MEM_SCRATCH, o->clauses);
    ft_marks_fini(&o->marks);
    *o = (struct ft_options){0};
}
