#include "base/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const tag_names[] = {
#define X(tag, name) name,
    MEM_TAG_LIST(X)
#undef X
};

/* Sums over all threads; relaxed, since nothing is ordered by them. */
static _Atomic int64_t used_bytes[MEM_TAG_COUNT];
static _Atomic size_t peak_bytes;

static _Thread_local uint64_t fail_countdown;
static _Thread_local enum mem_tag fail_spared = MEM_TAG_COUNT;

const char *mem_tag_name(enum mem_tag tag)
{
    CHECK(tag < MEM_TAG_COUNT);
    return tag_names[tag];
}

size_t mem_size(void *ptr)
{
    return ptr == NULL ? 0 : malloc_usable_size(ptr);
}

static void book(enum mem_tag tag, int64_t bytes)
{
    CHECK(tag < MEM_TAG_COUNT);
    (void)atomic_fetch_add_explicit(&used_bytes[tag], bytes, memory_order_relaxed);
}

static void *booked(enum mem_tag tag, void *ptr)
{
    book(tag, (int64_t)mem_size(ptr));
    return ptr;
}

static _Noreturn void out_of_memory(size_t size)
{
    fprintf(stderr, "out of memory: %zu bytes asked, %zu in use\n", size, mem_used_total());
    abort();
}

/* A test asked for this call to fail. */
static bool fails_now(enum mem_tag tag)
{
    return fail_countdown > 0 && tag != fail_spared && --fail_countdown == 0;
}

void mem_fail_spare(enum mem_tag tag)
{
    fail_spared = tag;
}

bool mem_fail_nth(uint64_t n)
{
    bool fired = fail_countdown == 0;
    fail_countdown = n;
    return fired;
}

void *mem_alloc(enum mem_tag tag, size_t size)
{
    void *ptr = malloc(size > 0 ? size : 1);
    if (ptr == NULL)
        out_of_memory(size);
    return booked(tag, ptr);
}

void *mem_calloc(enum mem_tag tag, size_t size)
{
    void *ptr = calloc(1, size > 0 ? size : 1);
    if (ptr == NULL)
        out_of_memory(size);
    return booked(tag, ptr);
}

void *mem_realloc(enum mem_tag tag, void *ptr, size_t size)
{
    int64_t before = (int64_t)mem_size(ptr);
    void *grown = realloc(ptr, size > 0 ? size : 1);
    if (grown == NULL)
        out_of_memory(size);
    book(tag, (int64_t)mem_size(grown) - before);
    return grown;
}

void *mem_try(enum mem_tag tag, size_t size)
{
    return fails_now(tag) ? NULL : booked(tag, malloc(size > 0 ? size : 1));
}

void *mem_try_calloc(enum mem_tag tag, size_t size)
{
    return fails_now(tag) ? NULL : booked(tag, calloc(1, size > 0 ? size : 1));
}

void *mem_try_realloc(enum mem_tag tag, void *ptr, size_t size)
{
    if (fails_now(tag))
        return NULL;
    int64_t before = (int64_t)mem_size(ptr);
    void *grown = realloc(ptr, size > 0 ? size : 1);
    if (grown != NULL)
        book(tag, (int64_t)mem_size(grown) - before);
    return grown;
}

void *mem_try_aligned(enum mem_tag tag, size_t alignment, size_t size)
{
    CHECK(alignment >= sizeof(void *) && (alignment & (alignment - 1)) == 0);
    void *ptr = NULL;
    if (fails_now(tag) || posix_memalign(&ptr, alignment, size > 0 ? size : 1) != 0)
        return NULL;
    return booked(tag, ptr);
}

void mem_free(enum mem_tag tag, void *ptr)
{
    if (ptr == NULL)
        return;
    book(tag, -(int64_t)mem_size(ptr));
    free(ptr);
}

void mem_book_pages(enum mem_tag tag, int64_t bytes)
{
    book(tag, bytes);
}

size_t mem_used(enum mem_tag tag)
{
    CHECK(tag < MEM_TAG_COUNT);
    int64_t used = atomic_load_explicit(&used_bytes[tag], memory_order_relaxed);
    return used > 0 ? (size_t)used : 0;
}

