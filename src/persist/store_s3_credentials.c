/* store_s3_credentials.c: the first of options, environment, file and machine that has credentials.
 */
#include <stdio.h>

#include "base/digest.h"
#include "persist/store_s3.h"

enum {
    FILE_SIZE_MAX = 256 << 10,
    PATH_SIZE_MAX = 1024,
    REFRESH_MS = 5 * 60 * 1000 /* before they expire: none may expire while a part is on its way */
};

const char *s3_env(const struct object_store_options *options, const char *name)
{
    const char *value = options->env == NULL ? NULL : options->env(name);
    return value == NULL ? "" : value;
}

/* Copies a text into texts and returns where in it. */
static size_t keep(struct buf *texts, const char *text)
{
    size_t at = texts->len;
    buf_append(texts, text, strlen(text) + 1);
    CHECK(!buf_failed(texts));
    return at;
}

void s3_identity_init(struct s3_identity *id, struct io *io, struct http_transport *http,
                      const struct object_store_options *options)
{
    *id = (struct s3_identity){
        .io = io, .http = http, .options = *options, .texts = BUF_INIT(MEM_SERVER)};
    const char **const fields[] = {&id->options.access_key, &id->options.secret_key,
                                   &id->options.session_token, &id->options.credentials_file,
                                   &id->options.profile};
    size_t at[COUNT_OF(fields)];
    /* One piece of memory, so that growing leaves no copy of a secret behind. */
    size_t size = 0;
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        size += strlen(*fields[i]) + 1;
    CHECK(buf_reserve(&id->texts, size) != NULL);
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        at[i] = keep(&id->texts, *fields[i]);
    for (size_t i = 0; i < COUNT_OF(fields); i++)
        *fields[i] = (const char *)id->texts.ptr + at[i];
}

void s3_identity_fini(struct s3_identity *id)
{
    digest_wipe(&id->current, sizeof(id->current));
    digest_wipe(id->texts.ptr, id->texts.len);
    buf_fini(&id->texts);
}

void s3_identity_forget(struct s3_identity *id)
{
    id->known = false;
}

/* -- one source after the other ---------------------------------------------------------------- */

/* A value ends up in a header: anything that a line of one cannot hold is refused. */
static bool set_field(char *to, size_t size, struct slice value)
{
    if (value.len >= size)
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (value.ptr[i] <= ' ' || value.ptr[i] > '~')
            return false;
    memcpy(to, value.ptr, value.len);
    to[value.len] = '\0';
    return true;
}

static bool is_complete(const struct s3_credentials *c)
{
    return c->access_key[0] != '\0' && c->secret_key[0] != '\0';
}

/* *given: there was something, though maybe not enough. */
static bool from_texts(const char *key, const char *secret, const char *token,
                       struct s3_credentials *out, bool *given)
{
    *given = key[0] != '\0' || secret[0] != '\0';
    *out = (struct s3_credentials){.expires_ms = 0};
    return set_field(out->access_key, sizeof(out->access_key), slice_of(key)) &&
           set_field(out->secret_key, sizeof(out->secret_key), slice_of(secret)) &&
           set_field(out->session_token, sizeof(out->session_token), slice_of(token)) &&
           is_complete(out);
}

