/* What a server has acknowledged is there again when it is killed and started anew. */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "integration/peer.h"

static const char *const always[] = {"--appendfsync", "always", NULL};
static const char *const everysec[] = {"--appendfsync", "everysec", NULL};
static const char *const never[] = {"--appendfsync", "no", NULL};
static const char *const small_segments[] = {"--aof-segment-size", "4kb", NULL};
static const char *const no_log[] = {"--appendonly", "no", NULL};
static const char *const repair[] = {"--repair", NULL};

/* Killed right behind a reply, a few times over, with commands under way that nobody hears of. */
static void kill_behind_replies(const char *const *options)
{
    struct served s;
    struct peer p;
    char line[64], expected[64];
    served_start(&s, options);
    for (int life = 0; life < 6; life++) {
        peer_open(&p, &s);
        (void)snprintf(expected, sizeof(expected), ":%d", 10 * life);
        SAYS(&p, "VCARD v", expected);
        for (int i = 0; i < 10; i++) {
            (void)snprintf(line, sizeof(line), "VADD v VALUES 2 %d 1 e%d", i + 1, life * 10 + i);
            SAYS(&p, line, ":1");
        }
        (void)snprintf(line, sizeof(line), "SET k %d", life);
        SAYS(&p, line, "+OK");
        SAYS(&p, "PEXPIRE k 100000", ":1");
        EXPECT_EQ(served_restart(&s, options), 0);
        peer_close(&p);
        peer_open(&p, &s);
        (void)snprintf(expected, sizeof(expected), "'%d'", life);
        SAYS(&p, "GET k", expected);
        SAYS(&p, "VSIM v ELE e0 COUNT 1", "['e0']");
        EXPECT(strcmp(ask(&p, "PTTL k"), ":-1") != 0);
        peer_close(&p);
    }
    EXPECT_EQ(served_stop(&s), 0);
}

TEST(persist, a_killed_server_loses_nothing_that_it_has_answered)
{
    kill_behind_replies(always);
    kill_behind_replies(everysec);
    kill_behind_replies(never);
    kill_behind_replies(small_segments);
}

TEST(persist, a_snapshot_and_the_log_after_it_are_the_data)
{
    struct served s;
    struct peer p;
    served_start(&s, NULL);
    peer_open(&p, &s);
    SAYS(&p, "SET a 1", "+OK");
    SAYS(&p, "VADD v VALUES 2 1 0 x", ":1");
    SAYS(&p, "SAVE", "+OK");
    SAYS(&p, "SET b 2", "+OK");
    SAYS(&p, "DEL a", ":1");
    EXPECT_EQ(served_restart(&s, NULL), 0);
    peer_close(&p);
    peer_open(&p, &s);
    SAYS(&p, "MGET a b", "[nil '2']");
    SAYS(&p, "VCARD v", ":1");
    EXPECT(strstr(ask(&p, "INFO persistence"), "load_snapshot_lsn:2") != NULL);
    EXPECT(strstr(ask(&p, "INFO persistence"), "load_records:2") != NULL);
    peer_close(&p);
    EXPECT_EQ(served_stop(&s), 0);
}

/* What was written without a log survives an end in order, and the log can go on from there. */
TEST(persist, the_log_can_be_turned_off_and_on)
{
    struct served s;
    struct peer p;
    served_start(&s, no_log);
    peer_open(&p, &s);
    SAYS(&p, "SET a 1", "+OK");
    REFUSES(&p, "WAITAOF 1 0 0", "appendonly is disabled");
    SAYS(&p, "CONFIG SET appendonly yes", "+OK");
    SAYS(&p, "SET b 2", "+OK");
    SAYS(&p, "WAITAOF 1 0 0", "[:1 :0]");
    EXPECT_EQ(served_restart(&s, NULL), 0);
    peer_close(&p);
    peer_open(&p, &s);
    SAYS(&p, "MGET a b", "['1' '2']");
    SAYS(&p, "CONFIG SET appendonly no", "+OK");
    SAYS(&p, "SET a lost", "+OK");
    EXPECT_EQ(served_restart(&s, NULL), 0);
    peer_close(&p);
    peer_open(&p, &s);
    SAYS(&p, "MGET a b", "['1' '2']");
    peer_close(&p);
    EXPECT_EQ(served_stop(&s), 0);
}

