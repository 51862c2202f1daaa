#include "db/index_text.h"

#include <stdio.h>

#include "base/limits.h"
#include "db/documents.h"

/* A place without a key costs little beside one with a document. */
enum { SLICE_US = 300, GAP_US = 300, LOOK_EVERY = 1024, DOCUMENT_WORK = 64 };

struct key_index *indexes_named(const struct db *db, struct slice name)
{
    struct key_index *x = db->indexes;
    while (x != NULL && !slice_eq(x->spec->name, name))
        x = x->next;
    return x;
}

struct collection *index_collection(const struct key_index *x, const struct index_field *field)
{
    size_t at = 0;
    CHECK(field->kind == INDEX_VECTOR);
    for (const struct index_field *f = x->spec->fields; f != field; f++)
        at += f->kind == INDEX_VECTOR;
    CHECK(at < x->spec->vector_count);
    return x->vectors[at];
}

double index_done_share(const struct key_index *x)
{
    uint32_t end = x->db->keys.used;
    return !x->scans || end == 0 ? 1 : (double)x->scan_at / (double)end;
}

static size_t index_bytes_own(const struct key_index *x)
{
    size_t bytes = collection_bytes(x->docs);
    bytes += x->text == NULL ? 0 : index_text_bytes(x->text);
    for (size_t i = 0; i < x->spec->vector_count; i++)
        bytes += collection_bytes(x->vectors[i]);
    return bytes;
}

size_t index_bytes(const struct key_index *x)
{
    return index_bytes_own(x) + (x->successor != NULL ? index_bytes_own(x->successor) : 0);
}

/* -- making and freeing ------------------------------------------------------------------------ */

/* The first fields have columns; filters read the others from the attribute. */
static enum err make_schema(const struct index_spec *spec, struct schema *out, struct why *why)
{
    enum err e = OK;
    if (spec->text_count > 0)
        e = schema_add(out, slice_of(INDEX_TEXT_SLOT), SCHEMA_NUMERIC, why);
    for (size_t i = 0; i < spec->field_count && e == OK; i++) {
        char name[16];
        enum index_field_kind kind = spec->fields[i].kind;
        if (!index_field_has_column(&spec->fields[i]) || out->count == LIMIT_SCHEMA_FIELDS)
            continue;
        int size = snprintf(name, sizeof(name), "f%zu", i);
        CHECK(size > 0 && (size_t)size < sizeof(name));
        e = schema_add(out, slice_of(name),
                       kind == INDEX_TAG   ? SCHEMA_TAG
                       : kind == INDEX_GEO ? SCHEMA_GEO
                                           : SCHEMA_NUMERIC,
                       why);
    }
    return e;
}

static void set_docs_spec(struct collection_spec *out)
{
    *out = spec_default(1); /* of floats, whose rows take 4 bytes; those of others take 64 */
    out->metric = METRIC_L2;
    out->quant = QUANT_NONE;
    out->index = INDEX_FLAT;
}

static void set_vectors_spec(const struct index_vector *v, struct collection_spec *out)
{
    *out = spec_default(v->dim);
    out->type = index_vector_kept(v->type);
    out->metric = v->metric;
    out->quant = v->flat || out->type == TYPE_INT8 ? QUANT_NONE : QUANT_SQ8;
    out->index = v->flat ? INDEX_FLAT : INDEX_AUTO;
    out->m = v->m;
    out->ef_build = v->ef_construction;
    if (v->ef_runtime > SPEC_EF_DEFAULT)
        out->tuning.ef = v->ef_runtime;
}

enum err index_collection_spec(const struct index_spec *spec, size_t number,
                               struct collection_spec *out, struct why *why)
{
    size_t left = number;
    CHECK(number <= spec->vector_count);
    if (number == 0)
        set_docs_spec(out);
    for (const struct index_field *f = spec->fields; left > 0; f++) {
        CHECK(f < spec->fields + spec->field_count);
        left -= f->kind == INDEX_VECTOR;
        if (left == 0)
            set_vectors_spec(&f->vector, out);
    }
    return make_schema(spec, &out->schema, why);
}

