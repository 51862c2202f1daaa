#include "db/truth.h"

#include "base/mem.h"
#include "base/rng.h"

enum { BLOCK = 64, ALIGNMENT = 64 };

static size_t query_stride(const struct truth *t)
{
    return (t->rows->codec->query_size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

enum err truth_init(struct truth *t, const struct index_rows *rows, const float *queries,
                    size_t query_count, size_t level_count, size_t k)
{
    CHECK(query_count > 0 && query_count <= TRUTH_QUERIES);
    CHECK(level_count > 0 && level_count <= TRUTH_LEVELS && k > 0);
    *t = (struct truth){.rows = rows, .query_count = query_count, .level_count = level_count};
    t->room = mem_try(MEM_SCRATCH, query_count * level_count * k * sizeof(*t->room));
    t->prepared = mem_try_aligned(MEM_SCRATCH, ALIGNMENT, query_count * query_stride(t));
    if (t->room == NULL || t->prepared == NULL) {
        truth_fini(t);
        return ERR_NOMEM;
    }
    for (size_t q = 0; q < query_count; q++) {
        t->own[q] = ROW_NONE;
        codec_query(rows->codec, queries + q * rows->codec->dim, t->prepared + q * query_stride(t));
        for (size_t s = 0; s < level_count; s++)
            topk_init(&t->tops[q][s], t->room + (q * level_count + s) * k, k);
    }
    return OK;
}

void truth_fini(struct truth *t)
{
    mem_free(MEM_SCRATCH, t->room);
    mem_free(MEM_SCRATCH, t->prepared);
    t->room = NULL;
    t->prepared = NULL;
}

size_t truth_level(const struct truth *t, uint32_t row)
{
    uint64_t state = t->seed + row;
    double place = t->level_count > 1 ? rng_unit(&state) : 0;
    size_t level = 0;
    while (level + 1 < t->level_count && place < t->shares[level + 1])
        level++;
    return level;
}

static void look_at(struct truth *t, const uint32_t *ids, size_t count)
{
    float scores[BLOCK];
    uint8_t levels[BLOCK];
    for (size_t i = 0; i < count; i++)
        levels[i] = (uint8_t)truth_level(t, ids[i]);
    for (size_t q = 0; q < t->query_count; q++) {
        codec_score_many(t->rows->codec, t->prepared + q * query_stride(t), t->rows->codes, ids,
                         count, scores);
        for (size_t i = 0; i < count; i++)
            for (size_t s = 0; s <= levels[i] && ids[i] != t->own[q]; s++)
                if (topk_wants(&t->tops[q][s], scores[i]))
                    topk_push(&t->tops[q][s], (struct hit){scores[i], ids[i]});
    }
}

bool truth_go_on(struct truth *t, struct lane *lane, uint32_t rows)
{
    uint32_t ids[BLOCK];
    size_t count = 0;
    const struct index_filter *filter = &t->filter;
    uint32_t end = t->rows->end - t->next < rows ? t->rows->end : t->next + rows;
    for (; t->next < end; t->next++) {
        if (!row_visible(t->rows, t->next) ||
            (filter->accept != NULL && !filter->accept(filter->user, t->next)))
            continue;
        ids[count++] = t->next;
        if (count == BLOCK) {
            look_at(t, ids, count);
            lane_yield(lane);
            count = 0;
        }
    }
    look_at(t, ids, count);
    if (t->next < t->rows->end)
        return false;
    for (size_t q = 0; q < t->query_count; q++)
        for (size_t s = 0; s < t->level_count; s++)
            topk_sort(&t->tops[q][s]);
    return true;
}
