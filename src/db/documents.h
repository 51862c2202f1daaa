/* documents.h: what a document of an index says, be it a hash or JSON: what a field of the hash, or
 * a path into the JSON, has. owner: loop */
#ifndef VDB_DB_DOCUMENTS_H
#define VDB_DB_DOCUMENTS_H

#include "db/document_room.h"
#include "db/keyspace.h"
#include "ft/index_spec.h"
#include "ft/value.h"

struct db;

/* The type of an index's documents. */
static inline enum object_type document_type(const struct index_spec *s)
{
    return s->on_json ? OBJECT_JSON : OBJECT_HASH;
}

/* Nothing, NULL, a number or a text, whose bytes are the document's or room's. Of JSON it is the
 * first value that the path leads to: true is 1; arrays and objects are their text. A path without
 * $ leads to nothing, unless a field of the schema has it. */
struct value document_value(const struct db *db, const struct index_spec *s, const struct object *o,
                            struct slice path, struct document_room *room);

/* What the document is sorted by: of several values the first. */
struct value document_first(const struct db *db, const struct index_spec *s, const struct object *o,
                            struct slice path, struct document_room *room);

/* Do queries of a dialect see of JSON an array of all that a path leads to? */
static inline bool documents_are_lists(const struct index_spec *s, unsigned dialect)
{
    return s->on_json && dialect >= 3;
}

/* The same as queries of that dialect are shown it: from 3 on JSON comes as an array of all that
 * the path leads to. */
struct value document_shown(const struct db *db, const struct index_spec *s, const struct object *o,
                            struct slice path, unsigned dialect, struct document_room *room);

/* indexes_json.c: what a field of the schema has in a JSON document, in the form that a field of a
 * hash has it, several of them with INDEX_VALUE_END between (those of
 * a TEXT are one); *there is false when it has nothing. room stays until
 * out is used. ERR_ARG: it is nothing for such a field. */
enum { INDEX_VALUE_END = 0x1f };
MUST_USE enum err document_field(const struct index_field *f, struct slice document,
                                 struct buf *room, struct slice *out, bool *there, struct why *why);

#endif
