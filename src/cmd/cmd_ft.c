/* Indexes over keys: FT.CREATE, FT.ALTER, aliases, FT.DROPINDEX, FT._LIST, FT.EXPLAIN,
 * FT.EXPLAINCLI. */
#include "cmd/ft.h"
#include "cmd/keys.h"

void ft_reply_error(struct reply *r, enum err e, const struct why *why)
{
    if (why->text[0] == '\0')
        reply_err(r, e, NULL);
    else
        reply_error(r, why->text);
}

struct key_index *ft_index(struct request *rq, struct slice name)
{
    struct key_index *x = indexes_find(rq->env->db, name);
    int shown = (int)(name.len < 64 ? name.len : 64);
    if (x != NULL && x->ends)
        x = NULL;
    if (x != NULL)
        x->used_ms = rq->env->db->now_ms;
    /* Clients look for either half of this. */
    if (x == NULL)
        reply_errorf(&rq->reply, "Unknown index name: %.*s: no such index", shown,
                     (const char *)name.ptr);
    return x;
}

/* What became of a change: errors in RediSearch's words where there are some. */
static void reply_written(struct request *rq, enum err e, uint64_t lsn, const struct why *why)
{
    if (e != OK && why->text[0] != '\0')
        ft_reply_error(&rq->reply, e, why);
    else if (written(rq, e, lsn, why))
        reply_simple(&rq->reply, "OK");
}

void cmd_ft_create(struct request *rq)
{
    const struct ft_create_args *a = rq->args;
    struct why why = {{0}};
    uint64_t lsn = 0;
    struct mutation m = {.kind = MUTATION_INDEX_NEW,
                         .key = a->index,
                         .ids = a->words.items,
                         .count = a->words.count};
    enum err e = db_write(rq->env->db, &m, &lsn, &why);
    if (e == OK)
        indexes_hurry(rq->env->db, a->index);
    reply_written(rq, e, lsn, &why);
}

/* -- FT.ALTER ---------------------------------------------------------------------------------- */

void cmd_ft_alter(struct request *rq)
{
    const struct ft_alter_args *a = rq->args;
    struct why why = {{0}};
    uint64_t lsn = 0;
    struct ft_words w = {a->words.items, 0, a->words.count, &why};
    struct key_index *x = ft_index(rq, a->index);
    if (x == NULL)
        return;
    enum err e = OK;
    (void)ft_words_next_is(&w, "SKIPINITIALSCAN"); /* documents are read again in any case */
    if (!ft_words_next_is(&w, "SCHEMA"))
        e = why_set(&why, ERR_ARG, "ALTER must be followed by SCHEMA");
    else if (!ft_words_next_is(&w, "ADD"))
        e = why_set(&why, ERR_ARG, "Unknown action passed to ALTER SCHEMA");
    else if (w.at == w.end)
        e = why_set(&why, ERR_ARG, "No fields provided");
    struct mutation m = {.kind = MUTATION_INDEX_ALTER,
                         .key = x->spec->name,
                         .ids = w.items + w.at,
                         .count = w.end - w.at};
    if (e == OK)
        e = db_write(rq->env->db, &m, &lsn, &why);
    if (e == OK)
        indexes_hurry(rq->env->db, m.key);
    reply_written(rq, e, lsn, &why);
}

/* -- aliases ----------------------------------------------------------------------------------- */

static void set_alias(struct request *rq, struct slice alias, struct slice index)
{
    struct why why = {{0}};
    uint64_t lsn = 0;
    struct mutation m = {.kind = MUTATION_ALIAS_SET, .key = alias, .new_key = index};
    enum err e = db_write(rq->env->db, &m, &lsn, &why);
    reply_written(rq, e, lsn, &why);
}

void cmd_ft_aliasadd(struct request *rq)
{
    const struct ft_aliasadd_args *a = rq->args;
    if (indexes_find(rq->env->db, a->alias) != NULL)
        reply_error(&rq->reply, "Alias already exists");
    else
        set_alias(rq, a->alias, a->index);
}

void cmd_ft_aliasupdate(struct request *rq)
{
    const struct ft_aliasupdate_args *a = rq->args;
    set_alias(rq, a->alias, a->index);
}

void cmd_ft_aliasdel(struct request *rq)
{
    const struct ft_aliasdel_args *a = rq->args;
    struct why why = {{0}};
    uint64_t lsn = 0;
    struct mutation m = {.kind = MUTATION_ALIAS_REMOVE, .key = a->alias};
    enum err e = db_write(rq->env->db, &m, &lsn, &why);
    reply_written(rq, e, lsn, &why);
}

/* -- FT.DROPINDEX ------------------------------------------------------------------------------ */

struct keys {
    struct slice *items;
    size_t count;
};

struct id_walk {
    struct keys *keys;
    size_t room;
    struct collection_view view;
};

static void list_key(void *user, uint32_t row)
{
    struct id_walk *walk = user;
    CHECK(walk->keys->count < walk->room); /* the map does not change: each comes once */
    walk->keys->items[walk->keys->count++] = view_id(&walk->view, row);
}

