#include <stdio.h>

#include "base/rng.h"
#include "lib/test.h"
#include "lib/tree_faults.h"
#include "types/list.h"

/* Large lists beside a plain array of what they must hold. */
enum { VALUES_MAX = 3000, SHARES = 3, TEXT = 400 };

struct plain {
    unsigned values[VALUES_MAX];
    uint32_t count;
};

struct fixture {
    struct tree_ops ops;
    struct tree tree;
    struct plain plain;
    uint64_t rng;
    unsigned next;
    uint64_t in_place, shrunk; /* changes that needed no new nodes */
};

static void init(struct fixture *f, uint64_t number, uint32_t leaf_bytes)
{
    *f = (struct fixture){.ops = list_tree_ops(), .rng = number};
    f->ops.leaf_bytes = leaf_bytes;
}

static uint32_t below(struct fixture *f, uint32_t bound)
{
    return (uint32_t)rng_below(&f->rng, bound);
}

/* Some are empty, some far longer than a leaf. */
static struct slice text_of(unsigned value, char room[TEXT])
{
    if (value % 31 == 7)
        return (struct slice){0};
    (void)snprintf(room, TEXT, "%0*u", value % 97 == 1 ? 300 : (int)(value % 11), value);
    return slice_of(room);
}

static bool is(struct slice s, unsigned value)
{
    char room[TEXT];
    return slice_eq(s, text_of(value, room));
}

static bool holds(const struct fixture *f, const struct tree *t, const struct plain *p)
{
    struct tree_path path;
    struct slice leaf, value;
    uint64_t next;
    uint32_t i = 0, in_leaf;
    for (tree_walk(t, 0, &path); tree_next(&path, &leaf, &next);)
        for (; list_next(&leaf, &value); i++)
            if (i >= p->count || !is(value, p->values[i]))
                return false;
    for (i = 0; i < p->count; i += 1 + p->count / 50) {
        leaf = tree_at(t, i, &in_leaf);
        leaf.ptr += list_offset(leaf, in_leaf);
        if (!list_next(&leaf, &value) || !is(value, p->values[i]))
            return false;
    }
    return p->count == t->count && tree_check(t, &f->ops) == NULL;
}

/* -- one change -------------------------------------------------------------------------------- */

static void move(struct plain *p, uint32_t to, uint32_t from)
{
    memmove(p->values + to, p->values + from, (p->count - from) * sizeof(p->values[0]));
    p->count = p->count - from + to;
}

static void push(struct fixture *f, struct tree_change *c, struct plain *p, bool front)
{
    static char rooms[8][TEXT];
    struct slice values[8];
    uint32_t count = 1 + below(f, 8);
    if (p->count + count > VALUES_MAX)
        return;
    if (front)
        memmove(p->values + count, p->values, p->count * sizeof(p->values[0]));
    for (uint32_t i = 0; i < count; i++) {
        values[i] = text_of(++f->next, rooms[i]);
        p->values[front ? count - 1 - i : p->count + i] = f->next;
    }
    p->count += count;
    list_tree_push(c, values, count, front);
}

static void place(struct fixture *f, struct tree_change *c, struct plain *p, bool replaces)
{
    char room[TEXT];
    uint32_t at = below(f, p->count + !replaces);
    struct slice value = text_of(++f->next, room);
    if (p->count == VALUES_MAX)
        return;
    if (replaces) {
        list_tree_set(c, at, value);
    } else {
        move(p, at + 1, at);
        list_tree_insert(c, at, value);
    }
    p->values[at] = f->next;
}

/* What looks the same as one of them, but for some, and at most so many. */
static void filter(struct fixture *f, struct tree_change *c, struct plain *p)
{
    char room[TEXT], other[TEXT];
    struct list_filter filter = {.value = text_of(p->values[below(f, p->count)], room),
                                 .skip = below(f, 2),
                                 .most = 1 + below(f, 5)};
    uint32_t skip = filter.skip, removed = 0, kept = 0;
    for (uint32_t i = 0; i < p->count; i++) {
        bool same = removed < filter.most && slice_eq(text_of(p->values[i], other), filter.value);
        if (same && skip == 0)
            removed++;
        else
            p->values[kept++] = p->values[i];
        skip -= same && skip > 0;
    }
    p->count = kept;
    list_tree_filter(c, &filter);
    EXPECT(c->failed || filter.removed == removed);
}

