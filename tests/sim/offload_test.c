/* Backups and restores in the simulator: whatever fails or crashes, what the store has can be
 * restored, and holds what was said to be in it. */
#include <stdio.h>

#include "sim/offload_rig.h"

enum { CALLS_MAX = 3000 };

static struct life life; /* large */

/* Starts, or ends the test with the reason. */
static void start(struct life *l, struct sim *sim, const struct life_options *options)
{
    if (life_start(l, sim, options) == OK)
        return;
    test_fail(__FILE__, __LINE__, "cannot start: %s", l->why.text);
    test_abandon();
}

/* Starts with an empty folder, and says what came back. */
static uint64_t bring_back(struct sim *sim, const char *at)
{
    struct life_options options = life_options_default();
    options.dir = "again";
    options.store = "";
    options.restore_from = LIFE_STORE;
    options.restore_at = at;
    start(&life, sim, &options);
    uint64_t lsn = life.db.log.last_lsn;
    EXPECT(life_holds(&life, lsn));
    life_end(&life);
    wipe(sim, "again");
    return lsn;
}

/* Starts with an empty folder, which must fail. */
static void expect_no_restore(struct sim *sim, const char *at, enum err expected, const char *text)
{
    struct life_options options = life_options_default();
    options.dir = "again";
    options.store = "";
    options.restore_from = LIFE_STORE;
    options.restore_at = at;
    EXPECT_EQ(life_start(&life, sim, &options), expected);
    EXPECT(strstr(life.why.text, text) != NULL);
    life_end(&life);
    wipe(sim, "again");
}

static void add_name(void *user, const char *name)
{
    buf_append(user, name, strlen(name) + 1);
}

/* -- there and back ---------------------------------------------------------------------------- */

TEST(offload, what_was_written_is_there_after_an_interval_and_comes_back)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(1, NULL);
    start(&life, sim, &options);
    EXPECT(life_holds(&life, 0));
    life_write(&life, 30);
    life_run(&life, 2 * LIFE_INTERVAL_MS + 2000);
    EXPECT_EQ(life.offload.log_lsn, 30);
    EXPECT_EQ(life.offload.errors, 0);
    life_write(&life, 1);
    EXPECT(life_wait_stored(&life));
    EXPECT(life.offload.stored_any); /* the first snapshot was asked for by the store */
    life_crash(&life);
    wipe(sim, LIFE_DIR);
    start(&life, sim, &options);
    EXPECT(life_holds(&life, 31));
    life_write(&life, 20);
    EXPECT_EQ(life_save(&life), OK);
    EXPECT(life_wait_stored(&life));
    EXPECT_EQ(life.offload.stored_lsn, 51);
    life_end(&life);
    wipe(sim, LIFE_DIR);
    start(&life, sim, &options);
    EXPECT(life_holds(&life, 51));
    life_end(&life);
    sim_free(sim);
}

TEST(offload, a_backup_holds_all_that_was_written_before_it)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(2, NULL);
    start(&life, sim, &options);
    for (unsigned i = 1; i <= 5; i++) {
        life_write(&life, 10);
        EXPECT_EQ(life_backup(&life, ""), OK);
        EXPECT_EQ(life.request_lsn, 10 * i);
        EXPECT_EQ(life.offload.stored_lsn, 10 * i);
    }
    EXPECT_EQ(life_backup(&life, "file:///other/place"), OK);
    EXPECT_EQ(life.request_lsn, 50);
    EXPECT_EQ(life_backup(&life, "ftp://what"), ERR_ARG);
    life_crash(&life);
    EXPECT_EQ(bring_back(sim, ""), 50);
    options.dir = "again";
    options.store = "";
    options.restore_from = "file:///other/place";
    start(&life, sim, &options);
    EXPECT(life_holds(&life, 50));
    EXPECT_EQ(life_backup(&life, ""), ERR_ARG); /* there is no store */
    life_end(&life);
    sim_free(sim);
}

