#include "db/spec.h"

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
    CHECK(evict < EVICT_COUNT);
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
        .ef = SPEC_EF_DEFAULT,
        .keep_originals = true,
    };
}

void spec_encode(const struct collection_spec *s, struct buf *out)
{
    bytes_put_u32(out, s->dim);
    bytes_put_u8(out, (uint8_t)s->metric);
    bytes_put_u8(out, (uint8_t)s->quant);
    bytes_put_u8(out, (uint8_t)s->index);
    bytes_put_u32(out, s->m);
    bytes_put_u32(out, s->ef_build);
    bytes_put_u32(out, s->ef);
    bytes_put_u8(out, s->keep_originals);
    bytes_put_u8(out, s->implicit);
    bytes_put_u32(out, s->projection_from);
    bytes_put_u32(out, s->projection_version);
    bytes_put_u64(out, s->seed);
    bytes_put_u32(out, s->element_ttl_s);
    bytes_put_u64(out, s->max_len);
    bytes_put_u64(out, s->max_bytes);
    bytes_put_u8(out, (uint8_t)s->evict);
    schema_encode(&s->schema, out);
}

bool spec_decode(struct bytes_reader *r, struct collection_spec *s)
{
    s->dim = bytes_get_u32(r);
    uint8_t metric = bytes_get_u8(r), quant = bytes_get_u8(r), index = bytes_get_u8(r);
    s->m = bytes_get_u32(r);
    s->ef_build = bytes_get_u32(r);
    s->ef = bytes_get_u32(r);
    s->keep_originals = bytes_get_bool(r);
    s->implicit = bytes_get_bool(r);
    s->projection_from = bytes_get_u32(r);
    s->projection_version = bytes_get_u32(r);
    s->seed = bytes_get_u64(r);
    s->element_ttl_s = bytes_get_u32(r);
    s->max_len = bytes_get_u64(r);
    s->max_bytes = bytes_get_u64(r);
    uint8_t evict = bytes_get_u8(r);
    if (!schema_decode(r, &s->schema) || r->broken)
        return false;
    if (metric >= METRIC_COUNT || quant >= QUANT_COUNT || index >= INDEX_KIND_COUNT)
        return false;
    s->metric = (enum metric)metric;
    s->quant = (enum quant)quant;
    s->index = (enum index_kind)index;
    s->evict = (enum eviction)evict;
    if (evict >= EVICT_COUNT || s->element_ttl_s > LIMIT_ELEMENT_TTL_S ||
        s->max_len > LIMIT_ROWS || s->max_bytes > INT64_MAX)
        return false;
    if (s->quant == QUANT_BIN && s->metric != METRIC_COSINE)
        return false;
    return s->dim >= 1 && s->dim <= LIMIT_DIM && s->m >= LIMIT_M_MIN && s->m <= LIMIT_M &&
           s->ef_build >= 1 && s->ef_build <= LIMIT_EF && s->ef >= 1 && s->ef <= LIMIT_EF &&
           s->projection_from <= LIMIT_DIM && s->projection_version <= PROJECTION_VERSION &&
           (s->projection_from == 0 || s->projection_version == PROJECTION_VERSION);
}
