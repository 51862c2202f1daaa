#include "lib/data_folder.h"

#include <math.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "db/mutation.h"
#include "lib/test.h"
#include "persist/image.h"
#include "persist/log_format.h"
#include "persist/snapshot_read.h"

enum { DIM = 4, SPAN = 64, ROWS_END = 70, DEAD_ROW = 3, ATTRIBUTE_ROW = 5, M = 4 };
enum { SMALL_UID = 1, LARGE_UID = 2, NEXT_UID = 3, PACK_ID = 1, SNAPSHOT_LSN = 2, LAST_LSN = 4 };
enum { CHUNKS_MAX = 16, WALL_MS = 1000 };

const char *flaw_name(enum flaw flaw)
{
    static const char *const names[] = {
#define X(flaw, word) #flaw,
        FLAW_LIST(X)
#undef X
    };
    return names[flaw];
}

const char *flaw_word(enum flaw flaw)
{
    static const char *const words[] = {
#define X(flaw, word) word,
        FLAW_LIST(X)
#undef X
    };
    return words[flaw];
}

/* -- as struct io ------------------------------------------------------------------------------ */

struct open_file {
    struct io_file file;
    const struct buf *bytes;
};

static struct data_folder *folder_of(struct io *io)
{
    return (struct data_folder *)((char *)io - offsetof(struct data_folder, io));
}

static enum err file_open(struct io *io, const char *path, int flags, struct io_file **out,
                          struct why *why)
{
    struct data_folder *d = folder_of(io);
    const char *name = strrchr(path, '/');
    CHECK(flags == IO_READ && name != NULL);
    for (size_t i = 0; i < d->count; i++) {
        if (strcmp(d->files[i].name, name + 1) != 0)
            continue;
        struct open_file *f = mem_calloc(MEM_TEST, sizeof(*f));
        *f = (struct open_file){{io}, &d->files[i].bytes};
        *out = &f->file;
        return OK;
    }
    return why_set(why, ERR_NOT_FOUND, "%s is not there", path);
}

static enum err file_read(struct io_file *file, uint64_t at, void *to, size_t len, size_t *got)
{
    const struct buf *bytes = ((struct open_file *)(void *)file)->bytes;
    size_t left = at < bytes->len ? bytes->len - (size_t)at : 0;
    *got = len < left ? len : left;
    if (*got > 0)
        memcpy(to, bytes->ptr + at, *got);
    return OK;
}

static enum err file_size(struct io_file *file, uint64_t *out)
{
    *out = ((struct open_file *)(void *)file)->bytes->len;
    return OK;
}

static void file_close(struct io_file *file)
{
    mem_free(MEM_TEST, file);
}

static enum err list_dir(struct io *io, const char *dir,
                         void (*on_name)(void *user, const char *name), void *user)
{
    struct data_folder *d = folder_of(io);
    (void)dir;
    for (size_t i = 0; i < d->count; i++)
        on_name(user, d->files[i].name);
    return OK;
}

static const struct io_ops ops = {
    .file_open = file_open,
    .file_read = file_read,
    .file_size = file_size,
    .file_close = file_close,
    .list_dir = list_dir,
};

static struct buf *add_file(struct data_folder *d, const char *name)
{
    CHECK(d->count < DATA_FILES_MAX);
    struct data_file *f = &d->files[d->count++];
    (void)snprintf(f->name, sizeof(f->name), "%s", name);
    f->bytes = BUF_INIT(MEM_TEST);
    return &f->bytes;
}

struct data_file *data_folder_file(struct data_folder *d, const char *suffix)
{
    for (size_t i = 0; i < d->count; i++)
        if (strstr(d->files[i].name, suffix) != NULL)
            return &d->files[i];
    return NULL;
}

void data_folder_free(struct data_folder *d)
{
    for (size_t i = 0; i < d->count; i++)
        buf_fini(&d->files[i].bytes);
    d->count = 0;
}

/* -- the snapshot ------------------------------------------------------------------------------ */

struct maker {
    enum flaw flaw;
    struct buf pack;
    struct chunk chunks[CHUNKS_MAX];
    uint32_t count;
};

static void add_chunk(struct maker *m, uint64_t uid, enum chunk_kind kind, uint32_t index,
                      uint32_t count, struct buf *body)
{
    uint8_t header[CHUNK_HEADER_SIZE];
    CHECK(m->count < CHUNKS_MAX);
    struct chunk *c = &m->chunks[m->count++];
    *c = (struct chunk){.uid = uid,
                        .index = index,
                        .kind = kind,
                        .lsn = SNAPSHOT_LSN,
                        .count = count,
                        .pack = PACK_ID,
                        .offset = m->pack.len,
                        .size = (uint32_t)body->len,
                        .crc = crc32c(buf_slice(body))};
    chunk_hash(buf_slice(body), c->hash);
    if (m->flaw == FLAW_HASH && kind == CHUNK_ALIVE)
        c->hash[1] ^= 1;
    chunk_header_put(c, header);
    buf_append(&m->pack, header, sizeof(header));
    buf_append_slice(&m->pack, buf_slice(body));
    image_pad(&m->pack, 0);
    buf_fini(body);
}

