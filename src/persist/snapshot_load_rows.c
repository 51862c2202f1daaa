/* What chunks hold, put into collections. */
#include "persist/image.h"
#include "persist/snapshot_load.h"

/* Rows that an image has, one after the other. */
struct row_cursor {
    const struct image_rows *image;
    uint32_t offset; /* of the row from the first */
    uint32_t at;     /* of the row among those with contents */
    const uint8_t *id;
};

/* The next row with contents; false when there is none. */
static bool next_row(struct row_cursor *r, uint64_t birth, struct collection_load_row *out)
{
    const struct image_rows *image = r->image;
    if (r->at == image->count)
        return false;
    while (!image_bit(image->present, r->offset))
        r->offset++;
    CHECK(r->offset < image->span); /* image_rows_open has counted the bits */
    uint32_t size = image->id_sizes[r->at];
    *out = (struct collection_load_row){
        .row = image->first + r->offset,
        .birth = birth,
        .norm = image->norms[r->at],
        .expire_ms = image->expires == NULL ? 0 : image->expires[r->at],
        .partition = image->partitions == NULL ? PARTITION_DEFAULT : image->partitions[r->at],
        .id = {r->id, size},
        .code = image->codes + (size_t)r->at * image->code_size,
        .vector = image->vectors + (size_t)r->at * image->vector_size,
    };
    r->id += size;
    r->offset++;
    r->at++;
    return true;
}

/* Do the rows have codes and vectors as this collection has them, all finite? */
static bool rows_fit(const struct collection *c, const struct image_rows *image)
{
    const struct collection_spec *spec = &c->spec;
    bool vectors = c->columns.spec[COL_VECTOR].stride > 0;
    if (image->code_size != side_code_bytes(c->side) ||
        image->vector_size != (vectors ? type_size(spec->type, spec->dim) : 0))
        return false;
    bool finite = !vectors || image_vectors_finite(image, spec->type, spec->dim);
    for (uint32_t i = 0; i < image->count && image->code_size > 0; i++)
        finite = finite &&
                 codec_row_finite(&c->side->codec, image->codes + (size_t)i * image->code_size);
    return finite;
}

/* -- small sets -------------------------------------------------------------------------------- */

static enum err put_attributes(struct load_lane *lane, struct collection_load *l,
                               const struct image_attributes *a)
{
    const uint8_t *at = a->bytes.ptr;
    enum err e = OK;
    for (uint32_t i = 0; i < a->count && e == OK; i++) {
        uint16_t offset;
        uint32_t size;
        memcpy(&offset, a->offsets + i * sizeof(offset), sizeof(offset));
        memcpy(&size, a->sizes + i * sizeof(size), sizeof(size));
        if (!lane->load->damaged || collection_load_is_alive(l, a->first + offset))
            e = collection_load_attribute(l, &lane->cursor, a->first + offset,
                                          (struct slice){at, size});
        at += size;
        CHECK(at <= a->bytes.ptr + a->bytes.len);
    }
    return e;
}

static size_t heap_size_of(const struct image_rows *rows, const struct image_attributes *a)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < rows->count; i++)
        sum += heap_record_size(rows->id_sizes[i]);
    for (uint32_t i = 0; i < a->count; i++) {
        uint32_t size;
        memcpy(&size, a->sizes + i * sizeof(size), sizeof(size));
        sum += heap_record_size(size);
    }
    return sum;
}

/* Attributes that were too long for the chunk of the set: room for them, at most. */
static size_t room_apart(const struct snapshot_load *load, const struct load_collection *lc)
{
    size_t sum = 0;
    for (uint32_t i = lc->first_chunk; i < lc->chunk_end; i++) {
        const struct chunk *chunk = &load->manifest.chunks[i];
        if (chunk->kind == CHUNK_ATTRIBUTES)
            sum += chunk->size + chunk->count * heap_record_size(0);
    }
    return sum;
}

