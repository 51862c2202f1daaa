/* filter_parse.c: compiles a FILTER expression.
 *
 * Dijkstra's shunting yard: operands are emitted as they come, operators wait on a stack until one
 * that binds less comes. No recursion, so an expression cannot exhaust the stack. Precedence, high
 * to low: not; **; * / %; + -; comparisons, in, contains, like, has, haslike; and; or. All
 * associate to the left but ** and not. `not` binds tighter than anything: `not .a == 1` is
 * `(not .a) == 1`, as in Redis.
 *
 * Stricter than Redis in one point: Redis only counts operands, so it accepts `1 2 +` and `5 not`.
 * Here an operator stands between its operands. */
#include "db/filter_lex.h"

#include <math.h>

enum { NEAR_SIZE = 40, WAITING_ROOM = 2 * LIMIT_FILTER_DEPTH };

/* An operator or open parenthesis whose right side is not complete. */
struct waiting {
    uint16_t code; /* enum filter_code; WAITING_PAREN */
    uint16_t test; /* FILTER_AND, FILTER_OR: the instruction that jumps */
    uint32_t at;
};

enum { WAITING_PAREN = 0xffff };

struct parser {
    struct lexer lexer;
    struct token token;
    const struct filter_param *params;
    size_t param_count;
    struct filter *filter;
    struct waiting *waiting;
    struct why *why;
    const char *what;   /* for errors: what was written */
    uint32_t nodes_max; /* that are allowed */
    uint32_t capacity;  /* most nodes there can be */
    uint32_t node_count;
    uint32_t waiting_count;
    uint32_t paren_count; /* among waiting */
    uint32_t power_count; /* among waiting */
    uint32_t stack_size;  /* values on the stack after what was emitted so far */
    bool slot_exists[FILTER_SLOTS];
    bool slot_read[FILTER_SLOTS];
    size_t param_at[LIMIT_PARAMS]; /* where in filter->text a parameter lies; SIZE_MAX: not yet */
};

/* What is printed of an expression that is wrong: printable, and no half UTF-8 character. */
static enum err syntax_error(struct parser *p, size_t at)
{
    char near[NEAR_SIZE + 1];
    size_t size = p->lexer.source.len - at;
    const uint8_t *rest = p->lexer.source.ptr + at;
    if (size > NEAR_SIZE)
        for (size = NEAR_SIZE; size > 0 && (rest[size] & 0xc0) == 0x80;)
            size--;
    for (size_t i = 0; i < size; i++)
        near[i] = rest[i] < ' ' || rest[i] == 0x7f ? '?' : (char)rest[i];
    near[size] = '\0';
    return why_set(p->why, ERR_SYNTAX, "syntax error in FILTER expression near: %s", near);
}

static enum err nesting_error(struct parser *p)
{
    return why_set(p->why, ERR_LIMIT, "FILTER expression has more than %d levels of nesting",
                   (int)LIMIT_FILTER_DEPTH);
}

static void advance(struct parser *p, bool operand)
{
    p->token = lexer_next(&p->lexer, operand);
}

static enum err count_node(struct parser *p)
{
    if (p->node_count == p->nodes_max)
        return why_set(p->why, ERR_LIMIT, "%s has more than %u operands and operators", p->what,
                       (unsigned)p->nodes_max);
    p->node_count++;
    CHECK(p->node_count <= p->capacity);
    return OK;
}

static void emit(struct parser *p, enum filter_code code, size_t arg, int stack_change)
{
    struct filter *f = p->filter;
    CHECK(f->op_count < 2 * p->capacity && arg <= UINT16_MAX);
    CHECK(stack_change >= 0 || p->stack_size > 1);
    f->ops[f->op_count++] = (struct filter_op){(uint16_t)code, (uint16_t)arg};
    p->stack_size += (uint32_t)stack_change;
    if (p->stack_size > f->stack_size)
        f->stack_size = p->stack_size;
    CHECK(f->stack_size <= FILTER_STACK_SIZE);
}

/* Strings lie in filter->text, which still moves: until the end of compiling, ptr is an offset. */
static struct value string_at(size_t offset, size_t size)
{
    return (struct value){.kind = VALUE_STRING, .text = {(const uint8_t *)offset, size}};
}

/* ---- operands ---- */

