/* fuzz_record.c: no bytes of a log crash whoever reads them, and those that are a record are the
 * only way to write it.
 *
 * The input is a record. When it can be read, its mutations are written again, and that has to give
 * the same bytes: so nothing was read past them, and no byte is without meaning. */
#include <stddef.h>
#include <stdint.h>

#include "db/batch.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* Writes the mutations of a record that batch_check has let through. */
static size_t write_again(struct slice record, struct buf *out)
{
    struct batch_reader r;
    size_t count = 0;
    batch_begin(out);
    enum err e = batch_open(record, &r, NULL);
    while (e == OK && r.left > 0) {
        struct mutation m;
        e = batch_next(&r, &m, NULL);
        CHECK(e == OK || e == ERR_NOMEM);
        if (e != OK)
            break;
        batch_add(out, &m);
        count++;
        mutation_free(&m);
    }
    return e == OK && !buf_failed(out) ? count : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct why why = {""};
    struct slice record = {bytes, len};
    /* Where a log keeps it: at a multiple of 8, with nothing readable behind. */
    uint8_t *copy = mem_try(MEM_TEST, len > 0 ? len : 1);
    if (copy == NULL)
        return 0;
    if (len > 0)
        memcpy(copy, bytes, len);
    record.ptr = copy;
    enum err e = batch_check(record, &why);
    CHECK(e == OK || e == ERR_NOMEM || (e == ERR_CORRUPT && why.text[0] != '\0'));
    if (e == OK) {
        struct buf again = BUF_INIT(MEM_TEST);
        size_t count = write_again(record, &again);
        CHECK(count == 0 || slice_eq(batch_record(&again, count), record));
        buf_fini(&again);
    }
    mem_free(MEM_TEST, copy);
    return 0;
}
