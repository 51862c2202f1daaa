/* resp_read.h: bytes of a client become commands. RESP arrays of bulks and inline commands. No
 * sockets, no allocation but the argument vector and the text of quoted inline arguments.
 *
 * The bytes gather in a buffer that the session owns; the reader remembers how far it looked, so
 * that a command which arrives in a thousand pieces is scanned once. Arguments are slices of that
 * buffer (of the reader, where an inline command used quotes), valid until the session consumes the
 * command or appends to the buffer.
 *
 * What comes out depends on the bytes only, never on how they were cut into pieces. */
#ifndef VDB_NET_RESP_READ_H
#define VDB_NET_RESP_READ_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

/* owner: the session */
struct resp_reader {
    /* limits, set by the owner, may change between commands */
    size_t arg_count_max;   /* of an array; an inline command is bounded by its size alone */
    size_t bulk_size_max;   /* of one argument of an array */
    size_t inline_size_max; /* of an inline command, and of a line that announces a length */
    /* The limits are the low ones for clients that have not said who they are: the errors say so.
     */
    bool unauthenticated;

    /* the command being read */
    struct slice *args; /* valid after RESP_COMMAND: arg_count of them */
    size_t arg_count;
    size_t size;        /* bytes of the buffer that the command took, for the owner to consume */
    size_t size_needed; /* a hint: the command has at least so many bytes (0: not known) */

    /* private; positions count from where the command starts */
    size_t *offsets; /* of the arguments found so far; their lengths stand in args */
    size_t args_capacity;
    size_t args_expected;   /* announced by the array */
    size_t cursor;          /* where the line or bulk being read starts */
    size_t scanned;         /* no line of this command ends between cursor and here */
    size_t bulk_size;       /* when in_bulk */
    bool in_array;          /* the array's head has been read */
    bool in_bulk;           /* the bulk's head has been read */
    struct buf inline_text; /* quoted inline arguments, decoded */
};

enum resp_status {
    RESP_MORE,    /* the command is not complete; append bytes and call again */
    RESP_COMMAND, /* args, arg_count, size are set; arg_count may be 0 (an empty line): skip it */
    RESP_BROKEN /* protocol error: reply why ("Protocol error: ...", as Redis says it) and close */
};

/* The arguments of a command, when they outlive it. */
struct resp_words {
    struct slice *args;
    struct buf text; /* that some of them may point at */
};

void resp_reader_init(struct resp_reader *r, size_t arg_count_max, size_t bulk_size_max,
                      size_t inline_size_max);
void resp_reader_fini(struct resp_reader *r);

/* Looks at bytes, which start where the command starts. After RESP_COMMAND the owner handles it,
 * drops r->size bytes, calls resp_reader_next and then resp_read again. After RESP_BROKEN nothing
 * more can be read. */
enum resp_status resp_read(struct resp_reader *r, struct slice bytes, struct why *why);
void resp_reader_next(struct resp_reader *r);

/* After RESP_COMMAND, before resp_reader_next: the arguments are the caller's. */
struct resp_words resp_reader_take(struct resp_reader *r);
void resp_words_free(struct resp_words *words);

#endif
