/* version.h: which version of vdb this is. */
#ifndef VDB_BASE_VERSION_H
#define VDB_BASE_VERSION_H

#define VDB_VERSION "0.1.0"

#endif
