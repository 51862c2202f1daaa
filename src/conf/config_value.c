/* A parse and a print function per type of option. parse leaves the field as it was on an error;
 * print writes what parse reads back to the same value. */
#include "conf/config_value.h"

#include <inttypes.h>

#include "base/words.h"

/* Texts */

static enum err parse_text(const struct config_option *o, struct slice text, void *field,
                           struct why *why)
{
    CHECK(o->max <= CONFIG_TEXT_MAX);
    if (text.len > (size_t)o->max)
        return why_set(why, ERR_LIMIT, "argument must have at most %" PRId64 " bytes", o->max);
    if (text.len < (size_t)o->min)
        return why_set(why, ERR_ARG, "argument must not be empty");
    if (text.len > 0 && memchr(text.ptr, '\0', text.len) != NULL)
        return why_set(why, ERR_ARG, "argument must not contain a zero byte");
    char *to = field;
    memset(to, 0, CONFIG_TEXT_MAX + 1); /* equal values are equal bytes */
    if (text.len > 0)
        memcpy(to, text.ptr, text.len);
    return OK;
}

static void print_text(const struct config_option *o, const void *field, struct buf *out)
{
    (void)o;
    buf_append_text(out, field);
}

/* A secret that not even CONFIG GET shows: whether there is one, no more. */
static void print_hidden(const struct config_option *o, const void *field, struct buf *out)
{
    (void)o;
    buf_append_text(out, ((const char *)field)[0] == '\0' ? "" : "***");
}

/* Whole numbers */

static enum err check_bounds(const struct config_option *o, int64_t value, struct why *why)
{
    if (value >= o->min && value <= o->max)
        return OK;
    return why_set(why, ERR_LIMIT, "argument must be between %" PRId64 " and %" PRId64 " inclusive",
                   o->min, o->max);
}

static enum err parse_int(const struct config_option *o, struct slice text, void *field,
                          struct why *why)
{
    int64_t value;
    CHECK(o->min >= INT_MIN && o->max <= INT_MAX); /* the field is an int */
    if (!slice_to_i64(text, &value))
        return why_set(why, ERR_ARG, "argument couldn't be parsed into an integer");
    enum err e = check_bounds(o, value, why);
    if (e == OK)
        *(int *)field = (int)value;
    return e;
}

static void print_int(const struct config_option *o, const void *field, struct buf *out)
{
    (void)o;
    buf_printf(out, "%d", *(const int *)field);
}

/* The same for numbers that an int has no room for. */
static enum err parse_long(const struct config_option *o, struct slice text, void *field,
                           struct why *why)
{
    int64_t value;
    if (!slice_to_i64(text, &value))
        return why_set(why, ERR_ARG, "argument couldn't be parsed into an integer");
    enum err e = check_bounds(o, value, why);
    if (e == OK)
        *(int64_t *)field = value;
    return e;
}

static void print_long(const struct config_option *o, const void *field, struct buf *out)
{
    (void)o;
    buf_printf(out, "%" PRId64, *(const int64_t *)field);
}

static void print_int_range(const struct config_option *o, struct buf *out)
{
    if (o->min == o->max)
        buf_printf(out, "Only %" PRId64, o->min);
    else if (o->max == INT_MAX || o->max == INT64_MAX)
        buf_printf(out, "At least %" PRId64, o->min);
    else
        buf_printf(out, "%" PRId64 " to %" PRId64, o->min, o->max);
}

static enum err parse_octal(const struct config_option *o, struct slice text, void *field,
                            struct why *why)
{
    int value = 0;
    bool bad = text.len == 0 || text.len > 9;
    for (size_t i = 0; i < text.len && !bad; i++) {
        bad = text.ptr[i] < '0' || text.ptr[i] > '7';
        value = value * 8 + (text.ptr[i] - '0');
    }
    if (bad)
        return why_set(why, ERR_ARG, "argument couldn't be parsed as an octal number");
    if (value < o->min || value > o->max)
        return why_set(why, ERR_LIMIT, "argument must be between %o and %o inclusive",
                       (unsigned)o->min, (unsigned)o->max);
    *(int *)field = value;
    return OK;
}

