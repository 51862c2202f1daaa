#include "crash/datadir.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/rng.h"
#include "db/batch.h"
#include "persist/check.h"
#include "server.h"
#include "sim/inspect.h"
#include "sim/sim_io.h"

enum { SECOND_US = 1000 * 1000, WAIT_MAX_US = 60 * SECOND_US, LOAD_SEED = 77, DIM = 4 };

static const struct io_addr address = {.host = "127.0.0.1", .port = 6379};

/* -- lists of files ------------------------------------------------------------------------------
 */

void datadir_add(struct datadir *dir, const char *path, struct slice bytes)
{
    unsigned at = 0;
    CHECK(dir->count < DATADIR_FILES_MAX && strlen(path) < DATADIR_PATH_MAX);
    while (at < dir->count && strcmp(dir->files[at].path, path) < 0)
        at++;
    memmove(&dir->files[at + 1], &dir->files[at], (dir->count - at) * sizeof(dir->files[0]));
    dir->count++;
    struct datadir_file *f = &dir->files[at];
    memcpy(f->path, path, strlen(path) + 1);
    f->bytes = BUF_INIT(MEM_TEST);
    buf_append_slice(&f->bytes, bytes);
}

void datadir_remove(struct datadir *dir, unsigned index)
{
    CHECK(index < dir->count);
    buf_fini(&dir->files[index].bytes);
    dir->count--;
    memmove(&dir->files[index], &dir->files[index + 1],
            (dir->count - index) * sizeof(dir->files[0]));
}

void datadir_free(struct datadir *dir)
{
    while (dir->count > 0)
        datadir_remove(dir, dir->count - 1);
}

unsigned datadir_find(const struct datadir *dir, const char *path)
{
    unsigned at = 0;
    while (at < dir->count && strcmp(dir->files[at].path, path) != 0)
        at++;
    return at;
}

void datadir_copy(const struct datadir *from, struct datadir *to)
{
    *to = *from;
    to->count = 0;
    for (unsigned i = 0; i < from->count; i++)
        datadir_add(to, from->files[i].path, buf_slice(&from->files[i].bytes));
}

static void take_file(void *user, const char *path, struct slice bytes)
{
    datadir_add(user, path, bytes);
}

/* -- a server over them --------------------------------------------------------------------------
 */

/* owner: caller */
struct process {
    struct sim *sim;
    struct server *server;
    struct sim_client *client;
    struct mlog_sink sink;
    uint64_t *kinds; /* NULL: nobody counts */
    bool stopped;
};

static void on_stopped(struct server *server)
{
    ((struct process *)server->user)->stopped = true;
}

static bool is_stopped(void *user)
{
    return ((struct process *)user)->stopped;
}

static bool is_up(void *user)
{
    struct process *p = user;
    return p->stopped || !persist_loading(&p->server->persist);
}

static struct sim *sim_with(const struct datadir *dir, uint64_t seed)
{
    struct sim_options options = sim_options_default();
    options.lane_count = 1;
    struct sim *sim = sim_new(seed, &options);
    for (unsigned i = 0; i < dir->count; i++)
        sim_disk_put(sim, dir->files[i].path, buf_slice(&dir->files[i].bytes));
    return sim;
}

/* False: it does not serve, text says why. */
static bool start(struct process *p, struct sim *sim, char text[DATADIR_TEXT_MAX])
{
    static struct config config; /* large */
    struct why why = {{0}};
    *p = (struct process){.sim = sim};
    config_init(&config);
    memcpy(config.bind, address.host, strlen(address.host) + 1);
    config.flat_rows_max = 4;
    config.aof_segment_size = 4096;
    p->server = mem_calloc(MEM_TEST, sizeof(*p->server));
    enum err e = server_start(p->server, sim_io(sim), &config, NULL, &why);
    inspect_small_values(&p->server->db);
    p->server->user = p;
    p->server->on_stopped = on_stopped;
    if (e != OK)
        p->stopped = true;
    if (e == OK && !sim_run_until(sim, is_up, p, WAIT_MAX_US))
        (void)why_set(&why, ERR_BUSY, "it loads for ever");
    if (e == OK && p->server->persist.state != PERSIST_SERVING)
        why = p->server->persist.why;
    (void)snprintf(text, DATADIR_TEXT_MAX, "%s", why.text);
    return why.text[0] == '\0';
}

