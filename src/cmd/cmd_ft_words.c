/* Dictionaries of FT.SPELLCHECK and synonyms: FT.DICTADD, FT.DICTDEL, FT.DICTDUMP, FT.SYNUPDATE,
 * FT.SYNDUMP. */
#include <ctype.h>
#include <stdlib.h>

#include "cmd/ft.h"
#include "cmd/keys.h"
#include "db/index_text.h"

/* -- dictionaries ------------------------------------------------------------------------------ */

static size_t count_of(const struct request *rq, struct slice dictionary)
{
    const struct word_list *l = word_lists_find(rq->env->db->dictionaries, dictionary);
    return l == NULL ? 0 : l->count;
}

/* Does any of the words change something? */
static bool any_is(const struct word_list *l, const struct slices *words, bool there)
{
    for (size_t i = 0; i < words->count; i++)
        if (word_list_has(l, words->items[i]) == there)
            return true;
    return false;
}

/* Replies how many words have come, or gone. */
static void change_dictionary(struct request *rq, struct slice name, const struct slices *words,
                              enum mutation_kind kind)
{
    struct db *db = rq->env->db;
    struct why why = {{0}};
    uint64_t lsn = rq->client->last_lsn;
    size_t before = count_of(rq, name);
    struct mutation m = {.kind = kind, .key = name, .ids = words->items, .count = words->count};
    enum err e = OK;
    if (any_is(word_lists_find(db->dictionaries, name), words, kind == MUTATION_WORDS_REMOVE))
        e = db_write(db, &m, &lsn, &why);
    size_t after = count_of(rq, name);
    if (written(rq, e, lsn, &why))
        reply_int(&rq->reply, (int64_t)(after > before ? after - before : before - after));
}

void cmd_ft_dictadd(struct request *rq)
{
    const struct ft_dictadd_args *a = rq->args;
    change_dictionary(rq, a->dictionary, &a->words, MUTATION_WORDS_ADD);
}

void cmd_ft_dictdel(struct request *rq)
{
    const struct ft_dictdel_args *a = rq->args;
    change_dictionary(rq, a->dictionary, &a->words, MUTATION_WORDS_REMOVE);
}

void cmd_ft_dictdump(struct request *rq)
{
    const struct ft_dictdump_args *a = rq->args;
    const struct word_list *l = word_lists_find(rq->env->db->dictionaries, a->dictionary);
    reply_set(&rq->reply, l == NULL ? 0 : l->count);
    for (uint32_t i = 0; l != NULL && i < l->count; i++)
        reply_bulk(&rq->reply, word_list_at(l, i));
}

/* -- synonyms ---------------------------------------------------------------------------------- */

/* As the index has words: what queries look for is folded, too. */
static enum err fold(const struct key_index *x, struct slice word, struct buf *out)
{
    if (x->text != NULL)
        return text_fold(index_text_of(x->text)->tokenizer, word, out);
    for (size_t i = 0; i < word.len; i++)
        buf_append_byte(out, (uint8_t)tolower(word.ptr[i]));
    return buf_failed(out) ? ERR_NOMEM : OK;
}

/* Folded copies of the words, whose bytes are out's. */
static enum err fold_all(const struct key_index *x, const struct slices *words, struct slice *items,
                         struct buf *out)
{
    struct buf one = BUF_INIT(MEM_SCRATCH);
    enum err e = OK;
    for (size_t i = 0; i < words->count && e == OK; i++) {
        buf_clear(&one, SIZE_MAX);
        e = fold(x, words->items[i], &one);
        items[i].len = one.len;
        buf_append_slice(out, buf_slice(&one));
    }
    buf_fini(&one);
    size_t at = 0;
    for (size_t i = 0; i < words->count && e == OK; at += items[i++].len)
        items[i].ptr = out->ptr + at;
    return e == OK && buf_failed(out) ? ERR_NOMEM : e;
}

void cmd_ft_synupdate(struct request *rq)
{
    const struct ft_synupdate_args *a = rq->args;
    struct db *db = rq->env->db;
    struct why why = {{0}};
    uint64_t lsn = rq->client->last_lsn;
    struct slices words = a->words;
    struct buf bytes = BUF_INIT(MEM_SCRATCH);
    struct key_index *x = ft_index(rq, a->index);
    if (x == NULL)
        return;
    if (slice_eq_nocase(words.items[0], "SKIPINITIALSCAN")) /* documents are as they are */
        words = (struct slices){words.items + 1, words.count - 1};
    struct slice *items = mem_try_calloc(MEM_SCRATCH, (words.count + 1) * sizeof(*items));
    enum err e = items == NULL ? ERR_NOMEM : fold_all(x, &words, items, &bytes);
    if (e == OK && words.count == 0)
        e = why_set(&why, ERR_ARG, "wrong number of arguments for 'FT.SYNUPDATE' command");
    if (e == OK && x->spec->name.len == 0)
        e = why_set(&why, ERR_ARG, "an index without a name has no synonyms");
    struct slices folded = {items, words.count};
    struct mutation m = {.kind = MUTATION_WORDS_ADD,
                         .key = a->group,
                         .new_key = x->spec->name,
                         .ids = items,
                         .count = words.count};
    if (e == OK && any_is(word_lists_find(x->synonyms, a->group), &folded, false))
        e = db_write(db, &m, &lsn, &why);
    if (written(rq, e, lsn, &why))
        reply_simple(&rq->reply, "OK");
    mem_free(MEM_SCRATCH, items);
    buf_fini(&bytes);
}

struct synonym {
    struct slice word, group;
    size_t at; /* the order they came in */
};

static int by_word(const void *a, const void *b)
{
    const struct synonym *x = a, *y = b;
    int order = slice_cmp(x->word, y->word);
    return order != 0 ? order : (x->at > y->at) - (x->at < y->at);
}

/* All there are, the same words side by side. */
static struct synonym *list_synonyms(const struct key_index *x, size_t *count)
{
    size_t all = 0, at = 0;
    for (const struct word_list *l = x->synonyms; l != NULL; l = l->next)
        all += l->count;
    struct synonym *items = mem_try(MEM_SCRATCH, (all + 1) * sizeof(*items));
    for (const struct word_list *l = x->synonyms; items != NULL && l != NULL; l = l->next)
        for (uint32_t i = 0; i < l->count; i++, at++)
            items[at] = (struct synonym){word_list_at(l, i), l->name, at};
    if (items != NULL && all > 0)
        qsort(items, all, sizeof(*items), by_word);
    *count = all;
    return items;
}

static size_t same_words(const struct synonym *items, size_t count)
{
    size_t same = 1;
    while (same < count && slice_eq(items[same].word, items[0].word))
        same++;
    return same;
}

void cmd_ft_syndump(struct request *rq)
{
    const struct ft_syndump_args *a = rq->args;
    struct reply *r = &rq->reply;
    const struct key_index *x = ft_index(rq, a->index);
    size_t all, count = 0;
    if (x == NULL)
        return;
    struct synonym *items = list_synonyms(x, &all);
    if (items == NULL) {
        reply_err(r, ERR_NOMEM, NULL);
        return;
    }
    for (size_t i = 0; i < all; i += same_words(items + i, all - i))
        count++;
    reply_map(r, count);
    for (size_t i = 0; i < all;) {
        size_t same = same_words(items + i, all - i);
        reply_bulk(r, items[i].word);
        reply_array(r, same);
        for (size_t end = i + same; i < end; i++)
            reply_bulk(r, items[i].group);
    }
    mem_free(MEM_SCRATCH, items);
}
