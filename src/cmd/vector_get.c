/* Commands that look at elements: VEMB, VGET, VGETATTR, VISMEMBER, VLINKS, VRANDMEMBER, VRANGE. */
#include <stdlib.h>

#include "base/rng.h"
#include "cmd/vector.h"
#include "cmd/vector_job.h"
#include "cmd/vector_row.h"
#include "index/hnsw.h"
#include "index/scratch.h"

/* The row of an element; ROW_NONE when the key or the element is missing, with *replied set when an
 * error was replied. */
static uint32_t find_element(struct request *rq, struct slice key, struct slice id,
                             struct collection **c, bool *replied)
{
    bool missing;
    *c = find_collection(rq, key, &missing);
    *replied = *c == NULL && !missing;
    uint32_t row = *c == NULL ? ROW_NONE : db_element(rq->env->db, *c, id);
    CHECK(row == ROW_NONE || row < (*c)->rows_end);
    return row;
}

/* What is stored, of a type of its own. Bytes of INT8 are Redis's int8 with the range 127. */
static void reply_raw_exact(struct reply *r, const struct collection_view *v, uint32_t row)
{
    static const char *const names[TYPE_COUNT] = {"f32", "f16", "bf16", "int8", "bin"};
    const struct collection_spec *spec = &v->collection->spec;
    bool int8 = spec->type == TYPE_INT8;
    reply_array(r, int8 ? 4 : 3);
    reply_simple(r, names[spec->type]);
    reply_bulk(r, (struct slice){view_stored(v, row), type_size(spec->type, spec->dim)});
    reply_double(r, spec->type == TYPE_FP32 ? (double)view_norm(v, row) : 1);
    if (int8)
        reply_double(r, 127);
}

/* VEMB RAW: what is stored, and how. */
static void reply_raw(struct reply *r, const struct collection_view *v, uint32_t row)
{
    if (v->codes.codec->quant == QUANT_NONE) {
        reply_raw_exact(r, v, row);
        return;
    }
    const struct codec *codec = v->codes.codec;
    const uint8_t *code = row_code(&v->codes, row);
    bool sq8 = codec->quant == QUANT_SQ8, rabitq = codec->quant == QUANT_RABITQ;
    reply_array(r, sq8 ? 4 : 3);
    reply_simple(r, sq8 ? "int8" : rabitq ? "rabitq" : "bin");
    size_t size = sq8      ? codec->dim
                  : rabitq ? codec->row_size
                           : (codec->dim + 63) / 64 * sizeof(uint64_t);
    CHECK(size <= codec->row_size);
    reply_bulk(r, (struct slice){code, size});
    reply_double(r, (double)view_norm(v, row));
    if (sq8)
        reply_double(r, (double)codec_range(codec, code));
}

