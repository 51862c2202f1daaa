#include "db/aging.h"

enum { CHILDREN = 4, DEPTH_MAX = 16 /* 4^16 entries and more */ };

struct aging *aging_new(struct collection *c, struct epoch *epoch, uint32_t rows_max)
{
    static const struct column_spec spec[AGE_COUNT] = {
        [AGE_EXPIRE] = {.stride = sizeof(uint64_t), .tag = MEM_ROW},
        [AGE_ACCESS] = {.stride = sizeof(uint32_t), .tag = MEM_ROW},
        [AGE_PLACE] = {.stride = sizeof(uint32_t), .tag = MEM_ROW},
    };
    struct aging *a = mem_try_calloc(MEM_ROW, sizeof(*a));
    if (a == NULL)
        return NULL;
    size_t row = sizeof(uint64_t) + 2 * sizeof(uint32_t);
    columns_init(&a->columns, epoch, spec, AGE_COUNT, (size_t)rows_max * row);
    a->columns.shared = 1u << AGE_ACCESS;
    a->collection = c;
    return a;
}

void aging_list(struct aging *a, struct aging **head)
{
    CHECK(a->link == NULL);
    a->next = *head;
    a->link = head;
    if (a->next != NULL)
        a->next->link = &a->next;
    *head = a;
}

void aging_unlist(struct aging *a, struct aging **next)
{
    if (a == NULL || a->link == NULL)
        return;
    if (*next == a)
        *next = a->next;
    *a->link = a->next;
    if (a->next != NULL)
        a->next->link = a->link;
    a->link = NULL;
    a->next = NULL;
}

void aging_free(struct aging *a)
{
    if (a == NULL)
        return;
    CHECK(a->link == NULL);
    columns_fini(&a->columns);
    mem_free(MEM_ROW, a->entries);
    mem_free(MEM_ROW, a);
}

static size_t capacity_for(const struct aging *a, size_t added)
{
    size_t needed = a->count + added;
    if (needed <= a->capacity)
        return a->capacity;
    size_t grown = a->capacity + a->capacity / 2;
    return grown > needed ? grown : needed;
}

size_t aging_cost(const struct aging *a, uint32_t rows, size_t added)
{
    return columns_cost(&a->columns, rows) +
           (capacity_for(a, added) - a->capacity) * sizeof(*a->entries);
}

enum err aging_reserve(struct aging *a, uint32_t rows, size_t added)
{
    enum err e = columns_reserve(&a->columns, rows);
    size_t capacity = capacity_for(a, added);
    if (e != OK || capacity == a->capacity)
        return e;
    CHECK(capacity < UINT32_MAX);
    struct aging_entry *entries = mem_try_realloc(MEM_ROW, a->entries, capacity * sizeof(*entries));
    if (entries == NULL)
        return ERR_NOMEM;
    a->entries = entries;
    a->capacity = (uint32_t)capacity;
    return OK;
}

/* -- the heap ---------------------------------------------------------------------------------- */

static uint32_t *place_of(const struct aging *a, uint32_t row)
{
    return (uint32_t *)(void *)a->columns.base[AGE_PLACE] + row;
}

static void put(struct aging *a, uint32_t at, struct aging_entry entry)
{
    a->entries[at] = entry;
    *place_of(a, entry.row) = at + 1;
}

/* Puts an entry at a free place or above it. */
static void move_up(struct aging *a, uint32_t at, struct aging_entry entry)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / CHILDREN;
        if (a->entries[parent].expire_ms <= entry.expire_ms)
            break;
        put(a, at, a->entries[parent]);
        at = parent;
    }
    put(a, at, entry);
}

/* Puts an entry at a free place or below it. */
static void move_down(struct aging *a, uint32_t at, struct aging_entry entry)
{
    for (;;) {
        uint64_t first = (uint64_t)at * CHILDREN + 1;
        if (first >= a->count)
            break;
        uint64_t end = first + CHILDREN < a->count ? first + CHILDREN : a->count;
        uint32_t soonest = (uint32_t)first;
        for (uint64_t child = first + 1; child < end; child++)
            if (a->entries[child].expire_ms < a->entries[soonest].expire_ms)
                soonest = (uint32_t)child;
        if (entry.expire_ms <= a->entries[soonest].expire_ms)
            break;
        put(a, at, a->entries[soonest]);
        at = soonest;
    }
    put(a, at, entry);
}

void aging_set(struct aging *a, uint32_t row, uint64_t expire_ms, uint32_t access)
{
    _Atomic uint64_t *expire = (_Atomic uint64_t *)a->columns.base[AGE_EXPIRE];
    _Atomic uint32_t *used = (_Atomic uint32_t *)a->columns.base[AGE_ACCESS];
    CHECK(row < a->columns.capacity);
    atomic_store_explicit(&expire[row], expire_ms, memory_order_relaxed);
    atomic_store_explicit(&used[row], access, memory_order_relaxed);
    *place_of(a, row) = 0;
    if (expire_ms == 0)
        return;
    CHECK(a->count < a->capacity);
    move_up(a, a->count++, (struct aging_entry){expire_ms, row});
}

