/* FT.INFO: what an index is and holds. Clients read parts of it by their place (RESP2), so the
 * order is RediSearch's. */
#include <stdio.h>

#include "base/limits.h"
#include "cmd/ft.h"

static void put_pair(struct reply *r, const char *name, const char *value)
{
    reply_text(r, name);
    reply_text(r, value);
}

static void put_number(struct reply *r, const char *name, uint64_t value)
{
    reply_text(r, name);
    reply_int(r, (int64_t)value);
}

static void put_share(struct reply *r, const char *name, double value)
{
    char text[DOUBLE_TEXT_MAX];
    reply_text(r, name);
    if (r->proto == 3) {
        reply_double(r, value);
        return;
    }
    size_t size = double_to_text(value, text);
    reply_bulk(r, (struct slice){(const uint8_t *)text, size});
}

/* -- attributes -------------------------------------------------------------------------------- */

enum { FLAGS_MAX = 9 };

static size_t list_flags(const struct index_field *f, const char *flags[FLAGS_MAX])
{
    size_t count = 0;
    const struct {
        bool given;
        const char *word;
    } all[] = {{f->case_sensitive, "CASESENSITIVE"},
               {f->with_suffixes, "WITHSUFFIXTRIE"},
               {f->sortable, "SORTABLE"},
               {f->unf, "UNF"},
               {f->no_stem, "NOSTEM"},
               {f->no_index, "NOINDEX"},
               {f->index_empty, "INDEXEMPTY"},
               {f->index_missing, "INDEXMISSING"}};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (all[i].given)
            flags[count++] = all[i].word;
    CHECK(count <= FLAGS_MAX);
    return count;
}

static void put_vector(struct reply *r, const struct index_vector *v)
{
    put_pair(r, "algorithm", v->flat ? "FLAT" : "HNSW");
    put_pair(r, "data_type", index_vector_type_name(v->type));
    put_number(r, "dim", v->dim);
    put_pair(r, "distance_metric",
             v->metric == METRIC_COSINE ? "COSINE"
             : v->metric == METRIC_L2   ? "L2"
                                        : "IP");
    if (v->flat)
        return;
    put_number(r, "M", v->m);
    put_number(r, "ef_construction", v->ef_construction);
    put_number(r, "ef_runtime", v->ef_runtime);
}

static size_t pairs_of(const struct index_field *f)
{
    enum { FLAT_PAIRS = 4, HNSW_PAIRS = 7 };
    if (f->kind == INDEX_VECTOR)
        return f->vector.flat ? FLAT_PAIRS : HNSW_PAIRS;
    return f->kind == INDEX_TAG || f->kind == INDEX_TEXT;
}

static void put_attribute(struct reply *r, const struct index_field *f)
{
    enum { NAMES = 3 };
    const char *flags[FLAGS_MAX];
    size_t flag_count = list_flags(f, flags), pairs = NAMES + pairs_of(f);
    if (r->proto == 3)
        reply_map(r, pairs + 1);
    else
        reply_array(r, 2 * pairs + flag_count);
    reply_text(r, "identifier");
    reply_bulk(r, f->path);
    reply_text(r, "attribute");
    reply_bulk(r, f->name);
    put_pair(r, "type", index_field_kind_name(f->kind));
    if (f->kind == INDEX_TAG) {
        reply_text(r, "SEPARATOR");
        reply_bulk(r, (struct slice){&f->separator, f->separator != 0});
    } else if (f->kind == INDEX_TEXT) {
        put_share(r, "WEIGHT", f->weight);
    } else if (f->kind == INDEX_VECTOR) {
        put_vector(r, &f->vector);
    }
    if (r->proto == 3) {
        reply_text(r, "flags");
        reply_array(r, flag_count);
    }
    for (size_t i = 0; i < flag_count; i++)
        reply_text(r, flags[i]);
}

/* -- the rest ---------------------------------------------------------------------------------- */

static void put_definition(struct reply *r, const struct index_spec *s)
{
    char score[DOUBLE_TEXT_MAX];
    size_t size = double_to_text(s->score, score);
    reply_text(r, "index_definition");
    reply_map(r, 4);
    put_pair(r, "key_type", s->on_json ? "JSON" : "HASH");
    reply_text(r, "prefixes");
    reply_array(r, s->prefix_count);
    for (size_t i = 0; i < s->prefix_count; i++)
        reply_bulk(r, s->prefixes[i]);
    reply_text(r, "default_score");
    if (r->proto == 3)
        reply_double(r, s->score);
    else
        reply_bulk(r, (struct slice){(const uint8_t *)score, size});
    put_pair(r, "indexes_all", s->prefixes[0].len == 0 ? "true" : "false");
}

/* Words and their records. Sizes of what there is only together are in the first of them. */
static void put_words(struct reply *r, const struct key_index *x, double mb)
{
    const struct text_index *t = x->text == NULL ? NULL : index_text_of(x->text);
    put_share(r, "num_terms", t == NULL ? 0 : t->terms.live);
    put_share(r, "num_records", t == NULL ? 0 : (double)t->records);
    put_share(r, "inverted_sz_mb", t == NULL ? 0 : (double)text_terms_bytes(&t->terms) / mb);
}

static double ratio(double a, double b)
{
    return b == 0 ? 0 : a / b;
}

