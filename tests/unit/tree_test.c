#include <stdio.h>

#include "base/rng.h"
#include "lib/test.h"
#include "lib/tree_faults.h"
#include "types/hash.h"

/* Large hashes beside a plain list of what they must hold. */
enum { NAMES = 500, SHARES = 4 };

static const uint64_t seed[2] = {11, 22};

struct plain {
    unsigned value[NAMES]; /* 0: not there */
    uint64_t expire_ms[NAMES];
};

struct fixture {
    struct tree_ops ops;
    struct tree tree;
    struct plain plain;
    uint64_t rng;
};

static void init(struct fixture *f, uint64_t number, uint32_t leaf_bytes)
{
    *f = (struct fixture){.ops = hash_tree_ops(seed), .rng = number};
    f->ops.leaf_bytes = leaf_bytes;
}

static struct slice name_of(unsigned i, char room[32])
{
    (void)snprintf(room, 32, "name-%u%s", i, i % 7 == 0 ? "-and-longer" : "");
    return slice_of(room);
}

/* Some are far longer than a leaf. */
static struct slice value_of(unsigned value, char room[400])
{
    (void)snprintf(room, 400, "%0*u", value % 97 == 1 ? 300 : (int)(value % 11), value);
    return slice_of(room);
}

static void change_one(struct fixture *f, struct tree_change *c, struct plain *p)
{
    char name[32], value[400];
    unsigned i = (unsigned)rng_below(&f->rng, NAMES), v = (unsigned)rng_next(&f->rng) % 10000 + 1;
    struct hash_field field = {.name = name_of(i, name), .value = value_of(v, value)};
    switch (rng_below(&f->rng, 5)) {
    case 0:
    case 1:
        field.expire_ms = rng_below(&f->rng, 3) == 0 ? 1 + rng_below(&f->rng, 1000) : 0;
        bool is_new = hash_tree_set(c, &field);
        EXPECT(c->failed || is_new == (p->value[i] == 0));
        p->value[i] = v;
        p->expire_ms[i] = field.expire_ms;
        break;
    case 2:
        field.expire_ms = rng_below(&f->rng, 2) * 77;
        (void)hash_tree_expire(c, field.name, field.expire_ms);
        p->expire_ms[i] = p->value[i] == 0 ? 0 : field.expire_ms;
        break;
    default:
        (void)hash_tree_remove(c, field.name);
        p->value[i] = 0;
        p->expire_ms[i] = 0;
    }
}

/* Does the tree hold that, found by name and met by walking? */
static bool holds(const struct fixture *f, const struct tree *t, const struct plain *p)
{
    char name[32], value[400];
    struct hash_field found;
    uint32_t count = 0, walked = 0;
    for (unsigned i = 0; i < NAMES; i++) {
        bool there = hash_tree_find(t, &f->ops, name_of(i, name), &found);
        if (there != (p->value[i] > 0))
            return false;
        if (there && (!slice_eq(found.value, value_of(p->value[i], value)) ||
                      found.expire_ms != p->expire_ms[i]))
            return false;
        count += there;
    }
    struct tree_path path;
    struct slice leaf;
    uint64_t next;
    for (tree_walk(t, 0, &path); tree_next(&path, &leaf, &next);)
        while (hash_next(&leaf, &found))
            walked++;
    return count == t->count && walked == count && tree_check(t, &f->ops) == NULL;
}

static void change(struct fixture *f, unsigned count)
{
    struct tree_change c = {.made = NULL};
    tree_change_begin(&c, &f->tree, &f->ops);
    for (unsigned i = 0; i < count; i++)
        change_one(f, &c, &f->plain);
    REQUIRE(!c.failed);
    tree_change_apply(&c, &f->tree);
    tree_change_fini(&c);
}

/* One entry, which a leaf may take without any other node. Returns whether it did. */
static bool edit(struct fixture *f, bool applies)
{
    char name[32], value[400];
    struct tree_edit e = {.is_open = false};
    unsigned i = (unsigned)rng_below(&f->rng, NAMES), v = (unsigned)rng_next(&f->rng) % 10000 + 1;
    struct hash_field field = {.name = name_of(i, name), .value = value_of(v, value)};
    bool removes = rng_below(&f->rng, 3) == 0;
    if (!hash_tree_edit(&e, &f->tree, &f->ops, field.name, removes ? NULL : &field))
        return false;
    if (!applies) {
        tree_edit_discard(&e);
        return true;
    }
    uint8_t *to = tree_edit_apply(&e, &f->tree);
    EXPECT(removes == (to == NULL));
    if (to != NULL)
        (void)hash_field_put(to, &field);
    EXPECT_EQ(f->plain.expire_ms[i], 0);
    f->plain.value[i] = removes ? 0 : v;
    return true;
}

