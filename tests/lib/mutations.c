#include "lib/mutations.h"

#include <stdio.h>

#include "base/rng.h"
#include "db/indexes.h"
#include "db/lists.h"
#include "json/value.h"

static const enum mutation_kind kinds[] = {
#define X(kind, number, text) kind,
    MUTATION_LIST(X)
#undef X
};

void mutations_init(struct mutations *m, uint64_t seed, uint32_t strings, uint32_t collections,
                    uint32_t ids)
{
    *m = (struct mutations){
        .rng = seed, .strings = strings, .collections = collections, .ids = ids, .put_share = 60};
    m->hashes = m->lists = m->sets = m->documents = strings / 2 + 1;
}

static uint32_t below(struct mutations *m, uint32_t bound)
{
    return (uint32_t)rng_below(&m->rng, bound);
}

static struct slice name(struct mutations *m, char *to, char letter, uint32_t bound)
{
    (void)snprintf(to, MUTATIONS_TEXT, "%c%u", letter, below(m, bound));
    return slice_of(to);
}

static struct slice some_key(struct mutations *m, char *to)
{
    if (below(m, 4) == 0)
        return name(m, to, 'h', m->hashes);
    if (below(m, 6) == 0)
        return name(m, to, 'l', m->lists);
    if (below(m, 4) == 0)
        return name(m, to, below(m, 2) == 0 ? 'm' : 'z', m->sets);
    if (below(m, 10) == 0)
        return name(m, to, 'j', m->documents);
    return below(m, 2) == 0 ? name(m, to, 's', m->strings) : name(m, to, 'c', m->collections);
}

static struct slice some_attribute(struct mutations *m)
{
    if (below(m, 4) == 0)
        return (struct slice){0};
    (void)snprintf(m->attribute, sizeof(m->attribute), "{\"n\":%u,\"t\":\"%0*u\"}", below(m, 1000),
                   (int)below(m, 20), 7);
    return slice_of(m->attribute);
}

static void set_type(struct collection_spec *spec, enum vec_type type)
{
    bool walked = type == TYPE_INT8 || type == TYPE_BIT;
    spec->type = type;
    if (type == TYPE_FP32)
        return;
    spec->keep_originals = true;
    spec->implicit = false;
    spec->quant = walked || spec->quant == QUANT_BIN ? QUANT_NONE : spec->quant;
    spec->metric = type == TYPE_BIT ? METRIC_JACCARD : METRIC_L2;
    if (type == TYPE_BIT && spec->index == INDEX_IVF)
        spec->index = INDEX_AUTO;
    CHECK(spec_type_fits(spec));
}

/* Of each key one, always, as the collections of all keys differ. */
/* One of two fields goes when it is there, or comes. */
static void change_schema(struct mutations *m, struct schema *schema)
{
    struct slice field = slice_of(below(m, 2) == 0 ? "a" : "b");
    enum schema_kind kind = (enum schema_kind)below(m, SCHEMA_KIND_COUNT);
    enum err e = schema_drop(schema, field, NULL);
    if (e != OK)
        e = schema_add(schema, field, kind, NULL);
    CHECK(e == OK);
}

static struct collection_spec spec_of(struct slice key)
{
    uint32_t number = key.ptr[key.len - 1];
    struct collection_spec spec = spec_default(MUTATIONS_DIM);
    static const enum quant quants[] = {QUANT_SQ8, QUANT_NONE, QUANT_BIN};
    static const enum vec_type types[] = {TYPE_INT8, TYPE_FP32, TYPE_FP16, TYPE_FP32,
                                          TYPE_BIT,  TYPE_FP32, TYPE_BF16};
    static const enum index_kind indexes[] = {INDEX_AUTO, INDEX_IVF, INDEX_HNSW, INDEX_FLAT};
    spec.quant = number % 6 == 0 ? QUANT_RABITQ : quants[number % COUNT_OF(quants)];
    spec.index = indexes[number % COUNT_OF(indexes)];
    spec.metric = spec.quant == QUANT_BIN ? METRIC_COSINE : METRIC_L2;
    spec.keep_originals = number % 5 != 1;
    spec.implicit = number % 7 == 2;
    spec.m = 4 + number % 3;
    spec.ef_build = 20;
    spec.lists = spec.index == INDEX_IVF ? 1 + number % 40 : 0;
    spec.tuning.probes = number % 3;
    spec.tuning.element_ttl_s = number % 4 == 1 ? 1000 : 0;
    set_type(&spec, types[number % COUNT_OF(types)]);
    spec.seed = number;
    return spec;
}

