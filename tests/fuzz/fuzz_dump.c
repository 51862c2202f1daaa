/* fuzz_dump.c: no bytes given to RESTORE crash it, and those it takes are what DUMP gives.
 *
 * The input is tried as it is, and once more with the mark and checksum that it would need: else
 * nothing behind these would ever be reached. */
#include "base/bytes.h"
#include "base/crc32c.h"
#include "db/dump.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void try_dump(struct slice bytes)
{
    struct slice value;
    enum err e = dump_read(bytes, &value);
    CHECK(e == OK || e == ERR_CORRUPT || e == ERR_UNSUPPORTED);
    if (e != OK)
        return;
    struct buf again = BUF_INIT(MEM_TEST);
    dump_string(value, &again);
    CHECK(buf_failed(&again) || slice_eq(buf_slice(&again), bytes));
    buf_fini(&again);
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
