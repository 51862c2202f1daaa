#include "ft/value.h"

#include <math.h>
#include <stdio.h>

#include "base/rng.h"

enum { CHUNK_SIZE = 64 * 1024, ALIGNMENT = 16 };

struct arena_chunk {
    struct arena_chunk *next;
    uint64_t pad; /* what follows is aligned */
};

void arena_init(struct arena *a, size_t limit)
{
    *a = (struct arena){.limit = limit};
}

void arena_fini(struct arena *a)
{
    while (a->chunks != NULL) {
        struct arena_chunk *chunk = a->chunks;
        a->chunks = chunk->next;
        mem_free(MEM_SCRATCH, chunk);
    }
    arena_init(a, a->limit);
}

static bool grow(struct arena *a, size_t size)
{
    size_t capacity = size > CHUNK_SIZE ? size : CHUNK_SIZE;
    if (capacity > a->limit - a->bytes) {
        a->full = true;
        return false;
    }
    struct arena_chunk *chunk = mem_try(MEM_SCRATCH, sizeof(*chunk) + capacity);
    if (chunk == NULL) {
        a->failed = true;
        return false;
    }
    chunk->next = a->chunks;
    a->chunks = chunk;
    a->used = 0;
    a->capacity = capacity;
    a->bytes += capacity;
    return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
    if (a->failed || a->full || size > a->limit) {
        a->full |= size > a->limit;
        return NULL;
    }
    size_t padded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (a->capacity - a->used < padded && !grow(a, padded))
        return NULL;
    uint8_t *out = (uint8_t *)(a->chunks + 1) + a->used;
    a->used += padded;
    return out;
}

enum err arena_error(const struct arena *a, struct why *why)
{
    if (a->full)
        return why_set(why, ERR_LIMIT, "the aggregation needs more than %zu bytes of memory",
                       a->limit);
    return a->failed ? ERR_NOMEM : OK;
}

struct value value_text(struct arena *a, struct slice bytes)
{
    uint8_t *copy = arena_alloc(a, bytes.len);
    if (copy == NULL)
        return (struct value){.kind = VALUE_NULL};
    if (bytes.len > 0)
        memcpy(copy, bytes.ptr, bytes.len);
    return value_of((struct slice){copy, bytes.len});
}

struct value value_folded(struct arena *a, struct slice bytes)
{
    uint8_t *copy = arena_alloc(a, bytes.len);
    for (size_t i = 0; i < bytes.len && copy != NULL; i++) {
        uint8_t c = bytes.ptr[i];
        copy[i] = c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
    }
    return copy == NULL ? (struct value){0} : value_of((struct slice){copy, bytes.len});
}

/* -- as another kind --------------------------------------------------------------------------- */

size_t value_print(double number, char text[VALUE_TEXT_MAX])
{
    bool whole = floor(number) == number && fabs(number) < 0x1p63;
    if (isnan(number))
        number = NAN; /* without the sign that 0 / 0 has */
    int size = whole ? snprintf(text, VALUE_TEXT_MAX, "%lld", (long long)number)
                     : snprintf(text, VALUE_TEXT_MAX, "%.12g", number);
    CHECK(size > 0 && size < VALUE_TEXT_MAX);
    return (size_t)size;
}

struct slice value_to_text(const struct value *v, char room[VALUE_TEXT_MAX])
{
    if (v->kind == VALUE_TEXT)
        return value_slice(v);
    if (v->kind == VALUE_NUMBER)
        return (struct slice){(const uint8_t *)room, value_print(v->number, room)};
    return (struct slice){0};
}

bool value_to_number(const struct value *v, double *out)
{
    if (v->kind == VALUE_NUMBER) {
        *out = v->number;
        return true;
    }
    return v->kind == VALUE_TEXT && slice_to_f64(value_slice(v), out);
}

