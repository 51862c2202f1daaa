#include "db/plan.h"

#include <math.h>
#include <roaring/roaring.h>

#include "db/predicate_program.h"
#include "text/match.h"

enum {
    DRIVERS_MAX = 32,
    CHOICE_MAX = 4, /* drivers kept of one part, the smallest */
    MARKS_MAX = LIMIT_FILTER_DEPTH,
    ESTIMATES_MAX = 16,
    UNKNOWN_SHARE = PLAN_UNKNOWN_SHARE,
    CIRCLES_MAX = 4 /* whose rows an index can name */
};

enum driver_kind { DRIVER_RANGE, DRIVER_TAGS, DRIVER_BOOL, DRIVER_CIRCLE, DRIVER_UNION };

/* Rows among which all matches of a part of the filter are. */
struct driver {
    enum driver_kind kind;
    uint8_t field;
    bool value;                    /* BOOL */
    size_t first, end;             /* RANGE: ranks in the tree; CIRCLE: places among the spans */
    const struct predicate_op *op; /* TAGS */
    uint8_t left, right;           /* UNION: places among the drivers */
    size_t rows;
    bool exact;
    bool twins; /* a row may be named more than once */
};

/* What is known of a part of the filter: how many rows it lets through, about, and its drivers,
 * each of which alone has all the matches. */
struct estimate {
    double rows;
    uint8_t drivers[CHOICE_MAX], count;
    bool exact; /* its one driver is exact, and is all that the part says */
};

/* Ranks in a tree. */
struct span {
    size_t first, end;
};

/* owner: plan_make */
struct planning {
    const struct predicate *p;
    const struct fields *fields;
    double live;
    struct driver drivers[DRIVERS_MAX];
    uint8_t driver_count;
    struct span spans[CIRCLES_MAX * GEO_RANGES_MAX];
    size_t span_count;
    struct estimate stack[ESTIMATES_MAX];
    unsigned depth;
    uint16_t marks[MARKS_MAX]; /* of `and` and `or` whose right side is under way */
    unsigned mark_count;
    bool failed; /* more than there is room for: nothing is known */
};

/* -- parts that an index answers --------------------------------------------------------------- */

static const struct field *field_of(const struct planning *g, uint16_t read)
{
    return &g->fields->fields[g->p->reads[read].field];
}

static void push(struct planning *g, struct estimate e)
{
    if (g->depth == ESTIMATES_MAX) {
        g->failed = true;
        return;
    }
    g->stack[g->depth++] = e;
}

static void push_unknown(struct planning *g, double rows)
{
    push(g, (struct estimate){.rows = rows < 0 ? 0 : rows});
}

static void push_driver(struct planning *g, struct driver d, double rows)
{
    if (g->driver_count == DRIVERS_MAX) {
        push_unknown(g, rows);
        return;
    }
    g->drivers[g->driver_count] = d;
    push(g, (struct estimate){rows, {g->driver_count}, 1, d.exact});
    g->driver_count++;
}

/* Rows of a comparison with a number, by their ranks. */
static void range_of(const struct order *o, uint16_t compare, double number, size_t *first,
                     size_t *end)
{
    size_t below = order_rank(o, number, false), through = order_rank(o, number, true);
    *first = compare == FILTER_GT                           ? through
             : compare == FILTER_GE || compare == FILTER_EQ ? below
                                                            : 0;
    *end = compare == FILTER_LT                           ? below
           : compare == FILTER_LE || compare == FILTER_EQ ? through
                                                          : o->count;
}

