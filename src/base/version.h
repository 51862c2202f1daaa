/* version.h: which version of vdb this is. */
#ifndef VDB_BASE_VERSION_H
#define VDB_BASE_VERSION_H

#define VDB_VERSION "0.1.0"

/* The version of Redis whose commands clients may count on, as HELLO and INFO say it: clients and
 * frameworks switch features on by it. 8.0 is the first with vector sets. */
#define VDB_REDIS_VERSION "8.0.0"

#endif