static void end(struct process *p)
{
    if (!p->stopped)
        server_stop(p->server);
    CHECK(sim_run_until(p->sim, is_stopped, p, WAIT_MAX_US));
    server_fini(p->server);
    mem_free(MEM_TEST, p->server);
}

/* -- a directory with everything in it -----------------------------------------------------------
 */

static void count_record(struct mlog_sink *sink, uint64_t lsn, struct slice record)
{
    struct process *p = (struct process *)((char *)sink - offsetof(struct process, sink));
    struct batch_reader reader;
    struct mutation m;
    struct why why;
    bool ok = lsn > 0 && batch_open(record, &reader, &why) == OK;
    CHECK(ok);
    while (reader.left > 0) {
        ok = batch_next(&reader, &m, &why) == OK;
        CHECK(ok && (unsigned)m.kind < DATADIR_KINDS);
        p->kinds[m.kind]++;
        mutation_free(&m);
    }
}

static uint64_t never_waits(const struct mlog_sink *sink)
{
    CHECK(sink != NULL);
    return UINT64_MAX;
}

static bool has_reply(void *user)
{
    const struct buf *got = &((struct process *)user)->client->received;
    return got->len > 0 && got->ptr[got->len - 1] == '\n';
}

/* Sends commands, one line each, and waits for each to be answered. False: one of them with an
 * error, which is in text. */
static bool say(struct process *p, const char *lines, char text[DATADIR_TEXT_MAX])
{
    while (*lines != '\0') {
        size_t len = strcspn(lines, "\n") + 1;
        struct buf *got = &p->client->received;
        sim_client_send(p->client, (struct slice){(const uint8_t *)lines, len});
        bool replied = sim_run_until(p->sim, has_reply, p, WAIT_MAX_US);
        if (!replied || got->ptr[0] == '-') {
            (void)snprintf(text, DATADIR_TEXT_MAX, "%.*s: %.*s", (int)len - 1, lines, (int)got->len,
                           (const char *)got->ptr);
            return false;
        }
        buf_clear(got, 0);
        lines += len;
    }
    return true;
}

/* Elements e<from> .. e<to - 1> of a vector set. */
static bool say_elements(struct process *p, const char *key, unsigned from, unsigned to,
                         char text[DATADIR_TEXT_MAX])
{
    bool ok = true;
    uint64_t rng = from + 1;
    for (unsigned i = from; i < to && ok; i++) {
        struct buf line = BUF_INIT(MEM_TEST);
        buf_printf(&line, "VADD %s VALUES %d", key, DIM);
        for (unsigned j = 0; j < DIM; j++)
            buf_printf(&line, " %.3f", rng_unit(&rng) - 0.5);
        buf_printf(&line, " e%u%s\n", i, i % 3 == 0 ? " SETATTR '{\"n\":7}'" : "");
        buf_append_byte(&line, 0);
        ok = say(p, (const char *)line.ptr, text);
        buf_fini(&line);
    }
    return ok;
}

static const char first_script[] = "SET s hello\n"
                                   "SET number 5\n"
                                   "VCREATE flat DIM 4 METRIC L2 INDEX FLAT\n"
                                   "VCREATE graph DIM 4 METRIC COSINE INDEX HNSW M 4\n";

