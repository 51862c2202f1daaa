/* Commands about sets and sorted sets: made up, and told what they do. */
#include "sim/workload_private.h"

bool members_is(enum op op)
{
    return op >= OP_SADD && op <= OP_ZUNIONSTORE;
}

static bool of_sorted(enum op op)
{
    return op >= OP_ZADD;
}

unsigned members_some(struct world *w, enum op op)
{
    if (below(w, 14) == 0)
        return (unsigned)below(w, MODEL_KEYS);
    unsigned first = MODEL_KEYS - MODEL_SET_KEYS - MODEL_ZSET_KEYS;
    return first + (of_sorted(op) ? (unsigned)MODEL_SET_KEYS : 0u) + (unsigned)below(w, 2);
}

/* Integers among them. */
static struct slice name_of(const struct ask *c, size_t i)
{
    static const char names[EXPECT_MEMBERS_MAX][8] = {
        "m0", "m1", "m2", "m3", "m4", "1", "22", "-3", "44444", "m9", "mA", "", "m\r\n", "mB"};
    CHECK(i < c->keys.field_count && c->keys.fields[i] < EXPECT_MEMBERS_MAX);
    return slice_of(names[c->keys.fields[i]]);
}

/* -- making ---------------------------------------------------------------------------------------
 */

static void add_members(struct world *w, struct ask *c, struct ask_args *a, size_t count)
{
    struct keys_want *k = &c->keys;
    k->field_count = count;
    for (size_t i = 0; i < count; i++) {
        k->fields[i] = (unsigned)below(w, EXPECT_MEMBERS_MAX);
        k->scores[i] = (int64_t)below(w, 7) - 3;
        if (c->op == OP_ZADD || c->op == OP_ZINCRBY)
            ask_add_signed(a, k->scores[i]);
        ask_add(a, name_of(c, i));
    }
}

static void add_keys(struct world *w, struct ask *c, struct ask_args *a, size_t more)
{
    struct keys_want *k = &c->keys;
    while (k->key_count < 1 + more)
        k->keys[k->key_count++] = members_some(w, c->op);
    ask_add_key(a, c->key);
    if (c->op == OP_ZUNIONSTORE)
        ask_add_number(a, more);
    for (size_t i = 1; i <= more; i++)
        ask_add_key(a, k->keys[i]);
}

void members_make(struct world *w, struct ask *c, struct ask_args *a)
{
    struct keys_want *k = &c->keys;
    bool stores = c->op == OP_SUNIONSTORE || c->op == OP_ZUNIONSTORE;
    k->keys[0] = c->key;
    k->key_count = 1;
    ask_add_text(a, c->op == OP_ZREMRANGE ? "ZREMRANGEBYRANK" : op_name(c->op) + strlen("OP_"));
    add_keys(w, c, a, stores ? 2 : c->op == OP_SMOVE);
    switch ((int)c->op) {
    case OP_ZADD:
        k->nx = below(w, 6) == 0;
        k->gt = !k->nx && below(w, 6) == 0;
        if (k->nx || k->gt)
            ask_add_text(a, k->nx ? "NX" : "gt");
        add_members(w, c, a, 1 + below(w, ASK_KEYS_MAX));
        break;
    case OP_SADD:
    case OP_SREM:
    case OP_ZREM:
        add_members(w, c, a, 1 + below(w, ASK_KEYS_MAX));
        break;
    case OP_SISMEMBER:
    case OP_SMOVE:
    case OP_ZINCRBY:
    case OP_ZSCORE:
    case OP_ZRANK:
        add_members(w, c, a, 1);
        break;
    case OP_ZRANGE:
    case OP_ZREMRANGE:
        k->number = (int64_t)below(w, 12) - 6;
        k->end = (int64_t)below(w, 12) - 6;
        ask_add_signed(a, k->number);
        ask_add_signed(a, k->end);
        if (c->op == OP_ZRANGE)
            ask_add_text(a, "WITHSCORES");
        break;
    default:
        break;
    }
}

/* -- what they do ---------------------------------------------------------------------------------
 */

/* A command in hand. */
struct run_of {
    const struct ask *c;
    struct expectation *e;
    const struct model_members *s[3]; /* by key; NULL: none */
};

