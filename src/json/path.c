/* From the text of a path to its steps, with a filter's operators sorted as they are evaluated
 * (Dijkstra's shunting yard). Filters in paths in filters nest LIMIT_JSON_PATH_NESTING deep, and so
 * does this. */
#include "json/path.h"

#include "base/limits.h"
#include "json/numbers.h"
#include "json/regex.h"

struct compiler {
    struct jpath *path;
    struct slice in;
    size_t at;
    unsigned nesting;
    struct why *why;
};

/* -- scanning ---------------------------------------------------------------------------------- */

static enum err expected(struct compiler *c, const char *what)
{
    return why_set(c->why, ERR_SYNTAX,
                   "Error occurred at position %zu, expected one of the following: %s", c->at,
                   what);
}

static enum err too_many(struct compiler *c, const char *what, int limit)
{
    return why_set(c->why, ERR_LIMIT, "ERR a JSONPath has at most %d %s", limit, what);
}

/* The byte after blanks; NUL at the end. */
static uint8_t peek(struct compiler *c)
{
    while (c->at < c->in.len && c->in.ptr[c->at] == ' ')
        c->at++;
    return c->at < c->in.len ? c->in.ptr[c->at] : '\0';
}

static bool take(struct compiler *c, const char *text)
{
    size_t size = strlen(text);
    (void)peek(c);
    if (c->in.len - c->at < size || memcmp(c->in.ptr + c->at, text, size) != 0)
        return false;
    c->at += size;
    return true;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_name_byte(uint8_t c)
{
    static const char others[] = "-_`+#%$^/:~";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c >= 0x80 ||
           (c != 0 && memchr(others, c, sizeof(others) - 1) != NULL);
}

/* Adds a name, escaped, or the text of a value. */
static uint32_t begin_text(struct compiler *c)
{
    struct jpath_text text = {.at = (uint32_t)c->path->bytes.len};
    buf_append(&c->path->texts, &text, sizeof(text));
    return (uint32_t)(c->path->texts.len / sizeof(text)) - 1;
}

static void end_text(struct compiler *c, uint32_t number)
{
    if (buf_failed(&c->path->texts))
        return;
    struct jpath_text *text = (struct jpath_text *)(void *)c->path->texts.ptr + number;
    text->size = (uint32_t)c->path->bytes.len - text->at;
}

static enum err read_name(struct compiler *c, uint32_t *number)
{
    size_t start = c->at;
    while (c->at < c->in.len && is_name_byte(c->in.ptr[c->at]))
        c->at++;
    if (c->at == start)
        return expected(c, "<string>, '*', '..'");
    *number = begin_text(c);
    jval_escape((struct slice){c->in.ptr + start, c->at - start}, &c->path->bytes);
    end_text(c, *number);
    return OK;
}

/* At its quote; quoted: its text keeps the quotes of JSON. */
static enum err read_string(struct compiler *c, bool quoted, uint32_t *number)
{
    uint8_t quote = c->in.ptr[c->at++];
    struct buf *bytes = &c->path->bytes;
    *number = begin_text(c);
    if (quoted)
        buf_append_byte(bytes, '"');
    for (;;) {
        if (c->at >= c->in.len)
            return expected(c, "the string's end");
        uint8_t b = c->in.ptr[c->at++];
        if (b == quote)
            break;
        if (b == '\\') {
            if (c->at >= c->in.len || (c->in.ptr[c->at] != quote && c->in.ptr[c->at] != '\\'))
                return expected(c, "an escaped quote or backslash");
            b = c->in.ptr[c->at++];
        }
        jval_escape((struct slice){&b, 1}, bytes);
    }
    if (quoted)
        buf_append_byte(bytes, '"');
    end_text(c, *number);
    return OK;
}

/* A whole number; what is beyond 64 bits is as large as it gets. */
static bool read_index(struct compiler *c, int64_t *out)
{
    uint8_t sign = peek(c);
    size_t at = c->at + (sign == '-'), digits = 0;
    int64_t value = 0;
    bool over = false;
    for (; at < c->in.len && is_digit(c->in.ptr[at]); at++, digits++)
        over |= __builtin_mul_overflow(value, 10, &value) ||
                __builtin_add_overflow(value, c->in.ptr[at] - '0', &value);
    if (digits == 0)
        return false;
    c->at = at;
    value = over ? INT64_MAX : value;
    *out = sign == '-' ? -value : value;
    return true;
}

/* -- filters ----------------------------------------------------------------------------------- */

static enum err read_steps(struct compiler *c, bool in_filter, uint32_t *first, uint32_t *count);

static enum err read_number(struct compiler *c, uint32_t *number)
{
    char room[JNUM_TEXT_MAX];
    struct slice text, rest = {c->in.ptr + c->at, c->in.len - c->at};
    size_t wrong;
    bool cut;
    size_t size = jnum_scan(rest, &wrong, &cut);
    if (size == 0 || !jnum_canonical((struct slice){rest.ptr, size}, room, &text))
        return expected(c, "<number>");
    c->at += size;
    *number = begin_text(c);
    buf_append_slice(&c->path->bytes, text);
    end_text(c, *number);
    return OK;
}

static enum err read_term(struct compiler *c, struct jpath_term *out)
{
    static const char *const words[] = {"true", "false", "null"};
    uint8_t b = peek(c);
    *out = (struct jpath_term){.is_path = b == '@' || b == '$', .from_root = b == '$'};
    if (out->is_path) {
        c->at++;
        if (c->nesting == LIMIT_JSON_PATH_NESTING)
            return too_many(c, "filters within each other", LIMIT_JSON_PATH_NESTING);
        c->nesting++;
        enum err e = read_steps(c, true, &out->first, &out->count);
        c->nesting--;
        return e;
    }
    if (b == '"' || b == '\'')
        return read_string(c, true, &out->first);
    if (b == '-' || is_digit(b))
        return read_number(c, &out->first);
    for (size_t i = 0; i < COUNT_OF(words); i++) {
        if (!take(c, words[i]))
            continue;
        out->first = begin_text(c);
        buf_append_text(&c->path->bytes, words[i]);
        end_text(c, out->first);
        return OK;
    }
    return expected(c, "@, $, <string>, <number>, true, false, null");
}

/* Of a comparison whose pattern stands in the path. */
static enum err read_regex(struct compiler *c, struct jpath_op *op)
{
    struct buf pattern = BUF_INIT(MEM_SCRATCH);
    struct regex *regex = NULL;
    if (buf_failed(&c->path->texts) || buf_failed(&c->path->bytes))
        return ERR_NOMEM;
    struct slice text = jpath_text(c->path, op->right.first);
    op->regex = (uint32_t)(c->path->regexes.len / sizeof(struct regex *));
    if (jval_kind(text) == JVAL_STRING)
        jval_unescape(jval_inside(text), &pattern);
    enum err e = ERR_NOMEM;
    struct why why; /* a pattern that is none matches nothing, as in RedisJSON */
    if (!buf_failed(&pattern))
        e = regex_new(buf_slice(&pattern), &regex, &why);
    buf_fini(&pattern);
    if (e == ERR_NOMEM || buf_reserve(&c->path->regexes, sizeof(struct regex *)) == NULL) {
        regex_free(regex);
        return ERR_NOMEM;
    }
    buf_append(&c->path->regexes, &regex, sizeof(struct regex *));
    return e == ERR_LIMIT ? why_set(c->why, e, "ERR %s", why.text) : OK;
}

static enum err read_comparison(struct compiler *c, struct jpath_op *op)
{
    static const struct {
        const char *text;
        enum jpath_op_kind kind;
    } known[] = {{"==", JOP_EQ}, {"!=", JOP_NE}, {"<=", JOP_LE}, {">=", JOP_GE},
                 {"=~", JOP_RE}, {"<", JOP_LT},  {">", JOP_GT}};
    *op = (struct jpath_op){.kind = JOP_TEST, .regex = UINT32_MAX};
    enum err e = read_term(c, &op->left);
    if (e != OK)
        return e;
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (!take(c, known[i].text))
            continue;
        op->kind = known[i].kind;
        e = read_term(c, &op->right);
        break;
    }
    if (e == OK && op->kind == JOP_RE && !op->right.is_path)
        e = read_regex(c, op);
    return e;
}

