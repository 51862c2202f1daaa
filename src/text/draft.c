/* A document's words gather by term: a table of groups, each a chain of places in the order in
 * which they came. Then each group is one posting. */
#include "text/draft.h"
#include "text/stops.h"

enum { FIRST_WORDS = 64 };
#define NONE UINT32_MAX

/* A word of the document. */
struct place {
    uint32_t position;
    uint32_t next; /* of the same term; NONE */
    uint32_t field;
};

struct group {
    struct text_term *term;
    uint32_t first, last; /* in places */
};

struct text_draft {
    struct text_index *index;
    enum text_language language;
    float score;
    uint64_t digest;
    struct place *places;
    struct group *groups;
    uint32_t *table; /* of groups + 1, by term number */
    uint32_t place_count, place_capacity;
    uint32_t group_count, group_capacity, table_bits;
    uint32_t length; /* words, without stems */
    uint32_t field;  /* that is read now; without fields in records, 0 */
    bool stems;
    uint32_t position;
    struct buf record, stem;

    struct place *packed; /* while places are packed; NULL otherwise */
    uint32_t packed_count, packed_groups, pack_at;
};

struct text_draft *text_draft_new(struct text_index *index)
{
    struct text_draft *d = mem_try_calloc(MEM_TEXT, sizeof(*d));
    if (d != NULL) {
        d->index = index;
        d->record = d->stem = BUF_INIT(MEM_TEXT);
    }
    return d;
}

void text_draft_free(struct text_draft *d)
{
    if (d == NULL)
        return;
    mem_free(MEM_TEXT, d->places);
    mem_free(MEM_TEXT, d->packed);
    mem_free(MEM_TEXT, d->groups);
    mem_free(MEM_TEXT, d->table);
    buf_fini(&d->record);
    buf_fini(&d->stem);
    mem_free(MEM_TEXT, d);
}

bool text_is_stop_word(const struct text_index *x, struct slice word)
{
    return text_stops_have(x->stops, word);
}

/* -- gathering --------------------------------------------------------------------------------- */

static void begin(struct text_draft *d, enum text_language language)
{
    d->language = language;
    d->place_count = d->group_count = d->length = d->position = 0;
    if (d->table != NULL)
        memset(d->table, 0, ((size_t)1 << d->table_bits) * sizeof(*d->table));
}

void text_put_begin(struct text_index *x, enum text_language language, float score, uint64_t digest)
{
    begin(x->draft, language);
    x->draft->score = score;
    x->draft->digest = digest;
}

static uint32_t *table_place(const struct text_draft *d, uint32_t term)
{
    uint32_t mask = ((uint32_t)1 << d->table_bits) - 1;
    uint32_t at = (term * 2654435769u) >> (32 - d->table_bits);
    while (d->table[at] != 0 && d->groups[d->table[at] - 1].term->number != term)
        at = (at + 1) & mask;
    return &d->table[at];
}

/* Twice as many places for groups as there will be, at least. */
static bool grow_groups(struct text_draft *d)
{
    if (d->group_count < d->group_capacity)
        return true;
    uint32_t capacity = d->group_capacity == 0 ? FIRST_WORDS : 2 * d->group_capacity;
    struct group *groups = mem_try_realloc(MEM_TEXT, d->groups, capacity * sizeof(*groups));
    if (groups == NULL)
        return false;
    d->groups = groups;
    uint32_t *table = mem_try_calloc(MEM_TEXT, 2 * (size_t)capacity * sizeof(*table));
    if (table == NULL)
        return false;
    mem_free(MEM_TEXT, d->table);
    d->table = table;
    d->table_bits = (uint32_t)__builtin_ctz(2 * capacity);
    d->group_capacity = capacity;
    for (uint32_t i = 0; i < d->group_count; i++)
        *table_place(d, d->groups[i].term->number) = i + 1;
    return true;
}

static bool grow_places(struct text_draft *d)
{
    if (d->place_count < d->place_capacity)
        return true;
    uint32_t capacity = d->place_capacity == 0 ? FIRST_WORDS : 2 * d->place_capacity;
    struct place *places = mem_try_realloc(MEM_TEXT, d->places, capacity * sizeof(*places));
    if (places == NULL)
        return false;
    d->places = places;
    d->place_capacity = capacity;
    return true;
}

