/* err.h: the errors functions return, and the text that explains one.
 *
 * A function that can fail returns enum err and is MUST_USE. Where a person will read the reason,
 * it also takes a struct why and writes one sentence into it: what was wrong and what to do. */
#ifndef VDB_BASE_ERR_H
#define VDB_BASE_ERR_H

#include "base/check.h"

/* name, code on the wire, default text */
#define ERR_LIST(X)                                                                                \
    X(OK, "", "no error")                                                                          \
    X(ERR_ARG, "ERR", "invalid argument")                                                          \
    X(ERR_SYNTAX, "ERR", "syntax error")                                                           \
    X(ERR_LIMIT, "ERR", "over a limit")                                                            \
    X(ERR_TYPE, "WRONGTYPE", "Operation against a key holding the wrong kind of value")            \
    X(ERR_NOMEM, "OOM", "command not allowed when used memory > 'maxmemory'.")                     \
    X(ERR_NOT_FOUND, "ERR", "not found")                                                           \
    X(ERR_EXISTS, "ERR", "already exists")                                                         \
    X(ERR_IO, "ERR", "input/output error")                                                         \
    X(ERR_FULL, "ERR", "No space left on device")                                                  \
    X(ERR_CORRUPT, "ERR", "corrupt data")                                                          \
    X(ERR_BUSY, "ERR", "busy")                                                                     \
    X(ERR_CANCELLED, "ERR", "cancelled")                                                           \
    X(ERR_NOAUTH, "NOAUTH", "Authentication required.")                                            \
    X(ERR_PROTOCOL, "ERR", "Protocol error")                                                       \
    X(ERR_UNSUPPORTED, "ERR", "not supported")

enum err {
#define X(name, code, text) name,
    ERR_LIST(X)
#undef X
        ERR_COUNT
};

const char *err_name(enum err e);
const char *err_code(enum err e); /* "ERR", "OOM", ...: the first word of an error reply */
const char *err_text(enum err e);

enum { WHY_SIZE = 256 };

/* The reason of a failure, for a person. Empty: the default text of the error serves. */
struct why {
    char text[WHY_SIZE];
};

/* Writes the reason (cut at WHY_SIZE) and returns e, so that a failure is one line. why may be
 * NULL. */
enum err why_set(struct why *why, enum err e, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
