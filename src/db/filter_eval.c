/* filter_eval.c: runs a compiled filter over one JSON text.
 *
 * The rules of values are those of Redis's vector sets:
 * - As a number: a string is what it reads as, or 0; null, lists and arrays are 0.
 * - True: a number that is not 0 (NaN is true), a string that is not empty, every list and array.
 * - Equal: strings by bytes, null only to null, everything else by number; so two arrays are equal,
 *   and an array or "abc" equals 0.
 * - Order: always by number; "b" > "a" is false.
 * - x in y: y a list or array: an element equals x; both strings: x is a part of y; otherwise
 * false.
 * - x has y, x haslike y (beyond Redis): a string is no number, and a list is no element.
 * - geo(.f, longitude, latitude, m) (beyond Redis): what is no point is in no circle.
 * - between(.f, low, high) (beyond Redis): a string is no number, and null is not 0.
 * - Division by zero gives inf or NaN, % is fmod; no error.
 * - A field that is missing, is an object or is an array with an object inside decides: no match,
 *   whatever the rest says, `1 or .missing` and `not .missing` too. So the order of evaluation
 * cannot be seen, and all fields are fetched first. Beyond Redis: a field for which the expression
 * also asks exists() reads as null where it is missing, so that `not exists(.until) or .until > 7`
 * does what it says. */
#include "db/filter_program.h"

#include <math.h>

#include "text/match.h"

/* Most filters fit the small frame; the large one costs 20 kB of stack to be touched. */
enum { SMALL_SLOTS = 12, SMALL_STACK = 12 };

static inline struct value number_value(double number)
{
    return (struct value){.kind = VALUE_NUMBER, .number = number};
}

static struct value value_of_json(const struct json_value *v)
{
    switch (v->kind) {
    case JSON_NUMBER:
        return number_value(json_number(v));
    case JSON_STRING:
        return (struct value){.kind = VALUE_STRING, .escaped = v->escaped, .text = v->text};
    case JSON_TRUE:
        return number_value(1);
    case JSON_FALSE:
        return number_value(0);
    case JSON_ARRAY:
        return (struct value){.kind = VALUE_ARRAY, .text = v->text};
    case JSON_NULL:
    case JSON_MISSING: /* only where exists() is asked: fields_readable() */
        break;
    case JSON_OBJECT:
        CHECK(false); /* fields_readable() */
    }
    return (struct value){.kind = VALUE_NULL};
}

static inline double to_number(const struct value *v)
{
    if (LIKELY(v->kind == VALUE_NUMBER))
        return v->number;
    return v->kind == VALUE_STRING ? text_number(v) : 0;
}

bool value_truth(const struct value *v)
{
    if (LIKELY(v->kind == VALUE_NUMBER))
        return v->number != 0;
    return v->kind == VALUE_STRING ? v->text.len > 0 : v->kind != VALUE_NULL;
}

static bool equal(const struct value *a, const struct value *b)
{
    if (a->kind == VALUE_STRING && b->kind == VALUE_STRING)
        return text_equals(a, b);
    if (a->kind == VALUE_NULL || b->kind == VALUE_NULL)
        return a->kind == b->kind;
    return to_number(a) == to_number(b);
}

static bool in_list(const struct filter *f, const struct value *x, const struct value *list)
{
    const struct value *items = f->constants + list->first;
    for (size_t i = 0; i < list->text.len; i++)
        if (equal(x, &items[i]))
            return true;
    return false;
}

static bool in_array(const struct value *x, const struct value *array)
{
    struct json_value json = {.kind = JSON_ARRAY, .text = array->text};
    struct json_items items = json_items_of(&json);
    while (json_items_next(&items, &json)) {
        struct value item = value_of_json(&json);
        if (equal(x, &item))
            return true;
    }
    return false;
}

static bool in_set(const struct value *x, const struct text_set *set)
{
    return x->kind == VALUE_NUMBER && x->number >= 0 && x->number < set->end &&
           text_set_has(set, (uint32_t)x->number);
}

