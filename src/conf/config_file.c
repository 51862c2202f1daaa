/* Where options come from before the server runs: the words of a vdb.conf and of the command line;
 * and the vdb.conf that --print-config writes. */
#include "base/words.h"
#include "conf/config.h"
#include "conf/config_value.h"

enum { DOC_COLUMNS = 98, LINE_SHOWN = 80 };

/* The words of one directive, in room of their own. */
struct directive {
    struct slice name;
    struct buf value; /* the words behind the name, joined by blanks */
    size_t value_words;
};

/* Joins value words one by one, as redis.conf and the command line both list them. */
static void add_value_word(struct directive *d, struct slice word)
{
    if (d->value_words++ > 0)
        buf_append_byte(&d->value, ' ');
    buf_append_slice(&d->value, word);
}

static enum err set_directive(struct config *c, const struct directive *d, struct why *why)
{
    const struct config_option *option = config_option_find(d->name);
    bool many = option != NULL && option->type->many_words;
    if (option != NULL && (d->value_words == 0 || (d->value_words > 1 && !many)))
        return why_set(why, ERR_SYNTAX, "wrong number of arguments");
    if (buf_failed(&d->value))
        return why_set(why, ERR_NOMEM, "no memory for the value");
    return config_set(c, d->name, buf_slice(&d->value), why);
}

/* Reads one line that is neither blank nor a comment. spare has room for its decoded words. */
static enum err set_line(struct config *c, struct slice line, uint8_t *spare, struct why *why)
{
    struct directive d = {.value = BUF_INIT(MEM_SERVER)};
    struct slice word;
    enum words_status status = words_next(&line, &spare, &d.name);
    CHECK(status != WORDS_END);
    while (status == WORDS_WORD && (status = words_next(&line, &spare, &word)) == WORDS_WORD)
        add_value_word(&d, word);
    enum err e = status == WORDS_UNBALANCED
                     ? why_set(why, ERR_SYNTAX, "unbalanced quotes in configuration line")
                     : set_directive(c, &d, why);
    buf_fini(&d.value);
    return e;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct slice config_line_trimmed(struct slice s)
{
    while (s.len > 0 && is_blank(s.ptr[0])) {
        s.ptr++;
        s.len--;
    }
    while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
        s.len--;
    return s;
}

struct slice config_next_line(struct slice *text)
{
    CHECK(text->len > 0);
    const uint8_t *end = memchr(text->ptr, '\n', text->len);
    size_t size = end == NULL ? text->len : (size_t)(end - text->ptr);
    size_t taken = end == NULL ? size : size + 1;
    struct slice line = {text->ptr, size};
    text->ptr += taken;
    text->len -= taken;
    return line;
}

enum err config_parse(struct config *c, const char *path, struct slice text, struct why *why)
{
    struct buf spare = BUF_INIT(MEM_SERVER);
    enum err e = OK;
    for (int number = 1; text.len > 0 && e == OK; number++) {
        struct slice line = config_line_trimmed(config_next_line(&text));
        if (line.len == 0 || line.ptr[0] == '#')
            continue;
        uint8_t *room = buf_reserve(&spare, line.len);
        if (room == NULL) {
            e = why_set(why, ERR_NOMEM, "%s: no memory for line %d", path, number);
            break;
        }
        struct why reason = {""};
        e = set_line(c, line, room, &reason);
        if (e != OK)
            (void)why_set(why, e, "%s, line %d: '%.*s': %s", path, number,
                          line.len < LINE_SHOWN ? (int)line.len : LINE_SHOWN,
                          (const char *)line.ptr, reason.text);
    }
    buf_fini(&spare);
    return e;
}

const char *config_file_argument(int argc, char *const argv[])
{
    return argc > 1 && argv[1][0] != '-' ? argv[1] : NULL;
}

/* "--" alone names nothing. */
static bool is_option_name(const char *argument)
{
    return argument[0] == '-' && argument[1] == '-' && argument[2] != '\0';
}

enum err config_parse_args(struct config *c, int argc, char *const argv[], struct why *why)
{
    int at = config_file_argument(argc, argv) != NULL ? 2 : 1;
    while (at < argc) {
        const char *name = argv[at++];
        if (strcmp(name, "--repair") == 0) {
            c->repair = true;
            continue;
        }
        if (!is_option_name(name))
            return why_set(why, ERR_SYNTAX, "'%.*s' is not an option: options start with --",
                           LINE_SHOWN, name);
        struct directive d = {.name = slice_of(name + 2), .value = BUF_INIT(MEM_SERVER)};
        /* What stands right behind the name is its value, whatever it looks like: a password may
         * start with dashes. */
        for (int first = at; at < argc && (at == first || !is_option_name(argv[at])); at++)
            add_value_word(&d, slice_of(argv[at]));
        struct why reason = {""};
        enum err e = set_directive(c, &d, &reason);
        buf_fini(&d.value);
        if (e != OK)
            return why_set(why, e, "%.*s: %s", LINE_SHOWN, name, reason.text);
    }
    return OK;
}

/* Appends text as comment lines broken at blanks. */
static void print_comment(struct buf *out, const char *text)
{
    while (*text != '\0') {
        size_t size = strlen(text);
        if (size > DOC_COLUMNS) {
            size = DOC_COLUMNS;
            while (size > 0 && text[size] != ' ')
                size--;
            CHECK(size > 0);
        }
        buf_printf(out, "# %.*s\n", (int)size, text);
        text += size;
        while (*text == ' ')
            text++;
    }
}

/* What values are allowed, and whether they can change; nothing when the doc says it all. */
static void print_range(struct buf *out, const struct config_option *o)
{
    bool fixed = o->change != CONFIG_RUNTIME;
    if (o->type->print_range != NULL) {
        buf_append_text(out, "# ");
        o->type->print_range(o, out);
        buf_append_text(out, fixed ? "; fixed once the server runs.\n" : ".\n");
    } else if (fixed) {
        buf_append_text(out, "# Fixed once the server runs.\n");
    }
}

static void print_option(struct buf *out, const struct config_option *o)
{
    const char *text = o->default_text;
    print_comment(out, o->doc);
    print_range(out, o);
    bool quoted = o->type->text && (text[0] == '\0' || strchr(text, ' ') != NULL);
    /* A secret has no default worth showing, and a line ready to be filled in invites one. */
    buf_printf(out, "%s%s ", o->type->secret ? "# " : "", o->name);
    buf_printf(out, quoted ? "\"%s\"\n\n" : "%s\n\n", text);
}

static void print_section(struct buf *out, const char *title)
{
    buf_printf(out, "## %s\n\n", title);
}

void config_print(struct buf *out)
{
    buf_append_text(
        out,
        "# vdb.conf: every option with its default. Start with `vdb-server vdb.conf`; options on\n"
        "# the command line, as in `vdb-server vdb.conf --port 7000`, override the file. Sizes\n"
        "# take units: 1k is 1000 bytes, 1kb is 1024, and so on with m, g and t.\n"
        "#\n"
        "# This file is written by `vdb-server --print-config`.\n\n");
    size_t index = 0;
#define SECTION(title) print_section(out, title);
#define OPTION(...) print_option(out, config_option_at(index++));
#include "conf/config.def"
#undef OPTION
#undef SECTION
    CHECK(index == config_option_count());
}
