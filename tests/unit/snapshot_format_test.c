/* The bytes of packs, manifests and chunks: what is written is read back, and what is broken is
 * told. */
#include "base/crc32c.h"
#include "lib/test.h"
#include "persist/image.h"
#include "persist/manifest.h"

static struct chunk a_chunk(uint64_t uid, enum chunk_kind kind, uint32_t index)
{
    return (struct chunk){.uid = uid,
                          .kind = kind,
                          .index = index,
                          .lsn = 7,
                          .count = 3,
                          .pack = 2,
                          .offset = PACK_HEADER_SIZE + index * 128,
                          .size = 70,
                          .hash = {uid, index}};
}

static struct buf chunk_bytes(struct chunk *c)
{
    struct buf out = BUF_INIT(MEM_TEST);
    uint8_t body[70], header[CHUNK_HEADER_SIZE];
    for (size_t i = 0; i < sizeof(body); i++)
        body[i] = (uint8_t)(i * 7);
    c->crc = crc32c((struct slice){body, sizeof(body)});
    chunk_header_put(c, header);
    buf_append(&out, header, sizeof(header));
    buf_append(&out, body, sizeof(body));
    image_pad(&out, 0);
    return out;
}

TEST(snapshot_format, a_chunk_opens_and_any_changed_bit_of_it_is_told)
{
    struct chunk c = a_chunk(5, CHUNK_ROWS, 1);
    struct buf bytes = chunk_bytes(&c);
    struct slice body;
    struct why why;
    REQUIRE(bytes.len == chunk_room(c.size));
    EXPECT(chunk_open(&c, buf_slice(&bytes), &body, &why) == OK);
    EXPECT(body.len == 70 && body.ptr[9] == 63);
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        bytes.ptr[bit / 8] ^= (uint8_t)(1 << (bit % 8));
        why.text[0] = '\0';
        if (chunk_open(&c, buf_slice(&bytes), &body, &why) != ERR_CORRUPT || why.text[0] == '\0')
            test_fail(__FILE__, __LINE__, "bit %zu was changed and nobody said so", bit);
        bytes.ptr[bit / 8] ^= (uint8_t)(1 << (bit % 8));
    }
    struct chunk other = c;
    other.index = 2;
    EXPECT(chunk_open(&other, buf_slice(&bytes), &body, &why) == ERR_CORRUPT);
    buf_fini(&bytes);
}

TEST(snapshot_format, a_pack_header_opens_and_any_changed_bit_of_it_is_told)
{
    uint8_t bytes[PACK_HEADER_SIZE];
    uint32_t id;
    uint64_t lsn;
    struct why why;
    pack_header_put(9, 1234, bytes);
    EXPECT(pack_header_get(bytes, &id, &lsn, &why) == OK && id == 9 && lsn == 1234);
    for (size_t bit = 0; bit < sizeof(bytes) * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1 << (bit % 8));
        if (pack_header_get(bytes, &id, &lsn, &why) == OK)
            test_fail(__FILE__, __LINE__, "bit %zu was changed and nobody said so", bit);
        bytes[bit / 8] ^= (uint8_t)(1 << (bit % 8));
    }
}

static struct buf manifest_bytes(void)
{
    struct manifest_pack packs[] = {{.id = 2, .size = 4096}, {.id = 5, .size = 64}};
    struct manifest_collection collections[] = {{.uid = 3,
                                                 .rows_end = 100,
                                                 .live = 90,
                                                 .attributes = 4,
                                                 .rows_span = 10,
                                                 .links_span = 64,
                                                 .attributes_span = 1024,
                                                 .alive_span = 64,
                                                 .has_graph = true}};
    struct chunk chunks[] = {a_chunk(0, CHUNK_KEYS, 0), a_chunk(3, CHUNK_ALIVE, 0),
                             a_chunk(3, CHUNK_ROWS, 0), a_chunk(3, CHUNK_ROWS, 1)};
    struct manifest m = {.lsn = 77,
                         .previous_lsn = 70,
                         .next_uid = 4,
                         .wall_ms = 1,
                         .key_count = 1,
                         .slots_end = 2,
                         .packs = packs,
                         .pack_count = COUNT_OF(packs),
                         .collections = collections,
                         .collection_count = COUNT_OF(collections),
                         .chunks = chunks,
                         .chunk_count = COUNT_OF(chunks)};
    struct buf out = BUF_INIT(MEM_TEST);
    manifest_encode(&m, &out);
    return out;
}

