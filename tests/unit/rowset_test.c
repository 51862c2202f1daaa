#include "base/rowset.h"

#include "base/rng.h"
#include "lib/test.h"

TEST(rowset, takes_the_lowest_row_first)
{
    struct rowset s = {0};
    size_t before = mem_used(MEM_ROW);
    EXPECT(rowset_reserve(&s, 0));
    static const uint32_t rows[] = {64, 0, 63, 999, 65, 128, 1, 500};
    static const uint32_t sorted[] = {0, 1, 63, 64, 65, 128, 500, 999};
    REQUIRE(rowset_reserve(&s, 1000));
    for (size_t i = 0; i < COUNT_OF(rows); i++)
        rowset_add(&s, rows[i]);
    EXPECT_EQ(s.count, COUNT_OF(rows));
    for (size_t i = 0; i < COUNT_OF(sorted); i++)
        EXPECT_EQ(rowset_take(&s), sorted[i]);
    EXPECT_EQ(s.count, 0);
    rowset_add(&s, 7); /* lower than where the search for the lowest has got to */
    EXPECT_EQ(rowset_take(&s), 7);
    rowset_fini(&s);
    EXPECT_EQ(mem_used(MEM_ROW), before);
}

TEST(rowset, agrees_with_a_model_while_it_grows)
{
    enum { ROWS = 3000 };
    struct rowset s = {0};
    bool in[ROWS] = {false};
    size_t count = 0;
    uint64_t rng = 8;
    for (uint32_t end = 1; end <= ROWS; end++) {
        REQUIRE(rowset_reserve(&s, end));
        uint32_t row = (uint32_t)rng_below(&rng, end);
        if (!in[row]) {
            rowset_add(&s, row);
            in[row] = true;
            count++;
        }
        if (count > 0 && rng_below(&rng, 3) == 0) {
            uint32_t low = 0;
            while (!in[low])
                low++;
            EXPECT_EQ(rowset_take(&s), low);
            in[low] = false;
            count--;
        }
        EXPECT_EQ(s.count, count);
    }
    rowset_fini(&s);
}

TEST(rowset, takes_runs_and_trims_as_a_model_does)
{
    enum { ROWS = 700, ROUNDS = 300 };
    struct rowset s = {0};
    bool in[ROWS] = {false};
    uint64_t rng = 9;
    REQUIRE(rowset_reserve(&s, ROWS));
    EXPECT_EQ(rowset_lowest(&s), ROWSET_NONE);
    EXPECT_EQ(rowset_take_run(&s, 1), ROWSET_NONE);
    for (int round = 0; round < ROUNDS; round++) {
        for (uint32_t row = 0; row < ROWS; row++) {
            if (in[row] || rng_below(&rng, 3) == 0)
                continue;
            rowset_add(&s, row);
            in[row] = true;
        }
        uint32_t count = 1 + (uint32_t)rng_below(&rng, round % 2 == 0 ? 6 : 63);
        uint32_t first = 0, length = 0;
        for (; first + count <= ROWS && length < count; first++)
            for (length = 0; length < count && in[first + length];)
                length++;
        first = length == count ? first - 1 : ROWSET_NONE;
        EXPECT_EQ(rowset_take_run(&s, count), first);
        for (uint32_t i = 0; first != ROWSET_NONE && i < count; i++)
            in[first + i] = false;
        uint32_t least = (uint32_t)rng_below(&rng, ROWS), end = ROWS;
        while (end > least && in[end - 1])
            in[--end] = false;
        EXPECT_EQ(rowset_trim(&s, ROWS, least), end);
        for (int i = 0; i < 400 && s.count > 0; i++)
            in[rowset_take(&s)] = false;
        size_t left = 0;
        for (uint32_t row = 0; row < ROWS; row++)
            left += in[row];
        EXPECT_EQ(s.count, left);
    }
    rowset_fini(&s);
}

TEST(rowset, keeps_its_rows_when_memory_is_short)
{
    struct rowset s = {0};
    REQUIRE(rowset_reserve(&s, 64));
    rowset_add(&s, 63);
    (void)mem_fail_nth(1);
    EXPECT(!rowset_reserve(&s, 100000));
    (void)mem_fail_nth(0);
    EXPECT_EQ(s.count, 1);
    REQUIRE(rowset_reserve(&s, 100000));
    rowset_add(&s, 99999);
    EXPECT_EQ(rowset_take(&s), 63);
    EXPECT_EQ(rowset_take(&s), 99999);
    rowset_fini(&s);
}
