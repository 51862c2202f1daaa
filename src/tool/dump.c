/* dump.c: vdb dump, what stands in a data folder. The snapshot first, then the log from its LSN on.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "db/batch.h"
#include "persist/log_scan.h"
#include "tool/command.h"
#include "tool/dump_format.h"
#include "tool/files_io.h"
#include "tool/options.h"

enum { OUTPUT_BUFFER = 1024 * 1024 };

struct settings {
    bool only_log;
    bool only_snapshot;
    bool help;
    uint32_t format;
    const char *from;
    const char *to;
};

#define FORMAT_WORDS "lines|resp"
#define FIELD(name) offsetof(struct settings, name)
static const struct option dump_options[] = {
    {"format", OPTION_CHOICE, FORMAT_WORDS, "for people, or for redis-cli --pipe (lines)",
     FIELD(format), 0, 0},
    {"snapshot", OPTION_FLAG, "", "the snapshot only", FIELD(only_snapshot), 0, 0},
    {"log", OPTION_FLAG, "", "the log only, all that is there", FIELD(only_log), 0, 0},
    {"from", OPTION_TEXT, "LSN", "with --log: begin with this change", FIELD(from), 0, 0},
    {"to", OPTION_TEXT, "LSN", "end with this change", FIELD(to), 0, 0},
    {"help", OPTION_FLAG, "", "this text", FIELD(help), 0, 0},
};

static void print_help(void)
{
    (void)printf(
        "usage: vdb dump DIR [options]\n"
        "\n"
        "Prints what stands in a data folder (vdb-server's option dir): the newest snapshot,\n"
        "then the changes of the log behind it. Changes nothing; every byte that is printed\n"
        "was verified. As lines, values are cut; as RESP commands they are whole.\n"
        "\n");
    options_print(stdout, dump_options, COUNT_OF(dump_options));
    (void)printf("\n"
                 "examples:\n"
                 "  vdb dump vdb-data | less\n"
                 "  vdb dump vdb-data --log --from 1000 --to 1010\n"
                 "  vdb dump vdb-data --format resp | redis-cli -p 7000 --pipe\n"
                 "\n"
                 "exit status: 0 done, 1 something is damaged (all before it was printed),\n"
                 "2 wrong usage\n");
}

/* -- the snapshot ------------------------------------------------------------------------------ */

struct source {
    struct io *io;
    const char *dir;
    uint64_t from, to;
    struct dump dump;

    struct snapshot_reader reader;
    const struct image_key *key; /* the one in hand */
    uint64_t snapshot_lsn;       /* 0: none was printed */
    uint64_t candidate;          /* of manifests: the newest below limit */
    uint64_t limit;
    struct why why;
    enum err result;
};

static void on_name(void *user, const char *name)
{
    struct source *s = user;
    uint64_t lsn;
    if (snapshot_manifest_name_parse(name, &lsn) && lsn < s->limit && lsn <= s->to &&
        lsn >= s->candidate)
        s->candidate = lsn;
}

static void note_partitions(struct dump *d, const struct image_key *key)
{
    struct bytes_reader reader = image_partitions(key);
    struct partition_name one;
    d->partitioned = key->partition_count > 0;
    if (!d->partitioned)
        return;
    memset(d->partitions, 0, sizeof(d->partitions));
    while (image_partition_next(&reader, &one))
        d->partitions[one.number] = one.name;
}

struct slice dump_partition(const struct dump *d, const struct snapshot_element *e)
{
    return d->partitioned ? d->partitions[e->partition] : (struct slice){0};
}

static bool on_element(void *user, const struct snapshot_element *e)
{
    struct source *s = user;
    uint32_t code_size = spec_has_codes(&s->key->shape) ? s->dump.codec.row_size : 0;
    bool codes_do = code_size > 0 && s->key->spec.type == TYPE_FP32;
    if (e->vector == NULL && (e->code == NULL || !codes_do)) {
        s->result = why_set(&s->why, ERR_CORRUPT, "an element has neither a vector nor a code");
        return false;
    }
    s->dump.ops->element(&s->dump, s->key, e);
    return true;
}

