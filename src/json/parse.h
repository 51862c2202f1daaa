/* parse.h: from what clients call JSON to the text of documents (value.h).
 *
 * RFC 8259 to the last byte, in UTF-8. As RedisJSON has it: of two members of a name the last
 * counts, at the place of the first; integers that 64 bits hold stay integers; at most
 * LIMIT_JSON_DEPTH - 1 arrays and objects within each other. Errors in the words of serde, which
 * RedisJSON passes on.
 *
 * Pure, but for the buffers it is given. */
#ifndef VDB_JSON_PARSE_H
#define VDB_JSON_PARSE_H

#include "base/buf.h"
#include "base/err.h"

/* Appends the document's text to out. seed: of the hash that finds names that come twice.
 * ERR_SYNTAX (out is as it was), ERR_NOMEM. */
MUST_USE enum err jparse(struct slice in, const uint64_t seed[2], struct buf *out, struct why *why);

/* Are these bytes, which may be anything, the text of a document? OK, ERR_CORRUPT, ERR_NOMEM. */
MUST_USE enum err jparse_check(struct slice text);

/* UTF-8, as Unicode has it (no surrogates, nothing twice, nothing beyond U+10FFFF). */
bool utf8_check(struct slice text);

#endif
