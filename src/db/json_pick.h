/* json_pick.h: fields of JSON attributes that somebody asks to see (RETURN) or to sort by (SORTBY).
 *
 * Immutable once made: any number of lanes may read with it. */
#ifndef VDB_DB_JSON_PICK_H
#define VDB_DB_JSON_PICK_H

#include "db/json_scan.h"

struct json_pick {
    struct json_paths paths;
    uint32_t *slots; /* of the names, in their order */
    size_t count;
};

/* Names are paths as in filters, with or without the dot in front: year, .year, a.b[0]. ERR_ARG
 * names one that is none; ERR_LIMIT past LIMIT_RETURN_FIELDS. word: the option, for errors. */
MUST_USE enum err json_pick_new(const char *word, const struct slice *names, size_t count,
                                struct json_pick **out, struct why *why);
void json_pick_free(struct json_pick *p);

/* The values of all names in one attribute: count of them. Missing where there is no such field, or
 * no valid JSON. They point into json. */
void json_pick_read(const struct json_pick *p, struct slice json, struct json_value *out);

#endif
