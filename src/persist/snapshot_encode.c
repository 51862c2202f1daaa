#include "persist/snapshot_encode.h"

#include "persist/image.h"

enum {
    PART_BYTES = 64 * 1024,            /* a chunk of keys or attributes ends beyond */
    PIECE_BYTES = 32 * 1024,           /* of a large value, */
    PIECES_MAX = 16 * 1024,            /* which are longer if there would be more of them */
    SMALL_ATTRIBUTES_MAX = 1024 * 1024 /* of a small set; more get chunks of their own */
};

void snapshot_encoder_init(struct snapshot_encoder *x, struct pack_writer *packs,
                           uint32_t chunk_bytes, const atomic_bool *cancelled)
{
    *x = (struct snapshot_encoder){.packs = packs,
                                   .chunk_bytes = chunk_bytes,
                                   .cancelled = cancelled,
                                   .body = BUF_INIT(MEM_SNAPSHOT),
                                   .piece = BUF_INIT(MEM_SNAPSHOT)};
}

void snapshot_encoder_fini(struct snapshot_encoder *x)
{
    mem_free(MEM_SNAPSHOT, x->collections);
    mem_free(MEM_SNAPSHOT, x->rows);
    mem_free(MEM_SNAPSHOT, x->links);
    buf_fini(&x->body);
    buf_fini(&x->piece);
    *x = (struct snapshot_encoder){0};
}

bool snapshot_encoder_rows(struct snapshot_encoder *x, uint32_t count)
{
    if (count <= x->row_capacity)
        return true;
    uint32_t *rows = mem_try_realloc(MEM_SNAPSHOT, x->rows, (size_t)count * sizeof(*rows));
    if (rows == NULL)
        return false;
    x->rows = rows;
    x->row_capacity = count;
    return true;
}

uint32_t snapshot_list_rows(const struct collection_encoding *e, uint32_t first, uint32_t span,
                            uint64_t after)
{
    const struct index_rows *rows = &e->view->codes;
    uint32_t end = rows->end - first < span ? rows->end : first + span, count = 0;
    CHECK(first <= rows->end && end - first <= e->x->row_capacity);
    for (uint32_t row = first; row < end; row++)
        if (row_visible(rows, row) &&
            atomic_load_explicit(&rows->birth[row], memory_order_relaxed) > after)
            e->x->rows[count++] = row;
    return count;
}

/* -- rows -------------------------------------------------------------------------------------- */

enum err snapshot_append_rows(const struct collection_encoding *e, uint32_t first, uint32_t span,
                              const uint32_t *rows, uint32_t count)
{
    const struct collection_view *v = e->view;
    struct image_rows image = {
        .first = first,
        .span = span,
        .count = count,
        .code_size = side_code_bytes(e->view->side),
        .vector_size = v->has_exact ? (uint32_t)type_size(e->c->spec.type, e->c->spec.dim) : 0,
    };
    for (uint32_t i = 0; i < count; i++) {
        image.ids_size += (uint32_t)view_id(v, rows[i]).len;
        if (view_expiry(v, rows[i]) > 0)
            image.expire_size = sizeof(*image.expires);
        if (view_partition(v, rows[i]) != PARTITION_DEFAULT)
            image.partition_size = sizeof(*image.partitions);
    }
    if (!image_rows_begin(&e->x->body, &image))
        return ERR_NOMEM;
    uint8_t *ids = image.ids;
    for (uint32_t i = 0; i < count; i++) {
        struct slice id = view_id(v, rows[i]);
        CHECK(id.len <= UINT16_MAX && ids + id.len <= image.ids + image.ids_size);
        image_bit_set(image.present, rows[i] - first);
        image.norms[i] = view_norm(v, rows[i]);
        image.id_sizes[i] = (uint16_t)id.len;
        if (id.len > 0)
            memcpy(ids, id.ptr, id.len);
        ids += id.len;
        CHECK(i == 0 || rows[i - 1] < rows[i]);
    }
    CHECK(ids == image.ids + image.ids_size); /* ids do not change while the row lives */
    for (uint32_t i = 0; i < count && image.code_size > 0; i++)
        memcpy(image.codes + (size_t)i * image.code_size, row_code(&v->codes, rows[i]),
               image.code_size);
    for (uint32_t i = 0; i < count && image.vector_size > 0; i++)
        memcpy(image.vectors + (size_t)i * image.vector_size, view_stored(v, rows[i]),
               image.vector_size);
    for (uint32_t i = 0; i < count && image.expire_size > 0; i++)
        image.expires[i] = view_expiry(v, rows[i]);
    for (uint32_t i = 0; i < count && image.partition_size > 0; i++)
        image.partitions[i] = view_partition(v, rows[i]);
    return OK;
}

/* -- attributes -------------------------------------------------------------------------------- */

