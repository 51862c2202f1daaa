/* load.c: a file goes out in batches. While the server works on one, the next are under way: up to
 * IN_FLIGHT_MAX, so that neither side waits for the other, and no more, so that an error stops the
 * load soon and the server's buffers stay small. */
#include "tool/load.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "tool/progress.h"
#include "tool/resume.h"
#include "tool/texts.h"

enum { IN_FLIGHT_MAX = 4, REFUSALS_SHOWN = 5, ROW_TEXT_MAX = 24, RETRY_US = 200 * 1000 };

/* Elements gathered for one send. */
struct batch {
    struct buf vectors;
    struct texts ids;
    struct texts attributes; /* an empty one: none */
    uint64_t expire_ms;      /* of all of them; 0: none */
    struct buf partition;    /* of all of them; empty: the default one */
};

/* A batch the server has not answered yet. */
struct sent {
    uint64_t first_row;
    size_t count;
};

/* owner: load_run */
struct load {
    const struct load_job *job;
    struct load_result *result;
    struct source source;
    struct lines ids;
    struct lines attributes;
    struct client client;
    struct batch batch;
    struct sent in_flight[IN_FLIGHT_MAX]; /* the oldest first */
    size_t in_flight_count;
    uint64_t rows; /* read from the file */
    struct bad_lines bad;
    struct resume resume;
    struct texts partitions; /* that are there */
    bool lost;               /* the server: it may come back */
    struct progress progress;
    FILE *messages;
};

static void batch_init(struct batch *b)
{
    buf_init(&b->vectors, MEM_CLIENT);
    texts_init(&b->ids);
    texts_init(&b->attributes);
    buf_init(&b->partition, MEM_CLIENT);
}

static void batch_fini(struct batch *b)
{
    buf_fini(&b->vectors);
    texts_fini(&b->ids);
    texts_fini(&b->attributes);
    buf_fini(&b->partition);
}

static void batch_clear(struct batch *b)
{
    buf_clear(&b->vectors, SIZE_MAX);
    texts_clear(&b->ids);
    texts_clear(&b->attributes);
}

static size_t batch_count(const struct batch *b)
{
    return texts_count(&b->ids);
}

static enum err batch_add(struct load *l, const struct row *row, struct why *why)
{
    struct batch *b = &l->batch;
    struct slice id = row->id, attributes = row->attributes;
    char number[ROW_TEXT_MAX];
    enum err e = OK;
    if (l->job->ids_path != NULL)
        e = lines_next(&l->ids, &id, why);
    if (e == OK && l->job->attrs_path != NULL)
        e = lines_next(&l->attributes, &attributes, why);
    if (e != OK)
        return e;
    if (!row->has_id && l->job->ids_path == NULL) {
        (void)snprintf(number, sizeof(number), "%llu", (unsigned long long)l->rows);
        id = slice_of(number);
    }
    size_t size = l->source.dim * sizeof(float), before = b->vectors.len;
    buf_append(&b->vectors, row->vector, size);
    float *copy = buf_failed(&b->vectors) ? NULL : (float *)(void *)(b->vectors.ptr + before);
    for (uint32_t i = 0; copy != NULL && l->job->scale > 0 && i < l->source.dim; i++)
        copy[i] = rintf(copy[i] * (float)l->job->scale);
    texts_add(&b->ids, id);
    texts_add(&b->attributes, attributes);
    if (buf_failed(&b->vectors) || texts_failed(&b->ids) || texts_failed(&b->attributes))
        return why_set(why, ERR_NOMEM, "no memory for a batch; use a smaller --batch");
    l->rows++;
    return OK;
}

static void send_expiry(struct load *l)
{
    if (l->batch.expire_ms == 0)
        return;
    client_arg_text(&l->client, "PXAT");
    client_arg_number(&l->client, l->batch.expire_ms);
}

static void send_partition(struct load *l)
{
    if (l->batch.partition.len == 0)
        return;
    client_arg_text(&l->client, "PARTITION");
    client_arg(&l->client, buf_slice(&l->batch.partition));
}

/* Arguments of these two. */
static size_t option_args(const struct batch *b)
{
    return (b->expire_ms > 0 ? 2u : 0u) + (b->partition.len > 0 ? 2u : 0u);
}

