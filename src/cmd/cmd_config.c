/* CONFIG: the options of config.def while the server runs. */
#include "base/glob.h"
#include "cmd/keys.h"

/* The first pattern that an option matches, or NULL: one that several match is shown once. */
static const struct slice *wanted(const struct config_option *option, const struct slices *patterns)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (glob_match_nocase(patterns->items[i], slice_of(option->name)) ||
            config_option_find(patterns->items[i]) == option)
            return &patterns->items[i];
    return NULL;
}

/* What an option is called in a reply: as in Redis, a name without wildcards is spelled as the
 * client has spelled it. */
static struct slice shown_name(const struct config_option *option, struct slice pattern)
{
    bool plain = memchr(pattern.ptr, '*', pattern.len) == NULL &&
                 memchr(pattern.ptr, '?', pattern.len) == NULL &&
                 memchr(pattern.ptr, '[', pattern.len) == NULL;
    return plain ? pattern : slice_of(option->name);
}

void cmd_config_get(struct request *rq)
{
    const struct config_get_args *a = rq->args;
    size_t count = 0;
    for (size_t i = 0; i < a->patterns.count; i++)
        if (!pattern_fits(rq, a->patterns.items[i]))
            return;
    for (size_t i = 0; i < config_option_count(); i++)
        count += wanted(config_option_at(i), &a->patterns) != NULL;
    reply_map(&rq->reply, count);
    size_t shown = 0;
    struct buf value = BUF_INIT(MEM_CLIENT);
    for (size_t i = 0; i < config_option_count(); i++) {
        const struct config_option *option = config_option_at(i);
        const struct slice *pattern = wanted(option, &a->patterns);
        if (pattern == NULL)
            continue;
        buf_clear(&value, SIZE_MAX);
        config_value(rq->env->config, option, &value);
        reply_bulk(&rq->reply, shown_name(option, *pattern));
        reply_gathered(&rq->reply, &value);
        shown++;
    }
    CHECK(shown == count); /* what the map has announced */
    buf_fini(&value);
}

/* All pairs or none. What has to hear of a change at once does so by the hook. */
void cmd_config_set(struct request *rq)
{
    const struct config_set_args *a = rq->args;
    struct why why = {{0}};
    if (a->pairs.count % 2 != 0) {
        reply_error(&rq->reply, "ERR wrong number of arguments for 'config|set' command");
        return;
    }
    enum err e = config_change(rq->env->config, a->pairs.items, a->pairs.count / 2, &why);
    if (e != OK) {
        reply_err(&rq->reply, e, &why);
        return;
    }
    rq->env->hooks->reconfigure(rq->env);
    reply_simple(&rq->reply, "OK");
}

void cmd_config_resetstat(struct request *rq)
{
    counters_reset(rq->env);
    reply_simple(&rq->reply, "OK");
}
