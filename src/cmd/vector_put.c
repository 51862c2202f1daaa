/* Commands that change elements: VADD, VMADD, VREM, VSETATTR. */
#include <stdio.h>

#include "base/limits.h"
#include "base/rng.h"
#include "cmd/expire_time.h"
#include "cmd/bulk_add.h"
#include "cmd/vector_batch.h"
#include "db/batch.h"
#include "db/projection.h"
#include "db/victims.h"

enum { SMALL_DIM = 1024 };

/* Replies the error. spec: of the collection, as it is or will be. */
static bool read_put_options(struct request *rq, const struct expire_options *when, bool nx,
                             bool xx, const struct collection_spec *spec, struct put_options *out)
{
    *out = (struct put_options){.nx = nx, .xx = xx};
    if (nx && xx) {
        reply_error(&rq->reply, "ERR NX and XX contradict each other");
        return false;
    }
    if (!expire_options_fit(rq, when) || !expire_options_read(rq, when, &out->expire_ms))
        return false;
    if (out->expire_ms == 0 && spec->tuning.element_ttl_s > 0)
        out->expire_ms = rq->env->db->now_ms + (uint64_t)spec->tuning.element_ttl_s * 1000;
    return true;
}

/* there: an element of the id is, as far as clients can see. One whose time is over and that is not
 * gone yet leaves nothing to the one that takes its place. */
static enum outcome plan_element(const struct put_options *o, const struct collection *c,
                                 bool there, struct mutation_element *e)
{
    e->expire_ms = o->expire_ms;
    if (there ? o->nx : o->xx)
        return PUT_SKIPS;
    if (there)
        return PUT_REPLACES;
    if (c != NULL && collection_find(c, e->id) != ROW_NONE)
        e->set_attribute = true; /* to none, unless the command has one */
    return PUT_ADDS;
}

static void reply_outcome(struct reply *r, enum outcome outcome, bool as_bool)
{
    if (outcome == PUT_SKIPS)
        reply_null(r);
    else if (as_bool)
        reply_bool(r, outcome == PUT_ADDS);
    else
        reply_int(r, outcome);
}

/* What a VADD to a missing key makes, as Redis would. count: floats of its vector, checked. */
static struct collection_spec implicit_spec(struct request *rq, const struct vadd_args *a,
                                            uint32_t count)
{
    struct collection_spec spec = spec_default(a->has_reduce ? (uint32_t)a->reduce : count);
    CHECK(spec.dim <= count && count <= LIMIT_DIM);
    spec.implicit = true;
    spec.quant = a->has_quant ? (enum quant)a->quant : QUANT_SQ8;
    spec.m = a->has_m ? (uint32_t)a->m : SPEC_M_DEFAULT;
    if (a->has_ef && a->ef <= LIMIT_EFC)
        spec.ef_build = (uint32_t)a->ef;
    spec.keep_originals = rq->env->config->vset_keep_originals || spec.quant == QUANT_NONE;
    spec.seed = rng_next(&rq->env->db->random);
    if (a->has_reduce) {
        spec.projection_from = count;
        spec.projection_version = PROJECTION_VERSION;
    }
    return spec;
}

/* Does the command fit the set that is there? Redis's checks in Redis's order. */
static enum err check_fit(const struct vadd_args *a, const struct collection_spec *spec,
                          uint32_t count, struct why *why)
{
    if (a->has_reduce && spec->projection_from == 0)
        return why_set(why, ERR_ARG, "cannot add projection to existing set without projection");
    if (a->has_reduce && (uint32_t)a->reduce != spec->dim)
        return why_set(why, ERR_ARG, "projection dimension mismatch with existing set");
    if (spec->projection_from > 0 && count != spec->projection_from)
        return why_set(why, ERR_ARG,
                       "Input dimension mismatch for projection - got %u but projection expects %u",
                       count, spec->projection_from);
    if (spec->implicit && spec->projection_from == 0 && count != spec->dim)
        return why_set(why, ERR_ARG, "Vector dimension mismatch - got %u but set has %u", count,
                       spec->dim);
    if (spec->projection_from == 0 && count != spec->dim)
        return vector_wrong_count(&a->vector, count, spec, why);
    enum quant quant = a->has_quant     ? (enum quant)a->quant
                       : spec->implicit ? QUANT_SQ8
                                        : spec->quant;
    if (quant != spec->quant)
        return why_set(why, ERR_ARG, "asked quantization mismatch with existing vector set");
    int64_t m = a->has_m ? a->m : spec->implicit ? SPEC_M_DEFAULT : (int64_t)spec->m;
    if (m != (int64_t)spec->m)
        return why_set(why, ERR_ARG, "asked M value mismatch with existing vector set");
    return OK;
}

