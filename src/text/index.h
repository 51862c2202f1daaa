/* index.h: the texts of an index's documents, by their words.
 *
 * A document is put with all its texts at once (text_put_begin, text_put_field for each, then
 * text_put_end); what it had before dies with it. Reading is by a view, which the loop takes under
 * an epoch guard: match.h. What is dead is collected in slices (text_collect_*), as soon as no view
 * can hold it.
 *
 * Beside a word its stem is indexed, marked as one, when it differs; README.md says why.
 *
 * owner: loop, but for what views read. */
#ifndef VDB_TEXT_INDEX_H
#define VDB_TEXT_INDEX_H

#include "text/documents.h"
#include "text/language.h"
#include "text/postings.h"
#include "text/tokens.h"

enum { TEXT_STEM_MARK = 1 /* a byte that no word has: it separates them, and is not escaped */ };

/* What is set when an index is made. */
struct text_options {
    struct text_format format;
    bool no_stem[TEXT_FIELDS_MAX];
    const struct slice *stop_words; /* as they were given; copied */
    size_t stop_word_count;
    size_t collection_count; /* whose rows documents have */
};

struct text_stops; /* words that are left out */
struct text_draft; /* the document that is being put */

struct text_index {
    struct text_graves graves;
    struct text_format format;
    bool no_stem[TEXT_FIELDS_MAX];
    struct text_terms terms;
    struct text_documents documents;
    struct text_tokenizer *tokenizer;
    struct text_stemmers stemmers;
    struct text_stops *stops;
    struct text_draft *draft;
    uint64_t records;   /* postings, with those not collected yet */
    uint64_t places;    /* of words, in all postings that were ever appended */
    uint64_t collected; /* bytes, by collecting */
};

/* NULL: memory is short. */
MUST_USE struct text_index *text_index_new(struct epoch *epoch, const uint64_t seed[2],
                                           const struct text_options *options);
/* No reader is left, and nothing of it waits in the epoch. */
void text_index_free(struct text_index *x);
size_t text_index_bytes(const struct text_index *x);

/* -- documents --------------------------------------------------------------------------------- */

/* digest: of all that the document's texts are, for text_document_digest. */
void text_put_begin(struct text_index *x, enum text_language language, float score,
                    uint64_t digest);
/* ERR_NOMEM. */
MUST_USE enum err text_put_field(struct text_index *x, unsigned field, struct slice text);
/* The document of a slot has these texts from lsn on. ERR_NOMEM: it has what it had before. */
MUST_USE enum err text_put_end(struct text_index *x, uint32_t slot, uint64_t lsn);
/* Of the document's texts as they are; false: it has none. */
bool text_document_digest(const struct text_index *x, uint32_t slot, uint64_t *out);
/* A slot for a new document; TEXT_NO_SLOT: memory is short. */
uint32_t text_document_new(struct text_index *x);
/* The document is gone at lsn; its slot comes back when no reader can hold it. */
void text_document_drop(struct text_index *x, uint32_t slot, uint64_t lsn);

/* Is a word (folded) left out? */
bool text_is_stop_word(const struct text_index *x, struct slice word);

/* -- collecting -------------------------------------------------------------------------------- */

/* owner: caller; all zero at first */
struct text_collecting {
    uint64_t lsn;  /* what died at or before it, and nobody can see any more */
    uint32_t term; /* number */
    uint32_t chunk;
    struct text_block *before;
    bool terms_done;
    bool failed; /* memory was short: what is dead stays until the next time */
};

/* Is there enough that it is worth it? */
bool text_collect_wanted(const struct text_index *x);
/* A little of it, some microseconds; true: it is done. */
bool text_collect_step(struct text_index *x, struct text_collecting *c);

#endif
