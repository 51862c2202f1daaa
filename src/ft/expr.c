/* Expressions, from text to steps: operators wait on a stack until what binds less tightly comes
 * (Dijkstra 1961, the shunting yard). */
#include "ft/expr.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>

#include "ft/expr_program.h"

enum token_kind {
    TOKEN_END,
    TOKEN_NUMBER,
    TOKEN_TEXT,
    TOKEN_PROPERTY,
    TOKEN_SYMBOL,
    TOKEN_OPERATOR,
    TOKEN_OPEN,
    TOKEN_CLOSE,
    TOKEN_COMMA,
    TOKEN_BAD
};

struct token {
    enum token_kind kind;
    struct slice text; /* as it stands */
    enum expr_op op;
};

/* What waits for its second operand, or its closing parenthesis. */
struct waiting {
    enum { WAITS_OPERATOR, WAITS_GROUP, WAITS_CALL } kind;
    enum expr_op op;
    const struct expr_function *function;
    struct slice name;
    uint32_t args;
    uint32_t jump; /* the step whose target is not known yet; UINT32_MAX: none */
};

struct compiling {
    struct slice text;
    size_t at;
    bool operand; /* one is expected */
    struct expr *e;
    uint32_t step_room;
    struct waiting waiting[EXPR_DEPTH_MAX];
    size_t waiting_count;
    uint32_t depth; /* values on the stack after the last step */
    expr_column_fn *column;
    void *user;
    struct why *why;
};

static const struct {
    uint8_t level;
    bool right;
    const char *word;
} operators[] = {
#define X(kind, level, right, word) {level, right, word},
    EXPR_OPERATOR_LIST(X)
#undef X
};

/* -- words ------------------------------------------------------------------------------------- */

