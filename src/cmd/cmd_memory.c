/* MEMORY: who holds how much. Sums agree with one another: overhead and data are all that is
 * booked, and so are the lines of the tags. */
#include "cmd/keys.h"
#include "cmd/memory.h"
#include "db/hashes.h"
#include "db/lists.h"

void memory_overview(const struct cmd_env *env, struct memory_overview *out)
{
    const struct keyspace *ks = &env->db->keys;
    *out = (struct memory_overview){.startup = env->startup_bytes};
    for (int tag = 0; tag < MEM_TEST; tag++) {
        out->tags[tag] = mem_used((enum mem_tag)tag);
        out->used += out->tags[tag];
    }
    out->key_table = map_bytes(&ks->map) + ks->capacity * sizeof(*ks->objects) +
                     ks->capacity * sizeof(*ks->free_list);
    out->expiry_table =
        (ks->expiry.capacity + (size_t)ks->fields.capacity) * sizeof(*ks->expiry.entries);
    out->overhead = out->tags[MEM_SERVER] + out->tags[MEM_CLIENT] + out->tags[MEM_LOG] +
                    out->tags[MEM_SNAPSHOT] + out->tags[MEM_SCRATCH] + out->key_table +
                    out->expiry_table;
    /* Lanes allocate while this reads: what they did meanwhile may be missing in a sum. */
    out->overhead = out->overhead < out->used ? out->overhead : out->used;
    out->dataset = out->used - out->overhead;
    out->peak = mem_peak_total() > out->used ? mem_peak_total() : out->used;
    out->rss = mem_rss_bytes();
    mem_allocator(&out->allocator);
}

double memory_ratio(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0 : (double)part / (double)whole;
}

/* -- MEMORY ------------------------------------------------------------------------------------ */

void cmd_memory_usage(struct request *rq)
{
    const struct memory_usage_args *a = rq->args;
    if (a->samples < 0) {
        reply_error(&rq->reply, "ERR syntax error");
        return;
    }
    struct object *o = db_find(rq->env->db, a->key);
    if (o == NULL) {
        reply_null(&rq->reply);
        return;
    }
    /* Each key also takes a place in the table of objects and about two slots of the map. */
    size_t bytes = mem_size(o) + sizeof(o) + 2 * sizeof(struct map_slot);
    if (o->type == OBJECT_COLLECTION)
        bytes += collection_bytes(o->collection);
    bytes += object_large_bytes(o);
    reply_int(&rq->reply, (int64_t)bytes);
}

static void put_bytes(struct reply *r, const char *name, uint64_t bytes)
{
    reply_text(r, name);
    reply_int(r, (int64_t)bytes);
}

static void put_ratio(struct reply *r, const char *name, double ratio)
{
    reply_text(r, name);
    reply_double(r, ratio);
}

/* What Redis has and this server has not is 0, so that tools find their fields. */
static void reply_parts(struct reply *r, const struct memory_overview *m)
{
    put_bytes(r, "peak.allocated", m->peak);
    put_bytes(r, "total.allocated", m->used);
    put_bytes(r, "startup.allocated", m->startup);
    put_bytes(r, "replication.backlog", 0);
    put_bytes(r, "clients.slaves", 0);
    put_bytes(r, "clients.normal", m->tags[MEM_CLIENT]);
    put_bytes(r, "cluster.links", 0);
    put_bytes(r, "aof.buffer", m->tags[MEM_LOG]);
    put_bytes(r, "lua.caches", 0);
    put_bytes(r, "functions.caches", 0);
    reply_text(r, "db.0");
    reply_map(r, 3);
    put_bytes(r, "overhead.hashtable.main", m->key_table);
    put_bytes(r, "overhead.hashtable.expires", m->expiry_table);
    put_bytes(r, "overhead.hashtable.slot-to-keys", 0);
    put_bytes(r, "overhead.total", m->overhead);
}

