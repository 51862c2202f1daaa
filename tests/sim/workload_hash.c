/* Commands about hashes: made up, and told what they do. */
#include <inttypes.h>
#include <stdio.h>

#include "sim/workload_private.h"

enum { FIELDS = 14 };

bool hash_is(enum op op)
{
    return op >= OP_HSET && op <= OP_HTTL;
}

unsigned hash_some(struct world *w)
{
    return one_in(w, 12) ? (unsigned)below(w, MODEL_KEYS)
                         : MODEL_VECTOR_KEYS + MODEL_STRING_KEYS +
                               (unsigned)below(w, MODEL_HASH_KEYS);
}

static struct slice name_of(const struct ask *c, size_t i)
{
    static const char names[FIELDS][4] = {"f0", "f1", "f2", "f3",  "f4",  "f5", "f6",
                                          "f7", "f8", "f9", "f10", "f11", "",   "f\r\n"};
    CHECK(i < c->keys.field_count && c->keys.fields[i] < FIELDS);
    return slice_of(names[c->keys.fields[i]]);
}

/* -- making ---------------------------------------------------------------------------------------
 */

static bool has_values(enum op op)
{
    return op == OP_HSET || op == OP_HSETNX;
}

static void add_fields(struct world *w, struct ask *c, struct ask_args *a, size_t count)
{
    struct keys_want *k = &c->keys;
    k->field_count = count;
    for (size_t i = 0; i < count; i++) {
        k->fields[i] = (unsigned)below(w, FIELDS);
        (void)snprintf(k->texts[i], TEXT_MAX, "%" PRIu64, w->next_token++);
        ask_add(a, name_of(c, i));
        if (has_values(c->op))
            ask_add_text(a, k->texts[i]);
    }
}

static void add_counted(struct world *w, struct ask *c, struct ask_args *a)
{
    size_t count = 1 + below(w, ASK_KEYS_MAX);
    ask_add_text(a, "FIELDS");
    ask_add_number(a, count);
    add_fields(w, c, a, count);
}

static void make_expire(struct world *w, struct ask *c, struct ask_args *a)
{
    struct keys_want *k = &c->keys;
    k->absolute = one_in(w, 2);
    k->time = k->absolute ? TIME_PXAT : TIME_PX;
    k->time_value = (int64_t)below(w, 4000);
    if (k->absolute)
        k->time_value += (int64_t)w->now_ms - 800;
    ask_add_text(a, k->absolute ? "HPEXPIREAT" : "hpexpire");
    ask_add_key(a, c->key);
    ask_add_signed(a, k->time_value);
    k->nx = one_in(w, 6);
    k->xx = !k->nx && one_in(w, 6);
    k->gt = !k->nx && !k->xx && one_in(w, 6);
    if (k->nx || k->xx || k->gt)
        ask_add_text(a, k->nx ? "NX" : k->xx ? "xx" : "GT");
    add_counted(w, c, a);
}

void hash_make(struct world *w, struct ask *c, struct ask_args *a)
{
    const char *name = op_name(c->op) + strlen("OP_");
    c->keys.keys[0] = c->key;
    c->keys.key_count = 1;
    if (c->op == OP_HEXPIRE) {
        make_expire(w, c, a);
        return;
    }
    c->keys.absolute = c->op == OP_HTTL && one_in(w, 2);
    ask_add_text(a, c->op != OP_HTTL ? name : c->keys.absolute ? "HPEXPIRETIME" : "HPTTL");
    ask_add_key(a, c->key);
    switch ((int)c->op) {
    case OP_HSET:
    case OP_HDEL:
        add_fields(w, c, a, 1 + below(w, ASK_KEYS_MAX));
        break;
    case OP_HGET:
    case OP_HSETNX:
        add_fields(w, c, a, 1);
        break;
    case OP_HINCRBY:
        c->keys.number = one_in(w, 20) ? INT64_MAX - 5 : (int64_t)below(w, 100) - 50;
        add_fields(w, c, a, 1);
        ask_add_signed(a, c->keys.number);
        break;
    case OP_HTTL:
    case OP_HPERSIST:
        add_counted(w, c, a);
        break;
    default:
        CHECK(c->op == OP_HGETALL || c->op == OP_HLEN);
    }
}

