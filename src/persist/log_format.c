#include "persist/log_format.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/limits.h"
#include "base/plant.h"

#define SEGMENT_MAGIC 0x0a474f4c2d424456u /* "VDB-LOG\n" as it stands in the file */
#define RECORD_MAGIC 0xc1524456u          /* "VDR" and a byte that is no text */
#define NOTE_MAGIC 0xc1445644u

/* Offsets that more than one function knows. */
enum {
    SEGMENT_CRC_AT = LOG_SEGMENT_HEADER_SIZE - 4,
    RECORD_CRC_AT = 4,
    RECORD_CRC_FROM = 8, /* the bytes before are the magic, which is compared, and the CRC */
    RECORD_LSN_AT = 16,
    RECORD_DURABLE_AT = 32,
    NOTE_CRC_FROM = 8
};

/* Numbers written to fixed places. */
static uint8_t *put_u16(uint8_t *to, uint16_t value)
{
    to[0] = (uint8_t)value;
    to[1] = (uint8_t)(value >> 8);
    return to + 2;
}

static uint8_t *put_u32(uint8_t *to, uint32_t value)
{
    return put_u16(put_u16(to, (uint16_t)value), (uint16_t)(value >> 16));
}

static uint8_t *put_u64(uint8_t *to, uint64_t value)
{
    return put_u32(put_u32(to, (uint32_t)value), (uint32_t)(value >> 32));
}

static uint32_t get_u32(const uint8_t *from)
{
    struct bytes_reader r = {.left = {from, 4}};
    return bytes_get_u32(&r);
}

static uint64_t get_u64(const uint8_t *from)
{
    struct bytes_reader r = {.left = {from, 8}};
    return bytes_get_u64(&r);
}

static uint16_t get_u16(struct bytes_reader *r)
{
    uint8_t low = bytes_get_u8(r);
    return (uint16_t)(low | bytes_get_u8(r) << 8);
}

/* -- segments ---------------------------------------------------------------------------------- */

void log_segment_encode(const struct log_segment *s, uint8_t out[LOG_SEGMENT_HEADER_SIZE])
{
    CHECK(s->first_lsn > s->durable_lsn && s->generation > 0);
    uint8_t *to = put_u64(out, SEGMENT_MAGIC);
    to = put_u32(to, LOG_VERSION);
    to = put_u32(to, LOG_SEGMENT_HEADER_SIZE);
    to = put_u32(to, s->generation);
    to = put_u32(to, s->previous_crc);
    to = put_u64(to, s->first_lsn);
    to = put_u64(to, s->durable_lsn);
    to = put_u64(to, s->created_ms);
    memcpy(to, s->run_id, LOG_RUN_ID_SIZE);
    to = put_u32(to + LOG_RUN_ID_SIZE, s->salt);
    CHECK(to == out + SEGMENT_CRC_AT);
    (void)put_u32(to, crc32c_extend(0, out, SEGMENT_CRC_AT));
}

enum err log_segment_parse(struct slice bytes, struct log_segment *out, struct why *why)
{
    struct bytes_reader r = {.left = bytes};
    if (bytes.len < LOG_SEGMENT_HEADER_SIZE)
        return why_set(why, ERR_CORRUPT, "cut short: the header has %d bytes, the file %zu",
                       LOG_SEGMENT_HEADER_SIZE, bytes.len);
    if (bytes_get_u64(&r) != SEGMENT_MAGIC)
        return why_set(why, ERR_CORRUPT, "does not begin as a segment of a log does");
    uint32_t version = bytes_get_u32(&r), size = bytes_get_u32(&r);
    bool whole = crc32c_extend(0, bytes.ptr, SEGMENT_CRC_AT) == get_u32(bytes.ptr + SEGMENT_CRC_AT);
    if (!whole)
        return why_set(why, ERR_CORRUPT, "the header does not match its checksum");
    if (version != LOG_VERSION || size != LOG_SEGMENT_HEADER_SIZE)
        return why_set(why, ERR_UNSUPPORTED, "version %" PRIu32 " of the format; this is for %d",
                       version, LOG_VERSION);
    *out = (struct log_segment){.generation = bytes_get_u32(&r), .previous_crc = bytes_get_u32(&r)};
    out->first_lsn = bytes_get_u64(&r);
    out->durable_lsn = bytes_get_u64(&r);
    out->created_ms = bytes_get_u64(&r);
    memcpy(out->run_id, bytes_get_raw(&r, LOG_RUN_ID_SIZE).ptr, LOG_RUN_ID_SIZE);
    out->salt = bytes_get_u32(&r);
    if (out->first_lsn <= out->durable_lsn || out->generation == 0)
        return why_set(why, ERR_CORRUPT, "the header contradicts itself");
    return OK;
}

void log_segment_name(uint32_t generation, uint64_t first_lsn, char out[LOG_NAME_SIZE])
{
    int n = snprintf(out, LOG_NAME_SIZE, "log-%08" PRIx32 "-%016" PRIx64 ".vlog", generation,
                     first_lsn);
    CHECK(n > 0 && n < LOG_NAME_SIZE);
}