size_t mem_used_total(void)
{
    int64_t sum = 0; /* lanes book meanwhile: one tag alone may be read below zero */
#define X(tag, name) sum += atomic_load_explicit(&used_bytes[tag], memory_order_relaxed);
    MEM_TAG_LIST(X)
#undef X
    return sum > 0 ? (size_t)sum : 0;
}

void mem_note_peak(void)
{
    size_t now = mem_used_total();
    size_t peak = atomic_load_explicit(&peak_bytes, memory_order_relaxed);
    while (now > peak && !atomic_compare_exchange_weak_explicit(
                             &peak_bytes, &peak, now, memory_order_relaxed, memory_order_relaxed))
        continue;
}

size_t mem_peak_total(void)
{
    mem_note_peak();
    return atomic_load_explicit(&peak_bytes, memory_order_relaxed);
}

size_t mem_rss_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    if (f == NULL)
        return 0;
    unsigned long long pages_all = 0, pages_resident = 0;
    int got = fscanf(f, "%llu %llu", &pages_all, &pages_resident);
    (void)fclose(f); /* read only: nothing can be lost */
    return got == 2 ? (size_t)pages_resident * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

/* A number in a file of the control-group file system, or 0 ("max", or no such file). */
static size_t cgroup_limit(const char *path)
{
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return 0;
    unsigned long long limit = 0;
    int got = fscanf(f, "%llu", &limit);
    (void)fclose(f);
    return got == 1 ? (size_t)limit : 0;
}

size_t mem_machine_bytes(void)
{
    size_t machine = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
    static const char *const paths[] = {"/sys/fs/cgroup/memory.max",
                                        "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    for (size_t i = 0; i < COUNT_OF(paths); i++) {
        size_t limit = cgroup_limit(paths[i]);
        if (limit > 0 && limit < machine)
            machine = limit;
    }
    return machine;
}

#ifndef VDB_SANITIZER
int mallctl(const char *name, void *old, size_t *old_size, void *new, size_t new_size);
void malloc_stats_print(void (*write)(void *user, const char *text), void *user, const char *opts);

/* Read by jemalloc at start: unused pages go back within a second, so that RSS follows the account
 * (ARCHITECTURE.md P5); the background thread does it without the loop's help, also for what is
 * large. */
extern const char *malloc_conf;
const char *malloc_conf =
    "background_thread:true,dirty_decay_ms:1000,muzzy_decay_ms:0,oversize_threshold:0";

void mem_loop_begins(void)
{
    unsigned arena = 1;
    (void)mallctl("thread.arena", NULL, NULL, &arena, sizeof(arena)); /* a wish */
}

void mem_trim(void)
{
    (void)mallctl("arena.4096.purge", NULL, NULL, NULL, 0); /* 4096: all arenas; best effort */
}
/* 0 when the allocator does not know. */
static uint64_t allocator_figure(const char *name)
{
    size_t value = 0, size = sizeof(value);
    return mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

void mem_allocator(struct mem_allocator *out)
{
    uint64_t epoch = 1;
    (void)mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)); /* or figures are older: no harm */
    *out = (struct mem_allocator){.name = "jemalloc",
                                  .allocated = allocator_figure("stats.allocated"),
                                  .active = allocator_figure("stats.active"),
                                  .resident = allocator_figure("stats.resident")};
}

void mem_print_allocator(void (*write)(void *user, const char *text), void *user)
{
    malloc_stats_print(write, user, NULL);
}
#else
void mem_loop_begins(void)
{
}

void mem_trim(void)
{
}

void mem_allocator(struct mem_allocator *out)
{
    uint64_t used = mem_used_total();
    *out = (struct mem_allocator){
        .name = "sanitizer", .allocated = used, .active = used, .resident = used};
}

void mem_print_allocator(void (*write)(void *user, const char *text), void *user)
{
    write(user, "this build checks memory and has no statistics of it\n");
}
#endif
