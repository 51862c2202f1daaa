/* Elements that move to other rows while they are searched, replaced, removed and linked: every
 * search finds each element once, and memory comes back. In the simulator, so that jobs take long
 * and everything happens between their steps. */
#include "base/rng.h"
#include "db/search.h"
#include "lib/test.h"
#include "sim/inspect.h"
#include "sim/sim_io.h"

enum {
    DIM = 8,
    IDS = 1500,
    K = 5,
    EF = 32,
    SLOTS = 16, /* searches out at a time */
    TEXT_MAX = 40,
    SEEDS = 10,
    CYCLES = 12,
    HOUR_US = 3600u * 1000 * 1000 / 4
};

/* One search at a time. owner: the loop, but for what encode() writes while it is out */
struct slot {
    struct world *world;
    bool out;
    uint32_t id, version; /* what must be found */
    bool found;
    const char *wrong;
};

struct world {
    struct sim *sim;
    struct db db;
    struct collection *c;
    uint64_t random;
    uint32_t versions[IDS]; /* 0: not there */
    uint32_t next_version;
    size_t live;
    struct slot slots[SLOTS];
    unsigned searches, missed;
    const char *wrong;
};

static void vector_of(uint32_t id, uint32_t version, float *out)
{
    uint64_t state = (uint64_t)id << 32 | version;
    for (int d = 0; d < DIM; d++)
        out[d] = (float)(rng_unit(&state) - 0.5);
}

static void write(struct world *w, const struct mutation *m)
{
    uint64_t lsn;
    REQUIRE(db_write(&w->db, m, &lsn, NULL) == OK);
}

/* The norm tells the version; every third element has an attribute. */
static void put(struct world *w, uint32_t id)
{
    float vector[DIM];
    char text[TEXT_MAX], attribute[TEXT_MAX];
    uint32_t version = ++w->next_version;
    vector_of(id, version, vector);
    (void)snprintf(text, sizeof(text), "%u", id);
    (void)snprintf(attribute, sizeof(attribute), "{\"id\":%u}", id);
    struct mutation_element e = {.id = slice_of(text),
                                 .vector = vector,
                                 .norm = (float)version,
                                 .set_attribute = id % 3 == 0,
                                 .attribute = slice_of(attribute)};
    struct mutation m = {
        .kind = MUTATION_PUT, .key = slice_of("c"), .dim = DIM, .elements = &e, .count = 1};
    write(w, &m);
    w->live += w->versions[id] == 0;
    w->versions[id] = version;
}

static void remove_one(struct world *w, uint32_t id)
{
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%u", id);
    struct slice ids = slice_of(text);
    write(w, &(struct mutation){
                 .kind = MUTATION_REMOVE, .key = slice_of("c"), .ids = &ids, .count = 1});
    w->live -= w->versions[id] != 0;
    w->versions[id] = 0;
}

/* -- searches -------------------------------------------------------------------------------------
 */

static void encode(struct search *s, const struct hit *hits, size_t count)
{
    struct slot *slot = s->user;
    uint32_t ids[K];
    CHECK(count <= K);
    for (size_t i = 0; i < count; i++) {
        int64_t id = -1;
        float is[DIM], must[DIM];
        uint32_t version = (uint32_t)view_norm(&s->view, hits[i].row);
        if (!slice_to_i64(view_id(&s->view, hits[i].row), &id) || id < 0 || id >= IDS)
            slot->wrong = "an id that nobody put";
        ids[i] = (uint32_t)id;
        view_vector(&s->view, hits[i].row, is);
        vector_of(ids[i], version, must);
        if (memcmp(is, must, sizeof(is)) != 0)
            slot->wrong = "a vector that is not the element's";
        if ((view_attribute(&s->view, hits[i].row).len > 0) != (ids[i] % 3 == 0))
            slot->wrong = "an attribute that is not the element's";
        for (size_t j = 0; j < i; j++)
            if (ids[j] == ids[i])
                slot->wrong = "an element twice";
        slot->found = slot->found || (ids[i] == slot->id && version == slot->version);
    }
    if (count < K && s->view.live >= K)
        slot->wrong = "too few elements";
}

static void judge(struct search *s)
{
    struct slot *slot = s->user;
    struct world *w = slot->world;
    slot->out = false;
    w->searches++;
    w->missed += !slot->found;
    if (s->error != OK)
        slot->wrong = err_name(s->error);
    if (slot->wrong != NULL)
        w->wrong = slot->wrong;
    search_free(s);
}

