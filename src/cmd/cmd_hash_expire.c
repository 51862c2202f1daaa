/* Fields that expire: HEXPIRE and its kin, HTTL and its kin, HPERSIST, HSETEX, HGETEX, HGETDEL. */
#include "base/limits.h"
#include "cmd/expire_time.h"
#include "cmd/hash.h"

/* Times that Redis takes for fields: 46 bits of milliseconds. */
#define FIELD_TIME_MAX ((int64_t)0x3fffffffffff)

/* What becomes of a field, as clients are told. */
enum { NO_FIELD = -2, NO_EXPIRY = -1, NOT_CHANGED = 0, CHANGED = 1, REMOVED = 2 };

static bool has_fields(struct request *rq, bool has)
{
    if (!has)
        reply_error(&rq->reply,
                    "ERR Mandatory argument FIELDS is missing or not at the right position");
    return has;
}

/* Room for as many names as the command has; NULL after replying that there is none. */
static struct slice *names_new(struct request *rq, const struct slices *fields)
{
    struct slice *names = mem_try(MEM_SCRATCH, fields->count * sizeof(*names));
    if (names == NULL)
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    return names;
}

/* Changes those names by a mutation of that kind; nothing when there are none. */
static bool change_names(struct request *rq, enum mutation_kind kind, struct slice key,
                         const struct slice *names, size_t count, uint64_t expire_ms)
{
    CHECK(kind == MUTATION_HASH_REMOVE || kind == MUTATION_HASH_EXPIRE);
    return count == 0 || write_mutation(rq, &(struct mutation){.kind = kind,
                                                               .key = key,
                                                               .ids = names,
                                                               .count = count,
                                                               .expire_ms = expire_ms});
}

/* Replies for names stand from here on; taken back when the change fails. */
static void end_replies(struct request *rq, size_t from, bool done, size_t error_at)
{
    struct buf *out = rq->reply.out;
    if (done)
        return;
    CHECK(from <= error_at && error_at <= out->len);
    memmove(out->ptr + from, out->ptr + error_at, out->len - error_at);
    out->len -= error_at - from;
}

/* -- HEXPIRE ----------------------------------------------------------------------------------- */

struct field_want {
    struct expire_want expire;
    bool has_fields;
    struct slices fields;
};

#define FIELD_WANT(a)                                                                              \
    (&(struct field_want){                                                                         \
        .expire = EXPIRE_WANT(a), .has_fields = (a)->has_fields, .fields = (a)->fields})

/* Unix time, in milliseconds. */
static bool read_time(struct request *rq, int64_t time, enum time_unit unit, bool absolute,
                      int64_t *out)
{
    int64_t most = FIELD_TIME_MAX / (unit == SECONDS ? 1000 : 1);
    int64_t now = absolute ? 0 : (int64_t)rq->env->db->now_ms;
    if (time < 0) {
        reply_error(&rq->reply, "ERR invalid expire time, must be >= 0");
        return false;
    }
    if (time > most || (*out = time * (unit == SECONDS ? 1000 : 1)) > FIELD_TIME_MAX - now) {
        reply_errorf(&rq->reply, "ERR invalid expire time in '%s' command", rq->command->name);
        return false;
    }
    *out += now;
    return true;
}

static void expire(struct request *rq, const struct field_want *want, enum time_unit unit,
                   bool absolute)
{
    const struct expire_want *w = &want->expire;
    const struct slices *fields = &want->fields;
    struct object *o;
    struct hash_field f;
    int64_t at;
    if (!hash_read(rq, w->key, &o) || !read_time(rq, w->time, unit, absolute, &at) ||
        !has_fields(rq, want->has_fields && w->nx + w->xx + w->gt + w->lt <= 1))
        return;
    struct slice *names = names_new(rq, fields);
    if (names == NULL)
        return;
    bool past = at <= (int64_t)rq->env->db->now_ms;
    size_t from = rq->reply.out->len, count = 0;
    reply_array(&rq->reply, fields->count);
    for (size_t i = 0; i < fields->count; i++) {
        bool found = hashes_get(rq->env->db, o, fields->items[i], &f);
        bool changes = found && expire_want_allows(w, f.expire_ms, at);
        if (changes)
            names[count++] = fields->items[i];
        reply_int(&rq->reply, !found     ? NO_FIELD
                              : !changes ? NOT_CHANGED
                              : past     ? REMOVED
                                         : CHANGED);
    }
    size_t end = rq->reply.out->len;
    bool done = change_names(rq, past ? MUTATION_HASH_REMOVE : MUTATION_HASH_EXPIRE, w->key, names,
                             count, past ? 0 : (uint64_t)at);
    end_replies(rq, from, done, end);
    mem_free(MEM_SCRATCH, names);
}

