#include "db/index_text.h"

#include "base/rng.h"
#include "db/background.h"
#include "text/ahead.h"

enum { SLICE_US = 200, GAP_US = 300, LOOK_EVERY = 8, COLLECT_AFTER_US = 100 * 1000 };

/* owner: whoever asked for it */
struct index_ahead {
    struct index_ahead *next, **link; /* of the index; NULL: it is gone */
    struct text_ahead *read;
    bool failed;
};

struct index_text {
    struct epoch_item item; /* of collecting, then of the end */
    struct job end_job;
    struct db *db;
    struct text_index *index;
    struct io_timer timer;
    struct text_collecting collecting;
    struct retired *retired; /* once it is dropped */
    size_t retired_bytes;
    struct index_ahead *ahead; /* those that are under way, or wait for their document */
    bool collects;             /* the timer runs, or the item waits */
    bool waits;                /* the item is in the epoch */
    bool dropped;
};

struct text_index *index_text_of(const struct index_text *t)
{
    return t->index;
}

size_t index_text_bytes(const struct index_text *t)
{
    return text_index_bytes(t->index);
}

/* -- making ------------------------------------------------------------------------------------ */

static void set_options(const struct index_spec *spec, struct text_options *o)
{
    *o = (struct text_options){.collection_count = spec->vector_count + 1};
    o->format = (struct text_format){.field_count = (uint32_t)spec->text_count,
                                     .fields = spec->text_count > 1 && !spec->no_fields,
                                     .freqs = !spec->no_frequencies,
                                     .positions = !spec->no_offsets};
    for (size_t i = 0; i < spec->field_count; i++) {
        const struct index_field *f = &spec->fields[i];
        if (f->kind != INDEX_TEXT)
            continue;
        o->format.weights[f->text_number] = f->weight >= 1 ? (uint32_t)f->weight : 1;
        o->no_stem[f->text_number] = f->no_stem;
    }
    o->stop_words = spec->stop_words;
    o->stop_word_count = spec->stop_word_count;
}

struct index_text *index_text_new(struct db *db, const struct index_spec *spec)
{
    struct text_options *options = mem_try(MEM_SCRATCH, sizeof(*options));
    struct slice words[TEXT_STOP_WORD_COUNT];
    struct index_text *t = mem_try_calloc(MEM_TEXT, sizeof(*t));
    if (options != NULL && t != NULL) {
        set_options(spec, options);
        if (!spec->own_stop_words) {
            text_usual_stop_words(words);
            options->stop_words = words;
            options->stop_word_count = TEXT_STOP_WORD_COUNT;
        }
        t->db = db;
        t->index = text_index_new(&db->epoch, db->env.hash_seed, options);
    }
    mem_free(MEM_SCRATCH, options);
    if (t != NULL && t->index == NULL) {
        mem_free(MEM_TEXT, t);
        return NULL;
    }
    return t;
}

/* -- texts ahead of their documents ------------------------------------------------------------ */

struct index_ahead *index_ahead_new(struct key_index *x, const struct index_field *f,
                                    struct slice text)
{
    struct index_ahead *a = mem_try_calloc(MEM_TEXT, sizeof(*a));
    CHECK(f->kind == INDEX_TEXT && x->text != NULL);
    if (a == NULL)
        return NULL;
    a->read = text_ahead_new(x->text->index, x->spec->language, f->text_number, text);
    if (a->read == NULL) {
        mem_free(MEM_TEXT, a);
        return NULL;
    }
    a->link = &x->text->ahead;
    a->next = x->text->ahead;
    if (a->next != NULL)
        a->next->link = &a->next;
    x->text->ahead = a;
    return a;
}

static void leave(struct index_ahead *a)
{
    if (a->link == NULL)
        return;
    *a->link = a->next;
    if (a->next != NULL)
        a->next->link = a->link;
    a->next = NULL;
    a->link = NULL;
}

