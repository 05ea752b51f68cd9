#ifndef HS_ENGINE_MOUNTS_H
#define HS_ENGINE_MOUNTS_H

/*
 * The mounts that a walk meets: how the stat cache and hard links name their
 * file systems, and from when on their files are too young to trust.
 *
 * Thread use: finding belongs to the walker; what was found may be read by
 * any thread until mounts_release().
 */

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct mount {
	struct mount *next;
	dev_t dev;
	uint64_t mount_id;
	uint64_t fsid; /* format.md 7.2 */
	/*
	 * For the stat cache: the fsid, but another one for each further
	 * mount of the same file system, so that no directory is met twice
	 * under one key in one walk.
	 */
	uint64_t key;
	struct timespec young; /* fsclock.h */
};

struct mounts {
	const char *clock_dir; /* may be NULL */
	struct mount *first; /* the one found last */
};

void mounts_init(struct mounts *m, const char *clock_dir);
void mounts_release(struct mounts *m);
/* The mount of the open directory `fd` on `dev`.  ERR_NOMEM. */
int mounts_find(const struct mount **out, struct mounts *m, int fd, dev_t dev);

#endif
