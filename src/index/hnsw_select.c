#include "index/hnsw_impl.h"

/* Malkov and Yashunin 2018, Algorithm 4, without extendCandidates and without keeping pruned ones.
 * A tie does not prune, so that many equal vectors stay connected among themselves. */
size_t hnsw_select(const struct index_rows *rows, struct lane *lane, const struct hit *candidates,
                   size_t count, size_t max, uint32_t *out)
{
    uint8_t *query = scratch_get(lane, SCRATCH_QUERY_B, rows->codec->query_size);
    float *scores = scratch_get(lane, SCRATCH_SCORES, max * sizeof(float));
    size_t chosen = 0;
    CHECK(max > 0);
    if (query == NULL || scores == NULL)
        return 0;
    for (size_t i = 0; i < count && chosen < max; i++) {
        CHECK_SLOW(i == 0 || candidates[i - 1].dist <= candidates[i].dist);
        bool keep = true;
        if (chosen > 0) {
            codec_query_of_row(rows->codec, row_code(rows, candidates[i].row), query);
            codec_score_many(rows->codec, query, rows->codes, out, chosen, scores);
            for (size_t j = 0; j < chosen && keep; j++)
                keep = scores[j] >= candidates[i].dist;
        }
        if (keep)
            out[chosen++] = candidates[i].row;
    }
    return chosen;
}
