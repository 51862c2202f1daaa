#include "db/fields.h"

#include "db/background.h"
#include "db/json_point.h"

#include <roaring/roaring.h>

enum { SLOTS = LIMIT_FILTER_FIELDS + 1, INDEX_BYTES = 16 /* of a row in an index, about */ };

static const uint32_t strides[SCHEMA_KIND_COUNT] = {
    [SCHEMA_TAG] = sizeof(uint32_t),
    [SCHEMA_NUMERIC] = sizeof(uint64_t),
    [SCHEMA_BOOL] = sizeof(uint8_t),
    [SCHEMA_GEO] = sizeof(uint64_t),
};

/* A value as a column and an index take it. */
struct field_value {
    enum field_state state;
    double number;
    struct geo_point point;
    struct slice text;              /* decoded */
    const struct json_value *array; /* TAG: of strings, instead; or NULL */
};

/* -- bitmaps ----------------------------------------------------------------------------------- */

static void rows_add(struct field_rows *r, uint32_t row)
{
    if (r->bitmap == NULL)
        r->bitmap = roaring_bitmap_create();
    CHECK(r->bitmap != NULL);
    roaring_bitmap_add(r->bitmap, row);
    r->count++;
}

static void rows_remove(struct field_rows *r, uint32_t row)
{
    CHECK(r->count > 0 && roaring_bitmap_contains(r->bitmap, row));
    roaring_bitmap_remove(r->bitmap, row);
    r->count--;
}

static void rows_free(struct field_rows *r)
{
    if (r->bitmap != NULL)
        roaring_bitmap_free(r->bitmap);
    *r = (struct field_rows){0};
}

/* -- life -------------------------------------------------------------------------------------- */

static enum err add_path(struct fields *f, size_t i)
{
    char path[LIMIT_SCHEMA_NAMES + 1] = ".";
    struct slice name = schema_name(&f->schema, i);
    memcpy(path + 1, name.ptr, name.len);
    struct slice whole = {(const uint8_t *)path, name.len + 1};
    return json_paths_add(&f->paths, whole, &f->fields[i].slot, NULL);
}

struct fields *fields_new(const struct schema *schema, struct epoch *epoch, const uint64_t seed[2],
                          uint32_t rows_max)
{
    struct column_spec spec[LIMIT_SCHEMA_FIELDS];
    size_t row_size = 0;
    CHECK(schema->count > 0);
    struct fields *f = mem_try_calloc(MEM_ROW, sizeof(*f));
    if (f == NULL)
        return NULL;
    f->schema = *schema;
    for (size_t i = 0; i < schema->count; i++) {
        struct field *field = &f->fields[i];
        field->kind = schema_kind(schema, i);
        spec[i] = (struct column_spec){strides[field->kind], MEM_ROW};
        row_size += strides[field->kind];
        tags_init(&field->tags, epoch, seed);
        order_init(&field->order, MEM_ROW);
    }
    columns_init(&f->columns, epoch, spec, schema->count, ((size_t)rows_max + 1) * row_size);
    enum err e = json_paths_init(&f->paths, MEM_ROW);
    for (size_t i = 0; i < schema->count && e == OK; i++)
        e = add_path(f, i);
    if (e == OK)
        return f;
    fields_free(f);
    return NULL;
}

static void free_parts(struct fields *f)
{
    for (size_t i = 0; i < f->schema.count; i++) {
        struct field *field = &f->fields[i];
        tags_fini(&field->tags);
        order_fini(&field->order);
        rows_free(&field->rest);
        rows_free(&field->sets);
        rows_free(&field->bools[0]);
        rows_free(&field->bools[1]);
    }
    columns_fini(&f->columns);
    json_paths_fini(&f->paths);
}

void fields_free(struct fields *f)
{
    if (f == NULL)
        return;
    free_parts(f);
    mem_free(MEM_ROW, f);
}

static struct fields *fields_of_job(struct job *job)
{
    return (struct fields *)((char *)job - offsetof(struct fields, end_job));
}

