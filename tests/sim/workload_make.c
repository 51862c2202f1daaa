/* Making commands up. */
#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "sim/workload_private.h"

void world_init(struct world *w, uint64_t seed, struct model *model)
{
    static const uint32_t dims[] = {4, 6, 8, 8, 33, 96, 160}, bit_dims[] = {64, 96, 160};
    static const enum quant quants[] = {QUANT_NONE, QUANT_SQ8, QUANT_BIN};
    *w = (struct world){.rng = seed, .model = model, .remove_share = 10, .next_token = 1};
    for (unsigned key = 0; key < MODEL_KEYS; key++) {
        struct key_style *style = &w->styles[key];
        style->dim = dims[below(w, COUNT_OF(dims))];
        style->created = key % 2 == 0;
        if (style->created && !one_in(w, 4))
            style->type = (enum vec_type)below(w, TYPE_COUNT);
        if (style->type == TYPE_BIT) /* of few bits many would be equal */
            style->dim = bit_dims[below(w, COUNT_OF(bit_dims))];
        if (style->created)
            continue;
        style->has_quant = one_in(w, 2);
        style->quant = quants[below(w, COUNT_OF(quants))];
        style->m = one_in(w, 3) ? 4 + (uint32_t)below(w, 8) : 0;
        style->reduce = one_in(w, 6) ? style->dim / 2 : 0;
    }
}

/* -- arguments -----------------------------------------------------------------------------------
 */

void ask_add(struct ask_args *a, struct slice value)
{
    buf_printf(&a->bytes, "$%zu\r\n", value.len);
    buf_append_slice(&a->bytes, value);
    buf_append_text(&a->bytes, "\r\n");
    a->count++;
}

void ask_add_text(struct ask_args *a, const char *text)
{
    ask_add(a, slice_of(text));
}

void ask_add_number(struct ask_args *a, uint64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)number);
    ask_add_text(a, text);
}

void ask_add_signed(struct ask_args *a, int64_t number)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "%lld", (long long)number);
    ask_add_text(a, text);
}

void ask_add_key(struct ask_args *a, unsigned key)
{
    char text[] = {'k', (char)('0' + key), '\0'};
    ask_add_text(a, text);
}

static void add_id(struct ask_args *a, unsigned id)
{
    struct buf text = BUF_INIT(MEM_TEST);
    model_id_text(id, &text);
    ask_add(a, buf_slice(&text));
    buf_fini(&text);
}

void ask_finish(struct ask *c, struct ask_args *a, struct buf *out)
{
    size_t before = out->len;
    buf_printf(out, "*%zu\r\n", a->count);
    buf_append_slice(out, buf_slice(&a->bytes));
    buf_fini(&a->bytes);
    c->size = out->len - before;
}

/* count vectors, in the type that the command says. */
static void add_blob(struct ask_args *a, const struct ask *c, size_t count)
{
    size_t size = type_size(c->type, c->dim), at;
    uint8_t *bytes = mem_alloc(MEM_TEST, count * size);
    for (size_t i = 0; i < count; i++) {
        const float *floats = c->vectors + i * c->dim;
        enum type_fault fault = TYPE_FITS;
        if (c->type == TYPE_FP32)
            memcpy(bytes + i * size, floats, size); /* NaN too */
        else
            fault = type_encode(c->type, floats, c->dim, bytes + i * size, &at);
        CHECK(fault == TYPE_FITS);
    }
    ask_add(a, (struct slice){bytes, count * size});
    mem_free(MEM_TEST, bytes);
}

static void add_vector(struct ask_args *a, const struct ask *c)
{
    char text[32];
    struct buf json = BUF_INIT(MEM_TEST);
    switch (c->form) {
    case FORM_VALUES:
        ask_add_text(a, "VALUES");
        ask_add_number(a, c->dim);
        for (uint32_t i = 0; i < c->dim; i++) {
            (void)snprintf(text, sizeof(text), "%.9g", (double)c->vectors[i]);
            ask_add_text(a, text);
        }
        break;
    case FORM_BLOB:
        ask_add_text(a, c->type == TYPE_FP32 ? "fp32" : type_name(c->type));
        add_blob(a, c, 1);
        break;
    case FORM_JSON:
        for (uint32_t i = 0; i < c->dim; i++)
            buf_printf(&json, "%s%.9g", i == 0 ? "[" : ", ", (double)c->vectors[i]);
        buf_append_text(&json, "]");
        ask_add_text(a, "JSON");
        ask_add(a, buf_slice(&json));
        break;
    case FORM_ELEMENT:
        CHECK(false);
    }
    buf_fini(&json);
}

