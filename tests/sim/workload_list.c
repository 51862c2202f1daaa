/* Commands about lists: made up, and told what they do. */
#include <inttypes.h>
#include <stdio.h>

#include "sim/workload_private.h"

bool list_is(enum op op)
{
    return op >= OP_RPUSH && op <= OP_LLEN;
}

unsigned list_some(struct world *w)
{
    return one_in(w, 12) ? (unsigned)below(w, MODEL_KEYS)
                         : MODEL_VECTOR_KEYS + MODEL_STRING_KEYS + MODEL_HASH_KEYS +
                               (unsigned)below(w, MODEL_LIST_KEYS);
}

/* -- making ---------------------------------------------------------------------------------------
 */

/* Mostly such as come again. */
static void add_values(struct world *w, struct ask *c, struct ask_args *a, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *text = c->keys.texts[c->keys.field_count++];
        uint64_t value = one_in(w, 5) ? UINT64_MAX / 2 + w->next_token++ : below(w, 6);
        (void)snprintf(text, TEXT_MAX, "%" PRIu64, value);
        ask_add_text(a, text);
    }
}

static void add_place(struct world *w, struct ask_args *a, int64_t *place)
{
    char text[TEXT_MAX];
    *place = (int64_t)below(w, 16) - 6;
    (void)snprintf(text, sizeof(text), "%" PRId64, *place);
    ask_add_text(a, text);
}

static void add_end(struct world *w, struct ask_args *a, bool *head)
{
    *head = one_in(w, 2);
    ask_add_text(a, *head ? "left" : "RIGHT");
}

void list_make(struct world *w, struct ask *c, struct ask_args *a)
{
    struct keys_want *k = &c->keys;
    k->keys[k->key_count++] = c->key;
    ask_add_text(a, op_name(c->op) + strlen("OP_"));
    ask_add_key(a, c->key);
    switch ((int)c->op) {
    case OP_RPUSH:
    case OP_LPUSH:
    case OP_LPUSHX:
        add_values(w, c, a, 1 + below(w, ASK_KEYS_MAX));
        return;
    case OP_LPOP:
    case OP_RPOP:
        k->number = one_in(w, 2) ? -1 : (int64_t)below(w, 5);
        if (k->number >= 0)
            ask_add_number(a, (uint64_t)k->number);
        return;
    case OP_LTRIM:
    case OP_LRANGE:
        add_place(w, a, &k->number);
        add_place(w, a, &k->end);
        return;
    case OP_LSET:
    case OP_LREM:
    case OP_LINDEX:
        add_place(w, a, &k->number);
        if (c->op != OP_LINDEX)
            add_values(w, c, a, 1);
        return;
    case OP_LINSERT:
        k->at_head = one_in(w, 2);
        ask_add_text(a, k->at_head ? "BEFORE" : "after");
        add_values(w, c, a, 2);
        return;
    case OP_LMOVE:
        k->keys[k->key_count++] = list_some(w);
        ask_add_key(a, k->keys[1]);
        add_end(w, a, &k->at_head);
        add_end(w, a, &k->to_head);
        return;
    case OP_SORT: /* a part, so that all of it has room in what is expected */
        k->keys[k->key_count++] = list_some(w);
        ask_add_text(a, "ALPHA");
        ask_add_text(a, "DESC");
        ask_add_text(a, "LIMIT");
        ask_add_number(a, 0);
        ask_add_number(a, ASK_KEYS_MAX);
        ask_add_text(a, "STORE");
        ask_add_key(a, k->keys[1]);
        return;
    default:
        CHECK(c->op == OP_LLEN);
    }
}

/* -- what they do ---------------------------------------------------------------------------------
 */

/* A command in hand. */
struct run_of {
    const struct ask *c;
    const struct model_list *list; /* NULL: none */
    struct expectation *e;
    int64_t count;
};

static struct mutation *change(const struct run_of *r, enum mutation_kind kind)
{
    r->e->change_count = 1;
    r->e->changes[0] = (struct mutation){.kind = kind, .key = keys_name(r->c->key)};
    return &r->e->changes[0];
}

static void answer_text(const struct run_of *r, enum expected what, struct slice text)
{
    r->e->reply = what;
    r->e->text = text;
}

