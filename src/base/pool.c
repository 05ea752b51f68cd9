#include "base/pool.h"

#include "base/err.h"
#include "base/os.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

void
pool_lock_init(struct pool_lock *l)
{
	int r = pthread_mutex_init(&l->m, NULL);

	assert(r == 0);
}

void
pool_lock_release(struct pool_lock *l)
{
	int r = pthread_mutex_destroy(&l->m);

	assert(r == 0);
}

void
pool_lock_enter(struct pool_lock *l)
{
	int r = pthread_mutex_lock(&l->m);

	assert(r == 0);
}

void
pool_lock_leave(struct pool_lock *l)
{
	int r = pthread_mutex_unlock(&l->m);

	assert(r == 0);
}

void
pool_cond_init(struct pool_cond *c)
{
	pthread_condattr_t attr;
	int r;

	r = pthread_condattr_init(&attr);
	assert(r == 0);
	r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	assert(r == 0);
	r = pthread_cond_init(&c->c, &attr);
	assert(r == 0);
	r = pthread_condattr_destroy(&attr);
	assert(r == 0);
}

void
pool_cond_release(struct pool_cond *c)
{
	int r = pthread_cond_destroy(&c->c);

	assert(r == 0);
}

void
pool_cond_wait(struct pool_cond *c, struct pool_lock *l)
{
	int r = pthread_cond_wait(&c->c, &l->m);

	assert(r == 0);
}

int
pool_cond_wait_ms(struct pool_cond *c, struct pool_lock *l, unsigned timeout_ms)
{
	struct timespec until;
	int r;

	r = clock_gettime(CLOCK_MONOTONIC, &until);
	assert(r == 0);
	until.tv_sec += (time_t)(timeout_ms / 1000);
	until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_nsec -= 1000000000;
		until.tv_sec++;
	}
	r = pthread_cond_timedwait(&c->c, &l->m, &until);
	assert(r == 0 || r == ETIMEDOUT);
	return r == 0 ? 0 : 1;
}

void
pool_cond_wake_all(struct pool_cond *c)
{
	int r = pthread_cond_broadcast(&c->c);

	assert(r == 0);
}

/* One waiter is enough where any of them can do what is to be done. */
static void
wake_one(struct pool_cond *c)
{
	int r = pthread_cond_signal(&c->c);

	assert(r == 0);
}

struct pool_thread {
	pthread_t id;
	void (*run)(void *);
	void *arg;
};

static void *
thread_main(void *arg)
{
	struct pool_thread *t = arg;

	t->run(t->arg);
	return NULL;
}

int
pool_thread_start(struct pool_thread **out, void (*run)(void *), void *arg)
{
	/* What a thread does to itself must still end the program. */
	static const int own[] = {
	    SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
	struct pool_thread *t;
	sigset_t block, old;
	size_t i;
	int r, r2;

	t = malloc(sizeof(*t));
	if (t == NULL)
		return err_nomem(sizeof(*t));
	t->run = run;
	t->arg = arg;
	sigfillset(&block);
	for (i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		sigdelset(&block, own[i]);
	r = pthread_sigmask(SIG_SETMASK, &block, &old);
	assert(r == 0);
	r = pthread_create(&t->id, NULL, thread_main, t);
	r2 = pthread_sigmask(SIG_SETMASK, &old, NULL);
	assert(r2 == 0);
	if (r != 0) {
		free(t);
		errno = r;
		return err_errno(ERR_FAIL, "cannot start a thread");
	}
	*out = t;
	return 0;
}

void
pool_thread_join(struct pool_thread *t)
{
	int r;

	if (t == NULL)
		return;
	r = pthread_join(t->id, NULL);
	assert(r == 0);
	free(t);
}

unsigned
pool_cpus(void)
{
	return os_cpus();
}

struct pool_queue {
	struct pool_lock lock;
	struct pool_cond not_full;
	struct pool_cond not_empty;
	size_t capacity;
	size_t first; /* position of the oldest item */
	size_t count;
	int closed;
	void *items[];
};

int
pool_queue_new(struct pool_queue **out, size_t capacity)
{
	struct pool_queue *q;

	assert(capacity > 0);
	if (capacity > (SIZE_MAX - sizeof(*q)) / sizeof(q->items[0]))
		return err_nomem(SIZE_MAX);
	q = calloc(1, sizeof(*q) + capacity * sizeof(q->items[0]));
	if (q == NULL)
		return err_nomem(sizeof(*q) + capacity * sizeof(q->items[0]));
	pool_lock_init(&q->lock);
	pool_cond_init(&q->not_full);
	pool_cond_init(&q->not_empty);
	q->capacity = capacity;
	*out = q;
	return 0;
}

void
pool_queue_free(struct pool_queue *q)
{
	if (q == NULL)
		return;
	pool_cond_release(&q->not_empty);
	pool_cond_release(&q->not_full);
	pool_lock_release(&q->lock);
	free(q);
}

int
pool_queue_push(struct pool_queue *q, void *item)
{
	int r = 1;

	pool_lock_enter(&q->lock);
	while (q->count == q->capacity && !q->closed)
		pool_cond_wait(&q->not_full, &q->lock);
	if (!q->closed) {
		q->items[(q->first + q->count) % q->capacity] = item;
		q->count++;
		wake_one(&q->not_empty);
		r = 0;
	}
	pool_lock_leave(&q->lock);
	return r;
}

/* Take the oldest item; the lock is held and there is one. */
static void *
take(struct pool_queue *q)
{
	void *item = q->items[q->first];

	q->first = (q->first + 1) % q->capacity;
	q->count--;
	wake_one(&q->not_full);
	return item;
}

int
pool_queue_pop(void **out, struct pool_queue *q)
{
	int r = 1;

	pool_lock_enter(&q->lock);
	while (q->count == 0 && !q->closed)
		pool_cond_wait(&q->not_empty, &q->lock);
	if (q->count > 0) {
		*out = take(q);
		r = 0;
	}
	pool_lock_leave(&q->lock);
	return r;
}

int
pool_queue_try_pop(void **out, struct pool_queue *q)
{
	int r = 1;

	pool_lock_enter(&q->lock);
	if (q->count > 0) {
		*out = take(q);
		r = 0;
	}
	pool_lock_leave(&q->lock);
	return r;
}

void
pool_queue_close(struct pool_queue *q)
{
	pool_lock_enter(&q->lock);
	q->closed = 1;
	pool_cond_wake_all(&q->not_empty);
	pool_cond_wake_all(&q->not_full);
	pool_lock_leave(&q->lock);
}