/* -- what commands are about ---------------------------------------------------------------------
 */

/* The collection as the sender may know it. */
static struct model_collection *known(const struct world *w, unsigned key)
{
    struct model_held *held = model_seen_at(w->model, key, model_now(w->model), w->now_ms);
    return held == NULL ? NULL : held->collection;
}

/* Some element that is there now, or any id. */
static unsigned some_id(struct world *w, unsigned key, bool there)
{
    struct model_collection *c = known(w, key);
    unsigned id = (unsigned)below(w, MODEL_IDS);
    for (unsigned i = 0; there && c != NULL && i < MODEL_IDS; i++)
        if (model_element_at(c, (id + i) % MODEL_IDS, model_now(w->model)) != NULL)
            return (id + i) % MODEL_IDS;
    return id;
}

/* The type of a collection as the sender may know it. */
static enum vec_type known_type(const struct world *w, unsigned key)
{
    struct model_collection *c = known(w, key);
    return c != NULL ? c->spec.type : w->styles[key].type;
}

/* Numbers that the type has, of halves before they are rounded. */
static void random_numbers(struct world *w, enum vec_type type, float *out, uint32_t dim)
{
    for (uint32_t i = 0; i < dim; i++) {
        float value = (float)(rng_unit(&w->rng) + rng_unit(&w->rng) - 1) * 4;
        out[i] = type == TYPE_BIT    ? (float)(value > 0)
                 : type == TYPE_INT8 ? truncf(value * 30)
                                     : value;
    }
}

/* Numbers near those of an element, or at them, or anywhere. */
static void make_vector(struct world *w, unsigned key, float *out, uint32_t dim)
{
    struct model_collection *c = known(w, key);
    struct model_element *e = NULL;
    enum vec_type type = known_type(w, key);
    random_numbers(w, type, out, dim);
    if (c == NULL || c->spec.dim != dim || c->projection != NULL || one_in(w, 3))
        return;
    if (one_in(w, 2))
        e = model_element_at(c, w->recent[key], model_now(w->model));
    if (e == NULL)
        e = model_element_at(c, some_id(w, key, true), model_now(w->model));
    if (e == NULL)
        return;
    float noise = one_in(w, 2) && type != TYPE_INT8 && type != TYPE_BIT ? 1e-3f : 0;
    for (uint32_t i = 0; i < dim; i++)
        out[i] = e->vector[i] + out[i] * noise;
}

/* A blob is in the type of the collection, or of floats. What halves it has, the model is told. */
static void choose_type(struct world *w, struct ask *c, size_t count)
{
    struct model_collection *held = known(w, c->key);
    size_t size = count * c->dim, at;
    if (held == NULL || held->spec.dim != c->dim || c->form != FORM_BLOB || one_in(w, 3))
        return;
    c->type = held->spec.type;
    if (c->type != TYPE_FP16 && c->type != TYPE_BF16)
        return;
    uint8_t *bytes = mem_alloc(MEM_TEST, type_size(c->type, size));
    enum type_fault fault = type_encode(c->type, c->vectors, size, bytes, &at);
    if (fault == TYPE_FITS)
        type_decode(c->type, bytes, size, c->vectors);
    else
        c->type = TYPE_FP32;
    mem_free(MEM_TEST, bytes);
}

/* New vectors are mostly unlike the others, or every search would have ties. Zero vectors go to
 * implicit sets only: in a small graph under L2 one of them is nearest to all others, and the way
 * to them leads over it alone. */
static void make_new_vector(struct world *w, unsigned key, float *out, uint32_t dim)
{
    if (!w->styles[key].created && one_in(w, 50))
        memset(out, 0, dim * sizeof(float));
    else if (one_in(w, 12))
        make_vector(w, key, out, dim);
    else
        random_numbers(w, known_type(w, key), out, dim);
}

