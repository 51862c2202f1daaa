/* Documents and parts of them, as text and as replies. */
#include "base/limits.h"
#include "cmd/json.h"

enum format { FORMAT_STRING, FORMAT_STRINGS, FORMAT_EXPAND1, FORMAT_EXPAND };

static bool read_format(struct request *rq, struct slice word, enum format *out)
{
    static const char *const names[] = {"STRING", "STRINGS", "EXPAND1", "EXPAND"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (!slice_eq(word, slice_of(names[i])))
            continue;
        *out = (enum format)i;
        return true;
    }
    reply_error(&rq->reply, "ERR wrong reply format");
    return false;
}

/* -- text with blanks -------------------------------------------------------------------------- */

struct layout {
    struct slice indent, newline, space;
    bool plain;
};

static void new_line(struct buf *out, const struct layout *l, size_t depth)
{
    buf_append_slice(out, l->newline);
    for (size_t i = 0; i < depth && l->indent.len > 0; i++)
        buf_append_slice(out, l->indent);
}

/* Lays out canonical text, which is inside of so many containers already. */
static void put_laid_out(struct buf *out, const struct layout *l, struct slice text, size_t depth)
{
    for (size_t i = 0; i < text.len && !buf_failed(out); i++) {
        uint8_t c = text.ptr[i];
        bool opens = c == '[' || c == '{', closes = c == ']' || c == '}';
        if (c == '"') {
            struct slice string = jval_at(text.ptr + i, text.ptr + text.len);
            buf_append_slice(out, string);
            i += string.len - 1;
            continue;
        }
        bool empty = closes && (text.ptr[i - 1] == '[' || text.ptr[i - 1] == '{');
        depth -= closes;
        if (closes && !empty)
            new_line(out, l, depth);
        buf_append_byte(out, c);
        depth += opens;
        bool ends = opens && (text.ptr[i + 1] == ']' || text.ptr[i + 1] == '}');
        if ((opens && !ends) || c == ',')
            new_line(out, l, depth);
        else if (c == ':')
            buf_append_slice(out, l->space);
    }
}

static void put_text(struct buf *out, const struct layout *l, struct slice text, size_t depth)
{
    if (l->plain)
        buf_append_slice(out, text);
    else
        put_laid_out(out, l, text, depth);
}

/* All hits, as an array. */
static void put_hits(struct buf *out, const struct layout *l, const struct jhits *hits,
                     size_t depth)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < hits->count && !buf_failed(out); i++) {
        buf_append_text(out, i > 0 ? "," : "");
        new_line(out, l, depth + 1);
        put_text(out, l, hits->items[i].value, depth + 1);
    }
    if (hits->count > 0)
        new_line(out, l, depth);
    buf_append_byte(out, ']');
}

/* -- values as replies of RESP3 ---------------------------------------------------------------- */

static void reply_scalar(struct reply *r, struct slice value)
{
    struct buf text = BUF_INIT(MEM_SCRATCH);
    int64_t integer;
    switch (jval_kind(value)) {
    case JVAL_NULL:
        reply_null(r);
        break;
    case JVAL_BOOL:
        reply_bool(r, value.ptr[0] == 't');
        break;
    case JVAL_INTEGER:
    case JVAL_NUMBER:
        if (jnum_integer(value, &integer))
            reply_int(r, integer);
        else
            reply_double(r, jnum_value(value));
        break;
    case JVAL_STRING:
        jval_unescape(jval_inside(value), &text);
        reply_gathered(r, &text);
        break;
    case JVAL_ARRAY:
    case JVAL_OBJECT:
        reply_bulk(r, value);
        break;
    }
    buf_fini(&text);
}

static void reply_name(struct reply *r, struct slice inside)
{
    struct buf text = BUF_INIT(MEM_SCRATCH);
    jval_unescape(inside, &text);
    reply_gathered(r, &text);
    buf_fini(&text);
}

/* A container as maps and arrays; with brackets, as JSON.RESP has it, as arrays that begin with
 * one. */
struct expansion {
    struct jval_walk walks[LIMIT_JSON_DEPTH];
    size_t depth;
    bool brackets;
};

