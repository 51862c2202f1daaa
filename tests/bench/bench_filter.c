/* bench_filter.c: filtered searches of glove100 in process, beside the unfiltered one.
 *
 *     bench_filter DIR [TRUTHS [FILTERS]]
 *
 * DIR keeps a snapshot of the collection between runs. Attributes: n, a number of 0 .. 999,999,
 * uniform; t, one of 2,000 tags, the i-th as frequent as 1 / i; c, the one of 100 random elements
 * that is nearest: filters by it take those whose matches are farthest from the query, or (x) all
 * but those that are nearest. Every query has constants of its own. "schema" uses columns and
 * indexes, "none" the JSON texts alone. Truth is exact, by a plain scan, of TRUTHS of the queries.
 * FILTERS: only those, as "nt"; with an s, by their columns alone: "ns". */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/rng.h"
#include "bench/data.h"
#include "db/search.h"
#include "net/io_uv.h"
#include "persist/snapshot.h"
#include "persist/snapshot_load.h"

enum {
    LANES = 2,
    BATCH = 1000,
    K = 10,
    TAGS = 2000,
    CENTRES = 100,
    NUMBERS = 1000000,
    EQUAL_EFFORT = 200, /* without a filter: recall 0.95, what filtered searches are compared at */
    POLL_US = 20 * 1000,
    EXPRESSION_MAX = 1024
};

struct attributes {
    uint32_t n;
    uint16_t t, c;
};

struct bench {
    struct io *io;
    struct db db;
    const char *dir;
    struct dataset data;
    struct io_timer timer;
    struct snapshots snapshots;
    struct snapshot_load load;
    struct attributes *attributes; /* by row of the data */
    float *vectors;                /* normalised */
    uint32_t centre_rows[CENTRES];
    size_t tag_counts[TAGS], centre_counts[CENTRES];
    uint64_t rng;
    uint32_t truth_count;
    size_t effort;                  /* of searches without a filter; 0: the default */
    uint64_t scored, tested, again; /* rows; searches that had to look again */
    double plain, equal; /* searches a second without a filter: by default, and at recall 0.95 */
};

enum filter_kind { FILTER_KIND_NONE, FILTER_KIND_N, FILTER_KIND_T, FILTER_KIND_C, FILTER_KIND_X };

/* One query's filter, as a text and as what it means. */
struct wanted {
    enum filter_kind kind;
    uint32_t low, high;
    uint64_t tags[TAGS / 64 + 1];
    char text[EXPRESSION_MAX];
};

static uint64_t now(const struct bench *b)
{
    return b->io->ops->mono_us(b->io);
}

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static const float *vector_of(const struct bench *b, uint32_t row)
{
    return b->vectors + (size_t)row * b->data.train.columns;
}

static float dot(const float *a, const float *b, uint32_t dim)
{
    float sum = 0;
    for (uint32_t i = 0; i < dim; i++)
        sum += a[i] * b[i];
    return sum;
}

static void normalise(const float *from, uint32_t dim, float *to)
{
    float length = sqrtf(dot(from, from, dim));
    for (uint32_t i = 0; i < dim; i++)
        to[i] = from[i] / length;
}

/* -- attributes -------------------------------------------------------------------------------- */

static uint16_t nearest_centre(const struct bench *b, const float *v)
{
    uint16_t best = 0;
    float most = -2;
    for (uint16_t i = 0; i < CENTRES; i++) {
        float d = dot(v, vector_of(b, b->centre_rows[i]), b->data.train.columns);
        if (d > most) {
            most = d;
            best = i;
        }
    }
    return best;
}

static void make_attributes(struct bench *b)
{
    double sums[TAGS], sum = 0;
    uint32_t rows = b->data.train.rows, dim = b->data.train.columns;
    b->vectors = malloc((size_t)rows * dim * sizeof(float));
    b->attributes = malloc(rows * sizeof(*b->attributes));
    for (uint32_t row = 0; row < rows; row++)
        normalise(matrix_row(&b->data.train, row), dim, b->vectors + (size_t)row * dim);
    for (int i = 0; i < TAGS; i++)
        sums[i] = sum += 1.0 / (i + 1);
    for (int i = 0; i < CENTRES; i++)
        b->centre_rows[i] = (uint32_t)rng_below(&b->rng, rows);
    for (uint32_t row = 0; row < rows; row++) {
        struct attributes *a = &b->attributes[row];
        double x = rng_unit(&b->rng) * sum;
        a->n = (uint32_t)rng_below(&b->rng, NUMBERS);
        for (a->t = 0; a->t + 1 < TAGS && sums[a->t] < x;)
            a->t++;
        a->c = nearest_centre(b, vector_of(b, row));
        b->tag_counts[a->t]++;
        b->centre_counts[a->c]++;
    }
}