void cmd_hexpire(struct request *rq)
{
    expire(rq, FIELD_WANT((const struct hexpire_args *)rq->args), SECONDS, false);
}

void cmd_hpexpire(struct request *rq)
{
    expire(rq, FIELD_WANT((const struct hpexpire_args *)rq->args), MILLISECONDS, false);
}

void cmd_hexpireat(struct request *rq)
{
    expire(rq, FIELD_WANT((const struct hexpireat_args *)rq->args), SECONDS, true);
}

void cmd_hpexpireat(struct request *rq)
{
    expire(rq, FIELD_WANT((const struct hpexpireat_args *)rq->args), MILLISECONDS, true);
}

void cmd_hpersist(struct request *rq)
{
    const struct hpersist_args *a = rq->args;
    struct object *o;
    struct hash_field f;
    if (!has_fields(rq, a->has_fields) || !hash_read(rq, a->key, &o))
        return;
    struct slice *names = names_new(rq, &a->fields);
    if (names == NULL)
        return;
    size_t from = rq->reply.out->len, count = 0;
    reply_array(&rq->reply, a->fields.count);
    for (size_t i = 0; i < a->fields.count; i++) {
        bool found = hashes_get(rq->env->db, o, a->fields.items[i], &f);
        bool changes = found && f.expire_ms > 0;
        if (changes)
            names[count++] = a->fields.items[i];
        reply_int(&rq->reply, !found ? NO_FIELD : !changes ? NO_EXPIRY : CHANGED);
    }
    size_t end = rq->reply.out->len;
    bool done = change_names(rq, MUTATION_HASH_EXPIRE, a->key, names, count, 0);
    end_replies(rq, from, done, end);
    mem_free(MEM_SCRATCH, names);
}

/* -- HTTL -------------------------------------------------------------------------------------- */

/* Seconds are rounded up. */
static void reply_times(struct request *rq, struct slice key, bool has, const struct slices *fields,
                        enum time_unit unit, bool absolute)
{
    struct object *o;
    struct hash_field f;
    if (!has_fields(rq, has) || !hash_read(rq, key, &o))
        return;
    reply_array(&rq->reply, fields->count);
    for (size_t i = 0; i < fields->count; i++) {
        bool found = hashes_get(rq->env->db, o, fields->items[i], &f);
        if (!found || f.expire_ms == 0) {
            reply_int(&rq->reply, found ? NO_EXPIRY : NO_FIELD);
            continue;
        }
        CHECK(f.expire_ms >= rq->env->db->now_ms && f.expire_ms <= INT64_MAX - 1000);
        uint64_t time = absolute ? f.expire_ms : f.expire_ms - rq->env->db->now_ms;
        reply_int(&rq->reply, (int64_t)(unit == SECONDS ? (time + 999) / 1000 : time));
    }
}

void cmd_httl(struct request *rq)
{
    const struct httl_args *a = rq->args;
    reply_times(rq, a->key, a->has_fields, &a->fields, SECONDS, false);
}

void cmd_hpttl(struct request *rq)
{
    const struct hpttl_args *a = rq->args;
    reply_times(rq, a->key, a->has_fields, &a->fields, MILLISECONDS, false);
}

void cmd_hexpiretime(struct request *rq)
{
    const struct hexpiretime_args *a = rq->args;
    reply_times(rq, a->key, a->has_fields, &a->fields, SECONDS, true);
}

void cmd_hpexpiretime(struct request *rq)
{
    const struct hpexpiretime_args *a = rq->args;
    reply_times(rq, a->key, a->has_fields, &a->fields, MILLISECONDS, true);
}

/* -- HSETEX, HGETEX, HGETDEL ------------------------------------------------------------------- */

/* FNX: none of the fields may be there; FXX: all have to be. */
static bool condition_holds(struct request *rq, const struct object *o, const struct hsetex_args *a)
{
    struct hash_field f;
    for (size_t i = 0; i < a->fields.count && (a->fnx || a->fxx); i += 2)
        if (hashes_get(rq->env->db, o, a->fields.items[i], &f) != a->fxx)
            return false;
    return true;
}

/* The fields as they are to be; expire_ms 0: they never expire, unless they keep their time. */
static void fill_fields(struct request *rq, const struct object *o, const struct hsetex_args *a,
                        uint64_t expire_ms, struct hash_field *fields)
{
    struct hash_field old;
    for (size_t i = 0; i < a->fields.count / 2; i++) {
        fields[i] = (struct hash_field){.name = a->fields.items[2 * i],
                                        .value = a->fields.items[2 * i + 1],
                                        .expire_ms = expire_ms};
        if (a->keepttl && hashes_get(rq->env->db, o, fields[i].name, &old))
            fields[i].expire_ms = old.expire_ms;
    }
}

