#include "sim/inspect.h"

#include <roaring/roaring.h>
#include <string.h>

#include "base/rng.h"
#include "db/alter.h"
#include "db/documents.h"
#include "db/hashes.h"
#include "db/index_text.h"
#include "db/indexes_image.h"
#include "db/lists.h"
#include "db/members.h"
#include "index/hnsw_impl.h"
#include "index/ivf.h"
#include "json/parse.h"
#include "types/set.h"

enum { LINKS_MAX = 8192 };
#define ROW_STATES ((size_t)ROW_LIMBO + 1)

/* One collection being looked at. */
struct inspection {
    const struct collection *c;
    struct side *side; /* of its links */
    uint64_t lsn;
    bool quiet;
    size_t states[ROW_STATES];
    size_t live;
    size_t attributes;
    size_t expiring;
    size_t heap_bytes;
    struct partition_sums partitions[PARTITION_NUMBERS];
    uint8_t *queued; /* by row: stands in the pending queue */
};

static uint64_t birth_of(const struct collection *c, uint32_t row)
{
    return ((const uint64_t *)(const void *)c->columns.base[COL_BIRTH])[row];
}

static uint64_t death_of(const struct collection *c, uint32_t row)
{
    return ((const uint64_t *)(const void *)c->columns.base[COL_DEATH])[row];
}

static bool is_live(const struct collection *c, uint32_t row)
{
    enum row_state state = collection_state(c, row);
    return state == ROW_FLAT || state == ROW_PENDING || state == ROW_LINKING ||
           state == ROW_LINKED || (state == ROW_MOVED && death_of(c, row) == LSN_NEVER);
}

static heap_ref ref_of(const struct collection *c, enum collection_column column, uint32_t row)
{
    return ((const heap_ref *)(const void *)c->columns.base[column])[row];
}

/* -- rows ----------------------------------------------------------------------------------------
 */

static uint64_t expiry_of(const struct collection *c, uint32_t row)
{
    return c->aging == NULL ? 0 : aging_expiry(c->aging, row);
}

static bool is_dying(const struct collection *c, uint32_t row)
{
    return c->partitions != NULL &&
           !partitions_is_live(c->partitions, collection_partition(c, row));
}

/* That the row is in its partition, and in no other, as far as bitmaps know. */
static const char *look_at_partition(struct inspection *in, uint32_t row, size_t heap_bytes,
                                     bool attribute)
{
    const struct partitions *p = in->c->partitions;
    uint16_t number = collection_partition(in->c, row);
    if (p == NULL)
        return number == PARTITION_DEFAULT ? NULL : "a row in a partition where there are none";
    if (number >= p->end || p->all[number].state == PARTITION_FREE)
        return "a row in a partition that is not there";
    if (!roaring_bitmap_contains(p->all[number].rows, row))
        return "a row is not among those of its partition";
    if (number != PARTITION_DEFAULT && roaring_bitmap_contains(p->all[PARTITION_DEFAULT].rows, row))
        return "a row is in _default too";
    in->partitions[number].count++;
    in->partitions[number].attributes += attribute;
    in->partitions[number].heap_bytes += heap_bytes;
    return NULL;
}

static const char *look_at_live(struct inspection *in, uint32_t row)
{
    const struct collection *c = in->c;
    struct slice id = heap_get(&c->heap, ref_of(c, COL_ID, row));
    heap_ref attribute = ref_of(c, COL_ATTR, row);
    if (birth_of(c, row) > in->lsn || death_of(c, row) != LSN_NEVER)
        return "a live row is not visible";
    if (collection_find(c, id) != (is_dying(c, row) ? ROW_NONE : row))
        return "an id leads to another row";
    in->expiring += expiry_of(c, row) > 0;
    size_t bytes = heap_record_size(id.len);
    if (attribute != HEAP_NONE) {
        in->attributes++;
        bytes += heap_record_size(heap_get(&c->heap, attribute).len);
    }
    in->heap_bytes += bytes;
    return look_at_partition(in, row, bytes, attribute != HEAP_NONE);
}

