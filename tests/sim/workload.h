/* workload.h: random commands of a seed, and the judge of what the server makes of them.
 *
 * A command is made from the state its sender may know of, and runs when the server comes to it.
 * So what it must answer depends on when that was: a command that changed something has the LSN of
 * its record, another one a range of LSNs (mostly one), and its reply must be right at one of them.
 * Attributes have no versions in the server: searches may see them as they are until the reply.
 *
 * A transaction is a command each for MULTI and for what is queued, and EXEC, which has the queued
 * commands as its parts: its record has their changes in their order, its reply their replies. */
#ifndef VDB_TESTS_SIM_WORKLOAD_H
#define VDB_TESTS_SIM_WORKLOAD_H

#include <hiredis/hiredis.h>

#include "sim/model.h"

/* op, how often */
#define OP_LIST(X)                                                                                 \
    X(OP_VADD, 34)                                                                                 \
    X(OP_VMADD, 17)                                                                                \
    X(OP_VREM, 14)                                                                                 \
    X(OP_VSETATTR, 6)                                                                              \
    X(OP_VCREATE, 4)                                                                               \
    X(OP_VALTER, 3)                                                                                \
    X(OP_VDROP, 1)                                                                                 \
    X(OP_PARTITION_NEW, 5)                                                                         \
    X(OP_PARTITION_DROP, 6)                                                                        \
    X(OP_PARTITIONS, 1)                                                                            \
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
    X(OP_SET, 6)                                                                                   \
    X(OP_SETEX, 2)                                                                                 \
    X(OP_SETNX, 1)                                                                                 \
    X(OP_GETSET, 1)                                                                                \
    X(OP_GETEX, 3)                                                                                 \
    X(OP_GETDEL, 1)                                                                                \
    X(OP_GET, 4)                                                                                   \
    X(OP_STRLEN, 1)                                                                                \
    X(OP_APPEND, 3)                                                                                \
    X(OP_SETRANGE, 2)                                                                              \
    X(OP_GETRANGE, 1)                                                                              \
    X(OP_INCRBY, 3)                                                                                \
    X(OP_MSET, 2)                                                                                  \
    X(OP_MSETNX, 1)                                                                                \
    X(OP_DEL, 2)                                                                                   \
    X(OP_EXISTS, 2)                                                                                \
    X(OP_TYPE, 1)                                                                                  \
    X(OP_EXPIRE, 5)                                                                                \
    X(OP_PERSIST, 2)                                                                               \
    X(OP_TTL, 3)                                                                                   \
    X(OP_RENAME, 2)                                                                                \
    X(OP_COPY, 2)                                                                                  \
    X(OP_HSET, 8)                                                                                  \
    X(OP_HSETNX, 1)                                                                                \
    X(OP_HDEL, 3)                                                                                  \
    X(OP_HGET, 3)                                                                                  \
    X(OP_HGETALL, 3)                                                                               \
    X(OP_HLEN, 1)                                                                                  \
    X(OP_HINCRBY, 2)                                                                               \
    X(OP_HEXPIRE, 4)                                                                               \
    X(OP_HPERSIST, 1)                                                                              \
    X(OP_HTTL, 1)                                                                                  \
    X(OP_RPUSH, 6)                                                                                 \
    X(OP_LPUSH, 4)                                                                                 \
    X(OP_LPUSHX, 1)                                                                                \
    X(OP_LPOP, 3)                                                                                  \
    X(OP_RPOP, 2)                                                                                  \
    X(OP_LTRIM, 2)                                                                                 \
    X(OP_LSET, 2)                                                                                  \
    X(OP_LINSERT, 2)                                                                               \
    X(OP_LREM, 2)                                                                                  \
    X(OP_LMOVE, 3)                                                                                 \
    X(OP_SORT, 1)                                                                                  \
    X(OP_LRANGE, 4)                                                                                \
    X(OP_LINDEX, 1)                                                                                \
    X(OP_LLEN, 1)                                                                                  \
    X(OP_SADD, 6)                                                                                  \
    X(OP_SREM, 2)                                                                                  \
    X(OP_SMOVE, 2)                                                                                 \
    X(OP_SISMEMBER, 1)                                                                             \
    X(OP_SMEMBERS, 2)                                                                              \
    X(OP_SCARD, 1)                                                                                 \
    X(OP_SUNIONSTORE, 1)                                                                           \
    X(OP_ZADD, 7)                                                                                  \
    X(OP_ZINCRBY, 2)                                                                               \
    X(OP_ZREM, 2)                                                                                  \
    X(OP_ZSCORE, 1)                                                                                \
    X(OP_ZRANK, 2)                                                                                 \
    X(OP_ZRANGE, 3)                                                                                \
    X(OP_ZREMRANGE, 1)                                                                             \
    X(OP_ZPOPMIN, 2)                                                                               \
    X(OP_ZUNIONSTORE, 1)                                                                           \
    X(OP_JSON_SET, 6)                                                                              \
    X(OP_JSON_DEL, 3)                                                                              \
    X(OP_JSON_ARRAPPEND, 3)                                                                        \
    X(OP_JSON_NUMINCRBY, 2)                                                                        \
    X(OP_JSON_GET, 3)                                                                              \
    X(OP_FT_CREATE, 1)                                                                             \
    X(OP_FT_DROP, 1)                                                                               \
    X(OP_FT_ALTER, 1)                                                                              \
    X(OP_FT_ALIAS, 2)                                                                              \
    X(OP_FT_UNALIAS, 2)                                                                            \
    X(OP_FT_SYNONYM, 1)                                                                            \
    X(OP_FT_DICTADD, 1)                                                                            \
    X(OP_FT_DICTDEL, 1)                                                                            \
    X(OP_DBSIZE, 1)                                                                                \
    X(OP_FLUSHALL, 1)                                                                              \
    X(OP_EXEC, 6)                                                                                  \
    X(OP_MULTI, 0)                                                                                 \
    X(OP_QUEUED, 0)                                                                                \
    X(OP_WATCH, 0)                                                                                 \
    X(OP_DISCARD, 0)                                                                               \
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