void aging_forget(struct aging *a, uint32_t row)
{
    uint32_t *place = place_of(a, row);
    if (*place == 0)
        return;
    uint32_t at = *place - 1;
    CHECK(at < a->count && a->entries[at].row == row);
    *place = 0;
    struct aging_entry last = a->entries[--a->count];
    if (last.row == row)
        return;
    if (at > 0 && a->entries[(at - 1) / CHILDREN].expire_ms > last.expire_ms)
        move_up(a, at, last);
    else
        move_down(a, at, last);
}

void aging_move(struct aging *a, uint32_t from, uint32_t to)
{
    _Atomic uint64_t *expire = (_Atomic uint64_t *)a->columns.base[AGE_EXPIRE];
    _Atomic uint32_t *used = (_Atomic uint32_t *)a->columns.base[AGE_ACCESS];
    atomic_store_explicit(&expire[to], aging_expiry(a, from), memory_order_relaxed);
    atomic_store_explicit(&used[to], atomic_load_explicit(&used[from], memory_order_relaxed),
                          memory_order_relaxed);
    uint32_t place = *place_of(a, from);
    *place_of(a, from) = 0;
    *place_of(a, to) = place;
    if (place > 0)
        a->entries[place - 1].row = to;
}

/* Calls fn for entries, parents first, and goes below those for which it says true. */
static void walk(const struct aging *a, bool (*fn)(void *user, const struct aging_entry *e),
                 void *user)
{
    uint32_t stack[DEPTH_MAX * CHILDREN];
    size_t depth = 0;
    if (a->count > 0)
        stack[depth++] = 0;
    while (depth > 0) {
        uint32_t at = stack[--depth];
        if (!fn(user, &a->entries[at]))
            continue;
        uint64_t first = (uint64_t)at * CHILDREN + 1;
        for (uint64_t child = first; child < first + CHILDREN && child < a->count; child++) {
            CHECK(depth < COUNT_OF(stack));
            stack[depth++] = (uint32_t)child;
        }
    }
}

struct due {
    uint64_t now_ms;
    size_t count;
    bool (*counts)(const void *user, uint32_t row);
    const void *user;
};

static bool count_due(void *user, const struct aging_entry *e)
{
    struct due *d = user;
    bool is = e->expire_ms < d->now_ms;
    d->count += is && (d->counts == NULL || d->counts(d->user, e->row));
    return is;
}

size_t aging_count_due(const struct aging *a, uint64_t now_ms,
                       bool (*counts)(const void *user, uint32_t row), const void *user)
{
    struct due d = {.now_ms = now_ms, .counts = counts, .user = user};
    walk(a, count_due, &d);
    return d.count;
}

/* Places of the heap, the soonest first: each time the first is taken, its children come. */
struct frontier {
    const struct aging *aging;
    uint32_t *places;
    size_t count;
};

static bool is_sooner(const struct frontier *f, size_t i, size_t j)
{
    const struct aging_entry *entries = f->aging->entries;
    return entries[f->places[i]].expire_ms < entries[f->places[j]].expire_ms;
}

static void swap(struct frontier *f, size_t i, size_t j)
{
    uint32_t place = f->places[i];
    f->places[i] = f->places[j];
    f->places[j] = place;
}

static void frontier_add(struct frontier *f, uint32_t place)
{
    size_t at = f->count++;
    f->places[at] = place;
    for (; at > 0 && is_sooner(f, at, (at - 1) / 2); at = (at - 1) / 2)
        swap(f, at, (at - 1) / 2);
}

static uint32_t frontier_take(struct frontier *f)
{
    uint32_t first = f->places[0];
    f->places[0] = f->places[--f->count];
    for (size_t at = 0, child = 1; child < f->count; child = 2 * at + 1) {
        if (child + 1 < f->count && is_sooner(f, child + 1, child))
            child++;
        if (!is_sooner(f, child, at))
            break;
        swap(f, at, child);
        at = child;
    }
    return first;
}

size_t aging_soonest(const struct aging *a, size_t most, uint32_t *rows)
{
    size_t count = most < a->count ? most : a->count;
    struct frontier f = {.aging = a};
    if (count == 0)
        return 0;
    f.places = mem_try(MEM_SCRATCH, (count * (CHILDREN - 1) + CHILDREN) * sizeof(*f.places));
    if (f.places == NULL)
        return SIZE_MAX;
    frontier_add(&f, 0);
    for (size_t i = 0; i < count; i++) {
        uint32_t at = frontier_take(&f);
        rows[i] = a->entries[at].row;
        uint64_t first = (uint64_t)at * CHILDREN + 1;
        for (uint64_t child = first; child < first + CHILDREN && child < a->count; child++)
            frontier_add(&f, (uint32_t)child);
    }
    mem_free(MEM_SCRATCH, f.places);
    return count;
}

size_t aging_bytes(const struct aging *a)
{
    return sizeof(*a) + columns_bytes(&a->columns) + a->capacity * sizeof(*a->entries);
}

bool aging_check(const struct aging *a)
{
    for (uint32_t at = 0; at < a->count; at++) {
        const struct aging_entry *e = &a->entries[at];
        if (*place_of(a, e->row) != at + 1 || aging_expiry(a, e->row) != e->expire_ms)
            return false;
        if (at > 0 && a->entries[(at - 1) / CHILDREN].expire_ms > e->expire_ms)
            return false;
    }
    return true;
}
