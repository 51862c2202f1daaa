/* glob.h: patterns as KEYS, SCAN and CONFIG GET take them. Pure; no state.
 *
 *     *       any bytes, also none
 *     ?       one byte
 *     [a-z]   one byte of the set; [^a-z] one that is not in it; a set may lack its bracket
 *     \x      x itself, also within a set
 *
 * The time is at most pattern length times text length: there is no pattern that explodes. */
#ifndef VDB_BASE_GLOB_H
#define VDB_BASE_GLOB_H

#include "base/slice.h"

bool glob_match(struct slice pattern, struct slice text);
/* ASCII letters match in either case. */
bool glob_match_nocase(struct slice pattern, struct slice text);

#endif
