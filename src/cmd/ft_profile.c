/* FT.PROFILE: the shapes are RediSearch's; one search stands where it has a tree of iterators. */
#include "cmd/ft_profile.h"

#include "cmd/env.h"
#include "cmd/ft.h"

uint64_t ft_profile_now(const struct ft_profile *p, const struct db *db)
{
    return p->on ? db->io->ops->mono_us(db->io) : 0;
}

void ft_profile_begin(struct reply *r, const struct ft_profile *p)
{
    if (p->on && r->proto != 3)
        reply_array(r, 2);
}

/* -- shapes ------------------------------------------------------------------------------------ */

/* A name and what is said of it: in RESP2 a pair of its own, or of one list. */
static void put_name(struct reply *r, const char *name, size_t size_resp2)
{
    if (r->proto != 3)
        reply_array(r, size_resp2);
    reply_text(r, name);
}

static void put_map(struct reply *r, size_t pairs)
{
    if (r->proto == 3)
        reply_map(r, pairs);
    else
        reply_array(r, 2 * pairs);
}

static void put_ms(struct reply *r, const char *name, uint64_t us)
{
    reply_text(r, name);
    reply_double(r, (double)us / 1000);
}

static void put_total(struct reply *r, const char *name, uint64_t us)
{
    put_name(r, name, 2);
    reply_double(r, (double)us / 1000);
}

static void put_count(struct reply *r, const char *name, uint64_t count)
{
    reply_text(r, name);
    reply_int(r, (int64_t)count);
}

/* -- what there is to say ---------------------------------------------------------------------- */

/* Without what it waited for. */
static uint64_t lane_us(const struct search *s)
{
    uint64_t sum = 0;
    for (int i = 0; i < STAGE_COUNT; i++)
        sum += i == STAGE_WAIT || i == STAGE_PLAN ? 0 : s->stage_us[i];
    return sum;
}

static void put_iterators(struct reply *r, const struct ft_profile *p, const struct search *s)
{
    put_name(r, "Iterators profile", 2);
    put_map(r, p->limited ? 3 : 6);
    reply_text(r, "Type");
    reply_text(r, p->type);
    put_ms(r, "Time", lane_us(s));
    put_count(r, "Counter", p->found);
    if (p->limited)
        return;
    reply_text(r, "Plan");
    reply_text(r, search_way_name(s->way));
    put_count(r, "Candidates", s->candidates);
    put_count(r, "Distance computations", s->cost.distances);
}

static void put_processor(struct reply *r, const char *type, uint64_t us, uint64_t count)
{
    put_map(r, 3);
    reply_text(r, "Type");
    reply_text(r, type);
    put_ms(r, "Time", us);
    put_count(r, "Counter", count);
}

static void put_processors(struct reply *r, const struct ft_profile *p, const struct search *s)
{
    size_t count = 2u + p->has_pipeline;
    put_name(r, "Result processors profile", 1 + count);
    if (r->proto == 3)
        reply_array(r, count);
    put_processor(r, "Index", lane_us(s), p->found);
    put_processor(r, "Loader", p->loader_us, p->loaded);
    if (p->has_pipeline)
        put_processor(r, "Pipeline", p->pipeline_us, p->rows);
}

void ft_profile_end(struct reply *r, const struct ft_profile *p, const struct search *s)
{
    if (!p->on)
        return;
    CHECK(p->start_us <= p->parsed_us && p->parsed_us <= p->planned_us && p->type != NULL);
    if (r->proto == 3) {
        reply_text(r, "profile");
        reply_map(r, 6);
    } else {
        reply_array(r, 6);
    }
    put_total(r, "Total profile time", ft_profile_now(p, s->db) - p->start_us);
    put_total(r, "Parsing time", p->parsed_us - p->start_us);
    put_total(r, "Pipeline creation time", p->planned_us - p->parsed_us);
    put_name(r, "Warning", 2);
    reply_text(r, p->timed_out ? ft_timeout_text : "None");
    put_iterators(r, p, s);
    put_processors(r, p, s);
}

/* -- the command ------------------------------------------------------------------------------- */

static bool asks_for_cursor(const struct slices *words)
{
    for (size_t i = 0; i < words->count; i++)
        if (slice_eq_nocase(words->items[i], "WITHCURSOR"))
            return true;
    return false;
}

void cmd_ft_profile(struct request *rq)
{
    const struct ft_profile_args *a = rq->args;
    struct why why = {{0}};
    struct ft_words w = {a->words.items, 0, a->words.count, &why};
    struct request inner = *rq;
    struct ft_call call = {.index = a->index, .profile = {.on = true}};
    call.profile.start_us = ft_profile_now(&call.profile, rq->env->db);
    bool search = ft_words_next_is(&w, "SEARCH");
    if (!search && !ft_words_next_is(&w, "AGGREGATE")) {
        reply_error(&rq->reply, "No `SEARCH` or `AGGREGATE` provided");
        return;
    }
    call.profile.limited = ft_words_next_is(&w, "LIMITED");
    if (!ft_words_next_is(&w, "QUERY")) {
        reply_error(&rq->reply, "The QUERY keyword is expected");
        return;
    }
    if (w.at == w.end) {
        reply_errorf(&rq->reply, "ERR wrong number of arguments for '%s' command",
                     rq->command->name);
        return;
    }
    call.query = w.items[w.at++];
    call.words = (struct slices){a->words.items + w.at, w.end - w.at};
    call.profile.has_pipeline = !search;
    inner.explain = EXPLAIN_TIMES;
    if (search)
        ft_search_run(&inner, &call);
    else if (asks_for_cursor(&call.words))
        reply_error(&rq->reply, "FT.PROFILE does not support cursor");
    else
        ft_aggregate_run(&inner, &call);
}