static void make_vector(struct mutations *m, enum vec_type type, uint8_t *out)
{
    float numbers[MUTATIONS_DIM];
    size_t at;
    for (uint32_t d = 0; d < MUTATIONS_DIM; d++) {
        float unit = (float)rng_unit(&m->rng);
        numbers[d] = type == TYPE_BIT    ? (float)(unit < 0.5f)
                     : type == TYPE_INT8 ? (float)(int)(unit * 255) - 128
                                         : unit - 0.5f;
    }
    enum type_fault fault = type_encode(type, numbers, MUTATIONS_DIM, out, &at);
    CHECK(fault == TYPE_FITS);
}

static void make_elements(struct mutations *m, struct mutation *out)
{
    out->count = 1 + below(m, MUTATIONS_ELEMENTS_MAX);
    out->dim = MUTATIONS_DIM;
    out->type = out->spec.type;
    out->elements = m->elements;
    /* As VADD and VMADD make them: for all elements or for none. */
    bool set_attribute = below(m, 3) == 0;
    struct slice attribute = some_attribute(m);
    for (size_t i = 0; i < out->count; i++) {
        make_vector(m, out->type, (uint8_t *)m->vectors[i]);
        m->elements[i] = (struct mutation_element){
            .id = name(m, m->text[i], 'e', m->ids),
            .vector = m->vectors[i],
            .norm = out->type == TYPE_FP32 ? 1 + (float)rng_unit(&m->rng) : 1,
            .set_attribute = set_attribute,
            .expire_ms = below(m, 4) == 0 ? 1 + below(m, 1u << 30) : 0,
        };
        if (m->elements[i].set_attribute)
            m->elements[i].attribute = attribute;
    }
}

static void make_ids(struct mutations *m, struct mutation *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        m->ids_of[i] = name(m, m->text[i], 'e', m->ids);
    out->ids = m->ids_of;
    out->count = count;
}

static uint64_t some_time(struct mutations *m)
{
    return below(m, 3) == 0 ? 1 + below(m, 1u << 30) : 0;
}

static void make_fields(struct mutations *m, struct mutation *out)
{
    out->key = name(m, m->key, 'h', m->hashes);
    make_ids(m, out, 1 + below(m, MUTATIONS_ELEMENTS_MAX));
    if (out->kind == MUTATION_HASH_EXPIRE)
        out->expire_ms = some_time(m);
    if (out->kind != MUTATION_HASH_SET)
        return;
    for (size_t i = 0; i < out->count; i++)
        m->fields[i] = (struct hash_field){.name = m->ids_of[i],
                                           .value = name(m, m->values[i], 'v', 1000000),
                                           .expire_ms = some_time(m)};
    out->fields = m->fields;
    out->ids = NULL;
}

/* Scores are whole, halves, or the same for all. */
static void make_members(struct mutations *m, struct mutation *out)
{
    bool sorted = out->kind == MUTATION_ZSET_ADD || out->kind == MUTATION_ZSET_REMOVE;
    bool same = below(m, 3) == 0;
    out->key = name(m, m->key, sorted ? 'z' : 'm', m->sets);
    make_ids(m, out, 1 + below(m, MUTATIONS_ELEMENTS_MAX));
    if (out->kind == MUTATION_SET_ADD || out->kind == MUTATION_ZSET_ADD)
        out->replaces = below(m, 30) == 0;
    if (out->kind != MUTATION_ZSET_ADD)
        return;
    for (size_t i = 0; i < out->count; i++)
        m->scored[i] = (struct scored){.member = m->ids_of[i],
                                       .score = same ? 0 : (double)below(m, 400) / 2 - 50};
    out->members = m->scored;
    out->ids = NULL;
}

/* One of the collection's that is there, or is not; len 0: there is no such. */
static struct slice some_partition(struct mutations *m, const struct db *db, struct slice key,
                                   bool there)
{
    const struct object *o = keyspace_get(&db->keys, key);
    if (o == NULL || o->collection->spec.implicit)
        return (struct slice){0};
    const struct partitions *p = o->collection->partitions;
    struct slice text = name(m, m->partition, 'p', 4);
    bool is = p != NULL && partition_table_find(p->table, text) != PARTITION_NONE;
    return is == there ? text : (struct slice){0};
}

/* In place of one that the database would refuse. */
static struct mutation nothing(struct mutations *m)
{
    return (struct mutation){.kind = MUTATION_KEY_REMOVE, .key = name(m, m->key, 'x', 1)};
}

