#include "index/hnsw_image.h"

#include "index/hnsw_impl.h"

size_t hnsw_image_links_max(const struct index *x)
{
    const struct hnsw *h = (const struct hnsw *)x;
    return h->m0 + (size_t)(HNSW_LEVELS_MAX - 1) * h->m;
}

enum { WEAR_MAX = (1 << HNSW_WEAR_BITS) - 1 };

uint8_t hnsw_image_wear(const struct index *x, uint32_t lost)
{
    const uint32_t most = hnsw_lost_min((const struct hnsw *)x, HNSW_WORN);
    return (uint8_t)(lost < most ? lost * WEAR_MAX / most : WEAR_MAX);
}

uint32_t hnsw_image_lost(const struct index *x, uint8_t wear)
{
    const uint32_t most = hnsw_lost_min((const struct hnsw *)x, HNSW_WORN);
    CHECK(wear <= WEAR_MAX);
    return (wear * most + WEAR_MAX - 1) / WEAR_MAX;
}

/* Without the lock: a list that is being written has no gap (links_write), and a link that is read
 * twice is dropped when it comes in. With it, a snapshot that loses its core would hold up others.
 */
bool hnsw_image_get(const struct index *x, uint32_t row, struct hnsw_image_row *out)
{
    const struct hnsw *h = (const struct hnsw *)x;
    struct hnsw_node *node = hnsw_node(h, row);
    if (node_stage(node) != NODE_LINKED)
        return false;
    uint32_t *to = out->links;
    out->level = node->level;
    out->lost = node_lost(node);
    out->parent = node_parent(h, row);
    for (int level = 0; level <= out->level; level++) {
        size_t count = links_copy(h, row, level, to);
        out->sizes[level] = (uint16_t)count;
        to += count;
    }
    return true;
}

/* -- coming in --------------------------------------------------------------------------------- */

void hnsw_image_fini(struct hnsw_image *g)
{
    mem_free(MEM_SNAPSHOT, g->linked);
    mem_free(MEM_SNAPSHOT, (void *)g->children);
    mem_free(MEM_SNAPSHOT, g->orphans);
    g->linked = NULL;
    g->children = NULL;
    g->orphans = NULL;
    g->orphan_count = 0;
}

enum err hnsw_image_begin(struct hnsw_image *g, struct index *x, uint32_t rows,
                          uint32_t upper_lists)
{
    struct hnsw *h = hnsw_of(x);
    CHECK(h->uppers_used == 0 && atomic_load(&h->entry) == ENTRY_NONE);
    *g = (struct hnsw_image){.x = x, .end = rows, .upper_lists = upper_lists};
    atomic_init(&g->uppers_used, 0);
    atomic_init(&g->entry, ENTRY_NONE);
    enum err e = columns_reserve(&h->rows, rows);
    if (e == OK)
        e = columns_reserve(&h->uppers, upper_lists);
    if (e == OK && !rowset_reserve(&h->uppers_free, upper_lists))
        e = ERR_NOMEM;
    if (e != OK)
        return e;
    g->linked = mem_try_calloc(MEM_SNAPSHOT, ((size_t)rows + 63) / 64 * sizeof(*g->linked));
    g->children = mem_try_calloc(MEM_SNAPSHOT, (size_t)rows * sizeof(*g->children));
    if (g->linked != NULL && g->children != NULL)
        return OK;
    hnsw_image_fini(g);
    return ERR_NOMEM;
}

static void raise_entry(struct hnsw_image *g, uint32_t row, int level)
{
    uint64_t mine = (uint64_t)level << 32 | row;
    uint64_t entry = atomic_load_explicit(&g->entry, memory_order_relaxed);
    while (entry == ENTRY_NONE || entry_level(entry) < level)
        if (atomic_compare_exchange_weak_explicit(&g->entry, &entry, mine, memory_order_relaxed,
                                                  memory_order_relaxed))
            return;
}

/* Nobody reads the graph yet: plain order will do, and the job queue publishes it. Returns how many
 * links there are. */
static uint32_t put_list(const struct hnsw *h, uint32_t end, uint32_t row, int level,
                     const uint32_t *links, size_t count)
{
    hnsw_link *to = hnsw_links(h, row, level);
    uint32_t max = hnsw_links_max(h, level), kept = 0;
    CHECK(count <= max);
    for (size_t i = 0; i < count; i++)
        if (links[i] < end && links[i] != row)
            atomic_store_explicit(&to[kept++], links[i], memory_order_relaxed);
    for (uint32_t i = kept; i < max; i++)
        atomic_store_explicit(&to[i], ROW_NONE, memory_order_relaxed);
    return kept;
}

