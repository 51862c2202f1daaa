#include "persist/snapshot_files.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/plant.h"

enum {
    WRITE_BYTES = 1 << 20,      /* per call */
    SYNC_BYTES = 32 << 20,      /* so that the disk has not all to do at the end */
    PACK_BYTES_MAX = 256 << 20, /* then the next pack begins: objects in a store stay handy */
    MANIFEST_BYTES_MAX = 1 << 30
};

enum err snapshot_path(const char *dir, const char *name, char out[SNAPSHOT_PATH_SIZE])
{
    int len = snprintf(out, SNAPSHOT_PATH_SIZE, "%s/%s", dir, name);
    return len > 0 && len < SNAPSHOT_PATH_SIZE ? OK : ERR_LIMIT;
}

/* -- writing packs ----------------------------------------------------------------------------- */

void pack_writer_init(struct pack_writer *w, struct io *io, const char *dir, uint64_t lsn,
                      const struct manifest *last, const uint8_t *condemned, uint32_t next_id)
{
    *w = (struct pack_writer){.io = io,
                              .dir = dir,
                              .lsn = lsn,
                              .last = last,
                              .condemned = condemned,
                              .next_id = next_id,
                              .out = BUF_INIT(MEM_SNAPSHOT)};
}

void pack_writer_fini(struct pack_writer *w)
{
    if (w->file != NULL)
        w->io->ops->file_close(w->file);
    mem_free(MEM_SNAPSHOT, w->packs);
    mem_free(MEM_SNAPSHOT, w->chunks);
    buf_fini(&w->out);
    *w = (struct pack_writer){0};
}

void pack_writer_discard(struct pack_writer *w)
{
    char name[SNAPSHOT_NAME_SIZE], path[SNAPSHOT_PATH_SIZE];
    if (w->file != NULL)
        w->io->ops->file_close(w->file);
    w->file = NULL;
    for (uint32_t i = 0; i < w->pack_count; i++) {
        snapshot_pack_name(w->packs[i].id, name);
        /* Best effort: what stays is removed at the next start. */
        if (snapshot_path(w->dir, name, path) == OK && w->io->ops->remove(w->io, path) != OK)
            continue;
    }
}

/* One more element's room in an array; NULL: no memory, and the array is as it was. */
static void *grow(void *array, uint32_t count, uint32_t *capacity, size_t size)
{
    if (count < *capacity)
        return array;
    if (*capacity > UINT32_MAX / 2)
        return NULL;
    uint32_t next = *capacity == 0 ? 16 : *capacity * 2;
    void *grown = mem_try_realloc(MEM_SNAPSHOT, array, next * size);
    if (grown != NULL)
        *capacity = next;
    return grown;
}

static enum err flush(struct pack_writer *w)
{
    CHECK(w->file != NULL && w->pack_count > 0);
    enum err e = w->io->ops->file_write(w->file, w->written, w->out.ptr, w->out.len);
    if (e != OK)
        return e;
    w->written += w->out.len;
    w->unsynced += w->out.len;
    w->bytes_written += w->out.len;
    buf_clear(&w->out, 2 * WRITE_BYTES);
    if (w->unsynced < SYNC_BYTES)
        return OK;
    w->unsynced = 0;
    return w->io->ops->file_sync(w->file);
}

/* What is long goes to the file from where it is. */
static enum err write_through(struct pack_writer *w, struct slice bytes)
{
    enum err e = buf_failed(&w->out) ? ERR_NOMEM : flush(w);
    if (e == OK)
        e = w->io->ops->file_write(w->file, w->written, bytes.ptr, bytes.len);
    if (e != OK)
        return e;
    w->written += bytes.len;
    w->unsynced += bytes.len;
    w->bytes_written += bytes.len;
    return OK;
}

static enum err close_pack(struct pack_writer *w)
{
    if (w->file == NULL)
        return OK;
    enum err e = flush(w);
    if (e == OK)
        e = w->io->ops->file_sync(w->file);
    w->packs[w->pack_count - 1].size = w->written;
    w->io->ops->file_close(w->file);
    w->file = NULL;
    return e;
}

