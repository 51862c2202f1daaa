#include "db/mutation.h"

#include <math.h>
#include <stdlib.h>

#include "base/limits.h"
#include "lib/test.h"

static const float vectors[3][3] = {{1, -2, 3.5f}, {0, 0, 0}, {-0.0f, 1e-30f, 3e38f}};

/* One of every kind, with what each kind can carry at its ends: nothing, and something. */
enum { SAMPLES = 60 };

static struct slice with_nul(void)
{
    return (struct slice){(const uint8_t *)"a\0b", 3};
}

static struct collection_spec some_spec(void)
{
    struct collection_spec s = spec_default(3);
    s.quant = QUANT_BIN;
    s.index = INDEX_HNSW;
    s.implicit = true;
    s.projection_from = 300;
    s.projection_version = PROJECTION_VERSION;
    s.seed = 0x0123456789abcdef;
    CHECK(schema_add(&s.schema, slice_of("year"), SCHEMA_NUMERIC, NULL) == OK);
    CHECK(schema_add(&s.schema, slice_of(".a.b[0]"), SCHEMA_TAG, NULL) == OK);
    CHECK(schema_add(&s.schema, slice_of("x"), SCHEMA_BOOL, NULL) == OK);
    s.tuning.element_ttl_s = LIMIT_ELEMENT_TTL_S;
    s.tuning.max_len = LIMIT_ROWS;
    s.tuning.max_bytes = INT64_MAX;
    s.tuning.evict = EVICT_TTL;
    s.tuning.probes = LIMIT_NLIST;
    s.lists = LIMIT_NLIST;
    s.subs = 2;
    return s;
}

static struct mutation put_of(struct mutation_element *elements, size_t count)
{
    return (struct mutation){.kind = MUTATION_PUT,
                             .key = slice_of("docs"),
                             .dim = 3,
                             .elements = elements,
                             .count = count};
}

static struct mutation sample_of_hash(unsigned i)
{
    static struct hash_field fields[3];
    static struct slice names[2];
    struct mutation m = {.key = slice_of("key"), .fields = fields, .count = 1};
    fields[0] = (struct hash_field){.name = slice_of(""), .expire_ms = i == 1 ? INT64_MAX : 0};
    fields[1] = (struct hash_field){.name = with_nul(), .value = slice_of("v"), .expire_ms = 1};
    fields[2] = (struct hash_field){.name = slice_of("name"), .value = with_nul()};
    names[0] = with_nul();
    m.kind = MUTATION_HASH_SET;
    if (i < 2)
        return m;
    m.count = 3;
    if (i == 2)
        return m;
    m.kind = i == 3 ? MUTATION_HASH_REMOVE : MUTATION_HASH_EXPIRE;
    m.fields = NULL;
    m.ids = names;
    m.count = 2;
    m.expire_ms = i == 3 ? 0 : INT64_MAX;
    return m;
}

/* Two of each kind. */
static struct mutation sample_of_list(unsigned i)
{
    static struct slice values[2];
    static const enum mutation_kind kinds[] = {MUTATION_LIST_PUSH,   MUTATION_LIST_TRIM,
                                               MUTATION_LIST_SET,    MUTATION_LIST_INSERT,
                                               MUTATION_LIST_REMOVE, MUTATION_LIST_MOVE};
    struct mutation m = {.key = slice_of("key"), .kind = kinds[i / 2]};
    values[0] = with_nul();
    values[1] = slice_of("");
    bool adds = m.kind == MUTATION_LIST_PUSH || m.kind == MUTATION_LIST_INSERT;
    m.ids = adds ? values : NULL;
    m.count = m.kind == MUTATION_LIST_PUSH && i % 2 == 0 ? 1 : adds ? 2 : 0;
    if (m.kind != MUTATION_LIST_TRIM && m.kind != MUTATION_LIST_SET)
        m.at_head = i % 2 == 0;
    m.replaces = m.kind == MUTATION_LIST_PUSH && i % 2 == 1;
    if (m.kind == MUTATION_LIST_TRIM || m.kind == MUTATION_LIST_SET)
        m.offset = i % 2 == 0 ? 0 : UINT32_MAX;
    if (m.kind == MUTATION_LIST_TRIM || m.kind == MUTATION_LIST_REMOVE)
        m.limit = i % 2 == 0 ? UINT32_MAX : 0;
    if (m.kind == MUTATION_LIST_SET || m.kind == MUTATION_LIST_REMOVE)
        m.value = with_nul();
    if (m.kind == MUTATION_LIST_MOVE) {
        m.new_key = with_nul();
        m.to_head = i % 2 == 1;
    }
    return m;
}

