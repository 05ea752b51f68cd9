#ifndef HS_ENGINE_NOTES_H
#define HS_ENGINE_NOTES_H

/*
 * What is worth telling about the source: counts that may be read at any
 * time, and warnings that name an entry.  Nothing here ends a run.
 */

#include "base/pool.h"
#include "engine/dir.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Counts of a run; the command line may read them while it goes on. */
struct notes_counts {
	_Atomic uint64_t files; /* entries that are no directories */
	_Atomic uint64_t dirs;
	_Atomic uint64_t bytes; /* of the files' contents */
	_Atomic uint64_t files_read; /* opened and read */
	_Atomic uint64_t bytes_read;
	_Atomic uint64_t bytes_kept; /* of files that are as they were */
	_Atomic uint64_t unreadable; /* left out, or lacking an xattr */
	_Atomic uint64_t unstable; /* changed while read, twice */
	_Atomic uint64_t vanished; /* gone between listing and reading */
	_Atomic uint64_t sockets; /* skipped */
	_Atomic uint64_t excluded; /* by the filter */
	_Atomic uint64_t objects; /* uploaded */
	_Atomic uint64_t objects_bytes; /* of their records */
};

/*
 * A warning: the path (raw bytes, relative to the directory) and what is
 * wrong with it.  Called from any thread, by one at a time.
 */
typedef void notes_warn(
    void *arg, const char *path, size_t path_len, const char *text);

struct notes {
	struct pool_lock lock;
	struct notes_counts *counts;
	notes_warn *warn; /* may be NULL */
	void *arg;
};

void notes_init(
    struct notes *n, struct notes_counts *counts, notes_warn *warn, void *arg);
void notes_release(struct notes *n);
/* All counts to zero, also while somebody reads them. */
void notes_zero(struct notes_counts *c);
/* The stat cache failed, as err_text() says: that is no reason for a backup to
 * fail, but for one line. */
void notes_no_cache(struct notes *n);
/* Name the entry `name` of `d` (NULL: `d` itself) with a text. */
void notes_say(struct notes *n, const struct dir *d, const char *name,
    size_t name_len, const char *text);
/*
 * The entry cannot be read, as this thread's errno `error` says (0: as its
 * err_text() says).  Gone entries are counted apart.
 */
void notes_unreadable(struct notes *n, const struct dir *d, const char *name,
    size_t name_len, int error);

#endif