static void change_one(struct fixture *f, struct tree_change *c, struct plain *p)
{
    uint32_t kind = p->count == 0 ? below(f, 2) : below(f, 8);
    if (kind < 4)
        push(f, c, p, kind % 2 == 0);
    else if (kind < 7)
        place(f, c, p, kind == 4);
    else
        filter(f, c, p);
}

static void shrink(struct fixture *f, struct tree_change *c, struct plain *p)
{
    bool front = below(f, 2) == 0;
    uint32_t count = p->count < 2 ? 0 : 1 + below(f, below(f, 4) == 0 ? p->count - 1 : 3);
    if (count == 0 || count >= p->count)
        return;
    tree_change_shrink(c, front, count);
    if (front)
        move(p, 0, count);
    else
        p->count -= count;
}

/* As db/change_list.c has it: in place where that can be. */
static void change_end(struct fixture *f)
{
    char room[TEXT];
    bool front = below(f, 2) == 0, grows = below(f, 3) > 0;
    struct plain *p = &f->plain;
    struct slice value = text_of(f->next + 1, room);
    size_t size = list_size(&value, 1);
    if (grows && p->count < VALUES_MAX && tree_can_grow(&f->tree, &f->ops, front, size)) {
        list_put(tree_grow(&f->tree, front, size, 1), &value, 1, front);
        if (front)
            memmove(p->values + 1, p->values, p->count * sizeof(p->values[0]));
        p->values[front ? 0 : p->count] = ++f->next;
        p->count++;
        f->in_place++;
    } else if (!grows && p->count > 0 && tree_can_shrink(&f->tree, front, 1)) {
        tree_shrink(&f->tree, front, 1);
        if (front)
            move(p, 0, 1);
        else
            p->count--;
        f->shrunk++;
    }
}

/* What an applied change has taken off whole is buried. */
static void apply(struct fixture *f, struct tree_change *c)
{
    struct tree_graves graves = {.first = NULL};
    tree_change_apply(c, &f->tree);
    tree_graves_take(&graves, &c->cut);
    while (tree_bury_some(&graves, 7))
        continue;
    EXPECT(c->cut.first == NULL && c->cut.bytes == 0 && graves.bytes == 0);
    tree_change_fini(c);
}

static void change(struct fixture *f, unsigned count)
{
    struct tree_change c = {.made = NULL};
    tree_change_begin(&c, &f->tree, &f->ops);
    if (below(f, 6) == 0)
        shrink(f, &c, &f->plain);
    else
        for (unsigned i = 0; i < count; i++)
            change_one(f, &c, &f->plain);
    REQUIRE(!c.failed);
    apply(f, &c);
    for (unsigned i = below(f, 30); i > 0; i--)
        change_end(f);
}

/* -- what must hold ---------------------------------------------------------------------------- */

TEST(list_tree, holds_its_values_in_order)
{
    size_t before = mem_used(MEM_KEYSPACE);
    static const uint32_t leaves[] = {24, 64, 200, LIST_LEAF_BYTES};
    for (unsigned i = 0; i < COUNT_OF(leaves); i++) {
        struct fixture f;
        init(&f, i + 1, leaves[i]);
        for (unsigned step = 0; step < 400; step++) {
            change(&f, 1 + step % 20);
            if (step % 10 == 0)
                REQUIRE(holds(&f, &f.tree, &f.plain));
        }
        REQUIRE(holds(&f, &f.tree, &f.plain));
        EXPECT(f.in_place > 50 && f.shrunk > 20);
        tree_free(&f.tree);
    }
    EXPECT_EQ(mem_used(MEM_KEYSPACE), before);
    EXPECT_EQ(mem_used(MEM_SCRATCH), 0);
}

