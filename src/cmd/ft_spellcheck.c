/* FT.SPELLCHECK: the loop takes the words of a query and copies the dictionaries that are named; a
 * lane looks for words of documents, and of dictionaries, that are near those no document has. */
#include "base/limits.h"
#include "cmd/ft.h"
#include "cmd/ft_words.h"
#include "cmd/vector_job.h"
#include "db/key_text.h"
#include "text/spell.h"

/* A word of the query: where among the bytes, and in which fields. */
struct spelled {
    struct word_place place;
    uint64_t fields;
};

/* owner: its search */
struct spellcheck {
    const struct key_index *index; /* while the command is read */
    struct text_view view;
    uint64_t edits;
    const struct word_list *excluded[LIMIT_SPELL_DICTIONARIES]; /* while it is read */
    const struct word_list *included[LIMIT_SPELL_DICTIONARIES];
    size_t excluded_count, included_count;
    struct buf words;      /* of struct spelled */
    struct buf bytes;      /* of the words */
    struct buf dictionary; /* of struct word_place: all that are included */
    struct buf dictionary_bytes;
    const struct query_node *node; /* whose words are taken */
    uint64_t fields;
    struct search *search;
    struct lane *lane;
};

static void fini(struct spellcheck *c)
{
    buf_fini(&c->words);
    buf_fini(&c->bytes);
    buf_fini(&c->dictionary);
    buf_fini(&c->dictionary_bytes);
}

static void end_search(struct search *s)
{
    fini(s->extra);
}

/* -- [lane] ------------------------------------------------------------------------------------ */

static bool is_over(void *user)
{
    const struct spellcheck *c = user;
    lane_yield(c->lane);
    return index_stops(&c->search->cost);
}

static struct slice text_at(const struct buf *bytes, struct word_place place)
{
    return (struct slice){bytes->ptr + place.at, place.size};
}

static enum err suggest(struct spellcheck *c, const struct text_spelling *s,
                        struct text_suggestions *out)
{
    const struct word_place *places = (const struct word_place *)(const void *)c->dictionary.ptr;
    size_t count = c->dictionary.len / sizeof(*places);
    enum err e = text_suggest(s, out);
    for (size_t i = 0; i < count && e == OK && !out->failed && !c->search->cost.stopped; i++) {
        enum { LOOK_EVERY = 256 };
        text_suggest_one(s, text_at(&c->dictionary_bytes, places[i]), out);
        if (i % LOOK_EVERY == 0)
            (void)is_over(c);
    }
    if (e == OK && out->failed)
        e = ERR_NOMEM;
    if (e == OK)
        text_suggestions_sort(out);
    return e;
}

static void put(struct reply *r, struct slice word, const struct text_suggestions *s,
                uint64_t documents)
{
    bool maps = r->proto == 3;
    if (!maps) {
        reply_array(r, 3);
        reply_simple(r, "TERM");
    }
    reply_bulk(r, word);
    reply_array(r, s->count);
    for (size_t i = 0; i < s->count; i++) {
        /* What is gone but not collected still counts. */
        double docs = (double)s->items[i].docs, all = documents > 0 ? (double)documents : 1;
        double score = docs < all ? docs / all : 1;
        if (maps) {
            reply_map(r, 1);
            reply_bulk(r, s->items[i].word);
            reply_double(r, score);
        } else {
            reply_array(r, 2);
            reply_double(r, score);
            reply_bulk(r, s->items[i].word);
        }
    }
}

/* All words; how many are in the reply. */
static enum err check(struct spellcheck *c, struct reply *r, size_t *count)
{
    const struct spelled *words = (const struct spelled *)(const void *)c->words.ptr;
    enum err e = OK;
    for (size_t i = 0; i < c->words.len / sizeof(*words) && e == OK && !is_over(c); i++) {
        struct text_suggestions found = {0};
        const struct text_spelling s = {.view = &c->view,
                                        .word = text_at(&c->bytes, words[i].place),
                                        .fields = words[i].fields,
                                        .edits = c->edits,
                                        .stops = is_over,
                                        .user = c};
        if (text_is_known(&c->view, s.word))
            continue;
        e = suggest(c, &s, &found);
        if (e == OK)
            put(r, s.word, &found, c->view.alive);
        ++*count;
        text_suggestions_fini(&found);
    }
    return e;
}