static void make_attribute(struct world *w, char out[ATTRIBUTE_MAX])
{
    int n = one_in(w, 3) ? (int)below(w, 8) : (int)below(w, 100);
    char s = (char)('a' + below(w, 4));
    switch (below(w, 12)) {
    case 0:
        (void)snprintf(out, ATTRIBUTE_MAX, "{\"n\":%d}", n);
        break;
    case 1:
        (void)snprintf(out, ATTRIBUTE_MAX, "{\"s\":\"%c\"}", s);
        break;
    case 2:
        (void)snprintf(out, ATTRIBUTE_MAX, "{oops %d", n);
        break;
    case 3:
        out[0] = '\0';
        break;
    default:
        (void)snprintf(out, ATTRIBUTE_MAX, "{\"n\":%d,\"s\":\"%c\"}", n, s);
    }
}

/* Floats a sender believes the collection takes; rarely wrong. */
static uint32_t believed_dim(struct world *w, unsigned key)
{
    struct model_collection *c = known(w, key);
    uint32_t dim = w->styles[key].dim;
    if (c != NULL)
        dim = c->spec.projection_from > 0 ? c->spec.projection_from : c->spec.dim;
    return one_in(w, 60) ? dim + 1 : dim;
}

static float *floats_new(size_t count)
{
    return mem_alloc(MEM_TEST, count * sizeof(float));
}

/* -- changes -------------------------------------------------------------------------------------
 */

static void add_partition_name(struct ask_args *a, unsigned partition)
{
    ask_add_text(a, partition == 0 ? "_default" : model_partition_name(partition));
}

/* One that is there, mostly. */
static unsigned some_partition(struct world *w, unsigned key)
{
    struct model_collection *c = known(w, key);
    unsigned bits = c == NULL ? 1 : model_partitions_at(c, model_now(w->model));
    unsigned partition = (unsigned)below(w, MODEL_PARTITIONS);
    for (unsigned i = 0; i < MODEL_PARTITIONS && !one_in(w, 20); i++, partition++)
        if ((bits >> partition % MODEL_PARTITIONS & 1) != 0)
            break;
    return partition % MODEL_PARTITIONS;
}

/* Where a put goes: not said to sets that VADD makes or has made, but for a few. */
static void add_partition(struct world *w, struct ask *c, struct ask_args *a)
{
    struct model_collection *of = known(w, c->key);
    bool has = of != NULL && !of->spec.implicit;
    if (has ? one_in(w, 2) : !one_in(w, 100))
        return;
    c->has_partition = true;
    c->partition = some_partition(w, c->key);
    ask_add_text(a, "PARTITION");
    add_partition_name(a, c->partition);
}

static void make_vadd(struct world *w, struct ask *c, struct ask_args *a)
{
    static const char *const words[] = {"NOQUANT", "q8", "BIN"};
    const struct key_style *style = &w->styles[c->key];
    bool implicit = !style->created;
    c->dim = believed_dim(w, c->key);
    c->ids[c->id_count++] = some_id(w, c->key, one_in(w, 4));
    w->recent[c->key] = c->ids[0];
    c->vectors = floats_new(c->dim);
    c->form = (enum ask_form)below(w, 3);
    make_new_vector(w, c->key, c->vectors, c->dim);
    choose_type(w, c, 1);
    ask_add_text(a, "VADD");
    ask_add_key(a, c->key);
    if (implicit && style->reduce > 0) {
        c->reduce = style->reduce;
        ask_add_text(a, "REDUCE");
        ask_add_number(a, c->reduce);
    }
    add_vector(a, c);
    add_id(a, c->ids[0]);
    if (implicit && style->has_quant) {
        c->has_quant = true;
        c->quant = style->quant;
        ask_add_text(a, words[c->quant]);
    }
    if (one_in(w, 3)) {
        c->has_attributes = true;
        make_attribute(w, c->attributes[0]);
        ask_add_text(a, "SETATTR");
        ask_add_text(a, c->attributes[0]);
    }
    if (implicit && style->m > 0) {
        c->has_m = true;
        c->m = style->m;
        ask_add_text(a, "M");
        ask_add_number(a, c->m);
    }
    if (one_in(w, 4))
        ask_add_time(w, c, a);
    add_partition(w, c, a);
    if (one_in(w, 8)) {
        bool *condition = one_in(w, 2) ? &c->keys.nx : &c->keys.xx;
        *condition = true;
        ask_add_text(a, c->keys.nx ? "NX" : "xx");
    }
}

