/* Commands about documents: made up, and told what they do. */
#include <inttypes.h>
#include <stdio.h>

#include "sim/workload_private.h"

enum { LIST_FULL = 24, NAMES = 4 };

bool json_is(enum op op)
{
    return op >= OP_JSON_SET && op <= OP_JSON_GET;
}

unsigned json_some(struct world *w)
{
    return one_in(w, 12) ? (unsigned)below(w, MODEL_KEYS)
                         : MODEL_KEYS - MODEL_JSON_KEYS + (unsigned)below(w, MODEL_JSON_KEYS);
}

static char name_of(const struct ask *c)
{
    return c->keys.fields[0] == NAMES ? 'l' : (char)('a' + c->keys.fields[0]);
}

/* -- making ---------------------------------------------------------------------------------------
 */

/* A whole document: a member, and a list. */
static void whole_text(const struct ask *c, char out[MODEL_DOC_TEXT])
{
    struct model_doc d = {.count = 2, .list_count = 1};
    d.members[0] = (struct model_member){'a', c->keys.number};
    d.members[1] = (struct model_member){'l', 0};
    d.list[0] = c->keys.end;
    (void)model_doc_write(&d, out);
}

/* What the document held when the command was made has a list that must not grow on and on. */
static bool is_full(const struct world *w, unsigned key)
{
    struct model_doc d;
    const struct model_held *held = model_held_at(w->model, key, w->model->at);
    return held != NULL && held->is_json && model_doc_read(held->string, &d) &&
           d.list_count >= LIST_FULL;
}

void json_make(struct world *w, struct ask *c, struct ask_args *a)
{
    static const char *const names[] = {"JSON.SET", "JSON.DEL", "json.arrappend", "JSON.NUMINCRBY",
                                        "JSON.GET"};
    struct keys_want *k = &c->keys;
    char text[MODEL_DOC_TEXT];
    if (c->op == OP_JSON_ARRAPPEND && is_full(w, c->key))
        c->op = OP_JSON_SET;
    k->keys[0] = c->key;
    k->key_count = 1;
    k->number = (int64_t)below(w, 1000) - 500;
    k->end = (int64_t)below(w, 1000);
    k->fields[0] = (unsigned)below(w, NAMES);
    k->replace = c->op == OP_JSON_SET && (one_in(w, 2) || is_full(w, c->key)); /* all of it */
    k->nx = c->op == OP_JSON_SET && one_in(w, 6);
    if (c->op == OP_JSON_ARRAPPEND || (c->op == OP_JSON_DEL && one_in(w, 3)))
        k->fields[0] = NAMES;
    k->get = c->op == OP_JSON_DEL && k->fields[0] == NAMES && one_in(w, 2); /* its first element */
    ask_add_text(a, names[c->op - OP_JSON_SET]);
    ask_add_key(a, c->key);
    char path[16] = "$";
    if (!k->replace && c->op != OP_JSON_GET)
        (void)snprintf(path, sizeof(path), "$.%c%s", name_of(c), k->get ? "[0]" : "");
    ask_add_text(a, path);
    if (c->op == OP_JSON_DEL || c->op == OP_JSON_GET)
        return;
    (void)snprintf(text, sizeof(text), "%" PRId64, k->number);
    if (k->replace)
        whole_text(c, text);
    ask_add_text(a, text);
    if (k->nx)
        ask_add_text(a, "NX");
}

/* -- what they do ---------------------------------------------------------------------------------
 */

static void answer(struct expectation *e, enum expected reply, const char *text)
{
    e->reply = reply;
    e->text = slice_of(text);
}

static struct mutation *change(const struct ask *c, struct expectation *e, enum mutation_kind kind)
{
    struct mutation *m = &e->changes[0];
    e->change_count = 1;
    (void)snprintf(e->path, sizeof(e->path), "$[\"%c\"]%s", name_of(c), c->keys.get ? "[0]" : "");
    *m = (struct mutation){.kind = kind, .key = keys_name(c->key), .path = slice_of(e->path)};
    return m;
}

