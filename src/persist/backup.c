#include "persist/backup.h"

#include <inttypes.h>

#include "base/crc32c.h"
#include "persist/log_files.h"
#include "persist/log_writer.h"
#include "persist/snapshot_files.h"

enum { READ_SIZE = 1 << 20 };

static const struct backup_current no_current = {.sequence = 0};

void backup_init(struct backup *b, struct io *io, struct object_store *store, const char *dir,
                 const char *run_id)
{
    CHECK(strlen(run_id) == BACKUP_OWNER_SIZE);
    *b = (struct backup){.io = io, .store = store, .dir = dir};
    memcpy(b->owner, run_id, BACKUP_OWNER_SIZE);
}

void backup_fini(struct backup *b)
{
    backup_contents_fini(&b->contents);
}

/* -- opening ----------------------------------------------------------------------------------- */

/* What the folder is; it becomes a dataset with its first contact to a store. */
static enum err find_dataset(struct backup *b, struct why *why)
{
    enum err e = backup_read_dataset(b->io, b->dir, &b->dataset, why);
    if (e != ERR_NOT_FOUND)
        return e;
    backup_new_dataset(b->io, &b->dataset);
    return backup_write_dataset(b->io, b->dir, &b->dataset, why);
}

/* May this folder go on with what is there? */
static enum err check_current(const struct backup *b, const struct backup_current *c,
                              struct why *why)
{
    bool ours = strcmp(c->dataset, b->dataset.id) == 0;
    bool parents = b->dataset.parent[0] != '\0' && strcmp(c->dataset, b->dataset.parent) == 0;
    if (ours || parents)
        return OK;
    return why_set(why, ERR_EXISTS,
                   "the object store has the backups of another server (dataset %s, this one is "
                   "%s): give each server a prefix of its own",
                   c->dataset, b->dataset.id);
}

/* What the store has of this dataset, the server has had. */
static enum err check_reach(const struct backup *b, const struct backup_current *c,
                            uint64_t last_lsn, struct why *why)
{
    const struct backup_contents *there = &b->contents;
    bool same = strcmp(c->dataset, b->dataset.id) == 0;
    uint64_t reaches = same ? c->log_lsn : 0;
    if (there->list_count > 0 && there->lists[there->list_count - 1].lsn > reaches)
        reaches = there->lists[there->list_count - 1].lsn;
    if (reaches <= last_lsn)
        return OK;
    return why_set(why, ERR_EXISTS,
                   "the object store reaches LSN %" PRIu64 ", and the folder only %" PRIu64
                   ": it is an old copy; restore, or use another prefix",
                   reaches, last_lsn);
}

/* Says in the store that it is ours from now on. */
static enum err take(struct backup *b, const struct backup_current *found, struct why *why)
{
    bool same = strcmp(found->dataset, b->dataset.id) == 0;
    b->current = same ? *found : no_current;
    b->current.sequence = found->sequence;
    memcpy(b->current.dataset, b->dataset.id, sizeof(b->current.dataset));
    memcpy(b->current.owner, b->owner, sizeof(b->current.owner));
    if (b->contents.list_count > 0) {
        b->current.has_backup = true;
        b->current.backup_lsn = b->contents.lists[b->contents.list_count - 1].lsn;
    }
    b->changed = true;
    struct buf text = BUF_INIT(MEM_SNAPSHOT);
    b->current.sequence++;
    b->current.wall_ms = b->io->ops->wall_us(b->io) / 1000;
    backup_current_print(&b->current, &text);
    enum err e = b->store->ops->put(b->store, BACKUP_CURRENT, buf_slice(&text), why);
    buf_fini(&text);
    b->changed = e != OK;
    return e;
}

enum err backup_open(struct backup *b, uint64_t last_lsn, struct why *why)
{
    struct backup_current found = no_current;
    b->opened = false;
    backup_contents_fini(&b->contents);
    enum err e = find_dataset(b, why);
    if (e == OK)
        e = backup_get_current(b->store, &found, why);
    if (e == OK)
        e = check_current(b, &found, why);
    else if (e == ERR_NOT_FOUND)
        e = OK;
    if (e == OK)
        e = b->store->ops->clean(b->store, why);
    if (e == OK)
        e = backup_read_contents(b->store, b->dataset.id, &b->contents, why);
    if (e == OK)
        e = check_reach(b, &found, last_lsn, why);
    if (e == OK)
        e = take(b, &found, why);
    b->opened = e == OK;
    return e;
}

