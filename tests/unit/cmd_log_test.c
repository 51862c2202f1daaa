/* The log as clients see it: WAITAOF, refused writes, INFO persistence, loading. */
#include "lib/cmd_harness.h"

enum { SECOND_US = 1000 * 1000 };

TEST(cmd_log, waitaof_waits_until_what_was_written_is_durable)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "WAITAOF 1 0 0",
                   "-ERR WAITAOF cannot be used when numlocal is set but appendonly is "
                   "disabled.\r\n");
    EXPECT_REPLIES(h, "WAITAOF 0 0 0", "*2\r\n:0\r\n:0\r\n");
    harness_start_log(h);
    EXPECT_REPLIES(h, "WAITAOF 1 0 0", "*2\r\n:1\r\n:0\r\n"); /* it has written nothing */
    EXPECT_REPLY(h, 2, "SET k v", "+OK\r\n");
    EXPECT_REPLIES(h, "WAITAOF 0 0 0", "*2\r\n:0\r\n:0\r\n");
    uint64_t before = sim_now_us(h->sim);
    EXPECT_REPLIES(h, "WAITAOF 1 0 0", "*2\r\n:1\r\n:0\r\n");
    EXPECT(sim_now_us(h->sim) < before + SECOND_US / 2); /* it does not wait for everysec */
    EXPECT_EQ(persist_durable_lsn(&h->persist), 1);
    EXPECT_EQ(h->env.log_waiters, 0);
    harness_free(h);
}

TEST(cmd_log, waitaof_waits_for_replicas_until_its_time_is_over)
{
    struct harness *h = harness_new();
    harness_start_log(h);
    uint64_t before = sim_now_us(h->sim);
    EXPECT_REPLIES(h, "WAITAOF 0 1 250", "*2\r\n:1\r\n:0\r\n");
    EXPECT(sim_now_us(h->sim) >= before + 2 * SECOND_US / 4);
    EXPECT_REPLY(h, 2, "MULTI", "+OK\r\n");
    EXPECT_REPLY(h, 2, "SET k v", "+QUEUED\r\n");
    EXPECT_REPLY(h, 2, "WAITAOF 1 1 0", "+QUEUED\r\n");
    EXPECT_REPLY(h, 2, "EXEC", "*2\r\n+OK\r\n*2\r\n:0\r\n:0\r\n"); /* waits for nothing there */
    harness_free(h);
}

TEST(cmd_log, waitaof_refuses_what_redis_refuses)
{
    struct harness *h = harness_new();
    harness_start_log(h);
    EXPECT_REPLIES(h, "WAITAOF 2 0 0",
                   "-ERR value is out of range, value must between 0 and 1\r\n");
    EXPECT_REPLIES(h, "WAITAOF 1 -1 0", "-ERR value is out of range, must be positive\r\n");
    EXPECT_REPLIES(h, "WAITAOF 1 0 -1", "-ERR timeout is negative\r\n");
    EXPECT_REPLIES(h, "WAITAOF 1 0 x", "-ERR timeout is not an integer or out of range\r\n");
    EXPECT_REPLIES(h, "WAITAOF 1 0", "-ERR wrong number of arguments for 'waitaof' command\r\n");
    harness_free(h);
}

TEST(cmd_log, a_client_that_goes_away_waits_for_nothing_any_more)
{
    struct harness *h = harness_new();
    harness_start_log(h);
    struct client *other = harness_add_client(h, "127.0.0.1", 50002);
    const struct slice wait[] = {slice_of("WAITAOF"), slice_of("0"), slice_of("1"),
                                 slice_of("1000")};
    command_run(&h->env, other, wait, COUNT_OF(wait));
    EXPECT(other->blocked && h->env.log_waiters == 1);
    client_abandon(&h->env, other);
    EXPECT(!other->blocked && h->env.log_waiters == 0);
    sim_run_for(h->sim, 2 * SECOND_US);
    harness_free(h);
}

TEST(cmd_log, writes_are_refused_while_the_disk_fails_and_reads_go_on)
{
    static const char misconf[] =
        "-MISCONF Errors writing to the AOF file: No space left on device\r\n";
    struct harness *h = harness_new();
    harness_start_log(h);
    EXPECT_REPLY(h, 2, "SET k 1", "+OK\r\n");
    EXPECT_REPLY(h, 2, "WAITAOF 1 0 0", "*2\r\n:1\r\n:0\r\n");
    sim_options(h->sim)->disk_bytes = 1;
    EXPECT_REPLY(h, 2, "SET k 2", "+OK\r\n"); /* nobody has noticed yet */
    sim_run_for(h->sim, 3 * SECOND_US);
    EXPECT_REPLIES(h, "SET k 3", misconf);
    EXPECT_REPLIES(h, "VADD v VALUES 2 1 0 x", misconf);
    EXPECT_REPLY(h, 2, "GET k", "$1\r\n2\r\n");
    EXPECT_PART(h, 2, "INFO persistence", "aof_last_write_status:err\r\n");
    EXPECT_REPLY(h, 2, "MULTI", "+OK\r\n");
    EXPECT_REPLY(h, 2, "SET k 4", misconf);
    EXPECT_PART(h, 2, "EXEC", "-EXECABORT");
    sim_options(h->sim)->disk_bytes = 0;
    sim_run_for(h->sim, 3 * SECOND_US);
    EXPECT_REPLY(h, 2, "SET k 5", "+OK\r\n");
    EXPECT_PART(h, 2, "INFO persistence", "aof_last_write_status:ok\r\n");
    EXPECT_REPLY(h, 2, "WAITAOF 1 0 0", "*2\r\n:1\r\n:0\r\n");
    harness_free(h);
}

