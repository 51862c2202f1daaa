/* Snapshots as clients ask for them. */
#include "lib/cmd_harness.h"

TEST(cmd_saving, save_replies_when_the_snapshot_is_on_the_disk)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET k v", "+OK\r\n");
    EXPECT_REPLIES(h, "SAVE", "+OK\r\n");
    EXPECT_EQ(h->persist.saver.snapshots.saves, 2);
    EXPECT_EQ(h->persist.saver.snapshots.last.lsn, 1);
    EXPECT_EQ(h->persist.saver.snapshots.last.key_count, 1);
    EXPECT(sim_disk_exists(h->sim, "data/manifest-0000000000000001.vmf"));
    EXPECT_REPLY(h, 2, "SAVE now", "-ERR wrong number of arguments for 'save' command\r\n");
    harness_free(h);
}

TEST(cmd_saving, bgsave_replies_at_once_and_one_runs_at_a_time)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET k v", "+OK\r\n");
    EXPECT_REPLY(h, 2, "BGSAVE", "+Background saving started\r\n");
    EXPECT_REPLY(h, 2, "BGSAVE", "-ERR Background save already in progress\r\n");
    EXPECT_REPLY(h, 2, "SAVE", "-ERR Background save already in progress\r\n");
    EXPECT_REPLY(h, 2, "BGSAVE SCHEDULE", "+Background saving scheduled\r\n");
    EXPECT_REPLY(h, 2, "BGREWRITEAOF", "+Background append only file rewriting scheduled\r\n");
    EXPECT_REPLY(h, 2, "BGSAVE soon", "-ERR syntax error\r\n");
    sim_run_for(h->sim, 10 * 1000 * 1000);
    EXPECT_EQ(h->persist.saver.snapshots.saves, 1); /* all asked before it had begun */
    EXPECT_REPLY(h, 2, "BGREWRITEAOF", "+Background append only file rewriting started\r\n");
    sim_run_for(h->sim, 10 * 1000 * 1000);
    EXPECT_EQ(h->persist.saver.snapshots.saves, 2);
    harness_free(h);
}

TEST(cmd_saving, save_says_what_failed)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SET k v", "+OK\r\n");
    sim_fail_nth(h->sim, 1);
    EXPECT_REPLY(h, 2, "SAVE", "-ERR input/output error\r\n");
    EXPECT_REPLY(h, 2, "SAVE", "+OK\r\n");
    harness_free(h);
}

/* While a log has every change, a snapshot that fails costs nobody anything. */
TEST(cmd_saving, writes_are_refused_only_when_nothing_but_failed_snapshots_would_keep_them)
{
    for (unsigned logs = 0; logs < 2; logs++) {
        struct harness *h = harness_new();
        if (logs == 1)
            harness_start_log(h);
        struct persist_settings s = h->persist.settings;
        s.save_or_refuse = true;
        persist_set(&h->persist, &s);
        EXPECT_REPLY(h, 2, "SET k 1", "+OK\r\n");
        sim_run_for(h->sim, 3 * 1000 * 1000);
        sim_fail_nth(h->sim, 1);
        EXPECT_REPLY(h, 2, "SAVE", "-ERR input/output error\r\n");
        EXPECT_REPLY(h, 2, "SET k 2", "+OK\r\n"); /* there are no save points */
        s.save_points = (struct save_points){.list = {{3600, 1}}, .count = 1};
        persist_set(&h->persist, &s);
        EXPECT_PART(h, 2, "SET k 3", logs == 1 ? "+OK" : "-MISCONF Redis is configured to save");
        EXPECT_PART(h, 2, "GET k", logs == 1 ? "$1\r\n3" : "$1\r\n2");
        s.save_or_refuse = false;
        persist_set(&h->persist, &s);
        EXPECT_REPLY(h, 2, "SET k 4", "+OK\r\n");
        s.save_or_refuse = true;
        persist_set(&h->persist, &s);
        /* Long before the save point is due again. */
        sim_run_for(h->sim, 6 * 1000 * 1000);
        persist_tick(&h->persist);
        sim_run_for(h->sim, 1000 * 1000);
        EXPECT_REPLY(h, 2, "SET k 5", "+OK\r\n");
        EXPECT_EQ(h->persist.saver.snapshots.saves, logs == 1 ? 0 : 1);
        harness_free(h);
    }
}