struct mutation mutations_put(struct mutations *m, const struct db *db, struct slice key)
{
    const struct object *o = keyspace_get(&db->keys, key);
    struct mutation out = {.kind = MUTATION_PUT, .key = key, .creates = o == NULL};
    out.spec = o == NULL ? spec_of(key) : o->collection->spec; /* it may have been renamed */
    if (below(m, 2) == 0)
        out.partition = some_partition(m, db, key, true);
    make_elements(m, &out);
    return out;
}

/* Another index, and other codes where there can be some. */
static void change_shape(struct mutations *m, struct collection_spec *spec)
{
    bool walked = spec->type == TYPE_INT8 || spec->type == TYPE_BIT;
    const struct spec_shape before = spec_shape(spec);
    spec->index = (enum index_kind)below(m, INDEX_KIND_COUNT);
    if (spec->index == INDEX_IVF && spec->type == TYPE_BIT)
        spec->index = INDEX_HNSW;
    spec->lists = spec->index == INDEX_IVF ? below(m, 12) : 0;
    if (spec->quant == QUANT_PQ)
        spec->quant = QUANT_NONE;
    spec->m = 4 + below(m, 3);
    if (!spec_has_vectors(&before) || spec->implicit)
        return;
    bool parts = spec->index == INDEX_IVF && !walked && below(m, 2) == 0;
    spec->quant = parts ? QUANT_PQ : walked || below(m, 2) == 0 ? QUANT_NONE : QUANT_SQ8;
    spec->keep_originals = true; /* or it would be a matter of time what they are */
}

static struct mutation alter_of(struct mutations *m, const struct db *db)
{
    struct mutation out = {.kind = MUTATION_COLLECTION_ALTER,
                           .key = name(m, m->key, 'c', m->collections)};
    const struct object *o = keyspace_get(&db->keys, out.key);
    if (o == NULL)
        return nothing(m);
    out.spec = o->collection->spec;
    out.spec.tuning.ef = 1 + below(m, 1000);
    out.spec.tuning.max_len = below(m, 1000);
    out.spec.tuning.evict = (enum eviction)below(m, EVICTION_COUNT);
    change_schema(m, &out.spec.schema);
    if (below(m, 2) == 0)
        change_shape(m, &out.spec);
    return out;
}

static struct mutation partition_of(struct mutations *m, const struct db *db,
                                    enum mutation_kind kind)
{
    struct mutation out = {.kind = kind, .key = name(m, m->key, 'c', m->collections)};
    out.partition = some_partition(m, db, out.key, kind == MUTATION_PARTITION_DROP);
    return out.partition.len == 0 ? nothing(m) : out;
}

/* Of three definitions; what does not fit is nothing. */
static struct mutation some_index(struct mutations *m, const struct db *db, enum mutation_kind kind)
{
    static const char *const lines[] = {
        "PREFIX 1 h SCHEMA e0 TAG e1 VECTOR FLAT 6 TYPE INT8 DIM 7 DISTANCE_METRIC L2",
        "SKIPINITIALSCAN SCHEMA e1 TAG e2 TEXT", "ON JSON SCHEMA $..* TAG CASESENSITIVE"};
    struct mutation out = {.kind = kind, .key = name(m, m->key, 'i', 3)};
    bool makes = kind == MUTATION_INDEX_NEW;
    if (makes == (indexes_find(db, out.key) != NULL))
        return nothing(m);
    const char *line = lines[below(m, COUNT_OF(lines))];
    for (; makes && *line != '\0'; out.count++) {
        size_t size = strcspn(line, " ");
        CHECK(out.count < COUNT_OF(m->words));
        m->words[out.count] = (struct slice){(const uint8_t *)line, size};
        line += line[size] == ' ' ? size + 1 : size;
    }
    out.ids = makes ? m->words : NULL;
    return out;
}