static void print_octal(const struct config_option *o, const void *field, struct buf *out)
{
    (void)o;
    buf_printf(out, "%o", (unsigned)*(const int *)field);
}

static void print_octal_range(const struct config_option *o, struct buf *out)
{
    buf_printf(out, "%o to %o", (unsigned)o->min, (unsigned)o->max);
}

/* Yes or no */

static enum err parse_bool(const struct config_option *o, struct slice text, void *field,
                           struct why *why)
{
    (void)o;
    bool yes = slice_eq_nocase(text, "yes");
    if (!yes && !slice_eq_nocase(text, "no"))
        return why_set(why, ERR_ARG, "argument must be 'yes' or 'no'");
    *(bool *)field = yes;
    return OK;
}

static void print_bool(const struct config_option *o, const void *field, struct buf *out)
{
    (void)o;
    buf_append_text(out, *(const bool *)field ? "yes" : "no");
}

static void print_bool_range(const struct config_option *o, struct buf *out)
{
    (void)o;
    buf_append_text(out, "yes or no");
}

/* Sizes: a number and a unit, as in redis.conf: k is 1000, kb is 1024. */

static const struct {
    const char *unit;
    int64_t bytes;
} units[] = {
    {"", 1},         {"b", 1},          {"k", 1000},     {"kb", 1 << 10},      {"m", 1000000},
    {"mb", 1 << 20}, {"g", 1000000000}, {"gb", 1 << 30}, {"t", 1000000000000}, {"tb", 1LL << 40},
};

/* "64mb". False when it is no number, has another unit, or does not fit. */
static bool bytes_of(struct slice text, int64_t *out)
{
    size_t digits = 0;
    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    struct slice unit = {text.ptr + digits, text.len - digits};
    int64_t number;
    if (!slice_to_i64((struct slice){text.ptr, digits}, &number))
        return false;
    for (size_t i = 0; i < COUNT_OF(units); i++)
        if (slice_eq_nocase(unit, units[i].unit))
            return !__builtin_mul_overflow(number, units[i].bytes, out);
    return false;
}

static enum err store_bytes(const struct config_option *o, int64_t value, void *field,
                            struct why *why)
{
    CHECK(o->min >= 0);
    enum err e = check_bounds(o, value, why);
    if (e == OK)
        *(uint64_t *)field = (uint64_t)value;
    return e;
}

static enum err parse_bytes(const struct config_option *o, struct slice text, void *field,
                            struct why *why)
{
    int64_t value;
    if (!bytes_of(text, &value))
        return why_set(why, ERR_ARG, "argument must be a memory value");
    return store_bytes(o, value, field, why);
}

/* A size, or a share of the machine's memory: "75%". The field holds bytes in either case. */
static enum err parse_memory(const struct config_option *o, struct slice text, void *field,
                             struct why *why)
{
    int64_t value;
    if (text.len == 0 || text.ptr[text.len - 1] != '%') {
        if (!bytes_of(text, &value))
            return why_set(why, ERR_ARG, "argument must be a memory or percent value");
        return store_bytes(o, value, field, why);
    }
    if (!slice_to_i64((struct slice){text.ptr, text.len - 1}, &value))
        return why_set(why, ERR_ARG, "argument must be a memory or percent value");
    if (value < 1 || value > 100)
        return why_set(why, ERR_LIMIT, "percentage argument must be between 1 and 100 inclusive");
    *(uint64_t *)field = (uint64_t)mem_machine_bytes() / 100 * (uint64_t)value;
    return OK;
}

static void print_bytes(const struct config_option *o, const void *field, struct buf *out)
{
    (void)o;
    buf_printf(out, "%" PRIu64, *(const uint64_t *)field);
}

/* In the largest unit that divides it. */
static void append_human_size(int64_t bytes, struct buf *out)
{
    static const char *const names[] = {"", "kb", "mb", "gb", "tb"};
    size_t unit = 0;
    for (; unit + 1 < COUNT_OF(names) && bytes != 0 && bytes % 1024 == 0; unit++)
        bytes /= 1024;
    buf_printf(out, "%" PRId64 "%s", bytes, names[unit]);
}

