/* Judging records and replies. */
#include <math.h>
#include <stdio.h>

#include "sim/workload_private.h"

/* -- replies -------------------------------------------------------------------------------------
 */

struct slice reply_slice(const redisReply *r)
{
    return (struct slice){(const uint8_t *)r->str, r->len};
}

bool reply_is_error(const redisReply *r, const char *part)
{
    return r->type == REDIS_REPLY_ERROR && strstr(r->str, part) != NULL;
}

bool reply_is_int(const redisReply *r, long long value)
{
    return r->type == REDIS_REPLY_INTEGER && r->integer == value;
}

bool reply_is_nil(const redisReply *r)
{
    return r->type == REDIS_REPLY_NIL;
}

bool reply_is_list(const redisReply *r)
{
    return r->type == REDIS_REPLY_ARRAY;
}

double reply_number(const redisReply *r)
{
    double value = NAN;
    if (r->type == REDIS_REPLY_STRING && slice_to_f64(reply_slice(r), &value))
        return value;
    return NAN;
}

bool reply_is_status(const redisReply *r, const char *text)
{
    return r->type == REDIS_REPLY_STATUS && strcmp(r->str, text) == 0;
}

/* Is this the command's own number? */
static bool is_token(const struct ask *cmd, struct slice text)
{
    uint64_t token;
    return slice_to_u64(text, &token) && token == cmd->token;
}

/* -- what a command would do to a collection ------------------------------------------------------
 */

static uint32_t input_dim_of(const struct collection_spec *spec)
{
    return spec->projection_from > 0 ? spec->projection_from : spec->dim;
}

static const float *vector_of(const struct ask *c, size_t i)
{
    return c->vectors + i * c->dim;
}

static bool is_finite(const float *vector, uint32_t dim)
{
    for (uint32_t i = 0; i < dim; i++)
        if (!isfinite(vector[i]))
            return false;
    return true;
}

static bool is_zero(const float *vector, uint32_t dim)
{
    for (uint32_t i = 0; i < dim; i++)
        if (vector[i] != 0)
            return false;
    return true;
}

/* Does the type have these numbers? */
static bool type_takes(enum vec_type type, const float *vector, uint32_t dim)
{
    uint8_t bytes[MODEL_DIM_MAX * sizeof(float)];
    size_t at;
    CHECK(dim <= MODEL_DIM_MAX);
    return type_encode(type, vector, dim, bytes, &at) == TYPE_FITS;
}

/* Can a collection take this vector? Its count of floats fits. */
static bool takes(const struct collection_spec *spec, const float *vector, uint32_t dim)
{
    return is_finite(vector, dim) && type_takes(spec->type, vector, dim) &&
           (spec->metric != METRIC_COSINE || spec->implicit || !is_zero(vector, dim));
}

static bool vadd_fits(const struct model_collection *c, const struct ask *cmd, uint64_t at)
{
    if ((c == NULL || c->spec.implicit) && cmd->type != TYPE_FP32)
        return false;
    if (c == NULL)
        return true;
    const struct collection_spec *spec = &c->spec;
    const struct spec_shape shape = model_shape_at(c, at);
    enum quant quant = cmd->has_quant ? cmd->quant : spec->implicit ? QUANT_SQ8 : shape.quant;
    uint32_t m = cmd->has_m ? cmd->m : spec->implicit ? SPEC_M_DEFAULT : shape.m;
    bool reduce = cmd->reduce == 0 || (spec->projection_from > 0 && cmd->reduce == spec->dim);
    return reduce && cmd->dim == input_dim_of(spec) && quant == shape.quant && m == shape.m &&
           takes(spec, cmd->vectors, cmd->dim);
}

/* Is the partition that a put names there? It makes no set then. */
static bool partition_fits(const struct ask *cmd, const struct model_collection *c, uint64_t at)
{
    return !cmd->has_partition || (c != NULL && !c->spec.implicit &&
                                   (model_partitions_at(c, at) >> cmd->partition & 1) != 0);
}

/* Does a condition of a VADD keep its element out? */
static bool skips(const struct ask *cmd, const struct model_collection *c, uint64_t at)
{
    bool there = c != NULL && model_element_seen(c, cmd->ids[0], at, cmd->now_ms) != NULL;
    return there ? cmd->keys.nx : cmd->keys.xx;
}

/* What becomes of a put when its collection is full. */
struct fullness {
    bool of[MODEL_IDS];             /* ids of the put */
    size_t has_to_go, may_go, over; /* over: may go, since their time has passed */
};

