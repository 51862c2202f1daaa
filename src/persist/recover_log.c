#include "persist/recover_log.h"

#include <inttypes.h>

#include "base/plant.h"
#include "persist/recover_cut.h"

enum {
    WINDOW_SIZE = 2 * 1024 * 1024,
    SLICE_US = 400,       /* of the loop's time at once */
    SLICE_RECORDS = 1000, /* or so many records, for a clock that stands still */
    CLOCK_RECORDS = 16,   /* records between two looks at the clock */
    MISFITS_SAID = 20     /* each in a line of its own */
};

static struct recover_log *recover_of(struct job *job)
{
    return (struct recover_log *)((char *)job - offsetof(struct recover_log, job));
}

static const struct log_file *file_at(const struct recover_log *r)
{
    CHECK(r->at < r->files.count);
    return &r->files.list[r->at];
}

static struct log_record *records_of(const struct recover_log *r, size_t *count)
{
    *count = r->records.len / sizeof(struct log_record);
    return (struct log_record *)(void *)r->records.ptr;
}

/* -- on the lane: listing ---------------------------------------------------------------------- */

static void on_name(void *user, const char *name)
{
    struct recover_log *r = user;
    uint64_t lsn;
    if (!load_aside_name_parse(name, &lsn))
        return;
    r->aside = mem_realloc(MEM_LOG, r->aside, (r->aside_count + 1) * sizeof(*r->aside));
    r->aside[r->aside_count++] = lsn;
}

static enum err list(struct recover_log *r)
{
    enum err e = log_files_read(r->io, r->options.dir, &r->files, &r->why);
    if (e == OK)
        e = r->io->ops->list_dir(r->io, r->options.dir, on_name, r);
    if (e == OK)
        e = load_mark_read(r->io, r->options.dir, &r->before, &r->why);
    if (e == OK)
        e = load_mark_open(r->io, r->options.dir, &r->mark_file, &r->why);
    return e;
}

/* -- on the lane: reading ---------------------------------------------------------------------- */

/* Fills the window with size bytes from the cursor on, or what there is. */
static enum err fill(struct recover_log *r, size_t size, bool *to_end)
{
    size_t got;
    buf_clear(&r->window, SIZE_MAX);
    uint8_t *to = buf_reserve(&r->window, size);
    if (to == NULL)
        return why_set(&r->why, ERR_NOMEM, "no memory for a record of %zu bytes", size);
    enum err e = r->io->ops->file_read(r->file, r->cursor.offset, to, size, &got);
    if (e != OK)
        return recover_why(r, e, r->at, r->cursor.offset, err_text(e));
    buf_advance(&r->window, got);
    *to_end = got < size;
    return OK;
}

/* Verifies what the window holds. Returns how many bytes the next record needs when that is more
 * than the window has, and no record came before it; 0 otherwise. */
static size_t parse(struct recover_log *r, bool to_end)
{
    size_t used = 0, need = 0;
    struct log_file *f = &r->files.list[r->at];
    uint64_t noted = r->files.has_note ? r->files.note.durable_lsn : 0;
    buf_clear(&r->records, SIZE_MAX);
    for (;;) {
        struct slice rest = {r->window.ptr + used, r->window.len - used};
        struct log_record record;
        uint64_t before = r->cursor.offset;
        r->step = r->cursor.lsn >= f->limit_lsn
                      ? LOG_END
                      : log_cursor_next(&r->cursor, rest, to_end, &record, &need, &r->cut_why);
        if (r->step != LOG_RECORD)
            break;
        used += r->cursor.offset - before;
        buf_append(&r->records, &record, sizeof(record));
        if (record.lsn <= noted)
            f->sure_offset = r->cursor.offset;
    }
    if (PLANTED(PLANT_LAST_RECORD) && r->step == LOG_END && r->at + 1 == r->files.count &&
        r->records.len > 0)
        r->records.len -= sizeof(struct log_record);
    return r->step == LOG_MORE && used == 0 ? need : 0;
}

