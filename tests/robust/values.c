#include "robust/values.h"

#include <math.h>
#include <stdio.h>

#include "base/limits.h"
#include "conf/config.h"

static const char *const edges_of_numbers[] = {"0",
                                               "-1",
                                               "1",
                                               "2147483647",
                                               "2147483648",
                                               "-2147483649",
                                               "4294967295",
                                               "4294967296",
                                               "9223372036854775807",
                                               "-9223372036854775808",
                                               "9223372036854775808",
                                               "18446744073709551615",
                                               "99999999999999999999999999",
                                               "1e3",
                                               "0x10",
                                               " 1",
                                               "1 ",
                                               "+1",
                                               "01",
                                               "-0",
                                               "",
                                               "nan",
                                               "inf",
                                               "-inf",
                                               "1e400",
                                               "0.1",
                                               "-1e-320"};

/* Texts for a name; the first that the name begins with. */
static const struct {
    const char *name;
    const char *texts[16];
} texts_by_name[] = {
    {"seconds", {"100000", "100", "1000000000"}},
    {"milliseconds", {"100000", "1000000", "10000000000"}},
    {"unix-time-seconds", {"2000000000", "9000000000", "1"}},
    {"unix-time-milliseconds", {"2000000000000", "9000000000000", "1"}},
    {"ttl", {"0", "100000", "2000000000000"}},
    {"timeout", {"0", "1", "10"}},
    {"pattern", {"*", "e*", "?", "[a-z]*", "n[^0-9]*", "\\*", "[", "*a*a*a*a*a*b", "new*"}},
    {"type", {"string", "vectorset", "hash", "list", "set", "zset", "ReJSON-RL"}},
    {"min", {"-inf", "(1", "0", "-", "[e1", "(e2", "2"}},
    {"max", {"+inf", "(3", "9", "+", "[e3", "(e4", "-1"}},
    {"start", {"0", "1", "-2", "(1", "-", "[e1"}},
    {"stop", {"-1", "1", "9", "+inf", "+", "(e4"}},
    {"increment", {"1", "-2.5", "inf", "1e300"}},
    {"share", {"0.95", "0.5", "1", "0", "1.5"}},
    {"cursor", {"0", "0", "1", "18446744073709551615"}},
    {"attributes",
     {"{\"year\":1999,\"genre\":\"drama\",\"new\":true}", "{\"year\":\"x\"}", "{}",
      "{\"year\":[1,2],\"a\":{\"b\":1}}", "", "[1]", "{\"genre\":\"g\\u00e9\"}"}},
    {"json", {"{\"year\":2001,\"genre\":\"comedy\"}", "{\"year\":null}", "", "{\"new\":false}"}},
    {"expression",
     {".year > 1990", ".genre == 'drama'", ".n > 1", ".new == true", ".year > $v",
      ".genre in ['drama', 'comedy']", "not (.year < 2000) or .new", ".year + 1 > 1992",
      ".a.b == 1", "1 == 1", ".genre like 'd*'", "year > 1"}},
    {"name value", {"v", "1990", "w", "drama", "x", "-1e5"}},
    {"lists-or-AUTO", {"AUTO", "1", "4", "x"}},
    {"field", {"year", "genre", "new", "nosuch", "a.b", "e1", "e2", "e3", "e4"}},
    {"element", {"e1", "e2", "e3", "e4", "fresh"}},
    {"id", {"e1", "e2", "e3", "e4", "e5", "fresh", "other"}},
    {"start", {"-", "[e1", "(e2", "+"}},
    {"end", {"+", "[e4", "(e3", "-"}},
    {"count", {"1", "2", "10", "-3", "0"}},
    {"increment", {"1.5", "-3", "3.0e3", "0"}},
    {"value", {"1", "hello", "", "-7"}},
    {"event", {"command", "fast-command", "nosuch"}},
    {"command-name", {"get", "vsearch", "client|list", "nosuch"}},
    {"command-and-arguments", {"get", "mset", "a", "b", "vadd"}},
    {"section", {"server", "memory", "everything", "nosuch", "commandstats"}},
    {"protover", {"2", "3", "2", "3", "4"}},
    {"password-or-user", {"default"}},
    {"password", {"secret"}},
    {"connection-name", {"me", "", "a-name"}},
    {"message", {"hello", ""}},
    {"host", {"no", "127.0.0.1"}},
    {"port", {"one", "6379"}},
    {"filter", {"FILTERBY", "PATTERN", "*get*"}},
    {"parameter", {"maxmemory", "slow*", "*", "port", "nosuch"}},
    {"url", {"file:///backups/one", "s3://bucket/x", "nosuch:"}},
    {"destination", {"new1", "new2", "s", "h2"}},
    {"newkey", {"new1", "new2", "s", "h2"}},
    {"index", {"idx", "idx", "nosuch"}},
    {"query", {"*", "@e1:[0 5]", "@e3:{text}", "-@e3:{text} | *", "(", "@nosuch:[1 2]", "a b"}},
    {"partition", {"red", "red", "blue", "_default", "nosuch"}},
    {"path",
     {"$", ".", "$.a", "$.l", "$..l", "$.l[0]", "$.s", "$.t", "$.o", "$.none", "$[", "l",
      "$.l[?(@>1 && @<9)]", "$..*"}},
    {"json-string", {"\"x\"", "\"\\u00e9\"", "5"}},
    {"fpha-type", {"FP32", "BF16", "FP8"}},
    {"format-token", {"STRING", "STRINGS", "JSON", "EXPAND", "EXPAND1", "x"}},
    {"from", {"0", "1", "-2"}},
    {"place", {"0", "-1", "2", "99"}},
    {"stop", {"-1", "2", "0"}},
    {"LEFT|RIGHT", {"LEFT", "RIGHT", "left"}},
    {"BEFORE|AFTER", {"BEFORE", "AFTER"}},
    {"pivot", {"e1", "e2", "nosuch"}},
    {"rank", {"1", "-1", "2"}},
    {"num-matches", {"0", "1", "2"}},
    {"len", {"0", "3", "100"}},
    {"option", {"x"}},
    {"ignored", {"x"}},
    {"subcommand", {"HELP", "x"}},
};