static void reply_allocator(struct reply *r, const struct memory_overview *m)
{
    const struct mem_allocator *a = &m->allocator;
    put_bytes(r, "allocator.allocated", a->allocated);
    put_bytes(r, "allocator.active", a->active);
    put_bytes(r, "allocator.resident", a->resident);
    put_ratio(r, "allocator-fragmentation.ratio", memory_ratio(a->active, a->allocated));
    put_bytes(r, "allocator-fragmentation.bytes", a->active - a->allocated);
    put_ratio(r, "allocator-rss.ratio", memory_ratio(a->resident, a->active));
    put_bytes(r, "allocator-rss.bytes", a->resident - a->active);
    put_ratio(r, "rss-overhead.ratio", memory_ratio(m->rss, a->resident));
    put_bytes(r, "rss-overhead.bytes", m->rss - a->resident);
    put_ratio(r, "fragmentation", memory_ratio(m->rss, m->used));
    put_bytes(r, "fragmentation.bytes", m->rss - m->used);
}

/* Redis's names, then a line per tag of mem.h. */
void cmd_memory_stats(struct request *rq)
{
    struct reply *r = &rq->reply;
    struct memory_overview m;
    size_t keys = keyspace_count(&rq->env->db->keys);
    enum { PARTS = 12, KEYS_AND_DATA = 5, ALLOCATOR = 11 };
    memory_overview(rq->env, &m);
    reply_map(r, PARTS + KEYS_AND_DATA + ALLOCATOR + MEM_TEST);
    reply_parts(r, &m);
    put_bytes(r, "keys.count", keys);
    put_bytes(r, "keys.bytes-per-key",
              keys == 0 || m.used < m.startup ? 0 : (m.used - m.startup) / keys);
    put_bytes(r, "dataset.bytes", m.dataset);
    uint64_t net = m.used > m.startup ? m.used - m.startup : 0;
    put_ratio(r, "dataset.percentage", net == 0 ? 0 : 100 * memory_ratio(m.dataset, net));
    put_ratio(r, "peak.percentage", 100 * memory_ratio(m.used, m.peak));
    reply_allocator(r, &m);
    for (int tag = 0; tag < MEM_TEST; tag++)
        put_bytes(r, mem_tag_name((enum mem_tag)tag), m.tags[tag]);
}

/* Pages that the allocator keeps for later go back to the system now. */
void cmd_memory_purge(struct request *rq)
{
    mem_trim();
    reply_simple(&rq->reply, "OK");
}

static void reply_text_of(struct request *rq, struct buf *text)
{
    if (buf_failed(text))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else
        reply_verbatim(&rq->reply, "txt", buf_slice(text));
    buf_fini(text);
}

static void append(void *user, const char *text)
{
    buf_append_text(user, text);
}

void cmd_memory_malloc_stats(struct request *rq)
{
    struct buf text = BUF_INIT(MEM_CLIENT);
    mem_print_allocator(append, &text);
    reply_text_of(rq, &text);
}

void cmd_memory_doctor(struct request *rq)
{
    enum { MB = 1 << 20, SMALL_BYTES = 32 * MB };
    struct buf text = BUF_INIT(MEM_CLIENT);
    struct memory_overview m;
    uint64_t max = rq->env->config->maxmemory;
    memory_overview(rq->env, &m);
    buf_printf(&text, "%llu MB are used: %llu MB of data, %llu MB besides.\n",
               (unsigned long long)m.used / MB, (unsigned long long)m.dataset / MB,
               (unsigned long long)m.overhead / MB);
    if (max > 0 && m.used > max - max / 20)
        buf_printf(&text,
                   "maxmemory (%llu MB) is nearly reached: writes are about to be refused, "
                   "or keys evicted, as maxmemory-policy says.\n",
                   (unsigned long long)max / MB);
    if (m.used > SMALL_BYTES && m.rss > m.used + m.used / 2)
        buf_printf(&text,
                   "the system counts %llu MB: MEMORY PURGE gives free pages back, and "
                   "MEMORY MALLOC-STATS says where they are.\n",
                   (unsigned long long)m.rss / MB);
    if (m.used > SMALL_BYTES && m.tags[MEM_CLIENT] > m.used / 4)
        buf_append_text(&text, "clients hold more than a quarter of it: CLIENT LIST shows who has "
                               "sent or not read so much (qbuf, rbs).\n");
    if (m.peak > m.used * 2 && m.peak > SMALL_BYTES)
        buf_printf(&text, "it was %llu MB once.\n", (unsigned long long)m.peak / MB);
    reply_text_of(rq, &text);
}