static enum err read_window(struct recover_log *r)
{
    size_t size = WINDOW_SIZE;
    bool to_end = false;
    enum err e = OK;
    r->next = 0;
    r->window_at = r->cursor.offset;
    if (r->file == NULL)
        e = log_file_open(r->io, r->options.dir, file_at(r), IO_READ, &r->file, &r->why);
    while (e == OK && size > 0) {
        e = fill(r, size, &to_end);
        if (e == OK)
            size = parse(r, to_end);
    }
    return e == OK && buf_failed(&r->records) ? ERR_NOMEM : e;
}

/* Finds the first record that is wanted behind damage. */
static enum err resume(struct recover_log *r)
{
    struct log_file *f = &r->files.list[r->at];
    enum err e =
        log_file_find(r->file, f->head.salt, r->db->log.last_lsn + 1, f->cut_offset, &r->cursor);
    f->resumed = e == OK;
    if (e != OK && e != ERR_NOT_FOUND)
        return recover_why(r, e, r->at, f->cut_offset, err_text(e));
    return OK;
}

static enum err write_aside(struct recover_log *r)
{
    size_t count;
    const struct log_record *record = &records_of(r, &count)[r->next];
    CHECK(r->next < count);
    struct slice bytes = {record->payload.ptr - LOG_RECORD_HEADER_SIZE,
                          log_record_size(record->payload.len)};
    return load_aside_write(r->io, r->options.dir, record->lsn, bytes, &r->why);
}

static void run_job(struct job *job, struct lane *lane)
{
    struct recover_log *r = recover_of(job);
    (void)lane;
    switch (r->phase) {
    case RECOVER_LIST:
        r->result = list(r);
        break;
    case RECOVER_READ:
        r->result = read_window(r);
        break;
    case RECOVER_RESUME:
        r->result = resume(r);
        break;
    case RECOVER_ASIDE:
        r->result = write_aside(r);
        break;
    case RECOVER_JUDGE:
        r->result = recover_judge(r);
        break;
    case RECOVER_FINISH:
        r->result = recover_finish(r);
        break;
    }
}

/* -- on the loop ------------------------------------------------------------------------------- */

static void submit(struct recover_log *r, enum recover_phase phase)
{
    CHECK(!r->out);
    r->phase = phase;
    r->out = true;
    r->io->ops->submit(r->io, &r->job);
}

static void end(struct recover_log *r, enum err e)
{
    CHECK(!r->out);
    r->result = e;
    if (r->file != NULL)
        r->io->ops->file_close(r->file);
    r->file = NULL;
    r->io->ops->on_crash(r->io, NULL, NULL, 0);
    if (r->mark_file != NULL)
        r->io->ops->file_close(r->mark_file);
    r->mark_file = NULL;
    buf_fini(&r->window);
    buf_fini(&r->records);
    r->db->log.loading = false;
    r->on_done(r, e);
}

/* The log ends here: nothing of the file from the offset on, and nothing of later files. */
static void cut(struct recover_log *r, size_t file, uint64_t offset)
{
    r->cut_file = file;
    r->cut_offset = offset;
    submit(r, RECOVER_JUDGE);
}

static void cut_and_blame(struct recover_log *r, size_t file, uint64_t offset)
{
    r->blamed_file = file;
    r->blamed_offset = offset;
    cut(r, file, offset);
}

/* The next file from the index on whose records count and are wanted; or files.count. */
static size_t next_file(const struct recover_log *r, size_t from)
{
    uint64_t wanted = r->db->log.last_lsn + 1;
    const struct log_file *list = r->files.list;
    while (from < r->files.count &&
           (!log_file_counts(&list[from]) || list[from].limit_lsn <= wanted))
        from++;
    return from;
}

