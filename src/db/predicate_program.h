/* predicate_program.h: what a filter becomes when it runs over columns: its own program with fields
 * read from columns, and comparisons of a field with constants as one instruction each. Between
 * predicate.c, which makes and runs it, and plan.c, which estimates by it. */
#ifndef VDB_DB_PREDICATE_PROGRAM_H
#define VDB_DB_PREDICATE_PROGRAM_H

#include "db/filter_program.h"
#include "db/predicate.h"

/* Behind all codes of filters. */
enum {
    PREDICATE_COMPARE = FILTER_OR + 1, /* push: field arg (a number) compare number */
    PREDICATE_TAG,                     /* push: is field arg one of the tags; negated: is it not */
    PREDICATE_GEO,                     /* push: is field arg in the circle */
    PREDICATE_BETWEEN,                 /* push: is field arg (a number) in range */
    PREDICATE_SET                      /* push: is field arg (a number) in set */
};

struct predicate_op {
    uint16_t code;
    uint16_t arg;     /* place among reads; of jumps the instruction; constants as in the filter */
    uint16_t compare; /* PREDICATE_COMPARE: FILTER_GT .. FILTER_NE */
    bool negated;     /* PREDICATE_TAG */
    bool sets;        /* it means arrays, too; where not, they are read from the text */
    bool exact;       /* all rows of its members match, and no others but such as need the text */
    uint32_t tag_first, tag_count; /* PREDICATE_TAG: of tags; without texts that no row holds */
    uint32_t member_first, member_count; /* strings whose rows have all that match */
    const uint64_t *tag_bits;            /* the same tags as bits, or NULL: few, or too large */
    uint32_t tag_end;                    /* of tag_bits: greater tags are not among them */
    union {
        double number;              /* PREDICATE_COMPARE */
        struct filter_range range;  /* PREDICATE_BETWEEN */
        uint16_t circle;            /* PREDICATE_GEO: its place among the circles */
        const struct text_set *set; /* PREDICATE_SET */
    };
};

/* A field of the schema that the program reads. */
struct predicate_read {
    uint8_t field;
    enum schema_kind kind;
    bool may_miss; /* reads as null when missing: the filter asks exists() too, or only that */
    bool by_text;  /* an array has to be read from the text */
};

struct predicate {
    const struct filter *filter;
    const struct fields *fields; /* NULL: not columnar */
    struct predicate_op *ops;
    uint32_t op_count;
    bool all_of; /* it is true when all its comparisons are: there is no other operator but `and` */
    struct predicate_read reads[LIMIT_SCHEMA_FIELDS];
    uint32_t read_count;
    uint32_t *tags;
    uint32_t tag_count, tag_capacity;
    uint64_t *bits; /* of all tag_bits */
    struct geo_circle *circles;
    uint32_t circle_count;
};

/* predicate_tags.c: a TAG field compared with a constant; part: `"x" in .f`. Fills in op, without
 * the place it reads. False: it cannot be said by numbers, or memory is short. */
bool predicate_bind_tags(struct predicate *p, const struct tags *t, const struct value *v,
                         uint16_t code, bool part, struct predicate_op *op);

#endif
