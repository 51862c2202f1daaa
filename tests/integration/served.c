#include "integration/served.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OPTIONS_MAX = 32, START_US = 20 * 1000 * 1000, STOP_US = 30 * 1000 * 1000, STEP_US = 2000 };

uint64_t now_us(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

void sleep_us(uint64_t us)
{
    struct timespec ts = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};
    while (nanosleep(&ts, &ts) != 0 && errno == EINTR)
        continue;
}

static struct sockaddr_in loopback(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return addr;
}

static int free_port(void)
{
    struct sockaddr_in addr = loopback(0);
    socklen_t len = sizeof(addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&addr, &len) == 0);
    close(fd);
    return ntohs(addr.sin_port);
}

bool served_said(const struct served *s, const char *text)
{
    char path[sizeof(s->folder) + 8], line[1024];
    bool found = false;
    (void)snprintf(path, sizeof(path), "%s/log", s->folder);
    FILE *f = fopen(path, "r");
    while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
        found = strstr(line, text) != NULL;
    if (f != NULL)
        (void)fclose(f);
    return found;
}

/* It listens before it has loaded its data, so only its log tells. */
static bool serves(const struct served *s)
{
    return served_said(s, "ready to accept connections");
}

/* In the child: becomes the server. */
static _Noreturn void become_server(const struct served *s, const char *const *options)
{
    const char *binary = getenv("VDB_SERVER");
    if (binary == NULL)
        binary = "build/vdb-server";
    char port[16], log[sizeof(s->folder) + 8];
    (void)snprintf(port, sizeof(port), "%d", s->port);
    (void)snprintf(log, sizeof(log), "%s/log", s->folder);
    const char *argv[OPTIONS_MAX] = {binary,    "--port",       port,        "--dir",
                                     s->folder, "--unixsocket", s->unix_path};
    size_t argc = 7;
    for (; options != NULL && *options != NULL && argc + 1 < OPTIONS_MAX; options++)
        argv[argc++] = *options;
    int fd = open(log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd >= 0) {
        dup2(fd, STDOUT_FILENO);
        dup2(fd, STDERR_FILENO);
    }
    execv(binary, (char *const *)argv);
    _exit(127);
}

/* Starts a process on the folder that s has and waits until it serves: 0, or until it has ended:
 * its exit status, -1 when a signal ended it or it does nothing. */
static int launch(struct served *s, const char *const *options)
{
    int status = 0;
    char log[sizeof(s->folder) + 8];
    (void)snprintf(log, sizeof(log), "%s/log", s->folder);
    (void)unlink(log); /* what an earlier process said does not count */
    s->pid = fork();
    CHECK(s->pid >= 0);
    if (s->pid == 0)
        become_server(s, options);
    for (uint64_t start = now_us(); now_us() - start < START_US; sleep_us(STEP_US)) {
        if (serves(s))
            return 0;
        if (waitpid(s->pid, &status, WNOHANG) == 0)
            continue;
        s->pid = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    return -1;
}

void served_start(struct served *s, const char *const *options)
{
    *s = (struct served){0};
    (void)snprintf(s->folder, sizeof(s->folder), "/tmp/vdb-integration-XXXXXX");
    CHECK(mkdtemp(s->folder) != NULL);
    (void)snprintf(s->unix_path, sizeof(s->unix_path), "%s/socket", s->folder);
    s->port = free_port();
    REQUIRE(launch(s, options) == 0);
}

int served_restart(struct served *s, const char *const *options)
{
    if (s->pid > 0) {
        (void)kill(s->pid, SIGKILL);
        (void)waitpid(s->pid, NULL, 0);
    }
    return launch(s, options);
}

bool served_alive(const struct served *s)
{
    return s->pid > 0 && waitpid(s->pid, NULL, WNOHANG) == 0;
}

/* What a server that ended badly said last. */
static void show_log(const struct served *s)
{
    char path[sizeof(s->folder) + 8], line[512];
    (void)snprintf(path, sizeof(path), "%s/log", s->folder);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof(line), f) != NULL)
        printf("  server: %s", line);
    if (f != NULL)
        (void)fclose(f);
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static void remove_folder(const struct served *s)
{
    enum { DESCRIPTORS = 8 };
    (void)nftw(s->folder, remove_entry, DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

int served_stop(struct served *s)
{
    CHECK(s->pid > 0);
    int status = 0;
    pid_t ended = 0;
    (void)kill(s->pid, SIGTERM);
    for (uint64_t start = now_us(); now_us() - start < STOP_US; sleep_us(STEP_US)) {
        ended = waitpid(s->pid, &status, WNOHANG);
        if (ended != 0)
            break;
    }
    if (ended == 0) {
        printf("  the server did not end in %d s\n", STOP_US / 1000000);
        (void)kill(s->pid, SIGKILL);
        (void)waitpid(s->pid, &status, 0);
    }
    int code = ended > 0 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    if (code != 0)
        show_log(s);
    remove_folder(s);
    s->pid = 0;
    return code;
}

size_t served_rss_bytes(const struct served *s)
{
    char path[64];
    unsigned long pages = 0, resident = 0;
    (void)snprintf(path, sizeof(path), "/proc/%d/statm", (int)s->pid);
    FILE *f = fopen(path, "r");
    CHECK(f != NULL && fscanf(f, "%lu %lu", &pages, &resident) == 2);
    (void)fclose(f);
    return (size_t)resident * (size_t)sysconf(_SC_PAGESIZE);
}

static struct served shared;

static void stop_shared(void)
{
    int status = shared.pid > 0 ? served_stop(&shared) : 0;
    if (status == 0)
        return;
    printf("FAIL the shared server ended with %d\n0 passed, 1 failed, 0 skipped\n", status);
    (void)fflush(stdout);
    _exit(EXIT_FAILURE);
}

const struct served *served_shared(void)
{
    if (shared.pid == 0) {
        served_start(&shared, NULL);
        CHECK(atexit(stop_shared) == 0);
    }
    REQUIRE(served_alive(&shared));
    return &shared;
}
