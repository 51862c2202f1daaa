/* main.c: vdb-server on the real world: command line, configuration file, signals. */
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/io_file.h"
#include "base/mem.h"
#include "base/process.h"
#include "base/thread.h"
#include "base/version.h"
#include "net/io_uv.h"
#include "server.h"

enum {
    CONFIG_FILE_MAX = 1 << 20,
    DESCRIPTORS_KEPT = 64 /* of files, listeners and connections to stores */
};

static const char usage[] =
    "Usage: vdb-server [vdb.conf] [--option value ...]\n"
    "\n"
    "An in-memory vector database that speaks the Redis protocol.\n"
    "\n"
    "  vdb-server                          listen on 127.0.0.1:6379\n"
    "  vdb-server --port 7000 --maxmemory 4gb\n"
    "  vdb-server /etc/vdb.conf --loglevel verbose\n"
    "\n"
    "  --restore-from URL [--at TIME]\n"
    "                  start with what an object store has, in an empty dir; of it only what was\n"
    "                  before: an LSN, or a time as 2026-11-23T06:00:00Z\n"
    "  --repair        start with damaged data: keep what is good, set the rest aside\n"
    "  --help          this text\n"
    "  --version       the version\n"
    "  --print-config  a vdb.conf with every option, its meaning and its default\n";

/* Options that answer and exit stand alone: a server that is to run has no use for them. */
static bool asked_for(int argc, char **argv, const char *option)
{
    return argc == 2 && strcmp(argv[1], option) == 0;
}

