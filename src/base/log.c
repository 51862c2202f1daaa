#include "base/log.h"

#include <stdarg.h>
#include <time.h>

void log_line(struct log *log, enum log_level level, const char *fmt, ...)
{
    if ((int)level < log->level || log->out == NULL)
        return;
    struct timespec now = {0};
    struct tm parts;
    char stamp[32];
    (void)clock_gettime(CLOCK_REALTIME,
                        &now); /* a line without the right time is better than none */
    (void)gmtime_r(&now.tv_sec, &parts);
    (void)strftime(stamp, sizeof(stamp), "%Y-%m-%d %H:%M:%S", &parts);
    (void)fprintf(log->out, "%s.%03ld %c ", stamp, now.tv_nsec / 1000000, ".-*#"[level]);
    va_list args;
    va_start(args, fmt);
    (void)vfprintf(log->out, fmt, args);
    va_end(args);
    (void)fputc('\n', log->out);
    (void)fflush(log->out);
}
