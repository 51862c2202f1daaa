/* The chunks of a collection that has left its slab: which rows are alive, what they hold, their
 * attributes, their links. */
#include "index/hnsw_image.h"
#include "persist/image.h"
#include "persist/snapshot_encode.h"

enum {
    ATTRIBUTES_SPAN = 1024,
    ALIVE_SPAN = 512 * 1024,
    ROW_BESIDES = 24,    /* bytes of a row besides code and vector, about */
    NEWER_SHARE = 4,     /* rows are written whole again when one in so many is newer */
    ALIVE_SHARE = 2,     /* or when fewer than one in so many are left */
    SHORT_ROWS = 1 << 24 /* row numbers below fit 3 bytes */
};

/* As in the last snapshot, so that its chunks can stay. */
static void choose_spans(struct collection_encoding *e)
{
    struct manifest_collection *m = &e->entry;
    const struct manifest *last = e->x->packs->last;
    const struct manifest_collection *before =
        last == NULL ? NULL : manifest_collection(last, e->c->uid);
    if (before != NULL) {
        m->rows_span = before->rows_span;
        m->links_span = before->links_span;
        m->attributes_span = before->attributes_span;
        m->alive_span = before->alive_span;
        e->same_layout = before->layout == m->layout;
        return;
    }
    uint32_t row = ROW_BESIDES + side_code_bytes(e->view->side) +
                   (e->view->has_exact ? e->c->exact.row_size : 0);
    uint32_t list = ROW_BESIDES + 2 * e->view->side->shape.m * 3;
    m->rows_span = e->x->chunk_bytes / row > 0 ? e->x->chunk_bytes / row : 1;
    m->links_span = (e->x->chunk_bytes / 2 / list + IMAGE_BITS) / IMAGE_BITS * IMAGE_BITS;
    m->attributes_span = ATTRIBUTES_SPAN;
    m->alive_span = ALIVE_SPAN;
}

static uint32_t index_count(const struct collection_encoding *e, uint32_t span)
{
    return (uint32_t)(((uint64_t)e->entry.rows_end + span - 1) / span);
}

static bool is_cancelled(const struct collection_encoding *e)
{
    lane_give_way(e->x->lane);
    return atomic_load_explicit(e->x->cancelled, memory_order_relaxed);
}

/* -- which rows are alive ---------------------------------------------------------------------- */

static enum err encode_alive(struct collection_encoding *e, uint32_t index)
{
    struct snapshot_encoder *x = e->x;
    struct image_alive image = {.first = index * e->entry.alive_span};
    uint32_t left = e->entry.rows_end - image.first;
    image.span = left < e->entry.alive_span ? left : e->entry.alive_span;
    buf_clear(&x->body, SIZE_MAX);
    if (!image_alive_begin(&x->body, &image))
        return ERR_NOMEM;
    for (uint32_t i = 0; i < image.span; i++) {
        if (!row_visible(&e->view->codes, image.first + i))
            continue;
        image_bit_set(image.bits, i);
        image.count++;
        e->entry.heap_bytes += heap_record_size(view_id(e->view, image.first + i).len);
    }
    image_alive_end(&image);
    e->entry.live += image.count;
    struct chunk chunk = {
        .uid = e->c->uid, .kind = CHUNK_ALIVE, .index = index, .count = image.count};
    return pack_writer_put_changed(x->packs, &chunk, buf_slice(&x->body));
}

/* -- what they hold ---------------------------------------------------------------------------- */

static enum err write_rows(struct collection_encoding *e, enum chunk_kind kind, uint32_t index,
                           uint32_t count)
{
    struct snapshot_encoder *x = e->x;
    uint32_t span = e->entry.rows_span;
    CHECK(count > 0 && count <= span);
    buf_clear(&x->body, SIZE_MAX);
    enum err err = snapshot_append_rows(e, index * span, span, x->rows, count);
    lane_give_way(x->lane);
    struct chunk chunk = {.uid = e->c->uid, .kind = kind, .index = index, .count = count};
    return err == OK ? pack_writer_put(x->packs, &chunk, buf_slice(&x->body)) : err;
}

