#include "json/parse.h"

#include "base/limits.h"
#include "base/rng.h"
#include "json/numbers.h"
#include "json/value.h"

/* A member of an object that is being read, by its places in what is written. */
struct member {
    size_t at;    /* its name's quote */
    size_t name;  /* bytes of the name between its quotes */
    size_t value; /* where its value begins */
    size_t end;   /* and ends */
};

struct level {
    size_t at;      /* of what is written: the bracket */
    size_t members; /* of the objects around it: its own are behind */
    bool named;
};

struct parser {
    struct slice in;
    size_t at;
    struct buf *out;
    struct buf members; /* of struct member, of all objects that are open */
    struct level levels[LIMIT_JSON_DEPTH];
    size_t depth;
    const uint64_t *seed;
    struct why *why;
};

/* -- errors ------------------------------------------------------------------------------------ */

/* The column counts the bytes that were read, the offending one among them. */
static enum err fail_at(struct parser *p, size_t read, const char *what)
{
    size_t line = 1, start = 0;
    for (size_t i = 0; i < read && i < p->in.len; i++) {
        if (p->in.ptr[i] != '\n')
            continue;
        line++;
        start = i + 1;
    }
    return why_set(p->why, ERR_SYNTAX, "%s at line %zu column %zu", what, line, read - start);
}

/* Something else was expected instead of the next byte, or there is none. */
static enum err fail(struct parser *p, const char *what, const char *at_end)
{
    bool over = p->at >= p->in.len;
    return fail_at(p, over ? p->in.len : p->at + 1, over ? at_end : what);
}

static enum err memory_or(const struct parser *p, enum err e)
{
    return buf_failed(p->out) || buf_failed(&p->members) ? ERR_NOMEM : e;
}

static int peek(struct parser *p)
{
    while (p->at < p->in.len && (p->in.ptr[p->at] == ' ' || p->in.ptr[p->at] == '\n' ||
                                 p->in.ptr[p->at] == '\t' || p->in.ptr[p->at] == '\r'))
        p->at++;
    return p->at < p->in.len ? p->in.ptr[p->at] : -1;
}

/* -- strings ----------------------------------------------------------------------------------- */

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    uint8_t lower = c | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* The four digits behind \u. */
static enum err read_hex(struct parser *p, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < 4; i++) {
        if (p->at >= p->in.len)
            return fail(p, "", "EOF while parsing a string");
        int digit = hex_value(p->in.ptr[p->at]);
        if (digit < 0)
            return fail_at(p, p->at + 1, "invalid escape");
        *out = *out << 4 | (uint32_t)digit;
        p->at++;
    }
    return OK;
}

static void put_code_point(struct parser *p, uint32_t c)
{
    uint8_t text[4];
    size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size; i > 1; i--) {
        text[i - 1] = (uint8_t)(0x80 | (c & 0x3f));
        c >>= 6;
    }
    text[0] = (uint8_t)(heads[size] | c);
    jval_escape((struct slice){text, size}, p->out);
}

/* Behind \u. */
static enum err read_code_point(struct parser *p)
{
    uint32_t high, low;
    enum err e = read_hex(p, &high);
    if (e != OK)
        return e;
    if (high >= 0xdc00 && high <= 0xdfff)
        return fail_at(p, p->at, "lone leading surrogate in hex escape");
    if (high < 0xd800 || high > 0xdbff) {
        put_code_point(p, high);
        return OK;
    }
    if (p->at + 1 >= p->in.len || p->in.ptr[p->at] != '\\' || p->in.ptr[p->at + 1] != 'u')
        return fail(p, "unexpected end of hex escape", "EOF while parsing a string");
    p->at += 2;
    e = read_hex(p, &low);
    if (e != OK)
        return e;
    if (low < 0xdc00 || low > 0xdfff)
        return fail_at(p, p->at, "lone leading surrogate in hex escape");
    put_code_point(p, 0x10000 + ((high - 0xd800) << 10 | (low - 0xdc00)));
    return OK;
}

