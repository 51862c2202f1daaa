/* SSCAN and ZSCAN: members listed a part at a time. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/glob.h"
#include "cmd/members.h"
#include "cmd/zset.h"

enum { SCAN_US = 300, SCAN_COUNT = 10 };

/* What is replied; its number comes first, so it waits here. */
struct scan {
    struct reply reply;
    struct buf text;
    size_t count;
    const struct slice *match; /* NULL: all */
    bool is_small;
    struct io *io;
    uint64_t start_us;
};

static bool matches(const struct scan *s, struct slice member)
{
    return s->match == NULL || glob_match(*s->match, member);
}

static void on_member(void *user, struct slice entry)
{
    struct scan *s = user;
    if (!matches(s, entry))
        return;
    reply_bulk(&s->reply, entry);
    s->count++;
}

/* Redis prints whole scores of small sorted sets as integers here, longer ones than elsewhere. */
static void put_score(struct scan *s, double score)
{
    char text[SCORE_TEXT_MAX];
    double most = (double)(INT64_MAX / 2);
    bool whole = s->is_small && score >= -most && score <= most && score == floor(score);
    size_t size = score_to_text(score, text);
    if (whole)
        size = (size_t)snprintf(text, sizeof(text), "%" PRId64, (int64_t)score);
    reply_bulk(&s->reply, (struct slice){(const uint8_t *)text, size});
}

static void on_scored(void *user, struct slice entry)
{
    struct scan *s = user;
    struct scored scored;
    scored_get(entry, &scored);
    if (!matches(s, scored.member))
        return;
    reply_bulk(&s->reply, scored.member);
    put_score(s, scored.score);
    s->count += 2;
}

/* When COUNT asks for many it is later than that on the clock that ends it: COUNT is a hint. */
static bool is_late(void *user)
{
    struct scan *s = user;
    return s->io->ops->mono_us(s->io) - s->start_us > SCAN_US;
}

static void reply_scan(struct request *rq, uint64_t cursor, const struct scan *s)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%llu", (unsigned long long)cursor);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    reply_array(&rq->reply, 2);
    reply_text(&rq->reply, text);
    reply_array(&rq->reply, s->count);
    buf_append_slice(rq->reply.out, buf_slice(&s->text));
}

struct asked {
    struct slice key, cursor, match;
    bool has_match, has_count;
    int64_t count;
};

static void scan(struct request *rq, const struct asked *a, enum object_type type)
{
    struct io *io = rq->env->io;
    struct object *o;
    uint64_t cursor;
    if (!slice_to_u64(a->cursor, &cursor)) {
        reply_error(&rq->reply, "ERR invalid cursor");
        return;
    }
    if (a->has_count && a->count < 1) {
        reply_error(&rq->reply, "ERR syntax error");
        return;
    }
    if (!members_read(rq, a->key, type, &o) || (a->has_match && !pattern_fits(rq, a->match)))
        return;
    struct scan s = {.text = BUF_INIT(MEM_CLIENT),
                     .match = a->has_match ? &a->match : NULL,
                     .is_small = o != NULL && !o->is_large,
                     .io = io,
                     .start_us = io->ops->mono_us(io)};
    s.reply = (struct reply){&s.text, rq->reply.proto};
    cursor = members_scan(o, cursor, a->has_count ? (size_t)a->count : SCAN_COUNT, is_late,
                          type == OBJECT_SET ? on_member : on_scored, &s);
    if (buf_failed(&s.text))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else
        reply_scan(rq, cursor, &s);
    buf_fini(&s.text);
}

void cmd_sscan(struct request *rq)
{
    const struct sscan_args *a = rq->args;
    scan(rq, &(struct asked){a->key, a->cursor, a->match, a->has_match, a->has_count, a->count},
         OBJECT_SET);
}

void cmd_zscan(struct request *rq)
{
    const struct zscan_args *a = rq->args;
    scan(rq, &(struct asked){a->key, a->cursor, a->match, a->has_match, a->has_count, a->count},
         OBJECT_ZSET);
}
