/* Three guesses, best first: another system's word for the same thing, a word of ours with a slip
 * of the keyboard in it, and at last the list of what there is. */
#include "cmd/suggest.h"

#include <stdio.h>

#include "cmd/command.h"

/* What Redis, RediSearch and Milvus call things, and what they are called here. */
static const struct {
    const char *theirs, *ours;
} synonyms[] = {
    {"DISTANCE_METRIC", "METRIC"},
    {"METRIC_TYPE", "METRIC"},
    {"DISTANCE", "METRIC"},
    {"DIMENSION", "DIM"},
    {"DIMENSIONS", "DIM"},
    {"EF_CONSTRUCTION", "EFC"},
    {"EFCONSTRUCTION", "EFC"},
    {"EF_RUNTIME", "EF"},
    {"EPSILON", "RADIUS"},
    {"LIMIT", "COUNT"},
    {"TOPK", "COUNT"},
    {"TOP", "COUNT"},
    {"K", "COUNT"},
    {"KNN", "COUNT"},
    {"INDEX_TYPE", "INDEX"},
    {"ALGORITHM", "INDEX"},
    {"HNSW", "INDEX"},
    {"FLAT", "INDEX"},
    {"Q8", "QUANT"},
    {"NOQUANT", "QUANT"},
    {"BIN", "QUANT"},
    {"EXPR", "FILTER"},
    {"EXPRESSION", "FILTER"},
    {"WHERE", "FILTER"},
    {"SKIP", "OFFSET"},
    {"SORT", "SORTBY"},
    {"ORDERBY", "SORTBY"},
    {"OUTPUT_FIELDS", "RETURN"},
    {"FIELDS", "RETURN"},
    {"TRUTH", "EXACT"},
    {"WITHSCORES", "WITHDIST"},
    {"WITHSCORE", "WITHDIST"},
    {"WITHATTRS", "WITHATTRIBS"},
    {"WITHATTRIBUTES", "WITHATTRIBS"},
    {"WITHVECTOR", "WITHVECTORS"},
    {"SETATTR", "ATTRS"},
    {"NX", "IFNOTEXISTS"},
    {"IF_NOT_EXISTS", "IFNOTEXISTS"},
};

/* A synonym is of no use to a command without that option. */
static bool takes(const struct command *command, const char *word)
{
    for (const struct arg *arg = command->args(); arg->kind != ARG_END; arg++)
        if (arg->word != NULL && strcmp(arg->word, word) == 0)
            return true;
    return false;
}

/* Edits between two words, ignoring case; stops counting at limit. */
static size_t edit_distance(struct slice a, const char *b, size_t limit)
{
    enum { WORD_MAX = 24 };
    size_t b_len = strlen(b);
    if (a.len > WORD_MAX || b_len > WORD_MAX)
        return limit;
    size_t row[WORD_MAX + 1];
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            char both[2] = {b[j - 1], '\0'};
            size_t change = diagonal + !slice_eq_nocase((struct slice){a.ptr + i - 1, 1}, both);
            diagonal = row[j];
            size_t insert = row[j] + 1, remove = row[j - 1] + 1;
            row[j] = change < insert ? change : insert;
            if (remove < row[j])
                row[j] = remove;
        }
    }
    return row[b_len] < limit ? row[b_len] : limit;
}

/* The option at most two slips away, and at that not a wholly different word; NULL: none is. */
static const char *nearest_word(const struct command *command, struct slice word)
{
    const char *best = NULL;
    size_t best_distance = 3;
    for (const struct arg *arg = command->args(); arg->kind != ARG_END; arg++) {
        if (arg->word == NULL)
            continue;
        size_t distance = edit_distance(word, arg->word, best_distance);
        if (distance < best_distance && distance < word.len) {
            best_distance = distance;
            best = arg->word;
        }
    }
    return best;
}

static enum err list_words(const struct command *command, struct slice word, struct why *why)
{
    char words[WHY_SIZE / 2] = "";
    size_t used = 0;
    for (const struct arg *arg = command->args(); arg->kind != ARG_END; arg++) {
        if (arg->word == NULL || used + strlen(arg->word) + 2 >= sizeof(words))
            continue;
        used += (size_t)snprintf(words + used, sizeof(words) - used, "%s%s", used > 0 ? " " : "",
                                 arg->word);
    }
    CHECK(used < sizeof(words));
    return why_set(why, ERR_SYNTAX, "%.*s: unknown option of %s%s%s",
                   (int)(word.len < 40 ? word.len : 40), (const char *)word.ptr, command->name,
                   used > 0 ? ", which takes " : "", words);
}

enum err suggest_option(const struct command *command, struct slice word, struct why *why)
{
    const char *meant = NULL;
    CHECK(command->unknown == NULL); /* else Redis's text is the answer */
    for (size_t i = 0; i < COUNT_OF(synonyms) && meant == NULL; i++)
        if (slice_eq_nocase(word, synonyms[i].theirs) && takes(command, synonyms[i].ours))
            meant = synonyms[i].ours;
    if (meant != NULL && strcmp(meant, "WITHDIST") == 0)
        return why_set(why, ERR_SYNTAX,
                       "%.*s: %s returns distances, where nearer is smaller: use WITHDIST",
                       (int)word.len, (const char *)word.ptr, command->name);
    if (meant == NULL)
        meant = nearest_word(command, word);
    if (meant == NULL)
        return list_words(command, word, why);
    return why_set(why, ERR_SYNTAX, "%.*s: did you mean %s?", (int)(word.len < 40 ? word.len : 40),
                   (const char *)word.ptr, meant);
}
