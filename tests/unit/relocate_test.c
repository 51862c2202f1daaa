/* Elements that move to other rows while they are searched, replaced, removed and linked: every
 * search finds each element once, and memory comes back. In the simulator, so that jobs take long
 * and everything happens between their steps. */
#include "base/rng.h"
#include "lib/test.h"
#include "sim/churn.h"

enum { EF = 32, SEEDS = 10, CYCLES = 12 };

static void run_until_moving(struct churn *w, unsigned changes_percent)
{
    uint64_t before = w->db.background.rows_moved;
    for (unsigned i = 0; i < 300 && w->db.background.rows_moved == before; i++)
        churn_run(w, 10, changes_percent, false);
}

static void shrinks_while_used(uint64_t seed, enum index_kind kind, unsigned *searches,
                               unsigned *missed, uint64_t *moved)
{
    struct churn *w = churn_new(seed, kind);
    churn_settle(w);
    EXPECT_EQ(w->c->rows_end, CHURN_IDS);
    size_t before = collection_bytes(w->c);
    for (unsigned cycle = 0; cycle < CYCLES; cycle++) {
        churn_remove_most(w, 30 + (unsigned)rng_below(&w->random, 30));
        run_until_moving(w, cycle % 3 == 1 ? 30 : 0);
        churn_run(w, 400, cycle % 2 * 100, false);
        churn_run(w, 400, 60, true);
    }
    churn_remove_most(w, 60);
    churn_run(w, 400, 3, false);
    churn_settle(w);
    EXPECT(w->db.background.rows_moved > 0);
    /* Whoever was put last may stand at the end, if few others are free. */
    EXPECT(w->c->rows_end <= w->live + w->live / 16 + 1);
    EXPECT(w->c->columns.capacity < CHURN_IDS);
    EXPECT(collection_bytes(w->c) < before);
    EXPECT_EQ(w->c->live, w->live);
    *moved += w->db.background.rows_moved;
    *searches += w->searches;
    *missed += w->missed;
    churn_free(w);
}

TEST(relocate, graphs_shrink_while_they_are_searched_and_changed)
{
    unsigned searches = 0, missed = 0;
    uint64_t moved = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        shrinks_while_used(seed, INDEX_AUTO, &searches, &missed, &moved);
    printf("  %u of %u searches missed what they looked for, while %llu elements moved\n", missed,
           searches, (unsigned long long)moved);
    EXPECT(missed * 1000 <= searches);
}

/* What a search that started at this moment would read, however long it takes. */
struct old_reader {
    struct collection_view view;
    uint64_t guard;
};

static void old_reader_begin(struct old_reader *o, struct churn *w)
{
    db_view(&w->db, w->c, &o->view);
    o->guard = epoch_enter(&w->db.epoch);
}

static bool walk_finds(struct churn *w, const struct old_reader *o, uint32_t row)
{
    const struct index_rows *rows = &o->view.codes;
    _Alignas(64) uint8_t prepared[1024];
    struct hit hits[EF];
    bool complete;
    struct index_cost cost = {0};
    struct index_query query = {.prepared = prepared, .effort = EF};
    CHECK(rows->codec->query_size <= sizeof(prepared));
    codec_query_of_row(rows->codec, row_code(rows, row), prepared);
    size_t count = o->view.graph->ops->search(o->view.graph, rows, &w->db.lane, &query, hits,
                                              &complete, &cost);
    for (size_t i = 0; i < count; i++)
        if (hits[i].row == row)
            return true;
    return false;
}

/* Every element as it was when the reader began, by a scan and by walks; nothing was pending. */
static void expect_all_there(struct churn *w, const struct old_reader *o, size_t live)
{
    size_t seen = 0, found = 0;
    for (uint32_t row = 0; row < o->view.codes.end; row++) {
        float is[CHURN_DIM], must[CHURN_DIM];
        int64_t id = -1;
        if (!row_visible(&o->view.codes, row))
            continue;
        REQUIRE(slice_to_i64(view_id(&o->view, row), &id));
        churn_vector((uint32_t)id, (uint32_t)view_norm(&o->view, row), must);
        view_vector(&o->view, row, is);
        EXPECT(memcmp(is, must, sizeof(is)) == 0);
        EXPECT((view_attribute(&o->view, row).len > 0) == (id % 3 == 0));
        seen++;
        found += walk_finds(w, o, row);
    }
    EXPECT_EQ(seen, live);
    EXPECT(found * 1000 >= live * 999);
}

static bool has_swept(void *user)
{
    const struct churn *w = user;
    return w->c->side->dead_linked == 0 && w->c->side->sweeping == 0 && w->c->side->sweep == NULL &&
           pending_count(&w->c->side->pending) == 0;
}

/* A world whose vectors are exact: all searches here are decided by visibility and links. */
static struct churn *swept_world(unsigned percent, uint64_t delay_us)
{
    struct churn *w = churn_new(1, INDEX_AUTO);
    churn_settle(w);
    w->db.background.move_delay_us = delay_us;
    if (percent > 0)
        churn_remove_most(w, percent);
    return w;
}

