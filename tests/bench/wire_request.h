/* wire_request.h: the commands a load generator sends. */
#ifndef VDB_TESTS_BENCH_WIRE_REQUEST_H
#define VDB_TESTS_BENCH_WIRE_REQUEST_H

#include "base/buf.h"

enum { EFFORT_WORDS_MAX = 16 };

/* PING */
void wire_put_ping(struct buf *out);
void wire_put_save(struct buf *out);
/* VSEARCH key FP32 vector COUNT count effort..., where effort is "EF 100" or the like */
void wire_put_search(struct buf *out, const char *key, struct slice vector, unsigned count,
                     const char *effort);
/* VADD key FP32 vector id */
void wire_put_add(struct buf *out, const char *key, struct slice vector, uint64_t id);
/* The same with the tag and the number of wire_docs.h as attribute; the same as a hash key:id. */
void wire_put_add_doc(struct buf *out, const char *key, struct slice vector, uint64_t id);
void wire_put_hset_doc(struct buf *out, const char *key, struct slice vector, uint64_t id);
/* FT.SEARCH index "filter=>[KNN count @v $q effort AS d]", where effort is "EF_RUNTIME 100" or the
 * like. shows: "keys", "distance" (and nothing else) or "all". */
void wire_put_ft_search(struct buf *out, const char *index, const char *filter, const char *effort,
                        struct slice vector, unsigned count, const char *shows);
/* VMADD key FP32 count id... vectors, ids counting from first */
void wire_put_add_many(struct buf *out, const char *key, struct slice vectors, uint64_t first,
                       size_t count);
/* VCREATE key DIM dim METRIC metric */
void wire_put_create(struct buf *out, const char *key, unsigned dim, const char *metric);

#endif