TEST(offload, what_has_not_changed_is_not_sent_again)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(3, NULL);
    start(&life, sim, &options);
    life_write(&life, 50);
    EXPECT_EQ(life_backup(&life, ""), OK);
    EXPECT(life_wait_stored(&life));
    uint64_t objects = life.offload.uploaded_objects;
    EXPECT_EQ(life_backup(&life, ""), OK);
    life_run(&life, 10 * LIFE_INTERVAL_MS);
    EXPECT_EQ(life.offload.uploaded_objects, objects);
    EXPECT_EQ(store_count(sim, ".vpk"), 1);
    life_end(&life);
    start(&life, sim, &options); /* another life does not send it again either */
    life_run(&life, 10 * LIFE_INTERVAL_MS);
    EXPECT(life.offload.contacted && life.offload.error == OK);
    EXPECT(life.offload.uploaded_objects <= 2); /* segments that the last life did not seal */
    EXPECT_EQ(store_count(sim, ".vpk"), 1);
    life_end(&life);
    sim_free(sim);
}

/* -- points in time ---------------------------------------------------------------------------- */

TEST(offload, any_lsn_since_the_oldest_backup_can_be_restored)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(4, NULL);
    uint64_t wall_ms[61] = {0};
    char text[32];
    options.keep_count = 100;
    start(&life, sim, &options);
    for (unsigned i = 1; i <= 60; i++) {
        life_write(&life, 1);
        wall_ms[i] = sim_io(sim)->ops->wall_us(sim_io(sim)) / 1000;
        life_run(&life, 1500);
        if (i == 20 || i == 45)
            EXPECT_EQ(life_backup(&life, ""), OK);
    }
    EXPECT(life_wait_stored(&life));
    life_end(&life);
    for (unsigned i = 3; i <= 60; i++) { /* the first backup was made at once */
        (void)snprintf(text, sizeof(text), "%u", i);
        EXPECT_EQ(bring_back(sim, text), i);
        (void)snprintf(text, sizeof(text), "@%llu", (unsigned long long)wall_ms[i] / 1000);
        EXPECT_EQ(bring_back(sim, text), i);
    }
    EXPECT_EQ(bring_back(sim, ""), 60);
    static const char *const wrong[] = {"61", "@5", "yesterday", "2026-13-01T00:00:00Z"};
    static const enum err errors[] = {ERR_NOT_FOUND, ERR_NOT_FOUND, ERR_SYNTAX, ERR_SYNTAX};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        expect_no_restore(sim, wrong[i], errors[i], "");
    sim_free(sim);
}

TEST(offload, a_point_that_the_log_in_the_store_does_not_reach_is_refused)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(15, NULL);
    struct buf names = BUF_INIT(MEM_TEST);
    char text[32], path[400];
    options.keep_count = 100;
    start(&life, sim, &options);
    life_write(&life, 10);
    EXPECT_EQ(life_backup(&life, ""), OK);
    life_run(&life, 5000);
    life_write(&life, 5);
    unsigned long long second = sim_io(sim)->ops->wall_us(sim_io(sim)) / 1000000;
    life_run(&life, 5000);
    life_write(&life, 5);
    EXPECT_EQ(life_backup(&life, ""), OK);
    EXPECT(life_wait_stored(&life));
    life_end(&life);
    REQUIRE(sim_io(sim)->ops->list_dir(sim_io(sim), "/store", add_name, &names) == OK);
    for (size_t at = 0; at < names.len; at += strlen((char *)names.ptr + at) + 1) {
        (void)snprintf(path, sizeof(path), "/store/%s", (char *)names.ptr + at);
        if (strstr(path, ".vlog") != NULL)
            REQUIRE(sim_io(sim)->ops->remove(sim_io(sim), path) == OK);
    }
    buf_fini(&names);
    EXPECT_EQ(bring_back(sim, ""), 20);
    EXPECT_EQ(bring_back(sim, "10"), 10);
    (void)snprintf(text, sizeof(text), "@%llu", second);
    expect_no_restore(sim, text, ERR_NOT_FOUND, "ends at LSN 10");
    expect_no_restore(sim, "15", ERR_NOT_FOUND, "reaches LSN 10 only");
    sim_free(sim);
}

