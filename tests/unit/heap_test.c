#include "base/heap.h"

#include <stdlib.h>

#include "base/rng.h"
#include "lib/test.h"

enum { WINDOW = 256 * 1024, ROWS = 3000, READERS = 8 };

/* What a record of a row holds: bytes that follow from the row, its version and its length. */
struct content {
    uint32_t version;
    uint32_t len;
};

/* What the heap has to agree with. */
struct model {
    struct epoch epoch;
    struct heap heap;
    heap_ref ref[ROWS]; /* HEAP_NONE: the row has no record */
    struct content content[ROWS];
    size_t live_bytes;
    uint64_t rng;
    unsigned moves;
};

static uint8_t byte_of(uint32_t row, uint32_t version, size_t at)
{
    return (uint8_t)(row * 31 + version * 7 + at * 3 + (at >> 8));
}

static void fill(uint8_t *bytes, uint32_t row, struct content c)
{
    for (size_t i = 0; i < c.len; i++)
        bytes[i] = byte_of(row, c.version, i);
}

static bool holds(struct slice bytes, uint32_t row, struct content c)
{
    if (bytes.len != c.len)
        return false;
    for (size_t i = 0; i < c.len; i++)
        if (bytes.ptr[i] != byte_of(row, c.version, i))
            return false;
    return true;
}

static struct model *model_new(uint64_t seed)
{
    struct model *m = mem_calloc(MEM_SCRATCH, sizeof(*m));
    epoch_init(&m->epoch);
    heap_init(&m->heap, &m->epoch, MEM_TEST);
    m->rng = seed;
    return m;
}

static void model_free(struct model *m)
{
    EXPECT(epoch_idle(&m->epoch));
    heap_fini(&m->heap);
    EXPECT_EQ(mem_used(MEM_TEST), 0);
    mem_free(MEM_SCRATCH, m);
}

/* Puts a record that there is room for, in place of the one the row had. */
static void put(struct model *m, uint32_t row, uint32_t len)
{
    struct content c = {m->content[row].version + 1, len};
    uint8_t *bytes = malloc(len > 0 ? len : 1);
    fill(bytes, row, c);
    heap_ref ref = heap_put(&m->heap, row, (struct slice){bytes, len});
    free(bytes);
    if (m->ref[row] != HEAP_NONE) {
        heap_drop(&m->heap, m->ref[row]);
        m->live_bytes -= heap_record_size(m->content[row].len);
    }
    m->ref[row] = ref;
    m->content[row] = c;
    m->live_bytes += heap_record_size(len);
}

static void reserve_and_put(struct model *m, uint32_t row, uint32_t len)
{
    REQUIRE(heap_reserve(&m->heap, heap_record_size(len)) == OK);
    put(m, row, len);
}

static void drop(struct model *m, uint32_t row)
{
    if (m->ref[row] == HEAP_NONE)
        return;
    heap_drop(&m->heap, m->ref[row]);
    m->live_bytes -= heap_record_size(m->content[row].len);
    m->ref[row] = HEAP_NONE;
}

static bool on_move(void *user, uint32_t row, heap_ref old, heap_ref to)
{
    struct model *m = user;
    CHECK(row < ROWS && old != to);
    if (m->ref[row] != old)
        return false;
    m->ref[row] = to;
    m->moves++;
    return true;
}

static void compact_all(struct model *m)
{
    while (heap_compact_step(&m->heap, on_move, m) > 0)
        continue;
}

static bool agrees(const struct model *m)
{
    for (uint32_t row = 0; row < ROWS; row++)
        if (m->ref[row] != HEAP_NONE && !holds(heap_get(&m->heap, m->ref[row]), row,
                                               m->content[row]))
            return false;
    return m->heap.live_bytes == m->live_bytes;
}

TEST(heap, a_record_has_a_head_and_is_rounded_up)
{
    EXPECT_EQ(heap_record_size(0), 8);
    EXPECT_EQ(heap_record_size(1), 16);
    EXPECT_EQ(heap_record_size(8), 16);
    EXPECT_EQ(heap_record_size(9), 24);
}

TEST(heap, keeps_records_of_any_length)
{
    struct model *m = model_new(1);
    static const uint32_t lengths[] = {0, 1, 7, 8, 9, 255, 256, 257, 4096, WINDOW - 17, WINDOW - 16,
                                       WINDOW - 15, WINDOW - 9, WINDOW - 8, WINDOW - 7, WINDOW,
                                       WINDOW + 1, 2 * WINDOW - 8, 2 * WINDOW, 3 * WINDOW + 100};
    for (uint32_t i = 0; i < COUNT_OF(lengths); i++) {
        reserve_and_put(m, i, lengths[i]);
        EXPECT(m->ref[i] != HEAP_NONE);
        for (uint32_t j = 0; j < i; j++)
            EXPECT(m->ref[j] != m->ref[i]);
        REQUIRE(agrees(m));
    }
    model_free(m);
}

