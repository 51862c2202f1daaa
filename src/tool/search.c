/* search.c: one thread per client, each with its own connection and one search under way: what is
 * measured is the latency that an application sees, and the rate that so many applications reach.
 */
#include "tool/search.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "tool/progress.h"

enum { WARM_UP_SEARCHES = 100 };

/* owner: search_measure; shared by its threads: next is atomic (relaxed: it hands out queries and
 * orders nothing), the rest is immutable. */
struct run {
    const struct search_set *set;
    uint32_t ef;
    double stop_s;
    atomic_size_t next;
};

/* owner: its thread; search_measure before and after */
struct searcher {
    struct run *run;
    struct thread thread;
    struct client client;
    struct buf latencies_ms; /* of float */
    uint64_t found;
    enum err e;
    struct why why;
};

/* VSEARCH|VSIM key (ELE id | FP32 blob) COUNT n [EF ef | EXACT | TRUTH] [options] */
static void send_search(const struct search_set *set, struct client *c, size_t query, uint32_t ef,
                        bool exact)
{
    const char *options = set->options == NULL ? "" : set->options;
    bool by_element = set->vectors == NULL;
    CHECK(query < set->query_count);
    size_t effort_words = exact ? 1 : ef != SEARCH_EF_DEFAULT ? 2 : 0;
    client_begin(c, 6 + effort_words + count_words(options));
    client_arg_text(c, set->command == SEARCH_VSEARCH ? "VSEARCH" : "VSIM");
    client_arg_text(c, set->key);
    client_arg_text(c, by_element ? "ELE" : "FP32");
    if (by_element)
        client_arg(c, texts_at(set->elements, query));
    else
        client_arg_floats(c, matrix_row(set->vectors, query), set->vectors->dim);
    client_arg_text(c, "COUNT");
    client_arg_number(c, set->k + (by_element ? 1u : 0u));
    if (exact) {
        client_arg_text(c, set->command == SEARCH_VSEARCH ? "EXACT" : "TRUTH");
    } else if (ef != SEARCH_EF_DEFAULT) {
        client_arg_text(c, "EF");
        client_arg_number(c, ef);
    }
    client_arg_words(c, options);
}

static enum err search_once(const struct search_set *set, struct client *c, size_t query,
                            uint32_t ef, bool exact, redisReply **out, struct why *why)
{
    send_search(set, c, query, ef, exact);
    enum err e = client_call(c, out, why);
    if (e != OK || (*out)->type == REDIS_REPLY_ARRAY)
        return e;
    freeReplyObject(*out);
    return why_set(why, ERR_PROTOCOL, "the answer to a search is no list");
}

static struct slice id_of(const redisReply *hit)
{
    return hit->type == REDIS_REPLY_STRING
               ? (struct slice){(const uint8_t *)hit->str, (size_t)hit->len}
               : (struct slice){NULL, 0};
}

static bool is_query_itself(const struct search_set *set, size_t query, struct slice id)
{
    return set->vectors == NULL && slice_eq(id, texts_at(set->elements, query));
}

static bool is_among(const redisReply *reply, size_t count, struct slice id)
{
    for (size_t i = 0; i < count && i < reply->elements; i++)
        if (slice_eq(id, id_of(reply->element[i])))
            return true;
    return false;
}

/* How many of the k nearest are among the first k hits, the query itself aside. */
static uint64_t count_found(const struct search_set *set, size_t query, const redisReply *reply)
{
    bool by_element = set->vectors == NULL;
    size_t hits = set->k;
    uint64_t found = 0;
    if (by_element && is_among(reply, hits + 1, texts_at(set->elements, query)))
        hits++;
    for (size_t i = 0; i < set->k; i++) {
        struct slice id = texts_at(set->neighbours, query * set->k + i);
        found += id.len > 0 && is_among(reply, hits, id);
    }
    return found;
}

enum err search_exactly(const struct search_set *set, struct client *client,
                        struct texts *neighbours, struct why *why)
{
    CHECK(texts_count(neighbours) == 0);
    for (size_t query = 0; query < set->query_count; query++) {
        redisReply *reply;
        size_t added = 0;
        enum err e = search_once(set, client, query, 0, true, &reply, why);
        if (e != OK)
            return e;
        for (size_t i = 0; i < reply->elements && added < set->k; i++) {
            struct slice id = id_of(reply->element[i]);
            if (is_query_itself(set, query, id))
                continue;
            texts_add(neighbours, id);
            added++;
        }
        for (; added < set->k; added++)
            texts_add(neighbours, (struct slice){NULL, 0});
        freeReplyObject(reply);
    }
    return texts_failed(neighbours) ? why_set(why, ERR_NOMEM, "no memory for the exact answers")
                                    : OK;
}

