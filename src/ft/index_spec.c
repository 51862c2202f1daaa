#include "ft/index_spec.h"

#include <math.h>

#include "base/limits.h"
#include "base/mem.h"
#include "ft/index_filter.h"
#include "json/parse.h"
#include "json/path.h"

static const struct {
    const char *word;
    enum vec_type kept;
    uint8_t size;
} vector_types[] = {
#define X(type, word, kept, size) {word, kept, size},
    INDEX_VECTOR_TYPE_LIST(X)
#undef X
};

const char *index_field_kind_name(enum index_field_kind kind)
{
    static const char *const names[] = {
#define X(kind, word) word,
        INDEX_FIELD_LIST(X)
#undef X
    };
    CHECK(kind < INDEX_FIELD_KIND_COUNT);
    return names[kind];
}

const char *index_vector_type_name(enum index_vector_type type)
{
    CHECK(type < INDEX_VECTOR_TYPE_COUNT);
    return vector_types[type].word;
}

enum vec_type index_vector_kept(enum index_vector_type type)
{
    CHECK(type < INDEX_VECTOR_TYPE_COUNT);
    return vector_types[type].kept;
}

size_t index_vector_size(const struct index_vector *v)
{
    return (size_t)v->dim * vector_types[v->type].size;
}

/* -- reading ----------------------------------------------------------------------------------- */

/* The words that are left. */
struct words {
    const struct slice *items;
    size_t at, end;
    struct why *why;
};

static bool next_is(struct words *w, const char *word)
{
    if (w->at == w->end || !slice_eq_nocase(w->items[w->at], word))
        return false;
    w->at++;
    return true;
}

static int shown(struct slice s)
{
    return (int)(s.len < 64 ? s.len : 64);
}

static enum err bad_value(const struct words *w, const char *option, const char *what)
{
    return why_set(w->why, ERR_ARG, "Bad arguments for %s: %s", option, what);
}

static enum err take(struct words *w, const char *option, struct slice *out)
{
    if (w->at == w->end)
        return bad_value(w, option, "Expected an argument, but none provided");
    *out = w->items[w->at++];
    return OK;
}

static enum err take_count(struct words *w, const char *option, uint64_t max, uint64_t *out)
{
    struct slice word = {0};
    enum err e = take(w, option, &word);
    if (e != OK)
        return e;
    if (!slice_to_u64(word, out) || *out > max)
        return bad_value(w, option, "Could not convert argument to expected type");
    return OK;
}

static enum err take_number(struct words *w, const char *option, double *out)
{
    struct slice word = {0};
    enum err e = take(w, option, &word);
    if (e != OK)
        return e;
    if (!slice_to_f64(word, out) || !isfinite(*out))
        return bad_value(w, option, "Could not convert argument to expected type");
    return OK;
}

static enum err take_epsilon(struct words *w, double *out)
{
    static const char option[] = "vector similarity EPSILON";
    enum err e = take_number(w, option, out);
    if (e == OK && *out <= 0)
        return bad_value(w, option, "Value is outside acceptable bounds");
    return e;
}

/* A count and so many words. */
static enum err take_list(struct words *w, const char *option, const struct slice **items,
                          size_t *count)
{
    uint64_t n;
    enum err e = take_count(w, option, UINT32_MAX, &n);
    if (e != OK)
        return e;
    if (n > w->end - w->at)
        return bad_value(w, option, "Expected an argument, but none provided");
    *items = w->items + w->at;
    *count = (size_t)n;
    w->at += (size_t)n;
    return OK;
}

/* -- VECTOR ------------------------------------------------------------------------------------ */

enum { GIVEN_TYPE = 1, GIVEN_DIM = 2, GIVEN_METRIC = 4 };

static enum err read_type(struct words *w, struct index_vector *v)
{
    struct slice word = {0};
    enum err e = take(w, "vector similarity TYPE", &word);
    for (unsigned t = 0; e == OK && t < INDEX_VECTOR_TYPE_COUNT; t++)
        if (slice_eq_nocase(word, vector_types[t].word)) {
            v->type = (enum index_vector_type)t;
            return OK;
        }
    return e != OK
               ? e
               : why_set(w->why, ERR_ARG, "Bad arguments for vector similarity %s index type: %.*s",
                         v->flat ? "FLAT" : "HNSW", shown(word), (const char *)word.ptr);
}

