/* The nesting of COMMAND DOCS: every reply_* below appends exactly the elements that the array or
 * map before it has announced, which is why counts are worked out first. */
#include "cmd/command_docs.h"

enum doc_flags { DOC_OPTIONAL = 1, DOC_MULTIPLE = 2 };

/* One argument, in the words of COMMAND DOCS. */
struct doc {
    struct slice name;
    const char *type;
    const char *token; /* the word before it; NULL: none */
    unsigned flags;
    size_t children; /* that follow, for oneof and block */
};

static void reply_flags(struct reply *r, unsigned flags)
{
    CHECK((flags & ~(unsigned)(DOC_OPTIONAL | DOC_MULTIPLE)) == 0);
    reply_text(r, "flags");
    reply_set(r, (flags & DOC_OPTIONAL ? 1u : 0u) + (flags & DOC_MULTIPLE ? 1u : 0u));
    if (flags & DOC_OPTIONAL)
        reply_simple(r, "optional");
    if (flags & DOC_MULTIPLE)
        reply_simple(r, "multiple");
}

/* Names are in small letters there, tokens as they are written. */
static void reply_lower(struct reply *r, struct slice name)
{
    struct buf text = BUF_INIT(MEM_CLIENT);
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.ptr[i];
        buf_append_byte(&text, c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c);
    }
    reply_gathered(r, &text);
    buf_fini(&text);
}

/* Announces the children without replying them: they are the caller's next calls. */
static void reply_doc(struct reply *r, const struct doc *d)
{
    CHECK(d->type != NULL && d->name.len > 0);
    bool is_key = strcmp(d->type, "key") == 0;
    reply_map(r, 2 + (is_key ? 1u : 0u) + (d->token != NULL ? 1u : 0u) + (d->flags != 0 ? 1u : 0u) +
                     (d->children > 0 ? 1u : 0u));
    reply_text(r, "name");
    reply_lower(r, d->name);
    reply_text(r, "type");
    reply_text(r, d->type);
    if (is_key) {
        reply_text(r, "key_spec_index");
        reply_int(r, 0);
    }
    if (d->token != NULL) {
        reply_text(r, "token");
        reply_text(r, d->token);
    }
    if (d->flags != 0)
        reply_flags(r, d->flags);
    if (d->children > 0) {
        reply_text(r, "arguments");
        reply_array(r, d->children);
    }
}

static void reply_plain(struct reply *r, const char *name, const char *type, const char *token,
                        unsigned flags)
{
    reply_doc(r, &(struct doc){slice_of(name), type, token, flags, 0});
}

/* Arguments that repeat: "key", or "parameter value", which repeat together. */
static void reply_repeated(struct reply *r, const struct command *c, const char *names,
                           unsigned flags)
{
    struct slice left = slice_of(names);
    size_t count = 1;
    for (size_t i = 0; i < left.len; i++)
        count += left.ptr[i] == ' ';
    flags |= DOC_MULTIPLE;
    if (count > 1)
        reply_doc(r, &(struct doc){slice_of("data"), "block", NULL, flags, count});
    for (size_t i = 0; i < count; i++) {
        const uint8_t *blank = memchr(left.ptr, ' ', left.len);
        size_t len = blank == NULL ? left.len : (size_t)(blank - left.ptr);
        struct slice name = {left.ptr, len};
        bool is_key = c->first_key > 0 && slice_eq(name, slice_of("key"));
        reply_doc(r,
                  &(struct doc){name, is_key ? "key" : "string", NULL, count > 1 ? 0 : flags, 0});
        left = (struct slice){left.ptr + len + 1, left.len - len - (blank != NULL)};
    }
    CHECK(left.len == 0); /* as many names as blanks said */
}

static void reply_examples(struct reply *r)
{
    reply_doc(r, &(struct doc){slice_of("examples"), "block", NULL, 0, 2});
    for (int negative = 0; negative < 2; negative++) {
        reply_doc(r, &(struct doc){slice_of(negative ? "negative" : "positive"), "block",
                                   negative ? "NEGATIVE" : "POSITIVE",
                                   negative ? DOC_OPTIONAL : 0, 2});
        reply_plain(r, "num", "integer", NULL, 0);
        reply_plain(r, "element", "string", NULL, DOC_MULTIPLE);
    }
}

/* The forms a vector comes in (args.h), as one choice. */
static void reply_vector(struct reply *r, const struct arg *arg)
{
    bool element = arg->min != VECTOR_ALONE, examples = arg->min == VECTOR_OR_EXAMPLES;
    size_t forms = TYPE_COUNT + 2u + element + examples;
    reply_doc(r, &(struct doc){slice_of(arg->name), "oneof", NULL, 0, forms});
    if (element)
        reply_plain(r, "element", "string", "ELE", 0);
    if (examples)
        reply_examples(r);
    for (int type = 0; type < TYPE_COUNT; type++)
        reply_plain(r, "blob", "string", type_name((enum vec_type)type), 0);
    reply_doc(r, &(struct doc){slice_of("values"), "block", "VALUES", 0, 2});
    reply_plain(r, "num", "integer", NULL, 0);
    reply_plain(r, "value", "double", NULL, DOC_MULTIPLE);
    reply_plain(r, "array", "string", "JSON", 0);
}