/* at: before the put. It fits the collection. */
static void measure(const struct ask *cmd, const struct model_collection *c, uint64_t at,
                    struct fullness *f)
{
    const struct spec_tuning *t = model_tuning_at(c, at);
    size_t len = model_count_at(c, at, 0);
    *f = (struct fullness){0};
    for (size_t i = 0; i < cmd->id_count; i++) {
        unsigned id = cmd->ids[i];
        if (f->of[id] || !takes(&c->spec, vector_of(cmd, i), cmd->dim))
            continue;
        f->of[id] = true;
        len += model_element_at(c, id, at) == NULL;
    }
    f->has_to_go = t->max_len > 0 && len > t->max_len ? len - t->max_len : 0;
    for (unsigned id = 0; id < MODEL_IDS; id++) {
        const struct model_element *e = model_element_at(c, id, at);
        if (e == NULL || f->of[id])
            continue;
        bool over = model_element_over(e, cmd->now_ms);
        f->over += over;
        f->may_go += over || t->evict == EVICT_LRU || t->evict == EVICT_LFU ||
                     (t->evict == EVICT_TTL && e->expire_ms > 0);
    }
}

static bool is_put(const struct ask *cmd)
{
    return cmd->op == OP_VADD || cmd->op == OP_VMADD;
}

/* Does a put that fits make others go, or find no room? */
static bool evicts(const struct ask *cmd, const struct model_collection *c, uint64_t at)
{
    struct fullness f;
    if (c == NULL || !is_put(cmd))
        return false;
    measure(cmd, c, at, &f);
    return f.has_to_go > 0;
}

static bool is_refused(const struct ask *cmd, const struct model_collection *c, uint64_t at)
{
    struct fullness f;
    if (c == NULL)
        return false;
    measure(cmd, c, at, &f);
    return f.has_to_go > f.may_go;
}

/* As many as have to go, first those whose time is over, of TTL the soonest. */
static const char *check_victims(struct world *w, const struct ask *cmd,
                                 const struct model_collection *c, uint64_t at,
                                 const struct mutation *m)
{
    struct fullness f;
    bool goes[MODEL_IDS] = {false};
    uint64_t last = 0;
    size_t over = 0;
    measure(cmd, c, at, &f);
    if (m->count != f.has_to_go)
        return "another number of elements goes than has to";
    for (size_t i = 0; i < m->count; i++) {
        unsigned id = model_id_of(m->ids[i]);
        const struct model_element *e = id == MODEL_IDS ? NULL : model_element_at(c, id, at);
        if (e == NULL || goes[id] || f.of[id])
            return "an element goes that is not there, twice, or is put";
        goes[id] = true;
        over += model_element_over(e, cmd->now_ms);
        last = e->expire_ms > last ? e->expire_ms : last;
    }
    if (over != (f.over < f.has_to_go ? f.over : f.has_to_go))
        return "an element goes before others whose time is over";
    bool by_time = model_tuning_at(c, at)->evict == EVICT_TTL;
    for (unsigned id = 0; id < MODEL_IDS && by_time; id++) {
        const struct model_element *e = model_element_at(c, id, at);
        if (e != NULL && !goes[id] && !f.of[id] && e->expire_ms > 0 && e->expire_ms < last)
            return "an element goes before another that expires sooner";
    }
    w->elements_evicted += m->count;
    return NULL;
}

/* The schema that a VALTER leaves; false: it cannot be. */
static bool alters_schema(const struct ask *cmd, const struct model_collection *c, uint64_t at,
                          struct schema *out)
{
    *out = *model_schema_at(c, at);
    if (cmd->field == NULL)
        return true;
    struct slice name = slice_of(cmd->field);
    return cmd->drops ? schema_drop(out, name, NULL) == OK
                      : schema_add(out, name, cmd->field_kind, NULL) == OK;
}

/* What it leaves of index and codes; false: it cannot be. */
static bool alters_shape(const struct ask *cmd, const struct model_collection *c, uint64_t at,
                         struct spec_shape *out)
{
    const struct spec_shape before = model_shape_at(c, at);
    bool walked = c->spec.type == TYPE_BIT || c->spec.type == TYPE_INT8;
    *out = before;
    if (cmd->has_index)
        out->index = cmd->index;
    if (cmd->has_quant)
        out->quant = cmd->quant != QUANT_COUNT            ? cmd->quant
                     : walked || out->index == INDEX_FLAT ? QUANT_NONE
                                                          : QUANT_SQ8;
    if (cmd->has_m)
        out->m = cmd->m;
    bool ivf = out->index == INDEX_IVF, flat = out->index == INDEX_FLAT;
    if (cmd->lists > 0)
        out->lists = cmd->lists;
    if (!ivf)
        out->lists = 0;
    if (ivf && c->spec.type == TYPE_BIT)
        return false;
    if (out->quant == QUANT_PQ && (!ivf || !before.keep_originals))
        return false;
    if ((cmd->lists > 0 && !ivf) || (cmd->has_m && (ivf || flat)))
        return false;
    if (!before.keep_originals && before.quant != QUANT_NONE && out->quant != before.quant)
        return false;
    return !(walked && out->quant != QUANT_NONE);
}

