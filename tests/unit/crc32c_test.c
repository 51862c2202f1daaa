#include "base/crc32c.h"

#include "base/mem.h"
#include "base/rng.h"
#include "lib/test.h"

static uint8_t *random_bytes(uint64_t seed, size_t size)
{
    uint8_t *bytes = mem_alloc(MEM_TEST, size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)rng_next(&seed);
    return bytes;
}

TEST(crc32c, gives_the_published_values)
{
    uint8_t bytes[32];
    EXPECT_EQ(crc32c(slice_of("")), 0);
    EXPECT_EQ(crc32c(slice_of("123456789")), 0xe3069283);
    /* RFC 3720, B.4 */
    memset(bytes, 0, sizeof(bytes));
    EXPECT_EQ(crc32c_extend(0, bytes, sizeof(bytes)), 0x8a9136aa);
    memset(bytes, 0xff, sizeof(bytes));
    EXPECT_EQ(crc32c_extend(0, bytes, sizeof(bytes)), 0x62a8ab43);
    for (uint8_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = i;
    EXPECT_EQ(crc32c_extend(0, bytes, sizeof(bytes)), 0x46dd794e);
}

/* Lengths around every step of the fast way: bytes, words, three blocks at once. */
TEST(crc32c, the_instruction_and_the_table_agree_at_every_length_and_alignment)
{
    enum { SIZE = 40000 };
    uint8_t *bytes = random_bytes(1, SIZE);
    for (size_t len = 0; len < 300; len++)
        for (size_t at = 0; at < 8; at++)
            EXPECT_EQ(crc32c_extend(7, bytes + at, len),
                      crc32c_extend_by_table(7, bytes + at, len));
    for (size_t len = 3 * 4096 - 9; len < SIZE - 8; len += 1361)
        EXPECT_EQ(crc32c_extend(0, bytes + len % 8, len),
                  crc32c_extend_by_table(0, bytes + len % 8, len));
    EXPECT_EQ(crc32c_extend(0, bytes, 3 * 4096), crc32c_extend_by_table(0, bytes, 3 * 4096));
    mem_free(MEM_TEST, bytes);
}

TEST(crc32c, pieces_give_what_the_whole_gives)
{
    enum { SIZE = 30000 };
    uint8_t *bytes = random_bytes(2, SIZE);
    uint32_t whole = crc32c_extend(0, bytes, SIZE);
    uint64_t rng = 3;
    for (unsigned round = 0; round < 50; round++) {
        uint32_t crc = 0;
        size_t at = 0;
        while (at < SIZE) {
            size_t len = 1 + (size_t)rng_below(&rng, round < 25 ? 100 : SIZE);
            if (len > SIZE - at)
                len = SIZE - at;
            crc = crc32c_extend(crc, bytes + at, len);
            at += len;
        }
        EXPECT_EQ(crc, whole);
    }
    mem_free(MEM_TEST, bytes);
}

TEST(crc32c, every_changed_bit_of_a_sector_changes_it)
{
    enum { SIZE = 512 };
    uint8_t *bytes = random_bytes(4, SIZE);
    uint32_t before = crc32c_extend(0, bytes, SIZE);
    for (size_t bit = 0; bit < SIZE * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT(crc32c_extend(0, bytes, SIZE) != before);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    mem_free(MEM_TEST, bytes);
}
