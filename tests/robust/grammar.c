#include "robust/grammar.h"

#include <stdio.h>

#include "base/limits.h"
#include "robust/values.h"

/* -- what there is to say ------------------------------------------------------------------------
 */

static bool may_be_missing(const struct arg *arg)
{
    return arg->word != NULL || arg->kind == ARG_MAYBE;
}

static void add_target(struct targets *t, const struct command *c, const struct arg *arg, int word)
{
    t->list = mem_realloc(MEM_TEST, t->list, (t->count + 1) * sizeof(t->list[0]));
    t->list[t->count++] = (struct target){c, arg, word};
}

struct targets targets_all(void)
{
    struct targets t = {NULL, 0};
    for (size_t i = 0; i < command_count(); i++) {
        const struct command *c = command_at(i);
        for (const struct arg *arg = c->args(); arg->kind != ARG_END; arg++) {
            if (may_be_missing(arg))
                add_target(&t, c, arg, -1);
            for (int word = 0; value_alternative(arg->name, word).len > 0; word++)
                add_target(&t, c, arg, word);
        }
    }
    return t;
}

void targets_free(struct targets *t)
{
    mem_free(MEM_TEST, t->list);
    *t = (struct targets){NULL, 0};
}

const char *target_text(const struct target *t, char *text, size_t size)
{
    const char *name = t->arg->word != NULL ? t->arg->word : t->arg->name;
    struct slice word = {NULL, 0};
    if (t->word >= 0)
        word = value_alternative(t->arg->name, t->word);
    (void)snprintf(text, size, "%s %s%s%.*s", t->command->name, name, word.len > 0 ? ": " : "",
                   (int)word.len, word.len > 0 ? (const char *)word.ptr : "");
    return text;
}

static void note_used(struct grammar *g, const struct arg *arg, int word)
{
    for (size_t i = 0; i < g->targets->count && g->used_count < GRAMMAR_USED_MAX; i++)
        if (g->targets->list[i].arg == arg && g->targets->list[i].word == word)
            g->used[g->used_count++] = i;
}

/* -- words ---------------------------------------------------------------------------------------
 */

static void begin_word(struct grammar *g)
{
    CHECK(g->count < GRAMMAR_WORDS_MAX);
    g->at[g->count] = g->bytes.len;
}

static void end_word(struct grammar *g)
{
    CHECK(!buf_failed(&g->bytes));
    g->len[g->count] = g->bytes.len - g->at[g->count];
    g->count++;
}

static bool is_full(const struct grammar *g)
{
    return g->count + 8 >= GRAMMAR_WORDS_MAX;
}

void grammar_put_text(struct grammar *g, const char *text)
{
    begin_word(g);
    buf_append_text(&g->bytes, text);
    end_word(g);
}

static void put_number(struct grammar *g, long long number)
{
    begin_word(g);
    buf_printf(&g->bytes, "%lld", number);
    end_word(g);
}

static void put_value(struct grammar *g, const struct command *c, const struct arg *arg,
                      const struct target *must)
{
    int word = -1;
    if (must != NULL && must->arg == arg)
        word = must->word;
    begin_word(g);
    word = value_write(g, c, arg, word);
    end_word(g);
    if (word >= 0)
        note_used(g, arg, word);
}

/* -- arguments -----------------------------------------------------------------------------------
 */

static void put_count_and(struct grammar *g, const struct command *c, const struct arg *arg,
                          size_t count)
{
    bool garbage = chance_below(&g->chance, 100) < g->garbage;
    static const char *const wrong[] = {"-1", "0", "1000001", "9223372036854775807", "x", "3.5"};
    if (garbage)
        grammar_put_text(g, wrong[chance_below(&g->chance, COUNT_OF(wrong))]);
    else
        put_number(g, (long long)count);
    size_t each = arg->kind == ARG_OPT_LIST && arg->max > 1 ? (size_t)arg->max : 1;
    for (size_t i = 0; i < count * each && !is_full(g); i++)
        put_value(g, c, arg, NULL);
    g->last_count = count;
}

