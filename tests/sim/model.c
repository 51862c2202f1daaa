#include "sim/model.h"

#include <math.h>
#include <stdio.h>

#include "base/mem.h"
#include "db/projection.h"

struct model *model_new(void)
{
    struct model *m = mem_calloc(MEM_TEST, sizeof(*m));
    for (unsigned key = 0; key <= MODEL_MAKING; key++)
        m->touched[key] = BUF_INIT(MEM_TEST);
    for (int i = 0; i < MODEL_TURNS; i++)
        m->turns[i] = BUF_INIT(MEM_TEST);
    return m;
}

static void free_element(struct model_element *e)
{
    while (e->attribute != NULL) {
        struct model_attribute *a = e->attribute;
        e->attribute = a->before;
        mem_free(MEM_TEST, (void *)a->json.ptr);
        mem_free(MEM_TEST, a);
    }
    mem_free(MEM_TEST, e->vector);
    mem_free(MEM_TEST, e);
}

static void free_collection(struct model_collection *c)
{
    for (unsigned id = 0; id < MODEL_IDS; id++) {
        while (c->newest[id] != NULL) {
            struct model_element *e = c->newest[id];
            c->newest[id] = e->before;
            free_element(e);
        }
    }
    while (c->tuning != NULL) {
        struct model_tuning *t = c->tuning;
        c->tuning = t->before;
        mem_free(MEM_TEST, t);
    }
    while (c->partitions != NULL) {
        struct model_partitions *p = c->partitions;
        c->partitions = p->before;
        mem_free(MEM_TEST, p);
    }
    mem_free(MEM_VECTOR, c->projection);
    mem_free(MEM_TEST, c);
}

static void free_hash(struct model_hash *h)
{
    for (size_t i = 0; h != NULL && i < h->count; i++) {
        mem_free(MEM_TEST, (void *)h->fields[i].name.ptr);
        mem_free(MEM_TEST, (void *)h->fields[i].value.ptr);
    }
    mem_free(MEM_TEST, h);
}

static void free_held(struct model_held *held)
{
    while (held->time != NULL) {
        struct model_time *t = held->time;
        held->time = t->before;
        mem_free(MEM_TEST, t);
    }
    mem_free(MEM_TEST, (void *)held->string.ptr);
    free_hash(held->hash);
    model_list_free(held->list);
    model_members_free(held->members);
    mem_free(MEM_TEST, held);
}

void model_free(struct model *m)
{
    for (unsigned key = 0; key <= MODEL_MAKING; key++) {
        while (m->newest[key] != NULL) {
            struct model_held *held = m->newest[key];
            m->newest[key] = held->before;
            free_held(held);
        }
        buf_fini(&m->touched[key]);
    }
    for (int i = 0; i < MODEL_TURNS; i++)
        buf_fini(&m->turns[i]);
    while (m->collections != NULL) {
        struct model_collection *c = m->collections;
        m->collections = c->next;
        free_collection(c);
    }
    mem_free(MEM_TEST, m);
}

/* -- looking -------------------------------------------------------------------------------------
 */

struct model_held *model_held_at(const struct model *m, unsigned key, uint64_t at)
{
    struct model_held *held = m->newest[key];
    while (held != NULL && held->birth > at)
        held = held->before;
    return held != NULL && at < held->death ? held : NULL;
}

bool model_has(const struct model *m, enum model_turn turn, uint64_t at)
{
    const uint64_t *turns = (const uint64_t *)(const void *)m->turns[turn].ptr;
    size_t count = 0, all = m->turns[turn].len / sizeof(*turns);
    while (count < all && turns[count] <= at)
        count++;
    return count % 2 == 1;
}

static const char *turn(struct model *m, enum model_turn what, bool there)
{
    if (model_has(m, what, m->at) == there)
        return there ? "of an index, something is made twice"
                     : "of an index, something goes that is not there";
    buf_append(&m->turns[what], &m->at, sizeof(m->at));
    return NULL;
}

/* With the index goes all that is said of it. */
static const char *drop_index(struct model *m)
{
    const char *broken = turn(m, MODEL_INDEX, false);
    if (model_has(m, MODEL_ALIAS, m->at))
        CHECK(turn(m, MODEL_ALIAS, false) == NULL);
    if (model_has(m, MODEL_ADDED, m->at))
        CHECK(turn(m, MODEL_ADDED, false) == NULL);
    if (model_has(m, MODEL_SYNONYM, m->at))
        CHECK(turn(m, MODEL_SYNONYM, false) == NULL);
    return broken;
}

