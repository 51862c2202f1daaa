/* format_npy.c: NumPy's array file. "\x93NUMPY", version, length of the header (u16, from version 2
 * on u32), the header as a Python literal, then the numbers:
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (10, 4), }
 * Source: numpy.lib.format of NumPy's manual. */
#include <string.h>

#include "base/mem.h"
#include "tool/format_own.h"

enum { NPY_HEADER_MAX = 64 * 1024 };

/* What stands behind 'key': in the header, blanks skipped, or NULL. */
static const char *header_value(const char *header, const char *key)
{
    const char *at = strstr(header, key);
    if (at == NULL)
        return NULL;
    at += strlen(key);
    at += strspn(at, " ");
    if (*at != ':')
        return NULL;
    return at + 1 + strspn(at + 1, " ");
}

static bool read_number(const char **at, uint64_t *out)
{
    size_t len = strspn(*at, "0123456789");
    bool ok = slice_to_u64((struct slice){(const uint8_t *)*at, len}, out);
    *at += len;
    return ok;
}

/* "(10, 4)" */
static bool read_shape(const char *at, uint64_t *count, uint64_t *dim)
{
    if (*at++ != '(' || !read_number(&at, count))
        return false;
    at += strspn(at, " ");
    if (*at++ != ',')
        return false;
    at += strspn(at, " ");
    if (!read_number(&at, dim))
        return false;
    at += strspn(at, " ,");
    return *at == ')';
}

static enum err parse_header(struct source *s, const char *header, struct why *why)
{
    const char *descr = header_value(header, "'descr'");
    const char *order = header_value(header, "'fortran_order'");
    const char *shape = header_value(header, "'shape'");
    uint64_t dim;
    if (descr == NULL || order == NULL || shape == NULL)
        return why_set(why, ERR_CORRUPT, "%.150s: the header lacks descr, fortran_order or shape",
                       s->path);
    bool is_f4 = strncmp(descr, "'<f4'", 5) == 0, is_f8 = strncmp(descr, "'<f8'", 5) == 0;
    if (!is_f4 && !is_f8)
        return why_set(why, ERR_UNSUPPORTED,
                       "%.150s: holds %.*s; float32 (<f4) and float64 (<f8) "
                       "are read",
                       s->path, (int)strcspn(descr, ",}"), descr);
    if (strncmp(order, "False", 5) != 0)
        return why_set(why, ERR_UNSUPPORTED,
                       "%.150s: is in Fortran order; save "
                       "numpy.ascontiguousarray(a)",
                       s->path);
    if (!read_shape(shape, &s->count, &dim))
        return why_set(why, ERR_UNSUPPORTED,
                       "%.150s: has shape %.*s; a matrix (vectors, "
                       "dimensions) is read",
                       s->path, (int)strcspn(shape, "}"), shape);
    enum err e = source_set_dim(s, dim, why);
    if (e == OK && is_f8)
        s->doubles = mem_alloc(MEM_SERVER, s->dim * sizeof(double));
    if (e != OK)
        return e;
    return source_check_size(s, s->offset, s->count, s->dim * (is_f8 ? 8u : 4u), why);
}

static enum err npy_open(struct source *s, struct why *why)
{
    uint8_t start[8];
    uint32_t len = 0;
    enum err e = source_take(s, start, sizeof(start), "the header", why);
    if (e != OK)
        return e;
    if (memcmp(start, "\x93NUMPY", 6) != 0 || start[6] < 1 || start[6] > 3)
        return why_set(why, ERR_CORRUPT, "%.150s: is no npy file of version 1, 2 or 3", s->path);
    e = source_take(s, &len, start[6] == 1 ? 2 : 4, "the header", why);
    if (e != OK)
        return e;
    if (len > NPY_HEADER_MAX)
        return why_set(why, ERR_LIMIT, "%.150s: a header of %u bytes; at most %d are read", s->path,
                       len, NPY_HEADER_MAX);
    char *header = mem_alloc(MEM_SERVER, (size_t)len + 1);
    e = source_take(s, header, len, "the header", why);
    header[e == OK ? len : 0] = '\0';
    if (e == OK)
        e = parse_header(s, header, why);
    mem_free(MEM_SERVER, header);
    return e;
}

static enum err npy_next(struct source *s, struct row *row, struct why *why)
{
    CHECK(s->vector != NULL && s->taken < s->count);
    enum err e;
    if (s->doubles == NULL)
        e = source_take(s, s->vector, s->dim * sizeof(float), "a vector", why);
    else
        e = source_take(s, s->doubles, s->dim * sizeof(double), "a vector", why);
    for (size_t i = 0; e == OK && s->doubles != NULL && i < s->dim; i++)
        s->vector[i] = (float)s->doubles[i];
    row->vector = e == OK ? s->vector : NULL;
    return e;
}

const struct source_ops npy_ops = {npy_open, npy_next};
