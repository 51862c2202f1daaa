/* wire_load.c: a load generator for a RESP server: connections of several roles on one poll loop.
 *
 *   wire_load --port P [options] ROLE=CONNECTIONS ...      options and roles: see usage[]
 *
 * Every connection keeps --depth requests in flight (ping and search: one). The run ends when every
 * role that has an amount of work is done, or after --seconds. One line per role comes out:
 *
 *   role=search conns=8 done=12000 seconds=5.000 rate=2400.0 p50_us=.. p99_us=.. p999_us=..
 * max_us=.. errors=0 recall=0.9512
 *
 * end_s is when the run ended, by the clock that Python calls time.monotonic().
 * done and rate count elements, latencies are of requests, from handing them to the kernel until
 * the whole reply is read. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "bench/data.h"
#include "bench/wire_docs.h"
#include "bench/wire_reply.h"
#include "bench/wire_request.h"
#include "bench/wire_stats.h"

enum { CONNS_MAX = 256, DEPTH_MAX = 4096, RESULTS = 10, READ_SIZE = 64 * 1024, KEY_SIZE = 64 };
enum { TENANT_DIM = 128, TENANT_ELEMENTS = 10, ROLES_MAX = 16 };
enum { AWAIT_RETRY_US = 500, AWAIT_REPLY_MAX = 64 };

static const char *const usage[] = {
    "usage: wire_load --port P [options] ROLE=CONNECTIONS ...",
    "roles: ping     PING",
    "       search   VSEARCH of the queries of the set in turn",
    "       add      VADD of the vectors of the set, ids --first and on",
    "       adddoc   the same with a tag and a number as attribute (wire_docs.h)",
    "       hset     HSET of the same as hashes KEY:ID",
    "       ft       FT.SEARCH of KEY: KNN over them, --effort \"EF_RUNTIME 100\"",
    "       madd     VMADDs of --batch",
    "       replace  VADD of other vectors of the set to --count random ids of it (--seed)",
    "       noise    VADD of random vectors that are near no query, ids --first and on",
    "       save     SAVE --saves times (1), one after the other, from the end of the warm-up on",
    "       create   VCREATE of collections t0, t1, ...: --tenants of them",
    "       fill     VADD of 10 random vectors of 128 dimensions to each of them",
    "options: --seconds S (5)  --warmup S (0.2; not counted for ping and search)",
    "         --data DIR (data)  --set NAME (glove100)  --key KEY (the set's name)",
    "         --effort \"EF 100\"  --depth N (100)  --batch N (1000)  --first ID (0)",
    "         --count N (vectors to add; all)  --from ROW (the first to add; 0)",
    "         --mark N (print when N are acknowledged)  --seed N (1)",
    "         --await S (first wait so long until a server is there and has its data)",
    "         --shows keys|distance|all (what replies of ft hold; distance)",
    "         --per-mille 1000|500|100|10|1 (the share that the filter of ft lets through)",
    "         --by tag|number (tag)  --queries N (only the first; all)",
    "         --tenants N (10000)  --searches N (end after so many; 0: --seconds decide)",
};

struct load;
struct conn;

struct role {
    const char *name;
    bool counted;   /* ends by itself after an amount of work */
    bool pipelined; /* --depth in flight, else one */
    bool needs_set;
    /* Appends the next request to out; returns how many elements it carries, 0: no work is left. */
    size_t (*put)(struct load *l, struct conn *c, struct buf *out);
};

/* A request on its way. */
struct flight {
    double sent_s;
    size_t elements;
    uint32_t query;
};

struct conn {
    const struct role *role;
    int fd;
    struct buf out;
    struct buf in;
    struct flight *flights; /* a ring of depth */
    size_t flight_first;
    size_t flight_count;
    size_t depth;
    uint32_t query; /* the next one, of search */
};

/* What the connections of one role did together. */
struct tally {
    size_t conns;
    size_t done;    /* elements acknowledged */
    size_t counted; /* those after the warm-up */
    size_t errors;
    size_t hits;
    size_t judged;
    size_t few; /* replies with less than was asked for */
    double first_s, last_s, mark_s;
    struct wire_stats stats;
    char error[128];
};

