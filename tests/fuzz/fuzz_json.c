/* fuzz_json.c: whatever bytes are, the document made of them is canonical and stays what it is when
 * read again; whatever a path finds in it has a path of its own that finds just that; and a change
 * there leaves a document.
 *
 * An input is JSON, a NUL and a path. */
#include <stddef.h>
#include <stdint.h>

#include "json/edit.h"
#include "json/merge.h"
#include "json/parse.h"
#include "json/path.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { FUZZED_MAX = 4000, HITS_MAX = 20 };

static const uint64_t seed[2] = {1, 2};

static void check_text(struct slice document)
{
    struct buf again = BUF_INIT(MEM_TEST);
    struct why why;
    CHECK(jparse_check(document) == OK);
    CHECK(jparse(document, seed, &again, &why) == OK);
    CHECK(slice_eq(buf_slice(&again), document) && jval_equal(document, buf_slice(&again)));
    buf_fini(&again);
}

/* The document with its one change. */
static void check_edits(struct jedits *e)
{
    struct buf out = BUF_INIT(MEM_TEST), path = BUF_INIT(MEM_TEST);
    CHECK(!jedits_failed(e));
    size_t size = jedits_settle(e);
    uint8_t *room = buf_reserve(&out, size + 1);
    CHECK(room != NULL);
    jedits_write(e, room);
    buf_advance(&out, size);
    if (size > 0) {
        check_text(buf_slice(&out));
        struct slice by = jplace_difference(e->document, buf_slice(&out), &path);
        CHECK(jparse_check(by) == OK);
        CHECK(jplace_check(buf_slice(&path)) || path.len > UINT16_MAX);
    }
    buf_fini(&out);
    buf_fini(&path);
    jedits_fini(e);
}

static void check_hit(struct slice document, const struct jhit *hit)
{
    struct buf place = BUF_INIT(MEM_TEST);
    struct jpath p;
    struct jhits hits = {0};
    struct jedits e;
    struct why why;
    CHECK(hit->value.ptr >= document.ptr);
    CHECK(hit->value.ptr + hit->value.len <= document.ptr + document.len);
    CHECK(jplace_path(document, (size_t)(hit->value.ptr - document.ptr), &place));
    CHECK(jplace_check(buf_slice(&place)));
    CHECK(jpath_init(&p, buf_slice(&place), &why) == OK && jpath_is_static(&p));
    CHECK(jpath_find(&p, document, SIZE_MAX, &hits, &why) == OK && hits.count == 1);
    CHECK(hits.items[0].value.ptr == hit->value.ptr && hits.items[0].value.len == hit->value.len);
    jedits_init(&e, document);
    jedit_set(&e, hit->value, slice_of("[null]"));
    check_edits(&e);
    if (hit->level > 0) {
        jedits_init(&e, document);
        jedit_remove(&e, hit->entry, hit->value);
        check_edits(&e);
    }
    if (jval_kind(hit->value) == JVAL_ARRAY) {
        jedits_init(&e, document);
        jedit_insert(&e, hit->value, jval_count(hit->value) / 2, slice_of("1,\"two\""));
        check_edits(&e);
    }
    jhits_fini(&hits);
    jpath_fini(&p);
    buf_fini(&place);
}

static void check_path(struct slice document, struct slice text)
{
    struct jpath p;
    struct jhits hits = {0};
    struct why why;
    if (!utf8_check(text) || jpath_init(&p, text, &why) != OK)
        return;
    enum err e = jpath_find(&p, document, SIZE_MAX, &hits, &why);
    CHECK(e == OK || e == ERR_LIMIT);
    CHECK(hits.count <= 1 || e != OK || !jpath_is_static(&p));
    for (size_t i = 0; e == OK && i < hits.count && i < HITS_MAX; i++)
        check_hit(document, &hits.items[i]);
    jhits_fini(&hits);
    jpath_fini(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct buf document = BUF_INIT(MEM_TEST), merged = BUF_INIT(MEM_TEST);
    struct why why;
    if (len > FUZZED_MAX)
        return 0;
    const uint8_t *nul = len > 0 ? memchr(bytes, '\0', len) : NULL;
    struct slice text = {bytes, nul == NULL ? len : (size_t)(nul - bytes)}, path = {0};
    if (nul != NULL)
        path = (struct slice){nul + 1, len - text.len - 1};
    if (jparse(text, seed, &document, &why) == OK) {
        struct slice all = buf_slice(&document);
        check_text(all);
        check_path(all, path);
        CHECK(jmerge(all, all, &merged, &why) == OK);
        if (merged.len > 0)
            CHECK(jparse_check(buf_slice(&merged)) == OK);
    } else {
        CHECK(jparse_check(text) != OK);
    }
    buf_fini(&merged);
    buf_fini(&document);
    return 0;
}
