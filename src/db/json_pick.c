#include "db/json_pick.h"

#include "base/limits.h"

enum { SLOTS = LIMIT_FILTER_FIELDS + 1, SHOWN = 64 };

static enum err add(struct json_pick *p, const char *word, struct slice name, struct why *why)
{
    struct buf path = BUF_INIT(MEM_SCRATCH);
    struct why detail = {{0}};
    if (name.len > 0 && name.ptr[0] != '.')
        buf_append_byte(&path, '.');
    buf_append_slice(&path, name);
    enum err e = buf_failed(&path) ? ERR_NOMEM : OK;
    if (e == OK && (path.len == 0 || json_path_size(buf_slice(&path)) != path.len))
        e = why_set(why, ERR_ARG, "%s: '%.*s' is not a field: write year, a.b or a[0]", word,
                    (int)(name.len < SHOWN ? name.len : SHOWN), (const char *)name.ptr);
    if (e == OK) {
        e = json_paths_add(&p->paths, buf_slice(&path), &p->slots[p->count], &detail);
        if (e == OK)
            p->count++;
        else if (e == ERR_LIMIT) /* whose text speaks of filters */
            e = why_set(why, e, "%s: at most %d names in all paths, %d in one", word,
                        LIMIT_FILTER_FIELDS, LIMIT_FILTER_DEPTH);
    }
    buf_fini(&path);
    return e;
}

enum err json_pick_new(const char *word, const struct slice *names, size_t count,
                       struct json_pick **out, struct why *why)
{
    if (count > LIMIT_RETURN_FIELDS)
        return why_set(why, ERR_LIMIT, "%s: at most %d fields", word, LIMIT_RETURN_FIELDS);
    struct json_pick *p = mem_try_calloc(MEM_SCRATCH, sizeof(*p));
    if (p == NULL)
        return ERR_NOMEM;
    p->slots = mem_try(MEM_SCRATCH, count * sizeof(*p->slots));
    enum err e = json_paths_init(&p->paths, MEM_SCRATCH);
    if (p->slots == NULL)
        e = ERR_NOMEM;
    for (size_t i = 0; i < count && e == OK; i++)
        e = add(p, word, names[i], why);
    if (e != OK) {
        json_pick_free(p);
        return e;
    }
    CHECK(p->count == count && p->paths.count <= SLOTS);
    *out = p;
    return OK;
}

void json_pick_free(struct json_pick *p)
{
    if (p == NULL)
        return;
    json_paths_fini(&p->paths);
    mem_free(MEM_SCRATCH, p->slots);
    mem_free(MEM_SCRATCH, p);
}

void json_pick_read(const struct json_pick *p, struct slice json, struct json_value *out)
{
    struct json_value values[SLOTS];
    bool valid = json.len > 0 && json_read(json, &p->paths, values);
    for (size_t i = 0; i < p->count; i++)
        out[i] = valid ? values[p->slots[i]] : (struct json_value){.kind = JSON_MISSING};
}
