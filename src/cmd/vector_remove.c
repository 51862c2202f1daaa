/* VREMWHERE. A lane finds the ids that match; the loop then removes them, in slices of half a
 * millisecond, each of which is a record of the log. So it is not one change: an element is removed
 * when it matched as the command began and still matches when its turn comes. One that was put or
 * given another attribute meanwhile is judged as it is then, one that was added is left alone. A
 * crash in the middle leaves those whose turn had not come. In a transaction it is one change, with
 * all the others. */
#include "cmd/removal.h"

#include "base/bytes.h"
#include "cmd/command.h"
#include "cmd/env.h"
#include "cmd/gate.h"
#include "cmd/log_wait.h"
#include "cmd/vector.h"
#include "cmd/vector_job.h"
#include "db/query.h"
#include "persist/persist.h"

enum {
    SLICE_US = 400,
    SLICE_IDS = 1024, /* in one record, at most */
    LOOK_EVERY = 16,  /* ids between two looks at the clock */
    ROOM_WAIT_US = 10 * 1000
};

struct removal {
    struct cmd_env *env;
    struct client *client;           /* NULL: it has gone */
    struct slice key;                /* owned */
    uint64_t uid;                    /* of the collection */
    struct filter *filter;           /* owned, once the search is over */
    struct partition_choice *choice; /* likewise; NULL: all partitions */
    struct buf ids;                  /* found on the lane: length and bytes, one after the other */
    struct bytes_reader left;
    size_t removed;
    struct io_timer timer;
    struct removal *next, **link; /* of those in slices */
};

static void removal_free(struct removal *r)
{
    if (r == NULL)
        return;
    if (r->link != NULL) {
        *r->link = r->next;
        if (r->next != NULL)
            r->next->link = r->link;
    }
    filter_free(r->filter);
    mem_free(MEM_SCRATCH, r->choice);
    buf_fini(&r->ids);
    mem_free(MEM_CLIENT, (void *)(uintptr_t)r->key.ptr);
    mem_free(MEM_CLIENT, r);
}

void removal_forget(struct client *client)
{
    if (client->removal != NULL)
        client->removal->client = NULL;
    client->removal = NULL;
}

void removals_stop(struct cmd_env *env)
{
    while (env->removals != NULL) {
        struct removal *r = env->removals;
        CHECK(r->client == NULL);
        env->io->ops->timer_stop(env->io, &r->timer);
        removal_free(r);
    }
}

/* -- finding, on a lane ------------------------------------------------------------------------ */

struct finding {
    const struct search *search;
    struct buf *ids;
};

static bool note_id(void *user, uint32_t row)
{
    struct finding *f = user;
    bytes_put_slice(f->ids, view_id(&f->search->view, row));
    return !buf_failed(f->ids);
}

static enum err run_find(struct search *s, struct lane *lane)
{
    struct removal *r = s->user;
    struct finding f = {s, &r->ids};
    query_each(s, lane, note_id, &f);
    return buf_failed(&r->ids) ? ERR_NOMEM : OK;
}

/* -- removing, on the loop --------------------------------------------------------------------- */

/* Takes the next of the ids that were found. Is its element there, and does it match? */
static bool next_matches(struct removal *r, const struct collection *c,
                         const struct collection_view *view, struct slice *id)
{
    *id = bytes_get_slice(&r->left);
    CHECK(!r->left.broken);
    uint32_t row = db_element(r->env->db, c, *id);
    if (row == ROW_NONE ||
        (r->choice != NULL && !partition_bit(r->choice->bits, view_partition(view, row))))
        return false;
    return filter_match(r->filter, view_attribute(view, row));
}

/* Removes some, at most most; the collection is c. *more: there may be others. */
static enum err remove_some(struct removal *r, struct collection *c, uint64_t until_us, size_t most,
                            bool *more)
{
    struct db *db = r->env->db;
    struct io *io = r->env->io;
    struct slice *ids = mem_try(MEM_CLIENT, most * sizeof(*ids));
    size_t count = 0;
    struct collection_view view;
    uint64_t lsn;
    if (ids == NULL)
        return ERR_NOMEM;
    db_view(db, c, &view);
    if (r->choice != NULL)
        partition_choice_refresh(r->choice, c->partitions, view.live);
    for (unsigned looked = 1; r->left.left.len > 0 && count < most; looked++) {
        count += next_matches(r, c, &view, &ids[count]);
        if (looked % LOOK_EVERY == 0 && io->ops->mono_us(io) >= until_us)
            break;
    }
    *more = r->left.left.len > 0;
    uint64_t before = db->vectors_removed;
    struct mutation m = {.kind = MUTATION_REMOVE, .key = r->key, .ids = ids, .count = count};
    enum err e = count == 0 ? OK : db_write(db, &m, &lsn, NULL);
    if (e == OK && count > 0) {
        r->removed += db->vectors_removed - before;
        if (r->client != NULL)
            r->client->last_lsn = lsn;
    }
    mem_free(MEM_CLIENT, ids);
    return e;
}