static struct mutation sample_of_set(unsigned i)
{
    static struct slice names[3];
    static struct scored members[3];
    static const enum mutation_kind kinds[] = {
        MUTATION_SET_ADD,  MUTATION_SET_ADD,  MUTATION_SET_REMOVE, MUTATION_ZSET_ADD,
        MUTATION_ZSET_ADD, MUTATION_ZSET_ADD, MUTATION_ZSET_REMOVE};
    CHECK(i < COUNT_OF(kinds));
    struct mutation m = {.kind = kinds[i], .key = slice_of("key"), .count = 1 + i % 3};
    names[0] = slice_of("");
    names[1] = with_nul();
    names[2] = slice_of("member");
    members[0] = (struct scored){names[0], i == 5 ? -INFINITY : 0.1};
    members[1] = (struct scored){names[1], -0.0};
    members[2] = (struct scored){names[2], 5e-324};
    m.replaces = i == 1 || i == 4;
    if (m.kind == MUTATION_ZSET_ADD)
        m.members = members;
    else
        m.ids = names;
    return m;
}

static struct slice longest_name(void)
{
    static uint8_t name[LIMIT_PARTITION_NAME];
    memset(name, 'x', sizeof(name));
    return (struct slice){name, sizeof(name)};
}

static struct mutation sample_of_partition(unsigned i)
{
    struct mutation m = put_of(NULL, 0);
    m.partition = slice_of("2026-11-23");
    if (i == 2)
        return m;
    m = (struct mutation){.kind = MUTATION_PARTITION_NEW, .key = slice_of("key")};
    m.partition = slice_of("a");
    if (i == 0)
        return m;
    m.kind = MUTATION_PARTITION_DROP;
    m.partition = longest_name();
    return m;
}

static struct mutation sample_of_index(unsigned i)
{
    static struct slice words[3];
    if (i == 0)
        return (struct mutation){.kind = MUTATION_INDEX_REMOVE, .key = with_nul()};
    if (i == 2)
        return (struct mutation){
            .kind = MUTATION_ALIAS_SET, .key = with_nul(), .new_key = slice_of("index")};
    if (i == 3)
        return (struct mutation){.kind = MUTATION_ALIAS_REMOVE, .key = slice_of("alias")};
    words[0] = slice_of("SCHEMA");
    words[1] = with_nul();
    words[2] = slice_of("TAG");
    if (i >= 5)
        return (struct mutation){.kind = i == 5 ? MUTATION_WORDS_ADD : MUTATION_WORDS_REMOVE,
                                 .key = slice_of("list"),
                                 .new_key = i == 5 ? with_nul() : (struct slice){0},
                                 .ids = words,
                                 .count = 3};
    return (struct mutation){.kind = i == 1 ? MUTATION_INDEX_NEW : MUTATION_INDEX_ALTER,
                             .key = slice_of("index"),
                             .ids = words,
                             .count = 3};
}

static struct mutation sample_of_json(unsigned i)
{
    static const struct mutation samples[] = {
        {.kind = MUTATION_JSON_SET},
        {.kind = MUTATION_JSON_SET},
        {.kind = MUTATION_JSON_INSERT, .offset = UINT32_MAX},
        {.kind = MUTATION_JSON_REMOVE},
    };
    static const char *const paths[] = {"$", "$[\"a\\\"\\\\\"][0]", "$[\"\"]", "$[12]"};
    static const char *const values[] = {"{\"a\":[1,2.5,null]}", "true", "[1,\"x\"]", ""};
    struct mutation m = samples[i];
    m.key = with_nul();
    m.path = slice_of(paths[i]);
    m.value = slice_of(values[i]);
    return m;
}

