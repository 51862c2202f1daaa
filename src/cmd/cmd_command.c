/* COMMAND: what clients and tools ask about commands, from commands.def. */
#include "base/glob.h"
#include "cmd/command_docs.h"
#include "cmd/command_keys.h"
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

/* A word stands where one of these bits is set. */
struct word {
    unsigned bit; /* of flags, or categories */
    unsigned hint;
    const char *text;
};

/* Follows from the row. */
enum { CMD_COUNTS = 1 << 30 };

/* In the order in which Redis lists them. */
static const struct word flag_words[] = {
    {CMD_WRITE, 0, "write"},
    {CMD_READONLY, 0, "readonly"},
    {CMD_DENYOOM, 0, "denyoom"},
    {CMD_MODULE, 0, "module"},
    {CMD_ADMIN, 0, "admin"},
    {CMD_PUBSUB, 0, "pubsub"},
    {0, SAY_NOSCRIPT, "noscript"},
    {CMD_BLOCKING, 0, "blocking"},
    {CMD_LOADING, 0, "loading"},
    {CMD_STALE, 0, "stale"},
    {0, SAY_SKIP_SLOWLOG, "skip_slowlog"},
    {CMD_FAST, 0, "fast"},
    {CMD_NO_AUTH, 0, "no_auth"},
    {0, SAY_NO_ASYNC_LOADING, "no_async_loading"},
    {CMD_NO_MULTI, 0, "no_multi"},
    {CMD_COUNTS | CMD_SORTS, 0, "movablekeys"},
    {0, SAY_ALLOW_BUSY, "allow_busy"},
};

static const struct word tip_words[] = {
    {0, TIP_VARIES, "nondeterministic_output"},
    {0, TIP_UNORDERED, "nondeterministic_output_order"},
};

static const struct word policy_words[] = {
    {0, TIP_ALL_NODES, "request_policy:all_nodes"},
    {0, TIP_ALL_SHARDS, "request_policy:all_shards"},
    {0, TIP_MULTI_SHARD, "request_policy:multi_shard"},
    {0, TIP_ASK_SPECIAL, "request_policy:special"},
    {0, TIP_ALL_SUCCEEDED, "response_policy:all_succeeded"},
    {0, TIP_SUM, "response_policy:agg_sum"},
    {0, TIP_MIN, "response_policy:agg_min"},
    {0, TIP_MERGE_SPECIAL, "response_policy:special"},
};

static const struct word key_words[] = {
    {0, KEY_RO, "RO"},         {0, KEY_RW, "RW"},         {0, KEY_OW, "OW"},
    {0, KEY_RM, "RM"},         {0, KEY_ACCESS, "access"}, {0, KEY_UPDATE, "update"},
    {0, KEY_INSERT, "insert"}, {0, KEY_DELETE, "delete"}, {0, KEY_VARIES, "variable_flags"},
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
    CAT_HASH = 1024,
    CAT_LIST = 2048,
    CAT_SET = 4096,
    CAT_ZSET = 8192,
    CAT_BLOCKING = 16384,
    CAT_PUBSUB = 32768
};

static const struct word category_words[] = {
    {CAT_KEYSPACE, 0, "@keyspace"},
    {CAT_READ, 0, "@read"},
    {CAT_WRITE, 0, "@write"},
    {CAT_SET, 0, "@set"},
    {CAT_ZSET, 0, "@sortedset"},
    {CAT_LIST, 0, "@list"},
    {CAT_HASH, 0, "@hash"},
    {CAT_STRING, 0, "@string"},
    {CAT_PUBSUB, 0, "@pubsub"},
    {CAT_ADMIN, 0, "@admin"},
    {CAT_FAST, 0, "@fast"},
    {CAT_SLOW, 0, "@slow"},
    {CAT_BLOCKING, 0, "@blocking"},
    {CAT_DANGEROUS, 0, "@dangerous"},
    {CAT_CONNECTION, 0, "@connection"},
    {CAT_TRANSACTION, 0, "@transaction"},
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
    set |= (c->flags & CMD_ADMIN) || (c->hints & SAY_ADMIN) ? CAT_ADMIN : 0;
    set |= (c->flags & CMD_DANGEROUS) || (c->hints & SAY_DANGEROUS) ? CAT_DANGEROUS : 0;
    set |= c->group == GROUP_STRING ? CAT_STRING : 0;
    set |= c->group == GROUP_HASH ? CAT_HASH : 0;
    set |= c->group == GROUP_LIST ? CAT_LIST : 0;
    set |= c->flags & CMD_BLOCKING ? CAT_BLOCKING : 0;
    set |= c->group == GROUP_SET ? CAT_SET : 0;
    set |= c->group == GROUP_ZSET ? CAT_ZSET : 0;
    set |= c->flags & CMD_PUBSUB ? CAT_PUBSUB : 0;
    if (c->flags & CMD_SORTS)
        return set | CAT_LIST | CAT_SET | CAT_ZSET;
    if (c->group == GROUP_CONNECTION || (c->hints & SAY_CONNECTION))
        return set | CAT_CONNECTION;
    set |= c->group == GROUP_TRANSACTION ? CAT_TRANSACTION : 0;
    if (c->group == GROUP_GENERIC || (c->group == GROUP_SERVER && touches_data && is_top_level(c)))
        set |= CAT_KEYSPACE;
    return set;
}