/* VMADD key [PARTITION p] FP32 n id... blob [ATTRS n json...] [PXAT ms] */
static void send_vmadd(struct load *l)
{
    const struct batch *b = &l->batch;
    size_t count = batch_count(b);
    CHECK(count > 0 && b->vectors.len == count * l->source.dim * sizeof(float));
    bool has_attributes = b->attributes.bytes.len > 0;
    client_begin(&l->client, (has_attributes ? 7 + 2 * count : 5 + count) + option_args(b));
    client_arg_text(&l->client, "VMADD");
    client_arg_text(&l->client, l->job->key);
    send_partition(l);
    client_arg_text(&l->client, "FP32");
    client_arg_number(&l->client, count);
    for (size_t i = 0; i < count; i++)
        client_arg(&l->client, texts_at(&b->ids, i));
    client_arg(&l->client, buf_slice(&b->vectors));
    if (has_attributes) {
        client_arg_text(&l->client, "ATTRS");
        client_arg_number(&l->client, count);
        for (size_t i = 0; i < count; i++)
            client_arg(&l->client, texts_at(&b->attributes, i));
    }
    send_expiry(l);
    client_send(&l->client);
}

/* VADD key FP32 blob id [SETATTR json] [PARTITION p] [PXAT ms] [options] */
static void send_vadd(struct load *l, size_t index)
{
    const struct batch *b = &l->batch;
    const char *options = l->job->add_options == NULL ? "" : l->job->add_options;
    CHECK(index < batch_count(b));
    struct slice attributes = texts_at(&b->attributes, index);
    size_t vector_size = l->source.dim * sizeof(float);
    client_begin(&l->client,
                 (attributes.len > 0 ? 7u : 5u) + option_args(b) + count_words(options));
    client_arg_text(&l->client, "VADD");
    client_arg_text(&l->client, l->job->key);
    client_arg_text(&l->client, "FP32");
    client_arg(&l->client, (struct slice){b->vectors.ptr + index * vector_size, vector_size});
    client_arg(&l->client, texts_at(&b->ids, index));
    if (attributes.len > 0) {
        client_arg_text(&l->client, "SETATTR");
        client_arg(&l->client, attributes);
    }
    send_partition(l);
    send_expiry(l);
    client_arg_words(&l->client, options);
    client_send(&l->client);
}

/* Will every other element be refused for the same reason? Then there is no use in going on. */
static bool is_fatal(const redisReply *error)
{
    return strncmp(error->str, "ERR ", 4) != 0 ||
           strncmp(error->str, "ERR unknown command", 19) == 0;
}

static void count_refusal(struct load *l, uint64_t row, const redisReply *error)
{
    CHECK(error->type == REDIS_REPLY_ERROR);
    if (l->result->refused++ >= REFUSALS_SHOWN)
        return;
    progress_end(&l->progress);
    (void)fprintf(l->messages, "row %llu: %s\n", (unsigned long long)row, error->str);
    if (l->result->refused == REFUSALS_SHOWN)
        (void)fprintf(l->messages, "(more refusals are counted, not shown)\n");
}

/* The answer for one element. */
static enum err count_answer(struct load *l, uint64_t row, const redisReply *answer,
                             struct why *why)
{
    switch (answer->type) {
    case REDIS_REPLY_INTEGER:
        l->result->added += answer->integer == 1;
        l->result->replaced += answer->integer == 0;
        return OK;
    case REDIS_REPLY_ERROR:
        count_refusal(l, row, answer);
        return OK;
    default:
        return why_set(why, ERR_PROTOCOL, "row %llu: an answer that is neither number nor error",
                       (unsigned long long)row);
    }
}

static enum err count_vmadd(struct load *l, const struct sent *sent, const redisReply *reply,
                            struct why *why)
{
    if (reply->type == REDIS_REPLY_ERROR)
        return why_set(why, ERR_ARG, "%s", reply->str);
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements != sent->count)
        return why_set(why, ERR_PROTOCOL, "VMADD of %zu elements was not answered for each",
                       sent->count);
    enum err e = OK;
    for (size_t i = 0; e == OK && i < reply->elements; i++)
        e = count_answer(l, sent->first_row + i, reply->element[i], why);
    return e;
}