/* The attributes of a span: those of rows that were alive and had one. owner: the encoder's job */
struct span_attributes {
    uint32_t first, span, count;
    uint16_t *offsets;
    uint32_t *sizes;
    heap_ref *refs;
    uint64_t bytes, heap_bytes;
};

static void attributes_fini(struct span_attributes *a)
{
    mem_free(MEM_SNAPSHOT, a->offsets);
    mem_free(MEM_SNAPSHOT, a->sizes);
    mem_free(MEM_SNAPSHOT, a->refs);
}

static bool attributes_init(struct span_attributes *a, const struct collection_encoding *e,
                            uint32_t first, uint32_t span)
{
    uint32_t end = e->view->codes.end;
    CHECK(first < end && span <= UINT16_MAX + 1u);
    *a = (struct span_attributes){.first = first, .span = span};
    uint32_t rows = end - first < span ? end - first : span;
    a->offsets = mem_try(MEM_SNAPSHOT, rows * sizeof(*a->offsets));
    a->sizes = mem_try(MEM_SNAPSHOT, rows * sizeof(*a->sizes));
    a->refs = mem_try(MEM_SNAPSHOT, rows * sizeof(*a->refs));
    if (a->offsets == NULL || a->sizes == NULL || a->refs == NULL) {
        attributes_fini(a);
        return false;
    }
    captured_attributes(e->view, first, rows, a->refs);
    for (uint32_t i = 0; i < rows; i++) {
        heap_ref ref = a->refs[i];
        if (ref == HEAP_NONE || !row_visible(&e->view->codes, first + i))
            continue;
        a->offsets[a->count] = (uint16_t)i;
        a->sizes[a->count] = (uint32_t)heap_get(&e->c->heap, ref).len;
        a->bytes += a->sizes[a->count];
        a->heap_bytes += heap_record_size(a->sizes[a->count]);
        a->refs[a->count++] = ref;
    }
    return true;
}

/* Appends attributes from .. to - 1 of the span to the body. */
static void append_attributes(const struct collection_encoding *e, const struct span_attributes *a,
                              uint32_t from, uint32_t to)
{
    struct buf *body = &e->x->body;
    size_t start = body->len;
    image_attributes_begin(body, a->first, a->span, to - from, a->offsets + from, a->sizes + from);
    CHECK(from < to && to <= a->count && start % CHUNK_ALIGNMENT == 0);
    for (uint32_t i = from; i < to; i++)
        buf_append_slice(body, heap_get(&e->c->heap, a->refs[i]));
    image_pad(body, start);
}

/* How far a chunk of attributes reaches that begins with the one at from. */
static uint32_t part_end(const struct span_attributes *a, uint32_t from)
{
    uint64_t bytes = 0;
    uint32_t to = from;
    while (to < a->count && bytes < PART_BYTES)
        bytes += a->sizes[to++];
    return to;
}

enum err snapshot_encode_attributes(struct collection_encoding *e, uint32_t index, uint32_t span)
{
    struct snapshot_encoder *x = e->x;
    struct span_attributes a;
    if (!attributes_init(&a, e, index * span, span))
        return ERR_NOMEM;
    enum err err = OK;
    uint16_t part = 0;
    for (uint32_t from = 0; from < a.count && err == OK; part++) {
        uint32_t to = part_end(&a, from);
        struct chunk chunk = {.uid = e->c->uid,
                              .kind = CHUNK_ATTRIBUTES,
                              .index = index,
                              .part = part,
                              .count = to - from};
        buf_clear(&x->body, SIZE_MAX);
        append_attributes(e, &a, from, to);
        err = buf_failed(&x->body) ? ERR_NOMEM
                                   : pack_writer_put_changed(x->packs, &chunk, buf_slice(&x->body));
        from = to;
    }
    e->entry.attributes += a.count;
    e->entry.heap_bytes += a.heap_bytes;
    attributes_fini(&a);
    return err;
}

/* -- small sets -------------------------------------------------------------------------------- */

static enum err encode_small(struct collection_encoding *e)
{
    struct snapshot_encoder *x = e->x;
    uint32_t span = e->view->codes.end;
    struct span_attributes a = {0};
    if (!snapshot_encoder_rows(x, span))
        return ERR_NOMEM;
    uint32_t count = snapshot_list_rows(e, 0, span, 0);
    buf_clear(&x->body, SIZE_MAX);
    enum err err = snapshot_append_rows(e, 0, span, x->rows, count);
    if (err == OK && span > 0 && !attributes_init(&a, e, 0, span))
        err = ERR_NOMEM;
    if (err != OK)
        return err;
    bool apart = a.bytes > SMALL_ATTRIBUTES_MAX;
    if (!apart && a.count > 0)
        append_attributes(e, &a, 0, a.count);
    attributes_fini(&a);
    struct chunk chunk = {.uid = e->c->uid, .kind = CHUNK_SMALL, .count = count};
    err = buf_failed(&x->body) ? ERR_NOMEM
                               : pack_writer_put_changed(x->packs, &chunk, buf_slice(&x->body));
    return err == OK && apart ? snapshot_encode_attributes(e, 0, span) : err;
}

