#ifndef HS_ENGINE_RESTORE_JOB_H
#define HS_ENGINE_RESTORE_JOB_H

/*
 * What all parts of one restore share: options, counts, warnings, and the
 * first error that ends it.  Internal to src/engine/restore*.
 *
 * Thread use: the functions may be called from any thread.
 */

#include "base/err.h"
#include "base/pool.h"
#include "engine/fetch.h"
#include "engine/restore.h"

#include <sys/types.h>

struct restore_dir;
struct restore_file;
struct restore_sync;

struct restore_job {
	const struct restore_options *o;
	const struct keys *keys;
	struct store *store;
	struct fetch *fetch;
	struct restore_sync *sync; /* NULL: not asked for */
	uid_t uid; /* who new entries belong to */
	gid_t gid;
	struct pool_lock lock; /* of what follows, and of warn() */
	struct restore_result result;
	struct restore_file *again; /* to be written once more, by `next` */
	atomic_int stop; /* the first fatal error; 0: none */
	char stop_text[ERR_TEXT_MAX];
};

void restore_job_init(struct restore_job *j, struct store *store,
    const struct keys *keys, const struct restore_options *o);
void restore_job_release(struct restore_job *j);

/* End the restore with `code` and this thread's message, unless it has
 * ended already.  Returns `code`. */
int restore_job_stop(struct restore_job *j, int code);
/* Nonzero when it has ended: nothing is to be created any more. */
int restore_job_stopped(struct restore_job *j);
/* Ask the user's flag. */
int restore_job_poll(struct restore_job *j);

/* Leave `f` to the planner, for another try; it hands them out one by one. */
void restore_job_again(struct restore_job *j, struct restore_file *f);
struct restore_file *restore_job_take_again(struct restore_job *j); /* NULL */

/* Add to one of the counts of `j->result`. */
void restore_job_count(struct restore_job *j, uint64_t *count, uint64_t n);
/* A file is being written past the page cache. */
void restore_job_direct(struct restore_job *j);
/* So many entries that are no directories are done, well or not, and so many
 * bytes of contents. */
void restore_job_progress(
    struct restore_job *j, unsigned files, uint64_t bytes);

/* Tell about the entry `name` (NULL: the directory itself) in `dir`. */
void restore_job_warn(struct restore_job *j, const struct restore_dir *dir,
    const char *name, const char *why);
/* Tell and count an entry that is damaged. */
void restore_job_damaged(struct restore_job *j, const struct restore_dir *dir,
    const char *name, const char *why);
/*
 * A system call on an entry failed with errno: tell and count it, or end the
 * restore where all others would fail the same way (a full or read-only disk,
 * no descriptors).
 */
void restore_job_failed(struct restore_job *j, const struct restore_dir *dir,
    const char *name, const char *what);

#endif