/* Does the command change the collection, or make it? */
static bool changes(const struct ask *cmd, const struct model_collection *c, uint64_t at)
{
    struct schema schema;
    struct spec_shape shape;
    bool fits = c != NULL && cmd->dim == input_dim_of(&c->spec);
    switch ((int)cmd->op) {
    case OP_VADD:
        return vadd_fits(c, cmd, at) && partition_fits(cmd, c, at) && !skips(cmd, c, at) &&
               !is_refused(cmd, c, at);
    case OP_VMADD:
        for (size_t i = 0; fits && partition_fits(cmd, c, at) && i < cmd->id_count; i++)
            if (takes(&c->spec, vector_of(cmd, i), cmd->dim))
                return !is_refused(cmd, c, at);
        return false;
    case OP_VREM:
    case OP_VSETATTR:
        for (size_t i = 0; c != NULL && i < cmd->id_count; i++)
            if (model_element_seen(c, cmd->ids[i], at, cmd->now_ms) != NULL)
                return true;
        return false;
    case OP_VCREATE:
        return c == NULL;
    case OP_VALTER:
        return c != NULL && !c->spec.implicit && alters_schema(cmd, c, at, &schema) &&
               alters_shape(cmd, c, at, &shape);
    case OP_PARTITION_NEW:
    case OP_PARTITION_DROP:
        return c != NULL && !c->spec.implicit && cmd->partition > 0 &&
               (model_partitions_at(c, at) >> cmd->partition & 1) == (cmd->op == OP_PARTITION_DROP);
    case OP_VDROP:
        return c != NULL;
    default:
        return false;
    }
}

size_t ask_change_count(const struct world *w, const struct ask *cmd, uint64_t at)
{
    struct expectation e;
    if (cmd->op == OP_FLUSHALL)
        return 1;
    if (keys_is(cmd->op)) {
        keys_expect(w, cmd, at, &e);
        return e.change_count;
    }
    const struct model_held *held = model_seen_at(w->model, cmd->key, at, cmd->now_ms);
    bool string = held != NULL && held->collection == NULL;
    const struct model_collection *c = held == NULL ? NULL : held->collection;
    if (string || !changes(cmd, c, at))
        return 0;
    return evicts(cmd, c, at) ? 2 : 1;
}

/* -- records -------------------------------------------------------------------------------------
 */

static const char *check_stored(const struct model_collection *c, const struct ask *cmd, size_t i,
                                const struct mutation_element *e)
{
    float expected[MODEL_DIM_MAX], is[MODEL_DIM_MAX];
    CHECK(c->spec.dim <= COUNT_OF(expected));
    (void)model_store(c, vector_of(cmd, i), expected);
    type_decode(c->spec.type, e->vector, c->spec.dim, is);
    for (uint32_t j = 0; j < c->spec.dim; j++)
        if (!(fabsf(expected[j] - is[j]) <= 1e-5f * (1 + fabsf(expected[j]))))
            return "another vector is stored than was sent";
    return NULL;
}

/* An element whose time is over, and that is not gone yet, leaves nothing to the one that takes its
 * place. */
static bool attribute_fits(const struct ask *cmd, const struct model_collection *c, uint64_t at,
                           size_t i, const struct mutation_element *e)
{
    const struct model_element *before = model_element_at(c, cmd->ids[i], at);
    bool over = before != NULL && model_element_over(before, cmd->now_ms);
    for (size_t j = 0; j < i; j++)
        over =
            over && (cmd->ids[j] != cmd->ids[i] || !takes(&c->spec, vector_of(cmd, j), cmd->dim));
    if (cmd->has_attributes)
        return e->set_attribute && slice_eq(e->attribute, slice_of(cmd->attributes[i]));
    return e->set_attribute == over && e->attribute.len == 0;
}

static const char *check_put(const struct ask *cmd, const struct model_collection *c, uint64_t now,
                             const struct mutation *m)
{
    struct model_collection fresh = {.spec = m->spec};
    const char *wrong = NULL;
    size_t at = 0;
    if ((c == NULL) != m->creates || m->dim != (c == NULL ? m->spec.dim : c->spec.dim))
        return "a put makes a collection at the wrong time, or of the wrong dimension";
    if (model_partition_of(m->partition) != (cmd->has_partition ? cmd->partition : 0))
        return "a put into another partition than was sent";
    if (c == NULL) {
        fresh.projection = model_projection(&fresh.spec);
        c = &fresh;
    }
    for (size_t i = 0; i < cmd->id_count && wrong == NULL; i++) {
        if (!takes(&c->spec, vector_of(cmd, i), cmd->dim))
            continue;
        const struct mutation_element *e = &m->elements[at];
        if (at++ == m->count || model_id_of(e->id) != cmd->ids[i])
            wrong = "a put has other elements than were sent";
        else if (!attribute_fits(cmd, c, now, i, e))
            wrong = "a put has another attribute than was sent";
        else if (e->expire_ms != ask_expiry(cmd))
            wrong = "a put has another time than was sent";
        else
            wrong = check_stored(c, cmd, i, e);
    }
    mem_free(MEM_VECTOR, fresh.projection);
    if (wrong != NULL)
        return wrong;
    return at == m->count ? NULL : "a put has more elements than were sent";
}

