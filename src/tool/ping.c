/* ping.c: vdb ping, does the server answer? For scripts that start one and wait for it. */
#include <stdbool.h>
#include <string.h>

#include "base/thread.h"
#include "tool/client.h"
#include "tool/command.h"
#include "tool/progress.h"

enum { RETRY_US = 50 * 1000 };

struct settings {
    struct client_address address;
    uint32_t wait_s;
    bool help;
};

#define FIELD(name) offsetof(struct settings, name)
static const struct option ping_options[] = {
    {"wait", OPTION_NUMBER, "SECONDS", "try so long before giving up (0)", FIELD(wait_s), 0, 3600},
    CLIENT_OPTIONS(struct settings, address),
    {"help", OPTION_FLAG, "", "this text", FIELD(help), 0, 0},
};

static enum err ping_once(const struct client_address *address, struct why *why)
{
    struct client client;
    redisReply *reply;
    enum err e = client_open(&client, address, why);
    if (e != OK)
        return e;
    client_begin(&client, 1);
    client_arg_text(&client, "PING");
    e = client_call(&client, &reply, why);
    if (e == OK)
        freeReplyObject(reply);
    client_close(&client);
    return e;
}

/* It runs, and will answer when its data is there. */
static bool is_loading(const struct why *why)
{
    return strstr(why->text, "LOADING ") != NULL;
}

int ping_main(int argc, char **argv)
{
    struct settings set = {.address = CLIENT_ADDRESS_DEFAULT};
    const struct option_table table = {ping_options, COUNT_OF(ping_options), NULL, 0};
    struct why why = {""};
    size_t operands;
    enum err e = options_parse(&table, argc, argv, &set, &operands, &why);
    if (e != OK)
        return say_usage("ping", &why);
    if (set.help) {
        (void)printf("usage: vdb ping [options]\n\nAsks a server whether it answers.\n\n");
        options_print(stdout, ping_options, COUNT_OF(ping_options));
        return EXIT_DONE;
    }
    double give_up_s = clock_s() + set.wait_s;
    e = ping_once(&set.address, &why);
    while ((e == ERR_IO || is_loading(&why)) && clock_s() < give_up_s) {
        thread_sleep_us(RETRY_US);
        e = ping_once(&set.address, &why);
    }
    if (e != OK)
        return say_failure("ping", &why);
    (void)printf("PONG\n");
    return EXIT_DONE;
}