/* Of the kinds that say when a key expires, or change a part of it. */
static struct mutation sample_of_key(unsigned i)
{
    struct mutation m = {.key = slice_of("key")};
    switch (i) {
    case 0:
        m.kind = MUTATION_STRING_SET;
        m.value = slice_of("volatile");
        m.expire_ms = INT64_MAX;
        return m;
    case 1:
        m.kind = MUTATION_KEY_EXPIRE;
        return m;
    case 2:
        m.kind = MUTATION_KEY_EXPIRE;
        m.expire_ms = 1700000000123;
        return m;
    case 3:
        m.kind = MUTATION_KEY_RENAME;
        return m;
    case 4:
        m.kind = MUTATION_KEY_RENAME;
        m.new_key = with_nul();
        return m;
    case 5:
        m.kind = MUTATION_STRING_RANGE;
        return m;
    case 6:
        m.kind = MUTATION_COLLECTION_ALTER;
        m.spec = some_spec();
        return m;
    case 7:
        m.kind = MUTATION_STRING_RANGE;
        m.offset = LIMIT_STRING_SIZE - 3;
        m.value = with_nul();
        return m;
    case 8:
    case 9:
    case 10:
    case 11:
    case 12:
        return sample_of_index(i - 8);
    default:
        return i < 16   ? sample_of_partition(i - 13)
               : i < 28 ? sample_of_list(i - 16)
               : i < 33 ? sample_of_hash(i - 28)
               : i < 40 ? sample_of_set(i - 33)
               : i < 44 ? sample_of_json(i - 40)
                        : sample_of_index(i - 39);
    }
}

static struct mutation sample(unsigned i)
{
    static struct mutation_element elements[3];
    static struct slice ids[3];
    elements[0] = (struct mutation_element){.id = slice_of("one"), .vector = vectors[0], .norm = 1};
    elements[1] = (struct mutation_element){.id = with_nul(),
                                            .vector = vectors[1],
                                            .norm = 2.5f,
                                            .expire_ms = 1,
                                            .set_attribute = true};
    elements[2] = (struct mutation_element){.id = slice_of(""),
                                            .vector = vectors[2],
                                            .norm = 0,
                                            .expire_ms = INT64_MAX,
                                            .set_attribute = true,
                                            .attribute = slice_of("{\"year\": 1999}")};
    ids[0] = slice_of("one");
    ids[1] = slice_of("");
    ids[2] = with_nul();
    struct mutation m = {.key = slice_of("key")};
    switch (i) {
    case 0:
        return (struct mutation){.kind = MUTATION_FLUSH};
    case 1:
        m.kind = MUTATION_KEY_REMOVE;
        return m;
    case 2:
        return (struct mutation){.kind = MUTATION_STRING_SET, .key = with_nul()};
    case 3:
        m.kind = MUTATION_STRING_SET;
        m.value = slice_of("some value");
        return m;
    case 4:
        m.kind = MUTATION_COLLECTION_NEW;
        m.spec = spec_default(LIMIT_DIM);
        return m;
    case 5:
        m.kind = MUTATION_COLLECTION_NEW;
        m.spec = some_spec();
        return m;
    case 6:
        return put_of(elements, 0);
    case 7:
        return put_of(elements, 1);
    case 8:
        return put_of(elements, 3);
    case 9:
        m = put_of(elements, 3);
        m.creates = true;
        m.spec = some_spec();
        return m;
    case 10:
        m.kind = MUTATION_REMOVE;
        m.ids = ids;
        m.count = 3;
        return m;
    case 11:
        m.kind = MUTATION_REMOVE;
        return m;
    case 12:
        m.kind = MUTATION_SET_ATTRIBUTE;
        m.ids = ids;
        m.count = 1;
        m.value = slice_of("[1]");
        return m;
    case 13:
        return (struct mutation){.kind = MUTATION_TICK};
    default:
        return sample_of_key(i - 14);
    }
}

static bool same_spec(const struct collection_spec *a, const struct collection_spec *b)
{
    return a->dim == b->dim && a->type == b->type && a->metric == b->metric &&
           a->quant == b->quant && a->index == b->index && a->m == b->m &&
           a->ef_build == b->ef_build && a->tuning.ef == b->tuning.ef &&
           a->tuning.probes == b->tuning.probes && a->lists == b->lists && a->subs == b->subs &&
           a->keep_originals == b->keep_originals && a->implicit == b->implicit &&
           a->projection_from == b->projection_from &&
           a->projection_version == b->projection_version && a->seed == b->seed &&
           a->tuning.element_ttl_s == b->tuning.element_ttl_s &&
           a->tuning.max_len == b->tuning.max_len && a->tuning.max_bytes == b->tuning.max_bytes &&
           a->tuning.evict == b->tuning.evict;
}

