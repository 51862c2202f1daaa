#include "persist/backup_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "persist/log_format.h"
#include "persist/snapshot_read.h"

static bool is_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!(text[i] >= '0' && text[i] <= '9') && !(text[i] >= 'a' && text[i] <= 'f'))
            return false;
    return true;
}

bool backup_dataset_valid(const char *dataset)
{
    return strlen(dataset) == BACKUP_DATASET_SIZE && is_hex(dataset, BACKUP_DATASET_SIZE);
}

/* -- names ------------------------------------------------------------------------------------- */

void backup_name_print(const struct backup_name *n, char out[BACKUP_NAME_SIZE])
{
    char file[SNAPSHOT_NAME_SIZE];
    CHECK(backup_dataset_valid(n->dataset));
    switch (n->kind) {
    case BACKUP_LIST:
        (void)snprintf(file, sizeof(file), "backup-%016" PRIx64, n->lsn);
        break;
    case BACKUP_MANIFEST:
        snapshot_manifest_name(n->lsn, file);
        break;
    case BACKUP_PACK:
        (void)snprintf(file, sizeof(file), "pack-%08" PRIx32 "-%016" PRIx64 ".vpk", n->id, n->lsn);
        break;
    case BACKUP_SEGMENT:
        log_segment_name(n->id, n->lsn, file);
        break;
    }
    int len = snprintf(out, BACKUP_NAME_SIZE, "%s-%s", n->dataset, file);
    CHECK(len > 0 && len < BACKUP_NAME_SIZE);
}

/* Digits of a fixed width, taken from the front. */
static bool take_hex(const char **at, size_t width, uint64_t *out)
{
    if (strlen(*at) < width || !is_hex(*at, width))
        return false;
    char digits[BACKUP_DATASET_SIZE + 1] = "";
    CHECK(width < sizeof(digits));
    memcpy(digits, *at, width);
    *out = strtoull(digits, NULL, 16);
    *at += width;
    return true;
}

static bool take_text(const char **at, const char *text)
{
    size_t len = strlen(text);
    if (strncmp(*at, text, len) != 0)
        return false;
    *at += len;
    return true;
}

/* What stands behind the dataset. */
static bool parse_kind(const char *at, struct backup_name *out)
{
    uint64_t id;
    if (log_segment_name_parse(at, &out->id, &out->lsn)) {
        out->kind = BACKUP_SEGMENT;
        return true;
    }
    if (snapshot_manifest_name_parse(at, &out->lsn)) {
        out->kind = BACKUP_MANIFEST;
        return true;
    }
    if (take_text(&at, "backup-")) {
        out->kind = BACKUP_LIST;
        return take_hex(&at, 16, &out->lsn) && *at == '\0';
    }
    out->kind = BACKUP_PACK;
    if (!take_text(&at, "pack-") || !take_hex(&at, 8, &id))
        return false;
    out->id = (uint32_t)id;
    return take_text(&at, "-") && take_hex(&at, 16, &out->lsn) && strcmp(at, ".vpk") == 0;
}

bool backup_name_parse(const char *name, struct backup_name *out)
{
    *out = (struct backup_name){.kind = BACKUP_LIST};
    if (strlen(name) <= BACKUP_DATASET_SIZE || !is_hex(name, BACKUP_DATASET_SIZE) ||
        name[BACKUP_DATASET_SIZE] != '-')
        return false;
    memcpy(out->dataset, name, BACKUP_DATASET_SIZE);
    return parse_kind(name + BACKUP_DATASET_SIZE + 1, out);
}

/* -- lines of text ----------------------------------------------------------------------------- */

/* owner: the parser. broken is set by the first thing that is not as it should be. */
struct reader {
    struct slice left;
    bool broken;
};

/* The last line: the checksum of what is in front of it, from start on. */
static void seal(struct buf *out, size_t start)
{
    CHECK(!buf_failed(out)); /* a few lines, or as many as there are packs */
    uint32_t crc = crc32c((struct slice){out->ptr + start, out->len - start});
    buf_printf(out, "crc32c %08x\n", crc);
}

/* Checks the last line, and stands at the first. */
static struct reader open_text(struct slice text)
{
    static const char last[] = "crc32c ";
    enum { LAST_SIZE = sizeof(last) - 1 + 8 + 1 };
    char expected[LAST_SIZE + 1];
    struct reader r = {.broken = text.len < LAST_SIZE};
    if (r.broken)
        return r;
    r.left = (struct slice){text.ptr, text.len - LAST_SIZE};
    (void)snprintf(expected, sizeof(expected), "%s%08x\n", last, crc32c(r.left));
    r.broken = memcmp(text.ptr + r.left.len, expected, LAST_SIZE) != 0;
    return r;
}