/* The next file begins too late: the one before it ends too early, if there was one. */
static void blame_gap(struct recover_log *r, size_t before)
{
    uint64_t wanted = r->db->log.last_lsn + 1, next = file_at(r)->first_lsn;
    bool read = before < r->files.count;
    (void)why_set(&r->cut_why, ERR_CORRUPT,
                  read ? "it ends here, and the next segment begins with LSN %" PRIu64
                       : "it begins with LSN %" PRIu64 ", and no other one before it",
                  next);
    CHECK(next > wanted);
    r->blamed_file = read ? before : r->at;
    r->blamed_offset = read ? r->cursor.offset : 0;
    cut(r, r->at, 0);
}

/* Begins to read the next file, or finds that there is none that goes on where the data is. before:
 * the one that was read; files.count: none was. */
static void open_next(struct recover_log *r, size_t before)
{
    uint64_t wanted = r->db->log.last_lsn + 1;
    if (r->file != NULL)
        r->io->ops->file_close(r->file);
    r->file = NULL;
    r->at = next_file(r, before < r->files.count ? before + 1 : 0);
    if (r->at == r->files.count) {
        bool read = before < r->files.count;
        (void)why_set(&r->cut_why, ERR_CORRUPT, "it ends here");
        r->blamed_file = read ? before : r->at;
        r->blamed_offset = read ? r->cursor.offset : 0;
        cut(r, r->at, 0);
        return;
    }
    const struct log_segment *head = &file_at(r)->head;
    if (head->first_lsn > wanted) {
        blame_gap(r, before);
        return;
    }
    if (head->first_lsn == wanted && r->chained && head->previous_crc != r->start.crc) {
        (void)why_set(&r->cut_why, ERR_CORRUPT, "it follows another LSN %" PRIu64 " than there is",
                      wanted - 1);
        cut_and_blame(r, r->at, 0);
        return;
    }
    if (head->first_lsn == wanted) {
        r->start.crc = head->previous_crc;
        r->chained = true;
    }
    r->cursor = log_cursor_start(head);
    submit(r, RECOVER_READ);
}

/* Damage among records that the snapshot has: a power loss may have torn the log below it. The
 * record after the snapshot may stand behind the damage. */
static void pass_damage(struct recover_log *r)
{
    struct log_file *f = &r->files.list[r->at];
    f->cut_offset = r->cursor.offset;
    f->cut_lsn = r->cursor.lsn;
    f->why = r->cut_why;
    r->cut_why.text[0] = '\0';
    r->chained = false;
    submit(r, RECOVER_RESUME);
}

/* The window is replayed: what ended it? */
static void after_window(struct recover_log *r)
{
    if (r->cursor.durable_lsn > r->claim_lsn)
        r->claim_lsn = r->cursor.durable_lsn;
    bool wanted = r->cursor.lsn > r->db->log.last_lsn;
    switch (r->step) {
    case LOG_MORE:
        submit(r, RECOVER_READ);
        break;
    case LOG_END:
        open_next(r, r->at);
        break;
    case LOG_DAMAGED:
        if (wanted) {
            cut_and_blame(r, r->at, r->cursor.offset);
            break;
        }
        pass_damage(r);
        break;
    case LOG_FOREIGN:
        end(r, recover_why(r, ERR_UNSUPPORTED, r->at, r->cursor.offset, r->cut_why.text));
        break;
    case LOG_RECORD:
        CHECK(r->step != LOG_RECORD); /* parse() goes on after one */
    }
}

/* -- replaying --------------------------------------------------------------------------------- */

static bool is_aside(const struct recover_log *r, uint64_t lsn)
{
    for (size_t i = 0; i < r->aside_count; i++)
        if (r->aside[i] == lsn)
            return true;
    return false;
}

/* The record is behind us, replayed or not. */
static void pass(struct recover_log *r, const struct log_record *record)
{
    r->next++;
    r->chained = true;
    r->start.crc = record->crc;
    r->loaded_bytes += log_record_size(record->payload.len);
}