static void print_bytes_range(const struct config_option *o, struct buf *out)
{
    if (o->max == INT64_MAX)
        buf_append_text(out, "At least ");
    append_human_size(o->min, out);
    if (o->max == INT64_MAX)
        return;
    buf_append_text(out, " to ");
    append_human_size(o->max, out);
}

/* Words out of a list */

#define X(constant, word, refusal) {word, refusal},
static const struct config_word loglevel_words[] = {CONFIG_LOGLEVEL_LIST(X){NULL, NULL}};
static const struct config_word path_style_words[] = {CONFIG_PATH_STYLE_LIST(X){NULL, NULL}};
static const struct config_word store_backend_words[] = {CONFIG_STORE_BACKEND_LIST(X){NULL, NULL}};
static const struct config_word allowed_words[] = {CONFIG_ALLOWED_LIST(X){NULL, NULL}};
static const struct config_word on_timeout_words[] = {CONFIG_ON_TIMEOUT_LIST(X){NULL, NULL}};
static const struct config_word policy_words[] = {CONFIG_POLICY_LIST(X){NULL, NULL}};
static const struct config_word fsync_words[] = {CONFIG_FSYNC_LIST(X){NULL, NULL}};
#undef X

static enum err unknown_word(const struct config_type *type, struct why *why)
{
    if (type->other_words != NULL)
        return why_set(why, ERR_UNSUPPORTED, "%s", type->other_words);
    struct buf list = BUF_INIT(MEM_SERVER);
    for (const struct config_word *w = type->words; w->word != NULL; w++)
        buf_printf(&list, "%s%s", w == type->words ? "" : ", ", w->word);
    enum err e = why_set(why, ERR_ARG, "argument(s) must be one of the following: %.*s",
                         (int)list.len, (const char *)list.ptr);
    buf_fini(&list);
    return e;
}

/* The field gets the place of the word in its list, which is the constant of its enum. */
static enum err parse_word(const struct config_option *o, struct slice text, void *field,
                           struct why *why)
{
    const struct config_word *words = o->type->words;
    for (int i = 0; words[i].word != NULL; i++) {
        if (!slice_eq_nocase(text, words[i].word))
            continue;
        if (words[i].refusal != NULL)
            return why_set(why, ERR_UNSUPPORTED, "%s", words[i].refusal);
        *(int *)field = i;
        return OK;
    }
    return unknown_word(o->type, why);
}

static void print_word(const struct config_option *o, const void *field, struct buf *out)
{
    const char *word = o->type->words[*(const int *)field].word;
    CHECK(word != NULL);
    buf_append_text(out, word);
}

static void print_word_range(const struct config_option *o, struct buf *out)
{
    bool first = true;
    for (const struct config_word *w = o->type->words; w->word != NULL; w++) {
        if (w->refusal != NULL)
            continue;
        buf_printf(out, "%s%s", first ? "One of: " : ", ", w->word);
        first = false;
    }
}

/* class, hard limit, soft limit, seconds; of several classes, one after the other */

enum { OUTPUT_LIMIT_WORDS = 4 };

/* Replicas have limits of their own in Redis, so that configurations name them; here they are
 * checked and have no effect: there are none. */
static enum err read_output_limit(const struct slice words[OUTPUT_LIMIT_WORDS],
                                  struct config_output_limit *limit, struct why *why)
{
    bool is_normal = slice_eq_nocase(words[0], "normal");
    bool is_pubsub = slice_eq_nocase(words[0], "pubsub");
    if (!is_normal && !is_pubsub && !slice_eq_nocase(words[0], "replica") &&
        !slice_eq_nocase(words[0], "slave"))
        return why_set(why, ERR_ARG,
                       "Invalid client class specified in buffer limit configuration.");
    int64_t hard, soft, seconds;
    if (!bytes_of(words[1], &hard) || !bytes_of(words[2], &soft) ||
        !slice_to_i64(words[3], &seconds) || seconds < 0 || seconds > INT_MAX)
        return why_set(why, ERR_ARG,
                       "Error in hard, soft or soft_seconds setting in buffer limit "
                       "configuration.");
    if (is_normal) {
        limit->hard_bytes = (uint64_t)hard;
        limit->soft_bytes = (uint64_t)soft;
        limit->soft_seconds = (int)seconds;
    } else if (is_pubsub) {
        limit->pubsub_hard_bytes = (uint64_t)hard;
        limit->pubsub_soft_bytes = (uint64_t)soft;
        limit->pubsub_soft_seconds = (int)seconds;
    }
    return OK;
}

