/* Commands about keys and strings: made up, and told what they do. */
#include <inttypes.h>
#include <stdio.h>

#include "sim/workload_private.h"

bool keys_is(enum op op)
{
    return op >= OP_SET && op <= OP_DBSIZE;
}

/* -- making ---------------------------------------------------------------------------------------
 */

unsigned keys_some(struct world *w)
{
    if (one_in(w, 12))
        return (unsigned)below(w, MODEL_KEYS);
    return MODEL_VECTOR_KEYS + (unsigned)below(w, MODEL_STRING_KEYS);
}

static void add_signed(struct ask_args *a, int64_t number)
{
    char text[TEXT_MAX];
    (void)snprintf(text, sizeof(text), "%" PRId64, number);
    ask_add_text(a, text);
}

/* One more key of the command; nothing is added yet. */
static void take_key(struct world *w, struct ask *c)
{
    struct keys_want *k = &c->keys;
    CHECK(k->key_count < ASK_KEYS_MAX);
    k->keys[k->key_count] = k->key_count == 0 ? c->key : keys_some(w);
    (void)snprintf(k->texts[k->key_count], TEXT_MAX, "%" PRIu64, w->next_token++);
    k->key_count++;
}

static void add_keys(struct world *w, struct ask *c, struct ask_args *a, size_t more, bool pairs)
{
    while (c->keys.key_count < 1 + more)
        take_key(w, c);
    for (size_t i = 0; i < c->keys.key_count; i++) {
        ask_add_key(a, c->keys.keys[i]);
        if (pairs)
            ask_add_text(a, c->keys.texts[i]);
    }
}

/* Mostly soon; sometimes over already. */
static void choose_time(struct world *w, struct keys_want *k)
{
    k->time = (enum ask_time)(TIME_EX + below(w, 4));
    switch (k->time) {
    case TIME_EX:
        k->time_value = 1 + (int64_t)below(w, 4);
        break;
    case TIME_PX:
        k->time_value = 1 + (int64_t)below(w, 3000);
        break;
    case TIME_EXAT:
        k->time_value = (int64_t)(w->now_ms / 1000 + below(w, 6)) - 1;
        break;
    case TIME_PXAT:
        k->time_value = (int64_t)(w->now_ms + below(w, 4000)) - 800;
        break;
    case TIME_NONE:
    case TIME_KEEP:
        break;
    }
}

void ask_add_time(struct world *w, struct ask *c, struct ask_args *a)
{
    static const char *const words[] = {"", "EX", "px", "EXAT", "PXAT"};
    choose_time(w, &c->keys);
    ask_add_text(a, words[c->keys.time]);
    add_signed(a, c->keys.time_value);
}

static void add_time(struct world *w, struct ask *c, struct ask_args *a, const char *keep)
{
    struct keys_want *k = &c->keys;
    if (one_in(w, 4)) {
        k->time = TIME_KEEP;
        ask_add_text(a, keep);
    } else if (one_in(w, 2)) {
        ask_add_time(w, c, a);
    }
}

static void make_set(struct world *w, struct ask *c, struct ask_args *a)
{
    struct keys_want *k = &c->keys;
    ask_add_text(a, "set");
    add_keys(w, c, a, 0, true);
    k->nx = one_in(w, 6);
    k->xx = !k->nx && one_in(w, 6);
    k->get = one_in(w, 4);
    if (k->nx)
        ask_add_text(a, "NX");
    if (k->get)
        ask_add_text(a, "GET");
    add_time(w, c, a, "KEEPTTL");
    if (k->xx)
        ask_add_text(a, "xx");
}

static void make_setex(struct world *w, struct ask *c, struct ask_args *a)
{
    struct keys_want *k = &c->keys;
    k->time = one_in(w, 2) ? TIME_EX : TIME_PX;
    k->time_value = 1 + (int64_t)below(w, k->time == TIME_EX ? 4 : 3000);
    ask_add_text(a, k->time == TIME_EX ? "SETEX" : "PSETEX");
    add_keys(w, c, a, 0, false);
    add_signed(a, k->time_value);
    ask_add_text(a, k->texts[0]);
}

