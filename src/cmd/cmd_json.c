/* Documents set, merged and deleted. */
#include "base/limits.h"
#include "cmd/json.h"

static void reply_ok_or_null(struct request *rq, bool ok)
{
    if (ok)
        reply_simple(&rq->reply, "OK");
    else
        reply_null(&rq->reply);
}

/* -- SET --------------------------------------------------------------------------------------- */

enum { SET_NEW = 1, SET_OLD = 2 };

/* One assignment of a value to all that a path leads to. */
struct assignment {
    struct slice document, value;
    const struct jpath *path;
    int when; /* SET_NEW, SET_OLD or 0 */
    struct jedits edits;
    bool all; /* every place took the value */
};

/* A value with so many levels around it is within the limit. */
static bool fits_at(size_t level, struct slice value)
{
    return level + jval_depth(value) < LIMIT_JSON_DEPTH;
}

/* Where the path but for its last name leads to, members of that name are added. */
static enum err add_members(struct assignment *a, struct why *why)
{
    struct jhits hits = {0};
    struct jval_entry entry;
    const struct jpath *p = a->path;
    if (!jpath_is_static(p))
        return why_set(why, ERR_SYNTAX, "Err wrong static path");
    const struct jpath_step *last = jpath_step(p, p->first + p->count - 1);
    if (last->kind == JSTEP_INDEXES) {
        enum err e = jpath_find(p, a->document, 1, &hits, why);
        bool there = hits.count > 0;
        jhits_fini(&hits);
        if (e != OK || there)
            return e;
        return why_set(why, ERR_SYNTAX, "ERR array index out of range");
    }
    struct slice name = jpath_text(p, last->first);
    enum err e = jpath_find_steps(p, p->count - 1, a->document, SIZE_MAX, &hits, why);
    for (size_t i = 0; i < hits.count && e == OK; i++) {
        struct jhit *hit = &hits.items[i];
        bool takes = hit->value.ptr[0] == '{' && !jval_member(hit->value, name, &entry) &&
                     fits_at(hit->level + 1, a->value);
        if (takes)
            jedit_add(&a->edits, hit->value, name, a->value);
        a->all &= takes;
    }
    jhits_fini(&hits);
    return e;
}

/* Gathers what is to be changed. */
static enum err assign(struct assignment *a, struct why *why)
{
    struct jhits hits = {0};
    enum err e = OK;
    jedits_init(&a->edits, a->document);
    a->all = true;
    if (a->when != SET_NEW)
        e = jpath_find(a->path, a->document, SIZE_MAX, &hits, why);
    for (size_t i = 0; i < hits.count && e == OK; i++) {
        bool takes = fits_at(hits.items[i].level, a->value);
        if (takes)
            jedit_set(&a->edits, hits.items[i].value, a->value);
        a->all &= takes;
    }
    bool found = hits.count > 0;
    jhits_fini(&hits);
    if (e == OK && !found && a->when != SET_OLD)
        e = add_members(a, why);
    if (e == OK && jedits_failed(&a->edits))
        e = ERR_NOMEM;
    a->all &= jedits_count(&a->edits) > 0;
    return e;
}

/* The value at a path of a document that is there. */
static void set_part(struct request *rq, const struct json_set_args *a, struct slice document,
                     const struct jpath *path, struct slice value)
{
    struct why why = {{0}};
    struct assignment all = {
        .document = document, .value = value, .path = path, .when = a->has_when ? a->when : 0};
    enum err e = assign(&all, &why);
    if (e != OK)
        jdoc_reply_err(rq, e, &why);
    else if (jedits_count(&all.edits) == 0 || jdoc_write(rq, a->key, &all.edits))
        reply_ok_or_null(rq, all.all);
    jedits_fini(&all.edits);
}