enum err hnsw_image_put(struct hnsw_image *g, uint32_t row, const struct hnsw_image_row *image)
{
    struct hnsw *h = hnsw_of(g->x);
    struct hnsw_node *node = hnsw_node(h, row);
    CHECK(!hnsw_image_has(g, row));
    CHECK(row < g->end && image->level >= 0 && image->level < HNSW_LEVELS_MAX);
    for (int level = 0; level <= image->level; level++)
        if (image->sizes[level] > hnsw_links_max(h, level))
            return ERR_CORRUPT;
    uint32_t upper = ROW_NONE;
    if (image->level > 0) {
        upper = atomic_fetch_add_explicit(&g->uppers_used, (uint32_t)image->level,
                                          memory_order_relaxed);
        if (upper + (uint32_t)image->level > g->upper_lists)
            return ERR_CORRUPT;
    }
    node->level = (uint8_t)image->level;
    node->upper = upper;
    atomic_store_explicit(&node->parent, image->parent < g->end ? image->parent : ROW_NONE,
                          memory_order_relaxed);
    const uint32_t *links = image->links;
    for (int level = 0; level <= image->level; level++) {
        uint32_t kept = put_list(h, g->end, row, level, links, image->sizes[level]);
        if (level == 0)
            node_set_lost(node, image->lost + image->sizes[0] - kept);
        links += image->sizes[level];
    }
    atomic_store_explicit(&node->stage, NODE_LINKED, memory_order_relaxed);
    g->linked[row / 64] |= (uint64_t)1 << (row % 64);
    raise_entry(g, row, image->level);
    return OK;
}

/* The one before has gone. */
static void find_entry(struct hnsw_image *g)
{
    const struct hnsw *h = hnsw_of(g->x);
    atomic_store(&g->entry, ENTRY_NONE);
    for (uint32_t row = 0; row < g->end; row++)
        if (hnsw_image_has(g, row))
            raise_entry(g, row, hnsw_node(h, row)->level);
}

void hnsw_image_drop(struct hnsw_image *g, uint32_t row)
{
    struct hnsw *h = hnsw_of(g->x);
    if (!hnsw_image_has(g, row))
        return;
    struct hnsw_node *node = hnsw_node(h, row);
    g->linked[row / 64] &= ~((uint64_t)1 << (row % 64));
    node_set_stage(node, NODE_OUT);
    for (uint32_t i = 0; i < node->level; i++)
        rowset_add(&h->uppers_free, node->upper + i);
    node->level = 0;
    if (entry_row(atomic_load(&g->entry)) == row)
        find_entry(g);
}

static uint32_t load(const hnsw_link *link)
{
    return atomic_load_explicit((hnsw_link *)link, memory_order_relaxed);
}

enum { SEEN_BITS = 2048 /* a list rarely has two links that share one */ };

/* Is the link there before place at? Asks the bits first, which say no most of the time. */
static bool is_twin(const hnsw_link *links, uint32_t at, uint32_t id, uint64_t *seen)
{
    uint32_t bit = (id * 0x9e3779b1u) % SEEN_BITS;
    uint64_t mask = (uint64_t)1 << (bit % 64);
    bool maybe = (seen[bit / 64] & mask) != 0;
    seen[bit / 64] |= mask;
    for (uint32_t i = 0; maybe && i < at; i++)
        if (load(&links[i]) == id)
            return true;
    return false;
}

static void check_list(const struct hnsw_image *g, uint32_t row, int level)
{
    const struct hnsw *h = hnsw_of(g->x);
    hnsw_link *links = hnsw_links(h, row, level);
    uint32_t max = hnsw_links_max(h, level), kept = 0, count = 0;
    uint64_t seen[SEEN_BITS / 64] = {0};
    for (; count < max && load(&links[count]) != ROW_NONE; count++) {
        uint32_t id = load(&links[count]);
        if (!hnsw_image_has(g, id) || (level > 0 && hnsw_node(h, id)->level < level) ||
            is_twin(links, kept, id, seen))
            continue;
        if (kept != count)
            atomic_store_explicit(&links[kept], id, memory_order_relaxed);
        kept++;
    }
    struct hnsw_node *node = hnsw_node(h, row);
    if (level == 0)
        node_set_lost(node, node_lost(node) + count - kept);
    for (; kept < count; kept++)
        atomic_store_explicit(&links[kept], ROW_NONE, memory_order_relaxed);
}

void hnsw_image_check(struct hnsw_image *g, uint32_t first, uint32_t end)
{
    const struct hnsw *h = hnsw_of(g->x);
    CHECK(first <= end && end <= g->end);
    for (uint32_t row = first; row < end; row++)
        for (int level = 0; hnsw_image_has(g, row) && level <= hnsw_node(h, row)->level; level++)
            check_list(g, row, level);
}

static bool leads_to(const struct hnsw *h, uint32_t row, uint32_t id)
{
    const hnsw_link *links = hnsw_links(h, row, 0);
    for (uint32_t i = 0; i < h->m0 && load(&links[i]) != ROW_NONE; i++)
        if (load(&links[i]) == id)
            return true;
    return false;
}

