/* filter_text.c: strings as a filter's operators see them.
 *
 * A string from the JSON text may still hold escapes; then it is decoded byte by byte while it is
 * compared, since matching has no memory to decode into. */
#include "db/filter_program.h"

#include <stdlib.h>

enum { NUMBER_TEXT_MAX = 255 };

static struct json_chars chars_of(const struct value *v)
{
    CHECK(v->kind == VALUE_STRING);
    return json_chars_of(v->text, v->escaped);
}

/* Is prefix what the bytes of text start with? Moves both. */
static bool starts_with(struct json_chars *text, struct json_chars *prefix)
{
    for (;;) {
        int wanted = json_chars_next(prefix);
        if (wanted < 0)
            return true;
        if (json_chars_next(text) != wanted)
            return false;
    }
}

bool text_equals(const struct value *a, const struct value *b)
{
    if (LIKELY(!a->escaped && !b->escaped))
        return slice_eq(a->text, b->text);
    struct json_chars x = chars_of(a), y = chars_of(b);
    return starts_with(&x, &y) && json_chars_next(&x) < 0;
}

/* What the whole string reads as to strtod, which may include blanks in front, 0x10 and inf; 0 when
 * it does not, or is longer than 255 bytes: as Redis has it. */
double text_number(const struct value *v)
{
    CHECK(v->kind == VALUE_STRING);
    if (v->number_read)
        return v->number;
    struct json_chars chars = chars_of(v);
    char text[NUMBER_TEXT_MAX + 1];
    size_t size = 0;
    for (int c; (c = json_chars_next(&chars)) >= 0; text[size++] = (char)c) {
        if (size == NUMBER_TEXT_MAX)
            return 0;
        /* Most strings are no numbers, and their first byte says so. */
        if (size == 0 && strchr("0123456789+-.iInN \t\n\v\f\r", c) == NULL)
            return 0;
    }
    text[size] = '\0';
    char *end;
    double number = strtod(text, &end);
    return end == text + size ? number : 0;
}

/* The same where escapes must be decoded: Karp and Rabin 1987. A window as long as the needle rolls
 * over the hay with a hash of its bytes; bytes are compared where the hashes agree. Linear time
 * without memory. */
static bool text_in_decoded(struct json_chars needle, struct json_chars hay)
{
    const uint64_t base = 263, prime = 2147483647;
    struct json_chars front = hay, back = hay, wanted = needle;
    uint64_t wanted_hash = 0, hash = 0, top = 1; /* top: weight of the byte that leaves */
    bool first = true;
    for (int c; (c = json_chars_next(&wanted)) >= 0; first = false) {
        int h = json_chars_next(&front);
        if (h < 0)
            return false;
        wanted_hash = (wanted_hash * base + (uint64_t)c) % prime;
        hash = (hash * base + (uint64_t)h) % prime;
        top = first ? 1 : top * base % prime;
    }
    for (;;) {
        struct json_chars here = back, all = needle;
        if (hash == wanted_hash && starts_with(&here, &all))
            return true;
        int enters = json_chars_next(&front), leaves = json_chars_next(&back);
        if (enters < 0)
            return false;
        hash = (hash + prime - (uint64_t)leaves * top % prime) % prime;
        hash = (hash * base + (uint64_t)enters) % prime;
    }
}

bool text_in(const struct value *needle, const struct value *hay)
{
    if (needle->text.len == 0)
        return true;
    if (LIKELY(!needle->escaped && !hay->escaped))
        return memmem(hay->text.ptr, hay->text.len, needle->text.ptr, needle->text.len) != NULL;
    return text_in_decoded(chars_of(needle), chars_of(hay));
}

/* Globs as Redis users know them from KEYS, less [..]: * is any run of bytes, ? is any one byte, a
 * backslash takes the next byte as itself. Goes back to the last * only, which is enough. */
bool text_like(const struct value *text, const struct value *pattern)
{
    struct json_chars t = chars_of(text), p = chars_of(pattern);
    struct json_chars t_star = t, p_star = p;
    bool starred = false;
    for (;;) {
        int want = json_chars_next(&p);
        if (want == '*') {
            starred = true;
            t_star = t;
            p_star = p;
            continue;
        }
        int have = json_chars_next(&t);
        if (have < 0)
            return want < 0;
        bool any = want == '?';
        if (want == '\\') {
            int literal = json_chars_next(&p);
            want = literal < 0 ? '\\' : literal;
        }
        if (any || have == want)
            continue;
        if (!starred)
            return false;
        (void)json_chars_next(&t_star); /* the star takes one more byte */
        t = t_star;
        p = p_star;
    }
}
