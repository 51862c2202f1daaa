/* notify.h: notifications of keyspace events: messages on the channels __keyspace@0__:<key> and
 * __keyevent@0__:<event>, as Redis has them, of the classes that notify-keyspace-events names.
 *
 * Every change is a mutation, so events are made of mutations: what changed, and for whom. With no
 * class asked for nothing is called, and nothing is looked at. Events are no data: they are neither
 * logged nor kept, and who is not connected does not hear them.
 *
 * owner: loop. */
#ifndef VDB_CMD_NOTIFY_H
#define VDB_CMD_NOTIFY_H

#include "cmd/command.h"
#include "db/mutation.h"

/* Why keys go when no command asks for it. */
enum notify_cause { NOTIFY_BY_COMMAND, NOTIFY_EXPIRED, NOTIFY_EVICTED };

/* Part of struct cmd_env; zero at first. */
struct notify {
    const struct request *running; /* the command in hand, whose changes they are; NULL: none */
    enum notify_cause cause;
};

/* Does anybody want events at all? */
bool notify_is_on(const struct cmd_env *env);

/* A change is about to be applied. */
void notify_change(struct cmd_env *env, const struct mutation *m);

/* A command has read a key that is not there. */
void notify_miss(struct cmd_env *env, struct slice key);

#endif