static size_t count_words(unsigned set, unsigned hints, const struct word *words, size_t count)
{
    size_t chosen = 0;
    for (size_t i = 0; i < count; i++)
        chosen += (set & words[i].bit) != 0 || (hints & words[i].hint) != 0;
    return chosen;
}

/* A set of the words whose bits are in set, or in hints. */
static void reply_words(struct reply *r, unsigned set, unsigned hints, const struct word *words,
                        size_t count)
{
    reply_set(r, count_words(set, hints, words, count));
    for (size_t i = 0; i < count; i++)
        if ((set & words[i].bit) != 0 || (hints & words[i].hint) != 0)
            reply_simple(r, words[i].text);
}

/* -- COMMAND INFO ------------------------------------------------------------------------------ */

enum {
    KEY_HINTS = KEY_RO | KEY_RW | KEY_OW | KEY_RM | KEY_ACCESS | KEY_UPDATE | KEY_INSERT |
                KEY_DELETE | KEY_VARIES,
    KEY_2_HINTS = KEY_2_UPDATE | KEY_2_INSERT | KEY_2_PUSH | KEY_2_READ
};

/* What the command does with its keys; 0: they are shard channels. last: with those after the
 * first, where they are not alike. */
static unsigned key_hints(const struct command *c, bool last)
{
    unsigned hints = c->hints & KEY_HINTS;
    if (c->flags & CMD_PUBSUB)
        return 0;
    if (last && (c->flags & CMD_SORTS))
        return KEY_OW | KEY_UPDATE;
    if (last && (c->hints & KEY_2_READ))
        return KEY_RO | KEY_ACCESS;
    if (last && (c->hints & KEY_2_PUSH))
        return KEY_RW | KEY_INSERT;
    if (last && (c->hints & (KEY_2_UPDATE | KEY_2_INSERT)))
        return KEY_OW | (c->hints & KEY_2_UPDATE ? KEY_UPDATE : KEY_INSERT);
    if (hints != 0)
        return hints;
    return c->flags & CMD_WRITE ? KEY_RW | KEY_UPDATE : KEY_RO | KEY_ACCESS;
}

static void reply_key_flags(struct reply *r, unsigned hints)
{
    if (hints != 0) {
        reply_words(r, 0, hints, key_words, COUNT_OF(key_words));
        return;
    }
    reply_set(r, 1);
    reply_simple(r, "not_key");
}

/* Keys begin at an index, in the words of key specifications. */
static void begin_key_spec(struct reply *r, unsigned hints, int first)
{
    reply_map(r, 3);
    reply_text(r, "flags");
    reply_key_flags(r, hints);
    reply_text(r, "begin_search");
    reply_map(r, 2);
    reply_text(r, "type");
    reply_text(r, "index");
    reply_text(r, "spec");
    reply_map(r, 1);
    reply_text(r, "index");
    reply_int(r, first);
    reply_text(r, "find_keys");
    reply_map(r, 2);
    reply_text(r, "type");
}

/* And behind their number. */
static void reply_counted_spec(struct reply *r, unsigned hints, int at)
{
    begin_key_spec(r, hints, at);
    reply_text(r, "keynum");
    reply_text(r, "spec");
    reply_map(r, 3);
    reply_text(r, "keynumidx");
    reply_int(r, 0);
    reply_text(r, "firstkey");
    reply_int(r, 1);
    reply_text(r, "keystep");
    reply_int(r, 1);
}

/* Or in a range. */
static void reply_key_spec(struct reply *r, unsigned hints, int first, int last, int step)
{
    begin_key_spec(r, hints, first);
    reply_text(r, "range");
    reply_text(r, "spec");
    reply_map(r, 3);
    reply_text(r, "lastkey");
    reply_int(r, last < 0 ? last : last - first);
    reply_text(r, "keystep");
    reply_int(r, step);
    reply_text(r, "limit");
    reply_int(r, 0);
}

/* Or nobody can say where. */
static void reply_unknown_spec(struct reply *r, unsigned hints)
{
    reply_map(r, 3);
    reply_text(r, "flags");
    reply_key_flags(r, hints);
    for (int i = 0; i < 2; i++) {
        reply_text(r, i == 0 ? "begin_search" : "find_keys");
        reply_map(r, 2);
        reply_text(r, "type");
        reply_text(r, "unknown");
        reply_text(r, "spec");
        reply_map(r, 0);
    }
}

