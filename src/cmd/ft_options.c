/* The options of FT.SEARCH, in any order behind the query. */
#include "base/limits.h"
#include "cmd/ft.h"

enum { RESULTS_DEFAULT = 10 };

struct words {
    const struct slice *items;
    size_t at, end;
    struct why *why;
};

static bool next_is(struct words *w, const char *word)
{
    if (w->at == w->end || !slice_eq_nocase(w->items[w->at], word))
        return false;
    w->at++;
    return true;
}

static enum err bad(const struct words *w, const char *option)
{
    return why_set(w->why, ERR_ARG,
                   "Bad arguments for %s: Could not convert argument to expected "
                   "type",
                   option);
}

static enum err take(struct words *w, const char *option, struct slice *out)
{
    if (w->at == w->end)
        return why_set(w->why, ERR_ARG,
                       "Bad arguments for %s: Expected an argument, but none provided", option);
    *out = w->items[w->at++];
    return OK;
}

static enum err take_count(struct words *w, const char *option, uint64_t most, uint64_t *out)
{
    struct slice word = {0};
    enum err e = take(w, option, &word);
    if (e == OK && (!slice_to_u64(word, out) || *out > most))
        e = bad(w, option);
    return e;
}

/* RETURN n what [AS name] ...: n counts all these words. */
static enum err read_return(struct words *w, struct ft_options *o)
{
    uint64_t n = 0;
    enum err e = take_count(w, "RETURN", UINT32_MAX, &n);
    if (e != OK)
        return e;
    if (n > w->end - w->at)
        return why_set(w->why, ERR_ARG,
                       "Bad arguments for RETURN: Expected an argument, but none provided");
    mem_free(MEM_SCRATCH, o->returns);
    o->returns = mem_try_calloc(MEM_SCRATCH, (size_t)n * sizeof(*o->returns));
    if (o->returns == NULL)
        return ERR_NOMEM;
    struct words own = {w->items, w->at, w->at + (size_t)n, w->why};
    o->return_count = 0;
    o->has_return = true;
    while (e == OK && own.at < own.end) {
        struct ft_return *r = &o->returns[o->return_count++];
        r->what = r->as = own.items[own.at++];
        if (next_is(&own, "AS"))
            e = take(&own, "RETURN path AS name - must be accompanied with NAME", &r->as);
    }
    w->at += (size_t)n;
    return e;
}

static enum err read_params(struct words *w, struct ft_options *o)
{
    uint64_t n = 0;
    if (o->params != NULL)
        return why_set(w->why, ERR_ARG,
                       "Multiple PARAMS are not allowed. Parameters can be "
                       "defined only once");
    enum err e = take_count(w, "PARAMS", UINT32_MAX, &n);
    if (e != OK)
        return e;
    if (n == 0 || n % 2 != 0)
        return why_set(w->why, ERR_ARG, "Parameters must be specified in PARAM VALUE pairs");
    if (n > w->end - w->at)
        return why_set(w->why, ERR_ARG,
                       "Bad arguments for PARAMS: Expected an argument, but none provided");
    o->params = mem_try_calloc(MEM_SCRATCH, (size_t)n / 2 * sizeof(*o->params));
    if (o->params == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < n / 2; i++)
        o->params[i] = (struct query_param){w->items[w->at + 2 * i], w->items[w->at + 2 * i + 1]};
    o->param_count = (size_t)n / 2;
    w->at += (size_t)n;
    return OK;
}

static enum err read_sort(struct words *w, struct ft_options *o)
{
    o->has_sort = true;
    enum err e = take(w, "SORTBY", &o->sort_by);
    o->descending = e == OK && next_is(w, "DESC");
    if (e == OK && !o->descending)
        (void)next_is(w, "ASC");
    if (o->sort_by.len > 0 && o->sort_by.ptr[0] == '@') {
        o->sort_by.ptr++;
        o->sort_by.len--;
    }
    return e;
}

static enum err read_limit(struct words *w, struct ft_options *o)
{
    enum err e = take_count(w, "LIMIT", UINT32_MAX, &o->offset);
    if (e == OK)
        e = take_count(w, "LIMIT", UINT32_MAX, &o->count);
    if (e != OK)
        return why_set(w->why, ERR_ARG, "LIMIT needs two numeric arguments");
    if (o->offset + o->count > LIMIT_EF)
        return why_set(w->why, ERR_LIMIT, "LIMIT exceeds maximum of %d", LIMIT_EF);
    return OK;
}

static enum err read_dialect(struct words *w, struct ft_options *o)
{
    uint64_t n = 0;
    enum err e = take_count(w, "DIALECT", UINT32_MAX, &n);
    if (e == OK && (n < 1 || n > 4))
        return why_set(w->why, ERR_ARG, "DIALECT requires a non negative integer >=1 and <= 4");
    o->dialect = (unsigned)n;
    return e;
}

static enum err read_one(struct words *w, struct ft_options *o)
{
    struct slice ignored = {0};
    if (next_is(w, "NOCONTENT"))
        o->no_content = true;
    else if (next_is(w, "WITHSCORES"))
        o->with_scores = true;
    else if (next_is(w, "RETURN"))
        return read_return(w, o);
    else if (next_is(w, "SORTBY"))
        return read_sort(w, o);
    else if (next_is(w, "LIMIT"))
        return read_limit(w, o);
    else if (next_is(w, "PARAMS"))
        return read_params(w, o);
    else if (next_is(w, "DIALECT"))
        return read_dialect(w, o);
    else if (next_is(w, "TIMEOUT"))
        return take_count(w, "TIMEOUT", LIMIT_TIMEOUT_MS, &o->timeout_ms);
    else if (next_is(w, "VERBATIM") || next_is(w, "INORDER")) /* of words; there are none */
        return OK;
    else if (next_is(w, "LANGUAGE") || next_is(w, "SCORER") || next_is(w, "SLOP"))
        return take(w, "the option", &ignored);
    else
        return why_set(w->why, ERR_ARG, "Unknown argument `%.*s` at position %zu for <main>",
                       (int)(w->items[w->at].len < 64 ? w->items[w->at].len : 64),
                       (const char *)w->items[w->at].ptr, w->at + 1);
    return OK;
}

enum err ft_options_read(const struct slices *words, struct ft_options *out, struct why *why)
{
    struct words w = {.items = words->items, .end = words->count, .why = why};
    enum err e = OK;
    *out = (struct ft_options){.count = RESULTS_DEFAULT, .dialect = 2};
    while (e == OK && w.at < w.end)
        e = read_one(&w, out);
    if (e != OK)
        ft_options_fini(out);
    return e;
}

void ft_options_fini(struct ft_options *o)
{
    mem_free(MEM_SCRATCH, o->returns);
    mem_free(MEM_SCRATCH, o->params);
    *o = (struct ft_options){0};
}
