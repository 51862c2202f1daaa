/* check_log.c: the segments of the log, each from its first byte on, and how they join. What stands
 * behind damage counts for what it claims to have been durable (log_format.h): that tells a torn
 * tail, which every crash may leave, from a loss. */
#include <inttypes.h>
#include <stdio.h>

#include "db/batch.h"
#include "persist/check_own.h"
#include "persist/log_scan.h"

/* Where a segment stopped being readable. */
struct stop {
    const struct log_file *segment;
    uint64_t lsn; /* the record that is not there */
    uint64_t offset;
    struct why why;
};

struct work {
    struct check *check;
    struct log_files files;
    struct stop *stops;
    size_t stop_count;
    uint64_t next_lsn; /* expected of the next segment; 0: something was said, so anything */
    uint32_t crc;      /* of the record before it, when chained */
    bool chained;
    bool begun; /* a segment was read */
};

static void say(struct work *w, enum check_grade grade, const struct log_file *f, uint64_t offset,
                const char *text)
{
    char name[LOG_NAME_SIZE];
    log_segment_name(f->generation, f->first_lsn, name);
    check_say(w->check, grade, name, offset, "%s", text);
}

static void claim(struct work *w, uint64_t lsn)
{
    if (lsn > w->check->counts.durable_lsn)
        w->check->counts.durable_lsn = lsn;
}

/* Everything behind the place where the segment can be read is judged when all claims are known. */
static void stop(struct work *w, const struct log_file *f, uint64_t lsn, uint64_t offset,
                 const struct why *why)
{
    struct why ignored;
    struct check *c = w->check;
    w->stops[w->stop_count++] =
        (struct stop){.segment = f, .lsn = lsn, .offset = offset, .why = *why};
    if (log_file_claims(c->io, c->dir, f, offset, &c->counts.durable_lsn, &ignored) != OK)
        say(w, CHECK_DAMAGE, f, offset, ignored.text);
    w->chained = false;
    w->next_lsn = 0;
}

static void check_record(struct work *w, const struct log_file *f, uint64_t offset,
                         const struct log_record *r)
{
    struct why why = {{0}};
    enum err e = batch_check(r->payload, &why);
    if (e != OK)
        say(w, CHECK_DAMAGE, f, offset, why.text[0] != '\0' ? why.text : err_text(e));
    if (r->lsn > w->check->counts.last_lsn)
        w->check->counts.last_lsn = r->lsn;
    w->check->counts.records++;
    w->next_lsn = r->lsn + 1;
    w->crc = r->crc;
    w->chained = true;
}

static void check_records(struct work *w, const struct log_file *f)
{
    struct log_scan scan;
    struct log_record record;
    struct why why = {{0}};
    enum log_step step = LOG_RECORD;
    enum err e = log_scan_open(&scan, w->check->io, w->check->dir, f, &why);
    while (e == OK && step == LOG_RECORD) {
        e = log_scan_next(&scan, &record, &step, &why);
        if (e == OK && step == LOG_RECORD)
            check_record(w, f, scan.offset, &record);
    }
    claim(w, scan.cursor.durable_lsn);
    if (e != OK)
        say(w, CHECK_DAMAGE, f, scan.offset, why.text[0] != '\0' ? why.text : err_text(e));
    else if (step == LOG_FOREIGN)
        say(w, CHECK_DAMAGE, f, scan.offset, why.text);
    else if (step == LOG_DAMAGED)
        stop(w, f, scan.cursor.lsn, scan.offset, &why);
    log_scan_close(&scan);
}

/* Does the segment begin where the one before it ends, or where the snapshot does? */
static void check_joint(struct work *w, const struct log_file *f)
{
    struct why why = {{0}};
    uint64_t snapshot = w->check->counts.snapshot_lsn;
    char text[WHY_SIZE];
    if (w->next_lsn != 0 && f->first_lsn > w->next_lsn && f->first_lsn > snapshot + 1) {
        uint64_t missing = w->next_lsn > snapshot ? w->next_lsn : snapshot + 1;
        (void)why_set(&why, ERR_CORRUPT,
                      "it begins with LSN %" PRIu64 ", and LSN %" PRIu64
                      " to the one before stand nowhere",
                      f->first_lsn, missing);
        stop(w, f, missing, 0, &why);
    } else if (w->begun && w->next_lsn != 0 && f->first_lsn > w->next_lsn) {
        (void)snprintf(text, sizeof(text),
                       "LSN %" PRIu64 " to the one before its first stand in the snapshot only",
                       w->next_lsn);
        say(w, CHECK_NOTE, f, 0, text);
    } else if (w->chained && f->first_lsn == w->next_lsn && f->head.previous_crc != w->crc) {
        say(w, CHECK_DAMAGE, f, 12, "it follows another record than the one before it");
    }
}

