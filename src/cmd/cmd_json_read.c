/* What is said of parts of documents: types, lengths, names, places. */
#include "cmd/json.h"

#define NO_PATH "ERR Path does not exist"

/* How a command speaks of one value. */
typedef void (*describe_fn)(struct reply *r, struct slice value, void *user);

static struct slice path_or_root(bool given, struct slice path)
{
    return given ? path : slice_of(".");
}

static void describe_all(struct json_target *t, describe_fn describe, void *user)
{
    struct reply *r = &t->rq->reply;
    reply_array(r, t->hits.count);
    for (size_t i = 0; i < t->hits.count; i++)
        describe(r, t->hits.items[i].value, user);
}

/* The first value of a legacy path, where it is of this kind. */
static bool first_of_kind(struct json_target *t, enum jval_kind kind)
{
    return t->hits.count > 0 && jval_kind(t->hits.items[0].value) == kind;
}

/* -- TYPE -------------------------------------------------------------------------------------- */

static void describe_type(struct reply *r, struct slice value, void *user)
{
    (void)user;
    reply_text(r, jval_kind_name(jval_kind(value)));
}

void cmd_json_type(struct request *rq)
{
    const struct json_type_args *a = rq->args;
    struct json_target t;
    if (!jdoc_open(&t, rq, a->key, path_or_root(a->has_path, a->path)))
        return;
    if (rq->reply.proto >= 3)
        reply_array(&rq->reply, 1);
    if (t.o == NULL || (t.path.legacy && t.hits.count == 0))
        reply_null(&rq->reply);
    else if (t.path.legacy)
        describe_type(&rq->reply, t.hits.items[0].value, NULL);
    else
        describe_all(&t, describe_type, NULL);
    jdoc_close(&t);
}

/* -- lengths ----------------------------------------------------------------------------------- */

/* Of a value of this kind; null of others. */
static void describe_length(struct reply *r, struct slice value, void *user)
{
    enum jval_kind kind = *(const enum jval_kind *)user;
    if (jval_kind(value) != kind)
        reply_null(r);
    else if (kind == JVAL_STRING)
        reply_int(r, (int64_t)jval_unescaped_size(jval_inside(value)));
    else
        reply_int(r, (int64_t)jval_count(value));
}

/* missing: the error when there is no key, and the path is none of RedisJSON 1. */
static void reply_length(struct request *rq, struct slice key, struct slice path,
                         enum jval_kind kind, const char *wrong, const char *missing)
{
    struct json_target t;
    if (!jdoc_open(&t, rq, key, path))
        return;
    bool nothing = t.hits.count == 0;
    if (t.o == NULL && jpath_says_legacy(path))
        reply_null(&rq->reply);
    else if (t.o == NULL)
        reply_error(&rq->reply, missing);
    else if (!t.path.legacy)
        describe_all(&t, describe_length, &kind);
    else if (nothing && kind == JVAL_OBJECT)
        reply_null(&rq->reply);
    else if (nothing)
        reply_error(&rq->reply, NO_PATH);
    else if (!first_of_kind(&t, kind))
        reply_error(&rq->reply, wrong);
    else
        describe_length(&rq->reply, t.hits.items[0].value, &kind);
    jdoc_close(&t);
}

#define NO_KEY "ERR could not perform this operation on a key that doesn't exist"

void cmd_json_strlen(struct request *rq)
{
    const struct json_strlen_args *a = rq->args;
    reply_length(rq, a->key, path_or_root(a->has_path, a->path), JVAL_STRING,
                 "WRONGTYPE wrong type of path value - expected string", NO_KEY);
}

void cmd_json_arrlen(struct request *rq)
{
    const struct json_arrlen_args *a = rq->args;
    reply_length(rq, a->key, path_or_root(a->has_path, a->path), JVAL_ARRAY,
                 NO_PATH " or not an array", NO_KEY);
}

void cmd_json_objlen(struct request *rq)
{
    const struct json_objlen_args *a = rq->args;
    reply_length(rq, a->key, path_or_root(a->has_path, a->path), JVAL_OBJECT,
                 "WRONGTYPE wrong type of path value - expected object",
                 NO_PATH " or not an object");
}

/* -- OBJKEYS ----------------------------------------------------------------------------------- */

