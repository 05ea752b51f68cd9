#ifndef HS_ENGINE_RESTORE_PLAN_H
#define HS_ENGINE_RESTORE_PLAN_H

/*
 * What to do next: goes through the tree, makes the directories, and fills
 * windows with the parts of the files.
 *
 * Thread use: the thread that called restore_run().
 */

#include "engine/restore_dir.h"
#include "engine/restore_link.h"
#include "engine/restore_walk.h"
#include "engine/restore_window.h"

struct restore_plan;

/* All that it is given must outlive it. */
int restore_plan_new(struct restore_plan **out, struct restore_job *job,
    struct restore_walk *walk, struct restore_link *links);
/* After restore_plan_unwind(). */
void restore_plan_free(struct restore_plan *p); /* NULL is fine */

/*
 * Fill `win` with what comes next.  Errors stop the job.  Returns nonzero when
 * there is more.
 */
int restore_plan_fill(struct restore_plan *p, struct restore_window *win);

/*
 * Make the hard links that were met until now, as far as their first files
 * are written, and take up the files that are to be written once more.  To be
 * called when a window is done.  Returns nonzero when some are left, or became
 * files to be planned.
 */
int restore_plan_links(struct restore_plan *p);

/* No window is under way: end what was begun but, the job having stopped,
 * will not be completed. */
void restore_plan_unwind(struct restore_plan *p);

#endif
