#include "db/spec.h"

#include <string.h>

#include "base/limits.h"

const char *index_kind_name(enum index_kind kind)
{
    static const char *const names[] = {
#define X(kind, word) word,
        INDEX_KIND_LIST(X)
#undef X
    };
    CHECK(kind < INDEX_KIND_COUNT);
    return names[kind];
}

const char *eviction_name(enum eviction evict)
{
    static const char *const names[] = {
#define X(evict, word) word,
        EVICT_LIST(X)
#undef X
    };
    CHECK(evict < EVICTION_COUNT);
    return names[evict];
}

struct collection_spec spec_default(uint32_t dim)
{
    CHECK(dim >= 1 && dim <= CODEC_DIM_MAX);
    return (struct collection_spec){
        .dim = dim,
        .metric = METRIC_COSINE,
        .quant = QUANT_SQ8,
        .index = INDEX_AUTO,
        .m = SPEC_M_DEFAULT,
        .ef_build = SPEC_EF_BUILD_DEFAULT,
        .tuning = {.ef = SPEC_EF_DEFAULT},
        .keep_originals = true,
    };
}

bool spec_type_fits(const struct collection_spec *s)
{
    bool halves = s->type == TYPE_FP16 || s->type == TYPE_BF16;
    if (!type_has_metric(s->type, s->metric))
        return false;
    if (s->quant != QUANT_NONE && s->type != TYPE_FP32 && !halves)
        return false;
    if (s->quant == QUANT_BIN && s->metric != METRIC_COSINE)
        return false;
    if (s->index == INDEX_IVF && s->type == TYPE_BIT)
        return false;
    if (s->quant >= QUANT_ROWS_COUNT && (s->index != INDEX_IVF || !s->keep_originals))
        return false;
    if (s->subs > s->dim)
        return false;
    if (s->type != TYPE_FP32 && (s->implicit || s->projection_from > 0 || !s->keep_originals))
        return false;
    return s->type != TYPE_BIT || s->dim % TYPE_BIT_DIM == 0;
}

/* Two dimensions a part; of many dimensions, as many parts as a sum of 16 bits holds exactly. */
uint32_t spec_subs(const struct collection_spec *s)
{
    enum { SUBS_AUTO_MAX = 256 };
    uint32_t half = (s->dim + 1) / 2;
    return s->subs > 0 ? s->subs : half < SUBS_AUTO_MAX ? half : SUBS_AUTO_MAX;
}

size_t spec_list_bytes(const struct collection_spec *s)
{
    size_t code = s->quant == QUANT_PQ ? (spec_subs(s) + 1) / 2 + sizeof(float) : 0;
    return 3 * sizeof(uint32_t) + code; /* which list, where in it, and the row there */
}

struct spec_shape spec_shape(const struct collection_spec *s)
{
    return (struct spec_shape){.quant = s->quant,
                               .index = s->index,
                               .m = s->m,
                               .ef_build = s->ef_build,
                               .lists = s->lists,
                               .subs = s->subs,
                               .keep_originals = s->keep_originals};
}

void spec_set_shape(struct collection_spec *s, const struct spec_shape *shape)
{
    s->quant = shape->quant;
    s->index = shape->index;
    s->m = shape->m;
    s->ef_build = shape->ef_build;
    s->lists = shape->lists;
    s->subs = shape->subs;
    s->keep_originals = shape->keep_originals;
}

bool spec_shape_equal(const struct spec_shape *a, const struct spec_shape *b)
{
    return a->quant == b->quant && a->index == b->index && a->m == b->m &&
           a->ef_build == b->ef_build && a->lists == b->lists && a->subs == b->subs &&
           a->keep_originals == b->keep_originals;
}

void spec_copy_fixed(struct collection_spec *to, const struct collection_spec *from)
{
    memcpy(to, from, offsetof(struct collection_spec, quant));
}

enum err spec_may_become(const struct collection_spec *from, const struct collection_spec *to)
{
    struct collection_spec same = *to;
    struct buf x = BUF_INIT(MEM_SCRATCH), y = BUF_INIT(MEM_SCRATCH);
    struct spec_shape before = spec_shape(from), after = spec_shape(to);
    if (!spec_has_vectors(&before) && (spec_has_vectors(&after) || after.quant != before.quant))
        return ERR_CORRUPT;
    spec_copy_fixed(&same, from);
    spec_encode(&same, &x);
    spec_encode(to, &y);
    enum err e = buf_failed(&x) || buf_failed(&y)         ? ERR_NOMEM
                 : slice_eq(buf_slice(&x), buf_slice(&y)) ? OK
                                                          : ERR_CORRUPT;
    buf_fini(&x);
    buf_fini(&y);
    return e;
}