static void make_expire(struct world *w, struct ask *c, struct ask_args *a)
{
    static const char *const names[] = {"EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"};
    struct keys_want *k = &c->keys;
    choose_time(w, k);
    k->milliseconds = k->time == TIME_PX || k->time == TIME_PXAT;
    k->absolute = k->time == TIME_EXAT || k->time == TIME_PXAT;
    if (!k->absolute && one_in(w, 8))
        k->time_value = -k->time_value;
    ask_add_text(a, names[k->milliseconds + 2 * k->absolute]);
    add_keys(w, c, a, 0, false);
    add_signed(a, k->time_value);
    k->nx = one_in(w, 6);
    k->xx = !k->nx && one_in(w, 6);
    k->gt = !k->nx && one_in(w, 6);
    k->lt = !k->nx && !k->gt && one_in(w, 6);
    if (k->nx || k->xx)
        ask_add_text(a, k->nx ? "NX" : "xx");
    if (k->gt || k->lt)
        ask_add_text(a, k->gt ? "GT" : "lt");
}

static void make_ttl(struct world *w, struct ask *c, struct ask_args *a)
{
    static const char *const names[] = {"TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME"};
    c->keys.milliseconds = one_in(w, 2);
    c->keys.absolute = one_in(w, 2);
    ask_add_text(a, names[c->keys.milliseconds + 2 * c->keys.absolute]);
    add_keys(w, c, a, 0, false);
}

static void make_range(struct world *w, struct ask *c, struct ask_args *a)
{
    struct keys_want *k = &c->keys;
    bool sets = c->op == OP_SETRANGE;
    k->number = sets ? (int64_t)below(w, 40) : (int64_t)below(w, 60) - 30;
    k->end = (int64_t)below(w, 60) - 30;
    ask_add_text(a, sets ? "SETRANGE" : one_in(w, 2) ? "GETRANGE" : "substr");
    add_keys(w, c, a, 0, false);
    add_signed(a, k->number);
    if (!sets) {
        add_signed(a, k->end);
        return;
    }
    if (one_in(w, 8))
        k->texts[0][0] = '\0';
    ask_add_text(a, k->texts[0]);
}

static void make_incrby(struct world *w, struct ask *c, struct ask_args *a)
{
    struct keys_want *k = &c->keys;
    k->number = one_in(w, 20) ? INT64_MAX - 5 : (int64_t)below(w, 100) - 50;
    ask_add_text(a, "INCRBY");
    add_keys(w, c, a, 0, false);
    add_signed(a, k->number);
}

static void make_two(struct world *w, struct ask *c, struct ask_args *a)
{
    struct keys_want *k = &c->keys;
    bool copies = c->op == OP_COPY;
    k->nx = !copies && one_in(w, 3);
    k->replace = copies && one_in(w, 2);
    ask_add_text(a, copies ? "COPY" : k->nx ? "RENAMENX" : "RENAME");
    add_keys(w, c, a, 1, false);
    if (k->replace)
        ask_add_text(a, "REPLACE");
}

/* Of the one index that there may be. */
static const char *const added_words[] = {"added", "TAG"};
/* Values are numbers as text: those of four digits are vectors. */
static const char *const index_words[] = {"PREFIX",
                                          "1",
                                          "k",
                                          "SCHEMA",
                                          "f0",
                                          "NUMERIC",
                                          "f1",
                                          "TAG",
                                          "f2",
                                          "TEXT",
                                          "f3",
                                          "VECTOR",
                                          "HNSW",
                                          "6",
                                          "TYPE",
                                          "INT8",
                                          "DIM",
                                          "4",
                                          "DISTANCE_METRIC",
                                          "L2"};

/* A word of the one dictionary, or of the one group of synonyms of that index. */
static void make_words(const struct ask *c, struct ask_args *a)
{
    if (c->op == OP_FT_SYNONYM) {
        ask_add_text(a, "FT.SYNUPDATE");
        ask_add_text(a, "index");
    } else {
        ask_add_text(a, c->op == OP_FT_DICTADD ? "FT.DICTADD" : "FT.DICTDEL");
    }
    ask_add_text(a, "list");
    ask_add_text(a, "word");
}

static void make_index(const struct ask *c, struct ask_args *a)
{
    static const char *const commands[] = {"FT.CREATE", "FT.DROPINDEX", "FT.ALTER",
                                           "FT.ALIASUPDATE", "FT.ALIASDEL"};
    CHECK((size_t)(c->op - OP_FT_CREATE) < COUNT_OF(commands));
    ask_add_text(a, commands[c->op - OP_FT_CREATE]);
    if (c->op == OP_FT_ALIAS || c->op == OP_FT_UNALIAS)
        ask_add_text(a, "alias");
    if (c->op != OP_FT_UNALIAS)
        ask_add_text(a, "index");
    for (size_t i = 0; c->op == OP_FT_CREATE && i < COUNT_OF(index_words); i++)
        ask_add_text(a, index_words[i]);
    if (c->op != OP_FT_ALTER)
        return;
    ask_add_text(a, "SCHEMA");
    ask_add_text(a, "ADD");
    for (size_t i = 0; i < COUNT_OF(added_words); i++)
        ask_add_text(a, added_words[i]);
}

