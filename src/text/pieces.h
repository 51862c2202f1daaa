/* pieces.h: the pieces of a text around what was found in it. Between marker.c and pieces.c. */
#ifndef VDB_TEXT_PIECES_H
#define VDB_TEXT_PIECES_H

#include "text/marker.h"

/* A word that was found: its bytes in the text. */
struct text_mark {
    size_t at, size;
};

/* Marks that follow each other closely. */
struct text_piece {
    size_t at, end; /* of its first word, behind its last one */
    size_t first_mark;
    uint32_t first, last; /* positions of these words in the text */
    uint32_t marks;
    double score;
};

/* Appends the best of the pieces, which are in the order of the text and get another one. */
void text_pieces_write(struct slice text, struct text_piece *pieces, size_t count,
                       const struct text_mark *marks, const struct text_show *how, struct buf *out);
/* Appends all of the text with its marks. */
void text_marks_write(struct slice text, const struct text_mark *marks, size_t count,
                      const struct text_show *how, struct buf *out);
/* Appends about as much of the text's start as all pieces would have. */
void text_head_write(struct slice text, const struct text_show *how, struct buf *out);

#endif