static void make_vmadd(struct world *w, struct ask *c, struct ask_args *a)
{
    size_t count = 1 + below(w, ASK_IDS_MAX);
    c->dim = believed_dim(w, c->key);
    c->vectors = floats_new(count * c->dim);
    for (size_t i = 0; i < count; i++) {
        float *vector = c->vectors + i * c->dim;
        c->ids[c->id_count++] = some_id(w, c->key, false);
        make_new_vector(w, c->key, vector, c->dim);
        if (one_in(w, 100) && known_type(w, c->key) == TYPE_FP32)
            vector[below(w, c->dim)] = NAN;
    }
    w->recent[c->key] = c->ids[count - 1];
    c->form = FORM_BLOB;
    choose_type(w, c, count);
    ask_add_text(a, "VMADD");
    ask_add_key(a, c->key);
    add_partition(w, c, a);
    ask_add_text(a, type_name(c->type));
    ask_add_number(a, count);
    for (size_t i = 0; i < count; i++)
        add_id(a, c->ids[i]);
    add_blob(a, c, count);
    c->has_attributes = one_in(w, 3);
    if (c->has_attributes) {
        ask_add_text(a, "ATTRS");
        ask_add_number(a, count);
    }
    for (size_t i = 0; i < count && c->has_attributes; i++) {
        make_attribute(w, c->attributes[i]);
        ask_add_text(a, c->attributes[i]);
    }
    if (one_in(w, 6))
        ask_add_time(w, c, a);
}

static void make_vrem(struct world *w, struct ask *c, struct ask_args *a)
{
    size_t count = one_in(w, 2) ? 1 : 1 + below(w, one_in(w, 4) ? ASK_IDS_MAX : 4);
    ask_add_text(a, "VREM");
    ask_add_key(a, c->key);
    while (c->id_count < count) {
        c->ids[c->id_count] = some_id(w, c->key, !one_in(w, 4));
        add_id(a, c->ids[c->id_count++]);
    }
}

static void make_vsetattr(struct world *w, struct ask *c, struct ask_args *a)
{
    c->ids[c->id_count++] = some_id(w, c->key, !one_in(w, 6));
    c->has_attributes = true;
    make_attribute(w, c->attributes[0]);
    ask_add_text(a, "VSETATTR");
    ask_add_key(a, c->key);
    add_id(a, c->ids[0]);
    ask_add_text(a, c->attributes[0]);
}

/* Fields that the filters of the model read, as what they mostly are, and once in a while not. */
static void add_schema(struct world *w, struct ask_args *a)
{
    ask_add_text(a, "SCHEMA");
    ask_add_text(a, "n");
    ask_add_text(a, one_in(w, 8) ? "TAG" : "NUMERIC");
    if (one_in(w, 4))
        return;
    ask_add_text(a, "s");
    ask_add_text(a, one_in(w, 8) ? "BOOL" : one_in(w, 8) ? "GEO" : "TAG");
}

static const char *const evictions[] = {"REFUSE", "LRU", "LFU", "ttl"};

static void add_schema_change(struct world *w, struct ask *c, struct ask_args *a)
{
    bool of_n = one_in(w, 2);
    c->field = of_n ? "n" : "s";
    c->drops = one_in(w, 2);
    c->field_kind = of_n ? SCHEMA_NUMERIC : SCHEMA_TAG;
    ask_add_text(a, "SCHEMA");
    ask_add_text(a, c->drops ? "DROP" : "ADD");
    ask_add_text(a, c->field);
    if (!c->drops)
        ask_add_text(a, of_n ? "NUMERIC" : "TAG");
}

