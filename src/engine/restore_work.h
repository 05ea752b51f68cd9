#ifndef HS_ENGINE_RESTORE_WORK_H
#define HS_ENGINE_RESTORE_WORK_H

/*
 * The threads of a restore, and the windows that they work on.
 *
 * The planner fills a window with parts of files and the objects that they
 * need.  restore_work_run() then has a thread of its own ask the store for all
 * the objects at once; as records arrive, the workers open them, and whoever
 * brings the last object that a part waits for writes it.  The parts of one
 * file are written in order, by one worker at a time.
 *
 *   object:  WAITING --record--> HERE ---- last part written --> freed
 *                    --failed--> BAD  (its parts make their files bad)
 *   part:    missing > 0 --objects--> ready --its turn--> written
 *
 * What fills a file is not hashed to its id when it is opened: the address of
 * the whole file, which is compared before it counts as restored, tells any
 * content from another.  A file that has not its address is written once more,
 * from objects that are (restore_file_finish()); that names the bad one, and
 * finds a better record of it if the store has one.
 */

#include "engine/restore_job.h"
#include "engine/restore_window.h"

struct restore_work;

/* Windows that should be under way at once: more when the store is far away,
 * so that no line stands idle while it answers. */
unsigned restore_work_windows(const struct restore_work *w);
#define RESTORE_WORK_WINDOWS_MAX 5u

/* Start `threads` workers, and those that fetch. */
int restore_work_new(
    struct restore_work **out, struct restore_job *job, unsigned threads);
/* Ends the workers.  No window may be left. */
void restore_work_free(struct restore_work *w); /* NULL is fine */

/*
 * Let the workers have the window, and its objects be fetched.  What fails,
 * fails the job or the files.
 */
void restore_work_run(struct restore_work *w, struct restore_window *win);
/* Wait until every part of it was written, and free it. */
void restore_work_wait(struct restore_work *w, struct restore_window *win);

#endif
