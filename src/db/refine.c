#include "db/refine.h"

#include <math.h>
#include <string.h>

#include "base/limits.h"
#include "index/scratch.h"

enum {
    FETCH_FACTOR = 5, /* times the wanted ones are chosen from, */
    FETCH_MIN = 50,   /* but so many at least */
    WIDER = 4         /* times more are looked at when there are too few groups */
};

struct refine *refine_new(void)
{
    struct refine *r = mem_try_calloc(MEM_SCRATCH, sizeof(*r));
    if (r != NULL)
        r->omitted = BUF_INIT(MEM_SCRATCH);
    return r;
}

static void forget_groups(struct refine *r)
{
    mem_free(MEM_SCRATCH, r->groups);
    mem_free(MEM_SCRATCH, r->members);
    r->groups = NULL;
    r->members = NULL;
    r->group_count = 0;
}

void refine_free(struct refine *r)
{
    if (r == NULL)
        return;
    forget_groups(r);
    buf_fini(&r->omitted);
    json_pick_free(r->group_by);
    mem_free(MEM_SCRATCH, r);
}

enum err refine_omit(struct refine *r, const struct slice *ids, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        buf_append(&r->omitted, &ids[i].len, sizeof(ids[i].len));
        buf_append_slice(&r->omitted, ids[i]);
    }
    r->omitted_count += count;
    return buf_failed(&r->omitted) ? ERR_NOMEM : OK;
}

static size_t more_of(size_t count, size_t times, size_t most)
{
    return count > most / times ? most : count * times;
}

size_t refine_first(const struct refine *r, size_t wanted)
{
    size_t hits = wanted;
    if (r->varies) {
        size_t some = more_of(wanted, FETCH_FACTOR, LIMIT_MMR_FETCH);
        hits = r->fetch > 0 ? r->fetch : some < FETCH_MIN ? FETCH_MIN : some;
        hits = hits < wanted ? wanted : hits;
    } else if (r->group_by != NULL) {
        hits = more_of(wanted * r->group_size, 2, LIMIT_GROUPS);
    }
    return hits + r->omitted_count;
}

/* -- examples ---------------------------------------------------------------------------------- */

static bool is_omitted(const struct refine *r, struct slice id)
{
    for (size_t at = 0; at < r->omitted.len;) {
        size_t len;
        memcpy(&len, r->omitted.ptr + at, sizeof(len));
        if (len == id.len && memcmp(r->omitted.ptr + at + sizeof(len), id.ptr, len) == 0)
            return true;
        at += sizeof(len) + len;
    }
    return false;
}

static size_t drop_omitted(const struct refine *r, const struct collection_view *v,
                           struct hit *hits, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_omitted(r, view_id(v, hits[i].row)))
            hits[kept++] = hits[i];
    return kept;
}

/* -- groups ------------------------------------------------------------------------------------ */

/* Values are the same as filters compare them: 1 and 1.0, and a letter and its escape. FNV-1a. */
static uint64_t hash_of(const struct json_value *v)
{
    uint64_t hash = 0xcbf29ce484222325U ^ (uint64_t)v->kind;
    if (v->kind == JSON_NUMBER) {
        double number = json_number(v) + 0.0; /* -0 is 0 */
        uint64_t bits;
        memcpy(&bits, &number, sizeof(bits));
        return (hash ^ bits) * 0x9e3779b97f4a7c15U;
    }
    struct json_chars chars = json_chars_of(v->text, v->escaped);
    for (int c; v->kind == JSON_STRING && (c = json_chars_next(&chars)) >= 0;)
        hash = (hash ^ (uint64_t)c) * 0x100000001b3U;
    return hash;
}

static bool same(const struct json_value *a, const struct json_value *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == JSON_NUMBER)
        return json_number(a) == json_number(b);
    return a->kind != JSON_STRING || json_text_cmp(a->text, a->escaped, b->text, b->escaped) == 0;
}

