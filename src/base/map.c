#include "base/map.h"

#include "base/rng.h"

enum {
    MAP_FIRST_BITS = 3,
    MAP_MOVE_SLOTS =
        64, /* of the old table looked at per change: it is empty long before now is full */
    MAP_BITS_MAX = 32
};

static size_t table_size(const struct map_table *t)
{
    return t->slots == NULL ? 0 : (size_t)1 << t->bits;
}

static size_t home_of(const struct map_table *t, uint32_t hash)
{
    return (size_t)(((uint64_t)hash << t->bits) >> 32);
}

static size_t after(const struct map_table *t, size_t at)
{
    return (at + 1) & (table_size(t) - 1);
}

void map_init(struct map *m, enum mem_tag tag,
              bool (*equal)(const void *owner, uint32_t value, struct slice key), const void *owner)
{
    CHECK(equal != NULL);
    *m = (struct map){.tag = tag, .equal = equal, .owner = owner};
}

void map_fini(struct map *m)
{
    mem_free(m->tag, m->now.slots);
    mem_free(m->tag, m->old.slots);
    m->now = m->old = (struct map_table){0};
}

static bool table_new(struct map_table *t, enum mem_tag tag, uint32_t bits)
{
    size_t size = (size_t)1 << bits;
    struct map_slot *slots = mem_try_calloc(tag, size * sizeof(*slots));
    if (slots == NULL)
        return false;
    *t = (struct map_table){.slots = slots, .bits = bits};
    return true;
}

static uint32_t table_get(const struct map *m, const struct map_table *t, uint32_t hash,
                          struct slice key)
{
    if (t->used == 0)
        return MAP_NONE;
    for (size_t at = home_of(t, hash); t->slots[at].value_plus_1 != 0; at = after(t, at))
        if (t->slots[at].hash == hash && m->equal(m->owner, t->slots[at].value_plus_1 - 1, key))
            return t->slots[at].value_plus_1 - 1;
    return MAP_NONE;
}

uint32_t map_get(const struct map *m, uint32_t hash, struct slice key)
{
    uint32_t value = table_get(m, &m->now, hash, key);
    return value != MAP_NONE ? value : table_get(m, &m->old, hash, key);
}

void map_prefetch(const struct map *m, uint32_t hash)
{
    if (m->now.slots != NULL)
        __builtin_prefetch(&m->now.slots[home_of(&m->now, hash)]);
}

static uint32_t table_guess(const struct map_table *t, uint32_t hash)
{
    if (t->used == 0)
        return MAP_NONE;
    for (size_t at = home_of(t, hash); t->slots[at].value_plus_1 != 0; at = after(t, at))
        if (t->slots[at].hash == hash)
            return t->slots[at].value_plus_1 - 1;
    return MAP_NONE;
}

uint32_t map_guess(const struct map *m, uint32_t hash)
{
    uint32_t value = table_guess(&m->now, hash);
    return value != MAP_NONE ? value : table_guess(&m->old, hash);
}

static void table_put(struct map_table *t, uint32_t hash, uint32_t value)
{
    CHECK(t->used < table_size(t) - 1);
    size_t at = home_of(t, hash);
    while (t->slots[at].value_plus_1 != 0)
        at = after(t, at);
    t->slots[at] = (struct map_slot){hash, value + 1};
    t->used++;
}

/* The slot that holds (hash, value), or SIZE_MAX. */
static size_t table_find(const struct map_table *t, uint32_t hash, uint32_t value)
{
    if (t->used == 0)
        return SIZE_MAX;
    for (size_t at = home_of(t, hash); t->slots[at].value_plus_1 != 0; at = after(t, at))
        if (t->slots[at].hash == hash && t->slots[at].value_plus_1 == value + 1)
            return at;
    return SIZE_MAX;
}

/* Empties a slot and closes the gap, so that no probe ends early (Knuth 6.4, Algorithm R). */
static void table_clear(struct map_table *t, size_t gap)
{
    size_t mask = table_size(t) - 1;
    for (size_t at = after(t, gap); t->slots[at].value_plus_1 != 0; at = after(t, at)) {
        size_t home = home_of(t, t->slots[at].hash);
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            t->slots[gap] = t->slots[at];
            gap = at;
        }
    }
    t->slots[gap] = (struct map_slot){0, 0};
    t->used--;
}

/* Moves some slots of the old table. Clearing closes gaps from behind, so a slot stays at the
 * cursor until it is really empty. */
static void move_slots(struct map *m, size_t slots)
{
    for (size_t i = 0; i < slots && m->old.slots != NULL; i++) {
        if (m->old.used == 0) {
            mem_free(m->tag, m->old.slots);
            m->old = (struct map_table){0};
            return;
        }
        CHECK(m->move_from < table_size(&m->old));
        struct map_slot slot = m->old.slots[m->move_from];
        if (slot.value_plus_1 == 0) {
            m->move_from++;
            continue;
        }
        table_put(&m->now, slot.hash, slot.value_plus_1 - 1);
        table_clear(&m->old, m->move_from);
    }
}

static void move_some(struct map *m)
{
    move_slots(m, MAP_MOVE_SLOTS);
}

bool map_settle(struct map *m, size_t slots)
{
    move_slots(m, slots);
    return m->old.slots == NULL;
}

