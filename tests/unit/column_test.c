#include "base/column.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/rng.h"
#include "lib/test.h"

enum { MIB = 1024 * 1024 };

static const struct column_spec three[] = {{8, MEM_TEST}, {4, MEM_TEST}, {100, MEM_TEST}};

/* owner: the test. Every row holds bytes that follow from column and row. */
struct fixture {
    struct epoch epoch;
    struct columns columns;
};

static struct fixture *fixture_new(const struct column_spec *spec, unsigned count,
                                   size_t bytes_max)
{
    struct fixture *f = calloc(1, sizeof(*f));
    epoch_init(&f->epoch);
    columns_init(&f->columns, &f->epoch, spec, count, bytes_max);
    return f;
}

static void fixture_free(struct fixture *f)
{
    columns_fini(&f->columns);
    EXPECT(epoch_idle(&f->epoch));
    EXPECT_EQ(mem_used(MEM_TEST), 0);
    free(f);
}

static uint8_t byte_of(unsigned column, uint32_t row)
{
    return (uint8_t)(1 + (column * 37 + row * 11) % 255);
}

static uint8_t *row_at(const struct columns *c, uint8_t *const base[], unsigned column,
                       uint32_t row)
{
    return base[column] + (size_t)row * c->spec[column].stride;
}

static void fill_rows(struct columns *c, uint32_t from, uint32_t to)
{
    for (unsigned i = 0; i < c->count && c->spec[i].stride > 0; i++)
        for (uint32_t row = from; row < to; row++)
            memset(row_at(c, c->base, i, row), byte_of(i, row), c->spec[i].stride);
}

static bool rows_hold(const struct columns *c, uint8_t *const base[], uint32_t rows)
{
    for (unsigned i = 0; i < c->count && c->spec[i].stride > 0; i++)
        for (uint32_t row = 0; row < rows; row++)
            for (uint32_t j = 0; j < c->spec[i].stride; j++)
                if (row_at(c, base, i, row)[j] != byte_of(i, row))
                    return false;
    return true;
}

static bool rows_are_zero(const struct columns *c, uint32_t from, uint32_t to)
{
    for (unsigned i = 0; i < c->count && c->spec[i].stride > 0; i++)
        for (uint32_t row = from; row < to; row++)
            for (uint32_t j = 0; j < c->spec[i].stride; j++)
                if (row_at(c, c->base, i, row)[j] != 0)
                    return false;
    return true;
}

TEST(column, rows_keep_contents_and_new_ones_are_zero_from_small_to_large)
{
    struct fixture *f = fixture_new(three, COUNT_OF(three), 64 * MIB);
    struct columns *c = &f->columns;
    EXPECT_EQ(c->capacity, 0);
    bool was_small = false, was_large = false;
    uint32_t rows = 0;
    for (uint32_t want = 1; want < 60000; want += want / 3 + 1) {
        REQUIRE(columns_reserve(c, want) == OK);
        REQUIRE(c->capacity >= want);
        EXPECT(rows_hold(c, c->base, rows));
        EXPECT(rows_are_zero(c, rows, c->capacity));
        fill_rows(c, rows, want);
        rows = want;
        was_small = was_small || !c->large;
        was_large = was_large || c->large;
        EXPECT(c->large || columns_bytes(c) <= 2 * COLUMNS_SLAB_MAX);
    }
    EXPECT(was_small && was_large);
    EXPECT(rows_hold(c, c->base, rows));
    fixture_free(f);
}

TEST(column, asking_for_what_is_there_changes_nothing)
{
    struct fixture *f = fixture_new(three, COUNT_OF(three), 64 * MIB);
    REQUIRE(columns_reserve(&f->columns, 10) == OK);
    struct columns before = f->columns;
    REQUIRE(columns_reserve(&f->columns, 10) == OK);
    REQUIRE(columns_reserve(&f->columns, 0) == OK);
    EXPECT(memcmp(&before, &f->columns, sizeof(before)) == 0);
    fixture_free(f);
}

TEST(column, rows_of_a_large_set_never_move)
{
    struct fixture *f = fixture_new(three, COUNT_OF(three), 256 * MIB);
    struct columns *c = &f->columns;
    REQUIRE(columns_reserve(c, 3) == OK);
    fill_rows(c, 0, 3);
    REQUIRE(columns_make_large(c) == OK);
    EXPECT(c->large);
    EXPECT(rows_hold(c, c->base, 3));
    uint8_t *base[COLUMNS_MAX];
    memcpy(base, c->base, sizeof(base));
    REQUIRE(columns_make_large(c) == OK);
    for (uint32_t rows = 10; rows < 200000; rows *= 3) {
        REQUIRE(columns_reserve(c, rows) == OK);
        EXPECT(memcmp(base, c->base, sizeof(base)) == 0);
        EXPECT(rows_hold(c, base, 3));
    }
    fixture_free(f);
}

