/* buf.h: a growable run of bytes, owned by whoever holds the struct.
 *
 * Appending never reports failure by itself: a buffer that could not grow is marked failed, ignores
 * what is appended after, and the writer asks buf_failed() once at the end. Zero is a valid empty
 * buffer but for its tag: use buf_init or BUF_INIT. */
#ifndef VDB_BASE_BUF_H
#define VDB_BASE_BUF_H

#include "base/mem.h"
#include "base/slice.h"

struct buf {
    uint8_t *ptr;
    size_t len;
    size_t capacity;
    enum mem_tag tag;
    bool failed;
};

#define BUF_INIT(mem_tag) ((struct buf){.tag = (mem_tag)})

void buf_init(struct buf *b, enum mem_tag tag);
void buf_fini(struct buf *b);

/* Makes room for extra more bytes and returns where they start, or NULL (and failed). The bytes
 * count only after buf_advance(). */
uint8_t *buf_reserve(struct buf *b, size_t extra);
static inline void buf_advance(struct buf *b, size_t used)
{
    CHECK(b->len + used <= b->capacity);
    b->len += used;
}

void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_append_slice(struct buf *b, struct slice s);
void buf_append_text(struct buf *b, const char *text);
void buf_append_byte(struct buf *b, uint8_t byte);
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Drops the first n bytes; what follows moves to the front. */
void buf_consume(struct buf *b, size_t n);
/* Empties the buffer; keeps at most keep_capacity bytes of memory. Clears failed. */
void buf_clear(struct buf *b, size_t keep_capacity);

static inline bool buf_failed(const struct buf *b)
{
    return b->failed;
}

static inline struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->ptr, b->len};
}

#endif
