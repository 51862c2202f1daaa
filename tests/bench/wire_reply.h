/* wire_reply.h: finding where a RESP2 reply ends, and the ids in it. Pure; no state. */
#ifndef VDB_TESTS_BENCH_WIRE_REPLY_H
#define VDB_TESTS_BENCH_WIRE_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

/* What a load generator needs of one reply. */
struct wire_reply {
    size_t size;          /* bytes it took */
    bool is_error;        /* the reply, or a member of it, is an error */
    const uint8_t *error; /* its text, not terminated */
    size_t error_len;
    int32_t *ids; /* set by the caller: room for decimal bulk strings; may be NULL */
    size_t ids_capacity;
    struct slice prefix; /* ids stand behind it; set by the caller, empty: there is none */
    size_t id_count;
};

/* Looks for a whole reply at the start of bytes; false: more bytes are needed. Arrays may nest.
 * Anything that is not RESP2 ends the program: the server under test is broken. */
bool wire_reply_scan(const uint8_t *bytes, size_t len, struct wire_reply *out);

#endif
