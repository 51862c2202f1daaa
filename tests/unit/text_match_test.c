/* An index of texts against documents that are looked through one by one: random texts, changes and
 * queries, with views that are read after more has changed and with collecting in between. */
#include <math.h>
#include <stdio.h>

#include "base/epoch.h"
#include "base/rng.h"
#include "lib/test.h"
#include "text/match.h"

enum {
    DOCUMENTS = 120,
    WORDS_MAX = 12, /* of a text */
    WORD_MAX = 4,
    FIELDS = 2,
    DEPTH_MAX = 3,
    NODES_MAX = 200,
    VIEWS = 3
};
#ifdef VDB_SANITIZER
enum { SEEDS = 1, STEPS = 400 };
#else
enum { SEEDS = 4, STEPS = 1200 };
#endif

struct naive_text {
    char words[WORDS_MAX][WORD_MAX + 1];
    size_t count;
};

struct naive_document {
    bool alive;
    uint32_t slot;
    struct naive_text fields[FIELDS];
};

/* What the documents were when a view was taken. */
struct moment {
    bool held;
    uint64_t guard;
    struct text_view view;
    struct naive_document documents[DOCUMENTS];
};

struct rig {
    struct epoch epoch;
    struct text_index *index;
    struct naive_document documents[DOCUMENTS];
    struct moment moments[VIEWS];
    uint64_t random, lsn;
    struct text_collecting collecting;
    bool collects;
    size_t answers, matches;
};

static size_t below(struct rig *r, size_t bound)
{
    return (size_t)rng_below(&r->random, bound);
}

static struct rig *rig_new(uint64_t seed, bool positions, bool freqs)
{
    static const uint64_t hash[2] = {1, 2};
    struct text_options *o = mem_calloc(MEM_TEST, sizeof(*o));
    struct rig *r = mem_calloc(MEM_TEST, sizeof(*r));
    o->format = (struct text_format){.field_count = FIELDS, .fields = true, .freqs = freqs};
    o->format.positions = positions;
    o->format.weights[0] = 1;
    o->format.weights[1] = 3;
    o->no_stem[0] = o->no_stem[1] = true;
    o->collection_count = 1;
    epoch_init(&r->epoch);
    r->random = seed;
    r->index = text_index_new(&r->epoch, hash, o);
    REQUIRE(r->index != NULL);
    mem_free(MEM_TEST, o);
    return r;
}

static void let_go(struct rig *r, struct moment *m)
{
    if (m->held)
        epoch_leave(&r->epoch, m->guard);
    m->held = false;
}

static void rig_free(struct rig *r)
{
    for (size_t i = 0; i < VIEWS; i++)
        let_go(r, &r->moments[i]);
    text_index_free(r->index);
    EXPECT_EQ(mem_used(MEM_TEXT), 0);
    mem_free(MEM_TEST, r);
}

/* -- changes ----------------------------------------------------------------------------------- */

static void random_word(struct rig *r, char out[WORD_MAX + 1])
{
    size_t size = 1 + below(r, WORD_MAX);
    for (size_t i = 0; i < size; i++)
        out[i] = (char)('a' + below(r, 2 + (i == 0)));
    out[size] = '\0';
}

static void put(struct rig *r, struct naive_document *d)
{
    static const char *const between[] = {" ", ", ", "-", "\t\"", ") ("};
    text_put_begin(r->index, TEXT_ENGLISH, 1, r->lsn);
    for (unsigned f = 0; f < FIELDS; f++) {
        struct buf text = BUF_INIT(MEM_TEST);
        d->fields[f].count = below(r, WORDS_MAX + 1);
        for (size_t i = 0; i < d->fields[f].count; i++) {
            random_word(r, d->fields[f].words[i]);
            buf_append_text(&text, d->fields[f].words[i]);
            buf_append_text(&text, between[below(r, COUNT_OF(between))]);
        }
        EXPECT_EQ(text_put_field(r->index, f, buf_slice(&text)), OK);
        buf_fini(&text);
    }
    EXPECT_EQ(text_put_end(r->index, d->slot, r->lsn), OK);
}

static void change(struct rig *r)
{
    struct naive_document *d = &r->documents[below(r, DOCUMENTS)];
    r->lsn++;
    if (d->alive && below(r, 4) == 0) {
        text_document_drop(r->index, d->slot, r->lsn);
        d->alive = false;
        return;
    }
    if (!d->alive) {
        d->slot = text_document_new(r->index);
        REQUIRE(d->slot != TEXT_NO_SLOT);
        d->alive = true;
    }
    put(r, d);
}