/* The first segment with records. */
static void find_segment(const struct served *s, char *out, size_t size)
{
    DIR *d = opendir(s->folder);
    REQUIRE(d != NULL);
    for (const struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        if (strncmp(e->d_name, "log-00000001-", 13) == 0)
            (void)snprintf(out, size, "%s/%s", s->folder, e->d_name);
    closedir(d);
}

TEST(persist, damage_is_named_and_repaired_only_when_asked)
{
    struct served s;
    struct peer p;
    char path[512] = "";
    served_start(&s, always);
    peer_open(&p, &s);
    SAYS(&p, "SET a 1", "+OK");
    SAYS(&p, "SET b 2", "+OK");
    SAYS(&p, "SET c 3", "+OK");
    find_segment(&s, path, sizeof(path));
    FILE *f = fopen(path, "r+");
    REQUIRE(f != NULL && fseek(f, 96 + 80 + 60, SEEK_SET) == 0);
    EXPECT(fputc(0xff, f) != EOF && fclose(f) == 0); /* within the second record */
    peer_close(&p);
    EXPECT_EQ(served_restart(&s, NULL), 1);
    EXPECT(served_said(&s, "log-00000001-0000000000000001.vlog, offset 176:"));
    EXPECT(served_said(&s, "--repair"));
    EXPECT_EQ(served_restart(&s, repair), 0);
    peer_open(&p, &s);
    SAYS(&p, "MGET a b c", "['1' nil nil]");
    SAYS(&p, "SET d 4", "+OK");
    peer_close(&p);
    EXPECT(served_said(&s, "repair: "));
    EXPECT_EQ(served_restart(&s, NULL), 0);
    peer_open(&p, &s);
    SAYS(&p, "MGET a b d", "['1' nil '4']");
    peer_close(&p);
    EXPECT_EQ(served_stop(&s), 0);
}

TEST(persist, two_servers_never_share_a_folder)
{
    struct served s, second;
    served_start(&s, NULL);
    second = s;
    second.pid = 0;
    second.port++;
    EXPECT_EQ(served_restart(&second, NULL), 1);
    EXPECT(served_said(&s, "another server uses the folder"));
    EXPECT(served_alive(&s));
    EXPECT_EQ(served_stop(&s), 0);
}

/* After a kill, with the log alone and with a snapshot before it. */
TEST(persist, times_of_elements_and_limits_of_collections_come_back)
{
    struct served s;
    struct peer p;
    char line[64];
    served_start(&s, NULL);
    peer_open(&p, &s);
    SAYS(&p, "VCREATE c DIM 2 METRIC L2 MAXLEN 5 EVICT TTL", "+OK");
    SAYS(&p, "VADD c VALUES 2 1 0 brief PX 1", ":1");
    SAYS(&p, "VADD c VALUES 2 2 0 lasting EX 1000", ":1");
    for (int life = 0; life < 3; life++) {
        (void)snprintf(line, sizeof(line), "VADD c VALUES 2 3 %d e%d EX %d", life, life,
                       100 + life);
        SAYS(&p, line, ":1");
        if (life == 1)
            SAYS(&p, "SAVE", "+OK");
        if (life == 1)
            SAYS(&p, "VALTER c MAXLEN 3", "+OK");
        EXPECT_EQ(served_restart(&s, always), 0);
        peer_close(&p);
        peer_open(&p, &s);
        SAYS(&p, "VISMEMBER c brief", ":0");
        EXPECT(strstr(ask(&p, "VGET c 1 lasting WITHTTL"), ":-1") == NULL);
    }
    SAYS(&p, "VRANGE c - +", "['e1' 'e2' 'lasting']"); /* e0 would have gone soonest */
    EXPECT(strstr(ask(&p, "VINFO c"), "+max-len :3 ") != NULL);
    for (int i = 0; strstr(ask(&p, "VINFO c"), "+expiring :3 ") == NULL && i < 100; i++)
        usleep(20 * 1000);
    EXPECT(strstr(ask(&p, "VINFO c"), "+expiring :3 ") != NULL); /* the brief one has left */
    peer_close(&p);
    EXPECT_EQ(served_stop(&s), 0);
}