static const char *look_at_row(struct inspection *in, uint32_t row)
{
    const struct collection *c = in->c;
    enum row_state state = collection_state(c, row);
    if ((size_t)state >= ROW_STATES)
        return "a row has no state";
    in->states[state]++;
    in->live += is_live(c, row);
    bool queued = state == ROW_PENDING || state == ROW_LINKING || state == ROW_MOVED;
    bool live = is_live(c, row);
    if (queued && in->queued[row] == 0)
        return "a row that waits for its links is not in the queue";
    if (c->side->graph == NULL && (queued || state == ROW_LINKED))
        return "a row of a graph without a graph";
    if (c->side->graph != NULL && state == ROW_FLAT)
        return "a flat row in a graph";
    if (live)
        return look_at_live(in, row);
    bool in_set = row / 64 < c->free_rows.words && (c->free_rows.bits[row / 64] >> (row % 64) & 1);
    if (in_set != (state == ROW_FREE))
        return "the set of free rows is wrong";
    if (state == ROW_FREE)
        return birth_of(c, row) == LSN_NEVER ? NULL : "a free row is visible";
    return death_of(c, row) <= in->lsn ? NULL : "a dead row is visible";
}

static void note_queued(void *user, const uint32_t *rows, size_t count)
{
    struct inspection *in = user;
    for (size_t i = 0; i < count; i++)
        if (rows[i] < in->c->rows_end)
            in->queued[rows[i]] = 1;
}

/* -- counters ------------------------------------------------------------------------------------
 */

static const char *look_at_counters(const struct inspection *in)
{
    const struct collection *c = in->c;
    const size_t *n = in->states;
    if (c->live != in->live || map_count(&c->ids) != in->live)
        return "the number of live rows is wrong";
    if (c->free_rows.count != n[ROW_FREE])
        return "the number of free rows is wrong";
    if (c->side->dead_linked != n[ROW_DEAD_LINKED] || c->side->sweeping != n[ROW_SWEEPING])
        return "the number of dead rows is wrong";
    if (c->aging != NULL && (c->aging->count != in->expiring || !aging_check(c->aging)))
        return "the heap of elements that expire is wrong";
    if (c->attributes != in->attributes)
        return "the number of attributes is wrong";
    if (c->heap.live_bytes != in->heap_bytes)
        return "the heap's live bytes are not the sum of its records";
    if (c->heap.held_bytes < c->heap.live_bytes)
        return "the heap holds less than what is live";
    if (c->side->pending.owed < n[ROW_LINKING])
        return "fewer places are owed than rows are being linked";
    if (!in->quiet)
        return NULL;
    if (pending_count(&c->side->pending) != 0 || c->side->pending.owed != 0)
        return "rows wait for links for ever";
    if (in->live + n[ROW_FREE] != c->rows_end)
        return "dead rows are not freed";
    if (n[ROW_MOVED] != 0)
        return "elements move for ever";
    if (c->side->link_jobs != 0 || c->side->sweep != NULL || c->has_work || c->pending_waiters != 0)
        return "there is work that nobody does";
    const struct spec_shape wish = spec_shape(&c->spec);
    if (c->next != NULL || c->alteration != NULL || !spec_shape_equal(&wish, &c->side->shape))
        return "an alteration never ends";
    return NULL;
}

static const char *look_at_partitions(const struct inspection *in)
{
    const struct partitions *p = in->c->partitions;
    struct partition_sums dying = {0};
    size_t live = 0;
    for (uint32_t i = 0; p != NULL && i < p->end; i++) {
        const struct partition *one = &p->all[i];
        live += one->state == PARTITION_LIVE;
        if (one->state == PARTITION_FREE)
            continue;
        if (memcmp(&one->sums, &in->partitions[i], sizeof(one->sums)) != 0)
            return "the sums of a partition are wrong";
        size_t rows = roaring_bitmap_get_cardinality(one->rows);
        if (rows < one->sums.count || (i != PARTITION_DEFAULT && rows != one->sums.count))
            return "a partition has rows that are not there";
        if (rows > 0 && roaring_bitmap_maximum(one->rows) >= in->c->rows_end)
            return "a partition has rows past the end";
        if ((one->state == PARTITION_DYING) != partition_bit(p->table->hidden, (uint16_t)i))
            return "a partition is hidden, or is not, and should";
        if (one->state == PARTITION_DYING) {
            dying.count += one->sums.count;
            dying.attributes += one->sums.attributes;
            dying.heap_bytes += one->sums.heap_bytes;
        }
        if (in->quiet && one->state == PARTITION_DYING)
            return "a partition is dying for ever";
    }
    if (p != NULL && (live != p->table->count || memcmp(&dying, &p->dying, sizeof(dying)) != 0))
        return "partitions are counted wrongly";
    return NULL;
}

/* -- links ---------------------------------------------------------------------------------------
 */

static bool is_linked(void *user, uint32_t row)
{
    return side_state(user, row) == ROW_LINKED;
}

