/* check.c: vdb check, is a data folder whole? Says what persist/check.h finds. */
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

#include "persist/check.h"
#include "tool/command.h"
#include "tool/files_io.h"
#include "tool/options.h"

struct settings {
    bool quiet;
    bool help;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option check_options[] = {
    {"quiet", OPTION_FLAG, "", "only what is damaged", FIELD(quiet), 0, 0},
    {"help", OPTION_FLAG, "", "this text", FIELD(help), 0, 0},
};

static void print_help(void)
{
    (void)printf(
        "usage: vdb check DIR [options]\n"
        "\n"
        "Reads every file of a data folder (vdb-server's option dir) and verifies all that can\n"
        "be told from them: checksums, the chain of log records, snapshots against their\n"
        "packs, keys and ids that must be unique, links, levels, counts. Changes nothing.\n"
        "Every finding names the file and the byte. A note is nothing lost: what a crash\n"
        "leaves behind and the next start removes.\n"
        "\n");
    options_print(stdout, check_options, COUNT_OF(check_options));
    (void)printf("\n"
                 "examples:\n"
                 "  vdb check vdb-data\n"
                 "  vdb check /var/lib/vdb --quiet && echo whole\n"
                 "\n"
                 "exit status: 0 the folder is whole, 1 it is damaged or cannot be read,\n"
                 "2 wrong usage\n");
}

static void on_finding(void *user, const struct check_finding *f)
{
    const struct settings *set = user;
    if (f->grade == CHECK_NOTE && set->quiet)
        return;
    (void)printf("%s: byte %" PRIu64 ": %s%s\n", f->file, f->offset,
                 f->grade == CHECK_NOTE ? "note: " : "DAMAGED: ", f->text);
}

static void print_counts(const char *dir, const struct check_counts *n)
{
    (void)printf("%s: %" PRIu64 " files, %.1f MB\n", dir, n->files, (double)n->bytes / 1e6);
    if (n->snapshot_lsn > 0)
        (void)printf("snapshots: %" PRIu64 " in %" PRIu64 " packs, %" PRIu64
                     " chunks; the newest at LSN %" PRIu64 " has %" PRIu64 " keys, %" PRIu64
                     " collections, %" PRIu64 " elements, %" PRIu64 " links",
                     n->manifests, n->packs, n->chunks, n->snapshot_lsn, n->keys, n->collections,
                     n->elements, n->links);
    else
        (void)printf("snapshots: none");
    if (n->links_dropped > 0)
        (void)printf(" (and %" PRIu64 " to rows that came or went meanwhile)", n->links_dropped);
    (void)printf("\nlog: %" PRIu64 " segments, %" PRIu64 " records; the last LSN is %" PRIu64
                 ", known to be on the disk up to %" PRIu64 "\n",
                 n->segments, n->records, n->last_lsn, n->durable_lsn);
}

/* A server that writes meanwhile makes findings of things that are right a moment later. */
static void warn_of_server(struct io *io, const char *dir)
{
    char path[4096];
    struct io_file *file;
    struct why why;
    int n = snprintf(path, sizeof(path), "%s/LOCK", dir);
    if (n < 0 || (size_t)n >= sizeof(path) ||
        io->ops->file_open(io, path, IO_READ | IO_WRITE, &file, &why) != OK)
        return;
    if (io->ops->file_lock(file) == ERR_BUSY)
        (void)fprintf(stderr, "vdb check: a server uses this folder and may change it meanwhile\n");
    io->ops->file_close(file);
}

int check_main(int argc, char **argv)
{
    struct settings set = {0};
    const char *dir = NULL;
    const struct option_table table = {check_options, COUNT_OF(check_options), &dir, 1};
    struct check_counts counts;
    struct why why = {""};
    size_t operands;
    enum err e = options_parse(&table, argc, argv, &set, &operands, &why);
    if (e == OK && set.help) {
        print_help();
        return EXIT_DONE;
    }
    if (e == OK && dir == NULL)
        e = why_set(&why, ERR_ARG, "which DIR shall be checked?");
    if (e != OK)
        return say_usage("check", &why);
    struct io io = files_io();
    warn_of_server(&io, dir);
    e = check_folder(&io, dir, on_finding, &set, &counts, &why);
    if (e != OK)
        return say_failure("check", &why);
    if (counts.manifests + counts.packs + counts.segments == 0) {
        (void)why_set(&why, ERR_NOT_FOUND, "%.200s has neither a log nor a snapshot", dir);
        return say_failure("check", &why);
    }
    if (!set.quiet)
        print_counts(dir, &counts);
    if (counts.damages > 0) {
        (void)printf("%s is damaged: %" PRIu64 " findings.\n", dir, counts.damages);
        return EXIT_FAILED;
    }
    if (!set.quiet)
        (void)printf("%s is whole.\n", dir);
    return EXIT_DONE;
}
