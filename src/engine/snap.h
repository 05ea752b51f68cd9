#ifndef HS_ENGINE_SNAP_H
#define HS_ENGINE_SNAP_H

/* The last step of a backup: the signed snapshot; docs/format.md 8. */

#include "object/snapshot.h"
#include "store/store.h"

struct keys;
struct seal;

struct snap {
	struct store *store;
	const struct keys *keys;
	const uint8_t *seed; /* of the mount */
	struct seal *seal;
	struct snapshot_info *info; /* mount, sequence, previous: set here */
};

/*
 * Seal, sign and commit it as the successor of the session's parent.
 * Returns 0, the receipt and the snapshot's hash; ERR_MISSING with the ids in
 * `missing`; errors of the store; ERR_NOMEM.
 */
int snap_commit(struct store_receipt *receipt, uint8_t hash[HASH_BYTES],
    struct buf *missing, const struct snap *s);

#endif