/* No list that may be read leads to a row that may be written. */
static const char *look_at_links(const struct inspection *in, uint32_t row)
{
    const struct collection *c = in->c;
    enum row_state from = side_state(in->side, row);
    static uint32_t links[LINKS_MAX];
    if (from == ROW_FREE ||
        node_stage(hnsw_node((const struct hnsw *)in->side->graph, row)) == NODE_OUT)
        return NULL;
    for (int level = 0; level <= hnsw_level(in->side->graph, row); level++) {
        size_t count = hnsw_neighbours(in->side->graph, row, level, links, LINKS_MAX);
        for (size_t i = 0; i < count; i++) {
            if (links[i] >= c->rows_end)
                return "a link leads past the end";
            enum row_state to = side_state(in->side, links[i]);
            if (to == ROW_FREE)
                return "a link leads to a free row";
            if (to == ROW_LIMBO && from != ROW_LIMBO && from != ROW_SWEEPING)
                return "a link leads to a row about to be free";
            bool out =
                node_stage(hnsw_node((const struct hnsw *)in->side->graph, links[i])) == NODE_OUT;
            if (out && in->side->sweep == NULL && c->relocation == NULL)
                return "a link leads to a row that was taken apart";
            if (in->quiet && to != ROW_LINKED)
                return "a link leads to a row that is not linked";
        }
    }
    return NULL;
}

/* From every linked row parents lead up to a root; over rows that are being swept, perhaps, until a
 * sweep has moved their children. */
static const char *look_at_tree(const struct inspection *in)
{
    const struct collection *c = in->c;
    const struct hnsw *h = (const struct hnsw *)in->side->graph;
    for (uint32_t row = 0; row < c->rows_end; row++) {
        if (side_state(in->side, row) != ROW_LINKED)
            continue;
        uint32_t at = row, steps = 0;
        for (; at != ROW_NONE && node_parent(h, at) != at; at = node_parent(h, at)) {
            if (side_state(in->side, at) == ROW_FREE)
                return "a parent is a free row";
            if (++steps > c->rows_end)
                return "rows are their own parents' parents";
        }
        if (at == ROW_NONE)
            return "a linked row is not in the tree";
        if (in->quiet && at != atomic_load(&((struct hnsw *)h)->root))
            return "a linked row is not below the root";
    }
    return NULL;
}

static const char *look_at_lists(const struct inspection *in)
{
    const struct index_rows rows = side_rows(in->side, in->lsn);
    return in->quiet ? ivf_check(in->side->graph, &rows, is_linked, in->side) : NULL;
}

static const char *look_at_graph(const struct inspection *in)
{
    const struct collection *c = in->c;
    if (!in->side->graph->ops->is_graph)
        return look_at_lists(in);
    const struct hnsw *h = (const struct hnsw *)in->side->graph;
    for (uint32_t row = 0; row < c->rows_end; row++) {
        const char *broken = look_at_links(in, row);
        if (broken != NULL)
            return broken;
    }
    const char *broken = look_at_tree(in);
    if (broken != NULL || !in->quiet)
        return broken;
    const struct index_rows rows = side_rows(in->side, in->lsn);
    broken = hnsw_check(in->side->graph, &rows, is_linked, in->side);
    if (broken != NULL)
        return broken;
    uint64_t entry = atomic_load(&((struct hnsw *)h)->entry);
    if (c->live > 0 && (entry == ENTRY_NONE || !is_linked(in->side, entry_row(entry))))
        return "walks do not start at a linked row";
    return NULL;
}

/* -- the second side -----------------------------------------------------------------------------
 */

static const char *look_at_second_row(struct inspection *in, uint32_t row)
{
    enum row_state state = side_state(in->side, row);
    bool live = is_live(in->c, row), free = collection_state(in->c, row) == ROW_FREE;
    if ((size_t)state >= ROW_STATES || state == ROW_MOVED)
        return "a row has no state in the second side";
    in->states[state]++;
    bool queued = state == ROW_PENDING || state == ROW_LINKING;
    bool serves = queued || state == ROW_LINKED || state == ROW_FLAT;
    if (queued && in->queued[row] == 0)
        return "a row that waits for links of the second side is not in its queue";
    if (serves != live && !(live && state == ROW_FREE))
        return "the sides do not agree who is alive";
    if (free && state != ROW_FREE)
        return "a free row is not free in the second side";
    if ((collection_state(in->c, row) == ROW_LIMBO) != (state == ROW_LIMBO) && state != ROW_FREE)
        return "a row is about to be free in one side alone";
    bool filling = alter_phase(in->c) == ALTER_FILLING;
    return live && state == ROW_FREE && !filling ? "the second side lacks a row" : NULL;
}