/* Groups of words for arguments that are all that is left. */
static const struct {
    const char *command, *name;
    const char *groups[10];
} groups_by_name[] = {
    {"hello", "option", {"SETNAME me", "AUTH default secret", "AUTH default secret SETNAME a", ""}},
    {"client|list", "option", {"TYPE normal", "ID 1 2 3", "TYPE pubsub", ""}},
    {"client|kill",
     "filter value",
     {"ID 999", "TYPE pubsub", "ADDR 1.2.3.4:5 SKIPME yes", "LADDR 1.2.3.4:5", "USER nobody",
      "MAXAGE 100000", "ID 2"}},
    {"client|tracking", "option", {"", "BCAST", "REDIRECT 1"}},
    {"VCREATE",
     "field type",
     {"year NUMERIC", "year NUMERIC genre TAG", "new BOOL", "a.b TAG",
      "genre TAG new BOOL year NUMERIC", "year NUMERIC year TAG"}},
    {"VALTER", "option", {"", "", "", "DIM 3"}},
    {"VALTER",
     "ADD|DROP field [type]",
     {"ADD x TAG", "DROP year", "ADD a.b NUMERIC new BOOL", "DROP nosuch", "ADD n NUMERIC"}},
    {"config|set",
     "parameter value",
     {"slowlog-max-len 10", "maxmemory-policy allkeys-lru", "timeout 0", "appendfsync always",
      "save 60 1", "hz 10", "slowlog-log-slower-than 0 slowlog-max-len 5",
      "latency-monitor-threshold 1", "maxclients x"}},
    {"blpop", "key", {"list 0", "nosuch list 1", "nosuch 0.01", "list other 0"}},
    {"brpop", "key", {"list 0", "nosuch list 1", "nosuch 0.01", "list other 0"}},
    {"bzpopmin", "key", {"zset 0", "nosuch zset 1", "nosuch 0.01", "zset z2 0"}},
    {"bzpopmax", "key", {"zset 0", "nosuch zset 1", "nosuch 0.01", "zset z2 0"}},
    {"bzmpop",
     "numkeys key",
     {"1 zset MIN", "2 nosuch zset MAX COUNT 2", "1 nosuch MIN", "3 zset z2 zset MIN"}},
    {"blmpop",
     "numkeys key",
     {"1 list LEFT", "2 nosuch list RIGHT COUNT 2", "1 nosuch LEFT", "3 list other list LEFT"}},
    {"lmpop",
     "numkeys key",
     {"1 list LEFT", "2 nosuch list RIGHT COUNT 2", "1 nosuch LEFT", "3 list other list LEFT"}},
    {"json.get",
     "INDENT s | NEWLINE s | SPACE s | FORMAT f | path",
     {"", "$", "$.a $..l", ".l .a", "INDENT x NEWLINE y SPACE z $", "FORMAT EXPAND $", ".none",
      "INDENT", "FORMAT x", "NOESCAPE ."}},
    {"json.mget", "key ... path", {"doc other $.a", "doc .", "doc s $..l", "nosuch $["}},
    {"json.mset",
     "key path json",
     {"doc $.a 1", "doc $ {\"a\":1} doc $.l [1] new1 $ 5", "doc $ {", "s $ 1", "nosuch $.a 1"}},
    {"command|list",
     "filter",
     {"", "FILTERBY MODULE x", "FILTERBY ACLCAT read", "FILTERBY PATTERN *a*"}},
    {"command|getkeys",
     "command-and-arguments",
     {"get a", "mset a 1 b 2", "vadd k FP32 x e", "object freq a", "ping", "eval 1 2 3"}},
    {"command|getkeysandflags",
     "command-and-arguments",
     {"set a 1", "del a b c", "copy a b", "ping"}},
    {"client|pause", "write|all", {"WRITE", "ALL", ""}},
    {"slowlog|get", "count", {"", "5", "-1", "1"}},
    {"sintercard",
     "numkeys",
     {"1 set", "2 set big LIMIT 1", "1 none LIMIT 0", "2 set zset", "0 set"}},
    {"zadd",
     "score member",
     {"1 e1", "NX 2 e2 3 e9", "XX CH 4 e1", "GT 5 e1 1 e2", "LT CH 0 e3", "INCR 1.5 e1",
      "inf e1 1 e1", "x e1", "NX XX 1 e1"}},
    {"zrange",
     "option",
     {"", "WITHSCORES", "REV WITHSCORES", "BYSCORE LIMIT 0 2", "BYSCORE REV", "BYLEX",
      "BYLEX REV"}},
    {"zrangestore", "option", {"", "REV", "BYSCORE LIMIT 0 2", "BYLEX", "BYSCORE REV"}},
    {"zrevrange", "option", {"", "WITHSCORES", "LIMIT 1 2", "LIMIT 0 -1 WITHSCORES"}},
    {"zrangebyscore", "option", {"", "WITHSCORES", "LIMIT 1 2", "LIMIT 0 -1 WITHSCORES"}},
    {"zrevrangebyscore", "option", {"", "WITHSCORES", "LIMIT 1 2", "LIMIT 0 -1 WITHSCORES"}},
    {"zrangebylex", "option", {"", "WITHSCORES", "LIMIT 1 2", "LIMIT 0 -1 WITHSCORES"}},
    {"zrevrangebylex", "option", {"", "WITHSCORES", "LIMIT 1 2", "LIMIT 0 -1 WITHSCORES"}},
    {"sort",
     "option",
     {"", "ALPHA", "BY nosort GET #", "BY w_* GET e* GET h->e1", "ALPHA DESC LIMIT 1 2",
      "ALPHA STORE new8", "LIMIT 0 x", "GET"}},
    {"sort_ro",
     "option",
     {"", "ALPHA", "BY nosort GET #", "BY w_* GET e* GET h->e1", "ALPHA DESC LIMIT 1 2",
      "STORE new8", "LIMIT 0 x"}},
    {"zmpop",
     "numkeys",
     {"1 zset MIN", "2 none z2 MAX COUNT 2", "1 none MIN", "1 zset MIN COUNT 0"}},
    {"zunion",
     "numkeys",
     {"2 zset z2", "2 zset z2 WEIGHTS 2 3 AGGREGATE MIN", "3 zset set none AGGREGATE max",
      "1 zset WITHSCORES", "2 set big WEIGHTS 1 inf", "1 none", "0 zset"}},
    {"zinter",
     "numkeys",
     {"2 zset z2", "2 zset z2 WEIGHTS 2 3 AGGREGATE MIN", "3 zset set none AGGREGATE max",
      "1 zset WITHSCORES", "2 set big WEIGHTS 1 inf", "1 none", "0 zset"}},
    {"zdiff", "numkeys", {"2 zset z2", "1 zset", "3 zset set none", "1 none", "0 zset"}},
    {"zintercard", "numkeys", {"2 zset z2", "1 zset LIMIT 1", "3 zset set none LIMIT 0", "1 none"}},
    {"zunionstore",
     "numkeys",
     {"2 zset z2", "2 zset z2 WEIGHTS 2 3 AGGREGATE MIN", "3 zset set none AGGREGATE max",
      "2 set big WEIGHTS 1 inf", "1 none", "0 zset"}},
    {"zinterstore",
     "numkeys",
     {"2 zset z2", "2 zset z2 WEIGHTS 2 3 AGGREGATE MIN", "3 zset set none AGGREGATE max",
      "2 set big WEIGHTS 1 inf", "1 none", "0 zset"}},
    {"zdiffstore", "numkeys", {"2 zset z2", "1 zset", "3 zset set none", "1 none", "0 zset"}},
    {"mset", "key value", {"a 1 b 2", "s x", "new1 1 new2 2 new1 3"}},
    {"msetnx", "key value", {"new3 1 new4 2", "s x t y"}},
};