static struct mutation *change(const struct run_of *r, size_t key, enum mutation_kind kind)
{
    struct expectation *e = r->e;
    struct mutation *m = &e->changes[e->change_count++];
    *m = (struct mutation){.kind = kind, .key = keys_name(r->c->keys.keys[key])};
    return m;
}

/* SADD, SREM, ZREM: those that are there, or are not, as often as they are named. */
static void expect_each(const struct run_of *r, enum mutation_kind kind, bool there)
{
    long long changed = 0;
    size_t count = 0;
    for (size_t i = 0; i < r->c->keys.field_count; i++) {
        if ((model_member(r->s[0], name_of(r->c, i)) != NULL) != there)
            continue;
        r->e->members[count++] = name_of(r->c, i);
        changed += !ask_named_before(r->c, i);
    }
    expect_int(r->e, changed);
    if (count == 0)
        return;
    struct mutation *m = change(r, 0, kind);
    m->ids = r->e->members;
    m->count = count;
}

static void expect_move(const struct run_of *r)
{
    struct slice name = name_of(r->c, 0);
    bool has = model_member(r->s[0], name) != NULL;
    expect_int(r->e, has);
    if (!has || r->c->keys.keys[0] == r->c->keys.keys[1])
        return;
    r->e->members[0] = name;
    if (model_member(r->s[1], name) == NULL) {
        struct mutation *add = change(r, 1, MUTATION_SET_ADD);
        add->ids = r->e->members;
        add->count = 1;
    }
    bool last = r->s[0]->count == 1;
    struct mutation *gone = change(r, 0, last ? MUTATION_KEY_REMOVE : MUTATION_SET_REMOVE);
    gone->ids = last ? NULL : r->e->members;
    gone->count = !last;
}

/* A member with a score, where it was planned last. */
static void plan_score(struct expectation *e, size_t *count, struct slice name, double score)
{
    size_t at = 0;
    while (at < *count && !slice_eq(e->scored[at].member, name))
        at++;
    e->scored[at] = (struct scored){name, score};
    *count += at == *count;
}

static void expect_zadd(const struct run_of *r)
{
    const struct keys_want *k = &r->c->keys;
    struct model_members *now = model_members_copy(r->s[0], true, k->field_count);
    long long added = 0;
    size_t count = 0;
    for (size_t i = 0; i < k->field_count; i++) {
        struct scored want = {name_of(r->c, i), (double)k->scores[i]};
        const struct scored *old = model_member(now, want.member);
        bool raises = old != NULL && want.score > old->score;
        if (old != NULL && (k->nx || want.score == old->score || (k->gt && !raises)))
            continue;
        added += old == NULL;
        plan_score(r->e, &count, want.member, want.score);
        struct mutation one = {.kind = MUTATION_ZSET_ADD, .members = &want, .count = 1};
        struct model_members *next = model_members_changed(now, &one);
        model_members_free(now);
        now = next;
    }
    model_members_free(now);
    expect_int(r->e, added);
    if (count == 0)
        return;
    struct mutation *m = change(r, 0, MUTATION_ZSET_ADD);
    m->members = r->e->scored;
    m->count = count;
}

static void answer_score(const struct run_of *r, double score)
{
    r->e->reply = EXPECT_SCORE;
    r->e->number = (long long)score;
}

static void expect_zincrby(const struct run_of *r)
{
    const struct scored *old = model_member(r->s[0], name_of(r->c, 0));
    double before = old == NULL ? 0 : old->score;
    double score = before + (double)r->c->keys.scores[0];
    answer_score(r, score);
    if (old != NULL && score == before)
        return;
    r->e->scored[0] = (struct scored){name_of(r->c, 0), score};
    struct mutation *m = change(r, 0, MUTATION_ZSET_ADD);
    m->members = r->e->scored;
    m->count = 1;
}

/* The ranks that a command names; *count: how many. */
static size_t ranks(const struct run_of *r, size_t *count)
{
    int64_t size = r->s[0] == NULL ? 0 : (int64_t)r->s[0]->count;
    int64_t from = r->c->keys.number, to = r->c->keys.end;
    from += from < 0 ? size : 0;
    to += to < 0 ? size : 0;
    from = from < 0 ? 0 : from;
    to = to >= size ? size - 1 : to;
    *count = from <= to ? (size_t)(to - from + 1) : 0;
    return (size_t)from;
}