/* Of SORT: the key, those of BY and GET, and where the result goes. */
static void reply_sort_specs(struct reply *r, const struct command *c)
{
    bool stores = (c->flags & CMD_WRITE) != 0;
    reply_set(r, 2 + stores);
    reply_key_spec(r, key_hints(c, false), c->first_key, c->last_key, c->key_step);
    reply_unknown_spec(r, KEY_RO | KEY_ACCESS);
    if (stores)
        reply_unknown_spec(r, key_hints(c, true));
}

static void reply_key_specs(struct reply *r, const struct command *c)
{
    bool two = (c->hints & KEY_2_HINTS) != 0, ranges = c->first_key > 0;
    bool counts = c->counted_at > 0;
    CHECK(!ranges || (c->last_key != 0 && c->key_step > 0));
    CHECK(!two || !counts || c->last_key == c->first_key);
    reply_set(r, (ranges ? 1u : 0u) + (two || (counts && !ranges) ? 1u : 0u));
    if (ranges)
        reply_key_spec(r, key_hints(c, false), c->first_key, two ? c->first_key : c->last_key,
                       c->key_step);
    if (counts)
        reply_counted_spec(r, key_hints(c, true), c->counted_at);
    else if (two)
        reply_key_spec(r, key_hints(c, true), c->first_key + 1, c->last_key, c->key_step);
}

static void put_tips(struct reply *r, unsigned hints, const struct word *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (hints & words[i].hint)
            reply_text(r, words[i].text);
}

static void reply_tips(struct reply *r, const struct command *c)
{
    bool policy_first = (c->hints & TIP_POLICY_FIRST) != 0;
    reply_set(r, count_words(0, c->hints, tip_words, COUNT_OF(tip_words)) +
                     count_words(0, c->hints, policy_words, COUNT_OF(policy_words)));
    if (policy_first)
        put_tips(r, c->hints, policy_words, COUNT_OF(policy_words));
    put_tips(r, c->hints, tip_words, COUNT_OF(tip_words));
    if (!policy_first)
        put_tips(r, c->hints, policy_words, COUNT_OF(policy_words));
}

/* Nine of the ten elements of an entry; the tenth, the subcommands, is the caller's. */
static void reply_info_fields(struct reply *r, const struct command *c)
{
    reply_array(r, 10);
    reply_text(r, c->name);
    reply_int(r, c->arity);
    /* Those of a container are its subcommands'. */
    unsigned flags = (c->flags & CMD_CONTAINER) && c->arity == -2 ? 0 : c->flags;
    if (c->counted_at > 0)
        flags |= CMD_COUNTS;
    reply_words(r, flags, c->hints, flag_words, COUNT_OF(flag_words));
    reply_int(r, c->first_key);
    reply_int(r, c->last_key);
    reply_int(r, c->key_step);
    reply_words(r, categories_of(c), 0, category_words, COUNT_OF(category_words));
    reply_tips(r, c);
    if (c->flags & CMD_SORTS)
        reply_sort_specs(r, c);
    else
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
    else if (!command_has_keys(c))
        reply_error(&rq->reply, "ERR The command has no key arguments");
    else if (!command_arity_fits(c, words->count))
        reply_error(&rq->reply, "ERR Invalid number of arguments specified for command");
    else if (!command_keys_fit(c, words->items, words->count))
        reply_error(&rq->reply, "ERR Invalid arguments specified for command");
    else
        return c;
    return NULL;
}

/* As key_hints, of a command with its options: SET reads only where it is to GET. */
static unsigned key_hints_here(const struct command *c, const struct slices *words, bool last)
{
    unsigned hints = key_hints(c, last);
    if (!(hints & KEY_VARIES))
        return hints;
    for (size_t i = 3; i < words->count; i++)
        if (slice_eq_nocase(words->items[i], "GET"))
            return hints & ~(unsigned)KEY_VARIES;
    return KEY_OW | KEY_UPDATE;
}

static void reply_keys(struct request *rq, const struct slices *words, bool flags)
{
    const struct command *c = command_with_keys(rq, words);
    if (c == NULL)
        return;
    struct command_keys keys;
    size_t count = 0, at;
    command_keys_begin(&keys, c, words->items, words->count);
    while (command_keys_next(&keys, &at))
        count++;
    reply_array(&rq->reply, count);
    command_keys_begin(&keys, c, words->items, words->count);
    for (size_t i = 0; command_keys_next(&keys, &at); i++) {
        if (flags)
            reply_array(&rq->reply, 2);
        reply_bulk(&rq->reply, words->items[at]);
        if (flags)
            reply_key_flags(&rq->reply, key_hints_here(c, words, i > 0));
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