static void check_segment(struct work *w, const struct log_file *f)
{
    w->check->counts.segments++;
    w->check->counts.bytes += f->size;
    if (f->state == ERR_UNSUPPORTED) {
        say(w, CHECK_DAMAGE, f, 0, f->why.text);
    } else if (f->state != OK) {
        stop(w, f, f->first_lsn, 0, &f->why);
    } else if (!log_file_counts(f)) {
        say(w, CHECK_NOTE, f, 0, "later segments have all of it");
    } else {
        claim(w, f->head.durable_lsn);
        check_joint(w, f);
        w->begun = true;
        w->next_lsn = f->first_lsn;
        check_records(w, f);
    }
}

static void judge(struct work *w, const struct stop *s)
{
    char text[WHY_SIZE + 160];
    struct check_counts *counts = &w->check->counts;
    bool lost = s->lsn <= counts->durable_lsn;
    if (!lost)
        (void)snprintf(text, sizeof(text),
                       "%s: a torn tail of %" PRIu64 " bytes, which the next start cuts off",
                       s->why.text, s->segment->size - s->offset);
    else if (s->lsn <= counts->snapshot_lsn)
        (void)snprintf(text, sizeof(text),
                       "%s; LSN %" PRIu64 " was on the disk; the newest snapshot has it, too",
                       s->why.text, s->lsn);
    else
        (void)snprintf(text, sizeof(text),
                       "%s; LSN %" PRIu64 " was on the disk, and LSN %" PRIu64
                       " is the last one that was: what of them stands behind here is lost",
                       s->why.text, s->lsn, counts->durable_lsn);
    say(w, lost ? CHECK_DAMAGE : CHECK_NOTE, s->segment, s->offset, text);
}

/* A slot that is not whole is what a crash leaves while it is written, and the other one serves. */
static void check_note(struct work *w)
{
    struct check *c = w->check;
    struct io_file *file;
    uint64_t size = 0;
    size_t got = 0;
    uint8_t bytes[LOG_NOTE_SIZE];
    if (check_open(c, LOG_NOTE_NAME, &file, &size, NULL) != OK)
        return;
    if (c->io->ops->file_read(file, 0, bytes, sizeof(bytes), &got) != OK)
        got = 0;
    c->io->ops->file_close(file);
    for (size_t at = 0; at < LOG_NOTE_SIZE; at += LOG_NOTE_SLOT_SIZE) {
        struct log_note note;
        size_t left = got > at ? got - at : 0;
        struct slice slot = {bytes + at, left < LOG_NOTE_SLOT_SIZE ? left : LOG_NOTE_SLOT_SIZE};
        static const uint8_t never[LOG_NOTE_SLOT_SIZE] = {0};
        if (slot.len == 0 || memcmp(slot.ptr, never, slot.len) == 0)
            continue;
        if (log_note_parse(slot, &note))
            claim(w, note.durable_lsn);
        else
            check_say(c, CHECK_NOTE, LOG_NOTE_NAME, at, "this half of the note is not whole");
    }
}

void check_log(struct check *c)
{
    struct why why = {{0}};
    struct work w = {.check = c, .next_lsn = 1};
    enum err e = log_files_read(c->io, c->dir, &w.files, &why);
    if (e != OK) {
        check_say(c, CHECK_DAMAGE, c->dir, 0, "%s", why.text[0] != '\0' ? why.text : err_text(e));
        return;
    }
    /* A segment stops twice at most: where it begins, and where it ends. */
    w.stops = mem_calloc(MEM_LOG, (2 * w.files.count + 1) * sizeof(*w.stops));
    c->counts.last_lsn = c->counts.snapshot_lsn;
    check_note(&w);
    for (size_t i = 0; i < w.files.count; i++)
        check_segment(&w, &w.files.list[i]);
    bool lost = false;
    for (size_t i = 0; i < w.stop_count; i++) {
        judge(&w, &w.stops[i]);
        lost = lost || w.stops[i].lsn <= c->counts.durable_lsn;
    }
    if (!lost && c->counts.last_lsn < c->counts.durable_lsn)
        check_say(c, CHECK_DAMAGE, c->dir, 0,
                  "the log ends with LSN %" PRIu64 ", and up to LSN %" PRIu64
                  " it was on the disk: a part of it is missing",
                  c->counts.last_lsn, c->counts.durable_lsn);
    mem_free(MEM_LOG, w.stops);
    log_files_free(&w.files);
}
