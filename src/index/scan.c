#include "index/scan.h"

enum { SCAN_BLOCK = 64, SCAN_YIELD_ROWS = 4096, SCAN_LOOK_ROWS = 512, SCAN_AHEAD = 16 };

/* Scores a block of rows and keeps what the top wants. */
static void score_block(const struct index_rows *rows, const uint8_t *prepared, const uint32_t *ids,
                        size_t count, struct topk *top, struct index_cost *cost)
{
    float scores[SCAN_BLOCK];
    CHECK(count <= SCAN_BLOCK);
    codec_score_many(rows->codec, prepared, rows->codes, ids, count, scores);
    cost->distances += count;
    for (size_t i = 0; i < count; i++)
        if (topk_wants(top, scores[i]))
            topk_push(top, (struct hit){scores[i], ids[i]});
}

static bool counts(const struct index_rows *rows, const struct index_filter *filter, uint32_t row)
{
    return (filter->all_visible || row_visible(rows, row)) &&
           (filter->accept == NULL || filter->accept(filter->user, row));
}

/* Visibility comes first: the bytes of a row that is being written must not even be read. */
void scan_range(const struct index_rows *rows, struct lane *lane, const uint8_t *prepared,
                const struct index_filter *filter, uint32_t first, uint32_t end, struct topk *top,
                struct index_cost *cost)
{
    uint32_t ids[SCAN_BLOCK];
    size_t count = 0;
    CHECK(first <= end && end <= rows->end);
    for (uint32_t row = first; row < end; row++) {
        if (row % SCAN_YIELD_ROWS == 0)
            lane_yield(lane);
        if (row % SCAN_LOOK_ROWS == 0 && index_stops(cost))
            break;
        if (!counts(rows, filter, row))
            continue;
        ids[count++] = row;
        if (count == SCAN_BLOCK) {
            score_block(rows, prepared, ids, count, top, cost);
            count = 0;
        }
    }
    score_block(rows, prepared, ids, count, top, cost);
}

void scan_list(const struct index_rows *rows, struct lane *lane, const uint8_t *prepared,
               const struct index_filter *filter, const uint32_t *list, size_t size,
               struct topk *top, struct index_cost *cost)
{
    uint32_t ids[SCAN_BLOCK];
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        if (i % SCAN_YIELD_ROWS == 0)
            lane_yield(lane);
        if (i % SCAN_LOOK_ROWS == 0 && index_stops(cost))
            break;
        CHECK(list[i] < rows->end);
        if (i + SCAN_AHEAD < size)
            row_fetch(rows, filter, list[i + SCAN_AHEAD]);
        if (!counts(rows, filter, list[i]))
            continue;
        ids[count++] = list[i];
        if (count == SCAN_BLOCK) {
            score_block(rows, prepared, ids, count, top, cost);
            count = 0;
        }
    }
    score_block(rows, prepared, ids, count, top, cost);
}