/* Takes the rest of a line that begins with the word and a blank. */
static struct slice take_line(struct reader *r, const char *word)
{
    size_t word_len = strlen(word);
    const uint8_t *end = r->left.len == 0 ? NULL : memchr(r->left.ptr, '\n', r->left.len);
    size_t len = end == NULL ? 0 : (size_t)(end - r->left.ptr);
    r->broken = r->broken || len <= word_len || memcmp(r->left.ptr, word, word_len) != 0 ||
                r->left.ptr[word_len] != ' ';
    if (r->broken)
        return (struct slice){NULL, 0};
    struct slice rest = {r->left.ptr + word_len + 1, len - word_len - 1};
    r->left = (struct slice){end + 1, r->left.len - len - 1};
    return rest;
}

/* The next value of a line. */
static struct slice take_value(struct slice *line)
{
    const uint8_t *blank = line->len == 0 ? NULL : memchr(line->ptr, ' ', line->len);
    size_t len = blank == NULL ? line->len : (size_t)(blank - line->ptr);
    struct slice value = {line->ptr, len};
    size_t taken = blank == NULL ? len : len + 1;
    *line = (struct slice){line->ptr + taken, line->len - taken};
    return value;
}

static uint64_t take_number(struct reader *r, struct slice *line)
{
    uint64_t value = 0;
    if (r->broken || !slice_to_u64(take_value(line), &value))
        r->broken = true;
    return value;
}

static uint64_t number_line(struct reader *r, const char *word)
{
    struct slice line = take_line(r, word);
    uint64_t value = take_number(r, &line);
    r->broken = r->broken || line.len > 0;
    return value;
}

/* Hexadecimal digits, exactly size of them. */
static void hex_line(struct reader *r, const char *word, char *out, size_t size)
{
    struct slice line = take_line(r, word);
    out[0] = '\0';
    r->broken = r->broken || line.len != size || !is_hex((const char *)line.ptr, size);
    if (r->broken)
        return;
    memcpy(out, line.ptr, size);
    out[size] = '\0';
}

/* The first line says what it is; a version that is not known is not damage. */
static enum err check_version(struct reader *r, const char *word, struct why *why)
{
    uint64_t version = number_line(r, word);
    if (!r->broken && version != 1)
        return why_set(why, ERR_UNSUPPORTED, "%s is of version %" PRIu64 ": use a later vdb", word,
                       version);
    return OK;
}

static enum err end_text(const struct reader *r, const char *what, struct why *why)
{
    if (!r->broken && r->left.len == 0)
        return OK;
    return why_set(why, ERR_CORRUPT, "%s is damaged", what);
}

/* -- CURRENT ----------------------------------------------------------------------------------- */

void backup_current_print(const struct backup_current *c, struct buf *out)
{
    size_t start = out->len;
    CHECK(backup_dataset_valid(c->dataset) && strlen(c->owner) == BACKUP_OWNER_SIZE);
    buf_printf(out, "vdb-current 1\ndataset %s\nowner %s\nsequence %" PRIu64 "\n", c->dataset,
               c->owner, c->sequence);
    buf_printf(out, "backups %d\nbackup %" PRIu64 "\nlog %" PRIu64 "\nwritten %" PRIu64 "\n",
               c->has_backup ? 1 : 0, c->backup_lsn, c->log_lsn, c->wall_ms);
    seal(out, start);
}

enum err backup_current_parse(struct slice text, struct backup_current *out, struct why *why)
{
    struct reader r = open_text(text);
    *out = (struct backup_current){.sequence = 0};
    enum err e = check_version(&r, "vdb-current", why);
    if (e != OK)
        return e;
    hex_line(&r, "dataset", out->dataset, BACKUP_DATASET_SIZE);
    hex_line(&r, "owner", out->owner, BACKUP_OWNER_SIZE);
    out->sequence = number_line(&r, "sequence");
    uint64_t backups = number_line(&r, "backups");
    out->has_backup = backups == 1;
    out->backup_lsn = number_line(&r, "backup");
    out->log_lsn = number_line(&r, "log");
    out->wall_ms = number_line(&r, "written");
    r.broken = r.broken || backups > 1;
    return end_text(&r, "the object " BACKUP_CURRENT, why);
}

