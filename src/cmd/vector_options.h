/* vector_options.h: the options of VCREATE and VALTER, read into a spec. */
#ifndef VDB_CMD_VECTOR_OPTIONS_H
#define VDB_CMD_VECTOR_OPTIONS_H

#include "cmd/vector.h"

/* One of a list of words for an option: *out is its place in the list. ERR_ARG names them all. */
MUST_USE enum err option_pick(const char *option, struct slice word, const char *const *words,
                              size_t count, int *out, struct why *why);

/* What both have: their arguments have the same names. */
struct tuning_options {
    bool has_ef, has_nprobe, has_element_ttl, has_max_len, has_max_bytes, has_evict;
    int64_t ef, nprobe, element_ttl, max_len, max_bytes;
    struct slice evict;
};

#define TUNING_OPTIONS(a)                                                                          \
    {                                                                                              \
        .has_ef = (a)->has_ef, .has_nprobe = (a)->has_nprobe, .nprobe = (a)->nprobe,               \
        .has_element_ttl = (a)->has_element_ttl, .has_max_len = (a)->has_max_len,                  \
        .has_max_bytes = (a)->has_max_bytes, .has_evict = (a)->has_evict, .ef = (a)->ef,           \
        .element_ttl = (a)->element_ttl, .max_len = (a)->max_len, .max_bytes = (a)->max_bytes,     \
        .evict = (a)->evict                                                                        \
    }

/* What is not said stays as it is. */
MUST_USE enum err options_read_tuning(const struct tuning_options *o, struct spec_tuning *t,
                                      struct why *why);

/* NPROBE is one of INDEX IVF; when the spec has another, it is none. */
MUST_USE enum err options_check_probes(bool said, struct collection_spec *spec, struct why *why);

/* Likewise, how elements are indexed and what is kept of them. */
struct shape_options {
    bool has_index, has_quant, has_m, has_efc, has_nlist, has_sub, has_originals;
    bool no_vectors; /* they are gone, so there will be neither they nor other codes */
    int64_t m, efc, sub;
    struct slice index, quant, nlist, originals;
};

#define SHAPE_OPTIONS(a)                                                                           \
    {                                                                                              \
        .has_index = (a)->has_index, .has_quant = (a)->has_quant, .has_m = (a)->has_m,             \
        .has_nlist = (a)->has_nlist, .nlist = (a)->nlist, .has_sub = (a)->has_sub,                 \
        .sub = (a)->sub, .has_efc = (a)->has_efc, .has_originals = (a)->has_originals,             \
        .m = (a)->m, .efc = (a)->efc, .index = (a)->index, .quant = (a)->quant,                    \
        .originals = (a)->originals                                                                \
    }

/* Reads them into the spec, whose other members are set, and says what does not go together. */
MUST_USE enum err options_read_shape(const struct shape_options *o, struct collection_spec *spec,
                                     struct why *why);

/* field TYPE field TYPE ...: behind the last option, since it takes all that follows. */
MUST_USE enum err options_read_schema(struct slices words, struct schema *schema, struct why *why);

#endif