TEST(offload, targets_are_lsns_and_times)
{
    struct restore_target t;
    EXPECT(restore_target_parse(slice_of(""), &t, NULL) == OK && t.kind == RESTORE_ALL);
    EXPECT(restore_target_parse(slice_of("17"), &t, NULL) == OK && t.kind == RESTORE_TO_LSN);
    EXPECT_EQ(t.lsn, 17);
    EXPECT(restore_target_parse(slice_of("@17"), &t, NULL) == OK && t.kind == RESTORE_TO_TIME);
    EXPECT_EQ(t.wall_ms, 17999);
    EXPECT_EQ(restore_target_parse(slice_of("1970-01-01T00:00:17.5Z"), &t, NULL), OK);
    EXPECT(t.kind == RESTORE_TO_TIME && t.wall_ms == 17500);
    static const char *const wrong[] = {"@", "@x", "-1", "1.5", "now", "@99999999999999999999"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++)
        EXPECT_EQ(restore_target_parse(slice_of(wrong[i]), &t, NULL), ERR_SYNTAX);
}

/* -- who may write ----------------------------------------------------------------------------- */

TEST(offload, another_servers_store_is_left_alone)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(5, NULL);
    struct buf before = BUF_INIT(MEM_TEST), after = BUF_INIT(MEM_TEST);
    start(&life, sim, &options);
    life_write(&life, 10);
    EXPECT_EQ(life_backup(&life, ""), OK);
    life_end(&life);
    EXPECT(sim_disk_get(sim, "/store/CURRENT", &before));
    options.dir = "other";
    options.store = "";
    start(&life, sim, &options);
    life_write(&life, 3);
    life_end(&life);
    options.store = LIFE_STORE;
    start(&life, sim, &options); /* it has data, so it does not get the store's */
    EXPECT(life_holds(&life, 3));
    life_write(&life, 20);
    life_run(&life, 10 * LIFE_INTERVAL_MS);
    EXPECT(life.offload.refused && life.offload.error == ERR_EXISTS);
    EXPECT(strstr(life.offload.why.text, "another server") != NULL);
    EXPECT_EQ(life_backup(&life, ""), ERR_EXISTS);
    EXPECT_EQ(life_save(&life), OK);
    life_end(&life);
    EXPECT(sim_disk_get(sim, "/store/CURRENT", &after));
    EXPECT(slice_eq(buf_slice(&before), buf_slice(&after)));
    EXPECT_EQ(bring_back(sim, ""), 10);
    buf_fini(&before);
    buf_fini(&after);
    sim_free(sim);
}

TEST(offload, of_two_copies_of_a_folder_the_later_one_writes)
{
    static struct life second;
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(6, NULL);
    start(&life, sim, &options);
    life_write(&life, 10);
    EXPECT_EQ(life_backup(&life, ""), OK);
    life_end(&life);
    copy_folder(sim, LIFE_DIR, "copy");
    start(&life, sim, &options);
    life_run(&life, 2 * LIFE_INTERVAL_MS);
    options.dir = "copy";
    options.run_id = "ffffffffffffffffffffffffffffffffffffffff";
    start(&second, sim, &options);
    life_write(&second, 5);
    EXPECT(life_wait_stored(&second));
    life_write(&life, 7); /* another history */
    EXPECT_EQ(life_backup(&life, ""), ERR_EXISTS);
    EXPECT(life.offload.refused && !second.offload.refused);
    life_write(&second, 5);
    EXPECT_EQ(life_backup(&second, ""), OK);
    life_end(&life);
    life_end(&second);
    EXPECT_EQ(bring_back(sim, ""), 20);
    sim_free(sim);
}

TEST(offload, an_old_copy_of_a_folder_is_refused)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(7, NULL);
    start(&life, sim, &options);
    life_write(&life, 10);
    EXPECT_EQ(life_backup(&life, ""), OK);
    life_end(&life);
    copy_folder(sim, LIFE_DIR, "copy");
    start(&life, sim, &options);
    life_write(&life, 10);
    EXPECT(life_wait_stored(&life));
    life_end(&life);
    options.dir = "copy";
    start(&life, sim, &options);
    EXPECT(life_holds(&life, 10));
    life_write(&life, 3);
    life_run(&life, 5 * LIFE_INTERVAL_MS);
    EXPECT(life.offload.refused && strstr(life.offload.why.text, "old copy") != NULL);
    life_end(&life);
    EXPECT_EQ(bring_back(sim, ""), 20);
    sim_free(sim);
}

