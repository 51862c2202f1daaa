/* FT.SEARCH: a query becomes a search of one of the index's collections; a lane finds the keys, and
 * the loop, which alone may read hashes, makes the reply of what they hold by then. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "cmd/ft.h"
#include "cmd/keys.h"
#include "cmd/vector_job.h"
#include "db/hashes.h"
#include "db/query.h"

/* What a search needs to the end, when the command and perhaps the index are gone. */
struct ft_search {
    struct ft_options options; /* of `words` */
    struct ft_query asked;
    struct index_spec *spec;
    struct query query;       /* without vectors: which documents, in which order */
    struct slice distance_as; /* empty: there is no distance */
    char *default_as;
    struct slice sort_path; /* SORTBY a field of the hash */
    bool sort_number;
    struct slice *words; /* copies of the command's */
    uint8_t *bytes;
};

static void end_search(struct search *s)
{
    struct ft_search *f = s->extra;
    json_pick_free(f->query.sort_by);
    ft_options_fini(&f->options);
    query_fini(&f->asked);
    index_spec_unref(f->spec);
    mem_free(MEM_SCRATCH, f->default_as);
    mem_free(MEM_SCRATCH, f->words);
    mem_free(MEM_SCRATCH, f->bytes);
}

/* -- [lane] what was found: how many in all, then distance and key of some --------------------- */

static void put_hit(struct search *s, float distance, uint32_t row)
{
    bytes_put_f32(&s->reply, distance);
    bytes_put_slice(&s->reply, view_id(&s->view, row));
}

/* Under COSINE a float dot product of a vector with itself misses 1 by its last bit. */
static float shown_distance(const struct search *s, float distance)
{
    bool cosine = s->view.collection->spec.metric == METRIC_COSINE;
    return cosine && fabsf(distance) <= FLT_EPSILON ? 0 : distance;
}

static void encode_hits(struct search *s, const struct hit *hits, size_t count)
{
    bytes_put_u64(&s->reply, count);
    for (size_t i = 0; i < count; i++)
        put_hit(s, shown_distance(s, hits[i].dist), hits[i].row);
}

static bool count_row(void *user, uint32_t row)
{
    (void)row;
    ++*(uint64_t *)user;
    return true;
}

/* Documents without a vector in the query. */
static enum err run_plain(struct search *s, struct lane *lane)
{
    struct ft_search *f = s->extra;
    uint64_t total = 0;
    uint32_t *rows;
    size_t count;
    if (s->plan.exact)
        total = s->plan.bound;
    else
        query_each(s, lane, count_row, &total);
    enum err e = query_rows(s, lane, &f->query, &rows, &count);
    if (e != OK)
        return e;
    bytes_put_u64(&s->reply, total);
    for (size_t i = 0; i < count; i++)
        put_hit(s, 0, rows[i]);
    mem_free(MEM_SCRATCH, rows);
    return OK;
}

/* -- VECTOR_RANGE ------------------------------------------------------------------------------ */

struct near_rows {
    struct search *s;
    const struct codec *codec;
    const struct index_rows *rows;
    const uint8_t *query;
    struct hit *items;
    size_t count, capacity;
    bool failed;
};

static bool take_near(void *user, uint32_t row)
{
    struct near_rows *n = user;
    float distance = codec_score(n->codec, n->query, row_code(n->rows, row));
    if (distance > n->s->radius)
        return true;
    if (n->count == n->capacity) {
        size_t capacity = n->capacity == 0 ? 64 : 2 * n->capacity;
        struct hit *grown = mem_try_realloc(MEM_SCRATCH, n->items, capacity * sizeof(*n->items));
        n->failed = grown == NULL;
        if (n->failed)
            return false;
        n->items = grown;
        n->capacity = capacity;
    }
    n->items[n->count++] = (struct hit){.row = row, .dist = distance};
    return true;
}

static int by_distance(const void *a, const void *b)
{
    const struct hit *x = a, *y = b;
    return x->dist != y->dist ? (x->dist > y->dist) - (x->dist < y->dist)
                              : (x->row > y->row) - (x->row < y->row);
}