/* The keys of all documents. Their bytes stay where they are under a guard. */
static enum err list_documents(struct key_index *x, struct keys *out)
{
    struct id_walk walk = {.keys = out, .room = x->docs->live + 1};
    out->count = 0;
    out->items = mem_try(MEM_SCRATCH, (x->docs->live + 1) * sizeof(*out->items));
    if (out->items == NULL)
        return ERR_NOMEM;
    db_view(x->db, x->docs, &walk.view);
    uint64_t cursor = 0;
    do {
        cursor = map_scan(&x->docs->ids, cursor, 1024, list_key, &walk);
    } while (cursor != 0);
    return OK;
}

static void drop_index(struct request *rq, struct slice index, bool documents)
{
    struct db *db = rq->env->db;
    struct why why = {{0}};
    struct keys keys = {0};
    struct key_index *x = ft_index(rq, index);
    uint64_t lsn = rq->client->last_lsn;
    size_t removed;
    if (x == NULL)
        return;
    uint64_t guard = epoch_enter(&db->epoch);
    enum err e = documents ? list_documents(x, &keys) : OK;
    if (e == OK && keys.count > 0)
        e = db_remove_keys(db, keys.items, keys.count, &removed, &lsn, &why);
    mem_free(MEM_SCRATCH, keys.items);
    struct mutation m = {.kind = MUTATION_INDEX_REMOVE, .key = x->spec->name};
    if (e == OK)
        e = db_write(db, &m, &lsn, &why);
    epoch_leave(&db->epoch, guard);
    if (written(rq, e, lsn, &why))
        reply_simple(&rq->reply, "OK");
}

void cmd_ft_dropindex(struct request *rq)
{
    const struct ft_dropindex_args *a = rq->args;
    drop_index(rq, a->index, a->documents);
}

/* Clients of RediSearch 1, redis-py 4 too, say an empty word for no KEEPDOCS. */
void cmd_ft_drop(struct request *rq)
{
    const struct ft_drop_args *a = rq->args;
    struct slice word = a->words.count > 0 ? a->words.items[0] : (struct slice){0};
    bool keep = slice_eq_nocase(word, "KEEPDOCS");
    if (a->words.count > 1 || (word.len > 0 && !keep)) {
        struct why why = {{0}};
        reply_err(&rq->reply,
                  why_set(&why, ERR_ARG, "FT.DROP takes an index, and KEEPDOCS or nothing"), &why);
        return;
    }
    drop_index(rq, a->index, !keep);
}

/* -- reading ----------------------------------------------------------------------------------- */

void cmd_ft_list(struct request *rq)
{
    size_t count = 0;
    for (const struct key_index *x = rq->env->db->indexes; x != NULL; x = x->next)
        count += !x->ends;
    reply_set(&rq->reply, count);
    for (const struct key_index *x = rq->env->db->indexes; x != NULL; x = x->next)
        if (!x->ends)
            reply_bulk(&rq->reply, x->spec->name);
}

/* The tree of a query as text. */
static enum err explain(struct slice text, const struct slices *words, const struct config *config,
                        struct buf *out, struct why *why)
{
    struct ft_options options;
    struct ft_query query;
    enum err e = ft_options_read(words, config, &options, why);
    if (e != OK)
        return e;
    e = query_parse(text, options.dialect, options.params, options.param_count, &query, why);
    ft_options_fini(&options);
    if (e == OK)
        query_print(&query, out);
    query_fini(&query);
    return e;
}

void cmd_ft_explain(struct request *rq)
{
    const struct ft_explain_args *a = rq->args;
    struct why why = {{0}};
    struct buf text = BUF_INIT(MEM_CLIENT);
    if (ft_index(rq, a->index) == NULL)
        return;
    enum err e = explain(a->query, &a->words, rq->env->config, &text, &why);
    if (e == OK)
        reply_gathered(&rq->reply, &text);
    else
        ft_reply_error(&rq->reply, e, &why);
    buf_fini(&text);
}

static void reply_lines(struct reply *r, struct slice text)
{
    size_t lines = 0;
    for (size_t i = 0; i < text.len; i++)
        lines += text.ptr[i] == '\n';
    reply_array(r, lines);
    for (size_t start = 0, i = 0; i < text.len; i++) {
        if (text.ptr[i] != '\n')
            continue;
        reply_bulk(r, (struct slice){text.ptr + start, i - start});
        start = i + 1;
    }
}

void cmd_ft_explaincli(struct request *rq)
{
    const struct ft_explaincli_args *a = rq->args;
    struct why why = {{0}};
    struct buf text = BUF_INIT(MEM_CLIENT);
    if (ft_index(rq, a->index) == NULL)
        return;
    enum err e = explain(a->query, &a->words, rq->env->config, &text, &why);
    if (e == OK && buf_failed(&text))
        e = ERR_NOMEM;
    if (e == OK)
        reply_lines(&rq->reply, buf_slice(&text));
    else
        ft_reply_error(&rq->reply, e, &why);
    buf_fini(&text);
}
