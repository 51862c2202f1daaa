/* FT.SEARCH: a query becomes a search of one of the index's collections; a lane finds the keys, and
 * the loop, which alone may read hashes, makes the reply of what they hold by then. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cmd/ft_plan.h"
#include "cmd/keys.h"
#include "cmd/vector_job.h"
#include "db/documents.h"
#include "db/hashes.h"

struct ft_search {
    struct ft_ask ask;
    struct ft_options options; /* of ask.words */
    struct slice sort_path;    /* SORTBY a field of the document */
    bool sort_number;
    bool sorts_late;   /* by values that the index does not have: all that is found comes */
    int sort_distance; /* SORTBY a distance; to the first vector they come so */
};

static void end_search(struct search *s)
{
    struct ft_search *f = s->extra;
    ft_options_fini(&f->options);
    ft_ask_fini(&f->ask);
}

/* -- [loop] the reply -------------------------------------------------------------------------- */

struct found {
    struct ft_hit hit;
    double number;
    struct slice text;
    const struct object *o; /* NULL: it has gone since */
};

struct showing {
    const struct db *db;
    const struct ft_search *f;
    struct found *items;
    size_t count;
    struct document_room *room; /* of a value that JSON has with escapes */
    struct arena *texts;        /* of such values that are sorted by */
};

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
        v = document_value(w->db, f->ask.spec, item->o, f->sort_path, w->room);
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

static void reply_score(struct reply *r, double distance)
{
    char text[32];
    int size = snprintf(text, sizeof(text), "%.12g", distance);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    reply_text(r, text);
}

/* A value of a document. */
static void reply_value(struct reply *r, const struct value *v)
{
    char number[VALUE_TEXT_MAX];
    if (v->kind == VALUE_NULL)
        reply_null(r);
    else
        reply_bulk(r, value_to_text(v, number));
}

/* The hash's field that a name of RETURN means: one of the schema, or any. */
static struct slice path_of(const struct ft_search *f, struct slice name)
{
    const struct index_field *field = index_spec_field(f->ask.spec, name);
    return field == NULL ? name : field->path;
}

/* Name and value for each of RETURN that is there; or only how many (r NULL). */
static size_t reply_returns(struct reply *r, const struct showing *w, const struct found *item)
{
    size_t count = 0;
    for (size_t i = 0; i < w->f->options.return_count; i++) {
        const struct ft_return *ret = &w->f->options.returns[i];
        struct value v = {0};
        int distance = ft_ask_distance(&w->f->ask, ret->what);
        if (distance < 0)
            v = document_shown(w->db, w->f->ask.spec, item->o, path_of(w->f, ret->what),
                               w->f->options.dialect, w->room);
        if (distance < 0 && v.kind == VALUE_NONE)
            continue;
        count++;
        if (r == NULL)
            continue;
        reply_bulk(r, ret->as);
        if (distance >= 0)
            reply_score(r, ft_hit_distance(&item->hit, distance));
        else
            reply_value(r, &v);
    }
    return count;
}

/* What JSON is sorted by, then the document. */
static size_t reply_json(struct reply *r, const struct showing *w, const struct found *item)
{
    const struct ft_search *f = w->f;
    struct slice names[] = {f->options.sort_by, slice_of("$")};
    size_t count = 0;
    for (size_t i = f->sort_path.len == 0; i < COUNT_OF(names); i++) {
        struct value v = document_shown(w->db, f->ask.spec, item->o, path_of(f, names[i]),
                                        f->options.dialect, w->room);
        if (v.kind == VALUE_NONE)
            continue;
        count++;
        if (r == NULL)
            continue;
        reply_bulk(r, names[i]);
        reply_value(r, &v);
    }
    return count;
}

/* All that there is: the distances, then the fields of the hash, or the JSON. */
static size_t reply_whole(struct reply *r, const struct showing *w, const struct found *item)
{
    struct hash_walk walk;
    struct hash_field field;
    struct slice names[1 + FT_SIDES_MAX];
    size_t count = ft_ask_distances(&w->f->ask, names);
    for (size_t i = 0; i < count && r != NULL; i++) {
        reply_bulk(r, names[i]);
        reply_score(r, ft_hit_distance(&item->hit, (int)i));
    }
    if (w->f->ask.spec->on_json)
        return count + reply_json(r, w, item);
    hashes_walk(w->db, item->o, &walk);
    while (hashes_next(&walk, &field)) {
        count++;
        if (r == NULL)
            continue;
        reply_bulk(r, field.name);
        reply_bulk(r, field.value);
    }
    return count;
}

