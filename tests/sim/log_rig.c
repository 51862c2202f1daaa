#include "sim/log_rig.h"

#include <stdio.h>

enum { LONG_US = 600 * 1000 * 1000, VALUE_MAX = 2 << 20 };

static void on_stable(void *user)
{
    struct rig *r = user;
    r->stables++;
    EXPECT(aof_durable_lsn(&r->aof) >= r->top_durable);
    r->top_durable = aof_durable_lsn(&r->aof);
}

static void on_state(void *user)
{
    ((struct rig *)user)->states++;
}

static void on_room(void *user)
{
    ((struct rig *)user)->rooms++;
}

static const struct aof_events events = {on_stable, on_state, on_room};

struct aof_options rig_options(void)
{
    return (struct aof_options){.dir = RIG_DIR,
                                .run_id = "0123456789012345678901234567890123456789",
                                .policy = AOF_ALWAYS,
                                .segment_size = 64 << 20,
                                .memory_max = 256 << 20};
}

void rig_begin(struct rig *r, struct sim *sim)
{
    struct db_options options = {.flat_rows_max = 1000, .pending_scan_bytes = 1 << 20};
    *r = (struct rig){.sim = sim, .log = {.level = LOG_WARNING + 1}};
    REQUIRE(vec_kernels_choose("auto", &options.kernels, NULL) == OK);
    db_init(&r->db, sim_io(sim), &options);
}

void rig_recovered(struct recover_log *recover, enum err e)
{
    struct rig *r = recover->user;
    r->recovered = true;
    r->result = e;
}

static bool is_true(void *user)
{
    return *(bool *)user;
}

enum err rig_recover(struct rig *r, bool repair)
{
    struct recover_log_options options = {.dir = RIG_DIR, .repair = repair};
    r->recovered = false;
    enum err e = sim_io(r->sim)->ops->make_dir(sim_io(r->sim), RIG_DIR);
    if (e == OK)
        e = sim_io(r->sim)->ops->sync_dir(sim_io(r->sim), ".");
    if (e != OK)
        return e;
    recover_log_start(&r->recover, sim_io(r->sim), &r->db, &r->log, &options, rig_recovered, r);
    REQUIRE(sim_run_until(r->sim, is_true, &r->recovered, LONG_US));
    recover_log_free(&r->recover);
    return r->result;
}

void rig_open(struct rig *r, const struct aof_options *options)
{
    r->top_durable = r->db.log.last_lsn;
    aof_open(&r->aof, sim_io(r->sim), &r->db.log, options, &r->recover.start, &events, r);
    r->open = true;
}

void rig_start(struct rig *r, struct sim *sim, const struct aof_options *options)
{
    rig_begin(r, sim);
    enum err e = rig_recover(r, false);
    EXPECT_STR(r->recover.why.text, "");
    REQUIRE(e == OK);
    rig_open(r, options);
}

static size_t key_of(uint64_t lsn, char out[8])
{
    return (size_t)snprintf(out, 8, "k%u", (unsigned)(lsn % RIG_KEYS));
}

void rig_write(struct rig *r, unsigned count, size_t size)
{
    CHECK(size + 64 < VALUE_MAX);
    char key[8], *value = mem_alloc(MEM_TEST, size + 64);
    memset(value, '.', size + 64);
    for (unsigned i = 0; i < count; i++) {
        uint64_t next = r->db.log.last_lsn + 1, lsn = 0;
        size_t digits = (size_t)snprintf(value, 32, "%llu", (unsigned long long)next);
        value[digits] = ' ';
        struct mutation m = {.kind = MUTATION_STRING_SET,
                             .key = {(uint8_t *)key, key_of(next, key)},
                             .value = {(uint8_t *)value, digits + 1 + size + next % 9}};
        REQUIRE(db_write(&r->db, &m, &lsn, NULL) == OK);
        CHECK(lsn == next);
    }
    mem_free(MEM_TEST, value);
}

static bool all_is_durable(void *user)
{
    struct rig *r = user;
    return !aof_has_undurable(&r->aof);
}

bool rig_wait(struct rig *r)
{
    return sim_run_until(r->sim, all_is_durable, r, LONG_US);
}

static void on_stopped(struct aof *aof)
{
    ((struct rig *)aof->user)->stopped = true;
}

void rig_stop(struct rig *r)
{
    aof_stop(&r->aof, on_stopped);
    REQUIRE(sim_run_until(r->sim, is_true, &r->stopped, LONG_US));
    rig_end(r);
}

static bool db_is_idle(void *user)
{
    return db_idle(&((struct rig *)user)->db);
}

void rig_end(struct rig *r)
{
    if (r->open && !r->stopped) {
        if (!r->aof.stopping)
            aof_stop(&r->aof, on_stopped);
        REQUIRE(sim_run_until(r->sim, is_true, &r->stopped, LONG_US));
    }
    if (r->open)
        aof_close(&r->aof);
    r->open = false;
    db_clear(&r->db);
    REQUIRE(db_is_idle(r) || sim_run_until(r->sim, db_is_idle, r, LONG_US));
    db_fini(&r->db);
}

/* Does the key of this index hold what record lsn has set? 0: nothing. */
static bool key_holds(struct rig *r, uint64_t index, uint64_t lsn)
{
    char key[8], want[32];
    struct object *o =
        keyspace_get(&r->db.keys, (struct slice){(uint8_t *)key, key_of(index, key)});
    if (lsn == 0 || o == NULL)
        return lsn == 0 && o == NULL;
    size_t size = (size_t)snprintf(want, sizeof(want), "%llu ", (unsigned long long)lsn);
    struct slice value = object_string(o);
    return value.len >= size && memcmp(value.ptr, want, size) == 0;
}

bool rig_holds(struct rig *r, uint64_t lsn)
{
    bool holds = r->db.log.last_lsn == lsn;
    for (uint64_t i = 0; i < RIG_KEYS && holds; i++) {
        uint64_t ago = (lsn % RIG_KEYS + RIG_KEYS - i) % RIG_KEYS;
        holds = key_holds(r, i, lsn > ago ? lsn - ago : 0);
    }
    return holds;
}