static const char *check_remove(const struct ask *cmd, const struct model_collection *c,
                                uint64_t at, const struct mutation *m)
{
    size_t count = 0;
    for (size_t i = 0; c != NULL && i < cmd->id_count; i++) {
        if (model_element_seen(c, cmd->ids[i], at, cmd->now_ms) == NULL)
            continue;
        if (count == m->count || model_id_of(m->ids[count++]) != cmd->ids[i])
            return "a remove has other elements than were named";
    }
    return count == m->count ? NULL : "a remove has more elements than were named";
}

static const char *check_new(const struct ask *cmd, const struct mutation *m)
{
    if (cmd->op != OP_VCREATE)
        return "a collection is made that nobody asked for";
    if (m->spec.implicit || m->spec.dim != cmd->dim || m->spec.type != cmd->type)
        return "a collection is made with another dimension than asked for";
    return NULL;
}

static const char *check_alter(const struct ask *cmd, const struct model_collection *c, uint64_t at,
                               const struct mutation *m)
{
    const struct spec_tuning *before = model_tuning_at(c, at), *after = &m->spec.tuning;
    uint32_t ef = cmd->tuning.ef == 0 ? before->ef : cmd->tuning.ef;
    struct schema schema;
    struct spec_shape shape, made = spec_shape(&m->spec);
    bool is = alters_schema(cmd, c, at, &schema) && schema_equal(&schema, &m->spec.schema) &&
              alters_shape(cmd, c, at, &shape) && spec_shape_equal(&shape, &made) &&
              after->ef == ef && after->max_len == cmd->tuning.max_len &&
              after->evict == cmd->tuning.evict && after->max_bytes == before->max_bytes &&
              after->element_ttl_s == before->element_ttl_s;
    return cmd->op == OP_VALTER && is ? NULL : "another alteration than was asked for";
}

const char *ask_check_own(struct world *w, const struct ask *cmd, size_t i,
                          const struct mutation *m)
{
    uint64_t at = cmd->before;
    const struct model_collection *c = model_collection_at(w->model, cmd->key, at);
    if (m->kind == MUTATION_FLUSH || cmd->op == OP_FLUSHALL)
        return m->kind == MUTATION_FLUSH && cmd->op == OP_FLUSHALL ? NULL : "a flush, or none";
    if (keys_is(cmd->op)) {
        struct expectation e;
        keys_expect(w, cmd, at, &e);
        CHECK(i < e.change_count);
        if (e.copied != NULL || e.copied_hash != NULL || e.copied_list != NULL ||
            e.copied_members != NULL || e.copied_json != NULL)
            return copy_check_change(cmd, &e, i, m);
        return keys_same(&e.changes[i], m) ? NULL : "another change of a key than was asked for";
    }
    if (model_key_of(m->key) != cmd->key)
        return "a change of another key than the command's";
    if (model_seen_at(w->model, cmd->key, at, cmd->now_ms) == NULL)
        c = NULL;
    if (is_put(cmd) && i == 0 && evicts(cmd, c, at))
        return m->kind == MUTATION_REMOVE ? check_victims(w, cmd, c, at, m)
                                          : "a put into a full collection";
    switch ((int)m->kind) {
    case MUTATION_COLLECTION_ALTER:
        return check_alter(cmd, c, at, m);
    case MUTATION_PARTITION_NEW:
    case MUTATION_PARTITION_DROP:
        return (m->kind == MUTATION_PARTITION_NEW) == (cmd->op == OP_PARTITION_NEW) &&
                       model_partition_of(m->partition) == cmd->partition
                   ? NULL
                   : "another partition is made or dropped than was named";
    case MUTATION_PUT:
        return cmd->op == OP_VADD || cmd->op == OP_VMADD ? check_put(cmd, c, at, m)
                                                         : "a put by another command";
    case MUTATION_REMOVE:
        return cmd->op == OP_VREM ? check_remove(cmd, c, at, m) : "a remove by another command";
    case MUTATION_SET_ATTRIBUTE:
        if (cmd->op != OP_VSETATTR || model_id_of(m->ids[0]) != cmd->ids[0] ||
            !slice_eq(m->value, slice_of(cmd->attributes[0])))
            return "an attribute is set that nobody sent";
        return NULL;
    case MUTATION_COLLECTION_NEW:
        return check_new(cmd, m);
    case MUTATION_KEY_REMOVE:
        return cmd->op == OP_VDROP ? NULL : "a key removed by another command";
    default:
        return "a change of a kind that nobody asked for";
    }
}

static bool names(const struct ask *c, unsigned key)
{
    bool found = c->key == key && !keys_is(c->op) && c->op != OP_FLUSHALL && c->op != OP_ECHO;
    for (size_t i = 0; i < c->keys.key_count; i++)
        found = found || c->keys.keys[i] == key;
    return found;
}

