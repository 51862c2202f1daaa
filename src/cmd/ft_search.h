/* ft_search.h: FT.SEARCH, between what plans it and what writes its reply. */
#ifndef VDB_CMD_FT_SEARCH_H
#define VDB_CMD_FT_SEARCH_H

#include "cmd/ft_plan.h"
#include "db/document_room.h"

/* owner: search.extra */
struct ft_search {
    struct ft_ask ask;
    struct ft_options options; /* of ask.words */
    struct slice sort_path;    /* SORTBY a field of the document */
    bool sort_number;
    bool sorts_late;   /* by values that the index does not have: all that is found comes */
    int sort_distance; /* SORTBY a distance; to the first vector they come so */
    struct buf spots;  /* of the reply, where values are to be marked: struct ft_spot */
};

/* A document that was found. */
struct found {
    struct ft_hit hit;
    double number;
    struct slice text;
    const struct object *o; /* NULL: it has gone since */
};

/* What a reply is made of. owner: the turn of the loop that makes it */
struct showing {
    const struct db *db;
    struct ft_search *f;
    size_t reply_at; /* in the client's output */
    struct found *items;
    size_t count;
    bool late;                  /* the time was over before all was found */
    struct document_room *room; /* of a value that JSON has with escapes */
    struct arena *texts;        /* of such values that are sorted by */
};

/* ft_search_reply.c: total and items as the protocol of r has them. */
void ft_search_reply(struct reply *r, const struct showing *w, uint64_t total);

#endif