static enum err parse_output_limit(const struct config_option *o, struct slice text, void *field,
                                   struct why *why)
{
    (void)o;
    struct slice words[OUTPUT_LIMIT_WORDS], word, line = text;
    size_t count = 0;
    if (!words_has_quotes(text)) /* else it is nothing that could be right */
        while (words_next(&line, NULL, &word) == WORDS_WORD)
            count++;
    if (count == 0 || count % OUTPUT_LIMIT_WORDS != 0)
        return why_set(why, ERR_ARG, "Wrong number of arguments in buffer limit configuration.");
    struct config_output_limit normal = *(const struct config_output_limit *)field;
    line = text;
    for (size_t i = 0; i < count; i++) {
        enum words_status got = words_next(&line, NULL, &words[i % OUTPUT_LIMIT_WORDS]);
        CHECK(got == WORDS_WORD); /* as when they were counted */
        if (i % OUTPUT_LIMIT_WORDS != OUTPUT_LIMIT_WORDS - 1)
            continue;
        enum err e = read_output_limit(words, &normal, why);
        if (e != OK)
            return e;
    }
    *(struct config_output_limit *)field = normal;
    return OK;
}

static void print_output_limit(const struct config_option *o, const void *field, struct buf *out)
{
    (void)o;
    const struct config_output_limit *limit = field;
    buf_printf(out, "normal %" PRIu64 " %" PRIu64 " %d pubsub %" PRIu64 " %" PRIu64 " %d",
               limit->hard_bytes, limit->soft_bytes, limit->soft_seconds, limit->pubsub_hard_bytes,
               limit->pubsub_soft_bytes, limit->pubsub_soft_seconds);
}

/* seconds changes [seconds changes ...]; nothing: never */

static enum err parse_save(const struct config_option *o, struct slice text, void *field,
                           struct why *why)
{
    struct config_save save;
    struct slice line = text, words[2];
    (void)o;
    memset(&save, 0, sizeof(save)); /* equal ones are equal bytes */
    while (!words_has_quotes(text) && words_next(&line, NULL, &words[0]) == WORDS_WORD) {
        struct config_save_point point;
        if (words_next(&line, NULL, &words[1]) != WORDS_WORD ||
            !slice_to_i64(words[0], &point.seconds) || !slice_to_i64(words[1], &point.changes) ||
            point.seconds < 1 || point.changes < 0 || save.count == CONFIG_SAVE_POINTS_MAX)
            return why_set(why, ERR_ARG, "Invalid save parameters");
        save.list[save.count++] = point;
    }
    if (words_has_quotes(text))
        return why_set(why, ERR_ARG, "Invalid save parameters");
    memcpy(field, &save, sizeof(save));
    return OK;
}

/* Points take the place of the default and add to others; an empty line removes all. */
static enum err add_save(const struct config_option *o, struct slice text, void *field,
                         struct why *why)
{
    struct config_save *save = field, more, before;
    enum err e = parse_save(o, slice_of(o->default_text), &before, NULL);
    CHECK(e == OK);
    e = parse_save(o, text, &more, why);
    if (e != OK)
        return e;
    bool adds = memcmp(save, &before, sizeof(before)) != 0 && more.count > 0;
    if (adds && save->count + more.count > CONFIG_SAVE_POINTS_MAX)
        return why_set(why, ERR_LIMIT, "at most %d save points", CONFIG_SAVE_POINTS_MAX);
    for (int i = 0; adds && i < more.count; i++)
        save->list[save->count++] = more.list[i];
    if (!adds)
        memcpy(save, &more, sizeof(more));
    return OK;
}

static void print_save(const struct config_option *o, const void *field, struct buf *out)
{
    const struct config_save *save = field;
    (void)o;
    for (int i = 0; i < save->count; i++)
        buf_printf(out, "%s%" PRId64 " %" PRId64, i == 0 ? "" : " ", save->list[i].seconds,
                   save->list[i].changes);
}