/* [lane] Trees of millions of rows take long to free. */
static void run_end(struct job *job, struct lane *lane)
{
    (void)lane;
    free_parts(fields_of_job(job));
}

static void done_end(struct job *job)
{
    struct fields *f = fields_of_job(job);
    struct retired *retired = f->retired;
    CHECK(retired->bytes >= f->retired_bytes);
    retired->bytes -= f->retired_bytes;
    mem_free(MEM_ROW, f);
    retired_leave(retired);
}

static void on_quiet(struct epoch_item *item)
{
    struct fields *f = (struct fields *)item;
    struct io *io = f->background->io;
    f->end_job = (struct job){.run = run_end, .done = done_end, .class = JOB_LINK};
    io->ops->submit(io, &f->end_job);
}

void fields_retire(struct fields *f, struct background *b)
{
    f->background = b;
    f->retired = b->retired;
    f->retired_bytes = fields_bytes(f);
    b->retired->bytes += f->retired_bytes;
    b->retired->users++;
    epoch_defer(b->epoch, &f->end, on_quiet);
}

enum err fields_reserve(struct fields *f, uint32_t rows)
{
    return columns_reserve(&f->columns, rows);
}

size_t fields_cost(const struct fields *f, uint32_t rows, size_t added)
{
    return columns_cost(&f->columns, rows) + added * f->schema.count * INDEX_BYTES;
}

size_t fields_bytes(const struct fields *f)
{
    size_t sum = sizeof(*f) + columns_bytes(&f->columns);
    for (size_t i = 0; i < f->schema.count; i++) {
        const struct field *field = &f->fields[i];
        sum += field->order.bytes;
        if (field->kind == SCHEMA_TAG)
            sum += tags_bytes(&field->tags);
        sum += (field->rest.count + field->sets.count) * sizeof(uint16_t); /* of a bitmap, about */
    }
    return sum;
}

/* -- columns ----------------------------------------------------------------------------------- */

static void store_wide(struct fields *f, size_t i, uint32_t row, uint64_t bits)
{
    _Atomic uint64_t *column = (_Atomic uint64_t *)(void *)f->columns.base[i];
    atomic_store_explicit(&column[row], bits, memory_order_release);
}

static void store_tag(struct fields *f, size_t i, uint32_t row, uint32_t tag)
{
    _Atomic uint32_t *column = (_Atomic uint32_t *)(void *)f->columns.base[i];
    atomic_store_explicit(&column[row], tag, memory_order_release);
}

static void store_bool(struct fields *f, size_t i, uint32_t row, uint8_t value)
{
    _Atomic uint8_t *column = (_Atomic uint8_t *)f->columns.base[i];
    atomic_store_explicit(&column[row], value, memory_order_release);
}

static void store_state(struct fields *f, size_t i, uint32_t row, enum field_state state)
{
    CHECK(state != FIELD_VALUE);
    switch (f->fields[i].kind) {
    case SCHEMA_NUMERIC:
        store_wide(f, i, row, FIELD_NUMBER_STATES << 32 | (uint64_t)state);
        return;
    case SCHEMA_GEO:
        store_wide(f, i, row, GEO_HALF_UNUSED << 32 | (uint64_t)state);
        return;
    case SCHEMA_TAG:
        store_tag(f, i, row, (uint32_t)state);
        return;
    case SCHEMA_BOOL:
        store_bool(f, i, row, (uint8_t)(FIELD_BOOL_STATES + state));
        return;
    case SCHEMA_KIND_COUNT:
        break;
    }
    CHECK(false);
}

/* -- values ------------------------------------------------------------------------------------ */

