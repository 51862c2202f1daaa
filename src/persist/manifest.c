#include "persist/manifest.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "db/indexes_image.h"
#include "persist/fields.h"

/* The header:
 *
 *   0  magic "VDBMANIF"     8  u32 version     12  u32 flags (0)
 *  16  u64 lsn             24  u64 LSN of the generation before
 *  32  u64 next uid        40  u64 wall clock, ms since 1970
 *  48  u64 keys            56  u32 places of the keyspace
 *  60  u32 packs           64  u32 collections          68  u32 chunks
 *  72  u64 bytes behind the header              80  u32 CRC of them
 *  84  u32 bytes of indexes   88  zeros          124  u32 CRC of bytes 0 .. 123 */
enum { HEADER_ZEROS = 88, HEADER_CRC = 124 };

static const uint8_t magic[8] = {'V', 'D', 'B', 'M', 'A', 'N', 'I', 'F'};

enum { FLAG_GRAPH = 1 };

void manifest_fini(struct manifest *m)
{
    mem_free(MEM_SNAPSHOT, m->packs);
    mem_free(MEM_SNAPSHOT, m->collections);
    mem_free(MEM_SNAPSHOT, m->chunks);
    mem_free(MEM_SNAPSHOT, (void *)m->indexes.ptr);
    *m = (struct manifest){0};
}

/* -- writing ----------------------------------------------------------------------------------- */

static void put_collection(struct buf *out, const struct manifest_collection *c)
{
    bytes_put_u64(out, c->uid);
    bytes_put_u32(out, c->rows_end);
    bytes_put_u32(out, c->live);
    bytes_put_u32(out, c->attributes);
    bytes_put_u32(out, c->upper_lists);
    bytes_put_u32(out, c->rows_span);
    bytes_put_u32(out, c->links_span);
    bytes_put_u32(out, c->attributes_span);
    bytes_put_u32(out, c->alive_span);
    bytes_put_u32(out, c->has_graph ? FLAG_GRAPH : 0);
    bytes_put_u32(out, c->layout);
    bytes_put_u64(out, c->heap_bytes);
}

static void put_chunk(uint8_t *to, const struct chunk *c)
{
    CHECK(chunk_kind_name(c->kind) != NULL);
    field_put_u64(to, c->uid);
    field_put_u32(to + 8, c->index);
    field_put_u16(to + 12, c->part);
    to[14] = (uint8_t)c->kind;
    to[15] = 0;
    field_put_u64(to + 16, c->lsn);
    field_put_u64(to + 24, c->offset);
    field_put_u32(to + 32, c->pack);
    field_put_u32(to + 36, c->size);
    field_put_u32(to + 40, c->count);
    field_put_u32(to + 44, c->crc);
    field_put_u64(to + 48, c->hash[0]);
    field_put_u64(to + 56, c->hash[1]);
}

static void put_body(const struct manifest *m, struct buf *out)
{
    for (uint32_t i = 0; i < m->pack_count; i++) {
        bytes_put_u32(out, m->packs[i].id);
        bytes_put_u32(out, 0);
        bytes_put_u64(out, m->packs[i].size);
    }
    for (uint32_t i = 0; i < m->collection_count; i++)
        put_collection(out, &m->collections[i]);
    uint8_t *to = buf_reserve(out, (size_t)m->chunk_count * CHUNK_ENTRY_SIZE);
    if (to == NULL)
        return;
    for (uint32_t i = 0; i < m->chunk_count; i++)
        put_chunk(to + (size_t)i * CHUNK_ENTRY_SIZE, &m->chunks[i]);
    buf_advance(out, (size_t)m->chunk_count * CHUNK_ENTRY_SIZE);
    buf_append_slice(out, m->indexes);
}

void manifest_encode(const struct manifest *m, struct buf *out)
{
    size_t start = out->len;
    CHECK(m->pack_count == 0 || m->packs != NULL);
    CHECK(m->chunk_count == 0 || m->chunks != NULL);
    static const uint8_t zeros[MANIFEST_HEADER_SIZE] = {0};
    buf_append(out, zeros, sizeof(zeros));
    put_body(m, out);
    if (buf_failed(out))
        return;
    uint8_t *header = out->ptr + start;
    size_t size = out->len - start - MANIFEST_HEADER_SIZE;
    memcpy(header, magic, sizeof(magic));
    field_put_u32(header + 8, MANIFEST_VERSION);
    field_put_u64(header + 16, m->lsn);
    field_put_u64(header + 24, m->previous_lsn);
    field_put_u64(header + 32, m->next_uid);
    field_put_u64(header + 40, m->wall_ms);
    field_put_u64(header + 48, m->key_count);
    field_put_u32(header + 56, m->slots_end);
    field_put_u32(header + 60, m->pack_count);
    field_put_u32(header + 64, m->collection_count);
    field_put_u32(header + 68, m->chunk_count);
    field_put_u64(header + 72, size);
    field_put_u32(header + 80, crc32c_extend(0, header + MANIFEST_HEADER_SIZE, size));
    field_put_u32(header + 84, (uint32_t)m->indexes.len);
    field_put_u32(header + HEADER_CRC, crc32c_extend(0, header, HEADER_CRC));
}

