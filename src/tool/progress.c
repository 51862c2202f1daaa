/* progress.c: how often something is drawn decides here, so that callers may report every batch. */
#include "tool/progress.h"

#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

enum { BAR_WIDTH = 24 };
static const double REDRAW_S = 0.1;
static const double LINE_WITHOUT_TOTAL_S = 5;
static const double RATE_WINDOW_S = 3;

double clock_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

const char *count_text(uint64_t value, char out[COUNT_TEXT_MAX])
{
    char digits[COUNT_TEXT_MAX];
    size_t len = (size_t)snprintf(digits, sizeof(digits), "%llu", (unsigned long long)value);
    size_t to = 0;
    for (size_t i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0)
            out[to++] = ',';
        out[to++] = digits[i];
    }
    CHECK(to < COUNT_TEXT_MAX);
    out[to] = '\0';
    return out;
}

static void time_left_text(double seconds, char *out, size_t size)
{
    if (seconds < 90)
        (void)snprintf(out, size, "%.0f s left", seconds);
    else
        (void)snprintf(out, size, "%.0f min left", seconds / 60);
}

void progress_line(char out[PROGRESS_LINE_MAX], const char *label, uint64_t done, double fraction,
                   double per_s)
{
    char bar[BAR_WIDTH + 1], left[32] = "", count[COUNT_TEXT_MAX], rate[COUNT_TEXT_MAX];
    count_text(done, count);
    count_text((uint64_t)per_s, rate);
    if (fraction < 0) {
        (void)snprintf(out, PROGRESS_LINE_MAX, "%s  %s  %s/s", label, count, rate);
        return;
    }
    fraction = fraction > 1 ? 1 : fraction;
    size_t filled = (size_t)(fraction * BAR_WIDTH);
    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', filled);
    bar[BAR_WIDTH] = '\0';
    if (fraction > 0 && per_s > 0)
        time_left_text((double)done * (1 - fraction) / fraction / per_s, left, sizeof(left));
    (void)snprintf(out, PROGRESS_LINE_MAX, "%s  [%s] %3d %%  %s  %s/s  %s", label, bar,
                   (int)(fraction * 100), count, rate, left);
}

void progress_start(struct progress *p, FILE *out, const char *label)
{
    *p = (struct progress){.out = out, .label = label};
    p->is_terminal = isatty(fileno(out)) == 1;
    p->start_s = clock_s();
    p->drawn_s = p->start_s;
}

/* Is another line due where nothing can be redrawn? */
static bool line_due(struct progress *p, double now, double fraction)
{
    if (fraction < 0)
        return now - p->drawn_s >= LINE_WITHOUT_TOTAL_S;
    int tenths = (int)(fraction * 10);
    bool due = tenths > p->tenths_said;
    p->tenths_said = due ? tenths : p->tenths_said;
    return due;
}

/* An average that forgets in RATE_WINDOW_S: when a server that buffered much begins to make us
 * wait, the mean since the start would promise an end that does not come. */
static void note_rate(struct progress *p, double now, uint64_t done)
{
    double passed_s = now - p->drawn_s > 1e-9 ? now - p->drawn_s : 1e-9;
    double newest = done > p->drawn_done ? (double)(done - p->drawn_done) / passed_s : 0;
    double weight = p->drawn_done == 0 ? 1 : 1 - exp(-passed_s / RATE_WINDOW_S);
    p->per_s += weight * (newest - p->per_s);
    p->drawn_s = now;
    p->drawn_done = done;
}

void progress_update(struct progress *p, uint64_t done, double fraction)
{
    CHECK(p->out != NULL && p->label != NULL);
    char line[PROGRESS_LINE_MAX];
    double now = clock_s();
    bool due = p->is_terminal ? now - p->drawn_s >= REDRAW_S : line_due(p, now, fraction);
    if (!due)
        return;
    note_rate(p, now, done);
    progress_line(line, p->label, done, fraction, p->per_s);
    (void)fprintf(p->out, p->is_terminal ? "\r\033[K%s" : "%s\n", line);
    (void)fflush(p->out);
}

void progress_end(struct progress *p)
{
    if (p->is_terminal)
        (void)fprintf(p->out, "\r\033[K");
    (void)fflush(p->out);
}