void keys_make(struct world *w, struct ask *c, struct ask_args *a)
{
    const char *name = op_name(c->op) + strlen("OP_");
    if (hash_is(c->op) || list_is(c->op) || members_is(c->op)) {
        (hash_is(c->op) ? hash_make : list_is(c->op) ? list_make : members_make)(w, c, a);
        return;
    }
    if (json_is(c->op)) {
        json_make(w, c, a);
        return;
    }
    switch ((int)c->op) {
    case OP_SET:
        make_set(w, c, a);
        return;
    case OP_SETEX:
        make_setex(w, c, a);
        return;
    case OP_GETEX:
        ask_add_text(a, name);
        add_keys(w, c, a, 0, false);
        add_time(w, c, a, "PERSIST");
        return;
    case OP_SETRANGE:
    case OP_GETRANGE:
        make_range(w, c, a);
        return;
    case OP_INCRBY:
        make_incrby(w, c, a);
        return;
    case OP_EXPIRE:
        make_expire(w, c, a);
        return;
    case OP_TTL:
        make_ttl(w, c, a);
        return;
    case OP_RENAME:
    case OP_COPY:
        make_two(w, c, a);
        return;
    case OP_FT_CREATE:
    case OP_FT_DROP:
    case OP_FT_ALTER:
    case OP_FT_ALIAS:
    case OP_FT_UNALIAS:
        make_index(c, a);
        return;
    case OP_FT_SYNONYM:
    case OP_FT_DICTADD:
    case OP_FT_DICTDEL:
        make_words(c, a);
        return;
    case OP_DBSIZE:
        ask_add_text(a, name);
        return;
    default:
        break;
    }
    bool many = c->op == OP_MSET || c->op == OP_MSETNX || c->op == OP_DEL || c->op == OP_EXISTS;
    bool pairs = c->op == OP_MSET || c->op == OP_MSETNX || c->op == OP_SETNX ||
                 c->op == OP_GETSET || c->op == OP_APPEND;
    ask_add_text(a, c->op == OP_DEL && one_in(w, 2) ? "UNLINK" : name);
    add_keys(w, c, a, many ? below(w, 3) : 0, pairs);
}

/* -- what they do ---------------------------------------------------------------------------------
 */

/* A command in hand. */
struct run_of {
    const struct world *w;
    const struct ask *c;
    uint64_t at;
    struct model_held *held; /* by its first key */
    struct expectation *e;
};

static struct model_held *seen(const struct run_of *r, size_t i)
{
    return model_seen_at(r->w->model, r->c->keys.keys[i], r->at, r->c->now_ms);
}

struct slice keys_name(unsigned key)
{
    static const char names[MODEL_KEYS][3] = {"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7",
                                              "k8", "k9", "k:", "k;", "k<", "k=", "k>", "k?"};
    return slice_of(names[key]);
}

static uint64_t expiry_of(const struct run_of *r)
{
    return r->held == NULL ? 0 : model_expiry_at(r->held, r->at);
}

static struct mutation *change(const struct run_of *r, enum mutation_kind kind, size_t key)
{
    struct expectation *e = r->e;
    CHECK(e->change_count < CHANGES_MAX);
    struct mutation *m = &e->changes[e->change_count++];
    *m = (struct mutation){.kind = kind, .key = keys_name(r->c->keys.keys[key])};
    return m;
}

static void change_string(const struct run_of *r, size_t key, struct slice value,
                          uint64_t expire_ms)
{
    struct mutation *m = change(r, MUTATION_STRING_SET, key);
    m->value = value;
    m->expire_ms = expire_ms;
}

static void answer_text(const struct run_of *r, enum expected kind, struct slice text)
{
    r->e->reply = kind;
    r->e->text = text;
}

static void answer_old(const struct run_of *r)
{
    if (r->held == NULL)
        r->e->reply = EXPECT_NIL;
    else
        answer_text(r, EXPECT_TEXT, r->held->string);
}

static struct slice text_of(const struct run_of *r, size_t i)
{
    return slice_of(r->c->keys.texts[i]);
}

