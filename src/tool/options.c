/* options.c: reads a command line by its table. A value is checked where it is read, so that no
 * subcommand meets one out of bounds. */
#include "tool/options.h"

#include <stdbool.h>
#include <string.h>

#include "base/slice.h"

enum { WORD_MAX = 64, HELP_COLUMN = 26 };

static size_t min_of_3(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* How many letters must be added, dropped, changed or swapped with their neighbour to turn one word
 * into the other (Damerau and Levenshtein's distance, optimal string alignment): --kye is one swap
 * away from --key. Words beyond WORD_MAX are far from all. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t a_len = strlen(a), b_len = strlen(b);
    if (a_len > WORD_MAX || b_len > WORD_MAX)
        return WORD_MAX;
    size_t table[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a_len; i++)
        table[i][0] = i;
    for (size_t j = 0; j <= b_len; j++)
        table[0][j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        for (size_t j = 1; j <= b_len; j++) {
            size_t changed = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            table[i][j] = min_of_3(table[i - 1][j] + 1, table[i][j - 1] + 1, changed);
            bool is_swap = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (is_swap && table[i - 2][j - 2] + 1 < table[i][j])
                table[i][j] = table[i - 2][j - 2] + 1;
        }
    }
    return table[a_len][b_len];
}

const char *nearest_word(const char *given, const char *const *words, size_t count)
{
    CHECK(given != NULL && (words != NULL || count == 0));
    size_t len = strlen(given);
    const char *best = NULL;
    size_t best_distance = len < 4 ? 2 : len / 2 + 1; /* at least half of the word must be right */
    for (size_t i = 0; i < count; i++) {
        /* A beginning is a good guess whatever is missing: --clie means --clients. */
        size_t distance =
            len > 0 && strncmp(given, words[i], len) == 0 ? 1 : edit_distance(given, words[i]);
        if (distance < best_distance) {
            best = words[i];
            best_distance = distance;
        }
    }
    return best;
}

static enum err unknown_option(const struct option_table *table, struct slice name, struct why *why)
{
    char given[WORD_MAX + 1];
    const char *names[WORD_MAX];
    size_t len = name.len < WORD_MAX ? name.len : WORD_MAX;
    memcpy(given, name.ptr, len);
    given[len] = '\0';
    CHECK(table->count <= COUNT_OF(names));
    for (size_t i = 0; i < table->count; i++)
        names[i] = table->options[i].name;
    const char *near = nearest_word(given, names, table->count);
    if (near == NULL)
        return why_set(why, ERR_ARG, "unknown option --%s", given);
    return why_set(why, ERR_ARG, "unknown option --%s: did you mean --%s?", given, near);
}

static enum err read_number(const struct option *option, struct slice text, uint32_t *out,
                            struct why *why)
{
    CHECK(option->min <= option->max);
    uint64_t value;
    if (!slice_to_u64(text, &value) || value < option->min || value > option->max)
        return why_set(why, ERR_ARG, "--%s: \"%.*s\" is no number from %u to %u", option->name,
                       (int)(text.len < WORD_MAX ? text.len : WORD_MAX), text.ptr, option->min,
                       option->max);
    *out = (uint32_t)value;
    return OK;
}

static enum err read_list(const struct option *option, const char *text, struct number_list *list,
                          struct why *why)
{
    CHECK(option->kind == OPTION_LIST);
    list->count = 0;
    for (const char *at = text;; at++) {
        size_t len = strcspn(at, ",");
        if (list->count == NUMBER_LIST_MAX)
            return why_set(why, ERR_ARG, "--%s: more than %d numbers", option->name,
                           NUMBER_LIST_MAX);
        enum err e = read_number(option, (struct slice){(const uint8_t *)at, len},
                                 &list->values[list->count], why);
        if (e != OK)
            return e;
        list->count++;
        at += len;
        if (*at == '\0')
            return OK;
    }
}

static enum err read_choice(const struct option *option, const char *text, uint32_t *out,
                            struct why *why)
{
    CHECK(option->kind == OPTION_CHOICE && option->value[0] != '\0');
    uint32_t index = 0;
    for (const char *at = option->value;; at++, index++) {
        size_t len = strcspn(at, "|");
        if (slice_eq_nocase((struct slice){(const uint8_t *)at, len}, text)) {
            *out = index;
            return OK;
        }
        at += len;
        if (*at == '\0')
            return why_set(why, ERR_ARG, "--%s: \"%.64s\" is none of %s", option->name, text,
                           option->value);
    }
}

static enum err read_value(const struct option *option, const char *text, void *target,
                           struct why *why)
{
    void *field = (char *)target + option->offset;
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)field = true;
        return OK;
    case OPTION_TEXT:
        *(const char **)field = text;
        return OK;
    case OPTION_NUMBER:
        return read_number(option, slice_of(text), field, why);
    case OPTION_LIST:
        return read_list(option, text, field, why);
    case OPTION_CHOICE:
        return read_choice(option, text, field, why);
    }
    return why_set(why, ERR_ARG, "--%s is of no known kind", option->name);
}

