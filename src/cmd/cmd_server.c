/* The server itself: its clock, its role, its end, its memory. */
#include <inttypes.h>
#include <stdio.h>

#include "cluster/slot.h"
#include "cmd/keys.h"

void cmd_time(struct request *rq)
{
    uint64_t now = rq->env->io->ops->wall_us(rq->env->io);
    char text[24];
    reply_array(&rq->reply, 2);
    (void)snprintf(text, sizeof(text), "%" PRIu64, now / 1000000);
    reply_text(&rq->reply, text);
    (void)snprintf(text, sizeof(text), "%" PRIu64, now % 1000000);
    reply_text(&rq->reply, text);
}

void cmd_role(struct request *rq)
{
    reply_array(&rq->reply, 3);
    reply_text(&rq->reply, "master");
    reply_int(&rq->reply, (int64_t)rq->env->db->log.last_lsn);
    reply_array(&rq->reply, 0);
}

/* Nothing is replied when the server stops: the connection ends, as with Redis. */
void cmd_shutdown(struct request *rq)
{
    const struct shutdown_args *a = rq->args;
    enum shutdown_save save = SHUTDOWN_SAVE_IF_NEEDED;
    if (a->has_save)
        save = a->save == 1 ? SHUTDOWN_SAVE : SHUTDOWN_NO_SAVE;
    rq->env->hooks->shutdown(rq->env, save);
}

/* Tools ask for these two on connecting; an empty list is an answer, an error would not be. */
void cmd_module_list(struct request *rq)
{
    reply_array(&rq->reply, 0);
}

void cmd_latency_latest(struct request *rq)
{
    reply_array(&rq->reply, 0);
}

/* The one cluster command that makes sense without a cluster: clients test their hashing by it. */
void cmd_cluster_keyslot(struct request *rq)
{
    const struct cluster_keyslot_args *a = rq->args;
    reply_int(&rq->reply, slot_of_key(a->key));
}

/* -- memory ------------------------------------------------------------------------------------ */

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
    CHECK((o->type == OBJECT_COLLECTION) == (o->collection != NULL));
    if (o->type == OBJECT_COLLECTION)
        bytes += collection_bytes(o->collection);
    reply_int(&rq->reply, (int64_t)bytes);
}

/* Redis's names where there is the same thing, then a line per tag of mem.h. */
void cmd_memory_stats(struct request *rq)
{
    struct reply *r = &rq->reply;
    size_t keys = keyspace_count(&rq->env->db->keys);
    size_t overhead = mem_used(MEM_SERVER) + mem_used(MEM_CLIENT) + mem_used(MEM_LOG);
    size_t used = mem_used_total();
    reply_map(r, 6 + MEM_TEST);
    reply_text(r, "peak.allocated");
    reply_int(r, (int64_t)mem_peak_total());
    reply_text(r, "total.allocated");
    reply_int(r, (int64_t)used);
    reply_text(r, "overhead.total");
    reply_int(r, (int64_t)overhead);
    reply_text(r, "keys.count");
    reply_int(r, (int64_t)keys);
    reply_text(r, "keys.bytes-per-key");
    reply_int(r, keys == 0 ? 0 : (int64_t)((used - overhead) / keys));
    reply_text(r, "dataset.bytes");
    reply_int(r, (int64_t)(used - overhead));
    for (int tag = 0; tag < MEM_TEST; tag++) {
        reply_text(r, mem_tag_name((enum mem_tag)tag));
        reply_int(r, (int64_t)mem_used((enum mem_tag)tag));
    }
}

/* Pages that the allocator keeps for later go back to the system now. */
void cmd_memory_purge(struct request *rq)
{
    mem_trim();
    reply_simple(&rq->reply, "OK");
}
