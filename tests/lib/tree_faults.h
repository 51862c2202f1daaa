/* tree_faults.h: a change of a tree begun again and again, each time with another allocation that
 * fails, until none is left to. */
#ifndef VDB_TESTS_LIB_TREE_FAULTS_H
#define VDB_TESTS_LIB_TREE_FAULTS_H

#include "types/tree.h"

struct tree_faults {
    const struct tree *tree;
    const struct tree_ops *ops;
    void (*change)(void *user, struct tree_change *c); /* the same each time */
    bool (*holds)(void *user);                         /* is the tree as it was? */
    void *user;
};

/* Returns how many allocations have failed in turn; c is then the change in which none has, for the
 * caller to apply. */
unsigned tree_faults_run(const struct tree_faults *f, struct tree_change *c);

#endif
