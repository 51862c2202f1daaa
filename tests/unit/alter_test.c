/* Index and codes of a collection that change while it is searched, put to and swept: every search
 * finds what is there, and what was asked for serves in the end. */
#include "db/alter.h"
#include "db/train.h"
#include "base/rng.h"
#include "lib/test.h"
#include "sim/churn.h"

enum { SEEDS = 10, CHANGES = 4 };

static struct collection_spec random_wish(struct churn *w)
{
    static const enum quant quants[] = {QUANT_NONE, QUANT_SQ8, QUANT_RABITQ};
    struct collection_spec spec = w->c->spec;
    spec.index = (enum index_kind)rng_below(&w->random, INDEX_KIND_COUNT);
    spec.quant = quants[rng_below(&w->random, COUNT_OF(quants))];
    spec.lists = 0;
    if (spec.index == INDEX_IVF) {
        spec.lists = 1 + (uint32_t)rng_below(&w->random, 20);
        spec.quant = rng_below(&w->random, 2) == 0 ? QUANT_PQ : spec.quant;
    }
    spec.m = 4 + (uint32_t)rng_below(&w->random, 6);
    spec.ef_build = 40 + (uint32_t)rng_below(&w->random, 2);
    return spec;
}

static void alter(struct churn *w, const struct collection_spec *spec)
{
    churn_write(w, &(struct mutation){
                       .kind = MUTATION_COLLECTION_ALTER, .key = slice_of("c"), .spec = *spec});
}

static bool is_over(void *user)
{
    const struct churn *w = user;
    return w->c->alteration == NULL;
}

static void expect_serves(const struct churn *w, const struct collection_spec *wish)
{
    const struct spec_shape shape = spec_shape(wish);
    EXPECT(spec_shape_equal(&w->c->side->shape, &shape));
    bool walks =
        wish->index != INDEX_FLAT && (wish->index != INDEX_IVF || w->c->side->graph != NULL);
    EXPECT(wish->index != INDEX_IVF || walks || !train_can(w->c));
    EXPECT((w->c->side->graph != NULL) == walks);
}

/* Wishes one after the other, some before the last has come true. */
static void alters_while_used(uint64_t seed, unsigned *searches, unsigned *missed)
{
    static const enum index_kind kinds[] = {INDEX_AUTO, INDEX_FLAT, INDEX_HNSW};
    struct churn *w = churn_new(seed, kinds[seed % COUNT_OF(kinds)]);
    for (unsigned i = 0; i < CHANGES; i++) {
        struct collection_spec wish = random_wish(w);
        alter(w, &wish);
        churn_run(w, 100 + (unsigned)rng_below(&w->random, 1500), 40, true);
        if (i % 2 == 0)
            churn_remove_most(w, 20);
        churn_run(w, (unsigned)rng_below(&w->random, 1000), 40, i % 3 > 0);
    }
    struct collection_spec last = w->c->spec;
    REQUIRE(sim_run_until(w->sim, is_over, w, CHURN_HOUR_US));
    expect_serves(w, &last);
    churn_run(w, 300, 30, true);
    churn_settle(w);
    EXPECT_EQ(w->c->live, w->live);
    *searches += w->searches;
    *missed += w->missed;
    churn_free(w);
}

TEST(alter, searches_find_what_is_there_while_index_and_codes_change)
{
    unsigned searches = 0, missed = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        alters_while_used(seed, &searches, &missed);
    printf("  %u of %u searches missed what they looked for\n", missed, searches);
    EXPECT(searches > 1000);
    EXPECT(missed * 500 <= searches);
}

TEST(alter, wishing_what_is_there_keeps_it)
{
    struct churn *w = churn_new(2, INDEX_AUTO);
    churn_settle(w);
    struct collection_spec before = w->c->spec, other = before;
    const struct side *side = w->c->side;
    other.m = 9;
    alter(w, &other);
    EXPECT(w->c->next != NULL);
    churn_run(w, 50, 40, true);
    alter(w, &before);
    EXPECT(w->c->next == NULL);
    REQUIRE(sim_run_until(w->sim, is_over, w, CHURN_HOUR_US));
    EXPECT(w->c->side == side);
    churn_settle(w);
    churn_free(w);
}

TEST(alter, a_collection_may_be_dropped_at_any_moment_of_it)
{
    for (uint64_t seed = 1; seed <= 16; seed++) {
        struct churn *w = churn_new(seed, INDEX_AUTO);
        struct collection_spec wish = random_wish(w);
        alter(w, &wish);
        churn_run(w, (unsigned)rng_below(&w->random, 1500), 30, true);
        churn_write(w, &(struct mutation){.kind = MUTATION_KEY_REMOVE, .key = slice_of("c")});
        REQUIRE(sim_run_until(w->sim, churn_searches_are_over, w, CHURN_HOUR_US));
        EXPECT(w->wrong == NULL);
        churn_free(w);
    }
}