/* Which of the parameters the current token names. */
static enum err find_param(struct parser *p, size_t *at)
{
    size_t i = 0;
    while (i < p->param_count && !slice_eq(p->params[i].name, p->token.text))
        i++;
    *at = i;
    if (i < p->param_count)
        return OK;
    int size = p->token.text.len < NEAR_SIZE ? (int)p->token.text.len : NEAR_SIZE;
    return why_set(p->why, ERR_ARG, "FILTER expression names $%.*s, which PARAMS does not give",
                   size, (const char *)p->token.text.ptr);
}

static enum err read_param(struct parser *p, struct value *out)
{
    size_t i;
    enum err e = find_param(p, &i);
    if (e != OK)
        return e;
    if (p->params[i].set != NULL) {
        *out = (struct value){.kind = VALUE_SET, .set = p->params[i].set};
        return OK;
    }
    if (p->param_at[i] == SIZE_MAX) {
        p->param_at[i] = p->filter->text.len;
        buf_append_slice(&p->filter->text, p->params[i].value);
    }
    *out = string_at(p->param_at[i], p->params[i].value.len);
    return OK;
}

/* The current token as a constant; false: it is none. */
static bool is_constant(const struct token *t)
{
    return t->kind == TOKEN_NUMBER || t->kind == TOKEN_STRING || t->kind == TOKEN_NULL ||
           t->kind == TOKEN_PARAM;
}

static enum err read_constant(struct parser *p, struct value *out)
{
    CHECK(is_constant(&p->token));
    enum err e = count_node(p);
    if (e != OK)
        return e;
    if (p->token.kind == TOKEN_PARAM)
        return read_param(p, out);
    if (p->token.kind == TOKEN_STRING) {
        size_t offset = p->filter->text.len;
        lexer_decode_string(p->token.text, &p->filter->text);
        *out = string_at(offset, p->filter->text.len - offset);
    } else if (p->token.kind == TOKEN_NULL) {
        *out = (struct value){.kind = VALUE_NULL};
    } else {
        *out = (struct value){.kind = VALUE_NUMBER, .number = p->token.number};
    }
    return OK;
}

static size_t add_constant(struct parser *p, struct value v)
{
    CHECK(p->filter->constant_count < p->capacity);
    p->filter->constants[p->filter->constant_count] = v;
    return p->filter->constant_count++;
}

/* At the bracket. As in Redis a comma may stand before the closing bracket. */
static enum err parse_list(struct parser *p)
{
    size_t first = p->filter->constant_count;
    enum err e = count_node(p);
    if (e != OK)
        return e;
    for (;;) {
        advance(p, true);
        if (p->token.kind == TOKEN_LIST_CLOSE)
            break;
        if (!is_constant(&p->token))
            return syntax_error(p, p->token.at);
        struct value item;
        e = read_constant(p, &item);
        if (e != OK)
            return e;
        (void)add_constant(p, item);
        advance(p, false);
        if (p->token.kind == TOKEN_LIST_CLOSE)
            break;
        if (p->token.kind != TOKEN_COMMA)
            return syntax_error(p, p->token.at);
    }
    size_t count = p->filter->constant_count - first;
    struct value list = {.kind = VALUE_LIST, .first = first, .text = {NULL, count}};
    emit(p, FILTER_CONSTANT, add_constant(p, list), 1);
    return OK;
}

static enum err parse_field(struct parser *p, enum filter_code code)
{
    uint32_t slot;
    enum err e = count_node(p);
    if (e == OK)
        e = json_paths_add(&p->filter->paths, p->token.text, &slot, p->why);
    if (e != OK)
        return e;
    CHECK(slot > 0 && slot < FILTER_SLOTS);
    if (code == FILTER_EXISTS)
        p->slot_exists[slot] = true;
    else
        p->slot_read[slot] = true;
    emit(p, code, slot, 1);
    return OK;
}

/* At the word exists. */
static enum err parse_exists(struct parser *p)
{
    advance(p, true);
    if (p->token.kind != TOKEN_OPEN)
        return syntax_error(p, p->token.at);
    advance(p, true);
    if (p->token.kind != TOKEN_FIELD)
        return syntax_error(p, p->token.at);
    enum err e = parse_field(p, FILTER_EXISTS);
    if (e != OK)
        return e;
    advance(p, false);
    return p->token.kind == TOKEN_CLOSE ? OK : syntax_error(p, p->token.at);
}

