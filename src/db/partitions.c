#include "db/partitions.h"

#include <roaring/roaring.h>
#include <string.h>

#include "db/background.h"
#include "db/collection.h"

enum {
    SLICE_US = 250, /* of the loop's time, */
    GAP_US = 250,   /* and as long for others */
    LOOK_ROWS = 16, /* between two looks at the clock */
    RETRY_US = 100 * 1000,
    BITMAP_BYTES = 80,
    ROW_BYTES = 2 /* what a bitmap costs, and a row of it, about */
};

/* -- names ------------------------------------------------------------------------------------- */

bool partition_name_fits(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '.')
            return false;
    }
    return name.len > 0 && name.len <= LIMIT_PARTITION_NAME;
}

struct slice partition_default_name(void)
{
    return slice_of("_default");
}

/* The first name that is not before this one. */
static uint32_t lower(const struct partition_table *t, struct slice name)
{
    uint32_t low = 0, high = t->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (slice_cmp(t->names[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool is_at(const struct partition_table *t, uint32_t at, struct slice name)
{
    return at < t->count && slice_eq(t->names[at].name, name);
}

uint16_t partition_table_find(const struct partition_table *t, struct slice name)
{
    uint32_t at = lower(t, name);
    return is_at(t, at, name) ? t->names[at].number : PARTITION_NONE;
}

struct slice partition_table_name(const struct partition_table *t, uint16_t number)
{
    for (uint32_t i = 0; i < t->count; i++)
        if (t->names[i].number == number)
            return t->names[i].name;
    return (struct slice){0};
}

/* A copy of old (NULL: of none) with one name more, or, when number is PARTITION_NONE, one less; a
 * name of length 0 is neither. */
static struct partition_table *table_with(const struct partition_table *old, struct slice name,
                                          uint16_t number)
{
    uint32_t old_count = old == NULL ? 0 : old->count, count = 0;
    bool adds = name.len > 0 && number != PARTITION_NONE;
    size_t bytes = adds ? name.len : 0;
    for (uint32_t i = 0; i < old_count; i++)
        bytes += old->names[i].name.len;
    struct partition_table *t =
        mem_try(MEM_KEYSPACE, sizeof(*t) + (old_count + adds) * sizeof(t->names[0]) + bytes);
    if (t == NULL)
        return NULL;
    memset(t, 0, sizeof(*t));
    if (old != NULL)
        memcpy(t->hidden, old->hidden, sizeof(t->hidden));
    uint8_t *text = (uint8_t *)(t->names + old_count + adds);
    uint32_t at = old == NULL || name.len == 0 ? old_count : lower(old, name);
    for (uint32_t i = 0; i <= old_count; i++) {
        if (i == at && adds)
            t->names[count++] = (struct partition_name){name, number};
        if (i < old_count && (i != at || adds || name.len == 0))
            t->names[count++] = old->names[i];
    }
    CHECK(count <= old_count + adds);
    t->count = count;
    for (uint32_t i = 0; i < count; i++) {
        memcpy(text, t->names[i].name.ptr, t->names[i].name.len);
        t->names[i].name.ptr = text;
        text += t->names[i].name.len;
    }
    return t;
}

static void free_table(struct epoch_item *item)
{
    mem_free(MEM_KEYSPACE, item);
}

static void publish(struct partitions *p, struct partition_table *table)
{
    struct partition_table *old = (struct partition_table *)(uintptr_t)p->table;
    table->hides = false;
    for (size_t i = 0; i < PARTITION_WORDS; i++)
        table->hides |= table->hidden[i] != 0;
    p->table = table;
    if (old != NULL)
        epoch_defer(p->collection->env->epoch, &old->end, free_table);
}

/* -- life -------------------------------------------------------------------------------------- */

static void book(struct partitions *p, int64_t bytes)
{
    p->booked_bytes = (size_t)((int64_t)p->booked_bytes + bytes);
    mem_book_pages(MEM_ID, bytes);
}

/* Room for the number. */
static bool reserve_number(struct partitions *p, uint16_t number)
{
    if (number < p->end)
        return true;
    uint32_t end = 2 * ((uint32_t)number + 4);
    end = end < PARTITION_NUMBERS ? end : PARTITION_NUMBERS;
    struct partition *all = mem_try_realloc(MEM_KEYSPACE, p->all, end * sizeof(*all));
    if (all == NULL)
        return false;
    memset(all + p->end, 0, (end - p->end) * sizeof(*all));
    p->all = all;
    p->end = end;
    return true;
}

static void make_live(struct partitions *p, uint16_t number, roaring_bitmap_t *rows)
{
    CHECK(number < p->end && p->all[number].state == PARTITION_FREE && rows != NULL);
    p->all[number] =
        (struct partition){.state = PARTITION_LIVE, .uid = p->next_uid++, .rows = rows};
    book(p, BITMAP_BYTES);
}

static void on_timer(struct io_timer *timer);

struct partitions *partitions_new(struct collection *c)
{
    struct partitions *p = mem_try_calloc(MEM_KEYSPACE, sizeof(*p));
    struct partition_table *table = table_with(NULL, partition_default_name(), PARTITION_DEFAULT);
    if (p == NULL || table == NULL || !reserve_number(p, PARTITION_DEFAULT)) {
        mem_free(MEM_KEYSPACE, table);
        mem_free(MEM_KEYSPACE, p);
        return NULL;
    }
    p->collection = c;
    p->next_uid = 1;
    p->timer = (struct io_timer){.fn = on_timer, .user = p};
    publish(p, table);
    /* All that there are, as one run: those that have died stay in until they are used again. */
    make_live(p, PARTITION_DEFAULT, roaring_bitmap_create());
    roaring_bitmap_add_range(p->all[PARTITION_DEFAULT].rows, 0, c->rows_end);
    p->all[PARTITION_DEFAULT].sums =
        (struct partition_sums){c->live, c->attributes, c->heap.live_bytes};
    book(p, (int64_t)c->live * ROW_BYTES);
    return p;
}

void partitions_stop(struct partitions *p)
{
    if (p == NULL)
        return;
    struct io *io = p->collection->env->background->io;
    io->ops->timer_stop(io, &p->timer);
}

void partitions_free(struct partitions *p)
{
    if (p == NULL)
        return;
    for (uint32_t i = 0; i < p->end; i++)
        if (p->all[i].rows != NULL)
            roaring_bitmap_free(p->all[i].rows);
    book(p, -(int64_t)p->booked_bytes);
    mem_free(MEM_KEYSPACE, p->all);
    mem_free(MEM_KEYSPACE, p->next_table);
    mem_free(MEM_KEYSPACE, (void *)(uintptr_t)p->table);
    mem_free(MEM_KEYSPACE, p);
}

size_t partitions_bytes(const struct partitions *p)
{
    return sizeof(*p) + p->end * sizeof(*p->all) + mem_size((void *)(uintptr_t)p->table) +
           p->booked_bytes;
}

/* -- rows -------------------------------------------------------------------------------------- */

void partitions_count(struct partitions *p, uint16_t number, const struct partition_sums *change)
{
    CHECK(number < p->end && p->all[number].state != PARTITION_FREE);
    struct partition_sums *sums = &p->all[number].sums;
    sums->count += change->count;
    sums->attributes += change->attributes;
    sums->heap_bytes += change->heap_bytes;
    if (p->all[number].state == PARTITION_LIVE)
        return;
    p->dying.count += change->count;
    p->dying.attributes += change->attributes;
    p->dying.heap_bytes += change->heap_bytes;
}

void partitions_add(struct partitions *p, uint16_t number, uint32_t row)
{
    CHECK(partitions_is_live(p, number));
    if (number != PARTITION_DEFAULT)
        roaring_bitmap_remove(p->all[PARTITION_DEFAULT].rows, row);
    roaring_bitmap_add(p->all[number].rows, row);
    book(p, ROW_BYTES);
}

void partitions_remove(struct partitions *p, uint16_t number, uint32_t row)
{
    CHECK(number < p->end && p->all[number].state != PARTITION_FREE);
    roaring_bitmap_remove(p->all[number].rows, row);
    book(p, -ROW_BYTES);
}

void partitions_move(struct partitions *p, uint16_t number, uint32_t from, uint32_t to)
{
    CHECK(number < p->end && p->all[number].state != PARTITION_FREE);
    roaring_bitmap_remove(p->all[PARTITION_DEFAULT].rows, to);
    roaring_bitmap_remove(p->all[number].rows, from);
    roaring_bitmap_add(p->all[number].rows, to);
}

void partitions_trim(struct partitions *p, uint32_t end)
{
    roaring_bitmap_remove_range_closed(p->all[PARTITION_DEFAULT].rows, end, UINT32_MAX);
}

size_t partitions_rows_count(const struct partitions *p, uint16_t number)
{
    CHECK(partitions_is_live(p, number));
    return roaring_bitmap_get_cardinality(p->all[number].rows);
}

size_t partitions_rows(const struct partitions *p, uint16_t number, uint32_t *out)
{
    size_t count = partitions_rows_count(p, number);
    if (count > 0)
        roaring_bitmap_to_uint32_array(p->all[number].rows, out);
    return count;
}

/* -- dying ------------------------------------------------------------------------------------- */

static bool time_is_over(const struct partitions *p, uint64_t until_us)
{
    struct io *io = p->collection->env->background->io;
    return until_us != UINT64_MAX && io->ops->mono_us(io) >= until_us;
}

/* Lets rows of a dying partition die, until the time is over. False: some are left. */
static bool bury_rows(struct partitions *p, uint16_t number, uint64_t until_us)
{
    const struct partition *dying = &p->all[number];
    uint32_t rows[LOOK_ROWS];
    CHECK(dying->state == PARTITION_DYING);
    while (dying->sums.count > 0) {
        size_t count = dying->sums.count < LOOK_ROWS ? dying->sums.count : LOOK_ROWS;
        bool listed = roaring_bitmap_range_uint32_array(dying->rows, 0, count, rows);
        CHECK(listed);
        for (size_t i = 0; i < count; i++)
            collection_bury(p->collection, rows[i], dying->gone_lsn);
        if (time_is_over(p, until_us))
            return dying->sums.count == 0;
    }
    return true;
}

/* Its rows have died. False: memory is short, and its number stays taken. */
static bool end_dying(struct partitions *p, uint16_t number)
{
    struct partition *dying = &p->all[number];
    struct partition_table *table = table_with(p->table, (struct slice){0}, PARTITION_NONE);
    if (table == NULL)
        return false;
    CHECK(dying->sums.count == 0 && dying->sums.attributes == 0 && dying->sums.heap_bytes == 0);
    CHECK(roaring_bitmap_is_empty(dying->rows));
    table->hidden[number / 64] &= ~((uint64_t)1 << (number % 64));
    publish(p, table);
    roaring_bitmap_free(dying->rows);
    *dying = (struct partition){.state = PARTITION_FREE};
    book(p, -BITMAP_BYTES);
    return true;
}

static uint16_t next_dying(const struct partitions *p)
{
    for (uint16_t i = 0; i < p->end; i++)
        if (p->all[i].state == PARTITION_DYING)
            return i;
    return PARTITION_NONE;
}

static void on_timer(struct io_timer *timer)
{
    struct partitions *p = timer->user;
    struct background *b = p->collection->env->background;
    struct io *io = b->io;
    uint64_t until_us = io->ops->mono_us(io) + SLICE_US, gap_us = GAP_US;
    for (uint16_t i; (i = next_dying(p)) != PARTITION_NONE;) {
        bool over = !b->paused && bury_rows(p, i, until_us);
        bool ended = over && end_dying(p, i);
        if (!ended) {
            gap_us = b->paused || over ? RETRY_US : GAP_US;
            io->ops->timer_start(io, &p->timer, gap_us);
            return;
        }
    }
}

/* -- changes ----------------------------------------------------------------------------------- */

static void set_next(struct partitions *p, struct partition_table *table, uint16_t number)
{
    mem_free(MEM_KEYSPACE, p->next_table); /* of a change that did not come */
    p->next_table = table;
    p->next_number = number;
}

/* The numbers go round, so that one that was free a moment ago is not taken soon. When all that are
 * not live are dying, one of them has to die at once. */
static uint16_t free_number(struct partitions *p)
{
    uint16_t dying = PARTITION_NONE, number = p->last;
    for (int i = 1; i < PARTITION_NUMBERS; i++) {
        number = number + 1 < PARTITION_NUMBERS ? number + 1 : 1;
        if (number >= p->end || p->all[number].state == PARTITION_FREE)
            return number;
        if (p->all[number].state == PARTITION_DYING && dying == PARTITION_NONE)
            dying = number;
    }
    CHECK(dying != PARTITION_NONE); /* there are more numbers than partitions may be */
    (void)bury_rows(p, dying, UINT64_MAX);
    return end_dying(p, dying) ? dying : PARTITION_NONE;
}

enum err partitions_prepare_new(struct partitions *p, struct slice name)
{
    if (!partition_name_fits(name))
        return ERR_CORRUPT;
    if (partition_table_find(p->table, name) != PARTITION_NONE)
        return ERR_EXISTS;
    if (p->table->count >= LIMIT_PARTITIONS)
        return ERR_LIMIT;
    uint16_t number = free_number(p);
    if (number == PARTITION_NONE || !reserve_number(p, number))
        return ERR_NOMEM;
    struct partition_table *table = table_with(p->table, name, number);
    if (table == NULL)
        return ERR_NOMEM;
    set_next(p, table, number);
    return OK;
}

void partitions_apply_new(struct partitions *p)
{
    CHECK(p->next_table != NULL && p->next_table->count == p->table->count + 1);
    make_live(p, p->next_number, roaring_bitmap_create());
    p->last = p->next_number;
    publish(p, p->next_table);
    p->next_table = NULL;
}

enum err partitions_prepare_drop(struct partitions *p, struct slice name)
{
    uint16_t number = partition_table_find(p->table, name);
    if (number == PARTITION_NONE || number == PARTITION_DEFAULT)
        return ERR_NOT_FOUND;
    struct partition_table *table = table_with(p->table, name, PARTITION_NONE);
    if (table == NULL)
        return ERR_NOMEM;
    table->hidden[number / 64] |= (uint64_t)1 << (number % 64);
    set_next(p, table, number);
    return OK;
}

void partitions_apply_drop(struct partitions *p, uint64_t lsn)
{
    struct partition *gone = &p->all[p->next_number];
    CHECK(p->next_table != NULL && p->next_table->count + 1 == p->table->count);
    CHECK(gone->state == PARTITION_LIVE);
    gone->state = PARTITION_DYING;
    gone->gone_lsn = lsn;
    p->dying.count += gone->sums.count;
    p->dying.attributes += gone->sums.attributes;
    p->dying.heap_bytes += gone->sums.heap_bytes;
    publish(p, p->next_table);
    p->next_table = NULL;
    struct io *io = p->collection->env->background->io;
    io->ops->timer_start(io, &p->timer, 0);
}

/* -- from a snapshot --------------------------------------------------------------------------- */

enum err partitions_load(struct partitions *p, struct slice name, uint16_t number)
{
    if (!partition_name_fits(name) || number == PARTITION_DEFAULT || number >= PARTITION_NUMBERS ||
        p->table->count >= LIMIT_PARTITIONS || partitions_is_live(p, number) ||
        partition_table_find(p->table, name) != PARTITION_NONE)
        return ERR_CORRUPT;
    if (!reserve_number(p, number))
        return ERR_NOMEM;
    struct partition_table *table = table_with(p->table, name, number);
    if (table == NULL)
        return ERR_NOMEM;
    make_live(p, number, roaring_bitmap_create());
    p->last = number > p->last ? number : p->last;
    /* Nobody has seen the one before, and this may not be the loop. */
    mem_free(MEM_KEYSPACE, (void *)(uintptr_t)p->table);
    p->table = table;
    return OK;
}

void partitions_load_row(struct partitions *p, uint16_t number, uint32_t row,
                         const struct partition_sums *one)
{
    partitions_add(p, number, row);
    partitions_count(p, number, one);
}

/* -- some of them ------------------------------------------------------------------------------ */

enum err partition_choice_new(const struct partitions *p, const struct slice *names, size_t count,
                              struct partition_choice **out, struct slice *unknown)
{
    struct partition_choice *choice =
        mem_try_calloc(MEM_SCRATCH, sizeof(*choice) + count * sizeof(choice->picks[0]));
    *out = NULL;
    *unknown = (struct slice){0};
    if (choice == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        uint16_t number = partition_table_find(p->table, names[i]);
        if (number == PARTITION_NONE) {
            *unknown = names[i];
            mem_free(MEM_SCRATCH, choice);
            return ERR_NOT_FOUND;
        }
        if (partition_bit(choice->bits, number))
            continue;
        choice->bits[number / 64] |= (uint64_t)1 << (number % 64);
        choice->picks[choice->pick_count++] = (struct partition_pick){number, p->all[number].uid};
    }
    *out = choice;
    return OK;
}

void partition_choice_refresh(struct partition_choice *choice, const struct partitions *p,
                              size_t live)
{
    memset(choice->bits, 0, sizeof(choice->bits));
    choice->count = choice->bound = 0;
    for (uint32_t i = 0; i < choice->pick_count; i++) {
        struct partition_pick pick = choice->picks[i];
        const struct partition *one = &p->all[pick.number];
        if (!partitions_is_live(p, pick.number) || one->uid != pick.uid)
            continue;
        choice->bits[pick.number / 64] |= (uint64_t)1 << (pick.number % 64);
        choice->count += one->sums.count;
        choice->bound += partitions_rows_count(p, pick.number);
    }
    choice->all = choice->count == live;
}

void partition_choice_rows(const struct partition_choice *choice, const struct partitions *p,
                           uint32_t *out)
{
    size_t count = 0;
    for (uint32_t i = 0; i < choice->pick_count; i++) {
        uint16_t number = choice->picks[i].number;
        if (!partition_bit(choice->bits, number))
            continue;
        count += partitions_rows(p, number, out + count);
    }
    CHECK(count == choice->bound);
}
