/* expr.h: expressions of APPLY and FILTER, compiled once and evaluated for each row.
 *
 *   @property  "text"  'text'  1.5e3  NULL  ( )
 *   ^   * / %   + -   == != < <= > >=   !   &&   ||        from the tightest on
 *   function(argument, ..)
 *
 * A property that a row lacks is an error, but in exists(@p) and on either side of && and ||, where
 * it counts as false. An expression is a program for a stack: nothing here recurses. Pure. */
#ifndef VDB_FT_EXPR_H
#define VDB_FT_EXPR_H

#include "ft/value.h"

enum {
    EXPR_SIZE_MAX = 64 * 1024, /* bytes */
    EXPR_STEPS_MAX = 16 * 1024,
    EXPR_DEPTH_MAX = 256, /* values and operators that wait, while reading and evaluating */
    EXPR_ARGS_MAX = 64    /* of a function */
};

struct expr;

/* Finds the column of a property. ERR_ARG: there is none, why says so. */
typedef enum err expr_column_fn(void *user, struct slice name, uint32_t *column, struct why *why);

/* Compiles text; free with expr_free. Errors are RediSearch's: "Syntax error at offset %zu near
 * '%s'", "Unknown function name '%s'", "Function '%s' expects %u arguments, but got %u". */
MUST_USE enum err expr_compile(struct slice text, expr_column_fn *column, void *user,
                               struct expr **out, struct why *why);
void expr_free(struct expr *e);

/* Evaluates it over the values of a row. Texts and lists that it makes live in the arena, others
 * stay where they are. ERR_ARG: why says what was wrong. */
MUST_USE enum err expr_eval(const struct expr *e, const struct value *row, struct arena *arena,
                            struct value *out, struct why *why);
/* What the outermost operation is, as FT.PROFILE says it: "Literal 3", "Function sqrt". */
void expr_describe(const struct expr *e, char *out, size_t size);

#endif
