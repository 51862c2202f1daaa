#include "db/mutation.h"

#include <math.h>
#include <string.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "db/partitions.h"
#include "json/edit.h"
#include "json/parse.h"

/* Vectors in a record stand at multiples of this, so that they can be used where they are. */
enum { VECTOR_ALIGNMENT = 8 };

/* What is said of an element of a put. */
enum { ELEMENT_ATTRIBUTE = 1, ELEMENT_EXPIRES = 2, ELEMENT_FLAGS = 3 };

const char *mutation_name(enum mutation_kind kind)
{
    switch (kind) {
#define X(kind_, number, text)                                                                     \
    case kind_:                                                                                    \
        return #kind_;
        MUTATION_LIST(X)
#undef X
    }
    return "unknown mutation";
}

static void pad(struct buf *out, size_t start)
{
    while ((out->len - start) % VECTOR_ALIGNMENT != 0 && !buf_failed(out))
        buf_append_byte(out, 0);
}

static void put_elements(struct buf *out, const struct mutation *m, size_t start)
{
    bytes_put_u8(out, m->creates);
    if (m->creates)
        spec_encode(&m->spec, out);
    bytes_put_slice(out, m->partition);
    bytes_put_u32(out, FIELD_VECTOR);
    bytes_put_u8(out, (uint8_t)m->type);
    bytes_put_u32(out, m->dim);
    bytes_put_u32(out, (uint32_t)m->count);
    pad(out, start);
    for (size_t i = 0; i < m->count; i++)
        buf_append(out, m->elements[i].vector, type_size(m->type, m->dim));
    for (size_t i = 0; i < m->count; i++) {
        const struct mutation_element *e = &m->elements[i];
        bytes_put_f32(out, e->norm);
        bytes_put_slice(out, e->id);
        bytes_put_u8(out, (uint8_t)((e->set_attribute ? ELEMENT_ATTRIBUTE : 0) |
                                    (e->expire_ms > 0 ? ELEMENT_EXPIRES : 0)));
        if (e->set_attribute)
            bytes_put_slice(out, e->attribute);
        if (e->expire_ms > 0)
            bytes_put_u64(out, e->expire_ms);
    }
}

static void put_ids(struct buf *out, const struct mutation *m)
{
    bytes_put_u32(out, (uint32_t)m->count);
    for (size_t i = 0; i < m->count; i++)
        bytes_put_slice(out, m->ids[i]);
}

size_t mutation_size_max(const struct mutation *m)
{
    enum { FIXED = 64, SPEC_FIXED = 512, ELEMENT_FIXED = 32 };
    size_t size =
        FIXED + m->key.len + m->new_key.len + m->value.len + m->partition.len + m->path.len;
    if (m->kind == MUTATION_COLLECTION_NEW || m->kind == MUTATION_COLLECTION_ALTER || m->creates)
        size += SPEC_FIXED + LIMIT_SCHEMA_NAMES;
    for (size_t i = 0; i < m->count && m->ids != NULL; i++)
        size += sizeof(uint32_t) + m->ids[i].len;
    for (size_t i = 0; i < m->count && m->elements != NULL; i++)
        size += ELEMENT_FIXED + type_size(m->type, m->dim) + m->elements[i].id.len +
                m->elements[i].attribute.len;
    for (size_t i = 0; i < m->count && m->fields != NULL; i++)
        size += ELEMENT_FIXED + m->fields[i].name.len + m->fields[i].value.len;
    for (size_t i = 0; i < m->count && m->members != NULL; i++)
        size += ELEMENT_FIXED + m->members[i].member.len;
    return size;
}

/* What is said of a field. */
enum { FIELD_EXPIRES = 1 };

static void put_fields(struct buf *out, const struct mutation *m)
{
    CHECK(m->count > 0);
    bytes_put_u32(out, (uint32_t)m->count);
    for (size_t i = 0; i < m->count; i++) {
        const struct hash_field *f = &m->fields[i];
        bytes_put_slice(out, f->name);
        bytes_put_slice(out, f->value);
        bytes_put_u8(out, f->expire_ms > 0 ? FIELD_EXPIRES : 0);
        if (f->expire_ms > 0)
            bytes_put_u64(out, f->expire_ms);
    }
}

