#ifndef HS_ENGINE_FLOW_H
#define HS_ENGINE_FLOW_H

/*
 * The way of the blocks from the walker to the assembler.  Blocks are few and
 * go round, so the walker waits when the rest cannot keep up and memory stays
 * flat.  The assembler must give blocks back whatever they wait for: see the
 * window in bundler.h.
 *
 * Thread use: take and push by the walker; finished by workers; pop and the
 * others by the assembler.
 */

#include "engine/block.h"

/* Blocks in all; those that hold contents of small files are fewer. */
#define FLOW_BLOCKS 64u
#define FLOW_DATA_BLOCKS 12u
#define FLOW_DATA_BLOCKS_FAR 20u

struct flow;

int flow_new(struct flow **out, void *run);
/* Before the first block: the store is far away, so more blocks wait for its
 * answers. */
void flow_set_far(struct flow *f);
/* All blocks must be back, or never to be used again; NULL is fine. */
void flow_free(struct flow *f);

/* An empty block; waits for one.  ERR_NOMEM. */
int flow_take(struct block **out, struct flow *f);
/*
 * Hand on the block, at the end of the line; the caller submits its tasks,
 * `pending` of them.  With 0 it is done already.
 */
void flow_push(struct flow *f, struct block *b, unsigned pending);
/* No more blocks come. */
void flow_end(struct flow *f);
/* One task of the block is done. */
void flow_finished(struct flow *f, struct block *b);
/* The next block, when it is done.  0; 1 when there are no more. */
int flow_pop(struct block **out, struct flow *f);
/* The contents of small files are no longer needed. */
void flow_drop_data(struct flow *f, struct block *b);
/* The block is no longer needed. */
void flow_return(struct flow *f, struct block *b);

#endif
