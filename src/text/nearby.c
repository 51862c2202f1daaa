/* A word is compared by the rows of Wagner and Fischer's table (1974), one for each letter; terms
 * that begin alike share rows, and where no entry of a row is small enough the walk goes on behind
 * all terms that begin so. */
#include "text/nearby.h"

#include "text/patterns.h"

struct table {
    uint32_t word[TEXT_LETTERS_MAX], term[TEXT_LETTERS_MAX];
    size_t word_size, term_size;
    size_t edits;
    size_t good; /* rows below it are those of the first letters of `term` */
    uint16_t rows[TEXT_LETTERS_MAX + 1]
                 [TEXT_LETTERS_MAX + 1]; /* of which a short word needs a corner */
};

/* Row `at` from the one before; its least entry. */
static size_t make_row(struct table *f, size_t at)
{
    const uint16_t *above = f->rows[at - 1];
    uint16_t *row = f->rows[at];
    row[0] = (uint16_t)at;
    size_t least = at;
    for (size_t i = 1; i <= f->word_size; i++) {
        uint16_t best = (uint16_t)(above[i - 1] + (f->word[i - 1] != f->term[at - 1]));
        if (above[i] + 1 < best)
            best = (uint16_t)(above[i] + 1);
        if (row[i - 1] + 1 < best)
            best = (uint16_t)(row[i - 1] + 1);
        row[i] = best;
        least = best < least ? best : least;
    }
    return least;
}

/* The bytes of the first letters of a text. */
static size_t bytes_of(struct slice text, size_t letters)
{
    size_t at = 0;
    while (letters-- > 0 && at < text.len)
        (void)text_next_letter(text, &at);
    return at;
}

/* Is the term near enough? *dead: nothing is that begins with so many of its letters. */
static bool is_near(struct table *f, struct slice text, size_t *dead)
{
    uint32_t letters[TEXT_LETTERS_MAX];
    size_t count = text_letters_of(text, letters), same = 0;
    while (same < count && same < f->term_size && letters[same] == f->term[same])
        same++;
    if (same < f->good)
        f->good = same;
    memcpy(f->term, letters, count * sizeof(*letters));
    f->term_size = count;
    *dead = 0;
    while (f->good < count) {
        if (make_row(f, f->good + 1) > f->edits) {
            /* What is no letter may become one by the bytes that follow. */
            *dead = letters[f->good] < TEXT_NO_LETTER ? f->good + 1 : 0;
            return false;
        }
        f->good++;
    }
    return f->rows[count][f->word_size] <= f->edits;
}

/* The first text behind all that begin with these bytes; false: there is none. */
static bool behind(struct slice prefix, struct buf *out)
{
    buf_clear(out, SIZE_MAX);
    while (prefix.len > 0 && prefix.ptr[prefix.len - 1] == 0xff)
        prefix.len--;
    buf_append_slice(out, prefix);
    if (prefix.len == 0 || buf_failed(out))
        return false;
    out->ptr[out->len - 1]++;
    return true;
}

enum err text_each_near(const struct text_terms *terms, const struct text_near *near)
{
    struct table *f = mem_try(MEM_SCRATCH, sizeof(*f));
    struct buf next = BUF_INIT(MEM_SCRATCH);
    struct text_walk w;
    const struct text_term *term;
    if (f == NULL)
        return ERR_NOMEM;
    f->term_size = f->good = 0;
    f->edits = near->edits;
    f->word_size = text_letters_of(near->word, f->word);
    for (size_t i = 0; i <= f->word_size; i++)
        f->rows[0][i] = (uint16_t)i;
    text_walk_from(terms, (struct slice){0}, &w);
    while ((term = text_walk_next(&w)) != NULL && !near->stops(near->user)) {
        size_t dead;
        struct slice text = text_term_text(term);
        if (!text_term_is_word(term))
            continue;
        if (is_near(f, text, &dead) && !near->fn(near->user, term))
            break;
        if (dead == 0)
            continue;
        if (!behind((struct slice){text.ptr, bytes_of(text, dead)}, &next))
            break;
        text_walk_from(terms, buf_slice(&next), &w);
    }
    bool failed = buf_failed(&next);
    buf_fini(&next);
    mem_free(MEM_SCRATCH, f);
    return failed ? ERR_NOMEM : OK;
}
