/* From a pattern to a program for many threads at once, and its run over a text.
 *
 * What an atom compiles to is one run of instructions whose jumps are relative and stay within it:
 * so a repetition copies it, and an instruction in front of it moves it. */
#include "json/regex.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/limits.h"

enum op { OP_CHAR, OP_ANY, OP_CLASS, OP_BEGIN, OP_END, OP_WORD, OP_NOT_WORD, OP_SPLIT, OP_JUMP };

struct inst {
    uint8_t op;
    bool fold;     /* OP_CHAR: letters of ASCII without case */
    uint32_t arg;  /* character, or number of a class */
    int32_t other; /* OP_SPLIT, OP_JUMP: where else, from here */
};

struct range {
    uint32_t low, high;
};

/* Ranges of characters, one behind the other in regex.ranges. */
struct class
{
    uint32_t first, count;
    bool negated;
};

struct regex {
    struct inst *code; /* the end is a match */
    size_t size;
    struct class *classes;
    struct range *ranges;
};

enum { GROUPS = 64 };

struct group {
    size_t start, branch; /* of its code, and of what is behind its last | */
    int64_t jumps;        /* the last of its jumps to its end, each with the one before; -1: none */
    bool fold;            /* as it was outside */
};

struct compiler {
    struct slice in;
    size_t at;
    struct buf code, classes, ranges;
    struct group groups[GROUPS];
    size_t depth;
    size_t atom; /* where the last one begins; SIZE_MAX: there is nothing to repeat */
    bool fold;
    struct why *why;
};

/* -- characters -------------------------------------------------------------------------------- */

/* The next character; bytes that are no UTF-8 count for themselves. */
static uint32_t next_char(struct slice s, size_t *at)
{
    uint8_t c = s.ptr[(*at)++];
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : 0;
    uint32_t value = more == 0 ? c : c & (0x3fu >> more);
    for (; more > 0 && *at < s.len && (s.ptr[*at] & 0xc0) == 0x80; more--)
        value = value << 6 | (s.ptr[(*at)++] & 0x3f);
    return value;
}

