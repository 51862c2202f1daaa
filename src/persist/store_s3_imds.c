/* store_s3_imds.c: credentials of the role of an EC2 instance, from its metadata service. Version 2
 * only: a token is had by PUT first, which requests that somebody else was tricked into cannot do.
 */
#include <stdio.h>

#include "base/digest.h"
#include "db/json_scan.h"
#include "persist/store_s3.h"

enum {
    ANSWER_MAX = 64 << 10,
    ROLE_MAX = 128,
    TOKEN_MAX = 512,
    CONNECT_MS = 1000, /* the service is on the machine itself; elsewhere nobody answers */
    TOTAL_MS = 3000,
    ATTEMPTS = 3,
    PAUSE_MS = 200
};

static const char default_endpoint[] = "http://169.254.169.254";
static const char role_path[] = "/latest/meta-data/iam/security-credentials/";

/* owner: s3_credentials_of_machine */
struct metadata {
    struct http_transport *http;
    const char *endpoint;
    struct http_response response;
    struct buf headers;
};

/* ERR_NOT_FOUND when it says so, ERR_IO when nothing comes. */
static enum err ask(struct metadata *m, enum http_method method, const char *path,
                    const char *path_end, struct why *why)
{
    char url[HTTP_URL_MAX];
    int len = snprintf(url, sizeof(url), "%s%s%s", m->endpoint, path, path_end);
    if (len < 0 || (size_t)len >= sizeof(url))
        return ERR_LIMIT;
    struct http_request request = {.method = method,
                                   .url = url,
                                   .headers = buf_slice(&m->headers),
                                   .response_max = ANSWER_MAX,
                                   .connect_timeout_ms = CONNECT_MS,
                                   .idle_timeout_ms = TOTAL_MS,
                                   .total_timeout_ms = TOTAL_MS,
                                   .direct = true};
    enum err e = ERR_IO;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        e = attempt == 0 ? OK : m->http->ops->wait(m->http, PAUSE_MS);
        if (e == OK)
            e = m->http->ops->perform(m->http, &request, &m->response, why);
        if (e == OK && m->response.status == 200)
            return OK;
        if (e != OK && e != ERR_IO)
            return e;
        if (e == ERR_IO && method == HTTP_PUT)
            return e; /* nobody there: this is no such machine, and waiting would be in vain */
        if (e == OK)
            e = m->response.status == 404 ? ERR_NOT_FOUND : ERR_IO;
    }
    return e;
}

/* The body as one word of printable letters. */
static bool body_word(const struct http_response *response, char *out, size_t size)
{
    struct slice body = buf_slice(&response->body);
    size_t len = 0;
    while (len < body.len && body.ptr[len] > ' ' && body.ptr[len] <= '~')
        len++;
    if (len == 0 || len >= size || (len < body.len && body.ptr[len] > ' '))
        return false;
    memcpy(out, body.ptr, len);
    out[len] = '\0';
    return true;
}

static bool copy_string(const struct json_value *v, char *out, size_t size)
{
    size_t len = 0;
    if (v->kind != JSON_STRING)
        return false;
    struct json_chars chars = json_chars_of(v->text, v->escaped);
    for (int c; (c = json_chars_next(&chars)) >= 0; out[len++] = (char)c)
        if (c <= ' ' || c > '~' || len + 1 >= size)
            return false;
    out[len] = '\0';
    return len > 0;
}

enum { FIELD_KEY, FIELD_SECRET, FIELD_TOKEN, FIELD_EXPIRES, FIELD_COUNT };

/* {"AccessKeyId": "..", "SecretAccessKey": "..", "Token": "..", "Expiration": ".."} */
static bool read_role(struct slice json, struct s3_credentials *out)
{
    static const char *const fields[FIELD_COUNT] = {".AccessKeyId", ".SecretAccessKey", ".Token",
                                                    ".Expiration"};
    struct json_paths paths;
    struct json_value values[FIELD_COUNT + 1] = {{.kind = JSON_MISSING}};
    uint32_t slots[FIELD_COUNT];
    char expires[64];
    if (json_paths_init(&paths, MEM_SCRATCH) != OK)
        return false;
    bool ok = true;
    for (size_t i = 0; i < FIELD_COUNT && ok; i++)
        ok = json_paths_add(&paths, slice_of(fields[i]), &slots[i], NULL) == OK;
    CHECK(!ok || paths.count <= COUNT_OF(values));
    *out = (struct s3_credentials){.expires_ms = 0};
    ok = ok && json_read(json, &paths, values) &&
         copy_string(&values[slots[FIELD_KEY]], out->access_key, sizeof(out->access_key)) &&
         copy_string(&values[slots[FIELD_SECRET]], out->secret_key, sizeof(out->secret_key)) &&
         copy_string(&values[slots[FIELD_TOKEN]], out->session_token, sizeof(out->session_token)) &&
         copy_string(&values[slots[FIELD_EXPIRES]], expires, sizeof(expires)) &&
         date_parse(slice_of(expires), &out->expires_ms);
    json_paths_fini(&paths);
    return ok;
}

static enum err get_token(struct metadata *m, struct why *why)
{
    char token[TOKEN_MAX];
    buf_append_text(&m->headers, "x-aws-ec2-metadata-token-ttl-seconds: 300\n");
    enum err e = ask(m, HTTP_PUT, "/latest/api/token", "", why);
    if (e != OK)
        return e;
    if (!body_word(&m->response, token, sizeof(token)))
        return ERR_IO;
    buf_clear(&m->headers, SIZE_MAX);
    buf_printf(&m->headers, "x-aws-ec2-metadata-token: %s\n", token);
    digest_wipe(token, sizeof(token));
    return OK;
}

enum err s3_credentials_of_machine(struct http_transport *http, const char *endpoint,
                                   struct s3_credentials *out, struct why *why)
{
    char role[ROLE_MAX];
    struct metadata m = {.http = http,
                         .endpoint = endpoint[0] != '\0' ? endpoint : default_endpoint,
                         .headers = BUF_INIT(MEM_SCRATCH)};
    http_response_init(&m.response, MEM_SCRATCH);
    enum err e = get_token(&m, why);
    if (e == OK)
        e = ask(&m, HTTP_GET, role_path, "", why);
    if (e == OK && !body_word(&m.response, role, sizeof(role)))
        e = ERR_NOT_FOUND;
    if (e == OK)
        e = ask(&m, HTTP_GET, role_path, role, why);
    if (e == OK && !read_role(buf_slice(&m.response.body), out))
        e = why_set(why, ERR_CORRUPT, "the metadata service gave no credentials for its role");
    digest_wipe(m.response.body.ptr, m.response.body.len);
    digest_wipe(m.headers.ptr, m.headers.len);
    http_response_fini(&m.response);
    buf_fini(&m.headers);
    return e;
}
