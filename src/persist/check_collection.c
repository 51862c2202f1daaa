/* check_collection.c: one collection of a snapshot: do its chunks fit each other, its key's
 * description, and the manifest's counts? */
#include <inttypes.h>

#include "base/heap.h"
#include "index/hnsw.h"
#include "persist/check_own.h"
#include "persist/fields.h"

enum { NOT_LINKED = 255 };

struct work {
    struct check_shot *shot;
    const struct manifest_collection *large; /* NULL: it is in one chunk */
    const struct collection_spec *spec;
    const uint64_t *partitions; /* NULL: _default alone */
    const char *key;
    uint64_t uid;
    struct codec codec;
    uint32_t code_size, vector_size; /* of a row */
    uint32_t rows_end;
    uint8_t *alive;  /* one bit per row */
    uint8_t *levels; /* per row; NOT_LINKED */
    uint64_t alive_count, attributes, upper_lists, elements, heap_bytes;
    bool damaged; /* something was, so that sums mean nothing */
    struct check_unique ids;
};

static void say(struct work *w, const struct chunk *c, const char *text)
{
    w->damaged = true;
    check_say_chunk(w->shot, c, "%s: %s", w->key, text);
}

static void say_sum(struct work *w, const char *what, uint64_t found, uint64_t wanted)
{
    if (w->damaged || found == wanted)
        return;
    check_say(w->shot->check, CHECK_DAMAGE, w->shot->name, 0,
              "%s has %" PRIu64 " %s where the manifest says %" PRIu64, w->key, found, what,
              wanted);
}

/* Are rows first .. first + span - 1 those of the chunk's index? */
static bool of_index(const struct chunk *c, uint32_t first, uint32_t span, uint32_t index_span)
{
    return first == (uint64_t)c->index * index_span && span == index_span;
}

/* Behind the end of the collection no bit is set. */
static bool bits_end(const uint8_t *bits, uint32_t first, uint32_t span, uint32_t rows_end)
{
    uint32_t from = first < rows_end ? rows_end - first : 0;
    for (uint32_t i = from; i < span; i++)
        if (image_bit(bits, i))
            return false;
    return true;
}

/* -- by kind of chunk -------------------------------------------------------------------------- */

static void check_contents(struct work *w, const struct chunk *c, const struct image_rows *rows)
{
    if (rows->count != c->count)
        say(w, c, "another number of rows than the manifest says");
    if (rows->count == 0)
        return;
    if (rows->code_size != w->code_size || rows->vector_size != w->vector_size) {
        say(w, c, "codes or vectors of another size than the collection's");
        return;
    }
    bool finite =
        image_finite(rows->norms, rows->count) &&
        (rows->vector_size == 0 || image_vectors_finite(rows, w->spec->type, w->spec->dim));
    for (uint32_t i = 0; i < rows->count && w->code_size > 0; i++)
        finite = finite && codec_row_finite(&w->codec, rows->codes + (size_t)i * w->code_size);
    if (!finite)
        say(w, c, "numbers that are not finite");
}

static void check_rows(struct work *w, const struct chunk *c, struct slice body)
{
    struct image_rows rows;
    struct slice rest;
    struct why why = {{0}};
    if (image_rows_open(body, &rows, &rest, &why) != OK) {
        say(w, c, why.text);
        return;
    }
    if (rest.len > 0)
        say(w, c, "bytes behind the rows");
    if (!of_index(c, rows.first, rows.span, w->large->rows_span))
        say(w, c, "rows that are not those of their index");
    else if (!bits_end(rows.present, rows.first, rows.span, w->rows_end))
        say(w, c, "rows behind the end of the collection");
    check_contents(w, c, &rows);
}

static void check_alive(struct work *w, const struct chunk *c, struct slice body)
{
    struct image_alive alive;
    struct why why = {{0}};
    if (image_alive_open(body, &alive, &why) != OK) {
        say(w, c, why.text);
        return;
    }
    uint64_t first = (uint64_t)c->index * w->large->alive_span;
    uint64_t left = first < w->rows_end ? w->rows_end - first : 0;
    uint64_t span = left < w->large->alive_span ? left : w->large->alive_span;
    if (alive.count != c->count || c->part != 0 || alive.first != first || alive.span != span) {
        say(w, c, "bits of rows that are not those of their index");
        return;
    }
    w->alive_count += alive.count;
    for (uint32_t i = 0; i < alive.span; i++)
        if (image_bit(alive.bits, i))
            image_bit_set(w->alive, alive.first + i);
}

