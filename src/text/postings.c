#include "text/postings.h"

enum { BLOCK_MAX = 512 /* bytes of records, unless one is longer */, FIRST_ROOM = 8 };

static struct text_block *next_of(const struct text_block *b)
{
    return atomic_load_explicit(&((struct text_block *)(uintptr_t)b)->next, memory_order_acquire);
}

static struct text_block *first_of(const struct text_term *term)
{
    return atomic_load_explicit(&((struct text_term *)(uintptr_t)term)->first,
                                memory_order_acquire);
}

static uint32_t used_of(const struct text_block *b)
{
    return atomic_load_explicit(&((struct text_block *)(uintptr_t)b)->used, memory_order_acquire);
}

static size_t put_varint(uint8_t *out, uint64_t v)
{
    size_t size = 0;
    for (; v >= 0x80; v >>= 7)
        out[size++] = (uint8_t)(v | 0x80);
    out[size++] = (uint8_t)v;
    return size;
}

/* -- appending --------------------------------------------------------------------------------- */

static struct text_block *make_block(struct text_terms *t, size_t capacity, uint64_t first)
{
    enum { ALIGNMENT = 16 };
    size_t size = sizeof(struct text_block) + capacity;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; /* what the allocator would round to */
    struct text_block *b = mem_try(MEM_TEXT, size);
    if (b == NULL)
        return NULL;
    *b = (struct text_block){
        .first = first, .last = first, .capacity = (uint32_t)(size - sizeof(struct text_block))};
    t->bytes += mem_size(b);
    return b;
}

static void drop_block(struct text_terms *t, struct text_block *b)
{
    t->bytes -= mem_size(b);
    text_graves_add(t->graves, b);
}

/* b comes into sight in place of old, behind before. */
static void replace_block(struct text_terms *t, struct text_term *term, struct text_block *before,
                          struct text_block *old, struct text_block *b)
{
    atomic_store_explicit(&b->next, next_of(old), memory_order_relaxed);
    if (before == NULL)
        atomic_store_explicit(&term->first, b, memory_order_release);
    else
        atomic_store_explicit(&before->next, b, memory_order_release);
    if (term->last == old)
        term->last = b;
    drop_block(t, old);
}

/* The block before one: short lists only are asked, as lasts grow while they are small. */
static struct text_block *block_before(const struct text_term *term, const struct text_block *b)
{
    struct text_block *before = NULL;
    for (struct text_block *at = first_of(term); at != b; at = next_of(at))
        before = at;
    return before;
}

/* The last block with room for so many more bytes; only the first grows, others are made large. */
static struct text_block *grow_last(struct text_terms *t, struct text_term *term, size_t more)
{
    struct text_block *old = term->last;
    size_t capacity = (size_t)old->capacity * 3 / 2;
    if (capacity < old->used + more)
        capacity = old->used + more;
    struct text_block *b = make_block(t, capacity < BLOCK_MAX ? capacity : BLOCK_MAX, old->first);
    if (b == NULL)
        return NULL;
    b->last = old->last;
    memcpy(b->bytes, old->bytes, old->used);
    atomic_store_explicit(&b->used, old->used, memory_order_relaxed);
    replace_block(t, term, block_before(term, old), old, b);
    return b;
}

static bool append_block(struct text_terms *t, struct text_term *term, uint64_t version,
                         struct slice record)
{
    struct text_block *last = term->last;
    size_t size = 1 + record.len, capacity = last == NULL ? size + FIRST_ROOM : BLOCK_MAX;
    struct text_block *b = make_block(t, capacity < size ? size : capacity, version);
    if (b == NULL)
        return false;
    b->bytes[0] = 0;
    if (record.len > 0) /* it has no bytes where an index keeps neither fields nor places */
        memcpy(b->bytes + 1, record.ptr, record.len);
    atomic_store_explicit(&b->used, (uint32_t)size, memory_order_relaxed);
    if (last == NULL)
        atomic_store_explicit(&term->first, b, memory_order_release);
    else
        atomic_store_explicit(&last->next, b, memory_order_release);
    term->last = b;
    return true;
}

bool text_postings_append(struct text_terms *t, struct text_term *term, uint64_t version,
                          struct slice record)
{
    uint8_t head[TEXT_VARINT_MAX];
    struct text_block *last = term->last;
    CHECK(last == NULL || version > last->last);
    size_t head_size = last == NULL ? 0 : put_varint(head, version - last->last);
    size_t size = head_size + record.len;
    bool fits = last != NULL && last->used + size <= last->capacity;
    bool grows = last != NULL && !fits && last->used + size <= BLOCK_MAX;
    if (grows) {
        last = grow_last(t, term, size);
        if (last == NULL)
            return false;
    } else if (!fits && !append_block(t, term, version, record)) {
        return false;
    }
    if (fits || grows) {
        uint32_t used = last->used;
        memcpy(last->bytes + used, head, head_size);
        if (record.len > 0)
            memcpy(last->bytes + used + head_size, record.ptr, record.len);
        last->last = version;
        atomic_store_explicit(&last->used, used + (uint32_t)size, memory_order_release);
    }
    atomic_store_explicit(&term->docs, term->docs + 1, memory_order_relaxed);
    return true;
}

void text_postings_free(struct text_term *term)
{
    for (struct text_block *b = first_of(term), *next; b != NULL; b = next) {
        next = next_of(b);
        mem_free(MEM_TEXT, b);
    }
}

/* -- reading ----------------------------------------------------------------------------------- */