/* -- reading ----------------------------------------------------------------------------------- */

static enum err get_header(struct slice bytes, struct manifest *m, struct why *why)
{
    const uint8_t *header = bytes.ptr;
    if (bytes.len < MANIFEST_HEADER_SIZE)
        return why_set(why, ERR_CORRUPT, "a manifest of %zu bytes", bytes.len);
    if (memcmp(header, magic, sizeof(magic)) != 0)
        return why_set(why, ERR_CORRUPT, "byte 0: not a manifest");
    if (field_u32(header + HEADER_CRC) != crc32c_extend(0, header, HEADER_CRC))
        return why_set(why, ERR_CORRUPT, "byte 0: the checksum of the header is wrong");
    if (field_u32(header + 8) != MANIFEST_VERSION)
        return why_set(why, ERR_UNSUPPORTED, "a manifest of version %u; this is version %d",
                       field_u32(header + 8), MANIFEST_VERSION);
    m->lsn = field_u64(header + 16);
    m->previous_lsn = field_u64(header + 24);
    m->next_uid = field_u64(header + 32);
    m->wall_ms = field_u64(header + 40);
    m->key_count = field_u64(header + 48);
    m->slots_end = field_u32(header + 56);
    m->pack_count = field_u32(header + 60);
    m->collection_count = field_u32(header + 64);
    m->chunk_count = field_u32(header + 68);
    size_t size = (size_t)m->pack_count * MANIFEST_PACK_SIZE +
                  (size_t)m->collection_count * MANIFEST_COLLECTION_SIZE +
                  (size_t)m->chunk_count * CHUNK_ENTRY_SIZE + field_u32(header + 84);
    if (field_u64(header + 72) != size || bytes.len - MANIFEST_HEADER_SIZE != size)
        return why_set(why, ERR_CORRUPT, "byte 72: a manifest of %zu bytes that should have %zu",
                       bytes.len, size + MANIFEST_HEADER_SIZE);
    if (field_u32(header + 80) != crc32c_extend(0, header + MANIFEST_HEADER_SIZE, size))
        return why_set(why, ERR_CORRUPT, "byte %d: the checksum of the lists is wrong",
                       MANIFEST_HEADER_SIZE);
    for (size_t i = HEADER_ZEROS; i < HEADER_CRC; i++)
        if (header[i] != 0)
            return why_set(why, ERR_CORRUPT, "byte %zu: not zero", i);
    if (field_u32(header + 12) != 0)
        return why_set(why, ERR_CORRUPT, "byte 12: unknown flags");
    if (m->previous_lsn > m->lsn || m->next_uid == 0 || m->key_count > m->slots_end)
        return why_set(why, ERR_CORRUPT, "byte 16: numbers that contradict one another");
    return OK;
}

static enum err get_packs(struct bytes_reader *r, struct manifest *m, struct why *why)
{
    for (uint32_t i = 0; i < m->pack_count; i++) {
        struct manifest_pack *p = &m->packs[i];
        p->id = bytes_get_u32(r);
        uint32_t zero = bytes_get_u32(r);
        p->size = bytes_get_u64(r);
        if (zero != 0 || p->size < PACK_HEADER_SIZE || (i > 0 && p[-1].id >= p->id))
            return why_set(why, ERR_CORRUPT, "pack %u is described wrongly", i);
    }
    return OK;
}

static enum err get_collections(struct bytes_reader *r, struct manifest *m, struct why *why)
{
    for (uint32_t i = 0; i < m->collection_count; i++) {
        struct manifest_collection *c = &m->collections[i];
        c->uid = bytes_get_u64(r);
        c->rows_end = bytes_get_u32(r);
        c->live = bytes_get_u32(r);
        c->attributes = bytes_get_u32(r);
        c->upper_lists = bytes_get_u32(r);
        c->rows_span = bytes_get_u32(r);
        c->links_span = bytes_get_u32(r);
        c->attributes_span = bytes_get_u32(r);
        c->alive_span = bytes_get_u32(r);
        uint32_t flags = bytes_get_u32(r);
        c->layout = bytes_get_u32(r);
        c->heap_bytes = bytes_get_u64(r);
        c->has_graph = (flags & FLAG_GRAPH) != 0;
        /* The graph's spans hold whole words of the bits that are set in parallel. */
        bool spans = c->rows_span > 0 && c->links_span > 0 && c->links_span % 64 == 0 &&
                     c->attributes_span > 0 && c->attributes_span <= UINT16_MAX + 1u &&
                     c->alive_span > 0 && c->alive_span % 64 == 0;
        if (c->layout >= QUANT_COUNT << 1 || (flags & ~(uint32_t)FLAG_GRAPH) != 0 || !spans ||
            c->uid == 0 || c->uid >= m->next_uid || c->rows_end > LIMIT_ROWS ||
            c->live > c->rows_end || c->attributes > c->live || (i > 0 && c[-1].uid >= c->uid))
            return why_set(why, ERR_CORRUPT, "collection %u is described wrongly", i);
    }
    return OK;
}

