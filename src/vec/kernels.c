/* Which tables there are, and which of them this machine can run. */
#include "vec/kernels_tables.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <string.h>

static bool always(void)
{
    return true;
}

/* __builtin_cpu_supports answers yes only when the operating system also saves the registers. */
#if defined(__x86_64__)
/* clang 14 does not know the name "f16c". Its instructions use the registers of AVX. */
static bool has_f16c(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & bit_F16C) != 0;
}

static bool has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("popcnt") && has_f16c();
}

static bool has_avx512(void)
{
    return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vpopcntdq");
}
#endif

/* The best last: "auto" takes the last that is usable. */
static const struct {
    const struct vec_kernels *table;
    bool (*usable)(void);
} tables[] = {
    {&vec_kernels_scalar, always},
#if defined(__x86_64__)
    {&vec_kernels_avx2, has_avx2},
    {&vec_kernels_avx512, has_avx512},
#elif defined(__aarch64__)
    {&vec_kernels_neon, always}, /* part of every 64-bit ARM */
#endif
};

static const char *const metric_names[] = {
#define X(name, word) word,
    METRIC_LIST(X)
#undef X
};

const char *metric_name(enum metric m)
{
    CHECK(m < METRIC_COUNT);
    return metric_names[m];
}

size_t vec_kernels_count(void)
{
    return COUNT_OF(tables);
}

const struct vec_kernels *vec_kernels_at(size_t index)
{
    CHECK(index < COUNT_OF(tables));
    return tables[index].table;
}

bool vec_kernels_usable(const struct vec_kernels *k)
{
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        if (tables[i].table == k)
            return tables[i].usable();
    return false;
}

/* "auto, scalar, avx2": what may be asked for on this machine. */
static void usable_names(char *text, size_t size)
{
    size_t used = 0;
    const char *auto_name = "auto";
    CHECK(size > strlen(auto_name));
    memcpy(text, auto_name, strlen(auto_name));
    used = strlen(auto_name);
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        if (!tables[i].usable())
            continue;
        const char *name = tables[i].table->name;
        CHECK(used + 2 + strlen(name) < size);
        memcpy(text + used, ", ", 2);
        memcpy(text + used + 2, name, strlen(name));
        used += 2 + strlen(name);
    }
    text[used] = '\0';
}

enum err vec_kernels_choose(const char *name, const struct vec_kernels **out, struct why *why)
{
    bool any = strcmp(name, "auto") == 0;
    bool known = false;
    for (size_t i = COUNT_OF(tables); i-- > 0;) {
        bool named = strcmp(name, tables[i].table->name) == 0;
        known = known || named;
        if ((any || named) && tables[i].usable()) {
            *out = tables[i].table;
            return OK;
        }
    }
    CHECK(!any); /* the scalar table runs everywhere */
    char names[128];
    usable_names(names, sizeof(names));
    return why_set(why, ERR_ARG, "kernels '%.32s' %s; this machine has: %s", name,
                   known ? "cannot run here" : "are unknown", names);
}
