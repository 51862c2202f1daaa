/* Command lines into RESP, and how replies are compared. */
#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#include "base/words.h"
#include "integration/peer.h"

enum { ARGS_MAX = 4096 };

/* The inside of {f32 ...} as numbers. */
static void put_numbers(const char *text, const char *end, bool wide, struct buf *out)
{
    while (text < end) {
        char *after;
        double value = strtod(text, &after);
        if (after == text)
            break;
        float narrow = (float)value;
        if (wide)
            buf_append(out, &value, sizeof(value));
        else
            buf_append(out, &narrow, sizeof(narrow));
        text = after;
    }
}

/* A word in braces. False: the line does not go on with one. */
static bool put_made(struct slice *line, struct buf *word)
{
    const char *text = (const char *)line->ptr;
    const char *end = line->len > 0 && text[0] == '{' ? memchr(text, '}', line->len) : NULL;
    if (end == NULL)
        return false;
    if (strncmp(text, "{f32", 4) == 0)
        put_numbers(text + 4, end, false, word);
    else if (strncmp(text, "{f64", 4) == 0)
        put_numbers(text + 4, end, true, word);
    else if (strncmp(text, "{x ", 3) == 0)
        for (unsigned long left = strtoul(text + 3, NULL, 10); left > 0; left--)
            buf_append_byte(word, 'x');
    else
        return false;
    size_t used = (size_t)(end + 1 - text);
    *line = (struct slice){line->ptr + used, line->len - used};
    return true;
}

static bool next_word(struct slice *line, uint8_t **spare, struct buf *word)
{
    while (line->len > 0 && line->ptr[0] == ' ')
        *line = (struct slice){line->ptr + 1, line->len - 1};
    if (put_made(line, word))
        return true;
    struct slice found;
    enum words_status status = words_next(line, spare, &found);
    CHECK(status != WORDS_UNBALANCED);
    if (status == WORDS_WORD)
        buf_append_slice(word, found);
    return status == WORDS_WORD;
}

void command_bytes(const char *line, struct buf *out)
{
    struct slice left = slice_of(line);
    struct buf body = BUF_INIT(MEM_TEST);
    uint8_t *room = mem_alloc(MEM_TEST, left.len + 1), *spare = room;
    size_t count = 0;
    for (;;) {
        struct buf word = BUF_INIT(MEM_TEST);
        bool there = next_word(&left, &spare, &word);
        if (there) {
            buf_printf(&body, "$%zu\r\n", word.len);
            buf_append_slice(&body, buf_slice(&word));
            buf_append_text(&body, "\r\n");
            count++;
        }
        buf_fini(&word);
        if (!there)
            break;
    }
    CHECK(count > 0 && count < ARGS_MAX);
    buf_printf(out, "*%zu\r\n", count);
    buf_append_slice(out, buf_slice(&body));
    buf_fini(&body);
    mem_free(MEM_TEST, room);
    CHECK(!buf_failed(out));
}

/* ~number: both move behind theirs. */
static bool near_number(const char **said, const char **expected)
{
    char *after_said, *after_expected;
    double a = strtod(*said, &after_said);
    double b = strtod(*expected + 1, &after_expected);
    bool ok = after_said != *said && fabs(a - b) <= 0.005;
    *said = after_said;
    *expected = after_expected;
    return ok;
}

bool reply_matches(const char *said, const char *expected)
{
    while (*expected != '\0') {
        if (strcmp(expected, "...") == 0)
            return true;
        if (*expected == '~') {
            if (!near_number(&said, &expected))
                return false;
        } else if (*expected == '@') {
            if (!isdigit((unsigned char)*said))
                return false;
            while (isdigit((unsigned char)*said))
                said++;
            expected++;
        } else if (*said++ != *expected++) {
            return false;
        }
    }
    return *said == '\0';
}
