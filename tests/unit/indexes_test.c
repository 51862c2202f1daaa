/* Indexes over keys: what FT.CREATE's words say, and that an index holds what the keys do. */
#include "db/indexes.h"

#include <stdio.h>

#include "base/limits.h"
#include "db/key_filter.h"
#include "lib/test.h"
#include "sim/inspect.h"
#include "sim/sim_io.h"

enum { RUN_US = 60 * 1000 * 1000, WORDS_MAX = 40 };

/* -- definitions ------------------------------------------------------------------------------- */

/* Words of a line, which stays. */
static size_t split(const char *line, struct slice out[WORDS_MAX])
{
    size_t count = 0;
    while (*line != '\0') {
        size_t size = strcspn(line, " ");
        REQUIRE(count < WORDS_MAX);
        out[count++] = (struct slice){(const uint8_t *)line, size};
        line += line[size] == ' ' ? size + 1 : size;
    }
    return count;
}

static struct index_spec *spec_of(const char *line)
{
    struct slice words[WORDS_MAX];
    struct index_spec *spec;
    struct why why = {""};
    enum err e = index_spec_new(slice_of("i"), words, split(line, words), &spec, &why);
    EXPECT_STR(why.text, "");
    REQUIRE(e == OK);
    return spec;
}

TEST(indexes, options_and_attributes_come_in_any_order)
{
    struct index_spec *s = spec_of(
        "SCORE 0.5 PREFIX 2 a: b: ON hash SCHEMA t AS tag TAG SORTABLE SEPARATOR ; CASESENSITIVE "
        "v VECTOR HNSW 10 M 8 DIM 3 EF_RUNTIME 7 TYPE FLOAT64 DISTANCE_METRIC IP n NUMERIC");
    EXPECT_EQ(s->field_count, 3);
    EXPECT_EQ(s->vector_count, 1);
    EXPECT_EQ(s->prefix_count, 2);
    const struct index_field *t = index_spec_field(s, slice_of("tag"));
    REQUIRE(t != NULL);
    EXPECT(slice_eq(t->path, slice_of("t")) && t->separator == ';' && t->case_sensitive);
    EXPECT(index_spec_field(s, slice_of("t")) == NULL);
    const struct index_vector *v = &index_spec_field(s, slice_of("v"))->vector;
    EXPECT(!v->flat && v->m == 8 && v->dim == 3 && v->ef_runtime == 7 && v->metric == METRIC_IP);
    EXPECT_EQ(index_vector_size(v), 24);
    EXPECT(index_spec_covers(s, slice_of("b:1")) && !index_spec_covers(s, slice_of("c:1")));
    index_spec_unref(s);
}

/* SCHEMA and so many fields of a kind. */
static enum err make_fields(const char *kind, size_t count, struct why *why)
{
    enum { NAME_SIZE = 16 };
    struct index_spec *spec = NULL;
    struct slice *words = mem_calloc(MEM_TEST, (2 * count + 1) * sizeof(*words));
    char(*names)[NAME_SIZE] = mem_calloc(MEM_TEST, count * NAME_SIZE);
    words[0] = slice_of("SCHEMA");
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(names[i], NAME_SIZE, "f%zu", i);
        words[2 * i + 1] = slice_of(names[i]);
        words[2 * i + 2] = slice_of(kind);
    }
    enum err e = index_spec_new(slice_of("i"), words, 2 * count + 1, &spec, why);
    EXPECT((e == OK) == (spec != NULL));
    index_spec_unref(spec);
    mem_free(MEM_TEST, names);
    mem_free(MEM_TEST, words);
    return e;
}

TEST(indexes, a_schema_has_so_many_fields_and_not_one_more)
{
    struct why why = {""};
    EXPECT_EQ(make_fields("TAG", LIMIT_INDEX_FIELDS, &why), OK);
    EXPECT_EQ(make_fields("TAG", LIMIT_INDEX_FIELDS + 1, &why), ERR_LIMIT);
    EXPECT_STR(why.text, "a schema has at most 1024 fields");
    EXPECT_EQ(make_fields("TEXT", INDEX_TEXTS_MAX, &why), OK);
    EXPECT_EQ(make_fields("TEXT", INDEX_TEXTS_MAX + 1, &why), ERR_LIMIT);
    EXPECT_STR(why.text, "Schema is limited to 64 TEXT fields");
}

/* -- following --------------------------------------------------------------------------------- */

struct fixture {
    struct sim *sim;
    struct db db;
};

