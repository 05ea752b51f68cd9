#ifndef HS_ENGINE_RESTORE_AHEAD_H
#define HS_ENGINE_RESTORE_AHEAD_H

/*
 * Tree objects that a walk is about to need, fetched many at a time: one
 * request for each directory would make a restore as slow as the network's
 * latency.
 */

#include "engine/fetch.h"
#include "object/tree.h"

/*
 * The walk needs the tree `id` of `level`, which the cache does not have.  It
 * was named in `parent` (NULL: nowhere), a tree object of `parent_level`, and
 * what stands there behind it is needed next.  Fetch them, then what stands
 * in them, and so on, up to some hundreds of objects.
 * Returns 0; errors of the store.  Damage is left to whoever comes to it.
 */
int restore_ahead_trees(struct fetch *f, const uint8_t id[OBJECT_ID_BYTES],
    unsigned level, const struct object *parent, unsigned parent_level);

#endif