static enum err read_metric(struct words *w, struct index_vector *v)
{
    struct slice word = {0};
    enum err e = take(w, "vector similarity DISTANCE_METRIC", &word);
    if (e != OK)
        return e;
    if (slice_eq_nocase(word, "COSINE"))
        v->metric = METRIC_COSINE;
    else if (slice_eq_nocase(word, "L2"))
        v->metric = METRIC_L2;
    else if (slice_eq_nocase(word, "IP"))
        v->metric = METRIC_IP;
    else
        return why_set(w->why, ERR_ARG, "Bad arguments for vector similarity %s index metric: %.*s",
                       v->flat ? "FLAT" : "HNSW", shown(word), (const char *)word.ptr);
    return OK;
}

static enum err read_u32(struct words *w, const char *option, uint32_t least, uint32_t most,
                         uint32_t *out)
{
    uint64_t n;
    enum err e = take_count(w, option, UINT64_MAX, &n);
    if (e != OK)
        return e;
    if (n < least || n > most)
        return why_set(w->why, ERR_LIMIT, "%s is %u to %u", option, least, most);
    *out = (uint32_t)n;
    return OK;
}

/* One attribute with its value; *given gets the bits of those that there must be. */
static enum err read_vector_attribute(struct words *w, struct index_vector *v, unsigned *given)
{
    if (next_is(w, "TYPE")) {
        *given |= GIVEN_TYPE;
        return read_type(w, v);
    }
    if (next_is(w, "DIM")) {
        *given |= GIVEN_DIM;
        return read_u32(w, "DIM", 1, LIMIT_DIM, &v->dim);
    }
    if (next_is(w, "DISTANCE_METRIC")) {
        *given |= GIVEN_METRIC;
        return read_metric(w, v);
    }
    if (next_is(w, "INITIAL_CAP"))
        return take_count(w, "vector similarity INITIAL_CAP", UINT64_MAX, &v->initial_cap);
    if (v->flat && next_is(w, "BLOCK_SIZE"))
        return take_count(w, "vector similarity BLOCK_SIZE", UINT64_MAX, &v->block_size);
    if (!v->flat && next_is(w, "M"))
        return read_u32(w, "M", LIMIT_M_MIN, LIMIT_M, &v->m);
    if (!v->flat && next_is(w, "EF_CONSTRUCTION"))
        return read_u32(w, "EF_CONSTRUCTION", 1, LIMIT_EFC, &v->ef_construction);
    if (!v->flat && next_is(w, "EF_RUNTIME"))
        return read_u32(w, "EF_RUNTIME", 1, LIMIT_EF, &v->ef_runtime);
    if (!v->flat && next_is(w, "EPSILON"))
        return take_epsilon(w, &v->epsilon);
    struct slice word = w->items[w->at];
    return why_set(w->why, ERR_ARG, "Bad arguments for algorithm %s: unknown attribute %.*s",
                   v->flat ? "FLAT" : "HNSW", shown(word), (const char *)word.ptr);
}

/* FLAT|HNSW n and n / 2 attributes in any order. */
static enum err read_vector(struct words *w, struct index_vector *v)
{
    struct words own = {.why = w->why};
    unsigned given = 0;
    *v = (struct index_vector){
        .m = 16, .ef_construction = 200, .ef_runtime = 10, .epsilon = 0.01, .block_size = 1024};
    v->flat = next_is(w, "FLAT");
    if (!v->flat && !next_is(w, "HNSW"))
        return bad_value(w, "vector similarity algorithm", "FLAT and HNSW are known");
    size_t count = 0;
    enum err e = take_list(w, "vector similarity number of parameters", &own.items, &count);
    if (e == OK && count % 2 != 0)
        return why_set(w->why, ERR_ARG,
                       "Bad number of arguments for vector similarity index: got %zu but expected "
                       "even number as algorithm parameters (should be submitted as named "
                       "arguments)",
                       count);
    own.end = count;
    while (e == OK && own.at < own.end)
        e = read_vector_attribute(&own, v, &given);
    const char *missing =
        given & GIVEN_TYPE ? given & GIVEN_DIM ? "DISTANCE_METRIC" : "DIM" : "TYPE";
    if (e == OK && given != (GIVEN_TYPE | GIVEN_DIM | GIVEN_METRIC))
        e = why_set(w->why, ERR_ARG,
                    "Missing mandatory parameter: cannot create %s index without specifying %s "
                    "argument",
                    v->flat ? "FLAT" : "HNSW", missing);
    return e;
}

/* -- a field ----------------------------------------------------------------------------------- */