static struct collection_spec spec_of(bool implicit)
{
    struct collection_spec s = spec_default(DIM);
    s.quant = QUANT_NONE;
    s.metric = METRIC_L2;
    s.m = M;
    s.implicit = implicit;
    return s;
}

static void add_keys(struct maker *m)
{
    struct buf body = BUF_INIT(MEM_TEST);
    struct image_key text = {.place = 0,
                             .type = OBJECT_STRING,
                             .expire_ms = 5000,
                             .key = slice_of("text"),
                             .value = slice_of("some words")};
    struct image_key small = {.place = 2,
                              .type = OBJECT_COLLECTION,
                              .key = slice_of("small"),
                              .uid = SMALL_UID,
                              .spec = spec_of(true)};
    small.shape = spec_shape(&small.spec);
    struct image_key large = {.place = 3,
                              .type = OBJECT_COLLECTION,
                              .key = slice_of("large"),
                              .uid = m->flaw == FLAW_UID_TWICE ? SMALL_UID : LARGE_UID,
                              .spec = spec_of(false)};
    large.shape = spec_shape(&large.spec);
    if (m->flaw == FLAW_KEY_TWICE)
        small.key = text.key;
    if (m->flaw == FLAW_KEY_PLACE)
        large.place = 1;
    if (m->flaw == FLAW_UID_UNKNOWN)
        large.uid = NEXT_UID;
    image_keys_begin(&body, 0);
    image_key_put(&body, &text);
    image_key_put(&body, &small);
    if (m->flaw != FLAW_KEY_MISSING)
        image_key_put(&body, &large);
    add_chunk(m, 0, CHUNK_KEYS, 0, m->flaw == FLAW_KEY_MISSING ? 2 : 3, &body);
}

/* Fills rows [from, end) of a body; ids are two letters and the row. */
static void fill_rows(struct maker *m, struct image_rows *rows, uint32_t from, uint32_t end)
{
    uint32_t nth = 0;
    for (uint32_t row = from; row < end; row++, nth++) {
        char id[8];
        uint32_t named = m->flaw == FLAW_ID_TWICE && row == 9 ? 8 : row;
        (void)snprintf(id, sizeof(id), "id%02u", named % 100);
        image_bit_set(rows->present, row - rows->first);
        rows->norms[nth] = 1;
        rows->id_sizes[nth] = 4;
        memcpy(rows->ids + 4 * nth, id, 4);
        for (uint32_t i = 0; i < rows->vector_size / sizeof(float); i++)
            ((float *)(void *)rows->vectors)[nth * (rows->vector_size / sizeof(float)) + i] =
                m->flaw == FLAW_NOT_FINITE && row == 66 ? NAN : (float)(row + i);
    }
}

static void add_rows(struct maker *m, enum chunk_kind kind, uint32_t from, uint32_t end)
{
    struct buf body = BUF_INIT(MEM_TEST);
    struct image_rows rows = {.first = from / SPAN * SPAN,
                              .span = SPAN,
                              .count = end - from,
                              .vector_size = DIM * sizeof(float),
                              .ids_size = 4 * (end - from)};
    uint32_t index = from / SPAN;
    if (m->flaw == FLAW_VECTOR_SIZE && index == 1)
        rows.vector_size = 2 * DIM * sizeof(float);
    if (m->flaw == FLAW_OTHER_INDEX && index == 1)
        rows.first = 0;
    REQUIRE(image_rows_begin(&body, &rows));
    fill_rows(m, &rows, rows.first + from % SPAN, rows.first + from % SPAN + end - from);
    add_chunk(m, LARGE_UID, kind, index, end - from, &body);
}

static void add_small(struct maker *m)
{
    struct buf body = BUF_INIT(MEM_TEST);
    static const char json[] = "{\"a\":1}";
    const uint16_t offset = 1;
    const uint32_t size = sizeof(json) - 1;
    struct image_rows rows = {.span = DATA_SMALL_ELEMENTS,
                              .count = DATA_SMALL_ELEMENTS,
                              .vector_size = DIM * sizeof(float),
                              .ids_size = 4 * DATA_SMALL_ELEMENTS};
    REQUIRE(image_rows_begin(&body, &rows));
    fill_rows(m, &rows, 0, DATA_SMALL_ELEMENTS);
    if (m->flaw == FLAW_SMALL_ID_TWICE)
        memcpy(rows.ids + 4, rows.ids, 4);
    image_attributes_begin(&body, 0, DATA_SMALL_ELEMENTS, 1, &offset, &size);
    buf_append(&body, json, size);
    image_pad(&body, 0);
    add_chunk(m, SMALL_UID, CHUNK_SMALL, 0, DATA_SMALL_ELEMENTS, &body);
}

