/* check_snapshot.c: the keys of a snapshot, and that chunks and collections belong to each other.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

#include "db/indexes_image.h"
#include "persist/check_own.h"

enum { TEXT_SIZE = 256 };

struct keys {
    struct check_shot *shot;
    const struct chunk *chunk;
    struct check_found *list;
    size_t count, capacity;
    struct check_unique unique;
    uint64_t key_count;
    bool damaged; /* some chunk of keys could not be read: counts mean nothing */
};

/* -- texts ------------------------------------------------------------------------------------- */

void check_say_chunk(struct check_shot *s, const struct chunk *c, const char *fmt, ...)
{
    char text[TEXT_SIZE], file[SNAPSHOT_NAME_SIZE];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)snprintf(file, sizeof(file), "pack-%08" PRIx32 ".vpk", c->pack);
    check_say(s->check, CHECK_DAMAGE, file, c->offset, "%s (chunk %" PRIu32 ".%u of %s of %s)",
              text, c->index, c->part, chunk_kind_name(c->kind), s->name);
}

bool check_read(struct check_shot *s, const struct chunk *c, struct slice *body)
{
    struct why why = {{0}};
    enum err e = snapshot_read_chunk(&s->reader, c, &s->room, body, &why);
    if (e == OK) {
        uint64_t hash[2];
        chunk_hash(*body, hash);
        if (hash[0] == c->hash[0] && hash[1] == c->hash[1])
            return true;
        (void)why_set(&why, ERR_CORRUPT, "the hash of the manifest is another chunk's");
    }
    check_say_chunk(s, c, "%s", why.text[0] != '\0' ? why.text : err_text(e));
    return false;
}

/* A key as text: what is not printable is a dot. */
static void show_key(struct slice key, char out[CHECK_KEY_SHOWN + 8])
{
    size_t shown = key.len < CHECK_KEY_SHOWN ? key.len : CHECK_KEY_SHOWN, at = 0;
    out[at++] = '"';
    for (size_t i = 0; i < shown; i++)
        out[at++] = key.ptr[i] >= ' ' && key.ptr[i] < 127 ? (char)key.ptr[i] : '.';
    memcpy(out + at, key.len > shown ? "\"..." : "\"", key.len > shown ? 5 : 2);
}

/* -- what must be unique ----------------------------------------------------------------------- */

struct check_text {
    uint64_t hash[2]; /* XXH3-128: equal means equal texts */
    uint64_t tag;
};

bool check_unique_add(struct check_unique *u, struct slice text, uint64_t tag)
{
    if (u->count == u->capacity) {
        size_t capacity = u->capacity == 0 ? 1024 : 2 * u->capacity;
        void *list = mem_try_realloc(MEM_SNAPSHOT, u->list, capacity * sizeof(*u->list));
        if (list == NULL)
            return false;
        u->list = list;
        u->capacity = capacity;
    }
    XXH128_hash_t hash = XXH3_128bits(text.ptr, text.len);
    u->list[u->count++] = (struct check_text){{hash.low64, hash.high64}, tag};
    return true;
}

static int by_hash(const void *a, const void *b)
{
    const struct check_text *x = a, *y = b;
    for (size_t i = 0; i < COUNT_OF(x->hash); i++)
        if (x->hash[i] != y->hash[i])
            return x->hash[i] < y->hash[i] ? -1 : 1;
    return (x->tag > y->tag) - (x->tag < y->tag);
}

void check_unique_end(struct check_unique *u,
                      void (*on_twice)(void *user, uint64_t tag, uint64_t other), void *user)
{
    if (u->count > 0)
        qsort(u->list, u->count, sizeof(*u->list), by_hash);
    for (size_t i = 1; i < u->count; i++) {
        const struct check_text *x = &u->list[i - 1], *y = &u->list[i];
        if (x->hash[0] == y->hash[0] && x->hash[1] == y->hash[1])
            on_twice(user, x->tag, y->tag);
    }
    mem_free(MEM_SNAPSHOT, u->list);
    *u = (struct check_unique){0};
}

/* -- keys -------------------------------------------------------------------------------------- */

