/* A checksum is the remainder of the bytes, as a polynomial over GF(2), modulo P. Two things follow
 * that this file lives by. It is linear: an entry of the table is the sum of the entries of its
 * bits. And bytes that are apart can be worked on at the same time: the instruction takes three
 * cycles but one can start in each, so three blocks are fed in turn, and their remainders joined by
 * multiplying with x to the number of bits that follow (Gopal and others, "Fast CRC Computation for
 * iSCSI Polynomial Using CRC32 Instruction", Intel 2011; here without its tables). */
#include "base/crc32c.h"

#include "base/check.h"

#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

/* Remainders of a byte with one bit set, lowest first; reflected, as the table is. */
#define BIT_0 0xf26b8303u
#define BIT_1 0xe13b70f7u
#define BIT_2 0xc79a971fu
#define BIT_3 0x8ad958cfu
#define BIT_4 0x105ec76fu
#define BIT_5 0x20bd8edeu
#define BIT_6 0x417b1dbcu
#define BIT_7 0x82f63b78u

#define ENTRY(n)                                                                                   \
    (((n) & 1 ? BIT_0 : 0) ^ ((n) & 2 ? BIT_1 : 0) ^ ((n) & 4 ? BIT_2 : 0) ^                       \
     ((n) & 8 ? BIT_3 : 0) ^ ((n) & 16 ? BIT_4 : 0) ^ ((n) & 32 ? BIT_5 : 0) ^                     \
     ((n) & 64 ? BIT_6 : 0) ^ ((n) & 128 ? BIT_7 : 0))
#define ENTRIES_4(n) ENTRY(n), ENTRY((n) + 1), ENTRY((n) + 2), ENTRY((n) + 3)
#define ENTRIES_16(n) ENTRIES_4(n), ENTRIES_4((n) + 4), ENTRIES_4((n) + 8), ENTRIES_4((n) + 12)
#define ENTRIES_64(n)                                                                              \
    ENTRIES_16(n), ENTRIES_16((n) + 16), ENTRIES_16((n) + 32), ENTRIES_16((n) + 48)

static const uint32_t table[256] = {ENTRIES_64(0), ENTRIES_64(64), ENTRIES_64(128),
                                    ENTRIES_64(192)};

uint32_t crc32c_extend_by_table(uint32_t crc, const void *bytes, size_t len)
{
    const uint8_t *p = bytes;
    uint32_t c = ~crc;
    CHECK(bytes != NULL || len == 0);
    for (size_t i = 0; i < len; i++)
        c = table[(c ^ p[i]) & 0xff] ^ (c >> 8);
    return ~c;
}

#if defined(__x86_64__)
#define WITH_INSTRUCTION __attribute__((target("sse4.2")))
#define STEP_8(c, word) ((uint32_t)__builtin_ia32_crc32di((c), (word)))
#define STEP_1(c, byte) __builtin_ia32_crc32qi((c), (byte))

static bool has_instruction(void)
{
    return __builtin_cpu_supports("sse4.2") != 0;
}
#elif defined(__aarch64__)
#ifdef __clang__
#define WITH_INSTRUCTION __attribute__((target("crc")))
#define STEP_8(c, word) __builtin_arm_crc32cd((c), (word))
#define STEP_1(c, byte) __builtin_arm_crc32cb((c), (byte))
#else
#define WITH_INSTRUCTION __attribute__((target("+crc")))
#define STEP_8(c, word) __builtin_aarch64_crc32cx((c), (word))
#define STEP_1(c, byte) __builtin_aarch64_crc32cb((c), (byte))
#endif

static bool has_instruction(void)
{
    return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0;
}
#endif

#ifdef WITH_INSTRUCTION
/* x to the 8 * BLOCK and to the 16 * BLOCK modulo P, reflected: what a remainder is multiplied with
 * when one or two blocks follow. */
enum { BLOCK = 4096 };
#define AFTER_BLOCK 0x35d73a62u
#define AFTER_TWO_BLOCKS 0x28461564u

/* a * b modulo P; bit 31 is the coefficient of x to the 0. */
static uint32_t multiply(uint32_t a, uint32_t b)
{
    uint32_t product = 0;
    for (unsigned i = 0; i < 32; i++) {
        product ^= b & (0u - (a >> 31)); /* without a branch: the bits are as good as random */
        a <<= 1;
        b = (b >> 1) ^ (BIT_7 & (0u - (b & 1)));
    }
    return product;
}

static uint64_t load_8(const uint8_t *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

WITH_INSTRUCTION static uint32_t three_blocks(uint32_t c, const uint8_t *p)
{
    uint32_t second = 0, third = 0;
    for (size_t i = 0; i < BLOCK; i += 8) {
        c = STEP_8(c, load_8(p + i));
        second = STEP_8(second, load_8(p + BLOCK + i));
        third = STEP_8(third, load_8(p + 2 * (size_t)BLOCK + i));
    }
    return multiply(c, AFTER_TWO_BLOCKS) ^ multiply(second, AFTER_BLOCK) ^ third;
}

WITH_INSTRUCTION static uint32_t extend_by_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
    uint32_t c = ~crc;
    for (; len >= 3 * (size_t)BLOCK; p += 3 * (size_t)BLOCK, len -= 3 * (size_t)BLOCK)
        c = three_blocks(c, p);
    for (; len >= 8; p += 8, len -= 8)
        c = STEP_8(c, load_8(p));
    for (; len > 0; p++, len--)
        c = STEP_1(c, *p);
    return ~c;
}
#endif

uint32_t crc32c_extend(uint32_t crc, const void *bytes, size_t len)
{
#ifdef WITH_INSTRUCTION
    CHECK(bytes != NULL || len == 0);
    if (LIKELY(has_instruction()))
        return extend_by_instruction(crc, bytes, len);
#endif
    return crc32c_extend_by_table(crc, bytes, len);
}