/* -- the collection ---------------------------------------------------------------------------- */

static void init_db(struct bench *b)
{
    struct db_options options = {.flat_rows_max = 2000, .pending_scan_bytes = (size_t)1 << 40};
    if (vec_kernels_choose("auto", &options.kernels, NULL) != OK)
        die("no kernels");
    db_init(&b->db, b->io, &options);
}

static struct collection *collection_of(struct bench *b)
{
    struct collection *c;
    if (db_collection(&b->db, slice_of("c"), &c) != OK || c == NULL)
        die("no collection");
    return c;
}

static void on_tick(struct io_timer *timer)
{
    struct bench *b = timer->user;
    struct collection *c = collection_of(b);
    if (pending_count(&c->side->pending) == 0 && db_idle(&b->db) && b->snapshots.run == NULL &&
        !c->fields->building)
        io_uv_stop(b->io);
    else
        b->io->ops->timer_start(b->io, timer, POLL_US);
}

static void run_until_idle(struct bench *b)
{
    b->timer = (struct io_timer){.fn = on_tick, .user = b, .impl = b->timer.impl};
    b->io->ops->timer_start(b->io, &b->timer, POLL_US);
    io_uv_run(b->io);
}

static void put(struct bench *b, uint32_t first, uint32_t count)
{
    static struct mutation_element elements[BATCH];
    static char ids[BATCH][16], texts[BATCH][64];
    struct why why = {""};
    uint64_t lsn;
    for (uint32_t i = 0; i < count; i++) {
        const struct attributes *a = &b->attributes[first + i];
        (void)snprintf(ids[i], sizeof(ids[i]), "%u", first + i);
        (void)snprintf(texts[i], sizeof(texts[i]), "{\"n\":%u,\"t\":\"t%u\",\"c\":\"c%u\"}", a->n,
                       a->t, a->c);
        elements[i] = (struct mutation_element){.id = slice_of(ids[i]),
                                                .vector = vector_of(b, first + i),
                                                .norm = 1,
                                                .set_attribute = true,
                                                .attribute = slice_of(texts[i])};
    }
    struct mutation m = {.kind = MUTATION_PUT,
                         .key = slice_of("c"),
                         .creates = first == 0,
                         .spec = spec_default(b->data.train.columns),
                         .dim = b->data.train.columns,
                         .elements = elements,
                         .count = count};
    if (schema_add(&m.spec.schema, slice_of("n"), SCHEMA_NUMERIC, &why) != OK ||
        schema_add(&m.spec.schema, slice_of("t"), SCHEMA_TAG, &why) != OK ||
        schema_add(&m.spec.schema, slice_of("c"), SCHEMA_TAG, &why) != OK ||
        db_write(&b->db, &m, &lsn, &why) != OK)
        die("put: %s", why.text);
}

static void on_snapshot(void *user, enum err e)
{
    struct bench *b = user;
    if (e != OK)
        die("snapshot: %s", err_text(e));
    io_uv_stop(b->io);
}

static void build(struct bench *b)
{
    uint64_t start = now(b);
    init_db(b);
    snapshots_init(&b->snapshots, b->io, &b->db, b->dir, on_snapshot, b);
    for (uint32_t at = 0; at < b->data.train.rows; at += BATCH)
        put(b, at, b->data.train.rows - at < BATCH ? b->data.train.rows - at : BATCH);
    printf("added with their fields in %.2f s\n", (double)(now(b) - start) / 1e6);
    run_until_idle(b);
    printf("linked after %.1f s\n", (double)(now(b) - start) / 1e6);
    if (snapshots_start(&b->snapshots) != OK)
        die("no snapshot");
    io_uv_run(b->io);
}