/* Looks for an element that is there now. Whatever becomes of it, this search must find it. */
static void start_search(struct world *w, struct slot *slot)
{
    uint32_t id = (uint32_t)rng_below(&w->random, IDS);
    if (slot->out || w->versions[id] == 0)
        return;
    struct search *s = search_new(&w->db, w->c, 1);
    REQUIRE(s != NULL);
    *slot = (struct slot){.world = w, .id = id, .version = w->versions[id]};
    vector_of(id, w->versions[id], s->queries);
    s->count = K;
    s->effort = EF;
    s->exact = rng_below(&w->random, 10) == 0;
    s->encode = encode;
    s->done = judge;
    s->user = slot;
    if (search_start(s))
        judge(s);
    else
        slot->out = true;
}

static bool searches_are_over(void *user)
{
    const struct world *w = user;
    for (size_t i = 0; i < SLOTS; i++)
        if (w->slots[i].out)
            return false;
    return true;
}

/* -- from beginning to end ------------------------------------------------------------------------
 */

static struct world *world_new(uint64_t seed, enum index_kind kind)
{
    struct world *w = mem_calloc(MEM_TEST, sizeof(*w));
    struct sim_options options = sim_options_default();
    struct db_options db_options = {.flat_rows_max = 200, .pending_scan_bytes = 16 << 10};
    w->random = seed;
    options.lane_count = 1 + (unsigned)(seed % 4);
    options.job_step_max_us = seed % 3 == 0 ? 20 : 2000;
    w->sim = sim_new(seed, &options);
    REQUIRE(vec_kernels_choose("auto", &db_options.kernels, NULL) == OK);
    db_init(&w->db, sim_io(w->sim), &db_options);
    w->db.background.move_bytes_min = 1;
    /* While links and sweeps are under way, or when all of that is over. */
    w->db.background.move_delay_us = 1 + rng_below(&w->random, seed % 2 == 0 ? 3000 : 100 * 1000);
    struct mutation m = {.kind = MUTATION_COLLECTION_NEW, .key = slice_of("c")};
    m.spec = spec_default(DIM);
    m.spec.index = kind;
    m.spec.metric = METRIC_L2;
    m.spec.m = 6;
    m.spec.ef_build = 64; /* walks long enough to be interrupted */
    m.spec.quant = seed % 2 == 0 ? QUANT_SQ8 : QUANT_NONE;
    write(w, &m);
    REQUIRE(db_collection(&w->db, slice_of("c"), &w->c) == OK);
    for (uint32_t id = 0; id < IDS; id++) {
        put(w, id);
        (void)sim_step(w->sim);
    }
    return w;
}

static bool db_is_idle(void *user)
{
    return db_idle(user);
}

static void world_free(struct world *w)
{
    db_clear(&w->db);
    EXPECT(sim_run_until(w->sim, db_is_idle, &w->db, HOUR_US));
    db_fini(&w->db);
    sim_free(w->sim);
    mem_free(MEM_TEST, w);
}

static void expect_sound(struct world *w, bool quiet, int line)
{
    const char *broken = inspect_db(&w->db, quiet);
    if (broken == NULL)
        broken = w->wrong;
    if (broken != NULL)
        test_fail(__FILE__, line, "%s", broken);
}

/* A few changes around one element: of what is there, or of all. */
static void change(struct world *w, bool grows)
{
    uint32_t id = (uint32_t)rng_below(&w->random, IDS);
    if (w->versions[id] == 0 && !grows)
        return;
    if (rng_below(&w->random, grows ? 8 : 3) == 0)
        remove_one(w, id);
    else if (!collection_pending_full(w->c))
        put(w, id);
}

/* Runs so many steps, with searches all the while and now and then a change. */
static void run_steps(struct world *w, unsigned steps, unsigned changes_percent, bool grows)
{
    for (unsigned i = 0; i < steps; i++) {
        if (rng_below(&w->random, 100) < changes_percent)
            change(w, grows);
        start_search(w, &w->slots[rng_below(&w->random, SLOTS)]);
        if (!sim_step(w->sim))
            break;
        if (i % 500 == 0)
            expect_sound(w, false, __LINE__);
    }
}

