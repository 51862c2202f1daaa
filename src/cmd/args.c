/* Arguments, read along the table of the command. Every reader consumes what it read by moving at;
 * on an error the reading ends, so where at stands then does not matter. */
#include "cmd/args.h"

#include <math.h>
#include <stdlib.h>

#include "base/limits.h"
#include "cmd/command.h"
#include "cmd/suggest.h"

/* The arguments being read. */
struct reading {
    const struct command *command;
    const struct slice *argv;
    size_t argc;
    size_t at;
    uint8_t *out;
    struct why *why;
};

/* Options may come twice, and what comes last counts. */
static bool lenient(const struct reading *r)
{
    return (r->command->flags & CMD_LENIENT) != 0;
}

/* Redis's text for what the command does not know. */
static enum err unknown(const struct command *command, struct slice word, struct why *why)
{
    const char *text = command->unknown;
    CHECK(text != NULL && text[0] != '\0');
    bool names = text[strlen(text) - 1] == ' ';
    return why_set(why, ERR_SYNTAX, "%s%.*s", text,
                   !names           ? 0
                   : word.len < 128 ? (int)word.len
                                    : 128,
                   (const char *)word.ptr);
}

static size_t left(const struct reading *r)
{
    CHECK(r->at <= r->argc);
    return r->argc - r->at;
}

/* Redis's text for this argument, else ours. */
static enum err bad(const struct reading *r, const struct arg *arg, const char *what)
{
    if (arg->error != NULL)
        return why_set(r->why, ERR_ARG, "%s", arg->error);
    return why_set(r->why, ERR_ARG, "%s: %s", arg->word != NULL ? arg->word : arg->name, what);
}

/* An option without its value: Redis says of vector sets that the option itself is wrong. */
static enum err missing(const struct reading *r, const struct arg *arg)
{
    if (r->command->unknown != NULL)
        return unknown(r->command, slice_of(arg->word != NULL ? arg->word : arg->name), r->why);
    return bad(r, arg, "a value is missing after it");
}

/* One argument is left, as for read_float and read_vector. */
static enum err read_int(struct reading *r, const struct arg *arg, int64_t *out)
{
    CHECK(left(r) > 0 && arg->min <= arg->max);
    struct slice text = r->argv[r->at++];
    int64_t value;
    if (slice_to_i64(text, &value) && value >= arg->min && value <= arg->max) {
        *out = value;
        return OK;
    }
    if (arg->error != NULL)
        return why_set(r->why, ERR_ARG, "%s", arg->error);
    return why_set(r->why, ERR_ARG, "%s must be an integer between %lld and %lld, got '%.*s'",
                   arg->word != NULL ? arg->word : arg->name, (long long)arg->min,
                   (long long)arg->max, (int)(text.len < 32 ? text.len : 32),
                   (const char *)text.ptr);
}

static enum err read_float(struct reading *r, const struct arg *arg, double *out)
{
    CHECK(left(r) > 0 && arg->min < arg->max);
    struct slice text = r->argv[r->at++];
    double value;
    if (slice_to_f64(text, &value) && !isnan(value) && value > (double)arg->min &&
        value <= (double)arg->max) {
        *out = value;
        return OK;
    }
    return bad(r, arg, "must be a number in range");
}

/* A count, then so many arguments. */
static enum err read_counted(struct reading *r, const struct arg *arg, struct slices *out)
{
    int64_t count;
    if (left(r) == 0)
        return missing(r, arg);
    bool counts = slice_to_i64(r->argv[r->at], &count) && count >= arg->min && count <= LIMIT_MANY;
    if (!counts && arg->error != NULL)
        return why_set(r->why, ERR_ARG, "%s", arg->error);
    if (!counts)
        return why_set(r->why, ERR_ARG, "%s: the count must be an integer between %lld and %d",
                       arg->word != NULL ? arg->word : arg->name, (long long)arg->min, LIMIT_MANY);
    r->at++;
    count *= arg->max > 1 ? arg->max : 1;
    if ((size_t)count > left(r) && arg->error != NULL)
        return why_set(r->why, ERR_ARG, "%s", r->command->unknown);
    if ((size_t)count > left(r))
        return why_set(r->why, ERR_ARG, "%s: %lld arguments announced, %zu follow",
                       arg->word != NULL ? arg->word : arg->name, (long long)count, left(r));
    *out = (struct slices){r->argv + r->at, (size_t)count};
    r->at += (size_t)count;
    return OK;
}

/* PARAMS 4 name value name value. */
static enum err read_pairs(struct reading *r, const struct arg *arg, struct slices *out)
{
    enum err e = read_counted(r, arg, out);
    if (e == OK && out->count % 2 != 0)
        return bad(r, arg, "counts names and values, so its number must be even");
    if (e == OK && out->count / 2 > LIMIT_PARAMS)
        return why_set(r->why, ERR_LIMIT, "%s: at most %d pairs", arg->word, LIMIT_PARAMS);
    return e;
}