static struct slice trim(struct slice s)
{
    while (s.len > 0 && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
        s = (struct slice){s.ptr + 1, s.len - 1};
    while (s.len > 0 && strchr(" \t\r", s.ptr[s.len - 1]) != NULL)
        s.len--;
    return s;
}

static struct slice take_line(struct slice *text)
{
    const uint8_t *end = memchr(text->ptr, '\n', text->len);
    size_t len = end == NULL ? text->len : (size_t)(end - text->ptr);
    struct slice line = {text->ptr, len};
    size_t taken = end == NULL ? len : len + 1;
    *text = (struct slice){text->ptr + taken, text->len - taken};
    return trim(line);
}

/* "name = value" */
static void read_setting(struct slice line, struct s3_credentials *out)
{
    const uint8_t *equals = memchr(line.ptr, '=', line.len);
    if (equals == NULL)
        return;
    struct slice name = trim((struct slice){line.ptr, (size_t)(equals - line.ptr)});
    struct slice value =
        trim((struct slice){equals + 1, line.len - (size_t)(equals + 1 - line.ptr)});
    bool fits = true;
    if (slice_eq(name, slice_of("aws_access_key_id")))
        fits = set_field(out->access_key, sizeof(out->access_key), value);
    else if (slice_eq(name, slice_of("aws_secret_access_key")))
        fits = set_field(out->secret_key, sizeof(out->secret_key), value);
    else if (slice_eq(name, slice_of("aws_session_token")))
        fits = set_field(out->session_token, sizeof(out->session_token), value);
    if (!fits)
        out->access_key[0] = '\0'; /* so they are not complete, and nobody signs with half a key */
}

bool s3_credentials_of_file(struct slice text, const char *profile, struct s3_credentials *out)
{
    bool inside = false;
    *out = (struct s3_credentials){.expires_ms = 0};
    while (text.len > 0) {
        struct slice line = take_line(&text);
        if (line.len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';')
            continue;
        if (line.ptr[0] == '[' && line.ptr[line.len - 1] == ']')
            inside = slice_eq(trim((struct slice){line.ptr + 1, line.len - 2}), slice_of(profile));
        else if (inside)
            read_setting(line, out);
    }
    return is_complete(out);
}

/* Where the file is: the option, the environment, or the home folder. False: nowhere. */
static bool file_path(const struct s3_identity *id, char *out, size_t size, bool *named)
{
    const struct object_store_options *o = &id->options;
    const char *path = o->credentials_file;
    if (path[0] == '\0')
        path = s3_env(o, "AWS_SHARED_CREDENTIALS_FILE");
    *named = path[0] != '\0';
    const char *home = s3_env(o, "HOME");
    int len =
        *named ? snprintf(out, size, "%s", path) : snprintf(out, size, "%s/.aws/credentials", home);
    return len > 0 && (size_t)len < size && (*named || home[0] != '\0');
}

/* ERR_NOT_FOUND when there is no file and nobody has named one. */
static enum err from_file(struct s3_identity *id, struct s3_credentials *out, struct why *why)
{
    char path[PATH_SIZE_MAX];
    bool named;
    if (!file_path(id, path, sizeof(path), &named))
        return ERR_NOT_FOUND;
    const char *profile = id->options.profile;
    if (profile[0] == '\0')
        profile = s3_env(&id->options, "AWS_PROFILE");
    if (profile[0] == '\0')
        profile = "default";
    struct buf text = BUF_INIT(MEM_SCRATCH);
    enum err e = io_read_file(id->io, path, FILE_SIZE_MAX, &text, why);
    bool found = e == OK && s3_credentials_of_file(buf_slice(&text), profile, out);
    digest_wipe(text.ptr, text.len);
    buf_fini(&text);
    if (found)
        return OK;
    if (e != OK)
        return e == ERR_NOT_FOUND && !named ? ERR_NOT_FOUND : ERR_NOAUTH;
    if (!named && id->options.profile[0] == '\0')
        return ERR_NOT_FOUND;
    return why_set(why, ERR_NOAUTH, "%s has no keys for the profile %s", path, profile);
}

static enum err from_machine(struct s3_identity *id, struct s3_credentials *out, struct why *why)
{
    const char *endpoint = s3_env(&id->options, "AWS_EC2_METADATA_SERVICE_ENDPOINT");
    enum err e = ERR_NOT_FOUND;
    if (!slice_eq_nocase(slice_of(s3_env(&id->options, "AWS_EC2_METADATA_DISABLED")), "true"))
        e = s3_credentials_of_machine(id->http, endpoint, out, NULL);
    if (e == OK || e == ERR_CANCELLED)
        return e;
    return why_set(why, ERR_NOAUTH,
                   "no credentials for the object store: set AWS_ACCESS_KEY_ID and "
                   "AWS_SECRET_ACCESS_KEY, or object-store-credentials-file, or give this machine "
                   "a role");
}

static enum err look(struct s3_identity *id, struct s3_credentials *out, struct why *why)
{
    const struct object_store_options *o = &id->options;
    bool given;
    if (from_texts(o->access_key, o->secret_key, o->session_token, out, &given))
        return OK;
    if (given)
        return why_set(why, ERR_NOAUTH,
                       "object-store-access-key and object-store-secret-key must "
                       "both be set, without blanks");
    if (from_texts(s3_env(o, "AWS_ACCESS_KEY_ID"), s3_env(o, "AWS_SECRET_ACCESS_KEY"),
                   s3_env(o, "AWS_SESSION_TOKEN"), out, &given))
        return OK;
    if (given)
        return why_set(why, ERR_NOAUTH,
                       "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY must both be "
                       "set, without blanks");
    enum err e = from_file(id, out, why);
    return e == ERR_NOT_FOUND ? from_machine(id, out, why) : e;
}

enum err s3_identity_get(struct s3_identity *id, const struct s3_credentials **out, struct why *why)
{
    uint64_t now = id->http->ops->wall_ms(id->http);
    uint64_t until = id->current.expires_ms;
    *out = &id->current;
    if (id->known && (until == 0 || now + REFRESH_MS < until))
        return OK;
    struct s3_credentials found;
    enum err e = look(id, &found, why);
    if (e == OK) {
        id->current = found;
        id->known = true;
    } else if (id->known && now < until) {
        e = OK; /* the old ones still hold; the next call asks again */
    }
    digest_wipe(&found, sizeof(found));
    return e;
}
