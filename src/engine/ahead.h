#ifndef HS_ENGINE_AHEAD_H
#define HS_ENGINE_AHEAD_H

/*
 * One piece of a file, read beside the thread that cuts the piece before it:
 * a single file keeps two processors busy.  When all are, that thread reads it
 * itself.
 *
 * Thread use: one reader belongs to one thread.
 */

#include "base/pool.h"
#include "engine/crew.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct ahead {
	struct crew_task task;
	struct crew *crew; /* NULL: nobody helps */
	int fd;
	uint8_t *p;
	size_t len;
	uint64_t at;
	ssize_t got; /* what pread() returned, never with EINTR */
	int error; /* its errno */
	int wanted; /* begun and not waited for */
	int given; /* to the crew, and not known to be done */
	struct pool_lock lock;
	struct pool_cond done;
	int busy;
};

void ahead_init(struct ahead *a, struct crew *crew);
/* Nothing may be waited for: the crew may be gone. */
void ahead_release(struct ahead *a);

/*
 * Begin to read `len` bytes at `at` of `fd` to `p`; all three must stay until
 * ahead_wait(), which is called before the next one begins.
 */
void ahead_begin(struct ahead *a, uint8_t *p, size_t len, int fd, uint64_t at);
/* Have read: how many bytes, as pread(), or -1 with errno.  0 when nothing was
 * begun. */
ssize_t ahead_wait(struct ahead *a);

#endif
