#include "db/tags.h"

#include <roaring/roaring.h>

#include "base/rng.h"

enum { BITMAP_BYTES = 80, ROW_BYTES = 2 }; /* what a bitmap costs, and a row of it, about */

struct tag {
    uint32_t hash;
    uint32_t size;          /* of the text */
    uint32_t rows_count;    /* 0: the number is free, or waits for readers */
    uint32_t row;           /* when rows_count is 1; of a free one, the next free number */
    uint8_t *text;          /* of a set: the numbers of its members, ascending */
    roaring_bitmap_t *rows; /* when rows_count is more, or was; or NULL, as with sets */
    roaring_bitmap_t *sets; /* that it is in; NULL: none */
    bool is_set;
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
    map_init(&t->sets, MEM_ID, text_equal, t);
}

void tags_fini(struct tags *t)
{
    for (uint32_t i = 0; i < t->count; i++) {
        mem_free(MEM_ID, t->tags[i].text);
        if (t->tags[i].rows != NULL)
            roaring_bitmap_free(t->tags[i].rows);
        if (t->tags[i].sets != NULL)
            roaring_bitmap_free(t->tags[i].sets);
    }
    mem_free(MEM_ID, t->tags);
    map_fini(&t->ids);
    map_fini(&t->sets);
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

static uint32_t add_text(struct tags *t, struct map *map, struct slice text, uint32_t hash)
{
    uint8_t *copy = mem_try(MEM_ID, text.len + 1);
    if (copy == NULL || !map_reserve(map, 1)) {
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
    t->tags[number] = (struct tag){
        .hash = hash, .size = (uint32_t)text.len, .text = copy, .is_set = map == &t->sets};
    map_put(map, hash, number);
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

/* The number of a text, which no row may hold yet. */
static uint32_t need_text(struct tags *t, struct map *map, struct slice text)
{
    uint32_t hash = hash_of(t, text);
    uint32_t number = map_get(map, hash, text);
    return number == MAP_NONE ? add_text(t, map, text, hash) : number;
}

uint32_t tags_add(struct tags *t, struct slice text, uint32_t row)
{
    uint32_t number = need_text(t, &t->ids, text);
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
    CHECK(tag->sets == NULL);
    map_remove(tag->is_set ? &t->sets : &t->ids, tag->hash, number);
    drop_bitmap(t, tag);
    mem_free(MEM_ID, tag->text);
    tag->text = NULL;
    struct freed *f = mem_alloc(MEM_ID, sizeof(*f));
    f->tags = t;
    f->number = number;
    epoch_defer(t->epoch, &f->item, on_freed);
}

static void remove_row(struct tags *t, uint32_t number, uint32_t row)
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

static void move_row(struct tags *t, uint32_t number, uint32_t from, uint32_t to)
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

/* -- sets -------------------------------------------------------------------------------------- */

static size_t member_count(const struct tag *set)
{
    CHECK(set->is_set && set->size % sizeof(uint32_t) == 0);
    return set->size / sizeof(uint32_t);
}

static uint32_t member_at(const struct tag *set, size_t i)
{
    uint32_t number;
    memcpy(&number, set->text + i * sizeof(number), sizeof(number));
    return number;
}

/* A new set: its members know of it. */
static void enter_set(struct tags *t, uint32_t number)
{
    for (size_t i = 0; i < member_count(tag_at(t, number)); i++) {
        struct tag *member = tag_at(t, member_at(tag_at(t, number), i));
        if (member->sets == NULL) {
            member->sets = roaring_bitmap_create();
            CHECK(member->sets != NULL);
            book(t, BITMAP_BYTES);
        }
        roaring_bitmap_add(member->sets, number);
        book(t, ROW_BYTES);
    }
}

static void leave_set(struct tags *t, uint32_t number)
{
    for (size_t i = 0; i < member_count(tag_at(t, number)); i++) {
        struct tag *member = tag_at(t, member_at(tag_at(t, number), i));
        CHECK(member->sets != NULL);
        roaring_bitmap_remove(member->sets, number);
        book(t, -ROW_BYTES);
        if (!roaring_bitmap_is_empty(member->sets))
            continue;
        roaring_bitmap_free(member->sets);
        member->sets = NULL;
        book(t, -BITMAP_BYTES);
    }
}

bool tags_add_member(struct tags *t, struct tag_members *m, struct slice text)
{
    size_t at = 0;
    uint32_t number = m->count < TAG_SET_MAX ? need_text(t, &t->ids, text) : TAG_NONE;
    if (number == TAG_NONE)
        return false;
    while (at < m->count && m->numbers[at] < number)
        at++;
    if (at < m->count && m->numbers[at] == number)
        return true;
    memmove(m->numbers + at + 1, m->numbers + at, (m->count - at) * sizeof(*m->numbers));
    m->numbers[at] = number;
    m->count++;
    return true;
}

void tags_give_up_set(struct tags *t, const struct tag_members *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (tag_at(t, m->numbers[i])->rows_count == 0)
            retire(t, m->numbers[i]);
}

uint32_t tags_add_set(struct tags *t, const struct tag_members *m, uint32_t row)
{
    struct slice members = {(const uint8_t *)m->numbers, m->count * sizeof(*m->numbers)};
    CHECK(m->count > 0);
    uint32_t number = need_text(t, &t->sets, members);
    if (number == TAG_NONE)
        return TAG_NONE;
    if (tag_at(t, number)->rows_count++ == 0)
        enter_set(t, number);
    for (size_t i = 0; i < m->count; i++)
        add_row(t, tag_at(t, m->numbers[i]), row);
    return number;
}

static void remove_set_row(struct tags *t, uint32_t number, uint32_t row)
{
    struct tag *set = tag_at(t, number);
    CHECK(set->rows_count > 0);
    if (--set->rows_count == 0)
        leave_set(t, number);
    for (size_t i = 0; i < member_count(set); i++)
        remove_row(t, member_at(set, i), row);
    if (set->rows_count == 0)
        retire(t, number);
}

/* -- either ------------------------------------------------------------------------------------ */

void tags_remove(struct tags *t, uint32_t number, uint32_t row)
{
    if (tag_at(t, number)->is_set)
        remove_set_row(t, number, row);
    else
        remove_row(t, number, row);
}

void tags_move(struct tags *t, uint32_t number, uint32_t from, uint32_t to)
{
    const struct tag *tag = tag_at(t, number);
    if (!tag->is_set)
        move_row(t, number, from, to);
    for (size_t i = 0; tag->is_set && i < member_count(tag); i++)
        move_row(t, member_at(tag, i), from, to);
}

bool tags_text(const struct tags *t, uint32_t number, struct slice *out)
{
    const struct tag *tag = tag_at(t, number);
    *out = (struct slice){tag->text, tag->size};
    return tag->rows_count > 0 && !tag->is_set;
}

size_t tags_sets_count(const struct tags *t, uint32_t number)
{
    const struct tag *tag = tag_at(t, number);
    return tag->sets == NULL ? 0 : roaring_bitmap_get_cardinality(tag->sets);
}

void tags_sets(const struct tags *t, uint32_t number, uint32_t *out)
{
    const struct tag *tag = tag_at(t, number);
    if (tag->sets != NULL)
        roaring_bitmap_to_uint32_array(tag->sets, out);
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
    return t->bytes + map_bytes(&t->ids) + map_bytes(&t->sets) + t->capacity * sizeof(struct tag);
}
