/* collection.h: a set of elements with vectors: rows, ids, attributes, and the index over them.
 *
 * Every element has a row; everything known of it stands in a column (base/column.h). A replacing
 * put takes a new row, so what searches read is never rewritten. Life of a row:
 *
 *   FREE ─► FLAT                               collection without a graph: searches scan
 *   FREE ─► PENDING ─► LINKING ─► LINKED       with one: searches walk, and scan the pending
 *   FLAT ─► LIMBO ─► FREE                      dead; freed when no search can hold it
 *   PENDING, LINKING ─► DEAD_QUEUED ─► LIMBO or DEAD_LINKED
 *   LINKED ─► DEAD_LINKED ─► SWEEPING ─► FREE  dead; links to it are taken out first
 *
 * These are states in one side (side.h). While there is a second one, a dead row that leaves one
 * side is OUT there until it has left the other, too, and then goes through LIMBO.
 *
 * An element may move to a lower row, so that memory at the end can be given back (relocate.c):
 *
 *   LINKED ─► SWEEPING ─► FREE                 its old row
 *   FREE ─► MOVED ─► LINKED or DEAD_LINKED     its new one, scanned until links lead to it
 *
 * owner: loop. Lanes see a collection through struct collection_view, taken under a guard. */
#ifndef VDB_DB_COLLECTION_H
#define VDB_DB_COLLECTION_H

#include "base/column.h"
#include "base/heap.h"
#include "base/io.h"
#include "base/map.h"
#include "base/rowset.h"
#include "db/access.h"
#include "db/aging.h"
#include "db/fields.h"
#include "db/mutation.h"
#include "db/partitions.h"
#include "db/side.h"
#include "index/index.h"

struct alteration;
struct background;
struct bulk;
struct recall;
struct recall_watch;
struct capture;
struct object;
struct shown_schema;
struct saved_attributes;

enum collection_column {
    COL_BIRTH,     /* LSN from which the row is visible; LSN_NEVER while free */
    COL_DEATH,     /* LSN from which it is not; LSN_NEVER while alive */
    COL_ID,        /* heap_ref, atomic */
    COL_ATTR,      /* heap_ref or HEAP_NONE, atomic */
    COL_NORM,      /* float: length of the vector as it came (struct mutation_element) */
    COL_STATE,     /* enum row_state of a side; the loop's alone */
    COL_PARTITION, /* uint16_t; not there in implicit sets */
    COL_CODE,      /* what walks read; not there with QUANT_NONE */
    COL_STATE_2,   /* the same of the second side; when it serves alone, the first are its */
    COL_CODE_2,
    COL_VECTOR, /* exact vectors; not there with keep_originals off */
    COL_COUNT
};

/* What all collections share. owner: db.h; immutable but for the options */
struct collection_env {
    struct epoch *epoch;
    struct background *background;
    struct recall_watch *recall;         /* of db */
    struct capture *capture;             /* the one under way, or NULL; of db */
    struct aging **agings, **aging_next; /* all there are, and a place among them; of db */
    const uint64_t *now_ms;              /* of db */
    const struct vec_kernels *kernels;
    size_t machine_bytes;
    uint64_t hash_seed[2];
    uint32_t flat_rows_max;    /* AUTO collections get a graph beyond */
    size_t pending_scan_bytes; /* codes a search may have to scan */
};

struct collection {
    struct epoch_item end; /* when dropped */
    struct job end_job;
    const struct collection_env *env;
    struct collection_spec spec;
    struct side *side;             /* the one that serves */
    struct side *next;             /* what becomes the wish, beside it (alter.h); or NULL */
    struct alteration *alteration; /* NULL: what serves is as the spec says */
    uint64_t side_changes;         /* how often one went */
    uint64_t trainings;            /* of INDEX IVF, that came into use */
    struct codec exact;            /* of the exact vectors */
    float *projection;             /* dim x projection_from, or NULL */
    float *unit;                   /* room for a vector that codes are made of; NULL: not needed */
    struct fields *fields;         /* NULL: there is no schema, or they are still to be made */
    struct fields *next_fields;    /* made for a schema that has changed; or NULL */
    bool fields_late;              /* the schema has changed, and fields are not its yet */
    struct io_timer fields_timer;  /* the next slice of building them */
    struct shown_schema *shown_schema; /* the schema, for captures; NULL: no field is in it */
    struct columns columns;
    struct heap heap;
    struct map ids;
    struct rowset free_rows;
    uint64_t evicted;              /* elements that made room for others, since the start */
    struct aging *aging;           /* NULL: no element expires */
    struct partitions *partitions; /* NULL: there is _default alone */
    struct recall *recall;         /* recall.h; NULL: nothing was measured */
    struct bulk *bulk;             /* that puts elements into it, or NULL */
    const struct object *object;   /* that leads to it, in the keyspace */
    uint32_t rows_end;             /* rows ever used: 0 .. rows_end - 1 */
    size_t live;                   /* with those of dying partitions */
    size_t attributes;             /* likewise */
    uint64_t born;                 /* rows that elements were put into, since the start */
    _Atomic(struct saved_attributes *) saved_attributes; /* capture.c */
    uint64_t uid;
    struct retired *retired; /* once it is dropped */
    size_t retired_bytes;    /* what it took then */
    bool dropped;            /* out of the keyspace: no new work for it */
    bool late_births;        /* rows were born at an LSN that had passed (indexes_image.h) */
    bool wants_graph;        /* somebody asked for links of a small collection */

