/* stats.h: the counters of the server, generated from stats.def.
 *
 * owner: the loop; jobs bring their counts back with them. Zero is the start, and what CONFIG
 * RESETSTAT returns to. */
#ifndef VDB_CONF_STATS_H
#define VDB_CONF_STATS_H

#include "base/buf.h"

struct stats {
#define STAT(field, name, section, kind, doc) uint64_t field;
#include "conf/stats.def"
#undef STAT
};

/* section of INFO, its heading */
#define STATS_SECTION_LIST(X)                                                                      \
    X(STATS_SECTION_STATS, "Stats")                                                                \
    X(STATS_SECTION_VECTORS, "Vectors")

enum stats_section {
#define X(section, heading) section,
    STATS_SECTION_LIST(X)
#undef X
        STATS_SECTION_COUNT
};

enum stats_kind { STATS_KIND_COUNTER, STATS_KIND_GAUGE };

/* A row of stats.def. Immutable. */
struct stats_row {
    const char *name;
    enum stats_section section;
    enum stats_kind kind;
    const char *doc;
    size_t offset; /* of the field in struct stats */
};

/* The rows of stats.def: index 0 .. stats_count() - 1. */
size_t stats_count(void);
const struct stats_row *stats_row_at(size_t index);
/* The counter that the row, one of the table, describes. */
uint64_t stats_value(const struct stats *s, const struct stats_row *row);
const char *stats_section_heading(enum stats_section section);

/* Appends "name:value\r\n" for every counter of the section. */
void stats_print_info(const struct stats *s, enum stats_section section, struct buf *out);
/* Appends every counter in the text format of Prometheus, named vdb_<name>. */
void stats_print_prometheus(const struct stats *s, struct buf *out);

#endif
