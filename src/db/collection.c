#include "db/collection.h"

#include <math.h>
#include <string.h>

#include "base/limits.h"
#include "base/rng.h"
#include "db/alter.h"
#include "db/background.h"
#include "db/bulk.h"
#include "db/capture.h"
#include "db/collection_fields.h"
#include "db/projection.h"
#include "db/recall.h"
#include "db/relocate.h"

static bool id_equal(const void *owner, uint32_t row, struct slice id)
{
    const struct collection *c = owner;
    heap_ref ref =
        atomic_load_explicit(column_ref(c->columns.base, COL_ID, row), memory_order_relaxed);
    return slice_eq(heap_get(&c->heap, ref), id);
}

uint32_t collection_id_hash(const struct collection *c, struct slice id)
{
    return (uint32_t)hash_bytes(id, c->env->hash_seed);
}

uint64_t collection_level_hash(const struct collection *c, struct slice id)
{
    const uint64_t seed[2] = {c->spec.seed, ~c->spec.seed};
    return hash_bytes(id, seed);
}

static void init_columns(struct collection *c)
{
    bool vectors = spec_has_vectors(&c->side->shape);
    struct column_spec spec[COL_COUNT] = {
        [COL_BIRTH] = {sizeof(uint64_t), MEM_ROW},
        [COL_DEATH] = {sizeof(uint64_t), MEM_ROW},
        [COL_ID] = {sizeof(heap_ref), MEM_ROW},
        [COL_ATTR] = {sizeof(heap_ref), MEM_ROW},
        [COL_NORM] = {sizeof(float), MEM_ROW},
        [COL_STATE] = {sizeof(uint8_t), MEM_ROW},
        [COL_PARTITION] = {c->spec.implicit ? 0 : sizeof(uint16_t), MEM_ROW},
        [COL_CODE] = {side_code_bytes(c->side), MEM_CODE},
        [COL_VECTOR] = {vectors ? c->exact.row_size : 0, MEM_VECTOR},
    };
    columns_init(&c->columns, c->env->epoch, spec, COL_COUNT, c->env->machine_bytes);
}

/* What vectors pass through on their way into rows. False when memory is short. */
static bool make_rooms(struct collection *c)
{
    const struct collection_spec *spec = &c->spec;
    if (spec->projection_from > 0) {
        c->projection =
            projection_new(spec->projection_from, spec->dim, spec->seed, spec->projection_version);
        if (c->projection == NULL)
            return false;
    }
    const struct spec_shape shape = spec_shape(spec);
    if (spec->type == TYPE_FP32 || !spec_has_codes(&shape))
        return true;
    c->unit = mem_try(MEM_VECTOR, spec->dim * sizeof(float));
    return c->unit != NULL;
}

static void free_rooms(struct collection *c)
{
    mem_free(MEM_VECTOR, c->projection);
    mem_free(MEM_VECTOR, c->unit);
}

/* What can fail of making one. */
static bool make_parts(struct collection *c)
{
    const struct collection_spec *spec = &c->spec;
    const struct spec_shape shape = spec_shape(spec);
    codec_init_exact(&c->exact, spec->type, spec->metric, spec->dim, c->env->kernels);
    c->side = side_new(c, &shape, COL_STATE, spec_has_codes(&shape) ? COL_CODE : COL_VECTOR);
    if (c->side == NULL || !make_rooms(c))
        return false;
    init_columns(c);
    if (spec->schema.count > 0)
        c->fields = collection_new_fields(c);
    return spec->schema.count == 0 || c->fields != NULL;
}

struct collection *collection_new(const struct collection_env *env,
                                  const struct collection_spec *spec, uint64_t uid)
{
    struct collection *c = mem_try_calloc(MEM_KEYSPACE, sizeof(*c));
    if (c == NULL)
        return NULL;
    c->env = env;
    c->spec = *spec;
    c->uid = uid;
    if (!make_parts(c)) {
        columns_fini(&c->columns);
        free_rooms(c);
        side_free(c->side);
        mem_free(MEM_KEYSPACE, c);
        return NULL;
    }
    collection_show_schema(c);
    heap_init(&c->heap, env->epoch, MEM_ID);
    map_init(&c->ids, MEM_ID, id_equal, c);
    return c;
}

