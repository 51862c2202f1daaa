#include "db/word_lists.h"

#include "base/limits.h"
#include "base/rng.h"
#include "db/indexes.h"

enum { WORDS_FIRST = 8, GONE_MIN = 4096 };

static uint32_t hash_of(const struct word_list *l, struct slice word)
{
    return (uint32_t)hash_bytes(word, l->seed);
}

static bool word_equal(const void *owner, uint32_t value, struct slice key)
{
    return slice_eq(word_list_at(owner, value), key);
}

struct word_list *word_lists_find(struct word_list *lists, struct slice name)
{
    while (lists != NULL && !slice_eq(lists->name, name))
        lists = lists->next;
    return lists;
}

bool word_list_has(const struct word_list *l, struct slice word)
{
    return l != NULL && map_get(&l->ids, hash_of(l, word), word) != MAP_NONE;
}

static void free_list(struct word_list *l)
{
    if (l == NULL)
        return;
    map_fini(&l->ids);
    buf_fini(&l->bytes);
    mem_free(MEM_KEYSPACE, l->places);
    mem_free(MEM_KEYSPACE, l);
}

void word_lists_free(struct word_list **lists)
{
    while (*lists != NULL) {
        struct word_list *l = *lists;
        *lists = l->next;
        free_list(l);
    }
}

/* -- the part that can fail -------------------------------------------------------------------- */

/* Where the lists stand that a change speaks of; NULL: the index is not there. */
static struct word_list **lists_of(struct db *db, const struct mutation *m)
{
    if (m->new_key.len == 0)
        return &db->dictionaries;
    struct key_index *x = indexes_named(db, m->new_key);
    return x == NULL ? NULL : &x->synonyms;
}

static struct word_list *make_list(const struct db *db, struct slice name)
{
    struct word_list *l = mem_try_calloc(MEM_KEYSPACE, sizeof(*l) + name.len);
    if (l == NULL)
        return NULL;
    uint8_t *bytes = (uint8_t *)(l + 1);
    if (name.len > 0)
        memcpy(bytes, name.ptr, name.len);
    l->name = (struct slice){bytes, name.len};
    l->seed = db->keys.hash_seed;
    l->bytes = BUF_INIT(MEM_KEYSPACE);
    map_init(&l->ids, MEM_KEYSPACE, word_equal, l);
    return l;
}

/* l: that they are to be in, the others beside it in lists. */
static enum err check_words(const struct word_list *l, const struct word_list *lists,
                            const struct mutation *m, struct why *why)
{
    size_t all = m->count;
    for (size_t i = 0; i < m->count; i++)
        if (m->ids[i].len > LIMIT_WORD)
            return why_set(why, ERR_LIMIT, "a word has at most %d bytes", LIMIT_WORD);
    int most = m->new_key.len == 0 ? LIMIT_WORDS : LIMIT_SYNONYMS;
    if (l->count + m->count > (size_t)most)
        return why_set(why, ERR_LIMIT, "%s has at most %d words",
                       m->new_key.len == 0 ? "a dictionary" : "a group of synonyms", most);
    for (; m->new_key.len > 0 && lists != NULL; lists = lists->next)
        all += lists->count;
    if (all > LIMIT_WORDS)
        return why_set(why, ERR_LIMIT, "an index has at most %d synonyms", LIMIT_WORDS);
    return OK;
}

/* Room for all of the words, as if the list had none of them. */
static enum err reserve(struct word_list *l, const struct mutation *m)
{
    size_t size = 0, capacity = l->capacity == 0 ? WORDS_FIRST : l->capacity;
    for (size_t i = 0; i < m->count; i++)
        size += m->ids[i].len;
    if (buf_reserve(&l->bytes, size + 1) == NULL) {
        l->bytes.failed = false; /* it is as it was */
        return ERR_NOMEM;
    }
    if (!map_reserve(&l->ids, m->count))
        return ERR_NOMEM;
    while (capacity < l->count + m->count)
        capacity *= 2;
    if (capacity == l->capacity)
        return OK;
    struct word_place *places =
        mem_try_realloc(MEM_KEYSPACE, l->places, capacity * sizeof(*places));
    if (places == NULL)
        return ERR_NOMEM;
    l->places = places;
    l->capacity = (uint32_t)capacity;
    return OK;
}

enum err word_lists_prepare(struct db *db, const struct mutation *m, struct why *why)
{
    struct word_list **lists = lists_of(db, m);
    CHECK(db->word_list == NULL);
    if (lists == NULL)
        return ERR_NOT_FOUND;
    struct word_list *l = word_lists_find(*lists, m->key);
    if (m->kind == MUTATION_WORDS_REMOVE)
        return l == NULL ? ERR_NOT_FOUND : OK;
    size_t count = 0;
    for (const struct word_list *other = *lists; other != NULL; other = other->next)
        count++;
    if (l == NULL && count >= LIMIT_WORD_LISTS)
        return why_set(why, ERR_LIMIT, "there are at most %d dictionaries, or groups of synonyms",
                       LIMIT_WORD_LISTS);
    if (l == NULL)
        l = db->word_list = make_list(db, m->key);
    if (l == NULL)
        return ERR_NOMEM;
    enum err e = check_words(l, *lists, m, why);
    return e == OK ? reserve(l, m) : e;
}

