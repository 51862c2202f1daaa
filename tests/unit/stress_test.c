/* All workers at once on a collection of more than 20,000 rows whose rows are used again: puts,
 * removals, attributes, searches of every kind, VALTER of its index and codes, repair of what
 * sweeps have worn, and collections that are dropped while they are searched and linked. For
 * `make SAN=thread unit T=stress` above all, but every hit is also compared with what the element's
 * vector must be, and after each phase all books must agree, links included. */
#include <stdlib.h>

#include "base/limits.h"
#include "base/rng.h"
#include "db/search.h"
#include "lib/test.h"
#include "net/io_uv.h"
#include "sim/inspect.h"

#ifdef VDB_SANITIZER
enum { SEARCHES = 3000 };
#else
enum { SEARCHES = 8000 };
#endif
enum {
    IDS = 22000,
    SEARCHES_SHORT = 1000, /* of a phase in which the collection shrinks or grows */
    DIM = 8,
    LANES = 4,
    SLOTS = 12, /* searches out at a time */
    WRITES = 6, /* after each search */
    K = 10,
    BATCH = 200,
    FEW = 6,             /* removed at once while the collection shrinks */
    PASSING_ROWS = 2600, /* of the collection that comes and goes: enough for a graph */
    TEXT_MAX = 48,
    POLL_US = 2000
};

struct stress;

/* What changes are, mostly. */
enum phase { PHASE_MIXED, PHASE_SHRINK, PHASE_GROW };

/* One search at a time. owner: the loop, but for what encode() writes while it is out */
struct slot {
    struct stress *stress;
    uint32_t id;
    bool expects_itself; /* the vector of a living element of the lasting collection */
    bool passing;
    bool found;
    const char *wrong;
};

struct stress {
    struct io *io;
    struct db db;
    struct io_timer poll;
    uint64_t random;
    struct slot slots[SLOTS];
    unsigned out; /* searches on their way */
    enum phase phase;
    unsigned started, searches; /* of the phase; in all */
    unsigned expected, missed;
    uint32_t versions[IDS]; /* 0: not there */
    uint32_t next_version;
    size_t live;
    size_t passing_rows; /* 0: it is not there */
    unsigned drops, alters;
    uint64_t relinked; /* before the phase */
    bool ending;
    const char *wrong;
};

/* -- what elements look like ----------------------------------------------------------------------
 */

/* Follows from id and version, so that a hit tells what its vector must be. */
static void vector_of(uint32_t id, uint32_t version, float *out)
{
    uint64_t state = (uint64_t)id << 32 | version;
    for (int d = 0; d < DIM; d++)
        out[d] = (float)(rng_unit(&state) - 0.5);
}

static uint32_t number_of(struct slice text)
{
    int64_t value = -1;
    return slice_to_i64(text, &value) ? (uint32_t)value : UINT32_MAX;
}

static struct collection *collection_at(struct stress *t, const char *key)
{
    struct collection *c;
    CHECK(db_collection(&t->db, slice_of(key), &c) == OK);
    return c;
}

static bool write(struct stress *t, const struct mutation *m)
{
    uint64_t lsn;
    return db_write(&t->db, m, &lsn, NULL) == OK;
}

static void change_partition(struct stress *t, enum mutation_kind kind, const char *name)
{
    struct mutation m = {.kind = kind, .key = slice_of("passing"), .partition = slice_of(name)};
    CHECK(write(t, &m));
}

static void create(struct stress *t, const char *key, bool keep_originals)
{
    struct mutation m = {.kind = MUTATION_COLLECTION_NEW, .key = slice_of(key)};
    m.spec = spec_default(DIM);
    m.spec.metric = METRIC_L2;
    m.spec.m = 6;
    m.spec.ef_build = 12;
    m.spec.tuning.ef = 32;
    m.spec.tuning.max_len = LIMIT_ROWS; /* searches note what they show */
    m.spec.tuning.evict = keep_originals ? EVICT_LRU : EVICT_LFU;
    m.spec.keep_originals = keep_originals;
    m.spec.seed = rng_next(&t->random);
    CHECK(write(t, &m));
}

