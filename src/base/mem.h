/* mem.h: the only way memory is had, and the account of who holds how much.
 *
 * Two allocators. mem_alloc is for small things whose size the code decides: it aborts with a
 * report when there is none. mem_try is for sizes that a client decides: it returns NULL, which
 * becomes ERR_NOMEM. Every byte is booked under a tag; pages mapped directly are booked by
 * mem_book_pages().
 *
 * Threads: counters are atomic (relaxed: they are sums, nothing is ordered by them). The caller of
 * mem_free names the tag it allocated under. */
#ifndef VDB_BASE_MEM_H
#define VDB_BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

/* tag, name in INFO and MEMORY STATS */
#define MEM_TAG_LIST(X)                                                                            \
    X(MEM_SERVER, "server")     /* structures whose number does not grow with data */              \
    X(MEM_CLIENT, "clients")    /* sessions, query and reply buffers */                            \
    X(MEM_KEYSPACE, "keyspace") /* keys, strings, maps from key to object */                       \
    X(MEM_VECTOR, "vectors")    /* exact vectors */                                                \
    X(MEM_CODE, "codes")        /* quantized vectors */                                            \
    X(MEM_ROW, "rows")          /* birth, death, offsets: what every row has besides */            \
    X(MEM_GRAPH, "graph")       /* links and levels */                                             \
    X(MEM_ID, "ids")            /* ids, attributes and the map from id to row */                   \
    X(MEM_TEXT, "text")         /* words of documents: terms, postings, versions */               \
    X(MEM_LOG, "log")           /* mutations not yet handed to every sink */                       \
    X(MEM_SNAPSHOT, "snapshot") /* what is known of the last snapshots, and the one under way */   \
    X(MEM_SCRATCH, "scratch")   /* working memory of searches and jobs */                          \
    X(MEM_TEST, "test")

enum mem_tag {
#define X(tag, name) tag,
    MEM_TAG_LIST(X)
#undef X
        MEM_TAG_COUNT
};

const char *mem_tag_name(enum mem_tag tag);

/* Never NULL. size 0 is allowed. */
void *mem_alloc(enum mem_tag tag, size_t size);
void *mem_calloc(enum mem_tag tag, size_t size);
void *mem_realloc(enum mem_tag tag, void *ptr, size_t size);

/* NULL when memory is short (or a test makes it so). On failure mem_try_realloc keeps ptr. */
MUST_USE void *mem_try(enum mem_tag tag, size_t size);
MUST_USE void *mem_try_calloc(enum mem_tag tag, size_t size);
MUST_USE void *mem_try_realloc(enum mem_tag tag, void *ptr, size_t size);
MUST_USE void *mem_try_aligned(enum mem_tag tag, size_t alignment, size_t size);

/* ptr may be NULL. */
void mem_free(enum mem_tag tag, void *ptr);

/* The bytes the allocator really set aside for ptr. */
size_t mem_size(void *ptr);

/* Books pages that were mapped (positive) or unmapped (negative) outside the allocator. */
void mem_book_pages(enum mem_tag tag, int64_t bytes);

size_t mem_used(enum mem_tag tag);
size_t mem_used_total(void);
size_t mem_peak_total(void); /* highest mem_used_total() seen by mem_note_peak() */
void mem_note_peak(void);

/* Resident set of the process, from the operating system. 0 when unknown. */
size_t mem_rss_bytes(void);
/* Memory of the machine or of the cgroup, whichever is less. */
size_t mem_machine_bytes(void);
/* What the allocator says: bytes given out, in pages that are in use, in pages it holds. */
struct mem_allocator {
    const char *name;
    uint64_t allocated, active, resident;
};
void mem_allocator(struct mem_allocator *out);
/* Calls write with pieces of a text for people. */
void mem_print_allocator(void (*write)(void *user, const char *text), void *user);
/* The thread of the loop, before it allocates: jemalloc 5.3 gives what is larger than 8 MB back to
 * the system within free() in its first arena, whatever its options say. */
void mem_loop_begins(void);
/* Gives free pages back to the operating system now. */
void mem_trim(void);

/* Test hook: from now on the n-th mem_try* call of this thread (counted from 1) fails once; 0 turns
 * it off. Returns whether the previous request had fired. */
bool mem_fail_nth(uint64_t n);
/* Calls of this thread under the tag neither fail nor count; MEM_TAG_COUNT: all do. For a simulator
 * that must not meet the shortage it makes. */
void mem_fail_spare(enum mem_tag tag);

#endif
