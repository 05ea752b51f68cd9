#ifndef HS_ENGINE_WALK_H
#define HS_ENGINE_WALK_H

/*
 * Walks a directory depth first, the entries of each directory sorted by raw
 * name bytes, and fills blocks with slots in that order.  Works relative to
 * held descriptors, so it never meets a path that is too long, and never
 * follows a symlink.  `.shamo` and sockets, at any depth, do not exist, nor
 * does what the chooser leaves out.
 *
 * A deep tree does not run out of descriptors: only the deepest
 * WALK_OPEN_MAX directories (and the root) stay open for the walk, the others
 * are opened anew, from the root down, when the walk comes back to them; then
 * they must still be the same directories.
 */

#include "engine/run.h"

#define WALK_OPEN_MAX 64u

struct chooser;

enum walk_news {
	WALK_EXCLUDED, /* left out */
	WALK_READ /* is new or changed: its content is read */
};
/* Tell about the entry with this path, relative to the root.  Called by the
 * thread that walks. */
typedef void walk_tell(
    void *arg, enum walk_news news, const char *path, size_t path_len);

struct walk_options {
	const char *path; /* of the directory */
	const char *temp_dir; /* for large directories; may be NULL */
	struct chooser *chooser; /* NULL: everything is taken */
	walk_tell *tell; /* may be NULL */
	void *tell_arg;
};

/*
 * Walk, and hand all blocks to the run's flow, with their tasks to its crew.
 * Errors of the source are named in the run's notes.  Returns 0; ERR_NOENT
 * when the directory itself cannot be opened; ERR_INTR; ERR_NOMEM; ERR_IO
 * (temporary file); the run's error when it failed meanwhile.  The flow is
 * ended in every case.
 */
int walk_run(struct run *run, const struct walk_options *o);

#endif
