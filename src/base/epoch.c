#include "base/epoch.h"

#include "base/check.h"

void epoch_init(struct epoch *e)
{
    *e = (struct epoch){.now = 1, .oldest = 1};
    e->last = &e->first;
}

static uint32_t *held_in(struct epoch *e, uint64_t epoch)
{
    return &e->held[epoch % EPOCH_WINDOW_MAX];
}

/* Later guards must not delay what waits for those of now: they get a new epoch, unless the window
 * is full of epochs that a slow reader holds up. Then they do so once it has gone. */
static void close_epoch(struct epoch *e)
{
    if (e->now_awaited && e->now - e->oldest + 1 < EPOCH_WINDOW_MAX) {
        e->now++;
        e->now_awaited = false;
    }
}

/* An item deferred in epoch x waits for guards of x and before. */
static bool first_is_free(const struct epoch *e)
{
    if (e->first == NULL)
        return false;
    bool quiet = e->oldest == e->now && e->held[e->now % EPOCH_WINDOW_MAX] == 0;
    return quiet || e->first->epoch < e->oldest;
}

static void run_first(struct epoch *e)
{
    struct epoch_item *item = e->first;
    e->first = item->next;
    if (e->first == NULL)
        e->last = &e->first;
    CHECK(e->waiting > 0);
    e->waiting--;
    item->fn(item);
}

/* What an item defers in turn is seen by the loop here: the stack stays flat. */
static void run_free_items(struct epoch *e)
{
    close_epoch(e);
    while (e->oldest < e->now && *held_in(e, e->oldest) == 0)
        e->oldest++;
    if (e->running)
        return;
    e->running = true;
    for (int i = 0; first_is_free(e) && (e->later == NULL || i < EPOCH_ITEMS_AT_ONCE); i++)
        run_first(e);
    e->running = false;
    if (e->asked || !first_is_free(e))
        return;
    e->asked = true;
    e->later(e->later_user);
}

void epoch_go_on(struct epoch *e)
{
    e->asked = false;
    run_free_items(e);
}

uint64_t epoch_enter(struct epoch *e)
{
    (*held_in(e, e->now))++;
    return e->now;
}

void epoch_leave(struct epoch *e, uint64_t guard)
{
    CHECK(guard >= e->oldest && guard <= e->now && *held_in(e, guard) > 0);
    (*held_in(e, guard))--;
    run_free_items(e);
}

void epoch_defer(struct epoch *e, struct epoch_item *item, void (*fn)(struct epoch_item *item))
{
    CHECK(item != NULL && fn != NULL);
    /* Nobody holds a guard of now: the item waits for those of before only. */
    bool held = *held_in(e, e->now) > 0;
    *item = (struct epoch_item){.fn = fn, .epoch = held ? e->now : e->now - 1};
    *e->last = item;
    e->last = &item->next;
    e->waiting++;
    e->now_awaited = e->now_awaited || held;
    run_free_items(e);
}

bool epoch_idle(const struct epoch *e)
{
    return e->first == NULL && e->oldest == e->now && e->held[e->now % EPOCH_WINDOW_MAX] == 0;
}
