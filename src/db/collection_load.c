#include "db/collection_load.h"

#include "db/collection_fields.h"

#include <math.h>
#include <string.h>

#include "db/alter.h"
#include "db/background.h"
#include "db/relink.h"
#include "index/hnsw.h"

static size_t words_of(uint32_t end)
{
    return ((size_t)end + 63) / 64;
}

void collection_load_abandon(struct collection_load *l)
{
    /* Or the heap would not know the blocks that it is to free. */
    if (l->large && l->c->heap.window_count == 0)
        heap_fill_end(&l->heap);
    hnsw_image_fini(&l->graph);
    mem_free(MEM_SNAPSHOT, l->alive);
    mem_free(MEM_SNAPSHOT, l->hashes);
    mem_free(MEM_SNAPSHOT, l->expires);
    l->alive = NULL;
    l->hashes = NULL;
    l->expires = NULL;
}

static enum err begin_graph(struct collection_load *l, uint32_t upper_lists)
{
    struct collection *c = l->c;
    CHECK(l->large);
    enum err e = side_make_graph(c->side, l->end);
    return e == OK ? hnsw_image_begin(&l->graph, c->side->graph, l->end, upper_lists) : e;
}

enum err collection_load_begin(struct collection_load *l, struct collection *c, uint32_t end,
                               bool large, bool has_graph, uint32_t upper_lists, size_t heap_size,
                               unsigned lanes)
{
    CHECK(c->rows_end == 0 && c->side->graph == NULL && (large || !has_graph));
    *l = (struct collection_load){
        .c = c, .end = end, .room = heap_size, .large = large, .has_graph = has_graph};
    atomic_init(&l->live, 0);
    atomic_init(&l->attributes, 0);
    atomic_init(&l->filled, 0);
    atomic_init(&l->aging, false);
    enum err e = large ? columns_make_large(&c->columns) : OK;
    if (e == OK)
        e = columns_reserve(&c->columns, end);
    if (e == OK)
        e = large ? heap_fill_begin(&l->heap, &c->heap, heap_size, lanes)
                  : heap_reserve(&c->heap, heap_size);
    if (e == OK && !rowset_reserve(&c->free_rows, end))
        e = ERR_NOMEM;
    if (e == OK && has_graph)
        e = begin_graph(l, upper_lists);
    if (e != OK)
        return e;
    c->rows_end = end;
    l->alive = mem_try_calloc(MEM_SNAPSHOT, words_of(end) * sizeof(*l->alive));
    l->hashes = mem_try(MEM_SNAPSHOT, (size_t)end * sizeof(*l->hashes));
    l->expires = mem_try_calloc(MEM_SNAPSHOT, (size_t)end * sizeof(*l->expires));
    return l->alive == NULL || l->hashes == NULL || l->expires == NULL ? ERR_NOMEM : OK;
}

static _Atomic uint64_t *lsn_at(const struct collection_load *l, enum collection_column column,
                                uint32_t row)
{
    return (_Atomic uint64_t *)l->c->columns.base[column] + row;
}

enum err collection_load_alive(struct collection_load *l, uint32_t first, uint32_t span,
                               const uint8_t *bits)
{
    CHECK(first % 64 == 0);
    if (first > l->end)
        return ERR_CORRUPT;
    uint32_t count = l->end - first < span ? l->end - first : span, live = 0;
    memcpy((uint8_t *)l->alive + first / 8, bits, ((size_t)count + 7) / 8);
    for (uint32_t i = count; i < span; i++)
        if ((bits[i / 8] >> (i % 8) & 1) != 0)
            return ERR_CORRUPT;
    for (uint32_t row = first; row < first + count; row++) {
        bool alive = collection_load_is_alive(l, row);
        live += alive;
        /* Free, until its contents come: who looks for rows without any finds no birth. */
        atomic_store_explicit(lsn_at(l, COL_BIRTH, row), LSN_NEVER, memory_order_relaxed);
        if (!alive)
            collection_set_state(l->c, row, ROW_FREE);
    }
    atomic_fetch_add_explicit(&l->live, live, memory_order_relaxed);
    return OK;
}

static enum err put_record(struct collection_load *l, struct heap_cursor *cursor, uint32_t row,
                           struct slice bytes, heap_ref *out)
{
    if (l->large)
        return heap_fill_put(&l->heap, cursor, row, bytes, out);
    size_t size = heap_record_size(bytes.len);
    if (size > l->room)
        return ERR_CORRUPT;
    l->room -= size;
    *out = heap_put(&l->c->heap, row, bytes);
    return OK;
}

