#include "text/documents.h"

#include <string.h>

enum { FIRST_CHUNKS = 8, FIRST_SLOTS = 16, ROWS = 2 };
#define NO_VERSION UINT64_MAX

bool text_documents_init(struct text_documents *d, struct text_graves *graves,
                         size_t collection_count)
{
    *d = (struct text_documents){.graves = graves, .collection_count = collection_count};
    d->rows = mem_try_calloc(MEM_TEXT, collection_count * sizeof(*d->rows));
    return d->rows != NULL;
}

void text_documents_fini(struct text_documents *d)
{
    for (uint32_t i = 0; i < d->chunk_count; i++)
        mem_free(MEM_TEXT, d->chunks->of[i]);
    for (size_t i = 0; d->rows != NULL && i < d->collection_count; i++)
        mem_free(MEM_TEXT, d->rows[i]);
    mem_free(MEM_TEXT, d->rows);
    mem_free(MEM_TEXT, d->chunks);
    mem_free(MEM_TEXT, d->version_of);
    mem_free(MEM_TEXT, d->free_slots);
}

static void *take(struct text_documents *d, size_t size)
{
    void *ptr = mem_try(MEM_TEXT, size);
    if (ptr != NULL)
        d->bytes += mem_size(ptr);
    return ptr;
}

static void drop(struct text_documents *d, void *ptr)
{
    if (ptr != NULL)
        d->bytes -= mem_size(ptr);
    text_graves_add(d->graves, ptr);
}

/* -- slots ------------------------------------------------------------------------------------- */

static bool grow_rows(struct text_documents *d, size_t collection, uint32_t capacity)
{
    struct text_rows *old = d->rows[collection];
    if (old != NULL && old->capacity >= capacity)
        return true;
    struct text_rows *rows = take(d, sizeof(*rows) + (size_t)capacity * ROWS * sizeof(uint32_t));
    if (rows == NULL)
        return false;
    rows->capacity = capacity;
    for (size_t i = 0; i < (size_t)capacity * ROWS; i++) {
        bool had = old != NULL && i < (size_t)old->capacity * ROWS;
        uint32_t row = had ? atomic_load_explicit(&old->of[i], memory_order_relaxed) : TEXT_NO_ROW;
        atomic_store_explicit(&rows->of[i], row, memory_order_relaxed);
    }
    d->rows[collection] = rows;
    drop(d, old);
    return true;
}

static bool grow_slots(struct text_documents *d)
{
    uint32_t capacity = d->slot_capacity == 0 ? FIRST_SLOTS : 2 * d->slot_capacity;
    for (size_t i = 0; i < d->collection_count; i++)
        if (!grow_rows(d, i, capacity))
            return false;
    uint64_t *versions =
        mem_try_realloc(MEM_TEXT, d->version_of, capacity * sizeof(*d->version_of));
    if (versions == NULL)
        return false;
    d->version_of = versions;
    uint32_t *free_slots =
        mem_try_realloc(MEM_TEXT, d->free_slots, capacity * sizeof(*d->free_slots));
    if (free_slots == NULL)
        return false;
    d->free_slots = free_slots;
    d->bytes += (capacity - d->slot_capacity) * (sizeof(*versions) + sizeof(*free_slots));
    d->slot_capacity = capacity;
    return true;
}

uint32_t text_slot_take(struct text_documents *d)
{
    if (d->free_count == 0 && d->slots == d->slot_capacity && !grow_slots(d))
        return TEXT_NO_SLOT;
    uint32_t slot = d->free_count > 0 ? d->free_slots[--d->free_count] : d->slots++;
    d->version_of[slot] = NO_VERSION;
    for (size_t i = 0; i < d->collection_count; i++)
        for (size_t j = 0; j < ROWS; j++)
            atomic_store_explicit(&d->rows[i]->of[(size_t)slot * ROWS + j], TEXT_NO_ROW,
                                  memory_order_relaxed);
    return slot;
}

void text_slot_give(struct text_documents *d, uint32_t slot)
{
    CHECK(slot < d->slots && d->free_count < d->slot_capacity);
    CHECK(d->version_of[slot] == NO_VERSION);
    d->free_slots[d->free_count++] = slot;
}

void text_slot_set_row(struct text_documents *d, uint32_t slot, size_t collection, uint32_t row)
{
    CHECK(slot < d->slots && collection < d->collection_count);
    _Atomic uint32_t *at = &d->rows[collection]->of[(size_t)slot * ROWS];
    uint32_t old = atomic_load_explicit(at, memory_order_relaxed);
    if (old == row)
        return;
    atomic_store_explicit(at + 1, old, memory_order_release);
    atomic_store_explicit(at, row, memory_order_release);
}

/* -- versions ---------------------------------------------------------------------------------- */

