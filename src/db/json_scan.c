#include "db/json_scan.h"

#include "base/limits.h"

/* Names are compared by their first eight bytes as one word, masked to their size. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "name heads assume little endian");

enum { NODE_NONE = 0, NODE_ROOT = 0, CHILD_SIZE_MAX = 63 };

/* A position in JSON text that is being checked. depth: containers that are open around p. */
struct scan {
    const uint8_t *p;
    const uint8_t *end;
    unsigned depth;
};

/* A container that a path leads into. */
struct frame {
    const uint8_t *start;
    uint32_t node;
    uint32_t count; /* members or elements begun so far */
    bool is_object;
    bool has_object;
};

struct reader {
    struct scan scan;
    const struct json_paths *paths;
    const struct json_node *nodes;
    struct json_value *values;
    unsigned frame_count;
    struct frame frames[LIMIT_FILTER_DEPTH + 1];
};

/* ---- checking ---- */

static inline void skip_blanks(struct scan *s)
{
    while (s->p < s->end && (*s->p == ' ' || *s->p == '\n' || *s->p == '\r' || *s->p == '\t'))
        s->p++;
}

static inline uint64_t zero_bytes(uint64_t word)
{
    return (word - 0x0101010101010101u) & ~word & 0x8080808080808080u;
}

/* The first quote or backslash, or end. Eight bytes a time: the lowest bit that zero_bytes sets is
 * always right, only bits above it may be false. */
