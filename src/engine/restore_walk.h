#ifndef HS_ENGINE_RESTORE_WALK_H
#define HS_ENGINE_RESTORE_WALK_H

/*
 * Goes through a snapshot's directories, depth first, in the order of names.
 * Holds no more than some MiB of tree objects, whatever the depth: the lower
 * directories of a deep path let go of theirs and get them again.
 *
 * A directory that is gone through whole is checked against the address that
 * its parent has for it.  Damage is told to the job, and the walk goes on
 * behind it.
 *
 * Thread use: one thread.
 */

#include "engine/restore_dir.h"
#include "engine/restore_select.h"

struct restore_walk;

enum restore_walk_what {
	RESTORE_WALK_ENTRY, /* an entry of `dir` */
	RESTORE_WALK_LEAVE, /* nothing more in `dir`; the caller ends it */
	RESTORE_WALK_END /* nothing more at all */
};

struct restore_walk_item {
	enum restore_walk_what what;
	struct restore_dir *dir;
	struct entry entry; /* valid until the next call */
	struct restore_range range; /* of the entry */
};

/* `select` must outlive the walk.  More than `entries_max` entries are damage:
 * a few trees can stand for more files than any disk holds. */
int restore_walk_new(struct restore_walk **out, struct restore_job *job,
    const struct restore_select *select, uint64_t entries_max);
void restore_walk_free(struct restore_walk *w); /* NULL is fine */

/* Go on with what is in the directory entry `e`, made as `dir`. */
int restore_walk_enter(struct restore_walk *w, struct restore_dir *dir,
    const struct entry *e, const struct restore_range *range);

/* Returns 0, or an error that ends the restore. */
int restore_walk_next(struct restore_walk_item *out, struct restore_walk *w);

/* The content of the file just returned is in the chunk map `id`: wait until
 * it is at hand, if it was asked for.  0; ERR_INTR. */
int restore_walk_await(
    struct restore_walk *w, const uint8_t id[OBJECT_ID_BYTES]);

/* The directory that the walk is in, taken off it: to unwind after an error.
 * NULL when there is none. */
struct restore_dir *restore_walk_pop(struct restore_walk *w);

#endif
