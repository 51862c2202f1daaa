#include "db/indexes_image.h"

/* What a document becomes in its collections. Another number: what a snapshot has of indexes is of
 * no use, and they are made again. */
enum { IMAGE_FORM = 1 };

/* -- to a manifest ----------------------------------------------------------------------------- */

static bool is_saved(const struct key_index *x)
{
    return !x->scans && !x->lacks && x->successor == NULL;
}

/* A part of an index that is saved. */
static bool part_is_saved(const struct key_index *x, size_t number)
{
    return number > 0 || x->text == NULL;
}

void indexes_number(struct db *db)
{
    for (struct key_index *x = db->indexes; x != NULL; x = x->next)
        for (size_t i = 0; i <= x->spec->vector_count && is_saved(x); i++) {
            struct collection *c = *index_part(x, i);
            if (c->late_births)
                c->uid = db->next_uid++;
            c->late_births = false;
        }
}

size_t indexes_saved(const struct db *db, struct collection **out, size_t room)
{
    size_t count = 0;
    for (struct key_index *x = db->indexes; x != NULL; x = x->next)
        for (size_t i = 0; i <= x->spec->vector_count && is_saved(x); i++) {
            if (!part_is_saved(x, i))
                continue;
            if (count < room)
                out[count] = *index_part(x, i);
            count++;
        }
    return count;
}

static void encode_words(struct buf *out, const struct slice *words, size_t count)
{
    bytes_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++)
        bytes_put_slice(out, words[i]);
}

static void encode_lists(const struct word_list *lists, struct buf *room, struct buf *out)
{
    buf_clear(room, SIZE_MAX);
    word_lists_encode(lists, room);
    out->failed |= buf_failed(room);
    bytes_put_slice(out, buf_slice(room));
}

static void encode_parts(struct key_index *x, struct buf *out)
{
    bytes_put_u32(out, IMAGE_FORM);
    bytes_put_u64(out, x->failures);
    bytes_put_slice(out, buf_slice(&x->last_error));
    bytes_put_slice(out, buf_slice(&x->last_error_key));
    for (size_t i = 0; i <= x->spec->vector_count; i++)
        bytes_put_u64(out, part_is_saved(x, i) ? (*index_part(x, i))->uid : 0);
}

void indexes_encode(const struct db *db, bool with_parts, struct buf *out)
{
    struct buf parts = BUF_INIT(MEM_SNAPSHOT);
    encode_lists(db->dictionaries, &parts, out);
    for (struct key_index *x = db->indexes; x != NULL; x = x->next) {
        const struct index_spec *s = x->successor != NULL ? x->successor->spec : x->spec;
        size_t aliases = 0;
        bytes_put_slice(out, s->name);
        encode_words(out, s->words, s->word_count);
        for (const struct index_alias *a = x->aliases; a != NULL; a = a->next)
            aliases++;
        bytes_put_u32(out, (uint32_t)aliases);
        for (const struct index_alias *a = x->aliases; a != NULL; a = a->next)
            bytes_put_slice(out, a->name);
        encode_lists(x->synonyms, &parts, out);
        buf_clear(&parts, SIZE_MAX);
        if (with_parts && is_saved(x))
            encode_parts(x, &parts);
        out->failed |= buf_failed(&parts);
        bytes_put_slice(out, buf_slice(&parts));
    }
    buf_fini(&parts);
}

/* -- and back ---------------------------------------------------------------------------------- */

static enum err decode_words(struct bytes_reader *r, struct slice **out, size_t *count,
                             struct why *why)
{
    *count = bytes_get_u32(r);
    *out = NULL;
    if (r->broken || *count > r->left.len / sizeof(uint32_t))
        return why_set(why, ERR_CORRUPT, "indexes are described wrongly");
    *out = mem_try_calloc(MEM_SCRATCH, (*count + 1) * sizeof(**out));
    if (*out == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < *count; i++)
        (*out)[i] = bytes_get_slice(r);
    return r->broken ? why_set(why, ERR_CORRUPT, "indexes are described wrongly") : OK;
}

/* The uids stand in *uids, which the caller frees. Another form is none. */
static enum err decode_parts(struct slice bytes, struct index_image *out, uint64_t **uids,
                             struct why *why)
{
    struct bytes_reader r = {.left = bytes};
    if (bytes.len == 0 || bytes_get_u32(&r) != IMAGE_FORM)
        return OK;
    out->failures = bytes_get_u64(&r);
    out->last_error = bytes_get_slice(&r);
    out->last_error_key = bytes_get_slice(&r);
    size_t count = r.left.len / sizeof(uint64_t);
    if (r.broken || r.left.len % sizeof(uint64_t) != 0)
        return why_set(why, ERR_CORRUPT, "indexes are described wrongly");
    *uids = mem_try(MEM_SCRATCH, (count + 1) * sizeof(**uids));
    if (*uids == NULL)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        (*uids)[i] = bytes_get_u64(&r);
    out->uids = *uids;
    out->uid_count = count;
    return OK;
}

