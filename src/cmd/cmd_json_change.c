/* Numbers, strings, booleans and arrays within documents, changed where they stand. */
#include <inttypes.h>
#include <math.h>

#include "base/limits.h"
#include "cmd/json.h"

/* What has become of a hit. */
struct result {
    bool changed; /* else it was nothing for the command */
    int64_t integer;
    size_t text_at, text_size; /* in change.texts: a value */
};

/* A command that changes each hit by itself. */
struct change {
    struct json_target t;
    struct jedits edits;
    struct result *results; /* of the hits */
    struct buf texts;
    struct buf value; /* what the client gave, as a document's text */
    size_t count;     /* of values in it */
    size_t depth;     /* of the deepest */
    int64_t index, stop;
    const char *wrong; /* what a legacy path should lead to */
    struct slice format;
};

/* Gathers the change of a hit; false: the error is replied. */
typedef bool (*change_fn)(struct change *c, const struct jhit *hit, struct result *out);
typedef void (*reply_fn)(struct change *c, const struct result *result);

static bool fail(struct change *c, const char *error)
{
    reply_error(&c->t.rq->reply, error);
    return false;
}

/* -- the way of all of them -------------------------------------------------------------------- */

static void reply_integer(struct change *c, const struct result *result)
{
    reply_int(&c->t.rq->reply, result->integer);
}

static struct slice text_of(const struct change *c, const struct result *result)
{
    return (struct slice){c->texts.ptr + result->text_at, result->text_size};
}

static void set_text(struct change *c, struct result *out, struct slice text)
{
    out->text_at = c->texts.len;
    out->text_size = text.len;
    buf_append_slice(&c->texts, text);
}

/* Gathers all; false: the error is replied. */
static bool gather(struct change *c, change_fn change)
{
    bool any = false;
    size_t count = c->t.hits.count;
    c->results = mem_try_calloc(MEM_SCRATCH, (count + 1) * sizeof(*c->results));
    if (c->results == NULL) {
        reply_err(&c->t.rq->reply, ERR_NOMEM, NULL);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!change(c, &c->t.hits.items[i], &c->results[i]))
            return false;
        any |= c->results[i].changed;
    }
    if (c->t.path.legacy && !any) {
        reply_errorf(&c->t.rq->reply, "ERR Path does not exist or %s", c->wrong);
        return false;
    }
    return true;
}

static void reply_all(struct change *c, reply_fn reply)
{
    reply_array(&c->t.rq->reply, c->t.hits.count);
    for (size_t i = 0; i < c->t.hits.count; i++) {
        if (c->results[i].changed)
            reply(c, &c->results[i]);
        else
            reply_null(&c->t.rq->reply);
    }
}

/* The last one that changed: what a legacy path replies. */
static const struct result *last_result(const struct change *c)
{
    size_t i = c->t.hits.count;
    while (i > 0 && !c->results[i - 1].changed)
        i--;
    CHECK(i > 0);
    return &c->results[i - 1];
}

/* Opens the document, gathers the changes and makes them. False: the error is replied. Either way
 * end_change comes. */
static bool make_change(struct change *c, struct request *rq, struct slice key, struct slice path,
                        change_fn change)
{
    if (!jdoc_open(&c->t, rq, key, path)) {
        c->t.o = NULL;
        return false;
    }
    if (c->t.o == NULL) {
        jdoc_reply_missing(rq);
        return false;
    }
    jedits_init(&c->edits, c->t.document);
    if (!gather(c, change))
        return false;
    if (buf_failed(&c->texts)) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return false;
    }
    return (jedits_count(&c->edits) == 0 && !jedits_failed(&c->edits)) ||
           jdoc_write(rq, key, &c->edits);
}

static struct change begin_change(const char *wrong)
{
    return (struct change){
        .wrong = wrong, .texts = BUF_INIT(MEM_SCRATCH), .value = BUF_INIT(MEM_SCRATCH)};
}

static void end_change(struct change *c)
{
    jedits_fini(&c->edits);
    mem_free(MEM_SCRATCH, c->results);
    buf_fini(&c->texts);
    buf_fini(&c->value);
    jdoc_close(&c->t);
}

static void reply_change(struct change *c, reply_fn reply)
{
    if (c->t.path.legacy)
        reply(c, last_result(c));
    else
        reply_all(c, reply);
}

/* -- numbers ----------------------------------------------------------------------------------- */

enum number_op { OP_ADD, OP_MULTIPLY, OP_POWER };

static bool integer_power(int64_t base, int64_t exponent, int64_t *out)
{
    *out = 1;
    if (exponent < 0 || exponent > UINT32_MAX)
        return false;
    for (; exponent > 0; exponent /= 2) {
        if (exponent % 2 != 0 && __builtin_mul_overflow(*out, base, out))
            return false;
        if (exponent > 1 && __builtin_mul_overflow(base, base, &base))
            return false;
    }
    return true;
}