struct load {
    int port;
    double seconds, warmup_s, await_s;
    const char *data_dir, *set_name, *key, *effort, *shows;
    size_t per_mille, queries, depth, batch, count, from, mark, tenants, searches, saves, seed;
    uint64_t first;
    uint32_t *order; /* of replace: the rows of the set, shuffled */
    struct dataset set;
    struct docs_filter filter;
    char filter_text[DOCS_TEXT_SIZE], prefix[KEY_SIZE];
    int32_t *truth; /* of the filter; NULL: that of the set */
    struct conn conns[CONNS_MAX];
    size_t conn_count;
    uint64_t next[ROLES_MAX]; /* work handed out, by role */
    struct tally tallies[ROLES_MAX];
    uint64_t rng;
    double start_s, end_s;
    bool saves_wait; /* for the end of the warm-up */
};

static double now_s(void)
{
    struct timespec t;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static size_t role_index(const struct role *role);

static size_t put_ping(struct load *l, struct conn *c, struct buf *out)
{
    (void)l, (void)c;
    wire_put_ping(out);
    return 1;
}

static struct slice vectors_of(const struct matrix *m, uint64_t row, size_t count)
{
    return (struct slice){(const uint8_t *)matrix_row(m, row), count * m->columns * sizeof(float)};
}

static size_t put_search(struct load *l, struct conn *c, struct buf *out)
{
    wire_put_search(out, l->key, vectors_of(&l->set.query, c->query, 1), RESULTS, l->effort);
    return 1;
}

static size_t put_add(struct load *l, struct conn *c, struct buf *out)
{
    uint64_t row = l->from + l->next[role_index(c->role)]++;
    if (row >= l->from + l->count)
        return 0;
    wire_put_add(out, l->key, vectors_of(&l->set.train, row, 1), l->first + row);
    return 1;
}

static size_t put_add_doc(struct load *l, struct conn *c, struct buf *out)
{
    uint64_t row = l->from + l->next[role_index(c->role)]++;
    if (row >= l->from + l->count)
        return 0;
    wire_put_add_doc(out, l->key, vectors_of(&l->set.train, row, 1), l->first + row);
    return 1;
}

static size_t put_hset(struct load *l, struct conn *c, struct buf *out)
{
    uint64_t row = l->from + l->next[role_index(c->role)]++;
    if (row >= l->from + l->count)
        return 0;
    wire_put_hset_doc(out, l->key, vectors_of(&l->set.train, row, 1), l->first + row);
    return 1;
}

static size_t put_ft(struct load *l, struct conn *c, struct buf *out)
{
    wire_put_ft_search(out, l->key, l->filter_text, l->effort,
                       vectors_of(&l->set.query, c->query, 1), RESULTS, l->shows);
    return 1;
}

static size_t put_madd(struct load *l, struct conn *c, struct buf *out)
{
    uint64_t *next = &l->next[role_index(c->role)];
    if (*next >= l->count)
        return 0;
    uint64_t row = l->from + *next, left = l->count - *next;
    size_t batch = left < l->batch ? left : l->batch;
    *next += batch;
    wire_put_add_many(out, l->key, vectors_of(&l->set.train, row, batch), l->first + row, batch);
    return batch;
}

/* Knuth's MMIX generator. */
static uint64_t random_next(struct load *l)
{
    return l->rng = l->rng * 6364136223846793005U + 1442695040888963407U;
}

/* Uniform in a cube: in many dimensions far from any real vector. */
static void fill_random(struct load *l, float *vector, size_t dim)
{
    for (size_t i = 0; i < dim; i++) {
        vector[i] = (float)((double)(random_next(l) >> 40) / 8388608.0 - 1);
    }
}

/* Fisher and Yates' shuffle. */
static void shuffle_rows(struct load *l)
{
    const uint32_t rows = l->set.train.rows;
    l->rng = l->seed;
    l->order = mem_alloc(MEM_TEST, rows * sizeof *l->order);
    for (uint32_t i = 0; i < rows; i++) {
        uint32_t other = (uint32_t)((random_next(l) >> 33) % (i + 1));
        l->order[i] = l->order[other];
        l->order[other] = i;
    }
}

/* Every id once; its new vector is that of the row shuffled to behind it. */
static size_t put_replace(struct load *l, struct conn *c, struct buf *out)
{
    uint64_t i = l->next[role_index(c->role)]++;
    if (i >= l->count)
        return 0;
    if (l->order == NULL)
        shuffle_rows(l);
    uint32_t other = l->order[(i + 1) % l->set.train.rows];
    wire_put_add(out, l->key, vectors_of(&l->set.train, other, 1), l->first + l->order[i]);
    return 1;
}

static size_t put_save(struct load *l, struct conn *c, struct buf *out)
{
    if (l->next[role_index(c->role)]++ >= l->saves)
        return 0;
    wire_put_save(out);
    return 1;
}

static size_t put_noise(struct load *l, struct conn *c, struct buf *out)
{
    float vector[4096];
    const size_t dim = l->set.train.columns;
    CHECK(dim <= sizeof vector / sizeof *vector);
    uint64_t row = l->next[role_index(c->role)]++;
    fill_random(l, vector, dim);
    wire_put_add(out, l->key, (struct slice){(uint8_t *)vector, dim * sizeof *vector},
                 l->first + row);
    return 1;
}

static size_t put_create(struct load *l, struct conn *c, struct buf *out)
{
    char key[KEY_SIZE];
    uint64_t tenant = l->next[role_index(c->role)]++;
    if (tenant >= l->tenants)
        return 0;
    (void)snprintf(key, sizeof key, "t%llu", (unsigned long long)tenant);
    wire_put_create(out, key, TENANT_DIM, "COSINE");
    return 1;
}

static size_t put_fill(struct load *l, struct conn *c, struct buf *out)
{
    char key[KEY_SIZE];
    float vector[TENANT_DIM];
    uint64_t element = l->next[role_index(c->role)]++;
    if (element >= l->tenants * TENANT_ELEMENTS)
        return 0;
    (void)snprintf(key, sizeof key, "t%llu", (unsigned long long)(element / TENANT_ELEMENTS));
    fill_random(l, vector, TENANT_DIM);
    wire_put_add(out, key, (struct slice){(uint8_t *)vector, sizeof vector},
                 element % TENANT_ELEMENTS);
    return 1;
}

static const struct role roles[] = {
    {"ping", false, false, false, put_ping}, {"search", false, false, true, put_search},
    {"add", true, true, true, put_add},      {"madd", true, true, true, put_madd},
    {"noise", false, true, true, put_noise}, {"create", true, true, false, put_create},
    {"fill", true, true, false, put_fill},   {"replace", true, true, true, put_replace},
    {"save", true, false, false, put_save},  {"adddoc", true, true, true, put_add_doc},
    {"hset", true, true, true, put_hset},    {"ft", false, false, true, put_ft},
};
_Static_assert(COUNT_OF(roles) <= ROLES_MAX, "tallies are by role");

static size_t role_index(const struct role *role)
{
    return (size_t)(role - roles);
}

static struct tally *tally_of(struct load *l, const struct conn *c)
{
    return &l->tallies[role_index(c->role)];
}

/* -1 and errno when nobody listens. */
static int connect_to(int port)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)port),
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0)
        die("cannot make a socket");
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