/* What a filter has so far: operands in the order of evaluation, operators that wait. */
struct yard {
    struct jpath_op ops[LIMIT_JSON_PATH_OPS];
    size_t count;
    uint8_t waiting[LIMIT_JSON_PATH_OPS]; /* JOP_NOT, _AND, _OR, or OPEN */
    size_t depth;
};

enum { OPEN = 255 };

static enum err put_op(struct compiler *c, struct yard *y, const struct jpath_op *op)
{
    if (y->count == LIMIT_JSON_PATH_OPS)
        return too_many(c, "operators and terms in a filter", LIMIT_JSON_PATH_OPS);
    y->ops[y->count++] = *op;
    return OK;
}

static enum err wait_op(struct compiler *c, struct yard *y, uint8_t op)
{
    if (y->depth == LIMIT_JSON_PATH_OPS)
        return too_many(c, "operators and terms in a filter", LIMIT_JSON_PATH_OPS);
    y->waiting[y->depth++] = op;
    return OK;
}

static unsigned strength(uint8_t op)
{
    return op == JOP_NOT ? 3 : op == JOP_AND ? 2 : op == JOP_OR ? 1 : 0;
}

/* Those that wait and bind at least as strong go first. */
static enum err settle(struct compiler *c, struct yard *y, unsigned least)
{
    enum err e = OK;
    while (e == OK && y->depth > 0 && strength(y->waiting[y->depth - 1]) >= least) {
        struct jpath_op op = {.kind = (enum jpath_op_kind)y->waiting[--y->depth],
                              .regex = UINT32_MAX};
        e = put_op(c, y, &op);
    }
    return e;
}

