/* store_s3_xml.c: as much XML as S3 answers with: elements, text, entities. Nothing is built, and
 * nothing is believed: it reads bytes of a network. Document types are refused, so there is nothing
 * to expand. */
#include "persist/store_s3.h"

static bool starts_with(struct slice s, const char *text)
{
    size_t len = strlen(text);
    return s.len >= len && memcmp(s.ptr, text, len) == 0;
}

static struct slice skip(struct slice s, size_t n)
{
    CHECK(n <= s.len);
    return (struct slice){s.ptr + n, s.len - n};
}

/* What follows the first end in s. False when there is none. */
static bool skip_past(struct slice *s, const char *end)
{
    size_t len = strlen(end);
    const uint8_t *at = s->len == 0 ? NULL : memmem(s->ptr, s->len, end, len);
    if (at == NULL)
        return false;
    *s = skip(*s, (size_t)(at - s->ptr) + len);
    return true;
}

enum tag_kind { TAG_OPEN, TAG_CLOSE, TAG_EMPTY, TAG_NONE, TAG_BAD };

static bool ends_name(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '/' || c == '>';
}

/* Where the tag ends: the first '>' outside quotes. s.len when there is none. */
static size_t tag_size(struct slice s)
{
    uint8_t quote = 0;
    for (size_t i = 0; i < s.len; i++) {
        uint8_t c = s.ptr[i];
        if (quote != 0)
            quote = c == quote ? 0 : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '>')
            return i;
    }
    return s.len;
}

/* Takes one tag, which s starts with. */
static enum tag_kind take_tag(struct slice *s, struct slice *name)
{
    size_t size = tag_size(*s);
    if (size == s->len)
        return TAG_BAD;
    enum tag_kind kind = s->ptr[1] == '/' ? TAG_CLOSE : TAG_OPEN;
    if (kind == TAG_OPEN && s->ptr[size - 1] == '/')
        kind = TAG_EMPTY;
    size_t start = kind == TAG_CLOSE ? 2 : 1, end = start;
    for (; end < size && !ends_name(s->ptr[end]); end++)
        if (s->ptr[end] == ':')
            start = end + 1;
    *name = (struct slice){s->ptr + start, end - start};
    *s = skip(*s, size + 1);
    return end > start ? kind : TAG_BAD;
}

/* Takes the next tag, past text, comments and declarations. *at is where it starts. */
static enum tag_kind next_tag(struct slice *s, struct slice *name, const uint8_t **at)
{
    for (;;) {
        const uint8_t *open = s->len == 0 ? NULL : memchr(s->ptr, '<', s->len);
        if (open == NULL)
            return TAG_NONE;
        *s = skip(*s, (size_t)(open - s->ptr));
        *at = open;
        if (starts_with(*s, "<?")) {
            if (!skip_past(s, "?>"))
                return TAG_BAD;
        } else if (starts_with(*s, "<!--")) {
            if (!skip_past(s, "-->"))
                return TAG_BAD;
        } else if (starts_with(*s, "<!") || s->len < 2) {
            return TAG_BAD;
        } else {
            return take_tag(s, name);
        }
    }
}

enum xml_event xml_next(struct slice *content, struct slice *name, struct slice *inner)
{
    const uint8_t *at = NULL;
    struct slice left = *content;
    enum tag_kind kind = next_tag(&left, name, &at);
    if (kind == TAG_NONE)
        return XML_END;
    if (kind != TAG_OPEN && kind != TAG_EMPTY)
        return XML_BAD;
    *inner = (struct slice){left.ptr, 0};
    size_t depth = kind == TAG_OPEN ? 1 : 0;
    struct slice last = *name;
    while (depth > 0) {
        kind = next_tag(&left, &last, &at);
        if (kind == TAG_NONE || kind == TAG_BAD)
            return XML_BAD;
        depth += kind == TAG_OPEN ? 1 : 0;
        depth -= kind == TAG_CLOSE ? 1 : 0;
        inner->len = (size_t)(at - inner->ptr);
    }
    if (!slice_eq(last, *name))
        return XML_BAD;
    *content = left;
    return XML_ELEMENT;
}

bool xml_child(struct slice content, const char *name, struct slice *inner)
{
    struct slice found;
    while (xml_next(&content, &found, inner) == XML_ELEMENT)
        if (slice_eq(found, slice_of(name)))
            return true;
    return false;
}

/* A character as UTF-8. Returns its bytes, 0 when it is none. */
static size_t utf8_of(uint64_t code, uint8_t out[4])
{
    if (code == 0 || code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        return 0;
    if (code < 0x80) {
        out[0] = (uint8_t)code;
        return 1;
    }
    size_t size = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const uint8_t heads[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size; i-- > 1; code >>= 6)
        out[i] = (uint8_t)(0x80 | (code & 0x3f));
    out[0] = (uint8_t)(heads[size] | code);
    return size;
}

/* "#65" or "#x41": the number. */
static bool reference_code(struct slice name, uint64_t *out)
{
    if (name.len < 2 || name.len > 9 || name.ptr[0] != '#')
        return false;
    if (name.ptr[1] != 'x')
        return slice_to_u64(skip(name, 1), out);
    *out = 0;
    for (size_t i = 2; i < name.len; i++) {
        const char *digits = "0123456789abcdefABCDEF", *at = strchr(digits, name.ptr[i]);
        if (at == NULL || *at == '\0')
            return false;
        size_t value = (size_t)(at - digits);
        *out = *out * 16 + (value < 16 ? value : value - 6);
    }
    return name.len > 2;
}

/* Decodes what stands between & and ; into at most four bytes. 0: unknown. */
static size_t entity(struct slice name, uint8_t out[4])
{
    static const struct {
        const char *name;
        uint8_t byte;
    } known[] = {{"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        if (slice_eq(name, slice_of(known[i].name))) {
            out[0] = known[i].byte;
            return 1;
        }
    }
    uint64_t code;
    return reference_code(name, &code) ? utf8_of(code, out) : 0;
}

bool xml_text(struct slice inner, char *out, size_t size)
{
    size_t len = 0;
    CHECK(size > 0);
    while (inner.len > 0) {
        uint8_t bytes[4] = {inner.ptr[0]};
        size_t count = 1, taken = 1;
        if (bytes[0] == '<' || bytes[0] == '\0')
            return false;
        if (bytes[0] == '&') {
            const uint8_t *end = memchr(inner.ptr, ';', inner.len);
            if (end == NULL)
                return false;
            taken = (size_t)(end - inner.ptr) + 1;
            count = entity((struct slice){inner.ptr + 1, taken - 2}, bytes);
        }
        if (count == 0 || count >= size - len)
            return false;
        memcpy(out + len, bytes, count);
        len += count;
        inner = skip(inner, taken);
    }
    out[len] = '\0';
    return true;
}