/* NULL: there is _default alone. */
static uint64_t *partition_bits(const struct image_key *key)
{
    if (key->partition_count == 0)
        return NULL;
    uint64_t *bits = mem_alloc(MEM_SNAPSHOT, PARTITION_WORDS * sizeof(*bits));
    memset(bits, 0, PARTITION_WORDS * sizeof(*bits));
    struct bytes_reader reader = image_partitions(key);
    struct partition_name one = {{0}, PARTITION_DEFAULT};
    do
        bits[one.number / 64] |= (uint64_t)1 << (one.number % 64);
    while (image_partition_next(&reader, &one));
    return bits;
}

static void note_found(struct keys *k, const struct check_found *found, struct slice name)
{
    if (k->count == k->capacity) {
        k->capacity = k->capacity == 0 ? 64 : 2 * k->capacity;
        k->list = mem_realloc(MEM_SNAPSHOT, k->list, k->capacity * sizeof(*k->list));
    }
    struct check_found *f = &k->list[k->count++];
    *f = *found;
    show_key(name, f->key);
}

static void note_collection(struct keys *k, const struct image_key *key)
{
    if (key->uid == 0 || key->uid >= k->shot->manifest->next_uid) {
        check_say_chunk(k->shot, k->chunk, "a collection has the uid %" PRIu64, key->uid);
        return;
    }
    struct check_found found = {
        .uid = key->uid, .spec = key->spec, .partitions = partition_bits(key)};
    spec_set_shape(&found.spec, &key->shape);
    note_found(k, &found, key->key);
}

/* The collections of an index that the snapshot has. */
static enum err note_index(void *user, const struct index_image *image)
{
    struct keys *k = user;
    struct index_spec *spec;
    struct why why = {{0}};
    enum err e = index_spec_new(image->name, image->words, image->word_count, &spec, &why);
    if (e == OK && image->uid_count > 0 && image->uid_count != spec->vector_count + 1)
        e = why_set(&why, ERR_CORRUPT, "an index with other collections than it has");
    for (size_t i = 0; i < image->uid_count && e == OK; i++) {
        struct check_found found = {.uid = image->uids[i], .of_index = true};
        e = index_collection_spec(spec, i, &found.spec, &why);
        if (e == OK && found.uid != 0)
            note_found(k, &found, image->name);
    }
    if (e != OK)
        check_say(k->shot->check, CHECK_DAMAGE, k->shot->name, 0, "%s", why.text);
    index_spec_unref(spec);
    return OK;
}

/* least: the lowest place that the key may have. */
static void check_key(struct keys *k, const struct image_key *key, uint32_t least, uint32_t end)
{
    const struct manifest *m = k->shot->manifest;
    if (key->more && key->place + 1 == least)
        return;
    if (key->place < least || key->place >= end || key->place >= m->slots_end)
        check_say_chunk(k->shot, k->chunk, "a key has place %" PRIu32 ", which is not its turn",
                        key->place);
    if (key->more)
        return;
    if (!check_unique_add(&k->unique, key->key, key->place))
        k->damaged = true;
    if (key->type == OBJECT_COLLECTION)
        note_collection(k, key);
    k->key_count++;
}

static void check_keys_chunk(struct keys *k, const struct chunk *c)
{
    struct slice body;
    struct bytes_reader reader;
    struct why why = {{0}};
    uint32_t first, least, count = 0;
    k->chunk = c;
    if (!check_read(k->shot, c, &body)) {
        k->damaged = true;
        return;
    }
    enum err e = image_keys_open(body, &first, &reader, &why);
    if (e == OK && first / IMAGE_KEYS_SPAN != c->index)
        e = why_set(&why, ERR_CORRUPT, "keys that are not those of their index");
    least = e == OK ? first : 0;
    while (e == OK && reader.left.len > 0) {
        struct image_key key;
        e = image_key_get(&reader, &key, &why);
        if (e != OK)
            break;
        check_key(k, &key, least, first + IMAGE_KEYS_SPAN);
        least = key.place + 1;
        count++;
    }
    if (e == OK && count != c->count)
        e = why_set(&why, ERR_CORRUPT, "%" PRIu32 " keys where the manifest has %" PRIu32, count,
                    c->count);
    if (e != OK) {
        k->damaged = true;
        check_say_chunk(k->shot, c, "%s", why.text);
    }
}