/* As index_text.c does it: what was dead when no older guard was held any more. */
static void collect(struct rig *r)
{
    bool guards = false;
    for (size_t i = 0; i < VIEWS; i++)
        guards |= r->moments[i].held;
    if (!r->collects && !guards) {
        r->collecting = (struct text_collecting){.lsn = r->lsn};
        r->collects = true;
    }
    for (size_t i = 0; i < 40 && r->collects; i++)
        r->collects = !text_collect_step(r->index, &r->collecting);
}

static void take_view(struct rig *r, struct moment *m)
{
    let_go(r, m);
    m->held = true;
    m->guard = epoch_enter(&r->epoch);
    text_view(r->index, r->lsn, 0, &m->view);
    memcpy(m->documents, r->documents, sizeof(m->documents));
}

/* -- queries ----------------------------------------------------------------------------------- */

static uint32_t add_leaf(struct rig *r, struct text_query *q)
{
    static const enum text_kind kinds[] = {TEXT_TERM,   TEXT_TERM,     TEXT_TERM,  TEXT_PREFIX,
                                           TEXT_SUFFIX, TEXT_WILDCARD, TEXT_INFIX, TEXT_FUZZY};
    enum text_kind kind = kinds[below(r, COUNT_OF(kinds))];
    char word[WORD_MAX + 1];
    uint32_t node;
    random_word(r, word);
    if (kind == TEXT_WILDCARD)
        word[below(r, strlen(word))] = below(r, 2) == 0 ? '?' : '*';
    REQUIRE(text_query_add(q, kind, slice_of(word), &node) == OK);
    q->nodes[node].edits = (uint8_t)(1 + below(r, TEXT_EDITS_MAX));
    q->nodes[node].weight = below(r, 4) == 0 ? 2.5 : 1;
    if (below(r, 3) == 0)
        q->nodes[node].fields = 1 + below(r, 3);
    return node;
}

static uint32_t add_node(struct rig *r, struct text_query *q, size_t depth)
{
    static const enum text_kind kinds[] = {TEXT_AND, TEXT_AND,      TEXT_OR, TEXT_OR,
                                           TEXT_NOT, TEXT_OPTIONAL, TEXT_ALL};
    if (depth == 0 || below(r, 4) == 0)
        return add_leaf(r, q);
    enum text_kind kind = kinds[below(r, COUNT_OF(kinds))];
    size_t count = kind == TEXT_ALL ? 0 : kind <= TEXT_OR && kind >= TEXT_AND ? 1 + below(r, 4) : 1;
    uint32_t children[4], node;
    bool near = kind == TEXT_AND && below(r, 2) == 0;
    for (size_t i = 0; i < count; i++) {
        children[i] = near ? add_leaf(r, q) : add_node(r, q, depth - 1);
        if (i > 0)
            q->nodes[children[i - 1]].next = children[i];
    }
    REQUIRE(text_query_add(q, kind, (struct slice){0}, &node) == OK);
    q->nodes[node].child = count > 0 ? children[0] : TEXT_NO_NODE;
    if (near) {
        q->nodes[node].slop = (int64_t)below(r, 4);
        q->nodes[node].in_order = below(r, 2) == 0;
    }
    return node;
}

/* -- the answer, by looking -------------------------------------------------------------------- */

