/* Between handlers and documents: what is read, and how changes become mutations. */
#include "base/limits.h"
#include "cmd/json.h"

void jdoc_reply_err(struct request *rq, enum err e, const struct why *why)
{
    bool whole = (e == ERR_SYNTAX || e == ERR_LIMIT) && why->text[0] != '\0';
    if (whole)
        reply_error(&rq->reply, why->text);
    else
        reply_err(&rq->reply, e, why);
}

void jdoc_reply_missing(struct request *rq)
{
    reply_error(&rq->reply, "ERR could not perform this operation on a key that doesn't exist");
}

bool jdoc_read(struct request *rq, struct slice key, const struct object **out)
{
    bool reads = (rq->command->flags & CMD_READONLY) != 0;
    *out = reads ? key_read(rq, key) : db_find(rq->env->db, key);
    if (*out == NULL || (*out)->type == OBJECT_JSON)
        return true;
    reply_err(&rq->reply, ERR_TYPE, NULL);
    return false;
}

bool jdoc_path(struct request *rq, struct slice text, struct jpath *out)
{
    struct why why = {{0}};
    enum err e = utf8_check(text) ? jpath_init(out, text, &why)
                                  : why_set(&why, ERR_SYNTAX, "Couldn't parse as UTF-8 string");
    if (e != OK)
        jdoc_reply_err(rq, e, &why);
    return e == OK;
}

bool jdoc_value(struct request *rq, struct slice text, struct buf *out)
{
    struct why why = {{0}};
    enum err e = jparse(text, rq->env->db->keys.hash_seed, out, &why);
    if (e != OK)
        jdoc_reply_err(rq, e, &why);
    return e == OK;
}

bool jdoc_open(struct json_target *t, struct request *rq, struct slice key, struct slice path)
{
    struct why why = {{0}};
    *t = (struct json_target){.rq = rq, .key = key};
    if (!jdoc_read(rq, key, &t->o))
        return false;
    if (t->o == NULL)
        return true;
    t->document = object_value(t->o);
    if (!jdoc_path(rq, path, &t->path))
        return false;
    enum err e = jpath_find(&t->path, t->document, SIZE_MAX, &t->hits, &why);
    if (e == OK)
        return true;
    jdoc_reply_err(rq, e, &why);
    jdoc_close(t);
    return false;
}

void jdoc_close(struct json_target *t)
{
    if (t->o != NULL)
        jpath_fini(&t->path);
    jhits_fini(&t->hits);
}

/* -- writing ----------------------------------------------------------------------------------- */

bool jdoc_write_document(struct request *rq, struct slice key, struct slice document)
{
    return write_mutation(
        rq, &(struct mutation){
                .kind = MUTATION_JSON_SET, .key = key, .path = slice_of("$"), .value = document});
}

/* One change as the mutation that says just that. False: only as a replacement. */
static bool single(const struct jedits *edits, struct buf *path, struct buf *value,
                   struct mutation *m)
{
    const struct jedit *one = jedits_at(edits, 0);
    if (one->kind == JEDIT_REMOVE && one->entries > 1)
        return false;
    bool removes = one->kind == JEDIT_REMOVE, inserts = one->kind == JEDIT_INSERT;
    size_t place = one->target;
    if (!jplace_path(edits->document, place, path))
        return false;
    if (one->kind == JEDIT_ADD)
        jplace_put_name(path, jedit_name(edits, one));
    buf_append_text(value, inserts ? "[" : "");
    if (!removes)
        buf_append_slice(value, jedit_value(edits, one));
    buf_append_text(value, inserts ? "]" : "");
    m->kind = removes ? MUTATION_JSON_REMOVE : inserts ? MUTATION_JSON_INSERT : MUTATION_JSON_SET;
    m->offset = inserts ? one->index : 0;
    return true;
}

/* The document with all changes. */
static void make_whole(const struct jedits *edits, size_t size, struct buf *out)
{
    uint8_t *room = buf_reserve(out, size);
    if (room == NULL)
        return;
    jedits_write(edits, room);
    buf_advance(out, size);
}

/* Several changes, as the smallest value that holds all of them: what was between them is logged
 * too, but one mutation is there or not. */
static void several(const struct jedits *edits, size_t size, struct buf *path, struct buf *value,
                    struct mutation *m)
{
    struct buf text = BUF_INIT(MEM_SCRATCH);
    m->kind = MUTATION_JSON_SET;
    make_whole(edits, size, &text);
    if (!buf_failed(&text))
        buf_append_slice(value, jplace_difference(edits->document, buf_slice(&text), path));
    path->failed |= buf_failed(&text);
    buf_fini(&text);
}

/* What is written of them, in path and value. */
static enum err plan_write(struct jedits *edits, struct buf *path, struct buf *value,
                           struct mutation *m)
{
    if (jedits_failed(edits))
        return ERR_NOMEM;
    size_t size = jedits_settle(edits);
    if (jedits_count(edits) != 1 || !single(edits, path, value, m)) {
        buf_clear(path, SIZE_MAX);
        buf_clear(value, SIZE_MAX);
        several(edits, size, path, value, m);
    }
    if (path->len > LIMIT_JSON_PATH_SIZE) { /* names may be longer than paths */
        buf_clear(path, SIZE_MAX);
        buf_clear(value, SIZE_MAX);
        buf_append_byte(path, '$');
        make_whole(edits, size, value);
        m->kind = MUTATION_JSON_SET;
    }
    return buf_failed(path) || buf_failed(value) ? ERR_NOMEM : OK;
}

bool jdoc_write(struct request *rq, struct slice key, struct jedits *edits)
{
    struct buf path = BUF_INIT(MEM_SCRATCH), value = BUF_INIT(MEM_SCRATCH);
    struct mutation m = {.key = key};
    enum err e = plan_write(edits, &path, &value, &m);
    m.path = buf_slice(&path);
    m.value = buf_slice(&value);
    if (e != OK)
        reply_err(&rq->reply, e, NULL);
    bool ok = e == OK && write_mutation(rq, &m);
    buf_fini(&path);
    buf_fini(&value);
    return ok;
}
