#include "cmd/vector_row.h"

#include <float.h>
#include <math.h>

#include "base/limits.h"
#include "cmd/vector.h"

struct reply reply_of_search(struct search *s)
{
    CHECK(s->proto == 2 || s->proto == 3);
    return (struct reply){&s->reply, s->proto};
}

enum err row_shape_init(struct row_shape *shape, struct collection_view *view, unsigned with,
                        const struct json_pick *pick)
{
    *shape = (struct row_shape){view, with, pick, NULL, NULL};
    const struct partition_table *table = view->partitions;
    if ((with & WITH_PARTITION) && table != NULL) {
        shape->partitions =
            mem_try_calloc(MEM_SCRATCH, PARTITION_NUMBERS * sizeof(*shape->partitions));
        for (uint32_t i = 0; shape->partitions != NULL && i < table->count; i++)
            shape->partitions[table->names[i].number] = &table->names[i].name;
        if (shape->partitions == NULL)
            return ERR_NOMEM;
    }
    if (!(with & WITH_VECTOR))
        return OK;
    shape->room = mem_try(MEM_SCRATCH, view->collection->spec.dim * sizeof(float));
    return shape->room == NULL ? ERR_NOMEM : OK;
}

void row_shape_fini(struct row_shape *shape)
{
    mem_free(MEM_SCRATCH, shape->room);
    mem_free(MEM_SCRATCH, (void *)shape->partitions);
    shape->room = NULL;
    shape->partitions = NULL;
}

void reply_attribute(struct reply *r, const struct collection_view *view, uint32_t row)
{
    struct slice attribute = view_attribute(view, row);
    if (attribute.len == 0)
        reply_null(r);
    else
        reply_bulk(r, attribute);
}

/* Strings without their quotes, everything else as it is written: a number of the client keeps all
 * its digits. */
void reply_field(struct reply *r, const struct json_value *v)
{
    if (v->kind == JSON_MISSING || v->kind == JSON_NULL) {
        reply_null(r);
        return;
    }
    if (v->kind != JSON_STRING || !v->escaped) {
        reply_bulk(r, v->text);
        return;
    }
    struct buf text = BUF_INIT(MEM_SCRATCH);
    struct json_chars chars = json_chars_of(v->text, true);
    for (int c = json_chars_next(&chars); c >= 0; c = json_chars_next(&chars))
        buf_append_byte(&text, (uint8_t)c);
    reply_gathered(r, &text);
    buf_fini(&text);
}

static void reply_fields(struct reply *r, const struct row_shape *shape, uint32_t row)
{
    struct json_value values[LIMIT_RETURN_FIELDS];
    json_pick_read(shape->pick, view_attribute(shape->view, row), values);
    reply_array(r, shape->pick->count);
    for (size_t i = 0; i < shape->pick->count; i++)
        reply_field(r, &values[i]);
}

static void reply_time_left(struct reply *r, const struct collection_view *v, uint32_t row)
{
    uint64_t expire_ms = view_expiry(v, row);
    CHECK(expire_ms == 0 || expire_ms >= v->codes.now_ms); /* or the row would not be visible */
    reply_int(r, expire_ms == 0 ? -1 : (int64_t)(expire_ms - v->codes.now_ms));
}

static void reply_partition(struct reply *r, const struct row_shape *shape, uint32_t row)
{
    const struct slice *name =
        shape->partitions == NULL ? NULL : shape->partitions[view_partition(shape->view, row)];
    CHECK(name != NULL || shape->partitions == NULL); /* or the row would not be visible */
    reply_bulk(r, name == NULL ? partition_default_name() : *name);
}

/* Under COSINE a float dot product of a vector with itself misses 1 by its last bit: what is below
 * that is nothing. */
double shown_distance(const struct collection_view *v, float dist)
{
    bool cosine = v->collection->spec.metric == METRIC_COSINE;
    return cosine && fabsf(dist) <= FLT_EPSILON ? 0 : (double)dist;
}

void reply_row(struct reply *r, const struct row_shape *shape, uint32_t row, double dist)
{
    unsigned with = shape->with;
    size_t members = 1u + ((with & WITH_SCORE) != 0) + ((with & WITH_ATTRIBUTE) != 0) +
                     ((with & WITH_VECTOR) != 0) + (shape->pick != NULL) +
                     ((with & WITH_TTL) != 0) + ((with & WITH_PARTITION) != 0);
    view_use(shape->view, row);
    if (members > 1)
        reply_array(r, members);
    reply_bulk(r, view_id(shape->view, row));
    if (with & WITH_SCORE)
        reply_double(r, dist);
    if (with & WITH_ATTRIBUTE)
        reply_attribute(r, shape->view, row);
    if (with & WITH_VECTOR)
        reply_vector(r, shape->view, row, (with & WITH_RAW) != 0, shape->room);
    if (shape->pick != NULL)
        reply_fields(r, shape, row);
    if (with & WITH_TTL)
        reply_time_left(r, shape->view, row);
    if (with & WITH_PARTITION)
        reply_partition(r, shape, row);
}

void reply_status(struct reply *r, const struct search *s)
{
    if (!(s->with & WITH_STATUS))
        return;
    reply_array(r, 2);
    reply_simple(r, s->cost.stopped ? "partial" : "complete");
}

enum err read_return(const struct slices *fields, bool given, struct json_pick **out,
                     struct why *why)
{
    *out = NULL;
    if (!given)
        return OK;
    CHECK(fields->count > 0); /* commands.def says so */
    return json_pick_new("RETURN", fields->items, fields->count, out, why);
}