/* -- sending ----------------------------------------------------------------------------------- */

static struct backup_name name_of(const struct backup *b, enum backup_kind kind, uint32_t id,
                                  uint64_t lsn)
{
    struct backup_name n = {.kind = kind, .id = id, .lsn = lsn};
    memcpy(n.dataset, b->dataset.id, sizeof(n.dataset));
    return n;
}

static enum err put_file(struct backup *b, const struct backup_name *name, const char *file,
                         uint64_t size, struct why *why)
{
    char object[BACKUP_NAME_SIZE], path[SNAPSHOT_PATH_SIZE];
    backup_name_print(name, object);
    enum err e = snapshot_path(b->dir, file, path);
    if (e == OK)
        e = b->store->ops->put_file(b->store, object, path, why);
    if (e != OK)
        return e;
    b->uploaded_bytes += size;
    b->uploaded_objects++;
    return OK;
}

static enum err put_text(struct backup *b, const struct backup_name *name, const struct buf *text,
                         struct why *why)
{
    char object[BACKUP_NAME_SIZE];
    backup_name_print(name, object);
    if (buf_failed(text))
        return ERR_NOMEM;
    enum err e = b->store->ops->put(b->store, object, buf_slice(text), why);
    if (e != OK)
        return e;
    b->uploaded_bytes += text->len;
    b->uploaded_objects++;
    return OK;
}

/* -- snapshots --------------------------------------------------------------------------------- */

static enum err file_crc(struct io_file *file, uint64_t size, uint32_t *out)
{
    uint8_t *block = mem_try(MEM_SCRATCH, READ_SIZE);
    if (block == NULL)
        return ERR_NOMEM;
    enum err e = OK;
    size_t got = READ_SIZE;
    *out = 0;
    for (uint64_t at = 0; at < size && e == OK && got > 0; at += got) {
        e = file->io->ops->file_read(file, at, block, READ_SIZE, &got);
        *out = crc32c_extend(*out, block, got);
    }
    mem_free(MEM_SCRATCH, block);
    return e;
}

/* Has an earlier run, which did not come to its end, sent the same bytes under this name? */
static bool was_sent(struct backup *b, const char *object, struct io_file *file, uint64_t size)
{
    struct object_info info;
    uint32_t crc;
    return b->store->ops->head(b->store, object, &info, NULL) == OK && info.size == size &&
           info.has_crc32c && file_crc(file, size, &crc) == OK && crc == info.crc32c;
}

/* Is the pack named by a backup in the store? Then it is there, and as it should be. */
static bool is_named(const struct backup *b, const struct backup_pack *pack)
{
    for (size_t i = b->contents.list_count; i > 0; i--)
        if (backup_list_has(&b->contents.lists[i - 1], pack))
            return true;
    return false;
}

/* The LSN of the snapshot that wrote it stands in its header. */
static enum err read_pack_lsn(struct io_file *file, const char *path, uint32_t id, uint64_t *lsn,
                              struct why *why)
{
    uint8_t header[PACK_HEADER_SIZE];
    size_t got = 0;
    uint32_t found;
    enum err e = file->io->ops->file_read(file, 0, header, sizeof(header), &got);
    if (e != OK)
        return why_set(why, e, "cannot read %s: %s", path, err_text(e));
    if (got < sizeof(header) || pack_header_get(header, &found, lsn, NULL) != OK || found != id)
        return why_set(why, ERR_CORRUPT, "%s: its header is damaged", path);
    return OK;
}

static enum err push_pack(struct backup *b, const struct manifest_pack *pack,
                          struct backup_pack *out, struct why *why)
{
    char file[SNAPSHOT_NAME_SIZE], path[SNAPSHOT_PATH_SIZE], object[BACKUP_NAME_SIZE];
    struct io_file *f;
    snapshot_pack_name(pack->id, file);
    enum err e = snapshot_path(b->dir, file, path);
    if (e == OK)
        e = b->io->ops->file_open(b->io, path, IO_READ, &f, why);
    if (e != OK)
        return e;
    *out = (struct backup_pack){.id = pack->id, .size = pack->size};
    e = read_pack_lsn(f, path, pack->id, &out->lsn, why);
    struct backup_name name = name_of(b, BACKUP_PACK, pack->id, out->lsn);
    backup_name_print(&name, object);
    bool there = e != OK || is_named(b, out) || was_sent(b, object, f, pack->size);
    b->io->ops->file_close(f);
    return there ? e : put_file(b, &name, file, pack->size, why);
}