/* The first unit of window 0 names no record, now and when the window is used again. */
TEST(heap, an_exact_fit_has_room_in_a_new_heap_and_in_windows_used_again)
{
    static const uint32_t sizes[] = {8,          248,        256,          264,
                                     WINDOW - 8, WINDOW,     WINDOW + 8,   2 * WINDOW - 8,
                                     2 * WINDOW, 3 * WINDOW, 5 * WINDOW + 8};
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct model *m = model_new(2);
        for (uint32_t round = 0; round < 3; round++) {
            reserve_and_put(m, 2 * round, sizes[i] - 8);
            EXPECT(m->ref[2 * round] != HEAP_NONE);
            reserve_and_put(m, 2 * round + 1, 5 * WINDOW); /* closes the block before */
            EXPECT(agrees(m));
            for (uint32_t row = 0; row < ROWS; row++)
                drop(m, row);
            compact_all(m);
        }
        model_free(m);
    }
}

TEST(heap, agrees_with_a_model_under_puts_drops_and_compaction)
{
    struct model *m = model_new(3);
    for (unsigned i = 0; i < 40000; i++) {
        uint32_t row = (uint32_t)rng_below(&m->rng, ROWS);
        uint64_t dice = rng_below(&m->rng, 1000);
        if (dice < 2)
            reserve_and_put(m, row, (uint32_t)rng_below(&m->rng, 3 * WINDOW));
        else if (dice < 600)
            reserve_and_put(m, row, (uint32_t)rng_below(&m->rng, 400));
        else if (dice < 900)
            drop(m, row);
        else
            (void)heap_compact_step(&m->heap, on_move, m);
        if (i % 4000 == 0)
            REQUIRE(agrees(m));
    }
    EXPECT(agrees(m));
    EXPECT(m->moves > 100);
    compact_all(m);
    EXPECT(agrees(m));
    /* No closed block is left that is mostly dead; the open one is a window, or one large record.
     */
    EXPECT(m->heap.held_bytes <= 3 * m->live_bytes + 5 * WINDOW);
    model_free(m);
}

TEST(heap, one_reservation_holds_for_many_records)
{
    static const uint32_t counts[] = {1, 3, 100, 2000};
    struct model *m = model_new(4);
    for (size_t c = 0; c < COUNT_OF(counts); c++) {
        for (uint32_t len = 0; len < 1500; len = len * 3 + 5) {
            REQUIRE(heap_reserve(&m->heap, counts[c] * heap_record_size(len)) == OK);
            (void)mem_fail_nth(1); /* a put takes no memory */
            for (uint32_t row = 0; row < counts[c]; row++)
                put(m, row, len);
            (void)mem_fail_nth(0);
            REQUIRE(agrees(m));
        }
    }
    model_free(m);
}

TEST(heap, a_record_that_changes_its_row_is_moved_under_the_new_one)
{
    enum { HALF = ROWS / 2 };
    struct model *m = model_new(14);
    for (uint32_t row = 0; row < HALF; row++)
        reserve_and_put(m, row, 200 + row % 7 * 30);
    for (uint32_t row = 0; row < HALF; row++)
        if (row % 4 != 0)
            drop(m, row);
    for (uint32_t row = 0; row < HALF; row += 4) { /* on_move is told the new row, or fails */
        heap_set_row(&m->heap, m->ref[row], HALF + row);
        m->ref[HALF + row] = m->ref[row];
        m->ref[row] = HEAP_NONE;
    }
    compact_all(m);
    EXPECT(m->moves > 0);
    for (uint32_t row = 0; row < HALF; row += 4) {
        EXPECT(holds(heap_get(&m->heap, m->ref[HALF + row]), row, m->content[row]));
        heap_drop(&m->heap, m->ref[HALF + row]);
    }
    compact_all(m);
    EXPECT_EQ(m->heap.live_bytes, 0);
    model_free(m);
}

/* Compaction takes turns with changes: what it moves must not take the room that a change, prepared
 * and not yet applied, counts on. */
