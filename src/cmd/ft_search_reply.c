/* The reply of FT.SEARCH: what documents hold, by the time it is written. */
#include <stdio.h>

#include "cmd/ft_search.h"
#include "db/documents.h"
#include "db/hashes.h"

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

/* The same, noted when it is to be marked. */
static void reply_marked(struct reply *r, const struct showing *w, const struct value *v,
                         struct ft_target target)
{
    size_t at = r->out->len - w->reply_at;
    bool list = documents_are_lists(w->f->ask.spec, w->f->options.dialect);
    reply_value(r, v);
    if (v->kind != VALUE_TEXT || target.how == NULL || list)
        return;
    struct ft_spot spot = {target, at, r->out->len - w->reply_at, value_slice(v).len};
    buf_append(&w->f->spots, &spot, sizeof(spot));
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
    const struct ft_marks *marks = &w->f->options.marks;
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
            reply_marked(r, w, &v, ft_marks_of_return(marks, w->f->ask.spec, ret->what, ret->as));
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
        struct value v = value_of(field.value);
        reply_bulk(r, field.name);
        reply_marked(r, w, &v, ft_marks_of(&w->f->options.marks, w->f->ask.spec, field.name));
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

/* What the document is sorted by: a number, a text, or nothing. */
static struct value sort_key(const struct showing *w, const struct found *item)
{
    const struct ft_search *f = w->f;
    char room[VALUE_TEXT_MAX];
    double number;
    struct value v = {0};
    if (!f->options.has_sort)
        return v;
    if (f->sort_path.len == 0)
        return value_number(ft_hit_distance(&item->hit, f->sort_distance));
    if (item->o != NULL)
        v = document_first(w->db, f->ask.spec, item->o, f->sort_path, w->room);
    if (f->sort_number)
        return value_to_number(&v, &number) ? value_number(number) : (struct value){0};
    if (v.kind == VALUE_NONE || v.kind == VALUE_NULL)
        return (struct value){0};
    const struct index_field *field = index_spec_field(f->ask.spec, f->options.sort_by);
    struct slice text = value_to_text(&v, room);
    return field->sortable && !field->unf ? value_folded(w->texts, text)
                                          : value_text(w->texts, text);
}

/* Behind a mark of its kind, by which those who merge replies tell numbers from texts. */
static void reply_sort_key(struct reply *r, const struct showing *w, const struct found *item)
{
    struct value v = sort_key(w, item);
    struct buf text = BUF_INIT(MEM_CLIENT);
    if (v.kind == VALUE_NUMBER) {
        buf_printf(&text, "#%.17g", v.number);
    } else if (v.kind == VALUE_TEXT) {
        buf_append_byte(&text, '$');
        buf_append_slice(&text, value_slice(&v));
    }
    if (text.len > 0 || buf_failed(&text))
        reply_gathered(r, &text);
    else
        reply_null(r);
    buf_fini(&text);
}

static void reply_payload(struct reply *r, const struct showing *w, const struct found *item)
{
    const struct index_spec *spec = w->f->ask.spec;
    struct value v = {0};
    if (item->o != NULL && spec->payload_field.len > 0 && !spec->on_json)
        v = document_value(w->db, spec, item->o, spec->payload_field, w->room);
    if (v.kind == VALUE_NONE)
        v.kind = VALUE_NULL;
    reply_value(r, &v);
}

/* -- shapes ------------------------------------------------------------------------------------ */

static void reply_resp2(struct reply *r, const struct showing *w, uint64_t total)
{
    const struct ft_options *o = &w->f->options;
    reply_array(r, 1 + w->count * (1u + o->with_scores + o->with_payloads + o->with_sort_keys +
                                   !o->no_content));
    reply_int(r, (int64_t)total);
    for (size_t i = 0; i < w->count; i++) {
        const struct found *item = &w->items[i];
        reply_bulk(r, item->hit.key);
        if (o->with_scores)
            reply_score(r, item->hit.score);
        if (o->with_payloads)
            reply_payload(r, w, item);
        if (o->with_sort_keys)
            reply_sort_key(r, w, item);
        if (!o->no_content && item->o == NULL)
            reply_null(r);
        else if (!o->no_content)
            reply_fields(r, w, item, false);
    }
}

static void reply_document(struct reply *r, const struct showing *w, const struct found *item)
{
    const struct ft_options *o = &w->f->options;
    reply_map(r, 2u + o->with_scores + o->with_payloads + o->with_sort_keys + !o->no_content);
    reply_text(r, "id");
    reply_bulk(r, item->hit.key);
    if (o->with_scores) {
        reply_text(r, "score");
        reply_double(r, item->hit.score);
    }
    if (o->with_payloads) {
        reply_text(r, "payload");
        reply_payload(r, w, item);
    }
    if (o->with_sort_keys) {
        reply_text(r, "sortkey");
        reply_sort_key(r, w, item);
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

static void reply_resp3(struct reply *r, const struct showing *w, uint64_t total)
{
    reply_map(r, 5u + w->f->ask.profile.on);
    reply_text(r, "attributes");
    reply_array(r, 0);
    reply_text(r, "format");
    reply_text(r, "STRING");
    reply_text(r, "results");
    reply_array(r, w->count);
    for (size_t i = 0; i < w->count; i++)
        reply_document(r, w, &w->items[i]);
    reply_text(r, "total_results");
    reply_int(r, (int64_t)total);
    reply_text(r, "warning");
    reply_array(r, w->late);
    if (w->late)
        reply_text(r, ft_timeout_text);
}

void ft_search_reply(struct reply *r, const struct showing *w, uint64_t total)
{
    if (r->proto == 3)
        reply_resp3(r, w, total);
    else
        reply_resp2(r, w, total);
}
