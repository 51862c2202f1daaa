/* Commands that find elements by their attributes alone, or one after the other: VQUERY, VCOUNT,
 * VSCAN. */
#include <stdio.h>

#include "base/glob.h"
#include "base/limits.h"
#include "cmd/vector.h"
#include "cmd/vector_job.h"
#include "cmd/vector_row.h"
#include "db/query.h"
#include "db/search_find.h"

/* Replies the error of a search that does not start, and frees it. */
static void refuse(struct request *rq, struct search *s, enum err e, const struct why *why)
{
    CHECK(e != OK);
    reply_err(&rq->reply, e, why);
    search_free(s);
}

/* -- VQUERY ------------------------------------------------------------------------------------ */

/* [lane] */
static enum err run_query(struct search *s, struct lane *lane)
{
    const struct query *query = s->extra;
    struct row_shape shape;
    uint32_t *rows;
    size_t count;
    enum err e = query_rows(s, lane, query, &rows, &count);
    if (e != OK)
        return e;
    struct reply r = reply_of_search(s);
    e = row_shape_init(&shape, &s->view, s->with, s->pick);
    search_stage(s, STAGE_ENCODE);
    s->hits = count;
    if (e == OK) {
        reply_status(&r, s);
        reply_array(&r, count);
    }
    for (size_t i = 0; i < count && e == OK; i++)
        reply_row(&r, &shape, rows[i], 0);
    row_shape_fini(&shape);
    mem_free(MEM_SCRATCH, rows);
    return e;
}

static enum err check_query(const struct vquery_args *a, struct why *why)
{
    if (a->has_order && !a->has_sort_by)
        return why_set(why, ERR_ARG, "ASC and DESC go with SORTBY");
    if (a->raw && !a->with_vectors)
        return why_set(why, ERR_ARG, "RAW goes after WITHVECTORS");
    if ((a->has_count ? a->count : 10) + (a->has_offset ? a->offset : 0) > LIMIT_EF)
        return why_set(why, ERR_LIMIT, "OFFSET and COUNT together are at most %d", LIMIT_EF);
    return OK;
}

static void end_query(struct search *s)
{
    json_pick_free(((struct query *)s->extra)->sort_by);
}

/* On an error the caller frees s, with whatever was set. */
static enum err plan_query(struct search *s, const struct vquery_args *a, struct why *why)
{
    const struct collection *c = s->view.collection;
    struct query *query = mem_try_calloc(MEM_SCRATCH, sizeof(*query));
    s->extra = query;
    if (query == NULL)
        return ERR_NOMEM;
    s->end_extra = end_query;
    query->descending = a->has_order && a->order == 1;
    query->offset = a->has_offset ? (size_t)a->offset : 0;
    query->count = a->has_count ? (size_t)a->count : 10;
    s->work = run_query;
    s->with = (a->with_attributes ? WITH_ATTRIBUTE : 0u) | (a->with_vectors ? WITH_VECTOR : 0u) |
              (a->raw ? WITH_RAW : 0u) | (a->has_timeout ? WITH_STATUS : 0u) |
              (a->with_ttl ? WITH_TTL : 0u) | (a->with_partition ? WITH_PARTITION : 0u);
    if (a->has_timeout)
        s->deadline_us = s->db->io->ops->mono_us(s->db->io) + (uint64_t)a->timeout * 1000;
    enum err e = compile_filter(a->expression, a->has_params ? &a->params : NULL, &s->filter, why);
    if (e == OK && a->has_sort_by)
        e = json_pick_new("SORTBY", &a->sort_by, 1, &query->sort_by, why);
    if (e == OK)
        e = choose_partitions(c, a->key, &a->partitions, a->has_partitions, &s->choice, why);
    if (e == OK)
        e = read_return(&a->fields, a->has_fields, &s->pick, why);
    return e;
}

void cmd_vquery(struct request *rq)
{
    const struct vquery_args *a = rq->args;
    struct why why = {{0}};
    struct collection *c = need_collection(rq, a->key);
    if (c == NULL)
        return;
    enum err e = check_query(a, &why);
    struct search *s = e == OK ? search_new(rq->env->db, c, 1) : NULL;
    if (e == OK)
        e = s == NULL ? ERR_NOMEM : plan_query(s, a, &why);
    if (e == OK)
        search_for_client(rq, s);
    else
        refuse(rq, s, e, &why);
}

/* -- VCOUNT ------------------------------------------------------------------------------------ */

static bool count_row(void *user, uint32_t row)
{
    (void)row;
    ++*(int64_t *)user;
    return true;
}

