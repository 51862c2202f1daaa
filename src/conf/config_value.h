/* config_value.h: the types of options: how a value is read from text, checked and shown. Private
 * to conf. */
#ifndef VDB_CONF_CONFIG_VALUE_H
#define VDB_CONF_CONFIG_VALUE_H

#include "conf/config.h"

/* One word of an enumerated option. */
struct config_word {
    const char *word;    /* NULL ends the list */
    const char *refusal; /* why it is known but not accepted; NULL when it is */
};

/* Immutable. */
struct config_type {
    /* Reads text into the field, or leaves it and says why. */
    enum err (*parse)(const struct config_option *option, struct slice text, void *field,
                      struct why *why);
    /* The same where a file or a command line has the option, which may come several times; NULL:
     * the last one counts. */
    enum err (*add)(const struct config_option *option, struct slice text, void *field,
                    struct why *why);
    /* Appends the value as CONFIG GET shows it. */
    void (*print)(const struct config_option *option, const void *field, struct buf *out);
    /* Appends what values are allowed, for vdb.conf; NULL when the doc says all. */
    void (*print_range)(const struct config_option *option, struct buf *out);
    const struct config_word *words; /* of an enumerated type */
    const char *other_words;         /* why any other word is refused; NULL lists the words */
    bool many_words;                 /* the value may be several words of a line */
    bool text;                       /* the value may hold blanks, so vdb.conf may quote it */
    bool secret;
    bool hidden;                     /* not even CONFIG GET shows it */
};

/* Takes the first line off a text; without its end. */
struct slice config_next_line(struct slice *text);
/* Without blanks at either end. */
struct slice config_line_trimmed(struct slice line);

extern const struct config_type config_type_TEXT, config_type_WORDS, config_type_SECRET,
    config_type_HIDDEN, config_type_PATH_STYLE, config_type_STORE_BACKEND, config_type_ALLOWED,
    config_type_ON_TIMEOUT, config_type_INT, config_type_LONG, config_type_OCTAL, config_type_BOOL,
    config_type_BYTES, config_type_MEMORY, config_type_OUTPUT_LIMIT, config_type_LOGLEVEL,
    config_type_POLICY, config_type_FSYNC, config_type_SAVE, config_type_EVENTS;

#endif