/* What may stand before an operand, then the operand. */
static enum err read_operand(struct compiler *c, struct yard *y)
{
    enum err e = OK;
    for (;;) {
        bool open = peek(c) == '(', negates = peek(c) == '!';
        if (!open && !negates)
            break;
        c->at++;
        e = wait_op(c, y, open ? OPEN : (uint8_t)JOP_NOT);
        if (e != OK)
            return e;
    }
    struct jpath_op op;
    e = read_comparison(c, &op);
    return e == OK ? put_op(c, y, &op) : e;
}

/* Parentheses that end, then && or ||; *more: another operand follows. */
static enum err read_relation(struct compiler *c, struct yard *y, bool *more)
{
    enum err e = OK;
    while (e == OK && peek(c) == ')') {
        e = settle(c, y, 1);
        if (e == OK && y->depth == 0)
            return expected(c, "'&&', '||', ']'");
        y->depth--;
        c->at++;
    }
    bool both = e == OK && take(c, "&&"), any = e == OK && !both && take(c, "||");
    *more = both || any;
    if (!*more)
        return e;
    e = settle(c, y, both ? 2 : 1);
    return e == OK ? wait_op(c, y, (uint8_t)(both ? JOP_AND : JOP_OR)) : e;
}

/* Behind the question mark. */
static enum err read_filter(struct compiler *c, struct jpath_step *step)
{
    struct yard y;
    bool more = true;
    y.count = y.depth = 0;
    enum err e = OK;
    while (e == OK && more) {
        e = read_operand(c, &y);
        if (e == OK)
            e = read_relation(c, &y, &more);
    }
    if (e == OK)
        e = settle(c, &y, 1);
    if (e == OK && y.depth > 0)
        e = expected(c, "')'");
    if (e != OK)
        return e;
    *step = (struct jpath_step){.kind = JSTEP_FILTER,
                                .first = (uint32_t)(c->path->ops.len / sizeof(struct jpath_op)),
                                .count = (uint32_t)y.count};
    buf_append(&c->path->ops, y.ops, y.count * sizeof(y.ops[0]));
    return OK;
}

