#ifndef HS_SERVER_CONTROL_H
#define HS_SERVER_CONTROL_H

/*
 * STORE/control: a Unix socket through which commands on the same machine
 * talk to the server of a store.  One line with a command, then lines as
 * answer, then the end of the connection; docs/protocol.md 8.
 *
 *     status   "running PORT"
 *     stop     "stopping", and the connection ends when the store is free
 *
 * The folder is 0700, so whoever can connect may do everything.
 */

#include <stdint.h>

struct control;

/*
 * Listen in the store folder `dir`, whose lock the caller has.  `stop` is
 * called, from a thread of the module, when somebody asks for the end.
 * Returns 0; ERR_IO; ERR_NOMEM.
 */
int control_start(struct control **out, const char *dir, uint16_t port,
    void (*stop)(void *arg), void *arg);
/*
 * No new connections, and no socket any more.  Those that asked for the end
 * stay open until control_finish(), which follows when the store is free.
 */
void control_close(struct control *c);
void control_finish(struct control *c); /* NULL is fine */

/*
 * Send `command` to the server of the store `dir` and read its answer, up to
 * its end, into `out` (NUL-terminated, cut at `cap`).
 * Returns 0; 1 when no server is running there; ERR_IO; ERR_UNREACHABLE when
 * nothing comes for `seconds`.
 */
int control_ask(char *out, unsigned cap, const char *dir, const char *command,
    unsigned seconds);

#endif
