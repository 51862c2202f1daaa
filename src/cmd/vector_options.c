#include "cmd/vector_options.h"

#include "base/limits.h"

enum err option_pick(const char *option, struct slice word, const char *const *words, size_t count,
                     int *out, struct why *why)
{
    char known[128] = "";
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (slice_eq_nocase(word, words[i])) {
            *out = (int)i;
            return OK;
        }
        size_t len = strlen(words[i]);
        if (used + len + 2 < sizeof(known)) {
            if (used > 0)
                known[used++] = ' ';
            memcpy(known + used, words[i], len + 1);
            used += len;
        }
    }
    CHECK(used < sizeof(known));
    return why_set(why, ERR_ARG, "%s: '%.*s' is not one of: %s", option,
                   (int)(word.len < 32 ? word.len : 32), (const char *)word.ptr, known);
}

enum err options_read_schema(struct slices words, struct schema *schema, struct why *why)
{
    static const char *const kinds[] = {"TAG", "NUMERIC", "BOOL", "GEO", "TEXT"};
    for (size_t i = 0; i < words.count; i += 2) {
        struct slice name = words.items[i];
        int shown = (int)(name.len < 64 ? name.len : 64), kind = 0;
        if (i + 1 == words.count)
            return why_set(why, ERR_ARG,
                           "SCHEMA: the field '%.*s' lacks its type (SCHEMA is the "
                           "last option)",
                           shown, (const char *)name.ptr);
        enum err e = option_pick("SCHEMA", words.items[i + 1], kinds, COUNT_OF(kinds), &kind, why);
        if (e == OK && kind >= SCHEMA_KIND_COUNT)
            return why_set(why, ERR_UNSUPPORTED, "SCHEMA: %s fields are not in this version",
                           kinds[kind]);
        CHECK(e != OK || strcmp(kinds[kind], schema_kind_name((enum schema_kind)kind)) == 0);
        if (e == OK)
            e = schema_add(schema, name, (enum schema_kind)kind, why);
        if (e != OK)
            return e;
    }
    return OK;
}

enum err options_read_tuning(const struct tuning_options *o, struct spec_tuning *t, struct why *why)
{
    static const char *const evictions[] = {"REFUSE", "LRU", "LFU", "TTL"};
    int evict = (int)t->evict;
    enum err e = OK;
    if (o->has_evict)
        e = option_pick("EVICT", o->evict, evictions, COUNT_OF(evictions), &evict, why);
    t->evict = (enum eviction)evict;
    CHECK(strcmp(evictions[evict], eviction_name(t->evict)) == 0);
    if (o->has_ef)
        t->ef = (uint32_t)o->ef;
    if (o->has_nprobe)
        t->probes = (uint32_t)o->nprobe;
    if (o->has_element_ttl)
        t->element_ttl_s = (uint32_t)o->element_ttl;
    if (o->has_max_len)
        t->max_len = (uint64_t)o->max_len;
    if (o->has_max_bytes)
        t->max_bytes = (uint64_t)o->max_bytes;
    return e;
}

enum err options_check_probes(bool said, struct collection_spec *spec, struct why *why)
{
    if (spec->index == INDEX_IVF)
        return OK;
    spec->tuning.probes = 0;
    return said ? why_set(why, ERR_ARG, "NPROBE belongs to INDEX IVF, not to %s",
                          index_kind_name(spec->index))
                : OK;
}

enum { AUTO_RABITQ_DIM_MIN = 512 };

/* -- index and codes --------------------------------------------------------------------------- */

/* What AUTO means. A flat collection reads every vector anyway: exact ones are as good as codes.
 * From 512 dimensions on under COSINE the rotated codes take less memory and time (README.md has
 * figures); where codes are all that is kept, the eight bits are closer to what was added. */
static enum quant quant_auto(const struct collection_spec *spec)
{
    bool as_they_are = spec->type == TYPE_BIT || spec->type == TYPE_INT8;
    if (as_they_are || spec->index == INDEX_FLAT)
        return QUANT_NONE;
    bool rotated = spec->metric == METRIC_COSINE && spec->dim >= AUTO_RABITQ_DIM_MIN;
    return rotated && spec->keep_originals ? QUANT_RABITQ : QUANT_SQ8;
}

/* What QUANT and ORIGINALS may be depends on TYPE. */
static enum err fit_type(const struct collection_spec *spec, struct why *why)
{
    bool codes = spec->quant != QUANT_NONE;
    if (spec->index == INDEX_IVF && spec->type == TYPE_BIT)
        return why_set(why, ERR_ARG,
                       "INDEX IVF has no lists of bits: TYPE BIT goes with HNSW "
                       "and FLAT");
    if (codes && (spec->type == TYPE_BIT || spec->type == TYPE_INT8))
        return why_set(why, ERR_ARG,
                       "QUANT %s does not go with TYPE %s: searches walk its vectors as they are",
                       quant_name(spec->quant), type_name(spec->type));
    if (!codes && !spec->keep_originals)
        return why_set(why, ERR_ARG, "ORIGINALS DROP needs a QUANT that keeps codes");
    if (spec->type != TYPE_FP32 && !spec->keep_originals)
        return why_set(why, ERR_ARG,
                       "ORIGINALS DROP keeps no vectors, of which TYPE %s would say how "
                       "they are kept",
                       type_name(spec->type));
    CHECK(spec_type_fits(spec));
    return OK;
}

