#include "text/patterns.h"

#include <stdlib.h>

/* -- letters ----------------------------------------------------------------------------------- */

uint32_t text_next_letter(struct slice text, size_t *at)
{
    uint8_t c = text.ptr[*at];
    size_t size = c < 0xc0 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    uint32_t letter = size == 1 ? c : c & (0xffu >> (size + 1));
    if (*at + size > text.len)
        size = 1;
    for (size_t i = 1; i < size; i++) {
        uint8_t more = text.ptr[*at + i];
        if ((more & 0xc0) != 0x80) {
            ++*at;
            return (uint32_t)TEXT_NO_LETTER + c;
        }
        letter = letter << 6 | (more & 0x3f);
    }
    *at += size;
    return size == 1 && c >= 0x80 ? (uint32_t)TEXT_NO_LETTER + c : letter;
}

size_t text_letters_of(struct slice text, uint32_t *out)
{
    size_t count = 0;
    for (size_t at = 0; at < text.len && count < TEXT_LETTERS_MAX;)
        out[count++] = text_next_letter(text, &at);
    return count;
}

/* -- patterns ---------------------------------------------------------------------------------- */

/* Goes back to the last * only: linear but for what it stands for. */
static bool matches_pattern(struct slice text, struct slice pattern)
{
    size_t t = 0, p = 0, star = SIZE_MAX, star_text = 0;
    while (t < text.len) {
        size_t text_next = t, pattern_next = p;
        bool same = false;
        if (p < pattern.len && pattern.ptr[p] == '*') {
            star = ++p;
            star_text = t;
            continue;
        }
        if (p < pattern.len) {
            bool any = pattern.ptr[p] == '?';
            if (pattern.ptr[p] == '\\' && p + 1 < pattern.len)
                pattern_next++;
            uint32_t wanted = text_next_letter(pattern, &pattern_next);
            same = text_next_letter(text, &text_next) == wanted || any;
        }
        if (same) {
            t = text_next;
            p = pattern_next;
        } else if (star == SIZE_MAX) {
            return false;
        } else {
            (void)text_next_letter(text, &star_text);
            t = star_text;
            p = star;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

static bool ends_with(struct slice text, struct slice end)
{
    return text.len >= end.len && memcmp(text.ptr + text.len - end.len, end.ptr, end.len) == 0;
}

bool text_fits(enum text_kind kind, struct slice pattern, struct slice word)
{
    if (kind == TEXT_SUFFIX)
        return ends_with(word, pattern);
    if (kind == TEXT_INFIX)
        return memmem(word.ptr, word.len, pattern.ptr, pattern.len) != NULL;
    if (kind == TEXT_PREFIX)
        return word.len >= pattern.len && memcmp(word.ptr, pattern.ptr, pattern.len) == 0;
    CHECK(kind == TEXT_WILDCARD);
    return matches_pattern(word, pattern);
}

/* -- fuzzy words ------------------------------------------------------------------------------- */

bool text_is_near(struct slice a, struct slice b, size_t edits)
{
    uint32_t word[TEXT_LETTERS_MAX], other[TEXT_LETTERS_MAX];
    uint16_t row[TEXT_LETTERS_MAX + 1];
    size_t size = text_letters_of(a, word), other_size = text_letters_of(b, other);
    size_t least = size > other_size ? size - other_size : other_size - size;
    for (size_t i = 0; i <= size; i++)
        row[i] = (uint16_t)i;
    for (size_t at = 0; at < other_size && least <= edits; at++) {
        uint16_t before = row[0]++; /* of the row above, to the left */
        least = row[0];
        for (size_t i = 1; i <= size; i++) {
            uint16_t above = row[i];
            uint16_t best = (uint16_t)(before + (word[i - 1] != other[at]));
            best = above + 1 < best ? (uint16_t)(above + 1) : best;
            row[i] = row[i - 1] + 1 < best ? (uint16_t)(row[i - 1] + 1) : best;
            least = row[i] < least ? row[i] : least;
            before = above;
        }
    }
    return least <= edits && row[size] <= edits;
}
