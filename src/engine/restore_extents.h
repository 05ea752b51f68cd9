#ifndef HS_ENGINE_RESTORE_EXTENTS_H
#define HS_ENGINE_RESTORE_EXTENTS_H

/*
 * The extents of one file in order, through chunk maps of any level, in
 * memory that does not grow with the file.
 *
 * Thread use: one thread.
 */

#include "base/limits.h"
#include "engine/fetch.h"
#include "object/extent.h"

struct restore_extents {
	struct fetch *fetch;
	unsigned depth; /* open maps, from the top one */
	unsigned level; /* of the top one */
	struct {
		struct buf list; /* struct extent */
		size_t at;
	} maps[LIMIT_LEVELS];
};

/* A list of `n` extents. */
int restore_extents_list(
    struct restore_extents *x, const struct extent *list, uint32_t n);
/* The map `id` of `level`, which covers `size` bytes. */
int restore_extents_map(struct restore_extents *x, struct fetch *f,
    const uint8_t id[OBJECT_ID_BYTES], unsigned level, uint64_t size);
void restore_extents_release(struct restore_extents *x);

/* Returns 0; 1 at the end; ERR_DAMAGED; errors of the store. */
int restore_extents_next(struct extent *out, struct restore_extents *x);

#endif