/* The other name may be given again. */
static const char *set_alias(struct model *m)
{
    if (!model_has(m, MODEL_INDEX, m->at))
        return "an index gets a name that is not there";
    return model_has(m, MODEL_ALIAS, m->at) ? NULL : turn(m, MODEL_ALIAS, true);
}

/* A word of the one dictionary, or of the one group of the index. */
static const char *change_words(struct model *m, const struct mutation *mutation)
{
    bool adds = mutation->kind == MUTATION_WORDS_ADD;
    if (mutation->new_key.len == 0)
        return turn(m, MODEL_DICTIONARY, adds);
    if (!adds || !model_has(m, MODEL_INDEX, m->at))
        return "synonyms go, or are of an index that is not there";
    return turn(m, MODEL_SYNONYM, true);
}

struct model_collection *model_collection_at(const struct model *m, unsigned key, uint64_t at)
{
    struct model_held *held = model_held_at(m, key, at);
    return held == NULL ? NULL : held->collection;
}

struct model_held *model_seen_at(const struct model *m, unsigned key, uint64_t at, uint64_t now_ms)
{
    struct model_held *held = model_held_at(m, key, at);
    return held == NULL || model_expired(held, at, now_ms) ? NULL : held;
}

struct model_element *model_element_at(const struct model_collection *c, unsigned id, uint64_t at)
{
    struct model_element *e = c->newest[id];
    while (e != NULL && e->birth > at)
        e = e->before;
    return e != NULL && at < e->death ? e : NULL;
}

bool model_element_over(const struct model_element *e, uint64_t now_ms)
{
    return e->expire_ms > 0 && e->expire_ms < now_ms;
}

struct model_element *model_element_seen(const struct model_collection *c, unsigned id, uint64_t at,
                                         uint64_t now_ms)
{
    struct model_element *e = model_element_at(c, id, at);
    return e == NULL || model_element_over(e, now_ms) ? NULL : e;
}

struct slice model_attribute_at(const struct model_element *e, uint64_t at)
{
    const struct model_attribute *a = e->attribute;
    while (a != NULL && a->from > at)
        a = a->before;
    return a == NULL ? (struct slice){0} : a->json;
}

static const struct model_tuning *altered_at(const struct model_collection *c, uint64_t at)
{
    const struct model_tuning *t = c->tuning;
    while (t != NULL && t->from > at)
        t = t->before;
    return t;
}

const struct spec_tuning *model_tuning_at(const struct model_collection *c, uint64_t at)
{
    const struct model_tuning *t = altered_at(c, at);
    return t == NULL ? &c->spec.tuning : &t->tuning;
}

struct spec_shape model_shape_at(const struct model_collection *c, uint64_t at)
{
    const struct model_tuning *t = altered_at(c, at);
    return t == NULL ? spec_shape(&c->spec) : t->shape;
}

unsigned model_partitions_at(const struct model_collection *c, uint64_t at)
{
    const struct model_partitions *p = c->partitions;
    while (p != NULL && p->from > at)
        p = p->before;
    return p == NULL ? 1 : p->bits;
}

/* In their order, _default too. */
const char *model_partition_name(unsigned partition)
{
    static const char *const names[MODEL_PARTITIONS] = {"", "green-2", "red", "zone_3.X"};
    CHECK(partition < MODEL_PARTITIONS);
    return names[partition];
}

unsigned model_partition_of(struct slice name)
{
    unsigned partition = 0;
    while (partition < MODEL_PARTITIONS &&
           !slice_eq(name, slice_of(model_partition_name(partition))))
        partition++;
    return partition;
}

const struct schema *model_schema_at(const struct model_collection *c, uint64_t at)
{
    const struct model_tuning *t = altered_at(c, at);
    return t == NULL ? &c->spec.schema : &t->schema;
}

uint64_t model_expiry_at(const struct model_held *held, uint64_t at)
{
    const struct model_time *t = held->time;
    while (t != NULL && t->from > at)
        t = t->before;
    return t == NULL ? 0 : t->expire_ms;
}

bool model_expired(const struct model_held *held, uint64_t at, uint64_t now_ms)
{
    uint64_t expire_ms = model_expiry_at(held, at);
    return expire_ms > 0 && expire_ms < now_ms;
}

size_t model_count_at(const struct model_collection *c, uint64_t at, uint64_t now_ms)
{
    size_t count = 0;
    for (unsigned id = 0; id < MODEL_IDS; id++)
        count += model_element_seen(c, id, at, now_ms) != NULL;
    return count;
}

