/* check_pack.c: a pack from its first byte to its last. Where the header of a chunk is lost, the
 * next one is found by its magic and checksum. */
#include <inttypes.h>

#include "persist/check_own.h"

enum { WINDOW_SIZE = 1024 * 1024 };

struct pack_walk {
    struct check *check;
    const char *name;
    struct io_file *file;
    uint64_t size;
    uint64_t at;
    struct buf room;
};

/* Reads size bytes at an offset into the room; NULL when they are not there. */
static const uint8_t *read_at(struct pack_walk *w, uint64_t at, size_t size)
{
    size_t got = 0;
    buf_clear(&w->room, SIZE_MAX);
    uint8_t *to = buf_reserve(&w->room, size);
    if (to == NULL)
        return NULL;
    enum err e = w->check->io->ops->file_read(w->file, at, to, size, &got);
    if (e == OK && got == size)
        return to;
    check_say(w->check, CHECK_DAMAGE, w->name, at, "%zu bytes cannot be read: %s", size,
              e == OK ? "the file ends before" : err_text(e));
    return NULL;
}

/* The next offset behind from where a whole header of a chunk stands; the size of the file when
 * there is none. */
static uint64_t find_header(struct pack_walk *w, uint64_t from)
{
    while (from + CHUNK_HEADER_SIZE <= w->size) {
        size_t size = w->size - from < WINDOW_SIZE ? (size_t)(w->size - from) : WINDOW_SIZE;
        const uint8_t *bytes = read_at(w, from, size);
        if (bytes == NULL)
            return w->size;
        for (size_t i = 0; i + CHUNK_HEADER_SIZE <= size; i += CHUNK_ALIGNMENT) {
            struct chunk found;
            if (chunk_header_get(bytes + i, &found, NULL) == OK)
                return from + i;
        }
        from += size < WINDOW_SIZE ? size : size - CHUNK_HEADER_SIZE;
    }
    return w->size;
}

static void skip_damage(struct pack_walk *w, const char *text)
{
    uint64_t next = find_header(w, w->at + CHUNK_ALIGNMENT);
    check_say(w->check, CHECK_DAMAGE, w->name, w->at, "%s; %" PRIu64 " bytes are passed over", text,
              next - w->at);
    w->at = next;
}

static void check_chunk(struct pack_walk *w)
{
    struct chunk chunk;
    struct slice body;
    struct why why = {{0}};
    if (w->size - w->at < CHUNK_HEADER_SIZE) {
        check_say(w->check, CHECK_DAMAGE, w->name, w->at, "%" PRIu64 " bytes that are no chunk",
                  w->size - w->at);
        w->at = w->size;
        return;
    }
    const uint8_t *header = read_at(w, w->at, CHUNK_HEADER_SIZE);
    if (header == NULL) {
        w->at = w->size;
        return;
    }
    if (chunk_header_get(header, &chunk, &why) != OK) {
        skip_damage(w, why.text);
        return;
    }
    uint64_t room = chunk_room(chunk.size);
    if (room > w->size - w->at) {
        skip_damage(w, "a chunk that is longer than its pack");
        return;
    }
    w->check->counts.chunks++;
    const uint8_t *bytes = read_at(w, w->at, (size_t)room);
    if (bytes != NULL && chunk_open(&chunk, (struct slice){bytes, room}, &body, &why) != OK)
        check_say(w->check, CHECK_DAMAGE, w->name, w->at,
                  "%s (collection %" PRIu64 ", chunk %" PRIu32 " of its %s)", why.text, chunk.uid,
                  chunk.index, chunk_kind_name(chunk.kind));
    w->at += room;
}

static void check_chunks(struct pack_walk *w, uint32_t id)
{
    struct why why = {{0}};
    uint32_t found_id;
    uint64_t lsn;
    const uint8_t *header = w->size < PACK_HEADER_SIZE ? NULL : read_at(w, 0, PACK_HEADER_SIZE);
    if (w->size < PACK_HEADER_SIZE)
        check_say(w->check, CHECK_DAMAGE, w->name, 0, "%" PRIu64 " bytes are no pack", w->size);
    if (header == NULL)
        return;
    if (pack_header_get(header, &found_id, &lsn, &why) != OK)
        check_say(w->check, CHECK_DAMAGE, w->name, 0, "%s", why.text);
    else if (found_id != id)
        check_say(w->check, CHECK_DAMAGE, w->name, 0,
                  "this is pack %08" PRIx32 " under a wrong name", found_id);
    w->at = PACK_HEADER_SIZE;
    while (w->at < w->size)
        check_chunk(w);
}

void check_pack(struct check *c, const char *name, uint32_t id)
{
    struct pack_walk w = {.check = c, .name = name, .room = BUF_INIT(MEM_SNAPSHOT)};
    struct why why = {{0}};
    c->counts.packs++;
    enum err e = check_open(c, name, &w.file, &w.size, &why);
    if (e != OK) {
        check_say(c, CHECK_DAMAGE, name, 0, "cannot be read: %s",
                  why.text[0] != '\0' ? why.text : err_text(e));
        return;
    }
    c->counts.bytes += w.size;
    check_chunks(&w, id);
    c->io->ops->file_close(w.file);
    buf_fini(&w.room);
}
