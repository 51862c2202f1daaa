/* LCS: the longest common subsequence of two strings, by the table of what their beginnings have in
 * common. Where two ways are as long, Redis's is taken. */
#include "base/limits.h"
#include "cmd/keys.h"

/* Of the first i bytes of a and the first j of b, the length of what they have in common. */
struct table {
    struct slice a, b;
    uint16_t *cells; /* (a.len + 1) rows of b.len + 1 */
};

/* Bytes that stand together in both. */
struct run {
    size_t a, b; /* where they begin */
    size_t len;
};

static uint16_t cell(const struct table *t, size_t i, size_t j)
{
    return t->cells[i * (t->b.len + 1) + j];
}

static void fill_table(struct table *t)
{
    size_t width = t->b.len + 1;
    _Static_assert(LIMIT_LCS_CELLS <= (size_t)UINT16_MAX * UINT16_MAX, "a length fits a cell");
    for (size_t i = 1; i <= t->a.len; i++) {
        const uint16_t *above = t->cells + (i - 1) * width;
        uint16_t *row = t->cells + i * width;
        for (size_t j = 1; j < width; j++) {
            uint16_t longer = above[j] > row[j - 1] ? above[j] : row[j - 1];
            row[j] = t->a.ptr[i - 1] == t->b.ptr[j - 1] ? (uint16_t)(above[j - 1] + 1) : longer;
        }
    }
}

static void put_run(struct buf *runs, size_t a, size_t b, size_t len, size_t least)
{
    struct run run = {a, b, len};
    if (len > 0 && len >= least)
        buf_append(runs, &run, sizeof(run));
}

/* From the ends of both back to where one begins. text has room for what is common; runs, of least
 * bytes or more, come last one first. */
static void walk_back(const struct table *t, size_t least, uint8_t *text, struct buf *runs)
{
    size_t i = t->a.len, j = t->b.len, at = cell(t, i, j), len = 0;
    while (i > 0 && j > 0) {
        if (t->a.ptr[i - 1] == t->b.ptr[j - 1]) {
            CHECK(at > 0);
            text[--at] = t->a.ptr[i - 1];
            i--;
            j--;
            len++;
            continue;
        }
        put_run(runs, i, j, len, least);
        len = 0;
        if (cell(t, i - 1, j) > cell(t, i, j - 1))
            i--;
        else
            j--;
    }
    put_run(runs, i, j, len, least);
    CHECK(at == 0);
}

static void reply_range(struct reply *r, size_t start, size_t len)
{
    reply_array(r, 2);
    reply_int(r, (int64_t)start);
    reply_int(r, (int64_t)(start + len - 1));
}

static void reply_runs(struct reply *r, const struct buf *runs, size_t common, bool with_len)
{
    const struct run *list = (const struct run *)(const void *)runs->ptr;
    size_t count = runs->len / sizeof(*list);
    reply_map(r, 2);
    reply_text(r, "matches");
    reply_array(r, count);
    for (size_t i = 0; i < count; i++) {
        reply_array(r, with_len ? 3 : 2);
        reply_range(r, list[i].a, list[i].len);
        reply_range(r, list[i].b, list[i].len);
        if (with_len)
            reply_int(r, (int64_t)list[i].len);
    }
    reply_text(r, "len");
    reply_int(r, (int64_t)common);
}

static void reply_table(struct request *rq, const struct table *t)
{
    const struct lcs_args *a = rq->args;
    size_t common = cell(t, t->a.len, t->b.len);
    if (a->len) {
        reply_int(&rq->reply, (int64_t)common);
        return;
    }
    uint8_t *text = mem_try(MEM_CLIENT, common + 1);
    struct buf runs = BUF_INIT(MEM_CLIENT);
    if (text != NULL)
        walk_back(t, a->has_least && a->least > 0 ? (size_t)a->least : 0, text, &runs);
    if (text == NULL || buf_failed(&runs))
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    else if (a->idx)
        reply_runs(&rq->reply, &runs, common, a->with_len);
    else
        reply_bulk(&rq->reply, (struct slice){text, common});
    buf_fini(&runs);
    mem_free(MEM_CLIENT, text);
}

/* A key that is not there holds nothing. False: it holds something else, and the error is replied.
 */
static bool read_string(struct request *rq, struct slice key, struct slice *out)
{
    const struct object *o = key_read(rq, key);
    *out = o == NULL || o->type != OBJECT_STRING ? (struct slice){0} : object_string(o);
    if (o == NULL || o->type == OBJECT_STRING)
        return true;
    reply_error(&rq->reply, "ERR The specified keys must contain string values");
    return false;
}

void cmd_lcs(struct request *rq)
{
    const struct lcs_args *a = rq->args;
    struct table t;
    size_t cells;
    if (!read_string(rq, a->key, &t.a) || !read_string(rq, a->key2, &t.b))
        return;
    if (a->idx && a->len) {
        reply_error(&rq->reply,
                    "ERR If you want both the length and indexes, please just use IDX.");
        return;
    }
    if (__builtin_mul_overflow(t.a.len + 1, t.b.len + 1, &cells) || cells > LIMIT_LCS_CELLS) {
        reply_errorf(&rq->reply, "ERR the product of the strings' lengths is over %d",
                     LIMIT_LCS_CELLS);
        return;
    }
    t.cells = mem_try_calloc(MEM_CLIENT, cells * sizeof(*t.cells));
    if (t.cells == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    fill_table(&t);
    reply_table(rq, &t);
    mem_free(MEM_CLIENT, t.cells);
}