static void on_loaded(struct snapshot_load *l, enum err e)
{
    if (e != OK)
        die("load: %s", l->why.text);
    io_uv_stop(((struct bench *)l->user)->io);
}

static void load(struct bench *b)
{
    init_db(b);
    struct snapshot_load_options options = {.dir = b->dir};
    snapshot_load_start(&b->load, b->io, &b->db, &options, on_loaded, b);
    io_uv_run(b->io);
    uint64_t start = now(b);
    run_until_idle(b);
    printf("fields made again in %.2f s\n", (double)(now(b) - start) / 1e6);
}

/* -- filters ----------------------------------------------------------------------------------- */

static bool has_tag(const struct wanted *w, uint32_t tag)
{
    return (w->tags[tag / 64] >> (tag % 64) & 1) != 0;
}

static void set_tag(struct wanted *w, uint32_t tag)
{
    w->tags[tag / 64] |= (uint64_t)1 << (tag % 64);
}

static void add_tag(struct wanted *w, char letter, uint32_t tag, size_t *used)
{
    set_tag(w, tag);
    int size = snprintf(w->text + *used, sizeof(w->text) - *used, "%s\"%c%u\"",
                        w->text[*used - 1] == '[' ? "" : ",", letter, tag);
    *used += (size_t)size;
}

static void want_tags(struct bench *b, struct wanted *w, double share)
{
    size_t rows = b->data.train.rows, sum = 0, used;
    used = (size_t)snprintf(w->text, sizeof(w->text), ".t in [");
    for (int tries = 0; (double)sum < share * (double)rows * 0.95 && tries < 100000; tries++) {
        uint32_t tag = (uint32_t)rng_below(&b->rng, share >= 0.1 ? 60 : share >= 0.01 ? 200 : TAGS);
        size_t count = b->tag_counts[tag];
        if (has_tag(w, tag) || (double)(sum + count) > share * (double)rows * 1.1)
            continue;
        add_tag(w, 't', tag, &used);
        sum += count;
    }
    (void)snprintf(w->text + used, sizeof(w->text) - used, "]");
}

/* The farthest first, but for some that are left out, so that queries differ. */
static void want_far(struct bench *b, struct wanted *w, const float *query, double share)
{
    size_t rows = b->data.train.rows, sum = 0, used;
    used = (size_t)snprintf(w->text, sizeof(w->text), ".c in [");
    while ((double)sum < share * (double)rows * 0.9) {
        uint32_t best = CENTRES;
        float least = 3;
        for (uint32_t i = 0; i < CENTRES; i++) {
            float d = dot(query, vector_of(b, b->centre_rows[i]), b->data.train.columns);
            if (!has_tag(w, i) && d < least) {
                least = d;
                best = i;
            }
        }
        if (best == CENTRES)
            break;
        if ((double)(sum + b->centre_counts[best]) > share * (double)rows * 1.5 && sum > 0) {
            set_tag(w, best); /* too many: passed over, and taken back below */
            w->low++;
            continue;
        }
        add_tag(w, 'c', best, &used);
        sum += b->centre_counts[best];
    }
    (void)snprintf(w->text + used, sizeof(w->text) - used, "]");
}

/* All but those of the nearest centres. */
static void want_not_near(struct bench *b, struct wanted *w, const float *query, double share)
{
    size_t rows = b->data.train.rows, sum = 0, used;
    used = (size_t)snprintf(w->text, sizeof(w->text), "not (.c in [");
    while ((double)sum < (1 - share) * (double)rows) {
        uint32_t best = CENTRES;
        float most = -3;
        for (uint32_t i = 0; i < CENTRES; i++) {
            float d = dot(query, vector_of(b, b->centre_rows[i]), b->data.train.columns);
            if (!has_tag(w, i) && d > most) {
                most = d;
                best = i;
            }
        }
        add_tag(w, 'c', best, &used);
        sum += b->centre_counts[best];
    }
    (void)snprintf(w->text + used, sizeof(w->text) - used, "])");
}