/* The element type that a word names: a blob of it follows. */
static bool names_type(struct slice word, enum vec_type *out)
{
    for (int type = 0; type < TYPE_COUNT; type++) {
        if (!slice_eq_nocase(word, type_name((enum vec_type)type)))
            continue;
        *out = (enum vec_type)type;
        return true;
    }
    return false;
}

/* A count, and so many of something that `what` names. */
static enum err read_announced(struct reading *r, const struct arg *arg, const char *what,
                               int64_t most, struct slices *out)
{
    int64_t count;
    if (left(r) == 0)
        return bad(r, arg, "a value is missing after it");
    if (!slice_to_i64(r->argv[r->at], &count) || count < 1 || count > most)
        return why_set(r->why, ERR_ARG, "%s: %s takes the number of ids first, 1 to %lld",
                       arg->name, what, (long long)most);
    r->at++;
    if ((size_t)count > left(r))
        return why_set(r->why, ERR_ARG, "%s: fewer ids follow than %s announced", arg->name, what);
    *out = (struct slices){r->argv + r->at, (size_t)count};
    r->at += (size_t)count;
    return OK;
}

/* POSITIVE n id .. [NEGATIVE n id ..] */
static enum err read_examples(struct reading *r, const struct arg *arg, struct vector_arg *out)
{
    struct slices positive;
    out->form = VECTOR_EXAMPLES;
    enum err e = read_announced(r, arg, "POSITIVE", LIMIT_EXAMPLES, &positive);
    if (e != OK)
        return e;
    out->values = positive.items;
    out->count = positive.count;
    if (left(r) == 0 || !slice_eq_nocase(r->argv[r->at], "NEGATIVE"))
        return OK;
    r->at++;
    return read_announced(r, arg, "NEGATIVE", LIMIT_EXAMPLES, &out->negative);
}

static const char *expected_vector(int64_t takes)
{
    static const char *const texts[] = {
        [VECTOR_ALONE] = "expected FP32 blob, VALUES n v1 .. vn or JSON '[...]' (blobs also FP16, "
                         "BF16, INT8, BIT)",
        [VECTOR_OR_ELEMENT] = "expected FP32 blob, VALUES n v1 .. vn, JSON '[...]' or ELE id "
                              "(blobs also FP16, BF16, INT8, BIT)",
        [VECTOR_OR_EXAMPLES] = "expected FP32 blob, VALUES n v1 .. vn, JSON '[...]', ELE id or "
                               "POSITIVE n id .. [NEGATIVE n id ..] (blobs also FP16, BF16, INT8, "
                               "BIT)",
    };
    CHECK(takes >= 0 && (size_t)takes < COUNT_OF(texts));
    return texts[takes];
}

/* Only takes note of where the numbers stand: reading them can cost, and the collection says first
 * whether their count fits. */
static enum err read_vector(struct reading *r, const struct arg *arg, struct vector_arg *out)
{
    CHECK(left(r) > 0);
    struct slice form = r->argv[r->at];
    if (names_type(form, &out->type))
        out->form = VECTOR_BLOB;
    else if (slice_eq_nocase(form, "VALUES"))
        out->form = VECTOR_VALUES;
    else if (slice_eq_nocase(form, "JSON"))
        out->form = VECTOR_JSON;
    else if (arg->min != VECTOR_ALONE && slice_eq_nocase(form, "ELE"))
        out->form = VECTOR_ELEMENT;
    else if (arg->min == VECTOR_OR_EXAMPLES && slice_eq_nocase(form, "POSITIVE"))
        out->form = VECTOR_EXAMPLES;
    else
        return bad(r, arg, expected_vector(arg->min));
    r->at++;
    if (out->form == VECTOR_EXAMPLES)
        return read_examples(r, arg, out);
    if (left(r) == 0)
        return bad(r, arg, "a value is missing after it");
    if (out->form != VECTOR_VALUES) {
        out->bytes = r->argv[r->at++];
        return OK;
    }
    int64_t count;
    if (!slice_to_i64(r->argv[r->at], &count) || count < 1 || count > LIMIT_DIM)
        return bad(r, arg, "VALUES takes the number of values first, 1 to 65536");
    r->at++;
    if ((size_t)count > left(r))
        return bad(r, arg, "fewer values follow than VALUES announced");
    out->values = r->argv + r->at;
    out->count = (size_t)count;
    r->at += (size_t)count;
    return OK;
}

static bool is_option(const struct arg *arg)
{
    return arg->word != NULL;
}