bool ask_removes_expired(struct world *w, const struct ask *c, const struct mutation *m)
{
    unsigned key = model_key_of(m->key);
    if (key < MODEL_KEYS && (c == NULL || names(c, key)) &&
        hash_removes_over(w, m, c == NULL ? w->now_ms : c->now_ms))
        return true;
    if (m->kind != MUTATION_KEY_REMOVE || key == MODEL_KEYS || (c != NULL && !names(c, key)))
        return false;
    const struct model_held *held = model_held_at(w->model, key, w->model->at);
    bool removes =
        held != NULL && model_expired(held, w->model->at, c == NULL ? w->now_ms : c->now_ms);
    w->expired += removes;
    return removes;
}

/* Elements whose time is over, all of them. */
static bool removes_over(struct world *w, const struct mutation *m)
{
    unsigned key = model_key_of(m->key);
    if (m->kind != MUTATION_REMOVE || key == MODEL_KEYS)
        return false;
    const struct model_collection *c = model_collection_at(w->model, key, w->model->at);
    for (size_t i = 0; i < m->count; i++) {
        unsigned id = model_id_of(m->ids[i]);
        const struct model_element *e =
            c == NULL || id == MODEL_IDS ? NULL : model_element_at(c, id, w->model->at);
        if (e == NULL || !model_element_over(e, w->now_ms))
            return false;
    }
    w->elements_expired += m->count;
    return true;
}

/* What the server does by itself: rows move, keys and elements expire. */
static const char *check_unasked(struct world *w, const struct mutation *m)
{
    if (m->kind == MUTATION_TICK || ask_removes_expired(w, NULL, m) || removes_over(w, m))
        return NULL;
    return "no command runs";
}

const char *ask_check_change(struct world *w, struct ask *c, const struct mutation *m)
{
    CHECK((size_t)m->kind < COUNT_OF(w->kinds));
    w->kinds[m->kind]++;
    w->puts[m->type] += m->kind == MUTATION_PUT ? m->count : 0;
    if (c == NULL)
        return check_unasked(w, m);
    if (c->lsn > 0)
        return "a command has two records";
    if (c->op == OP_EXEC)
        return multi_check_change(w, c, m);
    if (ask_removes_expired(w, c, m) || copy_is_undone(w, c, m))
        return NULL;
    if (c->changes == 0)
        c->before = w->model->at;
    if (c->changes >= ask_change_count(w, c, c->before))
        return "a change by a command that changes nothing, or not so much";
    return ask_check_own(w, c, c->changes++, m);
}

void ask_end_record(struct world *w, struct ask *c)
{
    if (c->op == OP_EXEC)
        multi_end_record(w, c);
    if (c->changes > 0 || c->op == OP_EXEC)
        c->lsn = w->model->lsn;
}

/* -- replies of changes --------------------------------------------------------------------------
 */

/* The reply of a VMADD: what became of each element, in order. */
static const char *check_batch(const struct ask *cmd, const struct model_collection *c, uint64_t at,
                               const redisReply *r)
{
    bool seen[MODEL_IDS] = {false};
    if (!reply_is_list(r) || r->elements != cmd->id_count)
        return "not an answer per element";
    for (size_t i = 0; i < cmd->id_count; i++) {
        const redisReply *one = r->element[i];
        unsigned id = cmd->ids[i];
        if (!takes(&c->spec, vector_of(cmd, i), cmd->dim)) {
            if (!reply_is_error(one, "ERR"))
                return "an invalid element is not refused";
            continue;
        }
        bool there = seen[id] || model_element_seen(c, id, at, cmd->now_ms) != NULL;
        if (!reply_is_int(one, !there))
            return "added and replaced are not told apart";
        seen[id] = true;
    }
    return NULL;
}

static long long present_count(const struct ask *cmd, const struct model_collection *c, uint64_t at)
{
    bool seen[MODEL_IDS] = {false};
    long long count = 0;
    for (size_t i = 0; i < cmd->id_count; i++) {
        unsigned id = cmd->ids[i];
        count += !seen[id] && model_element_seen(c, id, at, cmd->now_ms) != NULL;
        seen[id] = true;
    }
    return count;
}

/* c and at: the state before the change. */
static const char *check_changed(const struct ask *cmd, const struct model_collection *c,
                                 uint64_t at, const redisReply *r)
{
    bool right = false;
    switch ((int)cmd->op) {
    case OP_VADD:
        right = reply_is_int(r, c == NULL ||
                                    model_element_seen(c, cmd->ids[0], at, cmd->now_ms) == NULL);
        break;
    case OP_VMADD:
        return check_batch(cmd, c, at, r);
    case OP_VREM:
        right = reply_is_int(r, present_count(cmd, c, at));
        break;
    case OP_VSETATTR:
        right = reply_is_int(r, 1);
        break;
    case OP_VCREATE:
    case OP_VALTER:
    case OP_VDROP:
    case OP_PARTITION_NEW:
    case OP_PARTITION_DROP:
    case OP_FLUSHALL:
        right = reply_is_status(r, "OK");
        break;
    default:
        break;
    }
    return right ? NULL : "the change is answered wrongly";
}

