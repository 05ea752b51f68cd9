#include "engine/restore_sync.h"

#include "base/os.h"
#include "engine/restore_job.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

/* Written between two syncs: a fraction of a second for a fast disk, and each
 * writes the inodes' blocks once more. */
#define STEP_BYTES (256u << 20)

struct restore_sync {
	struct restore_job *job;
	int fd;
	struct pool_thread *thread; /* NULL: all is left for the end */
	struct pool_lock lock; /* of what follows */
	struct pool_cond changed;
	uint64_t bytes; /* written since the last sync began */
	int ending;
};

static void
sync_now(struct restore_sync *s)
{
	int code;

	if (os_sync_fs(s->fd) == 0)
		return;
	code = errno == ENOSPC || errno == EDQUOT ? ERR_NOSPACE : ERR_IO;
	(void)restore_job_stop(
	    s->job, err_errno(code, "not all of %s could be put on its disk",
			s->job->o->dest));
}

static void
sync_steps(void *arg)
{
	struct restore_sync *s = arg;

	pool_lock_enter(&s->lock);
	while (!s->ending) {
		if (s->bytes < STEP_BYTES) {
			pool_cond_wait(&s->changed, &s->lock);
			continue;
		}
		s->bytes = 0;
		pool_lock_leave(&s->lock);
		sync_now(s);
		pool_lock_enter(&s->lock);
	}
	pool_lock_leave(&s->lock);
}

int
restore_sync_new(struct restore_sync **out, struct restore_job *job, int fd)
{
	struct restore_sync *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_nomem(sizeof(*s));
	s->job = job;
	s->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (s->fd < 0) {
		free(s);
		return err_errno(ERR_IO, "cannot open %s", job->o->dest);
	}
	pool_lock_init(&s->lock);
	pool_cond_init(&s->changed);
	if (pool_thread_start(&s->thread, sync_steps, s) != 0)
		s->thread = NULL;
	*out = s;
	return 0;
}

void
restore_sync_wrote(struct restore_sync *s, uint64_t bytes)
{
	if (s == NULL)
		return;
	pool_lock_enter(&s->lock);
	s->bytes += bytes;
	if (s->bytes >= STEP_BYTES)
		pool_cond_wake_all(&s->changed);
	pool_lock_leave(&s->lock);
}

void
restore_sync_end(struct restore_sync *s)
{
	if (s == NULL)
		return;
	pool_lock_enter(&s->lock);
	s->ending = 1;
	pool_cond_wake_all(&s->changed);
	pool_lock_leave(&s->lock);
	pool_thread_join(s->thread);
	if (!restore_job_poll(s->job))
		sync_now(s);
	(void)close(s->fd); /* only read */
	pool_cond_release(&s->changed);
	pool_lock_release(&s->lock);
	free(s);
}