/* Of the passing collection, beside _default. The second is dropped now and then. */
static const char *const parts[] = {"first", "second"};

/* Elements first .. first + count - 1, each in its next version, which its norm tells. */
static void put(struct stress *t, const char *key, uint32_t first, uint32_t count)
{
    static float vectors[BATCH][DIM];
    static char ids[BATCH][TEXT_MAX], attributes[BATCH][TEXT_MAX];
    static struct mutation_element elements[BATCH];
    bool lasting = strcmp(key, "lasting") == 0;
    CHECK(count <= BATCH);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = first + i, version = 1 + t->next_version++ % 1000000;
        vector_of(id, version, vectors[i]);
        (void)snprintf(ids[i], TEXT_MAX, "%u", id);
        (void)snprintf(attributes[i], TEXT_MAX, "{\"n\":%u}", version % 100);
        elements[i] = (struct mutation_element){.id = slice_of(ids[i]),
                                                .vector = vectors[i],
                                                .norm = (float)version,
                                                .expire_ms = version % 3 == 0 ? INT64_MAX : 0,
                                                .set_attribute = version % 2 == 0,
                                                .attribute = slice_of(attributes[i])};
        if (!lasting)
            continue;
        t->live += t->versions[id] == 0;
        t->versions[id] = version;
    }
    struct mutation m = {.kind = MUTATION_PUT,
                         .key = slice_of(key),
                         .dim = DIM,
                         .elements = elements,
                         .count = count};
    if (!lasting && first / BATCH % 3 > 0)
        m.partition = slice_of(parts[first / BATCH % 3 - 1]);
    CHECK(write(t, &m));
}

/* -- changes --------------------------------------------------------------------------------------
 */

/* Elements first .. first + count - 1, as far as there are so many. */
static void remove_some(struct stress *t, uint32_t first, uint32_t count)
{
    char texts[FEW][TEXT_MAX];
    struct slice ids[FEW];
    struct mutation m = {.kind = MUTATION_REMOVE, .key = slice_of("lasting"), .ids = ids};
    for (uint32_t id = first; id < first + count && id < IDS; id++) {
        (void)snprintf(texts[m.count], TEXT_MAX, "%u", id);
        ids[m.count] = slice_of(texts[m.count]);
        m.count++;
        t->live -= t->versions[id] != 0;
        t->versions[id] = 0;
    }
    CHECK(write(t, &m));
}

