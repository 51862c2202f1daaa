#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>

enum { BUF_FIRST_CAPACITY = 64, BUF_DOUBLING_MAX = 64 << 20 };

void buf_init(struct buf *b, enum mem_tag tag)
{
    *b = BUF_INIT(tag);
}

void buf_fini(struct buf *b)
{
    mem_free(b->tag, b->ptr);
    *b = BUF_INIT(b->tag);
}

/* Doubles while small; large buffers grow by a quarter so that a 512 MB bulk does not cost 1 GB. */
static size_t grown_capacity(size_t capacity, size_t needed)
{
    size_t next = capacity < BUF_FIRST_CAPACITY ? BUF_FIRST_CAPACITY : capacity;
    while (next < needed) {
        if (next > SIZE_MAX / 2)
            return needed; /* no allocator has that much */
        next += next < BUF_DOUBLING_MAX ? next : next / 4;
    }
    return next;
}

uint8_t *buf_reserve(struct buf *b, size_t extra)
{
    if (b->failed)
        return NULL;
    if (b->ptr != NULL && b->capacity - b->len >= extra)
        return b->ptr + b->len;
    size_t needed;
    if (__builtin_add_overflow(b->len, extra, &needed)) {
        b->failed = true;
        return NULL;
    }
    size_t capacity = grown_capacity(b->capacity, needed);
    uint8_t *ptr = mem_try_realloc(b->tag, b->ptr, capacity);
    if (ptr == NULL) {
        b->failed = true;
        return NULL;
    }
    b->ptr = ptr;
    b->capacity = capacity;
    return b->ptr + b->len;
}

void buf_append(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0)
        return;
    uint8_t *to = buf_reserve(b, len);
    if (to == NULL)
        return;
    memcpy(to, bytes, len);
    b->len += len;
}

void buf_append_slice(struct buf *b, struct slice s)
{
    buf_append(b, s.ptr, s.len);
}

void buf_append_text(struct buf *b, const char *text)
{
    buf_append(b, text, strlen(text));
}

void buf_append_byte(struct buf *b, uint8_t byte)
{
    buf_append(b, &byte, 1);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    CHECK(size >= 0);
    uint8_t *to = buf_reserve(b, (size_t)size + 1);
    if (to != NULL) {
        (void)vsnprintf((char *)to, (size_t)size + 1, fmt, again);
        b->len += (size_t)size;
    }
    va_end(again);
}

void buf_consume(struct buf *b, size_t n)
{
    CHECK(n <= b->len);
    if (n == 0)
        return;
    b->len -= n;
    memmove(b->ptr, b->ptr + n, b->len);
}

void buf_clear(struct buf *b, size_t keep_capacity)
{
    b->len = 0;
    b->failed = false;
    if (b->capacity > keep_capacity)
        buf_fini(b);
}
