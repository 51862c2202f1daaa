/* json_scan.h: reads chosen fields out of JSON text, in one pass, without memory of its own.
 *
 * A filter is asked about hundreds of thousands of elements per query, each with a short JSON text,
 * so nothing is built: a set of paths is compiled once (struct json_paths, a tree of names), and
 * one pass over a text checks it and notes where each path's value lies. Values are decoded when
 * used.
 *
 * What is valid: RFC 8259, to the last byte, nested at most LIMIT_JSON_DEPTH deep. Two things are
 * let through, as Redis does: bytes that are not UTF-8, and control characters inside strings. Of
 * fields with the same name in one object the first counts. */
#ifndef VDB_DB_JSON_SCAN_H
#define VDB_DB_JSON_SCAN_H

#include "base/buf.h"
#include "base/err.h"
#include "base/slice.h"

enum json_kind {
    JSON_MISSING, /* no such field */
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

/* A view into the JSON text. */
struct json_value {
    enum json_kind kind;
    bool escaped;      /* JSON_STRING: there are escapes in text */
    bool has_object;   /* JSON_ARRAY: there is an object in it, at whatever depth */
    struct slice text; /* as it is written; a string without its quotes */
};

/* One step of a path: a name in an object or an index in an array. */
struct json_node {
    uint64_t head;         /* name: its first eight bytes, zeros after */
    uint64_t child_sizes;  /* bit n: a child's name has n bytes (bit 63: 63 or more) */
    uint32_t name_at;      /* name: where it starts in json_paths.names */
    uint32_t name_size;    /* name: its bytes */
    uint32_t index;        /* index: which element */
    uint16_t first_child;  /* node number; 0: none */
    uint16_t next_sibling; /* node number; 0: none */
    bool by_index;
};

/* A set of paths. Node 0 is the whole text. Immutable while it is read with. */
struct json_paths {
    struct buf nodes; /* of struct json_node */
    struct buf names;
    uint32_t count; /* nodes */
};

/* On failure there is nothing to free; json_paths_fini() may be called all the same. */
MUST_USE enum err json_paths_init(struct json_paths *paths, enum mem_tag tag);
void json_paths_fini(struct json_paths *paths);

/* How many bytes at the start of text are a path: .name, then any of .name and [index], without
 * blanks. A name has letters, digits, _ and -. 0 when there is none. */
size_t json_path_size(struct slice text);

/* Adds a path and says which slot of the values its value will lie in; the same path has the same
 * slot. ERR_LIMIT: more than LIMIT_FILTER_DEPTH steps, or more than LIMIT_FILTER_FIELDS slots. */
MUST_USE enum err json_paths_add(struct json_paths *paths, struct slice path, uint32_t *slot,
                                 struct why *why);

/* The slot of a path that was added; 0: it was not. */
uint32_t json_paths_find(const struct json_paths *paths, struct slice path);

/* Checks all of json and fills values[0 .. paths->count). False: not valid; values are undefined.
 */
bool json_read(struct slice json, const struct json_paths *paths, struct json_value *values);

/* The value of a JSON_NUMBER that lies inside an object or array, as every value that a path leads
 * to does. */
double json_number(const struct json_value *v);

/* The bytes of a string one by one, escapes decoded. A \u surrogate without its other half becomes
 * U+FFFD. */
struct json_chars {
    const uint8_t *p;
    const uint8_t *end;
    uint8_t pending[4]; /* of a decoded escape; left to give: the last pending_left of them */
    uint8_t pending_size;
    uint8_t pending_left;
    bool escaped;
};

static inline struct json_chars json_chars_of(struct slice text, bool escaped)
{
    return (struct json_chars){.p = text.ptr, .end = text.ptr + text.len, .escaped = escaped};
}

int json_chars_unescape(struct json_chars *c);

/* The next byte, -1 at the end. */
static inline int json_chars_next(struct json_chars *c)
{
    if (c->escaped && (c->pending_left > 0 || (c->p < c->end && *c->p == '\\')))
        return json_chars_unescape(c);
    return c->p < c->end ? *c->p++ : -1;
}

/* Texts of JSON_STRINGs, in the order of their decoded bytes: below 0, 0 or above. */
int json_text_cmp(struct slice a, bool a_escaped, struct slice b, bool b_escaped);

/* Decodes the escape that starts at the backslash p. Returns the bytes read (of both escapes when
 * they are a surrogate pair), 0 when it is not one that JSON knows. */
size_t json_escape_decode(const uint8_t *p, const uint8_t *end, uint8_t out[4], uint8_t *out_size);

/* The elements of a JSON_ARRAY that json_read() gave. */
struct json_items {
    const uint8_t *p;
    const uint8_t *end;
};

struct json_items json_items_of(const struct json_value *array);
bool json_items_next(struct json_items *items, struct json_value *out);

#endif