/* -- steps ------------------------------------------------------------------------------------- */

static uint32_t put_number(struct compiler *c, int64_t number)
{
    buf_append(&c->path->numbers, &number, sizeof(number));
    return (uint32_t)(c->path->numbers.len / sizeof(number)) - 1;
}

/* Behind [ or what is before the first colon: start is there or INT64_MIN. */
static enum err read_range(struct compiler *c, int64_t start, struct jpath_step *step)
{
    int64_t end = INT64_MAX, stride = 1;
    c->at++;
    (void)read_index(c, &end);
    if (take(c, ":") && read_index(c, &stride) && stride < 1)
        return expected(c, "a step of 1 or more");
    *step = (struct jpath_step){.kind = JSTEP_RANGE, .first = put_number(c, start), .count = 3};
    (void)put_number(c, end);
    (void)put_number(c, stride);
    return OK;
}

static enum err read_indexes(struct compiler *c, struct jpath_step *step)
{
    int64_t number;
    if (!read_index(c, &number))
        return expected(c, "<number>");
    if (peek(c) == ':')
        return read_range(c, number, step);
    *step = (struct jpath_step){.kind = JSTEP_INDEXES, .first = put_number(c, number), .count = 1};
    while (take(c, ",")) {
        if (!read_index(c, &number))
            return expected(c, "<number>");
        (void)put_number(c, number);
        step->count++;
    }
    return OK;
}

static enum err read_strings(struct compiler *c, struct jpath_step *step)
{
    uint32_t number;
    *step = (struct jpath_step){.kind = JSTEP_NAMES};
    do {
        if (peek(c) != '"' && peek(c) != '\'')
            return expected(c, "<string>");
        enum err e = read_string(c, false, &number);
        if (e != OK)
            return e;
        if (step->count++ == 0)
            step->first = number;
    } while (take(c, ","));
    return OK;
}

/* Behind its [. */
static enum err read_bracket(struct compiler *c, struct jpath_step *step)
{
    uint8_t b = peek(c);
    enum err e = OK;
    if (b == '"' || b == '\'') {
        e = read_strings(c, step);
    } else if (b == '-' || is_digit(b)) {
        e = read_indexes(c, step);
    } else if (b == ':') {
        e = read_range(c, 0, step);
    } else if (b == '*') {
        c->at++;
        *step = (struct jpath_step){.kind = JSTEP_ALL};
    } else if (b == '?') {
        c->at++;
        e = read_filter(c, step);
    } else {
        e = expected(c, "'*', '<number>[,<number>,...]', '<string>[,<string>,...]', "
                        "['start:end:steps'], '[?(filter_expression)]'");
    }
    if (e == OK && !take(c, "]"))
        e = expected(c, "']'");
    return e;
}

/* A name, or *. */
static enum err read_plain(struct compiler *c, struct jpath_step *step)
{
    if (take(c, "*")) {
        *step = (struct jpath_step){.kind = JSTEP_ALL};
        return OK;
    }
    *step = (struct jpath_step){.kind = JSTEP_NAMES, .count = 1};
    return read_name(c, &step->first);
}