const struct hash_field *model_field(const struct model_hash *h, struct slice name, uint64_t now_ms)
{
    for (size_t i = 0; h != NULL && i < h->count; i++) {
        const struct hash_field *f = &h->fields[i];
        if (slice_eq(f->name, name))
            return f->expire_ms > 0 && f->expire_ms < now_ms ? NULL : f;
    }
    return NULL;
}

size_t model_count_in(const struct model_collection *c, unsigned partition, uint64_t at,
                      uint64_t now_ms)
{
    size_t count = 0;
    for (unsigned id = 0; id < MODEL_IDS; id++) {
        const struct model_element *e = model_element_seen(c, id, at, now_ms);
        count += e != NULL && e->partition == partition;
    }
    return count;
}

bool model_touched(const struct model *m, unsigned key, uint64_t after_lsn, uint64_t to_lsn)
{
    const uint64_t *lsns = (const uint64_t *)(const void *)m->touched[key].ptr;
    for (size_t i = m->touched[key].len / sizeof(*lsns); i > 0; i--)
        if (lsns[i - 1] > after_lsn && lsns[i - 1] <= to_lsn)
            return true;
    return false;
}

/* -- changing ------------------------------------------------------------------------------------
 */

static void touch(struct model *m, unsigned key)
{
    buf_append(&m->touched[key], &m->lsn, sizeof(m->lsn));
}

static void set_attribute(struct model *m, struct model_element *e, struct slice json)
{
    struct model_attribute *a = mem_calloc(MEM_TEST, sizeof(*a));
    uint8_t *copy = mem_alloc(MEM_TEST, json.len);
    if (json.len > 0)
        memcpy(copy, json.ptr, json.len);
    a->from = m->at;
    a->json = (struct slice){copy, json.len};
    a->before = e->attribute;
    e->attribute = a;
}

/* The key is gone, if it was there. */
static bool remove_key(struct model *m, unsigned key)
{
    struct model_held *held = model_held_at(m, key, m->at);
    if (held != NULL)
        held->death = m->at;
    return held != NULL;
}

static struct model_held *hold(struct model *m, unsigned key)
{
    (void)remove_key(m, key);
    struct model_held *held = mem_calloc(MEM_TEST, sizeof(*held));
    held->birth = m->at;
    held->death = MODEL_NEVER;
    held->before = m->newest[key];
    m->newest[key] = held;
    return held;
}

static void set_time(struct model *m, struct model_held *held, uint64_t expire_ms)
{
    struct model_time *t = mem_calloc(MEM_TEST, sizeof(*t));
    t->from = m->at;
    t->expire_ms = expire_ms;
    t->before = held->time;
    held->time = t;
}

static void set_string(struct model *m, unsigned key, struct slice value, uint64_t expire_ms)
{
    struct model_held *held = hold(m, key);
    uint8_t *copy = mem_alloc(MEM_TEST, value.len);
    if (value.len > 0)
        memcpy(copy, value.ptr, value.len);
    held->string = (struct slice){copy, value.len};
    set_time(m, held, expire_ms);
}

static struct slice copy_of(struct slice s)
{
    uint8_t *copy = mem_alloc(MEM_TEST, s.len);
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return (struct slice){copy, s.len};
}

static void add_field(struct model_hash *h, const struct hash_field *f)
{
    h->fields[h->count++] = (struct hash_field){copy_of(f->name), copy_of(f->value), f->expire_ms};
}

/* The same fields, and room for more. */
static struct model_hash *hash_copy(const struct model_hash *from, size_t more)
{
    size_t count = from == NULL ? 0 : from->count;
    struct model_hash *h = mem_calloc(MEM_TEST, sizeof(*h) + (count + more) * sizeof(h->fields[0]));
    for (size_t i = 0; i < count; i++)
        add_field(h, &from->fields[i]);
    return h;
}

/* The key holds it, or nothing when it is empty. */
static void set_hash(struct model *m, unsigned key, struct model_hash *h, uint64_t expire_ms)
{
    if (h->count == 0) {
        free_hash(h);
        (void)remove_key(m, key);
        return;
    }
    struct model_held *held = hold(m, key);
    held->hash = h;
    set_time(m, held, expire_ms);
}

static void drop_field(struct model_hash *h, struct slice name)
{
    for (size_t i = 0; i < h->count; i++) {
        if (!slice_eq(h->fields[i].name, name))
            continue;
        mem_free(MEM_TEST, (void *)h->fields[i].name.ptr);
        mem_free(MEM_TEST, (void *)h->fields[i].value.ptr);
        h->fields[i] = h->fields[--h->count];
        return;
    }
}

