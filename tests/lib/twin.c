#include "lib/twin.h"

#include "lib/test.h"

static void on_record(struct mlog_sink *sink, uint64_t lsn, struct slice record)
{
    struct twin *t = (struct twin *)sink;
    struct why why = {""};
    if (!t->held) {
        EXPECT_EQ(db_replay_record(t->twin, record, lsn, &why), OK);
        EXPECT_STR(why.text, "");
        return;
    }
    uint64_t size = record.len;
    buf_append(&t->records, &size, sizeof(size));
    buf_append_slice(&t->records, record);
    while (t->records.len % 8 != 0)
        buf_append_byte(&t->records, 0);
}

static uint64_t stable(const struct mlog_sink *sink)
{
    (void)sink;
    return UINT64_MAX;
}

void twin_init(struct twin *t, struct db *db, struct db *twin)
{
    *t = (struct twin){.db = db, .twin = twin, .records = BUF_INIT(MEM_TEST)};
    t->sink = (struct mlog_sink){.on_record = on_record, .stable = stable};
    mlog_add_sink(&db->log, &t->sink);
}

void twin_fini(struct twin *t)
{
    mlog_remove_sink(&t->db->log, &t->sink);
    buf_fini(&t->records);
}

void twin_replay(const struct twin *t, struct db *db)
{
    for (size_t at = 0; at < t->records.len;) {
        uint64_t size;
        struct why why = {""};
        memcpy(&size, t->records.ptr + at, sizeof(size));
        struct slice record = {t->records.ptr + at + 8, size};
        EXPECT_EQ(db_replay_record(db, record, db->log.last_lsn + 1, &why), OK);
        EXPECT_STR(why.text, "");
        at += 8 + (size + 7) / 8 * 8;
    }
}

void twin_go_on(struct twin *t)
{
    twin_replay(t, t->twin);
    buf_clear(&t->records, 0);
    t->held = false;
}
