#include "base/heap.h"

enum {
    WINDOW_SIZE = 256 * 1024, /* small, so that compacting a block stays well under a millisecond */
    WINDOW_UNITS_BITS = 15, /* units of 8 bytes in a window */
    WINDOWS_MAX = 1 << (32 - WINDOW_UNITS_BITS),
    UNIT = 8,
    BLOCK_FIRST = 256, /* the first block of a heap grows from here, for the many small ones */
    TABLE_FIRST = 1,
    COMPACT_RECORDS = 1024, /* looked at in one step, */
    COMPACT_BYTES = 64 * 1024, /* of so many bytes */
    FILL_BLOCKS = 16 /* of a small heap that is filled from lanes */
};

/* In front of every record. row is the loop's alone: lanes read len and the bytes only. */
struct record_head {
    uint32_t row;
    uint32_t len;
};

/* owner: loop */
struct block_info {
    uint32_t windows; /* the block spans; 0: this window belongs to the block before, or is free */
    bool closing;     /* waits for the epoch: its windows must not get other bytes before */
    size_t size;      /* bytes set aside */
    size_t used;
    size_t dead;
};

/* Readers use the blocks only. */
struct heap_table {
    struct epoch_item item;
    enum mem_tag tag;
    uint32_t capacity;
    struct block_info *info;
    _Atomic(uint8_t *) blocks[];
};

/* Waits for the epoch, then frees bytes and, when the block was closed, its windows. */
struct dead_block {
    struct epoch_item item;
    struct heap *heap;
    uint8_t *bytes;
    uint32_t closed_window; /* NOT_CLOSED: a bigger copy took the block's place */
};

#define NOT_CLOSED UINT32_MAX

size_t heap_record_size(size_t len)
{
    return (sizeof(struct record_head) + len + UNIT - 1) / UNIT * UNIT;
}

static struct heap_table *table_of(const struct heap *h)
{
    return atomic_load_explicit(&((struct heap *)h)->table, memory_order_acquire);
}

void heap_init(struct heap *h, struct epoch *epoch, enum mem_tag tag)
{
    *h = (struct heap){.epoch = epoch, .tag = tag};
}

static void free_table(struct epoch_item *item)
{
    struct heap_table *t = (struct heap_table *)item;
    mem_free(t->tag, t);
}

static void free_block(struct epoch_item *item)
{
    struct dead_block *dead = (struct dead_block *)item;
    struct heap *h = dead->heap;
    if (dead->closed_window != NOT_CLOSED) {
        struct block_info *info = &table_of(h)->info[dead->closed_window];
        h->held_bytes -= info->size;
        *info = (struct block_info){0};
    }
    mem_free(h->tag, dead->bytes);
    mem_free(h->tag, dead);
}

void heap_fini(struct heap *h)
{
    struct heap_table *t = table_of(h);
    if (t == NULL)
        return;
    for (uint32_t w = 0; w < h->window_count; w++)
        if (t->info[w].windows > 0)
            mem_free(h->tag, atomic_load_explicit(&t->blocks[w], memory_order_relaxed));
    mem_free(h->tag, t->info);
    mem_free(h->tag, t);
    heap_init(h, h->epoch, h->tag);
}

/* Room for windows entries. The old table stays with its readers. */
static bool table_reserve(struct heap *h, uint32_t windows)
{
    struct heap_table *old = table_of(h);
    uint32_t capacity = old == NULL ? TABLE_FIRST : old->capacity;
    if (old != NULL && windows <= capacity)
        return true;
    while (capacity < windows)
        capacity *= 2;
    struct heap_table *t = mem_try_calloc(h->tag, sizeof(*t) + capacity * sizeof(t->blocks[0]));
    struct block_info *info = mem_try_calloc(h->tag, capacity * sizeof(*info));
    if (t == NULL || info == NULL) {
        mem_free(h->tag, t);
        mem_free(h->tag, info);
        return false;
    }
    t->tag = h->tag;
    t->capacity = capacity;
    t->info = info;
    for (uint32_t w = 0; w < h->window_count; w++) {
        info[w] = old->info[w];
        atomic_init(&t->blocks[w], atomic_load_explicit(&old->blocks[w], memory_order_relaxed));
    }
    atomic_store_explicit(&h->table, t, memory_order_release);
    if (old != NULL) {
        mem_free(h->tag, old->info);
        old->info = NULL;
        epoch_defer(h->epoch, &old->item, free_table);
    }
    return true;
}

