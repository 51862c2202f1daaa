/* slice.h: a view of bytes owned by somebody else. Binary safe; not NUL-terminated. */
#ifndef VDB_BASE_SLICE_H
#define VDB_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *ptr;
    size_t len;
};

/* A literal or a NUL-terminated string as a slice. */
static inline struct slice slice_of(const char *text)
{
    return (struct slice){(const uint8_t *)text, strlen(text)};
}

/* Keys, fields and members begin alike and end differently: the last byte tells most apart. */
static inline bool slice_eq(struct slice a, struct slice b)
{
    return a.len == b.len &&
           (a.len == 0 ||
            (a.ptr[a.len - 1] == b.ptr[a.len - 1] && memcmp(a.ptr, b.ptr, a.len) == 0));
}

/* memcmp order, the shorter first when one is a prefix of the other. Returns <0, 0 or >0. */
int slice_cmp(struct slice a, struct slice b);

/* ASCII letters compare without case, as option words do. */
bool slice_eq_nocase(struct slice a, const char *word);

/* Decimal integer, whole slice, no blanks, no leading '+', range of the type. False otherwise. */
bool slice_to_i64(struct slice s, int64_t *out);
bool slice_to_u64(struct slice s, uint64_t *out);

/* Decimal or exponent floating point, whole slice, C locale, at most 255 bytes; accepts inf and nan
 * in any case (the caller refuses them where they are wrong). False otherwise. */
bool slice_to_f64(struct slice s, double *out);

#endif
