/* indexes.h: indexes over keys (FT.CREATE): which documents they hold, and how they follow the
 * keys.
 *
 * An index is derived data. Its definition is a mutation; what it holds follows from the keys that
 * its prefixes cover, and is not logged. A snapshot has its collections, graphs and all, as long as
 * nothing is missing in them (indexes_image.h); what does not come back from there is made again.
 * Every change of a key reaches the indexes within db_apply, so the next search sees it, whoever
 * made it: a command, expiry, eviction, replaying. Keys that were there before the index, or of
 * which a snapshot does not have all that the index needs, are indexed in slices of the loop's
 * time.
 *
 * It is made of collections whose elements are keys: `docs` has every document, with a vector of no
 * meaning, and answers queries without vectors; one more per VECTOR field has the documents with
 * that field. The attribute of an element is its document as JSON: "f3" is the value of field 3 of
 * the schema, of a TAG with several values an array of them. Each has a SCHEMA of "f3"s, so that
 * filters, planner and columns are those of any collection (README.md of ft/).
 *
 * A document whose vector or number cannot be read is left out and counted; so is one that memory
 * is short for. owner: loop. */
#ifndef VDB_DB_INDEXES_H
#define VDB_DB_INDEXES_H

#include "db/db.h"
#include "db/document_room.h"
#include "db/word_lists.h"
#include "ft/index_spec.h"

/* What of a document a search finds it by. owner: the index; one document at a time */
struct index_document {
    struct buf attribute;
    struct buf vectors; /* as elements store them, one after the other, each at a multiple of 8 */
    float *norms;       /* by vector field; 0: the document has no such field */
    size_t *vector_at;  /* in vectors */
    struct buf floats;
    struct document_room json; /* of JSON: a value as hashes have it */
    struct buf texts;          /* of the TEXT fields, one after the other */
    struct buf pieces;         /* of struct index_piece */
    enum text_language language;
    double score;
};

/* A text of a document: some bytes of its texts. */
struct index_piece {
    size_t at, size;
    uint32_t field; /* place among the TEXT fields */
};

struct index_text;

/* Another name of an index. */
struct index_alias {
    struct index_alias *next;
    struct slice name; /* behind it */
};

struct key_index {
    struct key_index *next;
    struct db *db;
    struct index_spec *spec;
    uint64_t serial; /* of the FT.CREATE that made it; FT.ALTER keeps it */
    struct collection *docs;
    struct collection **vectors; /* in the order of the VECTOR fields */
    struct index_text *text;     /* index_text.h; NULL: there is no TEXT field */
    struct index_document document;
    uint64_t failures, uses;
    uint64_t
        used_ms; /* TEMPORARY: when it was last named, or got a document; 0: not since a start */
    uint64_t end_at; /* of the map of docs, while they are removed */
    bool ends;       /* its time is over: it is not there for anybody */
    struct buf last_error, last_error_key;
    struct io_timer scan_timer;
    struct key_index *successor; /* the same with more fields, until it has all documents */
    struct key_index *succeeds;  /* of a successor: which */
    struct index_alias *aliases;
    struct word_list *synonyms; /* groups: word_lists.h */
    bool scans;       /* keys that were there before are indexed still */
    bool lacks;       /* a document, for want of memory */
    bool loads;       /* its collections come from a snapshot just now */
    uint32_t scan_at; /* the place of the keyspace it has got to */
};

/* By its name or by an alias; NULL when there is none. */
struct key_index *indexes_find(const struct db *db, struct slice name);
struct key_index *indexes_named(const struct db *db, struct slice name);

/* MUTATION_INDEX_NEW: the part that can fail makes db->index; then it becomes one of db's. */
MUST_USE enum err indexes_prepare(struct db *db, const struct mutation *m, struct why *why);
void indexes_discard(struct db *db);
void indexes_publish(struct db *db);
void indexes_remove(struct db *db, struct slice name);
/* MUTATION_INDEX_ALTER. An index with more fields is made beside it and followed likewise; once it
 * has all documents, it takes its place. Meanwhile the old one answers. */
MUST_USE enum err indexes_prepare_alter(struct db *db, const struct mutation *m, struct why *why);
void indexes_publish_alter(struct db *db, struct slice name);
/* indexes_alias.c: MUTATION_ALIAS_SET, _REMOVE. */
MUST_USE enum err indexes_prepare_alias(struct db *db, const struct mutation *m, struct why *why);
void indexes_discard_alias(struct db *db);
void indexes_publish_alias(struct db *db, struct slice index);
void indexes_remove_alias(struct db *db, struct slice alias);
void index_aliases_free(struct key_index *x);
/* Indexes what was there before for a moment: few keys are all of them. */
void indexes_hurry(struct db *db, struct slice name);
void indexes_remove_all(struct db *db);

/* A change has been applied. */
void indexes_follow(struct db *db, const struct mutation *m, uint64_t lsn);

/* Looks at keys that were there before an index for so long. False: there are none left. */
bool indexes_scan_some(struct db *db, uint64_t us);

/* The collection of a VECTOR field. */
struct collection *index_collection(const struct key_index *x, const struct index_field *field);
/* The number of a field, which is in its name of the attribute. */
static inline size_t index_field_number(const struct key_index *x, const struct index_field *field)
{
    CHECK(field >= x->spec->fields && field < x->spec->fields + x->spec->field_count);
    return (size_t)(field - x->spec->fields);
}
/* Is its value among a document's attributes? */
static inline bool index_field_has_column(const struct index_field *f)
{
    return f->kind != INDEX_VECTOR && f->kind != INDEX_TEXT;
}
/* How much of the keyspace has been looked at: 1 when it does not scan. */
double index_done_share(const struct key_index *x);
size_t index_bytes(const struct key_index *x);

/* Its collections by number: docs, then the VECTOR fields in their order. What each is like. */
struct collection **index_part(struct key_index *x, size_t number);
MUST_USE enum err index_collection_spec(const struct index_spec *spec, size_t number,
                                        struct collection_spec *out, struct why *why);
/* An empty one takes its place. ERR_NOMEM. */
MUST_USE enum err index_part_renew(struct key_index *x, size_t number);

/* For indexes_image.c: db->index becomes the last of db's; and all keys are looked at. */
struct key_index *indexes_add(struct db *db);
void index_scan(struct key_index *x);

/* indexes_document.c: reads a hash or JSON into x->document; slot: of its texts, when there is
 * x->text. ERR_ARG: it cannot be indexed, why says why. */
MUST_USE enum err index_document_read(struct key_index *x, const struct object *o, uint32_t slot,
                                      struct why *why);
/* Does FILTER of its definition let a key in? */
MUST_USE enum err index_document_passes(const struct key_index *x, const struct object *o,
                                        bool *passes);
void index_document_fini(struct index_document *d);
/* A blob as PARAMS have it as a query: dim floats. ERR_ARG. */
MUST_USE enum err index_query_read(const struct key_index *x, const struct index_field *f,
                                   struct slice blob, float *out, struct why *why);
/* A tag as it is kept and looked for: without blanks around it, in lower case unless the field is
 * CASESENSITIVE. Appends it. */
void index_tag_append(const struct index_field *f, struct slice tag, struct buf *out);

#endif