bool index_ahead_step(struct index_ahead *a)
{
    bool done = true;
    if (a->link == NULL || a->failed)
        return true;
    a->failed = text_ahead_step(a->read, &done) != OK;
    return done || a->failed;
}

void index_ahead_free(struct index_ahead *a)
{
    if (a == NULL)
        return;
    leave(a);
    text_ahead_free(a->read);
    mem_free(MEM_TEXT, a);
}

static enum err put_field(struct key_index *x, const struct index_document *d, unsigned field,
                          struct slice text)
{
    for (struct index_ahead *a = x->text->ahead; a != NULL; a = a->next)
        if (!a->failed && text_ahead_is(a->read, d->language, field, text))
            return text_put_ahead(x->text->index, a->read);
    return text_put_field(x->text->index, field, text);
}

/* -- the end ----------------------------------------------------------------------------------- */

static struct index_text *of_job(struct job *job)
{
    return (struct index_text *)((char *)job - offsetof(struct index_text, end_job));
}

static void free_words(struct job *job, struct lane *lane)
{
    (void)lane;
    text_index_free(of_job(job)->index);
}

static void free_rest(struct job *job)
{
    struct index_text *t = of_job(job);
    CHECK(t->retired->bytes >= t->retired_bytes);
    t->retired->bytes -= t->retired_bytes;
    retired_leave(t->retired);
    mem_free(MEM_TEXT, t);
}

static void on_end(struct epoch_item *item)
{
    struct index_text *t = (struct index_text *)item;
    struct io *io = t->db->background.io;
    t->end_job = (struct job){.run = free_words, .done = free_rest, .class = JOB_LINK};
    io->ops->submit(io, &t->end_job);
}

void index_text_drop(struct index_text *t)
{
    if (t == NULL)
        return;
    CHECK(!t->dropped);
    t->dropped = true;
    while (t->ahead != NULL)
        leave(t->ahead);
    t->db->io->ops->timer_stop(t->db->io, &t->timer);
    t->retired_bytes = index_text_bytes(t);
    t->retired = t->db->background.retired;
    t->retired->bytes += t->retired_bytes;
    t->retired->users++;
    if (!t->waits) /* otherwise the item comes first */
        epoch_defer(&t->db->epoch, &t->item, on_end);
}

/* -- collecting -------------------------------------------------------------------------------- */

static void on_collect(struct io_timer *timer)
{
    struct index_text *t = timer->user;
    struct io *io = t->db->io;
    uint64_t end = io->ops->mono_us(io) + SLICE_US;
    bool done = false;
    /* Terms without postings may be those of a text that is read ahead. */
    for (unsigned i = 1; !done && t->ahead == NULL; i++) {
        done = text_collect_step(t->index, &t->collecting);
        if (i % LOOK_EVERY == 0 && io->ops->mono_us(io) >= end)
            break;
    }
    t->collects = !done;
    if (!done)
        io->ops->timer_start(io, timer, GAP_US);
}

/* No reader is left of those that may see what is dead. */
static void on_quiet(struct epoch_item *item)
{
    struct index_text *t = (struct index_text *)item;
    t->waits = false;
    if (t->dropped)
        epoch_defer(&t->db->epoch, &t->item, on_end);
    else
        t->db->io->ops->timer_start(t->db->io, &t->timer, COLLECT_AFTER_US);
}

static void collect_if_wanted(struct index_text *t)
{
    if (t->collects || !text_collect_wanted(t->index))
        return;
    t->collects = t->waits = true;
    t->collecting = (struct text_collecting){.lsn = t->db->log.last_lsn};
    t->timer = (struct io_timer){.fn = on_collect, .user = t};
    epoch_defer(&t->db->epoch, &t->item, on_quiet);
}

/* -- documents --------------------------------------------------------------------------------- */

