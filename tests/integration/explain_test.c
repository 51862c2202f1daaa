/* VEXPLAIN, and that the plans it tells of find what an exact search finds. */
#include "base/limits.h"
#include "integration/peer.h"

enum { ELEMENTS = 4000, BATCH = 1000 };

/* Elements on a line: e0 at 0, e1 at 1, ...; n is a number of 0 .. 999, s one of four letters, and
 * w is n again, not in the schema. */
static void make_line(struct peer *p)
{
    struct buf line = BUF_INIT(MEM_TEST);
    SAYS(p, "VCREATE c DIM 8 METRIC L2 INDEX HNSW SCHEMA n NUMERIC s TAG", "+OK");
    for (int first = 0; first < ELEMENTS; first += BATCH) {
        line.len = 0;
        buf_printf(&line, "VMADD c FP32 %d", BATCH);
        for (int i = first; i < first + BATCH; i++)
            buf_printf(&line, " e%d", i);
        buf_printf(&line, " {f32");
        for (int i = first; i < first + BATCH; i++)
            buf_printf(&line, " %d 0 0 0 0 0 0 0", i);
        buf_printf(&line, "} ATTRS %d", BATCH);
        for (int i = first; i < first + BATCH; i++)
            buf_printf(&line, " '{\"n\":%d,\"s\":\"%c\",\"w\":%d}'", i * 7 % 1000, 'a' + i % 4,
                       i * 7 % 1000);
        buf_append_byte(&line, 0);
        (void)ask(p, (const char *)line.ptr);
    }
    buf_fini(&line);
}

static void expect_in(struct peer *p, const char *command, const char *part)
{
    const char *said = ask(p, command);
    if (strstr(said, part) == NULL)
        test_fail(__FILE__, __LINE__, "%s says\n%s\nwithout %s", command, said, part);
}

TEST(explain, tells_the_plan_its_reasons_and_its_work)
{
    struct peer *p = peer_fresh(2);
    make_line(p);
    expect_in(p, "VEXPLAIN VSEARCH c ELE e0", "'plan' 'walk' 'why' 'there is no filter'");
    expect_in(p, "VEXPLAIN VSEARCH c ELE e0 EXACT", "'plan' 'scan of all' 'why' 'EXACT was asked");
    expect_in(p, "VEXPLAIN VSEARCH c ELE e0 FILTER '.n == 7'",
              "'plan' 'scan of candidates' 'why' 'the index of n names 4 rows; ");
    expect_in(p, "VEXPLAIN VSEARCH c ELE e0 FILTER '.n == 7'",
              "'filter' 'over columns' 'matches' '4, counted by an index'");
    expect_in(p, "VEXPLAIN VSEARCH c ELE e0 FILTER '.n >= 10 and .n < 20 and .s == \"a\"'",
              "the index of n names 40 rows");
    expect_in(p, "VEXPLAIN VSEARCH c ELE e0 FILTER '.w == 7'",
              "'filter' 'over attributes: not all of it is in the schema'");
    expect_in(p, "VEXPLAIN VSEARCH c ELE e0 FILTER '.w == 7'", "estimated from a sample of 200");
    expect_in(p, "VEXPLAIN ANALYZE VSEARCH c ELE e0 FILTER '.n == 7'",
              "'candidates' '4' 'distance computations' '4'");
    expect_in(p, "VEXPLAIN ANALYZE VSEARCH c ELE e0 FILTER '.n == 7'", "'time' 'plan ");
    expect_in(p, "VEXPLAIN ANALYZE VCOUNT c '.s == \"b\"'", "'plan' 'the index alone'");
    expect_in(p, "VEXPLAIN ANALYZE VQUERY c '.n == 7'", "'hits' '4'");
    expect_in(p, "VEXPLAIN ANALYZE VMSEARCH c 1 {f32 1 0 0 0 0 0 0 0} COUNT 3", "'hits' '3'");
    expect_in(p, "VEXPLAIN ANALYZE VSIM c ELE e0 COUNT 3", "'hits' '3'");
    struct peer *three = peer_fresh(3);
    SAYS(three, "VCREATE d DIM 1", "+OK");
    SAYS(three, "VEXPLAIN VSEARCH d VALUES 1 1",
         "{'collection' '0 elements of 1 dimensions, FLAT over SQ8, 0 not linked yet' 'plan' "
         "'scan of all' 'why' 'the collection is small and has no graph'}");
}

TEST(explain, refuses_what_is_no_search)
{
    PLAY({"VCREATE c DIM 1", "+OK"},
         {"VEXPLAIN SET a b", "-ERR VEXPLAIN takes VSEARCH, VMSEARCH, VSIM, VQUERY or VCOUNT"},
         {"VEXPLAIN ANALYZE", "-ERR ..."}, {"VEXPLAIN nothing c", "-ERR VEXPLAIN takes ..."},
         {"VEXPLAIN VEXPLAIN VSEARCH c ELE a", "-ERR VEXPLAIN takes ..."},
         {"VEXPLAIN VSEARCH c", "-ERR wrong number of arguments for 'VSEARCH' command"},
         {"VEXPLAIN VCOUNT c", "-ERR wrong number of arguments for 'VCOUNT' command"},
         {"VEXPLAIN VSEARCH c ELE a", "-ERR element not found in set"},
         {"VEXPLAIN VSEARCH c VALUES 1 1 FOO", "-ERR FOO: ..."},
         {"VEXPLAIN VSEARCH k ELE a", "-ERR no such collection 'k'; ..."});
}

/* Whatever drives it, and by whatever way: as EXACT finds it, and as many as there are. */
TEST(explain, every_plan_finds_what_an_exact_search_finds)
{
    static const char *const filters[] = {
        ".n == 7",
        ".w == 7",
        ".n >= 10 and .n < 500",
        ".w >= 10 and .w < 500",
        ".s == \"b\"",
        ".s in [\"a\", \"c\"]",
        ".n < 5 or .n > 995",
        ".n < 5 or .s == \"a\"",
        ".n == 3 or .n == 3",
        "not .s == \"a\"",
        ".n > 100000",
        ".n != 7",
        "exists(.n) and .s == \"d\" and .n < 50",
        ".n >= 0",
    };
    struct peer *p = peer_fresh(2);
    make_line(p);
    for (size_t i = 0; i < COUNT_OF(filters); i++) {
        char line[256], exact[4096];
        for (int at = 0; at < ELEMENTS; at += 1333) {
            (void)snprintf(line, sizeof(line),
                           "VSEARCH c ELE e%d COUNT 20 EXACT WITHDIST FILTER '%s'", at, filters[i]);
            const char *said = ask(p, line);
            REQUIRE(strlen(said) < sizeof(exact));
            memcpy(exact, said, strlen(said) + 1);
            (void)snprintf(line, sizeof(line), "VSEARCH c ELE e%d COUNT 20 WITHDIST FILTER '%s'",
                           at, filters[i]);
            SAYS(p, line, exact);
        }
    }
}
