#include "base/mem.h"
#include "lib/test.h"
#include "tool/base64.h"

/* RFC 4648, section 10, and bytes that are no text. */
static const struct {
    const char *bytes;
    size_t size;
    const char *text;
} pairs[] = {
    {"", 0, ""},
    {"f", 1, "Zg=="},
    {"fo", 2, "Zm8="},
    {"foo", 3, "Zm9v"},
    {"foob", 4, "Zm9vYg=="},
    {"fooba", 5, "Zm9vYmE="},
    {"foobar", 6, "Zm9vYmFy"},
    {"\xff\xfe\x00\xfb", 4, "//4A+w=="},
};

TEST(tool_base64, both_ways)
{
    for (size_t i = 0; i < COUNT_OF(pairs); i++) {
        struct buf text = BUF_INIT(MEM_TEST), bytes = BUF_INIT(MEM_TEST);
        base64_encode((struct slice){(const uint8_t *)pairs[i].bytes, pairs[i].size}, &text);
        EXPECT(slice_eq(buf_slice(&text), slice_of(pairs[i].text)));
        EXPECT(base64_decode(buf_slice(&text), &bytes));
        EXPECT(slice_eq(buf_slice(&bytes),
                        (struct slice){(const uint8_t *)pairs[i].bytes, pairs[i].size}));
        buf_fini(&text);
        buf_fini(&bytes);
    }
}

TEST(tool_base64, refuses_what_it_does_not_write)
{
    static const char *const wrong[] = {
        "Z", "Zg", "Zg=", "Zh==", "Zm9=", "====", "Zg==Zg==", "Z===", "Zm 9", "Zm9v\n", "Zm-_"};
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct buf bytes = BUF_INIT(MEM_TEST);
        if (base64_decode(slice_of(wrong[i]), &bytes))
            test_fail(__FILE__, __LINE__, "\"%s\" was read", wrong[i]);
        buf_fini(&bytes);
    }
}