/* The number behind {"d": in an attribute. */
static uint32_t slot_in(struct slice attribute)
{
    static const char head[] = "{\"" INDEX_TEXT_SLOT "\":";
    enum { HEAD = sizeof(head) - 1 };
    uint32_t slot = 0;
    if (attribute.len <= HEAD || memcmp(attribute.ptr, head, HEAD) != 0)
        return TEXT_NO_SLOT;
    for (size_t i = HEAD; i < attribute.len && attribute.ptr[i] >= '0' && attribute.ptr[i] <= '9';
         i++)
        slot = slot * 10 + (uint32_t)(attribute.ptr[i] - '0');
    return slot;
}

uint32_t index_text_row_slot(const struct collection_view *v, uint32_t row)
{
    if (v->has_fields) {
        struct field_cell cell = field_read(SCHEMA_NUMERIC, v->field_base[0], row);
        if (cell.state == FIELD_VALUE)
            return (uint32_t)cell.number;
    }
    return slot_in(view_attribute(v, row));
}

uint32_t index_text_find(const struct key_index *x, struct slice key)
{
    uint32_t row = collection_find(x->docs, key);
    return row == ROW_NONE ? TEXT_NO_SLOT : slot_in(collection_attribute(x->docs, row));
}

enum err index_text_slot(const struct key_index *x, struct slice key, uint32_t *slot)
{
    *slot = index_text_find(x, key);
    if (*slot == TEXT_NO_SLOT)
        *slot = text_document_new(x->text->index);
    return *slot == TEXT_NO_SLOT ? ERR_NOMEM : OK;
}

/* Of everything that decides what is indexed. */
static uint64_t digest_of(const struct index_document *d)
{
    uint64_t seed[2] = {(uint64_t)d->language + 1, 0};
    memcpy(&seed[1], &d->score, sizeof(d->score));
    const struct index_piece *pieces = (const struct index_piece *)(const void *)d->pieces.ptr;
    for (size_t i = 0; i < d->pieces.len / sizeof(*pieces); i++) {
        seed[0] ^= hash_bytes((struct slice){d->texts.ptr + pieces[i].at, pieces[i].size}, seed) +
                   pieces[i].field;
        seed[1]++;
    }
    return seed[0];
}

bool index_text_is(const struct key_index *x, uint32_t slot)
{
    uint64_t digest;
    return slot != TEXT_NO_SLOT && text_document_digest(x->text->index, slot, &digest) &&
           digest == digest_of(&x->document);
}

enum err index_text_put(struct key_index *x, uint32_t slot, uint64_t lsn)
{
    struct text_index *t = x->text->index;
    const struct index_document *d = &x->document;
    const struct index_piece *pieces = (const struct index_piece *)(const void *)d->pieces.ptr;
    enum err e = OK;
    if (index_text_is(x, slot))
        return OK;
    text_put_begin(t, d->language, (float)d->score, digest_of(d));
    for (size_t i = 0; i < d->pieces.len / sizeof(*pieces) && e == OK; i++)
        e = put_field(x, d, pieces[i].field,
                      (struct slice){d->texts.ptr + pieces[i].at, pieces[i].size});
    if (e == OK)
        e = text_put_end(t, slot, lsn);
    collect_if_wanted(x->text);
    return e;
}

static void note_row(struct text_documents *d, uint32_t slot, size_t number, struct collection *c,
                     struct slice key)
{
    uint32_t row = collection_find(c, key);
    if (row != ROW_NONE)
        text_slot_set_row(d, slot, number, row);
}

void index_text_note_rows(struct key_index *x, uint32_t slot, struct slice key)
{
    struct text_documents *d = &x->text->index->documents;
    note_row(d, slot, 0, x->docs, key);
    for (size_t i = 0; i < x->spec->vector_count; i++)
        note_row(d, slot, i + 1, x->vectors[i], key);
}

void index_text_forget(struct key_index *x, struct slice key, uint32_t slot, uint64_t lsn)
{
    uint32_t known = index_text_find(x, key);
    if (known == TEXT_NO_SLOT)
        known = slot;
    if (known == TEXT_NO_SLOT)
        return;
    text_document_drop(x->text->index, known, lsn);
    collect_if_wanted(x->text);
}