/* Puts the list behind the others: LSNs rise. */
static enum err note_list(struct backup *b, struct backup_list *list)
{
    struct backup_contents *c = &b->contents;
    CHECK(c->list_count == 0 || c->lists[c->list_count - 1].lsn < list->lsn);
    struct backup_list *longer =
        mem_try_realloc(MEM_SNAPSHOT, c->lists, (c->list_count + 1) * sizeof(*c->lists));
    if (longer == NULL)
        return ERR_NOMEM;
    c->lists = longer;
    c->lists[c->list_count++] = *list;
    *list = (struct backup_list){.lsn = 0};
    return OK;
}

static enum err push_files(struct backup *b, const struct manifest *m, uint64_t manifest_size,
                           struct backup_list *list, struct why *why)
{
    char file[SNAPSHOT_NAME_SIZE];
    enum err e = OK;
    for (uint32_t i = 0; i < m->pack_count && e == OK; i++) {
        e = push_pack(b, &m->packs[i], &list->packs[i], why);
        list->pack_count += e == OK;
    }
    struct backup_name name = name_of(b, BACKUP_MANIFEST, 0, m->lsn);
    snapshot_manifest_name(m->lsn, file);
    if (e == OK)
        e = put_file(b, &name, file, manifest_size, why);
    return e;
}

/* Packs, then the manifest, then the list that makes it a backup. */
static enum err push_manifest(struct backup *b, const struct manifest *m, uint64_t manifest_size,
                              struct why *why)
{
    struct backup_list list = {
        .lsn = m->lsn, .wall_ms = m->wall_ms, .manifest_size = manifest_size};
    struct buf text = BUF_INIT(MEM_SNAPSHOT);
    memcpy(list.dataset, b->dataset.id, sizeof(list.dataset));
    if (m->pack_count > BACKUP_PACKS_MAX)
        return why_set(why, ERR_LIMIT, "a backup has at most %d packs", BACKUP_PACKS_MAX);
    list.packs = mem_try_calloc(MEM_SNAPSHOT, (m->pack_count + 1) * sizeof(*list.packs));
    enum err e = list.packs == NULL ? ERR_NOMEM : push_files(b, m, manifest_size, &list, why);
    if (e == OK) {
        struct backup_name name = name_of(b, BACKUP_LIST, 0, m->lsn);
        backup_list_print(&list, &text);
        e = put_text(b, &name, &text, why);
    }
    if (e == OK)
        e = note_list(b, &list);
    b->changed = b->changed || e == OK;
    buf_fini(&text);
    backup_list_fini(&list);
    return e;
}

static enum err size_of(struct backup *b, const char *file, uint64_t *out, struct why *why)
{
    char path[SNAPSHOT_PATH_SIZE];
    struct io_file *f;
    enum err e = snapshot_path(b->dir, file, path);
    if (e == OK)
        e = b->io->ops->file_open(b->io, path, IO_READ, &f, why);
    if (e != OK)
        return e;
    e = b->io->ops->file_size(f, out);
    b->io->ops->file_close(f);
    return e;
}

enum err backup_push_snapshot(struct backup *b, uint64_t lsn, struct why *why)
{
    CHECK(b->opened);
    const struct backup_contents *c = &b->contents;
    struct manifest m;
    char file[SNAPSHOT_NAME_SIZE];
    uint64_t size;
    if (c->list_count > 0 && c->lists[c->list_count - 1].lsn >= lsn)
        return OK;
    snapshot_manifest_name(lsn, file);
    enum err e = size_of(b, file, &size, why);
    if (e == OK)
        e = manifest_load(b->io, b->dir, lsn, &m, why);
    if (e != OK)
        return e;
    e = push_manifest(b, &m, size, why);
    manifest_fini(&m);
    return e;
}

/* -- the log ----------------------------------------------------------------------------------- */

