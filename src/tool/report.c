/* report.c: rows are printed as they are measured, since a whole run can take minutes. */
#include "tool/report.h"

#include "tool/progress.h"

void report_init(struct report *r, FILE *out, bool is_json)
{
    *r = (struct report){.out = out, .is_json = is_json};
}

void report_load(struct report *r, const struct load_result *load)
{
    r->load = *load;
    if (!r->is_json)
        load_print(r->out, "loaded", load);
}

void report_linked(struct report *r, double seconds)
{
    r->linked_s = seconds;
    if (!r->is_json)
        (void)fprintf(r->out, "linked: after %.1f s more\n", seconds);
}

/* A text as JSON has it; bytes that are no ASCII are taken for UTF-8. */
static void print_json_text(FILE *out, const char *text)
{
    (void)fputc('"', out);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            (void)fprintf(out, "\\%c", *text);
        else if ((unsigned char)*text < 0x20)
            (void)fprintf(out, "\\u%04x", (unsigned)*text);
        else
            (void)fputc(*text, out);
    }
    (void)fputc('"', out);
}

void report_start(struct report *r, const struct search_set *set)
{
    const char *command = set->command == SEARCH_VSEARCH ? "VSEARCH" : "VSIM";
    char count[COUNT_TEXT_MAX];
    if (!r->is_json) {
        (void)fprintf(r->out, "%s %s, %s %s, k %u\n\n%8s%9s%10s%11s%10s%10s%10s%10s\n", command,
                      set->key, count_text(set->query_count, count),
                      set->vectors == NULL ? "of its elements as queries" : "queries", set->k, "ef",
                      "clients", "recall", "per s", "mean ms", "p50 ms", "p95 ms", "p99 ms");
        return;
    }
    (void)fprintf(r->out, "{\"command\": \"%s\", \"key\": ", command);
    print_json_text(r->out, set->key);
    (void)fprintf(r->out, ", \"k\": %u, \"queries\": %zu", set->k, set->query_count);
    if (r->load.dim > 0)
        (void)fprintf(r->out,
                      ",\n \"load\": {\"vectors\": %llu, \"dim\": %u, \"seconds\": %.3f, "
                      "\"linked_after_s\": %.3f}",
                      (unsigned long long)(r->load.added + r->load.replaced), r->load.dim,
                      r->load.seconds, r->linked_s);
    (void)fprintf(r->out, ",\n \"rows\": [");
}

void report_row(struct report *r, const struct search_result *row)
{
    CHECK(row->searches > 0 && row->client_count > 0);
    char ef[COUNT_TEXT_MAX], rate[COUNT_TEXT_MAX];
    if (r->is_json) {
        (void)fprintf(r->out,
                      "%s\n  {\"ef\": %u, \"clients\": %u, \"searches\": %llu, \"recall\": %.5f, "
                      "\"qps\": %.1f, \"mean_ms\": %.4f, \"p50_ms\": %.4f, \"p95_ms\": %.4f, "
                      "\"p99_ms\": %.4f}",
                      r->row_count == 0 ? "" : ",", row->ef, row->client_count,
                      (unsigned long long)row->searches, row->recall, row->per_s, row->mean_ms,
                      row->p50_ms, row->p95_ms, row->p99_ms);
    } else {
        count_text(row->ef, ef);
        (void)fprintf(r->out, "%8s%9u%10.4f%11s%10.3f%10.3f%10.3f%10.3f\n",
                      row->ef == SEARCH_EF_DEFAULT ? "default" : ef, row->client_count, row->recall,
                      count_text((uint64_t)row->per_s, rate), row->mean_ms, row->p50_ms,
                      row->p95_ms, row->p99_ms);
    }
    (void)fflush(r->out);
    r->row_count++;
}

void report_end(struct report *r)
{
    if (r->is_json)
        (void)fprintf(r->out, "\n ]}\n");
}
