/* workload_private.h: what the files of the workload share. */
#ifndef VDB_TESTS_SIM_WORKLOAD_PRIVATE_H
#define VDB_TESTS_SIM_WORKLOAD_PRIVATE_H

#include "base/rng.h"
#include "sim/workload.h"

static inline uint64_t below(struct world *w, uint64_t bound)
{
    return rng_below(&w->rng, bound);
}

static inline bool one_in(struct world *w, uint64_t n)
{
    return below(w, n) == 0;
}

/* workload_make.c */
struct ask_args {
    struct buf bytes;
    size_t count;
};

void ask_add(struct ask_args *a, struct slice value);
void ask_add_text(struct ask_args *a, const char *text);
void ask_add_number(struct ask_args *a, uint64_t number);
void ask_add_signed(struct ask_args *a, int64_t number);
void ask_add_key(struct ask_args *a, unsigned key);
/* One command that may stand in a transaction. */
struct ask *ask_make_one(struct world *w, struct buf *out);
void ask_finish(struct ask *c, struct ask_args *a, struct buf *out);

/* workload_keys.c: commands about keys and strings, as one function that says what they do. */
enum { CHANGES_MAX = ASK_KEYS_MAX + 2 * MODEL_PARTITIONS, EXPECT_MEMBERS_MAX = 14 };

enum expected {
    EXPECT_INT,
    EXPECT_STATUS,
    EXPECT_NIL,
    EXPECT_TEXT,
    EXPECT_ERROR,
    EXPECT_INTS, /* so many (number) */
    EXPECT_HASH, /* so many of its fields */
    EXPECT_LIST, /* so many of its values from a place on, in either direction */
    EXPECT_MEMBERS, /* all of them, in some order */
    EXPECT_SCORED,  /* so many from range on */
    EXPECT_SCORE    /* number */
};

struct expectation {
    struct mutation changes[CHANGES_MAX];  /* of a copied collection, kinds and partitions */
    const struct model_collection *copied; /* NULL: none */
    const struct model_hash *copied_hash;  /* likewise */
    const struct model_list *copied_list;
    const struct model_members *copied_members;
    const struct model_held *copied_json;
    size_t change_count;
    enum expected reply;
    long long number;
    struct slice text;   /* of a status or an error too */
    char room[TEXT_MAX]; /* where text may stand */
    long long numbers[ASK_KEYS_MAX];
    const struct model_hash *hash;
    const struct model_list *list;
    size_t from;
    bool backwards;
    uint64_t now_ms;
    struct hash_field fields[ASK_KEYS_MAX]; /* of a change */
    struct slice names[ASK_KEYS_MAX];
    struct slice index_words[20];
    struct slice members[EXPECT_MEMBERS_MAX]; /* of a change too */
    struct scored scored[EXPECT_MEMBERS_MAX];
    const struct model_members *set; /* NULL: empty */
    const struct scored *range;
    char path[16], document[MODEL_DOC_TEXT + 2];
};

static inline void expect_int(struct expectation *e, long long number)
{
    e->reply = EXPECT_INT;
    e->number = number;
}

/* Does the command name the same field or member before that of number i? */
static inline bool ask_named_before(const struct ask *c, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (c->keys.fields[j] == c->keys.fields[i])
            return true;
    return false;
}

bool keys_is(enum op op);
/* The Unix time that the command names, in milliseconds; 0: none. Negative ones are not made. */
uint64_t ask_expiry(const struct ask *c);
/* A time for it, mostly soon. */
void ask_add_time(struct world *w, struct ask *c, struct ask_args *a);
/* In the state at a time, by the command's clock. */
void keys_expect(const struct world *w, const struct ask *c, uint64_t at, struct expectation *e);
bool keys_same(const struct mutation *a, const struct mutation *b);
/* workload_copy.c: change number i of a COPY of a collection. */
MUST_USE const char *copy_check_change(const struct ask *c, const struct expectation *e, size_t i,
                                       const struct mutation *m);
/* Memory was short, and what there was of the copy goes again. */
bool copy_is_undone(const struct world *w, const struct ask *c, const struct mutation *m);
MUST_USE const char *keys_check_reply(const struct expectation *e, const redisReply *r);
/* Some key that such commands are about. */
unsigned keys_some(struct world *w);
void keys_make(struct world *w, struct ask *c, struct ask_args *a);

struct slice keys_name(unsigned key);

/* workload_hash.c: those of keys_is that are about hashes. */
bool hash_is(enum op op);
unsigned hash_some(struct world *w);
void hash_make(struct world *w, struct ask *c, struct ask_args *a);
/* held: what the command sees. */
void hash_expect(const struct ask *c, const struct model_held *held, struct expectation *e);
bool hash_reply_is(const struct expectation *e, const redisReply *r);
/* Counts them. */
bool hash_removes_over(struct world *w, const struct mutation *m, uint64_t now_ms);

/* workload_list.c: and about lists. */
bool list_is(enum op op);
unsigned list_some(struct world *w);
void list_make(struct world *w, struct ask *c, struct ask_args *a);
/* other: what the command sees at its second key. */
void list_expect(const struct ask *c, const struct model_held *held,
                 const struct model_held *other, struct expectation *e);
bool list_reply_is(const struct expectation *e, const redisReply *r);

/* workload_members.c: those that are about sets and sorted sets. */
bool members_is(enum op op);
unsigned members_some(struct world *w, enum op op);
void members_make(struct world *w, struct ask *c, struct ask_args *a);
void members_expect(const struct world *w, const struct ask *c, uint64_t at, struct expectation *e);
/* Of two mutations of a kind, with as many members. */
bool members_same(const struct mutation *a, const struct mutation *b);
bool members_reply_is(const struct expectation *e, const redisReply *r);
bool scored_reply_is(const struct expectation *e, const redisReply *r);

/* workload_json.c: and about documents. */
bool json_is(enum op op);
unsigned json_some(struct world *w);
void json_make(struct world *w, struct ask *c, struct ask_args *a);
void json_expect(const struct ask *c, const struct model_held *held, struct expectation *e);

/* workload_multi.c: transactions. */
struct ask *multi_make(struct world *w, struct buf *out);
MUST_USE const char *multi_check_change(struct world *w, struct ask *exec,
                                        const struct mutation *m);
void multi_end_record(struct world *w, struct ask *exec);
MUST_USE const char *multi_check_reply(struct world *w, struct ask *c, const redisReply *r);

/* workload_check.c: how many changes a command makes in the state at a time, and whether
 * m is its number i. */
size_t ask_change_count(const struct world *w, const struct ask *c, uint64_t at);
MUST_USE const char *ask_check_own(struct world *w, const struct ask *c, size_t i,
                                   const struct mutation *m);
/* Does the change remove a key whose time is over, one of the command's? c NULL: any. */
bool ask_removes_expired(struct world *w, const struct ask *c, const struct mutation *m);
/* The reply of a command that ran in the state at a time, with so many changes (c->changes). */
MUST_USE const char *ask_check_at(struct world *w, const struct ask *c, const redisReply *r,
                                  uint64_t at);
bool reply_is_short(const struct world *w, const redisReply *r);

/* workload_search.c */
MUST_USE const char *check_search(struct world *w, const struct ask *c, size_t query,
                                  const redisReply *reply, uint64_t at);

/* For checks of replies. */
bool reply_is_int(const redisReply *r, long long value);
bool reply_is_nil(const redisReply *r);
bool reply_is_status(const redisReply *r, const char *text);
bool reply_is_list(const redisReply *r);
struct slice reply_slice(const redisReply *r);
double reply_number(const redisReply *r);

#endif