static enum err encode_collection(struct snapshot_encoder *x, const struct captured *key)
{
    struct collection_encoding e = {
        .x = x, .key = key, .view = key->view, .c = key->view->collection};
    return key->large ? snapshot_encode_large(&e) : encode_small(&e);
}

/* -- keys -------------------------------------------------------------------------------------- */

/* A large value on its way. */
struct pieces {
    bool begun;
    struct tree_path path; /* to the next leaf */
};

/* The next entries of a large value; false: these are the last. */
static bool next_piece(struct buf *piece, const struct tree *t, struct pieces *p)
{
    size_t bytes = t->bytes / PIECES_MAX < PIECE_BYTES ? PIECE_BYTES : t->bytes / PIECES_MAX;
    struct slice leaf;
    uint64_t next;
    if (!p->begun)
        tree_walk(t, 0, &p->path);
    buf_clear(piece, SIZE_MAX);
    while (piece->len < bytes && tree_next(&p->path, &leaf, &next))
        buf_append_slice(piece, leaf);
    return p->path.depth > 0;
}

/* A key, or the next piece of its value. Returns whether there are more pieces. */
static bool append_key(struct snapshot_encoder *x, const struct captured *key, struct pieces *p)
{
    bool goes_on = false;
    struct image_key image = {.place = key->place,
                              .type = key->type,
                              .more = p->begun,
                              .expire_ms = p->begun ? 0 : key->expire_ms,
                              .key = object_key(key->object)};
    if (key->type == OBJECT_COLLECTION) {
        image.uid = key->view->collection->uid;
        spec_copy_fixed(&image.spec, &key->view->collection->spec);
        image.spec.tuning = key->tuning;
        spec_set_shape(&image.spec, &key->wish);
        image.shape = key->view->side->shape;
        image.partitions = key->partitions;
        if (key->schema != NULL)
            image.spec.schema = *key->schema;
    } else if (key->has_tree) {
        goes_on = next_piece(&x->piece, &key->tree, p);
        image.value = buf_slice(&x->piece);
        x->body.failed |= buf_failed(&x->piece);
    } else {
        image.value = object_value(key->object);
    }
    p->begun = goes_on;
    image_key_put(&x->body, &image);
    return goes_on;
}

/* The keys of one index, from keys[0] on; *used: how many there are. */
static enum err encode_keys(struct snapshot_encoder *x, const struct captured *keys, size_t count,
                            size_t *used)
{
    CHECK(count > 0);
    uint32_t index = keys[0].place / IMAGE_KEYS_SPAN;
    struct pieces pieces = {.begun = false};
    enum err e = OK;
    *used = 0;
    for (uint16_t part = 0; e == OK; part++) {
        struct chunk chunk = {.kind = CHUNK_KEYS, .index = index, .part = part};
        buf_clear(&x->body, SIZE_MAX);
        image_keys_begin(&x->body, index * IMAGE_KEYS_SPAN);
        while (*used < count && keys[*used].place / IMAGE_KEYS_SPAN == index &&
               x->body.len < PART_BYTES && !buf_failed(&x->body)) {
            *used += !append_key(x, &keys[*used], &pieces);
            chunk.count++;
        }
        if (chunk.count == 0)
            break;
        e = buf_failed(&x->body) ? ERR_NOMEM
                                 : pack_writer_put_changed(x->packs, &chunk, buf_slice(&x->body));
        if (e == OK && part == UINT16_MAX)
            e = ERR_LIMIT;
        lane_yield(x->lane);
    }
    return e;
}

enum err snapshot_encode_slice(struct snapshot_encoder *x, const struct capture_slice *slice)
{
    CHECK(slice->first % IMAGE_KEYS_SPAN == 0 || slice->has_part);
    enum err e = OK;
    if (slice->has_part)
        return atomic_load_explicit(x->cancelled, memory_order_relaxed)
                   ? ERR_CANCELLED
                   : encode_collection(x, &slice->part);
    for (size_t at = 0, used; at < slice->count && e == OK; at += used)
        e = encode_keys(x, slice->keys + at, slice->count - at, &used);
    for (size_t i = 0; i < slice->count && e == OK; i++) {
        if (atomic_load_explicit(x->cancelled, memory_order_relaxed))
            return ERR_CANCELLED;
        if (slice->keys[i].type == OBJECT_COLLECTION)
            e = encode_collection(x, &slice->keys[i]);
        lane_give_way(x->lane);
    }
    x->key_count += slice->count;
    if (slice->count > 0)
        x->places_end = slice->keys[slice->count - 1].place + 1;
    return e;
}
