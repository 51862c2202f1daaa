/* slot.h: which of the 16384 cluster slots a key belongs to. Pure; no state. */
#ifndef VDB_CLUSTER_SLOT_H
#define VDB_CLUSTER_SLOT_H

#include "base/slice.h"

enum { SLOT_COUNT = 16384 };

/* Returns the slot of a key. When the key holds a non-empty {tag}, only the tag is hashed, so a
 * client can keep related keys on one node: {user1}:likes and {user1}:seen share a slot. */
uint16_t slot_of_key(struct slice key);

#endif
