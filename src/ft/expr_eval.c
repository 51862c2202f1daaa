#include <math.h>

#include "ft/expr_program.h"

struct running {
    const struct expr *e;
    struct value stack[EXPR_DEPTH_MAX];
    size_t height;
    struct slice missing; /* the last property that the row lacks */
    struct arena *arena;
    struct why *why;
};

static enum err lacks(const struct running *r)
{
    return why_set(r->why, ERR_ARG,
                   "Could not find the value for a parameter name, consider using EXISTS if "
                   "applicable for %.*s",
                   (int)(r->missing.len < 64 ? r->missing.len : 64), (const char *)r->missing.ptr);
}

static enum err arithmetic(struct running *r, enum expr_op op, const struct value *b,
                           struct value *a)
{
    double x, y;
    if (!value_to_number(a, &x) || !value_to_number(b, &y))
        return why_set(r->why, ERR_ARG, "Invalid numeric value");
    if (op == EXPR_ADD)
        x += y;
    else if (op == EXPR_SUBTRACT)
        x -= y;
    else if (op == EXPR_TIMES)
        x *= y;
    else if (op == EXPR_DIVIDE)
        x /= y;
    else if (op == EXPR_MODULO)
        x = fmod(x, y);
    else
        x = pow(x, y);
    *a = value_number(x);
    return OK;
}

static bool number_and_words(const struct value *a, const struct value *b)
{
    double number;
    return a->kind == VALUE_NUMBER && b->kind == VALUE_TEXT && !value_to_number(b, &number);
}

static enum err compare(struct running *r, enum expr_op op, const struct value *b, struct value *a)
{
    bool equality = op == EXPR_EQ || op == EXPR_NE;
    if (!equality && (number_and_words(a, b) || number_and_words(b, a)))
        return why_set(r->why, ERR_ARG, "Error converting string");
    int order = equality ? !value_equal(a, b) : value_compare(a, b);
    bool holds = op == EXPR_EQ   ? order == 0
                 : op == EXPR_NE ? order != 0
                 : op == EXPR_LT ? order < 0
                 : op == EXPR_LE ? order <= 0
                 : op == EXPR_GT ? order > 0
                                 : order >= 0;
    *a = value_number(holds);
    return OK;
}

static enum err binary(struct running *r, enum expr_op op)
{
    CHECK(r->height >= 2);
    struct value *a = &r->stack[r->height - 2];
    const struct value *b = &r->stack[--r->height];
    if (a->kind == VALUE_NONE || b->kind == VALUE_NONE)
        return lacks(r);
    return op >= EXPR_ADD ? arithmetic(r, op, b, a) : compare(r, op, b, a);
}

static enum err negate(struct running *r)
{
    struct value *a = &r->stack[r->height - 1];
    if (a->kind == VALUE_NONE)
        return lacks(r);
    *a = value_number(!value_true(a));
    return OK;
}

static enum err call(struct running *r, const struct expr_step *step)
{
    const struct expr_function *f = expr_function_at(step->number);
    CHECK(step->count <= r->height);
    r->height -= step->count;
    const struct value *args = &r->stack[r->height];
    for (size_t i = 0; i < step->count && f->fn != expr_exists; i++)
        if (args[i].kind == VALUE_NONE)
            return lacks(r);
    struct expr_call c = {f->name, args, step->count, r->arena, r->why};
    struct value out = {.kind = VALUE_NULL};
    enum err e = f->fn(&c, &out);
    r->stack[r->height++] = out;
    return e;
}

static void put(struct running *r, const struct value *row, const struct expr_step *step)
{
    CHECK(r->height < EXPR_DEPTH_MAX);
    struct value *top = &r->stack[r->height++];
    if (step->op == EXPR_LITERAL) {
        *top = r->e->literals[step->number];
        return;
    }
    *top = row[r->e->column_at[step->number]];
    if (top->kind == VALUE_NONE)
        r->missing = r->e->columns[step->number];
}