static int byte_at(const struct compiling *c, size_t at)
{
    return at < c->text.len ? c->text.ptr[at] : -1;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_word(int c)
{
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Bytes beyond ASCII are letters of some language. */
static size_t property_end(const struct compiling *c, size_t at)
{
    for (;;) {
        int b = byte_at(c, at);
        if (b == '\\' && byte_at(c, at + 1) >= 0)
            at += 2;
        else if (is_word(b) || b >= 0x80 || (b == '.' && is_word(byte_at(c, at + 1))))
            at++;
        else
            return at;
    }
}

static size_t number_end(const struct compiling *c, size_t at)
{
    at += byte_at(c, at) == '-' || byte_at(c, at) == '+';
    while (is_digit(byte_at(c, at)))
        at++;
    if (byte_at(c, at) == '.' && is_digit(byte_at(c, at + 1)))
        for (at++; is_digit(byte_at(c, at));)
            at++;
    if (byte_at(c, at) != 'e' && byte_at(c, at) != 'E')
        return at;
    size_t power = at + 1;
    power += byte_at(c, power) == '-' || byte_at(c, power) == '+';
    if (!is_digit(byte_at(c, power)))
        return at;
    while (is_digit(byte_at(c, power)))
        power++;
    return power;
}

/* Past the closing quote, or 0. */
static size_t text_end(const struct compiling *c, size_t at)
{
    int quote = byte_at(c, at++);
    for (;; at++) {
        int b = byte_at(c, at);
        if (b < 0 || b == '\n')
            return 0;
        if (b == quote)
            return at + 1;
        at += b == '\\';
    }
}

static bool operator_at(const struct compiling *c, struct token *out)
{
    struct slice left = {c->text.ptr + c->at, c->text.len - c->at};
    for (size_t i = 0; i < EXPR_OPERATOR_COUNT; i++) {
        size_t size = strlen(operators[i].word);
        if (size > left.len || memcmp(left.ptr, operators[i].word, size) != 0)
            continue;
        out->kind = TOKEN_OPERATOR;
        out->op = (enum expr_op)i;
        out->text = (struct slice){left.ptr, size};
        /* "!=" and "<=" are listed after and before what they begin with. */
        if (out->op == EXPR_NOT && size < left.len && left.ptr[1] == '=')
            continue;
        return true;
    }
    return false;
}

/* A sign belongs to a number where an operand is expected, and is an operator elsewhere. */
static bool number_at(const struct compiling *c)
{
    int b = byte_at(c, c->at);
    if (is_digit(b))
        return true;
    return c->operand && (b == '-' || b == '+') && is_digit(byte_at(c, c->at + 1));
}

static bool infinity_at(const struct compiling *c, size_t *end)
{
    size_t at = c->at;
    if (c->operand && (byte_at(c, at) == '-' || byte_at(c, at) == '+'))
        at++;
    if (c->text.len - at < 3 || memcmp(c->text.ptr + at, "inf", 3) != 0 ||
        is_word(byte_at(c, at + 3)))
        return false;
    *end = at + 3;
    return true;
}

static struct token next_token(struct compiling *c)
{
    while (c->at < c->text.len && (isspace(c->text.ptr[c->at]) || c->text.ptr[c->at] == 0))
        c->at++;
    const uint8_t *start = c->text.ptr + c->at;
    int b = byte_at(c, c->at);
    struct token t = {TOKEN_BAD, {start, b < 0 ? 0 : 1}, EXPR_OR};
    size_t end = c->at + 1;
    if (b < 0) {
        t.kind = TOKEN_END;
        return t;
    }
    if (number_at(c)) {
        t.kind = TOKEN_NUMBER;
        end = number_end(c, c->at);
    } else if (infinity_at(c, &end)) {
        t.kind = TOKEN_NUMBER;
    } else if (b == '"' || b == '\'') {
        end = text_end(c, c->at);
        t.kind = end == 0 ? TOKEN_BAD : TOKEN_TEXT;
        end = end == 0 ? c->text.len : end;
    } else if (b == '@' && property_end(c, c->at + 1) > c->at + 1) {
        t.kind = TOKEN_PROPERTY;
        end = property_end(c, c->at + 1);
    } else if (is_word(b)) {
        t.kind = TOKEN_SYMBOL;
        for (end = c->at; is_word(byte_at(c, end));)
            end++;
    } else if (b == '(' || b == ')' || b == ',') {
        t.kind = b == '(' ? TOKEN_OPEN : b == ')' ? TOKEN_CLOSE : TOKEN_COMMA;
    } else if (operator_at(c, &t)) {
        end = c->at + t.text.len;
    } else {
        end = c->at + 1;
    }
    t.text = (struct slice){start, end - c->at};
    c->at = end;
    return t;
}

static enum err syntax(const struct compiling *c, const struct token *t)
{
    int shown = (int)(t->text.len < 64 ? t->text.len : 64);
    return why_set(c->why, ERR_SYNTAX, "Syntax error at offset %zu near '%.*s'",
                   (size_t)(t->text.ptr - c->text.ptr), shown, (const char *)t->text.ptr);
}

/* -- steps ------------------------------------------------------------------------------------- */

static enum err too_long(const struct compiling *c)
{
    return why_set(c->why, ERR_LIMIT, "an expression has at most %d steps and %d open operations",
                   EXPR_STEPS_MAX, EXPR_DEPTH_MAX);
}

/* grows: what the step does to the height of the stack. */
static enum err emit(struct compiling *c, int op, size_t count, uint32_t number, int grows)
{
    if (c->e->step_count == EXPR_STEPS_MAX)
        return too_long(c);
    CHECK(c->e->step_count < c->step_room);
    CHECK((int)c->depth + grows >= 0);
    c->e->steps[c->e->step_count++] = (struct expr_step){(uint8_t)op, (uint8_t)count, number};
    c->depth = (uint32_t)((int)c->depth + grows);
    return c->depth > EXPR_DEPTH_MAX ? too_long(c) : OK;
}

static enum err emit_literal(struct compiling *c, struct value v)
{
    c->e->literals[c->e->literal_count] = v;
    return emit(c, EXPR_LITERAL, 0, c->e->literal_count++, 1);
}

/* Without the backslashes before punctuation and blanks. */
static struct value unescaped(struct compiling *c, struct slice s)
{
    uint8_t *out = arena_alloc(&c->e->arena, s.len);
    size_t size = 0;
    for (size_t i = 0; i < s.len && out != NULL; i++) {
        bool escape =
            s.ptr[i] == '\\' && i + 1 < s.len && (ispunct(s.ptr[i + 1]) || isspace(s.ptr[i + 1]));
        i += escape;
        out[size++] = s.ptr[i];
    }
    return value_of((struct slice){out, size});
}

static enum err emit_property(struct compiling *c, struct slice name)
{
    struct value plain = unescaped(c, name);
    uint32_t column, at = c->e->column_count;
    enum err e = arena_error(&c->e->arena, c->why);
    if (e == OK)
        e = c->column(c->user, value_slice(&plain), &column, c->why);
    if (e != OK)
        return e;
    c->e->columns[at] = value_slice(&plain);
    c->e->column_at[at] = column;
    c->e->column_count++;
    return emit(c, EXPR_COLUMN, 0, at, 1);
}

static void land(struct compiling *c, uint32_t jump)
{
    if (jump != UINT32_MAX)
        c->e->steps[jump].number = c->e->step_count;
}

/* -- operators that wait ----------------------------------------------------------------------- */

static enum err push(struct compiling *c, struct waiting w)
{
    if (c->waiting_count == EXPR_DEPTH_MAX)
        return too_long(c);
    c->waiting[c->waiting_count++] = w;
    return OK;
}

static enum err apply_top(struct compiling *c)
{
    struct waiting *w = &c->waiting[--c->waiting_count];
    CHECK(w->kind == WAITS_OPERATOR);
    if (w->op != EXPR_AND && w->op != EXPR_OR)
        return emit(c, (int)w->op, 0, 0, w->op == EXPR_NOT ? 0 : -1);
    enum err e = emit(c, EXPR_TRUTH, 0, 0, 0);
    land(c, w->jump);
    return e;
}

static enum err take_operator(struct compiling *c, const struct token *t)
{
    enum { COMPARISON = 4 };
    uint8_t level = operators[t->op].level;
    enum err e = OK;
    while (e == OK && c->waiting_count > 0) {
        const struct waiting *top = &c->waiting[c->waiting_count - 1];
        if (top->kind != WAITS_OPERATOR || operators[top->op].level < level ||
            (operators[top->op].level == level && operators[t->op].right))
            break;
        if (operators[top->op].level == level && level == COMPARISON)
            return syntax(c, t);
        e = apply_top(c);
    }
    struct waiting w = {.kind = WAITS_OPERATOR, .op = t->op, .jump = UINT32_MAX};
    if (e == OK && (t->op == EXPR_AND || t->op == EXPR_OR)) {
        w.jump = c->e->step_count;
        e = emit(c, t->op == EXPR_AND ? EXPR_SKIP_FALSE : EXPR_SKIP_TRUE, 0, 0, -1);
    }
    c->operand = true;
    return e == OK ? push(c, w) : e;
}

/* All that waits since the last parenthesis; NULL: there was none. */
static enum err close_group(struct compiling *c, struct waiting **out)
{
    enum err e = OK;
    while (e == OK && c->waiting_count > 0 &&
           c->waiting[c->waiting_count - 1].kind == WAITS_OPERATOR)
        e = apply_top(c);
    *out = c->waiting_count == 0 ? NULL : &c->waiting[c->waiting_count - 1];
    return e;
}

static enum err take_comma(struct compiling *c, const struct token *t)
{
    struct waiting *w;
    enum err e = close_group(c, &w);
    if (e != OK)
        return e;
    if (w == NULL || w->kind != WAITS_CALL)
        return syntax(c, t);
    w->args++;
    c->operand = true;
    if (w->args == EXPR_ARGS_MAX)
        return why_set(c->why, ERR_LIMIT, "a function takes at most %d arguments", EXPR_ARGS_MAX);
    if (w->function->fn != NULL)
        return OK;
    /* case(c, a, b): without c, past a; after a, past b. */
    uint32_t jump = c->e->step_count;
    e = emit(c, w->args == 1 ? EXPR_UNLESS : EXPR_GO, 0, 0, -1);
    if (w->args > 1)
        land(c, w->jump);
    w->jump = jump;
    return e;
}

static enum err call(struct compiling *c, const struct waiting *w)
{
    const struct expr_function *f = w->function;
    if (w->args < f->least || w->args > f->most) {
        int shown = (int)(w->name.len < 64 ? w->name.len : 64);
        const char *name = (const char *)w->name.ptr;
        return f->least == f->most
                   ? why_set(c->why, ERR_ARG, "Function '%.*s' expects %u arguments, but got %u",
                             shown, name, f->least, w->args)
                   : why_set(c->why, ERR_ARG,
                             "Function '%.*s' expects between %u and %u arguments, but got %u",
                             shown, name, f->least, f->most, w->args);
    }
    if (f->fn == NULL) {
        land(c, w->jump);
        return OK;
    }
    return emit(c, EXPR_CALL, w->args, (uint32_t)expr_function_index(f), 1 - (int)w->args);
}

static enum err take_close(struct compiling *c, const struct token *t)
{
    struct waiting *w;
    if (c->operand && (c->waiting_count == 0 || /* f() */
                       c->waiting[c->waiting_count - 1].kind != WAITS_CALL ||
                       c->waiting[c->waiting_count - 1].args > 0))
        return syntax(c, t);
    bool none = c->operand;
    enum err e = close_group(c, &w);
    if (e != OK || w == NULL)
        return e != OK ? e : syntax(c, t);
    c->waiting_count--;
    c->operand = false;
    if (w->kind == WAITS_GROUP)
        return OK;
    w->args += !none;
    return call(c, w);
}

static enum err take_symbol(struct compiling *c, const struct token *t)
{
    int shown = (int)(t->text.len < 64 ? t->text.len : 64);
    size_t before = c->at;
    struct token next = next_token(c);
    if (next.kind != TOKEN_OPEN) {
        c->at = before;
        c->operand = false;
        if (slice_eq(t->text, slice_of("NULL")))
            return emit_literal(c, (struct value){.kind = VALUE_NULL});
        return why_set(c->why, ERR_ARG, "Unknown symbol '%.*s'", shown, (const char *)t->text.ptr);
    }
    const struct expr_function *f = expr_function_find(t->text);
    if (f == NULL)
        return why_set(c->why, ERR_ARG, "Unknown function name '%.*s'", shown,
                       (const char *)t->text.ptr);
    return push(c, (struct waiting){
                       .kind = WAITS_CALL, .function = f, .name = t->text, .jump = UINT32_MAX});
}

static enum err take_operand(struct compiling *c, const struct token *t)
{
    double number = 0;
    switch (t->kind) {
    case TOKEN_NUMBER:
        if (!slice_to_f64(t->text.ptr[0] == '+' ? (struct slice){t->text.ptr + 1, t->text.len - 1}
                                                : t->text,
                          &number))
            return syntax(c, t);
        c->operand = false;
        return emit_literal(c, value_number(number));
    case TOKEN_TEXT:
        c->operand = false;
        return emit_literal(c, unescaped(c, (struct slice){t->text.ptr + 1, t->text.len - 2}));
    case TOKEN_PROPERTY:
        c->operand = false;
        return emit_property(c, (struct slice){t->text.ptr + 1, t->text.len - 1});
    case TOKEN_SYMBOL:
        return take_symbol(c, t);
    case TOKEN_OPEN:
        return push(c, (struct waiting){.kind = WAITS_GROUP, .jump = UINT32_MAX});
    case TOKEN_CLOSE:
        return take_close(c, t);
    case TOKEN_OPERATOR:
        if (t->op == EXPR_NOT)
            return push(
                c, (struct waiting){.kind = WAITS_OPERATOR, .op = EXPR_NOT, .jump = UINT32_MAX});
        break;
    case TOKEN_END:
    case TOKEN_COMMA:
    case TOKEN_BAD:
        break;
    }
    return syntax(c, t);
}

static enum err take(struct compiling *c, const struct token *t)
{
    if (c->operand)
        return take_operand(c, t);
    if (t->kind == TOKEN_OPERATOR && t->op != EXPR_NOT)
        return take_operator(c, t);
    if (t->kind == TOKEN_COMMA)
        return take_comma(c, t);
    return t->kind == TOKEN_CLOSE ? take_close(c, t) : syntax(c, t);
}

static enum err compile(struct compiling *c)
{
    struct token t = next_token(c);
    enum err e = OK;
    while (e == OK && t.kind != TOKEN_END) {
        e = take(c, &t);
        t = next_token(c);
    }
    if (e == OK && c->operand)
        return syntax(c, &t);
    struct waiting *open = NULL;
    if (e == OK)
        e = close_group(c, &open);
    if (e == OK && open != NULL)
        return syntax(c, &t);
    CHECK(e != OK || c->depth == 1);
    return e;
}

/* -- the whole --------------------------------------------------------------------------------- */

enum err expr_compile(struct slice text, expr_column_fn *column, void *user, struct expr **out,
                      struct why *why)
{
    *out = NULL;
    if (text.len > EXPR_SIZE_MAX)
        return why_set(why, ERR_LIMIT, "an expression has at most %d bytes", EXPR_SIZE_MAX);
    struct expr *e = mem_try_calloc(MEM_SCRATCH, sizeof(*e));
    struct compiling *c = mem_try_calloc(MEM_SCRATCH, sizeof(*c));
    enum err result = ERR_NOMEM;
    if (e == NULL || c == NULL)
        goto fail;
    arena_init(&e->arena, SIZE_MAX);
    /* No byte makes more than two steps: && is a jump and what ends it. */
    size_t room = 2 * text.len + 4;
    room = room > EXPR_STEPS_MAX ? EXPR_STEPS_MAX : room;
    e->steps = arena_alloc(&e->arena, room * sizeof(*e->steps));
    e->literals = arena_alloc(&e->arena, room * sizeof(*e->literals));
    e->columns = arena_alloc(&e->arena, room * sizeof(*e->columns));
    e->column_at = arena_alloc(&e->arena, room * sizeof(*e->column_at));
    *c = (struct compiling){.text = text,
                            .operand = true,
                            .e = e,
                            .step_room = (uint32_t)room,
                            .column = column,
                            .user = user,
                            .why = why};
    result = arena_error(&e->arena, why);
    if (result == OK)
        result = compile(c);
    if (result == OK)
        result = arena_error(&e->arena, why);
    mem_free(MEM_SCRATCH, c);
    c = NULL;
    if (result != OK)
        goto fail;
    *out = e;
    return OK;

fail:
    mem_free(MEM_SCRATCH, c);
    expr_free(e);
    return result;
}

void expr_free(struct expr *e)
{
    if (e == NULL)
        return;
    arena_fini(&e->arena);
    mem_free(MEM_SCRATCH, e);
}

void expr_describe(const struct expr *e, char *out, size_t size)
{
    const struct expr_step *last = &e->steps[e->step_count - 1];
    char room[VALUE_TEXT_MAX];
    int written;
    if (last->op == EXPR_LITERAL) {
        struct slice text = value_to_text(&e->literals[last->number], room);
        written = snprintf(out, size, "Literal %.*s", (int)(text.len < 64 ? text.len : 64),
                           (const char *)text.ptr);
    } else if (last->op == EXPR_COLUMN) {
        struct slice name = e->columns[last->number];
        written = snprintf(out, size, "Property %.*s", (int)(name.len < 64 ? name.len : 64),
                           (const char *)name.ptr);
    } else if (last->op == EXPR_CALL) {
        written = snprintf(out, size, "Function %s", expr_function_at(last->number)->name);
    } else if (last->op < EXPR_OPERATOR_COUNT) {
        bool predicate = operators[last->op].level <= 4;
        written = snprintf(out, size, "%s %s", predicate ? "Predicate" : "Operator",
                           operators[last->op].word);
    } else {
        written = snprintf(out, size, "%s", last->op == EXPR_TRUTH ? "Predicate" : "Function case");
    }
    CHECK(written > 0);
}