/* A number, or a parameter that reads as one: the current token. */
static enum err read_number(struct parser *p, const char *function, double *out)
{
    size_t param;
    enum err e = count_node(p);
    if (e != OK)
        return e;
    if (p->token.kind == TOKEN_NUMBER) {
        *out = p->token.number;
        return OK;
    }
    if (p->token.kind != TOKEN_PARAM)
        return syntax_error(p, p->token.at);
    e = find_param(p, &param);
    if (e == OK && !slice_to_f64(p->params[param].value, out))
        e = why_set(p->why, ERR_ARG, "FILTER expression: $%.*s in %s() is not a number",
                    p->token.text.len < NEAR_SIZE ? (int)p->token.text.len : NEAR_SIZE,
                    (const char *)p->token.text.ptr, function);
    return e;
}

static enum err check_circle(struct parser *p, const double *numbers)
{
    if (!geo_valid((struct geo_point){numbers[0], numbers[1]}))
        return why_set(p->why, ERR_ARG,
                       "FILTER expression: geo() needs a longitude of -180 to 180 and a latitude "
                       "of -90 to 90");
    if (!(numbers[2] >= 0) || isinf(numbers[2]))
        return why_set(p->why, ERR_ARG, "FILTER expression: the radius of geo() is 0 or more");
    return OK;
}

static enum err check_range(struct parser *p, const double *numbers)
{
    return isnan(numbers[0]) || isnan(numbers[1])
               ? why_set(p->why, ERR_ARG, "FILTER expression: between() needs two numbers")
               : OK;
}

/* At the word: (.field, number, number ..). It becomes a binary operator whose left side is the
 * field, and whose right side is a list of the numbers. */
static enum err parse_function(struct parser *p)
{
    double numbers[FILTER_CIRCLE_NUMBERS];
    enum filter_code code = p->token.code;
    bool geo = code == FILTER_WITHIN;
    size_t count = geo ? FILTER_CIRCLE_NUMBERS : FILTER_RANGE_NUMBERS;
    advance(p, true);
    if (p->token.kind != TOKEN_OPEN)
        return syntax_error(p, p->token.at);
    advance(p, true);
    if (p->token.kind != TOKEN_FIELD)
        return syntax_error(p, p->token.at);
    enum err e = parse_field(p, FILTER_FIELD);
    for (size_t i = 0; i < count && e == OK; i++) {
        advance(p, false);
        if (p->token.kind != TOKEN_COMMA)
            return syntax_error(p, p->token.at);
        advance(p, true);
        e = read_number(p, geo ? "geo" : "between", &numbers[i]);
    }
    if (e == OK)
        e = count_node(p);
    if (e == OK)
        e = geo ? check_circle(p, numbers) : check_range(p, numbers);
    if (e != OK)
        return e;
    struct value list = {
        .kind = VALUE_LIST, .first = p->filter->constant_count, .text = {NULL, count}};
    for (size_t i = 0; i < count; i++)
        (void)add_constant(p, (struct value){.kind = VALUE_NUMBER, .number = numbers[i]});
    emit(p, FILTER_CONSTANT, add_constant(p, list), 1);
    emit(p, code, 0, -1);
    advance(p, false);
    return p->token.kind == TOKEN_CLOSE ? OK : syntax_error(p, p->token.at);
}

/* ---- operators ---- */

static int precedence(uint16_t code)
{
    switch (code) {
    case FILTER_OR:
        return 0;
    case FILTER_AND:
        return 1;
    case FILTER_ADD:
    case FILTER_SUBTRACT:
        return 3;
    case FILTER_MULTIPLY:
    case FILTER_DIVIDE:
    case FILTER_MODULO:
        return 4;
    case FILTER_POWER:
        return 5;
    case FILTER_NOT:
        return 6;
    default:
        CHECK(code >= FILTER_GT && code <= FILTER_HAS_LIKE);
        return 2;
    }
}

static void push_waiting(struct parser *p, uint16_t code, size_t test)
{
    CHECK(p->waiting_count < p->capacity + WAITING_ROOM);
    p->waiting[p->waiting_count++] = (struct waiting){code, (uint16_t)test, (uint32_t)p->token.at};
    p->paren_count += code == WAITING_PAREN;
    p->power_count += code == FILTER_POWER;
}

