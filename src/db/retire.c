#include "db/retire.h"

#include "db/background.h"
#include "db/relocate.h"

enum { SLICE_ROWS = 2048, SLICE_WORDS = 32 * 1024 };

/* owner: the epoch, then the timer */
struct retirement {
    struct epoch_item item;
    struct io_timer timer;
    struct side *side;
    uint64_t guard;        /* keeps it and the collection while slices are done */
    uint64_t side_changes; /* when it began */
    uint64_t *bits;
    size_t words;
    size_t next; /* words before this one are done */
    bool guarded;
};

static void end_retirement(struct retirement *r)
{
    struct background *b = r->side->collection->env->background;
    uint64_t guard = r->guard;
    bool guarded = r->guarded;
    b->io->ops->timer_stop(b->io, &r->timer);
    mem_free(MEM_ROW, r->bits);
    mem_free(MEM_ROW, r);
    if (guarded)
        epoch_leave(b->epoch, guard);
}

/* The grace period was one of this side: of another there may be readers left. */
static void let_go(const struct retirement *r, uint32_t row)
{
    struct side *side = r->side;
    struct collection *c = side->collection;
    if (c->next == NULL && c->side_changes == r->side_changes) {
        collection_free_row(c, row);
        return;
    }
    side_set_state(side, row, ROW_OUT);
    collection_let_row_go(c, row);
}

/* Frees some rows; false: there are more. */
static bool free_some(struct retirement *r)
{
    struct side *side = r->side;
    size_t freed = 0, first = r->next;
    for (; r->next < r->words && freed < SLICE_ROWS && r->next - first < SLICE_WORDS; r->next++) {
        for (uint64_t word = r->bits[r->next]; word != 0; word &= word - 1) {
            uint32_t row = (uint32_t)(r->next * 64 + (unsigned)__builtin_ctzll(word));
            CHECK(side_state(side, row) == ROW_SWEEPING && side->sweeping > 0);
            side->sweeping--;
            let_go(r, row);
            freed++;
        }
    }
    return r->next == r->words;
}

static void go_on(struct retirement *r)
{
    struct collection *c = r->side->collection;
    struct background *b = c->env->background;
    if (r->side->retired || c->dropped) {
        end_retirement(r);
        return;
    }
    if (free_some(r)) {
        relocate_consider(c);
        end_retirement(r);
        return;
    }
    if (!r->guarded) {
        r->guard = epoch_enter(b->epoch);
        r->guarded = true;
    }
    b->io->ops->timer_start(b->io, &r->timer, 0);
}

static void on_slice(struct io_timer *timer)
{
    go_on(timer->user);
}

static void on_quiet(struct epoch_item *item)
{
    go_on((struct retirement *)item);
}

void retire_rows(struct side *side, uint64_t *bits, uint32_t end)
{
    struct collection *c = side->collection;
    CHECK(!c->dropped && !side->retired);
    struct retirement *r = mem_alloc(MEM_ROW, sizeof(*r));
    *r = (struct retirement){.side = side,
                             .side_changes = c->side_changes,
                             .bits = bits,
                             .words = ((size_t)end + 63) / 64};
    r->timer = (struct io_timer){.fn = on_slice, .user = r};
    epoch_defer(c->env->epoch, &r->item, on_quiet);
}