enum {
    ASK_IDS_MAX = 30,
    ASK_QUERIES_MAX = 20,
    ASK_KEYS_MAX = 4,
    ASK_PARTS_MAX = 6,
    ATTRIBUTE_MAX = 32,
    TEXT_MAX = 24
};

enum ask_form { FORM_VALUES, FORM_BLOB, FORM_JSON, FORM_ELEMENT };

struct search_want {
    bool vsim, exact, with_dist, with_attributes;
    size_t count, ef; /* 0: not said */
    unsigned filter;  /* MODEL_FILTERS: none */
    unsigned partitions; /* bits; 0: not said */
    size_t query_count;
};

/* What a command says of when a key expires. */
enum ask_time { TIME_NONE, TIME_EX, TIME_PX, TIME_EXAT, TIME_PXAT, TIME_KEEP };

/* Of commands about keys and strings (workload_keys.c) and hashes (workload_hash.c); times and
 * conditions of VADD and VMADD. */
struct keys_want {
    unsigned keys[ASK_KEYS_MAX]; /* the first one is ask->key */
    size_t key_count;
    char texts[ASK_KEYS_MAX][TEXT_MAX]; /* a value for each, of those that set some */
    unsigned fields[ASK_KEYS_MAX]; /* of a hash */
    size_t field_count;
    int64_t scores[ASK_KEYS_MAX]; /* of members, which are fields too */
    enum ask_time time;
    int64_t time_value;
    bool nx, xx, gt, lt, get, replace, milliseconds, absolute;
    int64_t number, end; /* of INCRBY, SETRANGE and GETRANGE; places in lists */
    bool at_head, to_head;
};

/* WATCH as EXEC has to take it into account. */
struct watch_want {
    bool there;  /* it was said, and answered with OK */
    bool unsure; /* the key may have been there, and expired already */
    unsigned key;
    uint64_t lo, hi; /* it ran at one of these LSNs */
};