bool value_true(const struct value *v)
{
    switch (v->kind) {
    case VALUE_NUMBER:
        return v->number != 0;
    case VALUE_TEXT:
    case VALUE_LIST:
        return v->size > 0;
    case VALUE_NONE:
    case VALUE_NULL:
        break;
    }
    return false;
}

/* -- comparing --------------------------------------------------------------------------------- */

static int number_order(double a, double b)
{
    return (a > b) - (a < b);
}

static bool is_missing(const struct value *v)
{
    return v->kind == VALUE_NONE || v->kind == VALUE_NULL;
}

/* Of kinds that differ, neither of them missing. */
static int mixed_order(const struct value *a, const struct value *b)
{
    char x[VALUE_TEXT_MAX], y[VALUE_TEXT_MAX];
    double p, q;
    if (value_to_number(a, &p) && value_to_number(b, &q))
        return number_order(p, q);
    return slice_cmp(value_to_text(a, x), value_to_text(b, y));
}

int value_compare(const struct value *a, const struct value *b)
{
    /* A list stands for its first value, however deep that is. */
    while (a->kind == VALUE_LIST && b->kind == VALUE_LIST && a->size > 0 && b->size > 0) {
        a = a->items;
        b = b->items;
    }
    if (is_missing(a) || is_missing(b))
        return (int)is_missing(b) - (int)is_missing(a);
    if (a->kind != b->kind)
        return mixed_order(a, b);
    if (a->kind == VALUE_NUMBER)
        return number_order(a->number, b->number);
    if (a->kind == VALUE_TEXT)
        return slice_cmp(value_slice(a), value_slice(b));
    return (a->size > b->size) - (a->size < b->size);
}

bool value_equal(const struct value *a, const struct value *b)
{
    double p, q;
    bool mixed = (a->kind == VALUE_NUMBER && b->kind == VALUE_TEXT) ||
                 (a->kind == VALUE_TEXT && b->kind == VALUE_NUMBER);
    if (mixed)
        return value_to_number(a, &p) && value_to_number(b, &q) && p == q;
    return value_compare(a, b) == 0;
}

/* -- as keys of groups ------------------------------------------------------------------------- */

static uint64_t hash_one(const struct value *v, uint64_t seed)
{
    const uint64_t key[2] = {seed, 0x9e3779b97f4a7c15u};
    double number = v->kind == VALUE_NUMBER && v->number == 0 ? 0 : v->number; /* -0 is 0 */
    switch (v->kind) {
    case VALUE_NUMBER:
        return hash_bytes((struct slice){(const uint8_t *)&number, sizeof(number)}, key);
    case VALUE_TEXT:
        return hash_bytes(value_slice(v), key);
    case VALUE_NONE:
    case VALUE_NULL:
    case VALUE_LIST:
        break;
    }
    return (seed ^ v->size) * 0x9e3779b97f4a7c15u + 1;
}

/* Lists hold values that are none, so it goes one level down and no further. */
uint64_t value_hash(const struct value *v, uint64_t seed)
{
    uint64_t hash = hash_one(v, seed);
    for (uint32_t i = 0; v->kind == VALUE_LIST && i < v->size; i++)
        hash = hash_one(&v->items[i], hash);
    return hash;
}

static bool same_one(const struct value *a, const struct value *b)
{
    if (is_missing(a) || is_missing(b))
        return is_missing(a) && is_missing(b);
    if (a->kind != b->kind)
        return false;
    if (a->kind == VALUE_NUMBER)
        return a->number == b->number || (isnan(a->number) && isnan(b->number));
    if (a->kind == VALUE_TEXT)
        return slice_eq(value_slice(a), value_slice(b));
    return a->size == b->size;
}

bool value_same(const struct value *a, const struct value *b)
{
    bool same = same_one(a, b);
    for (uint32_t i = 0; same && a->kind == VALUE_LIST && i < a->size; i++)
        same = same_one(&a->items[i], &b->items[i]);
    return same;
}
