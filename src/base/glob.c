#include "base/glob.h"

static uint8_t fold(uint8_t c, bool nocase)
{
    return nocase && c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool in_range(uint8_t c, uint8_t from, uint8_t to)
{
    return from <= to ? c >= from && c <= to : c >= to && c <= from;
}

/* Is c in the set whose first byte after '[' is at? *next is what follows the set. */
static bool set_has(struct slice pattern, size_t at, uint8_t c, bool nocase, size_t *next)
{
    const uint8_t *p = pattern.ptr;
    bool negated = at < pattern.len && p[at] == '^';
    bool found = false;
    at += negated;
    while (at < pattern.len && p[at] != ']') {
        if (p[at] == '\\' && at + 1 < pattern.len) {
            found |= fold(p[at + 1], nocase) == c;
            at += 2;
        } else if (at + 2 < pattern.len && p[at + 1] == '-') {
            found |= in_range(c, fold(p[at], nocase), fold(p[at + 2], nocase));
            at += 3;
        } else {
            found |= fold(p[at], nocase) == c;
            at++;
        }
    }
    *next = at < pattern.len ? at + 1 : at;
    return found != negated;
}

/* Does what stands at position at of the pattern, which is no '*', match the byte c? */
static bool item_matches(struct slice pattern, size_t at, uint8_t c, bool nocase, size_t *next)
{
    uint8_t item = pattern.ptr[at];
    c = fold(c, nocase);
    if (item == '[')
        return set_has(pattern, at + 1, c, nocase, next);
    if (item == '\\' && at + 1 < pattern.len)
        item = pattern.ptr[++at];
    else if (item == '?')
        item = c;
    *next = at + 1;
    return fold(item, nocase) == c;
}

/* Only the last '*' is ever tried again: what an earlier one took could only have to be longer if
 * the part between the two stars had first matched further on, and then the last star would have
 * covered it as well. */
static bool match(struct slice pattern, struct slice text, bool nocase)
{
    size_t p = 0, t = 0;
    size_t after_star = SIZE_MAX, tried_from = 0;
    while (t < text.len) {
        size_t next;
        if (p < pattern.len && pattern.ptr[p] == '*') {
            after_star = ++p;
            tried_from = t;
        } else if (p < pattern.len && item_matches(pattern, p, text.ptr[t], nocase, &next)) {
            p = next;
            t++;
        } else if (after_star == SIZE_MAX) {
            return false;
        } else if (after_star == pattern.len) {
            return true;
        } else {
            p = after_star;
            t = ++tried_from;
        }
    }
    while (p < pattern.len && pattern.ptr[p] == '*')
        p++;
    return p == pattern.len;
}

bool glob_match(struct slice pattern, struct slice text)
{
    return match(pattern, text, false);
}

bool glob_match_nocase(struct slice pattern, struct slice text)
{
    return match(pattern, text, true);
}