struct slice value_alternative(const char *name, int number)
{
    struct slice none = {NULL, 0};
    if (strchr(name, '|') == NULL || strchr(name, ' ') != NULL)
        return none;
    while (number-- > 0) {
        name = strchr(name, '|');
        if (name == NULL)
            return none;
        name++;
    }
    return (struct slice){(const uint8_t *)name, strcspn(name, "|")};
}

/* -- garbage ------------------------------------------------------------------------------------*/

void value_garbage(struct grammar *g)
{
    static const char *const texts[] = {
        "",         "x",        "*",    "\r\n",    "\r\nSET injected 1\r\n",
        "'",        "\"",       "%s%n", "{\"a\":", "NX",
        "FP32",     "\xff\xfe", "-",    "+",       "[",
        "((((((((", "0",        "a b",  "$-1",     "../../x"};
    uint64_t kind = chance_below(&g->chance, 10);
    if (kind < 7) {
        buf_append_text(&g->bytes, texts[chance_below(&g->chance, COUNT_OF(texts))]);
    } else if (kind == 7) {
        buf_append_text(&g->bytes,
                        edges_of_numbers[chance_below(&g->chance, COUNT_OF(edges_of_numbers))]);
    } else if (kind == 8) {
        size_t size = chance_below(&g->chance, 300);
        for (size_t i = 0; i < size; i++)
            buf_append_byte(&g->bytes, (uint8_t)(i < 8 ? chance_below(&g->chance, 256) : i));
    } else {
        static const size_t sizes[] = {511, 512, 513, 4096, 4097, 65535, 65536};
        size_t size = sizes[chance_below(&g->chance, COUNT_OF(sizes))];
        uint8_t byte = (uint8_t) "a[(*0"[chance_below(&g->chance, 5)];
        for (size_t i = 0; i < size; i++)
            buf_append_byte(&g->bytes, byte);
    }
}

