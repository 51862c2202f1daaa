/* FT.CONFIG: what clients ask of RediSearch's options, as it is here. Those that can be changed are
 * options of the server. */

#include "base/limits.h"
#include "cmd/ft.h"
#include "text/match.h"

static const struct option {
    const char *name;
    const char *value; /* or, in small letters, the option of the server that has it */
    const char *help;
} options[] = {
    {"CURSOR_MAX_IDLE", "300000", "Milliseconds that a cursor waits at most"},
    {"CURSOR_READ_SIZE", "1000", "Rows of a cursor that come at once unless COUNT says otherwise"},
    {"DEFAULT_DIALECT", "search-default-dialect", "Dialect of queries that name none"},
    {"INDEX_CURSOR_LIMIT", "128", "Cursors of one index"},
    {"MAXAGGREGATERESULTS", "unlimited", "Rows of an aggregation"},
    {"MAXSEARCHRESULTS", "1000000", "Hits of a search, those that LIMIT passes over too"},
    {"MAXEXPANSIONS", "200", "Words that a prefix, a pattern or a fuzzy word stands for at most"},
    {"MINPREFIX", "2", "Characters that a prefix has at least"},
    {"ON_TIMEOUT", "search-on-timeout",
     "What is replied when TIMEOUT is over: a part, or an error"},
    {"TIMEOUT", "search-timeout", "Milliseconds of a query that names none; 0: no limit"},
};
_Static_assert(LIMIT_CURSORS == 128 && LIMIT_EF == 1000000, "options say so");
_Static_assert(TEXT_EXPANSIONS_MAX == 200 && TEXT_PREFIX_MIN == 2, "and these");

static bool matches(const struct option *o, struct slice name)
{
    return slice_eq(name, slice_of("*")) || slice_eq_nocase(name, o->name);
}

static const struct config_option *server_option(const struct option *o)
{
    return config_option_find(slice_of(o->value));
}

static void put_value(struct request *rq, const struct option *o)
{
    const struct config_option *option = server_option(o);
    if (option == NULL) {
        reply_text(&rq->reply, o->value);
        return;
    }
    struct buf value = BUF_INIT(MEM_CLIENT);
    config_value(rq->env->config, option, &value);
    reply_gathered(&rq->reply, &value);
    buf_fini(&value);
}

static void put_help(struct request *rq, const struct option *o)
{
    struct reply *r = &rq->reply;
    reply_array(r, 5);
    reply_text(r, o->name);
    reply_text(r, "Description");
    reply_text(r, o->help);
    reply_text(r, "Value");
    put_value(rq, o);
}

/* name and value, or with what it means */
static void list(struct request *rq, struct slice name, bool help)
{
    struct reply *r = &rq->reply;
    size_t count = 0;
    for (size_t i = 0; i < COUNT_OF(options); i++)
        count += matches(&options[i], name);
    if (r->proto == 3 && !help)
        reply_map(r, count);
    else
        reply_array(r, count);
    for (size_t i = 0; i < COUNT_OF(options); i++) {
        if (!matches(&options[i], name))
            continue;
        if (help) {
            put_help(rq, &options[i]);
            continue;
        }
        if (r->proto != 3)
            reply_array(r, 2);
        reply_text(r, options[i].name);
        put_value(rq, &options[i]);
    }
}

static void set(struct request *rq, const struct option *o, const struct slices *values)
{
    const struct config_option *option = server_option(o);
    struct why why = {{0}};
    if (option == NULL) {
        reply_error(&rq->reply, "Not modifiable at runtime");
        return;
    }
    if (values->count != 1) {
        reply_errorf(&rq->reply, "Bad arguments for %s: one value is expected", o->name);
        return;
    }
    struct slice pair[] = {slice_of(option->name), values->items[0]};
    enum err e = config_change(rq->env->config, pair, 1, &why);
    if (e == ERR_NOMEM)
        reply_err(&rq->reply, e, &why);
    else if (e != OK)
        reply_errorf(&rq->reply, "Invalid %s value", o->name);
    else
        reply_simple(&rq->reply, "OK");
}

void cmd_ft_config(struct request *rq)
{
    const struct ft_config_args *a = rq->args;
    bool help = slice_eq_nocase(a->action, "HELP");
    if (help || slice_eq_nocase(a->action, "GET")) {
        list(rq, a->option, help);
        return;
    }
    if (!slice_eq_nocase(a->action, "SET")) {
        reply_error(&rq->reply, "No such configuration action");
        return;
    }
    for (size_t i = 0; i < COUNT_OF(options); i++)
        if (slice_eq_nocase(a->option, options[i].name)) {
            set(rq, &options[i], &a->values);
            return;
        }
    reply_error(&rq->reply, "No such option");
}