static void estimate_number(struct planning *g, const struct predicate_op *op)
{
    const struct field *field = field_of(g, op->arg);
    struct driver d = {.kind = DRIVER_RANGE, .field = g->p->reads[op->arg].field};
    if (isnan(op->number)) {
        push_unknown(g, op->compare == FILTER_NE ? g->live : 0);
        return;
    }
    if (op->compare == FILTER_NE) {
        range_of(&field->order, FILTER_EQ, op->number, &d.first, &d.end);
        push_unknown(g, g->live - (double)(d.end - d.first));
        return;
    }
    range_of(&field->order, op->compare, op->number, &d.first, &d.end);
    d.rows = d.end - d.first + field->rest.count;
    d.exact = field->rest.count == 0;
    double rows = (double)(d.end - d.first);
    /* What is missing reads as null, which has the place of 0, and is in no index. */
    if (g->p->reads[op->arg].may_miss && op->compare != FILTER_EQ)
        push_unknown(g, rows);
    else
        push_driver(g, d, rows);
}

static void estimate_between(struct planning *g, const struct predicate_op *op)
{
    const struct field *field = field_of(g, op->arg);
    struct driver d = {.kind = DRIVER_RANGE, .field = g->p->reads[op->arg].field};
    size_t last = 0, through = 0;
    if (g->p->reads[op->arg].kind != SCHEMA_NUMERIC) {
        push_unknown(g, g->live / 2);
        return;
    }
    range_of(&field->order, FILTER_GE, op->range.low, &d.first, &last);
    range_of(&field->order, FILTER_LE, op->range.high, &through, &d.end);
    if (d.end < d.first)
        d.end = d.first;
    d.rows = d.end - d.first + field->rest.count;
    d.exact = field->rest.count == 0;
    push_driver(g, d, (double)(d.end - d.first));
}

static void estimate_bool(struct planning *g, uint16_t read, bool value)
{
    const struct field *field = field_of(g, read);
    size_t rows = field->bools[value].count;
    struct driver d = {.kind = DRIVER_BOOL,
                       .field = g->p->reads[read].field,
                       .value = value,
                       .rows = rows + field->rest.count,
                       .exact = field->rest.count == 0};
    push_driver(g, d, (double)rows);
}

static void estimate_compare(struct planning *g, const struct predicate_op *op)
{
    if (g->p->reads[op->arg].kind == SCHEMA_NUMERIC)
        estimate_number(g, op);
    else if (op->compare == FILTER_EQ && (op->number == 0 || op->number == 1))
        estimate_bool(g, op->arg, op->number == 1);
    else
        push_unknown(g, g->live / 2);
}

static void estimate_tag(struct planning *g, const struct predicate_op *op)
{
    const struct field *field = field_of(g, op->arg);
    size_t rows = 0;
    for (uint32_t i = 0; i < op->member_count; i++)
        rows += tags_rows_count(&field->tags, g->p->tags[op->member_first + i]);
    if (op->negated) {
        push_unknown(g, g->live - (double)rows);
        return;
    }
    /* A row with an array may come by several members; `==` has to read its text. */
    bool arrays = field->sets.count > 0;
    struct driver d = {.kind = DRIVER_TAGS,
                       .field = g->p->reads[op->arg].field,
                       .op = op,
                       .twins = arrays && (op->member_count > 1 || !op->sets),
                       .rows = rows + field->rest.count + (op->sets ? 0 : field->sets.count)};
    d.exact = field->rest.count == 0 && (!arrays || (op->exact && !d.twins));
    push_driver(g, d, (double)rows);
}

/* Rows within the ranges of keys that have the circle. Where a range has some of it, half its rows
 * are taken to be in it. */
static void estimate_circle(struct planning *g, const struct predicate_op *op)
{
    struct geo_range ranges[GEO_RANGES_MAX];
    const struct field *field = field_of(g, op->arg);
    struct driver d = {.kind = DRIVER_CIRCLE,
                       .field = g->p->reads[op->arg].field,
                       .first = g->span_count,
                       .rows = field->rest.count};
    size_t count = geo_circle_ranges(&g->p->circles[op->circle], ranges);
    bool room = g->span_count + count <= COUNT_OF(g->spans);
    double rows = 0;
    for (size_t i = 0; i < count; i++) {
        struct span span = {order_rank(&field->order, ranges[i].first, false),
                            order_rank(&field->order, ranges[i].end, false)};
        size_t size = span.end - span.first;
        rows += ranges[i].inside ? (double)size : (double)size / 2;
        d.rows += size;
        if (room && size > 0)
            g->spans[g->span_count++] = span;
    }
    d.end = g->span_count;
    if (room)
        push_driver(g, d, rows);
    else
        push_unknown(g, rows);
}

