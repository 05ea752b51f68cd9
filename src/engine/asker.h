#ifndef HS_ENGINE_ASKER_H
#define HS_ENGINE_ASKER_H

/*
 * Asks the store which of the small files of blocks it has, by threads of its
 * own: workers read on while an answer is on its way, and all blocks that wait
 * go in one request.
 *
 * Thread use: submit from any thread.
 */

#include "engine/block.h"
#include "engine/run.h"

struct asker;

/* Starts the threads.  ERR_NOMEM; ERR_FAIL. */
int asker_new(struct asker **out, struct run *run);
/* Ends them; no block may be under way.  NULL is fine. */
void asker_free(struct asker *a);
/*
 * The small files of the block are read and hashed: ask which ones need not
 * be laid, then say flow_finished().
 */
void asker_submit(struct asker *a, struct block *b);

#endif
