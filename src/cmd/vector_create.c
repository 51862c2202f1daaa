/* Commands on whole collections: VCREATE, VDROP, VLIST, VCARD, VDIM, VINFO. */
#include "base/glob.h"
#include "base/limits.h"
#include "base/rng.h"
#include "cmd/vector.h"
#include "index/hnsw.h"

/* One of a list of words for an option: *out is its place in the list. ERR_ARG names them all. */
static enum err pick(const char *option, struct slice word, const char *const *words, size_t count,
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

/* What METRIC and QUANT may be depends on TYPE. auto_quant: QUANT was AUTO, or not said. */
static enum err fit_type(const struct vcreate_args *a, bool auto_quant,
                         struct collection_spec *spec, struct why *why)
{
    bool bit = spec->type == TYPE_BIT, kept = bit || spec->type == TYPE_INT8;
    if (bit && !a->has_metric)
        spec->metric = METRIC_HAMMING;
    if (!type_has_metric(spec->type, spec->metric))
        return why_set(why, ERR_ARG, "METRIC %s does not go with TYPE %s, which has %s",
                       metric_name(spec->metric), type_name(spec->type),
                       bit ? "HAMMING and JACCARD" : "COSINE, L2 and IP");
    if (bit && spec->dim % TYPE_BIT_DIM != 0)
        return why_set(why, ERR_ARG, "DIM of TYPE BIT counts bits, and is a multiple of %d, got %u",
                       TYPE_BIT_DIM, spec->dim);
    if (kept && auto_quant)
        spec->quant = QUANT_NONE;
    if (kept && spec->quant != QUANT_NONE)
        return why_set(why, ERR_ARG,
                       "QUANT %s does not go with TYPE %s: searches walk its vectors as they are",
                       quant_name(spec->quant), type_name(spec->type));
    if (spec->quant == QUANT_NONE && !spec->keep_originals)
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
static enum err read_words(const struct vcreate_args *a, struct collection_spec *spec,
                           struct why *why)
{
    static const char *const metrics[] = {"COSINE", "L2", "IP", "HAMMING", "JACCARD"};
    static const char *const indexes[] = {"AUTO", "HNSW", "FLAT"};
    static const char *const quants[] = {"NONE", "SQ8", "AUTO"};
    static const char *const types[] = {"FP32", "FP16", "BF16", "INT8", "BIT"};
    static const char *const originals[] = {"DROP", "KEEP"};
    int metric = METRIC_COSINE, index = INDEX_AUTO, quant = 2, type = 0, keep = 1;
    enum err e = OK;
    if (a->has_metric)
        e = pick("METRIC", a->metric, metrics, COUNT_OF(metrics), &metric, why);
    if (e == OK && a->has_type)
        e = pick("TYPE", a->type, types, COUNT_OF(types), &type, why);
    if (e == OK && a->has_index)
        e = pick("INDEX", a->index, indexes, COUNT_OF(indexes), &index, why);
    if (e == OK && a->has_quant)
        e = pick("QUANT", a->quant, quants, COUNT_OF(quants), &quant, why);
    if (e == OK && a->has_originals)
        e = pick("ORIGINALS", a->originals, originals, COUNT_OF(originals), &keep, why);
    spec->type = (enum vec_type)type;
    spec->metric = (enum metric)metric;
    spec->index = (enum index_kind)index;
    CHECK(strcmp(types[type], type_name(spec->type)) == 0);
    CHECK(strcmp(metrics[metric], metric_name(spec->metric)) == 0);
    CHECK(strcmp(indexes[index], index_kind_name(spec->index)) == 0);
    spec->keep_originals = keep == 1;
    /* A flat collection reads every vector anyway: exact ones are as good as codes. */
    spec->quant = quant == 0                          ? QUANT_NONE
                  : quant == 1 || index != INDEX_FLAT ? QUANT_SQ8
                                                      : QUANT_NONE;
    return e == OK ? fit_type(a, quant == 2, spec, why) : e;
}

/* field TYPE field TYPE ...: behind the last option, since it takes all that follows. */
static enum err read_schema(struct slices words, struct schema *schema, struct why *why)
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
        enum err e = pick("SCHEMA", words.items[i + 1], kinds, COUNT_OF(kinds), &kind, why);
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

/* What VCREATE and VALTER have in common: their arguments have the same names. */
struct tuning_options {
    bool has_ef, has_element_ttl, has_max_len, has_max_bytes, has_evict;
    int64_t ef, element_ttl, max_len, max_bytes;
    struct slice evict;
};

#define TUNING_OPTIONS(a)                                                                          \
    {                                                                                              \
        .has_ef = (a)->has_ef, .has_element_ttl = (a)->has_element_ttl,                            \
        .has_max_len = (a)->has_max_len, .has_max_bytes = (a)->has_max_bytes,                      \
        .has_evict = (a)->has_evict, .ef = (a)->ef, .element_ttl = (a)->element_ttl,               \
        .max_len = (a)->max_len, .max_bytes = (a)->max_bytes, .evict = (a)->evict                  \
    }

/* What is not said stays as it is. */
static enum err read_tuning(const struct tuning_options *o, struct spec_tuning *t, struct why *why)
{
    static const char *const evictions[] = {"REFUSE", "LRU", "LFU", "TTL"};
    int evict = (int)t->evict;
    enum err e = OK;
    if (o->has_evict)
        e = pick("EVICT", o->evict, evictions, COUNT_OF(evictions), &evict, why);
    t->evict = (enum eviction)evict;
    CHECK(strcmp(evictions[evict], eviction_name(t->evict)) == 0);
    if (o->has_ef)
        t->ef = (uint32_t)o->ef;
    if (o->has_element_ttl)
        t->element_ttl_s = (uint32_t)o->element_ttl;
    if (o->has_max_len)
        t->max_len = (uint64_t)o->max_len;
    if (o->has_max_bytes)
        t->max_bytes = (uint64_t)o->max_bytes;
    return e;
}

/* What VCREATE asks for, with defaults for what it does not say. The seed is drawn here, once: it
 * goes into the log with the rest, so that a replay builds the same graph. */
static enum err read_spec(struct request *rq, const struct vcreate_args *a,
                          struct collection_spec *spec, struct why *why)
{
    if (!a->has_dim)
        return why_set(why, ERR_ARG, "DIM is missing: VCREATE key DIM n");
    if (a->key.len > LIMIT_KEY_SIZE)
        return why_set(why, ERR_LIMIT, "the key of a collection has at most %d bytes",
                       LIMIT_KEY_SIZE);
    CHECK(a->dim >= 1 && a->dim <= LIMIT_DIM); /* commands.def says so */
    *spec = spec_default((uint32_t)a->dim);
    enum err e = read_words(a, spec, why);
    if (e != OK)
        return e;
    if (spec->index == INDEX_FLAT && (a->has_m || a->has_efc))
        return why_set(why, ERR_ARG, "%s belongs to INDEX HNSW, not to FLAT",
                       a->has_m ? "M" : "EFC");
    if (a->has_m)
        spec->m = (uint32_t)a->m;
    if (a->has_efc)
        spec->ef_build = (uint32_t)a->efc;
    const struct tuning_options options = TUNING_OPTIONS(a);
    e = read_tuning(&options, &spec->tuning, why);
    if (e != OK)
        return e;
    spec->seed = rng_next(&rq->env->db->random);
    return a->has_schema ? read_schema(a->schema, &spec->schema, why) : OK;
}

void cmd_vcreate(struct request *rq)
{
    const struct vcreate_args *a = rq->args;
    struct why why = {{0}};
    struct mutation m = {.kind = MUTATION_COLLECTION_NEW, .key = a->key};
    enum err e = read_spec(rq, a, &m.spec, &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return;
    }
    bool missing;
    struct collection *c = find_collection(rq, a->key, &missing);
    if (c != NULL && !a->if_not_exists)
        reply_errorf(&rq->reply,
                     "ERR collection '%.*s' exists already; VDROP it first, or say "
                     "IFNOTEXISTS",
                     (int)(a->key.len < 64 ? a->key.len : 64), (const char *)a->key.ptr);
    else if (c != NULL && c->spec.dim != m.spec.dim)
        reply_errorf(&rq->reply, "ERR the collection exists already with DIM %u", c->spec.dim);
    else if (c != NULL && c->spec.type != m.spec.type)
        reply_errorf(&rq->reply, "ERR the collection exists already with TYPE %s",
                     type_name(c->spec.type));
    else if (c != NULL || (missing && write_mutation(rq, &m)))
        reply_simple(&rq->reply, "OK");
}

/* Why the words of VCREATE that VALTER does not have cannot change. */
static void reply_fixed(struct request *rq, struct slice word)
{
    static const struct {
        const char *word, *why;
    } fixed[] = {
        {"DIM", "all its vectors have that many floats"},
        {"METRIC", "its graph and its codes were made for it"},
        {"TYPE", "its vectors are kept so"},
        {"INDEX", "its rows are laid out for it"},
        {"M", "its graph was made with it"},
        {"EFC", "its graph was made with it"},
        {"QUANT", "its codes were made so"},
        {"ORIGINALS", "its vectors were kept, or not, when they came"},
    };
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        if (!slice_eq_nocase(word, fixed[i].word))
            continue;
        reply_errorf(&rq->reply,
                     "ERR %s of a collection cannot change: %s. Make another with VCREATE, and "
                     "import into it",
                     fixed[i].word, fixed[i].why);
        return;
    }
    reply_errorf(&rq->reply,
                 "ERR VALTER does not know '%.*s': EF, ELEMENTTTL, MAXLEN, MAXBYTES, EVICT and "
                 "SCHEMA can change",
                 (int)(word.len < 64 ? word.len : 64), (const char *)word.ptr);
}

/* SCHEMA ADD field TYPE [field TYPE ..], or SCHEMA DROP field [field ..] */
static enum err alter_schema(const struct slices *words, struct schema *schema, struct why *why)
{
    static const char *const verbs[] = {"ADD", "DROP"};
    int verb = 0;
    if (words->count < 2)
        return why_set(why, ERR_ARG, "SCHEMA: write ADD field TYPE, or DROP field");
    enum err e = pick("SCHEMA", words->items[0], verbs, COUNT_OF(verbs), &verb, why);
    struct slices fields = {words->items + 1, words->count - 1};
    if (e != OK || verb == 0)
        return e == OK ? read_schema(fields, schema, why) : e;
    for (size_t i = 0; i < fields.count && e == OK; i++)
        e = schema_drop(schema, fields.items[i], why);
    return e;
}

void cmd_valter(struct request *rq)
{
    const struct valter_args *a = rq->args;
    const struct tuning_options options = TUNING_OPTIONS(a);
    struct why why = {{0}};
    if (a->fixed.count > 0) {
        reply_fixed(rq, a->fixed.items[0]);
        return;
    }
    struct collection *c = need_collection(rq, a->key);
    if (c == NULL)
        return;
    if (c->spec.implicit) {
        reply_error(&rq->reply, "ERR a vector set made by VADD has no options; VCREATE makes "
                                "collections");
        return;
    }
    struct mutation m = {.kind = MUTATION_COLLECTION_ALTER, .key = a->key, .spec = c->spec};
    enum err e = read_tuning(&options, &m.spec.tuning, &why);
    if (e == OK && a->has_schema)
        e = alter_schema(&a->schema, &m.spec.schema, &why);
    if (e != OK)
        reply_err(&rq->reply, e, &why);
    else if (rq->argc == 2)
        reply_error(&rq->reply, "ERR VALTER takes EF, ELEMENTTTL, MAXLEN, MAXBYTES, EVICT or "
                                "SCHEMA");
    else if (write_mutation(rq, &m))
        reply_simple(&rq->reply, "OK");
}

/* DEL of a key that has to hold a collection. */
void cmd_vdrop(struct request *rq)
{
    const struct vdrop_args *a = rq->args;
    if (need_collection(rq, a->key) == NULL)
        return;
    struct mutation m = {.kind = MUTATION_KEY_REMOVE, .key = a->key};
    if (write_mutation(rq, &m))
        reply_simple(&rq->reply, "OK");
}

/* Collections whose keys match, counted first and then replied: two passes cost less than a copy of
 * all names. */
struct listing {
    const struct vlist_args *args;
    struct reply *reply; /* NULL: only count */
    uint64_t now_ms;
    size_t count;
};

static void list_one(void *user, const struct object *o)
{
    struct listing *l = user;
    if (o->type != OBJECT_COLLECTION || object_expired(o, l->now_ms))
        return;
    if (l->args->has_match && !glob_match(l->args->match, object_key(o)))
        return;
    l->count++;
    if (l->reply != NULL)
        reply_bulk(l->reply, object_key(o));
}

void cmd_vlist(struct request *rq)
{
    struct listing l = {.args = rq->args, .now_ms = rq->env->db->now_ms};
    const struct keyspace *keys = &rq->env->db->keys;
    if (l.args->has_match && !pattern_fits(rq, l.args->match))
        return;
    uint64_t rest = keyspace_scan(keys, 0, SIZE_MAX, list_one, &l);
    CHECK(rest == 0);
    size_t announced = l.count;
    reply_array(&rq->reply, announced);
    l.reply = &rq->reply;
    (void)keyspace_scan(keys, 0, SIZE_MAX, list_one, &l); /* to the end, as before */
    CHECK(l.count == 2 * announced);
}

void cmd_vcard(struct request *rq)
{
    const struct vcard_args *a = rq->args;
    bool missing;
    struct collection *c = find_collection(rq, a->key, &missing);
    if (c != NULL || missing)
        reply_int(&rq->reply, c == NULL ? 0 : (int64_t)collection_count(c, rq->env->db->now_ms));
}

void cmd_vdim(struct request *rq)
{
    const struct vdim_args *a = rq->args;
    bool missing;
    struct collection *c = find_collection(rq, a->key, &missing);
    if (missing)
        reply_error(&rq->reply, "ERR key does not exist");
    else if (c != NULL)
        reply_int(&rq->reply, c->spec.dim);
}

/* Redis's words for how vectors are kept, and words like these. */
static const char *quant_type(const struct collection_spec *spec)
{
    static const char *const types[TYPE_COUNT] = {"f32", "f16", "bf16", "int8", "bin"};
    switch (spec->quant) {
    case QUANT_NONE:
        return types[spec->type];
    case QUANT_SQ8:
        return "int8";
    case QUANT_BIN:
        return "bin";
    case QUANT_COUNT:
        break;
    }
    CHECK(false);
    return "";
}

static void field_int(struct reply *r, const char *name, size_t value)
{
    CHECK(value <= INT64_MAX);
    reply_simple(r, name);
    reply_int(r, (int64_t)value);
}

static void field_text(struct reply *r, const char *name, const char *value)
{
    reply_simple(r, name);
    reply_simple(r, value);
}

enum { REDIS_FIELDS = 9, OWN_FIELDS = 22 };

/* Redis's nine, in Redis's order. */
static void redis_fields(struct reply *r, const struct collection *c, uint64_t now_ms)
{
    bool graph = c->graph != NULL && c->graph->ops->is_graph;
    int top = graph ? hnsw_top_level(c->graph) : -1;
    CHECK(c->live <= c->rows_end && c->attributes <= c->live);
    field_text(r, "quant-type", quant_type(&c->spec));
    field_int(r, "hnsw-m", c->spec.m);
    field_int(r, "vector-dim", c->spec.dim);
    field_int(r, "projection-input-dim", c->spec.projection_from);
    field_int(r, "size", collection_count(c, now_ms));
    field_int(r, "max-level", top > 0 ? (size_t)top : 0);
    field_int(r, "attributes-count", collection_sums(c).attributes);
    field_int(r, "vset-uid", c->uid);
    field_int(r, "hnsw-max-node-uid", c->rows_end);
}

/* An array per field: its name and its type. */
static void field_schema(struct reply *r, const struct schema *schema)
{
    reply_simple(r, "schema");
    reply_array(r, schema->count);
    for (size_t i = 0; i < schema->count; i++) {
        reply_array(r, 2);
        reply_bulk(r, schema_name(schema, i));
        reply_simple(r, schema_kind_name(schema_kind(schema, i)));
    }
}

/* What an implicit set does not show: tools that know Redis expect nine fields of it. */
static void own_fields(struct reply *r, const struct collection *c)
{
    field_text(r, "metric", metric_name(c->spec.metric));
    field_text(r, "type", type_name(c->spec.type));
    field_text(r, "index", index_kind_name(c->spec.index));
    field_text(r, "index-now", c->graph == NULL ? "FLAT" : c->graph->ops->name);
    field_text(r, "quant", quant_name(c->spec.quant));
    field_text(r, "originals", c->spec.keep_originals ? "KEEP" : "DROP");
    field_int(r, "ef-construction", c->spec.ef_build);
    field_int(r, "ef", c->spec.tuning.ef);
    field_int(r, "pending", pending_count(&c->pending));
    field_int(r, "dead-rows", c->dead_linked + c->sweeping);
    field_int(r, "free-rows", c->free_rows.count);
    field_int(r, "memory-bytes", collection_bytes(c));
    field_int(r, "bytes-per-vector", c->live == 0 ? 0 : collection_bytes(c) / c->live);
    field_int(r, "element-ttl", c->spec.tuning.element_ttl_s);
    field_int(r, "max-len", c->spec.tuning.max_len);
    field_int(r, "max-bytes", c->spec.tuning.max_bytes);
    field_text(r, "evict", eviction_name(c->spec.tuning.evict));
    field_int(r, "evicted", c->evicted);
    field_int(r, "element-bytes", collection_element_bytes(c));
    field_int(r, "expiring", c->aging == NULL ? 0 : c->aging->count);
    field_int(r, "partitions", c->partitions == NULL ? 1 : c->partitions->table->count);
    field_schema(r, &c->spec.schema);
}

void cmd_vinfo(struct request *rq)
{
    const struct vinfo_args *a = rq->args;
    bool missing;
    struct collection *c = find_collection(rq, a->key, &missing);
    if (missing)
        reply_null_array(&rq->reply);
    if (c == NULL)
        return;
    reply_map(&rq->reply, REDIS_FIELDS + (c->spec.implicit ? 0 : OWN_FIELDS));
    redis_fields(&rq->reply, c, rq->env->db->now_ms);
    if (!c->spec.implicit)
        own_fields(&rq->reply, c);
}
