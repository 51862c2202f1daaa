/* date.h: Unix time as dates of the calendar, in UTC. Pure; no state. */
#ifndef VDB_BASE_DATE_H
#define VDB_BASE_DATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

enum { DATE_SIZE = 25, DATE_COMPACT_SIZE = 17 };

/* "2026-11-23T06:00:00.123Z". Years past 9999 abort. */
void date_print(uint64_t wall_ms, char out[DATE_SIZE]);
/* "20261123T060000Z" */
void date_print_compact(uint64_t wall_ms, char out[DATE_COMPACT_SIZE]);

/* "2026-11-23T06:00:00Z", with a blank for the T, with a fraction of a second (what is below a
 * millisecond is cut), and without the Z; from 1970 on. False when it is not like that. */
bool date_parse(struct slice text, uint64_t *wall_ms);

#endif
