/* report.h: prints what a benchmark measured: a table for people, as it comes, or one JSON object
 * for programs. */
#ifndef VDB_TOOL_REPORT_H
#define VDB_TOOL_REPORT_H

#include <stdio.h>

#include "tool/load.h"
#include "tool/search.h"

/* owner: caller */
struct report {
    FILE *out;
    bool is_json;
    size_t row_count;
    struct load_result load; /* dim 0: nothing was loaded */
    double linked_s;
};

void report_init(struct report *r, FILE *out, bool is_json);
void report_load(struct report *r, const struct load_result *load);
/* Every element was linked so many seconds after it had been loaded. */
void report_linked(struct report *r, double seconds);
void report_start(struct report *r, const struct search_set *set);
void report_row(struct report *r, const struct search_result *row);
void report_end(struct report *r);

#endif
