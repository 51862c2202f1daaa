/* Files of vectors: what is right is read, what is broken is said with file and place. */
#include "lib/test.h"
#include "tool/format.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/limits.h"

enum { MAX_ROWS = 8 };

/* What reading a file to its end gave. */
struct outcome {
    enum err e;
    struct why why;
    uint32_t dim;
    uint64_t count; /* as the source says it before the first row */
    size_t rows;
    float values[MAX_ROWS][4]; /* the first values of each row */
    char ids[MAX_ROWS][32];
    char attributes[MAX_ROWS][128];
};

static void keep_text(char *to, size_t size, struct slice text)
{
    size_t len = text.len < size - 1 ? text.len : size - 1;
    if (len > 0)
        memcpy(to, text.ptr, len);
    to[len] = '\0';
}

static void read_rows(struct source *s, struct outcome *o)
{
    struct row row;
    for (o->rows = 0;; o->rows++) {
        o->e = source_next(s, &row, &o->why);
        if (o->e != OK || row.vector == NULL)
            return;
        REQUIRE(o->rows < MAX_ROWS);
        memcpy(o->values[o->rows], row.vector, (s->dim < 4 ? s->dim : 4) * sizeof(float));
        keep_text(o->ids[o->rows], sizeof(o->ids[0]), row.id);
        keep_text(o->attributes[o->rows], sizeof(o->attributes[0]), row.attributes);
    }
}

/* Writes the bytes to a file and reads that. */
static void read_bytes(enum format format, const void *bytes, size_t len, struct outcome *o)
{
    char path[] = "/tmp/vdb-format-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0);
    REQUIRE(write(fd, bytes, len) == (ssize_t)len);
    (void)close(fd);
    struct source s;
    memset(o, 0, sizeof(*o));
    o->e = source_open(&s, path, format, NULL, &o->why);
    if (o->e == OK) {
        o->dim = s.dim;
        o->count = s.count;
        read_rows(&s, o);
        EXPECT(o->e != OK || source_fraction(&s) == 1);
        source_close(&s);
    }
    (void)unlink(path);
    EXPECT(o->e == OK || strstr(o->why.text, path) != NULL); /* the file is named */
}

static void expect_broken(enum format format, const void *bytes, size_t len, const char *reason)
{
    struct outcome o;
    read_bytes(format, bytes, len, &o);
    EXPECT(o.e != OK);
    if (strstr(o.why.text, reason) == NULL)
        test_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", o.why.text, reason);
}

static void read_lines(const char *text, struct outcome *o)
{
    read_bytes(FORMAT_JSONL, text, strlen(text), o);
}

static void expect_broken_line(const char *text, const char *reason)
{
    expect_broken(FORMAT_JSONL, text, strlen(text), reason);
}

struct fbin_2x3 {
    uint32_t count;
    uint32_t dim;
    float values[6];
};

static const struct fbin_2x3 fbin = {2, 3, {1, 2, 3, 4, 5, 6.5f}};

TEST(tool_format, fbin_gives_every_row)
{
    struct outcome o;
    read_bytes(FORMAT_FBIN, &fbin, sizeof(fbin), &o);
    EXPECT_EQ(o.e, OK);
    EXPECT_EQ(o.dim, 3);
    EXPECT_EQ(o.count, 2);
    EXPECT_EQ(o.rows, 2);
    EXPECT(o.values[0][0] == 1 && o.values[1][2] == 6.5f);
    EXPECT_STR(o.ids[0], "");
}

TEST(tool_format, fbin_of_no_rows_is_empty)
{
    static const uint32_t empty[] = {0, 3};
    struct outcome o;
    read_bytes(FORMAT_FBIN, empty, sizeof(empty), &o);
    EXPECT_EQ(o.e, OK);
    EXPECT_EQ(o.rows, 0);
}

TEST(tool_format, fbin_that_is_cut_anywhere_is_refused)
{
    for (size_t len = 0; len < sizeof(fbin); len++)
        expect_broken(FORMAT_FBIN, &fbin, len, len < 8 ? "offset" : "not what");
}

TEST(tool_format, fbin_with_bytes_behind_it_is_refused)
{
    uint8_t longer[sizeof(fbin) + 1] = {0};
    memcpy(longer, &fbin, sizeof(fbin));
    expect_broken(FORMAT_FBIN, longer, sizeof(longer), "2 vectors of 3 dimensions");
}

