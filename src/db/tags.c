#include "db/tags.h"

#include <roaring/roaring.h>

#include "base/rng.h"

enum { BITMAP_BYTES = 80, ROW_BYTES = 2 }; /* what a bitmap costs, and a row of it, about */

struct tag {
    uint32_t hash;
    uint32_t size;       /* of the text */
    uint32_t rows_count; /* 0: the number is free, or waits for readers */
    uint32_t row;        /* when rows_count is 1; of a free one, the next free number */
    uint8_t *text;
    roaring_bitmap_t *rows; /* when rows_count is more, or was; or NULL */
};

/* A number on its way back. owner: the epoch */
struct freed {
    struct epoch_item item;
    struct tags *tags;
    uint32_t number;
};

static bool text_equal(const void *owner, uint32_t number, struct slice text)
{
    const struct tag *tag = &((const struct tags *)owner)->tags[number];
    return slice_eq((struct slice){tag->text, tag->size}, text);
}

static void book(struct tags *t, int64_t bytes)
{
    t->bytes = (size_t)((int64_t)t->bytes + bytes);
    mem_book_pages(MEM_ID, bytes);
}

void tags_init(struct tags *t, struct epoch *epoch, const uint64_t seed[2])
{
    *t = (struct tags){.epoch = epoch, .free = TAG_NONE, .seed = {seed[0], seed[1]}};
    map_init(&t->ids, MEM_ID, text_equal, t);
}

void tags_fini(struct tags *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        mem_free(MEM_ID, t->tags[i].text);
        if (t->tags[i].rows != NULL)
            roaring_bitmap_free(t->tags[i].rows);
    }
    mem_free(MEM_ID, t->tags);
    map_fini(&t->ids);
    book(t, -(int64_t)t->bytes);
    t->tags = NULL;
    t->count = 0;
}

static uint32_t hash_of(const struct tags *t, struct slice text)
{
    return (uint32_t)hash_bytes(text, t->seed);
}

static struct tag *tag_at(const struct tags *t, uint32_t number)
{
    CHECK(number < t->count);
    return &t->tags[number];
}

uint32_t tags_find(const struct tags *t, struct slice text)
{
    return map_get(&t->ids, hash_of(t, text), text);
}

/* A number nobody has; TAG_NONE when memory is short. */
static uint32_t take_number(struct tags *t)
{
    uint32_t number = t->free;
    if (number != TAG_NONE) {
        t->free = t->tags[number].row;
        return number;
    }
    if (t->count == t->capacity) {
        uint32_t capacity = t->capacity == 0 ? 8 : t->capacity * 2;
        struct tag *grown = mem_try_realloc(MEM_ID, t->tags, capacity * sizeof(*grown));
        if (grown == NULL)
            return TAG_NONE;
        t->tags = grown;
        t->capacity = capacity;
    }
    return t->count++;
}

static void give_number(struct tags *t, uint32_t number)
{
    t->tags[number] = (struct tag){.row = t->free};
    t->free = number;
}

static uint32_t add_text(struct tags *t, struct slice text, uint32_t hash)
{
    uint8_t *copy = mem_try(MEM_ID, text.len + 1);
    if (copy == NULL || !map_reserve(&t->ids, 1)) {
        mem_free(MEM_ID, copy);
        return TAG_NONE;
    }
    uint32_t number = take_number(t);
    if (number == TAG_NONE) {
        mem_free(MEM_ID, copy);
        return TAG_NONE;
    }
    if (text.len > 0)
        memcpy(copy, text.ptr, text.len);
    t->tags[number] = (struct tag){.hash = hash, .size = (uint32_t)text.len, .text = copy};
    map_put(&t->ids, hash, number);
    return number;
}

static void add_row(struct tags *t, struct tag *tag, uint32_t row)
{
    if (tag->rows_count++ == 0) {
        tag->row = row;
        return;
    }
    if (tag->rows == NULL) {
        tag->rows = roaring_bitmap_create();
        CHECK(tag->rows != NULL); /* a small thing, by mem.h's rule */
        book(t, BITMAP_BYTES);
    }
    if (tag->rows_count == 2)
        roaring_bitmap_add(tag->rows, tag->row);
    roaring_bitmap_add(tag->rows, row);
    book(t, ROW_BYTES);
}

uint32_t tags_add(struct tags *t, struct slice text, uint32_t row)
{
    uint32_t hash = hash_of(t, text);
    uint32_t number = map_get(&t->ids, hash, text);
    if (number == MAP_NONE)
        number = add_text(t, text, hash);
    if (number != TAG_NONE)
        add_row(t, tag_at(t, number), row);
    return number;
}

static void drop_bitmap(struct tags *t, struct tag *tag)
{
    if (tag->rows == NULL)
        return;
    roaring_bitmap_free(tag->rows);
    tag->rows = NULL;
    book(t, -BITMAP_BYTES);
}

static void on_freed(struct epoch_item *item)
{
    struct freed *f = (struct freed *)item;
    give_number(f->tags, f->number);
    mem_free(MEM_ID, f);
}

/* The last row has gone. Until no search can compare with the number it stays nobody's. */
static void retire(struct tags *t, uint32_t number)
{
    struct tag *tag = tag_at(t, number);
    map_remove(&t->ids, tag->hash, number);
    drop_bitmap(t, tag);
    mem_free(MEM_ID, tag->text);
    tag->text = NULL;
    struct freed *f = mem_alloc(MEM_ID, sizeof(*f));
    f->tags = t;
    f->number = number;
    epoch_defer(t->epoch, &f->item, on_freed);
}

void tags_remove(struct tags *t, uint32_t number, uint32_t row)
{
    struct tag *tag = tag_at(t, number);
    CHECK(tag->rows_count > 0);
    if (--tag->rows_count == 0) {
        CHECK(tag->row == row);
        retire(t, number);
        return;
    }
    book(t, -ROW_BYTES);
    roaring_bitmap_remove(tag->rows, row);
    if (tag->rows_count == 1) {
        tag->row = roaring_bitmap_minimum(tag->rows);
        drop_bitmap(t, tag);
    }
}

void tags_move(struct tags *t, uint32_t number, uint32_t from, uint32_t to)
{
    struct tag *tag = tag_at(t, number);
    CHECK(tag->rows_count > 0);
    if (tag->rows_count == 1) {
        CHECK(tag->row == from);
        tag->row = to;
        return;
    }
    roaring_bitmap_remove(tag->rows, from);
    roaring_bitmap_add(tag->rows, to);
}

size_t tags_rows_count(const struct tags *t, uint32_t number)
{
    return number == TAG_NONE ? 0 : tag_at(t, number)->rows_count;
}

void tags_rows(const struct tags *t, uint32_t number, uint32_t *out)
{
    const struct tag *tag = tag_at(t, number);
    if (tag->rows_count == 1)
        out[0] = tag->row;
    else if (tag->rows_count > 1)
        roaring_bitmap_to_uint32_array(tag->rows, out);
}

size_t tags_bytes(const struct tags *t)
{
    return t->bytes + map_bytes(&t->ids) + t->capacity * sizeof(struct tag);
}
