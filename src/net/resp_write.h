/* resp_write.h: replies in RESP2 and RESP3, appended to a buffer. No sockets, no state but the
 * protocol version; the writer's caller keeps counts right. Safe on any lane. */
#ifndef VDB_NET_RESP_WRITE_H
#define VDB_NET_RESP_WRITE_H

#include "base/buf.h"
#include "base/double_text.h"
#include "base/err.h"

struct reply {
    struct buf *out;
    int proto; /* 2 or 3 */
};

void reply_simple(struct reply *r, const char *text);  /* +text */
/* -text: the first word is the code, as "ERR no such key". CR, LF and other control bytes in the
 * text become blanks; text over 1,024 bytes is cut. */
void reply_error(struct reply *r, const char *text);
void reply_errorf(struct reply *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* The error's code, then why's text or, when that is empty, the error's default text. */
void reply_err(struct reply *r, enum err e, const struct why *why);

void reply_int(struct reply *r, int64_t value);        /* :value */
void reply_bulk(struct reply *r, struct slice bytes);  /* $len */
/* What was gathered, as a bulk. When memory was too short to gather it the reply cannot be written
 * either, and out is marked so: in the middle of a reply there is no place for an error. */
void reply_gathered(struct reply *r, const struct buf *text);
void reply_text(struct reply *r, const char *text);    /* $len of a NUL-terminated text */
void reply_bool(struct reply *r, bool value);          /* :1 :0, in RESP3 #t #f */
/* A bulk in RESP2, ',' in RESP3; the shortest text that reads back as the same double; inf, -inf,
 * nan. */
void reply_double(struct reply *r, double value);
void reply_null(struct reply *r);                      /* $-1, in RESP3 _ */
void reply_null_array(struct reply *r);                /* *-1, in RESP3 _ */
/* txt or mkd, in RESP2 a bulk */
void reply_verbatim(struct reply *r, const char *format3, struct slice bytes);
void reply_array(struct reply *r, size_t count);
void reply_map(struct reply *r, size_t pairs);         /* in RESP2 an array of 2 * pairs */
void reply_set(struct reply *r, size_t count);         /* in RESP2 an array */
void reply_push(struct reply *r, size_t count);        /* > of RESP3, in RESP2 an array */

/* The same of the score of a sorted set: 17 digits, as Redis prints them. Not of NaN. */
void reply_double17(struct reply *r, double value);
/* A number in these digits. */
void reply_digits(struct reply *r, struct slice digits);

enum { SCORE_TEXT_MAX = 32 };
/* Its text without framing, NUL-terminated; returns its length. */
size_t score_to_text(double value, char text[SCORE_TEXT_MAX]);

#endif