static enum err encode_rows(struct collection_encoding *e, uint32_t index)
{
    struct snapshot_encoder *x = e->x;
    const uint64_t uid = e->c->uid;
    uint32_t first = index * e->entry.rows_span, span = e->entry.rows_span;
    const struct chunk *base =
        e->same_layout ? pack_writer_last(x->packs, uid, CHUNK_ROWS, index, 0) : NULL;
    uint32_t alive = snapshot_list_rows(e, first, span, 0);
    if (alive == 0)
        return OK;
    if (base == NULL)
        return write_rows(e, CHUNK_ROWS, index, alive);
    const struct chunk *newer = pack_writer_last(x->packs, uid, CHUNK_NEWER, index, 0);
    uint32_t fresh = snapshot_list_rows(e, first, span, base->lsn);
    CHECK(fresh <= alive && (newer == NULL || newer->lsn >= base->lsn));
    if ((uint64_t)fresh * NEWER_SHARE > span ||
        (uint64_t)(alive - fresh) * ALIVE_SHARE < base->count)
        return write_rows(e, CHUNK_ROWS, index, snapshot_list_rows(e, first, span, 0));
    enum err err = pack_writer_keep(x->packs, base);
    if (err != OK || fresh == 0)
        return err;
    if (newer != NULL && snapshot_list_rows(e, first, span, newer->lsn) == 0)
        return pack_writer_keep(x->packs, newer);
    return write_rows(e, CHUNK_NEWER, index, snapshot_list_rows(e, first, span, base->lsn));
}

/* -- links ------------------------------------------------------------------------------------- */

/* The linked rows of a span, gathered before it is known how many links they have. */
struct gathered {
    struct image_links image;
    struct buf levels, sizes, parents, links; /* u8, u16, u32, u32 */
};

static void gathered_fini(struct gathered *g)
{
    buf_fini(&g->levels);
    buf_fini(&g->sizes);
    buf_fini(&g->parents);
    buf_fini(&g->links);
}

/* Links and parents that came after the view; their numbers may be too long for the file. Links
 * that they have replaced are lost. Returns how many links are left. */
static size_t drop_later(struct hnsw_image_row *row, uint32_t end)
{
    size_t from = 0, kept = 0;
    CHECK(row->level >= 0 && row->level < HNSW_LEVELS_MAX);
    for (int level = 0; level <= row->level; level++) {
        size_t before = kept;
        for (size_t list_end = from + row->sizes[level]; from < list_end; from++)
            if (row->links[from] < end)
                row->links[kept++] = row->links[from];
        if (level == 0)
            row->lost += row->sizes[0] - (uint32_t)kept;
        row->sizes[level] = (uint16_t)(kept - before);
    }
    if (row->parent >= end)
        row->parent = ROW_NONE;
    return kept;
}

static bool gather_row(struct gathered *g, struct collection_encoding *e, uint32_t at)
{
    struct hnsw_image_row row = {.links = e->x->links};
    if (!hnsw_image_get(e->view->graph, e->x->rows[at], &row))
        return false;
    size_t links = drop_later(&row, e->view->codes.end);
    uint32_t lists = (uint32_t)row.level + 1;
    uint8_t wear = hnsw_image_wear(e->view->graph, row.lost);
    _Static_assert(IMAGE_LEVEL_BITS + HNSW_WEAR_BITS == 8, "level and wear share a byte");
    buf_append_byte(&g->levels, (uint8_t)(row.level | wear << IMAGE_LEVEL_BITS));
    buf_append(&g->sizes, row.sizes, lists * sizeof(row.sizes[0]));
    buf_append(&g->parents, &row.parent, sizeof(row.parent));
    buf_append(&g->links, row.links, links * sizeof(*row.links));
    g->image.count++;
    g->image.lists += lists;
    g->image.links += (uint32_t)links;
    e->entry.upper_lists += lists - 1;
    return true;
}

static enum err write_links(struct gathered *g, struct collection_encoding *e, uint32_t index)
{
    struct snapshot_encoder *x = e->x;
    struct image_links *image = &g->image;
    CHECK(image->count == g->levels.len && image->links * sizeof(uint32_t) == g->links.len);
    CHECK(image->lists * sizeof(uint16_t) == g->sizes.len);
    buf_clear(&x->body, SIZE_MAX);
    if (!image_links_begin(&x->body, image))
        return ERR_NOMEM;
    for (uint32_t i = 0; i < image->count; i++)
        image_bit_set(image->present, x->rows[i] - image->first);
    memcpy(image->levels, g->levels.ptr, g->levels.len);
    memcpy(image->sizes, g->sizes.ptr, g->sizes.len);
    image_pack(image->parents, (const uint32_t *)(const void *)g->parents.ptr, image->count,
               image->width);
    if (image->links > 0)
        image_pack(image->rows, (const uint32_t *)(const void *)g->links.ptr, image->links,
                   image->width);
    struct chunk chunk = {
        .uid = e->c->uid, .kind = CHUNK_LINKS, .index = index, .count = image->count};
    return pack_writer_put_changed(x->packs, &chunk, buf_slice(&x->body));
}