static enum err load_apart(struct load_lane *lane, struct load_collection *lc)
{
    enum err e = OK;
    for (uint32_t i = lc->first_chunk; i < lc->chunk_end && e == OK; i++) {
        struct image_attributes a;
        struct slice body;
        const struct chunk *chunk = &lane->load->manifest.chunks[i];
        if (chunk->kind != CHUNK_ATTRIBUTES)
            continue;
        e = load_chunk(lane, chunk, &lane->second, &body);
        if (load_tolerates(lane, e, "attributes")) {
            e = OK;
            continue;
        }
        if (e != OK)
            return e;
        e = image_attributes_open(body, &a, &lane->why);
        if (e != OK || a.first != 0)
            return load_blame(lane, chunk, ERR_CORRUPT, "attributes of no rows");
        e = put_attributes(lane, &lc->load, &a);
        if (e != OK)
            return load_blame(lane, chunk, e, "attributes that do not fit their set");
    }
    return e;
}

static enum err fill_small(struct load_lane *lane, struct load_collection *lc,
                           const struct image_rows *rows, const struct image_attributes *a,
                           uint64_t birth)
{
    struct collection_load *l = &lc->load;
    size_t heap_size = heap_size_of(rows, a) + room_apart(lane->load, lc);
    enum err e = collection_load_begin(l, lc->c, rows->span, false, false, 0, heap_size, 1);
    if (e == OK)
        e = collection_load_alive(l, 0, rows->span, rows->present);
    struct row_cursor cursor = {.image = rows, .id = rows->ids};
    struct collection_load_row row;
    while (e == OK && next_row(&cursor, birth, &row))
        e = collection_load_row(l, &lane->cursor, &row);
    return e == OK ? put_attributes(lane, l, a) : e;
}

static enum err load_small(struct load_lane *lane, struct load_collection *lc)
{
    const struct chunk *chunk = &lane->load->manifest.chunks[lc->first_chunk];
    struct image_rows rows;
    struct image_attributes a = {0};
    struct slice body, rest;
    CHECK(chunk->kind == CHUNK_SMALL);
    enum err e = load_chunk(lane, chunk, &lane->buffer, &body);
    if (load_tolerates(lane, e, "a small set, but for its name"))
        return collection_load_begin(&lc->load, lc->c, 0, false, false, 0, 0, 1);
    if (e != OK)
        return e;
    e = image_rows_open(body, &rows, &rest, &lane->why);
    if (e == OK && rest.len > 0)
        e = image_attributes_open(rest, &a, &lane->why);
    if (e != OK)
        return load_blame(lane, chunk, e, NULL);
    if (rows.first != 0 || a.first != 0 || rows.count != chunk->count || !rows_fit(lc->c, &rows))
        return load_blame(lane, chunk, ERR_CORRUPT, "rows that do not fit their set");
    e = fill_small(lane, lc, &rows, &a, chunk->lsn);
    if (e != OK)
        return load_blame(lane, chunk, e, "rows that do not fit their set");
    e = load_apart(lane, lc);
    if (e == OK)
        e = collection_load_ids(&lc->load);
    return e == OK || e == ERR_NOMEM ? e : load_blame(lane, chunk, e, "an id that is there twice");
}

/* -- collections with columns of their own ----------------------------------------------------- */

enum err load_begin(struct load_lane *lane, const struct load_item *item)
{
    struct load_collection *lc = item->collection;
    const struct manifest_collection *entry = lc->entry;
    CHECK(lc->c != NULL && lc->load.c == NULL);
    if (entry == NULL)
        return load_small(lane, lc);
    return collection_load_begin(&lc->load, lc->c, entry->rows_end, true, entry->has_graph,
                                 entry->upper_lists, entry->heap_bytes, lane->load->lane_count);
}

/* It is not known which of these rows there are, so there are none. */
static enum err lose_rows(struct load_collection *lc, const struct chunk *chunk)
{
    uint64_t first = (uint64_t)chunk->index * lc->entry->alive_span;
    uint64_t left = lc->entry->rows_end - first;
    uint32_t span = left < lc->entry->alive_span ? (uint32_t)left : lc->entry->alive_span;
    uint8_t *bits = mem_try_calloc(MEM_SNAPSHOT, (size_t)span / 8 + 1);
    if (bits == NULL)
        return ERR_NOMEM;
    enum err e = collection_load_alive(&lc->load, (uint32_t)first, span, bits);
    mem_free(MEM_SNAPSHOT, bits);
    return e;
}