/* All within the radius: exact, by looking at every document that the filter lets through. */
static enum err run_near(struct search *s, struct lane *lane)
{
    enum { ALIGNMENT = 64 };
    const struct collection *c = s->view.collection;
    struct near_rows n = {.s = s,
                          .codec = s->view.has_exact ? &c->exact : &c->codec,
                          .rows = s->view.has_exact ? &s->view.exact : &s->view.codes};
    uint8_t *room = mem_try(MEM_SCRATCH, n.codec->query_size + ALIGNMENT);
    if (room == NULL)
        return ERR_NOMEM;
    uint8_t *query = room + (ALIGNMENT - (uintptr_t)room % ALIGNMENT) % ALIGNMENT;
    codec_query(n.codec, s->queries, query);
    n.query = query;
    query_each(s, lane, take_near, &n);
    mem_free(MEM_SCRATCH, room);
    if (!n.failed && n.count > 0)
        qsort(n.items, n.count, sizeof(*n.items), by_distance);
    if (!n.failed)
        encode_hits(s, n.items, n.count);
    mem_free(MEM_SCRATCH, n.items);
    return n.failed ? ERR_NOMEM : OK;
}

/* -- [loop] the reply -------------------------------------------------------------------------- */

struct found {
    double distance, number;
    struct slice key, text;
    const struct object *o; /* NULL: it has gone since */
};

struct showing {
    const struct db *db;
    const struct ft_search *f;
    struct found *items;
    size_t count;
};

static int by_sort_key(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    if (x->number != y->number)
        return (x->number > y->number) - (x->number < y->number);
    return slice_cmp(x->text, y->text);
}

/* SORTBY a field of the documents that vectors have named. */
static void read_sort_key(const struct showing *w, struct found *item)
{
    struct hash_field field;
    bool there = item->o != NULL && hashes_get(w->db, item->o, w->f->sort_path, &field);
    item->number = w->f->options.descending ? -INFINITY : INFINITY; /* what lacks it comes last */
    item->text = (struct slice){0};
    if (!there)
        return;
    item->number = 0;
    if (w->f->sort_number)
        (void)slice_to_f64(field.value, &item->number);
    else
        item->text = field.value;
}

static void sort_found(struct showing *w)
{
    const struct ft_search *f = w->f;
    for (size_t i = 0; i < w->count && f->sort_path.len > 0; i++)
        read_sort_key(w, &w->items[i]);
    if (f->sort_path.len > 0 && w->count > 0)
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

static bool is_distance(const struct ft_search *f, struct slice name)
{
    return f->distance_as.len > 0 && slice_eq(name, f->distance_as);
}

/* The hash's field that a name of RETURN means: one of the schema, or any. */
static struct slice path_of(const struct ft_search *f, struct slice name)
{
    const struct index_field *field = index_spec_field(f->spec, name);
    return field == NULL ? name : field->path;
}

/* Name and value for each of RETURN that is there; or only how many (r NULL). */
static size_t reply_returns(struct reply *r, const struct showing *w, const struct found *item)
{
    size_t count = 0;
    for (size_t i = 0; i < w->f->options.return_count; i++) {
        const struct ft_return *ret = &w->f->options.returns[i];
        struct hash_field field;
        bool distance = is_distance(w->f, ret->what);
        if (!distance && !hashes_get(w->db, item->o, path_of(w->f, ret->what), &field))
            continue;
        count++;
        if (r == NULL)
            continue;
        reply_bulk(r, ret->as);
        if (distance)
            reply_score(r, item->distance);
        else
            reply_bulk(r, field.value);
    }
    return count;
}

/* All that there is: the distance, then the fields of the hash. */
static size_t reply_whole(struct reply *r, const struct showing *w, const struct found *item)
{
    struct hash_walk walk;
    struct hash_field field;
    size_t count = w->f->distance_as.len > 0;
    if (r != NULL && count > 0) {
        reply_bulk(r, w->f->distance_as);
        reply_score(r, item->distance);
    }
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
        reply_bulk(r, item->key);
        if (o->with_scores)
            reply_text(r, "1");
        if (!o->no_content && item->o == NULL)
            reply_null(r);
        else if (!o->no_content)
            reply_fields(r, w, item, false);
    }
}

