#include "base/column.h"

#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

enum {
    SLAB_FIRST_ROWS = 4,
    SLAB_ALIGNMENT = 64,
    COMMIT_FIRST = 16 * 1024,
    HUGE_PAGE = COLUMNS_SHRINK_STEP
};

/* owner: loop; readers hold pointers into it until the epoch has passed */
struct columns_slab {
    struct epoch_item item;
    enum mem_tag tag;
};

static size_t round_up(size_t value, size_t to)
{
    return (value + to - 1) / to * to;
}

static size_t row_bytes(const struct columns *c)
{
    size_t sum = 0;
    for (unsigned i = 0; i < c->count; i++)
        sum += c->spec[i].stride;
    return sum;
}

void columns_init(struct columns *c, struct epoch *epoch, const struct column_spec *spec,
                  unsigned count, size_t bytes_max)
{
    CHECK(count > 0 && count <= COLUMNS_MAX);
    *c = (struct columns){.epoch = epoch, .count = count};
    memcpy(c->spec, spec, count * sizeof(*spec));
    size_t rows_max = bytes_max / row_bytes(c) + 1;
    c->rows_max = rows_max > INT32_MAX ? INT32_MAX : (uint32_t)rows_max;
}

/* A reservation starts on a huge page: one more than needed is asked, the ends are given back. */
static uint8_t *address_space(size_t size)
{
    uint8_t *got =
        mmap(NULL, size + HUGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (got == MAP_FAILED)
        return NULL;
    uint8_t *start = (uint8_t *)round_up((size_t)got, HUGE_PAGE);
    size_t before = (size_t)(start - got);
    if (before > 0)
        (void)munmap(got, before); /* best effort: it is address space only */
    (void)munmap(start + size, HUGE_PAGE - before);
    return start;
}

static size_t reservation(const struct columns *c, unsigned i)
{
    return round_up((size_t)c->rows_max * c->spec[i].stride, HUGE_PAGE);
}

/* Doubles up to a huge page, then goes on in huge pages. */
static size_t commit_size(size_t committed, size_t needed)
{
    size_t size = committed > 0 ? committed : COMMIT_FIRST;
    while (size < needed && size < HUGE_PAGE)
        size *= 2;
    return size >= needed ? size : round_up(needed, HUGE_PAGE);
}

static bool commit(struct columns *c, unsigned i, uint32_t rows)
{
    size_t needed = (size_t)rows * c->spec[i].stride;
    size_t have = c->committed[i];
    if (needed <= have)
        return true;
    size_t size = commit_size(have, needed);
    CHECK(size <= reservation(c, i) || size == COMMIT_FIRST);
    if (mprotect(c->base[i] + have, size - have, PROT_READ | PROT_WRITE) != 0)
        return false;
    if (size > HUGE_PAGE)
        (void)madvise(c->base[i], size, MADV_HUGEPAGE); /* a wish: slower without */
    mem_book_pages(c->spec[i].tag, (int64_t)(size - have));
    c->committed[i] = size;
    return true;
}

static void slab_free(struct epoch_item *item)
{
    struct columns_slab *slab = (struct columns_slab *)item;
    mem_free(slab->tag, slab);
}

static void slab_retire(struct columns *c)
{
    if (c->slab != NULL)
        epoch_defer(c->epoch, &c->slab->item, slab_free);
    c->slab = NULL;
}

static size_t slab_size(const struct columns *c, uint32_t rows)
{
    size_t size = round_up(sizeof(struct columns_slab), SLAB_ALIGNMENT);
    for (unsigned i = 0; i < c->count; i++)
        size += round_up((size_t)rows * c->spec[i].stride, SLAB_ALIGNMENT);
    return size;
}

static void copy_shared(const uint8_t *from, uint8_t *to, size_t count)
{
    const _Atomic uint32_t *x = (const _Atomic uint32_t *)(const void *)from;
    uint32_t *y = (uint32_t *)(void *)to;
    for (size_t i = 0; i < count; i++)
        y[i] = atomic_load_explicit(&x[i], memory_order_relaxed);
}

static bool is_shared(const struct columns *c, unsigned i)
{
    return (c->shared >> i & 1) != 0;
}

static void copy_rows(const struct columns *c, uint8_t *const to[])
{
    for (unsigned i = 0; i < c->count; i++) {
        if (c->base[i] == NULL || c->spec[i].stride == 0)
            continue;
        CHECK(!is_shared(c, i) || c->spec[i].stride == sizeof(uint32_t));
        if (is_shared(c, i))
            copy_shared(c->base[i], to[i], c->capacity);
        else
            memcpy(to[i], c->base[i], (size_t)c->capacity * c->spec[i].stride);
    }
}

static enum err grow_slab(struct columns *c, uint32_t rows)
{
    size_t size = slab_size(c, rows);
    struct columns_slab *slab = mem_try_aligned(MEM_ROW, SLAB_ALIGNMENT, size);
    if (slab == NULL)
        return ERR_NOMEM;
    memset(slab, 0, size);
    slab->tag = MEM_ROW;
    uint8_t *base[COLUMNS_MAX];
    uint8_t *at = (uint8_t *)slab + round_up(sizeof(*slab), SLAB_ALIGNMENT);
    for (unsigned i = 0; i < c->count; i++) {
        base[i] = at;
        at += round_up((size_t)rows * c->spec[i].stride, SLAB_ALIGNMENT);
    }
    CHECK(at == (uint8_t *)slab + size);
    copy_rows(c, base);
    slab_retire(c);
    memcpy(c->base, base, c->count * sizeof(base[0]));
    c->slab = slab;
    c->capacity = rows;
    return OK;
}

static void give_back_space(const struct columns *c, uint8_t *const base[], unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (base[i] != NULL)
            (void)munmap(base[i], reservation(c, i)); /* cannot fail for a range of our own */
}

static enum err become_large(struct columns *c, uint32_t rows)
{
    struct columns large = *c;
    large.large = true;
    large.slab = NULL;
    memset(large.committed, 0, sizeof(large.committed));
    unsigned made = 0;
    for (; made < c->count; made++) {
        large.base[made] = NULL;
        if (c->spec[made].stride == 0)
            continue;
        large.base[made] = address_space(reservation(c, made));
        if (large.base[made] == NULL)
            goto undo;
    }
    for (unsigned i = 0; i < c->count; i++)
        if (!commit(&large, i, rows))
            goto undo;
    copy_rows(c, large.base);
    slab_retire(c);
    *c = large;
    c->slab = NULL;
    c->capacity = rows;
    return OK;

undo:
    for (unsigned i = 0; i < c->count; i++)
        mem_book_pages(c->spec[i].tag, -(int64_t)large.committed[i]);
    give_back_space(c, large.base, made);
    return ERR_NOMEM;
}

void columns_fini(struct columns *c)
{
    if (c->large) {
        for (unsigned i = 0; i < c->count; i++)
            mem_book_pages(c->spec[i].tag, -(int64_t)c->committed[i]);
        give_back_space(c, c->base, c->count);
    } else if (c->slab != NULL) {
        mem_free(c->slab->tag, c->slab);
    }
    *c = (struct columns){0};
}

/* Slab rows grow by half: what small collections waste is bounded by a third. */
static uint32_t slab_rows(const struct columns *c, uint32_t rows)
{
    uint32_t next = c->capacity + c->capacity / 2;
    if (next < SLAB_FIRST_ROWS)
        next = SLAB_FIRST_ROWS;
    return next > rows ? next : rows;
}

enum err columns_reserve(struct columns *c, uint32_t rows)
{
    if (rows <= c->capacity)
        return OK;
    if (rows > c->rows_max)
        return ERR_LIMIT;
    if (!c->large) {
        uint32_t next = slab_rows(c, rows);
        if (slab_size(c, next) <= COLUMNS_SLAB_MAX)
            return grow_slab(c, next);
        return become_large(c, rows);
    }
    for (unsigned i = 0; i < c->count; i++)
        if (!commit(c, i, rows))
            return ERR_NOMEM;
    c->capacity = rows;
    return OK;
}

enum err columns_make_large(struct columns *c)
{
    if (c->large)
        return OK;
    return become_large(c, c->capacity);
}

static enum err add_to_slab(struct columns *c)
{
    if (c->capacity == 0)
        return OK;
    return slab_size(c, c->capacity) <= COLUMNS_SLAB_MAX ? grow_slab(c, c->capacity)
                                                         : become_large(c, c->capacity);
}

static enum err add_to_large(struct columns *c, unsigned i)
{
    c->base[i] = address_space(reservation(c, i));
    if (c->base[i] == NULL)
        return ERR_NOMEM;
    if (commit(c, i, c->capacity))
        return OK;
    (void)munmap(c->base[i], reservation(c, i)); /* cannot fail for a range of our own */
    c->base[i] = NULL;
    return ERR_NOMEM;
}

enum err columns_add(struct columns *c, unsigned i, struct column_spec spec)
{
    CHECK(i < c->count && c->spec[i].stride == 0 && spec.stride > 0 && c->committed[i] == 0);
    c->spec[i] = spec;
    c->base[i] = NULL;
    enum err e = c->large ? add_to_large(c, i) : add_to_slab(c);
    if (e != OK)
        c->spec[i].stride = 0;
    return e;
}

struct column_left columns_remove(struct columns *c, unsigned i)
{
    CHECK(i < c->count && c->spec[i].stride > 0);
    struct column_left left = {.tag = c->spec[i].tag};
    if (c->large) {
        left.base = c->base[i];
        left.reserved = reservation(c, i);
        left.committed = c->committed[i];
    }
    c->spec[i].stride = 0;
    c->base[i] = NULL;
    c->committed[i] = 0;
    return left;
}

void column_left_free(struct column_left *left)
{
    mem_book_pages(left->tag, -(int64_t)left->committed);
    if (left->base != NULL)
        (void)munmap(left->base, left->reserved); /* cannot fail for a range of our own */
    *left = (struct column_left){0};
}

/* What a column of so many rows would have committed had it never been longer. */
static size_t committed_for(const struct columns *c, unsigned i, uint32_t rows)
{
    size_t size = (size_t)rows * c->spec[i].stride;
    return c->committed[i] == 0 ? 0 : commit_size(0, size > 0 ? size : 1);
}

/* Takes the last bytes of a column's committed range away. */
static bool uncommit(struct columns *c, unsigned i, size_t bytes)
{
    uint8_t *from = c->base[i] + c->committed[i] - bytes;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    /* A fresh mapping over the old one: memory and huge-page wish are gone at once, and the range
     * becomes one with the reservation behind it again. */
    if (mmap(from, bytes, PROT_NONE, flags, -1, 0) != from)
        return false;
    c->committed[i] -= bytes;
    mem_book_pages(c->spec[i].tag, -(int64_t)bytes);
    return true;
}

bool columns_shrink(struct columns *c, uint32_t rows, size_t bytes_max)
{
    CHECK(bytes_max > 0 && bytes_max % HUGE_PAGE == 0);
    if (!c->large)
        return false;
    if (rows < c->capacity)
        c->capacity = rows;
    for (unsigned i = 0; i < c->count; i++) {
        size_t keep = committed_for(c, i, c->capacity);
        if (c->committed[i] <= keep)
            continue;
        size_t excess = c->committed[i] - keep;
        if (uncommit(c, i, excess < bytes_max ? excess : bytes_max))
            return true;
    }
    return false;
}

size_t columns_excess(const struct columns *c, uint32_t rows)
{
    size_t sum = 0;
    for (unsigned i = 0; c->large && i < c->count; i++) {
        size_t keep = committed_for(c, i, rows);
        sum += c->committed[i] > keep ? c->committed[i] - keep : 0;
    }
    return sum;
}

size_t columns_cost(const struct columns *c, uint32_t rows)
{
    if (rows <= c->capacity)
        return 0;
    if (!c->large) {
        size_t size = slab_size(c, slab_rows(c, rows));
        if (size <= COLUMNS_SLAB_MAX)
            return size;
    }
    size_t cost = 0;
    for (unsigned i = 0; i < c->count; i++) {
        size_t needed = (size_t)rows * c->spec[i].stride;
        if (needed > c->committed[i])
            cost += commit_size(c->committed[i], needed) - c->committed[i];
    }
    return cost;
}

size_t columns_bytes(const struct columns *c)
{
    size_t sum = mem_size(c->slab);
    for (unsigned i = 0; i < c->count; i++)
        sum += c->committed[i];
    return sum;
}

size_t columns_spans(const struct columns *c, uint32_t first, uint32_t end,
                     struct column_span *out)
{
    size_t count = 0;
    CHECK(end <= c->capacity);
    for (unsigned i = 0; c->large && first < end && i < c->count; i++) {
        size_t stride = c->spec[i].stride;
        if (stride > 0)
            out[count++] =
                (struct column_span){c->base[i] + first * stride, (end - first) * stride};
    }
    return count;
}

void column_span_touch(const struct column_span *span)
{
    enum { PAGE = 4096, POPULATE_WRITE = 23 /* Linux 5.14; older ones refuse it */ };
    uint8_t *from = (uint8_t *)((uintptr_t)span->ptr / PAGE * PAGE);
    (void)madvise(from, span->size + (size_t)(span->ptr - from), POPULATE_WRITE);
}