static const char *look_at_second(struct inspection *in)
{
    const struct collection *c = in->c;
    const struct side *s = c->next;
    struct pending_span span = pending_span(&s->pending);
    in->side = c->next;
    memset(in->queued, 0, c->rows_end);
    memset(in->states, 0, sizeof(in->states));
    pending_each(&span, note_queued, in);
    const char *broken = in->quiet ? "an alteration never ends" : NULL;
    for (uint32_t row = 0; row < c->rows_end && broken == NULL; row++)
        broken = look_at_second_row(in, row);
    if (broken == NULL &&
        (s->dead_linked != in->states[ROW_DEAD_LINKED] || s->sweeping != in->states[ROW_SWEEPING]))
        broken = "the number of dead rows of the second side is wrong";
    return broken == NULL && s->graph != NULL ? look_at_graph(in) : broken;
}

/* -- the whole -----------------------------------------------------------------------------------
 */

static const char *look_at_collection(const struct collection *c, uint64_t lsn, bool quiet)
{
    static struct inspection in; /* large; one collection is looked at at a time */
    in = (struct inspection){.c = c, .side = c->side, .lsn = lsn, .quiet = quiet};
    in.queued = mem_calloc(MEM_TEST, c->rows_end + 1);
    struct pending_span span = pending_span(&c->side->pending);
    pending_each(&span, note_queued, &in);
    const char *broken = NULL;
    for (uint32_t row = 0; row < c->rows_end && broken == NULL; row++)
        broken = look_at_row(&in, row);
    if (broken == NULL)
        broken = look_at_counters(&in);
    if (broken == NULL)
        broken = look_at_partitions(&in);
    if (broken == NULL && c->side->graph != NULL)
        broken = look_at_graph(&in);
    if (broken == NULL && c->next != NULL)
        broken = look_at_second(&in);
    mem_free(MEM_TEST, in.queued);
    return broken;
}

/* Calls fn for every collection until it answers something. */
struct visit {
    const struct db *db;
    const struct db *other;
    bool quiet;
    uint64_t digest;
    const char *broken;
};

static const char *look_at_hash(const struct db *db, const struct object *o)
{
    size_t count;
    struct slice pack = object_value(o);
    uint64_t first = o->is_large ? o->large->tree.soonest : hash_pack_expiry(pack);
    if (first != keyspace_fields_expiry(&db->keys, o))
        return "the first field to expire is another";
    if (o->is_large && o->large->tree.count == 0)
        return "a large hash is empty";
    if (o->is_large)
        return tree_check(&o->large->tree, &db->hash_ops);
    bool good = hash_pack_check(pack, &count) && count == o->count && count > 0;
    return good && hash_pack_is_unique(pack) ? NULL : "a hash is no run of fields";
}

static const char *look_at_list(const struct db *db, const struct object *o)
{
    size_t count;
    if (o->is_large && o->large->tree.count == 0)
        return "a large list is empty";
    if (o->is_large)
        return tree_check(&o->large->tree, &db->list_ops);
    bool good = list_pack_check(object_value(o), &count) && count == o->count && count > 0;
    return good ? NULL : "a list is no run of values";
}

static const char *look_at_members(const struct db *db, const struct object *o)
{
    size_t count;
    bool sorted = o->type == OBJECT_ZSET;
    struct slice pack = object_value(o);
    if (!o->is_large) {
        bool good = sorted ? zset_pack_check(pack, &count) && zset_pack_is_unique(pack)
                           : set_pack_check(pack, &count) && set_pack_is_unique(pack);
        return good && count == o->count && count > 0 ? NULL : "a set is no run of members";
    }
    const char *broken = tree_check(&o->large->tree, sorted ? &db->order_ops : &db->set_ops);
    if (broken == NULL && sorted)
        broken = tree_check(&o->large->members, &db->member_ops);
    if (broken != NULL || !sorted)
        return broken != NULL || o->large->tree.count > 0 ? broken : "a large set is empty";
    if (o->large->tree.count != o->large->members.count || o->large->tree.count == 0)
        return "a sorted set has other members by name than in order";
    struct zset_walk walk;
    struct scored s, before = {.score = 0}, found;
    zsets_walk(o, 0, false, &walk);
    for (uint32_t i = 0; zsets_next(&walk, &s); i++, before = s) {
        if (!zsets_get(db, o, s.member, &found) || found.score != s.score)
            return "a member has another score by name";
        if (i > 0 && (before.score > s.score ||
                      (before.score == s.score && slice_cmp(before.member, s.member) >= 0)))
            return "members are out of order";
    }
    return NULL;
}

static bool has_members(const struct object *o)
{
    return o->type == OBJECT_SET || o->type == OBJECT_ZSET;
}