/* What is wrong whatever the key holds. */
static enum err check_sizes(const struct vadd_args *a, size_t count, struct why *why)
{
    if (count == 0 || count > LIMIT_DIM || (a->has_reduce && (uint64_t)a->reduce > count))
        return why_set(why, ERR_ARG, "invalid vector specification");
    if (a->element.len > LIMIT_KEY_SIZE || a->key.len > LIMIT_KEY_SIZE)
        return why_set(why, ERR_LIMIT, "keys and elements of vector sets have at most %d bytes",
                       LIMIT_KEY_SIZE);
    return OK;
}

/* The vector as it is stored, in room for count floats (input) and as many more (output). A set
 * that does not exist yet has no matrix: one is made for this vector. Redis does not say what is
 * wrong with a vector. */
static enum err read_vector(const struct vadd_args *a, const struct collection_spec *spec,
                            const struct collection *c, const struct vec_kernels *k, size_t count,
                            float *room, float *norm, struct why *why)
{
    struct why detail = {{0}};
    uint8_t *out = (uint8_t *)(room + count);
    CHECK(c != NULL || spec->implicit);
    if (spec->type != TYPE_FP32)
        return vector_store(spec, NULL, k, &a->vector, room, out, norm, why);
    if (vector_read(&a->vector, room, count, &detail) != OK)
        return why_set(why, ERR_ARG, "invalid vector specification");
    if (c != NULL || spec->projection_from == 0)
        return vector_prepare(spec, c == NULL ? NULL : c->projection, k, room, room + count, norm,
                              why);
    float *matrix =
        projection_new(spec->projection_from, spec->dim, spec->seed, spec->projection_version);
    if (matrix == NULL)
        return ERR_NOMEM;
    enum err e = vector_prepare(spec, matrix, k, room, room + count, norm, why);
    mem_free(MEM_VECTOR, matrix);
    return e;
}

/* Logs a put, and before it what has to go for it, as one record. fresh: distinct ids that are new
 * to the collection. */
static bool write_put(struct request *rq, struct collection *c, const struct mutation *m,
                      size_t fresh)
{
    struct why why = {{0}};
    struct victims victims = {0};
    if (c == NULL || !victims_may_go(c))
        return write_mutation(rq, m);
    /* First, as the ids of the victims stand in the heap, and making room there may move them. */
    enum err e = db_reserve(rq->env->db, m, &why);
    if (e == OK)
        e = victims_plan(c, m, fresh, &victims, &why);
    struct mutation gone = {
        .kind = MUTATION_REMOVE, .key = m->key, .ids = victims.ids, .count = victims.count};
    if (e == OK && victims.count > 0)
        e = db_reserve_log(rq->env->db, batch_size_max(&gone) + batch_size_max(m), &why);
    if (e != OK)
        reply_err(&rq->reply, e, &why);
    bool ok = e == OK && (victims.count == 0 || write_mutation(rq, &gone));
    if (ok) {
        c->evicted += victims.count;
        rq->env->stats->evicted_elements += victims.count;
        ok = write_mutation(rq, m);
    }
    victims_fini(&victims);
    return ok;
}

/* Logs the element (and the set, when it is new) as one change, so that a crash leaves no empty set
 * behind; replies whether the element is new. */
static void put_one(struct request *rq, const struct vadd_args *a, struct collection *c,
                    const struct collection_spec *spec, const void *vector, float norm)
{
    const struct expire_options when = EXPIRE_OPTIONS(a, false);
    struct put_options options;
    struct mutation_element element = {
        .id = a->element,
        .vector = vector,
        .norm = norm,
        .set_attribute = a->has_attribute,
        .attribute = a->attribute,
    };
    struct mutation m = {.kind = MUTATION_PUT,
                         .key = a->key,
                         .creates = c == NULL,
                         .spec = *spec,
                         .dim = spec->dim,
                         .type = spec->type,
                         .elements = &element,
                         .count = 1};
    struct why why = {{0}};
    size_t from = rq->client->out.len;
    enum err e =
        a->has_partition ? need_partition(c, a->key, a->partition, &m.partition, &why) : OK;
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return;
    }
    if (!read_put_options(rq, &when, a->nx, a->xx, spec, &options))
        return;
    bool there = c != NULL && db_element(rq->env->db, c, a->element) != ROW_NONE;
    enum outcome outcome = plan_element(&options, c, there, &element);
    size_t fresh = c != NULL && collection_find(c, a->element) == ROW_NONE;
    if (outcome != PUT_SKIPS && !write_put(rq, c, &m, fresh))
        return;
    reply_outcome(&rq->reply, outcome, true);
    if (c != NULL)
        wait_for_room(rq, c, from);
}