/* A command that could have changed something, and did not. */
static const char *check_unchanged(const struct ask *cmd, const struct model_collection *c,
                                   uint64_t at, const redisReply *r)
{
    bool right = false;
    if (cmd->op == OP_FLUSHALL || changes(cmd, c, at))
        return "nothing was changed";
    switch ((int)cmd->op) {
    case OP_VMADD:
        if (c != NULL && cmd->dim == input_dim_of(&c->spec) && partition_fits(cmd, c, at) &&
            !is_refused(cmd, c, at))
            return check_batch(cmd, c, at, r);
        right = reply_is_error(r, "ERR");
        break;
    case OP_VREM:
    case OP_VSETATTR:
        right = reply_is_int(r, 0);
        break;
    case OP_VADD:
        right = !vadd_fits(c, cmd, at) || !partition_fits(cmd, c, at) ? reply_is_error(r, "ERR")
                : skips(cmd, c, at)                                   ? reply_is_nil(r)
                                                                      : reply_is_error(r, "full");
        break;
    case OP_VCREATE:
        right = cmd->flag && cmd->dim == c->spec.dim && cmd->type == c->spec.type
                    ? reply_is_status(r, "OK")
                    : reply_is_error(r, "exists already");
        break;
    case OP_PARTITION_NEW:
        right = cmd->flag && c != NULL && !c->spec.implicit ? reply_is_status(r, "OK")
                                                            : reply_is_error(r, "ERR");
        break;
    default:
        right = reply_is_error(r, "ERR");
    }
    return right ? NULL : "what changes nothing is answered wrongly";
}

/* -- replies of looks ----------------------------------------------------------------------------
 */

static bool same_attribute(const redisReply *r, struct slice json)
{
    return json.len == 0 ? reply_is_nil(r) : slice_eq(reply_slice(r), json);
}

/* Doubles of a vector as it was sent: in the direction of the stored one. */
static bool same_vector(const struct collection_spec *spec, const float *stored,
                        const redisReply *r)
{
    double square = 0;
    if (!reply_is_list(r) || r->elements != spec->dim)
        return false;
    for (size_t i = 0; i < spec->dim; i++)
        square += reply_number(r->element[i]) * reply_number(r->element[i]);
    bool unit = spec->metric == METRIC_COSINE && spec->type == TYPE_FP32;
    double length = unit && square > 0 ? sqrt(square) : 1;
    bool exact = spec->keep_originals || spec->quant == QUANT_NONE;
    for (size_t i = 0; i < spec->dim && exact; i++)
        if (!(fabs(reply_number(r->element[i]) / length - (double)stored[i]) <
              1e-5 * (1 + fabs((double)stored[i]))))
            return false;
    return !isnan(square);
}

static const char *check_get(const struct ask *cmd, const struct model_collection *c, uint64_t at,
                             const redisReply *r)
{
    if (c == NULL)
        return reply_is_error(r, "no such collection") ? NULL : "VGET of nothing";
    if (!reply_is_list(r) || r->elements != cmd->id_count)
        return "VGET without an answer per id";
    for (size_t i = 0; i < cmd->id_count; i++) {
        const struct model_element *e = model_element_seen(c, cmd->ids[i], at, cmd->now_ms);
        const redisReply *one = r->element[i];
        if (e == NULL && reply_is_nil(one))
            continue;
        if (e == NULL || !reply_is_list(one) || one->elements != 3 ||
            model_id_of(reply_slice(one->element[0])) != cmd->ids[i])
            return "VGET of another element";
        if (!same_attribute(one->element[1], model_attribute_at(e, at)))
            return "VGET with another attribute";
        if (!same_vector(&c->spec, e->vector, one->element[2]))
            return "VGET with another vector";
    }
    return NULL;
}

/* Distinct ids that are all there; marks them. */
static bool distinct_live(const struct ask *cmd, const struct model_collection *c, uint64_t at,
                          const redisReply *r, bool seen[MODEL_IDS])
{
    for (size_t i = 0; i < r->elements; i++) {
        unsigned id = model_id_of(reply_slice(r->element[i]));
        if (id == MODEL_IDS || seen[id] || model_element_seen(c, id, at, cmd->now_ms) == NULL)
            return false;
        seen[id] = true;
    }
    return true;
}

/* VRANGE - + and VRANDMEMBER with a count above 0. */
static const char *check_members(const struct ask *cmd, const struct model_collection *c,
                                 uint64_t at, const redisReply *r)
{
    bool seen[MODEL_IDS] = {false};
    size_t live = c == NULL ? 0 : model_count_at(c, at, cmd->now_ms);
    size_t count = cmd->want.count < live ? cmd->want.count : live;
    if (!reply_is_list(r) || r->elements != count)
        return "the wrong number of members";
    if (count > 0 && !distinct_live(cmd, c, at, r, seen))
        return "members that are not there, or twice";
    for (size_t i = 1; i < count && cmd->op == OP_VRANGE; i++)
        if (slice_cmp(reply_slice(r->element[i - 1]), reply_slice(r->element[i])) >= 0)
            return "members out of order";
    return NULL;
}