/* The last waiting operator has both operands now. */
static void emit_waiting(struct parser *p)
{
    struct waiting w = p->waiting[--p->waiting_count];
    CHECK(w.code != WAITING_PAREN);
    p->power_count -= w.code == FILTER_POWER;
    if (w.code == FILTER_AND || w.code == FILTER_OR) {
        emit(p, FILTER_BOOL, 0, 0);
        p->filter->ops[w.test].arg = (uint16_t)p->filter->op_count;
    } else {
        emit(p, (enum filter_code)w.code, 0, w.code == FILTER_NOT ? 0 : -1);
    }
}

/* Emits the waiting operators up to the last open parenthesis that bind at least that tightly. */
static void emit_waiting_above(struct parser *p, int least)
{
    while (p->waiting_count > 0) {
        uint16_t code = p->waiting[p->waiting_count - 1].code;
        if (code == WAITING_PAREN || precedence(code) < least)
            return;
        emit_waiting(p);
    }
}

static enum err parse_binary(struct parser *p)
{
    enum filter_code code = p->token.code;
    enum err e = count_node(p);
    if (e != OK)
        return e;
    bool to_the_right = code == FILTER_POWER;
    emit_waiting_above(p, precedence((uint16_t)code) + to_the_right);
    if (code == FILTER_POWER && p->power_count == LIMIT_FILTER_DEPTH)
        return nesting_error(p);
    size_t test = p->filter->op_count;
    if (code == FILTER_AND)
        emit(p, FILTER_AND_TEST, 0, 0);
    else if (code == FILTER_OR)
        emit(p, FILTER_OR_TEST, 0, 0);
    /* What a test drops when it does not jump. */
    p->stack_size -= code == FILTER_AND || code == FILTER_OR;
    push_waiting(p, (uint16_t)code, test);
    return OK;
}

static enum err parse_close(struct parser *p)
{
    emit_waiting_above(p, 0);
    if (p->waiting_count == 0)
        return syntax_error(p, p->token.at);
    p->waiting_count--;
    p->paren_count--;
    return OK;
}

/* ---- the expression ---- */

/* The current token where an operand may stand. *complete: an operand was, an operator may follow.
 */
static enum err parse_operand(struct parser *p, bool *complete)
{
    *complete = true;
    if (is_constant(&p->token)) {
        struct value v;
        enum err e = read_constant(p, &v);
        if (e == OK)
            emit(p, FILTER_CONSTANT, add_constant(p, v), 1);
        return e;
    }
    if (p->token.kind == TOKEN_FIELD)
        return parse_field(p, FILTER_FIELD);
    if (p->token.kind == TOKEN_EXISTS)
        return parse_exists(p);
    if (p->token.kind == TOKEN_FUNCTION)
        return parse_function(p);
    if (p->token.kind == TOKEN_LIST_OPEN)
        return parse_list(p);

    *complete = false;
    if (p->token.kind == TOKEN_OPEN) {
        if (p->paren_count == LIMIT_FILTER_DEPTH)
            return nesting_error(p);
        push_waiting(p, WAITING_PAREN, 0);
        return OK;
    }
    if (p->token.kind == TOKEN_OPERATOR && p->token.code == FILTER_NOT) {
        enum err e = count_node(p);
        if (e == OK)
            push_waiting(p, FILTER_NOT, 0);
        return e;
    }
    /* At the end of the text the operator that lacks its operand says more than nothing. */
    if (p->token.kind == TOKEN_END && p->waiting_count > 0)
        return syntax_error(p, p->waiting[p->waiting_count - 1].at);
    return syntax_error(p, p->token.at);
}

static enum err parse_operator(struct parser *p, bool *complete)
{
    if (p->token.kind == TOKEN_CLOSE)
        return parse_close(p);
    if (p->token.kind != TOKEN_OPERATOR || p->token.code == FILTER_NOT)
        return syntax_error(p, p->token.at);
    *complete = false;
    return parse_binary(p);
}

static enum err parse(struct parser *p)
{
    bool complete = false;
    for (;;) {
        advance(p, !complete);
        if (complete && p->token.kind == TOKEN_END)
            break;
        enum err e = complete ? parse_operator(p, &complete) : parse_operand(p, &complete);
        if (e != OK)
            return e;
    }
    emit_waiting_above(p, 0);
    if (p->waiting_count > 0)
        return syntax_error(p, p->waiting[p->waiting_count - 1].at);
    CHECK(p->stack_size == 1);
    return OK;
}