static void answer_range(const struct run_of *r)
{
    size_t count, from = ranks(r, &count);
    r->e->reply = EXPECT_SCORED;
    r->e->number = (long long)count;
    r->e->range = count == 0 ? NULL : r->s[0]->items + from;
}

static void expect_remrange(const struct run_of *r)
{
    size_t count, from = ranks(r, &count);
    expect_int(r->e, (long long)count);
    if (count == 0)
        return;
    bool all = count == r->s[0]->count;
    struct mutation *m = change(r, 0, all ? MUTATION_KEY_REMOVE : MUTATION_ZSET_REMOVE);
    for (size_t i = 0; i < count && !all; i++)
        r->e->members[i] = r->s[0]->items[from + i].member;
    m->ids = all ? NULL : r->e->members;
    m->count = all ? 0 : count;
}

static void expect_popmin(const struct run_of *r)
{
    size_t count = r->s[0] == NULL ? 0 : r->s[0]->count;
    r->e->reply = EXPECT_SCORED;
    r->e->number = count > 0;
    r->e->range = count == 0 ? NULL : r->s[0]->items;
    if (count == 0)
        return;
    struct mutation *m = change(r, 0, count == 1 ? MUTATION_KEY_REMOVE : MUTATION_ZSET_REMOVE);
    if (count == 1)
        return;
    r->e->members[0] = r->s[0]->items[0].member;
    m->ids = r->e->members;
    m->count = 1;
}

/* Members of a set count 1; scores of what is in both are added. */
static void expect_union(const struct run_of *r, bool there, bool sorted)
{
    struct expectation *e = r->e;
    struct model_members *all = model_members_copy(NULL, sorted, 2 * EXPECT_MEMBERS_MAX);
    for (size_t i = 1; i < 3; i++)
        for (size_t j = 0; r->s[i] != NULL && j < r->s[i]->count; j++) {
            struct scored one = r->s[i]->items[j];
            const struct scored *old = model_member(all, one.member);
            one.score = !sorted ? 0 : r->s[i]->sorted ? one.score : 1;
            one.score += old == NULL ? 0 : old->score;
            struct mutation add = {.kind = MUTATION_ZSET_ADD, .members = &one, .count = 1};
            struct model_members *next = model_members_changed(all, &add);
            model_members_free(all);
            all = next;
        }
    expect_int(r->e, (long long)all->count);
    if (all->count > 0) {
        struct mutation *m = change(r, 0, sorted ? MUTATION_ZSET_ADD : MUTATION_SET_ADD);
        m->replaces = true;
        m->count = all->count;
        m->members = sorted ? e->scored : NULL;
        m->ids = sorted ? NULL : e->members;
    } else if (there) {
        (void)change(r, 0, MUTATION_KEY_REMOVE);
    }
    for (size_t i = 0; i < all->count; i++) { /* names that stay: those of the sources */
        const struct scored *from = model_member(r->s[1], all->items[i].member);
        from = from != NULL ? from : model_member(r->s[2], all->items[i].member);
        e->members[i] = from->member;
        e->scored[i] = (struct scored){from->member, all->items[i].score};
    }
    model_members_free(all);
}

static void expect_sorted(const struct run_of *r, bool there)
{
    const struct scored *found =
        r->c->keys.field_count == 0 ? NULL : model_member(r->s[0], name_of(r->c, 0));
    switch ((int)r->c->op) {
    case OP_ZADD:
        expect_zadd(r);
        return;
    case OP_ZINCRBY:
        expect_zincrby(r);
        return;
    case OP_ZREM:
        expect_each(r, MUTATION_ZSET_REMOVE, true);
        return;
    case OP_ZSCORE:
        r->e->reply = EXPECT_NIL;
        if (found != NULL)
            answer_score(r, found->score);
        return;
    case OP_ZRANK:
        r->e->reply = EXPECT_NIL;
        if (found != NULL)
            expect_int(r->e, found - r->s[0]->items);
        return;
    case OP_ZRANGE:
        answer_range(r);
        return;
    case OP_ZREMRANGE:
        expect_remrange(r);
        return;
    case OP_ZPOPMIN:
        expect_popmin(r);
        return;
    default:
        CHECK(r->c->op == OP_ZUNIONSTORE);
        expect_union(r, there, true);
    }
}

