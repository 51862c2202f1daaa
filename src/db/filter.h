/* filter.h: FILTER expressions over the JSON attributes of elements.
 *
 * Redis's grammar of vector sets and what COMMANDS.md adds. Numbers (double), strings '..' or "..",
 * [lists], .field, .a.b[0] paths, ( ), ! not, **, * / %, + -, > >= < <= == !=, in, like, contains, and
 * &&, or ||, null, true and false as 1 and 0, exists(.f), $name parameters. Precedence from high to
 * low in that order (not binds as Redis has it).
 *
 * An attribute that is missing, is not valid JSON, or lacks a field the expression reads (outside
 * exists()) does not match, whatever the expression says.
 *
 * A compiled filter is immutable: any number of lanes may match with it at once. */
#ifndef VDB_DB_FILTER_H
#define VDB_DB_FILTER_H

#include "base/err.h"
#include "base/slice.h"

struct filter;

/* The value of $name: its bytes as a string, and where they read as a number, the number. */
struct filter_param {
    struct slice name;
    struct slice value;
};

/* Compiles text (limits: LIMIT_FILTER_*). Errors say where: "syntax error in FILTER expression near:
 * %s", or the limit by name. Copies all it needs. */
MUST_USE enum err filter_compile(struct slice text, const struct filter_param *params, size_t count,
                                 struct filter **out, struct why *why);
void filter_free(struct filter *f);

/* Does the attribute (JSON text; len 0: none) match? No allocation, bounded stack. */
bool filter_match(const struct filter *f, struct slice json);

#endif