enum err collection_load_row(struct collection_load *l, struct heap_cursor *cursor,
                             const struct collection_load_row *row)
{
    struct collection *c = l->c;
    uint8_t *const *base = c->columns.base;
    const struct column_spec *spec = c->columns.spec;
    uint32_t at = row->row;
    heap_ref id;
    if (!collection_load_is_alive(l, at) || !isfinite(row->norm) ||
        atomic_load_explicit(lsn_at(l, COL_BIRTH, at), memory_order_relaxed) != LSN_NEVER)
        return ERR_CORRUPT;
    if (row->partition != PARTITION_DEFAULT &&
        (c->partitions == NULL || !partitions_is_live(c->partitions, row->partition)))
        return ERR_CORRUPT;
    enum err e = put_record(l, cursor, at, row->id, &id);
    if (e != OK)
        return e;
    l->hashes[at] = collection_id_hash(c, row->id);
    if (row->expire_ms > 0) {
        l->expires[at] = row->expire_ms;
        atomic_store_explicit(&l->aging, true, memory_order_relaxed);
    }
    atomic_store_explicit(column_ref(base, COL_ID, at), id, memory_order_relaxed);
    ((float *)(void *)base[COL_NORM])[at] = row->norm;
    if (spec[COL_PARTITION].stride > 0)
        ((uint16_t *)(void *)base[COL_PARTITION])[at] = row->partition;
    if (side_code_bytes(c->side) > 0)
        memcpy(side_code(c->side, at), row->code, side_code_bytes(c->side));
    if (spec[COL_VECTOR].stride > 0)
        codec_store(&c->exact, row->vector,
                    base[COL_VECTOR] + (size_t)at * spec[COL_VECTOR].stride);
    atomic_store_explicit(lsn_at(l, COL_DEATH, at), LSN_NEVER, memory_order_relaxed);
    atomic_store_explicit(lsn_at(l, COL_BIRTH, at), row->birth, memory_order_relaxed);
    base[c->side->state_column][at] = ROW_FLAT;
    return OK;
}

enum err collection_load_attribute(struct collection_load *l, struct heap_cursor *cursor,
                                   uint32_t row, struct slice attribute)
{
    heap_ref ref;
    if (!collection_load_is_alive(l, row) || attribute.len == 0)
        return ERR_CORRUPT;
    enum err e = put_record(l, cursor, row, attribute, &ref);
    if (e != OK)
        return e;
    /* One that comes twice would leave a record that nobody owns. */
    heap_ref before = atomic_exchange_explicit(column_ref(l->c->columns.base, COL_ATTR, row), ref,
                                               memory_order_relaxed);
    atomic_fetch_add_explicit(&l->attributes, 1, memory_order_relaxed);
    return before == HEAP_NONE ? OK : ERR_CORRUPT;
}

/* -- when all rows are there ------------------------------------------------------------------- */

static struct slice id_of(const struct collection *c, uint32_t row)
{
    heap_ref ref =
        atomic_load_explicit(column_ref(c->columns.base, COL_ID, row), memory_order_relaxed);
    return heap_get(&c->heap, ref);
}

uint32_t collection_load_drop(struct collection_load *l)
{
    uint32_t dropped = 0;
    for (uint32_t row = 0; row < l->end; row++) {
        if (!collection_load_is_alive(l, row) ||
            atomic_load_explicit(lsn_at(l, COL_BIRTH, row), memory_order_relaxed) != LSN_NEVER)
            continue;
        l->alive[row / 64] &= ~((uint64_t)1 << (row % 64));
        if (l->has_graph)
            hnsw_image_drop(&l->graph, row);
        _Atomic uint32_t *attribute = column_ref(l->c->columns.base, COL_ATTR, row);
        if (atomic_load_explicit(attribute, memory_order_relaxed) != HEAP_NONE)
            atomic_fetch_sub_explicit(&l->attributes, 1, memory_order_relaxed);
        collection_set_state(l->c, row, ROW_FREE);
        dropped++;
    }
    atomic_fetch_sub_explicit(&l->live, dropped, memory_order_relaxed);
    l->dropped = dropped > 0;
    return dropped;
}

/* The attributes of rows that were dropped are nobody's. */
static void drop_attributes(struct collection_load *l)
{
    struct collection *c = l->c;
    for (uint32_t row = 0; row < l->end; row++) {
        _Atomic uint32_t *attribute = column_ref(c->columns.base, COL_ATTR, row);
        heap_ref ref = atomic_load_explicit(attribute, memory_order_relaxed);
        if (ref == HEAP_NONE || collection_load_is_alive(l, row))
            continue;
        atomic_store_explicit(attribute, HEAP_NONE, memory_order_relaxed);
        heap_drop(&c->heap, ref);
    }
}

enum err collection_load_ids(struct collection_load *l)
{
    enum { AHEAD = 16 };
    struct collection *c = l->c;
    CHECK(map_count(&c->ids) == 0);
    if (!map_reserve(&c->ids, atomic_load(&l->live)))
        return ERR_NOMEM;
    for (uint32_t row = 0; row < l->end; row++) {
        if (row + AHEAD < l->end && collection_load_is_alive(l, row + AHEAD))
            map_prefetch(&c->ids, l->hashes[row + AHEAD]);
        if (!collection_load_is_alive(l, row))
            continue;
        if (atomic_load_explicit(lsn_at(l, COL_BIRTH, row), memory_order_relaxed) == LSN_NEVER ||
            !map_put_new(&c->ids, l->hashes[row], row, id_of(c, row)))
            return ERR_CORRUPT;
    }
    return OK;
}