static bool same_element(const struct mutation *m, size_t i, const struct mutation_element *b)
{
    const struct mutation_element *a = &m->elements[i];
    return slice_eq(a->id, b->id) && a->expire_ms == b->expire_ms &&
           a->set_attribute == b->set_attribute &&
           memcmp(&a->norm, &b->norm, sizeof(a->norm)) == 0 &&
           memcmp(a->vector, b->vector, type_size(m->type, m->dim)) == 0 &&
           (!a->set_attribute || slice_eq(a->attribute, b->attribute));
}

static bool same_field(const struct hash_field *a, const struct hash_field *b)
{
    return slice_eq(a->name, b->name) && slice_eq(a->value, b->value) &&
           a->expire_ms == b->expire_ms;
}

/* To the bit: minus zero too. */
static bool same_score(const struct scored *a, const struct scored *b)
{
    return slice_eq(a->member, b->member) && memcmp(&a->score, &b->score, sizeof(a->score)) == 0;
}

static bool same(const struct mutation *a, const struct mutation *b)
{
    if (a->kind != b->kind || !slice_eq(a->key, b->key) || !slice_eq(a->value, b->value) ||
        a->expire_ms != b->expire_ms || a->offset != b->offset ||
        !slice_eq(a->partition, b->partition) || !slice_eq(a->path, b->path) ||
        !slice_eq(a->new_key, b->new_key) || a->dim != b->dim || a->type != b->type ||
        a->count != b->count || a->creates != b->creates || a->limit != b->limit ||
        a->at_head != b->at_head || a->to_head != b->to_head || a->replaces != b->replaces)
        return false;
    bool has_spec = a->kind == MUTATION_COLLECTION_NEW || a->creates;
    if (has_spec && !same_spec(&a->spec, &b->spec))
        return false;
    for (size_t i = 0; i < a->count; i++) {
        if (a->kind == MUTATION_PUT && !same_element(a, i, &b->elements[i]))
            return false;
        if (a->kind == MUTATION_HASH_SET && !same_field(&a->fields[i], &b->fields[i]))
            return false;
        if (a->members != NULL && !same_score(&a->members[i], &b->members[i]))
            return false;
        if (a->ids != NULL && !slice_eq(a->ids[i], b->ids[i]))
            return false;
    }
    return true;
}

/* The bytes in a piece of memory of exactly their size, so that a sanitizer sees a read behind. */
static struct slice exact_copy(struct slice bytes, size_t len)
{
    uint8_t *copy = malloc(len > 0 ? len : 1);
    memcpy(copy, bytes.ptr, len);
    return (struct slice){copy, len};
}

TEST(mutation, of_every_kind_is_among_the_samples)
{
    static const enum mutation_kind kinds[] = {
#define X(kind, number, text) kind,
        MUTATION_LIST(X)
#undef X
    };
    for (size_t k = 0; k < COUNT_OF(kinds); k++) {
        bool found = false;
        for (unsigned i = 0; i < SAMPLES; i++)
            found |= sample(i).kind == kinds[k];
        if (!found)
            test_fail(__FILE__, __LINE__, "no sample of %s", mutation_name(kinds[k]));
    }
}

TEST(mutation, with_a_time_or_a_size_past_its_limit_is_corrupt)
{
    struct mutation ms[4] = {{.kind = MUTATION_KEY_EXPIRE, .expire_ms = (uint64_t)INT64_MAX + 1},
                             {.kind = MUTATION_STRING_SET, .expire_ms = UINT64_MAX},
                             {.kind = MUTATION_STRING_RANGE, .offset = LIMIT_STRING_SIZE},
                             {.kind = MUTATION_STRING_RANGE, .offset = UINT64_MAX}};
    ms[2].value = slice_of("x");
    for (size_t i = 0; i < COUNT_OF(ms); i++) {
        struct buf b = BUF_INIT(MEM_TEST);
        struct mutation back;
        mutation_encode(&ms[i], &b);
        EXPECT_EQ(mutation_decode(buf_slice(&b), &back, NULL), ERR_CORRUPT);
        buf_fini(&b);
    }
}