TEST(snapshot_format, a_manifest_is_read_back_as_it_was_written)
{
    struct buf bytes = manifest_bytes();
    struct manifest m;
    struct why why = {""};
    REQUIRE(manifest_decode(buf_slice(&bytes), &m, &why) == OK);
    EXPECT_EQ(m.lsn, 77);
    EXPECT_EQ(m.previous_lsn, 70);
    EXPECT_EQ(m.collections[0].attributes_span, 1024);
    EXPECT(m.collections[0].has_graph);
    EXPECT(manifest_collection(&m, 3) == &m.collections[0]);
    EXPECT(manifest_collection(&m, 2) == NULL);
    EXPECT(manifest_pack(&m, 5) == &m.packs[1] && manifest_pack(&m, 4) == NULL);
    EXPECT_EQ(m.packs[0].live, 4 * chunk_room(70));
    EXPECT(manifest_find(&m, 3, CHUNK_ROWS, 1, 0) == &m.chunks[3]);
    EXPECT(manifest_find(&m, 3, CHUNK_ROWS, 2, 0) == NULL);
    EXPECT_EQ(manifest_lower(&m, 3, CHUNK_ROWS, 0, 0), 2);
    struct buf again = BUF_INIT(MEM_TEST);
    manifest_encode(&m, &again);
    EXPECT(slice_eq(buf_slice(&bytes), buf_slice(&again)));
    buf_fini(&again);
    manifest_fini(&m);
    buf_fini(&bytes);
}

TEST(snapshot_format, any_changed_bit_and_any_cut_of_a_manifest_is_told)
{
    struct buf bytes = manifest_bytes();
    struct manifest m;
    struct why why;
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        bytes.ptr[bit / 8] ^= (uint8_t)(1 << (bit % 8));
        why.text[0] = '\0';
        if (manifest_decode(buf_slice(&bytes), &m, &why) == OK || why.text[0] == '\0')
            test_fail(__FILE__, __LINE__, "bit %zu was changed and nobody said so", bit);
        bytes.ptr[bit / 8] ^= (uint8_t)(1 << (bit % 8));
    }
    for (size_t len = 0; len < bytes.len; len++)
        if (manifest_decode((struct slice){bytes.ptr, len}, &m, &why) == OK)
            test_fail(__FILE__, __LINE__, "cut to %zu bytes and nobody said so", len);
    buf_fini(&bytes);
}

/* What a CRC cannot tell: bytes that somebody has written on purpose. */
TEST(snapshot_format, a_manifest_with_right_checksums_and_wrong_numbers_is_refused)
{
    static const struct {
        size_t at;
        uint8_t value;
        const char *what;
    } cases[] = {
        {128, 9, "packs out of order"},
        {128 + 32, 9, "a collection with a uid that was never given out"},
        {128 + 32 + 12, 200, "more live rows than rows"},
        {128 + 32 + 28, 65, "a span of links that is not whole words"},
        {128 + 32 + 56 + 14, 99, "a chunk of an unknown kind"},
        {128 + 32 + 56 + 26, 1, "a chunk behind the end of its pack"},
        {128 + 32 + 56 + 32, 3, "a chunk in a pack that is not named"},
        {128 + 32 + 56 + 3 * 64, 0, "chunks out of order"},
    };
    struct why why;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf bytes = manifest_bytes();
        struct manifest m;
        bytes.ptr[cases[i].at] = cases[i].value;
        uint32_t crc = crc32c_extend(0, bytes.ptr + 128, bytes.len - 128);
        memcpy(bytes.ptr + 80, &crc, sizeof(crc));
        crc = crc32c_extend(0, bytes.ptr, 124);
        memcpy(bytes.ptr + 124, &crc, sizeof(crc));
        if (manifest_decode(buf_slice(&bytes), &m, &why) != ERR_CORRUPT)
            test_fail(__FILE__, __LINE__, "%s: taken", cases[i].what);
        buf_fini(&bytes);
    }
}

