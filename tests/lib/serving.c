#include "lib/serving.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static void
on_ready(void *arg, uint16_t port)
{
	struct serving *s = arg;

	pool_lock_enter(&s->lock);
	s->o.port = port; /* it stays, for the next ones */
	s->up = 1;
	pool_cond_wake_all(&s->change);
	pool_lock_leave(&s->lock);
}

static void
serve(void *arg)
{
	struct serving *s = arg;
	int rc = server_run(&s->o);

	pool_lock_enter(&s->lock);
	s->rc = rc;
	s->ended = 1;
	pool_cond_wake_all(&s->change);
	pool_lock_leave(&s->lock);
}

int
serving_begin(struct serving *s)
{
	int up;

	s->up = s->ended = s->rc = 0;
	if (pool_thread_start(&s->thread, serve, s) < 0)
		return 0;
	pool_lock_enter(&s->lock);
	while (!s->up && !s->ended)
		pool_cond_wait(&s->change, &s->lock);
	up = s->up;
	pool_lock_leave(&s->lock);
	return up;
}

void
serving_end(struct serving *s)
{
	const struct timespec now = {0, 0};
	sigset_t set;

	if (s->thread == NULL)
		return;
	/* Nobody else takes it: it is blocked. */
	assert_int_equal(kill(getpid(), SIGTERM), 0);
	pool_thread_join(s->thread);
	s->thread = NULL;
	/* Nor does the next one, when this one had been told to end before. */
	(void)sigemptyset(&set); /* cannot fail, as the next */
	(void)sigaddset(&set, SIGTERM);
	(void)sigtimedwait(&set, NULL, &now); /* there may be none */
}

void
serving_init(struct serving *s)
{
	s->o.ready = on_ready;
	s->o.arg = s;
	pool_lock_init(&s->lock);
	pool_cond_init(&s->change);
}