static void skip(struct recover_log *r, const struct log_record *record)
{
    log_line(r->log, LOG_WARNING,
             "LSN %" PRIu64 " has crashed the server while it was loaded: it is set aside and not "
             "replayed",
             record->lsn);
    r->skipped++;
    r->db->log.last_lsn = record->lsn;
    pass(r, record);
}

/* What the record would change went with what a repair could not keep. */
static void leave_out(struct recover_log *r, const struct log_record *record)
{
    if (r->misfits++ < MISFITS_SAID)
        log_line(r->log, LOG_WARNING, "repair: LSN %" PRIu64 " is left out: %s", record->lsn,
                 r->why.text);
    r->why.text[0] = '\0';
    r->db->log.last_lsn = record->lsn;
    pass(r, record);
}

static enum err replay(struct recover_log *r, const struct log_record *record)
{
    struct load_mark mark = {record->lsn, record->lsn == r->before.lsn ? r->before.tries + 1 : 1};
    load_mark_encode(&mark, r->mark);
    if (r->options.on_replay != NULL)
        r->options.on_replay(record->lsn);
    enum err e = db_replay_record(r->db, record->payload, record->lsn, &r->why);
    if (e == ERR_CORRUPT && r->options.has_losses) {
        leave_out(r, record);
        return OK;
    }
    if (e != OK) {
        size_t in_window = (size_t)(record->payload.ptr - r->window.ptr) - LOG_RECORD_HEADER_SIZE;
        return recover_why(r, e, r->at, r->window_at + in_window,
                           r->why.text[0] != '\0' ? r->why.text : err_text(e));
    }
    r->replayed++;
    pass(r, record);
    return OK;
}

/* Replays records until the window is empty, time is over, or something has to be written first. */
static void replay_slice(struct recover_log *r)
{
    size_t count;
    const struct log_record *records = records_of(r, &count);
    uint64_t end_us = r->io->ops->mono_us(r->io) + SLICE_US;
    for (unsigned done = 1; r->next < count; done++) {
        const struct log_record *record = &records[r->next];
        if (record->lsn <= r->db->log.last_lsn) {
            pass(r, record);
            continue;
        }
        if (is_aside(r, record->lsn)) {
            skip(r, record);
            continue;
        }
        if (record->lsn == r->before.lsn && r->before.tries >= LOAD_TRIES_MAX) {
            submit(r, RECOVER_ASIDE);
            return;
        }
        enum err e = replay(r, record);
        if (e != OK) {
            end(r, e);
            return;
        }
        if (done >= SLICE_RECORDS ||
            (done % CLOCK_RECORDS == 0 && r->io->ops->mono_us(r->io) >= end_us)) {
            r->waits = true;
            r->io->ops->timer_start(r->io, &r->timer, 0);
            return;
        }
    }
    after_window(r);
}

static void on_timer(struct io_timer *timer)
{
    struct recover_log *r = timer->user;
    r->waits = false;
    replay_slice(r);
}

/* -- from step to step ------------------------------------------------------------------------- */

static void after_list(struct recover_log *r)
{
    r->io->ops->on_crash(r->io, r->mark_file, r->mark, sizeof(r->mark));
    for (size_t i = next_file(r, 0); i < r->files.count; i = next_file(r, i + 1))
        r->total_bytes += r->files.list[i].size;
    if (r->files.count > 0)
        log_line(r->log, LOG_NOTICE,
                 "the log has %zu segments, %" PRIu64 " bytes to read from LSN %" PRIu64 " on",
                 r->files.count, r->total_bytes, r->db->log.last_lsn + 1);
    for (size_t i = 0; i < r->files.count; i++)
        if (r->files.list[i].state == ERR_UNSUPPORTED) {
            end(r, recover_why(r, ERR_UNSUPPORTED, i, 0, r->files.list[i].why.text));
            return;
        }
    open_next(r, r->files.count);
}