/* Another index, or other codes; sometimes what does not go together. */
static void add_shape(struct world *w, struct ask *c, struct ask_args *a)
{
    static const char *const quants[] = {"NONE", "SQ8", "RABITQ", "AUTO", "PQ"};
    static const enum quant meant[] = {QUANT_NONE, QUANT_SQ8, QUANT_RABITQ, QUANT_COUNT, QUANT_PQ};
    c->has_index = one_in(w, 2);
    c->has_quant = one_in(w, 2);
    c->has_m = one_in(w, 3);
    c->lists = one_in(w, 3) ? 1 + (uint32_t)below(w, 6) : 0;
    if (c->has_index) {
        c->index = (enum index_kind)below(w, INDEX_KIND_COUNT);
        ask_add_text(a, "INDEX");
        ask_add_text(a, index_kind_name(c->index));
    }
    if (c->has_quant) {
        size_t quant = below(w, COUNT_OF(quants));
        c->quant = meant[quant];
        ask_add_text(a, "QUANT");
        ask_add_text(a, quants[quant]);
    }
    if (c->has_m) {
        c->m = 4 + (uint32_t)below(w, 20);
        ask_add_text(a, "M");
        ask_add_number(a, c->m);
    }
    if (c->lists > 0) {
        ask_add_text(a, "NLIST");
        ask_add_number(a, c->lists);
    }
}

/* A collection that is full, mostly. */
static void make_valter(struct world *w, struct ask *c, struct ask_args *a)
{
    c->key = (unsigned)below(w, MODEL_VECTOR_KEYS / 2) * 2; /* the created ones */
    c->tuning = (struct spec_tuning){.max_len = one_in(w, 4) ? 0 : 10 + below(w, 60),
                                     .evict = (enum eviction)below(w, EVICTION_COUNT)};
    ask_add_text(a, "VALTER");
    ask_add_key(a, c->key);
    if (one_in(w, 2)) {
        c->tuning.ef = 10 + (uint32_t)below(w, 30);
        ask_add_text(a, "EF");
        ask_add_number(a, c->tuning.ef);
    }
    ask_add_text(a, "MAXLEN");
    ask_add_number(a, c->tuning.max_len);
    ask_add_text(a, "EVICT");
    ask_add_text(a, evictions[c->tuning.evict]);
    if (one_in(w, 2))
        add_shape(w, c, a);
    if (one_in(w, 2))
        add_schema_change(w, c, a);
}

static void make_partition(struct world *w, struct ask *c, struct ask_args *a)
{
    bool makes = c->op == OP_PARTITION_NEW;
    if (!one_in(w, 20))
        c->key = (unsigned)below(w, MODEL_VECTOR_KEYS / 2) * 2; /* the created ones */
    c->partition = makes ? (unsigned)below(w, MODEL_PARTITIONS) : some_partition(w, c->key);
    ask_add_text(a, "VPARTITION");
    ask_add_text(a, c->op == OP_PARTITIONS ? "list" : makes ? "CREATE" : "Drop");
    ask_add_key(a, c->key);
    if (c->op == OP_PARTITIONS)
        return;
    add_partition_name(a, c->partition);
    c->flag = makes && one_in(w, 2);
    if (c->flag)
        ask_add_text(a, "IFNOTEXISTS");
}

