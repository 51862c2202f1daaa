/* VALTER: what can change of a collection while it is there. */
#include "cmd/vector_options.h"

#include "db/alter.h"

/* Why the words of VCREATE that VALTER does not have cannot change. */
static void reply_fixed(struct request *rq, struct slice word)
{
    static const struct {
        const char *word, *why;
    } fixed[] = {
        {"DIM", "all its vectors have that many floats"},
        {"METRIC", "its graph and its codes were made for it"},
        {"TYPE", "its vectors are kept so"},
    };
    for (size_t i = 0; i < COUNT_OF(fixed); i++) {
        if (!slice_eq_nocase(word, fixed[i].word))
            continue;
        reply_errorf(&rq->reply,
                     "ERR %s of a collection cannot change: %s. Make another with VCREATE, and "
                     "import into it",
                     fixed[i].word, fixed[i].why);
        return;
    }
    reply_errorf(
        &rq->reply,
        "ERR VALTER does not know '%.*s': INDEX, QUANT, M, EFC, NLIST, SUB, ORIGINALS, EF, "
        "NPROBE, ELEMENTTTL, MAXLEN, MAXBYTES, EVICT and SCHEMA can change",
        (int)(word.len < 64 ? word.len : 64), (const char *)word.ptr);
}

/* SCHEMA ADD field TYPE [field TYPE ..], or SCHEMA DROP field [field ..] */
static enum err alter_schema(const struct slices *words, struct schema *schema, struct why *why)
{
    static const char *const verbs[] = {"ADD", "DROP"};
    int verb = 0;
    if (words->count < 2)
        return why_set(why, ERR_ARG, "SCHEMA: write ADD field TYPE, or DROP field");
    enum err e = option_pick("SCHEMA", words->items[0], verbs, COUNT_OF(verbs), &verb, why);
    struct slices fields = {words->items + 1, words->count - 1};
    if (e != OK || verb == 0)
        return e == OK ? options_read_schema(fields, schema, why) : e;
    for (size_t i = 0; i < fields.count && e == OK; i++)
        e = schema_drop(schema, fields.items[i], why);
    return e;
}

static enum err alter_shape(const struct valter_args *a, struct collection_spec *spec,
                            struct why *why)
{
    struct shape_options options = SHAPE_OPTIONS(a);
    const struct spec_shape before = spec_shape(spec);
    options.no_vectors = !spec_has_vectors(&before);
    bool any = a->has_index || a->has_quant || a->has_m || a->has_efc || a->has_nlist ||
               a->has_sub || a->has_originals;
    return any ? options_read_shape(&options, spec, why) : OK;
}

void cmd_valter(struct request *rq)
{
    const struct valter_args *a = rq->args;
    const struct tuning_options options = TUNING_OPTIONS(a);
    struct why why = {{0}};
    if (a->fixed.count > 0) {
        reply_fixed(rq, a->fixed.items[0]);
        return;
    }
    struct collection *c = need_collection(rq, a->key);
    if (c == NULL)
        return;
    if (c->spec.implicit) {
        reply_error(&rq->reply, "ERR a vector set made by VADD has no options; VCREATE makes "
                                "collections");
        return;
    }
    struct mutation m = {.kind = MUTATION_COLLECTION_ALTER, .key = a->key, .spec = c->spec};
    enum err e = options_read_tuning(&options, &m.spec.tuning, &why);
    if (e == OK)
        e = alter_shape(a, &m.spec, &why);
    if (e == OK)
        e = options_check_probes(a->has_nprobe, &m.spec, &why);
    if (e == OK && a->has_schema)
        e = alter_schema(&a->schema, &m.spec.schema, &why);
    if (e != OK)
        reply_err(&rq->reply, e, &why);
    else if (rq->argc == 2)
        reply_error(&rq->reply,
                    "ERR VALTER takes INDEX, QUANT, M, EFC, NLIST, SUB, "
                    "ORIGINALS, EF, NPROBE, ELEMENTTTL, MAXLEN, MAXBYTES, EVICT or SCHEMA");
    else if (write_mutation(rq, &m))
        reply_simple(&rq->reply, "OK");
}
