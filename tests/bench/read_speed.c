#include "bench/read_speed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { PASSES = 9, OWN_SIZE = 256 * 1024 * 1024, PASS_SIZE = 16 * 1024 * 1024 };

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

void *map_huge(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("mmap");
        exit(EXIT_FAILURE);
    }
    (void)madvise(p, size, MADV_HUGEPAGE);
    return p;
}

/* Eight words at a time, with loads as wide as the machine has. */
typedef uint64_t words8 __attribute__((vector_size(64)));

__attribute__((target_clones("avx512f", "avx2", "default"))) static void
add_up(const uint8_t *bytes, size_t size, words8 sums[4])
{
    words8 a = sums[0], b = sums[1], c = sums[2], d = sums[3];
    for (size_t i = 0; i < size; i += 256) {
        words8 at[4];
        __builtin_prefetch(bytes + i + 4096);
        __builtin_prefetch(bytes + i + 4160);
        __builtin_prefetch(bytes + i + 4224);
        __builtin_prefetch(bytes + i + 4288);
        memcpy(at, bytes + i, sizeof(at));
        a += at[0];
        b += at[1];
        c += at[2];
        d += at[3];
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

double read_speed_gbs(const uint8_t *bytes, size_t size)
{
    static volatile uint64_t sink;
    double best = 1e18;
    for (int pass = 0; pass < PASSES; pass++) {
        words8 sums[4] = {{0}};
        size_t times = size < PASS_SIZE ? PASS_SIZE / size : 1;
        double start = now_ns();
        for (size_t i = 0; i < times; i++)
            add_up(bytes, size, sums);
        double took = (now_ns() - start) / (double)times;
        for (int i = 0; i < 4; i++)
            sink = sink + sums[i][0] + sums[i][7];
        best = took < best ? took : best;
    }
    return (double)size / best;
}

double read_speed_here(void)
{
    uint8_t *bytes = map_huge(OWN_SIZE);
    memset(bytes, 1, OWN_SIZE);
    double speed = read_speed_gbs(bytes, OWN_SIZE);
    (void)munmap(bytes, OWN_SIZE);
    return speed;
}
