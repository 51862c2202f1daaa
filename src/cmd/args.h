/* args.h: a command's arguments as a table: what parses them, describes them and bounds them.
 *
 * commands.def lists, per command, what may stand where; from each list come a struct (struct
 * vadd_args) and a table of struct arg. Items stand in order; a run of options (whatever begins
 * with a word) may come in any order, each at most once, where the run stands in the list. */
#ifndef VDB_CMD_ARGS_H
#define VDB_CMD_ARGS_H

#include "base/err.h"
#include "base/slice.h"
#include "vec/type.h"

/* Some consecutive arguments. */
struct slices {
    const struct slice *items;
    size_t count;
};

/* A vector as a client writes it, not yet read. */
enum vector_form {
    VECTOR_NONE,
    VECTOR_BLOB,
    VECTOR_VALUES,
    VECTOR_JSON,
    VECTOR_ELEMENT,
    VECTOR_EXAMPLES
};

/* Which forms a command takes, besides vectors. */
enum vector_takes { VECTOR_ALONE, VECTOR_OR_ELEMENT, VECTOR_OR_EXAMPLES };

struct vector_arg {
    enum vector_form form;
    enum vec_type type;          /* of the blob */
    struct slice bytes;          /* blob, JSON text, or the element's id */
    const struct slice *values;  /* VALUES; ids of POSITIVE */
    size_t count;
    struct slices negative;      /* ids */
};

enum arg_kind {
    ARG_END,
    /* positional */
    ARG_KEY,     /* struct slice */
    ARG_BULK,    /* struct slice */
    ARG_INT,     /* int64_t within min .. max */
    ARG_VECTOR,  /* struct vector_arg; min: enum vector_takes */
    ARG_REST,    /* struct slices: all that is left, at least min */
    ARG_COUNTED, /* struct slices: a count and so many arguments, at least min */
    ARG_MAYBE,   /* struct slice: one argument that may be missing at the end, or
                  * before the options that end the list */
    /* options: a word, then what the kind says */
    ARG_FLAG,      /* nothing; bool */
    ARG_CHOICE,    /* nothing; int gets min */
    ARG_OPT_BULK,  /* struct slice */
    ARG_OPT_INT,   /* int64_t within min .. max */
    ARG_OPT_FLOAT, /* double, above min and up to max */
    ARG_OPT_LIST,  /* struct slices: a count and so many arguments, or max times as many */
    ARG_OPT_PAIRS, /* struct slices: a count of arguments, which come in pairs */
    ARG_OPT_REST   /* struct slices: all that is left, at least min */
};

struct arg {
    enum arg_kind kind;
    const char *name;   /* for people */
    const char *word;   /* of an option */
    size_t offset;      /* of the value in the command's struct */
    size_t has_offset;  /* of the bool that says whether it was given; options and ARG_MAYBE */
    int64_t min, max;
    const char *error;  /* the whole text Redis has for a bad value, or NULL for ours */
};

struct command;

/* Parses argv[1 ..] (argv[2 ..] of a subcommand) into out, a zeroed struct of the command. The
 * slices point into argv. ERR_ARG, ERR_SYNTAX or ERR_LIMIT; why gets the text of the error. */
MUST_USE enum err args_parse(const struct command *command, const struct slice *argv, size_t argc,
                             void *out, struct why *why);

#endif
