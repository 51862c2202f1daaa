/* process.h: what the operating system says of this process. For people: it decides nothing. */
#ifndef VDB_BASE_PROCESS_H
#define VDB_BASE_PROCESS_H

#include <stdint.h>

struct process_info {
    int64_t id;
    char os[160];                              /* "Linux 6.1.0 x86_64" */
    uint64_t user_us, system_us;               /* time on processors, all threads */
    uint64_t thread_user_us, thread_system_us; /* of the calling thread */
};

void process_info(struct process_info *out);

#endif