/* A vector of up to SMALL_DIM floats is read on the stack: most are, and VADD is called a lot. */
void cmd_vadd(struct request *rq)
{
    const struct vadd_args *a = rq->args;
    struct why why = {{0}};
    bool missing;
    struct collection *c = find_collection(rq, a->key, &missing);
    if (c == NULL && !missing)
        return;
    if (missing && a->has_partition) { /* which a set that VADD makes does not have */
        (void)need_collection(rq, a->key);
        return;
    }
    size_t count = vector_count(&a->vector);
    enum err e = check_sizes(a, count, &why);
    /* Vector sets know blobs of FP32 only, as in Redis. */
    if ((c == NULL || c->spec.implicit) && a->vector.type != TYPE_FP32)
        e = why_set(&why, ERR_ARG, "invalid vector specification");
    if (e == OK && c != NULL)
        e = check_fit(a, &c->spec, (uint32_t)count, &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return;
    }
    struct collection_spec spec = c != NULL ? c->spec : implicit_spec(rq, a, (uint32_t)count);
    const struct vec_kernels *k = rq->env->db->env.kernels;
    float small[2 * SMALL_DIM];
    float *room = small;
    float norm;
    if (count > SMALL_DIM)
        room = mem_try(MEM_CLIENT, 2 * count * sizeof(float));
    if (room == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    e = read_vector(a, &spec, c, k, count, room, &norm, &why);
    if (e == OK)
        put_one(rq, a, c, &spec, room + count, norm);
    else
        reply_err(&rq->reply, e, &why);
    if (room != small)
        mem_free(MEM_CLIENT, room);
}

/* -- VMADD ------------------------------------------------------------------------------------- */

static bool batch_id_equal(const void *owner, uint32_t i, struct slice id)
{
    const struct batch *b = owner;
    return slice_eq(b->elements[i].id, id);
}

bool batch_init(struct batch *b, size_t count, const struct collection_spec *spec)
{
    *b = (struct batch){.count = count, .size = type_size(spec->type, spec->dim)};
    map_init(&b->fresh, MEM_CLIENT, batch_id_equal, b);
    b->elements = mem_try_calloc(MEM_CLIENT, count * sizeof(*b->elements));
    b->vectors = mem_try(MEM_CLIENT, count * b->size);
    b->errors = NULL;
    b->outcomes = mem_try_calloc(MEM_CLIENT, count * sizeof(*b->outcomes));
    return b->elements != NULL && b->vectors != NULL && b->outcomes != NULL &&
           map_reserve(&b->fresh, count);
}

void batch_fini(struct batch *b)
{
    mem_free(MEM_CLIENT, b->elements);
    mem_free(MEM_CLIENT, b->vectors);
    mem_free(MEM_CLIENT, b->errors);
    mem_free(MEM_CLIENT, b->outcomes);
    map_fini(&b->fresh);
}

/* What becomes of the next valid element: is its id in the collection, or earlier in this batch? */
static enum outcome plan_next(struct batch *b, const struct db *db, const struct collection *c,
                              const struct put_options *options)
{
    struct mutation_element *e = &b->elements[b->valid_count];
    uint32_t hash = (uint32_t)hash_bytes(e->id, c->env->hash_seed);
    CHECK(b->valid_count < b->count); /* the map has room for one per element */
    bool before = map_get(&b->fresh, hash, e->id) != MAP_NONE;
    enum outcome outcome =
        plan_element(options, c, before || db_element(db, c, e->id) != ROW_NONE, e);
    bool has_row = collection_find(c, e->id) != ROW_NONE;
    b->fresh_count += outcome == PUT_ADDS && !has_row;
    b->replaces |= outcome != PUT_SKIPS && has_row;
    if (outcome == PUT_ADDS)
        map_put(&b->fresh, hash, (uint32_t)b->valid_count);
    return outcome;
}

/* Notes why an element is not added; the notes exist from the first one on. */
static bool note_error(struct batch *b, size_t i, const struct why *why)
{
    CHECK(i < b->count && why->text[0] != '\0'); /* an empty text stands for no error */
    if (b->errors == NULL)
        b->errors = mem_try_calloc(MEM_CLIENT, b->count * sizeof(*b->errors));
    if (b->errors == NULL)
        return false;
    b->errors[i] = *why;
    return true;
}

/* False when there are none, or of two types. */
static bool ids_of(const struct vmadd_args *a, struct batch_ids *out)
{
    const struct {
        bool has;
        struct batch_ids ids;
    } lists[] = {{a->has_fp32, {a->fp32, TYPE_FP32}},
                 {a->has_fp16, {a->fp16, TYPE_FP16}},
                 {a->has_bf16, {a->bf16, TYPE_BF16}},
                 {a->has_int8, {a->int8, TYPE_INT8}},
                 {a->has_bit, {a->bit, TYPE_BIT}}};
    size_t given = 0;
    for (size_t i = 0; i < COUNT_OF(lists); i++) {
        if (lists[i].has)
            *out = lists[i].ids;
        given += lists[i].has;
    }
    return given == 1;
}

/* Element i of a VMADD into vector, by way of room (input_dim floats). */
static enum err read_element(const struct collection *c, const struct vmadd_args *a,
                             const struct batch_ids *ids, size_t i, float *room, uint8_t *vector,
                             float *norm, struct why *why)
{
    size_t size = type_size(ids->type, input_dim(&c->spec));
    const struct vector_arg arg = {
        .form = VECTOR_BLOB, .type = ids->type, .bytes = {a->blob.ptr + i * size, size}};
    if (ids->ids.items[i].len > LIMIT_KEY_SIZE)
        return why_set(why, ERR_LIMIT, "an id has at most %d bytes", LIMIT_KEY_SIZE);
    return vector_store(&c->spec, c->projection, c->env->kernels, &arg, room, vector, norm, why);
}

bool batch_read(struct batch *b, const struct collection *c, const struct vmadd_args *a,
                const struct batch_ids *ids, size_t from, size_t to)
{
    float *room = mem_try(MEM_CLIENT, input_dim(&c->spec) * sizeof(float));
    bool ok = room != NULL;
    CHECK(from <= to && to <= b->count);
    for (size_t i = from; i < to && ok; i++) {
        struct mutation_element *e = &b->elements[i];
        uint8_t *vector = b->vectors + i * b->size;
        struct why why = {{0}};
        if (read_element(c, a, ids, i, room, vector, &e->norm, &why) != OK) {
            ok = note_error(b, i, &why);
            continue;
        }
        e->id = ids->ids.items[i];
        e->vector = vector;
        e->set_attribute = a->has_attributes;
        if (a->has_attributes)
            e->attribute = a->attributes.items[i];
    }
    mem_free(MEM_CLIENT, room);
    return ok;
}

/* Of the heap, for the attribute that the element will have: an earlier one of the same put that
 * has its id inherits the same one. */
static size_t attribute_bytes(const struct collection *c, const struct mutation_element *e)
{
    uint32_t row = e->set_attribute ? ROW_NONE : collection_find(c, e->id);
    size_t len = row == ROW_NONE ? e->attribute.len : collection_attribute(c, row).len;
    return len > 0 ? heap_record_size(len) : 0;
}

static bool is_bad(const struct batch *b, size_t i)
{
    return b->errors != NULL && b->errors[i].text[0] != '\0';
}

void batch_plan(struct batch *b, const struct db *db, const struct collection *c,
                const struct put_options *options, size_t from, size_t to)
{
    CHECK(from <= to && to <= b->count && b->valid_count <= from);
    for (size_t i = from; i < to; i++) {
        if (is_bad(b, i))
            continue;
        struct mutation_element *e = &b->elements[b->valid_count];
        *e = b->elements[i];
        b->outcomes[i] = plan_next(b, db, c, options);
        if (b->outcomes[i] == PUT_SKIPS)
            continue;
        b->heap_bytes += heap_record_size(e->id.len) + attribute_bytes(c, e);
        b->valid_count++;
    }
}

void batch_reply(struct reply *reply, const struct batch *b, size_t from, size_t to)
{
    CHECK(from <= to && to <= b->count);
    for (size_t i = from; i < to; i++) {
        if (is_bad(b, i))
            reply_errorf(reply, "ERR %s", b->errors[i].text);
        else
            reply_outcome(reply, b->outcomes[i], false);
    }
}

/* Do the counts fit each other? Without that no element can be told from the next. */
static enum err check_batch(const struct vmadd_args *a, const struct batch_ids *ids,
                            const struct collection *c, struct why *why)
{
    enum err e = vector_check_many(&c->spec, ids->type, a->blob, ids->ids.count, "ids", why);
    if (e == OK && a->has_attributes && a->attributes.count != ids->ids.count)
        return why_set(why, ERR_ARG, "ATTRS: %zu attributes for %zu ids", a->attributes.count,
                       ids->ids.count);
    return e;
}

/* All of it now. */
static void put_batch(struct request *rq, const struct vmadd_args *a, const struct batch_ids *ids,
                      struct collection *c, const struct put_options *options)
{
    struct batch b;
    size_t from = rq->client->out.len;
    if (!batch_init(&b, ids->ids.count, &c->spec) || !batch_read(&b, c, a, ids, 0, b.count)) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        batch_fini(&b);
        return;
    }
    batch_plan(&b, rq->env->db, c, options, 0, b.count);
    struct mutation m = {.kind = MUTATION_PUT,
                         .key = a->key,
                         .partition = options->partition,
                         .dim = c->spec.dim,
                         .type = c->spec.type,
                         .elements = b.elements,
                         .count = b.valid_count};
    if (b.valid_count == 0 || write_put(rq, c, &m, b.fresh_count)) {
        reply_array(&rq->reply, b.count);
        batch_reply(&rq->reply, &b, 0, b.count);
        wait_for_room(rq, c, from);
    }
    batch_fini(&b);
}

