/* From a hash or JSON to what an index keeps of it. */
#include <float.h>
#include <math.h>

#include "base/double_text.h"
#include "base/geo.h"
#include "db/documents.h"
#include "db/hashes.h"
#include "db/index_text.h"
#include "db/stored.h"
#include "ft/index_filter.h"

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static struct slice trimmed(struct slice s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

static uint8_t folded(const struct index_field *f, uint8_t c)
{
    return !f->case_sensitive && c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

void index_tag_append(const struct index_field *f, struct slice tag, struct buf *out)
{
    struct slice s = trimmed(tag);
    for (size_t i = 0; i < s.len; i++)
        buf_append_byte(out, folded(f, s.ptr[i]));
}

/* -- TAG --------------------------------------------------------------------------------------- */

/* A tag as a JSON string. Bytes that JSON does not have as they are come as escapes; those
 * beyond ASCII stay, whatever they are: nothing here depends on their being UTF-8. */
static void put_tag(const struct index_field *f, struct slice tag, struct buf *out)
{
    buf_append_byte(out, '"');
    for (size_t i = 0; i < tag.len; i++) {
        uint8_t c = folded(f, tag.ptr[i]);
        if (c == '"' || c == '\\' || c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_append_byte(out, c);
    }
    buf_append_byte(out, '"');
}

/* The next of the values between separators that is not empty. */
static bool next_tag(uint8_t separator, struct slice *rest, struct slice *out)
{
    while (rest->len > 0) {
        const uint8_t *end = memchr(rest->ptr, separator, rest->len);
        size_t size = end == NULL ? rest->len : (size_t)(end - rest->ptr);
        *out = trimmed((struct slice){rest->ptr, size});
        size_t taken = end == NULL ? size : size + 1;
        *rest = (struct slice){rest->ptr + taken, rest->len - taken};
        if (out->len > 0)
            return true;
    }
    return false;
}

/* ,"f<number>": written from its end, since this runs for each field of each document. */
static void put_name(struct buf *out, size_t number)
{
    char text[24], *at = text + sizeof(text);
    *--at = ':';
    *--at = '"';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    *--at = 'f';
    *--at = '"';
    if (out->len > 1)
        *--at = ',';
    buf_append(out, at, (size_t)(text + sizeof(text) - at));
}

static void put_tags(struct key_index *x, const struct index_field *f, struct slice value)
{
    struct buf *out = &x->document.attribute;
    struct slice first, tag;
    uint8_t separator = x->spec->on_json ? INDEX_VALUE_END : f->separator;
    if (!next_tag(separator, &value, &first))
        return;
    bool many = next_tag(separator, &value, &tag);
    put_name(out, index_field_number(x, f));
    buf_append_text(out, many ? "[" : "");
    put_tag(f, first, out);
    while (many) {
        buf_append_byte(out, ',');
        put_tag(f, tag, out);
        if (!next_tag(separator, &value, &tag))
            break;
    }
    buf_append_text(out, many ? "]" : "");
}

/* -- NUMERIC ----------------------------------------------------------------------------------- */

static enum err put_number(struct key_index *x, struct slice value, struct why *why)
{
    double number;
    if (!slice_to_f64(trimmed(value), &number) || isnan(number))
        return why_set(why, ERR_ARG, "Invalid numeric value: '%.*s'",
                       (int)(value.len < 64 ? value.len : 64), (const char *)value.ptr);
    /* JSON has no infinity; nothing finite lies beyond these. */
    number = number > DBL_MAX ? DBL_MAX : number < -DBL_MAX ? -DBL_MAX : number;
    char text[DOUBLE_TEXT_MAX];
    buf_append(&x->document.attribute, text, double_to_text(number, text));
    return OK;
}

/* -- GEO --------------------------------------------------------------------------------------- */

static enum err put_point(struct key_index *x, struct slice value, struct why *why)
{
    struct geo_point p;
    if (!geo_parse(value, &p))
        return why_set(why, ERR_ARG, "Invalid geo string: '%.*s'",
                       (int)(value.len < 64 ? value.len : 64), (const char *)value.ptr);
    buf_printf(&x->document.attribute, "\"%.17g,%.17g\"", p.longitude, p.latitude);
    return OK;
}

/* -- NUMERIC and GEO may have several ---------------------------------------------------------- */

/* JSON says with document_field() where one ends. */
static struct slice cut_value(const struct key_index *x, struct slice *rest)
{
    const uint8_t *end =
        x->spec->on_json && rest->len > 0 ? memchr(rest->ptr, INDEX_VALUE_END, rest->len) : NULL;
    struct slice value = *rest;
    *rest = (struct slice){0};
    if (end == NULL)
        return value;
    size_t size = (size_t)(end - value.ptr);
    *rest = (struct slice){end + 1, value.len - size - 1};
    return (struct slice){value.ptr, size};
}

static enum err put_values(struct key_index *x, const struct index_field *f, struct slice value,
                           struct why *why)
{
    struct buf *out = &x->document.attribute;
    struct slice rest = value, one = cut_value(x, &rest);
    bool many = rest.ptr != NULL;
    enum err e;
    put_name(out, index_field_number(x, f));
    buf_append_text(out, many ? "[" : "");
    for (;; one = cut_value(x, &rest)) {
        e = f->kind == INDEX_GEO ? put_point(x, one, why) : put_number(x, one, why);
        if (e != OK || rest.ptr == NULL)
            break;
        buf_append_byte(out, ',');
    }
    buf_append_text(out, many ? "]" : "");
    return e;
}

/* -- VECTOR ------------------------------------------------------------------------------------ */

static void read_floats(const struct index_vector *v, struct slice blob, float *out)
{
    for (uint32_t i = 0; i < v->dim && v->type == INDEX_UINT8; i++)
        out[i] = blob.ptr[i];
    if (v->type == INDEX_UINT8)
        return;
    if (v->type != INDEX_FLOAT64 && v->type != INDEX_FLOAT32) {
        type_decode(index_vector_kept(v->type), blob.ptr, v->dim, out);
        return;
    }
    for (uint32_t i = 0; i < v->dim; i++) {
        double d;
        if (v->type == INDEX_FLOAT64) {
            memcpy(&d, blob.ptr + (size_t)i * sizeof(d), sizeof(d));
            out[i] = (float)d;
        } else {
            memcpy(&out[i], blob.ptr + (size_t)i * sizeof(*out), sizeof(*out));
        }
    }
}

/* From its bytes in a document to floats, of which there is one at a time; NULL: no memory. */
static float *floats_of(struct key_index *x, const struct index_vector *v, struct slice blob)
{
    struct buf *room = &x->document.floats;
    buf_clear(room, SIZE_MAX);
    float *floats = (float *)(void *)buf_reserve(room, v->dim * sizeof(float));
    if (floats != NULL)
        read_floats(v, blob, floats);
    return floats;
}

static enum err store_floats(struct key_index *x, const struct index_vector *v,
                             const struct collection_spec *spec, struct slice blob, uint8_t *out,
                             float *norm, struct why *why)
{
    float *floats = floats_of(x, v, blob);
    if (floats == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < v->dim; i++)
        if (!isfinite(floats[i]))
            return why_set(why, ERR_ARG, "value %u of the vector is not a finite number", i);
    return vector_prepare(spec, NULL, x->db->env.kernels, floats, (float *)(void *)out, norm, why);
}

static enum err put_vector(struct key_index *x, const struct index_field *f, size_t at,
                           struct slice blob, struct why *why)
{
    enum { ALIGNMENT = 8 };
    struct index_document *d = &x->document;
    const struct collection_spec *spec = &x->vectors[at]->spec;
    if (blob.len != index_vector_size(&f->vector))
        return why_set(why, ERR_ARG, "Could not add vector with blob size %zu (expected size %zu)",
                       blob.len, index_vector_size(&f->vector));
    size_t size = (type_size(spec->type, spec->dim) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    uint8_t *out = buf_reserve(&d->vectors, size);
    if (out == NULL)
        return ERR_NOMEM;
    d->vector_at[at] = d->vectors.len;
    buf_advance(&d->vectors, size);
    if (spec->type == TYPE_FP32)
        return store_floats(x, &f->vector, spec, blob, out, &d->norms[at], why);
    size_t bad;
    if (f->vector.type == INDEX_UINT8) {
        const float *floats = floats_of(x, &f->vector, blob);
        if (floats == NULL || type_encode(spec->type, floats, spec->dim, out, &bad) != TYPE_FITS)
            return ERR_NOMEM; /* every byte fits */
        return stored_measure(spec, out, &d->norms[at], why);
    }
    if (!type_finite(spec->type, blob.ptr, spec->dim, &bad))
        return why_set(why, ERR_ARG, "value %zu of the vector is not a finite number", bad);
    memcpy(out, blob.ptr, blob.len);
    return stored_measure(spec, out, &d->norms[at], why);
}

enum err index_query_read(const struct key_index *x, const struct index_field *f, struct slice blob,
                          float *out, struct why *why)
{
    const struct collection *c = index_collection(x, f);
    float norm;
    if (blob.len != index_vector_size(&f->vector))
        return why_set(why, ERR_ARG,
                       "Error parsing vector similarity query: query vector blob size (%zu) does "
                       "not match index's expected size (%zu).",
                       blob.len, index_vector_size(&f->vector));
    float *raw = mem_try(MEM_SCRATCH, f->vector.dim * sizeof(*raw));
    if (raw == NULL)
        return ERR_NOMEM;
    read_floats(&f->vector, blob, raw);
    enum err e = OK;
    for (uint32_t i = 0; i < f->vector.dim && e == OK; i++)
        if (!isfinite(raw[i]))
            e = why_set(why, ERR_ARG,
                        "Error parsing vector similarity query: value %u is not a finite number",
                        i);
    if (e == OK)
        e = vector_prepare(&c->spec, NULL, c->env->kernels, raw, out, &norm, why);
    mem_free(MEM_SCRATCH, raw);
    return e;
}

/* -- TEXT -------------------------------------------------------------------------------------- */

/* What queries of words read stands elsewhere; the attribute says that there is a text, where
 * ismissing() is asked, and what it is sorted by. */
static void put_text(struct key_index *x, const struct index_field *f, struct slice value)
{
    struct index_document *d = &x->document;
    struct index_piece piece = {d->texts.len, value.len, f->text_number};
    if (!f->no_index) {
        buf_append_slice(&d->texts, value);
        buf_append(&d->pieces, &piece, sizeof(piece));
    }
    if (f->sortable || f->index_missing) {
        struct index_field as = *f;
        as.case_sensitive = f->unf;
        put_name(&d->attribute, index_field_number(x, f));
        put_tag(&as, f->sortable ? value : (struct slice){0}, &d->attribute);
    }
}

/* What is said of the document as a whole. */
static void read_rules(struct key_index *x, const struct object *o)
{
    struct index_document *d = &x->document;
    const struct index_spec *s = x->spec;
    struct value v;
    enum text_language language;
    double score;
    d->language = s->language;
    d->score = s->score;
    if (s->language_field.len > 0) {
        v = document_value(x->db, s, o, s->language_field, &d->json);
        if (v.kind == VALUE_TEXT && text_language_find(value_slice(&v), &language))
            d->language = language;
    }
    if (s->score_field.len > 0) {
        v = document_value(x->db, s, o, s->score_field, &d->json);
        if (value_to_number(&v, &score) && score >= 0 && score <= 1)
            d->score = score;
    }
}

/* -- FILTER ------------------------------------------------------------------------------------ */

struct reading {
    const struct key_index *x;
    const struct object *o;
    struct arena arena; /* of texts that JSON has with escapes */
    bool failed;        /* memory was short for a value */
};

static struct value read_value(void *user, struct slice name)
{
    struct reading *r = user;
    const struct index_spec *s = r->x->spec;
    const struct index_field *f = index_spec_field(s, name);
    struct document_room room = {.bytes = BUF_INIT(MEM_SCRATCH)};
    if (slice_eq(name, slice_of("__key")))
        return value_of(object_key(r->o));
    struct value v = document_value(r->x->db, s, r->o, f == NULL ? name : f->path, &room);
    if (room.bytes.len > 0)
        v = value_text(&r->arena, buf_slice(&room.bytes));
    r->failed |= room.failed || r->arena.failed;
    buf_fini(&room.bytes);
    return v;
}

enum err index_document_passes(const struct key_index *x, const struct object *o, bool *passes)
{
    struct reading r = {.x = x, .o = o};
    *passes = true;
    if (x->spec->filter == NULL)
        return OK;
    arena_init(&r.arena, SIZE_MAX);
    enum err e = index_filter_passes(x->spec->filter, read_value, &r, passes);
    arena_fini(&r.arena);
    return r.failed ? ERR_NOMEM : e;
}

/* -- the whole --------------------------------------------------------------------------------- */

static enum err put_field(struct key_index *x, const struct index_field *f, size_t vector,
                          struct slice value, struct why *why)
{
    switch (f->kind) {
    case INDEX_TAG:
        put_tags(x, f, value);
        return OK;
    case INDEX_NUMERIC:
    case INDEX_GEO:
        return put_values(x, f, value, why);
    case INDEX_TEXT:
        put_text(x, f, value);
        return OK;
    case INDEX_VECTOR:
        return put_vector(x, f, vector, value, why);
    case INDEX_FIELD_KIND_COUNT:
        break;
    }
    CHECK(false);
    return ERR_ARG;
}

/* What a field has; *there is false when it has nothing. */
static enum err read_field(struct key_index *x, const struct object *o, const struct index_field *f,
                           struct slice *out, bool *there, struct why *why)
{
    struct hash_field field;
    if (x->spec->on_json)
        return document_field(f, object_value(o), &x->document.json.bytes, out, there, why);
    *there = hashes_get(x->db, o, f->path, &field);
    *out = *there ? field.value : (struct slice){0};
    return OK;
}

enum err index_document_read(struct key_index *x, const struct object *o, uint32_t slot,
                             struct why *why)
{
    struct index_document *d = &x->document;
    struct slice value;
    bool there;
    enum err e = OK;
    buf_clear(&d->attribute, SIZE_MAX);
    buf_clear(&d->vectors, SIZE_MAX);
    buf_clear(&d->texts, SIZE_MAX);
    buf_clear(&d->pieces, SIZE_MAX);
    d->json.failed = false;
    buf_append_byte(&d->attribute, '{');
    if (x->text != NULL) {
        buf_printf(&d->attribute, "\"" INDEX_TEXT_SLOT "\":%u", slot);
        read_rules(x, o);
    }
    for (size_t i = 0, vector = 0; i < x->spec->field_count && e == OK; i++) {
        const struct index_field *f = &x->spec->fields[i];
        size_t at = vector;
        vector += f->kind == INDEX_VECTOR;
        if (f->kind == INDEX_VECTOR)
            d->norms[at] = 0;
        e = read_field(x, o, f, &value, &there, why);
        if (e == OK && there)
            e = put_field(x, f, at, value, why);
    }
    buf_append_byte(&d->attribute, '}');
    bool failed = d->json.failed || buf_failed(&d->attribute) || buf_failed(&d->texts) ||
                  buf_failed(&d->pieces);
    return e == OK && failed ? ERR_NOMEM : e;
}

void index_document_fini(struct index_document *d)
{
    buf_fini(&d->attribute);
    buf_fini(&d->vectors);
    buf_fini(&d->floats);
    buf_fini(&d->json.bytes);
    buf_fini(&d->texts);
    buf_fini(&d->pieces);
    mem_free(MEM_KEYSPACE, d->norms);
    mem_free(MEM_KEYSPACE, d->vector_at);
}
