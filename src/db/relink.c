#include "db/relink.h"

#include "db/relocate.h"

enum { JOB_ROWS = 4096, STEP_ROWS = 64, ROWS_LINKED_MAX = 16, WORN_SHARE = 16 };

/* owner: the workers, until done */
struct relink_job {
    struct job job;
    struct background *background;
    struct side *side;
    uint64_t guard;
    struct index_rows rows;
    struct index *graph;
    enum hnsw_wear wear;
    uint32_t first, next, end; /* rows to look at */
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
    struct side *s = j->side;
    uint64_t guard = j->guard;
    CHECK(b->jobs > 0 && s->link_jobs > 0);
    b->jobs--;
    s->link_jobs--;
    s->relink_out -= j->end - j->first;
    b->rows_relinked += j->linked;
    /* Jobs behind this one have looked at their rows: looking again costs next to nothing. */
    if (j->next < j->end && j->next < s->relink_next)
        s->relink_next = j->next;
    mem_free(MEM_SCRATCH, j);
    if (!s->retired) {
        relocate_on_link_done(s->collection);
        background_wake(b, s->collection);
    }
    epoch_leave(b->epoch, guard); /* the end of the side, if it was retired */
    background_go_on(b);
}

static void look(struct side *s, enum hnsw_wear wear)
{
    CHECK(s->graph != NULL && s->graph->ops->is_graph);
    /* A pass for rows of less wear goes on as such. */
    if (s->relink_next >= s->relink_end || wear > s->relink_wear)
        s->relink_wear = wear;
    s->relink_next = 0;
    s->relink_end = s->collection->rows_end;
}

void relink_on_sweep(struct side *s)
{
    size_t rows = s->collection->live + s->dead_linked;
    if (s->relink_peak < rows)
        s->relink_peak = rows;
}

void relink_on_swept(struct side *s, bool worn)
{
    if (!s->graph->ops->is_graph)
        return; /* no links, no wear */
    size_t live = s->collection->live;
    if (live <= s->relink_peak / 2) {
        s->relink_peak = live;
        look(s, HNSW_THINNED);
    } else if (worn) {
        look(s, HNSW_WORN);
    }
}

/* So many worn rows at once are what is left of a pass after the collection has halved. */
void relink_on_loaded(struct collection *c, size_t worn)
{
    if (worn > 0)
        look(c->side, worn > c->live / WORN_SHARE ? HNSW_THINNED : HNSW_WORN);
}

void relink_on_moved(struct collection *c)
{
    struct side *s = c->side;
    CHECK(s->link_jobs == 0 && c->next == NULL);
    if (s->relink_next < s->relink_end)
        s->relink_next = 0;
}

static uint32_t pass_end(const struct side *s)
{
    const struct collection *c = s->collection;
    return s->relink_end < c->rows_end ? s->relink_end : c->rows_end;
}

size_t relink_rows_left(const struct side *s)
{
    uint32_t end = pass_end(s);
    return s->relink_out + (s->relink_next < end ? end - s->relink_next : 0);
}

bool relink_start(struct background *b, struct side *s)
{
    struct collection *c = s->collection;
    uint32_t end = pass_end(s);
    if (s->relink_next >= end || s->sweep != NULL || relocate_stops_sweeps(c))
        return false;
    struct relink_job *j = mem_try_calloc(MEM_SCRATCH, sizeof(*j));
    if (j == NULL)
        return false; /* whoever wakes the collection next tries again */
    j->job = (struct job){.run = run_relink, .done = done_relink, .class = JOB_LINK};
    j->background = b;
    j->side = s;
    j->rows = side_rows(s, *b->last_lsn);
    j->graph = s->graph;
    j->wear = s->relink_wear;
    j->first = j->next = s->relink_next;
    j->end = end - j->next < JOB_ROWS ? end : j->next + JOB_ROWS;
    s->relink_next = j->end;
    s->relink_out += j->end - j->first;
    j->guard = epoch_enter(b->epoch);
    b->jobs++;
    s->link_jobs++;
    b->io->ops->submit(b->io, &j->job);
    return true;
}
