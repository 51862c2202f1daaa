/* files_io.h: files and nothing else, as struct io: what the commands need that read a data folder
 * by the server's own parsers. */
#ifndef VDB_TOOL_FILES_IO_H
#define VDB_TOOL_FILES_IO_H

#include "base/io.h"

/* Only its file operations may be called. */
struct io files_io(void);

#endif