TEST(list_tree, that_was_shared_stays_as_it_was)
{
    size_t before = mem_used(MEM_KEYSPACE);
    struct fixture f;
    struct tree shares[SHARES] = {{.root = NULL}};
    struct plain *plains = mem_calloc(MEM_TEST, SHARES * sizeof(*plains));
    struct tree_graves graves = {.first = NULL};
    init(&f, 5, 64);
    for (unsigned step = 0; step < 400; step++) {
        change(&f, 1 + step % 9);
        uint32_t at = below(&f, SHARES * 4);
        if (at >= SHARES)
            continue;
        if (shares[at].root != NULL)
            REQUIRE(holds(&f, &shares[at], &plains[at]));
        tree_bury(&graves, &shares[at]);
        shares[at] = tree_share(&f.tree);
        plains[at] = f.plain;
        (void)tree_bury_some(&graves, 5);
    }
    for (unsigned at = 0; at < SHARES; at++) {
        REQUIRE(holds(&f, &shares[at], &plains[at]));
        tree_bury(&graves, &shares[at]);
    }
    while (tree_bury_some(&graves, 3))
        continue;
    EXPECT_EQ(graves.bytes, 0);
    tree_free(&f.tree);
    EXPECT_EQ(mem_used(MEM_KEYSPACE), before);
    mem_free(MEM_TEST, plains);
}

/* Changes of a round, made again from where chance stood. */
struct faults {
    struct fixture *f;
    struct plain after;
    uint64_t rng;
    bool shrinks;
};

static void change_again(void *user, struct tree_change *c)
{
    struct faults *faults = user;
    struct fixture *f = faults->f;
    faults->after = f->plain;
    f->rng = faults->rng;
    if (faults->shrinks)
        shrink(f, c, &faults->after);
    for (unsigned i = 0; i < 9 && !faults->shrinks; i++)
        change_one(f, c, &faults->after);
}

static bool is_as_it_was(void *user)
{
    const struct fixture *f = ((struct faults *)user)->f;
    return holds(f, &f->tree, &f->plain);
}

/* Whichever allocation fails, the list and what shares its nodes are as they were. */
TEST(list_tree, is_what_it_was_when_memory_is_short)
{
    size_t before = mem_used(MEM_KEYSPACE);
    struct fixture f;
    init(&f, 9, 48);
    while (f.plain.count < 600)
        change(&f, 20);
    struct tree share = tree_share(&f.tree);
    struct plain was = f.plain;
    unsigned failures = 0;
    struct faults faults = {.f = &f};
    for (unsigned round = 0; round < 40; round++) {
        struct tree_change c;
        faults.rng = f.rng;
        faults.shrinks = round % 3 == 0;
        failures += tree_faults_run(
            &(struct tree_faults){&f.tree, &f.ops, change_again, is_as_it_was, &faults}, &c);
        f.plain = faults.after;
        apply(&f, &c);
        REQUIRE(holds(&f, &f.tree, &f.plain) && holds(&f, &share, &was));
    }
    EXPECT(failures > 150);
    tree_free(&share);
    REQUIRE(holds(&f, &f.tree, &f.plain));
    tree_free(&f.tree);
    EXPECT_EQ(mem_used(MEM_KEYSPACE), before);
}

TEST(list_tree, pushed_at_the_end_fills_its_leaves)
{
    struct fixture f;
    struct slice value = slice_of("abcdefg");
    init(&f, 1, LIST_LEAF_BYTES);
    for (unsigned i = 0; i < 100000; i++) {
        bool front = i % 2 == 0;
        if (tree_can_grow(&f.tree, &f.ops, front, list_size(&value, 1))) {
            list_put(tree_grow(&f.tree, front, list_size(&value, 1), 1), &value, 1, front);
            continue;
        }
        struct tree_change c = {.made = NULL};
        tree_change_begin(&c, &f.tree, &f.ops);
        list_tree_push(&c, &value, 1, front);
        REQUIRE(!c.failed);
        apply(&f, &c);
    }
    EXPECT_EQ(f.tree.count, 100000);
    EXPECT(f.tree.bytes < 100000 * 8 * 11 / 10);
    EXPECT(tree_check(&f.tree, &f.ops) == NULL);
    tree_free(&f.tree);
}