static size_t distance(const char *a, const char *b)
{
    size_t rows[WORD_MAX + 1][WORD_MAX + 1], n = strlen(a), m = strlen(b);
    for (size_t i = 0; i <= n; i++)
        for (size_t j = 0; j <= m; j++) {
            size_t best = i + j;
            if (i > 0 && j > 0)
                best = rows[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (i > 0 && rows[i - 1][j] + 1 < best)
                best = rows[i - 1][j] + 1;
            if (j > 0 && rows[i][j - 1] + 1 < best)
                best = rows[i][j - 1] + 1;
            rows[i][j] = best;
        }
    return rows[n][m];
}

static bool like(const char *text, const char *pattern)
{
    if (*pattern == '*')
        return like(text, pattern + 1) || (*text != '\0' && like(text + 1, pattern));
    if (*pattern == '\0' || *text == '\0')
        return *pattern == *text;
    return (*pattern == '?' || *pattern == *text) && like(text + 1, pattern + 1);
}

static bool fits(const struct text_query *q, const struct text_node *n, const char *word)
{
    char wanted[WORD_MAX + 1] = {0};
    struct slice text = text_node_text(q, n);
    size_t size = strlen(word);
    memcpy(wanted, text.ptr, text.len);
    bool enough = text.len >= TEXT_PREFIX_MIN;
    if (n->kind == TEXT_TERM)
        return strcmp(word, wanted) == 0;
    if (n->kind == TEXT_PREFIX)
        return enough && strncmp(word, wanted, text.len) == 0;
    if (n->kind == TEXT_SUFFIX)
        return enough && size >= text.len && strcmp(word + size - text.len, wanted) == 0;
    if (n->kind == TEXT_INFIX)
        return enough && strstr(word, wanted) != NULL;
    if (n->kind == TEXT_WILDCARD)
        return like(word, wanted);
    return distance(word, wanted) <= n->edits;
}

/* Places of a leaf's words, by field; how many. */
static size_t places_of(const struct text_query *q, const struct text_node *n,
                        const struct naive_document *d, uint64_t *out)
{
    size_t count = 0;
    for (uint64_t f = 0; f < FIELDS; f++)
        for (size_t i = 0; (n->fields >> f & 1) != 0 && i < d->fields[f].count; i++)
            if (fits(q, n, d->fields[f].words[i]))
                out[count++] = f << 32 | (i + 1);
    return count;
}

/* Is there a choice of one place for each leaf that stands near enough? */
static bool stand_near(const struct text_query *q, const struct text_node *n,
                       const struct naive_document *d, uint32_t leaf, uint64_t low, uint64_t high,
                       uint64_t last, uint64_t taken)
{
    uint64_t places[FIELDS * WORDS_MAX];
    if (leaf == TEXT_NO_NODE)
        return taken < 2 || high - low <= (uint64_t)n->slop + taken - 1;
    size_t count = places_of(q, &q->nodes[leaf], d, places);
    for (size_t i = 0; i < count; i++) {
        uint64_t at = places[i];
        if (n->in_order && taken > 0 && at <= last)
            continue;
        if (stand_near(q, n, d, q->nodes[leaf].next, taken == 0 || at < low ? at : low,
                       taken == 0 || at > high ? at : high, at, taken + 1))
            return true;
    }
    return false;
}

struct looking {
    struct rig *r;
    const struct text_query *q;
    const struct moment *m;
    const struct naive_document *d;
};

/* Each word of the document once. */
static double score_leaf(const struct looking *l, const struct text_node *n)
{
    const struct text_format *f = &l->r->index->format;
    double score = 0, length = 0, average = (double)l->m->view.length / (double)l->m->view.alive;
    for (size_t i = 0; i < FIELDS; i++)
        length += (double)l->d->fields[i].count;
    for (size_t at = 0; at < FIELDS * (size_t)WORDS_MAX; at++) {
        size_t field = at / WORDS_MAX, i = at % WORDS_MAX;
        uint32_t frequency = 0;
        uint64_t in = 0;
        bool first = i < l->d->fields[field].count;
        const char *word = l->d->fields[field].words[i];
        for (size_t b = 0; first && b < FIELDS * (size_t)WORDS_MAX; b++) {
            const struct naive_text *t = &l->d->fields[b / WORDS_MAX];
            if (b % WORDS_MAX >= t->count || strcmp(t->words[b % WORDS_MAX], word) != 0)
                continue;
            first = b >= at;
            frequency += f->weights[b / WORDS_MAX];
            in |= (uint64_t)1 << b / WORDS_MAX;
        }
        if (!first || (in & n->fields) == 0 || !fits(l->q, n, word))
            continue;
        const struct text_term *term = text_terms_find(&l->r->index->terms, slice_of(word));
        REQUIRE(term != NULL);
        double with = term->docs, all = (double)l->m->view.alive;
        double without = all > with ? all - with : 0, tf = f->freqs ? frequency : 1;
        double idf = log(1 + (without + 0.5) / (with + 0.5));
        score += idf * tf * 2.2 / (tf + 1.2 * (0.25 + 0.75 * length / average));
    }
    return score * n->weight;
}

static bool look(const struct looking *l, uint32_t node, double *score)
{
    const struct text_query *q = l->q;
    const struct text_node *n = &q->nodes[node];
    uint64_t places[FIELDS * WORDS_MAX];
    bool all = true, any = false;
    double part, sum = 0;
    *score = 0;
    if (n->kind == TEXT_ALL)
        return true;
    if (n->kind == TEXT_NOT)
        return !look(l, n->child, &part);
    if (n->kind == TEXT_OPTIONAL) {
        if (look(l, n->child, &part))
            *score = part;
        return true;
    }
    if (n->kind != TEXT_AND && n->kind != TEXT_OR) {
        *score = score_leaf(l, n);
        return places_of(q, n, l->d, places) > 0;
    }
    for (uint32_t c = n->child; c != TEXT_NO_NODE; c = q->nodes[c].next) {
        bool is = look(l, c, &part);
        all = all && is;
        any = any || is;
        sum += is ? part : 0;
    }
    *score = sum;
    if (n->kind == TEXT_OR)
        return any;
    return all && (n->slop == TEXT_NO_SLOP || !l->r->index->format.positions ||
                   stand_near(q, n, l->d, n->child, 0, 0, 0, 0));
}

static void ask(struct rig *r, const struct moment *m)
{
    struct text_query q;
    struct text_set set;
    struct text_ask how = {.scorer = TEXT_BM25STD, .scores = true};
    text_query_init(&q);
    q.root = add_node(r, &q, DEPTH_MAX);
    EXPECT_EQ(text_match(&m->view, &q, &how, &set), OK);
    size_t count = 0;
    for (size_t i = 0; i < DOCUMENTS; i++) {
        struct looking l = {r, &q, m, &m->documents[i]};
        double score;
        if (!m->documents[i].alive)
            continue;
        bool is = look(&l, q.root, &score);
        count += is;
        EXPECT(text_set_has(&set, m->documents[i].slot) == is);
        double said = is ? (double)set.scores[m->documents[i].slot] : 0;
        EXPECT(!is || fabs(said - score) <= 1e-4 * (1 + score));
    }
    EXPECT_EQ(set.count, count);
    r->answers++;
    r->matches += count;
    text_set_fini(&set);
    text_query_fini(&q);
}

static void compare(uint64_t seed, size_t steps, bool positions, bool freqs)
{
    struct rig *r = rig_new(seed, positions, freqs);
    for (size_t i = 0; i < steps; i++) {
        change(r);
        struct moment *m = &r->moments[below(r, VIEWS)];
        if (below(r, 6) == 0)
            take_view(r, m);
        if (below(r, 50) == 0)
            for (size_t j = 0; j < VIEWS; j++)
                let_go(r, &r->moments[j]);
        if (m->held)
            ask(r, m);
        if (below(r, 4) == 0)
            collect(r);
    }
    EXPECT(r->matches > r->answers);
    EXPECT(r->index->collected > 0);
    rig_free(r);
}

TEST(text_match, finds_what_looking_at_each_document_finds)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        compare(seed, STEPS, true, true);
}