static enum err read_separator(struct words *w, struct index_field *f)
{
    struct slice word = {0};
    enum err e = take(w, "SEPARATOR", &word);
    if (e != OK)
        return e;
    if (word.len != 1)
        return why_set(w->why, ERR_ARG, "Tag separator must be a single character. Got `%.*s`",
                       shown(word), (const char *)word.ptr);
    f->separator = word.ptr[0];
    return OK;
}

static enum err read_weight(struct words *w, struct index_field *f)
{
    enum err e = take_number(w, "weight", &f->weight);
    if (e == OK && (f->weight < 0 || f->weight > UINT16_MAX))
        return bad_value(w, "weight", "Value is outside acceptable bounds");
    return e;
}

/* One option of a field; *known is false when the next word is none. */
static enum err read_field_option(struct words *w, struct index_field *f, bool *known)
{
    bool tag = f->kind == INDEX_TAG, text = f->kind == INDEX_TEXT;
    *known = true;
    if (tag && next_is(w, "SEPARATOR"))
        return read_separator(w, f);
    if (text && next_is(w, "WEIGHT"))
        return read_weight(w, f);
    if (text && next_is(w, "PHONETIC"))
        return why_set(w->why, ERR_UNSUPPORTED, "PHONETIC is not supported");
    if (text && next_is(w, "NOSTEM"))
        f->no_stem = true;
    else if (tag && next_is(w, "CASESENSITIVE"))
        f->case_sensitive = true;
    else if ((tag || text) && next_is(w, "WITHSUFFIXTRIE"))
        f->with_suffixes = true;
    else if ((tag || text) && next_is(w, "INDEXEMPTY"))
        f->index_empty = true;
    else if (f->kind != INDEX_VECTOR && next_is(w, "SORTABLE"))
        f->sortable = true;
    else if (f->sortable && next_is(w, "UNF"))
        f->unf = true;
    else if (f->kind != INDEX_VECTOR && next_is(w, "NOINDEX"))
        f->no_index = true;
    else if (next_is(w, "INDEXMISSING"))
        f->index_missing = true;
    else
        *known = false;
    return OK;
}

static enum err read_kind(struct words *w, struct index_field *f)
{
    for (unsigned kind = 0; kind < INDEX_FIELD_KIND_COUNT; kind++)
        if (next_is(w, index_field_kind_name((enum index_field_kind)kind))) {
            f->kind = (enum index_field_kind)kind;
            return OK;
        }
    if (next_is(w, "GEOSHAPE"))
        return why_set(w->why, ERR_UNSUPPORTED, "GEOSHAPE fields are not supported");
    return why_set(w->why, ERR_ARG, "Invalid field type for field `%.*s`", shown(f->path),
                   (const char *)f->path.ptr);
}

static enum err read_json_path(const struct words *w, const struct index_spec *s,
                               struct index_field *f)
{
    struct why why;
    if (!s->on_json)
        return OK;
    struct jpath *p = mem_try_calloc(MEM_KEYSPACE, sizeof(*p));
    enum err e = ERR_NOMEM;
    if (p != NULL)
        e = utf8_check(f->path) ? jpath_init(p, f->path, &why) : ERR_SYNTAX;
    if (e == OK)
        f->json = p;
    else
        mem_free(MEM_KEYSPACE, p);
    if (e == OK || e == ERR_NOMEM)
        return e;
    return why_set(w->why, ERR_ARG, "Invalid JSONPath '%.*s' in attribute '%.*s' in index '%.*s'",
                   shown(f->path), (const char *)f->path.ptr, shown(f->name),
                   (const char *)f->name.ptr, shown(s->name), (const char *)s->name.ptr);
}

static enum err read_field(struct words *w, struct index_spec *s)
{
    struct index_field *f = &s->fields[s->field_count];
    *f = (struct index_field){.separator = s->on_json ? 0 : ',', .weight = 1};
    f->path = f->name = w->items[w->at++];
    enum err e = next_is(w, "AS") ? take(w, "AS", &f->name) : OK;
    if (e == OK && index_spec_field(s, f->name) != NULL)
        return why_set(w->why, ERR_ARG, "Duplicate field in schema - %.*s", shown(f->name),
                       (const char *)f->name.ptr);
    if (e == OK)
        e = read_kind(w, f);
    if (e == OK && f->kind == INDEX_VECTOR)
        e = read_vector(w, &f->vector);
    for (bool known = true; e == OK && known;)
        e = read_field_option(w, f, &known);
    if (e == OK && f->kind == INDEX_TEXT && s->text_count == INDEX_TEXTS_MAX)
        return why_set(w->why, ERR_LIMIT, "Schema is limited to %d TEXT fields", INDEX_TEXTS_MAX);
    f->unf |= (f->kind == INDEX_NUMERIC || s->on_json) && f->sortable;
    f->text_number = (uint8_t)s->text_count;
    s->text_count += f->kind == INDEX_TEXT;
    s->vector_count += f->kind == INDEX_VECTOR;
    s->field_count++;
    return e == OK ? read_json_path(w, s, f) : e;
}

