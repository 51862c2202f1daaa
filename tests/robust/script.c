#include "robust/script.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATH_SIZE = 512, WORDS_MAX = 2000, STEPS_FIRST = 64 };

/* -- reading ------------------------------------------------------------------------------------*/

static int hex(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Behind the backslash at *at; moves on behind what it reads. */
static uint8_t unescape(const uint8_t **at)
{
    const uint8_t *p = *at;
    *at = p + 1;
    switch (*p) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case 'x':
        if (hex(p[1]) < 0 || hex(p[2]) < 0)
            return 'x';
        *at = p + 3;
        return (uint8_t)(hex(p[1]) * 16 + hex(p[2]));
    default:
        return *p;
    }
}

/* Takes one word off the line, which it is written over: it never gets longer. */
static bool take_word(uint8_t **line, struct slice *word)
{
    uint8_t *p = *line;
    while (*p == ' ')
        p++;
    if (*p == '\0')
        return false;
    uint8_t *to = p;
    bool quoted = *p == '"';
    const uint8_t *from = quoted ? p + 1 : p;
    word->ptr = to;
    while (*from != '\0' && *from != (quoted ? '"' : ' ')) {
        if (quoted && *from == '\\' && from[1] != '\0') {
            from++;
            *to++ = unescape(&from);
        } else {
            *to++ = *from++;
        }
    }
    word->len = (size_t)(to - word->ptr);
    *line += (from - *line) + (*from != '\0');
    return true;
}

static struct script *add_script(struct scripts *s, const char *name, unsigned line)
{
    s->list = mem_realloc(MEM_TEST, s->list, (s->count + 1) * sizeof(s->list[0]));
    struct script *script = &s->list[s->count++];
    *script = (struct script){.steps = NULL};
    (void)snprintf(script->place, sizeof(script->place), "%.40s:%u", name, line);
    return script;
}

static void add_step(struct script *s, const struct step *step, uint8_t *text)
{
    struct slice words[WORDS_MAX];
    size_t count = 0;
    while (count < WORDS_MAX && take_word(&text, &words[count]))
        count++;
    CHECK(count > 0 && count < WORDS_MAX && (!step->raw || count == 1));
    if (s->count == 0 || (s->count >= STEPS_FIRST && (s->count & (s->count - 1)) == 0))
        s->steps = mem_realloc(MEM_TEST, s->steps,
                               (s->count == 0 ? STEPS_FIRST : s->count * 2) * sizeof(s->steps[0]));
    struct step *to = &s->steps[s->count++];
    *to = *step;
    to->argc = count;
    to->argv = mem_alloc(MEM_TEST, count * sizeof(words[0]));
    memcpy(to->argv, words, count * sizeof(words[0]));
}

/* "r" and "v" for one server alone, the number of a connection, ">" or ">>"; false when the line is
 * no command of ours. */
static bool take_prompt(uint8_t **line, struct step *step)
{
    uint8_t *p = *line;
    bool redis_alone = *p == 'r';
    if (*p == 'r' || *p == 'v')
        p++;
    if (*p >= '2' && *p < '2' + RIG_CLIENTS - 1)
        step->client = (unsigned)(*p++ - '1');
    if (*p != '>')
        return false;
    step->raw = p[1] == '>';
    p += step->raw ? 2 : 1;
    if (*p != ' ' || redis_alone)
        return false;
    *line = p + 1;
    return true;
}

static void read_lines(struct scripts *s, const char *name, uint8_t *text)
{
    struct script *script = NULL;
    uint64_t wait_ms = 0;
    unsigned number = 0;
    while (text != NULL && *text != '\0') {
        uint8_t *line = text;
        uint8_t *end = (uint8_t *)strchr((char *)text, '\n');
        struct step step = {.line = ++number};
        text = end != NULL ? end + 1 : NULL;
        if (end != NULL)
            *end = '\0';
        if (strncmp((char *)line, "== ", 3) == 0 || script == NULL)
            script = add_script(s, name, number);
        if (strncmp((char *)line, "@wait ", 6) == 0)
            wait_ms = strtoull((char *)line + 6, NULL, 10);
        if (!take_prompt(&line, &step))
            continue;
        step.wait_ms = wait_ms;
        wait_ms = 0;
        add_step(script, &step, line);
    }
}

static void read_file(struct scripts *s, const char *folder, const char *name)
{
    char path[PATH_SIZE];
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    CHECK(file != NULL);
    s->texts = mem_realloc(MEM_TEST, s->texts, (s->text_count + 1) * sizeof(s->texts[0]));
    struct buf *text = &s->texts[s->text_count++];
    *text = BUF_INIT(MEM_TEST);
    char piece[4096];
    size_t got;
    while ((got = fread(piece, 1, sizeof(piece), file)) > 0)
        buf_append(text, piece, got);
    (void)fclose(file); /* read only */
    buf_append_byte(text, '\0');
    CHECK(!buf_failed(text));
    read_lines(s, name, text->ptr);
}

static int is_text(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return len > 4 && strcmp(entry->d_name + len - 4, ".txt") == 0;
}

void scripts_read(struct scripts *s, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_text, alphasort);
    if (count <= 0) {
        (void)fprintf(stderr, "%s: no scripts; run this from the root of the repository\n", folder);
        exit(EXIT_FAILURE);
    }
    for (int i = 0; i < count; i++) {
        read_file(s, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
}

void scripts_free(struct scripts *s)
{
    for (size_t i = 0; i < s->count; i++) {
        for (size_t at = 0; at < s->list[i].count; at++)
            mem_free(MEM_TEST, s->list[i].steps[at].argv);
        mem_free(MEM_TEST, s->list[i].steps);
    }
    for (size_t i = 0; i < s->text_count; i++)
        buf_fini(&s->texts[i]);
    mem_free(MEM_TEST, s->list);
    mem_free(MEM_TEST, s->texts);
}

/* -- running ------------------------------------------------------------------------------------*/

enum answer step_run(const struct step *step, struct rig *r, struct buf *reply)
{
    rig_time(r, step->wait_ms * 1000);
    if (!step->raw)
        return rig_ask(r, step->client, step->argv, step->argc, reply);
    rig_send(r, step->client, step->argv[0]);
    return rig_wait(r, step->client, reply);
}

bool script_run(const struct script *s, size_t from, size_t to, struct rig *r)
{
    struct buf reply = BUF_INIT(MEM_TEST);
    bool good = true;
    CHECK(to <= s->count);
    for (size_t i = from; i < to && good && !r->stopped; i++)
        good = step_run(&s->steps[i], r, &reply) != ANSWER_BAD;
    buf_fini(&reply);
    return good;
}

const char *step_text(const struct step *step, char *text, size_t size)
{
    size_t n = 0;
    CHECK(size > 8);
    text[0] = '\0';
    for (size_t i = 0; i < step->argc; i++) {
        if (i > 0 && n + 8 < size)
            text[n++] = ' ';
        for (size_t b = 0; b < step->argv[i].len && n + 8 < size; b++) {
            uint8_t c = step->argv[i].ptr[b];
            if (c >= ' ' && c <= '~')
                text[n++] = (char)c;
            else
                n += (size_t)snprintf(text + n, size - n, "\\x%02x", c);
        }
    }
    text[n] = '\0';
    return text;
}