static void check_attributes(struct work *w, const struct chunk *c, struct slice body)
{
    struct image_attributes a;
    struct why why = {{0}};
    if (image_attributes_open(body, &a, &why) != OK) {
        say(w, c, why.text);
        return;
    }
    if (a.count != c->count || !of_index(c, a.first, a.span, w->large->attributes_span)) {
        say(w, c, "attributes that are not those of their index");
        return;
    }
    w->attributes += a.count;
    for (uint32_t i = 0; i < a.count; i++) {
        uint32_t row = a.first + field_u16(a.offsets + i * sizeof(uint16_t));
        if (row >= w->rows_end || !image_bit(w->alive, row)) {
            say(w, c, "an attribute of a row that is not there");
            return;
        }
    }
}

/* -- links ------------------------------------------------------------------------------------- */

/* Walks the lists of a chunk; each, with its level and the row it belongs to, goes to on_list. */
static void each_list(const struct image_links *l,
                      void (*on_list)(struct work *w, uint32_t row, uint32_t level,
                                      const uint8_t *links, uint32_t count, uint32_t width),
                      struct work *w)
{
    const uint8_t *links = l->rows;
    uint32_t nth = 0, list = 0;
    for (uint32_t i = 0; i < l->span; i++) {
        if (!image_bit(l->present, i))
            continue;
        for (uint32_t level = 0; level <= image_level(l->levels[nth]); level++, list++) {
            on_list(w, l->first + i, level, links, l->sizes[list], l->width);
            links += (size_t)l->sizes[list] * l->width;
        }
        nth++;
    }
}

static void note_list(struct work *w, uint32_t row, uint32_t level, const uint8_t *links,
                      uint32_t count, uint32_t width)
{
    (void)links, (void)width;
    w->levels[row] = (uint8_t)level;
    w->upper_lists += level > 0;
    if (count > w->spec->m * (level == 0 ? 2 : 1) || !image_bit(w->alive, row))
        w->damaged = true;
}

static void check_links(struct work *w, const struct chunk *c, struct slice body)
{
    struct image_links l;
    struct why why = {{0}};
    if (image_links_open(body, &l, &why) != OK) {
        say(w, c, why.text);
        return;
    }
    if (!w->large->has_graph || l.count != c->count ||
        !of_index(c, l.first, l.span, w->large->links_span)) {
        say(w, c, "links that are not those of their index");
        return;
    }
    if (!bits_end(l.present, l.first, l.span, w->rows_end)) {
        say(w, c, "links of rows behind the end of the collection");
        return;
    }
    bool before = w->damaged;
    w->damaged = false;
    each_list(&l, note_list, w);
    if (w->damaged)
        say(w, c, "a row that is not there has links, or one has more than there is room for");
    w->damaged = w->damaged || before;
}

/* Links may be newer than the snapshot. Those that lead to rows that are not there, or not on that
 * level, are left out when it is loaded. */
static void count_list(struct work *w, uint32_t row, uint32_t level, const uint8_t *links,
                       uint32_t count, uint32_t width)
{
    struct check_counts *sum = &w->shot->check->counts;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t to;
        image_unpack(links + (size_t)i * width, &to, 1, width);
        bool kept = to < w->rows_end && to != row && image_bit(w->alive, to) &&
                    w->levels[to] != NOT_LINKED && w->levels[to] >= level;
        sum->links += kept;
        sum->links_dropped += !kept;
    }
}

static void count_links(struct work *w, uint32_t first, uint32_t end)
{
    const struct chunk *chunks = w->shot->manifest->chunks;
    for (uint32_t i = first; i < end; i++) {
        struct slice body;
        struct image_links l;
        if (chunks[i].kind == CHUNK_LINKS && check_read(w->shot, &chunks[i], &body) &&
            image_links_open(body, &l, NULL) == OK)
            each_list(&l, count_list, w);
    }
}

/* -- elements ---------------------------------------------------------------------------------- */

static bool on_element(void *user, const struct snapshot_element *e)
{
    struct work *w = user;
    w->elements++;
    w->heap_bytes += heap_record_size(e->id.len);
    w->heap_bytes += e->attribute.len > 0 ? heap_record_size(e->attribute.len) : 0;
    if (w->large == NULL)
        w->attributes += e->attribute.len > 0;
    bool known = e->partition == PARTITION_DEFAULT ||
                 (w->partitions != NULL && partition_bit(w->partitions, e->partition));
    if (!known && !w->damaged) {
        w->damaged = true;
        check_say(w->shot->check, CHECK_DAMAGE, w->shot->name, 0,
                  "%s has an element in a partition that it does not have (row %" PRIu32 ")",
                  w->key, e->row);
    }
    return check_unique_add(&w->ids, e->id, e->row);
}

static void on_twice(void *user, uint64_t tag, uint64_t other)
{
    struct work *w = user;
    check_say(w->shot->check, CHECK_DAMAGE, w->shot->name, 0,
              "%s has the same id in the rows %" PRIu64 " and %" PRIu64, w->key, tag, other);
}

