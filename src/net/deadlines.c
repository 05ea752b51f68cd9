#include "net/deadlines.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

/* How often the thread looks while there are sockets. */
#define LOOK_MS 500u

#define NS_PER_SECOND 1000000000ll

struct deadline {
	struct deadline *next, **link; /* what points at us */
	int fd;
	int64_t at_ns; /* monotonic; INT64_MAX: none */
};

struct deadlines {
	struct pool_lock lock; /* of all below, and of each deadline */
	struct pool_cond change;
	struct deadline *first;
	int ended;
	struct pool_thread *thread;
};

static void
look(struct deadlines *d)
{
	int64_t now_ns = clock_mono_ns();
	struct deadline *e;

	for (e = d->first; e != NULL; e = e->next) {
		if (now_ns < e->at_ns)
			continue;
		/* Fails when the peer has gone, which is as good. */
		(void)shutdown(e->fd, SHUT_RDWR);
		e->at_ns = INT64_MAX;
	}
}

static void
run(void *arg)
{
	struct deadlines *d = arg;

	pool_lock_enter(&d->lock);
	while (!d->ended) {
		if (d->first == NULL)
			pool_cond_wait(&d->change, &d->lock);
		else
			(void)pool_cond_wait_ms(
			    &d->change, &d->lock, LOOK_MS); /* look anyway */
		look(d);
	}
	pool_lock_leave(&d->lock);
}

int
deadlines_open(struct deadlines **out)
{
	struct deadlines *d = calloc(1, sizeof(*d));
	int r;

	if (d == NULL)
		return err_nomem(sizeof(*d));
	pool_lock_init(&d->lock);
	pool_cond_init(&d->change);
	r = pool_thread_start(&d->thread, run, d);
	if (r < 0) {
		deadlines_close(d);
		return r;
	}
	*out = d;
	return 0;
}

void
deadlines_close(struct deadlines *d)
{
	if (d == NULL)
		return;
	pool_lock_enter(&d->lock);
	d->ended = 1;
	pool_cond_wake_all(&d->change);
	pool_lock_leave(&d->lock);
	pool_thread_join(d->thread);
	pool_cond_release(&d->change);
	pool_lock_release(&d->lock);
	free(d);
}

static int64_t
from_now(unsigned seconds)
{
	return seconds == 0 ? INT64_MAX
			    : clock_mono_ns() + NS_PER_SECOND * seconds;
}

struct deadline *
deadlines_add(struct deadlines *d, int fd, unsigned seconds)
{
	struct deadline *e = malloc(sizeof(*e));

	if (e == NULL)
		return NULL;
	e->fd = fd;
	e->at_ns = from_now(seconds);
	pool_lock_enter(&d->lock);
	e->next = d->first;
	e->link = &d->first;
	if (e->next != NULL)
		e->next->link = &e->next;
	else
		pool_cond_wake_all(&d->change);
	d->first = e;
	pool_lock_leave(&d->lock);
	return e;
}

void
deadlines_remove(struct deadlines *d, struct deadline *e)
{
	pool_lock_enter(&d->lock);
	*e->link = e->next;
	if (e->next != NULL)
		e->next->link = e->link;
	pool_lock_leave(&d->lock);
	free(e);
}

void
deadlines_set(struct deadlines *d, struct deadline *e, unsigned seconds)
{
	pool_lock_enter(&d->lock);
	e->at_ns = from_now(seconds);
	pool_lock_leave(&d->lock);
}