static int print_config(void)
{
    struct buf text = BUF_INIT(MEM_SERVER);
    config_print(&text);
    bool ok = !buf_failed(&text) && fwrite(text.ptr, 1, text.len, stdout) == text.len;
    buf_fini(&text);
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --at is short for --restore-at. */
static void spell_out(int argc, char **argv)
{
    static char restore_at[] = "--restore-at";
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--at") == 0)
            argv[i] = restore_at;
}

/* Absolute, and without links: CONFIG REWRITE puts a new file in its place. */
static enum err name_file(struct config *config, const char *path, struct why *why)
{
    char whole[PATH_MAX];
    if (realpath(path, whole) == NULL)
        return why_set(why, ERR_IO, "can't open configuration file %s", path);
    if (strlen(whole) >= sizeof(config->file))
        return why_set(why, ERR_LIMIT, "the path of %.150s is too long", path);
    memcpy(config->file, whole, strlen(whole) + 1);
    return OK;
}

/* The file, then the command line over it. */
static enum err read_config(struct config *config, int argc, char **argv, struct why *why)
{
    config_init(config);
    const char *path = config_file_argument(argc, argv);
    if (path != NULL) {
        enum err named = name_file(config, path, why);
        if (named != OK)
            return named;
        struct buf text = BUF_INIT(MEM_SERVER);
        FILE *f = fopen(path, "r");
        if (f == NULL)
            return why_set(why, ERR_IO, "can't open configuration file %s", path);
        uint8_t *to = buf_reserve(&text, CONFIG_FILE_MAX);
        size_t got = to == NULL ? 0 : fread(to, 1, CONFIG_FILE_MAX, f);
        bool whole = feof(f) != 0;
        (void)fclose(f); /* read only */
        if (to != NULL)
            buf_advance(&text, got);
        enum err e = whole ? config_parse(config, path, buf_slice(&text), why)
                           : why_set(why, ERR_LIMIT, "%s is longer than %d bytes or unreadable",
                                     path, CONFIG_FILE_MAX);
        buf_fini(&text);
        if (e != OK)
            return e;
    }
    return config_parse_args(config, argc, argv, why);
}

/* Relative paths of other options start in dir, as with Redis; it is made when it is missing. From
 * here on it is absolute, as CONFIG GET shows it. */
static enum err enter_dir(struct config *config, struct why *why)
{
    char path[CONFIG_TEXT_MAX + 1];
    enum err e = io_dir_make(NULL, config->dir);
    if (e == OK)
        e = io_dir_enter(config->dir, path, sizeof(path));
    if (e != OK)
        return why_set(why, e, "can't use the dir %.150s: %s", config->dir, err_text(e));
    return config_set(config, slice_of("dir"), slice_of(path), why);
}

/* On the loop, not in a signal handler (io_uv_on_signal), so it may do anything. */
static void on_signal(void *user, int signo)
{
    struct server *server = user;
    log_line(&server->log, LOG_NOTICE, "received %s", signo == SIGINT ? "SIGINT" : "SIGTERM");
    server_stop(server);
}

static void on_turn(void *user, uint64_t busy_us)
{
    server_note_turn(user, busy_us);
}

static void on_stopped(struct server *server)
{
    io_uv_stop(server->io);
}

/* Clients must not take the descriptors that the log, snapshots and backups need: one fewer client
 * is told so, instead of a log that cannot be written. */
static void fit_clients(struct server *server)
{
    uint64_t wanted = (uint64_t)server->config.maxclients;
    uint64_t allowed = process_allow_files(wanted + DESCRIPTORS_KEPT);
    size_t before = server->clients_fit;
    server->clients_fit = allowed > DESCRIPTORS_KEPT ? allowed - DESCRIPTORS_KEPT : 1;
    if (server->clients_fit < wanted && server->clients_fit != before)
        log_line(&server->log, LOG_WARNING,
                 "the system allows %llu descriptors, which are enough for %zu clients and not for "
                 "maxclients %llu: raise the limit (ulimit -n, LimitNOFILE)",
                 (unsigned long long)allowed, server->clients_fit, (unsigned long long)wanted);
}

/* What follows options and is not the server's own. */
static void on_configured(struct server *server)
{
    io_uv_set_keepalive(server->io, (unsigned)server->config.tcp_keepalive);
    fit_clients(server);
}

/* Starts the server and stays in the loop until a signal or SHUTDOWN has stopped it. Returns the
 * exit status. */
static int run(struct server *server, struct io *io, const struct config *config, FILE *log)
{
    struct why why = {{0}};
    int status = EXIT_SUCCESS;
    enum err e = server_start(server, io, config, log, &why);
    bool started = e == OK;
    server->on_stopped = on_stopped;
    if (started)
        e = io_uv_on_signal(io, SIGINT, on_signal, server, &why);
    if (e == OK)
        e = io_uv_on_signal(io, SIGTERM, on_signal, server, &why);
    if (e != OK) {
        (void)fprintf(stderr, "vdb-server: cannot start: %s\n",
                      why.text[0] != '\0' ? why.text : err_text(e));
        status = EXIT_FAILURE;
    }
    if (started && e == OK) {
        io_uv_on_turn(io, on_turn, server);
        server->on_configured = on_configured;
        on_configured(server);
        io_uv_run(io);
        status = server->failed ? EXIT_FAILURE : EXIT_SUCCESS;
        server_fini(server);
    }
    return status;
}

int main(int argc, char **argv)
{
    if (asked_for(argc, argv, "--help") || asked_for(argc, argv, "-h"))
        return fputs(usage, stdout) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (asked_for(argc, argv, "--version") || asked_for(argc, argv, "-v"))
        return printf("vdb-server %s\n", VDB_VERSION) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (asked_for(argc, argv, "--print-config"))
        return print_config();
    mem_loop_begins();
    spell_out(argc, argv);
    static struct config config; /* large: not on the stack */
    struct why why = {{0}};
    if (read_config(&config, argc, argv, &why) != OK) {
        (void)fprintf(stderr, "vdb-server: %s\n", why.text);
        return EXIT_FAILURE;
    }
    if (enter_dir(&config, &why) != OK) {
        (void)fprintf(stderr, "vdb-server: %s\n", why.text);
        return EXIT_FAILURE;
    }
    FILE *log = config.logfile[0] == '\0' ? stdout : fopen(config.logfile, "a");
    if (log == NULL) {
        (void)fprintf(stderr, "vdb-server: can't open logfile %s\n", config.logfile);
        return EXIT_FAILURE;
    }
    unsigned lanes = config.workers > 0 ? (unsigned)config.workers : thread_core_count();
    struct io *io;
    if (io_uv_new(lanes, &io, &why) != OK) {
        (void)fprintf(stderr, "vdb-server: %s\n", why.text);
        return EXIT_FAILURE;
    }
    struct server *server = mem_calloc(MEM_SERVER, sizeof(*server));
    int status = run(server, io, &config, log);
    io_uv_free(io);
    mem_free(MEM_SERVER, server);
    return status;
}
