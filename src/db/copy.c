#include "db/copy.h"

#include <float.h>
#include <math.h>

#include "base/limits.h"

enum {
    PUT_ELEMENTS = 512,  /* of one PUT, */
    PUT_BYTES = 1 << 20, /* and of its vectors, but for one at least */
    ELEMENT_SIZE = 40,   /* of an element besides its vector, id and attribute */
    MUTATION_SIZE = 64,  /* of a mutation besides its key and what it holds */
    SPEC_SIZE = 1024
};

static size_t elements_per_put(const struct collection *c)
{
    size_t fit = PUT_BYTES / c->exact.row_size;
    return fit == 0 ? 1 : fit < PUT_ELEMENTS ? fit : PUT_ELEMENTS;
}

static size_t partition_count(const struct collection *c)
{
    return c->partitions == NULL ? 1 : c->partitions->table->count;
}

/* The last PUT of each partition may be a small one. */
size_t copy_count(const struct collection *c)
{
    return collection_sums(c).count / elements_per_put(c) + 2 * partition_count(c);
}

size_t copy_size(const struct collection *c)
{
    struct partition_sums sums = collection_sums(c);
    size_t name = c->partitions == NULL ? 0 : LIMIT_PARTITION_NAME;
    return SPEC_SIZE + copy_count(c) * (MUTATION_SIZE + name) +
           sums.count * (c->exact.row_size + ELEMENT_SIZE) + sums.heap_bytes;
}

enum err copy_fits(size_t count, size_t size, struct why *why)
{
    if (count > LIMIT_COPY_ELEMENTS)
        return why_set(why, ERR_LIMIT,
                       "COPY, DUMP and RESTORE take collections of at most %d elements",
                       LIMIT_COPY_ELEMENTS);
    if (size > LIMIT_COPY_SIZE)
        return why_set(why, ERR_LIMIT,
                       "COPY, DUMP and RESTORE take collections of at most %d bytes",
                       LIMIT_COPY_SIZE);
    return OK;
}

/* -- making ------------------------------------------------------------------------------------ */

/* One PUT at a time. */
struct copier {
    struct collection_view view;
    struct mutation_element *elements;
    float *vectors; /* where codes are decoded to; NULL: there are exact ones */
    uint32_t *rows; /* partition by partition; NULL: there is _default alone, and all are its */
    size_t count;   /* of rows */
    size_t next;    /* those before have had their turn */
};

static void copier_fini(struct copier *p)
{
    mem_free(MEM_CLIENT, p->elements);
    mem_free(MEM_CLIENT, p->vectors);
    mem_free(MEM_CLIENT, p->rows);
}

/* False: memory is short. */
static bool list_rows(struct copier *p, const struct collection *c)
{
    const struct partitions *all = c->partitions;
    p->count = c->rows_end;
    if (all == NULL)
        return true;
    p->count = 0;
    for (uint32_t i = 0; i < all->table->count; i++)
        p->count += partitions_rows_count(all, all->table->names[i].number);
    p->rows = mem_try(MEM_CLIENT, (p->count + 1) * sizeof(*p->rows));
    if (p->rows == NULL)
        return false;
    size_t count = 0;
    for (uint32_t i = 0; i < all->table->count; i++)
        count += partitions_rows(all, all->table->names[i].number, p->rows + count);
    CHECK(count == p->count);
    return true;
}

static enum err copier_init(struct copier *p, struct db *db, struct collection *c)
{
    size_t count = elements_per_put(c);
    *p = (struct copier){0};
    db_view(db, c, &p->view);
    p->elements = mem_try_calloc(MEM_CLIENT, count * sizeof(*p->elements));
    if (!p->view.has_exact)
        p->vectors = mem_try(MEM_CLIENT, count * c->spec.dim * sizeof(float));
    if (p->elements != NULL && (p->view.has_exact || p->vectors != NULL) && list_rows(p, c))
        return OK;
    copier_fini(p);
    return ERR_NOMEM;
}

/* A vector as puts have it: FP32 of length 1 under COSINE, also where it is made of one bit each.
 */
static const void *vector_of(const struct copier *p, uint32_t row, size_t i)
{
    const struct codec *codec = p->view.exact.codec;
    if (p->view.has_exact)
        return view_stored(&p->view, row);
    float *vector = p->vectors + i * codec->dim;
    view_query(&p->view, row, vector);
    float length = sqrtf((float)codec->dim);
    for (uint32_t at = 0; at < codec->dim && codec->quant == QUANT_BIN; at++)
        vector[at] /= length;
    return vector;
}

/* The next elements of one partition; how many. */
static size_t next_elements(struct copier *p, size_t most, uint16_t *partition)
{
    const struct collection_view *v = &p->view;
    size_t count = 0;
    for (; p->next < p->count && count < most; p->next++) {
        uint32_t row = p->rows == NULL ? (uint32_t)p->next : p->rows[p->next];
        if (!row_visible(&v->exact, row))
            continue;
        if (count > 0 && view_partition(v, row) != *partition)
            break;
        struct slice attribute = view_attribute(v, row);
        *partition = view_partition(v, row);
        p->elements[count] = (struct mutation_element){
            .id = view_id(v, row),
            .vector = vector_of(p, row, count),
            .norm = view_norm(v, row),
            .expire_ms = view_expiry(v, row),
            .set_attribute = attribute.len > 0,
            .attribute = attribute,
        };
        count++;
    }
    return count;
}