/* [lane] */
static enum err run_count(struct search *s, struct lane *lane)
{
    int64_t count = 0;
    struct reply r = reply_of_search(s);
    if (s->plan.exact && !s->view.has_due) {
        s->way = WAY_INDEX;
        count = (int64_t)s->plan.bound; /* as the index knew when the view was taken */
    } else {
        query_each(s, lane, count_row, &count);
    }
    reply_int(&r, count);
    return OK;
}

/* Without an expression. */
static void count_all(struct request *rq, const struct collection *c)
{
    const struct vcount_args *a = rq->args;
    uint64_t now_ms = rq->env->db->now_ms;
    struct partition_choice *choice = NULL;
    struct why why = {{0}};
    enum err e = OK;
    if (a->has_params || rq->explain != EXPLAIN_NO)
        e = why_set(&why, ERR_ARG, "PARAMS and VEXPLAIN go with an expression");
    if (e == OK)
        e = choose_partitions(c, a->key, &a->partitions, a->has_partitions, &choice, &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return;
    }
    if (choice != NULL)
        partition_choice_refresh(choice, c->partitions, collection_sums(c).count);
    reply_int(&rq->reply, (int64_t)(choice == NULL ? collection_count(c, now_ms)
                                                   : collection_count_in(c, now_ms, choice)));
    mem_free(MEM_SCRATCH, choice);
}

void cmd_vcount(struct request *rq)
{
    const struct vcount_args *a = rq->args;
    struct why why = {{0}};
    struct collection *c = need_collection(rq, a->key);
    if (c == NULL)
        return;
    if (!a->has_expression) {
        count_all(rq, c);
        return;
    }
    struct search *s = search_new(rq->env->db, c, 1);
    enum err e = s == NULL ? ERR_NOMEM
                           : compile_filter(a->expression, a->has_params ? &a->params : NULL,
                                            &s->filter, &why);
    if (e == OK)
        e = choose_partitions(c, a->key, &a->partitions, a->has_partitions, &s->choice, &why);
    if (e != OK) {
        refuse(rq, s, e, &why);
        return;
    }
    s->work = run_count;
    search_for_client(rq, s);
}

/* -- VSCAN ------------------------------------------------------------------------------------- */

/* The loop looks at so many ids in one call, whatever COUNT says: a scan ends when its cursor is 0,
 * not when a call returns less than was asked for. */
enum { SCAN_IDS_MAX = 2048 };

/* Ids as they will be replied; their number comes first, so they wait here. */
struct id_listing {
    struct reply reply;
    struct buf text;
    size_t count;
    const struct slice *pattern;     /* NULL: all */
    struct partition_choice *choice; /* NULL: all */
    struct collection_view view;
};

static void list_id(void *user, uint32_t row)
{
    struct id_listing *l = user;
    if (!row_visible(&l->view.codes, row) ||
        (l->choice != NULL && !partition_bit(l->choice->bits, l->view.codes.group[row])))
        return;
    struct slice id = view_id(&l->view, row);
    if (l->pattern != NULL && !glob_match(*l->pattern, id))
        return;
    reply_bulk(&l->reply, id);
    l->count++;
}

/* The cursor is a place in the order of hashes, which an id keeps however often its element is
 * replaced or moved: one that is there all the time is returned, at least once. */
void cmd_vscan(struct request *rq)
{
    const struct vscan_args *a = rq->args;
    uint64_t cursor;
    struct id_listing l = {.pattern = a->has_match ? &a->match : NULL,
                           .text = BUF_INIT(MEM_CLIENT)};
    if (!slice_to_u64(a->cursor, &cursor)) {
        reply_error(&rq->reply, "ERR invalid cursor");
        return;
    }
    if (a->has_match && !pattern_fits(rq, a->match))
        return;
    struct collection *c = need_collection(rq, a->key);
    if (c == NULL)
        return;
    struct why why = {{0}};
    enum err e = choose_partitions(c, a->key, &a->partitions, a->has_partitions, &l.choice, &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return;
    }
    size_t step = a->has_count ? (size_t)a->count : 10;
    db_view(rq->env->db, c, &l.view);
    l.reply = (struct reply){&l.text, rq->reply.proto};
    cursor = map_scan(&c->ids, cursor, step < SCAN_IDS_MAX ? step : SCAN_IDS_MAX, list_id, &l);
    if (buf_failed(&l.text)) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    } else {
        char text[24];
        int size = snprintf(text, sizeof(text), "%llu", (unsigned long long)cursor);
        CHECK(size > 0 && (size_t)size < sizeof(text));
        reply_array(&rq->reply, 2);
        reply_text(&rq->reply, text);
        reply_array(&rq->reply, l.count);
        buf_append_slice(rq->reply.out, buf_slice(&l.text));
    }
    buf_fini(&l.text);
    mem_free(MEM_SCRATCH, l.choice);
}
