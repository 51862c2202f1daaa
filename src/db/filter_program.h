/* filter_program.h: what a FILTER expression is compiled to. Between filter_parse.c, which makes
 * it, and filter_eval.c, which runs it; nobody else includes this.
 *
 * A program is a list of instructions for a stack of values. Fields are not looked up as they are
 * met: one pass over the JSON text fetches all of them first. That is also what lets `and` and `or`
 * skip their right side without changing an answer: a missing field has already decided. */
#ifndef VDB_DB_FILTER_PROGRAM_H
#define VDB_DB_FILTER_PROGRAM_H

#include "base/limits.h"
#include "db/filter.h"
#include "db/json_point.h"

enum value_kind {
    VALUE_NUMBER,
    VALUE_STRING,
    VALUE_NULL,
    VALUE_LIST, /* [1, "a"] in the expression */
    VALUE_ARRAY, /* an array in the JSON text */
    VALUE_SET    /* of numbers, from outside */
};

struct value {
    enum value_kind kind;
    bool escaped;     /* VALUE_STRING: text holds JSON escapes */
    bool number_read; /* VALUE_STRING: number is what the string reads as */
    union {
        double number;
        size_t first; /* VALUE_LIST: number of its first item among the constants */
        const struct text_set *set;
    };
    struct slice text; /* VALUE_STRING, VALUE_ARRAY; VALUE_LIST: len is the count of items */
};

/* Binary operators stand together, from FILTER_POWER on. */
enum filter_code {
    FILTER_CONSTANT, /* push constants[arg] */
    FILTER_FIELD,    /* push the value of slot arg */
    FILTER_EXISTS,   /* push 1 or 0: is there a field in slot arg */
    FILTER_AND_TEST, /* when the top is false make it 0 and go to arg, otherwise drop it */
    FILTER_OR_TEST,  /* when the top is true make it 1 and go to arg, otherwise drop it */
    FILTER_BOOL,     /* make the top 1 or 0 */
    FILTER_NOT,
    FILTER_POWER,
    FILTER_MULTIPLY,
    FILTER_DIVIDE,
    FILTER_MODULO,
    FILTER_ADD,
    FILTER_SUBTRACT,
    FILTER_GT,
    FILTER_GE,
    FILTER_LT,
    FILTER_LE,
    FILTER_EQ,
    FILTER_NE,
    FILTER_IN,
    FILTER_CONTAINS,
    FILTER_LIKE,
    FILTER_HAS,
    FILTER_HAS_LIKE,
    FILTER_WITHIN,  /* a point in a circle: geo(.f, ..) is .f within [longitude, latitude, m] */
    FILTER_BETWEEN, /* a number, or one of an array: .f between [low, high] */
    FILTER_AND,     /* in the source only: AND_TEST and BOOL in a program */
    FILTER_OR
};

struct filter_op {
    uint16_t code; /* enum filter_code */
    uint16_t arg;
};

/* A slot whose value the expression reads. */
struct filter_need {
    uint16_t slot;
    bool may_miss; /* exists() asks for the same path: reads as null when missing */
};

enum {
    /* Values that wait on the stack while an operand is computed: inside each parenthesis one per
     * level of precedence of the left-associative operators, and one per pending power; and the
     * circle of a point. */
    FILTER_STACK_SIZE = (LIMIT_FILTER_DEPTH + 1) * 5 + LIMIT_FILTER_DEPTH + 3,
    FILTER_SLOTS = LIMIT_FILTER_FIELDS + 1,
    FILTER_CIRCLE_NUMBERS = 3,
    FILTER_RANGE_NUMBERS = 2
};

struct filter {
    struct filter_op *ops;
    struct value *constants;
    struct filter_need *needs;
    uint32_t op_count;
    uint32_t constant_count;
    uint32_t need_count;
    uint32_t stack_size; /* most values on the stack at once */
    struct json_paths paths;
    struct buf text; /* bytes of the string constants */
};

/* A binary operator on two values, and whether a value counts as true (filter_eval.c). */
double filter_binary(const struct filter *f, uint16_t code, const struct value *a,
                     const struct value *b);
/* What a FILTER_WITHIN, or a FILTER_BETWEEN, compares with. */
struct geo_circle filter_circle(const struct filter *f, const struct value *list);
struct filter_range {
    double low, high;
};
struct filter_range filter_range(const struct filter *f, const struct value *list);
bool value_truth(const struct value *v);

/* Strings as the operators see them (filter_text.c). All take VALUE_STRINGs. */
bool text_equals(const struct value *a, const struct value *b);
bool text_in(const struct value *needle, const struct value *hay);
bool text_like(const struct value *text, const struct value *pattern);
double text_number(const struct value *v);

#endif