/* Those beside _default. */
static enum err take_partitions(const struct collection *c, struct slice key,
                                enum err (*take)(void *user, const struct mutation *m), void *user)
{
    enum err e = OK;
    for (uint32_t i = 0; i < partition_count(c) && c->partitions != NULL && e == OK; i++) {
        const struct partition_name *one = &c->partitions->table->names[i];
        struct mutation m = {.kind = MUTATION_PARTITION_NEW, .key = key, .partition = one->name};
        if (one->number != PARTITION_DEFAULT)
            e = take(user, &m);
    }
    return e;
}

/* As the log has it. */
static struct slice name_of(const struct collection *c, uint16_t partition)
{
    return partition == PARTITION_DEFAULT ? (struct slice){0}
                                          : partition_table_name(c->partitions->table, partition);
}

enum err copy_each(struct db *db, struct collection *c, struct slice key,
                   enum err (*take)(void *user, const struct mutation *m), void *user)
{
    struct copier p;
    struct mutation made = {.kind = MUTATION_COLLECTION_NEW, .key = key, .spec = c->spec};
    size_t most = elements_per_put(c), sum = 0, count;
    uint16_t partition = PARTITION_DEFAULT;
    enum err e = copier_init(&p, db, c);
    if (e != OK)
        return e;
    e = take(user, &made);
    if (e == OK)
        e = take_partitions(c, key, take, user);
    while (e == OK && (count = next_elements(&p, most, &partition)) > 0) {
        struct mutation put = {.kind = MUTATION_PUT,
                               .key = key,
                               .partition = name_of(c, partition),
                               .dim = c->spec.dim,
                               .type = c->spec.type,
                               .elements = p.elements,
                               .count = count};
        e = take(user, &put);
        sum += count;
    }
    CHECK(sum <= collection_sums(c).count);
    copier_fini(&p);
    return e;
}

/* -- checking ---------------------------------------------------------------------------------- */

/* Is the length that an element says it had about the one that it has? */
static bool norm_fits(const struct collection_spec *spec, float norm, double square)
{
    if (spec->type == TYPE_FP32)
        return isfinite(norm) && norm >= 0;
    if (!type_normalises(spec->type, spec->metric))
        return norm == 1;
    double ratio = (double)norm / sqrt(square);
    return ratio > 0.5 && ratio < 2;
}

/* A number that is none, or a length whose square is none, would go on in every distance. */
static bool element_fits(const struct collection_spec *spec, const struct mutation_element *e)
{
    double square = type_square(spec->type, e->vector, spec->dim);
    bool cosine = spec->metric == METRIC_COSINE, unit = cosine && spec->type == TYPE_FP32;
    double most = (double)FLT_MAX / 8;
    if (cosine && !unit)
        most = (double)FLT_MAX * (double)FLT_MAX / 4; /* the length itself is a float */
    if (!(square <= most) || (cosine && square == 0 && !spec->implicit))
        return false;
    if (unit && square != 0 && !(square > 0.25 && square < 4))
        return false;
    return norm_fits(spec, e->norm, square) && e->id.len <= LIMIT_KEY_SIZE;
}

/* After the ones before, and before all elements. */
static bool add_partition(struct copy_check *check, struct slice name)
{
    size_t count = check->partition_count;
    if (check->spec.implicit || check->elements > 0 || count + 1 >= LIMIT_PARTITIONS ||
        (count > 0 && slice_cmp(check->partitions[count - 1], name) >= 0))
        return false;
    check->partitions[check->partition_count++] = name;
    return true;
}

static bool has_partition(const struct copy_check *check, struct slice name)
{
    size_t low = 0, high = check->partition_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (slice_cmp(check->partitions[middle], name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return name.len == 0 ||
           (low < check->partition_count && slice_eq(check->partitions[low], name));
}

static bool adds_entries(enum mutation_kind kind)
{
    return kind == MUTATION_HASH_SET || kind == MUTATION_LIST_PUSH || kind == MUTATION_SET_ADD ||
           kind == MUTATION_ZSET_ADD;
}

enum err copy_check(struct copy_check *check, const struct mutation *m, struct why *why)
{
    bool first = check->mutations++ == 0;
    if (first)
        check->kind = m->kind;
    bool has_entries = adds_entries(check->kind);
    if (has_entries && m->kind == check->kind && m->key.len == 0 && !m->replaces) {
        check->elements += m->count;
        return copy_fits(check->elements, 0, why);
    }
    if (first && m->kind == MUTATION_JSON_SET && m->key.len == 0 && m->path.len == 1) {
        return OK; /* nothing may come behind it, since no COLLECTION_NEW has */
    }
    bool fits = m->kind == MUTATION_PUT || m->kind == MUTATION_PARTITION_NEW;
    if (first)
        fits = m->kind == MUTATION_COLLECTION_NEW;
    if (has_entries || m->key.len > 0 || !fits)
        return why_set(why, ERR_CORRUPT, "%s where it does not belong", mutation_name(m->kind));
    if (first) {
        check->spec = m->spec;
        return OK;
    }
    if (m->kind == MUTATION_PARTITION_NEW)
        return add_partition(check, m->partition)
                   ? OK
                   : why_set(why, ERR_CORRUPT, "a partition where it does not belong");
    if (!has_partition(check, m->partition))
        return why_set(why, ERR_CORRUPT, "elements of a partition that is not there");
    if (m->creates || m->dim != check->spec.dim || m->type != check->spec.type || m->count == 0)
        return why_set(why, ERR_CORRUPT, "elements that do not fit their collection");
    for (size_t i = 0; i < m->count; i++)
        if (!element_fits(&check->spec, &m->elements[i]))
            return why_set(why, ERR_CORRUPT, "element %zu does not fit", check->elements + i);
    check->elements += m->count;
    return copy_fits(check->elements, 0, why);
}
