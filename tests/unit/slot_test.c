/* slot_test.c: keys are in the slots where Redis has them. */
#include "lib/test.h"

#include "cluster/slot.h"

static unsigned slot(const char *key)
{
    return slot_of_key(slice_of(key));
}

TEST(slot, is_the_crc_that_the_cluster_specification_names)
{
    EXPECT_EQ(slot("123456789"), 0x31c3 % SLOT_COUNT);
    EXPECT_EQ(slot(""), 0);
    EXPECT_EQ(slot("a"), 15495);
    EXPECT_EQ(slot("foo"), 12182);
    EXPECT_EQ(slot("somekey"), 11058);
}

TEST(slot, only_a_tag_that_is_not_empty_counts)
{
    EXPECT_EQ(slot("{user1}:likes"), slot("user1"));
    EXPECT_EQ(slot("{user1}:likes"), slot("seen:{user1}"));
    EXPECT_EQ(slot("foo{hash_tag}"), 2515);
    EXPECT(slot("foo{}{bar}") != slot("bar"));
    EXPECT_EQ(slot("foo{bar}{zap}"), slot("bar"));
    EXPECT_EQ(slot("foo{{bar}}zap"), slot("{bar"));
    EXPECT(slot("foo{bar") != slot("bar"));
    EXPECT(slot("{") < SLOT_COUNT && slot("{}") < SLOT_COUNT);
}
