/* path.h: JSONPath, and the paths of RedisJSON 1 that begin with a dot, compiled and found.
 *
 *   path     :=  $ step ..                          legacy: [.] step ..
 *   step     :=  .name  .*  ['name', "name"]  [0, -1]  [start:end:step]  [*]  [?filter]
 *             |  ..name  ..*  ..[ .. ]              the same of all that is inside
 *   filter   :=  filter || filter  filter && filter  ! filter  ( filter )
 *             |  term op term  term                 == != < <= > >= =~, or: is there such a thing?
 *   term     :=  @ step ..  $ step ..  number  string  true  false  null
 *
 * && binds stronger than ||. Of terms with several values one has to fit. =~ looks for a regular
 * expression anywhere in a string (regex.h). Names without quotes are made of letters, digits and
 * - _ ` + # % $ ^ / : ~ and what is not ASCII. */
#ifndef VDB_JSON_PATH_H
#define VDB_JSON_PATH_H

#include "base/buf.h"
#include "base/err.h"
#include "json/value.h"

enum jpath_step_kind {
    JSTEP_NAMES,   /* first, count: of texts */
    JSTEP_INDEXES, /* first, count: of numbers */
    JSTEP_RANGE,   /* first: start, end, step in numbers */
    JSTEP_ALL,
    JSTEP_SCAN,  /* what is here and all inside, in the order of the text */
    JSTEP_FILTER /* first, count: of ops */
};

struct jpath_step {
    enum jpath_step_kind kind;
    uint32_t first, count;
};

enum jpath_op_kind {
    JOP_TEST, /* of left */
    JOP_EQ,
    JOP_NE,
    JOP_LT,
    JOP_LE,
    JOP_GT,
    JOP_GE,
    JOP_RE,
    JOP_AND,
    JOP_OR,
    JOP_NOT
};

struct jpath_term {
    bool is_path, from_root;
    uint32_t first, count; /* of steps; else first: of texts, a value */
};

/* Filters are kept in the order in which a stack of truths evaluates them. */
struct jpath_op {
    enum jpath_op_kind kind;
    uint32_t regex; /* JOP_RE with a string on the right: its number; else UINT32_MAX */
    struct jpath_term left, right;
};

/* A name, escaped, or a value: its place in bytes. */
struct jpath_text {
    uint32_t at, size;
};

struct regex;

/* Compiled. immutable while it is evaluated */
struct jpath {
    bool legacy;
    struct slice text;     /* as it came: the caller's */
    struct buf steps;      /* of struct jpath_step */
    struct buf texts;      /* of struct jpath_text */
    struct buf numbers;    /* of int64_t */
    struct buf ops;        /* of struct jpath_op */
    struct buf bytes;      /* of the texts */
    struct buf regexes;    /* of struct regex * */
    uint32_t first, count; /* of the steps of the path itself */
};

/* ERR_SYNTAX, ERR_LIMIT in the words of RedisJSON, with "ERR " where it has that; ERR_NOMEM. On an
 * error there is nothing to free; jpath_fini may be called all the same. */
MUST_USE enum err jpath_init(struct jpath *p, struct slice text, struct why *why);
void jpath_fini(struct jpath *p);

static inline const struct jpath_step *jpath_step(const struct jpath *p, uint32_t at)
{
    return (const struct jpath_step *)(const void *)p->steps.ptr + at;
}

static inline struct slice jpath_text(const struct jpath *p, uint32_t at)
{
    const struct jpath_text *t = (const struct jpath_text *)(const void *)p->texts.ptr + at;
    return t->size == 0 ? (struct slice){0} : (struct slice){p->bytes.ptr + t->at, t->size};
}

/* Is this a path of RedisJSON 1? */
bool jpath_says_legacy(struct slice text);

/* Just $: the document itself. */
static inline bool jpath_is_root(const struct jpath *p)
{
    return p->count == 0;
}

/* Leads to one value at most, by its looks. */
bool jpath_is_static(const struct jpath *p);

/* -- finding ----------------------------------------------------------------------------------- */

/* Something that a path leads to. */
struct jhit {
    struct slice value; /* in the document */
    struct slice entry; /* the value with its name, when it has one */
    uint32_t level;     /* how many names and indexes lead to it */
};

/* Hits in the order of the path. zeros before the first */
struct jhits {
    struct jhit *items;
    size_t count, capacity;
};

/* Finds all, or with most 1 the first. Of the path its first `steps` steps count. ERR_NOMEM;
 * ERR_LIMIT: it means to look at too much, which is JPATH_WORK times the document, and that is more
 * than LIMIT_JSON_WORK. */
enum { JPATH_WORK = 64 };
MUST_USE enum err jpath_find_steps(const struct jpath *p, uint32_t steps, struct slice document,
                                   size_t most, struct jhits *out, struct why *why);
static inline enum err jpath_find(const struct jpath *p, struct slice document, size_t most,
                                  struct jhits *out, struct why *why)
{
    return jpath_find_steps(p, p->count, document, most, out, why);
}
/* In the order of the text: what is inside of another comes behind it. */
void jhits_sort(struct jhits *hits);
void jhits_fini(struct jhits *hits);

#endif