TEST(offload, a_restore_to_a_point_goes_on_in_place_of_what_came_after_it)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(8, NULL);
    start(&life, sim, &options);
    life_write(&life, 10);
    EXPECT_EQ(life_backup(&life, ""), OK);
    life_write(&life, 10);
    EXPECT(life_wait_stored(&life));
    life_end(&life);
    wipe(sim, LIFE_DIR);
    options.restore_at = "13"; /* of object-store, as the folder is empty */
    start(&life, sim, &options);
    EXPECT(life_holds(&life, 13));
    life_write(&life, 4);
    EXPECT_EQ(life_backup(&life, ""), OK);
    life_write(&life, 2);
    EXPECT(life_wait_stored(&life));
    EXPECT_EQ(store_count(sim, "-backup-"), 1); /* the old ones have gone, as their age is 0 */
    life_end(&life);
    EXPECT_EQ(bring_back(sim, ""), 19);
    sim_free(sim);
}

TEST(offload, a_folder_with_data_is_not_restored_into)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(9, NULL);
    start(&life, sim, &options);
    life_write(&life, 10);
    EXPECT_EQ(life_backup(&life, ""), OK);
    life_end(&life);
    options.restore_from = LIFE_STORE;
    EXPECT_EQ(life_start(&life, sim, &options), ERR_EXISTS);
    EXPECT(strstr(life.why.text, "has data") != NULL);
    life_end(&life);
    options.restore_from = "";
    options.restore_at = "5";
    EXPECT_EQ(life_start(&life, sim, &options), ERR_EXISTS);
    life_end(&life);
    options.restore_at = "";
    start(&life, sim, &options);
    EXPECT(life_holds(&life, 10));
    life_end(&life);
    options.dir = "again";
    options.restore_from = "file:///nothing";
    EXPECT_EQ(life_start(&life, sim, &options), ERR_NOT_FOUND);
    life_end(&life);
    sim_free(sim);
}

/* -- what is kept ------------------------------------------------------------------------------ */

TEST(offload, old_backups_go_by_count_and_age_and_what_only_they_needed)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(10, NULL);
    char text[32];
    options.keep_count = 3;
    options.keep_age_ms = 100 * 1000;
    start(&life, sim, &options);
    for (unsigned i = 1; i <= 12; i++) {
        life_write(&life, 10);
        EXPECT_EQ(life_backup(&life, ""), OK);
        life_run(&life, 5000); /* twelve are younger than 100 s */
    }
    EXPECT_EQ(store_count(sim, "-backup-"), 12);
    life_run(&life, 200 * 1000);
    life_write(&life, 10);
    EXPECT_EQ(life_backup(&life, ""), OK);
    EXPECT_EQ(store_count(sim, "-backup-"), 3);
    EXPECT_EQ(store_count(sim, "manifest"), 3);
    EXPECT(store_count(sim, ".vpk") <= 3 && store_count(sim, ".vlog") <= 12);
    EXPECT(life_wait_stored(&life));
    life_end(&life);
    for (unsigned lsn = 110; lsn <= 130; lsn++) {
        (void)snprintf(text, sizeof(text), "%u", lsn);
        EXPECT_EQ(bring_back(sim, text), lsn);
    }
    expect_no_restore(sim, "109", ERR_NOT_FOUND, "goes back to LSN 110");
    sim_free(sim);
}

