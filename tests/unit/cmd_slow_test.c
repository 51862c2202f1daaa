/* cmd_slow_test.c: SLOWLOG, LATENCY, CLIENT PAUSE and CLIENT REPLY. */
#include "lib/cmd_harness.h"

#define OK_ "+OK\r\n"

/* -- SLOWLOG ----------------------------------------------------------------------------------- */

TEST(cmd_slowlog, keeps_commands_from_the_threshold_on_and_the_newest)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "SLOWLOG GET", "*0\r\n"); /* nothing here takes 10 ms */
    EXPECT_REPLY(h, 2, "CONFIG SET slowlog-log-slower-than 0", OK_);
    EXPECT_REPLY(h, 2, "SLOWLOG LEN", ":1\r\n");
    EXPECT_PART(h, 2, "SLOWLOG GET 1", "*6\r\n:1\r\n:");
    EXPECT_PART(h, 2, "SLOWLOG GET 2",
                "*2\r\n$7\r\nSLOWLOG\r\n$3\r\nLEN\r\n$15\r\n127.0.0.1:50001");
    EXPECT_REPLY(h, 2, "CLIENT SETNAME me", OK_);
    EXPECT_PART(h, 3, "SLOWLOG GET 1", "\r\n$2\r\nme\r\n");
    EXPECT_REPLY(h, 2, "CONFIG SET slowlog-max-len 2", OK_);
    EXPECT_REPLY(h, 2, "PING", "+PONG\r\n");
    EXPECT_REPLY(h, 2, "SLOWLOG LEN", ":2\r\n");
    EXPECT_REPLY(h, 2, "CONFIG SET slowlog-log-slower-than -1", OK_);
    EXPECT_REPLY(h, 2, "SLOWLOG RESET", OK_);
    EXPECT_REPLY(h, 2, "PING", "+PONG\r\n");
    EXPECT_REPLIES(h, "SLOWLOG GET -1", "*0\r\n");
    harness_free(h);
}

TEST(cmd_slowlog, cuts_long_arguments_and_keeps_no_secrets)
{
    struct harness *h = harness_new();
    struct buf line = BUF_INIT(MEM_TEST);
    EXPECT_REPLY(h, 2, "CONFIG SET slowlog-log-slower-than 0", OK_);
    buf_append_text(&line, "SET k ");
    for (int i = 0; i < 200; i++)
        buf_append_byte(&line, 'v');
    buf_append_byte(&line, '\0');
    EXPECT_REPLY(h, 2, (const char *)line.ptr, OK_);
    EXPECT_PART(h, 2, "SLOWLOG GET 1", "vvvv... (72 more bytes)\r\n");
    buf_clear(&line, SIZE_MAX);
    buf_append_text(&line, "DEL");
    for (int i = 0; i < 40; i++)
        buf_printf(&line, " k%d", i);
    buf_append_byte(&line, '\0');
    EXPECT_REPLY(h, 2, (const char *)line.ptr, ":0\r\n");
    EXPECT_PART(h, 2, "SLOWLOG GET 1", "\r\nk29\r\n$23\r\n... (10 more arguments)\r\n");
    EXPECT_PART(h, 2, "AUTH hunter2", "-ERR AUTH");
    EXPECT_PART(h, 3, "HELLO 3 AUTH default hunter2", "%7");
    EXPECT_REPLY(h, 2, "CONFIG SET maxclients 100 requirepass hunter2", OK_);
    EXPECT_NO_PART(h, 2, "SLOWLOG GET -1", "hunter2");
    EXPECT_PART(h, 2, "SLOWLOG GET -1", "\r\n$11\r\nrequirepass\r\n$10\r\n(redacted)\r\n");
    buf_fini(&line);
    harness_free(h);
}