static bool on_key(void *user, const struct image_key *key)
{
    struct source *s = user;
    struct dump *d = &s->dump;
    s->key = key;
    note_partitions(d, key);
    d->ops->key(d, key);
    if (key->type == OBJECT_COLLECTION) {
        if (spec_has_codes(&key->shape))
            codec_init(&d->codec, key->shape.quant, key->spec.metric, key->spec.dim,
                       vec_kernels_at(0));
        d->vector = mem_realloc(MEM_SCRATCH, d->vector, key->spec.dim * sizeof(float));
        enum err e = snapshot_read_elements(&s->reader, key->uid, on_element, s, &s->why);
        if (s->result == OK)
            s->result = e;
    }
    d->ops->key_end(d, key);
    return s->result == OK && !ferror(d->out);
}

static enum err read_manifest(struct source *s, const char *name, struct manifest *m)
{
    char path[SNAPSHOT_PATH_SIZE];
    struct buf bytes = BUF_INIT(MEM_SNAPSHOT);
    int n = snprintf(path, sizeof(path), "%s/%s", s->dir, name);
    if (n < 0 || (size_t)n >= sizeof(path))
        return why_set(&s->why, ERR_LIMIT, "the path of the folder is too long");
    enum err e = io_read_file(s->io, path, SIZE_MAX / 2, &bytes, &s->why);
    if (e == OK)
        e = manifest_decode(buf_slice(&bytes), m, &s->why);
    buf_fini(&bytes);
    return e;
}

/* The newest manifest that is whole; *damaged when a newer one is not. */
static enum err pick_manifest(struct source *s, struct manifest *m, char name[SNAPSHOT_NAME_SIZE],
                              bool *found, bool *damaged)
{
    *found = false;
    for (s->limit = UINT64_MAX; !*found; s->limit = s->candidate) {
        s->candidate = 0;
        enum err e = s->io->ops->list_dir(s->io, s->dir, on_name, s);
        if (e != OK)
            return why_set(&s->why, e, "cannot list the folder %s: %s", s->dir, err_text(e));
        if (s->candidate == 0)
            return OK;
        snapshot_manifest_name(s->candidate, name);
        e = read_manifest(s, name, m);
        *found = e == OK;
        if (e == OK)
            break;
        *damaged = true;
        (void)fprintf(stderr, "vdb dump: %s is damaged and passed over: %s\n", name, s->why.text);
    }
    return OK;
}

static enum err dump_snapshot(struct source *s, bool *damaged)
{
    struct manifest m;
    char name[SNAPSHOT_NAME_SIZE];
    bool found;
    enum err e = pick_manifest(s, &m, name, &found, damaged);
    if (e != OK || !found)
        return e;
    s->snapshot_lsn = m.lsn;
    s->dump.ops->snapshot(&s->dump, &m, name);
    snapshot_reader_init(&s->reader, s->io, s->dir, &m);
    e = snapshot_read_keys(&s->reader, on_key, s, &s->why);
    if (e == OK)
        e = s->result;
    snapshot_reader_fini(&s->reader);
    manifest_fini(&m);
    return e;
}

/* -- the log ----------------------------------------------------------------------------------- */

static enum err dump_record(struct source *s, const struct log_record *r, const char *file,
                            uint64_t offset)
{
    struct batch_reader reader;
    struct mutation m;
    struct dump *d = &s->dump;
    enum err e = batch_open(r->payload, &reader, &s->why);
    d->ops->record(d, r, file, offset);
    while (e == OK && reader.left > 0) {
        e = batch_next(&reader, &m, &s->why);
        if (e != OK)
            break;
        d->ops->mutation(d, &m);
        mutation_free(&m);
    }
    d->ops->record_end(d);
    return e;
}

/* Prints the records of one segment from *next on. *whole: it did not end in damage. */
static enum err dump_segment(struct source *s, const struct log_file *f, uint64_t *next,
                             bool *whole)
{
    struct log_scan scan;
    struct log_record record;
    char name[LOG_NAME_SIZE];
    enum log_step step = LOG_RECORD;
    log_segment_name(f->generation, f->first_lsn, name);
    enum err e = log_scan_open(&scan, s->io, s->dir, f, &s->why);
    while (e == OK && scan.cursor.lsn <= s->to && !ferror(s->dump.out)) {
        e = log_scan_next(&scan, &record, &step, &s->why);
        if (e != OK || step != LOG_RECORD)
            break;
        if (record.lsn < *next)
            continue;
        e = dump_record(s, &record, name, scan.offset);
        *next = record.lsn + 1;
    }
    *whole = step == LOG_RECORD || step == LOG_END;
    if (!*whole)
        (void)fprintf(stderr, "vdb dump: %s: byte %" PRIu64 ": %s\n", name, scan.offset,
                      s->why.text);
    log_scan_close(&scan);
    return e;
}