TEST(mutation, is_read_back_as_it_was_written)
{
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct mutation m = sample(i), back;
        struct buf b = BUF_INIT(MEM_TEST);
        mutation_encode(&m, &b);
        REQUIRE(!buf_failed(&b));
        struct slice bytes = exact_copy(buf_slice(&b), b.len);
        struct why why = {""};
        REQUIRE(mutation_decode(bytes, &back, &why) == OK);
        EXPECT(same(&m, &back));
        EXPECT_STR(mutation_name(back.kind), mutation_name(m.kind));
        if (back.kind == MUTATION_PUT && back.count > 0)
            EXPECT_EQ((uintptr_t)back.elements[0].vector % sizeof(float), 0);
        mutation_free(&back);
        free((void *)bytes.ptr);
        buf_fini(&b);
    }
    EXPECT_EQ(mem_used(MEM_TEST), 0);
}

/* The place in the buffer must not matter: a log gathers several before it writes. */
TEST(mutation, is_the_same_bytes_wherever_it_is_appended)
{
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct mutation m = sample(i);
        struct buf alone = BUF_INIT(MEM_TEST), behind = BUF_INIT(MEM_TEST);
        mutation_encode(&m, &alone);
        buf_append_text(&behind, "12345");
        mutation_encode(&m, &behind);
        struct slice tail = {behind.ptr + 5, behind.len - 5};
        EXPECT(slice_eq(buf_slice(&alone), tail));
        buf_fini(&alone);
        buf_fini(&behind);
    }
}

TEST(mutation, cut_anywhere_is_corrupt)
{
    size_t before = mem_used(MEM_LOG);
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct mutation m = sample(i), back;
        struct buf b = BUF_INIT(MEM_TEST);
        mutation_encode(&m, &b);
        for (size_t len = 0; len < b.len; len++) {
            struct slice bytes = exact_copy(buf_slice(&b), len);
            struct why why = {""};
            EXPECT_EQ(mutation_decode(bytes, &back, &why), ERR_CORRUPT);
            EXPECT(strlen(why.text) > 0);
            free((void *)bytes.ptr);
        }
        buf_append_byte(&b, 0);
        EXPECT_EQ(mutation_decode(buf_slice(&b), &back, NULL), ERR_CORRUPT); /* one byte more */
        buf_fini(&b);
    }
    EXPECT_EQ(mem_used(MEM_LOG), before);
}

/* A damaged record is refused, or it is some other mutation: then all that applying it relies on
 * holds, and it is written and read again as the same. */
static void check_damaged(struct slice bytes)
{
    struct mutation m, again;
    enum err e = mutation_decode(bytes, &m, NULL);
    EXPECT(e == OK || e == ERR_CORRUPT);
    if (e != OK)
        return;
    if (m.kind == MUTATION_COLLECTION_NEW || m.creates) {
        EXPECT(m.spec.dim >= 1 && m.spec.dim <= LIMIT_DIM);
        EXPECT(m.spec.metric < METRIC_COUNT && m.spec.quant < QUANT_COUNT);
        EXPECT(m.spec.index < INDEX_KIND_COUNT);
        EXPECT(spec_type_fits(&m.spec));
        EXPECT(m.spec.m >= LIMIT_M_MIN && m.spec.m <= LIMIT_M && m.spec.ef_build >= 1);
        EXPECT(m.spec.projection_from == 0 || m.spec.projection_version == PROJECTION_VERSION);
        EXPECT(!m.creates || (m.spec.dim == m.dim && m.spec.type == m.type));
    }
    EXPECT(m.kind != MUTATION_SET_ATTRIBUTE || m.count == 1);
    struct buf b = BUF_INIT(MEM_TEST);
    mutation_encode(&m, &b); /* reads everything that the mutation points to */
    REQUIRE(mutation_decode(buf_slice(&b), &again, NULL) == OK);
    EXPECT(same(&m, &again));
    mutation_free(&again);
    buf_fini(&b);
    mutation_free(&m);
}