static void set_value(struct request *rq, const struct json_set_args *a, const struct object *o,
                      const struct jpath *path, struct slice value)
{
    bool root = jpath_is_root(path);
    if (o == NULL && a->has_when && a->when == SET_OLD)
        reply_null(&rq->reply);
    else if (o == NULL && !root)
        reply_error(&rq->reply, "ERR new objects must be created at the root");
    else if (o != NULL && !root)
        set_part(rq, a, object_value(o), path, value);
    else if (o != NULL && a->has_when && a->when == SET_NEW)
        reply_null(&rq->reply);
    else if (jdoc_write_document(rq, a->key, value))
        reply_simple(&rq->reply, "OK");
}

static bool format_fits(struct request *rq, bool given, struct slice format)
{
    if (!given || slice_eq(format, slice_of("STRING")) || slice_eq(format, slice_of("JSON")))
        return true;
    reply_error(&rq->reply, "ERR wrong format");
    return false;
}

static bool words_fit(struct request *rq, const struct json_set_args *a)
{
    static const char *const types[] = {"FP16", "BF16", "FP32", "FP64"};
    bool type = !a->has_fpha;
    for (size_t i = 0; i < COUNT_OF(types); i++)
        type |= slice_eq_nocase(a->fpha, types[i]);
    if (!type)
        reply_error(&rq->reply, "ERR invalid FPHA type");
    return type && format_fits(rq, a->has_format, a->format);
}

void cmd_json_set(struct request *rq)
{
    const struct json_set_args *a = rq->args;
    const struct object *o;
    struct jpath path;
    struct buf value = BUF_INIT(MEM_SCRATCH);
    if (!words_fit(rq, a) || !jdoc_read(rq, a->key, &o) || !jdoc_path(rq, a->path, &path))
        return;
    if (jdoc_value(rq, a->value, &value))
        set_value(rq, a, o, &path, buf_slice(&value));
    buf_fini(&value);
    jpath_fini(&path);
}

/* -- MSET -------------------------------------------------------------------------------------- */

/* Documents as they will be, those of one key once: keys and texts in turn. */
struct many {
    struct request *rq;
    struct slice *pairs;
    struct buf *texts; /* of the pairs */
    size_t count;
    bool all;
};

/* The document that a key will have so far; len 0: none. False: the error is replied. */
static bool document_so_far(struct many *m, struct slice key, size_t *pair, struct slice *out)
{
    const struct object *o;
    *out = (struct slice){0};
    for (*pair = 0; *pair < m->count; (*pair)++) {
        if (!slice_eq(m->pairs[2 * *pair], key))
            continue;
        *out = buf_slice(&m->texts[*pair]);
        return true;
    }
    if (!jdoc_read(m->rq, key, &o))
        return false;
    if (o != NULL)
        *out = object_value(o);
    return true;
}

static void keep(struct many *m, size_t pair, struct slice key, struct buf *text)
{
    if (pair == m->count) {
        m->pairs[2 * pair] = key;
        m->texts[m->count++] = *text;
        return;
    }
    buf_fini(&m->texts[pair]);
    m->texts[pair] = *text;
}

/* False: the error is replied. */
static bool make_part(struct many *m, const struct jpath *path, struct slice document,
                      struct slice value, struct buf *out)
{
    struct why why = {{0}};
    struct assignment a = {.document = document, .value = value, .path = path};
    enum err e = assign(&a, &why);
    m->all &= a.all;
    if (e == OK) {
        size_t size = jedits_settle(&a.edits);
        uint8_t *room = buf_reserve(out, size);
        e = room == NULL ? ERR_NOMEM : OK;
        if (room != NULL)
            jedits_write(&a.edits, room);
        buf_advance(out, room == NULL ? 0 : size);
    }
    jedits_fini(&a.edits);
    if (e != OK)
        jdoc_reply_err(m->rq, e, &why);
    return e == OK;
}