TEST(cmd_log, a_writer_waits_when_too_much_is_not_on_the_disk)
{
    struct harness *h = harness_new();
    harness_start_log(h);
    h->persist.aof->memory_max = 1000;
    struct client *c = h->client;
    char value[2000];
    memset(value, 'v', sizeof(value));
    const struct slice set[] = {slice_of("SET"), slice_of("k"),
                                {(const uint8_t *)value, sizeof(value)}};
    command_run(&h->env, c, set, COUNT_OF(set));
    EXPECT(c->blocked && h->env.log_waiters == 1);
    EXPECT(slice_eq(buf_slice(&c->out), slice_of("+OK\r\n"))); /* its reply does not wait */
    sim_run_for(h->sim, SECOND_US / 2);
    EXPECT(!c->blocked && h->env.log_waiters == 0);
    EXPECT_REPLY(h, 2, "STRLEN k", ":2000\r\n");
    harness_free(h);
}

TEST(cmd_log, while_loading_only_commands_that_need_no_data_run)
{
    struct harness *h = harness_new();
    static const char loading[] = "-LOADING vdb is loading the dataset in memory\r\n";
    h->persist.state = PERSIST_LOADING;
    EXPECT_REPLIES(h, "GET k", loading);
    EXPECT_REPLIES(h, "SET k v", loading);
    EXPECT_REPLIES(h, "PING", loading);
    EXPECT_REPLIES(h, "VCARD v", loading);
    EXPECT_REPLIES(h, "BGSAVE", loading);
    EXPECT_REPLY(h, 2, "SELECT 0", "+OK\r\n");
    EXPECT_PART(h, 2, "INFO", "loading:1\r\n");
    EXPECT_PART(h, 2, "INFO", "loading_start_time:");
    EXPECT_PART(h, 2, "INFO", "loading_total_bytes:0\r\n");
    EXPECT_PART(h, 2, "INFO", "loading_loaded_bytes:0\r\n");
    EXPECT_PART(h, 2, "INFO", "loading_loaded_perc:0.00\r\n");
    EXPECT_PART(h, 2, "INFO", "loading_eta_seconds:");
    h->persist.state = PERSIST_SERVING;
    EXPECT_NO_PART(h, 2, "INFO", "loading_eta_seconds:");
    harness_free(h);
}

/* What prometheus-redis-exporter, redis-cli --stat and others read. */
TEST(cmd_log, info_has_the_fields_of_redis)
{
    static const char *const fields[] = {"loading",
                                         "async_loading",
                                         "rdb_changes_since_last_save",
                                         "rdb_bgsave_in_progress",
                                         "rdb_last_save_time",
                                         "rdb_last_bgsave_status",
                                         "rdb_last_bgsave_time_sec",
                                         "rdb_current_bgsave_time_sec",
                                         "rdb_saves",
                                         "rdb_last_cow_size",
                                         "aof_enabled",
                                         "aof_rewrite_in_progress",
                                         "aof_rewrite_scheduled",
                                         "aof_last_rewrite_time_sec",
                                         "aof_current_rewrite_time_sec",
                                         "aof_last_bgrewrite_status",
                                         "aof_rewrites",
                                         "aof_rewrites_consecutive_failures",
                                         "aof_last_write_status",
                                         "aof_last_cow_size",
                                         "aof_current_size",
                                         "aof_base_size",
                                         "aof_pending_rewrite",
                                         "aof_buffer_length",
                                         "aof_pending_bio_fsync",
                                         "aof_delayed_fsync",
                                         "aof_fsyncs"};
    struct harness *h = harness_new();
    EXPECT_PART(h, 2, "INFO persistence", "aof_enabled:0\r\n");
    harness_start_log(h);
    for (size_t i = 0; i < COUNT_OF(fields); i++) {
        char line[64];
        (void)snprintf(line, sizeof(line), "\r\n%s:", fields[i]);
        EXPECT_PART(h, 2, "INFO persistence", line);
    }
    EXPECT_PART(h, 2, "INFO persistence", "aof_enabled:1\r\n");
    EXPECT_REPLY(h, 2, "SET k v", "+OK\r\n");
    EXPECT_PART(h, 2, "INFO persistence", "rdb_changes_since_last_save:1\r\n");
    EXPECT_REPLY(h, 2, "WAITAOF 1 0 0", "*2\r\n:1\r\n:0\r\n");
    EXPECT_PART(h, 2, "INFO persistence", "log_durable_lsn:1\r\n");
    EXPECT_REPLY(h, 2, "SAVE", "+OK\r\n");
    EXPECT_PART(h, 2, "INFO persistence", "rdb_changes_since_last_save:0\r\n");
    EXPECT_PART(h, 2, "INFO persistence", "rdb_saves:1\r\n");
    harness_free(h);
}
