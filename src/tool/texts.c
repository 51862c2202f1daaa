#include "tool/texts.h"

void texts_init(struct texts *t)
{
    buf_init(&t->bytes, MEM_CLIENT);
    buf_init(&t->ends, MEM_CLIENT);
}

void texts_fini(struct texts *t)
{
    buf_fini(&t->bytes);
    buf_fini(&t->ends);
}

void texts_clear(struct texts *t)
{
    buf_clear(&t->bytes, SIZE_MAX);
    buf_clear(&t->ends, SIZE_MAX);
}

void texts_add(struct texts *t, struct slice text)
{
    buf_append_slice(&t->bytes, text);
    buf_append(&t->ends, &t->bytes.len, sizeof(t->bytes.len));
}

bool texts_failed(const struct texts *t)
{
    return buf_failed(&t->bytes) || buf_failed(&t->ends);
}

size_t texts_count(const struct texts *t)
{
    CHECK(t->ends.len % sizeof(size_t) == 0);
    return t->ends.len / sizeof(size_t);
}

struct slice texts_at(const struct texts *t, size_t index)
{
    CHECK(index < texts_count(t));
    const size_t *ends = (const size_t *)(const void *)t->ends.ptr;
    size_t start = index == 0 ? 0 : ends[index - 1];
    CHECK(start <= ends[index] && ends[index] <= t->bytes.len);
    return (struct slice){t->bytes.len == 0 ? NULL : t->bytes.ptr + start, ends[index] - start};
}
