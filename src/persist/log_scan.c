#include "persist/log_scan.h"

enum { WINDOW_SIZE = 1024 * 1024 };

enum err log_scan_open(struct log_scan *s, struct io *io, const char *dir,
                       const struct log_file *segment, struct why *why)
{
    CHECK(log_file_counts(segment));
    *s = (struct log_scan){.segment = segment,
                           .cursor = log_cursor_start(&segment->head),
                           .window = BUF_INIT(MEM_LOG)};
    s->window_at = s->offset = s->cursor.offset;
    return log_file_open(io, dir, segment, IO_READ, &s->file, why);
}

void log_scan_close(struct log_scan *s)
{
    if (s->file != NULL)
        s->file->io->ops->file_close(s->file);
    s->file = NULL;
    buf_fini(&s->window);
}

/* Reads size bytes or more from the cursor on. */
static enum err fill(struct log_scan *s, size_t size, bool *to_end, struct why *why)
{
    size_t got = 0;
    if (size < WINDOW_SIZE)
        size = WINDOW_SIZE;
    buf_clear(&s->window, SIZE_MAX);
    uint8_t *to = buf_reserve(&s->window, size);
    if (to == NULL)
        return why_set(why, ERR_NOMEM, "no memory for a record of %zu bytes", size);
    enum err e = s->file->io->ops->file_read(s->file, s->cursor.offset, to, size, &got);
    if (e != OK)
        return why_set(why, e, "cannot be read: %s", err_text(e));
    buf_advance(&s->window, got);
    s->window_at = s->cursor.offset;
    *to_end = got < size;
    return OK;
}

enum err log_scan_next(struct log_scan *s, struct log_record *out, enum log_step *step,
                       struct why *why)
{
    size_t used = (size_t)(s->cursor.offset - s->window_at), need = 0;
    struct slice rest = {s->window.ptr + used, s->window.len - used};
    bool to_end = false;
    s->offset = s->cursor.offset;
    *step = LOG_END;
    if (s->cursor.lsn >= s->segment->limit_lsn)
        return OK;
    if (rest.len > 0)
        *step = log_cursor_next(&s->cursor, rest, false, out, &need, why);
    else
        *step = LOG_MORE;
    while (*step == LOG_MORE) {
        enum err e = fill(s, need, &to_end, why);
        if (e != OK)
            return e;
        *step = log_cursor_next(&s->cursor, buf_slice(&s->window), to_end, out, &need, why);
    }
    return OK;
}
