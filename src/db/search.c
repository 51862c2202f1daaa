#include "db/search.h"

#include <math.h>

#include "db/recall.h"
#include "db/search_find.h"

enum {
    LOOP_FLOATS_MAX = 8 * 1024, /* floats read by a scan that is not worth a trip to a lane */
    QUERIES_PER_JOB = 16
};

static bool deadline_is_over(void *user)
{
    const struct search *s = user;
    return s->db->io->ops->mono_us(s->db->io) >= s->deadline_us;
}

/* What is no search of vectors: it looks at all rows, or at those that an index names. */
static enum err run_work(struct search *s, struct lane *lane)
{
    s->way = s->plan.rows != NULL ? WAY_CANDIDATES : WAY_FILTERED_SCAN;
    search_stage(s, STAGE_SCAN);
    return s->explain == EXPLAIN_PLAN ? OK : s->work(s, lane);
}

static void run(struct search *s, struct lane *lane, size_t most)
{
    size_t dim = s->view.collection->spec.dim;
    if (s->deadline_us > 0) {
        s->cost.is_over = deadline_is_over;
        s->cost.user = s;
    }
    if (s->prepare != NULL && s->error == OK) {
        s->error = s->prepare(s, lane);
        s->prepare = NULL;
    }
    for (size_t i = 0; i < most && s->answered < s->query_count && s->error == OK; i++) {
        s->error = s->work != NULL ? run_work(s, lane)
                                   : search_find(s, lane, s->queries + s->answered * dim);
        if (s->wants_rows)
            return;
        s->answered++;
    }
    if (s->error == OK && buf_failed(&s->reply))
        s->error = ERR_NOMEM;
}

static void run_job(struct job *job, struct lane *lane)
{
    struct search *s = (struct search *)job;
    search_stage(s, STAGE_OTHER);
    run(s, lane, QUERIES_PER_JOB);
    search_stage(s, STAGE_WAIT);
}

/* What the search reads from now on. False: memory is short, which s->error says. */
static bool begin(struct search *s)
{
    struct collection *c = s->view.collection;
    db_view(s->db, c, &s->view);
    search_stage(s, STAGE_PLAN);
    if (!s->rows_asked)
        recall_plan(&s->db->recall, s);
    if (s->choice != NULL)
        partition_choice_refresh(s->choice, c->partitions, s->view.live);
    s->narrows = s->choice != NULL && !s->choice->all;
    if (s->filter != NULL)
        s->predicate = predicate_new(s->filter, c->fields);
    if (s->filter != NULL && s->predicate == NULL) {
        s->error = ERR_NOMEM;
        return false;
    }
    if (!search_selects(s))
        return true;
    if (s->named) {
        s->plan.exact = s->predicate == NULL && !s->narrows;
        return true;
    }
    struct plan_request request = {.predicate = s->predicate, .live = s->view.live};
    if (s->narrows) {
        request.choice = s->choice;
        request.partitions = c->partitions;
    }
    plan_make(&s->plan, &request);
    if (s->rows_asked || search_wants_rows(s))
        plan_make_rows(&s->plan, &request);
    s->rows_asked |= s->plan.rows != NULL;
    return true;
}

/* A walk had met too few matches: from now on, with the rows that an index names. The guard that is
 * held was taken before, so it holds what is seen now, too. */
static bool begin_again(struct search *s)
{
    plan_fini(&s->plan);
    predicate_free(s->predicate);
    s->predicate = NULL;
    s->wants_rows = false;
    s->rows_asked = true;
    return begin(s);
}

bool search_renew(struct search *s, bool with_rows)
{
    if (with_rows)
        return begin_again(s);
    plan_fini(&s->plan);
    predicate_free(s->predicate);
    s->predicate = NULL;
    s->wants_rows = s->rows_asked = s->fell_back = s->matches_walked = s->sampled = false;
    s->is_check = true;
    s->deadline_us = 0;
    s->cost = (struct index_cost){0};
    return begin(s);
}

