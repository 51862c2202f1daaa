#include "persist/recover_cut.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/plant.h"
enum { COPY_SIZE = 1024 * 1024, ASIDE_PATH_SIZE = LOG_PATH_SIZE + 16, ASIDE_MAX = 100 };

enum err recover_why(struct recover_log *r, enum err e, size_t file, uint64_t offset,
                     const char *text)
{
    char name[LOG_NAME_SIZE];
    struct why copy; /* text may be in r->why */
    CHECK(file < r->files.count);
    (void)snprintf(copy.text, sizeof(copy.text), "%s", text);
    log_segment_name(r->files.list[file].generation, r->files.list[file].first_lsn, name);
    return why_set(&r->why, e, "%s, offset %" PRIu64 ": %s", name, offset, copy.text);
}

/* -- judging ----------------------------------------------------------------------------------- */

/* The highest LSN that anything says was durable. */
static enum err gather_claims(struct recover_log *r)
{
    enum err e = OK;
    if (r->files.has_note && r->files.note.durable_lsn > r->claim_lsn)
        r->claim_lsn = r->files.note.durable_lsn;
    for (size_t i = 0; i < r->files.count && e == OK; i++) {
        const struct log_file *f = &r->files.list[i];
        uint64_t from = i == r->cut_file ? r->cut_offset : 0;
        if (f->state == OK && f->head.durable_lsn > r->claim_lsn)
            r->claim_lsn = f->head.durable_lsn;
        if (f->cut_offset > 0)
            from = f->cut_offset;
        if (i >= r->cut_file || f->state != OK || f->cut_offset > 0)
            e = log_file_claims(r->io, r->options.dir, f, from, &r->claim_lsn, &r->why);
    }
    return e;
}

/* A file that lost its header is to blame when the log ends where it should begin. */
static void find_blame(struct recover_log *r)
{
    for (size_t i = 0; i < r->files.count; i++) {
        const struct log_file *f = &r->files.list[i];
        if (f->state != ERR_CORRUPT || f->first_lsn != r->db->log.last_lsn + 1)
            continue;
        r->blamed_file = i;
        r->blamed_offset = 0;
        r->cut_why = f->why;
    }
}

static enum err say_lost(struct recover_log *r)
{
    char text[sizeof(r->why.text)];
    uint64_t last = r->db->log.last_lsn;
    if (r->blamed_file == r->files.count)
        return why_set(&r->why, ERR_CORRUPT,
                       "%s: it says that up to LSN %" PRIu64
                       " the log was on the disk, and nothing of it is there after LSN %" PRIu64,
                       LOG_NOTE_NAME, r->claim_lsn, last);
    (void)snprintf(text, sizeof(text),
                   "%.120s; LSN %" PRIu64 " to %" PRIu64 " were on the disk and are lost",
                   r->cut_why.text, last + 1, r->claim_lsn);
    return recover_why(r, ERR_CORRUPT, r->blamed_file, r->blamed_offset, text);
}

static bool cuts_anything(const struct recover_log *r)
{
    for (size_t i = r->cut_file; i < r->files.count; i++)
        if (recover_fate(r, i) != RECOVER_KEEP && log_file_counts(&r->files.list[i]))
            return true;
    return false;
}

enum err recover_judge(struct recover_log *r)
{
    enum err e = gather_claims(r);
    if (e != OK)
        return e;
    find_blame(r);
    r->torn = r->claim_lsn <= r->db->log.last_lsn || PLANTED(PLANT_ALWAYS_TORN);
    if (!r->torn)
        e = say_lost(r);
    else if (r->options.refuse_torn && cuts_anything(r))
        e = recover_why(r, ERR_CORRUPT, r->blamed_file, r->blamed_offset, r->cut_why.text);
    return r->options.repair ? OK : e;
}

/* -- the files --------------------------------------------------------------------------------- */

enum recover_fate recover_fate(const struct recover_log *r, size_t file)
{
    const struct log_file *f = &r->files.list[file];
    if (!log_file_counts(f) || file > r->cut_file)
        return RECOVER_DROP;
    if (file < r->cut_file || r->cut_offset >= f->size)
        return RECOVER_KEEP;
    return r->cut_offset > LOG_SEGMENT_HEADER_SIZE ? RECOVER_CUT : RECOVER_DROP;
}

static void path_of(const struct recover_log *r, size_t file, char out[LOG_PATH_SIZE])
{
    char name[LOG_NAME_SIZE];
    log_segment_name(r->files.list[file].generation, r->files.list[file].first_lsn, name);
    log_path(out, r->options.dir, name);
}

/* A free name beside the file, which nothing reads. */
static enum err aside_path(struct recover_log *r, const char *path, char out[ASIDE_PATH_SIZE])
{
    struct io_file *file;
    for (unsigned n = 1; n < ASIDE_MAX; n++) {
        int len = snprintf(out, ASIDE_PATH_SIZE, n == 1 ? "%s.damaged" : "%s.damaged-%u", path, n);
        CHECK(len > 0 && len < ASIDE_PATH_SIZE);
        enum err e = r->io->ops->file_open(r->io, out, IO_READ, &file, NULL);
        if (e == ERR_NOT_FOUND)
            return OK;
        if (e != OK)
            return e;
        r->io->ops->file_close(file);
    }
    return why_set(&r->why, ERR_LIMIT, "%s was set aside %d times: remove some", path, ASIDE_MAX);
}