static const char other_kinds[] = "EXPIRE number 1000000\n"
                                  "SETRANGE number 3 xyz\n"
                                  "RENAME number moved\n"
                                  "RENAME moved number\n"
                                  "HSET hash one 1 two 2 three 3\n"
                                  "HSET large a 1 b 2 c 3 d 4 e 5 f 6 g 7 h 8\n"
                                  "HPEXPIREAT hash 33000000000000 FIELDS 1 one\n"
                                  "HDEL hash two\n"
                                  "RPUSH list a b c d e f g h i j k l\n"
                                  "LPUSH list z y x\n"
                                  "LTRIM list 1 -2\n"
                                  "LSET list 3 B\n"
                                  "LINSERT list BEFORE e between\n"
                                  "LREM list 1 f\n"
                                  "LMOVE list short LEFT RIGHT\n"
                                  "SORT list ALPHA STORE short\n"
                                  "SADD set one two three\n"
                                  "SREM set two\n"
                                  "SADD many a b c d e f g h\n"
                                  "SUNIONSTORE both set many\n"
                                  "ZADD zset 1 one 2.5 two 3 three\n"
                                  "ZREM zset two\n"
                                  "ZADD tall 1 a 2 b 3 c 4 d 5 e 6 f 7 g 7 h\n"
                                  "JSON.SET doc $ '{\"a\":1,\"l\":[1,2,3],\"t\":\"x\"}'\n"
                                  "JSON.SET doc $.b 2\n"
                                  "JSON.ARRAPPEND doc $.l 4 5\n"
                                  "JSON.DEL doc $.l[0]\n"
                                  "FT.CREATE index SCHEMA one NUMERIC\n"
                                  "FT.DROPINDEX index\n"
                                  "FT.CREATE other PREFIX 1 h SCHEMA two TAG\n"
                                  "FT.ALTER other SCHEMA ADD three NUMERIC\n"
                                  "FT.ALIASADD alias other\n"
                                  "FT.ALIASDEL alias\n"
                                  "FT.ALIASADD alias other\n"
                                  "FT.SYNUPDATE other group one two\n"
                                  "FT.DICTADD dictionary one two three\n"
                                  "FT.DICTDEL dictionary two\n"
                                  "FT.DROPINDEX other\n"
                                  "VALTER flat MAXLEN 100 EVICT LRU\n"
                                  "VALTER graph QUANT NONE M 7\n"
                                  "VPARTITION CREATE flat p IFNOTEXISTS\n"
                                  "VPARTITION CREATE flat gone\n"
                                  "VADD flat VALUES 4 4 3 2 1 in PARTITION p\n"
                                  "VADD flat VALUES 4 1 1 2 1 out PARTITION gone\n"
                                  "VPARTITION DROP flat gone\n"
                                  "VADD small VALUES 4 1 2 3 4 lasting EX 1000000\n";

static const char second_script[] = "VSETATTR graph e1 '{\"n\":1}'\n"
                                    "VREM graph e2 e3\n"
                                    "VALTER graph QUANT SQ8 M 5\n"
                                    "VPARTITION CREATE graph q\n"
                                    "VADD graph VALUES 4 1 1 2 1 in PARTITION q\n"
                                    "VPARTITION CREATE flat p\n"
                                    "VADD flat VALUES 4 1 3 2 1 too PARTITION p\n"
                                    "DEL s\n"
                                    "SET t world\n"
                                    "FT.CREATE kept PREFIX 1 k: SCHEMA c TAG v VECTOR FLAT 6 TYPE "
                                    "INT8 DIM 2 DISTANCE_METRIC L2\n"
                                    "FT.CREATE words PREFIX 1 k: SCHEMA c TEXT v VECTOR HNSW 6 "
                                    "TYPE INT8 DIM 2 DISTANCE_METRIC COSINE\n"
                                    "HSET k:1 v ab c red\n"
                                    "HSET k:2 v cd\n"
                                    "HSET k:3 c blue\n";

/* Connects to a server that has come up. */
static void meet(struct process *p, uint64_t *kinds)
{
    p->client = sim_client_connect(p->sim, &address);
    p->kinds = kinds;
    p->sink = (struct mlog_sink){.on_record = count_record, .stable = never_waits};
    mlog_add_sink(&p->server->db.log, &p->sink);
}

