/* store_s3_multipart.c: large objects in parts, each sent and checked by itself.
 *
 * The object appears when the parts are put together, whole or not at all. An upload that fails is
 * aborted, so that nobody pays for its parts; one that a crash cut short is found by
 * s3_abort_uploads. */
#include <inttypes.h>
#include <stdio.h>

#include "base/crc32c.h"
#include "base/digest.h"
#include "persist/store_s3.h"

enum {
    PARTS_MAX = 10000,       /* of S3 */
    COMPLETE_PATIENCE = 10,  /* putting parts together may take minutes */
    ABORT_ROUNDS_MAX = 1000, /* each ends up to a thousand uploads */
    UPLOAD_ID_MAX = 1023
};

/* owner: s3_put_parts */
struct upload {
    struct store_s3 *s3;
    const char *name;
    struct io_file *file;
    uint64_t size, part_size;
    uint32_t crc; /* of the parts so far */
    char id[UPLOAD_ID_MAX + 1];
    struct buf part;     /* the bytes of the one under way */
    struct buf etags;    /* "<Part>..</Part>" of those sent */
    struct buf md5s;     /* MD5_SIZE bytes of each */
    bool md5_known;      /* of every part */
    unsigned part_count; /* sent */
};

static struct store_s3_call upload_call(const struct upload *u, enum http_method method)
{
    struct store_s3_call call = {.method = method, .name = u->name, .response_max = S3_ANSWER_MAX};
    s3_call_query(&call, "uploadId", u->id);
    return call;
}

/* -- begin ------------------------------------------------------------------------------------- */

/* The id of the upload, without which the answer is worth nothing. */
static enum err check_begin(void *user, const struct http_response *response, struct why *why)
{
    struct upload *u = user;
    struct slice result, inner;
    if (xml_child(buf_slice(&response->body), "InitiateMultipartUploadResult", &result) &&
        xml_child(result, "UploadId", &inner) && xml_text(inner, u->id, sizeof(u->id)) &&
        u->id[0] != '\0')
        return OK;
    u->id[0] = '\0';
    return why_set(why, ERR_IO, "the object store began an upload without saying which");
}

static enum err begin(struct upload *u, uint32_t crc, struct http_response *response,
                      struct why *why)
{
    char text[9];
    (void)snprintf(text, sizeof(text), "%08x", crc);
    struct store_s3_call call = {.method = HTTP_POST,
                                 .name = u->name,
                                 .response_max = S3_ANSWER_MAX,
                                 .check = check_begin,
                                 .user = u};
    s3_call_query(&call, "uploads", "");
    s3_call_header(&call, "content-type", "application/octet-stream");
    s3_call_header(&call, "x-amz-meta-crc32c", text);
    return s3_call(u->s3, &call, response, why);
}

/* -- parts ------------------------------------------------------------------------------------- */

static enum err check_part(void *user, const struct http_response *response, struct why *why)
{
    const struct upload *u = user;
    char etag[OBJECT_ETAG_MAX + 1], hex[DIGEST_HEX_MAX];
    uint8_t md5[MD5_SIZE];
    s3_etag(response, etag);
    if (etag[0] == '\0')
        return why_set(why, ERR_IO, "the object store took a part without an ETag");
    if (!s3_etag_is_md5(response, etag) || !digest_md5(buf_slice(&u->part), md5))
        return OK;
    digest_hex(md5, sizeof(md5), hex);
    if (slice_eq_nocase(slice_of(etag), hex))
        return OK;
    return why_set(why, ERR_CORRUPT,
                   "the object store has other bytes than were sent (MD5 %s, "
                   "not %s)",
                   etag, hex);
}

static enum err read_part(struct upload *u, struct why *why)
{
    uint64_t at = (uint64_t)u->part_count * u->part_size;
    size_t len = (size_t)(u->size - at < u->part_size ? u->size - at : u->part_size), got = 0;
    buf_clear(&u->part, SIZE_MAX);
    uint8_t *to = buf_reserve(&u->part, len);
    enum err e = to == NULL ? ERR_NOMEM : u->file->io->ops->file_read(u->file, at, to, len, &got);
    if (e != OK)
        return e;
    if (got != len)
        return why_set(why, ERR_IO, "a file became shorter while it was put");
    buf_advance(&u->part, got);
    u->crc = crc32c_extend(u->crc, to, got);
    return OK;
}