static void make_vcreate(struct world *w, struct ask *c, struct ask_args *a)
{
    static const char *const metrics[] = {"COSINE", "L2", "ip"}, *const of_bits[] = {"hamming",
                                                                                     "JACCARD"};
    static const char *const indexes[] = {"AUTO", "IVF", "HNSW", "FLAT"};
    static const char *const quants[] = {"NONE", "SQ8", "AUTO"};
    size_t index = below(w, COUNT_OF(indexes)), quant = below(w, COUNT_OF(quants));
    c->key = (unsigned)below(w, MODEL_VECTOR_KEYS / 2) * 2; /* the created ones */
    const struct key_style *style = &w->styles[c->key];
    bool bit = style->type == TYPE_BIT, walked = bit || style->type == TYPE_INT8;
    c->type = style->type;
    c->dim = style->dim + (one_in(w, 20) ? (uint32_t)TYPE_BIT_DIM : 0);
    index = bit && index == 1 ? 0 : index;
    bool ivf = index == 1, parts = ivf && !walked && quant != 1 && one_in(w, 2);
    ask_add_text(a, "VCREATE");
    ask_add_key(a, c->key);
    ask_add_text(a, "DIM");
    ask_add_number(a, c->dim);
    ask_add_text(a, "METRIC");
    ask_add_text(a,
                 bit ? of_bits[below(w, COUNT_OF(of_bits))] : metrics[below(w, COUNT_OF(metrics))]);
    ask_add_text(a, "INDEX");
    ask_add_text(a, indexes[index]);
    ask_add_text(a, "QUANT");
    ask_add_text(a, walked ? "AUTO" : parts ? "PQ" : quants[quant]);
    if (ivf) {
        ask_add_text(a, "NLIST");
        ask_add_number(a, 1 + below(w, 12));
    }
    if (c->type != TYPE_FP32 || one_in(w, 2)) {
        ask_add_text(a, "TYPE");
        ask_add_text(a, type_name(c->type));
    }
    if (quant == 1 && c->type == TYPE_FP32 && one_in(w, 3)) {
        ask_add_text(a, "ORIGINALS");
        ask_add_text(a, "DROP");
    }
    if (index != 3 && !ivf && one_in(w, 3)) {
        ask_add_text(a, "M");
        ask_add_number(a, 4 + below(w, 20));
    }
    if (one_in(w, 2)) {
        ask_add_text(a, "EF");
        ask_add_number(a, 10 + below(w, 30));
    }
    c->flag = one_in(w, 2);
    if (c->flag)
        ask_add_text(a, "IFNOTEXISTS");
    if (one_in(w, 2))
        add_schema(w, a);
}

/* -- searches ------------------------------------------------------------------------------------
 */

static void add_partitions(struct world *w, struct ask *c, struct ask_args *a)
{
    unsigned count = 1 + (unsigned)below(w, 3);
    ask_add_text(a, "PARTITION");
    ask_add_number(a, count);
    for (unsigned i = 0; i < count; i++) {
        unsigned partition = some_partition(w, c->key); /* one may come twice */
        c->want.partitions |= 1u << partition;
        add_partition_name(a, partition);
    }
}

static void add_search_options(struct world *w, struct ask *c, struct ask_args *a)
{
    struct search_want *want = &c->want;
    want->filter = one_in(w, 3) ? (unsigned)below(w, MODEL_FILTERS) : MODEL_FILTERS;
    want->exact = one_in(w, 4);
    want->with_dist = one_in(w, 3);
    want->with_attributes = one_in(w, 5);
    want->count = one_in(w, 4) ? 0 : 1 + below(w, one_in(w, 5) ? 250 : 12);
    want->ef = want->exact || one_in(w, 3) ? 0 : 8 + below(w, one_in(w, 8) ? 200 : 16);
    if (want->count > 0) {
        ask_add_text(a, "COUNT");
        ask_add_number(a, want->count);
    }
    if (want->ef > 0) {
        ask_add_text(a, "EF");
        ask_add_number(a, want->ef);
    }
    if (want->exact)
        ask_add_text(a, want->vsim ? "TRUTH" : "EXACT");
    if (want->filter < MODEL_FILTERS) {
        ask_add_text(a, "FILTER");
        ask_add_text(a, model_filter_text(want->filter));
    }
    if (!want->vsim && one_in(w, w->styles[c->key].created ? 3 : 50))
        add_partitions(w, c, a);
    if (want->with_dist)
        ask_add_text(a, want->vsim ? "WITHSCORES" : "WITHDIST");
    if (want->with_attributes)
        ask_add_text(a, "WITHATTRIBS");
}

static void make_search(struct world *w, struct ask *c, struct ask_args *a)
{
    c->want.vsim = one_in(w, 2);
    c->want.query_count = 1;
    c->dim = believed_dim(w, c->key);
    c->vectors = floats_new(c->dim);
    c->form = (enum ask_form)below(w, 4);
    make_vector(w, c->key, c->vectors, c->dim);
    choose_type(w, c, 1);
    ask_add_text(a, c->want.vsim ? "vsim" : "VSEARCH");
    ask_add_key(a, c->key);
    if (c->form == FORM_ELEMENT) {
        c->ids[c->id_count++] = some_id(w, c->key, !one_in(w, 8));
        ask_add_text(a, "ELE");
        add_id(a, c->ids[0]);
    } else {
        add_vector(a, c);
    }
    add_search_options(w, c, a);
}