/* -- what they do ---------------------------------------------------------------------------------
 */

/* A command in hand. */
struct run_of {
    const struct ask *c;
    const struct model_hash *hash; /* NULL: none */
    struct expectation *e;
    const struct hash_field *found[ASK_KEYS_MAX]; /* by field of the command; NULL: not there */
};

static struct mutation *change(const struct run_of *r, enum mutation_kind kind)
{
    struct expectation *e = r->e;
    struct mutation *m = &e->changes[0];
    e->change_count = 1;
    *m = (struct mutation){.kind = kind, .key = keys_name(r->c->key)};
    if (kind == MUTATION_HASH_SET)
        m->fields = e->fields;
    else
        m->ids = e->names;
    return m;
}

static void expect_set(const struct run_of *r)
{
    const struct ask *c = r->c;
    long long added = 0;
    expect_int(r->e, 0);
    if (c->op == OP_HSETNX && r->found[0] != NULL)
        return;
    struct mutation *m = change(r, MUTATION_HASH_SET);
    for (size_t i = 0; i < c->keys.field_count; i++) {
        r->e->fields[i] =
            (struct hash_field){.name = name_of(c, i), .value = slice_of(c->keys.texts[i])};
        added += r->found[i] == NULL && !ask_named_before(r->c, i);
    }
    m->count = c->keys.field_count;
    expect_int(r->e, added);
}

static void expect_incrby(const struct run_of *r)
{
    int64_t value = 0;
    struct hash_field f = {.name = name_of(r->c, 0)};
    if (r->found[0] != NULL)
        f = *r->found[0];
    r->e->reply = EXPECT_ERROR;
    r->e->text = slice_of("hash value is not an integer");
    if (r->found[0] != NULL && !slice_to_i64(f.value, &value))
        return;
    r->e->text = slice_of("overflow");
    if (__builtin_add_overflow(value, r->c->keys.number, &value))
        return;
    (void)snprintf(r->e->room, TEXT_MAX, "%" PRId64, value);
    f.value = slice_of(r->e->room);
    r->e->fields[0] = f;
    change(r, MUTATION_HASH_SET)->count = 1;
    expect_int(r->e, value);
}

static void expect_del(const struct run_of *r)
{
    long long removed = 0;
    size_t count = 0;
    for (size_t i = 0; i < r->c->keys.field_count; i++) {
        if (r->found[i] == NULL)
            continue;
        r->e->names[count++] = name_of(r->c, i);
        removed += !ask_named_before(r->c, i);
    }
    expect_int(r->e, removed);
    if (count > 0)
        change(r, MUTATION_HASH_REMOVE)->count = count;
}

static bool allowed(const struct keys_want *k, uint64_t now, int64_t wanted)
{
    return !(k->nx && now > 0) && !(k->xx && now == 0) &&
           !(k->gt && (now == 0 || wanted <= (int64_t)now));
}

/* HEXPIRE and HPERSIST: an answer for each field, and a change of some. */
static void expect_times(const struct run_of *r)
{
    const struct keys_want *k = &r->c->keys;
    bool persists = r->c->op == OP_HPERSIST;
    int64_t at = persists ? 0 : k->time_value + (k->absolute ? 0 : (int64_t)r->c->now_ms);
    bool past = !persists && at <= (int64_t)r->c->now_ms;
    size_t count = 0;
    r->e->reply = EXPECT_INTS;
    r->e->number = (long long)k->field_count;
    for (size_t i = 0; i < k->field_count; i++) {
        const struct hash_field *f = r->found[i];
        bool changes = f != NULL && (persists ? f->expire_ms > 0 : allowed(k, f->expire_ms, at));
        r->e->numbers[i] = f == NULL ? -2 : !changes ? (persists ? -1 : 0) : past ? 2 : 1;
        if (changes)
            r->e->names[count++] = name_of(r->c, i);
    }
    if (count == 0)
        return;
    struct mutation *m = change(r, past ? MUTATION_HASH_REMOVE : MUTATION_HASH_EXPIRE);
    m->count = count;
    m->expire_ms = past ? 0 : (uint64_t)at;
}

