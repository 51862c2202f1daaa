#include "base/rng.h"
#include "lib/test.h"
#include "types/tree.h"

/* Trees whose leaves are kept in order, beside a plain rising list of numbers. Keys are coarse or
 * all the same, so that entries decide. */
enum { NUMBERS = 700, ENTRY_SIZE = 3 };

struct fixture {
    struct tree_ops ops;
    struct tree tree;
    uint32_t numbers[NUMBERS];
    uint32_t count;
    uint64_t rng;
};

static uint32_t number_of(struct slice entry)
{
    return (uint32_t)entry.ptr[0] << 8 | entry.ptr[1];
}

static const uint32_t coarse = 32, all = UINT32_MAX;

static uint64_t key_of(const void *share, struct slice entry)
{
    return number_of(entry) / *(const uint32_t *)share;
}

static bool is_before(const void *bound, struct slice entry)
{
    return number_of(entry) < *(const uint32_t *)bound;
}

static void init(struct fixture *f, uint64_t rng, const uint32_t *share, uint32_t leaf_bytes)
{
    *f = (struct fixture){.rng = rng};
    f->ops = (struct tree_ops){.key = key_of,
                               .leaf_bytes = leaf_bytes,
                               .owner = share,
                               .in_order = true,
                               .before = is_before};
}

/* How many are below: where the number stands, or would. */
static uint32_t rank_of(const struct fixture *f, uint32_t number)
{
    uint32_t rank = 0;
    while (rank < f->count && f->numbers[rank] < number)
        rank++;
    return rank;
}

/* Where the number stands in its leaf, or would. The bound lies behind it, so that the leaf is the
 * one that has it. */
static size_t seek(const struct fixture *f, const struct tree *t, uint32_t number,
                   struct tree_path *path, bool *found)
{
    uint32_t behind = number + 1;
    tree_seek(t, &f->ops, behind / *(const uint32_t *)f->ops.owner, &behind, path);
    struct slice leaf = tree_path_leaf(path), rest = leaf;
    size_t at = 0;
    *found = false;
    while (rest.len > 0) {
        struct slice entry = pack_take(&rest);
        if (number_of(entry) >= number) {
            *found = number_of(entry) == number;
            break;
        }
        at = leaf.len - rest.len;
    }
    return at;
}

static void put(struct fixture *f, struct tree_change *c, uint32_t number)
{
    struct tree_path path;
    bool found;
    size_t at = seek(f, &c->tree, number, &path, &found);
    uint32_t rank = rank_of(f, number);
    EXPECT_EQ(found, rank < f->count && f->numbers[rank] == number);
    if (found)
        return;
    uint8_t *to = tree_change_splice_at(c, &path, at, 0, ENTRY_SIZE);
    REQUIRE(to != NULL);
    to = pack_put_length(to, 2);
    to[0] = (uint8_t)(number >> 8);
    to[1] = (uint8_t)number;
    tree_change_settle(c, &path);
    memmove(f->numbers + rank + 1, f->numbers + rank, (f->count - rank) * sizeof(uint32_t));
    f->numbers[rank] = number;
    f->count++;
}

static void take(struct fixture *f, struct tree_change *c, uint32_t rank)
{
    struct tree_path path;
    uint32_t in_leaf;
    tree_walk_at(&c->tree, rank, &path, &in_leaf);
    (void)tree_change_splice_at(c, &path, (size_t)in_leaf * ENTRY_SIZE, ENTRY_SIZE, 0);
    tree_change_settle(c, &path);
    f->count--;
    memmove(f->numbers + rank, f->numbers + rank + 1, (f->count - rank) * sizeof(uint32_t));
}

static void change(struct fixture *f, unsigned count)
{
    struct tree_change c = {.made = NULL};
    tree_change_begin(&c, &f->tree, &f->ops);
    for (unsigned i = 0; i < count; i++) {
        bool puts = f->count == 0 || (f->count < NUMBERS && rng_below(&f->rng, 5) < 3);
        if (puts)
            put(f, &c, (uint32_t)rng_below(&f->rng, 4 * NUMBERS));
        else
            take(f, &c, (uint32_t)rng_below(&f->rng, f->count));
    }
    REQUIRE(!c.failed);
    tree_change_apply(&c, &f->tree);
    tree_change_fini(&c);
}

/* In order both ways, by number, and by rank. */
static void expect_holds(const struct fixture *f)
{
    struct tree_path path;
    struct slice leaf;
    uint64_t next;
    uint32_t at = 0;
    REQUIRE(f->tree.count == f->count);
    const char *wrong = tree_check(&f->tree, &f->ops);
    EXPECT_STR(wrong == NULL ? "" : wrong, "");
    for (tree_walk_at(&f->tree, 0, &path, &at); tree_next(&path, &leaf, &next);)
        while (leaf.len > 0)
            EXPECT_EQ(number_of(pack_take(&leaf)), f->numbers[at++]);
    EXPECT_EQ(at, f->count);
    for (uint32_t rank = 0; rank <= f->count; rank += 7) {
        uint32_t in_leaf;
        bool found;
        tree_walk_at(&f->tree, rank, &path, &in_leaf);
        EXPECT_EQ(tree_path_rank(&path) + in_leaf, rank);
        if (rank == f->count)
            break;
        leaf = tree_path_leaf(&path);
        EXPECT_EQ(number_of((struct slice){leaf.ptr + in_leaf * ENTRY_SIZE + 1, 2}),
                  f->numbers[rank]);
        size_t place = seek(f, &f->tree, f->numbers[rank], &path, &found);
        EXPECT(found);
        EXPECT_EQ(tree_path_rank(&path) + place / ENTRY_SIZE, rank);
    }
    at = f->count;
    for (tree_walk_at(&f->tree, at, &path, &at), at = f->count; tree_previous(&path, &leaf);) {
        at -= (uint32_t)(leaf.len / ENTRY_SIZE);
        EXPECT_EQ(number_of((struct slice){leaf.ptr + 1, 2}), f->numbers[at]);
    }
    EXPECT_EQ(at, 0);
}

TEST(tree_order, holds_what_was_put_where_it_was_put)
{
    size_t before = mem_used(MEM_KEYSPACE);
    static const uint32_t leaves[] = {6, 20, 64, TREE_LEAF_BYTES};
    for (unsigned i = 0; i < 2 * COUNT_OF(leaves); i++) {
        struct fixture f;
        init(&f, i + 1, i % 2 == 0 ? &coarse : &all, leaves[i / 2]);
        for (unsigned step = 0; step < 250; step++) {
            change(&f, 1 + step % 15);
            if (step % 10 == 0)
                expect_holds(&f);
        }
        while (f.count > 0) {
            struct tree_change c = {.made = NULL};
            tree_change_begin(&c, &f.tree, &f.ops);
            take(&f, &c, (uint32_t)rng_below(&f.rng, f.count));
            tree_change_apply(&c, &f.tree);
            tree_change_fini(&c);
        }
        expect_holds(&f);
    }
    EXPECT_EQ(mem_used(MEM_KEYSPACE), before);
}