static struct buf rows_bytes(void)
{
    struct buf out = BUF_INIT(MEM_TEST);
    struct image_rows rows = {
        .first = 20, .span = 10, .count = 3, .code_size = 4, .vector_size = 8, .ids_size = 6};
    REQUIRE(image_rows_begin(&out, &rows));
    for (uint32_t i = 0; i < 3; i++) {
        image_bit_set(rows.present, i * 4);
        rows.norms[i] = (float)i;
        rows.id_sizes[i] = (uint16_t)(i + 1);
        memset(rows.codes + i * 4, (int)(i + 1), 4);
        memset(rows.vectors + i * 8, (int)(i + 11), 8);
    }
    memcpy(rows.ids, "abbccc", 6);
    return out;
}

TEST(snapshot_format, rows_are_read_back_as_they_were_written)
{
    struct buf bytes = rows_bytes();
    struct image_rows rows;
    struct slice rest;
    struct why why;
    REQUIRE(image_rows_open(buf_slice(&bytes), &rows, &rest, &why) == OK);
    EXPECT(rest.len == 0 && rows.first == 20 && rows.span == 10 && rows.count == 3);
    EXPECT(image_bit(rows.present, 8) && !image_bit(rows.present, 9));
    EXPECT(memcmp(rows.ids, "abbccc", 6) == 0 && rows.id_sizes[2] == 3);
    EXPECT(rows.codes[8] == 3 && rows.vectors[23] == 13 && rows.norms[1] == 1);
    buf_fini(&bytes);
}

static struct buf links_bytes(void)
{
    struct buf out = BUF_INIT(MEM_TEST);
    struct image_links links = {
        .first = 64, .span = 64, .count = 2, .lists = 3, .links = 4, .width = 3};
    REQUIRE(image_links_begin(&out, &links));
    const uint32_t rows[] = {70, 0xfffffe, 1, 64}, parents[] = {70, 64};
    image_bit_set(links.present, 0);
    image_bit_set(links.present, 63);
    links.levels[1] = 1;
    links.sizes[0] = 2;
    links.sizes[1] = 1;
    links.sizes[2] = 1;
    image_pack(links.parents, parents, 2, 3);
    image_pack(links.rows, rows, 4, 3);
    return out;
}

TEST(snapshot_format, links_are_read_back_as_they_were_written)
{
    struct buf bytes = links_bytes();
    struct image_links links;
    struct why why;
    uint32_t rows[4];
    REQUIRE(image_links_open(buf_slice(&bytes), &links, &why) == OK);
    EXPECT(links.first == 64 && links.count == 2 && links.lists == 3 && links.levels[1] == 1);
    image_unpack(links.rows, rows, 4, 3);
    EXPECT(rows[0] == 70 && rows[1] == 0xfffffe && rows[2] == 1 && rows[3] == 64);
    image_unpack(links.parents, rows, 2, 3);
    EXPECT(rows[0] == 70 && rows[1] == 64);
    buf_fini(&bytes);
}

static struct buf attribute_bytes(void)
{
    struct buf out = BUF_INIT(MEM_TEST);
    const uint16_t offsets[] = {0, 7, 1000};
    const uint32_t sizes[] = {2, 3, 4};
    image_attributes_begin(&out, 2048, 1024, 3, offsets, sizes);
    buf_append(&out, "aabbbcccc", 9);
    image_pad(&out, 0);
    return out;
}

TEST(snapshot_format, attributes_are_read_back_as_they_were_written)
{
    struct buf bytes = attribute_bytes();
    struct image_attributes a;
    struct why why;
    REQUIRE(image_attributes_open(buf_slice(&bytes), &a, &why) == OK);
    EXPECT(a.first == 2048 && a.span == 1024 && a.count == 3);
    EXPECT(a.bytes.len == 9 && memcmp(a.bytes.ptr, "aabbbcccc", 9) == 0);
    EXPECT(a.offsets[2] == 7 && a.sizes[8] == 4);
    buf_fini(&bytes);
}