TEST(relocate, a_search_that_began_before_finds_elements_that_have_moved)
{
    struct churn *w = swept_world(60, 1000 * 1000);
    REQUIRE(sim_run_until(w->sim, has_swept, w, CHURN_HOUR_US));
    struct old_reader old, later;
    uint64_t before = w->db.background.rows_moved;
    old_reader_begin(&old, w);
    size_t live = w->live;
    sim_run_for(w->sim, 5 * 1000 * 1000);
    EXPECT(w->db.background.rows_moved > before); /* it has begun, and cannot go on */
    expect_all_there(w, &old, live);
    for (uint32_t id = 0; id < CHURN_IDS;
         id += 5) /* what is written meanwhile makes no difference */
        if (w->versions[id] != 0)
            churn_put(w, id);
    sim_run_for(w->sim, 5 * 1000 * 1000);
    expect_all_there(w, &old, live);
    churn_expect_sound(w, false, __LINE__);
    old_reader_begin(&later, w);
    epoch_leave(&w->db.epoch, old.guard);
    sim_run_for(w->sim, 5 * 1000 * 1000);
    epoch_leave(&w->db.epoch, later.guard);
    churn_settle(w);
    EXPECT(w->c->rows_end <= w->live + w->live / 16 + 1);
    churn_free(w);
}

TEST(relocate, memory_stays_while_a_search_that_began_before_may_read_it)
{
    struct churn *w = swept_world(0, 1000);
    for (uint32_t id = CHURN_IDS / 3; id < CHURN_IDS; id++) /* the highest rows: none has to move */
        churn_remove(w, id);
    struct old_reader old;
    w->db.background.rows_held++;
    REQUIRE(sim_run_until(w->sim, has_swept, w, CHURN_HOUR_US));
    old_reader_begin(&old, w);
    uint32_t end = w->c->rows_end;
    w->db.background.rows_held--;
    sim_run_for(w->sim, 5 * 1000 * 1000);
    EXPECT_EQ(w->db.background.rows_moved, 0);
    EXPECT_EQ(w->c->rows_end, CHURN_IDS / 3);
    EXPECT(w->c->columns.capacity >= end);
    expect_all_there(w, &old, w->live);
    for (uint32_t id = CHURN_IDS / 3; id < CHURN_IDS;
         id += 2) /* rows past the end are used again */
        churn_put(w, id);
    sim_run_for(w->sim, 5 * 1000 * 1000);
    expect_all_there(w, &old, CHURN_IDS / 3);
    for (uint32_t id = CHURN_IDS / 3; id < CHURN_IDS; id++)
        churn_remove(w, id);
    epoch_leave(&w->db.epoch, old.guard);
    churn_settle(w);
    EXPECT(w->c->columns.capacity < end / 2);
    churn_free(w);
}

/* A sweep takes out links to rows that a search under way still sees alive, when it has ended. */
TEST(relocate, a_search_that_began_before_finds_elements_that_were_replaced)
{
    struct churn *w = swept_world(0, 1000);
    struct old_reader old;
    old_reader_begin(&old, w);
    for (uint32_t id = 0; id < CHURN_IDS; id += 3)
        churn_put(w, id);
    for (uint32_t id = 1; id < CHURN_IDS; id += 3)
        churn_remove(w, id);
    sim_run_for(w->sim, 5 * 1000 * 1000);
    expect_all_there(w, &old, CHURN_IDS);
    epoch_leave(&w->db.epoch, old.guard);
    churn_settle(w);
    churn_free(w);
}

/* All that is linked is on the move when more comes: there is one graph afterwards, of all. */
TEST(relocate, what_arrives_while_all_is_on_the_move_is_linked_to_it)
{
    enum { FEW = 40 };
    struct churn *w = swept_world(0, 1000 * 1000);
    for (uint32_t id = 0; id < CHURN_IDS - FEW;
         id++) /* the lowest rows: whoever stays has to move */
        churn_remove(w, id);
    REQUIRE(sim_run_until(w->sim, has_swept, w, CHURN_HOUR_US));
    struct old_reader old;
    old_reader_begin(&old, w);
    sim_run_for(w->sim, 5 * 1000 * 1000);
    EXPECT_EQ(w->db.background.rows_moved, FEW);
    for (uint32_t id = 0; id < CHURN_IDS; id += 10)
        churn_put(w, id);
    sim_run_for(w->sim, 1000 * 1000);
    epoch_leave(&w->db.epoch, old.guard);
    churn_settle(w);
    old_reader_begin(&old, w);
    expect_all_there(w, &old, w->live);
    epoch_leave(&w->db.epoch, old.guard);
    churn_free(w);
}

TEST(relocate, nothing_moves_while_rows_are_held)
{
    struct churn *w = swept_world(60, 1000);
    w->db.background.rows_held++;
    sim_run_for(w->sim, 20 * 1000 * 1000);
    EXPECT_EQ(w->db.background.rows_moved, 0);
    EXPECT_EQ(w->c->rows_end, CHURN_IDS);
    w->db.background.rows_held--;
    churn_settle(w);
    EXPECT(w->db.background.rows_moved > 0);
    EXPECT(w->c->rows_end < CHURN_IDS / 2);
    churn_free(w);
}

TEST(relocate, a_collection_may_be_dropped_at_any_moment_of_it)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct churn *w = churn_new(seed, seed % 4 == 0 ? INDEX_FLAT : INDEX_AUTO);
        churn_remove_most(w, 70);
        run_until_moving(w, 0);
        churn_run(w, (unsigned)rng_below(&w->random, 60), 0, false);
        churn_write(w, &(struct mutation){.kind = MUTATION_KEY_REMOVE, .key = slice_of("c")});
        REQUIRE(sim_run_until(w->sim, churn_searches_are_over, w, CHURN_HOUR_US));
        EXPECT(w->wrong == NULL);
        churn_free(w);
    }
}

TEST(relocate, flat_collections_shrink_while_they_are_searched_and_changed)
{
    unsigned searches = 0, missed = 0;
    uint64_t moved = 0;
    for (uint64_t seed = 1; seed <= SEEDS / 3; seed++)
        shrinks_while_used(seed, INDEX_FLAT, &searches, &missed, &moved);
    EXPECT(searches > 0);
    EXPECT_EQ(missed, 0); /* every search is exact */
}