TEST(cmd_slowlog, has_searches_with_the_time_that_clients_waited)
{
    struct harness *h = harness_new();
    EXPECT_PART(h, 2, "VADD v VALUES 2 1 2 a", ":1");
    EXPECT_REPLY(h, 2, "CONFIG SET slowlog-log-slower-than 0", OK_);
    EXPECT_PART(h, 2, "VSIM v ELE a", "$1\r\na\r\n");
    EXPECT_PART(h, 2, "SLOWLOG GET 1", "$4\r\nVSIM\r\n$1\r\nv\r\n$3\r\nELE\r\n");
    EXPECT_REPLY(h, 2, "MULTI", OK_);
    EXPECT_PART(h, 2, "GET k", "+QUEUED");
    EXPECT_PART(h, 2, "EXEC", "*1");
    EXPECT_NO_PART(h, 2, "SLOWLOG GET -1", "EXEC"); /* its commands are there */
    EXPECT_PART(h, 2, "SLOWLOG GET -1", "GET\r\n$1\r\nk");
    harness_free(h);
}

/* -- LATENCY ----------------------------------------------------------------------------------- */

TEST(cmd_latency, keeps_one_sample_a_second_and_the_longest)
{
    struct harness *h = harness_new();
    EXPECT_REPLIES(h, "LATENCY LATEST", "*0\r\n");
    latency_note(&h->env, LATENCY_COMMAND, 50000);
    EXPECT_REPLIES(h, "LATENCY LATEST", "*0\r\n"); /* nothing is watched */
    EXPECT_REPLY(h, 2, "CONFIG SET latency-monitor-threshold 10", OK_);
    latency_note(&h->env, LATENCY_COMMAND, 9999);
    EXPECT_REPLIES(h, "LATENCY HISTORY command", "*0\r\n");
    latency_note(&h->env, LATENCY_COMMAND, 30000);
    latency_note(&h->env, LATENCY_COMMAND, 20000);
    EXPECT_PART(h, 2, "LATENCY HISTORY command", "*1\r\n*2\r\n:");
    EXPECT_PART(h, 2, "LATENCY HISTORY command", ":30\r\n");
    sim_run_for(h->sim, 3 * 1000 * 1000);
    latency_note(&h->env, LATENCY_COMMAND, 10000);
    latency_note(&h->env, LATENCY_EXPIRE, 11000);
    EXPECT_PART(h, 2, "LATENCY LATEST", "*2\r\n*4\r\n$7\r\ncommand\r\n:");
    EXPECT_PART(h, 2, "LATENCY LATEST", ":10\r\n:30\r\n*4\r\n$12\r\nexpire-cycle\r\n:");
    EXPECT_PART(h, 2, "LATENCY GRAPH command",
                "command - high 30 ms, low 10 ms (all time high 30 ms)\n");
    EXPECT_PART(h, 3, "LATENCY DOCTOR", "command: 2 spikes, 20 ms on average");
    EXPECT_REPLY(h, 2, "LATENCY RESET command nosuch", ":1\r\n");
    EXPECT_REPLY(h, 2, "LATENCY RESET", ":1\r\n");
    EXPECT_PART(h, 2, "LATENCY DOCTOR", "Nothing was slow.");
    harness_free(h);
}

TEST(cmd_latency, history_is_a_ring)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "CONFIG SET latency-monitor-threshold 1", OK_);
    for (uint64_t i = 1; i <= LATENCY_SAMPLES + 5; i++) {
        latency_note(&h->env, LATENCY_FAST_COMMAND, i * 1000);
        sim_run_for(h->sim, 1000 * 1000);
    }
    EXPECT_PART(h, 2, "LATENCY HISTORY fast-command", "*160\r\n*2\r\n:");
    EXPECT_PART(h, 2, "LATENCY HISTORY fast-command", "\r\n:6\r\n*2\r\n");
    EXPECT_NO_PART(h, 2, "LATENCY HISTORY fast-command", "\r\n:5\r\n");
    EXPECT_PART(h, 2, "LATENCY LATEST", ":165\r\n:165\r\n");
    harness_free(h);
}