static void put_list(struct buf *out, const struct mutation *m)
{
    if (m->kind == MUTATION_LIST_MOVE) {
        bytes_put_slice(out, m->new_key);
        bytes_put_u8(out, m->at_head);
        bytes_put_u8(out, m->to_head);
        return;
    }
    bool adds = m->kind == MUTATION_LIST_PUSH || m->kind == MUTATION_LIST_INSERT;
    CHECK(m->offset <= UINT32_MAX && m->limit <= UINT32_MAX);
    CHECK(!adds || m->count == 2 || (m->count > 0 && m->kind == MUTATION_LIST_PUSH));
    bytes_put_u8(out, m->at_head);
    if (m->kind == MUTATION_LIST_PUSH)
        bytes_put_u8(out, m->replaces);
    if (adds) {
        put_ids(out, m);
        return;
    }
    bytes_put_u32(out, (uint32_t)m->offset);
    bytes_put_u32(out, (uint32_t)m->limit);
    bytes_put_slice(out, m->value);
}

static uint64_t bits_of(double score)
{
    uint64_t bits;
    memcpy(&bits, &score, sizeof(bits));
    return bits;
}

static void put_members(struct buf *out, const struct mutation *m)
{
    CHECK(m->count > 0);
    bytes_put_u8(out, m->replaces);
    bytes_put_u32(out, (uint32_t)m->count);
    for (size_t i = 0; i < m->count; i++) {
        bytes_put_u64(out, bits_of(m->members[i].score));
        bytes_put_slice(out, m->members[i].member);
    }
}

static void put_json(struct buf *out, const struct mutation *m)
{
    bytes_put_slice(out, m->path);
    if (m->kind == MUTATION_JSON_INSERT)
        bytes_put_u64(out, m->offset);
    if (m->kind != MUTATION_JSON_REMOVE)
        bytes_put_slice(out, m->value);
}

static void put_string(struct buf *out, const struct mutation *m)
{
    bytes_put_u64(out, m->kind == MUTATION_STRING_SET ? m->expire_ms : m->offset);
    bytes_put_slice(out, m->value);
}

static void put_words(struct buf *out, const struct mutation *m)
{
    bytes_put_slice(out, m->new_key);
    put_ids(out, m);
}

void mutation_encode(const struct mutation *m, struct buf *out)
{
    size_t start = out->len;
    bytes_put_u32(out, (uint32_t)m->kind);
    bytes_put_slice(out, m->key);
    switch (m->kind) {
    case MUTATION_STRING_SET:
    case MUTATION_STRING_RANGE:
        put_string(out, m);
        break;
    case MUTATION_KEY_EXPIRE:
        bytes_put_u64(out, m->expire_ms);
        break;
    case MUTATION_KEY_RENAME:
    case MUTATION_ALIAS_SET:
        bytes_put_slice(out, m->new_key);
        break;
    case MUTATION_COLLECTION_NEW:
    case MUTATION_COLLECTION_ALTER:
        spec_encode(&m->spec, out);
        break;
    case MUTATION_PARTITION_NEW:
    case MUTATION_PARTITION_DROP:
        bytes_put_slice(out, m->partition);
        break;
    case MUTATION_PUT:
        put_elements(out, m, start);
        break;
    case MUTATION_REMOVE:
    case MUTATION_HASH_REMOVE:
    case MUTATION_SET_REMOVE:
    case MUTATION_ZSET_REMOVE:
    case MUTATION_INDEX_NEW:
    case MUTATION_INDEX_ALTER:
        put_ids(out, m);
        break;
    case MUTATION_WORDS_ADD:
    case MUTATION_WORDS_REMOVE:
        put_words(out, m);
        break;
    case MUTATION_HASH_SET:
        put_fields(out, m);
        break;
    MUTATIONS_OF_JSON:
        put_json(out, m);
        break;
    case MUTATION_HASH_EXPIRE:
        put_ids(out, m);
        bytes_put_u64(out, m->expire_ms);
        break;
    case MUTATION_SET_ADD:
        bytes_put_u8(out, m->replaces);
        put_ids(out, m);
        break;
    case MUTATION_ZSET_ADD:
        put_members(out, m);
        break;
    case MUTATION_SET_ATTRIBUTE:
        put_ids(out, m);
        bytes_put_slice(out, m->value);
        break;
    MUTATIONS_OF_LISTS:
        put_list(out, m);
        break;
    case MUTATION_KEY_REMOVE:
    case MUTATION_FLUSH:
    case MUTATION_INDEX_REMOVE:
    case MUTATION_ALIAS_REMOVE:
    case MUTATION_TICK:
        break;
    }
    CHECK(buf_failed(out) || out->len - start <= mutation_size_max(m));
}

