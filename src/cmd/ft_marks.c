#include "cmd/ft_marks.h"

#include "base/limits.h"
#include "db/key_text.h"
#include "net/resp_write.h"

/* -- words ------------------------------------------------------------------------------------- */

enum { PIECES_DEFAULT = 3, PIECE_WORDS_DEFAULT = 20 };

static enum err bad(struct ft_words *w, const char *option)
{
    return why_set(w->why, ERR_ARG, "Bad arguments for %s", option);
}

static struct ft_marked *field_of(struct ft_marks *m, struct slice name)
{
    for (size_t i = 0; i < m->count; i++)
        if (slice_eq(m->fields[i].name, name))
            return &m->fields[i];
    m->fields[m->count] = (struct ft_marked){.name = name};
    return &m->fields[m->count++];
}

/* FIELDS n name ..; *names has none when it is not said. */
static enum err read_fields(struct ft_words *w, const char *option, struct ft_marks *m,
                            struct slices *names)
{
    *names = (struct slices){0};
    m->given = true;
    if (!ft_words_next_is(w, "FIELDS"))
        return OK;
    enum err e = ft_words_list(w, option, names);
    if (e != OK)
        return bad(w, option);
    if (m->count + names->count > LIMIT_INDEX_FIELDS)
        return why_set(w->why, ERR_LIMIT, "%s has at most %d fields", option, LIMIT_INDEX_FIELDS);
    struct ft_marked *fields =
        mem_try_realloc(MEM_SCRATCH, m->fields, (m->count + names->count + 1) * sizeof(*m->fields));
    if (fields == NULL)
        return ERR_NOMEM;
    m->fields = fields;
    return OK;
}

static enum err read_text(struct ft_words *w, const char *option, struct slice *out)
{
    if (ft_words_take(w, option, out) != OK)
        return bad(w, option);
    if (out->len > LIMIT_MARK_SIZE)
        return why_set(w->why, ERR_LIMIT, "a tag or separator of %s has at most %d bytes", option,
                       LIMIT_MARK_SIZE);
    return OK;
}

static enum err read_count(struct ft_words *w, size_t *out)
{
    uint64_t count = 0;
    if (ft_words_count(w, "SUMMARIZE", LIMIT_PIECES, &count) != OK)
        return bad(w, "SUMMARIZE");
    *out = (size_t)count;
    return OK;
}

static void set_pieces(struct text_show *to, const struct text_show *from)
{
    to->in_pieces = true;
    to->pieces = from->pieces;
    to->piece_words = from->piece_words;
    to->separator = from->separator;
}

static void set_marks(struct text_show *to, const struct text_show *from)
{
    to->marked = true;
    to->open = from->open;
    to->close = from->close;
}

enum err ft_marks_read_pieces(struct ft_words *w, struct ft_marks *m)
{
    struct text_show how = {.pieces = PIECES_DEFAULT,
                            .piece_words = PIECE_WORDS_DEFAULT,
                            .separator = slice_of("... ")};
    struct slices names;
    enum err e = read_fields(w, "SUMMARIZE", m, &names);
    for (bool more = true; e == OK && more;) {
        if (ft_words_next_is(w, "LEN"))
            e = read_count(w, &how.piece_words);
        else if (ft_words_next_is(w, "FRAGS"))
            e = read_count(w, &how.pieces);
        else if (ft_words_next_is(w, "SEPARATOR"))
            e = read_text(w, "SUMMARIZE", &how.separator);
        else
            more = false;
    }
    for (size_t i = 0; e == OK && i < names.count; i++)
        set_pieces(&field_of(m, names.items[i])->how, &how);
    if (e == OK && names.count == 0)
        set_pieces(&m->all, &how);
    return e;
}

enum err ft_marks_read(struct ft_words *w, struct ft_marks *m)
{
    struct text_show how = {.open = slice_of("<b>"), .close = slice_of("</b>")};
    struct slices names;
    enum err e = read_fields(w, "HIGHLIGHT", m, &names);
    while (e == OK && ft_words_next_is(w, "TAGS")) {
        e = read_text(w, "HIGHLIGHT", &how.open);
        if (e == OK)
            e = read_text(w, "HIGHLIGHT", &how.close);
    }
    for (size_t i = 0; e == OK && i < names.count; i++)
        set_marks(&field_of(m, names.items[i])->how, &how);
    if (e == OK && names.count == 0)
        set_marks(&m->all, &how);
    return e;
}

