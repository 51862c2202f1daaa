/* collection_fields.h: the columns and indexes of a collection's schema, which are made again when
 * it changes: searches use those of before until the new ones are complete. For collection*.c.
 *
 * owner: loop. */
#ifndef VDB_DB_COLLECTION_FIELDS_H
#define VDB_DB_COLLECTION_FIELDS_H

#include "db/collection.h"

/* Those of its schema, of no row yet. NULL when memory is short. */
MUST_USE struct fields *collection_new_fields(const struct collection *c);
/* Rows have come without their fields: those are made in slices, from the first row on. Until then
 * searches read attributes. */
void collection_build_fields(struct collection *c);
/* It has this schema from now on. */
void collection_change_schema(struct collection *c, const struct schema *schema);
/* Captures get the schema that it has now. */
void collection_show_schema(struct collection *c);
/* Bytes that fields of a schema will take for all its rows, about. */
size_t collection_schema_cost(const struct collection *c, const struct schema *schema);

/* fields_*, of all fields that there are. */
size_t collection_fields_cost(const struct collection *c, uint32_t end, size_t added);
size_t collection_fields_bytes(const struct collection *c);
void collection_set_fields(struct collection *c, uint32_t row, struct slice attribute);
void collection_unset_fields(struct collection *c, uint32_t row);
void collection_forget_fields(struct collection *c, uint32_t row);
void collection_move_fields(struct collection *c, uint32_t from, uint32_t to,
                            struct slice attribute);

#endif