void cmd_vmadd(struct request *rq)
{
    const struct vmadd_args *a = rq->args;
    struct why why = {{0}};
    struct batch_ids ids = {0};
    if (!ids_of(a, &ids)) {
        reply_error(&rq->reply, "ERR VMADD takes FP32 n id ... blob after the key, or one of FP16, "
                                "BF16, INT8 and BIT in place of FP32");
        return;
    }
    struct collection *c = need_collection(rq, a->key);
    if (c == NULL)
        return;
    struct slice partition = {0};
    enum err e = check_batch(a, &ids, c, &why);
    if (e == OK && a->has_partition)
        e = need_partition(c, a->key, a->partition, &partition, &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return;
    }
    const struct expire_options when = EXPIRE_OPTIONS(a, false);
    struct put_options options;
    if (!read_put_options(rq, &when, a->nx, a->xx, &c->spec, &options))
        return;
    options.partition = partition;
    if (!bulk_add_takes(rq, a, &ids, c, &options))
        put_batch(rq, a, &ids, c, &options);
}

/* -- VREM, VSETATTR ---------------------------------------------------------------------------- */

/* Of the elements named, those that are there: the log holds no removals of nothing. One named
 * twice stays twice, and its second removal finds nothing. NULL when memory is short. */
static struct slice *present(const struct db *db, const struct collection *c, struct slices ids,
                             size_t *count)
{
    struct slice *found = mem_try(MEM_CLIENT, ids.count * sizeof(*found));
    *count = 0;
    for (size_t i = 0; i < ids.count && found != NULL; i++)
        if (db_element(db, c, ids.items[i]) != ROW_NONE)
            found[(*count)++] = ids.items[i];
    return found;
}

