/* value.h: looking into JSON text as documents keep it.
 *
 * A document is one piece of canonical text: no blanks outside of strings; strings with the fewest
 * escapes that JSON allows, so two of them are equal when their bytes are; names of an object all
 * different; numbers as numbers.h prints them; nested at most LIMIT_JSON_DEPTH - 1 deep. parse.h
 * makes it of what clients send, and says of bytes from elsewhere whether they are such text.
 * Nothing here reads beyond such text, and all of it is slices into it.
 *
 * Pure; no state. */
#ifndef VDB_JSON_VALUE_H
#define VDB_JSON_VALUE_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/slice.h"

enum jval_kind {
    JVAL_NULL,
    JVAL_BOOL,
    JVAL_INTEGER, /* without point and exponent; beyond 64 bits there are none */
    JVAL_NUMBER,  /* of all others */
    JVAL_STRING,
    JVAL_ARRAY,
    JVAL_OBJECT
};

enum jval_kind jval_kind(struct slice value);
/* As JSON.TYPE says it. */
const char *jval_kind_name(enum jval_kind kind);

static inline bool jval_is_container(struct slice value)
{
    return value.ptr[0] == '[' || value.ptr[0] == '{';
}

static inline bool jval_is_number(struct slice value)
{
    return value.ptr[0] == '-' || (value.ptr[0] >= '0' && value.ptr[0] <= '9');
}

/* What a string is between its quotes, still escaped. */
static inline struct slice jval_inside(struct slice string)
{
    return (struct slice){string.ptr + 1, string.len - 2};
}

/* The value that starts at a place of a text which goes on to end. */
struct slice jval_at(const uint8_t *at, const uint8_t *end);

/* The elements of an array or the members of an object, in order; of other values none. */
struct jval_walk {
    const uint8_t *at, *end;
    bool named;
};

struct jval_entry {
    struct slice text; /* name and value, or the value */
    struct slice name; /* between its quotes; of elements empty */
    struct slice value;
};

void jval_walk(struct slice value, struct jval_walk *walk);
bool jval_next(struct jval_walk *walk, struct jval_entry *out);

/* How many entries there are. */
size_t jval_count(struct slice value);
/* The member of that name (escaped, without quotes), the element at that index; false: there is
 * none. */
bool jval_member(struct slice value, struct slice name, struct jval_entry *out);
bool jval_element(struct slice value, size_t index, struct jval_entry *out);
/* How deep it is nested: 0 for what is no container. */
size_t jval_depth(struct slice value);

/* Appends bytes as the inside of a string, and the inside of one as bytes. */
void jval_escape(struct slice bytes, struct buf *out);
void jval_unescape(struct slice inside, struct buf *out);
/* How many bytes the latter appends. */
size_t jval_unescaped_size(struct slice inside);
/* The next byte of an inside that is not empty. */
uint8_t jval_unescape_next(struct slice *inside);
/* memcmp order of what they are unescaped. */
int jval_compare_strings(struct slice a, struct slice b);

/* The same value, whatever the order of members? An integer is never the same as a number with a
 * point (RedisJSON). */
bool jval_equal(struct slice a, struct slice b);

#endif