/* The string without escapes; false: it is longer than a TAG may be. */
static bool decode_text(const struct json_value *v, uint8_t room[LIMIT_TAG_SIZE], struct slice *out)
{
    *out = v->text;
    if (!v->escaped)
        return v->text.len <= LIMIT_TAG_SIZE;
    struct json_chars chars = json_chars_of(v->text, true);
    size_t size = 0;
    for (int c; (c = json_chars_next(&chars)) >= 0; room[size++] = (uint8_t)c)
        if (size == LIMIT_TAG_SIZE)
            return false;
    *out = (struct slice){room, size};
    return true;
}

/* true and false act as 1 and 0 in filters, so a NUMERIC takes them, and a BOOL takes 1 and 0. */
static struct field_value value_of(enum schema_kind kind, const struct json_value *v,
                                   uint8_t room[LIMIT_TAG_SIZE])
{
    struct field_value out = {.state = FIELD_OTHER};
    bool is_bool = v->kind == JSON_TRUE || v->kind == JSON_FALSE;
    if (v->kind == JSON_MISSING) {
        out.state = FIELD_MISSING;
    } else if (v->kind == JSON_NULL) {
        out.state = FIELD_NULL;
    } else if (kind == SCHEMA_TAG) {
        out.array = v->kind == JSON_ARRAY ? v : NULL;
        if (out.array != NULL || (v->kind == JSON_STRING && decode_text(v, room, &out.text)))
            out.state = FIELD_VALUE;
    } else if (kind == SCHEMA_GEO) {
        if (json_point(v, &out.point))
            out.state = FIELD_VALUE;
    } else if (is_bool || v->kind == JSON_NUMBER) {
        out.number = is_bool ? v->kind == JSON_TRUE : json_number(v);
        if (kind == SCHEMA_NUMERIC || out.number == 0 || out.number == 1)
            out.state = FIELD_VALUE;
    }
    return out;
}

static bool add_members(struct tags *tags, const struct json_value *array, struct tag_members *m)
{
    struct json_items items = json_items_of(array);
    struct json_value item;
    uint8_t room[LIMIT_TAG_SIZE];
    struct slice text;
    while (json_items_next(&items, &item))
        if (item.kind != JSON_STRING || !decode_text(&item, room, &text) ||
            !tags_add_member(tags, m, text))
            return false;
    return m->count > 0;
}

/* The number of the array as a set; TAG_NONE: it has more than strings, or memory is short. */
static uint32_t add_array(struct field *field, const struct json_value *array, uint32_t row)
{
    struct tag_members members = {.count = 0};
    uint32_t tag = TAG_NONE;
    if (add_members(&field->tags, array, &members))
        tag = tags_add_set(&field->tags, &members, row);
    if (tag == TAG_NONE)
        tags_give_up_set(&field->tags, &members);
    else
        rows_add(&field->sets, row);
    return tag;
}

static bool set_tag(struct fields *f, size_t i, uint32_t row, const struct field_value *v)
{
    struct field *field = &f->fields[i];
    uint32_t tag =
        v->array == NULL ? tags_add(&field->tags, v->text, row) : add_array(field, v->array, row);
    if (tag != TAG_NONE)
        store_tag(f, i, row, (tag + FIELD_TAG_STATES) | (v->array == NULL ? 0 : FIELD_TAG_SET));
    return tag != TAG_NONE;
}

/* Into the index first: what cannot be kept there is FIELD_OTHER, which is right whatever it is. */
static void set_value(struct fields *f, size_t i, uint32_t row, const struct field_value *v)
{
    struct field *field = &f->fields[i];
    enum field_state state = v->state;
    uint64_t bits;
    if (state == FIELD_VALUE && field->kind == SCHEMA_NUMERIC) {
        memcpy(&bits, &v->number, sizeof(bits));
        if (order_add(&field->order, v->number, row)) {
            store_wide(f, i, row, bits);
            return;
        }
        state = FIELD_OTHER;
    } else if (state == FIELD_VALUE && field->kind == SCHEMA_GEO) {
        bits = geo_pack(v->point);
        if (order_add(&field->order, geo_key(bits), row)) {
            store_wide(f, i, row, bits);
            return;
        }
        state = FIELD_OTHER;
    } else if (state == FIELD_VALUE && field->kind == SCHEMA_TAG) {
        if (set_tag(f, i, row, v))
            return;
        state = FIELD_OTHER;
    } else if (state == FIELD_VALUE) {
        rows_add(&field->bools[v->number != 0], row);
        store_bool(f, i, row, v->number != 0);
        return;
    }
    if (state == FIELD_OTHER || (state == FIELD_NULL && field->kind == SCHEMA_NUMERIC))
        rows_add(&field->rest, row);
    store_state(f, i, row, state);
}