TEST(tree, takes_single_entries_in_place)
{
    size_t before = mem_used(MEM_KEYSPACE), edits = 0;
    static const uint32_t leaves[] = {64, 200, TREE_LEAF_BYTES};
    for (unsigned i = 0; i < COUNT_OF(leaves); i++) {
        struct fixture f;
        struct tree share = {.root = NULL};
        struct plain kept = {.value = {0}};
        init(&f, i + 1, leaves[i]);
        for (unsigned step = 0; step < 2000; step++) {
            if (step % 4 == 0)
                change(&f, 1);
            edits += edit(&f, step % 7 != 0);
            if (step % 50 == 0)
                REQUIRE(holds(&f, &f.tree, &f.plain) && holds(&f, &share, &kept));
            if (step % 100 == 0) {
                tree_free(&share);
                share = tree_share(&f.tree);
                kept = f.plain;
            }
        }
        tree_free(&share);
        tree_free(&f.tree);
    }
    EXPECT(edits > 1000);
    EXPECT_EQ(mem_used(MEM_KEYSPACE), before);
}

TEST(tree, holds_what_was_put_into_it)
{
    size_t before = mem_used(MEM_KEYSPACE);
    static const uint32_t leaves[] = {24, 64, 200, TREE_LEAF_BYTES};
    for (unsigned i = 0; i < COUNT_OF(leaves); i++) {
        struct fixture f;
        init(&f, i + 1, leaves[i]);
        for (unsigned step = 0; step < 300; step++) {
            change(&f, 1 + step % 20);
            if (step % 10 == 0)
                REQUIRE(holds(&f, &f.tree, &f.plain));
        }
        REQUIRE(holds(&f, &f.tree, &f.plain));
        tree_free(&f.tree);
    }
    EXPECT_EQ(mem_used(MEM_KEYSPACE), before);
    EXPECT_EQ(mem_used(MEM_SCRATCH), 0);
}

TEST(tree, that_was_shared_stays_as_it_was)
{
    size_t before = mem_used(MEM_KEYSPACE);
    struct fixture f;
    struct tree shares[SHARES] = {{.root = NULL}};
    struct plain *plains = mem_calloc(MEM_TEST, SHARES * sizeof(*plains));
    struct tree_graves graves = {.first = NULL};
    init(&f, 5, 64);
    for (unsigned step = 0; step < 400; step++) {
        change(&f, 1 + step % 9);
        unsigned at = (unsigned)rng_below(&f.rng, SHARES * 4);
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
    REQUIRE(holds(&f, &f.tree, &f.plain));
    tree_free(&f.tree);
    EXPECT_EQ(mem_used(MEM_KEYSPACE), before);
    mem_free(MEM_TEST, plains);
}

/* Changes of a round, made again from where chance stood. */
struct faults {
    struct fixture *f;
    struct plain after;
    uint64_t rng;
};

static void change_again(void *user, struct tree_change *c)
{
    struct faults *faults = user;
    struct fixture *f = faults->f;
    faults->after = f->plain;
    f->rng = faults->rng;
    for (unsigned i = 0; i < 12; i++)
        change_one(f, c, &faults->after);
}

static bool is_as_it_was(void *user)
{
    const struct fixture *f = ((struct faults *)user)->f;
    return holds(f, &f->tree, &f->plain);
}

/* Whichever allocation fails, the tree and what shares its nodes are as they were. */
TEST(tree, is_what_it_was_when_memory_is_short)
{
    size_t before = mem_used(MEM_KEYSPACE);
    struct fixture f;
    init(&f, 9, 48);
    change(&f, 600);
    struct tree share = tree_share(&f.tree);
    struct plain was = f.plain;
    unsigned failures = 0;
    struct faults faults = {.f = &f};
    for (unsigned round = 0; round < 30; round++) {
        struct tree_change c;
        faults.rng = f.rng;
        failures += tree_faults_run(
            &(struct tree_faults){&f.tree, &f.ops, change_again, is_as_it_was, &faults}, &c);
        f.plain = faults.after;
        tree_change_apply(&c, &f.tree);
        tree_change_fini(&c);
        REQUIRE(holds(&f, &f.tree, &f.plain) && holds(&f, &share, &was));
    }
    EXPECT(failures > 300);
    tree_free(&share);
    REQUIRE(holds(&f, &f.tree, &f.plain));
    tree_free(&f.tree);
    EXPECT_EQ(mem_used(MEM_KEYSPACE), before);
}

TEST(tree, knows_its_entries_by_number_and_the_first_to_expire)
{
    struct fixture f;
    init(&f, 3, 64);
    change(&f, 900);
    for (uint32_t i = 0; i < f.tree.count; i++) {
        uint32_t at;
        struct slice leaf = tree_at(&f.tree, i, &at);
        struct hash_field field = {.expire_ms = 0};
        for (uint32_t j = 0; j <= at; j++)
            REQUIRE(hash_next(&leaf, &field));
    }
    while (f.tree.soonest > 0) {
        uint64_t soonest = f.tree.soonest;
        struct slice leaf = tree_soonest(&f.tree);
        struct hash_field field = {.expire_ms = 0};
        while (field.expire_ms != soonest)
            REQUIRE(hash_next(&leaf, &field));
        struct tree_change c = {.made = NULL};
        char copy[32];
        (void)snprintf(copy, sizeof(copy), "%.*s", (int)field.name.len,
                       (const char *)field.name.ptr);
        tree_change_begin(&c, &f.tree, &f.ops);
        EXPECT(hash_tree_remove(&c, slice_of(copy)));
        tree_change_apply(&c, &f.tree);
        tree_change_fini(&c);
        EXPECT(f.tree.soonest == 0 || f.tree.soonest >= soonest);
    }
    tree_free(&f.tree);
}