TEST(cmd_latency, histograms_count_every_call_once)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "PING", "+PONG\r\n");
    EXPECT_REPLY(h, 2, "LATENCY HISTOGRAM ping nosuch",
                 "*2\r\n$4\r\nping\r\n*4\r\n$5\r\ncalls\r\n:1\r\n$14\r\nhistogram_usec\r\n*2\r\n"
                 ":1\r\n:1\r\n");
    latency_note_command(&h->env, command_index(command_find(slice_of("ping"))), 33);
    latency_note_command(&h->env, command_index(command_find(slice_of("ping"))), 34 * 1000000);
    EXPECT_REPLY(h, 3, "LATENCY HISTOGRAM PING",
                 "%1\r\n$4\r\nping\r\n%2\r\n$5\r\ncalls\r\n:3\r\n$14\r\nhistogram_usec\r\n%3\r\n"
                 ":1\r\n:1\r\n:33\r\n:2\r\n:34628173\r\n:3\r\n");
    EXPECT_PART(h, 2, "LATENCY HISTOGRAM config", "*0");
    EXPECT_PART(h, 2, "CONFIG GET port", "port");
    EXPECT_PART(h, 2, "LATENCY HISTOGRAM config", "config|get");
    EXPECT_PART(h, 2, "INFO latencystats",
                "latency_percentiles_usec_ping:p50=35.000,p99=34000000.000,p99.9=34000000.000\r\n");
    EXPECT_REPLY(h, 2, "CONFIG RESETSTAT", OK_);
    EXPECT_NO_PART(h, 2, "INFO latencystats", "usec_ping");
    harness_free(h);
}

TEST(cmd_latency, buckets_have_no_gaps)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        struct histogram h = {0};
        histogram_add(&h, histogram_bound(i));
        EXPECT(h.buckets[i] == 1);
        EXPECT(histogram_bound(i) < histogram_bound(i + 1));
        EXPECT(histogram_percentile(&h, 50) == histogram_bound(i));
    }
}

/* -- PAUSE ------------------------------------------------------------------------------------- */

static struct slice send_as(struct harness *h, struct client *c, const char *line)
{
    struct slice left = slice_of(line), argv[8];
    size_t argc = 0;
    c->retry = false;
    buf_clear(&c->out, SIZE_MAX);
    while (left.len > 0) {
        const uint8_t *blank = memchr(left.ptr, ' ', left.len);
        size_t len = blank == NULL ? left.len : (size_t)(blank - left.ptr);
        argv[argc++] = (struct slice){left.ptr, len};
        left = (struct slice){left.ptr + len, left.len - len};
        if (left.len > 0)
            left = (struct slice){left.ptr + 1, left.len - 1};
    }
    command_run(&h->env, c, argv, argc);
    return buf_slice(&c->out);
}

TEST(cmd_pause, write_pause_lets_reads_through_and_ends_by_itself)
{
    struct harness *h = harness_new();
    struct client *c = harness_add_client(h, "127.0.0.2", 7);
    EXPECT_REPLY(h, 2, "CLIENT PAUSE 500 WRITE", OK_);
    EXPECT(slice_eq(send_as(h, c, "GET a"), slice_of("$-1\r\n")));
    EXPECT(send_as(h, c, "SET a 1").len == 0 && c->blocked && c->retry);
    EXPECT_PART(h, 2, "INFO clients", "blocked_clients:1\r\n");
    sim_run_for(h->sim, 499 * 1000);
    EXPECT(c->blocked);
    sim_run_for(h->sim, 2 * 1000);
    EXPECT(!c->blocked && c->retry);
    EXPECT(slice_eq(send_as(h, c, "SET a 1"), slice_of(OK_)));
    harness_free(h);
}