/* Writes down what completing needs of a part that has been sent. */
static void note_part(struct upload *u, const struct http_response *response)
{
    char etag[OBJECT_ETAG_MAX + 1];
    uint8_t md5[MD5_SIZE] = {0};
    s3_etag(response, etag);
    u->part_count++;
    u->md5_known =
        u->md5_known && s3_etag_is_md5(response, etag) && digest_md5(buf_slice(&u->part), md5);
    buf_append(&u->md5s, md5, sizeof(md5));
    buf_printf(&u->etags, "<Part><PartNumber>%u</PartNumber><ETag>&quot;%s&quot;</ETag></Part>",
               u->part_count, etag);
}

static enum err send_part(struct upload *u, struct http_response *response, struct why *why)
{
    char number[16];
    enum err e = read_part(u, why);
    if (e != OK)
        return e;
    (void)snprintf(number, sizeof(number), "%u", u->part_count + 1);
    struct store_s3_call call = upload_call(u, HTTP_PUT);
    s3_call_query(&call, "partNumber", number);
    call.body = buf_slice(&u->part);
    call.check = check_part;
    call.user = u;
    e = s3_call(u->s3, &call, response, why);
    if (e == OK)
        note_part(u, response);
    return e;
}

/* -- end --------------------------------------------------------------------------------------- */

/* The ETag that S3 gives to parts put together: the MD5 of their MD5s, and how many they are. */
static bool expected_etag(const struct upload *u, char out[OBJECT_ETAG_MAX + 1])
{
    uint8_t md5[MD5_SIZE];
    char hex[DIGEST_HEX_MAX];
    if (!u->md5_known || !digest_md5(buf_slice(&u->md5s), md5))
        return false;
    digest_hex(md5, sizeof(md5), hex);
    (void)snprintf(out, OBJECT_ETAG_MAX + 1, "%s-%u", hex, u->part_count);
    return true;
}

/* Whether etag contradicts ours; one of another form says nothing. */
static bool is_other_etag(const struct upload *u, const char *etag)
{
    char expected[OBJECT_ETAG_MAX + 1];
    return expected_etag(u, expected) && strlen(etag) == strlen(expected) &&
           strcmp(etag + 2 * MD5_SIZE, expected + 2 * MD5_SIZE) == 0 &&
           !slice_eq_nocase(slice_of(etag), expected);
}

static enum err check_complete(void *user, const struct http_response *response, struct why *why)
{
    const struct upload *u = user;
    struct slice result, inner;
    char quoted[OBJECT_ETAG_MAX + 3];
    if (!xml_child(buf_slice(&response->body), "CompleteMultipartUploadResult", &result))
        return why_set(why, ERR_IO, "the object store did not say that the parts are together");
    if (!xml_child(result, "ETag", &inner) || !xml_text(inner, quoted, sizeof(quoted)))
        return OK;
    size_t len = strlen(quoted);
    if (len < 2 || quoted[0] != '"' || quoted[len - 1] != '"')
        return OK;
    quoted[len - 1] = '\0';
    return is_other_etag(u, quoted + 1)
               ? why_set(why, ERR_CORRUPT,
                         "the object store put other parts together than were "
                         "sent (ETag %s)",
                         quoted + 1)
               : OK;
}

/* An upload that is not there any more may have been completed by an attempt whose answer got lost:
 * then the object is the one with our checksum. */
static enum err see_whether_complete(struct upload *u, struct why *why)
{
    struct object_info info;
    enum err e = u->s3->base.ops->head(&u->s3->base, u->name, &info, why);
    if (e != OK)
        return e;
    if (info.size != u->size || !info.has_crc32c || info.crc32c != u->crc ||
        is_other_etag(u, info.etag))
        return why_set(why, ERR_IO, "an upload has vanished before it was complete");
    return OK;
}

static enum err complete(struct upload *u, struct http_response *response, struct why *why)
{
    struct buf body = BUF_INIT(MEM_SCRATCH);
    buf_append_text(&body, "<CompleteMultipartUpload>");
    buf_append_slice(&body, buf_slice(&u->etags));
    buf_append_text(&body, "</CompleteMultipartUpload>");
    enum err e =
        buf_failed(&body) || buf_failed(&u->etags) || buf_failed(&u->md5s) ? ERR_NOMEM : OK;
    struct store_s3_call call = upload_call(u, HTTP_POST);
    s3_call_header(&call, "content-type", "application/xml");
    call.body = buf_slice(&body);
    call.patience = COMPLETE_PATIENCE;
    call.check = check_complete;
    call.user = u;
    if (e == OK)
        e = s3_call(u->s3, &call, response, why);
    if (e == ERR_NOT_FOUND && strcmp(call.code, "NoSuchUpload") == 0)
        e = see_whether_complete(u, why);
    buf_fini(&body);
    return e;
}

