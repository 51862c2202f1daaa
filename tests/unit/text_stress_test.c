/* Workers search words while the loop changes documents and collects what is dead. Every document
 * has the word "common" and one of "even" and "odd", which each change turns into the other: so a
 * search that saw a part of a change would find a document with both, or with none. For
 * `make SAN=thread unit T=text_stress` above all. */
#include <stdio.h>

#include "base/rng.h"
#include "db/key_filter.h"
#include "db/query.h"
#include "lib/test.h"
#include "net/io_uv.h"

#ifdef VDB_SANITIZER
enum { SEARCHES = 600 };
#else
enum { SEARCHES = 3000 };
#endif
enum { DOCUMENTS = 3000, LANES = 3, SLOTS = 6, WRITES = 8, POLL_US = 2000, TEXT_MAX = 96 };

struct stress;

struct asking {
    struct stress *stress;
    size_t kind;
    struct ft_query query;
    struct key_text *text;
    uint64_t count;
};

struct stress {
    struct io *io;
    struct db db;
    struct io_timer poll;
    uint64_t random;
    uint32_t versions[DOCUMENTS]; /* 0: it is not there */
    unsigned out, started;
    unsigned wrong;
    uint64_t found;
    bool ending;
};

static void write(struct stress *t, const struct mutation *m)
{
    uint64_t lsn;
    CHECK(db_write(&t->db, m, &lsn, NULL) == OK);
}

static void change(struct stress *t)
{
    uint32_t id = (uint32_t)rng_below(&t->random, DOCUMENTS);
    char key[TEXT_MAX], text[TEXT_MAX];
    (void)snprintf(key, sizeof(key), "d:%u", id);
    if (t->versions[id] > 0 && rng_below(&t->random, 8) == 0) {
        t->versions[id] = 0;
        write(t, &(struct mutation){.kind = MUTATION_KEY_REMOVE, .key = slice_of(key)});
        return;
    }
    uint32_t version = ++t->versions[id];
    (void)snprintf(text, sizeof(text), "common %s w%u x%u", version % 2 == 0 ? "even" : "odd",
                   version % 100, id);
    struct hash_field field = {.name = slice_of("t"), .value = slice_of(text)};
    write(t, &(struct mutation){
                 .kind = MUTATION_HASH_SET, .key = slice_of(key), .fields = &field, .count = 1});
}

/* -- searches ---------------------------------------------------------------------------------- */

enum { ALL, NONE, BOTH, NEITHER, SOME };
static const char *const queries[] = {
    [ALL] = "even|odd",
    [NONE] = "-common",
    [BOTH] = "even odd",
    [NEITHER] = "common -even -odd",
    [SOME] = "(\"common even\" | od*) @c:{none} | %commo% x1*",
};

static enum err prepare(struct search *s, struct lane *lane)
{
    struct asking *a = s->extra;
    return key_text_run(a->text, s, lane);
}

static bool count_row(void *user, uint32_t row)
{
    (void)row;
    ++*(uint64_t *)user;
    return true;
}

static enum err work(struct search *s, struct lane *lane)
{
    struct asking *a = s->extra;
    query_each(s, lane, count_row, &a->count);
    return OK;
}

static void end_asking(struct search *s)
{
    struct asking *a = s->extra;
    query_fini(&a->query);
    key_text_free(a->text);
}

static void ask_more(struct stress *t);

static void finish(struct search *s)
{
    struct asking *a = s->extra;
    struct stress *t = a->stress;
    uint64_t wanted = a->kind == ALL ? s->view.live : a->kind == SOME ? a->count : 0;
    t->wrong += s->error != OK || a->count != wanted;
    t->found += a->count;
    search_free(s);
}

static void on_done(struct search *s)
{
    struct stress *t = ((struct asking *)s->extra)->stress;
    t->out--;
    finish(s);
    ask_more(t);
}

static struct search *make_search(struct stress *t)
{
    const struct key_text_options options = {.slop = TEXT_NO_SLOP, .scores = true};
    struct key_index *x = indexes_find(&t->db, slice_of("i"));
    struct asking *a = mem_try_calloc(MEM_SCRATCH, sizeof(*a));
    struct search *s = search_new(&t->db, x->docs, 1);
    struct key_filter filter;
    struct why why;
    CHECK(s != NULL && a != NULL);
    a->stress = t;
    a->kind = rng_below(&t->random, COUNT_OF(queries));
    CHECK(query_parse(slice_of(queries[a->kind]), 2, NULL, 0, &a->query, &why) == OK);
    CHECK(key_filter_make(x, &a->query, &options, &filter, &why) == OK);
    a->text = filter.text;
    key_text_view(a->text, 0);
    s->filter = filter.filter;
    s->prepare = prepare;
    s->work = work;
    s->done = on_done;
    s->extra = a;
    s->end_extra = end_asking;
    return s;
}

static void ask_more(struct stress *t)
{
    bool here = true;
    while (here && t->started < SEARCHES) {
        t->started++;
        for (int i = 0; i < WRITES; i++)
            change(t);
        struct search *s = make_search(t);
        here = search_start(s);
        if (here)
            finish(s);
        else
            t->out++;
    }
}

/* -- from beginning to end --------------------------------------------------------------------- */

static void on_poll(struct io_timer *timer)
{
    struct stress *t = timer->user;
    if (t->ending ? db_idle(&t->db) : t->out == 0)
        io_uv_stop(t->io);
    else
        t->io->ops->timer_start(t->io, timer, POLL_US);
}

static void run(struct stress *t)
{
    t->poll = (struct io_timer){.fn = on_poll, .user = t, .impl = t->poll.impl};
    t->io->ops->timer_start(t->io, &t->poll, POLL_US);
    io_uv_run(t->io);
}

TEST(text_stress, no_search_sees_a_part_of_a_change)
{
    static const char *const words[] = {"PREFIX", "1", "d:", "SCHEMA", "t", "TEXT", "c", "TAG"};
    struct slice definition[COUNT_OF(words)];
    struct stress *t = mem_calloc(MEM_TEST, sizeof(*t));
    struct db_options options = {.flat_rows_max = 1000, .pending_scan_bytes = 64 << 10};
    t->random = 3;
    REQUIRE(io_uv_new(LANES, &t->io, NULL) == OK);
    REQUIRE(vec_kernels_choose("auto", &options.kernels, NULL) == OK);
    db_init(&t->db, t->io, &options);
    for (size_t i = 0; i < COUNT_OF(words); i++)
        definition[i] = slice_of(words[i]);
    write(t, &(struct mutation){.kind = MUTATION_INDEX_NEW,
                                .key = slice_of("i"),
                                .ids = definition,
                                .count = COUNT_OF(words)});
    for (size_t i = 0; i < 2 * (size_t)DOCUMENTS; i++)
        change(t);
    for (size_t i = 0; i < SLOTS; i++)
        ask_more(t);
    run(t);
    EXPECT_EQ(t->started, SEARCHES);
    EXPECT_EQ(t->wrong, 0);
    EXPECT(t->found > SEARCHES);
    const struct text_index *x = index_text_of(indexes_find(&t->db, slice_of("i"))->text);
    EXPECT(x->collected > 0);
    db_clear(&t->db);
    t->ending = true;
    run(t);
    db_fini(&t->db);
    io_uv_free(t->io);
    mem_free(MEM_TEST, t);
    EXPECT_EQ(mem_used(MEM_TEXT), 0);
}
