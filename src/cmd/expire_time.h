/* expire_time.h: when a key is to expire, as clients say it. */
#ifndef VDB_CMD_EXPIRE_TIME_H
#define VDB_CMD_EXPIRE_TIME_H

#include "cmd/command.h"

enum time_unit { SECONDS, MILLISECONDS };

/* From now on, or in Unix time. Replies Redis's error and returns false for what is no integer, not
 * above 0, or too large. */
MUST_USE bool expire_time_read(struct request *rq, struct slice text, enum time_unit unit,
                               bool absolute, uint64_t *expire_ms);

/* An integer of EXPIRE, which may be in the past: then *expire_ms is 0 or less. */
MUST_USE bool expire_time_of(struct request *rq, int64_t time, enum time_unit unit, bool absolute,
                             int64_t *expire_ms);

/* EXPIRE and HEXPIRE with their kin, whose arguments have the same names. */
struct expire_want {
    struct slice key;
    int64_t time;
    bool nx, xx, gt, lt;
};

#define EXPIRE_WANT(a)                                                                             \
    ((struct expire_want){.key = (a)->key,                                                         \
                          .time = (a)->time,                                                       \
                          .nx = (a)->nx,                                                           \
                          .xx = (a)->xx,                                                           \
                          .gt = (a)->gt,                                                           \
                          .lt = (a)->lt})

/* Do the conditions allow to expire then? now_ms is 0 for what never expires, which is later than
 * any time. */
bool expire_want_allows(const struct expire_want *w, uint64_t now_ms, int64_t wanted_ms);

/* EX, PX, EXAT and PXAT of SET and GETEX, whose arguments call them the same. keep: KEEPTTL or
 * PERSIST, which goes with none of them. */
struct expire_options {
    bool has_ex, has_px, has_exat, has_pxat, keep;
    struct slice ex, px, exat, pxat;
};

#define EXPIRE_OPTIONS(a, keep_)                                                                   \
    {                                                                                              \
        .has_ex = (a)->has_ex, .has_px = (a)->has_px, .has_exat = (a)->has_exat,                   \
        .has_pxat = (a)->has_pxat, .keep = (keep_), .ex = (a)->ex, .px = (a)->px,                  \
        .exat = (a)->exat, .pxat = (a)->pxat                                                       \
    }

/* At most one of them? Replies the syntax error otherwise. */
MUST_USE bool expire_options_fit(struct request *rq, const struct expire_options *o);
/* *expire_ms: 0 when none of the four was given. */
MUST_USE bool expire_options_read(struct request *rq, const struct expire_options *o,
                                  uint64_t *expire_ms);

#endif