/* A count that goes with the list before it more often than not. */
static size_t some_count(struct grammar *g, size_t min)
{
    if (g->last_count >= min && g->last_count > 0 && chance_below(&g->chance, 5) > 0)
        return g->last_count;
    return min + chance_below(&g->chance, 4);
}

static void put_element(struct grammar *g)
{
    begin_word(g);
    value_element(g);
    end_word(g);
}

static void put_elements(struct grammar *g)
{
    unsigned count = 1 + (unsigned)chance_below(&g->chance, 3);
    char text[16];
    (void)snprintf(text, sizeof(text), "%u", count);
    grammar_put_text(g, text);
    for (unsigned i = 0; i < count; i++)
        put_element(g);
}

static void put_vector(struct grammar *g, const struct arg *arg)
{
    unsigned forms = 3u + (unsigned)arg->min;
    switch (chance_below(&g->chance, forms)) {
    case 0: /* what any type takes, unless the values are none of its */
        grammar_put_text(g, "VALUES");
        value_floats(g);
        return;
    case 1:
        g->type = g->aim != NULL ? g->aim : value_type(chance_below(&g->chance, 5));
        grammar_put_text(g, g->type);
        begin_word(g);
        value_blob(g, 1);
        end_word(g);
        return;
    case 2:
        grammar_put_text(g, "JSON");
        begin_word(g);
        buf_append_text(&g->bytes, value_json_vector(g));
        end_word(g);
        return;
    case 3:
        grammar_put_text(g, "ELE");
        put_element(g);
        return;
    default:
        grammar_put_text(g, "POSITIVE");
        put_elements(g);
        if (chance_below(&g->chance, 2) == 0)
            return;
        grammar_put_text(g, "NEGATIVE");
        put_elements(g);
    }
}

static void put_some(struct grammar *g, const struct command *c, const struct arg *arg,
                     const struct target *must)
{
    if (value_put_group(g, c, arg))
        return;
    size_t count = (size_t)(arg->min > 0 ? arg->min : 0) + chance_below(&g->chance, 3);
    if (must != NULL && must->arg == arg && count == 0)
        count = 1;
    for (size_t i = 0; i < count && !is_full(g); i++)
        put_value(g, c, arg, i == 0 ? must : NULL);
}

static void put_positional(struct grammar *g, const struct command *c, const struct arg *arg,
                           const struct target *must)
{
    if (arg->kind == ARG_VECTOR) {
        put_vector(g, arg);
    } else if (arg->kind == ARG_REST) {
        put_some(g, c, arg, must);
    } else if (arg->kind == ARG_COUNTED) {
        put_count_and(g, c, arg, (size_t)arg->min + chance_below(&g->chance, 3));
    } else if (arg->kind == ARG_MAYBE) {
        bool wanted = must != NULL && must->arg == arg;
        if (!wanted && chance_below(&g->chance, 2) == 0)
            return;
        put_value(g, c, arg, must);
        note_used(g, arg, -1);
    } else {
        put_value(g, c, arg, must);
    }
}

static void put_option(struct grammar *g, const struct command *c, const struct arg *arg,
                       const struct target *must)
{
    grammar_put_text(g, arg->word);
    note_used(g, arg, -1);
    if (value_is_type(arg->word))
        g->type = arg->word;
    if (arg->kind == ARG_FLAG || arg->kind == ARG_CHOICE)
        return;
    if (chance_below(&g->chance, 400) < g->garbage)
        return; /* its value is missing */
    if (arg->kind == ARG_OPT_LIST)
        put_count_and(g, c, arg, some_count(g, 1));
    else if (arg->kind == ARG_OPT_PAIRS)
        put_count_and(g, c, arg, 2 * (1 + chance_below(&g->chance, 2)));
    else if (arg->kind == ARG_OPT_REST)
        put_some(g, c, arg, must);
    else
        put_value(g, c, arg, must);
}