/* Frees bytes once no reader can have them; dead was allocated before, so this cannot fail. */
static void retire_block(struct heap *h, struct dead_block *dead, uint8_t *bytes,
                         uint32_t closed_window)
{
    dead->heap = h;
    dead->bytes = bytes;
    dead->closed_window = closed_window;
    epoch_defer(h->epoch, &dead->item, free_block);
}

/* From size on in doublings, to a window at most. */
static size_t doubled(size_t size, size_t needed)
{
    CHECK(size > 0 && needed <= WINDOW_SIZE);
    while (size < needed)
        size *= 2;
    return size < WINDOW_SIZE ? size : WINDOW_SIZE;
}

/* The current block is small and its window has room: a bigger copy takes its place. */
static bool grow_block(struct heap *h, uint32_t window, size_t needed)
{
    struct heap_table *t = table_of(h);
    struct block_info *info = &t->info[window];
    size_t size = doubled(info->size, needed);
    uint8_t *bytes = mem_try(h->tag, size);
    struct dead_block *dead = mem_try(h->tag, sizeof(*dead));
    if (bytes == NULL || dead == NULL) {
        mem_free(h->tag, bytes);
        mem_free(h->tag, dead);
        return false;
    }
    uint8_t *old = atomic_load_explicit(&t->blocks[window], memory_order_relaxed);
    memcpy(bytes, old, info->used);
    atomic_store_explicit(&t->blocks[window], bytes, memory_order_release);
    h->held_bytes += size - info->size;
    info->size = size;
    retire_block(h, dead, old, NOT_CLOSED);
    return true;
}

/* A free run of windows, or the end of the table. */
static uint32_t free_windows(const struct heap *h, uint32_t count)
{
    const struct heap_table *t = table_of(h);
    uint32_t run = 0;
    for (uint32_t w = 0; w < h->window_count;) {
        if (t->info[w].windows > 0) {
            w += t->info[w].windows;
            run = 0;
            continue;
        }
        if (++run == count)
            return w + 1 - count;
        w++;
    }
    return h->window_count - run;
}

/* The size of a new block for records of size bytes. One unit more than they need: reference 0
 * means none, so window 0, whenever a block begins there, leaves its first unit unused. */
static size_t new_block_size(const struct heap *h, size_t size)
{
    size_t needed = size + UNIT;
    if (needed > WINDOW_SIZE)
        return needed;
    return h->window_count == 0 ? doubled(BLOCK_FIRST, needed) : WINDOW_SIZE;
}

static enum err open_block(struct heap *h, size_t needed)
{
    if (needed > (size_t)WINDOWS_MAX * WINDOW_SIZE)
        return ERR_LIMIT;
    size_t size = new_block_size(h, needed);
    uint32_t windows = (uint32_t)((size + WINDOW_SIZE - 1) / WINDOW_SIZE);
    uint32_t window = free_windows(h, windows);
    if (window + windows > WINDOWS_MAX)
        return ERR_LIMIT;
    if (!table_reserve(h, window + windows))
        return ERR_NOMEM;
    uint8_t *bytes = mem_try(h->tag, size);
    if (bytes == NULL)
        return ERR_NOMEM;
    struct heap_table *t = table_of(h);
    for (uint32_t i = 0; i < windows; i++) {
        t->info[window + i] = (struct block_info){0};
        atomic_store_explicit(&t->blocks[window + i], bytes + (size_t)i * WINDOW_SIZE,
                              memory_order_release);
    }
    size_t skip = window == 0 ? UNIT : 0;
    t->info[window] = (struct block_info){.windows = windows, .size = size, .used = skip};
    h->held_bytes += size;
    h->current = window;
    if (h->window_count < window + windows)
        h->window_count = window + windows;
    return OK;
}