static void begin_container(struct expansion *x, struct reply *r, struct slice value)
{
    bool object = value.ptr[0] == '{';
    size_t count = jval_count(value);
    CHECK(x->depth < LIMIT_JSON_DEPTH);
    jval_walk(value, &x->walks[x->depth++]);
    if (x->brackets) {
        reply_array(r, 1 + (object ? 2 : 1) * count);
        reply_simple(r, object ? "{" : "[");
    } else if (object) {
        reply_map(r, count);
    } else {
        reply_array(r, count);
    }
}

static void reply_bracketed_scalar(struct reply *r, struct slice value)
{
    if (jval_kind(value) == JVAL_BOOL)
        reply_simple(r, value.ptr[0] == 't' ? "true" : "false");
    else
        reply_scalar(r, value);
}

static void reply_expanded(struct reply *r, struct slice value, bool brackets)
{
    struct expansion x;
    struct jval_entry entry = {.value = value};
    x.depth = 0;
    x.brackets = brackets;
    do {
        if (entry.value.len > 0 && jval_is_container(entry.value))
            begin_container(&x, r, entry.value);
        else if (brackets)
            reply_bracketed_scalar(r, entry.value);
        else
            reply_scalar(r, entry.value);
        while (x.depth > 0 && !jval_next(&x.walks[x.depth - 1], &entry))
            x.depth--;
        if (x.depth > 0 && x.walks[x.depth - 1].named)
            reply_name(r, entry.name);
    } while (x.depth > 0);
}

/* As FORMAT EXPAND and EXPAND1 say, in RESP3 alone. */
static void reply_value(struct reply *r, enum format format, struct slice value,
                        const struct layout *l)
{
    if (format == FORMAT_EXPAND) {
        reply_expanded(r, value, false);
        return;
    }
    bool whole = jval_is_container(value) || (jval_kind(value) == JVAL_STRING);
    if (!whole) {
        reply_scalar(r, value);
        return;
    }
    struct buf text = BUF_INIT(MEM_SCRATCH);
    put_text(&text, l, value, 0);
    reply_gathered(r, &text);
    buf_fini(&text);
}

void jdoc_reply_popped(struct reply *r, struct slice format, struct slice value)
{
    static const struct layout plain = {.plain = true};
    bool expands = slice_eq(format, slice_of("EXPAND"));
    reply_value(r, expands ? FORMAT_EXPAND : FORMAT_EXPAND1, value, &plain);
}

/* -- GET --------------------------------------------------------------------------------------- */

struct get {
    struct request *rq;
    struct layout layout;
    enum format format;
    struct slice *paths;
    size_t count;
};

/* A word that takes another one behind it. */
static bool read_option(struct get *g, const struct slices *words, size_t *at, bool *taken)
{
    static const char *const names[] = {"INDENT", "NEWLINE", "SPACE", "FORMAT"};
    struct slice *const targets[] = {&g->layout.indent, &g->layout.newline, &g->layout.space};
    struct request *rq = g->rq;
    size_t which = 0;
    while (which < COUNT_OF(names) && !slice_eq_nocase(words->items[*at], names[which]))
        which++;
    *taken = which < COUNT_OF(names);
    if (!*taken)
        return true;
    if (which == 3 && rq->reply.proto < 3 && g->count == 0) {
        reply_error(&rq->reply, "ERR FORMAT argument is not supported on RESP2");
        return false;
    }
    if (++*at >= words->count) {
        reply_error(&rq->reply, "ERR wrong number of arguments for 'json.get' command");
        return false;
    }
    struct slice word = words->items[*at];
    if (which == 3 && slice_eq_nocase(word, "STRINGS")) {
        reply_error(&rq->reply, "ERR wrong reply format");
        return false;
    }
    if (which == 3)
        return read_format(rq, word, &g->format);
    *targets[which] = word;
    g->layout.plain = false;
    return true;
}

