#include "persist/snapshot_read.h"

#include <inttypes.h>
#include <stdio.h>

#include "persist/fields.h"

/* -- names ------------------------------------------------------------------------------------- */

void snapshot_pack_name(uint32_t id, char out[SNAPSHOT_NAME_SIZE])
{
    int n = snprintf(out, SNAPSHOT_NAME_SIZE, "pack-%08" PRIx32 ".vpk", id);
    CHECK(n > 0 && n < SNAPSHOT_NAME_SIZE);
}

void snapshot_manifest_name(uint64_t lsn, char out[SNAPSHOT_NAME_SIZE])
{
    int n = snprintf(out, SNAPSHOT_NAME_SIZE, "manifest-%016" PRIx64 ".vmf", lsn);
    CHECK(n > 0 && n < SNAPSHOT_NAME_SIZE);
}

/* Written again a name is the same: so nothing stands before, between or behind. */
bool snapshot_pack_name_parse(const char *name, uint32_t *id)
{
    char same[SNAPSHOT_NAME_SIZE];
    if (sscanf(name, "pack-%8" SCNx32 ".vpk", id) != 1)
        return false;
    snapshot_pack_name(*id, same);
    return strcmp(same, name) == 0;
}

bool snapshot_manifest_name_parse(const char *name, uint64_t *lsn)
{
    char same[SNAPSHOT_NAME_SIZE];
    if (sscanf(name, "manifest-%16" SCNx64 ".vmf", lsn) != 1)
        return false;
    snapshot_manifest_name(*lsn, same);
    return strcmp(same, name) == 0;
}

void snapshot_reader_init(struct snapshot_reader *r, struct io *io, const char *dir,
                          const struct manifest *manifest)
{
    *r = (struct snapshot_reader){.io = io, .dir = dir, .manifest = manifest};
}

void snapshot_reader_fini(struct snapshot_reader *r)
{
    if (r->file != NULL)
        r->io->ops->file_close(r->file);
    r->file = NULL;
}

/* -- chunks ------------------------------------------------------------------------------------ */