static enum err make_room(struct heap *h, size_t size)
{
    struct heap_table *t = table_of(h);
    if (t != NULL && h->current < h->window_count) {
        struct block_info *info = &t->info[h->current];
        if (info->size - info->used >= size)
            return OK;
        if (info->size < WINDOW_SIZE && info->used + size <= WINDOW_SIZE)
            return grow_block(h, h->current, info->used + size) ? OK : ERR_NOMEM;
    }
    return open_block(h, size);
}

enum err heap_reserve(struct heap *h, size_t size)
{
    enum err e = make_room(h, size);
    if (e == OK)
        h->promised = size;
    return e;
}

size_t heap_cost(const struct heap *h, size_t size)
{
    const struct heap_table *t = table_of(h);
    if (t != NULL && h->current < h->window_count) {
        const struct block_info *info = &t->info[h->current];
        if (info->size - info->used >= size)
            return 0;
        if (info->size < WINDOW_SIZE && info->used + size <= WINDOW_SIZE)
            return doubled(info->size, info->used + size);
    }
    return new_block_size(h, size);
}

size_t heap_room(const struct heap *h, uint8_t **at)
{
    struct heap_table *t = table_of(h);
    if (t == NULL || h->current >= h->window_count)
        return 0;
    const struct block_info *info = &t->info[h->current];
    *at = atomic_load_explicit(&t->blocks[h->current], memory_order_relaxed) + info->used;
    return info->size - info->used;
}

static heap_ref append(struct heap *h, uint32_t row, struct slice bytes)
{
    struct heap_table *t = table_of(h);
    CHECK(t != NULL && h->current < h->window_count);
    struct block_info *info = &t->info[h->current];
    size_t size = heap_record_size(bytes.len);
    CHECK(info->size - info->used >= size);
    uint8_t *to = atomic_load_explicit(&t->blocks[h->current], memory_order_relaxed) + info->used;
    struct record_head head = {row, (uint32_t)bytes.len};
    memcpy(to, &head, sizeof(head));
    if (bytes.len > 0)
        memcpy(to + sizeof(head), bytes.ptr, bytes.len);
    heap_ref ref = (h->current << WINDOW_UNITS_BITS) + (heap_ref)(info->used / UNIT);
    info->used += size;
    h->live_bytes += size;
    CHECK(ref != HEAP_NONE);
    return ref;
}

heap_ref heap_put(struct heap *h, uint32_t row, struct slice bytes)
{
    size_t size = heap_record_size(bytes.len);
    h->promised -= size < h->promised ? size : h->promised;
    return append(h, row, bytes);
}

/* Where a record begins, with its head. */
static uint8_t *place_of(const struct heap *h, heap_ref ref)
{
    const struct heap_table *t = table_of(h);
    uint32_t window = ref >> WINDOW_UNITS_BITS;
    uint8_t *block = atomic_load_explicit(&((struct heap_table *)t)->blocks[window],
                                          memory_order_acquire);
    return block + (size_t)(ref & ((1u << WINDOW_UNITS_BITS) - 1)) * UNIT;
}

static const uint8_t *record_at(const struct heap *h, heap_ref ref, struct record_head *head)
{
    const uint8_t *at = place_of(h, ref);
    memcpy(head, at, sizeof(*head));
    return at + sizeof(*head);
}

struct slice heap_get(const struct heap *h, heap_ref ref)
{
    CHECK(ref != HEAP_NONE);
    const uint8_t *at = place_of(h, ref);
    uint32_t len;
    memcpy(&len, at + offsetof(struct record_head, len), sizeof(len));
    return (struct slice){at + sizeof(struct record_head), len};
}

void heap_set_row(struct heap *h, heap_ref ref, uint32_t row)
{
    CHECK(ref != HEAP_NONE);
    memcpy(place_of(h, ref) + offsetof(struct record_head, row), &row, sizeof(row));
}

/* All records of a closed block are dead: its windows are free again. */
static void close_block(struct heap *h, uint32_t window, struct dead_block *dead)
{
    struct heap_table *t = table_of(h);
    struct block_info *info = &t->info[window];
    CHECK(!info->closing && window != h->current);
    info->closing = true;
    if (h->compacting && h->compact_window == window)
        h->compacting = false;
    retire_block(h, dead, atomic_load_explicit(&t->blocks[window], memory_order_relaxed), window);
}