static void free_index_own(struct key_index *x)
{
    x->db->io->ops->timer_stop(x->db->io, &x->scan_timer);
    if (x->docs != NULL)
        collection_drop(x->docs);
    for (size_t i = 0; x->vectors != NULL && i < x->spec->vector_count; i++)
        if (x->vectors[i] != NULL)
            collection_drop(x->vectors[i]);
    mem_free(MEM_KEYSPACE, x->vectors);
    index_text_drop(x->text);
    index_document_fini(&x->document);
    buf_fini(&x->last_error);
    buf_fini(&x->last_error_key);
    index_spec_unref(x->spec);
    mem_free(MEM_KEYSPACE, x);
}

static void free_index(struct key_index *x)
{
    if (x->successor != NULL)
        free_index_own(x->successor);
    index_aliases_free(x);
    word_lists_free(&x->synonyms);
    free_index_own(x);
}

struct collection **index_part(struct key_index *x, size_t number)
{
    CHECK(number <= x->spec->vector_count);
    return number == 0 ? &x->docs : &x->vectors[number - 1];
}

static enum err make_part(struct key_index *x, size_t number, uint64_t uid, struct collection **out,
                          struct why *why)
{
    struct collection_spec spec;
    enum err e = index_collection_spec(x->spec, number, &spec, why);
    if (e != OK)
        return e;
    *out = collection_new(&x->db->env, &spec, uid);
    return *out != NULL ? OK : ERR_NOMEM;
}

enum err index_part_renew(struct key_index *x, size_t number)
{
    struct collection **at = index_part(x, number), *fresh;
    enum err e = make_part(x, number, (*at)->uid, &fresh, NULL);
    if (e != OK)
        return e;
    collection_drop(*at);
    fresh->late_births = true; /* whatever is in it */
    *at = fresh;
    return OK;
}

/* Takes spec, also on an error. */
static enum err make_index(struct db *db, struct index_spec *spec, struct why *why)
{
    struct key_index *x = mem_try_calloc(MEM_KEYSPACE, sizeof(*x));
    if (x == NULL) {
        index_spec_unref(spec);
        return ERR_NOMEM;
    }
    size_t vectors = spec->vector_count + 1;
    *x = (struct key_index){.db = db, .serial = db->next_uid++, .spec = spec};
    x->vectors = mem_try_calloc(MEM_KEYSPACE, vectors * sizeof(*x->vectors));
    x->document = (struct index_document){
        .attribute = BUF_INIT(MEM_KEYSPACE),
        .vectors = BUF_INIT(MEM_KEYSPACE),
        .floats = BUF_INIT(MEM_KEYSPACE),
        .json = {.bytes = BUF_INIT(MEM_KEYSPACE)},
        .texts = BUF_INIT(MEM_KEYSPACE),
        .pieces = BUF_INIT(MEM_KEYSPACE),
        .norms = mem_try_calloc(MEM_KEYSPACE, vectors * sizeof(float)),
        .vector_at = mem_try_calloc(MEM_KEYSPACE, vectors * sizeof(size_t)),
    };
    x->last_error = x->last_error_key = BUF_INIT(MEM_KEYSPACE);
    bool room = x->vectors != NULL && x->document.norms != NULL && x->document.vector_at != NULL;
    enum err e = room ? OK : ERR_NOMEM;
    for (size_t i = 0; i < vectors && e == OK; i++)
        e = make_part(x, i, db->next_uid++, index_part(x, i), why);
    if (e == OK && spec->text_count > 0) {
        x->text = index_text_new(db, spec);
        e = x->text == NULL ? ERR_NOMEM : OK;
    }
    if (e == OK)
        db->index = x;
    else
        free_index(x);
    return e;
}

enum err indexes_prepare(struct db *db, const struct mutation *m, struct why *why)
{
    struct index_spec *spec;
    size_t count = 0;
    CHECK(db->index == NULL);
    if (indexes_find(db, m->key) != NULL)
        return why_set(why, ERR_EXISTS, "Index already exists");
    for (const struct key_index *x = db->indexes; x != NULL; x = x->next)
        count++;
    if (count >= LIMIT_INDEXES)
        return why_set(why, ERR_LIMIT, "there are at most %d indexes", LIMIT_INDEXES);
    enum err e = index_spec_new(m->key, m->ids, m->count, &spec, why);
    return e == OK ? make_index(db, spec, why) : e;
}

