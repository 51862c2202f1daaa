/* load.h: sends the vectors of a file to a collection, in batches, a few of them in flight. */
#ifndef VDB_TOOL_LOAD_H
#define VDB_TOOL_LOAD_H

#include "tool/client.h"
#include "tool/format.h"

enum load_command {
    LOAD_VMADD, /* vdb: a batch is one command, the collection is created when missing */
    LOAD_VADD   /* any server with Redis 8's vector sets: one command per element, pipelined */
};

enum { LOAD_BATCH_DEFAULT = 512, LOAD_BATCH_MAX = 100000 };

/* immutable */
struct load_job {
    struct client_address address;
    const char *key;
    const char *path;
    enum format format;
    const char *ids_path;    /* NULL: the file's own ids, else row numbers from 0 */
    const char *attrs_path;  /* NULL: the file's own */
    const char *metric;      /* of VCREATE; NULL: the server's default */
    const char *type;        /* likewise */
    uint32_t scale;          /* numbers are multiplied by it and rounded; 0: left as they are */
    const char *create;      /* more words for VCREATE; NULL: none */
    const char *add_options; /* words behind every VADD; NULL: none */
    enum load_command command;
    uint32_t batch_size;
    uint64_t limit;         /* rows to send at most */
    uint64_t bad_max;       /* lines that cannot be read are passed over, so many at most */
    const char *state_path; /* where it is noted how far it is (resume.h); NULL: nowhere */
    bool anew;              /* from the first row on, whatever is noted */
    uint32_t delay_s;       /* of what is noted */
    uint32_t wait_s;        /* for a server that goes away to come back */
};

struct load_result {
    uint32_t dim;
    uint64_t added;    /* elements that were new */
    uint64_t replaced; /* elements that were there */
    uint64_t refused;  /* elements the server answered with an error */
    uint64_t bad;      /* lines that were passed over */
    uint64_t resumed;  /* rows of these that a run before this one has loaded */
    double seconds;
};

/* Progress and the first refusals go to messages. On an error result says what was loaded before.
 */
MUST_USE enum err load_run(const struct load_job *job, FILE *messages, struct load_result *result,
                           struct why *why);

/* "341,479 vectors of 100 dimensions in 3.4 s: 100,435 vectors/s" and what else there is to say. */
void load_print(FILE *out, const char *key, const struct load_result *result);

#endif