static void set_attribute(struct stress *t, uint32_t id)
{
    char text[TEXT_MAX], value[TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%u", id);
    (void)snprintf(value, sizeof(value), "{\"n\":%u,\"again\":true}", id % 100);
    struct slice ids = slice_of(text);
    struct mutation m = {.kind = MUTATION_SET_ATTRIBUTE,
                         .key = slice_of("lasting"),
                         .value = id % 5 == 0 ? (struct slice){0} : slice_of(value),
                         .ids = &ids,
                         .count = 1};
    CHECK(write(t, &m));
}

/* The passing collection grows batch by batch and is dropped when it has a graph half linked. */
static void change_passing(struct stress *t)
{
    if (t->passing_rows == 0) {
        create(t, "passing", false);
        change_partition(t, MUTATION_PARTITION_NEW, parts[0]);
        change_partition(t, MUTATION_PARTITION_NEW, parts[1]);
    } else if (t->passing_rows / BATCH % 4 == 0) {
        change_partition(t, MUTATION_PARTITION_DROP, parts[1]);
        change_partition(t, MUTATION_PARTITION_NEW, parts[1]);
    }
    if (t->passing_rows < PASSING_ROWS) {
        put(t, "passing", (uint32_t)t->passing_rows, BATCH);
        t->passing_rows += BATCH;
        return;
    }
    struct mutation m = {.kind = MUTATION_KEY_REMOVE, .key = slice_of("passing")};
    CHECK(write(t, &m));
    t->passing_rows = 0;
    t->drops++;
}

/* Another index or other codes, half of the time before the last ones are complete. A new graph has
 * nothing to repair: while the collection shrinks, not before the old one's repair has begun. */
static void alter_lasting(struct stress *t)
{
    static const enum quant quants[] = {QUANT_NONE, QUANT_SQ8, QUANT_RABITQ};
    const struct collection *c = collection_at(t, "lasting");
    if (c->alteration != NULL && rng_below(&t->random, 50) > 0)
        return;
    if (t->phase == PHASE_SHRINK && t->db.background.rows_relinked == t->relinked)
        return;
    struct mutation m = {
        .kind = MUTATION_COLLECTION_ALTER, .key = slice_of("lasting"), .spec = c->spec};
    m.spec.quant = quants[rng_below(&t->random, COUNT_OF(quants))];
    m.spec.m = 5 + (uint32_t)rng_below(&t->random, 4);
    m.spec.index = (enum index_kind)rng_below(&t->random, INDEX_KIND_COUNT);
    if (m.spec.index == INDEX_FLAT && rng_below(&t->random, 3) > 0)
        m.spec.index = INDEX_AUTO; /* it has nothing to link */
    CHECK(write(t, &m));
    t->alters++;
}

/* One random change. As commands do, it waits while too much is pending. */
static void change(struct stress *t)
{
    uint32_t id = (uint32_t)rng_below(&t->random, IDS);
    uint64_t kind = rng_below(&t->random, 100);
    bool full = collection_pending_full(collection_at(t, "lasting"));
    uint64_t puts = t->phase == PHASE_SHRINK ? 10 : t->phase == PHASE_GROW ? 60 : 50;
    if (kind < puts && !full)
        put(t, "lasting", id, 1);
    else if (kind >= puts && kind < 63)
        remove_some(t, id, t->phase == PHASE_SHRINK ? FEW : 1);
    else if (kind == 63)
        alter_lasting(t);
    else if (kind >= 64 && kind < 98)
        set_attribute(t, id);
    else if (kind == 98 || (kind == 99 && t->passing_rows >= PASSING_ROWS))
        change_passing(t);
}

/* -- searches -------------------------------------------------------------------------------------
 */

/* [lane] Is the hit an element that some put has made, whole? */
static const char *check_hit(const struct search *s, uint32_t row, bool has_vectors)
{
    float is[DIM], must[DIM];
    uint32_t id = number_of(view_id(&s->view, row));
    uint32_t version = (uint32_t)view_norm(&s->view, row);
    if (id >= IDS)
        return "an id that nobody put";
    if (!has_vectors)
        return NULL;
    view_vector(&s->view, row, is);
    vector_of(id, version, must);
    return memcmp(is, must, sizeof(is)) == 0 ? NULL : "a vector that is not the element's";
}

/* [lane] */
static void encode(struct search *s, const struct hit *hits, size_t count)
{
    struct slot *slot = s->user;
    uint32_t ids[K];
    CHECK(count <= K);
    for (size_t i = 0; i < count && slot->wrong == NULL; i++) {
        slot->wrong = check_hit(s, hits[i].row, !slot->passing);
        ids[i] = number_of(view_id(&s->view, hits[i].row));
        for (size_t j = 0; j < i; j++)
            if (ids[j] == ids[i])
                slot->wrong = "the same element twice";
        if (i > 0 && hits[i].dist < hits[i - 1].dist)
            slot->wrong = "hits out of order";
        (void)view_attribute(&s->view, hits[i].row);
        view_use(&s->view, hits[i].row);
    }
    slot->found = count > 0 && ids[0] == slot->id && hits[0].dist == 0;
    if (s->filter == NULL && s->choice == NULL && count < K && s->view.live >= K)
        slot->wrong = "fewer hits than there are elements";
}

static void finish_search(struct search *s)
{
    struct slot *slot = s->user;
    struct stress *t = slot->stress;
    if (s->error != OK)
        slot->wrong = err_name(s->error);
    if (slot->wrong != NULL)
        t->wrong = slot->wrong;
    if (slot->expects_itself) {
        t->expected++;
        t->missed += !slot->found;
    }
    search_free(s);
}

static void go_on(struct slot *slot);

static void on_done(struct search *s)
{
    struct slot *slot = s->user;
    slot->stress->out--;
    finish_search(s);
    go_on(slot);
}

static struct search *random_search(struct slot *slot)
{
    struct stress *t = slot->stress;
    uint64_t kind = rng_below(&t->random, 100);
    slot->passing = kind < 15 && t->passing_rows > 0;
    struct search *s =
        search_new(&t->db, collection_at(t, slot->passing ? "passing" : "lasting"), 1);
    CHECK(s != NULL);
    slot->id = (uint32_t)rng_below(&t->random, IDS);
    uint32_t version = t->versions[slot->id];
    vector_of(slot->id, version, s->queries);
    if (kind >= 80)
        CHECK(filter_compile(slice_of(kind < 90 ? ".n < 50" : ".n == 7 or .n == 3"), NULL, 0,
                             &s->filter, NULL) == OK);
    s->exact = kind >= 70 && kind < 75;
    const struct partitions *p = slot->passing ? s->view.collection->partitions : NULL;
    struct slice name = slice_of(parts[kind % 2]), unknown;
    if (p != NULL && kind < 10)
        CHECK(partition_choice_new(p, &name, 1, &s->choice, &unknown) == OK);
    slot->expects_itself = !slot->passing && s->filter == NULL && version != 0;
    slot->wrong = NULL;
    slot->found = false;
    s->count = K;
    s->encode = encode;
    s->done = on_done;
    s->user = slot;
    return s;
}

/* The slot's next search, after some changes. */
static void go_on(struct slot *slot)
{
    struct stress *t = slot->stress;
    bool here = true;
    while (here && t->started < t->searches) {
        t->started++;
        for (int i = 0; i < WRITES; i++)
            change(t);
        struct search *s = random_search(slot);
        here = search_start(s);
        if (here)
            finish_search(s);
        else
            t->out++;
    }
}

/* -- from beginning to end
 * ------------------------------------------------------------------------- */

static bool settled(struct stress *t)
{
    const struct collection *c = collection_at(t, "lasting");
    return t->out == 0 && t->db.background.work == NULL && db_idle(&t->db) &&
           (c->alteration == NULL && c->side->dead_linked == 0 &&
            pending_count(&c->side->pending) == 0);
}

static void on_poll(struct io_timer *timer)
{
    struct stress *t = timer->user;
    if (t->ending ? db_idle(&t->db) : settled(t))
        io_uv_stop(t->io);
    else
        t->io->ops->timer_start(t->io, timer, POLL_US);
}

static void run_until_settled(struct stress *t)
{
    t->poll = (struct io_timer){.fn = on_poll, .user = t, .impl = t->poll.impl};
    t->io->ops->timer_start(t->io, &t->poll, POLL_US);
    io_uv_run(t->io);
}

static struct stress *begin(void)
{
    struct stress *t = mem_calloc(MEM_TEST, sizeof(*t));
    struct db_options options = {.flat_rows_max = 1000, .pending_scan_bytes = 64 << 10};
    t->random = 11;
    REQUIRE(io_uv_new(LANES, &t->io, NULL) == OK);
    REQUIRE(vec_kernels_choose("auto", &options.kernels, NULL) == OK);
    db_init(&t->db, t->io, &options);
    create(t, "lasting", true);
    for (uint32_t first = 0; first < IDS; first += BATCH)
        put(t, "lasting", first, BATCH);
    return t;
}

static void end(struct stress *t)
{
    db_clear(&t->db);
    t->ending = true;
    run_until_settled(t);
    db_fini(&t->db);
    io_uv_free(t->io);
    mem_free(MEM_TEST, t);
}

/* Every element, searched for by its vector when all is quiet. */
static unsigned misses_at_rest(struct stress *t)
{
    unsigned missed = 0;
    for (uint32_t id = 0; id < IDS; id++) {
        if (t->versions[id] == 0)
            continue;
        struct slot slot = {.stress = t, .id = id};
        struct search *s = search_new(&t->db, collection_at(t, "lasting"), 1);
        REQUIRE(s != NULL);
        vector_of(id, t->versions[id], s->queries);
        s->count = K;
        s->encode = encode;
        s->user = &slot;
        search_run_here(s);
        search_free(s);
        EXPECT(slot.wrong == NULL);
        missed += !slot.found;
    }
    return missed;
}

static void alter_to_graph(struct stress *t)
{
    struct mutation m = {.kind = MUTATION_COLLECTION_ALTER, .key = slice_of("lasting")};
    m.spec = collection_at(t, "lasting")->spec;
    m.spec.index = INDEX_AUTO;
    CHECK(write(t, &m));
    run_until_settled(t);
}

/* Searches and changes of a kind, then quiet. */
static void run_phase(struct stress *t, enum phase phase, unsigned searches)
{
    const struct background *b = &t->db.background;
    const struct collection *c = collection_at(t, "lasting");
    t->phase = phase;
    t->relinked = b->rows_relinked;
    t->started = 0;
    t->searches = searches;
    for (size_t i = 0; i < SLOTS; i++) {
        t->slots[i].stress = t;
        go_on(&t->slots[i]);
    }
    run_until_settled(t);
    EXPECT_EQ(t->started, searches);
    if (t->wrong != NULL)
        test_fail(__FILE__, __LINE__, "a search found %s", t->wrong);
    const char *broken = inspect_db(&t->db, true);
    if (broken != NULL)
        test_fail(__FILE__, __LINE__, "phase %d: %s", phase, broken);
    EXPECT_EQ(c->live, t->live);
}

TEST(stress, workers_search_and_link_while_everything_changes)
{
    struct stress *t = begin();
    run_until_settled(t); /* so that what dies is in the graph */
    run_phase(t, PHASE_MIXED, SEARCHES);
    struct collection *c = collection_at(t, "lasting");
    EXPECT(c->rows_end > 20000);
    EXPECT(t->db.background.rows_freed > 0);
    EXPECT(t->drops > 0);
    EXPECT(t->alters > 1 && c->side_changes > 1);
    size_t live = t->live;
    alter_to_graph(t); /* there must be one to repair */
    run_phase(t, PHASE_SHRINK, SEARCHES_SHORT);
    EXPECT(t->live < live / 2 && t->db.background.rows_relinked > t->relinked);
    EXPECT(t->db.background.link_sweeps > 0);
    size_t left = t->live;
    uint64_t sides = c->side_changes;
    run_phase(t, PHASE_GROW, SEARCHES_SHORT);
    EXPECT(t->live > left && c->side_changes > sides);
    unsigned at_rest = misses_at_rest(t);
    printf(
        "  %u of %u stored vectors missed under change, %u of %zu at rest; %zu rows for %u puts, "
        "%u collections dropped, %u changes of shape, %llu rows linked again\n",
        t->missed, t->expected, at_rest, t->live, (size_t)c->rows_end, t->next_version, t->drops,
        t->alters, (unsigned long long)t->db.background.rows_relinked);
    EXPECT(t->missed * 1000 <= t->expected);
    EXPECT(at_rest * 1000 <= t->live);
    end(t);
}
