#ifndef HS_SERVER_SWEEPER_H
#define HS_SERVER_SWEEPER_H

/*
 * Sweeps the vaults of a running server: one after the other every
 * SWEEPER_PERIOD_S, when somebody asks (the control command `sweep`), and
 * when sweeper_kick() says that snapshots are gone.  A sweep that has to wait
 * for sessions goes on when they have ended.
 *
 * Thread use: any thread may call anything.
 */

#include "store/sweep.h"

#include <stdint.h>

struct account;
struct control_peer;
struct sweeper;
struct vaults;

/* Six hours, and ten minutes after the start: a sweep that finds nothing reads
 * the index and the snapshots. */
#define SWEEPER_PERIOD_S (6u * 3600)
#define SWEEPER_FIRST_S 600u

int sweeper_start(
    struct sweeper **out, const struct account *a, struct vaults *vs);
/* The server ends: commands under way come to their end after a step.  NULL
 * is fine, as in the next. */
void sweeper_halt(struct sweeper *sw);
/* No command is under way.  What is left is done by the next server. */
void sweeper_stop(struct sweeper *sw);
/* Sweep soon. */
void sweeper_kick(struct sweeper *sw);

/* What is wanted, of the control command `sweep` and of who sweeps a store
 * without a server. */
#define SWEEPER_DRY_RUN 1u
#define SWEEPER_GIVE_UP_LOST 2u

/* Sums of what was counted in several vaults. */
struct sweeper_counts {
	uint64_t vaults;
	struct sweep_counts n;
};
void sweeper_add(struct sweeper_counts *sum, const struct sweep_counts *n);

/* How much a sweep may copy before it has deleted anything, in a vault whose
 * store has `free_bytes` left. */
uint64_t sweeper_copy_bytes(uint64_t free_bytes);

/* A control_command_fn; `arg` is a struct sweeper. */
int sweeper_command(void *arg, struct control_peer *peer, const char *command);

/*
 * Ask the server of the store `dir`.  Returns 0; 1 when no server is running
 * there; the errors of the work; ERR_UNREACHABLE.
 */
int sweeper_ask(struct sweeper_counts *out, const char *dir, unsigned flags);

#endif
