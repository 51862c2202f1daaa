/* From the values of a JSON document to what a field of a hash would have. */
#include <math.h>

#include "db/documents.h"
#include "json/numbers.h"
#include "json/path.h"

/* The values of one field. owner: document_field */
struct reading {
    const struct index_field *f;
    struct buf *room;
    struct why *why;
    size_t count;
};

static enum err refuse(struct reading *r, enum jval_kind kind)
{
    static const char *const words[] = {
        [JVAL_BOOL] = "Boolean type can be represent only TAG field",
        [JVAL_INTEGER] = "Numeric type can represent only NUMERIC field",
        [JVAL_NUMBER] = "Numeric type can represent only NUMERIC field",
        [JVAL_STRING] = "String type can represent only TEXT, TAG, GEO or GEOMETRY field",
        [JVAL_OBJECT] = "Object type can represent only GEOMETRY fields"};
    CHECK(words[kind] != NULL);
    return why_set(r->why, ERR_ARG, "Invalid JSON type: %s", words[kind]);
}

/* -- VECTOR ------------------------------------------------------------------------------------ */

/* Whole numbers from 0 to 255 as bytes, which may take the place of the floats; false: *bad is
 * none. */
static bool bytes_of(const float *floats, size_t count, uint8_t *out, size_t *bad)
{
    for (size_t i = 0; i < count; i++) {
        float value = floats[i];
        *bad = i;
        if (!(value >= 0 && value <= UINT8_MAX) || value != truncf(value))
            return false;
        out[i] = (uint8_t)value;
    }
    return true;
}

static enum err read_vector(struct reading *r, struct slice array)
{
    const struct index_vector *v = &r->f->vector;
    struct jval_walk walk;
    struct jval_entry item;
    size_t count = jval_count(array), at = 0, bad = 0;
    if (count == 0)
        return why_set(r->why, ERR_ARG, "Empty array for vector field on JSON document");
    if (count != v->dim)
        return why_set(r->why, ERR_ARG, "Invalid vector length. Expected %u, got %zu", v->dim,
                       count);
    size_t size = v->dim * (v->type == INDEX_FLOAT64 ? sizeof(double) : sizeof(float));
    uint8_t *out = buf_reserve(r->room, size + index_vector_size(v));
    if (out == NULL)
        return ERR_NOMEM;
    jval_walk(array, &walk);
    for (; jval_next(&walk, &item); at++) {
        if (!jval_is_number(item.value))
            return why_set(r->why, ERR_ARG, "Invalid vector element at index %zu", at);
        double number = jnum_value(item.value);
        float rounded = (float)number;
        if (v->type == INDEX_FLOAT64)
            memcpy(out + at * sizeof(number), &number, sizeof(number));
        else
            memcpy(out + at * sizeof(rounded), &rounded, sizeof(rounded));
    }
    if (v->type == INDEX_FLOAT32 || v->type == INDEX_FLOAT64) {
        buf_advance(r->room, size);
        return OK;
    }
    if (v->type == INDEX_UINT8) {
        if (!bytes_of((const float *)(const void *)out, v->dim, out, &bad))
            return why_set(r->why, ERR_ARG, "Invalid vector element at index %zu", bad);
        buf_advance(r->room, v->dim);
        return OK;
    }
    uint8_t *blob = out + size;
    if (type_encode(index_vector_kept(v->type), (const float *)(const void *)out, v->dim, blob,
                    &bad) != TYPE_FITS)
        return why_set(r->why, ERR_ARG, "Invalid vector element at index %zu", bad);
    memmove(out, blob, index_vector_size(v));
    buf_advance(r->room, index_vector_size(v));
    return OK;
}

/* -- TAG, NUMERIC, GEO, TEXT ------------------------------------------------------------------- */

static void put_string(struct reading *r, struct slice string)
{
    struct slice left = jval_inside(string);
    bool tag = r->f->kind == INDEX_TAG;
    if (r->count++ > 0)
        buf_append_byte(r->room, r->f->kind == INDEX_TEXT ? '\n' : INDEX_VALUE_END);
    size_t at = r->room->len;
    jval_unescape(left, r->room);
    for (size_t i = at; tag && r->f->separator != 0 && i < r->room->len; i++)
        if (r->room->ptr[i] == r->f->separator)
            r->room->ptr[i] = INDEX_VALUE_END;
}

/* One of several values: a number for NUMERIC, or a string. NULL is none. */
static enum err put_one(struct reading *r, struct slice value)
{
    bool numeric = r->f->kind == INDEX_NUMERIC;
    if (jval_kind(value) == JVAL_NULL)
        return OK;
    if (numeric ? !jval_is_number(value) : jval_kind(value) != JVAL_STRING)
        return why_set(r->why, ERR_ARG,
                       numeric ? "NUMERIC fields can only contain numeric or nulls"
                               : "TEXT/TAG fields can only contain strings or nulls");
    if (!numeric) {
        put_string(r, value);
        return OK;
    }
    if (r->count++ > 0)
        buf_append_byte(r->room, INDEX_VALUE_END);
    buf_append_slice(r->room, value);
    return OK;
}

static enum err put_elements(struct reading *r, struct slice array)
{
    struct jval_walk walk;
    struct jval_entry item;
    enum err e = OK;
    jval_walk(array, &walk);
    while (e == OK && jval_next(&walk, &item))
        e = put_one(r, item.value);
    return e;
}

/* The only value that there is. */
static enum err put_only(struct reading *r, struct slice value)
{
    enum jval_kind kind = jval_kind(value);
    enum index_field_kind field = r->f->kind;
    bool number = kind == JVAL_INTEGER || kind == JVAL_NUMBER;
    if (kind == JVAL_NULL)
        return OK;
    if (kind == JVAL_ARRAY && field == INDEX_VECTOR) {
        r->count = 1;
        return read_vector(r, value);
    }
    if (kind == JVAL_ARRAY)
        return put_elements(r, value);
    if (kind == JVAL_BOOL && field == INDEX_TAG) {
        r->count = 1;
        buf_append_slice(r->room, value);
        return OK;
    }
    bool fits = number                ? field == INDEX_NUMERIC
                : kind == JVAL_STRING ? field != INDEX_NUMERIC && field != INDEX_VECTOR
                                      : false;
    return fits ? put_one(r, value) : refuse(r, kind);
}

enum err document_field(const struct index_field *f, struct slice document, struct buf *room,
                        struct slice *out, bool *there, struct why *why)
{
    struct reading r = {.f = f, .room = room, .why = why};
    struct jhits hits = {0};
    buf_clear(room, SIZE_MAX);
    enum err e = jpath_find(f->json, document, SIZE_MAX, &hits, why);
    if (e == OK && hits.count == 1)
        e = put_only(&r, hits.items[0].value);
    else if (e == OK && hits.count > 1 && f->kind == INDEX_VECTOR)
        e = why_set(why, ERR_UNSUPPORTED, "a VECTOR field has one value");
    else
        for (size_t i = 0; i < hits.count && e == OK; i++)
            e = put_one(&r, hits.items[i].value);
    jhits_fini(&hits);
    *there = r.count > 0;
    *out = buf_slice(room);
    return e == OK && buf_failed(room) ? ERR_NOMEM : e;
}
