/* VEXPLAIN [ANALYZE] command: the command is parsed and planned as ever; in place of its reply come
 * lines that say how it finds its hits, by what estimates, and with ANALYZE what that came to. */
#include "cmd/explain.h"

#include <math.h>

#include "base/limits.h"
#include "cmd/env.h"
#include "cmd/vector.h"

enum { ARGS_ROOM = 1024 };

/* -- the lines --------------------------------------------------------------------------------- */

static void put_pair(struct reply *r, const char *name, struct buf *line)
{
    reply_text(r, name);
    reply_gathered(r, line);
    line->len = 0;
}

static void put_collection(struct reply *r, const struct search *s, struct buf *line)
{
    const struct collection *c = s->view.collection;
    const char *walked =
        spec_has_codes(&s->view.side->shape) ? quant_name(s->view.side->shape.quant)
                                             : type_name(c->spec.type);
    buf_printf(line, "%zu elements of %u dimensions, %s over %s, %zu not linked yet", s->view.live,
               c->spec.dim, s->view.graph == NULL ? "FLAT" : s->view.graph->ops->name, walked,
               (size_t)(s->view.pending.tail - s->view.pending.head));
    put_pair(r, "collection", line);
}

static void put_ways(struct buf *line, const struct search *s)
{
    const char *comma = "";
    for (int way = 0; way < WAY_COUNT; way++) {
        if (way == (int)s->way || s->way_ns[way] == 0 || isinf(s->way_ns[way]))
            continue;
        buf_printf(line, "%s%s %.0f us", comma, search_way_name((enum search_way)way),
                   s->way_ns[way] / 1000);
        comma = ", ";
    }
    if (*comma == '\0')
        buf_append_text(line, "nothing else would do");
}

/* Why this plan: what drives it, and what the others were estimated to cost. */
static void put_why(struct reply *r, const struct search *s, struct buf *line)
{
    const struct plan *plan = &s->plan;
    if (!search_selects(s)) {
        buf_append_text(line, s->exact                ? "EXACT was asked for"
                              : s->view.graph == NULL ? "the collection is small and has no graph"
                              : s->way == WAY_SCAN    ? "the effort is close to the number of rows"
                              : s->choice != NULL     ? "the partitions have all elements"
                                                      : "there is no filter");
        put_pair(r, "why", line);
        return;
    }
    if (plan->field >= 0) {
        struct slice name = predicate_field_name(s->predicate, (size_t)plan->field);
        buf_printf(line, "the index of %.*s names %zu rows; ", (int)name.len,
                   (const char *)name.ptr, plan->bound);
    } else if (plan->by_partition) {
        buf_printf(line, "the partitions have %zu rows; ", plan->bound);
    } else if (plan->rows != NULL) {
        buf_printf(line, "indexes name %zu rows; ", plan->bound);
    }
    if (s->work == NULL && s->way_ns[s->way] > 0)
        buf_printf(line, "estimated %.0f us; instead of it: ", s->way_ns[s->way] / 1000);
    if (s->work == NULL)
        put_ways(line, s);
    else
        buf_append_text(line, s->way == WAY_FILTERED_SCAN ? "no index names few enough"
                                                          : "fewer than all rows are looked at");
    if (s->fell_back)
        buf_append_text(line, "; a walk before it met too few matches near the query");
    put_pair(r, "why", line);
}

/* The target, what was chosen for it, and what that is expected to come to. */
static void put_recall(struct reply *r, const struct search *s, struct buf *line)
{
    const struct effort_plan *plan = &s->efforts;
    buf_printf(line, "target %g", s->target);
    if (s->view.graph == NULL || s->exact) {
        buf_append_text(line, plan->calibrated ? ", which no effort that was measured comes to: "
                                                 "all rows are looked at"
                                               : ", all rows are looked at");
        put_pair(r, "recall", line);
        return;
    }
    const char *unit = s->view.graph->ops->is_graph ? "effort" : "lists";
    buf_printf(line, ", %s %.0f", unit, effort_plan_at(plan, 1));
    if (search_selects(s) && s->plan.matches > 0)
        buf_printf(line, ", %.0f for %.3g %% of the elements",
                   effort_plan_at(plan, fmin(s->plan.matches / (double)s->view.live, 1)),
                   100 * fmin(s->plan.matches / (double)s->view.live, 1));
    if (plan->calibrated)
        buf_printf(line, ", estimated %.4f (%.4f to %.4f) from %u queries%s",
                   plan->expected.estimate, plan->expected.low, plan->expected.high, plan->queries,
                   plan->aged ? ", higher since much has changed" : "");
    else
        buf_append_text(line, ", a guess: nothing was measured yet");
    put_pair(r, "recall", line);
}

