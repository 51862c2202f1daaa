#include "net/resp_read.h"

#include "base/words.h"

enum {
    ARGS_CAPACITY_FIRST = 16,
    ARGS_CAPACITY_KEPT = 256, /* a larger vector is given back after its command */
    INLINE_TEXT_KEPT = 4096
};

void resp_reader_init(struct resp_reader *r, size_t arg_count_max, size_t bulk_size_max,
                      size_t inline_size_max)
{
    CHECK(r != NULL && arg_count_max > 0 && inline_size_max > 0);
    *r = (struct resp_reader){.arg_count_max = arg_count_max,
                              .bulk_size_max = bulk_size_max,
                              .inline_size_max = inline_size_max};
    buf_init(&r->inline_text, MEM_CLIENT);
}

static void free_args(struct resp_reader *r)
{
    mem_free(MEM_CLIENT, r->args);
    mem_free(MEM_CLIENT, r->offsets);
    r->args = NULL;
    r->offsets = NULL;
    r->args_capacity = 0;
}

void resp_reader_fini(struct resp_reader *r)
{
    free_args(r);
    buf_fini(&r->inline_text);
}

void resp_reader_next(struct resp_reader *r)
{
    CHECK(r->size > 0);
    if (r->args_capacity > ARGS_CAPACITY_KEPT)
        free_args(r);
    buf_clear(&r->inline_text, INLINE_TEXT_KEPT);
    r->arg_count = 0;
    r->size = 0;
    r->size_needed = 0;
    r->args_expected = 0;
    r->cursor = 0;
    r->scanned = 0;
    r->in_array = false;
    r->in_bulk = false;
}

struct resp_words resp_reader_take(struct resp_reader *r)
{
    struct resp_words words = {r->args, r->inline_text};
    CHECK(r->size > 0);
    r->args = NULL;
    free_args(r);
    buf_init(&r->inline_text, MEM_CLIENT);
    return words;
}

void resp_words_free(struct resp_words *words)
{
    mem_free(MEM_CLIENT, words->args);
    buf_fini(&words->text);
    words->args = NULL;
}

static enum resp_status broken(struct why *why, const char *text)
{
    (void)why_set(why, ERR_PROTOCOL, "Protocol error: %s", text);
    return RESP_BROKEN;
}

/* Room for one more argument. The vector follows what has arrived, not what was announced, so that
 * "*1000000" alone costs nothing. */
static bool reserve_arg(struct resp_reader *r)
{
    if (r->arg_count < r->args_capacity)
        return true;
    size_t capacity = r->args_capacity == 0 ? ARGS_CAPACITY_FIRST : r->args_capacity * 2;
    if (capacity < r->args_expected && r->args_expected <= 2 * capacity)
        capacity = r->args_expected;
    struct slice *args = mem_try_realloc(MEM_CLIENT, r->args, capacity * sizeof(*args));
    if (args == NULL)
        return false;
    r->args = args;
    size_t *offsets = mem_try_realloc(MEM_CLIENT, r->offsets, capacity * sizeof(*offsets));
    if (offsets == NULL)
        return false;
    r->offsets = offsets;
    r->args_capacity = capacity;
    return true;
}

enum line_status { LINE_MORE, LINE_WHOLE, LINE_TOO_LONG };

/* Finds the end of the line at the cursor, looking at each byte once over all calls. *size is the
 * length without the end mark. */
static enum line_status find_line(struct resp_reader *r, struct slice bytes, uint8_t mark,
                                  size_t *size)
{
    CHECK(r->cursor <= r->scanned && r->scanned <= bytes.len);
    size_t limit = bytes.len;
    if (limit - r->cursor > r->inline_size_max)
        limit = r->cursor + r->inline_size_max + 1;
    const uint8_t *end = NULL;
    if (limit > r->scanned)
        end = memchr(bytes.ptr + r->scanned, mark, limit - r->scanned);
    if (end != NULL) {
        *size = (size_t)(end - bytes.ptr) - r->cursor;
        r->scanned = r->cursor + *size;
        return LINE_WHOLE;
    }
    r->scanned = limit;
    return limit - r->cursor > r->inline_size_max ? LINE_TOO_LONG : LINE_MORE;
}

