/* dump_resp.c: commands in RESP, for redis-cli --pipe. A record that was several changes at once is
 * so again, by MULTI and EXEC.
 *
 * Vectors under COSINE are stored at length 1 beside their former length; commands take the two
 * multiplied, so what is stored again may differ in the last bit. */
#include "db/indexes_image.h"
#include "json/value.h"
#include "tool/dump_format.h"
#include "types/list.h"

#include <inttypes.h>

#include "net/resp_write.h"

static void put_bytes(struct dump *d, const void *bytes, size_t len)
{
    buf_printf(&d->text, "$%zu\r\n", len);
    buf_append(&d->text, bytes, len);
    buf_append(&d->text, "\r\n", 2);
}

static void put_slice(struct dump *d, struct slice s)
{
    put_bytes(d, s.ptr, s.len);
}

static void put_text(struct dump *d, const char *text)
{
    put_bytes(d, text, strlen(text));
}

static void put_number(struct dump *d, uint64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRIu64, number);
    CHECK(len > 0);
    put_bytes(d, text, (size_t)len);
}

static void put_integer(struct dump *d, int64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%" PRId64, number);
    CHECK(len > 0);
    put_bytes(d, text, (size_t)len);
}

static void put_command(struct dump *d, const char *name, size_t words)
{
    d->commands++;
    buf_printf(&d->text, "*%zu\r\n", words);
    put_text(d, name);
}

static void write_out(struct dump *d)
{
    CHECK(!buf_failed(&d->text));
    if (d->text.len == 0)
        return; /* a TICK, say */
    (void)fwrite(d->text.ptr, 1, d->text.len, d->out);
    buf_clear(&d->text, SIZE_MAX);
    d->commands = 0;
}

/* -- of the snapshot --------------------------------------------------------------------------- */

static void put_set(struct dump *d, struct slice key, struct slice value, uint64_t expire_ms)
{
    put_command(d, "SET", expire_ms == 0 ? 3 : 5);
    put_slice(d, key);
    put_slice(d, value);
    if (expire_ms == 0)
        return;
    put_text(d, "PXAT");
    put_number(d, expire_ms);
}

static void put_expire(struct dump *d, struct slice key, uint64_t expire_ms)
{
    put_command(d, expire_ms == 0 ? "PERSIST" : "PEXPIREAT", expire_ms == 0 ? 2 : 3);
    put_slice(d, key);
    if (expire_ms > 0)
        put_number(d, expire_ms);
}

static void put_field_expire(struct dump *d, struct slice key, const struct slice *names,
                             size_t count, uint64_t expire_ms)
{
    bool never = expire_ms == 0;
    put_command(d, never ? "HPERSIST" : "HPEXPIREAT", (never ? 4 : 5) + count);
    put_slice(d, key);
    if (!never)
        put_number(d, expire_ms);
    put_text(d, "FIELDS");
    put_number(d, count);
    for (size_t i = 0; i < count; i++)
        put_slice(d, names[i]);
}

static void put_fields(struct dump *d, struct slice key, const struct hash_field *fields,
                       size_t count)
{
    put_command(d, "HSET", 2 + 2 * count);
    put_slice(d, key);
    for (size_t i = 0; i < count; i++) {
        put_slice(d, fields[i].name);
        put_slice(d, fields[i].value);
    }
    for (size_t i = 0; i < count; i++)
        if (fields[i].expire_ms > 0)
            put_field_expire(d, key, &fields[i].name, 1, fields[i].expire_ms);
}

static void put_words(struct dump *d, const char *command, struct slice name,
                      const struct slice *words, size_t count)
{
    put_command(d, command, 2 + count);
    put_slice(d, name);
    for (size_t i = 0; i < count; i++)
        put_slice(d, words[i]);
}

/* Some values in a command. */
static void put_list(struct dump *d, const struct image_key *key)
{
    enum { AT_ONCE = 64 };
    struct slice values[AT_ONCE], rest = key->value;
    size_t count = 0;
    while (list_next(&rest, &values[count])) {
        if (++count < AT_ONCE)
            continue;
        put_words(d, "RPUSH", key->key, values, count);
        count = 0;
    }
    if (count > 0)
        put_words(d, "RPUSH", key->key, values, count);
}