static void expect_set(const struct run_of *r, bool there)
{
    switch ((int)r->c->op) {
    case OP_SADD:
        expect_each(r, MUTATION_SET_ADD, false);
        return;
    case OP_SREM:
        expect_each(r, MUTATION_SET_REMOVE, true);
        return;
    case OP_SMOVE:
        expect_move(r);
        return;
    case OP_SISMEMBER:
        expect_int(r->e, model_member(r->s[0], name_of(r->c, 0)) != NULL);
        return;
    case OP_SMEMBERS:
        r->e->reply = EXPECT_MEMBERS;
        r->e->set = r->s[0];
        return;
    case OP_SCARD:
        expect_int(r->e, r->s[0] == NULL ? 0 : (long long)r->s[0]->count);
        return;
    default:
        CHECK(r->c->op == OP_SUNIONSTORE);
        expect_union(r, there, false);
    }
}

/* Does the command read the key as it is, or only put something in its place? */
static bool reads(const struct ask *c, size_t key)
{
    return key > 0 || (c->op != OP_SUNIONSTORE && c->op != OP_ZUNIONSTORE);
}

void members_expect(const struct world *w, const struct ask *c, uint64_t at, struct expectation *e)
{
    struct run_of r = {.c = c, .e = e};
    bool wrong = false, there = false;
    for (size_t i = 0; i < c->keys.key_count; i++) {
        const struct model_held *held = model_seen_at(w->model, c->keys.keys[i], at, c->now_ms);
        r.s[i] = held == NULL ? NULL : held->members;
        there |= i == 0 && held != NULL;
        bool fits =
            r.s[i] != NULL && (r.s[i]->sorted == of_sorted(c->op) || c->op == OP_ZUNIONSTORE);
        wrong |= held != NULL && !fits && reads(c, i);
        if (i == 0 && c->op == OP_SMOVE && held == NULL)
            break; /* Redis does not look at the other */
    }
    if (wrong) {
        e->reply = EXPECT_ERROR;
        e->text = slice_of("WRONGTYPE");
    } else if (of_sorted(c->op)) {
        expect_sorted(&r, there);
    } else {
        expect_set(&r, there);
    }
}

bool members_same(const struct mutation *a, const struct mutation *b)
{
    if (a->replaces != b->replaces)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        bool found = false;
        for (size_t j = 0; j < b->count && a->kind == MUTATION_SET_ADD; j++)
            found |= slice_eq(a->ids[i], b->ids[j]); /* their order is the server's */
        if (a->kind == MUTATION_SET_ADD && !found)
            return false;
        if (a->kind == MUTATION_ZSET_ADD &&
            (!slice_eq(a->members[i].member, b->members[i].member) ||
             a->members[i].score != b->members[i].score))
            return false;
        if (a->kind != MUTATION_SET_ADD && a->ids != NULL && !slice_eq(a->ids[i], b->ids[i]))
            return false;
    }
    return true;
}

/* As many as there are, and none twice. */
bool members_reply_is(const struct expectation *e, const redisReply *r)
{
    size_t count = e->set == NULL ? 0 : e->set->count;
    if (!reply_is_list(r) || r->elements != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (model_member(e->set, reply_slice(r->element[i])) == NULL)
            return false;
        for (size_t j = 0; j < i; j++)
            if (slice_eq(reply_slice(r->element[i]), reply_slice(r->element[j])))
                return false;
    }
    return true;
}

/* Members and scores in turn, or pairs. */
bool scored_reply_is(const struct expectation *e, const redisReply *r)
{
    size_t count = (size_t)e->number;
    if (!reply_is_list(r) || (r->elements != 2 * count && r->elements != count))
        return false;
    bool pairs = r->elements == count && count > 0;
    for (size_t i = 0; i < count; i++) {
        if (pairs && (!reply_is_list(r->element[i]) || r->element[i]->elements != 2))
            return false;
        const redisReply *member = pairs ? r->element[i]->element[0] : r->element[2 * i];
        const redisReply *score = pairs ? r->element[i]->element[1] : r->element[2 * i + 1];
        if (!slice_eq(reply_slice(member), e->range[i].member) ||
            reply_number(score) != e->range[i].score)
            return false;
    }
    return true;
}