static enum err open_pack(struct snapshot_reader *r, uint32_t id, struct why *why)
{
    char path[SNAPSHOT_PATH_SIZE], name[SNAPSHOT_NAME_SIZE];
    if (r->file != NULL && r->pack == id)
        return OK;
    snapshot_reader_fini(r);
    snapshot_pack_name(id, name);
    int n = snprintf(path, sizeof(path), "%s/%s", r->dir, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return why_set(why, ERR_LIMIT, "the path of the folder is too long");
    r->pack = id;
    return r->io->ops->file_open(r->io, path, IO_READ, &r->file, why);
}

enum err snapshot_read_chunk(struct snapshot_reader *r, const struct chunk *c, struct buf *room,
                             struct slice *body, struct why *why)
{
    size_t size = (size_t)chunk_room(c->size), got = 0;
    enum err e = open_pack(r, c->pack, why);
    if (e != OK)
        return e;
    buf_clear(room, SIZE_MAX);
    uint8_t *to = buf_reserve(room, size);
    if (to == NULL)
        return why_set(why, ERR_NOMEM, "a chunk of %zu bytes needs more memory than there is",
                       size);
    CHECK((uintptr_t)to % CHUNK_ALIGNMENT == 0);
    e = r->io->ops->file_read(r->file, c->offset, to, size, &got);
    if (e != OK)
        return why_set(why, e, "cannot be read");
    if (got < size)
        return why_set(why, ERR_CORRUPT, "cut short: %zu bytes of %zu are there", got, size);
    buf_advance(room, size);
    return chunk_open(c, buf_slice(room), body, why);
}

/* The same, and why says which chunk of which file. */
static enum err read_named(struct snapshot_reader *r, const struct chunk *c, struct buf *room,
                           struct slice *body, struct why *why)
{
    struct why inner = {{0}};
    enum err e = snapshot_read_chunk(r, c, room, body, &inner);
    if (e == OK)
        return OK;
    return why_set(why, e, "pack-%08" PRIx32 ".vpk: byte %" PRIu64 ": %.180s", c->pack, c->offset,
                   inner.text[0] != '\0' ? inner.text : err_text(e));
}

static enum err misfit(const struct chunk *c, struct why *why, const char *what)
{
    return why_set(why, ERR_CORRUPT, "pack-%08" PRIx32 ".vpk: byte %" PRIu64 ": %s", c->pack,
                   c->offset, what);
}

/* Chunks [*first, *end) are those of one kind and index. */
static void chunks_of(const struct manifest *m, uint64_t uid, enum chunk_kind kind, uint32_t index,
                      uint32_t *first, uint32_t *end)
{
    *first = manifest_lower(m, uid, kind, index, 0);
    *end = *first;
    while (*end < m->chunk_count && m->chunks[*end].uid == uid && m->chunks[*end].kind == kind &&
           m->chunks[*end].index == index)
        (*end)++;
}

/* -- keys -------------------------------------------------------------------------------------- */

static enum err read_keys(struct snapshot_reader *r, const struct chunk *c, struct buf *room,
                          bool (*on_key)(void *user, const struct image_key *key), void *user,
                          bool *go_on, struct why *why)
{
    struct slice body;
    struct bytes_reader keys;
    struct why inner = {{0}};
    uint32_t first;
    enum err e = read_named(r, c, room, &body, why);
    if (e != OK)
        return e;
    e = image_keys_open(body, &first, &keys, &inner);
    while (e == OK && keys.left.len > 0 && *go_on) {
        struct image_key key;
        e = image_key_get(&keys, &key, &inner);
        if (e == OK)
            *go_on = on_key(user, &key);
    }
    return e == OK ? OK : misfit(c, why, inner.text);
}

enum err snapshot_read_keys(struct snapshot_reader *r,
                            bool (*on_key)(void *user, const struct image_key *key), void *user,
                            struct why *why)
{
    struct buf room = BUF_INIT(MEM_SNAPSHOT);
    const struct manifest *m = r->manifest;
    bool go_on = true;
    enum err e = OK;
    for (uint32_t i = manifest_lower(m, 0, CHUNK_KEYS, 0, 0);
         e == OK && go_on && i < m->chunk_count && m->chunks[i].uid == 0; i++)
        if (m->chunks[i].kind == CHUNK_KEYS)
            e = read_keys(r, &m->chunks[i], &room, on_key, user, &go_on, why);
    buf_fini(&room);
    return e;
}

/* -- elements ---------------------------------------------------------------------------------- */

/* The bodies of the chunks of one kind and index. */
struct bodies {
    struct buf *rooms;
    size_t count;
};

static void bodies_fini(struct bodies *b)
{
    for (size_t i = 0; i < b->count; i++)
        buf_fini(&b->rooms[i]);
    mem_free(MEM_SNAPSHOT, b->rooms);
    *b = (struct bodies){0};
}

/* A new room for one more body; it stays where it is until bodies_fini. */
static struct buf *bodies_add(struct bodies *b)
{
    b->rooms = mem_realloc(MEM_SNAPSHOT, b->rooms, (b->count + 1) * sizeof(*b->rooms));
    b->rooms[b->count] = BUF_INIT(MEM_SNAPSHOT);
    return &b->rooms[b->count++];
}

struct walk {
    struct snapshot_reader *r;
    uint64_t uid;
    uint32_t rows_end;
    bool (*on_element)(void *user, const struct snapshot_element *e);
    void *user;

    /* The rows of one index; an element without an id has no contents. */
    struct bodies row_bodies;
    struct snapshot_element *rows;
    uint32_t rows_span;

    struct bodies attribute_bodies;
    struct slice *attributes; /* of the rows of attribute_index */
    uint32_t attributes_span;
    uint32_t attribute_index; /* UINT32_MAX: of none */
};

/* Puts the contents of rows into the table, whose first row is base. Later ones replace earlier
 * ones: a row that was used again stands in CHUNK_ROWS and, newer, in CHUNK_NEWER. */
static bool spread_rows(const struct image_rows *rows, uint32_t base, uint32_t span,
                        struct snapshot_element *table)
{
    uint32_t nth = 0, id_at = 0;
    if (rows->first < base || (uint64_t)rows->first - base + rows->span > span)
        return false;
    for (uint32_t i = 0; i < rows->span; i++) {
        if (!image_bit(rows->present, i))
            continue;
        struct snapshot_element *e = &table[rows->first - base + i];
        *e = (struct snapshot_element){
            .row = rows->first + i,
            .norm = rows->norms[nth],
            .expire_ms = rows->expires == NULL ? 0 : rows->expires[nth],
            .partition = rows->partitions == NULL ? PARTITION_DEFAULT : rows->partitions[nth],
            .id = {rows->ids + id_at, rows->id_sizes[nth]},
            .code = rows->code_size == 0 ? NULL : rows->codes + (size_t)nth * rows->code_size,
            .vector =
                rows->vector_size == 0 ? NULL : rows->vectors + (size_t)nth * rows->vector_size,
        };
        id_at += rows->id_sizes[nth++];
    }
    return true;
}

static bool spread_attributes(const struct image_attributes *a, uint32_t base, uint32_t span,
                              struct slice *table)
{
    size_t at = 0;
    if (a->first < base || (uint64_t)a->first - base + a->span > span)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        uint32_t row = a->first - base + field_u16(a->offsets + i * sizeof(uint16_t));
        uint32_t size = field_u32(a->sizes + i * sizeof(uint32_t));
        table[row] = (struct slice){a->bytes.ptr + at, size};
        at += size;
    }
    return true;
}