static void inspect_object(void *user, const struct object *o)
{
    struct visit *v = user;
    if (o->type == OBJECT_HASH && v->broken == NULL)
        v->broken = look_at_hash(v->db, o);
    if (o->type == OBJECT_LIST && v->broken == NULL)
        v->broken = look_at_list(v->db, o);
    if (has_members(o) && v->broken == NULL)
        v->broken = look_at_members(v->db, o);
    if (o->type == OBJECT_JSON && v->broken == NULL && jparse_check(object_value(o)) != OK)
        v->broken = "a document is none";
    if (o->type == OBJECT_COLLECTION && v->broken == NULL)
        v->broken = look_at_collection(o->collection, v->db->log.last_lsn, v->quiet);
}

static bool passes_filter(const struct key_index *x, const struct object *o)
{
    bool passes;
    return index_document_passes(x, o, &passes) == OK && passes;
}

/* Has the collection of a field what the document just read has there? */
static bool holds_vector(const struct key_index *x, size_t field, struct slice key)
{
    struct collection *c = x->vectors[field];
    const struct index_document *d = &x->document;
    struct collection_view v;
    uint32_t row = collection_find(c, key);
    if (row == ROW_NONE || d->norms[field] == 0)
        return (row == ROW_NONE) == (d->norms[field] == 0);
    collection_view(c, x->db->log.last_lsn, &v);
    heap_ref ref = ref_of(c, COL_ATTR, row);
    const void *stored = v.has_exact ? view_stored(&v, row) : row_code(&v.codes, row);
    return memcmp(stored, d->vectors.ptr + d->vector_at[field],
                  type_size(c->spec.type, c->spec.dim)) == 0 &&
           ref != HEAP_NONE && slice_eq(heap_get(&c->heap, ref), buf_slice(&d->attribute));
}

/* What an index holds of one document is what the key says now, as far as no clock has a say. */
static const char *look_at_document(struct key_index *x, uint32_t row)
{
    struct why why;
    struct slice key = heap_get(&x->docs->heap, ref_of(x->docs, COL_ID, row));
    const struct object *o = keyspace_get(&x->db->keys, key);
    if (o == NULL || o->type != document_type(x->spec) || !index_spec_covers(x->spec, key) ||
        !passes_filter(x, o))
        return "an index holds a key that it should not";
    if (o->type == OBJECT_HASH && keyspace_fields_expiry(&x->db->keys, o) > 0)
        return NULL;
    uint32_t slot = x->text == NULL ? TEXT_NO_SLOT : index_text_find(x, key);
    if (index_document_read(x, o, slot, &why) != OK)
        return "an index holds a document that cannot be read";
    if (x->text != NULL && !index_text_is(x, slot))
        return "an index holds words as they were";
    heap_ref ref = ref_of(x->docs, COL_ATTR, row);
    if (ref == HEAP_NONE ||
        !slice_eq(heap_get(&x->docs->heap, ref), buf_slice(&x->document.attribute)))
        return "an index holds a document as it was";
    for (size_t i = 0; i < x->spec->vector_count; i++)
        if (!holds_vector(x, i, key))
            return "an index holds a vector that is not there, or lacks one";
    return NULL;
}

struct covered {
    const struct key_index *x;
    size_t count;
};

static void count_covered(void *user, const struct object *o)
{
    struct covered *c = user;
    c->count += o->type == document_type(c->x->spec) &&
                index_spec_covers(c->x->spec, object_key(o)) && passes_filter(c->x, o);
}

static const char *look_at_index(struct key_index *x, bool quiet)
{
    struct covered covered = {.x = x};
    const char *broken = look_at_collection(x->docs, x->db->log.last_lsn, quiet);
    for (size_t i = 0; i < x->spec->vector_count && broken == NULL; i++)
        broken = look_at_collection(x->vectors[i], x->db->log.last_lsn, quiet);
    for (uint32_t row = 0; row < x->docs->rows_end && broken == NULL; row++)
        if (is_live(x->docs, row))
            broken = look_at_document(x, row);
    (void)keyspace_scan(&x->db->keys, 0, SIZE_MAX, count_covered, &covered);
    if (broken == NULL && !x->scans && !x->spec->skip_scan &&
        x->docs->live + x->failures < covered.count)
        broken = "an index lacks documents";
    return broken;
}

const char *inspect_db(const struct db *db, bool quiet)
{
    struct visit v = {.db = db, .quiet = quiet};
    (void)keyspace_scan(&db->keys, 0, SIZE_MAX, inspect_object, &v);
    for (struct key_index *x = db->indexes; x != NULL && v.broken == NULL; x = x->next)
        v.broken = look_at_index(x, quiet);
    if (v.broken == NULL && (!expiry_check(&db->keys.expiry) || !expiry_check(&db->keys.fields)))
        return "the heap of keys that expire is out of order";
    if (v.broken == NULL && quiet && !db_idle(db))
        return "something waits in the epoch, or a job is out";
    return v.broken;
}

