/* Strings that are numbers. A number that changes expires when the one before it did. */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/keys.h"

#define NOT_AN_INTEGER "ERR value is not an integer or out of range"
#define NOT_A_FLOAT "ERR value is not a valid float"

static bool set_number(struct request *rq, struct slice key, const struct object *old,
                       const char *text)
{
    return key_set_until(rq, key, slice_of(text), old == NULL ? 0 : old->expire_ms);
}

/* Adds to the integer at a key; one that is not there is 0. */
static void add(struct request *rq, struct slice key, int64_t delta)
{
    struct object *o;
    int64_t value = 0;
    if (!key_string(rq, key, &o))
        return;
    if (o != NULL && !string_is_integer(object_string(o), &value)) {
        reply_error(&rq->reply, NOT_AN_INTEGER);
        return;
    }
    if (__builtin_add_overflow(value, delta, &value)) {
        reply_error(&rq->reply, "ERR increment or decrement would overflow");
        return;
    }
    char text[24];
    int size = snprintf(text, sizeof(text), "%" PRId64, value);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    if (set_number(rq, key, o, text))
        reply_int(&rq->reply, value);
}

void cmd_incr(struct request *rq)
{
    add(rq, ((const struct incr_args *)rq->args)->key, 1);
}

void cmd_decr(struct request *rq)
{
    add(rq, ((const struct decr_args *)rq->args)->key, -1);
}

void cmd_incrby(struct request *rq)
{
    const struct incrby_args *a = rq->args;
    add(rq, a->key, a->delta);
}

void cmd_decrby(struct request *rq)
{
    const struct decrby_args *a = rq->args;
    if (a->delta == INT64_MIN)
        reply_error(&rq->reply, "ERR decrement would overflow");
    else
        add(rq, a->key, -a->delta);
}

/* Long double, as Redis has it: what is shown has 17 digits behind the point. */
bool float_read(struct slice s, long double *out)
{
    char text[FLOAT_TEXT_MAX];
    char *end;
    if (s.len == 0 || s.len >= FLOAT_TEXT_MAX || s.ptr[0] <= ' ')
        return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = '\0';
    errno = 0;
    *out = strtold(text, &end);
    bool out_of_range = errno == ERANGE && (isinf(*out) || *out == 0);
    return end == text + s.len && !out_of_range && !isnan(*out);
}

/* Without zeros at the end. */
void float_print(long double value, char text[FLOAT_TEXT_MAX])
{
    int size = snprintf(text, FLOAT_TEXT_MAX, "%.17Lf", value);
    CHECK(size > 0 && size < FLOAT_TEXT_MAX);
    char *end = text + size - 1;
    while (*end == '0')
        end--;
    end[*end == '.' ? 0 : 1] = '\0';
    if (strcmp(text, "-0") == 0)
        memcpy(text, "0", 2);
}

void cmd_incrbyfloat(struct request *rq)
{
    const struct incrbyfloat_args *a = rq->args;
    struct object *o;
    long double value = 0, delta;
    char text[FLOAT_TEXT_MAX];
    if (!key_string(rq, a->key, &o))
        return;
    if ((o != NULL && !float_read(object_string(o), &value)) || !float_read(a->delta, &delta)) {
        reply_error(&rq->reply, NOT_A_FLOAT);
        return;
    }
    value += delta;
    if (isnan(value) || isinf(value)) {
        reply_error(&rq->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    float_print(value, text);
    if (set_number(rq, a->key, o, text))
        reply_text(&rq->reply, text);
}
