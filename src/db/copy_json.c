/* copy.h for documents: one mutation, which says all of it. */
#include "db/copy.h"

enum { MUTATION_SIZE = 80 };

size_t copy_json_size(const struct object *o)
{
    CHECK(o->type == OBJECT_JSON);
    return MUTATION_SIZE + o->value_len;
}

struct mutation copy_json(const struct object *o)
{
    CHECK(o->type == OBJECT_JSON);
    return (struct mutation){
        .kind = MUTATION_JSON_SET, .path = slice_of("$"), .value = object_value(o)};
}