/* The options that are words. The lists stand in the order of the enums. */
static enum err read_shape_words(const struct shape_options *o, struct collection_spec *spec,
                                 struct why *why)
{
    static const char *const indexes[] = {"AUTO", "HNSW", "FLAT", "IVF"};
    static const char *const quants[] = {"NONE", "SQ8", "RABITQ", "PQ", "AUTO"};
    static const enum quant known[] = {QUANT_NONE, QUANT_SQ8, QUANT_RABITQ, QUANT_PQ};
    static const char *const originals[] = {"DROP", "KEEP"};
    int index = (int)spec->index, quant = -1, keep = spec->keep_originals;
    enum err e = OK;
    if (o->has_index)
        e = option_pick("INDEX", o->index, indexes, COUNT_OF(indexes), &index, why);
    if (e == OK && o->has_quant)
        e = option_pick("QUANT", o->quant, quants, COUNT_OF(quants), &quant, why);
    if (e == OK && o->has_originals)
        e = option_pick("ORIGINALS", o->originals, originals, COUNT_OF(originals), &keep, why);
    spec->index = (enum index_kind)index;
    CHECK(strcmp(indexes[index], index_kind_name(spec->index)) == 0);
    spec->keep_originals = keep == 1;
    if (e == OK && o->has_quant)
        spec->quant = (size_t)quant < COUNT_OF(known) ? known[quant] : quant_auto(spec);
    return e;
}

/* NLIST n or AUTO. */
static enum err read_nlist(const struct shape_options *o, uint32_t *lists, struct why *why)
{
    int64_t n;
    bool automatic = slice_eq_nocase(o->nlist, "AUTO");
    if (!automatic && (!slice_to_i64(o->nlist, &n) || n < 1 || n > LIMIT_NLIST))
        return why_set(why, ERR_ARG, "NLIST must be AUTO or an integer between 1 and %d",
                       LIMIT_NLIST);
    *lists = automatic ? 0 : (uint32_t)n;
    return OK;
}

/* What one index, or one QUANT, has alone. */
static enum err fit_index(const struct shape_options *o, const struct collection_spec *spec,
                          struct why *why)
{
    bool ivf = spec->index == INDEX_IVF, parts = spec->quant == QUANT_PQ;
    if ((ivf || spec->index == INDEX_FLAT) && (o->has_m || o->has_efc))
        return why_set(why, ERR_ARG, "%s belongs to INDEX HNSW, not to %s", o->has_m ? "M" : "EFC",
                       index_kind_name(spec->index));
    if (!ivf && o->has_nlist)
        return why_set(why, ERR_ARG, "NLIST belongs to INDEX IVF, not to %s",
                       index_kind_name(spec->index));
    if (parts && !ivf)
        return why_set(why, ERR_ARG,
                       "QUANT PQ belongs to INDEX IVF, not to %s: NONE, SQ8 and "
                       "RABITQ go with it",
                       index_kind_name(spec->index));
    if (parts && !spec->keep_originals)
        return why_set(why, ERR_ARG,
                       "QUANT PQ says about where vectors are, and they say which "
                       "are nearest: ORIGINALS DROP does not go with it");
    if (!parts && o->has_sub)
        return why_set(why, ERR_ARG, "SUB belongs to QUANT PQ, not to %s", quant_name(spec->quant));
    if (o->has_sub && o->sub > (int64_t)spec->dim)
        return why_set(why, ERR_ARG, "SUB cuts vectors of DIM %u into %u parts at most", spec->dim,
                       spec->dim);
    return OK;
}

/* Options of an index that it is not, or of codes it has not, are forgotten. */
static enum err set_numbers(const struct shape_options *o, struct collection_spec *spec,
                            struct why *why)
{
    enum err e = OK;
    if (o->has_m)
        spec->m = (uint32_t)o->m;
    if (o->has_efc)
        spec->ef_build = (uint32_t)o->efc;
    if (o->has_nlist)
        e = read_nlist(o, &spec->lists, why);
    if (o->has_sub)
        spec->subs = (uint32_t)o->sub;
    if (spec->index != INDEX_IVF)
        spec->lists = 0;
    if (spec->quant != QUANT_PQ)
        spec->subs = 0;
    return e;
}

enum err options_read_shape(const struct shape_options *o, struct collection_spec *spec,
                            struct why *why)
{
    const enum quant before = spec->quant;
    enum err e = read_shape_words(o, spec, why);
    if (e == OK && o->no_vectors && (spec->quant != before || spec->keep_originals))
        return why_set(why, ERR_ARG,
                       "this collection keeps no vectors (ORIGINALS DROP), so %s cannot be made. "
                       "Make another with VCREATE, and import into it",
                       spec->keep_originals ? "they" : "other codes");
    if (e == OK)
        e = fit_index(o, spec, why);
    if (e == OK)
        e = set_numbers(o, spec, why);
    return e == OK ? fit_type(spec, why) : e;
}
