/* format_fbin.c: fbin, the format of the big-ann benchmarks, and fvecs, that of the TEXMEX sets. */
#include "tool/format_own.h"

static enum err fbin_open(struct source *s, struct why *why)
{
    uint32_t header[2];
    enum err e = source_take(s, header, sizeof(header), "the header", why);
    if (e == OK)
        e = source_set_dim(s, header[1], why);
    if (e == OK)
        e = source_check_size(s, sizeof(header), header[0], s->dim * sizeof(float), why);
    s->count = header[0];
    return e;
}

static enum err fbin_next(struct source *s, struct row *row, struct why *why)
{
    CHECK(s->vector != NULL && s->taken < s->count);
    enum err e = source_take(s, s->vector, s->dim * sizeof(float), "a vector", why);
    row->vector = e == OK ? s->vector : NULL;
    return e;
}

const struct source_ops fbin_ops = {fbin_open, fbin_next};

/* The first vector says how long all are; it is read again by the first next. */
static enum err fvecs_open(struct source *s, struct why *why)
{
    uint32_t dim;
    enum err e = source_take(s, &dim, sizeof(dim), "the first vector", why);
    if (e == OK)
        e = source_set_dim(s, dim, why);
    if (e != OK)
        return e;
    uint64_t row_size = sizeof(dim) + s->dim * sizeof(float);
    if (s->size % row_size != 0)
        return why_set(why, ERR_CORRUPT,
                       "%.150s: offset %llu: the file ends within a vector of %u "
                       "dimensions",
                       s->path, (unsigned long long)(s->size - s->size % row_size), s->dim);
    s->count = s->size / row_size;
    s->offset = 0;
    rewind(s->file);
    return OK;
}

static enum err fvecs_next(struct source *s, struct row *row, struct why *why)
{
    uint32_t dim;
    CHECK(s->offset == s->taken * (sizeof(dim) + s->dim * sizeof(float)));
    enum err e = source_take(s, &dim, sizeof(dim), "a vector's dimensions", why);
    if (e == OK && dim != s->dim)
        return why_set(why, ERR_CORRUPT,
                       "%.150s: offset %llu: a vector of %u dimensions among "
                       "those of %u",
                       s->path, (unsigned long long)(s->offset - sizeof(dim)), dim, s->dim);
    return e == OK ? fbin_next(s, row, why) : e;
}

const struct source_ops fvecs_ops = {fvecs_open, fvecs_next};