/* All rows before this one are answered. */
static void note(struct load *l, uint64_t rows)
{
    const struct load_result *r = l->result;
    struct load_mark mark = {rows, r->added, r->replaced, r->refused, l->bad.count};
    if (resume_note(&l->resume, &mark, clock_s()))
        return;
    progress_end(&l->progress);
    (void)fprintf(l->messages, "%s cannot be written: an interrupted import will begin anew\n",
                  l->resume.path);
}

/* Reads what the server says to the oldest batch in flight. */
static enum err receive(struct load *l, struct why *why)
{
    CHECK(l->in_flight_count > 0);
    struct sent sent = l->in_flight[0];
    l->in_flight_count--;
    memmove(l->in_flight, l->in_flight + 1, l->in_flight_count * sizeof(l->in_flight[0]));
    CHECK(sent.count > 0 && sent.first_row + sent.count <= l->rows);
    bool is_vmadd = l->job->command == LOAD_VMADD;
    enum err e = OK;
    for (size_t i = 0; e == OK && i < (is_vmadd ? 1 : sent.count); i++) {
        redisReply *reply;
        e = client_reply(&l->client, &reply, why);
        l->lost = e != OK;
        if (e != OK)
            return e;
        if (is_vmadd)
            e = count_vmadd(l, &sent, reply, why);
        else if (reply->type == REDIS_REPLY_ERROR && is_fatal(reply))
            e = why_set(why, ERR_ARG, "%s", reply->str);
        else
            e = count_answer(l, sent.first_row + i, reply, why);
        freeReplyObject(reply);
    }
    if (e == OK)
        note(l, sent.first_row + sent.count);
    double of_file = source_fraction(&l->source);
    double of_limit = (double)l->rows / (double)l->job->limit;
    progress_update(&l->progress, l->result->added + l->result->replaced + l->result->refused,
                    of_file >= 0 && of_limit > of_file ? of_limit : of_file);
    return e;
}

static enum err send_batch(struct load *l, struct why *why)
{
    enum err e = OK;
    if (l->in_flight_count == IN_FLIGHT_MAX)
        e = receive(l, why);
    if (e != OK)
        return e;
    CHECK(l->in_flight_count < IN_FLIGHT_MAX);
    if (l->job->command == LOAD_VMADD)
        send_vmadd(l);
    for (size_t i = 0; l->job->command == LOAD_VADD && i < batch_count(&l->batch); i++)
        send_vadd(l, i);
    l->in_flight[l->in_flight_count++] =
        (struct sent){l->rows - batch_count(&l->batch), batch_count(&l->batch)};
    batch_clear(&l->batch);
    return OK;
}

static void add_word(struct load *l, const char *word, const char *value)
{
    if (value == NULL)
        return;
    client_arg_text(&l->client, word);
    client_arg_text(&l->client, value);
}

/* VCREATE key DIM d [METRIC m] [TYPE t] [more] IFNOTEXISTS */
static enum err create_collection(struct load *l, struct why *why)
{
    const struct load_job *job = l->job;
    CHECK(l->source.dim > 0);
    const char *more = job->create == NULL ? "" : job->create;
    redisReply *reply;
    size_t words = 5 + (job->metric != NULL ? 2u : 0u) + (job->type != NULL ? 2u : 0u);
    client_begin(&l->client, words + count_words(more));
    client_arg_text(&l->client, "VCREATE");
    client_arg_text(&l->client, job->key);
    client_arg_text(&l->client, "DIM");
    client_arg_number(&l->client, l->source.dim);
    add_word(l, "METRIC", job->metric);
    add_word(l, "TYPE", job->type);
    client_arg_words(&l->client, more);
    client_arg_text(&l->client, "IFNOTEXISTS");
    enum err e = client_call(&l->client, &reply, why);
    if (e == OK)
        freeReplyObject(reply);
    l->lost = e != OK && (e == ERR_IO || strncmp(why->text, "LOADING", 7) == 0);
    return e;
}

static enum err is_there(struct load *l, bool *there, struct why *why)
{
    redisReply *reply;
    client_begin(&l->client, 2);
    client_arg_text(&l->client, "VDIM");
    client_arg_text(&l->client, l->job->key);
    client_send(&l->client);
    enum err e = client_reply(&l->client, &reply, why);
    l->lost = e != OK;
    if (e != OK)
        return e;
    *there = reply->type == REDIS_REPLY_INTEGER;
    freeReplyObject(reply);
    return OK;
}