static void expect_set(const struct ask *c, const struct model_doc *d, struct expectation *e)
{
    bool there = d != NULL && (c->keys.replace || model_doc_member(d, name_of(c)) != NULL);
    if (d == NULL && !c->keys.replace) {
        answer(e, EXPECT_ERROR, "created at the root");
        return;
    }
    if (there && c->keys.nx) {
        e->reply = EXPECT_NIL;
        return;
    }
    struct mutation *m = change(c, e, MUTATION_JSON_SET);
    (void)snprintf(e->document, sizeof(e->document), "%" PRId64, c->keys.number);
    if (c->keys.replace) {
        whole_text(c, e->document);
        m->path = slice_of("$");
    }
    m->value = slice_of(e->document);
    answer(e, EXPECT_STATUS, "OK");
}

/* A document goes with its last member. */
static void expect_del(const struct ask *c, const struct model_doc *d, struct expectation *e)
{
    bool there =
        d != NULL && model_doc_member(d, name_of(c)) != NULL && (!c->keys.get || d->list_count > 0);
    e->reply = EXPECT_INT;
    e->number = there;
    if (!there)
        return;
    if (d->count == 1 && !c->keys.get)
        e->changes[e->change_count++] =
            (struct mutation){.kind = MUTATION_KEY_REMOVE, .key = keys_name(c->key)};
    else
        (void)change(c, e, MUTATION_JSON_REMOVE);
}

static void expect_append(const struct ask *c, const struct model_doc *d, struct expectation *e)
{
    if (d == NULL) {
        answer(e, EXPECT_ERROR, "a key that doesn't exist");
        return;
    }
    bool there = model_doc_member(d, 'l') != NULL;
    e->reply = EXPECT_INTS;
    e->number = there;
    if (!there)
        return;
    struct mutation *m = change(c, e, MUTATION_JSON_INSERT);
    (void)snprintf(e->document, sizeof(e->document), "[%" PRId64 "]", c->keys.number);
    m->offset = d->list_count;
    m->value = slice_of(e->document);
    e->numbers[0] = (long long)d->list_count + 1;
}

static void expect_number(const struct ask *c, const struct model_doc *d, struct expectation *e)
{
    if (d == NULL) {
        answer(e, EXPECT_ERROR, "a key that doesn't exist");
        return;
    }
    const struct model_member *member = model_doc_member(d, name_of(c));
    answer(e, EXPECT_TEXT, "[]");
    if (member == NULL)
        return;
    int64_t value = member->number + c->keys.number;
    (void)snprintf(e->room, TEXT_MAX, "%" PRId64, value);
    (void)snprintf(e->document, sizeof(e->document), "[%" PRId64 "]", value);
    change(c, e, MUTATION_JSON_SET)->value = slice_of(e->room);
    answer(e, EXPECT_TEXT, e->document);
}

void json_expect(const struct ask *c, const struct model_held *held, struct expectation *e)
{
    struct model_doc d;
    char text[MODEL_DOC_TEXT];
    if (held != NULL && !held->is_json) {
        answer(e, EXPECT_ERROR, "WRONGTYPE");
        return;
    }
    bool good = held == NULL || model_doc_read(held->string, &d);
    CHECK(good);
    const struct model_doc *there = held == NULL ? NULL : &d;
    switch ((int)c->op) {
    case OP_JSON_SET:
        expect_set(c, there, e);
        return;
    case OP_JSON_DEL:
        expect_del(c, there, e);
        return;
    case OP_JSON_ARRAPPEND:
        expect_append(c, there, e);
        return;
    case OP_JSON_NUMINCRBY:
        expect_number(c, there, e);
        return;
    default:
        CHECK(c->op == OP_JSON_GET);
        e->reply = EXPECT_NIL;
        if (there == NULL)
            return;
        struct slice whole = model_doc_write(there, text);
        (void)snprintf(e->document, sizeof(e->document), "[%.*s]", (int)whole.len,
                       (const char *)whole.ptr);
        answer(e, EXPECT_TEXT, e->document);
    }
}