/* -- numbers ------------------------------------------------------------------------------------*/

static void write_int(struct grammar *g, const struct arg *arg, bool edge)
{
    static const int64_t small[] = {0, 1, 2, 3, 4, 5, 8, 10, 16, 24, 64, 100};
    if (edge) {
        int64_t near[] = {arg->min, arg->max, arg->min == INT64_MIN ? 0 : arg->min - 1,
                          arg->max == INT64_MAX ? 0 : arg->max + 1};
        if (chance_below(&g->chance, 3) == 0)
            buf_append_text(&g->bytes,
                            edges_of_numbers[chance_below(&g->chance, COUNT_OF(edges_of_numbers))]);
        else
            buf_printf(&g->bytes, "%lld", (long long)near[chance_below(&g->chance, 4)]);
        return;
    }
    int64_t value = small[chance_below(&g->chance, COUNT_OF(small))];
    if (value < arg->min)
        value = arg->min + value;
    if (value > arg->max)
        value = arg->max;
    buf_printf(&g->bytes, "%lld", (long long)value);
    g->last_count = (size_t)(value > 0 ? value : 0);
}

static const char *some_float(struct grammar *g)
{
    static const char *const floats[] = {"0", "1", "-1", "0.5", "2.25", "1e-3", "-3.5", "100"};
    static const char *const odd[] = {"nan", "inf", "-inf", "1e39", "1e-46", "", "x", "0x1p3"};
    return chance_below(&g->chance, 100) < g->garbage
               ? odd[chance_below(&g->chance, COUNT_OF(odd))]
               : floats[chance_below(&g->chance, COUNT_OF(floats))];
}