static void reply_fields(struct reply *r, const struct showing *w, const struct found *item,
                         bool as_map)
{
    bool some = w->f->options.has_return;
    size_t count = some ? reply_returns(NULL, w, item) : reply_whole(NULL, w, item);
    if (as_map)
        reply_map(r, count);
    else
        reply_array(r, 2 * count);
    if (some)
        (void)reply_returns(r, w, item);
    else
        (void)reply_whole(r, w, item);
}

static void reply_resp2(struct reply *r, const struct showing *w, uint64_t total)
{
    const struct ft_options *o = &w->f->options;
    reply_array(r, 1 + w->count * (1u + o->with_scores + !o->no_content));
    reply_int(r, (int64_t)total);
    for (size_t i = 0; i < w->count; i++) {
        const struct found *item = &w->items[i];
        reply_bulk(r, item->hit.key);
        if (o->with_scores)
            reply_score(r, item->hit.score);
        if (!o->no_content && item->o == NULL)
            reply_null(r);
        else if (!o->no_content)
            reply_fields(r, w, item, false);
    }
}

static void reply_resp3(struct reply *r, const struct showing *w, uint64_t total)
{
    const struct ft_options *o = &w->f->options;
    reply_map(r, 5u + w->f->ask.profile.on);
    reply_text(r, "attributes");
    reply_array(r, 0);
    reply_text(r, "format");
    reply_text(r, "STRING");
    reply_text(r, "results");
    reply_array(r, w->count);
    for (size_t i = 0; i < w->count; i++) {
        const struct found *item = &w->items[i];
        reply_map(r, 2u + o->with_scores + !o->no_content);
        reply_text(r, "id");
        reply_bulk(r, item->hit.key);
        if (o->with_scores) {
            reply_text(r, "score");
            reply_double(r, item->hit.score);
        }
        if (!o->no_content) {
            reply_text(r, "extra_attributes");
            if (item->o == NULL)
                reply_null(r);
            else
                reply_fields(r, w, item, true);
        }
        reply_text(r, "values");
        reply_array(r, 0);
    }
    reply_text(r, "total_results");
    reply_int(r, (int64_t)total);
    reply_text(r, "warning");
    reply_array(r, 0);
}

/* Keys whose time has passed since the search began, or before, are not shown and not counted. */
static enum err read_found(struct search *s, struct showing *w, uint64_t *total)
{
    const struct ft_search *f = s->extra;
    struct bytes_reader r = {.left = buf_slice(&s->reply)};
    *total = bytes_get_u64(&r);
    w->items = mem_try_calloc(MEM_SCRATCH, (r.left.len / FT_HIT_SIZE_MIN + 1) * sizeof(*w->items));
    if (w->items == NULL)
        return ERR_NOMEM;
    while (r.left.len > 0) {
        struct found *item = &w->items[w->count];
        item->hit = ft_hit_read(&r, &f->ask);
        item->o = keyspace_get(&w->db->keys, item->hit.key);
        bool there = item->o != NULL && item->o->type == document_type(f->ask.spec) &&
                     !object_expired(item->o, w->db->now_ms);
        *total -= !there;
        w->count += there;
    }
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
    struct showing w = {.db = ((struct cmd_env *)env)->db, .f = f, .room = &room, .texts = &texts};
    struct reply r = {&client->out, client->proto};
    uint64_t total;
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
    if (client->proto == 3)
        reply_resp3(&r, &w, total);
    else
        reply_resp2(&r, &w, total);
    profile->found = total;
    profile->loaded = w.count;
    profile->loader_us = ft_profile_now(profile, s->db) - start_us;
    profile->timed_out = s->cost.stopped;
    ft_profile_end(&r, profile, s);
    if (room.failed || texts.failed) { /* something is shown wrongly, or miscounted */
        client->out.len = before;
        reply_err(&r, ERR_NOMEM, NULL);
    }
    mem_free(MEM_SCRATCH, all);
    arena_fini(&texts);
    buf_fini(&room.bytes);
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

static enum err plan(const struct ft_call *a, struct key_index *x, struct ft_search *f,
                     struct search **out, struct why *why)
{
    enum err e = ft_words_copy(&f->ask, &a->words);
    if (e == OK)
        e = ft_options_read(&(struct slices){f->ask.words, a->words.count}, &f->options, why);
    if (e == OK)
        e = ft_plan(x, &f->ask, a->query, &f->options, out, why);
    if (e == OK)
        e = plan_sort(x, f, why);
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
    f->ask.profile = a->profile;
    enum err e = plan(a, x, f, &s, &why);
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
    if (f->options.timeout_ms > 0)
        s->deadline_us = rq->env->io->ops->mono_us(rq->env->io) + f->options.timeout_ms * 1000;
    search_for_client(rq, s);
}

void cmd_ft_search(struct request *rq)
{
    const struct ft_search_args *a = rq->args;
    ft_search_run(rq, &(struct ft_call){a->index, a->query, a->words, {0}});
}
