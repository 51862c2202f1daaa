/* COMMAND: what clients and tools ask about commands, from commands.def. */
#include "base/glob.h"
#include "cmd/command_docs.h"
#include "cmd/keys.h"

/* Subcommands are shown inside their container, never beside it. */
static bool is_top_level(const struct command *c)
{
    return command_words(c) == 1;
}

static size_t count_top_level(void)
{
    size_t count = 0;
    for (size_t i = 0; i < command_count(); i++)
        count += is_top_level(command_at(i));
    return count;
}

/* -- flags and categories ---------------------------------------------------------------------- */

struct word {
    unsigned bit;
    const char *text;
};

/* In the order in which Redis lists them. */
static const struct word flag_words[] = {
    {CMD_WRITE, "write"},       {CMD_READONLY, "readonly"}, {CMD_DENYOOM, "denyoom"},
    {CMD_MODULE, "module"},     {CMD_ADMIN, "admin"},       {CMD_LOADING, "loading"},
    {CMD_STALE, "stale"},       {CMD_FAST, "fast"},         {CMD_NO_AUTH, "no_auth"},
    {CMD_NO_MULTI, "no_multi"},
};

enum category {
    CAT_KEYSPACE = 1,
    CAT_READ = 2,
    CAT_WRITE = 4,
    CAT_STRING = 8,
    CAT_ADMIN = 16,
    CAT_FAST = 32,
    CAT_SLOW = 64,
    CAT_DANGEROUS = 128,
    CAT_CONNECTION = 256,
    CAT_TRANSACTION = 512,
    CAT_HASH = 1024
};

static const struct word category_words[] = {
    {CAT_KEYSPACE, "@keyspace"},
    {CAT_READ, "@read"},
    {CAT_WRITE, "@write"},
    {CAT_HASH, "@hash"},
    {CAT_STRING, "@string"},
    {CAT_ADMIN, "@admin"},
    {CAT_FAST, "@fast"},
    {CAT_SLOW, "@slow"},
    {CAT_DANGEROUS, "@dangerous"},
    {CAT_CONNECTION, "@connection"},
    {CAT_TRANSACTION, "@transaction"},
};

/* Redis derives a command's categories from its flags and group; so do we. */
static unsigned categories_of(const struct command *c)
{
    bool touches_data = (c->flags & (CMD_READONLY | CMD_WRITE)) != 0;
    unsigned set = (c->flags & CMD_FAST) ? CAT_FAST : CAT_SLOW;
    if (c->flags & CMD_CONTAINER && c->arity == -2)
        return set; /* the categories are those of its subcommands */
    set |= (c->flags & CMD_READONLY) ? CAT_READ : 0;
    set |= (c->flags & CMD_WRITE) ? CAT_WRITE : 0;
    set |= (c->flags & CMD_ADMIN) ? CAT_ADMIN : 0;
    set |= (c->flags & CMD_DANGEROUS) ? CAT_DANGEROUS : 0;
    set |= c->group == GROUP_STRING ? CAT_STRING : 0;
    set |= c->group == GROUP_HASH ? CAT_HASH : 0;
    set |= c->group == GROUP_CONNECTION ? CAT_CONNECTION : 0;
    set |= c->group == GROUP_TRANSACTION ? CAT_TRANSACTION : 0;
    if (c->group == GROUP_GENERIC || (c->group == GROUP_SERVER && touches_data && is_top_level(c)))
        set |= CAT_KEYSPACE;
    return set;
}

/* A set of the words whose bits are in set. */
static void reply_words(struct reply *r, unsigned set, const struct word *words, size_t count)
{
    size_t chosen = 0;
    for (size_t i = 0; i < count; i++)
        chosen += (set & words[i].bit) != 0;
    reply_set(r, chosen);
    for (size_t i = 0; i < count; i++)
        if (set & words[i].bit)
            reply_simple(r, words[i].text);
}

/* -- COMMAND INFO ------------------------------------------------------------------------------ */