/* A line of an array: its kind ('*' or '$'), a decimal, CR and one more byte. As in Redis that byte
 * is not looked at. LINE_WHOLE moves the cursor behind it. */
static enum line_status read_head(struct resp_reader *r, struct slice bytes, struct slice *line)
{
    size_t size = 0;
    enum line_status status = find_line(r, bytes, '\r', &size);
    if (status != LINE_WHOLE)
        return status;
    if (bytes.len - r->cursor < size + 2)
        return LINE_MORE;
    *line = (struct slice){bytes.ptr + r->cursor, size};
    r->cursor += size + 2;
    r->scanned = r->cursor;
    return LINE_WHOLE;
}

static bool head_number(struct slice line, int64_t *out)
{
    CHECK(line.len > 0);
    return slice_to_i64((struct slice){line.ptr + 1, line.len - 1}, out);
}

/* A head whose number has a few digits, as nearly all have: read as it is looked at, without a
 * search for its end. False: it may be anything, and nothing has moved. */
static bool read_short_head(struct resp_reader *r, struct slice bytes, int64_t *number)
{
    enum { DIGITS_MAX = 4, REST = 2 /* CR LF */ };
    const uint8_t *digits = bytes.ptr + r->cursor + 1;
    int64_t value = 0;
    size_t count = 0;
    if (r->scanned != r->cursor || bytes.len - r->cursor < 1 + DIGITS_MAX + REST)
        return false;
    for (; count < DIGITS_MAX && (uint8_t)(digits[count] - '0') <= 9; count++)
        value = value * 10 + (digits[count] - '0');
    if (count == 0 || digits[count] != '\r' || (count > 1 && digits[0] == '0'))
        return false;
    *number = value;
    r->cursor += 1 + count + REST;
    r->scanned = r->cursor;
    return true;
}

/* Reads "*count". An array without elements (also "*-1") is an empty command. */
static enum resp_status read_array_head(struct resp_reader *r, struct slice bytes, struct why *why)
{
    int64_t count;
    if (!read_short_head(r, bytes, &count)) {
        struct slice line = {NULL, 0};
        switch (read_head(r, bytes, &line)) {
        case LINE_MORE:
            return RESP_MORE;
        case LINE_TOO_LONG:
            return broken(why, "too big mbulk count string");
        case LINE_WHOLE:
            break;
        }
        if (!head_number(line, &count))
            return broken(why, "invalid multibulk length");
    }
    if (count > 0 && (uint64_t)count > r->arg_count_max)
        return broken(why, r->unauthenticated ? "unauthenticated multibulk length"
                                              : "invalid multibulk length");
    r->args_expected = count > 0 ? (size_t)count : 0;
    r->in_array = true;
    return RESP_COMMAND;
}

/* Reads "$size" of any kind; RESP_COMMAND: *size is there. */
static enum resp_status read_long_head(struct resp_reader *r, struct slice bytes, int64_t *size,
                                       struct why *why)
{
    struct slice line = {NULL, 0};
    switch (read_head(r, bytes, &line)) {
    case LINE_MORE:
        return RESP_MORE;
    case LINE_TOO_LONG:
        return broken(why, "too big bulk count string");
    case LINE_WHOLE:
        break;
    }
    uint8_t kind = line.len > 0 ? line.ptr[0] : '\r';
    if (kind != '$') {
        bool printable = kind >= ' ' && kind <= '~';
        (void)why_set(why, ERR_PROTOCOL, "Protocol error: expected '$', got '%c'",
                      printable ? kind : ' ');
        return RESP_BROKEN;
    }
    bool fits = head_number(line, size) && *size >= 0;
    return fits ? RESP_COMMAND : broken(why, "invalid bulk length");
}

/* Reads "$size". */
static enum resp_status read_bulk_head(struct resp_reader *r, struct slice bytes, struct why *why)
{
    int64_t size;
    bool is_short = r->cursor < bytes.len && bytes.ptr[r->cursor] == '$' &&
                    read_short_head(r, bytes, &size);
    enum resp_status status = is_short ? RESP_COMMAND : read_long_head(r, bytes, &size, why);
    if (status != RESP_COMMAND)
        return status;
    if ((uint64_t)size > r->bulk_size_max)
        return broken(why,
                      r->unauthenticated ? "unauthenticated bulk length" : "invalid bulk length");
    r->bulk_size = (size_t)size;
    r->in_bulk = true;
    return RESP_COMMAND;
}

