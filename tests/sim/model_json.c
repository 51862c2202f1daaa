/* Documents as the workload makes them, without anything of src/json: an object of integers with
 * names of one letter, in order, and perhaps an array of integers named l. */
#include <inttypes.h>
#include <stdio.h>

#include "sim/model.h"

static const char *skip(const char *at, const char *text)
{
    size_t size = strlen(text);
    return at != NULL && strncmp(at, text, size) == 0 ? at + size : NULL;
}

static const char *read_number(const char *at, int64_t *out)
{
    int size = 0;
    return at != NULL && sscanf(at, "%" SCNd64 "%n", out, &size) == 1 ? at + size : NULL;
}

static const char *read_list(const char *at, struct model_doc *out)
{
    at = skip(at, "[");
    out->list_count = 0;
    for (bool first = true; at != NULL && *at != ']'; first = false) {
        at = first ? at : skip(at, ",");
        if (out->list_count == MODEL_LIST_MAX)
            return NULL;
        at = read_number(at, &out->list[out->list_count++]);
    }
    return skip(at, "]");
}

static const char *read_member(const char *at, struct model_doc *out)
{
    at = skip(at, "\"");
    if (at == NULL || out->count == MODEL_MEMBERS)
        return NULL;
    struct model_member *m = &out->members[out->count++];
    m->name = *at;
    at = skip(at + 1, "\":");
    return m->name == 'l' ? read_list(at, out) : read_number(at, &m->number);
}

bool model_doc_read(struct slice text, struct model_doc *out)
{
    char copy[MODEL_DOC_TEXT];
    *out = (struct model_doc){0};
    if (text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    const char *at = skip(copy, "{");
    for (bool first = true; at != NULL && *at != '}'; first = false)
        at = read_member(first ? at : skip(at, ","), out);
    return at != NULL && strcmp(at, "}") == 0;
}

static void put(char *to, size_t *size, const char *text)
{
    int put = snprintf(to + *size, MODEL_DOC_TEXT - *size, "%s", text);
    *size += (size_t)put;
    CHECK(*size < MODEL_DOC_TEXT);
}

static void put_number(char *to, size_t *size, int64_t number)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%" PRId64, number);
    put(to, size, text);
}

struct slice model_doc_write(const struct model_doc *d, char out[MODEL_DOC_TEXT])
{
    size_t size = 0;
    put(out, &size, "{");
    for (size_t i = 0; i < d->count; i++) {
        char name[] = {'"', d->members[i].name, '"', ':', '\0'};
        put(out, &size, i > 0 ? "," : "");
        put(out, &size, name);
        if (d->members[i].name != 'l')
            put_number(out, &size, d->members[i].number);
        for (size_t at = 0; d->members[i].name == 'l' && at < d->list_count; at++) {
            put(out, &size, at > 0 ? "," : "[");
            put_number(out, &size, d->list[at]);
        }
        if (d->members[i].name == 'l')
            put(out, &size, d->list_count > 0 ? "]" : "[]");
    }
    put(out, &size, "}");
    return (struct slice){(const uint8_t *)out, size};
}

struct model_member *model_doc_member(const struct model_doc *d, char name)
{
    for (size_t i = 0; i < d->count; i++)
        if (d->members[i].name == name)
            return (struct model_member *)&d->members[i];
    return NULL;
}

/* $["x"] and perhaps [i] behind it; *index -1: none. */
static bool read_path(struct slice path, char *name, int64_t *index)
{
    char text[32];
    if (path.len >= sizeof(text))
        return false;
    memcpy(text, path.ptr, path.len);
    text[path.len] = '\0';
    *index = -1;
    const char *at = skip(text, "$[\"");
    if (at == NULL || *at == '\0')
        return false;
    *name = *at;
    at = skip(at + 1, "\"]");
    if (at != NULL && *at == '[')
        at = skip(read_number(at + 1, index), "]");
    return at != NULL && *at == '\0';
}

static const char *set(struct model_doc *d, char name, int64_t index, struct slice value)
{
    int64_t number;
    if (!slice_to_i64(value, &number))
        return "a member becomes something that nobody sent";
    if (index >= 0) {
        if (name != 'l' || model_doc_member(d, name) == NULL || (size_t)index >= d->list_count)
            return "an element is set that is not there";
        d->list[index] = number;
        return NULL;
    }
    struct model_member *m = model_doc_member(d, name);
    if (m == NULL && d->count == MODEL_MEMBERS)
        return "a document has more members than there are names";
    if (m == NULL)
        m = &d->members[d->count++];
    *m = (struct model_member){name, number};
    return NULL;
}

static const char *insert(struct model_doc *d, char name, uint64_t at, struct slice values)
{
    struct model_doc more;
    char text[MODEL_DOC_TEXT];
    (void)snprintf(text, sizeof(text), "{\"l\":%.*s}", (int)values.len, (const char *)values.ptr);
    if (name != 'l' || model_doc_member(d, name) == NULL || at > d->list_count ||
        !model_doc_read(slice_of(text), &more) || d->list_count + more.list_count > MODEL_LIST_MAX)
        return "elements come where there is no array";
    memmove(d->list + at + more.list_count, d->list + at,
            (d->list_count - at) * sizeof(d->list[0]));
    memcpy(d->list + at, more.list, more.list_count * sizeof(d->list[0]));
    d->list_count += more.list_count;
    return NULL;
}

static const char *drop(struct model_doc *d, char name, int64_t index)
{
    struct model_member *m = model_doc_member(d, name);
    if (m == NULL || (index >= 0 && (name != 'l' || (size_t)index >= d->list_count)))
        return "something is removed that is not there";
    if (index >= 0) {
        d->list_count--;
        memmove(d->list + index, d->list + index + 1,
                (d->list_count - (size_t)index) * sizeof(d->list[0]));
        return NULL;
    }
    d->count--;
    memmove(m, m + 1, (d->count - (size_t)(m - d->members)) * sizeof(*m));
    if (name == 'l')
        d->list_count = 0;
    return NULL;
}

const char *model_doc_change(struct model_doc *d, const struct mutation *m)
{
    char name;
    int64_t index;
    if (m->kind == MUTATION_JSON_SET && slice_eq(m->path, slice_of("$")))
        return model_doc_read(m->value, d) ? NULL : "a document that nobody sent";
    if (!read_path(m->path, &name, &index))
        return "a path that nobody named";
    if (m->kind == MUTATION_JSON_SET)
        return set(d, name, index, m->value);
    if (m->kind == MUTATION_JSON_REMOVE)
        return drop(d, name, index);
    return insert(d, name, m->offset, m->value);
}
