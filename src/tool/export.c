/* export.c: vdb export, a collection becomes a file, while the server goes on serving.
 *
 * VSCAN gives the ids, VGET what they stand for; of each batch the next ids are asked for together
 * with the elements of the last ones, so that the server always has something to do. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tool/client.h"
#include "tool/command.h"
#include "tool/progress.h"
#include "tool/sink.h"
#include "tool/texts.h"

enum {
    BATCH_DEFAULT = 512,
    BATCH_MAX = 100000,
    REPLY_FLOATS = 128 * 1024, /* of a batch: what the server's loop copies at once */
    ROW_PARTS = 5,             /* id, attribute, vector, time left, partition */
    CURSOR_MAX = 32
};

/* What the command line says. */
struct settings {
    struct client_address address;
    const char *key;
    const char *ids;
    const char *attrs;
    uint32_t format;
    uint32_t batch;
    bool help;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option export_options[] = {
    {"key", OPTION_TEXT, "NAME", "the collection (required)", FIELD(key), 0, 0},
    {"format", OPTION_CHOICE, "fbin|jsonl", "when the file's ending does not say it", FIELD(format),
     0, 0},
    {"ids", OPTION_TEXT, "FILE", "fbin: the ids, one a line", FIELD(ids), 0, 0},
    {"attrs", OPTION_TEXT, "FILE", "fbin: the attributes, one a line", FIELD(attrs), 0, 0},
    {"batch", OPTION_NUMBER, "N", "elements asked for together (512)", FIELD(batch), 1, BATCH_MAX},
    CLIENT_OPTIONS(struct settings, address),
    {"help", OPTION_FLAG, "", "this text", FIELD(help), 0, 0},
};

/* owner: export_main */
struct exporter {
    const struct settings *settings;
    const char *path;
    struct client client;
    struct sink sink;
    struct texts ids;
    struct buf vector; /* aligned for floats */
    char cursor[CURSOR_MAX];
    bool raw;          /* vectors come as floats, not as numbers: the collection keeps floats */
    uint64_t clock_ms; /* of the server, a moment ago */
    uint64_t total;    /* elements when it began */
    struct progress progress;
};

static void print_help(void)
{
    (void)printf(
        "usage: vdb export FILE --key NAME [options]\n"
        "\n"
        "Writes the elements of a collection, or of a vector set: ids, vectors, attributes,\n"
        "partitions and when they expire, as vdb import reads them. FILE is jsonl, or fbin, which "
        "holds the\n"
        "vectors alone; - is the standard output. The server goes on serving: what is there all\n"
        "the while is in the file, what comes or goes meanwhile may be or not, and an element\n"
        "is as it was at one moment. One that was replaced may be there twice: the last counts.\n"
        "\n");
    options_print(stdout, export_options, COUNT_OF(export_options));
    (void)printf("\n"
                 "examples:\n"
                 "  vdb export docs.jsonl --key docs\n"
                 "  vdb export words.fbin --key words --ids words.ids\n"
                 "  vdb export - --key docs | zstd > docs.jsonl.zst\n"
                 "\n"
                 "exit status: 0 all is out, 1 something failed, 2 wrong usage\n");
}

static enum err check_settings(struct settings *set, const char *path, struct why *why)
{
    if (path == NULL)
        return why_set(why, ERR_ARG, "which FILE shall be written? (-: standard output)");
    if (set->key == NULL)
        return why_set(why, ERR_ARG, "--key NAME is missing: the collection to export");
    bool is_stdout = strcmp(path, "-") == 0;
    enum format named = is_stdout ? FORMAT_JSONL : format_of_path(path);
    set->format = set->format == 0 ? FORMAT_FBIN : set->format == 1 ? FORMAT_JSONL : named;
    if (set->format != FORMAT_JSONL && set->format != FORMAT_FBIN)
        return why_set(why, ERR_ARG, "%.100s: say --format jsonl or --format fbin", path);
    if (is_stdout && set->format == FORMAT_FBIN)
        return why_set(why, ERR_ARG, "fbin begins with a count: it needs a file");
    if (set->format == FORMAT_JSONL && (set->ids != NULL || set->attrs != NULL))
        return why_set(why, ERR_ARG, "--ids and --attrs are for fbin; jsonl holds both itself");
    return OK;
}

/* -- asking ------------------------------------------------------------------------------------ */

/* An integer that a command with the key alone answers. */
static enum err ask_number(struct exporter *x, const char *command, uint64_t *out, struct why *why)
{
    redisReply *reply;
    client_begin(&x->client, 2);
    client_arg_text(&x->client, command);
    client_arg_text(&x->client, x->settings->key);
    enum err e = client_call(&x->client, &reply, why);
    if (e != OK)
        return e;
    if (reply->type == REDIS_REPLY_INTEGER && reply->integer >= 0)
        *out = (uint64_t)reply->integer;
    else
        e = why_set(why, ERR_PROTOCOL, "%s was not answered by a number", command);
    freeReplyObject(reply);
    return e;
}

/* Those made by VADD have no type, and keep floats. */
static enum err ask_type(struct exporter *x, struct why *why)
{
    redisReply *reply;
    client_begin(&x->client, 2);
    client_arg_text(&x->client, "VINFO");
    client_arg_text(&x->client, x->settings->key);
    enum err e = client_call(&x->client, &reply, why);
    if (e != OK)
        return e;
    x->raw = true;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
        const redisReply *name = reply->element[i], *value = reply->element[i + 1];
        if (name->str != NULL && strcmp(name->str, "type") == 0 && value->str != NULL)
            x->raw = strcmp(value->str, "FP32") == 0;
    }
    freeReplyObject(reply);
    return OK;
}

