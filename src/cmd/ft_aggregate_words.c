/* The words of FT.AGGREGATE, in any order where order means nothing. */
#include "base/limits.h"
#include "cmd/ft_aggregate.h"

enum { CURSOR_ROWS = 1000, CURSOR_IDLE_MS = 300 * 1000 };

struct reading {
    struct ft_words *w;
    struct ft_aggregate_options *o;
    struct agg_plan *plan;
};

/* NULL: r's plan has no room, which agg_plan_error tells. */
static enum err new_step(struct reading *r, enum agg_kind kind, struct agg_step **out)
{
    *out = kind == AGG_ARRANGE ? agg_plan_arrange(r->plan) : agg_plan_add(r->plan, kind);
    if (*out != NULL)
        return OK;
    enum err e = agg_plan_error(r->plan, r->w->why);
    return e == OK ? ERR_NOMEM : e;
}

static enum err read_load(struct reading *r)
{
    struct agg_step *step = NULL;
    struct slices names = {0};
    bool all = r->w->at < r->w->end && slice_eq(r->w->items[r->w->at], slice_of("*"));
    uint64_t number;
    if (!all && r->w->at < r->w->end && !slice_to_u64(r->w->items[r->w->at], &number))
        return why_set(r->w->why, ERR_ARG,
                       "Bad arguments for LOAD: Expected number of fields or `*`");
    enum err e = OK;
    if (all)
        r->w->at++;
    else
        e = ft_words_list(r->w, "LOAD", &names);
    if (e == OK)
        e = new_step(r, AGG_LOAD, &step);
    if (e != OK)
        return e;
    step->all = all;
    step->names = names.items;
    step->name_count = (uint32_t)names.count;
    return OK;
}

static enum err read_apply(struct reading *r)
{
    struct agg_step *step = NULL;
    enum err e = new_step(r, AGG_APPLY, &step);
    if (e == OK)
        e = ft_words_take(r->w, "APPLY/FILTER", &step->text);
    if (e != OK)
        return e;
    step->as = step->text;
    return ft_words_next_is(r->w, "AS") ? ft_words_take(r->w, "AS", &step->as) : OK;
}

static enum err read_filter(struct reading *r)
{
    struct agg_step *step = NULL;
    enum err e = new_step(r, AGG_FILTER, &step);
    return e == OK ? ft_words_take(r->w, "APPLY/FILTER", &step->text) : e;
}

/* REDUCE name n arg .. [AS name] */
static enum err read_reducer(struct reading *r)
{
    struct slice word = {0};
    struct slices args = {0};
    char name[40] = {0};
    enum err e = ft_words_take(r->w, "REDUCE", &word);
    if (e != OK)
        return e;
    size_t shown = word.len < sizeof(name) - 1 ? word.len : sizeof(name) - 1;
    if (shown > 0)
        memcpy(name, word.ptr, shown);
    e = ft_words_list(r->w, name, &args);
    if (e != OK)
        return e;
    struct agg_reducer *red = agg_plan_add_reducer(r->plan);
    if (red == NULL)
        return ERR_NOMEM;
    red->word = word;
    red->args = args.items;
    red->arg_count = args.count;
    return ft_words_next_is(r->w, "AS") ? ft_words_take(r->w, "AS", &red->as) : OK;
}

static enum err read_group(struct reading *r)
{
    struct slices words = {0};
    struct agg_step *step = NULL;
    enum err e = ft_words_list(r->w, "GROUPBY", &words);
    if (e == OK)
        e = new_step(r, AGG_GROUP, &step);
    if (e != OK)
        return e;
    if (words.count > AGG_COLUMNS_MAX)
        return why_set(r->w->why, ERR_LIMIT,
                       "Bad arguments for GROUPBY: Value is outside acceptable bounds");
    struct slice *names = arena_alloc(&r->plan->arena, words.count * sizeof(*names));
    if (names == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < words.count; i++) {
        struct slice name = words.items[i];
        int shown = (int)(name.len < 64 ? name.len : 64);
        if (name.len == 0 || name.ptr[0] != '@')
            return why_set(r->w->why, ERR_ARG,
                           "Bad arguments for GROUPBY: Unknown property `%.*s`. Did you mean "
                           "`@%.*s`?",
                           shown, (const char *)name.ptr, shown, (const char *)name.ptr);
        names[i] = (struct slice){name.ptr + 1, name.len - 1};
    }
    step->names = names;
    step->name_count = (uint32_t)words.count;
    while (e == OK && ft_words_next_is(r->w, "REDUCE"))
        e = read_reducer(r);
    return e;
}