/* However long the block is: ids of one large put stand in one. */
TEST(heap, one_step_of_compaction_looks_at_a_part_of_a_block)
{
    enum { COUNT = 1000, LEN = 3000 };
    struct model *m = model_new(7);
    REQUIRE(heap_reserve(&m->heap, COUNT * heap_record_size(LEN)) == OK);
    for (uint32_t row = 0; row < COUNT; row++)
        put(m, row, LEN);
    reserve_and_put(m, COUNT, LEN); /* in a block of its own: the first one is closed */
    for (uint32_t row = 0; row < COUNT; row += 3)
        drop(m, row);
    for (uint32_t row = 1; row < COUNT; row += 3)
        drop(m, row);
    size_t steps = 0, most = 0, looked;
    while ((looked = heap_compact_step(&m->heap, on_move, m)) > 0) {
        most = looked > most ? looked : most;
        if (steps++ == 5)
            drop(m, COUNT - 2); /* not moved yet */
        EXPECT(agrees(m));
    }
    EXPECT(steps > 20 && most < 100 * 1024);
    EXPECT_EQ(m->moves, COUNT / 3 - 1);
    EXPECT(m->heap.held_bytes < COUNT * LEN);
    model_free(m);
}

TEST(heap, a_reservation_survives_compaction)
{
    struct model *m = model_new(5);
    for (unsigned round = 0; round < 30; round++) {
        for (uint32_t row = 0; row < ROWS; row++)
            reserve_and_put(m, row, 100 + (uint32_t)rng_below(&m->rng, 200));
        for (uint32_t row = 0; row < ROWS; row++)
            if (rng_below(&m->rng, 5) > 0)
                drop(m, row);
        uint32_t count = (uint32_t)rng_below(&m->rng, 500);
        uint32_t len = (uint32_t)rng_below(&m->rng, 1000);
        REQUIRE(heap_reserve(&m->heap, count * heap_record_size(len)) == OK);
        for (uint32_t i = 0; i < count; i++) {
            if (i % 10 == 0)
                (void)heap_compact_step(&m->heap, on_move, m);
            put(m, i, len);
        }
        REQUIRE(agrees(m));
    }
    EXPECT(m->moves > 100);
    model_free(m);
}

/* -- readers ----------------------------------------------------------------------------------- */

/* Somebody under a guard, with the references it has found. */
struct reader {
    bool reading;
    uint64_t guard;
    uint32_t count;
    uint32_t row[100];
    heap_ref ref[100];
    struct content content[100];
};

static void reader_start(struct model *m, struct reader *r)
{
    r->reading = true;
    r->guard = epoch_enter(&m->epoch);
    r->count = 0;
    for (unsigned i = 0; i < COUNT_OF(r->row); i++) {
        uint32_t row = (uint32_t)rng_below(&m->rng, ROWS);
        if (m->ref[row] == HEAP_NONE)
            continue;
        r->row[r->count] = row;
        r->ref[r->count] = m->ref[row];
        r->content[r->count++] = m->content[row];
    }
}

static bool reader_still_reads(const struct model *m, const struct reader *r)
{
    for (uint32_t i = 0; i < r->count; i++)
        if (!holds(heap_get(&m->heap, r->ref[i]), r->row[i], r->content[i]))
            return false;
    return true;
}

TEST(heap, a_guard_keeps_dropped_and_moved_records_readable)
{
    struct model *m = model_new(6);
    static struct reader readers[READERS];
    memset(readers, 0, sizeof(readers));
    for (unsigned i = 0; i < 40000; i++) {
        uint32_t row = (uint32_t)rng_below(&m->rng, ROWS);
        uint64_t dice = rng_below(&m->rng, 1000);
        if (dice < 1) {
            reserve_and_put(m, row, (uint32_t)rng_below(&m->rng, 2 * WINDOW));
        } else if (dice < 550) {
            reserve_and_put(m, row, (uint32_t)rng_below(&m->rng, 500));
        } else if (dice < 850) {
            drop(m, row);
        } else if (dice < 970) {
            (void)heap_compact_step(&m->heap, on_move, m);
        } else {
            struct reader *r = &readers[dice % READERS];
            if (!r->reading) {
                reader_start(m, r);
                continue;
            }
            REQUIRE(reader_still_reads(m, r));
            epoch_leave(&m->epoch, r->guard);
            r->reading = false;
        }
    }
    EXPECT(m->moves > 100);
    for (unsigned i = 0; i < READERS; i++) {
        if (!readers[i].reading)
            continue;
        EXPECT(reader_still_reads(m, &readers[i]));
        epoch_leave(&m->epoch, readers[i].guard);
    }
    EXPECT(agrees(m));
    model_free(m);
}

/* -- memory ------------------------------------------------------------------------------------ */

