/* json_cursor.h: finds the parts of a JSON text where they stand; builds nothing. RFC 8259.
 *
 * Each function starts at j->at, skips blanks, and leaves j->at behind what it read. When it
 * returns false, j->at is the byte that was wrong and j->problem says what was expected. */
#ifndef VDB_TOOL_JSON_CURSOR_H
#define VDB_TOOL_JSON_CURSOR_H

#include "base/buf.h"
#include "base/slice.h"

/* owner: caller */
struct json_cursor {
    const uint8_t *at;
    const uint8_t *end;
    const char *problem;
};

void json_cursor_init(struct json_cursor *j, struct slice text);
/* The next byte that is no blank, or 0 at the end. */
uint8_t json_cursor_peek(struct json_cursor *j);
/* Takes this byte. */
bool json_cursor_expect(struct json_cursor *j, uint8_t byte, const char *problem);
/* A string, quotes included; a number; any value, nested at most LIMIT_JSON_DEPTH deep. */
bool json_cursor_string(struct json_cursor *j, struct slice *raw);
bool json_cursor_number(struct json_cursor *j, struct slice *raw);
bool json_cursor_value(struct json_cursor *j, struct slice *raw);
/* Nothing but blanks is left. */
bool json_cursor_at_end(struct json_cursor *j);

/* Appends what a string that json_cursor_string accepted stands for, in UTF-8; a lone surrogate
 * becomes U+FFFD. */
void json_cursor_unescape(struct slice raw, struct buf *out);

#endif