enum err load_alive(struct load_lane *lane, const struct load_item *item)
{
    const struct chunk *chunk = &lane->load->manifest.chunks[item->chunk];
    struct load_collection *lc = item->collection;
    struct image_alive alive;
    struct slice body;
    enum err e = load_chunk(lane, chunk, &lane->buffer, &body);
    if (load_tolerates(lane, e, "the elements of many rows"))
        return lose_rows(lc, chunk);
    if (e != OK)
        return e;
    e = image_alive_open(body, &alive, &lane->why);
    if (e != OK)
        return load_blame(lane, chunk, e, NULL);
    uint64_t first = (uint64_t)chunk->index * lc->entry->alive_span;
    uint64_t left = lc->entry->rows_end - first;
    uint64_t span = left < lc->entry->alive_span ? left : lc->entry->alive_span;
    if (alive.first != first || alive.count != chunk->count || alive.span != span)
        return load_blame(lane, chunk, ERR_CORRUPT, "bits of rows that are not there");
    e = collection_load_alive(&lc->load, alive.first, alive.span, alive.bits);
    return e == OK ? OK : load_blame(lane, chunk, e, "bits of rows that are not there");
}

static enum err open_rows(struct load_lane *lane, const struct load_collection *lc,
                          const struct chunk *chunk, struct buf *buffer, struct image_rows *rows)
{
    struct slice body, rest;
    enum err e = load_chunk(lane, chunk, buffer, &body);
    if (e != OK)
        return e;
    e = image_rows_open(body, rows, &rest, &lane->why);
    if (e != OK)
        return load_blame(lane, chunk, e, NULL);
    uint64_t first = (uint64_t)chunk->index * lc->entry->rows_span;
    if (rest.len > 0 || rows->first != first || rows->span != lc->entry->rows_span ||
        rows->count != chunk->count || !rows_fit(lc->c, rows))
        return load_blame(lane, chunk, ERR_CORRUPT, "rows that do not fit their collection");
    return OK;
}

/* Rows that are alive; those that a newer chunk has are taken from there. */
static enum err put_rows(struct load_lane *lane, struct load_collection *lc,
                         const struct chunk *chunk, const struct image_rows *rows,
                         const struct image_rows *newer)
{
    struct row_cursor cursor = {.image = rows, .id = rows->ids};
    struct collection_load_row row;
    enum err e = OK;
    while (e == OK && next_row(&cursor, chunk->lsn, &row)) {
        if (!collection_load_is_alive(&lc->load, row.row) ||
            (newer != NULL && image_bit(newer->present, row.row - rows->first)))
            continue;
        e = collection_load_row(&lc->load, &lane->cursor, &row);
    }
    return e == OK ? OK : load_blame(lane, chunk, e, "a row that does not fit its collection");
}

static enum err load_rows(struct load_lane *lane, const struct load_item *item)
{
    const struct manifest *m = &lane->load->manifest;
    const struct chunk *chunk = &m->chunks[item->chunk];
    struct load_collection *lc = item->collection;
    CHECK(lc->entry != NULL && chunk->uid == lc->uid);
    const struct chunk *newer_chunk = manifest_find(m, lc->uid, CHUNK_NEWER, chunk->index, 0);
    struct image_rows rows, newer;
    enum err e = open_rows(lane, lc, chunk, &lane->buffer, &rows);
    if (e == OK && newer_chunk != NULL)
        e = open_rows(lane, lc, newer_chunk, &lane->second, &newer);
    /* Without either it is not known which row stands where. */
    if (load_tolerates(lane, e, "elements"))
        return OK;
    if (e == OK)
        e = put_rows(lane, lc, chunk, &rows, newer_chunk == NULL ? NULL : &newer);
    if (e == OK && newer_chunk != NULL)
        e = put_rows(lane, lc, newer_chunk, &newer, NULL);
    return e;
}

