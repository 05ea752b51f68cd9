#ifndef HS_ENGINE_ASKER_H
#define HS_ENGINE_ASKER_H

/*
 * Asks the store about objects before they are sealed, many at a time, and
 * hands on those that it does not have, in the order in which they came.
 *
 * Thread use: one asker belongs to one thread.
 */

#include "engine/run.h"
#include "object/object.h"

struct asker;

/*
 * It asks when it holds `objects_max` objects or `bytes_max` payload bytes.
 * `w` is the worker it belongs to (NULL: a thread that cannot seal).
 */
int asker_new(struct asker **out, struct run *run, struct worker *w,
    uint32_t objects_max, size_t bytes_max);
void asker_free(struct asker *a); /* NULL is fine; forgets what it holds */
/*
 * Name the object and take its content.  Errors of the store; ERR_NOMEM; a
 * run that failed gives its error.
 */
int asker_add(struct asker *a, struct object *o);
/* The same as a function for writers of maps and trees; `arg`: an asker. */
int asker_emit(void *arg, struct object *o);
/* Have asked about everything, and handed on what is missing. */
int asker_flush(struct asker *a);

#endif