/* -- a backup ---------------------------------------------------------------------------------- */

void backup_list_fini(struct backup_list *l)
{
    mem_free(MEM_SNAPSHOT, l->packs);
    l->packs = NULL;
    l->pack_count = 0;
}

void backup_list_print(const struct backup_list *l, struct buf *out)
{
    size_t start = out->len;
    CHECK(backup_dataset_valid(l->dataset) && l->pack_count <= BACKUP_PACKS_MAX);
    buf_printf(out, "vdb-backup 1\ndataset %s\nlsn %" PRIu64 "\ntaken %" PRIu64 "\n", l->dataset,
               l->lsn, l->wall_ms);
    buf_printf(out, "manifest %" PRIu64 "\npacks %zu\n", l->manifest_size, l->pack_count);
    for (size_t i = 0; i < l->pack_count; i++) {
        CHECK(i == 0 || l->packs[i - 1].id < l->packs[i].id);
        buf_printf(out, "pack %" PRIu32 " %" PRIu64 " %" PRIu64 "\n", l->packs[i].id,
                   l->packs[i].lsn, l->packs[i].size);
    }
    seal(out, start);
}

static void parse_packs(struct reader *r, struct backup_list *out)
{
    for (size_t i = 0; i < out->pack_count && !r->broken; i++) {
        struct slice line = take_line(r, "pack");
        uint64_t id = take_number(r, &line);
        out->packs[i].id = (uint32_t)id;
        out->packs[i].lsn = take_number(r, &line);
        out->packs[i].size = take_number(r, &line);
        r->broken =
            r->broken || line.len > 0 || id > UINT32_MAX || (i > 0 && out->packs[i - 1].id >= id);
    }
}

enum err backup_list_parse(struct slice text, struct backup_list *out, struct why *why)
{
    struct reader r = open_text(text);
    *out = (struct backup_list){.lsn = 0};
    enum err e = check_version(&r, "vdb-backup", why);
    if (e != OK)
        return e;
    hex_line(&r, "dataset", out->dataset, BACKUP_DATASET_SIZE);
    out->lsn = number_line(&r, "lsn");
    out->wall_ms = number_line(&r, "taken");
    out->manifest_size = number_line(&r, "manifest");
    out->pack_count = number_line(&r, "packs");
    r.broken = r.broken || out->pack_count > BACKUP_PACKS_MAX;
    if (r.broken)
        out->pack_count = 0;
    if (out->pack_count > 0) {
        out->packs = mem_try_calloc(MEM_SNAPSHOT, out->pack_count * sizeof(*out->packs));
        if (out->packs == NULL)
            return ERR_NOMEM;
    }
    parse_packs(&r, out);
    e = end_text(&r, "a backup's list", why);
    if (e != OK)
        backup_list_fini(out);
    return e;
}

bool backup_list_has(const struct backup_list *l, const struct backup_pack *pack)
{
    size_t low = 0, high = l->pack_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->packs[middle].id < pack->id)
            low = middle + 1;
        else
            high = middle;
    }
    return low < l->pack_count && l->packs[low].id == pack->id && l->packs[low].lsn == pack->lsn;
}

/* -- the dataset of a folder ------------------------------------------------------------------- */

void backup_dataset_print(const struct backup_dataset *d, struct buf *out)
{
    static const char none[] = "0000000000000000";
    size_t start = out->len;
    CHECK(backup_dataset_valid(d->id));
    buf_printf(out, "vdb-dataset 1\nid %s\nparent %s\nforked %" PRIu64 "\n", d->id,
               d->parent[0] != '\0' ? d->parent : none, d->forked_ms);
    seal(out, start);
}

enum err backup_dataset_parse(struct slice text, struct backup_dataset *out, struct why *why)
{
    struct reader r = open_text(text);
    *out = (struct backup_dataset){.forked_ms = 0};
    enum err e = check_version(&r, "vdb-dataset", why);
    if (e != OK)
        return e;
    hex_line(&r, "id", out->id, BACKUP_DATASET_SIZE);
    hex_line(&r, "parent", out->parent, BACKUP_DATASET_SIZE);
    out->forked_ms = number_line(&r, "forked");
    if (strspn(out->parent, "0") == BACKUP_DATASET_SIZE)
        out->parent[0] = '\0';
    return end_text(&r, "the file " BACKUP_DATASET, why);
}
