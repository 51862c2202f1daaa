#include "sim/offload_rig.h"

#include <stdio.h>

enum { LONG_US = 600 * 1000 * 1000, CRON_US = 100 * 1000, SEGMENT_SIZE = 1500 };

static struct life *life_of(struct persist *p)
{
    return p->user;
}

/* -- events ------------------------------------------------------------------------------------ */

static void on_loaded(struct persist *p, enum err e)
{
    struct life *l = life_of(p);
    l->loaded = true;
    l->result = e;
    l->why = p->why;
    if (e == OK)
        offload_serve(&l->offload);
}

static void nothing(struct persist *p)
{
    (void)p;
}

static void on_saved(struct persist *p, enum err e)
{
    offload_saved(&life_of(p)->offload, e);
}

static void on_stopped(struct persist *p)
{
    life_of(p)->stopped = true;
}

static const struct persist_events events = {.on_loaded = on_loaded,
                                             .on_stable = nothing,
                                             .on_room = nothing,
                                             .on_saved = on_saved,
                                             .on_stopped = on_stopped};

static void on_cron(struct io_timer *timer)
{
    struct life *l = timer->user;
    persist_tick(&l->persist);
    offload_tick(&l->offload);
    sim_io(l->sim)->ops->timer_start(sim_io(l->sim), timer, CRON_US);
}

static void on_prepared(struct offload *o, enum err e)
{
    struct life *l = o->user;
    l->prepared = true;
    l->result = e;
    l->why = o->why;
    if (e == OK && l->persist.state == PERSIST_LOCKED)
        persist_load(&l->persist);
    else
        l->loaded = true;
}

/* -- start and end ----------------------------------------------------------------------------- */

struct life_options life_options_default(void)
{
    return (struct life_options){.dir = LIFE_DIR,
                                 .store = LIFE_STORE,
                                 .restore_from = "",
                                 .restore_at = "",
                                 .keep_count = 1,
                                 .backlog_bytes = UINT64_MAX,
                                 .run_id = "0123456789abcdef0123456789abcdef01234567"};
}

static bool is_true(void *user)
{
    return *(bool *)user;
}

static void begin(struct life *l, struct sim *sim, const struct life_options *o)
{
    struct db_options options = {.flat_rows_max = 1000, .pending_scan_bytes = 1 << 20};
    *l = (struct life){.sim = sim, .log = {.level = LOG_WARNING + 1}};
    REQUIRE(vec_kernels_choose("auto", &options.kernels, NULL) == OK);
    db_init(&l->db, sim_io(sim), &options);
    persist_init(&l->persist, sim_io(sim), &l->db, &l->log, &events, l);
    struct offload_options offload = {
        .store = object_store_options_default(),
        .restore_from = o->restore_from,
        .restore_at = o->restore_at,
        .settings = {.interval_us = LIFE_INTERVAL_MS * 1000,
                     .policy = {.count = o->keep_count, .age_ms = o->keep_age_ms},
                     .backlog_bytes = o->backlog_bytes}};
    offload.store.url = o->store;
    offload_init(&l->offload, sim_io(sim), &l->persist, &l->log, &offload);
    l->cron = (struct io_timer){.fn = on_cron, .user = l};
}

enum err life_start(struct life *l, struct sim *sim, const struct life_options *o)
{
    begin(l, sim, o);
    struct persist_options options = {.dir = o->dir,
                                      .run_id = o->run_id,
                                      .settings = {.appendonly = true,
                                                   .policy = AOF_ALWAYS,
                                                   .segment_size = SEGMENT_SIZE,
                                                   .buffer_max = 1 << 20}};
    l->result = persist_open(&l->persist, &options, &l->why);
    if (l->result != OK)
        return l->result;
    offload_prepare(&l->offload, on_prepared, l);
    on_cron(&l->cron);
    if (!sim_run_until(sim, is_true, &l->loaded, LONG_US))
        l->result = ERR_BUSY;
    return l->result;
}

static bool has_ended(void *user)
{
    struct life *l = user;
    return l->persist.state == PERSIST_STOPPED && db_idle(&l->db) && offload_idle(&l->offload);
}

static void stop_all(struct life *l)
{
    sim_io(l->sim)->ops->timer_stop(sim_io(l->sim), &l->cron);
    if (!l->offload.stopping)
        offload_stop(&l->offload);
    if (l->persist.state != PERSIST_STOPPED && l->persist.state != PERSIST_STOPPING)
        persist_stop(&l->persist, PERSIST_NO_SAVE);
    db_clear(&l->db);
}

static void free_all(struct life *l)
{
    REQUIRE(has_ended(l));
    offload_fini(&l->offload);
    persist_fini(&l->persist);
    db_fini(&l->db);
}

void life_end(struct life *l)
{
    stop_all(l);
    REQUIRE(has_ended(l) || sim_run_until(l->sim, has_ended, l, LONG_US));
    free_all(l);
}

void life_crash(struct life *l)
{
    sim_crash(l->sim);
    stop_all(l);
    sim_restart(l->sim);
    REQUIRE(has_ended(l) || sim_run_until(l->sim, has_ended, l, LONG_US));
    free_all(l);
}

/* -- writing ----------------------------------------------------------------------------------- */

static size_t key_of(uint64_t lsn, char out[8])
{
    return (size_t)snprintf(out, 8, "k%u", (unsigned)(lsn % LIFE_KEYS));
}