/* The Unix time that the command names, in milliseconds. */
static int64_t time_of_ask(const struct ask *c)
{
    const struct keys_want *k = &c->keys;
    int64_t value = k->time_value;
    if (k->time == TIME_EX || k->time == TIME_EXAT)
        value *= 1000;
    if (k->time == TIME_EX || k->time == TIME_PX)
        value += (int64_t)c->now_ms;
    return value;
}

uint64_t ask_expiry(const struct ask *c)
{
    return c->keys.time == TIME_NONE ? 0 : (uint64_t)time_of_ask(c);
}

static int64_t time_of(const struct run_of *r)
{
    return time_of_ask(r->c);
}

static void expect_set(const struct run_of *r)
{
    const struct keys_want *k = &r->c->keys;
    bool sets = !(k->nx && r->held != NULL) && !(k->xx && r->held == NULL);
    bool named = k->time != TIME_NONE && k->time != TIME_KEEP;
    if (sets)
        change_string(r, 0, text_of(r, 0),
                      named                  ? (uint64_t)time_of(r)
                      : k->time == TIME_KEEP ? expiry_of(r)
                                             : 0);
    if (k->get)
        answer_old(r);
    else if (sets)
        answer_text(r, EXPECT_STATUS, slice_of("OK"));
    else
        r->e->reply = EXPECT_NIL;
}

static void expect_getex(const struct run_of *r)
{
    const struct keys_want *k = &r->c->keys;
    answer_old(r);
    if (r->held == NULL || k->time == TIME_NONE)
        return;
    bool absolute = k->time == TIME_EXAT || k->time == TIME_PXAT;
    if (k->time == TIME_KEEP) { /* PERSIST */
        if (expiry_of(r) > 0)
            (void)change(r, MUTATION_KEY_EXPIRE, 0);
    } else if (absolute && time_of(r) <= (int64_t)r->c->now_ms) {
        (void)change(r, MUTATION_KEY_REMOVE, 0);
    } else {
        change(r, MUTATION_KEY_EXPIRE, 0)->expire_ms = (uint64_t)time_of(r);
    }
}

static void expect_range_set(const struct run_of *r, uint64_t offset)
{
    struct slice value = text_of(r, 0);
    size_t old = r->held == NULL ? 0 : r->held->string.len;
    size_t end = offset + value.len > old ? offset + value.len : old;
    if (value.len == 0) {
        expect_int(r->e, (long long)old);
        return;
    }
    struct mutation *m = change(r, MUTATION_STRING_RANGE, 0);
    m->offset = offset;
    m->value = value;
    expect_int(r->e, (long long)end);
}

static void expect_range_got(const struct run_of *r)
{
    const struct keys_want *k = &r->c->keys;
    int64_t len = r->held == NULL ? 0 : (int64_t)r->held->string.len;
    int64_t from = k->number < 0 ? k->number + len : k->number;
    int64_t to = k->end < 0 ? k->end + len : k->end;
    bool empty = len == 0 || (k->number < 0 && k->end < 0 && k->number > k->end);
    from = from < 0 ? 0 : from;
    to = to < 0 ? 0 : to >= len ? len - 1 : to;
    if (empty || from > to)
        answer_text(r, EXPECT_TEXT, (struct slice){0});
    else
        answer_text(r, EXPECT_TEXT,
                    (struct slice){r->held->string.ptr + from, (size_t)(to - from + 1)});
}

static void expect_incrby(const struct run_of *r)
{
    int64_t value = 0;
    char again[TEXT_MAX];
    if (r->held != NULL) {
        bool number = slice_to_i64(r->held->string, &value);
        (void)snprintf(again, sizeof(again), "%" PRId64, value);
        if (!number || !slice_eq(slice_of(again), r->held->string)) {
            answer_text(r, EXPECT_ERROR, slice_of("not an integer"));
            return;
        }
    }
    if (__builtin_add_overflow(value, r->c->keys.number, &value)) {
        answer_text(r, EXPECT_ERROR, slice_of("overflow"));
        return;
    }
    (void)snprintf(r->e->room, TEXT_MAX, "%" PRId64, value);
    change_string(r, 0, slice_of(r->e->room), expiry_of(r));
    expect_int(r->e, value);
}

/* Was the key named before place i? */
static bool named_before(const struct run_of *r, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (r->c->keys.keys[j] == r->c->keys.keys[i])
            return true;
    return false;
}