TEST(snapshot_format, keys_are_read_back_as_they_were_written)
{
    struct buf bytes = BUF_INIT(MEM_TEST);
    struct image_key string = {.place = 129,
                               .type = OBJECT_STRING,
                               .expire_ms = 99,
                               .key = slice_of("k"),
                               .value = slice_of("value")};
    struct image_key set = {.place = 131,
                            .type = OBJECT_COLLECTION,
                            .key = slice_of("words"),
                            .uid = 12,
                            .spec = spec_default(100)};
    set.shape = (struct spec_shape){
        .quant = QUANT_NONE, .index = INDEX_FLAT, .m = 4, .ef_build = 9, .keep_originals = true};
    image_keys_begin(&bytes, 128);
    image_key_put(&bytes, &string);
    image_key_put(&bytes, &set);
    struct bytes_reader keys;
    struct image_key got;
    struct why why;
    uint32_t first;
    REQUIRE(image_keys_open(buf_slice(&bytes), &first, &keys, &why) == OK);
    EXPECT_EQ(first, 128);
    REQUIRE(image_key_get(&keys, &got, &why) == OK);
    EXPECT(got.type == OBJECT_STRING && got.place == 129 && got.expire_ms == 99);
    EXPECT(slice_eq(got.key, string.key) && slice_eq(got.value, string.value));
    REQUIRE(image_key_get(&keys, &got, &why) == OK);
    EXPECT(got.type == OBJECT_COLLECTION && got.uid == 12 && got.spec.dim == 100);
    EXPECT_EQ(keys.left.len, 0);
    EXPECT(image_key_get(&keys, &got, &why) == ERR_CORRUPT);
    buf_fini(&bytes);
}

/* A body as somebody might make it who also writes its checksum: opening never reads past it (which
 * the address sanitizer would tell) and what opens stays inside. */
static void open_anything(struct slice body)
{
    struct image_rows rows;
    struct image_links links;
    struct image_attributes attributes;
    struct image_alive alive;
    struct image_key key;
    struct bytes_reader keys;
    struct slice rest;
    struct why why;
    uint32_t first;
    const uint8_t *end = body.ptr + body.len;
    if (image_rows_open(body, &rows, &rest, &why) == OK)
        EXPECT(rows.vectors + (size_t)rows.count * rows.vector_size <= end);
    if (image_links_open(body, &links, &why) == OK)
        EXPECT(links.rows + (size_t)links.links * links.width <= end);
    if (image_attributes_open(body, &attributes, &why) == OK)
        EXPECT(attributes.bytes.ptr + attributes.bytes.len <= end);
    if (image_alive_open(body, &alive, &why) == OK)
        EXPECT(alive.bits + alive.span / 8 <= end);
    if (image_keys_open(body, &first, &keys, &why) == OK)
        while (keys.left.len > 0 && image_key_get(&keys, &key, &why) == OK)
            EXPECT(key.key.ptr + key.key.len <= end);
}

TEST(snapshot_format, bodies_that_were_changed_are_refused_or_stay_inside_of_their_bytes)
{
    struct buf (*const make[])(void) = {rows_bytes, links_bytes, attribute_bytes};
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    for (size_t i = 0; i < COUNT_OF(make); i++) {
        struct buf bytes = make[i]();
        for (size_t len = 0; len <= bytes.len; len++) {
            struct buf cut = BUF_INIT(MEM_TEST);
            buf_append(&cut, bytes.ptr, len);
            open_anything(buf_slice(&cut));
            buf_fini(&cut);
        }
        for (size_t at = 0; at < bytes.len; at++) {
            uint8_t before = bytes.ptr[at];
            for (size_t v = 0; v < COUNT_OF(values); v++) {
                bytes.ptr[at] = values[v];
                open_anything(buf_slice(&bytes));
            }
            bytes.ptr[at] = before;
        }
        buf_fini(&bytes);
    }
}

TEST(snapshot_format, floats_that_are_not_finite_are_seen)
{
    float floats[] = {0, -1, 3.4e38f, 1e-40f};
    EXPECT(image_finite(floats, 4));
    floats[3] = __builtin_inff();
    EXPECT(!image_finite(floats, 4) && image_finite(floats, 3));
    floats[0] = __builtin_nanf("");
    EXPECT(!image_finite(floats, 1));
}
