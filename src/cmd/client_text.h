/* client_text.h: clients in words: what they may call themselves, how CLIENT LIST shows them. */
#ifndef VDB_CMD_CLIENT_TEXT_H
#define VDB_CMD_CLIENT_TEXT_H

#include "cmd/command.h"

/* Replies an error and returns false when a text is too long or holds blanks or other bytes that
 * would break CLIENT LIST. what: "Client names" or the like. */
MUST_USE bool client_text_fits(struct request *rq, struct slice text, const char *what);

/* "127.0.0.1:50000", or "path:0" for a Unix socket. */
enum { CLIENT_ADDR_SIZE = sizeof(((struct io_addr *)0)->host) + 16 };
const char *client_addr_text(const struct io_addr *addr, char text[CLIENT_ADDR_SIZE]);

/* One line of CLIENT LIST, with its newline. */
void client_print(const struct cmd_env *env, const struct client *c, struct buf *out);

#endif
