/* aof.h: the sink that writes the log to disk.
 *
 *     loop: on_record ──► open chunk      loop: durable LSN rises, replies leave
 *     loop: one job ──► lane: write, sync ──► loop: done ──┘
 *
 * Records are framed into chunks. One job at a time takes what has come and writes it; what comes
 * meanwhile is the next job's, so a busy server syncs once for many records of itself (group
 * commit). A chunk stays in memory until all of it is known durable: should a write or a sync
 * fail, everything since then is written again, to a segment of a new generation, once a second
 * until it succeeds. Meanwhile the sink accepts no writes.
 *
 * owner: loop; the writer is the job's while busy. */
#ifndef VDB_PERSIST_AOF_H
#define VDB_PERSIST_AOF_H

#include "db/mlog.h"
#include "persist/log_writer.h"

enum aof_policy {
    AOF_ALWAYS,   /* replies wait for the sync */
    AOF_EVERYSEC, /* a sync every second; replies of writes wait until the kernel has them */
    AOF_NO        /* the same, but a sync when much has gathered, and every half a minute */
};

/* Framed records, back to back. owner: aof. bytes never move, so a job reads the beginning while
 * the loop appends behind it. */
struct aof_chunk {
    struct aof_chunk *next;
    struct buf bytes;
    uint64_t lsn_before; /* of the last record before the chunk */
    uint32_t crc_before; /* its checksum */
};

/* A place between two records of the chunks. */
struct aof_position {
    struct aof_chunk *chunk;
    size_t offset;
    uint64_t lsn; /* of the record before it */
    uint32_t crc; /* its checksum */
};

struct aof;

/* Called on the loop. */
struct aof_events {
    void (*on_stable)(void *user); /* what is durable, stable or kept (mlog.h) has risen */
    void (*on_state)(void *user);  /* it failed, or works again: aof->failed */
    void (*on_room)(void *user);   /* aof_full() no longer holds */
};

struct aof_options {
    const char *dir;
    const char *run_id; /* LOG_RUN_ID_SIZE characters */
    enum aof_policy policy;
    uint64_t segment_size; /* past it a new segment begins */
    size_t memory_max;     /* bytes not known durable; past it writers wait */
};

/* What the log ends with. */
struct aof_start {
    uint64_t lsn;
    uint32_t crc;        /* of the record with that LSN; 0: there is none */
    uint32_t generation; /* the highest in use */
    uint32_t salt;       /* of the folder; 0: there is none yet */
    uint64_t note_sequence;
    /* The changes before lsn are not all in the files: this is the highest of those that are. Until
     * aof_set_base the log does not claim more, and no reply waits for it. Else: lsn. */
    uint64_t base_lsn;
};

struct aof {
    struct mlog_sink sink; /* first */
    struct mlog *log;
    struct io *io;
    enum aof_policy policy;
    uint64_t segment_size;
    size_t memory_max;
    const struct aof_events *events;
    void *user;

    struct aof_chunk *spare;                   /* an empty one, kept for the next; or NULL */
    struct aof_position durable, written, end; /* in this order */
    size_t held_bytes;                         /* from durable to end */
    uint64_t kept_lsn;                         /* the kernel has had all records up to it */
    struct log_writer writer;

    struct job job;
    bool busy;              /* the job is out */
    struct aof_position to; /* what it writes up to, from .. */
    struct aof_position from;
    bool job_syncs, job_rolls, job_rotates, job_seals, job_notes, job_ends, job_unbased;
    uint64_t job_claim; /* what is durable when it starts */
    uint64_t job_wall_ms, job_started_us;
    enum err job_result;

    struct io_timer timer;
    uint64_t timer_at_us; /* 0: not running */
    uint64_t synced_us;   /* when the last sync was started */
    uint64_t noted_lsn, noted_us;
    uint64_t gather_until_us; /* until then it may pay to wait for more records ... */
    uint64_t expected;        /* ... than so many */
    uint64_t gather_us;       /* each that comes makes the wait so long again ... */
    uint64_t gather_end_us;   /* ... but no longer than until then */
    uint64_t gathered_lsn;    /* at the last look */
    bool sync_wanted;         /* somebody waits for a sync */
    bool rotate_wanted;       /* the next records begin a new segment */
    bool seal_wanted;         /* one is to begin though there may be no next records */
    bool unopened;            /* there is no segment yet */
    bool unbased;             /* what stands before the first record is not in the files */
    uint64_t base_lsn;        /* then nothing above this is claimed */
    bool failed;              /* the disk does; error says how */
    bool full;                /* writers wait */
    enum err error;
    bool stopping, stopped;
    void (*on_stopped)(struct aof *aof);

    uint64_t records, delayed_syncs, failures;              /* counters */
    uint64_t written_bytes, segment_bytes, syncs, segments; /* the writer's, when it came back */
    uint64_t sync_us; /* how long the last job with a sync took */
};

/* Adds the sink to the log, and has the first segment made. options and start are copied. */
void aof_open(struct aof *aof, struct io *io, struct mlog *log, const struct aof_options *options,
              const struct aof_start *start, const struct aof_events *events, void *user);
/* Leaves the log, writes what there is and syncs it; on_stopped comes when that is done, or has
 * failed: then aof_has_undurable() holds. */
void aof_stop(struct aof *aof, void (*on_stopped)(struct aof *aof));
/* After on_stopped. */
void aof_close(struct aof *aof);

void aof_set_policy(struct aof *aof, enum aof_policy policy);
/* Whoever waits for what was written so far to be durable hears of it soon, whatever the policy. */
void aof_sync_soon(struct aof *aof);
/* Records from now on stand in a new segment, so that what stands in the one before can go. */
void aof_rotate_soon(struct aof *aof);
/* The segment there is ends soon, when it has records, and an empty one begins: so that what it has
 * can be taken elsewhere though nothing is written any more. */
void aof_seal_soon(struct aof *aof);

/* A snapshot has everything up to an LSN that is not below the one the log began with. */
void aof_set_base(struct aof *aof);

/* All records up to this LSN survive any crash. */
static inline uint64_t aof_durable_lsn(const struct aof *aof)
{
    return aof->unbased ? aof->base_lsn : aof->durable.lsn;
}

/* Records whose fate a crash would decide. */
static inline bool aof_has_undurable(const struct aof *aof)
{
    return aof->durable.lsn < aof->end.lsn;
}

#endif