void indexes_discard(struct db *db)
{
    if (db->index != NULL)
        free_index(db->index);
    db->index = NULL;
    indexes_discard_alias(db);
    word_lists_discard(db);
}

/* -- following the keys ------------------------------------------------------------------------ */

/* slot: of its texts, when it was taken for this key just now. */
static void forget(struct key_index *x, struct slice key, uint32_t slot, uint64_t lsn)
{
    if (x->text != NULL)
        index_text_forget(x, key, slot, lsn);
    (void)collection_remove(x->docs, key, lsn);
    for (size_t i = 0; i < x->spec->vector_count; i++)
        (void)collection_remove(x->vectors[i], key, lsn);
}

/* What a collection of the index is to hold of x->document. */
static struct mutation_element element_of(const struct key_index *x, size_t part, struct slice key)
{
    static const float nothing = 0;
    const struct index_document *d = &x->document;
    struct mutation_element element = {.id = key,
                                       .vector = &nothing,
                                       .norm = 1,
                                       .set_attribute = true,
                                       .attribute = buf_slice(&d->attribute)};
    if (part > 0) {
        element.vector = d->vectors.ptr + d->vector_at[part - 1];
        element.norm = d->norms[part - 1];
    }
    return element;
}

static enum err put(struct key_index *x, struct collection *c, struct mutation_element *element,
                    uint64_t lsn)
{
    struct mutation m = {.kind = MUTATION_PUT,
                         .dim = c->spec.dim,
                         .type = c->spec.type,
                         .elements = element,
                         .count = 1};
    c->late_births |= x->scans;
    enum err e = collection_prepare_put(c, &m);
    if (e == OK)
        collection_put(c, &m, lsn);
    return e;
}

/* Puts an element unless it is there as it is to be. A vector that stays keeps its links. */
static enum err put_if_new(struct key_index *x, size_t part, struct slice key, uint64_t lsn)
{
    struct collection *c = *index_part(x, part);
    struct mutation_element element = element_of(x, part, key);
    struct collection_view v;
    uint32_t row = collection_find(c, key);
    if (row == ROW_NONE)
        return put(x, c, &element, lsn);
    collection_view(c, lsn, &v);
    size_t size = type_size(c->spec.type, c->spec.dim);
    const void *stored = v.has_exact ? view_stored(&v, row) : row_code(&v.codes, row);
    if (memcmp(stored, element.vector, size) != 0 || view_norm(&v, row) != element.norm)
        return put(x, c, &element, lsn);
    if (slice_eq(view_attribute(&v, row), element.attribute))
        return OK;
    enum err e = collection_prepare_attribute(c, element.attribute);
    if (e == OK)
        collection_set_attribute(c, key, element.attribute);
    return e;
}

static enum err put_document(struct key_index *x, struct slice key, uint64_t lsn)
{
    enum err e = put_if_new(x, 0, key, lsn);
    for (size_t i = 0; i < x->spec->vector_count && e == OK; i++) {
        if (x->document.norms[i] > 0)
            e = put_if_new(x, i + 1, key, lsn);
        else
            (void)collection_remove(x->vectors[i], key, lsn);
        if (collection_pending_full(x->vectors[i]))
            x->db->index_filled = x->vectors[i];
    }
    return e;
}

static void note_failure(struct key_index *x, struct slice key, enum err e, const struct why *why)
{
    x->failures++;
    x->lacks |= e == ERR_NOMEM;
    buf_clear(&x->last_error, SIZE_MAX);
    buf_clear(&x->last_error_key, SIZE_MAX);
    buf_append_text(&x->last_error, why->text[0] != '\0' ? why->text : err_text(e));
    buf_append_slice(&x->last_error_key, key);
}