static bool add_triplet(struct many *m, const struct slice *triplet)
{
    struct buf value = BUF_INIT(MEM_SCRATCH), whole = BUF_INIT(MEM_SCRATCH);
    struct slice document;
    struct jpath path;
    size_t pair;
    if (!document_so_far(m, triplet[0], &pair, &document) || !jdoc_path(m->rq, triplet[1], &path))
        return false;
    bool root = jpath_is_root(&path), ok = jdoc_value(m->rq, triplet[2], &value);
    if (ok && !root && document.len == 0) {
        reply_error(&m->rq->reply, "ERR new objects must be created at the root");
        ok = false;
    }
    if (ok && !root)
        ok = make_part(m, &path, document, buf_slice(&value), &whole);
    if (ok)
        keep(m, pair, triplet[0], root ? &value : &whole);
    if (!ok || !root)
        buf_fini(&value);
    if (!ok)
        buf_fini(&whole);
    jpath_fini(&path);
    return ok;
}

static void set_many(struct many *m)
{
    struct why why = {{0}};
    uint64_t lsn = 0;
    for (size_t i = 0; i < m->count; i++)
        m->pairs[2 * i + 1] = buf_slice(&m->texts[i]);
    enum err e = db_set_values(m->rq->env->db, OBJECT_JSON, m->pairs, 2 * m->count, &lsn, &why);
    if (written(m->rq, e, lsn, &why))
        reply_ok_or_null(m->rq, m->all);
}

void cmd_json_mset(struct request *rq)
{
    enum { WORDS = 3 };
    const struct json_mset_args *a = rq->args;
    size_t count = a->triplets.count / WORDS;
    if (a->triplets.count % WORDS != 0) {
        reply_error(&rq->reply, "ERR wrong number of arguments for 'json.mset' command");
        return;
    }
    struct many m = {.rq = rq,
                     .pairs = mem_try_calloc(MEM_SCRATCH, 2 * count * sizeof(*m.pairs)),
                     .texts = mem_try_calloc(MEM_SCRATCH, count * sizeof(*m.texts)),
                     .all = true};
    bool ok = m.pairs != NULL && m.texts != NULL;
    if (!ok)
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    for (size_t i = 0; i < count && ok; i++)
        ok = add_triplet(&m, a->triplets.items + i * WORDS);
    if (ok)
        set_many(&m);
    for (size_t i = 0; i < m.count; i++)
        buf_fini(&m.texts[i]);
    mem_free(MEM_SCRATCH, m.texts);
    mem_free(MEM_SCRATCH, m.pairs);
}

/* -- MERGE ------------------------------------------------------------------------------------- */

/* A value merged into all that the path leads to, or set where there is nothing. From the last to
 * the first: what is inside another is behind it. False: the error is replied. */
static bool merge_all(struct json_target *t, struct slice patch, struct buf *whole, bool *merged)
{
    struct why why = {{0}};
    enum err e = OK;
    *merged = false;
    buf_append_slice(whole, t->document);
    jhits_sort(&t->hits);
    for (size_t i = t->hits.count; i > 0 && e == OK && !buf_failed(whole); i--) {
        const struct jhit *hit = &t->hits.items[i - 1];
        size_t at = (size_t)(hit->value.ptr - t->document.ptr);
        struct buf made = BUF_INIT(MEM_SCRATCH);
        struct slice text = buf_slice(whole), value = jval_at(text.ptr + at, text.ptr + text.len);
        e = jmerge(value, patch, &made, &why);
        size_t behind = at + value.len;
        if (e == OK && fits_at(hit->level, buf_slice(&made))) {
            *merged = true;
            struct buf next = BUF_INIT(MEM_SCRATCH);
            buf_append(&next, text.ptr, at);
            buf_append_slice(&next, buf_slice(&made));
            buf_append(&next, text.ptr + behind, text.len - behind);
            buf_fini(whole);
            *whole = next;
        }
        buf_fini(&made);
    }
    if (e == OK && buf_failed(whole))
        e = ERR_NOMEM;
    if (e != OK)
        jdoc_reply_err(t->rq, e, &why);
    return e == OK;
}