/* Ends where the next record does not stand, as the server does. */
static enum err dump_log(struct source *s, bool *damaged)
{
    struct log_files files;
    uint64_t next = s->from > s->snapshot_lsn ? s->from : s->snapshot_lsn + 1;
    bool whole = true, begun = s->snapshot_lsn > 0;
    enum err e = log_files_read(s->io, s->dir, &files, &s->why);
    for (size_t i = 0; e == OK && i < files.count && next <= s->to; i++) {
        const struct log_file *f = &files.list[i];
        if (f->state != OK)
            (void)fprintf(stderr, "vdb dump: a segment cannot be read: %s\n", f->why.text);
        *damaged = *damaged || f->state != OK;
        if (!log_file_counts(f) || f->limit_lsn <= next)
            continue;
        if (f->first_lsn > next && (begun || !whole)) {
            e = why_set(&s->why, ERR_CORRUPT,
                        "LSN %" PRIu64 " to %" PRIu64 " stand nowhere; all before was printed",
                        next, f->first_lsn - 1);
            break;
        }
        e = dump_segment(s, f, &next, &whole);
        *damaged = *damaged || !whole;
        begun = true;
    }
    log_files_free(&files);
    return e;
}

/* -- the command ------------------------------------------------------------------------------- */

static enum err read_lsn(const char *name, const char *text, uint64_t *out, struct why *why)
{
    if (text == NULL || slice_to_u64(slice_of(text), out))
        return OK;
    return why_set(why, ERR_ARG, "--%s: \"%.64s\" is no LSN", name, text);
}

static enum err check_settings(const struct settings *set, struct source *s, struct why *why)
{
    if (s->dir == NULL)
        return why_set(why, ERR_ARG, "which DIR shall be dumped?");
    if (set->only_log && set->only_snapshot)
        return why_set(why, ERR_ARG, "--log and --snapshot exclude each other");
    if (set->from != NULL && !set->only_log)
        return why_set(why, ERR_ARG, "--from is for --log: a snapshot is the state at its LSN");
    enum err e = read_lsn("from", set->from, &s->from, why);
    if (e == OK)
        e = read_lsn("to", set->to, &s->to, why);
    return e;
}

static enum err dump_all(const struct settings *set, struct source *s, bool *damaged)
{
    enum err e = OK;
    (void)setvbuf(stdout, NULL, _IOFBF, OUTPUT_BUFFER);
    s->dump.ops = set->format == 0 ? &dump_lines : &dump_resp;
    s->dump.out = stdout;
    buf_init(&s->dump.text, MEM_SCRATCH);
    if (!set->only_log)
        e = dump_snapshot(s, damaged);
    if (e == OK && !set->only_snapshot)
        e = dump_log(s, damaged);
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout))
        e = why_set(&s->why, ERR_IO, "cannot write: %s", strerror(errno));
    if (s->dump.projections > 0)
        (void)fprintf(stderr,
                      "vdb dump: %" PRIu64 " sets were made with REDUCE: they are printed as they "
                      "are stored, and will take vectors of that size\n",
                      s->dump.projections);
    buf_fini(&s->dump.text);
    mem_free(MEM_SCRATCH, s->dump.vector);
    return e;
}

int dump_main(int argc, char **argv)
{
    struct settings set = {0};
    struct io io = files_io();
    struct source s = {.io = &io, .to = UINT64_MAX};
    const struct option_table table = {dump_options, COUNT_OF(dump_options), &s.dir, 1};
    struct why why = {""};
    size_t operands;
    bool damaged = false;
    enum err e = options_parse(&table, argc, argv, &set, &operands, &why);
    if (e == OK && set.help) {
        print_help();
        return EXIT_DONE;
    }
    if (e == OK)
        e = check_settings(&set, &s, &why);
    if (e != OK)
        return say_usage("dump", &why);
    e = dump_all(&set, &s, &damaged);
    if (e != OK)
        return say_failure("dump", &s.why);
    return damaged ? EXIT_FAILED : EXIT_DONE;
}