static enum err read_schema(struct words *w, struct index_spec *s)
{
    enum err e = OK;
    if (w->at == w->end)
        return why_set(w->why, ERR_ARG, "Fields arguments are missing");
    while (e == OK && w->at < w->end) {
        if (s->field_count == LIMIT_INDEX_FIELDS)
            return why_set(w->why, ERR_LIMIT, "a schema has at most %d fields", LIMIT_INDEX_FIELDS);
        e = read_field(w, s);
    }
    return e;
}

/* -- the whole --------------------------------------------------------------------------------- */

static enum err read_prefixes(struct words *w, struct index_spec *s)
{
    const struct slice *items;
    size_t count = 0;
    enum err e = take_list(w, "PREFIX", &items, &count);
    if (e == OK && count == 0)
        return bad_value(w, "PREFIX", "Expected an argument, but none provided");
    if (e == OK) {
        memcpy(s->prefixes, items, count * sizeof(*items));
        s->prefix_count = count;
    }
    return e;
}

static enum err read_on(struct words *w, struct index_spec *s)
{
    struct slice word = {0};
    enum err e = take(w, "ON", &word);
    s->on_json = slice_eq_nocase(word, "JSON");
    if (e == OK && !s->on_json && !slice_eq_nocase(word, "HASH"))
        return why_set(w->why, ERR_ARG, "Invalid rule type: %.*s", shown(word),
                       (const char *)word.ptr);
    return e;
}

static enum err read_language(struct words *w, struct index_spec *s)
{
    struct slice word = {0};
    enum err e = take(w, "LANGUAGE", &word);
    if (e == OK && !text_language_find(word, &s->language))
        return why_set(w->why, ERR_ARG, "Invalid language: `%.*s`", shown(word),
                       (const char *)word.ptr);
    return e;
}

static enum err read_filter(struct words *w, struct index_spec *s)
{
    struct slice text = {0};
    enum err e = take(w, "FILTER", &text);
    if (e == OK && s->filter != NULL)
        e = why_set(w->why, ERR_ARG, "FILTER is given twice");
    return e == OK ? index_filter_new(text, &s->filter, w->why) : e;
}

static enum err read_temporary(struct words *w, struct index_spec *s)
{
    uint64_t seconds = 0;
    enum err e = take_count(w, "TEMPORARY", LIMIT_ELEMENT_TTL_S, &seconds);
    if (e == OK && seconds == 0)
        e = bad_value(w, "TEMPORARY", "Value is outside acceptable bounds");
    s->idle_ms = seconds * 1000;
    return e;
}

static enum err read_stop_words(struct words *w, struct index_spec *s)
{
    s->own_stop_words = true;
    return take_list(w, "STOPWORDS", &s->stop_words, &s->stop_word_count);
}

/* A flag about texts; false: the next word is none. */
static bool read_text_flag(struct words *w, struct index_spec *s)
{
    if (next_is(w, "NOOFFSETS"))
        s->no_offsets = true;
    else if (next_is(w, "NOHL"))
        s->no_highlight = true;
    else if (next_is(w, "NOFIELDS"))
        s->no_fields = true;
    else if (next_is(w, "NOFREQS"))
        s->no_frequencies = true;
    else if (next_is(w, "MAXTEXTFIELDS"))
        s->many_texts = true;
    else
        return false;
    return true;
}