static void expect_mset(const struct run_of *r)
{
    bool only_new = r->c->op == OP_MSETNX, sets = true;
    size_t count = r->c->keys.key_count;
    for (size_t i = 0; i < count && only_new; i++)
        sets = sets && seen(r, i) == NULL;
    for (size_t i = 0; i < count && sets; i++)
        change_string(r, i, text_of(r, i), 0);
    if (only_new)
        expect_int(r->e, sets);
    else
        answer_text(r, EXPECT_STATUS, slice_of("OK"));
}

static void expect_del(const struct run_of *r)
{
    for (size_t i = 0; i < r->c->keys.key_count; i++)
        if (seen(r, i) != NULL && !named_before(r, i))
            (void)change(r, MUTATION_KEY_REMOVE, i);
    expect_int(r->e, (long long)r->e->change_count);
}

static void expect_exists(const struct run_of *r)
{
    long long count = 0;
    for (size_t i = 0; i < r->c->keys.key_count; i++)
        count += seen(r, i) != NULL;
    expect_int(r->e, count);
}

static void expect_expire(const struct run_of *r)
{
    const struct keys_want *k = &r->c->keys;
    int64_t now = (int64_t)expiry_of(r), wanted = time_of(r);
    bool never = now == 0;
    bool changes = r->held != NULL && !(k->nx && !never) && !(k->xx && never) &&
                   !(k->gt && (never || wanted <= now)) && !(k->lt && !never && wanted >= now);
    expect_int(r->e, changes);
    if (!changes)
        return;
    if (wanted <= (int64_t)r->c->now_ms)
        (void)change(r, MUTATION_KEY_REMOVE, 0);
    else
        change(r, MUTATION_KEY_EXPIRE, 0)->expire_ms = (uint64_t)wanted;
}

static void expect_ttl(const struct run_of *r)
{
    const struct keys_want *k = &r->c->keys;
    uint64_t expire_ms = expiry_of(r);
    if (r->held == NULL || expire_ms == 0) {
        expect_int(r->e, r->held == NULL ? -2 : -1);
        return;
    }
    uint64_t time = k->absolute ? expire_ms : expire_ms - r->c->now_ms;
    expect_int(r->e, (long long)(k->milliseconds ? time : (time + 500) / 1000));
}

static void expect_rename(const struct run_of *r)
{
    const struct keys_want *k = &r->c->keys;
    bool same = k->keys[0] == k->keys[1];
    bool moves = !same && !(k->nx && seen(r, 1) != NULL);
    if (r->held == NULL) {
        answer_text(r, EXPECT_ERROR, slice_of("no such key"));
        return;
    }
    if (moves)
        change(r, MUTATION_KEY_RENAME, 0)->new_key = keys_name(k->keys[1]);
    if (k->nx)
        expect_int(r->e, moves);
    else
        answer_text(r, EXPECT_STATUS, slice_of("OK"));
}

static void copy_hash(const struct run_of *r)
{
    r->e->copied_hash = r->held->hash;
    (void)change(r, MUTATION_HASH_SET, 0);
    if (expiry_of(r) > 0)
        change(r, MUTATION_KEY_EXPIRE, 0)->expire_ms = expiry_of(r);
    change(r, MUTATION_KEY_RENAME, 0)->new_key = keys_name(r->c->keys.keys[1]);
}

static void copy_list(const struct run_of *r)
{
    enum { VALUES_AT_ONCE = 64 };
    r->e->copied_list = r->held->list;
    for (size_t i = 0; i < r->held->list->count; i += VALUES_AT_ONCE) {
        size_t left = r->held->list->count - i;
        struct mutation *m = change(r, MUTATION_LIST_PUSH, 0);
        m->offset = i;
        m->count = left < VALUES_AT_ONCE ? left : VALUES_AT_ONCE;
    }
    if (expiry_of(r) > 0)
        change(r, MUTATION_KEY_EXPIRE, 0)->expire_ms = expiry_of(r);
    change(r, MUTATION_KEY_RENAME, 0)->new_key = keys_name(r->c->keys.keys[1]);
}

static void copy_document(const struct run_of *r)
{
    r->e->copied_json = r->held;
    (void)change(r, MUTATION_JSON_SET, 0);
    if (expiry_of(r) > 0)
        change(r, MUTATION_KEY_EXPIRE, 0)->expire_ms = expiry_of(r);
    change(r, MUTATION_KEY_RENAME, 0)->new_key = keys_name(r->c->keys.keys[1]);
}

