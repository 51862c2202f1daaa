/* mlog.h: the log of changes. Gives every change its LSN and hands it to whoever listens.
 *
 * A record is what one command changes, or a whole transaction: all mutations between mlog_begin
 * and mlog_commit. They have one LSN, and are logged together or not at all. Whatever can fail is
 * done as each is added, before it is applied, so mlog_commit cannot fail.
 *
 * Sinks are what persists and replicates: each gets every record in order, as bytes (db/batch.h),
 * once its mutations are applied and before the loop does anything else. With no sink nothing is
 * encoded. Replies wait at the gate until mlog_stable() has reached the LSN they saw, those of
 * writes until mlog_kept() has reached theirs (cmd/gate.h).
 *
 * owner: loop. */
#ifndef VDB_DB_MLOG_H
#define VDB_DB_MLOG_H

#include "db/mutation.h"

/* A record made elsewhere, as sinks can take it over: so many free bytes, the record, zeros up to a
 * multiple of 8. owner: who makes it, until mlog_write_ready */
enum { MLOG_HEAD_SIZE = 56 };
struct mlog_ready {
    struct buf bytes;
    size_t size;  /* of the record alone */
    uint32_t crc; /* CRC32C of it */
};

/* owner: whoever adds it; it stays in the log until removed */
struct mlog_sink {
    void (*on_record)(struct mlog_sink *sink, uint64_t lsn, struct slice record);
    /* The highest LSN whose replies this sink lets go; UINT64_MAX: all. */
    uint64_t (*stable)(const struct mlog_sink *sink);
    /* The highest LSN that the end of this process cannot take back: replies of writes wait for it.
     * NULL: all. */
    uint64_t (*kept)(const struct mlog_sink *sink);
    /* Room for on_record, which cannot fail, with a record of so many bytes; false: no memory. A
     * record that grows is asked for again, with all its bytes. NULL when it needs none. */
    bool (*reserve)(struct mlog_sink *sink, size_t size);
    /* May new changes come? NULL: always. What comes nevertheless is taken. */
    bool (*accepts)(const struct mlog_sink *sink);
    /* In place of on_record, for the only sink there is: the bytes are its own from then on. NULL:
     * it gets them by on_record. */
    void (*take)(struct mlog_sink *sink, uint64_t lsn, struct mlog_ready *ready);
    struct mlog_sink *next;
};

struct mlog {
    uint64_t last_lsn; /* of the last record, or of the one being made; 0: none so far */
    struct mlog_sink *sinks;
    size_t record_size_max; /* LIMIT_RECORD_SIZE; tests have less */
    bool open;              /* a record is being made */
    bool loading;           /* older records are still to come: there can be no new one */
    size_t count;           /* mutations in it */
    struct buf record;      /* their bytes, when there are sinks */
};

void mlog_init(struct mlog *log);
void mlog_fini(struct mlog *log);
/* Not while a record is being made. */
void mlog_add_sink(struct mlog *log, struct mlog_sink *sink);
void mlog_remove_sink(struct mlog *log, struct mlog_sink *sink);

void mlog_begin(struct mlog *log);
/* Adds m to the record; the first one takes the next LSN. ERR_NOMEM, ERR_LIMIT (the record would be
 * over its limit): m is not in it. */
MUST_USE enum err mlog_append(struct mlog *log, const struct mutation *m, uint64_t *lsn);
/* Until the record has grown by so many bytes (db/batch.h), mlog_append cannot fail. ERR_NOMEM,
 * ERR_LIMIT. */
MUST_USE enum err mlog_reserve(struct mlog *log, size_t size);
/* Ends the record; sinks get it, unless nothing was added. */
void mlog_commit(struct mlog *log);

/* [any thread] The record of one mutation, which is long: nothing of it is left to do on the loop.
 * ERR_NOMEM, ERR_LIMIT. In any case the caller ends it with mlog_ready_fini. */
MUST_USE enum err mlog_ready_make(struct mlog_ready *ready, const struct mutation *m,
                                  size_t record_size_max);
void mlog_ready_fini(struct mlog_ready *ready);
/* Outside of mlog_begin and mlog_commit: a record of its own. ready is empty when there were no
 * sinks as it was made. ERR_NOMEM: it is not in the log. */
MUST_USE enum err mlog_write_ready(struct mlog *log, struct mlog_ready *ready, uint64_t *lsn);

/* Replies that depend on this LSN or a lower one may leave. */
uint64_t mlog_stable(const struct mlog *log);
/* So may replies of writes up to this LSN; never above mlog_stable(). */
uint64_t mlog_kept(const struct mlog *log);

/* Is every sink able to keep what is written, and nothing being loaded? While it is not so,
 * clients' writes are refused, and what happens by itself (expiry, rows that move) waits. */
bool mlog_accepts(const struct mlog *log);

#endif
