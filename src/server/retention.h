#ifndef HS_SERVER_RETENTION_H
#define HS_SERVER_RETENTION_H

/*
 * Retention in a running server: a thread that stamps what arrived, saves the
 * store's clock and prunes once a day; and the same on demand, through the
 * control socket.
 */

#include "server/prune.h"

#include <stdint.h>

struct account;
struct control_peer;
struct retention;
struct sweeper;
struct vaults;

/* `sw` is told to sweep after each prune.  Returns 0 and what
 * retention_stop() ends; ERR_*. */
int retention_start(struct retention **out, struct account *a,
    struct vaults *vs, struct sweeper *sw);
/* Stamps once more.  The vaults are still there; NULL is fine. */
void retention_stop(struct retention *r);

/* A control_command_fn, of `prune` and `unprune`; `arg` is the retention. */
int retention_command(
    void *arg, struct control_peer *peer, const char *command);

/*
 * Ask the server of the store `dir` for "prune", "prune dry", "prune now",
 * "unprune", "unprune MOUNT" or "unprune MOUNT SEQ".  Returns 0; 1 when no
 * server is running there; the errors of the work; ERR_UNREACHABLE.
 */
int retention_ask(
    const char *dir, const char *command, prune_found_fn *found, void *arg);

#endif
