/* postings.h: which versions of documents a term is in, how often and where.
 *
 * A list of blocks, oldest first. Bytes of a block never change once they are `used`; a block that
 * has to grow, or to lose what was collected, is replaced by another, and the old one stays for
 * lanes that are in it: what follows it is still reachable, and lasts as long. A record:
 *
 *     version - the one before (varint; of a block's first: 0)
 *     fields that the term is in, as bits (varint)        unless there is one field, or NOFIELDS
 *     for each of them: how often (varint)                unless NOFREQS and NOOFFSETS
 *     bytes of the places (varint), and for each field    unless NOOFFSETS
 *       its places, as differences (varints)
 *
 * owner: loop; lanes read by text_cursor. */
#ifndef VDB_TEXT_POSTINGS_H
#define VDB_TEXT_POSTINGS_H

#include "base/buf.h"
#include "text/terms.h"

enum { TEXT_FIELDS_MAX = 64, TEXT_VARINT_MAX = 10 };

/* What records of an index hold. Immutable. */
struct text_format {
    uint32_t field_count;
    bool fields, freqs, positions;
    uint32_t weights[TEXT_FIELDS_MAX]; /* what an occurrence counts */
};

struct text_block {
    _Atomic(struct text_block *) next;
    uint64_t first, last; /* versions; last is the loop's alone */
    _Atomic uint32_t used;
    uint32_t capacity;
    uint8_t bytes[];
};

/* Appends the record of a later version. False: memory is short, and nothing has changed. */
MUST_USE bool text_postings_append(struct text_terms *t, struct text_term *term, uint64_t version,
                                   struct slice record);
/* Frees all blocks of a term. No reader is left. */
void text_postings_free(struct text_term *term);

/* Where collecting in a term goes on: behind the block `before`, NULL: at the first. Drops the
 * records of one block that `gone` says so of; true: that was the last block. */
struct text_collect {
    bool (*gone)(void *user, uint64_t version);
    void *user;
    const struct text_format *format;
    struct text_block *before;
    uint64_t records, bytes; /* dropped, so far */
    bool failed;
};
bool text_postings_collect(struct text_terms *t, struct text_term *term, struct text_collect *c);

/* One record after the other. All but format and end is text_cursor's own; version, and fields to
 * place_size, are the record it stands at. */
struct text_cursor {
    const struct text_format *format;
    const struct text_block *block;
    uint64_t end; /* versions from here on came later */
    uint32_t at, used;
    uint64_t version, fields;
    uint32_t frequency;    /* weighted */
    const uint8_t *counts; /* how often in each field, then the places */
    const uint8_t *places;
    uint32_t place_size;
};

void text_cursor_open(struct text_cursor *c, const struct text_term *term,
                      const struct text_format *format, uint64_t end);
/* False: there is no more. */
bool text_cursor_next(struct text_cursor *c);
/* Goes on to the first record of a version not below; may stay where it is. */
bool text_cursor_seek(struct text_cursor *c, uint64_t version);
/* Places of the record in the fields of a mask, into out (capacity from c->place_size entries up);
 * how many. A place is its field << 32 | the number of the word. */
size_t text_cursor_places(const struct text_cursor *c, uint64_t fields, uint64_t *out);

static inline void text_put_varint(struct buf *out, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        buf_append_byte(out, (uint8_t)(v | 0x80));
    buf_append_byte(out, (uint8_t)v);
}

/* Of bytes that text_put_varint made. */
static inline uint64_t text_get_varint(const uint8_t **at)
{
    uint64_t v = *(*at)++;
    if (v < 0x80)
        return v;
    v &= 0x7f;
    for (unsigned shift = 7;; shift += 7) {
        uint8_t byte = *(*at)++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return v;
    }
}

#endif
