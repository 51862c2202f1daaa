/* FT.SEARCH: a query becomes a search of one of the index's collections; a lane finds the keys, and
 * the loop, which alone may read hashes, makes the reply of what they hold by then. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/ft_search.h"
#include "cmd/keys.h"
#include "cmd/vector_job.h"
#include "db/documents.h"

static void end_search(struct search *s)
{
    struct ft_search *f = s->extra;
    buf_fini(&f->spots);
    ft_options_fini(&f->options);
    ft_ask_fini(&f->ask);
}

/* -- [loop] the reply -------------------------------------------------------------------------- */

static int by_sort_key(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->number != y->number)
        return (x->number > y->number) - (x->number < y->number);
    return slice_cmp(x->text, y->text);
}

/* SORTBY a field of the documents that vectors have named, or another distance of theirs. */
static void read_sort_key(const struct showing *w, struct found *item)
{
    const struct ft_search *f = w->f;
    struct value v = {0};
    item->text = (struct slice){0};
    item->number = ft_hit_distance(&item->hit, f->sort_distance);
    if (f->sort_distance > 0)
        return;
    if (item->o != NULL)
        v = document_first(w->db, f->ask.spec, item->o, f->sort_path, w->room);
    item->number = f->options.descending ? -INFINITY : INFINITY; /* what lacks it comes last */
    if (v.kind == VALUE_NONE || v.kind == VALUE_NULL)
        return;
    item->number = 0;
    if (f->sort_number) {
        (void)value_to_number(&v, &item->number);
        return;
    }
    if (f->ask.spec->on_json) { /* room is of the next one, too */
        char number[VALUE_TEXT_MAX];
        v = value_text(w->texts, value_to_text(&v, number));
    }
    item->text = v.kind == VALUE_TEXT ? value_slice(&v) : (struct slice){0};
}

static void sort_found(struct showing *w)
{
    const struct ft_search *f = w->f;
    bool by_key = f->sort_path.len > 0 || f->sort_distance > 0;
    for (size_t i = 0; i < w->count && by_key; i++)
        read_sort_key(w, &w->items[i]);
    if (by_key && w->count > 0)
        qsort(w->items, w->count, sizeof(*w->items), by_sort_key);
    if (!f->options.descending)
        return;
    for (size_t i = 0; i < w->count / 2; i++) {
        struct found item = w->items[i];
        w->items[i] = w->items[w->count - 1 - i];
        w->items[w->count - 1 - i] = item;
    }
}

/* The next hits, and how many of them have no document any more. */
static size_t read_few(struct bytes_reader *r, struct showing *w)
{
    const struct ft_search *f = w->f;
    bool shows = !f->options.no_content;
    struct found *items = w->items + w->count;
    struct slice keys[KEYSPACE_FEW];
    struct object *objects[KEYSPACE_FEW];
    size_t count = 0, there = 0;
    for (; count < KEYSPACE_FEW && r->left.len > 0; count++) {
        items[count].hit = ft_hit_read(r, &f->ask);
        keys[count] = items[count].hit.key;
    }
    keyspace_get_few(&w->db->keys, keys, count, objects);
    for (size_t i = 0; i < count; i++) {
        const struct object *o = objects[i];
        if (o == NULL || o->type != document_type(f->ask.spec) ||
            object_expired(o, w->db->now_ms))
            continue;
        if (shows)
            object_prefetch(o);
        items[there] = (struct found){.hit = items[i].hit, .o = o};
        there++;
    }
    w->count += there;
    return count - there;
}

/* Keys whose time has passed since the search began, or before, are not shown and not counted. */
static enum err read_found(struct search *s, struct showing *w, uint64_t *total)
{
    struct bytes_reader r = {.left = buf_slice(&s->reply)};
    *total = bytes_get_u64(&r);
    w->items = mem_try_calloc(MEM_SCRATCH, (r.left.len / FT_HIT_SIZE_MIN + 1) * sizeof(*w->items));
    if (w->items == NULL)
        return ERR_NOMEM;
    while (r.left.len > 0)
        *total -= read_few(&r, w);
    CHECK(!r.broken);
    return OK;
}

static void show(struct search *s, void *env, void *user)
{
    struct client *client = user;
    struct ft_search *f = s->extra;
    struct ft_profile *profile = &f->ask.profile;
    uint64_t start_us = ft_profile_now(profile, s->db);
    struct document_room room = {.bytes = BUF_INIT(MEM_SCRATCH)};
    struct arena texts;
    arena_init(&texts, SIZE_MAX);
    struct showing w = {.db = ((struct cmd_env *)env)->db,
                        .f = f,
                        .reply_at = client->out.len,
                        .late = s->cost.stopped,
                        .room = &room,
                        .texts = &texts};
    struct reply r = {&client->out, client->proto};
    uint64_t total;
    if (s->cost.stopped && f->options.fails_late) {
        reply_error(&r, ft_timeout_text);
        return;
    }
    size_t before = client->out.len;
    enum err e = read_found(s, &w, &total);
    if (e != OK) {
        reply_err(&r, e, NULL);
        return;
    }
    struct found *all = w.items;
    if (f->ask.distance_as.len > 0 ||
        f->sorts_late) { /* other documents without one come in order, and as LIMIT says */
        sort_found(&w);
        size_t first = f->options.offset < w.count ? (size_t)f->options.offset : w.count;
        w.items += first;
        w.count -= first;
        w.count = w.count < f->options.count ? w.count : (size_t)f->options.count;
    }
    ft_profile_begin(&r, profile);
    ft_search_reply(&r, &w, total);
    profile->found = total;
    profile->loaded = w.count;
    profile->loader_us = ft_profile_now(profile, s->db) - start_us;
    profile->timed_out = s->cost.stopped;
    ft_profile_end(&r, profile, s);
    if (room.failed || texts.failed || buf_failed(&f->spots)) { /* shown wrongly, or miscounted */
        client->out.len = before;
        buf_clear(&f->spots, SIZE_MAX);
        reply_err(&r, ERR_NOMEM, NULL);
    }
    mem_free(MEM_SCRATCH, all);
    arena_fini(&texts);
    buf_fini(&room.bytes);
}