TEST(column, an_empty_set_can_become_large)
{
    struct fixture *f = fixture_new(three, COUNT_OF(three), 64 * MIB);
    REQUIRE(columns_make_large(&f->columns) == OK);
    EXPECT_EQ(columns_bytes(&f->columns), 0);
    REQUIRE(columns_reserve(&f->columns, 1) == OK);
    EXPECT(rows_are_zero(&f->columns, 0, 1));
    fixture_free(f);
}

/* A job's copy of base[] reads what it did when it was taken, whatever the loop does since. */
TEST(column, an_old_slab_stays_readable_until_its_guard_leaves)
{
    struct fixture *f = fixture_new(three, COUNT_OF(three), 64 * MIB);
    struct columns *c = &f->columns;
    enum { COPIES = 8 };
    uint8_t *base[COPIES][COLUMNS_MAX];
    uint64_t guard[COPIES];
    uint32_t rows[COPIES];
    uint32_t filled = 0;
    for (unsigned i = 0; i < COPIES; i++) {
        uint32_t want = filled * 2 + 5;
        REQUIRE(columns_reserve(c, want) == OK);
        fill_rows(c, filled, want);
        filled = want;
        guard[i] = epoch_enter(&f->epoch);
        memcpy(base[i], c->base, sizeof(base[i]));
        rows[i] = filled;
    }
    EXPECT(c->large);
    /* Oldest last: a slab is freed no sooner than the guard that knows it. */
    for (unsigned i = COPIES; i-- > 0;) {
        for (unsigned j = 0; j <= i; j++)
            EXPECT(rows_hold(c, base[j], rows[j]));
        epoch_leave(&f->epoch, guard[i]);
    }
    EXPECT_EQ(mem_used(MEM_ROW), 0);
    fixture_free(f);
}

TEST(column, a_column_without_stride_takes_nothing)
{
    static const struct column_spec spec[] = {{8, MEM_TEST}, {16, MEM_TEST}, {0, MEM_TEST}};
    struct fixture *f = fixture_new(spec, COUNT_OF(spec), 64 * MIB);
    struct columns *c = &f->columns;
    uint32_t rows = 0;
    for (uint32_t want = 1; want < 20000; want *= 4) {
        REQUIRE(columns_reserve(c, want) == OK);
        EXPECT(rows_hold(c, c->base, rows));
        EXPECT(rows_are_zero(c, rows, want));
        fill_rows(c, rows, want);
        rows = want;
        EXPECT_EQ(c->committed[2], 0);
    }
    EXPECT(c->large);
    fixture_free(f);
}

/* -- accounting -------------------------------------------------------------------------------- */

static size_t used(void)
{
    return mem_used(MEM_TEST) + mem_used(MEM_ROW);
}

TEST(column, bytes_and_cost_are_what_is_booked)
{
    struct fixture *f = fixture_new(three, COUNT_OF(three), 256 * MIB);
    struct columns *c = &f->columns;
    size_t none = used();
    for (uint32_t want = 1; want < 150000; want += want / 2 + 1) {
        size_t cost = columns_cost(c, want);
        size_t before = used();
        uint64_t guard = epoch_enter(&f->epoch); /* keeps the old slab, so what is new shows */
        REQUIRE(columns_reserve(c, want) == OK);
        size_t taken = used() - before;
        if (c->large)
            EXPECT_EQ(taken, cost);
        else /* what the allocator rounds up comes on top */
            EXPECT(taken >= cost && taken <= cost + cost / 4 + 64);
        epoch_leave(&f->epoch, guard);
        EXPECT_EQ(used() - none, columns_bytes(c));
        EXPECT_EQ(columns_cost(c, want), 0);
    }
    EXPECT(columns_bytes(c) >= (size_t)c->capacity * 112);
    /* Half a huge page and one step of each column is the most that is committed too early. */
    EXPECT(columns_bytes(c) <= (size_t)c->capacity * 112 + 3 * 2 * MIB);
    fixture_free(f);
    EXPECT_EQ(used(), none);
}

TEST(column, ten_rows_take_little_memory)
{
    struct fixture *f = fixture_new(three, COUNT_OF(three), 256 * MIB);
    for (uint32_t row = 1; row <= 10; row++)
        REQUIRE(columns_reserve(&f->columns, row) == OK);
    EXPECT(columns_bytes(&f->columns) <= 2 * 10 * 112 + 1024);
    fixture_free(f);
}

