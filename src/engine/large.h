#ifndef HS_ENGINE_LARGE_H
#define HS_ENGINE_LARGE_H

/*
 * Reads files that are cut into chunks: large ones and those with holes.  One
 * thread reads, hashes and cuts; the chunks are sealed by whoever is free.
 */

#include "engine/block.h"
#include "engine/run.h"

struct large;
void large_free(struct large *l); /* NULL is fine */

/* The task of a slot_large (crew.h); `context` is a struct worker. */
void large_run(struct crew_task *task, void *context);

/*
 * Read the file of a slot whatever its size.  Returns 0 (the slot is READY,
 * LAY or GONE); errors of the store; ERR_NOMEM; ERR_INTR.
 */
int large_read(struct worker *w, struct block *b, struct slot *s);

#endif