static bool integer_op(enum number_op op, int64_t a, int64_t b, int64_t *out)
{
    if (op == OP_ADD)
        return !__builtin_add_overflow(a, b, out);
    if (op == OP_MULTIPLY)
        return !__builtin_mul_overflow(a, b, out);
    return integer_power(a, b, out);
}

static double double_op(enum number_op op, double a, double b)
{
    return op == OP_ADD ? a + b : op == OP_MULTIPLY ? a * b : pow(a, b);
}

static bool change_number(struct change *c, const struct jhit *hit, struct result *out)
{
    char text[JNUM_TEXT_MAX];
    struct slice by = buf_slice(&c->value);
    enum number_op op = (enum number_op)c->index;
    int64_t a, b, integer;
    size_t size;
    if (!jval_is_number(hit->value))
        return true;
    if (!jval_is_number(by))
        return fail(c, "bad input number");
    if (jnum_integer(hit->value, &a) && jnum_integer(by, &b)) {
        if (!integer_op(op, a, b, &integer))
            return fail(c, "ERR numeric overflow");
        size = jnum_print_integer(integer, text);
    } else {
        double value = double_op(op, jnum_value(hit->value), jnum_value(by));
        if (!isfinite(value))
            return fail(c, "ERR result is not a number");
        size = jnum_print(value, text);
    }
    out->changed = true;
    set_text(c, out, (struct slice){(const uint8_t *)text, size});
    jedit_set(&c->edits, hit->value, (struct slice){(const uint8_t *)text, size});
    return true;
}

static void reply_number(struct change *c, const struct result *result)
{
    struct slice text = text_of(c, result);
    int64_t integer;
    if (jnum_integer(text, &integer))
        reply_int(&c->t.rq->reply, integer);
    else
        reply_double(&c->t.rq->reply, jnum_value(text));
}

/* RESP2: the array as JSON. */
static void reply_numbers_as_text(struct change *c)
{
    struct buf text = BUF_INIT(MEM_SCRATCH);
    for (size_t i = 0; i < c->t.hits.count; i++) {
        buf_append_byte(&text, i == 0 ? '[' : ',');
        if (c->results[i].changed)
            buf_append_slice(&text, text_of(c, &c->results[i]));
        else
            buf_append_text(&text, "null");
    }
    buf_append_text(&text, c->t.hits.count == 0 ? "[]" : "]");
    reply_gathered(&c->t.rq->reply, &text);
    buf_fini(&text);
}

static void number_command(struct request *rq, struct slice key, struct slice path,
                           struct slice number, enum number_op op)
{
    struct change c = begin_change("does not contains a number");
    c.index = op;
    if (jdoc_value(rq, number, &c.value) && make_change(&c, rq, key, path, change_number)) {
        if (rq->reply.proto >= 3)
            reply_all(&c, reply_number);
        else if (c.t.path.legacy)
            reply_bulk(&rq->reply, text_of(&c, last_result(&c)));
        else
            reply_numbers_as_text(&c);
    }
    end_change(&c);
}

void cmd_json_numincrby(struct request *rq)
{
    const struct json_numincrby_args *a = rq->args;
    number_command(rq, a->key, a->path, a->number, OP_ADD);
}

void cmd_json_nummultby(struct request *rq)
{
    const struct json_nummultby_args *a = rq->args;
    number_command(rq, a->key, a->path, a->number, OP_MULTIPLY);
}

void cmd_json_numpowby(struct request *rq)
{
    const struct json_numpowby_args *a = rq->args;
    number_command(rq, a->key, a->path, a->number, OP_POWER);
}

/* -- booleans, strings ------------------------------------------------------------------------- */

static bool change_bool(struct change *c, const struct jhit *hit, struct result *out)
{
    out->changed = jval_kind(hit->value) == JVAL_BOOL;
    out->integer = hit->value.ptr[0] == 'f';
    if (out->changed)
        jedit_set(&c->edits, hit->value, slice_of(out->integer ? "true" : "false"));
    return true;
}

void cmd_json_toggle(struct request *rq)
{
    const struct json_toggle_args *a = rq->args;
    struct change c = begin_change("not a bool");
    if (make_change(&c, rq, a->key, a->path, change_bool)) {
        if (c.t.path.legacy)
            reply_text(&rq->reply, last_result(&c)->integer ? "true" : "false");
        else
            reply_all(&c, reply_integer);
    }
    end_change(&c);
}