TEST(alter, vectors_that_are_dropped_are_found_by_their_codes)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct churn *w = churn_new(seed, seed % 2 == 0 ? INDEX_AUTO : INDEX_FLAT);
        struct collection_spec wish = w->c->spec;
        wish.quant = QUANT_SQ8;
        wish.keep_originals = false;
        w->lossy = true;
        alter(w, &wish);
        churn_run(w, 500, 40, true);
        REQUIRE(sim_run_until(w->sim, is_over, w, CHURN_HOUR_US));
        EXPECT_EQ(w->c->columns.spec[COL_VECTOR].stride, 0);
        churn_run(w, 500, 40, true);
        churn_settle(w);
        churn_free(w);
    }
}

/* A mutation that could only come from a log somebody has written. */
TEST(alter, what_is_gone_does_not_come_back)
{
    struct churn *w = churn_new(2, INDEX_AUTO);
    struct collection_spec wish = w->c->spec;
    uint64_t lsn;
    wish.quant = QUANT_SQ8;
    wish.keep_originals = false;
    w->lossy = true;
    alter(w, &wish);
    struct mutation m = {.kind = MUTATION_COLLECTION_ALTER, .key = slice_of("c"), .spec = wish};
    m.spec.quant = QUANT_NONE;
    EXPECT(db_write(&w->db, &m, &lsn, NULL) == ERR_CORRUPT);
    m.spec = wish;
    m.spec.keep_originals = true;
    EXPECT(db_write(&w->db, &m, &lsn, NULL) == ERR_CORRUPT);
    m.spec = wish;
    m.spec.dim++;
    EXPECT(db_write(&w->db, &m, &lsn, NULL) == ERR_CORRUPT);
    churn_settle(w);
    churn_free(w);
}

static void note_shortage(void *user, struct collection *c)
{
    EXPECT(alter_phase(c) != ALTER_IDLE);
    (*(unsigned *)user)++;
}

/* The nth allocation fails, for every n: what serves goes on, and what was asked for comes later.
 */
TEST(alter, memory_may_end_at_any_moment_of_it)
{
    enum { MOST = 200 };
    struct churn *w = churn_new(2, INDEX_AUTO);
    unsigned told = 0, refused = 0, n = 1;
    churn_settle(w);
    w->db.background.on_alter_short = note_shortage;
    w->db.background.alter_user = &told;
    for (bool fired = true; fired && n < MOST; n++) {
        struct collection_spec wish = w->c->spec;
        struct mutation m = {.kind = MUTATION_COLLECTION_ALTER, .key = slice_of("c")};
        uint64_t lsn;
        wish.m = 4 + n % 2;
        wish.quant = n % 2 == 0 ? QUANT_SQ8 : QUANT_NONE;
        m.spec = wish;
        (void)mem_fail_nth(n);
        enum err e = db_write(&w->db, &m, &lsn, NULL);
        sim_run_for(w->sim, 300 * 1000);
        fired = mem_fail_nth(0);
        EXPECT(e == OK || (e == ERR_NOMEM && fired));
        refused += e != OK;
        churn_expect_sound(w, false, __LINE__);
        if (e != OK)
            alter(w, &wish);
        REQUIRE(sim_run_until(w->sim, is_over, w, CHURN_HOUR_US));
        expect_serves(w, &wish);
        churn_run(w, 20, 0, false);
    }
    EXPECT(n < MOST && refused > 0 && told > 0);
    churn_settle(w);
    churn_free(w);
}

TEST(alter, a_side_that_does_not_fit_is_refused)
{
    struct churn *w = churn_new(2, INDEX_AUTO);
    struct collection_spec wish = w->c->spec;
    struct why why = {{0}};
    uint64_t lsn;
    churn_settle(w);
    wish.m = 9;
    wish.quant = QUANT_NONE;
    struct mutation m = {.kind = MUTATION_COLLECTION_ALTER, .key = slice_of("c"), .spec = wish};
    const struct spec_shape shape = spec_shape(&wish);
    size_t cost = alter_cost(w->c, &shape);
    w->db.maxmemory = mem_used_total() + cost - 1;
    EXPECT(db_write(&w->db, &m, &lsn, &why) == ERR_NOMEM);
    EXPECT(strstr(why.text, "the second index takes about ") != NULL);
    EXPECT(w->c->alteration == NULL && w->c->spec.m != 9);
    w->db.maxmemory = mem_used_total() + cost + 4096;
    EXPECT(db_write(&w->db, &m, &lsn, &why) == OK);
    EXPECT(w->c->next != NULL);
    w->db.maxmemory = 1; /* a put that does not fit ends the second side */
    struct mutation_element e = {.id = slice_of("x"), .vector = (float[CHURN_DIM]){1}, .norm = 1};
    struct mutation put = {
        .kind = MUTATION_PUT, .key = slice_of("c"), .dim = CHURN_DIM, .elements = &e, .count = 1};
    EXPECT(db_write(&w->db, &put, &lsn, NULL) == ERR_NOMEM);
    EXPECT(w->c->next == NULL && w->c->side->graph != NULL);
    sim_run_for(w->sim, 5 * 1000 * 1000);
    EXPECT(alter_phase(w->c) == ALTER_SHORT_OF_MEMORY);
    churn_run(w, 100, 0, false);
    w->db.maxmemory = 0;
    REQUIRE(sim_run_until(w->sim, is_over, w, CHURN_HOUR_US));
    expect_serves(w, &wish);
    churn_settle(w);
    churn_free(w);
}
