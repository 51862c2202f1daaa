/* log_rig.h: the log alone, in the simulator: data, recovery, sink; no server.
 *
 * What is written with LSN n sets one of a few keys to n, so the data at any LSN is known, and a
 * recovery that is off by one record shows. */
#ifndef VDB_TESTS_SIM_LOG_RIG_H
#define VDB_TESTS_SIM_LOG_RIG_H

#include "lib/test.h"
#include "persist/recover_log.h"
#include "sim/sim_io.h"

enum { RIG_KEYS = 7 };
#define RIG_DIR "data"

struct rig {
    struct sim *sim;
    struct db db;
    struct log log;
    struct recover_log recover;
    struct aof aof;
    bool recovered, open, stopped;
    enum err result;
    unsigned stables, states, rooms; /* events of the sink */
    uint64_t top_durable;            /* the highest LSN that was ever said to be durable */
};

struct aof_options rig_options(void);

/* The data of one process: empty. */
void rig_begin(struct rig *r, struct sim *sim);
/* Recovers from the folder; the result. */
enum err rig_recover(struct rig *r, bool repair);
/* For who starts one by himself: notes what came of it. */
void rig_recovered(struct recover_log *r, enum err e);
/* Opens the sink where recovery ended. */
void rig_open(struct rig *r, const struct aof_options *options);
/* rig_begin, rig_recover and rig_open, which must succeed. */
void rig_start(struct rig *r, struct sim *sim, const struct aof_options *options);
/* Writes count records of size bytes and more, without waiting. */
void rig_write(struct rig *r, unsigned count, size_t size);
/* Waits until all is durable; false when it is not after a long time. */
bool rig_wait(struct rig *r);
/* Stops the sink in order, then rig_end. */
void rig_stop(struct rig *r);
/* The process is gone, however that came: frees what it had. */
void rig_end(struct rig *r);

/* Does the data hold exactly what the first lsn records say? */
bool rig_holds(struct rig *r, uint64_t lsn);

#endif