static enum err encode_links(struct collection_encoding *e, uint32_t index)
{
    struct snapshot_encoder *x = e->x;
    uint32_t span = e->entry.links_span;
    struct gathered g = {
        .image = {.first = index * span,
                  .span = span,
                  .width = e->view->codes.end < SHORT_ROWS ? 3 : 4},
        .levels = BUF_INIT(MEM_SNAPSHOT),
        .sizes = BUF_INIT(MEM_SNAPSHOT),
        .parents = BUF_INIT(MEM_SNAPSHOT),
        .links = BUF_INIT(MEM_SNAPSHOT),
    };
    uint32_t alive = snapshot_list_rows(e, g.image.first, span, 0), linked = 0;
    for (uint32_t i = 0; i < alive; i++)
        if (gather_row(&g, e, i))
            x->rows[linked++] = x->rows[i];
    enum err err = OK;
    if (buf_failed(&g.levels) || buf_failed(&g.sizes) || buf_failed(&g.parents) ||
        buf_failed(&g.links))
        err = ERR_NOMEM;
    if (err == OK && linked > 0)
        err = write_links(&g, e, index);
    gathered_fini(&g);
    return err;
}

/* -- all --------------------------------------------------------------------------------------- */

static enum err reserve(struct collection_encoding *e)
{
    struct snapshot_encoder *x = e->x;
    uint32_t most =
        e->entry.rows_span > e->entry.links_span ? e->entry.rows_span : e->entry.links_span;
    if (!snapshot_encoder_rows(x, most))
        return ERR_NOMEM;
    size_t links = e->entry.has_graph ? hnsw_image_links_max(e->view->graph) : 0;
    if (links > x->links_capacity) {
        uint32_t *grown = mem_try_realloc(MEM_SNAPSHOT, x->links, links * sizeof(*grown));
        if (grown == NULL)
            return ERR_NOMEM;
        x->links = grown;
        x->links_capacity = links;
    }
    if (x->collection_count < x->collection_capacity)
        return OK;
    uint32_t capacity = x->collection_capacity == 0 ? 16 : x->collection_capacity * 2;
    struct manifest_collection *grown =
        mem_try_realloc(MEM_SNAPSHOT, x->collections, capacity * sizeof(*grown));
    if (grown == NULL)
        return ERR_NOMEM;
    x->collections = grown;
    x->collection_capacity = capacity;
    return OK;
}

static enum err for_all(struct collection_encoding *e, uint32_t span,
                        enum err (*encode)(struct collection_encoding *e, uint32_t index))
{
    uint32_t count = index_count(e, span);
    enum err err = OK;
    for (uint32_t i = 0; i < count && err == OK; i++)
        err = is_cancelled(e) ? ERR_CANCELLED : encode(e, i);
    return err;
}

static enum err encode_attributes(struct collection_encoding *e, uint32_t index)
{
    return snapshot_encode_attributes(e, index, e->entry.attributes_span);
}

enum err snapshot_encode_large(struct collection_encoding *e)
{
    CHECK(e->view->codes.lsn < LSN_NEVER && e->entry.uid == 0);
    e->entry.uid = e->c->uid;
    e->entry.rows_end = e->view->codes.end;
    e->entry.has_graph = e->view->graph != NULL && e->view->graph->ops->is_graph;
    e->entry.layout = manifest_layout(&e->view->side->shape);
    choose_spans(e);
    enum err err = reserve(e);
    if (err == OK)
        err = for_all(e, e->entry.alive_span, encode_alive);
    if (err == OK)
        err = for_all(e, e->entry.rows_span, encode_rows);
    if (err == OK)
        err = for_all(e, e->entry.attributes_span, encode_attributes);
    if (err == OK && e->entry.has_graph)
        err = for_all(e, e->entry.links_span, encode_links);
    if (err == OK)
        e->x->collections[e->x->collection_count++] = e->entry;
    return err;
}