static void make_vmsearch(struct world *w, struct ask *c, struct ask_args *a)
{
    size_t count = 1 + below(w, ASK_QUERIES_MAX);
    c->want.query_count = count;
    c->dim = believed_dim(w, c->key);
    c->form = FORM_BLOB;
    c->vectors = floats_new(count * c->dim);
    for (size_t i = 0; i < count; i++)
        make_vector(w, c->key, c->vectors + i * c->dim, c->dim);
    choose_type(w, c, count);
    ask_add_text(a, "VMSEARCH");
    ask_add_key(a, c->key);
    ask_add_number(a, count);
    if (c->type != TYPE_FP32 || one_in(w, 2))
        ask_add_text(a, type_name(c->type));
    add_blob(a, c, count);
    add_search_options(w, c, a);
}

/* -- looking -------------------------------------------------------------------------------------
 */

static void make_look(struct world *w, struct ask *c, struct ask_args *a, const char *name,
                      bool element)
{
    ask_add_text(a, name);
    ask_add_key(a, c->key);
    if (!element)
        return;
    c->ids[c->id_count++] = some_id(w, c->key, !one_in(w, 4));
    add_id(a, c->ids[0]);
}

static void make_vget(struct world *w, struct ask *c, struct ask_args *a)
{
    size_t count = 1 + below(w, 5);
    ask_add_text(a, "VGET");
    ask_add_key(a, c->key);
    ask_add_number(a, count);
    while (c->id_count < count) {
        c->ids[c->id_count] = some_id(w, c->key, !one_in(w, 4));
        add_id(a, c->ids[c->id_count++]);
    }
    ask_add_text(a, "WITHVECTORS");
}

static void make_range(struct world *w, struct ask *c, struct ask_args *a)
{
    bool range = c->op == OP_VRANGE;
    c->want.count = one_in(w, 2) ? 1 + below(w, 200) : 200;
    ask_add_text(a, range ? "VRANGE" : "VRANDMEMBER");
    ask_add_key(a, c->key);
    if (range) {
        ask_add_text(a, "-");
        ask_add_text(a, "+");
    }
    ask_add_number(a, c->want.count);
}

/* Commands that carry a number of their own, to be seen in the reply. */
static void make_token(struct world *w, struct ask *c, struct ask_args *a)
{
    char text[32];
    c->token = w->next_token++;
    if (c->op == OP_UNKNOWN) {
        (void)snprintf(text, sizeof(text), "NOSUCH%llu", (unsigned long long)c->token);
        ask_add_text(a, text);
        return;
    }
    ask_add_text(a, "ECHO");
    ask_add_number(a, c->token);
}

/* -- choosing ------------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    unsigned weight;
} ops[] = {
#define X(op, weight) {#op, weight},
    OP_LIST(X)
#undef X
};

const char *op_name(enum op op)
{
    CHECK(op < OP_COUNT);
    return ops[op].name;
}

static enum op choose_op(struct world *w)
{
    unsigned sum = 0;
    for (unsigned i = 0; i < OP_COUNT; i++)
        sum += ops[i].weight;
    uint64_t at = below(w, sum);
    unsigned op = 0;
    while (at >= ops[op].weight)
        at -= ops[op++].weight;
    if (op == OP_FLUSHALL)
        return one_in(w, 4) ? OP_FLUSHALL : OP_VADD; /* what takes all away comes seldom */
    if (op == OP_VADD || op == OP_VREM)
        return below(w, 100) < w->remove_share ? OP_VREM : OP_VADD;
    return (enum op)op;
}

