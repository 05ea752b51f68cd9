#ifndef HS_ENGINE_FSCLOCK_H
#define HS_ENGINE_FSCLOCK_H

/*
 * Clocks of file systems.  A file's times come from the clock of the file
 * system it lies on, which another machine may run; only against that clock
 * can a file be too young to trust.
 */

#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* A later change may get the same times as the one before within so many
 * seconds: the coarsest stamps (FAT's) are 2 s apart. */
#define FSCLOCK_TICK_S 2

/*
 * How far the clock of another machine may be wrong before a change can be
 * missed, where it cannot be read.
 */
#define FSCLOCK_APART_S 86400

/*
 * The moment, by the clock of the file system `dev` that the directory `fd`
 * lies on, before which times are old enough to be trusted from now on.  The
 * clock is read by making a file (gone at once) in `dir` (may be NULL) if
 * that is on the same file system.  A local one follows this machine's clock;
 * that of a network file system is unknown and taken to be wrong by
 * FSCLOCK_APART_S.
 */
void fsclock_young(struct timespec *out, dev_t dev, int fd, const char *dir);

/* Nonzero when the time is before the moment. */
static inline int
fsclock_is_old(const struct timespec *young, int64_t s, uint32_t ns)
{
	return s < young->tv_sec ||
	       (s == young->tv_sec && (long)ns < young->tv_nsec);
}

#endif
