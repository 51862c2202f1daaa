/* A pipeline as it was said: steps, and the columns they name. */
#include <stdio.h>

#include "ft/aggregate.h"

enum { PLAN_SIZE_MAX = 64 << 20 }; /* of names and programs: no command makes as much */

static const char *const reducer_words[] = {
#define X(kind, word) word,
    AGG_REDUCER_LIST(X)
#undef X
};

void agg_plan_init(struct agg_plan *p)
{
    *p = (struct agg_plan){0};
    arena_init(&p->arena, PLAN_SIZE_MAX);
}

void agg_plan_fini(struct agg_plan *p)
{
    for (uint32_t i = 0; i < p->step_count; i++)
        expr_free(p->steps[i].expr);
    arena_fini(&p->arena);
    *p = (struct agg_plan){0};
}

struct agg_step *agg_plan_add(struct agg_plan *p, enum agg_kind kind)
{
    if (p->steps == NULL)
        p->steps = arena_alloc(&p->arena, AGG_STEPS_MAX * sizeof(*p->steps));
    if (p->steps == NULL || p->step_count == AGG_STEPS_MAX)
        return NULL;
    struct agg_step *step = &p->steps[p->step_count++];
    *step = (struct agg_step){.kind = kind};
    return step;
}

struct agg_reducer *agg_plan_add_reducer(struct agg_plan *p)
{
    CHECK(p->step_count > 0 && p->steps[p->step_count - 1].kind == AGG_GROUP);
    struct agg_step *step = &p->steps[p->step_count - 1];
    if (step->reducer_count == step->reducer_room) {
        uint32_t room = step->reducer_room == 0 ? 4 : 2 * step->reducer_room;
        struct agg_reducer *grown = arena_alloc(&p->arena, room * sizeof(*grown));
        if (grown == NULL)
            return NULL;
        if (step->reducer_count > 0)
            memcpy(grown, step->reducers, step->reducer_count * sizeof(*grown));
        step->reducers = grown;
        step->reducer_room = room;
    }
    struct agg_reducer *r = &step->reducers[step->reducer_count++];
    *r = (struct agg_reducer){.by_column = UINT32_MAX};
    return r;
}

struct agg_step *agg_plan_arrange(struct agg_plan *p)
{
    for (uint32_t i = p->step_count; i > 0 && p->steps[i - 1].kind != AGG_GROUP; i--)
        if (p->steps[i - 1].kind == AGG_ARRANGE)
            return &p->steps[i - 1];
    return agg_plan_add(p, AGG_ARRANGE);
}

enum err agg_plan_error(const struct agg_plan *p, struct why *why)
{
    if (p->step_count == AGG_STEPS_MAX)
        return why_set(why, ERR_LIMIT, "a pipeline has less than %d steps", AGG_STEPS_MAX);
    return arena_error(&p->arena, why);
}

/* -- columns ----------------------------------------------------------------------------------- */

struct resolving {
    struct agg_plan *plan;
    const struct index_spec *spec;
    struct agg_stage *stage; /* in hand */
    struct why *why;
};

static bool first_stage(const struct resolving *r)
{
    return r->stage == r->plan->stages;
}

static int shown(struct slice name)
{
    return (int)(name.len < 64 ? name.len : 64);
}

static bool find(const struct agg_stage *stage, struct slice name, uint32_t *out)
{
    for (uint32_t i = 0; i < stage->count; i++)
        if (slice_eq(stage->columns[i].name, name)) {
            *out = i;
            return true;
        }
    return false;
}

static enum err add(struct resolving *r, const struct agg_column *column, uint32_t *out)
{
    struct agg_stage *stage = r->stage;
    if (stage->count == AGG_COLUMNS_MAX)
        return why_set(r->why, ERR_LIMIT, "a row has at most %d properties", AGG_COLUMNS_MAX);
    if (stage->count == stage->room) {
        uint32_t room = stage->room == 0 ? 8 : 2 * stage->room;
        struct agg_column *grown = arena_alloc(&r->plan->arena, room * sizeof(*grown));
        if (grown == NULL)
            return arena_error(&r->plan->arena, r->why);
        if (stage->count > 0)
            memcpy(grown, stage->columns, stage->count * sizeof(*grown));
        stage->columns = grown;
        stage->room = room;
    }
    *out = stage->count;
    stage->columns[stage->count++] = *column;
    return OK;
}

