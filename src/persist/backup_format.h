/* backup_format.h: what an object store holds of a server, by name and in text. Pure.
 *
 *     CURRENT                                  who writes here, and how far the backups reach
 *     <dataset>-backup-<LSN>                   a backup: the objects it consists of
 *     <dataset>-manifest-<LSN>.vmf             the manifest of its snapshot
 *     <dataset>-pack-<id>-<LSN>.vpk            a pack, and the snapshot that wrote it
 *     <dataset>-log-<generation>-<LSN>.vlog    a segment of the log and its first LSN
 *
 * All but CURRENT are written once. A dataset is one history of changes: 16 hexadecimal digits that
 * a folder keeps in the file "dataset". Ids of packs begin anew when a folder has lost its packs,
 * hence the LSN in their names.
 *
 * CURRENT, backups and the file "dataset" are lines of text, a word and its values each, so that a
 * person can read them; the last line is the CRC-32C of those before. README.md shows them. */
#ifndef VDB_PERSIST_BACKUP_FORMAT_H
#define VDB_PERSIST_BACKUP_FORMAT_H

#include "base/buf.h"
#include "base/err.h"

#define BACKUP_CURRENT "CURRENT"
#define BACKUP_DATASET "dataset" /* a file in the folder, no object */

enum {
    BACKUP_DATASET_SIZE = 16,
    BACKUP_OWNER_SIZE = 40,
    BACKUP_NAME_SIZE = 80,
    BACKUP_PACKS_MAX = 1 << 20,
    BACKUP_TEXT_MAX = 64 << 20 /* bytes of a backup; CURRENT and the rest have a few hundred */
};

/* -- names ------------------------------------------------------------------------------------- */

enum backup_kind { BACKUP_LIST, BACKUP_MANIFEST, BACKUP_PACK, BACKUP_SEGMENT };

struct backup_name {
    enum backup_kind kind;
    char dataset[BACKUP_DATASET_SIZE + 1];
    uint32_t id;  /* of a pack; generation of a segment */
    uint64_t lsn; /* first of a segment */
};

void backup_name_print(const struct backup_name *n, char out[BACKUP_NAME_SIZE]);
bool backup_name_parse(const char *name, struct backup_name *out);

/* Hexadecimal digits, and as many as there should be. */
bool backup_dataset_valid(const char *dataset);

/* -- CURRENT ----------------------------------------------------------------------------------- */

struct backup_current {
    char dataset[BACKUP_DATASET_SIZE + 1];
    char owner[BACKUP_OWNER_SIZE + 1]; /* run id of the server that writes here */
    uint64_t sequence;                 /* rises with each CURRENT */
    bool has_backup;
    uint64_t backup_lsn; /* of the newest */
    uint64_t log_lsn;    /* what the segments here reach */
    uint64_t wall_ms;    /* Unix time */
};

void backup_current_print(const struct backup_current *c, struct buf *out);
MUST_USE enum err backup_current_parse(struct slice text, struct backup_current *out,
                                       struct why *why);

/* -- a backup ---------------------------------------------------------------------------------- */

struct backup_pack {
    uint32_t id;
    uint64_t lsn; /* of the snapshot that wrote it */
    uint64_t size;
};

struct backup_list {
    char dataset[BACKUP_DATASET_SIZE + 1];
    uint64_t lsn;
    uint64_t wall_ms; /* when the snapshot was taken */
    uint64_t manifest_size;
    struct backup_pack *packs; /* by id */
    size_t pack_count;
};

void backup_list_fini(struct backup_list *l);
void backup_list_print(const struct backup_list *l, struct buf *out);
/* On an error there is nothing to free. */
MUST_USE enum err backup_list_parse(struct slice text, struct backup_list *out, struct why *why);
/* Has it this pack? */
bool backup_list_has(const struct backup_list *l, const struct backup_pack *pack);

/* -- the dataset of a folder ------------------------------------------------------------------- */

struct backup_dataset {
    char id[BACKUP_DATASET_SIZE + 1];
    char parent[BACKUP_DATASET_SIZE + 1]; /* restored from, up to a point; "": none */
    uint64_t forked_ms;                   /* when; Unix time */
};

void backup_dataset_print(const struct backup_dataset *d, struct buf *out);
MUST_USE enum err backup_dataset_parse(struct slice text, struct backup_dataset *out,
                                       struct why *why);

#endif