void word_lists_discard(struct db *db)
{
    free_list(db->word_list);
    db->word_list = NULL;
}

/* -- changing ---------------------------------------------------------------------------------- */

static void add(struct word_list *l, struct slice word)
{
    uint32_t hash = hash_of(l, word);
    if (map_get(&l->ids, hash, word) != MAP_NONE)
        return;
    CHECK(l->count < l->capacity);
    l->places[l->count] = (struct word_place){(uint32_t)l->bytes.len, (uint32_t)word.len};
    buf_append_slice(&l->bytes, word);
    CHECK(!buf_failed(&l->bytes));
    map_put(&l->ids, hash, l->count++);
}

/* The last word takes the place of one that goes. */
static void take_out(struct word_list *l, struct slice word)
{
    uint32_t hash = hash_of(l, word), at = map_get(&l->ids, hash, word);
    if (at == MAP_NONE)
        return;
    uint32_t last = l->count - 1;
    uint32_t hash_last = hash_of(l, word_list_at(l, last));
    l->gone_bytes += word.len;
    map_remove(&l->ids, hash, at);
    if (at != last) {
        map_replace(&l->ids, hash_last, last, at);
        l->places[at] = l->places[last];
    }
    l->count = last;
}

/* Without memory for it the bytes of words that are gone stay. */
static void compact(struct word_list *l)
{
    struct buf bytes = BUF_INIT(MEM_KEYSPACE);
    if (l->gone_bytes < GONE_MIN || l->gone_bytes < l->bytes.len / 2 ||
        buf_reserve(&bytes, l->bytes.len - l->gone_bytes + 1) == NULL)
        return;
    for (uint32_t i = 0; i < l->count; i++) {
        struct slice word = word_list_at(l, i);
        l->places[i].at = (uint32_t)bytes.len;
        buf_append_slice(&bytes, word);
    }
    buf_fini(&l->bytes);
    l->bytes = bytes;
    l->gone_bytes = 0;
}

static void remove_list(struct word_list **lists, struct word_list *l)
{
    while (*lists != l)
        lists = &(*lists)->next;
    *lists = l->next;
    free_list(l);
}

void word_lists_apply(struct db *db, const struct mutation *m)
{
    struct word_list **lists = lists_of(db, m);
    CHECK(lists != NULL);
    struct word_list *l = word_lists_find(*lists, m->key);
    if (l == NULL) {
        struct word_list **end = lists;
        while (*end != NULL)
            end = &(*end)->next;
        *end = l = db->word_list;
        db->word_list = NULL;
    }
    CHECK(l != NULL);
    for (size_t i = 0; i < m->count; i++)
        if (m->kind == MUTATION_WORDS_ADD)
            add(l, m->ids[i]);
        else
            take_out(l, m->ids[i]);
    compact(l);
    if (l->count == 0)
        remove_list(lists, l);
}

/* -- in a manifest ----------------------------------------------------------------------------- */

void word_lists_encode(const struct word_list *lists, struct buf *out)
{
    for (const struct word_list *l = lists; l != NULL; l = l->next) {
        bytes_put_slice(out, l->name);
        bytes_put_u32(out, l->count);
        for (uint32_t i = 0; i < l->count; i++)
            bytes_put_slice(out, word_list_at(l, i));
    }
}

static enum err each_one(struct bytes_reader *r,
                         enum err (*fn)(void *user, struct slice name, const struct slice *words,
                                        size_t count),
                         void *user)
{
    struct slice name = bytes_get_slice(r);
    size_t count = bytes_get_u32(r);
    r->broken |= count == 0 || count > r->left.len / sizeof(uint32_t);
    if (r->broken)
        return OK;
    struct slice *words = mem_try_calloc(MEM_SCRATCH, count * sizeof(*words));
    if (words == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        words[i] = bytes_get_slice(r);
    enum err e = fn == NULL || r->broken ? OK : fn(user, name, words, count);
    mem_free(MEM_SCRATCH, words);
    return e;
}

enum err word_lists_each(struct slice bytes,
                         enum err (*fn)(void *user, struct slice name, const struct slice *words,
                                        size_t count),
                         void *user, struct why *why)
{
    struct bytes_reader r = {.left = bytes};
    enum err e = OK;
    while (r.left.len > 0 && !r.broken && e == OK)
        e = each_one(&r, fn, user);
    return r.broken ? why_set(why, ERR_CORRUPT, "lists of words are described wrongly") : e;
}