/* The vector as it was added, from what is kept of it: exact, or what its code stands for. */
void cmd_vemb(struct request *rq)
{
    const struct vemb_args *a = rq->args;
    struct collection *c;
    bool replied;
    uint32_t row = find_element(rq, a->key, a->element, &c, &replied);
    if (replied)
        return;
    if (row == ROW_NONE) {
        reply_null(&rq->reply);
        return;
    }
    struct collection_view view;
    db_view(rq->env->db, c, &view);
    view_use(&view, row);
    if (a->raw) {
        reply_raw(&rq->reply, &view, row);
        return;
    }
    float *room = mem_try(MEM_CLIENT, c->spec.dim * sizeof(float));
    if (room == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    reply_vector(&rq->reply, &view, row, false, room);
    mem_free(MEM_CLIENT, room);
}

static void reply_elements(struct request *rq, const struct collection *c,
                           const struct row_shape *shape)
{
    const struct vget_args *a = rq->args;
    reply_array(&rq->reply, a->ids.count);
    for (size_t i = 0; i < a->ids.count; i++) {
        uint32_t row = db_element(rq->env->db, c, a->ids.items[i]);
        if (row == ROW_NONE)
            reply_null(&rq->reply);
        else
            reply_row(&rq->reply, shape, row, 0);
    }
}

/* Its attribute is shown unless RETURN says what of it. */
void cmd_vget(struct request *rq)
{
    const struct vget_args *a = rq->args;
    if (a->raw && !a->with_vectors) {
        reply_error(&rq->reply, "ERR RAW goes after WITHVECTORS");
        return;
    }
    struct collection *c = need_collection(rq, a->key);
    if (c == NULL)
        return;
    struct collection_view view;
    struct row_shape shape = {0};
    struct json_pick *pick;
    struct why why = {{0}};
    unsigned with = (a->has_fields ? 0u : WITH_ATTRIBUTE) | (a->with_vectors ? WITH_VECTOR : 0u) |
                    (a->raw ? WITH_RAW : 0u) | (a->with_ttl ? WITH_TTL : 0u) |
                    (a->with_partition ? WITH_PARTITION : 0u);
    db_view(rq->env->db, c, &view);
    enum err e = read_return(&a->fields, a->has_fields, &pick, &why);
    if (e == OK)
        e = row_shape_init(&shape, &view, with, pick);
    if (e == OK)
        reply_elements(rq, c, &shape);
    else
        reply_err(&rq->reply, e, &why);
    row_shape_fini(&shape);
    json_pick_free(pick);
}

void cmd_vgetattr(struct request *rq)
{
    const struct vgetattr_args *a = rq->args;
    struct collection *c;
    bool replied;
    uint32_t row = find_element(rq, a->key, a->element, &c, &replied);
    if (replied)
        return;
    struct slice attribute = {0};
    if (row != ROW_NONE) {
        struct collection_view view;
        db_view(rq->env->db, c, &view);
        view_use(&view, row);
        attribute = view_attribute(&view, row);
    }
    if (attribute.len == 0)
        reply_null(&rq->reply);
    else
        reply_bulk(&rq->reply, attribute);
}

void cmd_vismember(struct request *rq)
{
    const struct vismember_args *a = rq->args;
    struct collection *c;
    bool replied;
    uint32_t row = find_element(rq, a->key, a->element, &c, &replied);
    if (!replied)
        reply_bool(&rq->reply, row != ROW_NONE);
}

/* -- VLINKS ------------------------------------------------------------------------------------ */

/* The living neighbours on one level, in the order of the list; scores as VSIM has them. query: the
 * row itself, prepared; links: room for 2 m rows. */
static void reply_links(struct request *rq, const struct collection_view *v, uint32_t row,
                        int level, bool with_scores, const uint8_t *query, uint32_t *links)
{
    struct reply *r = &rq->reply;
    size_t most = 2 * (size_t)v->side->shape.m;
    size_t count = hnsw_neighbours(v->graph, row, level, links, most);
    CHECK(count <= most);
    size_t live = 0;
    for (size_t i = 0; i < count; i++)
        if (row_visible(&v->codes, links[i]))
            links[live++] = links[i];
    if (with_scores && r->proto == 3)
        reply_map(r, live);
    else
        reply_array(r, with_scores ? 2 * live : live);
    for (size_t i = 0; i < live; i++) {
        reply_bulk(r, view_id(v, links[i]));
        if (with_scores) {
            float dist = codec_score(v->exact.codec, query, row_code(&v->exact, links[i]));
            reply_double(r, 1 - (double)dist / 2);
        }
    }
}

/* Wants a graph that is complete: makes one for a small collection, and waits for pending rows. */
void cmd_vlinks(struct request *rq)
{
    const struct vlinks_args *a = rq->args;
    struct collection *c;
    bool replied;
    uint32_t row = find_element(rq, a->key, a->element, &c, &replied);
    if (replied)
        return;
    if (row == ROW_NONE) {
        reply_null(&rq->reply);
        return;
    }
    if (c->side->shape.index == INDEX_IVF) {
        reply_error(&rq->reply, "ERR the collection has INDEX IVF, whose elements have no links");
        return;
    }
    if (collection_need_graph(c) != OK) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    if (pending_count(&c->side->pending) > 0 && (rq->client->flags & CLIENT_IN_EXEC)) {
        reply_error(&rq->reply, "ERR VLINKS cannot wait inside MULTI until all rows are linked");
        return;
    }
    if (pending_count(&c->side->pending) > 0) {
        retry_when_linked(rq, c);
        return;
    }
    struct collection_view v;
    db_view(rq->env->db, c, &v);
    struct lane *lane = &rq->env->db->lane;
    uint32_t *links =
        scratch_get(lane, SCRATCH_LIST_A, 2 * (size_t)c->side->shape.m * sizeof(*links));
    uint8_t *query = scratch_get(lane, SCRATCH_QUERY_A, v.exact.codec->query_size);
    if (links == NULL || query == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    codec_query_of_row(v.exact.codec, row_code(&v.exact, row), query);
    CHECK(v.graph != NULL && v.graph == c->side->graph);
    int top = hnsw_level(c->side->graph, row);
    CHECK(top >= 0 && top < HNSW_LEVELS_MAX);
    reply_array(&rq->reply, (size_t)top + 1);
    for (int level = top; level >= 0; level--)
        reply_links(rq, &v, row, level, a->with_scores, query, links);
}

/* -- VRANDMEMBER ------------------------------------------------------------------------------- */

/* Of any visible element, each as likely as any other; there is one. Where nearly all have expired,
 * and are not gone yet, the next one from anywhere on. */
static uint32_t random_row(struct request *rq, const struct collection *c,
                           const struct collection_view *v)
{
    enum { TRIES = 256 };
    uint64_t *random = &rq->env->db->random;
    uint32_t row = ROW_NONE;
    for (int i = 0; i < TRIES; i++) {
        row = map_random(&c->ids, rng_next(random));
        CHECK(row < c->rows_end); /* MAP_NONE is larger */
        if (row_visible(&v->codes, row))
            return row;
    }
    do
        row = row + 1 < c->rows_end ? row + 1 : 0;
    while (!row_visible(&v->codes, row));
    return row;
}

/* Floyd's sampling over positions would need an order of elements: distinct rows are drawn and kept
 * in a bitset, and when most are wanted, all are taken and the rest left out. */
static void reply_distinct(struct request *rq, const struct collection *c,
                           const struct collection_view *v, size_t live, size_t count)
{
    CHECK(count > 0 && count <= live); /* more would be drawn forever */
    uint64_t *seen = mem_try_calloc(MEM_CLIENT, ((size_t)c->rows_end + 63) / 64 * sizeof(*seen));
    if (seen == NULL) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    bool leave_out = count > live / 2;
    size_t draws = leave_out ? live - count : count;
    reply_array(&rq->reply, count);
    while (draws > 0) {
        uint32_t row = random_row(rq, c, v);
        if ((seen[row / 64] >> (row % 64) & 1) != 0)
            continue;
        seen[row / 64] |= (uint64_t)1 << (row % 64);
        draws--;
        if (!leave_out)
            reply_bulk(&rq->reply, view_id(v, row));
    }
    for (uint32_t row = 0; row < c->rows_end && leave_out; row++)
        if ((seen[row / 64] >> (row % 64) & 1) == 0 && row_visible(&v->codes, row))
            reply_bulk(&rq->reply, view_id(v, row));
    mem_free(MEM_CLIENT, seen);
}

void cmd_vrandmember(struct request *rq)
{
    const struct vrandmember_args *a = rq->args;
    int64_t count = 1;
    if (a->has_count && (!slice_to_i64(a->count, &count) || count < -INT32_MAX)) {
        reply_error(&rq->reply, "ERR COUNT value is not an integer");
        return;
    }
    bool missing;
    struct collection *c = find_collection(rq, a->key, &missing);
    if (c == NULL && !missing)
        return;
    size_t live = c == NULL ? 0 : collection_count(c, rq->env->db->now_ms);
    if (live == 0 || count == 0) {
        if (a->has_count)
            reply_array(&rq->reply, 0);
        else
            reply_null(&rq->reply);
        return;
    }
    struct collection_view v;
    db_view(rq->env->db, c, &v);
    if (!a->has_count) {
        reply_bulk(&rq->reply, view_id(&v, random_row(rq, c, &v)));
    } else if (count < 0) {
        reply_array(&rq->reply, (size_t)-count);
        for (; count < 0; count++)
            reply_bulk(&rq->reply, view_id(&v, random_row(rq, c, &v)));
    } else {
        reply_distinct(rq, c, &v, live, (size_t)count < live ? (size_t)count : live);
    }
}

/* -- VRANGE ------------------------------------------------------------------------------------ */

/* One end of a lexicographical range. */
struct range_end {
    struct slice id;
    bool open;      /* '(': the id itself is not in it */
    bool unbounded; /* '-' or '+' */
};

struct range {
    struct range_end start, end;
    size_t count; /* at most; SIZE_MAX: all */
};

/* "[id", "(id", or the one byte that stands for no end on this side. */
static bool read_end(struct slice text, uint8_t unbounded, struct range_end *out)
{
    *out = (struct range_end){0};
    if (text.len == 1 && text.ptr[0] == unbounded) {
        out->unbounded = true;
        return true;
    }
    if (text.len == 0 || (text.ptr[0] != '[' && text.ptr[0] != '('))
        return false;
    out->open = text.ptr[0] == '(';
    out->id = (struct slice){text.ptr + 1, text.len - 1};
    return true;
}

static bool in_range(const struct range *r, struct slice id)
{
    if (!r->start.unbounded) {
        int order = slice_cmp(id, r->start.id);
        if (order < 0 || (order == 0 && r->start.open))
            return false;
    }
    if (!r->end.unbounded) {
        int order = slice_cmp(id, r->end.id);
        if (order > 0 || (order == 0 && r->end.open))
            return false;
    }
    return true;
}

static int compare_ids(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* [lane] There is no order of ids to walk along: all are looked at, and those in the range sorted.
 */
static enum err run_range(struct search *s, struct lane *lane)
{
    const struct range *r = s->extra;
    CHECK(r != NULL);
    const struct index_rows *rows = &s->view.codes;
    struct buf found = BUF_INIT(MEM_SCRATCH);
    for (uint32_t row = 0; row < rows->end; row++) {
        if (row % 4096 == 0)
            lane_yield(lane);
        if (!row_visible(rows, row))
            continue;
        struct slice id = view_id(&s->view, row);
        if (in_range(r, id))
            buf_append(&found, &id, sizeof(id));
    }
    if (buf_failed(&found)) {
        buf_fini(&found);
        return ERR_NOMEM;
    }
    struct slice *ids = (struct slice *)(void *)found.ptr;
    size_t count = found.len / sizeof(*ids);
    if (count > 1)
        qsort(ids, count, sizeof(*ids), compare_ids);
    if (count > r->count)
        count = r->count;
    struct reply reply = {&s->reply, s->proto};
    reply_array(&reply, count);
    for (size_t i = 0; i < count; i++)
        reply_bulk(&reply, ids[i]);
    buf_fini(&found);
    return OK;
}

/* Gives the search the range, with its own copy of the ids. */
static bool keep_range(struct search *s, const struct range *range)
{
    size_t size = sizeof(*range) + range->start.id.len + range->end.id.len;
    struct range *r = mem_try(MEM_SCRATCH, size);
    s->extra = r;
    if (r == NULL)
        return false;
    *r = *range;
    uint8_t *text = (uint8_t *)(r + 1);
    if (range->start.id.len > 0)
        memcpy(text, range->start.id.ptr, range->start.id.len);
    r->start.id.ptr = text;
    text += range->start.id.len;
    if (range->end.id.len > 0)
        memcpy(text, range->end.id.ptr, range->end.id.len);
    r->end.id.ptr = text;
    CHECK(text + range->end.id.len == (uint8_t *)r + size);
    return true;
}

/* Replies the error and returns false. A negative count is none. */
static bool read_range(struct request *rq, const struct vrange_args *a, struct range *range)
{
    int64_t count = -1;
    if (slice_eq(a->start, slice_of("+")) || slice_eq(a->end, slice_of("-")))
        reply_error(&rq->reply, "ERR '-' can only be used as first argument, '+' only as second");
    else if (!read_end(a->start, '-', &range->start))
        reply_error(&rq->reply, "ERR invalid start range format");
    else if (!read_end(a->end, '+', &range->end))
        reply_error(&rq->reply, "ERR invalid end range format");
    else if (a->has_count && !slice_to_i64(a->count, &count))
        reply_error(&rq->reply, "ERR invalid COUNT value");
    else {
        range->count = count < 0 ? SIZE_MAX : (size_t)count;
        return true;
    }
    return false;
}

/* On a lane, as a search that compares ids: it looks at every row. */
void cmd_vrange(struct request *rq)
{
    const struct vrange_args *a = rq->args;
    struct range range = {0};
    if (!read_range(rq, a, &range))
        return;
    bool missing;
    struct collection *c = find_collection(rq, a->key, &missing);
    if (missing)
        reply_array(&rq->reply, 0);
    if (c == NULL)
        return;
    struct search *s = search_new(rq->env->db, c, 1);
    if (s == NULL || !keep_range(s, &range)) {
        search_free(s);
        reply_err(&rq->reply, ERR_NOMEM, NULL);
        return;
    }
    s->work = run_range;
    search_for_client(rq, s);
}
