/* Transactions and expiry on a running server, with all its threads. */
#include <stdio.h>
#include <stdlib.h>

#include "integration/peer.h"

enum { ROUNDS = 40, ROWS = 400, DIM = 16 };

/* Adds ROWS elements that belong to a round, in one command. */
static void add_rows(struct peer *p, int round)
{
    struct buf line = BUF_INIT(MEM_TEST);
    buf_printf(&line, "VMADD c FP32 %d", ROWS);
    for (int i = 0; i < ROWS; i++)
        buf_printf(&line, " r%d-%d", round, i);
    buf_append_text(&line, " {f32");
    for (int i = 0; i < ROWS * DIM; i++)
        buf_printf(&line, " %d", (i * 7919 + round * 104729) % 1000);
    buf_append_text(&line, "}");
    buf_append_byte(&line, '\0');
    EXPECT(strncmp(ask(p, (const char *)line.ptr), "[:1 :1", 6) == 0);
    buf_fini(&line);
}

/* While workers link what others add, searches of EXEC walk the same graph on the loop: what it has
 * added itself is found, and what it has removed is not. */
TEST(transaction, searches_on_the_loop_while_workers_link)
{
    struct peer *writer = peer_fresh(3), *p = peer_fresh(2);
    char line[512], found[128];
    SAYS(writer, "VCREATE c DIM 16 METRIC L2", "+OK");
    for (int round = 0; round < ROUNDS; round++) {
        add_rows(writer, round);
        SAYS(p, "MULTI", "+OK");
        (void)snprintf(line, sizeof(line),
                       "VADD c VALUES 16 %d 5000 0 0 0 0 0 0 0 0 0 0 0 0 0 0 own%d", round, round);
        SAYS(p, line, "+QUEUED");
        (void)snprintf(line, sizeof(line), "VSEARCH c ELE own%d COUNT 1", round);
        SAYS(p, line, "+QUEUED");
        SAYS(p, "VSEARCH c ELE own0 COUNT 1 EXACT", "+QUEUED");
        (void)snprintf(line, sizeof(line), "VREM c own%d", round == 0 ? 1 : round);
        SAYS(p, line, "+QUEUED");
        SAYS(p, "VSEARCH c VALUES 16 0 5000 0 0 0 0 0 0 0 0 0 0 0 0 0 0 COUNT 2 EXACT", "+QUEUED");
        (void)snprintf(found, sizeof(found), "[:1 ['own%d'] ['own0'] :%d ['own0' 'r...", round,
                       round == 0 ? 0 : 1);
        SAYS(p, "EXEC", found);
    }
    SAYS(p, "PEXPIRE c 1", ":1");
    sleep_us(300 * 1000);
    SAYS(p, "DBSIZE", ":0");
    SAYS(p, "VSEARCH c ELE own0", "-ERR no such collection...");
}

/* Two clients add one to a number, each only when nobody else has since it looked: no addition is
 * lost, however they meet. */
TEST(transaction, watch_keeps_two_clients_from_losing_additions)
{
    enum { TIMES = 200 };
    struct peer *two[2] = {peer_fresh(3), peer_fresh(2)};
    char line[64];
    long added = 0;
    SAYS(two[0], "SET n 0", "+OK");
    for (int i = 0; i < TIMES; i++) {
        long value[2];
        for (int j = 0; j < 2; j++) {
            SAYS(two[j], "WATCH n", "+OK");
            value[j] = strtol(ask(two[j], "GET n") + 1, NULL, 10);
        }
        for (int j = 0; j < 2; j++) {
            SAYS(two[j], "MULTI", "+OK");
            (void)snprintf(line, sizeof(line), "SET n %ld", value[j] + 1);
            SAYS(two[j], line, "+QUEUED");
            added += strncmp(ask(two[j], "EXEC"), "[+OK]", 5) == 0;
        }
    }
    (void)snprintf(line, sizeof(line), "'%ld'", added);
    SAYS(two[0], "GET n", line);
    EXPECT_EQ(added, TIMES); /* the second one of each pair is always too late */
}

TEST(transaction, keys_nobody_names_leave_by_themselves)
{
    struct peer *p = peer_fresh(2);
    char line[64];
    for (int i = 0; i < 2000; i++) {
        (void)snprintf(line, sizeof(line), "SET k%d v PX %d", i, 1 + i % 50);
        SAYS(p, line, "+OK");
    }
    SAYS(p, "SET stays v", "+OK");
    sleep_us(400 * 1000);
    SAYS(p, "DBSIZE", ":1");
    SAYS(p, "KEYS *", "['stays']");
}
