/* A client's own memory. What it takes part in besides (searches, waits) is env.h's. */
#include "cmd/client.h"

void client_init(struct client *c, uint64_t id, uint64_t now_us)
{
    CHECK(id > 0);
    *c = (struct client){.id = id, .proto = 2, .created_us = now_us, .active_us = now_us};
    c->query = BUF_INIT(MEM_CLIENT);
    c->out = BUF_INIT(MEM_CLIENT);
    c->gates = BUF_INIT(MEM_CLIENT);
    c->queue = BUF_INIT(MEM_CLIENT);
    c->monitored = BUF_INIT(MEM_CLIENT);
    c->late = BUF_INIT(MEM_CLIENT);
    c->held_from = SIZE_MAX;
    c->muted_from = UINT64_MAX;
}

void client_fini(struct client *c)
{
    CHECK(c->search == NULL && c->waits_for_room == NULL && !c->waits_for_save && !c->blocked);
    CHECK(!c->waits_for_pause && !c->waits_for_eviction && c->slow == NULL && c->key_list == NULL);
    CHECK(c->waits_for_log == CLIENT_LOG_NOTHING && c->blocking == NULL);
    CHECK(c->watches == NULL && c->queue.ptr == NULL && c->monitored.ptr == NULL);
    CHECK(c->subscriptions.first[TOPIC_CHANNEL] == NULL && c->late.ptr == NULL);
    mem_free(MEM_CLIENT, c->name);
    mem_free(MEM_CLIENT, c->lib_name);
    mem_free(MEM_CLIENT, c->lib_ver);
    buf_fini(&c->query);
    buf_fini(&c->out);
    buf_fini(&c->gates);
}

void client_set_text(char **text, struct slice value)
{
    CHECK(value.len <= CLIENT_NAME_MAX);
    mem_free(MEM_CLIENT, *text);
    *text = NULL;
    if (value.len == 0)
        return;
    *text = mem_alloc(MEM_CLIENT, value.len + 1);
    memcpy(*text, value.ptr, value.len);
    (*text)[value.len] = '\0';
}