/* A count and so many of something. */
static void reply_counted(struct reply *r, const struct command *c, const struct arg *arg)
{
    unsigned flags = arg->word != NULL ? DOC_OPTIONAL : 0;
    reply_doc(r, &(struct doc){slice_of("list"), "block", arg->word, flags, 2});
    reply_plain(r, "count", "integer", NULL, 0);
    reply_repeated(r, c, arg->name, 0);
}

/* Options of which one may be given. Returns how many there are. */
static size_t reply_choices(struct reply *r, const struct arg *arg)
{
    size_t count = 1;
    while (arg[count].kind == ARG_CHOICE && arg[count].offset == arg->offset)
        count++;
    reply_doc(r, &(struct doc){slice_of("choice"), "oneof", NULL, DOC_OPTIONAL, count});
    for (size_t i = 0; i < count; i++)
        reply_plain(r, arg[i].word, "pure-token", arg[i].word, 0);
    return count;
}

/* Describes one argument; returns the one after it. */
static const struct arg *reply_arg(struct reply *r, const struct command *c, const struct arg *arg)
{
    switch (arg->kind) {
    case ARG_KEY:
        reply_plain(r, arg->name, "key", NULL, 0);
        break;
    case ARG_BULK:
        reply_plain(r, arg->name, "string", NULL, 0);
        break;
    case ARG_INT:
        reply_plain(r, arg->name, "integer", NULL, 0);
        break;
    case ARG_VECTOR:
        reply_vector(r, arg);
        break;
    case ARG_REST:
        reply_repeated(r, c, arg->name, arg->min == 0 ? DOC_OPTIONAL : 0);
        break;
    case ARG_COUNTED:
    case ARG_OPT_LIST:
    case ARG_OPT_PAIRS:
        reply_counted(r, c, arg);
        break;
    case ARG_OPT_REST:
        reply_doc(r, &(struct doc){slice_of(arg->word), "block", arg->word, DOC_OPTIONAL, 1});
        reply_repeated(r, c, arg->name, 0);
        break;
    case ARG_MAYBE:
        reply_plain(r, arg->name, "string", NULL, DOC_OPTIONAL);
        break;
    case ARG_FLAG:
        reply_plain(r, arg->name, "pure-token", arg->word, DOC_OPTIONAL);
        break;
    case ARG_CHOICE:
        return arg + reply_choices(r, arg);
    case ARG_OPT_BULK:
        reply_plain(r, arg->name, "string", arg->word, DOC_OPTIONAL);
        break;
    case ARG_OPT_INT:
        reply_plain(r, arg->name, "integer", arg->word, DOC_OPTIONAL);
        break;
    case ARG_OPT_FLOAT:
        reply_plain(r, arg->name, "double", arg->word, DOC_OPTIONAL);
        break;
    case ARG_END:
        CHECK(false);
    }
    return arg + 1;
}

/* Choices count as one. */
static size_t count_args(const struct command *c)
{
    size_t count = 0;
    const struct arg *arg = c->args();
    for (; arg->kind != ARG_END && !(c->flags & CMD_CONTAINER); arg++)
        count +=
            arg->kind != ARG_CHOICE || arg[1].kind != ARG_CHOICE || arg[1].offset != arg->offset;
    return count;
}

/* subs: how many subcommands the caller lists after the other fields; 0 leaves the field out. */
static void reply_fields(struct reply *r, const struct command *c, size_t subs)
{
    size_t args = count_args(c);
    reply_text(r, c->name);
    reply_map(r, 4 + (args > 0 ? 1u : 0u) + (subs > 0 ? 1u : 0u));
    reply_text(r, "summary");
    reply_text(r, c->summary);
    reply_text(r, "since");
    reply_text(r, c->since);
    reply_text(r, "group");
    reply_text(r, command_group_name(c->group));
    reply_text(r, "complexity");
    reply_text(r, c->complexity);
    if (args == 0)
        return;
    reply_text(r, "arguments");
    reply_array(r, args);
    for (const struct arg *arg = c->args(); arg->kind != ARG_END;)
        arg = reply_arg(r, c, arg);
}

void command_reply_docs(struct reply *r, const struct command *c)
{
    size_t subs = command_sub_count(c);
    reply_fields(r, c, subs);
    if (subs == 0)
        return;
    reply_text(r, "subcommands");
    reply_map(r, subs);
    for (size_t i = 0; i < subs; i++)
        reply_fields(r, c + 1 + i, 0);
}
