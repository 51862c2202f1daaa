/* fuzz_text.c: whatever a text is, its words are found by themselves, by what they begin and end
 * with, and by what is nearly they; and no pattern breaks anything.
 *
 * An input is a text, a NUL and a pattern. */
#include <stddef.h>
#include <stdint.h>

#include "text/marker.h"
#include "text/match.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

struct check {
    struct text_index *index;
    struct text_view view;
    struct slice source;
    size_t last_at;
    size_t words;
};

static size_t find(const struct check *c, enum text_kind kind, struct slice text)
{
    struct text_query q;
    struct text_set set;
    const struct text_ask ask = {.scorer = TEXT_BM25STD, .scores = true};
    text_query_init(&q);
    CHECK(text_query_add(&q, kind, text, &q.root) == OK);
    q.nodes[q.root].edits = 1;
    CHECK(text_match(&c->view, &q, &ask, &set) == OK);
    size_t count = set.count;
    CHECK(count <= 1 && !set.stopped);
    text_set_fini(&set);
    text_query_fini(&q);
    return count;
}

static enum err check_token(void *user, const struct text_token *token)
{
    struct check *c = user;
    CHECK(token->at >= c->last_at && token->at + token->size <= c->source.len);
    CHECK(token->text.len > 0 && token->text.len <= TEXT_WORD_MAX);
    c->last_at = token->at;
    c->words++;
    CHECK(find(c, TEXT_TERM, token->text) == 1);
    /* A fuzzy word and a prefix may stand for more terms than are looked at. */
    bool few = c->index->terms.live <= TEXT_EXPANSIONS_MAX;
    if (few && token->text.len >= TEXT_PREFIX_MIN) {
        CHECK(find(c, TEXT_PREFIX, (struct slice){token->text.ptr, TEXT_PREFIX_MIN}) == 1);
        CHECK(find(c, TEXT_SUFFIX, token->text) == 1);
    }
    if (few)
        CHECK(find(c, TEXT_FUZZY, token->text) == 1);
    return OK;
}

/* Marks that nobody sees leave a text as it is. */
static void show(struct slice text, enum text_kind kind, struct slice pattern)
{
    struct text_query q;
    struct text_show how = {.marked = true, .pieces = 2, .piece_words = 3};
    struct buf out = BUF_INIT(MEM_SCRATCH);
    text_query_init(&q);
    CHECK(text_query_add(&q, kind, pattern, &q.root) == OK);
    q.nodes[q.root].edits = 1;
    struct text_marker *m = text_marker_new(TEXT_ENGLISH, NULL, 0);
    CHECK(m != NULL && text_marker_add(m, &q, NULL) == OK);
    CHECK(text_marker_show(m, text, true, &how, &out) == OK);
    CHECK(slice_eq(buf_slice(&out), text));
    how.in_pieces = true;
    CHECK(text_marker_show(m, text, true, &how, &out) == OK && out.len <= 2 * text.len);
    how.marked = false;
    CHECK(text_marker_show(m, text, true, &how, &out) == OK && out.len <= 3 * text.len);
    buf_fini(&out);
    text_marker_free(m);
    text_query_fini(&q);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    enum { FUZZED_MAX = 2000 };
    static const uint64_t seed[2] = {1, 2};
    struct text_options options = {.collection_count = 1};
    options.format =
        (struct text_format){.field_count = 1, .freqs = true, .positions = true, .weights = {1}};
    if (len > FUZZED_MAX)
        return 0;
    const uint8_t *nul = len > 0 ? memchr(bytes, '\0', len) : NULL;
    struct slice text = {bytes, nul == NULL ? len : (size_t)(nul - bytes)}, pattern = {0};
    if (nul != NULL)
        pattern = (struct slice){nul + 1, len - text.len - 1};
    struct epoch epoch;
    epoch_init(&epoch);
    struct check c = {.index = text_index_new(&epoch, seed, &options), .source = text};
    CHECK(c.index != NULL);
    uint32_t slot = text_document_new(c.index);
    text_put_begin(c.index, TEXT_ENGLISH, 1, 0);
    CHECK(text_put_field(c.index, 0, text) == OK && text_put_end(c.index, slot, 1) == OK);
    text_view(c.index, 1, 0, &c.view);
    struct text_tokenizer *own = text_tokenizer_new(); /* it calls back while it reads */
    CHECK(own != NULL && text_tokenize(own, text, check_token, &c) == OK);
    CHECK((find(&c, TEXT_WILDCARD, slice_of("*")) == 1) == (c.words > 0));
    for (int kind = TEXT_TERM; kind <= TEXT_FUZZY; kind++) {
        if (find(&c, (enum text_kind)kind, pattern) == 1)
            CHECK(c.words > 0);
        show(text, (enum text_kind)kind, pattern);
    }
    text_tokenizer_free(own);
    text_index_free(c.index);
    return 0;
}
