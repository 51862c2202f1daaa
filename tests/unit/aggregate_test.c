#include "ft/aggregate.h"
#include "base/rng.h"
#include "lib/test.h"

#include <math.h>
#include <stdlib.h>

enum { TAG, NUMBER, LIST, WIDTH };

/* A pipeline over rows of a tag (or nothing), a number and a list. owner: the test */
struct pipe {
    struct agg_plan plan;
    struct arena arena;
    struct agg_run run;
    struct index_spec *spec;
    struct slice names[8];
    bool descending[8];
};

static void open_pipe(struct pipe *p)
{
    static const char *const words[] = {"SCHEMA", "tag", "TAG", "n", "NUMERIC", "list", "TAG"};
    struct slice slices[COUNT_OF(words)];
    struct why why = {""};
    for (size_t i = 0; i < COUNT_OF(words); i++)
        slices[i] = slice_of(words[i]);
    *p = (struct pipe){0};
    agg_plan_init(&p->plan);
    arena_init(&p->arena, 64 << 20);
    REQUIRE(index_spec_new(slice_of("i"), slices, COUNT_OF(words), &p->spec, &why) == OK);
}

static void close_pipe(struct pipe *p)
{
    agg_rows_fini(&p->run.rows);
    arena_fini(&p->arena);
    agg_plan_fini(&p->plan);
    index_spec_unref(p->spec);
    EXPECT_EQ(mem_used(MEM_SCRATCH), 0);
}

/* Columns come in the order in which they are named. */
static void load_all(struct pipe *p)
{
    struct agg_step *step = agg_plan_add(&p->plan, AGG_LOAD);
    p->names[0] = slice_of("@tag");
    p->names[1] = slice_of("n");
    p->names[2] = slice_of("list");
    step->names = p->names;
    step->name_count = WIDTH;
}

static struct agg_step *group_by(struct pipe *p, const char *name)
{
    struct agg_step *step = agg_plan_add(&p->plan, AGG_GROUP);
    p->names[4] = slice_of(name);
    step->names = &p->names[4];
    step->name_count = 1;
    return step;
}

static void reduce(struct pipe *p, const char *word, const struct slice *args, size_t count,
                   const char *as)
{
    struct agg_reducer *r = agg_plan_add_reducer(&p->plan);
    r->word = slice_of(word);
    r->args = args;
    r->arg_count = count;
    r->as = slice_of(as);
}

static void sort_by(struct pipe *p, const char *name, bool descending, uint64_t most)
{
    struct agg_step *step = agg_plan_arrange(&p->plan);
    p->names[5] = slice_of(name);
    p->descending[0] = descending;
    step->names = &p->names[5];
    step->name_count = 1;
    step->descending = p->descending;
    step->sorted = true;
    step->most = most;
}

static void expression(struct pipe *p, enum agg_kind kind, const char *text, const char *as)
{
    struct agg_step *step = agg_plan_add(&p->plan, kind);
    step->text = slice_of(text);
    step->as = slice_of(as);
}

static enum err resolve(struct pipe *p, struct why *why)
{
    struct agg_distances none = {0};
    return agg_plan_resolve(&p->plan, p->spec, &none, false, why);
}

/* Rows with room for what steps add. */
static void fill(struct pipe *p, size_t count, uint64_t seed)
{
    static const char *const tags[] = {"red", "green", "blue", "gray", ""};
    size_t width = p->plan.stages[0].count;
    REQUIRE(width >= WIDTH && agg_rows_reserve(&p->run.rows, count) == OK);
    for (size_t i = 0; i < count; i++) {
        struct value *row = arena_alloc(&p->arena, width * sizeof(*row));
        REQUIRE(row != NULL);
        memset(row, 0, width * sizeof(*row));
        const char *tag = tags[rng_below(&seed, COUNT_OF(tags))];
        if (tag[0] != '\0')
            row[TAG] = value_of(slice_of(tag));
        row[NUMBER] = value_number((double)rng_below(&seed, 100));
        p->run.rows.items[p->run.rows.count++] = row;
    }
    p->run.rows.total = count;
}

static enum err run(struct pipe *p, struct why *why)
{
    p->run.plan = &p->plan;
    p->run.arena = &p->arena;
    p->run.seed = 7;
    return agg_run(&p->run, why);
}

/* What the reducers should make of one group, computed the plain way. */
struct wanted {
    double numbers[2000];
    size_t count;
};

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void collect(const struct agg_rows *rows, const struct value *tag, struct wanted *w)
{
    w->count = 0;
    for (size_t i = 0; i < rows->count; i++)
        if (value_same(&rows->items[i][TAG], tag))
            w->numbers[w->count++] = rows->items[i][NUMBER].number;
    qsort(w->numbers, w->count, sizeof(*w->numbers), by_number);
}

