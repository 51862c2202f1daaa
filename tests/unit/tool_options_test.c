/* The command line of the tool: what is meant is read, what is wrong is named. */
#include "lib/test.h"
#include "tool/options.h"

#include "tool/client.h"
#include "tool/progress.h"
#include "tool/search.h"

struct settings {
    bool flag;
    const char *text;
    uint32_t number;
    uint32_t choice;
    struct number_list list;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option options[] = {
    {"verbose", OPTION_FLAG, "", "", FIELD(flag), 0, 0},
    {"auth", OPTION_TEXT, "PASSWORD", "", FIELD(text), 0, 0},
    {"port", OPTION_NUMBER, "N", "", FIELD(number), 1, 65535},
    {"metric", OPTION_CHOICE, "COSINE|L2|IP", "", FIELD(choice), 0, 0},
    {"ef", OPTION_LIST, "N,N", "", FIELD(list), 1, 1000},
};

static const char *operands[2];
static const struct option_table table = {options, COUNT_OF(options), operands, 2};

/* The words of line, split at blanks. */
static enum err parse(const char *line, struct settings *set, size_t *count, struct why *why)
{
    static char text[1024];
    char *words[16];
    int n = 0;
    (void)snprintf(text, sizeof(text), "%s", line);
    for (char *at = text; *at != '\0';) {
        words[n++] = at;
        at += strcspn(at, " ");
        if (*at == ' ')
            *at++ = '\0';
    }
    *set = (struct settings){.number = 6379, .choice = 99};
    *why = (struct why){""};
    return options_parse(&table, n, words, set, count, why);
}

static void expect_refused(const char *line, const char *reason)
{
    struct settings set;
    struct why why;
    size_t count;
    EXPECT_EQ(parse(line, &set, &count, &why), ERR_ARG);
    if (strstr(why.text, reason) == NULL)
        test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", why.text, reason);
}

TEST(tool_options, every_kind_is_read)
{
    struct settings set;
    struct why why;
    size_t count;
    EXPECT_EQ(
        parse("a --verbose --auth x --port=7000 --metric l2 b --ef 10,20,1000", &set, &count, &why),
        OK);
    EXPECT(set.flag);
    EXPECT_STR(set.text, "x");
    EXPECT_EQ(set.number, 7000);
    EXPECT_EQ(set.choice, 1);
    EXPECT_EQ(set.list.count, 3);
    EXPECT_EQ(set.list.values[2], 1000);
    EXPECT_EQ(count, 2);
    EXPECT_STR(operands[0], "a");
    EXPECT_STR(operands[1], "b");
}

TEST(tool_options, defaults_stay_where_nothing_is_said)
{
    struct settings set;
    struct why why;
    size_t count;
    EXPECT_EQ(parse("", &set, &count, &why), OK);
    EXPECT_EQ(set.number, 6379);
    EXPECT_EQ(count, 0);
}

TEST(tool_options, short_forms_and_the_end_of_options_are_known)
{
    struct settings set;
    struct why why;
    size_t count;
    EXPECT_EQ(parse("-p 1 -a secret -- --port", &set, &count, &why), OK);
    EXPECT_EQ(set.number, 1);
    EXPECT_STR(set.text, "secret");
    EXPECT_STR(operands[0], "--port");
}

TEST(tool_options, an_unknown_option_says_which_was_meant)
{
    expect_refused("--prot 1", "unknown option --prot: did you mean --port?");
    expect_refused("--fe 1", "unknown option --fe: did you mean --ef?");
    expect_refused("--metrics L2", "did you mean --metric?");
    expect_refused("--verb", "did you mean --verbose?");
    expect_refused("--quantization x", "unknown option --quantization");
    expect_refused("-x", "unknown option");
}

TEST(tool_options, values_are_bounded_and_named)
{
    struct settings set;
    struct why why;
    size_t count;
    expect_refused("--port 0", "--port: \"0\" is no number from 1 to 65535");
    expect_refused("--port 65536", "--port");
    expect_refused("--port -1", "--port");
    expect_refused("--port 1x", "--port");
    expect_refused("--port", "--port needs a value: N");
    expect_refused("--ef 10,,20", "--ef");
    expect_refused("--ef 10,", "--ef");
    expect_refused("--ef 1001", "1 to 1000");
    expect_refused("--metric cos", "is none of COSINE|L2|IP");
    expect_refused("--verbose=yes", "takes no value");
    expect_refused("a b c", "\"c\" is one word too many");
    EXPECT_EQ(parse("--port 65535 --ef 1", &set, &count, &why), OK);
}

TEST(tool_options, a_list_has_room_for_its_limit)
{
    char line[512];
    struct settings set;
    struct why why;
    size_t count, len = (size_t)snprintf(line, sizeof(line), "--ef 1");
    for (size_t i = 1; i < NUMBER_LIST_MAX; i++)
        len += (size_t)snprintf(line + len, sizeof(line) - len, ",1");
    EXPECT_EQ(parse(line, &set, &count, &why), OK);
    EXPECT_EQ(set.list.count, NUMBER_LIST_MAX);
    (void)snprintf(line + len, sizeof(line) - len, ",1");
    expect_refused(line, "more than 32 numbers");
}

TEST(tool_progress, the_line_tells_share_rate_and_time_left)
{
    char line[PROGRESS_LINE_MAX];
    progress_line(line, "words", 250000, 0.25, 125000);
    EXPECT_STR(line, "words  [######..................]  25 %  250,000  125,000/s  6 s left");
    progress_line(line, "words", 1000, 1, 2000);
    EXPECT_STR(line, "words  [########################] 100 %  1,000  2,000/s  0 s left");
    progress_line(line, "words", 1234567, -1, 1234567);
    EXPECT_STR(line, "words  1,234,567  1,234,567/s");
    progress_line(line, "words", 60, 0.01, 1);
    EXPECT(strstr(line, "99 min left") != NULL);
    progress_line(line, "words", 0, 0, 0);
    EXPECT_STR(line, "words  [........................]   0 %  0  0/s  ");
}

TEST(tool_progress, counts_are_grouped_by_thousands)
{
    char text[COUNT_TEXT_MAX];
    EXPECT_STR(count_text(0, text), "0");
    EXPECT_STR(count_text(999, text), "999");
    EXPECT_STR(count_text(1000, text), "1,000");
    EXPECT_STR(count_text(UINT64_MAX, text), "18,446,744,073,709,551,615");
}

TEST(tool_search, percentiles_are_nearest_ranks)
{
    static const float sorted[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    EXPECT(percentile(sorted, 10, 0.5) == 5);
    EXPECT(percentile(sorted, 10, 0.95) == 10);
    EXPECT(percentile(sorted, 10, 0.9) == 9);
    EXPECT(percentile(sorted, 10, 0) == 1);
    EXPECT(percentile(sorted, 1, 0.99) == 1);
}

TEST(tool_client, words_are_counted_as_they_are_sent)
{
    EXPECT_EQ(count_words(""), 0);
    EXPECT_EQ(count_words("  "), 0);
    EXPECT_EQ(count_words("QUANT NONE"), 2);
    EXPECT_EQ(count_words("  M   32 "), 2);
}

TEST(tool_texts, texts_come_back_in_their_order)
{
    struct texts t;
    texts_init(&t);
    texts_add(&t, slice_of("one"));
    texts_add(&t, (struct slice){NULL, 0});
    texts_add(&t, (struct slice){(const uint8_t *)"a\0b", 3});
    EXPECT_EQ(texts_count(&t), 3);
    EXPECT(slice_eq(texts_at(&t, 0), slice_of("one")));
    EXPECT_EQ(texts_at(&t, 1).len, 0);
    EXPECT(slice_eq(texts_at(&t, 2), (struct slice){(const uint8_t *)"a\0b", 3}));
    texts_clear(&t);
    EXPECT_EQ(texts_count(&t), 0);
    texts_fini(&t);
}
