#ifndef HS_ENGINE_SEALER_H
#define HS_ENGINE_SEALER_H

/*
 * Objects on their way into the store: asked about, many at a time, and if the
 * store lacks them sealed by any worker, checked, made into records, and sent
 * in the order in which they came, so children go before parents.  What is on
 * the way is bounded in number and bytes; who brings more waits, and a worker
 * that waits seals meanwhile.  Nobody waits for an answer of the store: a
 * store that is far away gets more requests at once, and more bytes are under
 * way.
 *
 *   offered --> asked about --has it--> done
 *                           --lacks it--> sealed --> done --> sent
 *   submitted ------------------------> sealed --> done --> sent
 *
 * Thread use: offer, submit and knows from any thread.
 */

#include "engine/run.h"
#include "object/object.h"

struct sealer;

/* Starts the threads that ask and send.  ERR_NOMEM; ERR_FAIL. */
int sealer_new(struct sealer **out, struct run *run);
/* Ends the threads, whatever is still on the way; NULL is fine. */
void sealer_free(struct sealer *s);

/*
 * Name the object, take its content, and send it unless the store has it.
 * `w` and what it returns as for sealer_submit().
 */
int sealer_offer(struct sealer *s, struct object *o, struct worker *w);
/*
 * Take the content of a named object and send it, unless that was done lately
 * in this run.  `w` is the worker that submits (NULL: a thread that cannot
 * seal).  Returns 0; the run's error.
 */
int sealer_submit(struct sealer *s, struct object *o, struct worker *w);
/* Nonzero when the object came lately: no need to bring it again. */
int sealer_knows(struct sealer *s, const uint8_t id[OBJECT_ID_BYTES]);
/*
 * Wait until all is sent; nothing may be brought any more.  Returns 0; the
 * run's error.
 */
int sealer_finish(struct sealer *s);

#endif
