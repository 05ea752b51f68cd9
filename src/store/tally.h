#ifndef HS_STORE_TALLY_H
#define HS_STORE_TALLY_H

/*
 * How much of each pack is needed, by the index alone: what a sweep plans
 * with.  It decides nothing: store/discard.h looks again.
 */

#include "base/buf.h"
#include "store/index.h"

#include <stddef.h>
#include <stdint.h>

struct mark;

struct tally_pack {
	struct index_pack p;
	uint64_t
	    live_bytes; /* of records that the index names and marks need */
	uint32_t live; /* how many */
	int keep; /* of an upload under way, or not all in the index */
};

/* Takes 100 bytes per pack. */
struct tally {
	struct buf packs; /* struct tally_pack, by number */
	uint64_t bytes; /* of all packs */
	uint64_t dead; /* objects that nobody needs */
};

void tally_release(struct tally *y);
/* `m` is of mark_all(), made in this transaction or since v->change was
 * taken. */
int tally_make(struct tally *y, struct index_txn *t, const struct mark *m);

#endif