TEST(column, books_every_column_under_its_own_tag)
{
    static const struct column_spec spec[] = {{1024, MEM_VECTOR}, {64, MEM_GRAPH}};
    size_t vectors = mem_used(MEM_VECTOR), graph = mem_used(MEM_GRAPH);
    struct fixture *f = fixture_new(spec, COUNT_OF(spec), 64 * MIB);
    REQUIRE(columns_reserve(&f->columns, 1000) == OK);
    EXPECT_EQ(mem_used(MEM_VECTOR) - vectors, f->columns.committed[0]);
    EXPECT_EQ(mem_used(MEM_GRAPH) - graph, f->columns.committed[1]);
    EXPECT(f->columns.committed[0] >= 1000 * 1024);
    fixture_free(f);
    EXPECT_EQ(mem_used(MEM_VECTOR), vectors);
    EXPECT_EQ(mem_used(MEM_GRAPH), graph);
}

/* -- limits and failures ----------------------------------------------------------------------- */

TEST(column, refuses_more_rows_than_there_is_address_space_for)
{
    struct fixture *f = fixture_new(three, COUNT_OF(three), MIB);
    struct columns *c = &f->columns;
    uint32_t most = c->rows_max;
    EXPECT(most >= MIB / 112);
    EXPECT_EQ(columns_reserve(c, most + 1), ERR_LIMIT);
    EXPECT_EQ(c->capacity, 0);
    REQUIRE(columns_reserve(c, most) == OK);
    fill_rows(c, 0, most);
    EXPECT(rows_hold(c, c->base, most));
    EXPECT_EQ(columns_reserve(c, most + 1), ERR_LIMIT);
    EXPECT_EQ(columns_reserve(c, UINT32_MAX), ERR_LIMIT);
    EXPECT_EQ(c->capacity, most);
    fixture_free(f);
}

TEST(column, a_slab_that_cannot_grow_stays_as_it_was)
{
    struct fixture *f = fixture_new(three, COUNT_OF(three), 64 * MIB);
    struct columns *c = &f->columns;
    uint32_t rows = 0;
    unsigned failures = 0;
    for (uint32_t want = 1; want < 3000; want += want / 2 + 1) {
        struct columns before = *c;
        (void)mem_fail_nth(1);
        enum err e = columns_reserve(c, want);
        bool fired = mem_fail_nth(0);
        if (fired) {
            failures++;
            EXPECT_EQ(e, ERR_NOMEM);
            EXPECT(memcmp(&before, c, sizeof(before)) == 0);
            REQUIRE(columns_reserve(c, want) == OK);
        }
        EXPECT(rows_hold(c, c->base, rows));
        fill_rows(c, rows, want);
        rows = want;
    }
    EXPECT(failures >= 5);
    fixture_free(f);
}

#ifndef VDB_SANITIZER
/* The system has no more pages to give: RLIMIT_DATA counts what may be written to. */
TEST(column, a_large_set_that_cannot_grow_keeps_its_rows)
{
    struct fixture *f = fixture_new(three, COUNT_OF(three), 1024 * (size_t)MIB);
    struct columns *c = &f->columns;
    REQUIRE(columns_reserve(c, 1000) == OK);
    fill_rows(c, 0, 1000);
    struct fixture *small = fixture_new(three, COUNT_OF(three), 1024 * (size_t)MIB);
    REQUIRE(columns_reserve(&small->columns, 10) == OK);
    fill_rows(&small->columns, 0, 10);
    struct rlimit before, tight;
    REQUIRE(getrlimit(RLIMIT_DATA, &before) == 0);
    tight = before;
    tight.rlim_cur = 256 * (rlim_t)MIB;
    REQUIRE(setrlimit(RLIMIT_DATA, &tight) == 0);
    enum err e = columns_reserve(c, 5 * 1000 * 1000);
    enum err e_small = columns_reserve(&small->columns, 5 * 1000 * 1000);
    REQUIRE(setrlimit(RLIMIT_DATA, &before) == 0);
    EXPECT_EQ(e, ERR_NOMEM);
    EXPECT_EQ(c->capacity, 1000);
    EXPECT(rows_hold(c, c->base, 1000));
    EXPECT_EQ(e_small, ERR_NOMEM);
    EXPECT(!small->columns.large);
    EXPECT(rows_hold(&small->columns, small->columns.base, 10));
    EXPECT_EQ(columns_bytes(c) + columns_bytes(&small->columns), used());
    REQUIRE(columns_reserve(c, 2000) == OK);
    EXPECT(rows_are_zero(c, 1000, 2000));
    columns_fini(&small->columns);
    free(small);
    fixture_free(f);
}
#endif

