/* INFO's section on memory. Lanes allocate while this reads, so sums may be off by what they did
 * meanwhile: a difference may come out negative, and is then shown as 0 or with its sign. */
#include <inttypes.h>

#include "cmd/env.h"
#include "cmd/info.h"
#include "cmd/memory.h"

/* A size, and the same as people read it. */
static void print_size(struct buf *out, const char *name, uint64_t bytes)
{
    static const char units[] = "BKMGTPE";
    double value = (double)bytes;
    size_t unit = 0;
    for (; value >= 1024 && unit + 2 < sizeof(units); unit++)
        value /= 1024;
    buf_printf(out, "%s:%" PRIu64 "\r\n%s_human:%.*f%c\r\n", name, bytes, name, unit == 0 ? 0 : 2,
               value, units[unit]);
}

static void print_allocator(const struct memory_overview *m, struct buf *out)
{
    const struct mem_allocator *a = &m->allocator;
    buf_printf(out,
               "allocator_frag_ratio:%.2f\r\nallocator_frag_bytes:%" PRId64 "\r\n"
               "allocator_rss_ratio:%.2f\r\nallocator_rss_bytes:%" PRId64 "\r\n"
               "rss_overhead_ratio:%.2f\r\nrss_overhead_bytes:%" PRId64 "\r\n",
               memory_ratio(a->active, a->allocated), (int64_t)(a->active - a->allocated),
               memory_ratio(a->resident, a->active), (int64_t)(a->resident - a->active),
               memory_ratio(m->rss, a->resident), (int64_t)(m->rss - a->resident));
    buf_printf(out,
               "mem_fragmentation_ratio:%.2f\r\nmem_fragmentation_bytes:%" PRId64 "\r\n"
               "mem_not_counted_for_evict:0\r\nmem_replication_backlog:0\r\n"
               "mem_total_replication_buffers:0\r\nmem_clients_slaves:0\r\n"
               "mem_clients_normal:%" PRIu64 "\r\nmem_cluster_links:0\r\n"
               "mem_aof_buffer:%" PRIu64 "\r\nmem_allocator:%s\r\nactive_defrag_running:0\r\n",
               memory_ratio(m->rss, m->used), (int64_t)(m->rss - m->used), m->tags[MEM_CLIENT],
               m->tags[MEM_LOG], a->name);
}

void info_memory(struct cmd_env *env, struct buf *out)
{
    struct memory_overview m;
    struct buf policy = BUF_INIT(MEM_CLIENT);
    memory_overview(env, &m);
    print_size(out, "used_memory", m.used);
    print_size(out, "used_memory_rss", m.rss);
    print_size(out, "used_memory_peak", m.peak);
    buf_printf(out,
               "used_memory_peak_perc:%.2f%%\r\nused_memory_overhead:%" PRIu64
               "\r\nused_memory_startup:%" PRIu64 "\r\nused_memory_dataset:%" PRIu64
               "\r\nused_memory_dataset_perc:%.2f%%\r\n",
               100 * memory_ratio(m.used, m.peak), m.overhead, m.startup, m.dataset,
               100 * memory_ratio(m.dataset, m.used));
    buf_printf(out,
               "allocator_allocated:%" PRIu64 "\r\nallocator_active:%" PRIu64
               "\r\nallocator_resident:%" PRIu64 "\r\n",
               m.allocator.allocated, m.allocator.active, m.allocator.resident);
    print_size(out, "total_system_memory", env->db->env.machine_bytes);
    print_size(out, "used_memory_lua", 0);
    print_size(out, "used_memory_scripts", 0);
    print_size(out, "maxmemory", env->config->maxmemory);
    bool known = config_get(env->config, slice_of("maxmemory-policy"), &policy);
    if (buf_failed(&policy))
        out->failed = true;
    else if (known)
        buf_printf(out, "maxmemory_policy:%.*s\r\n", (int)policy.len, (const char *)policy.ptr);
    buf_fini(&policy);
    print_allocator(&m, out);
    for (int tag = 0; tag < MEM_TEST; tag++)
        buf_printf(out, "mem_%s:%" PRIu64 "\r\n", mem_tag_name((enum mem_tag)tag), m.tags[tag]);
}