/* Asks until a reply is none of -LOADING. */
static void await_server(const struct load *l)
{
    static const char question[] = "*2\r\n$6\r\nEXISTS\r\n$4\r\nnone\r\n";
    const double until_s = now_s() + l->await_s;
    char reply[AWAIT_REPLY_MAX];
    int fd = -1;
    printf("ready\n");
    (void)fflush(stdout);
    for (; now_s() < until_s; usleep(AWAIT_RETRY_US)) {
        if (fd < 0)
            fd = connect_to(l->port);
        if (fd < 0)
            continue;
        if (send(fd, question, sizeof question - 1, MSG_NOSIGNAL) < 0 ||
            recv(fd, reply, sizeof reply, 0) <= 0) {
            (void)close(fd);
            fd = -1;
        } else if (reply[0] == ':') {
            printf("role=await at_s=%.6f\n", now_s());
            (void)close(fd);
            return;
        }
    }
    die("no server with data at port %d within %.0f s", l->port, l->await_s);
}

static void conn_open(struct load *l, const struct role *role)
{
    CHECK(l->conn_count < CONNS_MAX);
    struct conn *c = &l->conns[l->conn_count++];
    int on = 1;
    *c = (struct conn){.role = role, .out = BUF_INIT(MEM_TEST), .in = BUF_INIT(MEM_TEST)};
    c->depth = role->pipelined ? l->depth : 1;
    c->flights = mem_calloc(MEM_TEST, c->depth * sizeof *c->flights);
    c->fd = connect_to(l->port);
    if (c->fd < 0)
        die("cannot connect to port %d", l->port);
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0)
        die("cannot make a socket non-blocking");
    /* Each connection asks other queries than the next one. */
    if (l->queries > 0)
        c->query = (uint32_t)(l->conn_count * 251 % l->queries);
    l->tallies[role_index(role)].conns++;
}