void value_floats(struct grammar *g)
{
    char text[16];
    size_t dim = GRAMMAR_DIM, said = dim;
    if (chance_below(&g->chance, 100) < g->garbage)
        dim = chance_below(&g->chance, 7);
    if (chance_below(&g->chance, 200) < g->garbage)
        said = chance_below(&g->chance, 70000);
    (void)snprintf(text, sizeof(text), "%zu", said < dim ? dim : said);
    grammar_put_text(g, text);
    for (size_t i = 0; i < dim; i++)
        grammar_put_text(g, some_float(g));
}

/* Name, bytes of a vector of the collection of that type (fuzz_world.c), and that collection. */
static const struct {
    const char *name;
    size_t size;
    const char *key;
} types[] = {{"FP32", 4 * GRAMMAR_DIM, "c"},
             {"FP16", 2 * GRAMMAR_DIM, "fp16"},
             {"BF16", 2 * GRAMMAR_DIM, "bf16"},
             {"INT8", GRAMMAR_DIM, "int8"},
             {"BIT", 4, "bit"}};

const char *value_type(uint64_t number)
{
    CHECK(number < COUNT_OF(types));
    return types[number].name;
}

bool value_is_type(const char *word)
{
    for (size_t i = 0; i < COUNT_OF(types); i++)
        if (word != NULL && strcmp(types[i].name, word) == 0)
            return true;
    return false;
}

static void write_floats(struct grammar *g, size_t count)
{
    static const float floats[] = {0.0F, 1.0F, -1.0F, 0.5F, 3.25F, 1e-3F};
    const float odd[] = {NAN, INFINITY, -INFINITY, 3e38F, 1e-45F, -0.0F};
    for (size_t i = 0; i < count; i++) {
        float value = floats[chance_below(&g->chance, COUNT_OF(floats))];
        if (chance_below(&g->chance, 400) < g->garbage)
            value = odd[chance_below(&g->chance, COUNT_OF(odd))];
        buf_append(&g->bytes, &value, sizeof(value));
    }
}

