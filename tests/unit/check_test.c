#include "persist/check.h"

#include "lib/data_folder.h"
#include "lib/test.h"

enum { TEXT_SIZE = 2048 };

struct seen {
    struct check_counts counts;
    char text[TEXT_SIZE]; /* of all findings, one a line */
};

static void on_finding(void *user, const struct check_finding *f)
{
    struct seen *s = user;
    size_t used = strlen(s->text);
    EXPECT(f->file[0] != '\0' && f->text[0] != '\0');
    (void)snprintf(s->text + used, sizeof(s->text) - used, "%s %s:%llu: %s\n",
                   f->grade == CHECK_NOTE ? "note" : "damage", f->file,
                   (unsigned long long)f->offset, f->text);
}

static struct seen look(struct data_folder *d)
{
    struct seen s = {.text = ""};
    struct why why = {{0}};
    EXPECT_EQ(check_folder(&d->io, "folder", on_finding, &s, &s.counts, &why), OK);
    return s;
}

TEST(check, finds_nothing_in_what_is_whole)
{
    struct data_folder d;
    data_folder_make(&d, FLAW_NONE);
    struct seen s = look(&d);
    EXPECT_STR(s.text, "");
    EXPECT_EQ(s.counts.damages + s.counts.notes, 0);
    EXPECT_EQ(s.counts.keys, 3);
    EXPECT_EQ(s.counts.collections, 2);
    EXPECT_EQ(s.counts.elements, DATA_ELEMENTS + DATA_SMALL_ELEMENTS);
    EXPECT_EQ(s.counts.links, 62);
    EXPECT_EQ(s.counts.links_dropped, 1); /* it leads to the dead row */
    EXPECT_EQ(s.counts.records, 4);
    EXPECT_EQ(s.counts.snapshot_lsn, 2);
    EXPECT_EQ(s.counts.last_lsn, 4);
    EXPECT_EQ(s.counts.durable_lsn, 4);
    data_folder_free(&d);
}

TEST(check, names_what_contradicts_itself_under_right_checksums)
{
    for (enum flaw flaw = FLAW_NONE + 1; flaw < FLAW_COUNT; flaw++) {
        struct data_folder d;
        data_folder_make(&d, flaw);
        struct seen s = look(&d);
        if (s.counts.damages == 0 || strstr(s.text, flaw_word(flaw)) == NULL)
            test_fail(__FILE__, __LINE__, "%s: no \"%s\" in:\n%s", flaw_name(flaw), flaw_word(flaw),
                      s.text);
        data_folder_free(&d);
    }
}

TEST(check, finds_every_bit_that_flips)
{
    struct data_folder d;
    data_folder_make(&d, FLAW_NONE);
    for (size_t i = 0; i < d.count; i++) {
        struct buf *bytes = &d.files[i].bytes;
        for (size_t at = 0; at < bytes->len; at++) {
            uint8_t bit = (uint8_t)(1 << (at % 8));
            bytes->ptr[at] ^= bit;
            struct seen s = look(&d);
            bytes->ptr[at] ^= bit;
            bool note = strcmp(d.files[i].name, "log.durable") == 0;
            if (s.counts.damages == 0 && !(note && s.counts.notes > 0))
                test_fail(__FILE__, __LINE__, "%s, byte %zu: not found\n%s", d.files[i].name, at,
                          s.text);
        }
    }
    data_folder_free(&d);
}

TEST(check, finds_every_file_that_is_cut)
{
    struct data_folder d;
    data_folder_make(&d, FLAW_NONE);
    for (size_t i = 0; i < d.count; i++) {
        struct buf *bytes = &d.files[i].bytes;
        size_t whole = bytes->len;
        bool note = strcmp(d.files[i].name, "log.durable") == 0;
        for (bytes->len = 0; bytes->len < whole && !note; bytes->len++) {
            struct seen s = look(&d);
            /* The first segment is not needed: the snapshot has what it has. */
            bool needed = strstr(d.files[i].name, "0000000001.vlog") == NULL;
            if (s.counts.damages == 0 && (needed || s.counts.notes == 0))
                test_fail(__FILE__, __LINE__, "%s, cut to %zu bytes: not found", d.files[i].name,
                          bytes->len);
        }
        bytes->len = whole;
    }
    data_folder_free(&d);
}

TEST(check, a_torn_tail_that_nothing_claims_is_no_damage)
{
    struct data_folder d;
    data_folder_make(&d, FLAW_NONE);
    struct data_file *last = data_folder_file(&d, "0000000003.vlog");
    REQUIRE(last != NULL);
    /* Without the note nothing says that the last record was durable. */
    buf_clear(&data_folder_file(&d, "log.durable")->bytes, SIZE_MAX);
    last->bytes.len -= 8;
    struct seen s = look(&d);
    EXPECT_EQ(s.counts.damages, 0);
    EXPECT_EQ(s.counts.notes, 1);
    EXPECT(strstr(s.text, "torn tail") != NULL);
    EXPECT_EQ(s.counts.last_lsn, 3);
    data_folder_free(&d);
}
