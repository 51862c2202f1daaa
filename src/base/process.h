/* process.h: what the operating system says of this process, and allows it. */
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

/* Asks for so many descriptors of files and sockets; returns how many there may be. */
uint64_t process_allow_files(uint64_t count);

#endif
