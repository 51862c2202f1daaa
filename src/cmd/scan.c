#include "cmd/scan.h"

#include <stdio.h>

#include "base/glob.h"

enum { SCAN_US = 300, SCAN_COUNT = 10 };

bool scan_begin(struct request *rq, const struct scan_words *words, struct scan *s)
{
    struct io *io = rq->env->io;
    *s = (struct scan){.text = BUF_INIT(MEM_CLIENT),
                       .match = words->has_match ? &words->match : NULL,
                       .wanted = words->has_count ? (size_t)words->count : SCAN_COUNT,
                       .io = io,
                       .start_us = io->ops->mono_us(io)};
    s->reply = (struct reply){&s->text, rq->reply.proto};
    if (!slice_to_u64(words->cursor, &s->cursor)) {
        reply_error(&rq->reply, "ERR invalid cursor");
        return false;
    }
    if (words->has_count && words->count < 1) {
        reply_error(&rq->reply, "ERR syntax error");
        return false;
    }
    return true;
}

bool scan_matches(const struct scan *s, struct slice name)
{
    return s->match == NULL || glob_match(*s->match, name);
}

bool scan_is_late(void *user)
{
    struct scan *s = user;
    return s->io->ops->mono_us(s->io) - s->start_us > SCAN_US;
}

void scan_end(struct request *rq, struct scan *s, uint64_t cursor)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%llu", (unsigned long long)cursor);
    CHECK(size > 0 && (size_t)size < sizeof(text));
    if (buf_failed(&s->text)) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    } else {
        reply_array(&rq->reply, 2);
        reply_text(&rq->reply, text);
        reply_array(&rq->reply, s->count);
        buf_append_slice(rq->reply.out, buf_slice(&s->text));
    }
    buf_fini(&s->text);
}