static void on_key_twice(void *user, uint64_t tag, uint64_t other)
{
    struct check_shot *s = user;
    check_say(s->check, CHECK_DAMAGE, s->name, 0,
              "the same key stands at the places %" PRIu64 " and %" PRIu64, tag, other);
}

static int by_uid(const void *a, const void *b)
{
    const struct check_found *x = a, *y = b;
    return (x->uid > y->uid) - (x->uid < y->uid);
}

/* -- collections ------------------------------------------------------------------------------- */

/* Of the collections that keys name: how many come before this uid. */
static size_t lower(const struct keys *k, uint64_t uid)
{
    size_t low = 0, high = k->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (k->list[middle].uid < uid)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Every collection that a manifest describes has a key. */
static void check_described(struct keys *k)
{
    const struct manifest *m = k->shot->manifest;
    for (uint32_t i = 0; i < m->collection_count; i++) {
        size_t at = lower(k, m->collections[i].uid);
        if (at == k->count || k->list[at].uid != m->collections[i].uid)
            check_say(k->shot->check, CHECK_DAMAGE, k->shot->name, 0,
                      "no key holds collection %" PRIu64, m->collections[i].uid);
    }
}

static void check_collections(struct keys *k)
{
    const struct manifest *m = k->shot->manifest;
    struct check *c = k->shot->check;
    uint32_t at = manifest_lower(m, 1, (enum chunk_kind)0, 0, 0);
    uint64_t elements = 0, of_keys = 0;
    if (k->count > 0)
        qsort(k->list, k->count, sizeof(*k->list), by_uid);
    if (!k->damaged)
        check_described(k);
    for (size_t i = 0; i < k->count; i++) {
        const struct check_found *f = &k->list[i];
        if (i > 0 && f[-1].uid == f->uid) {
            check_say(c, CHECK_DAMAGE, k->shot->name, 0, "%s and %s are the same collection",
                      f[-1].key, f->key);
            continue;
        }
        for (; at < m->chunk_count && m->chunks[at].uid < f->uid; at++)
            if (!k->damaged)
                check_say_chunk(k->shot, &m->chunks[at], "no key holds collection %" PRIu64,
                                m->chunks[at].uid);
        uint32_t first = at;
        while (at < m->chunk_count && m->chunks[at].uid == f->uid)
            at++;
        uint64_t found = check_collection(k->shot, f, first, at);
        elements += f->of_index ? 0 : found;
        of_keys += !f->of_index;
    }
    for (; at < m->chunk_count && !k->damaged; at++)
        check_say_chunk(k->shot, &m->chunks[at], "no key holds collection %" PRIu64,
                        m->chunks[at].uid);
    if (k->shot->sum) {
        c->counts.keys = k->key_count;
        c->counts.collections = of_keys;
        c->counts.elements = elements;
    }
}

void check_snapshot(struct check *c, const char *name, const struct manifest *m, bool sum)
{
    struct check_shot shot = {
        .check = c, .name = name, .manifest = m, .room = BUF_INIT(MEM_SNAPSHOT), .sum = sum};
    struct keys keys = {.shot = &shot};
    snapshot_reader_init(&shot.reader, c->io, c->dir, m);
    for (uint32_t i = 0; i < m->chunk_count && m->chunks[i].uid == 0; i++) {
        if (m->chunks[i].kind == CHUNK_KEYS)
            check_keys_chunk(&keys, &m->chunks[i]);
        else
            check_say_chunk(&shot, &m->chunks[i], "a chunk of no collection");
    }
    check_unique_end(&keys.unique, on_key_twice, &shot);
    if (!keys.damaged && keys.key_count != m->key_count)
        check_say(c, CHECK_DAMAGE, name, 48, "%" PRIu64 " keys in place of %" PRIu64,
                  keys.key_count, m->key_count);
    if (indexes_each(m->indexes, note_index, &keys, NULL) != OK) /* memory is short */
        keys.damaged = true;
    check_collections(&keys);
    snapshot_reader_fini(&shot.reader);
    buf_fini(&shot.room);
    for (size_t i = 0; i < keys.count; i++)
        mem_free(MEM_SNAPSHOT, keys.list[i].partitions);
    mem_free(MEM_SNAPSHOT, keys.list);
}
