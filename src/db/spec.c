#include "db/spec.h"

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
