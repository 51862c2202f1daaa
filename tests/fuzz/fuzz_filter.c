/* fuzz_filter.c: no expression and no attribute crash a filter, and `not` and `or` keep their
 * promise.
 *
 * An input is an expression, a NUL and JSON text. $p and $s are given. */
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "db/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* before text after, compiled; NULL when that does not compile. */
static struct filter *compile_between(const char *before, struct slice text, const char *after)
{
    struct filter_param params[] = {{slice_of("p"), slice_of("12"), NULL},
                                    {slice_of("s"), slice_of("a*"), NULL}};
    struct buf expression = BUF_INIT(MEM_TEST);
    buf_append_text(&expression, before);
    buf_append_slice(&expression, text);
    buf_append_text(&expression, after);
    CHECK(!buf_failed(&expression));
    struct filter *f = NULL;
    struct why why = {""};
    enum err e = filter_compile(buf_slice(&expression), params, COUNT_OF(params), &f, &why);
    CHECK(e == OK || e == ERR_SYNTAX || e == ERR_LIMIT || e == ERR_ARG);
    CHECK((e == OK) == (f != NULL) && (e == OK || why.text[0] != '\0'));
    buf_fini(&expression);
    return f;
}

/* Where the attribute can be read `1 or (x)` matches; there exactly one of (x) and not (x) matches,
 * and elsewhere neither. */
static void check_match(struct slice text, const struct filter *plain, struct slice json)
{
    struct filter *negated = compile_between("not (", text, ")");
    struct filter *either = compile_between("1 or (", text, ")");
    bool matches = filter_match(plain, json);
    CHECK(matches == filter_match(plain, json));
    if (negated != NULL && either != NULL) {
        bool readable = filter_match(either, json);
        CHECK(filter_match(negated, json) == (readable && !matches));
        CHECK(readable || !matches);
    }
    filter_free(negated);
    filter_free(either);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const uint8_t *nul = len > 0 ? memchr(bytes, '\0', len) : NULL;
    struct slice text = {bytes, nul == NULL ? len : (size_t)(nul - bytes)};
    struct slice json = {bytes + len, 0};
    if (nul != NULL)
        json = (struct slice){nul + 1, len - text.len - 1};
    struct filter *plain = compile_between("", text, "");
    if (plain != NULL)
        check_match(text, plain, json);
    filter_free(plain);
    return 0;
}
