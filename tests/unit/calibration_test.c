/* Calibrations: intervals at their edges, and the effort that is chosen by what was measured. */
#include "db/calibration.h"

#include <math.h>

#include "lib/test.h"

enum { QUERIES = 200 };

static struct recall_sum sum_of(unsigned good, unsigned bad, double of_bad)
{
    struct recall_sum sum = {0};
    for (unsigned i = 0; i < good; i++)
        recall_sum_add(&sum, 1);
    for (unsigned i = 0; i < bad; i++)
        recall_sum_add(&sum, of_bad);
    return sum;
}

TEST(calibration, an_interval_of_nothing_is_all_there_is)
{
    struct recall_sum none = {0};
    struct recall_interval i = recall_interval(&none, 10, 1.96);
    EXPECT(i.estimate == 0 && i.low == 0 && i.high == 1);
}

TEST(calibration, an_interval_is_wilsons)
{
    /* 95 of 100, published tables: 0.8882 to 0.9785. */
    struct recall_sum sum = sum_of(95, 5, 0);
    struct recall_interval i = recall_interval(&sum, 1, 1.959964);
    EXPECT(fabs(i.estimate - 0.95) < 1e-6);
    EXPECT(fabs(i.low - 0.8882) < 1e-4 && fabs(i.high - 0.9785) < 1e-4);
}

TEST(calibration, an_interval_at_the_edges_has_a_width)
{
    struct recall_sum all = sum_of(100, 0, 0), nothing = sum_of(0, 100, 0), one = sum_of(1, 0, 0);
    struct recall_interval i = recall_interval(&all, 10, 1.96);
    EXPECT(i.estimate == 1 && i.high == 1 && i.low > 0.95 && i.low < 1);
    i = recall_interval(&nothing, 10, 1.96);
    EXPECT(i.estimate == 0 && i.low == 0 && i.high > 0 && i.high < 0.05);
    i = recall_interval(&one, 10, 1.96);
    EXPECT(i.low < 0.5 && i.high == 1);
}

TEST(calibration, hits_that_stand_and_fall_together_count_as_fewer)
{
    /* The same mean: queries that miss one of ten each, or one in ten that misses all. */
    struct recall_sum apart = {0}, together = sum_of(90, 10, 0);
    for (int i = 0; i < 100; i++)
        recall_sum_add(&apart, i % 2 == 0 ? 0.85 : 0.95);
    struct recall_interval narrow = recall_interval(&apart, 10, 1.96);
    struct recall_interval wide = recall_interval(&together, 10, 1.96);
    EXPECT(fabs(narrow.estimate - wide.estimate) < 1e-6);
    EXPECT(wide.high - wide.low > 2 * (narrow.high - narrow.low));
}

/* Recall 1 - 1 / effort for k 1, and an effort k / share times as large for the same otherwise. */
static struct calibration even(void)
{
    struct calibration c = {.effort_count = 12, .queries = QUERIES};
    for (uint32_t e = 0; e < c.effort_count; e++) {
        c.efforts[e] = 2u << e;
        for (size_t k = 0; k < CALIBRATION_KS; k++)
            for (size_t s = 0; s < CALIBRATION_SHARES; s++)
                for (int i = 0; i < QUERIES && calibration_has_cell(k, s); i++) {
                    double depth = (double)calibration_k(k) / calibration_share(s);
                    double recall = 1 - fmin(depth / (double)c.efforts[e], 1);
                    recall_sum_add(&c.cells[k][s][e], recall);
                }
    }
    return c;
}

TEST(calibration, the_smallest_effort_that_reaches_the_target_is_chosen)
{
    struct calibration c = even();
    struct effort_plan plan;
    double before = 0;
    static const double targets[] = {0.5, 0.8, 0.9, 0.95, 0.98, 0.99};
    for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
        double exact = 1 / (1 - targets[i]);
        calibration_plan(&c, targets[i], 1, &plan);
        EXPECT(plan.calibrated && plan.target == targets[i] && plan.queries == QUERIES);
        EXPECT(plan.efforts[0] > before && plan.efforts[0] >= exact);
        EXPECT(plan.efforts[0] < 4 * exact); /* the sample is small: less one deviation */
        EXPECT(plan.expected.estimate >= targets[i] && plan.expected.low < plan.expected.high);
        before = plan.efforts[0];
    }
}

