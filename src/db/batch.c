#include "db/batch.h"

enum {
    ALIGNMENT = 8,
    ITEM_HEAD_SIZE = 8, /* size and zero */
    ITEM_SIZE_MIN = ITEM_HEAD_SIZE + 8
};

static void put_u32_at(struct buf *out, size_t at, uint32_t value)
{
    CHECK(at + 4 <= out->len);
    for (size_t i = 0; i < 4; i++)
        out->ptr[at + i] = (uint8_t)(value >> (8 * i));
}

void batch_begin(struct buf *out)
{
    CHECK(out->len == 0);
    bytes_put_u32(out, BATCH_NUMBER);
    bytes_put_u32(out, 0);
}

void batch_add(struct buf *out, const struct mutation *m)
{
    size_t start = out->len;
    CHECK(out->failed || (start >= BATCH_HEAD_SIZE && start % ALIGNMENT == 0));
    bytes_put_u64(out, 0);
    mutation_encode(m, out);
    size_t end = out->len;
    while (out->len % ALIGNMENT != 0 && !buf_failed(out))
        buf_append_byte(out, 0);
    if (buf_failed(out))
        return;
    CHECK(end - start - ITEM_HEAD_SIZE <= UINT32_MAX); /* a mutation is what commands may carry */
    put_u32_at(out, start, (uint32_t)(end - start - ITEM_HEAD_SIZE));
}

size_t batch_size_max(const struct mutation *m)
{
    return ITEM_HEAD_SIZE + mutation_size_max(m) + ALIGNMENT;
}

void batch_cut(struct buf *out, size_t len)
{
    CHECK(len <= out->len);
    out->len = len;
    out->failed = false;
}

struct slice batch_record(struct buf *out, size_t count)
{
    CHECK(count >= 1 && count <= UINT32_MAX && !buf_failed(out));
    if (count > 1) {
        put_u32_at(out, 4, (uint32_t)count);
        return buf_slice(out);
    }
    struct bytes_reader r = {.left = {out->ptr + BATCH_HEAD_SIZE, out->len - BATCH_HEAD_SIZE}};
    uint32_t size = bytes_get_u32(&r);
    CHECK(size <= r.left.len);
    return (struct slice){out->ptr + BATCH_HEAD_SIZE + ITEM_HEAD_SIZE, size};
}

static enum err corrupt(struct why *why, struct slice bytes)
{
    return why_set(why, ERR_CORRUPT, "a record of %zu bytes is not a batch of mutations",
                   bytes.len);
}

enum err batch_open(struct slice bytes, struct batch_reader *r, struct why *why)
{
    *r = (struct batch_reader){.bytes = {.left = bytes}, .left = 1, .single = true};
    struct bytes_reader head = r->bytes;
    if (bytes_get_u32(&head) != BATCH_NUMBER)
        return OK;
    uint32_t count = bytes_get_u32(&head);
    if (head.broken || count < 2 || count > head.left.len / ITEM_SIZE_MIN)
        return corrupt(why, bytes);
    *r = (struct batch_reader){.bytes = head, .left = count};
    return OK;
}

/* The bytes of the next mutation of a batch; broken when they are not there. */
static struct slice next_item(struct bytes_reader *r)
{
    uint32_t size = bytes_get_u32(r), zero = bytes_get_u32(r);
    struct slice item = bytes_get_raw(r, size);
    struct slice padding = bytes_get_raw(r, (ALIGNMENT - size % ALIGNMENT) % ALIGNMENT);
    r->broken |= zero != 0;
    for (size_t i = 0; i < padding.len; i++)
        r->broken |= padding.ptr[i] != 0;
    return item;
}

enum err batch_next(struct batch_reader *r, struct mutation *out, struct why *why)
{
    CHECK(r->left > 0);
    struct slice all = r->bytes.left;
    r->left--;
    if (r->single)
        return mutation_decode(all, out, why);
    struct slice item = next_item(&r->bytes);
    if (r->bytes.broken || (r->left == 0 && r->bytes.left.len > 0))
        return corrupt(why, all);
    return mutation_decode(item, out, why);
}

enum err batch_check(struct slice bytes, struct why *why)
{
    struct batch_reader r;
    enum err e = batch_open(bytes, &r, why);
    while (e == OK && r.left > 0) {
        struct mutation m;
        e = batch_next(&r, &m, why);
        if (e == OK)
            mutation_free(&m);
    }
    return e;
}
