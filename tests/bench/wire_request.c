/* wire_request.c: commands as arrays of bulk strings. */
#include "bench/wire_request.h"

#include <stdio.h>
#include <string.h>

#include "bench/wire_docs.h"

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

void wire_put_add_doc(struct buf *out, const char *key, struct slice vector, uint64_t id)
{
    char attribute[DOCS_TEXT_SIZE];
    (void)snprintf(attribute, sizeof attribute, "{\"cat\":\"%s\",\"n\":%u}", docs_tag(id),
                   docs_number(id));
    put_array(out, 7);
    put_text(out, "VADD");
    put_text(out, key);
    put_text(out, "FP32");
    put_bulk(out, vector);
    put_number(out, id);
    put_text(out, "SETATTR");
    put_text(out, attribute);
}

void wire_put_hset_doc(struct buf *out, const char *key, struct slice vector, uint64_t id)
{
    char name[DOCS_TEXT_SIZE];
    (void)snprintf(name, sizeof name, "%s:%llu", key, (unsigned long long)id);
    put_array(out, 8);
    put_text(out, "HSET");
    put_text(out, name);
    put_text(out, "cat");
    put_text(out, docs_tag(id));
    put_text(out, "n");
    put_number(out, docs_number(id));
    put_text(out, "v");
    put_bulk(out, vector);
}

void wire_put_ft_search(struct buf *out, const char *index, const char *filter, const char *effort,
                        struct slice vector, unsigned count, const char *shows)
{
    char query[2 * DOCS_TEXT_SIZE + 64];
    bool keys = strcmp(shows, "keys") == 0, distance = strcmp(shows, "distance") == 0;
    (void)snprintf(query, sizeof query, "%s=>[KNN %u @v $q %s AS d]", filter, count, effort);
    put_array(out, 9u + (keys ? 1 : distance ? 3 : 0));
    put_text(out, "FT.SEARCH");
    put_text(out, index);
    put_text(out, query);
    if (keys)
        put_text(out, "NOCONTENT");
    for (size_t i = 0; distance && i < 3; i++)
        put_text(out, (const char *[]){"RETURN", "1", "d"}[i]);
    put_text(out, "DIALECT");
    put_text(out, "2");
    put_text(out, "PARAMS");
    put_text(out, "2");
    put_text(out, "q");
    put_bulk(out, vector);
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