/* The window a block starts at, from any of its windows. */
static uint32_t block_start(const struct heap_table *t, uint32_t window)
{
    while (t->info[window].windows == 0) {
        CHECK(window > 0);
        window--;
    }
    return window;
}

void heap_drop(struct heap *h, heap_ref ref)
{
    struct record_head head;
    (void)record_at(h, ref, &head);
    struct heap_table *t = table_of(h);
    uint32_t window = block_start(t, ref >> WINDOW_UNITS_BITS);
    struct block_info *info = &t->info[window];
    size_t size = heap_record_size(head.len);
    info->dead += size;
    h->live_bytes -= size;
    h->wasteful = true;
    CHECK(info->dead <= info->used);
    size_t skip = window == 0 ? UNIT : 0;
    if (info->dead + skip < info->used || window == h->current)
        return;
    struct dead_block *dead = mem_try(h->tag, sizeof(*dead));
    if (dead != NULL) /* else the next compaction finds it */
        close_block(h, window, dead);
}

/* The closed block with the most dead bytes, when that is at least half of it; window_count: none.
 */
static uint32_t deadest_block(const struct heap *h, const struct heap_table *t)
{
    uint32_t best = h->window_count;
    for (uint32_t w = 0; w < h->window_count; w++) {
        const struct block_info *info = &t->info[w];
        if (info->windows == 0 || info->closing || w == h->current ||
            info->dead * 2 < info->used)
            continue;
        if (best == h->window_count || info->dead > t->info[best].dead)
            best = w;
    }
    return best;
}

/* The block that is being compacted, or the next one; window_count: none. */
static uint32_t block_to_compact(struct heap *h, const struct heap_table *t)
{
    if (h->compacting)
        return h->compact_window;
    uint32_t window = deadest_block(h, t);
    h->wasteful = window < h->window_count;
    h->compact_window = window;
    h->compact_at = window == 0 ? UNIT : 0;
    return window;
}

/* Moves the record at the beginning of what is left to compact; returns its size. */
static size_t compact_record(struct heap *h, uint32_t window, heap_on_move *on_move, void *user)
{
    struct heap_table *t = table_of(h);
    heap_ref old = (window << WINDOW_UNITS_BITS) + (heap_ref)(h->compact_at / UNIT);
    struct record_head head;
    const uint8_t *bytes = record_at(h, old, &head);
    struct block_info *to = &t->info[h->current];
    size_t size = heap_record_size(head.len);
    /* Dead records do not fit into the room kept for live ones and are not tried. */
    if (to->size - to->used >= size) {
        heap_ref moved = append(h, head.row, (struct slice){bytes, head.len});
        h->live_bytes -= size;
        if (on_move(user, head.row, old, moved))
            t->info[window].dead += size; /* the copy lives in its place */
        else
            to->used -= size; /* it was dead: take the copy back */
    }
    return size;
}

size_t heap_compact_step(struct heap *h, heap_on_move *on_move, void *user)
{
    struct heap_table *t = table_of(h);
    if (t == NULL)
        return 0;
    uint32_t window = block_to_compact(h, t);
    if (window == h->window_count)
        return 0;
    size_t live = t->info[window].used - t->info[window].dead;
    struct dead_block *dead = mem_try(h->tag, sizeof(*dead));
    /* Room for all that may live, beside what was promised to a change that is under way. */
    if (dead == NULL || make_room(h, h->promised + live) != OK) {
        mem_free(h->tag, dead);
        return 0;
    }
    size_t used = table_of(h)->info[window].used, first = h->compact_at;
    h->compacting = true;
    for (int i = 0; h->compact_at < used && i < COMPACT_RECORDS &&
                    h->compact_at - first < COMPACT_BYTES; i++)
        h->compact_at += compact_record(h, window, on_move, user);
    size_t looked = h->compact_at - first;
    if (h->compact_at < used)
        mem_free(h->tag, dead);
    else
        close_block(h, window, dead);
    return looked > 0 ? looked : UNIT; /* a block that nothing was put into is gone too */
}

/* -- filling ----------------------------------------------------------------------------------- */