static bool in(const struct filter *f, const struct value *x, const struct value *y)
{
    if (y->kind == VALUE_SET)
        return in_set(x, y->set);
    if (y->kind == VALUE_LIST)
        return in_list(f, x, y);
    if (y->kind == VALUE_ARRAY)
        return in_array(x, y);
    return x->kind == VALUE_STRING && y->kind == VALUE_STRING && text_in(x, y);
}

static bool like(const struct value *x, const struct value *pattern)
{
    return x->kind == VALUE_STRING && pattern->kind == VALUE_STRING && text_like(x, pattern);
}

/* Of one kind and equal: no string is a number here, and no array is anything. */
static bool is_same(const struct value *a, const struct value *b)
{
    bool scalar = a->kind == VALUE_STRING || a->kind == VALUE_NUMBER;
    return scalar && a->kind == b->kind && equal(a, b);
}

static bool is_any(const struct filter *f, const struct value *x, const struct value *y)
{
    if (y->kind != VALUE_LIST)
        return is_same(x, y);
    for (size_t i = 0; i < y->text.len; i++)
        if (is_same(x, &f->constants[y->first + i]))
            return true;
    return false;
}

static bool has_one(const struct filter *f, uint16_t code, const struct value *x,
                    const struct value *y)
{
    return code == FILTER_HAS ? is_any(f, x, y) : like(x, y);
}

static bool has(const struct filter *f, uint16_t code, const struct value *x, const struct value *y)
{
    for (size_t i = 0; x->kind == VALUE_LIST && i < x->text.len; i++)
        if (has_one(f, code, &f->constants[x->first + i], y))
            return true;
    if (x->kind != VALUE_ARRAY)
        return has_one(f, code, x, y);
    struct json_value json = {.kind = JSON_ARRAY, .text = x->text};
    struct json_items items = json_items_of(&json);
    while (json_items_next(&items, &json)) {
        struct value item = value_of_json(&json);
        if (has_one(f, code, &item, y))
            return true;
    }
    return false;
}

struct geo_circle filter_circle(const struct filter *f, const struct value *list)
{
    CHECK(list->kind == VALUE_LIST && list->text.len == FILTER_CIRCLE_NUMBERS);
    const struct value *numbers = f->constants + list->first;
    struct geo_point centre = {numbers[0].number, numbers[1].number};
    return geo_circle_of(centre, numbers[2].number);
}

static bool within(const struct filter *f, const struct value *x, const struct value *circle)
{
    struct geo_circle c = filter_circle(f, circle);
    struct json_value json = {.kind = x->kind == VALUE_STRING  ? JSON_STRING
                                      : x->kind == VALUE_ARRAY ? JSON_ARRAY
                                                               : JSON_NULL,
                              .escaped = x->escaped,
                              .text = x->text};
    return json_point_within(&json, &c);
}

struct filter_range filter_range(const struct filter *f, const struct value *list)
{
    CHECK(list->kind == VALUE_LIST && list->text.len == FILTER_RANGE_NUMBERS);
    const struct value *numbers = f->constants + list->first;
    return (struct filter_range){numbers[0].number, numbers[1].number};
}

static bool is_between(const struct filter_range *r, const struct value *x)
{
    return x->kind == VALUE_NUMBER && x->number >= r->low && x->number <= r->high;
}

static bool between(const struct filter *f, const struct value *x, const struct value *list)
{
    struct filter_range r = filter_range(f, list);
    if (x->kind != VALUE_ARRAY)
        return is_between(&r, x);
    struct json_value json = {.kind = JSON_ARRAY, .text = x->text};
    struct json_items items = json_items_of(&json);
    while (json_items_next(&items, &json)) {
        struct value item = value_of_json(&json);
        if (is_between(&r, &item))
            return true;
    }
    return false;
}