/* Short options are those that hands used to redis-cli type, and -h for help. */
static struct slice long_name(char letter)
{
    static const char *const shorts[] = {"help", "port", "auth"};
    for (size_t i = 0; i < COUNT_OF(shorts); i++)
        if (shorts[i][0] == letter)
            return slice_of(shorts[i]);
    return (struct slice){NULL, 0};
}

static const struct option *find_option(const struct option_table *table, struct slice name)
{
    for (size_t i = 0; i < table->count; i++)
        if (slice_eq(name, slice_of(table->options[i].name)))
            return &table->options[i];
    return NULL;
}

/* Reads the option at argv[*at] and leaves *at behind it. */
static enum err parse_option(const struct option_table *table, int argc, char **argv, int *at,
                             void *target, struct why *why)
{
    CHECK(*at < argc);
    const char *word = argv[(*at)++];
    CHECK(word[0] == '-' && word[1] != '\0');
    bool is_short = word[1] != '-' && word[2] == '\0';
    struct slice name = slice_of(word + (word[1] == '-' ? 2 : 1));
    const uint8_t *equals = memchr(name.ptr, '=', name.len);
    const char *value = NULL;
    if (equals != NULL) {
        name.len = (size_t)(equals - name.ptr);
        value = (const char *)equals + 1;
    }
    const struct option *option = find_option(table, is_short ? long_name(word[1]) : name);
    if (option == NULL)
        return unknown_option(table, name, why);
    if (option->kind == OPTION_FLAG && value != NULL)
        return why_set(why, ERR_ARG, "--%s takes no value", option->name);
    if (option->kind != OPTION_FLAG && value == NULL) {
        if (*at == argc)
            return why_set(why, ERR_ARG, "--%s needs a value: %s", option->name, option->value);
        value = argv[(*at)++];
    }
    return read_value(option, value, target, why);
}

enum err options_parse(const struct option_table *table, int argc, char **argv, void *target,
                       size_t *operand_count, struct why *why)
{
    CHECK(target != NULL && (table->operands != NULL || table->operand_max == 0));
    bool only_operands = false;
    *operand_count = 0;
    for (int at = 0; at < argc;) {
        const char *word = argv[at];
        if (!only_operands && strcmp(word, "--") == 0) {
            only_operands = true;
            at++;
            continue;
        }
        if (!only_operands && word[0] == '-' && word[1] != '\0') {
            enum err e = parse_option(table, argc, argv, &at, target, why);
            if (e != OK)
                return e;
            continue;
        }
        if (*operand_count == table->operand_max)
            return why_set(why, ERR_ARG, "\"%.64s\" is one word too many", word);
        table->operands[(*operand_count)++] = word;
        at++;
    }
    return OK;
}

void options_print(FILE *out, const struct option *options, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct option *option = &options[i];
        int used = fprintf(out, "  --%s %s", option->name,
                           option->kind == OPTION_FLAG ? "" : option->value);
        if (used >= HELP_COLUMN)
            used = fprintf(out, "\n") - 1;
        (void)fprintf(out, "%*s%s\n", HELP_COLUMN - used, "", option->help);
    }
}
