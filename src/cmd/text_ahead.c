#include "cmd/text_ahead.h"

#include "cmd/env.h"
#include "cmd/multi.h"
#include "db/documents.h"
#include "db/index_text.h"
#include "json/parse.h"

enum {
    TEXT_MIN = 4 * 1024, /* bytes; shorter ones take a quarter of a millisecond at most */
    TEXTS_MAX = 32,      /* of one command; further ones are read as documents are put */
    SLICE_US = 300
};

/* The texts of one command. owner: the client */
struct texts_ahead {
    struct cmd_env *env;
    struct client *client;
    struct io_timer timer;
    struct index_ahead *items[TEXTS_MAX];
    size_t count, done;
};

/* -- which texts ------------------------------------------------------------------------------- */

static void add(struct texts_ahead *t, struct key_index *x, const struct index_field *f,
                struct slice text)
{
    if (text.len < TEXT_MIN || t->count == TEXTS_MAX)
        return;
    struct index_ahead *a = index_ahead_new(x, f, text);
    if (a != NULL)
        t->items[t->count++] = a;
}

static bool is_read(const struct index_field *f)
{
    return f->kind == INDEX_TEXT && !f->no_index;
}

/* A value and the word before it, which may be the name of its field. */
static void add_value(struct texts_ahead *t, struct key_index *x, struct slice name,
                      struct slice value)
{
    for (size_t i = 0; i < x->spec->field_count; i++)
        if (is_read(&x->spec->fields[i]) && slice_eq(x->spec->fields[i].path, name))
            add(t, x, &x->spec->fields[i], value);
}

/* All texts of a document, which is as it is kept. */
static void add_document(struct texts_ahead *t, struct key_index *x, struct slice document)
{
    struct buf room = BUF_INIT(MEM_SCRATCH);
    struct why why = {{0}};
    struct slice text;
    bool there;
    for (size_t i = 0; i < x->spec->field_count; i++) {
        const struct index_field *f = &x->spec->fields[i];
        if (is_read(f) && document_field(f, document, &room, &text, &there, &why) == OK && there)
            add(t, x, f, text);
    }
    buf_fini(&room);
}

static void add_of_index(struct texts_ahead *t, const struct request *rq, struct key_index *x,
                         struct slice document)
{
    enum { FIRST_VALUE = 3 };
    if (x->text == NULL || !index_spec_covers(x->spec, rq->argv[1]))
        return;
    if (x->spec->on_json) {
        if (document.len > 0)
            add_document(t, x, document);
        return;
    }
    for (size_t i = FIRST_VALUE; rq->command->group == GROUP_HASH && i < rq->argc; i++)
        if (rq->argv[i].len >= TEXT_MIN)
            add_value(t, x, rq->argv[i - 1], rq->argv[i]);
}

static bool is_long(const struct request *rq)
{
    enum { WORDS_LOOKED_AT = 256 };
    size_t end = rq->argc < WORDS_LOOKED_AT ? rq->argc : WORDS_LOOKED_AT;
    for (size_t i = 3; i < end; i++)
        if (rq->argv[i].len >= TEXT_MIN)
            return true;
    return false;
}

static bool sets_document(const struct request *rq)
{
    enum { PATH = 2 };
    return slice_eq_nocase(slice_of(rq->command->name), "JSON.SET") &&
           (slice_eq(rq->argv[PATH], slice_of("$")) || slice_eq(rq->argv[PATH], slice_of(".")));
}

/* The document that JSON.SET is about to make, if an index reads its texts. Empty: there is none,
 * or the command will say what is wrong with it. */
static void read_document(const struct request *rq, struct buf *out)
{
    enum { DOCUMENT = 3 };
    const struct key_index *x = rq->env->db->indexes;
    struct why why = {{0}};
    while (x != NULL &&
           !(x->text != NULL && x->spec->on_json && index_spec_covers(x->spec, rq->argv[1])))
        x = x->next;
    if (x != NULL && sets_document(rq) &&
        jparse(rq->argv[DOCUMENT], rq->env->db->env.hash_seed, out, &why) != OK)
        buf_clear(out, SIZE_MAX);
}

static struct texts_ahead *texts_of(const struct request *rq)
{
    struct buf document = BUF_INIT(MEM_SCRATCH);
    struct texts_ahead *t = mem_try_calloc(MEM_CLIENT, sizeof(*t));
    if (t == NULL)
        return NULL;
    t->env = rq->env;
    t->client = rq->client;
    read_document(rq, &document);
    for (struct key_index *x = rq->env->db->indexes; x != NULL; x = x->next)
        add_of_index(t, rq, x, buf_slice(&document));
    buf_fini(&document);
    return t;
}

/* -- reading them ------------------------------------------------------------------------------ */

static void free_texts(struct texts_ahead *t)
{
    t->env->io->ops->timer_stop(t->env->io, &t->timer);
    for (size_t i = 0; i < t->count; i++)
        index_ahead_free(t->items[i]);
    mem_free(MEM_CLIENT, t);
}

static void on_slice(struct io_timer *timer)
{
    struct texts_ahead *t = timer->user;
    struct io *io = t->env->io;
    uint64_t start = io->ops->mono_us(io);
    while (t->done < t->count && io->ops->mono_us(io) - start < SLICE_US)
        t->done += index_ahead_step(t->items[t->done]);
    latency_note(t->env, LATENCY_SLICE, io->ops->mono_us(io) - start);
    if (t->done < t->count) {
        io->ops->timer_start(io, timer, 0);
        return;
    }
    t->client->waits_for_text = false;
    client_unblock(t->env, t->client);
}

bool text_ahead_takes(struct request *rq)
{
    const struct command *c = rq->command;
    struct client *client = rq->client;
    if (rq->env->db->indexes == NULL || !(c->flags & CMD_WRITE) || client->text_ahead != NULL ||
        (c->group != GROUP_HASH && c->group != GROUP_JSON) || multi_takes(rq) || !is_long(rq))
        return false;
    struct texts_ahead *t = texts_of(rq);
    if (t == NULL || t->count == 0) {
        if (t != NULL)
            free_texts(t);
        return false;
    }
    client->text_ahead = t;
    client->waits_for_text = client->retry = true;
    client_block(rq->env, client);
    t->timer = (struct io_timer){.fn = on_slice, .user = t};
    rq->env->io->ops->timer_start(rq->env->io, &t->timer, 0);
    return true;
}

void text_ahead_end(struct client *client)
{
    if (client->text_ahead != NULL)
        free_texts(client->text_ahead);
    client->text_ahead = NULL;
}

void text_ahead_forget(struct client *client)
{
    client->waits_for_text = false;
    text_ahead_end(client);
}
