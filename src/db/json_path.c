/* json_path.c: paths such as .a.b[0], and sets of them as a tree in which each name lies once. */
#include "db/json_scan.h"

#include "base/limits.h"

enum { INDEX_DIGITS_MAX = 9, NAME_HEAD_SIZE = 8, NAME_SIZE_BIT_MAX = 63 };

static bool is_name_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
}

/* Bytes of the .name or [index] at the start of text, 0 when there is none. */
static size_t step_size(struct slice text)
{
    size_t size = 1;
    if (text.len < 2)
        return 0;
    if (text.ptr[0] == '.') {
        while (size < text.len && is_name_byte(text.ptr[size]))
            size++;
        return size > 1 ? size : 0;
    }
    if (text.ptr[0] != '[')
        return 0;
    while (size < text.len && size <= INDEX_DIGITS_MAX && (uint8_t)(text.ptr[size] - '0') <= 9)
        size++;
    return size > 1 && size < text.len && text.ptr[size] == ']' ? size + 1 : 0;
}

size_t json_path_size(struct slice text)
{
    if (text.len == 0 || text.ptr[0] != '.')
        return 0;
    size_t size = 0, step;
    while ((step = step_size((struct slice){text.ptr + size, text.len - size})) > 0)
        size += step;
    return size;
}

static struct json_node *node_at(const struct json_paths *paths, uint32_t i)
{
    CHECK(i < paths->count);
    return (struct json_node *)(void *)paths->nodes.ptr + i;
}

/* What a step says, as a node that is in no set yet. */
static struct json_node node_of_step(struct slice step)
{
    struct json_node node = {.by_index = step.ptr[0] == '['};
    if (node.by_index) {
        for (size_t i = 1; i + 1 < step.len; i++)
            node.index = node.index * 10 + (uint32_t)(step.ptr[i] - '0');
        return node;
    }
    size_t size = step.len - 1;
    memcpy(&node.head, step.ptr + 1, size < NAME_HEAD_SIZE ? size : NAME_HEAD_SIZE);
    node.name_size = (uint32_t)size;
    return node;
}

static bool same_step(const struct json_paths *paths, const struct json_node *a,
                      const struct json_node *b, struct slice step)
{
    if (a->by_index != b->by_index || a->index != b->index || a->name_size != b->name_size)
        return false;
    return a->by_index || memcmp(paths->names.ptr + a->name_at, step.ptr + 1, a->name_size) == 0;
}

static uint32_t find_child(const struct json_paths *paths, uint32_t parent, struct slice step)
{
    struct json_node node = node_of_step(step);
    for (uint32_t i = node_at(paths, parent)->first_child; i != 0;
         i = node_at(paths, i)->next_sibling)
        if (same_step(paths, node_at(paths, i), &node, step))
            return i;
    return 0;
}

uint32_t json_paths_find(const struct json_paths *paths, struct slice path)
{
    uint32_t node = 0;
    CHECK(path.len > 0 && json_path_size(path) == path.len);
    while (path.len > 0) {
        size_t size = step_size(path);
        node = find_child(paths, node, (struct slice){path.ptr, size});
        if (node == 0)
            return 0;
        path = (struct slice){path.ptr + size, path.len - size};
    }
    return node;
}

/* The child of parent for a step, made when there is none. */
static enum err child_for_step(struct json_paths *paths, uint32_t parent, struct slice step,
                               uint32_t *child, struct why *why)
{
    struct json_node node = node_of_step(step);
    *child = find_child(paths, parent, step);
    if (*child != 0)
        return OK;
    if (paths->count > LIMIT_FILTER_FIELDS)
        return why_set(why, ERR_LIMIT, "FILTER expression reads more than %d fields",
                       (int)LIMIT_FILTER_FIELDS);

    CHECK(paths->names.len <= UINT32_MAX);
    node.name_at = (uint32_t)paths->names.len;
    node.next_sibling = node_at(paths, parent)->first_child;
    if (!node.by_index)
        buf_append(&paths->names, step.ptr + 1, step.len - 1);
    buf_append(&paths->nodes, &node, sizeof(node));
    if (buf_failed(&paths->names) || buf_failed(&paths->nodes))
        return ERR_NOMEM;
    *child = paths->count++;

    struct json_node *above = node_at(paths, parent);
    above->first_child = (uint16_t)*child;
    if (!node.by_index)
        above->child_sizes |= (uint64_t)1
                              << (node.name_size < NAME_SIZE_BIT_MAX ? node.name_size
                                                                     : NAME_SIZE_BIT_MAX);
    return OK;
}

enum err json_paths_init(struct json_paths *paths, enum mem_tag tag)
{
    struct json_node root = {.by_index = false};
    buf_init(&paths->nodes, tag);
    buf_init(&paths->names, tag);
    paths->count = 0;
    buf_append(&paths->nodes, &root, sizeof(root));
    if (buf_failed(&paths->nodes))
        return ERR_NOMEM;
    paths->count = 1;
    return OK;
}

void json_paths_fini(struct json_paths *paths)
{
    buf_fini(&paths->nodes);
    buf_fini(&paths->names);
    paths->count = 0;
}

enum err json_paths_add(struct json_paths *paths, struct slice path, uint32_t *slot,
                        struct why *why)
{
    CHECK(path.len > 0 && json_path_size(path) == path.len);
    uint32_t node = 0;
    for (unsigned steps = 0; path.len > 0; steps++) {
        if (steps == LIMIT_FILTER_DEPTH)
            return why_set(why, ERR_LIMIT, "FILTER expression has more than %d levels of nesting",
                           (int)LIMIT_FILTER_DEPTH);
        size_t size = step_size(path);
        enum err e = child_for_step(paths, node, (struct slice){path.ptr, size}, &node, why);
        if (e != OK)
            return e;
        path = (struct slice){path.ptr + size, path.len - size};
    }
    *slot = node;
    return OK;
}