static struct field_cell cell_of(const struct fields *f, size_t i, uint32_t row)
{
    return field_read(f->fields[i].kind, f->columns.base[i], row);
}

/* Out of the index, by what its column says. */
static void leave_index(struct fields *f, size_t i, uint32_t row)
{
    struct field *field = &f->fields[i];
    struct field_cell cell = cell_of(f, i, row);
    if (cell.state == FIELD_OTHER || (cell.state == FIELD_NULL && field->kind == SCHEMA_NUMERIC))
        rows_remove(&field->rest, row);
    if (cell.state != FIELD_VALUE)
        return;
    if (cell.is_set)
        rows_remove(&field->sets, row);
    if (field->kind == SCHEMA_NUMERIC)
        order_remove(&field->order, cell.number, row);
    else if (field->kind == SCHEMA_GEO)
        order_remove(&field->order, geo_key(cell.point), row);
    else if (field->kind == SCHEMA_TAG)
        tags_remove(&field->tags, cell.tag, row);
    else
        rows_remove(&field->bools[cell.number != 0], row);
}

void fields_set(struct fields *f, uint32_t row, struct slice attribute)
{
    struct json_value values[SLOTS];
    uint8_t room[LIMIT_TAG_SIZE];
    bool valid = attribute.len > 0 && json_read(attribute, &f->paths, values);
    for (size_t i = 0; i < f->schema.count; i++) {
        struct field_value v = {.state = FIELD_NONE};
        if (valid)
            v = value_of(f->fields[i].kind, &values[f->fields[i].slot], room);
        set_value(f, i, row, &v);
    }
}

void fields_unset(struct fields *f, uint32_t row)
{
    for (size_t i = 0; i < f->schema.count; i++) {
        leave_index(f, i, row);
        store_state(f, i, row, FIELD_OTHER);
    }
}

void fields_forget(struct fields *f, uint32_t row)
{
    for (size_t i = 0; i < f->schema.count; i++)
        leave_index(f, i, row);
}

/* The number of a tag stays, so that searches that know it find the new row by it. */
static void move_value(struct fields *f, size_t i, uint32_t from, uint32_t to)
{
    struct field *field = &f->fields[i];
    struct field_cell cell = cell_of(f, i, from);
    if (cell.state == FIELD_VALUE && field->kind == SCHEMA_TAG) {
        tags_move(&field->tags, cell.tag, from, to);
        store_tag(f, i, to, (cell.tag + FIELD_TAG_STATES) | (cell.is_set ? FIELD_TAG_SET : 0));
        if (cell.is_set) {
            rows_remove(&field->sets, from);
            rows_add(&field->sets, to);
        }
        return;
    }
    struct field_value v = {.state = cell.state};
    if (cell.state == FIELD_VALUE && field->kind == SCHEMA_GEO)
        v.point = geo_unpack(cell.point); /* which packs to the same */
    else
        v.number = cell.number;
    leave_index(f, i, from);
    set_value(f, i, to, &v);
}

void fields_move(struct fields *f, uint32_t from, uint32_t to)
{
    for (size_t i = 0; i < f->schema.count; i++)
        move_value(f, i, from, to);
}

void fields_begin_build(struct fields *f)
{
    for (size_t i = 0; i < f->schema.count; i++)
        CHECK(f->fields[i].rest.count == 0 && f->fields[i].order.count == 0);
    f->building = true;
    f->built = 0;
}