/* Some fields in a command. */
static void put_hash(struct dump *d, const struct image_key *key)
{
    enum { AT_ONCE = 64 };
    struct hash_field fields[AT_ONCE];
    struct slice rest = key->value;
    size_t count = 0;
    while (hash_next(&rest, &fields[count])) {
        if (++count < AT_ONCE)
            continue;
        put_fields(d, key->key, fields, count);
        count = 0;
    }
    if (count > 0)
        put_fields(d, key->key, fields, count);
}

static void put_scored(struct dump *d, struct slice key, const struct scored *members, size_t count)
{
    put_command(d, "ZADD", 2 + 2 * count);
    put_slice(d, key);
    for (size_t i = 0; i < count; i++) {
        char score[DOUBLE_TEXT_MAX];
        (void)double_to_text(members[i].score, score);
        put_text(d, score);
        put_slice(d, members[i].member);
    }
}

/* Some members in a command. */
static void put_members(struct dump *d, const struct image_key *key)
{
    enum { AT_ONCE = 64 };
    struct scored scored[AT_ONCE];
    struct slice names[AT_ONCE], rest = key->value;
    while (rest.len > 0) {
        size_t count = 0;
        for (; count < AT_ONCE && rest.len > 0; count++) {
            names[count] = pack_take(&rest);
            if (key->type == OBJECT_ZSET)
                scored_get(names[count], &scored[count]);
        }
        if (key->type == OBJECT_ZSET)
            put_scored(d, key->key, scored, count);
        else
            put_words(d, "SADD", key->key, names, count);
    }
}

static void put_document(struct dump *d, struct slice key, struct slice path, struct slice value)
{
    put_command(d, "JSON.SET", 4);
    put_slice(d, key);
    put_slice(d, path);
    put_slice(d, value);
}

static void put_insertion(struct dump *d, const struct mutation *m)
{
    struct jval_walk walk;
    struct jval_entry entry;
    put_command(d, "JSON.ARRINSERT", 4 + jval_count(m->value));
    put_slice(d, m->key);
    put_slice(d, m->path);
    put_number(d, m->offset);
    jval_walk(m->value, &walk);
    while (jval_next(&walk, &entry))
        put_slice(d, entry.value);
}

static void put_json(struct dump *d, const struct mutation *m)
{
    if (m->kind == MUTATION_JSON_SET)
        put_document(d, m->key, m->path, m->value);
    else if (m->kind == MUTATION_JSON_INSERT)
        put_insertion(d, m);
    else
        put_words(d, "JSON.DEL", m->key, &m->path, 1);
}

static void put_range(struct dump *d, const struct mutation *m)
{
    put_command(d, "SETRANGE", 4);
    put_slice(d, m->key);
    put_number(d, m->offset);
    put_slice(d, m->value);
}

static void put_option(struct dump *d, const char *word, uint64_t value)
{
    if (value == 0)
        return;
    put_text(d, word);
    put_number(d, value);
}

enum { TUNING_WORDS = 10 };

/* All of it, in the words of VCREATE and VALTER. */
static void put_tuning(struct dump *d, const struct spec_tuning *t)
{
    put_text(d, "EF");
    put_number(d, t->ef);
    put_text(d, "ELEMENTTTL");
    put_number(d, t->element_ttl_s);
    put_text(d, "MAXLEN");
    put_number(d, t->max_len);
    put_text(d, "MAXBYTES");
    put_number(d, t->max_bytes);
    put_text(d, "EVICT");
    put_text(d, eviction_name(t->evict));
}

/* The last words of VCREATE. */
static void put_schema(struct dump *d, const struct schema *s)
{
    if (s->count > 0)
        put_text(d, "SCHEMA");
    for (size_t i = 0; i < s->count; i++) {
        put_slice(d, schema_name(s, i));
        put_text(d, schema_kind_name(schema_kind(s, i)));
    }
}

/* Words that put_shape writes. */
static unsigned shape_words(const struct collection_spec *s)
{
    unsigned lists = s->quant == QUANT_PQ && s->subs > 0 ? 10 : 8;
    return s->index == INDEX_FLAT ? 4 : s->index == INDEX_IVF ? lists : 8;
}

static void put_lists(struct dump *d, const struct collection_spec *s)
{
    put_text(d, "NPROBE");
    put_number(d, s->tuning.probes);
    put_text(d, "NLIST");
    if (s->lists > 0)
        put_number(d, s->lists);
    else
        put_text(d, "AUTO");
    if (shape_words(s) < 10)
        return;
    put_text(d, "SUB");
    put_number(d, s->subs);
}

