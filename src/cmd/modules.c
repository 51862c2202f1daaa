#include "cmd/modules.h"

/* Versions of the real ones whose commands these are like. */
static const struct module {
    const char *name;
    int64_t version;
} modules[] = {{"search", 21005}, {"ReJSON", 20809}};

void reply_modules(struct reply *r)
{
    reply_array(r, COUNT_OF(modules));
    for (size_t i = 0; i < COUNT_OF(modules); i++) {
        reply_map(r, 4);
        reply_text(r, "name");
        reply_text(r, modules[i].name);
        reply_text(r, "ver");
        reply_int(r, modules[i].version);
        reply_text(r, "path");
        reply_text(r, ""); /* no file: it is within the server */
        reply_text(r, "args");
        reply_array(r, 0);
    }
}

void print_modules(struct buf *out)
{
    for (size_t i = 0; i < COUNT_OF(modules); i++)
        buf_printf(out, "module:name=%s,ver=%lld,api=1,filters=0,usedby=[],using=[],options=[]\r\n",
                   modules[i].name, (long long)modules[i].version);
}