/* Has it INDEX IVF, or had it, which serves until VALTER's wish has come true? */
static bool had_lists(const struct model_collection *c, uint64_t at)
{
    for (; at > 0; at--)
        if (model_shape_at(c, at).index == INDEX_IVF)
            return true;
    return false;
}

static const char *check_links(const struct ask *cmd, const struct model_collection *c, uint64_t at,
                               const redisReply *r)
{
    if (c == NULL || model_element_seen(c, cmd->ids[0], at, cmd->now_ms) == NULL)
        return reply_is_nil(r) ? NULL : "links of nothing";
    if (r->type == REDIS_REPLY_ERROR && strstr(r->str, "INDEX IVF") != NULL)
        return had_lists(c, at) ? NULL : "no links, and no lists";
    if (!reply_is_list(r) || r->elements == 0)
        return "no levels of links";
    for (size_t i = 0; i < r->elements; i++) {
        bool seen[MODEL_IDS] = {false};
        seen[cmd->ids[0]] = true;
        if (!reply_is_list(r->element[i]) || !distinct_live(cmd, c, at, r->element[i], seen))
            return "links to itself, to what is not there, or twice";
    }
    return NULL;
}

static const char *check_info(const struct ask *cmd, const struct model_collection *c, uint64_t at,
                              const redisReply *r)
{
    long long live = 0, attributes = 0;
    if (c == NULL)
        return reply_is_nil(r) ? NULL : "VINFO of nothing";
    for (unsigned id = 0; id < MODEL_IDS; id++) {
        const struct model_element *e = model_element_at(c, id, at);
        live += e != NULL && !model_element_over(e, cmd->now_ms);
        attributes += e != NULL && model_attribute_at(e, at).len > 0;
    }
    for (size_t i = 0; i + 1 < r->elements; i += 2) {
        const char *name = r->element[i]->str;
        if (strcmp(name, "size") == 0 && !reply_is_int(r->element[i + 1], live))
            return "VINFO: size";
        if (strcmp(name, "attributes-count") == 0 && !reply_is_int(r->element[i + 1], attributes))
            return "VINFO: attributes-count";
    }
    return reply_is_list(r) && r->elements >= 18 ? NULL : "VINFO: fields";
}

static const char *check_partitions(const struct ask *cmd, const struct model_collection *c,
                                    uint64_t at, const redisReply *r)
{
    long long counts[MODEL_PARTITIONS] = {0};
    unsigned there = 0;
    if (c == NULL || c->spec.implicit)
        return reply_is_error(r, "ERR") ? NULL : "partitions of nothing";
    for (unsigned id = 0; id < MODEL_IDS; id++) {
        const struct model_element *e = model_element_seen(c, id, at, cmd->now_ms);
        if (e != NULL)
            counts[e->partition]++;
    }
    for (size_t i = 0; i + 1 < r->elements; i += 2) {
        struct slice name = reply_slice(r->element[i]);
        if (slice_eq(name, slice_of("_default")))
            name = (struct slice){0};
        unsigned partition = model_partition_of(name);
        if (partition == MODEL_PARTITIONS || !reply_is_int(r->element[i + 1], counts[partition]))
            return "a partition has another number of elements";
        there |= 1u << partition;
    }
    return there == model_partitions_at(c, at) ? NULL : "partitions are missing";
}

static const char *check_look(const struct ask *cmd, const struct model_collection *c, uint64_t at,
                              const redisReply *r)
{
    char name[32];
    const struct model_element *e = NULL;
    if (c != NULL && cmd->id_count > 0)
        e = model_element_seen(c, cmd->ids[0], at, cmd->now_ms);
    bool right = false;
    switch ((int)cmd->op) {
    case OP_VCARD:
        right = reply_is_int(r, c == NULL ? 0 : (long long)model_count_at(c, at, cmd->now_ms));
        break;
    case OP_VDIM:
        right = c == NULL ? reply_is_error(r, "key does not exist") : reply_is_int(r, c->spec.dim);
        break;
    case OP_VISMEMBER:
        right = reply_is_int(r, e != NULL);
        break;
    case OP_VGETATTR:
        right = e == NULL ? reply_is_nil(r) : same_attribute(r, model_attribute_at(e, at));
        break;
    case OP_ECHO:
        right = is_token(cmd, reply_slice(r));
        break;
    case OP_UNKNOWN:
        (void)snprintf(name, sizeof(name), "'NOSUCH%llu'", (unsigned long long)cmd->token);
        right = reply_is_error(r, name);
        break;
    case OP_ARITY:
        right = reply_is_error(r, "wrong number of arguments");
        break;
    default:
        CHECK(false);
    }
    return right ? NULL : "the answer is not what is there";
}

