/* fixture.c: see fixture.h. Through db.h, with everything linked by jobs of the simulator. */
#include "recall/fixture.h"

#include <math.h>
#include <stdlib.h>

#include "base/rng.h"
#include "lib/test.h"

enum { ID_MAX = 16, ATTRIBUTE_MAX = 48 };

static float normal(uint64_t *state)
{
    return (float)(sqrt(-2 * log(1 - rng_unit(state))) * cos(6.283185307179586 * rng_unit(state)));
}

/* Numbers as the type has them, and of halves before they are rounded. */
static float number_of(const struct collection_spec *spec, float value)
{
    float scaled = rintf(value * 30);
    if (spec->type == TYPE_BIT)
        return (float)(value > 0);
    if (spec->type == TYPE_INT8)
        return scaled < -128 ? -128 : scaled > 127 ? 127 : scaled;
    return value;
}

void fixture_draw(struct fixture *f, float *out)
{
    const struct collection_spec *spec = &f->spec;
    const float *centre = f->centres[rng_below(&f->random, FIXTURE_CENTRES)];
    double square = 0;
    for (uint32_t i = 0; i < spec->dim; i++) {
        out[i] = number_of(spec, centre[i] + 0.6f * normal(&f->random));
    }
    if (f->bend != NULL)
        f->bend(&f->random, out, spec->dim);
    for (uint32_t i = 0; i < spec->dim; i++) {
        square += (double)out[i] * (double)out[i];
    }
    for (uint32_t i = 0; i < spec->dim && type_normalises(spec->type, spec->metric); i++)
        out[i] /= (float)sqrt(square);
}

/* From numbers to what an element stores of them. */
static void store(struct fixture *f, const float *drawn, struct mutation_element *e, uint8_t *out)
{
    const struct collection_spec *spec = &f->spec;
    size_t at;
    bool halves = spec->type == TYPE_FP16 || spec->type == TYPE_BF16;
    REQUIRE(type_encode(spec->type, drawn, spec->dim, out, &at) == TYPE_FITS);
    e->vector = out;
    e->norm = halves && spec->metric == METRIC_COSINE
                  ? (float)sqrt(type_square(spec->type, out, spec->dim))
                  : 1;
}

static bool all_linked(void *user)
{
    const struct fixture *f = user;
    return pending_count(&f->c->side->pending) == 0 && f->c->side->dead_linked == 0 &&
           f->c->side->sweep == NULL && f->c->alteration == NULL && db_idle(&f->db);
}

/* Puts elements first .. first + count - 1 with new vectors; the attribute says the id modulo 100,
 * and a place along a parallel: 1,000 of them, half a kilometre apart. */
void fixture_put(struct fixture *f, unsigned first, unsigned count)
{
    static _Alignas(8) uint8_t vectors[FIXTURE_BATCH][FIXTURE_DIM_MAX * sizeof(float)];
    float drawn[FIXTURE_DIM_MAX];
    static char ids[FIXTURE_BATCH][ID_MAX], attributes[FIXTURE_BATCH][ATTRIBUTE_MAX];
    static struct mutation_element elements[FIXTURE_BATCH];
    CHECK(count <= FIXTURE_BATCH);
    for (unsigned i = 0; i < count; i++) {
        fixture_draw(f, drawn);
        (void)snprintf(ids[i], sizeof(ids[i]), "%u", first + i);
        (void)snprintf(attributes[i], sizeof(attributes[i]), "{\"m\":%u,\"g\":\"%.2f,60\"}",
                       (first + i) % 100, (double)((first + i) * 7919 % 1000) / 100);
        elements[i] = (struct mutation_element){
            .id = slice_of(ids[i]), .set_attribute = true, .attribute = slice_of(attributes[i])};
        store(f, drawn, &elements[i], vectors[i]);
    }
    struct mutation m = {.kind = MUTATION_PUT,
                         .key = slice_of("c"),
                         .partition = f->partition,
                         .dim = f->spec.dim,
                         .type = f->spec.type,
                         .elements = elements,
                         .count = count};
    uint64_t lsn;
    REQUIRE(db_write(&f->db, &m, &lsn, NULL) == OK);
}