static void run_until_moving(struct world *w, unsigned changes_percent)
{
    uint64_t before = w->db.background.rows_moved;
    for (unsigned i = 0; i < 300 && w->db.background.rows_moved == before; i++)
        run_steps(w, 10, changes_percent, false);
}

static void settle(struct world *w)
{
    REQUIRE(sim_run_until(w->sim, searches_are_over, w, HOUR_US));
    sim_run_for(w->sim, 20 * 1000 * 1000);
    expect_sound(w, true, __LINE__);
}

/* Most elements go, in random order. */
static void remove_most(struct world *w, unsigned percent)
{
    for (uint32_t id = 0; id < IDS; id++)
        if (w->versions[id] != 0 && rng_below(&w->random, 100) < percent)
            remove_one(w, id);
}

static void shrinks_while_used(uint64_t seed, enum index_kind kind, unsigned *searches,
                               unsigned *missed, uint64_t *moved)
{
    struct world *w = world_new(seed, kind);
    settle(w);
    EXPECT_EQ(w->c->rows_end, IDS);
    size_t before = collection_bytes(w->c);
    for (unsigned cycle = 0; cycle < CYCLES; cycle++) {
        remove_most(w, 30 + (unsigned)rng_below(&w->random, 30));
        run_until_moving(w, cycle % 3 == 1 ? 30 : 0);
        run_steps(w, 400, cycle % 2 * 100, false);
        run_steps(w, 400, 60, true);
    }
    remove_most(w, 60);
    run_steps(w, 400, 3, false);
    settle(w);
    EXPECT(w->db.background.rows_moved > 0);
    /* Whoever was put last may stand at the end, if few others are free. */
    EXPECT(w->c->rows_end <= w->live + w->live / 16 + 1);
    EXPECT(w->c->columns.capacity < IDS);
    EXPECT(collection_bytes(w->c) < before);
    EXPECT_EQ(w->c->live, w->live);
    *moved += w->db.background.rows_moved;
    *searches += w->searches;
    *missed += w->missed;
    world_free(w);
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

static void old_reader_begin(struct old_reader *o, struct world *w)
{
    db_view(&w->db, w->c, &o->view);
    o->guard = epoch_enter(&w->db.epoch);
}

static bool walk_finds(struct world *w, const struct old_reader *o, uint32_t row)
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
static void expect_all_there(struct world *w, const struct old_reader *o, size_t live)
{
    size_t seen = 0, found = 0;
    for (uint32_t row = 0; row < o->view.codes.end; row++) {
        float is[DIM], must[DIM];
        int64_t id = -1;
        if (!row_visible(&o->view.codes, row))
            continue;
        REQUIRE(slice_to_i64(view_id(&o->view, row), &id));
        vector_of((uint32_t)id, (uint32_t)view_norm(&o->view, row), must);
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
    const struct world *w = user;
    return w->c->dead_linked == 0 && w->c->sweeping == 0 && w->c->sweep == NULL &&
           pending_count(&w->c->pending) == 0;
}

/* A world whose vectors are exact: all searches here are decided by visibility and links. */
static struct world *swept_world(unsigned percent, uint64_t delay_us)
{
    struct world *w = world_new(1, INDEX_AUTO);
    settle(w);
    w->db.background.move_delay_us = delay_us;
    if (percent > 0)
        remove_most(w, percent);
    return w;
}

TEST(relocate, a_search_that_began_before_finds_elements_that_have_moved)
{
    struct world *w = swept_world(60, 1000 * 1000);
    REQUIRE(sim_run_until(w->sim, has_swept, w, HOUR_US));
    struct old_reader old, later;
    uint64_t before = w->db.background.rows_moved;
    old_reader_begin(&old, w);
    size_t live = w->live;
    sim_run_for(w->sim, 5 * 1000 * 1000);
    EXPECT(w->db.background.rows_moved > before); /* it has begun, and cannot go on */
    expect_all_there(w, &old, live);
    for (uint32_t id = 0; id < IDS; id += 5) /* what is written meanwhile makes no difference */
        if (w->versions[id] != 0)
            put(w, id);
    sim_run_for(w->sim, 5 * 1000 * 1000);
    expect_all_there(w, &old, live);
    expect_sound(w, false, __LINE__);
    old_reader_begin(&later, w);
    epoch_leave(&w->db.epoch, old.guard);
    sim_run_for(w->sim, 5 * 1000 * 1000);
    epoch_leave(&w->db.epoch, later.guard);
    settle(w);
    EXPECT(w->c->rows_end <= w->live + w->live / 16 + 1);
    world_free(w);
}

TEST(relocate, memory_stays_while_a_search_that_began_before_may_read_it)
{
    struct world *w = swept_world(0, 1000);
    for (uint32_t id = IDS / 3; id < IDS; id++) /* the highest rows: none has to move */
        remove_one(w, id);
    struct old_reader old;
    w->db.background.rows_held++;
    REQUIRE(sim_run_until(w->sim, has_swept, w, HOUR_US));
    old_reader_begin(&old, w);
    uint32_t end = w->c->rows_end;
    w->db.background.rows_held--;
    sim_run_for(w->sim, 5 * 1000 * 1000);
    EXPECT_EQ(w->db.background.rows_moved, 0);
    EXPECT_EQ(w->c->rows_end, IDS / 3);
    EXPECT(w->c->columns.capacity >= end);
    expect_all_there(w, &old, w->live);
    for (uint32_t id = IDS / 3; id < IDS; id += 2) /* rows past the end are used again */
        put(w, id);
    sim_run_for(w->sim, 5 * 1000 * 1000);
    expect_all_there(w, &old, IDS / 3);
    for (uint32_t id = IDS / 3; id < IDS; id++)
        remove_one(w, id);
    epoch_leave(&w->db.epoch, old.guard);
    settle(w);
    EXPECT(w->c->columns.capacity < end / 2);
    world_free(w);
}

/* A sweep takes out links to rows that a search under way still sees alive, when it has ended. */
TEST(relocate, a_search_that_began_before_finds_elements_that_were_replaced)
{
    struct world *w = swept_world(0, 1000);
    struct old_reader old;
    old_reader_begin(&old, w);
    for (uint32_t id = 0; id < IDS; id += 3)
        put(w, id);
    for (uint32_t id = 1; id < IDS; id += 3)
        remove_one(w, id);
    sim_run_for(w->sim, 5 * 1000 * 1000);
    expect_all_there(w, &old, IDS);
    epoch_leave(&w->db.epoch, old.guard);
    settle(w);
    world_free(w);
}

/* All that is linked is on the move when more comes: there is one graph afterwards, of all. */
TEST(relocate, what_arrives_while_all_is_on_the_move_is_linked_to_it)
{
    enum { FEW = 40 };
    struct world *w = swept_world(0, 1000 * 1000);
    for (uint32_t id = 0; id < IDS - FEW; id++) /* the lowest rows: whoever stays has to move */
        remove_one(w, id);
    REQUIRE(sim_run_until(w->sim, has_swept, w, HOUR_US));
    struct old_reader old;
    old_reader_begin(&old, w);
    sim_run_for(w->sim, 5 * 1000 * 1000);
    EXPECT_EQ(w->db.background.rows_moved, FEW);
    for (uint32_t id = 0; id < IDS; id += 10)
        put(w, id);
    sim_run_for(w->sim, 1000 * 1000);
    epoch_leave(&w->db.epoch, old.guard);
    settle(w);
    old_reader_begin(&old, w);
    expect_all_there(w, &old, w->live);
    epoch_leave(&w->db.epoch, old.guard);
    world_free(w);
}

TEST(relocate, nothing_moves_while_rows_are_held)
{
    struct world *w = swept_world(60, 1000);
    w->db.background.rows_held++;
    sim_run_for(w->sim, 20 * 1000 * 1000);
    EXPECT_EQ(w->db.background.rows_moved, 0);
    EXPECT_EQ(w->c->rows_end, IDS);
    w->db.background.rows_held--;
    settle(w);
    EXPECT(w->db.background.rows_moved > 0);
    EXPECT(w->c->rows_end < IDS / 2);
    world_free(w);
}

TEST(relocate, a_collection_may_be_dropped_at_any_moment_of_it)
{
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct world *w = world_new(seed, seed % 4 == 0 ? INDEX_FLAT : INDEX_AUTO);
        remove_most(w, 70);
        run_until_moving(w, 0);
        run_steps(w, (unsigned)rng_below(&w->random, 60), 0, false);
        write(w, &(struct mutation){.kind = MUTATION_KEY_REMOVE, .key = slice_of("c")});
        REQUIRE(sim_run_until(w->sim, searches_are_over, w, HOUR_US));
        EXPECT(w->wrong == NULL);
        world_free(w);
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
