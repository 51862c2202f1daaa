/* fuzz_dump.c: no bytes given to RESTORE crash it, and strings it takes are what DUMP gives.
 *
 * The input is tried as it is, and once more with the mark and checksum that it would need: else
 * nothing behind these would ever be reached. */
#include "base/bytes.h"
#include "base/crc32c.h"
#include "db/dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void try_string(struct slice bytes, const struct dump *dump)
{
    struct buf again = BUF_INIT(MEM_TEST);
    dump_string(dump->bytes, &again);
    CHECK(buf_failed(&again) || slice_eq(buf_slice(&again), bytes));
    buf_fini(&again);
}

/* As cmd/cmd_dump.c does it, in room that is aligned and ends where the record does. */
static void try_collection(const struct dump *dump)
{
    struct why why = {{0}};
    size_t count = 0;
    uint8_t *room = mem_try(MEM_TEST, dump->bytes.len);
    if (room == NULL)
        return;
    memcpy(room, dump->bytes.ptr, dump->bytes.len);
    enum err e = dump_check((struct slice){room, dump->bytes.len}, &count, &why);
    CHECK(e == OK || e == ERR_CORRUPT || e == ERR_LIMIT || e == ERR_NOMEM);
    CHECK(e != OK || count > 0);
    mem_free(MEM_TEST, room);
}

static void try_dump(struct slice bytes)
{
    struct dump dump;
    enum err e = dump_read(bytes, &dump);
    CHECK(e == OK || e == ERR_CORRUPT || e == ERR_UNSUPPORTED);
    if (e == OK && dump.is_string)
        try_string(bytes, &dump);
    else if (e == OK)
        try_collection(&dump);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct buf copy = BUF_INIT(MEM_TEST); /* with nothing readable behind it */
    try_dump((struct slice){bytes, len});
    buf_append(&copy, bytes, len);
    bytes_put_u32(&copy, 'v' | 'D' << 8 | (uint32_t)DUMP_VERSION << 16);
    bytes_put_u32(&copy, crc32c(buf_slice(&copy)));
    if (!buf_failed(&copy))
        try_dump(buf_slice(&copy));
    buf_fini(&copy);
    return 0;
}