/* What has no place in the list is nothing. */
static struct mutation list_change(struct mutations *m, const struct db *db,
                                   enum mutation_kind kind)
{
    struct mutation out = {.kind = kind, .key = name(m, m->key, 'l', m->lists)};
    const struct object *o = keyspace_get(&db->keys, out.key);
    uint32_t count = lists_count(o);
    out.at_head = below(m, 2) == 0;
    switch ((int)kind) {
    case MUTATION_LIST_PUSH:
        make_ids(m, &out, 1 + below(m, MUTATIONS_ELEMENTS_MAX));
        out.replaces = below(m, 30) == 0;
        return out;
    case MUTATION_LIST_TRIM:
        out.at_head = false;
        out.offset = below(m, 3);
        out.limit = below(m, 3);
        return out;
    case MUTATION_LIST_SET:
        out.at_head = false;
        out.offset = count == 0 ? 0 : below(m, count);
        break;
    case MUTATION_LIST_INSERT:
        make_ids(m, &out, 2);
        m->ids_of[0] = count == 0 ? out.key : lists_at(o, below(m, count));
        break;
    case MUTATION_LIST_REMOVE:
        out.limit = 1 + below(m, 3);
        break;
    default:
        out.new_key = name(m, m->other, 'l', m->lists);
        out.to_head = below(m, 2) == 0;
    }
    if (kind == MUTATION_LIST_SET || kind == MUTATION_LIST_REMOVE)
        out.value = name(m, m->other, 'e', m->ids);
    return count == 0 && kind != MUTATION_LIST_REMOVE ? nothing(m) : out;
}

/* An index that is there gets a field whose name none has, while it has few. */
static struct mutation more_fields(struct mutations *m, const struct db *db)
{
    enum { FIELDS_MAX = 20 };
    struct mutation out = {.kind = MUTATION_INDEX_ALTER, .key = name(m, m->key, 'i', 3)};
    const struct key_index *x = indexes_named(db, out.key);
    if (x == NULL)
        return nothing(m);
    const struct index_spec *s = x->successor != NULL ? x->successor->spec : x->spec;
    if (s->field_count == FIELDS_MAX)
        return nothing(m);
    (void)snprintf(m->other, sizeof(m->other), "added%zu", s->field_count);
    m->ids_of[0] = slice_of(m->other);
    m->ids_of[1] = slice_of(below(m, 2) ? "TAG" : "NUMERIC");
    out.ids = m->ids_of;
    out.count = 2;
    return out;
}

static struct mutation some_alias(struct mutations *m, const struct db *db, enum mutation_kind kind)
{
    struct mutation out = {.kind = kind, .key = name(m, m->key, 'a', 3)};
    if (kind == MUTATION_ALIAS_REMOVE)
        return indexes_find(db, out.key) == NULL ? nothing(m) : out;
    out.new_key = name(m, m->other, 'i', 3);
    return indexes_named(db, out.new_key) == NULL ? nothing(m) : out;
}

/* Of a dictionary, or of a group of an index that is there. */
static struct mutation some_words(struct mutations *m, const struct db *db, enum mutation_kind kind)
{
    struct mutation out = {.kind = kind, .key = name(m, m->key, 'g', 3)};
    struct word_list *lists = db->dictionaries;
    if (below(m, 2) == 0) {
        out.new_key = name(m, m->other, 'i', 3);
        const struct key_index *x = indexes_named(db, out.new_key);
        if (x == NULL)
            return nothing(m);
        lists = x->synonyms;
    }
    if (kind == MUTATION_WORDS_REMOVE && word_lists_find(lists, out.key) == NULL)
        return nothing(m);
    make_ids(m, &out, 1 + below(m, MUTATIONS_ELEMENTS_MAX));
    return out;
}

static struct mutation index_change(struct mutations *m, const struct db *db,
                                    enum mutation_kind kind)
{
    if (kind == MUTATION_INDEX_ALTER)
        return more_fields(m, db);
    if (kind == MUTATION_WORDS_ADD || kind == MUTATION_WORDS_REMOVE)
        return some_words(m, db, kind);
    return kind == MUTATION_INDEX_NEW || kind == MUTATION_INDEX_REMOVE ? some_index(m, db, kind)
                                                                       : some_alias(m, db, kind);
}

/* A document is {"a":..,"l":[..]}: all of it, its number, or its list. */
static struct mutation change_document(struct mutations *m, const struct db *db,
                                       enum mutation_kind kind)
{
    struct mutation out = {.kind = kind, .key = name(m, m->key, 'j', m->documents)};
    const struct object *o = keyspace_get(&db->keys, out.key);
    struct jval_entry list = {.value = {0}};
    bool inserts = kind == MUTATION_JSON_INSERT, sets = kind == MUTATION_JSON_SET;
    bool whole = sets && (o == NULL || below(m, 2) == 0);
    if (!whole && (o == NULL || !jval_member(object_value(o), slice_of("l"), &list)))
        return nothing(m);
    size_t length = list.value.len == 0 ? 0 : jval_count(list.value);
    uint32_t number = below(m, 1000000);
    if (!sets && !inserts && length == 0)
        return nothing(m);
    out.path = slice_of(whole ? "$" : sets ? "$[\"a\"]" : inserts ? "$[\"l\"]" : "$[\"l\"][0]");
    if (whole)
        (void)snprintf(m->document, sizeof(m->document), "{\"a\":1,\"l\":[%u,\"text\"]}", number);
    else
        (void)snprintf(m->document, sizeof(m->document), inserts ? "[%u]" : "%u", number);
    if (sets || inserts)
        out.value = slice_of(m->document);
    out.offset = inserts ? below(m, (uint32_t)length + 1) : 0;
    return out;
}

