/* bench.c: vdb bench, how good and how fast are the answers of a server? */
#include <stdbool.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "tool/command.h"
#include "tool/linked.h"
#include "tool/load.h"
#include "tool/progress.h"
#include "tool/report.h"
#include "tool/search.h"
#include "tool/truth.h"

enum { SAMPLES_DEFAULT = 200, K_DEFAULT = 10, SECONDS_DEFAULT = 2, CLIENTS_MAX = 256 };

/* What the command line says. */
struct settings {
    struct client_address address;
    const char *key;
    const char *dataset;
    const char *ids;
    const char *queries;
    const char *groundtruth;
    const char *create;
    const char *load_options;
    const char *search_options;
    struct number_list efs;
    struct number_list clients;
    uint32_t samples;
    uint32_t query_limit;
    uint32_t command;
    uint32_t metric;
    uint32_t k;
    uint32_t seconds;
    uint32_t batch;
    bool load;
    bool wait;
    bool json;
    bool help;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option bench_options[] = {
    {"key", OPTION_TEXT, "NAME", "the collection to search (required)", FIELD(key), 0, 0},
    {"queries", OPTION_TEXT, "FILE", "query vectors; else elements of the collection",
     FIELD(queries), 0, 0},
    {"samples", OPTION_NUMBER, "N", "without --queries: how many elements (200)", FIELD(samples), 1,
     LIMIT_MANY},
    {"max-queries", OPTION_NUMBER, "N", "use only the first N queries", FIELD(query_limit), 1,
     UINT32_MAX},
    {"groundtruth", OPTION_TEXT, "FILE", "ibin: the exact neighbours of the queries",
     FIELD(groundtruth), 0, 0},
    {"dataset", OPTION_TEXT, "FILE", "the vectors: exact neighbours are computed from them",
     FIELD(dataset), 0, 0},
    {"metric", OPTION_CHOICE, "COSINE|L2|IP|HAMMING|JACCARD", "distance for --dataset (COSINE)",
     FIELD(metric), 0, 0},
    {"ids", OPTION_TEXT, "FILE", "an id per line of --dataset; else 0, 1, 2 ...", FIELD(ids), 0, 0},
    {"command", OPTION_CHOICE, "VSEARCH|VSIM", "VSIM works with Redis 8 too (VSEARCH)",
     FIELD(command), 0, 0},
    {"ef", OPTION_LIST, "N,N...", "efforts to try (the server's default)", FIELD(efs), 1, LIMIT_EF},
    {"k", OPTION_NUMBER, "N", "neighbours asked for (10)", FIELD(k), 1, 10000},
    {"clients", OPTION_LIST, "N,N...", "connections searching at once (1)", FIELD(clients), 1,
     CLIENTS_MAX},
    {"seconds", OPTION_NUMBER, "N", "at least so long, at least all queries once (2)",
     FIELD(seconds), 0, 3600},
    {"options", OPTION_TEXT, "WORDS", "more words for every search, as \"FILTER .year>1990\"",
     FIELD(search_options), 0, 0},
    {"load", OPTION_FLAG, "", "first send --dataset to the collection", FIELD(load), 0, 0},
    {"wait", OPTION_FLAG, "", "begin when every element is linked (always so with --load)",
     FIELD(wait), 0, 0},
    {"create", OPTION_TEXT, "WORDS", "with --load: more options for VCREATE", FIELD(create), 0, 0},
    {"load-options", OPTION_TEXT, "WORDS", "with --load and VSIM: more options for VADD",
     FIELD(load_options), 0, 0},
    {"batch", OPTION_NUMBER, "N", "with --load: elements sent together (512)", FIELD(batch), 1,
     LOAD_BATCH_MAX},
    {"json", OPTION_FLAG, "", "print JSON instead of a table", FIELD(json), 0, 0},
    CLIENT_OPTIONS(struct settings, address),
    {"help", OPTION_FLAG, "", "this text", FIELD(help), 0, 0},
};

static void print_help(void)
{
    (void)printf(
        "usage: vdb bench --key NAME [options]\n"
        "\n"
        "Searches a collection and prints, for every effort (EF) and number of clients: the "
        "recall\n"
        "(share of the k exact neighbours that were found), searches per second and latency.\n"
        "\n"
        "The exact neighbours are read from --groundtruth, or computed from --dataset, or asked\n"
        "from the server (VSEARCH ... EXACT, VSIM ... TRUTH). Files: fbin, fvecs, npy, jsonl.\n"
        "\n");
    options_print(stdout, bench_options, COUNT_OF(bench_options));
    (void)printf(
        "\n"
        "examples:\n"
        "  vdb bench --key words --ef 50,100,200 --clients 1,8\n"
        "  vdb bench --key v --dataset base.fbin --load --queries q.fbin --metric L2\n"
        "  vdb bench --key v --dataset base.fbin --load --queries q.fbin --command VSIM \\\n"
        "            --port 6380 --json\n"
        "\n"
        "exit status: 0 measured, 1 something failed, 2 wrong usage\n");
}

static enum err check_settings(struct settings *set, struct why *why)
{
    if (set->key == NULL)
        return why_set(why, ERR_ARG, "--key NAME is missing: the collection to search");
    if (set->queries == NULL && set->groundtruth != NULL)
        return why_set(why, ERR_ARG, "--groundtruth is for the --queries it was made from");
    if (set->load && set->dataset == NULL)
        return why_set(why, ERR_ARG, "--load needs --dataset FILE");
    if (set->ids != NULL && set->dataset == NULL)
        return why_set(why, ERR_ARG, "--ids needs the --dataset it names the rows of");
    if (set->efs.count == 0)
        set->efs = (struct number_list){{SEARCH_EF_DEFAULT}, 1};
    if (set->clients.count == 0)
        set->clients = (struct number_list){{1}, 1};
    return OK;
}

/* Everything a run needs. owner: bench_main */
struct bench {
    struct settings set;
    struct client client;
    struct matrix queries;
    struct texts elements;
    struct texts neighbours;
    struct search_set searches;
    struct report report;
};

static enum err load_dataset(struct bench *b, struct why *why)
{
    const struct settings *set = &b->set;
    bool is_vsim = set->command == SEARCH_VSIM;
    struct load_result loaded;
    const struct load_job job = {
        .address = set->address,
        .key = set->key,
        .path = set->dataset,
        .format = format_of_path(set->dataset),
        .ids_path = set->ids,
        .metric = metric_name((enum metric)set->metric),
        .create = set->create,
        .add_options = set->load_options,
        .command = is_vsim ? LOAD_VADD : LOAD_VMADD,
        .batch_size = set->batch,
        .limit = UINT32_MAX,
    };
    if (job.format == FORMAT_COUNT)
        return why_set(why, ERR_ARG, "%.150s: the ending is none of " FORMAT_WORDS, job.path);
    enum err e = load_run(&job, stderr, &loaded, why);
    if (e == OK && loaded.refused > 0)
        e = why_set(why, ERR_ARG, "%llu elements were refused", (unsigned long long)loaded.refused);
    if (e == OK)
        report_load(&b->report, &loaded);
    return e;
}

/* VRANDMEMBER key n: distinct elements, as many as there are. */
static enum err draw_elements(struct bench *b, struct why *why)
{
    redisReply *reply;
    client_begin(&b->client, 3);
    client_arg_text(&b->client, "VRANDMEMBER");
    client_arg_text(&b->client, b->set.key);
    client_arg_number(&b->client, b->set.samples);
    enum err e = client_call(&b->client, &reply, why);
    if (e != OK)
        return e;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++) {
        const redisReply *element = reply->element[i];
        texts_add(&b->elements,
                  (struct slice){(const uint8_t *)element->str, (size_t)element->len});
    }
    freeReplyObject(reply);
    if (texts_count(&b->elements) == 0)
        return why_set(why, ERR_NOT_FOUND, "the collection %.100s has no elements", b->set.key);
    return OK;
}