/* Only what is one value makes a group. */
static bool groups_by(const struct json_value *v)
{
    return v->kind == JSON_STRING || v->kind == JSON_NUMBER || v->kind == JSON_TRUE ||
           v->kind == JSON_FALSE;
}

#define GROUP_NONE UINT32_MAX

/* Groups by their value: numbers of groups and 1, 0 in free places. */
struct group_table {
    uint32_t *slots;
    size_t mask;
};

/* The number of the group of a value; GROUP_NONE when there are most of others. */
static uint32_t find_group(struct refine *r, struct group_table *table, size_t most,
                           const struct json_value *value)
{
    size_t slot = (hash_of(value) >> 20) & table->mask;
    for (; table->slots[slot] != 0; slot = (slot + 1) & table->mask)
        if (same(&r->groups[table->slots[slot] - 1].value, value))
            return table->slots[slot] - 1;
    if (r->group_count == most)
        return GROUP_NONE;
    r->groups[r->group_count++] = (struct refine_group){.value = *value};
    table->slots[slot] = (uint32_t)r->group_count;
    return table->slots[slot] - 1;
}

/* Counts the hits of at most `most` groups, and notes of which group each is; returns how many
 * groups are full. */
static size_t count_groups(struct refine *r, const struct collection_view *v,
                           struct group_table *table, size_t most, const struct hit *hits,
                           size_t count, uint32_t *of)
{
    size_t full = 0;
    for (size_t i = 0; i < count; i++) {
        struct json_value value;
        json_pick_read(r->group_by, view_attribute(v, hits[i].row), &value);
        of[i] = groups_by(&value) ? find_group(r, table, most, &value) : GROUP_NONE;
        if (of[i] != GROUP_NONE && r->groups[of[i]].count == r->group_size)
            of[i] = GROUP_NONE;
        if (of[i] != GROUP_NONE)
            full += ++r->groups[of[i]].count == r->group_size;
    }
    return full;
}

/* Hits of one group stand together. */
static void place_members(struct refine *r, const struct hit *hits, size_t count,
                          const uint32_t *of)
{
    struct hit *at = r->members;
    for (size_t i = 0; i < r->group_count; i++) {
        r->groups[i].hits = at;
        at += r->groups[i].count;
        r->groups[i].count = 0;
    }
    for (size_t i = 0; i < count; i++)
        if (of[i] != GROUP_NONE)
            r->groups[of[i]].hits[r->groups[of[i]].count++] = hits[i];
}

static enum err group(struct refine *r, const struct collection_view *v, size_t wanted, bool all,
                      const struct hit *hits, size_t count, size_t *again)
{
    struct group_table table = {.mask = 15};
    size_t most = wanted < count ? wanted : count; /* groups there can be */
    forget_groups(r);
    while (table.mask + 1 < 2 * most)
        table.mask = 2 * table.mask + 1;
    table.slots = mem_try_calloc(MEM_SCRATCH, (table.mask + 1) * sizeof(*table.slots));
    uint32_t *of = mem_try(MEM_SCRATCH, (count + 1) * sizeof(*of));
    r->groups = mem_try(MEM_SCRATCH, (most + 1) * sizeof(*r->groups));
    r->members = mem_try(MEM_SCRATCH, (count + 1) * sizeof(*r->members));
    bool there = table.slots != NULL && of != NULL && r->groups != NULL && r->members != NULL;
    if (there) {
        size_t full = count_groups(r, v, &table, most, hits, count, of);
        size_t more = more_of(count, WIDER, LIMIT_GROUPS);
        place_members(r, hits, count, of);
        if (!all && full < wanted && more > count)
            *again = more + r->omitted_count;
    }
    mem_free(MEM_SCRATCH, table.slots);
    mem_free(MEM_SCRATCH, of);
    return there ? OK : ERR_NOMEM;
}

/* -- a choice that varies ---------------------------------------------------------------------- */

