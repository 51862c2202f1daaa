#include "db/pending.h"

#include <stdlib.h>

#include "base/rng.h"
#include "lib/test.h"

enum { N = PENDING_CHUNK_ROWS };

struct fixture {
    struct epoch epoch;
    struct pending pending;
    size_t bytes_before;
};

static struct fixture *fixture_new(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    f->bytes_before = mem_used(MEM_ROW);
    epoch_init(&f->epoch);
    pending_init(&f->pending, &f->epoch);
    return f;
}

static void fixture_free(struct fixture *f)
{
    EXPECT(epoch_idle(&f->epoch));
    pending_fini(&f->pending);
    EXPECT_EQ(mem_used(MEM_ROW), f->bytes_before);
    free(f);
}

static void push_rows(struct pending *p, uint32_t from, uint32_t count)
{
    REQUIRE(pending_reserve(p, count));
    (void)mem_fail_nth(1); /* a push takes no memory */
    for (uint32_t i = 0; i < count; i++)
        pending_push(p, from + i);
    (void)mem_fail_nth(0);
}

/* The rows of a span, gathered. */
struct rows {
    uint32_t row[8 * N];
    size_t count;
};

static void gather(void *user, const uint32_t *rows, size_t count)
{
    struct rows *r = user;
    CHECK(r->count + count <= COUNT_OF(r->row) && count > 0);
    memcpy(r->row + r->count, rows, count * sizeof(*rows));
    r->count += count;
}

static void expect_span(const struct pending_span *span, uint32_t from, size_t count)
{
    struct rows *r = calloc(1, sizeof(*r));
    pending_each(span, gather, r);
    EXPECT_EQ(r->count, count);
    bool same = true;
    for (size_t i = 0; i < r->count; i++)
        same = same && r->row[i] == from + i;
    EXPECT(same);
    free(r);
}

TEST(pending, is_empty_at_first)
{
    struct fixture *f = fixture_new();
    uint32_t row;
    EXPECT_EQ(pending_count(&f->pending), 0);
    EXPECT(!pending_take(&f->pending, &row));
    EXPECT(!pending_head(&f->pending, &row));
    struct pending_span span = pending_span(&f->pending);
    expect_span(&span, 0, 0);
    fixture_free(f);
}

TEST(pending, gives_rows_in_order_over_chunk_ends)
{
    static const uint32_t counts[] = {1, N - 1, N, N + 1, 2 * N, 3 * N + 7};
    for (size_t c = 0; c < COUNT_OF(counts); c++) {
        struct fixture *f = fixture_new();
        struct pending *p = &f->pending;
        uint32_t row, next = 100;
        for (unsigned round = 0; round < 3; round++) {
            uint32_t from = next;
            push_rows(p, from, counts[c]);
            EXPECT_EQ(pending_count(p), counts[c]);
            struct pending_span span = pending_span(p);
            expect_span(&span, from, counts[c]);
            EXPECT(!pending_head(p, &row)); /* nobody took it */
            for (; next < from + counts[c]; next++) {
                REQUIRE(pending_take(p, &row) && row == next);
                REQUIRE(pending_head(p, &row) && row == next);
                pending_settle(p);
                pending_drop_head(p);
            }
            EXPECT(!pending_take(p, &row));
            EXPECT_EQ(pending_count(p), 0);
        }
        fixture_free(f);
    }
}

TEST(pending, the_head_waits_for_rows_that_were_taken)
{
    struct fixture *f = fixture_new();
    struct pending *p = &f->pending;
    uint32_t row;
    push_rows(p, 0, 3);
    REQUIRE(pending_take(p, &row) && row == 0);
    REQUIRE(pending_take(p, &row) && row == 1);
    EXPECT_EQ(pending_count(p), 3);
    EXPECT(pending_head(p, &row) && row == 0);
    pending_return(p, 1); /* came back: it is at the end again, and passed where it was */
    EXPECT_EQ(pending_count(p), 4);
    pending_settle(p);
    pending_drop_head(p);
    EXPECT(pending_head(p, &row) && row == 1);
    pending_drop_head(p);
    EXPECT(!pending_head(p, &row));
    REQUIRE(pending_take(p, &row) && row == 2);
    REQUIRE(pending_take(p, &row) && row == 1);
    EXPECT(!pending_take(p, &row));
    pending_settle(p);
    pending_settle(p);
    fixture_free(f);
}

/* What a search copied when it was submitted stays readable, chunks that were passed included. */
TEST(pending, a_span_is_readable_until_its_guard_leaves)
{
    struct fixture *f = fixture_new();
    struct pending *p = &f->pending;
    push_rows(p, 0, 3 * N);
    uint64_t guard = epoch_enter(&f->epoch);
    struct pending_span span = pending_span(p);
    uint32_t row;
    while (pending_take(p, &row)) {
        pending_settle(p);
        pending_drop_head(p);
    }
    push_rows(p, 500000, N / 2);
    expect_span(&span, 0, 3 * N);
    epoch_leave(&f->epoch, guard);
    span = pending_span(p);
    expect_span(&span, 500000, N / 2);
    fixture_free(f);
}

TEST(pending, every_taken_row_can_come_back)
{
    for (uint32_t count = N - 2; count <= N + 2; count++) {
        struct fixture *f = fixture_new();
        struct pending *p = &f->pending;
        uint32_t row, taken = 0;
        push_rows(p, 0, count);
        while (pending_take(p, &row))
            REQUIRE(row == taken++);
        EXPECT_EQ(taken, count);
        (void)mem_fail_nth(1); /* memory is short by now */
        for (uint32_t i = 0; i < count; i++)
            pending_return(p, i);
        (void)mem_fail_nth(0);
        while (pending_head(p, &row))
            pending_drop_head(p);
        struct pending_span span = pending_span(p);
        expect_span(&span, 0, count);
        fixture_free(f);
    }
}

/* Between the reservation of a change and its pushes, link jobs take rows and give them back. */
TEST(pending, a_reservation_survives_takes_and_returns)
{
    struct fixture *f = fixture_new();
    struct pending *p = &f->pending;
    uint64_t rng = 4;
    for (unsigned round = 0; round < 200; round++) {
        uint32_t count = (uint32_t)rng_below(&rng, 3 * N), row, taken[64];
        size_t held = 0;
        REQUIRE(pending_reserve(p, count));
        for (uint32_t i = 0; i < count; i++) {
            if (held < COUNT_OF(taken) && i % 7 == 0 && pending_take(p, &taken[held]))
                held++;
            if (held > 0 && i % 11 == 0)
                pending_return(p, taken[--held]);
            pending_push(p, i);
        }
        while (held > 0)
            pending_return(p, taken[--held]);
        while (pending_take(p, &row))
            pending_settle(p);
        while (pending_head(p, &row))
            pending_drop_head(p);
        EXPECT_EQ(pending_count(p), 0);
    }
    fixture_free(f);
}

TEST(pending, nothing_is_lost_when_memory_is_short)
{
    struct fixture *f = fixture_new();
    struct pending *p = &f->pending;
    (void)mem_fail_nth(2);
    EXPECT(!pending_reserve(p, 3 * N));
    EXPECT(mem_fail_nth(0));
    push_rows(p, 0, N);
    uint32_t row;
    (void)mem_fail_nth(1);
    while (pending_take(p, &row)) /* takes only what it can promise to take back */
        continue;
    (void)mem_fail_nth(0);
    size_t owed = p->owed;
    for (size_t i = 0; i < owed; i++)
        pending_return(p, (uint32_t)i);
    EXPECT_EQ(pending_count(p), N + owed);
    fixture_free(f);
}