TEST(cmd_saving, lastsave_is_when_the_last_one_succeeded)
{
    struct harness *h = harness_new();
    char reply[64];
    uint64_t started = h->persist.saver.saved_ms / 1000;
    (void)snprintf(reply, sizeof(reply), ":%llu\r\n", (unsigned long long)started);
    EXPECT_REPLIES(h, "LASTSAVE", reply);
    sim_run_for(h->sim, 100 * 1000 * 1000);
    EXPECT_REPLIES(h, "LASTSAVE", reply);
    EXPECT_REPLIES(h, "SAVE", "+OK\r\n");
    (void)snprintf(reply, sizeof(reply), ":%llu\r\n", (unsigned long long)started + 100);
    EXPECT_REPLIES(h, "LASTSAVE", reply);
    harness_free(h);
}

TEST(cmd_saving, not_within_a_transaction_but_bgsave_may_be_asked_for)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "MULTI", "+OK\r\n");
    EXPECT_REPLY(h, 2, "SAVE", "-ERR Command not allowed inside a transaction\r\n");
    EXPECT_REPLY(h, 2, "DISCARD", "+OK\r\n");
    EXPECT_REPLY(h, 2, "MULTI", "+OK\r\n");
    EXPECT_REPLY(h, 2, "SET a 1", "+QUEUED\r\n");
    EXPECT_REPLY(h, 2, "BGSAVE", "+QUEUED\r\n");
    EXPECT_REPLY(h, 2, "SET b 1", "+QUEUED\r\n");
    EXPECT_REPLY(h, 2, "EXEC", "*3\r\n+OK\r\n+Background saving started\r\n+OK\r\n");
    sim_run_for(h->sim, 10 * 1000 * 1000);
    EXPECT_EQ(h->persist.saver.snapshots.last.key_count, 2); /* it began behind the whole of it */
    harness_free(h);
}

TEST(cmd_saving, a_client_that_waits_may_go)
{
    struct harness *h = harness_new();
    struct client *c = harness_add_client(h, "127.0.0.1", 50002), *first = h->client;
    const struct slice argv[] = {slice_of("SAVE")};
    EXPECT_REPLY(h, 2, "SET k v", "+OK\r\n");
    command_run(&h->env, c, argv, 1);
    EXPECT(c->blocked && c->waits_for_save);
    client_abandon(&h->env, c);
    EXPECT(!c->blocked);
    EXPECT_EQ(h->client == first, true);
    sim_run_for(h->sim, 10 * 1000 * 1000);
    EXPECT_EQ(h->persist.saver.snapshots.saves, 1);
    EXPECT_EQ(c->out.len, 0);
    harness_free(h);
}

TEST(cmd_saving, without_a_folder_it_says_so)
{
    struct harness *h = harness_new();
    h->env.saver = NULL;
    EXPECT_PART(h, 2, "SAVE", "-ERR this server has no folder");
    EXPECT_PART(h, 2, "BGSAVE", "-ERR this server has no folder");
    EXPECT_PART(h, 2, "BGREWRITEAOF", "-ERR this server has no folder");
    EXPECT_PART(h, 2, "LASTSAVE", ":");
    harness_free(h);
}

static unsigned tick_until_saved(struct harness *h, unsigned most)
{
    uint64_t before = h->persist.saver.snapshots.saves;
    unsigned written = 0;
    while (written < most && h->persist.saver.snapshots.saves == before) {
        EXPECT_REPLY(h, 2, "SET k aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
                     "+OK\r\n");
        written++;
        sim_run_for(h->sim, 2 * 1000 * 1000); /* it is on the disk */
        persist_tick(&h->persist);
        sim_run_for(h->sim, 1000 * 1000);
    }
    return written;
}

TEST(cmd_saving, a_log_that_grows_asks_for_a_snapshot_and_its_segments_go)
{
    struct harness *h = harness_new();
    harness_start_log(h);
    sim_run_for(h->sim, 1000 * 1000);
    struct persist_settings s = h->persist.settings;
    EXPECT_EQ(tick_until_saved(h, 40), 40); /* not unless it is wanted */
    EXPECT_REPLY(h, 2, "SAVE", "+OK\r\n");
    s.growth_min = 1000;
    s.growth_percent = 100;
    persist_set(&h->persist, &s);
    unsigned first = tick_until_saved(h, 40), second = tick_until_saved(h, 40);
    EXPECT(first > 3 && first < 20);
    EXPECT(second > 3 && second < 20);
    /* A segment ends where a snapshot begins, so the log does not grow for ever. */
    struct persist_info before, after;
    persist_info(&h->persist, &before);
    for (unsigned i = 0; i < 10; i++)
        (void)tick_until_saved(h, 40);
    persist_info(&h->persist, &after);
    EXPECT(after.log_bytes < 2 * before.log_bytes);
    EXPECT(h->persist.saver.snapshots.log_removed > 10 * 1000);
    harness_free(h);
}
