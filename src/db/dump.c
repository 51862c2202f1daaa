#include "db/dump.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "db/batch.h"

enum { MARK = 'v' | 'D' << 8, CRC_SIZE = 4 };

static void put_tail(struct buf *out)
{
    bytes_put_u32(out, MARK | (uint32_t)DUMP_VERSION << 16);
    bytes_put_u32(out, crc32c(buf_slice(out)));
}

void dump_string(struct slice value, struct buf *out)
{
    CHECK(out->len == 0);
    if (buf_reserve(out, value.len + DUMP_OVERHEAD) == NULL)
        return;
    bytes_put_u8(out, DUMP_STRING);
    buf_append_slice(out, value);
    put_tail(out);
}

struct writer {
    struct buf *out;
    size_t count;
};

static enum err write_one(void *user, const struct mutation *m)
{
    struct writer *w = user;
    batch_add(w->out, m);
    w->count++;
    return buf_failed(w->out) ? ERR_NOMEM : OK;
}

/* A record of one mutation stands inside of the bytes. */
static enum err end_record(struct buf *out, size_t count)
{
    struct slice record = batch_record(out, count);
    buf_consume(out, (size_t)(record.ptr - out->ptr));
    out->len = record.len;
    CHECK(out->len > 0 && out->ptr[0] != DUMP_STRING);
    put_tail(out);
    return buf_failed(out) ? ERR_NOMEM : OK;
}

enum err dump_collection(struct db *db, struct collection *c, struct buf *out)
{
    struct writer w = {.out = out};
    CHECK(out->len == 0);
    if (buf_reserve(out, copy_size(c)) == NULL)
        return ERR_NOMEM;
    batch_begin(out);
    enum err e = copy_each(db, c, (struct slice){0}, write_one, &w);
    return e == OK ? end_record(out, w.count) : e;
}

enum err dump_packs(struct db *db, const struct object *o, struct buf *out)
{
    struct writer w = {.out = out};
    CHECK(out->len == 0);
    if (buf_reserve(out, copy_packs_size(o)) == NULL)
        return ERR_NOMEM;
    batch_begin(out);
    enum err e = copy_packs_each(db, o, (struct slice){0}, write_one, &w);
    return e == OK ? end_record(out, w.count) : e;
}

enum err dump_json(const struct object *o, struct buf *out)
{
    struct mutation m = copy_json(o);
    CHECK(out->len == 0);
    if (buf_reserve(out, copy_json_size(o)) == NULL)
        return ERR_NOMEM;
    batch_begin(out);
    batch_add(out, &m);
    return buf_failed(out) ? ERR_NOMEM : end_record(out, 1);
}

enum err dump_read(struct slice bytes, struct dump *out)
{
    if (bytes.len < DUMP_OVERHEAD)
        return ERR_CORRUPT;
    struct bytes_reader tail = {.left = {bytes.ptr + bytes.len - DUMP_TAIL_SIZE, DUMP_TAIL_SIZE}};
    if (bytes_get_u32(&tail) != (MARK | (uint32_t)DUMP_VERSION << 16))
        return ERR_CORRUPT;
    if (bytes_get_u32(&tail) != crc32c((struct slice){bytes.ptr, bytes.len - CRC_SIZE}))
        return ERR_CORRUPT;
    CHECK(!tail.broken);
    *out = (struct dump){.is_string = bytes.ptr[0] == DUMP_STRING,
                         .bytes = {bytes.ptr, bytes.len - DUMP_TAIL_SIZE}};
    if (out->is_string)
        out->bytes = (struct slice){bytes.ptr + 1, bytes.len - DUMP_OVERHEAD};
    return !out->is_string || out->bytes.len <= LIMIT_STRING_SIZE ? OK : ERR_UNSUPPORTED;
}

enum err dump_check(struct slice record, size_t *count, struct why *why)
{
    struct batch_reader r;
    struct copy_check check = {0};
    enum err e = copy_fits(0, record.len, why);
    if (e == OK)
        e = batch_open(record, &r, why);
    while (e == OK && r.left > 0) {
        struct mutation m;
        e = batch_next(&r, &m, why);
        if (e != OK)
            break;
        e = copy_check(&check, &m, why);
        mutation_free(&m);
    }
    *count = check.mutations;
    return e;
}
