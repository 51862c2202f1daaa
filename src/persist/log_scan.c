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

/* How far the log was found to reach. */
struct reach {
    uint64_t last_lsn;
    uint32_t crc; /* of that record, when chained */
    bool chained; /* it is what was read last */
    bool over;    /* what stands behind it is damaged */
};

/* Damage that costs nothing, as in a recovery: the first record that is wanted may stand behind. */
static enum err pass_damage(struct log_scan *s, struct reach *reach, bool *found, struct why *why)
{
    uint64_t at = s->cursor.offset;
    enum err e = log_file_find(s->file, s->segment->head.salt, reach->last_lsn + 1, at, &s->cursor);
    *found = e == OK;
    reach->chained = false;
    buf_clear(&s->window, SIZE_MAX);
    s->window_at = s->cursor.offset;
    return e == OK || e == ERR_NOT_FOUND ? OK : why_set(why, e, "cannot be read: %s", err_text(e));
}

static enum err reach_through(struct io *io, const char *dir, const struct log_file *f,
                              struct reach *reach, struct why *why)
{
    struct log_scan scan;
    struct log_record record;
    enum log_step step = LOG_RECORD;
    bool more = true;
    enum err e = log_scan_open(&scan, io, dir, f, why);
    while (e == OK && more) {
        e = log_scan_next(&scan, &record, &step, why);
        more = e == OK && step == LOG_RECORD;
        if (more) {
            reach->last_lsn = record.lsn > reach->last_lsn ? record.lsn : reach->last_lsn;
            reach->crc = record.crc;
            reach->chained = true;
        } else if (e == OK && step == LOG_DAMAGED && scan.cursor.lsn <= reach->last_lsn) {
            e = pass_damage(&scan, reach, &more, why);
            step = LOG_END;
        }
    }
    reach->over = step != LOG_END;
    log_scan_close(&scan);
    return e;
}

enum err log_scan_reach(struct io *io, const char *dir, uint64_t after_lsn, uint64_t *last_lsn,
                        struct why *why)
{
    struct log_files files;
    struct reach reach = {.last_lsn = after_lsn};
    enum err e = log_files_read(io, dir, &files, why);
    if (e == OK && files.count == 0)
        e = why_set(why, ERR_NOT_FOUND, "there is no log");
    for (size_t i = 0; i < files.count && e == OK && !reach.over; i++) {
        const struct log_file *f = &files.list[i];
        uint64_t wanted = reach.last_lsn + 1;
        if (!log_file_counts(f) || f->limit_lsn <= wanted)
            continue;
        if (f->first_lsn > wanted ||
            (f->first_lsn == wanted && reach.chained && f->head.previous_crc != reach.crc))
            break;
        e = reach_through(io, dir, f, &reach, why);
    }
    *last_lsn = reach.last_lsn;
    log_files_free(&files);
    return e;
}