static void abort_upload(struct upload *u, struct http_response *response)
{
    struct store_s3_call call = upload_call(u, HTTP_DELETE);
    call.check = s3_check_removed;
    enum err e = s3_call(u->s3, &call, response, NULL);
    (void)e; /* best effort: what is left s3_abort_uploads finds */
}

/* Parts large enough that there are not too many. */
static uint64_t part_size_for(uint64_t size, uint64_t wanted)
{
    uint64_t least = (size + PARTS_MAX - 1) / PARTS_MAX;
    return wanted > least ? wanted : least;
}

enum err s3_put_parts(struct store_s3 *s3, const char *name, struct io_file *file, uint64_t size,
                      uint32_t crc32c, struct why *why)
{
    CHECK(size > 0);
    struct http_response response;
    struct upload u = {.s3 = s3,
                       .name = name,
                       .file = file,
                       .size = size,
                       .part_size = part_size_for(size, s3->part_size),
                       .part = BUF_INIT(MEM_SCRATCH),
                       .etags = BUF_INIT(MEM_SCRATCH),
                       .md5s = BUF_INIT(MEM_SCRATCH),
                       .md5_known = true};
    http_response_init(&response, MEM_SCRATCH);
    enum err e = begin(&u, crc32c, &response, why);
    while (e == OK && u.part_count * u.part_size < size)
        e = send_part(&u, &response, why);
    if (e == OK && u.crc != crc32c)
        e = why_set(why, ERR_IO, "a file changed while it was put");
    if (e == OK)
        e = complete(&u, &response, why);
    if (e != OK && u.id[0] != '\0')
        abort_upload(&u, &response);
    http_response_fini(&response);
    buf_fini(&u.part);
    buf_fini(&u.etags);
    buf_fini(&u.md5s);
    return e;
}

/* -- what crashes leave ------------------------------------------------------------------------ */

/* Ends one upload of the list, if it is of an object of this store. *ended counts. */
static enum err abort_listed(struct store_s3 *s3, struct slice upload, unsigned *ended,
                             struct why *why)
{
    char key[OBJECT_URL_MAX + OBJECT_NAME_MAX + 2], id[UPLOAD_ID_MAX + 1];
    struct slice inner;
    size_t skip = strlen(s3->prefix);
    if (!xml_child(upload, "Key", &inner) || !xml_text(inner, key, sizeof(key)) ||
        strncmp(key, s3->prefix, skip) != 0 || !object_name_valid(key + skip))
        return OK;
    if (!xml_child(upload, "UploadId", &inner) || !xml_text(inner, id, sizeof(id)))
        return OK;
    struct http_response response;
    struct store_s3_call call = {.method = HTTP_DELETE,
                                 .name = key + skip,
                                 .response_max = S3_ANSWER_MAX,
                                 .check = s3_check_removed};
    s3_call_query(&call, "uploadId", id);
    http_response_init(&response, MEM_SCRATCH);
    enum err e = s3_call(s3, &call, &response, why);
    http_response_fini(&response);
    *ended += 1;
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err abort_page(struct store_s3 *s3, struct slice xml, unsigned *ended, struct why *why)
{
    struct slice result, name, inner;
    if (!xml_child(xml, "ListMultipartUploadsResult", &result))
        return why_set(why, ERR_IO, "the object store gave no list of uploads that can be read");
    enum err e = OK;
    while (e == OK && xml_next(&result, &name, &inner) == XML_ELEMENT)
        if (slice_eq(name, slice_of("Upload")))
            e = abort_listed(s3, inner, ended, why);
    return e;
}

/* Lists from the start after every page: what is ended is not listed again. */
enum err s3_abort_uploads(struct store_s3 *s3, struct why *why)
{
    struct http_response response;
    unsigned ended;
    enum err e;
    http_response_init(&response, MEM_SCRATCH);
    unsigned rounds = 0;
    do {
        char root[] = "ListMultipartUploadsResult";
        struct store_s3_call call = {.method = HTTP_GET,
                                     .response_max = S3_ANSWER_MAX,
                                     .check = s3_check_list,
                                     .user = root};
        s3_call_query(&call, "uploads", "");
        s3_call_query(&call, "prefix", s3->prefix);
        ended = 0;
        e = s3_call(s3, &call, &response, why);
        if (e == OK)
            e = abort_page(s3, buf_slice(&response.body), &ended, why);
        rounds++;
    } while (e == OK && ended > 0 && rounds < ABORT_ROUNDS_MAX);
    http_response_fini(&response);
    return e;
}