static struct agg_column from_field(const struct index_field *f, struct slice name)
{
    bool text = f->kind != INDEX_NUMERIC && f->kind != INDEX_VECTOR;
    return (struct agg_column){.name = name,
                               .source = AGG_DOCUMENT,
                               .path = f->path,
                               .number = f->kind == INDEX_NUMERIC,
                               .folded = text && f->sortable && !f->unf};
}

/* The column that a step means by a name, if need be a new one. */
static enum err column_of(struct resolving *r, struct slice name, uint32_t *out)
{
    if (find(r->stage, name, out))
        return OK;
    const struct index_field *f = first_stage(r) ? index_spec_field(r->spec, name) : NULL;
    if (f != NULL) {
        struct agg_column column = from_field(f, name);
        return add(r, &column, out);
    }
    struct agg_column column = {.name = name, .path = name, .hidden = true};
    column.source = slice_eq(name, slice_of("__key")) ? AGG_KEY : AGG_DOCUMENT;
    if (first_stage(r) && (column.source == AGG_KEY || r->plan->loads_all))
        return add(r, &column, out);
    return ERR_NOT_FOUND;
}

static enum err expr_column(void *user, struct slice name, uint32_t *out, struct why *why)
{
    struct resolving *r = user;
    enum err e = column_of(r, name, out);
    if (e == ERR_NOT_FOUND)
        return why_set(why, ERR_ARG, "Property not loaded nor in pipeline: `%.*s`", shown(name),
                       (const char *)name.ptr);
    return e;
}

static struct slice without_at(struct slice name)
{
    bool at = name.len > 0 && name.ptr[0] == '@';
    return (struct slice){name.ptr + at, name.len - at};
}

/* -- LOAD -------------------------------------------------------------------------------------- */

static enum err load(struct resolving *r, struct slice path, struct slice name)
{
    uint32_t at;
    if (find(r->stage, name, &at)) {
        r->stage->columns[at].hidden = false;
        return OK;
    }
    const struct index_field *f = index_spec_field(r->spec, path);
    struct agg_column column = {.name = name, .source = AGG_DOCUMENT, .path = path};
    if (slice_eq(path, slice_of("__key")))
        column.source = AGG_KEY;
    else if (f != NULL)
        column = from_field(f, name);
    column.folded = false; /* what the document has is what was asked for */
    return add(r, &column, &at);
}

static enum err resolve_load(struct resolving *r, const struct agg_step *step)
{
    enum err e = OK;
    if (!first_stage(r))
        return why_set(r->why, ERR_ARG, "LOAD cannot be applied after projectors or reducers");
    if (step->all) {
        uint32_t at;
        struct agg_column all = {.name = slice_of(""), .source = AGG_ALL};
        return find(r->stage, all.name, &at) ? OK : add(r, &all, &at);
    }
    for (uint32_t i = 0; i < step->name_count && e == OK; i++) {
        struct slice path = without_at(step->names[i]), name = path;
        if (i + 1 < step->name_count && slice_eq_nocase(step->names[i + 1], "AS")) {
            if (i + 2 >= step->name_count)
                return why_set(r->why, ERR_ARG,
                               "LOAD path AS name - must be accompanied with NAME");
            name = step->names[i + 2];
            if (slice_eq_nocase(name, "AS"))
                return why_set(r->why, ERR_ARG, "Alias for LOAD cannot be `AS`");
            i += 2;
        }
        e = load(r, path, name);
    }
    return e;
}

/* -- GROUPBY ----------------------------------------------------------------------------------- */

static enum err reducer_kind(struct resolving *r, struct agg_reducer *red)
{
    for (int i = 0; i < AGG_REDUCER_COUNT; i++)
        if (slice_eq_nocase(red->word, reducer_words[i])) {
            red->kind = (enum agg_reducer_kind)i;
            return OK;
        }
    return why_set(r->why, ERR_ARG, "No such reducer: %.*s", shown(red->word),
                   (const char *)red->word.ptr);
}

static enum err reducer_column(struct resolving *r, const struct agg_reducer *red, size_t at,
                               uint32_t *out)
{
    const char *word = reducer_words[red->kind];
    if (at >= red->arg_count)
        return why_set(r->why, ERR_ARG, "Missing arguments for %s", word);
    return expr_column(r, without_at(red->args[at]), out, r->why);
}