static struct text_chunk *chunk_of(const struct text_documents *d, uint64_t version)
{
    uint64_t id = version / TEXT_CHUNK;
    uint32_t low = 0, high = d->chunk_count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (d->chunks->of[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < d->chunk_count && d->chunks->of[low]->id == id ? d->chunks->of[low] : NULL;
}

/* Another array with the chunks that are there, and room for more. */
static bool move_chunks(struct text_documents *d, uint32_t capacity)
{
    struct text_chunks *chunks = take(d, sizeof(*chunks) + capacity * sizeof(chunks->of[0]));
    if (chunks == NULL)
        return false;
    chunks->capacity = capacity;
    if (d->chunk_count > 0)
        memcpy(chunks->of, d->chunks->of, d->chunk_count * sizeof(chunks->of[0]));
    drop(d, d->chunks);
    d->chunks = chunks;
    return true;
}

bool text_version_prepare(struct text_documents *d)
{
    if (chunk_of(d, d->next) != NULL)
        return true;
    uint32_t capacity = d->chunks == NULL ? 0 : d->chunks->capacity;
    if (d->chunk_count == capacity && !move_chunks(d, capacity == 0 ? FIRST_CHUNKS : 2 * capacity))
        return false;
    struct text_chunk *chunk = take(d, sizeof(*chunk));
    if (chunk == NULL)
        return false;
    chunk->id = d->next / TEXT_CHUNK;
    chunk->count = 0;
    for (size_t i = 0; i < TEXT_CHUNK; i++) /* no version yet, or one that could not be added */
        atomic_store_explicit(&chunk->versions[i].death, 0, memory_order_relaxed);
    d->chunks->of[d->chunk_count++] = chunk;
    return true;
}

void text_version_add(struct text_documents *d, const struct text_version *v)
{
    struct text_chunk *chunk = chunk_of(d, d->next);
    CHECK(chunk != NULL && v->slot < d->slots && d->version_of[v->slot] == NO_VERSION);
    struct text_version *to = &chunk->versions[d->next % TEXT_CHUNK];
    to->digest = v->digest;
    to->slot = v->slot;
    to->length = v->length;
    to->frequency = v->frequency;
    to->score = v->score;
    atomic_store_explicit(&to->death, TEXT_ALIVE, memory_order_release);
    chunk->count++;
    d->version_of[v->slot] = d->next++;
    d->alive++;
    d->length += v->length;
}

void text_version_skip(struct text_documents *d)
{
    CHECK(chunk_of(d, d->next) != NULL);
    d->next++;
}

struct text_version *text_version_at(const struct text_documents *d, uint64_t version)
{
    struct text_chunk *chunk = chunk_of(d, version);
    return chunk == NULL ? NULL : &chunk->versions[version % TEXT_CHUNK];
}

struct text_version *text_version_of(const struct text_documents *d, uint32_t slot)
{
    CHECK(slot < d->slots);
    uint64_t version = d->version_of[slot];
    return version == NO_VERSION ? NULL : text_version_at(d, version);
}

void text_version_kill(struct text_documents *d, uint32_t slot, uint64_t lsn)
{
    struct text_version *v = text_version_of(d, slot);
    if (v == NULL)
        return;
    atomic_store_explicit(&v->death, lsn > 0 ? lsn : 1, memory_order_release);
    d->version_of[slot] = NO_VERSION;
    d->alive--;
    d->length -= v->length;
    d->dead++;
}

/* Whether a version is there and died by then: death 0 is none, or one that never came to be. */
static bool is_gone(const struct text_version *v, uint64_t lsn)
{
    uint64_t death = text_version_death(v);
    return death != 0 && death <= lsn;
}

/* Readers have the array as it is. Without memory for another the chunks stay until later. */
static void drop_empty_chunks(struct text_documents *d)
{
    uint32_t kept = 0;
    if (d->chunks == NULL || !move_chunks(d, d->chunks->capacity))
        return;
    for (uint32_t i = 0; i < d->chunk_count; i++) {
        struct text_chunk *chunk = d->chunks->of[i];
        if (chunk->count > 0 || chunk->id == d->next / TEXT_CHUNK)
            d->chunks->of[kept++] = chunk;
        else
            drop(d, chunk);
    }
    d->chunk_count = kept;
}

bool text_versions_collected(struct text_documents *d, uint64_t lsn, uint32_t *at)
{
    if (*at == d->chunk_count) {
        drop_empty_chunks(d);
        return true;
    }
    struct text_chunk *chunk = d->chunks->of[(*at)++];
    for (size_t i = 0; i < TEXT_CHUNK; i++) {
        if (!is_gone(&chunk->versions[i], lsn))
            continue;
        atomic_store_explicit(&chunk->versions[i].death, 0, memory_order_release);
        chunk->count--;
        d->dead--;
    }
    return false;
}
