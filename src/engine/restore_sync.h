#ifndef HS_ENGINE_RESTORE_SYNC_H
#define HS_ENGINE_RESTORE_SYNC_H

/*
 * Sees to it that what a restore writes gets to the disk: a thread syncs the
 * destination's file system whenever some hundred MiB were written, so that the
 * disk works while the next files are made, and little is left for the end.
 *
 * Thread use: restore_sync_wrote() from any thread, the others from the one
 * that called restore_run().
 */

#include <stdint.h>

struct restore_job;
struct restore_sync;

/*
 * For the file system of `fd`, of which it takes a descriptor of its own, so
 * before anything is written: errors are told to descriptors that were open
 * then.  Returns 0; ERR_NOMEM; ERR_IO.
 */
int restore_sync_new(
    struct restore_sync **out, struct restore_job *job, int fd);
/* Some more was written.  NULL is fine. */
void restore_sync_wrote(struct restore_sync *s, uint64_t bytes);
/* Wait until everything is on the disk, and free.  What the disk did not take
 * stops the job; a job that has stopped is not waited for.  NULL is fine. */
void restore_sync_end(struct restore_sync *s);

#endif
