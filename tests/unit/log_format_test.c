#include "persist/log_format.h"

#include "lib/test.h"

enum { RECORDS = 6 };

static const struct log_segment segment = {
    .generation = 3,
    .salt = 0x5a17,
    .previous_crc = 0xabcdef01,
    .first_lsn = 41,
    .durable_lsn = 39,
    .created_ms = 1700000000123,
    .run_id = "0123456789abcdef0123456789abcdef01234567",
};

/* A segment with records of 0, 5, 10, ... bytes; at[i] is where record i begins. */
static void make_segment(struct buf *out, size_t at[RECORDS + 1])
{
    char text[RECORDS * 5];
    memset(text, 'x', sizeof(text));
    uint8_t *to = buf_reserve(out, LOG_SEGMENT_HEADER_SIZE);
    log_segment_encode(&segment, to);
    buf_advance(out, LOG_SEGMENT_HEADER_SIZE);
    uint32_t previous = segment.previous_crc;
    for (unsigned i = 0; i < RECORDS; i++) {
        struct log_record r = {.lsn = segment.first_lsn + i,
                               .durable_lsn = segment.durable_lsn + i / 2,
                               .wall_ms = segment.created_ms + i,
                               .kind = LOG_CHANGE,
                               .previous_crc = previous,
                               .salt = segment.salt,
                               .payload = {(const uint8_t *)text, (size_t)i * 5}};
        at[i] = out->len;
        to = buf_reserve(out, log_record_size(r.payload.len));
        log_record_encode(&r, to);
        buf_advance(out, log_record_size(r.payload.len));
        previous = r.crc;
    }
    at[RECORDS] = out->len;
}

/* How far a reader comes, and what it meets there. */
static enum log_step read_all(const struct buf *file, struct log_cursor *c, unsigned *count)
{
    struct log_segment s;
    struct log_record r;
    struct why why;
    size_t need;
    *count = 0;
    *c = (struct log_cursor){0};
    if (log_segment_parse(buf_slice(file), &s, &why) != OK)
        return LOG_DAMAGED;
    *c = log_cursor_start(&s);
    for (;;) {
        struct slice rest = {file->ptr + c->offset, file->len - c->offset};
        enum log_step step = log_cursor_next(c, rest, true, &r, &need, &why);
        EXPECT(step != LOG_MORE);
        if (step != LOG_RECORD)
            return step;
        ++*count;
    }
}

TEST(log_format, a_segment_reads_back_as_it_was_written)
{
    struct buf file = BUF_INIT(MEM_TEST);
    size_t at[RECORDS + 1], need;
    struct log_segment s;
    struct log_record r;
    make_segment(&file, at);
    REQUIRE(log_segment_parse(buf_slice(&file), &s, NULL) == OK);
    EXPECT(memcmp(&s, &segment, sizeof(s)) == 0);
    struct log_cursor c = log_cursor_start(&s);
    uint32_t previous = s.previous_crc;
    for (unsigned i = 0; i < RECORDS; i++) {
        EXPECT_EQ(c.offset, at[i]);
        struct slice rest = {file.ptr + c.offset, file.len - c.offset};
        REQUIRE(log_cursor_next(&c, rest, true, &r, &need, NULL) == LOG_RECORD);
        EXPECT_EQ(r.lsn, 41 + i);
        EXPECT_EQ(r.durable_lsn, 39 + i / 2);
        EXPECT_EQ(r.wall_ms, segment.created_ms + i);
        EXPECT_EQ(r.previous_crc, previous);
        EXPECT_EQ(r.payload.len, i * 5);
        previous = r.crc;
    }
    EXPECT_EQ(c.previous_crc, previous);
    EXPECT_EQ(c.durable_lsn, 41);
    EXPECT_EQ(c.offset, file.len);
    EXPECT_EQ(log_cursor_next(&c, (struct slice){file.ptr, 0}, true, &r, &need, NULL), LOG_END);
    EXPECT_EQ(log_claims((struct slice){file.ptr + at[1], file.len - at[1]}, segment.salt), 41);
    EXPECT_EQ(log_claims((struct slice){file.ptr + at[1], at[4] - at[1]}, segment.salt), 40);
    EXPECT_EQ(log_claims((struct slice){file.ptr, 64}, segment.salt), 0);
    buf_fini(&file);
}

TEST(log_format, a_reader_says_how_many_bytes_it_wants)
{
    struct buf file = BUF_INIT(MEM_TEST);
    size_t at[RECORDS + 1], need;
    struct log_record r;
    make_segment(&file, at);
    struct log_cursor c = log_cursor_start(&segment);
    for (unsigned i = 0; i < RECORDS; i++) {
        size_t size = at[i + 1] - at[i];
        for (size_t have = 0; have < size; have++) {
            struct slice part = {file.ptr + at[i], have};
            EXPECT_EQ(log_cursor_next(&c, part, false, &r, &need, NULL), LOG_MORE);
            EXPECT_EQ(need, have < LOG_RECORD_HEADER_SIZE ? LOG_RECORD_HEADER_SIZE : size);
        }
        REQUIRE(log_cursor_next(&c, (struct slice){file.ptr + at[i], size}, false, &r, &need,
                                NULL) == LOG_RECORD);
    }
    buf_fini(&file);
}

