/* mlog.h: the log of changes. Gives every mutation its LSN and hands it to whoever listens.
 *
 * Sinks are what persists and replicates: each gets every record in order, as bytes, before the
 * mutation is applied. With no sink nothing is encoded. The replies of writes wait at the gate
 * until mlog_stable() has reached their LSN (session.h).
 *
 * owner: loop. */
#ifndef VDB_DB_MLOG_H
#define VDB_DB_MLOG_H

#include "db/mutation.h"

/* owner: whoever adds it; it stays in the log until removed */
struct mlog_sink {
    void (*on_record)(struct mlog_sink *sink, uint64_t lsn, struct slice record);
    /* The highest LSN whose replies this sink lets go; UINT64_MAX: all. */
    uint64_t (*stable)(const struct mlog_sink *sink);
    /* Room for on_record, which cannot fail, with a record of so many bytes; false: no memory. NULL
     * when it needs none. */
    bool (*reserve)(struct mlog_sink *sink, size_t size);
    /* May new changes come? NULL: always. What comes nevertheless is taken. */
    bool (*accepts)(const struct mlog_sink *sink);
    struct mlog_sink *next;
};

struct mlog {
    uint64_t last_lsn; /* 0: nothing was ever written */
    struct mlog_sink *sinks;
    struct buf record;
};

void mlog_init(struct mlog *log);
void mlog_fini(struct mlog *log);
void mlog_add_sink(struct mlog *log, struct mlog_sink *sink);
void mlog_remove_sink(struct mlog *log, struct mlog_sink *sink);

/* Gives m the next LSN. ERR_NOMEM, ERR_LIMIT (over LIMIT_RECORD_SIZE): nothing was logged. */
MUST_USE enum err mlog_append(struct mlog *log, const struct mutation *m, uint64_t *lsn);

/* Replies that depend on this LSN or a lower one may leave. */
uint64_t mlog_stable(const struct mlog *log);

/* Is every sink able to keep what is written? While it is not, clients' writes are refused, and
 * what happens by itself (expiry) waits. */
bool mlog_accepts(const struct mlog *log);

#endif