void value_blob(struct grammar *g, size_t vectors)
{
    size_t type = 0;
    while (strcmp(types[type].name, g->type) != 0)
        type++;
    if (vectors > 1000)
        vectors = 1000;
    if (type == 0)
        write_floats(g, vectors * GRAMMAR_DIM);
    for (size_t i = 0; type > 0 && i < vectors * types[type].size; i++)
        buf_append_byte(&g->bytes, (uint8_t)(i % 4 == 1 ? 0x3c : chance_below(&g->chance, 60)));
    if (chance_below(&g->chance, 200) < g->garbage)
        buf_append_text(&g->bytes, "xyz");
}

const char *value_json_vector(struct grammar *g)
{
    static const char *const good[] = {"[1,2,3,4]", "[0.5, -1, 1e2, 0]", "[ 1 , 1 , 1 , 1 ]"};
    static const char *const bad[] = {"[1,2,3]",       "[1,2,3,4",    "[]",
                                      "[1,\"2\",3,4]", "[[1,2,3,4]]", "{\"a\":1}",
                                      "[1e999,0,0,0]", "nonsense",    "[1,2,3,4]]"};
    return chance_below(&g->chance, 100) < g->garbage
               ? bad[chance_below(&g->chance, COUNT_OF(bad))]
               : good[chance_below(&g->chance, COUNT_OF(good))];
}

void value_element(struct grammar *g)
{
    if (chance_below(&g->chance, 100) < g->garbage)
        value_garbage(g);
    else
        buf_printf(&g->bytes, "e%d", 1 + (int)chance_below(&g->chance, 6));
}

/* -- names --------------------------------------------------------------------------------------*/

static void write_key(struct grammar *g, const struct command *c)
{
    static const char *const strings[] = {"s", "n", "long", "volatile"};
    static const char *const collections[] = {"c",    "h",    "v",    "cache", "c",  "h",
                                              "fp16", "bf16", "int8", "bit",   "ivf"};
    static const char *const hashes[] = {"hash", "times"};
    static const char *const documents[] = {"doc", "letters"};
    static const char *const sets[] = {"set", "big", "set", "one"};
    static const char *const zsets[] = {"zset", "z2", "zset", "tall"};
    uint64_t kind = chance_below(&g->chance, 20);
    bool vectors = c->group == GROUP_VECTOR, any = c->group != GROUP_STRING && !vectors;
    bool of_hash = c->group == GROUP_HASH;
    bool of_set = c->group == GROUP_SET, of_zset = c->group == GROUP_ZSET;
    bool creates = c->run == cmd_vcreate || c->run == cmd_vadd || c->run == cmd_restore;
    size_t aim = 0;
    while (g->aim != NULL && strcmp(types[aim].name, g->aim) != 0)
        aim++;
    if (kind == 0)
        buf_append_text(&g->bytes, "none");
    else if (g->aim != NULL && kind < 16)
        buf_append_text(&g->bytes, types[aim].key);
    else if (c->group == GROUP_JSON && kind < 17)
        buf_append_text(&g->bytes, documents[chance_below(&g->chance, COUNT_OF(documents))]);
    else if (kind < (creates ? 10u : 3u))
        buf_printf(&g->bytes, "new%d", (int)chance_below(&g->chance, creates ? 200 : 5));
    else if (of_set ? kind < 17 : any && kind == 16)
        buf_append_text(&g->bytes, sets[chance_below(&g->chance, COUNT_OF(sets))]);
    else if (of_zset ? kind < 17 : any && kind == 15)
        buf_append_text(&g->bytes, zsets[chance_below(&g->chance, COUNT_OF(zsets))]);
    else if (of_hash ? kind < 17 : any && kind > 16)
        buf_append_text(&g->bytes, hashes[chance_below(&g->chance, COUNT_OF(hashes))]);
    else if (kind == 19 || (vectors || (any && kind % 2 == 0)))
        buf_append_text(&g->bytes, collections[chance_below(&g->chance, COUNT_OF(collections))]);
    else
        buf_append_text(&g->bytes, strings[chance_below(&g->chance, COUNT_OF(strings))]);
}