/* owner: the peer that sent it, until it was answered; a part: its EXEC */
struct ask {
    enum op op;
    unsigned key;
    unsigned ids[ASK_IDS_MAX];
    size_t id_count;
    enum ask_form form;
    uint32_t dim;   /* of the vectors it sends */
    enum vec_type type; /* of these, when they are a blob; of the collection of a VCREATE */
    float *vectors; /* of elements or queries */
    bool has_partition;
    unsigned partition;
    bool has_attributes;
    char attributes[ASK_IDS_MAX][ATTRIBUTE_MAX];
    bool has_quant, has_m, flag; /* flag: IFNOTEXISTS */
    bool has_index;
    enum index_kind index;
    enum quant quant; /* VALTER: QUANT_COUNT: AUTO */
    uint32_t m, reduce, lists; /* reduce, lists 0: not said */
    struct search_want want;
    struct spec_tuning tuning; /* VALTER: ef 0: not said; max_len UINT64_MAX: not said */
    const char *field;         /* VALTER SCHEMA ADD or DROP; NULL: not said */
    bool drops;
    enum schema_kind field_kind;
    struct keys_want keys;
    uint64_t token;

    struct ask *parts; /* EXEC, DISCARD: in order */
    size_t part_count;
    bool broken;               /* EXEC: a part was refused */
    struct watch_want watched; /* EXEC */
    struct ask *exec;          /* WATCH, QUEUED: of their transaction, which comes later */
    struct ask *part;          /* QUEUED: what is queued; owned by EXEC */
    bool in_exec;              /* it is such a part */

    size_t size;         /* of its bytes */
    uint64_t start, end; /* of these in what its peer sends */
    bool executed;
    bool refusable;    /* while the log could not be written, */
    uint64_t failures; /* and how often that had begun by then */
    uint64_t now_ms;   /* the clock it ran by */
    uint64_t lo, hi;   /* it ran at one of these LSNs */
    uint64_t lsn;      /* of its record; 0: it has changed nothing, but what had expired */
    uint64_t before;   /* the state it ran in, as soon as its record says so; a part: its own */
    size_t changes;    /* of its record, or a part's share of it */
    bool *pending;     /* by id: was visible and not linked when a search ran; NULL: none */
    struct ask *next;
};

/* How a key's vector set is made when it is missing. */
struct key_style {
    uint32_t dim;
    enum vec_type type; /* FP32 unless created */
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
    uint64_t now_ms;                    /* the clock of the clients */
    bool short_memory;                  /* a command may be refused for that */
    bool may_refuse;                    /* or with MISCONF, because the disk fails */
    uint64_t kinds[64];                 /* by mutation_kind: changes that were logged */
    uint64_t puts[TYPE_COUNT];          /* elements that were put, by their type */
    uint64_t execs, nil_execs, expired; /* transactions, those that a watch broke, keys */
    uint64_t elements_expired, elements_evicted, fields_expired;
    uint64_t sought, lost;              /* elements much nearer to a query than others are */
    uint64_t found, wanted; /* of the true nearest, by searches that need not be exact */
};

void world_init(struct world *w, uint64_t seed, struct model *model);

/* A random command, or those of a transaction, linked by next; their bytes are appended to out. */
struct ask *ask_make(struct world *w, struct buf *out);
/* A search for the element itself, with one hit. */
struct ask *ask_make_find(unsigned key, unsigned id, struct buf *out);
void ask_free(struct ask *c);

/* Is the change what this command may lead to now? Called before the model takes it. NULL: yes. c
 * is NULL when the server has made it by itself. */
MUST_USE const char *ask_check_change(struct world *w, struct ask *c, const struct mutation *m);
/* The record is complete, and in the model. */
void ask_end_record(struct world *w, struct ask *c);
/* Is the reply what the model says? NULL: yes. */
MUST_USE const char *ask_check_reply(struct world *w, struct ask *c, const redisReply *reply);

bool reply_is_error(const redisReply *r, const char *part);

#endif