static enum err run(struct search *s, struct lane *lane)
{
    struct spellcheck *c = s->extra;
    struct buf bytes = BUF_INIT(MEM_CLIENT);
    struct reply all = {&bytes, s->proto}, r = {&s->reply, s->proto};
    size_t count = 0;
    c->lane = lane;
    enum err e = check(c, &all, &count);
    if (e == OK && buf_failed(&bytes))
        e = ERR_NOMEM;
    if (e == OK && s->cost.stopped) {
        reply_error(&r, ft_timeout_text);
    } else if (e == OK) {
        if (r.proto == 3) {
            reply_map(&r, 1);
            reply_text(&r, "results");
            reply_map(&r, count);
        } else {
            reply_array(&r, count);
        }
        buf_append_slice(&s->reply, buf_slice(&bytes));
    }
    buf_fini(&bytes);
    return e;
}

/* -- the words of the query -------------------------------------------------------------------- */

static enum err on_word(void *user, const struct text_token *token)
{
    struct spellcheck *c = user;
    if (text_is_stop_word(c->view.index, token->text))
        return OK;
    for (size_t i = 0; i < c->excluded_count; i++)
        if (word_list_has(c->excluded[i], token->text))
            return OK;
    struct spelled word = {{(uint32_t)c->bytes.len, (uint32_t)token->text.len}, c->fields};
    buf_append(&c->words, &word, sizeof(word));
    buf_append_slice(&c->bytes, token->text);
    return OK;
}

/* Values of a TAG are no words. */
static void leave_out_values(const struct ft_query *q, bool *words)
{
    for (uint32_t i = 0; i < q->node_count; i++) {
        uint32_t value = q->nodes[i].kind == QUERY_TAG ? q->nodes[i].child : QUERY_NO_NODE;
        for (; value != QUERY_NO_NODE; value = q->nodes[value].next)
            words[value] = false;
    }
}

static enum err take_words(struct spellcheck *c, const struct ft_query *q, struct why *why)
{
    bool *words;
    enum err e = key_text_mark(q, &words);
    if (e == OK)
        leave_out_values(q, words);
    for (uint32_t i = 0; i < q->node_count && e == OK; i++) {
        const struct query_node *n = &q->nodes[i];
        if (!words[i] || n->kind != QUERY_WORD)
            continue;
        c->fields = UINT64_MAX;
        if (n->field_count > 0)
            e = key_text_fields(c->index->spec, q->fields + n->field, n->field_count, &c->fields,
                                why);
        if (e == OK)
            e = text_break_word(c->view.index->tokenizer, n->text, on_word, c);
    }
    mem_free(MEM_SCRATCH, words);
    return e == OK && (buf_failed(&c->words) || buf_failed(&c->bytes)) ? ERR_NOMEM : e;
}

/* -- the command ------------------------------------------------------------------------------- */

static enum err read_terms(struct spellcheck *c, const struct db *db, struct ft_words *w)
{
    bool includes = ft_words_next_is(w, "INCLUDE");
    if (w->end - w->at < (includes ? 1 : 2))
        return why_set(w->why, ERR_ARG, "TERM arg is given but no TERM params comes after");
    if (!includes && !ft_words_next_is(w, "EXCLUDE"))
        return why_set(w->why, ERR_ARG, "bad format, exclude/include operation was not given");
    struct slice name = w->items[w->at++];
    const struct word_list *list = word_lists_find(db->dictionaries, name);
    if (list == NULL)
        return why_set(w->why, ERR_ARG, "Dict does not exist: %.*s",
                       (int)(name.len < 64 ? name.len : 64), (const char *)name.ptr);
    size_t *count = includes ? &c->included_count : &c->excluded_count;
    if (*count == LIMIT_SPELL_DICTIONARIES)
        return why_set(w->why, ERR_LIMIT, "at most %d dictionaries are included, or excluded",
                       LIMIT_SPELL_DICTIONARIES);
    (includes ? c->included : c->excluded)[(*count)++] = list;
    return OK;
}

