/* format.c: what all formats share: opening, taking bytes while counting them for error messages,
 * and the limits of dimensions and sizes. */
#include "tool/format.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/limits.h"
#include "base/mem.h"
#include "tool/format_own.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file formats are little-endian");

enum { LINES_READ_SIZE = 1 << 20 };

static const char *const format_words[] = {
#define X(name, word) word,
    FORMAT_LIST(X)
#undef X
};

static const struct source_ops *const format_ops[] = {&fbin_ops, &fvecs_ops, &npy_ops, &jsonl_ops};

enum format format_of_path(const char *path)
{
    const char *dot = strrchr(path, '.');
    if (dot == NULL)
        return FORMAT_COUNT;
    if (strcmp(dot + 1, "ndjson") == 0)
        return FORMAT_JSONL;
    for (size_t i = 0; i < FORMAT_COUNT; i++)
        if (strcmp(dot + 1, format_words[i]) == 0)
            return (enum format)i;
    return FORMAT_COUNT;
}

static enum err open_file(const char *path, FILE **file, uint64_t *size, struct why *why)
{
    struct stat about;
    *file = fopen(path, "rb");
    if (*file == NULL)
        return why_set(why, ERR_IO, "%.150s: %s", path, strerror(errno));
    if (fstat(fileno(*file), &about) != 0 || S_ISDIR(about.st_mode)) {
        (void)fclose(*file);
        *file = NULL;
        return why_set(why, ERR_IO, "%.150s: is not a file of vectors", path);
    }
    *size = (uint64_t)about.st_size;
    return OK;
}

enum err source_open(struct source *s, const char *path, enum format format, struct bad_lines *bad,
                     struct why *why)
{
    CHECK(format < FORMAT_COUNT);
    *s = (struct source){.ops = format_ops[format], .path = path, .count = UINT64_MAX, .bad = bad};
    buf_init(&s->lines, MEM_SERVER);
    buf_init(&s->id, MEM_SERVER);
    buf_init(&s->attributes, MEM_SERVER);
    buf_init(&s->raw_attributes, MEM_SERVER);
    buf_init(&s->partition, MEM_SERVER);
    enum err e = open_file(path, &s->file, &s->size, why);
    if (e != OK)
        return e;
    e = s->ops->open(s, why);
    if (e != OK)
        source_close(s);
    return e;
}

enum err source_next(struct source *s, struct row *row, struct why *why)
{
    CHECK(s->file != NULL && s->dim > 0);
    CHECK(s->taken <= s->count);
    *row = (struct row){.vector = NULL};
    if (s->taken == s->count)
        return OK;
    enum err e = s->ops->next(s, row, why);
    if (e == OK && row->vector != NULL)
        s->taken++;
    return e;
}

void source_close(struct source *s)
{
    if (s->file != NULL)
        (void)fclose(s->file);
    s->file = NULL;
    mem_free(MEM_SERVER, s->vector);
    mem_free(MEM_SERVER, s->doubles);
    s->vector = NULL;
    s->doubles = NULL;
    buf_fini(&s->lines);
    buf_fini(&s->id);
    buf_fini(&s->attributes);
    buf_fini(&s->raw_attributes);
    buf_fini(&s->partition);
}

double source_fraction(const struct source *s)
{
    if (s->count != UINT64_MAX)
        return s->count == 0 ? 1 : (double)s->taken / (double)s->count;
    return s->size == 0 ? -1 : (double)s->offset / (double)s->size;
}

enum err source_take(struct source *s, void *to, size_t size, const char *what, struct why *why)
{
    size_t got = fread(to, 1, size, s->file);
    s->offset += got;
    if (got == size)
        return OK;
    if (ferror(s->file) != 0)
        return why_set(why, ERR_IO, "%.150s: offset %llu: %s", s->path,
                       (unsigned long long)s->offset, strerror(errno));
    return why_set(why, ERR_CORRUPT, "%.150s: offset %llu: the file ends within %s", s->path,
                   (unsigned long long)s->offset, what);
}

size_t source_take_some(struct source *s, void *to, size_t size)
{
    size_t got = fread(to, 1, size, s->file);
    s->offset += got;
    return got;
}