static const char *change_hash(struct model *m, unsigned key, const struct mutation *mutation)
{
    struct model_held *held = model_held_at(m, key, m->at);
    if (held != NULL && held->hash == NULL)
        return "fields of what is no hash change";
    if (held == NULL && mutation->kind != MUTATION_HASH_SET)
        return "fields change where there is no hash";
    struct model_hash *h = hash_copy(held == NULL ? NULL : held->hash, mutation->count);
    for (size_t i = 0; i < mutation->count; i++) {
        if (mutation->kind == MUTATION_HASH_SET) {
            drop_field(h, mutation->fields[i].name);
            add_field(h, &mutation->fields[i]);
        } else if (mutation->kind == MUTATION_HASH_REMOVE) {
            drop_field(h, mutation->ids[i]);
        } else {
            struct hash_field *f = (struct hash_field *)model_field(h, mutation->ids[i], 0);
            if (f == NULL) {
                free_hash(h);
                return "a time is set for a field that is not there";
            }
            f->expire_ms = mutation->expire_ms;
        }
    }
    set_hash(m, key, h, held == NULL ? 0 : model_expiry_at(held, m->at));
    return NULL;
}

/* The key holds it, or nothing when it is empty. */
static void set_list(struct model *m, unsigned key, struct model_list *l, uint64_t expire_ms)
{
    if (l->count == 0) {
        model_list_free(l);
        (void)remove_key(m, key);
        return;
    }
    struct model_held *held = hold(m, key);
    held->list = l;
    set_time(m, held, expire_ms);
}

static const char *change_list(struct model *m, unsigned key, const struct mutation *mutation)
{
    struct model_held *held = mutation->replaces ? NULL : model_held_at(m, key, m->at);
    const char *wrong = NULL;
    if (held != NULL && held->list == NULL)
        return "values of what is no list change";
    if (held == NULL && mutation->kind != MUTATION_LIST_PUSH)
        return "values change where there is no list";
    struct model_list *l = model_list_changed(held == NULL ? NULL : held->list, mutation, &wrong);
    if (wrong == NULL)
        set_list(m, key, l, held == NULL ? 0 : model_expiry_at(held, m->at));
    return wrong;
}

static const char *move_value(struct model *m, unsigned key, const struct mutation *mutation)
{
    unsigned to = model_key_of(mutation->new_key);
    struct model_held *held = model_held_at(m, key, m->at);
    if (held == NULL || held->list == NULL || to == MODEL_KEYS)
        return "a value moves from what is no list, or to a key that was not named";
    const struct model_list *l = held->list;
    struct slice value = l->values[mutation->at_head ? 0 : l->count - 1];
    struct mutation out = {.kind = MUTATION_LIST_TRIM,
                           .offset = mutation->at_head,
                           .limit = !mutation->at_head};
    struct mutation in = {
        .kind = MUTATION_LIST_PUSH, .ids = &value, .count = 1, .at_head = mutation->to_head};
    const char *wrong = NULL;
    if (to == key) {
        struct model_list *shorter = model_list_changed(l, &out, &wrong);
        set_list(m, key, model_list_changed(shorter, &in, &wrong), model_expiry_at(held, m->at));
        model_list_free(shorter);
        return wrong;
    }
    touch(m, to);
    wrong = change_list(m, to, &in);
    return wrong == NULL ? change_list(m, key, &out) : wrong;
}

/* The key holds them, or nothing when there are none. */
static void set_members(struct model *m, unsigned key, struct model_members *s, uint64_t expire_ms)
{
    if (s->count == 0) {
        model_members_free(s);
        (void)remove_key(m, key);
        return;
    }
    struct model_held *held = hold(m, key);
    held->members = s;
    set_time(m, held, expire_ms);
}

static const char *change_members(struct model *m, unsigned key, const struct mutation *mutation)
{
    struct model_held *held = mutation->replaces ? NULL : model_held_at(m, key, m->at);
    bool sorted = mutation->kind == MUTATION_ZSET_ADD || mutation->kind == MUTATION_ZSET_REMOVE;
    bool adds = mutation->kind == MUTATION_SET_ADD || mutation->kind == MUTATION_ZSET_ADD;
    if (held != NULL && (held->members == NULL || held->members->sorted != sorted))
        return "members of what is no such set change";
    if (held == NULL && !adds)
        return "members go where there are none";
    set_members(m, key, model_members_changed(held == NULL ? NULL : held->members, mutation),
                held == NULL ? 0 : model_expiry_at(held, m->at));
    return NULL;
}