static void copy_members(const struct run_of *r)
{
    const struct model_members *s = r->held->members;
    r->e->copied_members = s;
    (void)change(r, s->sorted ? MUTATION_ZSET_ADD : MUTATION_SET_ADD, 0);
    if (expiry_of(r) > 0)
        change(r, MUTATION_KEY_EXPIRE, 0)->expire_ms = expiry_of(r);
    change(r, MUTATION_KEY_RENAME, 0)->new_key = keys_name(r->c->keys.keys[1]);
}

static void copy_collection(const struct run_of *r)
{
    const struct model_collection *c = r->held->collection;
    r->e->copied = c;
    (void)change(r, MUTATION_COLLECTION_NEW, 0);
    unsigned bits = model_partitions_at(c, r->at);
    for (unsigned i = 1; i < MODEL_PARTITIONS; i++)
        if ((bits >> i & 1) != 0)
            change(r, MUTATION_PARTITION_NEW, 0)->partition = slice_of(model_partition_name(i));
    for (unsigned i = 0; i < MODEL_PARTITIONS; i++)
        if (model_count_in(c, i, r->at, r->c->now_ms) > 0)
            change(r, MUTATION_PUT, 0)->partition = slice_of(model_partition_name(i));
    if (expiry_of(r) > 0)
        change(r, MUTATION_KEY_EXPIRE, 0)->expire_ms = expiry_of(r);
    change(r, MUTATION_KEY_RENAME, 0)->new_key = keys_name(r->c->keys.keys[1]);
}

static void expect_copy(const struct run_of *r)
{
    const struct keys_want *k = &r->c->keys;
    bool copies = r->held != NULL && (k->replace || seen(r, 1) == NULL);
    if (k->keys[0] == k->keys[1]) {
        answer_text(r, EXPECT_ERROR, slice_of("are the same"));
        return;
    }
    if (copies && r->held->collection != NULL)
        copy_collection(r);
    else if (copies && r->held->hash != NULL)
        copy_hash(r);
    else if (copies && r->held->list != NULL)
        copy_list(r);
    else if (copies && r->held->members != NULL)
        copy_members(r);
    else if (copies && r->held->is_json)
        copy_document(r);
    else if (copies)
        change_string(r, 1, r->held->string, expiry_of(r));
    expect_int(r->e, copies);
}

static void expect_dbsize(const struct run_of *r)
{
    long long count = 0;
    for (unsigned key = 0; key < MODEL_KEYS; key++)
        count += model_held_at(r->w->model, key, r->at) != NULL;
    expect_int(r->e, count);
}

static void expect_index(const struct run_of *r)
{
    bool creates = r->c->op == OP_FT_CREATE, there = model_has(r->w->model, MODEL_INDEX, r->at);
    if (creates == there) {
        answer_text(r, EXPECT_ERROR, slice_of(there ? "Index already exists" : "no such index"));
        return;
    }
    struct mutation *m = &r->e->changes[r->e->change_count++];
    *m = (struct mutation){.kind = creates ? MUTATION_INDEX_NEW : MUTATION_INDEX_REMOVE,
                           .key = slice_of("index")};
    answer_text(r, EXPECT_STATUS, slice_of("OK"));
    for (size_t i = 0; creates && i < COUNT_OF(index_words); i++)
        r->e->index_words[i] = slice_of(index_words[i]);
    m->ids = creates ? r->e->index_words : NULL;
    m->count = creates ? COUNT_OF(index_words) : 0;
}

static void expect_alter(const struct run_of *r)
{
    bool there = model_has(r->w->model, MODEL_INDEX, r->at);
    if (!there || model_has(r->w->model, MODEL_ADDED, r->at)) {
        answer_text(r, EXPECT_ERROR, slice_of(there ? "Duplicate field" : "no such index"));
        return;
    }
    struct mutation *m = &r->e->changes[r->e->change_count++];
    *m = (struct mutation){.kind = MUTATION_INDEX_ALTER, .key = slice_of("index")};
    for (size_t i = 0; i < COUNT_OF(added_words); i++)
        r->e->index_words[i] = slice_of(added_words[i]);
    m->ids = r->e->index_words;
    m->count = COUNT_OF(added_words);
    answer_text(r, EXPECT_STATUS, slice_of("OK"));
}

