#include <math.h>
#include <stdio.h>

#include "base/rng.h"
#include "lib/test.h"
#include "types/set.h"
#include "types/zset.h"

/* Sorted sets, packed and large, beside a plain list of what they must hold. */
enum { MEMBERS = 300 };

static const uint64_t seed[2] = {3, 4};

static const double scores[] = {0,
                                -0.0,
                                1,
                                -1,
                                127,
                                128,
                                -128,
                                -129,
                                0.1,
                                1e17,
                                3e9,
                                -7e12,
                                1.5e300,
                                INFINITY,
                                -INFINITY,
                                5e-324,
                                36028797018963964.0,
                                -36028797018963968.0,
                                36028797018963968.0};

struct fixture {
    struct tree order, members;
    struct tree_ops order_ops, member_ops;
    struct buf pack;
    bool there[MEMBERS];
    double score[MEMBERS];
    uint32_t count;
    uint64_t rng;
};

static void init(struct fixture *f, uint64_t number, uint32_t leaf_bytes)
{
    *f = (struct fixture){.order_ops = zset_order_ops(),
                          .member_ops = zset_member_ops(seed),
                          .pack = BUF_INIT(MEM_TEST),
                          .rng = number};
    f->order_ops.leaf_bytes = f->member_ops.leaf_bytes = leaf_bytes;
}

static struct slice member_of(unsigned i, char room[64])
{
    (void)snprintf(room, 64, "%u%s", i, i % 5 == 0 ? "-is-a-member-of-some-length" : "");
    return i == 7 ? (struct slice){0} : slice_of(room);
}

/* One change of trees and pack alike. False: memory is short. */
static bool change_one(struct fixture *f, const struct zset_change *c, unsigned kinds)
{
    char room[64];
    unsigned i = (unsigned)rng_below(&f->rng, MEMBERS);
    struct scored s = {.member = member_of(i, room), .score = scores[rng_below(&f->rng, kinds)]};
    if (rng_below(&f->rng, 3) == 0) {
        bool was = zset_tree_remove(c, s.member);
        if (c->order->failed || c->members->failed)
            return false;
        EXPECT_EQ(was, f->there[i]);
        EXPECT_EQ(zset_pack_remove(&f->pack, s.member), f->there[i]);
        f->count -= f->there[i];
        f->there[i] = false;
        return true;
    }
    bool is_new = zset_tree_add(c, &s);
    if (c->order->failed || c->members->failed)
        return false;
    EXPECT_EQ(is_new, !f->there[i]);
    EXPECT_EQ(zset_pack_add(&f->pack, &s), !f->there[i]);
    f->count += !f->there[i];
    f->there[i] = true;
    f->score[i] = s.score;
    return true;
}

static void change(struct fixture *f, unsigned count, unsigned kinds)
{
    struct tree_change order = {.made = NULL}, members = {.made = NULL};
    struct zset_change c = {&order, &members};
    tree_change_begin(&order, &f->order, &f->order_ops);
    tree_change_begin(&members, &f->members, &f->member_ops);
    for (unsigned i = 0; i < count; i++)
        REQUIRE(change_one(f, &c, kinds));
    tree_change_apply(&order, &f->order);
    tree_change_apply(&members, &f->members);
    tree_change_fini(&order);
    tree_change_fini(&members);
}

/* One change, by an edit where that will do: memory fails for the n-th time that it is asked, if it
 * is. Returns whether it was one. */
static bool edit(struct fixture *f, unsigned kinds, uint64_t n)
{
    char room[64];
    struct zset_edit e = {.passed = 0};
    const struct zset_trees trees = {&f->order, &f->members, &f->order_ops, &f->member_ops};
    unsigned i = (unsigned)rng_below(&f->rng, MEMBERS);
    struct scored s = {.member = member_of(i, room), .score = scores[rng_below(&f->rng, kinds)]};
    bool adds = rng_below(&f->rng, 4) > 0;
    (void)mem_fail_nth(n);
    bool edited = adds ? zset_tree_edit_add(&e, &trees, &s)
                       : zset_tree_edit_remove(&e, &trees, s.member);
    (void)mem_fail_nth(0);
    if (!edited)
        return false;
    EXPECT(adds || f->there[i]);
    zset_tree_edit_apply(&e, &f->order, &f->members, adds ? &s : NULL);
    if (adds)
        (void)zset_pack_add(&f->pack, &s);
    else
        (void)zset_pack_remove(&f->pack, s.member);
    f->count += (uint32_t)(adds && !f->there[i]) - (uint32_t)!adds;
    f->there[i] = adds;
    f->score[i] = s.score;
    return true;
}

static bool is_same(double a, double b)
{
    return a == b && !signbit(a) == !signbit(b);
}

/* The order tree has the pack's entries in the pack's order; each member is found with its score,
 * and its rank is its place. */