void hnsw_image_parents(struct hnsw_image *g, uint32_t first, uint32_t end)
{
    enum { AHEAD = 8 };
    const struct hnsw *h = hnsw_of(g->x);
    CHECK(first <= end && end <= g->end);
    for (uint32_t row = first; row < end; row++) {
        if (row + AHEAD < end) {
            uint32_t later = node_parent(h, row + AHEAD);
            if (later < g->end)
                __builtin_prefetch((void *)hnsw_links(h, later, 0));
        }
        if (!hnsw_image_has(g, row))
            continue;
        uint32_t parent = node_parent(h, row);
        if (parent == row)
            continue;
        /* A list has places for as many children (hnsw_tree.c), or it could not be kept. */
        bool fit =
            hnsw_image_has(g, parent) && leads_to(h, parent, row) && leads_to(h, row, parent) &&
            atomic_fetch_add_explicit(&g->children[parent], 1, memory_order_relaxed) < h->m0 / 2;
        if (!fit)
            atomic_store_explicit(&hnsw_node(h, row)->parent, ROW_NONE, memory_order_relaxed);
    }
}

/* -- one tree ---------------------------------------------------------------------------------- */

enum walked { NOT_YET, ON_PATH, ENDS /* at the root, or at an orphan */ };

/* Follows the parents of row until something known; cuts what runs in a circle. */
static void walk_up(const struct hnsw *h, uint8_t *walked, uint32_t row)
{
    uint32_t at = row;
    while (walked[at] == NOT_YET) {
        walked[at] = ON_PATH;
        uint32_t parent = node_parent(h, at);
        if (parent == ROW_NONE || parent == at)
            break;
        if (walked[parent] == ON_PATH) {
            atomic_store_explicit(&hnsw_node(h, at)->parent, ROW_NONE, memory_order_relaxed);
            break;
        }
        at = parent;
    }
    for (at = row; walked[at] == ON_PATH;) {
        walked[at] = ENDS;
        uint32_t parent = node_parent(h, at);
        if (parent == ROW_NONE)
            return;
        at = parent;
    }
}

/* The first row that claims to be the root is; others that do lose their claim. */
static void find_root(struct hnsw_image *g)
{
    struct hnsw *h = hnsw_of(g->x);
    uint32_t root = ROW_NONE, first = ROW_NONE;
    for (uint32_t row = 0; row < g->end; row++) {
        if (!hnsw_image_has(g, row))
            continue;
        if (first == ROW_NONE)
            first = row;
        if (node_parent(h, row) != row)
            continue;
        if (root == ROW_NONE)
            root = row;
        else
            atomic_store_explicit(&hnsw_node(h, row)->parent, ROW_NONE, memory_order_relaxed);
    }
    if (root == ROW_NONE)
        root = first;
    if (root != ROW_NONE)
        tree_plant(h, root);
}

/* Hangs the orphan, which may have rows below it, on a neighbour that is not one of them, or on the
 * root. *far: it had to go to the root. */
static bool adopt_orphan(const struct hnsw *h, const struct index_rows *rows, struct lane *lane,
                         uint32_t row, bool *far)
{
    bool joined = false;
    *far = false;
    for (uint32_t i = 0; i < h->m0 && !joined; i++) {
        uint32_t id = load(&hnsw_links(h, row, 0)[i]);
        if (id == ROW_NONE)
            break;
        if (!tree_is_below(h, id, row))
            joined = tree_join(h, rows, NULL, lane, row, id);
    }
    if (!joined) {
        *far = true;
        joined = tree_join(h, rows, NULL, lane, row, atomic_load(&((struct hnsw *)h)->root));
    }
    if (joined)
        tree_keep_parent(h, rows, NULL, lane, row);
    return joined;
}

enum err hnsw_image_mend(struct hnsw_image *g, const struct index_rows *rows, struct lane *lane)
{
    const struct hnsw *h = hnsw_of(g->x);
    uint8_t *walked = mem_try_calloc(MEM_SNAPSHOT, g->end);
    if (walked == NULL)
        return ERR_NOMEM;
    find_root(g);
    size_t orphans = 0;
    for (uint32_t row = 0; row < g->end; row++)
        if (hnsw_image_has(g, row))
            walk_up(h, walked, row);
    for (uint32_t row = 0; row < g->end; row++)
        orphans += hnsw_image_has(g, row) && node_parent(h, row) == ROW_NONE;
    mem_free(MEM_SNAPSHOT, walked);
    if (orphans == 0)
        return OK;
    g->orphans = mem_try(MEM_SNAPSHOT, orphans * sizeof(*g->orphans));
    if (g->orphans == NULL)
        return ERR_NOMEM;
    for (uint32_t row = 0; row < g->end; row++) {
        bool far;
        if (!hnsw_image_has(g, row) || node_parent(h, row) != ROW_NONE)
            continue;
        if (!adopt_orphan(h, rows, lane, row, &far))
            return ERR_NOMEM;
        if (far)
            g->orphans[g->orphan_count++] = row;
        CHECK(g->orphan_count <= orphans);
    }
    return OK;
}

void hnsw_image_end(struct hnsw_image *g)
{
    struct hnsw *h = hnsw_of(g->x);
    h->uppers_used = atomic_load(&g->uppers_used);
    CHECK(h->uppers_used <= g->upper_lists);
    atomic_store_explicit(&h->entry, atomic_load(&g->entry), memory_order_release);
}
