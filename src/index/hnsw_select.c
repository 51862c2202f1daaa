#include "index/hnsw_impl.h"

#include <string.h>

enum { FILL_SHARE = 2 };

/* Takes the nearest pruned candidates too, until there are floor rows; keeps the order. room: for
 * as many. */
static size_t fill(const struct hit *candidates, size_t count, size_t floor, uint32_t *out,
                   size_t chosen, uint32_t *room)
{
    size_t missing = floor - chosen, kept = 0, at = 0;
    for (size_t i = 0; i < count && kept < floor; i++) {
        if (at < chosen && out[at] == candidates[i].row)
            at++;
        else if (missing > 0)
            missing--;
        else
            continue;
        room[kept++] = candidates[i].row;
    }
    CHECK(at == chosen);
    memcpy(out, room, kept * sizeof(*out));
    return kept;
}

/* Malkov and Yashunin 2018, Algorithm 4, without extendCandidates. A tie does not prune, so that
 * many equal vectors stay connected among themselves.
 *
 * Pruned candidates are kept only where fewer than half of the places are taken: a vector that is
 * nearer to all others than they are to each other (a zero vector under L2) would prune every other
 * link, and from that one vector a walk cannot go anywhere. */
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
    size_t floor = max / FILL_SHARE;
    if (chosen >= floor || chosen == count)
        return chosen;
    return fill(candidates, count, floor, out, chosen, (uint32_t *)(void *)scores);
}