/* [lane] Unmapping gigabytes takes long: it is a job. */
static void free_all(struct job *job, struct lane *lane)
{
    (void)lane;
    struct collection *c =
        (struct collection *)((char *)job - offsetof(struct collection, end_job));
    CHECK(c->relocation == NULL);
    recall_free(c->recall);
    side_free(c->side);
    side_free(c->next);
    alter_free(c);
    columns_fini(&c->columns);
    fields_free(c->fields);
    fields_free(c->next_fields);
    mem_free(MEM_ROW, c->shown_schema);
    heap_fini(&c->heap);
    map_fini(&c->ids);
    rowset_fini(&c->free_rows);
    aging_free(c->aging);
    partitions_free(c->partitions);
    free_rooms(c);
    c->side = c->next = NULL;
}

static void free_rest(struct job *job)
{
    struct collection *c =
        (struct collection *)((char *)job - offsetof(struct collection, end_job));
    CHECK(c->retired->bytes >= c->retired_bytes);
    c->retired->bytes -= c->retired_bytes;
    retired_leave(c->retired);
    mem_free(MEM_KEYSPACE, c);
}

/* Nobody holds it any more. */
static void end_collection(struct epoch_item *item)
{
    struct collection *c = (struct collection *)item;
    struct io *io = c->env->background->io;
    c->end_job = (struct job){.run = free_all, .done = free_rest, .class = JOB_LINK};
    io->ops->submit(io, &c->end_job);
}

void collection_drop(struct collection *c)
{
    CHECK(!c->dropped);
    c->dropped = true;
    c->env->background->io->ops->timer_stop(c->env->background->io, &c->fields_timer);
    c->retired_bytes = collection_bytes(c);
    c->retired = c->env->background->retired;
    c->retired->bytes += c->retired_bytes;
    c->retired->users++;
    aging_unlist(c->aging, c->env->aging_next);
    partitions_stop(c->partitions);
    background_forget(c->env->background, c);
    recall_forget(c->env->recall, c);
    if (c->pending_waiters > 0)
        c->env->background->on_room(c->env->background->user, c);
    epoch_defer(c->env->epoch, &c->end, end_collection);
}

uint16_t collection_partition(const struct collection *c, uint32_t row)
{
    CHECK(row < c->rows_end);
    if (c->columns.spec[COL_PARTITION].stride == 0)
        return PARTITION_DEFAULT;
    return ((const uint16_t *)(const void *)c->columns.base[COL_PARTITION])[row];
}

static bool is_dying(const struct collection *c, uint32_t row)
{
    return c->partitions != NULL && c->partitions->table->hides &&
           partition_bit(c->partitions->table->hidden, collection_partition(c, row));
}

struct partition_sums collection_sums(const struct collection *c)
{
    struct partition_sums sums = {c->live, c->attributes, c->heap.live_bytes};
    if (c->partitions == NULL)
        return sums;
    const struct partition_sums *dying = &c->partitions->dying;
    CHECK(dying->count <= sums.count && dying->heap_bytes <= sums.heap_bytes);
    sums.count -= dying->count;
    sums.attributes -= dying->attributes;
    sums.heap_bytes -= dying->heap_bytes;
    return sums;
}

enum err collection_make_partitions(struct collection *c)
{
    CHECK(!c->spec.implicit);
    if (c->partitions == NULL)
        c->partitions = partitions_new(c);
    return c->partitions == NULL ? ERR_NOMEM : OK;
}

uint32_t collection_find(const struct collection *c, struct slice id)
{
    uint32_t row = map_get(&c->ids, collection_id_hash(c, id), id);
    return row == MAP_NONE || is_dying(c, row) ? ROW_NONE : row;
}

/* Rows that a count is of. */
struct counted {
    const struct collection *c;
    const struct partition_choice *choice; /* NULL: all that are there */
};

static bool counts(const void *user, uint32_t row)
{
    const struct counted *counted = user;
    if (counted->choice == NULL)
        return !is_dying(counted->c, row);
    return partition_bit(counted->choice->bits, collection_partition(counted->c, row));
}

