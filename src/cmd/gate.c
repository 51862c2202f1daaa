/* Gates stand in the order of their replies: of two, the later one starts behind the earlier and
 * waits for a higher LSN. So the first that is closed decides how much may leave. */
#include "cmd/gate.h"

#include "base/plant.h"
#include "cmd/env.h"

static size_t gate_count(const struct client *client)
{
    CHECK(client->gates.len % sizeof(struct reply_gate) == 0);
    return client->gates.len / sizeof(struct reply_gate);
}

/* Oldest first; gate_count of them. */
static struct reply_gate *gates_of(const struct client *client)
{
    return (struct reply_gate *)(void *)client->gates.ptr;
}

/* How far the log is, for replies of reads and of writes. */
struct reached {
    uint64_t stable, kept;
};

static struct reached reached_by(const struct mlog *log)
{
    return (struct reached){mlog_stable(log), mlog_kept(log)};
}

static bool is_open(const struct reply_gate *gate, struct reached reached)
{
    CHECK(reached.kept <= reached.stable);
    if (PLANTED(PLANT_READS_EARLY) && !gate->wrote)
        return true;
    return gate->lsn <= (gate->wrote ? reached.kept : reached.stable);
}

void gate_replies(struct cmd_env *env, struct client *client, size_t offset, bool wrote)
{
    const struct mlog *log = &env->db->log;
    struct reply_gate gate = {client->out_start + offset, log->last_lsn, wrote};
    CHECK(offset <= client->out.len);
    if (offset == client->out.len || is_open(&gate, reached_by(log)))
        return;
    size_t count = gate_count(client);
    if (count > 0 && gates_of(client)[count - 1].lsn == log->last_lsn)
        return; /* waits behind that gate already */
    CHECK(count == 0 || (gates_of(client)[count - 1].lsn < gate.lsn &&
                         gates_of(client)[count - 1].from <= gate.from));
    buf_append(&client->gates, &gate, sizeof(gate));
    if (buf_failed(&client->gates))
        client->out.failed = true; /* closes the connection: never a reply too early */
}

size_t gate_open_bytes(struct cmd_env *env, struct client *client)
{
    size_t open = 0, count = gate_count(client);
    if (count == 0)
        return client->out.len;
    struct reached reached = reached_by(&env->db->log);
    while (open < count && is_open(&gates_of(client)[open], reached))
        open++;
    buf_consume(&client->gates, open * sizeof(struct reply_gate));
    if (open == count)
        return client->out.len;
    uint64_t from = gates_of(client)[0].from;
    CHECK(from >= client->out_start && from <= client->out_start + client->out.len);
    return (size_t)(from - client->out_start);
}

void gate_on_stable(struct cmd_env *env)
{
    struct reached reached = reached_by(&env->db->log);
    for (struct client *client = env->clients; client != NULL; client = client->next)
        if (gate_count(client) > 0 && is_open(&gates_of(client)[0], reached))
            env->hooks->resume(env, client);
}