enum err collection_load_graph(struct collection_load *l, struct lane *lane)
{
    struct collection_view view;
    collection_view(l->c, UINT64_MAX - 1, &view);
    return hnsw_image_mend(&l->graph, &view.codes, lane);
}

/* Rows that are not in the graph wait for their links, and so do those that lost their place. */
static enum err finish_graph(struct collection_load *l)
{
    struct collection *c = l->c;
    CHECK(pending_count(&c->side->pending) == 0 && l->graph.end == l->end);
    size_t waiting = l->graph.orphan_count;
    for (uint32_t row = 0; row < l->end; row++)
        waiting += collection_load_is_alive(l, row) && !hnsw_image_has(&l->graph, row);
    if (!pending_reserve(&c->side->pending, waiting))
        return ERR_NOMEM;
    size_t worn = 0;
    hnsw_image_end(&l->graph);
    for (uint32_t row = 0; row < l->end; row++) {
        if (!collection_load_is_alive(l, row))
            continue;
        if (hnsw_image_has(&l->graph, row)) {
            collection_set_state(c, row, ROW_LINKED);
            worn += hnsw_has_wear(c->side->graph, row, HNSW_WORN);
            continue;
        }
        side_take(c->side, row, collection_level_hash(c, id_of(c, row)));
    }
    relink_on_loaded(c, worn);
    for (size_t i = 0; i < l->graph.orphan_count; i++) {
        collection_set_state(c, l->graph.orphans[i], ROW_PENDING);
        pending_push(&c->side->pending, l->graph.orphans[i]);
    }
    return OK;
}

static enum err finish_aging(struct collection_load *l)
{
    struct collection *c = l->c;
    if (!atomic_load_explicit(&l->aging, memory_order_relaxed) && !spec_ages(&c->spec.tuning))
        return OK;
    if (collection_make_aging(c) != OK || aging_reserve(c->aging, l->end, c->live) != OK)
        return ERR_NOMEM;
    for (uint32_t row = 0; row < l->end; row++)
        if (collection_load_is_alive(l, row))
            aging_set(c->aging, row, l->expires[row], 0);
    return OK;
}

static void finish_partitions(struct collection_load *l)
{
    struct collection *c = l->c;
    for (uint32_t row = 0; row < l->end; row++) {
        if (!collection_load_is_alive(l, row))
            continue;
        struct partition_sums one = {.count = 1, .heap_bytes = heap_record_size(id_of(c, row).len)};
        heap_ref ref =
            atomic_load_explicit(column_ref(c->columns.base, COL_ATTR, row), memory_order_relaxed);
        if (ref != HEAP_NONE) {
            one.attributes = 1;
            one.heap_bytes += heap_record_size(heap_get(&c->heap, ref).len);
        }
        partitions_load_row(c->partitions, collection_partition(c, row), row, &one);
    }
}

enum err collection_load_finish(struct collection_load *l)
{
    struct collection *c = l->c;
    CHECK(c->rows_end == l->end && c->free_rows.count == 0);
    if (l->large)
        heap_fill_end(&l->heap);
    c->live = atomic_load(&l->live);
    c->attributes = atomic_load(&l->attributes);
    for (uint32_t row = 0; row < l->end; row++)
        if (!collection_load_is_alive(l, row))
            rowset_add(&c->free_rows, row);
    if (finish_aging(l) != OK)
        return ERR_NOMEM;
    if (c->partitions != NULL)
        finish_partitions(l);
    const struct spec_shape wish = spec_shape(&c->spec);
    if (!spec_shape_equal(&wish, &c->side->shape) && alter_prepare(c) != OK)
        return ERR_NOMEM;
    return l->has_graph ? finish_graph(l) : OK;
}

void collection_load_end(struct collection_load *l)
{
    struct collection *c = l->c;
    if (l->dropped)
        drop_attributes(l);
    CHECK(map_count(&c->ids) == c->live && c->live + c->free_rows.count == c->rows_end);
    bool waits = pending_count(&c->side->pending) > 0 || c->side->relink_end > 0;
    if (c->spec.index == INDEX_IVF || (c->side->graph != NULL && waits))
        background_wake(c->env->background, c);
    if (c->fields != NULL && c->rows_end > 0)
        collection_build_fields(c);
    if (c->aging != NULL)
        aging_list(c->aging, c->env->agings);
    if (spec_counts_use(&c->spec.tuning))
        collection_use_all(c);
    if (c->alteration != NULL)
        alter_begin(c);
    collection_load_abandon(l);
}