/* Makes the index say of a key what the keyspace does. */
static void follow_key(struct key_index *x, struct slice key, uint64_t lsn)
{
    struct why why = {{0}};
    const struct object *o = keyspace_get(&x->db->keys, key);
    uint32_t slot = TEXT_NO_SLOT;
    bool passes = o != NULL && o->type == document_type(x->spec);
    enum err e = passes ? index_document_passes(x, o, &passes) : OK;
    if (e == OK && !passes) {
        forget(x, key, slot, lsn);
        return;
    }
    if (e == OK && key.len > LIMIT_KEY_SIZE)
        e = why_set(&why, ERR_LIMIT, "keys of indexes have at most %d bytes", LIMIT_KEY_SIZE);
    else if (e == OK && x->text != NULL)
        e = index_text_slot(x, key, &slot);
    if (e == OK)
        e = index_document_read(x, o, slot, &why);
    if (e == OK && x->text != NULL)
        e = index_text_put(x, slot, lsn);
    if (e == OK)
        e = put_document(x, key, lsn);
    if (e != OK) {
        forget(x, key, slot, lsn);
        note_failure(x, key, e, &why);
        return;
    }
    x->used_ms = x->db->now_ms;
    if (x->text != NULL)
        index_text_note_rows(x, slot, key);
}

static void follow_all(struct db *db, struct slice key, uint64_t lsn)
{
    for (struct key_index *x = db->indexes; x != NULL; x = x->next)
        if (index_spec_covers(x->spec, key)) {
            follow_key(x, key, lsn);
            if (x->successor != NULL)
                follow_key(x->successor, key, lsn);
        }
}

void indexes_follow(struct db *db, const struct mutation *m, uint64_t lsn)
{
    if (LIKELY(db->indexes == NULL))
        return;
    switch (m->kind) {
    case MUTATION_KEY_RENAME:
        follow_all(db, m->key, lsn);
        follow_all(db, m->new_key, lsn);
        break;
    case MUTATION_STRING_SET:
    case MUTATION_KEY_REMOVE:
    case MUTATION_COLLECTION_NEW:
    case MUTATION_HASH_SET:
    case MUTATION_HASH_REMOVE:
    MUTATIONS_OF_JSON:
        follow_all(db, m->key, lsn);
        break;
    case MUTATION_LIST_PUSH:
    case MUTATION_SET_ADD:
    case MUTATION_ZSET_ADD:
        if (m->replaces)
            follow_all(db, m->key, lsn);
        break;
    case MUTATION_SET_REMOVE:
    case MUTATION_ZSET_REMOVE:
    case MUTATION_STRING_RANGE: /* the key had a string, or nothing, before */
    case MUTATION_KEY_EXPIRE:
    case MUTATION_PUT:
    case MUTATION_REMOVE:
    case MUTATION_SET_ATTRIBUTE:
    case MUTATION_COLLECTION_ALTER:
    case MUTATION_PARTITION_NEW:
    case MUTATION_PARTITION_DROP:
    case MUTATION_HASH_EXPIRE:
    case MUTATION_LIST_TRIM: /* no key is a document whose list changes */
    case MUTATION_LIST_SET:
    case MUTATION_LIST_INSERT:
    case MUTATION_LIST_REMOVE:
    case MUTATION_LIST_MOVE:
    case MUTATION_INDEX_NEW:
    case MUTATION_INDEX_REMOVE:
    case MUTATION_INDEX_ALTER:
    case MUTATION_ALIAS_SET:
    case MUTATION_ALIAS_REMOVE:
    case MUTATION_WORDS_ADD:
    case MUTATION_WORDS_REMOVE:
    case MUTATION_FLUSH:
    case MUTATION_TICK:
        break;
    }
}

/* -- keys that were there before --------------------------------------------------------------- */

/* All documents that the index has, it has too: it takes its place. */
static void take_over(struct key_index *x)
{
    struct key_index *old = x->succeeds, **at = &x->db->indexes;
    CHECK(old->successor == x);
    while (*at != old)
        at = &(*at)->next;
    *at = x;
    x->next = old->next;
    x->aliases = old->aliases;
    x->uses = old->uses;
    x->used_ms = old->used_ms;
    x->ends = old->ends;
    x->serial = old->serial;
    x->succeeds = NULL;
    old->aliases = NULL;
    x->synonyms = old->synonyms;
    old->synonyms = NULL;
    old->successor = NULL;
    free_index(old);
}

/* Keys that change meanwhile are followed as they do; whatever place they have then. Writers do not
 * wait for the rows that come of this. */