/* What the command does with its keys. */
static void reply_key_flags(struct reply *r, const struct command *c)
{
    bool writes = (c->flags & CMD_WRITE) != 0;
    reply_set(r, 2);
    reply_simple(r, writes ? "RW" : "RO");
    reply_simple(r, writes ? "update" : "access");
}

/* Where the keys are, in the words of key specifications: they begin at an index and stand in a
 * range. */
static void reply_key_specs(struct reply *r, const struct command *c)
{
    reply_set(r, c->first_key > 0);
    if (c->first_key == 0)
        return;
    CHECK(c->last_key != 0 && c->key_step > 0);
    reply_map(r, 3);
    reply_text(r, "flags");
    reply_key_flags(r, c);
    reply_text(r, "begin_search");
    reply_map(r, 2);
    reply_text(r, "type");
    reply_text(r, "index");
    reply_text(r, "spec");
    reply_map(r, 1);
    reply_text(r, "index");
    reply_int(r, c->first_key);
    reply_text(r, "find_keys");
    reply_map(r, 2);
    reply_text(r, "type");
    reply_text(r, "range");
    reply_text(r, "spec");
    reply_map(r, 3);
    reply_text(r, "lastkey");
    reply_int(r, c->last_key < 0 ? c->last_key : c->last_key - c->first_key);
    reply_text(r, "keystep");
    reply_int(r, c->key_step);
    reply_text(r, "limit");
    reply_int(r, 0);
}

/* Nine of the ten elements of an entry; the tenth, the subcommands, is the caller's. */
static void reply_info_fields(struct reply *r, const struct command *c)
{
    reply_array(r, 10);
    reply_text(r, c->name);
    reply_int(r, c->arity);
    reply_words(r, c->flags, flag_words, COUNT_OF(flag_words));
    reply_int(r, c->first_key);
    reply_int(r, c->last_key);
    reply_int(r, c->key_step);
    reply_words(r, categories_of(c), category_words, COUNT_OF(category_words));
    reply_set(r, 0); /* tips */
    reply_key_specs(r, c);
}

static void reply_info(struct reply *r, const struct command *c)
{
    size_t count = command_sub_count(c);
    reply_info_fields(r, c);
    reply_set(r, count);
    for (size_t i = 0; i < count; i++) {
        reply_info_fields(r, c + 1 + i);
        reply_set(r, 0);
    }
}

static void reply_all_info(struct reply *r)
{
    reply_array(r, count_top_level());
    for (size_t i = 0; i < command_count(); i++)
        if (is_top_level(command_at(i)))
            reply_info(r, command_at(i));
}

void cmd_command(struct request *rq)
{
    reply_all_info(&rq->reply);
}

/* Null in the place of a name nobody knows: the order is that of the question. */
void cmd_command_info(struct request *rq)
{
    const struct command_info_args *a = rq->args;
    if (a->names.count == 0) {
        reply_all_info(&rq->reply);
        return;
    }
    reply_array(&rq->reply, a->names.count);
    for (size_t i = 0; i < a->names.count; i++) {
        const struct command *c = command_find(a->names.items[i]);
        if (c == NULL)
            reply_null(&rq->reply);
        else
            reply_info(&rq->reply, c);
    }
}

void cmd_command_count(struct request *rq)
{
    reply_int(&rq->reply, (int64_t)count_top_level());
}

/* Names nobody knows are left out of the map, as in Redis; without names all are in it. */
void cmd_command_docs(struct request *rq)
{
    const struct command_docs_args *a = rq->args;
    const struct slices *names = &a->names;
    size_t found = names->count == 0 ? count_top_level() : 0;
    for (size_t i = 0; i < names->count; i++)
        found += command_find(names->items[i]) != NULL;
    reply_map(&rq->reply, found);
    for (size_t i = 0; i < names->count; i++) {
        const struct command *c = command_find(names->items[i]);
        if (c != NULL)
            command_reply_docs(&rq->reply, c);
    }
    for (size_t i = 0; i < command_count() && names->count == 0; i++)
        if (is_top_level(command_at(i)))
            command_reply_docs(&rq->reply, command_at(i));
}

/* -- COMMAND LIST ------------------------------------------------------------------------------ */