/* So many values from a place on. */
static void answer_list(const struct run_of *r, size_t from, int64_t count, bool backwards)
{
    r->e->reply = EXPECT_LIST;
    r->e->list = r->list;
    r->e->from = from;
    r->e->number = count;
    r->e->backwards = backwards;
}

static void expect_push(const struct run_of *r)
{
    const struct keys_want *k = &r->c->keys;
    expect_int(r->e, 0);
    if (r->c->op == OP_LPUSHX && r->list == NULL)
        return;
    struct mutation *m = change(r, MUTATION_LIST_PUSH);
    m->at_head = r->c->op != OP_RPUSH;
    m->ids = r->e->names;
    m->count = k->field_count;
    for (size_t i = 0; i < m->count; i++)
        r->e->names[i] = slice_of(k->texts[i]);
    expect_int(r->e, r->count + (int64_t)m->count);
}

static void expect_pop(const struct run_of *r)
{
    const struct keys_want *k = &r->c->keys;
    bool head = r->c->op == OP_LPOP;
    int64_t count = k->number < 0 ? 1 : k->number < r->count ? k->number : r->count;
    r->e->reply = EXPECT_NIL;
    if (r->list == NULL)
        return;
    size_t from = head ? 0 : r->list->count - 1;
    if (k->number < 0)
        answer_text(r, EXPECT_TEXT, r->list->values[from]);
    else
        answer_list(r, from, count, !head);
    if (count == 0)
        return;
    struct mutation *m = change(r, MUTATION_LIST_TRIM);
    m->offset = head ? (uint64_t)count : 0;
    m->limit = head ? 0 : (uint64_t)count;
}

/* LRANGE and LTRIM: the places from first on, so many. */
static int64_t range_of(const struct run_of *r, int64_t *first)
{
    int64_t start = r->c->keys.number, stop = r->c->keys.end, length = r->count, count = 0;
    *first = -1;
    for (int64_t place = 0; place < length; place++) {
        bool after = place >= (start < 0 ? start + length : start);
        bool before = place <= (stop < 0 ? stop + length : stop);
        if (after && before && *first < 0)
            *first = place;
        count += after && before;
    }
    *first = *first < 0 ? 0 : *first;
    return count;
}

static void expect_trim(const struct run_of *r)
{
    int64_t first, count = range_of(r, &first);
    answer_text(r, EXPECT_STATUS, slice_of("OK"));
    if (count == r->count)
        return;
    struct mutation *m = change(r, MUTATION_LIST_TRIM);
    m->offset = (uint64_t)first;
    m->limit = (uint64_t)(r->count - first - count);
}

static void expect_place(const struct run_of *r)
{
    int64_t place = r->c->keys.number;
    bool sets = r->c->op == OP_LSET;
    bool there = place < r->count && place >= -r->count;
    place += place < 0 ? r->count : 0;
    if (!sets) {
        r->e->reply = EXPECT_NIL;
        if (there)
            answer_text(r, EXPECT_TEXT, r->list->values[place]);
        return;
    }
    if (!there) {
        answer_text(r, EXPECT_ERROR,
                    slice_of(r->list == NULL ? "no such key" : "index out of range"));
        return;
    }
    struct mutation *m = change(r, MUTATION_LIST_SET);
    m->offset = (uint64_t)place;
    m->value = slice_of(r->c->keys.texts[0]);
    answer_text(r, EXPECT_STATUS, slice_of("OK"));
}

static int64_t count_same(const struct run_of *r, struct slice value)
{
    int64_t same = 0;
    for (int64_t i = 0; i < r->count; i++)
        same += slice_eq(r->list->values[i], value);
    return same;
}

static void expect_insert(const struct run_of *r)
{
    expect_int(r->e, r->list == NULL ? 0 : -1);
    for (size_t i = 0; i < 2; i++)
        r->e->names[i] = slice_of(r->c->keys.texts[i]);
    if (count_same(r, r->e->names[0]) == 0)
        return;
    struct mutation *m = change(r, MUTATION_LIST_INSERT);
    m->ids = r->e->names;
    m->count = 2;
    m->at_head = r->c->keys.at_head;
    expect_int(r->e, r->count + 1);
}

