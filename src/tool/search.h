/* search.h: the searches a benchmark sends, and the measuring of them. */
#ifndef VDB_TOOL_SEARCH_H
#define VDB_TOOL_SEARCH_H

#include "tool/client.h"
#include "tool/format.h"
#include "tool/texts.h"

enum search_command { SEARCH_VSEARCH, SEARCH_VSIM };

/* What is searched for. Queries are vectors, or elements of the collection; an element is never
 * counted as its own neighbour. immutable while searches run */
struct search_set {
    enum search_command command;
    const char *key;
    uint32_t k;
    const char *options;          /* more words for every search; NULL: none */
    const struct matrix *vectors; /* NULL: elements */
    const struct texts *elements; /* NULL: vectors */
    const struct texts
        *neighbours; /* the right answer: k ids per query, "" where there are fewer */
    size_t query_count;
};

enum { SEARCH_EF_DEFAULT = 0 };

/* How one setting did. */
struct search_result {
    uint32_t ef; /* SEARCH_EF_DEFAULT: the server's default */
    uint32_t client_count;
    uint64_t searches;
    double recall;
    double per_s;
    double mean_ms;
    double p50_ms;
    double p95_ms;
    double p99_ms;
};

/* Asks the server for the exact answer to every query and adds k ids each to neighbours. */
MUST_USE enum err search_exactly(const struct search_set *set, struct client *client,
                                 struct texts *neighbours, struct why *why);

/* Sends every query at least once, and on until seconds have passed, from client_count connections
 * at once, each with one query under way. */
MUST_USE enum err search_measure(const struct search_set *set, const struct client_address *address,
                                 uint32_t ef, uint32_t client_count, uint32_t seconds,
                                 struct search_result *result, struct why *why);

/* The value that a share (0 .. 1) of the sorted values does not exceed: the nearest rank. */
double percentile(const float *sorted, size_t count, double share);

#endif
