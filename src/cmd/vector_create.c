/* Commands on whole collections: VCREATE, VDROP, VLIST, VCARD, VDIM, VINFO. */
#include "base/glob.h"
#include "base/limits.h"
#include "base/rng.h"
#include <stdio.h>

#include "cmd/vector_options.h"
#include "db/alter.h"
#include "db/relink.h"
#include "db/train.h"
#include "index/hnsw.h"
#include "index/ivf.h"

/* What vectors are, and how they are compared. */
static enum err read_type(const struct vcreate_args *a, struct collection_spec *spec,
                          struct why *why)
{
    static const char *const metrics[] = {"COSINE", "L2", "IP", "HAMMING", "JACCARD"};
    static const char *const types[] = {"FP32", "FP16", "BF16", "INT8", "BIT"};
    int metric = METRIC_COSINE, type = TYPE_FP32;
    enum err e = OK;
    if (a->has_metric)
        e = option_pick("METRIC", a->metric, metrics, COUNT_OF(metrics), &metric, why);
    if (e == OK && a->has_type)
        e = option_pick("TYPE", a->type, types, COUNT_OF(types), &type, why);
    spec->type = (enum vec_type)type;
    spec->metric = (enum metric)metric;
    CHECK(strcmp(types[type], type_name(spec->type)) == 0);
    CHECK(strcmp(metrics[metric], metric_name(spec->metric)) == 0);
    bool bit = spec->type == TYPE_BIT;
    if (bit && !a->has_metric)
        spec->metric = METRIC_HAMMING;
    if (e == OK && !type_has_metric(spec->type, spec->metric))
        return why_set(why, ERR_ARG, "METRIC %s does not go with TYPE %s, which has %s",
                       metric_name(spec->metric), type_name(spec->type),
                       bit ? "HAMMING and JACCARD" : "COSINE, L2 and IP");
    if (e == OK && bit && spec->dim % TYPE_BIT_DIM != 0)
        return why_set(why, ERR_ARG, "DIM of TYPE BIT counts bits, and is a multiple of %d, got %u",
                       TYPE_BIT_DIM, spec->dim);
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
    struct shape_options shape = SHAPE_OPTIONS(a);
    const struct tuning_options tuning = TUNING_OPTIONS(a);
    if (!a->has_quant) {
        shape.has_quant = true;
        shape.quant = slice_of("AUTO");
    }
    enum err e = read_type(a, spec, why);
    if (e == OK)
        e = options_read_shape(&shape, spec, why);
    if (e == OK)
        e = options_read_tuning(&tuning, &spec->tuning, why);
    if (e == OK)
        e = options_check_probes(a->has_nprobe, spec, why);
    if (e != OK)
        return e;
    spec->seed = rng_next(&rq->env->db->random);
    return a->has_schema ? options_read_schema(a->schema, &spec->schema, why) : OK;
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
static const char *quant_type(const struct collection *c)
{
    const struct collection_spec *spec = &c->spec;
    static const char *const types[TYPE_COUNT] = {"f32", "f16", "bf16", "int8", "bin"};
    switch (c->side->shape.quant) {
    case QUANT_NONE:
        return types[spec->type];
    case QUANT_SQ8:
        return "int8";
    case QUANT_BIN:
        return "bin";
    case QUANT_RABITQ:
        return "rabitq";
    case QUANT_PQ:
        return "pq4";
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

enum { REDIS_FIELDS = 9, OWN_FIELDS = 35, IVF_FIELDS = 10 };

/* Redis's nine, in Redis's order. */
static void redis_fields(struct reply *r, const struct collection *c, uint64_t now_ms)
{
    bool graph = c->side->graph != NULL && c->side->graph->ops->is_graph;
    int top = graph ? hnsw_top_level(c->side->graph) : -1;
    CHECK(c->live <= c->rows_end && c->attributes <= c->live);
    field_text(r, "quant-type", quant_type(c));
    field_int(r, "hnsw-m", c->side->shape.m);
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

/* What serves, as above, becomes that; the bytes are those of index and codes. */
static void fields_of_alteration(struct reply *r, const struct collection *c)
{
    const struct collection_spec *wish = &c->spec;
    char to[128] = "";
    if (alter_phase(c) != ALTER_IDLE && wish->index == INDEX_IVF)
        (void)snprintf(to, sizeof(to), "INDEX IVF QUANT %s NLIST %u SUB %u ORIGINALS %s",
                       quant_name(wish->quant), wish->lists, wish->subs,
                       wish->keep_originals ? "KEEP" : "DROP");
    else if (alter_phase(c) != ALTER_IDLE)
        (void)snprintf(to, sizeof(to), "INDEX %s QUANT %s M %u EFC %u ORIGINALS %s",
                       index_kind_name(wish->index), quant_name(wish->quant), wish->m,
                       wish->ef_build, wish->keep_originals ? "KEEP" : "DROP");
    field_text(r, "altering", alter_phase_name(c));
    field_text(r, "altering-to", to);
    field_int(r, "altering-rows", alter_rows_left(c));
    field_int(r, "altering-bytes", alter_side_bytes(c, c->next));
    field_int(r, "serving-bytes", alter_side_bytes(c, c->side));
}

static void field_share(struct reply *r, const char *name, double share)
{
    reply_simple(r, name);
    reply_double(r, share);
}

/* What checks of searches found, at 95 % (0 to 1 before the first), and what RECALL goes by. */
static void recall_fields(struct reply *r, const struct collection *c)
{
    struct recall_report report = recall_report(c);
    field_share(r, "recall", report.measured.estimate);
    field_share(r, "recall-low", report.measured.low);
    field_share(r, "recall-high", report.measured.high);
    field_int(r, "recall-checks", report.checks);
    field_text(r, "calibration",
               c->side->graph == NULL ? "exact"
               : report.queries == 0  ? "none"
               : report.aged          ? "aged"
               : report.real > 0      ? "by queries"
                                      : "by elements");
    field_int(r, "calibration-queries", report.queries);
}

/* The share of rows that are no result but still a way through the graph; and how many rows have
 * still to be looked at, whether sweeps have taken too many links from them. */
static void repair_fields(struct reply *r, const struct side *s)
{
    size_t dead = s->dead_linked + s->sweeping, rows = s->collection->live + dead;
    field_share(r, "dead-ratio", rows == 0 ? 0 : (double)dead / (double)rows);
    field_int(r, "repair-rows", relink_rows_left(s));
}

/* What an implicit set does not show: tools that know Redis expect nine fields of it. */
static void own_fields(struct reply *r, const struct collection *c)
{
    const struct spec_shape *now = &c->side->shape;
    field_text(r, "metric", metric_name(c->spec.metric));
    field_text(r, "type", type_name(c->spec.type));
    field_text(r, "index", index_kind_name(now->index));
    field_text(r, "index-now", c->side->graph == NULL ? "FLAT" : c->side->graph->ops->name);
    field_text(r, "quant", quant_name(now->quant));
    field_text(r, "originals", now->keep_originals ? "KEEP" : "DROP");
    field_int(r, "ef-construction", now->ef_build);
    field_int(r, "ef", c->spec.tuning.ef);
    field_int(r, "pending", pending_count(&c->side->pending));
    field_int(r, "dead-rows", c->side->dead_linked + c->side->sweeping);
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
    fields_of_alteration(r, c);
    recall_fields(r, c);
    repair_fields(r, c->side);
}

/* What the lists are like, and how far training is. */
static void ivf_fields(struct reply *r, const struct collection *c)
{
    struct ivf_stats now = {.lists = 0, .imbalance = 1, .drift = 1};
    const struct index *x = c->side->graph;
    bool lists = x != NULL && !x->ops->is_graph, trains = alter_phase(c) == ALTER_TRAINING;
    uint32_t probes = c->spec.tuning.probes;
    if (lists)
        ivf_measure(x, &now);
    field_int(r, "nlist", train_lists(c));
    field_int(r, "nprobe", probes == 0 && lists ? ivf_probes_default(x) : probes);
    field_int(r, "sub", c->spec.quant == QUANT_PQ ? spec_subs(&c->spec) : 0);
    field_text(r, "training", trains ? "training" : lists ? "trained" : "waiting for rows");
    field_int(r, "training-percent", trains ? alter_training_percent(c) : lists ? 100 : 0);
    field_int(r, "trainings", c->trainings);
    field_int(r, "lists", now.lists);
    field_int(r, "longest-list", now.longest);
    reply_simple(r, "imbalance");
    reply_double(r, now.imbalance);
    reply_simple(r, "drift");
    reply_double(r, now.drift);
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
    bool ivf = c->spec.index == INDEX_IVF;
    reply_map(&rq->reply, (size_t)REDIS_FIELDS + (c->spec.implicit ? 0u : OWN_FIELDS) +
                              (ivf ? IVF_FIELDS : 0u));
    redis_fields(&rq->reply, c, rq->env->db->now_ms);
    if (!c->spec.implicit)
        own_fields(&rq->reply, c);
    if (ivf)
        ivf_fields(&rq->reply, c);
}
