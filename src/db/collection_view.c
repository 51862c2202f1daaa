/* What lanes see of a collection. */
#include <string.h>

#include "db/collection.h"

static struct index_rows rows_of(const struct collection *c, const struct codec *codec,
                                 unsigned column, uint64_t lsn)
{
    uint8_t *const *base = c->columns.base;
    return (struct index_rows){
        .codec = codec,
        .codes = base[column],
        .birth = (const _Atomic uint64_t *)base[COL_BIRTH],
        .death = (const _Atomic uint64_t *)base[COL_DEATH],
        .lsn = lsn,
        .end = c->rows_end,
    };
}

void collection_view(struct collection *c, uint64_t lsn, struct collection_view *out)
{
    const struct side *side = c->side;
    bool vectors = c->columns.spec[COL_VECTOR].stride > 0;
    CHECK(vectors || side_code_bytes(side) > 0);
    *out = (struct collection_view){
        .collection = c,
        .side = side,
        .graph = side->graph,
        .codes = rows_of(c, &side->codec, side->code_column, lsn),
        .exact = vectors ? rows_of(c, &c->exact, COL_VECTOR, lsn)
                         : rows_of(c, &side->codec, side->code_column, lsn),
        .has_exact = vectors,
        .expire =
            c->aging == NULL ? NULL : (const _Atomic uint64_t *)c->aging->columns.base[AGE_EXPIRE],
        .ef = c->spec.tuning.ef,
        .probes = c->spec.tuning.probes,
        .estimates = c->side->graph != NULL && c->side->shape.quant == QUANT_PQ,
        .pending = pending_span(&c->side->pending),
        .live = collection_sums(c).count,
    };
    memcpy(out->base, c->columns.base, sizeof(out->base));
    out->has_partitions = c->columns.spec[COL_PARTITION].stride > 0;
    collection_view_partitions(out, c->partitions == NULL ? NULL : c->partitions->table);
    if (c->aging != NULL && spec_counts_use(&c->spec.tuning)) {
        out->used = (_Atomic uint32_t *)(void *)c->aging->columns.base[AGE_ACCESS];
        out->access = collection_access(c);
        out->access.random = lsn ^ c->uid;
    }
    out->has_fields = c->fields != NULL && !c->fields->building;
    out->builds_fields = c->fields_late || (c->fields != NULL && c->fields->building);
    if (out->has_fields)
        memcpy(out->field_base, c->fields->columns.base, sizeof(out->field_base));
}

struct index_rows side_rows(const struct side *s, uint64_t lsn)
{
    struct collection_view v;
    collection_view(s->collection, lsn, &v);
    v.codes.codec = &s->codec;
    v.codes.codes = s->collection->columns.base[s->code_column];
    return v.codes;
}

void collection_view_partitions(struct collection_view *v, const struct partition_table *table)
{
    v->partitions = table;
    v->codes.group = v->exact.group = (const uint16_t *)(const void *)v->base[COL_PARTITION];
    v->codes.hidden = v->exact.hidden = table != NULL && table->hides ? table->hidden : NULL;
}

struct slice view_id(const struct collection_view *v, uint32_t row)
{
    heap_ref ref = atomic_load_explicit(column_ref(v->base, COL_ID, row), memory_order_acquire);
    return heap_get(&v->collection->heap, ref);
}

struct slice view_attribute(const struct collection_view *v, uint32_t row)
{
    heap_ref ref = atomic_load_explicit(column_ref(v->base, COL_ATTR, row), memory_order_acquire);
    return ref == HEAP_NONE ? (struct slice){0} : heap_get(&v->collection->heap, ref);
}

float view_norm(const struct collection_view *v, uint32_t row)
{
    return ((const float *)(const void *)v->base[COL_NORM])[row];
}

uint16_t view_partition(const struct collection_view *v, uint32_t row)
{
    return v->has_partitions ? ((const uint16_t *)(const void *)v->base[COL_PARTITION])[row]
                             : PARTITION_DEFAULT;
}

void view_use(struct collection_view *v, uint32_t row)
{
    if (v->used == NULL)
        return;
    uint32_t before = atomic_load_explicit(&v->used[row], memory_order_relaxed);
    v->access.random += before + row; /* views of one moment begin alike */
    atomic_store_explicit(&v->used[row], access_used(&v->access, before), memory_order_relaxed);
}

uint64_t view_expiry(const struct collection_view *v, uint32_t row)
{
    return v->expire == NULL ? 0 : atomic_load_explicit(&v->expire[row], memory_order_relaxed);
}

const uint8_t *view_stored(const struct collection_view *v, uint32_t row)
{
    CHECK(v->has_exact);
    return row_code(&v->exact, row);
}

static void multiply(float *vector, uint32_t dim, float by)
{
    for (uint32_t i = 0; i < dim && by != 1; i++)
        vector[i] *= by;
}

/* Are the vectors that rows decode to at length 1? Others than FP32 are as they were added. */
static bool rows_are_units(const struct collection_spec *spec)
{
    return spec->metric == METRIC_COSINE && spec->type == TYPE_FP32;
}

/* One bit per dimension keeps no lengths: such a vector is shown as the signs it was reduced to. */
void view_vector(const struct collection_view *v, uint32_t row, float *out)
{
    const struct collection_spec *spec = &v->collection->spec;
    codec_decode(v->exact.codec, row_code(&v->exact, row), out);
    if (rows_are_units(spec) && (v->has_exact || v->exact.codec->quant != QUANT_BIN))
        multiply(out, spec->dim, view_norm(v, row));
}

void view_query(const struct collection_view *v, uint32_t row, float *out)
{
    const struct collection_spec *spec = &v->collection->spec;
    codec_decode(v->exact.codec, row_code(&v->exact, row), out);
    if (!type_normalises(spec->type, spec->metric) || rows_are_units(spec))
        return;
    float norm = view_norm(v, row);
    for (uint32_t i = 0; i < spec->dim; i++)
        out[i] /= norm;
}

const uint8_t *view_blob(const struct collection_view *v, uint32_t row, float *room)
{
    if (v->collection->spec.type != TYPE_FP32)
        return view_stored(v, row);
    view_vector(v, row, room);
    return (const uint8_t *)room;
}