size_t collection_count(const struct collection *c, uint64_t now_ms)
{
    struct counted counted = {c, NULL};
    size_t due = c->aging == NULL ? 0 : aging_count_due(c->aging, now_ms, counts, &counted);
    bool part = c->bulk != NULL && c->bulk->state == BULK_APPLYING;
    size_t live = part ? c->bulk->live : collection_sums(c).count;
    CHECK(due <= live || part); /* of what a bulk puts some may have expired before it is over */
    return due < live ? live - due : 0;
}

size_t collection_count_in(const struct collection *c, uint64_t now_ms,
                           const struct partition_choice *choice)
{
    struct counted counted = {c, choice};
    size_t due = c->aging == NULL ? 0 : aging_count_due(c->aging, now_ms, counts, &counted);
    CHECK(due <= choice->count);
    return choice->count - due;
}

struct slice collection_attribute(const struct collection *c, uint32_t row)
{
    heap_ref ref =
        atomic_load_explicit(column_ref(c->columns.base, COL_ATTR, row), memory_order_relaxed);
    return ref == HEAP_NONE ? (struct slice){0} : heap_get(&c->heap, ref);
}

/* The longest attribute that a put sets. */
static size_t longest_set(const struct mutation *m)
{
    size_t longest = 0;
    for (size_t i = 0; i < m->count; i++)
        if (m->elements[i].set_attribute && m->elements[i].attribute.len > longest)
            longest = m->elements[i].attribute.len;
    return longest;
}

/* The longest attribute that an element which sets none may inherit: from the one it replaces, or
 * from one before it in the same put, which may have its id. */
static size_t inherited(const struct collection *c, struct slice id, size_t longest)
{
    uint32_t before = c->attributes == 0 ? ROW_NONE : collection_find(c, id);
    size_t len = before == ROW_NONE ? 0 : collection_attribute(c, before).len;
    return len > longest ? len : longest;
}

/* Bytes of the heap that a put takes, at most. */
static size_t put_size(const struct collection *c, const struct mutation *m)
{
    size_t size = 0, longest = longest_set(m);
    for (size_t i = 0; i < m->count; i++) {
        const struct mutation_element *e = &m->elements[i];
        size_t attribute = e->set_attribute ? e->attribute.len : inherited(c, e->id, longest);
        size += heap_record_size(e->id.len);
        if (attribute > 0)
            size += heap_record_size(attribute);
    }
    return size;
}

/* The highest row a put of count elements may use, plus one. */
static uint32_t end_after(const struct collection *c, size_t count)
{
    size_t fresh = count > c->free_rows.count ? count - c->free_rows.count : 0;
    size_t end = c->rows_end + fresh;
    return end > LIMIT_ROWS ? UINT32_MAX : (uint32_t)end;
}

size_t collection_growth(const struct collection *c, size_t count, size_t heap_size)
{
    uint32_t end = end_after(c, count);
    size_t cost = columns_cost(&c->columns, end) + heap_cost(&c->heap, heap_size);
    struct side *sides[2];
    for (size_t i = collection_sides(c, sides); i-- > 0;)
        cost += side_cost(sides[i], end);
    cost += collection_fields_cost(c, end, count);
    if (c->aging != NULL)
        cost += aging_cost(c->aging, end, count);
    return cost;
}

size_t collection_put_cost(const struct collection *c, const struct mutation *m)
{
    return collection_growth(c, m->count, put_size(c, m));
}

static struct slice id_at(const struct collection *c, uint32_t row)
{
    heap_ref id =
        atomic_load_explicit(column_ref(c->columns.base, COL_ID, row), memory_order_relaxed);
    return heap_get(&c->heap, id);
}

/* From scanning everything to walking: all rows become pending. */
static enum err build_graph(struct collection *c, uint32_t end)
{
    struct side *s = c->side;
    if (columns_make_large(&c->columns) != OK || !pending_reserve(&s->pending, c->live))
        return ERR_NOMEM;
    enum err e = side_make_graph(s, end);
    if (e != OK)
        return e;
    for (uint32_t row = 0; row < c->rows_end; row++)
        if (side_state(s, row) == ROW_FLAT)
            side_take(s, row, collection_level_hash(c, id_at(c, row)));
    background_wake(c->env->background, c);
    return OK;
}

