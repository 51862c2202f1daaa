#include "persist/snapshot_clean.h"

enum { KEPT_MAX = 3 };

/* owner: snapshot_clean */
struct cleaning {
    const struct manifest *kept[KEPT_MAX]; /* the newest, the one before, the one that is pinned */
    size_t kept_count;
    struct buf manifests, packs; /* names to be removed, SNAPSHOT_NAME_SIZE each */
};

static bool is_pack_needed(const struct cleaning *c, uint32_t pack)
{
    for (size_t i = 0; i < c->kept_count; i++)
        if (manifest_pack(c->kept[i], pack) != NULL)
            return true;
    return false;
}

static bool is_kept(const struct cleaning *c, uint64_t lsn)
{
    for (size_t i = 0; i < c->kept_count; i++)
        if (c->kept[i]->lsn == lsn)
            return true;
    return false;
}

static void note(struct buf *names, const char *name)
{
    char padded[SNAPSHOT_NAME_SIZE] = {0};
    CHECK(strlen(name) < sizeof(padded));
    memcpy(padded, name, strlen(name));
    buf_append(names, padded, sizeof(padded));
}

static void on_name(void *user, const char *name)
{
    struct cleaning *c = user;
    uint64_t lsn;
    uint32_t id;
    if (snapshot_manifest_name_parse(name, &lsn)) {
        if (!is_kept(c, lsn))
            note(&c->manifests, name);
    } else if (snapshot_pack_name_parse(name, &id)) {
        if (!is_pack_needed(c, id))
            note(&c->packs, name);
    }
}

static enum err remove_all(struct io *io, const char *dir, const struct buf *names)
{
    char path[SNAPSHOT_PATH_SIZE];
    enum err e = OK;
    if (buf_failed(names))
        return ERR_NOMEM;
    CHECK(names->len % SNAPSHOT_NAME_SIZE == 0);
    for (size_t at = 0; at < names->len && e == OK; at += SNAPSHOT_NAME_SIZE) {
        e = snapshot_path(dir, (const char *)names->ptr + at, path);
        if (e == OK)
            e = io->ops->remove(io, path);
    }
    return e;
}

/* One more snapshot that stays. False: it cannot be read, and whoever looks into that will want its
 * packs. */
static bool keep(struct cleaning *c, struct io *io, const char *dir, uint64_t lsn,
                 struct manifest *room)
{
    struct why why;
    if (is_kept(c, lsn))
        return true;
    enum err e = manifest_load(io, dir, lsn, room, &why);
    if (e == OK)
        c->kept[c->kept_count++] = room;
    return e == OK || e == ERR_NOT_FOUND;
}

static void clean(struct cleaning *c, struct io *io, const char *dir)
{
    enum err e = io->ops->list_dir(io, dir, on_name, c);
    if (e == OK && c->manifests.len > 0) {
        e = remove_all(io, dir, &c->manifests);
        /* A manifest without its packs would be a loss: it must not come back after them. */
        if (e == OK)
            e = io->ops->sync_dir(io, dir);
    }
    if (e == OK)
        e = remove_all(io, dir, &c->packs);
    (void)e; /* the next one goes on */
}

void snapshot_clean(struct io *io, const char *dir, const struct manifest *newest,
                    uint64_t pinned_lsn)
{
    struct manifest older = {0}, pinned = {0};
    struct cleaning c = {.kept = {newest},
                         .kept_count = 1,
                         .manifests = BUF_INIT(MEM_SNAPSHOT),
                         .packs = BUF_INIT(MEM_SNAPSHOT)};
    CHECK(newest->previous_lsn <= newest->lsn);
    if ((newest->previous_lsn == 0 || keep(&c, io, dir, newest->previous_lsn, &older)) &&
        (pinned_lsn == UINT64_MAX || keep(&c, io, dir, pinned_lsn, &pinned)))
        clean(&c, io, dir);
    buf_fini(&c.manifests);
    buf_fini(&c.packs);
    manifest_fini(&older);
    manifest_fini(&pinned);
}
