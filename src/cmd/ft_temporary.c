#include "cmd/ft_temporary.h"

#include "db/indexes.h"

enum {
    SCANNED = 16, /* places of the map of documents at a time */
    KEYS_MAX = 256,
    STEPS = 128 /* in one record */
};

static bool is_over(struct key_index *x)
{
    if (x->spec->idle_ms == 0 || x->ends)
        return x->ends;
    if (x->used_ms == 0 ||
        x->used_ms > x->db->now_ms) /* after a start; the clock was turned back */
        x->used_ms = x->db->now_ms;
    return x->db->now_ms - x->used_ms >= x->spec->idle_ms;
}

static struct key_index *first_over(struct db *db)
{
    struct key_index *x = db->indexes;
    while (x != NULL && !is_over(x))
        x = x->next;
    return x;
}

bool ft_temporary_is_due(struct db *db)
{
    return first_over(db) != NULL;
}

struct keys {
    struct collection_view view;
    struct slice items[KEYS_MAX];
    size_t count;
};

static void list_key(void *user, uint32_t row)
{
    struct keys *keys = user;
    if (keys->count < KEYS_MAX) /* another round has the others */
        keys->items[keys->count++] = view_id(&keys->view, row);
}

/* A few of its documents; then, if there are none left, the index. */
static enum err end_step(struct cmd_env *env, struct key_index *x)
{
    struct db *db = env->db;
    struct keys keys = {.count = 0};
    uint64_t lsn, guard = epoch_enter(&db->epoch);
    enum err e = OK;
    db_view(db, x->docs, &keys.view);
    x->end_at = map_scan(&x->docs->ids, x->end_at, SCANNED, list_key, &keys);
    for (size_t i = 0; i < keys.count && e == OK; i++) {
        struct mutation gone = {.kind = MUTATION_KEY_REMOVE, .key = keys.items[i]};
        if (keyspace_get(&db->keys, keys.items[i]) != NULL)
            e = db_write(db, &gone, &lsn, NULL);
    }
    struct mutation m = {.kind = MUTATION_INDEX_REMOVE, .key = x->spec->name};
    if (e == OK && x->docs->live == 0)
        e = db_write(db, &m, &lsn, NULL);
    epoch_leave(&db->epoch, guard);
    return e;
}

enum err ft_temporary_end_some(struct cmd_env *env, uint64_t until_us)
{
    struct io *io = env->io;
    struct key_index *x = first_over(env->db);
    enum err e = OK;
    for (unsigned i = 0; e == OK && x != NULL && i < STEPS; i++) {
        x->ends = true; /* whoever asks for it now gets no part of it */
        e = end_step(env, x);
        x = e == OK && io->ops->mono_us(io) < until_us ? first_over(env->db) : NULL;
    }
    return e;
}
