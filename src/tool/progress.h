/* progress.h: tells a person how far a long task is: a bar that redraws itself on a terminal, a
 * line every tenth elsewhere, so that logs stay short. */
#ifndef VDB_TOOL_PROGRESS_H
#define VDB_TOOL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* owner: caller */
struct progress {
    FILE *out;
    const char *label;
    bool is_terminal;
    double start_s;
    double drawn_s; /* when it was drawn last, and how much was done then */
    uint64_t drawn_done;
    double per_s; /* the rate of the last seconds */
    int tenths_said;
};

/* Seconds of a clock that never goes back. */
double clock_s(void);

void progress_start(struct progress *p, FILE *out, const char *label);
/* done things so far, which are fraction (0 .. 1) of all; a negative fraction: nobody knows. */
void progress_update(struct progress *p, uint64_t done, double fraction);
/* Clears the bar, so that what follows starts on an empty line. */
void progress_end(struct progress *p);

enum { PROGRESS_LINE_MAX = 160, COUNT_TEXT_MAX = 32 };
/* The line for these figures, without colours or line breaks. per_s: the rate now. */
void progress_line(char out[PROGRESS_LINE_MAX], const char *label, uint64_t done, double fraction,
                   double per_s);
/* 1234567 as "1,234,567". */
const char *count_text(uint64_t value, char out[COUNT_TEXT_MAX]);

#endif