TEST(cmd_pause, all_pause_holds_reads_too_and_keys_do_not_expire)
{
    struct harness *h = harness_new();
    struct client *c = harness_add_client(h, "127.0.0.2", 7);
    EXPECT_REPLY(h, 2, "SET a 1 PX 100", OK_);
    EXPECT_REPLY(h, 2, "CLIENT PAUSE 1000 WRITE", OK_);
    sim_run_for(h->sim, 200 * 1000);
    EXPECT_REPLY(h, 2, "GET a", "$-1\r\n");
    EXPECT_REPLY(h, 2, "DBSIZE", ":1\r\n");
    EXPECT_REPLY(h, 2, "CLIENT PAUSE 10 ALL", OK_); /* longer before: still that long */
    EXPECT(send_as(h, c, "PING").len == 0 && c->blocked);
    sim_run_for(h->sim, 700 * 1000);
    EXPECT(c->blocked);
    sim_run_for(h->sim, 200 * 1000);
    EXPECT(!c->blocked);
    EXPECT_REPLY(h, 2, "GET a", "$-1\r\n");
    EXPECT_REPLY(h, 2, "DBSIZE", ":0\r\n");
    harness_free(h);
}

TEST(cmd_pause, clients_may_leave_meanwhile)
{
    struct harness *h = harness_new();
    struct client *c = harness_add_client(h, "127.0.0.2", 7);
    EXPECT_REPLY(h, 2, "CLIENT PAUSE 500", OK_);
    EXPECT(send_as(h, c, "PING").len == 0 && c->blocked);
    client_abandon(&h->env, c);
    EXPECT(!c->blocked && h->env.blocked_count == 0);
    harness_free(h);
}

/* -- REPLY ------------------------------------------------------------------------------------- */

TEST(cmd_reply, off_and_skip_leave_out_replies_and_errors_but_not_effects)
{
    struct harness *h = harness_new();
    EXPECT_REPLY(h, 2, "CLIENT REPLY OFF", "");
    EXPECT_REPLY(h, 2, "SET a 1", "");
    EXPECT_REPLY(h, 2, "NOSUCH", "");
    EXPECT_REPLY(h, 2, "CLIENT REPLY SKIP", "");
    EXPECT_REPLY(h, 2, "GET a", "");
    EXPECT_REPLY(h, 2, "CLIENT REPLY ON", OK_);
    EXPECT_REPLY(h, 2, "GET a", "$1\r\n1\r\n");
    EXPECT_REPLY(h, 2, "CLIENT REPLY SKIP", "");
    EXPECT_REPLY(h, 2, "SET a 2", "");
    EXPECT_REPLY(h, 2, "GET a", "$1\r\n2\r\n");
    EXPECT_REPLY(h, 2, "CLIENT REPLY OFF", "");
    EXPECT_REPLY(h, 2, "RESET", "+RESET\r\n");
    harness_free(h);
}

TEST(cmd_reply, off_holds_for_searches_that_answer_later)
{
    struct harness *h = harness_new();
    EXPECT_PART(h, 2, "VADD v VALUES 2 1 2 a", ":1");
    EXPECT_REPLY(h, 2, "CLIENT REPLY SKIP", "");
    EXPECT_REPLY(h, 2, "VSIM v ELE a", "");
    EXPECT_PART(h, 2, "VSIM v ELE a", "$1\r\na\r\n");
    harness_free(h);
}

TEST(cmd_unblock, ends_a_waitaof)
{
    struct harness *h = harness_new();
    struct client *c = harness_add_client(h, "127.0.0.2", 7);
    EXPECT(send_as(h, c, "WAITAOF 0 1 0").len == 0 && c->blocked);
    EXPECT_REPLY(h, 2, "CLIENT UNBLOCK 2", ":1\r\n");
    EXPECT(!c->blocked && slice_eq(buf_slice(&c->out), slice_of("*2\r\n:0\r\n:0\r\n")));
    EXPECT(send_as(h, c, "WAITAOF 0 1 0").len == 0 && c->blocked);
    EXPECT_REPLY(h, 2, "CLIENT UNBLOCK 2 ERROR", ":1\r\n");
    EXPECT(slice_eq(buf_slice(&c->out),
                    slice_of("-UNBLOCKED client unblocked via CLIENT UNBLOCK\r\n")));
    EXPECT_REPLY(h, 2, "CLIENT UNBLOCK 2", ":0\r\n");
    harness_free(h);
}
