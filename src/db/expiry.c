#include "db/expiry.h"

#include "db/keyspace.h"

enum { CHILDREN = 4, SAMPLE = 1024 };

void expiry_fini(struct expiry *x)
{
    mem_free(MEM_KEYSPACE, x->entries);
    *x = (struct expiry){.of_fields = x->of_fields};
}

bool expiry_reserve(struct expiry *x)
{
    if (x->count < x->capacity)
        return true;
    if (x->capacity >= UINT32_MAX / 2)
        return false;
    uint32_t capacity = x->capacity < 16 ? 16 : x->capacity + x->capacity / 2;
    struct expiry_entry *entries =
        mem_try_realloc(MEM_KEYSPACE, x->entries, capacity * sizeof(*entries));
    if (entries == NULL)
        return false;
    x->entries = entries;
    x->capacity = capacity;
    return true;
}

static uint32_t *place_of(const struct expiry *x, struct object *o)
{
    CHECK(!x->of_fields || o->type == OBJECT_HASH);
    if (x->of_fields && o->is_large)
        return &o->large->fields_at;
    return x->of_fields ? &o->fields_at : &o->expiry_at;
}

static void place(struct expiry *x, uint32_t at, struct expiry_entry entry)
{
    x->entries[at] = entry;
    *place_of(x, entry.object) = at;
}

/* Puts an entry at a free place or above it. */
static void move_up(struct expiry *x, uint32_t at, struct expiry_entry entry)
{
    while (at > 0) {
        uint32_t parent = (at - 1) / CHILDREN;
        if (x->entries[parent].expire_ms <= entry.expire_ms)
            break;
        place(x, at, x->entries[parent]);
        at = parent;
    }
    place(x, at, entry);
}

/* Puts an entry at a free place or below it. */
static void move_down(struct expiry *x, uint32_t at, struct expiry_entry entry)
{
    for (;;) {
        uint64_t first = (uint64_t)at * CHILDREN + 1;
        if (first >= x->count)
            break;
        uint64_t end = first + CHILDREN < x->count ? first + CHILDREN : x->count;
        uint32_t soonest = (uint32_t)first;
        for (uint64_t child = first + 1; child < end; child++)
            if (x->entries[child].expire_ms < x->entries[soonest].expire_ms)
                soonest = (uint32_t)child;
        if (entry.expire_ms <= x->entries[soonest].expire_ms)
            break;
        place(x, at, x->entries[soonest]);
        at = soonest;
    }
    place(x, at, entry);
}

void expiry_add(struct expiry *x, struct object *o, uint64_t expire_ms)
{
    CHECK(x->count < x->capacity && expire_ms > 0 && *place_of(x, o) == EXPIRY_NONE);
    CHECK(x->of_fields || expire_ms == o->expire_ms);
    move_up(x, x->count++, (struct expiry_entry){expire_ms, o});
}

void expiry_remove(struct expiry *x, struct object *o)
{
    uint32_t at = *place_of(x, o);
    if (at == EXPIRY_NONE)
        return;
    CHECK(at < x->count && x->entries[at].object == o);
    *place_of(x, o) = EXPIRY_NONE;
    struct expiry_entry last = x->entries[--x->count];
    if (last.object == o)
        return;
    if (at > 0 && x->entries[(at - 1) / CHILDREN].expire_ms > last.expire_ms)
        move_up(x, at, last);
    else
        move_down(x, at, last);
}

uint64_t expiry_average_ms(const struct expiry *x, uint64_t now_ms)
{
    uint32_t step = x->count / SAMPLE + 1;
    double sum = 0;
    uint32_t seen = 0;
    for (uint64_t at = 0; at < x->count; at += step, seen++)
        if (x->entries[at].expire_ms > now_ms)
            sum += (double)(x->entries[at].expire_ms - now_ms);
    return seen == 0 ? 0 : (uint64_t)(sum / seen);
}

bool expiry_check(const struct expiry *x)
{
    for (uint32_t at = 0; at < x->count; at++) {
        const struct expiry_entry *e = &x->entries[at];
        if (*place_of(x, e->object) != at)
            return false;
        if (!x->of_fields && e->object->expire_ms != e->expire_ms)
            return false;
        if (at > 0 && x->entries[(at - 1) / CHILDREN].expire_ms > e->expire_ms)
            return false;
    }
    return true;
}
