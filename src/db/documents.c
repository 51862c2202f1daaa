#include "db/documents.h"

#include "db/hashes.h"
#include "json/numbers.h"
#include "json/parse.h"
#include "json/path.h"

/* What was put together in room, if there was memory for it. */
static struct value made_of(struct document_room *room)
{
    room->failed |= buf_failed(&room->bytes);
    return buf_failed(&room->bytes) ? (struct value){0} : value_of(buf_slice(&room->bytes));
}

static struct value text_of(struct slice value, struct document_room *room)
{
    if (jval_kind(value) != JVAL_STRING)
        return value_of(value);
    struct slice inside = jval_inside(value);
    if (inside.len == 0 || memchr(inside.ptr, '\\', inside.len) == NULL)
        return value_of(inside);
    buf_clear(&room->bytes, SIZE_MAX);
    jval_unescape(inside, &room->bytes);
    return made_of(room);
}

static struct value value_of_json(struct slice value, struct document_room *room)
{
    switch (jval_kind(value)) {
    case JVAL_NULL:
        return (struct value){.kind = VALUE_NULL};
    case JVAL_BOOL:
        return value_number(value.ptr[0] == 't');
    case JVAL_INTEGER: /* doubles are not exact beyond 53 bits */
        return value.len < 16 ? value_number(jnum_value(value)) : value_of(value);
    case JVAL_NUMBER:
        return value_number(jnum_value(value));
    case JVAL_STRING:
    case JVAL_ARRAY:
    case JVAL_OBJECT:
        break;
    }
    return text_of(value, room);
}

/* All hits between brackets. */
static struct value all_of(const struct jhits *hits, struct document_room *room)
{
    buf_clear(&room->bytes, SIZE_MAX);
    for (size_t i = 0; i < hits->count; i++) {
        buf_append_byte(&room->bytes, i == 0 ? '[' : ',');
        buf_append_slice(&room->bytes, hits->items[i].value);
    }
    buf_append_byte(&room->bytes, ']');
    return made_of(room);
}

static const struct jpath *compiled(const struct index_spec *s, struct slice path)
{
    for (size_t i = 0; i < s->field_count; i++)
        if (slice_eq(s->fields[i].path, path))
            return s->fields[i].json;
    return NULL;
}

/* The first that is not null, of hits or of the array that the only one is. */
static struct slice first_of(const struct jhits *hits)
{
    struct jval_walk walk;
    struct jval_entry item;
    struct slice only = hits->items[0].value;
    for (size_t i = 0; i < hits->count && hits->count > 1; i++)
        if (jval_kind(hits->items[i].value) != JVAL_NULL)
            return hits->items[i].value;
    if (hits->count > 1 || jval_kind(only) != JVAL_ARRAY)
        return only;
    jval_walk(only, &walk);
    while (jval_next(&walk, &item))
        if (jval_kind(item.value) != JVAL_NULL)
            return item.value;
    return only;
}

enum reading { READ_ONE, READ_FIRST, READ_ALL };

static struct value read_json(const struct index_spec *s, struct slice document, struct slice path,
                              enum reading how, struct document_room *room)
{
    struct value out = {0};
    struct why why = {{0}};
    struct jhits hits = {0};
    struct jpath own = {0};
    const struct jpath *p = compiled(s, path);
    bool known = p != NULL;
    if (!known && (path.len == 0 || path.ptr[0] != '$' || !utf8_check(path)))
        return out;
    enum err e = known ? OK : jpath_init(&own, path, &why);
    if (e == OK)
        e = jpath_find(known ? p : &own, document, how == READ_ONE ? 1 : SIZE_MAX, &hits, &why);
    if (e == OK && hits.count > 0)
        out = how == READ_ALL   ? all_of(&hits, room)
              : how == READ_ONE ? value_of_json(hits.items[0].value, room)
                                : value_of_json(first_of(&hits), room);
    room->failed |= e == ERR_NOMEM;
    jhits_fini(&hits);
    if (!known)
        jpath_fini(&own);
    return out;
}

static struct value read_hash(const struct db *db, const struct object *o, struct slice name)
{
    struct hash_field field;
    return hashes_get(db, o, name, &field) ? value_of(field.value) : (struct value){0};
}

struct value document_value(const struct db *db, const struct index_spec *s, const struct object *o,
                            struct slice path, struct document_room *room)
{
    return s->on_json ? read_json(s, object_value(o), path, READ_ONE, room)
                      : read_hash(db, o, path);
}

struct value document_first(const struct db *db, const struct index_spec *s, const struct object *o,
                            struct slice path, struct document_room *room)
{
    return s->on_json ? read_json(s, object_value(o), path, READ_FIRST, room)
                      : read_hash(db, o, path);
}

struct value document_shown(const struct db *db, const struct index_spec *s, const struct object *o,
                            struct slice path, unsigned dialect, struct document_room *room)
{
    if (!documents_are_lists(s, dialect))
        return document_value(db, s, o, path, room);
    return read_json(s, object_value(o), path, READ_ALL, room);
}