/* Some of a run of options, in any order. */
static void put_options(struct grammar *g, const struct command *c, const struct arg *first,
                        size_t count, const struct target *must)
{
    size_t order[64], chosen = 0;
    CHECK(count <= COUNT_OF(order));
    /* What has to be there is alone half of the time: many options contradict each other. */
    bool alone = must != NULL && chance_below(&g->chance, 2) == 0;
    unsigned share = alone ? UINT32_MAX : 2 + (unsigned)chance_below(&g->chance, 8);
    for (size_t i = 0; i < count; i++) {
        int word = -1;
        bool needed = value_is_needed(c, &first[i], must, &word) && g->garbage < 50;
        if ((must != NULL && must->arg == &first[i]) || needed || chance_one_in(&g->chance, share))
            order[chosen++] = i;
    }
    for (size_t i = chosen; i > 1; i--) {
        size_t other = chance_below(&g->chance, i), last = order[i - 1];
        bool stays = first[order[i - 1]].kind == ARG_OPT_REST; /* it takes all that is left */
        if (stays || first[order[other]].kind == ARG_OPT_REST)
            continue;
        order[i - 1] = order[other];
        order[other] = last;
    }
    for (size_t i = 0; i < chosen && !is_full(g); i++) {
        struct target forced = {c, &first[order[i]], -1};
        (void)value_is_needed(c, &first[order[i]], must, &forced.word);
        put_option(g, c, &first[order[i]], forced.word >= 0 ? &forced : must);
    }
}

static void put_arguments(struct grammar *g, const struct command *c, const struct target *must)
{
    const struct arg *arg = c->args();
    while (arg->kind != ARG_END && !is_full(g)) {
        size_t run = 0;
        while (arg[run].kind != ARG_END && arg[run].word != NULL)
            run++;
        if (run > 0)
            put_options(g, c, arg, run, must);
        else
            put_positional(g, c, arg, must);
        arg += run > 0 ? run : 1;
    }
}

static void put_name(struct grammar *g, const struct command *c)
{
    const char *bar = strchr(c->name, '|');
    size_t len = bar != NULL ? (size_t)(bar - c->name) : strlen(c->name);
    begin_word(g);
    buf_append(&g->bytes, c->name, len);
    end_word(g);
    if (bar != NULL)
        grammar_put_text(g, bar + 1);
}

void grammar_put_command(struct grammar *g, const struct command *c)
{
    g->depth++;
    put_name(g, c);
    put_arguments(g, c, NULL);
    g->depth--;
}

/* A word more, less, twice, or something else. */
static void spoil(struct grammar *g)
{
    size_t at = chance_below(&g->chance, g->count);
    switch (chance_below(&g->chance, 4)) {
    case 0:
        g->count = at > 0 ? at : 1;
        break;
    case 1:
        begin_word(g);
        value_garbage(g);
        end_word(g);
        break;
    case 2:
        g->at[g->count] = g->at[at];
        g->len[g->count++] = g->len[at];
        break;
    default:
        g->at[at] = g->bytes.len;
        value_garbage(g);
        g->len[at] = g->bytes.len - g->at[at];
    }
}

void grammar_make(struct grammar *g, const struct command *command, const struct target *must)
{
    buf_clear(&g->bytes, SIZE_MAX);
    g->count = g->used_count = g->last_count = g->depth = 0;
    g->type = "FP32";
    g->aim = must != NULL && value_is_type(must->arg->word) ? must->arg->word : NULL;
    put_name(g, command);
    put_arguments(g, command, must);
    if (must == NULL && chance_below(&g->chance, 300) < g->garbage)
        spoil(g);
    CHECK(!buf_failed(&g->bytes) && g->count > 0);
    for (size_t i = 0; i < g->count; i++)
        g->words[i] = (struct slice){g->bytes.ptr + g->at[i], g->len[i]};
}

void grammar_free(struct grammar *g)
{
    buf_fini(&g->bytes);
    for (size_t i = 0; i < GRAMMAR_DUMPS; i++)
        buf_fini(&g->dumps[i]);
}
