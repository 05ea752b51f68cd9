#ifndef HS_ENGINE_RUN_H
#define HS_ENGINE_RUN_H

/*
 * What all threads of one run share, and what each worker has for itself.
 */

#include "chunk/chunker.h"
#include "engine/crew.h"
#include "engine/fate.h"
#include "engine/flow.h"
#include "engine/mounts.h"
#include "engine/notes.h"
#include "engine/owners.h"
#include "engine/usage.h"
#include "engine/xattrs.h"

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

struct asker;
struct cache;
struct keys;
struct large;
struct seal;
struct sealer;
struct store;

struct run {
	struct fate fate;
	struct notes notes;
	struct dir_set dirs;
	struct owners *owners;
	struct flow *flow;
	struct crew *crew;
	uid_t euid;
	/* Files of at least so many bytes are tasks of their own. */
	uint32_t small_bytes;
	/* The rest only for a backup; a scan has no store (NULL). */
	struct store *store;
	const struct keys *keys;
	struct chunker chunker;
	struct asker *asker;
	struct sealer *sealer;
	struct mounts mounts;
	/* The stat cache (NULL: none) and what it knows, for the walker. */
	struct cache *cache;
	struct past_set past;
	struct usage usage;
	int dry_run; /* the cache is only looked at */
	int relay; /* files of sparse bundles are laid anew */
};

/* The context of one worker thread. */
struct worker {
	struct run *run;
	struct xattrs xattrs;
	struct buf path; /* below /proc, for xattrs */
	struct large *large; /* made by the first large file */
	/* For sealing; NULL in a scan. */
	struct seal *seal;
};

struct run_options {
	const struct chunker_params *chunker; /* NULL: the default */
	struct notes_counts *counts;
	notes_warn *warn;
	void *warn_arg;
	const atomic_int *interrupt;
	const char *clock_dir; /* mounts.h; may be NULL */
};
/*
 * Prepare a run without store and crew: those are the caller's to set, and to
 * end before run_release().  ERR_NOMEM.
 */
int run_init(struct run *run, const struct run_options *o);
void run_release(struct run *run);

/* A context that cannot seal yet.  ERR_NOMEM. */
int run_worker_new(struct worker **out, struct run *run);
void run_worker_free(struct worker *w); /* NULL is fine */

#endif
