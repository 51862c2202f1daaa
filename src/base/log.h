/* log.h: lines for the operator. owner: loop. */
#ifndef VDB_BASE_LOG_H
#define VDB_BASE_LOG_H

#include <stdio.h>

#include "base/check.h"

enum log_level { LOG_DEBUG, LOG_VERBOSE, LOG_NOTICE, LOG_WARNING };

struct log {
    FILE *out;
    int level; /* the least that is written */
};

/* Writes "2026-11-23 06:00:00.123 * text". */
void log_line(struct log *log, enum log_level level, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