static void add_alive(struct maker *m, uint32_t index)
{
    struct buf body = BUF_INIT(MEM_TEST);
    uint32_t end = m->flaw == FLAW_ROW_BEHIND_END ? ROWS_END + 1 : ROWS_END;
    struct image_alive alive = {.first = index * SPAN};
    alive.span = end - alive.first < SPAN ? end - alive.first : SPAN;
    for (uint32_t row = alive.first; row < alive.first + alive.span; row++)
        alive.count += row != DEAD_ROW;
    REQUIRE(image_alive_begin(&body, &alive));
    for (uint32_t row = alive.first; row < alive.first + alive.span; row++)
        if (row != DEAD_ROW)
            image_bit_set(alive.bits, row - alive.first);
    add_chunk(m, LARGE_UID, CHUNK_ALIVE, index, alive.count, &body);
}

static void add_attributes(struct maker *m)
{
    struct buf body = BUF_INIT(MEM_TEST);
    const uint16_t offset = m->flaw == FLAW_ATTRIBUTE_OF_NO_ROW ? DEAD_ROW : ATTRIBUTE_ROW;
    const uint32_t size = 2;
    image_attributes_begin(&body, 0, SPAN, 1, &offset, &size);
    buf_append(&body, "{}", size);
    image_pad(&body, 0);
    add_chunk(m, LARGE_UID, CHUNK_ATTRIBUTES, 0, 1, &body);
}

/* Row 0 has a level more, without links; every living row of the chunk links to the next one. */
static void add_links(struct maker *m)
{
    struct buf body = BUF_INIT(MEM_TEST);
    uint32_t each = m->flaw == FLAW_LINKS_TOO_MANY ? 2 * M + 1 : 1, next = 0;
    bool dead = m->flaw == FLAW_LINKS_OF_NO_ROW;
    uint32_t count = dead ? SPAN : SPAN - 1;
    struct image_links links = {
        .span = SPAN, .count = count, .lists = count + 1, .links = count * each, .width = 3};
    REQUIRE(image_links_begin(&body, &links));
    links.levels[0] = 1;
    for (uint32_t row = 0, list = 0, nth = 0; row < SPAN; row++) {
        uint32_t to = (row + 1) % SPAN;
        if (row == DEAD_ROW && !dead)
            continue;
        image_bit_set(links.present, row);
        image_pack(links.parents + nth++ * 3, &to, 1, 3);
        links.sizes[list] = (uint16_t)each;
        for (uint32_t i = 0; i < each; i++)
            image_pack(links.rows + (next++) * 3, &to, 1, 3);
        list += row == 0 ? 2 : 1; /* the list of level 1 is empty */
    }
    add_chunk(m, LARGE_UID, CHUNK_LINKS, 0, count, &body);
}

static void add_chunks(struct maker *m)
{
    add_keys(m);
    add_small(m);
    add_alive(m, 0);
    add_alive(m, 1);
    add_rows(m, CHUNK_ROWS, 0, SPAN);
    add_rows(m, CHUNK_ROWS, SPAN, ROWS_END - 2);
    if (m->flaw != FLAW_ROW_WITHOUT_CONTENTS)
        add_rows(m, CHUNK_NEWER, ROWS_END - 2, ROWS_END);
    add_attributes(m);
    add_links(m);
}

