/* Fields that are numbers. One that changes expires when it did before. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cmd/hash.h"

static bool set_number(struct request *rq, struct slice key, const struct hash_field *old,
                       const char *text)
{
    struct hash_field f = *old;
    f.value = slice_of(text);
    return hash_write(rq, key, &f, 1);
}

void cmd_hincrby(struct request *rq)
{
    const struct hincrby_args *a = rq->args;
    struct hash_field f;
    int64_t value = 0;
    bool found;
    if (!hash_read_field(rq, a->key, a->field, &f, &found))
        return;
    if (found && !slice_to_i64(f.value, &value)) {
        reply_error(&rq->reply, "ERR hash value is not an integer");
        return;
    }
    if (__builtin_add_overflow(value, a->delta, &value)) {
        reply_error(&rq->reply, "ERR increment or decrement would overflow");
        return;
    }
    char text[24];
    int size = snprintf(text, sizeof(text), "%" PRId64, value);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    if (!found)
        f = (struct hash_field){0};
    f.name = a->field;
    if (set_number(rq, a->key, &f, text))
        reply_int(&rq->reply, value);
}

void cmd_hincrbyfloat(struct request *rq)
{
    const struct hincrbyfloat_args *a = rq->args;
    struct hash_field f;
    long double value = 0, delta;
    char text[FLOAT_TEXT_MAX];
    bool found;
    if (!float_read(a->delta, &delta)) {
        reply_error(&rq->reply, "ERR value is not a valid float");
        return;
    }
    if (isinf(delta)) {
        reply_error(&rq->reply, "ERR value is NaN or Infinity");
        return;
    }
    if (!hash_read_field(rq, a->key, a->field, &f, &found))
        return;
    if (found && !float_read(f.value, &value)) {
        reply_error(&rq->reply, "ERR hash value is not a float");
        return;
    }
    value += delta;
    if (isnan(value) || isinf(value)) {
        reply_error(&rq->reply, "ERR increment would produce NaN or Infinity");
        return;
    }
    float_print(value, text);
    if (!found)
        f = (struct hash_field){0};
    f.name = a->field;
    if (set_number(rq, a->key, &f, text))
        reply_text(&rq->reply, text);
}