static const char *change_document(struct model *m, unsigned key, const struct mutation *mutation)
{
    struct model_held *held = model_held_at(m, key, m->at);
    struct model_doc d = {0};
    char text[MODEL_DOC_TEXT];
    if (held != NULL && !held->is_json)
        return "a part of what is no document changes";
    if (held == NULL && mutation->path.len != 1)
        return "a part of a document changes where there is none";
    bool good = held == NULL || model_doc_read(held->string, &d);
    CHECK(good);
    const char *wrong = model_doc_change(&d, mutation);
    if (wrong != NULL)
        return wrong;
    set_string(m, key, model_doc_write(&d, text), held == NULL ? 0 : model_expiry_at(held, m->at));
    m->newest[key]->is_json = true;
    return NULL;
}

static const char *set_expiry(struct model *m, unsigned key, uint64_t expire_ms)
{
    struct model_held *held = model_held_at(m, key, m->at);
    if (held == NULL)
        return "a time is set for a key that is not there";
    set_time(m, held, expire_ms);
    return NULL;
}

static const char *set_range(struct model *m, unsigned key, const struct mutation *mutation)
{
    struct model_held *held = model_held_at(m, key, m->at);
    if (held != NULL && !model_is_string(held))
        return "a part of a string is set where there is none";
    uint64_t expire_ms = held == NULL ? 0 : model_expiry_at(held, m->at);
    struct buf whole = BUF_INIT(MEM_TEST);
    if (held != NULL)
        buf_append_slice(&whole, held->string);
    while (whole.len < mutation->offset + mutation->value.len)
        buf_append_byte(&whole, 0);
    if (mutation->value.len > 0)
        memcpy(whole.ptr + mutation->offset, mutation->value.ptr, mutation->value.len);
    set_string(m, key, buf_slice(&whole), expire_ms);
    buf_fini(&whole);
    return NULL;
}

static const char *rename_key(struct model *m, unsigned key, struct slice new_key)
{
    unsigned to = model_key_of(new_key);
    struct model_held *from = model_held_at(m, key, m->at);
    if (from == NULL || to == MODEL_KEYS)
        return "a key is renamed that is not there, or to none that was named";
    uint64_t expire_ms = model_expiry_at(from, m->at);
    (void)remove_key(m, key);
    touch(m, to);
    if (from->hash != NULL) {
        set_hash(m, to, hash_copy(from->hash, 0), expire_ms);
        return NULL;
    }
    if (from->list != NULL) {
        set_list(m, to, model_list_copy(from->list), expire_ms);
        return NULL;
    }
    if (from->members != NULL) {
        set_members(m, to, model_members_copy(from->members, from->members->sorted, 0), expire_ms);
        return NULL;
    }
    if (from->collection == NULL) {
        set_string(m, to, from->string, expire_ms);
        m->newest[to]->is_json = from->is_json;
        return NULL;
    }
    struct model_held *held = hold(m, to);
    held->collection = from->collection; /* the same: what happened to it stays */
    set_time(m, held, expire_ms);
    return NULL;
}

static const char *new_collection(struct model *m, unsigned key, const struct collection_spec *spec)
{
    if (model_held_at(m, key, m->at) != NULL)
        return "a collection is made where there is something";
    struct model_collection *c = mem_calloc(MEM_TEST, sizeof(*c));
    c->spec = *spec;
    c->projection = model_projection(spec);
    c->next = m->collections;
    m->collections = c;
    hold(m, key)->collection = c;
    return NULL;
}

static void put(struct model *m, struct model_collection *c, unsigned id, unsigned partition,
                const struct mutation_element *from)
{
    struct model_element *before = model_element_at(c, id, m->at);
    struct slice attribute = from->attribute;
    if (!from->set_attribute)
        attribute = before == NULL ? (struct slice){0} : model_attribute_at(before, m->at);
    struct model_element *e = mem_calloc(MEM_TEST, sizeof(*e));
    e->birth = m->at;
    e->death = MODEL_NEVER;
    e->expire_ms = from->expire_ms;
    e->partition = partition;
    e->vector = mem_alloc(MEM_TEST, c->spec.dim * sizeof(float));
    type_decode(c->spec.type, from->vector, c->spec.dim, e->vector);
    set_attribute(m, e, attribute);
    if (before != NULL)
        before->death = m->at;
    e->before = c->newest[id];
    c->newest[id] = e;
}