static enum err open_pack(struct pack_writer *w)
{
    char name[SNAPSHOT_NAME_SIZE], path[SNAPSHOT_PATH_SIZE];
    struct manifest_pack *packs =
        grow(w->packs, w->pack_count, &w->pack_capacity, sizeof(*w->packs));
    if (packs == NULL)
        return ERR_NOMEM;
    w->packs = packs;
    snapshot_pack_name(w->next_id, name);
    enum err e = snapshot_path(w->dir, name, path);
    if (e == OK)
        e = w->io->ops->file_open(w->io, path, IO_WRITE | IO_CREATE | IO_TRUNCATE, &w->file, NULL);
    if (e != OK)
        return e;
    w->packs[w->pack_count++] = (struct manifest_pack){.id = w->next_id};
    uint8_t header[PACK_HEADER_SIZE];
    pack_header_put(w->next_id, w->lsn, header);
    w->next_id++;
    w->written = 0;
    w->unsynced = 0;
    buf_clear(&w->out, 2 * WRITE_BYTES);
    buf_append(&w->out, header, sizeof(header));
    return buf_failed(&w->out) ? ERR_NOMEM : OK;
}

static bool is_condemned(const struct pack_writer *w, uint32_t pack)
{
    const struct manifest_pack *p = manifest_pack(w->last, pack);
    CHECK(p != NULL);
    return w->condemned != NULL && w->condemned[p - w->last->packs] != 0;
}

const struct chunk *pack_writer_last(const struct pack_writer *w, uint64_t uid,
                                     enum chunk_kind kind, uint32_t index, uint16_t part)
{
    const struct chunk *c = w->last == NULL ? NULL : manifest_find(w->last, uid, kind, index, part);
    return c == NULL || is_condemned(w, c->pack) ? NULL : c;
}

static enum err add_chunk(struct pack_writer *w, const struct chunk *chunk)
{
    struct chunk *chunks = grow(w->chunks, w->chunk_count, &w->chunk_capacity, sizeof(*w->chunks));
    if (chunks == NULL)
        return ERR_NOMEM;
    w->chunks = chunks;
    w->chunks[w->chunk_count++] = *chunk;
    return OK;
}

enum err pack_writer_keep(struct pack_writer *w, const struct chunk *chunk)
{
    CHECK(w->last != NULL && !is_condemned(w, chunk->pack));
    return add_chunk(w, chunk);
}

enum err pack_writer_put(struct pack_writer *w, struct chunk *chunk, struct slice body)
{
    uint8_t header[CHUNK_HEADER_SIZE];
    enum err e = OK;
    CHECK(chunk_kind_name(chunk->kind) != NULL);
    if (body.len > UINT32_MAX)
        return ERR_LIMIT;
    if (w->file != NULL && w->written + w->out.len + body.len > PACK_BYTES_MAX)
        e = close_pack(w);
    if (e == OK && w->file == NULL)
        e = open_pack(w);
    if (e != OK)
        return e;
    chunk->lsn = w->lsn;
    chunk->pack = w->packs[w->pack_count - 1].id;
    chunk->offset = w->written + w->out.len;
    CHECK(chunk->offset % CHUNK_ALIGNMENT == 0 && chunk->offset >= PACK_HEADER_SIZE);
    chunk->size = (uint32_t)body.len;
    chunk->crc = crc32c(body);
    chunk_hash(body, chunk->hash);
    chunk_header_put(chunk, header);
    buf_append(&w->out, header, sizeof(header));
    if (body.len < WRITE_BYTES)
        buf_append_slice(&w->out, body);
    else
        e = write_through(w, body);
    while ((w->written + w->out.len) % CHUNK_ALIGNMENT != 0 && !buf_failed(&w->out))
        buf_append_byte(&w->out, 0);
    if (buf_failed(&w->out))
        return ERR_NOMEM;
    if (e == OK && w->out.len >= WRITE_BYTES)
        e = flush(w);
    return e == OK ? add_chunk(w, chunk) : e;
}