static void expect_ttl(const struct run_of *r)
{
    r->e->reply = EXPECT_INTS;
    r->e->number = (long long)r->c->keys.field_count;
    for (size_t i = 0; i < r->c->keys.field_count; i++) {
        const struct hash_field *f = r->found[i];
        uint64_t from = r->c->keys.absolute ? 0 : r->c->now_ms;
        r->e->numbers[i] = f == NULL             ? -2
                           : f->expire_ms == 0 ? -1
                                               : (long long)(f->expire_ms - from);
    }
}

static long long count_seen(const struct run_of *r)
{
    long long count = 0;
    for (size_t i = 0; r->hash != NULL && i < r->hash->count; i++)
        count += model_field(r->hash, r->hash->fields[i].name, r->c->now_ms) != NULL;
    return count;
}

void hash_expect(const struct ask *c, const struct model_held *held, struct expectation *e)
{
    struct run_of r = {.c = c, .hash = held == NULL ? NULL : held->hash, .e = e};
    if (held != NULL && held->hash == NULL) {
        e->reply = EXPECT_ERROR;
        e->text = slice_of("WRONGTYPE");
        return;
    }
    for (size_t i = 0; i < c->keys.field_count; i++)
        r.found[i] = model_field(r.hash, name_of(c, i), c->now_ms);
    switch ((int)c->op) {
    case OP_HSET:
    case OP_HSETNX:
        expect_set(&r);
        return;
    case OP_HDEL:
        expect_del(&r);
        return;
    case OP_HGET:
        e->reply = r.found[0] == NULL ? EXPECT_NIL : EXPECT_TEXT;
        e->text = r.found[0] == NULL ? (struct slice){0} : r.found[0]->value;
        return;
    case OP_HGETALL:
        e->reply = EXPECT_HASH;
        e->hash = r.hash;
        e->now_ms = c->now_ms;
        e->number = count_seen(&r);
        return;
    case OP_HLEN:
        expect_int(r.e, count_seen(&r));
        return;
    case OP_HINCRBY:
        expect_incrby(&r);
        return;
    case OP_HEXPIRE:
    case OP_HPERSIST:
        expect_times(&r);
        return;
    default:
        CHECK(c->op == OP_HTTL);
        expect_ttl(&r);
    }
}

/* In some order; no field comes twice, as there are as many as there must be. */
bool hash_reply_is(const struct expectation *e, const redisReply *r)
{
    if (!reply_is_list(r) || r->elements != 2 * (size_t)e->number)
        return false;
    for (size_t i = 0; i < r->elements; i += 2) {
        const struct hash_field *f =
            model_field(e->hash, reply_slice(r->element[i]), e->now_ms);
        if (f == NULL || !slice_eq(f->value, reply_slice(r->element[i + 1])))
            return false;
        for (size_t j = 0; j < i; j += 2)
            if (slice_eq(reply_slice(r->element[j]), f->name))
                return false;
    }
    return true;
}

/* Does the change remove fields whose time is over, and no others? */
bool hash_removes_over(struct world *w, const struct mutation *m, uint64_t now_ms)
{
    unsigned key = model_key_of(m->key);
    if (m->kind != MUTATION_HASH_REMOVE || key == MODEL_KEYS)
        return false;
    const struct model_held *held = model_held_at(w->model, key, w->model->at);
    for (size_t i = 0; i < m->count; i++) {
        const struct model_hash *h = held == NULL ? NULL : held->hash;
        const struct hash_field *f = model_field(h, m->ids[i], 0);
        if (f == NULL || f->expire_ms == 0 || f->expire_ms >= now_ms)
            return false;
    }
    w->fields_expired += m->count;
    return true;
}
