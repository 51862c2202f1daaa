/* The table of options: finding one, setting one or all of several, showing one. What the types of
 * values are is config_value.c's. */
#include "conf/config.h"

#include "conf/config_value.h"

enum { NAME_SHOWN = 100 }; /* bytes of a client's word that an error repeats */

static const struct config_option options[] = {
#define SECTION(title)
#define OPTION(type_, field, name_, text, min_, max_, change_, doc_)                               \
    {.type = &config_type_##type_,                                                                 \
     .name = (name_),                                                                              \
     .default_text = (text),                                                                       \
     .min = (min_),                                                                                \
     .max = (max_),                                                                                \
     .change = CONFIG_##change_,                                                                   \
     .doc = (doc_),                                                                                \
     .offset = offsetof(struct config, field)},
#include "conf/config.def"
#undef OPTION
#undef SECTION
};

size_t config_option_count(void)
{
    return COUNT_OF(options);
}

const struct config_option *config_option_at(size_t index)
{
    CHECK(index < COUNT_OF(options));
    return &options[index];
}

/* As Redis called some before version 7, and still takes them. */
static struct slice name_today(struct slice name)
{
    static const char *const names[][2] = {
        {"hash-max-ziplist-entries", "hash-max-listpack-entries"},
        {"hash-max-ziplist-value", "hash-max-listpack-value"},
        {"list-max-ziplist-size", "list-max-listpack-size"},
        {"zset-max-ziplist-entries", "zset-max-listpack-entries"},
        {"zset-max-ziplist-value", "zset-max-listpack-value"},
    };
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (slice_eq_nocase(name, names[i][0]))
            return slice_of(names[i][1]);
    return name;
}

const struct config_option *config_option_find(struct slice name)
{
    name = name_today(name);
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (slice_eq_nocase(name, options[i].name))
            return &options[i];
    return NULL;
}

bool config_option_is_secret(const struct config_option *option)
{
    CHECK(option >= options && option < options + COUNT_OF(options));
    return option->type->secret;
}

static enum err parse_value(struct config *c, const struct config_option *option,
                            struct slice value, struct why *why)
{
    CHECK(option->offset < sizeof(*c));
    return option->type->parse(option, value, (char *)c + option->offset, why);
}

void config_init(struct config *c)
{
    memset(c, 0, sizeof(*c)); /* equal configurations are equal bytes */
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        enum err e = parse_value(c, &options[i], slice_of(options[i].default_text), NULL);
        CHECK(e == OK);
    }
}

/* For %.*s. */
static int shown_len(struct slice s)
{
    return s.len < NAME_SHOWN ? (int)s.len : NAME_SHOWN;
}

enum err config_set(struct config *c, struct slice name, struct slice value, struct why *why)
{
    const struct config_option *option = config_option_find(name);
    if (option == NULL)
        return why_set(why, ERR_NOT_FOUND, "there is no option '%.*s'", shown_len(name),
                       (const char *)name.ptr);
    if (option->type->add != NULL)
        return option->type->add(option, value, (char *)c + option->offset, why);
    return parse_value(c, option, value, why);
}

static enum err refuse_change(struct why *why, enum err e, const struct config_option *option,
                              const char *reason)
{
    return why_set(why, e, "CONFIG SET failed (possibly related to argument '%s') - %s",
                   option->name, reason);
}

/* Are all names known, allowed to change and named once? */
static enum err check_names(const struct slice *pairs, size_t pair_count, struct why *why)
{
    bool seen[COUNT_OF(options)] = {false};
    for (size_t i = 0; i < pair_count; i++) {
        struct slice name = pairs[2 * i];
        const struct config_option *option = config_option_find(name);
        if (option == NULL)
            return why_set(why, ERR_NOT_FOUND,
                           "Unknown option or number of arguments for CONFIG SET - '%.*s'",
                           shown_len(name), (const char *)name.ptr);
        if (option->change != CONFIG_RUNTIME)
            return refuse_change(why, ERR_UNSUPPORTED, option, "can't set immutable config");
        if (seen[option - options])
            return refuse_change(why, ERR_ARG, option, "duplicate parameter");
        seen[option - options] = true;
    }
    return OK;
}

enum err config_change(struct config *c, const struct slice *pairs, size_t pair_count,
                       struct why *why)
{
    CHECK(pair_count > 0);
    enum err e = check_names(pairs, pair_count, why);
    if (e != OK)
        return e;
    struct config changed = *c;
    for (size_t i = 0; i < pair_count; i++) {
        const struct config_option *option = config_option_find(pairs[2 * i]);
        CHECK(option != NULL && option->change == CONFIG_RUNTIME); /* check_names has looked */
        struct why reason = {""};
        e = parse_value(&changed, option, pairs[2 * i + 1], &reason);
        if (e != OK)
            return refuse_change(why, e, option, reason.text);
    }
    *c = changed;
    return OK;
}

void config_value(const struct config *c, const struct config_option *option, struct buf *out)
{
    CHECK(option >= options && option < options + COUNT_OF(options));
    option->type->print(option, (const char *)c + option->offset, out);
}

bool config_get(const struct config *c, struct slice name, struct buf *out)
{
    const struct config_option *option = config_option_find(name);
    if (option != NULL)
        config_value(c, option, out);
    return option != NULL;
}
