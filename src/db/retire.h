/* retire.h: many dead rows at once on their way to the free ones.
 *
 * A sweep ends with hundreds of thousands of rows that nothing leads to any more. They wait for the
 * epoch together, and are freed a few thousand at a time, so that the loop is not held up. */
#ifndef VDB_DB_RETIRE_H
#define VDB_DB_RETIRE_H

#include "db/collection.h"

/* The rows of bits below end are ROW_SWEEPING and nothing leads to them. Takes bits over (MEM_ROW).
 */
void retire_rows(struct side *side, uint64_t *bits, uint32_t end);

#endif