static void put_shape(struct dump *d, const struct collection_spec *s)
{
    put_text(d, "INDEX");
    put_text(d, index_kind_name(s->index));
    put_text(d, "QUANT");
    put_text(d, quant_name(s->quant));
    if (s->index == INDEX_IVF)
        put_lists(d, s);
    if (shape_words(s) == 4 || s->index == INDEX_IVF)
        return;
    put_text(d, "M");
    put_number(d, s->m);
    put_text(d, "EFC");
    put_number(d, s->ef_build);
}

static void put_create(struct dump *d, struct slice key, const struct collection_spec *s)
{
    size_t schema_words = s->schema.count == 0 ? 0 : 1 + 2 * (size_t)s->schema.count;
    put_command(d, "VCREATE", 10 + shape_words(s) + TUNING_WORDS + schema_words);
    put_slice(d, key);
    put_text(d, "DIM");
    put_number(d, s->dim);
    put_text(d, "TYPE");
    put_text(d, type_name(s->type));
    put_text(d, "METRIC");
    put_text(d, metric_name(s->metric));
    put_shape(d, s);
    put_text(d, "ORIGINALS");
    put_text(d, s->keep_originals ? "KEEP" : "DROP");
    put_tuning(d, &s->tuning);
    put_schema(d, &s->schema);
}

/* VPARTITION CREATE or DROP. */
static void put_partition(struct dump *d, const char *what, struct slice key, struct slice name)
{
    put_command(d, "VPARTITION", 4);
    put_text(d, what);
    put_slice(d, key);
    put_slice(d, name);
}

static void put_into(struct dump *d, struct slice partition)
{
    if (partition.len == 0)
        return;
    put_text(d, "PARTITION");
    put_slice(d, partition);
}

/* Multiplies a stored vector by its length, into the room of d; returns its bytes. Types other than
 * FP32 are stored as they came. */
static struct slice scaled(struct dump *d, const void *vector, enum vec_type type, float norm,
                           uint32_t dim)
{
    if (type != TYPE_FP32)
        return (struct slice){vector, type_size(type, dim)};
    memmove(d->vector, vector, dim * sizeof(float));
    for (uint32_t i = 0; i < dim && norm != 1; i++)
        d->vector[i] *= norm;
    return (struct slice){(const uint8_t *)d->vector, dim * sizeof(float)};
}

/* A set made by VADD is made by it again, with the words that it was made with. */
static void put_add(struct dump *d, struct slice key, const struct collection_spec *s,
                    enum vec_type type, struct slice vector, struct slice id, bool set_attribute,
                    struct slice attribute, uint64_t expire_ms, struct slice partition)
{
    static const char *const quants[] = {"NOQUANT", "Q8", "BIN"};
    put_command(d, "VADD",
                5 + (s->implicit ? 5u : 0u) + (set_attribute ? 2u : 0u) +
                    (expire_ms > 0 ? 2u : 0u) + (partition.len > 0 ? 2u : 0u));
    put_slice(d, key);
    put_text(d, type_name(type));
    put_slice(d, vector);
    put_slice(d, id);
    if (s->implicit) {
        put_text(d, quants[s->quant]);
        put_text(d, "EF");
        put_number(d, s->ef_build);
        put_text(d, "M");
        put_number(d, s->m);
    }
    if (set_attribute) {
        put_text(d, "SETATTR");
        put_slice(d, attribute);
    }
    put_option(d, "PXAT", expire_ms);
    put_into(d, partition);
}

static void put_fields_more(struct dump *d, const struct mutation *m)
{
    put_command(d, "FT.ALTER", 4 + m->count);
    put_slice(d, m->key);
    put_text(d, "SCHEMA");
    put_text(d, "ADD");
    for (size_t i = 0; i < m->count; i++)
        put_slice(d, m->ids[i]);
}

/* Words of a dictionary, or synonyms, which never go but with their index. */
static void put_list_of_words(struct dump *d, const struct mutation *m)
{
    if (m->new_key.len == 0) {
        put_words(d, m->kind == MUTATION_WORDS_ADD ? "FT.DICTADD" : "FT.DICTDEL", m->key, m->ids,
                  m->count);
        return;
    }
    put_command(d, "FT.SYNUPDATE", 3 + m->count);
    put_slice(d, m->new_key);
    put_slice(d, m->key);
    for (size_t i = 0; i < m->count; i++)
        put_slice(d, m->ids[i]);
}

