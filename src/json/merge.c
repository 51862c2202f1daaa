/* Objects within each other on a stack: first the members of the target, as the patch has them,
 * then those that only the patch has. */
#include "json/merge.h"

#include "base/limits.h"
#include "json/value.h"

struct frame {
    struct slice target, patch; /* objects; target.len 0: there was none */
    struct jval_walk walk;
    bool added; /* the second pass */
    bool empty; /* nothing is written yet */
};

struct merger {
    struct frame frames[LIMIT_JSON_DEPTH];
    size_t depth;
    size_t work;
    struct buf *out;
};

static void push(struct merger *m, struct slice target, struct slice patch)
{
    CHECK(m->depth < LIMIT_JSON_DEPTH);
    struct frame *f = &m->frames[m->depth++];
    bool old = target.len > 0 && target.ptr[0] == '{';
    *f = (struct frame){.target = old ? target : (struct slice){0}, .patch = patch, .empty = true};
    f->added = !old;
    jval_walk(old ? target : patch, &f->walk);
    buf_append_byte(m->out, '{');
}

static void put_name(struct merger *m, struct frame *f, struct slice name)
{
    buf_append_text(m->out, f->empty ? "\"" : ",\"");
    buf_append_slice(m->out, name);
    buf_append_text(m->out, "\":");
    f->empty = false;
}

/* A member of the target, or with f->added of the patch. */
static void put_member(struct merger *m, struct frame *f, const struct jval_entry *entry)
{
    struct jval_entry other;
    struct slice in = f->added ? f->target : f->patch;
    m->work += in.len;
    bool both = in.len > 0 && jval_member(in, entry->name, &other);
    if (f->added && both)
        return; /* it had its turn */
    struct slice by = f->added ? entry->value : both ? other.value : (struct slice){0};
    if (by.len > 0 && jval_kind(by) == JVAL_NULL)
        return;
    put_name(m, f, entry->name);
    if (by.len > 0 && by.ptr[0] == '{')
        push(m, f->added ? (struct slice){0} : entry->value, by);
    else
        buf_append_slice(m->out, by.len > 0 ? by : entry->value);
}

enum err jmerge(struct slice target, struct slice patch, struct buf *out, struct why *why)
{
    struct merger m;
    struct jval_entry entry;
    m.depth = m.work = 0;
    m.out = out;
    if (patch.ptr[0] != '{')
        buf_append_slice(out, patch);
    else
        push(&m, target, patch);
    while (m.depth > 0 && m.work <= LIMIT_JSON_WORK && !buf_failed(out)) {
        struct frame *f = &m.frames[m.depth - 1];
        if (jval_next(&f->walk, &entry)) {
            put_member(&m, f, &entry);
        } else if (!f->added) {
            f->added = true;
            jval_walk(f->patch, &f->walk);
        } else {
            buf_append_byte(out, '}');
            m.depth--;
        }
    }
    if (buf_failed(out))
        return ERR_NOMEM;
    return m.depth > 0 ? why_set(why, ERR_LIMIT, "ERR the objects are too large to be merged") : OK;
}