static const char *put_all(struct model *m, unsigned key, const struct mutation *mutation)
{
    if (mutation->creates) {
        const char *wrong = new_collection(m, key, &mutation->spec);
        if (wrong != NULL)
            return wrong;
    }
    struct model_collection *c = model_collection_at(m, key, m->at);
    if (c == NULL || mutation->dim != c->spec.dim)
        return "elements are put where they do not fit";
    unsigned partition = model_partition_of(mutation->partition);
    if (partition == MODEL_PARTITIONS || (model_partitions_at(c, m->at) >> partition & 1) == 0)
        return "elements are put into a partition that is not there";
    for (size_t i = 0; i < mutation->count; i++) {
        unsigned id = model_id_of(mutation->elements[i].id);
        if (id == MODEL_IDS)
            return "an id is put that nobody sent";
        put(m, c, id, partition, &mutation->elements[i]);
    }
    return NULL;
}

static const char *remove_all(struct model *m, unsigned key, const struct mutation *mutation)
{
    struct model_held *held = model_held_at(m, key, m->at);
    struct model_collection *c = held == NULL ? NULL : held->collection;
    for (size_t i = 0; c != NULL && i < mutation->count; i++) {
        unsigned id = model_id_of(mutation->ids[i]);
        struct model_element *e = id == MODEL_IDS ? NULL : model_element_at(c, id, m->at);
        if (e != NULL)
            e->death = m->at;
    }
    if (c != NULL && c->spec.implicit && model_count_at(c, m->at, 0) == 0)
        held->death = m->at;
    return NULL;
}

static const char *set_one(struct model *m, unsigned key, const struct mutation *mutation)
{
    struct model_collection *c = model_collection_at(m, key, m->at);
    unsigned id = model_id_of(mutation->ids[0]);
    struct model_element *e = c == NULL || id == MODEL_IDS ? NULL : model_element_at(c, id, m->at);
    if (e == NULL)
        return "an attribute is set on an element that is not there";
    set_attribute(m, e, mutation->value);
    return NULL;
}

static const char *alter(struct model *m, unsigned key, const struct collection_spec *spec)
{
    struct model_collection *c = model_collection_at(m, key, m->at);
    if (c == NULL)
        return "no collection is altered";
    struct model_tuning *t = mem_calloc(MEM_TEST, sizeof(*t));
    *t = (struct model_tuning){m->at, spec->tuning, spec->schema, spec_shape(spec), c->tuning};
    c->tuning = t;
    return NULL;
}

static const char *set_partition(struct model *m, unsigned key, const struct mutation *mutation)
{
    struct model_collection *c = model_collection_at(m, key, m->at);
    unsigned partition = model_partition_of(mutation->partition);
    bool makes = mutation->kind == MUTATION_PARTITION_NEW;
    if (c == NULL || c->spec.implicit || partition == 0 || partition == MODEL_PARTITIONS)
        return "a partition that nobody named, or of no collection";
    unsigned bits = model_partitions_at(c, m->at);
    if ((bits >> partition & 1) == makes)
        return makes ? "a partition is made twice" : "a partition is dropped that is not there";
    struct model_partitions *p = mem_calloc(MEM_TEST, sizeof(*p));
    *p = (struct model_partitions){m->at, bits ^ 1u << partition, c->partitions};
    c->partitions = p;
    for (unsigned id = 0; id < MODEL_IDS && !makes; id++) {
        struct model_element *e = model_element_at(c, id, m->at);
        if (e != NULL && e->partition == partition)
            e->death = m->at;
    }
    return NULL;
}

static void flush(struct model *m)
{
    for (unsigned key = 0; key <= MODEL_MAKING; key++)
        if (remove_key(m, key))
            touch(m, key);
    if (model_has(m, MODEL_INDEX, m->at))
        CHECK(drop_index(m) == NULL);
    if (model_has(m, MODEL_DICTIONARY, m->at))
        CHECK(turn(m, MODEL_DICTIONARY, false) == NULL);
}

void model_next(struct model *m)
{
    m->at = MODEL_AT(m->lsn);
    m->lsn++;
}

static bool is_of_key(enum mutation_kind kind)
{
    return kind != MUTATION_FLUSH && kind != MUTATION_TICK && kind != MUTATION_INDEX_NEW &&
           kind != MUTATION_INDEX_REMOVE && kind != MUTATION_INDEX_ALTER &&
           kind != MUTATION_ALIAS_SET && kind != MUTATION_ALIAS_REMOVE &&
           kind != MUTATION_WORDS_ADD && kind != MUTATION_WORDS_REMOVE;
}