/* A key of strings stays one. */
static struct mutation renamed_key(struct mutations *m, const struct db *db)
{
    struct mutation out = {.kind = MUTATION_KEY_RENAME, .key = some_key(m, m->key)};
    out.new_key = some_key(m, m->other);
    out.new_key.ptr = (const uint8_t *)m->other;
    bool stays = m->other[0] == m->key[0] && !slice_eq(out.key, out.new_key);
    return stays && keyspace_get(&db->keys, out.key) != NULL ? out : nothing(m);
}

struct mutation mutations_of(struct mutations *m, const struct db *db, enum mutation_kind kind)
{
    struct mutation out = {.kind = kind, .key = some_key(m, m->key)};
    switch (kind) {
    case MUTATION_STRING_SET:
        out.key = name(m, m->key, 's', m->strings);
        out.value = name(m, m->other, 'v', 1000000);
        out.expire_ms = below(m, 3) == 0 ? 1 + below(m, 1u << 30) : 0;
        break;
    case MUTATION_STRING_RANGE:
        out.key = name(m, m->key, 's', m->strings);
        out.value = name(m, m->other, 'r', 100);
        out.offset = below(m, 10);
        break;
    case MUTATION_KEY_EXPIRE:
        out.expire_ms = below(m, 3) == 0 ? 0 : 1 + below(m, 1u << 30);
        break;
    case MUTATION_KEY_RENAME:
        return renamed_key(m, db);
    case MUTATION_COLLECTION_NEW:
        out.key = name(m, m->key, 'c', m->collections);
        out.spec = spec_of(out.key);
        return keyspace_get(&db->keys, out.key) == NULL ? out : nothing(m);
    case MUTATION_COLLECTION_ALTER:
        return alter_of(m, db);
    case MUTATION_PUT:
        return mutations_put(m, db, name(m, m->key, 'c', m->collections));
    case MUTATION_PARTITION_NEW:
    case MUTATION_PARTITION_DROP:
        return partition_of(m, db, kind);
    case MUTATION_REMOVE:
        out.key = name(m, m->key, 'c', m->collections);
        make_ids(m, &out, 1 + below(m, MUTATIONS_ELEMENTS_MAX));
        return out;
    case MUTATION_SET_ATTRIBUTE:
        out.key = name(m, m->key, 'c', m->collections);
        make_ids(m, &out, 1);
        out.value = some_attribute(m);
        break;
    case MUTATION_HASH_SET:
    case MUTATION_HASH_REMOVE:
    case MUTATION_HASH_EXPIRE:
        make_fields(m, &out);
        break;
    MUTATIONS_OF_LISTS:
        return list_change(m, db, kind);
    MUTATIONS_OF_SETS:
        make_members(m, &out);
        break;
    MUTATIONS_OF_JSON:
        return change_document(m, db, kind);
    case MUTATION_INDEX_NEW:
    case MUTATION_INDEX_REMOVE:
    case MUTATION_INDEX_ALTER:
    case MUTATION_ALIAS_SET:
    case MUTATION_ALIAS_REMOVE:
    case MUTATION_WORDS_ADD:
    case MUTATION_WORDS_REMOVE:
        return index_change(m, db, kind);
    case MUTATION_KEY_REMOVE:
        break;
    case MUTATION_FLUSH:
    case MUTATION_TICK:
        return (struct mutation){.kind = kind};
    }
    return out;
}

/* Few of what takes everything away. */
struct mutation mutations_next(struct mutations *m, const struct db *db)
{
    enum mutation_kind kind = kinds[below(m, COUNT_OF(kinds))];
    if (below(m, 100) < m->put_share)
        kind = MUTATION_PUT;
    if ((kind == MUTATION_FLUSH && below(m, 100) > 0) ||
        (kind == MUTATION_KEY_REMOVE && below(m, 4) > 0))
        kind = MUTATION_SET_ATTRIBUTE;
    return mutations_of(m, db, kind);
}
