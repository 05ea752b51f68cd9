#ifndef HS_ENGINE_RESTORE_WORK_H
#define HS_ENGINE_RESTORE_WORK_H

/*
 * The threads of a restore, and the windows that they work on.
 *
 * The planner fills a window with parts of files and the objects that they
 * need.  restore_work_run() then asks the store for all the objects at once;
 * as records arrive, the workers open them, and whoever brings the last object
 * that a part waits for writes it.  The parts of one file are written in
 * order, by one worker at a time.
 *
 *   object:  WAITING --record--> HERE ---- last part written --> freed
 *                    --failed--> BAD  (its parts make their files bad)
 *   part:    missing > 0 --objects--> ready --its turn--> written
 */

#include "engine/restore_job.h"
#include "engine/restore_window.h"

struct restore_work;

/* Start `threads` workers. */
int restore_work_new(
    struct restore_work **out, struct restore_job *job, unsigned threads);
/* Ends the workers.  No window may be left. */
void restore_work_free(struct restore_work *w); /* NULL is fine */

/*
 * Let the workers have the window, and fetch its objects.  What fails, fails
 * the job or the files.  Afterwards all objects are with the workers.
 */
void restore_work_run(struct restore_work *w, struct restore_window *win);
/* Wait until every part of it was written, and free it. */
void restore_work_wait(struct restore_work *w, struct restore_window *win);

#endif