enum err source_set_dim(struct source *s, uint64_t dim, struct why *why)
{
    CHECK(s->vector == NULL);
    if (dim == 0 || dim > LIMIT_DIM)
        return why_set(why, ERR_CORRUPT,
                       "%.150s: offset %llu: vectors of %llu dimensions? "
                       "1 to %d can be held",
                       s->path, (unsigned long long)s->offset, (unsigned long long)dim, LIMIT_DIM);
    s->dim = (uint32_t)dim;
    s->vector = mem_alloc(MEM_SERVER, s->dim * sizeof(float));
    return OK;
}

enum err source_check_size(struct source *s, uint64_t header_size, uint64_t count,
                           uint64_t row_size, struct why *why)
{
    CHECK(s->dim > 0 && row_size >= s->dim);
    uint64_t needed;
    if (__builtin_mul_overflow(count, row_size, &needed) ||
        __builtin_add_overflow(needed, header_size, &needed) || needed != s->size)
        return why_set(why, ERR_CORRUPT,
                       "%.150s: the header says %llu vectors of %u dimensions, "
                       "which is not what %llu bytes hold",
                       s->path, (unsigned long long)count, s->dim, (unsigned long long)s->size);
    return OK;
}

enum err matrix_load(struct matrix *m, const char *path, uint64_t limit, struct why *why)
{
    struct source s;
    struct row row;
    struct buf bytes = BUF_INIT(MEM_VECTOR);
    enum format format = format_of_path(path);
    *m = (struct matrix){.values = NULL};
    if (format == FORMAT_COUNT)
        return why_set(why, ERR_ARG, "%.150s: the ending is none of " FORMAT_WORDS, path);
    enum err e = source_open(&s, path, format, NULL, why);
    if (e != OK)
        return e;
    for (; m->count < limit; m->count++) {
        e = source_next(&s, &row, why);
        if (e != OK || row.vector == NULL)
            break;
        buf_append(&bytes, row.vector, s.dim * sizeof(float));
    }
    if (e == OK && buf_failed(&bytes))
        e = why_set(why, ERR_NOMEM, "%.150s: does not fit into memory", path);
    m->dim = s.dim;
    source_close(&s);
    if (e != OK)
        buf_fini(&bytes);
    m->values = (float *)(void *)bytes.ptr;
    return e;
}

void matrix_free(struct matrix *m)
{
    mem_free(MEM_VECTOR, m->values);
    m->values = NULL;
}

void lines_init(struct lines *l)
{
    *l = (struct lines){.path = NULL, .text = BUF_INIT(MEM_SERVER)};
}

enum err lines_open(struct lines *l, const char *path, struct why *why)
{
    FILE *file;
    uint64_t size;
    lines_init(l);
    l->path = path;
    enum err e = open_file(path, &file, &size, why);
    if (e != OK)
        return e;
    for (;;) {
        uint8_t *to = buf_reserve(&l->text, LINES_READ_SIZE);
        size_t got = to == NULL ? 0 : fread(to, 1, LINES_READ_SIZE, file);
        if (got == 0)
            break;
        buf_advance(&l->text, got);
    }
    if (ferror(file) != 0)
        e = why_set(why, ERR_IO, "%.150s: %s", path, strerror(errno));
    else if (buf_failed(&l->text))
        e = why_set(why, ERR_NOMEM, "%.150s: does not fit into memory", path);
    (void)fclose(file);
    if (e != OK)
        lines_close(l);
    return e;
}

bool lines_left(const struct lines *l)
{
    return l->at < l->text.len;
}

enum err lines_next(struct lines *l, struct slice *line, struct why *why)
{
    CHECK(l->at <= l->text.len);
    if (!lines_left(l))
        return why_set(why, ERR_NOT_FOUND, "%.150s: line %llu is missing: fewer lines than vectors",
                       l->path, (unsigned long long)l->number + 1);
    const uint8_t *start = l->text.ptr + l->at;
    size_t left = l->text.len - l->at;
    const uint8_t *end = memchr(start, '\n', left);
    size_t len = end == NULL ? left : (size_t)(end - start);
    l->at += len + (end != NULL);
    l->number++;
    *line = (struct slice){start, len > 0 && start[len - 1] == '\r' ? len - 1 : len};
    return OK;
}

void lines_close(struct lines *l)
{
    buf_fini(&l->text);
}
