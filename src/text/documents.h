/* documents.h: the documents of an index, and the versions of their text.
 *
 * A document has a slot for as long as it is there: a small number that rows of collections carry.
 * Each new text of it is a version: numbers that only rise, so postings are appended in order. A
 * version dies at an LSN; who reads at one before still sees it. Versions stand in chunks of 256,
 * which go when the last of theirs has been collected.
 *
 * Beside a slot stands, for each collection, the row that the document has there, and the one it
 * had before: a hint, which readers verify.
 *
 * owner: loop; lanes read through struct text_view. */
#ifndef VDB_TEXT_DOCUMENTS_H
#define VDB_TEXT_DOCUMENTS_H

#include <stdatomic.h>

#include "base/mem.h"
#include "text/graves.h"

enum { TEXT_CHUNK = 256 /* versions; a power of two */ };
#define TEXT_ALIVE UINT64_MAX
#define TEXT_NO_SLOT UINT32_MAX
#define TEXT_NO_ROW UINT32_MAX

struct text_version {
    _Atomic uint64_t death; /* LSN; TEXT_ALIVE */
    uint64_t digest;        /* of its text, to know whether it has changed */
    uint32_t slot;
    uint32_t length;    /* words */
    uint32_t frequency; /* of its most frequent word */
    float score;
};

struct text_chunk {
    uint64_t id;    /* version / TEXT_CHUNK */
    uint32_t count; /* that are not collected; the loop's alone */
    struct text_version versions[TEXT_CHUNK];
};

/* Chunks by id, ascending. What is below a reader's count does not change. */
struct text_chunks {
    uint32_t capacity;
    struct text_chunk *of[];
};

/* Rows by slot: now and before. */
struct text_rows {
    uint32_t capacity;
    _Atomic uint32_t of[];
};

struct text_documents {
    struct text_graves *graves;
    struct text_chunks *chunks;
    uint32_t chunk_count;
    uint64_t next;        /* version */
    uint64_t *version_of; /* by slot; the loop's alone */
    uint32_t slots;       /* ever used */
    uint32_t slot_capacity;
    uint32_t *free_slots;
    uint32_t free_count;
    struct text_rows **rows; /* by collection */
    size_t collection_count;
    uint64_t alive;  /* documents */
    uint64_t length; /* of all texts that are alive, in words */
    uint64_t dead;   /* versions not collected yet */
    size_t bytes;
};

/* ERR_NOMEM as false; text_documents_fini in any case. */
MUST_USE bool text_documents_init(struct text_documents *d, struct text_graves *graves,
                                  size_t collection_count);
/* No reader is left. */
void text_documents_fini(struct text_documents *d);

/* A slot for a new document; TEXT_NO_SLOT: memory is short. */
uint32_t text_slot_take(struct text_documents *d);
/* Nobody can read it any more. */
void text_slot_give(struct text_documents *d, uint32_t slot);
void text_slot_set_row(struct text_documents *d, uint32_t slot, size_t collection, uint32_t row);

/* Sets the next version aside, with its number; false: memory is short. */
MUST_USE bool text_version_prepare(struct text_documents *d);
/* It is there from now on. */
void text_version_add(struct text_documents *d, const struct text_version *v);
/* The version of a slot dies. */
void text_version_kill(struct text_documents *d, uint32_t slot, uint64_t lsn);
/* NULL: the slot has no text. */
struct text_version *text_version_of(const struct text_documents *d, uint32_t slot);
/* NULL: it has been collected. */
struct text_version *text_version_at(const struct text_documents *d, uint64_t version);
/* A number that is not to be one: memory was short after some postings had it. */
void text_version_skip(struct text_documents *d);
/* No posting has a version any more that died at or before lsn: chunk *at forgets its own, and *at
 * goes on. True: it was the last, and empty ones are gone. */
bool text_versions_collected(struct text_documents *d, uint64_t lsn, uint32_t *at);

static inline uint64_t text_version_death(const struct text_version *v)
{
    return atomic_load_explicit(&((struct text_version *)(uintptr_t)v)->death,
                                memory_order_acquire);
}

#endif
