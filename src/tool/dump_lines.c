/* dump_lines.c: a line for every key, element and change. Long values are cut, and their size and
 * checksum are printed, so that two dumps differ where the data do. */
#include "tool/dump_format.h"
#include "types/list.h"

#include <inttypes.h>
#include <time.h>

#include "base/crc32c.h"
#include "net/resp_write.h"

enum { BYTES_SHOWN = 64, NUMBERS_SHOWN = 4 };

static void put_quoted(struct dump *d, struct slice s)
{
    size_t shown = s.len < BYTES_SHOWN ? s.len : BYTES_SHOWN;
    buf_append_byte(&d->text, '"');
    for (size_t i = 0; i < shown; i++) {
        uint8_t c = s.ptr[i];
        if (c == '"' || c == '\\')
            buf_printf(&d->text, "\\%c", c);
        else if (c >= ' ' && c < 127)
            buf_append_byte(&d->text, c);
        else
            buf_printf(&d->text, "\\x%02x", c);
    }
    buf_append_byte(&d->text, '"');
    if (s.len > shown)
        buf_printf(&d->text, "... (%zu bytes, crc %08" PRIx32 ")", s.len, crc32c(s));
}

static void put_time(struct dump *d, uint64_t ms)
{
    char text[32];
    struct tm tm;
    time_t seconds = (time_t)(ms / 1000);
    if (gmtime_r(&seconds, &tm) == NULL ||
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
        text[0] = '\0';
    buf_printf(&d->text, "%s.%03uZ", text, (unsigned)(ms % 1000));
}

static void put_expiry(struct dump *d, uint64_t ms)
{
    if (ms == 0)
        return;
    buf_append_text(&d->text, " expires ");
    put_time(d, ms);
}

static void put_vector(struct dump *d, enum vec_type type, const void *vector, uint32_t dim,
                       float norm)
{
    struct slice bytes = {vector, type_size(type, dim)};
    float shown[NUMBERS_SHOWN];
    uint32_t count = dim < NUMBERS_SHOWN ? dim : NUMBERS_SHOWN;
    type_decode(type, vector, count, shown);
    buf_append_text(&d->text, " [");
    for (uint32_t i = 0; i < count; i++)
        buf_printf(&d->text, "%s%.9g", i == 0 ? "" : " ", (double)shown[i]);
    buf_printf(&d->text, "%s] crc %08" PRIx32 " norm %.9g", dim > NUMBERS_SHOWN ? " ..." : "",
               crc32c(bytes), (double)norm);
}

static void put_spec(struct dump *d, const struct collection_spec *s)
{
    buf_printf(&d->text, " dim %u %s %s %s %s M %u EFC %u EF %u originals %s%s seed %016" PRIx64,
               s->dim, type_name(s->type), metric_name(s->metric), index_kind_name(s->index),
               quant_name(s->quant), s->m, s->ef_build, s->tuning.ef,
               s->keep_originals ? "kept" : "dropped", s->implicit ? " made by VADD" : "", s->seed);
    if (s->index == INDEX_IVF)
        buf_printf(&d->text, " lists %u parts %u probes %u", s->lists, s->subs, s->tuning.probes);
    if (s->projection_from > 0)
        buf_printf(&d->text, " projected from %u", s->projection_from);
    if (s->tuning.element_ttl_s > 0)
        buf_printf(&d->text, " elements live %u s", s->tuning.element_ttl_s);
    if (s->tuning.max_len > 0)
        buf_printf(&d->text, " at most %" PRIu64 " elements", s->tuning.max_len);
    if (s->tuning.max_bytes > 0)
        buf_printf(&d->text, " at most %" PRIu64 " bytes", s->tuning.max_bytes);
    if (s->tuning.evict != EVICT_REFUSE)
        buf_printf(&d->text, " evicts %s", eviction_name(s->tuning.evict));
    for (size_t i = 0; i < s->schema.count; i++) {
        struct slice name = schema_name(&s->schema, i);
        buf_printf(&d->text, " field %.*s %s", (int)name.len, (const char *)name.ptr,
                   schema_kind_name(schema_kind(&s->schema, i)));
    }
}

static void put_partition(struct dump *d, struct slice name)
{
    if (name.len > 0)
        buf_printf(&d->text, " partition %.*s", (int)name.len, (const char *)name.ptr);
}

static void write_line(struct dump *d)
{
    buf_append_byte(&d->text, '\n');
    CHECK(!buf_failed(&d->text));
    (void)fwrite(d->text.ptr, 1, d->text.len, d->out);
    buf_clear(&d->text, SIZE_MAX);
}

/* -- of the snapshot --------------------------------------------------------------------------- */

static void on_snapshot(struct dump *d, const struct manifest *m, const char *file)
{
    buf_printf(&d->text, "snapshot %s lsn %" PRIu64 " taken ", file, m->lsn);
    put_time(d, m->wall_ms);
    buf_printf(&d->text, " keys %" PRIu64, m->key_count);
    write_line(d);
}

static void put_field(struct dump *d, const struct hash_field *f)
{
    buf_append_byte(&d->text, ' ');
    put_quoted(d, f->name);
    buf_append_byte(&d->text, ' ');
    put_quoted(d, f->value);
    put_expiry(d, f->expire_ms);
}

/* A line for each field. */
static void put_hash(struct dump *d, const struct image_key *key)
{
    struct hash_field f;
    struct slice rest = key->value;
    while (hash_next(&rest, &f)) {
        buf_append_text(&d->text, "field ");
        put_quoted(d, key->key);
        put_field(d, &f);
        write_line(d);
    }
}

/* A line for each value. */
static void put_list(struct dump *d, const struct image_key *key)
{
    struct slice value, rest = key->value;
    while (list_next(&rest, &value)) {
        buf_append_text(&d->text, "value ");
        put_quoted(d, key->key);
        buf_append_byte(&d->text, ' ');
        put_quoted(d, value);
        write_line(d);
    }
}

static void put_scored(struct dump *d, const struct scored *s)
{
    char score[DOUBLE_TEXT_MAX];
    buf_append_byte(&d->text, ' ');
    put_quoted(d, s->member);
    (void)double_to_text(s->score, score);
    buf_printf(&d->text, " %s", score);
}

/* A line for each member. */
static void put_members(struct dump *d, const struct image_key *key)
{
    struct slice rest = key->value;
    while (rest.len > 0) {
        struct slice entry = pack_take(&rest);
        buf_append_text(&d->text, "member ");
        put_quoted(d, key->key);
        if (key->type == OBJECT_ZSET) {
            struct scored s;
            scored_get(entry, &s);
            put_scored(d, &s);
        } else {
            buf_append_byte(&d->text, ' ');
            put_quoted(d, entry);
        }
        write_line(d);
    }
}

static void put_entries(struct dump *d, const struct image_key *key)
{
    if (key->type == OBJECT_HASH)
        put_hash(d, key);
    else if (key->type == OBJECT_LIST)
        put_list(d, key);
    else if (key->type == OBJECT_SET || key->type == OBJECT_ZSET)
        put_members(d, key);
}

static void on_key(struct dump *d, const struct image_key *key)
{
    if (key->more) {
        put_entries(d, key);
        return;
    }
    buf_printf(&d->text, "%s ", object_type_name(key->type));
    put_quoted(d, key->key);
    if (key->type == OBJECT_STRING || key->type == OBJECT_JSON) {
        buf_append_byte(&d->text, ' ');
        put_quoted(d, key->value);
    } else if (key->type == OBJECT_COLLECTION) {
        buf_printf(&d->text, " uid %" PRIu64, key->uid);
        put_spec(d, &key->spec);
        struct bytes_reader reader = image_partitions(key);
        struct partition_name one;
        while (image_partition_next(&reader, &one))
            put_partition(d, one.name);
    }
    put_expiry(d, key->expire_ms);
    write_line(d);
    put_entries(d, key);
}

static void on_element(struct dump *d, const struct image_key *key,
                       const struct snapshot_element *e)
{
    buf_append_text(&d->text, "element ");
    put_quoted(d, key->key);
    buf_append_byte(&d->text, ' ');
    put_quoted(d, e->id);
    if (e->vector != NULL)
        put_vector(d, key->spec.type, e->vector, key->spec.dim, e->norm);
    else
        buf_printf(&d->text, " code crc %08" PRIx32 " norm %.9g",
                   crc32c((struct slice){e->code, d->codec.row_size}), (double)e->norm);
    if (e->attribute.len > 0) {
        buf_append_byte(&d->text, ' ');
        put_quoted(d, e->attribute);
    }
    put_partition(d, dump_partition(d, e));
    put_expiry(d, e->expire_ms);
    write_line(d);
}

static void on_key_end(struct dump *d, const struct image_key *key)
{
    (void)d, (void)key;
}

/* -- of the log -------------------------------------------------------------------------------- */

static void on_record(struct dump *d, const struct log_record *r, const char *file, uint64_t offset)
{
    d->record = *r;
    d->file = file;
    d->offset = offset;
}

static void put_elements(struct dump *d, const struct mutation *m)
{
    if (m->creates)
        put_spec(d, &m->spec);
    put_partition(d, m->partition);
    for (size_t i = 0; i < m->count; i++) {
        const struct mutation_element *e = &m->elements[i];
        buf_append_byte(&d->text, ' ');
        put_quoted(d, e->id);
        put_vector(d, m->type, e->vector, m->dim, e->norm);
        if (e->set_attribute) {
            buf_append_byte(&d->text, ' ');
            put_quoted(d, e->attribute);
        }
        put_expiry(d, e->expire_ms);
    }
}

static void put_ids(struct dump *d, const struct mutation *m)
{
    for (size_t i = 0; i < m->count; i++) {
        buf_append_byte(&d->text, ' ');
        put_quoted(d, m->ids[i]);
    }
}

static void put_end(struct dump *d, uint64_t expire_ms)
{
    if (expire_ms == 0)
        buf_append_text(&d->text, " never expires");
    put_expiry(d, expire_ms);
}

static void put_json(struct dump *d, const struct mutation *m)
{
    buf_append_byte(&d->text, ' ');
    put_quoted(d, m->path);
    if (m->kind == MUTATION_JSON_INSERT)
        buf_printf(&d->text, " at %" PRIu64, m->offset);
    if (m->kind == MUTATION_JSON_REMOVE)
        return;
    buf_append_byte(&d->text, ' ');
    put_quoted(d, m->value);
}

static void put_list_change(struct dump *d, const struct mutation *m)
{
    bool trims = m->kind == MUTATION_LIST_TRIM, sets = m->kind == MUTATION_LIST_SET;
    bool inserts = m->kind == MUTATION_LIST_INSERT;
    if (trims) {
        buf_printf(&d->text, " head %" PRIu64 " tail %" PRIu64, m->offset, m->limit);
        return;
    }
    if (m->kind == MUTATION_LIST_MOVE) {
        buf_append_text(&d->text, m->at_head ? " head to " : " tail to ");
        put_quoted(d, m->new_key);
        buf_append_text(&d->text, m->to_head ? " head" : " tail");
        return;
    }
    if (sets)
        buf_printf(&d->text, " at %" PRIu64, m->offset);
    else if (inserts)
        buf_append_text(&d->text, m->at_head ? " before" : " after");
    else
        buf_append_text(&d->text, m->at_head ? " head" : " tail");
    buf_append_text(&d->text, m->replaces ? " replaces" : "");
    if (m->kind == MUTATION_LIST_REMOVE)
        buf_printf(&d->text, " %" PRIu64, m->limit);
    put_ids(d, m);
    if (m->count > 0)
        return;
    buf_append_byte(&d->text, ' ');
    put_quoted(d, m->value);
}

static void put_set_change(struct dump *d, const struct mutation *m)
{
    buf_append_text(&d->text, m->replaces ? " replaces" : "");
    for (size_t i = 0; m->kind == MUTATION_ZSET_ADD && i < m->count; i++)
        put_scored(d, &m->members[i]);
    if (m->kind != MUTATION_ZSET_ADD)
        put_ids(d, m);
}

/* What stands behind the key, by kind. */
static void put_rest(struct dump *d, const struct mutation *m)
{
    switch (m->kind) {
    case MUTATION_STRING_SET:
        buf_append_byte(&d->text, ' ');
        put_quoted(d, m->value);
        put_expiry(d, m->expire_ms);
        break;
    case MUTATION_COLLECTION_NEW:
    case MUTATION_COLLECTION_ALTER:
        put_spec(d, &m->spec);
        break;
    case MUTATION_PUT:
        put_elements(d, m);
        break;
    case MUTATION_PARTITION_NEW:
    case MUTATION_PARTITION_DROP:
        put_partition(d, m->partition);
        break;
    case MUTATION_REMOVE:
    case MUTATION_HASH_REMOVE:
    case MUTATION_INDEX_NEW:
    case MUTATION_INDEX_ALTER:
        put_ids(d, m);
        break;
    MUTATIONS_OF_SETS:
        put_set_change(d, m);
        break;
    case MUTATION_HASH_SET:
        for (size_t i = 0; i < m->count; i++)
            put_field(d, &m->fields[i]);
        break;
    case MUTATION_HASH_EXPIRE:
        put_ids(d, m);
        put_end(d, m->expire_ms);
        break;
    case MUTATION_SET_ATTRIBUTE:
        put_ids(d, m);
        buf_append_byte(&d->text, ' ');
        put_quoted(d, m->value);
        break;
    case MUTATION_KEY_EXPIRE:
        put_end(d, m->expire_ms);
        break;
    case MUTATION_KEY_RENAME:
    case MUTATION_ALIAS_SET:
        buf_append_byte(&d->text, ' ');
        put_quoted(d, m->new_key);
        break;
    case MUTATION_WORDS_ADD:
    case MUTATION_WORDS_REMOVE:
        buf_append_byte(&d->text, ' ');
        put_quoted(d, m->new_key);
        put_ids(d, m);
        break;
    case MUTATION_STRING_RANGE:
        buf_printf(&d->text, " at %" PRIu64 " ", m->offset);
        put_quoted(d, m->value);
        break;
    MUTATIONS_OF_LISTS:
        put_list_change(d, m);
        break;
    MUTATIONS_OF_JSON:
        put_json(d, m);
        break;
    case MUTATION_KEY_REMOVE:
    case MUTATION_FLUSH:
    case MUTATION_INDEX_REMOVE:
    case MUTATION_ALIAS_REMOVE:
    case MUTATION_TICK:
        break;
    }
}

static void on_mutation(struct dump *d, const struct mutation *m)
{
    static const char prefix[] = "MUTATION_";
    buf_printf(&d->text, "%" PRIu64 " ", d->record.lsn);
    put_time(d, d->record.wall_ms);
    buf_printf(&d->text, " %s:%" PRIu64 " %s", d->file, d->offset,
               mutation_name(m->kind) + sizeof(prefix) - 1);
    if (m->key.len > 0 || (m->kind != MUTATION_FLUSH && m->kind != MUTATION_TICK)) {
        buf_append_byte(&d->text, ' ');
        put_quoted(d, m->key);
    }
    put_rest(d, m);
    write_line(d);
}

static void on_record_end(struct dump *d)
{
    (void)d;
}

const struct dump_ops dump_lines = {on_snapshot, on_key,      on_element,   on_key_end,
                                    on_record,   on_mutation, on_record_end};