/* A collection that is there is taken as it is, unless something is said of it. */
static enum err need_collection(struct load *l, struct why *why)
{
    bool there = false,
         said = l->job->metric != NULL || l->job->create != NULL || l->job->type != NULL;
    enum err e = said ? OK : is_there(l, &there, why);
    return e != OK || there ? e : create_collection(l, why);
}

/* What was loaded before is passed over. */
static enum err skip_rows(struct load *l, uint64_t count, struct why *why)
{
    struct slice line;
    struct row row = {.vector = l->source.vector};
    enum err e = OK;
    for (; e == OK && l->rows < count && row.vector != NULL; l->rows++) {
        e = source_next(&l->source, &row, why);
        if (e == OK && l->job->ids_path != NULL)
            e = lines_next(&l->ids, &line, why);
        if (e == OK && l->job->attrs_path != NULL)
            e = lines_next(&l->attributes, &line, why);
    }
    return e;
}

/* Partitions that are not there are made: once what was sent before is answered. */
static enum err make_partition(struct load *l, struct slice name, struct why *why)
{
    redisReply *reply;
    enum err e = OK;
    for (size_t i = 0; i < texts_count(&l->partitions); i++)
        if (slice_eq(texts_at(&l->partitions, i), name))
            return OK;
    while (e == OK && l->in_flight_count > 0)
        e = receive(l, why);
    if (e != OK)
        return e;
    client_begin(&l->client, 5);
    client_arg_text(&l->client, "VPARTITION");
    client_arg_text(&l->client, "CREATE");
    client_arg_text(&l->client, l->job->key);
    client_arg(&l->client, name);
    client_arg_text(&l->client, "IFNOTEXISTS");
    e = client_call(&l->client, &reply, why);
    l->lost = e == ERR_IO;
    if (e != OK)
        return e;
    freeReplyObject(reply);
    texts_add(&l->partitions, name);
    return OK;
}

/* A batch is of one partition and expires at one time. */
static enum err begin_kind(struct load *l, const struct row *row, struct why *why)
{
    struct batch *b = &l->batch;
    bool other = !slice_eq(row->partition, buf_slice(&b->partition));
    enum err e = OK;
    if (batch_count(b) > 0 && (other || row->expire_ms != b->expire_ms))
        e = send_batch(l, why);
    b->expire_ms = row->expire_ms;
    if (e != OK || !other)
        return e;
    buf_clear(&b->partition, SIZE_MAX);
    buf_append_slice(&b->partition, row->partition);
    return row->partition.len > 0 ? make_partition(l, row->partition, why) : OK;
}

static enum err send_all(struct load *l, struct why *why)
{
    struct row row = {.vector = NULL};
    enum err e = OK;
    while (e == OK && l->rows < l->job->limit) {
        e = source_next(&l->source, &row, why);
        if (e != OK || row.vector == NULL)
            break;
        e = begin_kind(l, &row, why);
        if (e == OK)
            e = batch_add(l, &row, why);
        if (e == OK && batch_count(&l->batch) == l->job->batch_size)
            e = send_batch(l, why);
    }
    if (e == OK && batch_count(&l->batch) > 0)
        e = send_batch(l, why);
    CHECK(batch_count(&l->batch) <= l->job->batch_size);
    /* What was sent counts, also when the file turned out to be broken behind it. */
    enum err received = e == ERR_IO ? e : OK;
    while (received == OK && l->in_flight_count > 0)
        received = receive(l, e == OK ? why : NULL);
    return e != OK ? e : received;
}

static enum err open_inputs(struct load *l, struct why *why)
{
    lines_init(&l->ids);
    lines_init(&l->attributes);
    enum err e = OK;
    if (l->job->ids_path != NULL)
        e = lines_open(&l->ids, l->job->ids_path, why);
    if (e == OK && l->job->attrs_path != NULL)
        e = lines_open(&l->attributes, l->job->attrs_path, why);
    if (e == OK)
        e = source_open(&l->source, l->job->path, l->job->format, &l->bad, why);
    return e;
}

