#include "persist/log_clean.h"

#include "lib/test.h"
#include "persist/log_format.h"
#include "sim/sim_io.h"

enum { RECORDS_SIZE = 40 };

static const char *const dir = "/data";

static void path_of(uint32_t generation, uint64_t first_lsn, char out[128])
{
    char name[LOG_NAME_SIZE];
    log_segment_name(generation, first_lsn, name);
    (void)snprintf(out, 128, "%s/%s", dir, name);
}

static void add(struct sim *sim, uint32_t generation, uint64_t first_lsn, bool whole)
{
    uint8_t bytes[LOG_SEGMENT_HEADER_SIZE + RECORDS_SIZE] = {0};
    struct log_segment s = {.generation = generation, .first_lsn = first_lsn};
    char path[128];
    memset(s.run_id, 'a', LOG_RUN_ID_SIZE);
    log_segment_encode(&s, bytes);
    bytes[20] ^= whole ? 0 : 1;
    path_of(generation, first_lsn, path);
    sim_disk_put(sim, path, (struct slice){bytes, sizeof(bytes)});
}

static bool there(struct sim *sim, uint32_t generation, uint64_t first_lsn)
{
    char path[128];
    path_of(generation, first_lsn, path);
    return sim_disk_exists(sim, path);
}

TEST(log_clean, what_comes_before_the_next_needed_record_goes)
{
    for (uint64_t lsn = 0; lsn < 40; lsn++) {
        struct sim *sim = sim_new(1, NULL);
        uint64_t removed;
        add(sim, 1, 1, true);
        add(sim, 1, 10, true);
        add(sim, 2, 15, true); /* supersedes what stands from 15 on before it */
        add(sim, 2, 30, true);
        log_clean(sim_io(sim), dir, lsn, &removed);
        EXPECT(there(sim, 1, 1) == (lsn + 1 < 10));
        EXPECT(there(sim, 1, 10) == (lsn + 1 < 15));
        EXPECT(there(sim, 2, 15) == (lsn + 1 < 30));
        EXPECT(there(sim, 2, 30)); /* it is being written */
        unsigned gone = (lsn >= 9 ? 1u : 0) + (lsn >= 14 ? 1u : 0) + (lsn >= 29 ? 1u : 0);
        EXPECT_EQ(removed, gone * (LOG_SEGMENT_HEADER_SIZE + RECORDS_SIZE));
        sim_free(sim);
    }
}

TEST(log_clean, what_is_damaged_stays_with_all_behind_it)
{
    struct sim *sim = sim_new(1, NULL);
    uint64_t removed;
    add(sim, 1, 1, true);
    add(sim, 1, 10, false);
    add(sim, 1, 20, true);
    add(sim, 1, 30, true);
    log_clean(sim_io(sim), dir, 100, &removed);
    EXPECT(!there(sim, 1, 1) && there(sim, 1, 10) && there(sim, 1, 20) && there(sim, 1, 30));
    sim_free(sim);
}

TEST(log_clean, a_failure_of_any_call_leaves_an_end_of_the_log)
{
    bool fired = true;
    for (uint64_t n = 1; fired; n++) {
        struct sim *sim = sim_new(n, NULL);
        uint64_t removed;
        for (uint64_t first = 1; first < 60; first += 10)
            add(sim, 1, first, true);
        sim_fail_nth(sim, n);
        log_clean(sim_io(sim), dir, 100, &removed);
        fired = sim_fault_fired(sim);
        for (uint64_t first = 11; first < 60; first += 10)
            EXPECT(there(sim, 1, first) || !there(sim, 1, first - 10));
        EXPECT(there(sim, 1, 51));
        sim_free(sim);
    }
}