enum err collection_need_graph(struct collection *c)
{
    if (c->side->graph != NULL)
        return OK;
    if (c->bulk != NULL) /* what it has set aside is for a collection without one */
        bulk_settle(c->bulk->db, (struct slice){0});
    c->wants_graph = true;
    return build_graph(c, c->rows_end);
}

enum err collection_make_aging(struct collection *c)
{
    if (c->aging == NULL)
        c->aging = aging_new(c, c->env->epoch, c->columns.rows_max);
    return c->aging == NULL ? ERR_NOMEM : OK;
}

/* Room in it for rows 0 .. end - 1, and so many more that expire. */
static enum err need_aging(struct collection *c, uint32_t end, size_t added)
{
    if (c->aging != NULL)
        return aging_reserve(c->aging, end, added);
    enum err e = collection_make_aging(c);
    if (e == OK)
        e = aging_reserve(c->aging, end, added);
    if (e == OK) {
        aging_list(c->aging, c->env->agings);
    } else {
        aging_free(c->aging); /* readers take it for one that knows of all rows */
        c->aging = NULL;
    }
    return e;
}

struct access collection_access(const struct collection *c)
{
    enum { LOG_FACTOR = 10, DECAY_MINUTES = 1 }; /* Redis's defaults for keys */
    struct access access = {.lfu = c->spec.tuning.evict == EVICT_LFU,
                            .log_factor = LOG_FACTOR,
                            .decay_minutes = DECAY_MINUTES};
    access_set_now(&access, *c->env->now_ms);
    return access;
}

static uint32_t access_of_now(const struct collection *c)
{
    struct access access = collection_access(c);
    return access_new(&access);
}

size_t collection_row_bytes(const struct collection *c)
{
    const struct side *s = c->side;
    size_t sum = s->shape.index == INDEX_FLAT  ? 0
                 : s->shape.index == INDEX_IVF ? spec_list_bytes(&c->spec)
                                               : 2 * (size_t)s->shape.m * sizeof(uint32_t);
    for (unsigned i = 0; i < c->columns.count; i++)
        if (i != COL_STATE_2 && i != COL_CODE && i != COL_CODE_2)
            sum += c->columns.spec[i].stride;
    return sum + side_code_bytes(s);
}

size_t collection_element_bytes(const struct collection *c)
{
    struct partition_sums sums = collection_sums(c);
    return sums.count * collection_row_bytes(c) + sums.heap_bytes;
}

enum err collection_prepare_alter(struct collection *c, const struct collection_spec *spec)
{
    const struct spec_shape shape = spec_shape(spec);
    if (!spec_shape_equal(&shape, &c->side->shape) && alter_prepare(c) != OK)
        return ERR_NOMEM;
    return spec_ages(&spec->tuning) ? need_aging(c, c->rows_end, 0) : OK;
}

void collection_alter(struct collection *c, const struct collection_spec *spec)
{
    const struct spec_tuning *tuning = &spec->tuning;
    const struct spec_shape shape = spec_shape(spec);
    if (!schema_equal(&c->spec.schema, &spec->schema))
        collection_change_schema(c, &spec->schema);
    bool other = spec_counts_use(tuning) &&
                 (!spec_counts_use(&c->spec.tuning) || tuning->evict != c->spec.tuning.evict);
    c->spec.tuning = *tuning;
    if (other)
        collection_use_all(c);
    if (shape.index == INDEX_FLAT && c->spec.index != INDEX_FLAT)
        c->wants_graph = false;
    spec_set_shape(&c->spec, &shape);
    if (c->alteration != NULL)
        alter_begin(c);
}

void collection_use_all(struct collection *c)
{
    uint32_t value = access_of_now(c);
    _Atomic uint32_t *used = (_Atomic uint32_t *)(void *)c->aging->columns.base[AGE_ACCESS];
    for (uint32_t row = 0; row < c->rows_end; row++)
        atomic_store_explicit(&used[row], value, memory_order_relaxed);
}