static void put_averages(struct reply *r, const struct key_index *x)
{
    const struct text_index *t = x->text == NULL ? NULL : index_text_of(x->text);
    double records = t == NULL ? 0 : (double)t->records;
    double bytes = t == NULL ? 0 : (double)text_terms_bytes(&t->terms);
    double documents = t == NULL ? 0 : (double)(t->documents.alive + t->documents.dead);
    put_share(r, "geoshapes_sz_mb", 0);
    put_share(r, "records_per_doc_avg", ratio(records, documents));
    put_share(r, "bytes_per_record_avg", ratio(bytes, records));
    put_share(r, "offsets_per_term_avg", t == NULL ? 0 : ratio((double)t->places, records));
    put_share(r, "offset_bits_per_record_avg", 0);
}

/* All of a size or a count that there is nothing of. */
static void put_zeros(struct reply *r, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        put_share(r, names[i], 0);
}

static void put_sizes(struct reply *r, const struct key_index *x)
{
    static const char *const after[] = {"total_inverted_index_blocks", "offset_vectors_sz_mb"};
    static const char *const tables[] = {"sortable_values_size_mb", "key_table_size_mb",
                                         "tag_overhead_sz_mb", "text_overhead_sz_mb"};
    const double mb = 1024 * 1024;
    size_t vectors = 0;
    for (size_t i = 0; i < x->spec->vector_count; i++)
        vectors += collection_bytes(x->vectors[i]);
    put_words(r, x, mb);
    put_share(r, "vector_index_sz_mb", (double)vectors / mb);
    put_zeros(r, after, COUNT_OF(after));
    put_share(r, "doc_table_size_mb",
              x->text == NULL ? 0 : (double)index_text_of(x->text)->documents.bytes / mb);
    put_zeros(r, tables, COUNT_OF(tables));
    put_share(r, "total_index_memory_sz_mb", (double)index_bytes(x) / mb);
    put_averages(r, x);
}

/* Only those that were given. */
static void put_stop_words(struct reply *r, const struct index_spec *s)
{
    reply_text(r, "stopwords_list");
    reply_array(r, s->stop_word_count);
    for (size_t i = 0; i < s->stop_word_count; i++)
        reply_bulk(r, s->stop_words[i]);
}

static void put_statistics(struct reply *r, const struct cmd_env *env, const struct index_spec *s)
{
    static const char *const gc[] = {"bytes_collected",  "total_ms_run",
                                     "total_cycles",     "average_cycle_time_ms",
                                     "last_run_time_ms", "gc_numeric_trees_missed",
                                     "gc_blocks_denied"};
    static const char *const dialects[] = {"dialect_1", "dialect_2", "dialect_3", "dialect_4"};
    reply_text(r, "gc_stats");
    reply_map(r, COUNT_OF(gc));
    put_zeros(r, gc, COUNT_OF(gc));
    reply_text(r, "cursor_stats");
    reply_map(r, 4);
    put_number(r, "global_idle", ft_cursor_count(env, (struct slice){0}));
    put_number(r, "global_total", ft_cursor_count(env, (struct slice){0}));
    put_number(r, "index_capacity", LIMIT_CURSORS);
    put_number(r, "index_total", ft_cursor_count(env, s->name));
    if (s->own_stop_words)
        put_stop_words(r, s);
    reply_text(r, "dialect_stats");
    reply_map(r, COUNT_OF(dialects));
    for (size_t i = 0; i < COUNT_OF(dialects); i++)
        put_number(r, dialects[i], 0);
}

static void put_errors(struct reply *r, const struct key_index *x)
{
    reply_text(r, "Index Errors");
    reply_map(r, 3);
    put_number(r, "indexing failures", x->failures);
    reply_text(r, "last indexing error");
    if (x->failures > 0)
        reply_bulk(r, buf_slice(&x->last_error));
    else
        reply_text(r, "N/A");
    reply_text(r, "last indexing error key");
    if (x->failures > 0)
        reply_bulk(r, buf_slice(&x->last_error_key));
    else
        reply_text(r, "N/A");
}

void cmd_ft_info(struct request *rq)
{
    enum { PAIRS = 34 };
    const struct ft_info_args *a = rq->args;
    const struct key_index *x = ft_index(rq, a->index);
    struct reply *r = &rq->reply;
    if (x == NULL)
        return;
    const struct key_index *newest = x->successor != NULL ? x->successor : x;
    reply_map(r, PAIRS + x->spec->own_stop_words);
    reply_text(r, "index_name");
    reply_bulk(r, x->spec->name);
    reply_text(r, "index_options");
    reply_array(r, 0);
    put_definition(r, x->spec);
    reply_text(r, "attributes");
    reply_array(r, newest->spec->field_count);
    for (size_t i = 0; i < newest->spec->field_count; i++)
        put_attribute(r, &newest->spec->fields[i]);
    put_number(r, "num_docs", x->docs->live);
    put_number(r, "max_doc_id", x->docs->rows_end);
    put_sizes(r, x);
    put_number(r, "hash_indexing_failures", x->failures);
    put_share(r, "total_indexing_time", 0);
    put_number(r, "indexing", newest->scans);
    put_share(r, "percent_indexed", index_done_share(newest));
    put_number(r, "number_of_uses", x->uses);
    put_number(r, "cleaning", 0);
    put_statistics(r, rq->env, x->spec);
    put_errors(r, x);
    reply_text(r, "field statistics");
    reply_array(r, 0);
}
