#include "ft/index_filter.h"

#include "base/limits.h"
#include "base/mem.h"

enum { ARENA_MAX = 4 << 20 /* bytes that one evaluation may take */ };

struct index_filter {
    struct expr *expr;
    size_t ends[INDEX_FILTER_NAMES_MAX]; /* of names, one after the other in text */
    uint32_t count;
    struct buf text;
};

static struct slice name_of(const struct index_filter *f, uint32_t i)
{
    size_t from = i == 0 ? 0 : f->ends[i - 1];
    return (struct slice){f->text.ptr + from, f->ends[i] - from};
}

static enum err take_name(void *user, struct slice name, uint32_t *column, struct why *why)
{
    struct index_filter *f = user;
    for (*column = 0; *column < f->count; ++*column)
        if (slice_eq(name_of(f, *column), name))
            return OK;
    if (f->count == INDEX_FILTER_NAMES_MAX)
        return why_set(why, ERR_LIMIT, "FILTER reads at most %d fields", INDEX_FILTER_NAMES_MAX);
    buf_append_slice(&f->text, name);
    f->ends[f->count++] = f->text.len;
    return buf_failed(&f->text) ? ERR_NOMEM : OK;
}

enum err index_filter_new(struct slice text, struct index_filter **out, struct why *why)
{
    struct index_filter *f = mem_try_calloc(MEM_KEYSPACE, sizeof(*f));
    if (f == NULL)
        return ERR_NOMEM;
    f->text = BUF_INIT(MEM_KEYSPACE);
    enum err e = expr_compile(text, take_name, f, &f->expr, why);
    if (e == OK)
        *out = f;
    else
        index_filter_free(f);
    return e;
}

void index_filter_free(struct index_filter *f)
{
    if (f == NULL)
        return;
    if (f->expr != NULL)
        expr_free(f->expr);
    buf_fini(&f->text);
    mem_free(MEM_KEYSPACE, f);
}

static bool is_true(const struct value *v)
{
    if (v->kind == VALUE_NUMBER)
        return v->number != 0;
    return (v->kind == VALUE_TEXT || v->kind == VALUE_LIST) && v->size > 0;
}

enum err index_filter_passes(const struct index_filter *f, index_filter_read *read, void *user,
                             bool *passes)
{
    struct value row[INDEX_FILTER_NAMES_MAX], out = {0};
    struct arena arena;
    struct why why;
    for (uint32_t i = 0; i < f->count; i++)
        row[i] = read(user, name_of(f, i));
    arena_init(&arena, ARENA_MAX);
    enum err e = expr_eval(f->expr, row, &arena, &out, &why);
    *passes = e == OK && is_true(&out);
    e = arena.failed ? ERR_NOMEM : OK;
    arena_fini(&arena);
    return e;
}