static void reply_removed(struct reply *reply, const struct removal *r, enum err e)
{
    if (e == OK)
        reply_int(reply, (int64_t)r->removed);
    else if (e == ERR_IO)
        reply_errorf(reply,
                     "MISCONF Errors writing to the AOF file: %s; %zu elements had been removed "
                     "before that",
                     command_log_error(r->env), r->removed);
    else if (r->removed == 0)
        reply_err(reply, e, NULL);
    else
        reply_errorf(reply, "%s %s; %zu elements had been removed before that", err_code(e),
                     err_text(e), r->removed);
}

static void finish(struct removal *r, enum err e)
{
    struct client *client = r->client;
    struct cmd_env *env = r->env;
    if (client != NULL) {
        struct reply reply = {&client->out, client->proto};
        size_t before = client->out.len;
        client->removal = NULL;
        reply_removed(&reply, r, e);
        gate_replies(env, client, before, r->removed > 0);
    }
    removal_free(r);
    if (client != NULL)
        client_unblock(env, client);
}

static struct collection *collection_of(const struct removal *r)
{
    struct collection *c;
    if (db_collection(r->env->db, r->key, &c) != OK || c == NULL || c->uid != r->uid)
        return NULL; /* dropped, and perhaps another one is there: all of it is gone */
    return c;
}

/* One slice of the loop's time. */
static void on_timer(struct io_timer *timer)
{
    struct removal *r = timer->user;
    struct cmd_env *env = r->env;
    struct io *io = env->io;
    if (env->persist != NULL && persist_full(env->persist)) {
        io->ops->timer_start(io, &r->timer, ROOM_WAIT_US);
        return;
    }
    env->db->now_ms = io->ops->wall_us(io) / 1000;
    struct collection *c = collection_of(r);
    bool more = false;
    enum err e = OK;
    if (c != NULL && c->bulk != NULL) {
        io->ops->timer_start(io, &r->timer, ROOM_WAIT_US);
        return;
    }
    if (c != NULL && !mlog_accepts(&env->db->log))
        e = ERR_IO;
    else if (c != NULL)
        e = remove_some(r, c, io->ops->mono_us(io) + SLICE_US, SLICE_IDS, &more);
    if (e == OK && more)
        io->ops->timer_start(io, &r->timer, 0);
    else
        finish(r, e);
}

/* What was searched for is looked at again as each element's turn comes. */
static void take_request(struct removal *r, struct search *s)
{
    r->filter = s->filter;
    r->choice = s->choice;
    s->filter = NULL;
    s->choice = NULL;
}

static void on_found(struct search *s)
{
    struct removal *r = s->user;
    enum err e = s->error;
    take_request(r, s);
    search_free(s);
    if (e != OK) {
        finish(r, e);
        return;
    }
    r->left = (struct bytes_reader){.left = buf_slice(&r->ids)};
    r->timer = (struct io_timer){.fn = on_timer, .user = r};
    r->next = r->env->removals;
    r->link = &r->env->removals;
    if (r->next != NULL)
        r->next->link = &r->next;
    r->env->removals = r;
    r->env->io->ops->timer_start(r->env->io, &r->timer, 0);
}

/* -- the command ------------------------------------------------------------------------------- */

/* NULL when memory is short. */
static struct removal *removal_new(struct request *rq, const struct collection *c, struct slice key)
{
    struct removal *r = mem_try_calloc(MEM_CLIENT, sizeof(*r));
    uint8_t *copy = mem_try(MEM_CLIENT, key.len + 1);
    if (r == NULL || copy == NULL) {
        mem_free(MEM_CLIENT, r);
        mem_free(MEM_CLIENT, copy);
        return NULL;
    }
    if (key.len > 0)
        memcpy(copy, key.ptr, key.len);
    r->env = rq->env;
    r->client = rq->client;
    r->key = (struct slice){copy, key.len};
    r->uid = c->uid;
    r->ids = BUF_INIT(MEM_CLIENT);
    return r;
}

/* In a transaction: all of it now, as a part of its record. */
static void run_here(struct request *rq, struct search *s, struct collection *c)
{
    struct removal *r = s->user;
    search_run_here(s);
    enum err e = s->error;
    take_request(r, s);
    search_free(s);
    r->left = (struct bytes_reader){.left = buf_slice(&r->ids)};
    bool more;
    if (e == OK && r->ids.len > 0)
        e = remove_some(r, c, UINT64_MAX, c->live, &more);
    reply_removed(&rq->reply, r, e);
    removal_free(r);
}

void cmd_vremwhere(struct request *rq)
{
    const struct vremwhere_args *a = rq->args;
    struct why why = {{0}};
    struct collection *c = need_collection(rq, a->key);
    if (c == NULL)
        return;
    struct search *s = search_new(rq->env->db, c, 1);
    struct removal *r = s == NULL ? NULL : removal_new(rq, c, a->key);
    enum err e = r == NULL ? ERR_NOMEM
                           : compile_filter(a->expression, a->has_params ? &a->params : NULL,
                                            &s->filter, &why);
    if (e == OK)
        e = choose_partitions(c, a->key, &a->partitions, a->has_partitions, &s->choice, &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        search_free(s);
        removal_free(r);
        return;
    }
    s->work = run_find;
    s->user = r;
    s->env = rq->env;
    s->done = on_found;
    if (rq->client->flags & CLIENT_IN_EXEC) {
        run_here(rq, s, c);
        return;
    }
    bool here = search_start(s);
    CHECK(!here); /* it has work */
    rq->client->removal = r;
    client_block(rq->env, rq->client);
}