void fixture_remove(struct fixture *f, unsigned id)
{
    char text[ID_MAX];
    (void)snprintf(text, sizeof(text), "%u", id);
    struct slice ids = slice_of(text);
    struct mutation m = {.kind = MUTATION_REMOVE, .key = slice_of("c"), .ids = &ids, .count = 1};
    uint64_t lsn;
    REQUIRE(db_write(&f->db, &m, &lsn, NULL) == OK);
}

void fixture_link_all(struct fixture *f)
{
    REQUIRE(sim_run_until(f->sim, all_linked, f, 3600u * 1000 * 1000));
}

void fixture_open(struct fixture *f, const struct collection_spec *spec, unsigned rows)
{
    struct sim_options options = sim_options_default();
    options.switch_ppm = 1000; /* few switches: this is about recall */
    f->sim = sim_new(7, &options);
    f->random = 42;
    struct db_options db_options = {.flat_rows_max = 500, .pending_scan_bytes = SIZE_MAX};
    REQUIRE(vec_kernels_choose("auto", &db_options.kernels, NULL) == OK);
    db_init(&f->db, sim_io(f->sim), &db_options);
    CHECK(spec->dim <= FIXTURE_DIM_MAX && rows % FIXTURE_BATCH == 0);
    f->spec = *spec;
    REQUIRE(schema_add(&f->spec.schema, slice_of("m"), SCHEMA_NUMERIC, NULL) == OK);
    REQUIRE(schema_add(&f->spec.schema, slice_of("g"), SCHEMA_GEO, NULL) == OK);
    for (int i = 0; i < FIXTURE_CENTRES; i++)
        for (uint32_t j = 0; j < spec->dim; j++)
            f->centres[i][j] = normal(&f->random);
    struct mutation m = {.kind = MUTATION_COLLECTION_NEW, .key = slice_of("c"), .spec = f->spec};
    uint64_t lsn;
    REQUIRE(db_write(&f->db, &m, &lsn, NULL) == OK);
    REQUIRE(db_collection(&f->db, slice_of("c"), &f->c) == OK && f->c != NULL);
    for (unsigned first = 0; first < rows; first += FIXTURE_BATCH)
        fixture_put(f, first, FIXTURE_BATCH);
    fixture_link_all(f);
    REQUIRE(f->c->side->graph != NULL || spec->index == INDEX_IVF); /* it may be too few rows */
}

static bool idle(void *user)
{
    return db_idle(user);
}

void fixture_close(struct fixture *f)
{
    db_clear(&f->db);
    EXPECT(sim_run_until(f->sim, idle, &f->db, 3600u * 1000 * 1000));
    db_fini(&f->db);
    sim_free(f->sim); /* runs what is left of the collection's end */
}

static void keep_hits(struct search *s, const struct hit *hits, size_t count)
{
    struct found *found = s->user;
    CHECK(count <= FIXTURE_K);
    memcpy(found->hits, hits, count * sizeof(*hits));
    found->count = count;
}

struct found fixture_search(struct fixture *f, const float *query, bool exact, const char *filter)
{
    struct found found = {.count = 0};
    struct search *s = search_new(&f->db, f->c, 1);
    REQUIRE(s != NULL);
    memcpy(s->queries, query, f->spec.dim * sizeof(float));
    s->count = FIXTURE_K;
    s->exact = exact;
    s->encode = keep_hits;
    s->user = &found;
    if (filter != NULL)
        REQUIRE(filter_compile(slice_of(filter), NULL, 0, &s->filter, NULL) == OK);
    struct slice unknown;
    if (f->partition.len > 0)
        REQUIRE(partition_choice_new(f->c->partitions, &f->partition, 1, &s->choice, &unknown) ==
                OK);
    search_run_here(s);
    EXPECT(s->error == OK);
    search_free(s);
    return found;
}
