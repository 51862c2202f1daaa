#include "db/relink.h"

#include "db/relocate.h"

enum { JOB_ROWS = 4096, STEP_ROWS = 64, ROWS_LINKED_MAX = 16, WORN_SHARE = 16 };

/* owner: the workers, until done */
struct relink_job {
    struct job job;
    struct background *background;
    struct collection *collection;
    uint64_t guard;
    struct index_rows rows;
    struct index *graph;
    enum hnsw_wear wear;
    uint32_t next, end; /* rows to look at */
    unsigned linked;
};

/* [lane] Links the row if it needs it; false: others are to have their turn. */
static bool relink_row(struct relink_job *j, struct lane *lane, uint32_t row)
{
    unsigned before = j->linked;
    if (!hnsw_link_again(j->graph, &j->rows, lane, row, j->wear, &j->linked))
        return false; /* memory is short: the row stays as it is until a sweep finds it again */
    if (j->linked == before)
        return true;
    lane_yield(lane);
    return j->linked < ROWS_LINKED_MAX && !lane->search_waits(lane);
}

static void run_relink(struct job *job, struct lane *lane)
{
    struct relink_job *j = (struct relink_job *)job;
    while (j->next < j->end) {
        uint32_t row = j->next++;
        if (!relink_row(j, lane, row) || (row % STEP_ROWS == 0 && lane->search_waits(lane)))
            return;
    }
}

static void done_relink(struct job *job)
{
    struct relink_job *j = (struct relink_job *)job;
    struct background *b = j->background;
    struct collection *c = j->collection;
    uint64_t guard = j->guard;
    CHECK(b->jobs > 0 && c->link_jobs > 0);
    b->jobs--;
    c->link_jobs--;
    b->rows_relinked += j->linked;
    /* Jobs behind this one have looked at their rows: looking again costs next to nothing. */
    if (j->next < j->end && j->next < c->relink_next)
        c->relink_next = j->next;
    mem_free(MEM_SCRATCH, j);
    relocate_on_link_done(c);
    background_wake(b, c);
    epoch_leave(b->epoch, guard); /* the end of c, if it was dropped */
    background_go_on(b);
}

static void look(struct collection *c, enum hnsw_wear wear)
{
    CHECK(c->graph != NULL && c->graph->ops->is_graph);
    /* A pass for rows of less wear goes on as such. */
    if (c->relink_next >= c->relink_end || wear > c->relink_wear)
        c->relink_wear = wear;
    c->relink_next = 0;
    c->relink_end = c->rows_end;
}

void relink_on_sweep(struct collection *c)
{
    if (c->relink_peak < c->live + c->dead_linked)
        c->relink_peak = c->live + c->dead_linked;
}

void relink_on_swept(struct collection *c, bool worn)
{
    if (!c->graph->ops->is_graph)
        return; /* no links, no wear */
    if (c->live <= c->relink_peak / 2) {
        c->relink_peak = c->live;
        look(c, HNSW_THINNED);
    } else if (worn) {
        look(c, HNSW_WORN);
    }
}

/* So many worn rows at once are what is left of a pass after the collection has halved. */
void relink_on_loaded(struct collection *c, size_t worn)
{
    if (worn > 0)
        look(c, worn > c->live / WORN_SHARE ? HNSW_THINNED : HNSW_WORN);
}

void relink_on_moved(struct collection *c)
{
    CHECK(c->link_jobs == 0);
    if (c->relink_next < c->relink_end)
        c->relink_next = 0;
}

bool relink_start(struct background *b, struct collection *c)
{
    uint32_t end = c->relink_end < c->rows_end ? c->relink_end : c->rows_end;
    if (c->relink_next >= end || c->sweep != NULL || relocate_stops_sweeps(c))
        return false;
    struct relink_job *j = mem_try_calloc(MEM_SCRATCH, sizeof(*j));
    if (j == NULL)
        return false; /* whoever wakes the collection next tries again */
    struct collection_view view;
    collection_view(c, *b->last_lsn, &view);
    j->job = (struct job){.run = run_relink, .done = done_relink, .class = JOB_LINK};
    j->background = b;
    j->collection = c;
    j->rows = view.codes;
    j->graph = c->graph;
    j->wear = c->relink_wear;
    j->next = c->relink_next;
    j->end = end - j->next < JOB_ROWS ? end : j->next + JOB_ROWS;
    c->relink_next = j->end;
    j->guard = epoch_enter(b->epoch);
    b->jobs++;
    c->link_jobs++;
    b->io->ops->submit(b->io, &j->job);
    return true;
}