/* Reads one argument of an array; RESP_COMMAND means that it is there. */
static enum resp_status read_bulk(struct resp_reader *r, struct slice bytes, struct why *why)
{
    if (!r->in_bulk) {
        enum resp_status status = read_bulk_head(r, bytes, why);
        if (status != RESP_COMMAND)
            return status;
    }
    size_t whole = r->bulk_size + 2; /* and CR LF, which as in Redis are not looked at */
    if (bytes.len - r->cursor < whole) {
        r->size_needed = r->cursor + whole;
        return RESP_MORE;
    }
    if (!reserve_arg(r))
        return broken(why, "out of memory for the arguments");
    r->args[r->arg_count].len = r->bulk_size;
    r->offsets[r->arg_count] = r->cursor;
    r->arg_count++;
    r->cursor += whole;
    r->scanned = r->cursor;
    r->in_bulk = false;
    r->size_needed = 0;
    return RESP_COMMAND;
}

static enum resp_status read_array(struct resp_reader *r, struct slice bytes, struct why *why)
{
    if (!r->in_array) {
        enum resp_status status = read_array_head(r, bytes, why);
        if (status != RESP_COMMAND)
            return status;
    }
    while (r->arg_count < r->args_expected) {
        enum resp_status status = read_bulk(r, bytes, why);
        if (status != RESP_COMMAND)
            return status;
    }
    /* Only now: the buffer may have moved while the pieces came. */
    for (size_t i = 0; i < r->arg_count; i++)
        r->args[i].ptr = bytes.ptr + r->offsets[i];
    r->size = r->cursor;
    return RESP_COMMAND;
}

/* A browser that was led to this port by somebody else's page sends HTTP; answering it would let
 * the page run commands (cross-protocol scripting). */
static bool is_http(struct slice word)
{
    return slice_eq_nocase(word, "post") || slice_eq_nocase(word, "host:");
}

static enum resp_status split_inline(struct resp_reader *r, struct slice line, struct why *why)
{
    uint8_t *spare = NULL;
    if (words_has_quotes(line)) {
        spare = buf_reserve(&r->inline_text, line.len);
        if (spare == NULL)
            return broken(why, "out of memory for the arguments");
    }
    struct slice word;
    enum words_status status;
    while ((status = words_next(&line, &spare, &word)) == WORDS_WORD) {
        if (!reserve_arg(r))
            return broken(why, "out of memory for the arguments");
        r->args[r->arg_count++] = word;
    }
    if (status == WORDS_UNBALANCED)
        return broken(why, "unbalanced quotes in request");
    if (r->arg_count > 0 && is_http(r->args[0]))
        return broken(why, "this is a Redis protocol port, not HTTP (possible cross-protocol "
                           "attack)");
    return RESP_COMMAND;
}

static enum resp_status read_inline(struct resp_reader *r, struct slice bytes, struct why *why)
{
    size_t size = 0;
    switch (find_line(r, bytes, '\n', &size)) {
    case LINE_MORE:
        return RESP_MORE;
    case LINE_TOO_LONG:
        return broken(why, "too big inline request");
    case LINE_WHOLE:
        break;
    }
    bool has_cr = size > 0 && bytes.ptr[size - 1] == '\r';
    struct slice line = {bytes.ptr, has_cr ? size - 1 : size};
    enum resp_status status = split_inline(r, line, why);
    if (status == RESP_COMMAND)
        r->size = size + 1;
    return status;
}

enum resp_status resp_read(struct resp_reader *r, struct slice bytes, struct why *why)
{
    CHECK(r->size == 0); /* else resp_reader_next was forgotten */
    CHECK(r->scanned <= bytes.len);
    if (bytes.len == 0)
        return RESP_MORE;
    return bytes.ptr[0] == '*' ? read_array(r, bytes, why) : read_inline(r, bytes, why);
}
