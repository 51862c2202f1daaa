/* filter.h: FILTER expressions over the JSON attributes of elements.
 *
 * Redis's grammar of vector sets and what COMMANDS.md adds. Numbers (double), strings '..' or "..",
 * [lists] of constants, .field, .a.b[0] paths, $name parameters, null, true and false as 1 and 0,
 * exists(.f), ( ), and, binding less and less: ! not; **; * / %; + -; > >= < <= == != in contains
 * like has haslike; && and; || or. geo(.f, longitude, latitude, m): the point .f (json_point.h) is
 * at most so many metres from there. between(.f, low, high): the number .f, or an element of it, is
 * one from low to high, both included. A minus belongs to a number only; `.a-1` is the field "a-1".
 *
 * x in y: element of a list or array, or part of a string. y contains x: the same. s like p: the
 * string matches the glob p (* any bytes, ? one byte, \\ in a literal takes the next as itself).
 * x has y: x, or an element of the list or array x, is y, or is in the list y. x haslike p: x, or
 * an element of it, is a string that matches the glob p.
 * How values compare is told in filter_eval.c.
 *
 * An attribute that is missing, is not valid JSON (json_scan.h), or lacks a field the expression
 * reads does not match, whatever the expression says. Where the expression also asks exists() about
 * the same field, the field reads as null instead.
 *
 * A compiled filter is immutable: any number of lanes may match with it at once. */
#ifndef VDB_DB_FILTER_H
#define VDB_DB_FILTER_H

#include "base/err.h"
#include "base/slice.h"

struct filter;
struct text_set;

/* The value of $name: a string, which like every string acts as the number it reads as where it
 * meets a number; or a set of numbers, for `.field in $name`, which lasts as long as the filter and
 * is filled before it is asked. */
struct filter_param {
    struct slice name;
    struct slice value;
    const struct text_set *set; /* NULL: value counts */
};

/* Compiles text (limits: LIMIT_FILTER_*). Errors say where: "syntax error in FILTER expression
 * near: %s", or the limit by name. Copies all it needs. */
MUST_USE enum err filter_compile(struct slice text, const struct filter_param *params, size_t count,
                                 struct filter **out, struct why *why);
/* The same of a filter that the server has written of a query, however long it is; of at most
 * LIMIT_QUERY_OPERANDS. */
MUST_USE enum err filter_compile_query(struct slice text, const struct filter_param *params,
                                       size_t count, struct filter **out, struct why *why);
void filter_free(struct filter *f);

/* Does the attribute (JSON text; len 0: none) match? No allocation; at most 24 kB of stack. */
bool filter_match(const struct filter *f, struct slice json);

#endif