static enum err quantile(struct resolving *r, struct agg_reducer *red)
{
    if (red->arg_count < 2 || !slice_to_f64(red->args[1], &red->share))
        return why_set(r->why, ERR_ARG,
                       "Bad arguments for QUANTILE: Could not convert argument to expected type");
    if (!(red->share >= 0 && red->share <= 1))
        return why_set(r->why, ERR_ARG, "Percentage must be between 0.0 and 1.0");
    return OK;
}

static enum err sample(struct resolving *r, struct agg_reducer *red)
{
    uint64_t size = 0;
    if (red->arg_count < 2 || !slice_to_u64(red->args[1], &size))
        return why_set(r->why, ERR_ARG,
                       "Bad arguments for <sample size>: Could not convert argument to expected "
                       "type");
    if (size > AGG_SAMPLE_MAX)
        return why_set(r->why, ERR_LIMIT, "Sample size too large");
    red->size = (uint32_t)size;
    return OK;
}

/* FIRST_VALUE property [BY property [ASC | DESC]] */
static enum err first_value(struct resolving *r, struct agg_reducer *red, size_t *used)
{
    if (red->arg_count < 2 || !slice_eq_nocase(red->args[1], "BY"))
        return OK;
    enum err e = reducer_column(r, red, 2, &red->by_column);
    *used = 3;
    if (red->arg_count > 3 &&
        (slice_eq_nocase(red->args[3], "ASC") || slice_eq_nocase(red->args[3], "DESC"))) {
        red->descending = slice_eq_nocase(red->args[3], "DESC");
        *used = 4;
    }
    return e;
}

static enum err resolve_reducer(struct resolving *r, struct agg_reducer *red)
{
    size_t used = 1;
    enum err e = reducer_kind(r, red);
    if (e == OK && red->kind == AGG_COUNT)
        return red->arg_count == 0 ? OK : why_set(r->why, ERR_ARG, "Count accepts 0 values only");
    if (e == OK)
        e = reducer_column(r, red, 0, &red->column);
    if (e == OK && red->kind == AGG_QUANTILE) {
        used = red->arg_count > 3 ? 3 : red->arg_count; /* its resolution: ours is exact */
        e = quantile(r, red);
    } else if (e == OK && red->kind == AGG_RANDOM_SAMPLE) {
        used = 2;
        e = sample(r, red);
    } else if (e == OK && red->kind == AGG_FIRST_VALUE) {
        e = first_value(r, red, &used);
    }
    if (e == OK && used < red->arg_count)
        return why_set(r->why, ERR_ARG, "Unknown argument `%.*s` at position %zu for %s",
                       shown(red->args[used]), (const char *)red->args[used].ptr, used,
                       reducer_words[red->kind]);
    return e;
}

/* "__generated_alias", the reducer's name and its arguments, in lower case. */
static enum err name_reducer(struct resolving *r, struct agg_reducer *red)
{
    struct buf name = BUF_INIT(MEM_SCRATCH);
    if (red->as.ptr != NULL)
        return OK;
    buf_append_text(&name, "__generated_alias");
    buf_append_slice(&name, red->word);
    for (size_t i = 0; i < red->arg_count; i++) {
        struct slice arg = without_at(red->args[i]);
        buf_append_text(&name, i > 0 ? "," : "");
        buf_append_slice(&name, arg);
    }
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')
            name.ptr[i] = (uint8_t)(name.ptr[i] + ('a' - 'A'));
    struct value copy = value_text(&r->plan->arena, buf_slice(&name));
    enum err e = buf_failed(&name) ? ERR_NOMEM : arena_error(&r->plan->arena, r->why);
    if (e == OK)
        red->as = value_slice(&copy);
    buf_fini(&name);
    return e;
}

static enum err add_output(struct resolving *r, struct slice name)
{
    uint32_t at;
    struct agg_column column = {.name = name};
    if (find(r->stage, name, &at))
        return why_set(r->why, ERR_ARG, "Property `%.*s` specified more than once", shown(name),
                       (const char *)name.ptr);
    return add(r, &column, &at);
}