static void searcher_main(void *arg)
{
    struct searcher *s = arg;
    struct run *run = s->run;
    const struct search_set *set = run->set;
    for (;;) {
        size_t ticket = atomic_fetch_add_explicit(&run->next, 1, memory_order_relaxed);
        double start_s = clock_s();
        if (ticket >= set->query_count && start_s >= run->stop_s)
            return;
        size_t query = ticket % set->query_count;
        redisReply *reply;
        s->e = search_once(set, &s->client, query, run->ef, false, &reply, &s->why);
        if (s->e != OK)
            return;
        float took_ms = (float)((clock_s() - start_s) * 1e3);
        buf_append(&s->latencies_ms, &took_ms, sizeof(took_ms));
        if (ticket < set->query_count)
            s->found += count_found(set, query, reply);
        freeReplyObject(reply);
    }
}

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

double percentile(const float *sorted, size_t count, double share)
{
    CHECK(count > 0 && share >= 0 && share <= 1);
    double rank = ceil(share * (double)count);
    return (double)sorted[rank < 1 ? 0 : (size_t)rank - 1];
}

static enum err summarise(const struct search_set *set, struct searcher *searchers, double seconds,
                          struct search_result *result, struct why *why)
{
    struct buf all = BUF_INIT(MEM_SCRATCH);
    uint64_t found = 0, right = 0;
    double sum_ms = 0;
    enum err e = OK;
    for (uint32_t i = 0; i < result->client_count; i++) {
        if (searchers[i].e != OK)
            e = why_set(why, searchers[i].e, "%s", searchers[i].why.text);
        buf_append_slice(&all, buf_slice(&searchers[i].latencies_ms));
        found += searchers[i].found;
    }
    for (size_t i = 0; i < texts_count(set->neighbours); i++)
        right += texts_at(set->neighbours, i).len > 0;
    CHECK(found <= right);
    float *latencies = (float *)(void *)all.ptr;
    size_t count = all.len / sizeof(float);
    if (e == OK && (buf_failed(&all) || count == 0))
        e = why_set(why, ERR_NOMEM, "no memory for the latencies");
    if (e == OK) {
        qsort(latencies, count, sizeof(float), compare_floats);
        for (size_t i = 0; i < count; i++)
            sum_ms += (double)latencies[i];
        result->searches = count;
        result->recall = right > 0 ? (double)found / (double)right : 0;
        result->per_s = (double)count / seconds;
        result->mean_ms = sum_ms / (double)count;
        result->p50_ms = percentile(latencies, count, 0.50);
        result->p95_ms = percentile(latencies, count, 0.95);
        result->p99_ms = percentile(latencies, count, 0.99);
    }
    buf_fini(&all);
    return e;
}

/* Caches fill and the index pages come in before the clock starts. */
static enum err warm_up(const struct run *run, struct client *client, struct why *why)
{
    const struct search_set *set = run->set;
    enum err e = OK;
    for (size_t i = 0; e == OK && i < WARM_UP_SEARCHES && i < set->query_count; i++) {
        redisReply *reply;
        e = search_once(set, client, i, run->ef, false, &reply, why);
        if (e == OK)
            freeReplyObject(reply);
    }
    return e;
}

enum err search_measure(const struct search_set *set, const struct client_address *address,
                        uint32_t ef, uint32_t client_count, uint32_t seconds,
                        struct search_result *result, struct why *why)
{
    CHECK(set->query_count > 0 && client_count > 0 && set->k > 0);
    CHECK((set->vectors == NULL) != (set->elements == NULL));
    CHECK(texts_count(set->neighbours) == set->query_count * set->k);
    struct run run = {.set = set, .ef = ef};
    struct searcher *searchers = mem_calloc(MEM_SCRATCH, client_count * sizeof(*searchers));
    uint32_t opened = 0, started = 0;
    enum err e = OK;
    *result = (struct search_result){.ef = ef, .client_count = client_count};
    for (; e == OK && opened < client_count; opened++) {
        searchers[opened].run = &run;
        buf_init(&searchers[opened].latencies_ms, MEM_SCRATCH);
        e = client_open(&searchers[opened].client, address, why);
    }
    if (e == OK)
        e = warm_up(&run, &searchers[0].client, why);
    double start_s = clock_s();
    run.stop_s = start_s + seconds;
    while (e == OK && started < client_count) {
        e = thread_start(&searchers[started].thread, "search", searcher_main, &searchers[started]);
        if (e != OK)
            (void)why_set(why, e, "no thread for client %u", started + 1);
        started += e == OK;
    }
    for (uint32_t i = 0; i < started; i++)
        thread_join(&searchers[i].thread);
    double took_s = clock_s() - start_s;
    if (e == OK)
        e = summarise(set, searchers, took_s, result, why);
    for (uint32_t i = 0; i < opened; i++) {
        client_close(&searchers[i].client);
        buf_fini(&searchers[i].latencies_ms);
    }
    mem_free(MEM_SCRATCH, searchers);
    return e;
}
