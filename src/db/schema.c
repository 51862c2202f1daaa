#include "db/schema.h"

#include "db/json_scan.h"

enum { SHOWN = 64 };

const char *schema_kind_name(enum schema_kind kind)
{
    static const char *const names[] = {
#define X(kind_, word, number) [kind_] = word,
        SCHEMA_KIND_LIST(X)
#undef X
    };
    CHECK(kind < SCHEMA_KIND_COUNT);
    return names[kind];
}

struct slice schema_name(const struct schema *s, size_t i)
{
    CHECK(i < s->count);
    size_t start = i == 0 ? 0 : s->name_end[i - 1];
    return (struct slice){(const uint8_t *)s->names + start, s->name_end[i] - start};
}

/* A path of filters but for its dot. */
static bool is_name(struct slice name)
{
    uint8_t path[LIMIT_SCHEMA_NAMES + 1] = ".";
    if (name.len == 0 || name.len > LIMIT_SCHEMA_NAMES)
        return false;
    memcpy(path + 1, name.ptr, name.len);
    return json_path_size((struct slice){path, name.len + 1}) == name.len + 1;
}

static struct slice without_dot(struct slice name)
{
    bool has = name.len > 0 && name.ptr[0] == '.';
    return has ? (struct slice){name.ptr + 1, name.len - 1} : name;
}

enum err schema_add(struct schema *s, struct slice name, enum schema_kind kind, struct why *why)
{
    name = without_dot(name);
    int shown = (int)(name.len < SHOWN ? name.len : SHOWN);
    size_t used = s->count == 0 ? 0 : s->name_end[s->count - 1];
    if (s->count == LIMIT_SCHEMA_FIELDS)
        return why_set(why, ERR_LIMIT, "SCHEMA: at most %d fields", LIMIT_SCHEMA_FIELDS);
    if (name.len > LIMIT_SCHEMA_NAMES - used)
        return why_set(why, ERR_LIMIT, "SCHEMA: the names of all fields have at most %d bytes",
                       LIMIT_SCHEMA_NAMES);
    if (!is_name(name))
        return why_set(why, ERR_ARG, "SCHEMA: '%.*s' is not a field: write year, a.b or a[0]",
                       shown, (const char *)name.ptr);
    for (size_t i = 0; i < s->count; i++)
        if (slice_eq(schema_name(s, i), name))
            return why_set(why, ERR_ARG, "SCHEMA: the field '%.*s' comes twice", shown,
                           (const char *)name.ptr);
    memcpy(s->names + used, name.ptr, name.len);
    s->kinds[s->count] = (uint8_t)kind;
    s->name_end[s->count++] = (uint16_t)(used + name.len);
    return OK;
}

enum err schema_drop(struct schema *s, struct slice name, struct why *why)
{
    name = without_dot(name);
    struct schema rest = {0};
    for (size_t i = 0; i < s->count; i++)
        if (!slice_eq(schema_name(s, i), name)) {
            enum err e = schema_add(&rest, schema_name(s, i), schema_kind(s, i), NULL);
            CHECK(e == OK); /* as it was added before, with less beside it */
        }
    if (rest.count == s->count)
        return why_set(why, ERR_NOT_FOUND, "SCHEMA: there is no field '%.*s'",
                       (int)(name.len < SHOWN ? name.len : SHOWN), (const char *)name.ptr);
    *s = rest;
    return OK;
}

bool schema_equal(const struct schema *a, const struct schema *b)
{
    bool equal = a->count == b->count;
    for (size_t i = 0; equal && i < a->count; i++)
        equal = schema_kind(a, i) == schema_kind(b, i) &&
                slice_eq(schema_name(a, i), schema_name(b, i));
    return equal;
}

void schema_encode(const struct schema *s, struct buf *out)
{
    bytes_put_u8(out, s->count);
    for (size_t i = 0; i < s->count; i++) {
        bytes_put_u8(out, s->kinds[i]);
        bytes_put_slice(out, schema_name(s, i));
    }
}

bool schema_decode(struct bytes_reader *r, struct schema *s)
{
    *s = (struct schema){0};
    uint8_t count = bytes_get_u8(r);
    if (r->broken || count > LIMIT_SCHEMA_FIELDS)
        return false;
    for (size_t i = 0; i < count; i++) {
        uint8_t kind = bytes_get_u8(r);
        struct slice name = bytes_get_slice(r);
        /* A dot in front is not how it is written. */
        if (r->broken || kind >= SCHEMA_KIND_COUNT || name.len == 0 || name.ptr[0] == '.' ||
            schema_add(s, name, (enum schema_kind)kind, NULL) != OK)
            return false;
    }
    return true;
}