static enum err resolve_group(struct resolving *r, struct agg_step *step)
{
    enum err e = OK;
    step->columns = arena_alloc(&r->plan->arena, step->name_count * sizeof(*step->columns));
    if (step->columns == NULL)
        return arena_error(&r->plan->arena, r->why);
    for (uint32_t i = 0; i < step->name_count && e == OK; i++) {
        e = column_of(r, step->names[i], &step->columns[i]);
        if (e == ERR_NOT_FOUND)
            return why_set(r->why, ERR_ARG, "No such property `%.*s`", shown(step->names[i]),
                           (const char *)step->names[i].ptr);
    }
    for (uint32_t i = 0; i < step->reducer_count && e == OK; i++) {
        e = resolve_reducer(r, &step->reducers[i]);
        if (e == OK)
            e = name_reducer(r, &step->reducers[i]);
    }
    r->stage++;
    for (uint32_t i = 0; i < step->name_count && e == OK; i++)
        e = add_output(r, step->names[i]);
    for (uint32_t i = 0; i < step->reducer_count && e == OK; i++)
        e = add_output(r, step->reducers[i].as);
    return e;
}

/* -- the other steps --------------------------------------------------------------------------- */

static enum err resolve_sort(struct resolving *r, struct agg_step *step)
{
    enum err e = OK;
    step->columns = arena_alloc(&r->plan->arena, step->name_count * sizeof(*step->columns));
    if (step->columns == NULL)
        return arena_error(&r->plan->arena, r->why);
    for (uint32_t i = 0; i < step->name_count && e == OK; i++) {
        e = column_of(r, step->names[i], &step->columns[i]);
        if (e == ERR_NOT_FOUND)
            return why_set(r->why, ERR_ARG, "Property `%.*s` not loaded nor in schema",
                           shown(step->names[i]), (const char *)step->names[i].ptr);
    }
    return e;
}

static enum err resolve_expr(struct resolving *r, struct agg_step *step)
{
    struct agg_column column = {.name = step->as};
    enum err e = expr_compile(step->text, expr_column, r, &step->expr, r->why);
    if (e != OK || step->kind == AGG_FILTER)
        return e;
    return find(r->stage, step->as, &step->column) ? OK : add(r, &column, &step->column);
}

static enum err resolve_step(struct resolving *r, struct agg_step *step)
{
    switch (step->kind) {
    case AGG_LOAD:
        return resolve_load(r, step);
    case AGG_APPLY:
    case AGG_FILTER:
        return resolve_expr(r, step);
    case AGG_GROUP:
        return resolve_group(r, step);
    case AGG_ARRANGE:
        return resolve_sort(r, step);
    }
    CHECK(false);
    return ERR_ARG;
}

enum err agg_plan_resolve(struct agg_plan *p, const struct index_spec *spec,
                          const struct agg_distances *distances, bool with_scores, struct why *why)
{
    uint32_t at;
    enum err e = agg_plan_error(p, why);
    if (e != OK)
        return e;
    p->stage_count = 1;
    for (uint32_t i = 0; i < p->step_count; i++) {
        p->stage_count += p->steps[i].kind == AGG_GROUP;
        p->loads_all |= p->steps[i].all;
    }
    p->stages = arena_alloc(&p->arena, p->stage_count * sizeof(*p->stages));
    if (p->stages == NULL)
        return arena_error(&p->arena, why);
    memset(p->stages, 0, p->stage_count * sizeof(*p->stages));
    struct resolving r = {.plan = p, .spec = spec, .stage = p->stages, .why = why};
    for (size_t i = 0; i < distances->count && e == OK; i++)
        e = add(&r,
                &(struct agg_column){
                    .name = distances->names[i], .source = AGG_DISTANCE, .distance = (int)i},
                &at);
    if (e == OK && with_scores)
        e = add(&r, &(struct agg_column){.name = slice_of("__score"), .source = AGG_SCORE}, &at);
    for (uint32_t i = 0; i < p->step_count && e == OK; i++)
        e = resolve_step(&r, &p->steps[i]);
    CHECK(e != OK || r.stage == p->stages + p->stage_count - 1);
    return e;
}

void agg_plan_show(struct agg_plan *p, struct slice name, bool shown_now)
{
    uint32_t at;
    if (find(p->stages, name, &at))
        p->stages[0].columns[at].hidden = !shown_now;
}

enum err agg_plan_show_key(struct agg_plan *p, struct why *why)
{
    struct resolving r = {.plan = p, .stage = p->stages, .why = why};
    struct agg_column key = {.name = slice_of("__key"), .source = AGG_KEY};
    uint32_t at;
    enum err e = find(p->stages, key.name, &at) ? OK : add(&r, &key, &at);
    if (e == OK)
        p->stages[0].columns[at].hidden = false;
    return e;
}