const char *model_apply(struct model *m, const struct mutation *mutation)
{
    unsigned key = model_key_of(mutation->key);
    bool making = model_is_making(mutation->key);
    bool of_key = is_of_key(mutation->kind);
    m->at++;
    CHECK(m->at < model_now(m));
    if (key == MODEL_KEYS && of_key && !making)
        return "a key changes that nobody named";
    if (of_key)
        touch(m, key);
    switch (mutation->kind) {
    case MUTATION_COLLECTION_NEW:
        return new_collection(m, key, &mutation->spec);
    case MUTATION_COLLECTION_ALTER:
        return alter(m, key, &mutation->spec);
    case MUTATION_PARTITION_NEW:
    case MUTATION_PARTITION_DROP:
        return set_partition(m, key, mutation);
    case MUTATION_PUT:
        return put_all(m, key, mutation);
    case MUTATION_REMOVE:
        return remove_all(m, key, mutation);
    case MUTATION_SET_ATTRIBUTE:
        return set_one(m, key, mutation);
    case MUTATION_KEY_REMOVE:
        return remove_key(m, key) ? NULL : "a key is removed that is not there";
    case MUTATION_STRING_SET:
        set_string(m, key, mutation->value, mutation->expire_ms);
        return NULL;
    case MUTATION_STRING_RANGE:
        return set_range(m, key, mutation);
    case MUTATION_KEY_EXPIRE:
        return set_expiry(m, key, mutation->expire_ms);
    case MUTATION_KEY_RENAME:
        return rename_key(m, key, mutation->new_key);
    case MUTATION_HASH_SET:
    case MUTATION_HASH_REMOVE:
    case MUTATION_HASH_EXPIRE:
        return change_hash(m, key, mutation);
    case MUTATION_LIST_PUSH:
    case MUTATION_LIST_TRIM:
    case MUTATION_LIST_SET:
    case MUTATION_LIST_INSERT:
    case MUTATION_LIST_REMOVE:
        return change_list(m, key, mutation);
    case MUTATION_LIST_MOVE:
        return move_value(m, key, mutation);
    MUTATIONS_OF_SETS:
        return change_members(m, key, mutation);
    MUTATIONS_OF_JSON:
        return change_document(m, key, mutation);
    case MUTATION_FLUSH:
        flush(m);
        return NULL;
    case MUTATION_INDEX_NEW:
        return turn(m, MODEL_INDEX, true);
    case MUTATION_INDEX_REMOVE:
        return drop_index(m);
    case MUTATION_INDEX_ALTER:
        return turn(m, MODEL_ADDED, true);
    case MUTATION_ALIAS_SET:
        return set_alias(m);
    case MUTATION_ALIAS_REMOVE:
        return turn(m, MODEL_ALIAS, false);
    case MUTATION_WORDS_ADD:
    case MUTATION_WORDS_REMOVE:
        return change_words(m, mutation);
    case MUTATION_TICK:
        return NULL;
    }
    return "a change that nobody asked for";
}

/* -- names ---------------------------------------------------------------------------------------
 */

void model_id_text(unsigned id, struct buf *out)
{
    buf_printf(out, "e%u", id);
    if (id % 8 == 5)
        buf_append(out, "\r\n\0$-1", 7);
    if (id % 8 == 7)
        for (unsigned i = 0; i < id * 7; i++)
            buf_append_byte(out, 'y');
}

unsigned model_id_of(struct slice text)
{
    unsigned id = 0;
    size_t at = 1;
    for (; at < text.len && at < 5 && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++)
        id = id * 10 + (unsigned)(text.ptr[at] - '0');
    if (id >= MODEL_IDS)
        return MODEL_IDS;
    struct buf same = BUF_INIT(MEM_TEST);
    model_id_text(id, &same);
    bool is = slice_eq(buf_slice(&same), text);
    buf_fini(&same);
    return is ? id : MODEL_IDS;
}

unsigned model_key_of(struct slice text)
{
    bool is =
        text.len == 2 && text.ptr[0] == 'k' && text.ptr[1] >= '0' && text.ptr[1] < '0' + MODEL_KEYS;
    return is ? (unsigned)(text.ptr[1] - '0') : MODEL_KEYS;
}

bool model_is_making(struct slice text)
{
    static const char prefix[] = "vdb:making:";
    return text.len > strlen(prefix) && memcmp(text.ptr, prefix, strlen(prefix)) == 0;
}

/* -- numbers -------------------------------------------------------------------------------------
 */

float *model_projection(const struct collection_spec *spec)
{
    if (spec->projection_from == 0)
        return NULL;
    return projection_new(spec->projection_from, spec->dim, spec->seed, spec->projection_version);
}

