/* regex.h: regular expressions that take time in proportion to text times pattern, whatever the two
 * are (Thompson 1968; Cox, "Regular Expression Matching Can Be Simple And Fast", 2007): there are
 * no back references.
 *
 *   literals, . , [a-z], [^a-z], \d \D \w \W \s \S, \b \B, ^ $ \A \z, ( ) (?: ) (?i) (?i: ),
 *   a|b, * + ? {n} {n,} {n,m}, each with a ? behind; \n \t \r \f \v \xHH and escaped punctuation
 *
 * Bytes beyond ASCII are letters of no class; a dot takes one character of UTF-8. */
#ifndef VDB_JSON_REGEX_H
#define VDB_JSON_REGEX_H

#include "base/err.h"
#include "base/slice.h"

struct regex;

/* ERR_SYNTAX, ERR_LIMIT (it would have more than LIMIT_REGEX_STATES states), ERR_NOMEM. */
MUST_USE enum err regex_new(struct slice pattern, struct regex **out, struct why *why);
void regex_free(struct regex *r);
/* Does it match somewhere in the text? false also when memory is short. */
bool regex_search(const struct regex *r, struct slice text);

#endif