static void describe_names(struct reply *r, struct slice value, void *user)
{
    (void)user;
    struct jval_walk walk;
    struct jval_entry entry;
    if (jval_kind(value) != JVAL_OBJECT) {
        reply_null(r);
        return;
    }
    reply_array(r, jval_count(value));
    jval_walk(value, &walk);
    while (jval_next(&walk, &entry)) {
        struct buf text = BUF_INIT(MEM_SCRATCH);
        jval_unescape(entry.name, &text);
        reply_gathered(r, &text);
        buf_fini(&text);
    }
}

void cmd_json_objkeys(struct request *rq)
{
    const struct json_objkeys_args *a = rq->args;
    struct slice path = path_or_root(a->has_path, a->path);
    struct json_target t;
    if (!jdoc_open(&t, rq, a->key, path))
        return;
    if (t.o == NULL && !jpath_says_legacy(path))
        jdoc_reply_missing(rq);
    else if (t.o == NULL || (t.path.legacy && t.hits.count == 0))
        reply_null(&rq->reply);
    else if (!t.path.legacy)
        describe_all(&t, describe_names, NULL);
    else if (!first_of_kind(&t, JVAL_OBJECT))
        reply_error(&rq->reply, NO_PATH " or not an object");
    else
        describe_names(&rq->reply, t.hits.items[0].value, NULL);
    jdoc_close(&t);
}

/* -- ARRINDEX ---------------------------------------------------------------------------------- */

struct wanted {
    struct slice value;
    int64_t start, stop; /* stop 0: no end */
};

/* -1: it is not there. */
static int64_t index_in(struct slice array, const struct wanted *w)
{
    struct jval_walk walk;
    struct jval_entry entry;
    int64_t length = (int64_t)jval_count(array), start = w->start, stop = w->stop;
    start = start < 0 ? (length + start > 0 ? length + start : 0)
                      : (start < length - 1 ? start : length - 1);
    if (stop <= 0)
        stop = stop == 0 ? length : (length + stop > 0 ? length + stop : 0);
    jval_walk(array, &walk);
    for (int64_t at = 0; at < stop && jval_next(&walk, &entry); at++)
        if (at >= start && jval_equal(entry.value, w->value))
            return at;
    return -1;
}

static void describe_index(struct reply *r, struct slice value, void *user)
{
    if (jval_kind(value) != JVAL_ARRAY)
        reply_null(r);
    else
        reply_int(r, index_in(value, user));
}

static bool read_bound(struct request *rq, bool given, struct slice word, int64_t *out)
{
    *out = 0;
    if (!given || slice_to_i64(word, out))
        return true;
    reply_error(&rq->reply, "ERR Couldn't parse as integer");
    return false;
}

void cmd_json_arrindex(struct request *rq)
{
    const struct json_arrindex_args *a = rq->args;
    struct buf value = BUF_INIT(MEM_SCRATCH);
    struct wanted wanted;
    struct json_target t;
    bool ok = read_bound(rq, a->has_start, a->start, &wanted.start) &&
              read_bound(rq, a->has_stop, a->stop, &wanted.stop) &&
              jdoc_value(rq, a->value, &value);
    wanted.value = buf_slice(&value);
    if (ok && jdoc_open(&t, rq, a->key, a->path)) {
        if (t.o == NULL || (t.path.legacy && t.hits.count == 0))
            reply_error(&rq->reply, NO_PATH);
        else if (!t.path.legacy)
            describe_all(&t, describe_index, &wanted);
        else if (!first_of_kind(&t, JVAL_ARRAY))
            reply_error(&rq->reply, "WRONGTYPE wrong type of path value - expected array");
        else
            describe_index(&rq->reply, t.hits.items[0].value, &wanted);
        jdoc_close(&t);
    }
    buf_fini(&value);
}

/* -- DEBUG ------------------------------------------------------------------------------------- */

static void describe_memory(struct reply *r, struct slice value, void *user)
{
    (void)user;
    reply_int(r, (int64_t)value.len);
}

void cmd_json_debug_memory(struct request *rq)
{
    const struct json_debug_memory_args *a = rq->args;
    struct slice path = path_or_root(a->has_path, a->path);
    struct json_target t;
    if (!jdoc_open(&t, rq, a->key, path))
        return;
    if (t.o == NULL && jpath_says_legacy(path))
        reply_int(&rq->reply, 0);
    else if (t.o == NULL)
        reply_array(&rq->reply, 0);
    else if (!t.path.legacy)
        describe_all(&t, describe_memory, NULL);
    else if (t.hits.count == 0)
        reply_error(&rq->reply, NO_PATH);
    else
        describe_memory(&rq->reply, t.hits.items[0].value, NULL);
    jdoc_close(&t);
}
