#include "engine/ahead.h"

#include <assert.h>
#include <errno.h>
#include <unistd.h>

/* Less is read sooner than another thread wakes up. */
#define GIVE_BYTES (512u << 10)

void
ahead_init(struct ahead *a, struct crew *crew)
{
	a->crew = crew;
	a->wanted = 0;
	a->given = 0;
	a->busy = 0;
	pool_lock_init(&a->lock);
	pool_cond_init(&a->done);
}

void
ahead_release(struct ahead *a)
{
	assert(!a->wanted);
	pool_cond_release(&a->done);
	pool_lock_release(&a->lock);
}

static void
read_it(struct ahead *a)
{
	do {
		a->got = pread(a->fd, a->p, a->len, (off_t)a->at);
	} while (a->got < 0 && errno == EINTR);
	a->error = errno;
}

static void
read_piece(struct crew_task *task, void *context)
{
	struct ahead *a =
	    (struct ahead *)(void *)((char *)task -
				     offsetof(struct ahead, task));

	(void)context; /* reading needs nothing of the worker's */
	read_it(a);
	pool_lock_enter(&a->lock);
	a->busy = 0;
	pool_cond_wake_all(&a->done);
	pool_lock_leave(&a->lock);
}

void
ahead_begin(struct ahead *a, uint8_t *p, size_t len, int fd, uint64_t at)
{
	assert(!a->wanted);
	a->p = p;
	a->len = len;
	a->fd = fd;
	a->at = at;
	a->wanted = 1;
	if (a->crew == NULL || len < GIVE_BYTES)
		return;
	a->given = 1;
	a->busy = 1;
	a->task.run = read_piece;
	crew_submit(a->crew, &a->task, 1);
}

ssize_t
ahead_wait(struct ahead *a)
{
	if (!a->wanted)
		return 0;
	a->wanted = 0;
	if (!a->given || crew_withdraw(a->crew, &a->task)) {
		read_it(a);
	} else {
		pool_lock_enter(&a->lock);
		while (a->busy)
			pool_cond_wait(&a->done, &a->lock);
		pool_lock_leave(&a->lock);
	}
	a->given = 0;
	errno = a->error;
	return a->got;
}
