#ifndef HS_ENGINE_RESTORE_H
#define HS_ENGINE_RESTORE_H

/*
 * A snapshot, or parts of it, back into a directory.
 *
 * The tree is gone through in windows of bounded entries and bytes: inside a
 * window each object is fetched once and all files that need it are written
 * then.  Every file is hashed as it is written and compared with its address;
 * one that differs is removed, named and counted.  Nothing outside of `dest`
 * is touched, whatever the snapshot says.
 *
 * Memory does not grow with the number of files, but for hard links: about 40
 * bytes and a name for each file with several links.
 */

#include "engine/catalog.h"
#include "seal/keys.h"
#include "store/store.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Counted up while restore_run() runs; any thread may look. */
struct restore_progress {
	atomic_ullong files; /* done: entries that are no directories */
	atomic_ullong bytes; /* of file contents, holes included */
};

enum restore_news {
	RESTORE_NEW, /* nothing is there */
	RESTORE_REPLACED /* something else is */
};

struct restore_options {
	/* What to restore; outlives the run. */
	const struct catalog_entry *snapshot;
	/* Made if absent, its parents too; must be empty otherwise, unless
	 * `force`. */
	const char *dest;
	/*
	 * Restore over what is there: what has the right content is not
	 * written, what has not is replaced when the new one is complete,
	 * metadata is set where it differs, and nothing else is removed.  What
	 * is no directory makes way for one; a directory makes way for
	 * something else only if it is empty.
	 */
	int force;
	/* Only find out what would be done; `dest` need not exist. */
	int dry_run;
	/*
	 * Only these, relative to the snapshot's root; a directory means all
	 * below it.  One that does not exist and has wildcards is a pattern
	 * (restore_globs.h).  Each comes back under the same relative path, the
	 * directories above it with their owners, modes and times.  With
	 * `npaths` zero everything, and `dest` itself gets the root's.
	 */
	const char *const *paths;
	size_t npaths;
	/* Sync the file system of `dest` at the end: success then means that
	 * all is on the disk. */
	int sync;
	unsigned threads; /* that write; 0: as many as processors, at least 2 */
	/*
	 * One line about an entry that could not be restored (NULL: nobody);
	 * the text is not escaped, log_warn() does that.  Called from any
	 * thread, one call at a time.
	 */
	void (*warn)(void *arg, const char *text);
	/* What is written, or would be, with its path (NULL: nobody); called
	 * by the thread of restore_run(). */
	void (*tell)(void *arg, enum restore_news news, const char *path);
	void *arg;
	/* Set by a signal handler: stop with ERR_INTR.  NULL: never. */
	const atomic_int *interrupt;
	struct restore_progress *progress; /* NULL: nobody looks */
};

struct restore_result {
	uint64_t files, dirs, others; /* restored; others: links, devices... */
	uint64_t links; /* of the files: hard links to one before */
	uint64_t bytes; /* of file contents, holes included */
	uint64_t unchanged; /* of no kind above: were there already */
	uint64_t unstable; /* changed while they were backed up */
	uint64_t damaged; /* entries that a damaged object left incomplete */
	uint64_t failed; /* entries that this system could not take */
	/* Entries that lack something because privileges do: no error. */
	uint64_t lack_owner, lack_device, lack_xattr;
	const char *write_path; /* "buffered", or "direct" for large files */
};

/*
 * Restore.  `*out` is always written and says how far it came.  The process's
 * umask is 0 meanwhile.
 *
 * Returns 0; ERR_DAMAGED: the damaged entries were named, all else is there;
 * ERR_FAIL: the same for entries that this system could not take;
 * ERR_USAGE: `dest` is not empty, or a path is none; ERR_NOENT: the snapshot
 * has no such path (nothing was restored), or nothing that a pattern matches
 * (all else was); ERR_INTR; any error of the store, ERR_IO or ERR_NOSPACE of
 * `dest`: stopped there, or at its sync.
 */
int restore_run(struct restore_result *out, struct store *store,
    const struct keys *keys, const struct restore_options *o);

/*
 * The line that says what only privileges lacked.  Returns 0 when nothing
 * did, else 1 and the text in `out`.
 */
int restore_lack(char *out, size_t cap, const struct restore_result *r);

#endif