static void check_elements(struct work *w)
{
    struct why why = {{0}};
    if (snapshot_read_elements(&w->shot->reader, w->uid, on_element, w, &why) != OK &&
        !w->damaged) {
        w->damaged = true;
        check_say(w->shot->check, CHECK_DAMAGE, w->shot->name, 0, "%s: %s", w->key, why.text);
    }
    check_unique_end(&w->ids, on_twice, w);
}

static void check_large(struct work *w, uint32_t first, uint32_t end)
{
    const struct chunk *chunks = w->shot->manifest->chunks;
    w->alive = mem_try_calloc(MEM_SNAPSHOT, w->rows_end / 8 + 1);
    w->levels = mem_try(MEM_SNAPSHOT, (size_t)w->rows_end + 1);
    if (w->alive == NULL || w->levels == NULL) {
        check_say(w->shot->check, CHECK_DAMAGE, w->shot->name, 0,
                  "%s: %" PRIu32 " rows need more memory than there is", w->key, w->rows_end);
        return;
    }
    memset(w->levels, NOT_LINKED, w->rows_end);
    for (uint32_t i = first; i < end; i++) {
        struct slice body;
        if (!check_read(w->shot, &chunks[i], &body)) {
            w->damaged = true;
            continue;
        }
        switch (chunks[i].kind) {
        case CHUNK_ALIVE: /* the first of all, by the order of kinds */
            check_alive(w, &chunks[i], body);
            break;
        case CHUNK_ROWS:
        case CHUNK_NEWER:
            check_rows(w, &chunks[i], body);
            break;
        case CHUNK_ATTRIBUTES:
            check_attributes(w, &chunks[i], body);
            break;
        case CHUNK_LINKS:
            check_links(w, &chunks[i], body);
            break;
        case CHUNK_KEYS:
        case CHUNK_SMALL:
            say(w, &chunks[i], "a chunk that a large collection does not have");
            break;
        }
    }
    check_elements(w);
    if (w->shot->sum && !w->damaged)
        count_links(w, first, end);
    say_sum(w, "rows", w->alive_count, w->large->live);
    say_sum(w, "elements", w->elements, w->large->live);
    say_sum(w, "attributes", w->attributes, w->large->attributes);
    if (w->large->has_graph && !w->damaged && w->upper_lists > w->large->upper_lists)
        say_sum(w, "lists of links above level 0", w->upper_lists, w->large->upper_lists);
    if (w->heap_bytes > w->large->heap_bytes)
        say_sum(w, "bytes of ids and attributes", w->heap_bytes, w->large->heap_bytes);
}

static void check_small(struct work *w, uint32_t first, uint32_t end)
{
    const struct chunk *c = &w->shot->manifest->chunks[first];
    struct slice body, rest;
    struct image_rows rows;
    struct why why = {{0}};
    bool others = false; /* but attributes that were too long for the one chunk */
    for (uint32_t i = first + 1; i < end; i++)
        others = others || c[i - first].kind != CHUNK_ATTRIBUTES || c[i - first].index > 0;
    if (first == end || c->kind != CHUNK_SMALL || others) {
        check_say(w->shot->check, CHECK_DAMAGE, w->shot->name, 0,
                  "%s has %" PRIu32 " chunks, and the manifest does not describe it", w->key,
                  end - first);
        return;
    }
    if (!check_read(w->shot, c, &body))
        return;
    if (image_rows_open(body, &rows, &rest, &why) != OK) {
        say(w, c, why.text);
        return;
    }
    check_contents(w, c, &rows);
    check_elements(w);
}

uint64_t check_collection(struct check_shot *s, const struct check_found *f, uint32_t first,
                          uint32_t end)
{
    const struct collection_spec *spec = &f->spec;
    struct work w = {.shot = s,
                     .large = manifest_collection(s->manifest, f->uid),
                     .spec = spec,
                     .partitions = f->partitions,
                     .key = f->key,
                     .uid = f->uid};
    const struct spec_shape shape = spec_shape(spec);
    if (spec_has_codes(&shape)) {
        codec_init(&w.codec, spec->quant, spec->metric, spec->dim, vec_kernels_at(0));
        w.code_size = w.codec.row_size;
    }
    bool vectors = spec_has_vectors(&shape);
    w.vector_size = vectors ? (uint32_t)type_size(spec->type, spec->dim) : 0;
    if (w.large != NULL) {
        w.rows_end = w.large->rows_end;
        check_large(&w, first, end);
    } else {
        check_small(&w, first, end);
    }
    mem_free(MEM_SNAPSHOT, w.alive);
    mem_free(MEM_SNAPSHOT, w.levels);
    return w.elements;
}
