/* value.h: what a property of a row is in an aggregation: nothing, NULL, a number, a text or a list
 * of these; and the memory that texts and lists of one aggregation live in.
 *
 * Values are small and copied; what they point to stays as long as their arena. Pure. */
#ifndef VDB_FT_VALUE_H
#define VDB_FT_VALUE_H

#include "base/buf.h"
#include "base/err.h"

enum value_kind {
    VALUE_NONE, /* the row has no such property */
    VALUE_NULL,
    VALUE_NUMBER,
    VALUE_TEXT,
    VALUE_LIST
};

struct value {
    enum value_kind kind;
    uint32_t size; /* bytes, or values */
    union {
        double number;
        const uint8_t *text;
        const struct value *items;
    };
};

/* Memory that is freed all at once. Nothing fails by itself: an arena that has no more is marked,
 * and whoever filled it asks once. owner: caller */
struct arena {
    struct arena_chunk *chunks; /* the one in use first */
    size_t used, capacity;      /* of it */
    size_t bytes, limit;        /* of all */
    bool failed, full;          /* memory was short; it was over the limit */
};

void arena_init(struct arena *a, size_t limit);
void arena_fini(struct arena *a);
/* Aligned for anything; NULL (and marked) when there is none. */
void *arena_alloc(struct arena *a, size_t size);
/* OK, ERR_NOMEM, or ERR_LIMIT with the reason. */
MUST_USE enum err arena_error(const struct arena *a, struct why *why);

static inline struct value value_number(double number)
{
    return (struct value){.kind = VALUE_NUMBER, .number = number};
}

/* bytes that stay elsewhere */
static inline struct value value_of(struct slice bytes)
{
    return (struct value){.kind = VALUE_TEXT, .size = (uint32_t)bytes.len, .text = bytes.ptr};
}

static inline struct slice value_slice(const struct value *v)
{
    CHECK(v->kind == VALUE_TEXT);
    return (struct slice){v->text, v->size};
}

/* Copies bytes into the arena; VALUE_NULL when it has no room. */
struct value value_text(struct arena *a, struct slice bytes);
/* The same with ASCII letters small, as columns of SORTABLE fields have them without UNF. */
struct value value_folded(struct arena *a, struct slice bytes);

enum { VALUE_TEXT_MAX = 32 };
/* A number as replies show it: without a fraction when it has none, else with 12 digits. */
size_t value_print(double number, char text[VALUE_TEXT_MAX]);
/* Its text; the bytes may be in `room`. NULL, nothing and lists have none. */
struct slice value_to_text(const struct value *v, char room[VALUE_TEXT_MAX]);
/* Is it a number, or the text of one? */
bool value_to_number(const struct value *v, double *out);
/* Numbers but 0, texts and lists that are not empty. */
bool value_true(const struct value *v);

/* Below 0: a comes first. NULL before all else; a number and a text compare as numbers when the
 * text is one, or else as texts; lists by their first values. */
int value_compare(const struct value *a, const struct value *b);
/* The same value. A number never equals a text that is none. */
bool value_equal(const struct value *a, const struct value *b);
/* Equal values of one kind have the same hash: a number and its text do not. */
uint64_t value_hash(const struct value *v, uint64_t seed);
bool value_same(const struct value *a, const struct value *b);

#endif