static void scan_until(struct key_index *x, uint64_t end_us)
{
    struct db *db = x->db;
    for (unsigned work = 0; x->scan_at < db->keys.used;) {
        const struct object *o = keyspace_at(&db->keys, x->scan_at++);
        work += o == NULL ? 1 : DOCUMENT_WORK;
        if (o != NULL && o->type == document_type(x->spec) &&
            index_spec_covers(x->spec, object_key(o)))
            follow_key(x, object_key(o), db->log.last_lsn);
        if (work < LOOK_EVERY)
            continue;
        if (db->io->ops->mono_us(db->io) >= end_us)
            break;
        work = 0;
    }
    x->scans = x->scan_at < db->keys.used;
    for (size_t i = 0; i < x->spec->vector_count; i++)
        x->vectors[i]->side->pending_owed = pending_count(&x->vectors[i]->side->pending);
}

static void scan_some(struct key_index *x, uint64_t us)
{
    struct io *io = x->db->io;
    io->ops->timer_stop(io, &x->scan_timer);
    scan_until(x, io->ops->mono_us(io) + us);
    if (x->scans)
        io->ops->timer_start(io, &x->scan_timer, GAP_US);
    else if (x->succeeds != NULL)
        take_over(x);
}

static void on_scan(struct io_timer *timer)
{
    scan_some(timer->user, SLICE_US);
}

bool indexes_scan_some(struct db *db, uint64_t us)
{
    for (struct key_index *x = db->indexes; x != NULL; x = x->next) {
        struct key_index *scans = x->scans ? x : x->successor;
        if (scans == NULL || !scans->scans)
            continue;
        scan_some(scans, us);
        return true;
    }
    return false;
}

void indexes_hurry(struct db *db, struct slice name)
{
    struct key_index *x = indexes_named(db, name);
    if (x != NULL && x->successor != NULL)
        x = x->successor;
    if (x == NULL || !x->scans)
        return;
    scan_some(x, SLICE_US);
}

void index_scan(struct key_index *x)
{
    x->scans = true;
    x->scan_at = 0;
    x->scan_timer = (struct io_timer){.fn = on_scan, .user = x};
    x->db->io->ops->timer_start(x->db->io, &x->scan_timer, 0);
}

struct key_index *indexes_add(struct db *db)
{
    struct key_index *x = db->index;
    CHECK(x != NULL);
    db->index = NULL;
    struct key_index **end = &db->indexes;
    while (*end != NULL)
        end = &(*end)->next;
    *end = x; /* in the order in which they came, after a restart too */
    return x;
}

void indexes_publish(struct db *db)
{
    struct key_index *x = indexes_add(db);
    if (!x->spec->skip_scan)
        index_scan(x);
}

enum err indexes_prepare_alter(struct db *db, const struct mutation *m, struct why *why)
{
    const struct key_index *x = indexes_named(db, m->key);
    CHECK(db->index == NULL);
    if (x == NULL)
        return ERR_NOT_FOUND;
    const struct index_spec *s = x->successor != NULL ? x->successor->spec : x->spec;
    struct index_spec *spec;
    struct slice *words = mem_try(MEM_SCRATCH, (s->word_count + m->count + 1) * sizeof(*words));
    if (words == NULL)
        return ERR_NOMEM;
    memcpy(words, s->words, s->word_count * sizeof(*words));
    if (m->count > 0)
        memcpy(words + s->word_count, m->ids, m->count * sizeof(*words));
    enum err e = index_spec_new(m->key, words, s->word_count + m->count, &spec, why);
    mem_free(MEM_SCRATCH, words);
    return e == OK ? make_index(db, spec, why) : e;
}

void indexes_publish_alter(struct db *db, struct slice name)
{
    struct key_index *x = indexes_named(db, name);
    CHECK(x != NULL && db->index != NULL);
    if (x->successor != NULL)
        free_index(x->successor);
    x->successor = db->index;
    x->successor->succeeds = x;
    db->index = NULL;
    index_scan(x->successor);
}

void indexes_remove(struct db *db, struct slice name)
{
    for (struct key_index **at = &db->indexes; *at != NULL; at = &(*at)->next) {
        struct key_index *x = *at;
        if (!slice_eq(x->spec->name, name))
            continue;
        *at = x->next;
        free_index(x);
        return;
    }
}

void indexes_remove_all(struct db *db)
{
    while (db->indexes != NULL) {
        struct key_index *x = db->indexes;
        db->indexes = x->next;
        free_index(x);
    }
}
