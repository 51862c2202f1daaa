/* ft_words.h: the words behind a query, one after the other, with RediSearch's errors. */
#ifndef VDB_CMD_FT_WORDS_H
#define VDB_CMD_FT_WORDS_H

#include "cmd/args.h"

/* owner: caller */
struct ft_words {
    const struct slice *items;
    size_t at, end;
    struct why *why;
};

/* Is the next one that word (without case)? Then it is taken. */
bool ft_words_next_is(struct ft_words *w, const char *word);
MUST_USE enum err ft_words_take(struct ft_words *w, const char *option, struct slice *out);
/* A number from 0 to most. */
MUST_USE enum err ft_words_count(struct ft_words *w, const char *option, uint64_t most,
                                 uint64_t *out);
/* Any number but NaN. */
MUST_USE enum err ft_words_number(struct ft_words *w, const char *option, double *out);
/* A count and so many words. */
MUST_USE enum err ft_words_list(struct ft_words *w, const char *option, struct slices *out);
enum err ft_words_unknown(const struct ft_words *w);

#endif
