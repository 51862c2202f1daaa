#include "base/process.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

static uint64_t microseconds(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_usec;
}

void process_info(struct process_info *out)
{
    *out = (struct process_info){.id = getpid()};
    struct utsname os;
    if (uname(&os) == 0)
        (void)snprintf(out->os, sizeof(out->os), "%.50s %.50s %.50s", os.sysname, os.release,
                       os.machine);
    struct rusage used;
    if (getrusage(RUSAGE_SELF, &used) == 0) {
        out->user_us = microseconds(used.ru_utime);
        out->system_us = microseconds(used.ru_stime);
    }
    if (getrusage(RUSAGE_THREAD, &used) == 0) {
        out->thread_user_us = microseconds(used.ru_utime);
        out->thread_system_us = microseconds(used.ru_stime);
    }
}

uint64_t process_allow_files(uint64_t count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return UINT64_MAX; /* unknown: accept() will say */
    if (limit.rlim_cur >= count)
        return limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max < count ? limit.rlim_max : count;
    (void)setrlimit(RLIMIT_NOFILE, &limit); /* or it stays as it is: asked for below */
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : UINT64_MAX;
}