static void finish_constants(struct filter *f)
{
    for (uint32_t i = 0; i < f->constant_count; i++) {
        struct value *v = &f->constants[i];
        if (v->kind != VALUE_STRING)
            continue;
        v->text.ptr = v->text.len > 0 ? f->text.ptr + (size_t)v->text.ptr : (const uint8_t *)"";
        v->number = text_number(v);
        v->number_read = true;
    }
}

static void list_needs(struct parser *p)
{
    struct filter *f = p->filter;
    for (uint16_t slot = 1; slot < f->paths.count; slot++)
        if (p->slot_read[slot])
            f->needs[f->need_count++] = (struct filter_need){slot, p->slot_exists[slot]};
}

/* Room for everything a text of that size can compile to: a node takes at least one byte of it. */
static enum err make_room(struct parser *p)
{
    struct filter *f = p->filter;
    size_t capacity = p->capacity;
    f->ops = mem_try(MEM_SCRATCH, 2 * capacity * sizeof(*f->ops));
    f->constants = mem_try(MEM_SCRATCH, capacity * sizeof(*f->constants));
    size_t slots = capacity < FILTER_SLOTS ? capacity : FILTER_SLOTS;
    f->needs = mem_try(MEM_SCRATCH, slots * sizeof(*f->needs));
    p->waiting = mem_try(MEM_SCRATCH, (capacity + WAITING_ROOM) * sizeof(*p->waiting));
    if (f->ops == NULL || f->constants == NULL || f->needs == NULL || p->waiting == NULL)
        return ERR_NOMEM;
    return json_paths_init(&f->paths, MEM_SCRATCH);
}

static enum err compile(struct parser *p)
{
    enum err e = make_room(p);
    if (e == OK)
        e = parse(p);
    if (e == OK && buf_failed(&p->filter->text))
        e = ERR_NOMEM;
    if (e != OK)
        return e;
    finish_constants(p->filter);
    list_needs(p);
    return OK;
}

/* p is told where to stop. */
static enum err compile_text(struct parser *p, struct slice text, struct filter **out)
{
    struct filter *f = p->filter = mem_try_calloc(MEM_SCRATCH, sizeof(*f));
    if (f == NULL)
        return ERR_NOMEM;
    buf_init(&f->text, MEM_SCRATCH);

    if (text.len == 0)
        text = slice_of(""); /* a pointer to count from, whatever the caller's was */
    p->lexer = (struct lexer){text, 0};
    p->capacity = text.len < p->nodes_max ? (uint32_t)text.len + 1 : p->nodes_max;
    memset(p->param_at, 0xff, sizeof(p->param_at));
    enum err e = compile(p);
    mem_free(MEM_SCRATCH, p->waiting);
    if (e != OK) {
        filter_free(f);
        return e;
    }
    *out = f;
    return OK;
}

enum err filter_compile(struct slice text, const struct filter_param *params, size_t count,
                        struct filter **out, struct why *why)
{
    CHECK(count == 0 || params != NULL);
    if (text.len > LIMIT_FILTER_SIZE)
        return why_set(why, ERR_LIMIT, "FILTER expression is longer than %d bytes",
                       (int)LIMIT_FILTER_SIZE);
    if (count > LIMIT_PARAMS)
        return why_set(why, ERR_LIMIT, "more than %d PARAMS", (int)LIMIT_PARAMS);
    struct parser p = {.params = params,
                       .param_count = count,
                       .why = why,
                       .what = "FILTER expression",
                       .nodes_max = LIMIT_FILTER_NODES};
    return compile_text(&p, text, out);
}

enum err filter_compile_query(struct slice text, const struct filter_param *params, size_t count,
                              struct filter **out, struct why *why)
{
    CHECK(count <= LIMIT_PARAMS);
    _Static_assert(2 * LIMIT_QUERY_OPERANDS < UINT16_MAX, "instructions are named by 16 bits");
    struct parser p = {.params = params,
                       .param_count = count,
                       .why = why,
                       .what = "the query",
                       .nodes_max = LIMIT_QUERY_OPERANDS};
    return compile_text(&p, text, out);
}

void filter_free(struct filter *f)
{
    if (f == NULL)
        return;
    mem_free(MEM_SCRATCH, f->ops);
    mem_free(MEM_SCRATCH, f->constants);
    mem_free(MEM_SCRATCH, f->needs);
    json_paths_fini(&f->paths);
    buf_fini(&f->text);
    mem_free(MEM_SCRATCH, f);
}