static void check_group(const struct value *group, const struct wanted *w)
{
    double sum = 0, spread = 0, n = (double)w->count;
    size_t distinct = w->count > 0;
    for (size_t i = 0; i < w->count; i++) {
        sum += w->numbers[i];
        distinct += i > 0 && w->numbers[i] != w->numbers[i - 1];
    }
    for (size_t i = 0; i < w->count; i++)
        spread += (w->numbers[i] - sum / n) * (w->numbers[i] - sum / n);
    EXPECT(group[1].number == n && group[2].number == sum);
    EXPECT(fabs(group[3].number - sum / n) < 1e-9);
    EXPECT(group[4].number == w->numbers[0] && group[5].number == w->numbers[w->count - 1]);
    EXPECT(fabs(group[6].number - sqrt(spread / (n - 1))) < 1e-9);
    EXPECT(group[7].number == w->numbers[(size_t)ceil(0.9 * n) - 1]);
    EXPECT(group[8].number == (double)distinct && group[9].size == distinct);
    EXPECT(group[10].number == w->numbers[w->count - 1]);
    EXPECT_EQ(group[11].size, 3);
}

TEST(aggregate, groups_have_what_a_plain_count_gives)
{
    static const struct {
        const char *word, *args[4];
        size_t count;
    } reducers[] = {{"COUNT", {NULL}, 0},
                    {"SUM", {"@n"}, 1},
                    {"avg", {"n"}, 1},
                    {"MIN", {"@n"}, 1},
                    {"MAX", {"@n"}, 1},
                    {"STDDEV", {"@n"}, 1},
                    {"QUANTILE", {"@n", "0.9"}, 2},
                    {"COUNT_DISTINCT", {"@n"}, 1},
                    {"TOLIST", {"@n"}, 1},
                    {"FIRST_VALUE", {"@n", "BY", "@n", "DESC"}, 4},
                    {"RANDOM_SAMPLE", {"@n", "3"}, 2}};
    struct pipe p;
    struct wanted w;
    struct slice args[COUNT_OF(reducers)][4];
    struct why why = {""};
    char names[COUNT_OF(reducers)][8];
    open_pipe(&p);
    load_all(&p);
    (void)group_by(&p, "tag");
    for (size_t i = 0; i < COUNT_OF(reducers); i++) {
        for (size_t k = 0; k < reducers[i].count; k++)
            args[i][k] = slice_of(reducers[i].args[k]);
        (void)snprintf(names[i], sizeof(names[i]), "r%zu", i);
        reduce(&p, reducers[i].word, args[i], reducers[i].count, names[i]);
    }
    EXPECT_EQ(resolve(&p, &why), OK);
    fill(&p, 2000, 1);
    struct agg_rows before = p.run.rows;
    before.items = mem_alloc(MEM_TEST, before.count * sizeof(*before.items));
    memcpy(before.items, p.run.rows.items, before.count * sizeof(*before.items));
    EXPECT_EQ(run(&p, &why), OK);
    EXPECT_EQ(p.run.rows.count, 5);
    EXPECT_EQ(p.run.rows.total, 5);
    size_t all = 0;
    for (size_t i = 0; i < p.run.rows.count; i++) {
        collect(&before, &p.run.rows.items[i][TAG], &w);
        check_group(p.run.rows.items[i], &w);
        all += w.count;
    }
    EXPECT_EQ(all, 2000);
    mem_free(MEM_TEST, before.items);
    close_pipe(&p);
}

TEST(aggregate, sorting_is_stable_and_what_lacks_the_key_comes_last)
{
    for (int descending = 0; descending < 2; descending++) {
        struct pipe p;
        struct why why = {""};
        open_pipe(&p);
        load_all(&p);
        sort_by(&p, "tag", descending, 1000);
        EXPECT_EQ(resolve(&p, &why), OK);
        fill(&p, 777, 3);
        for (size_t i = 0; i < 777; i++) /* their order before */
            p.run.rows.items[i][NUMBER] = value_number((double)i);
        EXPECT_EQ(run(&p, &why), OK);
        EXPECT_EQ(p.run.rows.count, 777);
        for (size_t i = 1; i < p.run.rows.count; i++) {
            const struct value *a = p.run.rows.items[i - 1], *b = p.run.rows.items[i];
            bool none = b[TAG].kind == VALUE_NONE;
            EXPECT(none || a[TAG].kind != VALUE_NONE);
            int order = value_compare(&a[TAG], &b[TAG]) * (descending ? -1 : 1);
            EXPECT(order <= 0 || none);
            EXPECT(order != 0 || a[NUMBER].number < b[NUMBER].number);
        }
        close_pipe(&p);
    }
}

TEST(aggregate, steps_follow_each_other)
{
    struct pipe p;
    struct why why = {""};
    open_pipe(&p);
    load_all(&p);
    expression(&p, AGG_FILTER, "@n >= 50 && exists(@tag)", "");
    expression(&p, AGG_APPLY, "@n * 2", "n");
    (void)group_by(&p, "tag");
    struct slice n = slice_of("@n");
    reduce(&p, "MIN", &n, 1, "least");
    expression(&p, AGG_APPLY, "upper(@tag)", "shown");
    sort_by(&p, "shown", true, 2);
    EXPECT_EQ(resolve(&p, &why), OK);
    fill(&p, 1000, 5);
    EXPECT_EQ(run(&p, &why), OK);
    EXPECT_EQ(p.run.rows.total, 4);
    EXPECT_EQ(p.run.rows.count, 2);
    const struct value *first = p.run.rows.items[0];
    EXPECT(slice_eq(value_slice(&first[2]), slice_of("RED")));
    EXPECT(first[1].number >= 100);
    EXPECT(slice_eq(value_slice(&p.run.rows.items[1][2]), slice_of("GREEN")));
    close_pipe(&p);
}

