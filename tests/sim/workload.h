/* workload.h: random commands of a seed, and the judge of what the server makes of them.
 *
 * A command is made from the state its sender may know of, and runs when the server comes to it.
 * So what it must answer depends on when that was: a command that changed something has the LSN of
 * its record, another one a range of LSNs (mostly one), and its reply must be right at one of them.
 * Attributes have no versions in the server: searches may see them as they are until the reply. */
#ifndef VDB_TESTS_SIM_WORKLOAD_H
#define VDB_TESTS_SIM_WORKLOAD_H

#include <hiredis/hiredis.h>

#include "sim/model.h"

/* op, how often */
#define OP_LIST(X)                                                                                 \
    X(OP_VADD, 24)                                                                                 \
    X(OP_VMADD, 12)                                                                                \
    X(OP_VREM, 14)                                                                                 \
    X(OP_VSETATTR, 6)                                                                              \
    X(OP_VCREATE, 3)                                                                               \
    X(OP_VDROP, 1)                                                                                 \
    X(OP_SEARCH, 20)                                                                               \
    X(OP_VMSEARCH, 3)                                                                              \
    X(OP_VCARD, 4)                                                                                 \
    X(OP_VDIM, 1)                                                                                  \
    X(OP_VISMEMBER, 4)                                                                             \
    X(OP_VGETATTR, 4)                                                                              \
    X(OP_VGET, 2)                                                                                  \
    X(OP_VLINKS, 4)                                                                                \
    X(OP_VRANGE, 3)                                                                                \
    X(OP_VRANDMEMBER, 2)                                                                           \
    X(OP_VINFO, 1)                                                                                 \
    X(OP_SET, 1)                                                                                   \
    X(OP_GET, 2)                                                                                   \
    X(OP_DEL, 1)                                                                                   \
    X(OP_FLUSHALL, 1)                                                                              \
    X(OP_ECHO, 3)                                                                                  \
    X(OP_UNKNOWN, 3)                                                                               \
    X(OP_ARITY, 1)

enum op {
#define X(op, weight) op,
    OP_LIST(X)
#undef X
        OP_COUNT
};

const char *op_name(enum op op);

enum { ASK_IDS_MAX = 30, ASK_QUERIES_MAX = 20, ATTRIBUTE_MAX = 32 };

enum ask_form { FORM_VALUES, FORM_BLOB, FORM_JSON, FORM_ELEMENT };

struct search_want {
    bool vsim, exact, with_dist, with_attributes;
    size_t count, ef; /* 0: not said */
    unsigned filter;  /* MODEL_FILTERS: none */
    size_t query_count;
};

/* owner: the peer that sent it, until it was answered */
struct ask {
    enum op op;
    unsigned key;
    unsigned ids[ASK_IDS_MAX];
    size_t id_count;
    enum ask_form form;
    uint32_t dim;   /* of the vectors it sends */
    float *vectors; /* of elements or queries */
    bool has_attributes;
    char attributes[ASK_IDS_MAX][ATTRIBUTE_MAX];
    bool has_quant, has_m, flag; /* flag: IFNOTEXISTS */
    enum quant quant;
    uint32_t m, reduce; /* reduce 0: not said */
    struct search_want want;
    uint64_t token;

    uint64_t start, end; /* its bytes in what its peer sends */
    bool executed;
    uint64_t lo, hi; /* it ran at one of these LSNs */
    uint64_t lsn;    /* of its record; 0: none */
    bool *pending;   /* by id: was visible and not linked when a search ran; NULL: none */
    struct ask *next;
};

/* How a key's vector set is made when it is missing. */
struct key_style {
    uint32_t dim;
    bool created; /* by VCREATE mostly */
    bool has_quant;
    enum quant quant;
    uint32_t m, reduce; /* 0: not said */
};

struct world {
    uint64_t rng;
    struct model *model;
    struct key_style styles[MODEL_KEYS];
    unsigned remove_share;       /* of 100 changes of elements; differs from phase to phase */
    unsigned recent[MODEL_KEYS]; /* an id that was added lately: perhaps not linked yet */
    uint64_t next_token;
    uint64_t sought, lost;  /* elements much nearer to a query than others are */
    uint64_t found, wanted; /* of the true nearest, by searches that need not be exact */
};

void world_init(struct world *w, uint64_t seed, struct model *model);

/* A random command; its bytes are appended to out. */
struct ask *ask_make(struct world *w, struct buf *out);
/* A search for the element itself, with one hit. */
struct ask *ask_make_find(unsigned key, unsigned id, struct buf *out);
void ask_free(struct ask *c);

/* Is the record what this command may lead to now? Called before the model takes it. NULL: yes. */
MUST_USE const char *ask_check_record(const struct world *w, const struct ask *c,
                                      const struct mutation *m);
/* Is the reply what the model says? NULL: yes. */
MUST_USE const char *ask_check_reply(struct world *w, const struct ask *c, const redisReply *reply);

/* workload_search.c */
MUST_USE const char *check_search(struct world *w, const struct ask *c, size_t query,
                                  const redisReply *reply, uint64_t lsn);

/* For checks of replies. */
bool reply_is_error(const redisReply *r, const char *part);
bool reply_is_int(const redisReply *r, long long value);
bool reply_is_nil(const redisReply *r);
bool reply_is_list(const redisReply *r);
struct slice reply_slice(const redisReply *r);
double reply_number(const redisReply *r);

#endif