/* What is lost, or cut off, for the operator. */
static void say_end(struct recover_log *r)
{
    uint64_t last = r->db->log.last_lsn;
    if (r->misfits > MISFITS_SAID)
        log_line(r->log, LOG_WARNING, "repair: %" PRIu64 " records are left out in all",
                 r->misfits);
    if (!r->torn)
        log_line(r->log, LOG_WARNING, "repair: %s", r->why.text);
    r->why.text[0] = '\0';
    for (size_t i = 0; i < r->files.count; i++) {
        char name[LOG_NAME_SIZE];
        const struct log_file *f = &r->files.list[i];
        log_segment_name(f->generation, f->first_lsn, name);
        if (f->cut_offset > 0)
            log_line(r->log, LOG_WARNING,
                     "%s, offset %" PRIu64 ": %s; the snapshot has what stood there", name,
                     f->cut_offset, f->why.text);
        if (recover_fate(r, i) == RECOVER_CUT)
            log_line(r->log, LOG_WARNING, "%s, offset %" PRIu64 ": %s; LSN %" PRIu64 " is the last",
                     name, r->cut_offset, r->cut_why.text, last);
        else if (recover_fate(r, i) == RECOVER_DROP && (i >= r->cut_file || f->state != OK))
            log_line(r->log, LOG_WARNING, "%s is %s: %s", name, r->torn ? "dropped" : "set aside",
                     f->state != OK     ? f->why.text
                     : i == r->cut_file ? r->cut_why.text
                                        : "it follows what is not there");
    }
}

static void after_judge(struct recover_log *r)
{
    say_end(r);
    r->start.lsn = r->start.base_lsn = r->db->log.last_lsn;
    r->start.generation = r->files.generation;
    r->start.salt = r->files.salt;
    r->start.note_sequence = r->files.has_note ? r->files.note.sequence : 0;
    submit(r, RECOVER_FINISH);
}

static void done_job(struct job *job)
{
    struct recover_log *r = recover_of(job);
    r->out = false;
    if (r->result != OK || r->cancelled) {
        end(r, r->result != OK ? r->result : ERR_CANCELLED);
        return;
    }
    switch (r->phase) {
    case RECOVER_LIST:
        after_list(r);
        break;
    case RECOVER_ASIDE: {
        size_t count;
        skip(r, &records_of(r, &count)[r->next]);
        replay_slice(r);
        break;
    }
    case RECOVER_READ:
        replay_slice(r);
        break;
    case RECOVER_RESUME:
        if (file_at(r)->resumed)
            submit(r, RECOVER_READ);
        else
            open_next(r, r->at);
        break;
    case RECOVER_JUDGE:
        after_judge(r);
        break;
    case RECOVER_FINISH:
        end(r, OK);
        break;
    }
}

/* -- start and end ----------------------------------------------------------------------------- */

void recover_log_start(struct recover_log *r, struct io *io, struct db *db, struct log *log,
                       const struct recover_log_options *options,
                       void (*on_done)(struct recover_log *r, enum err e), void *user)
{
    *r = (struct recover_log){
        .io = io, .db = db, .log = log, .options = *options, .on_done = on_done, .user = user};
    r->job = (struct job){.run = run_job, .done = done_job, .class = JOB_AOF};
    r->timer = (struct io_timer){.fn = on_timer, .user = r};
    r->window = BUF_INIT(MEM_LOG);
    r->records = BUF_INIT(MEM_LOG);
    db->log.loading = true;
    db->has_losses = options->has_losses;
    submit(r, RECOVER_LIST);
}

void recover_log_cancel(struct recover_log *r)
{
    CHECK(r->out || r->waits);
    r->cancelled = true;
    if (!r->waits)
        return;
    r->waits = false;
    r->io->ops->timer_stop(r->io, &r->timer);
    end(r, ERR_CANCELLED);
}

void recover_log_free(struct recover_log *r)
{
    CHECK(!r->out && r->file == NULL);
    log_files_free(&r->files);
    mem_free(MEM_LOG, r->aside);
    r->aside = NULL;
    r->aside_count = 0;
}
