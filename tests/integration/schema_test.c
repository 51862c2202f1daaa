/* SCHEMA: fields that are kept in columns and indexes give the answers they gave without. */
#include "base/limits.h"
#include "integration/peer.h"

TEST(schema, is_shown_by_vinfo)
{
    struct peer *p = peer_fresh(2);
    SAYS(p, "VCREATE c DIM 2 SCHEMA year NUMERIC .genre TAG seen bool a.b[0] TAG", "+OK");
    const char *info = ask(p, "VINFO c");
    EXPECT(strstr(info, "+schema [['year' +NUMERIC] ['genre' +TAG] ['seen' +BOOL] "
                        "['a.b[0]' +TAG]]") != NULL);
}

TEST(schema, refuses_what_is_no_field)
{
    PLAY({"VCREATE c DIM 2 SCHEMA year", "-ERR SCHEMA: the field 'year' lacks its type (SCHEMA is "
                                         "the last option)"},
         {"VCREATE c DIM 2 SCHEMA year NUMERIC EF 10",
          "-ERR SCHEMA: '10' is not one of: TAG NUMERIC BOOL GEO TEXT"},
         {"VCREATE c DIM 2 SCHEMA 'a b' TAG",
          "-ERR SCHEMA: 'a b' is not a field: write year, a.b or a[0]"},
         {"VCREATE c DIM 2 SCHEMA '' TAG", "-ERR SCHEMA: '' is not a field: ..."},
         {"VCREATE c DIM 2 SCHEMA a TAG .a NUMERIC", "-ERR SCHEMA: the field 'a' comes twice"},
         {"VCREATE c DIM 2 SCHEMA a TEXT", "-ERR SCHEMA: TEXT fields are not in this version"},
         {"VCREATE c DIM 2 SCHEMA a TEXT", "-ERR SCHEMA: TEXT fields are not in this version"},
         {"VCREATE c DIM 2 SCHEMA", "-ERR SCHEMA: a value is missing after it"}, {"VLIST", "[]"});
}

TEST(schema, has_as_many_fields_as_the_limit_says)
{
    struct peer *p = peer_fresh(2);
    struct buf line = BUF_INIT(MEM_TEST);
    for (int count = LIMIT_SCHEMA_FIELDS; count <= LIMIT_SCHEMA_FIELDS + 1; count++) {
        line.len = 0;
        buf_printf(&line, "VCREATE c%d DIM 1 SCHEMA", count);
        for (int i = 0; i < count; i++)
            buf_printf(&line, " f%d NUMERIC", i);
        buf_append_byte(&line, 0);
        SAYS(p, (const char *)line.ptr,
             count == LIMIT_SCHEMA_FIELDS ? "+OK" : "-ERR SCHEMA: at most 16 fields");
    }
    for (int size = LIMIT_SCHEMA_NAMES; size <= LIMIT_SCHEMA_NAMES + 1; size++) {
        line.len = 0;
        buf_printf(&line, "VCREATE d%d DIM 1 SCHEMA x TAG {x %d} TAG", size, size - 1);
        buf_append_byte(&line, 0);
        SAYS(p, (const char *)line.ptr,
             size == LIMIT_SCHEMA_NAMES ? "+OK"
                                        : "-ERR SCHEMA: the names of all fields have at "
                                          "most 256 bytes");
    }
    buf_fini(&line);
}

/* clang-format off */
#define FILMS                                                                                      \
    {"VCREATE c DIM 1 METRIC L2 SCHEMA year NUMERIC genre TAG seen BOOL", "+OK"},                  \
    {"VMADD c FP32 4 a b d e {f32 0 1 2 3} ATTRS 4 "                                               \
     "'{\"year\":1980,\"genre\":\"drama\",\"seen\":true}' "                                        \
     "'{\"year\":1999,\"genre\":\"crime\"}' '{\"year\":\"2004\",\"genre\":[\"drama\"]}' ''",       \
     "[:1 :1 :1 :1]"}
/* clang-format on */

/* d's genre is an array, which equals by number, as in Redis: both are 0. */
TEST(schema, filters_find_what_they_find_without)
{
    PLAY(FILMS, {"VSEARCH c VALUES 1 0 FILTER '.year >= 1990'", "['b' 'd']"},
         {"VSEARCH c VALUES 1 0 FILTER '.genre == \"drama\"'", "['a' 'd']"},
         {"VSEARCH c VALUES 1 0 FILTER '\"drama\" in .genre'", "['a' 'd']"},
         {"VSEARCH c VALUES 1 0 FILTER '.seen'", "['a']"},
         {"VSEARCH c VALUES 1 0 FILTER '.year == 2004'", "['d']"},
         {"VSEARCH c VALUES 1 0 FILTER '.genre in [\"crime\", \"drama\"] and .year < 2000'",
          "['a' 'b']"},
         {"VSEARCH c VALUES 1 0 FILTER '.genre in [\"crime\"]'", "['b' 'd']"},
         {"VCOUNT c 'exists(.genre) and not exists(.seen)'", ":2"},
         {"VQUERY c '.year > 1900' SORTBY year", "['a' 'b' 'd']"});
}

TEST(schema, follows_changes_of_attributes_and_elements)
{
    PLAY(FILMS, {"VSETATTR c e '{\"year\":1980}'", ":1", "#t"}, {"VCOUNT c '.year == 1980'", ":2"},
         {"VSETATTR c a ''", ":1", "#t"}, {"VCOUNT c '.year == 1980'", ":1"},
         {"VADD c VALUES 1 9 b", ":0", "#f"}, {"VCOUNT c '.genre == \"crime\"'", ":2"},
         {"VREM c b", ":1", "#t"}, {"VCOUNT c '.genre == \"crime\"'", ":1"},
         {"VREMWHERE c '.year == 1980'", ":1"}, {"VCARD c", ":2"}, {"VDROP c", "+OK"});
}
