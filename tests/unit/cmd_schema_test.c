/* cmd_schema_test.c: VALTER SCHEMA. What filters answer does not depend on whether columns and
 * indexes are there, being made, or gone. */
#include <stdio.h>

#include "lib/cmd_harness.h"

enum { ROWS = 1500, WAIT_US = 60 * 1000 * 1000 };

static const char *const filters[] = {".n == 7", ".n > 1400 or .s == \"t3\"",
                                      ".s in [\"t1\",\"t2\"]", "not exists(.n)", ".b and .n < 30"};
static const char *counts[COUNT_OF(filters)] = {":1\r\n", ":238\r\n", ":300\r\n", ":15\r\n",
                                                ":15\r\n"};

static struct collection *collection_of(struct harness *h)
{
    struct collection *c;
    REQUIRE(db_collection(&h->db, slice_of("c"), &c) == OK && c != NULL);
    return c;
}

static bool is_made(void *user)
{
    const struct collection *c = user;
    return !c->fields_late && c->next_fields == NULL &&
           (c->spec.schema.count == 0 || (c->fields != NULL && !c->fields->building));
}

static void put(struct harness *h, int i, int as)
{
    char line[160];
    if (as % 100 == 99)
        (void)snprintf(line, sizeof(line), "VADD c VALUES 2 %d 1 e%d SETATTR '{\"s\":\"t%d\"}'", i,
                       i, as % 10);
    else
        (void)snprintf(line, sizeof(line),
                       "VADD c VALUES 2 %d 1 e%d SETATTR '{\"n\":%d,\"s\":\"t%d\",\"b\":%s}'", i, i,
                       as, as % 10, as % 2 == 0 ? "true" : "false");
    (void)harness_run(h, 2, line);
}

static struct harness *filled(const char *create)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, create, "+OK\r\n");
    for (int i = 0; i < ROWS; i++)
        put(h, i, i);
    return h;
}

static void expect_counts(struct harness *h)
{
    char line[160];
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        (void)snprintf(line, sizeof(line), "VCOUNT c '%s'", filters[i]);
        EXPECT_REPLY(h, 2, line, counts[i]);
    }
}

/* The same while they are being made, and elements change meanwhile. */
static void alter(struct harness *h, const char *line)
{
    EXPECT_REPLY(h, 2, line, "+OK\r\n");
    expect_counts(h);
    for (int i = 0; i < ROWS; i += 7)
        put(h, i, i);
    (void)harness_run(h, 2, "VADD c VALUES 2 1 1 gone SETATTR '{\"n\":7}'");
    EXPECT_REPLY(h, 2, "VREM c gone", ":1\r\n");
    EXPECT_REPLY(h, 2, "VSETATTR c e7 '{\"n\":8,\"s\":\"t7\",\"b\":false}'", ":1\r\n");
    EXPECT_REPLY(h, 2, "VSETATTR c e7 '{\"n\":7,\"s\":\"t7\",\"b\":false}'", ":1\r\n");
    expect_counts(h);
    REQUIRE(sim_run_until(h->sim, is_made, collection_of(h), WAIT_US));
    expect_counts(h);
}

TEST(cmd_schema, fields_come_and_go_and_answers_stay)
{
    struct harness *h = filled("VCREATE c DIM 2 METRIC L2");
    expect_counts(h);
    EXPECT_PART(h, 2, "VEXPLAIN VCOUNT c '.n == 7'", "over attributes: not all of it is in");
    alter(h, "VALTER c SCHEMA ADD n NUMERIC s TAG");
    EXPECT_PART(h, 2, "VEXPLAIN VCOUNT c '.n == 7'", "over columns");
    alter(h, "VALTER c EF 50 SCHEMA ADD .b BOOL");
    EXPECT_PART(h, 2, "VINFO c", "$1\r\nb\r\n+BOOL\r\n");
    EXPECT_PART(h, 2, "VEXPLAIN VCOUNT c '.b and .n < 30'", "over columns");
    alter(h, "VALTER c SCHEMA DROP n");
    EXPECT_PART(h, 2, "VEXPLAIN VCOUNT c '.n == 7'", "over attributes: not all of it is in");
    EXPECT_PART(h, 2, "VEXPLAIN VCOUNT c '.s == \"t1\"'", "over columns");
    alter(h, "VALTER c SCHEMA DROP b s");
    EXPECT(collection_of(h)->fields == NULL);
    harness_free(h);
}

TEST(cmd_schema, what_serves_goes_on_until_the_new_is_complete)
{
    struct harness *h = filled("VCREATE c DIM 2 METRIC L2 SCHEMA n NUMERIC");
    EXPECT_REPLY(h, 2, "VALTER c SCHEMA ADD s TAG", "+OK\r\n");
    EXPECT(!is_made(collection_of(h)));
    EXPECT_PART(h, 2, "VEXPLAIN VCOUNT c '.n == 7'", "over columns");
    /* Again, while the first change is under way. */
    EXPECT_REPLY(h, 2, "VALTER c SCHEMA ADD b BOOL", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VALTER c SCHEMA DROP n s b", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VALTER c SCHEMA ADD n TAG", "+OK\r\n");
    expect_counts(h);
    REQUIRE(sim_run_until(h->sim, is_made, collection_of(h), WAIT_US));
    expect_counts(h);
    harness_free(h);
}

TEST(cmd_schema, a_dropped_collection_takes_what_is_being_made_along)
{
    struct harness *h = filled("VCREATE c DIM 2 METRIC L2 SCHEMA n NUMERIC");
    EXPECT_REPLY(h, 2, "VALTER c SCHEMA ADD s TAG", "+OK\r\n");
    EXPECT_REPLY(h, 2, "VDROP c", "+OK\r\n");
    harness_free(h);
}

TEST(cmd_schema, mistakes_are_named)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "VCREATE c DIM 2 SCHEMA n NUMERIC", "+OK\r\n");
    EXPECT_PART(h, 2, "VALTER c SCHEMA", "SCHEMA: a value is missing after it");
    EXPECT_PART(h, 2, "VALTER c SCHEMA ADD", "write ADD field TYPE, or DROP field");
    EXPECT_PART(h, 2, "VALTER c SCHEMA MOVE n", "SCHEMA: 'MOVE' is not one of: ADD DROP");
    EXPECT_PART(h, 2, "VALTER c SCHEMA ADD n TAG", "the field 'n' comes twice");
    EXPECT_PART(h, 2, "VALTER c SCHEMA ADD m", "the field 'm' lacks its type");
    EXPECT_PART(h, 2, "VALTER c SCHEMA ADD m TEXT", "TEXT fields are not in this version");
    EXPECT_PART(h, 2, "VALTER c SCHEMA DROP m", "there is no field 'm'");
    EXPECT_PART(h, 2, "VINFO c", "$1\r\nn\r\n+NUMERIC\r\n");
    char line[512] = "VALTER c SCHEMA ADD";
    for (int i = 0; i < 15; i++)
        (void)snprintf(line + strlen(line), sizeof(line) - strlen(line), " f%d BOOL", i);
    EXPECT_REPLY(h, 2, line, "+OK\r\n");
    EXPECT_PART(h, 2, "VALTER c SCHEMA ADD one TAG", "SCHEMA: at most 16 fields");
    harness_free(h);
}