static void get_padding(struct bytes_reader *r, const uint8_t *start)
{
    size_t at = (size_t)(r->left.ptr - start);
    struct slice padding =
        bytes_get_raw(r, (VECTOR_ALIGNMENT - at % VECTOR_ALIGNMENT) % VECTOR_ALIGNMENT);
    for (size_t i = 0; i < padding.len; i++)
        r->broken |= padding.ptr[i] != 0;
}

/* Times are what fits a client's signed integer. */
static enum err get_time(struct bytes_reader *r, uint64_t *ms)
{
    *ms = bytes_get_u64(r);
    return *ms <= INT64_MAX ? OK : ERR_CORRUPT;
}

/* _default has no name in the log. */
static enum err get_partition(struct bytes_reader *r, struct mutation *m)
{
    m->partition = bytes_get_slice(r);
    bool fits =
        partition_name_fits(m->partition) && !slice_eq(m->partition, partition_default_name());
    return fits ? OK : ERR_CORRUPT;
}

static enum err get_elements(struct bytes_reader *r, struct mutation *m, const uint8_t *start)
{
    m->creates = bytes_get_bool(r);
    if (m->creates && !spec_decode(r, &m->spec))
        return ERR_CORRUPT;
    if (get_partition(r, m) != OK && m->partition.len > 0)
        return ERR_CORRUPT;
    uint32_t field = bytes_get_u32(r);
    uint8_t type = bytes_get_u8(r);
    m->dim = bytes_get_u32(r);
    uint32_t count = bytes_get_u32(r);
    get_padding(r, start);
    if (r->broken || field != FIELD_VECTOR || type >= TYPE_COUNT)
        return ERR_CORRUPT;
    m->type = (enum vec_type)type;
    if (m->dim == 0 || m->dim > LIMIT_DIM || (m->type == TYPE_BIT && m->dim % TYPE_BIT_DIM != 0))
        return ERR_CORRUPT;
    if (m->creates && (m->spec.dim != m->dim || m->spec.type != m->type))
        return ERR_CORRUPT;
    size_t size = type_size(m->type, m->dim);
    struct slice vectors = bytes_get_raw(r, count * size);
    if (r->broken)
        return ERR_CORRUPT;
    m->elements = mem_try_calloc(MEM_LOG, count * sizeof(*m->elements));
    if (m->elements == NULL)
        return ERR_NOMEM;
    m->count = count;
    for (uint32_t i = 0; i < count; i++) {
        struct mutation_element *e = &m->elements[i];
        e->vector = vectors.ptr + i * size;
        e->norm = bytes_get_f32(r);
        e->id = bytes_get_slice(r);
        uint8_t flags = bytes_get_u8(r);
        e->set_attribute = (flags & ELEMENT_ATTRIBUTE) != 0;
        if (e->set_attribute)
            e->attribute = bytes_get_slice(r);
        if (flags & ELEMENT_EXPIRES)
            r->broken |= get_time(r, &e->expire_ms) != OK || e->expire_ms == 0;
        r->broken |= flags > ELEMENT_FLAGS;
    }
    return r->broken ? ERR_CORRUPT : OK;
}

static enum err get_ids(struct bytes_reader *r, struct mutation *m)
{
    uint32_t count = bytes_get_u32(r);
    if (r->broken || count > r->left.len / sizeof(uint32_t))
        return ERR_CORRUPT;
    struct slice *ids = mem_try_calloc(MEM_LOG, count * sizeof(*ids));
    if (ids == NULL)
        return ERR_NOMEM;
    m->ids = ids;
    m->count = count;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = bytes_get_slice(r);
    return r->broken ? ERR_CORRUPT : OK;
}