static void conn_flush(struct conn *c)
{
    while (c->out.len > 0) {
        ssize_t sent = send(c->fd, c->out.ptr, c->out.len, MSG_NOSIGNAL);
        if (sent < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (sent < 0)
            die("the server closed a connection of %s", c->role->name);
        buf_consume(&c->out, (size_t)sent);
    }
}

/* Puts as many requests on their way as the depth allows. While half of the depth is still open it
 * waits, so that requests leave in large writes as a client library's pipeline does. */
static void conn_fill(struct load *l, struct conn *c)
{
    if (c->depth > 1 && c->flight_count > c->depth / 2)
        return;
    while (c->flight_count < c->depth) {
        size_t elements = c->role->put(l, c, &c->out);
        if (elements == 0)
            break;
        size_t at = (c->flight_first + c->flight_count++) % c->depth;
        c->flights[at] = (struct flight){now_s(), elements, c->query};
        if (l->queries > 0)
            c->query = (uint32_t)((c->query + 1) % l->queries);
    }
    CHECK(!buf_failed(&c->out));
    conn_flush(c);
}

/* The text may quote what was sent, so only what a terminal can show is kept. */
static void keep_error(struct tally *t, const struct wire_reply *reply)
{
    size_t len = reply->error_len < sizeof t->error ? reply->error_len : sizeof t->error - 1;
    for (size_t i = 0; i < len; i++)
        t->error[i] = reply->error[i] >= ' ' && reply->error[i] < 127 ? (char)reply->error[i] : '?';
}

static void judge(const struct load *l, struct tally *t, uint32_t query,
                  const struct wire_reply *reply)
{
    for (size_t i = reply->id_count; i < RESULTS; i++)
        reply->ids[i] = -2; /* fewer than asked for: misses */
    t->judged += RESULTS;
    t->few += reply->id_count < RESULTS;
    if (l->truth == NULL) {
        t->hits += dataset_hits(&l->set, query, RESULTS, reply->ids);
        return;
    }
    for (size_t i = 0; i < RESULTS; i++)
        for (size_t j = 0; j < RESULTS; j++)
            t->hits += reply->ids[i] == l->truth[(size_t)query * RESULTS + j];
}

static void count_reply(struct load *l, struct conn *c, const struct wire_reply *reply)
{
    struct tally *t = tally_of(l, c);
    CHECK(c->flight_count > 0);
    const struct flight f = c->flights[c->flight_first];
    c->flight_first = (c->flight_first + 1) % c->depth;
    c->flight_count--;
    if (reply->is_error) {
        if (t->errors++ == 0)
            keep_error(t, reply);
        return;
    }
    double now = now_s();
    t->done += f.elements;
    if (t->mark_s == 0 && l->mark > 0 && t->done >= l->mark)
        t->mark_s = now - l->start_s;
    if (!c->role->counted && f.sent_s < l->start_s + l->warmup_s)
        return;
    if (t->counted == 0)
        t->first_s = f.sent_s;
    t->last_s = now;
    t->counted += f.elements;
    wire_stats_add(&t->stats, (now - f.sent_s) * 1e6);
    if (c->role->put == put_search || c->role->put == put_ft)
        judge(l, t, f.query, reply);
}

static void conn_read(struct load *l, struct conn *c)
{
    int32_t ids[RESULTS];
    struct wire_reply reply = {.ids = ids, .ids_capacity = RESULTS};
    if (c->role->put == put_ft)
        reply.prefix = slice_of(l->prefix);
    uint8_t *to = buf_reserve(&c->in, READ_SIZE);
    CHECK(to != NULL);
    ssize_t got = recv(c->fd, to, READ_SIZE, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0)
        die("the server closed a connection of %s", c->role->name);
    buf_advance(&c->in, (size_t)got);
    size_t used = 0;
    while (used < c->in.len && wire_reply_scan(c->in.ptr + used, c->in.len - used, &reply)) {
        count_reply(l, c, &reply);
        used += reply.size;
    }
    buf_consume(&c->in, used);
    conn_fill(l, c);
}

/* Whether the work is done: that of every role with an amount of it, or the searches asked for. */
static bool is_done(const struct load *l)
{
    bool any = false;
    if (l->saves_wait)
        return false;
    for (size_t i = 0; i < l->conn_count; i++) {
        const struct conn *c = &l->conns[i];
        if (c->role->counted && c->flight_count > 0)
            return false;
        any = any || c->role->counted;
        if ((c->role->put == put_search || c->role->put == put_ft) && l->searches > 0 &&
            l->tallies[role_index(c->role)].counted >= l->searches)
            return true;
    }
    return any;
}

/* Saves begin when the searches beside them are counted. */
static void start(struct load *l, bool saves)
{
    l->saves_wait = false;
    for (size_t i = 0; i < l->conn_count; i++) {
        if ((l->conns[i].role->put == put_save) == saves)
            conn_fill(l, &l->conns[i]);
        else
            l->saves_wait = !saves;
    }
}

static void run(struct load *l)
{
    struct pollfd polls[CONNS_MAX];
    l->start_s = now_s();
    start(l, false);
    while (!is_done(l) && now_s() - l->start_s < l->seconds) {
        if (l->saves_wait && now_s() >= l->start_s + l->warmup_s)
            start(l, true);
        for (size_t i = 0; i < l->conn_count; i++) {
            short events = (short)(POLLIN | (l->conns[i].out.len > 0 ? POLLOUT : 0));
            polls[i] = (struct pollfd){.fd = l->conns[i].fd, .events = events};
        }
        if (poll(polls, l->conn_count, 100) < 0)
            die("poll failed");
        for (size_t i = 0; i < l->conn_count; i++) {
            if ((polls[i].revents & POLLOUT) != 0)
                conn_flush(&l->conns[i]);
            if ((polls[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
                conn_read(l, &l->conns[i]);
        }
    }
    l->end_s = now_s();
}

/* A role without an end is rated over the whole run: a server that stops answering is slow. */
static void print_tally(const struct load *l, const struct role *role, struct tally *t)
{
    double seconds = role->counted ? t->last_s - t->first_s : l->end_s - l->start_s - l->warmup_s;
    printf("role=%s conns=%zu done=%zu seconds=%.4f rate=%.1f", role->name, t->conns, t->done,
           seconds, seconds > 0 ? (double)t->counted / seconds : 0);
    printf(" p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f errors=%zu",
           wire_stats_quantile(&t->stats, 0.5), wire_stats_quantile(&t->stats, 0.99),
           wire_stats_quantile(&t->stats, 0.999), wire_stats_quantile(&t->stats, 1), t->errors);
    if (t->judged > 0)
        printf(" recall=%.4f few=%zu", (double)t->hits / (double)t->judged, t->few);
    if (t->mark_s > 0)
        printf(" mark_s=%.4f", t->mark_s);
    printf(" end_s=%.6f\n", l->end_s);
    if (t->errors > 0)
        fprintf(stderr, "%s: %zu errors, the first: %s\n", role->name, t->errors, t->error);
}

static _Noreturn void print_usage(void)
{
    for (size_t i = 0; i < COUNT_OF(usage); i++)
        fprintf(stderr, "%s\n", usage[i]);
    exit(2);
}

static bool set_number(struct load *l, const char *option, const char *value)
{
    const struct {
        const char *name;
        size_t *to;
    } numbers[] = {
        {"--depth", &l->depth},     {"--batch", &l->batch},         {"--count", &l->count},
        {"--mark", &l->mark},       {"--tenants", &l->tenants},     {"--searches", &l->searches},
        {"--from", &l->from},       {"--seed", &l->seed},           {"--saves", &l->saves},
        {"--queries", &l->queries}, {"--per-mille", &l->per_mille},
    };
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        if (strcmp(numbers[i].name, option) == 0) {
            *numbers[i].to = strtoul(value, NULL, 10);
            return true;
        }
    }
    return false;
}

static void set_option(struct load *l, const char *option, const char *value)
{
    if (value == NULL)
        print_usage();
    if (set_number(l, option, value))
        return;
    if (strcmp(option, "--port") == 0)
        l->port = (int)strtol(value, NULL, 10);
    else if (strcmp(option, "--first") == 0)
        l->first = strtoull(value, NULL, 10);
    else if (strcmp(option, "--seconds") == 0)
        l->seconds = strtod(value, NULL);
    else if (strcmp(option, "--warmup") == 0)
        l->warmup_s = strtod(value, NULL);
    else if (strcmp(option, "--await") == 0)
        l->await_s = strtod(value, NULL);
    else if (strcmp(option, "--data") == 0)
        l->data_dir = value;
    else if (strcmp(option, "--set") == 0)
        l->set_name = value;
    else if (strcmp(option, "--key") == 0)
        l->key = value;
    else if (strcmp(option, "--effort") == 0)
        l->effort = value;
    else if (strcmp(option, "--shows") == 0)
        l->shows = value;
    else if (strcmp(option, "--by") == 0)
        l->filter.by_number = strcmp(value, "number") == 0;
    else
        print_usage();
}

/* "search=8" names a role and how many connections it has. */
static const struct role *role_of(const char *word, size_t *conns)
{
    const char *equals = strchr(word, '=');
    for (size_t i = 0; equals != NULL && i < COUNT_OF(roles); i++) {
        size_t len = strlen(roles[i].name);
        if (len == (size_t)(equals - word) && strncmp(roles[i].name, word, len) == 0) {
            *conns = strtoul(equals + 1, NULL, 10);
            return &roles[i];
        }
    }
    print_usage();
}

/* What searches ask, and what is right. */
static void open_queries(struct load *l)
{
    if (l->queries == 0 || l->queries > l->set.query.rows)
        l->queries = l->set.query.rows;
    l->filter.per_mille = (unsigned)l->per_mille;
    docs_filter_text(&l->filter, l->filter_text);
    (void)snprintf(l->prefix, sizeof l->prefix, "%s:", l->key);
    if (l->per_mille < 1000)
        l->truth = docs_truth(&l->set, &l->filter, l->queries);
}

static void open_roles(struct load *l, char **words, int count)
{
    for (int i = 0; i < count; i++) {
        size_t conns;
        if (role_of(words[i], &conns)->needs_set && l->set.name == NULL) {
            l->set = dataset_open(l->data_dir, l->set_name);
            if (l->from >= l->set.train.rows)
                die("the set has %u rows", l->set.train.rows);
            if (l->count == 0 || l->count > l->set.train.rows - l->from)
                l->count = l->set.train.rows - l->from;
            open_queries(l);
        }
    }
    if (l->await_s > 0)
        await_server(l);
    for (int i = 0; i < count; i++) {
        size_t conns;
        const struct role *role = role_of(words[i], &conns);
        for (size_t n = 0; n < conns; n++)
            conn_open(l, role);
    }
}

int main(int argc, char **argv)
{
    static struct load l = {.seconds = 5,
                            .warmup_s = 0.2,
                            .data_dir = "data",
                            .set_name = "glove100",
                            .effort = "",
                            .shows = "distance",
                            .per_mille = 1000,
                            .depth = 100,
                            .batch = 1000,
                            .tenants = 10000,
                            .saves = 1,
                            .seed = 1,
                            .rng = 1};
    int words = 0;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) == 0) {
            set_option(&l, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
            i++;
        } else {
            argv[words++] = argv[i];
        }
    }
    if (l.port <= 0 || words == 0 || l.depth == 0 || l.depth > DEPTH_MAX || l.batch == 0)
        print_usage();
    if (l.key == NULL)
        l.key = l.set_name;
    open_roles(&l, argv, words);
    run(&l);
    size_t errors = 0;
    for (size_t i = 0; i < COUNT_OF(roles); i++) {
        if (l.tallies[i].conns > 0)
            print_tally(&l, &roles[i], &l.tallies[i]);
        errors += l.tallies[i].errors;
        wire_stats_fini(&l.tallies[i].stats);
    }
    return errors > 0 ? 1 : 0;
}
