/* Other names of indexes. */
#include "base/limits.h"
#include "db/indexes.h"

static struct index_alias **alias_in(struct key_index *x, struct slice name)
{
    struct index_alias **at = &x->aliases;
    while (*at != NULL && !slice_eq((*at)->name, name))
        at = &(*at)->next;
    return at;
}

/* Where it is among those of its index; NULL: there is none. */
static struct index_alias **find_alias(const struct db *db, struct slice name)
{
    for (struct key_index *x = db->indexes; x != NULL; x = x->next) {
        struct index_alias **at = alias_in(x, name);
        if (*at != NULL)
            return at;
    }
    return NULL;
}

struct key_index *indexes_find(const struct db *db, struct slice name)
{
    struct key_index *x = indexes_named(db, name);
    if (x != NULL)
        return x;
    for (x = db->indexes; x != NULL; x = x->next)
        if (*alias_in(x, name) != NULL)
            return x;
    return NULL;
}

static enum err make_alias(struct db *db, struct slice name, struct why *why)
{
    size_t count = 0;
    for (const struct key_index *x = db->indexes; x != NULL; x = x->next)
        for (const struct index_alias *a = x->aliases; a != NULL; a = a->next)
            count++;
    if (count >= LIMIT_ALIASES && find_alias(db, name) == NULL)
        return why_set(why, ERR_LIMIT, "there are at most %d aliases", LIMIT_ALIASES);
    struct index_alias *a = mem_try(MEM_KEYSPACE, sizeof(*a) + name.len);
    if (a == NULL)
        return ERR_NOMEM;
    uint8_t *bytes = (uint8_t *)(a + 1);
    if (name.len > 0)
        memcpy(bytes, name.ptr, name.len);
    *a = (struct index_alias){.name = {bytes, name.len}};
    db->alias = a;
    return OK;
}

enum err indexes_prepare_alias(struct db *db, const struct mutation *m, struct why *why)
{
    CHECK(db->alias == NULL);
    if (m->kind == MUTATION_ALIAS_REMOVE)
        return find_alias(db, m->key) == NULL ? why_set(why, ERR_NOT_FOUND, "Alias does not exist")
                                              : OK;
    if (indexes_named(db, m->new_key) == NULL)
        return why_set(why, ERR_NOT_FOUND, "Unknown index name (or name is an alias itself)");
    if (indexes_named(db, m->key) != NULL)
        return why_set(why, ERR_EXISTS, "an index has the name of the alias");
    return make_alias(db, m->key, why);
}

void indexes_discard_alias(struct db *db)
{
    mem_free(MEM_KEYSPACE, db->alias);
    db->alias = NULL;
}

void indexes_remove_alias(struct db *db, struct slice alias)
{
    struct index_alias **at = find_alias(db, alias);
    if (at == NULL)
        return;
    struct index_alias *gone = *at;
    *at = gone->next;
    mem_free(MEM_KEYSPACE, gone);
}

void indexes_publish_alias(struct db *db, struct slice index)
{
    struct key_index *x = indexes_named(db, index);
    struct index_alias *a = db->alias;
    CHECK(x != NULL && a != NULL);
    indexes_remove_alias(db, a->name); /* it may have meant another one */
    a->next = x->aliases;
    x->aliases = a;
    db->alias = NULL;
}

void index_aliases_free(struct key_index *x)
{
    while (x->aliases != NULL) {
        struct index_alias *a = x->aliases;
        x->aliases = a->next;
        mem_free(MEM_KEYSPACE, a);
    }
}