static enum err load_rows(struct walk *w, enum chunk_kind kind, uint32_t index, struct why *why)
{
    uint32_t i, end;
    const struct chunk *chunks = w->r->manifest->chunks;
    chunks_of(w->r->manifest, w->uid, kind, index, &i, &end);
    for (; i < end; i++) {
        struct slice body, rest;
        struct image_rows rows;
        struct why inner = {{0}};
        enum err e = read_named(w->r, &chunks[i], bodies_add(&w->row_bodies), &body, why);
        if (e != OK)
            return e;
        if (image_rows_open(body, &rows, &rest, &inner) != OK)
            return misfit(&chunks[i], why, inner.text);
        if (rest.len > 0 || !spread_rows(&rows, index * w->rows_span, w->rows_span, w->rows))
            return misfit(&chunks[i], why, "rows that are not those of their index");
    }
    return OK;
}

static enum err load_attributes(struct walk *w, uint32_t index, struct why *why)
{
    uint32_t i, end;
    const struct chunk *chunks = w->r->manifest->chunks;
    bodies_fini(&w->attribute_bodies);
    memset(w->attributes, 0, w->attributes_span * sizeof(*w->attributes));
    w->attribute_index = index;
    chunks_of(w->r->manifest, w->uid, CHUNK_ATTRIBUTES, index, &i, &end);
    for (; i < end; i++) {
        struct slice body;
        struct image_attributes a;
        struct why inner = {{0}};
        enum err e = read_named(w->r, &chunks[i], bodies_add(&w->attribute_bodies), &body, why);
        if (e != OK)
            return e;
        if (image_attributes_open(body, &a, &inner) != OK)
            return misfit(&chunks[i], why, inner.text);
        if (!spread_attributes(&a, index * w->attributes_span, w->attributes_span, w->attributes))
            return misfit(&chunks[i], why, "attributes of rows that are not those of their index");
    }
    return OK;
}

/* The elements among the rows of one index of CHUNK_ALIVE. */
static enum err walk_alive(struct walk *w, const struct chunk *c, const struct image_alive *alive,
                           bool *go_on, struct why *why)
{
    uint32_t loaded = UINT32_MAX;
    enum err e = OK;
    for (uint32_t i = 0; i < alive->span && e == OK && *go_on; i++) {
        uint32_t row = alive->first + i;
        if (!image_bit(alive->bits, i))
            continue;
        if (row >= w->rows_end)
            return misfit(c, why, "a row behind the end of its collection is there");
        uint32_t index = row / w->rows_span;
        if (index != loaded) {
            bodies_fini(&w->row_bodies);
            memset(w->rows, 0, w->rows_span * sizeof(*w->rows));
            loaded = index;
            e = load_rows(w, CHUNK_ROWS, index, why);
            if (e == OK)
                e = load_rows(w, CHUNK_NEWER, index, why);
        }
        if (e == OK && row / w->attributes_span != w->attribute_index)
            e = load_attributes(w, row / w->attributes_span, why);
        struct snapshot_element *element = &w->rows[row % w->rows_span];
        if (e == OK && element->id.ptr == NULL)
            e = misfit(c, why, "a row is there of which no chunk has the contents");
        if (e != OK)
            break;
        element->attribute = w->attributes[row % w->attributes_span];
        *go_on = w->on_element(w->user, element);
    }
    return e;
}

