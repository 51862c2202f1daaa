/* HELP of containers and the usage of a command, both written from the table of arguments, so that
 * neither can differ from what the parser takes. */
#include "cmd/help.h"

#include <stdio.h>

/* Cut to size - 1 letters; ends with a NUL. */
static void upper_case(char *to, size_t size, struct slice name)
{
    CHECK(size > 0);
    size_t n = name.len < size - 1 ? name.len : size - 1;
    for (size_t i = 0; i < n; i++)
        to[i] = (char)(name.ptr[i] >= 'a' && name.ptr[i] <= 'z' ? name.ptr[i] - 32 : name.ptr[i]);
    to[n] = '\0';
}

/* The forms of args.h; ELE and POSITIVE where min says so. */
static void print_vector(const struct arg *arg, struct buf *out)
{
    buf_append_text(out, arg->min == VECTOR_ALONE ? "(" : "(ELE <element> | ");
    if (arg->min == VECTOR_OR_EXAMPLES)
        buf_append_text(out, "POSITIVE <n> <element> ... [NEGATIVE <n> <element> ...] | ");
    buf_append_text(out, "FP32 <blob> | VALUES <n> <value> ... | JSON <array>)");
}

/* What one argument looks like; the choices that belong together are one. Returns the next. */
static const struct arg *print_arg(const struct arg *arg, struct buf *out)
{
    switch (arg->kind) {
    case ARG_KEY:
    case ARG_BULK:
    case ARG_INT:
        buf_printf(out, "<%s>", arg->name);
        break;
    case ARG_VECTOR:
        print_vector(arg, out);
        break;
    case ARG_REST:
        if (arg->min > 0)
            buf_printf(out, "<%s> ", arg->name);
        buf_printf(out, "[<%s> ...]", arg->name);
        break;
    case ARG_COUNTED:
        buf_printf(out, "<count> <%s> [<%s> ...]", arg->name, arg->name);
        break;
    case ARG_MAYBE:
        buf_printf(out, "[<%s>]", arg->name);
        break;
    case ARG_FLAG:
        buf_printf(out, "[%s]", arg->word);
        break;
    case ARG_CHOICE:
        buf_printf(out, "[%s", arg->word);
        for (; arg[1].kind == ARG_CHOICE && arg[1].offset == arg->offset; arg++)
            buf_printf(out, "|%s", arg[1].word);
        buf_append_text(out, "]");
        break;
    case ARG_OPT_BULK:
    case ARG_OPT_INT:
    case ARG_OPT_FLOAT:
        buf_printf(out, "[%s <%s>]", arg->word, arg->name);
        break;
    case ARG_OPT_LIST:
    case ARG_OPT_PAIRS:
        buf_printf(out, "[%s <count> <%s> ...]", arg->word, arg->name);
        break;
    case ARG_OPT_REST:
        buf_printf(out, "[%s <%s> ...]", arg->word, arg->name);
        break;
    case ARG_END:
        CHECK(false);
    }
    return arg + 1;
}

void help_usage(const struct command *command, struct buf *out)
{
    for (const struct arg *arg = command->args(); arg->kind != ARG_END;) {
        if (out->len > 0)
            buf_append_byte(out, ' ');
        arg = print_arg(arg, out);
    }
}

/* Replies the line and empties it for the next; keeps its memory. */
static void reply_line(struct reply *r, struct buf *line)
{
    buf_append_byte(line, '\0');
    if (buf_failed(line))
        r->out->failed = true; /* the reply has no place for an error */
    else
        reply_simple(r, (const char *)line->ptr);
    buf_clear(line, SIZE_MAX);
}

void help_run(struct request *rq)
{
    const struct command *container = command_find(rq->argv[0]);
    CHECK(container != NULL && (container->flags & CMD_CONTAINER));
    size_t count = command_sub_count(container);
    char name[64];
    upper_case(name, sizeof(name), slice_of(container->name));
    struct buf line = BUF_INIT(MEM_CLIENT);
    reply_array(&rq->reply, 1 + 2 * count);
    buf_printf(&line, "%s <subcommand> [<arg> [value] [opt] ...]. Subcommands are:", name);
    reply_line(&rq->reply, &line);
    for (size_t i = 1; i <= count; i++) {
        const struct command *c = container + i;
        upper_case(name, sizeof(name), slice_of(c->name + strlen(container->name) + 1));
        buf_append_text(&line, name);
        help_usage(c, &line);
        reply_line(&rq->reply, &line);
        buf_printf(&line, "    %s", c->summary);
        reply_line(&rq->reply, &line);
    }
    buf_fini(&line);
}

void help_reply_unknown(struct request *rq)
{
    CHECK(rq->argc >= 2 && (rq->command->flags & CMD_CONTAINER));
    struct slice word = rq->argv[1];
    char name[64];
    upper_case(name, sizeof(name), slice_of(rq->command->name));
    reply_errorf(&rq->reply, "ERR unknown subcommand '%.*s'. Try %s HELP.",
                 (int)(word.len < 128 ? word.len : 128), (const char *)word.ptr, name);
}

void help_reply_wrong_count(struct request *rq)
{
    const char *bar = strchr(rq->command->name, '|');
    CHECK(bar != NULL && rq->argc >= 2);
    struct slice word = rq->argv[1];
    char name[64];
    upper_case(name, sizeof(name),
               (struct slice){(const uint8_t *)rq->command->name,
                              (size_t)(bar - rq->command->name)});
    reply_errorf(&rq->reply,
                 "ERR unknown subcommand or wrong number of arguments for '%.*s'. Try %s HELP.",
                 (int)(word.len < 128 ? word.len : 128), (const char *)word.ptr, name);
}
