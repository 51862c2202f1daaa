#include "text/graves.h"

enum { PIECES = 62 };

struct text_grave {
    struct epoch_item item;
    size_t count;
    void *pieces[PIECES];
};

static void on_free(struct epoch_item *item)
{
    struct text_grave *grave = (struct text_grave *)item;
    for (size_t i = 0; i < grave->count; i++)
        mem_free(MEM_TEXT, grave->pieces[i]);
    mem_free(MEM_TEXT, grave);
}

void text_graves_close(struct text_graves *g)
{
    struct text_grave *grave = g->open;
    g->open = NULL;
    if (grave != NULL)
        epoch_defer(g->epoch, &grave->item, on_free);
}

void text_graves_add(struct text_graves *g, void *ptr)
{
    if (ptr == NULL)
        return;
    if (g->open == NULL) {
        g->open = mem_alloc(MEM_TEXT, sizeof(*g->open));
        g->open->count = 0;
    }
    g->open->pieces[g->open->count++] = ptr;
    if (g->open->count == PIECES)
        text_graves_close(g);
}