static void expect_remove(const struct run_of *r)
{
    struct slice value = slice_of(r->c->keys.texts[0]);
    int64_t wanted = r->c->keys.number, same = count_same(r, value);
    int64_t most = wanted < 0 ? -wanted : wanted;
    same = most > 0 && most < same ? most : same;
    expect_int(r->e, same);
    if (same == 0)
        return;
    struct mutation *m = change(r, MUTATION_LIST_REMOVE);
    m->value = value;
    m->limit = (uint64_t)same;
    m->at_head = wanted >= 0;
}

static void expect_move(const struct run_of *r, const struct model_held *to)
{
    const struct keys_want *k = &r->c->keys;
    r->e->reply = EXPECT_NIL;
    if (r->list == NULL)
        return;
    if (to != NULL && to->list == NULL) {
        answer_text(r, EXPECT_ERROR, slice_of("WRONGTYPE"));
        return;
    }
    struct mutation *m = change(r, MUTATION_LIST_MOVE);
    m->new_key = keys_name(k->keys[1]);
    m->at_head = k->at_head;
    m->to_head = k->to_head;
    answer_text(r, EXPECT_TEXT, r->list->values[k->at_head ? 0 : r->count - 1]);
}

/* SORT: the last of its values in the order of their bytes, the greatest first. */
static void expect_sort(const struct run_of *r, const struct model_members *set, bool there)
{
    struct expectation *e = r->e;
    size_t count = 0, all = set != NULL ? set->count : (size_t)r->count;
    for (size_t i = 0; i < all; i++) {
        struct slice value = set != NULL ? set->items[i].member : r->list->values[i];
        size_t at = count;
        while (at > 0 && slice_cmp(e->names[at - 1], value) < 0)
            at--;
        count += count < ASK_KEYS_MAX;
        for (size_t j = count; j-- > at + 1;)
            e->names[j] = e->names[j - 1];
        if (at < count)
            e->names[at] = value;
    }
    expect_int(r->e, (long long)count);
    if (count == 0 && !there)
        return;
    struct mutation *m = change(r, count == 0 ? MUTATION_KEY_REMOVE : MUTATION_LIST_PUSH);
    m->key = keys_name(r->c->keys.keys[1]);
    m->ids = count == 0 ? NULL : e->names;
    m->count = count;
    m->replaces = count > 0;
}

void list_expect(const struct ask *c, const struct model_held *held,
                 const struct model_held *other, struct expectation *e)
{
    struct run_of r = {.c = c, .list = held == NULL ? NULL : held->list, .e = e};
    int64_t first, count;
    const struct model_members *set = held == NULL ? NULL : held->members;
    if (held != NULL && held->list == NULL && (c->op != OP_SORT || set == NULL)) {
        answer_text(&r, EXPECT_ERROR, slice_of("WRONGTYPE"));
        return;
    }
    r.count = r.list == NULL ? 0 : (int64_t)r.list->count;
    switch ((int)c->op) {
    case OP_RPUSH:
    case OP_LPUSH:
    case OP_LPUSHX:
        expect_push(&r);
        return;
    case OP_LPOP:
    case OP_RPOP:
        expect_pop(&r);
        return;
    case OP_LTRIM:
        expect_trim(&r);
        return;
    case OP_LRANGE:
        count = range_of(&r, &first);
        answer_list(&r, (size_t)first, count, false);
        return;
    case OP_LSET:
    case OP_LINDEX:
        expect_place(&r);
        return;
    case OP_LINSERT:
        expect_insert(&r);
        return;
    case OP_LREM:
        expect_remove(&r);
        return;
    case OP_LMOVE:
        expect_move(&r, other);
        return;
    case OP_SORT:
        expect_sort(&r, set, other != NULL);
        return;
    default:
        CHECK(c->op == OP_LLEN);
        expect_int(r.e, r.count);
    }
}

bool list_reply_is(const struct expectation *e, const redisReply *r)
{
    if (!reply_is_list(r) || r->elements != (size_t)e->number)
        return false;
    for (size_t i = 0; i < r->elements; i++) {
        size_t at = e->backwards ? e->from - i : e->from + i;
        if (!slice_eq(e->list->values[at], reply_slice(r->element[i])))
            return false;
    }
    return true;
}
