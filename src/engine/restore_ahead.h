#ifndef HS_ENGINE_RESTORE_AHEAD_H
#define HS_ENGINE_RESTORE_AHEAD_H

/*
 * Tree objects that a walk is about to need, and the chunk maps of the files in
 * them, fetched by threads of its own, many at a time: one request for each
 * directory, level of directories or large file would make a restore as slow
 * as the network's latency.
 *
 * Known ones stand in a list in the order in which the walk comes to them.
 * What is nearest to its head is fetched first; what a tree names takes its
 * place right behind it.  Trees that were fetched stay until the walk came.
 *
 *   WANTED --a thread took it--> UNDER_WAY --> HERE --walk came--> freed
 *                                     failed --> LOST --walk came--> freed
 *
 * Thread use: one thread, but for those of its own.
 */

#include "engine/restore_job.h"

struct restore_ahead;

/* Starts the threads.  `job`, with its fetch, must outlive it.  ERR_NOMEM;
 * ERR_FAIL. */
int restore_ahead_new(struct restore_ahead **out, struct restore_job *job);
/* Ends them; NULL is fine. */
void restore_ahead_free(struct restore_ahead *a);
/*
 * The walk, in a directory that it goes through whole, comes to the tree `id`
 * of `level`: wait for it.  What follows is fetched from then on.
 * Returns 0 and sets `*out`, to be given back by fetch_put(); 1: it could not
 * be had, and whoever gets it by itself learns why; ERR_INTR: the job has
 * ended.
 */
int restore_ahead_take(const struct object **out, struct restore_ahead *a,
    const uint8_t id[OBJECT_ID_BYTES], unsigned level);
/*
 * The walk comes to a file whose chunk map is `id`: wait until fetch_get() need
 * not ask the store for it, if it is known here.  0; ERR_INTR.
 */
int restore_ahead_await(
    struct restore_ahead *a, const uint8_t id[OBJECT_ID_BYTES]);

#endif