void text_cursor_open(struct text_cursor *c, const struct text_term *term,
                      const struct text_format *format, uint64_t end)
{
    *c = (struct text_cursor){.format = format, .block = first_of(term), .end = end};
    if (c->block != NULL)
        c->used = used_of(c->block);
}

/* The record at c->at, whose version is known. */
static void read_record(struct text_cursor *c, const uint8_t *at)
{
    const struct text_format *f = c->format;
    c->fields = f->fields ? text_get_varint(&at) : 1;
    c->counts = at;
    c->frequency = f->freqs ? 0 : 1;
    if (f->freqs || f->positions) {
        for (uint64_t left = c->fields; left != 0; left &= left - 1) {
            uint32_t count = (uint32_t)text_get_varint(&at);
            if (f->freqs)
                c->frequency += count * f->weights[__builtin_ctzll(left)];
        }
    }
    c->place_size = f->positions ? (uint32_t)text_get_varint(&at) : 0;
    c->places = at;
    c->at = (uint32_t)(at + c->place_size - c->block->bytes);
}

bool text_cursor_next(struct text_cursor *c)
{
    while (c->block != NULL && c->at == c->used) {
        c->block = next_of(c->block);
        c->at = 0;
        c->used = c->block == NULL ? 0 : used_of(c->block);
    }
    if (c->block == NULL)
        return false;
    const uint8_t *at = c->block->bytes + c->at;
    uint64_t delta = text_get_varint(&at);
    c->version = c->at == 0 ? c->block->first : c->version + delta;
    if (c->version >= c->end) {
        c->block = NULL;
        return false;
    }
    read_record(c, at);
    return true;
}

bool text_cursor_seek(struct text_cursor *c, uint64_t version)
{
    if (c->at > 0 && c->version >= version)
        return c->block != NULL;
    for (const struct text_block *b = c->block; b != NULL;) {
        b = next_of(b);
        if (b == NULL || b->first > version)
            break;
        c->block = b;
        c->at = 0;
        c->used = used_of(b);
    }
    while (text_cursor_next(c))
        if (c->version >= version)
            return true;
    return false;
}

size_t text_cursor_places(const struct text_cursor *c, uint64_t fields, uint64_t *out)
{
    const uint8_t *counts = c->counts, *places = c->places;
    size_t size = 0;
    if (!c->format->positions)
        return 0;
    for (uint64_t left = c->fields; left != 0; left &= left - 1) {
        uint64_t field = (uint64_t)__builtin_ctzll(left), place = field << 32;
        bool wanted = (fields >> field & 1) != 0;
        for (uint64_t count = text_get_varint(&counts); count > 0; count--) {
            place += text_get_varint(&places);
            if (wanted)
                out[size++] = place;
        }
    }
    CHECK(size <= c->place_size);
    return size;
}

/* -- collecting -------------------------------------------------------------------------------- */

/* The records of a block that stay, into another; NULL when none is dropped, or memory is short. */
static struct text_block *without_gone(struct text_terms *t, const struct text_block *old,
                                       struct text_collect *c, uint32_t *dropped)
{
    struct text_cursor cursor = {
        .format = c->format, .block = old, .end = UINT64_MAX, .used = used_of(old)};
    struct text_block *b = make_block(t, old->used, 0);
    uint32_t used = 0, at = 0;
    *dropped = 0;
    if (b == NULL) {
        c->failed = true;
        return NULL;
    }
    while (cursor.at < cursor.used && text_cursor_next(&cursor)) {
        const uint8_t *record = old->bytes + at;
        (void)text_get_varint(&record);
        at = cursor.at;
        if (c->gone(c->user, cursor.version)) {
            ++*dropped;
            continue;
        }
        if (used == 0)
            b->first = b->last = cursor.version;
        size_t head = put_varint(b->bytes + used, cursor.version - b->last);
        size_t size = (size_t)(old->bytes + at - record);
        memcpy(b->bytes + used + head, record, size);
        used += (uint32_t)(head + size);
        CHECK(used <= b->capacity);
        b->last = cursor.version;
    }
    atomic_store_explicit(&b->used, used, memory_order_relaxed);
    return b;
}

static void unlink_block(struct text_terms *t, struct text_term *term, struct text_block *before,
                         struct text_block *old)
{
    struct text_block *next = next_of(old);
    if (before == NULL)
        atomic_store_explicit(&term->first, next, memory_order_release);
    else
        atomic_store_explicit(&before->next, next, memory_order_release);
    if (term->last == old)
        term->last = before;
    drop_block(t, old);
}

bool text_postings_collect(struct text_terms *t, struct text_term *term, struct text_collect *c)
{
    struct text_block *old = c->before == NULL ? first_of(term) : next_of(c->before);
    uint32_t dropped;
    if (old == NULL)
        return true;
    struct text_block *b = without_gone(t, old, c, &dropped);
    if (b == NULL || dropped == 0) {
        if (b != NULL)
            drop_block(t, b);
        c->before = old;
        return next_of(old) == NULL;
    }
    c->records += dropped;
    c->bytes += old->used - b->used;
    atomic_store_explicit(&term->docs, term->docs - dropped, memory_order_relaxed);
    if (b->used == 0) {
        drop_block(t, b);
        unlink_block(t, term, c->before, old);
    } else {
        replace_block(t, term, c->before, old, b);
        c->before = b;
    }
    return c->before == NULL ? first_of(term) == NULL : next_of(c->before) == NULL;
}
