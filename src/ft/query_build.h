/* query_build.h: growing a query's tree. For query_parse.c and query_bracket.c alone. */
#ifndef VDB_FT_QUERY_BUILD_H
#define VDB_FT_QUERY_BUILD_H

#include "ft/query_scan.h"

/* What parsing carries along. */
struct query_builder {
    struct ft_query *query;
    struct slice source;
    const struct query_param *params;
    size_t param_count;
    struct why *why;
};

/* RediSearch's text for what is wrong at a place of the source. */
enum err query_error_at(const struct query_builder *b, size_t at);

/* A new leaf: its number in query->nodes. */
MUST_USE enum err query_add_node(struct query_builder *b, enum query_kind kind, uint32_t *out);
MUST_USE enum err query_add_field(struct query_builder *b, struct slice written, uint32_t *out);
/* The node's traits, to be changed; valid until the next call. */
MUST_USE enum err query_need_traits(struct query_builder *b, uint32_t node,
                                    struct query_traits **out);

/* Slices of the query lie in query->text, which moves while it grows: until query_parse is done,
 * ptr is an offset plus 1. Escapes resolve: \x is x. */
struct slice query_keep(struct query_builder *b, struct slice bytes);
struct slice query_keep_unescaped(struct query_builder *b, struct slice written);
/* $name or the text itself. */
MUST_USE enum err query_param_or_text(struct query_builder *b, struct slice written,
                                      struct slice *out);
MUST_USE enum err query_find_param(struct query_builder *b, struct slice name, struct slice *out);

/* @field:{...}, @field:[...], @field >= 5: sets what the new node holds. */
MUST_USE enum err query_read_tags(struct query_builder *b, const struct query_token *t,
                                  uint32_t *out);
MUST_USE enum err query_read_range(struct query_builder *b, const struct query_token *t,
                                   uint32_t *out);
MUST_USE enum err query_read_compare(struct query_builder *b, const struct query_token *t,
                                     uint32_t *out);
/* =>[KNN ...] and =>{...}. */
MUST_USE enum err query_read_knn(struct query_builder *b, const struct query_token *t);
MUST_USE enum err query_read_knn_traits(struct query_builder *b, const struct query_token *t);
MUST_USE enum err query_read_traits(struct query_builder *b, const struct query_token *t,
                                    uint32_t node);

#endif
