#ifndef HS_STORE_CHAIN_H
#define HS_STORE_CHAIN_H

/*
 * The snapshots of a mount, each of which names the one that it follows by
 * number and hash (format.md 8).
 *
 * That is the newest one that the store could read when it was made.  While a
 * disk does not give one, the next follows an older one, or none at all, as if
 * it were the first; when the disk gives it again, the history is a tree.
 * Nothing is missing then: a snapshot is out of place only if what it follows
 * is none of those before it.
 */

#include "base/buf.h"

#include <stdint.h>

struct envelope;

struct chain {
	uint8_t mount[16];
	uint64_t seq; /* of the last one; 0: there is none */
	int known; /* what the last one says is */
	struct buf links; /* of this mount, oldest first */
};

/* clang-format off */
#define CHAIN_INIT {.links = BUF_INIT}
/* clang-format on */

void chain_release(struct chain *c);

/*
 * The next snapshot, or its tombstone; of another mount: a new chain.  `hash`
 * is NULL when nobody can read it.  Returns 0; ERR_NOMEM.
 */
int chain_add(struct chain *c, const uint8_t mount[16], uint64_t seq,
    uint64_t client_seq, const uint8_t *hash);

/* Nonzero when `e` follows one of those before it. */
int chain_takes(const struct chain *c, const struct envelope *e);

#endif
