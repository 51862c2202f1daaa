/* served.h: a vdb-server of a test's own: started on a free port with a folder of its own, stopped
 * by SIGTERM. The binary is $VDB_SERVER, else build/vdb-server. */
#ifndef VDB_TESTS_INTEGRATION_SERVED_H
#define VDB_TESTS_INTEGRATION_SERVED_H

#include <sys/types.h>

#include "lib/test.h"

struct served {
    pid_t pid; /* 0: not running */
    int port;
    char folder[64];
    char unix_path[96];
};

/* Starts a server with the options (NULL ends them) and waits until it takes connections. */
void served_start(struct served *s, const char *const *options);
/* Kills the server (SIGKILL) if it runs, and starts one on its folder: 0 when it serves. Otherwise
 * it has ended by itself with this status, -1 by a signal. */
int served_restart(struct served *s, const char *const *options);
/* Ends the server and returns its exit status, -1 when a signal ended it. */
int served_stop(struct served *s);
bool served_alive(const struct served *s);
/* Is the text in a line that the server has logged? */
bool served_said(const struct served *s, const char *text);
/* Resident memory of the server, as the kernel counts it. */
size_t served_rss_bytes(const struct served *s);

/* One server for all tests that need no options of their own; it ends with the program, which then
 * reports an exit status other than 0. */
const struct served *served_shared(void);

uint64_t now_us(void);
void sleep_us(uint64_t us);

#endif