/* No byte is without a check: the damage is found where it is, and nothing behind it is read. */
TEST(log_format, every_flipped_bit_is_found_in_the_record_that_has_it)
{
    struct buf file = BUF_INIT(MEM_TEST);
    size_t at[RECORDS + 1];
    unsigned count;
    struct log_cursor c;
    make_segment(&file, at);
    for (size_t bit = 0; bit < file.len * 8; bit++) {
        unsigned hit = 0;
        while (bit / 8 >= LOG_SEGMENT_HEADER_SIZE && at[hit + 1] <= bit / 8)
            hit++;
        file.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT_EQ(read_all(&file, &c, &count), LOG_DAMAGED);
        EXPECT_EQ(count, hit);
        EXPECT_EQ(c.offset, bit / 8 < LOG_SEGMENT_HEADER_SIZE ? 0 : at[hit]);
        file.ptr[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    EXPECT_EQ(read_all(&file, &c, &count), LOG_END);
    buf_fini(&file);
}

TEST(log_format, every_truncation_is_found_but_between_records)
{
    struct buf file = BUF_INIT(MEM_TEST);
    size_t at[RECORDS + 1];
    unsigned count;
    struct log_cursor c;
    make_segment(&file, at);
    for (size_t whole = file.len; file.len > 0; file.len--) {
        unsigned left = 0;
        while (left < RECORDS && at[left + 1] <= file.len)
            left++;
        bool between = file.len >= LOG_SEGMENT_HEADER_SIZE && at[left] == file.len;
        EXPECT_EQ(read_all(&file, &c, &count), between ? LOG_END : LOG_DAMAGED);
        EXPECT_EQ(count, left);
        EXPECT(file.len <= whole);
    }
    buf_fini(&file);
}

TEST(log_format, a_record_of_another_place_or_history_is_not_taken)
{
    struct buf file = BUF_INIT(MEM_TEST);
    size_t at[RECORDS + 1], need;
    struct log_record r;
    make_segment(&file, at);
    struct slice second = {file.ptr + at[1], file.len - at[1]};
    struct log_cursor c = log_cursor_start(&segment);
    EXPECT_EQ(log_cursor_next(&c, second, true, &r, &need, NULL), LOG_DAMAGED);
    c.lsn++; /* the LSN fits, but it followed another record */
    EXPECT_EQ(log_cursor_next(&c, second, true, &r, &need, NULL), LOG_DAMAGED);
    EXPECT_EQ(c.offset, LOG_SEGMENT_HEADER_SIZE);
    buf_fini(&file);
}

TEST(log_format, what_a_later_version_wrote_is_told_from_damage)
{
    _Alignas(8) uint8_t bytes[LOG_RECORD_HEADER_SIZE];
    struct log_record r = {
        .lsn = 41, .kind = 77, .previous_crc = segment.previous_crc, .salt = segment.salt};
    struct log_cursor c = log_cursor_start(&segment);
    struct why why = {""};
    size_t need;
    log_record_encode(&r, bytes);
    struct slice whole = {bytes, sizeof(bytes)};
    EXPECT_EQ(log_cursor_next(&c, whole, true, &r, &need, &why), LOG_FOREIGN);
    EXPECT(strstr(why.text, "kind 77") != NULL);
}

TEST(log_format, names_of_segments_go_both_ways_and_sort)
{
    char name[LOG_NAME_SIZE], next[LOG_NAME_SIZE];
    uint32_t generation;
    uint64_t lsn;
    log_segment_name(0x1f, 0xabcdef, name);
    EXPECT_STR(name, "log-0000001f-0000000000abcdef.vlog");
    REQUIRE(log_segment_name_parse(name, &generation, &lsn));
    EXPECT(generation == 0x1f && lsn == 0xabcdef);
    log_segment_name(UINT32_MAX, UINT64_MAX, next);
    EXPECT(log_segment_name_parse(next, &generation, &lsn) && lsn == UINT64_MAX);
    EXPECT(strcmp(name, next) < 0);
    static const char *const others[] = {"",
                                         "LOCK",
                                         "log-0000001f-0000000000abcdef.vlo",
                                         "log-0000001f-0000000000abcdef.vlog.damaged",
                                         "log-0000001F-0000000000abcdef.vlog",
                                         "log-1f-abcdef.vlog",
                                         "log--000001f-0000000000abcdef.vlog",
                                         "xlog-0000001f-0000000000abcdef.vlog"};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        EXPECT(!log_segment_name_parse(others[i], &generation, &lsn));
}

TEST(log_format, the_newest_whole_note_counts)
{
    uint8_t file[LOG_NOTE_SIZE];
    struct log_note a = {.sequence = 6, .durable_lsn = 10, .wall_ms = 5, .generation = 2};
    struct log_note b = {.sequence = 7, .durable_lsn = 12, .generation = 2, .clean = true}, got;
    struct slice bytes = {file, sizeof(file)};
    log_note_encode(&a, file);
    log_note_encode(&b, file + LOG_NOTE_SLOT_SIZE);
    REQUIRE(log_note_parse(bytes, &got));
    EXPECT(got.sequence == 7 && got.durable_lsn == 12 && got.clean && got.generation == 2);
    for (size_t bit = 0; bit < sizeof(file) * 8; bit++) {
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
        REQUIRE(log_note_parse(bytes, &got));
        EXPECT_EQ(got.sequence, bit / 8 < LOG_NOTE_SLOT_SIZE ? 7 : 6);
        file[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < sizeof(file); len++) {
        bool found = log_note_parse((struct slice){file, len}, &got);
        EXPECT_EQ(found, len >= LOG_NOTE_SLOT_SIZE);
        EXPECT(!found || (got.sequence == 6 && !got.clean));
    }
}