TEST(tool_format, dimensions_stay_within_the_limit)
{
    uint32_t header[] = {0, LIMIT_DIM};
    struct outcome o;
    read_bytes(FORMAT_FBIN, header, sizeof(header), &o);
    EXPECT_EQ(o.e, OK);
    header[1] = LIMIT_DIM + 1;
    expect_broken(FORMAT_FBIN, header, sizeof(header), "65537 dimensions");
    header[1] = 0;
    expect_broken(FORMAT_FBIN, header, sizeof(header), "0 dimensions");
}

struct fvecs_2x2 {
    uint32_t dim0;
    float values0[2];
    uint32_t dim1;
    float values1[2];
};

TEST(tool_format, fvecs_gives_every_row)
{
    static const struct fvecs_2x2 file = {2, {1, 2}, 2, {3, 4}};
    struct outcome o;
    read_bytes(FORMAT_FVECS, &file, sizeof(file), &o);
    EXPECT_EQ(o.e, OK);
    EXPECT_EQ(o.count, 2);
    EXPECT_EQ(o.rows, 2);
    EXPECT(o.values[0][1] == 2 && o.values[1][0] == 3);
}

TEST(tool_format, fvecs_names_the_offset_of_what_is_wrong)
{
    static const struct fvecs_2x2 mixed = {2, {1, 2}, 3, {3, 4}};
    expect_broken(FORMAT_FVECS, &mixed, sizeof(mixed), "offset 12: a vector of 3 dimensions");
    expect_broken(FORMAT_FVECS, &mixed, sizeof(mixed) - 1, "offset 12: the file ends within");
    expect_broken(FORMAT_FVECS, &mixed, 3, "within the first vector");
}

/* An npy file of version 1 with this header and these numbers; returns its size. */
static size_t make_npy(uint8_t *to, const char *header, const void *numbers, size_t size)
{
    size_t len = strlen(header);
    memcpy(to, "\x93NUMPY\x01\x00", 8);
    to[8] = (uint8_t)len;
    to[9] = (uint8_t)(len >> 8);
    memcpy(to + 10, header, len);
    memcpy(to + 10 + len, numbers, size);
    return 10 + len + size;
}

static const float four_floats[] = {1, 2, 3, 4};
static const double four_doubles[] = {1, 2, 3, 0.1};

TEST(tool_format, npy_gives_float32_and_float64)
{
    uint8_t file[512];
    struct outcome o;
    size_t len = make_npy(file, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }\n",
                          four_floats, sizeof(four_floats));
    read_bytes(FORMAT_NPY, file, len, &o);
    EXPECT_EQ(o.e, OK);
    EXPECT_EQ(o.dim, 2);
    EXPECT_EQ(o.rows, 2);
    EXPECT(o.values[1][0] == 3);
    len = make_npy(file, "{'shape': (1,4), 'fortran_order':False,'descr':'<f8'}", four_doubles,
                   sizeof(four_doubles));
    read_bytes(FORMAT_NPY, file, len, &o);
    EXPECT_EQ(o.rows, 1);
    EXPECT(o.values[0][3] == 0.1f);
}

TEST(tool_format, npy_version_2_has_a_longer_header_size)
{
    static const char header[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)}";
    uint8_t file[256] = "\x93NUMPY\x02\x00";
    struct outcome o;
    file[8] = sizeof(header) - 1;
    memcpy(file + 12, header, sizeof(header) - 1);
    memcpy(file + 11 + sizeof(header), four_floats, sizeof(four_floats));
    read_bytes(FORMAT_NPY, file, 11 + sizeof(header) + sizeof(four_floats), &o);
    EXPECT_EQ(o.e, OK);
    EXPECT_EQ(o.rows, 2);
    file[6] = 4;
    expect_broken(FORMAT_NPY, file, sizeof(file), "version 1, 2 or 3");
}