TEST(mutation, damaged_in_any_byte_is_corrupt_or_another_mutation)
{
    static const uint8_t damage[] = {0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff};
    size_t before = mem_used(MEM_LOG);
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct mutation m = sample(i);
        struct buf b = BUF_INIT(MEM_TEST);
        mutation_encode(&m, &b);
        for (size_t at = 0; at < b.len; at++) {
            for (size_t d = 0; d < COUNT_OF(damage); d++) {
                struct slice bytes = exact_copy(buf_slice(&b), b.len);
                ((uint8_t *)(uintptr_t)bytes.ptr)[at] ^= damage[d];
                check_damaged(bytes);
                free((void *)bytes.ptr);
            }
        }
        buf_fini(&b);
    }
    EXPECT_EQ(mem_used(MEM_LOG), before);
}

TEST(mutation, an_allocation_that_fails_is_no_damage)
{
    size_t before = mem_used(MEM_LOG);
    for (unsigned i = 0; i < SAMPLES; i++) {
        struct mutation m = sample(i), back;
        struct buf b = BUF_INIT(MEM_TEST);
        mutation_encode(&m, &b);
        (void)mem_fail_nth(1);
        enum err e = mutation_decode(buf_slice(&b), &back, NULL);
        bool fired = mem_fail_nth(0);
        EXPECT_EQ(e, fired ? ERR_NOMEM : OK);
        mutation_free(&back);
        buf_fini(&b);
    }
    EXPECT_EQ(mem_used(MEM_LOG), before);
}

/* Vectors of each type take what their type takes, and only that. */
TEST(mutation, a_put_holds_vectors_in_their_type)
{
    static const uint8_t bytes[2][32] = {"0123456789abcdef0123456789abcde", "vectors of some type"};
    static const size_t sizes[TYPE_COUNT] = {32, 16, 16, 8, 1};
    size_t len[TYPE_COUNT];
    for (int type = 0; type < TYPE_COUNT; type++) {
        struct mutation_element elements[2] = {
            {.id = slice_of("a"), .vector = bytes[0], .norm = 1},
            {.id = slice_of("b"), .vector = bytes[1], .norm = 1},
        };
        struct mutation m = put_of(elements, 2), back;
        struct buf b = BUF_INIT(MEM_TEST);
        m.dim = 8;
        m.type = (enum vec_type)type;
        m.creates = true;
        m.spec = spec_default(8);
        m.spec.type = m.type;
        m.spec.quant = QUANT_NONE;
        m.spec.metric = type == TYPE_BIT ? METRIC_HAMMING : METRIC_L2;
        mutation_encode(&m, &b);
        len[type] = b.len - 2 * sizes[type];
        REQUIRE(mutation_decode(buf_slice(&b), &back, NULL) == OK);
        EXPECT(same(&m, &back));
        mutation_free(&back);
        m.spec.type = type == TYPE_FP32 ? TYPE_FP16 : TYPE_FP32;
        m.spec.metric = METRIC_L2;
        buf_clear(&b, SIZE_MAX);
        mutation_encode(&m, &b);
        EXPECT_EQ(mutation_decode(buf_slice(&b), &back, NULL), ERR_CORRUPT);
        buf_fini(&b);
        EXPECT_EQ(len[type], len[0]);
    }
}

TEST(mutation, a_put_of_bits_that_are_no_bytes_is_corrupt)
{
    uint8_t bytes[2] = {1, 2};
    struct mutation_element element = {.id = slice_of("a"), .vector = bytes, .norm = 1};
    struct mutation m = put_of(&element, 1), back;
    struct buf b = BUF_INIT(MEM_TEST);
    m.dim = 16;
    m.type = TYPE_BIT;
    mutation_encode(&m, &b);
    REQUIRE(mutation_decode(buf_slice(&b), &back, NULL) == OK);
    mutation_free(&back);
    const uint32_t dims[2] = {16, 12};
    uint8_t *at = memmem(b.ptr, b.len, &dims[0], sizeof(dims[0]));
    REQUIRE(at != NULL);
    memcpy(at, &dims[1], sizeof(dims[1]));
    EXPECT_EQ(mutation_decode(buf_slice(&b), &back, NULL), ERR_CORRUPT);
    buf_fini(&b);
}
