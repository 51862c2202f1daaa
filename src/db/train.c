#include "db/train.h"

#include <math.h>

#include "base/limits.h"
#include "index/ivf.h"
#include "vec/pq.h"

enum {
    ROWS_MIN = 1000, /* fewer are scanned as fast */
    TRAIN_MIN = 2 * PQ_CENTERS,
    ROWS_A_LIST = 4,    /* at least, on average */
    SAMPLE_A_LIST = 48, /* points for each centroid */
    SAMPLE_BYTES = 512 * 1024 * 1024,
    LISTS_AUTO = 4,          /* times the root of the rows */
    GROWN = 4,               /* trained again when there are so many times the rows, */
    SHRUNK = 8,              /* or that much fewer, */
    IMBALANCE_PERCENT = 250, /* or a search looks at so much more than it did, */
    DRIFT_PERCENT = 150,     /* or new rows are so far from their centroids */
    LOOK_ROWS = 4096,        /* linked, between two looks whether that is so */
    STEPS = 16               /* in a job */
};

/* owner: the lane while a job is out, else the loop */
struct training {
    struct job job;
    struct background *background;
    struct collection *collection;
    void (*on_end)(struct collection *c);
    uint64_t guard;
    struct index_rows rows;
    struct ivf_trainer *trainer;
    bool out;
    bool unwanted; /* it is to be freed when the job is back */
    bool sampled;
    bool over; /* of the phase */
    enum err error;
    unsigned percent; /* as of the last job */
};

/* -- when -------------------------------------------------------------------------------------- */

uint32_t train_lists(const struct collection *c)
{
    if (c->spec.lists > 0)
        return c->spec.lists;
    double lists = LISTS_AUTO * sqrt((double)c->live);
    return lists < 1 ? 1 : lists < LIMIT_NLIST ? (uint32_t)lists : LIMIT_NLIST;
}

bool train_can(const struct collection *c)
{
    /* Who says how many lists there are wants them as soon as they can be. */
    size_t least = c->spec.lists > 0 ? TRAIN_MIN : ROWS_MIN;
    return c->live >= (size_t)train_lists(c) * ROWS_A_LIST + least;
}

/* Other lists would serve better now. */
static bool has_changed(struct collection *c)
{
    struct side *s = c->side;
    struct ivf_stats now;
    ivf_stats(s->graph, &now);
    if (now.rows / LOOK_ROWS == s->trained.looked)
        return false;
    s->trained.looked = now.rows / LOOK_ROWS;
    ivf_measure(s->graph, &now);
    uint64_t rows = s->trained.rows;
    bool few = rows < (uint64_t)now.lists * SAMPLE_A_LIST; /* to learn from, they were */
    bool grown = c->live > rows * GROWN && (c->spec.lists == 0 || few);
    bool shrunk = c->live * SHRUNK < rows && c->spec.lists == 0;
    return grown || shrunk || now.imbalance * 100 > s->trained.imbalance * IMBALANCE_PERCENT ||
           now.drift * 100 > DRIFT_PERCENT;
}

bool train_is_due(struct collection *c)
{
    if (c->spec.index != INDEX_IVF || c->alteration != NULL || c->dropped || !train_can(c))
        return false;
    return c->side->graph == NULL || has_changed(c);
}

void train_note_served(struct side *s)
{
    struct ivf_stats now;
    ivf_begin_drift(s->graph);
    ivf_measure(s->graph, &now);
    s->trained.rows = now.rows;
    s->trained.imbalance = now.imbalance;
    s->trained.looked = now.rows / LOOK_ROWS;
    s->collection->trainings++;
}

/* -- jobs -------------------------------------------------------------------------------------- */

static void run(struct job *job, struct lane *lane)
{
    struct training *t = (struct training *)job;
    t->over = false;
    for (int i = 0; i < STEPS && !t->over && t->error == OK; i++) {
        lane_yield(lane);
        if (i > 0 && lane->search_waits(lane))
            break;
        t->error = t->sampled ? ivf_trainer_step(t->trainer, &t->over)
                              : ivf_trainer_sample(t->trainer, &t->rows, &t->over);
    }
}

static void done(struct job *job)
{
    struct training *t = (struct training *)job;
    struct background *b = t->background;
    struct collection *c = t->collection;
    uint64_t guard = t->guard;
    CHECK(b->jobs > 0 && t->out);
    b->jobs--;
    t->out = false;
    t->percent = ivf_trainer_progress(t->trainer);
    bool ends = t->error != OK || (t->over && t->sampled);
    t->sampled |= t->over;
    if (t->unwanted)
        train_free(t);
    else if (ends)
        t->on_end(c);
    background_wake(b, c);
    epoch_leave(b->epoch, guard); /* the end of the collection, if it was dropped */
    background_go_on(b);
}

/* Exact vectors where there are some: codes of one index say little of what another would code. */
static struct index_rows rows_of(struct collection *c)
{
    struct collection_view view;
    collection_view(c, *c->env->background->last_lsn, &view);
    return view.has_exact ? view.exact : view.codes;
}

/* Points of a sample for so many lists: enough of them, of a size that there is memory for. */
static size_t sample_size(const struct collection *c, uint32_t lists)
{
    size_t size = (size_t)lists * SAMPLE_A_LIST, least = lists + TRAIN_MIN;
    size_t most = SAMPLE_BYTES / sizeof(float) / c->spec.dim;
    size = size > ROWS_MIN ? size : ROWS_MIN;
    size = size < c->live ? size : c->live;
    size = size < most ? size : most;
    return size > least ? size : least;
}

struct training *train_new(struct collection *c, void (*on_end)(struct collection *c))
{
    CHECK(c->spec.index == INDEX_IVF && train_can(c));
    struct ivf_shape shape = {.lists = train_lists(c),
                              .codes = c->spec.quant == QUANT_PQ ? IVF_PQ : IVF_ROWS,
                              .subs = spec_subs(&c->spec),
                              .seed = c->spec.seed + c->trainings};
    struct training *t = mem_try_calloc(MEM_SCRATCH, sizeof(*t));
    if (t == NULL)
        return NULL;
    *t = (struct training){.background = c->env->background, .collection = c, .on_end = on_end};
    struct index_rows rows = rows_of(c);
    t->trainer = ivf_trainer_new(&rows, &shape, sample_size(c, shape.lists));
    if (t->trainer == NULL) {
        mem_free(MEM_SCRATCH, t);
        return NULL;
    }
    return t;
}

bool train_start(struct background *b, struct training *t)
{
    if (t->out)
        return false;
    t->job = (struct job){.run = run, .done = done, .class = JOB_LINK};
    t->rows = rows_of(t->collection);
    if (!t->sampled && !train_can(t->collection))
        t->error = ERR_NOT_FOUND; /* they have gone: it is due again when others come */
    t->out = true;
    t->guard = epoch_enter(b->epoch);
    b->jobs++;
    b->io->ops->submit(b->io, &t->job);
    return true;
}

struct index *train_take(struct training *t)
{
    const struct collection *c = t->collection;
    CHECK(!t->out);
    return t->error != OK ? NULL : ivf_trainer_take(t->trainer, c->env->epoch, c->columns.rows_max);
}

void train_free(struct training *t)
{
    if (t == NULL)
        return;
    t->unwanted = true;
    if (t->out)
        return;
    ivf_trainer_free(t->trainer);
    mem_free(MEM_SCRATCH, t);
}

unsigned train_progress(const struct training *t)
{
    return t->percent;
}