/* Options and paths come in any order. */
static bool read_words(struct get *g, const struct slices *words)
{
    bool taken;
    for (size_t at = 0; at < words->count; at++) {
        if (!read_option(g, words, &at, &taken))
            return false;
        if (!taken && !slice_eq_nocase(words->items[at], "NOESCAPE"))
            g->paths[g->count++] = words->items[at];
    }
    if (g->count == 0)
        g->paths[g->count++] = slice_of(".");
    return true;
}

/* False: the error is replied. */
static bool find(struct get *g, struct slice document, const struct jpath *path, struct jhits *hits)
{
    struct why why = {{0}};
    enum err e = jpath_find(path, document, path->legacy ? 1 : SIZE_MAX, hits, &why);
    if (e != OK)
        jdoc_reply_err(g->rq, e, &why);
    return e == OK;
}

static void reply_missing_path(struct request *rq)
{
    reply_error(&rq->reply, "ERR Path does not exist");
}

/* One path: its value, or an array of all. */
static void get_one(struct get *g, struct slice document, const struct jpath *path)
{
    struct jhits hits = {0};
    struct buf text = BUF_INIT(MEM_SCRATCH);
    if (find(g, document, path, &hits)) {
        if (!path->legacy)
            put_hits(&text, &g->layout, &hits, 0);
        else if (hits.count > 0)
            put_text(&text, &g->layout, hits.items[0].value, 0);
        if (path->legacy && hits.count == 0)
            reply_missing_path(g->rq);
        else
            reply_gathered(&g->rq->reply, &text);
    }
    buf_fini(&text);
    jhits_fini(&hits);
}

static bool said_before(const struct get *g, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (slice_eq(g->paths[i], g->paths[at]))
            return true;
    return false;
}

/* A member of the object that several paths make; *missing: there is nothing at a legacy one. */
static bool put_path(struct get *g, struct slice document, size_t at, bool legacy, struct buf *text,
                     bool *missing)
{
    struct jpath path;
    struct jhits hits = {0};
    if (!jdoc_path(g->rq, g->paths[at], &path))
        return false;
    bool ok = find(g, document, &path, &hits);
    *missing |= ok && legacy && hits.count == 0;
    if (ok && !*missing) {
        buf_append_text(text, text->len > 1 ? "," : "");
        new_line(text, &g->layout, 1);
        buf_append_byte(text, '"');
        jval_escape(g->paths[at], text);
        buf_append_text(text, "\":");
        buf_append_slice(text, g->layout.space);
        if (legacy)
            put_text(text, &g->layout, hits.items[0].value, 1);
        else
            put_hits(text, &g->layout, &hits, 1);
    }
    jhits_fini(&hits);
    jpath_fini(&path);
    return ok;
}

static bool all_legacy(const struct get *g)
{
    for (size_t i = 0; i < g->count; i++)
        if (!jpath_says_legacy(g->paths[i]))
            return false;
    return true;
}

static void get_many(struct get *g, struct slice document)
{
    struct buf text = BUF_INIT(MEM_SCRATCH);
    bool ok = true, missing = false, legacy = all_legacy(g);
    buf_append_byte(&text, '{');
    for (size_t i = 0; i < g->count && ok && !missing; i++)
        if (!said_before(g, i))
            ok = put_path(g, document, i, legacy, &text, &missing);
    new_line(&text, &g->layout, 0);
    buf_append_byte(&text, '}');
    if (ok && missing)
        reply_missing_path(g->rq);
    else if (ok)
        reply_gathered(&g->rq->reply, &text);
    buf_fini(&text);
}

/* RESP3 with FORMAT: for each path an array of what it leads to. */
static void get_expanded(struct get *g, struct slice document)
{
    struct reply gathered = {.proto = 3};
    struct buf text = BUF_INIT(MEM_SCRATCH);
    bool ok = true;
    gathered.out = &text;
    reply_array(&gathered, g->count);
    for (size_t i = 0; i < g->count && ok; i++) {
        struct jpath path;
        struct jhits hits = {0};
        struct why why = {{0}};
        ok = jdoc_path(g->rq, g->paths[i], &path);
        enum err e = ok ? jpath_find(&path, document, SIZE_MAX, &hits, &why) : OK;
        if (e != OK)
            jdoc_reply_err(g->rq, e, &why);
        if (ok && e == OK)
            reply_array(&gathered, hits.count);
        for (size_t at = 0; at < hits.count && e == OK; at++)
            reply_value(&gathered, g->format, hits.items[at].value, &g->layout);
        jhits_fini(&hits);
        if (ok)
            jpath_fini(&path);
        ok = ok && e == OK;
    }
    if (ok)
        buf_append_slice(g->rq->reply.out, buf_slice(&text));
    if (ok && buf_failed(&text))
        g->rq->reply.out->failed = true;
    buf_fini(&text);
}