static bool change_string(struct change *c, const struct jhit *hit, struct result *out)
{
    struct slice more = jval_inside(buf_slice(&c->value));
    out->changed = jval_kind(hit->value) == JVAL_STRING;
    if (!out->changed)
        return true;
    struct slice inside = jval_inside(hit->value);
    struct buf text = BUF_INIT(MEM_SCRATCH);
    buf_append_byte(&text, '"');
    buf_append_slice(&text, inside);
    buf_append_slice(&text, more);
    buf_append_byte(&text, '"');
    out->integer = (int64_t)(jval_unescaped_size(inside) + jval_unescaped_size(more));
    c->texts.failed |= buf_failed(&text);
    if (!buf_failed(&text))
        jedit_set(&c->edits, hit->value, buf_slice(&text));
    buf_fini(&text);
    return true;
}

void cmd_json_strappend(struct request *rq)
{
    const struct json_strappend_args *a = rq->args;
    struct change c = begin_change("not a string");
    struct slice path = a->has_value ? a->path_or_value : slice_of(".");
    struct slice value = a->has_value ? a->value : a->path_or_value;
    bool ok = jdoc_value(rq, value, &c.value);
    if (ok && c.value.ptr[0] != '"')
        reply_error(&rq->reply, "WRONGTYPE wrong type of path value - expected string");
    else if (ok && make_change(&c, rq, a->key, path, change_string))
        reply_change(&c, reply_integer);
    end_change(&c);
}

/* -- arrays ------------------------------------------------------------------------------------ */

/* Values of a client, joined by commas. */
static bool read_values(struct change *c, struct request *rq, const struct slices *values)
{
    for (size_t i = 0; i < values->count; i++) {
        size_t at = c->value.len + (i > 0);
        if (i > 0)
            buf_append_byte(&c->value, ',');
        if (!jdoc_value(rq, values->items[i], &c->value))
            return false;
        size_t depth = jval_depth((struct slice){c->value.ptr + at, c->value.len - at});
        c->depth = depth > c->depth ? depth : c->depth;
    }
    c->count = values->count;
    return true;
}

static bool insert(struct change *c, const struct jhit *hit, size_t index, size_t length,
                   struct result *out)
{
    if (hit->level + 1 + c->depth >= LIMIT_JSON_DEPTH)
        return fail(c, "ERR recursion limit exceeded");
    out->changed = true;
    out->integer = (int64_t)(length + c->count);
    jedit_insert(&c->edits, hit->value, index, buf_slice(&c->value));
    return true;
}

static bool change_by_appending(struct change *c, const struct jhit *hit, struct result *out)
{
    if (jval_kind(hit->value) != JVAL_ARRAY)
        return true;
    size_t length = jval_count(hit->value);
    return insert(c, hit, length, length, out);
}

void cmd_json_arrappend(struct request *rq)
{
    const struct json_arrappend_args *a = rq->args;
    struct change c = begin_change("not an array");
    if (read_values(&c, rq, &a->values) &&
        make_change(&c, rq, a->key, a->path, change_by_appending))
        reply_change(&c, reply_integer);
    end_change(&c);
}

static bool change_by_inserting(struct change *c, const struct jhit *hit, struct result *out)
{
    if (jval_kind(hit->value) != JVAL_ARRAY)
        return true;
    int64_t length = (int64_t)jval_count(hit->value);
    int64_t index = c->index < 0 ? length + c->index : c->index;
    if (index < 0 || index > length)
        return fail(c, "ERR index out of bounds");
    return insert(c, hit, (size_t)index, (size_t)length, out);
}

void cmd_json_arrinsert(struct request *rq)
{
    const struct json_arrinsert_args *a = rq->args;
    struct change c = begin_change("not an array");
    c.index = a->index;
    if (read_values(&c, rq, &a->values) &&
        make_change(&c, rq, a->key, a->path, change_by_inserting))
        reply_change(&c, reply_integer);
    end_change(&c);
}

/* Counted from the end when it is negative, and never beyond either. */
static int64_t within(int64_t index, int64_t length)
{
    if (index < 0)
        return length + index > 0 ? length + index : 0;
    return index < length - 1 ? index : length - 1;
}

static bool change_by_popping(struct change *c, const struct jhit *hit, struct result *out)
{
    struct jval_entry entry;
    if (jval_kind(hit->value) != JVAL_ARRAY)
        return true;
    int64_t length = (int64_t)jval_count(hit->value);
    out->changed = true;
    if (length == 0)
        return true;
    bool there = jval_element(hit->value, (size_t)within(c->index, length), &entry);
    CHECK(there);
    set_text(c, out, entry.value);
    jedit_remove(&c->edits, entry.text, entry.value);
    return true;
}