TEST(heap, gives_memory_back_when_all_is_dropped)
{
    struct model *m = model_new(7);
    for (uint32_t row = 0; row < ROWS; row++)
        reserve_and_put(m, row, 2000);
    size_t full = m->heap.held_bytes;
    EXPECT(full >= ROWS * (size_t)2008);
    EXPECT(full <= ROWS * (size_t)2008 + 2 * WINDOW);
    EXPECT(mem_used(MEM_TEST) >= full);
    uint64_t guard = epoch_enter(&m->epoch);
    for (uint32_t row = 0; row < ROWS; row++)
        drop(m, row);
    compact_all(m);
    EXPECT_EQ(m->heap.live_bytes, 0);
    EXPECT(mem_used(MEM_TEST) >= full); /* a reader may still read it all */
    epoch_leave(&m->epoch, guard);
    EXPECT(m->heap.held_bytes <= WINDOW);
    EXPECT(mem_used(MEM_TEST) < 2 * WINDOW);
    /* And a heap that was emptied fills the same windows again. */
    for (uint32_t row = 0; row < ROWS; row++)
        reserve_and_put(m, row, 2000);
    EXPECT(agrees(m));
    EXPECT(m->heap.window_count <= ROWS * 2008 / WINDOW + 2);
    model_free(m);
}

TEST(heap, a_small_heap_takes_little_memory)
{
    struct model *m = model_new(8);
    reserve_and_put(m, 0, 10);
    EXPECT(m->heap.held_bytes <= 256);
    for (uint32_t row = 1; row < 10; row++)
        reserve_and_put(m, row, 10);
    EXPECT(m->heap.held_bytes <= 512);
    EXPECT(mem_used(MEM_TEST) <= 1024);
    model_free(m);
}

/* A guard keeps what growing replaces, so that what is taken shows. */
TEST(heap, cost_is_what_reserve_takes)
{
    struct model *m = model_new(9);
    uint64_t guard = epoch_enter(&m->epoch);
    for (uint32_t i = 0; i < 400; i++) {
        size_t size = i % 50 == 49 ? rng_below(&m->rng, 3 * WINDOW) : rng_below(&m->rng, 3000);
        size = size / 8 * 8 + 8;
        size_t cost = heap_cost(&m->heap, size);
        size_t before = mem_used(MEM_TEST);
        REQUIRE(heap_reserve(&m->heap, size) == OK);
        size_t taken = mem_used(MEM_TEST) - before;
        EXPECT(taken >= cost);
        /* The rest: the table of windows, and what the allocator rounds up. */
        EXPECT(taken <= cost + cost / 4 + 8192);
        EXPECT(cost > 0 || taken == 0);
        put(m, i, (uint32_t)size - 8);
    }
    epoch_leave(&m->epoch, guard);
    EXPECT(agrees(m));
    model_free(m);
}

TEST(heap, a_failed_allocation_changes_nothing)
{
    struct model *m = model_new(10);
    unsigned failures = 0;
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t len = i % 97 == 96 ? WINDOW + i : 300;
        for (uint64_t n = 1;; n++) {
            (void)mem_fail_nth(n);
            enum err e = heap_reserve(&m->heap, heap_record_size(len));
            bool fired = mem_fail_nth(0);
            EXPECT(e == OK || (e == ERR_NOMEM && fired));
            if (!fired)
                break;
            failures++;
            REQUIRE(agrees(m));
        }
        (void)mem_fail_nth(i % 3 + 1); /* neither drop nor compaction needs memory to be right */
        put(m, i % ROWS, len);
        if (i % 2 == 0)
            drop(m, (uint32_t)rng_below(&m->rng, i + 1));
        (void)heap_compact_step(&m->heap, on_move, m);
        (void)mem_fail_nth(0);
    }
    EXPECT(failures > 20);
    EXPECT(agrees(m));
    for (uint32_t row = 0; row < ROWS; row++)
        drop(m, row);
    compact_all(m);
    EXPECT(m->heap.held_bytes <= 2 * WINDOW + 4096);
    model_free(m);
}

TEST(heap, refuses_more_than_32_gib)
{
    struct model *m = model_new(11);
    size_t most = ((size_t)32 << 30) - 8; /* the first unit names no record */
    (void)mem_fail_nth(3); /* the block itself; the table of windows is there */
    EXPECT_EQ(heap_reserve(&m->heap, most), ERR_NOMEM);
    EXPECT(mem_fail_nth(0));
    EXPECT_EQ(heap_reserve(&m->heap, most + 8), ERR_LIMIT);
    EXPECT_EQ(heap_reserve(&m->heap, SIZE_MAX / 2), ERR_LIMIT);
    reserve_and_put(m, 0, 100);
    EXPECT_EQ(heap_reserve(&m->heap, most), ERR_LIMIT); /* the block of row 0 is there */
    EXPECT(agrees(m));
    model_free(m);
}