void life_write(struct life *l, unsigned count)
{
    char key[8], value[64];
    for (unsigned i = 0; i < count; i++) {
        uint64_t next = l->db.log.last_lsn + 1, lsn = 0;
        size_t size = (size_t)snprintf(value, sizeof(value), "%llu ", (unsigned long long)next);
        struct mutation m = {.kind = MUTATION_STRING_SET,
                             .key = {(uint8_t *)key, key_of(next, key)},
                             .value = {(uint8_t *)value, size + next % 9}};
        memset(value + size, '.', next % 9);
        if (!mlog_accepts(&l->db.log))
            return;
        REQUIRE(db_write(&l->db, &m, &lsn, NULL) == OK);
        CHECK(lsn == next);
    }
}

static bool key_holds(struct life *l, uint64_t index, uint64_t lsn)
{
    char key[8], want[32];
    struct object *o =
        keyspace_get(&l->db.keys, (struct slice){(uint8_t *)key, key_of(index, key)});
    if (lsn == 0 || o == NULL)
        return lsn == 0 && o == NULL;
    size_t size = (size_t)snprintf(want, sizeof(want), "%llu ", (unsigned long long)lsn);
    struct slice value = object_string(o);
    return value.len == size + lsn % 9 && memcmp(value.ptr, want, size) == 0;
}

bool life_holds(struct life *l, uint64_t lsn)
{
    bool holds = l->db.log.last_lsn == lsn;
    for (uint64_t i = 0; i < LIFE_KEYS && holds; i++) {
        uint64_t ago = (lsn % LIFE_KEYS + LIFE_KEYS - i) % LIFE_KEYS;
        holds = key_holds(l, i, lsn > ago ? lsn - ago : 0);
    }
    return holds;
}

/* -- waiting ----------------------------------------------------------------------------------- */

static bool save_has_ended(void *user)
{
    return !saver_busy(&((struct life *)user)->persist.saver);
}

enum err life_save(struct life *l)
{
    enum err e = saver_start(&l->persist.saver, false);
    if (e != OK)
        return e;
    REQUIRE(sim_run_until(l->sim, save_has_ended, l, LONG_US) || !sim_has_power(l->sim));
    return l->persist.saver.snapshots.last_error;
}

/* What waits outlives the life. */
struct waiting {
    struct offload_request request; /* first */
    struct life *life;
    bool done;
};

static void on_request(struct offload_request *rq, enum err e, uint64_t lsn, const struct why *why)
{
    struct waiting *w = (struct waiting *)rq;
    w->done = true;
    w->life->requests_done++;
    w->life->request_result = e;
    w->life->request_lsn = lsn;
    if (why != NULL)
        w->life->why = *why;
}

enum err life_backup(struct life *l, const char *url)
{
    struct waiting w = {.request = {.done = on_request}, .life = l};
    (void)snprintf(w.request.url, sizeof(w.request.url), "%s", url);
    enum err e = offload_request(&l->offload, &w.request, &l->why);
    if (e != OK)
        return e;
    REQUIRE(sim_run_until(l->sim, is_true, &w.done, LONG_US));
    return l->request_result;
}

static bool is_stored(void *user)
{
    struct life *l = user;
    const struct offload *o = &l->offload;
    return o->contacted && !o->out && o->log_lsn >= l->db.log.last_lsn;
}

bool life_wait_stored(struct life *l)
{
    return sim_run_until(l->sim, is_stored, l, LONG_US);
}

void life_run(struct life *l, uint64_t ms)
{
    sim_run_for(l->sim, ms * 1000);
}

/* -- folders ----------------------------------------------------------------------------------- */

static void add_name(void *user, const char *name)
{
    buf_append(user, name, strlen(name) + 1);
}

static void names_of(struct sim *sim, const char *dir, struct buf *out)
{
    enum err e = sim_io(sim)->ops->list_dir(sim_io(sim), dir, add_name, out);
    CHECK(e == OK || e == ERR_NOT_FOUND);
}

void wipe(struct sim *sim, const char *dir)
{
    struct buf names = BUF_INIT(MEM_TEST);
    char path[400];
    names_of(sim, dir, &names);
    for (size_t at = 0; at < names.len; at += strlen((char *)names.ptr + at) + 1) {
        (void)snprintf(path, sizeof(path), "%s/%s", dir, (char *)names.ptr + at);
        REQUIRE(sim_io(sim)->ops->remove(sim_io(sim), path) == OK);
    }
    REQUIRE(sim_io(sim)->ops->sync_dir(sim_io(sim), dir) == OK);
    buf_fini(&names);
}

void copy_folder(struct sim *sim, const char *from, const char *to)
{
    struct buf names = BUF_INIT(MEM_TEST), bytes = BUF_INIT(MEM_TEST);
    char path[400];
    names_of(sim, from, &names);
    for (size_t at = 0; at < names.len; at += strlen((char *)names.ptr + at) + 1) {
        const char *name = (char *)names.ptr + at;
        buf_clear(&bytes, SIZE_MAX);
        (void)snprintf(path, sizeof(path), "%s/%s", from, name);
        REQUIRE(sim_disk_get(sim, path, &bytes));
        (void)snprintf(path, sizeof(path), "%s/%s", to, name);
        sim_disk_put(sim, path, buf_slice(&bytes));
    }
    buf_fini(&names);
    buf_fini(&bytes);
}

static unsigned count_names(struct sim *sim, const char *dir, const char *part)
{
    struct buf names = BUF_INIT(MEM_TEST);
    unsigned count = 0;
    names_of(sim, dir, &names);
    for (size_t at = 0; at < names.len; at += strlen((char *)names.ptr + at) + 1)
        count += strstr((char *)names.ptr + at, part) != NULL;
    buf_fini(&names);
    return count;
}

unsigned folder_count(struct sim *sim, const char *part)
{
    return count_names(sim, LIFE_DIR, part);
}

unsigned store_count(struct sim *sim, const char *part)
{
    return count_names(sim, "/store", part);
}
