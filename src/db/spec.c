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
    if (s->type != TYPE_FP32 && (s->implicit || s->projection_from > 0 || !s->keep_originals))
        return false;
    return s->type != TYPE_BIT || s->dim % TYPE_BIT_DIM == 0;
}

void spec_copy_fixed(struct collection_spec *to, const struct collection_spec *from)
{
    memcpy(to, from, offsetof(struct collection_spec, schema));
}

enum err spec_same_fixed(const struct collection_spec *a, const struct collection_spec *b)
{
    struct collection_spec same;
    struct buf x = BUF_INIT(MEM_SCRATCH), y = BUF_INIT(MEM_SCRATCH);
    spec_copy_fixed(&same, a);
    same.schema = b->schema;
    same.tuning = b->tuning;
    spec_encode(&same, &x);
    spec_encode(b, &y);
    enum err e = buf_failed(&x) || buf_failed(&y)         ? ERR_NOMEM
                 : slice_eq(buf_slice(&x), buf_slice(&y)) ? OK
                                                          : ERR_CORRUPT;
    buf_fini(&x);
    buf_fini(&y);
    return e;
}

void spec_encode(const struct collection_spec *s, struct buf *out)
{
    bytes_put_u32(out, s->dim);
    bytes_put_u8(out, (uint8_t)s->type);
    bytes_put_u8(out, (uint8_t)s->metric);
    bytes_put_u8(out, (uint8_t)s->quant);
    bytes_put_u8(out, (uint8_t)s->index);
    bytes_put_u32(out, s->m);
    bytes_put_u32(out, s->ef_build);
    bytes_put_u32(out, s->tuning.ef);
    bytes_put_u8(out, s->keep_originals);
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
    uint8_t quant = bytes_get_u8(r), index = bytes_get_u8(r);
    s->m = bytes_get_u32(r);
    s->ef_build = bytes_get_u32(r);
    s->tuning.ef = bytes_get_u32(r);
    s->keep_originals = bytes_get_bool(r);
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
    if (type >= TYPE_COUNT || metric >= METRIC_COUNT || quant >= QUANT_COUNT ||
        index >= INDEX_KIND_COUNT)
        return false;
    s->type = (enum vec_type)type;
    s->metric = (enum metric)metric;
    s->quant = (enum quant)quant;
    s->index = (enum index_kind)index;
    s->tuning.evict = (enum eviction)evict;
    if (evict >= EVICTION_COUNT || s->tuning.element_ttl_s > LIMIT_ELEMENT_TTL_S ||
        s->tuning.max_len > LIMIT_ROWS || s->tuning.max_bytes > INT64_MAX)
        return false;
    return spec_type_fits(s) && s->dim >= 1 && s->dim <= LIMIT_DIM && s->m >= LIMIT_M_MIN &&
           s->m <= LIMIT_M && s->ef_build >= 1 && s->ef_build <= LIMIT_EF && s->tuning.ef >= 1 &&
           s->tuning.ef <= LIMIT_EF && s->projection_from <= LIMIT_DIM &&
           s->projection_version <= PROJECTION_VERSION &&
           (s->projection_from == 0 || s->projection_version == PROJECTION_VERSION);
}
