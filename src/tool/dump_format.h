/* dump_format.h: how vdb dump prints what it reads: as lines for people (dump_lines.c), or as RESP
 * commands that make the data again (dump_resp.c). */
#ifndef VDB_TOOL_DUMP_FORMAT_H
#define VDB_TOOL_DUMP_FORMAT_H

#include <stdio.h>

#include "db/mutation.h"
#include "persist/log_format.h"
#include "persist/snapshot_read.h"

struct dump;

/* Calls come in the order: keys, each followed by its elements and key_end; then records, each with
 * its mutations and record_end. */
struct dump_ops {
    void (*snapshot)(struct dump *d, const struct manifest *m, const char *file);
    void (*key)(struct dump *d, const struct image_key *key);
    void (*element)(struct dump *d, const struct image_key *key, const struct snapshot_element *e);
    void (*key_end)(struct dump *d, const struct image_key *key);
    void (*record)(struct dump *d, const struct log_record *r, const char *file, uint64_t offset);
    void (*mutation)(struct dump *d, const struct mutation *m);
    void (*record_end)(struct dump *d);
};

/* The partition of an element of the key in hand; len 0: _default. */
struct slice dump_partition(const struct dump *d, const struct snapshot_element *e);

extern const struct dump_ops dump_lines, dump_resp;

/* owner: dump_main */
struct dump {
    const struct dump_ops *ops;
    FILE *out;
    struct buf text;    /* of the record or key in hand */
    struct codec codec; /* of the key in hand, when it is a collection */
    float *vector;      /* room for one of it */
    bool partitioned;   /* it has partitions beside _default, of these names by number */
    struct slice partitions[PARTITION_NUMBERS];
    size_t commands;    /* resp: of the record in hand */
    struct log_record record;
    const char *file; /* lines: where the record stands */
    uint64_t offset;
    uint64_t projections; /* resp: collections whose projection is not in the output */
};

#endif