/* Long batches go through the queue again, so that others have their turn. */
static void done_job(struct job *job)
{
    struct search *s = (struct search *)job;
    if (s->error == OK && s->wants_rows && begin_again(s))
        search_stage(s, STAGE_WAIT);
    if (s->error == OK && s->answered < s->query_count) {
        s->db->io->ops->submit(s->db->io, &s->job);
        return;
    }
    struct epoch *epoch = &s->db->epoch;
    uint64_t guard = s->guard;
    s->done(s);
    epoch_leave(epoch, guard);
}

struct search *search_new(struct db *db, struct collection *c, size_t query_count)
{
    struct search *s = mem_try_calloc(MEM_SCRATCH, sizeof(*s));
    float *queries = mem_try(MEM_SCRATCH, query_count * c->spec.dim * sizeof(float));
    if (s == NULL || queries == NULL) {
        mem_free(MEM_SCRATCH, s);
        mem_free(MEM_SCRATCH, queries);
        return NULL;
    }
    s->db = db;
    s->view.collection = c;
    s->queries = queries;
    s->query_count = query_count;
    s->radius = INFINITY;
    s->stage = STAGE_COUNT;
    s->reply = BUF_INIT(MEM_CLIENT);
    return s;
}

enum err search_name_rows(struct search *s, const struct slice *ids, size_t count)
{
    const struct collection *c = s->view.collection;
    uint32_t *rows = mem_try(MEM_SCRATCH, (count + 1) * sizeof(*rows));
    if (rows == NULL)
        return ERR_NOMEM;
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t row = db_element(s->db, c, ids[i]);
        if (row != ROW_NONE)
            rows[found++] = row;
    }
    s->named = true;
    s->plan = (struct plan){
        .known = true, .field = -1, .can_name = true, .rows = rows, .row_count = found};
    if (!plan_tidy(&s->plan, c->rows_end))
        return ERR_NOMEM;
    s->plan.bound = s->plan.row_count;
    s->plan.matches = (double)s->plan.row_count;
    return OK;
}

void search_run_here(struct search *s)
{
    bool ok = begin(s);
    if (ok)
        run(s, &s->db->lane, SIZE_MAX);
    if (ok && s->wants_rows && begin_again(s))
        run(s, &s->db->lane, SIZE_MAX);
    CHECK(!s->wants_rows);
    search_stage(s, STAGE_WAIT);
}

bool search_start(struct search *s)
{
    CHECK((s->encode != NULL || s->work != NULL) && s->done != NULL);
    struct collection *c = s->view.collection;
    size_t floats = (size_t)c->rows_end * c->spec.dim * s->query_count;
    bool small = floats <= LOOP_FLOATS_MAX && s->explain == EXPLAIN_NO;
    if (small && s->filter == NULL && s->work == NULL && s->prepare == NULL) {
        search_run_here(s);
        return true;
    }
    (void)begin(s); /* run() looks at the error */
    c->searched_us = s->db->io->ops->mono_us(s->db->io);
    s->guard = epoch_enter(&s->db->epoch);
    search_stage(s, STAGE_WAIT);
    s->job = (struct job){.run = run_job, .done = done_job, .class = JOB_SEARCH};
    s->db->io->ops->submit(s->db->io, &s->job);
    return false;
}

void search_free(struct search *s)
{
    if (s == NULL)
        return;
    plan_fini(&s->plan);
    predicate_free(s->predicate);
    filter_free(s->filter);
    refine_free(s->refine);
    mem_free(MEM_SCRATCH, s->choice);
    json_pick_free(s->pick);
    mem_free(MEM_SCRATCH, s->queries);
    if (s->end_extra != NULL)
        s->end_extra(s);
    mem_free(MEM_SCRATCH, s->extra);
    buf_fini(&s->reply);
    mem_free(MEM_SCRATCH, s);
}