static size_t batch_of(const struct exporter *x)
{
    size_t most = REPLY_FLOATS / x->sink.dim + 1;
    return most < x->settings->batch ? most : x->settings->batch;
}

static void send_scan(struct exporter *x)
{
    client_begin(&x->client, 5);
    client_arg_text(&x->client, "VSCAN");
    client_arg_text(&x->client, x->settings->key);
    client_arg_text(&x->client, x->cursor);
    client_arg_text(&x->client, "COUNT");
    client_arg_number(&x->client, batch_of(x));
    client_send(&x->client);
}

/* TIME, since what VGET says is how long elements still live. */
static void send_get(struct exporter *x)
{
    size_t count = texts_count(&x->ids);
    client_begin(&x->client, 1);
    client_arg_text(&x->client, "TIME");
    client_send(&x->client);
    client_begin(&x->client, (x->raw ? 7 : 6) + count);
    client_arg_text(&x->client, "VGET");
    client_arg_text(&x->client, x->settings->key);
    client_arg_number(&x->client, count);
    for (size_t i = 0; i < count; i++)
        client_arg(&x->client, texts_at(&x->ids, i));
    client_arg_text(&x->client, "WITHVECTORS");
    if (x->raw)
        client_arg_text(&x->client, "RAW");
    client_arg_text(&x->client, "WITHTTL");
    client_arg_text(&x->client, "WITHPARTITION");
    client_send(&x->client);
}

static struct slice text_of(const redisReply *r)
{
    return (struct slice){(const uint8_t *)r->str, r->len};
}

/* The reply of VSCAN: a cursor, and ids. */
static enum err take_ids(struct exporter *x, const redisReply *r, struct why *why)
{
    texts_clear(&x->ids);
    if (r->type == REDIS_REPLY_ERROR)
        return why_set(why, ERR_ARG, "%s", r->str);
    if (r->type != REDIS_REPLY_ARRAY || r->elements != 2 ||
        r->element[0]->type != REDIS_REPLY_STRING || r->element[0]->len >= CURSOR_MAX)
        return why_set(why, ERR_PROTOCOL, "VSCAN was answered by something else");
    memcpy(x->cursor, r->element[0]->str, r->element[0]->len + 1);
    const redisReply *ids = r->element[1];
    for (size_t i = 0; i < ids->elements; i++)
        texts_add(&x->ids, text_of(ids->element[i]));
    return texts_failed(&x->ids) ? why_set(why, ERR_NOMEM, "no memory for ids") : OK;
}

static enum err take_time(struct exporter *x, const redisReply *r, struct why *why)
{
    if (r->type != REDIS_REPLY_ARRAY || r->elements != 2)
        return why_set(why, ERR_PROTOCOL, "TIME was answered by something else");
    x->clock_ms = strtoull(r->element[0]->str, NULL, 10) * 1000 +
                  strtoull(r->element[1]->str, NULL, 10) / 1000;
    return OK;
}

/* Into x->vector. */
static enum err take_vector(struct exporter *x, const redisReply *r, struct why *why)
{
    buf_clear(&x->vector, SIZE_MAX);
    if (x->raw)
        buf_append_slice(&x->vector, text_of(r));
    for (size_t i = 0; !x->raw && r->type == REDIS_REPLY_ARRAY && i < r->elements; i++) {
        float value = r->element[i]->str == NULL ? 0 : strtof(r->element[i]->str, NULL);
        buf_append(&x->vector, &value, sizeof(value));
    }
    if (buf_failed(&x->vector))
        return why_set(why, ERR_NOMEM, "no memory for a vector");
    if (x->vector.len != x->sink.dim * sizeof(float))
        return why_set(why, ERR_PROTOCOL, "a vector of %zu bytes for %u dimensions", x->vector.len,
                       x->sink.dim);
    return OK;
}