/* From where it is noted to the end, over one connection. */
static enum err run_once(struct load *l, struct why *why)
{
    const struct load_mark *from = &l->resume.saved;
    l->rows = l->in_flight_count = 0;
    l->bad.count = 0;
    l->bad.shown_from = from->bad;
    enum err e = open_inputs(l, why);
    if (e != OK)
        goto close_inputs;
    l->result->dim = l->source.dim;
    l->result->added = from->added;
    l->result->replaced = from->replaced;
    l->result->refused = from->refused;
    e = client_open(&l->client, &l->job->address, why);
    l->lost = e != OK;
    if (e != OK)
        goto close_source;
    if (l->job->command == LOAD_VMADD)
        e = need_collection(l, why);
    if (e == OK)
        e = skip_rows(l, from->rows, why);
    batch_init(&l->batch);
    texts_init(&l->partitions);
    if (e == OK)
        e = send_all(l, why);
    texts_fini(&l->partitions);
    batch_fini(&l->batch);
    client_close(&l->client);
close_source:
    source_close(&l->source);
close_inputs:
    lines_close(&l->ids);
    lines_close(&l->attributes);
    l->result->bad = l->bad.count;
    return e;
}

/* Again while the server is away, so long as wait_s since it was last seen. */
static enum err run(struct load *l, struct why *why)
{
    bool seen = false;
    double lost_s = 0;
    for (;;) {
        uint64_t before = l->resume.saved.rows;
        enum err e = run_once(l, why);
        seen |= e == OK || !l->lost || l->in_flight_count > 0 || l->rows > before;
        if (e == OK || !l->lost || !seen)
            return e;
        if (lost_s == 0 || l->rows > before) {
            lost_s = clock_s();
            progress_end(&l->progress);
            if (l->job->wait_s > 0)
                (void)fprintf(l->messages, "%s; waiting %u s for the server to come back\n",
                              why->text, l->job->wait_s);
        }
        if (clock_s() - lost_s >= l->job->wait_s)
            return e;
        (void)usleep(RETRY_US);
    }
}

enum err load_run(const struct load_job *job, FILE *messages, struct load_result *result,
                  struct why *why)
{
    CHECK(job->batch_size > 0 && job->batch_size <= LOAD_BATCH_MAX);
    struct load l = {.job = job, .result = result, .messages = messages};
    bool found;
    l.bad = (struct bad_lines){.most = job->bad_max, .messages = messages};
    *result = (struct load_result){.dim = 0};
    enum err e =
        resume_open(&l.resume, job->state_path, job->path, job->key, job->delay_s, &found, why);
    if (e != OK)
        return e;
    if (found && job->anew)
        l.resume.saved = l.resume.next = (struct load_mark){0};
    else if (found)
        (void)fprintf(messages, "going on at row %llu, where an import before this one stopped\n",
                      (unsigned long long)l.resume.saved.rows);
    result->resumed = l.resume.saved.rows;
    progress_start(&l.progress, messages, job->key);
    l.resume.next_s = l.progress.start_s;
    e = run(&l, why);
    result->seconds = clock_s() - l.progress.start_s;
    progress_end(&l.progress);
    if (e == OK)
        resume_done(&l.resume);
    return e;
}

void load_print(FILE *out, const char *key, const struct load_result *result)
{
    char count[COUNT_TEXT_MAX], rate[COUNT_TEXT_MAX];
    uint64_t loaded = result->added + result->replaced;
    uint64_t now = loaded > result->resumed ? loaded - result->resumed : 0;
    double seconds = result->seconds > 0 ? result->seconds : 1e-9;
    (void)fprintf(out, "%s: %s vectors of %u dimensions in %.1f s: %s vectors/s\n", key,
                  count_text(loaded, count), result->dim, result->seconds,
                  count_text((uint64_t)((double)now / seconds), rate));
    if (result->replaced > 0)
        (void)fprintf(out, "%s: %s of them replaced an element that was there\n", key,
                      count_text(result->replaced, count));
    if (result->refused > 0)
        (void)fprintf(out, "%s: %s elements were refused\n", key,
                      count_text(result->refused, count));
    if (result->bad > 0)
        (void)fprintf(out, "%s: %s lines could not be read\n", key, count_text(result->bad, count));
}