void cmd_vrem(struct request *rq)
{
    const struct vrem_args *a = rq->args;
    bool missing;
    struct collection *c = find_collection(rq, a->key, &missing);
    if (c == NULL && !missing)
        return;
    size_t count = 0;
    struct slice *ids = c == NULL ? NULL : present(rq->env->db, c, a->elements, &count);
    if (c != NULL && ids == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    uint64_t before = rq->env->db->vectors_removed;
    struct mutation m = {.kind = MUTATION_REMOVE, .key = a->key, .ids = ids, .count = count};
    if (count == 0 || write_mutation(rq, &m)) {
        uint64_t removed = rq->env->db->vectors_removed - before;
        CHECK(removed <= count);
        if (a->elements.count == 1)
            reply_bool(&rq->reply, removed > 0);
        else
            reply_int(&rq->reply, (int64_t)removed);
    }
    mem_free(MEM_CLIENT, ids);
}

void cmd_vsetattr(struct request *rq)
{
    const struct vsetattr_args *a = rq->args;
    bool missing;
    struct collection *c = find_collection(rq, a->key, &missing);
    if (c == NULL && !missing)
        return;
    if (c == NULL || db_element(rq->env->db, c, a->element) == ROW_NONE) {
        reply_bool(&rq->reply, false);
        return;
    }
    struct mutation m = {.kind = MUTATION_SET_ATTRIBUTE,
                         .key = a->key,
                         .ids = &a->element,
                         .count = 1,
                         .value = a->attribute};
    if (write_mutation(rq, &m))
        reply_bool(&rq->reply, true);
}