TEST(aggregate, a_row_with_lists_counts_for_each_combination)
{
    const struct value items[] = {value_of(slice_of("x")), value_of(slice_of("y"))};
    struct pipe p;
    struct why why = {""};
    open_pipe(&p);
    load_all(&p);
    struct agg_step *step = group_by(&p, "list");
    p.names[5] = slice_of("n");
    step->name_count = 2;
    reduce(&p, "COUNT", NULL, 0, "count");
    EXPECT_EQ(resolve(&p, &why), OK);
    fill(&p, 3, 5);
    for (size_t i = 0; i < 3; i++) {
        p.run.rows.items[i][NUMBER] = value_number(1);
        p.run.rows.items[i][LIST] = (struct value){
            .kind = VALUE_LIST, .size = i == 2 ? 0 : COUNT_OF(items), .items = items};
    }
    EXPECT_EQ(run(&p, &why), OK);
    EXPECT_EQ(p.run.rows.count, 3);
    EXPECT(p.run.rows.items[0][2].number == 2 && p.run.rows.items[1][2].number == 2);
    EXPECT(p.run.rows.items[2][0].kind == VALUE_NULL && p.run.rows.items[2][2].number == 1);
    close_pipe(&p);
}

static bool over_at_once(void *user)
{
    (void)user;
    return true;
}

TEST(aggregate, the_end_of_the_time_leaves_what_was_done_by_then)
{
    struct pipe p;
    struct why why = {""};
    open_pipe(&p);
    load_all(&p);
    expression(&p, AGG_APPLY, "@n * 2", "m");
    EXPECT_EQ(resolve(&p, &why), OK);
    fill(&p, 1000, 5);
    p.run.is_over = over_at_once;
    EXPECT_EQ(run(&p, &why), OK);
    EXPECT(p.run.timed_out && p.run.rows.count == 0);
    close_pipe(&p);
}

static enum err run_sized(size_t limit, struct why *why)
{
    struct pipe p;
    open_pipe(&p);
    load_all(&p);
    (void)group_by(&p, "n");
    EXPECT_EQ(resolve(&p, why), OK);
    p.arena.limit = limit;
    fill(&p, 100, 5);
    for (size_t i = 0; i < 100; i++)
        p.run.rows.items[i][NUMBER] = value_number((double)i);
    enum err e = run(&p, why);
    close_pipe(&p);
    return e;
}

TEST(aggregate, memory_is_limited)
{
    struct why why = {""};
    EXPECT_EQ(run_sized(64 * 1024, &why), OK);
    struct pipe p;
    open_pipe(&p);
    load_all(&p);
    (void)group_by(&p, "n");
    EXPECT_EQ(resolve(&p, &why), OK);
    fill(&p, 20000, 5);
    for (size_t i = 0; i < 20000; i++)
        p.run.rows.items[i][NUMBER] = value_number((double)i);
    p.arena.limit = p.arena.bytes;
    EXPECT_EQ(run(&p, &why), ERR_LIMIT);
    EXPECT(strstr(why.text, "needs more than") != NULL);
    close_pipe(&p);
}

TEST(aggregate, a_plan_has_limits)
{
    struct pipe p;
    struct why why = {""};
    open_pipe(&p);
    for (int i = 1; i < AGG_STEPS_MAX; i++)
        expression(&p, AGG_FILTER, "1", "");
    EXPECT_EQ(resolve(&p, &why), OK);
    EXPECT(agg_plan_add(&p.plan, AGG_FILTER) != NULL);
    EXPECT(agg_plan_add(&p.plan, AGG_FILTER) == NULL);
    EXPECT_EQ(agg_plan_error(&p.plan, &why), ERR_LIMIT);
    close_pipe(&p);
}

TEST(aggregate, allocations_fail_without_a_leak)
{
    for (uint64_t n = 1;; n++) {
        struct pipe p;
        struct why why = {""};
        struct slice arg = slice_of("@n");
        open_pipe(&p);
        load_all(&p);
        (void)group_by(&p, "tag");
        reduce(&p, "TOLIST", &arg, 1, "list");
        sort_by(&p, "tag", false, 0);
        enum err e = resolve(&p, &why);
        REQUIRE(e == OK);
        fill(&p, 500, 9);
        (void)mem_fail_nth(n);
        e = run(&p, &why);
        bool fired = mem_fail_nth(0);
        EXPECT_EQ(e, fired ? ERR_NOMEM : OK);
        close_pipe(&p);
        if (!fired)
            break;
    }
}
