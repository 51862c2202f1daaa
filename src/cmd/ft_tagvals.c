/* FT.TAGVALS: a lane looks at all documents for the values of a TAG field. */
#include <stdio.h>
#include <stdlib.h>

#include "base/limits.h"
#include "cmd/ft.h"
#include "cmd/vector_job.h"
#include "db/query.h"
#include "ft/aggregate.h"

struct tag_values {
    struct json_pick *pick; /* the field */
    struct arena arena;
    struct agg_state values;
    struct search *search;
};

static void end_search(struct search *s)
{
    struct tag_values *t = s->extra;
    json_pick_free(t->pick);
    arena_fini(&t->arena);
}

/* -- [lane] ------------------------------------------------------------------------------------ */

static void add(struct tag_values *t, const struct json_value *v)
{
    static const struct agg_reducer distinct = {.kind = AGG_COUNT_DISTINCT};
    struct json_chars chars = json_chars_of(v->text, v->escaped);
    uint64_t unused = 0;
    struct value value = value_of(v->text);
    size_t size = 0;
    if (v->escaped) { /* what it says is never longer than how it is written */
        uint8_t *copy = arena_alloc(&t->arena, v->text.len);
        for (int c = json_chars_next(&chars); c >= 0 && copy != NULL; c = json_chars_next(&chars))
            copy[size++] = (uint8_t)c;
        value = value_of((struct slice){copy, size});
    }
    agg_state_add(&t->values, &distinct, &value, &t->arena, &unused);
}

static bool add_row(void *user, uint32_t row)
{
    struct tag_values *t = user;
    struct json_value v, item;
    json_pick_read(t->pick, view_attribute(&t->search->view, row), &v);
    if (v.kind == JSON_STRING)
        add(t, &v);
    struct json_items items = v.kind == JSON_ARRAY ? json_items_of(&v) : (struct json_items){0};
    while (v.kind == JSON_ARRAY && json_items_next(&items, &item))
        if (item.kind == JSON_STRING)
            add(t, &item);
    return !t->arena.failed && !t->arena.full;
}

static int by_text(const void *a, const void *b)
{
    return value_compare(a, b);
}

static enum err run(struct search *s, struct lane *lane)
{
    struct tag_values *t = s->extra;
    struct reply r = {&s->reply, s->proto};
    query_each(s, lane, add_row, t);
    if (t->arena.failed || t->arena.full)
        return ERR_NOMEM;
    if (t->values.item_count > 0)
        qsort(t->values.items, t->values.item_count, sizeof(*t->values.items), by_text);
    reply_set(&r, t->values.item_count);
    for (uint32_t i = 0; i < t->values.item_count; i++)
        reply_bulk(&r, value_slice(&t->values.items[i]));
    return OK;
}

/* -- the command ------------------------------------------------------------------------------- */

void cmd_ft_tagvals(struct request *rq)
{
    const struct ft_tagvals_args *a = rq->args;
    struct why why = {{0}};
    char name[24];
    struct key_index *x = ft_index(rq, a->index);
    if (x == NULL)
        return;
    const struct index_field *field = index_spec_field(x->spec, a->field);
    if (field == NULL || field->kind != INDEX_TAG) {
        reply_error(&rq->reply, field == NULL ? "No such field" : "Not a tag field");
        return;
    }
    struct search *s = search_new(x->db, x->docs, 1);
    struct tag_values *t = mem_try_calloc(MEM_SCRATCH, sizeof(*t));
    enum err e = s != NULL && t != NULL ? OK : ERR_NOMEM;
    int size = snprintf(name, sizeof(name), "f%zu", index_field_number(x, field));
    CHECK(size > 0 && (size_t)size < sizeof(name));
    struct slice names = slice_of(name);
    if (e == OK)
        e = json_pick_new("FT.TAGVALS", &names, 1, &t->pick, &why);
    if (e != OK) {
        reply_err(&rq->reply, e, NULL);
        mem_free(MEM_SCRATCH, t);
        search_free(s);
        return;
    }
    arena_init(&t->arena, LIMIT_AGGREGATE_SIZE);
    agg_state_init(&t->values, AGG_COUNT_DISTINCT);
    t->search = s;
    s->extra = t;
    s->end_extra = end_search;
    s->work = run;
    search_for_client(rq, s);
}
