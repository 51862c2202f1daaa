/* ft_marks.h: SUMMARIZE and HIGHLIGHT of FT.SEARCH: which values of a reply are shown how. The loop
 * writes a reply with whole values and notes where they are; a lane writes it again. */
#ifndef VDB_CMD_FT_MARKS_H
#define VDB_CMD_FT_MARKS_H

#include "cmd/ft_words.h"
#include "ft/index_spec.h"
#include "text/marker.h"

struct key_text;

struct ft_marked {
    struct slice name; /* FIELDS */
    struct text_show how;
};

/* Slices are of the command's words. owner: ft_options */
struct ft_marks {
    bool given;
    struct text_show all; /* without FIELDS */
    struct ft_marked *fields;
    size_t count;
};

/* What is behind SUMMARIZE, and behind HIGHLIGHT. */
MUST_USE enum err ft_marks_read_pieces(struct ft_words *w, struct ft_marks *m);
MUST_USE enum err ft_marks_read(struct ft_words *w, struct ft_marks *m);
/* All is read: what was said of all fields holds for each of FIELDS as well. */
void ft_marks_settle(struct ft_marks *m);
void ft_marks_fini(struct ft_marks *m);

/* How a value is shown; how NULL: as it is. */
struct ft_target {
    const struct text_show *how;
    bool stems;
};

/* A field of a hash, by its own name. */
struct ft_target ft_marks_of(const struct ft_marks *m, const struct index_spec *spec,
                             struct slice path);
struct ft_target ft_marks_of_return(const struct ft_marks *m, const struct index_spec *spec,
                                    struct slice what, struct slice as);

/* A value in a reply: its bulk string is from `at` to `end`. */
struct ft_spot {
    struct ft_target target;
    size_t at, end, size;
};

/* [lane] Writes reply again, with the values in spots (struct ft_spot, in order) as they are to be
 * shown. text: the words of the query, which have been looked for; NULL: there were none.
 * ERR_NOMEM. */
MUST_USE enum err ft_marks_write(const struct buf *spots, const struct index_spec *spec,
                                 enum text_language language, const struct key_text *text,
                                 struct buf *reply);

#endif
