/* fuzz_resp.c: no bytes of a client crash the reader, and how they are cut changes nothing.
 *
 * The first byte of an input decides the limits and how the rest is cut; the rest is what a client
 * sends. The same bytes are read whole and in pieces, and both must give the same commands and the
 * same error. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "net/resp_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { ARGS_MAX = 64, BULK_MAX = 2048, INLINE_MAX = 256, UNAUTHENTICATED_BIT = 0x80 };

/* One way of feeding the input. */
struct feed {
    struct buf input; /* as a session keeps it */
    struct buf seen;  /* every command and the error, in a form that can be compared */
    struct resp_reader reader;
    bool broken;
};

static void feed_init(struct feed *f, bool unauthenticated)
{
    buf_init(&f->input, MEM_TEST);
    buf_init(&f->seen, MEM_TEST);
    resp_reader_init(&f->reader, ARGS_MAX, BULK_MAX, INLINE_MAX);
    f->reader.unauthenticated = unauthenticated;
    f->broken = false;
}

static void feed_fini(struct feed *f)
{
    buf_fini(&f->input);
    buf_fini(&f->seen);
    resp_reader_fini(&f->reader);
}

static bool holds(const struct buf *b, struct slice s)
{
    return b->len > 0 && s.ptr >= b->ptr && s.ptr + s.len <= b->ptr + b->len;
}

/* What the header of resp_read promises of a command. */
static void check_command(const struct feed *f)
{
    const struct resp_reader *r = &f->reader;
    bool array = f->input.ptr[0] == '*';
    CHECK(r->size > 0 && r->size <= f->input.len);
    CHECK(r->arg_count <= (array ? ARGS_MAX : INLINE_MAX));
    for (size_t i = 0; i < r->arg_count; i++) {
        struct slice arg = r->args[i];
        CHECK(arg.len <= (array ? BULK_MAX : INLINE_MAX));
        /* Decoded text lies in room that is reserved, not counted as used. */
        struct buf decoded = r->inline_text;
        decoded.len = decoded.capacity;
        CHECK(holds(&f->input, arg) || (!array && holds(&decoded, arg)));
    }
}

static void feed_bytes(struct feed *f, struct slice piece)
{
    struct resp_reader *r = &f->reader;
    struct why why = {""};
    enum resp_status status;
    if (f->broken)
        return;
    buf_append_slice(&f->input, piece);
    while ((status = resp_read(r, buf_slice(&f->input), &why)) == RESP_COMMAND) {
        check_command(f);
        buf_printf(&f->seen, "%zu in %zu:", r->arg_count, r->size);
        for (size_t i = 0; i < r->arg_count; i++) {
            buf_printf(&f->seen, "%zu ", r->args[i].len);
            buf_append_slice(&f->seen, r->args[i]);
        }
        buf_consume(&f->input, r->size);
        resp_reader_next(r);
    }
    if (status == RESP_BROKEN) {
        f->broken = true;
        CHECK(strncmp(why.text, "Protocol error: ", 16) == 0);
        buf_append_text(&f->seen, why.text);
        return;
    }
    CHECK(r->size_needed == 0 || r->size_needed > f->input.len);
    /* What waits for more is one command at most, so a client cannot park more than that. */
    CHECK(f->input.len <= ARGS_MAX * (BULK_MAX + INLINE_MAX));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0)
        return 0;
    bool unauthenticated = (bytes[0] & UNAUTHENTICATED_BIT) != 0;
    size_t piece_max = 1 + (bytes[0] & 0x3f);
    struct slice all = {bytes + 1, len - 1};
    struct feed whole, pieces;
    feed_init(&whole, unauthenticated);
    feed_init(&pieces, unauthenticated);
    feed_bytes(&whole, all);
    for (size_t at = 0, size; at < all.len; at += size) {
        size = 1 + all.ptr[at] % piece_max;
        size = size < all.len - at ? size : all.len - at;
        feed_bytes(&pieces, (struct slice){all.ptr + at, size});
    }
    CHECK(whole.broken == pieces.broken);
    CHECK(slice_eq(buf_slice(&whole.seen), buf_slice(&pieces.seen)));
    CHECK(whole.broken || slice_eq(buf_slice(&whole.input), buf_slice(&pieces.input)));
    feed_fini(&whole);
    feed_fini(&pieces);
    return 0;
}