/* [lane] Marks what was noted. */
static enum err finish(struct search *s)
{
    const struct ft_search *f = s->extra;
    enum text_language language =
        f->options.has_language ? f->options.words.language : f->ask.spec->language;
    return ft_marks_write(&f->spots, f->ask.spec, language, f->ask.text, &s->reply);
}

/* -- planning ---------------------------------------------------------------------------------- */

/* Where SORTBY finds its values: in columns, when documents are found by them alone, or later in
 * the documents that vectors have named. */
static enum err plan_sort(const struct key_index *x, struct ft_search *f, struct why *why)
{
    struct slice name = f->options.sort_by;
    char column[24];
    int distance = f->options.has_sort ? ft_ask_distance(&f->ask, name) : 0;
    if (distance >= 0) {
        f->sort_distance = distance;
        return OK;
    }
    const struct index_field *field = index_spec_field(f->ask.spec, name);
    if (field == NULL || field->kind == INDEX_VECTOR)
        return why_set(why, ERR_ARG, "Property `%.*s` not loaded nor in schema",
                       (int)(name.len < 64 ? name.len : 64), (const char *)name.ptr);
    f->sort_path = field->path;
    f->sort_number = field->kind == INDEX_NUMERIC;
    f->ask.rows.descending = f->options.descending;
    f->ask.rows.by_first = true;
    f->ask.rows.equals_too = true; /* as in RediSearch: the newest first, where names say so */
    f->sorts_late = field->kind == INDEX_TEXT && !field->sortable;
    if (f->sorts_late) { /* only the hashes have its values */
        f->ask.rows.offset = 0;
        f->ask.rows.count = SIZE_MAX;
        return OK;
    }
    int size = snprintf(column, sizeof(column), "f%zu", index_field_number(x, field));
    CHECK(size > 0 && (size_t)size < sizeof(column));
    struct slice names = slice_of(column);
    return json_pick_new("SORTBY", &names, 1, &f->ask.rows.sort_by, why);
}

static enum err plan_marks(struct ft_search *f, struct why *why)
{
    if (f->ask.spec->no_highlight || f->ask.spec->no_offsets)
        return why_set(why, ERR_ARG,
                       "Cannot use highlight/summarize because NOHL was specified at index level");
    if (f->ask.text != NULL)
        f->ask.text->rarities = true;
    return OK;
}

static enum err plan(const struct ft_call *a, const struct config *config, struct key_index *x,
                     struct ft_search *f, struct search **out, struct why *why)
{
    enum err e = ft_words_copy(&f->ask, &a->words);
    if (e == OK)
        e = ft_options_read(&(struct slices){f->ask.words, a->words.count}, config, &f->options,
                            why);
    if (e == OK)
        e = ft_plan(x, &f->ask, a->query, &f->options, out, why);
    if (e == OK)
        e = plan_sort(x, f, why);
    if (e == OK && f->options.marks.given)
        e = plan_marks(f, why);
    f->ask.profile.planned_us = ft_profile_now(&f->ask.profile, x->db);
    return e;
}

void ft_search_run(struct request *rq, const struct ft_call *a)
{
    struct why why = {{0}};
    struct search *s = NULL;
    struct key_index *x = ft_index(rq, a->index);
    if (x == NULL)
        return;
    struct ft_search *f = mem_try_calloc(MEM_SCRATCH, sizeof(*f));
    if (f == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    f->ask.spec = index_spec_ref(x->spec);
    f->spots = BUF_INIT(MEM_SCRATCH);
    f->ask.profile = a->profile;
    enum err e = plan(a, rq->env->config, x, f, &s, &why);
    if (e != OK) {
        struct search nothing = {.extra = f};
        ft_reply_error(&rq->reply, e, &why);
        end_search(&nothing);
        mem_free(MEM_SCRATCH, f);
        search_free(s);
        return;
    }
    x->uses++;
    s->extra = f;
    s->end_extra = end_search;
    s->show = show;
    if (f->options.marks.given)
        s->finish = finish;
    if (f->options.timeout_ms > 0)
        s->deadline_us = rq->env->io->ops->mono_us(rq->env->io) + f->options.timeout_ms * 1000;
    search_for_client(rq, s);
}

void cmd_ft_search(struct request *rq)
{
    const struct ft_search_args *a = rq->args;
    ft_search_run(rq, &(struct ft_call){a->index, a->query, a->words, {0}});
}
