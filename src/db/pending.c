#include "db/pending.h"

void pending_init(struct pending *p, struct epoch *epoch)
{
    *p = (struct pending){.epoch = epoch};
}

static void free_list(struct pending_chunk *chunk)
{
    while (chunk != NULL) {
        struct pending_chunk *next = chunk->next;
        mem_free(MEM_ROW, chunk);
        chunk = next;
    }
}

void pending_fini(struct pending *p)
{
    free_list(p->first);
    free_list(p->spare);
    pending_init(p, p->epoch);
}

/* Places behind the tail in the last chunk. */
static size_t room(const struct pending *p)
{
    return p->last == NULL ? 0 : (size_t)(p->last->first + PENDING_CHUNK_ROWS - p->tail);
}

/* Makes sure that so many rows can be appended. */
static bool keep_places(struct pending *p, size_t count)
{
    while (room(p) + p->spare_count * PENDING_CHUNK_ROWS < count) {
        struct pending_chunk *chunk = mem_try(MEM_ROW, sizeof(*chunk));
        if (chunk == NULL)
            return false;
        chunk->next = p->spare;
        p->spare = chunk;
        p->spare_count++;
    }
    return true;
}

bool pending_reserve(struct pending *p, size_t count)
{
    size_t promised = count > p->promised ? count : p->promised;
    if (!keep_places(p, promised + p->owed))
        return false;
    p->promised = promised;
    return true;
}

bool pending_reserve_more(struct pending *p, size_t count)
{
    if (!keep_places(p, p->promised + count + p->owed))
        return false;
    p->promised += count;
    return true;
}

static void append_chunk(struct pending *p)
{
    struct pending_chunk *chunk = p->spare;
    CHECK(chunk != NULL && p->spare_count > 0);
    p->spare = chunk->next;
    p->spare_count--;
    chunk->next = NULL;
    chunk->first = p->tail;
    if (p->last == NULL)
        p->first = chunk;
    else
        p->last->next = chunk;
    p->last = chunk;
}

static void append(struct pending *p, uint32_t row)
{
    if (room(p) == 0)
        append_chunk(p);
    p->last->rows[p->tail - p->last->first] = row;
    p->tail++;
}

void pending_push(struct pending *p, uint32_t row)
{
    append(p, row);
    if (p->promised > 0)
        p->promised--;
}

bool pending_take(struct pending *p, uint32_t *row)
{
    if (p->taken == p->tail || !keep_places(p, p->promised + p->owed + 1))
        return false;
    if (p->taking == NULL)
        p->taking = p->first;
    while (p->taken >= p->taking->first + PENDING_CHUNK_ROWS)
        p->taking = p->taking->next;
    *row = p->taking->rows[p->taken - p->taking->first];
    p->taken++;
    p->owed++;
    return true;
}

void pending_settle(struct pending *p)
{
    CHECK(p->owed > 0);
    p->owed--;
}

void pending_return(struct pending *p, uint32_t row)
{
    pending_settle(p);
    append(p, row);
}

bool pending_head(const struct pending *p, uint32_t *row)
{
    if (p->head == p->taken)
        return false;
    *row = p->first->rows[p->head - p->first->first];
    return true;
}

static void free_chunk(struct epoch_item *item)
{
    mem_free(MEM_ROW, item);
}

void pending_drop_head(struct pending *p)
{
    CHECK(p->head < p->taken);
    p->head++;
    struct pending_chunk *first = p->first;
    if (p->head < first->first + PENDING_CHUNK_ROWS)
        return;
    p->first = first->next;
    if (p->first == NULL)
        p->last = NULL;
    if (p->taking == first)
        p->taking = p->first;
    epoch_defer(p->epoch, &first->item, free_chunk);
}

struct pending_span pending_span(const struct pending *p)
{
    return (struct pending_span){p->first, p->head, p->tail};
}

void pending_each(const struct pending_span *span,
                  void (*fn)(void *user, const uint32_t *rows, size_t count), void *user)
{
    const struct pending_chunk *chunk = span->chunk;
    for (uint64_t at = span->head; at < span->tail;) {
        CHECK(at >= chunk->first && at < chunk->first + PENDING_CHUNK_ROWS);
        uint64_t end = chunk->first + PENDING_CHUNK_ROWS;
        if (end > span->tail)
            end = span->tail;
        fn(user, &chunk->rows[at - chunk->first], (size_t)(end - at));
        at = end;
        if (at < span->tail)
            chunk = chunk->next;
    }
}