static bool any_expires(const struct mutation *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->elements[i].expire_ms > 0)
            return true;
    return false;
}

static enum err prepare_rows(struct collection *c, size_t count, size_t heap_size, bool expires)
{
    uint32_t end = end_after(c, count);
    if (end > LIMIT_ROWS)
        return ERR_LIMIT;
    enum err e = columns_reserve(&c->columns, end);
    if (e == OK && c->fields != NULL)
        e = fields_reserve(c->fields, end);
    if (e == OK && (expires || c->aging != NULL || spec_ages(&c->spec.tuning)))
        e = need_aging(c, end, count);
    if (e == OK)
        e = heap_reserve(&c->heap, heap_size);
    if (e == OK && !map_reserve(&c->ids, count))
        e = ERR_NOMEM;
    if (e == OK && !rowset_reserve(&c->free_rows, end))
        e = ERR_NOMEM;
    if (e == OK && c->side->graph == NULL && side_wants_graph(c->side, end))
        e = build_graph(c, end);
    struct side *sides[2];
    for (size_t i = collection_sides(c, sides); i-- > 0 && e == OK;)
        e = side_reserve(sides[i], end, count);
    return e;
}

enum err collection_prepare_rows(struct collection *c, size_t count, size_t heap_size, bool expires)
{
    enum err e = prepare_rows(c, count, heap_size, expires);
    if (e != ERR_NOMEM || c->next == NULL)
        return e;
    alter_give_up(c);
    return prepare_rows(c, count, heap_size, expires);
}

enum err collection_prepare_put(struct collection *c, const struct mutation *m)
{
    CHECK(m->dim == c->spec.dim);
    return collection_prepare_rows(c, m->count, put_size(c, m), any_expires(m));
}

enum err collection_prepare_attribute(struct collection *c, struct slice attribute)
{
    return heap_reserve(&c->heap, heap_record_size(attribute.len));
}

/* -- applying ---------------------------------------------------------------------------------- */

static uint32_t take_row(struct collection *c)
{
    if (c->free_rows.count > 0)
        return rowset_take(&c->free_rows);
    CHECK(c->rows_end < c->columns.capacity);
    uint32_t row = c->rows_end++;
    _Atomic uint64_t *birth = (_Atomic uint64_t *)c->columns.base[COL_BIRTH];
    atomic_store_explicit(&birth[row], LSN_NEVER, memory_order_relaxed);
    return row;
}

static void drop_attribute(struct collection *c, heap_ref ref)
{
    if (ref == HEAP_NONE)
        return;
    heap_drop(&c->heap, ref);
    CHECK(c->attributes > 0);
    c->attributes--;
}

static struct partition_sums sums_of(const struct collection *c)
{
    return (struct partition_sums){c->live, c->attributes, c->heap.live_bytes};
}

/* What has changed since before is the row's. */
static void count_row(struct collection *c, uint32_t row, const struct partition_sums *before)
{
    if (c->partitions == NULL)
        return;
    struct partition_sums change = {c->live - before->count, c->attributes - before->attributes,
                                    c->heap.live_bytes - before->heap_bytes};
    partitions_count(c->partitions, collection_partition(c, row), &change);
}

/* The row stops being: no later search sees it. Its id leaves the map by the caller. */
static void kill_row(struct collection *c, uint32_t row, uint64_t lsn)
{
    uint8_t *const *base = c->columns.base;
    _Atomic uint64_t *death = (_Atomic uint64_t *)base[COL_DEATH];
    atomic_store_explicit(&death[row], lsn, memory_order_release);
    collection_forget_fields(c, row);
    if (c->aging != NULL)
        aging_forget(c->aging, row);
    struct partition_sums before = sums_of(c);
    heap_drop(&c->heap, atomic_load_explicit(column_ref(base, COL_ID, row), memory_order_relaxed));
    drop_attribute(c, atomic_load_explicit(column_ref(base, COL_ATTR, row), memory_order_relaxed));
    CHECK(c->live > 0);
    c->live--;
    count_row(c, row, &before);
    if (c->partitions != NULL)
        partitions_remove(c->partitions, collection_partition(c, row), row);
    struct side *sides[2];
    bool through = false;
    for (size_t i = collection_sides(c, sides); i-- > 0;)
        through |= side_forget(sides[i], row);
    if (through)
        collection_let_row_go(c, row);
    background_wake(c->env->background, c);
}