static enum err each_one(struct bytes_reader *r,
                         enum err (*fn)(void *user, const struct index_image *image), void *user,
                         struct why *why)
{
    struct index_image image = {.name = bytes_get_slice(r)};
    struct slice *words = NULL, *aliases = NULL;
    uint64_t *uids = NULL;
    enum err e = decode_words(r, &words, &image.word_count, why);
    if (e == OK)
        e = decode_words(r, &aliases, &image.alias_count, why);
    image.synonyms = bytes_get_slice(r);
    struct slice parts = bytes_get_slice(r);
    if (e == OK)
        e = word_lists_each(image.synonyms, NULL, NULL, why);
    if (e == OK && r->broken)
        e = why_set(why, ERR_CORRUPT, "indexes are described wrongly");
    if (e == OK)
        e = decode_parts(parts, &image, &uids, why);
    image.words = words;
    image.aliases = aliases;
    if (e == OK && fn != NULL)
        e = fn(user, &image);
    mem_free(MEM_SCRATCH, words);
    mem_free(MEM_SCRATCH, aliases);
    mem_free(MEM_SCRATCH, uids);
    return e;
}

enum err indexes_each(struct slice bytes,
                      enum err (*fn)(void *user, const struct index_image *image), void *user,
                      struct why *why)
{
    struct bytes_reader r = {.left = bytes};
    if (bytes.len == 0)
        return OK;
    enum err e = word_lists_each(bytes_get_slice(&r), NULL, NULL, why);
    while (r.left.len > 0 && e == OK)
        e = each_one(&r, fn, user, why);
    return e;
}

struct slice indexes_dictionaries(struct slice bytes)
{
    struct bytes_reader r = {.left = bytes};
    return bytes.len == 0 ? bytes : bytes_get_slice(&r);
}

struct decoding {
    struct db *db;
    bool with_parts;
    struct slice index; /* of the groups of synonyms that come; empty: they are dictionaries */
    struct why *why;
};

static enum err make_list(void *user, struct slice name, const struct slice *words, size_t count)
{
    struct decoding *d = user;
    struct mutation m = {.kind = MUTATION_WORDS_ADD,
                         .key = name,
                         .new_key = d->index,
                         .ids = words,
                         .count = count};
    enum err e = word_lists_prepare(d->db, &m, d->why);
    if (e == OK)
        word_lists_apply(d->db, &m);
    else
        word_lists_discard(d->db);
    return e == OK || e == ERR_NOMEM ? e : ERR_CORRUPT;
}

static enum err take_parts(const struct decoding *d, struct key_index *x,
                           const struct index_image *image)
{
    if (image->uid_count != x->spec->vector_count + 1)
        return why_set(d->why, ERR_CORRUPT, "an index with other collections than it has");
    for (size_t i = 0; i < image->uid_count; i++) {
        if ((image->uids[i] != 0) != part_is_saved(x, i) || image->uids[i] >= d->db->next_uid)
            return why_set(d->why, ERR_CORRUPT, "an index with other collections than it has");
        if (image->uids[i] != 0)
            (*index_part(x, i))->uid = image->uids[i];
    }
    x->loads = true;
    x->failures = image->failures;
    buf_append_slice(&x->last_error, image->last_error);
    buf_append_slice(&x->last_error_key, image->last_error_key);
    return OK;
}

static enum err make_one(void *user, const struct index_image *image)
{
    struct decoding *d = user;
    struct mutation m = {.kind = MUTATION_INDEX_NEW,
                         .key = image->name,
                         .ids = image->words,
                         .count = image->word_count};
    enum err e = indexes_prepare(d->db, &m, d->why);
    if (e == OK) {
        struct key_index *x = indexes_add(d->db);
        x->scans = true; /* unless all of it is loaded */
        if (d->with_parts && image->uid_count > 0)
            e = take_parts(d, x, image);
    }
    m = (struct mutation){.kind = MUTATION_ALIAS_SET, .new_key = image->name};
    for (size_t i = image->alias_count; i > 0 && e == OK; i--) { /* the newest stands first */
        m.key = image->aliases[i - 1];
        e = indexes_prepare_alias(d->db, &m, d->why);
        if (e == OK)
            indexes_publish_alias(d->db, image->name);
    }
    d->index = image->name;
    if (e == OK)
        e = word_lists_each(image->synonyms, make_list, d, d->why);
    return e == OK || e == ERR_NOMEM ? e : ERR_CORRUPT;
}

enum err indexes_decode(struct db *db, struct slice bytes, bool with_parts, struct why *why)
{
    struct decoding d = {.db = db, .with_parts = with_parts, .why = why};
    enum err e = word_lists_each(indexes_dictionaries(bytes), make_list, &d, why);
    return e == OK ? indexes_each(bytes, make_one, &d, why) : e;
}

/* What SKIPINITIALSCAN skipped nobody knows any more, so it is found now. */
void indexes_load_end(struct db *db)
{
    for (struct key_index *x = db->indexes; x != NULL; x = x->next) {
        if (x->loads && x->text == NULL && !x->spec->skip_scan)
            x->scans = false;
        else
            index_scan(x);
        x->loads = false;
    }
}
