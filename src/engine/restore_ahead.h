#ifndef HS_ENGINE_RESTORE_AHEAD_H
#define HS_ENGINE_RESTORE_AHEAD_H

/*
 * Tree objects that a walk is about to need, fetched many at a time: one
 * request for each directory would make a restore as slow as the network's
 * latency.
 *
 * Thread use: one thread.
 */

#include "engine/fetch.h"
#include "object/tree.h"

/* Looked at by one run, for what they name may be absent. */
#define RESTORE_AHEAD_TREES 2048u

/* Trees in the order in which the walk comes to them, as far as known. */
struct restore_ahead {
	struct {
		uint8_t id[OBJECT_ID_BYTES];
		unsigned level;
	} trees[RESTORE_AHEAD_TREES];
	uint32_t n, max;
	uint32_t fetched; /* at most, by the last run */
};

/* Begin with the tree `id` of `level`, which is needed now. */
void restore_ahead_begin(
    struct restore_ahead *a, const uint8_t id[OBJECT_ID_BYTES], unsigned level);
/*
 * Add the trees that `o`, a tree of `level`, names behind `from`.
 * Returns nonzero when there are enough.
 */
int restore_ahead_behind(struct restore_ahead *a, const struct object *o,
    unsigned level, const uint8_t from[OBJECT_ID_BYTES]);
/*
 * Bring those that are absent into the cache, then what stands in them, and
 * so on, up to some hundreds of objects.
 * Returns 0; errors of the store.  Damage is left to whoever comes to it.
 */
int restore_ahead_run(struct restore_ahead *a, struct fetch *f);

#endif
