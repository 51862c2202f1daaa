/* options.h: what a person may write on the command line, declared as a table of options.
 *
 * A row says where its value goes in the struct of the subcommand, as config.def does for the
 * server. Both "--name value" and "--name=value" are read; "--" ends the options. The texts live in
 * argv. */
#ifndef VDB_TOOL_OPTIONS_H
#define VDB_TOOL_OPTIONS_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

enum option_kind {
    OPTION_FLAG,   /* bool */
    OPTION_TEXT,   /* const char * */
    OPTION_NUMBER, /* uint32_t, min .. max */
    OPTION_LIST,   /* struct number_list, each min .. max */
    OPTION_CHOICE  /* uint32_t: which of the words in value, "A|B|C", in any case */
};

enum { NUMBER_LIST_MAX = 32 };

struct number_list {
    uint32_t values[NUMBER_LIST_MAX];
    size_t count;
};

/* immutable */
struct option {
    const char *name; /* without the dashes */
    enum option_kind kind;
    const char *value; /* what the help calls it: "FILE"; of a choice: its words */
    const char *help;
    size_t offset; /* of the field in the struct that is filled */
    uint32_t min;
    uint32_t max;
};

/* immutable; owner: the subcommand */
struct option_table {
    const struct option *options;
    size_t count;
    const char **operands; /* room for words that are no options, in their order */
    size_t operand_max;
};

/* Fills target, which holds the defaults, from the words behind the subcommand. *operand_count is
 * how many operands came. why names the word that is wrong and, where one is near, the one meant.
 */
MUST_USE enum err options_parse(const struct option_table *table, int argc, char **argv,
                                void *target, size_t *operand_count, struct why *why);

/* One line per option, aligned. */
void options_print(FILE *out, const struct option *options, size_t count);

/* Which of the words was meant by given: the one fewest edits away, if those are few; else NULL. */
const char *nearest_word(const char *given, const char *const *words, size_t count);

#endif