/* The texts for a name, or NULL. */
static const char *const *texts_of(const char *name, size_t *count)
{
    for (size_t i = 0; i < COUNT_OF(texts_by_name); i++) {
        if (strcmp(name, texts_by_name[i].name) != 0)
            continue;
        *count = 0;
        while (*count < COUNT_OF(texts_by_name[i].texts) && texts_by_name[i].texts[*count] != NULL)
            (*count)++;
        return texts_by_name[i].texts;
    }
    return NULL;
}

static void write_named(struct grammar *g, const struct command *c, const struct arg *arg)
{
    const char *name = arg->name;
    size_t count = 0;
    const char *const *texts = texts_of(name, &count);
    if (strcmp(name, "key") == 0) {
        write_key(g, c);
    } else if (strcmp(name, "blob") == 0) {
        value_blob(g, g->last_count);
    } else if (strcmp(name, "serialized-value") == 0) {
        const struct buf *dump = &g->dumps[chance_below(&g->chance, GRAMMAR_DUMPS)];
        size_t from = g->bytes.len;
        buf_append_slice(&g->bytes, buf_slice(dump));
        if (chance_below(&g->chance, 100) < g->garbage && dump->len > 0)
            g->bytes.ptr[from + chance_below(&g->chance, dump->len)] ^=
                (uint8_t)(1 + chance_below(&g->chance, 255));
    } else if (texts != NULL) {
        buf_append_text(&g->bytes, texts[chance_below(&g->chance, count)]);
    } else {
        buf_append_text(&g->bytes, "1");
    }
}

static int count_alternatives(const char *name)
{
    int count = 0;
    while (value_alternative(name, count).len > 0)
        count++;
    return count;
}

static int write_alternative(struct grammar *g, const struct arg *arg, int word)
{
    int count = count_alternatives(arg->name);
    if (word < 0)
        word = (int)chance_below(&g->chance, (uint64_t)count);
    buf_append_slice(&g->bytes, value_alternative(arg->name, word));
    return word;
}

int value_write(struct grammar *g, const struct command *c, const struct arg *arg, int word)
{
    uint64_t dice = chance_below(&g->chance, 100);
    bool number = arg->kind == ARG_INT || arg->kind == ARG_OPT_INT;
    if (word < 0 && dice < g->garbage) {
        value_garbage(g);
        return -1;
    }
    if (number) {
        write_int(g, arg, dice < g->garbage + g->edges);
    } else if (arg->kind == ARG_OPT_FLOAT) {
        buf_append_text(&g->bytes,
                        dice < g->garbage + g->edges
                            ? edges_of_numbers[chance_below(&g->chance, COUNT_OF(edges_of_numbers))]
                            : some_float(g));
    } else if (count_alternatives(arg->name) > 1) {
        return write_alternative(g, arg, word);
    } else if (dice < g->garbage + g->edges && strstr(arg->name, "seconds") != NULL) {
        buf_append_text(&g->bytes,
                        edges_of_numbers[chance_below(&g->chance, COUNT_OF(edges_of_numbers))]);
    } else {
        write_named(g, c, arg);
    }
    return -1;
}

static void put_words(struct grammar *g, const char *line)
{
    char word[64];
    while (*line != '\0') {
        size_t len = strcspn(line, " ");
        (void)snprintf(word, sizeof(word), "%.*s", (int)len, line);
        grammar_put_text(g, word);
        line += len;
        line += strspn(line, " ");
    }
}

/* Any option of the server with any value. */
static void put_any_option(struct grammar *g)
{
    const struct config_option *o =
        config_option_at(chance_below(&g->chance, config_option_count()));
    grammar_put_text(g, o->name);
    if (chance_below(&g->chance, 2) == 0)
        grammar_put_text(g, o->default_text);
    else
        grammar_put_text(g, edges_of_numbers[chance_below(&g->chance, COUNT_OF(edges_of_numbers))]);
}