static void get(struct get *g, struct slice document)
{
    struct jpath path;
    bool expands = g->rq->reply.proto >= 3 && g->format != FORMAT_STRING;
    if (expands) {
        get_expanded(g, document);
    } else if (g->count > 1) {
        get_many(g, document);
    } else if (jdoc_path(g->rq, g->paths[0], &path)) {
        get_one(g, document, &path);
        jpath_fini(&path);
    }
}

void cmd_json_get(struct request *rq)
{
    const struct json_get_args *a = rq->args;
    const struct object *o;
    struct get g = {.rq = rq, .layout = {.plain = true}};
    g.paths = mem_try(MEM_SCRATCH, (a->words.count + 1) * sizeof(*g.paths));
    if (g.paths == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    if (read_words(&g, &a->words) && jdoc_read(rq, a->key, &o)) {
        if (o == NULL)
            reply_null(&rq->reply);
        else
            get(&g, object_value(o));
    }
    mem_free(MEM_SCRATCH, g.paths);
}

/* -- MGET, RESP -------------------------------------------------------------------------------- */

/* What cannot be had is null, whyever. */
static void reply_of_key(struct request *rq, struct slice key, const struct jpath *path)
{
    static const struct layout plain = {.plain = true};
    const struct object *o = key_read(rq, key);
    struct jhits hits = {0};
    struct buf text = BUF_INIT(MEM_SCRATCH);
    struct why why;
    bool looks = path != NULL && o != NULL && o->type == OBJECT_JSON;
    enum err e = ERR_NOT_FOUND;
    if (looks)
        e = jpath_find(path, object_value(o), path->legacy ? 1 : SIZE_MAX, &hits, &why);
    if (e == OK && !path->legacy)
        put_hits(&text, &plain, &hits, 0);
    else if (e == OK && hits.count > 0)
        buf_append_slice(&text, hits.items[0].value);
    text.failed |= e == ERR_NOMEM; /* in the middle of a reply there is no place for an error */
    if (e == ERR_NOMEM || text.len > 0 || buf_failed(&text))
        reply_gathered(&rq->reply, &text);
    else
        reply_null(&rq->reply);
    buf_fini(&text);
    jhits_fini(&hits);
}

void cmd_json_mget(struct request *rq)
{
    const struct json_mget_args *a = rq->args;
    size_t count = a->words.count - 1; /* the last one is the path */
    struct jpath path;
    struct why why = {{0}};
    enum err e = jpath_init(&path, a->words.items[count], &why);
    if (e == ERR_NOMEM) {
        reply_err(&rq->reply, e, NULL);
        return;
    }
    reply_array(&rq->reply, count);
    for (size_t i = 0; i < count; i++)
        reply_of_key(rq, a->words.items[i], e == OK ? &path : NULL);
    if (e == OK)
        jpath_fini(&path);
}

void cmd_json_resp(struct request *rq)
{
    const struct json_resp_args *a = rq->args;
    struct json_target t;
    if (!jdoc_open(&t, rq, a->key, a->has_path ? a->path : slice_of(".")))
        return;
    if (t.o == NULL) {
        reply_null(&rq->reply);
    } else if (t.path.legacy && t.hits.count == 0) {
        reply_missing_path(rq);
    } else {
        if (!t.path.legacy)
            reply_array(&rq->reply, t.hits.count);
        for (size_t i = 0; i < t.hits.count && (i == 0 || !t.path.legacy); i++)
            reply_expanded(&rq->reply, t.hits.items[i].value, true);
    }
    jdoc_close(&t);
}
