/* offload_rig.h: a server's folder and an object store in the simulator: data, log, snapshots,
 * offload; no server.
 *
 * As in log_rig.h, what is written with LSN n sets one of a few keys to n, so the data at any LSN
 * is known. */
#ifndef VDB_TESTS_SIM_OFFLOAD_RIG_H
#define VDB_TESTS_SIM_OFFLOAD_RIG_H

#include "lib/test.h"
#include "persist/offload.h"
#include "sim/sim_io.h"

enum { LIFE_KEYS = 7, LIFE_INTERVAL_MS = 2000 };
#define LIFE_DIR "data"
#define LIFE_STORE "file:///store"

/* One life of a server. */
struct life {
    struct sim *sim;
    struct db db;
    struct log log;
    struct persist persist;
    struct offload offload;
    struct io_timer cron;
    bool prepared, loaded, stopped;
    enum err result; /* of the start */
    struct why why;
    unsigned requests_done;
    enum err request_result;
    uint64_t request_lsn;
};

/* What differs from life to life. */
struct life_options {
    const char *dir, *store, *restore_from, *restore_at;
    uint64_t keep_count, keep_age_ms, backlog_bytes;
    const char *run_id;
};

/* LIFE_DIR, LIFE_STORE, one backup is kept, none for its age; no bound on the backlog. */
struct life_options life_options_default(void);

/* Starts and waits until it serves; the error of the start, and l->why. */
enum err life_start(struct life *l, struct sim *sim, const struct life_options *options);
/* Writes count records without waiting; fewer when writes are refused. */
void life_write(struct life *l, unsigned count);
/* Takes a snapshot and waits for it. */
enum err life_save(struct life *l);
/* VBACKUP, url "" for the own store; its result, and l->request_lsn. */
enum err life_backup(struct life *l, const char *url);
/* Waits until all that was written is in the store; false: not after a long time. */
bool life_wait_stored(struct life *l);
/* Lets time pass. */
void life_run(struct life *l, uint64_t ms);
/* The process is gone, in order or not: frees what it had. */
void life_end(struct life *l);
/* The power goes and comes back; what is left of the life is freed. */
void life_crash(struct life *l);

/* Does the data hold exactly what the first lsn records say? */
bool life_holds(struct life *l, uint64_t lsn);

/* Removes every file of a folder. */
void wipe(struct sim *sim, const char *dir);
/* Copies every file of a folder to another, which is made. */
void copy_folder(struct sim *sim, const char *from, const char *to);
/* How many files of LIFE_DIR have this in their names. */
unsigned folder_count(struct sim *sim, const char *part);
/* How many objects of the store have this in their names. */
unsigned store_count(struct sim *sim, const char *part);

#endif