static void make_snapshot(struct data_folder *d, enum flaw flaw)
{
    struct maker m = {.flaw = flaw, .pack = BUF_INIT(MEM_TEST)};
    uint8_t header[PACK_HEADER_SIZE];
    char name[SNAPSHOT_NAME_SIZE];
    pack_header_put(PACK_ID, SNAPSHOT_LSN, header);
    buf_append(&m.pack, header, sizeof(header));
    add_chunks(&m);
    struct manifest_pack pack = {.id = PACK_ID, .size = m.pack.len};
    struct manifest_collection large = {.uid = LARGE_UID,
                                        .rows_end = ROWS_END,
                                        .live = flaw == FLAW_LIVE_COUNT ? DATA_ELEMENTS - 1
                                                                        : DATA_ELEMENTS,
                                        .attributes = flaw == FLAW_ATTRIBUTE_COUNT ? 2 : 1,
                                        .upper_lists = 1,
                                        .heap_bytes = flaw == FLAW_HEAP_BYTES ? 100 : 10000,
                                        .rows_span = SPAN,
                                        .links_span = SPAN,
                                        .attributes_span = SPAN,
                                        .alive_span = SPAN,
                                        .has_graph = true};
    struct manifest manifest = {.lsn = SNAPSHOT_LSN,
                                .next_uid = NEXT_UID,
                                .wall_ms = WALL_MS,
                                .key_count =
                                    flaw == FLAW_KEY_COUNT || flaw == FLAW_KEY_MISSING ? 2 : 3,
                                .slots_end = 4,
                                .packs = &pack,
                                .pack_count = 1,
                                .collections = &large,
                                .collection_count = 1,
                                .chunks = m.chunks,
                                .chunk_count = m.count};
    snapshot_manifest_name(flaw == FLAW_MANIFEST_NAME ? 1 : SNAPSHOT_LSN, name);
    manifest_encode(&manifest, add_file(d, name));
    snapshot_pack_name(flaw == FLAW_PACK_MISSING ? PACK_ID + 1 : PACK_ID, name);
    buf_append_slice(add_file(d, name), buf_slice(&m.pack));
    if (flaw == FLAW_PACK_LONG)
        buf_append(&data_folder_file(d, ".vpk")->bytes, header, sizeof(header));
    buf_fini(&m.pack);
}

/* -- the log ----------------------------------------------------------------------------------- */

static void add_record(struct buf *file, uint64_t lsn, uint64_t durable_lsn, uint32_t *crc,
                       bool none)
{
    struct buf payload = BUF_INIT(MEM_TEST);
    const float vector[DIM] = {0.5F, 0.25F, 1, 2};
    struct mutation_element element = {.id = slice_of("id"), .vector = vector, .norm = 1};
    struct mutation put = {.kind = MUTATION_PUT,
                           .key = slice_of("large"),
                           .dim = DIM,
                           .elements = &element,
                           .count = 1};
    struct mutation set = {
        .kind = MUTATION_STRING_SET, .key = slice_of("text"), .value = slice_of("other words")};
    mutation_encode(lsn % 2 == 0 ? &put : &set, &payload);
    if (none)
        payload.ptr[0] = 99; /* a kind that there is not */
    struct log_record record = {.lsn = lsn,
                                .durable_lsn = durable_lsn,
                                .wall_ms = WALL_MS + lsn,
                                .kind = LOG_CHANGE,
                                .previous_crc = *crc,
                                .payload = buf_slice(&payload)};
    size_t size = log_record_size(payload.len);
    uint8_t *to = buf_reserve(file, size);
    REQUIRE(to != NULL);
    log_record_encode(&record, to);
    buf_advance(file, size);
    *crc = record.crc;
    buf_fini(&payload);
}

/* Records first .. first + 1. */
static void add_segment(struct data_folder *d, uint64_t first, uint32_t *crc, enum flaw flaw)
{
    char name[LOG_NAME_SIZE];
    uint8_t header[LOG_SEGMENT_HEADER_SIZE];
    struct log_segment s = {.generation = 1,
                            .previous_crc = *crc,
                            .first_lsn = first,
                            .durable_lsn = first - 1,
                            .created_ms = WALL_MS};
    memset(s.run_id, 'r', LOG_RUN_ID_SIZE);
    log_segment_name(1, first, name);
    struct buf *file = add_file(d, name);
    log_segment_encode(&s, header);
    buf_append(file, header, sizeof(header));
    add_record(file, first, first - 1, crc, flaw == FLAW_RECORD_IS_NONE && first == 3);
    add_record(file, first + 1, first, crc, false);
}

static void make_log(struct data_folder *d, enum flaw flaw)
{
    uint32_t crc = 0;
    uint8_t slot[LOG_NOTE_SLOT_SIZE];
    uint64_t last = flaw == FLAW_LSN_MISSING ? LAST_LSN + 1 : LAST_LSN;
    add_segment(d, 1, &crc, flaw);
    if (flaw == FLAW_OTHER_HISTORY)
        crc ^= 1;
    add_segment(d, last - 1, &crc, flaw);
    struct buf *note = add_file(d, LOG_NOTE_NAME);
    const struct log_note older = {.sequence = 2, .durable_lsn = last - 1, .generation = 1};
    const struct log_note newer = {
        .sequence = 3, .durable_lsn = last, .generation = 1, .clean = true};
    log_note_encode(&older, slot);
    buf_append(note, slot, sizeof(slot));
    log_note_encode(&newer, slot);
    buf_append(note, slot, sizeof(slot));
}

void data_folder_make(struct data_folder *d, enum flaw flaw)
{
    *d = (struct data_folder){.io = {&ops}};
    make_snapshot(d, flaw);
    make_log(d, flaw);
}