static void part_from(struct process *p)
{
    sim_client_close(p->client);
    mlog_remove_sink(&p->server->db.log, &p->sink);
    end(p);
}

/* As when elements move, for which this is too small. */
static bool tick(struct process *p)
{
    struct background *b = &p->server->db.background;
    uint64_t lsn;
    return b->tick(b->tick_user, &lsn);
}

static bool first_half(struct process *p, char text[DATADIR_TEXT_MAX])
{
    return say(p, "FLUSHALL\n", text) && say(p, first_script, text) &&
           say_elements(p, "flat", 0, 3, text) && say_elements(p, "graph", 0, 8, text) &&
           say(p, "SAVE\n", text) && say(p, second_script, text) && tick(p);
}

static bool second_half(struct process *p, char text[DATADIR_TEXT_MAX])
{
    return say(p, "SAVE\n", text) && say_elements(p, "small", 0, 2, text) &&
           say(p, other_kinds, text) && say_elements(p, "graph", 6, 10, text) &&
           say(p, "VREM graph e0 e1 e4\n", text) && tick(p) && say(p, other_kinds, text);
}

bool datadir_make(uint64_t seed, struct datadir *out, struct datadir *earlier,
                  uint64_t kinds[DATADIR_KINDS], char text[DATADIR_TEXT_MAX])
{
    struct process p;
    *out = *earlier = (struct datadir){0};
    struct sim *sim = sim_with(out, seed);
    for (unsigned half = 0; half < 2; half++) {
        if (!start(&p, sim, text))
            return false;
        meet(&p, kinds);
        if (!(half == 0 ? first_half(&p, text) : second_half(&p, text)))
            return false;
        part_from(&p);
        sim_disk_each(sim, take_file, half == 0 ? earlier : out);
    }
    sim_free(sim);
    for (unsigned i = 0; i < 2; i++) {
        struct datadir *dir = i == 0 ? earlier : out;
        sim = sim_with(dir, LOAD_SEED);
        if (!start(&p, sim, text))
            return false;
        dir->lsn = p.server->db.log.last_lsn;
        dir->digest = inspect_digest(&p.server->db);
        dir->contents = inspect_contents(&p.server->db);
        dir->findings = datadir_check(dir);
        end(&p);
        sim_free(sim);
    }
    return true;
}

/* Does the text name a file of the directory, or one that is missing from it? */
static bool names_file(const char *text)
{
    return strstr(text, ".vlog") != NULL || strstr(text, ".vmf") != NULL ||
           strstr(text, ".vpk") != NULL || strstr(text, "log.durable") != NULL;
}

enum datadir_verdict datadir_load(const struct datadir *dir, char text[DATADIR_TEXT_MAX])
{
    struct process p;
    enum datadir_verdict verdict = DATADIR_SILENT;
    struct sim *sim = sim_with(dir, LOAD_SEED);
    if (!start(&p, sim, text))
        verdict = names_file(text) ? DATADIR_REFUSED : DATADIR_UNNAMED;
    else if (inspect_db(&p.server->db, false) != NULL)
        (void)snprintf(text, DATADIR_TEXT_MAX, "%s", inspect_db(&p.server->db, false));
    else if (p.server->db.log.last_lsn == dir->lsn && inspect_digest(&p.server->db) == dir->digest)
        verdict = DATADIR_SAME;
    else if (inspect_contents(&p.server->db) == dir->contents)
        verdict = DATADIR_REBUILT;
    end(&p);
    sim_free(sim);
    return verdict;
}

static void ignore_finding(void *user, const struct check_finding *f)
{
    (void)user;
    (void)f; /* it is counted */
}

uint64_t datadir_check(const struct datadir *dir)
{
    struct sim *sim = sim_with(dir, LOAD_SEED);
    struct check_counts counts;
    struct why why;
    enum err e = check_folder(sim_io(sim), "vdb-data", ignore_finding, NULL, &counts, &why);
    sim_free(sim);
    return e == OK ? counts.damages + counts.notes : 0;
}
