/* Changes of one entry. */
#include "types/tree_node.h"

bool tree_edit_begin(struct tree_edit *e, const struct tree_ops *ops, size_t at, size_t old_size,
                     size_t new_size)
{
    CHECK(!e->is_open);
    if (!path_is_alone(&e->path))
        return false;
    struct tree_node *leaf = path_leaf(&e->path);
    CHECK(at + old_size <= leaf->size);
    size_t size = leaf->size - old_size + new_size;
    bool joins = size < leaf->size && size < ops->leaf_bytes / 4;
    if (size > ops->leaf_bytes || joins || size == 0)
        return false;
    e->leaf = NULL;
    if (size > leaf_room(leaf)) {
        e->leaf = mem_try(MEM_KEYSPACE, sizeof(*leaf) + size);
        if (e->leaf == NULL)
            return false;
    }
    e->at = at;
    e->old_size = old_size;
    e->new_size = new_size;
    e->is_open = true;
    return true;
}

/* The other leaf has all but the entry already. */
static void take_place(struct tree_edit *e, struct tree *t)
{
    struct tree_node *old = path_leaf(&e->path), *leaf = e->leaf;
    *leaf = *old;
    memcpy(leaf->bytes, old->bytes, e->at);
    memcpy(leaf->bytes + e->at + e->new_size, old->bytes + e->at + e->old_size,
           old->size - e->at - e->old_size);
    t->bytes = t->bytes + mem_size(leaf) - mem_size(old);
    if (e->path.depth > 1)
        node_slots(e->path.nodes[e->path.depth - 2])[e->path.at[e->path.depth - 2]].child = leaf;
    else
        t->root = leaf;
    e->path.nodes[e->path.depth - 1] = leaf;
    mem_free(MEM_KEYSPACE, old);
}

uint8_t *tree_edit_apply(struct tree_edit *e, struct tree *t)
{
    struct tree_node *leaf = path_leaf(&e->path);
    CHECK(e->is_open && path_is_alone(&e->path));
    if (e->leaf != NULL)
        take_place(e, t);
    else if (e->old_size != e->new_size)
        memmove(leaf->bytes + e->at + e->new_size, leaf->bytes + e->at + e->old_size,
                leaf->size - e->at - e->old_size);
    leaf = path_leaf(&e->path);
    leaf->size = (uint32_t)(leaf->size - e->old_size + e->new_size);
    if ((e->old_size > 0) != (e->new_size > 0))
        path_add_count(&e->path, t, e->new_size > 0 ? 1 : -1);
    e->is_open = false;
    return e->new_size > 0 ? leaf->bytes + e->at : NULL;
}

void tree_edit_discard(struct tree_edit *e)
{
    if (!e->is_open)
        return;
    mem_free(MEM_KEYSPACE, e->leaf);
    e->is_open = false;
}
