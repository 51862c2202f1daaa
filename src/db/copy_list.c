/* copy.h for lists. */
#include "db/copy.h"
#include "db/lists.h"

enum { VALUES_AT_ONCE = 64, MUTATION_SIZE = 64, VALUE_SIZE = 8 };

size_t copy_list_count(const struct object *o)
{
    return (lists_count(o) + VALUES_AT_ONCE - 1) / VALUES_AT_ONCE;
}

/* Values are less than the entries that have them. */
size_t copy_list_size(const struct object *o)
{
    size_t values = (size_t)lists_count(o) * VALUE_SIZE;
    return copy_list_count(o) * MUTATION_SIZE + values + o->value_len + lists_bytes(o);
}

enum err copy_list_each(const struct object *o, struct slice key,
                        enum err (*take)(void *user, const struct mutation *m), void *user)
{
    struct slice values[VALUES_AT_ONCE];
    struct mutation push = {.kind = MUTATION_LIST_PUSH, .key = key, .ids = values};
    struct list_walk walk;
    enum err e = OK;
    lists_walk(o, 0, &walk);
    do {
        push.count = 0;
        while (push.count < VALUES_AT_ONCE && lists_next(&walk, &values[push.count]))
            push.count++;
        if (push.count > 0)
            e = take(user, &push);
    } while (e == OK && push.count == VALUES_AT_ONCE);
    return e;
}
