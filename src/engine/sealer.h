#ifndef HS_ENGINE_SEALER_H
#define HS_ENGINE_SEALER_H

/*
 * Objects on their way into the store: sealed by any worker, checked, made
 * into records, and sent in the order in which they were submitted, so
 * children go before parents.  What is on the way is bounded in number and
 * bytes; who submits more waits, and a worker that waits seals meanwhile.
 *
 * Thread use: submit and knows from any thread.
 */

#include "engine/run.h"
#include "object/object.h"

struct sealer;

/* Starts the threads that send.  ERR_NOMEM; ERR_FAIL. */
int sealer_new(struct sealer **out, struct run *run);
/* Ends the threads, whatever is still on the way; NULL is fine. */
void sealer_free(struct sealer *s);

/*
 * Take the content of a named object and send it, unless that was done lately
 * in this run.  `w` is the worker that submits (NULL: a thread that cannot
 * seal).  Returns 0; the run's error.
 */
int sealer_submit(struct sealer *s, struct object *o, struct worker *w);
/* Nonzero when the object was submitted lately: no need to ask. */
int sealer_knows(struct sealer *s, const uint8_t id[OBJECT_ID_BYTES]);
/*
 * Wait until all is sent; nothing may be submitted any more.  Returns 0; the
 * run's error.
 */
int sealer_finish(struct sealer *s);

#endif
