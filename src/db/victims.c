#include "db/victims.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/rng.h"

enum {
    DRAWN = 8,      /* for each element that has to go */
    DRAWN_MIN = 64, /* and at least; a collection of no more is looked at as a whole */
    TIMES_MIN = 16
};

/* One that may go. */
struct candidate {
    uint64_t score; /* the highest goes first, */
    uint64_t birth; /* then the oldest */
    uint32_t row;
};

struct planning {
    struct collection *c;
    uint64_t now_ms;
    uint32_t *kept; /* rows that the put replaces, rising */
    size_t kept_count;
    size_t rows, bytes; /* that have to go */
    struct candidate *candidates;
    size_t count; /* of these, the first to go first */
};

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static int by_row(const void *a, const void *b)
{
    return by_number(&((const struct candidate *)a)->row, &((const struct candidate *)b)->row);
}

static int by_score(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->birth > y->birth) - (x->birth < y->birth);
}

static uint64_t lsn_at(const struct collection *c, enum collection_column column, uint32_t row)
{
    const _Atomic uint64_t *lsns = (const _Atomic uint64_t *)c->columns.base[column];
    return atomic_load_explicit(&lsns[row], memory_order_relaxed);
}

/* An element of a dropped partition is gone already. */
static bool is_there(const struct planning *p, uint32_t row)
{
    const struct partitions *all = p->c->partitions;
    return all == NULL || partitions_is_live(all, collection_partition(p->c, row));
}

static bool is_kept(const struct planning *p, uint32_t row)
{
    return p->kept_count > 0 &&
           bsearch(&row, p->kept, p->kept_count, sizeof(row), by_number) != NULL;
}

/* Bytes of the heap that go with the row. */
static size_t text_bytes(const struct collection *c, uint32_t row)
{
    static const enum collection_column refs[] = {COL_ID, COL_ATTR};
    size_t sum = 0;
    for (size_t i = 0; i < COUNT_OF(refs); i++) {
        heap_ref ref =
            atomic_load_explicit(column_ref(c->columns.base, refs[i], row), memory_order_relaxed);
        sum += ref == HEAP_NONE ? 0 : heap_record_size(heap_get(&c->heap, ref).len);
    }
    return sum;
}

/* -- how much has to go ------------------------------------------------------------------------ */

static bool note_kept(struct planning *p, const struct mutation *put)
{
    p->kept = mem_try(MEM_SCRATCH, put->count * sizeof(*p->kept));
    if (p->kept == NULL)
        return false;
    for (size_t i = 0; i < put->count; i++) {
        uint32_t row = collection_find(p->c, put->elements[i].id);
        if (row != ROW_NONE)
            p->kept[p->kept_count++] = row;
    }
    qsort(p->kept, p->kept_count, sizeof(*p->kept), by_number);
    size_t count = 0;
    for (size_t i = 0; i < p->kept_count; i++)
        if (count == 0 || p->kept[count - 1] != p->kept[i])
            p->kept[count++] = p->kept[i];
    p->kept_count = count;
    return true;
}

/* What the put adds at most: an id that comes twice counts twice. */
static size_t bytes_added(const struct planning *p, const struct mutation *put, size_t fresh)
{
    size_t sum = fresh * collection_row_bytes(p->c);
    for (size_t i = 0; i < put->count; i++) {
        const struct mutation_element *e = &put->elements[i];
        uint32_t row = collection_find(p->c, e->id);
        size_t text = heap_record_size(e->id.len) +
                      (e->attribute.len > 0 ? heap_record_size(e->attribute.len) : 0);
        size_t before = row == ROW_NONE ? 0 : text_bytes(p->c, row);
        sum += row == ROW_NONE || text > before ? text - before : 0;
    }
    return sum;
}

static void measure(struct planning *p, const struct mutation *put, size_t fresh)
{
    const struct spec_tuning *t = &p->c->spec.tuning;
    size_t len = collection_sums(p->c).count + fresh;
    if (t->max_len > 0 && len > t->max_len)
        p->rows = len - t->max_len;
    if (t->max_bytes == 0)
        return;
    size_t bytes = collection_element_bytes(p->c) + bytes_added(p, put, fresh);
    if (bytes > t->max_bytes)
        p->bytes = bytes - t->max_bytes;
}

/* -- who may go -------------------------------------------------------------------------------- */

static void note_candidate(struct planning *p, uint32_t row, const struct access *access)
{
    const struct aging *a = p->c->aging;
    if (is_kept(p, row) || !is_there(p, row))
        return;
    const _Atomic uint32_t *used =
        a == NULL ? NULL : (const _Atomic uint32_t *)(const void *)a->columns.base[AGE_ACCESS];
    uint64_t score = 0;
    if (a != NULL && aging_is_over(a, row, p->now_ms))
        score = UINT64_MAX;
    else if (used != NULL)
        score = access_score(access, atomic_load_explicit(&used[row], memory_order_relaxed));
    p->candidates[p->count++] = (struct candidate){score, lsn_at(p->c, COL_BIRTH, row), row};
}