enum err pack_writer_put_changed(struct pack_writer *w, struct chunk *chunk, struct slice body)
{
    const struct chunk *last =
        pack_writer_last(w, chunk->uid, chunk->kind, chunk->index, chunk->part);
    chunk_hash(body, chunk->hash);
    if (last != NULL && last->size == body.len && last->count == chunk->count &&
        (PLANTED(PLANT_CHUNK_KEPT) ||
         (last->hash[0] == chunk->hash[0] && last->hash[1] == chunk->hash[1])))
        return pack_writer_keep(w, last);
    return pack_writer_put(w, chunk, body);
}

enum err pack_writer_sync(struct pack_writer *w)
{
    enum err e = close_pack(w);
    return e == OK && w->pack_count > 0 ? w->io->ops->sync_dir(w->io, w->dir) : e;
}

/* -- manifests --------------------------------------------------------------------------------- */

static enum err write_file(struct io *io, const char *path, struct slice bytes)
{
    struct io_file *file;
    enum err e = io->ops->file_open(io, path, IO_WRITE | IO_CREATE | IO_TRUNCATE, &file, NULL);
    if (e != OK)
        return e;
    e = io->ops->file_write(file, 0, bytes.ptr, bytes.len);
    if (e == OK && !PLANTED(PLANT_MANIFEST_UNSYNCED))
        e = io->ops->file_sync(file);
    io->ops->file_close(file);
    return e;
}

enum err manifest_save(struct io *io, const char *dir, const struct manifest *m, uint64_t *size)
{
    char name[SNAPSHOT_NAME_SIZE], temporary[SNAPSHOT_PATH_SIZE], final[SNAPSHOT_PATH_SIZE];
    struct buf bytes = BUF_INIT(MEM_SNAPSHOT);
    CHECK(m->previous_lsn <= m->lsn && m->next_uid > 0);
    snapshot_manifest_name(m->lsn, name);
    enum err e = snapshot_path(dir, name, final);
    if (e == OK)
        e = snapshot_path(dir, SNAPSHOT_TEMPORARY, temporary);
    if (e != OK)
        return e;
    manifest_encode(m, &bytes);
    *size = bytes.len;
    e = buf_failed(&bytes) ? ERR_NOMEM : write_file(io, temporary, buf_slice(&bytes));
    buf_fini(&bytes);
    if (e == OK)
        e = io->ops->rename(io, temporary, final);
    /* The rename itself is durable only once the folder is. */
    return e == OK ? io->ops->sync_dir(io, dir) : e;
}

enum err manifest_load(struct io *io, const char *dir, uint64_t lsn, struct manifest *out,
                       struct why *why)
{
    char name[SNAPSHOT_NAME_SIZE], path[SNAPSHOT_PATH_SIZE];
    struct buf bytes = BUF_INIT(MEM_SNAPSHOT);
    struct why inner = {""};
    snapshot_manifest_name(lsn, name);
    enum err e = snapshot_path(dir, name, path);
    if (e == OK)
        e = io_read_file(io, path, MANIFEST_BYTES_MAX, &bytes, &inner);
    if (e != OK) {
        e = why_set(why, e, "%s: cannot be read: %s", name,
                    inner.text[0] != '\0' ? inner.text : err_text(e));
    } else {
        e = manifest_decode(buf_slice(&bytes), out, &inner);
        if (e != OK)
            e = why_set(why, e, "%s: %s", name, inner.text[0] != '\0' ? inner.text : err_text(e));
    }
    buf_fini(&bytes);
    if (e == OK && out->lsn != lsn) {
        manifest_fini(out);
        return why_set(why, ERR_CORRUPT, "%s: byte 16: the manifest of another LSN", name);
    }
    return e;
}

/* -- reading packs ----------------------------------------------------------------------------- */