/* With the server's kernels: where a sum nearly cancels out, its rounding decides the direction. */
static void project(const struct model_collection *c, const float *raw, float *out)
{
    const struct vec_kernels *kernels;
    struct why why;
    enum err e = vec_kernels_choose("auto", &kernels, &why);
    CHECK(e == OK);
    projection_apply(c->projection, kernels, c->spec.projection_from, c->spec.dim, raw, out);
}

/* Types other than FP32 are stored as they come, rounded. */
static bool store_typed(const struct collection_spec *spec, const float *raw, float *out)
{
    uint8_t bytes[MODEL_DIM_MAX * sizeof(float)];
    size_t at;
    CHECK(spec->dim <= MODEL_DIM_MAX);
    if (type_encode(spec->type, raw, spec->dim, bytes, &at) != TYPE_FITS)
        return false;
    type_decode(spec->type, bytes, spec->dim, out);
    return spec->metric != METRIC_COSINE || type_square(spec->type, bytes, spec->dim) > 0;
}

bool model_query(const struct model_collection *c, const float *raw, float *out)
{
    bool halves = c->spec.type == TYPE_FP16 || c->spec.type == TYPE_BF16;
    if (!halves)
        return model_store(c, raw, out);
    memcpy(out, raw, c->spec.dim * sizeof(float));
    double square = type_square(TYPE_FP32, (const uint8_t *)raw, c->spec.dim);
    return c->spec.metric != METRIC_COSINE || square > 0;
}

bool model_store(const struct model_collection *c, const float *raw, float *out)
{
    const struct collection_spec *spec = &c->spec;
    double square = 0;
    if (spec->type != TYPE_FP32)
        return store_typed(spec, raw, out);
    if (c->projection != NULL)
        project(c, raw, out);
    else
        memcpy(out, raw, spec->dim * sizeof(float));
    for (uint32_t i = 0; i < spec->dim; i++)
        square += (double)out[i] * (double)out[i];
    if (spec->metric != METRIC_COSINE || square == 0)
        return spec->metric != METRIC_COSINE || spec->implicit;
    for (uint32_t i = 0; i < spec->dim; i++)
        out[i] = (float)((double)out[i] / sqrt(square));
    return true;
}

double model_distance(const struct collection_spec *spec, const float *a, const float *b)
{
    double dot = 0, squares = 0, aa = 0, bb = 0;
    for (uint32_t i = 0; i < spec->dim; i++) {
        double x = (double)a[i], y = (double)b[i];
        dot += x * y;
        squares += (x - y) * (x - y);
        aa += x * x;
        bb += y * y;
    }
    switch (spec->metric) {
    case METRIC_L2:
    case METRIC_HAMMING:
        return squares;
    case METRIC_JACCARD:
        return aa + bb == 0 ? 0 : 1 - dot / (aa + bb - dot);
    case METRIC_COSINE: /* FP32 is stored at length 1, but for zero vectors */
        return spec->type == TYPE_FP32 ? 1 - dot : 1 - dot / sqrt(aa * bb);
    case METRIC_IP:
    case METRIC_COUNT:
        break;
    }
    return 1 - dot;
}

/* -- filters -------------------------------------------------------------------------------------
 */

const char *model_filter_text(unsigned filter)
{
    static const char *const texts[MODEL_FILTERS] = {
        ".n >= 50",
        ".s == \"b\"",
        ".n < 20 or .s == 'a'",
        ".n == 7",
        ".n in [1, 2, 3, 4, 5] and not (.s == \"c\")",
    };
    CHECK(filter < MODEL_FILTERS);
    return texts[filter];
}

bool model_filter_matches(unsigned filter, struct slice json)
{
    char text[64] = "";
    int n = 0;
    char s = 0;
    if (json.len == 0 || json.len >= sizeof(text))
        return false;
    memcpy(text, json.ptr, json.len);
    bool both = sscanf(text, "{\"n\":%d,\"s\":\"%c\"}", &n, &s) == 2;
    bool has_n = both || sscanf(text, "{\"n\":%d}", &n) == 1;
    bool has_s = both || sscanf(text, "{\"s\":\"%c\"}", &s) == 1;
    switch (filter) {
    case 0:
        return has_n && n >= 50;
    case 1:
        return has_s && s == 'b';
    case 2:
        return both && (n < 20 || s == 'a');
    case 3:
        return has_n && n == 7;
    default:
        return both && n >= 1 && n <= 5 && s != 'c';
    }
}