/* Of an empty array there is nothing to reply. */
static void reply_popped(struct change *c, const struct result *result)
{
    if (result->text_size == 0)
        reply_null(&c->t.rq->reply);
    else if (c->format.len > 0)
        jdoc_reply_popped(&c->t.rq->reply, c->format, text_of(c, result));
    else
        reply_bulk(&c->t.rq->reply, text_of(c, result));
}

/* What FORMAT says; false: the error is replied. */
static bool read_pop_format(struct request *rq, const struct json_arrpop_args *a, struct slice path,
                            struct slice *out)
{
    *out = (struct slice){0};
    if (!a->has_format)
        return true;
    bool strings = slice_eq(a->format, slice_of("STRINGS"));
    bool expands =
        slice_eq(a->format, slice_of("EXPAND1")) || slice_eq(a->format, slice_of("EXPAND"));
    if (!strings && !expands)
        reply_error(&rq->reply, "ERR wrong reply format");
    else if (expands && rq->reply.proto < 3)
        reply_error(&rq->reply, "ERR FORMAT argument is not supported on RESP2");
    else if (expands && jpath_says_legacy(path))
        reply_error(&rq->reply, "Legacy paths are supported only with FORMAT STRINGS");
    else {
        *out = expands ? a->format : *out;
        return true;
    }
    return false;
}

void cmd_json_arrpop(struct request *rq)
{
    const struct json_arrpop_args *a = rq->args;
    struct slice path = a->has_path ? a->path : slice_of(".");
    struct change c = begin_change("not an array");
    c.index = -1;
    if (a->has_index && !slice_to_i64(a->index, &c.index))
        c.index = -1;
    if (read_pop_format(rq, a, path, &c.format) &&
        make_change(&c, rq, a->key, path, change_by_popping))
        reply_change(&c, reply_popped);
    end_change(&c);
}

/* Cuts entries first .. last - 1. */
static void cut(struct change *c, struct slice array, int64_t first, int64_t last)
{
    struct jval_entry from, to;
    if (first >= last)
        return;
    bool there =
        jval_element(array, (size_t)first, &from) && jval_element(array, (size_t)last - 1, &to);
    CHECK(there);
    jedit_cut(&c->edits, from.text, to.text, (size_t)(last - first));
}

static bool change_by_trimming(struct change *c, const struct jhit *hit, struct result *out)
{
    if (jval_kind(hit->value) != JVAL_ARRAY)
        return true;
    int64_t length = (int64_t)jval_count(hit->value), stop = within(c->stop, length);
    int64_t start = c->index < length ? within(c->index, length) : stop + 1;
    bool empty = start > stop || length == 0;
    out->changed = true;
    out->integer = empty ? 0 : stop - start + 1;
    if (empty) {
        cut(c, hit->value, 0, length);
        return true;
    }
    cut(c, hit->value, 0, start);
    cut(c, hit->value, stop + 1, length);
    return true;
}

void cmd_json_arrtrim(struct request *rq)
{
    const struct json_arrtrim_args *a = rq->args;
    struct change c = begin_change("not an array");
    c.index = a->start;
    c.stop = a->stop;
    if (make_change(&c, rq, a->key, a->path, change_by_trimming))
        reply_change(&c, reply_integer);
    end_change(&c);
}

/* -- CLEAR ------------------------------------------------------------------------------------- */

static bool change_by_clearing(struct change *c, const struct jhit *hit, struct result *out)
{
    struct slice v = hit->value;
    bool full = jval_is_container(v) && v.len > 2;
    bool number = jval_is_number(v) && jnum_value(v) != 0;
    out->changed = full || number;
    if (full)
        jedit_set(&c->edits, v, slice_of(v.ptr[0] == '[' ? "[]" : "{}"));
    if (number)
        jedit_set(&c->edits, v, slice_of("0"));
    return true;
}

/* What was inside of something else that was cleared is not counted. */
void cmd_json_clear(struct request *rq)
{
    const struct json_clear_args *a = rq->args;
    struct json_target t;
    struct change c = begin_change("");
    if (jdoc_open(&t, rq, a->key, a->has_path ? a->path : slice_of("."))) {
        c.t = t;
        if (t.o == NULL) {
            jdoc_reply_missing(rq);
        } else {
            struct result unused;
            jedits_init(&c.edits, t.document);
            for (size_t i = 0; i < t.hits.count; i++)
                (void)change_by_clearing(&c, &t.hits.items[i], &unused);
            if ((jedits_count(&c.edits) == 0 && !jedits_failed(&c.edits)) ||
                jdoc_write(rq, a->key, &c.edits))
                reply_int(&rq->reply, (int64_t)jedits_count(&c.edits));
        }
    }
    end_change(&c);
}