static enum err take_element(struct exporter *x, const redisReply *r, struct why *why)
{
    if (r->type == REDIS_REPLY_NIL)
        return OK; /* it has gone since VSCAN saw it */
    if (r->type != REDIS_REPLY_ARRAY || r->elements != ROW_PARTS)
        return why_set(why, ERR_PROTOCOL, "VGET was answered by something else");
    enum err e = take_vector(x, r->element[2], why);
    if (e != OK)
        return e;
    long long left_ms = r->element[3]->type == REDIS_REPLY_INTEGER ? r->element[3]->integer : -1;
    struct row row = {.vector = (const float *)(const void *)x->vector.ptr,
                      .id = text_of(r->element[0])};
    if (r->element[1]->type == REDIS_REPLY_STRING)
        row.attributes = text_of(r->element[1]);
    struct slice partition = text_of(r->element[4]);
    if (!slice_eq(partition, slice_of("_default")))
        row.partition = partition;
    if (left_ms >= 0)
        row.expire_ms = x->clock_ms + (uint64_t)left_ms;
    return sink_add(&x->sink, &row, why);
}

static enum err take_elements(struct exporter *x, const redisReply *r, struct why *why)
{
    if (r->type == REDIS_REPLY_ERROR)
        return why_set(why, ERR_ARG, "%s", r->str);
    if (r->type != REDIS_REPLY_ARRAY)
        return why_set(why, ERR_PROTOCOL, "VGET was answered by something else");
    enum err e = OK;
    for (size_t i = 0; i < r->elements && e == OK; i++)
        e = take_element(x, r->element[i], why);
    return e;
}

typedef enum err (*take_fn)(struct exporter *x, const redisReply *r, struct why *why);

static enum err receive(struct exporter *x, take_fn take, struct why *why)
{
    redisReply *reply;
    enum err e = client_reply(&x->client, &reply, why);
    if (e != OK)
        return e;
    e = take(x, reply, why);
    freeReplyObject(reply);
    return e;
}

/* -- all of it --------------------------------------------------------------------------------- */

static enum err write_all(struct exporter *x, struct why *why)
{
    (void)snprintf(x->cursor, sizeof(x->cursor), "0");
    send_scan(x);
    enum err e = receive(x, take_ids, why);
    for (bool more = true; e == OK && more;) {
        bool get = texts_count(&x->ids) > 0;
        more = strcmp(x->cursor, "0") != 0;
        if (get)
            send_get(x);
        if (more)
            send_scan(x);
        if (get)
            e = receive(x, take_time, why);
        if (e == OK && get)
            e = receive(x, take_elements, why);
        if (e == OK && more)
            e = receive(x, take_ids, why);
        progress_update(&x->progress, x->sink.count,
                        x->total == 0 ? 1 : (double)x->sink.count / (double)x->total);
    }
    return e;
}

static enum err export_all(struct exporter *x, struct why *why)
{
    const struct settings *set = x->settings;
    uint64_t dim = 0;
    enum err e = client_open(&x->client, &set->address, why);
    if (e != OK)
        return e;
    e = ask_number(x, "VDIM", &dim, why);
    if (e == OK)
        e = ask_number(x, "VCARD", &x->total, why);
    if (e == OK)
        e = ask_type(x, why);
    if (e == OK)
        e = sink_open(&x->sink, x->path, (enum format)set->format, (uint32_t)dim, set->ids,
                      set->attrs, why);
    if (e == OK) {
        progress_start(&x->progress, stderr, set->key);
        e = write_all(x, why);
        progress_end(&x->progress);
        if (e == OK)
            e = sink_finish(&x->sink, why);
        sink_close(&x->sink);
    }
    client_close(&x->client);
    return e;
}

static void print_result(const struct exporter *x)
{
    char count[COUNT_TEXT_MAX], rate[COUNT_TEXT_MAX];
    double seconds = clock_s() - x->progress.start_s;
    (void)fprintf(stderr, "%s: %s elements of %u dimensions in %.1f s: %s elements/s\n",
                  x->settings->key, count_text(x->sink.count, count), x->sink.dim, seconds,
                  count_text((uint64_t)((double)x->sink.count / (seconds + 1e-9)), rate));
}

int export_main(int argc, char **argv)
{
    struct settings set = {
        .address = CLIENT_ADDRESS_DEFAULT, .format = FORMAT_COUNT, .batch = BATCH_DEFAULT};
    const char *path = NULL;
    const struct option_table table = {export_options, COUNT_OF(export_options), &path, 1};
    struct why why = {""};
    size_t operands;
    enum err e = options_parse(&table, argc, argv, &set, &operands, &why);
    if (e == OK && set.help) {
        print_help();
        return EXIT_DONE;
    }
    if (e == OK)
        e = check_settings(&set, path, &why);
    if (e != OK)
        return say_usage("export", &why);
    struct exporter x = {.settings = &set, .path = path, .vector = BUF_INIT(MEM_CLIENT)};
    texts_init(&x.ids);
    e = export_all(&x, &why);
    texts_fini(&x.ids);
    buf_fini(&x.vector);
    if (e != OK)
        return say_failure("export", &why);
    print_result(&x);
    return EXIT_DONE;
}