static void want(struct bench *b, struct wanted *w, enum filter_kind kind, const float *query,
                 double share)
{
    *w = (struct wanted){.kind = kind};
    if (kind == FILTER_KIND_N) {
        uint32_t width = (uint32_t)(share * NUMBERS);
        w->low = (uint32_t)rng_below(&b->rng, NUMBERS - width);
        w->high = w->low + width;
        (void)snprintf(w->text, sizeof(w->text), ".n >= %u and .n < %u", w->low, w->high);
    } else if (kind == FILTER_KIND_T) {
        want_tags(b, w, share);
    } else if (kind == FILTER_KIND_C) {
        want_far(b, w, query, share);
    } else if (kind == FILTER_KIND_X) {
        want_not_near(b, w, query, share);
    }
}

/* By the text, so that what was passed over does not count. */
static bool matches(const struct wanted *w, const struct attributes *a)
{
    char tag[16];
    switch (w->kind) {
    case FILTER_KIND_NONE:
        return true;
    case FILTER_KIND_N:
        return a->n >= w->low && a->n < w->high;
    case FILTER_KIND_T:
        return has_tag(w, a->t);
    case FILTER_KIND_C:
        (void)snprintf(tag, sizeof(tag), "\"c%u\"", a->c);
        return has_tag(w, a->c) && (w->low == 0 || strstr(w->text, tag) != NULL);
    case FILTER_KIND_X:
        return !has_tag(w, a->c);
    }
    return false;
}

/* -- measuring --------------------------------------------------------------------------------- */

struct answer {
    uint32_t rows[K];
    size_t count;
};

static void encode(struct search *s, const struct hit *hits, size_t count)
{
    struct answer *a = s->user;
    a->count = count;
    for (size_t i = 0; i < count; i++) {
        int64_t number = -1;
        if (!slice_to_i64(view_id(&s->view, hits[i].row), &number))
            die("an id is no number");
        a->rows[i] = (uint32_t)number;
    }
}

static void search(struct bench *b, const float *query, const struct wanted *w, struct answer *a,
                   size_t ways[WAY_COUNT])
{
    struct search *s = search_new(&b->db, collection_of(b), 1);
    memcpy(s->queries, query, b->data.train.columns * sizeof(float));
    s->count = K;
    s->effort = w->kind == FILTER_KIND_NONE ? b->effort : 0;
    s->encode = encode;
    s->user = a;
    if (w->kind != FILTER_KIND_NONE &&
        filter_compile(slice_of(w->text), NULL, 0, &s->filter, NULL) != OK)
        die("%s", w->text);
    search_run_here(s);
    if (s->error != OK)
        die("search: %s", err_text(s->error));
    ways[s->way]++;
    b->scored += s->cost.distances;
    b->tested += s->candidates;
    b->again += s->fell_back;
    search_free(s);
}

static size_t true_hits(struct bench *b, const float *query, const struct wanted *w,
                        const struct answer *a)
{
    struct hit room[K];
    struct topk top;
    topk_init(&top, room, K);
    for (uint32_t row = 0; row < b->data.train.rows; row++)
        if (matches(w, &b->attributes[row])) {
            float d = 1 - dot(query, vector_of(b, row), b->data.train.columns);
            if (topk_wants(&top, d))
                topk_push(&top, (struct hit){d, row});
        }
    size_t hits = 0;
    for (size_t i = 0; i < top.count; i++)
        for (size_t j = 0; j < a->count; j++)
            hits += a->rows[j] == room[i].row;
    return hits;
}