    /* background.c */
    struct collection *work_next, *work_prev;
    bool has_work;
    unsigned turn; /* of its sides */
    struct relocation *relocation;
    struct io_timer compact_timer; /* the next slice of compacting the heap */
    bool compacts;
    uint64_t searched_us;   /* when the last search started; monotonic */
    size_t pending_waiters; /* sessions whose reply waits for the pending set */
};

/* NULL when memory is short. */
MUST_USE struct collection *collection_new(const struct collection_env *env,
                                           const struct collection_spec *spec, uint64_t uid);
/* Frees it when no search and no job holds it any more. */
void collection_drop(struct collection *c);

/* Elements. ROW_NONE when there is none of that id, or its partition was dropped. */
uint32_t collection_find(const struct collection *c, struct slice id);

/* The part of a change that can fail: sets aside all memory that collection_put will take for
 * elements of the mutation. cost: what it would newly take, for the check before. */
size_t collection_put_cost(const struct collection *c, const struct mutation *m);
/* The same for any count elements whose ids and attributes take so many bytes. */
size_t collection_growth(const struct collection *c, size_t count, size_t heap_size);
MUST_USE enum err collection_prepare_put(struct collection *c, const struct mutation *m);
/* The same for any count elements, as collection_growth has it. expires: some do. */
MUST_USE enum err collection_prepare_rows(struct collection *c, size_t count, size_t heap_size,
                                          bool expires);
MUST_USE enum err collection_prepare_attribute(struct collection *c, struct slice attribute);

/* Applying cannot fail. */
void collection_put(struct collection *c, const struct mutation *m, uint64_t lsn);
bool collection_remove(struct collection *c, struct slice id, uint64_t lsn);
void collection_set_attribute(struct collection *c, struct slice id, struct slice attribute);
/* For partitions.c: the element of a row of a dying partition dies, at the LSN of the drop. */
void collection_bury(struct collection *c, uint32_t row, uint64_t lsn);

/* PARTITION_DEFAULT: from the first partition on. */
uint16_t collection_partition(const struct collection *c, uint32_t row);
/* Of all partitions that are there: what elements come to. */
struct partition_sums collection_sums(const struct collection *c);
/* Makes partitions possible. ERR_NOMEM. */
MUST_USE enum err collection_make_partitions(struct collection *c);

/* Of an element that is there; len 0: none. */
struct slice collection_attribute(const struct collection *c, uint32_t row);

/* The clock and the way that the use of its elements is known by. */
struct access collection_access(const struct collection *c);
/* Bytes of its elements, and of one without id and attribute: what MAXBYTES counts. They follow
 * from what elements hold, so that the limit does not depend on how memory is laid out. */
size_t collection_element_bytes(const struct collection *c);
size_t collection_row_bytes(const struct collection *c);
/* The part of MUTATION_COLLECTION_ALTER that can fail; then what it changes. */
MUST_USE enum err collection_prepare_alter(struct collection *c,
                                           const struct collection_spec *spec);
/* All elements were used just now. */
void collection_use_all(struct collection *c);
void collection_alter(struct collection *c, const struct collection_spec *spec);
/* Elements that have not expired at now_ms; of these, those in some partitions, as they are now. */
size_t collection_count(const struct collection *c, uint64_t now_ms);
size_t collection_count_in(const struct collection *c, uint64_t now_ms,
                           const struct partition_choice *choice);

/* Makes the graph now, whatever the size, for who wants to see links. */
MUST_USE enum err collection_need_graph(struct collection *c);