/* The hits to choose from; those that were chosen stand in front, in that order. */
struct variety {
    const struct collection_view *view;
    float lambda;
    struct hit *hits;
    size_t count;
    uint8_t *query; /* prepared */
    float *apart;   /* of each hit, from the nearest that was chosen */
    float *scores;
    uint32_t *rows;
};

/* Maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998) with distances for
 * similarities: the hit for which lambda times the distance to the query, less 1 - lambda times the
 * distance to the nearest that was chosen, is smallest. */
static size_t next_choice(const struct variety *w, size_t chosen)
{
    size_t best = chosen;
    float least = INFINITY;
    for (size_t i = chosen; i < w->count && chosen > 0; i++) {
        float value = w->lambda * w->hits[i].dist - (1 - w->lambda) * w->apart[i];
        if (value < least) {
            least = value;
            best = i;
        }
    }
    return best;
}

/* Hit `best` comes to place `chosen`, and the others are so far from it. */
static void choose(struct variety *w, size_t chosen, size_t best)
{
    const struct index_rows *exact = &w->view->exact;
    struct hit hit = w->hits[best];
    memmove(w->hits + chosen + 1, w->hits + chosen, (best - chosen) * sizeof(*w->hits));
    memmove(w->apart + chosen + 1, w->apart + chosen, (best - chosen) * sizeof(*w->apart));
    w->hits[chosen] = hit;
    size_t left = w->count - chosen - 1;
    const struct hit *others = w->hits + chosen + 1;
    float *apart = w->apart + chosen + 1;
    for (size_t i = 0; i < left; i++)
        w->rows[i] = others[i].row;
    codec_query_of_row(exact->codec, row_code(exact, hit.row), w->query);
    codec_score_many(exact->codec, w->query, exact->codes, w->rows, left, w->scores);
    for (size_t i = 0; i < left; i++)
        apart[i] = fminf(apart[i], w->scores[i]);
}

static enum err vary(const struct refine *r, const struct collection_view *v, struct lane *lane,
                     size_t wanted, struct hit *hits, size_t *count)
{
    size_t all = *count, most = wanted < all ? wanted : all;
    struct variety w = {
        .view = v,
        .lambda = r->lambda,
        .hits = hits,
        .count = all,
        .query = scratch_get(lane, SCRATCH_QUERY_A, v->exact.codec->query_size),
        .apart = mem_try(MEM_SCRATCH, (all + 1) * sizeof(float)),
        .scores = mem_try(MEM_SCRATCH, (all + 1) * sizeof(float)),
        .rows = mem_try(MEM_SCRATCH, (all + 1) * sizeof(uint32_t)),
    };
    bool there = w.query != NULL && w.apart != NULL && w.scores != NULL && w.rows != NULL;
    for (size_t i = 0; i < all && there; i++)
        w.apart[i] = INFINITY;
    for (size_t chosen = 0; chosen < most && there; chosen++)
        choose(&w, chosen, next_choice(&w, chosen));
    mem_free(MEM_SCRATCH, w.apart);
    mem_free(MEM_SCRATCH, w.scores);
    mem_free(MEM_SCRATCH, w.rows);
    *count = most;
    return there ? OK : ERR_NOMEM;
}

enum err refine_hits(struct refine *r, const struct collection_view *v, struct lane *lane,
                     size_t wanted, bool all, struct hit *hits, size_t *count, size_t *again)
{
    *again = 0;
    *count = drop_omitted(r, v, hits, *count);
    if (r->group_by != NULL) {
        enum err e = group(r, v, wanted, all, hits, *count, again);
        *count = 0;
        for (size_t i = 0; i < r->group_count; i++)
            *count += r->groups[i].count;
        return e;
    }
    if (r->varies)
        return vary(r, v, lane, wanted, hits, count);
    if (*count > wanted)
        *count = wanted;
    return OK;
}