TEST(tool_format, npy_of_another_kind_says_what_would_be_read)
{
    static const struct {
        const char *header;
        const char *reason;
    } cases[] = {
        {"{'descr': '<i8', 'fortran_order': False, 'shape': (2, 2)}", "holds '<i8'"},
        {"{'descr': '>f4', 'fortran_order': False, 'shape': (2, 2)}", "holds '>f4'"},
        {"{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2)}", "ascontiguousarray"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (4,)}", "shape (4,)"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 2)}", "shape (1, 2, 2)"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}", "shape ()"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2)}", "3 vectors of 2"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551615, 2)}",
         "18446744073709551615 vectors"},
        {"{'descr': '<f4', 'shape': (2, 2)}", "lacks"},
        {"", "lacks"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t file[512];
        size_t len = make_npy(file, cases[i].header, four_floats, sizeof(four_floats));
        expect_broken(FORMAT_NPY, file, len, cases[i].reason);
    }
    expect_broken(FORMAT_NPY, "\x93NUMPX\x01\x00", 8, "no npy file");
    expect_broken(FORMAT_NPY, "\x93NUMPY\x01\x00\xff\x00{", 11, "within the header");
}

TEST(tool_format, jsonl_gives_id_vector_and_attributes)
{
    struct outcome o;
    read_lines("{\"id\":\"a b\", \"vector\":[1, -2.5e0,3]}\n"
               "\r\n"
               "{\"vector\":[4,5,6],\"id\":12,\"year\":1990,\"tags\":[\"x\",{\"y\":null}]}\n"
               "{\"attributes\":{\"p\":1.50},\"vector\":[7,8,9],\"q\":\"\\u00e9\"}",
               &o);
    EXPECT_EQ(o.e, OK);
    EXPECT_EQ(o.dim, 3);
    EXPECT_EQ(o.rows, 3);
    EXPECT(o.values[0][1] == -2.5f && o.values[2][2] == 9);
    EXPECT_STR(o.ids[0], "a b");
    EXPECT_STR(o.ids[1], "12");
    EXPECT_STR(o.ids[2], "");
    EXPECT_STR(o.attributes[0], "");
    EXPECT_STR(o.attributes[1], "{\"year\":1990,\"tags\":[\"x\",{\"y\":null}]}");
    EXPECT_STR(o.attributes[2], "{\"p\":1.50,\"q\":\"\\u00e9\"}");
}

TEST(tool_format, jsonl_ids_are_unescaped_to_utf8)
{
    struct outcome o;
    read_lines("{\"vector\":[1],\"id\":\"\\u00e9\\ud83d\\ude00\\n\\\"\\/\"}\n"
               "{\"vector\":[1],\"id\":\"\\ud83dx\"}\n"
               "{\"vector\":[1],\"id\":\"old\",\"id\":\"new\"}\n"
               "{\"vector\":[1],\"attributes\":{ }}\n",
               &o);
    EXPECT_EQ(o.e, OK);
    EXPECT_STR(o.ids[0], "\xc3\xa9\xf0\x9f\x98\x80\n\"/");
    EXPECT_STR(o.ids[1], "\xef\xbf\xbdx");
    EXPECT_STR(o.ids[2], "new");
    EXPECT_STR(o.attributes[3], "");
}

TEST(tool_format, jsonl_names_line_and_column)
{
    expect_broken_line("", "holds no line");
    expect_broken_line("\n \n", "holds no line");
    expect_broken_line("[1,2]", ":1: column 1: an object was expected");
    expect_broken_line("{\"vector\":[1,2]}\n{\"vector\":[1]}", ":2: column 14: not as many");
    expect_broken_line("{\"vector\":[1,2]}\n\n{\"vector\":[1,2,3]}", ":3: column 18: not as many");
    expect_broken_line("{\"vector\":[]}", "column 12: a number was expected");
    expect_broken_line("{\"vector\":[1,]}", "column 14: a number was expected");
    expect_broken_line("{\"vector\":[1,NaN]}", "column 14: a number was expected");
    expect_broken_line("{\"vector\":[01]}", "column 13: ',' or ']'");
    expect_broken_line("{\"vector\":\"x\"}", "must be a list of numbers");
    expect_broken_line("{\"id\":\"x\"}", ":1: the object has no \"vector\"");
    expect_broken_line("{\"vector\":[1],}", "column 15: a string was expected");
    expect_broken_line("{\"vector\":[1]} x", "nothing more was expected");
    expect_broken_line("{\"vector\":[1]", "'}' was expected");
    expect_broken_line("{\"vector\":[1],\"id\":[1]}", "\"id\" must be text or a number");
    expect_broken_line("{\"vector\":[1],\"attributes\":[1]}", "must be an object");
    expect_broken_line("{\"vector\":[1],\"a\":{\"b\":tru}}", "a value was expected");
    expect_broken_line("{\"vector\":[1],\"a\":[1 2]}", "',' or ']'");
    expect_broken_line("{\"vector\":[1],\"a\":\"\\x\"}", "no such escape");
    expect_broken_line("{\"vector\":[1],\"a\":\"\\u12g4\"}", "four hex digits");
}

