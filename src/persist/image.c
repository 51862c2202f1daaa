#include "persist/image.h"

#include "index/hnsw.h"
#include "json/parse.h"
#include "persist/fields.h"
#include "types/hash.h"
#include "types/list.h"
#include "types/set.h"
#include "types/zset.h"

enum { ALIGNMENT = 8 };

static uint64_t aligned(uint64_t at)
{
    return (at + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

/* Where the next array of size bytes begins; *at moves behind it. */
static uint64_t place(uint64_t *at, uint64_t size)
{
    uint64_t start = *at;
    *at = aligned(start + size);
    return start;
}

static uint64_t bits_size(uint32_t span)
{
    return aligned(((uint64_t)span + 7) / 8);
}

/* size zeroed bytes at the end of out; NULL when there is no memory or a chunk cannot be that
 * long. */
static uint8_t *append_zeros(struct buf *out, uint64_t size)
{
    if (size > UINT32_MAX)
        return NULL;
    uint8_t *to = buf_reserve(out, size);
    if (to == NULL)
        return NULL;
    memset(to, 0, size);
    buf_advance(out, size);
    return to;
}

void image_pad(struct buf *out, size_t start)
{
    while ((out->len - start) % ALIGNMENT != 0 && !buf_failed(out))
        buf_append_byte(out, 0);
}

static bool all_zero(const uint8_t *bytes, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i < to; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

/* Are there count bits of span set, and none behind? */
static bool bits_fit(const uint8_t *bits, uint32_t span, uint32_t count)
{
    uint64_t words = bits_size(span) / 8, found = 0;
    for (uint64_t i = 0; i < words; i++)
        found += (unsigned)__builtin_popcountll(field_u64(bits + i * 8));
    uint64_t behind = span % 64 == 0 ? 0 : field_u64(bits + (words - 1) * 8) >> (span % 64);
    return found == count && behind == 0;
}

static enum err corrupt(struct why *why, const char *what)
{
    return why_set(why, ERR_CORRUPT, "%s", what);
}

/* -- keys -------------------------------------------------------------------------------------- */

/* Types on disk; those of enum object_type may change their numbers. */
enum {
    KEY_STRING = 1,
    KEY_COLLECTION = 2,
    KEY_HASH = 3,
    KEY_HASH_MORE = 4,
    KEY_LIST = 5,
    KEY_LIST_MORE = 6,
    KEY_SET = 9,
    KEY_SET_MORE = 10,
    KEY_ZSET = 11,
    KEY_ZSET_MORE = 12,
    KEY_JSON = 13
};

static uint8_t type_on_disk(const struct image_key *key)
{
    bool packs = key->type != OBJECT_STRING && key->type != OBJECT_COLLECTION &&
                 key->type != OBJECT_JSON;
    CHECK(!key->more || (packs && key->expire_ms == 0));
    switch (key->type) {
    case OBJECT_STRING:
        return KEY_STRING;
    case OBJECT_COLLECTION:
        return KEY_COLLECTION;
    case OBJECT_HASH:
        return key->more ? KEY_HASH_MORE : KEY_HASH;
    case OBJECT_LIST:
        return key->more ? KEY_LIST_MORE : KEY_LIST;
    case OBJECT_SET:
        return key->more ? KEY_SET_MORE : KEY_SET;
    case OBJECT_ZSET:
        return key->more ? KEY_ZSET_MORE : KEY_ZSET;
    case OBJECT_JSON:
        return KEY_JSON;
    }
    CHECK(false);
    return 0;
}

/* u32 first place of the index; then for each key: u32 place, u8 type, u8 zero, u64 expiry, key,
 * value (its pack, if it is one), or uid, spec, u32 count of partitions and for each u32 number and
 * name. */
void image_keys_begin(struct buf *out, uint32_t first)
{
    bytes_put_u32(out, first);
}

void image_key_put(struct buf *out, const struct image_key *key)
{
    CHECK(key->type != OBJECT_COLLECTION || key->uid > 0);
    bytes_put_u32(out, key->place);
    bytes_put_u8(out, type_on_disk(key));
    bytes_put_u8(out, 0);
    bytes_put_u64(out, key->expire_ms);
    bytes_put_slice(out, key->key);
    if (key->type != OBJECT_COLLECTION) {
        bytes_put_slice(out, key->value);
        return;
    }
    bytes_put_u64(out, key->uid);
    spec_encode(&key->spec, out);
    spec_shape_encode(&key->shape, out);
    const struct partition_table *t = key->partitions;
    CHECK(t == NULL || t->count > 0); /* _default, which is not said */
    bytes_put_u32(out, t == NULL ? 0 : t->count - 1);
    for (uint32_t i = 0; t != NULL && i < t->count; i++) {
        if (t->names[i].number == PARTITION_DEFAULT)
            continue;
        bytes_put_u32(out, t->names[i].number);
        bytes_put_slice(out, t->names[i].name);
    }
}

struct bytes_reader image_partitions(const struct image_key *key)
{
    return (struct bytes_reader){.left = key->partition_bytes};
}

bool image_partition_next(struct bytes_reader *reader, struct partition_name *out)
{
    if (reader->left.len == 0)
        return false;
    uint32_t number = bytes_get_u32(reader);
    out->number = number < PARTITION_NUMBERS ? (uint16_t)number : PARTITION_NONE;
    out->name = bytes_get_slice(reader);
    return !reader->broken;
}

/* Names that rise, and numbers that nobody else has. */
static bool get_partitions(struct bytes_reader *keys, struct image_key *out)
{
    uint64_t seen[PARTITION_WORDS] = {1}; /* the number of _default */
    struct partition_name one, before = {{0}, 0};
    out->partition_count = bytes_get_u32(keys);
    struct slice start = keys->left;
    if (keys->broken || out->partition_count >= LIMIT_PARTITIONS)
        return false;
    for (uint32_t i = 0; i < out->partition_count; i++) {
        if (!image_partition_next(keys, &one) || one.number == PARTITION_NONE ||
            partition_bit(seen, one.number) || !partition_name_fits(one.name) ||
            slice_eq(one.name, partition_default_name()) ||
            (i > 0 && slice_cmp(before.name, one.name) >= 0))
            return false;
        seen[one.number / 64] |= (uint64_t)1 << (one.number % 64);
        before = one;
    }
    out->partition_bytes = (struct slice){start.ptr, start.len - keys->left.len};
    return out->partition_count == 0 || !out->spec.implicit;
}

enum err image_keys_open(struct slice body, uint32_t *first, struct bytes_reader *keys,
                         struct why *why)
{
    *keys = (struct bytes_reader){.left = body};
    *first = bytes_get_u32(keys);
    if (keys->broken || *first % IMAGE_KEYS_SPAN != 0)
        return corrupt(why, "keys without a first place");
    return OK;
}

static bool pack_fits(enum object_type type, struct slice pack, size_t *count)
{
    return type == OBJECT_LIST   ? list_pack_check(pack, count)
           : type == OBJECT_SET  ? set_pack_check(pack, count)
           : type == OBJECT_ZSET ? zset_pack_check(pack, count)
                                 : hash_pack_check(pack, count);
}

/* A pack, or more of the one before. */
static bool get_entries(struct bytes_reader *keys, enum object_type type, bool more,
                        struct image_key *out)
{
    size_t count;
    out->type = type;
    out->more = more;
    out->value = bytes_get_slice(keys);
    if (more && out->expire_ms > 0)
        return false;
    if (!pack_fits(type, out->value, &count) || count == 0 || count > UINT32_MAX)
        return false;
    out->count = (uint32_t)count;
    return true;
}

/* What stands behind the key. False: not what its type says. */
static bool get_value(struct bytes_reader *keys, uint8_t type, struct image_key *out)
{
    switch (type) {
    case KEY_STRING:
        out->type = OBJECT_STRING;
        out->value = bytes_get_slice(keys);
        return true;
    case KEY_JSON:
        out->type = OBJECT_JSON;
        out->value = bytes_get_slice(keys);
        return true;
    case KEY_COLLECTION:
        out->type = OBJECT_COLLECTION;
        out->uid = bytes_get_u64(keys);
        return spec_decode(keys, &out->spec) &&
               spec_shape_decode(keys, &out->spec, &out->shape) && get_partitions(keys, out);
    case KEY_HASH:
    case KEY_HASH_MORE:
        return get_entries(keys, OBJECT_HASH, type == KEY_HASH_MORE, out);
    case KEY_LIST:
    case KEY_LIST_MORE:
        return get_entries(keys, OBJECT_LIST, type == KEY_LIST_MORE, out);
    case KEY_SET:
    case KEY_SET_MORE:
        return get_entries(keys, OBJECT_SET, type == KEY_SET_MORE, out);
    case KEY_ZSET:
    case KEY_ZSET_MORE:
        return get_entries(keys, OBJECT_ZSET, type == KEY_ZSET_MORE, out);
    default:
        return false;
    }
}

enum err image_key_get(struct bytes_reader *keys, struct image_key *out, struct why *why)
{
    *out = (struct image_key){.place = bytes_get_u32(keys)};
    uint8_t type = bytes_get_u8(keys), zero = bytes_get_u8(keys);
    out->expire_ms = bytes_get_u64(keys);
    out->key = bytes_get_slice(keys);
    if (keys->broken || zero != 0 || !get_value(keys, type, out) || keys->broken)
        return corrupt(why, "a key is described wrongly");
    enum err e = out->type == OBJECT_JSON ? jparse_check(out->value) : OK;
    return e == ERR_CORRUPT ? corrupt(why, "a document is none") : e;
}

/* -- rows -------------------------------------------------------------------------------------- */

/* u32 first, span, count, code size, vector size, ids size, expire size, partition size; then the
 * arrays. */
enum { ROWS_HEADER = 32 };

/* Where the arrays stand behind base; returns the size of all. */
static uint64_t rows_layout(struct image_rows *rows, uint8_t *base)
{
    uint64_t at = ROWS_HEADER;
    uint64_t present = place(&at, bits_size(rows->span));
    uint64_t norms = place(&at, (uint64_t)rows->count * sizeof(float));
    uint64_t id_sizes = place(&at, (uint64_t)rows->count * sizeof(uint16_t));
    uint64_t ids = place(&at, rows->ids_size);
    uint64_t codes = place(&at, (uint64_t)rows->count * rows->code_size);
    uint64_t vectors = place(&at, (uint64_t)rows->count * rows->vector_size);
    uint64_t expires = place(&at, (uint64_t)rows->count * rows->expire_size);
    uint64_t partitions = place(&at, (uint64_t)rows->count * rows->partition_size);
    if (base == NULL)
        return at;
    rows->present = base + present;
    rows->norms = (float *)(void *)(base + norms);
    rows->id_sizes = (uint16_t *)(void *)(base + id_sizes);
    rows->ids = base + ids;
    rows->codes = base + codes;
    rows->vectors = base + vectors;
    rows->expires = rows->expire_size == 0 ? NULL : (uint64_t *)(void *)(base + expires);
    rows->partitions = rows->partition_size == 0 ? NULL : (uint16_t *)(void *)(base + partitions);
    return at;
}

bool image_rows_begin(struct buf *out, struct image_rows *rows)
{
    CHECK(rows->count <= rows->span && out->len % ALIGNMENT == 0);
    uint8_t *base = append_zeros(out, rows_layout(rows, NULL));
    if (base == NULL)
        return false;
    (void)rows_layout(rows, base);
    const uint32_t header[] = {rows->first,       rows->span,          rows->count,
                               rows->code_size,   rows->vector_size,   rows->ids_size,
                               rows->expire_size, rows->partition_size};
    memcpy(base, header, sizeof(header));
    return true;
}

/* The zeros between the arrays, whose ends are known now. */
static bool rows_gaps_are_zero(const struct image_rows *rows, const uint8_t *base)
{
    const struct {
        const void *start;
        uint64_t size;
    } arrays[] = {
        {rows->norms, (uint64_t)rows->count * sizeof(float)},
        {rows->id_sizes, (uint64_t)rows->count * sizeof(uint16_t)},
        {rows->ids, rows->ids_size},
        {rows->codes, (uint64_t)rows->count * rows->code_size},
        {rows->vectors, (uint64_t)rows->count * rows->vector_size},
        {rows->partitions, (uint64_t)rows->count * rows->partition_size},
    };
    for (size_t i = 0; i < COUNT_OF(arrays); i++) {
        if (arrays[i].start == NULL)
            continue;
        uint64_t end = (uint64_t)((const uint8_t *)arrays[i].start - base) + arrays[i].size;
        if (!all_zero(base, end, aligned(end)))
            return false;
    }
    return true;
}

/* Times that fit a client's integer, and one at least, or there would be no array. */
static bool expires_fit(const struct image_rows *rows)
{
    uint64_t any = 0;
    if (rows->expire_size == 0)
        return true;
    for (uint32_t i = 0; i < rows->count; i++)
        any |= rows->expires[i];
    return any > 0 && any <= INT64_MAX;
}

/* Numbers that there can be, and one at least that is not _default's. */
static bool partitions_fit(const struct image_rows *rows)
{
    bool any = false, fit = true;
    for (uint32_t i = 0; i < rows->count && rows->partition_size > 0; i++) {
        fit = fit && rows->partitions[i] < PARTITION_NUMBERS;
        any = any || rows->partitions[i] != PARTITION_DEFAULT;
    }
    return rows->partition_size == 0 || (fit && any);
}

enum err image_rows_open(struct slice body, struct image_rows *rows, struct slice *rest,
                         struct why *why)
{
    if (body.len < ROWS_HEADER)
        return corrupt(why, "rows without a header");
    CHECK((uintptr_t)body.ptr % ALIGNMENT == 0);
    uint8_t *base = (uint8_t *)body.ptr;
    *rows = (struct image_rows){
        .first = field_u32(base),
        .span = field_u32(base + 4),
        .count = field_u32(base + 8),
        .code_size = field_u32(base + 12),
        .vector_size = field_u32(base + 16),
        .ids_size = field_u32(base + 20),
        .expire_size = field_u32(base + 24),
        .partition_size = field_u32(base + 28),
    };
    /* Counts below the size of the body: the sums of the layout cannot wrap. */
    if (rows->count > rows->span || rows->count > body.len || rows->span / 8 > body.len)
        return corrupt(why, "rows that do not fit into their chunk");
    if (rows->expire_size != 0 && rows->expire_size != sizeof(*rows->expires))
        return corrupt(why, "times of rows of another size");
    if (rows->partition_size != 0 && rows->partition_size != sizeof(*rows->partitions))
        return corrupt(why, "partitions of rows of another size");
    uint64_t size = rows_layout(rows, NULL);
    if (size > body.len)
        return corrupt(why, "rows that do not fit into their chunk");
    (void)rows_layout(rows, base);
    uint64_t ids = 0;
    for (uint32_t i = 0; i < rows->count; i++)
        ids += rows->id_sizes[i];
    if (!bits_fit(rows->present, rows->span, rows->count) || ids != rows->ids_size)
        return corrupt(why, "counts of rows that do not agree");
    if (!rows_gaps_are_zero(rows, base))
        return corrupt(why, "the padding between rows is not zero");
    if (!expires_fit(rows))
        return corrupt(why, "times at which rows cannot expire");
    if (!partitions_fit(rows))
        return corrupt(why, "partitions that rows cannot be in");
    *rest = (struct slice){body.ptr + size, body.len - size};
    return OK;
}

bool image_finite(const void *floats, size_t count)
{
    const uint32_t exponent = 0x7f800000;
    const uint8_t *at = floats;
    uint32_t bad = 0;
    for (size_t i = 0; i < count; i++)
        bad |= (uint32_t)((field_u32(at + i * 4) & exponent) == exponent);
    return bad == 0;
}

/* As image_finite: all of them, so that it vectorises. exponent: its bits, all set when not finite.
 */
static bool halves_finite(const uint8_t *at, size_t count, uint16_t exponent)
{
    unsigned bad = 0;
    for (size_t i = 0; i < count; i++)
        bad |= (field_u16(at + i * sizeof(exponent)) & exponent) == exponent;
    return bad == 0;
}

bool image_vectors_finite(const struct image_rows *rows, enum vec_type type, uint32_t dim)
{
    const uint16_t fp16_exponent = 0x7c00, bf16_exponent = 0x7f80;
    size_t count = (size_t)rows->count * dim;
    CHECK(rows->vector_size == type_size(type, dim));
    switch (type) {
    case TYPE_FP32:
        return image_finite(rows->vectors, count);
    case TYPE_FP16:
        return halves_finite(rows->vectors, count, fp16_exponent);
    case TYPE_BF16:
        return halves_finite(rows->vectors, count, bf16_exponent);
    case TYPE_INT8: /* every byte is a number */
    case TYPE_BIT:
        return true;
    case TYPE_COUNT:
        break;
    }
    CHECK(false);
    return false;
}

/* -- attributes -------------------------------------------------------------------------------- */

/* u32 first, span, count, zero; u16 offsets; u32 sizes; the attributes. */
enum { ATTRIBUTES_HEADER = 16 };

void image_attributes_begin(struct buf *out, uint32_t first, uint32_t span, uint32_t count,
                            const uint16_t *offsets, const uint32_t *sizes)
{
    size_t start = out->len;
    CHECK(first % span == 0 || first == 0);
    CHECK(count <= span && span <= UINT16_MAX + 1u);
    bytes_put_u32(out, first);
    bytes_put_u32(out, span);
    bytes_put_u32(out, count);
    bytes_put_u32(out, 0);
    buf_append(out, offsets, count * sizeof(*offsets));
    image_pad(out, start);
    buf_append(out, sizes, count * sizeof(*sizes));
    image_pad(out, start);
}

enum err image_attributes_open(struct slice body, struct image_attributes *out, struct why *why)
{
    if (body.len < ATTRIBUTES_HEADER || field_u32(body.ptr + 12) != 0)
        return corrupt(why, "attributes without a header");
    *out = (struct image_attributes){
        .first = field_u32(body.ptr),
        .span = field_u32(body.ptr + 4),
        .count = field_u32(body.ptr + 8),
        .offsets = body.ptr + ATTRIBUTES_HEADER,
    };
    uint64_t offsets_end = ATTRIBUTES_HEADER + (uint64_t)out->count * sizeof(uint16_t);
    uint64_t sizes_at = aligned(offsets_end);
    uint64_t sizes_end = sizes_at + (uint64_t)out->count * sizeof(uint32_t);
    uint64_t at = aligned(sizes_end);
    if (out->count > out->span || out->span > UINT16_MAX + 1u || at > body.len)
        return corrupt(why, "attributes that do not fit into their chunk");
    out->sizes = body.ptr + sizes_at;
    uint64_t sum = 0;
    uint32_t next = 0;
    for (uint32_t i = 0; i < out->count; i++) {
        uint32_t offset = field_u16(out->offsets + i * sizeof(uint16_t));
        uint32_t size = field_u32(out->sizes + i * sizeof(uint32_t));
        if (offset < next || offset >= out->span || size == 0)
            return corrupt(why, "attributes whose rows do not rise");
        next = offset + 1;
        sum += size;
    }
    if (aligned(at + sum) != body.len)
        return corrupt(why, "attributes that are not as long as they say");
    if (!all_zero(body.ptr, offsets_end, sizes_at) || !all_zero(body.ptr, sizes_end, at) ||
        !all_zero(body.ptr, at + sum, body.len))
        return corrupt(why, "the padding between attributes is not zero");
    out->bytes = (struct slice){body.ptr + at, sum};
    return OK;
}

/* -- which rows there are ---------------------------------------------------------------------- */

/* u32 first, span, count, zero; the bits. */
enum { ALIVE_HEADER = 16 };

bool image_alive_begin(struct buf *out, struct image_alive *alive)
{
    CHECK(out->len % ALIGNMENT == 0);
    uint8_t *base = append_zeros(out, ALIVE_HEADER + bits_size(alive->span));
    if (base == NULL)
        return false;
    field_put_u32(base, alive->first);
    field_put_u32(base + 4, alive->span);
    field_put_u32(base + 8, alive->count);
    alive->bits = base + ALIVE_HEADER;
    return true;
}

void image_alive_end(const struct image_alive *alive)
{
    CHECK(alive->count <= alive->span);
    field_put_u32(alive->bits - ALIVE_HEADER + 8, alive->count);
}

enum err image_alive_open(struct slice body, struct image_alive *out, struct why *why)
{
    if (body.len < ALIVE_HEADER || field_u32(body.ptr + 12) != 0)
        return corrupt(why, "bits of rows without a header");
    *out = (struct image_alive){
        .first = field_u32(body.ptr),
        .span = field_u32(body.ptr + 4),
        .count = field_u32(body.ptr + 8),
        .bits = (uint8_t *)body.ptr + ALIVE_HEADER,
    };
    if (ALIVE_HEADER + bits_size(out->span) != body.len ||
        !bits_fit(out->bits, out->span, out->count))
        return corrupt(why, "bits of rows that do not agree with their count");
    return OK;
}

/* -- links ------------------------------------------------------------------------------------- */

/* u32 first, span, count, lists, links, width, zero, zero; then the arrays. */
enum { LINKS_HEADER = 32, WIDTH_SHORT = 3, WIDTH_LONG = 4 };

static uint64_t links_layout(struct image_links *links, uint8_t *base)
{
    uint64_t at = LINKS_HEADER;
    uint64_t present = place(&at, bits_size(links->span));
    uint64_t levels = place(&at, links->count);
    uint64_t sizes = place(&at, (uint64_t)links->lists * sizeof(uint16_t));
    uint64_t parents = place(&at, (uint64_t)links->count * links->width);
    uint64_t rows = place(&at, (uint64_t)links->links * links->width);
    if (base == NULL)
        return at;
    links->present = base + present;
    links->levels = base + levels;
    links->sizes = (uint16_t *)(void *)(base + sizes);
    links->parents = base + parents;
    links->rows = base + rows;
    return at;
}

bool image_links_begin(struct buf *out, struct image_links *links)
{
    CHECK(links->count <= links->span && out->len % ALIGNMENT == 0);
    CHECK(links->width == WIDTH_SHORT || links->width == WIDTH_LONG);
    uint8_t *base = append_zeros(out, links_layout(links, NULL));
    if (base == NULL)
        return false;
    (void)links_layout(links, base);
    const uint32_t header[] = {links->first, links->span,  links->count,
                               links->lists, links->links, links->width};
    memcpy(base, header, sizeof(header));
    return true;
}

static bool links_gaps_are_zero(const struct image_links *links, const uint8_t *base)
{
    const struct {
        const void *start;
        uint64_t size;
    } arrays[] = {
        {links->levels, links->count},
        {links->sizes, (uint64_t)links->lists * sizeof(uint16_t)},
        {links->parents, (uint64_t)links->count * links->width},
        {links->rows, (uint64_t)links->links * links->width},
    };
    for (size_t i = 0; i < COUNT_OF(arrays); i++) {
        uint64_t end = (uint64_t)((const uint8_t *)arrays[i].start - base) + arrays[i].size;
        if (!all_zero(base, end, aligned(end)))
            return false;
    }
    return all_zero(base, 24, LINKS_HEADER);
}

/* Do levels and sizes of lists add up to what the header says? */
static bool links_add_up(const struct image_links *links)
{
    uint64_t lists = 0, sum = 0;
    _Static_assert(1 << IMAGE_LEVEL_BITS == HNSW_LEVELS_MAX, "a level fits in its bits");
    for (uint32_t i = 0; i < links->count; i++)
        lists += image_level(links->levels[i]) + 1u;
    for (uint32_t i = 0; i < links->lists; i++)
        sum += links->sizes[i];
    return lists == links->lists && sum == links->links;
}

enum err image_links_open(struct slice body, struct image_links *out, struct why *why)
{
    if (body.len < LINKS_HEADER)
        return corrupt(why, "links without a header");
    CHECK((uintptr_t)body.ptr % ALIGNMENT == 0);
    uint8_t *base = (uint8_t *)body.ptr;
    *out = (struct image_links){
        .first = field_u32(base),
        .span = field_u32(base + 4),
        .count = field_u32(base + 8),
        .lists = field_u32(base + 12),
        .links = field_u32(base + 16),
        .width = field_u32(base + 20),
    };
    if (out->width != WIDTH_SHORT && out->width != WIDTH_LONG)
        return corrupt(why, "links of an unknown width");
    if (out->count > out->span || links_layout(out, NULL) != body.len)
        return corrupt(why, "links that do not fit into their chunk");
    (void)links_layout(out, base);
    if (!bits_fit(out->present, out->span, out->count) || !links_add_up(out))
        return corrupt(why, "counts of links that do not agree");
    return links_gaps_are_zero(out, base) ? OK
                                          : corrupt(why, "the padding between links is not zero");
}

void image_pack(uint8_t *to, const uint32_t *rows, size_t count, uint32_t width)
{
    if (width == WIDTH_LONG) {
        memcpy(to, rows, count * sizeof(*rows));
        return;
    }
    CHECK(width == WIDTH_SHORT);
    for (size_t i = 0; i < count; i++)
        memcpy(to + i * WIDTH_SHORT, &rows[i], WIDTH_SHORT);
}

void image_unpack(const uint8_t *from, uint32_t *rows, size_t count, uint32_t width)
{
    if (width == WIDTH_LONG) {
        memcpy(rows, from, count * sizeof(*rows));
        return;
    }
    CHECK(width == WIDTH_SHORT);
    for (size_t i = 0; i < count; i++) {
        rows[i] = 0;
        memcpy(&rows[i], from + i * WIDTH_SHORT, WIDTH_SHORT);
    }
}
