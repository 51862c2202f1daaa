/* fixture.h: a database with one collection "c" of clustered vectors, for tests of recall. */
#ifndef VDB_TESTS_RECALL_FIXTURE_H
#define VDB_TESTS_RECALL_FIXTURE_H

#include "db/search.h"
#include "sim/sim_io.h"

enum { FIXTURE_DIM_MAX = 256, FIXTURE_CENTRES = 150, FIXTURE_BATCH = 500, FIXTURE_K = 10 };

/* Ids are "0", "1", ... */
struct fixture {
    struct sim *sim;
    struct db db;
    struct collection *c;
    struct collection_spec spec;
    uint64_t random;
    struct slice partition; /* of puts and searches; len 0: not said */
    void (*bend)(uint64_t *random, float *v, uint32_t dim); /* of what is drawn; NULL: as it is. Set
                                                               before fixture_open */
    float centres[FIXTURE_CENTRES][FIXTURE_DIM_MAX];
};

/* The hits of a search. */
struct found {
    struct hit hits[FIXTURE_K];
    size_t count;
};

/* With so many elements (batches), all linked. */
void fixture_open(struct fixture *f, const struct collection_spec *spec, unsigned rows);
void fixture_close(struct fixture *f);

/* A query, or what an element is made of: numbers that the type has, at length 1 where queries are.
 */
void fixture_draw(struct fixture *f, float *out);
/* Puts elements first .. first + count - 1 with new vectors; the attribute says the id modulo 100,
 * and a place along a parallel: 1,000 of them, half a kilometre apart. */
void fixture_put(struct fixture *f, unsigned first, unsigned count);
void fixture_remove(struct fixture *f, unsigned id);
void fixture_link_all(struct fixture *f);

struct found fixture_search(struct fixture *f, const float *query, bool exact, const char *filter);

#endif