bool value_put_group(struct grammar *g, const struct command *c, const struct arg *arg)
{
    if (c->run == cmd_vexplain && g->depth == 0) {
        static const char *const inner[] = {"vsearch", "vsim", "vquery", "vcount", "vmsearch"};
        grammar_put_command(
            g, command_find(slice_of(inner[chance_below(&g->chance, COUNT_OF(inner))])));
        return true;
    }
    if (c->run == cmd_config_set && chance_below(&g->chance, 3) == 0) {
        put_any_option(g);
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(groups_by_name); i++) {
        if (strcmp(c->name, groups_by_name[i].command) != 0 ||
            strcmp(arg->name, groups_by_name[i].name) != 0)
            continue;
        if (chance_below(&g->chance, 100) < g->garbage || value_alternative(arg->name, 0).len > 0)
            return false;
        size_t count = 0;
        while (count < COUNT_OF(groups_by_name[i].groups) &&
               groups_by_name[i].groups[count] != NULL)
            count++;
        put_words(g, groups_by_name[i].groups[chance_below(&g->chance, count)]);
        return true;
    }
    return false;
}

static int find_alternative(const char *name, const char *word)
{
    for (int i = 0; value_alternative(name, i).len > 0; i++)
        if (slice_eq(value_alternative(name, i), slice_of(word)))
            return i;
    return -1;
}

/* Is an option refused without this word? */
static bool goes_with(const char *option, const char *word)
{
    static const struct {
        const char *option, *word;
    } pairs[] = {{"ASC", "SORTBY"},
                 {"DESC", "SORTBY"},
                 {"GROUPSIZE", "GROUPBY"},
                 {"FETCH", "MMR"},
                 {"RAW", "WITHVECTORS"},
                 {"PARAMS", "FILTER"}};
    for (size_t i = 0; i < COUNT_OF(pairs) && option != NULL; i++)
        if (strcmp(pairs[i].option, option) == 0 && strcmp(pairs[i].word, word) == 0)
            return true;
    return false;
}

/* Has what is aimed at to do with INDEX IVF, or with QUANT PQ? */
static bool is_of_lists(const struct target *must, bool parts)
{
    static const char *const words[] = {"SUB", "NLIST", "NPROBE"};
    bool quant =
        must->word >= 0 && slice_eq(value_alternative(must->arg->name, must->word), slice_of("PQ"));
    for (size_t i = 0; i < (parts ? 1 : COUNT_OF(words)); i++)
        if (must->arg->word != NULL && strcmp(must->arg->word, words[i]) == 0)
            return true;
    return quant && !parts;
}

bool value_is_needed(const struct command *c, const struct arg *arg, const struct target *must,
                     int *word)
{
    const char *aim = must != NULL ? must->arg->word : NULL;
    bool bits = must != NULL && must->word >= 0 &&
                (slice_eq(value_alternative(must->arg->name, must->word), slice_of("HAMMING")) ||
                 slice_eq(value_alternative(must->arg->name, must->word), slice_of("JACCARD")));
    if (bits && strcmp(arg->word, "TYPE") == 0) {
        *word = find_alternative(arg->name, "BIT");
        return true;
    }
    if (must != NULL && strcmp(arg->word, "INDEX") == 0 && is_of_lists(must, false)) {
        *word = find_alternative(arg->name, "IVF");
        return true;
    }
    if (must != NULL && strcmp(arg->word, "QUANT") == 0 && is_of_lists(must, true)) {
        *word = find_alternative(arg->name, "PQ");
        return true;
    }
    return (c->run == cmd_vcreate && strcmp(arg->word, "DIM") == 0) ||
           strcmp(arg->word, "FIELDS") == 0 || goes_with(aim, arg->word) ||
           (c->run == cmd_vmadd && strcmp(arg->word, "FP32") == 0 &&
            (must == NULL || !value_is_type(must->arg->word)));
}
