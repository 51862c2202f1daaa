/* json.h: what handlers of documents share. */
#ifndef VDB_CMD_JSON_H
#define VDB_CMD_JSON_H

#include "cmd/keys.h"
#include "json/edit.h"
#include "json/merge.h"
#include "json/numbers.h"
#include "json/parse.h"
#include "json/path.h"

/* A document, a path, and what that leads to. owner: a handler */
struct json_target {
    struct request *rq;
    struct slice key;
    const struct object *o; /* NULL: there is no such key, and nothing else is filled in */
    struct slice document;
    struct jpath path;
    struct jhits hits;
};

/* The document at a key, NULL when there is no such key. Replies the error and returns false when
 * the key holds something else. */
MUST_USE bool jdoc_read(struct request *rq, struct slice key, const struct object **out);
/* The same with a path and all that it leads to; false: the error is replied, and jdoc_close need
 * not be called. */
MUST_USE bool jdoc_open(struct json_target *t, struct request *rq, struct slice key,
                        struct slice path);
void jdoc_close(struct json_target *t);

/* Compiles a path; false: the error is replied. */
MUST_USE bool jdoc_path(struct request *rq, struct slice text, struct jpath *out);

/* What a client calls JSON, appended as a document's text; false: the error is replied. */
MUST_USE bool jdoc_value(struct request *rq, struct slice text, struct buf *out);

/* For an error of json/: its words are whole. */
void jdoc_reply_err(struct request *rq, enum err e, const struct why *why);
/* For a key that is not there. */
void jdoc_reply_missing(struct request *rq);

/* Logs and makes the changes as one mutation; false: the error is replied. */
MUST_USE bool jdoc_write(struct request *rq, struct slice key, struct jedits *edits);
/* The same of a document as a whole, also for a key that has none. */
MUST_USE bool jdoc_write_document(struct request *rq, struct slice key, struct slice document);

/* cmd_json_get.c: a value that ARRPOP has taken, as EXPAND or EXPAND1 says. */
void jdoc_reply_popped(struct reply *r, struct slice format, struct slice value);

#endif
