#include "db/retire.h"

#include "db/background.h"
#include "db/relocate.h"

enum { SLICE_ROWS = 2048, SLICE_WORDS = 32 * 1024 };

/* owner: the epoch, then the timer */
struct retirement {
    struct epoch_item item;
    struct io_timer timer;
    struct collection *collection;
    uint64_t guard; /* keeps the collection while slices are done */
    uint64_t *bits;
    size_t words;
    size_t next; /* words before this one are done */
    bool guarded;
};

static void end_retirement(struct retirement *r)
{
    struct background *b = r->collection->env->background;
    uint64_t guard = r->guard;
    bool guarded = r->guarded;
    b->io->ops->timer_stop(b->io, &r->timer);
    mem_free(MEM_ROW, r->bits);
    mem_free(MEM_ROW, r);
    if (guarded)
        epoch_leave(b->epoch, guard);
}

/* Frees some rows; false: there are more. */
static bool free_some(struct retirement *r)
{
    struct collection *c = r->collection;
    size_t freed = 0, first = r->next;
    for (; r->next < r->words && freed < SLICE_ROWS && r->next - first < SLICE_WORDS; r->next++) {
        for (uint64_t word = r->bits[r->next]; word != 0; word &= word - 1) {
            uint32_t row = (uint32_t)(r->next * 64 + (unsigned)__builtin_ctzll(word));
            CHECK(collection_state(c, row) == ROW_SWEEPING && c->sweeping > 0);
            c->sweeping--;
            collection_free_row(c, row);
            freed++;
        }
    }
    return r->next == r->words;
}

static void go_on(struct retirement *r)
{
    struct collection *c = r->collection;
    struct background *b = c->env->background;
    if (c->dropped) {
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

void retire_rows(struct collection *c, uint64_t *bits, uint32_t end)
{
    CHECK(!c->dropped);
    struct retirement *r = mem_alloc(MEM_ROW, sizeof(*r));
    *r = (struct retirement){.collection = c, .bits = bits, .words = ((size_t)end + 63) / 64};
    r->timer = (struct io_timer){.fn = on_slice, .user = r};
    epoch_defer(c->env->epoch, &r->item, on_quiet);
}
