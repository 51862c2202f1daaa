#include "db/rowset.h"

#include <string.h>

bool rowset_reserve(struct rowset *s, uint32_t end)
{
    size_t words = ((size_t)end + 63) / 64;
    if (words <= s->words)
        return true;
    words += words / 2;
    uint64_t *bits = mem_try_realloc(MEM_ROW, s->bits, words * sizeof(*bits));
    if (bits == NULL)
        return false;
    memset(bits + s->words, 0, (words - s->words) * sizeof(*bits));
    s->bits = bits;
    s->words = words;
    return true;
}

void rowset_fini(struct rowset *s)
{
    mem_free(MEM_ROW, s->bits);
    *s = (struct rowset){0};
}

void rowset_add(struct rowset *s, uint32_t row)
{
    CHECK(row / 64 < s->words && (s->bits[row / 64] >> (row % 64) & 1) == 0);
    s->bits[row / 64] |= (uint64_t)1 << (row % 64);
    s->count++;
    if (row / 64 < s->low)
        s->low = row / 64;
}

uint32_t rowset_take(struct rowset *s)
{
    CHECK(s->count > 0);
    while (s->bits[s->low] == 0)
        s->low++;
    unsigned bit = (unsigned)__builtin_ctzll(s->bits[s->low]);
    s->bits[s->low] &= s->bits[s->low] - 1;
    s->count--;
    return (uint32_t)(s->low * 64 + bit);
}
