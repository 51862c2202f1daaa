/* expr_program.h: what expr.c compiles and expr_eval.c runs, and the functions that both know. */
#ifndef VDB_FT_EXPR_PROGRAM_H
#define VDB_FT_EXPR_PROGRAM_H

#include "ft/expr.h"

/* kind, how tightly it binds, whether it groups to the right, spelling */
#define EXPR_OPERATOR_LIST(X)                                                                      \
    X(EXPR_OR, 1, false, "||")                                                                     \
    X(EXPR_AND, 2, false, "&&")                                                                    \
    X(EXPR_NOT, 3, true, "!")                                                                      \
    X(EXPR_EQ, 4, false, "==")                                                                     \
    X(EXPR_NE, 4, false, "!=")                                                                     \
    X(EXPR_LE, 4, false, "<=")                                                                     \
    X(EXPR_LT, 4, false, "<")                                                                      \
    X(EXPR_GE, 4, false, ">=")                                                                     \
    X(EXPR_GT, 4, false, ">")                                                                      \
    X(EXPR_ADD, 5, false, "+")                                                                     \
    X(EXPR_SUBTRACT, 5, false, "-")                                                                \
    X(EXPR_TIMES, 6, false, "*")                                                                   \
    X(EXPR_DIVIDE, 6, false, "/")                                                                  \
    X(EXPR_MODULO, 6, false, "%")                                                                  \
    X(EXPR_POWER, 7, true, "^")

enum expr_op {
#define X(kind, level, right, word) kind,
    EXPR_OPERATOR_LIST(X)
#undef X
        EXPR_OPERATOR_COUNT,
    EXPR_LITERAL = EXPR_OPERATOR_COUNT, /* pushes literals[number] */
    EXPR_COLUMN,                        /* pushes the row's value */
    EXPR_CALL,                          /* functions[number] takes `count` values */
    /* Jumps; && and || look at their first operand, case() at its first argument. */
    EXPR_SKIP_FALSE, /* false on top: it becomes 0, go to step `number`; else it is taken off */
    EXPR_SKIP_TRUE,  /* true on top: it becomes 1, go to step `number`; else it is taken off */
    EXPR_TRUTH,      /* the value on top becomes 0 or 1 */
    EXPR_UNLESS,     /* takes the value off; false: go to step `number` */
    EXPR_GO          /* to step `number` */
};

struct expr_step {
    uint8_t op; /* enum expr_op */
    uint8_t count;
    uint32_t number;
};

struct expr {
    struct expr_step *steps;
    uint32_t step_count;
    struct value *literals;
    uint32_t literal_count;
    struct slice
        *columns;        /* name of the column of each EXPR_COLUMN, by literal_count-like number */
    uint32_t *column_at; /* where in the row */
    uint32_t column_count;
    struct arena arena; /* of all of it */
};

/* What a function is given. */
struct expr_call {
    const char *name;
    const struct value *args;
    size_t count;
    struct arena *arena;
    struct why *why;
};

typedef enum err expr_fn(const struct expr_call *call, struct value *out);

struct expr_function {
    const char *name;
    uint8_t least, most; /* arguments */
    expr_fn *fn;         /* NULL: case, which is jumps */
};

/* Without case; NULL when there is none of that name. */
const struct expr_function *expr_function_find(struct slice name);
size_t expr_function_index(const struct expr_function *f);
const struct expr_function *expr_function_at(size_t index);

/* expr_time.c */
expr_fn expr_timefmt, expr_parsetime, expr_hour, expr_minute, expr_day, expr_month, expr_year,
    expr_monthofyear, expr_dayofmonth, expr_dayofweek, expr_dayofyear;
/* expr_text.c */
expr_fn expr_lower, expr_upper, expr_substr, expr_to_number, expr_to_str, expr_format, expr_split,
    expr_startswith, expr_contains, expr_strlen, expr_exists;
/* expr_math.c */
expr_fn expr_log, expr_log2, expr_floor, expr_abs, expr_ceil, expr_sqrt, expr_exp, expr_geodistance;

/* The text of an argument; ERR_ARG unless it is one. */
MUST_USE enum err expr_text(const struct expr_call *call, size_t at, struct slice *out);

#endif
