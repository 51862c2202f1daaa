/* import.c: vdb import, a file of vectors becomes a collection. */
#include <stdbool.h>
#include <string.h>

#include "tool/command.h"
#include "tool/load.h"
#include "vec/type.h"

/* What the command line says. */
struct settings {
    struct client_address address;
    const char *key;
    const char *ids;
    const char *attrs;
    const char *create;
    const char *options;
    uint32_t format;
    uint32_t metric;
    uint32_t type;
    uint32_t scale;
    uint32_t command;
    uint32_t batch;
    uint32_t limit;
    uint32_t skip_errors;
    const char *state;
    bool anew;
    uint32_t checkpoint;
    uint32_t wait;
    bool help;
};

#define METRIC_WORDS "COSINE|L2|IP|HAMMING|JACCARD"
enum { METRIC_UNSET = METRIC_COUNT, CHECKPOINT_S = 3, WAIT_S = 60, PATH_MAX_SIZE = 4096 };

#define FIELD(name) offsetof(struct settings, name)
static const struct option import_options[] = {
    {"key", OPTION_TEXT, "NAME", "the collection to fill (required)", FIELD(key), 0, 0},
    {"ids", OPTION_TEXT, "FILE", "an id per line; else the file's own, else 0, 1, 2 ...",
     FIELD(ids), 0, 0},
    {"attrs", OPTION_TEXT, "FILE", "a JSON object per line: the attributes of the elements",
     FIELD(attrs), 0, 0},
    {"format", OPTION_CHOICE, FORMAT_WORDS, "when the file's ending does not say it", FIELD(format),
     0, 0},
    {"metric", OPTION_CHOICE, METRIC_WORDS, "distance of a new collection (COSINE)", FIELD(metric),
     0, 0},
    {"type", OPTION_CHOICE, "FP32|FP16|BF16|INT8|BIT",
     "how a new collection keeps vectors (FP32)", FIELD(type), 0, 0},
    {"scale", OPTION_NUMBER, "N", "multiply by N and round, as INT8 wants integers", FIELD(scale),
     1, 1000000},
    {"create", OPTION_TEXT, "WORDS", "more options for VCREATE, as \"QUANT NONE M 32\"",
     FIELD(create), 0, 0},
    {"command", OPTION_CHOICE, "VMADD|VADD", "VADD loads into any Redis 8 vector set (VMADD)",
     FIELD(command), 0, 0},
    {"options", OPTION_TEXT, "WORDS", "more options for every VADD, as \"NOQUANT M 32\"",
     FIELD(options), 0, 0},
    {"batch", OPTION_NUMBER, "N", "elements sent together (512)", FIELD(batch), 1, LOAD_BATCH_MAX},
    {"limit", OPTION_NUMBER, "N", "import only the first N", FIELD(limit), 1, UINT32_MAX},
    {"skip-errors", OPTION_NUMBER, "N", "pass over N lines that cannot be read (0)",
     FIELD(skip_errors), 0, UINT32_MAX},
    {"state", OPTION_TEXT, "FILE", "notes how far it is (the input's name and .import)",
     FIELD(state), 0, 0},
    {"checkpoint", OPTION_NUMBER, "S", "notes what was answered S seconds before (3)",
     FIELD(checkpoint), 0, 3600},
    {"anew", OPTION_FLAG, "", "begins with the first row, whatever was noted", FIELD(anew), 0, 0},
    {"wait", OPTION_NUMBER, "S", "waits for a server that goes away meanwhile (60)", FIELD(wait), 0,
     86400},
    CLIENT_OPTIONS(struct settings, address),
    {"help", OPTION_FLAG, "", "this text", FIELD(help), 0, 0},
};

