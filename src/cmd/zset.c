#include "cmd/zset.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { NUMBER_TEXT_MAX = 400 }; /* no double needs more digits */

bool zset_read(struct request *rq, struct slice key, struct object **out)
{
    return members_read(rq, key, OBJECT_ZSET, out);
}

/* All of the text as strtod takes it; errno as it leaves it. */
static bool read_number(struct slice text, double *out)
{
    char copy[NUMBER_TEXT_MAX + 1], *end;
    if (text.len > NUMBER_TEXT_MAX)
        return false;
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    errno = 0;
    *out = strtod(copy, &end);
    return end == copy + text.len && !isnan(*out);
}

/* Digits alone, zeros first or not, that are a double in any case. */
static bool read_digits(struct slice text, double *out)
{
    enum { EXACT_DIGITS = 15 };
    uint64_t value = 0;
    if (text.len == 0 || text.len > EXACT_DIGITS)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        uint8_t digit = (uint8_t)(text.ptr[i] - '0');
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *out = (double)value;
    return true;
}

bool score_read(struct slice text, double *out)
{
    if (read_digits(text, out))
        return true;
    if (text.len == 0 || memchr(" \t\r\n\v\f", text.ptr[0], 6) != NULL || !read_number(text, out))
        return false;
    bool lost = errno == ERANGE && (isinf(*out) || *out == 0);
    *out += 0.0; /* minus zero is zero */
    return !lost;
}

/* -- ranges ------------------------------------------------------------------------------------ */

static const char *read_ranks(struct slice min, struct slice max, struct zset_range *range)
{
    bool fits = slice_to_i64(min, &range->first) && slice_to_i64(max, &range->last);
    return fits ? NULL : "ERR value is not an integer or out of range";
}

/* behind: the bound that lets go of what is equal to it. */
static bool read_score_bound(struct slice text, bool behind, struct zset_bound *out)
{
    bool open = text.len > 0 && text.ptr[0] == '(';
    if (open)
        text = (struct slice){text.ptr + 1, text.len - 1};
    *out = (struct zset_bound){.behind = behind != open};
    return read_number(text, &out->score);
}

static const char *read_scores(struct slice min, struct slice max, struct zset_range *range)
{
    bool fits =
        read_score_bound(min, false, &range->low) && read_score_bound(max, true, &range->high);
    return fits ? NULL : "ERR min or max is not a float";
}

/* *all: before all, or behind all; *none: the other end. */
static bool read_lex_bound(struct slice text, bool behind, struct zset_bound *out, bool *all,
                           bool *none)
{
    if (text.len == 0)
        return false;
    uint8_t sign = text.ptr[0];
    struct slice member = {text.ptr + 1, text.len - 1};
    *out = (struct zset_bound){
        .member = member, .by_member = true, .any_score = true, .behind = behind != (sign == '(')};
    *all = sign == (behind ? '+' : '-') && member.len == 0;
    *none = sign == (behind ? '-' : '+') && member.len == 0;
    return *all || *none || sign == '(' || sign == '[';
}

static const char *read_members(struct slice min, struct slice max, struct zset_range *range)
{
    bool fits = read_lex_bound(min, false, &range->low, &range->from_all, &range->from_none) &&
                read_lex_bound(max, true, &range->high, &range->to_all, &range->to_none);
    return fits ? NULL : "ERR min or max not valid string range item";
}

bool zset_range_read(struct request *rq, struct slice min, struct slice max,
                     struct zset_range *range)
{
    const char *wrong = range->kind == RANGE_RANK    ? read_ranks(min, max, range)
                        : range->kind == RANGE_SCORE ? read_scores(min, max, range)
                                                     : read_members(min, max, range);
    if (wrong != NULL)
        reply_error(&rq->reply, wrong);
    return wrong == NULL;
}

/* As Redis counts: negative numbers from the end, what is out of range is cut. */
static struct zset_part part_of_ranks(const struct zset_range *range, int64_t size)
{
    int64_t first = range->first < 0 ? range->first + size : range->first;
    int64_t last = range->last < 0 ? range->last + size : range->last;
    first = first < 0 ? 0 : first;
    last = last >= size ? size - 1 : last;
    if (first > last || first >= size)
        return (struct zset_part){0};
    return (struct zset_part){(uint32_t)first, (uint32_t)(last - first + 1)};
}

static struct zset_part part_of_bounds(const struct db *db, const struct object *o,
                                       const struct zset_range *range, uint32_t size)
{
    uint32_t from = range->from_all ? 0 : range->from_none ? size : zsets_rank(db, o, &range->low);
    uint32_t to = range->to_all ? size : range->to_none ? 0 : zsets_rank(db, o, &range->high);
    return (struct zset_part){from, from < to ? to - from : 0};
}

struct zset_part zset_range_part(const struct db *db, const struct object *o,
                                 const struct zset_range *range)
{
    uint32_t size = (uint32_t)members_count(o);
    if (size == 0)
        return (struct zset_part){0};
    bool ranks = range->kind == RANGE_RANK;
    struct zset_part part = ranks ? part_of_ranks(range, size) : part_of_bounds(db, o, range, size);
    if (part.count == 0 || range->offset < 0 || range->offset >= part.count)
        return (struct zset_part){0};
    uint32_t offset = (uint32_t)range->offset, count = part.count - offset;
    if (range->limit >= 0 && range->limit < count)
        count = (uint32_t)range->limit;
    if (!range->reverse)
        return (struct zset_part){part.first + offset, count};
    /* Ranks of a reverse range count from the end. */
    uint32_t last = ranks ? size - 1 - part.first : part.first + part.count - 1;
    return (struct zset_part){last - offset, count};
}

/* -- replies ----------------------------------------------------------------------------------- */

void zset_reply_begin(struct reply *r, size_t count, bool with_scores)
{
    reply_array(r, with_scores && r->proto == 2 ? 2 * count : count);
}

void zset_reply_member(struct reply *r, const struct scored *s, bool with_scores)
{
    if (with_scores && r->proto == 3)
        reply_array(r, 2);
    reply_bulk(r, s->member);
    if (with_scores)
        reply_double17(r, s->score);
}

bool zset_store(struct request *rq, struct slice key, const struct scored *members, size_t count)
{
    if (count == 0)
        return db_find(rq->env->db, key) == NULL || key_remove(rq, key);
    return write_mutation(rq, &(struct mutation){.kind = MUTATION_ZSET_ADD,
                                                 .key = key,
                                                 .members = members,
                                                 .count = count,
                                                 .replaces = true});
}
