#include "base/ticker.h"

#include "base/err.h"
#include "base/pool.h"

#include <stdlib.h>

struct ticker {
	ticker_fn *work;
	void *arg;
	unsigned period_ms;
	struct pool_thread *thread;
	struct pool_lock lock; /* of what follows */
	struct pool_cond wake;
	int halted, kicked;
};

static void
run(void *arg)
{
	struct ticker *t = arg;
	int kicked, waited;

	pool_lock_enter(&t->lock);
	while (!t->halted) {
		waited = !t->kicked &&
			 pool_cond_wait_ms(&t->wake, &t->lock, t->period_ms);
		kicked = t->kicked;
		/* Conditions may wake for nothing. */
		if (t->halted || (!kicked && !waited))
			continue;
		t->kicked = 0;
		pool_lock_leave(&t->lock);
		t->work(t->arg, kicked);
		pool_lock_enter(&t->lock);
	}
	pool_lock_leave(&t->lock);
}

static void
discard(struct ticker *t)
{
	pool_cond_release(&t->wake);
	pool_lock_release(&t->lock);
	free(t);
}

int
ticker_start(
    struct ticker **out, ticker_fn *work, void *arg, unsigned period_ms)
{
	struct ticker *t = calloc(1, sizeof(*t));
	int r;

	if (t == NULL)
		return err_nomem(sizeof(*t));
	t->work = work;
	t->arg = arg;
	t->period_ms = period_ms;
	pool_lock_init(&t->lock);
	pool_cond_init(&t->wake);
	*out = t;
	r = pool_thread_start(&t->thread, run, t);
	if (r < 0) {
		*out = NULL;
		discard(t);
	}
	return r;
}

void
ticker_kick(struct ticker *t)
{
	pool_lock_enter(&t->lock);
	t->kicked = 1;
	pool_cond_wake_all(&t->wake);
	pool_lock_leave(&t->lock);
}

void
ticker_halt(struct ticker *t)
{
	if (t == NULL)
		return;
	pool_lock_enter(&t->lock);
	t->halted = 1;
	pool_cond_wake_all(&t->wake);
	pool_lock_leave(&t->lock);
}

int
ticker_is_halted(struct ticker *t)
{
	int halted;

	pool_lock_enter(&t->lock);
	halted = t->halted;
	pool_lock_leave(&t->lock);
	return halted;
}

void
ticker_stop(struct ticker *t)
{
	if (t == NULL)
		return;
	ticker_halt(t);
	pool_thread_join(t->thread);
	discard(t);
}
