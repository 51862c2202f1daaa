/* Rows of an aggregation as replies, in both protocols. */
#include "cmd/ft_hybrid.h"

static const struct agg_stage *last_stage(const struct ft_aggregate *a)
{
    return &a->plan.stages[a->plan.stage_count - 1];
}

static void reply_one(struct reply *r, const struct value *v)
{
    char room[VALUE_TEXT_MAX];
    if (v->kind == VALUE_NUMBER || v->kind == VALUE_TEXT)
        reply_bulk(r, value_to_text(v, room));
    else
        reply_null(r);
}

/* Lists hold no lists. */
static void reply_value(struct reply *r, const struct value *v)
{
    if (v->kind != VALUE_LIST) {
        reply_one(r, v);
        return;
    }
    reply_array(r, v->size);
    for (uint32_t i = 0; i < v->size; i++)
        reply_one(r, &v->items[i]);
}

/* Is the name of a field of LOAD * that of a property which the row has besides? */
static bool is_shadowed(const struct agg_stage *stage, const struct value *row, struct slice name)
{
    for (uint32_t i = 0; i < stage->count; i++) {
        const struct agg_column *c = &stage->columns[i];
        if (!c->hidden && row[i].kind != VALUE_NONE && slice_eq(c->name, name))
            return true;
    }
    return false;
}

/* Names and values of LOAD *; or only how many (r NULL). */
static size_t reply_all(struct reply *r, const struct agg_stage *stage, const struct value *row,
                        const struct value *all)
{
    size_t count = 0;
    CHECK(all->kind == VALUE_NONE || all->size % 2 == 0);
    for (uint32_t i = 0; all->kind == VALUE_LIST && i < all->size; i += 2) {
        if (is_shadowed(stage, row, value_slice(&all->items[i])))
            continue;
        count++;
        if (r == NULL)
            continue;
        reply_one(r, &all->items[i]);
        reply_one(r, &all->items[i + 1]);
    }
    return count;
}

static size_t reply_pairs(struct reply *r, const struct agg_stage *stage, const struct value *row)
{
    size_t count = 0;
    for (uint32_t i = 0; i < stage->count; i++) {
        const struct agg_column *c = &stage->columns[i];
        if (c->source == AGG_ALL) {
            count += reply_all(r, stage, row, &row[i]);
            continue;
        }
        if (c->hidden || row[i].kind == VALUE_NONE)
            continue;
        count++;
        if (r == NULL)
            continue;
        reply_bulk(r, c->name);
        reply_value(r, &row[i]);
    }
    return count;
}

static void reply_plain_row(struct reply *r, const struct agg_stage *stage, const struct value *row)
{
    reply_map(r, reply_pairs(NULL, stage, row));
    (void)reply_pairs(r, stage, row);
}

static void reply_row(struct reply *r, const struct agg_stage *stage, const struct value *row)
{
    size_t pairs = reply_pairs(NULL, stage, row);
    if (r->proto == 3) {
        reply_map(r, 2);
        reply_text(r, "extra_attributes");
        reply_map(r, pairs);
    } else {
        reply_array(r, 2 * pairs);
    }
    (void)reply_pairs(r, stage, row);
    if (r->proto == 3) {
        reply_text(r, "values");
        reply_array(r, 0);
    }
}

static void reply_head(struct reply *r, const struct ft_aggregate *a, size_t count)
{
    if (r->proto == 3) {
        reply_map(r, 5u + a->ask.profile.on);
        reply_text(r, "attributes");
        reply_array(r, 0);
        reply_text(r, "format");
        reply_text(r, "STRING");
        reply_text(r, "results");
        reply_array(r, count);
    } else {
        reply_array(r, 1 + count);
        reply_int(r, (int64_t)a->run.rows.total);
    }
}

void ft_aggregate_reply(struct reply *r, const struct ft_aggregate *a, size_t first, size_t count)
{
    CHECK(first + count <= a->run.rows.count);
    reply_head(r, a, count);
    for (size_t i = first; i < first + count; i++)
        reply_row(r, last_stage(a), a->run.rows.items[i]);
    if (r->proto != 3)
        return;
    reply_text(r, "total_results");
    reply_int(r, (int64_t)a->run.rows.total);
    reply_text(r, "warning");
    reply_array(r, a->run.timed_out);
    if (a->run.timed_out)
        reply_text(r, ft_timeout_text);
}

void ft_hybrid_reply(struct reply *r, const struct ft_aggregate *a)
{
    const struct io *io = a->env->io;
    uint64_t now_us = io->ops->mono_us(a->env->io);
    reply_map(r, 4);
    reply_text(r, "total_results");
    reply_int(r, (int64_t)a->run.rows.total);
    reply_text(r, "results");
    reply_array(r, a->run.rows.count);
    for (size_t i = 0; i < a->run.rows.count; i++)
        reply_plain_row(r, last_stage(a), a->run.rows.items[i]);
    reply_text(r, "warnings");
    reply_array(r, a->run.timed_out);
    if (a->run.timed_out)
        reply_text(r, ft_timeout_text);
    reply_text(r, "execution_time");
    reply_double(r, (double)(now_us - a->hybrid->started_us) / 1000);
}