/* A place of a term, behind those it has. ERR_NOMEM. */
static enum err add_place(struct text_draft *d, struct text_term *term, uint32_t position)
{
    if (!grow_groups(d) || !grow_places(d))
        return ERR_NOMEM;
    uint32_t *at = table_place(d, term->number), place = d->place_count++;
    if (*at == 0) {
        d->groups[d->group_count++] = (struct group){term, place, place};
        *at = d->group_count;
    } else {
        struct group *g = &d->groups[*at - 1];
        d->places[g->last].next = place;
        g->last = place;
    }
    d->places[place] = (struct place){position, NONE, d->field};
    return OK;
}

static enum err take_word(struct text_draft *d, struct slice word)
{
    struct text_term *term = text_terms_add(&d->index->terms, word);
    return term == NULL ? ERR_NOMEM : add_place(d, term, d->position);
}

static enum err on_token(void *user, const struct text_token *token)
{
    struct text_draft *d = user;
    struct text_index *x = d->index;
    if (text_is_stop_word(x, token->text))
        return OK;
    d->position++;
    d->length++;
    enum err e = take_word(d, token->text);
    if (e != OK || !d->stems)
        return e;
    struct slice stem = text_stem(&x->stemmers, d->language, token->text);
    if (slice_eq(stem, token->text) || stem.len == 0)
        return OK;
    buf_clear(&d->stem, SIZE_MAX);
    buf_append_byte(&d->stem, TEXT_STEM_MARK);
    buf_append_slice(&d->stem, stem);
    return buf_failed(&d->stem) ? ERR_NOMEM : take_word(d, buf_slice(&d->stem));
}

/* The words that come are those of a field. */
static void begin_field(struct text_draft *d, unsigned field)
{
    enum { BETWEEN_FIELDS = 100 /* words that no phrase reaches over */ };
    const struct text_format *format = &d->index->format;
    CHECK(field < format->field_count);
    d->stems = !d->index->no_stem[field];
    d->field = format->fields ? field : 0;
    d->position = format->fields ? 0 : d->position + BETWEEN_FIELDS;
}

enum err text_put_field(struct text_index *x, unsigned field, struct slice text)
{
    begin_field(x->draft, field);
    enum err e = text_tokenize(x->tokenizer, text, on_token, x->draft);
    text_graves_close(&x->graves);
    return e;
}

/* -- ahead of a document ----------------------------------------------------------------------- */

void text_draft_begin(struct text_draft *d, enum text_language language, unsigned field)
{
    begin(d, language);
    begin_field(d, field);
}

enum err text_draft_read(struct text_draft *d, struct slice text)
{
    enum err e = text_tokenize(d->index->tokenizer, text, on_token, d);
    text_graves_close(&d->index->graves);
    return e;
}

/* The places of a group are the next ones. */
static void pack_from(struct text_draft *d)
{
    struct group *g = &d->groups[d->packed_groups];
    d->pack_at = g->first;
    g->first = d->packed_count;
}

/* The next place goes where it belongs: behind those of its group, and of the groups before. */
static void pack_one(struct text_draft *d)
{
    struct group *g = &d->groups[d->packed_groups];
    uint32_t to = d->packed_count++, next = d->places[d->pack_at].next;
    CHECK(to < d->place_count);
    d->packed[to] = d->places[d->pack_at];
    d->packed[to].next = next == NONE ? NONE : to + 1;
    d->pack_at = next;
    if (next != NONE)
        return;
    g->last = to;
    if (++d->packed_groups < d->group_count)
        pack_from(d);
}

bool text_draft_pack(struct text_draft *d)
{
    enum { PLACES = 2048 };
    if (d->group_count == 0)
        return true;
    if (d->packed == NULL) {
        d->packed = mem_try(MEM_TEXT, d->place_capacity * sizeof(*d->packed));
        d->packed_count = d->packed_groups = 0;
        if (d->packed == NULL)
            return true; /* they may as well stay as they are */
        pack_from(d);
        return false;
    }
    for (unsigned i = 0; i < PLACES && d->packed_groups < d->group_count; i++)
        pack_one(d);
    if (d->packed_groups < d->group_count)
        return false;
    CHECK(d->packed_count == d->place_count);
    mem_free(MEM_TEXT, d->places);
    d->places = d->packed;
    d->packed = NULL;
    return true;
}

/* The places of a field that was read by itself, behind what there is. */
static enum err append(struct text_draft *d, const struct text_draft *read)
{
    uint32_t base = d->index->format.fields ? 0 : d->position;
    enum err e = OK;
    d->field = read->field;
    for (uint32_t i = 0; i < read->group_count && e == OK; i++) {
        const struct group *g = &read->groups[i];
        for (uint32_t at = g->first; at != NONE && e == OK; at = read->places[at].next)
            e = add_place(d, g->term, base + read->places[at].position);
    }
    d->position = base + read->position;
    d->length += read->length;
    return e;
}