static bool make_room(struct map *m, size_t count)
{
    move_some(m);
    size_t size = table_size(&m->now);
    size_t needed = (size_t)m->now.used + m->old.used + count + 1;
    if (size > 0 && needed * 5 <= size * 4)
        return true;
    /* A growing table is twice the old one and the move is eight times faster than the filling. */
    while (m->old.slots != NULL)
        move_some(m);
    struct map_table bigger;
    uint32_t bits = size == 0 ? MAP_FIRST_BITS : m->now.bits + 1;
    while (bits <= MAP_BITS_MAX && ((size_t)1 << bits) * 4 < needed * 5)
        bits++;
    if (bits > MAP_BITS_MAX || !table_new(&bigger, m->tag, bits))
        return needed < size;
    m->old = m->now;
    m->now = bigger;
    m->move_from = 0;
    move_some(m);
    return true;
}

bool map_reserve(struct map *m, size_t count)
{
    if (!make_room(m, count))
        return false;
    m->promised = count;
    return true;
}

void map_put(struct map *m, uint32_t hash, uint32_t value)
{
    CHECK(value != MAP_NONE);
    table_put(&m->now, hash, value);
    if (m->promised > 0)
        m->promised--;
}

bool map_put_new(struct map *m, uint32_t hash, uint32_t value, struct slice key)
{
    if (map_get(m, hash, key) != MAP_NONE)
        return false;
    map_put(m, hash, value);
    return true;
}

void map_replace(struct map *m, uint32_t hash, uint32_t old_value, uint32_t new_value)
{
    CHECK(new_value != MAP_NONE);
    struct map_table *t = &m->now;
    size_t at = table_find(t, hash, old_value);
    if (at == SIZE_MAX) {
        t = &m->old;
        at = table_find(t, hash, old_value);
    }
    CHECK(at != SIZE_MAX);
    t->slots[at].value_plus_1 = new_value + 1;
}

/* A table that is nearly empty costs scans and memory: shrink it by the way it grows. */
static void shrink_when_sparse(struct map *m)
{
    size_t wanted = m->now.used + m->promised;
    if (m->old.slots != NULL || m->now.bits <= MAP_FIRST_BITS ||
        wanted * 10 > table_size(&m->now))
        return;
    struct map_table smaller;
    uint32_t bits = m->now.bits;
    while (bits > MAP_FIRST_BITS && ((size_t)1 << bits) > wanted * 3)
        bits--;
    if (!table_new(&smaller, m->tag, bits))
        return; /* a wish only */
    m->old = m->now;
    m->now = smaller;
    m->move_from = 0;
}

void map_remove(struct map *m, uint32_t hash, uint32_t value)
{
    size_t at = table_find(&m->now, hash, value);
    if (at != SIZE_MAX) {
        table_clear(&m->now, at);
    } else {
        at = table_find(&m->old, hash, value);
        CHECK(at != SIZE_MAX);
        table_clear(&m->old, at);
    }
    move_some(m);
    shrink_when_sparse(m);
}

size_t map_count(const struct map *m)
{
    return (size_t)m->now.used + m->old.used;
}

size_t map_bytes(const struct map *m)
{
    return (table_size(&m->now) + table_size(&m->old)) * sizeof(struct map_slot);
}

/* Entries of t with hashes in [from, to). */
static void scan_range(const struct map_table *t, uint64_t from, uint64_t to,
                       void (*fn)(void *user, uint32_t value), void *user)
{
    if (t->used == 0)
        return;
    size_t at = home_of(t, (uint32_t)from);
    size_t end = to >> 32 != 0 ? table_size(t) : home_of(t, (uint32_t)to) + 1;
    /* An entry stands at its home or behind it in the same run: look until the run that covers the
     * end of the range ends; a run may wrap around. */
    for (size_t looked = 0; looked < table_size(t); looked++, at = after(t, at)) {
        struct map_slot slot = t->slots[at];
        bool past_end = looked + home_of(t, (uint32_t)from) >= end;
        if (slot.value_plus_1 == 0) {
            if (past_end)
                return;
            continue;
        }
        if (slot.hash >= from && slot.hash < to)
            fn(user, slot.value_plus_1 - 1);
    }
}

uint64_t map_scan(const struct map *m, uint64_t cursor, size_t count,
                  void (*fn)(void *user, uint32_t value), void *user)
{
    size_t size = table_size(&m->now) > table_size(&m->old) ? table_size(&m->now)
                                                            : table_size(&m->old);
    uint64_t all = (uint64_t)1 << 32;
    if (cursor >= all || map_count(m) == 0)
        return 0;
    uint64_t width = size == 0 ? all : all / size;
    uint64_t step = count >= size || width == 0 ? all : width * (count > 0 ? count : 1);
    uint64_t to = cursor + step < all ? cursor + step : all;
    scan_range(&m->now, cursor, to, fn, user);
    scan_range(&m->old, cursor, to, fn, user);
    return to == all ? 0 : to;
}

uint32_t map_random(const struct map *m, uint64_t random)
{
    if (map_count(m) == 0)
        return MAP_NONE;
    /* Rejection over both tables is uniform: every slot is as likely as any other. */
    uint64_t state = random;
    size_t size = table_size(&m->now) + table_size(&m->old);
    for (;;) {
        size_t at = rng_below(&state, size);
        const struct map_table *t = &m->now;
        if (at >= table_size(&m->now)) {
            at -= table_size(&m->now);
            t = &m->old;
        }
        if (t->slots[at].value_plus_1 != 0)
            return t->slots[at].value_plus_1 - 1;
    }
}
