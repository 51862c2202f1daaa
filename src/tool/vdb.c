/* vdb.c: the command-line tool. Finds the subcommand and says what there is. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "tool/command.h"
#include "tool/options.h"

static const struct subcommand {
    const char *name;
    const char *summary;
    int (*run)(int argc, char **argv);
} subcommands[] = {
    {"import", "send the vectors of a file to a collection", import_main},
    {"export", "write a collection to a file", export_main},
    {"bench", "measure recall, queries per second and latency of searches", bench_main},
    {"ping", "ask a server whether it answers", ping_main},
    {"check", "verify the files of a server: log and snapshots", check_main},
    {"dump", "print them as lines, or as commands that make the data again", dump_main},
};

static void print_help(void)
{
    (void)printf(
        "usage: vdb COMMAND [options]\n"
        "\n"
        "The tool beside vdb-server, an in-memory vector database. It talks to any server\n"
        "that speaks the Redis protocol and has vdb's commands or Redis 8 vector sets, and\n"
        "it reads the files that vdb-server keeps.\n"
        "\n");
    for (size_t i = 0; i < COUNT_OF(subcommands); i++)
        (void)printf("  vdb %-8s %s\n", subcommands[i].name, subcommands[i].summary);
    (void)printf("\n"
                 "  vdb COMMAND --help   its options, with examples\n"
                 "  vdb --version        which version this is\n"
                 "\n"
                 "examples:\n"
                 "  vdb import words.fbin --key words --ids words.ids\n"
                 "  vdb bench --key words --samples 200 --ef 50,100,200\n");
}

static int say_unknown(const char *given)
{
    const char *names[COUNT_OF(subcommands)];
    for (size_t i = 0; i < COUNT_OF(subcommands); i++)
        names[i] = subcommands[i].name;
    const char *near = nearest_word(given, names, COUNT_OF(subcommands));
    (void)fprintf(stderr, "vdb: there is no command \"%s\"", given);
    if (near != NULL)
        (void)fprintf(stderr, ": did you mean \"%s\"?", near);
    (void)fprintf(stderr, "\n(vdb --help says which there are)\n");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    /* A server that goes away is an error of the next write, said in words, not a silent end. */
    (void)signal(SIGPIPE, SIG_IGN);
    const char *word = argc > 1 ? argv[1] : "";
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        print_help();
        return EXIT_DONE;
    }
    if (strcmp(word, "--version") == 0) {
        (void)printf("vdb %s\n", VDB_VERSION);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < COUNT_OF(subcommands); i++)
        if (strcmp(word, subcommands[i].name) == 0)
            return subcommands[i].run(argc - 2, argv + 2);
    if (argc > 1)
        return say_unknown(word);
    print_help();
    return EXIT_USAGE;
}
