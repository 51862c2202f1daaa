/* wire_request.c: commands as arrays of bulk strings. */
#include "bench/wire_request.h"

#include <stdio.h>

static void put_array(struct buf *out, size_t count)
{
    buf_printf(out, "*%zu\r\n", count);
}

static void put_bulk(struct buf *out, struct slice s)
{
    buf_printf(out, "$%zu\r\n", s.len);
    buf_append_slice(out, s);
    buf_append(out, "\r\n", 2);
}

static void put_text(struct buf *out, const char *text)
{
    put_bulk(out, slice_of(text));
}

static void put_number(struct buf *out, uint64_t number)
{
    char text[24];
    int len = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    put_bulk(out, (struct slice){(const uint8_t *)text, (size_t)len});
}

/* The words of text, cut at blanks; returns how many. */
static size_t split(const char *text, struct slice words[EFFORT_WORDS_MAX])
{
    size_t count = 0;
    for (const char *at = text; *at != 0;) {
        size_t len = strcspn(at, " ");
        if (len > 0) {
            CHECK(count < EFFORT_WORDS_MAX);
            words[count++] = (struct slice){(const uint8_t *)at, len};
        }
        at += len + (at[len] == ' ');
    }
    return count;
}

void wire_put_ping(struct buf *out)
{
    buf_append_text(out, "*1\r\n$4\r\nPING\r\n");
}

void wire_put_save(struct buf *out)
{
    buf_append_text(out, "*1\r\n$4\r\nSAVE\r\n");
}

void wire_put_search(struct buf *out, const char *key, struct slice vector, unsigned count,
                     const char *effort)
{
    struct slice words[EFFORT_WORDS_MAX];
    size_t word_count = split(effort, words);
    put_array(out, 6 + word_count);
    put_text(out, "VSEARCH");
    put_text(out, key);
    put_text(out, "FP32");
    put_bulk(out, vector);
    put_text(out, "COUNT");
    put_number(out, count);
    for (size_t i = 0; i < word_count; i++)
        put_bulk(out, words[i]);
}

void wire_put_add(struct buf *out, const char *key, struct slice vector, uint64_t id)
{
    put_array(out, 5);
    put_text(out, "VADD");
    put_text(out, key);
    put_text(out, "FP32");
    put_bulk(out, vector);
    put_number(out, id);
}

void wire_put_add_many(struct buf *out, const char *key, struct slice vectors, uint64_t first,
                       size_t count)
{
    put_array(out, 5 + count);
    put_text(out, "VMADD");
    put_text(out, key);
    put_text(out, "FP32");
    put_number(out, count);
    for (size_t i = 0; i < count; i++)
        put_number(out, first + i);
    put_bulk(out, vectors);
}

void wire_put_create(struct buf *out, const char *key, unsigned dim, const char *metric)
{
    put_array(out, 6);
    put_text(out, "VCREATE");
    put_text(out, key);
    put_text(out, "DIM");
    put_number(out, dim);
    put_text(out, "METRIC");
    put_text(out, metric);
}