TEST(column, address_space_goes_back)
{
    for (int i = 0; i < 3000; i++) { /* far more than the address space would hold at once */
        struct fixture *f = fixture_new(three, COUNT_OF(three), (size_t)64 << 30);
        REQUIRE(columns_make_large(&f->columns) == OK);
        REQUIRE(columns_reserve(&f->columns, 10) == OK);
        fixture_free(f);
    }
}

/* The bytes of a range that are in memory. */
static size_t resident(const uint8_t *at, size_t size)
{
    enum { PAGE = 4096 };
    static unsigned char in[64 * MIB / PAGE];
    size_t pages = size / PAGE, sum = 0;
    REQUIRE(pages <= COUNT_OF(in) && mincore((void *)at, size, in) == 0);
    for (size_t i = 0; i < pages; i++)
        sum += (in[i] & 1u) * PAGE;
    return sum;
}

TEST(column, gives_memory_back_and_takes_it_again)
{
    enum { MANY = 200000, FEW = 1000 };
    struct fixture *f = fixture_new(three, COUNT_OF(three), 64 * MIB);
    struct columns *c = &f->columns;
    REQUIRE(columns_reserve(c, FEW) == OK && columns_make_large(c) == OK);
    size_t few = columns_bytes(c);
    uint8_t *base = c->base[2];
    for (int round = 0; round < 3; round++) {
        EXPECT_EQ(columns_excess(c, FEW), 0);
        REQUIRE(columns_reserve(c, MANY) == OK);
        fill_rows(c, 0, MANY);
        size_t many = columns_bytes(c);
        EXPECT_EQ(columns_excess(c, FEW), many - few);
        EXPECT_EQ(columns_excess(c, MANY), 0);
        EXPECT(resident(base, 19 * MIB) == 19 * (size_t)MIB);
        for (size_t before = many; columns_shrink(c, FEW, 2 * COLUMNS_SHRINK_STEP);) {
            EXPECT(columns_bytes(c) < before);
            EXPECT(before - columns_bytes(c) <= 2 * COLUMNS_SHRINK_STEP);
            before = columns_bytes(c);
        }
        EXPECT_EQ(columns_bytes(c), few);
        EXPECT_EQ(mem_used(MEM_TEST), few);
        EXPECT_EQ(c->capacity, FEW);
        EXPECT(rows_hold(c, c->base, FEW));
        EXPECT(c->base[2] == base && resident(base, 19 * MIB) < 19 * (size_t)MIB / 8);
    }
    fixture_free(f);
}

TEST(column, rows_taken_again_in_the_midst_of_shrinking_stay)
{
    struct fixture *f = fixture_new(three, COUNT_OF(three), 64 * MIB);
    struct columns *c = &f->columns;
    REQUIRE(columns_reserve(c, 200000) == OK);
    fill_rows(c, 0, 200000);
    REQUIRE(columns_shrink(c, 5000, COLUMNS_SHRINK_STEP));
    REQUIRE(columns_reserve(c, 120000) == OK);
    fill_rows(c, 5000, 120000);
    while (columns_shrink(c, 120000, COLUMNS_SHRINK_STEP))
        continue;
    EXPECT(rows_hold(c, c->base, 120000));
    EXPECT_EQ(columns_excess(c, 120000), 0);
    while (columns_shrink(c, 0, 64 * COLUMNS_SHRINK_STEP))
        continue;
    EXPECT_EQ(c->capacity, 0);
    REQUIRE(columns_reserve(c, 3) == OK);
    fill_rows(c, 0, 3);
    EXPECT(rows_hold(c, c->base, 3));
    fixture_free(f);
}

TEST(column, small_sets_keep_their_slab)
{
    struct fixture *f = fixture_new(three, COUNT_OF(three), 64 * MIB);
    struct columns *c = &f->columns;
    REQUIRE(columns_reserve(c, 100) == OK);
    fill_rows(c, 0, 100);
    size_t before = columns_bytes(c);
    EXPECT(!columns_shrink(c, 1, COLUMNS_SHRINK_STEP));
    EXPECT_EQ(columns_excess(c, 1), 0);
    EXPECT(columns_bytes(c) == before && c->capacity >= 100 && rows_hold(c, c->base, 100));
    fixture_free(f);
}