static struct fixture *open_fixture(void)
{
    struct fixture *f = mem_calloc(MEM_TEST, sizeof(*f));
    struct why why;
    struct db_options options = {.flat_rows_max = 60, .pending_scan_bytes = 1 << 20};
    f->sim = sim_new(1, NULL);
    REQUIRE(vec_kernels_choose("auto", &options.kernels, &why) == OK);
    db_init(&f->db, sim_io(f->sim), &options);
    return f;
}

static bool is_idle(void *user)
{
    struct fixture *f = user;
    bool scans = false;
    for (const struct key_index *x = f->db.indexes; x != NULL; x = x->next)
        scans = scans || x->scans;
    return !scans && db_idle(&f->db);
}

static void settle(struct fixture *f)
{
    EXPECT(sim_run_until(f->sim, is_idle, f, RUN_US));
    const char *broken = inspect_db(&f->db, false);
    EXPECT_STR(broken == NULL ? "" : broken, "");
}

static void close_fixture(struct fixture *f)
{
    db_clear(&f->db);
    EXPECT(sim_run_until(f->sim, is_idle, f, RUN_US));
    db_fini(&f->db);
    sim_free(f->sim);
    mem_free(MEM_TEST, f);
}

static enum err write(struct fixture *f, const struct mutation *m)
{
    uint64_t lsn;
    struct why why;
    return db_write(&f->db, m, &lsn, &why);
}

static enum err make_index(struct fixture *f, const char *name, const char *line)
{
    struct slice words[WORDS_MAX];
    struct mutation m = {.kind = MUTATION_INDEX_NEW, .key = slice_of(name), .ids = words};
    m.count = split(line, words);
    return write(f, &m);
}

static void set(struct fixture *f, const char *key, const char *name, struct slice value)
{
    struct hash_field field = {.name = slice_of(name), .value = value};
    struct mutation m = {
        .kind = MUTATION_HASH_SET, .key = slice_of(key), .fields = &field, .count = 1};
    EXPECT_EQ(write(f, &m), OK);
}

static struct slice vector(float x, float y)
{
    static float numbers[2];
    numbers[0] = x;
    numbers[1] = y;
    return (struct slice){(const uint8_t *)numbers, sizeof(numbers)};
}

TEST(indexes, keys_that_were_there_before_are_found_in_slices)
{
    enum { KEYS = 5000 };
    struct fixture *f = open_fixture();
    for (unsigned i = 0; i < KEYS; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "%s%u", i % 2 == 0 ? "doc:" : "other:", i);
        set(f, key, "v", vector((float)i, 1));
    }
    EXPECT_EQ(make_index(f, "i",
                         "PREFIX 1 doc: SCHEMA v VECTOR FLAT 6 TYPE FLOAT32 DIM 2 "
                         "DISTANCE_METRIC L2"),
              OK);
    struct key_index *x = indexes_find(&f->db, slice_of("i"));
    EXPECT(x->scans && index_done_share(x) < 1);
    settle(f);
    EXPECT_EQ(x->docs->live, KEYS / 2);
    EXPECT_EQ(x->vectors[0]->live, KEYS / 2);
    EXPECT(index_done_share(x) == 1);
    close_fixture(f);
}

TEST(indexes, what_happens_to_a_key_happens_to_its_document)
{
    struct fixture *f = open_fixture();
    EXPECT_EQ(make_index(f, "i",
                         "SCHEMA t TAG n NUMERIC v VECTOR HNSW 6 TYPE FLOAT32 DIM 2 "
                         "DISTANCE_METRIC COSINE"),
              OK);
    struct key_index *x = indexes_find(&f->db, slice_of("i"));
    set(f, "a", "t", slice_of("x,y"));
    set(f, "a", "v", vector(1, 0));
    set(f, "b", "n", slice_of("7"));
    settle(f);
    EXPECT(x->docs->live == 2 && x->vectors[0]->live == 1);
    uint32_t row = collection_find(x->vectors[0], slice_of("a"));
    set(f, "a", "t", slice_of("z"));
    EXPECT_EQ(collection_find(x->vectors[0], slice_of("a")), row); /* the vector stayed */
    set(f, "a", "v", vector(0, 0));                                /* which has no direction */
    EXPECT(x->docs->live == 1 && x->failures == 1 && x->vectors[0]->live == 0);
    set(f, "a", "v", vector(0, 1));
    set(f, "b", "n", slice_of("seven"));
    EXPECT(x->docs->live == 1 && x->failures == 2);
    set(f, "b", "n", slice_of("-inf"));
    EXPECT_EQ(write(f, &(struct mutation){.kind = MUTATION_KEY_RENAME,
                                          .key = slice_of("a"),
                                          .new_key = slice_of("c")}),
              OK);
    settle(f);
    EXPECT(collection_find(x->docs, slice_of("a")) == ROW_NONE);
    EXPECT(collection_find(x->vectors[0], slice_of("c")) != ROW_NONE);
    EXPECT_EQ(write(f, &(struct mutation){.kind = MUTATION_STRING_SET, .key = slice_of("c")}), OK);
    EXPECT_EQ(write(f, &(struct mutation){.kind = MUTATION_KEY_REMOVE, .key = slice_of("b")}), OK);
    settle(f);
    EXPECT(x->docs->live == 0 && x->vectors[0]->live == 0);
    close_fixture(f);
}