/* Where to go on; UINT32_MAX: not a jump that is taken. */
static enum err jump(struct running *r, const struct expr_step *step, uint32_t *at)
{
    struct value *top = &r->stack[r->height - 1];
    bool yes = step->op != EXPR_GO && value_true(top);
    bool go = step->op == EXPR_GO || (step->op == EXPR_SKIP_TRUE ? yes : !yes);
    if (step->op == EXPR_UNLESS && top->kind == VALUE_NONE)
        return lacks(r);
    if (go)
        *at = step->number;
    if (step->op == EXPR_UNLESS || (step->op != EXPR_GO && !go))
        r->height--;
    else if (step->op != EXPR_GO)
        *top = value_number(yes);
    return OK;
}

static enum err one_step(struct running *r, const struct value *row, uint32_t *at)
{
    const struct expr_step *step = &r->e->steps[(*at)++];
    struct value *top = r->height > 0 ? &r->stack[r->height - 1] : NULL;
    switch (step->op) {
    case EXPR_LITERAL:
    case EXPR_COLUMN:
        put(r, row, step);
        return OK;
    case EXPR_CALL:
        return call(r, step);
    case EXPR_NOT:
        return negate(r);
    case EXPR_TRUTH:
        *top = value_number(value_true(top));
        return OK;
    case EXPR_SKIP_FALSE:
    case EXPR_SKIP_TRUE:
    case EXPR_UNLESS:
    case EXPR_GO:
        return jump(r, step, at);
    default:
        return binary(r, (enum expr_op)step->op);
    }
}

enum err expr_eval(const struct expr *e, const struct value *row, struct arena *arena,
                   struct value *out, struct why *why)
{
    struct running r;
    enum err result = OK;
    r.e = e;
    r.height = 0;
    r.missing = (struct slice){0};
    r.arena = arena;
    r.why = why;
    for (uint32_t at = 0; at < e->step_count && result == OK;)
        result = one_step(&r, row, &at);
    if (result != OK)
        return result;
    CHECK(r.height == 1);
    *out = r.stack[0];
    return out->kind == VALUE_NONE ? lacks(&r) : OK;
}

/* -- functions --------------------------------------------------------------------------------- */

enum { ANY = EXPR_ARGS_MAX };

static const struct expr_function functions[] = {
    {"abs", 1, 1, expr_abs},
    {"case", 3, 3, NULL},
    {"ceil", 1, 1, expr_ceil},
    {"contains", 2, 2, expr_contains},
    {"day", 1, 1, expr_day},
    {"dayofmonth", 1, 1, expr_dayofmonth},
    {"dayofweek", 1, 1, expr_dayofweek},
    {"dayofyear", 1, 1, expr_dayofyear},
    {"exists", 1, 1, expr_exists},
    {"exp", 1, 1, expr_exp},
    {"floor", 1, 1, expr_floor},
    {"format", 1, ANY, expr_format},
    {"geodistance", 2, 4, expr_geodistance},
    {"hour", 1, 1, expr_hour},
    {"log", 1, 1, expr_log},
    {"log2", 1, 1, expr_log2},
    {"lower", 1, 1, expr_lower},
    {"minute", 1, 1, expr_minute},
    {"month", 1, 1, expr_month},
    {"monthofyear", 1, 1, expr_monthofyear},
    {"parsetime", 2, 2, expr_parsetime},
    {"split", 1, 3, expr_split},
    {"sqrt", 1, 1, expr_sqrt},
    {"startswith", 2, 2, expr_startswith},
    {"strlen", 1, 1, expr_strlen},
    {"substr", 3, 3, expr_substr},
    {"timefmt", 1, 2, expr_timefmt},
    {"to_number", 1, 1, expr_to_number},
    {"to_str", 1, 1, expr_to_str},
    {"upper", 1, 1, expr_upper},
    {"year", 1, 1, expr_year},
};

const struct expr_function *expr_function_find(struct slice name)
{
    for (size_t i = 0; i < COUNT_OF(functions); i++)
        if (slice_eq_nocase(name, functions[i].name))
            return &functions[i];
    return NULL;
}

size_t expr_function_index(const struct expr_function *f)
{
    CHECK(f >= functions && f < functions + COUNT_OF(functions));
    return (size_t)(f - functions);
}

const struct expr_function *expr_function_at(size_t index)
{
    CHECK(index < COUNT_OF(functions));
    return &functions[index];
}