/* -- comparing -----------------------------------------------------------------------------------
 */

static const uint8_t *vector_at(const struct collection *c, uint32_t row, size_t *size)
{
    bool exact = c->columns.spec[COL_VECTOR].stride > 0;
    unsigned column = exact ? COL_VECTOR : c->side->code_column;
    *size = c->columns.spec[column].stride;
    return c->columns.base[column] + (size_t)row * *size;
}

static struct slice attribute_at(const struct collection *c, uint32_t row)
{
    heap_ref ref = ref_of(c, COL_ATTR, row);
    return ref == HEAP_NONE ? (struct slice){0} : heap_get(&c->heap, ref);
}

/* By name: numbers are each server's own. */
static struct slice partition_of(const struct collection *c, uint32_t row)
{
    return c->partitions == NULL
               ? partition_default_name()
               : partition_table_name(c->partitions->table, collection_partition(c, row));
}

static bool same_partitions(const struct collection *a, const struct collection *b)
{
    const struct partition_table *x = a->partitions == NULL ? NULL : a->partitions->table;
    const struct partition_table *y = b->partitions == NULL ? NULL : b->partitions->table;
    if ((x == NULL ? 1 : x->count) != (y == NULL ? 1 : y->count))
        return false;
    for (uint32_t i = 0; x != NULL && y != NULL && i < x->count; i++)
        if (!slice_eq(x->names[i].name, y->names[i].name))
            return false;
    return true;
}

static const char *compare_row(const struct collection *a, uint32_t row, const struct collection *b)
{
    struct slice id = heap_get(&a->heap, ref_of(a, COL_ID, row));
    uint32_t other = collection_find(b, id);
    size_t size, other_size;
    if (other == ROW_NONE)
        return "an id is missing";
    const uint8_t *vector = vector_at(a, row, &size), *theirs = vector_at(b, other, &other_size);
    if (size != other_size || memcmp(vector, theirs, size) != 0)
        return "a vector differs";
    if (memcmp(a->columns.base[COL_NORM] + row * sizeof(float),
               b->columns.base[COL_NORM] + other * sizeof(float), sizeof(float)) != 0)
        return "a length differs";
    if (expiry_of(a, row) != expiry_of(b, other))
        return "an element expires at another time";
    if (!slice_eq(partition_of(a, row), partition_of(b, other)))
        return "an element is in another partition";
    return slice_eq(attribute_at(a, row), attribute_at(b, other)) ? NULL : "an attribute differs";
}

void inspect_small_values(struct db *db)
{
    db->packed_count_max = 5;
    db->packed_bytes_max = 100;
    db->hash_ops.leaf_bytes = db->list_ops.leaf_bytes = db->set_ops.leaf_bytes = 40;
    db->order_ops.leaf_bytes = db->member_ops.leaf_bytes = 40;
}

bool inspect_same_list(const struct object *a, const struct object *b)
{
    struct list_walk mine, theirs;
    struct slice x, y;
    if (lists_count(a) != lists_count(b))
        return false;
    lists_walk(a, 0, &mine);
    lists_walk(b, 0, &theirs);
    while (lists_next(&mine, &x))
        if (!lists_next(&theirs, &y) || !slice_eq(x, y))
            return false;
    return true;
}

static bool same_set(const struct object *a, const struct db *db, const struct object *b)
{
    struct set_walk walk;
    struct slice member;
    sets_walk(a, &walk);
    while (sets_next(&walk, &member))
        if (!sets_has(db, b, member))
            return false;
    return true;
}

bool inspect_same_members(const struct object *a, const struct db *db, const struct object *b)
{
    struct zset_walk mine, theirs;
    struct scored x, y;
    if (object_count(a) != object_count(b))
        return false;
    if (a->type == OBJECT_SET)
        return same_set(a, db, b);
    zsets_walk(a, 0, false, &mine);
    zsets_walk(b, 0, false, &theirs);
    while (zsets_next(&mine, &x))
        if (!zsets_next(&theirs, &y) || x.score != y.score || !slice_eq(x.member, y.member))
            return false;
    return true;
}