static enum err open_one(struct pack_reader *r, const char *dir, uint32_t at, struct why *why)
{
    const struct manifest_pack *p = &r->manifest->packs[at];
    char name[SNAPSHOT_NAME_SIZE], path[SNAPSHOT_PATH_SIZE];
    uint8_t header[PACK_HEADER_SIZE];
    struct why inner = {""};
    uint64_t size = 0, lsn;
    uint32_t id = 0;
    size_t got = 0;
    snapshot_pack_name(p->id, name);
    enum err e = snapshot_path(dir, name, path);
    if (e == OK)
        e = r->io->ops->file_open(r->io, path, IO_READ, &r->files[at], NULL);
    if (e == ERR_NOT_FOUND)
        return why_set(why, ERR_CORRUPT, "%s: the file is missing", name);
    if (e == OK)
        e = r->io->ops->file_size(r->files[at], &size);
    if (e == OK && size != p->size)
        return why_set(why, ERR_CORRUPT, "%s: %" PRIu64 " bytes in place of %" PRIu64, name, size,
                       p->size);
    if (e == OK)
        e = r->io->ops->file_read(r->files[at], 0, header, sizeof(header), &got);
    if (e != OK || got < sizeof(header))
        return why_set(why, e == OK ? ERR_CORRUPT : e, "%s: byte 0: cannot be read: %s", name,
                       err_text(e));
    e = pack_header_get(header, &id, &lsn, &inner);
    if (e == OK && id != p->id)
        e = why_set(&inner, ERR_CORRUPT, "this is pack %" PRIx32, id);
    return e == OK ? OK : why_set(why, e, "%s: byte 0: %s", name, inner.text);
}

enum err pack_reader_open(struct pack_reader *r, struct io *io, const char *dir,
                          const struct manifest *manifest, struct why *why)
{
    *r = (struct pack_reader){.io = io, .manifest = manifest};
    r->files = mem_try_calloc(MEM_SNAPSHOT, manifest->pack_count * sizeof(struct io_file *));
    enum err e = r->files == NULL ? ERR_NOMEM : OK;
    for (uint32_t i = 0; i < manifest->pack_count && e == OK; i++)
        e = open_one(r, dir, i, why);
    if (e != OK)
        pack_reader_close(r);
    return e;
}

enum err pack_reader_open_some(struct pack_reader *r, struct io *io, const char *dir,
                               const struct manifest *manifest)
{
    *r = (struct pack_reader){.io = io, .manifest = manifest};
    r->files = mem_try_calloc(MEM_SNAPSHOT, manifest->pack_count * sizeof(struct io_file *));
    if (r->files == NULL)
        return ERR_NOMEM;
    for (uint32_t i = 0; i < manifest->pack_count; i++) {
        struct why why;
        if (open_one(r, dir, i, &why) == OK || r->files[i] == NULL)
            continue;
        io->ops->file_close(r->files[i]);
        r->files[i] = NULL;
    }
    return OK;
}

void pack_reader_close(struct pack_reader *r)
{
    for (uint32_t i = 0; r->files != NULL && i < r->manifest->pack_count; i++)
        if (r->files[i] != NULL)
            r->io->ops->file_close(r->files[i]);
    mem_free(MEM_SNAPSHOT, r->files);
    r->files = NULL;
}

enum err pack_reader_blame(const struct chunk *chunk, enum err e, struct why *why)
{
    char name[SNAPSHOT_NAME_SIZE];
    struct why inner = *why;
    snapshot_pack_name(chunk->pack, name);
    return why_set(why, e, "%s: byte %" PRIu64 ": %.150s", name, chunk->offset,
                   inner.text[0] != '\0' ? inner.text : err_text(e));
}

enum err pack_reader_get(const struct pack_reader *r, const struct chunk *chunk, struct buf *buffer,
                         struct slice *body, struct why *why)
{
    const struct manifest_pack *p = manifest_pack(r->manifest, chunk->pack);
    size_t size = chunk_room(chunk->size), got = 0;
    CHECK(p != NULL && r->files != NULL);
    why->text[0] = '\0';
    if (r->files[p - r->manifest->packs] == NULL)
        return pack_reader_blame(chunk, why_set(why, ERR_CORRUPT, "the pack is not usable"), why);
    buf_clear(buffer, SIZE_MAX);
    uint8_t *to = buf_reserve(buffer, size);
    if (to == NULL)
        return ERR_NOMEM;
    enum err e =
        r->io->ops->file_read(r->files[p - r->manifest->packs], chunk->offset, to, size, &got);
    if (e == OK && got < size)
        e = why_set(why, ERR_CORRUPT, "the file ends inside of a chunk");
    if (e != OK)
        return pack_reader_blame(chunk, e, why);
    buf_advance(buffer, size);
    e = chunk_open(chunk, buf_slice(buffer), body, why);
    return e == OK ? OK : pack_reader_blame(chunk, e, why);
}
