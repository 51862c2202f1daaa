/* The counters as INFO and Prometheus show them. */
#include "conf/stats.h"

#include <inttypes.h>

static const struct stats_row rows[] = {
#define STAT(field, name_, section_, kind_, doc_)                                                  \
    {.name = (name_),                                                                              \
     .section = STATS_SECTION_##section_,                                                          \
     .kind = STATS_KIND_##kind_,                                                                   \
     .doc = (doc_),                                                                                \
     .offset = offsetof(struct stats, field)},
#include "conf/stats.def"
#undef STAT
};

static const char *const headings[] = {
#define X(section, heading) heading,
    STATS_SECTION_LIST(X)
#undef X
};

size_t stats_count(void)
{
    return COUNT_OF(rows);
}

const struct stats_row *stats_row_at(size_t index)
{
    CHECK(index < COUNT_OF(rows));
    return &rows[index];
}

uint64_t stats_value(const struct stats *s, const struct stats_row *row)
{
    CHECK(row >= rows && row < rows + COUNT_OF(rows));
    return *(const uint64_t *)((const char *)s + row->offset);
}

const char *stats_section_heading(enum stats_section section)
{
    CHECK(section < STATS_SECTION_COUNT);
    return headings[section];
}

void stats_print_info(const struct stats *s, enum stats_section section, struct buf *out)
{
    CHECK(section < STATS_SECTION_COUNT);
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        if (rows[i].section == section)
            buf_printf(out, "%s:%" PRIu64 "\r\n", rows[i].name, stats_value(s, &rows[i]));
}

void stats_print_prometheus(const struct stats *s, struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct stats_row *row = &rows[i];
        const char *kind = row->kind == STATS_KIND_COUNTER ? "counter" : "gauge";
        buf_printf(out, "# HELP vdb_%s %s\n# TYPE vdb_%s %s\nvdb_%s %" PRIu64 "\n", row->name,
                   row->doc, row->name, kind, row->name, stats_value(s, row));
    }
}
