/* edit.h: changes of a document, and the paths that say where they are.
 *
 * Changes are gathered against the text as it is, in any order, and then made in one pass. Of two
 * where one lies within what the other takes away, the outer one counts; of two that put something
 * into the same place of the same array, the first.
 *
 * Pure, but for its buffers. */
#ifndef VDB_JSON_EDIT_H
#define VDB_JSON_EDIT_H

#include "base/err.h"
#include "json/value.h"

enum jedit_kind {
    JEDIT_SET,    /* another value */
    JEDIT_ADD,    /* a member more at the end of an object */
    JEDIT_INSERT, /* elements more in an array */
    JEDIT_REMOVE  /* an entry, or several in a row, less */
};

struct jedit {
    enum jedit_kind kind;
    size_t at, removed; /* bytes of the document that go */
    size_t bytes, size; /* those that come: in jedits.bytes */
    size_t target;      /* where the value, the object or the array begins */
    size_t index;       /* JEDIT_INSERT: of the first element */
    size_t value;       /* JEDIT_ADD, JEDIT_INSERT: where in bytes the value is, */
    size_t value_size;  /* without what joins it to the others */
    size_t entries;     /* JEDIT_REMOVE */
};

struct jedits {
    struct slice document;
    struct buf items; /* of struct jedit */
    struct buf bytes;
};

void jedits_init(struct jedits *e, struct slice document);
void jedits_fini(struct jedits *e);

static inline size_t jedits_count(const struct jedits *e)
{
    return e->items.len / sizeof(struct jedit);
}

static inline const struct jedit *jedits_at(const struct jedits *e, size_t at)
{
    return (const struct jedit *)(const void *)e->items.ptr + at;
}

static inline bool jedits_failed(const struct jedits *e)
{
    return buf_failed(&e->items) || buf_failed(&e->bytes);
}

static inline struct slice jedit_value(const struct jedits *e, const struct jedit *one)
{
    return (struct slice){e->bytes.ptr + one->value, one->value_size};
}

/* The escaped name of a JEDIT_ADD. */
struct slice jedit_name(const struct jedits *e, const struct jedit *one);

/* All values are of the document, as canonical text. name: escaped. */
void jedit_set(struct jedits *e, struct slice value, struct slice by);
void jedit_add(struct jedits *e, struct slice object, struct slice name, struct slice value);
/* elements: at least one, joined by commas. index <= how many there are. */
void jedit_insert(struct jedits *e, struct slice array, size_t index, struct slice elements);
/* An entry, with the value in it; or all from the first to the last of some. */
void jedit_remove(struct jedits *e, struct slice entry, struct slice value);
void jedit_cut(struct jedits *e, struct slice first, struct slice last, size_t entries);

/* Puts them in order, drops those within others; the size of the document afterwards. */
size_t jedits_settle(struct jedits *e);
/* Writes so many bytes. */
void jedits_write(const struct jedits *e, uint8_t *out);

/* Appends the path to the value that begins at a place: $["name"][3]. false: none begins there. */
bool jplace_path(struct slice document, size_t place, struct buf *out);

/* Appends a step to such a path. name: escaped */
void jplace_put_name(struct buf *path, struct slice name);
/* Is this a path as jplace_path writes them, and no longer than paths may be? */
bool jplace_check(struct slice path);

/* The smallest value of the old text whose replacement makes the new text: appends its path and
 * returns what replaces it. */
struct slice jplace_difference(struct slice old, struct slice new, struct buf *path);

#endif
