/* base64.h: bytes as text (RFC 4648, section 4), for ids and attributes that JSON cannot hold. */
#ifndef VDB_TOOL_BASE64_H
#define VDB_TOOL_BASE64_H

#include "base/buf.h"
#include "base/slice.h"

void base64_encode(struct slice bytes, struct buf *out);
/* False: not whole groups of four, other characters, or bits behind the last byte. */
MUST_USE bool base64_decode(struct slice text, struct buf *out);

#endif