static void expect_alias(const struct run_of *r)
{
    bool sets = r->c->op == OP_FT_ALIAS;
    if (!model_has(r->w->model, sets ? MODEL_INDEX : MODEL_ALIAS, r->at)) {
        answer_text(r, EXPECT_ERROR,
                    slice_of(sets ? "Unknown index name" : "Alias does not exist"));
        return;
    }
    struct mutation *m = &r->e->changes[r->e->change_count++];
    *m = (struct mutation){.kind = sets ? MUTATION_ALIAS_SET : MUTATION_ALIAS_REMOVE,
                           .key = slice_of("alias")};
    m->new_key = sets ? slice_of("index") : (struct slice){0};
    answer_text(r, EXPECT_STATUS, slice_of("OK"));
}

static void expect_words(const struct run_of *r)
{
    bool synonym = r->c->op == OP_FT_SYNONYM, adds = r->c->op != OP_FT_DICTDEL;
    if (synonym && !model_has(r->w->model, MODEL_INDEX, r->at)) {
        answer_text(r, EXPECT_ERROR, slice_of("no such index"));
        return;
    }
    enum model_turn what = synonym ? MODEL_SYNONYM : MODEL_DICTIONARY;
    bool changes = model_has(r->w->model, what, r->at) != adds;
    if (synonym)
        answer_text(r, EXPECT_STATUS, slice_of("OK"));
    else
        expect_int(r->e, changes);
    if (!changes)
        return;
    struct mutation *m = &r->e->changes[r->e->change_count++];
    *m = (struct mutation){.kind = adds ? MUTATION_WORDS_ADD : MUTATION_WORDS_REMOVE,
                           .key = slice_of("list"),
                           .new_key = synonym ? slice_of("index") : (struct slice){0},
                           .ids = r->e->index_words,
                           .count = 1};
    r->e->index_words[0] = slice_of("word");
}

/* Those that take a collection for what it is not. */
static bool wants_string(const struct ask *c)
{
    return c->op == OP_GETSET || c->op == OP_GETEX || c->op == OP_GETDEL || c->op == OP_GET ||
           c->op == OP_STRLEN || c->op == OP_APPEND || c->op == OP_SETRANGE ||
           c->op == OP_GETRANGE || c->op == OP_INCRBY || (c->op == OP_SET && c->keys.get);
}

static void expect_string(const struct run_of *r)
{
    switch ((int)r->c->op) {
    case OP_SET:
        expect_set(r);
        return;
    case OP_GETSET:
        answer_old(r);
        change_string(r, 0, text_of(r, 0), 0);
        return;
    case OP_GETEX:
        expect_getex(r);
        return;
    case OP_GETDEL:
        answer_old(r);
        if (r->held != NULL)
            (void)change(r, MUTATION_KEY_REMOVE, 0);
        return;
    case OP_GET:
        answer_old(r);
        return;
    case OP_STRLEN:
        expect_int(r->e, r->held == NULL ? 0 : (long long)r->held->string.len);
        return;
    case OP_APPEND:
        expect_range_set(r, r->held == NULL ? 0 : r->held->string.len);
        return;
    case OP_SETRANGE:
        expect_range_set(r, (uint64_t)r->c->keys.number);
        return;
    case OP_GETRANGE:
        expect_range_got(r);
        return;
    case OP_INCRBY:
        expect_incrby(r);
        return;
    default:
        CHECK(false);
    }
}

static void expect_indexes(const struct run_of *r)
{
    switch ((int)r->c->op) {
    case OP_FT_CREATE:
    case OP_FT_DROP:
        expect_index(r);
        return;
    case OP_FT_ALTER:
        expect_alter(r);
        return;
    case OP_FT_ALIAS:
    case OP_FT_UNALIAS:
        expect_alias(r);
        return;
    case OP_FT_SYNONYM:
    case OP_FT_DICTADD:
    case OP_FT_DICTDEL:
        expect_words(r);
        return;
    default:
        CHECK(false);
    }
}

