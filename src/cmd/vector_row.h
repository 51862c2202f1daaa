/* vector_row.h: one element of a collection in a reply: its id, and what was asked for besides. */
#ifndef VDB_CMD_VECTOR_ROW_H
#define VDB_CMD_VECTOR_ROW_H

#include "cmd/args.h"
#include "db/search.h"
#include "net/resp_write.h"

enum row_with {
    WITH_SCORE = 1,
    WITH_ATTRIBUTE = 2,
    WITH_VECTOR = 4,
    WITH_RAW = 8,        /* the vector as a blob */
    WITH_TTL = 32,       /* milliseconds it has left, -1: it does not expire */
    WITH_PARTITION = 64, /* the name of its partition */
    WITH_STATUS = 16     /* TIMEOUT was given: is it all, or what was found in time? */
};

/* What elements are shown with. room: dim floats when there is WITH_VECTOR. */
struct row_shape {
    struct collection_view *view; /* its clock of use goes on */
    unsigned with;
    const struct json_pick *pick; /* NULL: no fields */
    float *room;
    const struct slice **partitions; /* names by number; NULL: all are in _default */
};

/* ERR_NOMEM. row_shape_fini in any case. */
MUST_USE enum err row_shape_init(struct row_shape *shape, struct collection_view *view,
                                 unsigned with, const struct json_pick *pick);
void row_shape_fini(struct row_shape *shape);

/* The id, or an array of it and what it is shown with: distance, attribute, vector, fields, time
 * left, partition, in this order. dist: with WITH_SCORE. [lane or loop] */
void reply_row(struct reply *r, const struct row_shape *shape, uint32_t row, double dist);

/* The distance of a hit as replies have it. */
double shown_distance(const struct collection_view *v, float dist);

/* A field as RETURN shows it. */
void reply_field(struct reply *r, const struct json_value *v);

/* The attribute of a row as it was set, null when there is none. */
void reply_attribute(struct reply *r, const struct collection_view *view, uint32_t row);

/* [lane] With TIMEOUT a reply is an array of two: complete or partial, and what it would be. */
void reply_status(struct reply *r, const struct search *s);

/* RETURN n field ...; *out is NULL when it was not given. */
MUST_USE enum err read_return(const struct slices *fields, bool given, struct json_pick **out,
                              struct why *why);

/* Into the search's own buffer: the client's is the loop's. [lane] */
struct reply reply_of_search(struct search *s);

#endif
