#include "text/index.h"

#include "text/draft.h"
#include "text/stops.h"

struct text_index *text_index_new(struct epoch *epoch, const uint64_t seed[2],
                                  const struct text_options *options)
{
    struct text_index *x = mem_try_calloc(MEM_TEXT, sizeof(*x));
    if (x == NULL)
        return NULL;
    CHECK(options->format.field_count <= TEXT_FIELDS_MAX);
    x->graves.epoch = epoch;
    x->format = options->format;
    memcpy(x->no_stem, options->no_stem, sizeof(x->no_stem));
    text_terms_init(&x->terms, &x->graves, seed);
    bool documents = text_documents_init(&x->documents, &x->graves, options->collection_count);
    x->tokenizer = text_tokenizer_new();
    x->draft = text_draft_new(x);
    x->stops = text_stops_new(x->tokenizer, options->stop_words, options->stop_word_count);
    if (!documents || x->tokenizer == NULL || x->draft == NULL || x->stops == NULL) {
        text_index_free(x);
        return NULL;
    }
    return x;
}

void text_index_free(struct text_index *x)
{
    if (x == NULL)
        return;
    CHECK(x->graves.open == NULL);
    for (uint32_t i = 0; i < x->terms.count; i++)
        if (x->terms.terms[i] != NULL)
            text_postings_free(x->terms.terms[i]);
    text_terms_fini(&x->terms);
    text_documents_fini(&x->documents);
    text_tokenizer_free(x->tokenizer);
    text_stemmers_fini(&x->stemmers);
    text_stops_free(x->stops);
    text_draft_free(x->draft);
    mem_free(MEM_TEXT, x);
}

size_t text_index_bytes(const struct text_index *x)
{
    return sizeof(*x) + text_terms_bytes(&x->terms) + x->documents.bytes;
}

/* -- documents --------------------------------------------------------------------------------- */

uint32_t text_document_new(struct text_index *x)
{
    uint32_t slot = text_slot_take(&x->documents);
    text_graves_close(&x->graves);
    return slot;
}

bool text_document_digest(const struct text_index *x, uint32_t slot, uint64_t *out)
{
    const struct text_version *v = text_version_of(&x->documents, slot);
    if (v != NULL)
        *out = v->digest;
    return v != NULL;
}

struct dropped {
    struct epoch_item item;
    struct text_index *index;
    uint32_t slot;
};

static void on_dropped(struct epoch_item *item)
{
    struct dropped *d = (struct dropped *)item;
    text_slot_give(&d->index->documents, d->slot);
    mem_free(MEM_TEXT, d);
}

void text_document_drop(struct text_index *x, uint32_t slot, uint64_t lsn)
{
    struct dropped *d = mem_alloc(MEM_TEXT, sizeof(*d));
    text_version_kill(&x->documents, slot, lsn);
    d->index = x;
    d->slot = slot;
    epoch_defer(x->graves.epoch, &d->item, on_dropped);
}

/* -- collecting -------------------------------------------------------------------------------- */

static bool is_gone(void *user, uint64_t version)
{
    const struct text_index *x = ((const void *const *)user)[0];
    const struct text_collecting *c = ((const void *const *)user)[1];
    const struct text_version *v = text_version_at(&x->documents, version);
    return v == NULL || text_version_death(v) <= c->lsn;
}

bool text_collect_wanted(const struct text_index *x)
{
    enum { DEAD_MIN = 100, DEAD_SHARE = 8 };
    const struct text_documents *d = &x->documents;
    return d->dead >= DEAD_MIN && d->dead * DEAD_SHARE >= d->alive;
}

static void collect_term(struct text_index *x, struct text_collecting *c)
{
    struct text_term *term = x->terms.terms[c->term];
    const void *user[2] = {x, c};
    if (term == NULL) {
        c->term++;
        return;
    }
    struct text_collect collect = {
        .gone = is_gone, .user = user, .format = &x->format, .before = c->before};
    bool last = text_postings_collect(&x->terms, term, &collect);
    c->before = collect.before;
    c->failed |= collect.failed;
    x->records -= collect.records;
    x->collected += collect.bytes;
    if (!last)
        return;
    if (term->last == NULL && !text_terms_remove(&x->terms, term))
        c->failed = true;
    c->before = NULL;
    c->term++;
}

bool text_collect_step(struct text_index *x, struct text_collecting *c)
{
    bool done = false;
    if (c->term < x->terms.count)
        collect_term(x, c);
    else
        done = c->failed || text_versions_collected(&x->documents, c->lsn, &c->chunk);
    text_graves_close(&x->graves);
    return done;
}
