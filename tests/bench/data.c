/* data.c: mapping, writing and looking up the files of a benchmark. */
#include "bench/data.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

enum { HEADER_SIZE = 8, VALUE_SIZE = 4, PATH_SIZE = 1024 };

void die(const char *fmt, ...)
{
    int error = errno;
    va_list args;
    va_start(args, fmt);
    vfprintf(stderr, fmt, args);
    va_end(args);
    if (error != 0)
        fprintf(stderr, ": %s", strerror(error));
    fputc('\n', stderr);
    exit(1);
}

struct matrix matrix_map(const char *path)
{
    errno = 0;
    int fd = open(path, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        die("cannot open %s (make bench-data prepares it)", path);
    if (st.st_size < HEADER_SIZE)
        die("%s has no header", path);

    struct matrix m = {.map_size = (size_t)st.st_size};
    m.map = mmap(NULL, m.map_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (m.map == MAP_FAILED)
        die("cannot map %s", path);
    (void)close(fd);

    const uint32_t *header = m.map;
    m.rows = header[0];
    m.columns = header[1];
    m.at.ints = (const int32_t *)m.map + HEADER_SIZE / VALUE_SIZE;
    if ((uint64_t)m.rows * m.columns * VALUE_SIZE + HEADER_SIZE != m.map_size)
        die("%s says %u x %u values, which is not its size", path, m.rows, m.columns);
    return m;
}

void matrix_unmap(struct matrix *m)
{
    if (m->map != NULL)
        (void)munmap(m->map, m->map_size);
    *m = (struct matrix){0};
}

void matrix_save(const char *path, uint32_t rows, uint32_t columns, const void *values)
{
    char temp[PATH_SIZE];
    CHECK((size_t)snprintf(temp, sizeof temp, "%s.part", path) < sizeof temp);
    errno = 0;
    FILE *f = fopen(temp, "wb");
    if (f == NULL)
        die("cannot write %s", temp);
    const uint32_t header[2] = {rows, columns};
    size_t count = (size_t)rows * columns;
    if (fwrite(header, HEADER_SIZE, 1, f) != 1 || fwrite(values, VALUE_SIZE, count, f) != count ||
        fclose(f) != 0 || rename(temp, path) != 0)
        die("cannot write %s", path);
}

bool file_exists(const char *path)
{
    return access(path, R_OK) == 0;
}

/* Fashion-MNIST comes split into train and test; the files keep those names. */
static const struct known {
    const char *name;
    enum bench_metric metric;
    const char *query_file;
} known_sets[] = {
    {"glove100", BENCH_COSINE, "query.fbin"},
    {"fashion784", BENCH_L2, "test.fbin"},
    {"syn768", BENCH_COSINE, "query.fbin"},
    {"syn128", BENCH_COSINE, "query.fbin"},
};

static struct matrix map_in(const char *dir, const char *name, const char *file)
{
    char path[PATH_SIZE];
    CHECK((size_t)snprintf(path, sizeof path, "%s/%s/%s", dir, name, file) < sizeof path);
    return matrix_map(path);
}

struct dataset dataset_open(const char *dir, const char *name)
{
    const struct known *set = NULL;
    for (size_t i = 0; i < COUNT_OF(known_sets); i++) {
        if (strcmp(known_sets[i].name, name) == 0)
            set = &known_sets[i];
    }
    errno = 0;
    if (set == NULL)
        die("no data set '%s': glove100, fashion784, syn768, syn128", name);

    struct dataset d = {
        .name = set->name,
        .metric = set->metric,
        .train = map_in(dir, name, "train.fbin"),
        .query = map_in(dir, name, set->query_file),
        .truth = map_in(dir, name, "gt.ibin"),
    };
    if (d.query.columns != d.train.columns || d.truth.rows != d.query.rows)
        die("%s/%s: train, query and gt do not belong together", dir, name);
    return d;
}

void dataset_close(struct dataset *d)
{
    matrix_unmap(&d->train);
    matrix_unmap(&d->query);
    matrix_unmap(&d->truth);
}

size_t dataset_hits(const struct dataset *d, size_t query, size_t k, const int32_t *ids)
{
    CHECK(query < d->truth.rows && k <= d->truth.columns);
    const int32_t *truth = d->truth.at.ints + query * d->truth.columns;
    size_t hits = 0;
    for (size_t i = 0; i < k; i++) {
        for (size_t j = 0; j < k; j++) {
            if (ids[i] == truth[j]) {
                hits++;
                break;
            }
        }
    }
    return hits;
}