static double arithmetic(uint16_t code, double a, double b)
{
    switch (code) {
    case FILTER_POWER:
        return pow(a, b);
    case FILTER_MULTIPLY:
        return a * b;
    case FILTER_DIVIDE:
        return a / b;
    case FILTER_MODULO:
        return fmod(a, b);
    case FILTER_ADD:
        return a + b;
    case FILTER_SUBTRACT:
        return a - b;
    case FILTER_GT:
        return a > b;
    case FILTER_GE:
        return a >= b;
    case FILTER_LT:
        return a < b;
    default:
        CHECK(code == FILTER_LE);
        return a <= b;
    }
}

double filter_binary(const struct filter *f, uint16_t code, const struct value *a,
                     const struct value *b)
{
    switch (code) {
    case FILTER_EQ:
        return equal(a, b);
    case FILTER_NE:
        return !equal(a, b);
    case FILTER_IN:
        return in(f, a, b);
    case FILTER_CONTAINS:
        return in(f, b, a);
    case FILTER_LIKE:
        return like(a, b);
    case FILTER_HAS:
    case FILTER_HAS_LIKE:
        return has(f, code, a, b);
    case FILTER_WITHIN:
        return within(f, a, b);
    case FILTER_BETWEEN:
        return between(f, a, b);
    default:
        return arithmetic(code, to_number(a), to_number(b));
    }
}

/* Every field that is read has a value that an expression can hold. */
static bool fields_readable(const struct filter *f, const struct json_value *fields)
{
    for (uint32_t i = 0; i < f->need_count; i++) {
        const struct json_value *v = &fields[f->needs[i].slot];
        bool readable = v->kind == JSON_MISSING ? f->needs[i].may_miss
                                                : v->kind != JSON_OBJECT && !v->has_object;
        if (!readable)
            return false;
    }
    return true;
}

static bool run(const struct filter *f, const struct json_value *fields, struct value *stack)
{
    struct value *top = stack - 1;
    for (uint32_t at = 0; at < f->op_count; at++) {
        struct filter_op op = f->ops[at];
        switch (op.code) {
        case FILTER_CONSTANT:
            *++top = f->constants[op.arg];
            break;
        case FILTER_FIELD:
            *++top = value_of_json(&fields[op.arg]);
            break;
        case FILTER_EXISTS:
            *++top = number_value(fields[op.arg].kind != JSON_MISSING);
            break;
        case FILTER_NOT:
            *top = number_value(!value_truth(top));
            break;
        case FILTER_BOOL:
            *top = number_value(value_truth(top));
            break;
        case FILTER_AND_TEST:
        case FILTER_OR_TEST:
            if (value_truth(top) == (op.code == FILTER_OR_TEST)) {
                *top = number_value(op.code == FILTER_OR_TEST);
                at = op.arg - 1u; /* the loop adds one */
            } else {
                top--;
            }
            break;
        default:
            top--;
            *top = number_value(filter_binary(f, op.code, top, top + 1));
        }
    }
    CHECK(top == stack);
    return value_truth(top);
}

static __attribute__((noinline)) bool match_small(const struct filter *f, struct slice json)
{
    struct json_value fields[SMALL_SLOTS];
    struct value stack[SMALL_STACK];
    return json_read(json, &f->paths, fields) && fields_readable(f, fields) &&
           run(f, fields, stack);
}

static __attribute__((noinline)) bool match_large(const struct filter *f, struct slice json)
{
    struct json_value fields[FILTER_SLOTS];
    struct value stack[FILTER_STACK_SIZE];
    CHECK(f->paths.count <= FILTER_SLOTS && f->stack_size <= FILTER_STACK_SIZE);
    return json_read(json, &f->paths, fields) && fields_readable(f, fields) &&
           run(f, fields, stack);
}

bool filter_match(const struct filter *f, struct slice json)
{
    if (json.len == 0)
        return false;
    bool small = f->paths.count <= SMALL_SLOTS && f->stack_size <= SMALL_STACK;
    return small ? match_small(f, json) : match_large(f, json);
}