TEST(offload, the_log_stays_until_it_was_sent)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(11, NULL);
    options.keep_count = 100;
    start(&life, sim, &options);
    life_write(&life, 20);
    EXPECT_EQ(life_backup(&life, ""), OK);
    /* Three snapshots later the log would have gone; as it was not sent, it stays. */
    uint64_t sent = life.offload.log_lsn;
    life.offload.next_us = UINT64_MAX; /* the store is not asked for a while */
    for (unsigned i = 0; i < 4; i++) {
        life_write(&life, 20);
        EXPECT_EQ(saver_start(&life.persist.saver, false), OK);
        life.offload.next_us = UINT64_MAX;
        while (saver_busy(&life.persist.saver) && sim_step(sim))
            life.offload.next_us = UINT64_MAX;
    }
    EXPECT_EQ(life.offload.log_lsn, sent);
    life.offload.next_us = 1;
    EXPECT(life_wait_stored(&life));
    EXPECT(life_save(&life) == OK && life_wait_stored(&life));
    life_end(&life);
    char text[32];
    for (unsigned lsn = 20; lsn <= 100; lsn += 7) {
        (void)snprintf(text, sizeof(text), "%u", lsn);
        EXPECT_EQ(bring_back(sim, text), lsn);
    }
    sim_free(sim);
}

/* -- a store that is away ---------------------------------------------------------------------- */

/* The folder of the store is a file for a while: every call about it fails. */
static void take_away(struct sim *sim)
{
    EXPECT_EQ(store_count(sim, ""), 0);
    sim_disk_put(sim, "/store", slice_of("not a folder"));
}

static void give_back(struct sim *sim)
{
    REQUIRE(sim_io(sim)->ops->remove(sim_io(sim), "/store") == OK);
}

/* A life with one record, whose store is away from the first moment on. */
static void start_away(struct life *l, struct sim *sim, struct life_options *options)
{
    options->store = "";
    start(l, sim, options);
    life_write(l, 1);
    life_end(l);
    take_away(sim);
    options->store = LIFE_STORE;
    start(l, sim, options);
}

TEST(offload, a_store_that_is_away_costs_nothing_and_gets_everything_later)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(12, NULL);
    start_away(&life, sim, &options);
    for (unsigned i = 0; i < 6; i++) {
        life_write(&life, 10);
        life_run(&life, 20 * 1000);
        EXPECT(i % 2 == 0 || life_save(&life) == OK);
    }
    EXPECT(life_holds(&life, 61) && life.offload.errors >= 5);
    EXPECT(!life.offload.refused && !life.offload.contacted && life.offload.error != OK);
    EXPECT(life_backup(&life, "") != OK);
    EXPECT(strstr(life.why.text, "/store") != NULL);
    give_back(sim);
    EXPECT(life_wait_stored(&life));
    EXPECT_EQ(life.offload.error, OK);
    life_end(&life);
    EXPECT_EQ(bring_back(sim, "61"), 61);
    sim_free(sim);
}

TEST(offload, an_empty_folder_does_not_start_while_its_store_is_away)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(13, NULL);
    take_away(sim);
    EXPECT(life_start(&life, sim, &options) != OK);
    EXPECT(strstr(life.why.text, "/store") != NULL);
    life_end(&life);
    EXPECT_EQ(folder_count(sim, ".vlog"), 0);
    give_back(sim);
    start(&life, sim, &options);
    life_end(&life);
    sim_free(sim);
}

/* Writes and saves while the store is away; how many segments the folder then has. */
static unsigned segments_while_away(uint64_t backlog_bytes)
{
    struct life_options options = life_options_default();
    struct sim *sim = sim_new(14, NULL);
    options.backlog_bytes = backlog_bytes;
    start_away(&life, sim, &options);
    for (unsigned i = 0; i < 20; i++) {
        life_write(&life, 20);
        EXPECT_EQ(life_save(&life), OK);
        life_run(&life, 200);
    }
    unsigned count = folder_count(sim, ".vlog");
    EXPECT(life_holds(&life, 401));
    give_back(sim);
    EXPECT(life_wait_stored(&life));
    EXPECT(life.offload.stored_lsn > 1 && life.offload.error == OK);
    life_end(&life);
    EXPECT_EQ(bring_back(sim, ""), 401);
    sim_free(sim);
    return count;
}

TEST(offload, the_log_waits_for_a_store_up_to_a_bound)
{
    unsigned all = segments_while_away(UINT64_MAX), few = segments_while_away(5000);
    EXPECT(all >= 20 && few <= 8);
}

