/* FT.CONFIG: what clients ask of RediSearch's options, as it is here. */

#include "base/limits.h"
#include "cmd/ft.h"
#include "text/match.h"

static const struct option {
    const char *name, *value, *help;
} options[] = {
    {"CURSOR_MAX_IDLE", "300000", "Milliseconds that a cursor waits at most"},
    {"CURSOR_READ_SIZE", "1000", "Rows of a cursor that come at once unless COUNT says otherwise"},
    {"DEFAULT_DIALECT", "2", "Dialect of queries that name none"},
    {"INDEX_CURSOR_LIMIT", "128", "Cursors of one index"},
    {"MAXAGGREGATERESULTS", "unlimited", "Rows of an aggregation"},
    {"MAXSEARCHRESULTS", "1000000", "Hits of a search, those that LIMIT passes over too"},
    {"MAXEXPANSIONS", "200", "Words that a prefix, a pattern or a fuzzy word stands for at most"},
    {"MINPREFIX", "2", "Characters that a prefix has at least"},
    {"ON_TIMEOUT", "return", "What there is when TIMEOUT is over is replied"},
    {"TIMEOUT", "0", "Milliseconds of a query that names none; 0: no limit"},
};
_Static_assert(LIMIT_CURSORS == 128 && LIMIT_EF == 1000000, "options say so");
_Static_assert(TEXT_EXPANSIONS_MAX == 200 && TEXT_PREFIX_MIN == 2, "and these");

static bool matches(const struct option *o, struct slice name)
{
    return slice_eq(name, slice_of("*")) || slice_eq_nocase(name, o->name);
}

static void put_help(struct reply *r, const struct option *o)
{
    reply_array(r, 5);
    reply_text(r, o->name);
    reply_text(r, "Description");
    reply_text(r, o->help);
    reply_text(r, "Value");
    reply_text(r, o->value);
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
            put_help(r, &options[i]);
            continue;
        }
        if (r->proto != 3)
            reply_array(r, 2);
        reply_text(r, options[i].name);
        reply_text(r, options[i].value);
    }
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
            reply_error(&rq->reply, "Not modifiable at runtime");
            return;
        }
    reply_error(&rq->reply, "No such option");
}