static enum err walk_large(struct walk *w, struct why *why)
{
    const struct manifest *m = w->r->manifest;
    struct buf room = BUF_INIT(MEM_SNAPSHOT);
    bool go_on = true;
    enum err e = OK;
    for (uint32_t i = manifest_lower(m, w->uid, CHUNK_ALIVE, 0, 0);
         e == OK && go_on && i < m->chunk_count && m->chunks[i].uid == w->uid &&
         m->chunks[i].kind == CHUNK_ALIVE;
         i++) {
        struct slice body;
        struct image_alive alive;
        struct why inner = {{0}};
        e = read_named(w->r, &m->chunks[i], &room, &body, why);
        if (e == OK && image_alive_open(body, &alive, &inner) != OK)
            e = misfit(&m->chunks[i], why, inner.text);
        if (e == OK)
            e = walk_alive(w, &m->chunks[i], &alive, &go_on, why);
    }
    buf_fini(&room);
    return e;
}

/* Makes the tables; the collection's spans are below its rows where it has few. */
static enum err walk_tables(struct walk *w, uint32_t rows_span, uint32_t attributes_span,
                            struct why *why)
{
    w->rows_span = rows_span;
    w->attributes_span = attributes_span;
    w->attribute_index = UINT32_MAX;
    w->rows = mem_try_calloc(MEM_SNAPSHOT, rows_span * sizeof(*w->rows));
    w->attributes = mem_try_calloc(MEM_SNAPSHOT, attributes_span * sizeof(*w->attributes));
    if (w->rows == NULL || w->attributes == NULL)
        return why_set(why, ERR_NOMEM, "%u rows in a chunk need more memory than there is",
                       rows_span);
    return OK;
}

/* A collection in one chunk: every row that is in it is there. */
static enum err walk_small(struct walk *w, const struct chunk *c, struct why *why)
{
    struct buf room = BUF_INIT(MEM_SNAPSHOT);
    struct slice body, rest;
    struct image_rows rows;
    struct image_attributes a = {0};
    struct why inner = {{0}};
    enum err e = read_named(w->r, c, &room, &body, why);
    if (e == OK && image_rows_open(body, &rows, &rest, &inner) != OK)
        e = misfit(c, why, inner.text);
    if (e == OK && rest.len > 0 && image_attributes_open(rest, &a, &inner) != OK)
        e = misfit(c, why, inner.text);
    if (e == OK && (rows.first != 0 || a.first != 0 || a.span > rows.span))
        e = misfit(c, why, "a small set whose rows do not begin at 0");
    if (e == OK)
        e = walk_tables(w, rows.span, rows.span, why);
    if (e == OK) {
        CHECK(spread_rows(&rows, 0, rows.span, w->rows));
        CHECK(spread_attributes(&a, 0, rows.span, w->attributes));
        if (a.count == 0) /* too long for the chunk: they have their own */
            e = load_attributes(w, 0, why);
    }
    for (uint32_t i = 0; e == OK && i < rows.span; i++) {
        w->rows[i].attribute = w->attributes[i];
        if (w->rows[i].id.ptr != NULL && !w->on_element(w->user, &w->rows[i]))
            break;
    }
    buf_fini(&room);
    return e;
}

enum err snapshot_read_elements(struct snapshot_reader *r, uint64_t uid,
                                bool (*on_element)(void *user, const struct snapshot_element *e),
                                void *user, struct why *why)
{
    const struct manifest_collection *c = manifest_collection(r->manifest, uid);
    const struct chunk *small = manifest_find(r->manifest, uid, CHUNK_SMALL, 0, 0);
    struct walk w = {.r = r, .uid = uid, .on_element = on_element, .user = user};
    enum err e;
    if (c != NULL) {
        w.rows_end = c->rows_end;
        e = walk_tables(&w, c->rows_span, c->attributes_span, why);
        if (e == OK)
            e = walk_large(&w, why);
    } else if (small != NULL) {
        e = walk_small(&w, small, why);
    } else {
        e = why_set(why, ERR_CORRUPT, "the manifest has no collection with uid %" PRIu64, uid);
    }
    bodies_fini(&w.row_bodies);
    bodies_fini(&w.attribute_bodies);
    mem_free(MEM_SNAPSHOT, w.rows);
    mem_free(MEM_SNAPSHOT, w.attributes);
    return e;
}