/* Is it there already, as long as it is here? */
static bool has_segment(const struct backup *b, const struct log_file *f)
{
    for (size_t i = 0; i < b->contents.segment_count; i++) {
        const struct backup_segment *s = &b->contents.segments[i];
        if (s->generation == f->generation && s->first_lsn == f->first_lsn)
            return s->size == f->size;
    }
    return false;
}

/* Keeps the order of the log: by generation, then by LSN. */
static enum err note_segment(struct backup *b, const struct log_file *f)
{
    struct backup_contents *c = &b->contents;
    struct backup_segment *longer =
        mem_try_realloc(MEM_SNAPSHOT, c->segments, (c->segment_count + 1) * sizeof(*c->segments));
    if (longer == NULL)
        return ERR_NOMEM;
    c->segments = longer;
    size_t at = c->segment_count;
    while (at > 0 && (c->segments[at - 1].generation > f->generation ||
                      (c->segments[at - 1].generation == f->generation &&
                       c->segments[at - 1].first_lsn >= f->first_lsn)))
        at--;
    bool same = at < c->segment_count && c->segments[at].generation == f->generation &&
                c->segments[at].first_lsn == f->first_lsn;
    if (!same) {
        memmove(&c->segments[at + 1], &c->segments[at],
                (c->segment_count - at) * sizeof(*c->segments));
        c->segment_count++;
    }
    c->segments[at] = (struct backup_segment){f->generation, f->first_lsn, f->size};
    return OK;
}

static enum err push_segment(struct backup *b, const struct log_file *f, struct why *why)
{
    char file[LOG_NAME_SIZE];
    struct backup_name name = name_of(b, BACKUP_SEGMENT, f->generation, f->first_lsn);
    log_segment_name(f->generation, f->first_lsn, file);
    enum err e = put_file(b, &name, file, f->size, why);
    return e == OK ? note_segment(b, f) : e;
}

/* A segment is complete when a whole one stands behind it: then it was synced before. Its records
 * go up to where the later one begins. */
enum err backup_push_log(struct backup *b, struct why *why)
{
    CHECK(b->opened);
    struct log_files files;
    enum err e = log_files_read(b->io, b->dir, &files, why);
    if (e != OK)
        return e;
    uint64_t reached = b->current.log_lsn;
    for (size_t i = 0; i < files.count && e == OK; i++) {
        const struct log_file *f = &files.list[i];
        if (!log_file_counts(f) || f->limit_lsn == UINT64_MAX)
            continue;
        if (!has_segment(b, f))
            e = push_segment(b, f, why);
        if (e == OK && f->limit_lsn - 1 > reached)
            reached = f->limit_lsn - 1;
        if (e == ERR_NOT_FOUND)
            e = OK; /* no longer needed, so it was removed */
    }
    log_files_free(&files);
    if (reached > b->current.log_lsn) {
        b->current.log_lsn = reached;
        b->changed = true;
    }
    return e;
}

/* -- CURRENT ----------------------------------------------------------------------------------- */

/* Is CURRENT still the one that we wrote? */
static enum err check_owner(struct backup *b, struct why *why)
{
    struct backup_current found;
    enum err e = backup_get_current(b->store, &found, why);
    if (e == ERR_NOT_FOUND)
        e = why_set(why, ERR_BUSY, "somebody has removed the object " BACKUP_CURRENT);
    else if (e == OK &&
             (strcmp(found.owner, b->owner) != 0 || strcmp(found.dataset, b->dataset.id) != 0))
        e = why_set(why, ERR_EXISTS,
                    "another server writes to this object store now: its run id is %s",
                    found.owner);
    if (e == ERR_BUSY || e == ERR_EXISTS)
        b->opened = false;
    return e;
}

enum err backup_commit(struct backup *b, struct why *why)
{
    CHECK(b->opened);
    if (!b->changed)
        return OK;
    enum err e = check_owner(b, why);
    return e == OK ? take(b, &b->current, why) : e;
}

/* -- removing ---------------------------------------------------------------------------------- */

/* How many of the lists, oldest first, are neither among the newest nor young. */
static size_t count_old(const struct backup *b, const struct backup_policy *policy)
{
    const struct backup_contents *c = &b->contents;
    uint64_t now = b->io->ops->wall_us(b->io) / 1000;
    uint64_t kept = policy->count > 1 ? policy->count : 1;
    size_t old = 0;
    while (c->list_count - old > kept && c->lists[old].wall_ms + policy->age_ms < now)
        old++;
    return old;
}