/* What may stand before SCHEMA, in any order. */
static enum err read_options(struct words *w, struct index_spec *s)
{
    enum err e = OK;
    while (e == OK && w->at < w->end && !slice_eq_nocase(w->items[w->at], "SCHEMA")) {
        if (next_is(w, "ON"))
            e = read_on(w, s);
        else if (next_is(w, "PREFIX"))
            e = read_prefixes(w, s);
        else if (next_is(w, "SCORE"))
            e = take_number(w, "SCORE", &s->score);
        else if (next_is(w, "FILTER"))
            e = read_filter(w, s);
        else if (next_is(w, "SCORE_FIELD"))
            e = take(w, "SCORE_FIELD", &s->score_field);
        else if (next_is(w, "PAYLOAD_FIELD"))
            e = take(w, "PAYLOAD_FIELD", &s->payload_field);
        else if (next_is(w, "LANGUAGE"))
            e = read_language(w, s);
        else if (next_is(w, "LANGUAGE_FIELD"))
            e = take(w, "LANGUAGE_FIELD", &s->language_field);
        else if (next_is(w, "STOPWORDS"))
            e = read_stop_words(w, s);
        else if (next_is(w, "TEMPORARY"))
            e = read_temporary(w, s);
        else if (next_is(w, "SKIPINITIALSCAN"))
            s->skip_scan = true;
        else if (!read_text_flag(w, s))
            e = why_set(w->why, ERR_ARG, "Unknown argument `%.*s`", shown(w->items[w->at]),
                        (const char *)w->items[w->at].ptr);
    }
    if (e == OK && (s->score < 0 || s->score > 1))
        e = why_set(w->why, ERR_ARG, "Invalid score");
    if (e == OK && !next_is(w, "SCHEMA"))
        e = why_set(w->why, ERR_ARG, "No schema found");
    return e;
}

/* Copies of name and words; the spec's other slices are made of those. */
static struct index_spec *copy_words(struct slice name, const struct slice *words, size_t count)
{
    size_t size = name.len;
    for (size_t i = 0; i < count; i++)
        size += words[i].len;
    struct index_spec *s = mem_try_calloc(MEM_KEYSPACE, sizeof(*s));
    if (s == NULL)
        return NULL;
    s->refs = 1;
    s->words = mem_try_calloc(MEM_KEYSPACE, (count + 1) * sizeof(*s->words));
    s->prefixes = mem_try_calloc(MEM_KEYSPACE, (count + 1) * sizeof(*s->prefixes));
    s->fields = mem_try_calloc(MEM_KEYSPACE, (size_t)LIMIT_INDEX_FIELDS * sizeof(*s->fields));
    s->bytes = mem_try(MEM_KEYSPACE, size + 1);
    if (s->words == NULL || s->prefixes == NULL || s->fields == NULL || s->bytes == NULL) {
        index_spec_unref(s);
        return NULL;
    }
    uint8_t *at = s->bytes;
    s->word_count = count;
    for (size_t i = 0; i <= count; i++) {
        struct slice from = i < count ? words[i] : name;
        struct slice *to = i < count ? &s->words[i] : &s->name;
        *to = (struct slice){at, from.len};
        if (from.len > 0)
            memcpy(at, from.ptr, from.len);
        at += from.len;
    }
    return s;
}

enum err index_spec_new(struct slice name, const struct slice *words, size_t count,
                        struct index_spec **out, struct why *why)
{
    struct index_spec *s = copy_words(name, words, count);
    *out = NULL;
    if (s == NULL)
        return ERR_NOMEM;
    s->score = 1;
    s->prefix_count = 1; /* the empty one */
    struct words w = {.items = s->words, .end = count, .why = why};
    enum err e = read_options(&w, s);
    if (e == OK)
        e = read_schema(&w, s);
    if (e == OK)
        *out = s;
    else
        index_spec_unref(s);
    return e;
}

struct index_spec *index_spec_ref(struct index_spec *s)
{
    s->refs++;
    return s;
}

void index_spec_unref(struct index_spec *s)
{
    if (s == NULL || --s->refs > 0)
        return;
    index_filter_free(s->filter);
    for (size_t i = 0; i < s->field_count; i++)
        if (s->fields[i].json != NULL) {
            jpath_fini(s->fields[i].json);
            mem_free(MEM_KEYSPACE, s->fields[i].json);
        }
    mem_free(MEM_KEYSPACE, s->words);
    mem_free(MEM_KEYSPACE, s->prefixes);
    mem_free(MEM_KEYSPACE, s->fields);
    mem_free(MEM_KEYSPACE, s->bytes);
    mem_free(MEM_KEYSPACE, s);
}

bool index_spec_covers(const struct index_spec *s, struct slice key)
{
    for (size_t i = 0; i < s->prefix_count; i++) {
        struct slice p = s->prefixes[i];
        if (p.len <= key.len && (p.len == 0 || memcmp(p.ptr, key.ptr, p.len) == 0))
            return true;
    }
    return false;
}

const struct index_field *index_spec_field(const struct index_spec *s, struct slice name)
{
    for (size_t i = 0; i < s->field_count; i++)
        if (slice_eq(s->fields[i].name, name))
            return &s->fields[i];
    return NULL;
}