static inline const uint8_t *find_quote_or_backslash(const uint8_t *p, const uint8_t *end)
{
    for (; end - p >= 8; p += 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        uint64_t hits =
            zero_bytes(word ^ 0x2222222222222222u) | zero_bytes(word ^ 0x5c5c5c5c5c5c5c5cu);
        if (hits != 0)
            return p + __builtin_ctzll(hits) / 8;
    }
    while (p < end && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* At an opening quote. */
static inline bool scan_string(struct scan *s, struct slice *text, bool *escaped)
{
    uint8_t decoded[4], decoded_size;
    const uint8_t *start = s->p + 1;
    const uint8_t *p = find_quote_or_backslash(start, s->end);
    *escaped = false;
    while (p < s->end && *p == '\\') {
        size_t size = json_escape_decode(p, s->end, decoded, &decoded_size);
        if (size == 0)
            return false;
        *escaped = true;
        p = find_quote_or_backslash(p + size, s->end);
    }
    if (p == s->end)
        return false;
    *text = (struct slice){start, (size_t)(p - start)};
    s->p = p + 1;
    return true;
}

static inline const uint8_t *skip_digits(const uint8_t *p, const uint8_t *end)
{
    while (p < end && (uint8_t)(*p - '0') <= 9)
        p++;
    return p;
}

static inline bool scan_number(struct scan *s)
{
    const uint8_t *p = s->p, *end = s->end;
    if (p < end && *p == '-')
        p++;
    const uint8_t *whole = p;
    p = skip_digits(p, end);
    if (p == whole || (*whole == '0' && p - whole > 1))
        return false;
    if (p < end && *p == '.') {
        const uint8_t *fraction = ++p;
        p = skip_digits(p, end);
        if (p == fraction)
            return false;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        const uint8_t *exponent = p;
        p = skip_digits(p, end);
        if (p == exponent)
            return false;
    }
    s->p = p;
    return true;
}

static bool scan_word(struct scan *s, const char *word, size_t size)
{
    if ((size_t)(s->end - s->p) < size || memcmp(s->p, word, size) != 0)
        return false;
    s->p += size;
    return true;
}

/* At the first byte of a value that is no container. */
static inline bool scan_scalar(struct scan *s, struct json_value *out)
{
    const uint8_t *start = s->p;
    bool valid;
    out->escaped = false;
    out->has_object = false;
    switch (*start) {
    case '"':
        out->kind = JSON_STRING;
        return scan_string(s, &out->text, &out->escaped);
    case 't':
        out->kind = JSON_TRUE;
        valid = scan_word(s, "true", 4);
        break;
    case 'f':
        out->kind = JSON_FALSE;
        valid = scan_word(s, "false", 5);
        break;
    case 'n':
        out->kind = JSON_NULL;
        valid = scan_word(s, "null", 4);
        break;
    default:
        out->kind = JSON_NUMBER;
        valid = scan_number(s);
        break;
    }
    out->text = (struct slice){start, (size_t)(s->p - start)};
    return valid;
}

/* A name and its colon; p is left at the first byte of the value, which exists. */
static inline bool scan_name(struct scan *s, struct slice *name, bool *escaped)
{
    skip_blanks(s);
    if (s->p == s->end || *s->p != '"' || !scan_string(s, name, escaped))
        return false;
    skip_blanks(s);
    if (s->p == s->end || *s->p != ':')
        return false;
    s->p++;
    skip_blanks(s);
    return s->p < s->end;
}

/* The containers open inside one value, innermost last; a set bit is an object. */
struct nest {
    unsigned depth;
    uint64_t objects[(LIMIT_JSON_DEPTH + 63) / 64];
};

static inline bool nest_in_object(const struct nest *n)
{
    unsigned level = n->depth - 1;
    return (n->objects[level / 64] >> (level % 64) & 1) != 0;
}

/* At an opening bracket. */
static bool nest_open(struct nest *n, struct scan *s)
{
    if (s->depth + n->depth == LIMIT_JSON_DEPTH)
        return false;
    uint64_t bit = (uint64_t)1 << (n->depth % 64);
    if (*s->p == '{')
        n->objects[n->depth / 64] |= bit;
    else
        n->objects[n->depth / 64] &= ~bit;
    n->depth++;
    s->p++;
    skip_blanks(s);
    return s->p < s->end;
}

/* After a value or an empty opening: closes what closes here. Then either everything is closed, or
 * p is at the first byte of the next value. */
static bool nest_advance(struct nest *n, struct scan *s, bool opened)
{
    struct slice name;
    bool escaped;
    while (n->depth > 0) {
        skip_blanks(s);
        if (s->p == s->end)
            return false;
        bool in_object = nest_in_object(n);
        if (*s->p == (in_object ? '}' : ']')) {
            s->p++;
            n->depth--;
            opened = false;
            continue;
        }
        if (!opened && *s->p++ != ',')
            return false;
        if (in_object)
            return scan_name(s, &name, &escaped);
        skip_blanks(s);
        return s->p < s->end;
    }
    return true;
}

/* At an opening bracket: checks all up to the one that closes it. */
static bool scan_container(struct scan *s, struct json_value *out)
{
    const uint8_t *start = s->p;
    struct nest nest = {.depth = 0};
    struct json_value inner;
    out->kind = *start == '{' ? JSON_OBJECT : JSON_ARRAY;
    out->escaped = false;
    out->has_object = false;
    do {
        bool opens = *s->p == '{' || *s->p == '[';
        if (opens) {
            out->has_object |= *s->p == '{';
            if (!nest_open(&nest, s))
                return false;
        } else if (!scan_scalar(s, &inner)) {
            return false;
        }
        if (!nest_advance(&nest, s, opens))
            return false;
    } while (nest.depth > 0);
    out->text = (struct slice){start, (size_t)(s->p - start)};
    return true;
}

/* At the first byte of a value. */
static inline bool scan_value(struct scan *s, struct json_value *out)
{
    CHECK_SLOW(s->p < s->end);
    if (*s->p == '{' || *s->p == '[')
        return scan_container(s, out);
    return scan_scalar(s, out);
}

/* ---- paths ---- */

static inline uint64_t name_head(struct slice name, const uint8_t *end)
{
    uint64_t head = 0;
    if (end - name.ptr >= 8) {
        memcpy(&head, name.ptr, 8);
        return name.len >= 8 ? head : head & (((uint64_t)1 << (8 * name.len)) - 1);
    }
    memcpy(&head, name.ptr, name.len);
    return head;
}

static bool name_equals_escaped(struct slice name, struct slice written)
{
    struct json_chars chars = json_chars_of(written, true);
    for (size_t i = 0; i < name.len; i++)
        if (json_chars_next(&chars) != name.ptr[i])
            return false;
    return json_chars_next(&chars) < 0;
}

static inline bool node_has_name(const struct reader *r, const struct json_node *node,
                                 struct slice name, uint64_t head)
{
    if (node->by_index || node->name_size != name.len || node->head != head)
        return false;
    return name.len <= 8 ||
           memcmp(r->paths->names.ptr + node->name_at + 8, name.ptr + 8, name.len - 8) == 0;
}

static uint32_t find_escaped_child(const struct reader *r, uint32_t parent, struct slice written)
{
    for (uint32_t i = r->nodes[parent].first_child; i != NODE_NONE; i = r->nodes[i].next_sibling) {
        struct slice name = {r->paths->names.ptr + r->nodes[i].name_at, r->nodes[i].name_size};
        if (!r->nodes[i].by_index && name_equals_escaped(name, written))
            return i;
    }
    return NODE_NONE;
}

static inline uint32_t find_child(const struct reader *r, uint32_t parent, struct slice name)
{
    size_t size = name.len < CHILD_SIZE_MAX ? name.len : CHILD_SIZE_MAX;
    if ((r->nodes[parent].child_sizes >> size & 1) == 0)
        return NODE_NONE;
    uint64_t head = name_head(name, r->scan.end);
    for (uint32_t i = r->nodes[parent].first_child; i != NODE_NONE; i = r->nodes[i].next_sibling)
        if (node_has_name(r, &r->nodes[i], name, head))
            return i;
    return NODE_NONE;
}

static uint32_t find_element(const struct reader *r, uint32_t parent, uint32_t index)
{
    for (uint32_t i = r->nodes[parent].first_child; i != NODE_NONE; i = r->nodes[i].next_sibling)
        if (r->nodes[i].by_index && r->nodes[i].index == index)
            return i;
    return NODE_NONE;
}

/* At the opening bracket of a container that paths lead into. */
static bool open_frame(struct reader *r, uint32_t node)
{
    CHECK(r->frame_count < COUNT_OF(r->frames));
    if (r->scan.depth == LIMIT_JSON_DEPTH)
        return false;
    bool is_object = *r->scan.p == '{';
    r->frames[r->frame_count++] = (struct frame){r->scan.p, node, 0, is_object, false};
    r->values[node].kind = is_object ? JSON_OBJECT : JSON_ARRAY;
    r->scan.depth++;
    r->scan.p++;
    return true;
}

static void close_frame(struct reader *r)
{
    struct frame *f = &r->frames[--r->frame_count];
    struct json_value *v = &r->values[f->node];
    r->scan.depth--;
    r->scan.p++;
    v->escaped = false;
    v->has_object = f->has_object || f->is_object;
    v->text = (struct slice){f->start, (size_t)(r->scan.p - f->start)};
    if (r->frame_count > 0)
        r->frames[r->frame_count - 1].has_object |= v->has_object;
}

/* At the first byte of a value that lies in the innermost frame; child: the node it is for. */
static inline bool read_child(struct reader *r, struct frame *f, uint32_t child)
{
    struct json_value unwanted;
    if (child == NODE_NONE || r->values[child].kind != JSON_MISSING) {
        if (!scan_value(&r->scan, &unwanted))
            return false;
        f->has_object |= unwanted.has_object;
        return true;
    }
    bool opens = *r->scan.p == '{' || *r->scan.p == '[';
    if (opens && r->nodes[child].first_child != NODE_NONE)
        return open_frame(r, child);
    if (!scan_value(&r->scan, &r->values[child]))
        return false;
    f->has_object |= r->values[child].has_object;
    return true;
}

/* The next member or element of the innermost frame, or its end. */
static inline bool read_next(struct reader *r)
{
    struct frame *f = &r->frames[r->frame_count - 1];
    struct scan *s = &r->scan;
    skip_blanks(s);
    if (s->p == s->end)
        return false;
    if (*s->p == (f->is_object ? '}' : ']')) {
        close_frame(r);
        return true;
    }
    if (f->count++ > 0 && *s->p++ != ',')
        return false;
    if (f->is_object) {
        struct slice name;
        bool escaped;
        if (!scan_name(s, &name, &escaped))
            return false;
        return read_child(
            r, f, escaped ? find_escaped_child(r, f->node, name) : find_child(r, f->node, name));
    }
    skip_blanks(s);
    return s->p < s->end && read_child(r, f, find_element(r, f->node, f->count - 1));
}

int json_text_cmp(struct slice a, bool a_escaped, struct slice b, bool b_escaped)
{
    if (!a_escaped && !b_escaped)
        return slice_cmp(a, b);
    struct json_chars x = json_chars_of(a, a_escaped), y = json_chars_of(b, b_escaped);
    for (;;) {
        int p = json_chars_next(&x), q = json_chars_next(&y);
        if (p != q || p < 0)
            return (p > q) - (p < q);
    }
}

bool json_read(struct slice json, const struct json_paths *paths, struct json_value *values)
{
    CHECK(paths->count > 0);
    struct reader r;
    r.scan = (struct scan){json.ptr, json.ptr + json.len, 0};
    r.paths = paths;
    r.nodes = (const struct json_node *)(const void *)paths->nodes.ptr;
    r.values = values;
    r.frame_count = 0;
    for (uint32_t i = 0; i < paths->count; i++)
        values[i].kind = JSON_MISSING;

    skip_blanks(&r.scan);
    if (r.scan.p == r.scan.end)
        return false;
    if (*r.scan.p == '{' || *r.scan.p == '[') {
        if (!open_frame(&r, NODE_ROOT))
            return false;
        while (r.frame_count > 0)
            if (!read_next(&r))
                return false;
    } else if (!scan_scalar(&r.scan, &values[NODE_ROOT])) {
        return false;
    }
    skip_blanks(&r.scan);
    return r.scan.p == r.scan.end;
}

struct json_items json_items_of(const struct json_value *array)
{
    CHECK(array->kind == JSON_ARRAY && array->text.len >= 2);
    return (struct json_items){array->text.ptr + 1, array->text.ptr + array->text.len};
}

bool json_items_next(struct json_items *items, struct json_value *out)
{
    struct scan s = {items->p, items->end, 0};
    skip_blanks(&s);
    if (s.p < s.end && *s.p == ',') {
        s.p++;
        skip_blanks(&s);
    }
    if (s.p == s.end || *s.p == ']')
        return false;
    bool valid = scan_value(&s, out);
    CHECK(valid); /* json_read() has checked the whole array */
    items->p = s.p;
    return true;
}
