/* matrix_test.c: products agree with sums in doubles for every shape, and many threads may ask at
 * once, as lanes do. */
#include "vec/matrix.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "base/rng.h"
#include "lib/test.h"

enum { SIZE_MOST = 70, THREADS = 4, TURNS = 40 };

struct operands {
    float a[SIZE_MOST * SIZE_MOST], b[SIZE_MOST * SIZE_MOST], out[SIZE_MOST * SIZE_MOST];
    size_t shape[3];
};

static void fill(float *values, uint64_t *state)
{
    for (size_t i = 0; i < (size_t)SIZE_MOST * SIZE_MOST; i++)
        values[i] = (float)rng_below(state, 2001) / 1000 - 1;
}

static void choose(struct operands *o, uint64_t *state)
{
    fill(o->a, state);
    fill(o->b, state);
    fill(o->out, state);
    for (int i = 0; i < 3; i++)
        o->shape[i] = 1 + rng_below(state, SIZE_MOST);
}

static struct operands *random_operands(uint64_t seed)
{
    struct operands *o = malloc(sizeof *o);
    EXPECT(o != NULL);
    uint64_t state = seed;
    choose(o, &state);
    return o;
}

static bool near_sum(double got, double sum)
{
    return fabs(got - sum) < 1e-4;
}

/* Element (i, j) of the sum over inner, walked with a stride of its own in either operand. */
static double sum_of(const float *a, size_t a_step, const float *b, size_t b_step, size_t inner)
{
    double sum = 0;
    for (size_t d = 0; d < inner; d++)
        sum += (double)a[d * a_step] * (double)b[d * b_step];
    return sum;
}

static bool dots_right(struct operands *o)
{
    size_t rows = o->shape[0], others = o->shape[1], dim = o->shape[2];
    bool right = true;
    matrix_dots(o->a, rows, o->b, others, dim, o->out);
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < others; j++)
            right &= near_sum((double)o->out[i * others + j],
                              sum_of(o->a + i * dim, 1, o->b + j * dim, 1, dim));
    return right;
}

TEST(matrix, dots_are_those_of_all_rows_with_all_rows)
{
    for (uint64_t seed = 1; seed <= TURNS; seed++) {
        struct operands *o = random_operands(seed);
        EXPECT(dots_right(o));
        free(o);
    }
}

TEST(matrix, squares_are_dots_of_rows_with_themselves)
{
    struct operands *o = random_operands(3);
    matrix_squares(o->a, SIZE_MOST, SIZE_MOST, o->out);
    for (size_t i = 0; i < SIZE_MOST; i++) {
        const float *row = o->a + i * SIZE_MOST;
        EXPECT(near_sum((double)o->out[i], sum_of(row, 1, row, 1, SIZE_MOST)));
    }
    free(o);
}

static void *multiply(void *arg)
{
    uint64_t state = *(const uint64_t *)arg;
    struct operands *o = random_operands(state);
    bool right = true;
    for (int turn = 0; turn < TURNS; turn++) {
        right &= dots_right(o);
        choose(o, &state);
    }
    free(o);
    return right ? arg : NULL;
}

TEST(matrix, threads_multiply_at_once_without_disturbing_each_other)
{
    pthread_t threads[THREADS];
    uint64_t seeds[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        seeds[i] = 100 + i;
        EXPECT(pthread_create(&threads[i], NULL, multiply, &seeds[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *result = NULL;
        EXPECT(pthread_join(threads[i], &result) == 0);
        EXPECT(result != NULL);
    }
}