static enum err remove_object(struct backup *b, const struct backup_name *name, struct why *why)
{
    char object[BACKUP_NAME_SIZE];
    backup_name_print(name, object);
    enum err e = b->store->ops->remove(b->store, object, why);
    b->removed_objects += e == OK;
    return e;
}

/* Lists first: a list without what it names would be a backup that cannot be restored. */
static enum err remove_lists(struct backup *b, size_t count, struct why *why)
{
    struct backup_contents *c = &b->contents;
    enum err e = OK;
    size_t removed = 0;
    for (; removed < count && e == OK; removed += e == OK) {
        struct backup_name name = name_of(b, BACKUP_LIST, 0, c->lists[removed].lsn);
        e = remove_object(b, &name, why);
        if (e == OK)
            backup_list_fini(&c->lists[removed]);
    }
    c->list_count -= removed;
    if (removed > 0)
        memmove(c->lists, c->lists + removed, c->list_count * sizeof(*c->lists));
    return e;
}

/* Does a backup that is kept, or a restore between backups, need this object? */
static bool is_needed(const struct backup *b, const struct backup_name *name)
{
    const struct backup_contents *c = &b->contents;
    struct backup_pack pack = {.id = name->id, .lsn = name->lsn};
    if (name->kind == BACKUP_PACK)
        return is_named(b, &pack);
    if (name->kind == BACKUP_SEGMENT) {
        for (size_t i = 0; i < c->segment_count; i++)
            if (c->segments[i].generation == name->id && c->segments[i].first_lsn == name->lsn)
                return c->list_count == 0 || !backup_segment_passed(c, i, c->lists[0].lsn);
        return true; /* it came while we looked: somebody else's business */
    }
    for (size_t i = 0; i < c->list_count; i++)
        if (c->lists[i].lsn == name->lsn)
            return true;
    return false;
}

static void forget_segment(struct backup *b, const struct backup_name *name)
{
    struct backup_contents *c = &b->contents;
    for (size_t i = 0; i < c->segment_count; i++) {
        if (c->segments[i].generation != name->id || c->segments[i].first_lsn != name->lsn)
            continue;
        c->segment_count--;
        memmove(&c->segments[i], &c->segments[i + 1],
                (c->segment_count - i) * sizeof(*c->segments));
        return;
    }
}

/* Everything of a dataset that is not needed; parent: all of it. */
static enum err remove_unneeded(struct backup *b, const char *dataset, bool parent, struct why *why)
{
    struct buf listed = BUF_INIT(MEM_SNAPSHOT);
    enum err e = backup_list_objects(b->store, dataset, &listed, why);
    const struct backup_object *objects = (const void *)listed.ptr;
    size_t count = listed.len / sizeof(*objects);
    for (size_t i = 0; i < count && e == OK; i++) {
        const struct backup_name *name = &objects[i].name;
        if (!parent && is_needed(b, name))
            continue;
        e = remove_object(b, name, why);
        if (e == OK && !parent && name->kind == BACKUP_SEGMENT)
            forget_segment(b, name);
    }
    buf_fini(&listed);
    return e;
}

/* What this dataset was restored from goes once it has enough backups of its own. */
static enum err remove_parent(struct backup *b, const struct backup_policy *policy, struct why *why)
{
    uint64_t now = b->io->ops->wall_us(b->io) / 1000;
    if (b->dataset.parent[0] == '\0' || b->contents.list_count < policy->count ||
        b->dataset.forked_ms + policy->age_ms >= now)
        return OK;
    enum err e = remove_unneeded(b, b->dataset.parent, true, why);
    if (e != OK)
        return e;
    b->dataset.parent[0] = '\0';
    return backup_write_dataset(b->io, b->dir, &b->dataset, why);
}

enum err backup_remove_old(struct backup *b, const struct backup_policy *policy, struct why *why)
{
    CHECK(b->opened && !b->changed);
    if (b->contents.list_count == 0)
        return OK; /* segments may be all there is of it */
    enum err e = check_owner(b, why);
    if (e == OK)
        e = remove_lists(b, count_old(b, policy), why);
    if (e == OK)
        e = remove_unneeded(b, b->dataset.id, false, why);
    if (e == OK)
        e = remove_parent(b, policy, why);
    return e;
}
