/* search.h: one search of a collection, from plan to hits, as a job.
 *
 * The loop fills in the request and starts it; a lane finds the hits and lets encode() turn them
 * into a reply while ids and attributes are still held; the loop gets it back by done(). */
#ifndef VDB_DB_SEARCH_H
#define VDB_DB_SEARCH_H

#include "base/buf.h"
#include "base/topk.h"
#include "db/calibration.h"
#include "db/db.h"
#include "db/filter.h"
#include "db/json_pick.h"
#include "db/plan.h"
#include "db/refine.h"

/* How a search finds its hits. */
enum search_way {
    WAY_SCAN,
    WAY_WALK,
    WAY_POST_FILTER,
    WAY_MATCH_WALK,
    WAY_LISTS,
    WAY_CANDIDATES,
    WAY_FILTERED_SCAN,
    WAY_INDEX, /* a count, and no row is looked at */
    WAY_COUNT
};

const char *search_way_name(enum search_way way);

/* What the time of a search goes into. */
enum search_stage {
    STAGE_PLAN,   /* on the loop */
    STAGE_WAIT,   /* for a lane, and for the loop */
    STAGE_OTHER,
    STAGE_SAMPLE, /* of rows, to see how many match */
    STAGE_WALK,
    STAGE_SCAN,
    STAGE_RANK,   /* by exact distances */
    STAGE_ENCODE, /* the reply */
    STAGE_COUNT
};

/* VEXPLAIN: only decide, or run and tell. FT.PROFILE: run as ever, and note the times. */
enum search_explain { EXPLAIN_NO, EXPLAIN_PLAN, EXPLAIN_ANALYZE, EXPLAIN_TIMES };

/* owner: loop, then the lane, then the loop again */
struct search {
    struct job job;
    struct db *db;
    struct collection_view view;
    uint64_t guard;

    /* the request */
    float *queries;        /* query_count x dim floats, normalised under COSINE; owned */
    size_t query_count;
    size_t count;          /* hits wanted per query, those that encode() passes over too */
    size_t offset;         /* for encode: so many nearer ones are not shown */
    size_t effort;         /* ef; 0: the collection's default */
    double target;         /* recall that is asked for, in place of effort; 0: none */
    size_t probes;         /* lists of IVF; likewise */
    bool exact;
    float radius;          /* hits farther than this do not count; INFINITY: all do */
    struct refine *refine; /* what is made of the hits; NULL: nothing; owned */
    struct filter *filter; /* NULL: none; owned */
    struct partition_choice *choice; /* NULL: all; owned */
    bool named;            /* the rows of plan are all that may be hits: search_name_rows */
    uint64_t deadline_us;  /* monotonic: then what was found so far has to do; 0: never */

    /* [lane] NULL, or what is done once before anything else. */
    enum err (*prepare)(struct search *s, struct lane *lane);
    /* [lane] NULL, or what is done in place of searching. */
    enum err (*work)(struct search *s, struct lane *lane);
    void *extra;           /* of work; owned, MEM_SCRATCH */
    void (*end_extra)(struct search *s); /* [loop] frees what extra owns; NULL: nothing */
    /* [lane] Called for each query in order with its hits, nearest first. With groups these are in
     * refine. */
    void (*encode)(struct search *s, const struct hit *hits, size_t count);
    /* [loop] Without an error: makes the client's reply of what encode() left in `reply`. NULL:
     * that is the reply. */
    void (*show)(struct search *s, void *env, void *client);
    /* [lane] NULL, or: makes the client's reply of what show() wrote, which is in `reply`. */
    enum err (*finish)(struct search *s);
    /* [loop] The search is over: error says how. The callee calls search_free. */
    void (*done)(struct search *s);
    /* [loop] NULL, or: whom it is for has gone, and it waits on the loop, not for a lane. The
     * callee calls search_free. */
    void (*forget)(struct search *s);
    void *user;            /* of done */
    void *env;
    int proto;             /* for encode: the protocol of the reply */
    unsigned with;         /* for encode: its own flags */
    struct json_pick *pick; /* for encode: fields to show, or NULL; owned */

    /* what came out */
    struct buf reply;
    enum err error;
    size_t answered;       /* queries */
    struct index_cost cost;

    /* the filter, bound and estimated when the search starts; owned */
    bool narrows; /* the choice leaves out some element */
    struct effort_plan
        efforts;   /* with a target, of a collection with a graph: from when it starts */
    bool is_check; /* for recall.h: no client waits for it */
    struct predicate *predicate;
    struct plan plan;

    /* how it went; of several queries the last one's way, and sums */
    enum search_way way;
    bool wants_rows;          /* [lane] it ended without hits: the loop is to name rows */
    bool rows_asked;          /* it was, once */
    bool fell_back;           /* the way that was chosen had not found enough */
    double least_effort;      /* of the next walk, by a plan */
    bool matches_walked;      /* a walk over matches was tried for this query */
    bool sampled;             /* plan.matches is from a sample */
    double way_ns[WAY_COUNT]; /* estimated costs; INFINITY: not possible */
    uint64_t candidates;      /* rows that an index named, or a walk found */
    uint64_t hits;
    enum search_explain explain;
    enum search_stage stage;  /* with explain: the one that runs, or STAGE_COUNT */
    uint64_t stage_since_us, stage_us[STAGE_COUNT];
};

/* A search of c with room for query_count queries. NULL when memory is short. */
MUST_USE struct search *search_new(struct db *db, struct collection *c, size_t query_count);
/* [loop] Only these elements may be hits, those of them that are there. Before it starts, in the
 * same turn. ERR_NOMEM. */
MUST_USE enum err search_name_rows(struct search *s, const struct slice *ids, size_t count);
/* Runs it now when that takes a few microseconds, or else on a lane. done() comes later in any case
 * but the first: then search_start returns true and done() is not called. */
MUST_USE bool search_start(struct search *s);
/* Runs it on the loop, whatever it costs. */
void search_run_here(struct search *s);
/* Makes one that has been answered ready for search_find: as data are now, under a guard that the
 * caller holds. with_rows: it had asked for them. False: memory is short. */
MUST_USE bool search_renew(struct search *s, bool with_rows);
void search_free(struct search *s);

/* Does not every element count? */
static inline bool search_selects(const struct search *s)
{
    return s->predicate != NULL || s->narrows || s->named;
}

/* [lane] Is a visible row in a partition that counts, and does the filter let it through? */
static inline bool search_accepts(const struct search *s, uint32_t row)
{
    if (s->narrows && !partition_bit(s->choice->bits, s->view.codes.group[row]))
        return false;
    return s->predicate == NULL || predicate_match(s->predicate, &s->view, row);
}

#endif
