#include "sim/churn.h"

#include "base/rng.h"
#include "lib/test.h"
#include "sim/inspect.h"

enum { K = 5, EF = 32, TEXT_MAX = 40 };

void churn_vector(uint32_t id, uint32_t version, float *out)
{
    uint64_t state = (uint64_t)id << 32 | version;
    for (int d = 0; d < CHURN_DIM; d++)
        out[d] = (float)(rng_unit(&state) - 0.5);
}

void churn_write(struct churn *w, const struct mutation *m)
{
    uint64_t lsn;
    REQUIRE(db_write(&w->db, m, &lsn, NULL) == OK);
}

/* The norm tells the version; every third element has an attribute. */
void churn_put(struct churn *w, uint32_t id)
{
    float vector[CHURN_DIM];
    char text[TEXT_MAX], attribute[TEXT_MAX];
    uint32_t version = ++w->next_version;
    churn_vector(id, version, vector);
    (void)snprintf(text, sizeof(text), "%u", id);
    (void)snprintf(attribute, sizeof(attribute), "{\"id\":%u}", id);
    struct mutation_element e = {.id = slice_of(text),
                                 .vector = vector,
                                 .norm = (float)version,
                                 .set_attribute = id % 3 == 0,
                                 .attribute = slice_of(attribute)};
    struct mutation m = {
        .kind = MUTATION_PUT, .key = slice_of("c"), .dim = CHURN_DIM, .elements = &e, .count = 1};
    churn_write(w, &m);
    w->live += w->versions[id] == 0;
    w->versions[id] = version;
}

void churn_remove(struct churn *w, uint32_t id)
{
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%u", id);
    struct slice ids = slice_of(text);
    churn_write(w, &(struct mutation){
                       .kind = MUTATION_REMOVE, .key = slice_of("c"), .ids = &ids, .count = 1});
    w->live -= w->versions[id] != 0;
    w->versions[id] = 0;
}

/* -- searches -------------------------------------------------------------------------------------
 */

static void encode(struct search *s, const struct hit *hits, size_t count)
{
    struct churn_slot *slot = s->user;
    uint32_t ids[K];
    CHECK(count <= K);
    for (size_t i = 0; i < count; i++) {
        int64_t id = -1;
        float is[CHURN_DIM], must[CHURN_DIM];
        uint32_t version = (uint32_t)view_norm(&s->view, hits[i].row);
        if (!slice_to_i64(view_id(&s->view, hits[i].row), &id) || id < 0 || id >= CHURN_IDS)
            slot->wrong = "an id that nobody put";
        ids[i] = (uint32_t)id;
        view_vector(&s->view, hits[i].row, is);
        churn_vector(ids[i], version, must);
        if (!slot->world->lossy && memcmp(is, must, sizeof(is)) != 0)
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
    struct churn_slot *slot = s->user;
    struct churn *w = slot->world;
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
static void start_search(struct churn *w, struct churn_slot *slot)
{
    uint32_t id = (uint32_t)rng_below(&w->random, CHURN_IDS);
    if (slot->out || w->versions[id] == 0)
        return;
    struct search *s = search_new(&w->db, w->c, 1);
    REQUIRE(s != NULL);
    *slot = (struct churn_slot){.world = w, .id = id, .version = w->versions[id]};
    churn_vector(id, w->versions[id], s->queries);
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

bool churn_searches_are_over(void *user)
{
    const struct churn *w = user;
    for (size_t i = 0; i < CHURN_SLOTS; i++)
        if (w->slots[i].out)
            return false;
    return true;
}

/* -- from beginning to end ------------------------------------------------------------------------
 */

struct churn *churn_new(uint64_t seed, enum index_kind kind)
{
    struct churn *w = mem_calloc(MEM_TEST, sizeof(*w));
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
    m.spec = spec_default(CHURN_DIM);
    m.spec.index = kind;
    m.spec.metric = METRIC_L2;
    m.spec.m = 6;
    m.spec.ef_build = 64; /* walks long enough to be interrupted */
    m.spec.quant = seed % 2 == 0 ? QUANT_SQ8 : QUANT_NONE;
    churn_write(w, &m);
    REQUIRE(db_collection(&w->db, slice_of("c"), &w->c) == OK);
    for (uint32_t id = 0; id < CHURN_IDS; id++) {
        churn_put(w, id);
        (void)sim_step(w->sim);
    }
    return w;
}

static bool db_is_idle(void *user)
{
    return db_idle(user);
}

void churn_free(struct churn *w)
{
    db_clear(&w->db);
    EXPECT(sim_run_until(w->sim, db_is_idle, &w->db, CHURN_HOUR_US));
    db_fini(&w->db);
    sim_free(w->sim);
    mem_free(MEM_TEST, w);
}

void churn_expect_sound(struct churn *w, bool quiet, int line)
{
    const char *broken = inspect_db(&w->db, quiet);
    if (broken == NULL)
        broken = w->wrong;
    if (broken != NULL)
        test_fail(__FILE__, line, "%s", broken);
}

/* A few changes around one element: of what is there, or of all. */
static void change(struct churn *w, bool grows)
{
    uint32_t id = (uint32_t)rng_below(&w->random, CHURN_IDS);
    if (w->versions[id] == 0 && !grows)
        return;
    if (rng_below(&w->random, grows ? 8 : 3) == 0)
        churn_remove(w, id);
    else if (!collection_pending_full(w->c))
        churn_put(w, id);
}

/* Runs so many steps, with searches all the while and now and then a change. */
void churn_run(struct churn *w, unsigned steps, unsigned changes_percent, bool grows)
{
    for (unsigned i = 0; i < steps; i++) {
        if (rng_below(&w->random, 100) < changes_percent)
            change(w, grows);
        start_search(w, &w->slots[rng_below(&w->random, CHURN_SLOTS)]);
        if (!sim_step(w->sim))
            break;
        if (i % 500 == 0)
            churn_expect_sound(w, false, __LINE__);
    }
}

void churn_settle(struct churn *w)
{
    REQUIRE(sim_run_until(w->sim, churn_searches_are_over, w, CHURN_HOUR_US));
    sim_run_for(w->sim, 20 * 1000 * 1000);
    churn_expect_sound(w, true, __LINE__);
}

/* Most elements go, in random order. */
void churn_remove_most(struct churn *w, unsigned percent)
{
    for (uint32_t id = 0; id < CHURN_IDS; id++)
        if (w->versions[id] != 0 && rng_below(&w->random, 100) < percent)
            churn_remove(w, id);
}