static void set_json(struct fixture *f, const char *key, const char *document)
{
    struct mutation m = {.kind = MUTATION_JSON_SET,
                         .key = slice_of(key),
                         .path = slice_of("$"),
                         .value = slice_of(document)};
    EXPECT_EQ(write(f, &m), OK);
}

static struct slice attribute_of(struct key_index *x, const char *key)
{
    uint32_t row = collection_find(x->docs, slice_of(key));
    REQUIRE(row != ROW_NONE);
    const heap_ref *refs = (const void *)x->docs->columns.base[COL_ATTR];
    return heap_get(&x->docs->heap, refs[row]);
}

TEST(indexes, documents_are_json)
{
    struct fixture *f = open_fixture();
    set_json(f, "a", "{\"t\":[\"x\",\"Y,z\"],\"n\":2,\"v\":[1,0]}");
    set(f, "h", "t", slice_of("x"));
    EXPECT_EQ(make_index(f, "i",
                         "ON JSON SCHEMA $.t AS t TAG $.n AS n NUMERIC $.s AS s TAG SEPARATOR ; "
                         "$.v AS v VECTOR FLAT 6 TYPE FLOAT16 DIM 2 DISTANCE_METRIC COSINE "
                         "$.g AS g GEO"),
              OK);
    struct key_index *x = indexes_find(&f->db, slice_of("i"));
    settle(f);
    EXPECT(x->docs->live == 1 && x->vectors[0]->live == 1 && x->failures == 0);
    EXPECT(slice_eq(attribute_of(x, "a"), slice_of("{\"f0\":[\"x\",\"y,z\"],\"f1\":2}")));
    set_json(f, "a", "{\"t\":true,\"n\":null,\"s\":[\"a;b\",null,\"\\n\"]}");
    EXPECT(slice_eq(attribute_of(x, "a"), slice_of("{\"f0\":\"true\",\"f2\":[\"a\",\"b\"]}")));
    EXPECT_EQ(x->vectors[0]->live, 0);
    set_json(f, "a", "{\"n\":[3,null,1.50],\"g\":[\"1,2\",null,\"-3 4\"]}");
    EXPECT(slice_eq(attribute_of(x, "a"), slice_of("{\"f1\":[3,1.5],\"f4\":[\"1,2\",\"-3,4\"]}")));
    set_json(f, "a", "{\"n\":[null],\"g\":[\"1,2\"]}");
    EXPECT(slice_eq(attribute_of(x, "a"), slice_of("{\"f4\":\"1,2\"}")));
    const char *const bad[] = {
        "{\"n\":true}",        "{\"n\":\"1\"}",    "{\"n\":[1,\"2\"]}", "{\"g\":[\"1,2\",\"\"]}",
        "{\"g\":[\"1,2\",7]}", "{\"n\":[1,[2]]}",  "{\"t\":1}",         "{\"t\":[true]}",
        "{\"t\":{}}",          "{\"v\":\"ab\"}",   "{\"v\":[1]}",       "{\"v\":[]}",
        "{\"v\":[1,true]}",    "{\"v\":[1,1e300]}"};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        set_json(f, "a", "{\"t\":\"good\"}");
        EXPECT_EQ(x->docs->live, 1);
        set_json(f, "a", bad[i]);
        EXPECT(x->docs->live == 0 && x->failures == i + 1);
    }
    set_json(f, "a", "{}");
    set(f, "b", "t", slice_of("x"));
    settle(f);
    EXPECT_EQ(x->docs->live, 1);
    close_fixture(f);
}