static void put_index(struct dump *d, const struct mutation *m)
{
    if (m->kind == MUTATION_INDEX_NEW)
        put_words(d, "FT.CREATE", m->key, m->ids, m->count);
    else if (m->kind == MUTATION_INDEX_REMOVE)
        put_words(d, "FT.DROPINDEX", m->key, NULL, 0);
    else if (m->kind == MUTATION_INDEX_ALTER)
        put_fields_more(d, m);
    else if (m->kind == MUTATION_ALIAS_SET)
        put_words(d, "FT.ALIASUPDATE", m->key, &m->new_key, 1);
    else if (m->kind == MUTATION_ALIAS_REMOVE)
        put_words(d, "FT.ALIASDEL", m->key, NULL, 0);
    else
        put_list_of_words(d, m);
}

/* Lists of a snapshot, of the index of that name or of none. */
struct saved_lists {
    struct dump *dump;
    struct slice index;
};

static enum err put_saved(void *user, struct slice name, const struct slice *words, size_t count)
{
    const struct saved_lists *lists = user;
    struct mutation m = {.kind = MUTATION_WORDS_ADD,
                         .key = name,
                         .new_key = lists->index,
                         .ids = words,
                         .count = count};
    put_list_of_words(lists->dump, &m);
    return OK;
}

static enum err put_indexed(void *user, const struct index_image *w)
{
    put_words(user, "FT.CREATE", w->name, w->words, w->word_count);
    for (size_t i = 0; i < w->alias_count; i++)
        put_words(user, "FT.ALIASADD", w->aliases[i], &w->name, 1);
    struct saved_lists lists = {user, w->name};
    return word_lists_each(w->synonyms, put_saved, &lists, NULL);
}

static void on_snapshot(struct dump *d, const struct manifest *m, const char *file)
{
    (void)file;
    struct saved_lists lists = {.dump = d};
    if (word_lists_each(indexes_dictionaries(m->indexes), put_saved, &lists, NULL) == OK &&
        indexes_each(m->indexes, put_indexed, d, NULL) == OK) /* manifest_decode has seen them */
        write_out(d);
}

static void on_key(struct dump *d, const struct image_key *key)
{
    if (key->type == OBJECT_STRING)
        put_set(d, key->key, key->value, key->expire_ms);
    else if (key->type == OBJECT_HASH)
        put_hash(d, key);
    else if (key->type == OBJECT_LIST)
        put_list(d, key);
    else if (key->type == OBJECT_JSON)
        put_document(d, key->key, slice_of("$"), key->value);
    else if (key->type != OBJECT_COLLECTION)
        put_members(d, key);
    else if (!key->spec.implicit)
        put_create(d, key->key, &key->spec);
    struct bytes_reader reader = image_partitions(key);
    struct partition_name one;
    while (image_partition_next(&reader, &one))
        put_partition(d, "CREATE", key->key, one.name);
    if (key->type == OBJECT_COLLECTION)
        d->projections += key->spec.projection_from > 0;
    write_out(d);
}

static void on_element(struct dump *d, const struct image_key *key,
                       const struct snapshot_element *e)
{
    const void *vector = e->vector;
    enum vec_type type = key->spec.type;
    if (vector == NULL) {
        CHECK(type == TYPE_FP32); /* the others keep their vectors */
        codec_decode(&d->codec, e->code, d->vector);
        vector = d->vector;
    }
    put_add(d, key->key, &key->spec, type, scaled(d, vector, type, e->norm, key->spec.dim), e->id,
            e->attribute.len > 0, e->attribute, e->expire_ms, dump_partition(d, e));
    write_out(d);
}

static void on_key_end(struct dump *d, const struct image_key *key)
{
    if (key->type != OBJECT_STRING && key->expire_ms > 0)
        put_expire(d, key->key, key->expire_ms);
    write_out(d);
}

/* -- of the log -------------------------------------------------------------------------------- */

static struct slice stored(struct dump *d, const struct mutation *m,
                           const struct mutation_element *e)
{
    return scaled(d, e->vector, m->type, e->norm, m->dim);
}

/* Elements [first, end) of a put, which agree on whether they set attributes, and on their time.
 * VMADD asks for none of the words that made the set. */
