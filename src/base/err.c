#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

static const char *const names[] = {
#define X(name, code, text) #name,
    ERR_LIST(X)
#undef X
};

static const char *const codes[] = {
#define X(name, code, text) code,
    ERR_LIST(X)
#undef X
};

static const char *const texts[] = {
#define X(name, code, text) text,
    ERR_LIST(X)
#undef X
};

const char *err_name(enum err e)
{
    CHECK(e < ERR_COUNT);
    return names[e];
}

const char *err_code(enum err e)
{
    CHECK(e < ERR_COUNT);
    return codes[e];
}

const char *err_text(enum err e)
{
    CHECK(e < ERR_COUNT);
    return texts[e];
}

enum err why_set(struct why *why, enum err e, const char *fmt, ...)
{
    CHECK(e != OK);
    if (why == NULL)
        return e;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why->text, sizeof(why->text), fmt, args);
    va_end(args);
    return e;
}
