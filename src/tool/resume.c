#include "tool/resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include <errno.h>

#define FIRST_LINE "vdb import, how far it is, version 1"

enum { PATH_MAX_SIZE = 4096 };

static enum err look_at(struct resume *r, const char *input, struct why *why)
{
    struct stat about;
    if (stat(input, &about) != 0)
        return why_set(why, ERR_IO, "%.150s: %s", input, strerror(errno));
    r->size = (uint64_t)about.st_size;
    r->time_ns = (uint64_t)about.st_mtim.tv_sec * 1000000000 + (uint64_t)about.st_mtim.tv_nsec;
    return OK;
}

/* Keys hold any bytes but zero, which is why they are written as numbers. */
static void write_key(FILE *file, const char *key)
{
    (void)fprintf(file, "key ");
    for (; *key != '\0'; key++)
        (void)fprintf(file, "%02x", (unsigned char)*key);
    (void)fprintf(file, "\n");
}

static bool read_key(FILE *file, const char *key)
{
    bool same = fscanf(file, " key") == 0 && fgetc(file) == ' ';
    for (; same && *key != '\0'; key++) {
        unsigned byte;
        same = fscanf(file, "%2x", &byte) == 1 && byte == (unsigned char)*key;
    }
    return same && fgetc(file) == '\n';
}

/* False when it is about something else, or was not written by write_note. */
static bool read_note(struct resume *r, FILE *file)
{
    char first[sizeof(FIRST_LINE) + 1] = "";
    uint64_t size, time_ns;
    struct load_mark m;
    if (fgets(first, sizeof(first), file) == NULL || strcmp(first, FIRST_LINE "\n") != 0)
        return false;
    if (fscanf(file, "size %" SCNu64 " time %" SCNu64, &size, &time_ns) != 2 || size != r->size ||
        time_ns != r->time_ns || !read_key(file, r->key))
        return false;
    if (fscanf(file,
               "rows %" SCNu64 " added %" SCNu64 " replaced %" SCNu64 " refused %" SCNu64
               " bad %" SCNu64,
               &m.rows, &m.added, &m.replaced, &m.refused, &m.bad) != 5)
        return false;
    r->saved = m;
    return true;
}

/* The old one or the new one, whatever happens meanwhile. */
static bool write_note(const struct resume *r)
{
    char part[PATH_MAX_SIZE];
    const struct load_mark *m = &r->saved;
    if (snprintf(part, sizeof(part), "%s.part", r->path) >= (int)sizeof(part))
        return false;
    FILE *file = fopen(part, "w");
    if (file == NULL)
        return false;
    (void)fprintf(file, FIRST_LINE "\nsize %" PRIu64 " time %" PRIu64 "\n", r->size, r->time_ns);
    write_key(file, r->key);
    (void)fprintf(file,
                  "rows %" PRIu64 " added %" PRIu64 " replaced %" PRIu64 " refused %" PRIu64
                  " bad %" PRIu64 "\n",
                  m->rows, m->added, m->replaced, m->refused, m->bad);
    bool bad = ferror(file) != 0;
    return fclose(file) == 0 && !bad && rename(part, r->path) == 0;
}

enum err resume_open(struct resume *r, const char *path, const char *input, const char *key,
                     double delay_s, bool *found, struct why *why)
{
    *r = (struct resume){.path = path, .key = key, .delay_s = delay_s};
    *found = false;
    if (path == NULL)
        return OK;
    enum err e = look_at(r, input, why);
    FILE *file = e == OK ? fopen(path, "r") : NULL;
    if (file == NULL)
        return e;
    *found = read_note(r, file);
    (void)fclose(file);
    r->next = r->saved;
    return OK;
}

bool resume_note(struct resume *r, const struct load_mark *mark, double now_s)
{
    CHECK(mark->rows >= r->saved.rows);
    if (now_s - r->next_s < r->delay_s)
        return true;
    struct load_mark due = r->delay_s > 0 ? r->next : *mark;
    r->next = *mark;
    r->next_s = now_s;
    if (due.rows == r->saved.rows)
        return true;
    r->saved = due;
    if (r->path == NULL || r->unwritable || write_note(r))
        return true;
    r->unwritable = true;
    return false;
}

void resume_done(struct resume *r)
{
    if (r->path != NULL)
        (void)unlink(r->path);
}
