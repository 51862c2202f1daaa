/* fuzz_expr.c: no expression crashes the reader or the evaluation, and what compiles gives the same
 * twice. An input is an expression; it sees a number, texts, a list, NULL and a property that is
 * not there. */
#include <stddef.h>
#include <stdint.h>

#include "ft/expr.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { COLUMNS = 6 };

/* Any name means a column: by its first byte. */
static enum err column_of(void *user, struct slice name, uint32_t *column, struct why *why)
{
    (void)user;
    (void)why;
    CHECK(name.len > 0);
    *column = name.ptr[0] % COLUMNS;
    return OK;
}

static enum err evaluate(const struct expr *e, const struct value *row, struct arena *arena,
                         struct value *out)
{
    struct why why = {""};
    enum err r = expr_eval(e, row, arena, out, &why);
    CHECK(r == OK || r == ERR_LIMIT || (r == ERR_ARG && why.text[0] != '\0'));
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const struct value items[] = {value_number(2), value_of(slice_of("y"))};
    const struct value row[COLUMNS] = {
        value_number(1517417144),
        value_of(slice_of("10")),
        value_of(slice_of("Foo, bar")),
        {.kind = VALUE_LIST, .size = COUNT_OF(items), .items = items},
        {.kind = VALUE_NONE},
        {.kind = VALUE_NULL},
    };
    struct expr *e;
    struct why why = {""};
    struct arena arena;
    struct value first = {.kind = VALUE_NULL}, second = {.kind = VALUE_NULL};
    enum err r = expr_compile((struct slice){bytes, len}, column_of, NULL, &e, &why);
    CHECK((r == OK) == (e != NULL) && (r == OK || why.text[0] != '\0'));
    if (r != OK)
        return 0;
    arena_init(&arena, 16 << 20);
    r = evaluate(e, row, &arena, &first);
    if (r != ERR_LIMIT && evaluate(e, row, &arena, &second) != ERR_LIMIT)
        CHECK(value_same(&first, &second));
    arena_fini(&arena);
    expr_free(e);
    return 0;
}
