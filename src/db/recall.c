#include "db/recall.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "db/recall_own.h"
#include "db/search_find.h"

enum {
    AGED_SHARE = 5,        /* one row in so many is new, or gone */
    QUERY_BYTES_SHARE = 64 /* of the vectors: queries that are kept take no more */
};

/* A query that comes when as many as there is room for are kept takes the place of another one
 * time in so many. */
enum { REPLACE_EVERY = 16 };

/* So much of what a target lets a search miss it may miss by an aged calibration. */
static const double aged_misses = 0.7;
static const double shown_deviations = 1.96;

void recall_init(struct recall_watch *w, struct db *db)
{
    *w = (struct recall_watch){.db = db};
}

void recall_set(struct recall_watch *w, unsigned percent, uint32_t sample_every)
{
    CHECK(percent <= RECALL_PERCENT_MAX);
    w->percent = percent;
    if (w->sample_every != sample_every)
        w->until_sample = 0;
    w->sample_every = sample_every;
    recall_wake(w);
}

/* -- what is known of a collection ------------------------------------------------------------- */

/* Makes it when there is none; NULL: memory is short. */
static struct recall *need(struct recall_watch *w, struct collection *c)
{
    if (c->recall != NULL)
        return c->recall;
    struct recall *r = mem_try_calloc(MEM_ROW, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->collection = c;
    if (w->turn == NULL) {
        r->next = r->prev = r;
        w->turn = r;
    } else {
        r->next = w->turn;
        r->prev = w->turn->prev;
        r->prev->next = r->next->prev = r;
    }
    c->recall = r;
    return r;
}

static void drop_samples(struct recall *r)
{
    for (uint32_t i = 0; i < r->sample_count; i++)
        search_free(r->samples[i]);
    r->sample_count = 0;
}

void recall_forget(struct recall_watch *w, struct collection *c)
{
    struct recall *r = c->recall;
    if (r == NULL)
        return;
    if (recall_is_of(w, r) && !w->out)
        recall_end_batch(w);
    drop_samples(r);
    r->next->prev = r->prev;
    r->prev->next = r->next;
    if (w->turn == r)
        w->turn = r->next == r ? NULL : r->next;
}

void recall_free(struct recall *r)
{
    if (r == NULL)
        return;
    CHECK(r->sample_count == 0);
    mem_free(MEM_ROW, r->queries);
    mem_free(MEM_ROW, r);
}

size_t recall_bytes(const struct collection *c)
{
    struct recall *r = c->recall;
    return r == NULL ? 0 : mem_size(r) + (r->queries == NULL ? 0 : mem_size(r->queries));
}

/* Without memory for queries it goes on without them. */
static void note_query(struct recall_watch *w, struct recall *r, const float *query)
{
    uint32_t dim = r->collection->spec.dim, at;
    if (r->queries == NULL) {
        size_t room = r->collection->live / QUERY_BYTES_SHARE;
        room = room < RECALL_QUERIES_REAL ? RECALL_QUERIES_REAL
               : room > RECALL_QUERIES    ? RECALL_QUERIES
                                          : room;
        r->queries = mem_try(MEM_ROW, room * dim * sizeof(float));
        if (r->queries == NULL)
            return;
        r->query_room = (uint32_t)room;
    }
    if (r->query_count < r->query_room)
        at = r->query_count++;
    else if (rng_below(&w->random, REPLACE_EVERY) == 0)
        at = (uint32_t)rng_below(&w->random, r->query_room);
    else
        return;
    memcpy(r->queries + (size_t)at * dim, query, dim * sizeof(float));
}

/* -- calibrations ------------------------------------------------------------------------------ */

struct recall_basis recall_basis_now(const struct collection *c)
{
    return (struct recall_basis){c->side->graph, c->side_changes, c->born, c->live};
}

bool recall_basis_holds(const struct recall_basis *basis, const struct collection *c)
{
    return basis->graph == c->side->graph && basis->side_changes == c->side_changes;
}

bool recall_usable(const struct recall *r)
{
    return r->now.queries >= CALIBRATION_QUERIES_MIN &&
           recall_basis_holds(&r->basis, r->collection);
}

bool recall_aged(const struct recall *r)
{
    const struct collection *c = r->collection;
    return (c->born - r->basis.born) * AGED_SHARE >= c->live ||
           c->live * AGED_SHARE <= r->basis.live * (AGED_SHARE - 1);
}

bool recall_wants_calibration(const struct recall *r)
{
    if (!r->wanted || r->collection->side->graph == NULL)
        return false;
    bool real = r->query_count >= RECALL_QUERIES_REAL && r->query_count >= 2 * r->now.real;
    return !recall_usable(r) || recall_aged(r) || real || r->next_one.queries > 0;
}

/* How many queries a calibration that begins now is of. */
static uint32_t queries_wanted(const struct recall *r)
{
    return r->query_count < RECALL_QUERIES_REAL ? RECALL_QUERIES : r->query_count;
}

void recall_add(struct recall_watch *w, struct recall *r, const struct calibration *sums,
                const struct recall_basis *basis)
{
    struct calibration *next = &r->next_one;
    if (next->queries == 0) {
        *next = *sums;
        r->next_basis = *basis;
    } else {
        calibration_add(next, sums);
    }
    bool over = next->queries >= queries_wanted(r);
    bool more = !recall_usable(r) || next->queries >= r->now.queries;
    if (over || (more && next->queries >= CALIBRATION_QUERIES_MIN)) {
        r->now = *next;
        r->basis = r->next_basis;
        r->planned = (struct effort_plan){0};
    }
    if (!over)
        return;
    *next = (struct calibration){0};
    w->calibrations++;
}

void recall_plan(struct recall_watch *w, struct search *s)
{
    struct collection *c = s->view.collection;
    if (s->target <= 0 || s->exact || s->view.graph == NULL)
        return;
    if (s->target >= 1) {
        s->exact = true;
        return;
    }
    struct recall *r = need(w, c);
    if (r != NULL && !s->is_check) {
        r->wanted = true;
        note_query(w, r, s->queries);
    }
    size_t k = search_first_wanted(s);
    if (r == NULL || !recall_usable(r)) {
        size_t own = search_own_effort(s);
        own = own < k && s->view.graph->ops->is_graph ? k : own;
        calibration_guess((double)own, s->target, k, &s->efforts);
    } else {
        bool aged = recall_aged(r);
        double target = aged ? 1 - (1 - s->target) * aged_misses : s->target;
        if (r->planned.target != target || r->planned.k != k)
            calibration_plan(&r->now, target, k, &r->planned);
        s->efforts = r->planned;
        s->efforts.aged = aged;
    }
    s->exact = isinf(s->efforts.efforts[0]);
    if (r != NULL && recall_wants_calibration(r))
        recall_wake(w);
}

/* -- checks ------------------------------------------------------------------------------------ */

static void add_checked(struct recall_window *window, double recall, size_t k)
{
    window->items[window->count++ % RECALL_WINDOW] =
        (struct recall_checked){(float)recall, (uint32_t)k};
}

void recall_add_check(struct recall_watch *w, struct recall *r, const struct recall_check *check)
{
    CHECK(check->found <= check->there && check->there <= check->k);
    double recall = check->there == 0 ? 1 : (double)check->found / (double)check->there;
    add_checked(&r->window, recall, check->k);
    add_checked(&w->window, recall, check->k);
    w->checks++;
    w->checked_hits += check->there;
    w->missed_hits += check->there - check->found;
}

/* One that walks, and whose hits are its k nearest and nothing else. */
static bool can_check(const struct search *s)
{
    bool plain = s->work == NULL && s->extra == NULL && s->refine == NULL && !s->named;
    return plain && s->error == OK && !s->exact && s->explain == EXPLAIN_NO && isinf(s->radius) &&
           !s->cost.stopped && s->count > 0 && s->view.graph != NULL &&
           !s->view.collection->dropped && s->answered > 0;
}

bool recall_takes(struct recall_watch *w, struct search *s)
{
    if (w->sample_every == 0 || w->percent == 0 || !can_check(s))
        return false;
    if (w->until_sample == 0) /* so that the first to be taken is any of them */
        w->until_sample = 1 + (uint32_t)rng_below(&w->random, w->sample_every);
    if (--w->until_sample > 0)
        return false;
    w->until_sample = w->sample_every;
    struct recall *r = need(w, s->view.collection);
    if (r == NULL || r->sample_count == RECALL_SAMPLES)
        return false;
    buf_fini(&s->reply);
    s->reply = BUF_INIT(MEM_SCRATCH);
    s->user = s->env = NULL;
    s->query_count = 1;
    r->samples[r->sample_count++] = s;
    recall_wake(w);
    return true;
}

/* -- reports ----------------------------------------------------------------------------------- */

static struct recall_report report_of(const struct recall_window *window)
{
    struct recall_sum sum = {0};
    size_t k = SIZE_MAX; /* the least: how many trials a query is at most */
    for (uint64_t i = 0; i < window->count && i < RECALL_WINDOW; i++) {
        recall_sum_add(&sum, (double)window->items[i].recall);
        if (window->items[i].k < k)
            k = window->items[i].k;
    }
    return (struct recall_report){.checks = sum.count,
                                  .measured = recall_interval(&sum, k, shown_deviations)};
}

struct recall_report recall_report(const struct collection *c)
{
    const struct recall *r = c->recall;
    static const struct recall_window none;
    struct recall_report report = report_of(r == NULL ? &none : &r->window);
    if (r != NULL && recall_usable(r)) {
        report.queries = r->now.queries;
        report.real = r->now.real;
        report.aged = recall_aged(r);
    }
    return report;
}

struct recall_report recall_report_all(const struct recall_watch *w)
{
    return report_of(&w->window);
}

void recall_each(const struct recall_watch *w, size_t most,
                 void (*fn)(void *user, const struct collection *c), void *user)
{
    const struct recall *r = w->turn;
    for (size_t i = 0; r != NULL && i < most; i++) {
        fn(user, r->collection);
        r = r->next == w->turn ? NULL : r->next;
    }
}
