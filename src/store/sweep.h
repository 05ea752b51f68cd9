#ifndef HS_STORE_SWEEP_H
#define HS_STORE_SWEEP_H

/*
 * Frees what no snapshot of a vault needs, while sessions work; docs/sweep.md
 * says why each interleaving is safe.
 *
 *   LEAVE --> FILES --> COPY --> WAIT --> REMOVE --> DONE
 *     ^ |                         ^ |       ^ |
 *     +-+ more to take out        +-+       +-+ more packs
 *                         sessions are open
 *
 * LEAVE   marks, and takes what nobody needs out of `have`, parents first;
 * FILES   forgets the file ids of bundles that left;
 * COPY    writes what is needed of half-dead and of small packs to new ones;
 * WAIT    until each session that was open then has ended or was fenced;
 * REMOVE  deletes packs by store/discard.h.
 *
 * Nothing of a sweep is kept on disk: after a crash the next one begins again
 * and finds what this one had not done.
 *
 * Thread use: one sweep per vault at a time, each in one thread at a time;
 * sessions go on meanwhile, and so do commits between two steps.
 */

#include <stdint.h>

struct sweep;
struct vault;

/* Objects that one step takes out of `have`, and packs that one deletes: a
 * commit waits so long. */
#define SWEEP_LEAVE_MAX 65536u
#define SWEEP_REMOVE_MAX 16u

enum sweep_state {
	SWEEP_LEAVE,
	SWEEP_FILES,
	SWEEP_COPY,
	SWEEP_WAIT,
	SWEEP_REMOVE,
	SWEEP_DONE
};

struct sweep_options {
	struct vault *vault; /* outlives the sweep */
	int dry_run; /* count only */
	/* The operator's word that lost or damaged snapshots, and what damaged
	 * trees hide, may be given up: sweep as if they needed nothing. */
	int give_up_lost;
	/* How much space the copies of a sweep may take before the packs that
	 * they replace are deleted; 0: none are made. */
	uint64_t copy_bytes_max;
};

struct sweep_counts {
	uint64_t snapshots; /* that were marked from */
	uint64_t bytes; /* of all packs, before */
	uint64_t dead; /* objects that nobody needs */
	uint64_t dead_packs, dead_bytes; /* packs without any other: to free */
	uint64_t freed_packs, freed_bytes; /* deleted */
	uint64_t copied_packs, copied_bytes; /* written anew in their place */
	uint64_t sessions; /* that WAIT waits for */
	uint64_t waiting_packs, waiting_bytes; /* still to be deleted */
};

int sweep_new(struct sweep **out, const struct sweep_options *o);
void sweep_free(struct sweep *s); /* NULL is fine */

/*
 * One step.  Returns 0 when all is done; SWEEP_MORE; SWEEP_WAITS: sessions are
 * open, ask again later; ERR_DAMAGED: nobody can tell what is needed, and
 * nothing was deleted; ERR_*: the sweep ends here, the next one goes on.
 */
#define SWEEP_MORE 1
#define SWEEP_WAITS 2
int sweep_step(struct sweep *s);
/* Steps until it is done or waits. */
int sweep_run(struct sweep *s);

enum sweep_state sweep_state(const struct sweep *s);
void sweep_counts(struct sweep_counts *out, const struct sweep *s);

#endif