/* What its code is made of: floats, at length 1 under COSINE. */
static const float *unit_of(struct collection *c, const struct mutation_element *e)
{
    const struct collection_spec *spec = &c->spec;
    if (spec->type == TYPE_FP32)
        return e->vector;
    CHECK(c->unit != NULL);
    type_decode(spec->type, e->vector, spec->dim, c->unit);
    for (uint32_t i = 0; i < spec->dim && e->norm != 1; i++)
        c->unit[i] /= e->norm;
    return c->unit;
}

static void fill_row(struct collection *c, uint32_t row, const struct mutation_element *e)
{
    uint8_t *const *base = c->columns.base;
    const struct column_spec *spec = c->columns.spec;
    if (spec[COL_VECTOR].stride > 0)
        codec_store(&c->exact, e->vector, base[COL_VECTOR] + (size_t)row * spec[COL_VECTOR].stride);
    struct side *sides[2];
    for (size_t i = collection_sides(c, sides); i-- > 0;)
        if (side_code_bytes(sides[i]) > 0)
            codec_encode(&sides[i]->codec, unit_of(c, e), side_code(sides[i], row));
    ((float *)(void *)base[COL_NORM])[row] = e->norm;
    heap_ref id = heap_put(&c->heap, row, e->id);
    atomic_store_explicit(column_ref(base, COL_ID, row), id, memory_order_relaxed);
}

/* From here on searches that start later see the row. */
static void publish_row(struct collection *c, uint32_t row, uint64_t lsn, struct slice id)
{
    _Atomic uint64_t *birth = (_Atomic uint64_t *)c->columns.base[COL_BIRTH];
    _Atomic uint64_t *death = (_Atomic uint64_t *)c->columns.base[COL_DEATH];
    atomic_store_explicit(&death[row], LSN_NEVER, memory_order_release);
    atomic_store_explicit(&birth[row], lsn, memory_order_release);
    c->live++;
    struct side *sides[2];
    bool links = false;
    for (size_t i = collection_sides(c, sides); i-- > 0;) {
        bool walked = sides[i]->graph != NULL;
        side_take(sides[i], row, walked ? collection_level_hash(c, id) : 0);
        links |= walked || sides[i]->shape.index == INDEX_IVF; /* it may be due to be trained */
    }
    if (links)
        background_wake(c->env->background, c);
}

static uint64_t dying_lsn(const struct collection *c, uint32_t row)
{
    return c->partitions->all[collection_partition(c, row)].gone_lsn;
}

/* From its birth to its death a row is in one partition. */
static void enter_partition(struct collection *c, uint32_t row, uint16_t partition)
{
    if (c->columns.spec[COL_PARTITION].stride > 0)
        ((uint16_t *)(void *)c->columns.base[COL_PARTITION])[row] = partition;
    if (c->partitions != NULL)
        partitions_add(c->partitions, partition, row);
}

static void put_element(struct collection *c, const struct mutation_element *e, uint16_t partition,
                        uint64_t lsn)
{
    uint32_t hash = collection_id_hash(c, e->id);
    uint32_t before = map_get(&c->ids, hash, e->id);
    bool replaces = before != MAP_NONE && !is_dying(c, before);
    struct slice attribute = e->attribute;
    if (!e->set_attribute)
        attribute = replaces ? collection_attribute(c, before) : (struct slice){0};
    struct partition_sums sums = sums_of(c);
    uint32_t row = take_row(c);
    c->born++;
    enter_partition(c, row, partition);
    fill_row(c, row, e);
    if (c->aging != NULL)
        aging_set(c->aging, row, e->expire_ms, access_of_now(c));
    heap_ref ref = HEAP_NONE;
    if (attribute.len > 0) {
        ref = heap_put(&c->heap, row, attribute);
        c->attributes++;
    }
    atomic_store_explicit(column_ref(c->columns.base, COL_ATTR, row), ref, memory_order_relaxed);
    collection_set_fields(c, row, attribute);
    publish_row(c, row, lsn, e->id);
    count_row(c, row, &sums);
    if (before == MAP_NONE) {
        map_put(&c->ids, hash, row);
    } else {
        map_replace(&c->ids, hash, before, row);
        kill_row(c, before, replaces ? lsn : dying_lsn(c, before));
    }
}