/* All steps that follow. In a filter a path ends where something else begins. */
static enum err read_steps(struct compiler *c, bool in_filter, uint32_t *first, uint32_t *count)
{
    struct jpath_step steps[LIMIT_JSON_PATH_STEPS];
    uint32_t used = 0;
    for (;;) {
        uint8_t b = peek(c);
        bool starts = in_filter && used == 0 && (is_name_byte(b) || b == '*');
        if (b != '.' && b != '[' && !starts)
            break;
        bool scans = take(c, "..");
        if (used + 1 + scans > LIMIT_JSON_PATH_STEPS)
            return too_many(c, "steps", LIMIT_JSON_PATH_STEPS);
        if (scans)
            steps[used++] = (struct jpath_step){.kind = JSTEP_SCAN};
        bool dot = !scans && take(c, ".");
        (void)dot;
        enum err e = take(c, "[") ? read_bracket(c, &steps[used]) : read_plain(c, &steps[used]);
        if (e != OK)
            return e;
        used++;
    }
    *first = (uint32_t)(c->path->steps.len / sizeof(steps[0]));
    *count = used;
    buf_append(&c->path->steps, steps, used * sizeof(steps[0]));
    return OK;
}

/* -- all of it --------------------------------------------------------------------------------- */

/* $ alone, $. or $[: anything else is of RedisJSON 1, also a name that begins with $. */
bool jpath_says_legacy(struct slice text)
{
    return text.len == 0 || text.ptr[0] != '$' ||
           (text.len > 1 && text.ptr[1] != '.' && text.ptr[1] != '[');
}

static enum err compile(struct compiler *c)
{
    struct jpath *p = c->path;
    bool root = p->legacy && slice_eq(p->text, slice_of("."));
    enum err e = OK;
    if (!p->legacy)
        c->at = 1;
    else if (root)
        c->at = 1;
    p->first = p->count = 0;
    if (!root)
        e = read_steps(c, p->legacy, &p->first, &p->count);
    if (e == OK && (peek(c) != '\0' || c->at < c->in.len || (p->legacy && !root && p->count == 0)))
        e = expected(c, "'.', '..', '[', the end");
    bool failed = buf_failed(&p->steps) || buf_failed(&p->texts) || buf_failed(&p->numbers) ||
                  buf_failed(&p->ops) || buf_failed(&p->bytes);
    return failed ? ERR_NOMEM : e;
}

enum err jpath_init(struct jpath *p, struct slice text, struct why *why)
{
    *p = (struct jpath){.legacy = jpath_says_legacy(text),
                        .text = text,
                        .steps = BUF_INIT(MEM_SCRATCH),
                        .texts = BUF_INIT(MEM_SCRATCH),
                        .numbers = BUF_INIT(MEM_SCRATCH),
                        .ops = BUF_INIT(MEM_SCRATCH),
                        .bytes = BUF_INIT(MEM_SCRATCH),
                        .regexes = BUF_INIT(MEM_SCRATCH)};
    struct compiler c = {.path = p, .in = text, .why = why};
    enum err e = OK;
    if (text.len > LIMIT_JSON_PATH_SIZE)
        e = why_set(why, ERR_LIMIT, "ERR a JSONPath has at most %d bytes", LIMIT_JSON_PATH_SIZE);
    if (e == OK)
        e = compile(&c);
    if (e != OK)
        jpath_fini(p);
    return e;
}

void jpath_fini(struct jpath *p)
{
    struct regex **regexes = (struct regex **)(void *)p->regexes.ptr;
    for (size_t i = 0; i < p->regexes.len / sizeof(struct regex *); i++)
        regex_free(regexes[i]);
    buf_fini(&p->steps);
    buf_fini(&p->texts);
    buf_fini(&p->numbers);
    buf_fini(&p->ops);
    buf_fini(&p->bytes);
    buf_fini(&p->regexes);
    p->first = p->count = 0;
}

bool jpath_is_static(const struct jpath *p)
{
    for (uint32_t i = 0; i < p->count; i++) {
        const struct jpath_step *s = jpath_step(p, p->first + i);
        if ((s->kind != JSTEP_NAMES && s->kind != JSTEP_INDEXES) || s->count > 1)
            return false;
    }
    return true;
}