void ft_marks_settle(struct ft_marks *m)
{
    for (size_t i = 0; i < m->count; i++) {
        struct text_show *how = &m->fields[i].how;
        if (m->all.in_pieces && !how->in_pieces)
            set_pieces(how, &m->all);
        if (m->all.marked && !how->marked)
            set_marks(how, &m->all);
    }
}

void ft_marks_fini(struct ft_marks *m)
{
    mem_free(MEM_SCRATCH, m->fields);
    *m = (struct ft_marks){0};
}

/* -- values ------------------------------------------------------------------------------------ */

/* A TEXT field of the schema by its path, or by what queries call it. */
static const struct index_field *text_field(const struct index_spec *spec, struct slice name)
{
    for (size_t i = 0; i < spec->field_count; i++) {
        const struct index_field *f = &spec->fields[i];
        if (f->kind == INDEX_TEXT && !f->no_index &&
            (slice_eq(f->name, name) || slice_eq(f->path, name)))
            return f;
    }
    return NULL;
}

static bool calls(const struct ft_marked *m, const struct index_field *f, struct slice as)
{
    return slice_eq(m->name, as) || slice_eq(m->name, f->name) || slice_eq(m->name, f->path);
}

struct ft_target ft_marks_of_return(const struct ft_marks *m, const struct index_spec *spec,
                                    struct slice what, struct slice as)
{
    const struct index_field *f = m->given ? text_field(spec, what) : NULL;
    struct ft_target target = {0};
    if (f == NULL)
        return target;
    target.stems = !f->no_stem;
    target.how = m->all.marked || m->all.in_pieces ? &m->all : NULL;
    for (size_t i = 0; i < m->count; i++)
        if (calls(&m->fields[i], f, as))
            target.how = &m->fields[i].how;
    return target;
}

struct ft_target ft_marks_of(const struct ft_marks *m, const struct index_spec *spec,
                             struct slice path)
{
    return ft_marks_of_return(m, spec, path, path);
}

/* -- [lane] the reply -------------------------------------------------------------------------- */

static struct text_marker *make_marker(const struct index_spec *spec, enum text_language language,
                                       const struct key_text *text)
{
    struct slice usual[TEXT_STOP_WORD_COUNT];
    struct slices stops = {spec->stop_words, spec->stop_word_count};
    if (!spec->own_stop_words) {
        text_usual_stop_words(usual);
        stops = (struct slices){usual, COUNT_OF(usual)};
    }
    struct text_marker *m = text_marker_new(language, stops.items, stops.count);
    enum err e = m == NULL ? ERR_NOMEM : OK;
    for (size_t i = 0; e == OK && text != NULL && i < text->count; i++)
        e = text_marker_add(m, &text->groups[i]->query, text->groups[i]->rarity);
    if (e == OK)
        return m;
    text_marker_free(m);
    return NULL;
}

static enum err write_spots(struct text_marker *m, const struct buf *spots, struct slice reply,
                            struct buf *out)
{
    enum { LINE_END = 2 };
    const struct ft_spot *items = (const struct ft_spot *)(const void *)spots->ptr;
    struct buf shown = BUF_INIT(MEM_SCRATCH);
    struct reply r = {out, 2};
    size_t at = 0;
    enum err e = OK;
    for (size_t i = 0; e == OK && i < spots->len / sizeof(*items); i++) {
        const struct ft_spot *s = &items[i];
        CHECK(at <= s->at && s->end <= reply.len && s->at + s->size + LINE_END < s->end);
        buf_append(out, reply.ptr + at, s->at - at);
        buf_clear(&shown, SIZE_MAX);
        struct slice whole = {reply.ptr + s->end - LINE_END - s->size, s->size};
        e = text_marker_show(m, whole, s->target.stems, s->target.how, &shown);
        if (e == OK)
            reply_bulk(&r, buf_slice(&shown));
        at = s->end;
    }
    buf_fini(&shown);
    buf_append(out, reply.ptr + at, reply.len - at);
    return e == OK && buf_failed(out) ? ERR_NOMEM : e;
}

enum err ft_marks_write(const struct buf *spots, const struct index_spec *spec,
                        enum text_language language, const struct key_text *text, struct buf *reply)
{
    struct buf out = BUF_INIT(MEM_CLIENT);
    if (spots->len == 0)
        return OK;
    struct text_marker *m = make_marker(spec, language, text);
    enum err e = m == NULL ? ERR_NOMEM : write_spots(m, spots, buf_slice(reply), &out);
    text_marker_free(m);
    if (e != OK) {
        buf_fini(&out);
        return e;
    }
    buf_fini(reply);
    *reply = out;
    return OK;
}