void spec_shape_encode(const struct spec_shape *s, struct buf *out)
{
    bytes_put_u8(out, (uint8_t)s->quant);
    bytes_put_u8(out, (uint8_t)s->index);
    bytes_put_u32(out, s->m);
    bytes_put_u32(out, s->ef_build);
    bytes_put_u32(out, s->lists);
    bytes_put_u32(out, s->subs);
    bytes_put_u8(out, s->keep_originals);
}

static bool shape_read(struct bytes_reader *r, struct spec_shape *s)
{
    uint8_t quant = bytes_get_u8(r), index = bytes_get_u8(r);
    s->m = bytes_get_u32(r);
    s->ef_build = bytes_get_u32(r);
    s->lists = bytes_get_u32(r);
    s->subs = bytes_get_u32(r);
    s->keep_originals = bytes_get_bool(r);
    if (r->broken || quant >= QUANT_COUNT || index >= INDEX_KIND_COUNT)
        return false;
    s->quant = (enum quant)quant;
    s->index = (enum index_kind)index;
    return s->m >= LIMIT_M_MIN && s->m <= LIMIT_M && s->ef_build >= 1 && s->ef_build <= LIMIT_EF &&
           s->lists <= LIMIT_NLIST && s->subs <= LIMIT_SUB;
}

bool spec_shape_decode(struct bytes_reader *r, const struct collection_spec *spec,
                       struct spec_shape *out)
{
    struct collection_spec shaped = *spec;
    if (!shape_read(r, out))
        return false;
    spec_set_shape(&shaped, out);
    return spec_type_fits(&shaped);
}

void spec_encode(const struct collection_spec *s, struct buf *out)
{
    bytes_put_u32(out, s->dim);
    bytes_put_u8(out, (uint8_t)s->type);
    bytes_put_u8(out, (uint8_t)s->metric);
    const struct spec_shape shape = spec_shape(s);
    spec_shape_encode(&shape, out);
    bytes_put_u32(out, s->tuning.ef);
    bytes_put_u32(out, s->tuning.probes);
    bytes_put_u8(out, s->implicit);
    bytes_put_u32(out, s->projection_from);
    bytes_put_u32(out, s->projection_version);
    bytes_put_u64(out, s->seed);
    bytes_put_u32(out, s->tuning.element_ttl_s);
    bytes_put_u64(out, s->tuning.max_len);
    bytes_put_u64(out, s->tuning.max_bytes);
    bytes_put_u8(out, (uint8_t)s->tuning.evict);
    schema_encode(&s->schema, out);
}

bool spec_decode(struct bytes_reader *r, struct collection_spec *s)
{
    s->dim = bytes_get_u32(r);
    uint8_t type = bytes_get_u8(r), metric = bytes_get_u8(r);
    struct spec_shape shape;
    if (!shape_read(r, &shape))
        return false;
    spec_set_shape(s, &shape);
    s->tuning.ef = bytes_get_u32(r);
    s->tuning.probes = bytes_get_u32(r);
    s->implicit = bytes_get_bool(r);
    s->projection_from = bytes_get_u32(r);
    s->projection_version = bytes_get_u32(r);
    s->seed = bytes_get_u64(r);
    s->tuning.element_ttl_s = bytes_get_u32(r);
    s->tuning.max_len = bytes_get_u64(r);
    s->tuning.max_bytes = bytes_get_u64(r);
    uint8_t evict = bytes_get_u8(r);
    if (!schema_decode(r, &s->schema) || r->broken)
        return false;
    if (type >= TYPE_COUNT || metric >= METRIC_COUNT)
        return false;
    s->type = (enum vec_type)type;
    s->metric = (enum metric)metric;
    s->tuning.evict = (enum eviction)evict;
    if (evict >= EVICTION_COUNT || s->tuning.element_ttl_s > LIMIT_ELEMENT_TTL_S ||
        s->tuning.max_len > LIMIT_ROWS || s->tuning.max_bytes > INT64_MAX)
        return false;
    return spec_type_fits(s) && s->dim >= 1 && s->dim <= LIMIT_DIM && s->tuning.ef >= 1 &&
           s->tuning.ef <= LIMIT_EF && s->tuning.probes <= LIMIT_NLIST &&
           s->projection_from <= LIMIT_DIM && s->projection_version <= PROJECTION_VERSION &&
           (s->projection_from == 0 || s->projection_version == PROJECTION_VERSION);
}