static void get_chunk(const uint8_t *from, struct chunk *c)
{
    *c = (struct chunk){
        .uid = field_u64(from),
        .index = field_u32(from + 8),
        .part = field_u16(from + 12),
        .kind = (enum chunk_kind)from[14],
        .lsn = field_u64(from + 16),
        .offset = field_u64(from + 24),
        .pack = field_u32(from + 32),
        .size = field_u32(from + 36),
        .count = field_u32(from + 40),
        .crc = field_u32(from + 44),
        .hash = {field_u64(from + 48), field_u64(from + 56)},
    };
}

static enum err get_chunks(struct bytes_reader *r, struct manifest *m, struct why *why)
{
    for (uint32_t i = 0; i < m->chunk_count; i++) {
        struct chunk *c = &m->chunks[i];
        struct slice raw = bytes_get_raw(r, CHUNK_ENTRY_SIZE);
        get_chunk(raw.ptr, c);
        struct manifest_pack *p = (struct manifest_pack *)manifest_pack(m, c->pack);
        uint64_t room = chunk_room(c->size);
        if (raw.ptr[15] != 0 || chunk_kind_name(c->kind) == NULL || c->lsn > m->lsn ||
            c->uid >= m->next_uid || (i > 0 && chunk_cmp(c - 1, c) >= 0))
            return why_set(why, ERR_CORRUPT, "chunk %u is described wrongly", i);
        if (p == NULL || c->offset % CHUNK_ALIGNMENT != 0 || c->offset < PACK_HEADER_SIZE ||
            room > p->size || c->offset > p->size - room)
            return why_set(why, ERR_CORRUPT, "chunk %u lies outside of its pack", i);
        p->live += room;
    }
    return OK;
}

enum err manifest_decode(struct slice bytes, struct manifest *out, struct why *why)
{
    *out = (struct manifest){0};
    enum err e = get_header(bytes, out, why);
    if (e != OK) {
        *out = (struct manifest){0};
        return e;
    }
    out->packs = mem_try_calloc(MEM_SNAPSHOT, out->pack_count * sizeof(*out->packs));
    out->collections =
        mem_try_calloc(MEM_SNAPSHOT, out->collection_count * sizeof(*out->collections));
    out->chunks = mem_try_calloc(MEM_SNAPSHOT, out->chunk_count * sizeof(*out->chunks));
    struct bytes_reader r = {
        .left = {bytes.ptr + MANIFEST_HEADER_SIZE, bytes.len - MANIFEST_HEADER_SIZE}};
    uint8_t *indexes = mem_try(MEM_SNAPSHOT, field_u32(bytes.ptr + 84));
    out->indexes.ptr = indexes;
    if (out->packs == NULL || out->collections == NULL || out->chunks == NULL || indexes == NULL)
        e = ERR_NOMEM;
    if (e == OK)
        e = get_packs(&r, out, why);
    if (e == OK)
        e = get_collections(&r, out, why);
    if (e == OK)
        e = get_chunks(&r, out, why);
    if (e == OK)
        e = indexes_each(r.left, NULL, NULL, why);
    if (e != OK) {
        manifest_fini(out);
        return e;
    }
    out->indexes = (struct slice){indexes, r.left.len};
    if (r.left.len > 0)
        memcpy(indexes, bytes_get_raw(&r, r.left.len).ptr, out->indexes.len);
    CHECK(!r.broken && r.left.len == 0); /* the header's counts were those of the bytes */
    return OK;
}

/* -- looking up -------------------------------------------------------------------------------- */

uint32_t manifest_lower(const struct manifest *m, uint64_t uid, enum chunk_kind kind,
                        uint32_t index, uint16_t part)
{
    struct chunk wanted = {.uid = uid, .kind = kind, .index = index, .part = part};
    uint32_t low = 0, high = m->chunk_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (chunk_cmp(&m->chunks[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct chunk *manifest_find(const struct manifest *m, uint64_t uid, enum chunk_kind kind,
                                  uint32_t index, uint16_t part)
{
    struct chunk wanted = {.uid = uid, .kind = kind, .index = index, .part = part};
    uint32_t at = manifest_lower(m, uid, kind, index, part);
    return at < m->chunk_count && chunk_cmp(&m->chunks[at], &wanted) == 0 ? &m->chunks[at] : NULL;
}

const struct manifest_collection *manifest_collection(const struct manifest *m, uint64_t uid)
{
    uint32_t low = 0, high = m->collection_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (m->collections[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->collection_count && m->collections[low].uid == uid ? &m->collections[low]
                                                                       : NULL;
}

const struct manifest_pack *manifest_pack(const struct manifest *m, uint32_t id)
{
    uint32_t low = 0, high = m->pack_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (m->packs[middle].id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->pack_count && m->packs[low].id == id ? &m->packs[low] : NULL;
}