static void expect_key(const struct run_of *r)
{
    switch ((int)r->c->op) {
    case OP_SET:
        expect_set(r);
        return;
    case OP_SETEX:
        change_string(r, 0, text_of(r, 0), (uint64_t)time_of(r));
        answer_text(r, EXPECT_STATUS, slice_of("OK"));
        return;
    case OP_SETNX:
        if (r->held == NULL)
            change_string(r, 0, text_of(r, 0), 0);
        expect_int(r->e, r->held == NULL);
        return;
    case OP_MSET:
    case OP_MSETNX:
        expect_mset(r);
        return;
    case OP_DEL:
        expect_del(r);
        return;
    case OP_EXISTS:
        expect_exists(r);
        return;
    case OP_TYPE:
        answer_text(r, EXPECT_STATUS,
                    slice_of(r->held == NULL               ? "none"
                             : r->held->collection != NULL ? "vectorset"
                             : r->held->hash != NULL       ? "hash"
                             : r->held->list != NULL       ? "list"
                             : r->held->is_json            ? "ReJSON-RL"
                             : r->held->members == NULL    ? "string"
                             : r->held->members->sorted    ? "zset"
                                                           : "set"));
        return;
    case OP_EXPIRE:
        expect_expire(r);
        return;
    case OP_PERSIST:
        if (expiry_of(r) > 0)
            (void)change(r, MUTATION_KEY_EXPIRE, 0);
        expect_int(r->e, expiry_of(r) > 0);
        return;
    case OP_TTL:
        expect_ttl(r);
        return;
    case OP_RENAME:
        expect_rename(r);
        return;
    case OP_COPY:
        expect_copy(r);
        return;
    case OP_DBSIZE:
        expect_dbsize(r);
        return;
    default:
        expect_indexes(r);
    }
}

void keys_expect(const struct world *w, const struct ask *c, uint64_t at, struct expectation *e)
{
    struct run_of r = {.w = w, .c = c, .at = at, .e = e};
    *e = (struct expectation){0};
    CHECK(keys_is(c->op));
    if (members_is(c->op)) {
        members_expect(w, c, at, e);
        return;
    }
    bool keyless = c->op == OP_DBSIZE || (c->op >= OP_FT_CREATE && c->op <= OP_FT_DICTDEL);
    r.held = keyless ? NULL : seen(&r, 0);
    if (hash_is(c->op))
        hash_expect(c, r.held, e);
    else if (json_is(c->op))
        json_expect(c, r.held, e);
    else if (list_is(c->op))
        list_expect(c, r.held, c->keys.key_count > 1 ? seen(&r, 1) : NULL, e);
    else if (wants_string(c) && r.held != NULL && !model_is_string(r.held))
        answer_text(&r, EXPECT_ERROR, slice_of("WRONGTYPE"));
    else if (wants_string(c))
        expect_string(&r);
    else
        expect_key(&r);
}

bool keys_same(const struct mutation *a, const struct mutation *b)
{
    if (a->count != b->count || a->kind != b->kind)
        return false;
    for (size_t i = 0; i < a->count; i++) {
        const struct hash_field *f = a->fields == NULL ? NULL : &a->fields[i];
        if (f != NULL &&
            (!slice_eq(f->name, b->fields[i].name) || !slice_eq(f->value, b->fields[i].value) ||
             f->expire_ms != b->fields[i].expire_ms))
            return false;
    }
    if (!members_same(a, b))
        return false;
    return a->kind == b->kind && slice_eq(a->key, b->key) && slice_eq(a->value, b->value) &&
           a->expire_ms == b->expire_ms && a->offset == b->offset &&
           slice_eq(a->new_key, b->new_key) && a->limit == b->limit && a->at_head == b->at_head &&
           a->replaces == b->replaces && a->to_head == b->to_head && slice_eq(a->path, b->path);
}

const char *keys_check_reply(const struct expectation *e, const redisReply *r)
{
    bool right = false;
    char text[64] = "";
    switch (e->reply) {
    case EXPECT_INT:
        right = reply_is_int(r, e->number);
        break;
    case EXPECT_NIL:
        right = reply_is_nil(r);
        break;
    case EXPECT_TEXT:
        right = r->type == REDIS_REPLY_STRING && slice_eq(reply_slice(r), e->text);
        break;
    case EXPECT_STATUS:
        right = r->type == REDIS_REPLY_STATUS && slice_eq(reply_slice(r), e->text);
        break;
    case EXPECT_INTS:
        right = reply_is_list(r) && r->elements == (size_t)e->number;
        for (size_t i = 0; right && i < r->elements; i++)
            right = reply_is_int(r->element[i], e->numbers[i]);
        break;
    case EXPECT_HASH:
        right = hash_reply_is(e, r);
        break;
    case EXPECT_LIST:
        right = list_reply_is(e, r);
        break;
    case EXPECT_MEMBERS:
        right = members_reply_is(e, r);
        break;
    case EXPECT_SCORED:
        right = scored_reply_is(e, r);
        break;
    case EXPECT_SCORE:
        right = reply_number(r) == (double)e->number;
        break;
    case EXPECT_ERROR:
        CHECK(e->text.len < sizeof(text));
        memcpy(text, e->text.ptr, e->text.len);
        right = reply_is_error(r, text);
        break;
    }
    return right ? NULL : "the answer is not what the keys say";
}