TEST(tool_format, jsonl_nests_up_to_the_limit)
{
    char text[2 * LIMIT_JSON_DEPTH + 64];
    for (size_t depth = LIMIT_JSON_DEPTH; depth <= LIMIT_JSON_DEPTH + 1; depth++) {
        struct outcome o;
        size_t len = (size_t)snprintf(text, sizeof(text), "{\"vector\":[1],\"a\":");
        memset(text + len, '[', depth);
        memset(text + len + depth, ']', depth);
        text[len + 2 * depth] = '}';
        read_bytes(FORMAT_JSONL, text, len + 2 * depth + 1, &o);
        EXPECT_EQ(o.e, depth == LIMIT_JSON_DEPTH ? OK : ERR_CORRUPT);
    }
}

TEST(tool_format, a_missing_file_and_a_folder_are_named)
{
    struct source s;
    struct why why = {""};
    EXPECT_EQ(source_open(&s, "/tmp/vdb-no-such-file.fbin", FORMAT_FBIN, NULL, &why), ERR_IO);
    EXPECT(strstr(why.text, "vdb-no-such-file.fbin: No such file") != NULL);
    EXPECT_EQ(source_open(&s, "/tmp", FORMAT_FBIN, NULL, &why), ERR_IO);
}

TEST(tool_format, endings_name_formats)
{
    EXPECT_EQ(format_of_path("a/b.fbin"), FORMAT_FBIN);
    EXPECT_EQ(format_of_path("b.fvecs"), FORMAT_FVECS);
    EXPECT_EQ(format_of_path("b.npy"), FORMAT_NPY);
    EXPECT_EQ(format_of_path("b.jsonl"), FORMAT_JSONL);
    EXPECT_EQ(format_of_path("b.ndjson"), FORMAT_JSONL);
    EXPECT_EQ(format_of_path("b.csv"), FORMAT_COUNT);
    EXPECT_EQ(format_of_path("fbin"), FORMAT_COUNT);
}

TEST(tool_format, lines_end_with_or_without_a_line_break)
{
    char path[] = "/tmp/vdb-lines-XXXXXX";
    int fd = mkstemp(path);
    REQUIRE(fd >= 0 && write(fd, "a\r\n\nlast", 8) == 8);
    (void)close(fd);
    struct lines l;
    struct slice line;
    struct why why = {""};
    REQUIRE(lines_open(&l, path, &why) == OK);
    EXPECT(lines_next(&l, &line, &why) == OK && slice_eq(line, slice_of("a")));
    EXPECT(lines_next(&l, &line, &why) == OK && line.len == 0);
    EXPECT(lines_left(&l));
    EXPECT(lines_next(&l, &line, &why) == OK && slice_eq(line, slice_of("last")));
    EXPECT(!lines_left(&l));
    EXPECT_EQ(lines_next(&l, &line, &why), ERR_NOT_FOUND);
    EXPECT(strstr(why.text, "line 4 is missing") != NULL);
    lines_close(&l);
    (void)unlink(path);
}

TEST(tool_format, matrix_takes_no_more_than_the_limit)
{
    char path[] = "/tmp/vdb-matrix-XXXXXX.fbin";
    int fd = mkstemps(path, 5);
    REQUIRE(fd >= 0 && write(fd, &fbin, sizeof(fbin)) == (ssize_t)sizeof(fbin));
    (void)close(fd);
    struct matrix m;
    struct why why = {""};
    REQUIRE(matrix_load(&m, path, 1, &why) == OK);
    EXPECT_EQ(m.count, 1);
    EXPECT(matrix_row(&m, 0)[2] == 3);
    matrix_free(&m);
    (void)unlink(path);
    EXPECT_EQ(matrix_load(&m, "x.csv", 1, &why), ERR_ARG);
}
