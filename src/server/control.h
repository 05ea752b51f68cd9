#ifndef HS_SERVER_CONTROL_H
#define HS_SERVER_CONTROL_H

/*
 * STORE/control: a Unix socket through which commands on the same machine
 * talk to the server of a store.  One line with a command, then lines as
 * answer, then the end of the connection; docs/protocol.md 8.
 *
 * `status` and `stop` are answered here, all else by a callback.  The folder
 * is 0700, so whoever can connect may do everything.
 */

#include <stdint.h>

struct control;
struct control_peer;

/*
 * Answer `command` by control_say(), in a thread of its own.  Returns 0, or 1
 * when there is no such command.
 */
typedef int control_command_fn(
    void *arg, struct control_peer *peer, const char *command);

/*
 * Listen in the store folder `dir`, whose lock the caller has.  `stop` is
 * called, from a thread of the module, when somebody asks for the end.
 * Returns 0; ERR_IO; ERR_NOMEM.
 */
int control_start(struct control **out, const char *dir, uint16_t port,
    void (*stop)(void *arg), control_command_fn *command, void *arg);
/*
 * No new connections, and no socket any more; waits for commands under way.
 * Those that asked for the end stay open until control_finish(), which
 * follows when the store is free.
 */
void control_close(struct control *c);
void control_finish(struct control *c); /* NULL is fine */

/* Send one line (printf, without its newline).  A peer that has left is no
 * error: its command goes on. */
void control_say(struct control_peer *peer, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* The last line of an answer in lines: `done`, or for `rc` < 0 the failure
 * that err_text() words. */
void control_say_end(struct control_peer *peer, int rc);

/* Read that line.  Returns 0: `done`; the failure's code, worded; 1: it is
 * another line. */
int control_read_end(const char *line);

/* A line of an answer; nonzero ends the call with that code. */
typedef int control_line_fn(void *arg, const char *line);

/*
 * Send `command` to the server of the store `dir` and hand out each line of
 * its answer, to the end.  Nothing for `seconds` (0: any time) is an error.
 * Returns 0; 1 when no server is running there; ERR_IO; ERR_UNREACHABLE.
 */
int control_lines(const char *dir, const char *command, unsigned seconds,
    control_line_fn *line, void *arg);

/* The same; all lines go to `out` (NUL-terminated, cut at `cap`). */
int control_ask(char *out, unsigned cap, const char *dir, const char *command,
    unsigned seconds);

#endif