static bool is_shared(struct slice word)
{
    return slice_eq_nocase(word, "DIALECT") || slice_eq_nocase(word, "TIMEOUT") ||
           slice_eq_nocase(word, "PARAMS");
}

static enum err read_options(struct spellcheck *c, const struct db *db, struct ft_words *w,
                             struct ft_options *o)
{
    enum err e = OK;
    bool shared;
    while (w->at < w->end && e == OK) {
        if (ft_words_next_is(w, "TERMS")) {
            e = read_terms(c, db, w);
        } else if (!ft_words_next_is(w, "DISTANCE")) {
            e = is_shared(w->items[w->at]) ? ft_options_shared(w, o, &shared) : ft_words_unknown(w);
        } else if (w->at == w->end) {
            e = why_set(w->why, ERR_ARG, "DISTANCE arg is given but no DISTANCE comes after");
        } else if (!slice_to_u64(w->items[w->at++], &c->edits) || c->edits == 0 ||
                   c->edits > LIMIT_SPELL_EDITS) {
            e = why_set(w->why, ERR_ARG,
                        "bad distance given, distance must be a natural number between 1 to %d",
                        LIMIT_SPELL_EDITS);
        }
    }
    return e;
}

/* Bytes as they stand, and where the words are among them. */
static void copy_dictionary(struct spellcheck *c, const struct word_list *l)
{
    struct word_place *places =
        (void *)buf_reserve(&c->dictionary, l->count * sizeof(struct word_place));
    uint32_t at = (uint32_t)c->dictionary_bytes.len;
    if (places == NULL)
        return;
    for (uint32_t i = 0; i < l->count; i++)
        places[i] = (struct word_place){l->places[i].at + at, l->places[i].size};
    buf_advance(&c->dictionary, l->count * sizeof(*places));
    buf_append_slice(&c->dictionary_bytes, buf_slice(&l->bytes));
}

static enum err plan(struct spellcheck *c, const struct ft_spellcheck_args *a, struct db *db,
                     struct ft_options *o, struct why *why)
{
    struct ft_words w = {a->words.items, 0, a->words.count, why};
    struct ft_query q = {0};
    enum err e = read_options(c, db, &w, o);
    if (e == OK)
        e = query_parse(a->query, o->dialect, o->params, o->param_count, &q, why);
    if (e == OK && c->index->text != NULL) {
        text_view(index_text_of(c->index->text), db->log.last_lsn, 0, &c->view);
        e = take_words(c, &q, why);
    }
    query_fini(&q);
    for (size_t i = 0; i < c->included_count && e == OK; i++)
        copy_dictionary(c, c->included[i]);
    bool failed = buf_failed(&c->dictionary) || buf_failed(&c->dictionary_bytes);
    return e == OK && failed ? ERR_NOMEM : e;
}

void cmd_ft_spellcheck(struct request *rq)
{
    const struct ft_spellcheck_args *a = rq->args;
    struct ft_options options;
    struct why why = {{0}};
    struct key_index *x = ft_index(rq, a->index);
    if (x == NULL)
        return;
    ft_options_init(&options, rq->env->config);
    struct search *s = search_new(x->db, x->docs, 1);
    struct spellcheck *c = mem_try_calloc(MEM_SCRATCH, sizeof(*c));
    enum err e = s == NULL || c == NULL ? ERR_NOMEM : OK;
    if (e == OK) {
        c->words = c->bytes = c->dictionary = c->dictionary_bytes = BUF_INIT(MEM_SCRATCH);
        c->index = x;
        c->edits = 1;
        c->search = s;
        e = plan(c, a, x->db, &options, &why);
    }
    ft_options_fini(&options);
    if (e != OK) {
        ft_reply_error(&rq->reply, e, &why);
        if (c != NULL)
            fini(c);
        mem_free(MEM_SCRATCH, c);
        search_free(s);
        return;
    }
    s->extra = c;
    s->end_extra = end_search;
    s->work = run;
    if (options.timeout_ms > 0)
        s->deadline_us = x->db->io->ops->mono_us(x->db->io) + options.timeout_ms * 1000;
    search_for_client(rq, s);
}