/* Properties, each perhaps with ASC or DESC behind it. */
static enum err read_sort_keys(struct reading *r, const struct slices *words, struct agg_step *step)
{
    struct slice *names = arena_alloc(&r->plan->arena, AGG_SORT_KEYS_MAX * sizeof(*names));
    bool *descending = arena_alloc(&r->plan->arena, AGG_SORT_KEYS_MAX * sizeof(*descending));
    if (names == NULL || descending == NULL)
        return ERR_NOMEM;
    uint32_t count = 0;
    for (size_t i = 0; i < words->count; i++) {
        struct slice word = words->items[i];
        bool asc = slice_eq_nocase(word, "ASC"), desc = slice_eq_nocase(word, "DESC");
        if (word.len > 0 && word.ptr[0] == '@') {
            if (count == AGG_SORT_KEYS_MAX)
                return why_set(r->w->why, ERR_LIMIT, "Cannot sort by more than %d fields",
                               AGG_SORT_KEYS_MAX);
            descending[count] = false;
            names[count++] = (struct slice){word.ptr + 1, word.len - 1};
        } else if ((asc || desc) && count > 0) {
            descending[count - 1] = desc;
        } else {
            return why_set(r->w->why, ERR_ARG, "MISSING ASC or DESC after sort field (%.*s)",
                           (int)(word.len < 64 ? word.len : 64), (const char *)word.ptr);
        }
    }
    step->names = names;
    step->name_count = count;
    step->descending = descending;
    return OK;
}

static enum err read_sort(struct reading *r)
{
    struct slices words = {0};
    struct agg_step *step = NULL;
    enum err e = ft_words_list(r->w, "SORTBY", &words);
    if (e == OK)
        e = new_step(r, AGG_ARRANGE, &step);
    if (e == OK && step->sorted)
        e = why_set(r->w->why, ERR_ARG,
                    "Multiple SORTBY steps are not allowed. Sort multiple fields in a single step");
    if (e == OK)
        e = read_sort_keys(r, &words, step);
    if (e != OK)
        return e;
    step->sorted = true;
    return ft_words_next_is(r->w, "MAX") ? ft_words_count(r->w, "MAX", UINT32_MAX, &step->most)
                                         : OK;
}

static enum err read_limit(struct reading *r)
{
    struct agg_step *step = NULL;
    enum err e = new_step(r, AGG_ARRANGE, &step);
    if (e != OK)
        return e;
    if (r->w->end - r->w->at < 2)
        return why_set(r->w->why, ERR_ARG, "LIMIT requires two arguments");
    if (!slice_to_u64(r->w->items[r->w->at], &step->offset) ||
        !slice_to_u64(r->w->items[r->w->at + 1], &step->most))
        return why_set(r->w->why, ERR_ARG, "LIMIT needs two numeric arguments");
    if (step->most == 0 && step->offset != 0)
        return why_set(r->w->why, ERR_ARG, "The `offset` of the LIMIT must be 0 when `num` is 0");
    r->w->at += 2;
    step->limited = true;
    return OK;
}

static enum err read_cursor(struct reading *r)
{
    enum err e = OK;
    uint64_t n = 0;
    bool count = false;
    r->o->cursor = true;
    while (e == OK &&
           ((count = ft_words_next_is(r->w, "COUNT")) || ft_words_next_is(r->w, "MAXIDLE"))) {
        e = ft_words_count(r->w, count ? "COUNT" : "MAXIDLE", UINT32_MAX, &n);
        if (e == OK && n == 0)
            e = why_set(r->w->why, ERR_ARG,
                        "Bad arguments for %s: Value is outside acceptable bounds",
                        count ? "COUNT" : "MAXIDLE");
        if (count)
            r->o->cursor_rows = n;
        else
            r->o->cursor_idle_ms = n < CURSOR_IDLE_MS ? n : CURSOR_IDLE_MS;
    }
    return e;
}

static enum err read_one(struct reading *r)
{
    static const struct {
        const char *word;
        enum err (*read)(struct reading *r);
    } options[] = {{"LOAD", read_load},         {"APPLY", read_apply},  {"FILTER", read_filter},
                   {"GROUPBY", read_group},     {"SORTBY", read_sort},  {"LIMIT", read_limit},
                   {"WITHCURSOR", read_cursor}};
    bool found;
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (ft_words_next_is(r->w, options[i].word))
            return options[i].read(r);
    if (ft_words_next_is(r->w, "ADDSCORES")) {
        r->o->with_scores = true;
        return OK;
    }
    /* Totals are exact in any case. */
    if (ft_words_next_is(r->w, "WITHCOUNT") || ft_words_next_is(r->w, "WITHOUTCOUNT"))
        return OK;
    enum err e = ft_options_shared(r->w, &r->o->query, &found);
    return e == OK && !found ? ft_words_unknown(r->w) : e;
}

enum err ft_aggregate_words(struct ft_words *w, const struct config *config,
                            struct ft_aggregate_options *o, struct agg_plan *plan)
{
    struct reading r = {w, o, plan};
    enum err e = OK;
    *o =
        (struct ft_aggregate_options){.cursor_rows = CURSOR_ROWS, .cursor_idle_ms = CURSOR_IDLE_MS};
    ft_options_init(&o->query, config);
    o->query.offset = 0;
    o->query.count = UINT32_MAX;
    while (e == OK && w->at < w->end)
        e = read_one(&r);
    return e;
}