/* -- putting them together --------------------------------------------------------------------- */

static uint8_t best_of(const struct planning *g, const struct estimate *e)
{
    uint8_t best = e->drivers[0];
    CHECK(e->count > 0);
    for (uint8_t i = 1; i < e->count; i++)
        if (g->drivers[e->drivers[i]].rows < g->drivers[best].rows)
            best = e->drivers[i];
    return best;
}

/* Two ranges of one field are one. */
static bool narrow(struct planning *g, const struct estimate *left, const struct driver *d)
{
    for (uint8_t i = 0; i < left->count; i++) {
        struct driver *to = &g->drivers[left->drivers[i]];
        if (d->kind != DRIVER_RANGE || to->kind != DRIVER_RANGE || to->field != d->field)
            continue;
        size_t rest = to->rows - (to->end - to->first);
        to->first = d->first > to->first ? d->first : to->first;
        to->end = d->end < to->end ? d->end : to->end;
        if (to->end < to->first)
            to->end = to->first;
        to->rows = to->end - to->first + rest;
        return true;
    }
    return false;
}

/* One driver more; of too many, the largest goes. */
static void add_driver(const struct planning *g, struct estimate *e, uint8_t driver)
{
    if (e->count < CHOICE_MAX) {
        e->drivers[e->count++] = driver;
        return;
    }
    uint8_t worst = 0;
    for (uint8_t i = 1; i < e->count; i++)
        if (g->drivers[e->drivers[i]].rows > g->drivers[e->drivers[worst]].rows)
            worst = i;
    if (g->drivers[driver].rows < g->drivers[e->drivers[worst]].rows)
        e->drivers[worst] = driver;
}

/* Parts of an `and` count as if they had nothing to do with each other, but for ranges. */
static struct estimate both(struct planning *g, struct estimate left, struct estimate right)
{
    struct estimate e = left;
    bool narrowed = false;
    for (uint8_t i = 0; i < right.count; i++) {
        if (narrow(g, &left, &g->drivers[right.drivers[i]]))
            narrowed = true;
        else
            add_driver(g, &e, right.drivers[i]);
    }
    e.rows = g->live == 0 ? 0 : left.rows * right.rows / g->live;
    e.exact = narrowed && left.exact && right.exact && e.count == 1;
    if (narrowed && e.count == 1)
        e.rows = (double)g->drivers[e.drivers[0]].rows;
    return e;
}

static struct estimate either(struct planning *g, struct estimate left, struct estimate right)
{
    double common = g->live == 0 ? 0 : left.rows * right.rows / g->live;
    struct estimate e = {.rows = left.rows + right.rows - common};
    if (left.count == 0 || right.count == 0 || g->driver_count == DRIVERS_MAX)
        return e;
    uint8_t a = best_of(g, &left), b = best_of(g, &right);
    struct driver d = {.kind = DRIVER_UNION,
                       .left = a,
                       .right = b,
                       .rows = g->drivers[a].rows + g->drivers[b].rows};
    e.drivers[e.count++] = g->driver_count;
    g->drivers[g->driver_count++] = d;
    return e;
}

static struct estimate pop(struct planning *g)
{
    if (g->depth == 0 || g->failed) {
        g->failed = true;
        return (struct estimate){0};
    }
    return g->stack[--g->depth];
}

