/* Finding collections, waiting for their pending sets, showing their vectors. */
#include "cmd/vector.h"

struct collection *find_collection(struct request *rq, struct slice key, bool *missing)
{
    struct collection *c;
    enum err e = db_collection(rq->env->db, key, &c);
    *missing = e == OK && c == NULL;
    CHECK(c == NULL || !c->dropped); /* what is dropped has left the keyspace */
    if (e != OK)
        reply_err(&rq->reply, e, NULL);
    if (!(rq->command->flags & CMD_WRITE)) {
        rq->env->stats->keyspace_hits += c != NULL;
        rq->env->stats->keyspace_misses += c == NULL;
    }
    return c;
}

struct collection *need_collection(struct request *rq, struct slice key)
{
    bool missing;
    struct collection *c = find_collection(rq, key, &missing);
    if (missing) {
        int shown = (int)(key.len < 64 ? key.len : 64);
        reply_errorf(&rq->reply, "ERR no such collection '%.*s'; create it with VCREATE %.*s DIM n",
                     shown, (const char *)key.ptr, shown, (const char *)key.ptr);
    }
    return c;
}

/* Background linking (db/background.c) ends the wait: on_room in env.c. */
static void wait_for(struct request *rq, struct collection *c)
{
    CHECK(rq->client->waits_for_room == NULL && rq->client->search == NULL);
    CHECK(!c->dropped); /* nothing would link its rows and end the wait */
    rq->client->waits_for_room = c;
    c->pending_waiters++;
    client_block(rq->env, rq->client);
}

void wait_for_room(struct request *rq, struct collection *c, size_t from)
{
    CHECK(from <= rq->client->out.len);
    if (c->dropped || !collection_pending_full(c))
        return;
    if (rq->client->flags & CLIENT_IN_EXEC) {
        rq->client->exec_filled = c;
        return;
    }
    CHECK(rq->client->held_from == SIZE_MAX);
    rq->client->held_from = from;
    rq->env->stats->writes_waited_pending++;
    wait_for(rq, c);
}

bool wait_longer_for_room(struct cmd_env *env, struct client *client, struct collection *c,
                          size_t from)
{
    CHECK(client->blocked && client->held_from == SIZE_MAX && from <= client->out.len);
    if (c->dropped || !collection_pending_full(c))
        return false;
    client->held_from = from;
    client->waits_for_room = c;
    c->pending_waiters++;
    env->stats->writes_waited_pending++;
    return true;
}

void retry_when_linked(struct request *rq, struct collection *c)
{
    CHECK(pending_count(&c->side->pending) > 0);
    rq->client->retry = true;
    wait_for(rq, c);
}

void reply_vector(struct reply *r, const struct collection_view *v, uint32_t row, bool raw,
                  float *room)
{
    const struct collection_spec *spec = &v->collection->spec;
    CHECK(row < v->exact.end);
    if (raw) {
        reply_bulk(r, (struct slice){view_blob(v, row, room), type_size(spec->type, spec->dim)});
        return;
    }
    view_vector(v, row, room);
    reply_array(r, spec->dim);
    for (uint32_t i = 0; i < spec->dim; i++)
        reply_double(r, (double)room[i]);
}
