/* A client's search: from the loop to a lane and back. The client may go away meanwhile; then the
 * search comes back to nobody and only frees itself. */
#include "cmd/vector_job.h"

#include "cmd/env.h"
#include "cmd/explain.h"
#include "cmd/gate.h"

static void count(struct cmd_env *env, const struct search *s)
{
    CHECK(s->error != OK || s->answered == s->query_count);
    env->stats->searches_total += s->query_count;
    env->stats->search_distance_computations += s->cost.distances;
}

/* Lets show() write, and moves that to s->reply, where a lane may read it. */
static void show_aside(struct cmd_env *env, struct client *client, struct search *s)
{
    size_t before = client->out.len;
    s->show(s, env, client);
    if (buf_failed(&client->out)) { /* nothing is left of it, and the connection ends */
        s->error = ERR_NOMEM;
        return;
    }
    buf_clear(&s->reply, SIZE_MAX);
    buf_append(&s->reply, client->out.ptr + before, client->out.len - before);
    client->out.len = before;
    s->show = NULL;
    if (buf_failed(&s->reply))
        s->error = ERR_NOMEM;
}

/* What the search found, or its error, as the client's reply. */
static void answer(struct cmd_env *env, struct client *client, struct search *s)
{
    struct reply reply = {&client->out, client->proto};
    size_t before = client->out.len;
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

static void end(struct search *s)
{
    struct client *client = s->user;
    struct cmd_env *env = s->env;
    if (client != NULL) {
        CHECK(client->blocked && client->search == s);
        client->search = NULL;
        answer(env, client, s);
    }
    if (!recall_takes(&env->db->recall, s))
        search_free(s);
    if (client != NULL)
        client_unblock(env, client);
}

static void run_finish(struct job *job, struct lane *lane)
{
    struct search *s = (struct search *)job;
    (void)lane;
    s->error = s->finish(s);
}

static void on_finished(struct job *job)
{
    end((struct search *)job);
}

/* user: the client, or NULL when it has gone. */
static void on_done(struct search *s)
{
    struct client *client = s->user;
    struct cmd_env *env = s->env;
    if (client != NULL) {
        count(env, s);
        if (s->error == OK && s->finish != NULL)
            show_aside(env, client, s);
    }
    if (client == NULL || s->error != OK || s->finish == NULL) {
        end(s);
        return;
    }
    s->job = (struct job){.run = run_finish, .done = on_finished, .class = JOB_SEARCH};
    env->io->ops->submit(env->io, &s->job);
}

/* Within the command. */
static void answer_here(struct cmd_env *env, struct client *client, struct search *s)
{
    count(env, s);
    if (s->error == OK && s->finish != NULL)
        show_aside(env, client, s);
    if (s->error == OK && s->finish != NULL)
        s->error = s->finish(s);
    answer(env, client, s);
    if (!recall_takes(&env->db->recall, s))
        search_free(s);
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
        answer_here(rq->env, rq->client, s);
        return;
    }
    rq->client->search = s;
    client_block(rq->env, rq->client);
}
