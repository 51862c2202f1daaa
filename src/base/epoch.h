/* epoch.h: when may something that readers may still hold be freed?
 *
 * A search or a link job holds a guard from the moment the loop submits it until the loop has its
 * answer back. What the loop takes out of sight meanwhile is deferred: its function runs once every
 * guard that was held at that moment has been given back.
 *
 * owner: loop. Lanes never touch it: their job's guard is taken and given back by the loop, and the
 * job queue orders memory between them. That is why there is nothing atomic here. */
#ifndef VDB_BASE_EPOCH_H
#define VDB_BASE_EPOCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Embedded in what waits. */
struct epoch_item {
    void (*fn)(struct epoch_item *item);
    struct epoch_item *next;
    uint64_t epoch;
};

enum {
    EPOCH_WINDOW_MAX = 4096,
    EPOCH_ITEMS_AT_ONCE = 512 /* that are freed in one go, when later is set */
};

struct epoch {
    uint64_t now;                          /* guards taken now belong to this epoch */
    uint64_t oldest;                       /* the oldest epoch that may still have guards */
    uint32_t held[EPOCH_WINDOW_MAX];       /* guards per epoch, by epoch modulo the window */
    struct epoch_item *first, **last;      /* deferred, oldest first */
    size_t waiting;
    bool now_awaited;                      /* something waits for guards of now */
    bool running;                          /* items are being freed */
    bool asked;                            /* for epoch_go_on */
    /* More are free than the loop should free in one go: asks for epoch_go_on. NULL: all are. */
    void (*later)(void *user);
    void *later_user;
};

void epoch_init(struct epoch *e);

/* Takes a guard and returns its epoch, for epoch_leave. */
uint64_t epoch_enter(struct epoch *e);
/* Gives a guard back; runs what became free. */
void epoch_leave(struct epoch *e, uint64_t guard);

/* Runs item->fn once no guard that is held now is held any more: at once when none is and nothing
 * else waits to be run. */
void epoch_defer(struct epoch *e, struct epoch_item *item, void (*fn)(struct epoch_item *item));

/* Frees more of what is free. */
void epoch_go_on(struct epoch *e);

/* No guard is held and nothing waits. */
bool epoch_idle(const struct epoch *e);

#endif
