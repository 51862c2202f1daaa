#include "cmd/ft_words.h"

#include <math.h>

bool ft_words_next_is(struct ft_words *w, const char *word)
{
    if (w->at == w->end || !slice_eq_nocase(w->items[w->at], word))
        return false;
    w->at++;
    return true;
}

static enum err nothing(const struct ft_words *w, const char *option)
{
    return why_set(w->why, ERR_ARG, "Bad arguments for %s: Expected an argument, but none provided",
                   option);
}

enum err ft_words_take(struct ft_words *w, const char *option, struct slice *out)
{
    if (w->at == w->end)
        return nothing(w, option);
    *out = w->items[w->at++];
    return OK;
}

enum err ft_words_count(struct ft_words *w, const char *option, uint64_t most, uint64_t *out)
{
    struct slice word = {0};
    enum err e = ft_words_take(w, option, &word);
    int64_t below;
    if (e != OK)
        return e;
    bool number = slice_to_u64(word, out);
    if (number && *out <= most)
        return OK;
    if (number || slice_to_i64(word, &below))
        return why_set(w->why, ERR_ARG, "Bad arguments for %s: Value is outside acceptable bounds",
                       option);
    return why_set(w->why, ERR_ARG,
                   "Bad arguments for %s: Could not convert argument to expected type", option);
}

enum err ft_words_number(struct ft_words *w, const char *option, double *out)
{
    struct slice word = {0};
    enum err e = ft_words_take(w, option, &word);
    if (e == OK && (!slice_to_f64(word, out) || isnan(*out)))
        e = why_set(w->why, ERR_ARG,
                    "Bad arguments for %s: Could not convert argument to expected type", option);
    return e;
}

enum err ft_words_list(struct ft_words *w, const char *option, struct slices *out)
{
    uint64_t n = 0;
    enum err e = ft_words_count(w, option, UINT32_MAX, &n);
    if (e != OK)
        return e;
    if (n > w->end - w->at)
        return nothing(w, option);
    *out = (struct slices){w->items + w->at, (size_t)n};
    w->at += (size_t)n;
    return OK;
}

enum err ft_words_unknown(const struct ft_words *w)
{
    CHECK(w->at < w->end);
    struct slice word = w->items[w->at];
    return why_set(w->why, ERR_ARG, "Unknown argument `%.*s` at position %zu for <main>",
                   (int)(word.len < 64 ? word.len : 64), (const char *)word.ptr, w->at + 1);
}