bool log_segment_name_parse(const char *name, uint32_t *generation, uint64_t *first_lsn)
{
    char same[LOG_NAME_SIZE];
    if (sscanf(name, "log-%8" SCNx32 "-%16" SCNx64 ".vlog", generation, first_lsn) != 2)
        return false;
    /* Written again it is the same: so nothing stands before, between or behind. */
    log_segment_name(*generation, *first_lsn, same);
    return strcmp(same, name) == 0;
}

/* -- records ----------------------------------------------------------------------------------- */

static uint32_t header_crc(const uint8_t *header, uint32_t salt)
{
    return crc32c_extend(salt, header + RECORD_CRC_FROM, LOG_RECORD_HEADER_SIZE - RECORD_CRC_FROM);
}

void log_record_head(struct log_record *r, uint32_t payload_crc, uint8_t *out)
{
    CHECK(r->lsn > r->durable_lsn && r->payload.len <= LIMIT_RECORD_SIZE);
    uint8_t *to = put_u32(out, RECORD_MAGIC) + 4;
    to = put_u32(to, (uint32_t)r->payload.len);
    to = put_u32(to, payload_crc);
    to = put_u64(to, r->lsn);
    to = put_u32(to, r->epoch);
    to = put_u16(to, r->kind);
    to = put_u16(to, r->flags);
    CHECK(to == out + RECORD_DURABLE_AT);
    to = put_u64(to, r->durable_lsn);
    to = put_u32(to, r->previous_crc);
    to = put_u32(to, r->shard);
    to = put_u64(to, r->wall_ms);
    CHECK(to == out + LOG_RECORD_HEADER_SIZE);
    r->crc = header_crc(out, r->salt);
    (void)put_u32(out + RECORD_CRC_AT, r->crc);
}

void log_record_encode(struct log_record *r, uint8_t *out)
{
    log_record_head(r, crc32c(r->payload), out);
    if (r->payload.len > 0)
        memcpy(out + LOG_RECORD_HEADER_SIZE, r->payload.ptr, r->payload.len);
    size_t used = LOG_RECORD_HEADER_SIZE + r->payload.len;
    memset(out + used, 0, log_record_size(r->payload.len) - used);
}

/* Is this the header of a record, as it was written? */
static bool header_is_whole(const uint8_t *header, uint32_t salt)
{
    return get_u32(header) == RECORD_MAGIC &&
           get_u32(header + RECORD_CRC_AT) == header_crc(header, salt);
}

/* header is whole. The payload's length and checksum come back beside the rest. */
static struct log_record header_parse(const uint8_t *header, uint32_t *size, uint32_t *crc)
{
    struct bytes_reader r = {.left = {header, LOG_RECORD_HEADER_SIZE}};
    struct log_record out = {0};
    (void)bytes_get_u32(&r);
    out.crc = bytes_get_u32(&r);
    *size = bytes_get_u32(&r);
    *crc = bytes_get_u32(&r);
    out.lsn = bytes_get_u64(&r);
    out.epoch = bytes_get_u32(&r);
    out.kind = get_u16(&r);
    out.flags = get_u16(&r);
    out.durable_lsn = bytes_get_u64(&r);
    out.previous_crc = bytes_get_u32(&r);
    out.shard = bytes_get_u32(&r);
    out.wall_ms = bytes_get_u64(&r);
    CHECK(!r.broken && r.left.len == 0);
    return out;
}

/* -- reading ----------------------------------------------------------------------------------- */

struct log_cursor log_cursor_start(const struct log_segment *segment)
{
    return (struct log_cursor){.offset = LOG_SEGMENT_HEADER_SIZE,
                               .lsn = segment->first_lsn,
                               .previous_crc = segment->previous_crc,
                               .salt = segment->salt,
                               .durable_lsn = segment->durable_lsn};
}

static enum log_step damaged(struct why *why, const char *text)
{
    (void)why_set(why, ERR_CORRUPT, "%s", text);
    return LOG_DAMAGED;
}

/* Can a whole header be the next one of the cursor? NULL: yes. */
static const char *misfit(const struct log_cursor *c, const struct log_record *r, uint32_t size)
{
    if (r->lsn != c->lsn)
        return "a record with another LSN";
    if (r->previous_crc != c->previous_crc)
        return "a record that follows another one";
    if (r->durable_lsn >= r->lsn || size > LIMIT_RECORD_SIZE)
        return "a record that contradicts itself";
    return NULL;
}

static bool all_zero(const uint8_t *bytes, size_t count)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum |= bytes[i];
    return sum == 0;
}