/* The difference between the document and what has become of it. */
static bool write_difference(struct json_target *t, struct slice whole)
{
    struct buf path = BUF_INIT(MEM_SCRATCH);
    struct mutation m = {.kind = MUTATION_JSON_SET, .key = t->key};
    m.value = jplace_difference(t->document, whole, &path);
    m.path = buf_slice(&path);
    if (buf_failed(&path) || path.len > LIMIT_JSON_PATH_SIZE) {
        m.path = slice_of("$");
        m.value = whole;
    }
    bool ok = write_mutation(t->rq, &m);
    buf_fini(&path);
    return ok;
}

static void merge(struct json_target *t, struct slice patch)
{
    struct buf whole = BUF_INIT(MEM_SCRATCH);
    bool merged;
    if (merge_all(t, patch, &whole, &merged) && (!merged || write_difference(t, buf_slice(&whole))))
        reply_ok_or_null(t->rq, merged);
    buf_fini(&whole);
}

/* Where the path leads to nothing yet. */
static void merge_new(struct json_target *t, struct slice patch)
{
    struct why why = {{0}};
    struct buf plain = BUF_INIT(MEM_SCRATCH);
    struct assignment a = {
        .document = t->document, .value = patch, .path = &t->path, .when = SET_NEW};
    enum err e = assign(&a, &why);
    if (e != OK)
        jdoc_reply_err(t->rq, e, &why);
    else if (jedits_count(&a.edits) == 0 || jdoc_write(t->rq, t->key, &a.edits))
        reply_ok_or_null(t->rq, a.all);
    jedits_fini(&a.edits);
    buf_fini(&plain);
}

void cmd_json_merge(struct request *rq)
{
    const struct json_merge_args *a = rq->args;
    struct json_target t;
    struct jpath path;
    struct buf patch = BUF_INIT(MEM_SCRATCH);
    if (!format_fits(rq, a->has_format, a->format) || !jdoc_open(&t, rq, a->key, a->path))
        return;
    bool ok = jdoc_value(rq, a->value, &patch);
    if (ok && t.o == NULL && jdoc_path(rq, a->path, &path)) {
        bool root = jpath_is_root(&path);
        jpath_fini(&path);
        if (!root)
            reply_error(&rq->reply, "ERR new objects must be created at the root");
        else if (jdoc_write_document(rq, a->key, buf_slice(&patch)))
            reply_simple(&rq->reply, "OK");
    } else if (ok && t.o != NULL && t.hits.count > 0) {
        merge(&t, buf_slice(&patch));
    } else if (ok && t.o != NULL) {
        merge_new(&t, buf_slice(&patch));
    }
    buf_fini(&patch);
    jdoc_close(&t);
}

/* -- DEL --------------------------------------------------------------------------------------- */

/* What is inside of something else that goes is not counted. A document that has nothing left goes
 * with its key. */
static void delete_hits(struct json_target *t)
{
    struct jedits edits;
    struct request *rq = t->rq;
    jedits_init(&edits, t->document);
    for (size_t i = 0; i < t->hits.count; i++)
        jedit_remove(&edits, t->hits.items[i].entry, t->hits.items[i].value);
    if (jedits_failed(&edits)) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    } else {
        size_t size = jedits_settle(&edits);
        int64_t count = (int64_t)jedits_count(&edits);
        if (count == 0 || (size <= 2 ? key_remove(rq, t->key) : jdoc_write(rq, t->key, &edits)))
            reply_int(&rq->reply, count);
    }
    jedits_fini(&edits);
}

static void delete_path(struct request *rq, struct slice key, struct slice path)
{
    struct json_target t;
    if (!jdoc_open(&t, rq, key, path))
        return;
    if (t.o == NULL)
        reply_int(&rq->reply, 0);
    else if (!jpath_is_root(&t.path))
        delete_hits(&t);
    else if (key_remove(rq, key))
        reply_int(&rq->reply, 1);
    jdoc_close(&t);
}

void cmd_json_del(struct request *rq)
{
    const struct json_del_args *a = rq->args;
    delete_path(rq, a->key, a->has_path ? a->path : slice_of("."));
}

void cmd_json_forget(struct request *rq)
{
    const struct json_forget_args *a = rq->args;
    delete_path(rq, a->key, a->has_path ? a->path : slice_of("."));
}