static bool is_letter(uint32_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_word(uint32_t c)
{
    return is_letter(c) || (c >= '0' && c <= '9') || c == '_';
}

static uint32_t folded(uint32_t c)
{
    return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
}

/* -- code -------------------------------------------------------------------------------------- */

static enum err wrong(struct compiler *c, const char *what)
{
    return why_set(c->why, ERR_SYNTAX, "regular expression, byte %zu: %s", c->at, what);
}

static size_t here(const struct compiler *c)
{
    return c->code.len / sizeof(struct inst);
}

static struct inst *code_at(struct compiler *c, size_t at)
{
    return (struct inst *)(void *)c->code.ptr + at;
}

static enum err emit(struct compiler *c, struct inst inst)
{
    if (here(c) >= LIMIT_REGEX_STATES)
        return why_set(c->why, ERR_LIMIT, "a regular expression has at most %d states",
                       LIMIT_REGEX_STATES);
    buf_append(&c->code, &inst, sizeof(inst));
    return buf_failed(&c->code) ? ERR_NOMEM : OK;
}

/* An instruction in front of what begins at a place. */
static enum err insert(struct compiler *c, size_t at, struct inst inst)
{
    enum err e = emit(c, inst);
    if (e != OK)
        return e;
    struct inst *place = code_at(c, at);
    memmove(place + 1, place, (here(c) - at - 1) * sizeof(*place));
    *place = inst;
    return OK;
}

static enum err emit_atom(struct compiler *c, struct inst inst)
{
    c->atom = here(c);
    return emit(c, inst);
}

/* Once more the instructions from start to end. */
static enum err copy(struct compiler *c, size_t start, size_t end)
{
    enum err e = OK;
    for (size_t i = start; i < end && e == OK; i++)
        e = emit(c, *code_at(c, i));
    return e;
}

/* The run from start on, any number of times: SPLIT behind, run, JUMP to the SPLIT. */
static enum err make_star(struct compiler *c, size_t start)
{
    int32_t size = (int32_t)(here(c) - start);
    enum err e = insert(c, start, (struct inst){.op = OP_SPLIT, .other = size + 2});
    return e == OK ? emit(c, (struct inst){.op = OP_JUMP, .other = -(size + 1)}) : e;
}

static enum err make_maybe(struct compiler *c, size_t start)
{
    int32_t size = (int32_t)(here(c) - start);
    return insert(c, start, (struct inst){.op = OP_SPLIT, .other = size + 1});
}

/* The last atom, least to most times; most -1: no end. */
static enum err repeat(struct compiler *c, int least, int most)
{
    size_t start = c->atom, size = here(c) - start;
    enum err e = OK;
    if (start == SIZE_MAX)
        return wrong(c, "nothing to repeat");
    c->atom = SIZE_MAX;
    int copies = most < 0 ? least + 1 : most;
    if (copies == 0)
        c->code.len = start * sizeof(struct inst);
    /* Copies first: what comes in front of one of them moves none that are still to be copied. */
    for (int i = 1; i < copies && e == OK; i++)
        e = copy(c, start, start + size);
    for (int i = copies; i > least && e == OK; i--) {
        size_t at = start + (size_t)(i - 1) * size;
        e = most < 0 ? make_star(c, at) : make_maybe(c, at);
    }
    if (e == OK && most >= 0 && copies > least)
        c->atom = SIZE_MAX;
    return e;
}

/* -- classes ----------------------------------------------------------------------------------- */

static void add_range(struct compiler *c, struct class *class, uint32_t low, uint32_t high)
{
    struct range range = {low, high};
    buf_append(&c->ranges, &range, sizeof(range));
    class->count++;
    for (uint32_t at = low; c->fold && at <= high && at < 0x80; at++) {
        struct range other = {at ^ 0x20, at ^ 0x20};
        if (!is_letter(at))
            continue;
        buf_append(&c->ranges, &other, sizeof(other));
        class->count++;
    }
}

/* \d, \w, \s and what they are not, as ranges. */
static bool add_named(struct compiler *c, struct class *class, uint8_t name)
{
    static const struct range sets[][4] = {
        {{'0', '9'}}, {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, {{'\t', '\r'}, {' ', ' '}}};
    static const uint8_t counts[] = {1, 4, 2};
    static const char names[] = "dws", others[] = "DWS";
    const char *plain = memchr(names, name, 3), *other = memchr(others, name, 3);
    if (plain == NULL && other == NULL)
        return false;
    size_t set = (size_t)(plain != NULL ? plain - names : other - others);
    uint32_t low = 0;
    for (uint8_t i = 0; i < counts[set]; i++) {
        struct range r = sets[set][i];
        if (plain != NULL)
            add_range(c, class, r.low, r.high);
        else if (r.low > low)
            add_range(c, class, low, r.low - 1);
        low = r.high + 1;
    }
    if (other != NULL)
        add_range(c, class, low, UINT32_MAX);
    return true;
}

static struct class begin_class(struct compiler *c)
{
    return (struct class){.first = (uint32_t)(c->ranges.len / sizeof(struct range))};
}

static enum err end_class(struct compiler *c, const struct class *class)
{
    uint32_t number = (uint32_t)(c->classes.len / sizeof(*class));
    buf_append(&c->classes, class, sizeof(*class));
    if (buf_failed(&c->classes) || buf_failed(&c->ranges))
        return ERR_NOMEM;
    return emit_atom(c, (struct inst){.op = OP_CLASS, .arg = number});
}

/* Behind a backslash: the character it means. */
static enum err read_escape(struct compiler *c, uint32_t *out)
{
    static const char known[] = "ntrfv0", meant[] = "\n\t\r\f\v";
    uint32_t b = next_char(c->in, &c->at);
    if (b == 'x') {
        unsigned value = 0;
        char text[3] = {0};
        if (c->in.len - c->at < 2)
            return wrong(c, "\\x takes two digits");
        memcpy(text, c->in.ptr + c->at, 2);
        if (sscanf(text, "%2x", &value) != 1)
            return wrong(c, "\\x takes two digits");
        c->at += 2;
        *out = value;
        return OK;
    }
    const char *at = b < 0x80 ? memchr(known, (int)b, sizeof(known) - 1) : NULL;
    if (at == NULL && is_word(b))
        return wrong(c, "unknown escape");
    *out = at == NULL ? b : (uint32_t)meant[at - known];
    return OK;
}

/* One end of a range. *named: it was \d or the like, and is in the class already. */
static enum err read_class_char(struct compiler *c, struct class *class, uint32_t *out, bool *named)
{
    *out = next_char(c->in, &c->at);
    *named = false;
    if (*out != '\\')
        return OK;
    if (c->at >= c->in.len)
        return wrong(c, "a class without its end");
    *named = add_named(c, class, c->in.ptr[c->at]);
    c->at += *named;
    return *named ? OK : read_escape(c, out);
}

/* Behind [. */
static enum err read_class(struct compiler *c)
{
    struct class class = begin_class(c);
    class.negated = c->at < c->in.len && c->in.ptr[c->at] == '^';
    c->at += class.negated;
    for (bool first = true;; first = false) {
        uint32_t low, high;
        bool named;
        if (c->at >= c->in.len)
            return wrong(c, "a class without its end");
        if (c->in.ptr[c->at] == ']' && !first)
            break;
        enum err e = read_class_char(c, &class, &low, &named);
        if (e != OK)
            return e;
        high = low;
        if (!named && c->in.len - c->at >= 2 && c->in.ptr[c->at] == '-' &&
            c->in.ptr[c->at + 1] != ']') {
            c->at++;
            e = read_class_char(c, &class, &high, &named);
            if (e != OK)
                return e;
            if (named || high < low)
                return wrong(c, "a range whose end is before its start");
        }
        if (!named)
            add_range(c, &class, low, high);
    }
    c->at++;
    return end_class(c, &class);
}

/* -- groups ------------------------------------------------------------------------------------ */

/* Behind (: what may follow a question mark. *flags: only those, up to the end of the group. */
static enum err read_flags(struct compiler *c, bool *flags)
{
    *flags = false;
    if (c->at >= c->in.len || c->in.ptr[c->at] != '?')
        return OK;
    c->at++;
    bool on = true;
    for (; c->at < c->in.len; c->at++) {
        uint8_t b = c->in.ptr[c->at];
        if (b == 'i')
            c->fold = on;
        else if (b == '-')
            on = false;
        else if (b == ':' || b == ')')
            break;
        else
            return wrong(c, "unknown group");
    }
    if (c->at >= c->in.len)
        return wrong(c, "a group without its end");
    *flags = c->in.ptr[c->at++] == ')';
    return OK;
}

static enum err open_group(struct compiler *c)
{
    bool flags, fold = c->fold;
    enum err e = read_flags(c, &flags);
    c->atom = SIZE_MAX;
    if (e != OK || flags)
        return e;
    if (c->depth == GROUPS)
        return wrong(c, "groups are nested too deep");
    c->groups[c->depth++] =
        (struct group){.start = here(c), .branch = here(c), .jumps = -1, .fold = fold};
    return OK;
}

/* All jumps to its end know now where that is. */
static void end_group(struct compiler *c, struct group *g)
{
    while (g->jumps >= 0) {
        struct inst *jump = code_at(c, (size_t)g->jumps);
        int64_t before = jump->other;
        jump->other = (int32_t)((int64_t)here(c) - g->jumps);
        g->jumps = before;
    }
}

static enum err close_group(struct compiler *c)
{
    if (c->depth == 1)
        return wrong(c, "a ) without its (");
    struct group *g = &c->groups[--c->depth];
    end_group(c, g);
    c->atom = g->start;
    c->fold = g->fold;
    return OK;
}

/* At |: SPLIT, what was before, JUMP to the end. */
static enum err next_branch(struct compiler *c)
{
    struct group *g = &c->groups[c->depth - 1];
    int32_t size = (int32_t)(here(c) - g->branch);
    enum err e = insert(c, g->branch, (struct inst){.op = OP_SPLIT, .other = size + 2});
    if (e != OK)
        return e;
    int64_t jump = (int64_t)here(c);
    e = emit(c, (struct inst){.op = OP_JUMP, .other = (int32_t)g->jumps});
    g->jumps = jump;
    g->branch = here(c);
    c->atom = SIZE_MAX;
    return e;
}

/* -- atoms ------------------------------------------------------------------------------------- */

static enum err read_backslash(struct compiler *c)
{
    static const char names[] = "AzbB";
    static const uint8_t ops[] = {OP_BEGIN, OP_END, OP_WORD, OP_NOT_WORD};
    if (c->at >= c->in.len)
        return wrong(c, "a backslash at the end");
    uint8_t b = c->in.ptr[c->at];
    const char *assertion = memchr(names, b, sizeof(names) - 1);
    struct class class = begin_class(c);
    uint32_t value;
    if (assertion != NULL) {
        c->at++;
        enum err e = emit(c, (struct inst){.op = ops[assertion - names]});
        c->atom = SIZE_MAX;
        return e;
    }
    if (add_named(c, &class, b)) {
        c->at++;
        return end_class(c, &class);
    }
    enum err e = read_escape(c, &value);
    return e == OK ? emit_atom(c, (struct inst){.op = OP_CHAR, .fold = c->fold, .arg = value}) : e;
}

static int read_count(struct compiler *c, size_t *at)
{
    int value = -1;
    for (; *at < c->in.len && c->in.ptr[*at] >= '0' && c->in.ptr[*at] <= '9'; (*at)++)
        if (value < LIMIT_REGEX_STATES)
            value = (value < 0 ? 0 : value) * 10 + (c->in.ptr[*at] - '0');
    return value;
}

/* {n}, {n,} or {n,m}, at its brace; *found: it is none of these. */
static enum err read_braces(struct compiler *c, bool *found)
{
    size_t at = c->at + 1;
    int least = read_count(c, &at), most = least;
    if (at < c->in.len && c->in.ptr[at] == ',') {
        at++;
        most = read_count(c, &at);
    }
    *found = least >= 0 && at < c->in.len && c->in.ptr[at] == '}';
    if (!*found)
        return OK;
    c->at = at + 1;
    if (most >= 0 && most < least)
        return wrong(c, "a repetition whose end is before its start");
    return repeat(c, least, most);
}

static enum err read_repetition(struct compiler *c, bool *found)
{
    uint8_t b = c->in.ptr[c->at];
    enum err e = OK;
    *found = b == '*' || b == '+' || b == '?';
    if (b == '{') {
        e = read_braces(c, found);
    } else if (*found) {
        c->at++;
        e = repeat(c, b == '+', b == '?' ? 1 : -1);
    }
    if (*found && e == OK && c->at < c->in.len && c->in.ptr[c->at] == '?')
        c->at++; /* how much it takes first decides nothing about whether it matches */
    return e;
}

static enum err read_one(struct compiler *c)
{
    bool found;
    enum err e = read_repetition(c, &found);
    if (e != OK || found)
        return e;
    uint32_t b = next_char(c->in, &c->at);
    switch (b) {
    case '(':
        return open_group(c);
    case ')':
        return close_group(c);
    case '|':
        return next_branch(c);
    case '[':
        return read_class(c);
    case '\\':
        return read_backslash(c);
    case '.':
        return emit_atom(c, (struct inst){.op = OP_ANY});
    case '^':
    case '$':
        e = emit(c, (struct inst){.op = b == '^' ? OP_BEGIN : OP_END});
        c->atom = SIZE_MAX;
        return e;
    default:
        return emit_atom(c, (struct inst){.op = OP_CHAR, .fold = c->fold, .arg = b});
    }
}

static void *taken(struct buf *b)
{
    void *ptr = b->ptr;
    *b = BUF_INIT(b->tag);
    return ptr;
}

enum err regex_new(struct slice pattern, struct regex **out, struct why *why)
{
    struct compiler c = {.in = pattern,
                         .code = BUF_INIT(MEM_SCRATCH),
                         .classes = BUF_INIT(MEM_SCRATCH),
                         .ranges = BUF_INIT(MEM_SCRATCH),
                         .groups = {{.jumps = -1}},
                         .depth = 1,
                         .atom = SIZE_MAX,
                         .why = why};
    enum err e = OK;
    *out = NULL;
    while (e == OK && c.at < pattern.len)
        e = read_one(&c);
    if (e == OK && c.depth > 1)
        e = wrong(&c, "a group without its end");
    struct regex *r = e == OK ? mem_try(MEM_SCRATCH, sizeof(*r)) : NULL;
    if (r != NULL) {
        end_group(&c, &c.groups[0]);
        r->size = here(&c);
        r->code = taken(&c.code);
        r->classes = taken(&c.classes);
        r->ranges = taken(&c.ranges);
        *out = r;
    }
    buf_fini(&c.code);
    buf_fini(&c.classes);
    buf_fini(&c.ranges);
    return e == OK && r == NULL ? ERR_NOMEM : e;
}

void regex_free(struct regex *r)
{
    if (r == NULL)
        return;
    mem_free(MEM_SCRATCH, r->code);
    mem_free(MEM_SCRATCH, r->classes);
    mem_free(MEM_SCRATCH, r->ranges);
    mem_free(MEM_SCRATCH, r);
}

/* -- matching ---------------------------------------------------------------------------------- */

/* Places of the program that threads are at, each once (Briggs, Torczon 1993). */
struct places {
    uint32_t *dense, *sparse;
    uint32_t count;
};

struct run {
    const struct regex *regex;
    struct slice text;
    struct places now, next;
    uint32_t *stack;
    bool matched;
};

static bool add(struct places *p, uint32_t at)
{
    uint32_t where = p->sparse[at];
    if (where < p->count && p->dense[where] == at)
        return false;
    p->sparse[at] = p->count;
    p->dense[p->count++] = at;
    return true;
}

/* Is what takes no character true between the byte before and the one at? */
static bool stands(const struct run *r, const struct inst *i, size_t at)
{
    bool before = at > 0 && is_word(r->text.ptr[at - 1]);
    bool after = at < r->text.len && is_word(r->text.ptr[at]);
    if (i->op == OP_BEGIN)
        return at == 0;
    if (i->op == OP_END)
        return at == r->text.len;
    return (before != after) == (i->op == OP_WORD);
}

/* Threads at a place, and wherever it leads to without a character. */
static void start_thread(struct run *r, struct places *p, uint32_t from, size_t at)
{
    size_t depth = 0;
    r->stack[depth++] = from;
    while (depth > 0 && !r->matched) {
        uint32_t pc = r->stack[--depth];
        if (pc == r->regex->size) {
            r->matched = true;
            return;
        }
        const struct inst *i = &r->regex->code[pc];
        if (!add(p, pc))
            continue;
        bool jumps = i->op == OP_SPLIT || i->op == OP_JUMP;
        if (jumps)
            r->stack[depth++] = (uint32_t)((int64_t)pc + i->other);
        bool assertion = i->op >= OP_BEGIN && i->op <= OP_NOT_WORD;
        if (i->op == OP_SPLIT || (assertion && stands(r, i, at)))
            r->stack[depth++] = pc + 1;
    }
}

static bool in_class(const struct regex *r, const struct class *class, uint32_t c)
{
    for (uint32_t i = 0; i < class->count; i++) {
        const struct range *range = &r->ranges[class->first + i];
        if (c >= range->low && c <= range->high)
            return !class->negated;
    }
    return class->negated;
}

static bool takes(const struct regex *r, const struct inst *i, uint32_t c)
{
    if (i->op == OP_CHAR)
        return i->arg == c || (i->fold && folded(i->arg) == folded(c));
    return i->op == OP_ANY ? c != '\n' : i->op == OP_CLASS && in_class(r, &r->classes[i->arg], c);
}

static void run_threads(struct run *r)
{
    size_t at = 0;
    start_thread(r, &r->now, 0, 0);
    while (!r->matched && at < r->text.len) {
        uint32_t c = next_char(r->text, &at);
        r->next.count = 0;
        for (uint32_t i = 0; i < r->now.count && !r->matched; i++) {
            uint32_t pc = r->now.dense[i];
            if (takes(r->regex, &r->regex->code[pc], c))
                start_thread(r, &r->next, pc + 1, at);
        }
        if (!r->matched)
            start_thread(r, &r->next, 0, at);
        struct places taken_over = r->now;
        r->now = r->next;
        r->next = taken_over;
    }
}

bool regex_search(const struct regex *regex, struct slice text)
{
    size_t size = regex->size + 1;
    uint32_t *room = mem_try_calloc(MEM_SCRATCH, 6 * size * sizeof(*room));
    if (room == NULL)
        return false;
    struct run r = {.regex = regex,
                    .text = text,
                    .now = {room, room + size, 0},
                    .next = {room + 2 * size, room + 3 * size, 0},
                    .stack = room + 4 * size};
    run_threads(&r);
    mem_free(MEM_SCRATCH, room);
    return r.matched;
}