static void print_help(void)
{
    (void)printf(
        "usage: vdb import FILE --key NAME [options]\n"
        "\n"
        "Sends the vectors of FILE to a collection, which is created when it is not there.\n"
        "FILE is fbin, fvecs, npy (float32, float64), or jsonl: one JSON object a line, with\n"
        "\"vector\", \"id\", \"attributes\" and \"expires_at_ms\"; other members count as\n"
        "attributes. What vdb export writes is read.\n"
        "\n"
        "An import that was interrupted goes on where it stopped when it is run again; how far\n"
        "it is stands in a file beside the input. When the server goes away it waits for it.\n"
        "\n");
    options_print(stdout, import_options, COUNT_OF(import_options));
    (void)printf("\n"
                 "examples:\n"
                 "  vdb import words.fbin --key words --ids words.ids\n"
                 "  vdb import docs.jsonl --key docs --metric L2 --create \"INDEX HNSW M 32\"\n"
                 "  vdb import base.npy --key base --command VADD --port 6380\n"
                 "  vdb import units.fbin --key small --type INT8 --scale 127\n"
                 "\n"
                 "exit status: 0 all is in, 1 something failed or was refused, 2 wrong usage\n");
}

static enum err check_settings(struct settings *set, const char *path, struct why *why)
{
    if (path == NULL)
        return why_set(why, ERR_ARG, "which FILE shall be imported?");
    if (set->key == NULL)
        return why_set(why, ERR_ARG, "--key NAME is missing: the collection to fill");
    if (set->format == FORMAT_COUNT)
        set->format = format_of_path(path);
    if (set->format == FORMAT_COUNT)
        return why_set(why, ERR_ARG,
                       "%.100s: the ending is none of " FORMAT_WORDS "; say which with --format",
                       path);
    if (set->skip_errors > 0 && (set->ids != NULL || set->attrs != NULL))
        return why_set(why, ERR_ARG,
                       "--skip-errors goes with files that hold ids and attributes themselves");
    if (set->command == LOAD_VADD && (set->create != NULL || set->metric != METRIC_UNSET ||
                                        set->type != TYPE_COUNT))
        return why_set(why, ERR_ARG,
                       "--create, --metric and --type are for VCREATE, which --command VADD "
                       "does not send");
    if (set->command == LOAD_VMADD && set->options != NULL)
        return why_set(why, ERR_ARG, "--options is for --command VADD; use --create");
    return OK;
}

int import_main(int argc, char **argv)
{
    struct settings set = {.address = CLIENT_ADDRESS_DEFAULT,
                           .format = FORMAT_COUNT,
                           .metric = METRIC_UNSET,
                           .type = TYPE_COUNT,
                           .batch = LOAD_BATCH_DEFAULT,
                           .limit = UINT32_MAX,
                           .checkpoint = CHECKPOINT_S,
                           .wait = WAIT_S};
    const char *path = NULL;
    const struct option_table table = {import_options, COUNT_OF(import_options), &path, 1};
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
        return say_usage("import", &why);

    char state[PATH_MAX_SIZE];
    if (snprintf(state, sizeof(state), "%s.import", path) >= (int)sizeof(state)) {
        e = why_set(&why, ERR_ARG, "the name of the file is too long");
        CHECK(e == ERR_ARG);
        return say_usage("import", &why);
    }
    struct load_result result;
    const struct load_job job = {
        .address = set.address,
        .key = set.key,
        .path = path,
        .format = (enum format)set.format,
        .ids_path = set.ids,
        .attrs_path = set.attrs,
        .metric = set.metric == METRIC_UNSET ? NULL : metric_name((enum metric)set.metric),
        .type = set.type == TYPE_COUNT ? NULL : type_name((enum vec_type)set.type),
        .scale = set.scale,
        .create = set.create,
        .add_options = set.options,
        .command = (enum load_command)set.command,
        .batch_size = set.batch,
        .limit = set.limit,
        .bad_max = set.skip_errors,
        .state_path = set.state != NULL ? set.state : state,
        .anew = set.anew,
        .delay_s = set.checkpoint,
        .wait_s = set.wait};
    e = load_run(&job, stderr, &result, &why);
    if (e == OK || result.added + result.replaced > 0)
        load_print(stdout, set.key, &result);
    if (e != OK)
        return say_failure("import", &why);
    return result.refused + result.bad > 0 ? EXIT_FAILED : EXIT_DONE;
}