static void put_filter(struct reply *r, const struct search *s, struct buf *line)
{
    bool columns = predicate_is_columnar(s->predicate);
    buf_append_text(line, columns ? "over columns"
                                  : "over attributes: not all of it is in the "
                                    "schema");
    if (!columns && s->view.builds_fields)
        buf_append_text(line, ", or the columns are being built");
    put_pair(r, "filter", line);
    if (s->plan.exact)
        buf_printf(line, "%zu, counted by an index", s->plan.bound);
    else
        buf_printf(line, "about %.0f, estimated from %s", s->plan.matches,
                   s->plan.known ? "indexes"
                   : s->sampled  ? "a sample of 200 rows"
                                 : "nothing");
    put_pair(r, "matches", line);
}

static void put_partitions(struct reply *r, const struct search *s, struct buf *line)
{
    buf_printf(line, "%u named, with %zu elements", s->choice->pick_count, s->choice->count);
    put_pair(r, "partitions", line);
}

static void put_times(struct reply *r, const struct search *s, struct buf *line)
{
    static const char *const names[STAGE_COUNT] = {
        [STAGE_PLAN] = "plan",     [STAGE_WAIT] = "wait",   [STAGE_OTHER] = "other",
        [STAGE_SAMPLE] = "sample", [STAGE_WALK] = "walk",   [STAGE_SCAN] = "scan",
        [STAGE_RANK] = "rank",     [STAGE_ENCODE] = "reply"};
    uint64_t sum = 0;
    for (int i = 0; i < STAGE_COUNT; i++) {
        if (s->stage_us[i] > 0 || i == STAGE_PLAN) /* which may take less than one */
            buf_printf(line, "%s %llu us, ", names[i], (unsigned long long)s->stage_us[i]);
        sum += s->stage_us[i];
    }
    buf_printf(line, "all %llu us", (unsigned long long)sum);
    put_pair(r, "time", line);
}

static void put_work(struct reply *r, const struct search *s, struct buf *line)
{
    buf_printf(line, "%llu", (unsigned long long)s->candidates);
    put_pair(r, "candidates", line);
    buf_printf(line, "%llu", (unsigned long long)s->cost.distances);
    put_pair(r, "distance computations", line);
    buf_printf(line, "%llu", (unsigned long long)s->cost.hops);
    if (s->cost.tested > 0)
        buf_printf(line, ", %llu rows tested by the filter on the way",
                   (unsigned long long)s->cost.tested);
    put_pair(r, "rows whose links were followed", line);
    buf_printf(line, "%llu%s", (unsigned long long)s->hits,
               s->cost.stopped ? ", when the time was over" : "");
    put_pair(r, "hits", line);
    put_times(r, s, line);
}

void explain_reply(struct reply *r, const struct search *s)
{
    struct buf line = BUF_INIT(MEM_CLIENT);
    bool filter = s->filter != NULL, analyze = s->explain == EXPLAIN_ANALYZE;
    reply_map(r, 3 + (s->target > 0 ? 1u : 0u) + (s->choice != NULL ? 1u : 0u) +
                     (filter ? 2u : 0u) + (analyze ? 5u : 0u));
    put_collection(r, s, &line);
    buf_append_text(&line, search_way_name(s->way));
    if (s->query_count > 1)
        buf_printf(&line, " (the last of %zu queries)", s->query_count);
    put_pair(r, "plan", &line);
    put_why(r, s, &line);
    if (s->target > 0)
        put_recall(r, s, &line);
    if (s->choice != NULL)
        put_partitions(r, s, &line);
    if (filter)
        put_filter(r, s, &line);
    if (analyze)
        put_work(r, s, &line);
    buf_fini(&line);
}

/* -- the command ------------------------------------------------------------------------------- */

static bool can_explain(const struct command *c)
{
    return c->run == cmd_vsearch || c->run == cmd_vmsearch || c->run == cmd_vsim ||
           c->run == cmd_vquery || c->run == cmd_vcount;
}

void cmd_vexplain(struct request *rq)
{
    const struct vexplain_args *a = rq->args;
    _Alignas(16) uint8_t args[ARGS_ROOM] = {0};
    struct why why = {{0}};
    struct request inner = *rq;
    inner.command = command_find(a->words.items[0]);
    inner.argv = a->words.items;
    inner.argc = a->words.count;
    inner.explain = a->analyze ? EXPLAIN_ANALYZE : EXPLAIN_PLAN;
    if (inner.command == NULL || !can_explain(inner.command)) {
        reply_error(&rq->reply, "ERR VEXPLAIN takes VSEARCH, VMSEARCH, VSIM, VQUERY or VCOUNT");
        return;
    }
    bool lacks = inner.command->run == cmd_vcount && inner.argc < 3;
    if (lacks || !command_arity_fits(inner.command, inner.argc)) {
        reply_errorf(&rq->reply, "ERR wrong number of arguments for '%s' command",
                     inner.command->name);
        return;
    }
    CHECK(inner.command->args_size <= sizeof(args));
    enum err e = args_parse(inner.command, inner.argv, inner.argc, args, &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return;
    }
    inner.args = args;
    inner.command->run(&inner);
}
