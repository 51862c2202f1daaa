#include <float.h>
#include <math.h>

#include "cmd/vector_read.h"
#include "lib/test.h"

static enum err prepare(enum metric metric, float x, float y, float *norm)
{
    struct collection_spec spec = spec_default(2);
    struct why why = {{0}};
    float raw[2] = {x, y}, out[2];
    const struct vec_kernels *k;
    spec.metric = metric;
    REQUIRE(vec_kernels_choose("scalar", &k, NULL) == OK);
    enum err e = vector_prepare(&spec, NULL, k, raw, out, norm, &why);
    EXPECT((e == OK) == (why.text[0] == '\0'));
    EXPECT(e != OK || (isfinite(out[0]) && isfinite(out[1]) && isfinite(*norm)));
    return e;
}

TEST(vector_read, takes_vectors_as_long_as_distances_can_tell_and_no_longer)
{
    float norm;
    float most = (float)sqrt((double)FLT_MAX / 8);
    EXPECT(prepare(METRIC_L2, nextafterf(most, 0), 0, &norm) == OK);
    EXPECT(prepare(METRIC_L2, most * 1.001f, 0, &norm) == ERR_ARG);
    EXPECT(prepare(METRIC_IP, nextafterf(most, 0), 0, &norm) == OK);
    EXPECT(prepare(METRIC_IP, 0, -most * 1.001f, &norm) == ERR_ARG);
    EXPECT(prepare(METRIC_COSINE, FLT_MAX * 0.49f, 0, &norm) == OK);
    EXPECT(prepare(METRIC_COSINE, FLT_MAX * 0.51f, 0, &norm) == ERR_ARG);
}

TEST(vector_read, refuses_a_projection_that_overflowed)
{
    struct collection_spec spec = spec_default(1);
    struct why why = {{0}};
    float raw[2] = {FLT_MAX, FLT_MAX}, matrix[2] = {1, 1}, out[1], norm;
    const struct vec_kernels *k;
    spec.projection_from = 2;
    REQUIRE(vec_kernels_choose("scalar", &k, NULL) == OK);
    EXPECT(vector_prepare(&spec, matrix, k, raw, out, &norm, &why) == ERR_ARG);
    EXPECT_STR(why.text, "the vector is too long for distances in floats");
}