enum err text_put_read(struct text_index *x, struct text_draft *read)
{
    struct text_draft *d = x->draft, mine = *d;
    CHECK(read->index == x && read->language == d->language);
    if (d->place_count > 0 || d->position > 0)
        return append(d, read);
    *d = *read; /* the first field: it is the draft */
    *read = mine;
    d->score = mine.score;
    d->digest = mine.digest;
    return OK;
}

/* -- one posting for each term ----------------------------------------------------------------- */

/* How often the term is in a field from place at on, whose places follow each other. */
static uint32_t count_field(const struct text_draft *d, uint32_t at, uint32_t *after)
{
    uint32_t count = 0, field = d->places[at].field;
    for (; at != NONE && d->places[at].field == field; at = d->places[at].next)
        count++;
    *after = at;
    return count;
}

static size_t varint_size(uint32_t v)
{
    size_t size = 1;
    for (; v >= 0x80; v >>= 7)
        size++;
    return size;
}

/* The places of a group, as differences within each field, behind what they take. */
static void put_places(struct text_draft *d, const struct group *g)
{
    size_t size = 0;
    for (unsigned pass = 0; pass < 2; pass++) { /* the first one measures */
        uint32_t position = 0, field = NONE;
        if (pass == 1)
            text_put_varint(&d->record, size);
        for (uint32_t at = g->first; at != NONE; at = d->places[at].next) {
            const struct place *p = &d->places[at];
            uint32_t from = p->field == field ? position : 0;
            if (pass == 1)
                text_put_varint(&d->record, p->position - from);
            size += varint_size(p->position - from);
            position = p->position;
            field = p->field;
        }
    }
}

/* The group's record in d->record; returns its weighted frequency. */
static uint32_t write_record(struct text_index *x, const struct group *g)
{
    struct text_draft *d = x->draft;
    const struct text_format *f = &x->format;
    uint64_t fields = 0;
    uint32_t frequency = 0, after;
    buf_clear(&d->record, SIZE_MAX);
    for (uint32_t at = g->first; at != NONE; at = after) {
        fields |= (uint64_t)1 << d->places[at].field;
        frequency += count_field(d, at, &after) * f->weights[d->places[at].field];
    }
    if (f->fields)
        text_put_varint(&d->record, fields);
    uint32_t all = 0;
    for (uint32_t at = g->first; at != NONE; at = after) {
        uint32_t count = count_field(d, at, &after);
        all += count;
        if (f->fields && (f->freqs || f->positions))
            text_put_varint(&d->record, count);
    }
    if (!f->fields && (f->freqs || f->positions))
        text_put_varint(&d->record, all);
    if (f->positions)
        put_places(d, g);
    x->places += all;
    return f->freqs ? frequency : 1;
}

/* One huge document does not decide what the index keeps for the others. */
static void keep_smaller(struct text_draft *d)
{
    enum { KEPT = 64 * 1024 };
    if (d->place_capacity > KEPT) {
        mem_free(MEM_TEXT, d->places);
        d->places = NULL;
        d->place_capacity = 0;
    }
    if (d->group_capacity > KEPT) {
        mem_free(MEM_TEXT, d->groups);
        mem_free(MEM_TEXT, d->table);
        d->groups = NULL;
        d->table = NULL;
        d->group_capacity = 0;
        d->group_count = 0;
    }
}

enum err text_put_end(struct text_index *x, uint32_t slot, uint64_t lsn)
{
    struct text_draft *d = x->draft;
    struct text_documents *docs = &x->documents;
    struct text_version v = {
        .slot = slot, .length = d->length, .score = d->score, .digest = d->digest};
    enum err e = text_version_prepare(docs) ? OK : ERR_NOMEM;
    bool some = false;
    for (uint32_t i = 0; e == OK && i < d->group_count; i++) {
        const struct group *g = &d->groups[i];
        uint32_t frequency = write_record(x, g);
        v.frequency = frequency > v.frequency ? frequency : v.frequency;
        if (buf_failed(&d->record) ||
            !text_postings_append(&x->terms, g->term, docs->next, buf_slice(&d->record)))
            e = ERR_NOMEM;
        else
            some = true;
        x->records += e == OK;
    }
    keep_smaller(d);
    if (e == OK) {
        text_version_kill(docs, slot, lsn);
        text_version_add(docs, &v);
    } else if (some) {
        text_version_skip(docs);
    }
    text_graves_close(&x->graves);
    return e;
}