/* LRU, LFU: drawn elements, or all of them when most are wanted. */
static bool draw(struct planning *p, size_t wanted)
{
    struct collection *c = p->c;
    struct access access = collection_access(c);
    bool all = wanted >= c->live / 2 || c->live <= DRAWN_MIN;
    size_t most = all ? c->live : wanted;
    uint64_t random = c->env->now_ms[0] ^ lsn_at(c, COL_BIRTH, 0) ^ c->live;
    p->candidates = mem_try(MEM_SCRATCH, (most + 1) * sizeof(*p->candidates));
    if (p->candidates == NULL)
        return false;
    p->count = 0;
    for (uint32_t row = 0; row < c->rows_end && all; row++)
        if (lsn_at(c, COL_BIRTH, row) != LSN_NEVER && lsn_at(c, COL_DEATH, row) == LSN_NEVER)
            note_candidate(p, row, &access);
    for (size_t i = 0; i < most && !all; i++)
        note_candidate(p, map_random(&c->ids, rng_next(&random)), &access);
    qsort(p->candidates, p->count, sizeof(*p->candidates), by_row);
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++)
        if (count == 0 || p->candidates[count - 1].row != p->candidates[i].row)
            p->candidates[count++] = p->candidates[i];
    p->count = count;
    qsort(p->candidates, p->count, sizeof(*p->candidates), by_score);
    return true;
}

/* TTL, and what has expired: in the order of their times. */
static bool list_times(struct planning *p, size_t wanted, bool due_only)
{
    const struct aging *a = p->c->aging;
    size_t most = a == NULL ? 0 : wanted < a->count ? wanted : a->count;
    uint32_t *rows = mem_try(MEM_SCRATCH, (most + 1) * sizeof(*rows));
    p->candidates = mem_try(MEM_SCRATCH, (most + 1) * sizeof(*p->candidates));
    size_t found = most == 0 || rows == NULL ? 0 : aging_soonest(a, most, rows);
    bool ok = rows != NULL && p->candidates != NULL && found != SIZE_MAX;
    p->count = 0;
    for (size_t i = 0; i < found && ok; i++)
        if (!is_kept(p, rows[i]) && is_there(p, rows[i]) &&
            (!due_only || aging_is_over(a, rows[i], p->now_ms)))
            p->candidates[p->count++] = (struct candidate){.row = rows[i]};
    mem_free(MEM_SCRATCH, rows);
    return ok;
}

/* -- the choice -------------------------------------------------------------------------------- */

/* How many of the candidates have to go; SIZE_MAX: all of them are not enough. */
static size_t enough(const struct planning *p)
{
    size_t count = 0, bytes = 0;
    while (count < p->rows || bytes < p->bytes) {
        if (count == p->count)
            return SIZE_MAX;
        bytes += collection_row_bytes(p->c) + text_bytes(p->c, p->candidates[count++].row);
    }
    return count;
}

static bool list_candidates(struct planning *p, size_t wanted)
{
    mem_free(MEM_SCRATCH, p->candidates);
    p->candidates = NULL;
    switch (p->c->spec.tuning.evict) {
    case EVICT_LRU:
    case EVICT_LFU:
        return draw(p, wanted);
    case EVICT_TTL:
        return list_times(p, wanted, false);
    case EVICT_REFUSE:
        return list_times(p, wanted, true);
    case EVICTION_COUNT:
        break;
    }
    CHECK(false);
    return false;
}

static enum err refuse(const struct planning *p, struct why *why)
{
    const struct spec_tuning *t = &p->c->spec.tuning;
    bool len = p->rows > 0;
    const char *what = t->evict == EVICT_REFUSE
                           ? "remove elements, raise it with VALTER, or let it "
                             "EVICT"
                       : t->evict == EVICT_TTL ? "too few of its elements expire: raise it with "
                                                 "VALTER, or EVICT LRU"
                                               : "the elements of one put alone exceed it";
    return why_set(why, ERR_LIMIT, "the collection is full: %s is %" PRIu64 "; %s",
                   len ? "MAXLEN" : "MAXBYTES", len ? t->max_len : t->max_bytes, what);
}

static bool take_ids(const struct planning *p, size_t count, struct victims *out)
{
    out->ids = mem_try(MEM_SCRATCH, count * sizeof(*out->ids));
    if (out->ids == NULL)
        return false;
    for (size_t i = 0; i < count; i++) {
        heap_ref ref = atomic_load_explicit(
            column_ref(p->c->columns.base, COL_ID, p->candidates[i].row), memory_order_relaxed);
        out->ids[i] = heap_get(&p->c->heap, ref);
    }
    out->count = count;
    return true;
}

enum err victims_plan(struct collection *c, const struct mutation *put, size_t fresh,
                      struct victims *out, struct why *why)
{
    struct planning p = {.c = c, .now_ms = *c->env->now_ms};
    *out = (struct victims){0};
    measure(&p, put, fresh);
    if (p.rows == 0 && p.bytes == 0)
        return OK;
    size_t row_bytes = collection_row_bytes(c), count = SIZE_MAX;
    size_t wanted = p.rows > p.bytes / row_bytes + 1 ? p.rows : p.bytes / row_bytes + 1;
    wanted = wanted * DRAWN + DRAWN_MIN;
    enum err e = note_kept(&p, put) ? OK : ERR_NOMEM;
    /* The more, the fewer are left out: once all are looked at it is known whether they suffice. */
    for (bool last = false; e == OK && count == SIZE_MAX && !last; wanted *= 4) {
        last = wanted >= c->live;
        e = list_candidates(&p, wanted) ? OK : ERR_NOMEM;
        if (e == OK)
            count = enough(&p);
    }
    if (e == OK && count == SIZE_MAX)
        e = refuse(&p, why);
    if (e == OK && !take_ids(&p, count, out))
        e = ERR_NOMEM;
    mem_free(MEM_SCRATCH, p.candidates);
    mem_free(MEM_SCRATCH, p.kept);
    return e;
}

void victims_fini(struct victims *v)
{
    mem_free(MEM_SCRATCH, v->ids);
    *v = (struct victims){0};
}