static double measure(struct bench *b, const char *name, enum filter_kind kind, double share,
                      bool schema)
{
    uint32_t dim = b->data.train.columns, count = b->data.query.rows;
    uint32_t step = count / b->truth_count;
    struct wanted *w = malloc(count * sizeof(*w));
    struct answer *answers = calloc(count, sizeof(*answers));
    float *queries = malloc((size_t)count * dim * sizeof(float));
    size_t ways[WAY_COUNT] = {0}, hits = 0, few = 0, asked = 0, best = 0, judged = 0;
    b->rng = 11;
    b->scored = b->tested = b->again = 0;
    for (uint32_t i = 0; i < count; i++) {
        normalise(matrix_row(&b->data.query, i), dim, queries + (size_t)i * dim);
        want(b, &w[i], kind, queries + (size_t)i * dim, share);
    }
    collection_of(b)->fields->building = !schema;
    double start = cpu_seconds(), spent;
    do {
        uint32_t i = (uint32_t)(asked++ % count);
        search(b, queries + (size_t)i * dim, &w[i], &answers[i], ways);
        spent = cpu_seconds() - start;
    } while (asked < count && (spent < 2 || asked % step != 1 || asked < count / 8));
    collection_of(b)->fields->building = false;
    for (uint32_t i = 0; i < count && i < asked; i++)
        few += answers[i].count < K;
    for (uint32_t i = 0; i < count && i < asked; i += step, judged++)
        hits += true_hits(b, queries + (size_t)i * dim, &w[i], &answers[i]);
    for (size_t i = 0; i < WAY_COUNT; i++)
        best = ways[i] > ways[best] ? i : best;
    double rate = (double)asked / spent;
    printf(
        "%-22s %5.1f %%  %-6s  %7.0f  %8.2f  %8.2f  %.4f  %4zu  %6.0f  %6.0f  %5.1f  %s (%zu %%)\n",
        name, share * 100, schema ? "schema" : "none", rate, b->plain > 0 ? rate / b->plain : 1,
        b->equal > 0 ? rate / b->equal : 0, (double)hits / (double)(judged * K), few,
        (double)b->scored / (double)asked, (double)b->tested / (double)asked,
        100 * (double)b->again / (double)asked, search_way_name((enum search_way)best),
        100 * ways[best] / asked);
    (void)fflush(stdout);
    free(w);
    free(answers);
    free(queries);
    return rate;
}

static void measure_all(struct bench *b, const char *only)
{
    static const struct {
        const char *name;
        enum filter_kind kind;
        double shares[4];
    } kinds[] = {{"n, uniform range", FILTER_KIND_N, {0.5, 0.1, 0.01, 0.001}},
                 {"t, skewed tags", FILTER_KIND_T, {0.5, 0.1, 0.01, 0.001}},
                 {"c, far from the query", FILTER_KIND_C, {0.5, 0.1, 0.01, 0.001}},
                 {"x, all but the nearest", FILTER_KIND_X, {0.99, 0.95, 0.9, 0.75}}};
    printf("%-22s %7s  %-6s  %7s  %8s  %8s  %6s  %4s  %6s  %6s  %5s  way\n", "filter", "share", "",
           "QPS", "to plain", "to equal", "recall", "<10", "scored", "tested", "again");
    b->plain = measure(b, "no filter", FILTER_KIND_NONE, 1, true);
    b->effort = EQUAL_EFFORT;
    b->equal = measure(b, "no filter, EF 200", FILTER_KIND_NONE, 1, true);
    bool columns_alone = only != NULL && strchr(only, 's') != NULL;
    for (size_t schema = 2; schema-- > columns_alone;)
        for (size_t k = 0; k < COUNT_OF(kinds); k++)
            for (size_t i = 0; i < COUNT_OF(kinds[k].shares); i++)
                if (only == NULL || strchr(only, *kinds[k].name) != NULL)
                    (void)measure(b, kinds[k].name, kinds[k].kind, kinds[k].shares[i], schema == 1);
}

static void note_manifest(void *user, const char *name)
{
    uint64_t lsn;
    if (snapshot_manifest_name_parse(name, &lsn))
        *(bool *)user = true;
}

int main(int argc, char **argv)
{
    static struct bench b;
    bool there = false;
    if (argc < 2)
        die("usage: bench_filter DIR [TRUTHS [FILTERS]]");
    b.dir = argv[1];
    b.truth_count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 200;
    b.rng = 7;
    if (io_uv_new(LANES, &b.io, NULL) != OK)
        die("no loop");
    b.data = dataset_open("data", "glove100");
    if (b.truth_count == 0 || b.truth_count > b.data.query.rows)
        die("1 to %u queries", b.data.query.rows);
    make_attributes(&b);
    if (b.io->ops->make_dir(b.io, b.dir) != OK ||
        b.io->ops->list_dir(b.io, b.dir, note_manifest, &there) != OK)
        die("no folder %s", b.dir);
    if (there)
        load(&b);
    else
        build(&b);
    measure_all(&b, argc > 3 ? argv[3] : NULL);
    if (there)
        snapshot_load_free(&b.load);
    else
        snapshots_fini(&b.snapshots);
    db_clear(&b.db);
    return 0;
}