/* -- crashes and failures ---------------------------------------------------------------------- */

/* A life that writes, saves and sends. *told: what was said to be in the store. */
static void busy_life(struct sim *sim, const struct life_options *options, uint64_t *told)
{
    if (life_start(&life, sim, options) != OK)
        return;
    for (unsigned i = 0; i < 3 && sim_has_power(sim); i++) {
        life_write(&life, 8);
        life_run(&life, LIFE_INTERVAL_MS + 1500);
        *told = life.offload.log_lsn > *told ? life.offload.log_lsn : *told;
        if (i == 1 && sim_has_power(sim) && life_backup(&life, "") == OK)
            *told = life.request_lsn > *told ? life.request_lsn : *told;
    }
}

/* Whatever has happened: the folder starts, and goes on to send; the store can be restored. */
static void expect_whole(struct sim *sim, uint64_t told)
{
    struct life_options options = life_options_default();
    if (told > 0)
        EXPECT(bring_back(sim, "") >= told);
    start(&life, sim, &options);
    uint64_t lsn = life.db.log.last_lsn;
    EXPECT(lsn >= told && life_holds(&life, lsn));
    life_write(&life, 5);
    EXPECT_EQ(life_backup(&life, ""), OK);
    EXPECT_EQ(life.request_lsn, lsn + 5);
    EXPECT_EQ(store_count(sim, ".new-"), 0);
    life_write(&life, 2);
    EXPECT(life_wait_stored(&life));
    life_end(&life);
    EXPECT_EQ(bring_back(sim, ""), lsn + 7);
}

TEST(offload, a_crash_at_any_point_leaves_a_store_that_can_be_restored)
{
    struct life_options options = life_options_default();
    unsigned points = 0;
    bool fired = true;
    for (uint64_t nth = 1; fired && nth < CALLS_MAX; nth += 1 + nth / 100) {
        struct sim *sim = sim_new(nth, NULL);
        uint64_t told = 0;
        sim_cut_power_at_nth(sim, nth);
        busy_life(sim, &options, &told);
        fired = sim_fault_fired(sim);
        points += fired;
        life_crash(&life);
        sim_cut_power_at_nth(sim, 0);
        expect_whole(sim, told);
        sim_free(sim);
    }
    EXPECT(!fired && points > 100);
}

TEST(offload, a_call_that_fails_once_does_no_harm)
{
    struct life_options options = life_options_default();
    unsigned points = 0;
    bool fired = true;
    for (uint64_t nth = 1; fired && nth < CALLS_MAX; nth += 1 + nth / 100) {
        struct sim *sim = sim_new(nth, NULL);
        uint64_t told = 0;
        sim_fail_nth(sim, nth);
        busy_life(sim, &options, &told);
        fired = sim_fault_fired(sim);
        points += fired;
        sim_fail_nth(sim, 0);
        life_end(&life);
        expect_whole(sim, told);
        sim_free(sim);
    }
    EXPECT(!fired && points > 100);
}

TEST(offload, a_restore_that_a_crash_or_a_failure_cuts_short_begins_again)
{
    for (int power = 0; power < 2; power++) {
        bool fired = true;
        unsigned points = 0;
        for (uint64_t nth = 1; fired && nth < CALLS_MAX; nth++) {
            struct life_options options = life_options_default();
            struct sim *sim = sim_new(nth, NULL);
            uint64_t told = 0;
            busy_life(sim, &options, &told);
            EXPECT(life_wait_stored(&life));
            life_end(&life);
            wipe(sim, LIFE_DIR);
            if (power)
                sim_cut_power_at_nth(sim, nth);
            else
                sim_fail_nth(sim, nth);
            enum err e = life_start(&life, sim, &options);
            fired = sim_fault_fired(sim);
            points += fired;
            sim_fail_nth(sim, 0);
            EXPECT(e != OK || life_holds(&life, 24));
            if (power)
                life_crash(&life);
            else
                life_end(&life);
            start(&life, sim, &options);
            EXPECT(life_holds(&life, 24));
            life_end(&life);
            sim_free(sim);
        }
        EXPECT(!fired && points > 50);
    }
}