enum list_filter { LIST_ALL, LIST_MODULE, LIST_CATEGORY, LIST_PATTERN };

/* FILTERBY MODULE|ACLCAT|PATTERN value, or nothing. Replies the error and returns false. */
static bool read_filter(struct request *rq, const struct slices *words, enum list_filter *out)
{
    static const char *const names[] = {
        [LIST_MODULE] = "MODULE", [LIST_CATEGORY] = "ACLCAT", [LIST_PATTERN] = "PATTERN"};
    *out = LIST_ALL;
    if (words->count == 0)
        return true;
    if (words->count == 3 && slice_eq_nocase(words->items[0], "FILTERBY"))
        for (int i = LIST_MODULE; i <= LIST_PATTERN; i++)
            if (slice_eq_nocase(words->items[1], names[i]))
                *out = (enum list_filter)i;
    if (*out != LIST_ALL)
        return *out != LIST_PATTERN || pattern_fits(rq, words->items[2]);
    reply_error(&rq->reply, "ERR syntax error");
    return false;
}

static bool listed(const struct command *c, enum list_filter filter, struct slice value)
{
    switch (filter) {
    case LIST_ALL:
        return true;
    case LIST_MODULE:
        return false; /* there are none, whatever flags say for clients */
    case LIST_CATEGORY:
        for (size_t i = 0; i < COUNT_OF(category_words); i++)
            if (slice_eq_nocase(value, category_words[i].text + 1))
                return (categories_of(c) & category_words[i].bit) != 0;
        return false;
    case LIST_PATTERN:
        return glob_match_nocase(value, slice_of(c->name));
    }
    CHECK(false);
    return false;
}

void cmd_command_list(struct request *rq)
{
    const struct command_list_args *a = rq->args;
    enum list_filter filter;
    if (!read_filter(rq, &a->filter, &filter))
        return;
    CHECK(filter == LIST_ALL || a->filter.count == 3);
    struct slice value = filter == LIST_ALL ? (struct slice){0} : a->filter.items[2];
    size_t count = 0;
    for (size_t i = 0; i < command_count(); i++)
        count += listed(command_at(i), filter, value);
    reply_array(&rq->reply, count);
    for (size_t i = 0; i < command_count(); i++)
        if (listed(command_at(i), filter, value))
            reply_text(&rq->reply, command_at(i)->name);
}

/* -- COMMAND GETKEYS --------------------------------------------------------------------------- */

/* Replies an error and returns NULL when the words are no command with keys. */
static const struct command *command_with_keys(struct request *rq, const struct slices *words)
{
    const struct command *c = command_lookup(words->items, words->count);
    if (c == NULL)
        reply_error(&rq->reply, "ERR Invalid command specified");
    else if (c->first_key == 0)
        reply_error(&rq->reply, "ERR The command has no key arguments");
    else if (!command_arity_fits(c, words->count))
        reply_error(&rq->reply, "ERR Invalid number of arguments specified for command");
    else
        return c;
    return NULL;
}

static void reply_keys(struct request *rq, const struct slices *words, bool flags)
{
    const struct command *c = command_with_keys(rq, words);
    if (c == NULL)
        return;
    CHECK(c->first_key > 0 && c->key_step > 0);
    size_t first = (size_t)c->first_key, step = (size_t)c->key_step;
    size_t last = c->last_key < 0 ? words->count - (size_t)-c->last_key : (size_t)c->last_key;
    CHECK(last >= first && last < words->count);
    reply_array(&rq->reply, (last - first) / step + 1);
    for (size_t i = first; i <= last; i += step) {
        if (flags)
            reply_array(&rq->reply, 2);
        reply_bulk(&rq->reply, words->items[i]);
        if (flags)
            reply_key_flags(&rq->reply, c);
    }
}

void cmd_command_getkeys(struct request *rq)
{
    reply_keys(rq, &((const struct command_getkeys_args *)rq->args)->words, false);
}

void cmd_command_getkeysandflags(struct request *rq)
{
    reply_keys(rq, &((const struct command_getkeysandflags_args *)rq->args)->words, true);
}
