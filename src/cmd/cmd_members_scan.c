/* SSCAN and ZSCAN: members listed a part at a time. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "cmd/members.h"
#include "cmd/scan.h"
#include "cmd/zset.h"

static void on_member(void *user, struct slice entry)
{
    struct scan *s = user;
    if (!scan_matches(s, entry))
        return;
    reply_bulk(&s->reply, entry);
    s->count++;
}

/* Redis prints whole scores of small sorted sets as integers here, longer ones than elsewhere. */
static void put_score(struct scan *s, double score, bool is_small)
{
    char text[SCORE_TEXT_MAX];
    double most = (double)(INT64_MAX / 2);
    bool whole = is_small && score >= -most && score <= most && score == floor(score);
    size_t size = score_to_text(score, text);
    if (whole)
        size = (size_t)snprintf(text, sizeof(text), "%" PRId64, (int64_t)score);
    reply_bulk(&s->reply, (struct slice){(const uint8_t *)text, size});
}

static void put_scored(struct scan *s, struct slice entry, bool is_small)
{
    struct scored scored;
    scored_get(entry, &scored);
    if (!scan_matches(s, scored.member))
        return;
    reply_bulk(&s->reply, scored.member);
    put_score(s, scored.score, is_small);
    s->count += 2;
}

static void on_scored_of_small(void *user, struct slice entry)
{
    put_scored(user, entry, true);
}

static void on_scored_of_large(void *user, struct slice entry)
{
    put_scored(user, entry, false);
}

static void scan(struct request *rq, const struct scan_words *words, enum object_type type)
{
    struct object *o;
    struct scan s;
    if (!scan_begin(rq, words, &s) || !members_read(rq, words->key, type, &o) ||
        (words->has_match && !pattern_fits(rq, words->match)))
        return;
    bool is_small = o != NULL && !o->is_large;
    uint64_t cursor = members_scan(o, s.cursor, s.wanted, scan_is_late,
                                   type == OBJECT_SET ? on_member
                                   : is_small         ? on_scored_of_small
                                                      : on_scored_of_large,
                                   &s);
    scan_end(rq, &s, cursor);
}

void cmd_sscan(struct request *rq)
{
    const struct sscan_args *a = rq->args;
    scan(rq,
         &(struct scan_words){a->key, a->cursor, a->match, a->has_match, a->has_count, a->count},
         OBJECT_SET);
}

void cmd_zscan(struct request *rq)
{
    const struct zscan_args *a = rq->args;
    scan(rq,
         &(struct scan_words){a->key, a->cursor, a->match, a->has_match, a->has_count, a->count},
         OBJECT_ZSET);
}