static const char *check_searches(struct world *w, const struct ask *cmd, const redisReply *r,
                                  uint64_t at)
{
    const char *wrong = NULL;
    /* One query that is refused refuses all. */
    for (size_t i = 0; i < cmd->want.query_count && r->type == REDIS_REPLY_ERROR; i++) {
        wrong = check_search(w, cmd, i, r, at);
        if (wrong == NULL)
            return NULL;
    }
    if (wrong != NULL || cmd->op == OP_SEARCH)
        return wrong != NULL ? wrong : check_search(w, cmd, 0, r, at);
    if (!reply_is_list(r) || r->elements != cmd->want.query_count)
        return "not an answer per query";
    for (size_t i = 0; i < cmd->want.query_count; i++) {
        wrong = check_search(w, cmd, i, r->element[i], at);
        if (wrong != NULL)
            return wrong;
    }
    return NULL;
}

static bool is_write(const struct ask *cmd)
{
    return cmd->op == OP_VADD || cmd->op == OP_VMADD || cmd->op == OP_VREM ||
           cmd->op == OP_VSETATTR || cmd->op == OP_VCREATE || cmd->op == OP_VALTER ||
           cmd->op == OP_VDROP || cmd->op == OP_PARTITION_NEW || cmd->op == OP_PARTITION_DROP ||
           cmd->op == OP_FLUSHALL;
}

bool reply_is_short(const struct world *w, const redisReply *r)
{
    if (w->may_refuse && reply_is_error(r, "MISCONF"))
        return true;
    return w->short_memory && (reply_is_error(r, "OOM") || reply_is_error(r, "out of memory") ||
                               reply_is_error(r, "MISCONF Redis is configured to save"));
}

/* Memory may have run out before all changes were made. */
static const char *check_keys(const struct world *w, const struct ask *cmd, const redisReply *r,
                              uint64_t at)
{
    struct expectation e;
    keys_expect(w, cmd, at, &e);
    if (cmd->changes < e.change_count)
        return reply_is_short(w, r) ? NULL : "what was asked for is not changed";
    return keys_check_reply(&e, r);
}

static const char *check_vectors(struct world *w, const struct ask *cmd, const redisReply *r,
                                 uint64_t at)
{
    const struct model_held *held = model_seen_at(w->model, cmd->key, at, cmd->now_ms);
    const struct model_collection *c = held == NULL ? NULL : held->collection;
    bool keyless = cmd->op == OP_UNKNOWN || cmd->op == OP_ARITY || cmd->op == OP_ECHO;
    if (is_write(cmd) && cmd->changes > 0)
        return check_changed(cmd, c, at, r);
    if (held != NULL && c == NULL && !keyless && cmd->op != OP_FLUSHALL)
        return reply_is_error(r, "WRONGTYPE") ? NULL : "a string is taken for a collection";
    if (is_write(cmd))
        return check_unchanged(cmd, c, at, r);
    switch ((int)cmd->op) {
    case OP_SEARCH:
    case OP_VMSEARCH:
        return check_searches(w, cmd, r, at);
    case OP_VGET:
        return check_get(cmd, c, at, r);
    case OP_VRANGE:
    case OP_VRANDMEMBER:
        return check_members(cmd, c, at, r);
    case OP_VLINKS:
        if (cmd->in_exec && reply_is_error(r, "VLINKS cannot wait"))
            return NULL;
        return check_links(cmd, c, at, r);
    case OP_VINFO:
        return check_info(cmd, c, at, r);
    case OP_PARTITIONS:
        return check_partitions(cmd, c, at, r);
    default:
        return check_look(cmd, c, at, r);
    }
}

const char *ask_check_at(struct world *w, const struct ask *cmd, const redisReply *r, uint64_t at)
{
    if (reply_is_short(w, r) && cmd->changes == 0)
        return NULL;
    return keys_is(cmd->op) ? check_keys(w, cmd, r, at) : check_vectors(w, cmd, r, at);
}

static bool is_multi(const struct ask *c)
{
    return c->op == OP_EXEC || c->op == OP_MULTI || c->op == OP_QUEUED || c->op == OP_WATCH ||
           c->op == OP_DISCARD;
}

const char *ask_check_reply(struct world *w, struct ask *cmd, const redisReply *reply)
{
    const char *wrong = "it was answered before it ran";
    if (!cmd->executed)
        return wrong;
    if (is_multi(cmd))
        return multi_check_reply(w, cmd, reply);
    if (cmd->lsn > 0)
        return ask_check_at(w, cmd, reply, cmd->before);
    for (uint64_t lsn = cmd->lo; lsn <= cmd->hi; lsn++) {
        wrong = ask_check_at(w, cmd, reply, MODEL_AT(lsn));
        if (wrong == NULL)
            return NULL;
    }
    return wrong;
}
