/* values.h: what to write where a command's table has an argument, by its kind and its name. */
#ifndef VDB_TESTS_ROBUST_VALUES_H
#define VDB_TESTS_ROBUST_VALUES_H

#include "robust/grammar.h"

/* The number-th of the words in a name such as "on|off"; empty when there is none. */
struct slice value_alternative(const char *name, int number);

/* Appends a value. word: which alternative it has to be, -1 for any. Returns which of them it is,
 * -1 when it is none. */
int value_write(struct grammar *g, const struct command *c, const struct arg *arg, int word);
/* Values that only make sense together, each a word: true when it has put some. */
bool value_put_group(struct grammar *g, const struct command *c, const struct arg *arg);
/* The command, or what must be in it, is refused without this option. *word: what its value has to
 * be, where that matters. */
bool value_is_needed(const struct command *c, const struct arg *arg, const struct target *must,
                     int *word);

/* A count and floats, each a word. */
void value_floats(struct grammar *g);
/* Types of vectors: the number-th; whether the word is one. */
const char *value_type(uint64_t number);
bool value_is_type(const char *word);
/* Vectors of g->type as bytes. */
void value_blob(struct grammar *g, size_t vectors);
const char *value_json_vector(struct grammar *g);
void value_element(struct grammar *g);
void value_garbage(struct grammar *g);

/* grammar.c: a whole command inside another. */
void grammar_put_command(struct grammar *g, const struct command *c);
/* grammar.c: words, for value_put_group. */
void grammar_put_text(struct grammar *g, const char *text);

#endif
