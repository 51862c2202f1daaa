#include "base/rowset.h"

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

static bool has(const struct rowset *s, uint32_t row)
{
    return (s->bits[row / 64] >> (row % 64) & 1) != 0;
}

static void take_out(struct rowset *s, uint32_t row)
{
    CHECK(has(s, row) && s->count > 0);
    s->bits[row / 64] &= ~((uint64_t)1 << (row % 64));
    s->count--;
}

uint32_t rowset_lowest(struct rowset *s)
{
    if (s->count == 0)
        return ROWSET_NONE;
    while (s->bits[s->low] == 0)
        s->low++;
    return (uint32_t)(s->low * 64 + (unsigned)__builtin_ctzll(s->bits[s->low]));
}

uint32_t rowset_take(struct rowset *s)
{
    CHECK(s->count > 0);
    uint32_t row = rowset_lowest(s);
    take_out(s, row);
    return row;
}

/* Which bits of the word begin a run of count bits; next is the word behind it. */
static uint64_t run_starts(uint64_t word, uint64_t next, uint32_t count)
{
    uint64_t starts = word;
    for (uint32_t i = 1; i < count; i++)
        starts &= word >> i | next << (64 - i);
    return starts;
}

uint32_t rowset_take_run(struct rowset *s, uint32_t count)
{
    CHECK(count > 0 && count < 64);
    (void)rowset_lowest(s);
    for (size_t w = s->low; w < s->words && s->count >= count; w++) {
        uint64_t starts = run_starts(s->bits[w], w + 1 < s->words ? s->bits[w + 1] : 0, count);
        if (starts == 0)
            continue;
        uint32_t row = (uint32_t)(w * 64 + (unsigned)__builtin_ctzll(starts));
        for (uint32_t i = 0; i < count; i++)
            take_out(s, row + i);
        return row;
    }
    return ROWSET_NONE;
}

uint32_t rowset_trim(struct rowset *s, uint32_t end, uint32_t least)
{
    CHECK(least <= end && (end + 63) / 64 <= s->words);
    while (end > least && s->count > 0) {
        if (end % 64 == 0 && end - least >= 64 && s->bits[end / 64 - 1] == UINT64_MAX) {
            end -= 64;
            s->bits[end / 64] = 0;
            s->count -= 64;
        } else if (has(s, end - 1)) {
            end--;
            take_out(s, end);
        } else {
            break;
        }
    }
    return end;
}
