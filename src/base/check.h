/* check.h: assertions that stay on in release.
 *
 * CHECK is for what the code itself promised: states, arguments, invariants. Never for bytes that
 * came from a client, a peer or a disk: those are errors (err.h). CHECK_SLOW is for checks of a
 * whole structure; it is compiled in with -DVDB_CHECK_SLOW (sanitizer and test builds). */
#ifndef VDB_BASE_CHECK_H
#define VDB_BASE_CHECK_H

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Prints where and what, then aborts. */
_Noreturn void check_failed(const char *file, int line, const char *what);

#define CHECK(x)                                                                                   \
    do {                                                                                           \
        if (UNLIKELY(!(x)))                                                                        \
            check_failed(__FILE__, __LINE__, #x);                                                  \
    } while (0)

#ifdef VDB_CHECK_SLOW
#define CHECK_SLOW(x) CHECK(x)
#else
#define CHECK_SLOW(x) ((void)sizeof(x))
#endif

#endif