TEST(calibration, efforts_rise_with_k_and_with_what_a_filter_leaves_out)
{
    struct calibration c = even();
    struct effort_plan plan;
    static const size_t wanted[] = {1, 2, 5, 10, 11, 50, 100, 101, 500};
    double of_k = 0;
    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
        calibration_plan(&c, 0.6, wanted[i], &plan);
        EXPECT(plan.efforts[0] > of_k);
        of_k = plan.efforts[0];
        double of_share = 0;
        for (double share = 1; share > 0.001; share *= 0.8) {
            double effort = effort_plan_at(&plan, share);
            EXPECT(effort >= of_share);
            of_share = effort;
        }
    }
    /* At what was measured, and far beyond: in proportion. */
    calibration_plan(&c, 0.6, 100, &plan);
    double hundred = plan.efforts[0];
    calibration_plan(&c, 0.6, 500, &plan);
    EXPECT(fabs(plan.efforts[0] - 5 * hundred) < 1e-6 * hundred);
    EXPECT(fabs(effort_plan_at(&plan, 0.001) - 10 * plan.efforts[4]) < 1e-6 * plan.efforts[4]);
}

TEST(calibration, a_target_that_nothing_reaches_has_no_effort)
{
    struct calibration c = even();
    struct effort_plan plan;
    calibration_plan(&c, 0.99999, 10, &plan);
    EXPECT(isinf(plan.efforts[0]) && isinf(effort_plan_at(&plan, 0.05)));
}

TEST(calibration, recall_that_falls_by_chance_chooses_no_lower_effort)
{
    struct calibration c = {.efforts = {8, 16, 32}, .effort_count = 3, .queries = QUERIES};
    for (size_t s = 0; s < CALIBRATION_SHARES; s++)
        for (size_t k = 0; k < CALIBRATION_KS; k++) {
            c.cells[k][s][0] = sum_of(180, 20, 0);
            c.cells[k][s][1] = sum_of(170, 30, 0);
            c.cells[k][s][2] = sum_of(200, 0, 0);
        }
    struct effort_plan low, high;
    calibration_plan(&c, 0.8, 10, &low);
    calibration_plan(&c, 0.95, 10, &high);
    EXPECT(low.efforts[0] == 8);
    EXPECT(high.efforts[0] > 16 && high.efforts[0] <= 32);
}

TEST(calibration, sums_of_batches_are_those_of_all_queries)
{
    struct calibration few = {.efforts = {8, 16}, .effort_count = 2, .queries = 20, .real = 5};
    for (int i = 0; i < 20; i++)
        for (size_t k = 0; k < CALIBRATION_KS; k++)
            for (size_t s = 0; s < CALIBRATION_SHARES; s++) {
                recall_sum_add(&few.cells[k][s][0], 0.5);
                recall_sum_add(&few.cells[k][s][1], 1);
            }
    struct calibration sum = few;
    calibration_add(&sum, &few);
    EXPECT_EQ(sum.queries, 40);
    EXPECT_EQ(sum.real, 10);
    EXPECT_EQ(sum.cells[1][0][0].count, 40);
    struct effort_plan plan;
    calibration_plan(&sum, 0.4, 10, &plan);
    EXPECT(plan.efforts[0] == 8);
    calibration_plan(&sum, 0.75, 10, &plan);
    EXPECT(plan.efforts[0] > 8 && plan.efforts[0] < 16);
}

TEST(calibration, a_guess_is_higher_the_higher_the_target)
{
    struct effort_plan low, high;
    calibration_guess(100, 0.5, 10, &low);
    calibration_guess(100, 0.99, 10, &high);
    EXPECT(!low.calibrated && low.efforts[0] == 100);
    EXPECT(high.efforts[0] > 1000 && high.efforts[4] > high.efforts[0]);
    EXPECT(high.expected.low == 0 && high.expected.high == 1);
}