static void estimate_op(struct planning *g, const struct predicate_op *op)
{
    struct estimate right, left;
    switch (op->code) {
    case PREDICATE_COMPARE:
        estimate_compare(g, op);
        return;
    case PREDICATE_TAG:
        estimate_tag(g, op);
        return;
    case PREDICATE_GEO:
        estimate_circle(g, op);
        return;
    case PREDICATE_BETWEEN:
        estimate_between(g, op);
        return;
    case PREDICATE_SET: /* filled on a lane, which then knows better (key_text.c) */
        push_unknown(g, op->set->bits != NULL ? (double)op->set->count : g->live / UNKNOWN_SHARE);
        return;
    case FILTER_FIELD:
        if (g->p->reads[op->arg].kind == SCHEMA_BOOL)
            estimate_bool(g, op->arg, true);
        else
            push_unknown(g, g->live);
        return;
    case FILTER_CONSTANT:
    case FILTER_EXISTS:
        push_unknown(g, g->live);
        return;
    case FILTER_NOT:
        left = pop(g);
        push_unknown(g, g->live - left.rows);
        return;
    case FILTER_AND_TEST:
    case FILTER_OR_TEST:
        if (g->mark_count == MARKS_MAX)
            g->failed = true;
        else
            g->marks[g->mark_count++] = op->code;
        return;
    case FILTER_BOOL: /* ends the right side of the last `and` or `or` */
        right = pop(g);
        left = pop(g);
        if (g->mark_count == 0)
            g->failed = true;
        else
            push(g, g->marks[--g->mark_count] == FILTER_AND_TEST ? both(g, left, right)
                                                                 : either(g, left, right));
        return;
    default: /* two operands */
        (void)pop(g);
        (void)pop(g);
        push_unknown(g, g->live / UNKNOWN_SHARE);
    }
}

/* -- rows -------------------------------------------------------------------------------------- */

static size_t copy_rest(const struct field_rows *rows, uint32_t *out)
{
    if (rows->count > 0)
        roaring_bitmap_to_uint32_array(rows->bitmap, out);
    return rows->count;
}

static size_t copy_leaf(const struct planning *g, const struct driver *d, uint32_t *out)
{
    const struct field *field = &g->fields->fields[d->field];
    size_t count = copy_rest(&field->rest, out);
    if (d->kind == DRIVER_RANGE) {
        order_rows(&field->order, d->first, d->end - d->first, out + count);
        return count + d->end - d->first;
    }
    for (size_t i = d->first; d->kind == DRIVER_CIRCLE && i < d->end; i++) {
        const struct span *span = &g->spans[i];
        order_rows(&field->order, span->first, span->end - span->first, out + count);
        count += span->end - span->first;
    }
    if (d->kind == DRIVER_CIRCLE)
        return count;
    if (d->kind == DRIVER_BOOL)
        return count + copy_rest(&field->bools[d->value], out + count);
    CHECK(d->kind == DRIVER_TAGS);
    const uint32_t *members = g->p->tags + d->op->member_first;
    if (!d->op->sets)
        count += copy_rest(&field->sets, out + count);
    for (uint32_t i = 0; i < d->op->member_count; i++) {
        tags_rows(&field->tags, members[i], out + count);
        count += tags_rows_count(&field->tags, members[i]);
    }
    return count;
}

/* A union's parts stand before it: their way is kept in a stack, which is no deeper than they are
 * many. */
static size_t copy_rows(const struct planning *g, uint8_t driver, uint32_t *out)
{
    uint8_t left[DRIVERS_MAX + 1] = {driver};
    size_t depth = 1, count = 0;
    while (depth > 0) {
        const struct driver *d = &g->drivers[left[--depth]];
        if (d->kind != DRIVER_UNION) {
            count += copy_leaf(g, d, out + count);
            continue;
        }
        CHECK(depth + 2 <= COUNT_OF(left));
        left[depth++] = d->left;
        left[depth++] = d->right;
    }
    return count;
}

/* Room for the rows of the driver; false: it is not able to name them. */
static bool take_room(struct plan *plan)
{
    plan->rows = mem_try(MEM_SCRATCH, (plan->bound + 1) * sizeof(*plan->rows));
    plan->can_name = plan->rows != NULL;
    plan->row_count = plan->bound;
    return plan->can_name;
}

