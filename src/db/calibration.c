#include "db/calibration.h"

#include <math.h>

#include "base/check.h"

static const size_t ks[CALIBRATION_KS] = {1, 10, CALIBRATION_K_MAX};
static const double shares[CALIBRATION_SHARES] = {1, 0.3, 0.1, 0.03, 0.01};

static const double choice_deviations = 1, shown_deviations = 1.96;
/* Not measured: where a default effort comes to 0.8, this share of the misses is left by an effort
 * that many times as large. glove100 at its default of 100: 0.904; at 400: 0.98. */
static const double guess_misses = 0.2;

size_t calibration_k(size_t at)
{
    CHECK(at < CALIBRATION_KS);
    return ks[at];
}

double calibration_share(size_t at)
{
    CHECK(at < CALIBRATION_SHARES);
    return shares[at];
}

bool calibration_has_cell(size_t k_at, size_t share_at)
{
    return (double)calibration_k(k_at) <= CALIBRATION_DEPTH_MAX * calibration_share(share_at);
}

void recall_sum_add(struct recall_sum *sum, double recall)
{
    CHECK(recall >= 0 && recall <= 1);
    sum->count++;
    sum->sum += (float)recall;
    sum->squares += (float)(recall * recall);
}

struct recall_interval recall_interval(const struct recall_sum *sum, size_t k, double deviations)
{
    if (sum->count == 0)
        return (struct recall_interval){0, 0, 1};
    double n = sum->count, p = fmin((double)sum->sum / n, 1);
    double variance = (double)sum->squares / n - p * p;
    double trials = variance > 1e-9 ? p * (1 - p) / variance : 1;
    trials = n * fmin(fmax(trials, 1), (double)k);
    double z = deviations * deviations / trials;
    double centre = (p + z / 2) / (1 + z);
    double half = sqrt(z * (p * (1 - p) + z / 4)) / (1 + z);
    return (struct recall_interval){p, fmax(fmin(centre - half, p), 0),
                                    fmin(fmax(centre + half, p), 1)};
}

void calibration_add(struct calibration *to, const struct calibration *more)
{
    CHECK(to->effort_count == more->effort_count);
    to->queries += more->queries;
    to->real += more->real;
    for (size_t k = 0; k < CALIBRATION_KS; k++)
        for (size_t s = 0; s < CALIBRATION_SHARES; s++)
            for (size_t e = 0; e < to->effort_count; e++) {
                struct recall_sum *sum = &to->cells[k][s][e];
                sum->count += more->cells[k][s][e].count;
                sum->sum += more->cells[k][s][e].sum;
                sum->squares += more->cells[k][s][e].squares;
            }
}

/* -- choosing ---------------------------------------------------------------------------------- */

/* Between two of what was measured, along logarithms. */
static double between(double x, double x0, double y0, double x1, double y1)
{
    double at = (log(x) - log(x0)) / (log(x1) - log(x0));
    return exp(log(y0) + at * (log(y1) - log(y0)));
}

/* The effort of a cell that reaches the target; NAN: the cell was not measured. */
static double cell_effort(const struct calibration *c, double target, size_t k, size_t s)
{
    double best = 0, before = 0;
    for (size_t e = 0; e < c->effort_count; e++) {
        const struct recall_sum *sum = &c->cells[k][s][e];
        if (sum->count < CALIBRATION_QUERIES_MIN)
            return e == 0 ? NAN : INFINITY;
        before = best;
        best = fmax(best, recall_interval(sum, ks[k], choice_deviations).low);
        if (best < target)
            continue;
        if (e == 0)
            return c->efforts[0];
        double at = (target - before) / (best - before);
        return exp(log(c->efforts[e - 1]) * (1 - at) + log(c->efforts[e]) * at);
    }
    return c->effort_count == 0 ? NAN : INFINITY;
}

/* What grows with the depth at most: where nothing was measured, in proportion to it. */
static double effort_of_k(const struct calibration *c, double target, size_t k, size_t s)
{
    size_t above = 0;
    while (above < CALIBRATION_KS - 1 && ks[above] < k)
        above++;
    double high = cell_effort(c, target, above, s);
    if (k == ks[above] || above == 0)
        return high;
    double low = cell_effort(c, target, above - 1, s);
    if (k < ks[above] && isfinite(high) && isfinite(low))
        return between((double)k, (double)ks[above - 1], low, (double)ks[above], high);
    if (k > ks[above] && isfinite(high))
        return high * (double)k / (double)ks[above];
    return low * (double)k / (double)ks[above - 1];
}

static double mix(double low, double high, double at)
{
    return low * (1 - at) + high * at;
}

/* What the effort comes to without a filter, for the measured k nearest above. */
static struct recall_interval expected(const struct calibration *c, size_t k, double effort)
{
    size_t above = 0, cell = 0;
    while (above + 1 < c->effort_count && c->efforts[above] < effort)
        above++;
    while (cell < CALIBRATION_KS - 1 && ks[cell] < k)
        cell++;
    struct recall_interval high =
        recall_interval(&c->cells[cell][0][above], ks[cell], shown_deviations);
    if (above == 0 || c->efforts[above] <= effort)
        return high;
    struct recall_interval low =
        recall_interval(&c->cells[cell][0][above - 1], ks[cell], shown_deviations);
    double from = log(c->efforts[above - 1]), to = log(c->efforts[above]);
    double at = (log(effort) - from) / (to - from);
    return (struct recall_interval){mix(low.estimate, high.estimate, at),
                                    mix(low.low, high.low, at), mix(low.high, high.high, at)};
}

void calibration_plan(const struct calibration *c, double target, size_t k,
                      struct effort_plan *plan)
{
    CHECK(k > 0 && target > 0);
    *plan = (struct effort_plan){
        .target = target, .k = k, .calibrated = true, .queries = c->queries};
    for (size_t s = 0; s < CALIBRATION_SHARES; s++) {
        double effort = effort_of_k(c, target, k, s);
        if (s > 0 && isnan(effort))
            effort = plan->efforts[s - 1] * shares[s - 1] / shares[s];
        /* Chance may have it that fewer rows look enough to find more. */
        plan->efforts[s] = s > 0 ? fmax(effort, plan->efforts[s - 1]) : effort;
        CHECK(!isnan(plan->efforts[s]));
    }
    plan->expected = expected(c, k, plan->efforts[0]);
}

void calibration_guess(double effort, double target, size_t k, struct effort_plan *plan)
{
    CHECK(target > 0 && target < 1 && k > 0);
    *plan = (struct effort_plan){.target = target, .k = k, .expected = {target, 0, 1}};
    for (size_t s = 0; s < CALIBRATION_SHARES; s++)
        plan->efforts[s] = effort * fmax(guess_misses / (1 - target), 1) / sqrt(shares[s]);
}

double effort_plan_at(const struct effort_plan *plan, double share)
{
    size_t below = 0;
    while (below < CALIBRATION_SHARES && shares[below] > share)
        below++;
    if (below == 0)
        return plan->efforts[0];
    if (below == CALIBRATION_SHARES)
        return plan->efforts[below - 1] * shares[below - 1] / share;
    double high = plan->efforts[below - 1], low = plan->efforts[below];
    return isinf(high) || isinf(low) ? low
                                     : between(share, shares[below - 1], high, shares[below], low);
}

double effort_plan_for(const struct effort_plan *plan, double share, size_t wanted)
{
    double effort = effort_plan_at(plan, share);
    return wanted > plan->k ? effort * (double)wanted / (double)plan->k : effort;
}
