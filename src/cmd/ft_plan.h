/* ft_plan.h: the query of FT.SEARCH and its kin as a search of one of the index's collections, and
 * what that search leaves for the loop. */
#ifndef VDB_CMD_FT_PLAN_H
#define VDB_CMD_FT_PLAN_H

#include "base/bytes.h"
#include "cmd/ft.h"
#include "cmd/ft_near.h"
#include "cmd/ft_profile.h"
#include "db/query.h"

/* What a search needs to its end, when the command and perhaps the index are gone. It is the first
 * member of search.extra. */
struct ft_ask {
    struct ft_query query;
    struct index_spec *spec;
    struct query rows;        /* without vectors: which documents, in which order */
    struct key_text *text;    /* NULL: there are no words */
    bool by_score;            /* the best first */
    struct slice distance_as; /* empty: there is no distance */
    char *default_as;
    struct ft_sides sides; /* VECTOR_RANGEs besides the first: hits have a distance for each */
    struct slice *words;   /* copies of the command's */
    uint8_t *bytes;
    struct ft_profile profile;
};

/* Copies the words of a command into ask->words: they are to outlive it. */
MUST_USE enum err ft_words_copy(struct ft_ask *ask, const struct slices *words);
/* Reads a query and makes the search that finds its keys, but for whom. The parts of ask are its
 * own whatever comes out; *out, which was NULL, as well. ask->spec is set. */
MUST_USE enum err ft_plan(struct key_index *x, struct ft_ask *ask, struct slice text,
                          const struct ft_options *o, struct search **out, struct why *why);
/* Whether hits need scores: they are shown, or are the order. ft_plan asks. */
static inline bool ft_needs_scores(const struct ft_options *o)
{
    return o->with_scores || (!o->has_sort && !o->any_order);
}
void ft_ask_fini(struct ft_ask *ask);

/* search.reply: how many match in all (u64), then the hits. Those found by vectors come nearest
 * first, those by words best first. */
struct ft_hit {
    float distance;
    double score; /* 1: there are no words */
    float side[FT_SIDES_MAX];
    struct slice key;
};
enum { FT_HIT_SIZE_MIN = 12 };
struct ft_hit ft_hit_read(struct bytes_reader *r, const struct ft_ask *ask);
/* The distance that a name is of: 0 the first, 1 .. those of the sides; -1: none of them. */
int ft_ask_distance(const struct ft_ask *ask, struct slice name);
/* What all distances go by; returns how many there are. */
size_t ft_ask_distances(const struct ft_ask *ask, struct slice names[1 + FT_SIDES_MAX]);
double ft_hit_distance(const struct ft_hit *hit, int number);

#endif