/* A time that has come removes the fields at once. */
static bool set_fields(struct request *rq, const struct object *o, const struct hsetex_args *a,
                       uint64_t expire_ms)
{
    size_t count = a->fields.count / 2, there = 0;
    struct hash_field *fields = mem_try(MEM_SCRATCH, count * sizeof(*fields)), f;
    struct slice *names = mem_try(MEM_SCRATCH, count * sizeof(*names));
    bool done = fields != NULL && names != NULL;
    if (!done) {
        reply_err(&rq->reply, ERR_NOMEM, NULL);
    } else if (expire_ms > 0 && expire_ms <= rq->env->db->now_ms) {
        for (size_t i = 0; i < count; i++)
            if (hashes_get(rq->env->db, o, a->fields.items[2 * i], &f))
                names[there++] = a->fields.items[2 * i];
        done = change_names(rq, MUTATION_HASH_REMOVE, a->key, names, there, 0);
    } else {
        fill_fields(rq, o, a, expire_ms, fields);
        done = hash_write(rq, a->key, fields, count);
    }
    mem_free(MEM_SCRATCH, names);
    mem_free(MEM_SCRATCH, fields);
    return done;
}

void cmd_hsetex(struct request *rq)
{
    const struct hsetex_args *a = rq->args;
    const struct expire_options options = EXPIRE_OPTIONS(a, a->keepttl);
    struct object *o;
    uint64_t expire_ms;
    if (!has_fields(rq, a->has_fields && !(a->fnx && a->fxx)) ||
        !expire_options_fit(rq, &options) || !hash_read(rq, a->key, &o) ||
        !expire_options_read(rq, &options, &expire_ms))
        return;
    if (!condition_holds(rq, o, a))
        reply_int(&rq->reply, 0);
    else if (set_fields(rq, o, a, expire_ms))
        reply_int(&rq->reply, 1);
}

/* The values of fields. names: room for those that are there (expiring: and expire), *count of
 * them. */
static void reply_values(struct request *rq, const struct object *o, const struct slices *fields,
                         bool expiring, struct slice *names, size_t *count)
{
    struct hash_field f;
    *count = 0;
    reply_array(&rq->reply, fields->count);
    for (size_t i = 0; i < fields->count; i++) {
        if (!hashes_get(rq->env->db, o, fields->items[i], &f)) {
            reply_null(&rq->reply);
            continue;
        }
        reply_bulk(&rq->reply, f.value);
        if (!expiring || f.expire_ms > 0)
            names[(*count)++] = fields->items[i];
    }
}

void cmd_hgetex(struct request *rq)
{
    const struct hgetex_args *a = rq->args;
    const struct expire_options options = EXPIRE_OPTIONS(a, a->persist);
    struct object *o;
    uint64_t expire_ms;
    if (!has_fields(rq, a->has_fields) || !expire_options_fit(rq, &options) ||
        !hash_read(rq, a->key, &o) || !expire_options_read(rq, &options, &expire_ms))
        return;
    struct slice *names = names_new(rq, &a->fields);
    if (names == NULL)
        return;
    size_t from = rq->reply.out->len, count;
    reply_values(rq, o, &a->fields, a->persist, names, &count);
    size_t end = rq->reply.out->len;
    bool past = expire_ms > 0 && expire_ms <= rq->env->db->now_ms, done = true;
    if (past)
        done = change_names(rq, MUTATION_HASH_REMOVE, a->key, names, count, 0);
    else if (expire_ms > 0 || a->persist)
        done = change_names(rq, MUTATION_HASH_EXPIRE, a->key, names, count, expire_ms);
    end_replies(rq, from, done, end);
    mem_free(MEM_SCRATCH, names);
}

void cmd_hgetdel(struct request *rq)
{
    const struct hgetdel_args *a = rq->args;
    struct object *o;
    if (!has_fields(rq, a->has_fields) || !hash_read(rq, a->key, &o))
        return;
    struct slice *names = names_new(rq, &a->fields);
    if (names == NULL)
        return;
    size_t from = rq->reply.out->len, count;
    reply_values(rq, o, &a->fields, false, names, &count);
    size_t end = rq->reply.out->len;
    bool done = change_names(rq, MUTATION_HASH_REMOVE, a->key, names, count, 0);
    end_replies(rq, from, done, end);
    mem_free(MEM_SCRATCH, names);
}
