/* A client's search: from the loop to a lane and back. The client may go away meanwhile; then the
 * search comes back to nobody and only frees itself. */
#include "cmd/vector_job.h"

#include "cmd/env.h"
#include "cmd/explain.h"
#include "cmd/gate.h"

/* What the search found, or its error, as the client's reply; and the counters. */
static void answer(struct cmd_env *env, struct client *client, struct search *s)
{
    struct reply reply = {&client->out, client->proto};
    size_t before = client->out.len;
    CHECK(s->error != OK || s->answered == s->query_count);
    env->stats->searches_total += s->query_count;
    env->stats->search_distance_computations += s->cost.distances;
    if (s->error != OK)
        reply_err(&reply, s->error, NULL);
    else if (s->explain == EXPLAIN_PLAN || s->explain == EXPLAIN_ANALYZE)
        explain_reply(&reply, s);
    else if (s->show != NULL)
        s->show(s, env, client);
    else
        buf_append_slice(&client->out, buf_slice(&s->reply));
    if (!(client->flags & CLIENT_IN_EXEC)) /* whose reply leaves as a whole */
        gate_replies(env, client, before, false);
}

/* user: the client, or NULL when it has gone. */
static void on_done(struct search *s)
{
    struct client *client = s->user;
    struct cmd_env *env = s->env;
    if (client != NULL) {
        CHECK(client->blocked && client->search == s);
        client->search = NULL;
        answer(env, client, s);
    }
    search_free(s);
    if (client != NULL)
        client_unblock(env, client);
}

void search_for_client(struct request *rq, struct search *s)
{
    CHECK(rq->client->search == NULL && rq->client->waits_for_room == NULL);
    s->proto = rq->client->proto;
    s->user = rq->client;
    s->env = rq->env;
    s->done = on_done;
    s->explain = (enum search_explain)rq->explain;
    bool here = (rq->client->flags & CLIENT_IN_EXEC) != 0;
    if (here)
        search_run_here(s);
    if (here || search_start(s)) {
        answer(rq->env, rq->client, s);
        search_free(s);
        return;
    }
    rq->client->search = s;
    client_block(rq->env, rq->client);
}