bool inspect_same_hash(const struct object *a, const struct db *db, const struct object *b)
{
    struct hash_walk walk;
    struct hash_field x, y;
    if (object_count(a) != object_count(b))
        return false;
    hashes_walk_all(a, &walk);
    while (hashes_next(&walk, &x)) {
        bool found = b->is_large ? hash_tree_find(&b->large->tree, &db->hash_ops, x.name, &y)
                                 : hash_find(object_value(b), x.name, &y, NULL);
        if (!found || !slice_eq(x.value, y.value) || x.expire_ms != y.expire_ms)
            return false;
    }
    return true;
}

static void compare_object(void *user, const struct object *o)
{
    struct visit *v = user;
    if (v->broken != NULL)
        return;
    const struct object *other = keyspace_get(&v->other->keys, object_key(o));
    if (other == NULL || other->type != o->type) {
        v->broken = "a key is missing";
        return;
    }
    if (other->expire_ms != o->expire_ms) {
        v->broken = "a key expires at another time";
        return;
    }
    if (o->type == OBJECT_STRING || o->type == OBJECT_JSON) {
        v->broken = slice_eq(object_value(o), object_value(other)) ? NULL : "a string differs";
        return;
    }
    if (o->type == OBJECT_HASH) {
        v->broken = inspect_same_hash(o, v->other, other) ? NULL : "a hash differs";
        return;
    }
    if (o->type == OBJECT_LIST) {
        v->broken = inspect_same_list(o, other) ? NULL : "a list differs";
        return;
    }
    if (has_members(o)) {
        v->broken = inspect_same_members(o, v->other, other) ? NULL : "a set differs";
        return;
    }
    const struct collection *a = o->collection, *b = other->collection;
    struct buf x = BUF_INIT(MEM_TEST), y = BUF_INIT(MEM_TEST);
    struct mutation spec = {.kind = MUTATION_COLLECTION_NEW, .spec = a->spec};
    mutation_encode(&spec, &x);
    spec.spec = b->spec;
    mutation_encode(&spec, &y);
    struct partition_sums mine = collection_sums(a), theirs = collection_sums(b);
    if (memcmp(&mine, &theirs, sizeof(mine)) != 0 || !same_partitions(a, b) ||
        !slice_eq(buf_slice(&x), buf_slice(&y)))
        v->broken = "a collection differs";
    buf_fini(&x);
    buf_fini(&y);
    for (uint32_t row = 0; row < a->rows_end && v->broken == NULL; row++)
        if (is_live(a, row) && !is_dying(a, row))
            v->broken = compare_row(a, row, b);
}

const char *inspect_difference(const struct db *a, const struct db *b)
{
    struct visit v = {.db = a, .other = b};
    if (keyspace_count(&a->keys) != keyspace_count(&b->keys))
        return "the number of keys differs";
    (void)keyspace_scan(&a->keys, 0, SIZE_MAX, compare_object, &v);
    struct buf x = BUF_INIT(MEM_TEST), y = BUF_INIT(MEM_TEST);
    indexes_encode(a, false, &x);
    indexes_encode(b, false, &y);
    if (!slice_eq(buf_slice(&x), buf_slice(&y)))
        v.broken = "there are other indexes";
    buf_fini(&x);
    buf_fini(&y);
    return v.broken;
}

/* -- digests -------------------------------------------------------------------------------------
 */

static void mix(uint64_t *digest, const void *bytes, size_t size)
{
    const uint64_t seed[2] = {*digest, 1};
    *digest = hash_bytes((struct slice){bytes, size}, seed);
}

/* Sums do not know an order. */
static uint64_t hash_digest(const struct object *o)
{
    struct hash_walk walk;
    struct hash_field f;
    uint64_t sum = 0;
    hashes_walk_all(o, &walk);
    while (hashes_next(&walk, &f)) {
        uint64_t digest = f.expire_ms;
        mix(&digest, f.name.ptr, f.name.len);
        mix(&digest, f.value.ptr, f.value.len);
        sum += digest;
    }
    return sum;
}

static uint64_t list_digest(const struct object *o)
{
    struct list_walk walk;
    struct slice value;
    uint64_t digest = 0;
    lists_walk(o, 0, &walk);
    while (lists_next(&walk, &value))
        mix(&digest, value.ptr, value.len);
    return digest;
}

/* Entries by themselves. */
static uint64_t members_digest(const struct object *o)
{
    struct set_walk set;
    struct zset_walk zset;
    struct slice member;
    struct scored s;
    uint64_t sum = 0, digest = 0;
    if (o->type == OBJECT_SET)
        for (sets_walk(o, &set); sets_next(&set, &member); sum += digest, digest = 0)
            mix(&digest, member.ptr, member.len);
    else
        for (zsets_walk(o, 0, false, &zset); zsets_next(&zset, &s); sum += digest, digest = 0) {
            mix(&digest, s.member.ptr, s.member.len);
            mix(&digest, &s.score, sizeof(s.score));
        }
    return sum;
}