static enum err get_fields(struct bytes_reader *r, struct mutation *m)
{
    enum { FIELD_SIZE_MIN = 9 };
    uint32_t count = bytes_get_u32(r);
    if (r->broken || count == 0 || count > r->left.len / FIELD_SIZE_MIN)
        return ERR_CORRUPT;
    struct hash_field *fields = mem_try_calloc(MEM_LOG, count * sizeof(*fields));
    if (fields == NULL)
        return ERR_NOMEM;
    m->fields = fields;
    m->count = count;
    for (uint32_t i = 0; i < count; i++) {
        fields[i].name = bytes_get_slice(r);
        fields[i].value = bytes_get_slice(r);
        uint8_t flags = bytes_get_u8(r);
        if (flags & FIELD_EXPIRES)
            r->broken |= get_time(r, &fields[i].expire_ms) != OK || fields[i].expire_ms == 0;
        r->broken |= flags > FIELD_EXPIRES;
    }
    return r->broken ? ERR_CORRUPT : OK;
}

static enum err get_list(struct bytes_reader *r, struct mutation *m)
{
    if (m->kind == MUTATION_LIST_MOVE) {
        m->new_key = bytes_get_slice(r);
        m->at_head = bytes_get_bool(r);
        m->to_head = bytes_get_bool(r);
        return r->broken ? ERR_CORRUPT : OK;
    }
    m->at_head = bytes_get_bool(r);
    if (m->kind == MUTATION_LIST_PUSH)
        m->replaces = bytes_get_bool(r);
    if (m->kind == MUTATION_LIST_PUSH || m->kind == MUTATION_LIST_INSERT) {
        enum err e = get_ids(r, m);
        bool fits = m->count == 2 || (m->count > 0 && m->kind == MUTATION_LIST_PUSH);
        return e == OK && !fits ? ERR_CORRUPT : e;
    }
    bool trims = m->kind == MUTATION_LIST_TRIM, sets = m->kind == MUTATION_LIST_SET;
    m->offset = bytes_get_u32(r);
    m->limit = bytes_get_u32(r);
    m->value = bytes_get_slice(r);
    /* What the kind does not need is nothing, so that there is one way to write it. */
    bool spare = (m->at_head && (trims || sets)) || (m->limit > 0 && sets) ||
                 (m->value.len > 0 && trims) || (m->offset > 0 && !trims && !sets);
    return r->broken || spare ? ERR_CORRUPT : OK;
}

static enum err get_members(struct bytes_reader *r, struct mutation *m)
{
    enum { MEMBER_SIZE_MIN = 12 };
    m->replaces = bytes_get_bool(r);
    uint32_t count = bytes_get_u32(r);
    if (r->broken || count == 0 || count > r->left.len / MEMBER_SIZE_MIN)
        return ERR_CORRUPT;
    struct scored *members = mem_try_calloc(MEM_LOG, count * sizeof(*members));
    if (members == NULL)
        return ERR_NOMEM;
    m->members = members;
    m->count = count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bits = bytes_get_u64(r);
        memcpy(&members[i].score, &bits, sizeof(bits));
        members[i].member = bytes_get_slice(r);
        r->broken |= isnan(members[i].score);
    }
    return r->broken ? ERR_CORRUPT : OK;
}

static enum err get_set(struct bytes_reader *r, struct mutation *m)
{
    bool adds = m->kind == MUTATION_SET_ADD;
    if (m->kind == MUTATION_ZSET_ADD)
        return get_members(r, m);
    if (adds)
        m->replaces = bytes_get_bool(r);
    enum err e = get_ids(r, m);
    return e == OK && adds && m->count == 0 ? ERR_CORRUPT : e;
}

/* A part of a document, or all of it. */
static enum err get_json(struct bytes_reader *r, struct mutation *m)
{
    bool inserts = m->kind == MUTATION_JSON_INSERT;
    m->path = bytes_get_slice(r);
    if (inserts)
        m->offset = bytes_get_u64(r);
    if (r->broken || !jplace_check(m->path))
        return ERR_CORRUPT;
    if (m->kind == MUTATION_JSON_REMOVE)
        return m->path.len > 1 ? OK : ERR_CORRUPT;
    m->value = bytes_get_slice(r);
    if (r->broken || (inserts && (m->value.len < 3 || m->value.ptr[0] != '[')))
        return ERR_CORRUPT;
    return jparse_check(m->value);
}