static void reply_resp3(struct reply *r, const struct showing *w, uint64_t total)
{
    const struct ft_options *o = &w->f->options;
    reply_map(r, 5);
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
        reply_bulk(r, item->key);
        if (o->with_scores) {
            reply_text(r, "score");
            reply_double(r, 1);
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
    struct bytes_reader r = {.left = buf_slice(&s->reply)};
    enum { HIT_SIZE_MIN = 12 };
    *total = bytes_get_u64(&r);
    w->items = mem_try_calloc(MEM_SCRATCH, (r.left.len / HIT_SIZE_MIN + 1) * sizeof(*w->items));
    if (w->items == NULL)
        return ERR_NOMEM;
    while (r.left.len > 0) {
        struct found *item = &w->items[w->count];
        item->distance = bytes_get_f32(&r);
        item->key = bytes_get_slice(&r);
        item->o = keyspace_get(&w->db->keys, item->key);
        bool there = item->o != NULL && item->o->type == OBJECT_HASH &&
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
    const struct ft_search *f = s->extra;
    struct showing w = {.db = ((struct cmd_env *)env)->db, .f = f};
    struct reply r = {&client->out, client->proto};
    uint64_t total;
    enum err e = read_found(s, &w, &total);
    if (e != OK) {
        reply_err(&r, e, NULL);
        return;
    }
    struct found *all = w.items;
    if (f->distance_as.len > 0) { /* documents without one come in order, and as LIMIT says */
        sort_found(&w);
        size_t first = f->options.offset < w.count ? (size_t)f->options.offset : w.count;
        w.items += first;
        w.count -= first;
        w.count = w.count < f->options.count ? w.count : (size_t)f->options.count;
    }
    if (client->proto == 3)
        reply_resp3(&r, &w, total);
    else
        reply_resp2(&r, &w, total);
    mem_free(MEM_SCRATCH, all);
}

/* -- planning ---------------------------------------------------------------------------------- */

/* What is to outlive the command. */
static enum err copy_words(struct ft_search *f, const struct slices *words)
{
    size_t size = 0;
    for (size_t i = 0; i < words->count; i++)
        size += words->items[i].len;
    f->bytes = mem_try(MEM_SCRATCH, size);
    f->words = mem_try_calloc(MEM_SCRATCH, (words->count + 1) * sizeof(*f->words));
    if (f->bytes == NULL || f->words == NULL)
        return ERR_NOMEM;
    uint8_t *at = f->bytes;
    for (size_t i = 0; i < words->count; i++) {
        f->words[i] = (struct slice){at, words->items[i].len};
        if (words->items[i].len > 0)
            memcpy(at, words->items[i].ptr, words->items[i].len);
        at += words->items[i].len;
    }
    return OK;
}

/* The name that the distance goes by: said by the query, or made of the field's. */
static enum err name_distance(struct ft_search *f, struct slice said, struct slice field)
{
    static const char shape[] = "__%.*s_score";
    f->distance_as = said;
    if (said.len > 0)
        return OK;
    size_t room = sizeof(shape) + field.len;
    f->default_as = mem_try(MEM_SCRATCH, room);
    if (f->default_as == NULL)
        return ERR_NOMEM;
    int size = snprintf(f->default_as, room, shape, (int)field.len, (const char *)field.ptr);
    CHECK(size > 0 && (size_t)size < room);
    f->distance_as = slice_of(f->default_as);
    return OK;
}

/* Where SORTBY finds its values: in columns, when documents are found by them alone, or later in
 * the documents that vectors have named. */
static enum err plan_sort(const struct key_index *x, struct ft_search *f, struct why *why)
{
    struct slice name = f->options.sort_by;
    char column[24];
    if (!f->options.has_sort || is_distance(f, name))
        return OK;
    const struct index_field *field = index_spec_field(f->spec, name);
    if (field == NULL || field->kind == INDEX_VECTOR)
        return why_set(why, ERR_ARG, "Property `%.*s` not loaded nor in schema",
                       (int)(name.len < 64 ? name.len : 64), (const char *)name.ptr);
    f->sort_path = field->path;
    f->sort_number = field->kind == INDEX_NUMERIC;
    f->query.descending = f->options.descending;
    int size = snprintf(column, sizeof(column), "f%zu", index_field_number(x, field));
    CHECK(size > 0 && (size_t)size < sizeof(column));
    struct slice names = slice_of(column);
    return json_pick_new("SORTBY", &names, 1, &f->query.sort_by, why);
}

/* The VECTOR field of a name in a query. */
static enum err vector_field(const struct key_index *x, struct slice name,
                             const struct index_field **out, struct why *why)
{
    *out = index_spec_field(x->spec, name);
    if (*out == NULL || (*out)->kind != INDEX_VECTOR)
        return why_set(why, ERR_ARG, "Unknown vector field: `%.*s`",
                       (int)(name.len < 64 ? name.len : 64), (const char *)name.ptr);
    return OK;
}

static enum err plan_knn(struct key_index *x, struct ft_search *f, struct search **out,
                         struct why *why)
{
    const struct query_knn *knn = &f->asked.knn;
    const struct index_field *field;
    enum err e = vector_field(x, knn->field, &field, why);
    if (e == OK && knn->k > LIMIT_EF)
        e = why_set(why, ERR_LIMIT,
                    "Error parsing vector similarity parameters: KNN finds at most "
                    "%d",
                    LIMIT_EF);
    if (e == OK)
        e = name_distance(f, knn->distance_as, knn->field);
    if (e != OK)
        return e;
    struct search *s = *out = search_new(x->db, index_collection(x, field), 1);
    if (s == NULL)
        return ERR_NOMEM;
    s->count = (size_t)knn->k;
    s->effort = knn->ef_runtime > 0 ? (size_t)knn->ef_runtime : 0;
    s->exact = field->vector.flat;
    s->encode = encode_hits;
    return index_query_read(x, field, knn->vector, s->queries, why);
}

static enum err plan_near(struct key_index *x, struct ft_search *f, const struct query_node *radius,
                          struct search **out, struct why *why)
{
    const struct index_field *field;
    struct slice name = f->asked.fields[radius->field];
    struct slice as = {0};
    if (radius->traits != QUERY_NO_NODE)
        as = f->asked.traits[radius->traits].distance_as;
    enum err e = vector_field(x, name, &field, why);
    if (e == OK)
        e = name_distance(f, as, name);
    if (e != OK)
        return e;
    struct search *s = *out = search_new(x->db, index_collection(x, field), 1);
    if (s == NULL)
        return ERR_NOMEM;
    s->radius = (float)radius->near.radius;
    s->work = run_near;
    return index_query_read(x, field, radius->near.vector, s->queries, why);
}

static enum err plan_plain(struct key_index *x, struct ft_search *f, struct search **out)
{
    f->query.offset = (size_t)f->options.offset;
    f->query.count = (size_t)f->options.count;
    *out = search_new(x->db, x->docs, 1);
    if (*out == NULL)
        return ERR_NOMEM;
    (*out)->work = run_plain;
    return OK;
}

/* f's parts are its own whatever comes out; *out as well. */
static enum err plan(struct request *rq, struct key_index *x, struct ft_search *f,
                     struct search **out, struct why *why)
{
    const struct ft_search_args *a = rq->args;
    struct key_filter filter = {0};
    enum err e = copy_words(f, &a->words);
    if (e == OK)
        e = ft_options_read(&(struct slices){f->words, a->words.count}, &f->options, why);
    if (e == OK)
        e = query_parse(a->query, f->options.dialect, f->options.params, f->options.param_count,
                        &f->asked, why);
    if (e == OK)
        e = key_filter_make(x, &f->asked, &filter, why);
    if (e == OK && f->asked.knn.given)
        e = plan_knn(x, f, out, why);
    else if (e == OK && filter.radius != NULL)
        e = plan_near(x, f, filter.radius, out, why);
    else if (e == OK)
        e = plan_plain(x, f, out);
    if (*out == NULL)
        filter_free(filter.filter);
    else
        (*out)->filter = filter.filter;
    return e == OK ? plan_sort(x, f, why) : e;
}

void cmd_ft_search(struct request *rq)
{
    const struct ft_search_args *a = rq->args;
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
    f->spec = index_spec_ref(x->spec);
    enum err e = plan(rq, x, f, &s, &why);
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
