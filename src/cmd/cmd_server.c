/* The server itself: its clock, its role, its end. */
#include <inttypes.h>
#include <stdio.h>

#include "cluster/slot.h"
#include "cmd/keys.h"
#include "cmd/modules.h"

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

void cmd_module_list(struct request *rq)
{
    reply_modules(&rq->reply);
}

/* The one cluster command that makes sense without a cluster: clients test their hashing by it. */
void cmd_cluster_keyslot(struct request *rq)
{
    const struct cluster_keyslot_args *a = rq->args;
    reply_int(&rq->reply, slot_of_key(a->key));
}

/* One server is nobody's replica, which is what NO ONE asks for. */
static void replicate(struct request *rq, struct slice host, struct slice port)
{
    int64_t number;
    if (slice_eq_nocase(host, "NO") && slice_eq_nocase(port, "ONE"))
        reply_simple(&rq->reply, "OK");
    else if (!slice_to_i64(port, &number) || number < 0 || number > 65535)
        reply_error(&rq->reply, "ERR Invalid master port");
    else
        reply_error(&rq->reply, "ERR replication is not in this version");
}

void cmd_replicaof(struct request *rq)
{
    const struct replicaof_args *a = rq->args;
    replicate(rq, a->host, a->port);
}

void cmd_slaveof(struct request *rq)
{
    const struct slaveof_args *a = rq->args;
    replicate(rq, a->host, a->port);
}

/* There is one user. */
void cmd_acl_whoami(struct request *rq)
{
    reply_text(&rq->reply, "default");
}