enum log_step log_cursor_next(struct log_cursor *c, struct slice bytes, bool to_end,
                              struct log_record *out, size_t *need, struct why *why)
{
    CHECK((uintptr_t)bytes.ptr % LOG_ALIGNMENT == 0);
    uint32_t size, crc;
    *need = LOG_RECORD_HEADER_SIZE;
    if (bytes.len == 0 && to_end)
        return LOG_END;
    if (bytes.len < *need)
        return to_end ? damaged(why, "cut short within the header of a record") : LOG_MORE;
    if (!header_is_whole(bytes.ptr, c->salt))
        return damaged(why, get_u32(bytes.ptr) == RECORD_MAGIC
                                ? "the header of a record does not match its checksum"
                                : "no record begins here");
    *out = header_parse(bytes.ptr, &size, &crc);
    const char *wrong = misfit(c, out, size);
    if (wrong != NULL)
        return damaged(why, wrong);
    if (out->kind != LOG_CHANGE || out->flags != 0) {
        (void)why_set(why, ERR_UNSUPPORTED, "a record of kind %u, which this version does not know",
                      (unsigned)out->kind);
        return LOG_FOREIGN;
    }
    *need = log_record_size(size);
    if (bytes.len < *need)
        return to_end ? damaged(why, "cut short within a record") : LOG_MORE;
    out->payload = (struct slice){bytes.ptr + LOG_RECORD_HEADER_SIZE, size};
    if (crc32c(out->payload) != crc && !PLANTED(PLANT_RECORD_CRC))
        return damaged(why, "a record does not match its checksum");
    if (!all_zero(out->payload.ptr + size, *need - LOG_RECORD_HEADER_SIZE - size))
        return damaged(why, "the padding of a record is not zero");
    c->offset += *need;
    c->lsn++;
    c->previous_crc = out->crc;
    if (out->durable_lsn > c->durable_lsn)
        c->durable_lsn = out->durable_lsn;
    return LOG_RECORD;
}

uint64_t log_claims(struct slice bytes, uint32_t salt)
{
    uint64_t highest = 0;
    for (size_t at = 0; at + LOG_RECORD_HEADER_SIZE <= bytes.len; at += LOG_ALIGNMENT) {
        const uint8_t *header = bytes.ptr + at;
        if (!header_is_whole(header, salt))
            continue;
        uint64_t claim = get_u64(header + RECORD_DURABLE_AT);
        if (claim > highest)
            highest = claim;
    }
    return highest;
}

size_t log_find(struct slice bytes, uint32_t salt, uint64_t lsn)
{
    for (size_t at = 0; at + LOG_RECORD_HEADER_SIZE <= bytes.len; at += LOG_ALIGNMENT)
        if (header_is_whole(bytes.ptr + at, salt) && get_u64(bytes.ptr + at + RECORD_LSN_AT) == lsn)
            return at;
    return SIZE_MAX;
}

struct log_cursor log_cursor_at(const uint8_t header[LOG_RECORD_HEADER_SIZE], uint64_t offset,
                                uint32_t salt)
{
    uint32_t size, crc;
    CHECK(header_is_whole(header, salt) && offset % LOG_ALIGNMENT == 0);
    struct log_record r = header_parse(header, &size, &crc);
    return (struct log_cursor){
        .offset = offset, .lsn = r.lsn, .previous_crc = r.previous_crc, .salt = salt};
}

/* -- the note ---------------------------------------------------------------------------------- */

void log_note_encode(const struct log_note *n, uint8_t out[LOG_NOTE_SLOT_SIZE])
{
    memset(out, 0, LOG_NOTE_SLOT_SIZE);
    uint8_t *to = put_u32(out, NOTE_MAGIC) + 4;
    to = put_u32(to, LOG_VERSION);
    to = put_u32(to, n->generation);
    to = put_u64(to, n->sequence);
    to = put_u64(to, n->durable_lsn);
    to = put_u64(to, n->wall_ms);
    to = put_u32(to, n->clean);
    (void)put_u32(to, n->salt);
    (void)put_u32(out + 4,
                  crc32c_extend(0, out + NOTE_CRC_FROM, LOG_NOTE_SLOT_SIZE - NOTE_CRC_FROM));
}

static bool slot_parse(const uint8_t *slot, struct log_note *out)
{
    struct bytes_reader r = {.left = {slot, LOG_NOTE_SLOT_SIZE}};
    bool known = bytes_get_u32(&r) == NOTE_MAGIC;
    uint32_t crc = bytes_get_u32(&r);
    known = known && bytes_get_u32(&r) == LOG_VERSION;
    out->generation = bytes_get_u32(&r);
    out->sequence = bytes_get_u64(&r);
    out->durable_lsn = bytes_get_u64(&r);
    out->wall_ms = bytes_get_u64(&r);
    out->clean = bytes_get_u32(&r) != 0;
    out->salt = bytes_get_u32(&r);
    return known &&
           crc == crc32c_extend(0, slot + NOTE_CRC_FROM, LOG_NOTE_SLOT_SIZE - NOTE_CRC_FROM);
}

bool log_note_parse(struct slice file, struct log_note *out)
{
    bool found = false;
    for (size_t at = 0; at + LOG_NOTE_SLOT_SIZE <= file.len && at < LOG_NOTE_SIZE;
         at += LOG_NOTE_SLOT_SIZE) {
        struct log_note note;
        if (!slot_parse(file.ptr + at, &note) || (found && note.sequence <= out->sequence))
            continue;
        *out = note;
        found = true;
    }
    return found;
}