static void expect_holds(const struct fixture *f)
{
    struct tree_path path;
    struct slice leaf, pack = buf_slice(&f->pack);
    struct scored s, other;
    uint64_t next;
    uint32_t rank = 0, in_leaf;
    size_t count, at;
    EXPECT(tree_check(&f->order, &f->order_ops) == NULL);
    EXPECT(tree_check(&f->members, &f->member_ops) == NULL);
    EXPECT(zset_pack_check(pack, &count) && zset_pack_is_unique(pack));
    REQUIRE(count == f->count && f->order.count == count && f->members.count == count);
    for (tree_walk_at(&f->order, 0, &path, &in_leaf); tree_next(&path, &leaf, &next);)
        while (zset_next(&leaf, &s)) {
            struct zset_bound bound = {s.score, s.member, .by_member = true};
            EXPECT(zset_next(&pack, &other) && slice_eq(other.member, s.member));
            EXPECT(is_same(other.score, s.score));
            EXPECT_EQ(zset_tree_rank(&f->order, &f->order_ops, &bound), rank);
            bound.behind = true;
            EXPECT_EQ(zset_tree_rank(&f->order, &f->order_ops, &bound), ++rank);
            EXPECT_EQ(zset_pack_rank(buf_slice(&f->pack), &bound, &at), rank);
        }
    for (unsigned i = 0; i < MEMBERS; i++) {
        char room[64];
        bool found = zset_tree_find(&f->members, &f->member_ops, member_of(i, room), &s);
        EXPECT_EQ(found, f->there[i]);
        EXPECT(!found || is_same(s.score, f->score[i]));
    }
}

/* Members of a score, and before it, counted one by one. */
static void expect_bounds(const struct fixture *f)
{
    for (unsigned k = 0; k < COUNT_OF(scores); k++) {
        uint32_t before = 0, until = 0;
        for (unsigned i = 0; i < MEMBERS; i++) {
            before += f->there[i] && f->score[i] < scores[k];
            until += f->there[i] && f->score[i] <= scores[k];
        }
        struct zset_bound bound = {.score = scores[k]};
        EXPECT_EQ(zset_tree_rank(&f->order, &f->order_ops, &bound), before);
        bound.behind = true;
        EXPECT_EQ(zset_tree_rank(&f->order, &f->order_ops, &bound), until);
    }
}

static void fini(struct fixture *f)
{
    tree_free(&f->order);
    tree_free(&f->members);
    buf_fini(&f->pack);
}

TEST(zset, holds_its_members_in_order_packed_and_large)
{
    size_t before = mem_used(MEM_KEYSPACE);
    static const uint32_t leaves[] = {24, 100, TREE_LEAF_BYTES};
    for (unsigned i = 0; i < 2 * COUNT_OF(leaves); i++) {
        struct fixture f;
        init(&f, i + 1, leaves[i / 2]);
        for (unsigned step = 0; step < 60; step++) {
            change(&f, 1 + step % 20, i % 2 == 0 ? COUNT_OF(scores) : 2);
            if (step % 10 == 0)
                expect_holds(&f);
        }
        expect_holds(&f);
        expect_bounds(&f);
        fini(&f);
    }
    EXPECT_EQ(mem_used(MEM_KEYSPACE), before);
    EXPECT_EQ(mem_used(MEM_SCRATCH), 0);
}

TEST(zset, changes_one_member_in_place_where_no_leaf_splits_or_joins)
{
    enum { STEPS = 400 };
    size_t before = mem_used(MEM_KEYSPACE);
    static const uint32_t leaves[] = {100, TREE_LEAF_BYTES};
    for (unsigned i = 0; i < 2 * COUNT_OF(leaves); i++) {
        struct fixture f;
        unsigned kinds = i % 2 == 0 ? COUNT_OF(scores) : 2, edits = 0, failed = 0;
        init(&f, i + 1, leaves[i / 2]);
        change(&f, 2 * MEMBERS, kinds);
        for (unsigned step = 0; step < STEPS; step++) {
            if (edit(&f, kinds, 0))
                edits++;
            else
                change(&f, 1, kinds);
            failed += !edit(&f, kinds, 1 + step % 2); /* or it needs no memory */
            if (step % 8 == 0)
                expect_holds(&f);
        }
        expect_holds(&f);
        EXPECT(edits > STEPS / 2 && failed > 0);
        fini(&f);
    }
    EXPECT_EQ(mem_used(MEM_KEYSPACE), before);
}