static uint64_t entries_digest(const struct object *o)
{
    return has_members(o)           ? members_digest(o)
           : o->type == OBJECT_LIST ? list_digest(o)
                                    : hash_digest(o);
}

static void digest_object(void *user, const struct object *o)
{
    struct visit *v = user;
    const struct collection *c = o->collection;
    static uint32_t links[LINKS_MAX];
    mix(&v->digest, o->bytes, o->key_len);
    mix(&v->digest, &o->expire_ms, sizeof(o->expire_ms));
    if (o->type == OBJECT_STRING || o->type == OBJECT_JSON) {
        struct slice value = object_value(o);
        mix(&v->digest, value.ptr, value.len);
        return;
    }
    if (object_is_packs(o)) {
        v->digest += entries_digest(o);
        return;
    }
    mix(&v->digest, &c->uid, sizeof(c->uid));
    mix(&v->digest, c->columns.base[c->side->state_column], c->rows_end);
    const struct index *x = c->side->graph;
    bool graph = x != NULL && x->ops->is_graph;
    for (uint32_t row = 0; row < c->rows_end; row++) {
        if (!is_live(c, row))
            continue;
        size_t size;
        const uint8_t *vector = vector_at(c, row, &size);
        struct slice id = heap_get(&c->heap, ref_of(c, COL_ID, row));
        struct slice attribute = attribute_at(c, row);
        uint64_t birth = birth_of(c, row);
        mix(&v->digest, vector, size);
        mix(&v->digest, id.ptr, id.len);
        mix(&v->digest, attribute.ptr, attribute.len);
        uint64_t expire_ms = expiry_of(c, row);
        uint16_t partition = collection_partition(c, row);
        mix(&v->digest, &birth, sizeof(birth));
        mix(&v->digest, &expire_ms, sizeof(expire_ms));
        mix(&v->digest, &partition, sizeof(partition));
        mix(&v->digest, c->columns.base[COL_NORM] + row * sizeof(float), sizeof(float));
        for (int level = 0; graph && level <= hnsw_level(c->side->graph, row); level++) {
            size_t count = hnsw_neighbours(c->side->graph, row, level, links, LINKS_MAX);
            mix(&v->digest, links, count * sizeof(links[0]));
        }
    }
}

static uint64_t element_digest(const struct collection *c, uint32_t row)
{
    size_t size;
    uint64_t digest = 0;
    const uint8_t *vector = vector_at(c, row, &size);
    struct slice id = heap_get(&c->heap, ref_of(c, COL_ID, row)), attribute = attribute_at(c, row);
    uint64_t expire_ms = expiry_of(c, row);
    struct slice partition = partition_of(c, row);
    mix(&digest, &expire_ms, sizeof(expire_ms));
    mix(&digest, partition.ptr, partition.len);
    mix(&digest, id.ptr, id.len);
    mix(&digest, vector, size);
    mix(&digest, attribute.ptr, attribute.len);
    mix(&digest, c->columns.base[COL_NORM] + row * sizeof(float), sizeof(float));
    return digest;
}

static void add_object(void *user, const struct object *o)
{
    struct visit *v = user;
    uint64_t digest = 0;
    bool plain = o->type == OBJECT_STRING || o->type == OBJECT_JSON;
    mix(&digest, o->bytes, plain ? o->key_len + o->value_len : o->key_len);
    mix(&digest, &o->expire_ms, sizeof(o->expire_ms));
    if (object_is_packs(o)) {
        uint64_t entries = entries_digest(o);
        mix(&digest, &entries, sizeof(entries));
    }
    const struct collection *c = o->type == OBJECT_COLLECTION ? o->collection : NULL;
    for (uint32_t row = 0; c != NULL && row < c->rows_end; row++) {
        uint64_t element = digest;
        if (!is_live(c, row) || is_dying(c, row))
            continue;
        uint64_t contents = element_digest(c, row);
        mix(&element, &contents, sizeof(contents));
        v->digest += element;
    }
    v->digest += digest;
}

uint64_t inspect_contents(const struct db *db)
{
    struct visit v = {.db = db, .digest = db->log.last_lsn};
    (void)keyspace_scan(&db->keys, 0, SIZE_MAX, add_object, &v);
    return v.digest;
}

uint64_t inspect_digest(const struct db *db)
{
    struct visit v = {.db = db, .digest = db->log.last_lsn};
    (void)keyspace_scan(&db->keys, 0, SIZE_MAX, digest_object, &v);
    return v.digest;
}