/* Is the next argument a word of the run of options that starts at first? */
static bool begins_option(const struct reading *r, const struct arg *first)
{
    for (const struct arg *arg = first; is_option(arg); arg++)
        if (slice_eq_nocase(r->argv[r->at], arg->word))
            return true;
    return false;
}

/* An argument known by its place. */
static enum err read_positional(struct reading *r, const struct arg *arg)
{
    void *to = r->out + arg->offset;
    if (arg->kind == ARG_REST) {
        if (left(r) < (size_t)arg->min)
            return bad(r, arg, "missing");
        *(struct slices *)to = (struct slices){r->argv + r->at, left(r)};
        r->at = r->argc;
        return OK;
    }
    if (arg->kind == ARG_MAYBE) {
        bool given = left(r) > 0 && !begins_option(r, arg + 1);
        *(bool *)(r->out + arg->has_offset) = given;
        if (given)
            *(struct slice *)to = r->argv[r->at++];
        return OK;
    }
    if (arg->kind == ARG_COUNTED)
        return read_counted(r, arg, to);
    if (left(r) == 0 && lenient(r))
        return why_set(r->why, ERR_ARG, "wrong number of arguments for '%s' command",
                       r->command->name);
    if (left(r) == 0)
        return bad(r, arg, "missing");
    if (arg->kind == ARG_INT)
        return read_int(r, arg, to);
    if (arg->kind == ARG_VECTOR)
        return read_vector(r, arg, to);
    CHECK(arg->kind == ARG_KEY || arg->kind == ARG_BULK);
    *(struct slice *)to = r->argv[r->at++];
    return OK;
}

/* An option whose word stands at r->at. */
static enum err read_option(struct reading *r, const struct arg *arg)
{
    CHECK(arg->word != NULL && left(r) > 0);
    void *to = r->out + arg->offset;
    bool *has = (bool *)(r->out + arg->has_offset);
    /* Only modules count the last of two that contradict each other. */
    bool twice = *has && (!lenient(r) || (arg->kind == ARG_CHOICE && *(int *)to != arg->min &&
                                          !(r->command->flags & CMD_MODULE)));
    if (twice && r->command->unknown != NULL)
        return unknown(r->command, slice_of(arg->word), r->why);
    if (twice)
        return bad(r, arg,
                   arg->kind == ARG_CHOICE ? "contradicts or repeats an option before it"
                                           : "given twice");
    r->at++;
    *has = true;
    if (arg->kind == ARG_FLAG)
        return OK;
    if (arg->kind == ARG_CHOICE) {
        *(int *)to = (int)arg->min;
        return OK;
    }
    if (left(r) == 0)
        return missing(r, arg);
    switch (arg->kind) {
    case ARG_OPT_BULK:
        *(struct slice *)to = r->argv[r->at++];
        return OK;
    case ARG_OPT_INT:
        return read_int(r, arg, to);
    case ARG_OPT_FLOAT:
        return read_float(r, arg, to);
    case ARG_OPT_LIST:
        return read_counted(r, arg, to);
    case ARG_OPT_PAIRS:
        return read_pairs(r, arg, to);
    case ARG_OPT_REST:
        *(struct slices *)to = (struct slices){r->argv + r->at, left(r)};
        r->at = r->argc;
        return OK;
    case ARG_END:
    case ARG_KEY:
    case ARG_BULK:
    case ARG_INT:
    case ARG_VECTOR:
    case ARG_REST:
    case ARG_COUNTED:
    case ARG_MAYBE:
    case ARG_FLAG:
    case ARG_CHOICE:
        break;
    }
    CHECK(false);
    return ERR_ARG;
}

/* Options of the run that starts at first, in any order, until a word is none of them. */
static enum err read_options(struct reading *r, const struct arg *first)
{
    while (left(r) > 0) {
        const struct arg *arg = first;
        while (is_option(arg) && !slice_eq_nocase(r->argv[r->at], arg->word))
            arg++;
        if (!is_option(arg))
            return OK;
        enum err e = read_option(r, arg);
        if (e != OK)
            return e;
    }
    return OK;
}

enum err args_parse(const struct command *command, const struct slice *argv, size_t argc, void *out,
                    struct why *why)
{
    struct reading r = {command, argv, argc, command_words(command), out, why};
    CHECK(argc >= r.at); /* the name itself was looked up in argv */
    for (const struct arg *arg = command->args(); arg->kind != ARG_END;) {
        enum err e = is_option(arg) ? read_options(&r, arg) : read_positional(&r, arg);
        if (e != OK)
            return e;
        bool run = is_option(arg);
        do
            arg++;
        while (run && is_option(arg));
    }
    if (left(&r) == 0)
        return OK;
    if (command->unknown != NULL)
        return unknown(command, argv[r.at], why);
    return suggest_option(command, argv[r.at], why);
}