static void put_many(struct dump *d, const struct mutation *m, size_t first, size_t end)
{
    size_t count = end - first;
    bool attributes = m->elements[first].set_attribute;
    uint64_t expire_ms = m->elements[first].expire_ms;
    put_command(d, "VMADD",
                5 + count + (attributes ? 2 + count : 0) + (expire_ms > 0 ? 2 : 0) +
                    (m->partition.len > 0 ? 2 : 0));
    put_slice(d, m->key);
    put_into(d, m->partition);
    put_text(d, type_name(m->type));
    put_number(d, count);
    for (size_t i = first; i < end; i++)
        put_slice(d, m->elements[i].id);
    buf_printf(&d->text, "$%zu\r\n", count * type_size(m->type, m->dim));
    for (size_t i = first; i < end; i++)
        buf_append_slice(&d->text, stored(d, m, &m->elements[i]));
    buf_append(&d->text, "\r\n", 2);
    if (attributes) {
        put_text(d, "ATTRS");
        put_number(d, count);
    }
    for (size_t i = first; i < end && attributes; i++)
        put_slice(d, m->elements[i].attribute);
    put_option(d, "PXAT", expire_ms);
}

static bool agree(const struct mutation_element *a, const struct mutation_element *b)
{
    return a->set_attribute == b->set_attribute && a->expire_ms == b->expire_ms;
}

static void put_elements(struct dump *d, const struct mutation *m)
{
    size_t first = 0;
    d->vector = mem_realloc(MEM_SCRATCH, d->vector, m->dim * sizeof(float));
    if (m->creates && m->count > 0) {
        const struct mutation_element *e = m->elements;
        d->projections += m->spec.projection_from > 0;
        if (!m->spec.implicit)
            put_create(d, m->key, &m->spec);
        put_add(d, m->key, &m->spec, m->type, stored(d, m, e), e->id, e->set_attribute,
                e->attribute, e->expire_ms, m->partition);
        first = 1;
    }
    while (first < m->count) {
        size_t end = first + 1;
        while (end < m->count && agree(&m->elements[end], &m->elements[first]))
            end++;
        put_many(d, m, first, end);
        first = end;
    }
}

static void put_hash_change(struct dump *d, const struct mutation *m)
{
    if (m->kind == MUTATION_HASH_SET)
        put_fields(d, m->key, m->fields, m->count);
    else if (m->kind == MUTATION_HASH_REMOVE)
        put_words(d, "HDEL", m->key, m->ids, m->count);
    else
        put_field_expire(d, m->key, m->ids, m->count, m->expire_ms);
}

/* As the commands that log them. */
static void put_list_change(struct dump *d, const struct mutation *m)
{
    static const char *const names[] = {[MUTATION_LIST_TRIM] = "LTRIM",
                                        [MUTATION_LIST_SET] = "LSET",
                                        [MUTATION_LIST_INSERT] = "LINSERT",
                                        [MUTATION_LIST_REMOVE] = "LREM"};
    bool inserts = m->kind == MUTATION_LIST_INSERT;
    if (m->kind == MUTATION_LIST_MOVE) {
        put_command(d, "LMOVE", 5);
        put_slice(d, m->key);
        put_slice(d, m->new_key);
        put_text(d, m->at_head ? "LEFT" : "RIGHT");
        put_text(d, m->to_head ? "LEFT" : "RIGHT");
        return;
    }
    if (m->replaces)
        put_words(d, "DEL", m->key, NULL, 0); /* what the key held */
    if (m->kind == MUTATION_LIST_PUSH) {
        put_words(d, m->at_head ? "LPUSH" : "RPUSH", m->key, m->ids, m->count);
        return;
    }
    put_command(d, names[m->kind], inserts ? 5 : 4);
    put_slice(d, m->key);
    if (inserts) {
        put_text(d, m->at_head ? "BEFORE" : "AFTER");
        put_slice(d, m->ids[0]);
        put_slice(d, m->ids[1]);
        return;
    }
    int64_t first = m->kind == MUTATION_LIST_REMOVE ? (int64_t)m->limit : (int64_t)m->offset;
    put_integer(d, m->kind == MUTATION_LIST_REMOVE && !m->at_head ? -first : first);
    if (m->kind == MUTATION_LIST_TRIM)
        put_integer(d, -(int64_t)m->limit - 1);
    else
        put_slice(d, m->value);
}