static enum err load_attributes(struct load_lane *lane, const struct load_item *item)
{
    const struct chunk *chunk = &lane->load->manifest.chunks[item->chunk];
    struct load_collection *lc = item->collection;
    struct image_attributes a;
    struct slice body;
    enum err e = load_chunk(lane, chunk, &lane->buffer, &body);
    if (load_tolerates(lane, e, "attributes"))
        return OK;
    if (e != OK)
        return e;
    e = image_attributes_open(body, &a, &lane->why);
    if (e != OK)
        return load_blame(lane, chunk, e, NULL);
    uint64_t first = (uint64_t)chunk->index * lc->entry->attributes_span;
    if (a.first != first || a.span != lc->entry->attributes_span || a.count != chunk->count)
        return load_blame(lane, chunk, ERR_CORRUPT, "attributes of other rows");
    e = put_attributes(lane, &lc->load, &a);
    return e == OK ? OK : load_blame(lane, chunk, e, "attributes that do not fit");
}

static enum err put_links(struct load_lane *lane, struct load_collection *lc,
                          const struct image_links *links)
{
    struct collection_load *l = &lc->load;
    uint32_t list = 0, at = 0, link = 0;
    enum err e = OK;
    for (uint32_t offset = 0; at < links->count && e == OK; offset++) {
        struct hnsw_image_row row = {.links = (uint32_t *)(void *)lane->links.ptr + link};
        if (!image_bit(links->present, offset))
            continue;
        row.level = image_level(links->levels[at]);
        row.lost = hnsw_image_lost(l->c->side->graph, image_wear(links->levels[at]));
        image_unpack(links->parents + (size_t)at * links->width, &row.parent, 1, links->width);
        CHECK(offset < links->span && list + (uint32_t)row.level < links->lists);
        for (int level = 0; level <= row.level; level++) {
            row.sizes[level] = links->sizes[list++];
            link += row.sizes[level];
        }
        at++;
        if (collection_load_is_alive(l, links->first + offset))
            e = hnsw_image_put(&l->graph, links->first + offset, &row);
        else if (!lane->load->damaged)
            return ERR_CORRUPT;
    }
    return e;
}

static enum err load_links(struct load_lane *lane, const struct load_item *item)
{
    const struct chunk *chunk = &lane->load->manifest.chunks[item->chunk];
    struct load_collection *lc = item->collection;
    struct image_links links;
    struct slice body;
    enum err e = load_chunk(lane, chunk, &lane->buffer, &body);
    if (load_tolerates(lane, e, "links, which are made again"))
        return OK;
    if (e != OK)
        return e;
    e = image_links_open(body, &links, &lane->why);
    if (e != OK)
        return load_blame(lane, chunk, e, NULL);
    uint64_t first = (uint64_t)chunk->index * lc->entry->links_span;
    if (links.first != first || links.span != lc->entry->links_span || links.count != chunk->count)
        return load_blame(lane, chunk, ERR_CORRUPT, "links of other rows");
    buf_clear(&lane->links, SIZE_MAX);
    uint8_t *room = buf_reserve(&lane->links, ((size_t)links.links + 1) * sizeof(uint32_t));
    if (room == NULL)
        return ERR_NOMEM;
    image_unpack(links.rows, (uint32_t *)(void *)room, links.links, links.width);
    e = put_links(lane, lc, &links);
    return e == OK ? OK : load_blame(lane, chunk, e, "links that do not fit their collection");
}

enum err load_contents(struct load_lane *lane, const struct load_item *item)
{
    switch (lane->load->manifest.chunks[item->chunk].kind) {
    case CHUNK_ROWS:
        return load_rows(lane, item);
    case CHUNK_ATTRIBUTES:
        return load_attributes(lane, item);
    case CHUNK_LINKS:
        return load_links(lane, item);
    case CHUNK_NEWER: /* with its CHUNK_ROWS */
    case CHUNK_KEYS:
    case CHUNK_SMALL:
    case CHUNK_ALIVE:
        break;
    }
    return OK;
}