/* Row numbers become ids: line by line of --ids, or the numbers themselves, as vdb import does. */
static enum err name_neighbours(struct bench *b, const struct truth *truth, struct why *why)
{
    struct lines lines;
    struct texts names;
    enum err e = OK;
    lines_init(&lines);
    texts_init(&names);
    if (b->set.ids != NULL)
        e = lines_open(&lines, b->set.ids, why);
    while (e == OK && b->set.ids != NULL && lines_left(&lines)) {
        struct slice line;
        e = lines_next(&lines, &line, why);
        if (e == OK)
            texts_add(&names, line);
    }
    for (uint64_t i = 0; e == OK && i < truth->query_count * truth->k; i++) {
        char number[16];
        uint32_t row = truth->rows[i];
        (void)snprintf(number, sizeof(number), "%u", row);
        if (b->set.ids == NULL)
            texts_add(&b->neighbours, slice_of(number));
        else if (row < texts_count(&names))
            texts_add(&b->neighbours, texts_at(&names, row));
        else
            e = why_set(why, ERR_ARG, "%.150s: has no line for row %u", b->set.ids, row);
    }
    texts_fini(&names);
    lines_close(&lines);
    return e;
}

static enum err compute_truth(struct bench *b, struct truth *truth, struct why *why)
{
    struct matrix base;
    enum err e = matrix_load(&base, b->set.dataset, UINT32_MAX, why);
    if (e != OK)
        return e;
    double start_s = clock_s();
    /* Between zeros and ones, the squared distance is the number of those that differ. */
    enum metric metric = (enum metric)b->set.metric;
    e = truth_compute(truth, &base, &b->queries, metric == METRIC_HAMMING ? METRIC_L2 : metric,
                      b->set.k, why);
    if (e == OK)
        (void)fprintf(stderr, "exact neighbours of %llu queries computed in %.1f s\n",
                      (unsigned long long)b->queries.count, clock_s() - start_s);
    matrix_free(&base);
    return e;
}