static enum err get_range(struct bytes_reader *r, struct mutation *m)
{
    m->offset = bytes_get_u64(r);
    m->value = bytes_get_slice(r);
    bool over = m->offset > LIMIT_STRING_SIZE || m->offset + m->value.len > LIMIT_STRING_SIZE;
    return over ? ERR_CORRUPT : OK;
}

static enum err get_words(struct bytes_reader *r, struct mutation *m)
{
    m->new_key = bytes_get_slice(r);
    return get_ids(r, m);
}

static enum err get_body(struct bytes_reader *r, struct mutation *m, const uint8_t *start)
{
    enum err e = OK;
    switch (m->kind) {
    case MUTATION_STRING_SET:
        e = get_time(r, &m->expire_ms);
        m->value = bytes_get_slice(r);
        break;
    case MUTATION_KEY_EXPIRE:
        e = get_time(r, &m->expire_ms);
        break;
    case MUTATION_KEY_RENAME:
    case MUTATION_ALIAS_SET:
        m->new_key = bytes_get_slice(r);
        break;
    case MUTATION_STRING_RANGE:
        e = get_range(r, m);
        break;
    case MUTATION_COLLECTION_NEW:
    case MUTATION_COLLECTION_ALTER:
        e = spec_decode(r, &m->spec) ? OK : ERR_CORRUPT;
        break;
    case MUTATION_PARTITION_NEW:
    case MUTATION_PARTITION_DROP:
        e = get_partition(r, m);
        break;
    case MUTATION_PUT:
        e = get_elements(r, m, start);
        break;
    case MUTATION_SET_ATTRIBUTE:
        e = get_ids(r, m);
        m->value = bytes_get_slice(r);
        if (e == OK && m->count != 1)
            e = ERR_CORRUPT;
        break;
    case MUTATION_REMOVE:
    case MUTATION_HASH_REMOVE:
    case MUTATION_INDEX_NEW:
    case MUTATION_INDEX_ALTER:
        e = get_ids(r, m);
        break;
    case MUTATION_WORDS_ADD:
    case MUTATION_WORDS_REMOVE:
        e = get_words(r, m);
        break;
    case MUTATION_HASH_SET:
        e = get_fields(r, m);
        break;
    MUTATIONS_OF_LISTS:
        e = get_list(r, m);
        break;
    MUTATIONS_OF_JSON:
        e = get_json(r, m);
        break;
    MUTATIONS_OF_SETS:
        e = get_set(r, m);
        break;
    case MUTATION_HASH_EXPIRE:
        e = get_ids(r, m);
        if (e == OK)
            e = get_time(r, &m->expire_ms);
        break;
    case MUTATION_KEY_REMOVE:
    case MUTATION_FLUSH:
    case MUTATION_INDEX_REMOVE:
    case MUTATION_ALIAS_REMOVE:
    case MUTATION_TICK:
        break;
    default:
        e = ERR_CORRUPT;
    }
    return e;
}

enum err mutation_decode(struct slice bytes, struct mutation *out, struct why *why)
{
    struct bytes_reader r = {.left = bytes};
    *out = (struct mutation){0};
    out->kind = (enum mutation_kind)bytes_get_u32(&r);
    out->key = bytes_get_slice(&r);
    enum err e = r.broken ? ERR_CORRUPT : get_body(&r, out, bytes.ptr);
    if (e == OK && (r.broken || r.left.len > 0))
        e = ERR_CORRUPT;
    if (e == OK)
        return OK;
    mutation_free(out);
    return e == ERR_CORRUPT ? why_set(why, e, "a record of %zu bytes is not a mutation", bytes.len)
                            : e;
}

void mutation_free(struct mutation *m)
{
    mem_free(MEM_LOG, m->elements);
    mem_free(MEM_LOG, (void *)m->ids);
    mem_free(MEM_LOG, (void *)m->fields);
    mem_free(MEM_LOG, (void *)m->members);
    m->elements = NULL;
    m->ids = NULL;
    m->fields = NULL;
    m->members = NULL;
    m->count = 0;
}
