/* mutations.h: changes made up from a seed, of every kind there is, over a few keys. */
#ifndef VDB_TESTS_LIB_MUTATIONS_H
#define VDB_TESTS_LIB_MUTATIONS_H

#include "db/db.h"

enum { MUTATIONS_DIM = 8, MUTATIONS_ELEMENTS_MAX = 8, MUTATIONS_TEXT = 24 };

/* What a mutation points to lives here until the next one is made. */
struct mutations {
    uint64_t rng;
    uint32_t strings;     /* keys s0 .. */
    uint32_t collections; /* keys c0 .. */
    uint32_t hashes;      /* keys h0 .. */
    uint32_t lists;       /* keys l0 .. */
    uint32_t documents;   /* keys j0 .. */
    uint32_t sets;        /* keys m0 .., and sorted ones z0 .. */
    uint32_t ids;         /* per collection */
    uint32_t put_share;   /* of 100: elements put rather than anything else */
    char key[MUTATIONS_TEXT], other[MUTATIONS_TEXT];
    char text[MUTATIONS_ELEMENTS_MAX][MUTATIONS_TEXT];
    char attribute[64];
    char partition[MUTATIONS_TEXT], document[64];
    float vectors[MUTATIONS_ELEMENTS_MAX][MUTATIONS_DIM];
    struct mutation_element elements[MUTATIONS_ELEMENTS_MAX];
    struct slice ids_of[MUTATIONS_ELEMENTS_MAX];
    struct slice words[20];
    char values[MUTATIONS_ELEMENTS_MAX][MUTATIONS_TEXT];
    struct hash_field fields[MUTATIONS_ELEMENTS_MAX];
    struct scored scored[MUTATIONS_ELEMENTS_MAX];
};

void mutations_init(struct mutations *m, uint64_t seed, uint32_t strings, uint32_t collections,
                    uint32_t ids);
/* Some change that the database takes; it may change nothing. */
struct mutation mutations_next(struct mutations *m, const struct db *db);
/* The same of one kind. */
struct mutation mutations_of(struct mutations *m, const struct db *db, enum mutation_kind kind);
/* A put into that collection, which it makes when it is not there. */
struct mutation mutations_put(struct mutations *m, const struct db *db, struct slice key);

#endif
