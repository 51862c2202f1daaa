/* test.h: a test is a sentence that must hold.
 *
 *     TEST(map, finds_what_was_put) { EXPECT(map_get(...) == 7); EXPECT_EQ(a, b); }
 *
 * Tests register themselves; the runner runs all, or those whose "group.name" contains an argument.
 * EXPECT reports and goes on; REQUIRE ends the test. SKIP says why and is counted. */
#ifndef VDB_TESTS_LIB_TEST_H
#define VDB_TESTS_LIB_TEST_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

struct test {
    const char *group;
    const char *name;
    void (*run)(void);
    struct test *next;
};

void test_register(struct test *test);
void test_fail(const char *file, int line, const char *fmt, ...) PRINTF_LIKE(3, 4);
_Noreturn void test_abandon(void); /* ends the running test (failed or skipped) */
void test_skip(const char *reason);

#define TEST(group_, name_)                                                                        \
    static void test_##group_##_##name_(void);                                                     \
    __attribute__((constructor)) static void register_##group_##_##name_(void)                     \
    {                                                                                              \
        static struct test t = {#group_, #name_, test_##group_##_##name_, NULL};                   \
        test_register(&t);                                                                         \
    }                                                                                              \
    static void test_##group_##_##name_(void)

#define EXPECT(x)                                                                                  \
    do {                                                                                           \
        if (!(x))                                                                                  \
            test_fail(__FILE__, __LINE__, "%s does not hold", #x);                                 \
    } while (0)

#define EXPECT_EQ(a, b)                                                                            \
    do {                                                                                           \
        long long a_ = (long long)(a), b_ = (long long)(b);                                        \
        if (a_ != b_)                                                                              \
            test_fail(__FILE__, __LINE__, "%s is %lld, %s is %lld", #a, a_, #b, b_);               \
    } while (0)

#define EXPECT_STR(a, b)                                                                           \
    do {                                                                                           \
        const char *a_ = (a), *b_ = (b);                                                           \
        if (strcmp(a_, b_) != 0)                                                                   \
            test_fail(__FILE__, __LINE__, "%s is \"%s\", expected \"%s\"", #a, a_, b_);            \
    } while (0)

#define REQUIRE(x)                                                                                 \
    do {                                                                                           \
        if (!(x)) {                                                                                \
            test_fail(__FILE__, __LINE__, "%s does not hold", #x);                                 \
            test_abandon();                                                                        \
        }                                                                                          \
    } while (0)

#define SKIP(reason)                                                                               \
    do {                                                                                           \
        test_skip(reason);                                                                         \
        test_abandon();                                                                            \
    } while (0)

#endif