/* letters, one a class of events */

static const struct {
    char letter;
    unsigned bit;
} event_letters[] = {
#define X(constant, letter, bit) {letter, bit},
    CONFIG_EVENT_LIST(X)
#undef X
};

static unsigned events_of(char letter)
{
    for (size_t i = 0; i < COUNT_OF(event_letters); i++)
        if (event_letters[i].letter == letter)
            return event_letters[i].bit;
    return letter == 'A' ? EVENT_ALL : 0;
}

static enum err parse_events(const struct config_option *o, struct slice text, void *field,
                             struct why *why)
{
    unsigned all = 0;
    (void)o;
    for (size_t i = 0; i < text.len; i++) {
        unsigned bits = events_of((char)text.ptr[i]);
        if (bits == 0)
            return why_set(why, ERR_ARG,
                           "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
        all |= bits;
    }
    *(unsigned *)field = all;
    return OK;
}

/* With A nobody sees whether n is asked for, too: as in Redis. */
static void print_events(const struct config_option *o, const void *field, struct buf *out)
{
    unsigned set = *(const unsigned *)field;
    bool all = (set & EVENT_ALL) == EVENT_ALL;
    (void)o;
    if (all)
        buf_append_byte(out, 'A');
    for (size_t i = 0; i < COUNT_OF(event_letters); i++) {
        bool in_all = (event_letters[i].bit & (EVENT_ALL | EVENT_NEW)) != 0;
        if ((set & event_letters[i].bit) && !(all && in_all))
            buf_append_byte(out, (uint8_t)event_letters[i].letter);
    }
}

#define WORD_TYPE(list) .parse = parse_word, .print = print_word, .words = (list)

const struct config_type config_type_TEXT = {
    .parse = parse_text, .print = print_text, .text = true};
const struct config_type config_type_WORDS = {
    .parse = parse_text, .print = print_text, .many_words = true};
const struct config_type config_type_SECRET = {
    .parse = parse_text, .print = print_text, .text = true, .secret = true};
const struct config_type config_type_HIDDEN = {
    .parse = parse_text, .print = print_hidden, .text = true, .secret = true, .hidden = true};
const struct config_type config_type_INT = {
    .parse = parse_int, .print = print_int, .print_range = print_int_range};
const struct config_type config_type_LONG = {
    .parse = parse_long, .print = print_long, .print_range = print_int_range};
const struct config_type config_type_OCTAL = {
    .parse = parse_octal, .print = print_octal, .print_range = print_octal_range};
const struct config_type config_type_BOOL = {
    .parse = parse_bool, .print = print_bool, .print_range = print_bool_range};
const struct config_type config_type_BYTES = {
    .parse = parse_bytes, .print = print_bytes, .print_range = print_bytes_range};
const struct config_type config_type_MEMORY = {.parse = parse_memory, .print = print_bytes};
const struct config_type config_type_OUTPUT_LIMIT = {
    .parse = parse_output_limit, .print = print_output_limit, .many_words = true};
const struct config_type config_type_LOGLEVEL = {WORD_TYPE(loglevel_words),
                                                 .print_range = print_word_range};
const struct config_type config_type_PATH_STYLE = {WORD_TYPE(path_style_words),
                                                   .print_range = print_word_range};
const struct config_type config_type_STORE_BACKEND = {WORD_TYPE(store_backend_words),
                                                      .print_range = print_word_range};
const struct config_type config_type_ALLOWED = {WORD_TYPE(allowed_words),
                                                .print_range = print_word_range};
const struct config_type config_type_ON_TIMEOUT = {WORD_TYPE(on_timeout_words),
                                                   .print_range = print_word_range};
const struct config_type config_type_POLICY = {WORD_TYPE(policy_words)};
const struct config_type config_type_FSYNC = {WORD_TYPE(fsync_words),
                                              .print_range = print_word_range};
const struct config_type config_type_EVENTS = {
    .parse = parse_events, .print = print_events, .text = true};
const struct config_type config_type_SAVE = {.parse = parse_save,
                                             .add = add_save,
                                             .print = print_save,
                                             .many_words = true,
                                             .text = true};