static enum err find_neighbours(struct bench *b, struct why *why)
{
    const struct settings *set = &b->set;
    bool computed = set->dataset != NULL && set->metric != METRIC_JACCARD;
    if (set->queries == NULL || (set->groundtruth == NULL && !computed))
        return search_exactly(&b->searches, &b->client, &b->neighbours, why);
    struct truth truth;
    enum err e = set->groundtruth != NULL
                     ? truth_load(&truth, set->groundtruth, b->queries.count, set->k, why)
                     : compute_truth(b, &truth, why);
    if (e != OK)
        return e;
    e = name_neighbours(b, &truth, why);
    truth_free(&truth);
    return e;
}

static enum err prepare_queries(struct bench *b, struct why *why)
{
    const struct settings *set = &b->set;
    bool by_element = set->queries == NULL;
    enum err e = by_element ? draw_elements(b, why)
                            : matrix_load(&b->queries, set->queries, set->query_limit, why);
    if (e != OK)
        return e;
    b->searches = (struct search_set){
        .command = (enum search_command)set->command,
        .key = set->key,
        .k = set->k,
        .options = set->search_options,
        .vectors = by_element ? NULL : &b->queries,
        .elements = by_element ? &b->elements : NULL,
        .neighbours = &b->neighbours,
        .query_count = by_element ? texts_count(&b->elements) : (size_t)b->queries.count,
    };
    if (b->searches.query_count == 0)
        return why_set(why, ERR_ARG, "%.150s: holds no queries", set->queries);
    return OK;
}

static enum err measure_all(struct bench *b, struct why *why)
{
    const struct settings *set = &b->set;
    CHECK(set->efs.count > 0 && set->clients.count > 0);
    report_start(&b->report, &b->searches);
    for (size_t i = 0; i < set->efs.count; i++) {
        for (size_t j = 0; j < set->clients.count; j++) {
            struct search_result result;
            enum err e = search_measure(&b->searches, &set->address, set->efs.values[i],
                                        set->clients.values[j], set->seconds, &result, why);
            if (e != OK)
                return e;
            report_row(&b->report, &result);
        }
    }
    report_end(&b->report);
    return OK;
}

static enum err run(struct bench *b, struct why *why)
{
    double linked_s = 0;
    enum err e = OK;
    if (b->set.load)
        e = load_dataset(b, why);
    if (e == OK)
        e = client_open(&b->client, &b->set.address, why);
    if (e == OK && (b->set.load || b->set.wait))
        e = wait_linked(&b->client, b->set.key, stderr, &linked_s, why);
    if (e == OK && (b->set.load || b->set.wait))
        report_linked(&b->report, linked_s);
    if (e == OK)
        e = prepare_queries(b, why);
    if (e == OK)
        e = find_neighbours(b, why);
    if (e == OK)
        e = measure_all(b, why);
    client_close(&b->client);
    matrix_free(&b->queries);
    texts_fini(&b->elements);
    texts_fini(&b->neighbours);
    return e;
}

int bench_main(int argc, char **argv)
{
    struct bench b = {.set = {.address = CLIENT_ADDRESS_DEFAULT,
                              .samples = SAMPLES_DEFAULT,
                              .query_limit = UINT32_MAX,
                              .k = K_DEFAULT,
                              .seconds = SECONDS_DEFAULT,
                              .batch = LOAD_BATCH_DEFAULT}};
    const struct option_table table = {bench_options, COUNT_OF(bench_options), NULL, 0};
    struct why why = {""};
    size_t operands;
    enum err e = options_parse(&table, argc, argv, &b.set, &operands, &why);
    if (e == OK && b.set.help) {
        print_help();
        return EXIT_DONE;
    }
    if (e == OK)
        e = check_settings(&b.set, &why);
    if (e != OK)
        return say_usage("bench", &why);
    client_clear(&b.client);
    texts_init(&b.elements);
    texts_init(&b.neighbours);
    report_init(&b.report, stdout, b.set.json);
    e = run(&b, &why);
    return e == OK ? EXIT_DONE : say_failure("bench", &why);
}
