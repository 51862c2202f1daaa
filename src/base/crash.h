/* crash.h: the last words of a process that is about to crash.
 *
 * The one mutable global of this program: a signal handler is given nothing, so what it is to write
 * has to stand where it can find it. */
#ifndef VDB_BASE_CRASH_H
#define VDB_BASE_CRASH_H

#include <stddef.h>

/* From now on a fatal signal (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) that hits the calling
 * thread first writes the bytes, as they are then, to the beginning of fd. size 0: no more. */
void crash_note(int fd, const void *bytes, size_t size);

#endif
