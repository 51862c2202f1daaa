#include "db/flush.h"

#include "db/db.h"

enum {
    KEYS_MIN = 2000, /* fewer are freed at once */
    SLICE_US = 300,
    LOOK_EVERY = 256 /* keys between two looks at the clock */
};

/* owner: the db, until the last key is freed */
struct dead_keys {
    struct dead_keys *next;
    struct keyspace keys;
    uint32_t at;  /* places before this one are freed */
    size_t bytes; /* of what is left, about; part of struct retired */
};

/* Frees some places; returns whether these were the last. */
static bool free_places(struct db *db, struct dead_keys *dead, uint32_t count)
{
    struct keyspace *ks = &dead->keys;
    for (; count > 0 && dead->at < ks->used; count--, dead->at++) {
        struct object *o = ks->objects[dead->at];
        if (o == NULL)
            continue;
        CHECK(o->type != OBJECT_COLLECTION && o->hold == OBJECT_LOOSE);
        size_t size = mem_size(o) + object_large_bytes(o);
        size = size < dead->bytes ? size : dead->bytes;
        dead->bytes -= size;
        db->background.retired->bytes -= size;
        flush_large(db, o);
        object_free(o);
    }
    return dead->at == ks->used;
}

static void end_dead(struct db *db)
{
    struct dead_keys *dead = db->dead;
    CHECK(dead->at == dead->keys.used && db->background.retired->bytes >= dead->bytes);
    db->background.retired->bytes -= dead->bytes;
    db->dead = dead->next;
    dead->keys.used = 0; /* its objects are gone */
    keyspace_fini(&dead->keys);
    mem_free(MEM_KEYSPACE, dead);
}

/* Returns whether there are more. */
static bool bury_some(struct db *db, unsigned nodes)
{
    size_t before = db->graves.bytes;
    bool more = tree_bury_some(&db->graves, nodes);
    CHECK(db->graves.bytes <= before && db->background.retired->bytes >= before - db->graves.bytes);
    db->background.retired->bytes -= before - db->graves.bytes;
    return more;
}

static void on_slice(struct io_timer *timer)
{
    struct db *db = timer->user;
    struct io *io = db->io;
    uint64_t start = io->ops->mono_us(io);
    bool more = true;
    while (more && io->ops->mono_us(io) - start < SLICE_US) {
        if (db->dead != NULL && free_places(db, db->dead, LOOK_EVERY))
            end_dead(db);
        more = bury_some(db, LOOK_EVERY / 4) || db->dead != NULL;
    }
    if (more)
        io->ops->timer_start(io, timer, 0);
}

static void start_slices(struct db *db)
{
    db->dead_timer.fn = on_slice;
    db->dead_timer.user = db;
    db->io->ops->timer_start(db->io, &db->dead_timer, 0);
}

void flush_tree(struct db *db, struct tree *t)
{
    size_t before = db->graves.bytes;
    tree_bury(&db->graves, t);
    db->background.retired->bytes += db->graves.bytes - before;
    if (db->graves.bytes > before)
        start_slices(db);
}

void flush_cut(struct db *db, struct tree_graves *cut)
{
    if (cut->first == NULL)
        return;
    db->background.retired->bytes += cut->bytes;
    tree_graves_take(&db->graves, cut);
    start_slices(db);
}

void flush_large(struct db *db, struct object *o)
{
    if (!o->is_large)
        return;
    flush_tree(db, &o->large->tree);
    flush_tree(db, &o->large->members);
    object_drop_large(o);
}

bool flush_keys(struct db *db)
{
    struct keyspace *ks = &db->keys;
    if (ks->collections > 0 || ks->watch != NULL || keyspace_count(ks) < KEYS_MIN)
        return false;
    struct dead_keys *dead = mem_try_calloc(MEM_KEYSPACE, sizeof(*dead));
    if (dead == NULL)
        return false;
    dead->keys = *ks;
    dead->bytes = mem_used(MEM_KEYSPACE);
    for (struct dead_keys *other = db->dead; other != NULL; other = other->next)
        dead->bytes -= other->bytes < dead->bytes ? other->bytes : dead->bytes;
    db->background.retired->bytes += dead->bytes;
    dead->next = db->dead;
    db->dead = dead;
    keyspace_init(ks, dead->keys.hash_seed);
    ks->access = dead->keys.access;
    start_slices(db);
    return true;
}

void flush_finish(struct db *db)
{
    db->io->ops->timer_stop(db->io, &db->dead_timer);
    while (db->dead != NULL) {
        (void)free_places(db, db->dead, UINT32_MAX);
        end_dead(db);
    }
    while (bury_some(db, UINT32_MAX / 2))
        continue;
}
