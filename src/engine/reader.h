#ifndef HS_ENGINE_READER_H
#define HS_ENGINE_READER_H

/*
 * Reads the small entries of a block: contents, targets, xattrs, addresses;
 * and, in a backup, asks the store which of the files it has.
 */

#include "engine/block.h"
#include "engine/run.h"

/* The task of a block (crew.h); `context` is a struct worker. */
void reader_run(struct crew_task *task, void *context);

/*
 * Read a file that is expected to be small, into the slot's own buffers.
 * Returns 0 (the slot is READY, LAY or GONE); 1: it is large or has holes;
 * ERR_NOMEM, ERR_INTR.
 */
int reader_small(struct worker *w, struct block *b, struct slot *s);

#endif
