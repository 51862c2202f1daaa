/* format.h: files of vectors, read row by row.
 *
 *   fbin   u32 count, u32 dimensions, then count * dimensions float32
 *   fvecs  per vector: u32 dimensions, then so many float32
 *   npy    NumPy's array file, versions 1 to 3: a matrix of float32 or float64 in C order
 *   jsonl  per line an object: "vector": [...], "id" (text or number), "attributes": {...},
 *          "expires_at_ms" (Unix time), "partition"; "id64" and "attributes64": the same as base64;
 * every other member counts as an attribute
 *
 * All little-endian. What is wrong with a file is said with its name and the byte or line. */
#ifndef VDB_TOOL_FORMAT_H
#define VDB_TOOL_FORMAT_H

#include <stdint.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

#define FORMAT_LIST(X)                                                                             \
    X(FORMAT_FBIN, "fbin")                                                                         \
    X(FORMAT_FVECS, "fvecs")                                                                       \
    X(FORMAT_NPY, "npy")                                                                           \
    X(FORMAT_JSONL, "jsonl")

enum format {
#define X(name, word) name,
    FORMAT_LIST(X)
#undef X
        FORMAT_COUNT
};

#define FORMAT_WORDS "fbin|fvecs|npy|jsonl"

/* One element. Valid until the next call on its source. */
struct row {
    const float *vector; /* dim of them */
    struct slice id;
    bool has_id;             /* or the file gives none */
    struct slice attributes; /* JSON; len 0: none */
    uint64_t expire_ms;      /* Unix time when it goes; 0: the file does not say */
    struct slice partition;  /* len 0: the file does not say */
};

/* Lines that are passed over since they cannot be read. owner: caller */
struct bad_lines {
    uint64_t count, most;
    uint64_t shown_from; /* the first ones were told before: a run goes on */
    FILE *messages;
};

struct source;

struct source_ops {
    MUST_USE enum err (*open)(struct source *s, struct why *why);
    MUST_USE enum err (*next)(struct source *s, struct row *row, struct why *why);
};

/* owner: caller. Read-only but for the functions here and the format's own file. */
struct source {
    const struct source_ops *ops;
    const char *path;
    FILE *file;
    uint64_t size;   /* bytes of the file */
    uint64_t offset; /* bytes taken from it so far */
    uint32_t dim;
    uint64_t count; /* rows there are; UINT64_MAX when only the end will tell */
    uint64_t taken; /* rows given out */
    float *vector;  /* room for one row */

    double *doubles; /* npy: a row of float64, NULL when the file has float32 */

    /* jsonl */
    struct buf lines; /* bytes read ahead */
    size_t line_end;  /* where the line last given out ends in lines */
    uint64_t line_number;
    struct buf id;
    struct buf attributes;
    struct buf raw_attributes;
    struct buf partition;
    struct row first; /* the first row, read by open to learn dim */
    bool has_id;
    uint64_t expire_ms;
    struct bad_lines *bad; /* NULL: the first bad line ends it */
};

/* The format a path's ending names, or FORMAT_COUNT. */
enum format format_of_path(const char *path);

/* Opens the file and learns dim and, where the format tells, count. */
MUST_USE enum err source_open(struct source *s, const char *path, enum format format,
                              struct bad_lines *bad, struct why *why);
/* The next row; row->vector is NULL when there is none. */
MUST_USE enum err source_next(struct source *s, struct row *row, struct why *why);
void source_close(struct source *s);
/* How much of the file has been read, 0 .. 1. */
double source_fraction(const struct source *s);

/* A whole file in memory. owner: caller */
struct matrix {
    float *values; /* count rows of dim */
    uint64_t count;
    uint32_t dim;
};

/* Reads at most limit rows of a file whose ending names its format. */
MUST_USE enum err matrix_load(struct matrix *m, const char *path, uint64_t limit, struct why *why);
void matrix_free(struct matrix *m);
static inline const float *matrix_row(const struct matrix *m, uint64_t index)
{
    CHECK(index < m->count);
    return m->values + index * m->dim;
}

/* Lines of a text file, one a row: ids, attributes. owner: caller */
struct lines {
    const char *path;
    struct buf text;
    size_t at;
    uint64_t number; /* of the line last given out, from 1 */
};

/* Zero state, which lines_close accepts. */
void lines_init(struct lines *l);
MUST_USE enum err lines_open(struct lines *l, const char *path, struct why *why);
/* Is there another line? */
bool lines_left(const struct lines *l);
/* The next line without its end, or ERR_NOT_FOUND that says which line is missing. */
MUST_USE enum err lines_next(struct lines *l, struct slice *line, struct why *why);
void lines_close(struct lines *l);

#endif