static void make_arguments(struct world *w, struct ask *c, struct ask_args *a)
{
    switch ((int)c->op) {
    case OP_VADD:
        make_vadd(w, c, a);
        break;
    case OP_VMADD:
        make_vmadd(w, c, a);
        break;
    case OP_VREM:
        make_vrem(w, c, a);
        break;
    case OP_VSETATTR:
        make_vsetattr(w, c, a);
        break;
    case OP_VCREATE:
        make_vcreate(w, c, a);
        break;
    case OP_VALTER:
        make_valter(w, c, a);
        break;
    case OP_PARTITION_NEW:
    case OP_PARTITION_DROP:
    case OP_PARTITIONS:
        make_partition(w, c, a);
        break;
    case OP_SEARCH:
        make_search(w, c, a);
        break;
    case OP_VMSEARCH:
        make_vmsearch(w, c, a);
        break;
    case OP_VGET:
        make_vget(w, c, a);
        break;
    case OP_VRANGE:
    case OP_VRANDMEMBER:
        make_range(w, c, a);
        break;
    case OP_UNKNOWN:
    case OP_ECHO:
        make_token(w, c, a);
        break;
    case OP_FLUSHALL:
        ask_add_text(a, "FLUSHALL");
        break;
    case OP_ARITY:
        ask_add_text(a, "VISMEMBER");
        ask_add_key(a, c->key);
        break;
    case OP_VDROP:
    case OP_VCARD:
    case OP_VDIM:
    case OP_VINFO:
    case OP_VISMEMBER:
    case OP_VGETATTR:
    case OP_VLINKS:
        make_look(w, c, a, op_name(c->op) + strlen("OP_"),
                  c->op == OP_VISMEMBER || c->op == OP_VGETATTR || c->op == OP_VLINKS);
        break;
    default:
        keys_make(w, c, a);
    }
}

static struct ask *make_op(struct world *w, enum op op, struct buf *out)
{
    struct ask *c = mem_calloc(MEM_TEST, sizeof(*c));
    struct ask_args a = {.bytes = BUF_INIT(MEM_TEST)};
    c->op = op;
    c->key = hash_is(op)      ? hash_some(w)
             : list_is(op)    ? list_some(w)
             : members_is(op) ? members_some(w, op)
             : json_is(op)    ? json_some(w)
             : keys_is(op)    ? keys_some(w)
                              : (unsigned)below(w, MODEL_VECTOR_KEYS);
    if (!keys_is(op) && one_in(w, 30))
        c->key = (unsigned)below(w, MODEL_KEYS);
    if (c->op == OP_VCARD && one_in(w, 4)) {
        size_t before = out->len;
        buf_printf(out, "vcard k%c%s", (char)('0' + c->key), one_in(w, 2) ? "\r\n" : "\n");
        c->size = out->len - before;
        return c;
    }
    make_arguments(w, c, &a);
    ask_finish(c, &a, out);
    return c;
}

struct ask *ask_make_one(struct world *w, struct buf *out)
{
    enum op op = choose_op(w);
    while (op == OP_EXEC)
        op = choose_op(w);
    return make_op(w, op, out);
}

struct ask *ask_make(struct world *w, struct buf *out)
{
    enum op op = choose_op(w);
    return op == OP_EXEC ? multi_make(w, out) : make_op(w, op, out);
}

struct ask *ask_make_find(unsigned key, unsigned id, struct buf *out)
{
    struct ask *c = mem_calloc(MEM_TEST, sizeof(*c));
    struct ask_args a = {.bytes = BUF_INIT(MEM_TEST)};
    c->op = OP_SEARCH;
    c->key = key;
    c->ids[c->id_count++] = id;
    c->form = FORM_ELEMENT;
    c->want = (struct search_want){.count = 1, .ef = 12, .filter = MODEL_FILTERS, .query_count = 1};
    ask_add_text(&a, "VSEARCH");
    ask_add_key(&a, key);
    ask_add_text(&a, "ELE");
    add_id(&a, id);
    ask_add_text(&a, "COUNT");
    ask_add_number(&a, 1);
    ask_add_text(&a, "EF");
    ask_add_number(&a, c->want.ef);
    ask_finish(c, &a, out);
    return c;
}

void ask_free(struct ask *c)
{
    while (c->parts != NULL) {
        struct ask *part = c->parts;
        c->parts = part->next;
        ask_free(part);
    }
    mem_free(MEM_TEST, c->vectors);
    mem_free(MEM_TEST, c->pending);
    mem_free(MEM_TEST, c);
}