TEST(indexes, there_are_so_many_and_not_one_more)
{
    struct fixture *f = open_fixture();
    for (unsigned i = 0; i <= LIMIT_INDEXES; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "i%u", i);
        EXPECT_EQ(make_index(f, name, "PREFIX 1 none SCHEMA t TAG"),
                  i < LIMIT_INDEXES ? OK : ERR_LIMIT);
    }
    EXPECT_EQ(make_index(f, "i0", "SCHEMA t TAG"), ERR_EXISTS);
    EXPECT_EQ(write(f, &(struct mutation){.kind = MUTATION_FLUSH}), OK);
    EXPECT(f->db.indexes == NULL);
    close_fixture(f);
}

/* -- queries ----------------------------------------------------------------------------------- */

/* So many `-(` around a tag. */
static enum err nest(struct fixture *f, size_t depth, struct why *why)
{
    struct key_filter filter;
    struct ft_query query;
    struct buf text = BUF_INIT(MEM_TEST);
    for (size_t i = 0; i < depth; i++)
        buf_append_text(&text, "-(");
    buf_append_text(&text, "@t:{x}");
    for (size_t i = 0; i < depth; i++)
        buf_append_text(&text, ")");
    EXPECT_EQ(query_parse(buf_slice(&text), 2, NULL, 0, &query, why), OK);
    const struct key_text_options words = {.slop = TEXT_NO_SLOP};
    enum err e = key_filter_make(indexes_find(&f->db, slice_of("i")), &query, &words, &filter, why);
    if (e == OK) {
        const struct filter *made = filter.filter;
        EXPECT(filter_match(made, slice_of("{\"f0\":\"x\"}")) == (depth % 2 == 0));
        EXPECT(filter_match(made, slice_of("{\"f0\":[\"y\",\"x\"]}")) == (depth % 2 == 0));
        EXPECT(filter_match(made, slice_of("{\"f0\":[\"y\",\"xx\"]}")) == (depth % 2 == 1));
        EXPECT(filter_match(made, slice_of("{}")) == (depth % 2 == 1));
    }
    filter_free(filter.filter);
    query_fini(&query);
    buf_fini(&text);
    return e;
}

TEST(indexes, queries_nest_so_deep_and_not_deeper)
{
    struct fixture *f = open_fixture();
    struct why why = {""};
    EXPECT_EQ(make_index(f, "i", "SCHEMA t TAG"), OK);
    set(f, "a", "t", slice_of("x,y"));
    EXPECT_EQ(nest(f, 0, &why), OK);
    EXPECT_EQ(nest(f, 1, &why), OK);
    EXPECT_EQ(nest(f, KEY_FILTER_DEPTH, &why), OK);
    EXPECT_STR(why.text, "");
    EXPECT_EQ(nest(f, KEY_FILTER_DEPTH + 1, &why), ERR_LIMIT);
    EXPECT_STR(why.text, "a query nests at most 60 clauses");
    close_fixture(f);
}

/* So many tags in one union. */
static enum err unite(struct fixture *f, size_t count, struct why *why)
{
    struct key_filter filter;
    struct ft_query query;
    struct buf text = BUF_INIT(MEM_TEST);
    for (size_t i = 0; i < count; i++)
        buf_printf(&text, "%sv%zu", i == 0 ? "@t:{" : "|", i);
    buf_append_text(&text, "}");
    EXPECT_EQ(query_parse(buf_slice(&text), 2, NULL, 0, &query, why), OK);
    const struct key_text_options words = {.slop = TEXT_NO_SLOP};
    enum err e = key_filter_make(indexes_find(&f->db, slice_of("i")), &query, &words, &filter, why);
    if (e == OK) {
        EXPECT(filter_match(filter.filter, slice_of("{\"f0\":[\"x\",\"v7\"]}")));
        EXPECT(!filter_match(filter.filter, slice_of("{\"f0\":\"x\"}")));
    }
    filter_free(filter.filter);
    query_fini(&query);
    buf_fini(&text);
    return e;
}

TEST(indexes, unions_have_so_many_tags_and_not_one_more)
{
    enum { BESIDES = 3 /* the field, the comparison, the list */ };
    struct fixture *f = open_fixture();
    struct why why = {""};
    EXPECT_EQ(make_index(f, "i", "SCHEMA t TAG"), OK);
    EXPECT_EQ(unite(f, LIMIT_QUERY_OPERANDS - BESIDES, &why), OK);
    EXPECT_STR(why.text, "");
    EXPECT_EQ(unite(f, LIMIT_QUERY_OPERANDS - BESIDES + 1, &why), ERR_LIMIT);
    EXPECT_STR(why.text, "the query has more than 30000 operands and operators");
    close_fixture(f);
}
