/* calibration.h: what recall an effort comes to: sums of measured queries, intervals, and the
 * smallest effort that reaches a target. Pure.
 *
 * Recall of a query is the share of its k nearest that were found. It is kept by effort, by k and
 * by the share of elements that a filter lets through: a walk among whose rows k of a share p are
 * to be found has to have about k / p of them. */
#ifndef VDB_DB_CALIBRATION_H
#define VDB_DB_CALIBRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "index/index.h"

enum {
    CALIBRATION_KS = 3,
    CALIBRATION_SHARES = 5,
    CALIBRATION_K_MAX = 100,
    /* A cell whose k / share is more is not measured: no walk is that wide. */
    CALIBRATION_DEPTH_MAX = 2000,
    CALIBRATION_QUERIES_MIN = 32 /* fewer say nothing */
};

/* Measured recalls of queries. */
struct recall_sum {
    uint32_t count;
    float sum, squares;
};

/* Where the mean of a recall is, with so many standard deviations to each side. */
struct recall_interval {
    double estimate, low, high;
};

struct calibration {
    uint32_t efforts[INDEX_EFFORTS_MAX]; /* rising */
    size_t effort_count;
    uint32_t queries; /* that were measured */
    uint32_t real;    /* of these, clients' */
    struct recall_sum cells[CALIBRATION_KS][CALIBRATION_SHARES][INDEX_EFFORTS_MAX];
};

/* What a search with a target is to do: by the share of elements that count. */
struct effort_plan {
    double target; /* 0: there is none */
    size_t k;
    bool calibrated;
    bool aged; /* much has changed since; the target of the choice is higher */
    uint32_t queries;
    double efforts[CALIBRATION_SHARES]; /* INFINITY: none of the index comes to the target */
    struct recall_interval expected;    /* of the first of them, at 95 % */
};

/* k and share of a cell; the shares fall, and the first is 1. */
size_t calibration_k(size_t at);
double calibration_share(size_t at);
bool calibration_has_cell(size_t k_at, size_t share_at);

void recall_sum_add(struct recall_sum *sum, double recall);
/* By Wilson's score interval (Wilson 1927). The hits of a query stand and fall together, so it
 * counts as many trials as would have the variance that is seen: between one a query and k. */
struct recall_interval recall_interval(const struct recall_sum *sum, size_t k, double deviations);

void calibration_add(struct calibration *to, const struct calibration *more);
/* The effort for each share, for k of a search: the smallest whose recall is the target or more by
 * an estimate less one standard deviation of it, between those that were measured by
 * interpolation. */
void calibration_plan(const struct calibration *c, double target, size_t k,
                      struct effort_plan *plan);
/* Where nothing was measured: what is enough for most data, from the effort of the collection. */
void calibration_guess(double effort, double target, size_t k, struct effort_plan *plan);
/* For a share of elements, 0 < share <= 1, which may lie between those that were measured. */
double effort_plan_at(const struct effort_plan *plan, double share);
/* The same for a search that turns out to want more than k. */
double effort_plan_for(const struct effort_plan *plan, double share, size_t wanted);

#endif
