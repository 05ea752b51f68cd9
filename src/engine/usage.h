#ifndef HS_ENGINE_USAGE_H
#define HS_ENGINE_USAGE_H

/*
 * How much of each bundle is in use.  A snapshot keeps a whole bundle for
 * the sake of one member, so when less than half of a bundle is left, the
 * next backup that uploads anything lays its files into new ones.  The stat
 * cache remembers the bundles that this client laid, and which of them were
 * sparse after the last backup; of other clients' it knows nothing.
 *
 * Thread use: load, sparse: the walker's; laid, used: the assembler's; save
 * when both are done.
 */

#include "base/buf.h"
#include "engine/cache.h"
#include "hash/hash.h"

#include <stdint.h>

struct usage_bundle;

struct usage {
	struct buf sparse; /* ids, sorted */
	struct usage_bundle *table; /* a power of two of places */
	uint32_t places, count;
	struct usage_bundle *last;
	int full; /* nothing is known in the end */
};

void usage_init(struct usage *u); /* all zero is fine too */
void usage_release(struct usage *u);

/* Learn from the cache which bundles are sparse. */
int usage_load(struct usage *u, struct cache *c);
int usage_is_sparse(const struct usage *u, const uint8_t id[HASH_BYTES]);

/* A bundle with members of `bytes` was laid. */
void usage_laid(struct usage *u, const uint8_t id[HASH_BYTES], uint64_t bytes);
/* An entry uses `bytes` of the bundle. */
void usage_used(struct usage *u, const uint8_t id[HASH_BYTES], uint64_t bytes);
/* Tell the cache what the run came to. */
int usage_save(const struct usage *u, struct cache *c);

#endif