TEST(zset, is_what_it_was_when_memory_is_short)
{
    struct fixture f;
    unsigned failures = 0;
    init(&f, 17, 48);
    change(&f, 400, COUNT_OF(scores));
    for (uint64_t n = 1;; n++) {
        struct tree_change order = {.made = NULL}, members = {.made = NULL};
        struct zset_change c = {&order, &members};
        uint64_t rng = 99;
        tree_change_begin(&order, &f.order, &f.order_ops);
        tree_change_begin(&members, &f.members, &f.member_ops);
        (void)mem_fail_nth(n);
        for (unsigned i = 0; i < 9 && !order.failed && !members.failed; i++) {
            char room[64];
            struct scored s = {.member = member_of((unsigned)rng_below(&rng, MEMBERS), room),
                               .score = (double)i};
            (void)zset_tree_add(&c, &s);
        }
        bool fired = mem_fail_nth(0);
        EXPECT_EQ(order.failed || members.failed, fired);
        tree_change_discard(&order);
        tree_change_discard(&members);
        tree_change_fini(&order);
        tree_change_fini(&members);
        expect_holds(&f);
        if (!fired)
            break;
        failures++;
    }
    EXPECT(failures > 40);
    fini(&f);
}

/* Bytes of clients and of disks. */
TEST(zset, refuses_packs_that_are_none)
{
    size_t count;
    static const struct {
        const char *bytes;
        size_t size;
        bool good;
    } packs[] = {
        {"", 0, true},
        {"\x02\x00\x61", 3, true},                               /* 0 a */
        {"\x01\x00", 2, true},                                   /* 0 and no name */
        {"\x02\x00\x61\x02\x00\x62", 6, true},                   /* a, b */
        {"\x02\x00\x62\x02\x00\x61", 6, false},                  /* b, a */
        {"\x02\x00\x61\x02\x00\x61", 6, false},                  /* twice */
        {"\x03\x01\x01\x61\x02\x00\x62", 7, false},              /* 1 before 0 */
        {"\x03\x01\x00\x61", 4, false},                          /* 0 in a byte */
        {"\x04\x02\x01\x00\x61", 5, false},                      /* 1 in two */
        {"\x03\x01\xff\x61", 4, true},                           /* -1 */
        {"\x02\x09\x61", 3, false},                              /* a score of nine bytes */
        {"\x01\x01", 2, false},                                  /* of one that is not there */
        {"\x00", 1, false},                                      /* of none */
        {"\x03\x00\x61", 3, false},                              /* cut */
        {"\x09\x08\x00\x00\x00\x00\x00\x00\x00\x80", 10, true},  /* minus zero */
        {"\x09\x08\x00\x00\x00\x00\x00\x00\x00\x00", 10, false}, /* zero as a double */
        {"\x09\x08\x00\x00\x00\x00\x00\x00\xf8\x7f", 10, false}, /* NaN */
        {"\x09\x08\x00\x00\x00\x00\x00\x00\xf0\x7f", 10, true},  /* inf */
    };
    for (unsigned i = 0; i < COUNT_OF(packs); i++) {
        struct slice pack = {(const uint8_t *)packs[i].bytes, packs[i].size};
        EXPECT_EQ(zset_pack_check(pack, &count), packs[i].good);
    }
    EXPECT(!set_pack_check((struct slice){(const uint8_t *)"\x02\x61", 2}, &count));
    EXPECT(set_pack_check((struct slice){(const uint8_t *)"\x01\x61\x00", 3}, &count));
    EXPECT_EQ(count, 2);
    EXPECT(!set_pack_is_unique((struct slice){(const uint8_t *)"\x01\x61\x00\x01\x61", 5}));
}

TEST(set, holds_its_members_packed_and_large)
{
    size_t before = mem_used(MEM_KEYSPACE);
    struct tree_ops ops = set_tree_ops(seed);
    struct tree tree = {.root = NULL};
    struct tree_change c = {.made = NULL};
    struct buf pack = BUF_INIT(MEM_TEST);
    bool there[MEMBERS] = {false};
    uint64_t rng = 8;
    uint32_t count = 0;
    ops.leaf_bytes = 60;
    tree_change_begin(&c, &tree, &ops);
    for (unsigned step = 0; step < 3000; step++) {
        char room[64];
        unsigned i = (unsigned)rng_below(&rng, MEMBERS);
        bool adds = rng_below(&rng, 2) == 0;
        struct slice member = member_of(i, room);
        bool in_tree = adds ? set_tree_add(&c, member) : set_tree_remove(&c, member);
        bool in_pack = adds ? set_pack_add(&pack, member) : set_pack_remove(&pack, member);
        EXPECT_EQ(in_tree, there[i] != adds);
        EXPECT_EQ(in_pack, in_tree);
        there[i] = adds;
    }
    tree_change_apply(&c, &tree);
    tree_change_fini(&c);
    EXPECT(tree_check(&tree, &ops) == NULL && set_pack_is_unique(buf_slice(&pack)));
    for (unsigned i = 0; i < MEMBERS; i++) {
        char room[64];
        count += there[i];
        EXPECT_EQ(set_tree_find(&tree, &ops, member_of(i, room)), there[i]);
        EXPECT_EQ(set_find(buf_slice(&pack), member_of(i, room), NULL), there[i]);
    }
    EXPECT_EQ(tree.count, count);
    tree_free(&tree);
    buf_fini(&pack);
    EXPECT_EQ(mem_used(MEM_KEYSPACE), before);
}