static void take_rows(struct plan *plan, const struct planning *g, uint8_t driver)
{
    if (!take_room(plan))
        return;
    size_t count = copy_rows(g, driver, plan->rows);
    CHECK(count == plan->bound);
    plan->has_twins = g->drivers[driver].kind == DRIVER_UNION || g->drivers[driver].twins;
}

/* -- all of it --------------------------------------------------------------------------------- */

/* What the filter alone comes to. rows: copy them, unless the partitions have fewer. */
static void make_of_filter(struct plan *plan, const struct plan_request *r, bool rows)
{
    const struct predicate *p = r->predicate;
    if (p == NULL || !predicate_is_columnar(p))
        return;
    struct planning g = {.p = p, .fields = p->fields, .live = (double)r->live};
    for (uint32_t i = 0; i < p->op_count && !g.failed; i++)
        estimate_op(&g, &p->ops[i]);
    if (g.failed || g.depth != 1 || g.mark_count != 0)
        return;
    const struct estimate *e = &g.stack[0];
    plan->known = true;
    plan->matches = e->rows;
    if (e->count == 0)
        return;
    uint8_t best = best_of(&g, e);
    plan->bound = g.drivers[best].rows;
    plan->field = g.drivers[best].kind == DRIVER_UNION ? -1 : g.drivers[best].field;
    plan->exact = e->exact && p->read_count == 1;
    plan->can_name = plan->bound <= PLAN_ROWS_MAX;
    if (plan->matches > (double)plan->bound)
        plan->matches = (double)plan->bound;
    bool drives = r->choice == NULL || plan->bound <= r->choice->bound;
    if (rows && drives && plan->can_name)
        take_rows(plan, &g, best);
}

/* The filter lets through as many of the partitions as of all, as far as is known; whichever names
 * fewer rows drives. */
static void make(struct plan *plan, const struct plan_request *r, bool rows)
{
    const struct partition_choice *choice = r->choice;
    *plan = (struct plan){.field = -1, .bound = r->live};
    make_of_filter(plan, r, rows);
    if (choice == NULL)
        return;
    plan->exact = false;
    if (r->predicate == NULL) {
        plan->known = true;
        plan->matches = (double)choice->count;
    } else if (r->live > 0) {
        plan->matches *= (double)choice->count / (double)r->live;
    }
    if (plan->can_name && plan->bound <= choice->bound)
        return;
    plan->field = -1;
    plan->by_partition = true;
    plan->bound = choice->bound;
    plan->can_name = plan->bound <= PLAN_ROWS_MAX;
    if (rows && plan->can_name && take_room(plan))
        partition_choice_rows(choice, r->partitions, plan->rows);
}

void plan_make(struct plan *plan, const struct plan_request *request)
{
    make(plan, request, false);
}

void plan_make_rows(struct plan *plan, const struct plan_request *request)
{
    make(plan, request, true);
}

/* By a set of bits: a row may come by several fields. */
bool plan_tidy(struct plan *plan, uint32_t end)
{
    if (plan->tidy)
        return true;
    size_t words = ((size_t)end + 63) / 64, count = 0;
    uint64_t *bits = mem_try_calloc(MEM_SCRATCH, (words + 1) * sizeof(*bits));
    if (bits == NULL)
        return false;
    for (size_t i = 0; i < plan->row_count; i++) {
        CHECK(plan->rows[i] < end);
        bits[plan->rows[i] / 64] |= (uint64_t)1 << (plan->rows[i] % 64);
    }
    for (size_t i = 0; i < words; i++)
        for (uint64_t left = bits[i]; left != 0; left &= left - 1)
            plan->rows[count++] = (uint32_t)(i * 64 + (size_t)__builtin_ctzll(left));
    mem_free(MEM_SCRATCH, bits);
    plan->row_count = count;
    plan->tidy = true;
    plan->has_twins = false;
    return true;
}

void plan_fini(struct plan *plan)
{
    mem_free(MEM_SCRATCH, plan->rows);
    plan->rows = NULL;
}
