/* reply_shape.h: where one reply ends, and whether it is a reply of its protocol at all. Pure. */
#ifndef VDB_TESTS_ROBUST_REPLY_SHAPE_H
#define VDB_TESTS_ROBUST_REPLY_SHAPE_H

#include "base/slice.h"

enum shape {
    SHAPE_WHOLE,
    SHAPE_MORE, /* it goes on */
    SHAPE_BAD   /* no protocol has this */
};

/* The first reply of bytes, which may hold more; *size is its length when it is whole. Nothing that
 * only RESP3 has is well-formed in RESP2. */
enum shape reply_shape(struct slice bytes, int proto, size_t *size);

#endif