static enum err set_aside(struct recover_log *r, const char *path)
{
    char to[ASIDE_PATH_SIZE];
    enum err e = aside_path(r, path, to);
    return e == OK ? r->io->ops->rename(r->io, path, to) : e;
}

/* What a crash tore or a later segment has superseded goes. What was damaged stays for whoever can
 * make something of it. */
static enum err drop(struct recover_log *r, size_t file)
{
    const struct log_file *f = &r->files.list[file];
    char path[LOG_PATH_SIZE];
    path_of(r, file, path);
    bool torn = r->torn && (f->state == OK || f->first_lsn > r->db->log.last_lsn);
    return torn ? r->io->ops->remove(r->io, path) : set_aside(r, path);
}

/* Copies a file from an offset on, to another or onto itself, and syncs. */
static enum err copy(struct io *io, struct io_file *from, struct io_file *to, uint64_t at)
{
    uint8_t *bytes = mem_alloc(MEM_LOG, COPY_SIZE);
    size_t got = COPY_SIZE;
    enum err e = OK;
    for (; e == OK && got == COPY_SIZE; at += COPY_SIZE) {
        e = io->ops->file_read(from, at, bytes, COPY_SIZE, &got);
        if (e == OK)
            e = io->ops->file_write(to, at, bytes, got);
    }
    mem_free(MEM_LOG, bytes);
    return e == OK ? io->ops->file_sync(to) : e;
}

/* So that nothing is lost by cutting the file. */
static enum err keep_copy(struct recover_log *r, const char *path)
{
    char to_path[ASIDE_PATH_SIZE];
    struct io *io = r->io;
    struct io_file *from, *to;
    enum err e = aside_path(r, path, to_path);
    if (e == OK)
        e = io->ops->file_open(io, path, IO_READ, &from, &r->why);
    if (e != OK)
        return e;
    e = io->ops->file_open(io, to_path, IO_WRITE | IO_CREATE | IO_EXCLUSIVE, &to, &r->why);
    if (e == OK) {
        e = copy(io, from, to, 0);
        io->ops->file_close(to);
    }
    io->ops->file_close(from);
    return e == OK ? io->ops->sync_dir(io, r->options.dir) : e;
}

/* What was read from a file may be in memory only, if the process died and not the machine. A sync
 * alone would not do: after one that failed the kernel may take for clean what it has never
 * written. So all that nobody has called durable is written again, as it is. size: what is left of
 * the file. */
static enum err sync_file(struct recover_log *r, const struct log_file *f, const char *path,
                          uint64_t size)
{
    struct io *io = r->io;
    struct io_file *file;
    enum err e = io->ops->file_open(io, path, IO_READ | IO_WRITE, &file, &r->why);
    if (e != OK)
        return e;
    e = io->ops->file_truncate(file, size);
    if (e == OK)
        e = copy(io, file, file, f->sure_offset < size ? f->sure_offset : size);
    io->ops->file_close(file);
    return e;
}

static enum err settle(struct recover_log *r, size_t i)
{
    char path[LOG_PATH_SIZE];
    const struct log_file *f = &r->files.list[i];
    enum err e = OK;
    path_of(r, i, path);
    switch (recover_fate(r, i)) {
    case RECOVER_DROP:
        return drop(r, i);
    case RECOVER_CUT:
        r->kept_bytes += r->cut_offset;
        if (!r->torn)
            e = keep_copy(r, path);
        return e == OK ? sync_file(r, f, path, r->cut_offset) : e;
    case RECOVER_KEEP:
        break;
    }
    /* A torn tail that a snapshot has made good. */
    if (f->cut_offset > 0 && !f->resumed && r->claim_lsn < f->cut_lsn) {
        r->kept_bytes += f->cut_offset;
        return sync_file(r, f, path, f->cut_offset);
    }
    r->kept_bytes += f->size;
    if (PLANTED(PLANT_RECOVERED_UNSYNCED))
        return OK;
    return f->limit_lsn <= r->claim_lsn + 1 ? OK : sync_file(r, f, path, f->size);
}

/* After a repair the note claims what is lost. */
static enum err drop_note(struct recover_log *r)
{
    char path[LOG_PATH_SIZE];
    if (r->torn || !r->files.has_note)
        return OK;
    log_path(path, r->options.dir, LOG_NOTE_NAME);
    return set_aside(r, path);
}

enum err recover_finish(struct recover_log *r)
{
    enum err e = OK;
    /* From the last to the first: whatever is left when this is interrupted is still the beginning
     * of a log. */
    for (size_t i = r->files.count; i > 0 && e == OK; i--)
        e = settle(r, i - 1);
    if (e == OK)
        e = drop_note(r);
    if (e == OK)
        e = load_mark_remove(r->io, r->options.dir);
    if (e == OK)
        e = r->io->ops->sync_dir(r->io, r->options.dir);
    if (e != OK && r->why.text[0] == '\0')
        return why_set(&r->why, e, "cannot put the log in order: %s", err_text(e));
    return e;
}