/* Behind a backslash. */
static enum err read_escape(struct parser *p)
{
    static const char known[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
    if (p->at >= p->in.len)
        return fail(p, "", "EOF while parsing a string");
    uint8_t c = p->in.ptr[p->at++];
    if (c == 'u')
        return read_code_point(p);
    const char *at = memchr(known, c, sizeof(known) - 1);
    if (at == NULL)
        return fail_at(p, p->at, "invalid escape");
    jval_escape((struct slice){(const uint8_t *)&meant[at - known], 1}, p->out);
    return OK;
}

/* At its quote. */
static enum err read_string(struct parser *p)
{
    buf_append_byte(p->out, '"');
    p->at++;
    enum err e = OK;
    while (e == OK) {
        size_t from = p->at;
        while (p->at < p->in.len && p->in.ptr[p->at] != '"' && p->in.ptr[p->at] != '\\' &&
               p->in.ptr[p->at] >= 0x20)
            p->at++;
        buf_append(p->out, p->in.ptr + from, p->at - from);
        if (p->at >= p->in.len)
            return fail(p, "", "EOF while parsing a string");
        uint8_t c = p->in.ptr[p->at++];
        if (c == '"')
            break;
        e = c == '\\' ? read_escape(p)
                      : fail_at(p, p->at,
                                "control character (\\u0000-\\u001F) found while parsing a string");
    }
    buf_append_byte(p->out, '"');
    return e;
}

/* -- other scalars ----------------------------------------------------------------------------- */

static enum err read_number(struct parser *p)
{
    struct slice rest = {p->in.ptr + p->at, p->in.len - p->at}, text;
    char room[JNUM_TEXT_MAX];
    bool cut;
    size_t wrong, size = jnum_scan(rest, &wrong, &cut);
    if (size == 0)
        return cut ? fail_at(p, p->in.len, "EOF while parsing a value")
                   : fail_at(p, p->at + wrong + 1, "invalid number");
    p->at += size;
    if (!jnum_canonical((struct slice){rest.ptr, size}, room, &text))
        return fail_at(p, p->at, "number out of range");
    buf_append_slice(p->out, text);
    return OK;
}

static enum err read_word(struct parser *p, const char *word)
{
    for (const char *c = word; *c != '\0'; c++, p->at++)
        if (p->at >= p->in.len || p->in.ptr[p->at] != (uint8_t)*c)
            return fail(p, "expected ident", "EOF while parsing a value");
    buf_append_text(p->out, word);
    return OK;
}

/* -- objects ----------------------------------------------------------------------------------- */

static struct member *members_of(const struct parser *p, const struct level *level, size_t *count)
{
    struct member *all = (struct member *)(void *)p->members.ptr;
    *count = p->members.len / sizeof(*all) - level->members;
    return all == NULL ? NULL : all + level->members;
}

static struct slice member_name(const struct parser *p, const struct member *m)
{
    return (struct slice){p->out->ptr + m->at + 1, m->name};
}

/* Writes the object again with every name once: at the place of the first, with the value of the
 * last. same[i]: an earlier member of that name, or i. */
static enum err write_once(struct parser *p, const struct level *level, struct member *members,
                           const uint32_t *same, size_t count)
{
    struct buf text = BUF_INIT(MEM_SCRATCH);
    for (size_t i = 0; i < count; i++) {
        if (same[i] == i)
            continue;
        members[same[i]].value = members[i].value;
        members[same[i]].end = members[i].end;
    }
    for (size_t i = 0; i < count; i++) {
        const struct member *m = &members[i];
        if (same[i] != i)
            continue;
        buf_append_byte(&text, text.len == 0 ? '{' : ',');
        buf_append(&text, p->out->ptr + m->at, m->name + 3); /* quotes and colon */
        buf_append(&text, p->out->ptr + m->value, m->end - m->value);
    }
    bool failed = buf_failed(&text);
    if (!failed) {
        CHECK(level->at + text.len <= p->out->len);
        p->out->len = level->at;
        buf_append_slice(p->out, buf_slice(&text));
    }
    buf_fini(&text);
    return failed ? ERR_NOMEM : OK;
}

/* same[i] for all, by a table of slots; *twice: some name comes twice. */
static void find_same(const struct parser *p, const struct member *members, size_t count,
                      uint32_t *same, uint32_t *slots, size_t mask, bool *twice)
{
    memset(slots, 0xff, (mask + 1) * sizeof(*slots));
    for (size_t i = 0; i < count; i++) {
        struct slice name = member_name(p, &members[i]);
        size_t slot = (size_t)hash_bytes(name, p->seed) & mask;
        while (slots[slot] != UINT32_MAX && !slice_eq(member_name(p, &members[slots[slot]]), name))
            slot = (slot + 1) & mask;
        same[i] = slots[slot] == UINT32_MAX ? (uint32_t)i : slots[slot];
        slots[slot] = same[i];
        *twice |= same[i] != i;
    }
}

static bool few_and_different(const struct parser *p, const struct member *members, size_t count)
{
    enum { FEW = 8 };
    for (size_t i = 0; i < count && count <= FEW; i++)
        for (size_t j = 0; j < i; j++)
            if (slice_eq(member_name(p, &members[i]), member_name(p, &members[j])))
                return false;
    return count <= FEW;
}

static enum err end_object(struct parser *p, const struct level *level)
{
    size_t count, mask = 15;
    bool twice = false;
    struct member *members = members_of(p, level, &count);
    enum err e = OK;
    if (!buf_failed(p->out) && !few_and_different(p, members, count)) {
        while (mask < 2 * count)
            mask = mask * 2 + 1;
        uint32_t *room = mem_try(MEM_SCRATCH, (count + mask + 1) * sizeof(*room));
        if (room == NULL)
            return ERR_NOMEM;
        find_same(p, members, count, room, room + count, mask, &twice);
        if (twice)
            e = write_once(p, level, members, room, count);
        mem_free(MEM_SCRATCH, room);
    }
    p->members.len = level->members * sizeof(*members);
    return e;
}

/* A name and its colon. */
static enum err read_name(struct parser *p)
{
    struct member member = {.at = p->out->len};
    int c = peek(p);
    if (c != '"')
        return fail(p, "key must be a string", "EOF while parsing an object");
    enum err e = read_string(p);
    if (e != OK)
        return e;
    member.name = p->out->len - member.at - 2;
    if (peek(p) != ':')
        return fail(p, "expected `:`", "EOF while parsing an object");
    p->at++;
    buf_append_byte(p->out, ':');
    member.value = p->out->len;
    buf_append(&p->members, &member, sizeof(member));
    return OK;
}

/* -- all of it --------------------------------------------------------------------------------- */

static enum err begin(struct parser *p, bool named)
{
    if (p->depth == LIMIT_JSON_DEPTH - 1)
        return fail_at(p, p->at + 1, "recursion limit exceeded");
    struct level *level = &p->levels[p->depth++];
    *level = (struct level){
        .at = p->out->len, .members = p->members.len / sizeof(struct member), .named = named};
    buf_append_byte(p->out, p->in.ptr[p->at++]);
    return OK;
}

/* A scalar, or the bracket that begins a container; *began: the latter. */
static enum err read_value(struct parser *p, bool *began)
{
    int c = peek(p);
    *began = c == '[' || c == '{';
    if (*began)
        return begin(p, c == '{');
    switch (c) {
    case '"':
        return read_string(p);
    case 'n':
        return read_word(p, "null");
    case 't':
        return read_word(p, "true");
    case 'f':
        return read_word(p, "false");
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return read_number(p);
        return fail(p, "expected value", "EOF while parsing a value");
    }
}

/* Behind a value: the ends of containers, up to the next value. *over: there is none. */
static enum err go_on(struct parser *p, bool *over)
{
    while (p->depth > 0) {
        struct level *level = &p->levels[p->depth - 1];
        bool empty = p->out->ptr != NULL && p->out->len == level->at + 1;
        if (level->named && !empty && p->members.len > 0) {
            size_t count;
            struct member *members = members_of(p, level, &count);
            if (count > 0)
                members[count - 1].end = p->out->len;
        }
        int c = peek(p), close = level->named ? '}' : ']';
        if (c != close && !empty) {
            if (c != ',')
                return fail(p, level->named ? "expected `,` or `}`" : "expected `,` or `]`",
                            level->named ? "EOF while parsing an object"
                                         : "EOF while parsing a list");
            p->at++;
            buf_append_byte(p->out, ',');
            if (peek(p) == close)
                return fail(p, "trailing comma", "");
            return level->named ? read_name(p) : OK;
        }
        if (c != close) {
            if (c < 0)
                return fail(p, "",
                            level->named ? "EOF while parsing an object"
                                         : "EOF while parsing a list");
            return level->named ? read_name(p) : OK;
        }
        enum err e = level->named ? end_object(p, level) : OK;
        if (e != OK)
            return e;
        p->at++;
        buf_append_byte(p->out, (uint8_t)close);
        p->depth--;
    }
    *over = true;
    return OK;
}

enum err jparse(struct slice in, const uint64_t seed[2], struct buf *out, struct why *why)
{
    struct parser p = {.in = in, .out = out, .seed = seed, .why = why};
    size_t start = out->len;
    bool over = false, began;
    if (!utf8_check(in))
        return why_set(why, ERR_SYNTAX, "Couldn't parse as UTF-8 string");
    buf_init(&p.members, MEM_SCRATCH);
    enum err e = OK;
    while (e == OK && !over) {
        e = read_value(&p, &began);
        if (e == OK)
            e = memory_or(&p, OK);
        if (e == OK)
            e = go_on(&p, &over);
    }
    if (e == OK && peek(&p) >= 0)
        e = fail(&p, "trailing characters", "");
    e = memory_or(&p, e);
    buf_fini(&p.members);
    if (e != OK && !buf_failed(out))
        out->len = start;
    return e;
}

enum err jparse_check(struct slice text)
{
    static const uint64_t seed[2] = {0x76a1, 0x5eed};
    struct buf again = BUF_INIT(MEM_SCRATCH);
    struct why why;
    enum err e = jparse(text, seed, &again, &why);
    if (e == ERR_SYNTAX || (e == OK && !slice_eq(buf_slice(&again), text)))
        e = ERR_CORRUPT;
    buf_fini(&again);
    return e;
}

/* -- UTF-8 ------------------------------------------------------------------------------------- */

/* Bytes of the sequence that begins at, of at most left; 0: none does. */
static size_t sequence(const uint8_t *at, size_t left)
{
    uint8_t c = at[0];
    size_t size = c >= 0xc2 && c < 0xe0 ? 2 : c >= 0xe0 && c < 0xf0 ? 3 : c >= 0xf0 ? 4 : 0;
    if (size == 0 || size > left || c > 0xf4)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    uint8_t second = at[1];
    bool good = !(c == 0xe0 && second < 0xa0) && !(c == 0xed && second > 0x9f) &&
                !(c == 0xf0 && second < 0x90) && !(c == 0xf4 && second > 0x8f);
    return good ? size : 0;
}

bool utf8_check(struct slice text)
{
    enum { WORD = 8 };
    size_t at = 0;
    while (at < text.len) {
        uint64_t word = 0;
        if (text.len - at >= WORD)
            memcpy(&word, text.ptr + at, WORD);
        if (text.len - at >= WORD && (word & 0x8080808080808080u) == 0) {
            at += WORD;
            continue;
        }
        size_t size = text.ptr[at] < 0x80 ? 1 : sequence(text.ptr + at, text.len - at);
        if (size == 0)
            return false;
        at += size;
    }
    return true;
}