enum err heap_fill_begin(struct heap_fill *f, struct heap *h, size_t size, unsigned lanes)
{
    CHECK(table_of(h) == NULL && h->window_count == 0);
    /* Each cursor leaves a block half full: small heaps have small ones. A block is left when a
     * record does not fit: two that follow each other hold more than one could. */
    size_t block =
        size / FILL_BLOCKS < BLOCK_FIRST ? BLOCK_FIRST : size / FILL_BLOCKS / UNIT * UNIT;
    block = block < WINDOW_SIZE ? block : WINDOW_SIZE;
    size_t windows = 2 * (size / block + 1) + 2 * (size_t)lanes;
    windows = windows < WINDOWS_MAX ? windows : WINDOWS_MAX;
    *f = (struct heap_fill){.heap = h, .block_size = block, .windows_max = (uint32_t)windows};
    atomic_init(&f->windows, 0);
    atomic_init(&f->live, 0);
    atomic_init(&f->held, 0);
    return table_reserve(h, f->windows_max) ? OK : ERR_NOMEM;
}

void heap_fill_close(struct heap_fill *f, struct heap_cursor *cursor)
{
    if (cursor->block == NULL)
        return;
    size_t skip = cursor->window == 0 ? UNIT : 0;
    table_of(f->heap)->info[cursor->window].used = cursor->used;
    atomic_fetch_add_explicit(&f->live, cursor->used - skip, memory_order_relaxed);
    *cursor = (struct heap_cursor){0};
}

/* A block for records of size bytes, and the windows it spans. */
static enum err next_block(struct heap_fill *f, struct heap_cursor *cursor, size_t size)
{
    heap_fill_close(f, cursor);
    size_t needed = size + UNIT < f->block_size ? f->block_size : size + UNIT;
    if (needed > (size_t)WINDOWS_MAX * WINDOW_SIZE)
        return ERR_LIMIT;
    uint32_t windows = (uint32_t)((needed + WINDOW_SIZE - 1) / WINDOW_SIZE);
    uint32_t window = atomic_load_explicit(&f->windows, memory_order_relaxed);
    do {
        if (windows > f->windows_max - window)
            return ERR_LIMIT;
    } while (!atomic_compare_exchange_weak_explicit(&f->windows, &window, window + windows,
                                                    memory_order_relaxed, memory_order_relaxed));
    uint8_t *bytes = mem_try(f->heap->tag, needed);
    if (bytes == NULL)
        return ERR_NOMEM; /* the windows stay free */
    struct heap_table *t = table_of(f->heap);
    for (uint32_t i = 0; i < windows; i++)
        atomic_store_explicit(&t->blocks[window + i], bytes + (size_t)i * WINDOW_SIZE,
                              memory_order_release);
    t->info[window] = (struct block_info){.windows = windows, .size = needed};
    atomic_fetch_add_explicit(&f->held, needed, memory_order_relaxed);
    *cursor = (struct heap_cursor){
        .block = bytes, .window = window, .used = window == 0 ? UNIT : 0, .size = needed};
    return OK;
}

enum err heap_fill_put(struct heap_fill *f, struct heap_cursor *cursor, uint32_t row,
                       struct slice bytes, heap_ref *out)
{
    size_t size = heap_record_size(bytes.len);
    if (cursor->size - cursor->used < size) {
        enum err e = next_block(f, cursor, size);
        if (e != OK)
            return e;
    }
    struct record_head head = {row, (uint32_t)bytes.len};
    uint8_t *to = cursor->block + cursor->used;
    memcpy(to, &head, sizeof(head));
    if (bytes.len > 0)
        memcpy(to + sizeof(head), bytes.ptr, bytes.len);
    *out = (cursor->window << WINDOW_UNITS_BITS) + (heap_ref)(cursor->used / UNIT);
    cursor->used += size;
    return OK;
}

void heap_fill_end(struct heap_fill *f)
{
    struct heap *h = f->heap;
    if (h == NULL)
        return; /* it never began */
    h->window_count = atomic_load(&f->windows);
    h->current = h->window_count; /* what comes next opens a block */
    h->live_bytes = atomic_load(&f->live);
    h->held_bytes = atomic_load(&f->held);
}
