#include "persist/snapshot_clean.h"

/* owner: snapshot_clean */
struct cleaning {
    const struct manifest *newest, *older; /* older NULL: there is none */
    struct buf manifests, packs;           /* names to be removed, SNAPSHOT_NAME_SIZE each */
};

static bool is_needed(const struct cleaning *c, uint32_t pack)
{
    return manifest_pack(c->newest, pack) != NULL ||
           (c->older != NULL && manifest_pack(c->older, pack) != NULL);
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
        if (lsn != c->newest->lsn && (c->older == NULL || lsn != c->older->lsn))
            note(&c->manifests, name);
    } else if (snapshot_pack_name_parse(name, &id)) {
        if (!is_needed(c, id))
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

void snapshot_clean(struct io *io, const char *dir, const struct manifest *newest)
{
    struct manifest older = {0};
    struct cleaning c = {
        .newest = newest, .manifests = BUF_INIT(MEM_SNAPSHOT), .packs = BUF_INIT(MEM_SNAPSHOT)};
    enum err e = OK;
    CHECK(newest->previous_lsn <= newest->lsn);
    if (newest->previous_lsn > 0) {
        struct why why;
        e = manifest_load(io, dir, newest->previous_lsn, &older, &why);
        if (e == OK)
            c.older = &older;
        else if (e != ERR_NOT_FOUND)
            return; /* whoever looks into it will want its packs */
    }
    e = io->ops->list_dir(io, dir, on_name, &c);
    if (e == OK && c.manifests.len > 0) {
        e = remove_all(io, dir, &c.manifests);
        /* A manifest without its packs would be a loss: it must not come back after them. */
        if (e == OK)
            e = io->ops->sync_dir(io, dir);
    }
    if (e == OK)
        e = remove_all(io, dir, &c.packs);
    buf_fini(&c.manifests);
    buf_fini(&c.packs);
    manifest_fini(&older);
}