void collection_put(struct collection *c, const struct mutation *m, uint64_t lsn)
{
    uint16_t partition = PARTITION_DEFAULT;
    if (c->partitions != NULL && m->partition.len > 0)
        partition = partition_table_find(c->partitions->table, m->partition);
    CHECK(partition != PARTITION_NONE); /* db_write has looked */
    for (size_t i = 0; i < m->count; i++)
        put_element(c, &m->elements[i], partition, lsn);
}

bool collection_remove(struct collection *c, struct slice id, uint64_t lsn)
{
    uint32_t hash = collection_id_hash(c, id);
    uint32_t row = map_get(&c->ids, hash, id);
    if (row == MAP_NONE)
        return false;
    bool was = !is_dying(c, row);
    uint64_t death = was ? lsn : dying_lsn(c, row);
    map_remove(&c->ids, hash, row);
    kill_row(c, row, death);
    return was;
}

void collection_bury(struct collection *c, uint32_t row, uint64_t lsn)
{
    heap_ref ref =
        atomic_load_explicit(column_ref(c->columns.base, COL_ID, row), memory_order_relaxed);
    CHECK(is_dying(c, row));
    map_remove(&c->ids, collection_id_hash(c, heap_get(&c->heap, ref)), row);
    kill_row(c, row, lsn);
}

void collection_set_attribute(struct collection *c, struct slice id, struct slice attribute)
{
    uint32_t row = collection_find(c, id);
    if (row == ROW_NONE)
        return;
    struct partition_sums sums = sums_of(c);
    heap_ref ref = HEAP_NONE;
    if (attribute.len > 0) {
        ref = heap_put(&c->heap, row, attribute);
        c->attributes++;
    }
    if (c->env->capture != NULL)
        capture_attribute(c->env->capture, c, row);
    collection_unset_fields(c, row);
    _Atomic uint32_t *at = column_ref(c->columns.base, COL_ATTR, row);
    drop_attribute(c, atomic_load_explicit(at, memory_order_relaxed));
    atomic_store_explicit(at, ref, memory_order_release);
    count_row(c, row, &sums);
    collection_set_fields(c, row, attribute);
}

/* -- states ------------------------------------------------------------------------------------ */

size_t collection_sides(const struct collection *c, struct side *out[2])
{
    out[0] = c->side;
    out[1] = c->next;
    return c->next == NULL ? 1 : 2;
}

enum row_state collection_state(const struct collection *c, uint32_t row)
{
    return side_state(c->side, row);
}

void collection_set_state(struct collection *c, uint32_t row, enum row_state state)
{
    side_set_state(c->side, row, state);
}

/* A dead row on its way to the free ones. owner: the epoch */
struct limbo {
    struct epoch_item item;
    struct collection *collection;
    uint32_t row;
};

void collection_free_row(struct collection *c, uint32_t row)
{
    _Atomic uint64_t *birth = (_Atomic uint64_t *)c->columns.base[COL_BIRTH];
    atomic_store_explicit(&birth[row], LSN_NEVER, memory_order_release);
    struct side *sides[2];
    for (size_t i = collection_sides(c, sides); i-- > 0;) {
        if (sides[i]->graph != NULL)
            sides[i]->graph->ops->row_free(sides[i]->graph, row);
        side_set_state(sides[i], row, ROW_FREE);
    }
    rowset_add(&c->free_rows, row);
    c->env->background->rows_freed++;
}