/* Would a search have to scan more pending rows than allowed? While nobody searches the bound is
 * pending_scan_bytes; while somebody does it is a small share of that, so that a search during
 * ingest costs about twice one at rest. */
bool collection_pending_full(const struct collection *c);

/* Memory of everything the collection holds. */
size_t collection_bytes(const struct collection *c);

/* Rows as a lane sees them. base[] are the columns; lsn is what it reads at. */
struct collection_view {
    struct collection *collection; /* for what never changes, the heap and the graph */
    const struct side *side;       /* that served then */
    const struct index *graph;
    struct index_rows codes; /* what walks read */
    struct index_rows exact; /* exact vectors; codes.codes when there are none */
    bool has_exact;
    bool has_partitions; /* implicit sets have none */
    uint8_t *base[COLUMNS_MAX];
    bool has_fields;    /* they are complete */
    bool builds_fields; /* those of the schema are not */
    uint8_t *field_base[LIMIT_SCHEMA_FIELDS];
    uint32_t ef;                    /* of searches that do not say, */
    uint32_t probes;                /* likewise; 0: the index says */
    bool estimates;                 /* what the index says of distances is near them only */
    _Atomic uint32_t *used;         /* by row, as access.h has it; NULL: nobody asks */
    struct access access;           /* the clock of that */
    const _Atomic uint64_t *expire; /* by row, Unix time in ms, 0: never; NULL: nothing expires */
    const struct partition_table *partitions; /* NULL: there is _default alone */
    bool has_due; /* some have expired, or their partition was dropped, and are not
                   * gone: indexes count them */
    struct pending_span pending;
    size_t live;
};

void collection_view(struct collection *c, uint64_t lsn, struct collection_view *out);
/* The view is one of the partitions as they were then. table: NULL: there was _default alone. */
void collection_view_partitions(struct collection_view *v, const struct partition_table *table);

static inline _Atomic uint32_t *column_ref(uint8_t *const base[], enum collection_column col,
                                           uint32_t row)
{
    return (_Atomic uint32_t *)base[col] + row;
}

/* [loop] Its schema as it is now, for as long as a guard that is held now; NULL: it has none. */
const struct schema *collection_shown_schema(const struct collection *c);

/* [loop or lane] The id and the attribute (len 0: none) of a row of the view. */
struct slice view_id(const struct collection_view *v, uint32_t row);
struct slice view_attribute(const struct collection_view *v, uint32_t row);
float view_norm(const struct collection_view *v, uint32_t row);
/* The exact vector of a row in its type (struct mutation_element); there are exact ones. */
const uint8_t *view_stored(const struct collection_view *v, uint32_t row);
uint16_t view_partition(const struct collection_view *v, uint32_t row);
/* [lane or loop] The element of a row is shown to a client. Not exact: two at once count as one. */
void view_use(struct collection_view *v, uint32_t row);
/* When it expires; 0: never. */
uint64_t view_expiry(const struct collection_view *v, uint32_t row);
/* dim floats: the exact vector, or what the code stands for; as it was added, or as a query of it
 * is (type_normalises). */
void view_vector(const struct collection_view *v, uint32_t row, float *out);
void view_query(const struct collection_view *v, uint32_t row, float *out);
/* As it was added, in the type of the collection: in room (dim floats), or where it stands. */
const uint8_t *view_blob(const struct collection_view *v, uint32_t row, float *room);

/* For collection_load.c, besides: from here on its elements may expire. ERR_NOMEM. */
MUST_USE enum err collection_make_aging(struct collection *c);
/* The hash that the map of ids knows an id by. */
uint32_t collection_id_hash(const struct collection *c, struct slice id);
/* Decides the level of a row in the graph: the same on every node and after every restart. */
uint64_t collection_level_hash(const struct collection *c, struct slice id);

/* Its sides; how many. */
size_t collection_sides(const struct collection *c, struct side *out[2]);
/* For background.c: the loop's book-keeping of row states. Of the side that serves. */
enum row_state collection_state(const struct collection *c, uint32_t row);
void collection_set_state(struct collection *c, uint32_t row, enum row_state state);
/* A dead row that nothing leads to: free once no reader holds it; or now, since none does. */
void collection_retire(struct collection *c, uint32_t row);
void collection_free_row(struct collection *c, uint32_t row);
/* Its element stands in row `to`, which was free, from lsn on: all but links. */
void collection_move(struct collection *c, uint32_t from, uint32_t to, uint64_t lsn);
/* Nothing of one side leads to a dead row any more: when that is so of all, it is retired. */
void collection_let_row_go(struct collection *c, uint32_t row);

#endif