TEST(text_match, does_so_without_positions_or_frequencies)
{
    compare(11, STEPS, false, true);
    compare(12, STEPS, true, false);
    compare(13, STEPS, false, false);
}

/* What is dead leaves no trace once it is collected. */
TEST(text_match, collecting_gives_all_memory_back)
{
    struct rig *r = rig_new(5, true, true);
    for (size_t i = 0; i < 3000; i++)
        change(r);
    r->lsn++;
    for (size_t i = 0; i < DOCUMENTS; i++)
        if (r->documents[i].alive)
            text_document_drop(r->index, r->documents[i].slot, r->lsn);
    size_t before = text_index_bytes(r->index);
    EXPECT(text_collect_wanted(r->index));
    r->collecting = (struct text_collecting){.lsn = r->lsn};
    for (bool done = false; !done;)
        done = text_collect_step(r->index, &r->collecting);
    EXPECT_EQ(r->index->terms.live, 0);
    EXPECT_EQ(r->index->records, 0);
    EXPECT_EQ(r->index->documents.dead, 0);
    EXPECT_EQ(r->index->terms.bytes, 0);
    EXPECT(r->index->documents.chunk_count <= 1);
    EXPECT(text_index_bytes(r->index) < before / 2);
    EXPECT(!text_collect_wanted(r->index));
    rig_free(r);
}