static void free_limbo(struct epoch_item *item)
{
    struct limbo *limbo = (struct limbo *)item;
    struct collection *c = limbo->collection;
    uint32_t row = limbo->row;
    mem_free(MEM_ROW, limbo);
    CHECK(collection_state(c, row) == ROW_LIMBO);
    collection_free_row(c, row);
    relocate_consider(c);
}

void collection_retire(struct collection *c, uint32_t row)
{
    /* The end of c is on its way already, and what is deferred behind it would come too late. */
    if (c->dropped)
        return;
    struct limbo *limbo = mem_alloc(MEM_ROW, sizeof(*limbo));
    limbo->collection = c;
    limbo->row = row;
    struct side *sides[2];
    for (size_t i = collection_sides(c, sides); i-- > 0;) {
        side_set_state(sides[i], row, ROW_LIMBO);
        if (sides[i]->graph != NULL)
            sides[i]->graph->ops->row_retire(sides[i]->graph, row);
    }
    epoch_defer(c->env->epoch, &limbo->item, free_limbo);
}

void collection_let_row_go(struct collection *c, uint32_t row)
{
    if (side_is_through(c->side, row) && (c->next == NULL || side_is_through(c->next, row)))
        collection_retire(c, row);
}

void collection_move(struct collection *c, uint32_t from, uint32_t to, uint64_t lsn)
{
    uint8_t *const *base = c->columns.base;
    static const enum collection_column copied[] = {COL_NORM, COL_CODE, COL_CODE_2, COL_VECTOR,
                                                    COL_PARTITION};
    static const enum collection_column refs[] = {COL_ID, COL_ATTR};
    CHECK(collection_state(c, to) == ROW_FREE);
    for (size_t i = 0; i < COUNT_OF(copied); i++) {
        size_t stride = c->columns.spec[copied[i]].stride;
        uint8_t *column = base[copied[i]];
        if (stride > 0)
            memcpy(column + to * stride, column + from * stride, stride);
    }
    /* Both rows name the same records, which are the new row's now; compaction moves them under a
     * guard of the searches that still see the old one. */
    for (size_t i = 0; i < COUNT_OF(refs); i++) {
        heap_ref ref = atomic_load_explicit(column_ref(base, refs[i], from), memory_order_relaxed);
        atomic_store_explicit(column_ref(base, refs[i], to), ref, memory_order_relaxed);
        if (ref != HEAP_NONE)
            heap_set_row(&c->heap, ref, to);
    }
    collection_move_fields(c, from, to, collection_attribute(c, to));
    if (c->aging != NULL)
        aging_move(c->aging, from, to);
    if (c->partitions != NULL)
        partitions_move(c->partitions, collection_partition(c, to), from, to);
    heap_ref id = atomic_load_explicit(column_ref(base, COL_ID, to), memory_order_relaxed);
    map_replace(&c->ids, collection_id_hash(c, heap_get(&c->heap, id)), from, to);
    _Atomic uint64_t *birth = (_Atomic uint64_t *)base[COL_BIRTH];
    _Atomic uint64_t *death = (_Atomic uint64_t *)base[COL_DEATH];
    atomic_store_explicit(&death[to], LSN_NEVER, memory_order_release);
    atomic_store_explicit(&birth[to], lsn, memory_order_release);
    atomic_store_explicit(&death[from], lsn, memory_order_release);
}

bool collection_pending_full(const struct collection *c)
{
    return side_is_full(c->side) || (c->next != NULL && side_is_full(c->next));
}

size_t collection_bytes(const struct collection *c)
{
    size_t sum = sizeof(*c) + columns_bytes(&c->columns) + c->heap.held_bytes + map_bytes(&c->ids);
    struct side *sides[2];
    for (size_t i = collection_sides(c, sides); i-- > 0;)
        sum += side_bytes(sides[i]);
    sum += collection_fields_bytes(c);
    if (c->projection != NULL)
        sum += mem_size(c->projection);
    if (c->unit != NULL)
        sum += mem_size(c->unit);
    if (c->aging != NULL)
        sum += aging_bytes(c->aging);
    if (c->partitions != NULL)
        sum += partitions_bytes(c->partitions);
    sum += recall_bytes(c);
    return sum + c->free_rows.words * sizeof(uint64_t);
}
