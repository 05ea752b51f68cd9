#ifndef HS_SERVER_PRUNE_H
#define HS_SERVER_PRUNE_H

/*
 * Applying the policies to a vault, in this order; each step may be cut
 * anywhere, and the next prune goes on:
 *  1. what arrived gets its stamps (store/stamps.h), the clock being durable
 *     before them;
 *  2. what no rule keeps (server/keep.h) is retired: a tombstone, signed by the
 *     store;
 *  3. what was retired a grace ago loses its file.  What it alone needed may
 *     be swept from then on, never before;
 *  4. stamps of which no snapshot is left go.
 * A snapshot whose tombstone the store did not sign is never removed.
 *
 * The caller has the store's lock and calls for one vault at a time.  Sessions
 * may be open.
 */

#include "base/err.h"
#include "proto/ident.h"
#include "server/account.h"
#include "server/storeclock.h"

#include <stdint.h>

struct vault;

enum prune_fate {
	PRUNE_KEEP, /* `reasons` says why */
	PRUNE_RETIRE, /* it waits from now on */
	PRUNE_WAIT, /* it was retired earlier */
	PRUNE_REMOVE, /* its grace is over, or waived */
	PRUNE_BACK /* prune_undo(): it is live again */
};

struct prune_item {
	uint8_t mount[IDENT_BYTES];
	uint64_t seq;
	int64_t receive_ns; /* the snapshot's label; 0: damaged */
	uint64_t bytes; /* of the files' contents */
	enum prune_fate fate;
	unsigned reasons; /* server/keep.h; of PRUNE_KEEP */
	int64_t left_ns; /* of the grace, for who waits */
};
/* Nonzero ends the work with that code. */
typedef int prune_found_fn(void *arg, const struct prune_item *item);

struct prune_options {
	const struct account *account;
	struct storeclock *clock;
	int dry_run; /* only tell; nothing is written */
	int now; /* waive the grace */
	prune_found_fn *found;
	void *arg;
};

/*
 * Prune one vault.  `found` is told each snapshot, by mount and number, before
 * it is done.  Returns 0; ERR_DAMAGED: the store's policy, and nothing was
 * done, or that of a directory, which was left and not told, and all else
 * was done; ERR_IO; ERR_NOSPACE; ERR_NOMEM.
 */
int prune_vault(struct vault *v, const struct prune_options *o);

/* What was passed over since its policy is damaged: the others have their
 * turn, and it is told in the end.  Zeroed: none. */
struct prune_passed {
	unsigned n;
	char why[ERR_TEXT_MAX]; /* of the first */
};

/* ERR_DAMAGED, whose text is err_text(), is noted: 0.  Else `code`. */
int prune_pass(struct prune_passed *p, int code);
/* How all ends that would have ended with `code`. */
int prune_passed(const struct prune_passed *p, int code);

/* Step 1 alone; nothing is written when nothing has arrived. */
int prune_stamp(struct vault *v, struct storeclock *clock);

/*
 * Bring what waits back: of `mount`, or of all (NULL), and of that the number
 * `seq`, or all (0).  Returns 0; what `found` returned; the errors above.
 */
int prune_undo(struct vault *v, const uint8_t *mount, uint64_t seq,
    prune_found_fn *found, void *arg);

/* "keep", "retire", "wait", "remove", "back". */
const char *prune_fate_name(enum prune_fate fate);

#endif