static void on_record(struct dump *d, const struct log_record *r, const char *file, uint64_t offset)
{
    (void)r, (void)file, (void)offset;
    CHECK(d->text.len == 0 && d->commands == 0);
}

/* What the key held goes first, when it is replaced. */
static void put_set_change(struct dump *d, const struct mutation *m)
{
    if (m->replaces)
        put_words(d, "DEL", m->key, NULL, 0);
    if (m->kind == MUTATION_ZSET_ADD)
        put_scored(d, m->key, m->members, m->count);
    else
        put_words(d,
                  m->kind == MUTATION_SET_ADD      ? "SADD"
                  : m->kind == MUTATION_SET_REMOVE ? "SREM"
                                                   : "ZREM",
                  m->key, m->ids, m->count);
}

static void put_alter(struct dump *d, const struct mutation *m)
{
    const struct collection_spec *s = &m->spec;
    put_command(d, "VALTER", 2 + shape_words(s) + (s->keep_originals ? 0u : 2u) + TUNING_WORDS);
    put_slice(d, m->key);
    put_shape(d, s);
    if (!s->keep_originals) {
        put_text(d, "ORIGINALS");
        put_text(d, "DROP");
    }
    put_tuning(d, &s->tuning);
}

static void on_mutation(struct dump *d, const struct mutation *m)
{
    switch (m->kind) {
    case MUTATION_STRING_SET:
        put_set(d, m->key, m->value, m->expire_ms);
        break;
    case MUTATION_KEY_REMOVE:
        put_words(d, "DEL", m->key, NULL, 0);
        break;
    case MUTATION_FLUSH:
        put_command(d, "FLUSHALL", 1);
        break;
    case MUTATION_COLLECTION_NEW:
        put_create(d, m->key, &m->spec);
        break;
    case MUTATION_COLLECTION_ALTER:
        put_alter(d, m);
        break;
    case MUTATION_PARTITION_NEW:
    case MUTATION_PARTITION_DROP:
        put_partition(d, m->kind == MUTATION_PARTITION_NEW ? "CREATE" : "DROP", m->key,
                      m->partition);
        break;
    case MUTATION_PUT:
        put_elements(d, m);
        break;
    case MUTATION_REMOVE:
        put_words(d, "VREM", m->key, m->ids, m->count);
        break;
    case MUTATION_SET_ATTRIBUTE:
        put_command(d, "VSETATTR", 4);
        put_slice(d, m->key);
        put_slice(d, m->ids[0]);
        put_slice(d, m->value);
        break;
    case MUTATION_KEY_EXPIRE:
        put_expire(d, m->key, m->expire_ms);
        break;
    case MUTATION_KEY_RENAME:
        put_words(d, "RENAME", m->key, &m->new_key, 1);
        break;
    case MUTATION_STRING_RANGE:
        put_range(d, m);
        break;
    case MUTATION_HASH_SET:
    case MUTATION_HASH_REMOVE:
    case MUTATION_HASH_EXPIRE:
        put_hash_change(d, m);
        break;
    MUTATIONS_OF_LISTS:
        put_list_change(d, m);
        break;
    MUTATIONS_OF_SETS:
        put_set_change(d, m);
        break;
    MUTATIONS_OF_JSON:
        put_json(d, m);
        break;
    case MUTATION_INDEX_NEW:
    case MUTATION_INDEX_REMOVE:
    case MUTATION_INDEX_ALTER:
    case MUTATION_ALIAS_SET:
    case MUTATION_ALIAS_REMOVE:
    case MUTATION_WORDS_ADD:
    case MUTATION_WORDS_REMOVE:
        put_index(d, m);
        break;
    case MUTATION_TICK:
        break;
    }
}

static void on_record_end(struct dump *d)
{
    static const char multi[] = "*1\r\n$5\r\nMULTI\r\n", exec[] = "*1\r\n$4\r\nEXEC\r\n";
    bool many = d->commands > 1;
    if (many)
        (void)fwrite(multi, 1, sizeof(multi) - 1, d->out);
    write_out(d);
    if (many)
        (void)fwrite(exec, 1, sizeof(exec) - 1, d->out);
}

const struct dump_ops dump_resp = {on_snapshot, on_key,      on_element,   on_key_end,
                                   on_record,   on_mutation, on_record_end};
